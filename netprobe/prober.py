"""What to send next: a ladder of steps, each taken only while the ones before leave rivals.

House rules of this file:
1. Pure: evidence and its `now_ns` in, commands out. Silence is a deadline asked for, not a clock read.
2. The budget of docs/interface.md holds by construction: of the SYNs that can reach the target port there are the
   kernel's two,
   one marked, and either one with an MD5 option and one repeat, or one out of the window and one bare.
3. What comes back is recognised by keyed source ports and sequence numbers; see `Keys`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from netprobe.attempts import Attempt, words
from netprobe.evidence import ELSEWHERE_PORTS, IMPOSSIBLE, SECOND, Conversation, Evidence, hops_away, reset_hop
from netprobe.model import Ask, Command, Connect, Endpoint, Hang, Mode, Probe, RouteFact, Say, Shape, TargetFact
from netprobe.ssh import OWN

IDENTIFICATION = OWN + b"\r\n"
# A second SYN this far from the first is outside of any window (RFC 7323 2.3: at most 2^30, real ones far below 2^25).
OUTSIDE_THE_WINDOW = 1 << 25
# Source ports of crafted probes lie outside Linux's ephemeral range (ip_local_port_range 32768 60999).
FIRST_SOURCE_PORT = 61000
SOURCE_PORTS = 4500
WALK_BATCH = 8
LONGEST_WALK = 30
# A probe that was sent shows up in the capture when its turn and its neighbour's answer have come: looked for this
# often, this long.
GRACE_NS = 50_000_000
UNSEEN_NS = 4 * SECOND
SMALL_MSS = 256
MARK = 0x48  # DSCP 18, AF21: told from 0 and from the 0x10 that Debian's ssh and pf use
LIMIT_NS = 90 * SECOND


@dataclass(frozen=True, slots=True)
class Plan:
    """What the user asked for."""

    elsewhere: bool = True
    patient: bool = False
    sparing: bool = False  # many targets share the routers' readiness to tell of expired probes
    source_port: int | None = None
    identify: bool = False
    ask_for: str | None = None  # the user for whom an SSH server is asked which methods of login it takes


@dataclass(slots=True)
class Keys:
    """Source ports and sequence numbers as a keyed function of the probe, so that no one who hasn't seen it can
    answer it."""

    secret: bytes
    target: TargetFact
    source: str
    used: set[tuple[int, int]] = field(default_factory=set)  # shared by all probers of an address: no four-tuple twice
    count: int = 0

    def numbers(self, label: str, port: int = 0) -> tuple[int, int, int]:
        """Source port, initial sequence number and acknowledgement number for a probe of this name to this port."""
        self.count += 1
        for n in range(SOURCE_PORTS):
            text = f"{self.target.address} {self.target.port} {label} {self.count} {n}".encode()
            digest = hashlib.blake2s(text, key=self.secret, digest_size=10).digest()
            source = FIRST_SOURCE_PORT + int.from_bytes(digest[:2]) % SOURCE_PORTS
            if (port, source) not in self.used:
                self.used.add((port, source))
                return source, int.from_bytes(digest[2:6]), int.from_bytes(digest[6:10])
        raise AssertionError("more probes than source ports")


@dataclass(frozen=True, slots=True)
class Step:
    """One rung. `when` decides on features, `after_s` is counted from the first SYN; `send` makes the commands."""

    name: str
    after_s: float
    when: Callable[[Prober, Evidence], bool]
    send: Callable[[Prober, Evidence], Iterator[Command]]


class Prober:
    """Probes one target. `advance` is called whenever something arrived or the deadline passed."""

    def __init__(
        self,
        target: TargetFact,
        route: RouteFact,
        plan: Plan,
        secret: bytes,
        ids: Iterator[int],
        used: set[tuple[int, int]] | None = None,
    ) -> None:
        assert target.address is not None
        self.target = target
        self.plan = plan
        self.done = False
        self.deadline_ns: int | None = None
        self.ends_ns = 0  # when it will be done if nothing more is heard, as far as can be told now
        self._address = target.address
        self._keys = Keys(secret, target, route.source or target.address, set() if used is None else used)
        self._ids = ids
        self._taken: dict[str, int] = {}
        self._sent: dict[int, int] = {}
        self._start_ns = 0
        self._said: dict[int, int] = {}
        self._hung: set[int] = set()
        self._asked: dict[int, int] = {}
        self._own: set[int] = set()  # other ports of this address have probers, and connections, of their own
        self._walked: dict[tuple[str, int], list[int]] = {}
        self._marked: Probe | None = None
        digest = hashlib.blake2s(f"{target.address} {target.port} control".encode(), key=secret, digest_size=4).digest()
        self.control_port = 33000 + int.from_bytes(digest[:2]) % 24000
        if self.control_port == target.port:
            self.control_port += 1

    # ------------------------------------------------------------------ the clockwork

    def advance(self, e: Evidence) -> list[Command]:
        """The commands that the evidence asks for now; sets `done` and `deadline_ns`."""
        if not self._start_ns:
            self._start_ns = e.now_ns
        commands: list[Command] = []
        waits = [e.deadline_ns] if e.deadline_ns is not None else []
        self.ends_ns = max([e.now_ns, *waits])
        for step in CONNECT_STEPS if self.target.mode is Mode.CONNECT else STEPS:
            if step.name in self._taken or not step.when(self, e):
                continue
            due = self._start_ns + int(step.after_s * SECOND)
            if e.now_ns >= due:
                self._taken[step.name] = e.now_ns
                commands += step.send(self, e)
            else:
                waits.append(due)
                self.ends_ns = max(self.ends_ns, due + e.patience_ns)
        commands += self._talk(e, waits)
        waits += self._unseen(e, commands)
        waits = [w for w in waits if w > e.now_ns]
        if e.now_ns >= self._start_ns + LIMIT_NS or e.features.get("link") == "down" or self._satisfied(e):
            waits, commands = [], [c for c in commands if isinstance(c, Hang)]
        self.deadline_ns = min(waits, default=None)
        self.ends_ns = min(max([self.ends_ns, *waits]), self._start_ns + LIMIT_NS)
        self.done = not waits and not any(not isinstance(c, Hang) for c in commands)
        if self.done:
            commands += self._clean_up(e)
        return commands

    def _unseen(self, e: Evidence, commands: list[Command]) -> list[int]:
        """When to look again for probes that were sent and haven't been seen leaving (a pace, a neighbour look-up)."""
        for command in commands:
            if isinstance(command, Probe):
                self._sent.setdefault(command.client.port, e.now_ns)
        for a in e.attempts:
            self._sent.pop(a.client.port, None)
        if "blocked" in e.cited:
            self._sent.clear()
        return [e.now_ns + GRACE_NS for sent in self._sent.values() if e.now_ns < sent + UNSEEN_NS][:1]

    def _up(self, e: Evidence) -> bool:
        """Nothing is left to ask: the service is up."""
        f = e.features
        if f.get("spoke") == "ssh2":
            return (f.get("kex") == "began" and "offer" not in f) or f["expect"] == "any"
        return f["expect"] == "any" and f.get("spoke") in ("ssh1", "protocol", "text", "binary")

    def _satisfied(self, e: Evidence) -> bool:
        """Nothing is left to ask, nor an answer to wait for: the question for the methods comes last."""
        return self._up(e) and (self.plan.ask_for is None or e.features.get("kex") != "began" or self._answered(e))

    def _answered(self, e: Evidence) -> bool:
        """The question for the methods is answered, or will not be."""
        waited = [e.now_ns - asked for asked in self._asked.values()]
        return e.asked is not None or any(one >= ANSWER_WAIT_NS for one in waited)

    def _clean_up(self, e: Evidence) -> Iterator[Command]:
        """Close what is open; take our own half-open entry away (RFC 9293 3.10.7.4: a reset with the expected
        number)."""
        for connection in e.connections:
            if connection in self._own - self._hung:
                self._hung.add(connection)
                yield Hang(connection)
        if e.features.get("half_open") == "acknowledged" and self._marked is not None:
            p = self._marked
            yield Probe(Shape.RST, p.client, p.server, seq=(p.seq + 1) & 0xFFFFFFFF)

    # ------------------------------------------------------------------ probes

    def probe(
        self, shape: Shape, port: int | None = None, ttl: int | None = None, tos: int = MARK, address: str | None = None
    ) -> Probe:
        """A crafted probe with keyed numbers."""
        to = Endpoint(address or self._address, self.target.port if port is None else port)
        # Echoes have no port: their sequence number tells those of other targets apart.
        source, seq, ack = self._keys.numbers(
            f"{shape} {to} {ttl} {tos}", -self.target.port if shape is Shape.ECHO else to.port
        )
        if shape is Shape.ECHO:
            return Probe(
                shape, Endpoint(self._keys.source, source), Endpoint(to.address, 0), seq=seq & 0xFFFF, ttl=ttl, tos=tos
            )
        acknowledges = shape in (Shape.ACK, Shape.SYN_ACK)
        return Probe(
            shape, Endpoint(self._keys.source, source), to, seq=seq, ack=ack if acknowledges else 0, ttl=ttl, tos=tos
        )

    def connect(
        self, port: int | None = None, ttl: int | None = None, mss: int | None = None, patience_s: float = 4.5
    ) -> Connect:
        """An ordinary connection."""
        first = port is None and ttl is None and mss is None
        to = Endpoint(self._address, self.target.port if port is None else port)
        one = next(self._ids)
        self._own.add(one)
        return Connect(one, to, patience_s, ttl=ttl, mss=mss, source_port=self.plan.source_port if first else None)

    def walk(self, e: Evidence, series: str, ttls: range) -> Iterator[Command]:
        """Probes of one series (port, control, ping) with these TTLs; each at most three times, a second apart."""
        for ttl in ttls:
            tries = self._walked.setdefault((series, ttl), [])
            if len(tries) >= 3 or (tries and e.now_ns - tries[-1] < SECOND):
                continue
            tries.append(e.now_ns)
            if self.target.mode is Mode.CONNECT:
                yield self.connect(self.target.port if series == "port" else self.control_port, ttl=ttl, patience_s=1.0)
            elif series == "ping":
                yield self.probe(Shape.ECHO, ttl=ttl)
            else:
                yield self.probe(Shape.SYN, self.target.port if series == "port" else self.control_port, ttl=ttl)

    # ------------------------------------------------------------------ conversation

    def _talk(self, e: Evidence, waits: list[int]) -> Iterator[Command]:
        """Say our identification, listen to the key exchange's beginning, hang up."""
        for connection, events in e.connections.items():
            if connection not in self._own - self._hung:
                continue
            talk = _talk_of(e, events[0].client, events[0].server.port)
            main = events[0].server.port == self.target.port and events[0].mss is None
            if not main and not any(event.event in ("failed", "given-up", "closed") for event in events):
                due = events[0].time_ns + ASIDE_WAIT_NS
                if e.now_ns >= due:
                    self._hung.add(connection)
                    yield Hang(connection)
                    continue
                waits.append(due)
            if talk is None:
                continue
            said_ns = self._said.get(connection)
            if said_ns is not None and talk.attempt.client_data is None and e.now_ns < said_ns + SECOND:
                waits.append(e.now_ns + GRACE_NS)
            if not any(event.event == "open" for event in events):
                continue
            if talk.opening.identification is not None:
                yield from self._identified(connection, e, talk, waits, main=main)
            elif main and connection not in self._said and e.features["expect"] == "ssh":
                # A server that waits for the client's first words: HTTP answers 400 and TLS an alert to ours.
                due = (talk.attempt.client_ack.time_ns if talk.attempt.client_ack else talk.last_ns) + SPEAK_FIRST_NS
                if e.now_ns >= due:
                    self._said[connection] = e.now_ns
                    yield Say(connection, IDENTIFICATION)
                else:
                    waits.append(due)
            elif main and self.plan.identify and connection not in self._said and e.features.get("spoke") == "nothing":
                self._said[connection] = e.now_ns
                yield Say(connection, b"HEAD / HTTP/1.0\r\n\r\n")

    def _identified(
        self, connection: int, e: Evidence, talk: Conversation, waits: list[int], *, main: bool
    ) -> Iterator[Command]:
        """What to do with a server that said who it is."""
        if main and self._asks(e, talk):
            yield from self._ask(connection, talk.attempt.server, e.now_ns)
            waits.append(self._asked[connection] + ANSWER_WAIT_NS)
        elif self._heard_enough(e, talk):
            self._hung.add(connection)
            yield Hang(connection)
        elif connection not in self._said and not talk.opening.kexinit:
            self._said[connection] = e.now_ns
            yield Say(connection, IDENTIFICATION)

    def _heard_enough(self, e: Evidence, talk: Conversation) -> bool:
        """Whether nothing more is wanted of a server that identified itself."""
        if talk.attempt.server.port != self.target.port or e.features["expect"] == "any":
            return True
        return (talk.opening.kexinit and "offer" not in e.features) or not talk.opening.speaks_2

    def _asks(self, e: Evidence, talk: Conversation) -> bool:
        """Whether the one connection that a scan makes anyway is, or will now be, used for the question."""
        wanted = self.plan.ask_for is not None and e.features["expect"] == "ssh"
        return wanted and talk.opening.speaks_2 and talk.opening.kexinit and not self._answered(e)

    def _ask(self, connection: int, server: Endpoint, now_ns: int) -> Iterator[Command]:
        """The question, once; it goes on where our identification ends."""
        if connection not in self._asked and self.plan.ask_for is not None:
            if connection not in self._said:
                self._said[connection] = now_ns
                yield Say(connection, IDENTIFICATION)
            self._asked[connection] = now_ns
            yield Ask(connection, server, self.plan.ask_for)

    def asked(self, name: str) -> bool:
        """Whether a step was taken."""
        return name in self._taken


