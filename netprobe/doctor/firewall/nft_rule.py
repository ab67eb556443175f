"""A rule of nftables: its statements, one after the other, for one packet.

House rules of this file:
1. A test that can't be decided splits the packet's way; it never raises.
2. Statements that only count, log or note change nothing and are passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from netprobe.doctor.firewall import nft_text, words
from netprobe.doctor.firewall.model import (
    ACCEPT,
    DROP,
    RETURN,
    Doubt,
    Env,
    Kind,
    Packet,
    Rule,
    Test,
    Turn,
    Verdict,
    Why,
)
from netprobe.doctor.firewall.nft_lookup import MISS, chosen, is_in
from netprobe.doctor.firewall.nft_values import ABSENT, BITMASKS, Field, UnreadError, bounds, constant, field_of
from netprobe.doctor.firewall.values import Names, Numbers, Span, anywhere, number_of, within

# Statements without a say in what becomes of the packet.
NEUTRAL = {
    *(
        "counter",
        "log",
        "ct helper",
        "ct timeout",
        "ct expectation",
        "secmark",
        "last",
        "flow",
        "reset",
        "dup",
        "comment",
    ),
    *("nftrace", "audit"),
}
HIGHEST = (1 << 128) - 1


@dataclass(frozen=True, slots=True)
class Way:
    """How far a packet came inside the rule."""

    packet: Packet
    taken: tuple[tuple[Doubt, bool], ...] = ()


@dataclass(slots=True, eq=False)
class NftRule(Rule):
    """A rule as `nft -j` lists it."""

    expr: Sequence[Any] = ()
    comment: str = ""

    @property
    def text(self) -> str:
        """In nft's own language."""
        return nft_text.rule(self.expr, self.comment)

    def turns(self, packet: Packet, env: Env) -> Sequence[Turn] | None:
        """What the rule does with the packet."""
        if len(self.expr) > 1 and self._fails_at_once(packet, env):
            return None
        turns: list[Turn] = []
        way: Way | None = Way(packet)
        for statement in self.expr:
            assert way is not None
            way = self._one(statement, way, env, turns)
            if way is None:
                break
        if way is not None and (way.packet != packet or turns):
            turns.append(Turn(way.packet, None, way.taken))
        return turns or None

    def _fails_at_once(self, packet: Packet, env: Env) -> bool:
        """The usual case of a long list: the first test is clearly not met."""
        first = self.expr[0]
        return isinstance(first, dict) and "match" in first and test(first["match"], packet, env) is False

    def _one(self, statement: Any, way: Way, env: Env, turns: list[Turn]) -> Way | None:
        """One statement: the way on, or None where the rule ends; what ends goes to `turns`."""
        name, body = next(iter(statement.items())) if isinstance(statement, dict) else (str(statement), None)
        if name in NEUTRAL:
            return way
        if name in VERDICTS:
            turns.append(Turn(way.packet, VERDICTS[name](body), way.taken))
            return None
        if name in TESTS:
            return self._tested(TESTS[name](body, way.packet, env), way, turns)
        action = ACTIONS.get(name)
        if action is None:
            return self._tested(Doubt(Why.UNKNOWN, f"nft's `{name}` is not read here"), way, turns)
        on: Way | None = None
        for end, verdict in action(body, way, env):
            if verdict is None:
                if on is not None:
                    turns.append(
                        Turn(on.packet, Verdict(Kind.STOLEN, note="a map that gives several ways on"), on.taken)
                    )
                on = end
            elif verdict is not NO_MATCH:
                turns.append(Turn(end.packet, verdict, end.taken))
            elif end.taken != way.taken:
                turns.append(Turn(end.packet, None, end.taken))
        return on

    def _tested(self, outcome: Test, way: Way, turns: list[Turn]) -> Way | None:
        if outcome is True:
            return way
        if outcome is False:
            # Doubts that ended in no match still need their other side.
            if way.taken:
                turns.append(Turn(way.packet, None, way.taken))
            return None
        assert isinstance(outcome, Doubt)
        turns.append(Turn(way.packet, None, (*way.taken, (outcome, False))))
        return replace(way, taken=(*way.taken, (outcome, True)))


