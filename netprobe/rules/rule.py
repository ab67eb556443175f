"""What a row of the table of rules is made of, and how a row is matched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from netprobe.model import Certainty, State


class Place(StrEnum):
    """How a rule's origin is found; netprobe.origin does it."""

    TARGET = "target"  # the address that was asked
    SENDER = "sender"  # who sent the ICMP error
    RESET = "reset"  # the box on the path that forged a reset
    PROXY = "proxy"  # the box on the path that answered SYN-ACK in the target's name
    SILENCE = "silence"  # bounded by the walk: where probes were last heard of
    HOST = "host"  # the host itself, proven to drop
    NEXT_HOP = "next-hop"  # the neighbour that doesn't answer
    BETWEEN = "between"  # between two captures, the client's and the server's
    LOCAL = "local"  # this machine
    RESOLVER = "resolver"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Rival:
    """Another cause that the evidence leaves open, and what would settle it."""

    cause: str
    because: str
    settle: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: what was seen -> state, reason, cause, certainty, who, because, rivals, remedy, reference.

    `when` is a list of `feature=word` (or `word|word`, `!word`, `-` for "not asked"), all of which must hold; the words are in
    netprobe.evidence.FEATURES. Texts may hold {placeholders}; netprobe.rules.texts has their values.
    """

    id: str
    when: str
    state: State
    reason: str
    cause: str
    certainty: Certainty
    place: Place
    because: tuple[str, ...]
    rivals: tuple[Rival, ...] = ()
    remedy: tuple[str, ...] = ()
    reference: str = ""

    @property
    def conditions(self) -> tuple[tuple[str, frozenset[str], bool], ...]:
        """(feature, words, wanted) of each condition; `-` stands for an absent feature."""
        return _conditions(self.when)

    def matches(self, features: Mapping[str, str]) -> bool:
        """Whether all conditions hold."""
        return holds(self.when, features)


def holds(when: str, features: Mapping[str, str]) -> bool:
    """Whether all conditions of a text hold: `feature=word`, `feature=word|word`, `feature=!word`; `-` stands for an
    absent feature."""
    return all((features.get(feature, "-") in words) == wanted for feature, words, wanted in _conditions(when))


@cache
def _conditions(when: str) -> tuple[tuple[str, frozenset[str], bool], ...]:
    found = []
    for part in when.split():
        feature, _, words = part.partition("=")
        wanted = not words.startswith("!")
        found.append((feature, frozenset(words.removeprefix("!").split("|")), wanted))
    return tuple(found)
