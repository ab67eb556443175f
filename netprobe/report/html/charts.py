"""When attempts began, by cause, and causes by server: numbers and places of the page's two charts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from netprobe.report import Cell
from netprobe.report.html.attempts import Attempts

BINS = 60
SERVERS = 15
COLOURS = 8  # causes with a colour of their own; the others share the last
COLUMNS = 64  # squares in a row of a network's map
ROWS = 100  # of the table beside it
SILENT = "host-silent"
WIDTH = 860
HEIGHT = 150
_LEFT = 56


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle: of which cause, how many attempts."""

    x: float
    y: float
    width: float
    height: float
    colour: int
    cause: str
    count: int
    tip: str


@dataclass(frozen=True, slots=True)
class TimeLine:
    """Attempts by time. `marks`: (x, what) along the axis; `most`: the highest bar's attempts."""

    bars: tuple[Bar, ...]
    marks: tuple[tuple[float, str], ...]
    most: int
    width: int
    height: int
    table: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ServerRow:
    """One server: how many attempts it had, and how many by cause."""

    server: str
    count: int
    failed: int
    bars: tuple[Bar, ...]
    told: str


@dataclass(frozen=True, slots=True)
class Servers:
    """Causes by server, those with most failures first."""

    rows: tuple[ServerRow, ...]
    others: int


def colours(causes: Iterable[str]) -> dict[str, int]:
    """A colour for each cause: 0 for what is up, then by frequency."""
    failing = [cause for cause in dict.fromkeys(causes) if cause != "up"]
    return {"up": 0} | {cause: min(n, COLOURS) for n, cause in enumerate(failing, 1)}


def time_line(attempts: Attempts, colour: dict[str, int]) -> TimeLine | None:
    """None where no time is known, or there is but one."""
    times = [when for when in attempts.begun if when > 0]
    if len(times) < 2 or max(times) - min(times) < 0.001:
        return None
    low, span = min(times), max(times) - min(times)
    width = span / BINS
    causes = [attempts.cause(kind) for kind in range(len(attempts.templates))]
    found: Counter[tuple[int, str]] = Counter()
    for when, kind in zip(attempts.begun, attempts.kind_of, strict=True):
        if when > 0:
            found[min(int((when - low) / width), BINS - 1), causes[kind]] += 1
    totals: Counter[int] = Counter()
    for (place, _), count in found.items():
        totals[place] += count
    most = max(totals.values())
    step = (WIDTH - _LEFT) / BINS
    bars: list[Bar] = []
    table = []
    for place in range(BINS):
        y = float(HEIGHT)
        since = _clock(low + place * width, span)
        parts = []
        for cause, number in colour.items():
            count = found[place, cause]
            if count:
                height = count / most * HEIGHT
                y -= height
                tip = f"{since}: {count:,} {cause}"
                bars.append(Bar(_LEFT + place * step, y, step - 1, height, number, cause, count, tip))
                parts.append(f"{count:,} {cause}")
        if parts:
            table.append((since, ", ".join(parts)))
    marks = tuple((_LEFT + n * (WIDTH - _LEFT) / 4, _clock(low + n * span / 4, span)) for n in range(5))
    return TimeLine(tuple(bars), marks, most, WIDTH, HEIGHT, tuple(table))


def servers(attempts: Attempts, colour: dict[str, int]) -> Servers | None:
    """None where all attempts went to one server."""
    names = list(attempts.servers)
    if len(names) < 2:
        return None
    causes = [attempts.cause(kind) for kind in range(len(attempts.templates))]
    pairs = Counter(zip(attempts.server_of, attempts.kind_of, strict=True))
    by_server: dict[int, Counter[str]] = {}
    for (place, kind), count in pairs.items():
        by_server.setdefault(place, Counter())[causes[kind]] += count
    failed = {place: found.total() - found["up"] for place, found in by_server.items()}
    order = sorted(by_server, key=lambda place: (-failed[place], -by_server[place].total(), names[place]))
    most = max((by_server[place].total() for place in order[:SERVERS]), default=1)
    rows = []
    for place in order[:SERVERS]:
        found = by_server[place]
        x = 0.0
        bars = []
        for cause in sorted(found, key=lambda one: (one == "up", colour[one])):
            width = found[cause] / most * 100
            tip = f"{found[cause]:,} {cause}"
            bars.append(Bar(x, 0, max(width, 0.2), 16, colour[cause], cause, found[cause], tip))
            x += width
        told = ", ".join(f"{count:,} {cause}" for cause, count in found.most_common())
        rows.append(ServerRow(endpoint(names[place]), found.total(), failed[place], tuple(bars), told))
    return Servers(tuple(rows), max(0, len(order) - SERVERS))


@dataclass(frozen=True, slots=True)
class Field:
    """One part of a swept network, a square: its most frequent cause, silence only where nothing answered."""

    x: int
    y: int
    colour: int
    tip: str


@dataclass(frozen=True, slots=True)
class Network:
    """A swept network in rows of squares, left to right and down."""

    fields: tuple[Field, ...]
    side: int
    width: int
    height: int
    table: tuple[tuple[str, str], ...]


def network(cells: Sequence[Cell], colour: dict[str, int]) -> Network | None:
    """None where nothing was swept."""
    if not cells:
        return None
    side = WIDTH // COLUMNS
    fields = []
    table: list[tuple[str, str]] = []
    for n, cell in enumerate(cells):
        told = ", ".join(f"{count:,} {cause}" for cause, count in sorted(cell.causes.items(), key=lambda one: -one[1]))
        place = cell.first if cell.first == cell.last else f"{cell.first} to {cell.last}"
        answered = {cause: count for cause, count in cell.causes.items() if cause != SILENT} or cell.causes
        most = max(answered, key=lambda cause: answered[cause], default="")
        fields.append(Field(n % COLUMNS * side, n // COLUMNS * side, colour.get(most, COLOURS), f"{place}: {told}"))
        if answered is not cell.causes and len(table) < ROWS:
            table.append((place, told))
    return Network(tuple(fields), side - 1, WIDTH, -(-len(cells) // COLUMNS) * side, tuple(table))


def endpoint(name: str) -> str:
    """`address port` as one would type it."""
    address, _, port = name.partition(" ")
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _clock(when: float, span: float) -> str:
    moment = datetime.fromtimestamp(min(max(when, 0), 253_402_300_799), UTC)
    if span > 86_400:
        return f"{moment:%m-%d %H:%M}"
    if span > 600:
        return f"{moment:%H:%M:%S}"
    rest = math.floor(when * 1000) % 1000
    return f"{moment:%H:%M:%S}.{rest:03d}"
