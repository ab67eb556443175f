"""What nft's statements do beside testing: verdicts, rejects, marks, sets, translations.

An action gives the ways that go on from it: with None the rule goes on, with a verdict it ends, with NO_MATCH it
doesn't match.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from netprobe.doctor.firewall import nft_text, words
from netprobe.doctor.firewall.model import ACCEPT, DROP, RETURN, UNREADABLE, Doubt, Env, Kind, Packet, Verdict, Why
from netprobe.doctor.firewall.nft_lookup import MISS, chosen
from netprobe.doctor.firewall.nft_tests import TESTS
from netprobe.doctor.firewall.nft_values import ABSENT, constant, field_of
from netprobe.doctor.firewall.translation import destined, redirected, sourced
from netprobe.doctor.firewall.values import number_of

NO_MATCH = Verdict(Kind.RETURN, note="no match")


@dataclass(frozen=True, slots=True)
class Way:
    """How far a packet came inside the rule."""

    packet: Packet
    taken: tuple[tuple[Doubt, bool], ...] = ()


def chain_of(body: Any) -> str:
    """The target of a jump or goto."""
    return str(body["target"]) if isinstance(body, dict) else str(body)


VERDICTS: dict[str, Callable[[Any], Verdict]] = {
    "accept": lambda _: ACCEPT,
    "drop": lambda _: DROP,
    "return": lambda _: RETURN,
    "jump": lambda body: Verdict(Kind.JUMP, chain_of(body)),
    "goto": lambda body: Verdict(Kind.GOTO, chain_of(body)),
    "queue": lambda _: Verdict(Kind.QUEUE, note="a program in user space decides (queue)"),
    "fwd": lambda _: Verdict(Kind.STOLEN, note="forwarded to another interface (fwd)"),
    "tproxy": lambda _: Verdict(Kind.STOLEN, note="given to a transparent proxy (tproxy)"),
    "synproxy": lambda _: Verdict(Kind.STOLEN, note="answered by a SYN proxy"),
}
Ends = Iterator[tuple[Way, Verdict | None]]


def reject(body: Any, way: Way, env: Env) -> Ends:
    """reject: icmpx names stand for both versions; a reject of the other version's ICMP doesn't match."""
    packet = way.packet
    six = packet.family == 6
    kind = (body or {}).get("type", "icmpx")
    name = (body or {}).get("expr", "port-unreachable")
    if kind == "tcp reset":
        yield way, Verdict(Kind.REJECT, reject="tcp reset") if packet.protocol == 6 else NO_MATCH
    elif (kind == "icmp" and six) or (kind == "icmpv6" and not six):
        yield way, NO_MATCH
    else:
        table = words.ICMPX[packet.family] if kind == "icmpx" else words.ICMP6 if six else words.ICMP4
        sent = (1 if six else 3, name) if isinstance(name, int) else table.get(str(name))
        if sent is None:
            yield way, Verdict(Kind.STOLEN, note=f"reject with {kind} {name}")
        else:
            yield way, Verdict(Kind.REJECT, reject=sent)


def xt(body: Any, way: Way, env: Env) -> Ends:
    """An extension of iptables: what it tests or does stands only in iptables-save."""
    name = body.get("name", "?") if isinstance(body, dict) else str(body)
    kind = body.get("type") if isinstance(body, dict) else None
    if kind == "target" and name in {
        "LOG",
        "NFLOG",
        "TRACE",
        "AUDIT",
        "TCPMSS",
        "CHECKSUM",
        "TEE",
        "DSCP",
        "TOS",
        "TTL",
    }:
        yield way, None
    elif kind == "target":
        yield way, Verdict(Kind.STOLEN, note=f"an iptables extension that nft can't show ({name})")
    else:
        doubt = Doubt(Why.UNKNOWN, f"the iptables match `{name}`, which nft can't show, decides")
        yield replace(way, taken=(*way.taken, (doubt, False))), NO_MATCH
        yield replace(way, taken=(*way.taken, (doubt, True))), None


def vmap(body: dict[str, Any], way: Way, env: Env) -> Ends:
    """A verdict for each value; without an entry the rule goes on."""
    for end, data in alternatives(body, way, env):
        if data is MISS:
            yield end, NO_MATCH
            continue
        name, inner = next(iter(data.items()))
        if name == "continue":
            yield end, None
        elif name in VERDICTS:
            yield end, VERDICTS[name](inner)
        else:
            yield end, Verdict(Kind.STOLEN, note=f"verdict {name}")


def alternatives(body: dict[str, Any], way: Way, env: Env) -> Iterator[tuple[Way, Any]]:
    """What a map gives for the packet: one, or all that are possible, each under its doubt."""
    try:
        key = field_of(body["key"], way.packet, env)
        found = [MISS] if key is ABSENT else chosen(key, body["data"], env)
    except UNREADABLE:
        doubt = Doubt(Why.UNKNOWN, f"`{nft_text.expression({'map': body})}` is not read here")
        yield replace(way, taken=(*way.taken, (doubt, True))), {"unread": None}
        return
    if len(found) == 1:
        yield way, found[0]
        return
    for data in found:
        doubt = Doubt(key.why, f"depends on {key.about or nft_text.expression(body['key'])}")
        yield replace(way, taken=(*way.taken, (doubt, data is not MISS))), data


# --------------------------------------------------------------------------- what rules change


def number_in(value: Any, packet: Packet, env: Env) -> int | None:
    """A number that a rule writes: a constant or an expression; None where it isn't known."""
    try:
        if isinstance(value, dict) and "map" not in value:
            left = field_of(value, packet, env)
            return left.value if isinstance(left.value, int) else None
        return constant("int", value)
    except UNREADABLE:
        return None


