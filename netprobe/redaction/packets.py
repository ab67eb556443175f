"""One frame rewritten: addresses mapped wherever they stand, what is not understood dropped, checksums as good or as
bad as they were.

House rules of this file:
1. No byte string makes it raise; nothing is read or written beyond what was captured.
2. A checksum is changed by what changed beneath it (RFC 1624): one that was wrong stays wrong, one that only covers a
   part, or more than was captured, stays what it was.
3. What follows the end of an IP packet, and every protocol that is not read here, becomes zeros.

Where link headers and tunnels lie says netprobe.tracker, which decodes them for verdicts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from netprobe.model import Frame
from netprobe.redaction import options
from netprobe.redaction.control import Control
from netprobe.redaction.prefixes import Addresses
from netprobe.redaction.sums import summed, written
from netprobe.tracker import link, tunnels
from netprobe.tracker.network import (
    IP_AH,
    IP_ESP,
    IP_FRAGMENT,
    IP_ICMP,
    IP_ICMPV6,
    IP_ROUTING,
    IP_SCTP,
    IP_TCP,
    IP_UDP,
    MOST_HEADERS,
    extends,
)
from netprobe.tracker.tunnels import IP_ETHERIP, IP_GRE, IP_IPV4, IP_IPV6

# Source and destination address and port, sequence number, flags, bytes on the wire, bytes captured -> what stays.
Segment = tuple[bytes, bytes, int, int, int, int, int, bytes]
Segments = Callable[[Segment], bytes]

_RAW = 101
_BARE = frozenset({link.NULL, link.LOOP, link.RAW, link.RAW_BSD, link.RAW_OPENBSD, link.RAW_IPV4, link.RAW_IPV6})
_SERIAL = frozenset(
    {link.PPP, link.PPP_HDLC, link.PPP_ETHER, link.C_HDLC, link.PPP_PPPD, link.PPP_WITH_DIR, link.MPLS_LINK}
)
_DEEPEST = 8  # packets within packets
_ESP_HEADER, _SCTP_HEADER = 8, 12


class Packets:
    """Rewrites frames. `segments` says what stays of a TCP segment's payload."""

    def __init__(self, addresses: Addresses, segments: Segments) -> None:
        self._addresses = addresses
        self._segments = segments
        self._control = Control(addresses, self.network)
        self._old = b""
        self._new = bytearray()

    def frame(self, frame: Frame) -> Frame:
        """The frame that stands for this one. A link header that may hold anything (802.11, NFLOG) is taken off."""
        self._old, self._new = frame.data, bytearray(frame.data)
        end, kind = len(frame.data), frame.link_type
        if kind == link.ETHERNET:
            self.ethernet(0, end, 0)
        elif kind == link.SLL or kind == link.SLL2:
            self._cooked(end, kind)
        elif kind in _BARE or kind in _SERIAL:
            self._beneath(*link.frame_header(self._old, 0, end, kind), end, 0)
        else:
            return self._bare(frame)
        return replace(frame, data=bytes(self._new))

    # ------------------------------------------------------------------ links

    def _bare(self, frame: Frame) -> Frame:
        found, at = link.frame_header(frame.data, 0, len(frame.data), frame.link_type)
        if found not in (link.IPV4, link.IPV6) or at > len(frame.data):
            return replace(frame, link_type=_RAW, data=b"")
        self._beneath(found, at, len(frame.data), 0)
        return replace(frame, link_type=_RAW, data=bytes(self._new[at:]), length=frame.length - at)

    def ethernet(self, at: int, end: int, depth: int) -> None:
        """An Ethernet frame."""
        self._mac(at, end)
        self._mac(at + 6, end)
        if end - at < 14:
            return
        self._beneath(*link.ethernet(self._old, at, end), end, depth)

    def _cooked(self, end: int, kind: int) -> None:
        """Linux' cooked headers: one link-layer address, of up to eight octets."""
        size, at = (16, 6) if kind == link.SLL else (20, 12)
        if end < size:
            self._zero(0, end)
            return
        length = int.from_bytes(self._old[4:6]) if kind == link.SLL else self._old[11]
        if length == 6:
            self._mac(at, end)
            self._zero(at + 6, at + 8)
        else:
            self._zero(at, at + 8)
        self._beneath(*link.frame_header(self._old, 0, end, kind), end, 0)

    def _beneath(self, kind: int, at: int, end: int, depth: int) -> None:
        """What a link carries. `kind` as of netprobe.tracker.link."""
        if kind == link.IPV4 or kind == link.IPV6:
            self.network(kind, at, end, depth)
        elif kind == link.ARP:
            self._arp(at, end)
        elif kind == link.BRIDGED and depth < _DEEPEST:
            self.ethernet(at, end, depth + 1)
        else:
            self._zero(at, end)

    def _arp(self, at: int, end: int) -> None:
        """RFC 826, of IPv4 on Ethernet; of anything else its kind alone."""
        if end - at < 28 or self._old[at + 2 : at + 6] != b"\x08\x00\x06\x04":
            self._zero(at + 8, end)
            return
        for begin in (at + 8, at + 18):
            self._mac(begin, end)
            self._address(begin + 6, 4)
        self._zero(at + 28, end)

    # ------------------------------------------------------------------ IP

    def network(self, kind: int, at: int, end: int, depth: int, *, quoted: bool = False) -> None:
        """An IP packet, which may end before `end`. `quoted`: an ICMP error has its beginning."""
        if kind == link.IPV4:
            self._ipv4(at, end, depth, quoted=quoted)
        else:
            self._ipv6(at, end, depth, quoted=quoted)

    def _ipv4(self, at: int, end: int, depth: int, *, quoted: bool) -> None:
        header = (self._old[at] & 15) * 4 if end > at else 0
        if quoted:  # of which no more is believed than evidence does
            header = max(header, 20)
        if end - at < 20 or self._old[at] >> 4 != 4 or header < 20:
            self._zero(at + 1, end)
            return
        total = int.from_bytes(self._old[at + 2 : at + 4])
        stop = min(end, at + max(total, header)) if total and not quoted else end
        self._zero(stop, end)
        body = min(at + header, stop)
        changed = self._address(at + 12, 4) + self._address(at + 16, 4)
        options.ipv4(self._old, self._new, at + 20, body, self._addresses)
        wire_end = at + total if total else end
        fragment = int.from_bytes(self._old[at + 6 : at + 8])
        if fragment & 0x1FFF:
            self._zero(body, stop)
        else:
            self._carried(4, self._old[at + 9], body, stop, wire_end, changed, depth, at + 12, quoted=quoted)
        self._mend(at + 10, at, body, 0)

    def _ipv6(self, at: int, end: int, depth: int, *, quoted: bool) -> None:
        if end - at < 40 or self._old[at] >> 4 != 6:
            self._zero(at + 1, end)
            return
        length = int.from_bytes(self._old[at + 4 : at + 6])
        wire_end = at + 40 + length if length and not quoted else end
        stop = min(end, wire_end)
        self._zero(stop, end)
        changed = self._address(at + 8, 16)
        final = self._address(at + 24, 16)
        protocol, body = self._old[at + 6], at + 40
        for _ in range(MOST_HEADERS):
            if stop - body < 8:
                break
            if protocol == IP_FRAGMENT:
                size = 8
                if int.from_bytes(self._old[body + 2 : body + 4]) & 0xFFF8:
                    self._zero(body + 8, stop)
                    return
            elif extends(protocol):
                size = (self._old[body + 1] + 2) * 4 if protocol == IP_AH else (self._old[body + 1] + 1) * 8
                here = min(body + size, stop)
                last = options.ipv6(self._old, self._new, protocol, body, here, self._addresses)
                if protocol == IP_ROUTING and last is not None:
                    final = last
            else:
                break
            protocol, body = self._old[body], body + size
        self._carried(
            6, protocol, min(body, stop), stop, wire_end, changed + final, depth, at + 8, quoted=quoted
        )  # fmt: skip

    def _carried(
        self, version: int, protocol: int, at: int, stop: int, wire_end: int, changed: int, depth: int, ends: int,
        *, quoted: bool,
    ) -> None:  # fmt: skip
        """What an IP packet carries. `changed`: of the sum of its pseudo header; `ends`: where its addresses stand."""
        if protocol == IP_AH and version == 4 and stop - at >= 12 and depth < _DEEPEST:
            after = min(at + (self._old[at + 1] + 2) * 4, stop)
            self._zero(at + 12, after)
            self._carried(
                version, self._old[at], after, stop, wire_end, changed, depth + 1, ends, quoted=quoted
            )  # fmt: skip
        elif protocol == IP_TCP:
            self._tcp(version, at, stop, wire_end, changed, ends, quoted=quoted)
        elif protocol == IP_UDP:
            self._udp(at, stop, changed, depth)
        elif protocol == (IP_ICMP if version == 4 else IP_ICMPV6):
            self._control.message(self._old, self._new, version, at, stop, depth)
            self._mend(at + 2, at, stop, changed if version == 6 else 0)
        elif quoted and protocol in (IP_ICMP, IP_ICMPV6):  # of the other version: its numbers count all the same
            self._zero(at + 8, stop)
        elif protocol in (IP_IPV4, IP_IPV6, IP_GRE, IP_ETHERIP) and depth < _DEEPEST:
            self._inside(*tunnels.by_protocol(self._old, at, stop, protocol), at, stop, depth)
            if protocol == IP_GRE and stop - at >= 8 and self._old[at] & 0x80:
                self._mend(at + 4, at, stop, 0)
        else:
            self._zero(at + {IP_ESP: _ESP_HEADER, IP_SCTP: _SCTP_HEADER}.get(protocol, 0), stop)

    def _inside(self, kind: int, inner: int, at: int, stop: int, depth: int) -> None:
        """The packet inside a tunnel, whose header stays."""
        if kind >= 0 and at <= inner <= stop:
            self._beneath(kind, inner, stop, depth + 1)
        else:
            self._zero(at + 4, stop)

    # ------------------------------------------------------------------ transport

    def _tcp(
        self, version: int, at: int, stop: int, wire_end: int, changed: int, ends: int, *, quoted: bool
    ) -> None:  # fmt: skip
        if stop - at >= 13:
            body = min(at + max((self._old[at + 12] >> 4) * 4, 20), stop)
            options.tcp(self._old, self._new, at + 20, body, self._addresses)
            if quoted:
                self._zero(body, stop)
            elif stop - at >= 20:
                self._payload(version, at, body, stop, wire_end, ends)
        self._mend(at + 16, at, stop, changed)

    def _payload(self, version: int, at: int, body: int, stop: int, wire_end: int, ends: int) -> None:
        old, size = self._old, 4 if version == 4 else 16
        length = max(wire_end - body, 0)
        segment = (
            old[ends : ends + size], old[ends + size : ends + 2 * size], int.from_bytes(old[at : at + 2]),
            int.from_bytes(old[at + 2 : at + 4]), int.from_bytes(old[at + 4 : at + 8]), old[at + 13], length,
            old[body : min(stop, body + length)],
        )  # fmt: skip
        stays = self._segments(segment)
        self._new[body : body + len(segment[7])] = stays
        self._zero(body + len(segment[7]), stop)

    def _udp(self, at: int, stop: int, changed: int, depth: int) -> None:
        if stop - at < 8:
            return
        kind, inner = tunnels.udp(self._old, at, stop, 1)
        if kind >= 0 and depth < _DEEPEST and at + 8 <= inner <= stop:
            self._beneath(kind, inner, stop, depth + 1)
        else:
            self._zero(at + 8, stop)
        if self._old[at + 6 : at + 8] != b"\0\0":  # which says that there is none (RFC 768)
            self._mend(at + 6, at, stop, changed)
            if self._new[at + 6 : at + 8] == b"\0\0":
                self._new[at + 6 : at + 8] = b"\xff\xff"

    # ------------------------------------------------------------------ bytes

    def _mac(self, at: int, end: int) -> None:
        if end - at >= 6:
            self._new[at : at + 6] = self._addresses.mac(self._old[at : at + 6])
        else:
            self._zero(at, end)

    def _address(self, at: int, size: int) -> int:
        """Map an address; by how much its sum changes."""
        before = self._old[at : at + size]
        after = self._addresses.packed(before)
        self._new[at : at + size] = after
        return summed(after) - summed(before)

    def _zero(self, at: int, end: int) -> None:
        if at < end:
            self._new[at:end] = bytes(end - at)

    def _mend(self, place: int, at: int, stop: int, changed: int) -> None:
        """Write a checksum over [at, stop) anew. `changed`: by how much else the sum changed."""
        if place + 2 <= stop:
            changed += summed(self._new[at:stop]) - summed(self._old[at:stop])
            self._new[place : place + 2] = written(self._old[place : place + 2], changed)
