"""Captures of strangers: one verdict for each attempt, in order, whatever else is in the file."""

from __future__ import annotations

import importlib.util
import json
import os
import struct
from dataclasses import replace
from pathlib import Path

import pytest

from netprobe import analyze
from netprobe.errors import NetprobeError
from netprobe.model import Endpoint, Frame, Mode, Verdict
from netprobe.options import AnalyzeOptions
from netprobe.report import Report, table
from netprobe.report import json as report_json
from netprobe.report.outcome import exit_code
from netprobe.settling import kinds
from netprobe.wire.capture import CaptureReader
from netprobe.wire.writer import CaptureWriter
from tests.ladder import ladder
from tests.packets import Segment
from tests.wrappings import TUNNELS, ethernet, four, udp

needs_numba = pytest.mark.skipif(importlib.util.find_spec("numba") is None, reason="numba is not installed")


def save(path: Path, text: str) -> Path:
    """The frames of a ladder as a capture."""
    writer = CaptureWriter(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC), str(path))
    for record in ladder(text).records:
        writer.write(record)
    writer.close()
    return path


def run(*files: Path, servers: tuple[str, ...] = ()) -> Report:
    told: list[Verdict] = []
    report = analyze.run(AnalyzeOptions(files=files, servers=servers), told.append, lambda _: None)
    assert tuple(told) == report.verdicts
    return report


def verdicts(tmp_path: Path, text: str) -> list[tuple[int, str]]:
    """Port and cause of each verdict."""
    report = run(save(tmp_path / "one.pcapng", text))
    return [(v.port, v.cause) for v in report.verdicts]


def test_one_verdict_for_each_attempt_in_order(tmp_path: Path) -> None:
    text = """
        0.0 > S [mss]
        0.1 < RA
        0.2 > S port 40001 to 80 [mss]
        0.3 < icmp 3/13 port 40001 to 80 from 198.51.100.2
        0.4 > S port 40002 to 443 [mss]
        5.0 > S port 40003 to 25 [mss]
        5.1 < SA port 40003 to 25
        5.2 > A port 40003 to 25
        5.3 < PA port 40003 to 25 "220 mx ESMTP\\r\\n"
    """
    assert verdicts(tmp_path, text) == [
        (22, "no-listener"),
        (80, "rejected-on-path"),
        (443, "inconclusive"),
        (25, "up"),
    ]


def test_attempts_to_the_same_port_each_have_their_own(tmp_path: Path) -> None:
    text = """
        0.0 > S [mss]
        0.1 < RA
        9.0 > S port 40001 [mss]
        9.1 < SA port 40001
        9.2 > A port 40001
        9.3 < PA port 40001 "SSH-2.0-x\\r\\n"
    """
    assert [cause for _, cause in verdicts(tmp_path, text)] == ["no-listener", "up"]


def test_repeated_syns_are_one_attempt(tmp_path: Path) -> None:
    report = run(save(tmp_path / "one.pcapng", "0 > S [mss]\n1 > S [mss]\n3 > S [mss]\n7 > S [mss]"))
    assert [v.attempts for v in report.verdicts] == [4]
    assert report.verdicts[0].cause in ("host-silent", "inconclusive")


def test_frame_numbers_are_those_of_the_file(tmp_path: Path) -> None:
    text = "0 > S port 40007 to 80 [mss]\n0.1 > S [mss]\n0.2 < RA"
    report = run(save(tmp_path / "one.pcapng", text))
    assert {c.frame for c in report.verdicts[1].evidence} >= {2, 3}


def test_a_capture_without_attempts_gives_none(tmp_path: Path) -> None:
    report = run(save(tmp_path / "one.pcapng", "0 < RA\n0.1 < reply id 4"))
    assert report.verdicts == ()
    assert report.capture.packets == 2
    assert report.capture.unsolicited == 2
    assert report.mode is Mode.CAPTURE


def test_probes_and_midstream_are_no_attempts(tmp_path: Path) -> None:
    assert verdicts(tmp_path, 'direction unknown\n0 < PA "x"\n0.1 > A\n0.2 > S port 61000 ttl 3 [mss]') == []


