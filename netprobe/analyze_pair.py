"""The driver of two captures of the same conversations: both are read through the tracker, then compared."""

from __future__ import annotations

import array
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from netprobe.attempts import Form, Segment, attempt
from netprobe.evidence import Evidence, collect, host_of
from netprobe.model import Mode, Verdict
from netprobe.options import AnalyzeOptions
from netprobe.pairing import gather
from netprobe.pairing.compare import Comparison
from netprobe.pairing.side import Conversation, Side
from netprobe.report import CaptureStatus, PairStatus, Report
from netprobe.settling import engines, jit
from netprobe.settling.flow import Flow
from netprobe.settling.kinds import as_target
from netprobe.tracker import Engine, Tracker, columns, link, network, octets, transport, tunnels
from netprobe.tracker import decode as decoding
from netprobe.tracker.classes import settled_ns
from netprobe.tracker.hosts import recall_host
from netprobe.tracker.rows import server_room
from netprobe.wire.capture import Batch, CaptureReader

CHUNK = 4096  # frames whose headers are decoded at once

OnVerdict = Callable[[Verdict], None]
Notice = Callable[[str], None]


def run(options: AnalyzeOptions, on_verdict: OnVerdict, notice: Notice, *, keep: bool = True) -> Report:
    """Compare the two captures of `options.pair`, the client's and the server's. `on_verdict` gets each verdict; with
    `keep`, they are in the report, too. Raises UnreadableCapture."""
    assert options.pair is not None
    started = time.time_ns()
    readers = [
        _Reading(path, name, options, notice) for path, name in zip(options.pair, ("client", "server"), strict=True)
    ]
    for reading in readers:
        reading.read()
        for line in reading.notices:
            notice(line)
    client, server = readers
    wanted = options.selection.also(options.servers)
    comparison = Comparison(client.side, server.side)
    verdicts = []
    causes: Counter[str] = Counter()
    sides: Counter[str] = Counter()
    interrupted = False
    try:
        for verdict in comparison.verdicts(client.evidence, server.evidence):
            if wanted.verdict(verdict):
                causes[verdict.cause] += 1
                if verdict.cause != "up" and verdict.pair is not None:
                    sides[verdict.pair.side or "unknown"] += 1
                if keep:
                    verdicts.append(verdict)
                on_verdict(verdict)
    except KeyboardInterrupt:
        interrupted = True
    return Report(
        command="analyze",
        started_ns=started,
        finished_ns=time.time_ns(),
        mode=Mode.CAPTURE,
        verdicts=tuple(verdicts),
        causes=dict(causes.most_common()),
        capture=CaptureStatus(
            packets=sum(one.side.frames for one in readers),
            dropped=sum(one.side.dropped for one in readers),
            unsolicited=sum(one.unsolicited for one in readers),
            damage=tuple(line for one in readers for line in one.damage),
        ),
        interrupted=interrupted,
        pair=_status(comparison, client.side, server.side, sides),
    )


def _status(comparison: Comparison, client: Side, server: Side, sides: Counter[str]) -> PairStatus:
    tally, clocks = comparison.tally, comparison.clocks
    return PairStatus(
        client=client.name,
        server=server.name,
        both=tally.both,
        client_only=tally.client_only,
        server_only=tally.server_only,
        offset_ns=clocks.offset_ns,
        uncertainty_ns=clocks.uncertainty_ns,
        bound=clocks.bound,
        drift_ppm=clocks.drift_ppm,
        round_trip_ns=clocks.round_trip_ns,
        there=clocks.there,
        back=clocks.back,
        missed=(client.missed, server.missed),
        unsteady=clocks.unsteady,
        sides=dict(sides.most_common()),
    )


