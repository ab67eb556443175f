"""The wire with privilege, on real packets: what it sends, sees and tells."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from netprobe.model import (
    BlockedFact,
    ConnectionFact,
    Fact,
    Frame,
    LinkFact,
    NeighborFact,
    Record,
    RouteFact,
)
from tests.wire import hops
from tests.wire.hops import CLIENT4, CLIENT6, SERVER4, SERVER6, Path3, three_hops

pytestmark = [pytest.mark.lab, pytest.mark.skipif(hops.why_not() is not None, reason=str(hops.why_not()))]

_SERVER = """
import socket, threading
def serve(family, address):
    listener = socket.create_server((address, 22), family=family)
    while True:
        connection, _ = listener.accept()
        connection.sendall(b"SSH-2.0-test\\r\\n")
        threading.Thread(target=lambda c=connection: (c.recv(100), c.close())).start()
threads = [threading.Thread(target=serve, args=a) for a in
    ((socket.AF_INET, "203.0.113.2"), (socket.AF_INET6, "2001:db8:2::2"))]
[t.start() for t in threads]
import time; time.sleep(0.1); print("ready", flush=True)
"""
ENDS = [(CLIENT4, SERVER4), (CLIENT6, SERVER6)]


@pytest.fixture(scope="module")
def path() -> Iterator[Path3]:
    with three_hops() as found:
        found.python(found.server, _SERVER)
        yield found


def packets(records: list[Record], outgoing: bool | None) -> list[bytes]:
    """Packets of one direction, without their link header."""
    return [r.data[20:] for r in records if isinstance(r, Frame) and r.outgoing is outgoing]


def segments(records: list[Record], outgoing: bool | None, port: int) -> list[bytes]:
    """TCP segments of one direction and of a client's port."""
    found = []
    for packet in packets(records, outgoing):
        v4 = packet[0] >> 4 == 4
        if packet[9 if v4 else 6] == 6:
            segment = packet[20 if v4 else 40 :]
            if port in (int.from_bytes(segment[:2], "big"), int.from_bytes(segment[2:4], "big")):
                found.append(segment)
    return found


def events(records: list[Record]) -> list[tuple[str, str | None]]:
    return [(r.event, r.error) for r in records if isinstance(r, ConnectionFact)]


def facts(records: list[Record], kind: type[Fact]) -> list[Fact]:
    return [r for r in records if isinstance(r, kind)]


@pytest.mark.parametrize(("client", "server"), ENDS)
def test_crafted_syn_meets_an_open_port(path: Path3, client: str, server: str) -> None:
    step = {"do": "probe", "shape": "syn", "from": [client, 40001], "to": [server, 22], "seq": 1000}
    records = path.session([step])
    sent, got = segments(records, True, 40001), segments(records, False, 40001)
    assert (sent[0][13], got[0][13]) == (0x02, 0x12)
    assert int.from_bytes(got[0][8:12], "big") == 1001
    assert sent[1][13] == 0x04, "our own kernel's RST ends the half-open connection"


@pytest.mark.parametrize(("client", "server"), ENDS)
def test_closed_port_echoes_the_traffic_class_and_ignores_the_md5_option(path: Path3, client: str, server: str) -> None:
    steps: list[dict[str, Any]] = [
        {"do": "probe", "shape": shape, "from": [client, 40010 + i], "to": [server, 23], "seq": 5}
        for i, shape in enumerate(("syn", "md5-syn", "bare-syn", "fin", "ack", "syn-ack"))
    ]
    records = path.session(steps)
    flags = [[s[13] for s in segments(records, False, 40010 + i)] for i in range(6)]
    assert flags == [[0x14], [], [0x14], [0x14], [0x04], [0x04]]
    resets = [p for p in packets(records, False) if p[9 if p[0] >> 4 == 4 else 6] == 6]
    classes = [p[1] if p[0] >> 4 == 4 else (p[0] & 15) << 4 | p[1] >> 4 for p in resets]
    assert classes == [0x48] * 5


