"""How far two clocks are apart, told from packets that both captures have.

A packet takes some time on its way, never less than none. So the quickest one there says how much the server's clock
can be ahead at most, the quickest one back how much at least (as NTP has it, RFC 5905 8); the truth lies between, and
half of what is between is the uncertainty. Clocks that run at different speeds are told by how both bounds move.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

SECOND = 1_000_000_000
BINS = 32
DRIFT_SPAN_NS = 20_000_000_000  # shorter captures show no drift: the bounds move more than the clocks
FASTEST_PPM = 1000.0  # clocks of computers are off by 100 at most; more is a clock that was set


class Sample(NamedTuple):
    """One packet in both captures, each time by its own clock."""

    client_ns: int
    server_ns: int
    there: bool

    @property
    def difference(self) -> int:
        """The server's clock minus the client's, and the time that it took there, or minus that back."""
        return self.server_ns - self.client_ns


@dataclass(frozen=True, slots=True)
class Clocks:
    """`offset_ns`: server's clock minus client's, at `at_ns` of the client's; plus or minus `uncertainty_ns`, which is
    None where only one direction was seen: then the offset is but a bound. `drift_ppm`: by how much the server's runs
    faster; None where it can't be seen. `round_trip_ns`: of the quickest packets, between the two captures."""

    offset_ns: int | None = None
    uncertainty_ns: int | None = None
    drift_ppm: float | None = None
    round_trip_ns: int | None = None
    there: int = 0
    back: int = 0
    at_ns: int = 0
    unsteady: bool = False  # one of the clocks was set meanwhile

    @property
    def bound(self) -> str | None:
        """What the offset is where only one direction was seen: at-most, at-least."""
        if self.offset_ns is None or self.uncertainty_ns is not None:
            return None
        return "at-most" if self.there else "at-least"

    def at_server(self, client_ns: int) -> int:
        """What the server's clock showed then."""
        return client_ns + (self.offset_ns or 0) + self._drifted(client_ns)

    def at_client(self, server_ns: int) -> int:
        """What the client's clock showed then."""
        near = server_ns - (self.offset_ns or 0)
        return near - self._drifted(near)

    def _drifted(self, client_ns: int) -> int:
        return round((client_ns - self.at_ns) * (self.drift_ppm or 0.0) / 1e6)


class Samples:
    """Packets that both captures have. Of each second and direction only the quickest is kept: it alone decides."""

    def __init__(self, samples: Iterable[Sample] = ()) -> None:
        self._quickest: dict[tuple[int, bool], Sample] = {}
        self.there = self.back = 0
        self._client: tuple[int, int] | None = None
        self._server: tuple[int, int] | None = None
        self.add(samples)

    def add(self, samples: Iterable[Sample]) -> None:
        """More of them."""
        for sample in samples:
            if sample.there:
                self.there += 1
            else:
                self.back += 1
            key = (sample.client_ns // SECOND, sample.there)
            known = self._quickest.get(key)
            if known is None or (sample.difference < known.difference) == sample.there:
                self._quickest[key] = sample
            self._client = _wider(self._client, sample.client_ns)
            self._server = _wider(self._server, sample.server_ns)

    @property
    def quickest(self) -> list[Sample]:
        """Those that decide."""
        return list(self._quickest.values())

    @property
    def spans(self) -> tuple[tuple[int, int] | None, tuple[int, int] | None]:
        """From the first to the last, by the client's clock and by the server's."""
        return self._client, self._server


def _wider(span: tuple[int, int] | None, moment: int) -> tuple[int, int]:
    return (moment, moment) if span is None else (min(span[0], moment), max(span[1], moment))


def estimate(found: Samples) -> Clocks:
    """The offset of two clocks from packets that both saw."""
    samples = found.quickest
    there = [s for s in samples if s.there]
    back = [s for s in samples if not s.there]
    span, _ = found.spans
    if span is None:
        return Clocks()
    begin = span[0]
    if not there or not back:
        differences = [s.difference for s in samples]
        offset = min(differences) if there else max(differences)
        return Clocks(offset, None, None, None, found.there, found.back, begin)
    flat = _flat(there, back, 0.0, begin)
    slope = _slope(samples, begin)
    if slope is not None:
        sloped = _flat(there, back, slope, begin)
        # Believed where it explains what an even offset can't, or moves more than the bounds are apart.
        moved = abs(slope) * (span[1] - begin)
        if sloped[1] >= 0 and (flat[1] < 0 or (moved > 2 * sloped[1] and sloped[1] < 0.7 * flat[1])):
            return _clocks(sloped, slope, found.there, found.back, begin)
    return _clocks(flat, 0.0, found.there, found.back, begin)


def _flat(there: Sequence[Sample], back: Sequence[Sample], slope: float, begin: int) -> tuple[int, int]:
    """The offset at `begin` and half of what is between its bounds, where the server's clock gains `slope`."""
    most = min(s.server_ns - s.client_ns - round((s.client_ns - begin) * slope) for s in there)
    least = max(s.server_ns - s.client_ns - round((s.client_ns - begin) * slope) for s in back)
    return (most + least) // 2, (most - least) // 2


def _clocks(found: tuple[int, int], slope: float, there: int, back: int, begin: int) -> Clocks:
    offset, half = found
    drift = slope * 1e6 if slope else None
    if half < 0:
        # A packet that arrived before it left: no steady pair of clocks does that.
        return Clocks(offset, -half, drift, None, there, back, begin, unsteady=True)
    return Clocks(offset, half, drift, 2 * half, there, back, begin)


def _slope(samples: Sequence[Sample], begin: int) -> float | None:
    """By how much the server's clock gains, from the middle of both bounds in each stretch of time; None where the
    capture is too short or has too few packets."""
    span = max(s.client_ns for s in samples) - begin
    if span < DRIFT_SPAN_NS:
        return None
    stretches: list[list[int | None]] = [[None, None, 0, 0] for _ in range(BINS)]
    for s in samples:
        stretch = stretches[min((s.client_ns - begin) * BINS // (span + 1), BINS - 1)]
        difference = s.server_ns - s.client_ns
        at = 0 if s.there else 1
        known = stretch[at]
        if known is None or (difference < known) == s.there:
            stretch[at] = difference
        stretch[2] = (stretch[2] or 0) + s.client_ns - begin
        stretch[3] = (stretch[3] or 0) + 1
    points = [
        ((total or 0) / (count or 1), (most + least) / 2)
        for most, least, total, count in stretches
        if most is not None and least is not None
    ]
    if len(points) < 3 or points[-1][0] - points[0][0] < DRIFT_SPAN_NS:
        return None
    base = points[0][1]
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y - base for _, y in points) / len(points)
    square = sum((x - mean_x) ** 2 for x, _ in points)
    slope = sum((x - mean_x) * (y - base - mean_y) for x, y in points) / square
    return slope if abs(slope) * 1e6 <= FASTEST_PPM else None
