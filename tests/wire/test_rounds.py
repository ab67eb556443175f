"""Marked SYNs on the loopback interface: sent in rounds, answered, counted; and the command that sends them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from netprobe.marked import Sent
from netprobe.wire.privilege import can_capture
from netprobe.wire.rounds import NOT_SENT, NOTHING, RESET, SYN_ACK, ConnectSyns, Echoes, RawSockets, RawSyns, Syns

ROOT = Path(__file__).parent.parent.parent
ADDRESSES = {4: "127.0.0.1", 6: "::1"}
raw = pytest.mark.skipif(not can_capture(), reason="needs CAP_NET_RAW")


@pytest.fixture(params=[4, 6])
def version(request: pytest.FixtureRequest) -> int:
    found: int = request.param
    try:
        socket.create_server((ADDRESSES[found], 0), family=socket.AF_INET6 if found == 6 else socket.AF_INET).close()
    except OSError:
        pytest.skip("no such address here")
    return found


@pytest.fixture
def listening(version: int) -> Iterator[int]:
    family = socket.AF_INET6 if version == 6 else socket.AF_INET
    with socket.create_server((ADDRESSES[version], 0), family=family, backlog=64) as listener:
        yield listener.getsockname()[1]


def answers(syns: Syns, size: int, *, marked: bool = False) -> Counter[str]:
    """How one round is answered."""
    syns.send(size, marked=marked)
    until = time.monotonic() + 10
    while syns.answers[-1].total() < size and time.monotonic() < until:
        syns.listen()
        time.sleep(0.01)
    syns.close()
    return syns.answers[-1]


def closed_port(version: int) -> int:
    family = socket.AF_INET6 if version == 6 else socket.AF_INET
    with socket.create_server((ADDRESSES[version], 0), family=family) as listener:
        return int(listener.getsockname()[1])


def test_connections(version: int, listening: int) -> None:
    assert answers(ConnectSyns(ADDRESSES[version], listening), 5) == {SYN_ACK: 5}
    assert answers(ConnectSyns(ADDRESSES[version], closed_port(version)), 5) == {RESET: 5}


@raw
@pytest.mark.parametrize("marked", [False, True])
def test_crafted_syns(version: int, listening: int, marked: bool) -> None:
    opened = answers(RawSyns(ADDRESSES[version], listening, RawSockets(version)), 5, marked=marked)
    assert opened == {SYN_ACK: 5}
    closed = answers(RawSyns(ADDRESSES[version], closed_port(version), RawSockets(version)), 5, marked=marked)
    assert closed == {RESET: 5}


@raw
def test_pings(version: int) -> None:
    echoes = Echoes(ADDRESSES[version], RawSockets(version))
    assert echoes.send(3) == 3
    until = time.monotonic() + 10
    while echoes.answered < 3 and time.monotonic() < until:
        echoes.listen()
        time.sleep(0.01)
    echoes.close()
    assert echoes.answered == 3


def test_what_cant_be_sent_is_told() -> None:
    syns = ConnectSyns("255.255.255.255", 22)
    syns.send(2, marked=False)
    assert syns.answers == [{NOT_SENT: 2}]
    syns.close()


@pytest.mark.parametrize(
    ("rounds", "changed"),
    [
        ([{SYN_ACK: 5}, {SYN_ACK: 9}], False),
        ([{SYN_ACK: 5}, {NOTHING: 9}], True),
        ([{NOTHING: 5}, {NOTHING: 9}], False),
        ([{SYN_ACK: 5}, {SYN_ACK: 3, RESET: 6}], True),
        ([{SYN_ACK: 5}, {SYN_ACK: 8, NOTHING: 1}], False),
        ([{"ICMP 3/3": 5}, {"ICMP 3/3": 6, NOTHING: 3}], False),
        ([], False),
    ],
)
def test_a_change_between_rounds_is_a_limit(rounds: list[dict[str, int]], changed: bool) -> None:
    assert Sent("192.0.2.1", 22, [Counter(one) for one in rounds]).changed is changed


@pytest.mark.parametrize("more", [[], ["--connect"]])
def test_ctrl_c_ends_the_rounds(more: list[str]) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "netprobe", "scan", "--marked", "-p", str(closed_port(4)), *more, "127.0.0.1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stderr is not None
    said = process.stderr.readline()
    assert "--marked: 30 SYNs (5, 9, 7, 9) to 127.0.0.1" in said
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=10)  # all rounds take twice as long
    assert process.returncode == 130
    assert "marked SYNs to 127.0.0.1:" in said
    assert "5 reset" in said
