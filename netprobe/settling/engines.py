"""Interpreted or compiled: which form of the loops over packets a capture is read with.

Compiling costs seconds once and a third of a second each time, so small captures are read by the interpreter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

from netprobe.settling import jit, parts, patterns
from netprobe.tracker import (
    INTERPRETED,
    Engine,
    Tracker,
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
    *(rows, hosts, sides, undecoded, loop, classes, index, patterns, parts),
)
ENTRIES = (
    *(loop.advance, rows.sweep, rows.release, rows.enter, classes.classify),
    *(index.index_pcap, index.index_pcapng, patterns.fill),
    *(parts.pack, parts.unpack, parts.ends, parts.answers, parts.learn, parts.recall, parts.strays),
)
# Called for nearly every packet, from one place or few: a call passes each array as seven words, which took half of
# the loop's time.
INLINED = (
    *(loop.receive_tcp, loop.from_server, decode.decode, decode.straight, sides.steady, sides.keep_looks),
    *(rows.keep, rows.server_room, rows.over, rows.hash_pair),
)
# Called for few packets: worked out anew in each place that calls them, they took a quarter of the time to compile.
APART = (
    *(link.beneath, link.serial, link.llc, link.ppp, link.labels, link.netfilter_log, link.radiotap, link.wifi),
    *(network.arp, network.ipv6, network.carried, transport.icmp, transport.quote),
    *(tunnels.by_protocol, tunnels.gre, tunnels.udp, tunnels.gtp, undecoded.by_kind),
    *(loop.receive_error, loop.receive_pair, loop.midstream, loop.answer_to_probe, loop.odd),
    *(sides.compare_reset, sides.compare_data, hosts.note_host),
)
# From so many bytes on the compiled form is faster, its start included: where it lies in the cache, and where it
# would have to be compiled first (measured: 20 us a packet interpreted, 0.35 s and 15 s of start).
WORTH_LOADING = 8 << 20
WORTH_COMPILING = 64 << 20


def compiles(size: int, wanted: bool | None = None) -> bool:
    """Whether the engine for a capture of `size` bytes is compiled, as `choose` has it."""
    if wanted is False or (wanted is None and size < WORTH_LOADING) or not jit.available():
        return False
    return wanted is True or size >= WORTH_COMPILING or jit.cached(MODULES)


def choose(size: int, notice: Callable[[str], None], wanted: bool | None = None) -> Engine:
    """The engine for a capture of `size` bytes; `wanted` overrules (True: compiled where Numba is installed)."""
    if not compiles(size, wanted):
        return INTERPRETED
    ready = jit.cached(MODULES)
    key = str(jit.folder(MODULES))
    engine = _LOADED.get(key)
    if engine is None or not ready:
        functions = jit.compiled(MODULES, ENTRIES, INLINED, APART, notice)
        engine = _LOADED[key] = Engine(SimpleNamespace(**functions), compiled=True)
        if not ready:
            _compile(engine)
    return engine


# What this process has loaded, by the folder it came from: 10 MB each time for every further capture.
_LOADED: dict[str, Engine] = {}


def _compile(engine: Engine) -> None:
    """Compile all now: the loop over frames here, the rest in a second process at the same time, through the cache."""
    import os
    import subprocess
    import sys

    code = "from netprobe.settling import engines; engines.compile_others()"
    path = os.pathsep.join(part for part in sys.path if part)
    with (
        subprocess.Popen(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ),
        jit.compiling(MODULES, ENTRIES, APART),
    ):
        tracker = Tracker(reuses=True, engine=engine)
        nothing = engine.integers(1)
        tracker.advance(engine.octets(1), 0, 0, *(nothing for _ in range(7)))


def compile_others() -> None:
    """Compile all but the loop over frames, by analysing tiny captures. What comes of it is in the cache."""
    functions = jit.compiled(MODULES, ENTRIES, INLINED, APART, lambda _: None)

    def interpreted(buffer: Any, *others: Any) -> int:
        return loop.advance(bytes(buffer), *others)

    engine = Engine(SimpleNamespace(**{**functions, "advance": interpreted}), compiled=True)
    with jit.compiling(MODULES, ENTRIES, APART):
        _try(engine)


def load() -> None:
    """Have the compiled engine in this process, by analysing tiny captures; not where it would have to be compiled."""
    if jit.available() and jit.cached(MODULES):
        _try(choose(0, lambda _: None, wanted=True))


def _try(engine: Engine) -> None:
    """Analyze a SYN in each format, for the sake of what is compiled or loaded by it."""
    import struct

    addresses = bytes.fromhex("4500002800000000400600000a0000010a000002")
    syn = addresses + struct.pack(">HHIIBBHHH", 9, 22, 1, 0, 80, 2, 9, 0, 0)
    pcap = struct.pack("<IHHiIIIIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101, 1, 0, 40, 40) + syn
    section = struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
    interface = struct.pack("<IIHHII", 1, 20, 101, 0, 0, 20)
    packet = struct.pack("<IIIIIII", 6, 72, 0, 0, 0, 40, 40) + syn + struct.pack("<I", 72)
    for capture in (pcap, section + interface + packet):
        _read(capture, engine)


def prepare(size: int, notice: Callable[[str], None], wanted: bool | None = None, *, portions: bool = False) -> None:
    """Have in the cache what other processes need for captures of up to `size` bytes, or for `portions` of them: they
    would compile the same at the same time."""
    if portions and not jit.cached(MODULES, parts.pack.__name__):
        prepare_parts(notice)
    elif compiles(size, wanted) and not jit.cached(MODULES):
        choose(size, notice, wanted)


def prepare_parts(notice: Callable[[str], None]) -> Engine:
    """The compiled engine with all that parts of a capture need, in this process and in the cache. Only where
    `jit.available()`."""
    import numpy as np

    engine = choose(0, notice, wanted=True)
    _try(engine)
    functions, one, byte = engine.functions, engine.integers(64), engine.octets(64)
    tracker = Tracker(reuses=True, engine=engine, capacity=1)
    table, talks, none = tracker.table, tracker.talks, np.zeros(0, dtype=np.int64)
    with jit.compiling(MODULES, ENTRIES, APART):
        functions.pack(table, none, 0, 0, talks, one, byte, one, one)
        functions.unpack(one, byte, one, none, 0, 0, table, talks)
        functions.ends(table, none, 0, one)
        functions.answers(table, none, 0, one, one)
        functions.strays(byte, 0, 0, one, one, one, one, 0, one)
        functions.learn(one, none, 0, 0, tracker.hosts, one)
        functions.recall(table, 0, tracker.hosts)
    return engine


def _read(capture: bytes, engine: Engine) -> None:
    """Analyze a capture; nobody sees what comes of it."""
    import io

    from netprobe.settling.flow import Flow
    from netprobe.settling.kinds import Settling
    from netprobe.settling.lines import Lines
    from netprobe.wire.capture import CaptureReader

    settling = Settling(engine)
    lines = Lines(settling, engine, lambda _: None)
    flow = Flow(settling.tracker, engine, partial(lines.give, causes=Counter()), None, settling.sessions)
    reader = CaptureReader(io.BytesIO(capture))
    for batch in reader.batches(64, lambda one: getattr(engine.functions, one.__name__)):
        flow.feed(batch)
    flow.finish()
    settling.tracker.release([])
    flow.close()
