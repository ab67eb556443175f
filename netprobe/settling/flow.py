"""Batches of frames through the tracker, settled rows out of it: when to look for them, and who makes their verdicts.

House rules of this file:
1. When rows settle follows from the packets alone, never from how fast anything is: what a verdict knows of its
   server's other attempts would differ otherwise.
2. Compiled, verdicts are made by a second thread (`threads`) while the first reads on; both work outside of Python's
   lock for the most part.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

from netprobe.settling.sessions import Sessions
from netprobe.tracker import SMALL, Engine, Tracker
from netprobe.wire.batches import Batch

Give = Callable[[Sequence[int]], None]


class Taker(Protocol):
    """Whoever wants to know which rows frames belong to."""

    def take(self, numbers: Sequence[int], first: int, last: int, touched: Sequence[int]) -> None: ...


class Flow:
    """The frames of one capture. `give` gets the numbers of settled rows, in order of their first packets; the rows are
    theirs until it returns."""

    def __init__(
        self,
        tracker: Tracker,
        engine: Engine,
        give: Give,
        marks: Taker | None = None,
        sessions: Sessions | None = None,
        *,
        threads: bool = True,
    ) -> None:
        self.tracker = tracker
        self._marks = marks
        self._sessions = sessions
        self._give = give
        self._pool = ThreadPoolExecutor(1) if engine.compiled and threads else None
        self._away: list[int] = []
        self._made: Future[None] | None = None
        self._touched = engine.integers(0)
        self._engine = engine

    def feed(self, batch: Batch) -> None:
        """Take a batch in."""
        if len(self._touched) < batch.count:
            self._touched = self._engine.integers(batch.count)
        tracker, at = self.tracker, 0
        while at < batch.count:
            first = at
            at = tracker.advance(
                batch.buffer,
                at,
                batch.count,
                batch.starts,
                batch.ends,
                batch.links,
                batch.times,
                batch.numbers,
                batch.outgoings,
                self._touched,
            )
            if self._marks is not None:
                self._marks.take(batch.numbers, first, at, self._touched)
            if self._sessions is not None and tracker.heard_count:
                self._sessions.take(batch.buffer)
            elif at < batch.count:
                self._make_room()

    def finish(self) -> None:
        """All that is left settles."""
        self._fetch()
        settled = self.tracker.settled(everything=True)
        if self._sessions is not None:
            self._sessions.settle(settled)
        self._give(settled)

    def close(self) -> None:
        """End the second thread."""
        if self._pool is not None:
            self._pool.shutdown()

    def _make_room(self) -> None:
        """Rows are getting scarce: fetch what was given away, then look for more that has settled."""
        tracker = self.tracker
        size = len(tracker.table)
        if tracker.free_talks == 0:
            tracker.grow_talks()
            return
        if size < SMALL:
            tracker.grow_rows()
            return
        if self._away:
            self._fetch()
        else:
            self._send(tracker.settled())
        if not self._away and tracker.free_rows <= size // 4:
            tracker.grow_rows()
        # With rows away the last free ones may be used up; else an eighth is kept for the time until they are back.
        tracker.reserve(0 if self._away else len(tracker.table) // 8)

    def _send(self, settled: list[int]) -> None:
        self._away = settled
        if self._sessions is not None:
            self._sessions.settle(settled)
        if self._pool is None:
            self._give(settled)
        else:
            self._made = self._pool.submit(self._give, settled)

    def _fetch(self) -> None:
        """Wait for the verdicts of the rows that are away, and take the rows back."""
        if self._made is not None:
            self._made.result()
            self._made = None
        self.tracker.release(self._away)
        self._away = []
