"""What an analysis asks tshark for: which frames a display filter matches, and its opinion of the decisive ones."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from netprobe.crosscheck import Decisive, compare
from netprobe.errors import CannotMeasure
from netprobe.options import AnalyzeOptions
from netprobe.report import CrossCheck, Difference
from netprobe.settling.marks import Marks, MergedMarks
from netprobe.wire import tshark
from netprobe.wire.capture import CaptureReader
from netprobe.wire.merge import MergedCaptures
from netprobe.wire.tshark import Frames

Reader = CaptureReader | MergedCaptures
Notice = Callable[[str], None]
Read = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Asked:
    """`frames`: of each file those that match the filter, None without one; `decisive`: collects the frames to be
    compared, None where nobody wants that."""

    frames: Mapping[str, Frames] | None = None
    decisive: Decisive | None = None

    @property
    def own(self) -> Frames | None:
        """The matching frames of the only file."""
        return None if self.frames is None else next(iter(self.frames.values()))

    def marks(self, reader: Reader) -> Marks | None:
        """What remembers to which rows matching frames belong."""
        if self.frames is None:
            return None
        if isinstance(reader, MergedCaptures):
            return MergedMarks(self.frames, reader.place)
        return Marks(next(iter(self.frames.values())))

    def second_opinion(self, reader: Reader, depth: int, notice: Notice, read: Read | None) -> CrossCheck | None:
        """What tshark made of the frames that verdicts rest on, and netprobe through `depth` tunnels. Raises
        CannotMeasure."""
        if self.decisive is None:
            return None
        wanted: dict[str, set[int]] = {str(path): set() for path in files(reader)}
        for number in self.decisive.numbers:
            if isinstance(reader, MergedCaptures):
                place = reader.place(number)
                if place is not None:
                    wanted[place[0]].add(place[1])
            else:
                wanted[str(reader.path)].add(number)
        count = 0
        found: list[Difference] = []
        for name, numbers in wanted.items():
            both, different = compare(Path(name), numbers, _named(read, Path(name)), notice, depth)
            count += both
            found += different
        if found:
            frames = len({(one.file, one.frame) for one in found})
            notice(f"cross-check: tshark decodes {frames:,} of {count:,} decisive frames differently")
        return CrossCheck(frames=count, left_out=self.decisive.left_out, differences=tuple(found))


def ask(reader: Reader, options: AnalyzeOptions, notice: Notice, read: Read | None) -> Asked:
    """Put the filter to tshark. What can't be done is found out here, before anything else. Raises UsageError and
    CannotMeasure."""
    decisive = Decisive() if options.cross_check else None
    if options.display_filter is None:
        if decisive is not None:
            for path in files(reader):
                tshark.ready(path)
        return Asked(None, decisive)
    frames = {
        str(path): tshark.matching(path, options.display_filter, _named(read, path), notice) for path in files(reader)
    }
    return Asked(frames, decisive)


def files(reader: Reader) -> list[Path]:
    """The files that are read. Raises CannotMeasure where there is none."""
    if isinstance(reader, MergedCaptures):
        return [Path(part.name) for part in reader.parts if part.unreadable is None]
    if reader.path is None:
        raise CannotMeasure("tshark needs a file, not a stream", "save it first")
    return [Path(reader.path)]


def _named(read: Read | None, path: Path) -> tshark.Read | None:
    return None if read is None else functools.partial(read, f"{path.name} (tshark)")
