"""What no packet shows: resolver, route, link, neighbour, and whether the SYN of connect() left this machine."""

from __future__ import annotations

from collections.abc import Sequence

from netprobe.attempts import Form, Packet
from netprobe.evidence.record import SECOND, Evidence, said
from netprobe.model import (
    AuthMethodsFact,
    BlockedFact,
    ClientOfferFact,
    ConnectionFact,
    CredentialsFact,
    DropFact,
    Fact,
    LimitFact,
    LinkFact,
    Mode,
    NeighborFact,
    ResolvedFact,
    RouteFact,
)


def take_facts(e: Evidence, facts: Sequence[Fact]) -> None:
    """Keep the facts that are about this target."""
    address = e.target.address
    for fact in facts:
        if isinstance(fact, ResolvedFact) and fact.name == e.target.target and address is None:
            e.resolved = fact
            if fact.outcome != "ok":
                e.features["name"] = fact.outcome
                e.cite("name", fact.number, fact.time_ns, f"resolver: {fact.detail or fact.outcome}")
        elif isinstance(fact, RouteFact) and fact.address == address:
            e.route = fact
            if fact.outcome != "ok":
                e.features["route"] = fact.outcome
                e.cite("route", fact.number, fact.time_ns, f"route to {fact.address}: {fact.outcome}")
        elif isinstance(fact, ConnectionFact):
            if fact.server.address == address:
                e.connections.setdefault(fact.id, []).append(fact)
        elif isinstance(fact, AuthMethodsFact | CredentialsFact):
            _about_login(e, fact)
        elif isinstance(fact, ClientOfferFact):
            if fact.target == e.target.target:
                e.offered = fact
        elif isinstance(fact, DropFact):
            e.dropped += fact.count
        elif isinstance(fact, LinkFact | NeighborFact | LimitFact):
            _on_the_way(e, fact)
        elif isinstance(fact, BlockedFact) and fact.address == address:
            e.cite("blocked", fact.number, fact.time_ns, f"the kernel refused to send a probe: {fact.error}")
    e.features["capture"] = "lossy" if e.dropped else "whole"


def _about_login(e: Evidence, fact: AuthMethodsFact | CredentialsFact) -> None:
    """What the server takes, and what the user has; the latest counts."""
    if isinstance(fact, CredentialsFact):
        if fact.target == e.target.target:
            e.mine = fact
    elif (fact.address, fact.port) == (e.target.address, e.target.port):
        e.asked = fact


def _on_the_way(e: Evidence, fact: LinkFact | NeighborFact | LimitFact) -> None:
    """The state of our interface and of the next hop, as the kernel tells it; the latest counts. Who limits errors."""
    if isinstance(fact, LimitFact):
        if fact.address == e.target.address:
            e.limiter = fact
            e.features["limit"] = "shown"
        return
    if e.route is None:
        return
    if isinstance(fact, LinkFact) and fact.interface == e.route.interface:
        if fact.state == "down":
            e.features["link"] = "down"
            e.cite("link", fact.number, fact.time_ns, f"interface {fact.interface} went down")
        else:
            e.features.pop("link", None)
    elif isinstance(fact, NeighborFact) and fact.address == (
        e.route.gateway or (e.target.address or "").partition("%")[0]
    ):
        if fact.state == "failed":
            e.features["neighbor"] = "silent"
            e.cite("neighbor", fact.number, fact.time_ns, f"neighbour entry of {fact.address}: failed")
        elif fact.state == "reachable":
            e.features.pop("neighbor", None)


# The kernel repeats its SYN after a second (RFC 6298 2.1): when neither of two was captured, it was no accident.
OWN_SYN_NS = 1_300_000_000

ERRORS = {
    "ECONNREFUSED": "refused",
    "ECONNRESET": "reset",
    "ETIMEDOUT": "timed-out",
    "EHOSTUNREACH": "host-unreachable",
    "ENETUNREACH": "network-unreachable",
    "EACCES": "denied",
    "EPERM": "denied",
    "EADDRNOTAVAIL": "no-port",
    "EADDRINUSE": "no-port",
    "EMFILE": "no-descriptor",
    "ENFILE": "no-descriptor",
    "EINVAL": "invalid",
}


def judge_own_syn(e: Evidence) -> None:
    """What the ordinary connect() said, and whether its SYN was on the wire."""
    for events in e.connections.values():
        start = events[0]
        if start.server.port != e.target.port or start.ttl is not None or start.mss is not None:
            continue
        for event in events:
            if event.event == "open":
                e.features["connect"] = "open"
            elif event.event == "failed":
                e.features.setdefault("connect", ERRORS.get(event.error or "", "other"))
                e.cite("connect", event.number, event.time_ns, f"connect() failed: {event.error}")
            elif event.event == "given-up":
                e.features.setdefault("connect", "waiting")
                e.cite("connect", event.number, event.time_ns, "connect() was still waiting when given up")
        _on_the_wire(e, start, events)
        break
    asked = [a for a in e.attempts if a.form is Form.NEIGHBOR and a.outgoing is not False]
    for a in asked:
        if a.reply is not None or e.features.get("own_syn") == "seen":
            continue
        if a.first.count >= 3 and e.now_ns - a.first.time_ns >= 3 * SECOND:
            e.features["neighbor"] = "silent"
        e.cite("neighbor", a.first.frame, a.first.time_ns, f"who has {a.server.address}? asked {a.first.count} times")
    if e.features.get("own_syn") == "seen":
        e.features.pop("neighbor", None)
    elif e.features.get("neighbor") == "silent":
        e.features.pop("own_syn", None)


def _unacknowledged(e: Evidence, synack: Packet) -> None:
    """The capture sees what arrives before this machine's own filters do: its kernel acknowledges a SYN-ACK at once.

    Where connect() says that it did, the ACK is only not seen yet.
    """
    if e.now_ns - synack.time_ns < SECOND:
        e.waits_until(synack.time_ns + SECOND)
    elif "connect" not in e.features:
        e.features["handshake"] = "ignored"
        e.cite("handshake", synack.frame, synack.time_ns, said(synack, synack.letters))


def _on_the_wire(e: Evidence, start: ConnectionFact, events: Sequence[ConnectionFact]) -> None:
    if e.target.mode is Mode.CONNECT or start.client is None:
        return
    own = next((a for a in e.syns if a.client.port == start.client.port and a.form is Form.SYN), None)
    if own is not None:
        e.features["own_syn"] = "seen"
        awaited = e.features.get("connect", "open") == "open"
        if own.synack is not None and awaited and own.client_ack is None and own.rst is None:
            _unacknowledged(e, own.synack)
        return
    ended = any(event.event in ("failed", "given-up") for event in events)
    asking = e.features.get("connect") not in ("refused", "reset") and any(
        a.form is Form.NEIGHBOR and a.reply is None and a.outgoing is not False for a in e.attempts
    )
    # A SYN leaves at once unless the neighbour must be asked first.
    if (ended or e.now_ns - start.time_ns >= OWN_SYN_NS) and not asking and not e.dropped:
        e.features["own_syn"] = "absent"
        e.cite("own_syn", start.number, start.time_ns, f"connect() from port {start.client.port}: no SYN was captured")
    elif not ended and asking:
        e.waits_until(min(e.now_ns + SECOND // 4, start.time_ns + 5 * SECOND))
    elif not ended:
        e.waits_until(start.time_ns + OWN_SYN_NS)
