"""A rule of nftables: its statements, one after the other, for one packet.

House rules of this file:
1. A test that can't be decided splits the packet's way; it never raises.
2. Statements that only count, log or note change nothing and are passed over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from netprobe.doctor.firewall import nft_text
from netprobe.doctor.firewall.model import UNREADABLE, Doubt, Env, Kind, Packet, Rule, Test, Turn, Verdict, Why
from netprobe.doctor.firewall.nft_actions import ACTIONS, NO_MATCH, VERDICTS, Way
from netprobe.doctor.firewall.nft_tests import TESTS, test

# Statements without a say in what becomes of the packet.
NEUTRAL = {
    *(
        "counter",
        "log",
        "ct helper",
        "ct timeout",
        "ct expectation",
        "secmark",
        "last",
        "flow",
        "reset",
        "dup",
        "comment",
    ),
    *("nftrace", "audit"),
}


@dataclass(slots=True, eq=False)
class NftRule(Rule):
    """A rule as `nft -j` lists it."""

    expr: Sequence[Any] = ()
    comment: str = ""

    @property
    def text(self) -> str:
        """In nft's own language."""
        return nft_text.rule(self.expr, self.comment)

    def turns(self, packet: Packet, env: Env) -> Sequence[Turn] | None:
        """What the rule does with the packet."""
        try:
            return self._turns(packet, env)
        except UNREADABLE:
            doubt = Doubt(Why.UNKNOWN, f"the rule `{self.text}` is not read here")
            unread = Verdict(Kind.STOLEN, note=doubt.about)
            return [Turn(packet, None, ((doubt, False),)), Turn(packet, unread, ((doubt, True),))]

    def _turns(self, packet: Packet, env: Env) -> Sequence[Turn] | None:
        if len(self.expr) > 1 and self._fails_at_once(packet, env):
            return None
        turns: list[Turn] = []
        way: Way | None = Way(packet)
        for statement in self.expr:
            assert way is not None
            way = self._one(statement, way, env, turns)
            if way is None:
                break
        if way is not None and (way.packet != packet or turns):
            turns.append(Turn(way.packet, None, way.taken))
        return turns or None

    def _fails_at_once(self, packet: Packet, env: Env) -> bool:
        """The usual case of a long list: the first test is clearly not met."""
        first = self.expr[0]
        return isinstance(first, dict) and "match" in first and test(first["match"], packet, env) is False

    def _one(self, statement: Any, way: Way, env: Env, turns: list[Turn]) -> Way | None:
        """One statement: the way on, or None where the rule ends; what ends goes to `turns`."""
        name, body = next(iter(statement.items())) if isinstance(statement, dict) else (str(statement), None)
        if name in NEUTRAL:
            return way
        if name in VERDICTS:
            turns.append(Turn(way.packet, VERDICTS[name](body), way.taken))
            return None
        if name in TESTS:
            return self._tested(TESTS[name](body, way.packet, env), way, turns)
        action = ACTIONS.get(name)
        if action is None:
            return self._tested(Doubt(Why.UNKNOWN, f"nft's `{name}` is not read here"), way, turns)
        on: Way | None = None
        for end, verdict in action(body, way, env):
            if verdict is None:
                if on is not None:
                    turns.append(
                        Turn(on.packet, Verdict(Kind.STOLEN, note="a map that gives several ways on"), on.taken)
                    )
                on = end
            elif verdict is not NO_MATCH:
                turns.append(Turn(end.packet, verdict, end.taken))
            elif end.taken != way.taken:
                turns.append(Turn(end.packet, None, end.taken))
        return on

    def _tested(self, outcome: Test, way: Way, turns: list[Turn]) -> Way | None:
        if outcome is True:
            return way
        if outcome is False:
            # Doubts that ended in no match still need their other side.
            if way.taken:
                turns.append(Turn(way.packet, None, way.taken))
            return None
        assert isinstance(outcome, Doubt)
        turns.append(Turn(way.packet, None, (*way.taken, (outcome, False))))
        return replace(way, taken=(*way.taken, (outcome, True)))
