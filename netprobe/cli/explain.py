"""netprobe explain: what a rule, a cause or a client's error text means."""

from __future__ import annotations

from typing import Annotated

import typer


def explain(
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="ID|CAUSE|TEXT", help="A rule id, a cause, or what the client printed.", show_default=False
        ),
    ],
) -> None:
    """Explain a rule id, a cause, or a client's error text.

    \b
    Examples:
      netprobe explain NP110
      netprobe explain no-listener
      netprobe explain ND301
      netprobe explain "Connection refused"
      netprobe explain "kex_exchange_identification: read: Connection reset by peer"
    """
    from netprobe import clients
    from netprobe import explain as pages
    from netprobe.cli.output import show
    from netprobe.doctor import pages as checks

    text = " ".join(what)
    show(checks.page(text) or clients.page(text) or pages.explain(text))
