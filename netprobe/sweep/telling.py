"""A settled window becomes JSON lines, outlines or verdicts: what each outlet of a run wants.

House rules of this file:
1. Lines of one kind are put together in one go, column by column; nothing is done for each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from netprobe.model import Verdict
from netprobe.report import json
from netprobe.report.details import where
from netprobe.report.summary import Outline, Outlines, Place, endpoint, outlined
from netprobe.settling import patterns
from netprobe.settling.outlets import Outlets
from netprobe.sweep.kinds import Ends, Kind
from netprobe.tracker import columns
from netprobe.wire.bulk import texts

Words = NDArray[np.uint64]
SECOND = 1_000_000_000
# Lines put together at a time: what stays in a processor's cache takes half the time of what doesn't.
AT_ONCE = 128
FIRST_FRAME = patterns.FRAME_OF + columns.FIRST + columns.FRAME
FIRST_TIME = patterns.TIME_OF + columns.FIRST + columns.TIME


class Rows(NamedTuple):
    """Pairs of one kind: their addresses, ports, the senders of errors (or none), when the first SYN left, when the
    answer came, until when silence was watched."""

    high: Words
    low: Words
    port: int
    client_ports: Words
    sender_high: Words
    sender_low: Words
    sent: NDArray[np.int64]
    heard: NDArray[np.int64]
    now_ns: int

    def part(self, first: int, last: int) -> Rows:
        """Some of them."""
        s = slice(first, last)
        return Rows(
            self.high[s], self.low[s], self.port, self.client_ports[s], self.sender_high[s], self.sender_low[s],
            self.sent[s], self.heard[s], self.now_ns,
        )  # fmt: skip


class Telling:
    """Hands out what a sweep found. `frames` counts the packets that lines cite."""

    def __init__(
        self, version: int, source: str, outlets: Outlets, on_verdict: Callable[[Verdict], None] = lambda _: None
    ) -> None:
        self._on_verdict = on_verdict
        self._version = version
        self._source = source
        self._outlets = outlets
        self.between: Callable[[], None] = lambda: None  # what can't wait until all of a window is told
        self.causes: Counter[str] = Counter()
        self.states: Counter[str] = Counter()
        self.frames = 0

    def count(self, kind: Kind, count: int) -> None:
        """Pairs of which nothing else is told."""
        self.causes[kind.verdict.cause] += count
        self.states[kind.verdict.state] += count

    def tell(self, kind: Kind, rows: Rows) -> None:
        """Count them, and give them to every outlet."""
        self.count(kind, len(rows.low))
        for at in range(0, len(rows.low), AT_ONCE):
            self._tell(kind, rows.part(at, at + AT_ONCE))
            self.between()

    def _tell(self, kind: Kind, rows: Rows) -> None:
        count = len(rows.low)
        outlets = self._outlets
        if outlets.lines is not None or outlets.sinks:
            lines = self._lines(kind, rows)
            if outlets.lines is not None:
                outlets.lines(lines.encode("ascii"))
            for sink in outlets.sinks:
                for line in lines.splitlines(keepends=True):
                    sink.row(line, None)
        if outlets.outlines is not None:
            self._outlines(kind, rows, outlets.outlines)
        self.frames += 2 * count

    def give(self, verdict: Verdict) -> None:
        """One verdict that has no kind."""
        self.causes[verdict.cause] += 1
        self.states[verdict.state] += 1
        outlets = self._outlets
        if outlets.lines is not None:
            outlets.lines(json.line(verdict).encode("ascii"))
        for sink in outlets.sinks:
            sink.row(json.line(verdict), None)
        if outlets.outlines is not None and outlets.outlines(outlined([verdict])):
            self._on_verdict(verdict)

    def _lines(self, kind: Kind, rows: Rows) -> str:
        known = {gap: self._column(gap, rows) for gap in set(kind.gaps)}
        line = [""] * (2 * len(kind.gaps) + 1)
        line[::2] = kind.pieces
        text = line * len(rows.low)
        for n, gap in enumerate(kind.gaps):
            text[2 * n + 1 :: len(line)] = known[gap]
        return "".join(text)

    def _column(self, gap: int, rows: Rows) -> Sequence[str]:
        count = len(rows.low)
        if gap == patterns.SERVER_TEXT:
            return texts(self._version, rows.high, rows.low)
        if gap == patterns.CLIENT_TEXT:
            return [self._source] * count
        if gap == patterns.SENDER_TEXT:
            return texts(self._version, rows.sender_high, rows.sender_low)
        if gap == patterns.CLIENT_PORT:
            return list(map(str, rows.client_ports.tolist()))
        if gap == FIRST_FRAME:
            return list(map(str, range(self.frames + 1, self.frames + 2 * count, 2)))
        if gap == FIRST_TIME:
            return seconds(rows.sent)
        if gap >= patterns.TIME_OF:
            return seconds(rows.heard)
        if gap >= patterns.FRAME_OF:
            return list(map(str, range(self.frames + 2, self.frames + 2 * count + 1, 2)))
        passed = rows.heard - rows.sent
        if gap == patterns.RTT:
            return [repr(micros / 1000) for micros in ((passed + 500) // 1000).tolist()]
        if gap == patterns.DELAY:
            return [f"{tenths // 10}.{tenths % 10}" for tenths in ((passed + 50_000_000) // 100_000_000).tolist()]
        assert gap == patterns.WAITED, gap
        return list(map(str, ((rows.now_ns - rows.sent + 500_000_000) // SECOND).tolist()))

    def _outlines(self, kind: Kind, rows: Rows, note: Callable[[Outlines], Sequence[int]]) -> None:
        like = kind.verdict
        place = "-" if like.cause == "up" else where(like.origin, like.address)
        made_up = like.origin.address
        targets = texts(self._version, rows.high, rows.low)
        senders: Sequence[str] = targets
        if made_up is not None and made_up != like.address:
            senders = texts(self._version, rows.sender_high, rows.sender_low)
        if made_up is None and kind.errs:
            senders = texts(self._version, rows.sender_high, rows.sender_low)
        told = (like.rule, like.state, like.cause, like.certainty)
        places = [place] * len(targets) if made_up is None else [place.replace(made_up, sender) for sender in senders]
        servers = [endpoint(target, rows.port) for target in targets]
        outlines = [Outline(*told, Place(*both)) for both in zip(servers, places, strict=True)]
        frames = range(self.frames + 1, self.frames + 1 + 2 * len(targets), 2)
        sent = rows.sent.tolist()
        for n in note(Outlines(outlines, range(len(outlines)), frames, sent)):
            ends = Ends(targets[n], self._source, int(rows.client_ports[n]), senders[n])
            self._on_verdict(kind.one(ends, frames[n], sent[n], int(rows.heard[n]), rows.now_ns))


def seconds(times: NDArray[np.int64]) -> list[str]:
    """Nanoseconds as seconds with nine decimals."""
    if len(times) and (times == times[0]).all():  # sent in one go
        return [f"{times[0] // SECOND}.{times[0] % SECOND:09d}"] * len(times)
    return [f"{text[:-9]}.{text[-9:]}" for text in (str(one).zfill(10) for one in times.tolist())]


def alike(keys: Words) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Each value among `keys` with where it is."""
    if not len(keys):
        return
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    for start, end in zip(starts.tolist(), [*starts[1:].tolist(), len(keys)], strict=True):
        yield int(ordered[start]), order[start:end]
