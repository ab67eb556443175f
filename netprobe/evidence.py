"""Everything known of one target, and its reduction to a few words that the rules are written in.

House rules of this file:
1. Pure: `now_ns` is an argument; silence is a deadline that has passed, `pending` one that has not.
2. A feature is a word out of FEATURES or absent (not asked, or can't be told). Nothing else reaches the rules.
3. What a feature rests on is kept beside it (`cited`), so that every verdict can name its packets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from netprobe import greeting, ssh
from netprobe.attempts import UNSEEN, Attempt, Form, IcmpAnswer, Packet
from netprobe.icmp import IcmpKind
from netprobe.model import (
    BlockedFact,
    ConnectionFact,
    DropFact,
    Endpoint,
    Fact,
    LinkFact,
    Mode,
    NeighborFact,
    ResolvedFact,
    RouteFact,
    TargetFact,
)
from netprobe.path import Survey, survey

SECOND = 1_000_000_000

# The vocabulary of the rules: feature -> what its words mean. docs/design.md is generated from nothing else.
FEATURES: dict[str, dict[str, str]] = {
    "expect": {"ssh": "an SSH server is expected", "any": "any service will do"},
    "mode": {"packets": "packets were captured", "kernel": "only the kernel's word is known (no privilege)"},
    "capture": {"whole": "the capture lost nothing", "lossy": "the kernel dropped packets of the capture"},
    "link": {"down": "the interface went down while the scan ran"},
    "name": {
        "not-found": "the resolver says that the name doesn't exist",
        "no-address": "the name exists, without an address",
        "server-failure": "the resolver answered with a failure",
        "time-out": "the resolver did not answer",
        "failed": "resolution failed otherwise",
    },
    "route": {
        "local": "the address is this machine's own",
        "no-route": "the kernel has no route",
        "unreachable": "a route of type unreachable",
        "prohibited": "a route of type prohibit",
        "blackhole": "a route of type blackhole",
    },
    "neighbor": {"silent": "ARP or neighbour solicitations for the next hop stay unanswered"},
    "own_syn": {"seen": "the kernel's SYN was captured on its way out", "absent": "connect() was called and no SYN left"},
    "connect": {
        "open": "connect() succeeded",
        "refused": "ECONNREFUSED",
        "reset": "ECONNRESET",
        "timed-out": "ETIMEDOUT",
        "waiting": "still waiting when given up",
        "host-unreachable": "EHOSTUNREACH",
        "network-unreachable": "ENETUNREACH",
        "denied": "EACCES or EPERM",
        "no-port": "EADDRNOTAVAIL or EADDRINUSE",
        "no-descriptor": "EMFILE or ENFILE",
        "invalid": "EINVAL",
        "other": "another error",
    },
    "contradicted": {"yes": "one SYN drew a reset, and then the host's SYN-ACK"},
    "answer": {
        "syn-ack": "SYN-ACK",
        "reset": "RST,ACK that acknowledges the SYN",
        "icmp": "an ICMP error quoting the SYN",
        "challenge": "a bare ACK with an unrelated number",
        "odd": "each SYN draws an answer that fits no SYN",
        "silent": "nothing, to at least three SYNs in four seconds or more",
        "changed": "the answer to the same SYN changed with time",
        "shape": "the answer depends on what the SYN looks like",
        "pending": "not waited long enough",
    },
    "first": {
        word: f"the first of the changing answers was {word}" for word in ("syn-ack", "reset", "icmp", "silent", "odd", "challenge")
    },
    "icmp_ttl": {
        "same": "the error's TTL fits the host's other answers",
        "closer": "it comes from fewer hops away than the host's other answers",
        "farther": "from more hops away",
    },
    "icmp": {kind.value: f"the error is of kind {kind.value}" for kind in IcmpKind},
    "icmp_from": {"target": "sent by the target itself", "path": "sent by another address", "local": "sent by this machine"},
    "icmp_when": {"late": "two seconds or more after the SYN", "prompt": "sooner"},
    "icmp_order": {
        "at-once": "the sender answers so even to a SYN that expires at it: before forwarding, so a route decided",
        "after-expiry": "the sender tells of expiry at its own hop first: a filter or neighbour look-up after the route",
    },
    "icmp_elsewhere": {"same": "another port draws the same error", "different": "another port doesn't"},
    "rst_tos": {
        "echo": "the RST carries the DSCP of the SYN",
        "zero": "the RST has DSCP 0 though the SYN had another",
        "other": "the RST has a DSCP of its own",
    },
    "rst_ttl": {
        "same": "TTL as in the host's other answers",
        "closer": "the RST comes from fewer hops away than the host's other answers",
        "farther": "from more hops away",
        "other": "another initial TTL, though the distance fits",
    },
    "rst_walk": {"before-target": "the RST comes back at a TTL at which a probe elsewhere is still on a router"},
    "rst_traits": {"netfilter": "IP ID 0, DF, no window: as netfilter and Linux make it", "other": "otherwise"},
    "md5": {"answered": "a SYN with an MD5 option is answered", "silent": "it is not"},
    "control": {
        "reset": "another port of the address answers with RST",
        "syn-ack": "with SYN-ACK",
        "icmp": "with an ICMP error from the target",
        "silent": "nothing from any other port tried",
    },
    "control_tos": {"echo": "the control port's RST carries the SYN's DSCP", "zero": "it has DSCP 0", "other": "another"},
    "control_md5": {"answered": "the control port answers a SYN with an MD5 option", "silent": "it does not"},
    "ping": {"answered": "echo requests are answered", "silent": "they are not", "icmp": "they draw an ICMP error"},
    "host": {"answers": "the target's address answered something", "silent": "nothing came from the target's address"},
    "all_open": {"yes": "every port tried answers with SYN-ACK"},
    "ack": {"reset": "an ACK draws RST", "silent": "nothing"},
    "fin": {"reset": "a FIN draws RST,ACK", "silent": "nothing"},
    "syn_ack": {"reset": "a SYN-ACK draws RST", "silent": "nothing"},
    "fin_tos": {"echo": "that RST carries the FIN's DSCP", "zero": "DSCP 0", "other": "another"},
    "half_open": {"acknowledged": "a second SYN far outside the window draws an ACK of the first", "silent": "nothing"},
    "fragment": {"answered": "an incomplete fragment to the port draws ICMP 11/1 from the target", "silent": "nothing"},
    "fragment_control": {"answered": "the same to another port does", "silent": "nothing"},
    "dies": {
        "before-last-router": "probes to the port vanish where probes to elsewhere reach a further router",
        "after-last-router": "probes to the port get as far as any other, to the last router known",
        "here": "not even the first router tells of an expired probe",
    },
    "forwards": {"yes": "the target itself tells that a SYN to the port expired at it: it sends the port on to another machine"},
    "loop": {"yes": "router addresses repeat along the path"},
    "impostor": {"yes": "addresses that cannot exist answer with SYN-ACK", "no": "they don't"},
    "handshake": {
        "complete": "SYN-ACK and our ACK",
        "blocked": "the SYN-ACK is repeated though we acknowledged it, and data stays unacknowledged",
    },
    "zero_window": {"stays": "the SYN-ACK had window 0 and the window never opened", "opened": "it opened later"},
    "two_boxes": {"yes": "two SYN-ACKs with different sequence numbers"},
    "spoke": {
        "ssh2": "an SSH-2.0 or SSH-1.99 identification",
        "ssh1": "an older SSH identification",
        "protocol": "the greeting of another protocol",
        "text": "lines that are no identification",
        "binary": "bytes of no known protocol",
        "nothing": "nothing",
        "pending": "not waited long enough",
    },
    "text": {
        "max-startups": "the line `Exceeded MaxStartups`",
        "not-allowed": "the line `Not allowed at this time`",
    },
    "lines": {"endless": "three or more lines, and no end"},
    "ended": {"fin": "the server closed", "reset": "the server's side reset", "open": "still open"},
    "ended_early": {"at-once": "within a round trip of our ACK, before we said anything", "later": "afterwards"},
    "reset_window": {"zero": "the RST has window 0", "open": "the RST has a window: a process's socket made it"},
    "reset_ttl": {"same": "TTL as in the SYN-ACK", "different": "another TTL than the SYN-ACK"},
    "kex": {"began": "the server's KEXINIT arrived", "stalled": "identification exchanged, then nothing for 2.5 s"},
    "gap": {"yes": "a later, smaller segment arrived where the first one is missing"},
    "our_words": {"acknowledged": "the server's stack acknowledged what we said", "lost": "it did not"},
    "small_mss": {"began": "with a small MSS the KEXINIT arrives", "stalled": "neither"},
    "other_source": {"answered": "a SYN from another source port is answered normally"},
}

ELSEWHERE_PORTS = (2222, 22022, 2200, 222, 8022, 443)
# Addresses that no host has: two of each documentation network of RFC 5737 far from where examples number their hosts,
# the discard prefix of RFC 6666 and the documentation prefix of RFC 3849.
IMPOSSIBLE = {
    4: tuple(f"{network}.{host}" for network in ("192.0.2", "198.51.100", "203.0.113") for host in (253, 77)),
    6: ("100::dead", "2001:db8:dead::dead"),
}
# A silent SYN: the last router's ICMP comes 3.1 s after the first packet it could not deliver (three neighbour
# solicitations one second apart, RFC 4861 10), so silence is called after four seconds.
SILENCE_NS = 4_200_000_000
SPACED_NS = 1_000_000_000
WALK_PATIENCE_NS = 120_000_000


@dataclass(frozen=True, slots=True)
class Conversation:
    """What was said on one established connection."""

    attempt: Attempt
    stream: bytes
    opening: ssh.Opening
    line_times: tuple[int, ...]
    last_ns: int


@dataclass(slots=True)
class Evidence:
    """One target's evidence. `features` are words of FEATURES; `cited` names the records that a feature rests on;
    `deadline_ns` is when the first pending thing settles."""

    target: TargetFact
    now_ns: int
    features: dict[str, str] = field(default_factory=dict)
    cited: dict[str, list[tuple[int, int, str]]] = field(default_factory=dict)
    deadline_ns: int | None = None
    attempts: list[Attempt] = field(default_factory=list)
    syns: list[Attempt] = field(default_factory=list)
    marked: Attempt | None = None
    answer: Attempt | None = None
    controls: list[Attempt] = field(default_factory=list)
    pings: list[Attempt] = field(default_factory=list)
    conversation: Conversation | None = None
    second: Conversation | None = None
    elsewhere: dict[int, Conversation] = field(default_factory=dict)
    open_ports: tuple[int, ...] = ()
    survey: Survey | None = None
    route: RouteFact | None = None
    resolved: ResolvedFact | None = None
    connections: dict[int, list[ConnectionFact]] = field(default_factory=dict)
    rtt_ns: int | None = None
    distance: int | None = None
    dropped: int = 0
    unreached: tuple[int, ...] = ()
    reassembles: bool = False

    def waits_until(self, time_ns: int) -> None:
        """Something pending settles then."""
        if time_ns > self.now_ns and (self.deadline_ns is None or time_ns < self.deadline_ns):
            self.deadline_ns = time_ns

    def cite(self, feature: str, frame: int, time_ns: int, what: str) -> None:
        """Remember a record that a feature rests on."""
        if frame > 0:
            self.cited.setdefault(feature, []).append((frame, time_ns, what))

    def answer_from_target(self) -> bool:
        """Whether what came back to the SYN carries the target's own address."""
        a = self.answer
        if a is None:
            return any(p.rst is not None for p in self.attempts if p.server.port == self.target.port and not p.limited)
        return a.icmp is None or a.icmp.sender == self.target.address

    @property
    def patience_ns(self) -> int:
        """How long to wait for an answer of a host that is known to answer: four round trips and 100 ms for its own delays, a
        second where no round trip is known."""
        if self.rtt_ns is None:
            return SPACED_NS
        return min(max(4 * self.rtt_ns + 100_000_000, 120_000_000), SPACED_NS)


