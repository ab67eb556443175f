"""A server's facts as they concern one verdict: its address, its port, the way of its client's SYN."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, replace

from netprobe.doctor import firewall, reading
from netprobe.doctor.checks.filters import machine, ruleset, unseen
from netprobe.doctor.diagnose import diagnose
from netprobe.doctor.facts import Facts, Listener
from netprobe.doctor.finding import Result, Status
from netprobe.doctor.fingerprint import fate
from netprobe.doctor.firewall import Kind, Query, Walk
from netprobe.model import Verdict

FRESH_S = 300
PRIVATE = tuple(
    ipaddress.ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
)


@dataclass(frozen=True, slots=True)
class View:
    """A server as seen from one verdict. `exact`: the address is its own; `fresh`: its facts are of the same time;
    `listened` is None where sockets aren't known, `way` where its firewall isn't."""

    facts: Facts
    address: str
    port: int
    reason: str
    exact: bool
    fresh: bool
    there: tuple[Listener, ...]
    listened: bool | None
    way: Walk | None
    findings: tuple[Result, ...]

    def lets_in(self) -> bool:
        """The firewall surely lets the SYN in, at all times."""
        return self.way is not None and self.way.verdict is Kind.ACCEPT and not self.way.sometimes

    def lets_out(self, what: str) -> bool:
        """And surely lets that answer leave."""
        back = self.way.back.get(what) if self.way is not None else None
        return back is not None and back.verdict is Kind.ACCEPT and not back.sometimes

    def stops(self, *, with_: type | None = None) -> bool:
        """The firewall surely stops the SYN: by a drop, a reset (str) or an ICMP error (tuple)."""
        if self.way is None or self.way.verdict not in {Kind.DROP, Kind.REJECT}:
            return False
        if with_ is None:
            return self.way.verdict is Kind.DROP
        return self.way.verdict is Kind.REJECT and isinstance(self.way.reject, with_)

    def never(self, with_: type) -> bool:
        """No rule on the way answers so, at no time."""
        if self.way is None or self.way.verdict is Kind.UNSURE:
            return False
        return not any(
            one.kind is Kind.REJECT and isinstance(one.reject, with_) for one in (self.way.decided, *self.way.sometimes)
        )

    @property
    def met(self) -> str:
        """What marked SYNs of this IP version certainly met on the server, by its counters; "" where nobody watched."""
        family = 6 if ":" in self.address else 4
        for one in self.facts.watch.heard if self.facts.watch is not None else ():
            if one.family == family and (what := fate.fate(one)).certain:
                return what.word
        return ""

    @property
    def queue(self) -> tuple[int, int] | None:
        """(waiting, limit) of the longest accept queue."""
        lengths = [(one.queue, one.limit) for one in self.there if one.limit is not None]
        return max(lengths) if lengths else None

    @property
    def overfull(self) -> bool:
        """The accept queue is longer than its limit: the kernel drops SYNs."""
        return self.queue is not None and self.queue[0] > self.queue[1]

    @property
    def rule(self) -> str:
        """The deciding rule, for people."""
        if self.way is None:
            return ""
        rule, chain = self.way.decided.rule, self.way.decided.chain
        where = f" of {chain.table.family} {chain.table.name} {chain.name}" if chain else ""
        return f"`{rule.text}`{where}" if rule else f"the policy{where}"


def look(verdict: Verdict, facts: Facts, *, exact: bool) -> View:
    """The server, as it concerns this verdict."""
    assert verdict.address is not None
    address = verdict.address
    family = 6 if ":" in address else 4
    source = facts.asked.source or (verdict.client.address if verdict.client and exact else None)
    if source is not None and (":" in source) != (family == 6):
        source = None
    asked = replace(facts.asked, port=verdict.port, source=source)
    here = replace(facts, asked=asked)
    there: tuple[Listener, ...] = ()
    listened: bool | None = None
    if facts.listeners is not None:
        there = tuple(one for one in reading.at_port(facts, verdict.port) if _takes(one, address, family, exact=exact))
        unsure = [
            one for one in reading.at_port(facts, verdict.port) if one.family == 6 and one.wildcard and family == 4
        ]
        listened = True if there else None if unsure and not all(one.limit is not None for one in unsure) else False
    way: Walk | None = None
    own = address if exact else next(iter(reading.own_addresses(facts, family)), None)
    if not unseen(here) and own is not None:
        way = firewall.walk(ruleset(here), Query(own, verdict.port, source=source), machine(here))
    times = [one.time_ns // 1_000_000_000 for one in verdict.evidence if one.time_ns]
    fresh = bool(times) and abs(times[-1] - facts.taken) <= FRESH_S
    findings = tuple(one for one in diagnose(here).results if one.status is Status.FAULT)
    return View(here, address, verdict.port, verdict.reason, exact, fresh, there, listened, way, findings)


# --------------------------------------------------------------------------- whose facts they are


def owns(facts: Facts, address: str) -> bool:
    bare = address.partition("%")[0]
    texts = [text.partition("/")[0].partition("%")[0] for one in facts.interfaces or () for text in one.addresses]
    return any(ipaddress.ip_address(text) == ipaddress.ip_address(bare) for text in texts)


def behind_translation(facts: Facts, address: str) -> bool:
    """A public address of a machine that has private ones only, as clouds give them."""
    one = ipaddress.ip_address(address.partition("%")[0])
    own = [ipaddress.ip_address(text) for text in reading.own_addresses(facts, one.version)]
    return bool(own) and not _private(one) and all(_private(mine) for mine in own)


def _private(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return any(address.version == network.version and address in network for network in PRIVATE)


def _takes(listener: Listener, address: str, family: int, *, exact: bool) -> bool:
    if not reading.covers(listener, family):
        return False
    return (
        listener.wildcard
        or not exact
        or ipaddress.ip_address(listener.address) == ipaddress.ip_address(address.partition("%")[0])
    )
