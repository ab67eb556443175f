"""Finding the rounds: the shift at which a signal moves with the rhythm, and how likely other traffic does so, too.

The chance is counted, not modelled: the share of windows elsewhere in which the signal grew as much as in a round's,
multiplied over the rounds, times the number of places and signals that were tried.

House rules of this file:
1. Nothing is taken from the clocks of the two ends; only the distances between rounds count.
2. A round counts for no more than its size, so that one unrelated burst finds nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TypeVar

from netprobe.doctor.facts import Heard
from netprobe.doctor.fingerprint.fate import follows
from netprobe.doctor.fingerprint.series import (
    DELAYED_S,
    EXPLAINED_BY,
    FATES,
    STEP_S,
    Grid,
    Samples,
    Series,
    signals,
    total,
)
from netprobe.rhythm import ECHOES, SYNS, Rounds

# How long a round and what follows from it may take on the network and back, in seconds; the shortest that fits wins.
WIDTHS_S = (0.06, 0.12, 0.32, 0.72)
_EVENT_S = 0.12
LONGEST_S = 75.0  # of the samples; older ones are not looked at
FIRST_LOOK, FOUND = 0.1, 1e-4
# Counters that all traffic moves: where that is quiet they show the rhythm plainly, else they show anything.
BUSY, FOUND_BUSY = frozenset({"taken", "arrived"}), 1e-6
FEWEST_ROUNDS = 2
ALONE = ("taken-back", "withheld", "cookie", "taken", "arrived")
Number = TypeVar("Number", int, float)
_CAP = 1.3
_ENOUGH = 0.5
# When Linux repeats a SYN-ACK: what belongs to a round, and is no usual traffic.
_REPEATED_S = (1.0, 3.0, 7.0, 15.0)
_LATE_S = 0.3  # by which timers may be late
_LEAST_NOISE = 0.25


@dataclass(frozen=True, slots=True)
class Place:
    """Where a rhythm was found: the step of its first round, the windows' width in steps, how likely by chance."""

    by: str
    step: int
    width: int
    chance: float
    rounds: int


@dataclass(frozen=True, slots=True)
class Growth:
    """By how much more than usual a signal grew at each round, the standard deviation of what is usual, and how far
    from the usual it ever was without a round."""

    excess: tuple[float, ...]
    noise: float
    tail: float

    def follows(self, sizes: Sequence[int]) -> bool | None:
        """Whether it moves with rounds of these sizes."""
        return follows(self.excess, sizes, self.noise)


@dataclass(frozen=True, slots=True)
class Pattern:
    """Rounds in steps."""

    starts: tuple[int, ...]
    sizes: tuple[int, ...]

    @classmethod
    def of(cls, rounds: Rounds, *, marked_only: bool = False) -> Pattern:
        """The pattern of rounds; of the marked ones only, with their distance from the first of all kept."""
        chosen = [at for at, marked in enumerate(rounds.marked) if marked or not marked_only]
        return cls(
            tuple(round(rounds.starts_s[at] / STEP_S) for at in chosen), tuple(rounds.sizes[at] for at in chosen)
        )

    def shifted(self, seconds: float) -> Pattern:
        """The same, later."""
        return Pattern(tuple(start + round(seconds / STEP_S) for start in self.starts), self.sizes)


def heard(samples: Samples) -> tuple[Heard, ...]:
    """The rounds in the samples, by IP version; none where nothing follows the rhythm."""
    samples = samples.last(LONGEST_S)
    if len(samples.times) < 2:
        return ()
    grid = Grid(samples)
    known = {family: signals(grid, family) for family in (4, 6)}
    first = {family: _search(known[family], family, set(), FIRST_LOOK) for family in (4, 6)}
    _without_shadows(first, known)
    # What the rounds themselves moved is no usual traffic: without it, the chances are counted again.
    moved = _moved_by(first)
    found = []
    for family in (4, 6):
        place = _search(known[family], family, moved, FOUND) if first[family] is not None else None
        if place is not None:
            found.append(_measured(known[family], family, place, moved, samples.times[0]))
    return tuple(found)


def _search(known: dict[str, Series], family: int, moved: set[int], limit: float) -> Place | None:
    """The best place of the SYNs' rhythm, else that of the pings'."""
    for candidates in (_of_syns(known, family), _of_pings(known, family)):
        moving = [one for one in candidates if not one[1].still]
        places = [
            replace(place, chance=min(1.0, place.chance * len(moving)))
            for by, series, pattern in moving
            for width_s in WIDTHS_S
            if (place := _best(by, series, pattern, round(width_s / STEP_S), moved)) is not None
        ]
        for place in sorted(places, key=lambda one: one.chance):
            enough = min(limit, FOUND_BUSY) if place.by in BUSY else limit
            if place.chance < enough and (place.by == "pings" or _arrived(known, family, place, moved) is not False):
                return place
    return None


