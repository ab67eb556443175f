"""`--bundle FILE.zip` as one of the files that a run writes.

House rules of this file:
1. The file is opened before anything is measured, as the user who called; of a run that doesn't come to its end it says
   so. What goes wrong with it is told at the end, the result is shown all the same.
2. Whoever asks for no bundle loads nothing of what makes one.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Self

from netprobe.cli import page
from netprobe.cli.exports import check_output
from netprobe.errors import CannotMeasure, NetprobeError, UsageError
from netprobe.interrupts import Interrupts
from netprobe.options import AnalyzeOptions
from netprobe.report import Report
from netprobe.report import json as report_json
from netprobe.report.html.attempts import Attempts
from netprobe.report.json import timestamp
from netprobe.report.zeek import Tally

if TYPE_CHECKING:
    from netprobe.bundle.contents import Manifest
    from netprobe.bundle.settings import Settings
    from netprobe.wire.capture import CaptureReader

_LEAST_KEY = 16  # octets
_MOST_KEY = 1 << 20
Notice = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for. `settings`: how a file is analyzed, in words, and `analysis` the same as options; `saved`:
    where a scan's packets are written to, None for an analysis."""

    file: str
    redact: bool
    key: bytes | None
    settings: Settings | None = None
    analysis: AnalyzeOptions = field(default_factory=AnalyzeOptions)
    saved: IO[bytes] | None = None


def wanted(file: str | None, key: Path | None, *, redact: bool, doctor: bool = False) -> Wanted | None:
    """The options --bundle, --redact and --redact-key, read and checked. `doctor`: --doctor was given. Raises
    UsageError and CannotMeasure."""
    if file is None:
        if redact or key is not None:
            option = "--redact" if redact else "--redact-key"
            raise UsageError(f"{option} is about what --bundle FILE writes", "add --bundle FILE.zip, or leave it out")
        return None
    if file == "-":
        raise UsageError("--bundle -: a bundle needs a file of its own", "write --bundle FILE.zip")
    if doctor:
        raise UsageError(
            "--bundle holds what packets show, and --doctor adds what the server's facts say", "leave out one of them"
        )
    if importlib.util.find_spec("jinja2") is None:
        raise UsageError("--bundle needs the Python package jinja2", "install netprobe again, or: pip install jinja2")
    return Wanted(file, redact or key is not None, None if key is None else _key(key))


def _key(path: Path) -> bytes:
    """The key that a file's content is: whatever it is, it must be long enough."""
    try:
        with path.open("rb") as file:
            secret = file.read(_MOST_KEY + 1)
    except OSError as error:
        what = f"--redact-key {path} can't be read: {error.strerror}"
        raise CannotMeasure(what, "name a readable file of 16 bytes or more") from error
    if not len(secret.strip()) >= _LEAST_KEY or len(secret) > _MOST_KEY:
        raise UsageError(
            f"--redact-key {path}: a key has {_LEAST_KEY} bytes or more", "make one: head -c 32 /dev/urandom > FILE"
        )
    return hashlib.blake2b(secret, digest_size=32, person=b"netprobe redact").digest()


def of_scan(asked: Wanted | None, write: Path | None, interface: str | None) -> tuple[Wanted | None, int | None]:
    """The same for a scan, and where it is to save its packets: the file of -w, else one without a name. To be called
    before privileges are given away."""
    if asked is None:
        return None, None
    from netprobe.wire import privilege
    from netprobe.wire.connect import check_interface

    check_interface(interface)  # before an older file of the same name is emptied
    if write is None:
        import tempfile

        saved: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - lives until the bundle is written
    else:
        saved = os.fdopen(privilege.open_output(write), "r+b")
    return replace(asked, saved=saved), os.dup(saved.fileno())