# A frame's number -> its time and its TCP payload.
Payload = Callable[[int], tuple[int, bytes]]


def initial_ttl(ttl: int) -> int:
    """The TTL a packet most likely started with: the next of 32, 64, 128, 255."""
    return next(start for start in (32, 64, 128, 255) if ttl <= start)


def hops_away(ttl: int) -> int:
    """Distance in hops, the sender's own included: a neighbour is 1."""
    return initial_ttl(ttl) - ttl + 1


def collect(
    target: TargetFact, attempts: Iterable[Attempt], facts: Sequence[Fact], payload: Payload, now_ns: int
) -> Evidence:
    """All evidence for one target from the attempts towards its address and the facts of the scan."""
    e = Evidence(target, now_ns, attempts=sorted(attempts, key=lambda a: (a.first.time_ns, a.first.frame)))
    e.features["expect"] = "ssh" if target.expect == "ssh" else "any"
    e.features["mode"] = "kernel" if target.mode is Mode.CONNECT else "packets"
    _facts(e, facts)
    if target.address is None:
        return e
    _sort(e)
    _round_trip(e)
    _survey(e)
    _answer(e)
    _own_syn(e)
    _reset(e)
    _controls(e)
    _silence(e)
    _icmp(e)
    _walk(e)
    _conversations(e, payload)
    return e


