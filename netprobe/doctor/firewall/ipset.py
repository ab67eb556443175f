"""Reads `ipset save`, and tells whether a packet's address, port or interface is in a set.

House rules of this file:
1. A set that isn't listed, or of a type that isn't read here, is a doubt.
2. In sets of networks the longest prefix wins, so that a `nomatch` entry makes an exception (ipset(8)).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from netprobe.doctor.firewall import words
from netprobe.doctor.firewall.model import Doubt, Env, Packet, Test, Why
from netprobe.doctor.firewall.values import Interval, Number, Numbers, Span, network, number_of

Part = Interval | str


@dataclass(slots=True)
class Ipset:
    """A set: the types of its parts, its family, its entries as (parts, exception). `members`: of a list:set."""

    name: str
    parts: tuple[str, ...]
    family: int
    entries: list[tuple[tuple[Part, ...], bool]] = field(default_factory=list)
    members: list[str] = field(default_factory=list)
    plain: Numbers | None = None  # of a set of addresses or networks alone, without exceptions


def read(text: str) -> tuple[Mapping[str, Ipset], list[str]]:
    """All sets of the text, and what couldn't be read."""
    sets: dict[str, Ipset] = {}
    problems: list[str] = []
    for line in text.splitlines():
        words_of = line.split()
        if len(words_of) < 3:
            continue
        try:
            if words_of[0] == "create":
                family = 6 if "inet6" in words_of else 4
                sets[words_of[1]] = Ipset(words_of[1], tuple(words_of[2].partition(":")[2].split(",")), family)
            elif words_of[0] == "add":
                enter(sets[words_of[1]], words_of[2], "nomatch" in words_of[3:])
        except (ValueError, KeyError, IndexError):
            problems.append(f"a line of `ipset save` can't be read: {line[:80]}")
    return sets, problems


def enter(one: Ipset, text: str, exception: bool) -> None:
    """Adds an entry."""
    if one.parts == ("set",):
        one.members.append(text)
        return
    parts: list[Part] = []
    for kind, value in zip(one.parts, text.split(","), strict=False):
        if kind in {"ip", "net"}:
            low, dash, high = value.partition("-")
            parts.append((number_of(low), number_of(high)) if dash and "/" not in value else network(value))
        elif kind == "port":
            protocol, colon, ports = value.rpartition(":")
            if colon and words.PROTOCOLS.get(protocol) != 6:
                return  # a port of another protocol
            first, dash, last = ports.partition("-")
            number = words.SERVICES[first] if first in words.SERVICES else int(first)
            parts.append((number, int(last) if dash else number))
        else:
            parts.append(value)
    one.entries.append((tuple(parts), exception))


def has(name: str, directions: Sequence[str], packet: Packet, env: Env) -> Test:
    """Is what the directions (src, dst) name of the packet in the set?"""
    sets = env.ruleset.ipsets
    doubt = Doubt(Why.UNKNOWN, f"depends on the ipset {name}, which is not listed")
    one = sets.get(name) if sets is not None else None
    if not isinstance(one, Ipset):
        return doubt
    if one.parts == ("set",):
        outcomes = [has(member, directions, packet, env) for member in one.members]
        if True in outcomes:
            return True
        return next((outcome for outcome in outcomes if isinstance(outcome, Doubt)), False)
    if one.family != packet.family and {"ip", "net"} & set(one.parts):
        return False
    values: list[Number | str | None] = []
    for kind, direction in zip(one.parts, directions, strict=False):
        source = direction == "src"
        if kind in {"ip", "net"}:
            values.append(packet.src if source else packet.dst)
        elif kind == "port":
            values.append(packet.sport if source else packet.dport)
        elif kind == "iface":
            values.append(packet.iif if source else packet.oif)
        else:
            return Doubt(Why.UNKNOWN, f"depends on the ipset {name} (of {','.join(one.parts)})")
    if len(values) < len(one.parts):
        return doubt
    return found(one, values)


def found(one: Ipset, values: Sequence[Number | str | None]) -> Test:
    """The entry with the longest prefix decides."""
    doubt = Doubt(Why.QUERY, f"depends on the client ({one.name})")
    if len(one.parts) == 1 and not any(exception for _, exception in one.entries):
        if one.plain is None:
            one.plain = Numbers.of(entry[0] for entry, _ in one.entries if isinstance(entry[0], tuple))
        value = values[0]
        if not isinstance(value, int | Span):
            return doubt
        inside = one.plain.has(value)
        return Doubt(Why.QUERY, doubt.about, one.plain.usual(value)) if inside is None else inside
    best: tuple[int, bool] | None = None
    for entry, exception in one.entries:
        tests = [part(value, wanted) for value, wanted in zip(values, entry, strict=False)]
        if False in tests:
            continue
        if None in tests:
            return doubt
        width = sum(wanted[1] - wanted[0] for wanted in entry if isinstance(wanted, tuple))
        if best is None or width < best[0]:
            best = (width, exception)
    return best is not None and not best[1]


def part(value: Number | str | None, wanted: Part) -> bool | None:
    """Is one part of the packet that of the entry?"""
    if isinstance(wanted, str):
        return None if value is None else value == wanted
    if isinstance(value, int | Span):
        return Numbers.of([wanted]).has(value)
    return None
