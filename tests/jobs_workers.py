"""Work for the processes of a pool that goes wrong: they die, once or always."""

from __future__ import annotations

import os
import signal

from netprobe.jobs import work
from netprobe.jobs.task import Result, Task


def dies_once(task: Task) -> list[Result]:
    """The first process that gets to a file called `once...` dies of it."""
    for unit in task.units:
        mark = unit.path.with_suffix(".died")
        if unit.path.name.startswith("once") and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
    return work.do(task)


def dies_always(task: Task) -> list[Result]:
    """Every process that gets to a file called `bad...` dies of it."""
    if any(unit.path.name.startswith("bad") for unit in task.units):
        os.kill(os.getpid(), signal.SIGKILL)
    return work.do(task)
