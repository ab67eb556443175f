"""What of a verdict can be compared with another day's: its traits, added up over the attempts on one port."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from netprobe.report.difference import Side, names

# How many values of one trait are told apart, and of how many attempts times are kept.
_MOST_VALUES = 1000
_MOST_TIMES = 1000
_WINDOW = re.compile(r"(SYN,ACK|RST,ACK|RST) ttl \d+ tos 0x[0-9a-f]{2} win (\d+)(?: \(\d+ times\))?")
_OFFERS = {
    "kex": "key exchange offered", "host_key": "host keys offered", "cipher_to_client": "ciphers offered",
    "mac_to_client": "MACs offered", "compression_to_client": "compression offered",
}  # fmt: skip
# Traits that are lists of names: of these only what came and went is told.
LISTS = frozenset({*_OFFERS.values(), "login methods"})

Json = Mapping[str, Any]


@dataclass(slots=True)
class Traits:
    """What the attempts on one port have shown. `path` is a walk's routers, None for a silent one; `times_ms` round
    trips."""

    target: str
    address: str | None
    port: int
    attempts: int = 0
    values: dict[str, Counter[str]] = field(default_factory=dict)
    path: tuple[str | None, ...] = ()
    times_ms: list[float] = field(default_factory=list)
    vantages: set[str] = field(default_factory=set)
    told: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = field(default_factory=dict)  # because, remedy by cause

    def add(self, v: Json) -> None:
        """Take in one verdict (a JSON object). KeyError, TypeError, ValueError, AttributeError where it is none."""
        self.attempts += 1
        for trait, value in _values(v):
            counter = self.values.setdefault(trait, Counter())
            if value in counter or len(counter) < _MOST_VALUES:
                counter[value] += 1
        path = tuple(hop["address"] for hop in v.get("path") or ())
        if len(path) > len(self.path):
            self.path = path
        rtt = v.get("rtt_ms")
        if rtt is not None and len(self.times_ms) < _MOST_TIMES:
            self.times_ms.append(float(rtt))
        if v.get("vantage") is not None:
            self.vantages.add(str(v["vantage"]))
        self.told.setdefault(v["cause"], (tuple(map(str, v["because"])), tuple(map(str, v["remedy"]))))

    @property
    def side(self) -> Side:
        """The same for a report."""
        causes = dict(self.values["cause"].most_common())
        because, remedy = self.told[next(iter(causes))]
        return Side(self.attempts, causes, because, remedy)


def _values(v: Json) -> Iterator[tuple[str, str]]:
    """The traits of one verdict that are words or numbers."""
    yield "cause", str(v["cause"])
    yield "state", str(v["state"])
    yield "reason", str(v["reason"])
    yield "where", _where(v["origin"])
    answered_by = v.get("reason_address")
    if answered_by is not None and answered_by != v["address"]:
        yield "answered by", str(answered_by)
    elif v.get("reason_ttl") is not None:
        yield "TTL", str(v["reason_ttl"])
    for cited in v["evidence"]:
        found = _WINDOW.fullmatch(cited["what"])
        if found is not None:
            yield f"window of {found[1]}", found[2]
    service = v.get("service")
    if service is not None:
        yield from _service(service)


def _service(service: Json) -> Iterator[tuple[str, str]]:
    for name, trait in (("protocol", "service"), ("identification", "identification")):
        if service.get(name) is not None:
            yield trait, str(service[name])
    kex = service.get("kex") or {}
    key = kex.get("host_key")
    if key is not None:
        yield f"host key {key['type']}", str(key["fingerprint"])
    offered = (kex.get("offers") or {}).get("server") or {}
    for name, trait in _OFFERS.items():
        if offered.get(name):
            yield trait, names([str(one) for one in offered[name]])
    auth = service.get("auth") or {}
    if auth.get("methods") and not auth.get("methods_or"):
        yield "login methods", names([str(one) for one in auth["methods"]])
    if auth.get("outcome") is not None:
        yield "login", str(auth["outcome"])


def _where(origin: Json) -> str:
    """Who refused, in words."""
    told = str(origin["kind"])
    if origin["kind"] != "target" and origin["address"] is not None:
        told += f" {origin['address']}"
    if origin["between"] is not None:
        near, far = origin["between"]
        told += f" between {near or 'an unknown hop'} and {far or 'the next hop'}"
    if origin["hop"] is not None:
        told += f", hop {origin['hop']}"
    return told
