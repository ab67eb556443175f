"""The command line: typer, and wiring only.

House rules of this package:
1. Nothing is decided here: what was typed becomes options, a driver runs, a renderer speaks.
2. `--help` loads neither scapy nor pyshark nor numpy; drivers and renderers are imported inside the commands.
3. The end of every run goes through `run`: one line for an error, its exit code, never a traceback nobody asked for.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import typer

from netprobe import __version__
from netprobe.cli.analyze import analyze
from netprobe.cli.coercion import quicken
from netprobe.cli.doctor import doctor
from netprobe.cli.explain import explain
from netprobe.cli.replay import replay
from netprobe.cli.scan import scan
from netprobe.errors import NetprobeError

_ABOUT = """Tells why a TCP connection fails, SSH's "Connection refused" above all, and proves it with packets.

\b
Examples:
  sudo netprobe scan server.example.com       why can't I reach it? (works without sudo, too, and sees less)
  netprobe analyze scan.pcapng                the same question, asked of a saved capture
  sudo netprobe doctor                        on the server: why can't clients get in?
  netprobe replay captures/                    captures as regression tests: expected against found
  netprobe explain no-listener                what a cause means, and what to do

Exit codes: 0 everything is up, 1 something is not and is diagnosed, 2 usage, 3 could not measure, 4 damaged input,
130 interrupted."""

# NumPy would start threads for a linear algebra that is never asked for: they cost time, and each has capabilities of
# its own, which no other thread can give away.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

app = typer.Typer(
    help=_ABOUT,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)


def _version(asked: bool) -> None:
    if asked:
        print(f"netprobe {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(False, "-V", "--version", callback=_version, is_eager=True, help="Show the version."),
) -> None:
    pass


quicken()
app.command(no_args_is_help=True, short_help="Why does a connection fail? Find out by probing.")(scan)
app.command(no_args_is_help=True, short_help="Why did it fail? Find out from saved captures.")(analyze)
app.command(no_args_is_help=True, short_help="Captures as regression tests: expected against found.")(replay)
app.command(short_help="On the server: why can't clients get in?")(doctor)
app.command(no_args_is_help=True, short_help="What a rule, a cause or an error text means.")(explain)


def run(arguments: Sequence[str]) -> int:
    """Run one command line; gives the exit code of docs/interface.md. KeyboardInterrupt passes through."""
    from netprobe.cli.output import tell

    try:
        app(list(arguments), prog_name="netprobe")
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except NetprobeError as error:
        tell(str(error))
        return error.exit_code
    except Exception as error:
        tell(f"internal error, please report it: {type(error).__name__}: {error}")
        if "-vv" in arguments or os.environ.get("NETPROBE_DEBUG"):
            import traceback

            traceback.print_exception(error)
        return NetprobeError.exit_code
    return 0
