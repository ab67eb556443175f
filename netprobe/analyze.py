"""The driver of saved captures: the frames of a file through the same core as a live scan's.

A file that a scan saved gives the scan's verdicts again, word for word, since each is made at the same record from
the same ones before it. In any other capture each connection attempt gets a verdict of its own when it settles.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from netprobe.errors import CannotMeasure, NetprobeError
from netprobe.interrupts import Interrupts, check
from netprobe.ladder import LadderOf, Log
from netprobe.model import Fact, Mode, Record, SettledFact, TargetFact, Verdict
from netprobe.options import AnalyzeOptions
from netprobe.probelog import log_of
from netprobe.report import CaptureStatus, CrossCheck, Report
from netprobe.report import json as report_json
from netprobe.report.summary import outlined
from netprobe.rereading import ladder_of
from netprobe.settling import engines
from netprobe.settling.flow import Flow, Taker
from netprobe.settling.giving import NO_OUTLETS, Giving, Outlets
from netprobe.settling.kinds import Settling
from netprobe.steps import ladder
from netprobe.tracker import columns
from netprobe.tracker.undecoded import TUNNEL
from netprobe.verdict import diagnose
from netprobe.watch import Watch
from netprobe.wire.batches import Compile
from netprobe.wire.capture import Batch, CaptureReader
from netprobe.wire.merge import MergedCaptures

if TYPE_CHECKING:  # loaded only where somebody asks for them: tshark, formats for many attempts, a pipe's packets
    from netprobe.keeping import Keeping
    from netprobe.packing import Noted, Noting
    from netprobe.report.html.attempts import Attempts
    from netprobe.settling.asking import Asked

__all__ = ["NO_OUTLETS", "Analysis", "Each", "Outlets", "analyze", "one_by_one", "run"]

OnVerdict = Callable[[Verdict], None]
Notice = Callable[[str], None]

# Frames in a batch: an interrupt waits for its end.
BATCH = 65536
INTERPRETED_BATCH = 8192


@dataclass(slots=True)
class Analysis:
    """What one file gave. `verdicts` are empty where other outlets were asked for; `causes` count all."""

    verdicts: list[Verdict]
    status: CaptureStatus
    causes: Counter[str] = field(default_factory=Counter)
    interrupted: bool = False
    cross_check: CrossCheck | None = None
    failure: NetprobeError | None = None
    ladder_of: LadderOf | None = None  # where the packets are still there
    log: Log | None = None  # of a scan
    compiled: Compile | None = None  # how it was read


# Analyzes each file for itself, or all as one stream: what came of it, or why nothing did, in the order of the files.
Each = Callable[[AnalyzeOptions, OnVerdict, Notice, Outlets], Iterator["Analysis | NetprobeError"]]


def one_by_one(
    options: AnalyzeOptions, on_verdict: OnVerdict, notice: Notice, outlets: Outlets
) -> Iterator[Analysis | NetprobeError]:
    """The files in this process, until one is interrupted; as one stream if that is wanted. Raises UnreadableCapture
    when none of a stream can be read."""
    if options.together:
        merged = MergedCaptures(options.files)
        yield from merged.unreadable
        yield _read(merged, options, on_verdict, notice, outlets)
        return
    for path in options.files:
        try:
            found = analyze(path, options, on_verdict, notice, outlets)
        except NetprobeError as error:
            yield error
            continue
        yield found
        if found.interrupted:
            return


def run(
    options: AnalyzeOptions,
    on_verdict: OnVerdict,
    notice: Notice,
    outlets: Outlets = NO_OUTLETS,
    packed: Attempts | None = None,
    each: Each = one_by_one,
) -> Report:
    """Analyze each file for itself, or all as one stream (`options.together`). Raises UnreadableCapture when the first
    can't be read at all. `packed`: gets every attempt besides, for a page. `each`: how the files are gone through."""
    check()
    if packed is not None:
        outlets = replace(outlets, sinks=(*outlets.sinks, packed))
    if options.pair is not None:
        return _pair(options, on_verdict, notice, outlets)
    started = time.time_ns()
    done: list[Analysis] = []
    interrupted = False
    failure: NetprobeError | None = None
    try:
        for found in each(options, on_verdict, notice, outlets):
            if not isinstance(found, NetprobeError):
                done.append(found)
                continue
            if len(options.files) == 1:
                raise found
            notice(str(found))
            failure = failure or found
    except KeyboardInterrupt:
        interrupted = True
    if not done and failure is not None:
        raise failure
    causes: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    vantages: Counter[str] = Counter()
    for one in done:
        failure = failure or one.failure
        causes.update(one.causes)
        kinds.update(one.status.undecoded)
        vantages.update(one.status.vantages)
    undecoded = dict(kinds.most_common())
    checks = [one.cross_check for one in done if one.cross_check is not None]
    if not causes and not interrupted:
        notice(_nothing(options, sum(one.status.packets for one in done)))
    if TUNNEL in undecoded and not options.tunnels:
        notice(f"{undecoded[TUNNEL]:,} packets are in tunnels and were not looked at; --tunnels looks inside")
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
            undecoded=undecoded,
            vantages=dict(vantages.most_common()),
            damage=tuple(line for one in done for line in one.status.damage),
        ),
        interrupted=interrupted or any(one.interrupted for one in done),
        failure=str(failure) if failure is not None else None,
        cross_check=_added(checks) if checks else None,
        ladder_of=_ladders(options, done),
        log=done[0].log if len(done) == 1 else None,
    )


