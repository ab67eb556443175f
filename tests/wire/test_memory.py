"""The scripted wire, the recorder behind every wire, and the clock."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from netprobe.errors import CaptureWriteError
from netprobe.model import (
    Command,
    Connect,
    ConnectionFact,
    DropFact,
    Endpoint,
    Fact,
    Frame,
    Mode,
    Probe,
    ResolvedFact,
    Shape,
    TargetFact,
)
from netprobe.wire import Wire
from netprobe.wire.capture import CaptureReader
from netprobe.wire.clock import Clock
from netprobe.wire.memory import START_NS, Answer, MemoryWire
from netprobe.wire.writer import CaptureWriter

SERVER = Endpoint("192.0.2.9", 22)
SYN = Probe(Shape.SYN, Endpoint("192.0.2.1", 40000), SERVER, seq=1)


def network(command: Command, now_ns: int) -> Iterable[Answer]:
    match command:
        case Probe():
            yield 0.25, b"\x45" + bytes(39)
        case Connect():
            yield 0.5, ConnectionFact(id=command.id, server=command.server, event="open")


def test_a_script_runs_on_its_own_clock(tmp_path: Path) -> None:
    path = tmp_path / "scan.pcapng"
    writer = CaptureWriter(os.open(path, os.O_RDWR | os.O_CREAT), str(path))
    wire: Wire = MemoryWire(network, writer=writer)
    target = wire.announce(TargetFact(target="x", address="192.0.2.9", port=22))
    assert (target.number, target.time_ns) == (1, START_NS)
    wire.perform(SYN)
    wire.perform(Connect(7, SERVER, 3.0))
    got = wire.receive(START_NS + 10**9)
    assert [r.number for r in got] == [2, 3]
    assert isinstance(got[0], Frame)
    assert got[0].outgoing
    assert isinstance(got[1], ConnectionFact)
    assert got[1].event == "started"
    got += wire.receive(START_NS + 10**9)
    got += wire.receive(START_NS + 10**9)
    assert [r.time_ns - START_NS for r in got[2:]] == [250_000_000, 500_000_000]
    assert wire.receive(START_NS + 10**9) == []
    assert wire.now_ns() == START_NS + 10**9
    wire.comment(4, "the answer")
    wire.close()
    reader = CaptureReader(path)
    assert list(reader) == [target, *got]
    assert reader.comments == {4: ("the answer",)}


def test_waking_returns_without_moving_the_clock() -> None:
    wire = MemoryWire(network)
    wire.wake()
    assert wire.receive(START_NS + 10**9) == []
    assert wire.now_ns() == START_NS


def test_names_and_routes_of_a_script() -> None:
    given = ResolvedFact(name="a.example", outcome="ok", addresses=("192.0.2.9", "2001:db8::9"))
    wire = MemoryWire(network, names={"a.example": given})
    assert wire.resolve("a.example", (4, 6)).addresses == given.addresses
    assert wire.resolve("b.example", (4, 6)).outcome == "not-found"
    assert wire.resolve("2001:db8::7", (4, 6)).addresses == ("2001:db8::7",)
    assert wire.resolve("2001:db8::7", (4,)).outcome == "not-found"
    assert wire.route("192.0.2.9").source == "192.0.2.1"


def test_a_probe_needs_privilege() -> None:
    with pytest.raises(AssertionError):
        MemoryWire(network, mode=Mode.CONNECT).perform(SYN)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_loses_no_record_and_is_told_once() -> None:
    wire = MemoryWire(network, writer=CaptureWriter(os.open("/dev/full", os.O_RDWR), "scan.pcapng"))
    wire.perform(SYN)
    assert len(wire.receive(START_NS + 10**9)) == 1
    with pytest.raises(CaptureWriteError):
        wire.receive(START_NS + 10**9)
    assert len(wire.receive(START_NS + 10**9)) == 1
    wire.announce(DropFact(count=1))
    wire.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_at_the_end_is_told_by_close() -> None:
    wire = MemoryWire(network, writer=CaptureWriter(os.open("/dev/full", os.O_RDWR), "scan.pcapng"))
    fact: Fact = wire.announce(DropFact(count=1))
    assert fact.number == 1
    with pytest.raises(CaptureWriteError, match="No space left"):
        wire.close()


def test_the_clock_goes_on_when_the_system_time_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    before = clock.now_ns()
    stamp = time.time_ns()
    assert abs(clock.from_kernel(stamp, clock.behind_ns()) - before) < 10**8
    real = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() - 3600 * 10**9)
    assert 0 <= clock.now_ns() - before < 10**9
    assert abs(clock.from_kernel(time.time_ns(), clock.behind_ns()) - clock.now_ns()) < 10**8
    assert clock.from_kernel(stamp, clock.behind_ns()) <= clock.now_ns(), "a stamp of before is never in the future"


@pytest.mark.parametrize("interrupted", [range(1), range(3), range(0, 6, 2), range(1, 6, 2)])
def test_a_clock_that_is_kept_off_the_processor_between_two_readings(
    interrupted: range, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As beside busy processes: 8 ms pass between one reading and the next. The packet then came 8 ms too early."""
    moment, readings = [10**9], [0]

    def read(since: int) -> int:
        moment[0] += 100
        if readings[0] in interrupted:
            moment[0] += 8_000_000
        readings[0] += 1
        return moment[0] + since

    clock = Clock()
    clock._offset_ns = 5 * 10**9
    monkeypatch.setattr(time, "monotonic_ns", lambda: read(0))
    monkeypatch.setattr(time, "time_ns", lambda: read(12 * 10**9))
    assert abs(clock.behind_ns() - 7 * 10**9) <= 1000
