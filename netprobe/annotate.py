"""The driver of `analyze --annotate`: comments gathered while verdicts come, put in order, and into a copy.

House rules of this file:
1. Memory doesn't follow the number of verdicts: comments are sorted in pieces, which wait in temporary files.
"""

from __future__ import annotations

import heapq
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from netprobe.report import Report, by_cause, comments, rows
from netprobe.wire import annotate as wire
from netprobe.wire.annotate import Annotated
from netprobe.wire.capture import CaptureReader

_PIECE = 100_000  # comments that are sorted in memory
_MOST_PIECES = 100  # files open at once; more are merged to one

Comment = tuple[int, int, str]  # frame, order of coming, text


class Annotation:
    """Comments for a copy of one capture; `add` gets each verdict as a JSON line."""

    def __init__(self, *, piece: int = _PIECE) -> None:
        self._piece = piece
        self._waiting: list[Comment] = []
        self._pieces: list[IO[bytes]] = []
        self._count = 0
        self._first: list[Mapping[str, Any]] = []

    def add(self, verdict: str) -> None:
        """Note what there is to say on the packets of this verdict."""
        found = comments.read(verdict)
        self.note(comments.on_packets(found), found)

    @property
    def tells_all(self) -> bool:
        """Whether the file's own comment tells of no more verdicts in full."""
        return len(self._first) >= comments.FEW

    def note(self, found: Iterable[tuple[int, str]], verdict: Mapping[str, Any] | None) -> None:
        """The same where the comments are made. `verdict`: as `comments.read` gives it; None where `tells_all`."""
        if verdict is not None and not self.tells_all:
            self._first.append(verdict)
        for frame, text in found:
            self._waiting.append((frame, self._count, text))
            self._count += 1
        if len(self._waiting) >= self._piece:
            self._put_aside(iter(sorted(self._waiting)))
            self._waiting = []
            if len(self._pieces) >= _MOST_PIECES:
                pieces, self._pieces = self._pieces, []
                self._put_aside(heapq.merge(*map(_read, pieces)))
                for one in pieces:
                    one.close()

    def write(self, source: Path, target: int, report: Report, stop: Callable[[], bool]) -> Annotated:
        """Read the capture once more and write the copy to the descriptor. `stop` says when to leave off. Raises
        UnreadableCapture, and OSError where the copy can't be written."""
        merged = heapq.merge(*map(_read, self._pieces), iter(sorted(self._waiting)))
        texts = ((frame, text) for frame, _, text in merged)
        about = comments.on_file(report.command, by_cause(report), self._first)
        return wire.annotate(CaptureReader(source), target, texts, about, stop)

    def close(self) -> None:
        """Forget what was put aside."""
        for one in self._pieces:
            one.close()

    def _put_aside(self, ordered: Iterator[Comment]) -> None:
        piece = tempfile.TemporaryFile()  # noqa: SIM115 - lives until `close`
        self._pieces.append(piece)
        for one in ordered:
            piece.write(json.dumps(one).encode("ascii") + b"\n")
        piece.seek(0)


class Rows:
    """A sink of attempts that come as templates and values (netprobe.report.rows)."""

    columns: Sequence[str] = ()

    def __init__(self, annotation: Annotation) -> None:
        self._annotation = annotation
        self._templates: list[tuple[Sequence[str], Sequence[int], list[tuple[int, str]]]] = []

    def template(self, pieces: Sequence[str], gaps: Sequence[int]) -> int:
        """As rows.Sink."""
        found = comments.on_packets(comments.read(rows.marked(pieces, gaps)))
        told = [(rows.value_of(frame), rows.formatted(text)) for frame, text in found]
        self._templates.append((tuple(pieces), tuple(gaps), told))
        return len(self._templates) - 1

    def add(self, text: str) -> None:
        """As rows.Sink."""
        for row in text.splitlines():
            number, *values = row.split(" ")
            pieces, gaps, told = self._templates[int(number)]
            whole = None if self._annotation.tells_all else comments.read(rows.filled(pieces, gaps, values))
            self._annotation.note([(int(values[frame]), one.format(*values)) for frame, one in told], whole)

    def row(self, line: str, _: object) -> None:
        """As rows.Sink."""
        self._annotation.add(line)


def not_yet(target: int) -> None:
    """Make the file a valid one that says that it isn't finished. Raises OSError."""
    os.write(target, wire.empty("netprobe: this copy was not finished"))


def _read(piece: IO[bytes]) -> Iterator[Comment]:
    for line in piece:
        frame, count, text = json.loads(line)
        yield frame, count, text