def _ladders(options: AnalyzeOptions, done: Sequence[Analysis]) -> LadderOf:
    """The packets of a verdict: those of a scan or a pipe are still there, others are read again."""
    if len(done) == 1 and done[0].ladder_of is not None:
        return done[0].ladder_of
    depth = options.depth
    compiled = next((one.compiled for one in done if one.compiled is not None), None)
    return ladder_of(options.files, together=options.together, depth=depth, compiled=compiled)


def _nothing(options: AnalyzeOptions, packets: int) -> str:
    """Why there is no verdict at all."""
    if options.display_filter is not None or options.servers or not options.selection.everything:
        return f"no connection attempt among the {packets:,} packets is what was asked for"
    return f"no TCP connection attempt (no SYN) among the {packets:,} packets"


def _pair(options: AnalyzeOptions, on_verdict: OnVerdict, notice: Notice, outlets: Outlets) -> Report:
    """Two captures of the same conversations, by the same outlets."""
    from netprobe import analyze_pair

    def give(verdict: Verdict) -> None:
        _hand(verdict, on_verdict, outlets)

    return analyze_pair.run(options, give, notice, keep=outlets.lines is None and outlets.outlines is None)


def _hand(verdict: Verdict, on_verdict: OnVerdict, outlets: Outlets) -> None:
    """Give a verdict in the forms that were asked for."""
    if outlets.take_rows:
        outlets.row(report_json.line(verdict), None)
    if outlets.lines is not None:
        outlets.lines(report_json.line(verdict).encode("ascii"))
    elif outlets.outlines is None or outlets.outlines(outlined([verdict])):
        on_verdict(verdict)


def _both(
    give: Callable[[Sequence[int]], None],
    noting: Noting,
    takers: Sequence[Callable[[Sequence[Noted]], None]],
    after: Callable[[Sequence[int]], None] | None,
) -> Callable[[Sequence[int]], None]:
    def both(settled: Sequence[int]) -> None:
        give(settled)
        noted = noting.noted()
        for take in takers:
            take(noted)
        if after is not None:
            after(settled)

    return both


def _added(checks: Sequence[CrossCheck]) -> CrossCheck:
    return CrossCheck(
        frames=sum(one.frames for one in checks),
        left_out=sum(one.left_out for one in checks),
        differences=tuple(difference for one in checks for difference in one.differences),
    )


def analyze(
    path: Path,
    options: AnalyzeOptions,
    on_verdict: OnVerdict,
    notice: Notice = lambda _: None,
    outlets: Outlets = NO_OUTLETS,
) -> Analysis:
    """The verdicts of one file."""
    return _read(CaptureReader(path, ahead=options.threads), options, on_verdict, notice, outlets)


def _read(
    reader: CaptureReader | MergedCaptures,
    options: AnalyzeOptions,
    on_verdict: OnVerdict,
    notice: Notice,
    outlets: Outlets,
) -> Analysis:
    asked = _ask(reader, options, notice, outlets)
    engine = engines.choose(reader.size, notice, options.compiled)
    compile_ = (lambda loop: getattr(engine.functions, loop.__name__)) if engine.compiled else None
    batches = _told(reader, reader.batches(BATCH if engine.compiled else INTERPRETED_BATCH, compile_), outlets.read)
    first = next(batches, None)
    if first is not None and any(isinstance(fact, TargetFact) for _, fact in first.facts):
        found = _scan(_records(first, batches), options, on_verdict, outlets, asked)
    else:
        depth = options.depth
        piped = not reader.size and (outlets.lines is None or bool(outlets.sinks))
        noting: Noting | None = None
        if outlets.sinks or piped:
            from netprobe.packing import Noting, Packing

            noting = Noting(engine, vantage=options.vantage, depth=depth)
        settling = noting or Settling(engine, vantage=options.vantage, depth=depth)
        marks = None if asked is None else asked.marks(reader)
        selection = options.selection.also(options.servers)
        decisive = None if asked is None else asked.decisive
        giving = Giving(settling, engine, selection, on_verdict, outlets, marks=marks, decisive=decisive)
        give: Callable[[Sequence[int]], None] = giving.give
        every = _chained(first, batches)
        taker: Taker | None = marks
        keeping: Keeping | None = None
        if noting is not None:
            takers: list[Callable[[Sequence[Noted]], None]] = [
                Packing(noting, engine, selection, sink).pack for sink in outlets.sinks
            ]
            if piped:
                from netprobe.keeping import Keeping

                taker = keeping = Keeping(noting, depth, marks, compiled=engine.compiled)
                takers.append(keeping.settled)
                every = keeping.batches(every)
            give = _both(give, noting, takers, None if keeping is None else keeping.forget)
        flow = Flow(settling.tracker, engine, give, taker, settling.sessions, threads=options.threads)
        found = _capture(every, giving, flow)
        found.ladder_of = keeping.ladders() if keeping is not None else None
    found.compiled = compile_
    found.status = CaptureStatus(
        packets=found.status.packets,
        dropped=max(reader.dropped, found.status.dropped),
        unsolicited=found.status.unsolicited,
        undecoded=found.status.undecoded,
        vantages=found.status.vantages,
        damage=reader.damage_lines,
    )
    for line in reader.notice_lines:
        notice(line)
    if asked is not None and asked.decisive is not None and not found.interrupted:
        depth = options.depth
        try:
            found.cross_check = asked.second_opinion(reader, depth, notice, outlets.read)
        except CannotMeasure as error:  # the verdicts stand
            found.failure = error
        except KeyboardInterrupt:
            found.interrupted = True
    return found


