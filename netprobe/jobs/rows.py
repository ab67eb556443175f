"""The rows and frames of a part where it is joined: read from its files, laid out for whoever gives them out."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any

from netprobe.jobs.part import FRAMES, L_WIDTH, TYPES, Part
from netprobe.settling import parts
from netprobe.settling.kinds import Settling
from netprobe.tracker import Engine, Tracker, columns
from netprobe.tracker.columns import TALK_WIDTH, WIDTH

CHUNK = 1024  # rows that are given out at once


class Shelf:
    """Rows that are given out: what netprobe.settling wants to see of a table."""

    def __init__(self) -> None:
        import numpy as np

        self.table: Any = np.zeros((CHUNK, WIDTH), dtype=np.int64)
        self.talks: Any = np.zeros(CHUNK * TALK_WIDTH, dtype=np.uint8)
        self.clock_ns = 0


class Going:
    """Rows of the table that goes on."""

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker

    def put(self, chosen: Any, shelf: Shelf) -> None:
        """The chosen rows, and what was said in them, onto the shelf."""
        import numpy as np

        count = len(chosen)
        shelf.table[:count] = self._tracker.table[chosen]
        talking = np.flatnonzero(shelf.table[:count, columns.TALK])
        kept = np.asarray(self._tracker.talks).reshape(-1, TALK_WIDTH)
        shelf.talks.reshape(-1, TALK_WIDTH)[talking] = kept[shelf.table[talking, columns.TALK] - 1]
        shelf.table[talking, columns.TALK] = talking + 1


class Rows:
    """The rows of a part."""

    def __init__(self, part: Part, engine: Engine, settling: Settling) -> None:
        import numpy as np

        self._part = part
        self._engine = engine
        self.log = np.fromfile(part.folder / "log", dtype=np.int64).reshape(-1, L_WIDTH)
        self._answers = np.fromfile(part.folder / "answers", dtype=np.int64).reshape(-1, parts.ANSWER)
        self._places = np.fromfile(part.folder / "places", dtype=np.int64)
        self._words = Mapped(part.folder / "words", np.int64)
        self._octets = Mapped(part.folder / "octets", np.uint8)
        numbers = [0, *(settling.sessions.number(*found) for found in part.outcomes)]
        self._numbers = np.array(numbers, dtype=np.int64)
        self.talking = np.array(sorted(part.sessions), dtype=np.int64)

    def none(self) -> Any:
        """No row, as a mask."""
        import numpy as np

        return np.zeros(len(self.log), dtype=bool)

    def session(self, born: int) -> Any:
        """The open session of the row with this first frame."""
        return self._part.sessions[born]

    def answers(self, own: Any) -> Any:
        """The answers of these rows."""
        import numpy as np

        counts = np.fromfile(self._part.folder / "counts", dtype=np.int64)
        return np.array(self._answers[np.repeat(own, counts)])

    def source(self, shift: int) -> Shifted:
        """For giving out."""
        return Shifted(self, shift)

    def put(self, chosen: Any, shift: int, shelf: Shelf) -> None:
        """The chosen rows onto the shelf, frames numbered as in the capture."""
        self._engine.functions.unpack(
            self._words.array, self._octets.array, self._places, chosen, len(chosen), shift, shelf.table, shelf.talks
        )
        self._words.forget()
        self._octets.forget()
        kinds = shelf.table[: len(chosen), columns.SESSION_KIND]
        shelf.table[: len(chosen), columns.SESSION_KIND] = self._numbers[kinds]


class Shifted:
    """Rows of a part."""

    def __init__(self, rows: Rows, shift: int) -> None:
        self._rows = rows
        self._shift = shift

    def put(self, chosen: Any, shelf: Shelf) -> None:
        """The chosen rows onto the shelf."""
        self._rows.put(chosen, self._shift, shelf)


class Frames:
    """What is known of each frame of a part, by column."""

    def __init__(self, part: Part) -> None:
        self._part = part
        self._columns: dict[str, Any] = {}
        self.count = len(self.column("numbers"))

    def column(self, name: str) -> Any:
        """One of FRAMES."""
        import numpy as np

        if name not in self._columns:
            kind = TYPES[FRAMES.index(name)]
            self._columns[name] = np.fromfile(self._part.folder / name, dtype=kind)
        return self._columns[name]


class Mapped:
    """A file as an array like those that the loops were compiled for: writable, though nothing is written."""

    def __init__(self, path: Path, kind: Any) -> None:
        import numpy as np

        self._map: mmap.mmap | None = None
        self.array: Any = np.zeros(1, dtype=kind)
        if path.stat().st_size:
            with path.open("rb") as source:
                self._map = mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_COPY)
            self.array = np.frombuffer(self._map, dtype=kind)

    def forget(self) -> None:
        """What was read of it counts no more as memory of this process; it is read again where it is needed."""
        if self._map is not None:
            self._map.madvise(mmap.MADV_DONTNEED)
