"""The way in: interrupts, the exit code, and --version before anything heavy is loaded.

House rules of this file:
1. Only sys and netprobe itself are imported at the top: an interrupt during any later import is caught here.
2. No traceback ever reaches a user who didn't ask for one.
"""

from __future__ import annotations

import sys

from netprobe import __version__

INTERRUPTED = 130


def main() -> int:
    """Run the command line of this process and give its exit code (docs/interface.md)."""
    try:
        if sys.argv[1:] in (["--version"], ["-V"]):
            print(f"netprobe {__version__}")
            return _finish(0)
        import gc

        from netprobe.cli.interrupts import listen

        listen()
        # Imports make objects by the hundred thousand and no garbage: looking for it took a tenth of the start.
        gc.set_threshold(50_000)
        from netprobe.cli import run

        return _finish(run(sys.argv[1:]))
    except BaseException as error:
        from netprobe.interrupts import led_to

        if not led_to(error):
            raise
        return _finish(INTERRUPTED)


def _finish(code: int) -> int:
    """Flush what was printed; a reader that has gone away (`| head`) is no error."""
    import signal

    # Nothing is left to save: an interrupt now would only draw a traceback from the interpreter's own end.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            _silence(stream.fileno())
    return code


def _silence(descriptor: int) -> None:
    """Point a broken stream at /dev/null, so that the interpreter's last flush succeeds."""
    import os

    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, descriptor)
    os.close(null)


if __name__ == "__main__":
    sys.exit(main())
