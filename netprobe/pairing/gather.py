"""The headers of many frames at once, for captures that are read with compiled loops.

House rules of this file:
1. Written in the subset of Python that Numba compiles, like the tracker's loop.
"""

from __future__ import annotations

from collections.abc import Sequence

from netprobe.tracker.decode import decode
from netprobe.tracker.octets import Buffer, Row


def gather(
    buffer: Buffer,
    starts: Sequence[int],
    ends: Sequence[int],
    links: Sequence[int],
    first: int,
    last: int,
    depth: int,
    out: Sequence[Row],
) -> None:
    """Decode frames first..last-1 into the rows of `out`, from its first one on; `depth` tunnels deep."""
    for i in range(first, last):
        decode(buffer, starts[i], ends[i], links[i], out[i - first], depth)
