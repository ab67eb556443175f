"""What a replay says: a failing case with expected beside found and its packets, as text or as JSON.

House rules of this file:
1. Plain text is at most WIDTH columns wide (paths excepted: they are there to be copied), and bounded in lines.
2. What came from a capture goes through `escape`.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable
from typing import Any

from netprobe.model import Verdict
from netprobe.replay.cases import server_name
from netprobe.replay.compare import Comparison, Line, Outcome
from netprobe.replay.ladder import WIDTH, draw, ladder
from netprobe.report.columns import wrap
from netprobe.report.escape import escape

MOST_LADDERS = 3
MOST_FAILED = 20
MOST_SERVERS = 4
_INDENT = "  "


def failure(outcome: Outcome, *, ladders: bool = True, reasons: bool = False) -> str:
    """Why a case fails: each expectation that doesn't hold beside what was found, then the packets."""
    lines: list[str] = []
    for problem in (*outcome.damage, *outcome.problems):
        lines += _wrapped(escape(problem), _INDENT)
    if outcome.damage:
        lines += _wrapped("a capture that is meant to be damaged has damaged = true in its case", _INDENT)
    for n, one in enumerate(outcome.failed):
        if n == MOST_FAILED:
            lines.append(f"{_INDENT}... and {len(outcome.failed) - n} more expectations that don't hold")
            break
        lines += comparison(one, outcome.verdicts)
        if one.verdict is not None:
            if reasons:
                lines += _because(one.verdict)
            if ladders and n < MOST_LADDERS:
                lines += packets(outcome, one.verdict)
        lines.append("")
    for note in outcome.notes:
        lines += _wrapped(escape(note), f"{_INDENT}note: ")
    return "\n".join(lines).rstrip() + "\n"


def headline(outcome: Outcome) -> str:
    """What doesn't hold, in a few words."""
    if outcome.interrupted:
        return "interrupted"
    if outcome.failed:
        first, more = outcome.failed[0], len(outcome.failed) - 1
        said = f"{first.server}: no verdict"
        if first.verdict is not None:
            worst = next((one for one in first.differing if one.key == "cause"), first.differing[0])
            key = "" if worst.key == "cause" else f"{worst.key} "
            said = f"expected {key}{shown(worst.expected)}, found {shown(worst.found)}"
        return said + (f" (and {more} more of {len(outcome.comparisons)} expectations)" if more else "")
    return "the capture is damaged" if outcome.damage else "; ".join(outcome.problems) or "as expected"


def comparison(one: Comparison, verdicts: Iterable[Verdict] = ()) -> list[str]:
    """One expectation as a small table; the keys that differ are marked."""
    title = f"{_INDENT}{escape(one.server)}"
    if one.verdict is None:
        return _none(one, verdicts)
    if one.verdict.client is not None:
        title += f" from {one.verdict.client}"
    rows = [(line, shown(line.expected), shown(line.found)) for line in one.lines]
    key_width = max(len(line.key) for line in one.lines)
    column = max(len("expected"), *(len(expected) for _, expected, _ in rows))
    head = f"{_INDENT}  {'':{key_width}}  {'expected':{column}}  found"
    wide = any(len(_row(line, key_width, column, *texts)) > WIDTH for line, *texts in rows)
    if wide:
        lines = [title, *(text for line, *texts in rows for text in _tall(line, *texts))]
    else:
        lines = [title, head, *(_row(line, key_width, column, *texts) for line, *texts in rows)]
    return [*lines, *_cause_unknown(one)]


def packets(outcome: Outcome, verdict: Verdict) -> list[str]:
    """The ladder of a verdict of this case."""
    if outcome.records:
        return ["", *draw(outcome.records, verdict)]
    return ["", *ladder(outcome.case, verdict)]


def shown(found: Any) -> str:
    """A value as a person reads it."""
    if found in ("", [], None):
        return "(none)"
    if isinstance(found, list):
        return " .. ".join(escape(str(one)) or "?" for one in found)
    return escape(str(found))


