"""One frame's headers into a row of integers: link (link.py), network (network.py), transport (transport.py), and what
lies inside tunnels (tunnels.py).

House rules of all five:
1. Written in the subset of Python that Numba compiles: integers, indexing, bounded loops; no objects, no exceptions.
2. No byte string makes it fail: what doesn't hold has a P_ value of its own, so that nothing is dropped uncounted.
3. Only what a packet's P_ value promises is written; the rest of the row is left from packets before.
"""

from __future__ import annotations

from netprobe.tracker.columns import (
    D_ACK,
    D_DPORT,
    D_DST,
    D_FLAGS,
    D_FLOW,
    D_IP_ID,
    D_OFFSET,
    D_OPTIONS,
    D_PAYLOAD,
    D_PROTOCOL,
    D_SEQ,
    D_SPORT,
    D_SRC,
    D_TOS,
    D_TTL,
    D_VERSION,
    D_WINDOW,
    O_DF,
    O_TIMESTAMP,
    P_TCP,
)
from netprobe.tracker.link import ETHERNET, IPV4, frame_header
from netprobe.tracker.network import network
from netprobe.tracker.octets import Buffer, Row

__all__ = ["Buffer", "Row", "decode"]


def decode(b: Buffer, start: int, end: int, link: int, d: Row, depth: int = 0) -> None:
    """Decode the frame b[start:end] of LINKTYPE_ `link` into `d` (columns D_*), through `depth` tunnels at most."""
    if link == ETHERNET and end - start >= 14 and b[start + 12] == 8 and b[start + 13] == 0:
        kind = IPV4
        at = start + 14
    else:
        kind, at = frame_header(b, start, end, link)
    if kind == IPV4 and straight(b, at, end, d):
        kind = -P_TCP
    while kind >= 0:
        kind, at, end = network(b, at, end, kind, depth, d)
        depth -= 1
    d[D_PROTOCOL] = -kind
    if kind == -P_TCP:
        d[D_OFFSET] -= start


def straight(b: Buffer, at: int, end: int, d: Row) -> bool:
    """What most packets are, in one go and with the same result as the long way: TCP in IPv4 without options or
    fragments, with no TCP options or a timestamp. False where it is something else."""
    if end - at < 40 or b[at] != 0x45 or b[at + 9] != 6 or b[at + 6] & 0x3F != 0 or b[at + 7] != 0:
        return False
    header = (b[at + 32] & 0xF0) // 4
    payload = b[at + 2] * 0x100 + b[at + 3] - 20 - header
    if payload < 0:
        return False
    options = O_DF if b[at + 6] & 0x40 else 0
    if header != 20:
        # Two no-operations and a timestamp are what most segments have (RFC 7323, appendix A).
        if header != 32 or end - at < 44 or b[at + 40] != 1 or b[at + 41] != 1:
            return False
        if b[at + 42] != 8 or b[at + 43] != 10:
            return False
        options |= O_TIMESTAMP
    d[D_VERSION] = 4
    d[D_SRC] = 0
    d[D_SRC + 1] = 0
    d[D_SRC + 2] = 0
    d[D_SRC + 3] = b[at + 12] * 0x1000000 + b[at + 13] * 0x10000 + b[at + 14] * 0x100 + b[at + 15]
    d[D_DST] = 0
    d[D_DST + 1] = 0
    d[D_DST + 2] = 0
    d[D_DST + 3] = b[at + 16] * 0x1000000 + b[at + 17] * 0x10000 + b[at + 18] * 0x100 + b[at + 19]
    d[D_TTL] = b[at + 8] * 1
    d[D_TOS] = b[at + 1] * 1
    d[D_IP_ID] = b[at + 4] * 0x100 + b[at + 5]
    d[D_FLOW] = 0
    d[D_SPORT] = b[at + 20] * 0x100 + b[at + 21]
    d[D_DPORT] = b[at + 22] * 0x100 + b[at + 23]
    d[D_SEQ] = b[at + 24] * 0x1000000 + b[at + 25] * 0x10000 + b[at + 26] * 0x100 + b[at + 27]
    d[D_ACK] = b[at + 28] * 0x1000000 + b[at + 29] * 0x10000 + b[at + 30] * 0x100 + b[at + 31]
    d[D_FLAGS] = b[at + 33] * 1
    d[D_WINDOW] = b[at + 34] * 0x100 + b[at + 35]
    d[D_OPTIONS] = options
    d[D_PAYLOAD] = payload
    d[D_OFFSET] = at + 20 + header
    return True
