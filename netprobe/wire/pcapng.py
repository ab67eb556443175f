"""Reads the pcapng format: sections of either byte order, several interfaces, all packet blocks
(draft-ietf-opsawg-pcapng).

House rules of this file:
1. A generator of records that never raises anything of its own but OSError, from the disk.
2. A block that can't be understood but has an end is passed over, and told; one without ends the reading.
3. What Wireshark counts as a frame takes a number here too, even where it gives no record: a journal entry of
   another program.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from netprobe.model import Frame, Record
from netprobe.wire import facts
from netprobe.wire.blocks import LARGEST_PACKET, ByteStream, Damage, Notes, TruncatedError, bounded
from netprobe.wire.direction import outgoing
from netprobe.wire.writer import (
    COMMENT,
    ENHANCED_PACKET,
    INTERFACE,
    INTERFACE_STATISTICS,
    JOURNAL_ENTRY,
    PACKET,
    SECTION_HEADER,
    SIMPLE_PACKET,
)

MAGIC = b"\x0a\x0d\x0d\x0a"
_LARGEST_BLOCK = 1 << 24  # INITIAL_MAX_BLOCK_SIZE of libpcap
_MOST_INTERFACES = 1 << 16
_COUNTED = frozenset({0xBAD, 0x40000BAD, 0x204, 0x216, 0x221})  # custom blocks and sysdig events (tshark 4.0)
_DIRECTIONS = {0: None, 1: False, 2: True, 3: None}


class _Interface:
    """What an interface description says of its packets."""

    __slots__ = ("denominator", "link_type", "name", "numerator", "offset_ns", "snap")

    def __init__(self, link_type: int, snap: int, options: list[tuple[int, bytes]], order: str) -> None:
        self.link_type = link_type
        self.snap = snap
        self.name: str | None = None
        self.numerator, self.denominator = 1000, 1  # a time unit in nanoseconds
        self.offset_ns = 0
        for code, value in options:
            if code == 2:
                self.name = _text(value)
            elif code == 9 and value:
                exponent = value[0] & 0x7F
                self.numerator, self.denominator = 1_000_000_000, (2 if value[0] & 0x80 else 10) ** exponent
            elif code == 14 and len(value) == 8:
                self.offset_ns = struct.unpack(f"{order}q", value)[0] * 1_000_000_000

    def time_ns(self, high: int, low: int) -> int:
        return bounded((high << 32 | low) * self.numerator // self.denominator + self.offset_ns)


def read(stream: ByteStream, notes: Notes) -> Iterator[Record]:
    """The records of a file that begins with MAGIC."""
    reading = _Reading(notes)
    while stream.peek(1):
        at = stream.offset
        try:
            kind, body = _block(stream, reading)
        except TruncatedError:
            if at == 0:
                notes.damage.append(Damage(0, "the file ends within its header"))
            else:
                notes.damage.append(
                    Damage(at, "the last block is cut off; the file was copied while it was written?", notice=True)
                )
            return
        except _BrokenError as broken:
            notes.damage.append(Damage(at, f"{broken}; reading ends here"))
            return
        try:
            record = reading.block(kind, body)
        except (struct.error, _BrokenError) as broken:
            notes.damage.append(Damage(at, f"{broken}; this block is passed over"))
            continue
        if record is not None:
            yield record


class _BrokenError(Exception):
    """A block contradicts itself; the message says how."""


def _block(stream: ByteStream, reading: _Reading) -> tuple[int, bytes]:
    """The next block: its type and its body."""
    if stream.peek(4) == MAGIC:
        head = stream.peek(12)
        if len(head) < 12:
            raise TruncatedError
        if head[8:] not in (b"\x4d\x3c\x2b\x1a", b"\x1a\x2b\x3c\x4d"):
            raise _BrokenError(f"a section begins with an unknown byte order mark {head[8:].hex()}")
        reading.order = "<" if head[8] == 0x4D else ">"
    kind, length = struct.unpack(f"{reading.order}II", stream.read(8))
    if length < 12 or length > _LARGEST_BLOCK or (kind == SECTION_HEADER and length < 28):
        raise _BrokenError(f"a block of {length} bytes is impossible")
    padded = (length + 3) & ~3
    body = stream.read(padded - 12)
    (again,) = struct.unpack(f"{reading.order}I", stream.read(4))
    if again != length:
        raise _BrokenError(f"a block of {length} bytes says {again} at its end")
    return kind, body


class _Reading:
    """Where the reading stands: byte order, interfaces of this section, frames counted."""

    def __init__(self, notes: Notes) -> None:
        self.order = "<"
        self._notes = notes
        self._interfaces: list[_Interface] = []
        self._number = 0

    def block(self, kind: int, body: bytes) -> Record | None:
        """The record of a block, None for one that holds none; struct.error or _BrokenError when it is too short or
        wrong."""
        if kind == ENHANCED_PACKET:
            return self._enhanced(body)
        if kind == JOURNAL_ENTRY:
            self._number += 1
            return _fact(body, self._number)
        if kind == SIMPLE_PACKET:
            return self._simple(body)
        if kind == PACKET:
            return self._old(body)
        if kind in _COUNTED:
            self._number += 1
        elif kind == INTERFACE:
            self._add_interface(body)
        elif kind == SECTION_HEADER:
            self._section(body)
        elif kind == INTERFACE_STATISTICS:
            self._statistics(body)
        return None

    def _section(self, body: bytes) -> None:
        (major,) = struct.unpack_from(f"{self.order}H", body, 4)
        self._interfaces = []
        if major != 1:
            raise _BrokenError(f"a section of version {major}, which this program doesn't know")
        self._notes.about += [_text(value) for code, value in self._options(body, 16) if code == COMMENT]

    def _add_interface(self, body: bytes) -> None:
        link_type, _, snap = struct.unpack_from(f"{self.order}HHI", body)
        if len(self._interfaces) >= _MOST_INTERFACES:
            raise _BrokenError(f"more than {_MOST_INTERFACES} interfaces")
        self._interfaces.append(_Interface(link_type, snap, self._options(body, 8), self.order))

    def _interface(self, index: int) -> _Interface:
        if index >= len(self._interfaces):
            raise _BrokenError(f"a packet of interface {index}, which isn't described")
        return self._interfaces[index]

    def _enhanced(self, body: bytes) -> Frame:
        index, high, low, captured, length = struct.unpack_from(f"{self.order}IIIII", body)
        return self._packet(index, high, low, captured, length, body, 20)

    def _old(self, body: bytes) -> Frame:
        index, _, high, low, captured, length = struct.unpack_from(f"{self.order}HHIIII", body)
        return self._packet(index, high, low, captured, length, body, 20)

    def _packet(self, index: int, high: int, low: int, captured: int, length: int, body: bytes, at: int) -> Frame:
        interface = self._interface(index)
        if captured > len(body) - at or captured > LARGEST_PACKET:
            raise _BrokenError(f"a packet of {captured} bytes in a block with room for {len(body) - at}")
        self._number += 1
        data = body[at : at + captured]
        way = outgoing(interface.link_type, data)
        for code, value in self._options(body, at + ((captured + 3) & ~3)):
            if code == 2 and len(value) == 4:
                way = _DIRECTIONS[struct.unpack(f"{self.order}I", value)[0] & 3]
            elif code == COMMENT:
                self._notes.comments.setdefault(self._number, []).append(_text(value))
        time_ns = interface.time_ns(high, low)
        return Frame(self._number, time_ns, interface.link_type, data, max(length, captured), way, interface.name)

    def _simple(self, body: bytes) -> Frame:
        """A simple packet has no time: 0 stands for it, as in Wireshark."""
        (length,) = struct.unpack_from(f"{self.order}I", body)
        interface = self._interface(0)
        captured = min(length, interface.snap or length)
        if captured > len(body) - 4 or captured > LARGEST_PACKET:
            raise _BrokenError(f"a packet of {captured} bytes in a block with room for {len(body) - 4}")
        self._number += 1
        data = body[4 : 4 + captured]
        return Frame(
            self._number, 0, interface.link_type, data, length, outgoing(interface.link_type, data), interface.name
        )

    def _statistics(self, body: bytes) -> None:
        for code, value in self._options(body, 12):
            if code == 5 and len(value) == 8:
                self._notes.dropped += int(struct.unpack(f"{self.order}Q", value)[0])

    def _options(self, body: bytes, at: int) -> list[tuple[int, bytes]]:
        found = []
        while at + 4 <= len(body):
            code, length = struct.unpack_from(f"{self.order}HH", body, at)
            at += 4
            if code == 0 or at + length > len(body):
                break
            found.append((code, body[at : at + length]))
            at += (length + 3) & ~3
        return found


def _fact(body: bytes, number: int) -> Record | None:
    """The fact of a journal entry of ours; None for another program's."""
    for line in body.split(b"\n"):
        if line.startswith(b"NETPROBE_FACT="):
            return facts.load(line[14:].decode("utf-8", "replace"), number)
    return None


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode("utf-8", "replace")
