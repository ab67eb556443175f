"""Ctrl-C, SIGTERM and a closed terminal, as one KeyboardInterrupt; the second one ends the program on the spot."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import TYPE_CHECKING

from netprobe import interrupts

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

_INTERRUPTED = 130
_asked = False


def listen() -> None:
    """From now on SIGINT, SIGTERM and SIGHUP raise KeyboardInterrupt in the main thread.

    SIGINT is taken over even where a shell started us with it ignored (`netprobe ... &` in a script), as ping and
    tcpdump do: `kill -INT` must end a scan. An ignored SIGHUP (nohup) stays ignored.
    """
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _interrupt)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, _interrupt)
    # Whoever asks how far a run is must not end it: before and after the time that there is an answer it is ignored.
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    sys.unraisablehook = _unraisable


def _interrupt(number: int, frame: FrameType | None) -> None:
    global _asked  # noqa: PLW0603 - a signal handler has nothing else to remember by
    if _asked:
        os._exit(_INTERRUPTED)
    _asked = True
    interrupts.raising()
    raise KeyboardInterrupt


def _unraisable(what: UnraisableHookArgs) -> None:
    """An interrupt that Python lets not out of a callback is no message to the user: `interrupts.check` raises it."""
    if what.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(what)
