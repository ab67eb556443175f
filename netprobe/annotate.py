"""The driver of `analyze --annotate`: comments gathered while verdicts come, put in order, and into a copy.

House rules of this file:
1. Memory doesn't follow the number of verdicts: comments are sorted in pieces, which wait in temporary files.
"""

from __future__ import annotations

import heapq
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from netprobe.report import Report, by_cause, comments
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
        if len(self._first) < comments.FEW:
            self._first.append(found)
        for frame, text in comments.on_packets(found):
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


def not_yet(target: int) -> None:
    """Make the file a valid one that says that it isn't finished. Raises OSError."""
    os.write(target, wire.empty("netprobe: this copy was not finished"))


def _read(piece: IO[bytes]) -> Iterator[Comment]:
    for line in piece:
        frame, count, text = json.loads(line)
        yield frame, count, text
