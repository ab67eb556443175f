"""Reads a capture file back into records, numbered as Wireshark numbers them.

House rules of this file:
1. A file is a stranger: whatever stands in it, only UnreadableCapture is ever raised, and only before the first record.
2. What stands before a damage is given, and the damage is told with its byte offset.
3. Memory doesn't follow the size of the file.

pcap and pcapng are told apart by their first four bytes; the formats themselves are in pcap.py and pcapng.py.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from netprobe.errors import UnreadableCapture
from netprobe.model import Record
from netprobe.wire import pcap, pcapng
from netprobe.wire.batches import Batch, Compile, ahead, batches
from netprobe.wire.blocks import WINDOW, ByteStream, Damage, EndError, Notes
from netprobe.wire.compression import MOST_UNPACKED, SIGNATURE, Unpacked, kind_of
from netprobe.wire.remote import Remote, is_remote

_USUAL_RATIO = 5  # of captures, compressed

__all__ = ["Batch", "CaptureReader", "Damage"]


class CaptureReader:
    """The records of one file (`-`: standard input), once: `for record in CaptureReader(path)`, or, for large files,
    `for batch in CaptureReader(path).batches()`. Both give the same. Raises UnreadableCapture when it can't be
    opened or is no capture. What is known only at the end (`damage`, `dropped`) is complete when the loop is over.
    `ahead`: compiled, a file is read by a second thread."""

    def __init__(
        self,
        source: str | os.PathLike[str] | IO[bytes],
        *,
        window: int = WINDOW,
        most_unpacked: int = MOST_UNPACKED,
        ahead: bool = True,
    ) -> None:
        self._ahead = ahead
        self.path = os.fspath(source) if isinstance(source, str | os.PathLike) else None
        self.name, stream = _open(source)
        self._file = stream
        self._bytes = ByteStream(stream, window)
        self._notes = Notes()
        self._reading: pcap.Reading | pcapng.Reading
        self.compression = kind_of(self._bytes.peek(SIGNATURE))
        if self.compression is not None:
            self._bytes = _unpacked(self._bytes, self.compression, self.name, window, most_unpacked)
        magic = self._bytes.peek(4)
        if self._bytes.failure is not None and not magic:
            self.close()
            raise UnreadableCapture(_cannot_open(self.name, self._bytes.failure))
        if magic == pcapng.MAGIC:
            self.format = "pcapng"
            self._reading = pcapng.Reading(self._bytes, self._notes)
        elif magic in pcap.MAGICS:
            self.format = "pcap"
            self._reading = pcap.Reading(self._bytes, self._notes)
        else:
            self.close()
            if magic == b"PK\x03\x04":
                raise UnreadableCapture(
                    f"{self.name} is a zip file. A bundle is analyzed as a file by itself: netprobe analyze FILE.zip"
                )
            raise UnreadableCapture(
                f"{self.name} is not a capture: it {'unpacks to' if self.compression else 'begins with'} "
                f"{magic.hex() or 'nothing'}. Give a pcap or pcapng file, plain or compressed (gzip, zstd, lz4, xz)."
            )

    def __iter__(self) -> Iterator[Record]:
        try:
            while True:
                record = self._reading.one()
                if record is not None:
                    yield record
        except EndError:
            pass
        finally:
            self.close()

    def batches(self, size: int = 65536, compiled: Compile | None = None) -> Iterator[Batch]:
        """The same in batches of at most `size` frames, each valid until the next is asked for. `compiled` turns a
        function of index.py into its compiled form, numba.njit for example, and all it calls."""
        try:
            given = batches(self._bytes, self._reading, size, compiled)
            yield from ahead(given) if compiled is not None and self._ahead and self.size else given
        finally:
            self.close()

    @property
    def damage(self) -> tuple[Damage, ...]:
        """What was wrong with the file, in order."""
        found = self._notes.damage
        more = self._notes.passed_over
        return (*found, Damage(found[-1].offset, f"and {more} more like this")) if more else tuple(found)

    @property
    def damage_lines(self) -> tuple[str, ...]:
        """What was wrong with the file, for people."""
        return tuple(f"{self.name}: {one}" for one in self.damage if not one.notice)

    @property
    def notice_lines(self) -> tuple[str, ...]:
        """What is not as usual, but no damage: a capture cut off at its end."""
        return tuple(f"{self.name}: {one}" for one in self.damage if one.notice)

    @property
    def dropped(self) -> int:
        """Packets that the capture lost, as its statistics blocks say."""
        return sum(self._notes.drops.values())

    @property
    def size(self) -> int:
        """About how many bytes there are to read; 0 where nobody knows, as of a pipe."""
        if isinstance(self._file, Remote):
            return self._file.size * (_USUAL_RATIO if self.compression else 1)
        try:
            status = os.fstat(self._file.fileno())
        except (OSError, ValueError, AttributeError):
            return 0
        return status.st_size * (_USUAL_RATIO if self.compression else 1) if stat.S_ISREG(status.st_mode) else 0

    @property
    def progress(self) -> tuple[int, int]:
        """How many bytes of the file, as it lies there, have been read, and how many there are (0 where nobody
        knows)."""
        if isinstance(self._file, Remote):
            return self._file.taken, self._file.size
        try:
            status = os.fstat(self._file.fileno())
            if stat.S_ISREG(status.st_mode):
                return os.lseek(self._file.fileno(), 0, os.SEEK_CUR), status.st_size
        except (OSError, ValueError, AttributeError):
            pass
        return self._bytes.offset, 0

    @property
    def about(self) -> str:
        """The comments of the file as a whole."""
        return "\n".join(self._notes.about)

    @property
    def comments(self) -> dict[int, tuple[str, ...]]:
        """Comments on frames, by frame number."""
        return {number: tuple(texts) for number, texts in self._notes.comments.items()}

    @property
    def stream(self) -> ByteStream:
        """The octets of the file, unpacked, for whoever copies it instead of reading its records."""
        return self._bytes

    def close(self) -> None:
        """Close the file before its end."""
        self._bytes.close()


def _open(source: str | os.PathLike[str] | IO[bytes]) -> tuple[str, IO[bytes] | Remote]:
    if not isinstance(source, str | os.PathLike):
        return str(getattr(source, "name", "the capture")), source
    name = os.fspath(source)
    if is_remote(name) and not Path(name).exists():
        remote = Remote(name)
        return remote.name, remote
    try:
        if name == "-":
            return "standard input", os.fdopen(os.dup(0), "rb", buffering=0)
        return name, Path(name).open("rb", buffering=0)
    except (OSError, ValueError) as error:
        raise UnreadableCapture(_cannot_open(name, error)) from error


def _unpacked(packed: ByteStream, kind: str, name: str, window: int, most: int) -> ByteStream:
    try:
        return ByteStream(Unpacked(packed, kind, name, most), window)
    except UnreadableCapture:
        packed.close()
        raise


def _cannot_open(name: str, error: OSError | ValueError) -> str:
    what = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return f"{name} can't be read: {what}. Check the path and its permissions."
