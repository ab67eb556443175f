"""Expected beside found: a case's expectations and the verdicts that meet them.

House rules of this file:
1. Only what is written is compared.
2. Expectations are met in order: the n-th for a server (and client, where one is named) by its n-th verdict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from netprobe.model import Record, Verdict
from netprobe.options import AnalyzeOptions
from netprobe.replay.cases import Case, server_name, value
from netprobe.report import Report


@dataclass(frozen=True, slots=True)
class Line:
    """One key: what was expected, what was found."""

    key: str
    expected: Any
    found: Any

    @property
    def same(self) -> bool:
        """Whether they are equal."""
        return type(self.expected) is type(self.found) and bool(self.expected == self.found)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One expectation; `verdict` is None where none was left for its server."""

    server: str
    client: str | None
    lines: tuple[Line, ...]
    verdict: Verdict | None
    number: int  # of the [[expect]], from 1

    @property
    def differing(self) -> tuple[Line, ...]:
        """The keys whose values differ."""
        return tuple(line for line in self.lines if not line.same)

    @property
    def passed(self) -> bool:
        """Whether all that is written holds."""
        return self.verdict is not None and not self.differing


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one case. `damage`: what is wrong with its capture, where the case doesn't say that it is known;
    `problems`: what else keeps it from passing. `notes`: what is worth knowing and fails nothing."""

    case: Case
    comparisons: tuple[Comparison, ...] = ()
    verdicts: tuple[Verdict, ...] = field(default=(), repr=False)
    damage: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    interrupted: bool = False
    records: tuple[Record, ...] = field(default=(), repr=False)  # of a played scan, which no file holds

    @property
    def failed(self) -> tuple[Comparison, ...]:
        """The expectations that don't hold."""
        return tuple(one for one in self.comparisons if not one.passed)

    @property
    def passed(self) -> bool:
        """Whether every expectation holds, and nothing else is wrong."""
        return not (self.failed or self.damage or self.problems or self.interrupted)


def replay(case: Case) -> Outcome:
    """Analyze a case's capture and compare. Raises UnreadableCapture."""
    return judge(case, analyzed(case))


def analyzed(case: Case) -> Report:
    """What the rules find in a case's capture now. Raises UnreadableCapture."""
    if case.server_capture is not None:
        from netprobe import analyze_pair

        return analyze_pair.run(options(case), _nobody, _nobody)
    from netprobe import analyze

    return analyze.run(options(case), _nobody, _nobody)


def options(case: Case) -> AnalyzeOptions:
    """How a case wants its capture to be read."""
    return AnalyzeOptions(
        files=() if case.server_capture else (case.capture, *case.together),
        together=bool(case.together),
        pair=(case.capture, case.server_capture) if case.server_capture else None,
        tunnels=case.tunnels,
        vantage=case.vantage,
    )


def _nobody(_: object) -> None:
    """Verdicts are looked at when all are there; notices are about speed."""


def judge(case: Case, report: Report, *, records: tuple[Record, ...] = (), notes: tuple[str, ...] = ()) -> Outcome:
    """The outcome of a case whose capture gave this report."""
    damage = report.capture.damage
    problems: tuple[str, ...] = ()
    if case.damaged and not damage:
        problems = ("the case says damaged = true, but the capture is whole",)
    return Outcome(
        case=case,
        comparisons=tuple(compare(case.expect, report.verdicts)),
        verdicts=report.verdicts,
        damage=() if case.damaged else damage,
        problems=problems + ((report.failure,) if report.failure else ()),
        interrupted=report.interrupted,
        records=records,
        notes=notes,
    )


def compare(expect: Sequence[Mapping[str, Any]], verdicts: Sequence[Verdict]) -> list[Comparison]:
    """Each expectation beside the verdict it meets."""
    left: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        left.setdefault(server_name(verdict), []).append(verdict)
    found = []
    for n, expected in enumerate(expect, 1):
        candidates = left.get(expected["server"], [])
        client = expected.get("client")
        met = next((one for one in candidates if client is None or _is_client(one, client)), None)
        if met is not None:
            candidates.remove(met)
        lines = tuple(
            Line(key, wanted, value(met, key) if met is not None else None)
            for key, wanted in expected.items()
            if key not in ("server", "client")
        )
        found.append(Comparison(expected["server"], client, lines, met, n))
    return found


def _is_client(verdict: Verdict, client: str) -> bool:
    """A client is named by its address, or by address and port."""
    return verdict.client is not None and client in (verdict.client.address, str(verdict.client))
