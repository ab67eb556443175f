"""Reads the classic pcap format: both byte orders, microseconds and nanoseconds (draft-ietf-opsawg-pcap).

House rules of this file:
1. Generators of records that never raise anything of their own but OSError, from the disk.
2. There is no way to find the next record after a damaged one: reading ends there.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from netprobe.model import Frame
from netprobe.wire.blocks import LARGEST_PACKET, ByteStream, Damage, Notes, TruncatedError, bounded
from netprobe.wire.direction import outgoing

MAGICS = {
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
    b"\xa1\xb2\x3c\x4d": (">", 1),
}


def read(stream: ByteStream, notes: Notes) -> Iterator[Frame]:
    """The frames of a file whose magic number is one of MAGICS."""
    try:
        header = stream.read(24)
    except TruncatedError:
        notes.damage.append(Damage(0, "the file ends within its header"))
        return
    order, unit_ns = MAGICS[header[:4]]
    link_type = struct.unpack_from(f"{order}I", header, 20)[0] & 0xFFFF  # above: length of the frame check sequence
    record = struct.Struct(f"{order}IIII")
    number = 0
    while stream.peek(1):
        at = stream.offset
        try:
            seconds, fraction, captured, length = record.unpack(stream.read(16))
            if captured > LARGEST_PACKET:
                notes.damage.append(Damage(at, f"a packet of {captured} bytes is impossible; reading ends here"))
                return
            data = stream.read(captured)
        except TruncatedError:
            notes.damage.append(
                Damage(at, "the last packet is cut off; the file was copied while it was written?", notice=True)
            )
            return
        number += 1
        time_ns = bounded(seconds * 1_000_000_000 + fraction * unit_ns)
        yield Frame(number, time_ns, link_type, data, max(length, captured), outgoing(link_type, data))
