"""One direction of a TCP connection in order: segments in as captured, pieces and holes out (RFC 9293 3.4)."""

from __future__ import annotations

from collections.abc import Iterator

# How much may wait behind a hole, and how long (a lost segment is repeated within seconds: RFC 6298 2).
SEGMENTS_LIMIT = 64
BYTES_LIMIT = 128 * 1024
WAIT_NS = 10_000_000_000
_HALF, _WHOLE = 1 << 31, 1 << 32

# A piece in order: bytes missing before it, its length on the wire, its data as captured, its time.
Piece = tuple[int, int, bytes, int]


class Direction:
    """The segments of one side. Holes are waited for within bounds, then told."""

    __slots__ = ("_bytes", "_next", "_waiting")

    def __init__(self) -> None:
        self._next = 0
        self._waiting: dict[int, tuple[int, bytes, int]] = {}  # by position: length, data, time
        self._bytes = 0

    @property
    def holed(self) -> bool:
        """Something is waiting behind a hole."""
        return bool(self._waiting)

    def segment(self, offset: int, length: int, data: bytes, time_ns: int) -> Iterator[Piece]:
        """What is in order now that this segment has come. `offset` counts modulo 2^32."""
        ahead = (offset - self._next + _HALF) % _WHOLE - _HALF
        if ahead > 0:
            self._wait(self._next + ahead, length, data, time_ns)
            if self._late(time_ns):
                yield from self._over_the_hole()
            return
        if length + ahead <= 0:
            return  # nothing new
        self._next += length + ahead
        yield 0, length + ahead, data[-ahead:length], time_ns
        if self._waiting:
            yield from self._in_order()

    def finish(self) -> Iterator[Piece]:
        """No hole is filled any more."""
        while self._waiting:
            yield from self._over_the_hole()

    def _wait(self, at: int, length: int, data: bytes, time_ns: int) -> None:
        known = self._waiting.get(at)
        if known is not None:
            if known[0] >= length:
                return
            self._bytes -= len(known[1])
        self._waiting[at] = (length, data[:length], time_ns)
        self._bytes += min(len(data), length)

    def _late(self, now_ns: int) -> bool:
        if len(self._waiting) > SEGMENTS_LIMIT or self._bytes > BYTES_LIMIT:
            return True
        first = next(iter(self._waiting.values()))
        return now_ns - first[2] > WAIT_NS

    def _over_the_hole(self) -> Iterator[Piece]:
        at = min(self._waiting)
        missing, self._next = at - self._next, at
        yield from self._in_order(missing)

    def _in_order(self, missing: int = 0) -> Iterator[Piece]:
        """What is waiting and fits now."""
        while self._waiting:
            at = min(self._waiting)
            if at > self._next:
                return
            length, data, time_ns = self._waiting.pop(at)
            self._bytes -= len(data)
            known = self._next - at
            if length > known:
                self._next = at + length
                yield missing, length - known, data[known:], time_ns
                missing = 0
