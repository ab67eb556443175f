"""nft's expressions: what `tcp dport`, `meta mark` or `ct state` is for a packet, and what stands on the right of it.

House rules of this file:
1. A field of a protocol that the packet hasn't got is ABSENT: the rule doesn't match, also where it is negated (nft
   adds the test for the protocol itself and doesn't list it).
2. What isn't read here raises UnreadError with its name; the caller makes a doubt of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from netprobe.doctor.firewall import words
from netprobe.doctor.firewall.model import Env, Packet, Why
from netprobe.doctor.firewall.values import Names, Numbers, Span, Tuples, Value, masked, number_of, prefix


class UnreadError(ValueError):
    """An expression that isn't read here; its name."""


class Field(NamedTuple):
    """What an expression is for a packet. `kind` says how the right side is to be read."""

    kind: str | tuple[Any, ...]
    value: Value
    why: Why = Why.UNKNOWN
    about: str = ""


ABSENT = Field("absent", None)
NAMES_OF: dict[str, Mapping[str, int]] = {
    "port": words.SERVICES,
    "tcpflags": words.TCP_FLAGS,
    "ctstate": words.CT_STATE,
    "ctstatus": words.CT_STATUS,
    "proto": words.PROTOCOLS,
    "nfproto": words.NFPROTO,
    "ethertype": words.ETHER_TYPE,
    "fib": words.FIB_TYPE,
    "pkttype": words.PACKET_TYPE,
    "direction": words.DIRECTION,
    "dscp": words.DSCP,
    "bool": {"exists": 1, "missing": 0},
}
BITMASKS = {"tcpflags", "ctstate", "ctstatus"}
TOP = {
    "port": 0xFFFF,
    "tcpflags": 0xFF,
    "proto": 0xFF,
    "dscp": 63,
    "ip": (1 << 32) - 1,
    "ip6": (1 << 128) - 1,
    "ether": (1 << 48) - 1,
}


# --------------------------------------------------------------------------- the left side


def field_of(expr: Any, packet: Packet, env: Env) -> Field:
    """The value of a left side."""
    if isinstance(expr, dict) and len(expr) == 1:
        ((name, body),) = expr.items()
        reader = READERS.get(name)
        if reader is not None:
            return reader(body, packet, env)
        raise UnreadError(str(name))
    raise UnreadError(str(expr)[:60])


def payload(body: dict[str, Any], packet: Packet, env: Env) -> Field:
    """A header field, by name or by offset."""
    if "protocol" not in body:
        return raw_payload(body, packet)
    protocol, name = body["protocol"], body["field"]
    if protocol in {"tcp", "th"}:
        return transport(protocol, name, packet)
    if protocol in {"ip", "ip6"}:
        return network(protocol, name, packet)
    if protocol == "ether":
        if name == "type":
            return Field("ethertype", 0x0800 if packet.family == 4 else 0x86DD)
        return Field("ether", Span(0, TOP["ether"]), Why.QUERY, "the client's Ethernet address")
    if protocol in {"icmp", "icmpv6"}:
        if packet.icmp is None or (protocol == "icmp") != (packet.family == 4):
            return ABSENT
        return Field("int", dict(zip(("type", "code"), packet.icmp, strict=True)).get(name))
    if protocol in {"udp", "udplite", "sctp", "dccp", "arp", "vlan", "esp", "ah", "comp", "igmp", "gre"}:
        return ABSENT
    raise UnreadError(f"{protocol} {name}")


def transport(protocol: str, name: str, packet: Packet) -> Field:
    """A field of TCP's header; `th` is that of any transport."""
    if packet.protocol != 6:
        if protocol == "tcp":
            return ABSENT
        return Field("port", Span(0, 65535), Why.UNKNOWN, "the transport header of an ICMP error")
    if name in {"sport", "dport"}:
        return Field("port", packet.sport if name == "sport" else packet.dport, Why.QUERY, "the client's port")
    if name == "flags":
        return Field("tcpflags", packet.flags)
    return Field("int", Span(0, (1 << 32) - 1), Why.UNKNOWN, f"tcp {name} of the SYN")