# --------------------------------------------------------------------------- facts


def _facts(e: Evidence, facts: Sequence[Fact]) -> None:
    address = e.target.address
    for fact in facts:
        if isinstance(fact, ResolvedFact) and fact.name == e.target.target and address is None:
            e.resolved = fact
            if fact.outcome != "ok":
                e.features["name"] = fact.outcome
                e.cite("name", fact.number, fact.time_ns, f"resolver: {fact.detail or fact.outcome}")
        elif isinstance(fact, RouteFact) and fact.address == address:
            e.route = fact
            if fact.outcome != "ok":
                e.features["route"] = fact.outcome
                e.cite("route", fact.number, fact.time_ns, f"route to {fact.address}: {fact.outcome}")
        elif isinstance(fact, ConnectionFact):
            if fact.server.address == address:
                e.connections.setdefault(fact.id, []).append(fact)
        elif isinstance(fact, DropFact):
            e.dropped += fact.count
        elif isinstance(fact, LinkFact) and e.route is not None and fact.interface == e.route.interface:
            if fact.state == "down":
                e.features["link"] = "down"
                e.cite("link", fact.number, fact.time_ns, f"interface {fact.interface} went down")
            else:
                e.features.pop("link", None)
        elif isinstance(fact, NeighborFact) and e.route is not None and fact.address == (e.route.gateway or address):
            if fact.state == "failed":
                e.features["neighbor"] = "silent"
                e.cite("neighbor", fact.number, fact.time_ns, f"neighbour entry of {fact.address}: failed")
            elif fact.state == "reachable":
                e.features.pop("neighbor", None)
        elif isinstance(fact, BlockedFact) and fact.address == address:
            e.cite("blocked", fact.number, fact.time_ns, f"the kernel refused to send a probe: {fact.error}")
    e.features["capture"] = "lossy" if e.dropped else "whole"


# --------------------------------------------------------------------------- sorting


def _sort(e: Evidence) -> None:
    """Which attempt played which part."""
    port = e.target.port
    for a in e.attempts:
        if a.server.address != e.target.address:
            continue
        if a.form is Form.ECHO:
            if not a.limited:
                e.pings.append(a)
        elif a.server.port == port and not a.limited:
            if a.form is Form.SYN and not a.midstream:
                e.syns.append(a)
        elif a.server.port != port and a.form is Form.SYN and not a.limited:
            e.controls.append(a)
    for a in e.syns:
        if a.first.tos != UNSEEN and a.first.tos & 0xFC and (e.marked is None or e.marked.rst is None):
            e.marked = a


def _round_trip(e: Evidence) -> None:
    times = [
        a.answered_ns - a.first.time_ns
        for a in e.attempts
        if a.answered_ns is not None
        and a.server.address == e.target.address
        and not a.limited
        and a.form is not Form.NEIGHBOR
        and a.form is not Form.FRAGMENT
        and (a.icmp is None or a.icmp.sender == e.target.address)
    ]
    if times:
        e.rtt_ns = max(0, min(times))


def _survey(e: Evidence) -> None:
    assert e.target.address is not None
    e.survey = survey(e.attempts, e.target.port, e.target.address)
    e.distance = e.survey.distance
    for a in e.attempts:
        if a.limited and a.answered_ns is None and a.server.address == e.target.address:
            # A router may be farther away in time than the host's own answers suggest, but not by much.
            e.waits_until(a.first.last_ns + max(e.patience_ns, WALK_PATIENCE_NS))


def _form(e: Evidence, form: Form) -> list[Attempt]:
    return [a for a in e.attempts if a.form is form and a.server.port == e.target.port and not a.limited]


# --------------------------------------------------------------------------- the answer to a SYN


def _result(e: Evidence, a: Attempt, patience_ns: int) -> str:
    """What came back to one SYN."""
    if a.challenge is not None:
        return "challenge"
    if a.synack is not None and not _contradicted(a):
        return "syn-ack"
    if a.rst is not None:
        return "reset"
    if a.icmp is not None and a.icmp.meaning.kind is not IcmpKind.TOO_BIG:
        return "icmp"
    if a.odd is not None and a.first.count <= a.odd.count <= a.first.count + (a.syn2.count if a.syn2 else 0):
        return "odd"
    if a.client == Endpoint(a.client.address, 0) or e.now_ns - a.first.last_ns >= patience_ns:
        return "silent"
    e.waits_until(a.first.last_ns + patience_ns)
    return "pending"


