"""The JUnit file of a replay: opened before the first case, complete also after an interrupt."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from netprobe.cli.exports import Output
from netprobe.errors import CannotMeasure, NetprobeError, UsageError
from netprobe.interrupts import Interrupts
from netprobe.report import junit

if TYPE_CHECKING:
    from netprobe.replay.run import Result, Run

_TROUBLE = {
    "failed": junit.FAILURE, "damaged": junit.FAILURE, "bad-case": junit.ERROR, "unreadable": junit.ERROR,
    "interrupted": junit.ERROR, "skipped": junit.SKIPPED,
}  # fmt: skip


class Junit:
    """What a replay writes for continuous integration; does nothing without a file."""

    def __init__(self, output: Output | None) -> None:
        self._output = output
        self._cases: list[junit.Tried] = []
        self._last = self._begun = time.monotonic()

    def heard(self, on_result: Callable[[Result], None]) -> Callable[[Result], None]:
        """`on_result`, and each result is noted, too."""

        def note(result: Result) -> None:
            now = time.monotonic()
            if self._output is not None:
                self._cases.append(_case(result, now - self._last))
            self._last = now
            on_result(result)

        return note

    def finish(self, run: Run) -> NetprobeError | None:
        """Write the file; what went wrong with that."""
        if self._output is None:
            return None
        pieces = junit.document(self._cases, started_ns=run.started_ns, took_s=time.monotonic() - self._begun)
        try:
            with Interrupts():
                self._output.restart()
                for piece in pieces:
                    self._output.write(piece)
                self._output.flush()
        except OSError as error:
            return CannotMeasure(f"{self._output.name} can't be written: {error.strerror}", "name another file")
        return None


@contextmanager
def junits(name: str | None) -> Iterator[Junit]:
    """The file of --junit, closed at the end. A replay that doesn't come to its end leaves one that says so."""
    if name == "-":
        raise UsageError("--junit -: standard output has the results already", "write --junit FILE")
    output = None if name is None else Output(name)
    try:
        if output is not None and output.regular:
            _write(output, _stopped("the replay did not come to its end"))
        yield Junit(output)
    except NetprobeError as error:  # the only case can't be replayed at all
        if output is not None:
            with contextlib.suppress(OSError):
                _write(output, _stopped(str(error)))
        raise
    finally:
        if output is not None:
            output.close()


def _stopped(why: str) -> junit.Tried:
    return junit.Tried(
        group="netprobe", name="replay", kind="interrupted", took_s=0, trouble=junit.ERROR, headline=why, text=why
    )


def _write(output: Output, only: junit.Tried) -> None:
    output.restart()
    for piece in junit.document([only], started_ns=time.time_ns(), took_s=0):
        output.write(piece)
    output.flush()


def _case(result: Result, took_s: float) -> junit.Tried:
    from netprobe.replay import render

    path = Path(result.path)
    headline = result.message
    text = result.message
    if result.outcome is not None and result.result != "passed":
        headline = render.headline(result.outcome)
        text = render.failure(result.outcome, reasons=True)
    return junit.Tried(
        group=str(path.parent), name=path.stem, kind=result.result, took_s=took_s,
        trouble=_TROUBLE.get(result.result), headline=headline or result.result, text=text,
        verdicts=result.outcome.verdicts if result.outcome is not None else (),
    )  # fmt: skip
