"""Sets and maps of nftables: is a value in one, what does one give for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from netprobe.doctor.firewall.model import Doubt, Env, Why
from netprobe.doctor.firewall.nft_values import Field, UnreadError, bounds, collection, unwrapped
from netprobe.doctor.firewall.values import Numbers, Span, Value, within

MISS: Any = object()  # no entry
Key = tuple[str, str, str]


def declared(name: str, env: Env) -> dict[str, Any]:
    """The set or map `@name` of the table whose rule runs."""
    found = env.ruleset.sets.get((*env.table, name.removeprefix("@")))
    if not isinstance(found, dict):
        raise UnreadError(f"the set {name}, which is not listed")
    return found


def is_in(left: Field, right: Any, env: Env, noted: frozenset[str] = frozenset()) -> bool | Doubt | Any | None:
    """Is the value in the set on the right? MISS where the right side is no set; None where the value isn't known."""
    dynamic = False
    if isinstance(right, str) and right.startswith("@"):
        body = declared(right, env)
        elements, dynamic = body.get("elem", []), "stmt" in body
    elif isinstance(right, dict) and "set" in right:
        elements = right["set"]
        if isinstance(elements, str):
            return is_in(left, elements, env)
    else:
        return MISS
    elements = elements if isinstance(elements, list) else [elements]
    key = (id(elements), str(left.kind))
    if key not in env.ruleset.cache:
        env.ruleset.cache[key] = (elements, collection(left.kind, elements))
    members = env.ruleset.cache[key][1]
    found = (
        True
        if members is None
        else members.has(left.value)
        if left.value is not None or left.kind == "ifname"
        else None
    )
    if found is None and isinstance(members, Numbers) and isinstance(left.value, Span):
        return Doubt(left.why, f"depends on {left.about}", members.usual(left.value))
    if not found and isinstance(right, str) and right.removeprefix("@") in noted:
        return Doubt(Why.STATE, f"depends on what the packet itself was added to ({right})")
    if found and dynamic:
        return Doubt(Why.STATE, f"depends on the limit of the set {right}")
    return found if elements else False


@dataclass(slots=True)
class Map:
    """A map's entries, in the form in which they are looked up."""

    exact: dict[Value, Any] = field(default_factory=dict)
    rows: list[tuple[Value, Value, Any]] = field(default_factory=list)
    default: Any = MISS

    @classmethod
    def of(cls, kind: str | tuple[Any, ...], entries: Sequence[Any]) -> Map:
        """From the listing's [key, data] pairs."""
        made = cls()
        for key, data in entries:
            if unwrapped(key) == "*" and kind != "ifname":
                made.default = unwrapped(data)
                continue
            low, high = bounds(kind, key)
            wild = "*" in str(low)
            if low == high and not wild:
                made.exact[low] = unwrapped(data)
            else:
                made.rows.append((low, high, unwrapped(data)))
        return made

    def options(self, value: Value) -> list[Any]:
        """What it gives for a value: one thing, or all that are possible where the value isn't known well enough."""
        if value is not None and value in self.exact:
            return [self.exact[value]]
        possible: list[Any] = []
        exact = isinstance(value, int | str)
        rows = self.rows if exact else [*((key, key, data) for key, data in self.exact.items()), *self.rows]
        for low, high, data in rows:
            found = within(value, low, high)
            if found:
                return [*possible, data] if possible else [data]
            if found is None:
                possible.append(data)
        return [*possible, self.default]


def chosen(left: Field, data: Any, env: Env) -> list[Any]:
    """What a map gives for the value; MISS stands for no entry."""
    if isinstance(data, str):
        body = declared(data, env)
        entries = body.get("elem", [])
    elif isinstance(data, dict) and "set" in data:
        entries = data["set"]
        if isinstance(entries, str):
            return chosen(left, entries, env)
    else:
        raise UnreadError(str(data)[:60])
    key = (id(entries), f"map {left.kind}")
    if key not in env.ruleset.cache:
        env.ruleset.cache[key] = (entries, Map.of(left.kind, entries))
    found: list[Any] = env.ruleset.cache[key][1].options(left.value)
    return found
