"""The driver of `netprobe replay`: each case through the rules, and, where asked, through the live path."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from netprobe.errors import NetprobeError, UsageError
from netprobe.replay import accept, compare
from netprobe.replay.cases import Case
from netprobe.replay.compare import Outcome
from netprobe.replay.finding import Found, Search, search

# The ways a case can go. `bad-case`: the case file is no case; `skipped`: no scan that could be played.
RESULTS = ("passed", "failed", "accepted", "made", "skipped", "damaged", "bad-case", "unreadable", "interrupted")
EXIT_CODES = {"interrupted": 130, "bad-case": 2, "damaged": 4, "unreadable": 3, "failed": 1}


@dataclass(frozen=True, slots=True)
class Result:
    """One case and how it went; `outcome` is None where it could not be replayed, and `message` says why.

    `written`: after --accept, how many values changed; `left`: what could not be accepted; `text`: a case that was
    made.
    """

    path: Path
    result: str
    outcome: Outcome | None = None
    message: str = ""
    written: int = 0
    left: tuple[str, ...] = ()
    text: str = ""


@dataclass(slots=True)
class Run:
    """A whole replay. Times are nanoseconds since the epoch."""

    started_ns: int = field(default_factory=time.time_ns)
    finished_ns: int = 0
    results: Counter[str] = field(default_factory=Counter)

    @property
    def count(self) -> int:
        """How many cases were looked at."""
        return sum(self.results.values())

    @property
    def exit_code(self) -> int:
        """130 interrupted, else 2 a case that is none, else 4 damaged input, else 3 an unreadable capture, else 1 a
        case that failed, else 0 (docs/interface.md); 3, too, where there was nothing to play to the prober."""
        bad = next((code for name, code in EXIT_CODES.items() if self.results[name]), 0)
        return 3 if not bad and self.results["skipped"] == self.count > 0 else bad


def find(paths: Sequence[Path], *, make: bool = False) -> Search:
    """The cases that the paths mean. Raises UsageError and UnreadableCapture."""
    return search(paths, make=make)


def replay(
    cases: Sequence[Found], on_result: Callable[[Result], None], *, live: bool = False, accepting: bool = False
) -> Run:
    """Replay each. What is wrong with one case file or capture is its result, and the others go on; the only one
    raises."""
    run = Run()
    try:
        for one in cases:
            for result in _results(one, live=live, accepting=accepting, alone=len(cases) == 1):
                run.results[result.result] += 1
                on_result(result)
                if result.result == "interrupted":
                    raise KeyboardInterrupt
    except KeyboardInterrupt:
        run.results["interrupted"] = 1
    run.finished_ns = time.time_ns()
    return run


def _results(one: Found, *, live: bool, accepting: bool, alone: bool) -> Iterator[Result]:
    try:
        if one.new and one.capture is not None:
            yield _made(one.capture)
            return
        outcome = _outcome(one.load(), live=live)
        if isinstance(outcome, str):
            yield Result(one.path, "skipped", message=outcome)
        else:
            yield _judged(one.path, outcome, accepting=accepting)
    except NetprobeError as error:
        if alone:
            raise
        result = "bad-case" if isinstance(error, UsageError) else "unreadable"
        yield Result(one.path, result, message=str(error))


def _outcome(case: Case, *, live: bool) -> Outcome | str:
    if live:
        from netprobe.replay.live import replay_live

        return replay_live(case)
    return compare.replay(case)


def _judged(path: Path, outcome: Outcome, *, accepting: bool) -> Result:
    if outcome.interrupted:
        return Result(path, "interrupted", outcome)
    if outcome.passed:
        return Result(path, "passed", outcome)
    result = "failed" if outcome.failed or outcome.problems else "damaged"
    if not accepting:
        return Result(path, result, outcome)
    try:
        written, left = accept.accept(outcome)
    except NetprobeError as error:  # what differs is shown all the same
        written, left = 0, [str(error)]
    return Result(path, result if left else "accepted", outcome, written=written, left=tuple(left))


def _made(capture: Path) -> Result:
    path, text = accept.make(capture, compare.analyzed(Case(capture, capture)))
    return Result(path, "made", text=text)
