"""JSON lines of settled attempts, put together in large pieces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from netprobe.settling.kinds import Kind, Settling
from netprobe.settling.patterns import Pattern
from netprobe.tracker import Engine

# So many bytes are put together before they are handed on; no line is longer.
AT_ONCE = 8 << 20
ROWS_AT_ONCE = 4096


class Lines:
    """Writes the lines of settled rows; `on_lines` gets them."""

    def __init__(self, settling: Settling, engine: Engine, on_lines: Callable[[bytes], None]) -> None:
        self._settling = settling
        self._engine = engine
        self._on_lines = on_lines
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
        together: list[tuple[int, Kind]] = []
        for row, kind in self._settling.kinds(settled):
            causes[kind.verdict.cause] += 1
            together.append((row, kind))
        if not self._engine.compiled:
            text = "".join(self._settling.line(row, kind) for row, kind in together)
            self._on_lines(text.encode("ascii"))
            return
        begin = 0
        for i, (row, kind) in enumerate(together):
            if kind.pattern is None:
                self._fill(together[begin:i])
                self._on_lines(self._settling.line(row, kind).encode("ascii"))
                begin = i + 1
            elif kind.begin < 0:
                self._enter(kind, kind.pattern)
        self._fill(together[begin:])

    def _enter(self, kind: Kind, made: Pattern) -> None:
        """Lay a pattern out for the compiled code."""
        kind.begin = len(self._patterns)
        self._patterns.append(len(made.pieces))
        for piece, gap in zip(made.pieces, (*made.gaps, 0), strict=True):
            data = piece.encode("ascii")
            self._patterns += (len(self._literals), len(data), gap)
            self._literals += data
        self._packed = None

    def _fill(self, together: Sequence[tuple[int, Kind]]) -> None:
        if not together:
            return
        import numpy as np

        if not len(self._out):
            self._out = np.zeros(AT_ONCE, dtype=np.uint8)
        if self._packed is None:
            patterns = np.array(self._patterns, dtype=np.int64)
            self._packed = patterns, np.frombuffer(bytes(self._literals), dtype=np.uint8)
        tracker = self._settling.tracker
        rows = np.array([row for row, _ in together], dtype=np.int64)
        chosen = np.array([kind.begin for _, kind in together], dtype=np.int64)
        at = 0
        while at < len(together):
            at = self._engine.functions.fill(
                tracker.table,
                rows,
                at,
                len(together),
                chosen,
                *self._packed,
                tracker.clock_ns,
                self._out,
                self._state,
            )
            self._on_lines(self._out[: int(self._state[0])].data)
