"""Whole scans over a scripted network: the verdict, what was sent for it, how long it took."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import ip_network

import pytest

from netprobe.evidence import IMPOSSIBLE
from netprobe.model import Connect, Hang, Mode, Probe, ResolvedFact, RouteFact, Shape, Verdict
from netprobe.options import ScanOptions
from netprobe.report import Report
from netprobe.scan import Scan
from netprobe.targets import Target
from netprobe.wire.memory import START_NS, MemoryWire
from tests.network import OPENSSH, Network, Service, closed, full, listening, netfilter, rejects, silent
from tests.packets import Segment

SIX = {"address": "2001:db8:5::5", "routers": ("2001:db8:1::1", "2001:db8:2::2")}


@dataclass(slots=True)
class Run:
    """One scan and its trace."""

    network: Network
    wire: MemoryWire
    report: Report

    @property
    def verdict(self) -> Verdict:
        assert len(self.report.verdicts) == 1
        return self.report.verdicts[0]

    @property
    def seconds(self) -> float:
        """Virtual time."""
        return (self.report.finished_ns - self.report.started_ns) / 1e9

    @property
    def probes(self) -> list[Probe]:
        return [command for _, command in self.wire.commands if isinstance(command, Probe)]

    def syns_that_can_arrive(self, port: int = 22) -> int:
        """SYNs to this port with enough TTL, the kernel's repeats included."""
        near = self.network.distance
        return sum(1 for _, s in self.network.syns if s.dst.port == port and s.ttl >= near and not s.more)


def scan(network: Network, options: ScanOptions | None = None, **more: object) -> Run:
    mode = Mode.RAW if network.frames else Mode.CONNECT
    gateway = network.routers[0] if network.routers else None
    route = RouteFact(address=network.address, outcome="ok", interface="eth0", source=network.source, gateway=gateway)
    wire = MemoryWire(network, mode=mode, routes={network.address: route})
    if options is None:
        target = Target(network.address, network.address, **more)  # type: ignore[arg-type]
        options = ScanOptions(targets=(target,))
    verdicts: list[Verdict] = []
    report = Scan(wire, options, verdicts.append, lambda _: None).run()
    assert sorted(map(str, verdicts)) == sorted(map(str, report.verdicts))
    return Run(network, wire, report)


CASES: dict[str, tuple[Callable[[], Network], str, str]] = {
    "closed port": (Network, "NP110", "certain"),
    "closed port, v6": (lambda: Network(**SIX), "NP110", "certain"),  # type: ignore[arg-type]
    "closed port of a neighbour": (lambda: Network(routers=()), "NP110", "certain"),
    "netfilter on the host": (lambda: Network(ports={22: netfilter}), "NP112", "certain"),
    "reset by the first router": (lambda: Network(filters={(1, 22): netfilter}), "reset-on-path", "certain"),
    "reset by the last router": (lambda: Network(filters={(2, 22): netfilter}), "reset-on-path", "certain"),
    "rejected by the host": (lambda: Network(ports={22: rejects(3, 3)}), "NP132", "certain"),
    "prohibited by the host": (lambda: Network(ports={22: rejects(3, 10)}), "NP132", "certain"),
    "rejected by a router": (lambda: Network(filters={(2, 22): rejects(3, 13)}), "NP230", "certain"),
    "rejected by a v6 router": (lambda: Network(**SIX, filters={(1, 22): rejects(1, 1)}), "NP230", "certain"),  # type: ignore[arg-type]
    "dropped by the host": (lambda: Network(ports={22: silent}), "NP164", "likely"),
    "dropped by a router": (lambda: Network(filters={(1, 22): silent}), "NP153", "likely"),
    "dropped by default, ping answered": (lambda: Network(other_ports=silent), "NP163", "likely"),
    "everything silent": (lambda: Network(other_ports=silent, ping=False), "NP171", "possible"),
    "dead host": (lambda: Network(dead=True), "NP221", "certain"),
    "dead host, v6": (lambda: Network(**SIX, dead=True), "NP221", "certain"),  # type: ignore[arg-type]
    "accept queue full": (lambda: Network(ports={22: full}), "NP156", "likely"),
    "ssh": (lambda: Network(ports={22: listening}, services={22: OPENSSH}), "NP330", "certain"),
    "ssh, v6": (lambda: Network(**SIX, ports={22: listening}, services={22: OPENSSH}), "NP330", "certain"),  # type: ignore[arg-type]
    "no banner": (lambda: Network(ports={22: listening}), "NP370", "likely"),
    "closed before the banner": (
        lambda: Network(ports={22: listening}, services={22: Service(((0.01, "FIN"),))}),
        "NP365",
        "certain",
    ),
    "tarpit": (
        lambda: Network(
            ports={22: listening}, services={22: Service(tuple((float(n), b"x9z\r\n") for n in range(1, 12)))}
        ),
        "NP341",
        "certain",
    ),
    "web server": (
        lambda: Network(ports={22: listening}, services={22: Service((), b"HTTP/1.1 400 Bad Request\r\n\r\n")}),
        "NP353",
        "certain",
    ),
    "path MTU black hole": (
        lambda: Network(
            ports={22: listening},
            services={22: Service(OPENSSH.greeting, OPENSSH.reply, small_segments_only=True)},
        ),
        "NP319",
        "likely",
    ),
    "everything is answered by something near": (lambda: Network(impostor=True), "NP301", "certain"),
}
SILENT = {name for name in CASES if "drop" in name or "silent" in name or "queue" in name}
each_case = pytest.mark.parametrize("name", CASES)


