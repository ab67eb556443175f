"""Marked SYNs in rounds, raw as root or by connect() as anybody, with what answers them; echo requests beside them.

House rules of this file:
1. Sockets are opened by the constructors, which may need privilege; all else works as nobody.
2. A SYN is sent once: what is unanswered is given up before the kernel would repeat it.
3. Nothing the network does raises; it is a word in `answers`.
"""

from __future__ import annotations

import contextlib
import errno
import random
import socket
import struct
import time
from collections import Counter

from netprobe import icmp
from netprobe.model import Endpoint, Probe, Shape
from netprobe.rhythm import ECT1, PATIENCE_S, SPACING_S
from netprobe.wire import error_queue, templates
from netprobe.wire.connections import scope

_IPV6_HDRINCL = 36
_ONLY_DEVICE = socket.SO_BINDTODEVICE
SYN_ACK, RESET, NOTHING, NOT_SENT = "syn-ack", "reset", "no-response", "not-sent"
_WORDS = {errno.ECONNREFUSED: RESET, errno.ECONNRESET: RESET}


class Syns:
    """What raw and ordinary SYNs have in common: an address, a port, and for each round how it was answered."""

    def __init__(self, address: str, port: int) -> None:
        self.address = address
        self.port = port
        self.version = 6 if ":" in address else 4
        self.family = socket.AF_INET6 if self.version == 6 else socket.AF_INET
        bare, _, zone = address.partition("%")
        self.place: tuple[str, int] | tuple[str, int, int, int] = (
            (bare, port, 0, scope(zone)) if self.version == 6 else (bare, port)
        )
        self.answers: list[Counter[str]] = []

    def send(self, size: int, *, marked: bool) -> None:
        """One round, spaced."""
        self.answers.append(Counter())
        for at in range(size):
            if at:
                time.sleep(SPACING_S)
            try:
                self._one(len(self.answers) - 1, marked=marked)
            except OSError:  # this machine itself did not send it
                self.answers[-1][NOT_SENT] += 1

    def _one(self, at: int, *, marked: bool) -> None:
        raise NotImplementedError

    def listen(self) -> None:
        """Read what came; never waits."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the sockets."""
        raise NotImplementedError


class RawSockets:
    """The sockets of one IP version that need CAP_NET_RAW; opened before it is given away. Raises OSError."""

    def __init__(self, version: int, *, device: str | None = None) -> None:
        family = socket.AF_INET6 if version == 6 else socket.AF_INET
        kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        with contextlib.ExitStack() as opened:
            self.tcp = opened.enter_context(socket.socket(family, kind, socket.IPPROTO_TCP))
            ping = socket.IPPROTO_ICMPV6 if version == 6 else socket.IPPROTO_ICMP
            self.icmp = opened.enter_context(socket.socket(family, kind, ping))
            if version == 6:
                self.tcp.setsockopt(socket.IPPROTO_IPV6, _IPV6_HDRINCL, 1)
            else:
                self.tcp.setsockopt(socket.IPPROTO_IP, socket.IP_HDRINCL, 1)
            error_queue.ask_for(self.tcp)
            for one in (self.tcp, self.icmp) if device is not None else ():
                one.setsockopt(socket.SOL_SOCKET, _ONLY_DEVICE, (device or "").encode())
            opened.pop_all()


class RawSyns(Syns):
    """Crafted SYNs, every second round with ECT(1). Raises OSError where there is no route."""

    def __init__(self, address: str, port: int, opened: RawSockets) -> None:
        super().__init__(address, port)
        self._sent: dict[int, tuple[int, int]] = {}  # our port -> round, acknowledgement that fits
        self._socket = opened.tcp
        # Connected, it hears this address only. Raw sockets of IPv6 want 0 for a port.
        self._socket.connect((self.place[0], 0, *self.place[2:]))
        self._own = str(self._socket.getsockname()[0])
        self._next_port = random.randrange(20000, 30000)

    def _one(self, at: int, *, marked: bool) -> None:
        self._next_port += 1
        sequence = random.getrandbits(32)
        probe = Probe(
            Shape.SYN,
            Endpoint(self._own, self._next_port),
            Endpoint(str(self.place[0]), self.port),
            seq=sequence,
            tos=ECT1 if marked else 0,
        )
        packet = templates.fill(probe)
        try:
            self._socket.send(packet)
        except OSError:
            # An ICMP error that an earlier SYN drew is told here, once, and this one was not sent.
            self._socket.send(packet)
        self._sent[self._next_port] = at, (sequence + 1) & 0xFFFFFFFF

    def listen(self) -> None:
        while True:
            try:
                packet = self._socket.recv(2048)
            except BlockingIOError:
                break
            except OSError:
                continue  # an ICMP error; the queue says which
            self._heard(packet)
        for _, error in error_queue.drain(self._socket):
            if error is not None and self.answers:
                self.answers[-1][icmp.label(error.version, error.type, error.code)] += 1

    def _heard(self, packet: bytes) -> None:
        if self.version == 4:
            packet = packet[(packet[0] & 15) * 4 :]
        if len(packet) < 20:
            return
        source, own, _, acknowledged, _, flags = struct.unpack_from("!HHIIBB", packet)
        at, wanted = self._sent.get(own, (0, -1))
        if source != self.port or acknowledged != wanted:
            return
        del self._sent[own]
        if flags & 0x04:
            self.answers[at][RESET] += 1
        elif flags & 0x12 == 0x12:
            self.answers[at][SYN_ACK] += 1

    def close(self) -> None:
        self._socket.close()


