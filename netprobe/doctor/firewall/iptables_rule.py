"""A rule of iptables: its matches, then its target, for one packet."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from netprobe.doctor.firewall.iptables_matches import Option, core, module
from netprobe.doctor.firewall.iptables_targets import target
from netprobe.doctor.firewall.model import UNREADABLE, Doubt, Env, Kind, Packet, Rule, Turn, Verdict, Why

WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')
# Options whose value may begin like an option.
TAKES_ANYTHING = {
    "--comment",
    "--log-prefix",
    "--nflog-prefix",
    "--string",
    "--hex-string",
    "--name",
    "--u32",
    "--prefix",
}
SHORT = {"-p": "protocol", "-s": "source", "-d": "destination", "-i": "in", "-o": "out", "-f": "fragment"}


@dataclass(slots=True)
class Parsed:
    """The parts of a rule: the core's options, (module, options) of its matches, the target with its options."""

    core: list[Option]
    modules: list[tuple[str, list[Option]]]
    target: str
    goto: bool
    options: list[Option]


def words(text: str) -> list[str]:
    """The words of a rule; quoted ones whole."""
    if '"' not in text:
        return text.split()
    return [re.sub(r"\\(.)", r"\1", found[1]) if found[1] is not None else found[2] for found in WORD.finditer(text)]


def options(text: str) -> Iterator[Option]:
    """The options of a rule with their values and whether they are negated."""
    tokens = words(text)
    at, negated = 0, False
    while at < len(tokens):
        name = tokens[at]
        at += 1
        if name == "!":
            negated = True
            continue
        values: list[str] = []
        while at < len(tokens):
            value = tokens[at]
            starts = value == "!" or (value.startswith("-") and len(value) > 1 and not value[1:2].isdigit())
            if starts and not (name in TAKES_ANYTHING and not values):
                break
            values.append(value)
            at += 1
        yield Option(SHORT.get(name, name.lstrip("-")), tuple(values), negated)
        negated = False


def parsed(text: str) -> Parsed:
    """A rule's words, sorted to the modules they belong to."""
    found = Parsed([], [], "", False, [])
    into = found.core
    for option in options(text):
        if option.name == "m":
            found.modules.append((option.values[0], []))
            into = found.modules[-1][1]
        elif option.name in {"j", "g"} and not found.target:
            found.target, found.goto = option.values[0], option.name == "g"
            into = found.options
        elif option.name in SHORT.values() and into is not found.options:
            found.core.append(option)
        elif option.name != "c":
            into.append(option)
    return found


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
        after, verdict = target(self, packet, env)
        if verdict is None and after == packet:
            return None
        made: list[Turn] = []
        taken: tuple[tuple[Doubt, bool], ...] = ()
        for doubt in doubts:
            made.append(Turn(packet, None, (*taken, (doubt, False))))
            taken = (*taken, (doubt, True))
        return [*made, Turn(after, verdict, taken)]