# A wire answers sooner (netprobe.wire.asking); a saved scan that never asked doesn't.
ANSWER_WAIT_NS = 12 * SECOND
SPEAK_FIRST_NS = 2_500_000_000
# How long a connection aside (another port, a small MSS) may take to say what it is opened for.
ASIDE_WAIT_NS = 3_000_000_000


def _talk_of(e: Evidence, client: Endpoint | None, port: int) -> Conversation | None:
    found = [c for c in (e.conversation, e.second, *e.elsewhere.values()) if c is not None]
    return next((c for c in found if c.attempt.client == client and c.attempt.server.port == port), None)


# --------------------------------------------------------------------------- conditions


def _unanswered(p: Prober, e: Evidence) -> bool:
    """The SYN left, and nothing has come back so far."""
    return (
        e.features.get("answer") in ("pending", "silent")
        and e.answer is None
        and e.features.get("own_syn") == "seen"
        and "neighbor" not in e.features
    )


def _still_waiting(p: Prober, e: Evidence) -> bool:
    """Without packets: the connection has neither been made nor refused."""
    return e.features.get("answer") == "pending" and e.answer is None


def _refused(p: Prober, e: Evidence) -> bool:
    """An answer that isn't SYN-ACK."""
    return e.answer is not None and (e.answer.synack is None or e.features.get("contradicted") == "yes")


