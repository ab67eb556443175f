"""A simulated network behind a scripted wire: our kernel, routers in a row, a host with its ports.

House rules of this file:
1. Stacks answer as RFC 9293 3.10.7 and Linux do; what a test wants otherwise it gives as a behaviour.
2. No clock and no chance: the same commands give the same packets.
"""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from netprobe.model import (
    Command,
    Connect,
    ConnectionFact,
    Endpoint,
    Fact,
    Frame,
    Hang,
    IcmpError,
    Probe,
    Say,
    Shape,
)
from tests.packets import Segment, echo, icmp_error, six

Answer = tuple[float, bytes | Frame | Fact]
# What a port does with a segment that reached it: the segment it sends back, an ICMP type and code, or nothing.
Behaviour = Callable[[Segment], "Segment | tuple[int, int] | None"]
SHAPES = {
    Shape.SYN: ("S", ("mss", "sack", "ts", "ws")),
    Shape.BARE_SYN: ("S", ()),
    Shape.MD5_SYN: ("S", ("md5", "mss")),
    Shape.FRAGMENT: ("S", ("mss",)),
    Shape.ACK: ("A", ()),
    Shape.FIN: ("F", ()),
    Shape.SYN_ACK: ("SA", ("mss",)),
    Shape.RST: ("R", ()),
}
ERRNO = {(3, 0): "ENETUNREACH", (3, 3): "ECONNREFUSED", (1, 1): "EACCES", (1, 4): "ECONNREFUSED", (1, 0): "ENETUNREACH"}
HOP_S = 0.002
SYN_REPEAT_S = 1.0


# --------------------------------------------------------------------------- ports


def closed(segment: Segment) -> Segment | None:
    """A port without a listener, by the host's own stack: copies the DSCP, is silent to an MD5 option."""
    if "R" in segment.flags or "md5" in segment.options:
        return None
    tos = segment.tos & 0xFC
    if "A" in segment.flags:
        return replace(segment.turned("R"), seq=segment.ack, tos=tos, window=0)
    length = len(segment.data) + ("S" in segment.flags) + ("F" in segment.flags)
    return replace(segment.turned("RA"), ack=(segment.seq + length) & 0xFFFFFFFF, tos=tos, window=0)


def netfilter(segment: Segment) -> Segment | None:
    """REJECT --reject-with tcp-reset: DSCP 0, answers also an MD5 option."""
    answer = closed(replace(segment, options=()))
    return replace(answer, tos=0) if answer is not None else None


def silent(_: Segment) -> None:
    """DROP."""


def rejects(kind: int, code: int) -> Behaviour:
    """REJECT with an ICMP error."""
    return lambda segment: (kind, code)


def listening(segment: Segment) -> Segment | None:
    """A listener's stack: SYN-ACK for a SYN, RST for a stray ACK or SYN-ACK, nothing for a FIN."""
    if "A" in segment.flags:
        return closed(segment)
    if segment.flags != "S" or "md5" in segment.options:
        return None
    seq = (segment.seq * 7 + 5) & 0xFFFFFFFF
    return replace(segment.turned("SA"), seq=seq, ack=(segment.seq + 1) & 0xFFFFFFFF, options=("mss",))


def full(segment: Segment) -> Segment | None:
    """A listener whose accept queue is full: no answer to a SYN."""
    return None if segment.flags == "S" else listening(segment)


@dataclass(slots=True)
class Service:
    """What a server says: `greeting` as (seconds after the handshake, bytes, "FIN" or "RST"), `reply` to the first
    words of the client (None: nothing)."""

    greeting: tuple[tuple[float, bytes | str], ...] = ()
    reply: bytes | None = None
    small_segments_only: bool = False


OPENSSH = Service(((0.004, b"SSH-2.0-OpenSSH_9.2p1\r\n"),), b"\0\0\1\0\x0a\x14" + bytes(200))


@dataclass(slots=True)
class Connection:
    """One connect() of our kernel."""

    client: Endpoint
    server: Endpoint
    seq: int
    server_seq: int = 0
    mss: int | None = None
    open: bool = False
    said: bool = False


