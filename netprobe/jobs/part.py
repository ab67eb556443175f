"""A part of a large capture, tracked by itself: its rows, and for whoever joins the parts all that they need to know.

The rows are those of a table that was empty when the part began. Which of them one process would have had as well is
found out by netprobe.jobs.joining.

House rules of this file:
1. Nothing is diagnosed here. What is known of a row's server comes from all of the capture; here it isn't known yet.
2. Rows and columns lie in files, not in memory: a part may hold a million rows.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from netprobe.analyze import BATCH
from netprobe.errors import CannotMeasure
from netprobe.model import Auth, Kex, TargetFact
from netprobe.options import AnalyzeOptions
from netprobe.settling import engines, parts
from netprobe.settling.sessions import Sessions
from netprobe.ssh.session import Session
from netprobe.tracker import SMALL, Engine, Tracker, columns
from netprobe.wire.batches import Batch
from netprobe.wire.portion import Portion, PortionReader

_WORDS = 1 << 20  # packed before they are written
_OCTETS = 4 << 20

# What is told of each row beside the packed one, in this order.
LOG = (
    *(columns.KIND, *range(columns.CLIENT, columns.CLIENT + 4), *range(columns.SERVER, columns.SERVER + 4)),
    *(columns.CPORT, columns.SPORT, columns.BORN, columns.REPLACED, columns.ODD + columns.COUNT),
)
L_BORN, L_REPLACED, L_ODD = len(LOG) - 3, len(LOG) - 2, len(LOG) - 1
L_END = len(LOG)  # the last moment at which another packet may belong to it
L_WIDTH = L_END + 1

FRAMES = ("owners", "starts", "sizes", "links", "times", "numbers", "ways")  # a column each, one entry for a frame
TYPES = ("int64", "int64", "int32", "int32", "int64", "int64", "int8")


@dataclass(slots=True)
class Part:
    """What one part came to. `folder` holds its files; frames are numbered from 1."""

    folder: Path
    path: Path
    portion: Portion
    facts: int = 0
    first_ns: int = 0  # the time of the first frame, and the latest of any
    latest_ns: int = 0
    frames: int = 0  # numbers given, facts included
    rows: int = 0
    answers: int = 0
    counters: tuple[int, ...] = ()
    outcomes: list[tuple[Kex | None, Auth | None]] = field(default_factory=list)
    sessions: dict[int, Session] = field(default_factory=dict)  # open ones, by the BORN of their rows
    known: tuple[tuple[str | int, ...], tuple[str | int, ...]] = ((), ())
    whole: bool = True
    scan: bool = False  # a saved scan: not to be cut
    drops: dict[tuple[int, int], int] = field(default_factory=dict)
    damage: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    interrupted: bool = False


def track(
    path: Path, portion: Portion, options: AnalyzeOptions, folder: Path, read: Callable[[str, int, int], None]
) -> Part:
    """Track a portion of a file into `folder`, which is made. Raises CannotMeasure where nothing can be compiled, and
    UnreadableCapture."""
    engine = engines.choose(portion.stop - portion.start, lambda _: None, wanted=True)
    if not engine.compiled:
        raise CannotMeasure("parts of a capture need Numba", "install it: pip install 'netprobe-wire[fast]'")
    folder.mkdir(parents=True, exist_ok=True)
    reader = PortionReader(path, portion, ahead=options.threads)
    part = Part(folder, path, portion)
    batches = reader.batches(BATCH, lambda loop: getattr(engine.functions, loop.__name__))
    with contextlib.ExitStack() as files:
        writing = _Writing(folder, files, engine, options.depth)
        begun = False
        try:
            for batch in batches:
                if not begun and any(isinstance(fact, TargetFact) for _, fact in batch.facts):
                    part.scan = portion.start == 0
                begun = True
                read(reader.name, *reader.progress)
                if batch.count and not part.latest_ns:
                    part.first_ns = int(batch.times[0])
                writing.feed(batch)
                part.latest_ns = writing.tracker.clock_ns
                part.facts += len(batch.facts)
        except KeyboardInterrupt:
            part.interrupted = True
        writing.finish(part)
    part.frames = reader.numbered
    part.known, part.whole, part.drops = reader.known, reader.whole, reader.drops
    part.damage, part.notices = reader.damage_lines, reader.notice_lines
    return part


class _Writing:
    """The table of a part, and the files that its rows go to."""

    def __init__(self, folder: Path, files: contextlib.ExitStack, engine: Engine, depth: int) -> None:
        def out(name: str) -> IO[bytes]:
            return files.enter_context((folder / name).open("wb", 1 << 18))

        self._engine = engine
        self._depth = depth
        self.tracker = Tracker(reuses=True, sessions=True, engine=engine, depth=depth)
        self.sessions = Sessions(self.tracker)
        self._touched: Any = engine.integers(0)
        self._decoded = engine.integers(columns.DECODED)
        self._columns = [out(name) for name in FRAMES]
        self._files = {name: out(name) for name in ("words", "octets", "places", "log", "answers", "counts")}
        self._words: Any = engine.integers(_WORDS)
        self._octets: Any = engine.octets(0)
        self._state: Any = engine.integers(2)
        self._at = [0, 0]
        self._rows = 0
        self._answers = 0

    def feed(self, batch: Batch) -> None:
        """Take a batch in."""
        import numpy as np

        if len(self._touched) < batch.count:
            self._touched = self._engine.integers(batch.count)
        tracker, at, n = self.tracker, 0, batch.count
        owners = np.empty(n, dtype=np.int64)
        while at < n:
            first = at
            at = tracker.advance(
                batch.buffer, at, n, batch.starts, batch.ends, batch.links, batch.times, batch.numbers,
                batch.outgoings, self._touched,
            )  # fmt: skip
            self._engine.functions.strays(
                batch.buffer, first, at, batch.starts, batch.ends, batch.links, self._touched, self._depth,
                self._decoded,
            )  # fmt: skip
            touched = self._touched[first:at]
            owners[first:at] = np.where(touched >= 0, tracker.table[touched, columns.BORN], touched)
            if tracker.heard_count:
                self.sessions.take(batch.buffer)
            elif at < n:
                self._make_room()
        if not n:
            return
        starts, ends = np.asarray(batch.starts[:n]), np.asarray(batch.ends[:n])
        told = (owners, starts + batch.base, ends - starts, batch.links, batch.times, batch.numbers, batch.outgoings)
        for file, column, kind in zip(self._columns, told, TYPES, strict=True):
            file.write(np.asarray(column[:n]).astype(kind).data)

    def finish(self, part: Part) -> None:
        """Whatever is left: rows that are over, and those that may go on in the next part."""
        import numpy as np

        tracker = self.tracker
        left = tracker.settled(everything=True)
        rows = np.array(left, dtype=np.int64)
        over = (self._ends(rows) < tracker.clock_ns) | (tracker.table[rows, columns.REPLACED] != 0)
        self.sessions.settle(rows[over].tolist())
        for row in rows[~over].tolist():
            session = self.sessions.leave(row)
            if session is not None:
                part.sessions[int(tracker.table[row, columns.BORN])] = session
        self._put(left)
        self._write()
        part.rows, part.answers = self._rows, self._answers
        part.outcomes = self.sessions.outcomes
        part.counters = tuple(tracker.count(n) for n in range(columns.COUNTERS))

    def _make_room(self) -> None:
        """When rows settle here matters to nobody: what belongs to a row follows from its packets."""
        tracker = self.tracker
        if tracker.free_talks == 0:
            tracker.grow_talks()
            return
        if len(tracker.table) < SMALL:
            tracker.grow_rows()
            return
        settled = tracker.settled()
        self.sessions.settle(settled)
        self._put(settled)
        tracker.release(settled)
        if tracker.free_rows <= len(tracker.table) // 4:
            tracker.grow_rows()

    def _ends(self, rows: Any) -> Any:
        import numpy as np

        found = np.zeros(len(rows), dtype=np.int64)
        self._engine.functions.ends(self.tracker.table, rows, len(rows), found)
        return found

    def _put(self, settled: Sequence[int]) -> None:
        """Write rows: packed, what is told of them, what they say of their servers."""
        import numpy as np

        if not len(settled):
            return
        tracker, functions = self.tracker, self._engine.functions
        rows = np.array(settled, dtype=np.int64)
        log = np.empty((len(rows), L_WIDTH), dtype=np.int64)
        log[:, :L_END] = tracker.table[np.ix_(rows, LOG)]
        log[:, L_END] = self._ends(rows)
        self._files["log"].write(log.data)
        answers = np.zeros(len(rows) * parts.MOST_ANSWERS * parts.ANSWER, dtype=np.int64)
        counts = np.zeros(len(rows), dtype=np.int64)
        count = functions.answers(tracker.table, rows, len(rows), answers, counts)
        self._files["counts"].write(counts.data)
        self._files["answers"].write(answers[: count * parts.ANSWER].data)
        self._answers += count
        self._rows += len(rows)
        if not len(self._octets):
            self._octets = np.zeros(_OCTETS, dtype=np.uint8)
        places = np.zeros(2 * len(rows), dtype=np.int64)
        at = 0
        while True:
            first = at
            at = functions.pack(
                tracker.table, rows, at, len(rows), tracker.talks, self._words, self._octets, places, self._state
            )
            places[2 * first : 2 * at : 2] += self._at[0]
            places[2 * first + 1 : 2 * at : 2] += self._at[1]
            if at == len(rows):
                break
            self._write()
        self._files["places"].write(places.data)

    def _write(self) -> None:
        """Put the packed rows on disk."""
        words, octets = int(self._state[0]), int(self._state[1])
        self._files["words"].write(self._words[:words].data)
        if octets:
            self._files["octets"].write(self._octets[:octets].data)
        self._at[0] += words
        self._at[1] += octets
        self._state[:] = 0
