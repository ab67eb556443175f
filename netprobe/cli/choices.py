"""Options that several commands share, word for word."""

from __future__ import annotations

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="One JSON document instead of the table.")]
Jsonl = Annotated[bool, typer.Option("--jsonl", help="One JSON line per verdict as it settles, then a summary line.")]
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
