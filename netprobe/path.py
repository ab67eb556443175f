"""The path walk: where probes with a small TTL ran out, were answered, or were never heard of again.

House rules of this file:
1. Pure: attempts in, a survey out; what it means is for the rules.
2. A router that drops while forwarding still answers for its own hop (Linux looks at the TTL before FORWARD), so a
   place is bounded by two neighbouring hops, never by one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from netprobe.attempts import Attempt, Form
from netprobe.icmp import IcmpKind
from netprobe.model import Hop


@dataclass(frozen=True, slots=True)
class Step:
    """What came of the probes of one series with one TTL."""

    ttl: int
    result: str  # expired, reached (an answer that is no time-exceeded), silent
    sender: str | None
    rtt_ms: float | None
    frame: int
    tries: int


@dataclass(frozen=True, slots=True)
class Survey:
    """What all series together tell about the path.

    `routers` maps hop to address; `port_last` is the last hop whose router told of an expired probe to the port,
    `other_last` the same for the control port or ping (0: none). `port_dead`: TTLs at which the port's probe is proven
    to have died before. `port_reached` is the smallest TTL at which the port drew something else, with the
    `port_sender` of that answer; `distance` the smallest TTL at which the control port or ping drew an answer from the
    target.
    """

    routers: dict[int, str]
    hops: tuple[Hop, ...]
    port_steps: dict[int, Step]
    port_last: int
    port_dead: frozenset[int]
    other_last: int
    port_reached: int | None
    port_sender: str | None
    distance: int | None

    @property
    def loops(self) -> bool:
        """A router's address comes back after another one's (RFC 792 11/0 from a routing loop)."""
        seen: list[str] = []
        for hop in sorted(self.routers):
            if not seen or seen[-1] != self.routers[hop]:
                if self.routers[hop] in seen:
                    return True
                seen.append(self.routers[hop])
        return False

    def hop_of(self, address: str) -> int | None:
        """The first hop at which this address answered."""
        return min((hop for hop, found in self.routers.items() if found == address), default=None)


def survey(attempts: Iterable[Attempt], port: int, target: str) -> Survey:
    """Read the walk out of the attempts made with a limited TTL towards `target`."""
    series: dict[bool, dict[int, list[Attempt]]] = {True: {}, False: {}}
    for attempt in attempts:
        if attempt.limited and attempt.server.address == target and attempt.form is not Form.NEIGHBOR:
            on_port = attempt.form is not Form.ECHO and attempt.server.port == port
            series[on_port].setdefault(attempt.first.ttl, []).append(attempt)
    port_steps = {ttl: _step(ttl, tries) for ttl, tries in series[True].items()}
    others = {ttl: _step(ttl, tries) for ttl, tries in series[False].items()}
    routers: dict[int, str] = {}
    rtt: dict[int, float | None] = {}
    for steps in (others, port_steps):
        for ttl, step in steps.items():
            if step.result == "expired" and step.sender is not None and step.sender != target:
                routers[ttl] = step.sender
                rtt[ttl] = step.rtt_ms
    reached = [step for _, step in sorted(port_steps.items()) if step.result == "reached"]
    distance = min((ttl for ttl, s in others.items() if s.result == "reached" and s.sender == target), default=None)
    # A silent step beyond the last router says nothing about a router, nor does a hop that was not asked.
    hops = tuple(
        Hop(hop, routers.get(hop), rtt.get(hop), "time-exceeded" if hop in routers else "no-response")
        for hop in range(1, max([*routers, 0]) + 1)
        if hop in routers or hop in port_steps or hop in others
    )
    return Survey(
        routers=routers,
        hops=hops,
        port_steps=port_steps,
        port_last=max(
            (ttl for ttl, s in port_steps.items() if s.result == "expired" and s.sender != target), default=0
        ),
        port_dead=_dead(series[True], series[False]),
        other_last=max((ttl for ttl, s in others.items() if s.result == "expired"), default=0),
        port_reached=reached[0].ttl if reached else None,
        port_sender=reached[0].sender if reached else None,
        distance=distance,
    )


# Probes this close to each other meet a router's limit of errors in the same state.
PAIR_NS = 100_000_000


def _dead(port: dict[int, list[Attempt]], others: dict[int, list[Attempt]]) -> frozenset[int]:
    """The TTLs at which the port's probe is proven not to have got there: unanswered, while a probe to elsewhere sent
    right after it was told to have expired. A limit on errors only ever gains room with time (RFC 1812 4.3.2.8), so it
    would have spared the first."""
    return frozenset(
        ttl
        for ttl, tries in port.items()
        if not any(a.answered_ns for a in tries)
        and any(
            o.icmp is not None
            and o.icmp.meaning.kind is IcmpKind.EXPIRED
            and o.first.frame > a.first.frame
            and o.first.time_ns - a.first.time_ns <= PAIR_NS
            for a in tries
            for o in others.get(ttl, ())
        )
    )


def _step(ttl: int, tries: list[Attempt]) -> Step:
    """Several probes with one TTL: the best answer counts, for a router may hold back what it owes (RFC 1812
    4.3.2.8)."""
    for attempt in tries:
        answer = attempt.icmp
        if answer is not None and answer.meaning.kind is IcmpKind.EXPIRED:
            return Step(ttl, "expired", answer.sender, _ms(attempt, answer.time_ns), answer.frame, len(tries))
    for attempt in tries:
        if attempt.icmp is not None:
            return Step(
                ttl, "reached", attempt.icmp.sender, _ms(attempt, attempt.icmp.time_ns), attempt.icmp.frame, len(tries)
            )
        packet = attempt.rst or attempt.synack or attempt.reply
        if packet is not None:
            return Step(ttl, "reached", attempt.server.address, _ms(attempt, packet.time_ns), packet.frame, len(tries))
    return Step(ttl, "silent", None, None, tries[0].first.frame, len(tries))


def _ms(attempt: Attempt, time_ns: int) -> float:
    return max(0, time_ns - attempt.first.time_ns) / 1e6
