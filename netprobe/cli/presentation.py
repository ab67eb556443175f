"""How a run shows its verdicts: as a table at the end, as one document, or line by line."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from netprobe.cli.choices import check
from netprobe.cli.output import draws_unicode, show, show_octets, tell, terminal_height, terminal_width, wants_colour
from netprobe.cli.progress import Progress, ReadingProgress, WaitingProgress
from netprobe.errors import UsageError
from netprobe.interrupts import Interrupts
from netprobe.model import Verdict
from netprobe.report import Report, outcome

if TYPE_CHECKING:
    from netprobe.cli.many import Many
    from netprobe.report.summary import Outlines



class Presentation:
    """The callbacks that a driver gets, and the end of the run.

    `many`: there may be any number of verdicts, and a table tells of more than a few only what they come to;
    `everything`: it lists each one, too. `instead`: the option by which standard output gets another form, written by
    somebody else.
    """

    def __init__(
        self,
        *,
        as_json: bool,
        as_jsonl: bool,
        as_csv: bool = False,
        quiet: bool,
        verbose: int,
        color: str,
        many: bool = False,
        everything: bool = False,
        instead: str | None = None,
    ) -> None:
        forms = {"--json": as_json, "--jsonl": as_jsonl, "--csv": as_csv, instead or "": instead is not None}
        asked = [form for form, wanted in forms.items() if wanted]
        if len(asked) > 1:
            raise UsageError(f"{asked[0]} and {asked[1]} are two forms of the same result", "give one of them")
        check(quiet=quiet, verbose=verbose, color=color)
        if everything and asked:
            raise UsageError(f"--all is about the table; {asked[0]} has every attempt anyway", "leave it out")
        self._form = "nothing" if instead else asked[0].lstrip("-") if asked else "table"
        self._verbosity = -1 if quiet else verbose
        self._color = color
        self._progress: Progress | None = None
        self._told: set[str] = set()
        self._many: Many | None = None
        if many and self._form == "table":
            from netprobe.cli.many import Many

            self._many = Many(everything=everything)
        self._headed = self._form != "csv"

    def progress(self, total: int) -> Progress:
        """The progress line of a scan; used as a context."""
        self._progress = Progress(total, wanted=self._verbosity >= 0)
        return self._progress

    def reading(self) -> ReadingProgress:
        """The progress line of reading files; used as a context. Not where the result itself runs over the terminal."""
        together = self._form in {"jsonl", "csv", "nothing"} and sys.stdout is not None and sys.stdout.isatty()
        return ReadingProgress(wanted=self._verbosity >= 0 and not together)

    def looking(self, line_of: Callable[[float], str]) -> WaitingProgress:
        """The progress line of a wait; used as a context."""
        return WaitingProgress(line_of, wanted=self._verbosity >= 0)

    def on_verdict(self, verdict: Verdict) -> None:
        """One verdict has settled."""
        if self._progress:
            self._progress.advance()
        if self._many:
            self._many.keep(verdict)
        elif self._form == "jsonl":
            from netprobe.report import json

            show(json.line(verdict))

    @property
    def on_lines(self) -> Callable[[bytes], None] | None:
        """Takes JSON lines that are already text, where that is what the form is made of; else None."""
        if self._form == "csv":
            return self._csv
        if self._form == "nothing":
            return lambda _: None
        return show_octets if self._form == "jsonl" else None

    def _csv(self, lines: bytes) -> None:
        from netprobe.report import csv

        show(("" if self._headed else csv.header()) + csv.lines(lines))
        self._headed = True

    @property
    def on_outlines(self) -> Callable[[Outlines], Sequence[int]] | None:
        """Takes outlines, where any number of attempts is only counted; else None. To list each one
        (`everything`) takes their clients."""
        return self._many.note if self._many else None

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
        if self._many:
            for piece in self._many.listing():
                show(piece)
        if report.failure is not None and report.failure not in self._told:
            tell(report.failure)
        if self._form in {"csv", "nothing"}:  # which has no place for it
            for damage in report.capture.damage:
                tell(f"damaged: {damage}")
        if report.interrupted:
            tell("interrupted: this is what was known by then")
        return outcome.exit_code(report)

    def _text(self, report: Report) -> str:
        if self._form == "nothing":
            return ""
        if self._form == "table":
            colour = wants_colour(self._color, sys.stdout, os.environ) if sys.stdout else False
            width = terminal_width(sys.stdout) if sys.stdout else None
            height = terminal_height(sys.stdout) if sys.stdout else None
            unicode = draws_unicode(sys.stdout, os.environ) if sys.stdout else False
            if self._many:
                return self._many.render(
                    report, width=width, height=height, verbosity=self._verbosity, colour=colour, unicode=unicode
                )
            from netprobe.report import table

            return table.render(
                report, width=width, height=height, verbosity=self._verbosity, colour=colour, unicode=unicode
            )
        if self._form == "csv":
            from netprobe.report import csv

            return "" if self._headed else csv.header()
        from netprobe.report import json

        return json.document(report) if self._form == "json" else json.summary_line(report)
