"""The driver of saved captures: the frames of a file through the same core as a live scan's.

A file that a scan saved gives the scan's verdicts again, word for word, since each is made at the same record from
the same ones before it. In any other capture each connection attempt gets a verdict of its own when it settles.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from netprobe.errors import NetprobeError
from netprobe.model import Fact, Frame, Mode, Record, SettledFact, TargetFact, Verdict
from netprobe.options import AnalyzeOptions
from netprobe.report import CaptureStatus, Report
from netprobe.report import json as report_json
from netprobe.settling import engines
from netprobe.settling.kinds import Settling
from netprobe.settling.lines import Lines
from netprobe.tracker import Engine, columns
from netprobe.verdict import diagnose
from netprobe.watch import Watch
from netprobe.wire.capture import Batch, CaptureReader
from netprobe.wire.merge import MergedCaptures

OnVerdict = Callable[[Verdict], None]
OnLines = Callable[[bytes], None]
Notice = Callable[[str], None]


@dataclass(slots=True)
class Analysis:
    """What one file gave. `verdicts` are empty where lines were asked for; `causes` count either."""

    verdicts: list[Verdict]
    status: CaptureStatus
    causes: Counter[str] = field(default_factory=Counter)


def run(options: AnalyzeOptions, on_verdict: OnVerdict, notice: Notice, on_lines: OnLines | None = None) -> Report:
    """Analyze each file for itself, or all as one stream (`options.together`). With `on_lines`, verdicts are handed
    out as JSON lines and not kept. Raises UnreadableCapture when the first can't be read at all."""
    started = time.time_ns()
    done: list[Analysis] = []
    interrupted = False
    failure: NetprobeError | None = None
    try:
        if options.together:
            merged = MergedCaptures(options.files)
            for error in merged.unreadable:
                notice(str(error))
                failure = failure or error
            done.append(_read(merged, options, on_verdict, notice, on_lines))
        for path in options.files if not options.together else ():
            try:
                done.append(analyze(path, options, on_verdict, notice, on_lines))
            except NetprobeError as error:
                if len(options.files) == 1:
                    raise
                notice(str(error))
                failure = failure or error
    except KeyboardInterrupt:
        interrupted = True
    if not done and failure is not None:
        raise failure
    causes: Counter[str] = Counter()
    for one in done:
        causes.update(one.causes)
    return Report(
        command="analyze",
        started_ns=started,
        finished_ns=time.time_ns(),
        mode=Mode.CAPTURE,
        verdicts=tuple(verdict for one in done for verdict in one.verdicts),
        causes=dict(causes.most_common()),
        capture=CaptureStatus(
            packets=sum(one.status.packets for one in done),
            dropped=sum(one.status.dropped for one in done),
            unsolicited=sum(one.status.unsolicited for one in done),
            damage=tuple(line for one in done for line in one.status.damage),
        ),
        interrupted=interrupted,
        failure=str(failure) if failure is not None else None,
    )


def analyze(
    path: Path,
    options: AnalyzeOptions,
    on_verdict: OnVerdict,
    notice: Notice = lambda _: None,
    on_lines: OnLines | None = None,
) -> Analysis:
    """The verdicts of one file."""
    return _read(CaptureReader(path), options, on_verdict, notice, on_lines)


def _read(
    reader: CaptureReader | MergedCaptures,
    options: AnalyzeOptions,
    on_verdict: OnVerdict,
    notice: Notice,
    on_lines: OnLines | None,
) -> Analysis:
    engine = engines.choose(reader.size, notice, options.compiled)
    compile_ = (lambda loop: getattr(engine.functions, loop.__name__)) if engine.compiled else None
    batches = reader.batches(compiled=compile_)
    first = next(batches, None)
    if first is not None and any(isinstance(fact, TargetFact) for _, fact in first.facts):
        found = _scan(_records(first, batches), options, on_verdict, on_lines)
    else:
        found = _capture(_chained(first, batches), options, engine, on_verdict, on_lines)
    found.status = CaptureStatus(
        packets=found.status.packets,
        dropped=max(reader.dropped, found.status.dropped),
        unsolicited=found.status.unsolicited,
        damage=reader.damage_lines,
    )
    for line in reader.notice_lines:
        notice(line)
    return found


# --------------------------------------------------------------------------- a stranger's capture


