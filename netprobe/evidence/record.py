"""Evidence of one target as a record, and how a packet is told in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from netprobe import ssh
from netprobe.attempts import UNSEEN, Attempt, Form, IcmpAnswer, Packet, Segment
from netprobe.evidence.host import Host
from netprobe.model import (
    Auth,
    AuthMethodsFact,
    ClientOfferFact,
    ConnectionFact,
    CredentialsFact,
    Kex,
    LimitFact,
    ResolvedFact,
    RouteFact,
    TargetFact,
)
from netprobe.path import Survey

SECOND = 1_000_000_000


SPACED_NS = 1_000_000_000


ELSEWHERE_PORTS = (2222, 22022, 2200, 222, 8022, 443)


# Addresses that no host has: two of each documentation network of RFC 5737 far from where examples number their hosts,
# the discard prefix of RFC 6666 and the documentation prefix of RFC 3849.
IMPOSSIBLE = {
    4: tuple(f"{network}.{host}" for network in ("192.0.2", "198.51.100", "203.0.113") for host in (253, 77)),
    6: ("100::dead", "2001:db8:dead::dead"),
}


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
    asked: AuthMethodsFact | None = None  # which methods of login the server takes
    mine: CredentialsFact | None = None  # what the user's ssh would log in with
    offered: ClientOfferFact | None = None  # what a client of this machine would offer
    kex: Kex | None = None
    auth: Auth | None = None  # what became of a captured login
    connections: dict[int, list[ConnectionFact]] = field(default_factory=dict)
    rtt_ns: int | None = None
    distance: int | None = None
    dropped: int = 0
    limiter: LimitFact | None = None  # who limits errors about the target's neighbours
    reassembles: bool = False
    pinged: int | None = None
    host: Host | None = None  # one attempt of a capture is judged; None in a scan of our own
    vantage: str | None = None  # the side that the user told
    vantage_because: str = ""
    paired: dict[str, object] = field(default_factory=dict)  # what a second capture adds to the values of texts
    named: dict[str, object] = field(default_factory=dict)  # what texts shall say instead of their own values

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
        """How long to wait for an answer of a host that is known to answer: four round trips and 60 ms for its own
        delays, at least 90 ms; a second where no round trip is known."""
        if self.rtt_ns is None:
            return SPACED_NS
        return min(max(4 * self.rtt_ns + 60_000_000, 90_000_000), SPACED_NS)


# A segment -> its TCP payload, as far as it was captured.
Payload = Callable[[Segment], bytes]


def initial_ttl(ttl: int) -> int:
    """The TTL a packet most likely started with: the next of 32, 64, 128, 255."""
    return next(start for start in (32, 64, 128, 255) if ttl <= start)


def hops_away(ttl: int) -> int:
    """Distance in hops, the sender's own included: a neighbour is 1."""
    return initial_ttl(ttl) - ttl + 1


def said(packet: Packet, name: str) -> str:
    """`RST,ACK ttl 62 tos 0x00 win 0`."""
    if packet.ttl == UNSEEN or packet.window == UNSEEN:
        return f"{name} (told by the kernel)"
    times = f" ({packet.count} times)" if packet.count > 1 else ""
    return f"{name} ttl {packet.ttl} tos 0x{packet.tos:02x} win {packet.window}{times}"


def said_icmp(answer: IcmpAnswer) -> str:
    times = f" ({answer.count} copies)" if answer.count > 1 else ""
    ttl = f" ttl {answer.ttl}" if answer.ttl is not None else ""
    return f"{answer.label} ({answer.meaning.reason}) from {answer.sender}{ttl}{times}"


def probes_of(e: Evidence, form: Form) -> list[Attempt]:
    return [a for a in e.attempts if a.form is form and a.server.port == e.target.port and not a.limited]


def judge_probe(e: Evidence, feature: str, a: Attempt, answer: Packet | None, name: str, word: str) -> None:
    """The feature of a single probe: `word` when answered, `silent` when its time has passed."""
    e.cite(feature, a.first.frame, a.first.time_ns, said(a.first, name))
    if answer is not None:
        e.features[feature] = word
        e.cite(feature, answer.frame, answer.time_ns, said(answer, answer.letters))
    elif e.now_ns - a.first.last_ns >= e.patience_ns:
        e.features[feature] = "silent"
    else:
        e.waits_until(a.first.last_ns + e.patience_ns)


def tos_of(sent: Packet, got: Packet) -> str | None:
    """Linux copies the DSCP of a SYN into its RST and clears ECN (tcp_v4_send_reset); netfilter writes 0
    (nf_reject_ipv4.c)."""
    if sent.tos == UNSEEN or got.tos == UNSEEN:
        return None
    if got.tos & 0xFC == 0:
        return "zero" if sent.tos & 0xFC else None
    if sent.tos & 0xFC == 0:
        return "other"
    return "echo" if got.tos & 0xFC == sent.tos & 0xFC else "other"
