"""A saved scan taken apart: which packets were its probes, and what came of each.

House rules of this file:
1. Whose a packet is follows from the facts and from what went before it, never from its direction: on the loopback
   interface everything leaves.
2. What belongs to no probe and no connection is ambient: it comes when it came, whatever is sent.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from netprobe.model import (
    AuthMethodsFact,
    BlockedFact,
    ClientOfferFact,
    ConnectionFact,
    Endpoint,
    Fact,
    Frame,
    NeighborFact,
    Probe,
    Record,
    ResolvedFact,
    RouteFact,
    SettledFact,
    Shape,
    TargetFact,
)
from netprobe.wire import headers
from netprobe.wire.headers import Place

DEFAULT_TTL = 64
# Client and server of a conversation; an echo's "ports" are its identifier and sequence number.
Flow = tuple[Endpoint, Endpoint]
# The form of a probe: shape, address and purpose of its port, TTL, TOS.
Form = tuple[Shape, tuple[str, str], int, int]
_SHAPES = {
    headers.ACK: Shape.ACK,
    headers.FIN: Shape.FIN,
    headers.SYN | headers.ACK: Shape.SYN_ACK,
    headers.RST: Shape.RST,
}


@dataclass(slots=True)
class Sent:
    """A crafted probe of the recording, and the frames that came of it."""

    frame: Frame
    shape: Shape
    flow: Flow
    seq: int
    ack: int
    answers: list[Frame] = field(default_factory=list)


@dataclass(slots=True)
class Connection:
    """An ordinary connect() of the recording. What came after words or the end of ours waits for them."""

    id: int
    client: Endpoint | None
    began_ns: int
    opened: list[Record] = field(default_factory=list)
    said: list[Record] = field(default_factory=list)
    hung: list[Record] = field(default_factory=list)

    @property
    def latest(self) -> list[Record]:
        """Where what comes now belongs."""
        return self.hung or self.said or self.opened

    @property
    def was_open(self) -> bool:
        """Whether the handshake was completed by now."""
        return any(isinstance(one, ConnectionFact) and one.event == "open" for one in (*self.opened, *self.said))


class Purposes:
    """What a port is for. Each scan draws its control ports anew: the first that is asked for is every scan's first."""

    def __init__(self, targets: Iterable[Endpoint], usual_ports: frozenset[int]) -> None:
        self._targets = frozenset(targets)
        self._usual = usual_ports
        self._controls: dict[str, list[int]] = defaultdict(list)

    def of(self, server: Endpoint) -> tuple[str, str]:
        """The address and what the port is for."""
        server = bare(server)
        if server in self._targets or server.port in self._usual:
            return server.address, str(server.port)
        controls = self._controls[server.address]
        if server.port not in controls:
            controls.append(server.port)
        return server.address, f"control {controls.index(server.port)}"


