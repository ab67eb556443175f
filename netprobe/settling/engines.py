"""Interpreted or compiled: which form of the loops over packets a capture is read with.

Compiling costs seconds once and a third of a second each time, so small captures are read by the interpreter.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

from netprobe.settling import jit, patterns
from netprobe.tracker import (
    INTERPRETED,
    Engine,
    classes,
    decode,
    hosts,
    link,
    loop,
    network,
    octets,
    rows,
    sides,
    transport,
    tunnels,
    undecoded,
)
from netprobe.wire import index

MODULES = (
    *(octets, link, network, transport, tunnels, decode),
    *(rows, hosts, sides, undecoded, loop, classes, index, patterns),
)
ENTRIES = (
    *(loop.advance, rows.sweep, rows.release, rows.enter, classes.classify),
    *(index.index_pcap, index.index_pcapng, patterns.fill),
)
# From so many bytes on the compiled form is faster, its start included: where it lies in the cache, and where it
# would have to be compiled first (measured: 20 us a packet interpreted, 0.35 s and 15 s of start).
WORTH_LOADING = 8 << 20
WORTH_COMPILING = 64 << 20


def choose(size: int, notice: Callable[[str], None], wanted: bool | None = None) -> Engine:
    """The engine for a capture of `size` bytes; `wanted` overrules (True: compiled where Numba is installed)."""
    if wanted is False or not jit.available():
        return INTERPRETED
    if wanted is None and size < (WORTH_LOADING if jit.cached(MODULES) else WORTH_COMPILING):
        return INTERPRETED
    return Engine(SimpleNamespace(**jit.compiled(MODULES, ENTRIES, {rows.copy: rows.copy_each}, notice)), compiled=True)
