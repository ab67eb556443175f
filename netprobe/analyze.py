"""The driver of saved captures: the frames of a file through the same core as a live scan's.

A file that a scan saved gives the scan's verdicts again, word for word, since each is made at the same record from
the same ones before it. In any other capture each connection attempt gets a verdict of its own when it settles.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from netprobe.attempts import address
from netprobe.errors import NetprobeError
from netprobe.interrupts import Interrupts
from netprobe.model import Fact, Frame, Mode, Record, SettledFact, TargetFact, Verdict
from netprobe.options import AnalyzeOptions
from netprobe.report import CaptureStatus, Report
from netprobe.report import json as report_json
from netprobe.report.summary import Outline, outline
from netprobe.settling import engines
from netprobe.settling.flow import Flow
from netprobe.settling.kinds import Settling
from netprobe.settling.lines import Lines
from netprobe.settling.outlines import Outlines
from netprobe.tracker import Engine, columns
from netprobe.tracker.undecoded import TUNNEL
from netprobe.verdict import diagnose
from netprobe.watch import Watch
from netprobe.wire.capture import Batch, CaptureReader
from netprobe.wire.merge import MergedCaptures

OnVerdict = Callable[[Verdict], None]
Notice = Callable[[str], None]

# Frames in a batch: an interrupt waits for its end.
BATCH = 65536
INTERPRETED_BATCH = 8192
# Through how many tunnels, one in the other, `--tunnels` looks.
TUNNELS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlets:
    """Other ways for what is found, for those who want it faster than one verdict after the other.

    `lines`: gets JSON lines, instead of the verdicts. `outline`: told of each attempt, says whether it wants its
    verdict, too. With either, verdicts of a stranger's capture are not kept. `read`: the file's name, how many of its
    bytes have been read, and how many there are (0 where nobody knows).
    """

    lines: Callable[[bytes], None] | None = None
    outline: Callable[[Outline], bool] | None = None
    read: Callable[[str, int, int], None] | None = None


NO_OUTLETS = Outlets()


@dataclass(slots=True)
class Analysis:
    """What one file gave. `verdicts` are empty where other outlets were asked for; `causes` count all."""

    verdicts: list[Verdict]
    status: CaptureStatus
    causes: Counter[str] = field(default_factory=Counter)
    interrupted: bool = False


def run(options: AnalyzeOptions, on_verdict: OnVerdict, notice: Notice, outlets: Outlets = NO_OUTLETS) -> Report:
    """Analyze each file for itself, or all as one stream (`options.together`). Raises UnreadableCapture when the first
    can't be read at all."""
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
            done.append(_read(merged, options, on_verdict, notice, outlets))
        for path in options.files if not options.together else ():
            if done and done[-1].interrupted:
                break
            try:
                done.append(analyze(path, options, on_verdict, notice, outlets))
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
    kinds: Counter[str] = Counter()
    for one in done:
        causes.update(one.causes)
        kinds.update(one.status.undecoded)
    undecoded = dict(kinds.most_common())
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
            damage=tuple(line for one in done for line in one.status.damage),
        ),
        interrupted=interrupted or any(one.interrupted for one in done),
        failure=str(failure) if failure is not None else None,
    )


def analyze(
    path: Path,
    options: AnalyzeOptions,
    on_verdict: OnVerdict,
    notice: Notice = lambda _: None,
    outlets: Outlets = NO_OUTLETS,
) -> Analysis:
    """The verdicts of one file."""
    return _read(CaptureReader(path), options, on_verdict, notice, outlets)


def _read(
    reader: CaptureReader | MergedCaptures,
    options: AnalyzeOptions,
    on_verdict: OnVerdict,
    notice: Notice,
    outlets: Outlets,
) -> Analysis:
    engine = engines.choose(reader.size, notice, options.compiled)
    compile_ = (lambda loop: getattr(engine.functions, loop.__name__)) if engine.compiled else None
    batches = _told(reader, reader.batches(BATCH if engine.compiled else INTERPRETED_BATCH, compile_), outlets.read)
    first = next(batches, None)
    if first is not None and any(isinstance(fact, TargetFact) for _, fact in first.facts):
        found = _scan(_records(first, batches), options, on_verdict, outlets)
    else:
        found = _capture(_chained(first, batches), options, engine, on_verdict, outlets)
    found.status = CaptureStatus(
        packets=found.status.packets,
        dropped=max(reader.dropped, found.status.dropped),
        unsolicited=found.status.unsolicited,
        undecoded=found.status.undecoded,
        damage=reader.damage_lines,
    )
    for line in reader.notice_lines:
        notice(line)
    return found


