"""The watch itself: what it reads, when it ends, and what the command line makes of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from netprobe.cli import run
from netprobe.cli.doctor import spelled_out
from netprobe.doctor.collect import Machine, collect, watching
from netprobe.doctor.collect.machine import Unavailable
from netprobe.doctor.diagnose import diagnose
from netprobe.doctor.facts import Asked, Watch
from netprobe.doctor.finding import Status
from netprobe.report.doctor import render
from tests.doctor import recorded
from tests.test_house_rules import ROOT


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (["doctor", "--watch"], ["doctor", "--watch=60"]),
        (["doctor", "--watch", "90"], ["doctor", "--watch", "90"]),
        (["doctor", "--watch=90"], ["doctor", "--watch=90"]),
        (["doctor", "--watch", "--json"], ["doctor", "--watch=60", "--json"]),
        (["doctor", "--watch", "-v"], ["doctor", "--watch=60", "-v"]),
        (["scan", "--watch"], ["scan", "--watch"]),
    ],
)
def test_a_bare_watch_is_a_minute(given: list[str], meant: list[str]) -> None:
    assert spelled_out(given) == meant


@pytest.mark.parametrize(
    "arguments", [["--watch", "29"], ["--watch", "3601"], ["--watch", "nan"], ["--watch", "--from", "x"]]
)
def test_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", *arguments]) == 2
    assert "watch" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["192.0.2.1", "192.0.2.2"], ["-p", "22,80", "192.0.2.1"], ["192.0.2.0/30"]])
def test_marked_syns_are_for_one_server_and_one_port(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["scan", "--marked", *arguments]) == 2
    assert "one server and one port" in capsys.readouterr().err


def test_the_counters_of_this_machine() -> None:
    counters = watching.Counters()
    try:
        first, second = counters.read(), counters.read()
    finally:
        counters.close()
    assert len(first) == len(second) == len(counters.names)
    assert {"Tcp.OutRsts", "TcpExt.ListenOverflows", "Ip.InReceives"} <= set(counters.names)


@pytest.mark.parametrize(("changes", "apart"), [(1, 0), (6, 0), (100, 1)])
def test_a_reading_is_of_one_moment_if_it_can_be(
    changes: int, apart: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both files count one more, so many times, each time right after the first was read."""
    first, second = tmp_path / "snmp", tmp_path / "netstat"
    monkeypatch.setattr(watching, "FILES", (str(first), str(second)))
    real, count = os.pread, 0

    def write() -> None:
        first.write_text(f"Tcp: OutSegs\nTcp: {count}\n")
        second.write_text(f"TcpExt: TCPOrigDataSent\nTcpExt: {count}\n")

    def pread(descriptor: int, size: int, offset: int) -> bytes:
        nonlocal count
        found = real(descriptor, size, offset)
        if b"OutSegs" in found and count < changes:
            count += 1
            write()
        return found

    write()
    counters = watching.Counters()
    monkeypatch.setattr(os, "pread", pread)
    try:
        found = dict(zip(counters.names, counters.read(), strict=True))
    finally:
        counters.close()
    assert found["TcpExt.TCPOrigDataSent"] - found["Tcp.OutSegs"] == apart


def test_without_counters_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "FILES", ("/nonexistent",))
    with pytest.raises(Unavailable):
        watching.watch(30)


def test_it_ends_when_asked_and_when_its_time_is_over() -> None:
    assert watching.watch(0.1).ended
    asked = iter([False, False, True, True])
    found = watching.watch(30, lambda: next(asked))
    assert (found.samples, found.ended, found.heard) == (2, False, ())


def test_nothing_heard_is_no_finding_and_no_answer() -> None:
    from dataclasses import replace

    facts = replace(recorded.case("lab").facts, watch=Watch(seconds=60.0, samples=3000))
    found = diagnose(facts)
    assert not found.findings
    assert not found.measured
    (one,) = [each for each in found.results if each.check == "ND601"]
    assert one.status is Status.UNKNOWN
    assert "never arrive" in one.because[0]
    assert "Watched for 60 s:" in render(found)


@pytest.mark.parametrize("name", [name for name in recorded.names() if name.startswith("watched-")])
def test_the_report_begins_with_what_was_seen(name: str) -> None:
    text = render(diagnose(recorded.case(name).facts))
    assert text.index("Watched for") < text.index("Is it one of the five usual reasons?")
    assert text.count("[ND601]") >= 2


def test_collecting_stops_where_it_is_interrupted() -> None:
    machine = Machine()
    machine.stop()
    facts = collect(Asked(), machine)
    assert facts.listeners is None
    assert facts.why("listeners") == "interrupted"
    assert diagnose(facts).reasons[0].state == "unknown"


def start(*arguments: str) -> subprocess.Popen[str]:
    """The program, as a user starts it."""
    return subprocess.Popen(
        [sys.executable, "-m", "netprobe", "doctor", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def test_ctrl_c_during_a_watch_shows_what_is_known(tmp_path: Path) -> None:
    saved = tmp_path / "facts.json"
    process = start("--watch", "--json", "--facts", str(saved))
    assert process.stderr is not None
    assert "type on the client" in process.stderr.readline()
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, said = process.communicate(timeout=30)
    document = json.loads(out)
    assert process.returncode == 130
    assert document["watch"]["ended"] is False
    assert "interrupted" in said
    assert json.loads(saved.read_text())["watch"]["ended"] is False


def test_ctrl_c_while_facts_are_taken_shows_what_is_known(tmp_path: Path) -> None:
    """Commands that hang would keep it for a second and a half."""
    slow = tmp_path / "slow.py"
    slow.write_text(
        "import sys, time\n"
        "from netprobe.doctor.collect import machine\n"
        "def slow(self, *argv, **more):\n"
        "    print('asked', file=sys.stderr, flush=True)\n"
        "    time.sleep(20)\n"
        "machine.Machine.run = slow\n"
        "from netprobe.__main__ import main\n"
        "sys.argv = ['netprobe', 'doctor']\n"
        "sys.exit(main())\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, str(slow)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    assert process.stderr is not None
    assert process.stderr.readline().startswith("asked")
    process.send_signal(signal.SIGINT)
    out, said = process.communicate(timeout=15)  # the commands would take 20 s
    assert process.returncode == 130
    assert "Is it one of the five usual reasons?" in out
    assert "interrupted" in said