def _contradicted(a: Attempt) -> bool:
    """A reset of the SYN, then a SYN-ACK for the same SYN: one host does not say both."""
    return a.rst is not None and a.synack is not None and a.rst.time_ns < a.synack.time_ns


def _answer(e: Evidence) -> None:
    """The answer to the SYNs that a real client would send too."""
    if not e.syns:
        return
    results = [(a, _result(e, a, max(SPACED_NS, e.patience_ns))) for a in e.syns]
    for a, result in results:
        packet = a.challenge or (a.rst if _contradicted(a) else a.synack) or a.rst or a.odd
        e.cite("answer", a.first.frame, a.first.time_ns, _said(a.first, "SYN"))
        if result == "icmp" and a.icmp is not None:
            e.cite("answer", a.icmp.frame, a.icmp.time_ns, _said_icmp(a.icmp))
        elif packet is not None and result != "silent":
            e.cite("answer", packet.frame, packet.time_ns, _said(packet, packet.letters))
    kinds = {result for _, result in results if result != "pending"}
    spoke = [(a, r) for a, r in results if r not in ("pending", "silent")]
    heard = [a for a, r in spoke if r != "odd"]
    e.answer = next((a for a, r in spoke if r == "challenge"), heard[0] if heard else None)
    for a in e.syns:
        if _contradicted(a) and a.synack is not None:
            e.features["contradicted"] = "yes"
            e.cite("contradicted", a.synack.frame, a.synack.time_ns, _said(a.synack, a.synack.letters))
    challenged = "challenge" in kinds
    if challenged:
        e.features["answer"] = "challenge"
        if any(r in ("syn-ack", "reset") for _, r in results):
            e.features["other_source"] = "answered"
        if any(a.challenge is not None and a.synack is not None for a, _ in results):
            e.features["answer"] = "syn-ack"
    elif kinds == {"silent"}:
        _silent_answer(e, results)
    elif kinds == {"silent", "icmp"} and len({_nature(a, r) for a, r in spoke}) == 1:
        # Who sends errors limits them to about one a second (RFC 1812 4.3.2.8): the other SYNs were owed the same.
        e.features["answer"] = "icmp"
    elif len(kinds) > 1 or len({_nature(a, r) for a, r in spoke}) > 1:
        _mixed_answer(e, results)
    elif len(kinds) == 1 and kinds == {"odd"}:
        e.features["answer"] = "odd" if sum(a.first.count for a in e.syns) >= 3 else "pending"
        e.waits_until(e.syns[0].first.time_ns + 2 * SECOND)
    elif kinds:
        e.features["answer"] = kinds.pop()
    else:
        e.features["answer"] = "pending"


def _nature(a: Attempt, result: str) -> str:
    """An ICMP answer of another kind is another answer."""
    return f"icmp {a.icmp.label}" if result == "icmp" and a.icmp is not None else result


def _silent_answer(e: Evidence, results: list[tuple[Attempt, str]]) -> None:
    """Silence needs three SYNs, and the time that the last router takes to give up on a dead host.

    Without packets the repetitions are not counted: in four seconds every kernel sends three SYNs.
    """
    until = e.syns[0].first.time_ns + SILENCE_NS
    tries = sum(a.first.count for a in e.syns)
    bare = next((a for a in _form(e, Form.BARE_SYN)), None)
    if bare is not None and _result(e, bare, e.patience_ns) in ("syn-ack", "reset", "icmp"):
        e.features["answer"] = "shape"
        e.answer = bare
        packet = bare.synack or bare.rst
        if packet is not None:
            e.cite("answer", bare.first.frame, bare.first.time_ns, _said(bare.first, "SYN without options"))
            e.cite("answer", packet.frame, packet.time_ns, _said(packet, packet.letters))
    elif (told := _told_on_the_walk(e)) is not None and e.now_ns >= until:
        # The sender limits its errors (RFC 1812 4.3.2.8): a probe of the walk got the one that the SYNs were owed.
        e.features["answer"] = "icmp"
        e.answer = told
        assert told.icmp is not None
        e.cite("answer", told.icmp.frame, told.icmp.time_ns, _said_icmp(told.icmp))
    elif e.now_ns >= until and (tries >= 3 or e.features["mode"] == "kernel") and not any(r == "pending" for _, r in results):
        e.features["answer"] = "silent"
    else:
        e.features["answer"] = "pending"
        e.waits_until(until)


def _told_on_the_walk(e: Evidence) -> Attempt | None:
    """A probe of the walk to the port that drew an error which is no time-exceeded."""
    for a in e.attempts:
        if a.limited and a.form is Form.SYN and a.server == Endpoint(e.target.address or "", e.target.port) and a.icmp is not None:
            if a.icmp.meaning.kind not in (IcmpKind.EXPIRED, IcmpKind.TOO_BIG):
                return a
    return None


def _mixed_answer(e: Evidence, results: list[tuple[Attempt, str]]) -> None:
    """Different answers to like SYNs: by their shape, or by their order?"""
    settled = [(a, _nature(a, r)) for a, r in results if r != "pending"]
    e.features["first"] = next(r for _, r in results if r != "pending")
    by_shape: dict[int, set[str]] = {}
    for a, nature in settled:
        by_shape.setdefault(a.first.tos & 0xFC if a.first.tos != UNSEEN else 0, set()).add(nature)
    if any(len(natures) > 1 for natures in by_shape.values()):
        e.features["answer"] = "changed"
    elif len(settled) >= 3 and len(by_shape) > 1:
        e.features["answer"] = "shape"
    else:
        e.features["answer"] = "pending"


def _said(packet: Packet, name: str) -> str:
    """`RST,ACK ttl 62 tos 0x00 win 0`."""
    if packet.ttl == UNSEEN or packet.window == UNSEEN:
        return f"{name} (told by the kernel)"
    times = f" ({packet.count} times)" if packet.count > 1 else ""
    return f"{name} ttl {packet.ttl} tos 0x{packet.tos:02x} win {packet.window}{times}"