def _told(
    reader: CaptureReader | MergedCaptures, batches: Iterator[Batch], read: Callable[[str, int, int], None] | None
) -> Iterator[Batch]:
    """The batches; before each, `read` hears how far they are."""
    for batch in batches:
        if read is not None:
            read(reader.name, *reader.progress)
        yield batch


# --------------------------------------------------------------------------- a stranger's capture


def _capture(
    batches: Iterator[Batch], options: AnalyzeOptions, engine: Engine, on_verdict: OnVerdict, outlets: Outlets
) -> Analysis:
    """Each attempt's verdict, as it settles; in the end, in order of their first packets."""
    depth = TUNNELS if options.tunnels else 0
    settling = Settling(engine, vantage=options.vantage, depth=depth)
    tracker = settling.tracker
    giving = _Giving(settling, engine, options, on_verdict, outlets)
    flow = Flow(tracker, engine, giving.give)
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
    status = CaptureStatus(
        packets=tracker.count(columns.N_FRAMES),
        unsolicited=tracker.count(columns.N_UNSOLICITED),
        undecoded=tracker.undecoded,
    )
    ordered = [verdict for _, verdict in sorted(giving.verdicts, key=lambda pair: pair[0])]
    return Analysis(ordered, status, giving.causes, interrupted or held.asked)


class _Giving:
    """Hands out what settled rows are, in the form that was asked for."""

    def __init__(
        self, settling: Settling, engine: Engine, options: AnalyzeOptions, on_verdict: OnVerdict, outlets: Outlets
    ) -> None:
        self._settling = settling
        self._selection = options.selection.also(options.servers)
        self._on_verdict = on_verdict
        self._on_lines = outlets.lines
        self._on_outline = outlets.outline
        self._lines = Lines(settling, engine, outlets.lines) if outlets.lines and self._selection.everything else None
        self._outlines = Outlines(settling)
        self.verdicts: list[tuple[int, Verdict]] = []
        self.causes: Counter[str] = Counter()

    def give(self, settled: Sequence[int]) -> None:
        """These rows are settled."""
        if self._lines is not None:
            self._lines.give(settled, self.causes)
            return
        settling, table = self._settling, self._settling.tracker.table
        for row, kind in settling.kinds(settled):
            if not self._selection.everything and not self._selected(table[row], kind.verdict):
                continue
            self.causes[kind.verdict.cause] += 1
            if self._on_lines is not None:
                self._on_lines(settling.line(row, kind).encode("ascii"))
            elif self._on_outline is not None:
                if self._on_outline(self._outlines.outline(row, kind)):
                    self._on_verdict(settling.verdict(row))
            else:
                verdict = settling.verdict(row)
                self.verdicts.append((int(table[row][columns.BORN]), verdict))
                self._on_verdict(verdict)

    def _selected(self, r: Sequence[int], like: Verdict) -> bool:
        selection, version = self._selection, r[columns.VERSION]
        return (
            selection.kind(like)
            and selection.server(address(r[columns.SERVER : columns.SERVER + 4], version), int(r[columns.SPORT]))
            and selection.client(address(r[columns.CLIENT : columns.CLIENT + 4], version), int(r[columns.CPORT]))
        )


# --------------------------------------------------------------------------- a saved scan


def _scan(
    batches: Iterator[list[Record]], options: AnalyzeOptions, on_verdict: OnVerdict, outlets: Outlets
) -> Analysis:
    """A verdict at the end of each target's observation."""
    watch = Watch()
    verdicts: list[tuple[int, Verdict]] = []
    selection = options.selection.also(options.servers)
    interrupted = False

    def give(target: TargetFact, now_ns: int) -> None:
        if not selection.server(target.address, target.port):
            return
        verdict = diagnose(watch.evidence(target, now_ns))
        if not selection.verdict(verdict):
            return
        verdicts.append((target.number, verdict))
        if outlets.lines is not None:
            outlets.lines(report_json.line(verdict).encode("ascii"))
        elif outlets.outline is None or outlets.outline(outline(verdict)):
            on_verdict(verdict)

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
    return Analysis(ordered, status, Counter(verdict.cause for verdict in ordered), interrupted)


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
