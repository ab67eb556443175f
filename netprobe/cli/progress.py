"""A progress line on standard error while a run lasts: after two seconds, on a terminal, and gone when it ends. SIGUSR1
makes a run say the same at any time.

House rules of this file:
1. An interval timer drives it, not a thread: the wire drops privileges for the one thread there is.
2. It writes with os.write: the signal may come while the same stream is being written.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Self

# Whether a line stands on the terminal that whoever writes there must take away.
drawn = False
_FIRST_S = 2.0
_EVERY_S = 0.5


class Progress:
    """Counts verdicts and shows how far the run is. `total`: how many are expected (names may be more)."""

    def __init__(self, total: int, *, wanted: bool) -> None:
        self._total = total
        self._done = 0
        self._started = time.monotonic()
        self._packets = 0
        self._ends: float | None = None
        able = sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self._wanted = wanted and able

    def __enter__(self) -> Self:
        signal.signal(signal.SIGUSR1, self._tell)
        if self._wanted:
            signal.signal(signal.SIGALRM, self._show)
            signal.setitimer(signal.ITIMER_REAL, _FIRST_S, _EVERY_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        if self._wanted:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, signal.SIG_IGN)
            self.clear()

    def clear(self) -> None:
        """Take the line away, since the result is about to be written over it; it comes again by itself."""
        global drawn  # noqa: PLW0603 - there is one terminal
        if drawn:
            self._write("\r\x1b[K")
            drawn = False

    def advance(self) -> None:
        """One more verdict is known."""
        self._done += 1

    def foresee(self, packets: int, left_s: float | None) -> None:
        """So many packets were seen, and what has begun will take so many seconds; None: more is left to begin with."""
        self._packets = packets
        self._ends = None if left_s is None else time.monotonic() - self._started + left_s

    def line(self, elapsed_s: float) -> str:
        """What the line says after this many seconds."""
        parts = [f"{self._done} of {max(self._total, self._done)} done", f"{elapsed_s:.0f} s"]
        if self._done >= self._total:
            return ", ".join(parts)
        left_s = None if self._ends is None else max(self._ends - elapsed_s, 1)
        if self._done:
            rate = self._done / elapsed_s
            parts.append(f"{rate:.1f}/s")
            left_s = left_s or (self._total - self._done) / rate
        elif self._packets:
            parts.append(f"{self._packets} packets ({self._packets / max(elapsed_s, 1):.1f}/s)")
        if left_s is not None:
            parts.append(f"about {left_s:.0f} s left")
        return ", ".join(parts)

    def _show(self, number: int, frame: FrameType | None) -> None:
        global drawn  # noqa: PLW0603 - there is one terminal
        drawn = True
        room = shutil.get_terminal_size().columns - 1
        line = self.line(time.monotonic() - self._started)
        self._write(f"\r\x1b[K{line if len(line) <= room else line[: max(room - 3, 0)] + '...'}")

    def _tell(self, number: int, frame: FrameType | None) -> None:
        """SIGUSR1: the same as a line that stays, also where there is no terminal."""
        start = "\r\x1b[K" if drawn else ""
        self._write(f"{start}netprobe: {self.line(time.monotonic() - self._started)}\n")

    @staticmethod
    def _write(text: str) -> None:
        with suppress(OSError):
            os.write(2, text.encode())


class WaitingProgress(Progress):
    """How long is being waited, and for what: the line comes from `line_of`, given the seconds so far."""

    def __init__(self, line_of: Callable[[float], str], *, wanted: bool) -> None:
        super().__init__(0, wanted=wanted)
        self._line_of = line_of

    def line(self, elapsed_s: float) -> str:
        return self._line_of(elapsed_s)


class ReadingProgress(Progress):
    """How far a file has been read, with rate and time left."""

    def __init__(self, *, wanted: bool) -> None:
        super().__init__(0, wanted=wanted)
        self._name = ""
        self._taken = 0
        self._size = 0
        self._begun_s = 0.0

    def read(self, name: str, taken: int, size: int) -> None:
        """So many bytes of so many (0: unknown) have been read of this file."""
        if name != self._name:
            self._name = name
            self._begun_s = time.monotonic() - self._started
        self._taken, self._size = taken, size

    def line(self, elapsed_s: float) -> str:
        if not self._name:
            return f"starting, {elapsed_s:.0f} s"
        spent_s = max(elapsed_s - self._begun_s, 0.001)
        rate = self._taken / spent_s
        name = _short(self._name, 30)
        if not self._size:
            return f"{name}: {_bytes(self._taken)}, {spent_s:.0f} s, {_bytes(rate)}/s"
        share = min(self._taken / self._size, 1.0)
        filled = int(share * _BAR)
        bar = f"[{'#' * filled}{'.' * (_BAR - filled)}]"
        left = f", about {(self._size - self._taken) / rate:.0f} s left" if 0 < self._taken < self._size else ""
        return f"{name} {bar} {share:.0%} of {_bytes(self._size)}, {_bytes(rate)}/s{left}"


_BAR = 16


def _bytes(count: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" or count >= 10 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def _short(name: str, most: int) -> str:
    """The end of a path, harmless."""
    from netprobe.report.escape import escape

    text = escape(os.path.basename(name) or name)  # noqa: PTH119 - a name, not a path: "3 files", "standard input"
    return text if len(text) <= most else f"...{text[3 - most:]}"
