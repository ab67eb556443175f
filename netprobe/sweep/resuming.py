"""The file of --resume: which sweep it is, its order, and how far it came.

House rules of this file:
1. One short text of fixed length, written over itself in one go: whenever the power fails, it says the truth of before
   or of after.
2. Opened as the user who called, before privileges go.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from netprobe.errors import CannotMeasure, UsageError
from netprobe.sweep.space import Space
from netprobe.wire import privilege

SCHEMA = "netprobe-sweep/1"
LENGTH = 512


class Resume:
    """How far a sweep is. `done` counts places of this shard, by IP version; `key` is that of the order."""

    def __init__(self, path: Path, sweep: str) -> None:
        self._path = path
        self._sweep = sweep
        self.key = secrets.token_bytes(16)
        self.done: dict[int, int] = {}
        text = _read(path)
        if text.strip():
            self._load(text)
        self._file = privilege.open_output(path)
        self.write()

    def _load(self, text: str) -> None:
        try:
            found = json.loads(text)
            if found["schema"] != SCHEMA:
                raise ValueError(found["schema"])
            sweep, self.key = found["sweep"], bytes.fromhex(found["key"])
            self.done = {int(version): int(count) for version, count in found["done"].items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(f"--resume {self._path}: not a file of a sweep", "name another one") from error
        if sweep != self._sweep:
            raise UsageError(
                f"--resume {self._path}: belongs to a sweep of other targets, ports, exclusions or another shard",
                "name another file, or remove this one",
            )

    def note(self, version: int, done: int) -> None:
        """So many places of this IP version are settled."""
        self.done[version] = done
        self.write()

    def write(self) -> None:
        """Put it on disk. Raises CannotMeasure."""
        found = {
            "schema": SCHEMA,
            "sweep": self._sweep,
            "key": self.key.hex(),
            "done": {str(version): count for version, count in self.done.items()},
        }
        try:
            os.pwrite(self._file, json.dumps(found).ljust(LENGTH - 1).encode() + b"\n", 0)
        except OSError as error:
            raise CannotMeasure(f"{self._path} can't be written: {error.strerror}", "make room") from error

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def _read(path: Path) -> str:
    with privilege.as_caller():
        try:
            return path.read_text("utf-8", "replace") if path.exists() else ""
        except OSError as error:
            raise CannotMeasure(f"{path}: {error.strerror}", "name a file that can be read and written") from error


def name_of(found: Sequence[Space], shard: tuple[int, int]) -> str:
    """What tells one sweep from another: everything that decides which pair stands at which place."""
    text = repr([(space.version, space.intervals, space.ports) for space in found]) + repr(shard)
    return hashlib.blake2b(text.encode(), digest_size=16, person=b"sweep name").hexdigest()
