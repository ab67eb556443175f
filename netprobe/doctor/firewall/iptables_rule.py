"""A rule of iptables: its matches, then its target, for one packet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netprobe.doctor.firewall.iptables_matches import core, module
from netprobe.doctor.firewall.iptables_targets import target
from netprobe.doctor.firewall.iptables_words import Parsed, parsed
from netprobe.doctor.firewall.model import UNREADABLE, Doubt, Env, Kind, Packet, Rule, Turn, Verdict, Why


@dataclass(slots=True, eq=False)
class IptablesRule(Rule):
    """A rule as iptables-save writes it, without its `-A CHAIN`."""

    words: str = ""
    parts: Parsed | None = None

    @property
    def text(self) -> str:
        """As one would type it."""
        return f"-A {self.chain.name} {self.words}"

    def turns(self, packet: Packet, env: Env) -> Sequence[Turn] | None:
        """What the rule does with the packet."""
        try:
            return self._turns(packet, env)
        except UNREADABLE:
            doubt = Doubt(Why.UNKNOWN, f"the rule `{self.text}` is not read here")
            unread = Verdict(Kind.STOLEN, note=doubt.about)
            return [Turn(packet, None, ((doubt, False),)), Turn(packet, unread, ((doubt, True),))]

    def _turns(self, packet: Packet, env: Env) -> Sequence[Turn] | None:
        if self.parts is None:
            self.parts = parsed(self.words)
        parts = self.parts
        doubts: list[Doubt] = []
        for option in parts.core:
            outcome = core(option, packet)
            if outcome is False:
                return None
            if isinstance(outcome, Doubt):
                doubts.append(outcome)
        for name, given in parts.modules:
            outcome = module(name, given, packet, env)
            if outcome is False:
                return None
            if isinstance(outcome, Doubt):
                doubts.append(outcome)
        if not parts.target:
            return None
        after, verdict = target(parts, self.chain, packet, env)
        if verdict is None and after == packet:
            return None
        made: list[Turn] = []
        taken: tuple[tuple[Doubt, bool], ...] = ()
        for doubt in doubts:
            made.append(Turn(packet, None, (*taken, (doubt, False))))
            taken = (*taken, (doubt, True))
        return [*made, Turn(after, verdict, taken)]
