"""One frame's headers into a row of integers: link (link.py), network (network.py), transport (transport.py), and what
lies inside tunnels (tunnels.py).

House rules of all five:
1. Written in the subset of Python that Numba compiles: integers, indexing, bounded loops; no objects, no exceptions.
2. No byte string makes it fail: what doesn't hold has a P_ value of its own, so that nothing is dropped uncounted.
3. Only what a packet's P_ value promises is written; the rest of the row is left from packets before.
"""

from __future__ import annotations

from netprobe.tracker.columns import D_OFFSET, D_PROTOCOL, D_WHAT, P_TCP, P_UNKNOWN_LINK
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
    while kind >= 0:
        kind, at, end = network(b, at, end, kind, depth, d)
        depth -= 1
    d[D_PROTOCOL] = -kind
    if kind == -P_UNKNOWN_LINK:
        d[D_WHAT] = link
    if kind == -P_TCP:
        d[D_OFFSET] -= start
