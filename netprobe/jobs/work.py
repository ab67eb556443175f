"""The work of one process: files through the same analysis as without `--jobs`, what comes of each into a spool.

House rules of this file:
1. What goes wrong with a file is part of its result; an exception means that the task can't be done here at all.
2. Interrupts are the ordering process's business: it says `stop`, which is heard between two batches.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Sequence
from typing import Any

from netprobe import analyze
from netprobe.errors import NetprobeError
from netprobe.jobs import part
from netprobe.jobs.spool import OUTLINES, TALLIES, Spool
from netprobe.jobs.task import Result, Task, Unit, Wanted
from netprobe.model import Verdict
from netprobe.report.summary import Examples, Outlines
from netprobe.report.zeek import Tally
from netprobe.settling.giving import Outlets
from netprobe.tables import Tables, beside
from netprobe.wire.portion import Portion

_ALIVE_S = 2.0


class _Told:
    """What this process and the ordering one tell each other while a task runs."""

    def __init__(self) -> None:
        self.read: Any = None  # bytes read by all processes
        self.stop: Any = None  # set: what is known by now is enough


_told = _Told()


def begin(read: Any = None, stop: Any = None) -> None:
    """Set this process up. It ends with the one that made it."""
    _told.read, _told.stop = read, stop
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_ALIVE_S)
    os._exit(1)


def do(task: Task) -> list[Result]:
    """The files of a task, one after the other; after `stop` those that have been begun."""
    found = []
    for unit in task.units:
        if _told.stop is not None and _told.stop.is_set():
            break
        result = _file(task, unit) if unit.portion is None else _portion(task, unit, unit.portion)
        if result is not None:
            found.append(result)
    return found


def _file(task: Task, unit: Unit) -> Result | None:
    wanted = task.wanted
    notices: list[str] = []
    spool = None
    if wanted.lines or wanted.outlines or wanted.tallies:
        spool = Spool(None if task.spool is None else task.spool / f"{unit.index}-{os.getpid()}")
    taking = _Taking(spool, wanted)
    outlets = taking.outlets(_Reading())
    tables = None if wanted.parquet is None else Tables(*wanted.parquet.of(unit.index), str(unit.path))
    done = False
    try:
        given = outlets if tables is None else beside(outlets, tables)
        found = analyze.analyze(unit.path, task.options, taking.verdict, notices.append, given)
        found.ladder_of = found.compiled = found.log = None  # are of this process
        if tables is not None:
            tables.close()
        done = True
    except NetprobeError as error:
        return Result(unit.index, error=error, notices=tuple(notices))
    except KeyboardInterrupt:  # before its first batch
        return None
    finally:
        if not done and spool is not None:
            spool.abandon()
        if not done and tables is not None:
            tables.abandon()
    return Result(unit.index, found, None, tuple(notices), None if spool is None else spool.done())


def _portion(task: Task, unit: Unit, portion: Portion) -> Result | None:
    assert task.spool is not None
    folder = task.spool / f"{unit.index}-{unit.number}-{os.getpid()}"
    try:
        found = part.track(unit.path, portion, task.options, folder, _Reading())
    except NetprobeError as error:
        return Result(unit.index, error=error, number=unit.number)
    except KeyboardInterrupt:
        return None
    return Result(unit.index, part=found, number=unit.number)


class _Reading:
    """Counts what was read, for all processes together."""

    def __init__(self) -> None:
        self._taken = 0

    def __call__(self, _name: str, taken: int, _size: int) -> None:
        if _told.read is not None:
            with _told.read.get_lock():
                _told.read.value += taken - self._taken
        self._taken = taken
        if _told.stop is not None and _told.stop.is_set():
            raise KeyboardInterrupt


class _Taking:
    """What is found, into the forms that are wanted."""

    def __init__(self, spool: Spool | None, wanted: Wanted) -> None:
        self._spool = spool
        self._wanted = wanted
        self._examples = Examples()
        self._outlines: Outlines | None = None
        self._missing: list[int] = []  # the attempts whose verdicts come next
        self._verdicts: dict[int, Verdict] = {}

    def outlets(self, read: _Reading) -> Outlets:
        """What the analysis gets."""
        spool, wanted = self._spool, self._wanted
        return Outlets(
            lines=spool.octets if wanted.lines and spool is not None else None,
            outlines=self._note if wanted.outlines else None,
            clients=wanted.clients,
            also=self._also if wanted.tallies else None,
            read=read,
        )

    def verdict(self, verdict: Verdict) -> None:
        """The next verdict of the outlines noted last; where verdicts are wanted, they are in the analysis."""
        if self._missing:
            self._examples.keep(verdict)
            self._verdicts[self._missing.pop(0)] = verdict
            self._record()

    def _note(self, outlines: Outlines) -> Sequence[int]:
        # Whoever orders has seen at least as many attempts when these come: it wants no verdicts but some of these.
        wanted = self._examples.wanted(outlines)
        self._outlines, self._missing, self._verdicts = outlines, list(wanted), {}
        self._record()
        return wanted

    def _record(self) -> None:
        """Outlines and their verdicts, when these are all there."""
        if not self._missing:
            assert self._spool is not None
            self._spool.record(OUTLINES, (self._outlines, self._verdicts))

    def _also(self, line: str, tally: Tally | None) -> None:
        assert self._spool is not None
        self._spool.record(TALLIES, (line, tally))
