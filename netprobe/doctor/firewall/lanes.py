"""Lanes: a packet on its way through chains, with its trail and the doubts it rests on; two with equal packets are one.

House rules of this file:
1. Every way that a packet can go is kept, so that no end is missed.
2. `usual` marks the ways on which every limit and list does what it does for the first SYN of a client, from an address
   that nothing names (where none was asked for).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from netprobe.doctor.firewall.model import Chain, Doubt, Env, Kind, Packet, Rule, Step, Turn, Verdict

MOST_LANES = 256
DEEPEST = 100


@dataclass(frozen=True, slots=True, eq=False)
class Doubts:
    """A linked list of decided doubts, the last one first."""

    above: Doubts | None
    doubt: Doubt
    side: bool
    usual: bool
    depth: int

    def texts(self) -> tuple[str, ...]:
        """What the doubts are about, each once, the first first."""
        found: list[str] = []
        node: Doubts | None = self
        while node is not None:
            found.append(node.doubt.about)
            node = node.above
        return tuple(dict.fromkeys(reversed(found)))


@dataclass(frozen=True, slots=True, eq=False)
class Trail:
    """A linked list of steps, the last one first."""

    above: Trail | None
    step: Step


@dataclass(frozen=True, slots=True, eq=False)
class Lane:
    """One way through the rules."""

    packet: Packet
    doubts: Doubts | None = None
    trail: Trail | None = None

    @property
    def usual(self) -> bool:
        """Does it rest on nothing unusual?"""
        return self.doubts is None or self.doubts.usual

    def path(self) -> tuple[Step, ...]:
        """Its steps, the first first."""
        steps, node = [], self.trail
        while node is not None:
            steps.append(node.step)
            node = node.above
        return tuple(reversed(steps))

    def noted(self, step: Step) -> Lane:
        """With one more step."""
        return Lane(self.packet, self.doubts, Trail(self.trail, step))

    def doubting(self, doubt: Doubt, side: bool) -> Lane:
        """With one more doubt, decided."""
        unusual = doubt.usual is not None and doubt.usual is not side
        depth = 1 + (self.doubts.depth if self.doubts else 0)
        return Lane(self.packet, Doubts(self.doubts, doubt, side, self.usual and not unusual, depth), self.trail)

    def with_packet(self, packet: Packet) -> Lane:
        """Another packet, or the same one changed."""
        return Lane(packet, self.doubts, self.trail)

    def after(self, turn: Turn, rule: Rule, hook: str) -> Lane:
        """What a rule made of it."""
        lane = self.with_packet(turn.packet)
        for doubt, side in turn.taken:
            lane = lane.doubting(doubt, side)
        if turn.verdict is None and turn.packet == self.packet:
            return lane
        what = turn.note or (turn.verdict.note if turn.verdict else "")
        return lane.noted(Step(hook, rule.chain, rule, what))


@dataclass(frozen=True, slots=True, eq=False)
class End:
    """A lane that came to a verdict, and which rule or policy gave it."""

    lane: Lane
    verdict: Verdict
    chain: Chain | None
    rule: Rule | None


def common(one: Doubts | None, other: Doubts | None) -> Doubts | None:
    """The last doubt that both have decided alike."""
    while one is not other:
        if one is None or other is None:
            return None
        if one.depth >= other.depth:
            one = one.above
        else:
            other = other.above
    return one


def joined(one: Lane, other: Lane) -> Lane:
    """Two lanes with equal packets, as one."""
    kept = one if one.usual or not other.usual else other
    a, b = one.doubts, other.doubts
    if a is None or b is None:
        return Lane(kept.packet, None, kept.trail)
    if a.above is b.above and a.doubt == b.doubt and a.side != b.side:
        return Lane(kept.packet, a.above, kept.trail)
    root = common(a, b)
    if root is a or root is b:
        return Lane(kept.packet, root, kept.trail)
    usual = one.usual or other.usual
    if usual == (root is None or root.usual):
        doubts = root
    else:
        below = kept.doubts
        assert below is not None
        doubts = Doubts(root, below.doubt, below.side, usual, 1 + (root.depth if root else 0))
    return Lane(kept.packet, doubts, kept.trail)


def merged(lanes: Iterable[Lane]) -> list[Lane]:
    """Lanes with equal packets become one."""
    by_packet: dict[Packet, Lane] = {}
    for lane in lanes:
        there = by_packet.get(lane.packet)
        by_packet[lane.packet] = lane if there is None else joined(there, lane)
    return list(by_packet.values())


def run(chain: Chain, lanes: list[Lane], env: Env, depth: int = 0) -> tuple[list[End], list[Lane]]:
    """Lanes through the rules of a chain: what ended, and what comes out at its end or by return."""
    ended: list[End] = []
    out: list[Lane] = []
    if depth > DEEPEST or len(lanes) > MOST_LANES:
        why = "jumps in a circle" if depth > DEEPEST else "too many ways through the rules"
        return [End(lane, Verdict(Kind.UNSURE, note=why), chain, None) for lane in lanes], []
    for rule in chain.rules:
        on: list[Lane] = []
        split = False
        for lane in lanes:
            turns = rule.turns(lane.packet, env)
            if turns is None:
                on.append(lane)
                continue
            split = True
            for turn in turns:
                turned(turn, lane.after(turn, rule, env.hook), rule, env, depth, (ended, on, out))
        lanes = merged(on) if split else on
        if not lanes:
            break
        if len(lanes) > MOST_LANES:
            note = Verdict(Kind.UNSURE, note="too many ways through the rules")
            return [*ended, *(End(lane, note, chain, rule) for lane in lanes)], merged(out)
    return ended, merged([*out, *lanes])


def turned(
    turn: Turn, lane: Lane, rule: Rule, env: Env, depth: int, to: tuple[list[End], list[Lane], list[Lane]]
) -> None:
    """One way that a rule went: to what ended, on to the next rule, or out of the chain."""
    ended, on, out = to
    verdict = turn.verdict
    if verdict is None:
        on.append(lane)
    elif verdict.kind is Kind.RETURN:
        out.append(lane)
    elif verdict.kind in {Kind.JUMP, Kind.GOTO}:
        target = rule.chain.table.chains.get(verdict.target)
        if target is None:
            missing = Verdict(Kind.UNSURE, note=f"the chain {verdict.target} is not listed")
            ended.append(End(lane, missing, rule.chain, rule))
            return
        below, back = run(target, [lane], env, depth + 1)
        ended += below
        (on if verdict.kind is Kind.JUMP else out).extend(back)
    else:
        ended.append(End(lane, verdict, rule.chain, rule))
