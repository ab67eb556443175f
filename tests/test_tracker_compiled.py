"""The tracker compiled and interpreted: the same frames, whole, damaged and cut off, give the same table and counts."""

from __future__ import annotations

import importlib.util
import random
from dataclasses import replace
from itertools import accumulate
from typing import Any

import pytest

from netprobe.model import Endpoint, Frame
from netprobe.tracker import INTERPRETED, Engine, Tracker, columns
from tests.ladder import ladder
from tests.packets import Segment, icmp_error
from tests.situations import SITUATIONS
from tests.wrappings import LINKS, TUNNELS

pytestmark = pytest.mark.skipif(importlib.util.find_spec("numba") is None, reason="numba is not installed")


def compiled() -> Engine:
    from netprobe.settling import engines

    found = engines.choose(0, lambda _: None, wanted=True)
    assert found.compiled
    return found


def table(engine: Engine, frames: list[Frame], depth: int) -> tuple[list[list[int]], list[int], list[int]]:
    """Rows, row of each frame and packets by kind."""
    tracker = Tracker(reuses=True, engine=engine, capacity=2 * len(frames), depth=depth)
    ends = list(accumulate(len(frame.data) for frame in frames))
    columns_ = [
        [0, *ends[:-1]],
        ends,
        [frame.link_type for frame in frames],
        [frame.time_ns for frame in frames],
        [frame.number for frame in frames],
        [-1 if frame.outgoing is None else int(frame.outgoing) for frame in frames],
        [-1] * len(frames),
    ]
    buffer: Any = b"".join(frame.data for frame in frames)
    if engine.compiled:
        import numpy as np

        buffer = np.frombuffer(bytearray(buffer), dtype=np.uint8)
        columns_ = [np.array(one, dtype=np.int64) for one in columns_]  # type: ignore[misc]
    starts, ends, links, times, numbers, outgoings, touched = columns_
    at = 0
    while True:
        at = tracker.advance(buffer, at, len(frames), starts, ends, links, times, numbers, outgoings, touched)
        if at == len(frames):
            break
        tracker.grow_talks()
    rows = [[int(value) for value in row] for row in tracker.rows]
    return rows, [int(row) for row in touched], [tracker.count(n) for n in range(columns.COUNTERS)]


def damaged(rng: random.Random, frames: list[Frame]) -> list[Frame]:
    """Some bytes changed, some frames cut off, some inside a tunnel, some doubled."""
    found = []
    for frame in frames:
        data = bytearray(frame.data)
        if frame.link_type in (1, 276) and rng.random() < 0.3:
            packet = bytes(data[14 if frame.link_type == 1 else 20 :])
            data = bytearray(LINKS["ethernet" if frame.link_type == 1 else "sll2"][1](rng.choice(WRAPS)(packet)))
        for _ in range(rng.choice([0, 0, 0, 1, 3])):
            data[rng.randrange(len(data))] = rng.randrange(256)
        cut = rng.randint(0, len(data)) if rng.random() < 0.2 else len(data)
        found += [replace(frame, data=bytes(data[:cut]))] * rng.choice([1, 1, 1, 2])
    return [replace(frame, number=n) for n, frame in enumerate(found, 1)]


WRAPS = [wrap for _, wrap in TUNNELS.values()]


@pytest.mark.parametrize("depth", [0, 4])
def test_situations_whole_and_damaged(depth: int) -> None:
    engine, rng = compiled(), random.Random(3)
    for name in sorted(SITUATIONS):
        frames = [record for record in ladder(SITUATIONS[name]).records if isinstance(record, Frame) and record.data]
        if not frames:
            continue
        for some in (frames, damaged(rng, frames), damaged(rng, frames)):
            assert table(engine, some, depth) == table(INTERPRETED, some, depth), name


def test_quotes_behind_a_nat_and_tries_with_new_numbers() -> None:
    syn = Segment(src=Endpoint("192.0.2.1", 40000), dst=Endpoint("203.0.113.5", 22), seq=1000, options=("mss",))
    reset = replace(syn.turned("RA"), ack=1001)
    again = replace(syn, seq=2000)
    quoted = replace(again, src=Endpoint("10.0.0.7", 40000))
    error = icmp_error("198.51.100.2", "192.0.2.1", 3, 13, quoted.packet())
    packets = [(0, syn.packet()), (20, reset.packet()), (520, again.packet()), (540, error)]
    frames = [Frame(n, ms * 1_000_000, 101, data, len(data), None) for n, (ms, data) in enumerate(packets, 1)]
    rows, touched, counts = table(INTERPRETED, frames, 0)
    assert touched == [0, 0, 0, 0]
    assert rows[0][columns.ICMP + columns.I_FRAME] == 4
    assert table(compiled(), frames, 0) == (rows, touched, counts)