def _ask(
    reader: CaptureReader | MergedCaptures, options: AnalyzeOptions, notice: Notice, outlets: Outlets
) -> Asked | None:
    if options.display_filter is None and not options.cross_check:
        return None
    from netprobe.settling.asking import ask

    return ask(reader, options, notice, outlets.read)


def _told(
    reader: CaptureReader | MergedCaptures, batches: Iterator[Batch], read: Callable[[str, int, int], None] | None
) -> Iterator[Batch]:
    """The batches; before each, `read` hears how far they are."""
    for batch in batches:
        if read is not None:
            read(reader.name, *reader.progress)
        yield batch


# --------------------------------------------------------------------------- a stranger's capture


def _capture(batches: Iterator[Batch], giving: Giving, flow: Flow) -> Analysis:
    """Each attempt's verdict, as it settles; in the end, in order of their first packets."""
    interrupted = False
    try:
        try:
            for batch in batches:
                with Interrupts() as held:  # a row half written would be a wrong verdict
                    flow.feed(batch)
                if held.asked:
                    raise KeyboardInterrupt
        except KeyboardInterrupt:
            interrupted = True
        with Interrupts() as held:
            flow.finish()
    finally:
        flow.close()
    tracker = flow.tracker
    status = CaptureStatus(
        packets=tracker.count(columns.N_FRAMES),
        unsolicited=tracker.count(columns.N_UNSOLICITED),
        undecoded=tracker.undecoded,
        vantages=dict(giving.vantages.most_common()),
    )
    ordered = [verdict for _, verdict in sorted(giving.verdicts, key=lambda pair: pair[0])]
    return Analysis(ordered, status, giving.causes, interrupted or held.asked)


# --------------------------------------------------------------------------- a saved scan


def _scan(
    batches: Iterator[list[Record]],
    options: AnalyzeOptions,
    on_verdict: OnVerdict,
    outlets: Outlets,
    asked: Asked | None,
) -> Analysis:
    """A verdict at the end of each target's observation."""
    marked = None if asked is None else asked.own
    decisive = None if asked is None else asked.decisive
    watch = Watch(marked=marked or ())
    verdicts: list[tuple[int, Verdict]] = []
    selection = options.selection.also(options.servers)
    interrupted = False

    def give(target: TargetFact, now_ns: int) -> None:
        if not selection.server(target.address, target.port):
            return
        if marked is not None and ((target.address or "").partition("%")[0], target.port) not in watch.meant:
            return
        verdict = diagnose(watch.evidence(target, now_ns))
        if not selection.verdict(verdict):
            return
        verdicts.append((target.number, verdict))
        if decisive is not None and decisive.wants(verdict.rule):
            decisive.take(report_json.line(verdict))
        _hand(verdict, on_verdict, outlets)

    open_targets: dict[tuple[str, str | None, int], TargetFact] = {}
    try:
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
    except KeyboardInterrupt:
        interrupted = True
    ordered = [verdict for _, verdict in sorted(verdicts, key=lambda pair: pair[0])]  # in the order they were begun
    status = CaptureStatus(
        packets=watch.packets, dropped=watch.dropped, unsolicited=watch.unsolicited, undecoded=watch.undecoded
    )
    causes = Counter(verdict.cause for verdict in ordered)
    drawn = LadderOf(lambda verdict: ladder(watch.records(), verdict))
    return Analysis(ordered, status, causes, interrupted, ladder_of=drawn, log=log_of(watch.records))


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
                together.append(batch.frame(i))
    if together:
        yield together


def _chained(first: Batch | None, others: Iterator[Batch]) -> Iterator[Batch]:
    if first is not None:
        yield first
    yield from others