def _said_icmp(answer: IcmpAnswer) -> str:
    times = f" ({answer.count} copies)" if answer.count > 1 else ""
    ttl = f" ttl {answer.ttl}" if answer.ttl is not None else ""
    return f"{answer.label} ({answer.meaning.reason}) from {answer.sender}{ttl}{times}"


# --------------------------------------------------------------------------- did it leave

ERRORS = {
    "ECONNREFUSED": "refused",
    "ECONNRESET": "reset",
    "ETIMEDOUT": "timed-out",
    "EHOSTUNREACH": "host-unreachable",
    "ENETUNREACH": "network-unreachable",
    "EACCES": "denied",
    "EPERM": "denied",
    "EADDRNOTAVAIL": "no-port",
    "EADDRINUSE": "no-port",
    "EMFILE": "no-descriptor",
    "ENFILE": "no-descriptor",
    "EINVAL": "invalid",
}


def _own_syn(e: Evidence) -> None:
    """What the ordinary connect() said, and whether its SYN was on the wire."""
    for events in e.connections.values():
        start = events[0]
        if start.server.port != e.target.port or start.ttl is not None or start.mss is not None:
            continue
        for event in events:
            if event.event == "open":
                e.features["connect"] = "open"
            elif event.event == "failed":
                e.features.setdefault("connect", ERRORS.get(event.error or "", "other"))
                e.cite("connect", event.number, event.time_ns, f"connect() failed: {event.error}")
            elif event.event == "given-up":
                e.features.setdefault("connect", "waiting")
                e.cite("connect", event.number, event.time_ns, "connect() was still waiting when given up")
        _on_the_wire(e, start, events)
        break
    asked = [a for a in e.attempts if a.form is Form.NEIGHBOR and a.outgoing is not False]
    for a in asked:
        if a.reply is not None or e.features.get("own_syn") == "seen":
            continue
        if a.first.count >= 3 and e.now_ns - a.first.time_ns >= 3 * SECOND:
            e.features["neighbor"] = "silent"
        e.cite("neighbor", a.first.frame, a.first.time_ns, f"who has {a.server.address}? asked {a.first.count} times")
    if e.features.get("own_syn") == "seen":
        e.features.pop("neighbor", None)
    elif e.features.get("neighbor") == "silent":
        e.features.pop("own_syn", None)


