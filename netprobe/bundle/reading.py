"""A bundle checked: every file against its sum, then the capture where it can be analyzed.

House rules of this file:
1. Nothing is given of a bundle that isn't whole: which file was changed, is missing or was added is what is told.
"""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from netprobe.bundle import contents
from netprobe.bundle.archive import Archive, BadArchive
from netprobe.bundle.contents import CAPTURE, MANIFEST, NEEDED, SUMS, VERDICTS, Manifest
from netprobe.errors import UnreadableCapture

_LARGEST_MANIFEST = 1 << 20
_AGAIN = "ask whoever made it for another copy"


@dataclass(frozen=True, slots=True)
class Bundle:
    """One that is whole. `fingerprint`: the manifest's SHA-256, which stands for all of it. `capture`, `verdicts`: its
    files, unpacked, as long as `opened` lasts."""

    name: str
    manifest: Manifest
    fingerprint: str
    capture: Path
    verdicts: Path


@contextlib.contextmanager
def opened(path: str | Path, name: str | None = None) -> Iterator[Bundle]:
    """Check a bundle and unpack what is analyzed, into a folder that is gone in the end. Raises UnreadableCapture."""
    name = str(path) if name is None else name
    with tempfile.TemporaryDirectory(prefix="netprobe-") as folder:
        try:
            with Path(path).open("rb") as file:
                found = _checked(file, name, Path(folder))
        except BadArchive as error:
            raise UnreadableCapture(f"{name}: {error}; nothing of it is analyzed", _AGAIN) from error
        except OSError as error:
            what = f"{name} can't be read or unpacked: {error.strerror}"
            raise UnreadableCapture(what, "check the path, its permissions and the room for temporary files") from error
        yield found


def _checked(file: IO[bytes], name: str, folder: Path) -> Bundle:
    with contextlib.closing(Archive(file)) as archive:
        if MANIFEST not in archive.names:
            raise BadArchive("it has no manifest.json, so it is no bundle of netprobe")
        if archive.size(MANIFEST) > _LARGEST_MANIFEST:
            raise BadArchive(f"its manifest.json says it has {archive.size(MANIFEST)} bytes")
        text = b"".join(archive.read(MANIFEST))
        manifest = contents.parsed(text)
        if manifest is None:
            raise BadArchive("its manifest.json is none that this version of netprobe reads")
        fingerprint = hashlib.sha256(text).hexdigest()
        wrong = list(_differences(archive, manifest, fingerprint, folder))
        if wrong:
            raise BadArchive(f"it is not as it was made: {'; '.join(wrong)}")
    return Bundle(name, manifest, fingerprint, folder / CAPTURE, folder / VERDICTS)


def _differences(archive: Archive, manifest: Manifest, fingerprint: str, folder: Path) -> Iterator[str]:
    """What isn't as the manifest says, file by file. What is needed is unpacked on the way."""
    known = dict(manifest.files)
    for name in archive.names:
        if name not in known and name not in (MANIFEST, SUMS):
            yield f"{name} was added"
    for name in (*NEEDED, SUMS):
        if name not in known and name not in archive.names:
            yield f"{name} is missing"
    for name, told in known.items():
        if name not in archive.names:
            yield f"{name} is missing"
            continue
        if name in (MANIFEST, SUMS) or archive.size(name) != told.size:
            yield f"{name} was changed"
            continue
        target = folder / name if name in NEEDED else None
        try:
            digest = _digest(archive, name, target)
        except BadArchive as error:
            yield str(error)
            continue
        if digest != told.sha256:
            yield f"{name} was changed"
    if SUMS in archive.names:
        sums = contents.sums({**{name: one.sha256 for name, one in known.items()}, MANIFEST: fingerprint}).encode()
        if archive.size(SUMS) != len(sums) or b"".join(archive.read(SUMS)) != sums:
            yield f"{SUMS} was changed"


def _digest(archive: Archive, name: str, target: Path | None) -> str:
    found = hashlib.sha256()
    with target.open("xb") if target is not None else contextlib.nullcontext() as copy:
        for piece in archive.read(name):
            found.update(piece)
            if copy is not None:
                copy.write(piece)
    return found.hexdigest()


class Comparison:
    """The verdicts that are found now against those in the bundle; `take` gets each as a JSON line."""

    def __init__(self) -> None:
        self._found: dict[bytes, int] = {}
        self.count = 0

    def take(self, line: str) -> None:
        """One verdict of now."""
        self.count += 1
        key = _key(line.strip().encode())
        self._found[key] = self._found.get(key, 0) + 1

    def differences(self, bundle: Bundle) -> int:
        """How many of the bundle's verdicts were not found, or of those found are not in it, whichever is more."""
        left = dict(self._found)
        gone = count = 0
        with bundle.verdicts.open("rb") as lines:
            for line in lines:
                one = line.strip().rstrip(b",")
                if not one.startswith(b'{"target"'):
                    continue
                count += 1
                key = _key(one)
                if left.get(key, 0):
                    left[key] -= 1
                else:
                    gone += 1
        return max(gone, self.count - (count - gone))


def _key(line: bytes) -> bytes:
    return hashlib.blake2b(line, digest_size=12).digest()
