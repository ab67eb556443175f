"""Any number of verdicts on a terminal: counted while they come, all of them listed only where that was asked for.

House rules of this file:
1. Memory doesn't follow the number of attempts: a list of all waits in a temporary file until its columns are known.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import IO

from netprobe.model import Verdict
from netprobe.report import Report, overview, table
from netprobe.report.summary import FEW, Outlines, Summary, begun

# Lines of the list that are written at once.
_AT_ONCE = 1000


class Many:
    """What the attempts come to, and, with `everything`, a line for each."""

    def __init__(self, *, everything: bool) -> None:
        self._summary = Summary()
        self._widths = [len(name) for name in overview.ROW]
        self._rows: IO[str] | None = None
        if everything:
            self._rows = tempfile.TemporaryFile("w+", encoding="utf-8", errors="backslashreplace")  # noqa: SIM115

    def note(self, some: Outlines) -> Sequence[int]:
        """Count attempts; the numbers of those whose verdicts are wanted, too (`keep`)."""
        if self._rows is not None:
            for cells in overview.attempt_rows(some):
                overview.measure(self._widths, cells)
                self._rows.write("\t".join(cells) + "\n")  # cells are escaped: no tab, no line end
        return self._summary.note(some)

    def keep(self, verdict: Verdict) -> None:
        """A verdict that `note` asked for."""
        self._summary.examples.keep(verdict)

    def render(
        self, report: Report, *, width: int | None, height: int | None, verbosity: int, colour: bool, unicode: bool
    ) -> str:
        """The report, without the list of all."""
        if self._summary.total <= FEW:
            few = tuple(sorted(self._summary.examples.few, key=begun))
            self._rows = None  # every one of them is shown
            return table.render(
                replace(report, verdicts=report.verdicts if len(report.verdicts) == len(few) else few),
                width=width,
                height=height,
                verbosity=verbosity,
                colour=colour,
                unicode=unicode,
            )
        return overview.render(
            report, self._summary, width=width, height=height, verbosity=verbosity, colour=colour,
            listed=self._rows is None, unicode=unicode,
        )  # fmt: skip

    def listing(self) -> Iterator[str]:
        """The list of all, where it was asked for, in pieces."""
        if self._rows is None:
            return
        yield "\n"
        self._rows.seek(0)
        cells = (line.rstrip("\n").split("\t") for line in self._rows)
        piece: list[str] = []
        for line in overview.attempts(cells, self._widths):
            piece.append(line)
            if len(piece) >= _AT_ONCE:
                yield "\n".join([*piece, ""])
                piece = []
        yield "\n".join([*piece, ""]) if piece else ""