def _capture(
    batches: Iterator[Batch], options: AnalyzeOptions, engine: Engine, on_verdict: OnVerdict, on_lines: OnLines | None
) -> Analysis:
    """Each attempt's verdict, as it settles; in the end, in order of their first packets."""
    settling = Settling(engine, capacity=16384 if engine.compiled else 64)
    tracker = settling.tracker
    verdicts: list[tuple[int, Verdict]] = []
    causes: Counter[str] = Counter()
    touched = engine.integers(65536)
    lines = Lines(settling, engine, on_lines) if on_lines is not None and not options.servers else None

    def give(settled: list[int]) -> None:
        if lines is not None:
            lines.give(settled, causes)
            return
        for row, _ in settling.kinds(settled):
            verdict = settling.verdict(row)
            if options.servers and verdict.address not in options.servers:
                continue
            causes[verdict.cause] += 1
            if on_lines is not None:
                on_lines(report_json.line(verdict).encode("ascii"))
            else:
                verdicts.append((int(tracker.table[row][columns.BORN]), verdict))
                on_verdict(verdict)

    for batch in batches:
        at = 0
        while at < batch.count:
            at = tracker.advance(
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
            if at < batch.count:
                settled = tracker.settled()
                give(settled)
                tracker.release(settled)
    give(tracker.settled(everything=True))
    status = CaptureStatus(packets=tracker.count(columns.N_FRAMES), unsolicited=tracker.count(columns.N_UNSOLICITED))
    return Analysis([verdict for _, verdict in sorted(verdicts, key=lambda pair: pair[0])], status, causes)


# --------------------------------------------------------------------------- a saved scan


def _scan(
    batches: Iterator[list[Record]], options: AnalyzeOptions, on_verdict: OnVerdict, on_lines: OnLines | None
) -> Analysis:
    """A verdict at the end of each target's observation."""
    watch = Watch()
    verdicts: list[tuple[int, Verdict]] = []

    def give(target: TargetFact, now_ns: int) -> None:
        if options.servers and target.address not in options.servers:
            return
        verdict = diagnose(watch.evidence(target, now_ns))
        verdicts.append((target.number, verdict))
        if on_lines is not None:
            on_lines(report_json.line(verdict).encode("ascii"))
        else:
            on_verdict(verdict)

    open_targets: dict[tuple[str, str | None, int], TargetFact] = {}
    for batch in batches:
        watch.receive(batch)
        last = batch[-1]
        if isinstance(last, TargetFact):
            open_targets[last.target, last.address, last.port] = last
        elif isinstance(last, SettledFact):
            target = open_targets.pop((last.target, last.address, last.port), None)
            if target is not None:
                give(target, last.time_ns)
    for target in open_targets.values():  # the scan, or its file, ended before these had settled
        give(target, watch.last_ns)
    ordered = [verdict for _, verdict in sorted(verdicts, key=lambda pair: pair[0])]  # in the order they were begun
    status = CaptureStatus(packets=watch.packets, dropped=watch.dropped, unsolicited=watch.unsolicited)
    return Analysis(ordered, status, Counter(verdict.cause for verdict in ordered))


def _records(first: Batch, batches: Iterator[Batch]) -> Iterator[list[Record]]:
    """The records of a scan in lists that end with the facts at which a verdict begins or is due."""
    together: list[Record] = []
    for batch in _chained(first, batches):
        facts: list[tuple[int, Fact]] = [*batch.facts]
        for i in range(batch.count + 1):
            while facts and facts[0][0] == i:
                together.append(facts.pop(0)[1])
                if isinstance(together[-1], TargetFact | SettledFact):
                    yield together
                    together = []
            if i < batch.count:
                together.append(_frame(batch, i))
    if together:
        yield together


def _frame(batch: Batch, i: int) -> Frame:
    way = int(batch.outgoings[i])
    return Frame(
        int(batch.numbers[i]),
        int(batch.times[i]),
        int(batch.links[i]),
        bytes(batch.buffer[batch.starts[i] : batch.ends[i]]),
        int(batch.lengths[i]),
        None if way < 0 else bool(way),
    )


def _chained(first: Batch | None, others: Iterator[Batch]) -> Iterator[Batch]:
    if first is not None:
        yield first
    yield from others