class ConnectSyns(Syns):
    """Ordinary connections, closed as soon as they are made: what anybody may send."""

    def __init__(self, address: str, port: int, *, device: str | None = None) -> None:
        super().__init__(address, port)
        self._device = device
        self._pending: list[tuple[socket.socket, int, float]] = []

    def _one(self, at: int, *, marked: bool) -> None:  # noqa: ARG002 (the kernel keeps the ECN bits of TCP to itself)
        sock = socket.socket(self.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            if self._device is not None:
                sock.setsockopt(socket.SOL_SOCKET, _ONLY_DEVICE, self._device.encode())
            error_queue.ask_for(sock)
            code = sock.connect_ex(self.place)
            if code not in {0, errno.EINPROGRESS, *_WORDS}:
                raise OSError(code, "connect")
        except OSError:
            sock.close()
            raise
        self._pending.append((sock, at, time.monotonic() + PATIENCE_S))

    def listen(self) -> None:
        left = []
        for sock, at, until in self._pending:
            word = self._outcome(sock, late=time.monotonic() >= until)
            if word:
                self.answers[at][word] += 1
                sock.close()
            else:
                left.append((sock, at, until))
        self._pending = left

    @staticmethod
    def _outcome(sock: socket.socket, *, late: bool) -> str:
        for _, error in error_queue.drain(sock):
            if error is not None:
                return icmp.label(error.version, error.type, error.code)
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            return _WORDS.get(code, errno.errorcode.get(code, str(code)))
        try:
            sock.getpeername()
        except OSError:
            return NOTHING if late else ""
        return SYN_ACK

    def close(self) -> None:
        for sock, _, _ in self._pending:
            sock.close()
        self._pending = []


class Echoes:
    """Echo requests: raw as root, else by a ping socket where net.ipv4.ping_group_range lets us. Raises OSError where
    that may not be had."""

    def __init__(self, address: str, opened: RawSockets | None = None, *, device: str | None = None) -> None:
        self.version = 6 if ":" in address else 4
        family = socket.AF_INET6 if self.version == 6 else socket.AF_INET
        protocol = socket.IPPROTO_ICMPV6 if self.version == 6 else socket.IPPROTO_ICMP
        self._raw = opened is not None
        kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        self._socket = opened.icmp if opened is not None else socket.socket(family, kind, protocol)
        bare, _, zone = address.partition("%")
        try:
            if device is not None and opened is None:
                self._socket.setsockopt(socket.SOL_SOCKET, _ONLY_DEVICE, device.encode())
            self._socket.connect((bare, 0, 0, scope(zone)) if self.version == 6 else (bare, 0))
        except OSError:
            self._socket.close()
            raise
        self._number = 0
        self.answered = 0

    def send(self, size: int) -> int:
        """So many echo requests; how many left."""
        left = 0
        for at in range(size):
            if at:
                time.sleep(SPACING_S)
            self._number += 1
            kind = 128 if self.version == 6 else 8
            packet = bytearray(struct.pack("!BBHHH", kind, 0, 0, 0x6E70, self._number) + bytes(32))
            struct.pack_into("!H", packet, 2, templates.checksum(packet))  # of ICMPv6 the kernel makes it
            with contextlib.suppress(OSError):
                self._socket.send(packet)
                left += 1
        return left

    def listen(self) -> None:
        """Count what came; never waits."""
        while True:
            try:
                packet = self._socket.recv(2048)
            except BlockingIOError:
                return
            except OSError:
                continue
            if self._raw and self.version == 4:
                packet = packet[(packet[0] & 15) * 4 :]
            self.answered += packet[:1] == (b"\x81" if self.version == 6 else b"\x00")

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
