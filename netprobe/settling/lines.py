"""JSON lines of settled attempts, put together in large pieces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from netprobe.settling.kinds import Settling
from netprobe.settling.patterns import Pattern
from netprobe.tracker import Engine

# So many bytes are put together before they are handed on, few enough for a processor's cache; no line is longer.
AT_ONCE = 1 << 20
ROWS_AT_ONCE = 4096


class Lines:
    """Writes the lines of settled rows; `on_lines` gets them."""

    def __init__(self, settling: Settling, engine: Engine, on_lines: Callable[[bytes], None]) -> None:
        self._settling = settling
        self._engine = engine
        self._on_lines = on_lines
        self._begins: list[int] = []  # of each kind, by its number: where its pattern begins; -1 without one
        self._patterns: list[int] = []
        self._literals = bytearray()
        self._packed: tuple[Any, Any] | None = None
        self._out: Any = b""
        self._state = engine.integers(1)

    def give(self, settled: Sequence[int], causes: Counter[str]) -> None:
        """The lines of these rows, in order."""
        for begin in range(0, len(settled), ROWS_AT_ONCE):
            self._give(settled[begin : begin + ROWS_AT_ONCE], causes)

    def _give(self, settled: Sequence[int], causes: Counter[str]) -> None:
        if not self._engine.compiled:
            text = []
            for row, kind in self._settling.kinds(settled):
                causes[kind.verdict.cause] += 1
                text.append(self._settling.line(row, kind))
            self._on_lines("".join(text).encode("ascii"))
            return
        import numpy as np

        rows, numbers = self._settling.numbered(settled)
        known = self._settling.known
        for number, count in enumerate(np.bincount(numbers).tolist()):
            if count:
                causes[known[number].verdict.cause] += count
        for kind in known[len(self._begins) :]:
            self._begins.append(-1 if kind.pattern is None else self._enter(kind.pattern))
        chosen = np.array(self._begins, dtype=np.int64)[numbers]
        begin = 0
        for alone in np.flatnonzero(chosen < 0).tolist():
            self._fill(rows[begin:alone], chosen[begin:alone])
            self._on_lines(self._settling.line(int(rows[alone]), known[numbers[alone]]).encode("ascii"))
            begin = alone + 1
        self._fill(rows[begin:], chosen[begin:])

    def _enter(self, made: Pattern) -> int:
        """Lay a pattern out for the compiled code; where it begins."""
        begin = len(self._patterns)
        self._patterns.append(len(made.pieces))
        for piece, gap in zip(made.pieces, (*made.gaps, 0), strict=True):
            data = piece.encode("ascii")
            self._patterns += (len(self._literals), len(data), gap)
            self._literals += data
        self._packed = None
        return begin

    def _fill(self, rows: Any, chosen: Any) -> None:
        """The lines of rows whose patterns begin where `chosen` has it."""
        if not len(rows):
            return
        import numpy as np

        if not len(self._out):
            self._out = np.zeros(AT_ONCE, dtype=np.uint8)
        if self._packed is None:
            patterns = np.array(self._patterns, dtype=np.int64)
            self._packed = patterns, np.frombuffer(bytes(self._literals), dtype=np.uint8)
        tracker = self._settling.tracker
        at = 0
        while at < len(rows):
            at = self._engine.functions.fill(
                tracker.table,
                rows,
                at,
                len(rows),
                chosen,
                *self._packed,
                tracker.clock_ns,
                self._out,
                self._state,
            )
            self._on_lines(self._out[: int(self._state[0])].data)
