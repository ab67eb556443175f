"""Whether parts that were tracked apart are what one process would have read, one after the other.

House rules of this file:
1. Whatever can't be known to be the same raises Differs: the captures are then read by one process.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from netprobe.jobs.part import Part
from netprobe.tracker.columns import N_FRAMES, N_WHAT, WHATS


class Differs(Exception):  # noqa: N818 - no error: one process does it instead
    """The parts don't fit together; why, says the message."""


def checked(parts: Sequence[Part], *, stream: bool) -> list[Part]:
    """The parts of one file in order; of a `stream` those of several files, each file's in order. Without what stands
    behind a damage, and in the order of time. Raises Differs."""
    if any(part.scan for part in parts):
        raise Differs("a saved scan")
    if len(parts) > 1 and any(all(part.counters[N_WHAT + 2 * n] for n in range(WHATS)) for part in parts):
        raise Differs("too many kinds of packets that aren't decoded")
    files: dict[str, list[Part]] = {}
    for part in parts:
        files.setdefault(str(part.path), []).append(part)
    one_by_one = [_of_one_file(each) for each in files.values()]
    if not stream or len(one_by_one) == 1:
        return [part for each in one_by_one for part in each]
    return _of_a_stream(one_by_one)


def _of_one_file(parts: Sequence[Part]) -> list[Part]:
    """The parts of a file up to where its reading ends."""
    kept: list[Part] = []
    for part in parts:
        if kept and kept[-1].known[1] != part.known[0]:
            raise Differs("a section or an interface is described in the middle of the file")
        if kept and kept[-1].portion.stop != part.portion.start:
            raise Differs("a part is missing")
        kept.append(part)
        if part.interrupted:
            break
        if not part.whole and part is not parts[-1]:
            if not part.damage:
                raise Differs("the file was cut within a record")
            break  # nothing behind a damage is read
    return kept


def _of_a_stream(files: Sequence[list[Part]]) -> list[Part]:
    """Files whose records follow each other. Of equal times the file named first goes on, as in MergedCaptures."""
    with_frames = [each for each in files if any(part.counters[N_FRAMES] for part in each)]
    with_frames.sort(key=lambda each: each[0].first_ns)
    for before, after in pairwise(with_frames):
        if max(part.latest_ns for part in before) >= after[0].first_ns:
            raise Differs("the files overlap in time")
    every = [part for each in with_frames for part in each]
    if any(part.facts or part.frames != part.counters[N_FRAMES] for part in every):
        raise Differs("there are more than packets in the files")
    without = [part for each in files if each not in with_frames for part in each]
    return [*without, *every]
