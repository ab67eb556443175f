"""netprobe scan --doctor: verdicts pass through what the server knows of itself before anybody sees them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netprobe.model import Verdict
    from netprobe.report import Report

OnVerdict = Callable[["Verdict"], None]


def joining(path: Path | None, on_verdict: OnVerdict) -> tuple[OnVerdict, Callable[[Report], Report]]:
    """The two places where a scan's verdicts come out: one by one, and in the report. Raises BadFacts."""
    if path is None:
        return on_verdict, lambda report: report
    from netprobe.cli.doctor import read_facts
    from netprobe.doctor.join import join

    facts = read_facts(path)

    def one(verdict: Verdict) -> None:
        on_verdict(join(verdict, facts))

    def whole(report: Report) -> Report:
        return replace(report, verdicts=tuple(join(verdict, facts) for verdict in report.verdicts))

    return one, whole
