"""The parts of a capture (or of several, as one stream) joined: what one process would have found, attempt by attempt.

Why the result is the same (docs/scale.md has it in full):

1. What becomes of a row follows from the packets between its endpoints, from the clock (the latest time of any frame so
   far), and, for ICMP errors, from rows with the same two ports. So a row of a part is what one process would have had,
   unless rows that could have taken its packets were open when the part began. All such rows are *tainted*: their
   frames, and those that belonged to no row (strays), are followed here once more, in order, in one table that goes on
   from part to part.
2. What one process knows of a server when a row settles is what rows had said of it by then (`parts.answers`), in order
   of frames; and when rows settle follows from how many were opened and when each was over. Both are told by the parts,
   and followed here by the same rules (`schedule`).

House rules of this file:
1. The parts fit: netprobe.jobs.fitting has looked at them.
2. Memory follows the rows that are open where a part ends, and CHUNK of those that are given out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from netprobe.analyze import Analysis
from netprobe.jobs.endpoints import NEVER, between, older, ports, replaced_at
from netprobe.jobs.part import FRAMES, L_BORN, L_END, L_ODD, L_REPLACED, L_WIDTH, LOG, Part
from netprobe.jobs.rows import CHUNK, Frames, Going, Mapped, Rows, Shelf
from netprobe.jobs.schedule import Schedule
from netprobe.options import AnalyzeOptions
from netprobe.report import CaptureStatus
from netprobe.settling import parts
from netprobe.settling.giving import Giving, Outlets
from netprobe.settling.kinds import Settling
from netprobe.tracker import Engine, Tracker, columns, hosts, undecoded
from netprobe.tracker.columns import N_PROTOCOLS, N_WHAT, P_ICMP_ERROR, WHATS

FRAMES_AT_ONCE = 1 << 11  # followed before their octets are forgotten
_NOWHERE = 0xFFFF  # no link type: such a frame only tells the time


class Joining:
    """The parts of one capture, in order: `add` each, then `finish`."""

    def __init__(
        self,
        engine: Engine,
        options: AnalyzeOptions,
        on_verdict: Callable[[Any], None],
        outlets: Outlets,
    ) -> None:
        import numpy as np

        self._engine = engine
        depth = options.depth
        self._settling = Settling(engine, vantage=options.vantage, depth=depth)
        self._tracker: Tracker = self._settling.tracker
        self._sessions = self._settling.sessions
        self._shelf = Shelf()
        self._settling.tracker = self._shelf  # type: ignore[assignment]
        selection = options.selection.also(options.servers)
        self._giving = Giving(self._settling, engine, selection, on_verdict, outlets)
        self._schedule = Schedule(len(self._tracker.table))
        self._hosts: Any = engine.integers(hosts.HOSTS * hosts.H_WIDTH)
        self._scratch: Any = engine.integers(columns.DECODED)
        self._clock = 0
        self._frames = 0
        self._counters: Any = np.zeros(columns.PROTOCOLS, dtype=np.int64)
        self._whats: dict[int, int] = {}
        self._odd = 0
        self._packets = 0
        self._drops: dict[tuple[str, int, int], int] = {}
        self._files = [str(path) for path in options.files]
        self._told: list[Part] = []
        self._interrupted = False

    # ------------------------------------------------------------------ one part

    def add(self, part: Part, *, last: bool) -> None:
        """The next part; `last`: no other one follows."""
        rows = Rows(part, self._engine, self._settling)
        frames = Frames(part)
        clock = _clock(frames, self._clock)
        if frames.count:
            tainted = self._tainted(part, rows, frames, clock)
            self._follow(part.path, rows, frames, clock, tainted)
        else:
            tainted = rows.none()
        self._settle(rows, frames, clock, ~tainted, last=last)
        self._count(part, rows, tainted)
        self._frames += part.frames
        if frames.count:
            self._clock = int(clock[-1])

    def finish(self) -> Analysis:
        """All that is left settles."""
        live = self._live()
        self._give(Going(self._tracker), live, self._clock)
        counters = [0] * columns.COUNTERS
        counters[N_PROTOCOLS : N_PROTOCOLS + columns.PROTOCOLS] = self._counters.tolist()
        for n, (key, count) in enumerate(self._whats.items()):
            counters[N_WHAT + 2 * n], counters[N_WHAT + 2 * n + 1] = key, count
        status = CaptureStatus(
            packets=self._packets,
            dropped=sum(self._drops.values()),
            unsolicited=self._odd + self._tracker.count(columns.N_UNSOLICITED),
            undecoded=undecoded.by_kind(counters),
            vantages=dict(self._giving.vantages.most_common()),
            damage=tuple(line for part in self._in_order() for line in part.damage),
        )
        ordered = [verdict for _, verdict in sorted(self._giving.verdicts, key=lambda pair: pair[0])]
        return Analysis(ordered, status, self._giving.causes, self._interrupted)

    @property
    def notices(self) -> list[str]:
        """What is not as usual with the files, but no damage."""
        return [line for part in self._in_order() for line in part.notices]

    def _in_order(self) -> list[Part]:
        return sorted(self._told, key=lambda part: self._files.index(str(part.path)))

    def _count(self, part: Part, rows: Rows, tainted: Any) -> None:
        import numpy as np

        self._packets += part.counters[columns.N_FRAMES]
        self._counters += np.array(part.counters[N_PROTOCOLS : N_PROTOCOLS + columns.PROTOCOLS])
        for n in range(WHATS):
            key, count = part.counters[N_WHAT + 2 * n], part.counters[N_WHAT + 2 * n + 1]
            if key and (key in self._whats or len(self._whats) < WHATS):
                self._whats[key] = self._whats.get(key, 0) + count
        self._odd += int(rows.log[~tainted, L_ODD].sum())
        self._drops.update({(str(part.path), *key): count for key, count in part.drops.items()})
        self._told.append(part)
        self._interrupted = self._interrupted or part.interrupted

    # ------------------------------------------------------------------ what is followed once more

    def _tainted(self, part: Part, rows: Rows, frames: Frames, clock: Any) -> Any:
        """Which rows of a part one process may have had otherwise."""
        import numpy as np

        if self._clock > int(frames.column("times")[0]):  # time goes backwards where the file was cut
            return np.ones(len(rows.log), dtype=bool)
        live = self._live()
        table = self._tracker.table
        log = table[np.ix_(live, LOG)]
        going = (log[:, L_REPLACED] == 0) & (self._ends(live) >= int(clock[0]))
        log = log[going]
        found = np.isin(between(rows.log), between(log))
        if part.counters[N_PROTOCOLS + P_ICMP_ERROR]:
            found |= np.isin(ports(rows.log), ports(log))
        return found

    def _follow(self, path: Path, rows: Rows, frames: Frames, clock: Any, tainted: Any) -> None:
        """The frames of tainted rows, and strays, through the table that goes on."""
        import numpy as np

        owners = frames.column("owners")
        chosen = np.flatnonzero((owners == parts.STRAY) | np.isin(owners, rows.log[tainted, L_BORN]))
        if not len(chosen):
            return
        starts, sizes, links, times, numbers, ways = (frames.column(name)[chosen] for name in FRAMES[1:])
        starts = starts.astype(np.int64)
        all_columns = [starts, starts + sizes, links, times, numbers + self._frames, ways]
        # Where a frame that isn't followed set the clock, an empty one tells the time.
        seen = np.maximum.accumulate(np.concatenate(([self._tracker.clock_ns], times)))
        late = clock[chosen] > np.maximum(seen[:-1], times)
        if late.any():
            at = np.flatnonzero(late)
            for n, value in enumerate((0, 0, _NOWHERE, clock[chosen[at]], 0, -1)):
                all_columns[n] = np.insert(all_columns[n], at, value)
        columns64 = [np.ascontiguousarray(column, dtype=np.int64) for column in all_columns]
        self._advance(path, columns64)

    def _advance(self, path: Path, frames: Sequence[Any]) -> None:
        import numpy as np

        tracker, count, at = self._tracker, len(frames[0]), 0
        touched = self._engine.integers(count)
        starts, ends, links, times, numbers, ways = frames
        whole = Mapped(path, np.uint8)
        for stop in range(FRAMES_AT_ONCE, count + FRAMES_AT_ONCE, FRAMES_AT_ONCE):
            last = min(stop, count)
            while at < last:
                at = tracker.advance(whole.array, at, last, starts, ends, links, times, numbers, ways, touched)
                if tracker.heard_count:
                    self._sessions.take(whole.array)
                elif at < last:
                    tracker.grow_talks() if tracker.free_talks == 0 else tracker.grow_rows()
            whole.forget()

    # ------------------------------------------------------------------ when rows settle

    def _settle(self, rows: Rows, frames: Frames, clock: Any, own: Any, *, last: bool) -> None:
        """What one process gives out while it reads this part; what is left goes into the table that goes on."""
        import numpy as np

        tracker = self._tracker
        live = self._live()
        mine = np.flatnonzero(own)
        log = np.empty((len(live) + len(mine), L_WIDTH), dtype=np.int64)
        log[: len(live), :L_END] = tracker.table[np.ix_(live, LOG)]
        log[: len(live), L_END] = self._ends(live)
        log[len(live) :] = rows.log[mine]
        log[len(live) :, L_BORN] += self._frames
        replaced = replaced_at(log)
        answers = self._answers(live, rows, own)
        learnt = 0
        settled = np.zeros(len(log), dtype=bool)
        numbers = frames.column("numbers").astype(np.int64) + self._frames
        born = np.sort(log[log[:, L_BORN] > self._frames, L_BORN])
        final = int(numbers[-1]) if last and len(numbers) else NEVER

        def sweep(frame: int) -> int:
            """The rows that settle before the frame after this one."""
            nonlocal learnt
            now = int(clock[np.searchsorted(numbers, frame, side="right") - 1])
            chosen = ~settled & (log[:, L_BORN] <= frame) & ((replaced <= frame) | (log[:, L_END] < now))
            learnt = self._learn(answers, learnt, frame)
            found = np.flatnonzero(chosen)
            settled[found] = True
            self._give_both(rows, live, mine, found, now)
            return len(found)

        self._schedule.run(born, final, sweep)
        self._learn(answers, learnt, NEVER)
        gone = live[settled[: len(live)]].tolist()
        if gone:
            tracker.release(gone)
        self._take_in(rows, mine[~settled[len(live) :]])

    def _answers(self, live: Any, rows: Rows, own: Any) -> tuple[Any, Any, Any]:
        """What rows said of their servers in this part: the answers, their order, their frames in that order."""
        import numpy as np

        room = np.zeros(max(len(live), 1) * parts.MOST_ANSWERS * parts.ANSWER, dtype=np.int64)
        each = np.zeros(max(len(live), 1), dtype=np.int64)
        count = self._engine.functions.answers(self._tracker.table, live, len(live), room, each)
        ours = room[: count * parts.ANSWER].reshape(-1, parts.ANSWER)
        ours = ours[ours[:, parts.A_FRAME] > self._frames]
        theirs = rows.answers(own)
        theirs[:, parts.A_FRAME] += self._frames
        together = np.concatenate((ours, theirs))
        order = np.argsort(together[:, parts.A_FRAME], kind="stable")
        return np.ascontiguousarray(together).reshape(-1), order, together[order, parts.A_FRAME]

    def _learn(self, answers: tuple[Any, Any, Any], first: int, frame: int) -> int:
        import numpy as np

        given, order, at = answers
        last = int(np.searchsorted(at, frame, side="right"))
        if last > first:
            self._engine.functions.learn(given, order, first, last, self._hosts, self._scratch)
        return last

    def _take_in(self, rows: Rows, chosen: Any) -> None:
        """Rows that may go on, or that nobody has asked for yet, into the table that goes on."""
        import numpy as np

        if not len(chosen):
            return
        tracker = self._tracker
        for first in range(0, len(chosen), CHUNK):
            some = chosen[first : first + CHUNK]
            rows.put(some, self._frames, self._shelf)
            places = tracker.take_in(self._shelf.table[: len(some)], self._shelf.talks)
            for n in np.flatnonzero(np.isin(rows.log[some, L_BORN], rows.talking)).tolist():
                self._sessions.go_on(places[n], rows.session(int(rows.log[some[n], L_BORN])))
        live = self._live()
        log = tracker.table[np.ix_(live, LOG)]
        tracker.table[live[older(log)], columns.REPLACED] = 1
        tracker.find_again()

    # ------------------------------------------------------------------ giving out

    def _give_both(self, rows: Rows, live: Any, mine: Any, found: Any, now: int) -> None:
        ours, theirs = found[found < len(live)], found[found >= len(live)] - len(live)
        if len(ours):
            self._give(Going(self._tracker), live[ours], now)
        if len(theirs):
            self._give(rows.source(self._frames), mine[theirs], now)

    def _give(self, source: Any, chosen: Any, now: int) -> None:
        if isinstance(source, Going):
            self._sessions.settle(chosen.tolist())
        self._shelf.clock_ns = now
        for first in range(0, len(chosen), CHUNK):
            some = chosen[first : first + CHUNK]
            source.put(some, self._shelf)
            self._engine.functions.recall(self._shelf.table, len(some), self._hosts)
            self._giving.give(range(len(some)))

    def _live(self) -> Any:
        """The rows of the table that goes on, by number, in order of their first packets."""
        import numpy as np

        table = self._tracker.table
        found = np.flatnonzero(table[:, columns.KIND])
        return found[np.argsort(table[found, columns.BORN], kind="stable")]

    def _ends(self, chosen: Any) -> Any:
        import numpy as np

        found = np.zeros(len(chosen), dtype=np.int64)
        self._engine.functions.ends(self._tracker.table, chosen, len(chosen), found)
        return found


def _clock(frames: Frames, before: int) -> Any:
    """The latest time of any frame up to each of a part."""
    import numpy as np

    return np.maximum(np.maximum.accumulate(frames.column("times")), before)
