"""Unpacks compressed captures while they are read: gzip, xz, zstd and lz4, told by their first bytes.

House rules of this file:
1. No more is unpacked than there is room for, whatever stands in the file, and a bomb is left where it is clear that
   it is one.
2. What was unpacked before a damage is given; of xz and lz4 but for the last PIECE bytes of the compressed file.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, Protocol

from netprobe.errors import UnreadableCapture
from netprobe.wire.blocks import BrokenStreamError, ByteStream, CutStreamError

PIECE = 1 << 13  # bytes of the compressed file that are unpacked at a time
LARGEST_RATIO = 200  # captures of one SYN repeated reach 60
FREE = 64 << 20  # bytes that may come out before the ratio is looked at
MOST_UNPACKED = 1 << 40
_MEMORY = 128 << 20  # the largest window that zstd --ultra --long and xz -9 make; more is refused

_SIGNATURES = (
    (b"\x1f\x8b", "gzip"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x04\x22\x4d\x18", "lz4"),
)
SIGNATURE = max(len(signature) for signature, _ in _SIGNATURES)


class _Decoder(Protocol):
    """One compressed stream: the interface of bz2.BZ2Decompressor, that of lzma and lz4 too."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes | None: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


def kind_of(start: bytes) -> str | None:
    """The name of the compression that a file beginning with `start` has."""
    if len(start) >= 4 and start[1:4] == b"\x2a\x4d\x18" and start[0] >> 4 == 5:
        return "zstd"  # a skippable frame: pzstd writes one first
    return next((name for signature, name in _SIGNATURES if start.startswith(signature)), None)


class Unpacked:
    """What a compressed stream unpacks to. UnreadableCapture where the package for it isn't installed."""

    def __init__(self, packed: ByteStream, kind: str, name: str, most: int = MOST_UNPACKED) -> None:
        self._packed = packed
        self._kind = kind
        self._most = most
        self._new, self._errors = _decoders(kind, name)
        self._decoder: _Decoder | None = None
        self._left = b""  # read, but belonging to the next stream
        self._given = 0

    def readinto(self, room: memoryview) -> int:
        """Unpack into `room`; 0 at the end. CutStreamError where the file ends before the compressed data do,
        BrokenStreamError where they can't be unpacked."""
        if self._given > FREE and self._given > LARGEST_RATIO * self._packed.offset:
            raise BrokenStreamError(
                f"{self._packed.offset} bytes unpack to {self._given} and more, over {LARGEST_RATIO} times as many: "
                "a decompression bomb? Unpack it yourself if you trust it"
            )
        if self._given >= self._most:
            raise BrokenStreamError(f"it unpacks to more than the limit of {self._most} bytes")
        found = self._next(min(len(room), self._most - self._given))
        room[: len(found)] = found
        self._given += len(found)
        return len(found)

    def ready(self) -> bool:
        """Whether `readinto` gives something without waiting for a pipe."""
        return self._packed.ready()

    def close(self) -> None:
        """Close the file."""
        self._packed.close()

    def _next(self, most: int) -> bytes:
        while True:
            decoder = self._decoder
            data = b""
            if decoder is None or decoder.eof or decoder.needs_input:
                data = self._input()
                if not data and (decoder is None or decoder.eof):
                    return b""
                if not data:
                    raise CutStreamError(f"the {self._kind} data end early")
            if decoder is not None and decoder.eof and kind_of(data) != self._kind and len(data) >= SIGNATURE:
                raise BrokenStreamError(f"something else follows the {self._kind} data")
            if decoder is None or decoder.eof:
                decoder = self._decoder = self._new()
            try:
                found = decoder.decompress(data, most)
            except self._errors as error:
                raise BrokenStreamError(
                    f"the {self._kind} data are damaged, near byte {self._packed.offset} of the file ({error})"
                ) from error
            if decoder.eof:
                self._left = decoder.unused_data or b""
            if found:
                return found

    def _input(self) -> bytes:
        """The next piece of the file. Between streams, without the zeros that xz and tapes pad with."""
        between = self._decoder is not None and self._decoder.eof
        while True:
            data, self._left = self._left or self._packed.take(PIECE), b""
            if not data:
                return b""
            if between:
                data = data.lstrip(b"\0")
            if data:
                return data


