"""A bundle is made: files with their sums, a manifest, and SHA256SUMS, which `sha256sum -c` checks.

House rules of this file:
1. The capture comes first of all that is written, verdicts and page are what was made of it.
2. A stream: no file of a bundle is ever held in memory as a whole.
"""

from __future__ import annotations

import hashlib
import time
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import IO

from netprobe.bundle import contents, log
from netprobe.bundle.contents import CAPTURE, LOG, MANIFEST, PAGE, README, SUMS, VERDICTS, File, Manifest
from netprobe.report import Report
from netprobe.report import json as report_json
from netprobe.wire.capture import CaptureReader

_PIECE = 1 << 20
_MODE = 0o100644 << 16

_README = """\
Evidence from netprobe: why TCP connections fail, and the packets that show it.
{redacted}
  {capture:<16} the packets, for Wireshark; comments on those that decide, the verdicts in its section comment
  {verdicts:<16} the verdicts: cause, certainty, evidence by frame number, rivals, remedy
  {page:<16} the same for people: open it in a browser, it loads nothing from elsewhere
  {log:<16} each packet and each fact as a line
  {manifest:<16} when and with which versions this was made; the SHA-256 of each file
  {sums:<16} the same for: sha256sum -c SHA256SUMS

To check the sums and get the verdicts again from the packets:  netprobe analyze THIS.zip
"""
_REDACTED = """
Redacted: addresses are mapped (equal prefixes stay equal), names are replaced, payloads are dropped but for what
identifies a service and what an SSH session negotiates in clear. Times, ports, TTLs and lengths are as they were.
"""


def verdicts(lines: Iterable[str], report: Report) -> Iterator[bytes]:
    """One JSON document, a verdict a line."""
    tail = report_json.summary_line(report).rstrip()
    yield tail.removesuffix("}").encode() + b', "verdicts": [\n'
    first = True
    for line in lines:
        yield (b"" if first else b",\n") + line.rstrip().encode("ascii")
        first = False
    yield b"\n]}\n"


def write(
    target: IO[bytes], manifest: Manifest, capture: IO[bytes], told: Iterable[bytes], page: Iterable[str],
    decisive: set[int],
) -> str:  # fmt: skip
    """Write a bundle. `capture`: a file that can be read from its beginning; `told`: the verdicts' document;
    `decisive`: frames that they cite. The SHA-256 of its manifest, which stands for all of it. Raises OSError."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as archive:
        writing = _Writing(archive)
        writing.add(README, [_readme(redacted=manifest.redacted).encode()])
        writing.add(VERDICTS, told)
        writing.add(PAGE, (piece.encode("utf-8", "backslashreplace") for piece in page))
        writing.add(CAPTURE, _pieces(capture))
        lines = log.lines(unclosed(capture), decisive)
        writing.add(LOG, (line.encode("utf-8", "backslashreplace") for line in lines))
        text = replace(manifest, files=writing.files, versions=contents.versions()).text().encode()
        fingerprint = hashlib.sha256(text).hexdigest()
        digests = {name: one.sha256 for name, one in writing.files.items()}
        writing.add(MANIFEST, [text])
        writing.add(SUMS, [contents.sums({**digests, MANIFEST: fingerprint}).encode()])
    target.flush()
    return fingerprint


def unfinished(target: IO[bytes]) -> None:
    """A zip file without files, which says that the run hasn't come to its end. Raises OSError."""
    with zipfile.ZipFile(target, "w") as archive:
        archive.comment = b"netprobe: this run has not come to its end"
    target.flush()


class _Writing:
    """Files on their way into the archive, summed up."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._time = time.gmtime()[:6]
        self.files: dict[str, File] = {}

    def add(self, name: str, pieces: Iterable[bytes]) -> None:
        """Write one file."""
        info = zipfile.ZipInfo(name, self._time)
        info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, _MODE
        digest, size = hashlib.sha256(), 0
        with self._archive.open(info, "w", force_zip64=True) as member:
            for piece in pieces:
                digest.update(piece)
                size += len(piece)
                member.write(piece)
        self.files[name] = File(digest.hexdigest(), size)


class _Unclosed:
    """A file that its reader doesn't close. `name`: what it is called in what is said of it."""

    name = CAPTURE

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def readinto(self, room: memoryview) -> int:
        """As of any file."""
        found = self._file.read(len(room))
        room[: len(found)] = found
        return len(found)

    def close(self) -> None:
        """Whoever opened it closes it."""


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    while piece := file.read(_PIECE):
        yield piece


def _readme(*, redacted: bool) -> str:
    return _README.format(
        redacted=_REDACTED if redacted else "", capture=CAPTURE, verdicts=VERDICTS, page=PAGE, log=LOG,
        manifest=MANIFEST, sums=SUMS,
    )  # fmt: skip


def unclosed(file: IO[bytes]) -> CaptureReader:
    """A reader of an open capture, from its beginning, that leaves it open. Raises UnreadableCapture."""
    file.seek(0)
    return CaptureReader(_Unclosed(file))  # type: ignore[arg-type]