def network(protocol: str, name: str, packet: Packet) -> Field:
    """A field of the IP header."""
    if (protocol == "ip") != (packet.family == 4):
        return ABSENT
    if name in {"saddr", "daddr"}:
        return Field(protocol, packet.src if name == "saddr" else packet.dst, Why.QUERY, "the client's address")
    if name in {"protocol", "nexthdr"}:
        return Field("proto", packet.protocol)
    if name == "version":
        return Field("int", packet.family)
    if name == "dscp":
        return Field("dscp", Span(0, 63) if packet.dscp is None else packet.dscp, Why.QUERY, "the DSCP of the SYN")
    if name in {"ttl", "hoplimit"}:
        return Field("int", Span(1, 255), Why.QUERY, "the TTL of the SYN")
    return Field("int", Span(0, 65535), Why.QUERY, f"{protocol} {name} of the SYN")


def raw_payload(body: dict[str, Any], packet: Packet) -> Field:
    """`@th,16,16`: by base, offset and length in bits, where it is a field that is known."""
    at = (body.get("base"), body.get("offset"), body.get("len"))
    known: dict[tuple[Any, ...], tuple[str, str]] = {
        ("th", 0, 16): ("tcp", "sport"),
        ("th", 16, 16): ("tcp", "dport"),
    }
    if packet.family == 4:
        known |= {("nh", 96, 32): ("ip", "saddr"), ("nh", 128, 32): ("ip", "daddr"), ("nh", 72, 8): ("ip", "protocol")}
    else:
        known |= {
            ("nh", 64, 128): ("ip6", "saddr"),
            ("nh", 192, 128): ("ip6", "daddr"),
            ("nh", 48, 8): ("ip6", "nexthdr"),
        }
    if at in known and (at[0] != "th" or packet.protocol == 6):
        protocol, name = known[at]
        found = transport(protocol, name, packet) if protocol == "tcp" else network(protocol, name, packet)
        return found._replace(kind="int")
    raise UnreadError(f"@{at[0]},{at[1]},{at[2]}")


def meta(body: dict[str, Any], packet: Packet, env: Env) -> Field:
    """What the kernel keeps beside the packet."""
    key = body["key"]
    if key in {"iifname", "iif"}:
        return Field("ifname", packet.iif, Why.QUERY, "the interface that the SYN arrives on")
    if key in {"oifname", "oif"}:
        return Field("ifname", packet.oif, Why.QUERY, "the interface that the packet leaves by")
    if key == "mark":
        return Field("int", packet.mark, Why.UNKNOWN, "the packet's mark")
    simple: dict[str, tuple[str, int]] = {
        "l4proto": ("proto", packet.protocol),
        "nfproto": ("nfproto", 2 if packet.family == 4 else 10),
        "protocol": ("ethertype", 0x0800 if packet.family == 4 else 0x86DD),
        "pkttype": ("pkttype", 0),
    }
    if key in simple:
        return Field(*simple[key])
    if key in {"hour", "day", "time"}:
        return Field("time", None, Why.STATE, f"the time of day (meta {key})")
    if key == "random":
        return Field("int", None, Why.STATE, "chance (meta random)")
    if key in {"skuid", "skgid"} and env.hook in {"prerouting", "input", "forward", "ingress"}:
        return ABSENT  # nft_meta: no socket belongs to a packet that only arrives; the rule breaks off
    raise UnreadError(f"meta {key}")


