"""Network headers: IPv4, IPv6 with its extension headers, ARP.

House rules of this file:
1. Written in the subset of Python that Numba compiles: integers, indexing, bounded loops; no objects, no exceptions.
2. Every function that may find a packet inside the packet returns (kind, position, end) of it; where there is none, the
   kind is the P_ value of what was found, below zero.
3. No byte is looked at that hasn't been compared with `end`: where the capture has the packet's end, or where by its
   own length it ended before (the rest is padding of the link).
4. Checksums are not looked at: a capture on the sending host has wrong ones through offload.
"""

from __future__ import annotations

from netprobe.tracker.columns import (
    D_DST,
    D_FLOW,
    D_IP_ID,
    D_SRC,
    D_TOS,
    D_TTL,
    D_TYPE,
    D_VERSION,
    D_WHAT,
    O_DF,
    O_FRAGMENT,
    P_ESP,
    P_FRAGMENT,
    P_MALFORMED,
    P_NEIGHBOR_ASK,
    P_NEIGHBOR_REPLY,
    P_NOT_IP,
    P_OTHER,
    P_SCTP,
    P_SHORT,
    P_TUNNEL,
    P_UNKNOWN_LINK,
)
from netprobe.tracker.link import ARP, BRIDGED, IPV4, IPV6, K_LINK, ethernet
from netprobe.tracker.octets import Buffer, Row, address4, address6, u16, u32
from netprobe.tracker.transport import icmp, tcp
from netprobe.tracker.tunnels import IP_ETHERIP, IP_GRE, IP_IPV4, IP_IPV6, by_protocol, udp

IP_ICMP = 1
IP_TCP = 6
IP_UDP = 17
IP_ROUTING = 43
IP_FRAGMENT = 44
IP_ESP = 50
IP_AH = 51
IP_ICMPV6 = 58
IP_OPTIONS = 60
IP_SCTP = 132
IP_SHIM6 = 140

MOST_HEADERS = 16  # IPv6 extension headers one after the other
JUMBO = 0xC2  # the hop-by-hop option of RFC 2675


def network(b: Buffer, at: int, end: int, kind: int, depth: int, d: Row) -> tuple[int, int, int]:
    """The packet b[at:end] of EtherType `kind` into `d`. With `depth` above 0, a packet inside it is returned."""
    if kind == IPV4:
        return ipv4(b, at, end, depth, d)
    if kind == IPV6:
        return ipv6(b, at, end, depth, d)
    if kind == ARP:
        return -arp(b, at, end, d), at, end
    if kind == BRIDGED:
        if depth <= 0:
            return -P_TUNNEL, at, end
        kind, at = ethernet(b, at, end)
        return kind, at, end
    if kind >= K_LINK:
        d[D_WHAT] = kind - K_LINK
        return -P_UNKNOWN_LINK, at, end
    d[D_WHAT] = kind
    return -P_NOT_IP, at, end


def arp(b: Buffer, at: int, end: int, d: Row) -> int:
    """RFC 826 for IPv4: who asks for whom, who answers."""
    d[D_WHAT] = ARP
    if end - at < 8:
        return P_SHORT
    if u16(b, at + 2) != IPV4 or b[at + 4] != 6 or b[at + 5] != 4:
        return P_NOT_IP
    if end - at < 28:
        return P_SHORT
    d[D_VERSION] = 4
    address4(b, at + 14, d, D_SRC)
    address4(b, at + 24, d, D_DST)
    for i in range(D_TTL, D_TYPE + 2):
        d[i] = 0
    operation = u16(b, at + 6)
    return P_NEIGHBOR_ASK if operation == 1 else P_NEIGHBOR_REPLY if operation == 2 else P_NOT_IP


def ipv4(b: Buffer, at: int, end: int, depth: int, d: Row) -> tuple[int, int, int]:
    """RFC 791."""
    if end - at < 20:
        return -P_SHORT, at, end
    first = b[at] * 1
    header = (first & 15) * 4
    if first & 0xF0 != 0x40 or header < 20:
        return -P_MALFORMED, at, end
    total = b[at + 2] * 0x100 + b[at + 3]
    if total == 0:  # segmentation offload: the frame's own end counts
        total = end - at
    elif total < header:
        return -P_MALFORMED, at, end
    wire_end = at + total
    end = min(end, wire_end)
    if end - at < header:
        return -P_SHORT, at, end
    d[D_VERSION] = 4
    d[D_TTL] = b[at + 8] * 1
    d[D_TOS] = b[at + 1] * 1
    d[D_IP_ID] = b[at + 4] * 0x100 + b[at + 5]
    d[D_FLOW] = 0
    for i in range(3):
        d[D_SRC + i] = 0
        d[D_DST + i] = 0
    d[D_SRC + 3] = b[at + 12] * 0x1000000 + b[at + 13] * 0x10000 + b[at + 14] * 0x100 + b[at + 15]
    d[D_DST + 3] = b[at + 16] * 0x1000000 + b[at + 17] * 0x10000 + b[at + 18] * 0x100 + b[at + 19]
    fragment = b[at + 6] * 0x100 + b[at + 7]
    if fragment & 0x1FFF:
        return -P_FRAGMENT, at, end
    options = (O_DF if fragment & 0x4000 else 0) | (O_FRAGMENT if fragment & 0x2000 else 0)
    protocol = b[at + 9] * 1
    at += header
    if protocol == IP_TCP:
        return -tcp(b, at, end, wire_end, options, d), at, end
    for _ in range(MOST_HEADERS):
        if protocol != IP_AH:
            break
        if end - at < 12:
            return -P_SHORT, at, end
        protocol = b[at] * 1
        at += (b[at + 1] + 2) * 4
    return carried(b, at, end, wire_end, protocol, options, depth, d)


