"""What a replay's page shows: every case in a row, and of those that don't pass expected beside found, and packets.

House rules of this file:
1. A case is made ready when its result comes: its packets are read then, and nothing of it is kept but what is shown.
2. Bounded: MOST_CARDS cases are shown whole, MOST_LADDERS of them with packets, MOST_FAILED expectations each.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from netprobe.ladder import Ladder
from netprobe.model import Verdict
from netprobe.options import TUNNELS
from netprobe.replay import render
from netprobe.replay.compare import Comparison, Outcome
from netprobe.replay.run import Result
from netprobe.report import comments
from netprobe.report.html.cards import card
from netprobe.rereading import ladder_of
from netprobe.steps import ladder

MOST_CARDS = 200
MOST_LADDERS = 60
MOST_FAILED = 20
LADDERS_OF_A_CASE = 3


class Cases:
    """The results of a replay, one by one."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.cards: list[dict[str, Any]] = []
        self._ladders = MOST_LADDERS

    def add(self, result: Result) -> None:
        """One case has been replayed."""
        outcome = result.outcome
        case = outcome.case if outcome is not None else None
        shown = result.result not in ("passed", "skipped") and len(self.cards) < MOST_CARDS
        number = len(self.cards) + 1 if shown else None
        said = result.message
        if outcome is not None and result.result != "passed":
            said = render.headline(outcome)
        self.rows.append(
            {
                "path": str(result.path), "result": result.result, "said": said, "card": number,
                "expectations": len(outcome.comparisons) if outcome is not None else 0,
            }
        )  # fmt: skip
        if not shown:
            return
        self.cards.append(
            {
                "number": number, "path": str(result.path), "result": result.result, "said": said,
                "about": case.about if case is not None else "", "origin": case.origin if case is not None else "",
                "captures": [str(path) for path in case.captures] if case is not None else [],
                "problems": [*outcome.damage, *outcome.problems] if outcome is not None else [],
                "notes": list(outcome.notes) if outcome is not None else [],
                "comparisons": self._comparisons(outcome) if outcome is not None else [],
                "left": max(0, len(outcome.failed) - MOST_FAILED) if outcome is not None else 0,
                "not_accepted": list(result.left), "written": result.written, "made": result.text,
            }
        )  # fmt: skip

    def _comparisons(self, outcome: Outcome) -> list[dict[str, Any]]:
        found = []
        for n, one in enumerate(outcome.failed[:MOST_FAILED]):
            drawn: Ladder | None = None
            if one.verdict is not None and n < LADDERS_OF_A_CASE and self._ladders > 0:
                self._ladders -= 1
                drawn = packets(outcome, one.verdict)
            found.append(_comparison(one, outcome, drawn))
        return found


def _comparison(one: Comparison, outcome: Outcome, drawn: Ladder | None) -> dict[str, Any]:
    lines = [
        {"key": line.key, "expected": render.shown(line.expected), "found": render.shown(line.found),
         "same": line.same and one.verdict is not None}
        for line in one.lines
    ]  # fmt: skip
    client = one.client
    if one.verdict is not None and one.verdict.client is not None:
        client = str(one.verdict.client)
    none = [] if one.verdict is not None else [text.strip() for text in render.comparison(one, outcome.verdicts)]
    return {
        "number": one.number,
        "server": one.server,
        "client": client,
        "lines": lines,
        "none": " ".join(none),
        "card": card(comments.of(one.verdict), drawn) if one.verdict is not None else None,
    }


def packets(outcome: Outcome, verdict: Verdict) -> Ladder | None:
    """The packets of a verdict of this case; None where they can't be read again, or are told beside each other (two
    captures)."""
    case = outcome.case
    if outcome.records:
        return ladder(outcome.records, verdict)
    if case.server_capture is not None:
        return None
    files: list[Path] = [case.capture, *case.together]
    return ladder_of(files, together=bool(case.together), depth=TUNNELS if case.tunnels else 0)(verdict)
