"""The tracker: frames in, a table of connection attempts out.

`columns` names the table's columns, `decode` reads headers, `loop` is the one loop over frames; the class here owns
the arrays
that the loop works on and lets them grow.
"""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from netprobe.model import Frame
from netprobe.tracker import columns
from netprobe.tracker.loop import Rows, advance, hash_pair

__all__ = ["Tracker"]


class Tracker:
    """A growing table of attempts (`rows`, int64[n, columns.WIDTH]) fed by batches of frames."""

    def __init__(self, capacity: int = 64) -> None:
        self._table: NDArray[np.int64] = np.zeros((capacity, columns.WIDTH), dtype=np.int64)
        self._slots: NDArray[np.int64] = np.zeros(4 * capacity, dtype=np.int64)
        self._counters: list[int] = [0] * columns.COUNTERS
        self._decoded: list[int] = [0] * columns.DECODED

    @property
    def rows(self) -> NDArray[np.int64]:
        """The attempts so far, in order of their first packet."""
        return self._table[: self._counters[columns.N_ROWS]]

    def count(self, counter: int) -> int:
        """One of the N_ counters."""
        return self._counters[counter]

    def receive(self, frames: Sequence[Frame]) -> list[int]:
        """Take frames in, in the order given. Returns for each the row it belongs to, or -1."""
        if not frames:
            return []
        self._reserve(len(frames))
        touched = [-1] * len(frames)
        starts: list[int] = []
        ends: list[int] = []
        at = 0
        for frame in frames:
            starts.append(at)
            at += len(frame.data)
            ends.append(at)
        advance(
            b"".join(f.data for f in frames),
            0,
            len(frames),
            starts,
            ends,
            [f.link_type for f in frames],
            [f.time_ns for f in frames],
            [f.number for f in frames],
            [-1 if f.outgoing is None else int(f.outgoing) for f in frames],
            cast(Rows, self._table),
            cast(MutableSequence[int], self._slots),
            self._counters,
            touched,
            self._decoded,
        )
        return touched

    def _reserve(self, more: int) -> None:
        """Room for `more` rows, and a hash table at most half full."""
        used = self._counters[columns.N_ROWS]
        need = used + more
        if need > len(self._table):
            grown = np.zeros((max(need, 2 * len(self._table)), columns.WIDTH), dtype=np.int64)
            grown[:used] = self._table[:used]
            self._table = grown
        if 2 * need > len(self._slots):
            size = len(self._slots)
            while size < 4 * need:
                size *= 2
            self._slots = np.zeros(size, dtype=np.int64)
            self._rehash()

    def _rehash(self) -> None:
        """Enter every row again; of two rows with the same endpoints the later one keeps the place, as in the loop."""
        mask = len(self._slots) - 1
        seen: dict[bytes, int] = {}
        for i, row in enumerate(self.rows):
            seen[row[[columns.KIND, *range(columns.CLIENT, columns.SPORT + 1)]].tobytes()] = i
        for i in seen.values():
            row = self._table[i].tolist()
            slot = hash_pair(
                row, columns.CLIENT, columns.SERVER, row[columns.CPORT], row[columns.SPORT], row[columns.KIND]
            )
            slot &= mask
            while self._slots[slot]:
                slot = (slot + 1) & mask
            self._slots[slot] = i + 1
