"""What any number of verdicts come to: by cause, server and origin, in memory that doesn't follow their number.

House rules of this file:
1. Attempts come many at once, in any order, as columns of numbers; no verdict is kept but the examples.
2. Counts of causes and rules are exact. Those of servers are exact until a cause has more than PLACES of them; from
   then on they are lower bounds, and say so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from netprobe.model import Certainty, State, Verdict
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
        if time_ns > self.last_ns:  # noqa: PLR1730 - max() takes three times as long, for each attempt
            self.last_ns = time_ns


class Place(NamedTuple):
    """A server (address and port), and who answered for it; harmless texts."""

    server: str
    where: str


class Outline(NamedTuple):
    """What a summary tells attempts apart by."""

    rule: str
    state: State
    cause: str
    certainty: Certainty
    place: Place


class Outlines(NamedTuple):
    """Attempts as columns, in the order in which they settled.

    `outlines`: those that attempts among them have, in the order of the first of these; `which`: of each attempt, the
    index of its own there; `frames`: the number of its first packet; `times_ns`: when that came, in nanoseconds since
    the epoch (0 where no packet shows it); `clients`: address and port, harmless; none where nobody asked for them.
    """

    outlines: Sequence[Outline]
    which: Sequence[int]
    frames: Sequence[int]
    times_ns: Sequence[int]
    clients: Sequence[str] = ()


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


@dataclass(frozen=True, slots=True)
class Kind:
    """All attempts that one rule decided, and the verdict of one of them."""

    example: Verdict
    count: int


class Examples:
    """The verdicts that a summary shows: `few`, the first of all; `failing`, the first that are not up; of each rule
    one (`of_rule`)."""

    def __init__(self) -> None:
        self.few: list[Verdict] = []
        self.failing: list[Verdict] = []
        self.of_rule: dict[str, Verdict] = {}

    def wanted(self, some: Outlines) -> Sequence[int]:
        """Those attempts whose verdicts belong here, by their numbers, in order: each has to be given to `keep`."""
        failing = [one.cause != "up" for one in some.outlines]
        found = set(range(min(FEW + 1 - len(self.few), len(some.which))))
        more = KEPT - len(self.failing)
        if more:
            found.update(islice((number for number, n in enumerate(some.which) if failing[n]), more))
        first: dict[str, int] = {}
        for n, one in enumerate(some.outlines):
            if failing[n] and one.rule not in self.of_rule and one.rule not in first:
                first[one.rule] = some.which.index(n)
        return sorted(found.union(first.values()))

    def keep(self, verdict: Verdict) -> None:
        """Remember a verdict that was wanted."""
        if len(self.few) <= FEW:
            self.few.append(verdict)
        if verdict.cause == "up":
            return
        if len(self.failing) < KEPT:
            self.failing.append(verdict)
        self.of_rule.setdefault(verdict.rule, verdict)


class Summary:
    """Counts and examples of verdicts."""

    def __init__(self) -> None:
        self.examples = Examples()
        self._causes: dict[str, Cause] = {}
        self._rules: Counter[str] = Counter()  # of failing attempts

    @property
    def span(self) -> Span:
        """All attempts."""
        spans = [cause.span for cause in self._causes.values()]
        first = min((span for span in spans if span.first_ns), key=lambda span: span.first_ns, default=Span())
        last_ns = max((span.last_ns for span in spans), default=0)
        return Span(self.total, first.first_ns, last_ns, first.frame)

    @property
    def total(self) -> int:
        """How many attempts there are."""
        return sum(cause.span.count for cause in self._causes.values())

    @property
    def failed(self) -> int:
        """How many of them are not up."""
        return self._rules.total()

    @property
    def causes(self) -> list[Cause]:
        """What there is to tell of each cause, the most frequent first."""
        return sorted(self._causes.values(), key=lambda cause: -cause.span.count)

    @property
    def kinds(self) -> list[Kind]:
        """The rules that decided failing attempts, the most frequent first."""
        found = [Kind(example, self._rules[rule]) for rule, example in self.examples.of_rule.items()]
        return sorted(found, key=lambda kind: -kind.count)

    def add(self, *verdicts: Verdict) -> None:
        """Count these, and keep what is wanted of them."""
        for number in self.note(outlined(verdicts)):
            self.examples.keep(verdicts[number])

    def note(self, some: Outlines) -> Sequence[int]:
        """Count these attempts. Returns those whose verdicts are wanted: see Examples."""
        spans: dict[int, tuple[Span, Span]] = {}  # of its cause, and of its server
        for n, frame, time_ns in zip(some.which, some.frames, some.times_ns, strict=True):
            found = spans.get(n)
            if found is None:
                found = spans[n] = self._spans(some.outlines[n], spans)
            cause, place = found
            cause.add(frame, time_ns)
            place.add(frame, time_ns)
        for n, count in Counter(some.which).items():
            if some.outlines[n].cause != "up":
                self._rules[some.outlines[n].rule] += count
        return self.examples.wanted(some)

    def _spans(self, one: Outline, known: dict[int, tuple[Span, Span]]) -> tuple[Span, Span]:
        """Where attempts with this outline are counted. `known`: what was told before; emptied where it may not hold
        any more."""
        cause = self._causes.get(one.cause)
        if cause is None:
            cause = self._causes[one.cause] = Cause(one.cause)
        place = cause.places.get(one.place)
        if place is None:
            if len(cause.places) >= 2 * PLACES:
                cause.forget()
                known.clear()
            place = cause.places[one.place] = Span()
        return cause.span, place


def outlined(verdicts: Sequence[Verdict]) -> Outlines:
    """The outlines of these verdicts, with their clients."""
    starts = [begun(verdict) for verdict in verdicts]
    return Outlines(
        [outline(verdict) for verdict in verdicts],
        range(len(verdicts)),
        [frame for frame, _ in starts],
        [time_ns for _, time_ns in starts],
        [client(verdict) for verdict in verdicts],
    )


def outline(verdict: Verdict) -> Outline:
    """What a summary tells this verdict apart by."""
    return Outline(
        rule=verdict.rule,
        state=verdict.state,
        cause=verdict.cause,
        certainty=verdict.certainty,
        place=Place(
            server=endpoint(verdict.address or verdict.target, verdict.port),
            where="-" if verdict.cause == "up" else where(verdict.origin, verdict.address),
        ),
    )


def client(verdict: Verdict) -> str:
    """The client's address and port, harmless."""
    return escape(str(verdict.client)) if verdict.client else "-"


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
