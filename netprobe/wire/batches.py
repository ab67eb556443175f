"""The frames of a capture file in batches: positions in a window of the file, as the tracker's loop wants them.

House rules of this file:
1. The loops of index.py take what is plain, the readings of pcap.py and pcapng.py everything else, one block at a time.
2. A batch never waits for more of a pipe than has come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableSequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from netprobe.model import Fact, Frame
from netprobe.wire import pcap, pcapng
from netprobe.wire.blocks import ByteStream, EndError
from netprobe.wire.index import AT, BLANKS, BROKEN, COUNT, FULL, MORE, NUMBER, STATE, WHY

Loop = Callable[..., None]
Compile = Callable[[Loop], Loop]


class Batch:
    """Frames 0..count-1, frame i being buffer[starts[i]:ends[i]]. **Valid until the next batch is asked for**: window
    and columns are used again.

    `links` are LINKTYPE_ numbers, `times` nanoseconds since the epoch, `numbers` Wireshark's frame numbers,
    `outgoings` 1 for sent, 0 for received, -1 for unknown, `lengths` those on the wire. `facts` are the facts among
    the frames: (i, fact) stands before frame i. `base` is the offset in the file (in what it unpacks to, where it is
    compressed) of buffer[0]; -1 where several files are merged.

    Interpreted, `buffer` is a bytearray and the columns are lists; compiled, NumPy arrays of uint8 and int64.
    """

    __slots__ = (
        *("base", "buffer", "count", "ends", "facts", "lengths", "links", "numbers", "outgoings", "size", "starts"),
        "times",
    )

    def __init__(self, size: int, column: Callable[[int], MutableSequence[int]]) -> None:
        self.size = size
        self.count = 0
        self.base = 0
        self.buffer: Any = b""
        self.starts = column(size)
        self.ends = column(size)
        self.links = column(size)
        self.times = column(size)
        self.numbers = column(size)
        self.outgoings = column(size)
        self.lengths = column(size)
        self.facts: list[tuple[int, Fact]] = []

    @property
    def columns(self) -> tuple[MutableSequence[int], ...]:
        """In the order in which the loops of index.py take them."""
        return self.starts, self.ends, self.links, self.times, self.numbers, self.outgoings, self.lengths

    def frame(self, i: int) -> Frame:
        """Frame `i` as a record of its own, which outlives the batch."""
        way = int(self.outgoings[i])
        return Frame(
            int(self.numbers[i]),
            int(self.times[i]),
            int(self.links[i]),
            bytes(self.buffer[self.starts[i] : self.ends[i]]),
            int(self.lengths[i]),
            None if way < 0 else bool(way),
        )

    def append(self, frame: Frame, start: int) -> None:
        """Add a frame that was taken without the loop; its data stand at `start` in the buffer."""
        i = self.count
        self.starts[i] = start
        self.ends[i] = start + len(frame.data)
        self.links[i] = frame.link_type
        self.times[i] = frame.time_ns
        self.numbers[i] = frame.number
        self.outgoings[i] = -1 if frame.outgoing is None else int(frame.outgoing)
        self.lengths[i] = frame.length
        self.count = i + 1


def batches(
    stream: ByteStream, reading: pcap.Reading | pcapng.Reading, size: int, compiled: Compile | None
) -> Iterator[Batch]:
    """Every frame and fact of `stream`, in order, at most `size` frames or facts at a time. Compiled, each stays valid
    while the next is made."""
    columns = lists if compiled is None else arrays
    loop = reading.loop if compiled is None else compiled(reading.loop)
    batch = Batch(size, columns)
    other = batch if compiled is None else Batch(size, columns)
    state = columns(STATE)
    window: Any = None
    view: Any = None
    table = _Table()
    while True:
        if window is not stream.buffer:
            window = stream.buffer
            view = window if compiled is None else octets(window)
        batch.buffer = view
        batch.base = stream.base
        why = MORE
        if reading.ready:
            state[AT], state[COUNT], state[NUMBER], state[BLANKS] = (
                stream.at,
                batch.count,
                reading.number,
                reading.blanks,
            )
            arguments = reading.arguments()
            if compiled is not None:
                arguments = tuple(table.of(one) if isinstance(one, list) else one for one in arguments)
            loop(batch.buffer, stream.end, *arguments, size, *batch.columns, state)
            stream.at, batch.count, reading.number = int(state[AT]), int(state[COUNT]), int(state[NUMBER])
            reading.blanks = int(state[BLANKS])
            why = state[WHY]
        if (batch.count or batch.facts) and (why in (FULL, MORE, BROKEN) or len(batch.facts) >= size):
            yield batch
            if compiled is not None:
                stream.turn()
                batch, other = other, batch
            batch.count = 0
            batch.facts = []
            if why == FULL:
                continue
        if why == MORE and reading.ready and stream.more():
            continue
        try:
            record = reading.one()
        except EndError:
            break
        if isinstance(record, Frame):
            batch.append(record, reading.place)
        elif record is not None:
            batch.facts.append((batch.count, record))
    if batch.count or batch.facts:
        yield batch


def ahead(given: Iterator[Batch]) -> Iterator[Batch]:
    """The same batches, each made by a second thread while the one before is used."""
    with ThreadPoolExecutor(1) as thread:
        made = thread.submit(next, given, None)
        try:
            while (batch := made.result()) is not None:
                made = thread.submit(next, given, None)
                yield batch
        finally:
            made.cancel()


def lists(size: int) -> MutableSequence[int]:
    """A column of an interpreted batch."""
    return [0] * size


def arrays(size: int) -> MutableSequence[int]:
    """A column of a compiled one."""
    import numpy as np

    array: Any = np.zeros(size, dtype=np.int64)
    return array  # type: ignore[no-any-return]


def octets(window: bytearray) -> Any:
    """The buffer of a compiled one."""
    import numpy as np

    return np.frombuffer(window, dtype=np.uint8)


class _Table:
    """The interfaces' list of integers as an array that grows with it: a file may describe a hundred thousand."""

    def __init__(self) -> None:
        self._of: list[int] | None = None
        self._done = 0
        self._array: Any = None  # NumPy's, which interpreted code does without

    def of(self, numbers: list[int]) -> Any:
        """The array that begins with `numbers`, a list that is only ever appended to."""
        if self._array is None:
            self._array = arrays(64)
        if numbers is not self._of:
            self._of, self._done = numbers, 0
        if len(numbers) > len(self._array):
            grown: Any = arrays(2 * len(numbers))
            grown[: self._done] = self._array[: self._done]
            self._array = grown
        if len(numbers) > self._done:
            self._array[self._done : len(numbers)] = numbers[self._done :]
            self._done = len(numbers)
        return self._array
