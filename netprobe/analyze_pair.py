"""The driver of two captures of the same conversations: both are read through the tracker, then compared."""

from __future__ import annotations

import array
import time
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from netprobe.attempts import Form, Segment, attempt
from netprobe.evidence import Evidence, collect, host_of
from netprobe.model import Mode, Verdict
from netprobe.options import AnalyzeOptions
from netprobe.pairing.compare import Comparison
from netprobe.pairing.side import Conversation, Side
from netprobe.report import CaptureStatus, PairStatus, Report
from netprobe.settling.kinds import as_target
from netprobe.tracker import INTERPRETED, Tracker, columns
from netprobe.tracker.classes import settled_ns
from netprobe.tracker.decode import decode
from netprobe.tracker.hosts import recall_host
from netprobe.wire.capture import Batch, CaptureReader

OnVerdict = Callable[[Verdict], None]
Notice = Callable[[str], None]


def run(options: AnalyzeOptions, on_verdict: OnVerdict, notice: Notice) -> Report:
    """Compare the two captures of `options.pair`, the client's and the server's. Raises UnreadableCapture."""
    assert options.pair is not None
    started = time.time_ns()
    readers = [_Reading(path, name) for path, name in zip(options.pair, ("client", "server"), strict=True)]
    for reading in readers:
        reading.read()
        for line in reading.notices:
            notice(line)
    client, server = readers
    wanted = options.selection.also(options.servers)
    comparison = Comparison(client.side, server.side)
    verdicts = []
    for verdict in comparison.verdicts(client.evidence, server.evidence):
        if wanted.verdict(verdict):
            verdicts.append(verdict)
            on_verdict(verdict)
    causes = Counter(verdict.cause for verdict in verdicts)
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
        pair=_status(comparison, client.side, server.side),
    )


def _status(comparison: Comparison, client: Side, server: Side) -> PairStatus:
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
    )


class _Reading:
    """One of the captures, read to its end: its side, and what the tracker made of each attempt."""

    def __init__(self, path: Path, whose: str) -> None:
        self._reader = CaptureReader(path)
        self._whose = whose
        self._tracker = Tracker(reuses=True, engine=INTERPRETED)
        self._decoded = [0] * columns.DECODED
        self.side = Side(str(path))
        self.notices: tuple[str, ...] = ()
        self.damage: tuple[str, ...] = ()

    @property
    def unsolicited(self) -> int:
        """Packets that answer nothing that was sent."""
        return self._tracker.count(columns.N_UNSOLICITED)

    def read(self) -> None:
        """Take all frames in."""
        touched = [0] * 65536
        for batch in self._reader.batches():
            at = 0
            while at < batch.count:
                begin, at = at, self._advance(batch, at, touched)
                for i in range(begin, at):
                    self._keep(batch, i, touched[i])
                if at < batch.count:
                    self._settle(self._tracker.settled())
        self._settle(self._tracker.settled(everything=True))
        self.side.dropped = self._reader.dropped
        self.notices, self.damage = self._reader.notice_lines, self._reader.damage_lines

    def _advance(self, batch: Batch, at: int, touched: list[int]) -> int:
        return self._tracker.advance(
            batch.buffer,
            at,
            batch.count,
            batch.starts,
            batch.ends,
            batch.links,
            batch.times,
            batch.numbers,
            batch.outgoings,
            touched,
        )

    def _keep(self, batch: Batch, i: int, row: int) -> None:
        d = self._decoded
        self.side.at(batch.times[i])
        start, end = batch.starts[i], batch.ends[i]
        decode(batch.buffer, start, end, batch.links[i], d)
        if d[columns.D_PROTOCOL] < columns.DECODABLE:
            r = self._tracker.table[row] if row >= 0 else None
            self.side.receive(d, batch.numbers[i], batch.times[i], bytes(batch.buffer[start:end]), r)

    def _settle(self, settled: list[int]) -> None:
        tracker = self._tracker
        for row in settled:
            r = tracker.table[row]
            if r[columns.KIND] != columns.K_TCP:
                continue
            recall_host(r, tracker.hosts)
            talk = r[columns.TALK]
            at = (talk - 1) * columns.TALK_WIDTH
            said = bytes(tracker.talks[at : at + columns.TALK_WIDTH]) if talk else b""
            packed = array.array("q", [*r, settled_ns(r, tracker.clock_ns)]).tobytes()
            self.side.settle(int(r[columns.BORN]), zlib.compress(packed + said, 1))
        tracker.release(settled)

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


def _payload(said: bytes) -> Any:
    def payload(segment: Segment) -> bytes:
        end = min(segment.offset + segment.seen, columns.S_KEPT)
        return said[segment.offset : end] if segment.offset < end else b""

    return payload
