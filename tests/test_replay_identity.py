"""A scan that was saved and analysed again gives the same verdicts, field by field."""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path

import pytest

from netprobe import analyze
from netprobe.model import Mode, ResolvedFact, RouteFact, Verdict
from netprobe.options import AnalyzeOptions, ScanOptions
from netprobe.report import Report
from netprobe.report.table import render
from netprobe.scan import Scan
from netprobe.targets import Target
from netprobe.wire.capture import CaptureReader
from netprobe.wire.memory import START_NS, MemoryWire
from netprobe.wire.writer import CaptureWriter
from tests.network import OPENSSH, Network, listening, netfilter, silent
from tests.test_scan_memory import CASES


def saved(path: Path, network: Network, options: ScanOptions, **more: object) -> tuple[Verdict, ...]:
    """Scan, save, and give the verdicts as they were told."""
    return reported(path, network, options, **more).verdicts


def reported(path: Path, network: Network, options: ScanOptions, **more: object) -> Report:
    """The same with all of the report."""
    writer = CaptureWriter(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC), str(path))
    gateway = network.routers[0] if network.routers else None
    route = RouteFact(address=network.address, outcome="ok", interface="eth0", source=network.source, gateway=gateway)
    mode = Mode.RAW if network.frames else Mode.CONNECT
    more = {"routes": {network.address: route}, **more}
    wire = MemoryWire(network, mode=mode, writer=writer, **more)  # type: ignore[arg-type]
    return Scan(wire, options, lambda _: None, lambda _: None).run()


def replayed(path: Path) -> tuple[Verdict, ...]:
    return analyze.run(AnalyzeOptions(files=(path,)), lambda _: None, lambda _: None).verdicts


def assert_equal(scanned: tuple[Verdict, ...], again: tuple[Verdict, ...]) -> None:
    assert len(scanned) == len(again)
    for one, other in zip(scanned, again, strict=True):
        for field in fields(Verdict):
            assert getattr(one, field.name) == getattr(other, field.name), field.name


def options_for(network: Network, **more: object) -> ScanOptions:
    return ScanOptions(targets=(Target(network.address, network.address),), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("frames", [True, False], ids=["raw", "connect"])
@pytest.mark.parametrize("name", CASES)
def test_identity(name: str, frames: bool, tmp_path: Path) -> None:
    network = CASES[name][0]()
    network.frames = frames
    path = tmp_path / "scan.pcapng"
    scanned = saved(path, network, options_for(network))
    assert scanned
    assert_equal(scanned, replayed(path))


@pytest.mark.parametrize("verbosity", [0, 2])
@pytest.mark.parametrize("frames", [True, False], ids=["raw", "connect"])
@pytest.mark.parametrize("name", CASES)
def test_scan_and_analyze_print_the_same(name: str, frames: bool, verbosity: int, tmp_path: Path) -> None:
    network = CASES[name][0]()
    network.frames = frames
    path = tmp_path / "scan.pcapng"
    scanned = reported(path, network, options_for(network))
    again = analyze.run(AnalyzeOptions(files=(path,)), lambda _: None, lambda _: None)
    said = [render(report, width=80, verbosity=verbosity) for report in (scanned, again)]
    assert said[0] == said[1]
    if scanned.verdicts[0].cause != "up" and scanned.verdicts[0].evidence:
        assert "* decides  client" in said[0]
    if not verbosity:
        assert len(said[0].splitlines()) <= 34  # a small terminal has 24, a usual one more


def test_identity_of_many_ports(tmp_path: Path) -> None:
    network = Network(ports={22: listening, 23: netfilter, 24: silent}, services={22: OPENSSH})
    path = tmp_path / "scan.pcapng"
    scanned = saved(path, network, options_for(network, ports=(22, 23, 24, 25, 26)))
    assert [v.port for v in scanned] == [22, 23, 24, 25, 26]
    assert_equal(scanned, replayed(path))


def test_identity_of_a_name_with_two_addresses_and_one_without(tmp_path: Path) -> None:
    network = Network(ports={22: netfilter})
    names = {
        "a.example": ResolvedFact(name="a.example", outcome="ok", addresses=(network.address, "203.0.113.6")),
        "b.example": ResolvedFact(name="b.example", outcome="server-failure", detail="SERVFAIL"),
    }
    path = tmp_path / "scan.pcapng"
    targets = tuple(Target(name, name) for name in names)
    scanned = saved(path, network, ScanOptions(targets=targets), names=names)
    assert len(scanned) == 3
    assert {v.cause for v in scanned} >= {"reset-by-host-firewall", "resolver-failure"}
    assert_equal(scanned, replayed(path))


def test_identity_of_an_interrupted_scan(tmp_path: Path) -> None:
    network = Network(ports={22: silent})

    class Interrupted(MemoryWire):
        def receive(self, deadline_ns: int) -> list:  # type: ignore[type-arg]
            if self.now_ns() > START_NS + 2 * 10**9:
                raise KeyboardInterrupt
            return super().receive(deadline_ns)

    path = tmp_path / "scan.pcapng"
    writer = CaptureWriter(os.open(path, os.O_RDWR | os.O_CREAT), str(path))
    wire = Interrupted(network, writer=writer)
    report = Scan(wire, options_for(network), lambda _: None, lambda _: None).run()
    assert report.interrupted
    assert_equal(report.verdicts, replayed(path))


def test_a_scan_cut_off_in_the_middle_still_gives_a_verdict(tmp_path: Path) -> None:
    network = Network(ports={22: silent})
    path = tmp_path / "scan.pcapng"
    saved(path, network, options_for(network))
    whole = path.read_bytes()
    for part in (0.3, 0.5, 0.7):
        path.write_bytes(whole[: int(len(whole) * part)])
        verdicts = replayed(path)
        assert [v.cause for v in verdicts] == ["inconclusive"]


def test_cited_frames_carry_comments(tmp_path: Path) -> None:
    network = Network()
    path = tmp_path / "scan.pcapng"
    scanned = saved(path, network, options_for(network))
    reader = CaptureReader(path)
    numbers = {record.number for record in reader}
    cited = {citation.frame for citation in scanned[0].evidence}
    assert cited
    assert cited <= numbers
    assert set(reader.comments) <= cited
    assert all("NP110" in text for texts in reader.comments.values() for text in texts)


def test_restricted_to_a_server(tmp_path: Path) -> None:
    network = Network()
    path = tmp_path / "scan.pcapng"
    saved(path, network, options_for(network))
    for servers, count in (((network.address,), 1), (("192.0.2.200",), 0)):
        report = analyze.run(AnalyzeOptions(files=(path,), servers=servers), lambda _: None, lambda _: None)
        assert len(report.verdicts) == count
