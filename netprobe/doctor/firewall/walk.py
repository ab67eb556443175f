"""The way of a SYN through the firewall of the machine that it reaches, and of the answers back.

House rules of this file:
1. No verdict is given as sure that rests on something not known; such a walk is `unsure` and says on what it hangs.
2. What only a limit, a list of recent addresses or the hour can change is `sometimes`, beside the usual verdict.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from netprobe.doctor.firewall.hooks import Hooks
from netprobe.doctor.firewall.lanes import End, Lane
from netprobe.doctor.firewall.model import (
    ACK,
    RST,
    SYN,
    Doubt,
    Env,
    Host,
    Kind,
    Outcome,
    Packet,
    Query,
    Ruleset,
    Step,
    Verdict,
    Walk,
    Why,
)
from netprobe.doctor.firewall.values import EPHEMERAL, Span, anywhere, number_of, text_of

NOWHERE = Host()
AT_ONCE = 8  # reasons that are named


def walk(ruleset: Ruleset, query: Query, host: Host = NOWHERE) -> Walk:
    """What becomes of a SYN. Never raises for what the rules hold; ValueError where the query's addresses are none."""
    packet = arriving(query, host)
    walked = Walker(ruleset, host, packet).walk()
    if walked.hooks.ties:
        other = Walker(ruleset, host, packet, oldest_first=True).walk()
        if keys(walked.ends) != keys(other.ends):
            return unsure(
                [*walked.ends, *other.ends],
                "chains of the same priority decide differently; their order is not listed (`nft list hooks` shows it)",
                packet,
            )
    found = concluded(walked.ends, packet)
    if ruleset.problems:
        return replace(found, verdict=Kind.UNSURE, reason="; ".join(ruleset.problems[:AT_ONCE]))
    return found if found.verdict is Kind.UNSURE else replace(found, back=answers(ruleset, host, found))


def arriving(query: Query, host: Host) -> Packet:
    """The SYN at the machine's interface."""
    destination = query.destination.partition("%")[0]
    family = 6 if ":" in destination else 4
    source = number_of(query.source.partition("%")[0]) if query.source else anywhere(family)
    return Packet(
        family=family,
        src=source,
        dst=number_of(destination),
        sport=EPHEMERAL if query.source_port is None else query.source_port,
        dport=query.port,
        iif=query.interface or guessed(family, source, host),
        state_then=query.state,
    )


def guessed(family: int, source: int | Span, host: Host) -> str | None:
    """The interface that packets from an address come by: the one towards it, or the only one there is."""
    if host.kind(family, source) == "local":
        return "lo"
    way = host.interface_for(family, source)
    others = [name for name in host.interfaces if name != "lo"]
    return way if way is not None else others[0] if len(others) == 1 else None


