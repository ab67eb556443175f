"""What a sweep may touch: addresses as sorted intervals, times ports, each pair with a number.

House rules of this file:
1. What is excluded has no number, so nothing that is drawn by number can ever be sent to it.
2. Memory follows the number of intervals, never that of addresses.
3. Addresses in bulk are two arrays of 64-bit words, the higher and the lower; IPv4 has only the lower.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network

import numpy as np
from numpy.typing import NDArray

from netprobe.addresses import Network
from netprobe.errors import UsageError
from netprobe.targets import octet_intervals
from netprobe.wire.bulk import number

Words = NDArray[np.uint64]
Interval = tuple[int, int]  # first and last address

# RFC 6890 and the registries that it founded: what is no host of the internet. A target inside one of these is named on
# purpose, one that merely covers it isn't.
SPECIAL: tuple[Network, ...] = tuple(
    ip_network(block)
    for block in (
        *("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24"),
        *("192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24"),
        *("198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"),
        *("::1/128", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32"),
        *("2002::/16", "2620:4f:8000::/48", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10"),
    )
)
# Never touched, named or not: no host has such an address.
NEVER: tuple[Network, ...] = tuple(
    ip_network(block) for block in ("0.0.0.0/8", "224.0.0.0/3", "::/128", "ff00::/8")
)
MOST_PAIRS = 1 << 62


class Space:
    """The pairs of address and port of one IP version, numbered from 0 to `size` - 1. `targets` and `without` are
    intervals of addresses; they may overlap."""

    def __init__(
        self, version: int, targets: Iterable[Interval], without: Iterable[Interval], ports: Sequence[int]
    ) -> None:
        asked = merge(targets)
        self.version = version
        self.ports = tuple(sorted(set(ports)))
        self.intervals = subtract(asked, merge(without))
        lengths = [last - first + 1 for first, last in self.intervals]
        self.addresses = sum(lengths)
        self.left_out = sum(last - first + 1 for first, last in asked) - self.addresses
        self.size = self.addresses * len(self.ports)
        if self.size > MOST_PAIRS:
            raise UsageError(
                f"{self.size:,} pairs of address and port are more than can be counted", "name smaller blocks"
            )
        before = np.cumsum([0, *lengths[:-1]], dtype=np.uint64) if lengths else np.zeros(0, np.uint64)
        self._before: Words = before
        self._high, self._low = words(first for first, _ in self.intervals)
        self._lengths = np.array(lengths, dtype=np.uint64)
        self._keys = self._low if version == 4 else _sortable(self._high, self._low)
        self._ports = np.array(self.ports, dtype=np.uint64)
        self._port_numbers = np.full(65536, -1, dtype=np.int64)
        self._port_numbers[list(self.ports)] = np.arange(len(self.ports))

    def pairs(self, numbers: Words) -> tuple[Words, Words, Words]:
        """Addresses (higher and lower words) and ports of these numbers."""
        count = np.uint64(len(self.ports))
        address, port = np.divmod(numbers, count)
        at = np.searchsorted(self._before, address, side="right") - 1
        offset = address - self._before[at]
        low = self._low[at] + offset
        high = self._high[at] + (low < offset)
        return high, low, self._ports[port]

    def find(self, high: Words, low: Words, ports: Words) -> tuple[Words, NDArray[np.bool_]]:
        """The numbers of these pairs, and which of them are in the space at all."""
        if not len(self._keys):
            return np.zeros(len(low), np.uint64), np.zeros(len(low), np.bool_)
        keys = low if self.version == 4 else _sortable(high, low)
        at = np.maximum(np.searchsorted(self._keys, keys, side="right") - 1, 0)
        offset = low - self._low[at]
        port_number = self._port_numbers[ports]
        beyond = high - self._high[at] - (low < self._low[at])
        inside = (beyond == 0) & (offset < self._lengths[at]) & (port_number >= 0)
        return (self._before[at] + offset) * np.uint64(len(self.ports)) + port_number.astype(np.uint64), inside


def words(numbers: Iterable[int]) -> tuple[Words, Words]:
    """Addresses as higher and lower words."""
    whole = list(numbers)
    high = np.array([one >> 64 for one in whole], dtype=np.uint64)
    return high, np.array([one & 0xFFFFFFFFFFFFFFFF for one in whole], dtype=np.uint64)


def _sortable(high: Words, low: Words) -> NDArray[np.bytes_]:
    """128-bit numbers as byte strings, whose order is that of the numbers."""
    both = np.empty((len(high), 2), dtype=">u8")
    both[:, 0], both[:, 1] = high, low
    return both.view("S16").reshape(-1)


# --------------------------------------------------------------------------- intervals


def merge(intervals: Iterable[Interval]) -> list[Interval]:
    """The same addresses, sorted, each once."""
    found: list[Interval] = []
    for first, last in sorted(intervals):
        if found and first <= found[-1][1] + 1:
            if last > found[-1][1]:
                found[-1] = found[-1][0], last
        else:
            found.append((first, last))
    return found


def subtract(merged: Sequence[Interval], without: Sequence[Interval]) -> list[Interval]:
    """What is left of sorted intervals without those of others."""
    starts = [first for first, _ in merged]
    without = [
        (begin, end)
        for begin, end in without
        if (at := bisect.bisect_right(starts, end)) and merged[at - 1][1] >= begin
    ]
    if not without:
        return list(merged)
    found: list[Interval] = []
    ends = [last for _, last in without]
    for start, last in merged:
        first = start
        for begin, end in without[bisect.bisect_left(ends, start) :]:
            if begin > last:
                break
            if begin > first:
                found.append((first, begin - 1))
            first = max(first, end + 1)
        if first <= last:
            found.append((first, last))
    return found


# --------------------------------------------------------------------------- what was typed


def of_network(network: Network) -> Interval:
    """The addresses of a block, the first and the last included: in a sweep no subnet is known."""
    return int(network.network_address), int(network.broadcast_address)


def read(texts: Iterable[str]) -> dict[int, list[Network | Interval]]:
    """Targets of a sweep by IP version: addresses, blocks, octet ranges. Raises UsageError for anything else."""
    found: dict[int, list[Network | Interval]] = {4: [], 6: []}
    for text in texts:
        bare = text.strip("[]")
        one = number(bare)
        if one is not None:
            found[one[0]].append((one[1], one[1]))
            continue
        try:
            network = ip_network(bare if "%" not in bare else "", strict=False)  # a zone names one link
        except ValueError:
            blocks = octet_intervals(text)
            if blocks is None:
                raise UsageError(
                    f"{text}: a sweep takes addresses, blocks and ranges",
                    "write 192.0.2.0/24, 192.0.2-3.1-254 or 2001:db8::/120; names and host:port go without --sweep",
                ) from None
            found[4] += blocks
            continue
        found[network.version].append(network)
    return found


def special(version: int, targets: Sequence[Network | Interval]) -> list[Interval]:
    """The special-purpose ranges that none of the targets names, and those that are never touched."""
    asked = [of_network(one) if isinstance(one, IPv4Network | IPv6Network) else one for one in targets]
    wide = [(a, b) for a, b in asked if b > a]  # one address is either named or outside
    found = [of_network(block) for block in NEVER if block.version == version]
    for block in SPECIAL:
        if block.version != version:
            continue
        first, last = of_network(block)
        if any(a < first or b > last for a, b in wide if a <= last and b >= first):
            named = merge((a, b) for a, b in asked if first <= a and b <= last)
            found += subtract([(first, last)], named)
    return found
