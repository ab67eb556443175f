"""Files into tasks, results into the order of the files: what an analysis by several processes is seen from outside.

House rules of this file:
1. The largest tasks begin first; the order of the results is that of the files nevertheless.
2. Small files go together: giving out a task costs a millisecond. A large file is cut where it would keep one process
   busy when the others have nothing left to do.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from netprobe import analyze
from netprobe.analyze import Analysis, Each, Notice, OnVerdict
from netprobe.errors import NetprobeError
from netprobe.interrupts import Interrupts
from netprobe.jobs import spool
from netprobe.jobs.fitting import Differs, checked
from netprobe.jobs.joining import Joining
from netprobe.jobs.task import OPENING, Result, Task, Unit, Wanted
from netprobe.options import AnalyzeOptions
from netprobe.settling import engines, jit
from netprobe.settling.giving import Outlets
from netprobe.tables import Place, Tables, beside
from netprobe.tracker import Engine
from netprobe.wire import portion

TOGETHER = 8_000_000  # bytes of a task of several files
MOST_TOGETHER = 64  # files
# Bytes of a portion: fewer don't pay, since what is open at a cut is followed twice; more need too much memory.
SMALLEST = 64 << 20
LARGEST = 128 << 20
# Joining takes half the time that one process takes for all, and begins when all is read: with fewer processes, or
# for less, nothing is gained (784 MB by two: 2.2 s, by one 1.6 to 2.1 s).
FEWEST = 4
LEAST = 1_000_000_000
PORTIONS = 3  # for each process, so that none waits long for another

Yield = Iterator[Analysis | NetprobeError]


class Workers(AbstractContextManager["Workers"], Protocol):
    """Processes that do tasks."""

    def results(self, tasks: Sequence[Task]) -> Iterator[list[Result]]:
        """What comes of the tasks, as they are done."""

    def stop(self) -> None:
        """Whatever runs ends with what it knows."""

    @property
    def count(self) -> int:
        """How many tasks are done at the same time."""

    def share(self, folder: Path) -> bool:
        """Whether the processes have this machine's files, and write into this folder."""


MakeWorkers = Callable[[Callable[[int], None]], Workers]


def by(make: MakeWorkers, *, parquet: Place | None = None) -> Each:
    """The files of an analysis by several processes: what `analyze.run` takes as `each`."""

    def each(options: AnalyzeOptions, on_verdict: OnVerdict, notice: Notice, outlets: Outlets) -> Yield:
        wanted = Wanted(
            lines=outlets.lines is not None,
            outlines=outlets.lines is None and outlets.outlines is not None,
            clients=outlets.clients,
            tallies=outlets.take_rows,
            parquet=parquet,
        )
        total = sum(_size(path) for path in options.files)

        def read(taken: int) -> None:
            if outlets.read is not None:
                outlets.read(f"{len(options.files)} files", min(taken, total), total)

        giving = _Giving(options, on_verdict, notice, outlets, parquet)
        with (
            tempfile.TemporaryDirectory(prefix="netprobe-") as name,
            make(read) as workers,
            ThreadPoolExecutor(1) as thread,
        ):
            folder = Path(name) if workers.share(Path(name)) else None
            units = _units(options, workers.count, here=folder is not None)
            alone = folder is not None and units is not None and len(units) == 1
            if units is None or alone:  # a stream that can't be cut, or nothing to share out
                yield from here(parquet)(options, on_verdict, notice, outlets)
                return
            portions = any(unit.portion is not None for unit in units)
            engines.prepare(max(unit.size for unit in units), notice, options.compiled, portions=portions)
            if portions:  # while they are being read
                giving.engine = thread.submit(engines.prepare_parts, notice)
            order = _Order(units, stream=options.together)
            spare = folder is not None and 2 * workers.count <= _cores()  # one core for each, but not two
            made = tasks(units, replace(options, threads=options.threads and spare), wanted, folder)
            results = workers.results(made)
            interrupted = False
            while True:
                with Interrupts() as held:
                    held.wake = workers.stop
                    some = next(results, None)
                interrupted = interrupted or held.asked
                if some is None:
                    break
                for whole in order.next(some):
                    yield from giving.give(whole)
            for whole in order.rest():
                yield from giving.give(whole, interrupted=True)
        if interrupted:
            raise KeyboardInterrupt

    return each


def here(parquet: Place | None) -> Each:
    """The files of an analysis by this process, with tables besides."""
    if parquet is None:
        return analyze.one_by_one
    place = parquet

    def each(options: AnalyzeOptions, on_verdict: OnVerdict, notice: Notice, outlets: Outlets) -> Yield:
        groups = [options.files] if options.together else [(path,) for path in options.files]
        for index, files in enumerate(groups):
            tables = Tables(*place.of(index), ", ".join(map(str, files)))
            alone = replace(options, files=files)
            for found in analyze.one_by_one(alone, on_verdict, notice, beside(outlets, tables)):
                if not isinstance(found, NetprobeError):
                    tables.close()
                yield found
                if not isinstance(found, NetprobeError) and found.interrupted:
                    return

    return each


# --------------------------------------------------------------------------- what is to be done


def tasks(units: Sequence[Unit], options: AnalyzeOptions, wanted: Wanted, folder: Path | None) -> list[Task]:
    """The units in tasks, the largest first."""
    made: list[Task] = []
    together: list[Unit] = []
    room = TOGETHER
    for unit in sorted(units, key=lambda unit: -unit.size):
        if together and (unit.size + OPENING > room or len(together) == MOST_TOGETHER):
            made.append(Task(tuple(together), options, wanted, folder))
            together, room = [], TOGETHER
        together.append(unit)
        room -= unit.size + OPENING
    if together:
        made.append(Task(tuple(together), options, wanted, folder))
    return sorted(made, key=lambda task: -task.size)


