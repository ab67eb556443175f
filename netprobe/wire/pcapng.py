"""Reads the pcapng format: sections of either byte order, several interfaces, all packet blocks
(draft-ietf-opsawg-pcapng).

House rules of this file:
1. `one` never raises anything but EndError.
2. A block that can't be understood but has an end is passed over, and told; one without ends the reading.
3. What Wireshark counts as a frame takes a number here too, even where it gives no record: a journal entry of
   another program.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, ClassVar

from netprobe.model import Frame, Record
from netprobe.wire import facts
from netprobe.wire.blocks import (
    LARGEST_BLOCK,
    LARGEST_PACKET,
    LARGEST_TIME_NS,
    ByteStream,
    EndError,
    Notes,
    TruncatedError,
    bounded,
)
from netprobe.wire.direction import outgoing
from netprobe.wire.index import MOST_OPTIONS, index_pcapng
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
_MOST_INTERFACES = 1 << 17
_LARGEST_NAME = 255
_LARGEST_FACT = 1 << 20
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
                self.name = _text(value[:_LARGEST_NAME])
            elif code == 9 and value:
                exponent = value[0] & 0x7F
                self.numerator, self.denominator = 1_000_000_000, (2 if value[0] & 0x80 else 10) ** exponent
            elif code == 14 and len(value) == 8:
                self.offset_ns = struct.unpack(f"{order}q", value)[0] * 1_000_000_000

    def row(self) -> list[int]:
        """What the loop of index.py needs: exact as `time_ns`, within 64 bits."""
        most, times, per, shift = -1, 0, 1, 0
        room = LARGEST_TIME_NS - max(self.offset_ns, 0)
        if abs(self.offset_ns) > LARGEST_TIME_NS // 2 or self.denominator >= 1 << 63:
            pass  # such files don't come from any clock: each packet the slow way
        elif self.numerator == 1000 or self.denominator == 1:
            times = self.numerator
            most = room // times
        elif self.denominator % 2 == 0 and self.denominator & (self.denominator - 1) == 0:
            shift = self.denominator.bit_length() - 1
            most = -1 if shift > 33 else min(((room // 1_000_000_000 - 1) << shift), LARGEST_TIME_NS)
        elif self.denominator >= 1_000_000_000:
            times, per = 1, self.denominator // 1_000_000_000
            most = room
        else:
            times = 1_000_000_000 // self.denominator
            most = room // times
        return [self.link_type, self.snap, most, times, per, shift, self.offset_ns if most >= 0 else 0]

    def time_ns(self, high: int, low: int) -> int:
        return bounded((high << 32 | low) * self.numerator // self.denominator + self.offset_ns)


class _BrokenError(Exception):
    """A block contradicts itself; the message says how."""


class Reading:
    """A file that begins with MAGIC, block by block: byte order, interfaces of this section, frames counted."""

    loop: ClassVar[Callable[..., None]] = staticmethod(index_pcapng)

    def __init__(self, stream: ByteStream, notes: Notes) -> None:
        self._stream = stream
        self._notes = notes
        self.number = 0
        self.blanks = 0  # as of pcap's reading; a block of zeros is none
        self.place = 0  # where the data of the last frame stand in the stream's buffer
        self.order = "<"
        self._sections = 0
        self._interfaces: list[_Interface] = []
        self._rows: list[int] = []

    def one(self) -> Record | None:
        """The record of the next block, None for one that holds none. EndError when there is no next block."""
        at = self._stream.offset
        if not self._stream.fill(1):
            raise self._notes.ended(self._stream, at)
        try:
            kind, body = self._block()
        except TruncatedError:
            if at == 0:
                raise self._notes.ended(self._stream, 0, "the file ends within its header", damage=True) from None
            raise self._notes.ended(self._stream, at, "the last block is cut off") from None
        except _BrokenError as broken:
            self._notes.damaged(at, f"{broken}; reading ends here")
            raise EndError from None
        try:
            return self._record(kind, body)
        except (struct.error, _BrokenError) as broken:
            self._notes.damaged(at, f"{broken}; this block is passed over")
            return None

    @property
    def ready(self) -> bool:
        """Whether `loop` may be used from here on."""
        return self._sections > 0

    def arguments(self) -> tuple[Any, ...]:
        """What `loop` wants to know between the window and the columns."""
        return int(self.order == ">"), self._rows, len(self._interfaces)

    @property
    def known(self) -> tuple[str | int, ...]:
        """What was read besides packets: all that later ones depend on."""
        return self.order, self._sections, len(self._interfaces)

    def continue_with(self, stream: ByteStream) -> None:
        """The blocks go on there, under the same section where one has begun."""
        self._stream = stream

    def _block(self) -> tuple[int, bytes]:
        """The next block: its type and its body."""
        stream = self._stream
        head = stream.peek(12)
        if head[:4] == MAGIC:
            if len(head) < 12:
                raise TruncatedError
            if head[8:] not in (b"\x4d\x3c\x2b\x1a", b"\x1a\x2b\x3c\x4d"):
                raise _BrokenError(f"a section begins with an unknown byte order mark {head[8:].hex()}")
            self.order = "<" if head[8] == 0x4D else ">"
        if len(head) < 8:
            raise TruncatedError
        kind, length = struct.unpack_from(f"{self.order}II", head)
        if length < 12 or length > LARGEST_BLOCK or (kind == SECTION_HEADER and length < 28):
            raise _BrokenError(f"a block of {length} bytes is impossible")
        block = stream.read((length + 3) & ~3)
        body = block[8:-4]
        (again,) = struct.unpack_from(f"{self.order}I", block, len(block) - 4)
        if again != length:
            raise _BrokenError(f"a block of {length} bytes says {again} at its end")
        self.place = stream.at - 4 - len(body)
        return kind, body

    def _record(self, kind: int, body: bytes) -> Record | None:
        """The record of a block, None for one that holds none; struct.error or _BrokenError when it is too short or
        wrong."""
        if kind == ENHANCED_PACKET:
            return self._enhanced(body)
        if kind == JOURNAL_ENTRY:
            self.number += 1
            return _fact(body, self.number)
        if kind == SIMPLE_PACKET:
            return self._simple(body)
        if kind == PACKET:
            return self._old(body)
        if kind in _COUNTED:
            self.number += 1
        elif kind == INTERFACE:
            self._add_interface(body)
        elif kind == SECTION_HEADER:
            self._section(body)
        elif kind == INTERFACE_STATISTICS:
            self._statistics(body)
        return None

    def _section(self, body: bytes) -> None:
        (major,) = struct.unpack_from(f"{self.order}H", body, 4)
        self._sections += 1
        self._interfaces = []
        self._rows = []
        if major != 1:
            raise _BrokenError(f"a section of version {major}, which this program doesn't know")
        for code, value in self._options(body, 16):
            if code == COMMENT:
                self._notes.title(_text(value))

    def _add_interface(self, body: bytes) -> None:
        link_type, _, snap = struct.unpack_from(f"{self.order}HHI", body)
        if len(self._interfaces) >= _MOST_INTERFACES:
            raise _BrokenError(f"more than {_MOST_INTERFACES} interfaces")
        interface = _Interface(link_type, snap, self._options(body, 8), self.order)
        self._interfaces.append(interface)
        self._rows += interface.row()

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
        self.number += 1
        data = body[at : at + captured]
        self.place += at
        way = outgoing(interface.link_type, data)
        for code, value in self._options(body, at + ((captured + 3) & ~3)):
            if code == 2 and len(value) == 4:
                way = _DIRECTIONS[struct.unpack(f"{self.order}I", value)[0] & 3]
            elif code == COMMENT:
                self._notes.comment(self.number, _text(value))
        time_ns = interface.time_ns(high, low)
        return Frame(self.number, time_ns, interface.link_type, data, max(length, captured), way, interface.name)

    def _simple(self, body: bytes) -> Frame:
        """A simple packet has no time: 0 stands for it, as in Wireshark."""
        (length,) = struct.unpack_from(f"{self.order}I", body)
        interface = self._interface(0)
        captured = min(length, interface.snap or length)
        if captured > len(body) - 4 or captured > LARGEST_PACKET:
            raise _BrokenError(f"a packet of {captured} bytes in a block with room for {len(body) - 4}")
        self.number += 1
        data = body[4 : 4 + captured]
        self.place += 4
        return Frame(
            self.number, 0, interface.link_type, data, length, outgoing(interface.link_type, data), interface.name
        )

    def _statistics(self, body: bytes) -> None:
        """Counters of one interface since its capture began: of several blocks the last one counts."""
        (index,) = struct.unpack_from(f"{self.order}I", body)
        for code, value in self._options(body, 12):
            if code == 5 and len(value) == 8 and index < len(self._interfaces):  # isb_ifdrop
                self._notes.drops[self._sections, index] = int(struct.unpack(f"{self.order}Q", value)[0])

    def _options(self, body: bytes, at: int) -> list[tuple[int, bytes]]:
        found: list[tuple[int, bytes]] = []
        while at + 4 <= len(body) and len(found) < MOST_OPTIONS:
            code, length = struct.unpack_from(f"{self.order}HH", body, at)
            at += 4
            if code == 0 or at + length > len(body):
                break
            found.append((code, body[at : at + length]))
            at += (length + 3) & ~3
        return found


def _fact(body: bytes, number: int) -> Record | None:
    """The fact of a journal entry of ours; None for another program's."""
    _, _, rest = (b"\n" + body).partition(b"\nNETPROBE_FACT=")
    text = rest.partition(b"\n")[0]
    if not text or len(text) > _LARGEST_FACT:
        return None
    fact = facts.load(text.decode("utf-8", "replace"), number)
    return fact if fact is not None and facts.plausible(fact) else None


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode("utf-8", "replace")
