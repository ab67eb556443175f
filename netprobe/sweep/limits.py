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
from math import comb

import numpy as np
from numpy.typing import NDArray

from netprobe.sweep.answers import FROM_TARGET, FROM_US, ICMP

Words = NDArray[np.uint64]
Numbers = NDArray[np.int64]
SECOND = 1_000_000_000

# So many errors must be seen of a sender, so many times as many of their neighbours be silent, and so improbable be it
# that the answered ones were the first by chance.
FEWEST = 3
SILENT_FOR_EACH = 2
CHANCE = 0.001
BURST = 5  # errors whose moment is compared with that of the silent ones; Linux lets six pass
# Or the errors come in step: gaps of the last ones, the shortest against the median, and the shortest median.
STEPS = 8
EVEN = 0.7
SHORTEST_STEP = 0.1
REMEMBERED = 4096  # errors of one sender
SENDERS = 1024
SAMPLE = 1 << 16  # addresses that answered in any way
NOBODY = -1
# So many times as far as a group's errors lie apart, its network may go on beyond the last of them.
REACH = 4.0


@dataclass(slots=True)
class Group:
    """Errors that share a budget: those of one router, or (`sender` empty) of hosts that reject for themselves."""

    sender: str
    times: list[int] = field(default_factory=list)
    limited: bool = False

    def note(self, times: Numbers) -> None:
        """More errors."""
        self.times = sorted([*self.times, *times.tolist()])[-REMEMBERED:]

    def judge(self, told: Numbers, silent: Numbers) -> None:
        """Which SYNs of a window, counted as they were sent, drew this group's errors, and which to their neighbours
        drew nothing: a limit answers the first, and then hardly any."""
        if self.limited or len(told) < FEWEST or len(silent) < SILENT_FOR_EACH * len(told):
            return
        rank = min(len(told), BURST)
        before = float(np.mean(silent < np.sort(told)[rank - 1]))
        by_chance = sum(
            comb(len(told), i) * before**i * (1 - before) ** (len(told) - i) for i in range(rank, len(told) + 1)
        )
        self.limited = by_chance < CHANCE

    @property
    def step_s(self) -> float | None:
        """The seconds between errors, where they come in step."""
        gaps = np.diff(np.array(self.times[-STEPS - 1 :], dtype=np.float64)) / SECOND
        if len(gaps) < STEPS:
            return None
        median = float(np.median(gaps))
        return median if median >= SHORTEST_STEP and float(gaps.min()) >= EVEN * median else None


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

    def named(self, number: int) -> tuple[str, int]:
        """A group's sender, and about how many errors a second it sends, at least one."""
        group = self.groups[number]
        return group.sender, max(1, round(1 / (group.step_s or 1.0)))

    def note(self, places: Words, owners: Numbers) -> None:
        """What answered at these places: a group's error, or (NOBODY) anything else."""
        places, owners = np.concatenate((self._places, places)), np.concatenate((self._owners, owners))
        order = np.argsort(places, kind="stable")
        if len(order) > SAMPLE:
            order = order[:: -(-len(order) // SAMPLE)]
        self._places, self._owners = places[order], owners[order]

    def suspects(self, places: Words) -> Numbers:
        """For each silent place the group that may have held its error back, or NOBODY: what answers next to it
        on both sides is that group's, or on one side and not far off. Whether the group is limited, `judge` tells."""
        found = np.full(len(places), NOBODY, dtype=np.int64)
        limited = [n for n, group in enumerate(self.groups) if len(group.times) >= FEWEST]
        if not limited or not len(places):
            return found
        reach = np.zeros(len(self.groups) + 1)  # the last is nobody's
        for group in limited:
            own = self._places[self._owners == group]
            reach[group] = REACH * float(own[-1] - own[0]) / max(len(own) - 1, 1) if len(own) else 0.0
        at = np.searchsorted(self._places, places)
        owners = np.concatenate((self._owners, [NOBODY]))
        before, after = owners[at - 1], owners[at]  # beyond either end: nobody's
        near_before = np.abs(self._apart(places, at - 1)) <= reach[before]
        near_after = np.abs(self._apart(places, at)) <= reach[after]
        closer = np.abs(self._apart(places, at - 1)) <= np.abs(self._apart(places, at))
        same = (before == after) & np.isin(before, limited)
        found[near_after] = after[near_after]
        chosen = same | (near_before & (closer | ~near_after))
        found[chosen] = before[chosen]
        return found

    def _apart(self, places: Words, at: Numbers) -> NDArray[np.float64]:
        """How far these are from what answered, at these positions of the sample."""
        inside = np.clip(at, 0, len(self._places) - 1)
        apart = self._places[inside].astype(np.float64) - places.astype(np.float64)
        apart[(at < 0) | (at >= len(self._places))] = np.inf
        return apart


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
