"""Writes a pcapng file while a scan runs: frames with nanoseconds and direction, facts as journal entries, comments
at the end.

House rules of this file:
1. Every record becomes exactly one block that Wireshark counts, so our numbers are Wireshark's.
2. At any moment the file on disk is valid up to its last whole block: a failed write is cut off again.
3. Comments are known when the scan ends. They are put in by rewriting the file's tail in place, after the room for
   it has been reserved: a second file can't be made beside it once privileges are dropped.

Format: draft-ietf-opsawg-pcapng; link type 276 is LINKTYPE_LINUX_SLL2.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import time
from collections.abc import Mapping, Sequence

from netprobe import __version__
from netprobe.errors import CaptureWriteError
from netprobe.model import DropFact, Fact, Frame, Record, ResolvedFact, TargetFact
from netprobe.wire import facts

SECTION_HEADER = 0x0A0D0D0A
INTERFACE = 1
PACKET = 2  # obsolete
SIMPLE_PACKET = 3
NAME_RESOLUTION = 4
INTERFACE_STATISTICS = 5
ENHANCED_PACKET = 6
JOURNAL_ENTRY = 9

END_OF_OPTIONS = 0
COMMENT = 1
_DIRECTION = {None: 0, False: 1, True: 2}
_LARGEST_COMMENT = 4096
SECTION = 0  # in the place of a frame's number: the file as a whole
_LARGEST_TAIL = 1 << 29  # bytes; a larger file keeps its frames and goes without comments


class CaptureWriter:
    """A pcapng file that grows while a scan runs.

    `descriptor` is an open file that the writer now owns, for reading too (else there are no comments). Every method
    raises CaptureWriteError for what the disk does.
    """

    def __init__(self, descriptor: int, name: str, *, capture_filter: str = "", about: str = "") -> None:
        self._fd = descriptor
        self._name = name
        self._filter = capture_filter
        self._interfaces: dict[tuple[str | None, int], int] = {}
        self._blocks: list[bytes] = []  # not yet on disk
        self._good = 0  # bytes on disk that are whole blocks
        self._queued = 0
        self._places: dict[int, tuple[int, int]] = {}  # frame number -> offset and length of its block
        self._received = 0
        self._dropped = 0
        self._named: set[tuple[str, str]] = set()
        header = _section_header(about)
        self._places[SECTION] = (self._append(header), len(header))

    def write(self, record: Record) -> None:
        """Append one record. It is on disk after the next `flush`."""
        if isinstance(record, Frame):
            self._write_frame(record)
        else:
            self._write_fact(record)

    def blank(self) -> None:
        """A block that Wireshark counts as a frame, and that holds nothing."""
        self._append(_block(JOURNAL_ENTRY, b"MESSAGE=left out\nSYSLOG_IDENTIFIER=netprobe\n"))

    def lost(self, count: int) -> None:
        """So many packets were dropped by the capture in all, as somebody else counted."""
        self._dropped = max(self._dropped, count)

    def flush(self) -> None:
        """Put on disk what was appended."""
        if not self._blocks:
            return
        pending, self._blocks, self._queued = b"".join(self._blocks), [], 0
        self._put(pending)

    def close(self, comments: Mapping[int, Sequence[str]] | None = None) -> None:
        """Write statistics and comments (text by frame number; SECTION's are on the file as a whole) and close the
        file, whatever happens."""
        try:
            self._append(self._statistics()) if self._interfaces else None
            self.flush()
            self._comment(comments or {})
        finally:
            with contextlib.suppress(OSError):
                os.close(self._fd)

    def abandon(self) -> None:
        """Close the file as it stands, after a write failed."""
        with contextlib.suppress(OSError):
            os.close(self._fd)

    # ------------------------------------------------------------------ blocks

    def _append(self, block: bytes) -> int:
        offset = self._good + self._queued
        self._blocks.append(block)
        self._queued += len(block)
        return offset

    def _write_frame(self, frame: Frame) -> None:
        key = (frame.interface, frame.link_type)
        if key not in self._interfaces:
            self._append(_interface(frame.interface, frame.link_type, self._filter))
            self._interfaces[key] = len(self._interfaces)
        block = _enhanced_packet(frame, self._interfaces[key])
        self._places[frame.number] = (self._append(block), len(block))
        self._received += 1

    def _write_fact(self, fact: Fact) -> None:
        self._append(_journal_entry(fact))
        if isinstance(fact, DropFact):
            self._dropped += fact.count
        if isinstance(fact, ResolvedFact):
            self._call(fact.name, fact.addresses)
        elif isinstance(fact, TargetFact) and fact.address is not None:  # an alias of ssh_config has a name of its own
            self._call(_host(fact.target), (fact.address,))

    def _call(self, name: str, addresses: Sequence[str]) -> None:
        """Say once what a name stands for."""
        new = [one for one in addresses if (name, one) not in self._named]
        self._named.update((name, one) for one in new)
        self._append(_names(name, new))

    def _statistics(self) -> bytes:
        """The drops of the whole capture, on its first interface: one socket listened on all of them."""
        high, low = divmod(time.time_ns(), 1 << 32)
        options = [(4, struct.pack("<Q", self._received + self._dropped)), (5, struct.pack("<Q", self._dropped))]
        return _block(INTERFACE_STATISTICS, struct.pack("<III", 0, high, low) + _options(options))

    # ------------------------------------------------------------------ the disk

    def _put(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError as error:
            with contextlib.suppress(OSError):  # a pipe can't be cut
                os.ftruncate(self._fd, self._good)
            raise self._error(error) from error
        self._good += len(data)

    def _error(self, error: OSError) -> CaptureWriteError:
        return CaptureWriteError(
            f"Saving packets to {self._name} failed: {error.strerror}. The file holds what was saved before; "
            f"make room or name another file with -w and scan again."
        )

    def _comment(self, comments: Mapping[int, Sequence[str]]) -> None:
        """Put comments into blocks already written, moving everything behind them. The plain file stays where that
        can't be."""
        wanted = {n: c for n, c in comments.items() if c and n in self._places}
        if self._good > _LARGEST_TAIL:
            wanted.pop(SECTION, None)
        if not wanted:
            return
        start = min(self._places[n][0] for n in wanted)
        if self._good - start > _LARGEST_TAIL:
            return
        try:
            plain = os.pread(self._fd, self._good - start, start)
            if len(plain) != self._good - start:
                return
            tail = self._commented(plain, start, wanted)
            os.posix_fallocate(self._fd, 0, start + len(tail))
        except OSError:  # a pipe, or no room: frames matter more than comments on them
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self._good)
            return
        try:
            os.lseek(self._fd, start, os.SEEK_SET)
            self._put(tail)
        except (OSError, CaptureWriteError) as error:
            os.pwrite(self._fd, plain, start)
            os.ftruncate(self._fd, start + len(plain))
            raise CaptureWriteError(
                f"Commenting the packets of {self._name} failed: {error}. The packets are saved."
            ) from error

    def _commented(self, plain: bytes, start: int, wanted: Mapping[int, Sequence[str]]) -> bytes:
        parts, at = [], 0
        for number in sorted(wanted):
            offset, length = self._places[number]
            parts.append(plain[at : offset - start])
            at = offset - start + length
            body = plain[offset - start + 8 : at - 4]
            kept = body[:-4]  # without the end-of-options that stands there
            texts = [(COMMENT, comment_text(text)) for text in dict.fromkeys(wanted[number])]
            kind = SECTION_HEADER if number == SECTION else ENHANCED_PACKET
            parts.append(_block(kind, kept + _options(texts)))
        return b"".join([*parts, plain[at:]])