@dataclass(slots=True)
class Walker:
    """One walk of one packet."""

    ruleset: Ruleset
    host: Host
    packet: Packet
    oldest_first: bool = False
    hooks: Hooks = field(init=False)
    ends: list[End] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.hooks = Hooks(self.ruleset, self.packet.family, self.oldest_first)

    def walk(self) -> Walker:
        """From the interface to a listener, to another machine, or to an end."""
        env = Env(self.ruleset, self.host)
        lanes = [Lane(self.packet)]
        lanes = self.kept(self.hooks.below("ingress", lanes, env, self.packet.iif))
        lanes = self.bridge(lanes, env)
        lanes = self.kept(self.hooks.through("prerouting", lanes, env))
        here, there, nowhere = self.routed(lanes)
        self.finish(nowhere, Verdict(Kind.UNSURE, note="where the translated destination is, is not known"))
        here = self.kept(self.hooks.through("input", here, env))
        self.finish(here, Verdict(Kind.ACCEPT))
        self.forward(there, env)
        return self

    def back(self, *, local: bool) -> Walker:
        """An answer, from this machine's own stack or from the machine it was forwarded to."""
        env = Env(self.ruleset, self.host)
        lanes = [Lane(self.packet)]
        if local:
            lanes = self.kept(self.hooks.through("output", lanes, env))
        else:
            lanes = self.kept(self.hooks.through("prerouting", lanes, env))
            lanes = [lane.with_packet(replace(lane.packet, oif=self.out(lane.packet))) for lane in lanes]
            lanes = self.kept(self.hooks.through("forward", lanes, env))
        lanes = self.kept(self.hooks.through("postrouting", lanes, env))
        lanes = self.kept(self.hooks.below("egress", lanes, env, self.packet.oif))
        self.finish(lanes, Verdict(Kind.ACCEPT))
        return self

    def kept(self, result: tuple[list[End], list[Lane]]) -> list[Lane]:
        """Notes what ended, gives what goes on."""
        self.ends += result[0]
        return result[1]

    def finish(self, lanes: Iterable[Lane], verdict: Verdict) -> None:
        """The end of lanes that nobody stopped."""
        self.ends += [End(lane, verdict, None, None) for lane in lanes]

    def bridge(self, lanes: list[Lane], env: Env) -> list[Lane]:
        """A bridge's own hooks, where the SYN comes through one."""
        ports = [port for port, bridge in self.host.bridges.items() if bridge == self.packet.iif]
        if not ports:
            return lanes
        port = ports[0] if len(ports) == 1 else None
        inside = [lane.with_packet(replace(lane.packet, iif=port)) for lane in lanes]
        for hook in ("prerouting", "input"):
            inside = self.kept(self.hooks.bridged(hook, inside, env))
        return [lane.with_packet(replace(lane.packet, iif=self.packet.iif)) for lane in inside]

    def out(self, packet: Packet) -> str | None:
        """The interface towards the packet's destination."""
        return self.host.interface_for(packet.family, packet.dst)

    def routed(self, lanes: list[Lane]) -> tuple[list[Lane], list[Lane], list[Lane]]:
        """(for this machine, for another, unknown)."""
        here: list[Lane] = []
        there: list[Lane] = []
        nowhere: list[Lane] = []
        for lane in lanes:
            kind = self.host.kind(lane.packet.family, lane.packet.dst)
            untouched = lane.packet.dst == self.packet.dst and not self.host.interfaces
            if lane.packet.changed in {"dst", "dport"}:
                nowhere.append(lane)
            elif kind in {"local", "broadcast"} or untouched:
                here.append(lane)
            elif kind is None:
                own = self.own_span(lane.packet)
                (here if own else nowhere).append(lane)
            else:
                there.append(lane)
        return here, there, nowhere

    def own_span(self, packet: Packet) -> bool:
        """A redirect leads to this machine, also where its address isn't known."""
        return isinstance(packet.dst, Span) and bool(packet.status & 32)

    def forward(self, lanes: list[Lane], env: Env) -> None:
        """The way of a SYN that is for another machine."""
        if not lanes:
            return
        forwards = (self.host.forwarding or {}).get(self.packet.family)
        name = "net.ipv4.ip_forward" if self.packet.family == 4 else "net.ipv6.conf.all.forwarding"
        if forwards is not True:
            step = Step("forward", None, None, f"this machine does not forward ({name} = 0)")
            closed = lanes
            if forwards is None:
                doubt = Doubt(Why.UNKNOWN, f"whether this machine forwards is not known ({name})")
                closed = [lane.doubting(doubt, False) for lane in lanes]
                lanes = [lane.doubting(doubt, True) for lane in lanes]
            else:
                lanes = []
            self.finish([lane.noted(step) for lane in closed], Verdict(Kind.DROP, note=step.what))
        lanes = [lane.with_packet(replace(lane.packet, oif=self.out(lane.packet))) for lane in lanes]
        lanes = self.kept(self.hooks.through("forward", lanes, env))
        lanes = self.kept(self.hooks.through("postrouting", lanes, env))
        self.finish(lanes, Verdict(Kind.ACCEPT, note="forwarded"))


# --------------------------------------------------------------------------- what comes of it


def key(end: End) -> tuple[object, ...]:
    """What tells ends apart for the client: the verdict, what is sent, and where the connection would lead."""
    kind = Kind.UNSURE if end.verdict.kind in {Kind.QUEUE, Kind.STOLEN} else end.verdict.kind
    packet = end.lane.packet
    return (kind, end.verdict.reject, (packet.dst, packet.dport) if kind is Kind.ACCEPT else None)


def keys(ends: Iterable[End]) -> set[tuple[object, ...]]:
    """The different usual ends."""
    return {key(end) for end in ends if end.lane.usual}