def _broken_service(p: Prober, e: Evidence) -> bool:
    """The port opens, but the service isn't what was expected."""
    if e.conversation is None or p._up(e):
        return False
    return e.features.get("spoke") in ("text", "binary", "protocol", "nothing", "ssh1") and "kex" not in e.features


def _doubtful_proxy(p: Prober, e: Evidence) -> bool:
    if e.features.get("zero_window") == "stays" or (e.features.get("reset_ttl") == "different" and not p._up(e)):
        return True
    return _broken_service(p, e) and e.features.get("spoke") == "nothing"


def _wants_elsewhere(p: Prober, e: Evidence) -> bool:
    """SSH was expected here, isn't here, and the host answers: it may be on another port."""
    return (
        p.plan.elsewhere
        and e.features["expect"] == "ssh"
        and e.features.get("host") == "answers"
        and e.features.get("icmp_from") != "path"
        and (_refused(p, e) or _unanswered(p, e) or _broken_service(p, e))
    )


def _more_ports(p: Prober, e: Evidence) -> bool:
    """Nothing of the host has answered so far: more ports may find it alive."""
    return (
        p.plan.elsewhere and e.features["expect"] == "ssh" and _unanswered(p, e) and e.features.get("host") != "answers"
    )


def _sender_unplaced(p: Prober, e: Evidence) -> bool:
    """The walk left open where the sender of the error is: routers hold errors back (RFC 1812 4.3.2.8)."""
    a, s = e.answer, e.survey
    if not _icmp_from_path(p, e) or a is None or a.icmp is None or s is None:
        return False
    if a.icmp.meaning.kind == "expired":
        return not s.loops
    return s.hop_of(a.icmp.sender) is None and s.port_reached is None


