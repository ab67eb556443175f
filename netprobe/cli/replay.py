"""netprobe replay: captures as regression tests."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from netprobe.cli.choices import Color, Html, Json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from netprobe.replay.page import Cases
    from netprobe.replay.run import Result, Run

_COLOURS = {"passed": "32", "accepted": "33", "made": "33", "skipped": "33"}
_WORDS = {"passed": "ok", "failed": "FAIL", "damaged": "FAIL", "bad-case": "ERROR", "unreadable": "ERROR"}


def replay(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH", help="Cases, their captures, or folders of them.", show_default=False),
    ],
    accept: Annotated[
        bool, typer.Option("--accept", help="Show what differs, then write what was found into the case file.")
    ] = False,
    live: Annotated[
        bool, typer.Option("--live", help="Play saved scans to the prober: its own probes, the recorded answers.")
    ] = False,
    as_json: Json = False,
    as_jsonl: Annotated[bool, typer.Option("--jsonl", help="One JSON line per case, then a summary line.")] = False,
    junit: Annotated[
        str | None,
        typer.Option("--junit", metavar="FILE", help="Also write JUnit XML, for continuous integration.",
                     show_default=False),
    ] = None,
    html: Html = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="One line for each failing case, no packets.")] = False,
    verbose: Annotated[
        int,
        typer.Option(
            "-v", "--verbose", count=True, metavar="", help="-v passing cases and reasons, too, -vv all values.",
            show_default=False,
        ),
    ] = 0,
    color: Color = "auto",
) -> None:
    """Compare captures with what their case files expect: captures as regression tests.

    A case is NAME.toml beside NAME.pcapng (or .pcap, also compressed). It says what the verdicts must be:

    \b
      about = "port 22 of the old gateway must be refused by the firewall"
      origin = "field: payloads cut off"
      [[expect]]
      server = "192.0.2.1:22"
      cause = "reset-by-host-firewall"

    \b
    Examples:
      netprobe replay captures/
      netprobe replay --accept new.pcapng       make a case of what is found now
      netprobe replay --accept captures/        take over what has changed
      netprobe replay --live scan.pcapng        the prober itself, against recorded answers
      netprobe replay --junit results.xml --html results.html captures/
      pytest captures/                          the same cases as tests

    Exit codes: 0 every case passed, 1 at least one failed, 2 usage or a bad case, 3 unreadable capture, 4 damaged
    capture, 130 interrupted.
    """
    from netprobe.cli.junit import junits
    from netprobe.cli.paper import paper
    from netprobe.errors import UsageError
    from netprobe.replay import run as driver

    if accept and live:
        raise UsageError("--accept and --live", "a case holds what its capture gives: accept without --live")
    others = [option for option, asked in {"--json": as_json, "--jsonl": as_jsonl}.items() if asked]
    found = driver.find(paths, make=accept)
    read = [path for one in found.cases for path in (one.path, one.capture) if path is not None]
    with paper(html, *others, inputs=read) as sheet, junits(junit) as file:
        shown = _Shown(
            as_json=as_json, as_jsonl=as_jsonl, quiet=quiet, verbose=verbose, color=color, nothing=sheet.alone
        )
        shown.alone = len(found.cases) == 1
        if found.without and not quiet:
            shown.without(found.without)
        cases = _cases() if sheet.wanted else None
        with shown.progress(len(found.cases)):
            heard = file.heard(shown.on_result if cases is None else _both(shown.on_result, cases.add))
            run = driver.replay(found.cases, heard, live=live, accepting=accept)
        failures = [file.finish(run), sheet.finish(lambda: _page(cases, run))]
    shown.finish(run)
    for failure in failures:
        if failure is not None:
            raise failure
    raise typer.Exit(run.exit_code)


def _cases() -> Cases:
    from netprobe.replay.page import Cases

    return Cases()


def _both(first: Callable[[Result], None], second: Callable[[Result], None]) -> Callable[[Result], None]:
    def both(result: Result) -> None:
        first(result)
        second(result)

    return both


def _page(cases: Cases | None, run: Run) -> Iterable[str]:
    from netprobe.cli.page import environment
    from netprobe.report.html.replay import render

    assert cases is not None
    return render(
        cases.rows, cases.cards, environment(), started_ns=run.started_ns, finished_ns=run.finished_ns
    )


class _Shown:
    """How a replay is shown: results as they come, a summary at the end."""

    def __init__(
        self, *, as_json: bool, as_jsonl: bool, quiet: bool, verbose: int, color: str, nothing: bool = False
    ) -> None:
        from netprobe.cli.presentation import Presentation

        self._common = Presentation(as_json=as_json, as_jsonl=as_jsonl, quiet=quiet, verbose=verbose, color=color)
        from netprobe.cli.output import wants_colour

        self._form = "nothing" if nothing else "json" if as_json else "jsonl" if as_jsonl else "text"
        self._verbosity = -1 if quiet else verbose
        self._colour = sys.stdout is not None and wants_colour(color, sys.stdout, os.environ)
        self._cases: list[dict[str, Any]] = []
        self.alone = False

    def progress(self, total: int) -> Any:
        """The progress line, as a context."""
        self._progress = self._common.progress(total)
        return self._progress

    def without(self, captures: list[Path]) -> None:
        """Captures in a folder that no case speaks of."""
        more = f" and {len(captures) - 1} more" if len(captures) > 1 else ""
        self._common.notice(
            f"no case for {captures[0]}{more}; make one from what is found now: netprobe replay --accept {captures[0]}"
        )

    def on_result(self, result: Result) -> None:
        """One case has been replayed."""
        from netprobe.cli.output import show
        from netprobe.replay import render

        self._progress.advance()
        if self._form == "nothing":
            return
        if self._form == "text":
            text = self._text(result)
            if text:
                show(text)
            return
        found: dict[str, Any] = {"case": str(result.path), "result": result.result}
        if result.outcome is not None:
            found |= render.as_json(result.outcome)
        if result.message:
            found["error"] = result.message
        if result.written or result.left:
            found |= {"accepted": result.written, "not_accepted": list(result.left)}
        if self._form == "jsonl":
            show(render.line(found))
        else:
            self._cases.append(found)

    def _text(self, result: Result) -> str:
        from netprobe.replay import render
        from netprobe.report.escape import escape

        word = self._paint(_WORDS.get(result.result, result.result), result.result)
        path = escape(str(result.path))
        if result.result in ("passed", "skipped"):
            if self._verbosity < 1 and not (result.result == "skipped" and self.alone):
                return ""
            why = f": {escape(result.message)}" if result.message else ""
            text = f"{word:5} {path}{why}\n"
            if self._verbosity > 1 and result.outcome is not None:
                text += "".join(f"{one}\n" for each in result.outcome.comparisons for one in render.comparison(each))
            return text
        if result.outcome is None:
            said = escape(result.message) if result.message else ""
            text = f"{word} {said}\n" if said else f"{word} {path}\n"
            return text + (result.text if self._verbosity >= 0 else "")
        text = f"{word} {path}: {escape(render.headline(result.outcome))}\n"
        if self._verbosity >= 0:
            text += render.failure(result.outcome, reasons=self._verbosity > 0)
            text += "".join(f"  not accepted: {escape(one)}\n" for one in result.left)
            if result.written:
                text += f"  accepted: {result.written} value{'s' if result.written > 1 else ''} written\n"
            text += "\n"
        return text

    def finish(self, run: Run) -> None:
        """The summary."""
        from netprobe.cli.output import show, tell
        from netprobe.replay import render
        from netprobe.report.json import SCHEMA, timestamp

        results = {name: count for name, count in run.results.items() if count}
        if self._form == "text":
            said = ", ".join(f"{count} {name}" for name, count in results.items())
            count = run.count - run.results["interrupted"]
            show(f"{count} case{'s' if count != 1 else ''}: {said or 'nothing to do'}\n")
        elif self._form != "nothing":
            head = {
                "schema": SCHEMA,
                "command": "replay",
                "started": timestamp(run.started_ns),
                "finished": timestamp(run.finished_ns),
            }
            tail = {"summary": {"cases": run.count, "by_result": results}}
            if self._form == "json":
                show(render.document(head, self._cases, tail))
            else:
                show(render.line(head | tail))
        if run.results["interrupted"]:
            tell("interrupted: the cases after this one were not replayed")

    def _paint(self, word: str, result: str) -> str:
        if not self._colour:
            return word
        return f"\x1b[{_COLOURS.get(result, '31')}m{word}\x1b[0m"