def of_analysis(asked: Wanted | None, options: AnalyzeOptions, settings: Settings) -> Wanted | None:
    """The same for an analysis of one file. Raises UsageError where a bundle can't hold it."""
    if asked is None:
        return None
    if len(options.files) != 1:
        raise UsageError(f"--bundle holds one capture, and {len(options.files)} are given", "bundle each for itself")
    (source,) = options.files
    if str(source) == "-" or (source.exists() and not source.is_file()):
        what = "standard input" if str(source) == "-" else str(source)
        raise UsageError(f"--bundle reads the capture twice, which {what} can't be", "save it to a file first")
    if asked.redact and settings.filter is not None:
        raise UsageError(
            "--redact maps addresses, and --filter would look for those that were there before",
            "select by --server, --client-address, --port, --cause or --state",
        )
    check_output("--bundle", asked.file, options.files)
    return replace(asked, settings=settings, analysis=options)


class BundleFile:
    """The bundle in the making, used as a context; where none was asked for, nothing happens. `attempts`: filled by an
    analysis; of a scan it is filled here."""

    def __init__(self, asked: Wanted | None, notice: Notice, inputs: Sequence[Path] = ()) -> None:
        self._wanted = asked
        self._notice = notice
        self._inputs = inputs
        self._output: IO[bytes] | None = None
        self._decisive: set[int] = set()
        self.attempts = Attempts()
        self.heard: Callable[[str, int, int], None] | None = None  # how far redaction is

    def __enter__(self) -> Self:
        if self._wanted is not None:
            import tempfile

            from netprobe import annotate
            from netprobe.bundle import writing
            from netprobe.wire import privilege

            self._lines: IO[bytes] = tempfile.TemporaryFile()
            self._annotation = annotate.Annotation()
            descriptor = privilege.open_output(self._wanted.file)
            try:
                self._output = os.fdopen(descriptor, "r+b")
                writing.unfinished(self._output)
            except OSError as error:
                what = f"{self._wanted.file} can't be written: {error.strerror or error}"
                raise CannotMeasure(what, "name another file") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._output is not None:
            self._lines.close()
            self._annotation.close()
            with contextlib.suppress(OSError):
                self._output.close()

    @property
    def also(self) -> Callable[[str, Tally | None], None] | None:
        """Takes each verdict as its JSON line; None where no bundle is made."""
        return self._take if self._wanted is not None else None

    @property
    def packed(self) -> Attempts | None:
        """Takes the attempts of a capture, packed; None where no bundle is made."""
        return self.attempts if self._wanted is not None else None

    def finish(self, report: Report, *, given: bool = True) -> Report:
        """Write the bundle. `given`: it has the verdicts already, else it gets the report's. The report, with what went
        wrong."""
        if self._wanted is None:
            return report
        failure = None
        with Interrupts() as interrupts:
            try:
                for verdict in () if given else report.verdicts:
                    line = report_json.line(verdict)
                    self._take(line, None)
                    self.attempts.line(line)
                self._make(report, lambda: interrupts.asked)
            except OSError as error:
                why = error.strerror or error
                failure = f"writing {self._asked.file} failed: {why}; make room or name another file"
            except NetprobeError as error:
                failure = f"writing {self._asked.file} failed: {error}"
        return replace(
            report, failure=report.failure or failure, interrupted=report.interrupted or interrupts.asked
        )  # fmt: skip

    @property
    def _asked(self) -> Wanted:
        assert self._wanted is not None
        return self._wanted

    def _take(self, verdict: str, _: Tally | None) -> None:
        self._lines.write(verdict.encode("ascii"))
        self._annotation.add(verdict)

    def _make(self, report: Report, stop: Callable[[], bool]) -> None:
        if report.interrupted and self._asked.saved is None:
            self._notice(f"{self._asked.file} was not written: interrupted before all verdicts were known")
            return
        import tempfile

        with tempfile.TemporaryDirectory(prefix="netprobe-") as folder:
            made = self._redacted if self._asked.redact else self._plain
            fingerprint = made(report, Path(folder), stop)
        if fingerprint is None:
            self._notice(f"{self._asked.file} was not written: interrupted")
        else:
            self._notice(f"{self._asked.file}: the evidence in one file; SHA-256 of its manifest {fingerprint}")

    # ------------------------------------------------------------------ two ways

    def _plain(self, report: Report, folder: Path, stop: Callable[[], bool]) -> str | None:
        from netprobe.bundle.contents import CAPTURE

        capture = self._asked.saved
        with contextlib.ExitStack() as held:
            if capture is None:
                copy = folder / CAPTURE
                capture = held.enter_context(copy.open("w+b", buffering=0))
                if self._annotation.write(self._inputs[0], capture.fileno(), report, stop).stopped:
                    return None
            source = self._inputs[0].name if self._inputs else None
            manifest = self._manifest(report, source=source, settings=self._settings)
            environment = page.environment(self._inputs)
            return self._write(report, self.attempts, manifest, capture, self._read_lines(), environment)

    def _redacted(self, report: Report, folder: Path, stop: Callable[[], bool]) -> str | None:
        from netprobe import annotate
        from netprobe.bundle import redacting
        from netprobe.bundle.contents import CAPTURE
        from netprobe.cli import captures
        from netprobe.redaction.capture import maps

        by = maps(self._asked.key)
        settings = redacting.mapped(self._settings, by)
        options = replace(self._asked.analysis, selection=captures.selected(settings))
        again = redacting.again(self._source, folder / "redacted.pcapng", report, options, by, stop, self.heard)
        if again.stopped or (again.report.interrupted and not report.interrupted):
            return None
        before, after, annotation = redacting.Counted(), redacting.Counted(), annotate.Annotation()
        for line in self._read_lines():
            before.add(line)
        with again.lines.open(encoding="ascii") as lines:
            for line in lines:
                after.add(line)
                annotation.add(line)
        differ = before.differ(after)
        if differ:
            self._notice(f"{differ} verdicts of the redacted capture differ: they rest on what was dropped")
        copy = folder / CAPTURE
        with copy.open("w+b", buffering=0) as capture, again.lines.open(encoding="ascii") as lines:
            annotation.write(folder / "redacted.pcapng", capture.fileno(), again.report, stop)
            annotation.close()
            manifest = self._manifest(again.report, settings=settings)
            manifest = replace(manifest, redacted=True, differ=differ, damage=again.damage)
            environment = page.environment()
            environment["command"] = f"netprobe {report.command}, redacted"
            return self._write(again.report, again.attempts, manifest, capture, lines, environment)

    def _write(
        self, report: Report, attempts: Attempts, manifest: Manifest, capture: IO[bytes], lines: Iterable[str],
        environment: dict[str, str],
    ) -> str:  # fmt: skip
        from netprobe.bundle import writing
        from netprobe.report.html.page import render

        told = writing.verdicts(self._noting(lines), report)
        pieces = render(report, attempts, environment)
        assert self._output is not None
        self._output.seek(0)
        self._output.truncate()
        return writing.write(self._output, manifest, capture, told, pieces, self._decisive)

    @property
    def _settings(self) -> Settings:
        from netprobe.bundle.settings import Settings

        return self._asked.settings or Settings()

    def _manifest(self, report: Report, *, settings: Settings, source: str | None = None) -> Manifest:
        from netprobe.bundle.contents import Manifest

        made = timestamp(report.finished_ns)
        return Manifest(command=report.command, made=made, source=source, settings=settings)

    def _source(self) -> CaptureReader:
        """The capture from its beginning."""
        from netprobe.bundle import writing
        from netprobe.wire.capture import CaptureReader

        return CaptureReader(self._inputs[0]) if self._asked.saved is None else writing.unclosed(self._asked.saved)

    def _read_lines(self) -> Iterator[str]:
        self._lines.seek(0)
        for line in self._lines:
            yield line.decode("ascii")

    def _noting(self, lines: Iterable[str]) -> Iterator[str]:
        """The same lines; the frames that they cite are noted."""
        for line in lines:
            self._decisive.update(one["frame"] for one in json.loads(line)["evidence"])
            yield line