def _icmp_from_path(p: Prober, e: Evidence) -> bool:
    return e.features.get("icmp_from") == "path"


def _mixed(p: Prober, e: Evidence) -> bool:
    """Answers differ, and the shape and the order of the SYNs are both to blame so far."""
    settled = {(a.synack is not None, a.rst is not None, a.icmp.label if a.icmp else None) for a in e.syns}
    return len(e.syns) >= 2 and len(settled) > 1 and e.answer is not None and e.features.get("answer") == "pending"


def _reset_in_doubt(p: Prober, e: Evidence) -> bool:
    """A reset whose maker the TTL or the lack of anything to compare leaves open."""
    f = e.features
    if f.get("answer") != "reset" or "rst_tos" not in f:
        return False
    if f.get("rst_ttl") in ("closer", "other") or f.get("ways") == "differ":
        return True
    return (
        f.get("rst_tos") != "echo"
        and "rst_ttl" not in f
        and f.get("control") in ("silent", "reset", "icmp")
        and "ping" in f
    )


def _reset_unplaced(p: Prober, e: Evidence) -> bool:
    """The walk met nobody where the TTL of the reset places its maker: routers hold errors back, and lose some."""
    if not p.asked("walk-reset") or e.survey is None or reset_hop(e) in e.survey.routers:
        return False
    return 1 < reset_hop(e) < (e.distance or LONGEST_WALK)