def _arrived(known: dict[str, Series], family: int, place: Place, moved: set[int]) -> bool | None:
    """Whether packets of this IP version came with the rounds (TCP's counters are shared by both); None where other
    packets hide that."""
    pattern = Pattern.of(SYNS[family])
    return _growth(known["arrived"], pattern, place, place.width, moved).follows(pattern.sizes)


def _of_syns(known: dict[str, Series], family: int) -> list[tuple[str, Series, Pattern]]:
    """Signals in which the SYNs' rhythm may show."""
    whole = Pattern.of(SYNS[family])
    fates = total(known, FATES)
    tried = [("fates", fates, whole)] if fates is not None else []
    tried += [(name, known[name], whole) for name in (*FATES, *ALONE) if name in known]
    tried += [(name, known[name], whole.shifted(later)) for name, later in DELAYED_S.items() if name in known]
    if "mark" in known:
        tried.append(("mark", known["mark"], Pattern.of(SYNS[family], marked_only=True)))
    return tried


def _of_pings(known: dict[str, Series], family: int) -> list[tuple[str, Series, Pattern]]:
    """Signals in which the pings' rhythm may show: answered, or stopped by a filter."""
    return [("pings", known[name], Pattern.of(ECHOES[family])) for name in ("ping", "stopped") if name in known]


