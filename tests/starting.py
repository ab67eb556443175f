"""What a signal makes of an interpreter that is starting: before netprobe's first line only Python can answer."""

from __future__ import annotations

import signal
from pathlib import Path

import netprobe

# pylifecycle.c, and pymain_run_module in Modules/main.c
_GIVEN_UP = ("Fatal Python error: init", "Could not import runpy module")
# Nothing in them can catch an interrupt: what they import is sys.
_PACKAGE = f"{Path(netprobe.__file__).parent}/"
_FIRST = (f"{_PACKAGE}__main__.py", f"{_PACKAGE}__init__.py")


def of_python_alone(code: int, err: str) -> bool:
    """Whether a process that was interrupted ended before netprobe began: killed by the signal or given up by the
    interpreter, with at most a traceback of the interpreter's own files."""
    for name in _FIRST:
        err = err.replace(name, "")
    given_up = code == 1 and any(text in err for text in _GIVEN_UP)
    return (code in {-signal.SIGINT, -signal.SIGTERM} or given_up) and _PACKAGE not in err
