"""Facts as JSON and back: what `--facts` writes and `--from` reads.

House rules of this file:
1. Generic over the dataclasses of facts.py: a new field needs no line here.
2. A file is a stranger: what doesn't fit raises BadFacts with its place, never anything else. Keys that aren't known
   are left out, so that an older netprobe reads a newer file.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import json
import types
import typing
from collections.abc import Mapping
from functools import cache
from typing import Any

from netprobe.doctor import facts as nouns
from netprobe.doctor.facts import SCHEMA, Facts
from netprobe.errors import NetprobeError


class BadFacts(NetprobeError):  # noqa: N818 (says what it is)
    """The file holds no facts that can be read."""

    exit_code = 3


def dump(facts: Facts) -> str:
    """Indented ASCII JSON with a line end."""
    return json.dumps(plain(facts), indent=1, ensure_ascii=True) + "\n"


def plain(value: Any) -> Any:
    """Dataclasses as dictionaries, without fields that are at their default."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: (getattr(value, f.name), _default(f)) for f in dataclasses.fields(value)}
        return {name: plain(one) for name, (one, usual) in fields.items() if name == "schema" or one != usual}
    if isinstance(value, tuple):
        return [plain(one) for one in value]
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in value.items()}
    return value


def _default(of: dataclasses.Field[Any]) -> Any:
    if of.default_factory is not dataclasses.MISSING:
        return of.default_factory()
    return of.default


def load(text: str, name: str = "the facts") -> Facts:
    """Facts of a saved file. Raises BadFacts."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadFacts(f"{name} is not JSON: {error}", "save facts with `netprobe doctor --facts FILE`") from None
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise BadFacts(f"{name} holds no facts of a server", "save them there with `netprobe doctor --facts FILE`")
    try:
        made = _built(Facts, document, "")
    except (TypeError, ValueError, OverflowError) as error:
        raise BadFacts(f"{name} is damaged: {error}", "save the facts again") from None
    assert isinstance(made, Facts)
    if what := _nonsense(made):
        raise BadFacts(f"{name} is damaged: {what}", "save the facts again")
    return made


def _nonsense(facts: Facts) -> str:
    """An address that is none, a port out of range; "" where there is nothing of the kind."""
    texts = [("an interface", text) for one in facts.interfaces or () for text in one.addresses]
    texts += [("a listener", one.address) for one in facts.listeners or ()]
    texts += [("a route", one.destination) for one in facts.routes or () if one.destination != "default"]
    texts += [("the source", facts.asked.source)] if facts.asked.source is not None else []
    for what, text in texts:
        try:
            ipaddress.ip_interface(text.partition("%")[0])
        except ValueError:
            return f"{what} has {text!r} for an address"
    if not all(0 < port < 1 << 16 for port in (facts.asked.port, *(one.port for one in facts.listeners or ()))):
        return "a port is out of range"
    return ""


@cache
def _hints(noun: type) -> dict[str, Any]:
    return typing.get_type_hints(noun, vars(nouns))


def _built(noun: type, fields: Any, where: str) -> Any:
    if not isinstance(fields, dict):
        raise TypeError(f"{where or 'the document'} is no object")
    hints = _hints(noun)
    known = {f.name for f in dataclasses.fields(noun)}
    given = {key: _typed(hints[key], one, f"{where}.{key}".lstrip(".")) for key, one in fields.items() if key in known}
    missing = [f.name for f in dataclasses.fields(noun) if f.name not in given and _default(f) is dataclasses.MISSING]
    if missing:
        raise ValueError(f"{where} lacks {', '.join(missing)}")
    return noun(**given)


def _typed(hint: Any, value: Any, where: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType:
        if value is None and type(None) in arguments:
            return None
        return _typed(next(one for one in arguments if one is not type(None)), value, where)
    if origin is tuple:
        if not isinstance(value, list):
            raise TypeError(f"{where} is no list")
        if arguments[-1] is not ... and len(value) != len(arguments):
            raise ValueError(f"{where} doesn't have {len(arguments)} entries")
        return tuple(_typed(arguments[0], one, f"{where}[{at}]") for at, one in enumerate(value))
    if origin is Mapping:
        if not isinstance(value, dict):
            raise TypeError(f"{where} is no object")
        return {key: _typed(arguments[1], one, f"{where}.{key}") for key, one in value.items()}
    if dataclasses.is_dataclass(hint):
        assert isinstance(hint, type)
        return _built(hint, value, where)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not hint:
        raise TypeError(f"{where} is no {hint.__name__}")
    return value
