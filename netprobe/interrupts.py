"""An interrupt that waits for a safe moment: it never comes in the middle of a record or of a file's block."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

_raised = False


def raising() -> None:
    """Said by a signal's handler that is about to raise KeyboardInterrupt."""
    global _raised  # noqa: PLW0603 - a signal handler has nothing else to remember by
    _raised = True


def check() -> None:
    """Raise KeyboardInterrupt if one was raised before: Python lets none out of the callbacks that its imports run, it
    prints "Exception ignored" and goes on. To be called when imports are done and the work begins."""
    if _raised:
        raise KeyboardInterrupt


def led_to(error: BaseException) -> bool:
    """Whether an interrupt is what an error comes from. One that meets a class while it is made leaves Python 3.11 as
    the cause of a RuntimeError (type_new_set_names in Objects/typeobject.c), and imports make classes."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, KeyboardInterrupt):
        cause = cause.__cause__
    return cause is not None


_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """While it is entered, a signal that would have raised KeyboardInterrupt sets `asked` and calls `wake` instead.
    What a handler does besides (it ends the program on the second one) it still does. Does nothing outside the main
    thread, which alone hears signals."""

    def __init__(self) -> None:
        self.asked = False
        self.wake: Callable[[], None] | None = None
        self._before: dict[signal.Signals, Callable[[int, FrameType | None], Any]] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                before = signal.getsignal(number)
                if callable(before):
                    self._before[number] = before
                    signal.signal(number, self._hear)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        try:
            self._before[signal.Signals(number)](number, frame)
        except KeyboardInterrupt:
            self.asked = True
            if self.wake is not None:
                self.wake()
