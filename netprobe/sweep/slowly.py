"""Asking again as slowly as a limit of ICMP errors answers: --patient.

House rules of this file:
1. Bounded: MOST pairs wait, a few of each limiter are under way.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int64]
MOST = 1 << 20
# Asked of each limiter before the silent ones among them are told.
AT_ONCE = 64
# The usual budget gains one error a second (Linux: net.ipv4.icmp_ratelimit); who sends more answers this, too.
GAP_NS = 1_060_000_000


class Waiting:
    """Places of the order that may have fallen to a limit, by limiter."""

    def __init__(self) -> None:
        self._of: dict[int, list[Places]] = {}
        self.count = 0

    def hold(self, places: Places, groups: Places) -> bool:
        """Keep these, if there is room."""
        if self.count + len(places) > MOST:
            return False
        for group in np.unique(groups).tolist():
            self._of.setdefault(group, []).append(places[groups == group])
        self.count += len(places)
        return True

    def next(self) -> tuple[Places, Places]:
        """Some of each limiter's, ascending, and whose they are."""
        chosen: list[Places] = []
        owners: list[Places] = []
        for group in list(self._of):
            together = np.concatenate(self._of.pop(group))
            chosen.append(together[:AT_ONCE])
            owners.append(np.full(len(chosen[-1]), group, dtype=np.int64))
            if len(together) > AT_ONCE:
                self._of[group] = [together[AT_ONCE:]]
        if not chosen:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        places = np.concatenate(chosen)
        self.count -= len(places)
        order = np.argsort(places)
        return places[order], np.concatenate(owners)[order]


class Turns:
    """When each of a few places may be asked: those of one limiter one after the other."""

    def __init__(self, owners: Places, now_ns: int) -> None:
        self._queues = {group: np.flatnonzero(owners == group).tolist()[::-1] for group in np.unique(owners).tolist()}
        self._due = dict.fromkeys(self._queues, now_ns + GAP_NS)

    def next(self, now_ns: int) -> int | None:
        """A place that may be asked now."""
        for group, queue in self._queues.items():
            if queue and self._due[group] <= now_ns:
                self._due[group] = now_ns + GAP_NS
                return int(queue.pop())
        return None

    @property
    def due_ns(self) -> int | None:
        """When the next one may be asked, None when all were."""
        return min((self._due[group] for group, queue in self._queues.items() if queue), default=None)
