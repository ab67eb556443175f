"""Packets of a pipe kept for ladders, since it can't be read again: of attempts that live, and of a few that failed.

House rules of this file:
1. Bounded: of an attempt its first EACH packets and those that decide; of all that live MOST bytes (the oldest give
   way), and once half of that has come, only what comes before the server says something; of those that are over the
   FIRST attempts, SHOWN that failed, and the first of each rule.
2. What decides is what the row of the table holds by its frame number; no verdict is made here.
3. Compiled loops give arrays, and what to keep is chosen by arrays: most packets of a fast pipe are passed over so.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from netprobe.ladder import Ladder, LadderOf
from netprobe.model import Endpoint, Frame, Verdict
from netprobe.packing import Noted, Noting
from netprobe.rereading import drawn
from netprobe.settling.flow import Taker
from netprobe.settling.outlines import address_at
from netprobe.tracker import columns as c
from netprobe.wire.batches import Batch

EACH = 48
MOST = 96 << 20
OVERHEAD = 160  # bytes that a frame takes besides its data
FIRST = 9
SHOWN = 32
RULES = 200
# Columns with numbers of frames that a verdict can rest on.
_COUNTS = (c.C_SIDE + c.E_COUNT, c.S_SIDE + c.E_COUNT)
_DECIDES = [*(c.BLOCKS + n * c.BLOCK_WIDTH + c.FRAME for n in range(15)), c.ICMP + c.I_FRAME]


@dataclass(slots=True)
class _Kept:
    """Packets of one attempt. `count`: those that came, where they are taken one by one; `passed`: some were not
    kept."""

    frames: list[Frame] = field(default_factory=list)
    count: int = 0
    size: int = 0
    passed: bool = False


class Keeping:
    """What becomes of a pipe's packets, beside everything else. Use: `batches` around those that are read, the object
    itself as the flow's taker, `settled` with the rows that settle, `ladders` in the end."""

    def __init__(self, noting: Noting, depth: int, other: Taker | None = None, *, compiled: bool = False) -> None:
        self._noting = noting
        self._compiled = compiled
        self._depth = depth
        self._other = other
        self._batch: Batch | None = None
        self._live: dict[int, _Kept] = {}
        self._size = 0
        self._roomy = True
        self._read = 0
        self._over: dict[tuple[Endpoint, Endpoint], list[_Kept]] = {}
        self._count = self._seen = 0
        self._rules: set[str] = set()
        self._last: Frame | None = None
        self._lock = threading.Lock()  # rows settle on a thread of their own where loops are compiled

    def batches(self, given: Iterator[Batch]) -> Iterator[Batch]:
        """The same batches."""
        for batch in given:
            self._batch = batch
            yield batch
            if batch.count:
                self._last = batch.frame(batch.count - 1)

    def take(self, numbers: Sequence[int], first: int, last: int, touched: Sequence[int]) -> None:
        """Frames first..last-1 belong to these rows."""
        if self._other is not None:
            self._other.take(numbers, first, last, touched)
        batch = self._batch
        if batch is None or first >= last:
            return
        choose = self._by_arrays if self._compiled else self._one_by_one
        with self._lock:
            for row, frame in choose(batch, first, last, touched):
                self._keep(row, frame)
            self._roomy = self._read < MOST // 2
            while self._size > MOST and self._live:
                self._size -= self._live.pop(next(iter(self._live))).size

    def _by_arrays(self, batch: Batch, first: int, last: int, touched: Any) -> Iterator[tuple[int, Frame]]:
        import numpy as np

        table: Any = self._noting.tracker.table
        rows = np.asarray(touched[first:last])
        at = np.flatnonzero(rows >= 0)
        rows = rows[at]
        count = table[rows, _COUNTS[0]] + table[rows, _COUNTS[1]] - _later(rows)
        early = ((table[rows, c.S_BYTES] == 0) | self._roomy) & (count <= EACH)
        numbers: Any = batch.numbers
        decides = (table[rows[:, None], np.array(_DECIDES)] == numbers[first:last][at, None]).any(axis=1)
        keep = early | decides
        for row in np.unique(rows[~keep]).tolist():
            self._live.setdefault(row, _Kept()).passed = True
        at = at[keep] + first
        b: Any = batch
        columns = (b.numbers, b.times, b.links, b.starts, b.ends, b.lengths, b.outgoings)
        octets = memoryview(b.buffer)
        for row, number, time, link, start, end, length, way in zip(
            rows[keep].tolist(), *(column[at].tolist() for column in columns), strict=True
        ):
            data = octets[start:end].tobytes()
            yield row, Frame(number, time, link, data, length, None if way < 0 else bool(way))

    def _one_by_one(
        self, batch: Batch, first: int, last: int, touched: Sequence[int]
    ) -> Iterator[tuple[int, Frame]]:
        table = self._noting.tracker.table
        for i in range(first, last):
            row = touched[i]
            if row < 0:
                continue
            r, number = table[row], batch.numbers[i]
            kept = self._live.setdefault(row, _Kept())
            kept.count += 1
            early = (self._roomy or not r[c.S_BYTES]) and kept.count <= EACH
            if early or any(r[column] == number for column in _DECIDES):
                yield row, batch.frame(i)
            else:
                kept.passed = True

    def _keep(self, row: int, frame: Frame) -> None:
        kept = self._live.get(row)
        if kept is None:
            kept = self._live[row] = _Kept()
        size = len(frame.data) + OVERHEAD
        if len(kept.frames) >= 3 * EACH:  # what decided once may no longer
            kept.passed = True
            size -= len(kept.frames.pop(EACH).data) + OVERHEAD
        kept.frames.append(frame)
        kept.size += size
        self._size += size
        self._read += size

    def settled(self, noted: Sequence[Noted]) -> None:
        """These rows have their kinds: some are kept to be shown, the others forgotten."""
        table, known = self._noting.tracker.table, self._noting.known
        with self._lock:
            for rows, numbers in noted:
                for row, number in zip(rows, numbers, strict=True):
                    kept = self._live.pop(int(row), None)
                    if kept is None:
                        continue
                    self._size -= kept.size
                    if self._shows(known[int(number)].verdict):
                        r = table[row]
                        client = Endpoint(address_at(r, c.CLIENT), int(r[c.CPORT]))
                        server = Endpoint(address_at(r, c.SERVER), int(r[c.SPORT]))
                        self._over.setdefault((client, server), []).append(kept)

    def forget(self, settled: Sequence[int]) -> None:
        """These rows are free for others; some of them were no attempts, or not asked for."""
        with self._lock:
            for row in settled:
                kept = self._live.pop(int(row), None)
                self._size -= kept.size if kept is not None else 0

    def _shows(self, verdict: Verdict) -> bool:
        self._seen += 1
        if self._seen <= FIRST:
            self._rules.add(verdict.rule)
            return True
        new = verdict.rule not in self._rules and len(self._rules) < RULES
        if new:
            self._rules.add(verdict.rule)
        if verdict.cause != "up" and self._count < SHOWN:
            self._count += 1
            return True
        return new

    def ladders(self) -> LadderOf:
        """Gives the ladder of a verdict whose packets were kept."""
        return LadderOf(self._ladder)

    def _ladder(self, verdict: Verdict) -> Ladder | None:
        if verdict.client is None or not verdict.evidence:
            return None
        cited = {one.frame for one in verdict.evidence}
        server = Endpoint(verdict.address or "", verdict.port)
        for kept in self._over.get((verdict.client, server), ()):
            if cited <= {frame.number for frame in kept.frames}:
                return drawn(kept.frames, self._last, verdict, depth=self._depth, whole=not kept.passed)
        return None


def _later(rows: Any) -> Any:
    """For each packet how many of the same row come after it."""
    import numpy as np

    order = np.argsort(rows, kind="stable")
    _, begins, counts = np.unique(rows[order], return_index=True, return_counts=True)
    found = np.empty(len(rows), dtype=np.int64)
    found[order] = np.repeat(begins + counts, counts) - np.arange(len(rows)) - 1
    return found
