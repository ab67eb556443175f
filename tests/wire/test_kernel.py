"""What the kernel is asked, and the pace of sending."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from netprobe.errors import CannotMeasure
from netprobe.model import Connect, ConnectionFact, Endpoint, Probe, Shape
from netprobe.wire import netlink
from netprobe.wire.connect import ConnectWire
from netprobe.wire.live import LiveWire
from netprobe.wire.netlink import Kernel, Monitor
from netprobe.wire.privilege import can_capture
from netprobe.wire.sender import Bucket

ROOT = Path(__file__).parents[2]


def test_routes_of_this_machine() -> None:
    kernel = Kernel()
    route = kernel.route("127.0.0.1", port=22)
    assert (route.outcome, route.interface, route.source, route.gateway) == ("local", "lo", "127.0.0.1", None)
    assert kernel.route("224.0.0.1").outcome in ("multicast", "no-route")
    assert kernel.route("ff02::1").outcome in ("multicast", "no-route")
    kernel.close()


def test_links_of_this_machine() -> None:
    kernel = Kernel()
    lo = next(link for link in kernel.links().values() if link.name == "lo")
    assert lo.hardware == netlink.LOOPBACK
    assert kernel.neighbor(lo.ifindex, "127.0.0.9") is None
    kernel.close()


def test_no_news_is_no_news() -> None:
    monitor = Monitor()
    list(monitor.news())
    monitor.close()


@pytest.mark.parametrize(
    "data", [b"", b"\0" * 15, b"\x10\0\0\0" * 4, b"\xff" * 64, b"\x14\0\0\0\x18\0\0\0" + bytes(12)]
)
def test_strange_messages_are_passed_over(data: bytes) -> None:
    for kind, _, body in netlink._messages(data):
        netlink._announced(kind, body)
        netlink._announced(netlink._NEW_LINK, body)
        netlink._announced(netlink._NEW_NEIGHBOR, body)
        netlink._route(body, b"")


def test_the_pace() -> None:
    bucket, now_ns, sent = Bucket(100, 0), 0, 0
    while now_ns < 10**9:
        if bucket.take(now_ns):
            sent += 1
        else:
            now_ns = bucket.due_ns()
    assert 100 <= sent <= 112, "a hundred a second, and a burst of a tenth of a second"
    assert [bucket.take(5 * 10**9) for _ in range(13)] == [True] * 11 + [False] * 2


def test_a_slow_pace() -> None:
    bucket = Bucket(0.5, 0)
    assert [bucket.take(0) for _ in range(3)] == [True, True, False]
    assert bucket.due_ns() == 2 * 10**9


def test_an_unknown_interface() -> None:
    with pytest.raises(CannotMeasure, match=r"no network interface 'nonesuch0' here. Choose one of: .*lo"):
        ConnectWire(device="nonesuch0")


def test_without_privilege_the_message_says_what_to_do() -> None:
    if can_capture() and os.geteuid() != 0:
        pytest.skip("this user may capture")
    code = """
import os
from netprobe.wire import privilege
privilege.drop()
from netprobe.errors import CannotMeasure
from netprobe.wire.live import LiveWire
try:
    LiveWire()
except CannotMeasure as error:
    print(error)
"""
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert said == (
        "Packets can't be captured or crafted here: Operation not permitted. "
        "Run with sudo, or without raw packets (--connect).\n"
    )


def test_receive_waits_until_its_deadline_and_can_be_woken() -> None:
    wire = ConnectWire()
    start = time.monotonic()
    assert wire.receive(wire.now_ns() + 50_000_000) == []
    assert 0.05 <= time.monotonic() - start < 0.3
    wire.wake()
    assert wire.receive(wire.now_ns() + 10**10) == []
    assert time.monotonic() - start < 1
    wire.close()
    wire.close()


def test_an_ordinary_wire_refuses_probes() -> None:
    wire = ConnectWire()
    with pytest.raises(AssertionError):
        wire.perform(Probe(Shape.SYN, Endpoint("192.0.2.1", 1), Endpoint("192.0.2.2", 2)))
    wire.close()


@pytest.mark.lab
@pytest.mark.skipif(not can_capture(), reason="needs CAP_NET_RAW")
def test_opening_is_quick() -> None:
    times = []
    for _ in range(5):
        start = time.perf_counter()
        wire = LiveWire()
        times.append(time.perf_counter() - start)
        assert wire.proven
        wire.close()
    assert min(times) < 0.015


def test_importing_is_light() -> None:
    code = (
        "import netprobe.wire.live, sys; "
        "print([m for m in sys.modules if m.split('.')[0] in ('scapy', 'numpy', 'dns')])"
    )
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert said == "[]\n"


def test_running_out_of_descriptors_is_a_failed_connection() -> None:
    wire = ConnectWire()
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, before[1]))
    try:
        wire.perform(Connect(1, Endpoint("127.0.0.1", 9), 1.0))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    told = [r for r in wire.receive(wire.now_ns() + 10**8) if isinstance(r, ConnectionFact)]
    assert [(f.event, f.error, f.client) for f in told] == [("started", None, None), ("failed", "EMFILE", None)]
    wire.close()


def test_a_port_that_can_not_be_one_is_a_failed_connection() -> None:
    wire = ConnectWire()
    wire.perform(Connect(1, Endpoint("127.0.0.1", 70000), 1.0))
    wire.perform(Connect(2, Endpoint("fe80::1%nonesuch0", 22), 1.0))
    told = [r for r in wire.receive(wire.now_ns() + 10**8) if isinstance(r, ConnectionFact)]
    assert [(f.id, f.event, f.error) for f in told] == [
        (1, "started", None),
        (1, "failed", "EINVAL"),
        (2, "started", None),
        (2, "failed", "ENODEV"),
    ]
    assert wire.route("fe80::1%nonesuch0").outcome == "no-route"
    wire.close()


@pytest.mark.parametrize("listens", [True, False])
def test_an_answer_that_waits_is_heard_though_its_time_is_over(listens: bool) -> None:
    """As after Ctrl-Z and `fg`, or where a busy machine let the scan wait: patience is with the network."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        if not listens:
            server.close()
        wire = ConnectWire()
        wire.perform(Connect(1, Endpoint("127.0.0.1", port), 0.02))
        time.sleep(0.05)
        found = wire.receive(wire.now_ns())
        assert [f.event for f in found if isinstance(f, ConnectionFact)] == ["started", "open" if listens else "failed"]
        wire.close()
