"""Values of header fields and the sets they are compared with: whole numbers, intervals, names with wildcards, tuples.

House rules of this file:
1. A value may be known only within bounds (Span). A test is True, False, or None where the bounds don't settle it.
2. Addresses are whole numbers; which family they belong to is the caller's business.
"""

from __future__ import annotations

import ipaddress
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

Interval = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Span:
    """A number that is known only within bounds, both included."""

    low: int
    high: int


Number = int | Span
Value = Number | str | None | tuple["Value", ...]

ANY_PORT = Span(0, 65535)
EPHEMERAL = Span(1024, 65535)
BITS = {4: 32, 6: 128}


def anywhere(family: int) -> Span:
    """Any address of an IP version."""
    return Span(0, (1 << BITS[family]) - 1)


def number_of(address: str) -> int:
    """An address as a number. ValueError where it is none."""
    if ":" not in address:
        parts = address.split(".")
        if len(parts) == 4:
            return int.from_bytes(bytes(map(int, parts)))
    return int(ipaddress.ip_address(address))


def text_of(family: int, number: Number) -> str:
    """An address as text; `anywhere` where it isn't known."""
    if isinstance(number, Span):
        return "anywhere"
    return str(ipaddress.IPv4Address(number) if family == 4 else ipaddress.IPv6Address(number))


def prefix(address: str, length: int) -> Interval:
    """First and last address of a prefix."""
    host = (1 << ((128 if ":" in address else 32) - length)) - 1
    low = number_of(address) & ~host
    return low, low | host


def network(text: str) -> Interval:
    """`192.0.2.0/24`, `192.0.2.0/255.255.255.0`, or one address."""
    address, slash, length = text.partition("/")
    if not slash:
        number = number_of(address)
        return number, number
    if length.isdigit():
        return prefix(address, int(length))
    mask = number_of(length)
    bits = 128 if ":" in length else 32
    ones = mask.bit_count()
    if mask != ((1 << ones) - 1) << (bits - ones):
        raise ValueError(f"not a prefix: {text}")
    return prefix(address, ones)


@dataclass(slots=True)
class Numbers:
    """Numbers, single and in intervals."""

    single: set[int] = field(default_factory=set)
    lows: list[int] = field(default_factory=list)
    highs: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, intervals: Iterable[Interval]) -> Numbers:
        """Overlapping intervals are joined."""
        made = cls()
        wide = []
        for low, high in intervals:
            if low == high:
                made.single.add(low)
            elif low < high:
                wide.append((low, high))
        for low, high in sorted(wide):
            if made.lows and low <= made.highs[-1] + 1:
                made.highs[-1] = max(made.highs[-1], high)
            else:
                made.lows.append(low)
                made.highs.append(high)
        return made

    def has(self, value: Number) -> bool | None:
        """Is the value one of them?"""
        if isinstance(value, int):
            if value in self.single:
                return True
            at = bisect_right(self.lows, value) - 1
            return at >= 0 and value <= self.highs[at]
        at = bisect_right(self.lows, value.low) - 1
        if at >= 0 and value.high <= self.highs[at]:
            return True
        if value.low == value.high:
            return value.low in self.single
        touched = any(value.low <= high and low <= value.high for low, high in zip(self.lows, self.highs, strict=True))
        return None if touched or any(value.low <= one <= value.high for one in self.single) else False

    def usual(self, value: Number) -> bool | None:
        """For an address that may be any: do nearly none (under a sixteenth) or nearly all belong? None: neither.
        Of IPv6 only global unicast counts (2000::/3, RFC 4291)."""
        if not isinstance(value, Span) or value.high < (1 << 32) - 1:
            return None
        low, high = (1 << 125, (1 << 126) - 1) if value.high >> 32 else (value.low, value.high)
        inside = sum(low <= one <= high for one in self.single)
        for first, last in zip(self.lows, self.highs, strict=True):
            inside += max(0, min(high, last) - max(low, first) + 1)
        share = inside / (high - low + 1)
        return False if share < 1 / 16 else True if share > 15 / 16 else None


@dataclass(slots=True)
class Names:
    """Names of interfaces; one that ends in a wildcard stands for all that begin like it."""

    single: set[str] = field(default_factory=set)
    beginnings: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, names: Iterable[str], wildcard: str) -> Names:
        """`wildcard` is nft's `*` or iptables' `+`."""
        made = cls()
        for name in names:
            if name.endswith("\\" + wildcard):
                made.single.add(name[:-2] + wildcard)
            elif name.endswith(wildcard):
                made.beginnings.append(name[:-1])
            else:
                made.single.add(name)
        return made

    def has(self, name: str | None) -> bool | None:
        """Is the name one of them? None is a name that isn't known."""
        if name is None:
            return True if "" in self.beginnings else None
        return name in self.single or any(name.startswith(one) for one in self.beginnings)


def within(value: Value, low: Value, high: Value) -> bool | None:
    """Is one value between two others, both included?"""
    if isinstance(value, tuple) and isinstance(low, tuple) and isinstance(high, tuple):
        return every(within(*three) for three in zip(value, low, high, strict=False))
    if value is None:
        return None
    if isinstance(value, str) or isinstance(low, str):
        if isinstance(low, str) and isinstance(value, str):
            return Names.of([low], "*").has(value) if low == high else low <= value <= str(high)
        return False
    if isinstance(low, int) and isinstance(high, int) and isinstance(value, int | Span):
        return Numbers.of([(low, high)]).has(value) if isinstance(value, Span) else low <= value <= high
    return None


@dataclass(slots=True)
class Tuples:
    """Concatenations: rows of (low, high) for each part."""

    exact: set[tuple[Value, ...]] = field(default_factory=set)
    rows: list[Sequence[tuple[Value, Value]]] = field(default_factory=list)

    def has(self, value: tuple[Value, ...]) -> bool | None:
        """Is the concatenation one of them?"""
        if value in self.exact:
            return True
        doubtful = False
        if any(part is None or isinstance(part, Span) for part in value):
            for exact in self.exact:
                doubtful = doubtful or within(value, exact, exact) is None
        for row in self.rows:
            found = every(within(part, low, high) for part, (low, high) in zip(value, row, strict=False))
            if found:
                return True
            doubtful = doubtful or found is None
        return None if doubtful else False


def every(tests: Iterable[bool | None]) -> bool | None:
    """False where one is, else None where one is, else True."""
    doubtful = False
    for test in tests:
        if test is False:
            return False
        doubtful = doubtful or test is None
    return None if doubtful else True


def masked(value: Value, mask: int) -> Value:
    """The bits of a value under a mask; bounds are kept only where they say something."""
    if isinstance(value, int):
        return value & mask
    return None if mask else 0
