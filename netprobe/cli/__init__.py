"""The command line: typer, and wiring only.

House rules of this package:
1. Nothing is decided here: what was typed becomes options, a driver runs, a renderer speaks.
2. `--help` loads neither typer nor scapy nor pyshark nor numpy: its pages are text. Commands are imported by `run`,
   drivers and renderers inside the commands.
3. The end of every run goes through `run`: one line for an error, its exit code, never a traceback nobody asked for.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from netprobe.cli import pages
from netprobe.errors import NetprobeError, UsageError
from netprobe.interrupts import led_to

# NumPy would start threads for a linear algebra that is never asked for: they cost time, and each has capabilities of
# its own, which no other thread can give away.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def run(arguments: Sequence[str]) -> int:
    """Run one command line; gives the exit code of docs/interface.md. KeyboardInterrupt passes through."""
    page = pages.asked(arguments)
    if page is not None:
        print(page, end="")
        return 0
    from netprobe.cli.output import tell

    try:
        return _command(arguments)
    except NetprobeError as error:
        tell(str(error))
        return error.exit_code
    except Exception as error:
        if led_to(error):
            raise KeyboardInterrupt from error
        tell(f"internal error, please report it: {type(error).__name__}: {error}")
        if "-vv" in arguments or os.environ.get("NETPROBE_DEBUG"):
            import traceback

            traceback.print_exception(error)
        return NetprobeError.exit_code


def _command(arguments: Sequence[str]) -> int:
    from netprobe.cli import common, config
    from netprobe.cli.app import app
    from netprobe.cli.doctor import spelled_out

    if arguments[:1] == ["help"]:  # of a command that has no page: typer says so
        arguments = [*arguments[1:2], "--help"]
    taken = common.take(arguments)
    found = config.find(taken, os.environ)
    defaults = found.defaults(app)
    try:
        app(spelled_out(taken.arguments), prog_name="netprobe", default_map=defaults)
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        return found.explained(code)
    except UsageError:
        found.explained(UsageError.exit_code)
        raise
    return 0