@pytest.mark.parametrize(("client", "server"), ENDS)
def test_ttl_and_echo(path: Path3, client: str, server: str) -> None:
    v4 = ":" not in client
    steps: list[dict[str, Any]] = [
        {"do": "probe", "shape": "syn", "from": [client, 40021], "to": [server, 22], "ttl": 1},
        {"do": "probe", "shape": "echo", "from": [client, 777], "to": [server, 0], "seq": 3},
    ]
    got = packets(path.session(steps), False)
    icmp = [p[20 if v4 else 40 :] for p in got if p[9 if v4 else 6] == (1 if v4 else 58) and p[20 if v4 else 40] < 130]
    assert sorted(m[0] for m in icmp) == ([0, 11] if v4 else [3, 129])


@pytest.mark.parametrize(("client", "server"), ENDS)
def test_connect_runs_beside_and_the_frames_come_with_it(path: Path3, client: str, server: str) -> None:
    records = path.session([{"do": "connect", "to": [server, 22]}])
    assert events(records) == [("started", None), ("open", None)]
    started = records[0]
    assert isinstance(started, ConnectionFact)
    assert started.client is not None
    assert started.client.address == client
    assert segments(records, True, started.client.port)[0][13] == 0x02
    assert any(b"SSH-2.0-test" in p for p in packets(records, False))
    assert [r.number for r in records] == list(range(1, len(records) + 1))


def test_hanging_up_sends_a_fin(path: Path3) -> None:
    steps: list[dict[str, Any]] = [
        {"do": "connect", "to": [SERVER4, 22]},
        {"do": "wait", "seconds": 0.2},
        {"do": "hang", "id": 1},
    ]
    records = path.session(steps)
    started = records[0]
    assert isinstance(started, ConnectionFact)
    assert started.client is not None
    flags = [s[13] for s in segments(records, True, started.client.port)]
    assert any(f & 0x01 for f in flags)
    assert not any(f & 0x04 for f in flags)


def test_saying_something_is_answered(path: Path3) -> None:
    steps: list[dict[str, Any]] = [
        {"do": "connect", "to": [SERVER4, 22]},
        {"do": "wait", "seconds": 0.2},
        {"do": "say", "id": 1, "data": "hello"},
    ]
    assert events(path.session(steps))[-1] == ("closed", None)


@pytest.mark.parametrize(("client", "server"), ENDS)
def test_a_built_syn_is_the_kernels_syn(path: Path3, client: str, server: str) -> None:
    steps: list[dict[str, Any]] = [
        {"do": "connect", "to": [server, 23], "source_port": 40030},
        {"do": "probe", "shape": "syn", "from": [client, 40031], "to": [server, 23], "seq": 9, "tos": 0},
    ]
    records = path.session(steps)
    kernel, crafted = segments(records, True, 40030)[0], segments(records, True, 40031)[0]

    def shape(segment: bytes) -> bytes:  # without port, numbers, checksum and time stamp
        return segment[12:16] + segment[18:28] + segment[36:]

    assert shape(kernel) == shape(crafted)
    whole = [p for p in packets(records, True) if kernel in p or crafted in p]
    v4 = ":" not in client
    assert {p[6:10] if v4 else p[4:8] for p in whole} == {whole[0][6:10] if v4 else whole[0][4:8]}


@pytest.mark.parametrize("server", [SERVER4, SERVER6])
def test_silence_sends_two_syns_and_is_given_up(path: Path3, server: str) -> None:
    tool = "ip6tables" if ":" in server else "iptables"
    path.run(path.server, f"{tool} -A INPUT -p tcp --dport 24 -j DROP")
    records = path.session(
        [{"do": "connect", "to": [server, 24], "patience_s": 4.0, "source_port": 40040}], seconds=4.3
    )
    assert events(records) == [("started", None), ("given-up", None)]
    assert len(segments(records, True, 40040)) == 2
    assert records[-1].time_ns - records[0].time_ns == pytest.approx(4e9, rel=0.02)


@pytest.mark.parametrize(("client", "dead"), [(CLIENT4, "198.51.100.99"), (CLIENT6, "2001:db8:1::99")])
def test_a_neighbour_that_does_not_answer(path: Path3, client: str, dead: str) -> None:
    steps: list[dict[str, Any]] = [
        {"do": "route", "address": dead},
        {"do": "connect", "to": [dead, 22]},
        {"do": "probe", "shape": "syn", "from": [client, 40050], "to": [dead, 22]},
    ]
    records = path.session(steps, seconds=4.0)
    assert [f.state for f in records if isinstance(f, NeighborFact)] == ["incomplete", "failed"]
    assert [(f.address, f.error) for f in records if isinstance(f, BlockedFact)] == [(dead, "EHOSTUNREACH")]
    assert segments(records, True, 40050) == []
    assert ("icmp", "EHOSTUNREACH") in events(records) or ("failed", "EHOSTUNREACH") in events(records)


