"""A zip file read without believing anything it says: names, sizes, counts and ratios are checked before bytes are
used.

House rules of this file:
1. Only BadArchive is raised, for whatever stands in the file.
2. Nothing is read beyond what was promised for it, and nothing is promised beyond the limits below.
3. No name of the file is ever a path of this machine.

APPNOTE.TXT of PKWARE, 4.3.16 (end of central directory), 4.3.14 (its 64-bit form), 4.4.4 (flags).
"""

from __future__ import annotations

import os
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO

SIGNATURE = b"PK\x03\x04"
EMPTY = b"PK\x05\x06"
MOST_MEMBERS = 64
MOST_BYTES = 1 << 40  # of one member, as of a compressed capture
LARGEST_DIRECTORY = 1 << 20
# Deflate packs to a thousandth at most; redacted captures, which are full of zeros, reach a hundredth.
LARGEST_RATIO = 400
FREE = 64 << 20  # bytes that may come out before the ratio is looked at
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_PIECE = 1 << 16
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_UNREADABLE = (
    zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError, struct.error,
)  # fmt: skip
_END, _LONGEST_COMMENT = struct.Struct("<4s4H2LH"), 65535
_LOCATOR, _END_64 = struct.Struct("<4sLQL"), struct.Struct("<4sQ2H2L4Q")


class BadArchive(Exception):  # noqa: N818 (says what it is)
    """Why this is no archive to be read, in words."""


class Archive:
    """The members of a zip file, by name. Raises BadArchive where it isn't one, or a member is of a kind that no bundle
    has."""

    def __init__(self, file: IO[bytes]) -> None:
        self._size = _checked(file)
        try:
            self._zip = zipfile.ZipFile(file)
        except _UNREADABLE as error:
            raise BadArchive(f"its directory can't be read ({error})") from error
        self._members: dict[str, zipfile.ZipInfo] = {}
        for info in self._zip.infolist():
            name = _named(info)
            if name in self._members:
                raise BadArchive(f"it has two files named {name}")
            self._members[name] = info
        total = sum(info.file_size for info in self._members.values())
        if total > FREE and total > LARGEST_RATIO * self._size:
            raise BadArchive(
                f"{self._size} bytes would unpack to {total}, over {LARGEST_RATIO} times as many: a decompression bomb?"
            )

    @property
    def names(self) -> tuple[str, ...]:
        """In the order of the file."""
        return tuple(self._members)

    def size(self, name: str) -> int:
        """How many bytes a member says that it has."""
        return self._members[name].file_size

    def read(self, name: str) -> Iterator[bytes]:
        """The bytes of a member, in pieces; never more than it says."""
        info = self._members[name]
        given = 0
        try:
            with self._zip.open(info) as member:
                while piece := member.read(_PIECE):
                    given += len(piece)
                    if given > info.file_size:
                        raise BadArchive(f"{name} is longer than it says")
                    yield piece
        except _UNREADABLE as error:
            raise BadArchive(f"{name} can't be unpacked ({error})") from error
        if given != info.file_size:
            raise BadArchive(f"{name} says it has {info.file_size} bytes and has {given}")

    def close(self) -> None:
        """Leave the file to whoever opened it."""
        self._zip.close()


def _named(info: zipfile.ZipInfo) -> str:
    name = info.orig_filename
    if not _NAME.fullmatch(name):
        raise BadArchive(f"it has a file named {name[:100]!a}, and no bundle has such names")
    if info.flag_bits & _ENCRYPTED:
        raise BadArchive(f"{name} is encrypted")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise BadArchive(f"{name} is packed by a method that no bundle uses ({info.compress_type})")
    if info.external_attr >> 28 not in (0, 8):  # a link, a device
        raise BadArchive(f"{name} is no ordinary file")
    if info.file_size > MOST_BYTES:
        raise BadArchive(f"{name} says it has {info.file_size} bytes")
    return name


def _checked(file: IO[bytes]) -> int:
    """The file's size. Looks at the end of the directory before anything is read that has the size it says."""
    try:
        size = file.seek(0, os.SEEK_END)
        start = max(size - _END.size - _LONGEST_COMMENT, 0)
        file.seek(start)
        tail = file.read()
        at = tail.rfind(EMPTY)
        if at < 0 or len(tail) < at + _END.size:
            raise BadArchive("the end of the zip file is missing: was it cut off?")
        _, _, _, _, count, length, _, _ = _END.unpack_from(tail, at)
        place = start + at - _LOCATOR.size
        if place >= 0:
            file.seek(place)
            locator = file.read(_LOCATOR.size)
            if locator[:4] == b"PK\x06\x07" and (found := _of_64(file, _LOCATOR.unpack(locator)[2], size)) is not None:
                count, length = found
        file.seek(0)
    except OSError as error:
        raise BadArchive(f"it can't be read ({error.strerror})") from error
    if count > MOST_MEMBERS:
        raise BadArchive(f"it says that it has {count} files, and a bundle has at most {MOST_MEMBERS}")
    if length > min(LARGEST_DIRECTORY, size):
        raise BadArchive(f"its directory says that it has {length} bytes")
    return size


def _of_64(file: IO[bytes], place: int, size: int) -> tuple[int, int] | None:
    if not 0 <= place <= size - _END_64.size:
        return None
    file.seek(place)
    end = _END_64.unpack(file.read(_END_64.size))
    return (end[7], end[8]) if end[0] == b"PK\x06\x06" else None