def outcome(end: End) -> Outcome:
    """An end as it is shown."""
    kind = Kind.UNSURE if end.verdict.kind in {Kind.QUEUE, Kind.STOLEN} else end.verdict.kind
    conditions = end.lane.doubts.texts() if end.lane.doubts else ()
    if end.verdict.note and kind is Kind.UNSURE:
        conditions = (*conditions, end.verdict.note)
    return Outcome(kind, end.verdict.reject, end.chain, end.rule, end.lane.path(), end.lane.packet, conditions)


def depth(end: End) -> int:
    """How many doubts an end rests on."""
    return end.lane.doubts.depth if end.lane.doubts else 0


def simplest(ends: Iterable[End]) -> list[End]:
    """One end of each kind, that with the fewest doubts."""
    best: dict[tuple[object, ...], End] = {}
    for end in ends:
        there = best.get(key(end))
        if there is None or depth(end) < depth(there):
            best[key(end)] = end
    return list(best.values())


def concluded(ends: list[End], packet: Packet) -> Walk:
    """All ends, as one verdict."""
    usual = simplest(end for end in ends if end.lane.usual)
    if len(usual) != 1 or key(usual[0])[0] is Kind.UNSURE:
        return unsure(ends, "", packet)
    decided = outcome(usual[0])
    sometimes = tuple(outcome(end) for end in simplest(ends) if key(end) != key(usual[0]))
    after = decided.packet
    moved = decided.kind is Kind.ACCEPT and (after.dst, after.dport) != (packet.dst, packet.dport)
    destination = (text_of(after.family, after.dst), after.dport) if moved and isinstance(after.dport, int) else None
    forwarded = usual[0].verdict.note == "forwarded"
    return Walk(decided.kind, decided, sometimes=sometimes, destination=destination, forwarded=forwarded)


def unsure(ends: list[End], reason: str, packet: Packet) -> Walk:
    """Nothing certain: all that is possible, and on what it hangs."""
    usual = simplest(end for end in ends if end.lane.usual) or simplest(ends)
    possible = tuple(outcome(end) for end in usual)
    reasons = dict.fromkeys(text for one in possible for text in one.conditions)
    said = reason or "; ".join(list(reasons)[:AT_ONCE]) or "no end was found"
    decided = possible[0] if possible else Outcome(Kind.UNSURE, "", None, None, (), packet)
    return Walk(Kind.UNSURE, decided, reason=said, possible=possible)


# --------------------------------------------------------------------------- the way back


def answers(ruleset: Ruleset, host: Host, found: Walk) -> dict[str, Walk]:
    """The way of what answers: SYN-ACK and reset after accept, reset or ICMP error after reject."""
    if found.verdict is Kind.DROP:
        return {}
    made: dict[str, Packet] = {}
    packet = found.decided.packet
    if found.verdict is Kind.ACCEPT:
        made = {"syn-ack": reply(packet, SYN | ACK, host, found), "rst": reply(packet, RST | ACK, host, found)}
    elif found.decided.chain is not None and found.decided.chain.hook != "ingress":
        made = {"reject": rejecting(packet, found, host)}
    walks = {}
    for name, answer in made.items():
        local = not found.forwarded
        walked = Walker(ruleset, host, answer).back(local=local)
        walks[name] = concluded(walked.ends, walked.ends[0].lane.packet if walked.ends else answer)
    return walks


def reply(packet: Packet, flags: int, host: Host, found: Walk) -> Packet:
    """The listener's answer, before translation is undone."""
    there = host.interface_for(packet.family, packet.src)
    way = packet.iif if there is None else there
    return replace(
        packet,
        src=packet.dst,
        sport=packet.dport,
        dst=packet.src,
        dport=packet.sport,
        flags=flags,
        iif=packet.oif if found.forwarded else "",
        oif="" if found.forwarded else way,
        state="invalid",
        state_then="established" if packet.original else "invalid",
        tracked=True,
        original=None,
        answers=packet.original,
        reply=True,
        mark=0,
        changed="",
    )


def rejecting(packet: Packet, found: Walk, host: Host) -> Packet:
    """What a reject sends: from the address that the SYN was for at that moment."""
    answer = reply(packet, RST | ACK, host, found)
    oif = answer.oif or packet.iif
    state = "related" if packet.original else "invalid"
    answer = replace(answer, iif="", oif=oif, state=state, state_then=state, original=packet.original)
    if isinstance(found.reject, tuple):
        protocol = 1 if packet.family == 4 else 58
        answer = replace(answer, protocol=protocol, icmp=found.reject, flags=0)
    return answer
