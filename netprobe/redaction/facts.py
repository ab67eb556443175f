"""What a scan wrote down beside its packets, without what names people and machines.

House rules of this file:
1. Every text of a fact has its row below; one that has none is replaced by a pseudonym. A test holds the table to
   netprobe.model.
2. Numbers and words that are netprobe's own stay.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from enum import Enum
from typing import Any

from netprobe.model import (
    AuthMethodsFact,
    ConnectionFact,
    Fact,
    ResolvedFact,
)
from netprobe.redaction.names import Names
from netprobe.redaction.streams import Direction, Pseudonym, masked

# What a field holds, by its name; by class and name where that is not the same everywhere.
PLAIN, HOST, TARGET, USER, INTERFACE, MAC, FILE, FINGERPRINT, TEXT, LINES = (
    "plain", "host", "target", "user", "interface", "mac", "file", "fingerprint", "text", "lines",
)  # fmt: skip
FIELDS = {
    "target": TARGET, "address": HOST, "addresses": HOST, "source": HOST, "gateway": HOST, "sender": HOST,
    "name": HOST, "user": USER, "interface": INTERFACE, "link_address": MAC, "path": FILE, "agent_path": FILE,
    "fingerprint": FINGERPRINT, "detail": TEXT, "banner": LINES,
    **dict.fromkeys(
        ("expect", "mode", "outcome", "state", "event", "error", "methods", "signatures", "type", "user_from", "agent",
         "preferred", "accepted", "whose", "knows", "kex", "host_key", "cipher_to_server", "cipher_to_client",
         "mac_to_server", "mac_to_client", "compression_to_server", "compression_to_client"), PLAIN,
    ),
}  # fmt: skip

class Facts:
    """Rewrites facts. `names`: the pseudonyms. Reads twice, as netprobe.redaction.flows does."""

    def __init__(self, names: Names, pseudonym: Pseudonym) -> None:
        self._names = names
        self._pseudonym = pseudonym
        self._heard: dict[tuple[int, str], Direction] = {}
        self._places: dict[tuple[int, str], int] = {}
        self._known: tuple[str, ...] = ()

    def note(self, fact: Fact) -> None:
        """Take a fact of the first reading: only what was said on a connection needs to be read as a whole."""
        if isinstance(fact, ConnectionFact) and fact.data:
            stream = self._heard.setdefault((fact.id, fact.event), Direction(self._pseudonym))
            stream.server = fact.event == "data"
            stream.feed(0, len(fact.data), fact.data)

    def finish(self) -> None:
        """The first reading is over."""
        for stream in self._heard.values():
            stream.finish()

    def fact(self, fact: Fact) -> Fact:
        """The fact that stands for this one."""
        self._known = (fact.name,) if isinstance(fact, ResolvedFact) else (
            (fact.user,) if isinstance(fact, AuthMethodsFact) else ()
        )  # fmt: skip
        found = self._noun(fact)
        assert isinstance(found, Fact)
        if isinstance(fact, ConnectionFact) and fact.data and isinstance(found, ConnectionFact):
            return dataclasses.replace(found, data=self._said(fact))
        return found

    def _said(self, fact: ConnectionFact) -> bytes:
        key = (fact.id, fact.event)
        stream, place = self._heard.get(key), self._places.get(key, 0)
        self._places[key] = place + len(fact.data)
        return bytes(len(fact.data)) if stream is None else stream.kept.read(place, len(fact.data))

    def _noun(self, noun: Any) -> Any:
        changes = {
            field.name: self._value(field.name, getattr(noun, field.name))
            for field in dataclasses.fields(noun)
            if field.name not in ("number", "time_ns", "data")
        }
        return dataclasses.replace(noun, **changes)

    def _value(self, name: str, value: Any) -> Any:
        if dataclasses.is_dataclass(value):
            return self._noun(value)
        if isinstance(value, tuple):
            return tuple(self._value(name, one) for one in value)
        if not isinstance(value, str) or isinstance(value, Enum):
            return value
        return self._replacing(FIELDS.get(name, ""))(value)

    def _replacing(self, what: str) -> Callable[[str], str]:
        names = self._names
        return {
            PLAIN: lambda text: text,
            HOST: names.host,
            TARGET: names.target,
            USER: names.user,
            INTERFACE: names.interface,
            MAC: names.mac,
            FILE: names.file,
            FINGERPRINT: names.fingerprint,
            TEXT: lambda text: names.scrubbed(text, *self._known),
            LINES: lambda text: masked(text.encode("utf-8", "replace")).decode("latin-1"),
        }.get(what, lambda text: names.pseudonym("text", text) if text else text)

