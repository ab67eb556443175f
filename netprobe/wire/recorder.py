"""Numbers the records of a scan, in one sequence from 1, and hands each to the file being written.

House rules of this file:
1. Order of numbering is order in the file is order of delivery.
2. A failing disk never loses a record: the failure is kept, and raised once, before the next records are drawn.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TypeVar

from netprobe.errors import CaptureWriteError
from netprobe.model import Fact, Record
from netprobe.wire.writer import CaptureWriter

SomeFact = TypeVar("SomeFact", bound=Fact)
_SomeRecord = TypeVar("_SomeRecord", bound=Record)


class Recorder:
    """The one counter of a scan."""

    def __init__(self, writer: CaptureWriter | None = None) -> None:
        self._writer = writer
        self._count = 0
        self._failure: CaptureWriteError | None = None
        self._comments: dict[int, list[str]] = {}

    def record(self, record: _SomeRecord) -> _SomeRecord:
        """The record with its number; also written, if there is a file."""
        self._count += 1
        numbered = replace(record, number=self._count)
        if self._writer is not None:
            self._writer.write(numbered)
        return numbered

    def batch(self, records: Iterable[Record]) -> list[Record]:
        """Records as they came, in order of time, numbered and on disk."""
        numbered: list[Record] = [self.record(r) for r in sorted(records, key=lambda r: r.time_ns)]
        self.flush()
        return numbered

    def comment(self, number: int, text: str) -> None:
        """Keep a comment on a frame for the end of the file's writing."""
        self._comments.setdefault(number, []).append(text)

    def flush(self) -> None:
        """Put on disk what was recorded; a failure is kept for `check`."""
        if self._writer is None:
            return
        try:
            self._writer.flush()
        except CaptureWriteError as error:
            self._failure = error
            self._writer.abandon()
            self._writer = None

    def check(self) -> None:
        """Raise, once, what went wrong with the file."""
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def close(self) -> None:
        """Close the file, with its comments; raises CaptureWriteError when that fails or a failure wasn't raised
        yet."""
        self.flush()
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close(self._comments)
        self.check()
