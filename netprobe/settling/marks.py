"""Which rows of the table a frame of a given set belongs to: the attempts that a display filter means."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence

from netprobe.wire.tshark import Frames

Place = Callable[[int], tuple[str, int] | None]


class Marks:
    """The rows that marked frames belong to, until they settle. `frames`: those of the only file."""

    def __init__(self, frames: Frames) -> None:
        self._frames = frames
        self._rows: set[int] = set()

    def take(self, numbers: Sequence[int], first: int, last: int, touched: Sequence[int]) -> None:
        """Frames first..last-1 of a batch, with these numbers, belong to these rows."""
        if first < last:
            self._rows.update(int(touched[i]) for i in self._marked(numbers, first, last) if touched[i] >= 0)

    def choose(self, settled: Sequence[int]) -> list[int]:
        """The marked ones of settled rows; their marks are taken off."""
        chosen = [row for row in settled if row in self._rows]
        self._rows.difference_update(settled)
        return chosen

    def _marked(self, numbers: Sequence[int], first: int, last: int) -> Iterator[int]:
        for number in self._frames.between(int(numbers[first]), int(numbers[last - 1])):
            i = bisect_left(numbers, number, first, last)
            if i < last and numbers[i] == number:
                yield i


class MergedMarks(Marks):
    """The same where several files are one stream. `place`: the file that a frame of the stream comes from, and its
    number there."""

    def __init__(self, frames: Mapping[str, Frames], place: Place) -> None:
        super().__init__(Frames())
        self._of = frames
        self._place = place

    def _marked(self, numbers: Sequence[int], first: int, last: int) -> Iterator[int]:
        for i in range(first, last):
            found = self._place(int(numbers[i]))
            if found is not None and found[1] in self._of[found[0]]:
                yield i