def test_only_the_servers_asked_for(tmp_path: Path) -> None:
    path = save(tmp_path / "one.pcapng", "0 > S [mss]\n0.1 < RA")
    assert len(run(path, servers=("203.0.113.5",)).verdicts) == 1
    assert len(run(path, servers=("203.0.113.6",)).verdicts) == 0


def test_any_link_and_unknown_direction(tmp_path: Path) -> None:
    for link in ("ethernet", "raw", "sll", "sll2", "null", "vlan"):
        text = f"link {link}\ndirection unknown\n0 > S [mss]\n0.1 < RA"
        assert verdicts(tmp_path, text) == [(22, "no-listener")], link


def test_several_files_are_each_for_themselves(tmp_path: Path) -> None:
    one = save(tmp_path / "one.pcapng", "0 > S [mss]\n0.1 < RA")
    two = save(tmp_path / "two.pcapng", "0 > S [mss]\n0.1 < icmp 3/3 from 203.0.113.5")
    assert [v.cause for v in run(one, two).verdicts] == ["no-listener", "rejected-by-host"]


def test_what_one_capture_taught_changes_no_other() -> None:
    """Kinds of attempts are known to all captures of a process; each gives the lines that it gives alone."""
    files = sorted((Path(__file__).parent.parent / "captures").rglob("*.pcap*"))

    def lines(path: Path, *, alone: bool) -> bytes:
        if alone:
            kinds.forget()
        found: list[bytes] = []
        outlets = analyze.Outlets(lines=lambda some: found.append(bytes(some)))
        analyze.analyze(path, AnalyzeOptions(files=(path,)), lambda _: None, outlets=outlets)
        return b"".join(found)

    own = [lines(path, alone=True) for path in files]
    assert len(set(own)) > 200
    kinds.forget()
    assert [lines(path, alone=False) for path in files] == own
    assert [lines(path, alone=False) for path in reversed(files)] == own[::-1]


def test_an_unreadable_file_among_others_is_told(tmp_path: Path) -> None:
    good = save(tmp_path / "one.pcapng", "0 > S [mss]\n0.1 < RA")
    bad = tmp_path / "bad.pcapng"
    bad.write_bytes(b"not a capture")
    notices: list[str] = []
    report = analyze.run(AnalyzeOptions(files=(bad, good)), lambda _: None, notices.append)
    assert [v.cause for v in report.verdicts] == ["no-listener"]
    assert report.failure is not None
    assert any("bad.pcapng" in line for line in notices)
    with pytest.raises(NetprobeError):
        run(bad)


def test_a_damaged_file_gives_what_was_readable(tmp_path: Path) -> None:
    path = save(tmp_path / "one.pcapng", "0 > S [mss]\n0.1 < RA\n0.2 > S port 40001 to 80 [mss]")
    path.write_bytes(path.read_bytes()[:-150] + b"\xff" * 150)
    report = run(path)
    assert [v.cause for v in report.verdicts][:1] == ["no-listener"]
    assert "byte " in report.capture.damage[0]
    assert exit_code(report) == 4


def test_a_capture_still_being_written_is_not_damaged(tmp_path: Path) -> None:
    path = save(tmp_path / "one.pcapng", "0 > S [mss]\n0.1 < RA\n0.2 > S port 40001 to 80 [mss]")
    path.write_bytes(path.read_bytes()[:-150])
    notices: list[str] = []
    report = analyze.run(AnalyzeOptions(files=(path,)), lambda _: None, notices.append)
    assert [v.cause for v in report.verdicts][:1] == ["no-listener"]
    assert not report.capture.damage
    assert "cut off" in notices[0]


def test_files_read_together_are_one_capture(tmp_path: Path) -> None:
    """A reset that stands in the next file of a rotated capture."""
    whole = save(tmp_path / "whole.pcapng", "0 > S [mss]\n0.1 < RA")
    syn, reset = (record for record in CaptureReader(whole))
    for name, record in (("b", syn), ("a", reset)):
        assert isinstance(record, Frame)
        seconds, rest = divmod(record.time_ns, 10**9)
        head = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 0, record.link_type)
        body = struct.pack("<IIII", seconds, rest, len(record.data), record.length) + record.data
        (tmp_path / name).write_bytes(head + body)
    files = (tmp_path / "a", tmp_path / "b", tmp_path / "missing")
    notices: list[str] = []
    report = analyze.run(AnalyzeOptions(files=files, together=True), lambda _: None, notices.append)
    assert [v.cause for v in report.verdicts] == ["no-listener"]
    assert [citation.frame for citation in report.verdicts[0].evidence] == [1, 2]
    assert report.failure is not None
    assert len(notices) == 1