NO_MATCH = Verdict(Kind.RETURN, note="no match")


# --------------------------------------------------------------------------- tests


def test(body: dict[str, Any], packet: Packet, env: Env) -> Test:
    """A match statement."""
    try:
        left = field_of(body["left"], packet, env)
        if left is ABSENT:
            return False
        found = compared(body.get("op", "=="), left, body["right"], packet, env)
    except UnreadError as unread:
        return Doubt(Why.UNKNOWN, f"nft's `{unread}` is not read here")
    except (KeyError, TypeError, ValueError, AssertionError):
        return Doubt(Why.UNKNOWN, f"`{nft_text.statement({'match': body})}` is not read here")
    if isinstance(found, Doubt):
        return found
    if found is None:
        return Doubt(left.why, f"depends on {left.about or nft_text.expression(body['left'])}")
    return found


def compared(op: str, left: Field, right: Any, packet: Packet, env: Env) -> Test | None:
    """left op right; None where the left value isn't known well enough."""
    kind = left.kind
    if isinstance(right, dict) and len(right) == 1 and next(iter(right)) in {"payload", "meta", "ct", "fib"}:
        other = field_of(right, packet, env)
        same = within(left.value, other.value, other.value) if other is not ABSENT else False
        return same if op == "==" or same is None else not same
    in_set = is_in(left, right, env)
    if in_set is not MISS:
        negative = op in {"!=", "!"}
        return in_set if not isinstance(in_set, bool) else in_set != negative
    if op == "in" or op == "!" or (op == "==" and kind in BITMASKS and isinstance(right, list) and "ct" in str(kind)):
        return bits(left, constant(kind, right), op)
    if op in {"==", "!="}:
        found = equal(left, right)
        return found if found is None or op == "==" else not found
    limit = constant(kind, right)
    ranges = {"<": (0, limit - 1), "<=": (0, limit), ">": (limit + 1, HIGHEST), ">=": (limit, HIGHEST)}
    if op not in ranges or not isinstance(left.value, int | Span):
        return None
    return Numbers.of([ranges[op]]).has(left.value) if ranges[op][0] <= ranges[op][1] else False


def equal(left: Field, right: Any) -> bool | None:
    """Is the value the right side, or in its range or prefix?"""
    low, high = bounds(left.kind, right)
    if left.kind == "ifname":
        assert left.value is None or isinstance(left.value, str)
        return Names.of([str(low)], "*").has(left.value)
    if isinstance(left.value, str) or left.value is None:
        return None
    return within(left.value, low, high)


def bits(left: Field, mask: int, op: str) -> bool | None:
    """`tcp flags syn`, `ct state new,related`: is any of the bits set?"""
    if left.kind not in BITMASKS and left.kind != "int":
        return equal(left, mask)
    if not isinstance(left.value, int):
        return None
    return bool(left.value & mask) != (op == "!")


def limited(word: str, usual_when_over: bool = False) -> Callable[[Any, Packet, Env], Test]:
    """Limits: `over` matches when too many came, the plain form as long as they didn't."""

    def read(body: Any, packet: Packet, env: Env) -> Test:
        if isinstance(body, str):  # a limit or quota with a name
            return Doubt(Why.STATE, f"depends on the {word} {body}")
        over = bool(body.get("inv")) if isinstance(body, dict) else False
        return Doubt(Why.STATE, f"depends on the {word} ({nft_text.statement({word: body})})", usual=not over)

    return read


TESTS: dict[str, Callable[[Any, Packet, Env], Test]] = {
    "match": test,
    "limit": limited("limit"),
    "quota": limited("quota"),
    "ct count": limited("ct count"),
}


# --------------------------------------------------------------------------- verdicts


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
    "xt": lambda body: Verdict(Kind.STOLEN, note=f"an iptables extension that nft can't show ({body.get('name')})"),
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
        yield way, VERDICTS["xt"]({"name": name})
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
    except (UnreadError, KeyError, TypeError, ValueError, AssertionError):
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
    except (UnreadError, TypeError, ValueError, AssertionError):
        return None