# --------------------------------------------------------------------------- what the steps send


def _first_connect(p: Prober, e: Evidence) -> Iterator[Command]:
    yield p.connect()


def _marked_syn(p: Prober, e: Evidence) -> Iterator[Command]:
    if p._marked is None:
        p._marked = p.probe(Shape.SYN)
        yield p._marked


def _control(p: Prober, e: Evidence) -> Iterator[Command]:
    yield p.probe(Shape.SYN, p.control_port)
    yield p.probe(Shape.ECHO)


def _compare(p: Prober, e: Evidence) -> Iterator[Command]:
    """Everything that tells a stack's reset from a filter's, in one go."""
    yield from _marked_syn(p, e)
    yield from _control(p, e)
    yield p.probe(Shape.MD5_SYN)
    yield p.probe(Shape.MD5_SYN, p.control_port)


def _elsewhere(p: Prober, e: Evidence) -> Iterator[Command]:
    for port in ELSEWHERE_PORTS:
        if port != p.target.port:
            yield p.probe(Shape.SYN, port)


def _elsewhere_talk(p: Prober, e: Evidence) -> Iterator[Command]:
    for port in e.open_ports:
        if port in ELSEWHERE_PORTS:
            yield p.connect(port, patience_s=2.0)


def _reference(e: Evidence) -> str:
    """The series of probes that the host itself is known to answer."""
    return "control" if e.features.get("control") == "reset" else "ping"


def _distance(p: Prober, e: Evidence) -> Iterator[Command]:
    """Prove the distance that the TTL of the host's answers suggests: reached with it, not with one less."""
    hops = e.distance or 1
    series = _reference(e)
    plain = p.plan.sparing and e.features.get("rst_tos", "echo") == "echo"
    yield from p.walk(e, series, range(hops if plain else max(1, hops - 1), hops + 1))


def _distance_again(p: Prober, e: Evidence) -> Iterator[Command]:
    series = _reference(e)
    last = e.survey.other_last if e.survey is not None else 0
    far = max(2 * (e.distance or 1) + 4, last + 8)
    if e.survey is not None and e.survey.distance is not None:
        far = e.survey.distance
    yield from p.walk(e, series, range(1, min(LONGEST_WALK, far)))


def _quad(p: Prober, e: Evidence) -> Iterator[Command]:
    for shape in (Shape.ACK, Shape.FIN, Shape.SYN_ACK):
        yield p.probe(shape)


def _quad_again(p: Prober, e: Evidence) -> Iterator[Command]:
    for feature, shape in (("ack", Shape.ACK), ("fin", Shape.FIN), ("syn_ack", Shape.SYN_ACK)):
        if e.features.get(feature) == "silent":
            yield p.probe(shape)