class Recording:
    """A saved scan, taken apart. `usual_ports`: those that every scan asks under their own number."""

    def __init__(self, records: Iterable[Record], usual_ports: Iterable[int]) -> None:
        self.targets: list[TargetFact] = []
        self.settled: list[SettledFact] = []
        self.unfinished = False
        self.asked_for: str | None = None  # the user for whom servers were asked for their methods
        self.connected: set[Endpoint] = set()
        self.offers: dict[str, ClientOfferFact] = {}
        self.names: dict[str, ResolvedFact] = {}
        self.routes: dict[str, RouteFact] = {}
        self.blocked: dict[str, BlockedFact] = {}
        self.ambient: list[Record] = []
        self.sent: dict[Flow, list[Sent]] = {}
        self.probes: dict[Form, list[Sent]] = defaultdict(list)
        self.connections: dict[object, list[Connection]] = defaultdict(list)
        self.words: list[bytes] = []  # the first ones of ours on each connection
        self._usual = frozenset(usual_ports)
        self._neighbors: dict[str, str] = {}
        self._by_id: dict[int, Connection] = {}
        self._by_flow: dict[Flow, Connection] = {}
        everything = list(records)
        for record in everything:
            if isinstance(record, TargetFact):
                self.targets.append(record)
        self._purposes = self.purposes()
        for record in everything:
            if isinstance(record, Fact):
                self._note(record)
        for record in everything:
            self._sort(record)

    def purposes(self) -> Purposes:
        """What ports are for, for one more run."""
        known = (Endpoint(fact.address, fact.port) for fact in self.targets if fact.address is not None)
        return Purposes([bare(one) for one in known], self._usual)

    @property
    def asked_elsewhere(self) -> bool:
        """Whether the scan looked at the usual ports beside its targets'."""
        targets = {fact.port for fact in self.targets}
        flows = (*self.sent, *self._by_flow)
        return any(flow[1].port in self._usual - targets for flow in flows)

    @property
    def lacks(self) -> str:
        """Why this is no whole scan by a prober, in words; empty where it is one."""
        if not self.targets:
            return "it is no saved scan"
        if self.unfinished or len(self.settled) < len(self.targets):
            return "the scan was not finished"
        for target in self.targets:
            if target.address is None:
                continue
            route = self.routes.get(target.address)
            if route is None:
                return f"it does not say how {target.address} was routed, as a scan does"
            if route.outcome in ("ok", "local") and Endpoint(target.address, target.port) not in self.connected:
                return f"it has no connect() to {Endpoint(target.address, target.port)}, with which a scan begins"
        return ""

    def leaves(self, probe: Probe) -> bool:
        """Whether a probe of which nothing is recorded would have left: not where the next hop was never found."""
        route = self.routes.get(probe.server.address)
        hop = (route.gateway if route else None) or probe.server.address
        return self._neighbors.get(hop, "reachable") not in ("failed", "incomplete")

    # ------------------------------------------------------------------ facts first: they say whose a packet is

    def _note(self, fact: Fact) -> None:
        match fact:
            case SettledFact():
                self.settled.append(fact)
                self.unfinished = self.unfinished or not fact.complete
            case ResolvedFact():
                self.names[fact.name] = fact
            case RouteFact():
                self.routes[fact.address] = fact
            case BlockedFact():
                self.blocked[fact.address] = fact
            case NeighborFact():
                self._neighbors[fact.address] = fact.state
            case ConnectionFact() if fact.id not in self._by_id:
                found = Connection(fact.id, fact.client, fact.time_ns)
                self._by_id[fact.id] = found
                if fact.event == "started":
                    self.connected.add(fact.server)
                self.connections[self._purposes.of(fact.server), fact.ttl, fact.mss].append(found)
                if fact.client is not None:
                    self._by_flow[bare(fact.client), bare(fact.server)] = found

    def _sort(self, record: Record) -> None:
        if isinstance(record, Frame):
            place = headers.find(record.data, record.link_type)
            if place is None:
                self.ambient.append(record)
            elif place.protocol == headers.TCP:
                self._segment(record, place)
            else:
                self._icmp(record, place)
        elif isinstance(record, ConnectionFact):
            found = self._by_id[record.id]
            if record.event == "said":
                found.said.append(record)
            elif record.event != "started":
                found.latest.append(record)
        elif isinstance(record, AuthMethodsFact):
            self.asked_for = self.asked_for or record.user
            if record.id in self._by_id:
                self._by_id[record.id].latest.append(record)
        elif isinstance(record, ClientOfferFact):
            self.offers[record.target] = record
        elif not isinstance(record, TargetFact | SettledFact | ResolvedFact | RouteFact | BlockedFact):
            self.ambient.append(record)

    def _segment(self, frame: Frame, place: Place) -> None:
        source, target = headers.ends(frame.data, place)
        for flow, forward in (((source, target), True), ((target, source), False)):
            if flow in self._by_flow:
                self._conversation(self._by_flow[flow], frame, place, forward=forward)
                return
            if flow in self.sent and (not forward or _is_reset(frame.data, place)):
                self._answer(flow, frame)
                return
        if _is_reset(frame.data, place):
            self.ambient.append(frame)
            return
        self._keep(Sent(frame, shape(frame.data, place), (source, target), *headers.numbers(frame.data, place)), place)

    def _conversation(self, found: Connection, frame: Frame, place: Place, *, forward: bool) -> None:
        words = headers.payload(frame.data, place) if forward else b""
        ends = forward and headers.flags(frame.data, place) & (headers.FIN | headers.RST) and found.was_open
        if found.hung or ends:
            found.hung.append(frame)
        elif found.said or words:
            if not found.said:
                self.words.append(words)
            found.said.append(frame)
        else:
            found.opened.append(frame)

    def _icmp(self, frame: Frame, place: Place) -> None:
        source, target = headers.ends(frame.data, place)
        quoted = headers.quote(frame.data, place)
        if quoted is not None:
            self._error(frame, quoted)
        elif headers.is_echo(frame.data, place, reply=False):
            self._keep(Sent(frame, Shape.ECHO, _echo(source, target, frame.data, place), 0, 0), place)
        elif headers.is_echo(frame.data, place, reply=True):
            self._answer(_echo(target, source, frame.data, place), frame)
        else:
            self.ambient.append(frame)

    def _error(self, frame: Frame, quoted: Place) -> None:
        source, target = headers.ends(frame.data, quoted)
        if quoted.protocol != headers.TCP:
            self._answer(_echo(source, target, frame.data, quoted), frame)
        elif (source, target) in self._by_flow:
            self._by_flow[source, target].latest.append(frame)
        else:
            self._answer((source, target), frame, headers.numbers(frame.data, quoted)[0])

    def _keep(self, sent: Sent, place: Place) -> None:
        begun = self.sent.setdefault(sent.flow, [])
        begun.append(sent)
        if len(begun) == 1:
            server = Endpoint(sent.flow[1].address, 0) if sent.shape is Shape.ECHO else sent.flow[1]
            ttl, tos = headers.ttl(sent.frame.data, place), headers.tos(sent.frame.data, place)
            self.probes[form(sent.shape, self._purposes.of(server), ttl, tos)].append(sent)

    def _answer(self, flow: Flow, frame: Frame, seq: int | None = None) -> None:
        """To the probe that an error quotes, else to the last one of its conversation."""
        probes = self.sent.get(flow)
        if not probes:
            self.ambient.append(frame)
            return
        next((one for one in probes if one.seq == seq), probes[-1]).answers.append(frame)


