"""`--html FILE`: the report page as one of the files that a run writes."""

from __future__ import annotations

import importlib.util
import platform
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from netprobe import __version__
from netprobe.errors import UsageError
from netprobe.report import Report
from netprobe.report.html.attempts import Attempts

# Captures are read once more for each ladder: so many bytes in all.
READ_AGAIN = 60_000_000
LADDERS = 12


class Sink(Protocol):
    """Where the page goes. `regular`: it can begin anew."""

    regular: bool

    def write(self, text: str, /) -> None: ...
    def flush(self) -> None: ...
    def restart(self) -> None: ...


class Page:
    """The page in the making. `attempts` may be filled by others; `inputs`: the captures that are read."""

    def __init__(self, output: Sink, inputs: Sequence[Path]) -> None:
        self._output = output
        self._inputs = inputs
        self.attempts = Attempts()
        if output.regular:  # what was written elsewhere can't be taken back
            output.write("<!DOCTYPE html><title>netprobe</title><p>This run has not come to its end.</p>\n")
            output.flush()

    def take(self, verdict: str, _: object) -> None:
        """One verdict as its JSON line."""
        self.attempts.line(verdict)

    def abandon(self) -> None:
        """The file says already that the run did not end."""

    def finish(self, report: Report, _: Callable[[], bool]) -> None:
        """Write all of it. Raises OSError."""
        from netprobe.report.html.page import render

        self._output.restart()
        environment = {
            "netprobe": __version__,
            "command": shlex.join(["netprobe", *sys.argv[1:]]),
            "system": f"{platform.platform()}, Python {platform.python_version()}",
        }
        for piece in render(report, self.attempts, environment, ladders=self._ladders()):
            self._output.write(piece)
        self._output.flush()

    def _ladders(self) -> int:
        sizes = sum(path.stat().st_size for path in self._inputs if path.is_file())
        return min(LADDERS, READ_AGAIN // sizes) if sizes else LADDERS


def check() -> None:
    """Raises UsageError where what makes pages isn't installed."""
    if importlib.util.find_spec("jinja2") is None:
        raise UsageError("--html needs the Python package jinja2", "install netprobe again, or: pip install jinja2")
