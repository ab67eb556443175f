"""When rows settle, told from when they were opened: netprobe.settling.flow without the packets.

House rules of this file:
1. Step by step what Flow and Tracker do with the number of free rows; tests/test_joining.py holds both equal.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from netprobe.tracker import SMALL

Sweep = Callable[[int], int]  # settle what is over after this frame; how many rows that were


class Schedule:
    """A table with `size` places, all of them free."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._free = size
        self._reserve = 0
        self._away = 0

    def run(self, born: Any, final: int, sweep: Sweep) -> None:
        """Rows are opened by the frames `born`, in order. `final`: the last frame of the capture, after which nothing
        is looked for any more."""
        at = 0
        while True:
            room = max(self._free - self._reserve, 1)
            if at + room > len(born):
                self._free -= len(born) - at
                return
            at += room
            self._free -= room
            frame = int(born[at - 1])
            if frame == final:
                return
            while self._free <= self._reserve:
                self._make_room(frame, sweep)

    def _make_room(self, frame: int, sweep: Sweep) -> None:
        if self._size < SMALL:
            self._grow(2 * self._size)
            return
        if self._away:
            self._free += self._away
            self._away = 0
        else:
            self._away = sweep(frame)
        if not self._away and self._free <= self._size // 4:
            size = self._size
            self._grow(2 * size if size < SMALL else size + size // 2)
        self._reserve = 0 if self._away else self._size // 8

    def _grow(self, size: int) -> None:
        self._free += size - self._size
        self._size = size