@each_case
def test_verdict(name: str) -> None:
    make, expected, certainty = CASES[name]
    run = scan(make())
    verdict = run.verdict
    assert expected in (verdict.rule, verdict.cause), verdict
    assert verdict.certainty == certainty, verdict
    assert not [line for line in (*verdict.because, *verdict.remedy) if "None" in line], verdict.because


@each_case
def test_budget(name: str) -> None:
    run = scan(CASES[name][0]())
    assert 1 <= run.syns_that_can_arrive() <= 5
    full_connects = [c for c in run.network.connects if c.server.port == 22 and c.ttl is None]
    assert len(full_connects) <= (2 if run.verdict.cause == "path-mtu-black-hole" else 1)
    known = {run.network.address, *IMPOSSIBLE[4], *IMPOSSIBLE[6]}
    assert run.network.sent_to <= known
    assert run.seconds <= (5.5 if name in SILENT else 30.0)


@each_case
def test_nothing_is_left_open(name: str) -> None:
    run = scan(CASES[name][0]())
    started = {command.id for _, command in run.wire.commands if isinstance(command, Connect)}
    hung = {command.id for _, command in run.wire.commands if isinstance(command, Hang)}
    assert started == hung


def test_closed_port_is_quick() -> None:
    assert scan(Network()).seconds < 1


def test_dead_host_is_told_when_the_last_router_tells_it() -> None:
    run = scan(Network(dead=True))
    assert 3.1 <= run.seconds < 5
    assert run.verdict.origin.address == "198.51.100.2"
    assert run.verdict.origin.hop == 2


@pytest.mark.parametrize("hop", [1, 2])
def test_place_of_a_router_that_rejects(hop: int) -> None:
    verdict = scan(Network(filters={(hop, 22): rejects(3, 13)})).verdict
    assert (verdict.origin.kind, verdict.origin.hop) == ("path", hop)
    assert verdict.origin.address == f"198.51.100.{hop}"


@pytest.mark.parametrize("hop", [1, 2])
def test_place_of_a_router_that_forges_resets(hop: int) -> None:
    verdict = scan(Network(filters={(hop, 22): netfilter})).verdict
    assert verdict.origin.kind == "path"
    named = verdict.origin.address or verdict.origin.between
    assert f"198.51.100.{hop}" in (named or ())