def ct(body: dict[str, Any], packet: Packet, env: Env) -> Field:
    """What connection tracking knows."""
    key = body["key"]
    if key == "state":
        return Field("ctstate", words.CT_STATE[packet.state])
    if packet.original is None:
        return ABSENT
    if key == "mark":
        return Field("int", packet.ctmark, Why.UNKNOWN, "the connection's mark")
    if key == "status":
        return Field("ctstatus", packet.status)
    if key == "direction":
        return Field("direction", int(packet.reply))
    if key in {"l3proto", "protocol"}:
        return (
            Field("nfproto", 2 if packet.family == 4 else 10) if key == "l3proto" else Field("proto", packet.protocol)
        )
    family, _, name = key.rpartition(" ")
    if name in {"saddr", "daddr", "proto-src", "proto-dst"} and body.get("dir") == "original" and packet.original:
        if family and (family == "ip") != (packet.family == 4):
            return ABSENT
        kind = "port" if name.startswith("proto") else "ip" if packet.family == 4 else "ip6"
        at = ("saddr", "proto-src", "daddr", "proto-dst").index(name)
        return Field(kind, packet.original[at], Why.QUERY, "the client's address")
    raise UnreadError(f"ct {key}")


def fib(body: dict[str, Any], packet: Packet, env: Env) -> Field:
    """What the routing table says: the type of an address, or whether a route leads there (`fib saddr . iif oif`)."""
    flags = body.get("flags", [])
    by = "daddr" if "daddr" in flags else "saddr"
    address = packet.dst if by == "daddr" else packet.src
    if body.get("result") == "type":
        if by == "saddr" and isinstance(address, Span):
            return Field("fib", Span(0, 10), Why.QUERY, "the client's address")
        if "iif" in flags and by == "daddr":
            own = env.host.interfaces.get(packet.iif or "", ())
            if not any(number_of(one.partition("/")[0].partition("%")[0]) == address for one in own):
                return Field("fib", None, Why.UNKNOWN, "fib daddr . iif type")
        kind = env.host.kind(packet.family, address)
        return Field("fib", None if kind is None else words.FIB_TYPE[kind], Why.QUERY, "the type of an address")
    if body.get("result") in {"oif", "oifname"}:
        way = env.host.interface_for(packet.family, address)
        if way is None:
            return Field("bool", None, Why.QUERY, "the route back to the client")
        there = 1 if "iif" not in flags else None if packet.iif is None else int(way == packet.iif)
        return Field("bool", there, Why.QUERY, "the route back to the client")
    raise UnreadError(f"fib {' . '.join(flags)} {body.get('result')}")


def concat(body: Sequence[Any], packet: Packet, env: Env) -> Field:
    """`ip saddr . tcp dport`."""
    parts = [field_of(one, packet, env) for one in body]
    if any(part is ABSENT for part in parts):
        return ABSENT
    unsure = [part for part in parts if part.value is None or isinstance(part.value, Span)]
    why, about = (unsure[0].why, unsure[0].about) if unsure else (Why.UNKNOWN, "")
    return Field(tuple(part.kind for part in parts), tuple(part.value for part in parts), why, about)


def binary(operator: str) -> Callable[[Any, Packet, Env], Field]:
    """`meta mark & 0xff`, and the like."""

    def read(body: Sequence[Any], packet: Packet, env: Env) -> Field:
        left = field_of(body[0], packet, env)
        for one in body[1:]:
            if left is ABSENT:
                return left
            right = constant(left.kind, one)
            if operator == "&":
                left = left._replace(value=masked(left.value, right))
            elif isinstance(left.value, int):
                result = {"|": left.value | right, "^": left.value ^ right, "<<": left.value << min(right, 64)}
                left = left._replace(value=result.get(operator, left.value >> right))
            else:
                left = left._replace(value=None)
        return left

    return read


def exthdr(body: dict[str, Any], packet: Packet, env: Env) -> Field:
    """IPv6 extension headers: a SYN has none."""
    return Field("bool", 0) if "field" not in body else ABSENT


def tcp_option(body: dict[str, Any], packet: Packet, env: Env) -> Field:
    """A TCP option of the SYN isn't known."""
    if packet.protocol != 6:
        return ABSENT
    kind = "int" if "field" in body else "bool"
    return Field(kind, None, Why.QUERY, f"the TCP option {body.get('name')} of the SYN")


