"""Link, network and transport headers of one frame into a row of integers.

House rules of this file:
1. Written in the subset of Python that Numba compiles: integers, indexing, bounded loops; no objects, no exceptions.
2. No byte string makes it fail: whatever doesn't hold is P_SHORT, P_NOT_IP or P_OTHER.
3. Checksums are not looked at: a capture on the sending host has wrong ones through offload.
"""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence

from netprobe.tracker.columns import (
    D_ACK,
    D_CODE,
    D_DPORT,
    D_DST,
    D_FLAGS,
    D_FLOW,
    D_IP_ID,
    D_OFFSET,
    D_OPTIONS,
    D_PAYLOAD,
    D_PROTOCOL,
    D_Q_DPORT,
    D_Q_DST,
    D_Q_PROTOCOL,
    D_Q_SEQ,
    D_Q_SPORT,
    D_Q_SRC,
    D_Q_TOS,
    D_Q_TTL,
    D_SEQ,
    D_SPORT,
    D_SRC,
    D_TOS,
    D_TTL,
    D_TYPE,
    D_VERSION,
    D_WINDOW,
    O_DF,
    O_FASTOPEN,
    O_FRAGMENT,
    O_MD5,
    O_MSS,
    O_MSS_SHIFT,
    O_OTHER,
    O_SACK,
    O_SACKED,
    O_TIMESTAMP,
    O_WSCALE,
    P_ECHO,
    P_ECHO_REPLY,
    P_FRAGMENT,
    P_ICMP_ERROR,
    P_NEIGHBOR_ASK,
    P_NEIGHBOR_REPLY,
    P_NONE,
    P_NOT_IP,
    P_OTHER,
    P_SHORT,
    P_TCP,
    P_UNKNOWN_LINK,
)

Buffer = Sequence[int]
Row = MutableSequence[int]

ETHERTYPE_IPV4 = 0x0800
ETHERTYPE_ARP = 0x0806
ETHERTYPE_IPV6 = 0x86DD
IP_TCP = 6
IP_ICMP = 1
IP_ICMPV6 = 58


def u16(b: Buffer, at: int) -> int:
    """Big-endian 16 bits."""
    return (int(b[at]) << 8) | int(b[at + 1])


def u32(b: Buffer, at: int) -> int:
    """Big-endian 32 bits."""
    return (int(b[at]) << 24) | (int(b[at + 1]) << 16) | (int(b[at + 2]) << 8) | int(b[at + 3])


def address4(b: Buffer, at: int, d: Row, to: int) -> None:
    """An IPv4 address into four words."""
    d[to] = 0
    d[to + 1] = 0
    d[to + 2] = 0
    d[to + 3] = u32(b, at)


def address6(b: Buffer, at: int, d: Row, to: int) -> None:
    """An IPv6 address into four words."""
    d[to] = u32(b, at)
    d[to + 1] = u32(b, at + 4)
    d[to + 2] = u32(b, at + 8)
    d[to + 3] = u32(b, at + 12)


def decode(b: Buffer, start: int, end: int, link: int, d: Row) -> None:
    """Decode the frame b[start:end] of LINKTYPE_ `link` into `d` (columns D_*)."""
    d[D_PROTOCOL] = P_NONE
    d[D_OFFSET] = start
    at = start
    kind = 0
    if link == 276:  # LINUX_SLL2
        if end - at < 20:
            d[D_PROTOCOL] = P_SHORT
            return
        kind = u16(b, at)
        at += 20
    elif link == 1:  # Ethernet
        if end - at < 14:
            d[D_PROTOCOL] = P_SHORT
            return
        kind = u16(b, at + 12)
        at += 14
    elif link == 113:  # LINUX_SLL
        if end - at < 16:
            d[D_PROTOCOL] = P_SHORT
            return
        kind = u16(b, at + 14)
        at += 16
    elif link == 101 or link == 12 or link == 14 or link == 228 or link == 229:  # raw IP
        if end - at < 1:
            d[D_PROTOCOL] = P_SHORT
            return
        kind = ETHERTYPE_IPV6 if int(b[at]) >> 4 == 6 else ETHERTYPE_IPV4
    elif link == 0 or link == 108:  # BSD loopback: the family in either byte order, so the IP version decides
        if end - at < 5:
            d[D_PROTOCOL] = P_SHORT
            return
        at += 4
        kind = ETHERTYPE_IPV6 if int(b[at]) >> 4 == 6 else ETHERTYPE_IPV4
    else:
        d[D_PROTOCOL] = P_UNKNOWN_LINK
        return
    tags = 0
    while (kind == 0x8100 or kind == 0x88A8 or kind == 0x9100) and tags < 4:  # 802.1Q, 802.1ad
        if end - at < 4:
            d[D_PROTOCOL] = P_SHORT
            return
        kind = u16(b, at + 2)
        at += 4
        tags += 1
    if kind == ETHERTYPE_IPV4:
        ipv4(b, at, end, d)
    elif kind == ETHERTYPE_IPV6:
        ipv6(b, at, end, d)
    elif kind == ETHERTYPE_ARP:
        arp(b, at, end, d)
    else:
        d[D_PROTOCOL] = P_NOT_IP
    d[D_OFFSET] -= start


