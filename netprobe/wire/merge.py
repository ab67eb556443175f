"""Several capture files as one stream in time order: a rotated capture, or one file for each interface.

House rules of this file:
1. The order within a file is never changed, also where its time goes backwards: of all files the one goes on whose
   next record is the earliest, of equals the one named first (as mergecap has it). That is the order of the latest time
   seen so far in each file, here called a record's key.
2. A file is open only while it has something to give: memory follows the files that overlap in time, not all of them.
3. Frames aren't moved one at a time: windows are copied as they are, and only the columns are put into order.
"""

from __future__ import annotations

import dataclasses
import os
from bisect import bisect_right, insort
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netprobe.errors import UnreadableCapture
from netprobe.model import Fact, Record
from netprobe.wire.batches import Batch, Compile, lists, octets
from netprobe.wire.blocks import WINDOW, Damage
from netprobe.wire.capture import CaptureReader
from netprobe.wire.compression import MOST_UNPACKED

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_ALL_WINDOWS = 64 << 20  # bytes for the windows of all files
_SMALLEST_WINDOW = 1 << 16
_MOST_RUNS = 100_000
_BEFORE_ALL = -(1 << 63)
Key = tuple[int, int]  # time so far, place of the file among the files


@dataclasses.dataclass(slots=True)
class Part:
    """One of the files. What stands after `name` is complete when all is read; `unreadable` says why nothing was."""

    name: str
    size: int = 0
    bytes: int = 0  # as they lie there, 0 where nobody knows
    damage: tuple[Damage, ...] = ()
    damage_lines: tuple[str, ...] = ()
    notice_lines: tuple[str, ...] = ()
    dropped: int = 0
    unreadable: UnreadableCapture | None = None


