"""What one process gets to do, and what it gives back: plain data that can be sent anywhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from netprobe.analyze import Analysis
from netprobe.errors import NetprobeError
from netprobe.jobs.part import Part
from netprobe.options import AnalyzeOptions
from netprobe.tables import Place
from netprobe.wire.portion import Portion


@dataclass(frozen=True, slots=True)
class Wanted:
    """The forms in which attempts are wanted: JSON `lines`, `outlines` for a summary (with their `clients`), or else
    verdicts. `tallies`: each line with what was counted of its packets besides. `parquet`: where tables go."""

    lines: bool = False
    outlines: bool = False
    clients: bool = False
    tallies: bool = False
    parquet: Place | None = None


@dataclass(frozen=True, slots=True)
class Unit:
    """One file: its place among the files, and its size in bytes (0: unknown); or one `portion` of a file that is cut,
    the one with this `number`."""

    index: int
    path: Path
    size: int
    portion: Portion | None = None
    number: int = 0


@dataclass(frozen=True, slots=True)
class Task:
    """Some files, one after the other. `spool`: a folder of this machine for what comes of them; None: it is sent
    back."""

    units: tuple[Unit, ...]
    options: AnalyzeOptions
    wanted: Wanted
    spool: Path | None

    @property
    def size(self) -> int:
        """How much there is to read, with what opening a file costs."""
        return sum(unit.size + OPENING for unit in self.units)

    def alone(self) -> list[Task]:
        """A task for each file."""
        return [replace(self, units=(unit,)) for unit in self.units]


# What opening a capture costs, as bytes that could be read instead.
OPENING = 100_000


@dataclass(slots=True)
class Result:
    """What came of one file: `found`, or the `error` why nothing did. `notices`: what was said meanwhile. `spool`: the
    file with what was asked for, or its octets; None where nothing was. `part`: what one portion came to."""

    index: int
    found: Analysis | None = None
    error: NetprobeError | None = None
    notices: tuple[str, ...] = ()
    spool: Path | bytes | None = None
    part: Part | None = None
    number: int = 0


Do = Callable[[Task], list[Result]]
