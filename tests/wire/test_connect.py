"""The wire of an ordinary user, run as nobody on real packets: connect(), its error queue, and what the kernel
tells."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from netprobe.model import ConnectionFact, Frame, IcmpError, NeighborFact, Record, RouteFact
from tests.wire import hops
from tests.wire.hops import CLIENT4, CLIENT6, ROUTER4, ROUTER6, SERVER4, SERVER6, Path3, three_hops

pytestmark = [pytest.mark.lab, pytest.mark.skipif(hops.why_not() is not None, reason=str(hops.why_not()))]

_SERVER = """
import socket, struct, threading
def banner(c):
    c.sendall(b"SSH-2.0-test\\r\\n"); c.recv(100); c.close()
def reset(c):
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)); c.close()
def flood(c):
    try:
        while True: c.sendall(bytes(65536))
    except OSError: pass
def close(c):
    c.close()
def serve(family, address, port, what):
    listener = socket.create_server((address, port), family=family)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=what, args=(connection,), daemon=True).start()
for port, what in ((22, banner), (2201, reset), (2202, flood), (2203, close)):
    for family, address in ((socket.AF_INET, "203.0.113.2"), (socket.AF_INET6, "2001:db8:2::2")):
        threading.Thread(target=serve, args=(family, address, port, what)).start()