def chance(body: Any, packet: Packet, env: Env) -> Field:
    """numgen: a number by chance or by turns."""
    return Field("int", None, Why.STATE, "chance (numgen)")


READERS: dict[str, Callable[[Any, Packet, Env], Field]] = {
    "payload": payload,
    "meta": meta,
    "ct": ct,
    "fib": fib,
    "concat": concat,
    "exthdr": exthdr,
    "tcp option": tcp_option,
    "numgen": chance,
    **{operator: binary(operator) for operator in ("&", "|", "^", "<<", ">>")},
}


# --------------------------------------------------------------------------- the right side


def constant(kind: str | tuple[Any, ...], item: Any) -> int:
    """A number as the listing writes it: itself, a name of this kind, an address, flags joined by | or in a list."""
    if isinstance(item, bool):
        return int(item)
    if isinstance(item, int):
        return item
    if isinstance(item, str):
        names = NAMES_OF.get(kind) if isinstance(kind, str) else None
        if names is not None and item in names:
            return names[item]
        try:
            if kind in {"ip", "ip6"}:
                return number_of(item)
            if kind == "ether":
                return int(item.replace(":", ""), 16)
            if kind == "int" and ("." in item or ":" in item):
                return number_of(item)
            return int(item, 0)
        except ValueError:
            raise UnreadError(item) from None
    if isinstance(item, list):
        joined = 0
        for one in item:
            joined |= constant(kind, one)
        return joined
    if isinstance(item, dict) and "|" in item:
        return constant(kind, item["|"])
    if isinstance(item, dict) and "&" in item:
        left, right = item["&"]
        return constant(kind, left) & constant(kind, right)
    raise UnreadError(str(item)[:60])


def unwrapped(item: Any) -> Any:
    """An element without its timeout, counter or comment."""
    while isinstance(item, dict) and "elem" in item:
        item = item["elem"]["val"]
    return item


def bounds(kind: str | tuple[Any, ...], item: Any) -> tuple[Value, Value]:
    """The first and last value that an element stands for."""
    item = unwrapped(item)
    if isinstance(kind, tuple):
        parts = item["concat"] if isinstance(item, dict) and "concat" in item else item
        pairs = [bounds(one, part) for one, part in zip(kind, parts, strict=True)]
        return tuple(low for low, _ in pairs), tuple(high for _, high in pairs)
    if kind == "ifname":
        if isinstance(item, str):
            return item, item
        raise UnreadError(str(item)[:60])
    if isinstance(item, dict) and "prefix" in item:
        address, length = item["prefix"]["addr"], item["prefix"]["len"]
        if isinstance(address, str):
            return prefix(address, length)
        raise UnreadError(f"prefix {address}/{length}")
    if isinstance(item, dict) and "range" in item:
        low, high = item["range"]
        return constant(kind, low), constant(kind, high)
    number = constant(kind, item)
    return number, number


def collection(kind: str | tuple[Any, ...], items: Sequence[Any]) -> Numbers | Names | Tuples | None:
    """The elements of a set; None is: everything."""
    if any(unwrapped(item) == "*" for item in items) and kind != "ifname":
        return None
    pairs = [bounds(kind, item) for item in items]
    if kind == "ifname":
        return Names.of((str(low) for low, _ in pairs), "*")
    if isinstance(kind, tuple):
        made = Tuples()
        for low, high in pairs:
            assert isinstance(low, tuple)
            assert isinstance(high, tuple)
            wild = any(isinstance(part, str) and part.endswith("*") for part in low)
            if low == high and not wild:
                made.exact.add(low)
            else:
                made.rows.append(list(zip(low, high, strict=True)))
        return made
    return Numbers.of((low, high) for low, high in pairs if isinstance(low, int) and isinstance(high, int))
