"""Which cases are meant by the paths that a person typed: cases, captures, folders of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from netprobe.errors import UnreadableCapture, UsageError
from netprobe.replay.cases import Case, case_of, is_capture, load, looks_like_a_case


@dataclass(slots=True)
class Found:
    """A case file and its capture. `capture` is None where the case's name decides; `case` need not exist where
    `new`."""

    path: Path
    capture: Path | None = None
    new: bool = False

    def load(self) -> Case:
        """Read it; UsageError as in netprobe.replay.cases."""
        return load(self.path, self.capture)


@dataclass(slots=True)
class Search:
    """What the paths gave: cases in order, and captures in folders that no case speaks of."""

    cases: list[Found] = field(default_factory=list)
    without: list[Path] = field(default_factory=list)


def search(paths: Iterable[Path], *, make: bool = False) -> Search:
    """Every case once. With `make`, a capture named by itself needs no case yet. Raises UsageError where a path holds
    no case, UnreadableCapture where it isn't there."""
    found = Search()
    seen: set[Path] = set()

    def add(one: Found) -> None:
        key = one.path.absolute()
        if key not in seen:
            seen.add(key)
            found.cases.append(one)

    for path in paths:
        if path.is_dir():
            _folder(path, add, found)
        elif not path.exists():
            raise UnreadableCapture(f"{path} is not there", "name a case, its capture, or a folder of them")
        elif path.suffix.lower() == ".toml":
            add(Found(path))
        else:
            case = case_of(path)
            if not case.exists() and not make:
                raise UsageError(
                    f"{path} has no case: {case.name} is not there",
                    f"write one (docs/captures.md), or make it from what is found now: netprobe replay --accept {path}",
                )
            add(Found(case, path, new=not case.exists()))
    return found


def _folder(folder: Path, add: object, found: Search) -> None:
    assert callable(add)
    captures: list[Path] = []
    spoken_of: set[Path] = set()
    some = False
    for path in _files(folder):
        if path.suffix.lower() == ".toml":
            if _is_case(path):
                some = True
                add(Found(path))
                spoken_of |= _named_in(path)
        elif is_capture(path):
            captures.append(path)
    left = [one for one in captures if not case_of(one).exists() and one not in spoken_of]
    if not some:
        example = left[0] if left else folder / "NAME.pcapng"
        raise UsageError(
            f"{folder}: no case in it, which is NAME.toml beside NAME.pcapng (or .pcap, also compressed)",
            f"make one from what is found now: netprobe replay --accept {example}",
        )
    found.without += left


def _is_case(path: Path) -> bool:
    """By the capture beside it, or by its form: a case whose capture is gone must not pass unseen."""
    from netprobe.replay.cases import captures_beside

    return bool(captures_beside(path)) or looks_like_a_case(path)


def _named_in(path: Path) -> set[Path]:
    try:
        return set(load(path).captures)
    except UsageError:  # told when it is its turn
        return set()


def _files(folder: Path) -> Iterator[Path]:
    """Every file below, in order; hidden folders are left aside."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                yield Path(place) / name