def arp(b: Buffer, at: int, end: int, d: Row) -> None:
    """RFC 826 for IPv4: who asks for whom, who answers."""
    if end - at < 28 or u16(b, at + 2) != ETHERTYPE_IPV4 or int(b[at + 4]) != 6 or int(b[at + 5]) != 4:
        d[D_PROTOCOL] = P_NOT_IP
        return
    d[D_VERSION] = 4
    address4(b, at + 14, d, D_SRC)
    address4(b, at + 24, d, D_DST)
    clear(d)
    operation = u16(b, at + 6)
    d[D_PROTOCOL] = P_NEIGHBOR_ASK if operation == 1 else P_NEIGHBOR_REPLY if operation == 2 else P_OTHER


def clear(d: Row) -> None:
    """Set what a packet without ports doesn't have."""
    for i in range(D_TTL, D_TYPE + 2):
        d[i] = 0


def ipv4(b: Buffer, at: int, end: int, d: Row) -> None:
    """RFC 791."""
    if end - at < 20:
        d[D_PROTOCOL] = P_SHORT
        return
    header = (int(b[at]) & 15) * 4
    if int(b[at]) >> 4 != 4 or header < 20 or end - at < header:
        d[D_PROTOCOL] = P_SHORT
        return
    clear(d)
    total = u16(b, at + 2)
    if total < header:  # 0 with segmentation offload: the frame's own end counts
        total = end - at
    fragment = u16(b, at + 6)
    d[D_VERSION] = 4
    d[D_TTL] = int(b[at + 8])
    d[D_TOS] = int(b[at + 1])
    d[D_IP_ID] = u16(b, at + 4)
    address4(b, at + 12, d, D_SRC)
    address4(b, at + 16, d, D_DST)
    if fragment & 0x4000:
        d[D_OPTIONS] |= O_DF
    if fragment & 0x1FFF:
        d[D_PROTOCOL] = P_FRAGMENT
        return
    if fragment & 0x2000:
        d[D_OPTIONS] |= O_FRAGMENT
    transport(b, at + header, end, at + total, int(b[at + 9]), d)


def ipv6(b: Buffer, at: int, end: int, d: Row) -> None:
    """RFC 8200, extension headers included (at most 16 of them)."""
    if end - at < 40 or int(b[at]) >> 4 != 6:
        d[D_PROTOCOL] = P_SHORT
        return
    clear(d)
    d[D_VERSION] = 6
    d[D_TTL] = int(b[at + 7])
    d[D_TOS] = (u16(b, at) >> 4) & 0xFF
    d[D_FLOW] = u32(b, at) & 0xFFFFF
    address6(b, at + 8, d, D_SRC)
    address6(b, at + 24, d, D_DST)
    length = u16(b, at + 4)
    wire_end = at + 40 + length if length else end
    following = int(b[at + 6])
    at += 40
    for _ in range(16):
        if following == 0 or following == 43 or following == 60 or following == 51:
            if end - at < 8:
                d[D_PROTOCOL] = P_SHORT
                return
            size = (int(b[at + 1]) + 2) * 4 if following == 51 else (int(b[at + 1]) + 1) * 8
            following = int(b[at])
            at += size
        elif following == 44:
            if end - at < 8:
                d[D_PROTOCOL] = P_SHORT
                return
            if u16(b, at + 2) & 0xFFF8:
                d[D_PROTOCOL] = P_FRAGMENT
                return
            if u16(b, at + 2) & 1:
                d[D_OPTIONS] |= O_FRAGMENT
            d[D_IP_ID] = u32(b, at + 4)
            following = int(b[at])
            at += 8
        else:
            break
        if at > end:
            d[D_PROTOCOL] = P_SHORT
            return
    transport(b, at, end, wire_end, following, d)


def transport(b: Buffer, at: int, end: int, wire_end: int, protocol: int, d: Row) -> None:
    """TCP and ICMP; `wire_end` is where the packet ended on the wire, `end` where the capture has it."""
    if protocol == IP_TCP:
        tcp(b, at, end, wire_end, d)
    elif (protocol == IP_ICMP and d[D_VERSION] == 4) or (protocol == IP_ICMPV6 and d[D_VERSION] == 6):
        icmp(b, at, end, d)
    else:
        d[D_PROTOCOL] = P_OTHER


