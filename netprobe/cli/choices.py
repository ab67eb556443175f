"""Options that several commands share, word for word, and what may not be said of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from netprobe.errors import UsageError
from netprobe.suggest import meant

Json = Annotated[bool, typer.Option("--json", help="One JSON document instead of the table.")]
Jsonl = Annotated[bool, typer.Option("--jsonl", help="One JSON line per verdict as it settles, and a summary.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="The table only: no reasons, no notices.")]
Verbose = Annotated[
    int,
    typer.Option(
        "-v",
        "--verbose",
        count=True,
        metavar="",
        help="-v the decisive packets, -vv path and probes, too.",
        show_default=False,
    ),
]
Color = Annotated[str, typer.Option("--color", metavar="WHEN", help="auto, always or never.")]
Html = Annotated[
    str | None,
    typer.Option(
        "--html", metavar="FILE", help="Also write a report page: one file, for any browser.", show_default=False
    ),
]
Xml = Annotated[
    str | None,
    typer.Option("-oX", metavar="FILE", help="Also write nmap's XML, causes as script output.", show_default=False),
]
Bundle = Annotated[
    str | None,
    typer.Option(
        "--bundle", metavar="FILE.zip", show_default=False,
        help="Also write all evidence as one file, with sums.",
    ),
]
Redact = Annotated[
    bool, typer.Option("--redact", help="In the bundle map addresses, drop names and payloads.")
]
RedactKey = Annotated[
    Path | None,
    typer.Option(
        "--redact-key", metavar="FILE", show_default=False,
        help="The key to map by (default: a new one each time).",
    ),
]


COLORS = ("auto", "always", "never")


def check(*, quiet: bool, verbose: int, color: str) -> None:
    """Raises UsageError where -q, -v and --color make no sense."""
    if quiet and verbose:
        raise UsageError("-q and -v contradict each other", "give one of them")
    if color not in COLORS:
        guess = meant(color, COLORS)
        raise UsageError(f"--color {color}: not known", guess or "write --color auto, always or never")
