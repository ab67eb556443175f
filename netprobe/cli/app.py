"""The commands, as typer has them."""

from __future__ import annotations

import typer

from netprobe import __version__
from netprobe.cli.analyze import analyze
from netprobe.cli.coercion import quicken
from netprobe.cli.command import Command, Group
from netprobe.cli.diff import diff
from netprobe.cli.doctor import doctor
from netprobe.cli.explain import explain
from netprobe.cli.replay import replay
from netprobe.cli.scan import scan
from netprobe.cli.wait import wait

_ABOUT = """Tells why a TCP connection fails, SSH's "Connection refused" above all, and proves it with packets.

\b
Examples:
  sudo netprobe scan server.example.com   why can't I reach it?
  netprobe analyze scan.pcapng            the same, asked of a saved capture
  sudo netprobe doctor                    on the server: what keeps clients out?
  netprobe replay captures/               captures as regression tests
  netprobe explain no-listener            what a cause means, and what to do

Exit codes: 0 everything is up, 1 something is not and is diagnosed, 2 usage, 3 could not measure, 4 damaged input,
130 interrupted."""

app = typer.Typer(
    cls=Group,
    help=_ABOUT,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,  # the completions that are installed are ready-made (netprobe/surface)
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"netprobe {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(False, "-V", "--version", callback=_version, is_eager=True, help="Show the version."),
) -> None:
    pass


quicken()
app.command(cls=Command, no_args_is_help=True, short_help="Why does a connection fail? Find out by probing.")(scan)
app.command(cls=Command, no_args_is_help=True, short_help="Wait until a port is up; every change is told.")(wait)
app.command(cls=Command, no_args_is_help=True, short_help="Why did it fail? Find out from saved captures.")(analyze)
app.command(cls=Command, no_args_is_help=True, short_help="Captures as regression tests: expected against found.")(
    replay
)
app.command(cls=Command, no_args_is_help=True, short_help="It worked yesterday: what changed since?")(diff)
app.command(cls=Command, short_help="On the server: why can't clients get in?")(doctor)
app.command(cls=Command, short_help="What a rule, a cause or an error text means.")(explain)
