"""What reading any capture format needs: a stream of bytes that knows where it is, and the notes taken on the way."""

from __future__ import annotations

import contextlib
from typing import IO, NamedTuple

LARGEST_PACKET = 1 << 18  # MAXIMUM_SNAPLEN of libpcap
LARGEST_TIME_NS = (1 << 63) - 1


class Damage(NamedTuple):
    """Something wrong with a file at `offset` bytes. A `notice` is harmless: the file was being written when it was
    cut."""

    offset: int
    what: str
    notice: bool = False

    def __str__(self) -> str:
        return f"byte {self.offset}: {self.what}"


class TruncatedError(Exception):
    """The bytes asked for aren't there: the file ends."""


class Notes:
    """What a file says besides its records."""

    def __init__(self) -> None:
        self.damage: list[Damage] = []
        self.dropped = 0
        self.about: list[str] = []
        self.comments: dict[int, list[str]] = {}


class ByteStream:
    """A file read forwards only (it may be a pipe)."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._ahead = b""
        self.offset = 0

    def peek(self, count: int) -> bytes:
        """The next bytes, fewer at the end; they stay to be read."""
        while len(self._ahead) < count:
            more = self._stream.read(max(count - len(self._ahead), 1 << 16))
            if not more:
                break
            self._ahead += more
        return self._ahead[:count]

    def read(self, count: int) -> bytes:
        """The next `count` bytes; TruncatedError when there are fewer."""
        found = self.peek(count)
        if len(found) < count:
            raise TruncatedError
        self._ahead = self._ahead[count:]
        self.offset += count
        return found

    def close(self) -> None:
        """Close the file."""
        with contextlib.suppress(OSError):
            self._stream.close()


def bounded(time_ns: int) -> int:
    """A time that fits 64 bits, whatever a file claims."""
    return max(-LARGEST_TIME_NS, min(time_ns, LARGEST_TIME_NS))
