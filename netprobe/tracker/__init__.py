"""The tracker: frames in, a table of connection attempts out.

    columns   the table's columns, by name
    decode    headers of one frame: link, network, transport, tunnels; octets
    undecoded what is only counted
    rows      a row's life: found, opened, filled, settled, used again
    sides     each side's states, history and looks
    hosts     what each server address showed elsewhere
    loop      the one loop over frames
    classes   which rows share a diagnosis

House rules of this package:
1. The functions that see every packet are written in the subset of Python that Numba compiles; interpreted and compiled
   they give equal tables.
2. A row's number means nothing; rows are ordered by the frame that opened them (BORN).
"""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence
from types import SimpleNamespace
from typing import Any

from netprobe.model import Frame
from netprobe.tracker import classes, columns, hosts, loop, rows, undecoded
from netprobe.tracker.columns import N_CLOCK, N_FREE_ROWS, N_FREE_TALKS, N_RESERVE, N_REUSES, TALK_WIDTH, WIDTH

__all__ = ["INTERPRETED", "Engine", "Tracker"]

Row = Sequence[int]

# Up to so many places for rows, all of a capture's attempts are kept to its end: whatever it shows of a server then
# counts for each of them.
SMALL = 4096
RESERVED_ROWS = 1 << 17  # address space, not memory: 0.5 GB


