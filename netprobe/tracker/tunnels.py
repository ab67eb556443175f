"""Tunnels: packets inside packets, where somebody asked to look inside.

House rules of this file:
1. Written in the subset of Python that Numba compiles: integers, indexing, bounded loops; no objects, no exceptions.
2. Every function returns the kind of the packet inside (link.py) and its position, or a P_ value below zero.
3. How deep to look is the caller's business (`depth`): a packet within a packet is taken one step at a time.

Sources: RFC 2784 and 2890 (GRE), RFC 2637 (its version 1), draft-foschiano-erspan, RFC 2003, 4213 and 2473 (IP in IP),
RFC 3378 (EtherIP), RFC 7348 (VXLAN), RFC 8926 (Geneve), 3GPP TS 29.281 (GTP-U).
"""

from __future__ import annotations

from netprobe.tracker.columns import P_MALFORMED, P_SHORT, P_TUNNEL, P_UDP
from netprobe.tracker.link import BRIDGED, IPV4, IPV6, beneath, by_version, ethernet, ppp
from netprobe.tracker.octets import Buffer, u16

IP_IPV4 = 4
IP_IPV6 = 41
IP_GRE = 47
IP_ETHERIP = 97

PPTP = 0x880B
ERSPAN = 0x88BE  # types I and II
ERSPAN_3 = 0x22EB

VXLAN = 4789
VXLAN_LINUX = 8472  # what Linux took before there was a number, and some overlays still do
GENEVE = 6081
GTP_U = 2152
MOST_EXTENSIONS = 8


def by_protocol(b: Buffer, at: int, end: int, protocol: int) -> tuple[int, int]:
    """What a packet with one of the IP_ numbers above has inside."""
    if protocol == IP_IPV4:
        return IPV4, at
    if protocol == IP_IPV6:
        return IPV6, at
    if protocol == IP_GRE:
        return gre(b, at, end)
    return ethernet(b, at + 2, end)


def gre(b: Buffer, at: int, end: int) -> tuple[int, int]:
    """GRE with checksum, key and sequence number; PPTP's version of it; ERSPAN."""
    if end - at < 4:
        return -P_SHORT, at
    flags = u16(b, at)
    kind = u16(b, at + 2)
    version = flags & 7
    if version > 1 or flags & 0x4000:  # source routes: deprecated by RFC 2784
        return -P_MALFORMED, at
    at += 4
    if flags & 0x8000:
        at += 4
    if flags & 0x2000:
        at += 4
    if flags & 0x1000:
        at += 4
    if version == 1:
        if flags & 0x80:
            at += 4
        kind, at = ppp(b, at, end)
    elif kind == ERSPAN:
        return ethernet(b, at + 8 if flags & 0x1000 else at, end)
    elif kind == ERSPAN_3:
        if end - at < 12:
            return -P_SHORT, at
        return ethernet(b, at + (20 if b[at + 11] & 1 else 12), end)
    if kind == BRIDGED:
        return ethernet(b, at, end)
    return beneath(b, at, end, kind)


def udp(b: Buffer, at: int, end: int, depth: int) -> tuple[int, int]:
    """A UDP datagram: by its destination port and a plausible header a tunnel, else UDP and nothing more."""
    if end - at < 16:
        return -P_UDP, at
    port = u16(b, at + 2)
    at += 8
    first = b[at] * 1
    if port == VXLAN or port == VXLAN_LINUX:
        tunnel = first & 0x08 != 0 and b[at + 7] == 0
    elif port == GENEVE:
        tunnel = first & 0xC0 == 0
    elif port == GTP_U:
        tunnel = first & 0xF0 == 0x30 and b[at + 1] == 255
    else:
        tunnel = False
    if not tunnel:
        return -P_UDP, at
    if depth <= 0:
        return -P_TUNNEL, at
    if port == GTP_U:
        return gtp(b, at, end)
    if port != GENEVE:
        return ethernet(b, at + 8, end)
    kind = u16(b, at + 2)
    at += 8 + (first & 0x3F) * 4
    if kind == BRIDGED:
        return ethernet(b, at, end)
    return beneath(b, at, end, kind)


def gtp(b: Buffer, at: int, end: int) -> tuple[int, int]:
    """A user's packet in a mobile network; the eight bytes of the header are there."""
    flags = b[at] & 7
    at += 8
    if flags:
        if end - at < 4:
            return -P_SHORT, at
        following = b[at + 3] * 1 if flags & 4 else 0
        at += 4
        for _ in range(MOST_EXTENSIONS):
            if following == 0:
                break
            if end - at < 1:
                return -P_SHORT, at
            size = b[at] * 4
            if size == 0:
                return -P_MALFORMED, at
            if end - at < size:
                return -P_SHORT, at
            following = b[at + size - 1] * 1
            at += size
    return by_version(b, at, end)
