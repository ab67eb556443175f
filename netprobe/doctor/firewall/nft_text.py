"""Rules of nftables in nft's own language, from their JSON: as the user wrote them, or would."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netprobe.doctor.firewall.model import UNREADABLE

OPERATORS = ("&", "|", "^", "<<", ">>")
HEX = {"mark"}


def rule(statements: Sequence[Any], comment: str = "") -> str:
    """A whole rule."""
    text = " ".join(statement(one) for one in statements)
    return f'{text} comment "{comment}"' if comment else text


def inner(element: Any) -> Any:
    """What stands in an element beside its timeout and comment."""
    while isinstance(element, dict) and "elem" in element:
        element = element["elem"]["val"]
    return element


def expression(expr: Any) -> str:
    """A left or right side."""
    if isinstance(expr, bool):
        return "exists" if expr else "missing"
    if isinstance(expr, int | str):
        return str(expr)
    if isinstance(expr, list):
        return ",".join(map(expression, expr))
    if not isinstance(expr, dict) or not expr:
        return ""
    name, body = next(iter(expr.items()))
    if name in OPERATORS:
        return f" {name} ".join(expression(one) if not isinstance(one, list) else f"({'|'.join(one)})" for one in body)
    written = WRITTEN.get(name)
    return written(body) if written else f"{name} {simple(body)}"


def simple(body: Any) -> str:
    """Anything else: its words in order."""
    if isinstance(body, dict):
        return " ".join(f"{key} {simple(value)}" for key, value in body.items())
    return " ".join(map(simple, body)) if isinstance(body, list) else "" if body is None else str(body)


def payload(body: dict[str, Any]) -> str:
    """`tcp dport`, or `@th,16,16`."""
    if "protocol" in body:
        return f"{body['protocol']} {body['field']}"
    return f"@{body.get('base')},{body.get('offset')},{body.get('len')}"


def quoted(key: str, value: Any) -> str:
    """Names of interfaces stand in quotes."""
    return (
        f'"{value}"'
        if key in {"iifname", "oifname", "iif", "oif"} and isinstance(value, str) and value[:1] != "@"
        else value
    )


def members(body: Any) -> str:
    """`{ 22, 80-90 }`, also of a map."""
    if isinstance(body, str):
        return body
    items = body if isinstance(body, list) else [body]
    return "{ " + ", ".join(member(item) for item in items) + " }"


def member(item: Any) -> str:
    """An element, or key : value of a map."""
    if isinstance(item, list) and len(item) == 2:
        return f"{expression(item[0])} : {value(item[1])}"
    return expression(item)


def value(data: Any) -> str:
    """What a map gives: a verdict or a value."""
    if isinstance(data, dict) and next(iter(data)) in {"accept", "drop", "jump", "goto", "return", "continue", "queue"}:
        return statement(data)
    return expression(data)


def element(body: Any) -> str:
    """An element with its timeout."""
    if isinstance(body, dict) and "val" in body:
        times = "".join(f" {key} {body[key]}s" for key in ("timeout", "expires") if key in body)
        return expression(body["val"]) + times
    return expression(body)


def fib(body: dict[str, Any]) -> str:
    """`fib saddr . iif oif`."""
    return f"fib {' . '.join(body.get('flags', []))} {body.get('result')}"


def conntrack(body: dict[str, Any]) -> str:
    """`ct state`, `ct original ip daddr`."""
    return f"ct {body['dir']} {body['key']}" if "dir" in body else f"ct {body['key']}"


def meta(body: dict[str, Any]) -> str:
    """`iifname`, `meta mark`."""
    key = str(body.get("key"))
    return key if key in {"iifname", "oifname", "iif", "oif"} else f"meta {key}"


def mapped(body: dict[str, Any]) -> str:
    """`tcp dport map { 80 : 8080 }`."""
    data = body["data"]
    return f"{expression(body['key'])} map {members(data['set']) if isinstance(data, dict) else data}"


def tcp_option(body: dict[str, Any]) -> str:
    """`tcp option maxseg size`."""
    return " ".join(["tcp option", str(body.get("name")), *([body["field"]] if "field" in body else [])])


def numgen(body: dict[str, Any]) -> str:
    """`numgen random mod 10`."""
    offset = f" offset {body['offset']}" if body.get("offset") else ""
    return f"numgen {body.get('mode')} mod {body.get('mod')}{offset}"


WRITTEN: dict[str, Any] = {
    "payload": payload,
    "meta": meta,
    "ct": conntrack,
    "fib": fib,
    "concat": lambda body: " . ".join(map(expression, body)),
    "prefix": lambda body: f"{expression(body['addr'])}/{body['len']}",
    "range": lambda body: "-".join(
        f'"{one}"'
        if isinstance(one, str) and one.count(":") in {1, 2} and "::" not in one and one.replace(":", "").isdigit()
        else str(one)
        for one in body
    ),
    "set": members,
    "elem": element,
    "map": mapped,
    "tcp option": tcp_option,
    "numgen": numgen,
}


# --------------------------------------------------------------------------- statements


def statement(one: Any) -> str:
    """One statement."""
    if not isinstance(one, dict) or not one:
        return str(one)
    name, body = next(iter(one.items()))
    written = STATEMENTS.get(name)
    try:
        return written(body) if written else f"{name} {simple(body)}".strip()
    except UNREADABLE:
        return f"{name} {simple(body)}".strip()


def match(body: dict[str, Any]) -> str:
    """`tcp dport != { 22, 80 }`."""
    left, op, right = body["left"], body.get("op", "=="), body["right"]
    if isinstance(left, dict) and "&" in left and op in {"==", "!="} and "flags" in expression(left):
        field, mask = left["&"][0], left["&"][1:]
        mask = mask[0] if len(mask) == 1 and isinstance(mask[0], list) else mask
        names = [name for one in mask for name in (one["|"] if isinstance(one, dict) and "|" in one else [one])]
        mask_text = names[0] if len(names) == 1 else f"({' | '.join(map(str, names))})"
        wanted = right["|"] if isinstance(right, dict) and "|" in right else right
        bits = " | ".join(map(str, wanted)) if isinstance(wanted, list) else expression(wanted)
        return f"{expression(field)} & {mask_text} {op} {bits}"
    key = left["meta"]["key"] if isinstance(left, dict) and "meta" in left else ""
    sign = "" if op in {"==", "in"} and not (isinstance(left, dict) and next(iter(left)) in OPERATORS) else f"{op} "
    if key in {"iifname", "oifname", "iif", "oif"}:
        if isinstance(right, dict) and isinstance(right.get("set"), list):
            right = {"set": [quoted(key, item) for item in right["set"]]}
        else:
            right = quoted(key, right)
    return f"{expression(left)} {sign}{expression(right)}"


def counter(body: Any) -> str:
    """With its numbers: they say whether the rule was ever met."""
    if isinstance(body, str):
        return f'counter name "{body}"'
    return f"counter packets {body['packets']} bytes {body['bytes']}" if body else "counter"


def log(body: Any) -> str:
    """`log prefix "x " level info`."""
    body = body or {}
    words = ["log"]
    for key in ("prefix", "group", "queue-threshold", "snaplen", "level"):
        if key in body:
            words += [key, f'"{body[key]}"' if key == "prefix" else str(body[key])]
    flags = body.get("flags", [])
    return " ".join([*words, *(["flags", ",".join([flags] if isinstance(flags, str) else flags)] if flags else [])])


def limit(body: Any) -> str:
    """`limit rate over 3/minute burst 5 packets`."""
    if isinstance(body, str):
        return f'limit name "{body}"'
    unit = body.get("rate_unit", "packets")
    over = "over " if body.get("inv") else ""
    rate = f"{body['rate']}" + ("" if unit == "packets" else f" {unit}")
    burst = f" burst {body['burst']} {body.get('burst_unit', 'packets')}" if body.get("burst") else ""
    return f"limit rate {over}{rate}/{body['per']}{burst}"


def quota(body: Any) -> str:
    """`quota over 10 mbytes`."""
    if isinstance(body, str):
        return f'quota name "{body}"'
    used = f" used {body['used']} {body.get('used_unit', 'bytes')}" if body.get("used") else ""
    return f"quota {'over ' if body.get('inv') else ''}{body['val']} {body.get('val_unit', 'bytes')}{used}"


def reject(body: Any) -> str:
    """`reject with icmp type host-prohibited`."""
    if not body:
        return "reject"
    if body["type"] == "tcp reset":
        return "reject with tcp reset"
    return f"reject with {body['type']} type {body['expr']}" if "expr" in body else f"reject with {body['type']}"


def to(name: str) -> Any:
    """dnat, snat, redirect, masquerade: where to."""

    def write(body: Any) -> str:
        if not body:
            return name
        family = f" {body['family']}" if "family" in body else ""
        address = expression(body["addr"]) if "addr" in body else ""
        if ":" in address and "port" in body and " " not in address:
            address = f"[{address}]"
        port = f":{expression(body['port'])}" if "port" in body else ""
        flags = body.get("flags", [])
        extra = " " + ",".join([flags] if isinstance(flags, str) else flags) if flags else ""
        return f"{name}{family} to {address}{port}{extra}"

    return write


def mangle(body: dict[str, Any]) -> str:
    """`meta mark set 0x5`."""
    return f"{expression(body['key'])} set {expression(body['value'])}"


def dynamic(word: str) -> Any:
    """`add @set { ip saddr limit rate over 5/minute }`."""

    def write(body: dict[str, Any]) -> str:
        inside = " ".join(statement(one) for one in body.get("stmt", []))
        what = " ".join(part for part in (expression(body["elem"]), inside) if part)
        data = f" : {expression(body['data'])}" if "data" in body else ""
        return f"{body['op']} {body[word]} {{ {what}{data} }}"

    return write


def target(name: str) -> Any:
    """`jump chain`."""
    return lambda body: f"{name} {body['target'] if isinstance(body, dict) else body}"


def vmap(body: dict[str, Any]) -> str:
    """`tcp dport vmap { 22 : accept }`."""
    data = body["data"]
    return f"{expression(body['key'])} vmap {members(data['set']) if isinstance(data, dict) else data}"


def ct_count(body: dict[str, Any]) -> str:
    """`ct count over 3`."""
    return f"ct count {'over ' if body.get('inv') else ''}{body['val']}"


def xt(body: Any) -> str:
    """An extension of iptables, which nft lists only by its name."""
    return f'xt {body.get("type")} "{body.get("name")}"' if isinstance(body, dict) else f"xt {body}"


def queue(body: Any) -> str:
    """`queue num 3`."""
    return f"queue num {expression(body['num'])}" if body and "num" in body else "queue"


STATEMENTS: dict[str, Any] = {
    "match": match,
    "counter": counter,
    "log": log,
    "limit": limit,
    "quota": quota,
    "reject": reject,
    "mangle": mangle,
    "vmap": vmap,
    "ct count": ct_count,
    "xt": xt,
    "queue": queue,
    "set": dynamic("set"),
    "map": dynamic("map"),
    "jump": target("jump"),
    "goto": target("goto"),
    **{name: to(name) for name in ("dnat", "snat", "redirect", "masquerade")},
}
