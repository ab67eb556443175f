"""One sweep over one IP version: sends, listens, repeats, settles.

House rules of this file:
1. No table of targets: what is remembered are the windows under way, and they settle in order.
2. A second thread does nothing but sendmmsg(2), whose time is the kernel's; all else is this one's.
3. Whatever is between a SYN and its verdict is counted: drops of the capture, refusals of the kernel, answers that fit
   nothing.
"""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from netprobe.interrupts import Interrupts
from netprobe.sweep import way as ways
from netprobe.sweep.answers import LATE, Answers, Reader
from netprobe.sweep.pace import Pace
from netprobe.sweep.permutation import Permutation
from netprobe.sweep.settling import Settling
from netprobe.sweep.slowly import Turns, Waiting
from netprobe.sweep.space import Space
from netprobe.sweep.stamping import Numbers
from netprobe.sweep.windows import Window
from netprobe.wire.bulk import Bulk, NextHop
from netprobe.wire.clock import Clock
from netprobe.wire.netlink import Kernel
from netprobe.wire.ring import Ring

Words = NDArray[np.uint64]
Places = NDArray[np.int64]
SECOND = 1_000_000_000
SMALLEST_WINDOW, LARGEST_WINDOW = 512, 1 << 14
# Windows under way at the same time, for memory's sake: a megabyte each at the most.
MOST_WINDOWS = 128
# SYNs stamped at a time, and sent in one go.
AT_ONCE = 4096
_HOP_EVERY_NS = SECOND
_FULL = (errno.EAGAIN, errno.ENOBUFS, errno.EINTR)
_MOST_ROUNDS = 7
# Limiters that are told of one by one.
_TOLD = 8


@dataclass(slots=True)
class Counts:
    """How far a sweep is."""

    total: int = 0
    sent: int = 0
    asked: int = 0  # positions that were sent at least once
    settled: int = 0
    answered: int = 0
    blocked: dict[int, int] = field(default_factory=dict)
    lost: int = 0  # answers that came when their window had settled


@dataclass(slots=True)
class Plan:
    """What is swept in which order. Positions of the order are start, start + step, ... below the space's size."""

    space: Space
    key: bytes
    rounds: int = 2
    shard: int = 0
    shards: int = 1
    start: int = 0  # places of this shard that are done
    patient: bool = False
    tells_unsettled: bool = True  # when interrupted; not where the rest is asked again later


