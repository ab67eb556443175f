"""A sweep's network in a thousand parts, and how many pairs of each cause there are in each.

House rules of this file:
1. Memory follows the number of causes, never that of addresses.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from netprobe.report import Cell
from netprobe.sweep.kinds import text_of
from netprobe.sweep.space import Space

Words = NDArray[np.uint64]
CELLS = 1024


class Chart:
    """Counts of one space."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self._width = -(-space.addresses // CELLS)
        self._counts: dict[str, NDArray[np.int64]] = {}

    def note(self, cause: str, high: Words, low: Words, port: int) -> None:
        """Pairs of one port that have this cause."""
        numbers, inside = self._space.find(high, low, np.full(len(low), port, dtype=np.uint64))
        cells = numbers[inside] // np.uint64(len(self._space.ports) * self._width)
        found = np.bincount(cells.astype(np.int64), minlength=CELLS)
        known = self._counts.get(cause)
        self._counts[cause] = found if known is None else known + found

    def cells(self) -> tuple[Cell, ...]:
        """The parts, in order of addresses."""
        step = len(self._space.ports)
        found = []
        for n in range(-(-self._space.addresses // self._width)):
            last = min((n + 1) * self._width, self._space.addresses) - 1
            numbers = np.array([n * self._width * step, last * step], dtype=np.uint64)
            high, low, _ = self._space.pairs(numbers)
            first_text, last_text = (text_of(self._space.version, int(high[i]), int(low[i])) for i in (0, 1))
            causes = {cause: int(counts[n]) for cause, counts in self._counts.items() if counts[n]}
            found.append(Cell(first_text, last_text, causes))
        return tuple(found)
