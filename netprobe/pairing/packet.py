"""One packet of a conversation as a side keeps it: packed into few bytes while the capture is read, a record when
conversations are compared."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import NamedTuple

from netprobe.attempts import address
from netprobe.tracker import columns as c

_FORM = struct.Struct("<qqQIIIIIIIHHBBB")
NO_CHECKSUM = 0


class Packet(NamedTuple):
    """One TCP segment. `checksum` is of its payload, NO_CHECKSUM where not all of it was captured; `options` the TCP
    options as (kind, value) in order; `there`: sent by the client."""

    frame: int
    time_ns: int
    bits: int  # O_ bits of the tracker
    ip_id: int
    flow: int
    seq: int
    ack: int
    payload: int  # bytes on the wire
    checksum: int
    length: int  # of sequence space: payload, SYN and FIN
    flags: int
    window: int
    ttl: int
    tos: int
    there: bool
    options: tuple[tuple[int, bytes], ...]

    @property
    def letters(self) -> str:
        """`SYN,ACK`."""
        names = ((c.F_SYN, "SYN"), (c.F_FIN, "FIN"), (c.F_RST, "RST"), (c.F_PSH, "PSH"), (c.F_ACK, "ACK"))
        return ",".join(name for bit, name in names if self.flags & bit) or "no flags"

    @property
    def what(self) -> str:
        """`PSH,ACK 21 bytes`."""
        return self.letters + (f" {self.payload} bytes" if self.payload else "")

    @property
    def timestamp(self) -> bytes | None:
        """TSval of RFC 7323: a retransmission has another one."""
        return next((value[:4] for kind, value in self.options if kind == 8 and len(value) == 8), None)

    @property
    def opens(self) -> bool:
        """A SYN that nothing was answered to."""
        return self.flags & (c.F_SYN | c.F_ACK) == c.F_SYN


class IcmpError(NamedTuple):
    """One ICMP error that quotes the conversation."""

    frame: int
    time_ns: int
    version: int
    type: int
    code: int
    sender: str
    quoted_seq: int
    ttl: int
    tos: int
    there: bool


def pack(d: Sequence[int], frame: int, time_ns: int, there: bool, data: bytes) -> bytes:
    """A decoded segment (columns D_*) of the frame `data`."""
    at = d[c.D_OFFSET]
    flags = d[c.D_FLAGS] & 0xFF
    payload = d[c.D_PAYLOAD]
    length = payload + (flags & c.F_SYN != 0) + (flags & c.F_FIN != 0)
    seen = data[at : at + payload]
    checksum = (zlib.crc32(seen) or 1) if payload and len(seen) == payload else NO_CHECKSUM
    head = _FORM.pack(
        frame,
        time_ns,
        d[c.D_OPTIONS],
        d[c.D_IP_ID],
        d[c.D_FLOW],
        d[c.D_SEQ],
        d[c.D_ACK],
        payload,
        checksum,
        length,
        flags,
        d[c.D_WINDOW],
        d[c.D_TTL],
        d[c.D_TOS],
        there,
    )
    return head + _option_octets(d, data, at)


def unpack(packed: bytes) -> Packet:
    """The record again."""
    fields = _FORM.unpack_from(packed)
    return Packet._make((*fields[:-1], bool(fields[-1]), tuple(_options(packed[_FORM.size :]))))


def icmp_error(d: Sequence[int], frame: int, time_ns: int, there: bool) -> IcmpError:
    """A decoded ICMP error."""
    version = d[c.D_VERSION]
    sender = address([int(word) for word in d[c.D_SRC : c.D_SRC + 4]], version)
    return IcmpError(
        frame, time_ns, version, d[c.D_TYPE], d[c.D_CODE], sender, d[c.D_Q_SEQ], d[c.D_TTL], d[c.D_TOS], there
    )


def _option_octets(d: Sequence[int], data: bytes, end: int) -> bytes:
    """The bytes of the TCP options, which end where the payload begins: the header before them has these ports and this
    number, and says how long it is."""
    head = struct.pack("!HHI", d[c.D_SPORT], d[c.D_DPORT], d[c.D_SEQ])
    for size in range(20, 64, 4):
        at = end - size
        if at < 0:
            break
        if data[at : at + 8] == head and len(data) > at + 12 and data[at + 12] >> 4 == size // 4:
            return data[at + 20 : end]
    return b""


def _options(octets: bytes) -> list[tuple[int, bytes]]:
    """TCP options up to the first that can't be right, without padding."""
    found = []
    at = 0
    while at < len(octets) and octets[at] != 0:
        if octets[at] == 1:
            at += 1
            continue
        size = octets[at + 1] if at + 1 < len(octets) else 0
        if size < 2 or at + size > len(octets):
            break
        found.append((octets[at], octets[at + 2 : at + size]))
        at += size
    return found
