"""The page of a scan or of captures: a report, its packed attempts, its log and a few ladders, put into page.html."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from netprobe.ladder import Ladder
from netprobe.report import Report, by_cause, pair
from netprobe.report.html import charts, world
from netprobe.report.html.attempts import Attempts
from netprobe.report.html.cards import answer, card, clock, name, verdict_of
from netprobe.report.json import timestamp

# Verdicts shown whole, with their packets; of many attempts one of each kind.
SHOWN = 12
# So many attempts and fewer have no list: all of them are shown whole.
FEW = 3
# Rows of the probe log; more would make the page slow, and -w keeps them all.
MOST_LOG = 10_000


def render(
    report: Report, attempts: Attempts, environment: Mapping[str, str], *, ladders: int = SHOWN
) -> Iterator[str]:
    """The page in pieces. `environment`: what it was made with, name by name; `ladders`: how many may be drawn.
    Raises ImportError without jinja2."""
    from markupsafe import Markup

    causes = by_cause(report)
    colour = charts.colours([*causes, *(attempts.cause(kind) for kind in attempts.by_kind())])
    listed = len(attempts.rows) > FEW
    charted = listed and report.command != "scan" and report.log is None  # a scan tries each server once
    log, left = _log(report)
    values = {
        "command": report.command,
        "report": report,
        "headline": _headline(attempts, causes),
        "cards": list(_cards(report, attempts, ladders)),
        "causes": causes,
        "colour": colour,
        "time_line": charts.time_line(attempts, colour) if charted else None,
        "network": charts.network(report.network, colour),
        "servers": charts.servers(attempts, colour) if charted else None,
        "listed": listed,
        "count": len(attempts.rows),
        "left_out": attempts.left_out,
        "both": list(pair.summary(report)),
        "log": log,
        "log_left": left,
        "environment": _environment(report, environment),
        "data": Markup(_data(attempts, colour)) if listed else None,  # noqa: S704 - see _data
    }
    yield from world.generate("page.html", values)


def _data(attempts: Attempts, colour: Mapping[str, int]) -> str:
    """JSON that may stand in a script element: nothing in it can end that, or begin a comment."""
    text = json.dumps(attempts.data() | {"colours": dict(colour)}, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e").replace("\x7f", "\\u007f")


def _headline(attempts: Attempts, causes: Mapping[str, int]) -> str:
    total = sum(causes.values())
    if not total:
        return "No connection attempt was found"
    if total == 1 and attempts.rows:
        v = attempts.verdict(0)
        return f"{name(v)}: {answer(v)}"
    failed = total - causes.get("up", 0)
    if not failed:
        return f"All {total:,} attempts came up"
    told = [f"{count:,} {cause}" for cause, count in causes.items() if cause != "up"]
    rest = f" and {len(told) - 4} more cause{'s' if len(told) > 5 else ''}" if len(told) > 4 else ""
    return f"{failed:,} of {total:,} attempts failed: {', '.join(told[:4])}{rest}"


# --------------------------------------------------------------------------- verdicts shown whole


def _cards(report: Report, attempts: Attempts, ladders: int) -> Iterator[dict[str, Any]]:
    """The verdicts that are shown whole: all of a few, else one of each rule, the most frequent failures first."""
    chosen = [(attempts.verdict(row), count) for row, count in _chosen(report, attempts)]
    drawn: list[Ladder | None] = [None] * len(chosen)
    if report.ladder_of is not None:
        wanted = [n for n, (v, _) in enumerate(chosen) if not v.get("pair") and not v.get("thin")][:ladders]
        verdicts = [verdict_of(chosen[n][0]) for n in wanted]
        report.ladder_of.prepare(verdicts)
        for n, verdict in zip(wanted, verdicts, strict=True):
            drawn[n] = report.ladder_of(verdict)
    offset = (report.pair.offset_ns or 0) if report.pair is not None else 0
    for (v, count), ladder in zip(chosen, drawn, strict=True):
        yield card(v, ladder, count=count, offset_ns=offset)


def _chosen(report: Report, attempts: Attempts) -> Sequence[tuple[int, int]]:
    """Rows, and for how many attempts each stands."""
    if len(attempts.rows) <= SHOWN and report.command != "analyze":
        return [(row, 1) for row in sorted(range(len(attempts.rows)), key=lambda n: _is_up(attempts, n))]
    if len(attempts.rows) <= FEW:
        return [(row, 1) for row in range(len(attempts.rows))]
    found: dict[str, list[int]] = {}
    for kind, count in attempts.by_kind().items():
        if attempts.cause(kind) != "up":
            one = found.setdefault(attempts.templates[kind]["rule"], [attempts.first[kind], 0])
            one[0], one[1] = min(one[0], attempts.first[kind]), one[1] + count
    return [(row, count) for row, count in sorted(found.values(), key=lambda one: -one[1])][:SHOWN]


def _is_up(attempts: Attempts, row: int) -> bool:
    return attempts.cause(attempts.kind_of[row]) == "up"


# --------------------------------------------------------------------------- the whole log, the surroundings


def _log(report: Report) -> tuple[list[dict[str, Any]], int]:
    """Everything that a scan sent, heard and learnt, in order, and how much of it there is no room for."""
    if report.log is None:
        return [], 0
    rows = iter(report.log.rows())
    decides = {one.frame for verdict in report.verdicts for one in verdict.evidence}
    found: list[dict[str, Any]] = []
    began: int | None = None
    for row in islice(rows, MOST_LOG):
        began = row.time_ns if began is None else began
        found.append(
            {
                "frame": row.frame, "clock": clock(row.time_ns), "after": f"{(row.time_ns - began) / 1e9:.6f}",
                "way": str(row.way), "what": row.what, "decides": row.frame in decides,
            }
        )  # fmt: skip
    return found, sum(1 for _ in rows)


def _environment(report: Report, environment: Mapping[str, str]) -> list[tuple[str, str]]:
    capture = report.capture
    found = [
        *environment.items(),
        ("begun", timestamp(report.started_ns)),
        ("ended", timestamp(report.finished_ns)),
        ("mode", _MODES.get(str(report.mode), str(report.mode))),
        ("packets", f"{capture.packets:,} seen, {capture.dropped:,} dropped, {capture.unsolicited:,} unsolicited"),
        *(report.log.surroundings() if report.log is not None else ()),
    ]
    if capture.undecoded:
        found.append(("not decoded", ", ".join(f"{count:,} {kind}" for kind, count in capture.undecoded.items())))
    if capture.vantages:
        found.append(("taken at", ", ".join(f"{side} ({count:,})" for side, count in capture.vantages.items())))
    found += [("damaged", line) for line in capture.damage]
    found += [("failed", report.failure)] if report.failure else []
    return found


_MODES = {
    "raw": "raw: every packet seen, probes crafted",
    "connect": "connect: ordinary connections only, no packet seen",
    "capture": "capture: packets of a file",
}
