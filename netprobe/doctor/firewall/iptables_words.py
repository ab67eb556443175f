"""The words of a line of iptables-save: its options, sorted to the modules they belong to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

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


class Option(NamedTuple):
    """An option of a rule, without its dashes."""

    name: str
    values: tuple[str, ...]
    negated: bool

    @property
    def value(self) -> str:
        """Its first value."""
        return self.values[0] if self.values else ""


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
