"""What settled rows become: verdicts, lines or outlines, of those attempts that are wanted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from netprobe.model import Verdict
from netprobe.selection import Selection
from netprobe.settling.kinds import Settling
from netprobe.settling.lines import Lines
from netprobe.settling.outlets import NO_OUTLETS, Outlets
from netprobe.settling.outlines import Outlines, address_at
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
        self._on_outline = outlets.outline
        self._also = outlets.also
        plain = outlets.lines is not None and selection.everything and decisive is None and outlets.also is None
        self._lines = Lines(settling, engine, outlets.lines) if plain and outlets.lines is not None else None
        self._outlines = Outlines(settling)
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
        settling, table = self._settling, self._settling.tracker.table
        for row, kind in settling.kinds(settled):
            if not self._selection.everything and not self._selected(table[row], kind.verdict):
                continue
            self.causes[kind.verdict.cause] += 1
            if self._decisive is not None and self._decisive.wants(kind.verdict.rule):
                self._decisive.take(settling.line(row, kind))
            if self._also is not None:
                self._also(settling.line(row, kind), tally(table[row]))
            if self._on_lines is not None:
                self._on_lines(settling.line(row, kind).encode("ascii"))
            elif self._on_outline is not None:
                if self._on_outline(self._outlines.outline(row, kind)):
                    self._on_verdict(settling.verdict(row))
            else:
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
