"""Link headers: where in a frame the network packet begins, and of which kind it is.

House rules of this file:
1. Written in the subset of Python that Numba compiles: integers, indexing, bounded loops; no objects, no exceptions.
2. Every function returns a kind and a position. A kind is an EtherType, one of the numbers above them that this file
   gives to what has none, or, below zero, the P_ value of what ends here.
3. No byte is looked at that hasn't been compared with the frame's end.

Sources: https://www.tcpdump.org/linktypes.html, IEEE 802.3, 802.1Q, 802.1AE, 802.11, RFC 1661, 1662, 2516, 3032;
radiotap.org; Linux nfnetlink_log.h.
"""

from __future__ import annotations

from netprobe.tracker.columns import P_ENCRYPTED, P_MALFORMED, P_SHORT
from netprobe.tracker.octets import Buffer, le16, le32, u16

# --- EtherTypes
IPV4 = 0x0800
ARP = 0x0806
BRIDGED = 0x6558  # an Ethernet frame inside (RFC 1701)
VLAN = 0x8100
QINQ = 0x88A8  # 802.1ad; 0x9100 before there was a standard
OLD_QINQ = 0x9100
IPV6 = 0x86DD
MPLS = 0x8847
MPLS_MULTICAST = 0x8848
PPPOE = 0x8864
MACSEC = 0x88E5
LEAST = 0x0600  # below are lengths of 802.3 frames
LLC = 4  # so Linux calls 802.2 in a cooked header

# --- kinds of what has no EtherType
K_LLC = 0x10000  # and its destination service access point
K_WIFI_CONTROL = 0x20000  # 802.11 management and control frames, and data frames without data
K_WIFI_AGGREGATE = 0x20001  # several packets in one 802.11 frame
K_PPP = 0x30000  # and its protocol number
K_LINK = 0x40000  # and a LINKTYPE_ that is not known here

MOST_HEADERS = 8  # tags, LLC and PPPoE headers one after the other
MOST_LABELS = 16

# --- LINKTYPE_ values
NULL = 0
ETHERNET = 1
PPP = 9
RAW_BSD = 12
RAW_OPENBSD = 14
PPP_HDLC = 50
PPP_ETHER = 51
RAW = 101
C_HDLC = 104
WIFI = 105
LOOP = 108
SLL = 113
RADIOTAP = 127
PPP_PPPD = 166
PPI = 192
PPP_WITH_DIR = 204
MPLS_LINK = 219
RAW_IPV4 = 228
RAW_IPV6 = 229
NFLOG = 239
PKTAP = 258
SLL2 = 276


def frame_header(b: Buffer, at: int, end: int, link: int) -> tuple[int, int]:
    """What the frame b[at:end] of LINKTYPE_ `link` carries."""
    if link == PPI or link == PKTAP:  # headers that name the link type of what follows
        if end - at < 12:
            return -P_SHORT, at
        size = le16(b, at + 2) if link == PPI else le32(b, at)
        link = le32(b, at + 4) if link == PPI else le32(b, at + 8)
        at += size
        if size < 8 or link == PPI or link == PKTAP:
            return -P_MALFORMED, at
    if link == ETHERNET:
        return ethernet(b, at, end)
    if link == SLL2:
        if end - at < 20:
            return -P_SHORT, at
        return beneath(b, at + 20, end, u16(b, at))
    if link == SLL:
        if end - at < 16:
            return -P_SHORT, at
        return beneath(b, at + 16, end, u16(b, at + 14))
    if link == RAW or link == RAW_BSD or link == RAW_OPENBSD or link == RAW_IPV4 or link == RAW_IPV6:
        return by_version(b, at, end)
    if link == NULL or link == LOOP:  # the family, in either byte order and with every system's own number for IPv6
        return by_version(b, at + 4, end)
    if link == PPP_ETHER:
        return beneath(b, at, end, PPPOE)
    if link == MPLS_LINK:
        return beneath(b, at, end, MPLS)
    if link == NFLOG:
        return netfilter_log(b, at, end)
    if link == WIFI:
        return wifi(b, at, end, 1)
    if link == RADIOTAP:
        return radiotap(b, at, end)
    return serial(b, at, end, link)


def serial(b: Buffer, at: int, end: int, link: int) -> tuple[int, int]:
    """PPP and Cisco's HDLC in their framings."""
    if link != PPP and link != PPP_HDLC and link != C_HDLC and link != PPP_PPPD and link != PPP_WITH_DIR:
        return K_LINK + (link & 0xFFFF), at
    if link == PPP_WITH_DIR:
        at += 1  # the direction
    if end - at < 4:
        return -P_SHORT, at
    if link == C_HDLC or (link == PPP_HDLC and (b[at] == 0x0F or b[at] == 0x8F)):
        return beneath(b, at + 4, end, u16(b, at + 2))
    if link == PPP_PPPD and b[at] <= 1 and (b[at + 1] == 0 or b[at + 1] == 3):
        at += 2  # Linux puts the direction where address and control stand
    kind, at = ppp(b, at, end)
    return beneath(b, at, end, kind)


def by_version(b: Buffer, at: int, end: int) -> tuple[int, int]:
    """A bare IP packet: its first four bits tell which."""
    if end - at < 1:
        return -P_SHORT, at
    version = b[at] & 0xF0
    if version == 0x40:
        return IPV4, at
    if version == 0x60:
        return IPV6, at
    return -P_MALFORMED, at


def ethernet(b: Buffer, at: int, end: int) -> tuple[int, int]:
    """Ethernet II and 802.3."""
    if end - at < 14:
        return -P_SHORT, at
    return beneath(b, at + 14, end, u16(b, at + 12))


