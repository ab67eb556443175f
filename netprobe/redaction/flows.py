"""The TCP streams of a capture: each direction's bytes put in order, and what stays of them found again by their place.

House rules of this file:
1. Read twice: `note` takes each segment of the first reading, `stays` answers in the second.
2. Memory: what is kept of a direction is bounded (netprobe.redaction.streams); what waits behind a hole, too.
"""

from __future__ import annotations

from netprobe.redaction.packets import Segment
from netprobe.redaction.streams import Direction, Pseudonym, joined
from netprobe.ssh import reassembly

_SYN, _ACK, _RST = 2, 16, 4
_HALF, _WHOLE = 1 << 31, 1 << 32
_MOST_BASES = 8  # connections with the same addresses and ports, one after the other

Ends = tuple[bytes, bytes, int, int]


class _Side:
    """One direction of one connection, from the number of its first byte on."""

    __slots__ = ("base", "order", "stream", "told")

    def __init__(self, base: int, told: bool, pseudonym: Pseudonym) -> None:
        self.base = base
        self.told = told  # by a SYN
        self.order = reassembly.Direction()
        self.stream = Direction(pseudonym)


class Flows:
    """All connections of a capture. `pseudonym` stands for keys."""

    def __init__(self, pseudonym: Pseudonym) -> None:
        self._pseudonym = pseudonym
        self._sides: dict[Ends, list[_Side]] = {}

    def note(self, segment: Segment) -> bytes:
        """Take a segment; nothing of it stays yet."""
        source, target, sport, dport, seq, flags, length, data = segment
        ends = (source, target, sport, dport)
        if flags & _SYN and not flags & _RST:
            side = self._begin(ends, (seq + 1) % _WHOLE)
            side.stream.server = bool(flags & _ACK)
            seq = (seq + 1) % _WHOLE
        if length and not flags & _RST:
            side = self._find(ends, seq) or self._begin(ends, seq, told=False)
            offset = (seq - side.base) % _WHOLE
            for missing, size, piece, _ in side.order.segment(offset, length, data, 0):
                side.stream.feed(missing, size, piece)
        return bytes(len(data))

    def finish(self) -> None:
        """The first reading is over."""
        for sides in self._sides.values():
            for side in sides:
                for missing, size, piece, _ in side.order.finish():
                    side.stream.feed(missing, size, piece)
                side.stream.finish()

    def stays(self, segment: Segment) -> bytes:
        """What stays of a segment's payload."""
        source, target, sport, dport, seq, flags, length, data = segment
        if not data or not length or flags & _RST:
            return bytes(len(data))
        seq = (seq + 1) % _WHOLE if flags & _SYN else seq
        side = self._find((source, target, sport, dport), seq)
        if side is None:
            return bytes(len(data))
        offset = (seq - side.base + _HALF) % _WHOLE - _HALF
        if offset < 0:  # a keep-alive sends the last byte again
            return bytes(len(data)) if -offset >= len(data) else bytes(-offset) + side.stream.kept.read(
                0, len(data) + offset
            )  # fmt: skip
        return side.stream.kept.read(offset, len(data))

    def _find(self, ends: Ends, seq: int) -> _Side | None:
        """The connection whose first number is next to this one."""
        sides = self._sides.get(ends, ())
        return min(sides, key=lambda side: abs((seq - side.base + _HALF) % _WHOLE - _HALF), default=None)

    def _begin(self, ends: Ends, base: int, *, told: bool = True) -> _Side:
        sides = self._sides.setdefault(ends, [])
        for side in sides:
            if side.base == base:
                return side
        if len(sides) >= _MOST_BASES:
            del sides[0]
        side = _Side(base, told, self._pseudonym)
        if not told:
            side.stream.server = ends[2] < ends[3]
        sides.append(side)
        source, target, sport, dport = ends
        others = self._sides.get((target, source, dport, sport))
        if others:
            other = others[-1].stream
            if told or not others[-1].told:
                server = side.stream
                joined(other, server)
            else:
                client, server = (other, side.stream) if not other.server else (side.stream, other)
                joined(client, server)
        return side
