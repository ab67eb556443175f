"""Who limits ICMP errors, found from their pattern, and which silent addresses may have fallen to that limit.

A router or host that rejects sends about one error a second to one asker, after a burst of a few (Linux: six, then
one a second, net.ipv4.icmp_ratelimit; RFC 1812 4.3.2.8, RFC 4443 2.4). Of a network that is rejected as a whole a sweep
hears a handful of errors, then a trickle, whatever it sends: that is the pattern.

House rules of this file:
1. Pure, and bounded: the last errors of each sender, and a sample of what answered where.
2. This finds suspects, nothing more: what it names becomes a `possible` verdict that names its rivals.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from netprobe.sweep.answers import FROM_TARGET, FROM_US, ICMP

Words = NDArray[np.uint64]
Numbers = NDArray[np.int64]
SECOND = 1_000_000_000

# A sender is known to be limited from so many errors on, and while it sends no more than so many a second.
FEWEST = 3
MOST_A_SECOND = 10.0
REMEMBERED = 4096  # errors of one sender
SENDERS = 1024
SAMPLE = 1 << 16  # addresses that answered in any way
NOBODY = -1
REACH = 3.0


@dataclass(slots=True)
class Group:
    """Errors that share a budget: those of one router, or (`sender` empty) of hosts that reject for themselves."""

    sender: str
    times: list[int] = field(default_factory=list)
    count: int = 0

    def note(self, times: Numbers) -> None:
        """More errors."""
        self.count += len(times)
        self.times = sorted([*self.times, *times.tolist()])[-REMEMBERED:]

    def per_s(self, now_ns: int) -> float | None:
        """Errors a second after the first burst, None while that says nothing."""
        if self.count < FEWEST:
            return None
        first = self.times[0]
        after = sum(time > first + SECOND for time in self.times)
        lasted = (now_ns - first) / SECOND - 1
        if lasted < 1 or self.count > len(self.times):
            return None if lasted < 1 else len(self.times) * SECOND / max(self.times[-1] - first, 1)
        return after / lasted

    def limited(self, now_ns: int) -> bool:
        """Whether the errors come as a limit lets them: a burst, then a trickle."""
        rate = self.per_s(now_ns)
        return rate is not None and rate <= MOST_A_SECOND and self.times[-1] - self.times[0] > SECOND // 2


class Limits:
    """The senders of one sweep. Addresses are told apart by one number each (`place`), near ones by near numbers."""

    def __init__(self) -> None:
        self.groups: list[Group] = []
        self._numbers: dict[tuple[int, int, int], int] = {}
        self._places: Words = np.zeros(0, np.uint64)
        self._owners: Numbers = np.zeros(0, np.int64)

    def group(self, sender: tuple[int, int], kind: int, name: str) -> int:
        """The number of a group; NOBODY where there are too many."""
        key = (*sender, kind)
        found = self._numbers.get(key)
        if found is None:
            if len(self.groups) >= SENDERS:
                return NOBODY
            found = self._numbers[key] = len(self.groups)
            self.groups.append(Group(name))
        return found

    def named(self, number: int, now_ns: int) -> tuple[str, int]:
        """A group's sender, and about how many errors a second it sends, at least one."""
        group = self.groups[number]
        return group.sender, max(1, round(group.per_s(now_ns) or 1))

    def rate(self, number: int) -> float:
        """How many errors a second a group is good for."""
        times = self.groups[number].times
        return min(max(self.groups[number].per_s(times[-1] + SECOND) or 1.0, 0.5), 1.0)

    def note(self, places: Words, owners: Numbers) -> None:
        """What answered at these places: a group's error, or (NOBODY) anything else."""
        places, owners = np.concatenate((self._places, places)), np.concatenate((self._owners, owners))
        order = np.argsort(places, kind="stable")
        if len(order) > SAMPLE:
            order = order[:: -(-len(order) // SAMPLE)]
        self._places, self._owners = places[order], owners[order]

    def suspects(self, places: Words, now_ns: int) -> Numbers:
        """For each silent place the group that may have held its error back, or NOBODY: what answers nearest to it on
        either side belongs to that group, and the group is limited."""
        found = np.full(len(places), NOBODY, dtype=np.int64)
        limited = [n for n, group in enumerate(self.groups) if group.limited(now_ns)]
        if not limited or not len(places):
            return found
        at = np.searchsorted(self._places, places)
        before, after = np.maximum(at - 1, 0), np.minimum(at, len(self._owners) - 1)
        same = (self._owners[before] == self._owners[after]) & np.isin(self._owners[before], limited)
        for group in limited:
            # Beyond its first and last error a group's network goes on about as far as its errors lie apart.
            own = self._places[self._owners == group]
            reach = float(own[-1] - own[0]) / max(len(own) - 1, 1) * REACH if len(own) else 0.0
            edge = (at == 0) | (at == len(self._places))
            nearest = np.where(at == 0, self._places[0], self._places[-1])
            far = np.abs(nearest.astype(np.float64) - places.astype(np.float64)) > reach
            same &= ~(edge & far & (self._owners[before] == group))
        found[same] = self._owners[before][same]
        return found


def place(high: Words, low: Words, version: int) -> Words:
    """One number for an address: near addresses have near ones."""
    if version == 4:
        return low
    return (high & np.uint64(0xFFFFFFFF)) << np.uint64(32) | low >> np.uint64(32)


def is_error(shapes: Words) -> NDArray[np.bool_]:
    """Which answers are ICMP errors of somebody else's machine."""
    return np.asarray((shapes & np.uint64(ICMP) != 0) & (shapes & np.uint64(FROM_US) == 0))


def from_target(shapes: Words) -> NDArray[np.bool_]:
    """Which errors the target itself sent."""
    return np.asarray(shapes & np.uint64(FROM_TARGET) != 0)
