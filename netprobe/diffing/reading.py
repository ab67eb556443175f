"""The two sides of a comparison, read: results as --json and --jsonl write them, bundles, and captures.

House rules of this file:
1. What kind a file is says its first byte, not its name.
2. A file is a stranger: whatever stands in it, only UnreadableCapture is raised.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from netprobe.diffing.compare import Key
from netprobe.diffing.traits import Traits
from netprobe.errors import UnreadableCapture
from netprobe.options import AnalyzeOptions
from netprobe.report.difference import Source

Notice = Callable[[str], None]
# Hears a file's name, how many of its bytes were read, and how many there are (0: unknown).
Read = Callable[[str, int, int], None]
_BLANK = b" \t\r\n\xef\xbb\xbf"  # and a byte order mark
_LONGEST_LINE = 1 << 26
_TOLD_EVERY = 256  # verdicts
_WHAT_TO_GIVE = "give what `netprobe scan --json`, --jsonl or --bundle wrote, or a capture"


@dataclass(slots=True)
class Result:
    """One side."""

    source: Source
    places: dict[Key, Traits] = field(default_factory=dict)
    interrupted: bool = False
    redacted: bool = False


def read(name: str, notice: Notice, heard: Read | None = None) -> Result:
    """The traits of every place in a result or a capture; `-`: standard input. Raises UnreadableCapture."""
    try:
        with _opened(name) as (file, path):
            start = file.read(4096)
            file.seek(0)
            shown = "standard input" if name == "-" else name
            if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
                return _bundle(shown, path, heard)
            if start.lstrip(_BLANK).startswith(b"{"):
                return _result(shown, file, heard)
            return _capture(shown, path, notice, heard)
    except OSError as error:
        why = f"{name} can't be read: {error.strerror}"
        raise UnreadableCapture(why, "check the path and its permissions") from error


@contextlib.contextmanager
def _opened(name: str) -> Iterator[tuple[IO[bytes], Path]]:
    """A file that can be read twice; a pipe is copied into one."""
    if name != "-" and not (Path(name).exists() and not Path(name).is_file() and not Path(name).is_dir()):
        with Path(name).open("rb") as file:
            yield file, Path(name)
        return
    with tempfile.NamedTemporaryFile() as copy:
        if name == "-":
            shutil.copyfileobj(sys.stdin.buffer, copy)
        else:
            with Path(name).open("rb") as pipe:
                shutil.copyfileobj(pipe, copy)
        copy.flush()
        copy.seek(0)
        yield copy.file, Path(copy.name)


def _bundle(name: str, path: Path, heard: Read | None) -> Result:
    """The verdicts of a bundle, if it is as it was made."""
    from netprobe.bundle.reading import opened

    with opened(path, name) as bundle, bundle.verdicts.open("rb") as file:
        found = _result(name, file, heard)
        return replace(found, source=replace(found.source, kind="bundle"), redacted=bundle.manifest.redacted)


class _Gathering:
    """Verdicts, as they come, by place."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.places: dict[Key, Traits] = {}
        self.count = 0

    def add(self, v: Any) -> None:
        """Take in a verdict (a JSON object)."""
        try:
            address, target, port = v["address"], v["target"], v["port"]
            fits = isinstance(target, str) and isinstance(port, int) and isinstance(address, str | None)
            if not fits or not isinstance(v["cause"], str):
                raise TypeError
            key = (address, "" if address is not None else target, port)
            place = self.places.get(key)
            if place is None:
                place = self.places[key] = Traits(target, address, port)
            place.add(v)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise UnreadableCapture(f"{self._name}: its verdict {self.count + 1} is none", _WHAT_TO_GIVE) from error
        self.count += 1


def _result(name: str, file: IO[bytes], heard: Read | None) -> Result:
    """One document, or lines of which the last one sums up."""
    gathering = _Gathering(name)
    size = os.fstat(file.fileno()).st_size
    if heard is not None:
        heard(name, 0, size)
    first = file.readline(_LONGEST_LINE)
    try:
        head = _parsed(name, first)
    except UnreadableCapture:  # no line by itself: a document of many
        file.seek(0)
        head = _parsed(name, file.read())
        if "verdicts" not in head:
            raise UnreadableCapture(f"{name} has no verdicts", _WHAT_TO_GIVE) from None
    if "verdicts" in head:
        for v in head["verdicts"] if isinstance(head["verdicts"], list) else (None,):
            gathering.add(v)
        return Result(_source(name, "json", gathering.count, head), gathering.places)
    summed: dict[str, Any] = {}
    for line in _lines(first, file):
        value = _parsed(name, line)
        if "cause" in value:
            gathering.add(value)
        else:
            summed = value
        if heard is not None and gathering.count % _TOLD_EVERY == 0:
            heard(name, file.tell(), size)
    if not gathering.count and "summary" not in summed:
        raise UnreadableCapture(f"{name} has no verdicts", _WHAT_TO_GIVE)
    return Result(_source(name, "jsonl", gathering.count, summed), gathering.places)


def _lines(first: bytes, file: IO[bytes]) -> Iterator[bytes]:
    yield first
    while line := file.readline(_LONGEST_LINE):
        if line.strip():
            yield line


def _parsed(name: str, text: bytes) -> dict[str, Any]:
    try:
        value = json.loads(text.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise UnreadableCapture(f"{name} is no result of netprobe: {str(error)[:100]}", _WHAT_TO_GIVE) from error
    if not isinstance(value, dict):
        raise UnreadableCapture(f"{name} is no result of netprobe", _WHAT_TO_GIVE)
    return value


def _source(name: str, kind: str, verdicts: int, head: dict[str, Any]) -> Source:
    capture = head.get("capture")
    capture = capture if isinstance(capture, dict) else {}
    dropped, damage = capture.get("dropped"), capture.get("damage")
    return Source(
        name=name, kind=kind, verdicts=verdicts,
        mode=str(head["mode"]) if "mode" in head else None,
        started=str(head["started"]) if "started" in head else None,
        dropped=dropped if isinstance(dropped, int) else 0,
        damage=tuple(str(one) for one in damage) if isinstance(damage, list) else (),
    )  # fmt: skip


def _capture(name: str, path: Path, notice: Notice, heard: Read | None) -> Result:
    """The verdicts of a capture, made now."""
    from netprobe import analyze

    gathering = _Gathering(name)

    def take(lines: bytes) -> None:
        for line in bytes(lines).splitlines():
            gathering.add(json.loads(line))

    options = AnalyzeOptions(files=(path,))
    report = analyze.run(options, lambda _: None, notice, analyze.Outlets(lines=take, read=heard))
    source = Source(
        name=name, kind="capture", verdicts=gathering.count, mode=str(report.mode), dropped=report.capture.dropped,
        damage=report.capture.damage,
    )  # fmt: skip
    return Result(source, gathering.places, report.interrupted)
