"""A copy of a capture with comments on some of its packets, as pcapng: what Wireshark shows beside them.

House rules of this file:
1. Of a pcapng file every block is copied as it stands, byte for byte; only the blocks that get a comment grow, and the
   length of their section with them, where it is told.
2. Frames have the numbers that reading the file gives them, since the same reading counts here.
3. A stream: memory follows the largest block. The copy ends with a whole block, whatever happens.
"""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from netprobe import __version__
from netprobe.wire import pcap, pcapng
from netprobe.wire.blocks import LARGEST_BLOCK, ByteStream, EndError, Notes
from netprobe.wire.capture import CaptureReader
from netprobe.wire.writer import (
    COMMENT,
    END_OF_OPTIONS,
    ENHANCED_PACKET,
    INTERFACE,
    PACKET,
    SECTION_HEADER,
    comment_text,
)

_AT_ONCE = 1 << 20
_LOOK_EVERY = 1000  # blocks between two looks at `stop`
_OPTIONS_AT = {ENHANCED_PACKET: 20, PACKET: 20, SECTION_HEADER: 16}  # in the body; of packets, after their data
_MOST_OPTIONS = 100_000

Comments = Iterator[tuple[int, str]]


@dataclass(slots=True)
class Annotated:
    """What became of the comments. `packets` have one or more now; `without`: packets whose block has no room for any
    (simple packets, journal entries)."""

    packets: int = 0
    without: int = 0
    stopped: bool = False


def annotate(
    reader: CaptureReader, target: int, comments: Comments, about: Sequence[str], stop: Callable[[], bool]
) -> Annotated:
    """Write the file of `reader` to the descriptor `target`, with `comments` (frame number and text, in order of the
    numbers) and, `about` the file, with comments on its first section. Raises OSError where the target can't be
    written."""
    copy = _Copy(target, comments, about, stop)
    try:
        if reader.format == "pcapng":
            copy.pcapng(reader.stream)
        else:
            copy.pcap(reader.stream)
    finally:
        copy.flush()
        reader.close()
    return copy.done


def empty(about: str) -> bytes:
    """A file of no packets that says so."""
    return _section_header([about])


class _Blocks(pcapng.Reading):
    """A reading that keeps the octets of its last block."""

    def __init__(self, stream: ByteStream, notes: Notes) -> None:
        super().__init__(stream, notes)
        self.octets = b""
        self.kind = 0

    def _block(self) -> tuple[int, bytes]:
        self.octets = b""
        head = self._stream.peek(8)
        self.kind, body = super()._block()
        self.octets = head + body + head[4:]
        return self.kind, body