def _best(by: str, series: Series, pattern: Pattern, width: int, moved: set[int]) -> Place | None:
    """The shift at which the signal fits the pattern best, with its chance; None where it fits nowhere."""
    grown = series.windows(width)
    if not grown:
        return None
    calm = _calm(grown, width, moved)
    usual = sorted(calm)[len(calm) // 2]
    columns = [grown[start:] for start in pattern.starts]
    enough = columns[FEWEST_ROUNDS - 1] if len(columns) >= FEWEST_ROUNDS else columns[0]
    scores = [0.0] * len(enough)
    distinct = set(grown)
    for column, size in zip(columns, pattern.sizes, strict=True):
        most = _CAP * size
        gain = {one: size * min(one - usual, most) for one in distinct}
        gains = [gain[one] for one in column[: len(scores)]]
        scores = [a + b for a, b in zip_longest(scores, gains, fillvalue=0.0)]
    if not scores:
        return None
    top = max(scores)
    # The rounds begin where the window still holds all of them: the middle of the shifts that score alike.
    alike = [at for at, one in enumerate(scores) if one >= top - 1e-9]
    run = _first_run(alike)
    step = run[len(run) // 2]
    seen = [
        (grown[step + start], size)
        for start, size in zip(pattern.starts, pattern.sizes, strict=True)
        if step + start < len(grown)
    ]
    fitting = [one for one, size in seen if one - usual >= _ENOUGH * size]
    if len(fitting) < max(FEWEST_ROUNDS, len(seen) - 1):
        return None
    own = {step + start + late for start in pattern.starts for late in range(round(_EVENT_S / STEP_S))}
    others = calm if moved else _calm(grown, width, own)
    chance = _chance(seen, usual, others) * len(scores) * len(WIDTHS_S)
    return Place(by, step, width, min(1.0, chance), len(seen))


def _first_run(steps: Sequence[int]) -> list[int]:
    run = [steps[0]]
    for one in steps[1:]:
        if one != run[-1] + 1:
            break
        run.append(one)
    return run


def _calm(grown: Sequence[Number], width: int, moved: set[int]) -> list[Number]:
    """Growth in windows, overlapping by half, that hold no step of `moved`; in all where none is left."""
    holding = {at for step in moved for at in range(step - width, step + 1)}
    return [grown[at] for at in range(0, len(grown), max(1, width // 2)) if at not in holding] or list(grown)


def _chance(seen: Sequence[tuple[int, int]], usual: int, others: Sequence[int]) -> float:
    """How likely windows without a round are to show as much. Where nothing else came near it, a growth of just the
    round's size is worth more: one burst in ten has it, and one in a hundred where there is no other at all."""
    count = len(others) + 1
    chance = 1.0
    for grown, size in seen:
        above = sum(1 for one in others if one >= grown)
        most = max(others, default=0) - usual
        alone = (0.01 if most <= 0 else 0.1) if grown - usual == size and most < size / 2 else 1.0
        chance *= (1 + above) / count * alone
    return chance


def _without_shadows(found: dict[int, Place | None], known: dict[int, dict[str, Series]]) -> None:
    """Takes away the less likely of two, where it consists of the other one's repeated SYN-ACKs: both IP versions share
    TCP's counters."""
    places = sorted((one.chance, family) for family, one in found.items() if one is not None)
    if len(places) < 2:
        return
    (_, real), (_, shadow) = places
    first, second = found[real], found[shadow]
    assert first is not None
    assert second is not None
    if second.by not in DELAYED_S or _arrived(known[shadow], shadow, second, set()):
        return
    events = [first.step * STEP_S + start + again for start in SYNS[real].starts_s for again in (0.0, *_REPEATED_S)]
    seen = [second.step * STEP_S + start + DELAYED_S.get(second.by, 0.0) for start in SYNS[shadow].starts_s]
    if sum(min(abs(one - event) for event in events) < _LATE_S for one in seen) > 1:
        found[shadow] = None


def _moved_by(found: dict[int, Place | None]) -> set[int]:
    """Steps at which something of the rounds happens: SYNs, pings, repeated SYN-ACKs."""
    moved: set[int] = set()
    for family, place in found.items():
        if place is not None:
            syns, echoes = SYNS[family].starts_s, ECHOES[family].starts_s
            lasts_s = max(_EVENT_S, place.width * STEP_S)  # the place is no more exact than that
            events = [(start, lasts_s) for start in (*syns, *echoes)]
            events += [(start + again, max(lasts_s, _LATE_S)) for start in syns for again in _REPEATED_S]
            for start, lasts in events:
                first = place.step + round(start / STEP_S)
                moved.update(range(first, first + round(lasts / STEP_S)))
    return moved


def _measured(known: dict[str, Series], family: int, place: Place, moved: set[int], began_s: float) -> Heard:
    """What every signal did at the rounds that were found. What follows only after a round trip needs a wider window:
    the narrowest in which the signal follows is taken."""
    whole = Pattern.of(SYNS[family])
    excess: dict[str, tuple[float, ...]] = {}
    noise: dict[str, float] = {}
    tail: dict[str, float] = {}
    rounds = 0
    for name, series in known.items():
        delay = DELAYED_S.get(name, 0.0)
        widths = [round(one / STEP_S) for one in WIDTHS_S if one / STEP_S >= place.width - 0.5]
        tries = [
            _growth(series, whole.shifted(delay), place, width, moved, known.get(EXPLAINED_BY.get(name, "")))
            for width in widths
        ]
        found = next((one for one in tries if one.follows(whole.sizes)), tries[0])
        excess[name], noise[name], tail[name] = found.excess, found.noise, found.tail
        rounds = rounds if delay else max(rounds, len(excess[name]))
    return Heard(
        family=family,
        by=place.by,
        at_s=round(began_s + place.step * STEP_S, 2),
        chance=float(f"{place.chance:.1e}"),
        sizes=whole.sizes[:rounds],
        excess=excess,
        noise=noise,
        tail=tail,
    )


def _growth(
    series: Series,
    pattern: Pattern,
    place: Place,
    width: int,
    moved: set[int],
    explaining: Series | None = None,
) -> Growth:
    """How a signal grew at the rounds. What `explaining` explains of it is taken out."""
    grown: Sequence[float] = series.windows(width)
    if explaining is not None:
        other = explaining.windows(width)
        share = _slope(_calm(other, width, moved), _calm(grown, width, moved))
        grown = [one - share * by for one, by in zip(grown, other, strict=True)]
    seen = [grown[place.step + start] for start in pattern.starts if place.step + start < len(grown)]
    calm = sorted(_calm(grown, width, moved) or [0])
    trimmed = _trimmed(calm)
    usual = sum(trimmed) / len(trimmed)
    spread = math.sqrt(sum((one - usual) ** 2 for one in trimmed) / len(trimmed))
    return Growth(
        tuple(round(one - usual, 2) for one in seen),
        round(max(spread, _LEAST_NOISE), 2),
        round(max(usual - calm[0], calm[-1] - usual), 2),
    )


def _slope(others: Sequence[float], ones: Sequence[float]) -> float:
    """By how much one grows where the other grows by one (least squares); 0 where the other stands still."""
    middle, usual = sum(others) / len(others), sum(ones) / len(ones)
    spread = sum((other - middle) ** 2 for other in others)
    together = sum((other - middle) * (one - usual) for other, one in zip(others, ones, strict=True))
    return together / spread if spread else 0.0


def _trimmed(windows: list[float]) -> list[float]:
    """Sorted windows without the most extreme of a hundred on either side: one burst is no usual traffic."""
    cut = len(windows) // 100
    return windows[cut : len(windows) - cut]


def whole_s(found: Iterable[Heard]) -> float:
    """When all that was found is over, in seconds after the first sample, with the time that answers and a repeated
    SYN-ACK take; 0 where nothing was found."""
    return max((one.at_s + SYNS[one.family].span_s + _REPEATED_S[0] + WIDTHS_S[-1] for one in found), default=0.0)
