"""Reads the classic pcap format: both byte orders, microseconds and nanoseconds (draft-ietf-opsawg-pcap), and the
"modified" one of Alexey Kuznetzov's patched libpcap, whose record headers are eight bytes longer.

House rules of this file:
1. `one` never raises anything but EndError.
2. There is no way to find the next record after a damaged one: reading ends there.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, ClassVar

from netprobe.model import Frame
from netprobe.wire.blocks import LARGEST_PACKET, ByteStream, EndError, Notes, TruncatedError, bounded
from netprobe.wire.direction import outgoing
from netprobe.wire.index import MOST_BLANKS, index_pcap

MAGICS = {
    # the first four bytes: (byte order, a time unit in nanoseconds, length of a record's header)
    b"\xd4\xc3\xb2\xa1": ("<", 1000, 16),
    b"\xa1\xb2\xc3\xd4": (">", 1000, 16),
    b"\x4d\x3c\xb2\xa1": ("<", 1, 16),
    b"\xa1\xb2\x3c\x4d": (">", 1, 16),
    b"\x34\xcd\xb2\xa1": ("<", 1000, 24),
    b"\xa1\xb2\xcd\x34": (">", 1000, 24),
}


class Reading:
    """A file whose magic number is one of MAGICS, record by record."""

    loop: ClassVar[Callable[..., None]] = staticmethod(index_pcap)

    def __init__(self, stream: ByteStream, notes: Notes) -> None:
        self._stream = stream
        self._notes = notes
        self.number = 0
        self.blanks = 0  # records of nothing but zeros that came last
        self.place = 0  # where the data of the last frame stand in the stream's buffer
        self._begun = False
        self._link_type = 0
        order, self._unit_ns, self._head = MAGICS[stream.peek(4)]
        self._big = int(order == ">")
        self._record = struct.Struct(f"{order}IIII")

    def one(self) -> Frame | None:
        """The next record; None for the file's header. EndError when there is none."""
        if not self._begun:
            self._header()
            return None
        at = self._stream.offset
        if not self._stream.peek(1):
            raise self._notes.ended(self._stream, at)
        try:
            seconds, fraction, captured, length = self._record.unpack_from(self._stream.read(self._head))
            if captured > LARGEST_PACKET:
                self._notes.damaged(at, f"a packet of {captured} bytes is impossible; reading ends here")
                raise EndError
            if seconds == fraction == captured == length == 0:
                if self.blanks == MOST_BLANKS:
                    self._notes.damaged(at, "nothing but zeros where packets should be; reading ends here")
                    raise EndError
                self.blanks += 1
            else:
                self.blanks = 0
            data = self._stream.read(captured)
        except TruncatedError:
            raise self._notes.ended(self._stream, at, "the last packet is cut off") from None
        self.place = self._stream.at - captured
        self.number += 1
        time_ns = bounded(seconds * 1_000_000_000 + fraction * self._unit_ns)
        way = outgoing(self._link_type, data)
        return Frame(self.number, time_ns, self._link_type, data, max(length, captured), way)

    @property
    def ready(self) -> bool:
        """Whether `loop` may be used from here on."""
        return self._begun

    def arguments(self) -> tuple[Any, ...]:
        """What `loop` wants to know between the window and the columns."""
        return self._big, self._head, self._unit_ns, self._link_type

    @property
    def known(self) -> tuple[str | int, ...]:
        """What was read besides packets: all that later ones depend on."""
        return ("<>"[self._big], self._link_type)

    def continue_with(self, stream: ByteStream) -> None:
        """The records go on there, under the same header where it has been read."""
        self._stream = stream

    def _header(self) -> None:
        try:
            header = self._stream.read(24)
        except TruncatedError:
            raise self._notes.ended(self._stream, 0, "the file ends within its header", damage=True) from None
        # Above the link type stands the length of the frame check sequence.
        self._link_type = int.from_bytes(header[20:24], "big" if self._big else "little") & 0xFFFF
        self._begun = True
