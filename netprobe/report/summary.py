"""What any number of verdicts come to: by cause, server and origin, in memory that doesn't follow their number.

House rules of this file:
1. Verdicts come one by one, in any order; none is kept but the examples.
2. Counts of causes and rules are exact. Those of servers are exact until a cause has more than PLACES of them; from
   then on they are lower bounds, and say so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from netprobe.model import Verdict
from netprobe.report.details import where
from netprobe.report.escape import escape

# Servers (with port and origin) remembered for each cause, twice that many for a moment.
PLACES = 1000
# Failing verdicts kept to be shown one by one.
KEPT = 20
# Up to so many verdicts are all shown in full.
FEW = 8


@dataclass(slots=True)
class Span:
    """Attempts that have something in common: how many, when (nanoseconds since the epoch; 0 where no packet shows it),
    and a frame of the first."""

    count: int = 0
    first_ns: int = 0
    last_ns: int = 0
    frame: int = 0

    def add(self, frame: int, time_ns: int) -> None:
        """One more, which begins here."""
        self.count += 1
        if not time_ns:
            return
        if not self.first_ns or time_ns < self.first_ns:
            self.first_ns = time_ns
            self.frame = frame
        self.last_ns = max(self.last_ns, time_ns)


class Place(NamedTuple):
    """A server, and who answered for it."""

    server: str
    where: str


class Outline(NamedTuple):
    """What a summary counts of one attempt. `like`: a verdict of the same rule, state, cause and certainty, whose
    addresses, ports, frames and times need not be this attempt's; the rest is, as it will be shown."""

    like: Verdict
    server: str
    client: str
    where: str
    frame: int
    time_ns: int


@dataclass(slots=True)
class Cause:
    """All attempts with one cause. `forgotten`: the largest count of a server that was no longer remembered, 0 while
    all are; the counts of the others are too small by at most as much."""

    name: str
    span: Span = field(default_factory=Span)
    places: dict[Place, Span] = field(default_factory=dict)
    forgotten: int = 0

    def top(self, limit: int) -> Sequence[tuple[Place, Span]]:
        """The servers with most attempts, most first; of equals the one that came first."""
        return sorted(self.places.items(), key=lambda item: (-item[1].count, item[1].first_ns))[:limit]

    def forget(self) -> None:
        """Keep the PLACES with most attempts."""
        ordered = self.top(len(self.places))
        self.forgotten = max(self.forgotten, ordered[PLACES][1].count)
        self.places = dict(ordered[:PLACES])


@dataclass(slots=True)
class Kind:
    """All attempts that one rule decided, and the verdict of one of them."""

    example: Verdict
    count: int = 0


class Summary:
    """Counts and examples of verdicts. `kept`: how many failing ones are remembered whole."""

    def __init__(self, *, kept: int = KEPT) -> None:
        self.total = 0
        self.failed = 0
        self.span = Span()
        self.few: list[Verdict] = []
        self.failing: list[Verdict] = []
        self._kept = kept
        self._counts: dict[str, int] = {}
        self._causes: dict[str, Cause] = {}
        self._kinds: dict[str, Kind] = {}

    @property
    def by_cause(self) -> dict[str, int]:
        """How many attempts have each cause, the most frequent first."""
        return dict(sorted(self._counts.items(), key=lambda item: -item[1]))

    @property
    def causes(self) -> list[Cause]:
        """What there is to tell of each cause, the most frequent first. Without what was only tallied."""
        return sorted(self._causes.values(), key=lambda cause: -cause.span.count)

    @property
    def kinds(self) -> list[Kind]:
        """The rules that decided failing attempts, the most frequent first."""
        return sorted(self._kinds.values(), key=lambda kind: -kind.count)

    def tally(self, cause: str, count: int = 1) -> None:
        """Count attempts of which nothing else will be told."""
        self.total += count
        self._counts[cause] = self._counts.get(cause, 0) + count
        if cause != "up":
            self.failed += count

    def add(self, verdict: Verdict) -> None:
        """One verdict."""
        if self.note(outline(verdict)):
            self.keep(verdict)

    def note(self, one: Outline) -> bool:
        """Count one attempt. Whether its verdict itself is wanted: give it to `keep` then."""
        verdict = one.like
        self.tally(verdict.cause)
        self.span.add(one.frame, one.time_ns)
        cause = self._causes.get(verdict.cause)
        if cause is None:
            cause = self._causes[verdict.cause] = Cause(verdict.cause)
        cause.span.add(one.frame, one.time_ns)
        key = Place(one.server, one.where)
        place = cause.places.get(key)
        if place is None:
            if len(cause.places) >= 2 * PLACES:
                cause.forget()
            place = cause.places[key] = Span()
        place.add(one.frame, one.time_ns)
        if verdict.cause == "up":
            return len(self.few) <= FEW
        kind = self._kinds.get(verdict.rule)
        if kind is not None:
            kind.count += 1
        return kind is None or len(self.few) <= FEW or len(self.failing) < self._kept

    def keep(self, verdict: Verdict) -> None:
        """Remember a verdict that `note` wanted."""
        if len(self.few) <= FEW:
            self.few.append(verdict)
        if verdict.cause == "up":
            return
        if len(self.failing) < self._kept:
            self.failing.append(verdict)
        if verdict.rule not in self._kinds:
            self._kinds[verdict.rule] = Kind(verdict, 1)


def outline(verdict: Verdict) -> Outline:
    """What a summary counts of this verdict."""
    frame, time_ns = begun(verdict)
    return Outline(
        like=verdict,
        server=endpoint(verdict.address or verdict.target, verdict.port),
        client=escape(str(verdict.client)) if verdict.client else "-",
        where="-" if verdict.cause == "up" else where(verdict.origin, verdict.address),
        frame=frame,
        time_ns=time_ns,
    )


def endpoint(address: str, port: int) -> str:
    """Address and port as one would type them, harmless."""
    text = escape(address)
    return f"[{text}]:{port}" if ":" in text else f"{text}:{port}"


def begun(verdict: Verdict) -> tuple[int, int]:
    """The first frame that the verdict cites and its time; zeros where it cites none."""
    if not verdict.evidence:
        return 0, 0
    first = verdict.evidence[0]
    return first.frame, first.time_ns