@pytest.mark.parametrize("gone", ["198.51.100.77", "2001:db8:1::77"])
def test_a_remembered_neighbour_that_is_gone(path: Path3, gone: str) -> None:
    path.ip(f"-n {path.client} neigh replace {gone} lladdr 02:00:00:00:00:77 nud stale dev c0")
    records = path.session([{"do": "route", "address": gone}, {"do": "connect", "to": [gone, 22]}], seconds=3.6)
    assert [f.state for f in records if isinstance(f, NeighborFact)] == ["failed"]


@pytest.mark.parametrize("there", [hops.ROUTER4, hops.ROUTER6])
def test_a_remembered_neighbour_that_is_there(path: Path3, there: str) -> None:
    line = path.run(path.router, "cat /sys/class/net/r0/address").strip()
    path.ip(f"-n {path.client} neigh replace {there} lladdr {line} nud stale dev c0")
    records = path.session([{"do": "route", "address": there}, {"do": "connect", "to": [there, 9]}], seconds=1.5)
    assert [f.state for f in records if isinstance(f, NeighborFact)] == []
    questions = [p for p in packets(records, True) if p[:2] == b"\0\1" or (p[6:7] == b":" and p[40:41] == b"\x87")]
    assert len(questions) == 1


@pytest.mark.parametrize(("client", "on_link"), [(CLIENT4, "198.51.100.1"), (CLIENT6, "2001:db8:1::1")])
def test_local_firewall_drops_the_connect_and_the_probe_still_finds_its_way(
    path: Path3, client: str, on_link: str
) -> None:
    tool = "ip6tables" if ":" in client else "iptables"
    path.run(path.client, f"{tool} -A OUTPUT -p tcp --dport 25 -j DROP")
    path.ip(f"-n {path.client} neigh flush dev c0")
    steps: list[dict[str, Any]] = [
        {"do": "connect", "to": [on_link, 25], "source_port": 40060},
        {"do": "probe", "shape": "syn", "from": [client, 40061], "to": [on_link, 25]},
    ]
    records = path.session(steps, seconds=1.0)
    assert segments(records, True, 40060) == []
    assert [s[13] for s in segments(records, False, 40061)] == [0x14]
    assert [f.state for f in records if isinstance(f, NeighborFact)] == ["incomplete", "reachable"]


def test_local_firewall_rejects_the_connect(path: Path3) -> None:
    path.run(path.client, "iptables -A OUTPUT -p tcp --dport 26 -j REJECT --reject-with icmp-admin-prohibited")
    records = path.session([{"do": "connect", "to": [SERVER4, 26]}])
    icmp = [r.icmp for r in records if isinstance(r, ConnectionFact) and r.icmp is not None]
    assert [(i.type, i.code, i.sender) for i in icmp] == [(3, 13, CLIENT4)]
    assert events(records)[-1] == ("failed", "EHOSTUNREACH")


@pytest.mark.parametrize("own", [CLIENT4, CLIENT6, "127.0.0.1", "::1"])
def test_own_addresses_go_through_raw_sockets(path: Path3, own: str) -> None:
    steps: list[dict[str, Any]] = [
        {"do": "route", "address": own},
        {"do": "probe", "shape": "syn", "from": [own, 40070], "to": [own, 23], "seq": 1},
        {"do": "probe", "shape": "fragment", "from": [own, 40071], "to": [own, 23], "seq": 1},
    ]
    records = path.session(steps)
    assert isinstance(records[0], RouteFact)
    assert records[0].outcome == "local"
    assert [s[13] for s in segments(records, None, 40070)] == [0x02, 0x14], "one copy of each, without a direction"


def test_own_address_behind_a_local_firewall_is_blocked(path: Path3) -> None:
    path.run(path.client, "iptables -A OUTPUT -p tcp --dport 27 -j DROP")
    records = path.session([{"do": "probe", "shape": "syn", "from": [CLIENT4, 1], "to": [CLIENT4, 27]}])
    assert [f.error for f in records if isinstance(f, BlockedFact)] == ["EPERM"]


