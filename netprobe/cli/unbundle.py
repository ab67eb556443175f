"""`netprobe analyze FILE.zip`: a bundle checked, unpacked, and its verdicts held against those found now."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from netprobe.errors import UsageError
from netprobe.report import Report

if TYPE_CHECKING:
    from netprobe.bundle.reading import Bundle
    from netprobe.bundle.settings import Settings
    from netprobe.report.zeek import Tally

Notice = Callable[[str], None]
Also = Callable[[str, "Tally | None"], None]


class Files:
    """What is analyzed, where that is no bundle: captures, and nothing is to be said of them."""

    settings: Settings | None = None

    def telling(self, notice: Notice) -> Notice:
        """Says what is to be said of the files."""
        return notice

    def keep(self, *outputs: str | None) -> None:
        """Raise UsageError where one of these files is read."""

    def also(self, other: Also | None) -> Also | None:
        """Takes each verdict, and hands it to the other one, too."""
        return other

    def told(self, report: Report) -> Report:
        """The report, when nothing more is written."""
        return report


class Unpacked(Files):
    """A bundle that is whole: its verdicts now are compared with those in it."""

    def __init__(self, bundle: Bundle) -> None:
        from netprobe.bundle.reading import Comparison

        self._bundle = bundle
        self._notice: Notice = lambda _: None
        self._comparison = Comparison()
        self.settings = bundle.manifest.settings

    def telling(self, notice: Notice) -> Notice:
        """Says that the bundle is whole; then speaks of the bundle where others speak of its capture."""
        manifest = self._bundle.manifest
        redacted = ", redacted" if manifest.redacted else ""
        notice(
            f"{self._bundle.name}: all {len(manifest.files)} files are as netprobe {self._version} made them at "
            f"{manifest.made}{redacted}; SHA-256 of its manifest {self._bundle.fingerprint}"
        )
        self._notice = notice
        return lambda text: notice(self._named(text))

    def keep(self, *outputs: str | None) -> None:
        """As of Files."""
        from netprobe.cli.exports import check_output

        for name in outputs:
            if name is not None:
                check_output("writing", name, [Path(self._bundle.name)])

    def also(self, other: Also | None) -> Also | None:
        """As of Files; here each is compared, too."""

        def take(line: str, tally: Tally | None) -> None:
            self._comparison.take(line)
            if other is not None:
                other(line, tally)

        return take

    def told(self, report: Report) -> Report:
        """As of Files. Says whether the verdicts are those in the bundle."""
        differ = 0 if report.interrupted else self._comparison.differences(self._bundle)
        if differ:
            told = f"{differ} verdicts are others than those in it, made by netprobe {self._version}"
            self._notice(f"{self._bundle.name}: {told}, or other attempts were selected")
        elif not report.interrupted:
            self._notice(f"{self._bundle.name}: the verdicts are those in it")
        damage = tuple(self._named(line) for line in report.capture.damage)
        return replace(report, capture=replace(report.capture, damage=damage))

    def _named(self, text: str) -> str:
        return text.replace(str(self._bundle.capture), f"{self._bundle.name}, {self._bundle.capture.name}")

    @property
    def _version(self) -> str:
        return self._bundle.manifest.versions.get("netprobe", "of an unknown version")


@contextlib.contextmanager
def unpacked(files: Sequence[str]) -> Iterator[tuple[Sequence[str], Files]]:
    """The captures to read; of a bundle, the one in it. Raises UsageError and UnreadableCapture."""
    bundles = [name for name in files if _is_zip(name)]
    if not bundles:
        yield files, Files()
        return
    if len(files) > 1:
        raise UsageError(f"{bundles[0]} is a bundle, and {len(files)} files are given", "analyze bundles one by one")
    from netprobe.bundle.reading import opened

    with opened(bundles[0]) as bundle:
        yield [str(bundle.capture)], Unpacked(bundle)


def _is_zip(name: str) -> bool:
    try:
        if not Path(name).is_file():
            return False
        with Path(name).open("rb") as file:
            return file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")
    except (OSError, ValueError):
        return False


def merged(given: Settings, files: Files) -> Settings:
    """What the command line says, and where it says nothing what the bundle was made with."""
    recorded, default = files.settings, type(given)()
    if recorded is None:
        return given
    unsaid = [one.name for one in fields(given) if getattr(given, one.name) == getattr(default, one.name)]
    return replace(given, **{name: getattr(recorded, name) for name in unsaid})