def mangle(body: dict[str, Any], way: Way, env: Env) -> Ends:
    """`meta mark set`, `ct mark set`, a rewritten header field."""
    key, value, packet = body.get("key", {}), body.get("value"), way.packet
    if key == {"meta": {"key": "mark"}}:
        packet = replace(packet, mark=number_in(value, packet, env))
    elif isinstance(key, dict) and key.get("ct", {}).get("key") == "mark":
        packet = replace(packet, ctmark=number_in(value, packet, env)) if packet.original else packet
    elif isinstance(key, dict) and "payload" in key:
        name = (key["payload"].get("protocol"), key["payload"].get("field"))
        number = number_in(value, packet, env)
        fields = {"daddr": "dst", "saddr": "src", "dport": "dport", "sport": "sport", "dscp": "dscp"}
        own = {"ip", "tcp", "th"} if packet.family == 4 else {"ip6", "tcp", "th"}
        if name[0] in own and name[1] in fields:
            if isinstance(value, str) and name[1] in {"saddr", "daddr"}:
                number = number_of(value)
            rewritten = fields[str(name[1])]
            packet = replace(packet, changed=rewritten) if number is None else rewrite(packet, rewritten, number)
    yield replace(way, packet=packet), None


def rewrite(packet: Packet, name: str, number: int) -> Packet:
    """The packet with one header field changed."""
    new = {"dst": packet.dst, "src": packet.src, "dport": packet.dport, "sport": packet.sport} | {name: number}
    dscp = number if name == "dscp" else packet.dscp
    return replace(packet, dst=new["dst"], src=new["src"], dport=new["dport"], sport=new["sport"], dscp=dscp)


def notrack(body: Any, way: Way, env: Env) -> Ends:
    """The packet is kept from connection tracking, where it hasn't been there yet."""
    packet = way.packet
    yield way if packet.original else replace(way, packet=replace(packet, tracked=False, state="untracked")), None


def added(body: dict[str, Any], way: Way, env: Env) -> Ends:
    """`add @set { ip saddr limit rate over ... }`: the statements inside decide whether the rule goes on."""
    try:
        if field_of(nft_text.inner(body.get("elem", body.get("key"))), way.packet, env) is ABSENT:
            yield way, NO_MATCH
            return
    except UNREADABLE:
        pass  # what is noted doesn't matter, only whether there is something to note
    inside = body.get("stmt", [])
    for statement in inside if isinstance(inside, list) else [inside]:
        name, inner = next(iter(statement.items()))
        if name in TESTS:
            outcome = TESTS[name](inner, way.packet, env)
            if isinstance(outcome, Doubt):
                yield replace(way, taken=(*way.taken, (outcome, False))), NO_MATCH
                way = replace(way, taken=(*way.taken, (outcome, True)))
    name = str(body.get("set", body.get("map", ""))).removeprefix("@")
    yield replace(way, packet=replace(way.packet, noted=way.packet.noted | {name})), None


# --------------------------------------------------------------------------- address translation


def translated(body: Any, way: Way, env: Env) -> Ends:
    """dnat and redirect: the new destination, then the chain ends."""
    body = body or {}
    packet = way.packet
    if body.get("family") not in {None, "ip" if packet.family == 4 else "ip6"}:
        yield way, None
        return
    for end, address, port in targets(body, way, env):
        if address is MISS:
            yield end, NO_MATCH
            continue
        verdict, new = destination(packet, address, port, env, redirect="addr" not in body)
        yield replace(end, packet=new), verdict


def targets(body: dict[str, Any], way: Way, env: Env) -> Iterator[tuple[Way, Any, Any]]:
    """(way, address, port) that a translation names, through its maps."""
    address, port = body.get("addr"), body.get("port")
    if isinstance(address, dict) and "map" in address:
        for end, data in alternatives(address["map"], way, env):
            parts = data["concat"] if isinstance(data, dict) and "concat" in data else (data, port)
            yield end, parts[0], parts[1]
    elif isinstance(port, dict) and "map" in port:
        for end, data in alternatives(port["map"], way, env):
            yield end, MISS if data is MISS else address, data
    else:
        yield way, address, port


def destination(packet: Packet, address: Any, port: Any, env: Env, *, redirect: bool) -> tuple[Verdict, Packet]:
    """The packet with its new destination; a range of ports keeps a port that lies in it."""
    unclear = Verdict(Kind.STOLEN, note="a translation to one of several destinations")
    if isinstance(address, dict) and "range" in address and address["range"][0] == address["range"][1]:
        address = address["range"][0]
    if isinstance(port, dict) and "range" in port:
        low, high = port["range"]
        kept = isinstance(packet.dport, int) and low <= packet.dport <= high
        port = packet.dport if kept else low if low == high else port
    if not isinstance(port, int | None) or not isinstance(address, str | None):
        return unclear, packet
    if redirect:
        return ACCEPT, redirected(packet, port, env)
    return ACCEPT, destined(packet, None if address is None else number_of(address), port)


def source(body: Any, way: Way, env: Env) -> Ends:
    """snat and masquerade: the source changes, then the chain ends."""
    body, packet = body or {}, way.packet
    if body.get("family") not in {None, "ip" if packet.family == 4 else "ip6"}:
        yield way, None
        return
    address, port = body.get("addr"), body.get("port")
    new = number_of(address) if isinstance(address, str) else None
    yield replace(way, packet=sourced(packet, new, port if isinstance(port, int) else None)), ACCEPT


ACTIONS: dict[str, Callable[[Any, Way, Env], Ends]] = {
    "reject": reject,
    "xt": xt,
    "vmap": vmap,
    "mangle": mangle,
    "notrack": notrack,
    "set": added,
    "map": added,
    "meter": added,
    "dnat": translated,
    "redirect": translated,
    "snat": source,
    "masquerade": source,
}
