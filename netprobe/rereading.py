"""A capture read once more, for the packets of the few verdicts that are shown.

House rules of this file:
1. A stream: nothing is kept but the packets of a few verdicts. Packets of others are passed over by a look at their
   bytes; of a large file by arrays (netprobe.sifting), for all verdicts at once, and no further than they need.
2. What can't be read again (a pipe, a file that is gone) has no ladder; that is no error. A pipe's packets may have
   been kept (netprobe.keeping).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from netprobe.errors import NetprobeError
from netprobe.ladder import Gap, Ladder, LadderOf
from netprobe.model import Frame, Record, Verdict
from netprobe.steps import MOST as ROWS
from netprobe.steps import ladder
from netprobe.wire.batches import Compile
from netprobe.wire.capture import CaptureReader
from netprobe.wire.merge import MergedCaptures

if TYPE_CHECKING:
    from netprobe.sifting import Wanted

# Reading so many bytes again, packet by packet, takes about a tenth of a second; through tunnels, which arrays can't
# look into, a second is taken.
MOST = 4_000_000
MOST_TUNNELS = 32_000_000
# So many bytes of frames are looked through by arrays: about two seconds with compiled loops, six without.
MOST_SIFTED = 4_000_000_000
MOST_INTERPRETED = 256_000_000


def ladder_of(
    files: Sequence[Path],
    *,
    together: bool = False,
    depth: int = 0,
    most: int = ROWS,
    compiled: Compile | None = None,
) -> LadderOf:
    """Gives the ladder of a verdict on one of these captures. `together`: they were read as one stream; `depth`:
    through so many tunnels; `most`: rows; `compiled`: as for CaptureReader.batches."""
    again = _Again(files, together=together, depth=depth, most=most, compiled=compiled)
    return LadderOf(again.find, again.prepare)


class _Again:
    """The captures of one run, to be read again."""

    def __init__(
        self, files: Sequence[Path], *, together: bool, depth: int, most: int, compiled: Compile | None
    ) -> None:
        self._files = files
        self._together = together
        self._depth = depth
        self._most = most
        self._compiled = compiled
        self._known: dict[Key, Ladder | None] = {}  # of large files

    def find(self, verdict: Verdict) -> Ladder | None:
        """The ladder of one verdict."""
        if not verdict.evidence or not self._there():
            return None
        if self._large():
            self.prepare([verdict])
            return self._known[_key(verdict)]
        try:
            if self._together:
                return _found(MergedCaptures(self._files), verdict, self._depth, self._most)
            found = (_found(CaptureReader(path), verdict, self._depth, self._most) for path in self._files)
            return next((one for one in found if one is not None), None)
        except NetprobeError:
            return None

    def prepare(self, verdicts: Sequence[Verdict]) -> None:
        """Read large captures for all of these at once."""
        if not self._there() or not self._large():
            return
        from netprobe import sifting

        asked = {_key(one): one for one in verdicts if one.evidence and _key(one) not in self._known}
        self._known.update(dict.fromkeys(asked))
        if not asked:
            return
        for group in [self._files] if self._together else [[path] for path in self._files]:
            left = [found for key, one in asked.items() if self._known[key] is None and (found := sifting.wanted(one))]
            if not left:
                return
            try:
                self._sift(group, left)
            except NetprobeError:
                continue

    def _sift(self, files: Sequence[Path], asked: Sequence[Wanted]) -> None:
        from netprobe import sifting

        reader = MergedCaptures(files) if self._together else CaptureReader(files[0])
        most = MOST_INTERPRETED if self._compiled is None else MOST_SIFTED
        sifting.sift(reader.batches(compiled=self._compiled), asked, most)
        for one in asked:
            if one.found:
                self._known[_key(one.verdict)] = drawn(
                    one.frames, one.last, one.verdict, depth=self._depth, most=self._most, whole=not one.left_out
                )

    def _there(self) -> bool:
        return all(path.is_file() for path in self._files)

    def _large(self) -> bool:
        most = MOST_TUNNELS if self._depth else MOST
        return any(path.stat().st_size > most for path in self._files)


Key = tuple[str | None, int, object, int, int]


def _key(verdict: Verdict) -> Key:
    first = verdict.evidence[0]
    return verdict.address, verdict.port, verdict.client, first.frame, first.time_ns


def drawn(
    frames: Sequence[Frame], last: Frame | None, verdict: Verdict, *, depth: int = 0, most: int = ROWS,
    whole: bool = True,
) -> Ladder | None:  # fmt: skip
    """The ladder of frames that were kept or found. `last`: one after them; `whole`: none of its own is missing."""
    records: list[Record] = sorted(frames, key=lambda one: one.number)
    if last is not None and (not records or last.number > records[-1].number):
        records.append(last)
    found = ladder(records, verdict, depth=depth, most=most)
    if found is None or whole:
        return found
    rows = tuple(replace(row, at_least=True) if isinstance(row, Gap) else row for row in found.rows)
    return replace(found, rows=rows)


class _Absent(Exception):  # noqa: N818 - not an error: the verdict is about another file
    pass


def _found(records: Iterable[Record], verdict: Verdict, depth: int, most: int) -> Ladder | None:
    """The ladder, None where the packets that the verdict cites are not in this file."""
    try:
        return ladder(_relevant(records, verdict), verdict, depth=depth, most=most)
    except _Absent:
        return None


def _relevant(records: Iterable[Record], verdict: Verdict) -> Iterator[Record]:
    """Facts, what is cited, and frames that have the server's address in them; and the last one, for its time."""
    cited = {one.frame for one in verdict.evidence}
    first = min(verdict.evidence, key=lambda one: one.frame)  # other citations may have the time of what was asked
    try:
        address = ipaddress.ip_address((verdict.address or "").partition("%")[0]).packed
    except ValueError:
        address = b""
    last: Record | None = None
    for record in records:
        is_cited = record.number in cited
        cited.discard(record.number)
        if record.number == first.frame and record.time_ns != first.time_ns:
            raise _Absent
        last = record
        if is_cited or not isinstance(record, Frame) or address in record.data:
            yield record
            last = None
    if cited:
        raise _Absent
    if last is not None:
        yield last
