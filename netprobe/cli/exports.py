"""Files that a run writes beside what it shows: nmap's XML, Zeek's conn.log, a commented copy of the capture.

House rules of this file:
1. A file is opened before anything is measured, as the user who called, and is valid at any moment: of a run that
   doesn't come to its end it says so.
2. What goes wrong with a file is told at the end; the result is shown all the same.
3. `-` is standard output, which then gets nothing else.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import stat
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import IO, Protocol, Self

from netprobe.cli import page
from netprobe.cli.output import show
from netprobe.errors import CannotMeasure, UsageError
from netprobe.interrupts import Interrupts
from netprobe.report import Report
from netprobe.report import json as report_json
from netprobe.report.rows import Sink
from netprobe.report.zeek import Tally

_FLUSH_S = 0.5


class Export(Protocol):
    """One file in the making. `sink`: takes attempts of a capture, which are many."""

    @property
    def sink(self) -> Sink: ...
    def take(self, verdict: str, tally: Tally | None, /) -> None: ...
    def finish(self, report: Report, stop: Callable[[], bool], /) -> None: ...
    def abandon(self) -> None: ...


class Exports:
    """All files of a run, by option: None where it wasn't given. Used as a context, so that they are closed.

    `inputs`: files that must not be overwritten.
    """

    def __init__(
        self,
        *,
        xml: str | None = None,
        zeek: str | None = None,
        annotate: str | None = None,
        html: str | None = None,
        inputs: Sequence[Path] = (),
    ) -> None:
        wanted = {"-oX": xml, "--zeek": zeek, "--annotate": annotate, "--html": html}
        given = {option: name for option, name in wanted.items() if name is not None}
        outputs = [option for option, name in given.items() if name == "-"]
        if len(outputs) > 1:
            raise UsageError(f"{outputs[0]} - and {outputs[1]} - would mix on standard output", "name a file for one")
        self.instead = f"{outputs[0]} -" if outputs else None
        for option, name in given.items():
            check_output(option, name, inputs)
        if annotate is not None:
            _check_annotation(annotate, inputs)
        if html is not None:
            page.check()
        self._inputs = inputs
        self.notice: Callable[[str], None] = lambda _: None  # whoever enters sets it before
        self._given = given
        self._files: list[Output] = []
        self._exports: list[Export] = []
        self._failure: str | None = None
        self._finished = False

    def __enter__(self) -> Self:
        for option, name in self._given.items():
            output = Output(name)
            self._files.append(output)
            try:
                if option == "--html":
                    self._exports.append(page.Page(output, self._inputs))
                elif option == "--annotate":
                    self._exports.append(_Annotation(output, self._inputs[0], self.notice))
                else:
                    self._exports.append(_Xml(output) if option == "-oX" else _Zeek(output))
            except OSError as error:
                raise CannotMeasure(f"{name} can't be written: {error.strerror}", "name another file") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for export in self._exports if not self._finished else ():
            self._careful(export.abandon)
        for output in self._files:
            output.close()

    @property
    def sinks(self) -> list[Sink]:
        """Those that take the attempts of a capture as they settle."""
        return [_Careful(export.sink, self._careful) for export in self._exports]

    def finish(self, report: Report, *, given: bool = True) -> Report:
        """Complete the files. `given`: they have the verdicts already, else they get the report's. The report, with
        what went wrong."""
        self._finished = True
        with Interrupts() as interrupts:
            if not given:
                for verdict in report.verdicts if self._given else ():
                    self._take(report_json.line(verdict), None)
            for export in self._exports:
                self._careful(lambda: export.finish(report, lambda: interrupts.asked))  # noqa: B023 - called at once
        failure = report.failure if report.failure is not None else self._failure
        return replace(report, failure=failure, interrupted=report.interrupted or interrupts.asked)

    def _take(self, verdict: str, tally: Tally | None) -> None:
        for export in self._exports:
            self._careful(lambda: export.take(verdict, tally))  # noqa: B023 - called at once

    def _careful(self, act: Callable[[], None]) -> None:
        if self._failure is not None:
            return
        try:
            act()
        except OSError as error:
            names = ", ".join(name for name in self._given.values() if name != "-")
            self._failure = f"writing {names} failed: {error.strerror}; make room or name another file, and run again"


class Output:
    """A file, or standard output, that text is written to."""

    def __init__(self, name: str) -> None:
        self._file: IO[bytes] | None = None
        self.regular = False
        self.name = name
        if name != "-":
            from netprobe.wire import privilege

            descriptor = privilege.open_output(Path(name))
            self._file = os.fdopen(descriptor, "wb")
            self.regular = stat.S_ISREG(os.fstat(descriptor).st_mode)

    def write(self, text: str) -> None:
        """Append. Raises OSError."""
        if self._file is None:
            show(text)
        else:
            self._file.write(text.encode("utf-8", "backslashreplace"))

    @property
    def descriptor(self) -> int:
        """The file itself, for those who write octets."""
        assert self._file is not None
        return self._file.fileno()

    def flush(self) -> None:
        """Put on disk what was written."""
        if self._file is not None:
            self._file.flush()

    def restart(self) -> None:
        """Forget what stands in the file, where that can be."""
        if self._file is not None and self.regular:
            self._file.flush()
            self._file.seek(0)
            self._file.truncate()

    def close(self) -> None:
        """Close the file; what can't be written any more was told by `flush`."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()