def test_routes_that_lead_nowhere(path: Path3) -> None:
    kinds = {"unreachable": 1, "prohibit": 2, "blackhole": 3}
    for kind, last in kinds.items():
        path.ip(f"-n {path.client} route add {kind} 192.0.2.{last}/32")
        path.ip(f"-n {path.client} route add {kind} 2001:db8:9::{last}/128")
    path.ip(f"-n {path.client} route add throw 192.0.2.4/32")
    addresses = [f"192.0.2.{i}" for i in (1, 2, 3)] + [f"2001:db8:9::{i}" for i in (1, 2, 3)]
    steps: list[dict[str, Any]] = [
        {"do": "route", "address": a} for a in [*addresses, "198.51.100.255", "224.0.0.5", "ff02::1"]
    ]
    steps += [{"do": "probe", "shape": "syn", "from": [CLIENT4, 1], "to": [a, 22]} for a in addresses[:3]]
    steps += [{"do": "connect", "to": [a, 22], "id": i} for i, a in enumerate(addresses)]
    records = path.session(steps)
    outcomes = [r.outcome for r in records if isinstance(r, RouteFact)]
    assert outcomes == ["unreachable", "prohibited", "blackhole"] * 2 + ["broadcast", "multicast", "multicast"]
    assert [f.error for f in records if isinstance(f, BlockedFact)] == ["EHOSTUNREACH", "EACCES", "EINVAL"]
    assert [e for _, e in events(records) if e] == ["EHOSTUNREACH", "EACCES", "EINVAL"] * 2


def test_no_route(path: Path3) -> None:
    path.ip(f"-n {path.client} route del default")
    try:
        steps: list[dict[str, Any]] = [{"do": "route", "address": SERVER4}, {"do": "connect", "to": [SERVER4, 22]}]
        steps.append({"do": "probe", "shape": "syn", "from": [CLIENT4, 1], "to": [SERVER4, 22]})
        records = path.session(steps)
    finally:
        path.ip(f"-n {path.client} route add default via 198.51.100.1")
    assert [r.outcome for r in records if isinstance(r, RouteFact)] == ["no-route"]
    assert events(records) == [("started", None), ("failed", "ENETUNREACH")]
    assert [f.error for f in records if isinstance(f, BlockedFact)] == ["ENETUNREACH"]


def test_link_local_address_with_a_zone(path: Path3) -> None:
    line = path.run(path.router, "ip -6 -o addr show dev r0 scope link")
    address = f"{line.split()[3].partition('/')[0]}%c0"
    own = path.run(path.client, "ip -6 -o addr show dev c0 scope link").split()[3].partition("/")[0]
    steps: list[dict[str, Any]] = [
        {"do": "route", "address": address},
        {"do": "connect", "to": [address, 22]},
        {"do": "probe", "shape": "syn", "from": [own, 40080], "to": [address, 22], "seq": 1},
    ]
    records = path.session(steps)
    assert isinstance(records[0], RouteFact)
    assert (records[0].outcome, records[0].interface) == ("ok", "c0")
    assert events(records)[-1] == ("failed", "ECONNREFUSED")
    assert [s[13] for s in segments(records, False, 40080)] == [0x14]


def test_an_interface_that_goes_down(path: Path3) -> None:
    steps: list[dict[str, Any]] = [
        {"do": "route", "address": SERVER4},
        {"do": "wait", "seconds": 0.1},
        {"do": "run", "command": "ip link set c0 down"},
        {"do": "probe", "shape": "syn", "from": [CLIENT4, 1], "to": [SERVER4, 22]},
        {"do": "wait", "seconds": 0.1},
        {"do": "run", "command": "ip link set c0 up"},
    ]
    try:
        records = path.session(steps, drop=False, seconds=1.5)
    finally:
        subprocess.run(["ip", "-n", path.client, "link", "set", "c0", "up"], check=True)
        path.ip(f"-n {path.client} addr replace 2001:db8:1::2/64 dev c0 nodad")
        path.ip(f"-n {path.client} route replace default via 198.51.100.1")
        path.ip(f"-n {path.client} -6 route replace default via 2001:db8:1::1")
    assert [(f.interface, f.state) for f in records if isinstance(f, LinkFact)] == [("c0", "down"), ("c0", "up")]
    assert [f.error for f in records if isinstance(f, BlockedFact)] in (["ENETUNREACH"], ["ENETDOWN"])
