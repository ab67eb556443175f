"""What reading any capture format needs: a window on a stream of bytes, and the notes taken on the way.

House rules of this file:
1. Memory follows the largest block, not the file: what was read is overwritten by what comes next.
2. A failure of the disk, or of what unpacks a file, is an end: what came before it is given first.
"""

from __future__ import annotations

import contextlib
import select
from typing import IO, NamedTuple, Protocol

LARGEST_PACKET = 1 << 18  # MAXIMUM_SNAPLEN of libpcap
LARGEST_BLOCK = 1 << 24  # INITIAL_MAX_BLOCK_SIZE of libpcap
LARGEST_TIME_NS = (1 << 63) - 1
# Small enough to stay in a processor's second cache, where whoever decodes the frames finds them: 784 MB read and
# indexed through 1 to 4 MiB took 0.06 s, through 32 MiB 0.18 s, through mmap() 0.16 s.
WINDOW = 1 << 21
MOST_DAMAGES = 100
MOST_COMMENTS = 4 << 20  # characters; of many comments, the first ones are kept


class Damage(NamedTuple):
    """Something wrong with a file at `offset` bytes (of what it unpacks to, where it is compressed). A `notice` is
    harmless: the file was being written when it was cut."""

    offset: int
    what: str
    notice: bool = False

    def __str__(self) -> str:
        return f"byte {self.offset}: {self.what}"


class TruncatedError(Exception):
    """The bytes asked for aren't there: the file ends."""


class EndError(Exception):
    """There are no more records; why, stands in the notes."""


class BrokenStreamError(OSError):
    """The stream can't be unpacked any further; the message says why."""


class CutStreamError(BrokenStreamError):
    """The stream ends before what unpacks it has come to an end."""


class Source(Protocol):
    """What bytes come from; both methods as in io.RawIOBase."""

    def readinto(self, buffer: memoryview, /) -> int | None: ...
    def close(self) -> None: ...


class Notes:
    """What a file says besides its records."""

    def __init__(self) -> None:
        self.damage: list[Damage] = []
        self.passed_over = 0  # damages beyond MOST_DAMAGES
        self.drops: dict[tuple[int, int], int] = {}  # by section and interface: their counters only grow
        self.about: list[str] = []
        self.comments: dict[int, list[str]] = {}
        self._comments = 0

    def damaged(self, offset: int, what: str, *, notice: bool = False) -> None:
        """Note a damage; of a file that has nothing else, the first ones."""
        if len(self.damage) < MOST_DAMAGES:
            self.damage.append(Damage(offset, what, notice))
        else:
            self.passed_over += 1

    def ended(self, stream: ByteStream, offset: int, what: str = "", *, damage: bool = False) -> EndError:
        """The stream is over. Tells why it is so early, if it is: `what` says what is incomplete at `offset`."""
        if isinstance(stream.failure, CutStreamError):
            what = what or str(stream.failure)
        elif stream.failure is not None:
            what = ""
            self.damaged(offset, f"reading failed here: {stream.failure.strerror or stream.failure}")
        if what and damage:
            self.damaged(offset, what)
        elif what:
            self.damaged(offset, f"{what}; the file was copied while it was written?", notice=True)
        return EndError()

    def comment(self, number: int, text: str) -> None:
        """Note a comment on a frame; of very many, the first ones."""
        self._comments += 64 + len(text)
        if self._comments <= MOST_COMMENTS:
            self.comments.setdefault(number, []).append(text)

    def title(self, text: str) -> None:
        """Note a comment on the file as a whole."""
        if len(self.about) < MOST_DAMAGES:
            self.about.append(text)


