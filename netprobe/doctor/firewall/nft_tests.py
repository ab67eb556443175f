"""nft's tests: comparisons and limits, as True, False or a doubt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from netprobe.doctor.firewall import nft_text
from netprobe.doctor.firewall.model import UNREADABLE, Doubt, Env, Packet, Test, Why, flipped
from netprobe.doctor.firewall.nft_lookup import MISS, is_in
from netprobe.doctor.firewall.nft_values import ABSENT, BITMASKS, Field, UnreadError, bounds, constant, field_of
from netprobe.doctor.firewall.values import Names, Numbers, Span, within

HIGHEST = (1 << 128) - 1


def test(body: dict[str, Any], packet: Packet, env: Env) -> Test:
    """A match statement."""
    try:
        left = field_of(body["left"], packet, env)
        if left is ABSENT:
            return False
        found = compared(body.get("op", "=="), left, body["right"], packet, env)
    except UnreadError as unread:
        return Doubt(Why.UNKNOWN, f"nft's `{unread}` is not read here")
    except UNREADABLE:
        return Doubt(Why.UNKNOWN, f"`{nft_text.statement({'match': body})}` is not read here")
    if isinstance(found, Doubt):
        return (
            found if found.why is not Why.QUERY else replace(found, about=f"{found.about} (`{nft_text.match(body)}`)")
        )
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
    in_set = is_in(left, right, env, packet.noted)
    if in_set is not MISS:
        negative = op in {"!=", "!"}
        if isinstance(in_set, Doubt):
            return flipped(in_set, negated=negative)
        return in_set if in_set is None else in_set != negative
    if op == "in" or op == "!" or (op == "==" and kind in BITMASKS and isinstance(right, list) and "ct" in str(kind)):
        return bits(left, constant(kind, right), op)
    if op in {"==", "!="}:
        found = equal(left, right)
        if found is None and left.kind in {"ip", "ip6"} and isinstance(left.value, Span):
            low, high = bounds(left.kind, right)
            if isinstance(low, int) and isinstance(high, int):
                usual = Numbers.of([(low, high)]).usual(left.value)
                return flipped(Doubt(left.why, f"depends on {left.about}", usual), negated=op == "!=")
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