class _Gzip:
    """zlib's decompressor with the interface of the others. It keeps to itself what it had before an error, so what
    comes before one is unpacked again, byte by byte."""

    def __init__(self) -> None:
        import zlib

        self._inner = zlib.decompressobj(31)
        self._error: type[Exception] = zlib.error
        self._saved = b""
        self._broken: Exception | None = None
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        if self._broken is None:
            data = self._inner.unconsumed_tail + data
            before = self._inner.copy()
            try:
                found = self._inner.decompress(data, max_length)
                self.needs_input = not self._inner.unconsumed_tail and len(found) < max_length
                return found
            except self._error as error:
                self._broken = error
                self._saved = self._until_error(before, data)
                self.needs_input = False
        if not self._saved:
            raise self._broken
        found, self._saved = self._saved[:max_length], self._saved[max_length:]
        return found

    def _until_error(self, inner: Any, data: bytes) -> bytes:
        found = bytearray()
        with contextlib.suppress(self._error):
            for i in range(len(data)):
                found += inner.decompress(data[i : i + 1])
        return bytes(found)


class _Zstd:
    """zstandard's decompressor, which can't be told how much to give, with the interface of the others: it gets one
    element of the frame at a time, of which none unpacks to more than 128 KiB (RFC 8878 3.1.1.2)."""

    def __init__(self) -> None:
        import zstandard

        self._inner = zstandard.ZstdDecompressor(max_window_size=_MEMORY).decompressobj()
        self._held = bytearray()
        self._out = b""
        self._step = self._header
        self._skips = 0  # bytes of a skippable frame that are still to come
        self._checksum = 0
        self._over = False

    @property
    def eof(self) -> bool:
        return self._over and not self._out

    @property
    def needs_input(self) -> bool:
        return not self._over and not self._out

    @property
    def unused_data(self) -> bytes:
        return bytes(self._held)

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        self._held += data
        out = [self._out]
        length = len(self._out)
        while length < max_length and not self._over and (size := self._step()) and size <= len(self._held):
            out.append(self._feed(size))
            length += len(out[-1])
        whole = b"".join(out)
        self._out = whole[max_length:]
        return whole[:max_length]

    def _feed(self, size: int) -> bytes:
        element = bytes(self._held[:size])
        del self._held[:size]
        if self._step == self._skip:
            self._skips -= size
            self._over = not self._skips
            return b""
        found = self._inner.decompress(element)
        if self._step == self._header:
            self._step = self._block
        elif self._step == self._trailer or (element[0] & 1 and not self._checksum):
            self._over = True
        elif element[0] & 1:
            self._step = self._trailer
        return found

    # Each of these says how long the next element is; 0: more bytes are needed to tell.

    def _header(self) -> int:
        """RFC 8878 3.1.1.1; 3.1.2 for a skippable frame."""
        if len(self._held) < 8:
            return 0
        if self._held[0] != 0x28:
            self._skips = 8 + int.from_bytes(self._held[4:8], "little")
            self._step = self._skip
            return self._skip()
        descriptor = self._held[4]
        single = descriptor >> 5 & 1
        self._checksum = 4 * (descriptor >> 2 & 1)
        return 6 - single + (0, 1, 2, 4)[descriptor & 3] + (single, 2, 4, 8)[descriptor >> 6]

    def _block(self) -> int:
        """RFC 8878 3.1.1.2."""
        if len(self._held) < 3:
            return 0
        head = int.from_bytes(self._held[:3], "little")
        return 3 + (1 if head >> 1 & 3 == 1 else head >> 3)

    def _trailer(self) -> int:
        return self._checksum

    def _skip(self) -> int:
        return min(self._skips, len(self._held))


def _decoders(kind: str, name: str) -> tuple[Callable[[], _Decoder], tuple[type[Exception], ...]]:
    """What makes a decoder of this kind, and what it raises."""
    if kind == "gzip":
        import zlib

        return _Gzip, (zlib.error,)
    if kind == "xz":
        import lzma

        return lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY), (lzma.LZMAError, MemoryError)
    try:
        return _zstd() if kind == "zstd" else _lz4()
    except ImportError as error:
        package = {"zstd": "zstandard", "lz4": "lz4"}[kind]
        raise UnreadableCapture(
            f"{name} is compressed with {kind}, for which the Python package {package} is missing. "
            f"Install it (pip install 'netprobe-wire[compress]'), or unpack the file with `{kind} -d`."
        ) from error


def _zstd() -> tuple[Callable[[], _Decoder], tuple[type[Exception], ...]]:
    import zstandard

    return _Zstd, (zstandard.ZstdError, MemoryError)


def _lz4() -> tuple[Callable[[], _Decoder], tuple[type[Exception], ...]]:
    import lz4.frame

    make: Any = lz4.frame.LZ4FrameDecompressor
    return make, (RuntimeError, MemoryError)
