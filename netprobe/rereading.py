"""A capture read once more, for the packets of the few verdicts that are shown.

House rules of this file:
1. A stream: nothing is kept but the steps of one ladder. Packets of others are passed over by a look at their bytes.
2. What can't be read again (a pipe, a file that is gone) has no ladder; that is no error.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from netprobe.errors import NetprobeError
from netprobe.ladder import Ladder, LadderOf
from netprobe.model import Frame, Record, Verdict
from netprobe.steps import MOST as ROWS
from netprobe.steps import ladder
from netprobe.wire.capture import CaptureReader
from netprobe.wire.merge import MergedCaptures

# Reading so many bytes again takes about a second at most; a larger file has no ladders.
MOST = 32_000_000


def ladder_of(files: Sequence[Path], *, together: bool = False, depth: int = 0, most: int = ROWS) -> LadderOf:
    """Gives the ladder of a verdict on one of these captures. `together`: they were read as one stream; `depth`:
    through so many tunnels; `most`: rows."""

    def find(verdict: Verdict) -> Ladder | None:
        if not verdict.evidence or not all(_is_small(path) for path in files):
            return None
        try:
            if together:
                return _found(MergedCaptures(files), verdict, depth, most)
            found = (_found(CaptureReader(path), verdict, depth, most) for path in files)
            return next((one for one in found if one is not None), None)
        except NetprobeError:
            return None

    return LadderOf(find)


def _is_small(path: Path) -> bool:
    return path.is_file() and path.stat().st_size <= MOST


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
