"""Each record of a capture as a line: what was sent and heard, what the kernel and the resolver said, in order."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from netprobe import probelog
from netprobe.model import Record
from netprobe.report.escape import escape
from netprobe.report.json import timestamp

# So many lines; the capture has the rest.
MOST = 20_000
_HEAD = """\
# Every packet of capture.pcapng, and every fact beside them: what the resolver, the kernel and connect() said.
# * marks what a verdict rests on; then the frame's number in Wireshark, its time, which way it went, and what it is.
"""


def lines(records: Iterable[Record], decisive: Collection[int]) -> Iterator[str]:
    """The log, line by line. `decisive`: frames that verdicts cite."""
    yield _HEAD
    for count, record in enumerate(records):
        if count >= MOST:
            yield "... and more, in capture.pcapng\n"
            break
        row = probelog.row(record)
        mark = "*" if row.frame in decisive else " "
        yield f"{mark}{row.frame:>7}  {timestamp(max(row.time_ns, 0))}  {row.way:<8}  {escape(row.what)}\n"
