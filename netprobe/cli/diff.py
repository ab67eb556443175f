"""netprobe diff: what changed between two results."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from netprobe.cli.choices import Json


def diff(
    results: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="OLD NEW",
            help="Two results of --json, --jsonl or --bundle, or captures; - is standard input.",
            show_default=False,
        ),
    ] = None,
    common: Annotated[bool, typer.Option("--common", help="Only targets that are in both.")] = False,
    as_json: Json = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="One line for each target, no notices.")] = False,
) -> None:
    """Say what changed between two results: causes of each target and port, and traits such as TTL, window,
    identification, host key, offered algorithms, the path; times only where they differ by far.

    \b
    Examples:
      netprobe diff yesterday.json today.json
      netprobe diff worked.pcapng broken.pcapng
      netprobe diff monday.zip tuesday.zip
      netprobe scan --json server.example.com | netprobe diff yesterday.json -
      netprobe diff --json --common monday.jsonl tuesday.jsonl
      netprobe diff -q before.pcap.gz after.pcap.gz

    Exit codes: 0 nothing changed, 1 something did, 2 usage, 3 unreadable, 4 damaged capture, 130 interrupted.
    """
    from netprobe.cli.output import show, terminal_width
    from netprobe.cli.presentation import Presentation
    from netprobe.diffing.run import run
    from netprobe.errors import UsageError
    from netprobe.report import difference

    given = results or []
    if len(given) != 2:
        raise UsageError(f"two results are compared, {len(given) or 'none'} given", "write netprobe diff OLD NEW")
    old, new = given
    if old == new == "-":
        raise UsageError("both results can't come from standard input", "save one of them")
    shown = Presentation(as_json=as_json, as_jsonl=False, quiet=quiet, verbose=0, color="never")
    with shown.reading() as progress:
        found = run(old, new, shown.notice, progress.read, common=common)
    if as_json:
        show(difference.document(found.difference))
    else:
        width = terminal_width(sys.stdout) if sys.stdout else None
        show(difference.render(found.difference, width=width, verbosity=-1 if quiet else 0))
    raise typer.Exit(found.exit_code)
