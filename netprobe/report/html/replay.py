"""The page of a replay: how many cases pass, all of them in a list, those that don't with expected beside found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from netprobe.report.html import world
from netprobe.report.json import timestamp

_GOOD = ("passed", "accepted", "made", "skipped")


def render(
    rows: Sequence[Mapping[str, Any]],
    cards: Sequence[Mapping[str, Any]],
    environment: Mapping[str, str],
    *,
    started_ns: int,
    finished_ns: int,
) -> Iterator[str]:
    """The page in pieces. `rows`: every case (path, result, said, expectations, card), `cards`: those shown whole, as
    netprobe.replay.page makes them. Raises ImportError without jinja2."""
    results = Counter(str(row["result"]) for row in rows)
    shown = sum(1 for row in rows if row["card"] is not None)
    bad = sum(count for result, count in results.items() if result not in _GOOD)
    values = {
        "command": "replay",
        "headline": _headline(len(rows), bad, results),
        "rows": rows,
        "cards": cards,
        "results": [(result, count, result in _GOOD) for result, count in results.most_common()],
        "good": _GOOD,
        "unshown": len(rows) - shown - results["passed"] - results["skipped"],
        "environment": [*environment.items(), ("begun", timestamp(started_ns)), ("ended", timestamp(finished_ns))],
    }
    yield from world.generate("replay.html", values)


def _headline(count: int, bad: int, results: Mapping[str, int]) -> str:
    cases = f"{count:,} case{'s' if count != 1 else ''}"
    if bad:
        said = ", ".join(f"{number:,} {result}" for result, number in results.items() if result not in _GOOD)
        return f"{bad:,} of {cases} did not pass: {said}"
    if not count:
        return "No case was replayed"
    others = ", ".join(f"{number:,} {result}" for result, number in results.items() if result != "passed")
    if others:
        return f"{cases}: {results.get('passed', 0):,} passed, {others}"
    return f"All {cases} passed" if count > 1 else "The case passed"
