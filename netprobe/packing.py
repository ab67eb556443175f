"""Settled attempts for the report page: their own numbers only, written by the same loop that writes JSON lines.

House rules of this file:
1. No verdict is made here, and none is asked for that a kind of rows already has (netprobe.settling).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from netprobe.report.html.attempts import FIXED, Attempts
from netprobe.selection import Selection
from netprobe.settling.kinds import Kind, Settling
from netprobe.settling.lines import Lines
from netprobe.settling.outlines import address_at
from netprobe.settling.patterns import CLIENT_PORT, CLIENT_TEXT, SERVER_PORT, SERVER_TEXT, Pattern
from netprobe.tracker import Engine, columns

_HEAD = (SERVER_TEXT, SERVER_PORT, CLIENT_TEXT, CLIENT_PORT)
assert len(_HEAD) == FIXED


class Noting(Settling):
    """A table that remembers which rows it was asked about last."""

    def __init__(self, engine: Engine, *, vantage: str | None, depth: int) -> None:
        super().__init__(engine, vantage=vantage, depth=depth)
        self.noted: list[tuple[int, Kind]] = []

    def kinds(self, settled: Sequence[int]) -> Iterator[tuple[int, Kind]]:
        """As of Settling."""
        for one in super().kinds(settled):
            self.noted.append(one)
            yield one


class Packing:
    """Packs what a table noted into `attempts`."""

    def __init__(self, settling: Noting, engine: Engine, selection: Selection, attempts: Attempts) -> None:
        self._settling = settling
        self._selection = selection
        self._attempts = attempts
        self.known: list[Kind] = []
        self._made: dict[int, Kind] = {}  # by the identity of a kind, which lives as long as the table
        self.tracker = settling.tracker
        lines: Any = self
        self._lines = Lines(lines, engine, lambda octets: attempts.add(bytes(octets).decode("ascii")))

    def pack(self) -> None:
        """The rows that were noted since."""
        noted, self._settling.noted = self._settling.noted, []
        if not self._selection.everything:
            noted = [(row, kind) for row, kind in noted if self._selected(row, kind)]
        together: list[Any] = []
        for row, kind in noted:
            if kind.pattern is not None:
                together.append((row, self._short(kind, kind.pattern)))
                continue
            self._lines.give(together, Counter())
            together = []
            self._attempts.line(self._settling.line(row, kind))
        self._lines.give(together, Counter())

    def _selected(self, row: int, kind: Kind) -> bool:
        r, selection = self.tracker.table[row], self._selection
        return (
            selection.kind(kind.verdict)
            and selection.server(address_at(r, columns.SERVER), int(r[columns.SPORT]))
            and selection.client(address_at(r, columns.CLIENT), int(r[columns.CPORT]))
        )

    def _short(self, kind: Kind, made: Pattern) -> Kind:
        """The kind with a pattern of nothing but its values, each of them once."""
        short = self._made.get(id(kind))
        if short is None:
            values = list(dict.fromkeys((*_HEAD, *made.gaps)))
            last = made.pieces[-1].rstrip("\n")
            number = self._attempts.template((*made.pieces[:-1], last), [values.index(gap) for gap in made.gaps])
            pattern = Pattern([f"{number} ", *[" "] * (len(values) - 1), "\n"], values)
            short = self._made[id(kind)] = Kind(kind.verdict, pattern, len(self.known))
            self.known.append(short)
        return short

    # ------------------------------------------------------------------ what Lines asks of a table

    def kinds(self, chosen: Sequence[tuple[int, Kind]]) -> Sequence[tuple[int, Kind]]:
        """The rows and their short kinds, as they were given."""
        return chosen

    def numbered(self, chosen: Sequence[tuple[int, Kind]]) -> tuple[Any, Any]:
        """As `kinds`, in two arrays."""
        import numpy as np

        pairs = np.array([(row, kind.number) for row, kind in chosen], dtype=np.int64).reshape(-1, 2)
        return pairs[:, 0].copy(), pairs[:, 1]

    def line(self, row: int, kind: Kind) -> str:
        """The values of one row."""
        assert kind.pattern is not None
        return kind.pattern.line(self.tracker.table[row], self.tracker.clock_ns)