class _Careful:
    """A sink whose trouble with its file doesn't end the run."""

    def __init__(self, sink: Sink, careful: Callable[[Callable[[], None]], None]) -> None:
        self._sink = sink
        self._careful = careful
        self.columns = sink.columns

    def template(self, pieces: Sequence[str], gaps: Sequence[int]) -> int:
        return self._sink.template(pieces, gaps)

    def add(self, rows: str) -> None:
        self._careful(lambda: self._sink.add(rows))

    def row(self, line: str, tally: Tally | None) -> None:
        self._careful(lambda: self._sink.row(line, tally))


class _Xml:
    """nmap's XML is ordered by hosts, so it is written at the end; until then the file says that it isn't there yet."""

    def __init__(self, output: Output) -> None:
        from netprobe.report import nmap_xml, nmap_xml_rows

        self._output = output
        self._hosts = nmap_xml.Hosts()
        self.sink: Sink = nmap_xml_rows.Rows(self._hosts)
        self._command_line = shlex.join(["netprobe", *sys.argv[1:]])
        if output.regular:
            output.write(nmap_xml.unfinished(self._command_line, time.time_ns()))
            output.flush()

    def take(self, verdict: str, _: Tally | None) -> None:
        self._hosts.add(verdict)

    def abandon(self) -> None:
        pass

    def finish(self, report: Report, _: Callable[[], bool]) -> None:
        self._output.restart()
        for piece in self._hosts.document(report, self._command_line):
            self._output.write(piece)
        self._output.flush()


class _Zeek:
    """conn.log, a line for each attempt as it settles."""

    def __init__(self, output: Output) -> None:
        from netprobe.report import zeek, zeek_rows

        self._zeek = zeek
        self._output = output
        self.sink: Sink = zeek_rows.Rows(self._write)
        self._flushed = time.monotonic()
        output.write(zeek.header(_now()))
        output.flush()

    def take(self, verdict: str, tally: Tally | None) -> None:
        self._write(self._zeek.line(verdict, tally))

    def _write(self, lines: str) -> None:
        self._output.write(lines)
        if time.monotonic() - self._flushed > _FLUSH_S:
            self._output.flush()
            self._flushed = time.monotonic()

    def finish(self, _report: Report, _stop: Callable[[], bool], /) -> None:
        self.abandon()

    def abandon(self) -> None:
        self._output.write(self._zeek.footer(_now()))
        self._output.flush()


class _Annotation:
    """A copy of the capture with comments, written when all are known; until then the file says that it isn't."""

    def __init__(self, output: Output, source: Path, notice: Callable[[str], None]) -> None:
        from netprobe import annotate

        self._output = output
        self._source = source
        self._notice = notice
        self._annotation = annotate.Annotation()
        self.sink: Sink = annotate.Rows(self._annotation)
        if output.regular:
            annotate.not_yet(output.descriptor)

    def take(self, verdict: str, _: Tally | None) -> None:
        self._annotation.add(verdict)

    def finish(self, report: Report, stop: Callable[[], bool]) -> None:
        if report.interrupted:
            self._notice(f"{self._output.name} was not written: interrupted before all verdicts were known")
            return
        self._output.restart()
        done = self._annotation.write(self._source, self._output.descriptor, report, stop)
        without = f"; {done.without} more have no room for a comment" if done.without else ""
        cut = ", interrupted before its end" if done.stopped else ""
        packets = f"{done.packets} packet{'s' if done.packets != 1 else ''}"
        self._notice(f"{self._output.name}: a copy with comments on {packets}{without}{cut}")

    def abandon(self) -> None:
        self._annotation.close()


def _check_annotation(name: str, inputs: Sequence[Path]) -> None:
    if name == "-":
        raise UsageError("--annotate -: a copy needs a file of its own", "write --annotate OUT.pcapng")
    if len(inputs) != 1:
        raise UsageError(f"--annotate copies one capture, and {len(inputs)} are given", "annotate each for itself")
    if str(inputs[0]) == "-":
        raise UsageError("--annotate reads the capture twice, which standard input can't be", "save it to a file first")
    if inputs[0].exists() and not inputs[0].is_file():
        raise UsageError(f"--annotate reads the capture twice, and {inputs[0]} is no file", "save it to a file first")


def _now() -> str:
    """Local time as Zeek writes it into a header."""
    return time.strftime("%Y-%m-%d-%H-%M-%S")


def check_output(option: str, name: str, inputs: Sequence[Path]) -> None:
    """Raise UsageError where a file would be written that is to be read, or none is named."""
    if not name:
        raise UsageError(f"{option}: no file named", f"write {option} FILE, or {option} - for standard output")
    path = Path(name)
    for other in inputs:
        if name != "-" and other.exists() and path.exists() and path.samefile(other):
            raise UsageError(f"{option} {name} would overwrite what is to be read", "name another file")