@dataclass(slots=True)
class Network:
    """Answers the commands of a scan. `filters` maps (router from 1, port of the host) to what that router does with
    what it should forward there."""

    address: str = "203.0.113.5"
    routers: tuple[str, ...] = ("198.51.100.1", "198.51.100.2")
    ports: dict[int, Behaviour] = field(default_factory=dict)
    other_ports: Behaviour = closed
    services: dict[int, Service] = field(default_factory=dict)
    ping: bool = True
    filters: dict[tuple[int, int], Behaviour] = field(default_factory=dict)
    dead: bool = False
    frames: bool = True
    impostor: bool = False
    syns: list[tuple[float, Segment]] = field(default_factory=list)
    nobody: list[tuple[float, Segment]] = field(default_factory=list)  # of these, what the last router gave up
    connects: list[Connect] = field(default_factory=list)
    sent_to: set[str] = field(default_factory=set)
    _connections: dict[int, Connection] = field(default_factory=dict)
    _ports: Iterator[int] = field(default_factory=lambda: itertools.count(40000))
    _lookup_until: float = 0.0

    @property
    def source(self) -> str:
        """Our own address, as MemoryWire gives it."""
        return "2001:db8::1" if six(self.address) else "192.0.2.1"

    @property
    def distance(self) -> int:
        """The host's hop."""
        return len(self.routers) + 1

    def __call__(self, command: Command, now_ns: int) -> Iterator[Answer]:
        """The responder of a MemoryWire."""
        now = now_ns / 1e9
        if isinstance(command, Probe):
            yield from self._probe(command, now)
        elif isinstance(command, Connect):
            yield from self._connect(command, now)
        elif isinstance(command, Say):
            yield from self._say(command)
        elif isinstance(command, Hang):
            yield from self._hang(command)

    # ------------------------------------------------------------------ probes

    def _probe(self, probe: Probe, now: float) -> Iterator[Answer]:
        ttl = 64 if probe.ttl is None else probe.ttl
        self.sent_to.add(probe.server.address)
        if probe.shape is Shape.ECHO:
            yield from self._echo(probe, ttl, now)
            return
        flags, options = SHAPES[probe.shape]
        segment = Segment(
            src=probe.client,
            dst=probe.server,
            flags=flags,
            seq=probe.seq,
            ack=probe.ack,
            tos=probe.tos,
            options=options,
            ttl=ttl,
            more=probe.shape is Shape.FRAGMENT,
        )
        for delay, what in self.travel(segment, now):
            yield delay, what if isinstance(what, bytes) else what.packet()
            if isinstance(what, Segment) and what.flags == "SA":  # our kernel knows nothing of it
                yield delay, self._out(replace(what.turned("R"), seq=what.ack))

    def _echo(self, probe: Probe, ttl: int, now: float) -> Iterator[Answer]:
        packet = echo(self.source, probe.server.address, probe.client.port & 0xFFFF, probe.seq & 0xFFFF, ttl=ttl)
        if ttl <= len(self.routers):
            yield self._expired(packet, ttl)
        elif self.dead:
            yield self._unreachable(packet, now)
        elif self.ping:
            ids = (probe.client.port & 0xFFFF, probe.seq & 0xFFFF)
            answer = echo(self.address, self.source, *ids, reply=True, ttl=65 - self.distance)
            yield 2 * HOP_S * self.distance, answer

    # ------------------------------------------------------------------ the path

    def travel(self, segment: Segment, now: float) -> Iterator[tuple[float, Segment | bytes]]:
        """What comes back to a segment, and when."""
        if segment.dst.address != self.address:
            if self.impostor and segment.flags == "S":
                answer = listening(segment)
                assert answer is not None
                yield HOP_S, replace(answer, ttl=64)
            return
        if segment.flags == "S":
            self.syns.append((now, segment))
        if self.impostor and segment.flags == "S":
            answer = listening(segment)
            assert answer is not None
            yield HOP_S, replace(answer, ttl=64)
            return
        for hop in range(1, self.distance):
            if segment.ttl <= hop:
                yield self._expired(segment.packet(), hop)
                return
            if (hop, segment.dst.port) in self.filters:
                behaviour = self.filters[hop, segment.dst.port]
                yield from self._answer(behaviour, segment, hop, self.routers[hop - 1])
                return
        if self.dead:
            self.nobody += [(now, segment)] * (segment.flags == "S")
            yield self._unreachable(segment.packet(), now)
        elif not segment.more:
            behaviour = self.ports.get(segment.dst.port, self.other_ports)
            yield from self._answer(behaviour, segment, self.distance, self.address)

    def _answer(
        self, behaviour: Behaviour, segment: Segment, hop: int, sender: str
    ) -> Iterator[tuple[float, Segment | bytes]]:
        answer = behaviour(segment)
        if isinstance(answer, Segment):
            yield 2 * HOP_S * hop, replace(answer, ttl=65 - hop)
        elif answer is not None:
            yield 2 * HOP_S * hop, icmp_error(sender, self.source, *answer, segment.packet(), ttl=65 - hop)

    def _expired(self, packet: bytes, hop: int) -> tuple[float, bytes]:
        kind = 3 if six(self.address) else 11
        return 2 * HOP_S * hop, icmp_error(self.routers[hop - 1], self.source, kind, 0, packet, ttl=65 - hop)

    def _unreachable(self, packet: bytes, now: float) -> tuple[float, bytes]:
        """The last router asks three times for the host, a second apart, then says so for all that waited."""
        if now >= self._lookup_until:
            self._lookup_until = now + 3.1
        hop = len(self.routers)
        code = (1, 3) if six(self.address) else (3, 1)
        return self._lookup_until - now, icmp_error(self.routers[-1], self.source, *code, packet, ttl=65 - hop)

    # ------------------------------------------------------------------ our kernel

    def _out(self, segment: Segment) -> Frame:
        packet = segment.packet()
        return Frame(0, 0, 101, packet, len(packet), True, "eth0")

    def _connect(self, command: Connect, now: float) -> Iterator[Answer]:
        client = Endpoint(self.source, command.source_port or next(self._ports))
        self.connects.append(command)
        self.sent_to.add(command.server.address)
        c = Connection(client, command.server, seq=1_000_000 * command.id, mss=command.mss)
        self._connections[command.id] = c
        ttl = 64 if command.ttl is None else command.ttl
        syn = Segment(src=client, dst=c.server, seq=c.seq, ttl=ttl, options=SHAPES[Shape.SYN][1])
        for sent in (0.0, SYN_REPEAT_S) if command.patience_s > SYN_REPEAT_S else (0.0,):
            yield from self._frame(sent, syn)
            answers = list(self.travel(syn, now + sent))
            for delay, what in answers:
                yield from self._answered(command, c, sent + delay, what)
            if answers and answers[0][0] + sent < SYN_REPEAT_S:
                return
        if not self.dead:
            yield command.patience_s, self._fact(command, c, "given-up")

    def _answered(self, command: Connect, c: Connection, delay: float, what: Segment | bytes) -> Iterator[Answer]:
        if self.frames:
            yield delay, what if isinstance(what, bytes) else what.packet()
        if isinstance(what, bytes):
            kind, code = self._icmp_of(what)
            error = ERRNO.get((kind, code), "EHOSTUNREACH")
            sender = str(_source_of(what))
            told = IcmpError(version=6 if six(sender) else 4, type=kind, code=code, sender=sender, ttl=63, tos=0)
            yield delay, replace(self._fact(command, c, "icmp"), icmp=told, error=error)
            yield delay, replace(self._fact(command, c, "failed"), error=error)
        elif "S" in what.flags:
            c.open, c.server_seq, c.seq = True, (what.seq + 1) & 0xFFFFFFFF, (c.seq + 1) & 0xFFFFFFFF
            yield from self._frame(delay, self._segment(c, "A", out=True))
            yield delay, self._fact(command, c, "open")
            yield from self._greet(command, c, delay)
        else:
            yield delay, replace(self._fact(command, c, "failed"), error="ECONNREFUSED")

    def _icmp_of(self, packet: bytes) -> tuple[int, int]:
        head = 40 if packet[0] >> 4 == 6 else 20
        return packet[head], packet[head + 1]

    def _greet(self, command: Connect, c: Connection, delay: float) -> Iterator[Answer]:
        service = self.services.get(c.server.port, Service())
        for after, what in service.greeting:
            yield from self._from_server(command, c, delay + after, what)

    def _from_server(self, command: Connect, c: Connection, delay: float, what: bytes | str) -> Iterator[Answer]:
        ended = isinstance(what, str)
        flags = {"FIN": "FA", "RST": "RA"}[what] if isinstance(what, str) else "PA"
        data = what if isinstance(what, bytes) else b""
        segment = replace(self._segment(c, flags, out=False), data=data, ttl=65 - self.distance)
        c.server_seq = (c.server_seq + len(data) + (flags == "FA")) & 0xFFFFFFFF
        if self.frames:
            yield delay, segment.packet()
        if ended:
            yield delay, replace(self._fact(command, c, "closed"), error="ECONNRESET" if what == "RST" else None)
        elif not self.frames:
            yield delay, replace(self._fact(command, c, "data"), data=data)

    def _say(self, command: Say) -> Iterator[Answer]:
        c = self._connections[command.id]
        yield from self._frame(0, replace(self._segment(c, "PA", out=True), data=command.data))
        c.seq = (c.seq + len(command.data)) & 0xFFFFFFFF
        service = self.services.get(c.server.port, Service())
        rtt = 2 * HOP_S * self.distance
        if self.frames:
            yield rtt, replace(self._segment(c, "A", out=False), ttl=65 - self.distance).packet()
        lost = service.small_segments_only and c.mss is None
        if service.reply is not None and not lost and not c.said:
            yield from self._from_server(Connect(command.id, c.server, 0), c, rtt, service.reply)
        c.said = True

    def _hang(self, command: Hang) -> Iterator[Answer]:
        c = self._connections.get(command.id)
        if c is not None and c.open:
            yield from self._frame(0, self._segment(c, "FA", out=True))

    def _frame(self, delay: float, segment: Segment) -> Iterator[Answer]:
        if self.frames:
            yield delay, self._out(segment)

    def _segment(self, c: Connection, flags: str, *, out: bool) -> Segment:
        ends, numbers = (
            ((c.client, c.server), (c.seq, c.server_seq)) if out else ((c.server, c.client), (c.server_seq, c.seq))
        )
        return Segment(src=ends[0], dst=ends[1], flags=flags, seq=numbers[0], ack=numbers[1])

    def _fact(self, command: Connect, c: Connection, event: str) -> ConnectionFact:
        return ConnectionFact(
            id=command.id, server=c.server, event=event, client=c.client, ttl=command.ttl, mss=command.mss or c.mss
        )


def _source_of(packet: bytes) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    if packet[0] >> 4 == 6:
        return ipaddress.IPv6Address(packet[8:24])
    return ipaddress.IPv4Address(packet[12:16])
