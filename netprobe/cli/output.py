"""Where words go: the result to standard output, everything else to standard error.

House rules of this file:
1. Standard output gets the result and nothing else.
2. A reader that closes the pipe is no error: the rest is silently dropped and the exit code stays what it was.
3. Colour and width are decided here, once; renderers are told.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from typing import TextIO

from netprobe.cli import progress
from netprobe.errors import NetprobeError
from netprobe.report.escape import escape

_NARROWEST = 40
_LOWEST = 20
# What Python itself puts into LC_CTYPE where the locale is C (PEP 538); the terminal is no other for it.
_COERCED = {"C.UTF-8", "C.UTF8", "UTF-8"}


def wants_colour(asked: str, stream: TextIO, environment: Mapping[str, str]) -> bool:
    """As asked, and with `auto` only on a terminal that wants it (https://no-color.org, TERM=dumb)."""
    if asked != "auto":
        return asked == "always"
    return stream.isatty() and not environment.get("NO_COLOR") and environment.get("TERM", "dumb") != "dumb"


def draws_unicode(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Whether lines may be drawn with more than ASCII: only on a terminal, and where both its locale and the stream's
    encoding have Unicode. What is piped ends in tickets and mails, of which nobody knows what they show."""
    if not stream.isatty() or environment.get("TERM", "dumb") == "dumb":
        return False
    everywhere, characters, otherwise = (environment.get(name, "") for name in ("LC_ALL", "LC_CTYPE", "LANG"))
    if characters.upper() in _COERCED and otherwise in ("", "C", "POSIX"):
        characters = ""
    locale = everywhere or characters or otherwise
    encoding = (stream.encoding or "").lower().replace("-", "")
    return encoding == "utf8" and locale.upper().replace("-", "").endswith("UTF8")


def terminal_width(stream: TextIO) -> int | None:
    """Columns of the terminal, None where there is none."""
    return max(shutil.get_terminal_size().columns, _NARROWEST) if stream.isatty() else None


def terminal_height(stream: TextIO) -> int | None:
    """Rows of the terminal, None where there is none."""
    return max(shutil.get_terminal_size().lines, _LOWEST) if stream.isatty() else None


def show(text: str) -> None:
    """Write a piece of the result and flush it. Raises NetprobeError when it can't be written (a full disk)."""
    if sys.stdout is not None:  # None: started with standard output closed
        # An ASCII terminal must not turn a printable name into a crash.
        encoding = sys.stdout.encoding or "ascii"
        _write(text.encode(encoding, "backslashreplace").decode(encoding))


def show_octets(data: bytes) -> None:
    """The same for a large piece that is ASCII already."""
    if sys.stdout is not None:
        _write(data)


def _write(piece: str | bytes) -> None:
    stream = sys.stdout
    try:
        if isinstance(piece, str):
            stream.write(piece)
        else:
            stream.flush()
            stream.buffer.write(piece)
        stream.flush()
    except BrokenPipeError:
        _to_nowhere(stream)
    except OSError as error:
        _to_nowhere(stream)
        raise NetprobeError(f"the result can't be written: {error.strerror}", "send it to another place") from error


def _to_nowhere(stream: TextIO) -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)


def tell(text: str) -> None:
    """One notice on standard error, on a line of its own. Standard error that is gone is nobody's loss."""
    line = f"netprobe: {escape(text)}\n"
    if sys.stderr is None:
        return
    try:
        if progress.drawn:
            line = f"\r\x1b[K{line}"
        sys.stderr.write(line)
        sys.stderr.flush()
    except OSError:
        pass