@pytest.mark.parametrize("hop", [1, 2])
def test_place_of_a_router_that_drops_is_bounded(hop: int) -> None:
    verdict = scan(Network(filters={(hop, 22): silent})).verdict
    following = "198.51.100.2" if hop == 1 else "203.0.113.5"
    assert verdict.origin.between == (f"198.51.100.{hop}", following)


def test_path_of_a_silent_port_names_the_routers() -> None:
    verdict = scan(Network(ports={22: silent})).verdict
    assert [hop.address for hop in verdict.path] == ["198.51.100.1", "198.51.100.2"]
    assert verdict.origin.between == ("198.51.100.2", "203.0.113.5")


def test_distance_of_the_host_is_told() -> None:
    assert scan(Network()).verdict.origin.hop == 3
    assert scan(Network(routers=())).verdict.origin.hop == 1


def test_long_path() -> None:
    routers = tuple(f"198.51.100.{n}" for n in range(1, 15))
    verdict = scan(Network(routers=routers, filters={(12, 22): silent})).verdict
    assert verdict.cause == "dropped"
    assert verdict.origin.between == ("198.51.100.12", "198.51.100.13")


def test_ssh_elsewhere_is_found_and_offered_first() -> None:
    run = scan(Network(ports={2222: listening}, services={2222: OPENSSH}))
    assert run.verdict.cause == "no-listener"
    assert "port 2222" in run.verdict.remedy[0]
    assert run.syns_that_can_arrive(2222) <= 2


def test_elsewhere_can_be_switched_off() -> None:
    network = Network(ports={2222: listening}, services={2222: OPENSSH})
    options = ScanOptions(targets=(Target(network.address, network.address),), elsewhere=False)
    run = scan(network, options)
    assert run.syns_that_can_arrive(2222) == 0


def test_any_service_expected_and_silent() -> None:
    network = Network(ports={8080: listening})
    options = ScanOptions(targets=(Target(network.address, network.address),), ports=(8080,), expect="any")
    run = scan(network, options)
    assert run.verdict.cause == "up"
    assert run.seconds < 3


def test_keyed_numbers_differ_between_runs_and_lie_outside_the_ephemeral_range() -> None:
    def numbers(run: Run) -> set[tuple[int, int]]:
        return {(p.client.port, p.seq) for p in run.probes if p.shape is Shape.SYN}

    one, other = (scan(Network(ports={22: silent})) for _ in range(2))
    assert numbers(one)
    assert numbers(one).isdisjoint(numbers(other))
    assert all(port > 60999 for port, _ in numbers(one) | numbers(other))


def test_own_half_open_entry_is_taken_away() -> None:
    """A listener whose SYN-ACKs are lost acknowledges the first SYN when the second comes."""
    first: dict[int, int] = {}

    def one_way(segment: Segment) -> Segment | None:
        if segment.flags != "S":
            return full(segment)
        seen = first.setdefault(segment.src.port, segment.seq)
        if seen == segment.seq:
            return None
        return replace(segment.turned("A"), seq=5, ack=(seen + 1) & 0xFFFFFFFF)

    run = scan(Network(ports={22: one_way}))
    assert run.verdict.rule == "NP151"
    rst = [p for p in run.probes if p.shape is Shape.RST]
    assert len(rst) == 1
    assert rst[0].seq == (first[rst[0].client.port] + 1) & 0xFFFFFFFF


# --------------------------------------------------------------------------- without privilege


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: Network(frames=False), "NP129"),
        (lambda: Network(frames=False, ports={22: silent}), "dropped"),
        (lambda: Network(frames=False, other_ports=silent), "host-silent"),
        (lambda: Network(frames=False, dead=True), "host-unreachable"),
        (lambda: Network(frames=False, ports={22: rejects(3, 3)}), "rejected-by-host"),
        (lambda: Network(frames=False, filters={(2, 22): rejects(3, 13)}), "rejected-on-path"),
        (lambda: Network(frames=False, ports={22: listening}, services={22: OPENSSH}), "up"),
        (lambda: Network(frames=False, ports={22: listening}), "no-banner"),
    ],
)
def test_without_privilege(make: Callable[[], Network], expected: str) -> None:
    run = scan(make())
    assert expected in (run.verdict.rule, run.verdict.cause), run.verdict
    assert run.probes == []
    assert run.syns_that_can_arrive() <= 5
    assert run.report.mode is Mode.CONNECT