class _Reading:
    """One of the captures, read to its end: its side, and what the tracker made of each attempt."""

    def __init__(self, path: Path, whose: str, options: AnalyzeOptions, notice: Notice) -> None:
        self._reader = CaptureReader(path)
        self._whose = whose
        self._engine = engines.choose(self._reader.size, notice, options.compiled)
        self._depth = options.depth
        self._tracker = Tracker(
            reuses=True, engine=self._engine, capacity=16384 if self._engine.compiled else 64, depth=self._depth
        )
        self._decoder = _Decoder(self._engine, self._depth, notice)
        self._batch: Batch | None = None
        self.side = Side(self._reader.name)
        self.notices: tuple[str, ...] = ()
        self.damage: tuple[str, ...] = ()

    @property
    def unsolicited(self) -> int:
        """Packets that answer nothing that was sent."""
        return self._tracker.count(columns.N_UNSOLICITED)

    def read(self) -> None:
        """Take all frames in."""
        engine = self._engine
        compile_ = (lambda loop: getattr(engine.functions, loop.__name__)) if engine.compiled else None
        flow = Flow(self._tracker, engine, self._settle, self)
        for batch in self._reader.batches(compiled=compile_):
            self._batch = batch
            flow.feed(batch)
        flow.finish()
        flow.close()
        self.side.dropped = self._reader.dropped
        self.notices, self.damage = self._reader.notice_lines, self._reader.damage_lines

    def take(self, numbers: Sequence[int], first: int, last: int, touched: Sequence[int]) -> None:
        """Frames first..last-1 of the batch have gone through the tracker: keep what is worth it."""
        batch = self._batch
        assert batch is not None
        table, side = self._tracker.table, self.side
        for i, d in self._decoder.decoded(batch, first, last):
            time_ns = int(batch.times[i])
            side.at(time_ns)
            if d[columns.D_PROTOCOL] < columns.DECODABLE:
                row = touched[i]
                data = bytes(batch.buffer[batch.starts[i] : batch.ends[i]])
                side.receive(d, int(numbers[i]), time_ns, data, table[row] if row >= 0 else None)

    def _settle(self, settled: Sequence[int]) -> None:
        tracker = self._tracker
        for row in settled:
            r = tracker.table[row]
            if r[columns.KIND] != columns.K_TCP:
                continue
            numbers = r.tolist() if self._engine.compiled else r
            recall_host(numbers, tracker.hosts)
            talk = numbers[columns.TALK]
            at = (talk - 1) * columns.TALK_WIDTH
            said = bytes(tracker.talks[at : at + columns.TALK_WIDTH]) if talk else b""
            packed = array.array("q", [*map(int, numbers), settled_ns(numbers, tracker.clock_ns)]).tobytes()
            self.side.settle(numbers[columns.BORN], zlib.compress(packed + said, 1))

    def evidence(self, talk: Conversation) -> Evidence | None:
        """What this capture alone shows of an attempt; None of a conversation that is none."""
        if not talk.row:
            return None
        packed = zlib.decompress(talk.row)
        size = 8 * (columns.WIDTH + 1)
        numbers = array.array("q", packed[:size]).tolist()
        r, now = numbers[:-1], numbers[-1]
        a = attempt(r)
        if a.form not in (Form.SYN, Form.BARE_SYN) or (a.limited and self._whose == "client"):
            return None
        return collect(as_target(a), [a], (), _payload(packed[size:]), now, host_of(r), self._whose)


class _Decoder:
    """Headers of frames, one by one or, with compiled loops, many at once."""

    def __init__(self, engine: Engine, depth: int, notice: Notice) -> None:
        self._depth = depth
        self._one = [0] * columns.DECODED
        self._gather: Any = None
        if engine.compiled:
            modules = (octets, link, network, transport, tunnels, decoding, gather)
            self._gather = jit.compiled(modules, (gather.gather,), (decoding.straight,), (), notice)["gather"]
            self._rows: Any = None

    def decoded(self, batch: Batch, first: int, last: int) -> Iterator[tuple[int, Sequence[int]]]:
        """The index of each frame and its columns D_*, valid until the next one."""
        if self._gather is None:
            for i in range(first, last):
                decoding.decode(batch.buffer, batch.starts[i], batch.ends[i], batch.links[i], self._one, self._depth)
                yield i, self._one
            return
        import numpy as np

        if self._rows is None:
            self._rows = np.zeros((CHUNK, columns.DECODED), dtype=np.int64)
        for begin in range(first, last, CHUNK):
            end = min(begin + CHUNK, last)
            self._gather(batch.buffer, batch.starts, batch.ends, batch.links, begin, end, self._depth, self._rows)
            yield from enumerate(self._rows[: end - begin].tolist(), begin)


def _payload(said: bytes) -> Any:
    def payload(segment: Segment) -> bytes:
        return said[segment.offset : min(segment.offset + segment.seen, server_room(said, 0))] if said else b""

    return payload
