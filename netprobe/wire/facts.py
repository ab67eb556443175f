"""Facts as text: the JSON that a capture file carries, and the line that a person reads in Wireshark.

House rules of this file:
1. Generic over the dataclasses of model.py: a new kind of Fact needs a line in `_say` at most.
2. A file is a stranger: `load` gives None for what it doesn't know or can't read, and never raises.
3. `number` and `time_ns` belong to the record's place in the file, not to its JSON; `time_ns` is kept for its last
   three digits.
"""

from __future__ import annotations

import base64
import dataclasses
import ipaddress
import json
import types
import typing
from enum import Enum
from functools import cache
from typing import Any

from netprobe import model
from netprobe.model import Fact

_ADDRESSES = frozenset({"address", "addresses", "source", "gateway", "sender"})


def kind(fact_class: type[Fact]) -> str:
    """The name of a fact's class in a file: `ConnectionFact` is "connection"."""
    return fact_class.__name__.removesuffix("Fact").lower()


def dump(fact: Fact) -> str:
    """One line of ASCII JSON that `load` reads back to an equal fact (but for its number)."""
    fields = {"kind": kind(type(fact)), **_plain(fact)}
    del fields["number"]
    return json.dumps(fields, separators=(",", ":"))


def load(text: str, number: int) -> Fact | None:
    """The fact of one line of JSON; None when it is of an unknown kind, lacks a field or isn't JSON."""
    try:
        fields = json.loads(text)
        fact_class = _kinds().get(fields["kind"])
        if fact_class is None:
            return None
        fact = _build(fact_class, fields)
        return dataclasses.replace(fact, number=number) if isinstance(fact, Fact) else None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def plausible(noun: Any) -> bool:
    """Whether a fact from a file could be one of ours: addresses are addresses, numbers fit 64 bits. Whoever reads
    facts may rely on that."""
    for field in dataclasses.fields(noun):
        value = getattr(noun, field.name)
        if dataclasses.is_dataclass(value):
            if not plausible(value):
                return False
        elif isinstance(value, int):
            if abs(value) >> 63:
                return False
        elif field.name in _ADDRESSES and value is not None:
            plain = all(_is_address(one) for one in ([value] if isinstance(value, str) else value))
            if not plain:
                return False
    return True


def message(fact: Fact) -> str:
    """What a person reads in Wireshark's packet list: one line, without control characters."""
    said = _say(fact)
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in said)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return True


@cache
def _kinds() -> dict[str, type[Fact]]:
    return {kind(c): c for c in vars(model).values() if isinstance(c, type) and issubclass(c, Fact) and c is not Fact}


@cache
def _hints(noun: type) -> dict[str, Any]:
    return typing.get_type_hints(noun)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    return value.value if isinstance(value, Enum) else value


def _build(noun: type, fields: dict[str, Any]) -> Any:
    hints = _hints(noun)
    known = {f.name for f in dataclasses.fields(noun) if f.name != "number"}
    return noun(**{name: _typed(hints[name], value) for name, value in fields.items() if name in known})


def _typed(hint: Any, value: Any) -> Any:
    """`value` of a JSON text as what `hint` asks for; TypeError or ValueError when it isn't."""
    origin = typing.get_origin(hint)
    if origin in (types.UnionType, typing.Union):
        if value is None and type(None) in typing.get_args(hint):
            return None
        (inner,) = (a for a in typing.get_args(hint) if a is not type(None))
        return _typed(inner, value)
    if origin is tuple:
        if not isinstance(value, list):
            raise TypeError(f"{value!r} is not a list")
        return tuple(_typed(typing.get_args(hint)[0], v) for v in value)
    if hint is bytes:
        return base64.b64decode(value, validate=True)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, dict):
            raise TypeError(f"{value!r} is not an object")
        return _build(hint, value)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint(value)
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is not hint:  # bool is no int here
        raise TypeError(f"{value!r} is not {hint}")
    return value


def _say(fact: Fact) -> str:
    match fact:
        case model.TargetFact():
            where = fact.address if fact.address is not None else "no address"
            return f"target {fact.target} ({where}) port {fact.port}: {fact.mode} scan begins, {fact.expect} expected"
        case model.SettledFact():
            how = "settled" if fact.complete else "interrupted"
            return f"target {fact.target} ({fact.address or 'no address'}) port {fact.port}: {how}"
        case model.ResolvedFact():
            return f"name {fact.name}: {fact.outcome} {' '.join(fact.addresses)} {fact.detail}".rstrip()
        case model.RouteFact():
            words = [f"{word} {value}" for word, value in (("dev", fact.interface), ("src", fact.source)) if value]
            via = [f"via {fact.gateway}"] if fact.gateway else []
            return " ".join([f"route to {fact.address}: {fact.outcome}", *via, *words])
        case model.NeighborFact():
            at = f" at {fact.link_address}" if fact.link_address else ""
            return f"neighbour {fact.address}: {fact.state}{at}"
        case model.ConnectionFact():
            return _say_connection(fact)
        case model.BlockedFact():
            return f"probe to {fact.address} port {fact.port} could not leave: {fact.error}"
        case model.LinkFact():
            return f"interface {fact.interface} is {fact.state}"
        case model.AuthMethodsFact():
            told = " ".join(fact.methods) or fact.detail
            return f"asked for the methods of user {fact.user} on connection {fact.id}: {fact.outcome} {told}".rstrip()
        case model.CredentialsFact():
            return f"ssh would log in to {fact.name} as {fact.user}: {len(fact.files)} key files, agent {fact.agent}"
        case model.ClientOfferFact():
            return f"{fact.whose} would offer {fact.target}: {', '.join(fact.offer.kex[:3])} ..."
        case model.LimitFact():
            return f"{fact.sender} limits its ICMP errors to about {fact.per_s} a second"
        case model.DropFact():
            return f"the kernel dropped {fact.count} packets of this capture"
        case _:
            return kind(type(fact))


def _say_connection(fact: model.ConnectionFact) -> str:
    words = [f"connect() {fact.id} to {fact.server}: {fact.event}"]
    if fact.error:
        words.append(fact.error)
    if fact.icmp:
        words.append(f"ICMPv{fact.icmp.version} {fact.icmp.type}/{fact.icmp.code} from {fact.icmp.sender}")
    if fact.data:
        words.append(f"{len(fact.data)} bytes")
    if fact.client and fact.event == "started":
        words.append(f"from {fact.client}")
    if fact.ttl is not None:
        words.append(f"ttl {fact.ttl}")
    if fact.mss is not None:
        words.append(f"mss {fact.mss}")
    return " ".join(words)