def _units(options: AnalyzeOptions, count: int, *, here: bool) -> list[Unit] | None:
    """The files, some of them in portions. None for a stream that must be read by one process."""
    sizes = [_size(path) for path in options.files]
    whole = sum(sizes)
    share = whole // max(count, 1)
    may_cut = here and min(count, _cores()) >= FEWEST and jit.available() and options.compiled is not False
    may_cut = may_cut and options.display_filter is None and not options.cross_check
    if options.together and (not may_cut or whole < LEAST or 0 in sizes):
        return None
    found: list[Unit] = []
    for index, (path, size) in enumerate(zip(options.files, sizes, strict=True)):
        if not options.together and not (may_cut and size >= LEAST and size > share):
            found.append(Unit(index, path, size))
            continue
        portions = portion.cut(path, min(max(share // PORTIONS, SMALLEST), LARGEST))
        if portions[0].stop == 0:
            if options.together:
                return None
            found.append(Unit(index, path, size))
            continue
        found += [Unit(index, path, one.stop - one.start, one, n) for n, one in enumerate(portions)]
    return found


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:
        return 0


# --------------------------------------------------------------------------- what came of it


class _Order:
    """Results in the order of their files: those of one file together, or those of a whole stream."""

    def __init__(self, units: Sequence[Unit], *, stream: bool) -> None:
        self._of = {unit.index: 0 if stream else unit.index for unit in units}
        self._missing: dict[int, int] = {}
        for unit in units:
            self._missing[self._of[unit.index]] = self._missing.get(self._of[unit.index], 0) + 1
        self._waiting: dict[int, list[Result]] = {}
        self._next = 0

    def next(self, some: Sequence[Result]) -> Iterator[list[Result]]:
        """Those whose turn has come with these."""
        for one in some:
            self._waiting.setdefault(self._of[one.index], []).append(one)
            self._missing[self._of[one.index]] -= 1
        while self._missing.get(self._next) == 0:
            yield self._taken(self._next)
            self._next += 1

    def rest(self) -> Iterator[list[Result]]:
        """What waits for files that nobody will read any more."""
        for index in sorted(self._waiting):
            yield self._taken(index)

    def _taken(self, index: int) -> list[Result]:
        return sorted(self._waiting.pop(index), key=lambda one: (one.index, one.number))


class _Giving:
    """Hands out what came of each file, as if it had been analyzed here."""

    def __init__(
        self,
        options: AnalyzeOptions,
        on_verdict: OnVerdict,
        notice: Notice,
        outlets: Outlets,
        parquet: Place | None,
    ) -> None:
        self._options = options
        self._on_verdict = on_verdict
        self._notice = notice
        self._outlets = outlets
        self._parquet = parquet
        self.engine: Future[Engine] | None = None  # for joining

    def give(self, results: Sequence[Result], *, interrupted: bool = False) -> Yield:
        """The results of one file, or of a stream; of an interrupted run perhaps not all."""
        if results[0].part is None and results[0].number == 0 and not self._options.together:
            yield self._whole(results[0])
        else:
            yield from self._joined(results, interrupted=interrupted)

    def _whole(self, result: Result) -> Analysis | NetprobeError:
        outlets = self._outlets
        for text in result.notices:
            self._notice(text)
        for kind, one in spool.read(result.spool) if result.spool is not None else ():
            if kind == spool.LINES and outlets.lines is not None:
                outlets.lines(one)
            elif kind == spool.OUTLINES and outlets.outlines is not None:
                outlines, verdicts = one
                for number in outlets.outlines(outlines):
                    self._on_verdict(verdicts[number])
            elif kind == spool.TALLIES:
                outlets.row(*one)
        if result.error is not None:
            return result.error
        assert result.found is not None
        for verdict in result.found.verdicts if outlets.lines is None and outlets.outlines is None else ():
            self._on_verdict(verdict)
        return result.found

    def _joined(self, results: Sequence[Result], *, interrupted: bool) -> Yield:
        """The portions of one file, or of all of a stream, put together; where they don't fit, one process reads it
        all, here."""
        errors = {one.index: one.error for one in results if one.error is not None}
        options = self._options
        if not options.together:
            if errors:
                yield next(iter(errors.values()))
                return
            options = replace(options, files=(options.files[results[0].index],))
        index = results[0].index
        found = [one.part for one in results if one.part is not None and one.index not in errors]
        tables = None if self._parquet is None else Tables(*self._parquet.of(index), ", ".join(map(str, options.files)))
        outlets = self._outlets if tables is None else beside(self._outlets, tables)
        try:
            fitting = checked(found, stream=options.together)
        except Differs:
            if not interrupted:
                yield from self._again(options, outlets, tables)
            return
        yield from errors.values()
        if not fitting:
            return
        engine = engines.prepare_parts(self._notice) if self.engine is None else self.engine.result()
        joining = Joining(engine, options, self._on_verdict, _row_by_row(outlets))
        for n, part in enumerate(fitting):
            joining.add(part, last=n == len(fitting) - 1)
        done = joining.finish()
        if tables is not None:
            tables.close()
        for text in joining.notices:
            self._notice(text)
        done.interrupted = done.interrupted or interrupted
        yield done

    def _again(self, options: AnalyzeOptions, outlets: Outlets, tables: Tables | None) -> Yield:
        """By one process, this one."""
        yield from analyze.one_by_one(options, self._on_verdict, self._notice, outlets)
        if tables is not None:
            tables.close()


def _row_by_row(outlets: Outlets) -> Outlets:
    """The outlets, whose sinks get one row after the other."""
    return replace(outlets, also=outlets.row, sinks=()) if outlets.sinks else outlets