def mangle(body: dict[str, Any], way: Way, env: Env) -> Ends:
    """`meta mark set`, `ct mark set`, a rewritten header field."""
    key, value, packet = body.get("key", {}), body.get("value"), way.packet
    if key == {"meta": {"key": "mark"}}:
        packet = replace(packet, mark=number_in(value, packet, env))
    elif isinstance(key, dict) and key.get("ct", {}).get("key") == "mark":
        packet = replace(packet, ctmark=number_in(value, packet, env)) if packet.tracked else packet
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
    yield (
        replace(
            way, packet=replace(way.packet, tracked=False, state="untracked") if not way.packet.original else way.packet
        ),
        None,
    )


def added(body: dict[str, Any], way: Way, env: Env) -> Ends:
    """`add @set { ip saddr limit rate over ... }`: the statements inside decide whether the rule goes on."""
    try:
        if field_of(nft_text.inner(body.get("elem", body.get("key"))), way.packet, env) is ABSENT:
            yield way, NO_MATCH
            return
    except (UnreadError, KeyError, TypeError, ValueError, AssertionError):
        pass  # what is noted doesn't matter, only whether there is something to note
    inside = body.get("stmt", [])
    for statement in inside if isinstance(inside, list) else [inside]:
        name, inner = next(iter(statement.items()))
        if name in TESTS:
            outcome = TESTS[name](inner, way.packet, env)
            if isinstance(outcome, Doubt):
                yield replace(way, taken=(*way.taken, (outcome, False))), NO_MATCH
                way = replace(way, taken=(*way.taken, (outcome, True)))
    yield way, None


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
    """The packet with its new destination."""
    new = packet
    unsure = Verdict(Kind.STOLEN, note="a translation to one of several destinations")
    if redirect:
        new = replace(new, dst=own_address(packet, env))
    elif isinstance(address, str):
        new = replace(new, dst=number_of(address))
    elif isinstance(address, dict) and "range" in address and address["range"][0] == address["range"][1]:
        new = replace(new, dst=number_of(address["range"][0]))
    elif address is not None:
        return unsure, packet
    if isinstance(port, int):
        new = replace(new, dport=port)
    elif isinstance(port, dict) and "range" in port:
        low, high = port["range"]
        if not (isinstance(packet.dport, int) and low <= packet.dport <= high):
            return (unsure, packet) if low != high else (ACCEPT, translated_status(packet, replace(new, dport=low)))
    elif port is not None:
        return unsure, packet
    return ACCEPT, translated_status(packet, new)


def translated_status(before: Packet, after: Packet) -> Packet:
    """conntrack's status says dnat where something changed."""
    if (before.dst, before.dport) == (after.dst, after.dport):
        return replace(after, status=after.status | 256)  # set up, nothing changed: DST_NAT_DONE alone
    return replace(after, status=after.status | words.CT_STATUS["dnat"] | 256)


def own_address(packet: Packet, env: Env) -> int | Span:
    """Where a redirect leads: the first address of the interface that the packet came by."""
    mine = [address for name, address, _, _ in env.host.networks(packet.family) if name == packet.iif]
    if not mine:
        return packet.dst if env.host.kind(packet.family, packet.dst) == "local" else anywhere(packet.family)
    return packet.dst if packet.dst in mine and packet.family == 6 else mine[0]


def sourced(body: Any, way: Way, env: Env) -> Ends:
    """snat and masquerade: the source changes, then the chain ends."""
    body, packet = body or {}, way.packet
    if body.get("family") not in {None, "ip" if packet.family == 4 else "ip6"}:
        yield way, None
        return
    address, port = body.get("addr"), body.get("port")
    new = replace(
        packet,
        src=number_of(address) if isinstance(address, str) else anywhere(packet.family),
        sport=port if isinstance(port, int) else Span(1, 65535),
        status=packet.status | words.CT_STATUS["snat"] | 128,
    )
    yield replace(way, packet=new), ACCEPT


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
    "snat": sourced,
    "masquerade": sourced,
}
