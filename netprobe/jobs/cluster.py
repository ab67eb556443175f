"""Tasks to a Dask cluster, which replaces its dead workers itself.

House rules of this file:
1. dask is imported here and nowhere else.
2. The workers need netprobe (the same version) and every file under the name it has here: a shared folder, or URLs.
"""

from __future__ import annotations

import importlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from netprobe import __version__
from netprobe.errors import CannotMeasure
from netprobe.jobs import work
from netprobe.jobs.pool import Read, lost
from netprobe.jobs.task import Do, Result, Task

_TIMEOUT_S = 30  # a scheduler that is busy takes its time
# Tasks given out for each thread of a worker: enough that none waits for work, few enough that results don't pile up.
_AHEAD = 3


class Cluster:
    """The workers of a scheduler at `address`. Used as a context. Raises CannotMeasure."""

    def __init__(self, address: str, read: Read = lambda _: None, do: Do = work.do) -> None:
        self._address = address
        self._read = read
        self._do = do
        self._distributed: Any = None  # its functions have no types
        self._client: Any = None
        self._stopped = False

    def __enter__(self) -> Self:
        try:
            self._distributed = importlib.import_module("distributed")
        except ImportError as error:
            raise CannotMeasure(
                "--dask needs the Python package distributed", "install it: pip install 'netprobe-wire[cluster]'"
            ) from error
        try:
            self._client = self._distributed.Client(self._address, timeout=_TIMEOUT_S, set_as_default=False)
            versions = set(self._client.run(_version).values())
        except Exception as error:
            self._close()
            raise CannotMeasure(
                f"--dask {self._address}: {str(error).splitlines()[0] if str(error) else type(error).__name__}",
                "start `dask scheduler`, and workers that have netprobe installed",
            ) from error
        if versions != {__version__}:
            self._close()
            found = ", ".join(sorted(versions)) if versions else "no worker"
            raise CannotMeasure(
                f"--dask {self._address}: {found}, and this is netprobe {__version__}",
                "start workers that have the same version",
            )
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    @property
    def count(self) -> int:
        """How many tasks they do at the same time."""
        return max(int(sum(self._client.nthreads().values())), 1)

    def share(self, folder: Path) -> bool:
        """Whether all of them run on this machine, as this user; what they find is sent otherwise."""
        try:
            return all(Path(one).exists() for one in self._client.run(_leave_a_mark, str(folder)).values())
        except OSError:
            return False

    def stop(self) -> None:
        """Nothing else is waited for."""
        self._stopped = True

    def results(self, tasks: Sequence[Task]) -> Iterator[list[Result]]:
        """What comes of the tasks, as they are done; they are begun in the order given."""
        waiting = iter(tasks)
        ahead = _AHEAD * self.count
        given: dict[Any, Task] = {}
        done: Any = self._distributed.as_completed([], loop=self._client.loop)
        taken = 0

        def give() -> None:
            task = next(waiting, None)
            if task is not None:
                future = self._client.submit(self._do, task, pure=False)
                given[future.key] = task
                done.add(future)

        for _ in range(ahead):
            give()
        while given and not self._stopped:
            try:
                future = done.next_batch(block=False) or [next(done)]
            except StopIteration:
                return
            for one in future:
                task = given.pop(one.key)
                yield self._result(one, task)
                taken += sum(unit.size for unit in task.units)
                self._read(taken)
                give()

    def _result(self, future: Any, task: Task) -> list[Result]:
        try:
            found: list[Result] = future.result()
        except self._distributed.KilledWorker:
            return [lost(one) for one in task.alone()]
        return found

    def _close(self) -> None:
        if self._client is not None:
            self._client.close()


def _version() -> str:
    return __version__


def _leave_a_mark(folder: str) -> str:
    descriptor, name = tempfile.mkstemp(dir=folder)
    os.close(descriptor)
    return name
