"""Sends packets by the thousand: sendmmsg(2) over raw IP sockets, or past the queues to one next hop.

House rules of this file:
1. The kernel decides where a packet goes. Only where it names one next hop for all are packets handed to the interface
   itself, which takes half the time.
2. Nothing waits, nothing raises: what could not be sent is told by errno, and the caller decides.
3. Needs CAP_NET_RAW to open, and nothing afterwards.
"""

from __future__ import annotations

import contextlib
import ctypes
import socket
import struct
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from netprobe.errors import CannotMeasure

Octets = NDArray[np.uint8]

# What one call takes (UIO_MAXIOV, include/uapi/linux/uio.h).
MOST = 1024
_SEND_BUFFER = 4 << 20
_SO_SNDBUFFORCE = 32
_IPV6_HDRINCL = 36
_SOL_PACKET, _QDISC_BYPASS = 263, 20
_MSG_DONTWAIT = 0x40


class NextHop(NamedTuple):
    """Where an interface sends all packets: its index, its ARPHRD_ type, and the neighbour's link address."""

    ifindex: int
    hardware: int
    link_address: bytes


class Bulk:
    """The sockets of one IP version. Raises CannotMeasure without CAP_NET_RAW."""

    def __init__(self, version: int, device: str | None = None) -> None:
        if struct.calcsize("P") != 8:
            raise CannotMeasure("A sweep needs a 64-bit system", "scan fewer addresses without --sweep")
        self.version = version
        family = socket.AF_INET if version == 4 else socket.AF_INET6
        kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        self._libc = ctypes.CDLL(None, use_errno=True)
        try:
            with contextlib.ExitStack() as opened:
                self._raw = opened.enter_context(socket.socket(family, kind, socket.IPPROTO_RAW))
                self._link = opened.enter_context(
                    socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, 0)
                )
                self._prepare(device)
                opened.pop_all()
        except OSError as error:
            raise CannotMeasure(f"Packets can't be crafted here: {error.strerror}", "run with sudo") from error
        self._hop: NextHop | None = None
        # struct mmsghdr and struct iovec of a 64-bit system, as words
        self._heads = np.zeros((MOST, 8), dtype=np.uint64)
        self._pieces = np.zeros((MOST, 2), dtype=np.uint64)
        self._names = np.zeros((MOST, 28), dtype=np.uint8)
        self._heads[:, 2] = self._pieces.ctypes.data + 16 * np.arange(MOST, dtype=np.uint64)
        self._heads[:, 3] = 1
        self._to(None)

    def _prepare(self, device: str | None) -> None:
        if self.version == 6:
            self._raw.setsockopt(socket.IPPROTO_IPV6, _IPV6_HDRINCL, 1)
        if device is not None:
            self._raw.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
        with contextlib.suppress(OSError):
            self._link.setsockopt(_SOL_PACKET, _QDISC_BYPASS, 1)
        for one in (self._raw, self._link):
            try:
                one.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, _SEND_BUFFER)
            except OSError:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)

    def _to(self, hop: NextHop | None) -> None:
        """All to one next hop, or (None) each where the kernel's route leads."""
        self._hop = hop
        self._names[:] = 0
        if hop is not None:
            protocol = 0x0800 if self.version == 4 else 0x86DD
            name = struct.pack("=HHiHBB8s", socket.AF_PACKET, socket.htons(protocol), hop.ifindex, hop.hardware, 0,
                               len(hop.link_address), hop.link_address)  # fmt: skip
            self._names[:, : len(name)] = np.frombuffer(name, dtype=np.uint8)
            size = len(name)
        else:
            family = socket.AF_INET if self.version == 4 else socket.AF_INET6
            self._names[:, :2] = np.frombuffer(struct.pack("=H", family), dtype=np.uint8)
            size = 16 if self.version == 4 else 28
        self._heads[:, 0] = self._names.ctypes.data + 28 * np.arange(MOST, dtype=np.uint64)
        self._heads[:, 1] = size

    def to(self, hop: NextHop | None) -> None:
        """From now on send all to one next hop, or (None) each where the kernel's route leads."""
        if hop != self._hop:
            self._to(hop)

    def send(self, packets: Octets) -> tuple[int, int]:
        """How many of the packets (rows) were taken, and the errno of the one after them, 0 if there is none. Other
        threads run meanwhile."""
        opened = self._raw if self._hop is None else self._link
        done = 0
        while done < len(packets):
            part = packets[done : done + MOST]
            count = len(part)
            self._pieces[:count, 0] = part.ctypes.data + part.strides[0] * np.arange(count, dtype=np.uint64)
            self._pieces[:count, 1] = part.shape[1]
            if self._hop is None:
                if self.version == 4:
                    self._names[:count, 4:8] = part[:, 16:20]
                else:
                    self._names[:count, 8:24] = part[:, 24:40]
            sent = self._libc.sendmmsg(opened.fileno(), ctypes.c_void_p(self._heads.ctypes.data), count, _MSG_DONTWAIT)
            if sent < 0:
                return done, ctypes.get_errno()
            done += int(sent)  # fewer than asked: the next call says why
        return done, 0

    def close(self) -> None:
        """Close the sockets."""
        self._raw.close()
        self._link.close()


def texts(version: int, high: NDArray[np.uint64], low: NDArray[np.uint64]) -> list[str]:
    """Addresses, given as higher and lower 64-bit words, as canonical text."""
    if version == 4:
        part = _halves()
        first, second = (low >> np.uint64(16)).tolist(), (low & np.uint64(0xFFFF)).tolist()
        return [f"{part[a]}.{part[b]}" for a, b in zip(first, second, strict=True)]
    both = np.empty((len(low), 2), dtype=">u8")
    both[:, 0], both[:, 1] = high, low
    packed, tell = both.tobytes(), socket.inet_ntop
    return [tell(socket.AF_INET6, packed[at : at + 16]) for at in range(0, len(packed), 16)]


@cache
def _halves() -> list[str]:
    """The two octets of each 16-bit number: a tenth of the time of inet_ntop(3), for 4 MB."""
    return [f"{n >> 8}.{n & 255}" for n in range(1 << 16)]


def number(text: str) -> tuple[int, int] | None:
    """IP version and number of an address, None where the text is none: ten times as quick as ipaddress."""
    version, family = (6, socket.AF_INET6) if ":" in text else (4, socket.AF_INET)
    try:
        return version, int.from_bytes(socket.inet_pton(family, text), "big")
    except (OSError, ValueError):
        return None