class MergedCaptures:
    """The records of several files as one sequence, numbered anew from 1: in batches, or one by one. Raises
    UnreadableCapture when none of them can be read; `parts` says which can't, and `place` where a frame comes from."""

    def __init__(self, sources: Iterable[str | os.PathLike[str]], *, most_unpacked: int = MOST_UNPACKED) -> None:
        self._sources = list(sources)
        self._most_unpacked = most_unpacked
        self.parts = [Part(os.fspath(source)) for source in self._sources]
        self._window = max(_SMALLEST_WINDOW, min(WINDOW, _ALL_WINDOWS // max(len(self.parts), 1)))
        self._readers: dict[int, CaptureReader] = {}  # of pipes, which can't be opened twice
        self._open_now: list[CaptureReader] = []
        self._taken = 0  # bytes of the files that are done
        self._waiting: list[Key] = []  # files not begun, by the time of their first record
        self._number = 0
        self._runs = _Runs()
        for index in range(len(self.parts)):
            self._look_at(index)
        if self.unreadable and len(self.unreadable) == len(self.parts):
            raise self.unreadable[0]

    def batches(self, size: int = 65536, compiled: Compile | None = None) -> Iterator[Batch]:
        """As CaptureReader.batches()."""
        begun: list[_Begun] = []
        each = max(1, size // max(len(self.parts), 1))
        try:
            while begun or self._waiting:
                limit = min((one.limit for one in begun), default=None)
                if self._waiting and (limit is None or self._waiting[0] <= limit):
                    _, index = self._waiting.pop(0)
                    insort(begun, _Begun(index, self._open(index), each, compiled), key=lambda one: one.index)
                elif limit is not None:
                    taken = [one for one in begun if one.take(limit)]
                    if taken:
                        yield self._merged(taken, compiled)
                for one in [one for one in begun if one.empty]:
                    if not one.next():
                        begun.remove(one)
                        self._close(one.index, one.reader)
        finally:
            for one in begun:
                self._close(one.index, one.reader)

    def __iter__(self) -> Iterator[Record]:
        for batch in self.batches():
            facts = iter([*batch.facts, (batch.count + 1, None)])
            at, fact = next(facts)
            for i in range(batch.count + 1):
                while at == i and fact is not None:
                    yield fact
                    at, fact = next(facts)
                if i < batch.count:
                    yield batch.frame(i)

    def place(self, number: int) -> tuple[str, int] | None:
        """The file that frame `number` comes from, and its number there. None for one that doesn't exist, and where
        the files change places so often that nobody kept account."""
        found = self._runs.find(number)
        return None if found is None or number > self._number else (self.parts[found[0]].name, found[1])

    @property
    def damage_lines(self) -> tuple[str, ...]:
        """What was wrong with the files, for people."""
        return tuple(line for part in self.parts for line in part.damage_lines)

    @property
    def notice_lines(self) -> tuple[str, ...]:
        """What is not as usual with them, but no damage."""
        return tuple(line for part in self.parts for line in part.notice_lines)

    @property
    def unreadable(self) -> tuple[UnreadableCapture, ...]:
        """Why some of the files weren't read at all."""
        return tuple(part.unreadable for part in self.parts if part.unreadable is not None)

    @property
    def size(self) -> int:
        """About how many bytes there are to read, without pipes."""
        return sum(part.size for part in self.parts)

    @property
    def name(self) -> str:
        """What the files are called together."""
        return f"{len(self.parts)} files"

    @property
    def progress(self) -> tuple[int, int]:
        """How many bytes of the files, as they lie there, have been read, and how many there are (0 where nobody
        knows)."""
        every = [part.bytes for part in self.parts if part.unreadable is None]
        taken = self._taken + sum(reader.progress[0] for reader in self._open_now)
        return taken, sum(every) if all(every) else 0

    @property
    def dropped(self) -> int:
        """Packets that the captures lost, as their statistics blocks say."""
        return sum(part.dropped for part in self.parts)

    def _look_at(self, index: int) -> None:
        """See when a file begins."""
        source = self._sources[index]
        try:
            if os.fspath(source) == "-" or not Path(source).is_file():
                self._readers[index] = self._open(index)
                first = _BEFORE_ALL
            else:
                reader = CaptureReader(source, window=_SMALLEST_WINDOW, most_unpacked=self._most_unpacked)
                self.parts[index].size = reader.size
                self.parts[index].bytes = reader.progress[1]
                record = next(iter(reader), None)
                reader.close()
                first = _BEFORE_ALL if record is None else record.time_ns
        except UnreadableCapture as error:
            self.parts[index].unreadable = error
        else:
            insort(self._waiting, (first, index))

    def _open(self, index: int) -> CaptureReader:
        reader = self._readers.pop(index, None) or CaptureReader(
            self._sources[index], window=self._window, most_unpacked=self._most_unpacked
        )
        self._open_now.append(reader)
        return reader

    def _close(self, index: int, reader: CaptureReader) -> None:
        if reader in self._open_now:
            self._open_now.remove(reader)
            self._taken += reader.progress[0]
        reader.close()
        part = self.parts[index]
        part.damage, part.damage_lines, part.notice_lines = reader.damage, reader.damage_lines, reader.notice_lines
        part.dropped = reader.dropped

    def _merged(self, taken: Sequence[_Begun], compiled: Compile | None) -> Batch:
        """One batch of what was taken, numbered."""
        import numpy as np

        if len(taken) == 1 and taken[0].whole:
            batch, facts, files = taken[0].batch, taken[0].take_facts(), np.array([taken[0].index])
            originals = np.array(batch.numbers[: batch.count], dtype=np.int64)
        else:
            batch, facts, files, originals = _in_order(taken, compiled)
        numbers = np.arange(self._number + 1, self._number + 1 + batch.count, dtype=np.int64)
        if facts:
            numbers += np.searchsorted([at for at, _ in facts], np.arange(batch.count), side="right")
        batch.numbers[: batch.count] = numbers.tolist() if compiled is None else numbers
        batch.facts = [
            (at, dataclasses.replace(fact, number=self._number + 1 + at + before))
            for (at, fact), before in zip(facts, count(), strict=False)
        ]
        self._runs.add(numbers, files, originals)
        self._number += batch.count + len(facts)
        return batch


class _Begun:
    """A file that takes part: its current batch, of which the frames from `at` on are still to be given, the first
    `n` of them now."""

    def __init__(self, index: int, reader: CaptureReader, size: int, compiled: Compile | None) -> None:
        self.index = index
        self.reader = reader
        self._batches = reader.batches(size, compiled)
        self._latest = _BEFORE_ALL
        self.batch: Batch = Batch(0, lists)
        self.facts: list[tuple[int, Fact]] = []
        self.at = 0
        self.n = 0
        self.keys: Any = ()

    def next(self) -> bool:
        """Turn to the file's next batch, if there is one."""
        import numpy as np

        batch = next(self._batches, None)
        if batch is None:
            return False
        self.batch = batch
        self.facts = batch.facts
        self.at = self.n = 0
        self.keys = np.array(batch.times[: batch.count], dtype=np.int64)
        if batch.count:
            self.keys = np.maximum(np.maximum.accumulate(self.keys), self._latest)
            self._latest = int(self.keys[-1])
        return True

    @property
    def limit(self) -> Key:
        """Up to where in the common order this batch tells everything of its file."""
        return self._latest, self.index

    @property
    def empty(self) -> bool:
        return self.at + self.n == self.batch.count and not self.facts

    @property
    def whole(self) -> bool:
        return self.n == self.batch.count

    def take(self, limit: Key) -> bool:
        """Choose what comes before `limit`. Returns whether there is anything."""
        import numpy as np

        self.at += self.n
        key, index = limit
        rest = self.keys[self.at :]
        self.n = int(np.searchsorted(rest, key, side="right" if self.index <= index else "left")) if len(rest) else 0
        return self.n > 0 or (bool(self.facts) and self.at == self.batch.count)

    def take_facts(self) -> list[tuple[int, Fact]]:
        """The facts among the frames chosen, with their place among them; those at the batch's end with it."""
        stop = self.at + self.n
        last = stop == self.batch.count
        found = [(at - self.at, fact) for at, fact in self.facts if at < stop or last]
        self.facts = self.facts[len(found) :]
        return found


def _in_order(
    taken: Sequence[_Begun], compiled: Compile | None
) -> tuple[Batch, list[tuple[int, Fact]], NDArray[np.int64], NDArray[np.int64]]:
    """What was taken of several files as one batch, its facts, and of each frame the file and its number there."""
    import numpy as np

    chunks: list[bytes] = []
    parts: list[list[NDArray[np.int64]]] = []
    length = 0
    for one in taken:
        columns = [np.array(column[one.at : one.at + one.n], dtype=np.int64) for column in one.batch.columns]
        if one.n:
            first, last = int(columns[0][0]), int(columns[1][-1])
            chunks.append(bytes(memoryview(one.batch.buffer)[first:last]))
            columns[0] += length - first
            columns[1] += length - first
            length += last - first
        parts.append([*columns, one.keys[one.at : one.at + one.n], np.full(one.n, one.index, dtype=np.int64)])
    *columns, keys, files = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(keys, kind="stable")  # files in the order named, frames in that of their file
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    facts: list[tuple[int, Fact]] = []
    begin = 0
    for one in taken:
        for at, fact in one.take_facts():
            after = int(rank[begin + one.n - 1]) + 1 if one.n else len(order)
            facts.append((int(rank[begin + at]) if at < one.n else after, fact))
        begin += one.n
    batch = Batch(0, lists)
    batch.size = batch.count = len(order)
    batch.base = -1
    window = bytearray(b"".join(chunks))
    batch.buffer = window if compiled is None else octets(window)
    ordered: list[Any] = [column[order] if compiled is not None else column[order].tolist() for column in columns]
    batch.starts, batch.ends, batch.links, batch.times, batch.numbers, batch.outgoings, batch.lengths = ordered
    return batch, sorted(facts, key=lambda pair: pair[0]), files[order], columns[4][order]


class _Runs:
    """Which frames come from which file: where the files change places, and by how much their numbers differ."""

    def __init__(self) -> None:
        self._first: list[int] = []
        self._of: list[tuple[int, int]] = []
        self._full_from: int | None = None

    def add(self, numbers: NDArray[np.int64], files: NDArray[np.int64], originals: NDArray[np.int64]) -> None:
        """Keep account of frames, in order; `files` has one value for each, or one for all."""
        import numpy as np

        if not len(numbers) or self._full_from is not None:
            return
        both = np.stack([np.broadcast_to(files, numbers.shape), originals - numbers])
        changes = np.flatnonzero((both[:, 1:] != both[:, :-1]).any(axis=0)) + 1
        for i in (0, *changes.tolist()):
            run = int(both[0, i]), int(both[1, i])
            if len(self._first) >= _MOST_RUNS:
                self._full_from = int(numbers[i])
                return
            if not self._of or run != self._of[-1]:
                self._first.append(int(numbers[i]))
                self._of.append(run)

    def find(self, number: int) -> tuple[int, int] | None:
        """The file that a frame is from, and its number there."""
        i = bisect_right(self._first, number) - 1
        if i < 0 or (self._full_from is not None and number >= self._full_from):
            return None
        file, difference = self._of[i]
        return file, number + difference