class Engine:
    """The tracker's functions and the kind of memory that suits them: Python's own, or NumPy's for compiled code."""

    def __init__(self, functions: Any, *, compiled: bool) -> None:
        self.functions = functions
        self.compiled = compiled

    def integers(self, count: int) -> MutableSequence[int]:
        """So many zeros."""
        if not self.compiled:
            return [0] * count
        import numpy as np

        return np.zeros(count, dtype=np.int64)  # type: ignore[return-value]

    def table(self, count: int, old: Any = ()) -> Any:
        """So many rows: those of `old`, and then rows of zeros."""
        if not self.compiled:
            return [*old, *([0] * WIDTH for _ in range(count - len(old)))]
        return self._larger(old, count, (WIDTH,), RESERVED_ROWS, "int64")

    def octets(self, count: int, old: Any = b"") -> Any:
        """So many bytes: those of `old`, and then zeros."""
        if not self.compiled:
            return bytearray(old) + bytes(count - len(old))
        return self._larger(old, count, (), RESERVED_ROWS // 2 * TALK_WIDTH, "uint8")

    @staticmethod
    def _larger(old: Any, count: int, width: tuple[int, ...], reserve: int, kind: str) -> Any:
        """Memory that grows in place: what is reserved beyond `count` costs nothing until it is touched."""
        import numpy as np

        base = getattr(old, "base", None)
        if base is not None and count <= len(base):
            return base[:count]
        more = np.zeros((max(count, reserve), *width), dtype=kind)
        if len(old):
            more[: len(old)] = old
        return more[:count]


INTERPRETED = Engine(
    SimpleNamespace(
        advance=loop.advance,
        sweep=rows.sweep,
        release=rows.release,
        enter=rows.enter,
        classify=classes.classify,
    ),
    compiled=False,
)


class Tracker:
    """A table of attempts fed by batches of frames.

    With `reuses`, rows whose time has passed are handed out by `settled` and their place is used again, so that memory
    follows the attempts that live at the same time; the first bytes of each connection are kept with its row. Without,
    every row stays. With `sessions`, what is said in SSH sessions is handed over in `heard`: whoever reads it calls
    `heard_all`. `depth`: through how many tunnels, one in the other, to look.
    """

    def __init__(
        self,
        *,
        reuses: bool = False,
        sessions: bool = False,
        engine: Engine = INTERPRETED,
        capacity: int = 64,
        depth: int = 0,
    ) -> None:
        self._engine = engine
        self._counters = engine.integers(columns.COUNTERS)
        self._counters[N_REUSES] = int(reuses)
        self._counters[columns.N_DEPTH] = depth
        self._counters[columns.N_SESSIONS] = int(sessions)
        self.heard = engine.integers(columns.HEARD * columns.HEARD_WIDTH if sessions else 0)
        self._decoded = engine.integers(columns.DECODED)
        self._table: Any = ()
        self.hosts = engine.integers((hosts.HOSTS if reuses else hosts.WAYS) * hosts.H_WIDTH)
        self._slots: MutableSequence[int] = engine.integers(0)
        self._key = hash("netprobe") & 0x3FFFFFFF | 0x40000001  # a text has another one in every process
        self._free_rows = engine.integers(0)
        self._settled = engine.integers(0)
        self.talks: Any = b""
        self._free_talks: MutableSequence[int] = engine.integers(0)
        self._counters[N_FREE_TALKS] = 0 if reuses else 1
        self._grow_rows(capacity)

    @property
    def reuses(self) -> bool:
        """Whether rows are settled and used again."""
        return bool(self._counters[N_REUSES])

    @property
    def rows(self) -> Sequence[Row]:
        """The rows so far, in order of their first packet. Only where all rows are kept."""
        return self._table[: self._counters[columns.N_ROWS]]  # type: ignore[no-any-return]

    @property
    def table(self) -> Any:
        """All places for rows, free ones included."""
        return self._table

    @property
    def clock_ns(self) -> int:
        """The latest time of any frame so far."""
        return int(self._counters[N_CLOCK])

    def count(self, counter: int) -> int:
        """One of the N_ counters."""
        return int(self._counters[counter])

    @property
    def undecoded(self) -> dict[str, int]:
        """How many frames were only counted, by kind."""
        return undecoded.by_kind(self._counters)

    def receive(self, frames: Sequence[Frame]) -> list[int]:
        """Take frames in, in the order given. Returns for each the row it belongs to, or -1. Only where all rows are
        kept."""
        if not frames:
            return []
        while self._counters[N_FREE_ROWS] < len(frames):
            self._grow_rows(2 * len(self._table))
        touched = [-1] * len(frames)
        starts: list[int] = []
        ends: list[int] = []
        at = 0
        for frame in frames:
            starts.append(at)
            at += len(frame.data)
            ends.append(at)
        self.advance(
            b"".join(f.data for f in frames),
            0,
            len(frames),
            starts,
            ends,
            [f.link_type for f in frames],
            [f.time_ns for f in frames],
            [f.number for f in frames],
            [-1 if f.outgoing is None else int(f.outgoing) for f in frames],
            touched,
        )
        return touched

    def advance(
        self,
        buffer: Any,
        first: int,
        last: int,
        starts: Sequence[int],
        ends: Sequence[int],
        links: Sequence[int],
        times: Sequence[int],
        numbers: Sequence[int],
        outgoings: Sequence[int],
        touched: MutableSequence[int],
    ) -> int:
        """Take in frames first..last-1 of a batch. Returns the index of the first that was not taken: then rows must be
        settled (`settled`, `release`), or room be made (`grow_rows`, `grow_talks`, `heard_all`)."""
        return int(
            self._engine.functions.advance(
                buffer,
                first,
                last,
                starts,
                ends,
                links,
                times,
                numbers,
                outgoings,
                self._table,
                self._slots,
                self._free_rows,
                self.talks,
                self._free_talks,
                self._counters,
                self.hosts,
                self.heard,
                touched,
                self._decoded,
            )
        )

    def settled(self, *, everything: bool = False) -> list[int]:
        """The numbers of the rows whose time has passed, or of all, in order of their first packet. They stay as they
        are until `release`."""
        count = self._engine.functions.sweep(
            self._table, len(self._table), everything, self.hosts, self._counters, self._settled
        )
        found = self._settled[:count]
        if self._engine.compiled:
            return found[self._table[found, columns.BORN].argsort(kind="stable")].tolist()  # type: ignore[no-any-return]
        return sorted(found, key=lambda i: self._table[i][columns.BORN])

    def release(self, settled: Sequence[int]) -> None:
        """Give the places of settled rows back."""
        for i, row in enumerate(settled):
            self._settled[i] = row
        self._engine.functions.release(
            self._table,
            self._settled,
            len(settled),
            self._slots,
            self._free_rows,
            self._free_talks,
            self._counters,
        )

    def take_in(self, rows: Any, talks: Any) -> list[int]:
        """Rows of another table, and what was said in them, into free places: their numbers. `find_again` makes them
        be found. Compiled only."""
        import numpy as np

        while self._counters[N_FREE_ROWS] < len(rows):
            self.grow_rows()
        talking = np.flatnonzero(rows[:, columns.TALK])
        while self._counters[N_FREE_TALKS] < len(talking):
            self.grow_talks()
        free, free_talks = self._counters[N_FREE_ROWS] - len(rows), self._counters[N_FREE_TALKS] - len(talking)
        places = np.array(self._free_rows[free : free + len(rows)])
        spaces = np.array(self._free_talks[free_talks : free_talks + len(talking)])
        self._table[places] = rows
        self._table[places, columns.AWAY] = 0
        kept, given = self.talks.reshape(-1, TALK_WIDTH), talks.reshape(-1, TALK_WIDTH)
        kept[spaces] = given[rows[talking, columns.TALK] - 1]
        self._table[places[talking], columns.TALK] = spaces + 1
        self._counters[N_FREE_ROWS], self._counters[N_FREE_TALKS] = free, free_talks
        self._counters[columns.N_ROWS] += len(rows)
        return places.tolist()  # type: ignore[no-any-return]

    def find_again(self) -> None:
        """Build the hash table anew from the rows in use."""
        self._engine.functions.enter(self._table, len(self._table), self._slots)

    @property
    def heard_count(self) -> int:
        """How many segments of SSH sessions are in `heard`, H_ columns of each."""
        return int(self._counters[columns.N_HEARD])

    def heard_all(self) -> None:
        """They have been read."""
        self._counters[columns.N_HEARD] = 0

    @property
    def free_rows(self) -> int:
        """How many places for rows are free."""
        return int(self._counters[N_FREE_ROWS])

    def reserve(self, count: int) -> None:
        """Let `advance` stop while so many places for rows are still free."""
        self._counters[N_RESERVE] = count

    @property
    def free_talks(self) -> int:
        """How many places for payload are free."""
        return int(self._counters[N_FREE_TALKS])

    def grow_rows(self) -> None:
        """Room for more rows: twice as many, or half as many again where they are many."""
        size = len(self._table)
        self._grow_rows(2 * size if size < SMALL else size + size // 2)

    def grow_talks(self) -> None:
        """Room for the payload of twice as many connections."""
        self._grow_talks(2 * len(self._free_talks))

    def _grow_rows(self, count: int) -> None:
        """More places for rows, and a hash table at most half full."""
        engine, old = self._engine, len(self._table)
        self._table = engine.table(count, self._table)
        self._free_rows = self._more_free(self._free_rows, self._counters[N_FREE_ROWS], old, count)
        self._counters[N_FREE_ROWS] += count - old
        self._settled = engine.integers(count)
        self._slots = engine.integers(_power_of_two(2 * count) + 1)
        self._slots[-1] = self._key
        engine.functions.enter(self._table, count, self._slots)
        if self.reuses and not len(self._free_talks):
            self._grow_talks(16)

    def _more_free(self, free: Sequence[int], have: int, old: int, count: int) -> MutableSequence[int]:
        """A stack of free places, from which the old ones are taken first, then the new ones in ascending order."""
        more = self._engine.integers(count)
        more[: count - old] = range(count - 1, old - 1, -1)
        more[count - old : count - old + have] = free[:have]
        return more

    def _grow_talks(self, count: int) -> None:
        engine, old = self._engine, len(self.talks) // TALK_WIDTH
        self.talks = engine.octets(count * TALK_WIDTH, self.talks)
        self._free_talks = self._more_free(self._free_talks, self._counters[N_FREE_TALKS], old, count)
        self._counters[N_FREE_TALKS] += count - old


def _power_of_two(at_least: int) -> int:
    return 1 << (at_least - 1).bit_length()
