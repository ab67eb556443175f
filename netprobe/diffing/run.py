"""The driver of `netprobe diff`."""

from __future__ import annotations

from dataclasses import dataclass

from netprobe.diffing.compare import compare
from netprobe.diffing.reading import Notice, Read, Result, read
from netprobe.report.difference import Difference

SAME, CHANGED, NOTHING, DAMAGED, INTERRUPTED = 0, 1, 3, 4, 130


@dataclass(frozen=True, slots=True)
class Run:
    """A comparison and how it went."""

    difference: Difference
    interrupted: bool

    @property
    def exit_code(self) -> int:
        """130 interrupted, else 4 a damaged capture, else 3 nothing to compare, else 1 something changed, else 0
        (docs/interface.md)."""
        if self.interrupted:
            return INTERRUPTED
        if self.difference.old.damage or self.difference.new.damage:
            return DAMAGED
        if self.difference.empty:
            return NOTHING
        return CHANGED if self.difference.changed else SAME


def run(old: str, new: str, notice: Notice, heard: Read | None = None, *, common: bool = False) -> Run:
    """Compare two results. `heard`: how far a file is read; `common`: only places that are in both. Raises
    UnreadableCapture."""
    before = read(old, notice, heard)
    after = read(new, notice, heard)
    places, same = compare(before.places, after.places, common=common)
    difference = Difference(
        old=before.source, new=after.source, places=tuple(places), same=same, notes=tuple(_notes(before, after))
    )
    return Run(difference, before.interrupted or after.interrupted)


def _notes(old: Result, new: Result) -> list[str]:
    """What keeps some things from being compared."""
    notes = []
    modes = old.source.mode, new.source.mode
    if None not in modes and modes[0] != modes[1] and "connect" in modes:
        without = old.source.name if modes[0] == "connect" else new.source.name
        notes.append(f"{without} was made without root: what only packets show isn't known there and wasn't compared")
    sides = [{side for one in result.places.values() for side in one.vantages} for result in (old, new)]
    if sides[0] and sides[1] and sides[0].isdisjoint(sides[1]):
        told = " and ".join("/".join(sorted(side)) for side in sides)
        notes.append(f"captured on different sides ({told}): TTLs and times weren't compared")
    if not set(old.places) & set(new.places):
        redacted = " (redacted with different keys, the same address is mapped to different ones)"
        notes.append(f"no target is in both results{redacted if old.redacted or new.redacted else ''}")
    for source in (old.source, new.source):
        if source.dropped:
            notes.append(f"{source.name}: the capture lost {source.dropped:,} packets")
        notes.extend(f"damaged: {damage}" for damage in source.damage)
    return notes