def _block(block_type: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    length = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", block_type) + length + body + length


def _options(options: Sequence[tuple[int, bytes]]) -> bytes:
    parts = [struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4) for code, value in options]
    return b"".join(parts) + struct.pack("<HH", END_OF_OPTIONS, 0)


def _section_header(about: str) -> bytes:
    system = os.uname()
    options = [
        (2, system.machine.encode()),
        (3, f"{system.sysname} {system.release}".encode()),
        (4, f"netprobe {__version__}".encode()),
    ]
    if about:
        options.insert(0, (COMMENT, comment_text(about)))
    return _block(SECTION_HEADER, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + _options(options))


def _interface(name: str | None, link_type: int, capture_filter: str) -> bytes:
    options = [(9, b"\x09")]  # if_tsresol: nanoseconds
    if name:
        options.insert(0, (2, name.encode("utf-8", "replace")))
    if capture_filter:
        options.append((11, b"\0" + capture_filter.encode("utf-8", "replace")))
    return _block(INTERFACE, struct.pack("<HHI", link_type, 0, 0) + _options(options))


def _enhanced_packet(frame: Frame, interface: int) -> bytes:
    high, low = divmod(max(frame.time_ns, 0), 1 << 32)
    head = struct.pack("<IIIII", interface, high & 0xFFFFFFFF, low, len(frame.data), frame.length)
    flags = struct.pack("<I", _DIRECTION[frame.outgoing])
    return _block(ENHANCED_PACKET, head + frame.data + bytes(-len(frame.data) % 4) + _options([(2, flags)]))


def _journal_entry(fact: Fact) -> bytes:
    """https://systemd.io/JOURNAL_EXPORT_FORMATS/: text fields, one a line, an empty line at the end."""
    lines = [
        f"__REALTIME_TIMESTAMP={fact.time_ns // 1000}",
        f"MESSAGE={facts.message(fact)}",
        "PRIORITY=6",
        "SYSLOG_IDENTIFIER=netprobe",
        f"NETPROBE_FACT={facts.dump(fact)}",
    ]
    return _block(JOURNAL_ENTRY, ("\n".join(lines) + "\n").encode("utf-8", "replace"))


def _host(target: str) -> str:
    """The host of a target as a person types it: `name`, `name:22`, `ssh://user@name:22`, `[v6]:22`."""
    host = target.rpartition("://")[2].rpartition("@")[2].partition("/")[0]
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0] if host.count(":") == 1 else host


def _names(name: str, addresses: Sequence[str]) -> bytes:
    """A block that says so; nothing where there is nothing to say, as of an address that stands for itself."""
    octets = name.encode("utf-8", "replace")[:255] + b"\0"
    records = []
    for text in addresses:
        bare = text.partition("%")[0]
        if bare == name.partition("%")[0]:
            continue
        family, code = (socket.AF_INET6, 2) if ":" in bare else (socket.AF_INET, 1)
        with contextlib.suppress(OSError):
            value = socket.inet_pton(family, bare) + octets
            records.append(struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4))
    return _block(NAME_RESOLUTION, b"".join(records) + struct.pack("<HH", 0, 0)) if records else b""


def comment_text(text: str) -> bytes:
    """A comment may quote a stranger's banner: control characters are spelt out."""
    safe = "".join(c if c.isprintable() or c == "\n" else f"\\x{ord(c):02x}" for c in text)
    return safe.encode("utf-8", "replace")[:_LARGEST_COMMENT].decode("utf-8", "ignore").encode()