def _half_open(p: Prober, e: Evidence) -> Iterator[Command]:
    if p._marked is not None:
        m = p._marked
        yield Probe(Shape.SYN, m.client, m.server, seq=(m.seq + OUTSIDE_THE_WINDOW) & 0xFFFFFFFF, tos=m.tos)


def _bare(p: Prober, e: Evidence) -> Iterator[Command]:
    yield p.probe(Shape.BARE_SYN)


def _twin(p: Prober, e: Evidence) -> Iterator[Command]:
    """Two crafted SYNs that look just like the kernel's: a limit lets one pass at most, a filter of shapes both or
    none."""
    yield p.probe(Shape.SYN, tos=0)
    yield p.probe(Shape.SYN, tos=0)


def _fragments(p: Prober, e: Evidence) -> Iterator[Command]:
    yield p.probe(Shape.FRAGMENT)
    yield p.probe(Shape.FRAGMENT, p.control_port)


def _length(e: Evidence, far: int) -> int:
    """How far a walk must go: to the known distance, else one batch beyond the last router that answered."""
    if e.distance is not None:
        return min(e.distance, LONGEST_WALK)
    known = max([*(e.survey.routers if e.survey is not None else ()), 0])
    return int(min(max(far, known + 2), LONGEST_WALK))


def _walk_target(p: Prober, e: Evidence) -> Iterator[Command]:
    """A SYN that expires at the target: a host keeps it, a forwarder tells of the expiry."""
    hop = e.pinged if e.features.get("rst_ttl") == "farther" and e.pinged is not None else e.distance
    if hop is not None:
        yield from p.walk(e, "port", range(hop, hop + 1))


def _last_router(e: Evidence) -> int:
    """The hop before the target, as far as it is known. SYNs that can get further count in the budget."""
    if e.distance is not None:
        return min(e.distance, LONGEST_WALK) - 1
    behind = e.route is not None and e.route.gateway is not None
    return int(max([*(e.survey.routers if e.survey is not None else ()), int(behind)]))


def _walk_port(p: Prober, e: Evidence) -> Iterator[Command]:
    """Does the SYN get to the last router? Among many targets one probe each has to do: routers hold errors back."""
    last = _last_router(e)
    yield from p.walk(e, "port", range(last if p.plan.sparing and e.distance is not None else 1, last + 1))


def _walk_control(p: Prober, e: Evidence) -> Iterator[Command]:
    """Which routers are there; among many targets only asked where the host's own answers don't tell how far it is."""
    if e.distance is None or not p.plan.sparing:
        yield from p.walk(e, "control", range(1, _length(e, WALK_BATCH) + 1))


def _walk_ping(p: Prober, e: Evidence) -> Iterator[Command]:
    if e.distance is None:
        yield from p.walk(e, "ping", range(1, _length(e, WALK_BATCH) + 1))


def _walk_pairs(p: Prober, e: Evidence) -> Iterator[Command]:
    """Where the port's probe was not heard of: again, and right after it one to elsewhere with the same TTL.

    A router that limits its errors would rather answer the first; an answer to the second alone proves that the first
    died before it.
    """
    if e.survey is None:
        return
    last = _last_router(e)
    if e.survey.port_last >= last:
        return
    elsewhere = "ping" if e.features.get("control") not in ("reset", "syn-ack") and _pings(e) else "control"
    for ttl in range(e.survey.port_last + 1, last + 1):
        if ttl not in e.survey.port_dead:
            yield from p.walk(e, "port", range(ttl, ttl + 1))
            yield from p.walk(e, elsewhere, range(ttl, ttl + 1))


def _pings(e: Evidence) -> bool:
    return e.features.get("ping") == "answered"


def _walk_on(p: Prober, e: Evidence) -> Iterator[Command]:
    """The path is longer than one batch."""
    assert e.survey is not None
    yield from p.walk(e, "control", range(max(e.survey.routers, default=0) + 1, LONGEST_WALK + 1))


