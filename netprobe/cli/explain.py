"""netprobe explain: what a rule, a cause or a client's error text means."""

from __future__ import annotations

from typing import Annotated

import typer


def explain(
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ID|CAUSE|TEXT|-]",
            help="A rule id, a cause, or what the client printed; - reads that from standard input. "
            "Nothing: list what there is.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Explain a rule id, a cause, or a client's error text.

    \b
    Examples:
      netprobe explain NP110
      netprobe explain no-listener
      netprobe explain ND301
      netprobe explain "kex_exchange_identification: read: Connection reset by peer"
      ssh -v server.example.com 2>&1 | netprobe explain -
    """
    import os
    import sys

    from netprobe import explain as pages
    from netprobe.cli.output import draws_unicode, show, terminal_width

    text = _typed(what or [])
    unicode = draws_unicode(sys.stdout, os.environ) if sys.stdout else False
    width = terminal_width(sys.stdout) if sys.stdout else None
    show(pages.folded(_page(text, unicode=unicode), width))


def _typed(words: list[str]) -> str | None:
    """What is to be explained, None for all. Raises UsageError for nothing on standard input."""
    import sys

    from netprobe.clients.reading import MOST
    from netprobe.errors import UsageError

    if words != ["-"]:
        return " ".join(words) if words else None
    text = sys.stdin.buffer.read(MOST).decode("utf-8", "replace") if sys.stdin else ""
    if not text.strip():
        raise UsageError("standard input is empty", "ssh -v HOST 2>&1 | netprobe explain -")
    return text


def _page(text: str | None, *, unicode: bool) -> str:
    from netprobe import clients
    from netprobe import explain as pages
    from netprobe.doctor import pages as checks

    if text is None:
        return f"{pages.listing()}\n{checks.listing()}"
    found = checks.page(text) or clients.page(text)
    return found or pages.explain(text, unicode=unicode, others=checks.names())
