"""How a run shows its verdicts: as a table at the end, as one document, or line by line."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace

from netprobe.cli.output import show, show_octets, tell, terminal_width, wants_colour
from netprobe.cli.progress import Progress
from netprobe.errors import UsageError
from netprobe.interrupts import Interrupts
from netprobe.model import Verdict
from netprobe.report import Report, outcome


class Presentation:
    """The two callbacks that a driver gets, and the end of the run."""

    def __init__(self, *, as_json: bool, as_jsonl: bool, quiet: bool, verbose: int, color: str) -> None:
        if as_json and as_jsonl:
            raise UsageError("--json and --jsonl are two forms of the same result", "give one of them")
        if quiet and verbose:
            raise UsageError("-q and -v contradict each other", "give one of them")
        if color not in {"auto", "always", "never"}:
            raise UsageError(f"--color {color}: not known", "write --color auto, always or never")
        self._form = "json" if as_json else "jsonl" if as_jsonl else "table"
        self._verbosity = -1 if quiet else verbose
        self._color = color
        self._progress: Progress | None = None
        self._told: set[str] = set()

    def progress(self, total: int) -> Progress:
        """The progress line of this run; used as a context."""
        self._progress = Progress(total, wanted=self._verbosity >= 0)
        return self._progress

    def on_verdict(self, verdict: Verdict) -> None:
        """One verdict has settled."""
        if self._progress:
            self._progress.advance()
        if self._form == "jsonl":
            from netprobe.report import json

            show(json.line(verdict))

    @property
    def on_lines(self) -> Callable[[bytes], None] | None:
        """Takes JSON lines that are already text, where that is the form; else None."""
        return show_octets if self._form == "jsonl" else None

    def notice(self, text: str) -> None:
        """Something the user should know that is not the result; said once."""
        if self._verbosity >= 0 and text not in self._told:
            self._told.add(text)
            tell(text)

    def finish(self, report: Report) -> int:
        """Show the result, say what went wrong beside it, and give the exit code."""
        with Interrupts() as interrupts:  # Ctrl-C this late must not cost what is known
            text = self._text(report)
        report = replace(report, interrupted=report.interrupted or interrupts.asked)
        show(text)
        if report.failure is not None and report.failure not in self._told:
            tell(report.failure)
        if report.interrupted:
            tell("interrupted: this is what was known by then")
        return outcome.exit_code(report)

    def _text(self, report: Report) -> str:
        if self._form == "table":
            from netprobe.report import table

            colour = wants_colour(self._color, sys.stdout, os.environ) if sys.stdout else False
            width = terminal_width(sys.stdout) if sys.stdout else None
            return table.render(report, width=width, verbosity=self._verbosity, colour=colour)
        from netprobe.report import json

        return json.document(report) if self._form == "json" else json.summary_line(report)
