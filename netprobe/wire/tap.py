"""The capture socket: bound, filtered, proven to listen, and drained into frames.

House rules of this file:
1. Needs CAP_NET_RAW to open, and nothing afterwards.
2. The filter is attached before the socket is bound: no packet of before ever comes out.
3. A frame is stored as LINUX_SLL2: a 20-byte header of ours, then the packet from its network header on.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct

from netprobe.model import Frame
from netprobe.wire import bpf
from netprobe.wire.clock import Clock
from netprobe.wire.relevance import Relevance

LINKTYPE_LINUX_SLL2 = 276
_ETH_P_ALL = 3
_SOL_PACKET, _PACKET_STATISTICS = 263, 6
_SO_TIMESTAMPNS, _SO_RCVBUFFORCE = 35, 33
_RECEIVE_BUFFER = 8 << 20
_LARGEST_PACKET = 1 << 18
_PROOF_WAIT_S = 0.2
_TWIN_NS = 50_000_000
_MOST_AT_ONCE = 1024
_SLL2 = struct.Struct("!HHIHBB8s")
_TIMESPECS = {16: "=qq", 8: "=ii"}


class Tap:
    """Sees every packet of this machine that belongs to the scan, both ways. Raises PermissionError without
    CAP_NET_RAW."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._relevance = Relevance()
        self._watched: set[str] = set()
        self._indices: dict[str, int] = {}
        self._twins: dict[tuple[bool | None, bytes], tuple[int, int]] = {}
        self._buffer = bytearray(_LARGEST_PACKET)
        self._behind_ns = self._last_ns = 0
        self._socket = socket.socket(
            socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, 0
        )
        self.dropped = 0
        self.proven = False
        self.drained = True  # whether `frames` came to the end of what waits
        try:
            self._open()
        except BaseException:
            self._socket.close()
            raise

    def _open(self) -> None:
        bpf.attach(self._socket, bpf.program(()))
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER)
        except OSError:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        self._bind()
        # Sends the proof, and the probes later: closing a packet socket waits for every processor (packet_release() in
        # net/packet/af_packet.c, about 15 ms), so none is opened for once.
        self.link = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, 0)
        self.proven = self._prove()

    def _bind(self) -> None:
        """bind(2) to all interfaces (index 0), which socket.bind has no way to say."""
        import ctypes

        address = struct.pack("=HHiHBB8x", socket.AF_PACKET, socket.htons(_ETH_P_ALL), 0, 0, 0, 0)
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.bind(self._socket.fileno(), address, len(address)) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    def _prove(self) -> bool:
        """Send a frame through the loopback interface and see it come back. False where lo is down: then the first
        SYN, seen on its way out, is the proof."""
        nonce = os.urandom(46)
        ready = select.poll()
        ready.register(self._socket, select.POLLIN)
        try:
            self.link.sendto(nonce, ("lo", bpf.PROOF_PROTOCOL, 0, 0, bytes(6)))
        except OSError:
            return False
        deadline_ns = self._clock.now_ns() + int(_PROOF_WAIT_S * 1e9)
        late = False
        while not late:
            late = self._clock.now_ns() >= deadline_ns  # read before looking: whoever was kept off the processor looks
            ready.poll(10)
            with contextlib.suppress(BlockingIOError):
                while True:
                    if self._socket.recv(2048) == nonce:
                        return True
        return False

    def fileno(self) -> int:
        """For a selector."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close the sockets."""
        self._socket.close()
        self.link.close()

    def watch(self, address: str) -> None:
        """Let TCP of this address through, at once."""
        bare = address.partition("%")[0]
        if bare in self._watched:
            return
        self._relevance.add(bare)
        self._watched.add(bare)
        if len(self._watched) <= bpf.MOST_ADDRESSES + 1:
            bpf.attach(self._socket, bpf.program(self._watched))

    def notice(self, address: str) -> None:
        """Record neighbour resolution and ICMP of this address (a next hop) too."""
        self._relevance.add(address)

    def drops(self) -> int:
        """How many packets the kernel dropped since the last call (PACKET_STATISTICS counts anew each time)."""
        _, dropped = struct.unpack("=II", self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))
        self.dropped += dropped
        return int(dropped)

    def frames(self) -> list[Frame]:
        """What arrived since the last call; without numbers yet."""
        found: list[Frame] = []
        view = memoryview(self._buffer)
        self.drained = False
        self._behind_ns = self._clock.behind_ns()
        for _ in range(_MOST_AT_ONCE):
            try:
                length, ancillary, _, source = self._socket.recvmsg_into([view], 64, socket.MSG_TRUNC)
            except BlockingIOError:
                self.drained = True
                break
            except OSError:  # ENETDOWN: told once when an interface goes; the socket lives on
                continue
            frame = self._frame(bytes(view[: min(length, _LARGEST_PACKET)]), length, ancillary, source)
            if frame is not None:
                found.append(frame)
        return found

    def _frame(
        self,
        packet: bytes,
        length: int,
        ancillary: list[tuple[int, int, bytes]],
        source: tuple[str, int, int, int, bytes],
    ) -> Frame | None:
        interface, protocol, packet_type, hardware, link_address = source
        if not self._relevance.concerns(protocol, packet):
            return None
        time_ns = self._stamp(ancillary)
        outgoing = None if hardware == 772 else packet_type == 4
        index = self._index(interface)
        if self._is_twin(packet, outgoing, index, time_ns):
            return None
        header = _SLL2.pack(protocol, 0, index, hardware, packet_type, min(len(link_address), 8), link_address[:8])
        return Frame(0, time_ns, LINKTYPE_LINUX_SLL2, header + packet, len(header) + length, outgoing, interface)

    def _stamp(self, ancillary: list[tuple[int, int, bytes]]) -> int:
        """When a packet came, never before the packet in front of it: an answer must not stand before its question."""
        time_ns = self._clock.now_ns()
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS and len(data) in _TIMESPECS:
                seconds, nanoseconds = struct.unpack(_TIMESPECS[len(data)], data)
                time_ns = self._clock.from_kernel(seconds * 1_000_000_000 + nanoseconds, self._behind_ns)
        self._last_ns = max(self._last_ns, time_ns)
        return self._last_ns

    def _index(self, interface: str) -> int:
        if interface not in self._indices:
            try:
                self._indices[interface] = socket.if_nametoindex(interface)
            except OSError:  # gone already
                return 0
        return self._indices[interface]

    def _is_twin(self, packet: bytes, outgoing: bool | None, index: int, time_ns: int) -> bool:
        """Whether this packet was just seen on another interface (a VLAN and its carrier, a bridge and its port)."""
        key = (outgoing, packet)
        before = self._twins.pop(key, None)
        if before is not None and before[0] != index and abs(time_ns - before[1]) <= _TWIN_NS:
            self._twins[key] = before
            return True
        self._twins[key] = (index, time_ns)
        # The oldest are first: two go for one that comes, so that a flood of packets costs no more than each of them.
        for _ in range(2):
            oldest = next(iter(self._twins))
            if abs(time_ns - self._twins[oldest][1]) > _TWIN_NS:
                del self._twins[oldest]
        return False