# --------------------------------------------------------------------------- names, many targets, interrupts


def test_every_address_of_a_name_gets_a_verdict() -> None:
    network = Network()
    names = {"a.example": ResolvedFact(name="a.example", outcome="ok", addresses=(network.address, "192.0.2.77"))}
    wire = MemoryWire(network, names=names)
    options = ScanOptions(targets=(Target("a.example", "a.example"),), exclude=(ip_network("192.0.2.64/26"),))
    notices: list[str] = []
    report = Scan(wire, options, lambda _: None, notices.append).run()
    assert [v.address for v in report.verdicts] == [network.address]
    assert any("exclude" in line for line in notices)


def test_name_that_does_not_resolve() -> None:
    wire = MemoryWire(Network())
    options = ScanOptions(targets=(Target("gone.example", "gone.example"),))
    report = Scan(wire, options, lambda _: None, lambda _: None).run()
    assert [(v.rule, v.address) for v in report.verdicts] == [("NP001", None)]
    assert wire.commands == []


def test_no_route_sends_nothing() -> None:
    network = Network()
    wire = MemoryWire(network, routes={network.address: RouteFact(address=network.address, outcome="no-route")})
    options = ScanOptions(targets=(Target(network.address, network.address),))
    report = Scan(wire, options, lambda _: None, lambda _: None).run()
    assert report.verdicts[0].rule == "NP010"
    assert wire.commands == []


def test_many_ports_at_once() -> None:
    network = Network(ports={22: listening, 23: netfilter, 24: silent}, services={22: OPENSSH})
    ports = (22, 23, 24, 25, *range(1000, 1012))
    options = ScanOptions(targets=(Target(network.address, network.address),), ports=ports)
    run = scan(network, options)
    found = {v.port: v for v in run.report.verdicts}
    assert len(found) == len(ports)
    assert found[22].cause == "up"
    assert found[23].cause == "reset-by-host-firewall"
    assert found[24].cause == "dropped"
    assert {found[port].cause for port in ports[3:]} == {"no-listener"}
    assert all(run.syns_that_can_arrive(port) <= 5 for port in ports[:4])


@pytest.mark.parametrize("attempt", range(5))
def test_no_two_probes_of_a_scan_share_a_four_tuple(attempt: int) -> None:
    """Else one target's probe would be taken for another's: a wrong distance, a wrong control."""
    network = Network()
    options = ScanOptions(targets=(Target(network.address, network.address),), ports=tuple(range(1000, 1050)))
    run = scan(network, options)
    used = [(p.client.port, p.server.port, p.seq if p.shape is Shape.ECHO else 0) for p in run.probes]
    assert len(used) == len(set(used))
    assert {v.rule for v in run.report.verdicts} == {"NP110"}
    assert {v.origin.hop for v in run.report.verdicts} == {3}


def test_interrupt_gives_what_is_known() -> None:
    network = Network(ports={22: silent})

    class Interrupted(MemoryWire):
        def receive(self, deadline_ns: int) -> list:  # type: ignore[type-arg]
            if self.now_ns() > START_NS + 10**9:
                raise KeyboardInterrupt
            return super().receive(deadline_ns)

    options = ScanOptions(targets=(Target(network.address, network.address),))
    report = Scan(Interrupted(network), options, lambda _: None, lambda _: None).run()
    assert report.interrupted
    assert [v.cause for v in report.verdicts] == ["inconclusive"]


def test_control_port_is_never_the_target_port() -> None:
    run = scan(Network(ports={22: closed}))
    assert {p.server.port for p in run.probes if p.shape is Shape.MD5_SYN} != {22}