import time; time.sleep(0.2); print("ready", flush=True)
"""
BOTH = pytest.mark.parametrize("server", [SERVER4, SERVER6])


@pytest.fixture(scope="module")
def path() -> Iterator[Path3]:
    with three_hops() as found:
        found.python(found.server, _SERVER)
        yield found


def session(path: Path3, *steps: dict[str, object], seconds: float = 0.4) -> list[Record]:
    records = path.session(steps, mode="connect", seconds=seconds)
    assert not any(isinstance(r, Frame) for r in records)
    return records


def told(records: list[Record]) -> list[ConnectionFact]:
    return [r for r in records if isinstance(r, ConnectionFact)]


def events(records: list[Record]) -> list[tuple[str, str | None]]:
    return [(f.event, f.error) for f in told(records)]


@BOTH
def test_open_with_data_and_a_closing(path: Path3, server: str) -> None:
    wait = {"do": "wait", "seconds": 0.2}
    records = session(path, {"do": "connect", "to": [server, 22]}, wait, {"do": "say", "id": 1, "data": "x"})
    assert events(records) == [("started", None), ("open", None), ("data", None), ("said", None), ("closed", None)]
    assert told(records)[2].data == b"SSH-2.0-test\r\n"


@BOTH
def test_closed_port(path: Path3, server: str) -> None:
    assert events(session(path, {"do": "connect", "to": [server, 9]})) == [
        ("started", None),
        ("failed", "ECONNREFUSED"),
    ]


@BOTH
def test_reset_and_close_after_the_handshake(path: Path3, server: str) -> None:
    reset = events(session(path, {"do": "connect", "to": [server, 2201]}))
    assert reset in (
        [("started", None), ("open", None), ("closed", "ECONNRESET")],
        [("started", None), ("failed", "ECONNRESET")],
    )
    assert events(session(path, {"do": "connect", "to": [server, 2203]}))[-1] == ("closed", None)


@BOTH
def test_a_flood_is_bounded(path: Path3, server: str) -> None:
    records = session(path, {"do": "connect", "to": [server, 2202]}, seconds=1.0)
    assert sum(len(f.data) for f in told(records)) == 65536
    assert events(records)[-1] == ("data", None)


_REJECTS = [
    (SERVER4, "icmp-admin-prohibited", "EHOSTUNREACH", 3, 13),
    (SERVER4, "icmp-port-unreachable", "ECONNREFUSED", 3, 3),
    (SERVER4, "icmp-host-unreachable", "EHOSTUNREACH", 3, 1),
    (SERVER4, "icmp-net-unreachable", "ENETUNREACH", 3, 0),
    (SERVER4, "icmp-proto-unreachable", "ENOPROTOOPT", 3, 2),
    (SERVER6, "icmp6-adm-prohibited", "EACCES", 1, 1),
    (SERVER6, "icmp6-port-unreachable", "ECONNREFUSED", 1, 4),
    (SERVER6, "icmp6-addr-unreachable", "EHOSTUNREACH", 1, 3),
]


@pytest.mark.parametrize(("server", "kind", "error", "icmp_type", "code"), _REJECTS)
def test_icmp_errors_come_with_their_sender(
    path: Path3, server: str, kind: str, error: str, icmp_type: int, code: int
) -> None:
    tool = "ip6tables" if ":" in server else "iptables"
    rule = f"FORWARD -p tcp --dport 2300 -j REJECT --reject-with {kind}"
    path.run(path.router, f"{tool} -I {rule}")
    try:
        records = session(path, {"do": "connect", "to": [server, 2300]}, seconds=1.4)
    finally:
        path.run(path.router, f"{tool} -D {rule}")
    v6 = ":" in server
    sender, tos = (ROUTER6, 0) if v6 else (ROUTER4, 0xC0)
    icmp = told(records)[1]
    assert (icmp.event, icmp.error) == ("icmp", error)
    assert icmp.icmp is not None
    assert icmp.icmp == IcmpError(
        version=6 if v6 else 4, type=icmp_type, code=code, sender=sender, ttl=64, tos=icmp.icmp.tos
    )
    assert icmp.icmp.tos in (tos, 0xC0)
    assert events(records)[-1] == ("failed", error)


@BOTH
def test_a_short_life_ends_at_the_router(path: Path3, server: str) -> None:
    records = session(path, {"do": "connect", "to": [server, 22], "ttl": 1}, seconds=1.4)
    icmp = [f.icmp for f in told(records) if f.icmp is not None]
    v6 = ":" in server
    assert (icmp[0].type, icmp[0].code, icmp[0].sender) == (3 if v6 else 11, 0, ROUTER6 if v6 else ROUTER4)
    assert {f.ttl for f in told(records)} == {1}


@BOTH
def test_source_port_and_segment_size(path: Path3, server: str) -> None:
    records = session(path, {"do": "connect", "to": [server, 22], "source_port": 45678, "mss": 536})
    client = told(records)[0].client
    assert client is not None
    assert (client.address, client.port) == (CLIENT6 if ":" in server else CLIENT4, 45678)
    assert {f.mss for f in told(records)} == {536}
    assert ("open", None) in events(records)


@BOTH
def test_a_port_in_use_is_a_failure(path: Path3, server: str) -> None:
    step = {"do": "connect", "to": [server, 22], "source_port": 45679}
    records = session(path, step, {"do": "wait", "seconds": 0.2}, {**step, "id": 2})
    failed = [f for f in told(records) if f.id == 2]
    assert [f.event for f in failed] == ["started", "failed"]
    assert failed[-1].error in ("EADDRINUSE", "EADDRNOTAVAIL")


@BOTH
def test_silence_is_given_up(path: Path3, server: str) -> None:
    tool = "ip6tables" if ":" in server else "iptables"
    path.run(path.server, f"{tool} -A INPUT -p tcp --dport 2400 -j DROP")
    records = session(path, {"do": "connect", "to": [server, 2400], "patience_s": 0.7}, seconds=1.0)
    assert events(records) == [("started", None), ("given-up", None)]
    assert records[1].time_ns - records[0].time_ns == pytest.approx(0.7e9, rel=0.05)


@pytest.mark.parametrize("dead", ["198.51.100.99", "2001:db8:1::99"])
def test_a_dead_neighbour_is_told_without_privilege(path: Path3, dead: str) -> None:
    records = session(path, {"do": "route", "address": dead}, {"do": "connect", "to": [dead, 22]}, seconds=3.9)
    assert isinstance(records[0], RouteFact)
    assert [f.state for f in records if isinstance(f, NeighborFact)] == ["failed"]
    assert events(records)[-1] == ("failed", "EHOSTUNREACH")