def ipv6(b: Buffer, at: int, end: int, depth: int, d: Row) -> tuple[int, int, int]:
    """RFC 8200."""
    if end - at < 40:
        return -P_SHORT, at, end
    head = u32(b, at)
    if head & 0xF0000000 != 0x60000000:
        return -P_MALFORMED, at, end
    d[D_VERSION] = 6
    d[D_TTL] = b[at + 7] * 1
    d[D_TOS] = (head >> 20) & 0xFF
    d[D_FLOW] = head & 0xFFFFF
    d[D_IP_ID] = 0
    address6(b, at + 8, d, D_SRC)
    address6(b, at + 24, d, D_DST)
    length = b[at + 4] * 0x100 + b[at + 5]
    protocol = b[at + 6] * 1
    at += 40
    body = at
    wire_end = at + length if length else end  # 0: a jumbogram, or segmentation offload
    end = min(end, wire_end)
    if protocol == IP_TCP:
        return -tcp(b, at, end, wire_end, 0, d), at, end
    options = 0
    for _ in range(MOST_HEADERS):
        if protocol == IP_FRAGMENT:
            if end - at < 8:
                return -P_SHORT, at, end
            fragment = u16(b, at + 2)
            d[D_IP_ID] = u32(b, at + 4)
            if fragment & 0xFFF8:
                return -P_FRAGMENT, at, end
            if fragment & 1:
                options |= O_FRAGMENT
            size = 8
        elif extends(protocol):
            if end - at < 8:
                return -P_SHORT, at, end
            size = (b[at + 1] + 2) * 4 if protocol == IP_AH else (b[at + 1] + 1) * 8
            if protocol == 0 and length == 0:
                jumbo = jumbo_length(b, at + 2, min(end, at + size))
                if jumbo > 0:
                    wire_end = body + jumbo
                    end = min(end, wire_end)
        else:
            break
        if end - at < 8:  # a jumbogram shorter than its own header
            return -P_MALFORMED, at, end
        protocol = b[at] * 1
        at += size
    return carried(b, at, end, wire_end, protocol, options, depth, d)


def extends(protocol: int) -> bool:
    """Whether a number is that of an extension header, fragments aside (RFC 8200, 4302, 5533). Nothing ever follows
    those of mobility and HIP (RFC 6275, 7401)."""
    if protocol == 0 or protocol == IP_ROUTING or protocol == IP_OPTIONS:
        return True
    return protocol == IP_AH or protocol == IP_SHIM6


def jumbo_length(b: Buffer, at: int, end: int) -> int:
    """The payload length of a jumbogram among the hop-by-hop options b[at:end] (RFC 2675), 0 where there is none."""
    while end - at >= 2:
        if b[at] == 0:
            at += 1
            continue
        if b[at] == JUMBO and b[at + 1] == 4 and end - at >= 6:
            return u32(b, at + 2)
        at += b[at + 1] + 2
    return 0


def carried(
    b: Buffer, at: int, end: int, wire_end: int, protocol: int, options: int, depth: int, d: Row
) -> tuple[int, int, int]:
    """What an IP packet carries; `options` are O_ bits of its IP header."""
    if protocol == IP_TCP:
        return -tcp(b, at, end, wire_end, options, d), at, end
    if protocol == (IP_ICMP if d[D_VERSION] == 4 else IP_ICMPV6):
        return -icmp(b, at, end, options, d), at, end
    if protocol == IP_UDP:
        kind, at = udp(b, at, end, depth)
        return kind, at, end
    if protocol == IP_IPV4 or protocol == IP_IPV6 or protocol == IP_GRE or protocol == IP_ETHERIP:
        if depth <= 0:
            return -P_TUNNEL, at, end
        kind, at = by_protocol(b, at, end, protocol)
        return kind, at, end
    if protocol == IP_ESP:
        return -P_ESP, at, end
    if protocol == IP_SCTP:
        return -P_SCTP, at, end
    d[D_WHAT] = protocol
    return -P_OTHER, at, end
