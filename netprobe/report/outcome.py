"""The exit code of a run, decided here and nowhere else (docs/interface.md)."""

from __future__ import annotations

from netprobe.report import Report, by_cause

ALL_UP = 0
NOT_UP = 1
USAGE = 2
NOT_MEASURED = 3
DAMAGED = 4
INTERRUPTED = 130

# Verdicts that say that nothing could be measured, rather than what is wrong over there.
UNMEASURED_CAUSES = frozenset({"name-not-found", "resolver-failure", "inconclusive"})


def exit_code(report: Report) -> int:
    """130 interrupted, else 4 damaged input, else 3 something could not be measured (or saved), else 1 something is not
    up, else 0. A run without any verdict measured nothing."""
    causes = set(by_cause(report))
    if report.interrupted:
        return INTERRUPTED
    if report.capture.damage:
        return DAMAGED
    if report.failure is not None or not causes or causes & UNMEASURED_CAUSES:
        return NOT_MEASURED
    return ALL_UP if causes == {"up"} else NOT_UP
