"""A part of a capture file, read by itself: where a file can be cut, and a reader that begins and ends there.

House rules of this file:
1. A place to cut is a guess: a chain of headers that look like records. Whoever reads the part before it ends exactly
   there, or the guess was wrong (`whole`); no result may rest on a cut that nobody has confirmed so.
2. What the reader of a later part knows is what stands before the first packet of the file. If a part tells of
   something else (another section, another interface), the parts after it don't hold (`known`).
"""

from __future__ import annotations

import os
import stat
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from netprobe.errors import UnreadableCapture
from netprobe.wire import pcap, pcapng
from netprobe.wire.blocks import LARGEST_BLOCK, LARGEST_PACKET, WINDOW, ByteStream, EndError
from netprobe.wire.capture import CaptureReader
from netprobe.wire.compression import SIGNATURE, kind_of
from netprobe.wire.writer import ENHANCED_PACKET, JOURNAL_ENTRY, PACKET, SIMPLE_PACKET

_SEARCHED = 4 * LARGEST_PACKET  # bytes that are searched for a record
_CHAIN = 12  # records one behind the other are no chance
_FEWEST = 4  # where the bytes searched end before
_SPAN_S = 400 * 86400  # records of one capture are no further apart
_PACKETS = (ENHANCED_PACKET, SIMPLE_PACKET, PACKET, JOURNAL_ENTRY)


@dataclass(frozen=True, slots=True)
class Portion:
    """The bytes from `start` up to `stop` of a file."""

    start: int
    stop: int


def cut(path: Path, wanted: int) -> list[Portion]:
    """A file in portions of about `wanted` bytes; one portion where no place to cut is found, one without bytes where
    positions in the file mean nothing (a pipe, a compressed file)."""
    try:
        with path.open("rb", buffering=0) as source:
            status = os.fstat(source.fileno())
            if not stat.S_ISREG(status.st_mode):
                return [Portion(0, 0)]
            size = status.st_size
            head = source.read(max(SIGNATURE, 64))
            if kind_of(head) is not None:
                return [Portion(0, 0)]
            places = [0]
            for guess in range(wanted, size - wanted // 2, wanted):
                place = _record(source, head, max(guess, places[-1] + 1))
                if place is not None:
                    places.append(place)
    except OSError:
        return [Portion(0, 0)]
    return [Portion(start, stop) for start, stop in zip(places, [*places[1:], size], strict=True)]


def _record(source: IO[bytes], head: bytes, guess: int) -> int | None:
    """Where the first record at or behind `guess` seems to begin."""
    if head[:4] == pcapng.MAGIC:
        return _block(source, head, guess + -guess % 4)
    if head[:4] not in pcap.MAGICS:
        return None
    order, unit_ns, width = pcap.MAGICS[head[:4]]
    record = struct.Struct(f"{order}IIII")
    first = record.unpack_from(head, 24)[0]
    source.seek(guess)
    data = source.read(_SEARCHED)

    def after(at: int) -> int | None:
        seconds, fraction, captured, length = record.unpack_from(data, at)
        if fraction * unit_ns >= 1_000_000_000 or not 0 < captured <= LARGEST_PACKET or length < captured:
            return None
        return at + width + captured if abs(seconds - first) < _SPAN_S else None

    for at in range(max(len(data) - width, 0)):
        if _chain(at, after, len(data) - width):
            return guess + at
    return None


def _block(source: IO[bytes], head: bytes, guess: int) -> int | None:
    order = "<" if head[8:12] == b"\x4d\x3c\x2b\x1a" else ">"
    word = struct.Struct(f"{order}I")
    source.seek(guess)
    data = source.read(_SEARCHED)

    def after(at: int) -> int | None:
        kind, length = word.unpack_from(data, at)[0], word.unpack_from(data, at + 4)[0]
        if kind not in _PACKETS or length & 3 or not 16 <= length <= LARGEST_BLOCK:
            return None
        end = at + length
        return end if end > len(data) or word.unpack_from(data, end - 4)[0] == length else None

    for at in range(0, max(len(data) - 12, 0), 4):
        if _chain(at, after, len(data) - 12):
            return guess + at
    return None


def _chain(at: int, after: object, most: int) -> bool:
    """Whether records stand one behind the other from here on."""
    assert callable(after)
    for n in range(_CHAIN):
        if at > most:
            return n >= _FEWEST
        found = after(at)
        if found is None:
            return False
        at = found
    return True


class _Bounded:
    """A file's bytes up to `stop`."""

    def __init__(self, source: IO[bytes], portion: Portion) -> None:
        self._source = source
        self._left = portion.stop - portion.start
        source.seek(portion.start)

    def readinto(self, room: memoryview) -> int:
        got = self._source.readinto(room[: min(len(room), self._left)])  # type: ignore[attr-defined]
        self._left -= got
        return int(got)

    def fileno(self) -> int:
        return self._source.fileno()

    def close(self) -> None:
        self._source.close()


class PortionReader(CaptureReader):
    """The records of a portion, numbered from 1."""

    def __init__(self, path: Path, portion: Portion, *, ahead: bool = True) -> None:
        """Raises UnreadableCapture."""
        super().__init__(path, ahead=ahead)
        self.portion = portion
        try:
            if portion.start:
                self._read_head()
            source = self._file
            assert not isinstance(source, CaptureReader)
            self._bytes = ByteStream(_Bounded(source, portion), WINDOW)  # type: ignore[arg-type]
            self._bytes.begin(portion.start)
        except (OSError, EndError) as error:
            self.close()
            raise UnreadableCapture(f"{self.name} has changed while it was read", "analyze it again") from error
        self._reading.continue_with(self._bytes)
        self._reading.number = 0
        self._known = self._reading.known if portion.start else ()

    def _read_head(self) -> None:
        """All that stands before the first packet."""
        while True:
            if self._reading.ready and (
                self.format == "pcap"
                or int.from_bytes(self._bytes.peek(4), "little" if self._reading.known[0] == "<" else "big") in _PACKETS
            ):
                return
            self._reading.one()

    @property
    def size(self) -> int:
        """How many bytes the portion has."""
        return self.portion.stop - self.portion.start

    @property
    def progress(self) -> tuple[int, int]:
        """How many of them have been read."""
        return self._bytes.offset - self.portion.start, self.size

    @property
    def whole(self) -> bool:
        """Whether all of it was read and ends with a record."""
        return self._bytes.offset == self.portion.stop and not any(d.notice for d in self.damage)

    @property
    def known(self) -> tuple[tuple[str | int, ...], tuple[str | int, ...]]:
        """What was known of sections and interfaces at the beginning (nothing in the first portion), and at the end."""
        return self._known, self._reading.known

    @property
    def numbered(self) -> int:
        """How many frames were counted, as Wireshark counts them."""
        return self._reading.number

    @property
    def drops(self) -> dict[tuple[int, int], int]:
        """Packets that the capture lost, by section and interface, as the portion says."""
        return dict(self._notes.drops)