def form(kind: Shape, purpose: tuple[str, str], ttl: int, tos: int) -> Form:
    """What makes two probes of the same form."""
    return kind, purpose, ttl, tos


def bare(end: Endpoint) -> Endpoint:
    """Without the zone, which no packet carries."""
    return Endpoint(end.address.partition("%")[0], end.port)


def shape(data: bytes, place: Place) -> Shape:
    """Which of our probes a segment is (netprobe/wire/codec.py)."""
    flags = headers.flags(data, place)
    if flags & headers.SYN and not flags & headers.ACK:
        if place.fragment:
            return Shape.FRAGMENT
        kinds = headers.options(data, place)
        return Shape.MD5_SYN if headers.MD5_OPTION in kinds else Shape.SYN if kinds else Shape.BARE_SYN
    return _SHAPES.get(flags & (headers.SYN | headers.ACK | headers.FIN | headers.RST), Shape.ACK)


def _is_reset(data: bytes, place: Place) -> bool:
    """A reset of ours is the kernel's answer to what it knows nothing of. The one that a prober sends at its end looks
    the same, and nothing is expected of it."""
    return bool(headers.flags(data, place) & headers.RST)


def _echo(source: Endpoint, target: Endpoint, data: bytes, place: Place) -> Flow:
    identifier, sequence = headers.numbers(data, place)
    return Endpoint(source.address, identifier), Endpoint(target.address, sequence)
