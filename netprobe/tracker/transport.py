"""TCP segments, ICMP messages, and the packets that ICMP errors quote.

House rules of this file:
1. Written in the subset of Python that Numba compiles: integers, indexing, bounded loops; no objects, no exceptions.
2. No byte is looked at that hasn't been compared with `end`, which is never after `wire_end`: where the packet ended on
   the wire, by its own length.
3. Every function returns the P_ value of what it found.
"""

from __future__ import annotations

from netprobe.tracker.columns import (
    D_ACK,
    D_CODE,
    D_DPORT,
    D_DST,
    D_FLAGS,
    D_OFFSET,
    D_OPTIONS,
    D_PAYLOAD,
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
    D_TYPE,
    D_VERSION,
    D_WINDOW,
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
    P_ICMP_OTHER,
    P_MALFORMED,
    P_NEIGHBOR_ASK,
    P_NEIGHBOR_REPLY,
    P_SHORT,
    P_TCP,
)
from netprobe.tracker.octets import Buffer, Row, address4, address6, u16, u32

IP_ICMP = 1
IP_TCP = 6
IP_FRAGMENT = 44
IP_ICMPV6 = 58
MOST_HEADERS = 8  # extension headers in a quoted packet


def tcp(b: Buffer, at: int, end: int, wire_end: int, options: int, d: Row) -> int:
    """RFC 9293 3.1; the TCP options are read as far as they are there. `options` are O_ bits of the IP header."""
    if end - at < 20:
        if wire_end - at >= 20:
            return P_SHORT
        return P_FRAGMENT if options & O_FRAGMENT else P_MALFORMED
    header = (b[at + 12] & 0xF0) // 4
    payload = wire_end - at - header
    if header < 20:
        return P_MALFORMED
    if payload < 0:
        if not options & O_FRAGMENT:
            return P_MALFORMED
        payload = 0
    d[D_SPORT] = b[at] * 0x100 + b[at + 1]
    d[D_DPORT] = b[at + 2] * 0x100 + b[at + 3]
    d[D_SEQ] = b[at + 4] * 0x1000000 + b[at + 5] * 0x10000 + b[at + 6] * 0x100 + b[at + 7]
    d[D_ACK] = b[at + 8] * 0x1000000 + b[at + 9] * 0x10000 + b[at + 10] * 0x100 + b[at + 11]
    d[D_FLAGS] = b[at + 13] * 1
    d[D_WINDOW] = b[at + 14] * 0x100 + b[at + 15]
    d[D_PAYLOAD] = payload
    d[D_OFFSET] = at + header
    if header > 20:
        # Two no-operations and a timestamp are what most segments have (RFC 7323, appendix A).
        if header == 32 and end - at >= 24 and u32(b, at + 20) == 0x0101080A:
            options |= O_TIMESTAMP
        else:
            options |= tcp_options(b, at + 20, min(at + header, end))
    d[D_OPTIONS] = options
    return P_TCP


def tcp_options(b: Buffer, at: int, end: int) -> int:
    """The O_ bits of the options b[at:end], up to the first that can't be right."""
    options = 0
    while end - at >= 1:
        kind = b[at] * 1
        if kind == 0:
            break
        if kind == 1:
            at += 1
            continue
        if end - at < 2:
            break
        size = b[at + 1] * 1
        if size < 2 or end - at < size:
            break
        if kind == 2 and size == 4:
            options |= O_MSS | u16(b, at + 2) << O_MSS_SHIFT
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
        at += size
    return options


def icmp(b: Buffer, at: int, end: int, options: int, d: Row) -> int:
    """RFC 792 and RFC 4443: echoes, errors with what they quote, neighbour discovery (RFC 4861)."""
    if end - at < 8:
        return P_SHORT
    for i in range(D_SPORT, D_TYPE):
        d[i] = 0
    d[D_OPTIONS] = options
    kind = b[at] * 1
    d[D_TYPE] = kind
    d[D_CODE] = b[at + 1] * 1
    if d[D_VERSION] == 4:
        if kind == 8 or kind == 0:
            d[D_SPORT] = u16(b, at + 4)
            d[D_DPORT] = u16(b, at + 6)
            return P_ECHO if kind == 8 else P_ECHO_REPLY
        if kind == 3 or kind == 11 or kind == 12 or kind == 5:
            return quote(b, at + 8, end, d)
        return P_ICMP_OTHER
    if kind == 128 or kind == 129:
        d[D_SPORT] = u16(b, at + 4)
        d[D_DPORT] = u16(b, at + 6)
        return P_ECHO if kind == 128 else P_ECHO_REPLY
    if kind == 135 or kind == 136:
        if end - at < 24:
            return P_SHORT
        # The message's target is who is asked for, or who answers, whatever the packet's own addresses are.
        address6(b, at + 8, d, D_DST if kind == 135 else D_SRC)
        return P_NEIGHBOR_ASK if kind == 135 else P_NEIGHBOR_REPLY
    return quote(b, at + 8, end, d) if 1 <= kind <= 4 else P_ICMP_OTHER


def quote(b: Buffer, at: int, end: int, d: Row) -> int:
    """The packet inside an ICMP error: addresses, ports and sequence number (RFC 792 promises 8 bytes of transport).
    P_ICMP_OTHER where it is neither TCP nor an echo, or not enough of it is there."""
    if end - at < 28:
        return P_ICMP_OTHER
    if b[at] & 0xF0 == 0x40:
        if u16(b, at + 6) & 0x1FFF:  # a later fragment has no ports
            return P_ICMP_OTHER
        d[D_Q_TTL] = b[at + 8] * 1
        d[D_Q_TOS] = b[at + 1] * 1
        address4(b, at + 12, d, D_Q_SRC)
        address4(b, at + 16, d, D_Q_DST)
        protocol = b[at + 9] * 1
        at += max((b[at] & 15) * 4, 20)
    else:
        if end - at < 48 or b[at] & 0xF0 != 0x60:
            return P_ICMP_OTHER
        d[D_Q_TTL] = b[at + 7] * 1
        d[D_Q_TOS] = (u16(b, at) >> 4) & 0xFF
        address6(b, at + 8, d, D_Q_SRC)
        address6(b, at + 24, d, D_Q_DST)
        protocol = b[at + 6] * 1
        at += 40
        for _ in range(MOST_HEADERS):
            if end - at < 8 or (protocol != 0 and protocol != 43 and protocol != 60 and protocol != IP_FRAGMENT):
                break
            if protocol == IP_FRAGMENT and u16(b, at + 2) & 0xFFF8:
                return P_ICMP_OTHER
            size = 8 if protocol == IP_FRAGMENT else (b[at + 1] + 1) * 8
            protocol = b[at] * 1
            at += size
    if end - at < 8:
        return P_ICMP_OTHER
    if protocol == IP_TCP:
        d[D_Q_SPORT] = u16(b, at)
        d[D_Q_DPORT] = u16(b, at + 2)
        d[D_Q_SEQ] = u32(b, at + 4)
    elif protocol == IP_ICMP or protocol == IP_ICMPV6:
        d[D_Q_SPORT] = u16(b, at + 4)
        d[D_Q_DPORT] = u16(b, at + 6)
        d[D_Q_SEQ] = 0
    else:
        return P_ICMP_OTHER
    d[D_Q_PROTOCOL] = protocol
    return P_ICMP_ERROR