def tcp(b: Buffer, at: int, end: int, wire_end: int, d: Row) -> None:
    """RFC 9293 3.1; options are read as far as they are there."""
    if end - at < 20:
        d[D_PROTOCOL] = P_SHORT
        return
    header = (int(b[at + 12]) >> 4) * 4
    if header < 20:
        d[D_PROTOCOL] = P_SHORT
        return
    d[D_SPORT] = u16(b, at)
    d[D_DPORT] = u16(b, at + 2)
    d[D_SEQ] = u32(b, at + 4)
    d[D_ACK] = u32(b, at + 8)
    d[D_FLAGS] = int(b[at + 13])
    d[D_WINDOW] = u16(b, at + 14)
    d[D_PAYLOAD] = max(0, wire_end - at - header)
    d[D_OFFSET] = at + header
    d[D_PROTOCOL] = P_TCP
    options = d[D_OPTIONS]
    i = at + 20
    stop = min(at + header, end)
    while i < stop:
        kind = int(b[i])
        if kind == 0:
            break
        if kind == 1:
            i += 1
            continue
        if i + 1 >= stop:
            break
        size = int(b[i + 1])
        if size < 2 or i + size > stop:
            break
        if kind == 2 and size == 4:
            options |= O_MSS | (u16(b, i + 2) << O_MSS_SHIFT)
        elif kind == 3:
            options |= O_WSCALE
        elif kind == 4:
            options |= O_SACK
        elif kind == 5:
            options |= O_OTHER | O_SACKED
        elif kind == 8:
            options |= O_TIMESTAMP
        elif kind == 19:
            options |= O_MD5
        elif kind == 34:
            options |= O_FASTOPEN
        else:
            options |= O_OTHER
        i += size
    d[D_OPTIONS] = options


def icmp(b: Buffer, at: int, end: int, d: Row) -> None:
    """RFC 792 and RFC 4443: echoes, errors with what they quote, neighbour discovery (RFC 4861)."""
    if end - at < 8:
        d[D_PROTOCOL] = P_SHORT
        return
    kind = int(b[at])
    d[D_TYPE] = kind
    d[D_CODE] = int(b[at + 1])
    six = d[D_VERSION] == 6
    d[D_PROTOCOL] = P_OTHER
    if kind == (128 if six else 8) or kind == (129 if six else 0):
        d[D_PROTOCOL] = P_ECHO if kind == 128 or kind == 8 else P_ECHO_REPLY
        d[D_SPORT] = u16(b, at + 4)
        d[D_DPORT] = u16(b, at + 6)
    elif six and (kind == 135 or kind == 136):
        if end - at >= 24:
            # The message's target is who is asked for, or who answers, whatever the packet's own addresses are.
            address6(b, at + 8, d, D_DST if kind == 135 else D_SRC)
            d[D_PROTOCOL] = P_NEIGHBOR_ASK if kind == 135 else P_NEIGHBOR_REPLY
    elif (six and 1 <= kind <= 4) or (not six and (kind == 3 or kind == 11 or kind == 12 or kind == 5)):
        quote(b, at + 8, end, d)


def quote(b: Buffer, at: int, end: int, d: Row) -> None:
    """The packet inside an ICMP error: addresses, ports and sequence number (RFC 792 promises 8 bytes of transport)."""
    if end - at < 28 and not (d[D_VERSION] == 6 and end - at >= 48):
        return
    if int(b[at]) >> 4 == 4:
        header = (int(b[at]) & 15) * 4
        if header < 20 or end - at < header + 8:
            return
        d[D_Q_TTL] = int(b[at + 8])
        d[D_Q_TOS] = int(b[at + 1])
        address4(b, at + 12, d, D_Q_SRC)
        address4(b, at + 16, d, D_Q_DST)
        protocol = int(b[at + 9])
        at += header
    else:
        if end - at < 48:
            return
        d[D_Q_TTL] = int(b[at + 7])
        d[D_Q_TOS] = (u16(b, at) >> 4) & 0xFF
        address6(b, at + 8, d, D_Q_SRC)
        address6(b, at + 24, d, D_Q_DST)
        protocol = int(b[at + 6])
        at += 40
        if protocol == 44:
            if end - at < 16:
                return
            protocol = int(b[at])
            at += 8
    if protocol == IP_TCP:
        d[D_Q_SPORT] = u16(b, at)
        d[D_Q_DPORT] = u16(b, at + 2)
        d[D_Q_SEQ] = u32(b, at + 4)
    elif protocol == IP_ICMP or protocol == IP_ICMPV6:
        d[D_Q_SPORT] = u16(b, at + 4)
        d[D_Q_DPORT] = u16(b, at + 6)
        d[D_Q_SEQ] = 0
    else:
        return
    d[D_Q_PROTOCOL] = protocol
    d[D_PROTOCOL] = P_ICMP_ERROR
