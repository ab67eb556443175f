"""Where a run's results go besides its verdicts one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netprobe.report.rows import Sink
    from netprobe.report.summary import Outlines
    from netprobe.report.zeek import Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlets:
    """Other ways for what is found, for those who want it faster than one verdict after the other.

    `lines`: gets JSON lines, instead of the verdicts. `outlines`: told of attempts, many at once, with their `clients`
    where that is set; says by their numbers which verdicts it wants, too, and gets them next, in that order. With
    either, verdicts of a stranger's capture are not kept. `also`: gets each verdict's JSON line besides whatever else
    is asked for, and what of its packets was counted, None where nothing was. `sinks`: get the same as templates and
    values, which is much faster where there are many. `read`: the file's name, how many of its bytes have been read,
    and how many there are (0 where nobody knows).
    """

    lines: Callable[[bytes], None] | None = None
    outlines: Callable[[Outlines], Sequence[int]] | None = None
    clients: bool = False
    also: Callable[[str, Tally | None], None] | None = None
    sinks: Sequence[Sink] = ()
    read: Callable[[str, int, int], None] | None = None

    @property
    def take_rows(self) -> bool:
        """Whether anybody wants what `row` gives."""
        return self.also is not None or bool(self.sinks)

    def row(self, line: str, tally: Tally | None) -> None:
        """Give one verdict's line to all who take it besides."""
        if self.also is not None:
            self.also(line, tally)
        for sink in self.sinks:
            sink.row(line, tally)


NO_OUTLETS = Outlets()