def _on_the_wire(e: Evidence, start: ConnectionFact, events: Sequence[ConnectionFact]) -> None:
    if e.target.mode is Mode.CONNECT or start.client is None:
        return
    if any(a.client.port == start.client.port and a.form is Form.SYN for a in e.syns):
        e.features["own_syn"] = "seen"
        return
    ended = any(event.event in ("failed", "given-up") for event in events)
    asking = e.features.get("connect") not in ("refused", "reset") and any(
        a.form is Form.NEIGHBOR and a.reply is None and a.outgoing is not False for a in e.attempts
    )
    # A SYN leaves at once unless the neighbour must be asked first; with either in the capture one second is ample.
    if (ended or e.now_ns - start.time_ns >= SECOND) and not asking and not e.dropped:
        e.features["own_syn"] = "absent"
        e.cite("own_syn", start.number, start.time_ns, f"connect() from port {start.client.port}: no SYN was captured")
    elif not ended and asking:
        e.waits_until(min(e.now_ns + SECOND // 4, start.time_ns + 5 * SECOND))
    elif not ended:
        e.waits_until(start.time_ns + SECOND)


# --------------------------------------------------------------------------- a reset's maker


def _tos(sent: Packet, got: Packet) -> str | None:
    """Linux copies the DSCP of a SYN into its RST and clears ECN (tcp_v4_send_reset); netfilter writes 0 (nf_reject_ipv4.c)."""
    if sent.tos == UNSEEN or got.tos == UNSEEN:
        return None
    if got.tos & 0xFC == 0:
        return "zero" if sent.tos & 0xFC else None
    if sent.tos & 0xFC == 0:
        return "other"
    return "echo" if got.tos & 0xFC == sent.tos & 0xFC else "other"


def _reset(e: Evidence) -> None:
    resets = [a for a in e.syns if a.rst is not None]
    for a in resets:
        assert a.rst is not None
        word = _tos(a.first, a.rst)
        if word is not None and (a is e.marked or "rst_tos" not in e.features):
            e.features["rst_tos"] = word
    if resets and resets[0].rst is not None and resets[0].rst.ttl != UNSEEN:
        rst = resets[0].rst
        df = bool(rst.options & 256)
        plain = rst.window == 0 and (resets[0].version == 6 or (rst.ip_id == 0 and df))
        e.features["rst_traits"] = "netfilter" if plain else "other"
    for a in _form(e, Form.MD5_SYN)[:1]:
        _probed(e, "md5", a, a.synack or a.rst, "SYN with MD5 option", "answered")


def _probed(e: Evidence, feature: str, a: Attempt, answer: Packet | None, name: str, word: str) -> None:
    """The feature of a single probe: `word` when answered, `silent` when its time has passed."""
    e.cite(feature, a.first.frame, a.first.time_ns, _said(a.first, name))
    if answer is not None:
        e.features[feature] = word
        e.cite(feature, answer.frame, answer.time_ns, _said(answer, answer.letters))
    elif e.now_ns - a.first.last_ns >= e.patience_ns:
        e.features[feature] = "silent"
    else:
        e.waits_until(a.first.last_ns + e.patience_ns)


def _controls(e: Evidence) -> None:
    """The same address's other ports and its echo replies: what its own answers look like."""
    address = e.target.address
    results = [(a, _result(e, a, e.patience_ns)) for a in e.controls]
    tried = [a for a, r in results if r != "pending"]
    resets = [a for a, r in results if r == "reset"]
    opened = sorted({a.server.port for a, r in results if r == "syn-ack"})
    from_target = [a for a, r in results if r == "icmp" and a.icmp is not None and a.icmp.sender == address]
    e.open_ports = tuple(opened)
    e.unreached = tuple(sorted({a.server.port for a, r in results if r == "silent"}))
    chosen = resets[:1] or [a for a, r in results if r == "syn-ack"][:1] or from_target[:1]
    if chosen:
        a = chosen[0]
        e.features["control"] = "reset" if resets else "syn-ack" if opened else "icmp"
        packet = a.rst or a.synack
        e.cite("control", a.first.frame, a.first.time_ns, _said(a.first, f"SYN to port {a.server.port}"))
        if packet is not None:
            e.cite("control", packet.frame, packet.time_ns, _said(packet, packet.letters))
        elif a.icmp is not None:
            e.cite("control", a.icmp.frame, a.icmp.time_ns, _said_icmp(a.icmp))
    elif tried and len(tried) == len(results):
        e.features["control"] = "silent"
        for a in tried[:2]:
            e.cite("control", a.first.frame, a.first.time_ns, _said(a.first, f"SYN to port {a.server.port}, unanswered"))
    for a in resets:
        assert a.rst is not None
        word = _tos(a.first, a.rst)
        if word is not None:
            e.features.setdefault("control_tos", word)
    reset_ports = {a.server.port for a in resets}
    for a in e.attempts:
        if a.form is Form.MD5_SYN and a.server.port in reset_ports and not a.limited:
            _probed(e, "control_md5", a, a.synack or a.rst, f"SYN with MD5 option to port {a.server.port}", "answered")
            break
    if len(opened) >= 4 and len(opened) == len({a.server.port for a in e.controls}):
        e.features["all_open"] = "yes"
    _ping(e)
    answers = bool(resets or opened or from_target or e.features.get("ping") == "answered" or e.answer_from_target())
    if answers:
        e.features["host"] = "answers"
    elif e.features.get("control") == "silent" and e.features.get("ping") in ("silent", "icmp", None):
        e.features["host"] = "silent"
    _reset_distance(e, resets)


def _ping(e: Evidence) -> None:
    for a in e.pings:
        if a.reply is not None:
            e.features["ping"] = "answered"
            e.cite("ping", a.reply.frame, a.reply.time_ns, f"echo reply ttl {a.reply.ttl} tos 0x{a.reply.tos:02x}")
            return
    for a in e.pings[:1]:
        if a.icmp is not None:
            e.features["ping"] = "icmp"
            e.cite("ping", a.icmp.frame, a.icmp.time_ns, _said_icmp(a.icmp))
        elif e.now_ns - e.pings[-1].first.last_ns >= e.patience_ns:
            e.features["ping"] = "silent"
            e.cite("ping", a.first.frame, a.first.time_ns, "echo request, unanswered")
        else:
            e.waits_until(e.pings[-1].first.last_ns + e.patience_ns)


def _reset_distance(e: Evidence, control_resets: list[Attempt]) -> None:
    """The TTL of a RST or ICMP error against answers that only the host itself can have made."""
    trusted = [a.reply.ttl for a in e.pings if a.reply is not None]
    trusted += [a.synack.ttl for a in e.controls if a.synack is not None]
    trusted += [a.rst.ttl for a in control_resets if a.rst is not None and _tos(a.first, a.rst) == "echo"]
    trusted = [ttl for ttl in trusted if ttl > 0]
    if trusted and e.distance is None:
        e.distance = max(hops_away(ttl) for ttl in trusted)
    icmp = e.answer.icmp if e.answer is not None else None
    if trusted and icmp is not None and icmp.sender == e.target.address and icmp.ttl is not None:
        gap = hops_away(icmp.ttl) - max(hops_away(ttl) for ttl in trusted)
        e.features["icmp_ttl"] = "same" if gap == 0 else "closer" if gap < 0 else "farther"
    resets = [a.rst for a in e.syns if a.rst is not None and a.rst.ttl > 0]
    if not resets or not trusted:
        return
    ttl = resets[0].ttl
    if ttl in trusted:
        e.features["rst_ttl"] = "same"
        return
    farthest = max(hops_away(t) for t in trusted)
    away = hops_away(ttl)
    e.features["rst_ttl"] = "closer" if away < farthest else "farther" if away > farthest else "other"


# --------------------------------------------------------------------------- silence


def _silence(e: Evidence) -> None:
    """The probes that split silence (wire-evidence, Appendix B) and the two that no other tool has."""
    for feature, form, name in (
        ("ack", Form.ACK, "ACK"),
        ("fin", Form.FIN, "FIN"),
        ("syn_ack", Form.SYN_ACK, "SYN-ACK"),
    ):
        probes = _form(e, form)
        if probes:
            a = next((p for p in probes if p.rst is not None), probes[-1])
            _probed(e, feature, a, a.rst, name, "reset")
            if feature == "fin" and a.rst is not None:
                word = _tos(a.first, a.rst)
                if word is not None:
                    e.features["fin_tos"] = word
    for a in e.syns:
        if a.syn2 is None:
            continue
        if a.echoed is not None:
            e.features["half_open"] = "acknowledged"
            e.cite("half_open", a.first.frame, a.first.time_ns, _said(a.first, "SYN"))
            e.cite("half_open", a.syn2.frame, a.syn2.time_ns, "second SYN of the same four-tuple, 2^25 further on")
            e.cite("half_open", a.echoed.frame, a.echoed.time_ns, "ACK that acknowledges the first SYN")
        elif e.now_ns - a.syn2.last_ns >= e.patience_ns:
            e.features.setdefault("half_open", "silent")
            e.cite("half_open", a.syn2.frame, a.syn2.time_ns, "second SYN of the same four-tuple, unanswered")
        else:
            e.waits_until(a.syn2.last_ns + e.patience_ns)
    _fragments(e)


# RFC 1122 3.3.2: reassembly is given up after 60 to 120 s; Linux after 30 (net.ipv4.ipfrag_time), IPv6 60 (RFC 8200 4.5).
FRAGMENT_PATIENCE_NS = {4: 33 * SECOND, 6: 63 * SECOND}


def _fragments(e: Evidence) -> None:
    """Linux reassembles IPv4 before INPUT, so that a host answers even for a port that its own filter drops; IPv6 after it,
    so that there an answer proves only that the host is alive."""
    for a in e.attempts:
        if a.form is not Form.FRAGMENT:
            continue
        feature = "fragment" if a.server.port == e.target.port else "fragment_control"
        patience = FRAGMENT_PATIENCE_NS[a.version]
        if a.icmp is not None and a.icmp.meaning.kind is IcmpKind.REASSEMBLY and a.icmp.sender == e.target.address:
            e.features["host"] = "answers"
            if e.distance is None and a.icmp.ttl is not None:
                e.distance = hops_away(a.icmp.ttl)
            if a.version == 4:
                e.features[feature] = "answered"
            e.cite(feature, a.icmp.frame, a.icmp.time_ns, _said_icmp(a.icmp))
            e.reassembles = True
        elif e.now_ns - a.first.last_ns < patience:
            e.waits_until(a.first.last_ns + patience)
        elif a.version == 4:
            e.features.setdefault(feature, "silent")
            e.cite(feature, a.first.frame, a.first.time_ns, "incomplete fragment, unanswered")


# --------------------------------------------------------------------------- ICMP


def _icmp(e: Evidence) -> None:
    a = e.answer
    if a is None or a.icmp is None or e.features.get("answer") not in ("icmp", "changed", "shape"):
        return
    answer = a.icmp
    e.features["icmp"] = answer.meaning.kind.value
    local = answer.sender == a.client.address and answer.sender != e.target.address
    e.features["icmp_from"] = "local" if local else "target" if answer.sender == e.target.address else "path"
    e.features["icmp_when"] = "late" if answer.time_ns - a.first.time_ns >= 2 * SECOND else "prompt"
    elsewhere = [c for c in e.controls if c.answered_ns is not None]
    if elsewhere:
        like = any(c.icmp is not None and c.icmp.label == answer.label and c.icmp.sender == answer.sender for c in elsewhere)
        e.features["icmp_elsewhere"] = "same" if like else "different"
    s = e.survey
    if s is None or not s.port_steps or e.features["icmp_from"] != "path":
        return
    if s.port_reached is not None and s.port_sender == answer.sender:
        if s.hop_of(answer.sender) is not None and s.port_reached == (s.hop_of(answer.sender) or 0) + 1:
            e.features["icmp_order"] = "after-expiry"
        elif all(step.sender != answer.sender for step in s.port_steps.values() if step.result == "expired"):
            e.features["icmp_order"] = "at-once"


# --------------------------------------------------------------------------- the walk


def _walk(e: Evidence) -> None:
    s = e.survey
    if s is None or not (s.port_steps or s.other_last):
        return
    for step in s.port_steps.values():
        if step.result == "silent":
            continue
        e.cite("dies", step.frame, e.now_ns, f"SYN with TTL {step.ttl}: {step.result} ({step.sender})")
    if s.loops:
        e.features["loop"] = "yes"
    for step in s.port_steps.values():
        if step.result == "expired" and step.sender == e.target.address:
            e.features["forwards"] = "yes"
            e.cite("forwards", step.frame, e.now_ns, f"time exceeded from the target for a SYN with TTL {step.ttl}")
    answer = e.features.get("answer")
    if answer == "reset" and s.port_reached is not None and s.port_reached <= s.other_last:
        e.features["rst_walk"] = "before-target"
    if answer in ("silent", "pending"):
        if s.port_last == 0 and s.other_last == 0:
            e.features["dies"] = "here"
        elif s.other_last > s.port_last:
            beyond = s.port_steps.get(s.port_last + 1)
            if beyond is not None and beyond.result == "silent" and beyond.tries >= 2:
                e.features["dies"] = "before-last-router"
        else:
            e.features["dies"] = "after-last-router"


# --------------------------------------------------------------------------- what the service said

# Servers that look a name up before they speak take 5 s a try (resolv.conf(5), timeout).
KEX_PATIENCE_NS = 2_500_000_000
# Lines that a server may send before its identification come in one go; a tarpit spreads them out.
TARPIT_SPAN_NS = 1_500_000_000


def _conversations(e: Evidence, payload: Payload) -> None:
    small = {
        events[0].client.port
        for events in e.connections.values()
        if events[0].mss is not None and events[0].client is not None
    }
    own = {
        events[0].client.port
        for events in e.connections.values()
        if events[0].mss is None and events[0].client is not None
    }
    talks = [
        a
        for a in e.attempts
        if a.server.address == e.target.address
        and a.synack is not None
        and a.client_ack is not None
        and not a.limited
        and (not own or a.client.port in own | small)
    ]
    for a in talks:
        said = _conversation(e, a, payload)
        if a.server.port != e.target.port:
            e.elsewhere[a.server.port] = said
        elif a.client.port in small:
            e.second = said
        elif e.conversation is None:
            e.conversation = said
    if e.conversation is not None:
        _service(e, e.conversation)
    if e.second is not None and e.features.get("kex") == "stalled":
        _second(e, e.second)
    impossible = [a for a in e.attempts if a.server.address in IMPOSSIBLE[a.version] and a.server.address != e.target.address]
    if impossible:
        _impostor(e, impossible)


def _conversation(e: Evidence, a: Attempt, payload: Payload) -> Conversation:
    """The server's stream in order, as far as it arrived without a gap."""
    told = [f for events in e.connections.values() for f in events if f.event == "data" and f.client == a.client]
    if told:
        heard = b"".join(f.data for f in told)
        times = tuple(f.time_ns for f in told for _ in range(f.data.count(b"\n")))
        return Conversation(a, heard, ssh.read(heard), times, told[-1].time_ns)
    stream = b""
    line_times: list[int] = []
    for segment in sorted(a.server_segments, key=lambda s: s.offset):
        if segment.offset > len(stream):
            break
        time_ns, data = payload(segment.frame)
        fresh = data[: segment.length][len(stream) - segment.offset :]
        stream += fresh
        line_times += [time_ns] * fresh.count(b"\n")
    last = a.server_data.last_ns if a.server_data is not None else a.first.time_ns
    return Conversation(a, stream, ssh.read(stream), tuple(line_times), last)


def _service(e: Evidence, c: Conversation) -> None:
    a = c.attempt
    assert a.synack is not None and a.client_ack is not None
    e.cite("spoke", a.synack.frame, a.synack.time_ns, _said(a.synack, "SYN,ACK"))
    if a.server_data is not None:
        e.cite("spoke", a.server_data.frame, a.server_data.time_ns, "the server's first bytes")
    e.features["handshake"] = "complete"
    if a.synack.count >= 2 and a.synack.last_ns > a.client_ack.time_ns and 0 <= a.client_acked <= 1 and not a.server_bytes:
        e.features["handshake"] = "blocked"
        e.cite("handshake", a.client_ack.frame, a.client_ack.time_ns, "our ACK")
    if a.synack2 is not None:
        e.features["two_boxes"] = "yes"
        e.cite("two_boxes", a.synack2.frame, a.synack2.time_ns, _said(a.synack2, "another SYN,ACK"))
    if a.synack.window == 0:  # never so where it was not seen
        e.features["zero_window"] = "opened" if a.window_opened else "stays"
    _ending(e, a)
    _spoke(e, c)


def _ending(e: Evidence, a: Attempt) -> None:
    end = a.rst or a.server_fin
    assert a.client_ack is not None and a.synack is not None
    if end is None:
        e.features["ended"] = "open"
        return
    e.features["ended"] = "reset" if a.rst is not None and a.server_fin is None else "fin"
    e.cite("ended", end.frame, end.time_ns, _said(end, end.letters))
    rtt = max(a.synack.time_ns - a.first.time_ns, 0)
    at_once = end.time_ns - a.client_ack.time_ns <= 2 * rtt + 50_000_000 and a.client_data is None
    e.features["ended_early"] = "at-once" if at_once else "later"
    if a.rst is not None and a.rst.window != UNSEEN:
        e.features["reset_window"] = "open" if a.rst.window else "zero"
        e.features["reset_ttl"] = "same" if a.rst.ttl == a.synack.ttl else "different"


def _spoke(e: Evidence, c: Conversation) -> None:
    """The first of what the server said, in the order of how much it proves."""
    opening = c.opening
    named = greeting.name(c.stream)
    if opening.identification is not None:
        e.features["spoke"] = "ssh2" if opening.speaks_2 else "ssh1"
        _kex(e, c)
        return
    if named is not None:
        e.features["spoke"] = "protocol"
        return
    word = "nothing"
    if c.stream:
        printable = sum(byte in b"\r\n\t" or 32 <= byte < 127 or byte >= 0xA0 for byte in c.stream[:256])
        word = "text" if printable >= 0.7 * len(c.stream[:256]) else "binary"
        first = c.stream.lstrip()
        for start, reason in ((b"Exceeded MaxStartups", "max-startups"), (b"Not allowed at this time", "not-allowed")):
            if first.startswith(start):
                e.features["text"] = reason
    if e.features["ended"] == "open":
        times = sorted(set(c.line_times))
        if len(times) >= 3 and times[-1] - times[0] >= TARPIT_SPAN_NS:
            e.features["lines"] = "endless"
        else:
            wait = e.target.banner_wait_ns
            if e.features["expect"] == "any":
                wait = min(wait, 2 * SECOND)
            until = (c.last_ns if c.stream else c.attempt.client_ack.time_ns if c.attempt.client_ack else c.last_ns) + wait
            if e.now_ns < until and not (e.features["expect"] == "any" and c.stream):
                word = "pending"
                e.waits_until(until)
    e.features["spoke"] = word


def _kex(e: Evidence, c: Conversation) -> None:
    a = c.attempt
    if c.opening.kexinit:
        e.features["kex"] = "began"
    elif a.client_data is None and e.features.get("ended") == "open" and e.features["expect"] == "ssh":
        e.waits_until(c.last_ns + KEX_PATIENCE_NS)
    elif a.client_data is not None and e.features.get("ended") == "open":
        both = max(a.client_data.time_ns, c.last_ns)
        if a.holes:
            e.features["gap"] = "yes"
        if e.now_ns - both >= KEX_PATIENCE_NS:
            e.features["kex"] = "stalled"
            if a.client_acked != UNSEEN:
                e.features["our_words"] = "acknowledged" if a.client_acked > 1 else "lost"
            e.cite("kex", a.client_data.frame, a.client_data.time_ns, "our identification; nothing followed")
        else:
            e.waits_until(both + KEX_PATIENCE_NS)


def _second(e: Evidence, c: Conversation) -> None:
    if c.opening.kexinit:
        e.features["small_mss"] = "began"
        e.cite("small_mss", c.attempt.first.frame, c.attempt.first.time_ns, "SYN of the second connection, with a small MSS")
    elif c.attempt.client_data is not None:
        both = max(c.attempt.client_data.time_ns, c.last_ns)
        if e.now_ns - both >= KEX_PATIENCE_NS:
            e.features["small_mss"] = "stalled"
        else:
            e.waits_until(both + KEX_PATIENCE_NS)


def _impostor(e: Evidence, impossible: list[Attempt]) -> None:
    answered = [a for a in impossible if a.synack is not None]
    for a in answered:
        assert a.synack is not None
        e.cite("impostor", a.synack.frame, a.synack.time_ns, f"SYN,ACK from {a.server.address}, where no host can be")
    if len({a.server.address for a in answered}) >= 2:
        e.features["impostor"] = "yes"
    elif all(e.now_ns - a.first.last_ns >= e.patience_ns for a in impossible):
        e.features["impostor"] = "no"
    else:
        e.waits_until(max(a.first.last_ns for a in impossible) + e.patience_ns)
