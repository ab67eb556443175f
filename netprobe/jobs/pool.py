"""Tasks to processes of this machine: the standard library's pool, and what it doesn't do when a process dies.

House rules of this file:
1. No more tasks are given out than there are processes, and one that waits for the first of them to be done: what a
   dying one takes along is one of few.
2. Who was there when a process died is suspect, and is done alone: if it dies again, it was that one. A file at which
   processes die TRIES times is reported, and the rest goes on.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import forkserver
from pathlib import Path
from typing import Any, Self

from netprobe.errors import CannotMeasure
from netprobe.jobs import work
from netprobe.jobs.task import Do, Result, Task, Unit
from netprobe.settling import engines

TRIES = 3
_POLL_S = 0.25

Read = Callable[[int], None]


class Pool:
    """So many processes. Used as a context; `stop` lets running tasks come to an early end. `read` hears how many bytes
    all of them have read."""

    def __init__(self, jobs: int, read: Read = lambda _: None, do: Do = work.do) -> None:
        self._jobs = jobs
        self._read = read
        self._do = do
        # A fork of a process that has threads may hang; the fork server has none, and has everything imported.
        self._context: Any = multiprocessing.get_context("forkserver")
        self._taken = self._context.Value("q", 0)
        self._stopped = self._context.Event()
        self._executor: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._executor is not None:
            self._stopped.set()
            self._executor.shutdown(wait=True, cancel_futures=True)

    @property
    def count(self) -> int:
        """How many processes there are."""
        return self._jobs

    def share(self, _folder: Path) -> bool:
        """They share this machine's files."""
        return True

    def stop(self) -> None:
        """Whatever runs ends with what it knows; nothing else begins."""
        self._stopped.set()

    def results(self, tasks: Sequence[Task]) -> Iterator[list[Result]]:
        """What comes of the tasks, as they are done; they are begun in the order given."""
        waiting = deque(tasks)
        suspects: deque[Task] = deque()
        tries: dict[Unit, int] = {}
        running: dict[Future[list[Result]], Task] = {}
        self._serve(tasks)
        while waiting or suspects or running:
            # First all that is above suspicion, then each of the others with nobody beside it.
            while not self._stopped.is_set() and waiting and len(running) <= self._jobs:
                self._begin(waiting.popleft(), running)
            if not self._stopped.is_set() and not running and suspects:
                self._begin(suspects.popleft(), running)
            if not running:
                return
            done, _ = wait(running, timeout=_POLL_S, return_when=FIRST_COMPLETED)
            self._read(int(self._taken.value))
            died: list[Task] = []
            for future in done:
                task = running.pop(future)
                try:
                    yield future.result()
                except BrokenProcessPool:
                    died.append(task)
            if died:
                wait(running)
                died += running.values()
                running.clear()
                self._discard()
                for task in died:
                    suspects.extend(task.alone())
                for one in list(suspects):
                    unit = one.units[0]
                    if any(unit in task.units for task in died):
                        tries[unit] = tries.get(unit, 0) + 1
                    if tries.get(unit, 0) >= TRIES:
                        suspects.remove(one)
                        yield [lost(one)]

    def _serve(self, tasks: Sequence[Task]) -> None:
        """Begin the fork server, with what the tasks need. Ctrl-C never reaches it: it would die while it loads."""
        largest = max((unit.size for task in tasks for unit in task.units), default=0)
        compiled = largest > 0 and engines.compiles(largest, tasks[0].options.compiled)
        self._context.set_forkserver_preload(["netprobe.jobs.loaded" if compiled else "netprobe.jobs.work"])
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            forkserver.ensure_running()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _begin(self, task: Task, running: dict[Future[list[Result]], Task]) -> None:
        for _ in range(TRIES):
            if self._executor is None:
                self._executor = ProcessPoolExecutor(
                    self._jobs, self._context, initializer=work.begin, initargs=(self._taken, self._stopped)
                )
            try:
                running[self._executor.submit(self._do, task)] = task
            except BrokenProcessPool:  # one died while it had nothing to do
                if running:
                    break
                self._discard()
            else:
                return
        # Those that run are about to tell the same.
        future: Future[list[Result]] = Future()
        future.set_exception(BrokenProcessPool())
        running[future] = task

    def _discard(self) -> None:
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)
            self._executor = None


def lost(task: Task) -> Result:
    """What is said of a file at which processes die."""
    unit = task.units[0]
    return Result(
        unit.index,
        number=unit.number,
        error=CannotMeasure(
            f"{unit.path}: the process that read it was killed, {TRIES} times (is there enough memory?)",
            "analyze it alone",
        ),
    )
