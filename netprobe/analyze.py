"""The driver of saved captures: the records of a file through the same core as a live scan's.

A file that a scan saved gives the scan's verdicts again, word for word, since each is made at the same record from
the same ones before
it. In any other capture each connection attempt gets a verdict of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from netprobe.attempts import Attempt, Form
from netprobe.errors import NetprobeError
from netprobe.model import Frame, Mode, Record, SettledFact, TargetFact, Verdict
from netprobe.options import AnalyzeOptions
from netprobe.report import CaptureStatus, Report
from netprobe.verdict import diagnose
from netprobe.watch import Watch
from netprobe.wire.capture import CaptureReader

# Frames are handed to the tracker in batches of this many.
BATCH = 4096


@dataclass(slots=True)
class Analysis:
    """What one file gave."""

    verdicts: list[Verdict]
    status: CaptureStatus


def run(options: AnalyzeOptions, on_verdict: Callable[[Verdict], None], notice: Callable[[str], None]) -> Report:
    """Analyze each file for itself. Raises UnreadableCapture when the first can't be read at all."""
    started = time.time_ns()
    done: list[Analysis] = []
    interrupted = False
    failure: NetprobeError | None = None
    try:
        for path in options.files:
            try:
                done.append(analyze(path, options, on_verdict))
            except NetprobeError as error:
                if len(options.files) == 1:
                    raise
                notice(str(error))
                failure = failure or error
    except KeyboardInterrupt:
        interrupted = True
    if not done and failure is not None:
        raise failure
    return Report(
        command="analyze",
        started_ns=started,
        finished_ns=time.time_ns(),
        mode=Mode.CAPTURE,
        verdicts=tuple(verdict for one in done for verdict in one.verdicts),
        capture=CaptureStatus(
            packets=sum(one.status.packets for one in done),
            dropped=sum(one.status.dropped for one in done),
            unsolicited=sum(one.status.unsolicited for one in done),
            damage=tuple(line for one in done for line in one.status.damage),
        ),
        interrupted=interrupted,
        failure=str(failure) if failure is not None else None,
    )


def analyze(path: Path, options: AnalyzeOptions, on_verdict: Callable[[Verdict], None]) -> Analysis:
    """The verdicts of one file."""
    reader = CaptureReader(path)
    watch = Watch()
    verdicts: list[tuple[int, Verdict]] = []

    def give(target: TargetFact, now_ns: int, only: Attempt | None = None) -> None:
        if options.servers and target.address not in options.servers:
            return
        verdict = diagnose(watch.evidence(target, now_ns, only))
        verdicts.append((target.number, verdict))
        on_verdict(verdict)

    scanned = False
    open_targets: dict[tuple[str, str | None, int], TargetFact] = {}
    for batch in _batches(reader):
        watch.receive(batch)
        last = batch[-1]
        if isinstance(last, TargetFact):
            scanned = True
            open_targets[last.target, last.address, last.port] = last
        elif isinstance(last, SettledFact):
            target = open_targets.pop((last.target, last.address, last.port), None)
            if target is not None:
                give(target, last.time_ns)
    for target in open_targets.values():  # the scan, or its file, ended before these had settled
        give(target, watch.last_ns)
    if not scanned:
        for attempt in watch.attempts():
            give(_as_target(attempt), watch.last_ns, attempt)
    damage = tuple(f"{path}: {one}" for one in reader.damage)
    dropped = max(reader.dropped, watch.dropped)
    return Analysis(
        [verdict for _, verdict in sorted(verdicts, key=lambda pair: pair[0])],  # in the order they were begun
        CaptureStatus(packets=watch.packets, dropped=dropped, unsolicited=watch.unsolicited, damage=damage),
    )


def _batches(records: CaptureReader) -> Iterator[list[Record]]:
    """Records in batches that end with the facts at which a verdict begins or is due."""
    batch: list[Record] = []
    for record in records:
        batch.append(record)
        if isinstance(record, TargetFact | SettledFact) or (len(batch) >= BATCH and isinstance(record, Frame)):
            yield batch
            batch = []
    if batch:
        yield batch


def _as_target(attempt: Attempt) -> TargetFact:
    """What a connection attempt of a stranger's capture was after: its port says what was expected."""
    return replace(
        TargetFact(
            target=attempt.server.address, address=attempt.server.address, port=attempt.server.port, mode=Mode.RAW
        ),
        expect="ssh" if attempt.server.port == 22 or attempt.form is not Form.SYN else "any",
    )
