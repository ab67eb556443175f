"""`--html FILE`: the report page as one of the files that a run writes."""

from __future__ import annotations

import hashlib
import importlib.util
import platform
import shlex
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol

from netprobe import __version__
from netprobe.errors import UsageError
from netprobe.report import Report

# A capture up to so many bytes is named with its checksum.
HASHED = 100_000_000
NOT_YET = "<!DOCTYPE html><title>netprobe</title><p>This run has not come to its end.</p>\n"


class Sink(Protocol):
    """Where the page goes. `regular`: it can begin anew."""

    regular: bool

    def write(self, text: str, /) -> None: ...
    def flush(self) -> None: ...
    def restart(self) -> None: ...


class Page:
    """The page in the making. `inputs`: the captures that are read."""

    def __init__(self, output: Sink, inputs: Sequence[Path]) -> None:
        from netprobe.report.html.attempts import Attempts

        self._output = output
        self._inputs = inputs
        self.attempts = self.sink = Attempts()
        begin(output)

    def take(self, verdict: str, _: object) -> None:
        """One verdict as its JSON line."""
        self.attempts.line(verdict)

    def abandon(self) -> None:
        """The file says already that the run did not end."""

    def finish(self, report: Report, _: Callable[[], bool]) -> None:
        """Write all of it. Raises OSError."""
        from netprobe.report.html.page import render

        write(self._output, render(report, self.attempts, environment(self._inputs)))


def begin(output: Sink) -> None:
    """Until the page is there, the file says so."""
    if output.regular:  # what was written elsewhere can't be taken back
        output.write(NOT_YET)
        output.flush()


def write(output: Sink, pieces: Iterable[str]) -> None:
    """The whole page, in place of what `begin` wrote. Raises OSError."""
    output.restart()
    for piece in pieces:
        output.write(piece)
    output.flush()


def environment(inputs: Sequence[Path] = ()) -> dict[str, str]:
    """What a page was made with and from, name by name."""
    found = {
        "netprobe": __version__,
        "command": shlex.join(["netprobe", *sys.argv[1:]]),
        "system": f"{platform.platform()}, Python {platform.python_version()}",
    }
    for n, path in enumerate(inputs[:20], 1):
        found["capture" if len(inputs) == 1 else f"capture {n}"] = _about(path)
    return found


def _about(path: Path) -> str:
    """A capture's name, size and checksum, where it is a file of no great size."""
    try:
        if not path.is_file():
            return str(path)
        size = path.stat().st_size
        if size > HASHED:
            return f"{path}, {size:,} bytes"
        with path.open("rb") as file:
            return f"{path}, {size:,} bytes, SHA-256 {hashlib.file_digest(file, 'sha256').hexdigest()}"
    except OSError:
        return str(path)


def check() -> None:
    """Raises UsageError where what makes pages isn't installed."""
    if importlib.util.find_spec("jinja2") is None:
        raise UsageError("--html needs the Python package jinja2", "install netprobe again, or: pip install jinja2")