def _walk_sender(p: Prober, e: Evidence) -> Iterator[Command]:
    """Where is the router that sent the error: its TTL gives a guess, the walk proves it."""
    icmp = e.answer.icmp if e.answer is not None else None
    if icmp is None:
        return
    guess = hops_away(icmp.ttl) if icmp.ttl is not None else 4
    far = 6 if icmp.meaning.kind == "expired" else min(guess + 1, LONGEST_WALK)
    yield from p.walk(e, "port", range(1, far + 1))


def _walk_reset(p: Prober, e: Evidence) -> Iterator[Command]:
    guess = reset_hop(e) or 4
    far = min(guess + 1, e.distance or LONGEST_WALK, LONGEST_WALK)
    if e.features.get("ways") == "differ" and e.distance is not None:
        far = min(e.distance - 1, LONGEST_WALK)
    yield from p.walk(e, "port", range(1, far + 1))
    yield from p.walk(e, "control", range(1, far + 1))
    if e.features.get("control") != "reset" or e.features.get("control_tos") != "echo":
        yield from p.walk(e, "ping", range(1, far + 1))


def _walk_reset_again(p: Prober, e: Evidence) -> Iterator[Command]:
    for series in ("port", "control"):
        yield from p.walk(e, series, range(reset_hop(e), reset_hop(e) + 1))


def _walk_proxy(p: Prober, e: Evidence) -> Iterator[Command]:
    a: Attempt | None = e.conversation.attempt if e.conversation is not None else None
    guess = hops_away(a.synack.ttl) if a is not None and a.synack is not None and a.synack.ttl > 0 else 2
    yield from p.walk(e, "ping", range(1, min(guess, LONGEST_WALK) + 1))


def _impossible(p: Prober, e: Evidence) -> Iterator[Command]:
    """SYNs to two addresses that no host has, in no network that is our own or the target's."""
    version = 6 if ":" in p._address else 4
    known = {_network(p._address), _network(p._keys.source)}
    for address in [a for a in IMPOSSIBLE[version] if _network(a) not in known][:2]:
        yield p.probe(Shape.SYN, address=address)


def _network(address: str) -> tuple[int, ...]:
    """The /24 or /64 that an address lies in."""
    number = words(address)
    return number[:2] if ":" in address else (number[3] >> 8,)


def _small_mss(p: Prober, e: Evidence) -> Iterator[Command]:
    yield p.connect(mss=SMALL_MSS)


def _control_connects(p: Prober, e: Evidence) -> Iterator[Command]:
    yield p.connect(p.control_port, patience_s=2.0)
    if _wants_elsewhere(p, e):
        for port in ELSEWHERE_PORTS:
            if port != p.target.port:
                yield p.connect(port, patience_s=2.5)


def _host_known(p: Prober, e: Evidence) -> bool:
    """The distance of the host is guessed from an answer that the host itself made, and worth a proof."""
    return (
        e.distance is not None
        and e.survey is not None
        and e.survey.distance is None
        and e.features.get("route") != "local"
        and (e.features.get("control") == "reset" or e.features.get("ping") == "answered")
        and (_refused(p, e) or _unanswered(p, e))
    )


def _distance_wrong(p: Prober, e: Evidence) -> bool:
    """The probe with the guessed TTL did not reach: the ways there and back differ in length."""
    sent = p._taken.get("distance", p._taken.get("walk-reset"))
    tried = sorted(ttl for series, ttl in p._walked if series != "port")
    if sent is None or e.survey is None or not tried:
        return False
    if e.survey.distance is not None:
        return 1 < e.survey.distance == tried[0]
    return 0 < tried[-1] <= e.survey.other_last or e.now_ns - sent >= e.patience_ns


def _long_path(p: Prober, e: Evidence) -> bool:
    return (
        (_unanswered(p, e) or p.asked("walk"))
        and e.survey is not None
        and max(e.survey.routers, default=0) >= WALK_BATCH - 1
        and e.distance is None
    )