class Sweep:
    """`settled` is told after each window how many places of the shard are done."""

    def __init__(
        self,
        plan: Plan,
        way: ways.Way,
        bulk: Bulk,
        ring: Ring,
        pace: Pace,
        kernel: Kernel,
        settling: Settling,
        clock: Clock,
        interrupts: Interrupts,
        numbers: Numbers,
        settled: Callable[[int], None] = lambda _: None,
        notice: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._plan, self._way, self._bulk, self._ring, self._pace = plan, way, bulk, ring, pace
        self._kernel, self._settling, self._clock, self._interrupts = kernel, settling, clock, interrupts
        self._on_settled, self._notice = settled, notice
        self._order = Permutation(plan.space.size, plan.key)
        self._stamp = settling.stamp
        self._reader = Reader(plan.space, numbers, way.source)
        self._size = -(-(plan.space.size - plan.shard) // plan.shards)  # places of this shard
        self._next = plan.start
        self._windows: deque[Window] = deque()
        self._width = int(min(max(2 * pace.rate, SMALLEST_WINDOW), LARGEST_WINDOW))
        self._stamped: tuple[Window, int, NDArray[np.uint8]] | None = None
        self._thread: ThreadPoolExecutor
        self._under_way: tuple[Window, Places, Future[tuple[int, int]]] | None = None
        self._waiting = Waiting()
        self._known_limits: set[int] = set()
        settling.limited = self._limited
        settling.in_use = self._shapes
        settling.telling.between = self._go_on
        if plan.patient:
            settling.hold = self._waiting.hold
        self._hop_ns = 0
        self._hop: NextHop | None = None
        self.counts = Counts(total=self._size - plan.start)

    @property
    def unsolicited(self) -> int:
        """Packets that looked like answers and fit nothing."""
        return self._reader.unsolicited

    def run(self) -> None:
        """Until all is settled, or interrupted; then what is known is told."""
        with ThreadPoolExecutor(1) as self._thread:
            self._run()
        self._ask_slowly()

    def _run(self) -> None:
        while not self._interrupts.asked:
            now = self._clock.now_ns()
            self._receive(now)
            self._settle(now)
            if not self._windows and self._next >= self._size:
                return
            if not self._sent():
                self._ring.wait(0.0005)
            elif not self._send(self._clock.now_ns()):
                self._rest(now)
        while not self._sent():
            self._ring.wait(0.0005)
        self._receive(self._clock.now_ns())
        for window in self._windows if self._plan.tells_unsettled else ():
            self._give(window, complete=False)
        self._windows.clear()

    # ------------------------------------------------------------------ slowly

    def _ask_slowly(self) -> None:
        """What may have fallen to a limit, as slowly as its sender answers."""
        if self._waiting.count:
            self._notice(f"{self._waiting.count:,} silent pairs are asked again, as slowly as errors are sent")
        while self._waiting.count:
            places, owners = self._waiting.next()
            window = Window(0, len(places), 1, places)
            window.slow = True
            self._windows.append(window)
            turns = Turns(owners, self._clock.now_ns())
            while not self._interrupts.asked:
                now = self._clock.now_ns()
                self._receive(now)
                local = turns.next(now)
                if local is not None:
                    self._ask_one(window, local, now)
                elif turns.due_ns is None and now >= (window.settled_ns() or now):
                    break
                else:
                    due = turns.due_ns or window.settled_ns() or now
                    self._ring.wait(min(max(due - now, 1_000_000), SECOND // 10) / SECOND)
            self._windows.clear()
            self._give(window, complete=True)
            if self._interrupts.asked:
                return

    def _ask_one(self, window: Window, local: int, now: int) -> None:
        places = np.array([local], dtype=np.int64)
        self._look_for_hop(now)
        window.note_sent(places, self._clock.now_ns())
        sent, error = self._bulk.send(self._stamp.packets(*self.pairs(window, places)))
        self.counts.sent += sent
        if error:
            window.note_blocked(local, error)

    # ------------------------------------------------------------------ sending

    def _send(self, now: int) -> bool:
        count = min(self._pace.allowed(now), AT_ONCE)
        if count < 1:
            return False
        window = self._choose(now)
        if window is None:
            return False
        places = window.next(count, now)
        if not len(places):
            return True  # answered meanwhile
        packets = self._packets(window, places)
        self._look_for_hop(now)
        time_ns = self._clock.now_ns()
        window.note_sent(places, time_ns)
        self._count(window, len(places))
        self._under_way = window, places, self._thread.submit(self._bulk.send, packets)
        return True

    def _go_on(self) -> None:
        """While a window is told, the other thread gets its next packets."""
        if self._sent() and not self._interrupts.asked:
            self._send(self._clock.now_ns())

    def _sent(self) -> bool:
        """Look at what the other thread sent; False while it is at it."""
        if self._under_way is None:
            return True
        window, places, task = self._under_way
        if not task.done():
            return False
        self._under_way = None
        sent, error = task.result()
        if error and error not in _FULL:
            window.note_blocked(int(places[sent]), error)
            self.counts.blocked[error] = self.counts.blocked.get(error, 0) + 1
            sent += 1
        if sent < len(places):
            window.note_unsent(places[sent:])
            self._count(window, sent - len(places))
        if error in _FULL:
            self._slow("the interface's queue is full", self._clock.now_ns())
            self._ring.wait(0.001)
        return True

    def _count(self, window: Window, count: int) -> None:
        self._pace.spend(count)
        self.counts.sent += count
        if window.round == 0:
            self.counts.asked += count

    def _choose(self, now: int) -> Window | None:
        """A window with something to send now: repetitions first, for others wait for them to settle."""
        for window in self._windows:
            due = window.due_ns()
            if due is not None and due <= now:
                return window
        if self._next < self._size and len(self._windows) < MOST_WINDOWS:
            size = min(self._width, self._size - self._next)
            self._windows.append(Window(self._next, size, self._plan.rounds))
            self._next += size
            return self._windows[-1]
        return None

    def _packets(self, window: Window, places: Places) -> NDArray[np.uint8]:
        """The SYNs to these places. First SYNs are stamped in advance: a slow sweep would spend its time on that."""
        first, count = int(places[0]), len(places)
        if window.round:
            return self._stamp.packets(*self.pairs(window, places))
        if self._stamped is not None and self._stamped[0] is window:
            _, begin, packets = self._stamped
            if begin <= first and first + count <= begin + len(packets):
                return packets[first - begin : first - begin + count]
        ahead = np.arange(first, min(first + max(count, AT_ONCE // 4), window.size), dtype=np.int64)
        packets = self._stamp.packets(*self.pairs(window, ahead))
        self._stamped = window, first, packets
        return packets[:count]

    def pairs(self, window: Window, places: Places) -> tuple[Words, Words, Words]:
        """Addresses and ports of places of a window."""
        positions = window.of_order(places).astype(np.uint64) * np.uint64(self._plan.shards)
        return self._plan.space.pairs(self._order.at(positions + np.uint64(self._plan.shard)))

    def _look_for_hop(self, now: int) -> None:
        """Through the kernel while it looks for the gateway, and once a second, so that it goes on looking."""
        if self._way.gateway is None:
            return
        if now >= self._hop_ns:
            self._hop_ns = now + _HOP_EVERY_NS
            self._hop = None
            self._bulk.to(None)
            return
        if self._hop is None:
            self._hop = ways.next_hop(self._kernel, self._way)
        self._bulk.to(self._hop)

    def _slow(self, why: str, now: int) -> None:
        if self._pace.slow(why, now):
            self._notice(f"{why}: slower, {self._pace.rate:,.0f} packets a second")

    def _shapes(self) -> set[int]:
        """The shapes of all answers that have not settled."""
        return {int(shape) & ~LATE for window in self._windows for shape in np.unique(window.shapes)}

    def _limited(self, group: int) -> None:
        """Somebody limits errors: said once, and a reason to be slower."""
        if group in self._known_limits:
            return
        self._known_limits.add(group)
        sender, per_s = self._settling.limits.named(group)
        if len(self._known_limits) <= _TOLD:
            advice = "" if self._plan.patient else "; --patient asks again, slowly"
            self._notice(f"{sender} sends no more than about {per_s} ICMP errors a second{advice}")
        self._pace.slow("ICMP errors are limited", self._clock.now_ns())

    def _rest(self, now: int) -> None:
        """Nothing may be sent: listen until something may."""
        times = [window.due_ns() or now for window in self._windows if window.due_ns() is not None]
        times += [done for window in self._windows if (done := window.settled_ns()) is not None]
        if self._next < self._size and len(self._windows) < MOST_WINDOWS:
            times.append(now)
        due = max(min(times, default=now + SECOND // 10), self._pace.due_ns() if times else now)
        self._ring.wait(min(max(due - now, 200_000), SECOND // 10) / SECOND)

    # ------------------------------------------------------------------ hearing

    def _receive(self, now: int) -> None:
        while (block := self._ring.take()) is not None:
            times = self._corrected(block.times)
            found = self._reader.read(block.data, block.lengths)
            if len(found.rows):
                self._note(found, block.data, block.lengths, times)
        lost = self._ring.drops()
        if lost:
            self._slow("the capture dropped packets", now)
            for window in self._windows:
                if window.round + 1 < _MOST_ROUNDS:
                    window.once_more()

    def _corrected(self, times: Places) -> Places:
        """The kernel's times on this sweep's clock."""
        if not len(times):
            return times
        last = int(times[-1])
        return times + (self._clock.from_kernel(last, self._clock.behind_ns()) - last)

    def _note(self, found: Answers, data: NDArray[np.uint8], lengths: Places, times: Places) -> None:
        positions = self._order.position(found.pairs)
        place, rest = np.divmod(positions, np.uint64(self._plan.shards))
        places = np.where(rest == self._plan.shard, place.astype(np.int64), -1)
        self._settling.remember(found, data, lengths, self._plan.space)
        noted = np.zeros(len(places), dtype=np.bool_)
        for window in self._windows:
            inside, at = window.inside(places)
            if not len(inside):
                continue
            noted[inside] = True
            rows = found.rows[inside]
            before = window.answered
            heard = np.maximum(times[rows], window.sent[at])
            _, contradicting = window.note(at, found.shapes[inside], found.high[inside], found.low[inside], heard)
            self.counts.answered += window.answered - before
            for n in contradicting.tolist():
                packet = data[rows[n], : lengths[rows[n]]].tobytes()
                window.second.setdefault(int(at[n]), (packet, int(heard[n])))
        self.counts.lost += int((~noted).sum())

    # ------------------------------------------------------------------ settling

    def _settle(self, now: int) -> None:
        while self._windows:
            done = self._windows[0].settled_ns()
            if done is None or done > now:
                return
            window = self._windows.popleft()
            self._give(window, complete=True)
            self.counts.settled += window.size
            self._on_settled(window.first + window.size)

    def _give(self, window: Window, *, complete: bool) -> None:
        places = np.flatnonzero(window.tries > 0) if not complete else np.arange(window.size)
        self._settling.give(window, places, self.pairs(window, places), self._clock.now_ns(), complete=complete)