def beneath(b: Buffer, at: int, end: int, kind: int) -> tuple[int, int]:
    """What lies beneath tags, labels, LLC and PPPoE headers; a stack higher than any real one ends in its own kind."""
    for _ in range(MOST_HEADERS):
        if kind == IPV4 or kind == IPV6 or kind < 0 or kind >= K_LLC:
            break
        if kind == VLAN or kind == QINQ or kind == OLD_QINQ:
            if end - at < 4:
                return -P_SHORT, at
            kind = u16(b, at + 2)
            at += 4
        elif kind < LEAST:
            kind, at = llc(b, at, end)
        elif kind == PPPOE:
            if end - at < 6:
                return -P_SHORT, at
            if b[at] != 0x11 or b[at + 1] != 0:
                return -P_MALFORMED, at
            kind, at = ppp(b, at + 6, end)
        elif kind == MPLS or kind == MPLS_MULTICAST:
            return labels(b, at, end)
        elif kind == MACSEC:
            if end - at < 16:
                return -P_SHORT, at
            if b[at] & 0x8C:  # an unknown version, or encrypted
                return -P_ENCRYPTED, at
            at += 14 if b[at] & 0x20 else 6
            kind = u16(b, at)
            at += 2
        else:
            break
    return kind, at


def llc(b: Buffer, at: int, end: int) -> tuple[int, int]:
    """802.2, with an EtherType where there is a SNAP header (RFC 1042, IEEE 802.1H)."""
    if end - at < 3:
        return -P_SHORT, at
    if b[at] == 0xAA and b[at + 1] == 0xAA and b[at + 2] == 3:
        if end - at < 8:
            return -P_SHORT, at
        if b[at + 3] == 0 and b[at + 4] == 0 and (b[at + 5] == 0 or b[at + 5] == 0xF8):
            return u16(b, at + 6), at + 8
    if b[at] == 6 and b[at + 1] == 6 and b[at + 2] == 3:
        return IPV4, at + 3
    return K_LLC + b[at], at


def ppp(b: Buffer, at: int, end: int) -> tuple[int, int]:
    """RFC 1661, address and control bytes and the protocol's first byte there or compressed away."""
    if end - at >= 2 and b[at] == 0xFF and b[at + 1] == 3:
        at += 2
    if end - at < 2:
        return -P_SHORT, at
    if b[at] & 1:
        protocol = b[at] * 1
        at += 1
    else:
        protocol = u16(b, at)
        at += 2
    if protocol == 0x21:
        return IPV4, at
    if protocol == 0x57:
        return IPV6, at
    if protocol == 0x281 or protocol == 0x283:
        return MPLS, at
    return K_PPP + protocol, at


def labels(b: Buffer, at: int, end: int) -> tuple[int, int]:
    """A stack of MPLS labels. What follows it only a router knows: IP tells itself by its version, and a pseudowire by
    the control word that begins with zero (RFC 4385)."""
    for _ in range(MOST_LABELS):
        if end - at < 5:
            return -P_SHORT, at
        bottom = b[at + 2] & 1
        at += 4
        if bottom:
            version = b[at] & 0xF0
            if version == 0x40:
                return IPV4, at
            if version == 0x60:
                return IPV6, at
            return (BRIDGED, at + 4) if version == 0 else (MPLS, at)
    return MPLS, at


def netfilter_log(b: Buffer, at: int, end: int) -> tuple[int, int]:
    """NFLOG: attributes (length, type, value, padding to 4 bytes), one of them the packet."""
    at += 4
    for _ in range(64):
        if end - at < 4:
            return -P_SHORT, at
        size = le16(b, at)
        if le16(b, at + 2) & 0x7FFF == 9:  # NFULA_PAYLOAD
            return by_version(b, at + 4, end)
        if size < 4:
            break
        at += (size + 3) // 4 * 4
    return -P_MALFORMED, at


def radiotap(b: Buffer, at: int, end: int) -> tuple[int, int]:
    """802.11 with a radiotap header, of which only its length counts, and whether the 802.11 header is padded."""
    if end - at < 8:
        return -P_SHORT, at
    size = le16(b, at + 2)
    if size < 8:
        return -P_MALFORMED, at
    if end - at < size:
        return -P_SHORT, at
    present = le32(b, at + 4)
    field = at + 8
    more = present
    for _ in range(32):
        if more & 0x80000000 == 0 or field + 4 > at + size:
            break
        more = le32(b, field)
        field += 4
    if present & 1:  # TSFT, 8 bytes on an 8-byte boundary
        field += (at - field) % 8 + 8
    flags = 0
    if present & 2 and field < at + size:
        flags = b[field] * 1
    return wifi(b, at + size, end, 4 if flags & 0x20 else 1)


def wifi(b: Buffer, at: int, end: int, boundary: int) -> tuple[int, int]:
    """An 802.11 data frame; its body begins at a multiple of `boundary`."""
    if end - at < 2:
        return -P_SHORT, at
    first = b[at] * 1
    flags = b[at + 1] * 1
    if first & 0x0C != 0x08 or first & 0x40:
        return K_WIFI_CONTROL, at
    size = 30 if flags & 3 == 3 else 24
    quality = at + size
    if first & 0x80:
        size += 2
        if flags & 0x80:
            size += 4
    if flags & 0x40:
        return -P_ENCRYPTED, at
    if end - at < size:
        return -P_SHORT, at
    if first & 0x80 and b[quality] & 0x80:
        return K_WIFI_AGGREGATE, at
    return beneath(b, at + (size + boundary - 1) // boundary * boundary, end, LLC)