class _Copy:
    """One copy in the making."""

    def __init__(self, target: int, comments: Comments, about: Sequence[str], stop: Callable[[], bool]) -> None:
        self._target = target
        self._comments = comments
        self._next = next(comments, None)
        self._about = about
        self._stop = stop
        self._pending: list[bytes] = []
        self._queued = 0
        self._written = 0
        self._section: _Section | None = None
        self._seekable = False
        with contextlib.suppress(OSError):
            self._seekable = os.lseek(target, 0, os.SEEK_CUR) == 0
        self.done = Annotated()

    def pcapng(self, stream: ByteStream) -> None:
        """Copy blocks; those of a damaged end are left out."""
        reading = _Blocks(stream, Notes())
        count, first = 0, True
        while not self._stopped(count):
            count += 1
            before = reading.number
            try:
                reading.one()
            except EndError:
                break
            octets = reading.octets
            texts: Sequence[str] = self._texts(reading.number) if reading.number > before else ()
            if reading.kind == SECTION_HEADER:
                self._close_section()
                texts, first = self._about if first else (), False
                self._section = _Section(self._written + self._queued, reading.order, octets)
                octets = self._section.header(self._seekable)
            grown = _commented(reading.kind, octets, reading.order, texts) if texts else None
            if grown is not None and self._section is not None and reading.kind != SECTION_HEADER:
                self._section.grown += len(grown) - len(octets)
            if texts and reading.kind != SECTION_HEADER:
                self.done.packets += grown is not None
                self.done.without += grown is None
            self._append(grown if grown is not None else octets)
        self._close_section()
        if not self._written and not self._queued:  # its very beginning is damaged
            self._append(_section_header(self._about))

    def pcap(self, stream: ByteStream) -> None:
        """Put packets into blocks of their own."""
        header = stream.peek(24)
        reading = pcap.Reading(stream, Notes())
        nanoseconds = pcap.MAGICS[header[:4]][1] == 1
        self._append(_section_header(self._about))
        count = 0
        while not self._stopped(count):
            count += 1
            try:
                frame = reading.one()
            except EndError:
                break
            if frame is None:
                self._append(_interface(header, nanoseconds=nanoseconds))
                continue
            texts = self._texts(frame.number)
            self.done.packets += bool(texts)
            high, low = divmod(frame.time_ns if nanoseconds else frame.time_ns // 1000, 1 << 32)
            head = struct.pack("<IIIII", 0, high, low, len(frame.data), frame.length)
            data = frame.data + bytes(-len(frame.data) % 4)
            options = _options(_comment_options(texts, "<"), "<") if texts else b""
            self._append(_block(ENHANCED_PACKET, head + data + options, "<"))

    def flush(self) -> None:
        """Write what is waiting."""
        rest = memoryview(b"".join(self._pending))
        self._pending, self._queued = [], 0
        self._written += len(rest)
        while rest:
            rest = rest[os.write(self._target, rest) :]

    def _append(self, octets: bytes) -> None:
        self._pending.append(octets)
        self._queued += len(octets)
        if self._queued >= _AT_ONCE:
            self.flush()

    def _stopped(self, count: int) -> bool:
        if count % _LOOK_EVERY == 0 and self._stop():
            self.done.stopped = True
        return self.done.stopped

    def _texts(self, number: int) -> list[str]:
        """The comments on this frame; those on earlier ones, which weren't met, are passed over."""
        texts: list[str] = []
        while self._next is not None and self._next[0] <= number:
            if self._next[0] == number:
                texts.append(self._next[1])
            self._next = next(self._comments, None)
        return texts

    def _close_section(self) -> None:
        """Tell a section's length anew where it was told before and isn't true any more."""
        section = self._section
        if section is None or not section.grown or section.length < 0 or not self._seekable:
            return
        self.flush()
        length = min(section.length + section.grown, (1 << 63) - 1)
        os.pwrite(self._target, struct.pack(f"{section.order}q", length), section.offset + 16)


class _Section:
    """A section of the copy: where it begins, how long it says that it is (-1: it doesn't say), by how much it grew."""

    def __init__(self, offset: int, order: str, octets: bytes) -> None:
        self.offset = offset
        self.order = order
        self.grown = 0
        self._octets = octets
        self.length: int = struct.unpack_from(f"{order}q", octets, 16)[0] if len(octets) >= 28 else -1

    def header(self, seekable: bool) -> bytes:
        """Its first block. In a pipe, where it can't be mended later, a section doesn't tell its length."""
        if seekable or self.length < 0:
            return self._octets
        return self._octets[:16] + struct.pack(f"{self.order}q", -1) + self._octets[24:]


def _commented(kind: int, octets: bytes, order: str, texts: Sequence[str]) -> bytes | None:
    """The block with comments after its options; None where it has no room for any, or none that can be found."""
    body = octets[8:-4]
    at = _OPTIONS_AT.get(kind)
    if at is None or len(octets) % 4 or len(body) < at:
        return None
    if kind != SECTION_HEADER:
        (captured,) = struct.unpack_from(f"{order}I", body, 12)
        at += (captured + 3) & ~3
    found = _end_of_options(body, at, order)
    if found is None:
        return None
    end, ended, present = found
    new = _comment_options([text for text in texts if comment_text(text) not in present], order)
    body = body[:end] + (new + body[end:] if ended else _options(new, order))
    return _block(kind, body, order) if len(body) + 12 <= LARGEST_BLOCK else None


def _end_of_options(body: bytes, at: int, order: str) -> tuple[int, bool, set[bytes]] | None:
    """Where the options end, whether an end-of-options stands there, and the comments that there are already."""
    present: set[bytes] = set()
    if at > len(body):
        return None
    for _ in range(_MOST_OPTIONS):
        if at == len(body):
            return at, False, present
        if at + 4 > len(body):
            return None
        code, length = struct.unpack_from(f"{order}HH", body, at)
        if code == END_OF_OPTIONS:
            return at, True, present
        if code == COMMENT:
            present.add(body[at + 4 : at + 4 + length])
        at += 4 + ((length + 3) & ~3)
        if at > len(body):
            return None
    return None


def _comment_options(texts: Sequence[str], order: str) -> bytes:
    parts = []
    for text in dict.fromkeys(texts):
        value = comment_text(text)
        parts.append(struct.pack(f"{order}HH", COMMENT, len(value)) + value + bytes(-len(value) % 4))
    return b"".join(parts)


def _options(options: bytes, order: str) -> bytes:
    return options + struct.pack(f"{order}HH", END_OF_OPTIONS, 0) if options else b""


def _block(kind: int, body: bytes, order: str) -> bytes:
    length = struct.pack(f"{order}I", len(body) + 12)
    return struct.pack(f"{order}I", kind) + length + body + length


def _section_header(about: Sequence[str]) -> bytes:
    program = f"netprobe {__version__}".encode()
    options = _comment_options(about, "<") + struct.pack("<HH", 4, len(program)) + program + bytes(-len(program) % 4)
    return _block(SECTION_HEADER, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + _options(options, "<"), "<")


def _interface(header: bytes, *, nanoseconds: bool) -> bytes:
    """The interface of a pcap file: link type, snap length, and the length of the frame check sequence, which stands
    above the link type (draft-ietf-opsawg-pcap, section 4)."""
    order = pcap.MAGICS[header[:4]][0]
    snap, link = struct.unpack_from(f"{order}II", header, 16)
    options = struct.pack("<HHB3x", 9, 1, 9) if nanoseconds else b""
    if link & 0x04000000:
        options += struct.pack("<HHB3x", 13, 1, (link >> 28) * 16)
    return _block(INTERFACE, struct.pack("<HHI", link & 0xFFFF, 0, snap) + _options(options, "<"), "<")
