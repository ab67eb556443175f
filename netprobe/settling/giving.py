"""What settled rows become: verdicts, lines or outlines, of those attempts that are wanted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from netprobe.model import Verdict
from netprobe.selection import Selection
from netprobe.settling.kinds import Kind, Settling
from netprobe.settling.lines import ROWS_AT_ONCE, Lines
from netprobe.settling.outlets import NO_OUTLETS, Outlets
from netprobe.settling.outlines import Outlining, address_at
from netprobe.settling.tally import tally
from netprobe.tracker import Engine, columns

if TYPE_CHECKING:  # loaded only where tshark is asked for something
    from netprobe.crosscheck import Decisive
    from netprobe.settling.marks import Marks

OnVerdict = Callable[[Verdict], None]

__all__ = ["NO_OUTLETS", "Giving", "Outlets"]


class Giving:
    """Hands out what settled rows are, in the form that was asked for. `marks`: only of rows that have one; `decisive`:
    notes the frames that verdicts rest on."""

    def __init__(
        self,
        settling: Settling,
        engine: Engine,
        selection: Selection,
        on_verdict: OnVerdict,
        outlets: Outlets,
        *,
        marks: Marks | None = None,
        decisive: Decisive | None = None,
    ) -> None:
        self._settling = settling
        self._selection = selection
        self._on_verdict = on_verdict
        self._on_lines = outlets.lines
        self._on_outlines = outlets.outlines
        self._also = outlets.also
        plain = outlets.lines is not None and selection.everything and decisive is None and outlets.also is None
        self._lines = Lines(settling, engine, outlets.lines) if plain and outlets.lines is not None else None
        self._outlining = Outlining(settling, clients=outlets.clients)
        self._marks = marks
        self._decisive = decisive
        self.verdicts: list[tuple[int, Verdict]] = []
        self.causes: Counter[str] = Counter()

    @property
    def vantages(self) -> Counter[str]:
        """How many attempts were seen from each side."""
        return self._settling.vantages

    def give(self, settled: Sequence[int]) -> None:
        """These rows are settled."""
        if self._marks is not None:
            settled = self._marks.choose(settled)
        if self._lines is not None:
            self._lines.give(settled, self.causes)
            return
        rows = self._settling.kinds(settled)
        while some := list(islice(rows, ROWS_AT_ONCE)):
            if not self._selection.everything:
                table = self._settling.tracker.table
                some = [(row, kind) for row, kind in some if self._selected(table[row], kind.verdict)]
            self._give(some)

    def _give(self, some: Sequence[tuple[int, Kind]]) -> None:
        """These rows are wanted."""
        settling, table = self._settling, self._settling.tracker.table
        self.causes.update(kind.verdict.cause for _, kind in some)
        if self._decisive is not None:
            for row, kind in some:
                if self._decisive.wants(kind.verdict.rule):
                    self._decisive.take(settling.line(row, kind))
        if self._also is not None:
            for row, kind in some:
                self._also(settling.line(row, kind), tally(table[row]))
        if self._on_lines is not None:
            for row, kind in some:
                self._on_lines(settling.line(row, kind).encode("ascii"))
        elif self._on_outlines is not None:
            for number in self._on_outlines(self._outlining.outlines(some)):
                self._on_verdict(settling.verdict(some[number][0]))
        else:
            for row, _ in some:
                verdict = settling.verdict(row)
                self.verdicts.append((int(table[row][columns.BORN]), verdict))
                self._on_verdict(verdict)

    def _selected(self, r: Sequence[int], like: Verdict) -> bool:
        selection = self._selection
        return (
            selection.kind(like)
            and selection.server(address_at(r, columns.SERVER), int(r[columns.SPORT]))
            and selection.client(address_at(r, columns.CLIENT), int(r[columns.CPORT]))
        )