def document(head: dict[str, Any], cases: list[dict[str, Any]], tail: dict[str, Any]) -> str:
    """The whole run as one document."""
    return json.dumps(head | {"cases": cases} | tail, indent=2) + "\n"


def line(found: dict[str, Any]) -> str:
    """One case, or the summary, as a line of --jsonl."""
    return json.dumps(found) + "\n"


def as_json(outcome: Outcome) -> dict[str, Any]:
    """A case as the JSON of docs/captures.md has it; `result` is the driver's to add."""
    return {
        "capture": str(outcome.case.capture),
        "about": outcome.case.about,
        "origin": outcome.case.origin,
        "expectations": [_expectation(one) for one in outcome.comparisons],
        "damage": list(outcome.damage),
        "problems": list(outcome.problems),
        "notes": list(outcome.notes),
    }


def _expectation(one: Comparison) -> dict[str, Any]:
    found = one.verdict
    return {
        "number": one.number,
        "server": one.server,
        "client": one.client if found is None or found.client is None else str(found.client),
        "passed": one.passed,
        "rule": None if found is None else found.rule,
        "differences": [{"key": each.key, "expected": each.expected, "found": each.found} for each in one.differing],
    }


def _row(line: Line, key_width: int, column: int, expected: str, found: str) -> str:
    mark = " " if line.same else "!"
    return f"{_INDENT}{mark} {line.key:{key_width}}  {expected:{column}}  {found}".rstrip()


def _tall(line: Line, expected: str, found: str) -> list[str]:
    """One key where values are too wide to stand side by side."""
    mark = " " if line.same else "!"
    if line.same:
        return _wrapped(expected, f"{_INDENT}{mark} {line.key}  ")
    lines = _wrapped(expected, f"{_INDENT}{mark} {line.key}  expected  ")
    return lines + _wrapped(found, " " * (len(_INDENT) + 2 + len(line.key) + 2) + "found     ")


def _none(one: Comparison, verdicts: Iterable[Verdict]) -> list[str]:
    """An expectation that no verdict meets: what there is instead."""
    names = [f"{server_name(v)} from {v.client}" if one.client else server_name(v) for v in verdicts]
    others = list(dict.fromkeys(names))
    from_whom = f" from {one.client}" if one.client else ""
    said = f"{one.server}{from_whom}: no verdict"
    if one.server in [server_name(v) for v in verdicts]:
        said += " is left: expectations are met in order, each by a verdict of its own"
    if others:
        more = f" and {len(others) - MOST_SERVERS} more" if len(others) > MOST_SERVERS else ""
        said += f"; the capture has {', '.join(others[:MOST_SERVERS])}{more}"
    else:
        said += "; the capture has no connection attempt at all"
    return _wrapped(escape(said), _INDENT)


def _cause_unknown(one: Comparison) -> list[str]:
    """A hint where the expected cause or rule doesn't exist: mistyped, most likely."""
    from netprobe.rules import RULES

    known = {"cause": {rule.cause for rule in RULES}, "rule": {rule.id for rule in RULES}}
    lines = []
    for each in one.differing:
        if each.key in known and each.expected not in known[each.key]:
            close = difflib.get_close_matches(str(each.expected), sorted(known[each.key]), 1)
            hint = f": did you mean {close[0]}?" if close else ""
            lines += _wrapped(f"there is no {each.key} {escape(str(each.expected))}{hint}", f"{_INDENT}  ")
    return lines


def _because(verdict: Verdict) -> list[str]:
    lines: list[str] = []
    for reason in verdict.because:
        lines += _wrapped(escape(reason), f"{_INDENT}  because  ")
    return lines


def _wrapped(text: str, first: str) -> list[str]:
    indent = " " * len(first)
    lines = wrap(text, WIDTH, first=first, rest=indent)
    return lines or [first.rstrip()]
