"""Settled attempts for formats that take them as templates and values: written by the same loop that writes JSON lines.

House rules of this file:
1. No verdict is made here, and none is asked for that a kind of rows already has (netprobe.settling).
2. A row is given to each sink once, in the order in which rows settle.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from netprobe.report.rows import Sink
from netprobe.selection import Selection
from netprobe.settling.kinds import Kind, Settling
from netprobe.settling.lines import Lines
from netprobe.settling.outlines import address_at
from netprobe.settling.patterns import (
    CLIENT_PORT,
    CLIENT_TEXT,
    NUMBER_OF,
    SERVER_PORT,
    SERVER_TEXT,
    TIME_OF,
    Pattern,
)
from netprobe.settling.tally import tally
from netprobe.tracker import Engine, columns
from netprobe.tracker.columns import C_SIDE, E_COUNT, E_GAPS, E_RESETS, S_SIDE

# What a sink may want first of each row.
COLUMNS = {
    "server": SERVER_TEXT,
    "server_port": SERVER_PORT,
    "client": CLIENT_TEXT,
    "client_port": CLIENT_PORT,
    "begun": TIME_OF + columns.FIRST + columns.TIME,  # seconds; 0 where its first packet wasn't seen
    "touched": TIME_OF + columns.TOUCHED,  # seconds: its last packet
    "client_bytes": NUMBER_OF + columns.C_BYTES,
    "server_bytes": NUMBER_OF + columns.S_BYTES,
    "client_packets": NUMBER_OF + C_SIDE + E_COUNT,  # without resets
    "client_resets": NUMBER_OF + C_SIDE + E_RESETS,
    "client_gaps": NUMBER_OF + C_SIDE + E_GAPS,
    "server_packets": NUMBER_OF + S_SIDE + E_COUNT,
    "server_resets": NUMBER_OF + S_SIDE + E_RESETS,
    "server_gaps": NUMBER_OF + S_SIDE + E_GAPS,
}

Noted = tuple[Any, Any]  # rows and the numbers of their kinds: lists, or NumPy's arrays


class Noting(Settling):
    """A table that remembers which rows it was asked about last."""

    def __init__(self, engine: Engine, *, vantage: str | None, depth: int) -> None:
        super().__init__(engine, vantage=vantage, depth=depth)
        self._noted: list[Noted] = []

    def kinds(self, settled: Sequence[int]) -> Iterator[tuple[int, Kind]]:
        """As of Settling."""
        if self._engine.compiled:  # by `numbered`
            yield from super().kinds(settled)
            return
        rows: list[int] = []
        numbers: list[int] = []
        self._noted.append((rows, numbers))
        for row, kind in super().kinds(settled):
            rows.append(row)
            numbers.append(kind.number)
            yield row, kind

    def numbered(self, settled: Sequence[int]) -> tuple[Any, Any]:
        """As of Settling."""
        found = super().numbered(settled)
        self._noted.append(found)
        return found

    def noted(self) -> list[Noted]:
        """The rows that were asked about since, by parts."""
        noted, self._noted = self._noted, []
        return noted


class _Chosen:
    """Rows and the numbers of their kinds, which netprobe.settling.lines takes in parts."""

    def __init__(self, rows: Any, numbers: Any) -> None:
        self.both = rows, numbers

    def __len__(self) -> int:
        return len(self.both[0])

    def __getitem__(self, part: slice) -> Noted:
        return self.both[0][part], self.both[1][part]


class Packing:
    """Gives one sink what a table noted."""

    def __init__(self, settling: Noting, engine: Engine, selection: Selection, sink: Sink) -> None:
        self._settling = settling
        self._engine = engine
        self._selection = selection
        self._sink = sink
        self._head = [COLUMNS[name] for name in sink.columns]
        self.known: list[Kind] = []  # as those of the table, with patterns of nothing but their values
        self.tracker = settling.tracker
        lines: Any = self
        self._lines = Lines(lines, engine, self._add)

    def pack(self, noted: Sequence[Noted]) -> None:
        """Take these rows."""
        for rows, numbers in noted:
            for kind in self._settling.known[len(self.known) :]:
                self.known.append(self._short(kind))
            chosen = self._chosen(rows, numbers)
            if self._engine.compiled:
                given: Any = chosen
                self._lines.give(given, Counter())  # by `numbered`
                continue
            for row, number in zip(*chosen.both, strict=True):
                text = self.line(row, self.known[number])
                if text:
                    self._sink.add(text)

    def _add(self, octets: bytes) -> None:
        if len(octets):
            self._sink.add(bytes(octets).decode("ascii"))

    def _chosen(self, rows: Any, numbers: Any) -> _Chosen:
        """Those that are selected."""
        if self._selection.everything:
            return _Chosen(rows, numbers)
        wanted = [n for n in range(len(rows)) if self._selected(int(rows[n]), self._settling.known[int(numbers[n])])]
        if self._engine.compiled:
            return _Chosen(rows[wanted], numbers[wanted])
        return _Chosen([rows[n] for n in wanted], [numbers[n] for n in wanted])

    def _selected(self, row: int, kind: Kind) -> bool:
        r, selection = self.tracker.table[row], self._selection
        return (
            selection.kind(kind.verdict)
            and selection.server(address_at(r, columns.SERVER), int(r[columns.SPORT]))
            and selection.client(address_at(r, columns.CLIENT), int(r[columns.CPORT]))
        )

    def _short(self, kind: Kind) -> Kind:
        """The kind with a pattern of nothing but its values, each of them once; none where it has none itself."""
        made = kind.pattern
        if made is None:
            return kind
        values = list(dict.fromkeys((*self._head, *made.gaps)))
        last = made.pieces[-1].rstrip("\n")
        number = self._sink.template((*made.pieces[:-1], last), [values.index(gap) for gap in made.gaps])
        pieces = [f"{number} ", *[" "] * (len(values) - 1), "\n"] if values else [f"{number} \n"]
        return Kind(kind.verdict, Pattern(pieces, values), kind.number)

    # ------------------------------------------------------------------ what Lines asks of a table

    def numbered(self, chosen: Noted) -> Noted:
        """The rows and the numbers of their kinds, as they were given."""
        return chosen

    def line(self, row: int, kind: Kind) -> str:
        """The values of one row; "" where it has no template, and was given to the sink whole."""
        if kind.pattern is not None:
            return kind.pattern.line(self.tracker.table[row], self.tracker.clock_ns)
        self._sink.row(self._settling.line(row, kind), tally(self.tracker.table[row]))
        return ""
