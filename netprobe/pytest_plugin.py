"""The pytest plugin: `pytest captures/` collects NAME.toml beside NAME.pcapng as a test, in anybody's project.

House rules of this file:
1. A run without such pairs pays for nothing: only pytest and what the standard library has loaded anyway is imported.
2. A TOML file without a capture of its name is somebody else's and is never opened.
3. One pair is one test; it is read when it runs, so that what is wrong with it is a failing test and not an error of
   the collection.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from netprobe.replay.compare import Outcome

# As in netprobe.replay.cases, which isn't imported before there is a pair; a test holds both equal.
SUFFIXES = tuple(
    form + packed for packed in ("", ".gz", ".zst", ".lz4", ".xz") for form in (".pcapng", ".pcap", ".cap")
)
MARKER = "netprobe: a capture compared with its case file (collected by netprobe)"


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known: `pytest -m netprobe`, `pytest -m "not netprobe"`."""
    config.addinivalue_line("markers", MARKER)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """A case beside its capture."""
    if file_path.suffix == ".toml" and any(file_path.with_name(file_path.stem + end).is_file() for end in SUFFIXES):
        return CaseFile.from_parent(parent, path=file_path)
    return None


class CaseFile(pytest.File):
    """NAME.toml; holds one test."""

    def collect(self) -> Iterator[pytest.Item]:
        """The test, under a name that says what it does."""
        yield CaseItem.from_parent(self, name="replay")


class CaseFailure(Exception):  # noqa: N818 (pytest shows the name)
    """A case that doesn't hold; `report` is what `netprobe replay` would print."""

    def __init__(self, headline: str, report: str) -> None:
        super().__init__(headline)
        self.report = report


class CaseItem(pytest.Item):
    """Replays one capture and compares it with its case."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.add_marker(pytest.mark.netprobe)
        self.extra_keyword_matches.add(self.path.stem)

    def runtest(self) -> None:
        """Fails with CaseFailure, or with the error of a case or capture that can't be read."""
        from netprobe.replay import compare, load

        outcome = compare.replay(load(self.path))
        if outcome.interrupted:
            raise KeyboardInterrupt
        if not outcome.passed:
            raise self._failure(outcome)

    def _failure(self, outcome: Outcome) -> CaseFailure:
        from netprobe.replay import render

        headline = render.headline(outcome)
        title = f"{headline}\n"
        about = f"  {outcome.case.about}\n" if outcome.case.about.isprintable() and outcome.case.about else ""
        reasons = self.config.getoption("verbose") > 0
        return CaseFailure(headline, title + about + render.failure(outcome, reasons=reasons))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The report instead of a traceback, which would lead into netprobe."""
        from netprobe.errors import NetprobeError

        if isinstance(excinfo.value, CaseFailure):
            return excinfo.value.report
        if isinstance(excinfo.value, NetprobeError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where it stands and what it is called."""
        return self.path, None, f"capture: {self.path.stem}"
