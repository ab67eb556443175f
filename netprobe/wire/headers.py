"""Where the fields of a recorded packet lie, so that a packet can be read and be sent again under other numbers.

House rules of this file:
1. No byte string makes it raise: what it doesn't know is None.
2. A checksum is adjusted by what changed (RFC 1624), so that one that was wrong in the capture stays wrong.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from netprobe.model import Endpoint

TCP = 6
ICMP = {4: 1, 6: 58}
FIN, SYN, RST, ACK = 1, 2, 4, 16
MD5_OPTION = 19
_ECHOES = {4: (8, 0), 6: (128, 129)}
_ERRORS = {4: (3, 4, 5, 11, 12), 6: (1, 2, 3, 4)}
_LINK_HEADERS = {276: (20, 0), 113: (16, 14), 1: (14, 12)}  # length, place of the EtherType
_RAW_LINKS = (12, 14, 101, 228, 229)


@dataclass(frozen=True, slots=True)
class Place:
    """An IP packet within a frame: `ip` and `transport` are byte offsets, `fragment` a first fragment."""

    version: int
    ip: int
    transport: int
    protocol: int
    fragment: bool

    @property
    def checksum(self) -> int:
        """Where the transport's checksum lies."""
        return self.transport + (16 if self.protocol == TCP else 2)


def find(data: bytes, link_type: int) -> Place | None:
    """The TCP or ICMP packet of a frame; None for anything else, and for what was cut off before its first 8 bytes."""
    if link_type in _RAW_LINKS:
        return find_ip(data, 0)
    header = _LINK_HEADERS.get(link_type)
    if header is None or len(data) < header[0]:
        return None
    kind = struct.unpack_from("!H", data, header[1])[0]
    return find_ip(data, header[0]) if kind in (0x0800, 0x86DD) else None


def find_ip(data: bytes, at: int) -> Place | None:
    """The same from an IP header on."""
    if len(data) < at + 28:
        return None
    if data[at] >> 4 == 4:
        transport, fragment = at + (data[at] & 15) * 4, struct.unpack_from("!H", data, at + 6)[0]
        if fragment & 0x1FFF or transport < at + 20:
            return None
        return _placed(data, Place(4, at, transport, data[at + 9], bool(fragment & 0x2000)))
    if data[at] >> 4 != 6 or len(data) < at + 48:
        return None
    transport, following, fragmented = at + 40, data[at + 6], False
    while following in (0, 43, 44, 60) and len(data) >= transport + 8:
        if following == 44:
            offset = struct.unpack_from("!H", data, transport + 2)[0]
            if offset & 0xFFF8:
                return None
            fragmented = bool(offset & 1)
            size = 8
        else:
            size = 8 + data[transport + 1] * 8
        following, transport = data[transport], transport + size
    return _placed(data, Place(6, at, transport, following, fragmented))


def _placed(data: bytes, place: Place) -> Place | None:
    known = place.protocol in (TCP, ICMP[place.version])
    return place if known and len(data) >= place.transport + 8 else None


# --------------------------------------------------------------------------- reading


def ends(data: bytes, place: Place) -> tuple[Endpoint, Endpoint]:
    """Source and destination; the ports of ICMP are 0."""
    size, first = (4, place.ip + 12) if place.version == 4 else (16, place.ip + 8)
    family = socket.AF_INET if place.version == 4 else socket.AF_INET6
    ports = struct.unpack_from("!HH", data, place.transport) if place.protocol == TCP else (0, 0)
    return (
        Endpoint(socket.inet_ntop(family, data[first : first + size]), ports[0]),
        Endpoint(socket.inet_ntop(family, data[first + size : first + 2 * size]), ports[1]),
    )


def ttl(data: bytes, place: Place) -> int:
    """TTL or hop limit."""
    return data[place.ip + (8 if place.version == 4 else 7)]


def tos(data: bytes, place: Place) -> int:
    """TOS or traffic class."""
    if place.version == 4:
        return data[place.ip + 1]
    return int(struct.unpack_from("!H", data, place.ip)[0] >> 4 & 0xFF)


def numbers(data: bytes, place: Place) -> tuple[int, int]:
    """Sequence and acknowledgement number; of an echo, identifier and sequence number."""
    if place.protocol != TCP:
        identifier, sequence = struct.unpack_from("!HH", data, place.transport + 4)
        return identifier, sequence
    seq = struct.unpack_from("!I", data, place.transport + 4)[0]
    ack = struct.unpack_from("!I", data, place.transport + 8)[0] if len(data) >= place.transport + 12 else 0
    return seq, ack


def flags(data: bytes, place: Place) -> int:
    """TCP's flags; 0 where they were cut off."""
    return data[place.transport + 13] if place.protocol == TCP and len(data) > place.transport + 13 else 0


def options(data: bytes, place: Place) -> bytes:
    """The kinds of TCP's options, in order."""
    at, found = place.transport + 20, bytearray()
    end = min(len(data), place.transport + (data[place.transport + 12] >> 4) * 4) if len(data) >= at else at
    while at < end and data[at] != 0:
        found.append(data[at])
        if data[at] == 1:
            at += 1
        elif at + 1 < end and data[at + 1] >= 2:
            at += data[at + 1]
        else:
            break
    return bytes(found)


def payload(data: bytes, place: Place) -> bytes:
    """What TCP carries, as far as it was captured; padding of a short frame is none of it."""
    if place.protocol != TCP or len(data) < place.transport + 13:
        return b""
    if place.version == 4:
        end = place.ip + struct.unpack_from("!H", data, place.ip + 2)[0]
    else:
        end = place.ip + 40 + struct.unpack_from("!H", data, place.ip + 4)[0]
    return data[place.transport + (data[place.transport + 12] >> 4) * 4 : end]


def is_echo(data: bytes, place: Place, *, reply: bool) -> bool:
    """Whether it is an ICMP echo request, or reply."""
    return place.protocol == ICMP[place.version] and data[place.transport] == _ECHOES[place.version][reply]


def quote(data: bytes, place: Place) -> Place | None:
    """The packet that an ICMP error is about."""
    if place.protocol != ICMP[place.version] or data[place.transport] not in _ERRORS[place.version]:
        return None
    return find_ip(data, place.transport + 8)


# --------------------------------------------------------------------------- writing


def put(packet: bytearray, at: int, new: bytes, sums: Sequence[int]) -> None:
    """Write `new` (a whole number of 16-bit words) at `at`; `sums` are the places of the checksums over it, each one
    within what the next is over."""
    old = bytes(packet[at : at + len(new)])
    if len(old) < len(new) or old == new:
        return
    packet[at : at + len(new)] = new
    for n, place in enumerate(sums):
        if place + 2 <= len(packet):
            total = ~struct.unpack_from("!H", packet, place)[0] & 0xFFFF
            for (before,), (after,) in zip(struct.iter_unpack("!H", old), struct.iter_unpack("!H", new), strict=True):
                total += (~before & 0xFFFF) + after
            while total >> 16:
                total = (total & 0xFFFF) + (total >> 16)
            put(packet, place, struct.pack("!H", ~total & 0xFFFF), sums[n + 1 :])
