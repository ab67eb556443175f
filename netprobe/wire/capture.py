"""Reads a capture file back into records, numbered as Wireshark numbers them.

House rules of this file:
1. A file is a stranger: whatever stands in it, only UnreadableCapture is ever raised, and only before the first record.
2. What stands before a damage is given, and the damage is told with its byte offset.
3. Memory doesn't follow the size of the file.

pcap and pcapng are told apart by their first four bytes; the formats themselves are in pcap.py and pcapng.py.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from netprobe.errors import UnreadableCapture
from netprobe.model import Record
from netprobe.wire import pcap, pcapng
from netprobe.wire.blocks import ByteStream, Damage, Notes

__all__ = ["CaptureReader", "Damage"]


class CaptureReader:
    """The records of one file, once: `for record in CaptureReader(path)`. Raises UnreadableCapture when it can't be
    opened or is no capture. What is known only at the end (`damage`, `dropped`) is complete when the loop is over."""

    def __init__(self, source: str | os.PathLike[str] | IO[bytes]) -> None:
        self.name, stream = _open(source)
        self._bytes = ByteStream(stream)
        self._notes = Notes()
        try:
            magic = self._bytes.peek(4)
        except OSError as error:
            self.close()
            raise UnreadableCapture(_cannot_open(self.name, error)) from error
        if magic == pcapng.MAGIC:
            self.format = "pcapng"
        elif magic in pcap.MAGICS:
            self.format = "pcap"
        else:
            self.close()
            raise UnreadableCapture(
                f"{self.name} is not a capture: it begins with {magic.hex() or 'nothing'}. Give a pcap or pcapng file."
            )

    def __iter__(self) -> Iterator[Record]:
        read = pcapng.read if self.format == "pcapng" else pcap.read
        try:
            yield from read(self._bytes, self._notes)
        except OSError as error:
            self._notes.damage.append(Damage(self._bytes.offset, f"reading failed here: {error.strerror or error}"))
        finally:
            self.close()

    @property
    def damage(self) -> tuple[Damage, ...]:
        """What was wrong with the file, in order."""
        return tuple(self._notes.damage)

    @property
    def dropped(self) -> int:
        """Packets that the capture lost, as its statistics blocks say."""
        return self._notes.dropped

    @property
    def about(self) -> str:
        """The comments of the file as a whole."""
        return "\n".join(self._notes.about)

    @property
    def comments(self) -> dict[int, tuple[str, ...]]:
        """Comments on frames, by frame number."""
        return {number: tuple(texts) for number, texts in self._notes.comments.items()}

    def close(self) -> None:
        """Close the file before its end."""
        self._bytes.close()


def _open(source: str | os.PathLike[str] | IO[bytes]) -> tuple[str, IO[bytes]]:
    if not isinstance(source, str | os.PathLike):
        return str(getattr(source, "name", "the capture")), source
    name = os.fspath(source)
    try:
        return name, Path(name).open("rb")
    except (OSError, ValueError) as error:
        raise UnreadableCapture(_cannot_open(name, error)) from error


def _cannot_open(name: str, error: OSError | ValueError) -> str:
    what = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return f"{name} can't be read: {what}. Check the path and its permissions."
