"""The part of a sweep that is under way: a few thousand positions of the order, and what answered each.

A sweep goes through its order in windows of consecutive positions. A window is sent, its silent ones are sent again
after a pause, then it settles and is forgotten: so memory follows the rate, never the range.

House rules of this file:
1. Pure: times are arguments.
2. The first answer counts; one that contradicts it is remembered beside it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from netprobe.sweep.answers import ACK, ICMP, LATE, LATE_NS, SYN

Words = NDArray[np.uint64]
Places = NDArray[np.int64]
SECOND = 1_000_000_000

# A SYN is repeated after more than a second: the usual limit of ICMP errors gives one a second.
REPEAT_NS = 1_100_000_000
# The last router gives up on a dead host after three seconds (RFC 4861 10), and silence is called after more than four
# (netprobe.evidence.answer).
LAST_WAIT_NS = 3_200_000_000
SILENCE_NS = 4_250_000_000
# How long a second answer, which contradicts the first, may take: as long as answers take here, at least and at most.
LINGER_NS = (20_000_000, 300_000_000)


class Window:
    """Places first, first + 1, ... of the order, or (`chosen`, ascending) any; here they are counted from 0."""

    def __init__(self, first: int, size: int, rounds: int, chosen: Places | None = None) -> None:
        self.first = first
        self.size = size
        self.chosen = chosen
        self.slow = False  # asked so slowly that no limit can explain silence
        self.rounds = rounds
        self.round = 0
        self.shapes: Words = np.zeros(size, dtype=np.uint64)  # 0: nothing answered yet
        self.times: Places = np.zeros(size, dtype=np.int64)
        self.sent: Places = np.zeros(size, dtype=np.int64)  # first SYN
        self.tries = np.zeros(size, dtype=np.uint8)
        self.high: Words | None = None
        self.low: Words | None = None
        self.second: dict[int, tuple[bytes, int]] = {}  # a contradicting packet, and when it came
        self.blocked: dict[int, int] = {}  # errno of those that this machine did not send
        self.answered = 0
        self._todo: Places = np.arange(size, dtype=np.int64)
        self._at = 0
        self._ended_ns = 0
        self._last_ns = 0
        self._linger_ns = LINGER_NS[0]

    def of_order(self, places: Places) -> Places:
        """Where these stand in the order."""
        return places + self.first if self.chosen is None else self.chosen[places]

    def inside(self, of_order: Places) -> tuple[Places, Places]:
        """Which of these places of the order are in this window, and where here."""
        if self.chosen is None:
            found = np.flatnonzero((of_order >= self.first) & (of_order < self.first + self.size))
            return found, of_order[found] - self.first
        at = np.minimum(np.searchsorted(self.chosen, of_order), self.size - 1)
        found = np.flatnonzero(self.chosen[at] == of_order)
        return found, at[found]

    # ------------------------------------------------------------------ sending

    def due_ns(self) -> int | None:
        """When there is something to send, None if there isn't and won't be."""
        if self._at < len(self._todo):
            return 0
        if self.round + 1 >= self.rounds or self.open == 0:
            return None
        return self._ended_ns + REPEAT_NS

    @property
    def open(self) -> int:
        """How many have neither answer nor error."""
        return self.size - self.answered - len(self.blocked)

    def next(self, count: int, now_ns: int) -> Places:
        """The next places to send to, at most so many."""
        if self._at >= len(self._todo):
            due = self.due_ns()
            if due is None or due > now_ns:
                return np.zeros(0, dtype=np.int64)
            self.round += 1
            self._todo = self.silent()
            self._at = 0
        found: Places = self._todo[self._at : self._at + count]
        if self.round:
            found = np.asarray(found[self.shapes[found] == 0])
            if not len(found):
                self._at += count
                return found
        return found

    def note_sent(self, places: Places, now_ns: int) -> None:
        """These leave now. They are the first of what `next` gave."""
        if self.slow:
            self.tries[places], self.sent[places] = 0, 0
        self.sent[places] = np.where(self.tries[places] == 0, now_ns, self.sent[places])
        self.tries[places] += 1
        self._at = int(np.searchsorted(self._todo, places[-1])) + 1
        self._ended_ns = now_ns

    def note_unsent(self, places: Places) -> None:
        """These, the last that were noted, did not leave: they are to be sent again."""
        self.tries[places] -= 1
        self._at = int(np.searchsorted(self._todo, places[0]))

    def note_blocked(self, place: int, number: int) -> None:
        """This one was refused by this machine."""
        self.tries[place] -= 1
        self.blocked[place] = number

    def silent(self) -> Places:
        """The places without an answer that could be asked."""
        found = np.setdiff1d(np.flatnonzero(self.shapes == 0), np.array(list(self.blocked), dtype=np.int64))
        return np.asarray(found, dtype=np.int64)

    def once_more(self) -> None:
        """What was lost in the capture is asked again, beyond the usual rounds."""
        self.rounds = self.round + 2

    # ------------------------------------------------------------------ hearing

    def note(self, places: Places, shapes: Words, high: Words, low: Words, times: Places) -> tuple[Places, Places]:
        """Take in answers, the earliest first. Which of them are new, and which contradict what was known."""
        _, firsts = np.unique(places, return_index=True)
        new = firsts[self.shapes[places[firsts]] == 0]
        new.sort()
        at = places[new]
        late = (shapes[new] & np.uint64(ICMP) != 0) & (times[new] - self.sent[at] >= LATE_NS)
        self.shapes[at] = shapes[new] | late.astype(np.uint64) * np.uint64(LATE)
        self.times[at] = times[new]
        self.answered += len(new)
        errors = new[shapes[new] & np.uint64(ICMP) != 0]
        if len(errors):
            if self.high is None or self.low is None:
                self.high, self.low = np.zeros(self.size, np.uint64), np.zeros(self.size, np.uint64)
            self.high[places[errors]], self.low[places[errors]] = high[errors], low[errors]
        if len(new):
            self._last_ns = max(self._last_ns, int(times[new].max()))
            slowest = int((times[new] - self.sent[at]).max())
            self._linger_ns = min(max(self._linger_ns, slowest), LINGER_NS[1])
        syn_ack = (shapes & np.uint64(ICMP) == 0) & (shapes & np.uint64(SYN | ACK) == SYN | ACK)
        known = self.shapes[places]
        reset = (known & np.uint64(ICMP) == 0) & (known & np.uint64(SYN) == 0) & (known != 0)
        return new, np.flatnonzero(syn_ack & reset)

    def settled_ns(self) -> int | None:
        """When nothing more is expected; None while something is to be sent."""
        if self.due_ns() is not None:
            return None
        if self.open == 0:
            return self._last_ns + self._linger_ns
        return self._ended_ns + max(LAST_WAIT_NS, SILENCE_NS - self.round * REPEAT_NS)
