"""SYNs in bulk: one packet that scapy made, and each target's fields stamped into copies of it by array operations.

House rules of this file:
1. The bytes are those of wire.templates.fill for the same probe; a test holds both equal.
2. Source port and initial sequence number are a keyed function of address and port: whoever answers proves to have seen
   the SYN, and no table of outstanding SYNs is needed. A repeated SYN has the same numbers, as a kernel's has.
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from netprobe.attempts import words as address_words
from netprobe.model import Endpoint, Probe, Shape
from netprobe.prober import FIRST_SOURCE_PORT, MARK, SOURCE_PORTS
from netprobe.sweep.keyed import siphash
from netprobe.wire import templates

Words = NDArray[np.uint64]
Octets = NDArray[np.uint8]

# So many at a time stay in a processor's cache.
AT_ONCE = 4096
_HEADER = {4: 20, 6: 40}


class Numbers:
    """Source port and initial sequence number of the SYN to each address and port. `source_port`: always this one."""

    def __init__(self, secret: bytes, version: int, source_port: int | None = None) -> None:
        self._secret = secret
        self._version = version
        self._source_port = source_port

    def of(self, high: Words, low: Words, ports: Words) -> tuple[Words, Words, Words]:
        """Source ports, sequence numbers, and 16 more bits that nobody has to know."""
        if self._version == 4:
            digest = siphash(self._secret, [low << np.uint64(16) | ports])
        else:
            digest = siphash(self._secret, [high, low, ports])
        source = (digest & np.uint64(0xFFFF)) * np.uint64(SOURCE_PORTS) >> np.uint64(16)
        source += np.uint64(FIRST_SOURCE_PORT)
        if self._source_port is not None:
            source = np.full(len(low), self._source_port, dtype=np.uint64)
        return source, digest >> np.uint64(32), digest >> np.uint64(16) & np.uint64(0xFFFF)


class Stamp:
    """Makes the SYNs of one IP version from one source address. `mtu`: the interface's."""

    def __init__(self, version: int, source: str, numbers: Numbers, mtu: int = 1500) -> None:
        self.version = version
        self.source = source
        self._numbers = numbers
        nobody = "0.0.0.0" if version == 4 else "::"  # noqa: S104 - stamped over
        probe = Probe(Shape.SYN, Endpoint(source, 0), Endpoint(nobody, 0), seq=0, tos=MARK)
        self.template = bytearray(templates.fill(probe, mtu))
        start = _HEADER[version]
        if version == 4:
            self.template[4:6] = bytes(2)
            self.template[10:12] = bytes(2)
        else:
            struct.pack_into("!I", self.template, 0, 6 << 28 | MARK << 20)
        self.template[start + 16 : start + 18] = bytes(2)
        segment = bytes(self.template[start:])
        ends = bytes(self.template[12:20] if version == 4 else self.template[8:40])
        pseudo = ends + struct.pack("!HH" if version == 4 else "!II", 6 if version == 4 else len(segment),
                                    len(segment) if version == 4 else 6)  # fmt: skip
        self._segment_sum = _sum(pseudo + segment)
        self._header_sum = _sum(bytes(self.template[:20])) if version == 4 else 0

    @property
    def size(self) -> int:
        """Bytes of each packet."""
        return len(self.template)

    def packets(self, high: Words, low: Words, ports: Words) -> Octets:
        """A packet a row."""
        found = np.empty((len(low), self.size), dtype=np.uint8)
        for at in range(0, len(low), AT_ONCE):
            part = slice(at, at + AT_ONCE)
            self._fill(found[part], high[part], low[part], ports[part])
        return found

    def _fill(self, found: Octets, high: Words, low: Words, ports: Words) -> None:
        source, sequence, more = self._numbers.of(high, low, ports)
        found[:] = np.frombuffer(self.template, dtype=np.uint8)
        start = _HEADER[self.version]
        total = halves(low, 2) if self.version == 4 else halves(low, 4) + halves(high, 4)
        put(found, start, source, 2)
        put(found, start + 2, ports, 2)
        put(found, start + 4, sequence, 4)
        if self.version == 4:
            identifier = more | np.uint64(1)  # 0 would be replaced by the kernel
            put(found, 4, identifier, 2)
            put(found, 16, low, 4)
            put(found, 10, folded(identifier + total + np.uint64(self._header_sum)), 2)
        else:
            found[:, 2:4] = more.astype(">u2").view(np.uint8).reshape(-1, 2)  # the flow label's lower bits
            put(found, 24, high, 8)
            put(found, 32, low, 8)
        total += source + ports + halves(sequence, 2) + np.uint64(self._segment_sum)
        put(found, start + 16, folded(total), 2)


def put(found: Octets, at: int, values: Words, size: int) -> None:
    """Write numbers of `size` bytes, network order, into a column."""
    found[:, at : at + size] = values.astype(f">u{size}").view(np.uint8).reshape(-1, size)


def halves(values: Words, count: int) -> Words:
    """The sum of the lowest `count` 16-bit words of each."""
    total = values & np.uint64(0xFFFF)
    for n in range(1, count):
        total = total + (values >> np.uint64(16 * n) & np.uint64(0xFFFF))
    return total


def folded(total: Words) -> Words:
    """The Internet checksum of sums of 16-bit words (RFC 1071)."""
    for _ in range(3):
        total = (total & np.uint64(0xFFFF)) + (total >> np.uint64(16))
    return ~total & np.uint64(0xFFFF)


def number(address: str) -> tuple[int, int]:
    """An address as higher and lower word."""
    a, b, c, d = address_words(address)
    return a << 32 | b, c << 32 | d


def _sum(data: bytes) -> int:
    return sum(struct.unpack(f"!{len(data) // 2}H", data))
