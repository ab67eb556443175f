"""netprobe analyze: the diagnosis of saved captures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from netprobe.cli.choices import Color, Json, Jsonl, Quiet, Verbose


def analyze(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="Capture files, read as one stream each.", show_default=False)
    ],
    server: Annotated[
        list[str] | None,
        typer.Option(
            "--server", metavar="ADDR", help="Only connections to this address (repeatable).", show_default=False
        ),
    ] = None,
    as_json: Json = False,
    as_jsonl: Jsonl = False,
    quiet: Quiet = False,
    verbose: Verbose = 0,
    color: Color = "auto",
) -> None:
    """Say why the TCP connections in a capture failed.

    \b
    Examples:
      netprobe analyze scan.pcapng
      netprobe analyze --server 192.0.2.1 --json capture.pcapng
    """
    from netprobe import analyze as driver
    from netprobe.cli.presentation import Presentation
    from netprobe.options import AnalyzeOptions

    shown = Presentation(as_json=as_json, as_jsonl=as_jsonl, quiet=quiet, verbose=verbose, color=color)
    options = AnalyzeOptions(files=tuple(files), servers=_servers(server or []))
    report = driver.run(options, shown.on_verdict, shown.notice, shown.on_lines)
    raise typer.Exit(shown.finish(report))


def _servers(texts: list[str]) -> tuple[str, ...]:
    from netprobe.addresses import canonical

    return tuple(canonical(text, "--server") for text in texts)