# The ladder. Order matters only for what is sent in one go; `after_s` counts from the first SYN.
STEPS: tuple[Step, ...] = (
    Step("connect", 0.0, lambda p, e: True, _first_connect),
    Step("around", 1.0, lambda p, e: e.features.get("own_syn") == "absent", _marked_syn),
    Step("compare", 0.0, lambda p, e: e.features.get("answer") == "reset", _compare),
    Step("control", 0.0, lambda p, e: _refused(p, e) and e.features.get("answer") != "reset", _control),
    Step("another-source", 0.0, lambda p, e: e.features.get("answer") == "challenge", _marked_syn),
    Step("elsewhere", 0.0, _wants_elsewhere, _elsewhere),
    Step("distance", 0.0, _host_known, _distance),
    Step("distance-again", 0.0, _distance_wrong, _distance_again),
    Step("walk-reset", 0.0, _reset_in_doubt, _walk_reset),
    Step("walk-reset-again", 1.2, _reset_unplaced, _walk_reset_again),
    Step("forward-reset", 0.0, lambda p, e: e.features.get("rst_ttl") == "farther", _walk_target),
    Step("walk-sender", 0.0, _icmp_from_path, _walk_sender),
    Step("walk-sender-again", 1.2, _sender_unplaced, _walk_sender),
    Step("walk-sender-late", 3.4, _sender_unplaced, _walk_sender),
    Step("twin", 1.1, _mixed, _twin),
    Step("repeat", 0.35, _unanswered, _marked_syn),
    Step("alive", 0.35, _unanswered, _control),
    Step("fragments", 0.5, lambda p, e: p.plan.patient and _unanswered(p, e), _fragments),
    # A host whose own OUTPUT drops the SYN-ACK forgets the half-open connection when it repeats it after a second
    # (Linux 6.18):
    # the second SYN must come sooner, 0.3 s after the marked one.
    Step("half-open", 0.65, _unanswered, _half_open),
    Step("quad", 0.7, _unanswered, _quad),
    Step("walk-control", 0.8, _unanswered, _walk_control),
    Step("walk", 1.0, _unanswered, _walk_port),
    Step("walk-ping", 1.2, lambda p, e: _unanswered(p, e) and e.features.get("control") != "reset", _walk_ping),
    Step("more-ports", 1.4, lambda p, e: _more_ports(p, e) and not p.asked("elsewhere"), _elsewhere),
    Step("quad-again", 1.7, _unanswered, _quad_again),
    Step("control-again", 1.8, lambda p, e: _unanswered(p, e) and e.features.get("control") == "silent", _control),
    Step("walk-on", 1.9, _long_path, _walk_on),
    Step("walk-pairs", 1.3, _unanswered, _walk_pairs),
    Step("walk-pairs-again", 2.4, _unanswered, _walk_pairs),
    Step("walk-on-port", 2.3, _long_path, _walk_port),
    Step("walk-on-again", 3.45, _long_path, _walk_pairs),
    Step("forward", 2.1, lambda p, e: _unanswered(p, e) and e.features.get("fin") == "reset", _walk_target),
    Step("fragments-again", 2.2, lambda p, e: p.plan.patient and _unanswered(p, e), _fragments),
    # Linux routers charge an "unreachable" twice against a budget of one a second (ip_error(), then icmp_send()):
    # while probes
    # come faster than every two seconds an empty budget never fills. So the last SYN comes after a pause.
    Step("bare", 4.3, lambda p, e: _unanswered(p, e) and not p.asked("forward"), _bare),
    Step("impossible", 0.0, _doubtful_proxy, _impossible),
    Step("walk-proxy", 0.0, _doubtful_proxy, _walk_proxy),
    Step("small-mss", 0.0, lambda p, e: e.features.get("kex") == "stalled", _small_mss),
    Step(
        "elsewhere-talk",
        0.0,
        lambda p, e: _wants_elsewhere(p, e) and bool(set(e.open_ports) & set(ELSEWHERE_PORTS)),
        _elsewhere_talk,
    ),
)

# Without privilege there are only connections; the walk is made with their TTL.
CONNECT_STEPS: tuple[Step, ...] = (
    Step("connect", 0.0, lambda p, e: True, _first_connect),
    Step("control", 0.0, _refused, _control_connects),
    Step("walk-sender", 0.0, _icmp_from_path, _walk_sender),
    Step("alive", 0.5, _still_waiting, _control_connects),
    Step("walk-control", 0.8, _still_waiting, _walk_control),
    Step("walk", 1.9, _still_waiting, _walk_port),
    Step("walk-again", 3.1, _still_waiting, _walk_pairs),
    Step("small-mss", 0.0, lambda p, e: e.features.get("kex") == "stalled", _small_mss),
)