class ByteStream:
    """A file read forwards only (it may be a pipe): `buffer[at:end]` is what has been read ahead.

    Positions in `buffer` hold until `fill` or `more` is called, which `read` and `peek` do when they need to. After
    `turn`, the buffer that was there stays as it is until both have been called once more.
    """

    def __init__(self, source: Source | IO[bytes], window: int = WINDOW) -> None:
        self._source = source
        self._readinto = getattr(source, "readinto1", None) or source.readinto  # type: ignore[union-attr]
        self._poll = _poll(source)
        self._source_ready = getattr(source, "ready", None)
        self.buffer = bytearray(window)
        self._other: bytearray | None = None
        self._turn = False
        self.at = 0
        self.end = 0
        self.finished = False
        self.failure: OSError | None = None  # why it finished, if it did so before its end
        self._base = 0

    @property
    def offset(self) -> int:
        """How many bytes of the stream stand before the next one to be read."""
        return self._base + self.at

    def begin(self, offset: int) -> None:
        """The first byte of the source stands at `offset` of the file."""
        self._base = offset

    @property
    def base(self) -> int:
        """The place in the stream of the first byte of `buffer`."""
        return self._base

    def fill(self, count: int) -> bool:
        """Have `count` bytes ahead. Returns whether there are that many."""
        while self.end - self.at < count and self.more(count):
            pass
        return self.end - self.at >= count

    def more(self, count: int = 0) -> bool:
        """Read on: at least a byte, at most what is there without waiting, with room for `count` bytes ahead. Returns
        whether anything came."""
        self._make_room(count)
        before = self.end
        while not self.finished and self.end < len(self.buffer):
            if self.end > before and not self._more_ready():
                break
            try:
                with memoryview(self.buffer) as window, window[self.end :] as room:
                    got = self._readinto(room)
            except OSError as error:
                self.failure = error
                got = 0
            self.finished = not got
            self.end += got or 0
        return self.end > before

    def peek(self, count: int) -> bytes:
        """The next bytes, fewer at the end; they stay to be read."""
        self.fill(count)
        return bytes(self.buffer[self.at : min(self.at + count, self.end)])

    def read(self, count: int) -> bytes:
        """The next `count` bytes; TruncatedError when there are fewer."""
        if not self.fill(count):
            raise TruncatedError
        with memoryview(self.buffer) as window:
            found = bytes(window[self.at : self.at + count])
        self.at += count
        return found

    def take(self, most: int) -> bytes:
        """What is there without waiting, at least a byte and at most `most`; nothing at the end. OSError when that was
        a failure."""
        if self.at == self.end and not self.more() and self.failure is not None:
            raise self.failure
        return self.read(min(most, self.end - self.at))

    def close(self) -> None:
        """Close the file."""
        with contextlib.suppress(OSError):
            self._source.close()

    def turn(self) -> None:
        """Somebody uses the buffer while the next is filled."""
        self._turn = True

    def _make_room(self, count: int) -> None:
        """Move what is left to the front; a larger window where that is not enough."""
        rest = self.end - self.at
        room = self.buffer
        if self._turn:
            room = self._other if self._other is not None else bytearray(len(room))
            self._other, self._turn = self.buffer, False
        if rest >= len(room) or count > len(room):
            room = bytearray(max(2 * len(room), count))
        if self.at or room is not self.buffer:
            with memoryview(self.buffer) as old, memoryview(room) as new:
                new[:rest] = old[self.at : self.end]
            self._base += self.at
            self.buffer, self.at, self.end = room, 0, rest

    def ready(self) -> bool:
        """Whether something more can be had without waiting."""
        return self.at < self.end or self.finished or self._more_ready()

    def _more_ready(self) -> bool:
        if self._source_ready is not None:
            return bool(self._source_ready())
        return self._poll is None or bool(self._poll.poll(0))


def _poll(source: Source | IO[bytes]) -> select.poll | None:
    """For what may make a reader wait: a pipe, a terminal. (A regular file is always ready.)"""
    try:
        poll = select.poll()
        poll.register(source.fileno(), select.POLLIN)  # type: ignore[union-attr]
    except (OSError, AttributeError, ValueError):
        return None
    return poll


def bounded(time_ns: int) -> int:
    """A time that fits 64 bits, whatever a file claims."""
    return max(-LARGEST_TIME_NS, min(time_ns, LARGEST_TIME_NS))