def test_an_interrupt_keeps_what_was_found(tmp_path: Path) -> None:
    path = save(tmp_path / "one.pcapng", "0 > S [mss]\n0.1 < RA")

    def interrupt(_: Verdict) -> None:
        raise KeyboardInterrupt

    report = analyze.run(AnalyzeOptions(files=(path,)), interrupt, lambda _: None)
    assert report.interrupted


def test_many_attempts_to_one_server(tmp_path: Path) -> None:
    text = "\n".join(
        f"{n / 100} > S port {20000 + n} [mss]\n{n / 100 + 0.005} < RA port {20000 + n}" for n in range(100)
    )
    report = run(save(tmp_path / "one.pcapng", text))
    assert len(report.verdicts) == 100
    assert {v.cause for v in report.verdicts} == {"no-listener"}
    assert all(isinstance(record, Frame) for record in ladder(text).records)


# --------------------------------------------------------------------------- what is only counted


def wrapped(tmp_path: Path, link: int, *packets: bytes) -> Path:
    """A pcap file of these frames, a second apart."""
    path = tmp_path / "wrapped.pcap"
    records = [struct.pack("<IIII", n, 0, len(data), len(data)) + data for n, data in enumerate(packets)]
    path.write_bytes(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, link) + b"".join(records))
    return path


def refused() -> list[bytes]:
    syn = Segment(src=Endpoint("192.0.2.1", 40000), dst=Endpoint("203.0.113.5", 22), seq=7, tos=0x48, options=("mss",))
    return [syn.packet(), replace(syn.turned("RA"), ack=8, ttl=60, tos=0x48).packet()]


@pytest.mark.parametrize("compiled", [False, pytest.param(True, marks=needs_numba)])
def test_tunnels_are_looked_into_where_asked_and_told_where_not(tmp_path: Path, compiled: bool) -> None:
    path = wrapped(tmp_path, 101, *(TUNNELS["erspan 2"][1](packet) for packet in refused()))
    notices: list[str] = []
    options = AnalyzeOptions(files=(path,), compiled=compiled)
    report = analyze.run(options, lambda _: None, notices.append)
    assert report.verdicts == ()
    assert dict(report.capture.undecoded) == {"tunnel": 2}
    assert [line for line in notices if "--tunnels" in line] == [
        "2 packets are in tunnels and were not looked at; --tunnels looks inside"
    ]
    notices.clear()
    report = analyze.run(replace(options, tunnels=True), lambda _: None, notices.append)
    assert [verdict.cause for verdict in report.verdicts] == ["no-listener"]
    assert dict(report.capture.undecoded) == {}
    assert not [line for line in notices if "--tunnels" in line]


def test_what_is_only_counted_is_in_every_report(tmp_path: Path) -> None:
    lldp, dns = ethernet(bytes(46), b"\x88\xcc"), ethernet(four(17, udp(53, bytes(12))))
    report = run(wrapped(tmp_path, 1, *map(ethernet, refused()), lldp, dns, dns))
    assert dict(report.capture.undecoded) == {"udp": 2, "ethertype-0x88cc": 1}
    document = json.loads(report_json.document(report))
    assert document["capture"]["undecoded"] == {"udp": 2, "ethertype-0x88cc": 1}
    assert "3 of 5 packets were only counted: 2 udp, 1 ethertype-0x88cc" in table.render(report)
    assert "only counted" not in table.render(report, verbosity=-1)
    plain = run(wrapped(tmp_path, 1, *map(ethernet, refused())))
    assert "undecoded" not in json.loads(report_json.document(plain))["capture"]


def test_an_unknown_link_type_is_named(tmp_path: Path) -> None:
    report = run(wrapped(tmp_path, 147, *refused()))
    assert report.verdicts == ()
    assert "2 of 2 packets were only counted: 2 link-type-147" in table.render(report)
