"""Receives packets by the thousand: a ring of blocks that kernel and program share (TPACKET_V3), behind a filter.

packet(7); Documentation/networking/packet_mmap.rst in the kernel's sources has the layout.

House rules of this file:
1. The filter is attached before the socket is bound: no packet of before ever comes out.
2. A block is read where it lies and given back at once; what is kept is a copy of fixed width.
3. Needs CAP_NET_RAW to open, and nothing afterwards.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import select
import socket
import struct
from collections.abc import Collection
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from netprobe.errors import CannotMeasure
from netprobe.wire import bpf

# Bytes kept of each packet: an ICMPv6 error and what it quotes of a SYN take 108.
KEPT = 128
_SOL_PACKET, _RX_RING, _STATISTICS, _VERSION = 263, 5, 6, 10
_ETH_P_ALL = 3
_TPACKET_V3 = 2
_BLOCK = 1 << 18
_BLOCKS = 128  # 32 MB: a quarter of a second at half a million packets a second
_FRAME = 1 << 11
_ALIGNED = 8  # V3_ALIGNMENT of af_packet.c: where frames begin, and packets in them
_RETIRE_MS = 8  # a block that doesn't fill is handed over after so long
_TO_KERNEL, _TO_USER = 0, 1
# struct tpacket_block_desc and struct tpacket3_hdr, as 32-bit words
_STATUS, _COUNT, _FIRST = 2, 3, 4


class Packets(NamedTuple):
    """Packets from their IP header on, KEPT bytes each (zeros behind their end); how many bytes of each are real, and
    when each came, in nanoseconds since the epoch."""

    data: NDArray[np.uint8]
    lengths: NDArray[np.int64]
    times: NDArray[np.int64]


class Ring:
    """Answers to `sources` and the range `ports`. Raises CannotMeasure without CAP_NET_RAW."""

    def __init__(self, sources: Collection[str], ports: tuple[int, int], device: str | None = None) -> None:
        self.dropped = 0
        self.received = 0
        self._at = 0
        kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        try:
            self._socket = socket.socket(socket.AF_PACKET, kind, 0)
        except OSError as error:
            raise CannotMeasure(f"Packets can't be captured here: {error.strerror}", "run with sudo") from error
        try:
            bpf.attach(self._socket, bpf.answers(sources, ports, KEPT))
            self._socket.setsockopt(_SOL_PACKET, _VERSION, _TPACKET_V3)
            frames = _BLOCK // _FRAME * _BLOCKS
            request = struct.pack("=7I", _BLOCK, _BLOCKS, _FRAME, frames, _RETIRE_MS, 0, 0)
            self._socket.setsockopt(_SOL_PACKET, _RX_RING, request)
            self._memory = mmap.mmap(self._socket.fileno(), _BLOCK * _BLOCKS)
            self._bind(socket.if_nametoindex(device) if device else 0)
        except OSError as error:
            self._socket.close()
            raise CannotMeasure(f"Packets can't be captured here: {error.strerror}", "run with sudo") from error
        self._words = np.frombuffer(self._memory, dtype=np.uint32)
        octets = np.frombuffer(self._memory, dtype=np.uint8)
        self._rows = np.lib.stride_tricks.sliding_window_view(octets, KEPT)[::_ALIGNED]
        self._view = memoryview(self._memory).cast("I")
        self._halves = np.frombuffer(self._memory, dtype=np.uint16)
        self._ready = select.poll()
        self._ready.register(self._socket, select.POLLIN)

    def _bind(self, index: int) -> None:
        """bind(2) by index, for which socket.bind has no way to say 0: all interfaces."""
        address = struct.pack("=HHiHBB8x", socket.AF_PACKET, socket.htons(_ETH_P_ALL), index, 0, 0, 0)
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.bind(self._socket.fileno(), address, len(address)) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    def wait(self, seconds: float) -> None:
        """Until a block is there, or so long."""
        if self._words[self._at * (_BLOCK // 4) + _STATUS] & _TO_USER == 0:
            self._ready.poll(max(seconds * 1000, 0.01))

    def take(self) -> Packets | None:
        """One block of packets, or None where none is complete."""
        base = self._at * (_BLOCK // 4)
        if not self._words[base + _STATUS] & _TO_USER:
            return None
        found = self._read(base, int(self._words[base + _COUNT]), int(self._words[base + _FIRST]))
        self._words[base + _STATUS] = _TO_KERNEL
        self._at = (self._at + 1) % _BLOCKS
        self.received += len(found.times)
        return found

    def _read(self, base: int, count: int, first: int) -> Packets:
        view, places, at = self._view, [], base + first // 4
        for _ in range(count):
            places.append(at)
            at += view[at] // 4  # tp_next_offset
        offsets = np.array(places, dtype=np.int64)
        words = self._words
        seconds, fraction = words[offsets + 1].astype(np.int64), words[offsets + 2].astype(np.int64)
        lengths = np.minimum(words[offsets + 3].astype(np.int64), KEPT)
        starts = offsets * 4 + self._halves[offsets * 2 + 13]  # tp_net
        data = self._rows[np.minimum(starts // _ALIGNED, len(self._rows) - 1)]
        data[lengths[:, None] <= _COLUMNS] = 0
        return Packets(data, lengths, seconds * 1_000_000_000 + fraction)

    def drops(self) -> int:
        """How many packets the kernel dropped since the last call, for want of room in the ring."""
        _, dropped, _ = struct.unpack("=3I", self._socket.getsockopt(_SOL_PACKET, _STATISTICS, 12))
        self.dropped += dropped
        return int(dropped)

    def close(self) -> None:
        """Close the socket; the memory goes when nothing refers to it any more."""
        self._socket.close()


_COLUMNS = np.arange(KEPT, dtype=np.int64)[None, :]
