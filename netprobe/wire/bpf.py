"""The capture filter, as a classic BPF program of our own.

House rules of this file:
1. Coarse and safe: the kernel drops the bulk, `relevance` decides exactly. What we might need always passes.
2. Offsets count from the network header (AF_PACKET SOCK_DGRAM); the protocol comes from the ancillary area (filter.h).
3. Jumps are written with labels and are all forward; a program stays far below the 255 that a conditional jump can
   reach.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Collection
from typing import NamedTuple

SO_ATTACH_FILTER = 26
MOST_ADDRESSES = 40  # a longer list is not looked at in the kernel: all TCP passes
WHOLE = 0x40000  # bytes kept of a packet that passes
PROOF_PROTOCOL = 0x88B5  # IEEE 802 local experimental EtherType 1: the frame that proves a capture listens

_ANCILLARY = 0xFFFFF000  # SKF_AD_OFF
_PROTOCOL, _PACKET_TYPE, _HARDWARE_TYPE = 0, 4, 28
_LOOPBACK_HARDWARE = 772
_OUTGOING = 4
_LOAD_WORD, _LOAD_HALF, _LOAD_BYTE = 0x20, 0x28, 0x30
_JUMP, _JUMP_EQUAL, _RETURN = 0x05, 0x15, 0x06
_JUMP_GREATER, _JUMP_ATLEAST, _JUMP_SET = 0x25, 0x35, 0x45
_LOAD_HALF_BEHIND, _LOAD_BYTE_BEHIND, _HEADER_LENGTH = 0x48, 0x50, 0xB1  # X becomes the length of the IPv4 header


class _Line(NamedTuple):
    code: int
    operand: int = 0
    then: str | None = None  # label, None: the next line
    otherwise: str | None = None


class _Program:
    def __init__(self) -> None:
        self._lines: list[_Line] = []
        self._labels: dict[str, int] = {}

    def label(self, name: str) -> None:
        self._labels[name] = len(self._lines)

    def add(self, code: int, operand: int = 0, then: str | None = None, otherwise: str | None = None) -> None:
        self._lines.append(_Line(code, operand, then, otherwise))

    def any_of(self, values: Collection[int], then: str, otherwise: str | None = None) -> None:
        for value in sorted(values):
            self.add(_JUMP_EQUAL, value, then)
        if otherwise is not None:
            self.add(_JUMP, 0, otherwise)

    def assemble(self) -> bytes:
        """The program as an array of `struct sock_filter`."""
        return b"".join(self._assemble(at, line) for at, line in enumerate(self._lines))

    def _assemble(self, at: int, line: _Line) -> bytes:
        def reach(label: str | None) -> int:
            return 0 if label is None else self._labels[label] - at - 1

        if line.code == _JUMP:
            return struct.pack("HBBI", line.code, 0, 0, reach(line.then))
        return struct.pack("HBBI", line.code, reach(line.then), reach(line.otherwise), line.operand)


def program(addresses: Collection[str]) -> bytes:
    """The filter for a scan of `addresses`: ARP, all ICMP, TCP and fragments to or from them (of all addresses when
    there are more than MOST_ADDRESSES), and of loopback only the outgoing copy."""
    v4 = {int.from_bytes(socket.inet_aton(a), "big") for a in addresses if ":" not in a}
    # Of an IPv6 address the last word is compared: enough to keep the bulk away
    v6 = {
        int.from_bytes(socket.inet_pton(socket.AF_INET6, a.partition("%")[0])[12:], "big")
        for a in addresses
        if ":" in a
    }
    everything = len(v4) + len(v6) > MOST_ADDRESSES
    p = _Program()
    p.add(_LOAD_HALF, _ANCILLARY + _PROTOCOL)
    p.add(_JUMP_EQUAL, PROOF_PROTOCOL, "accept")
    p.add(_JUMP_EQUAL, 0x0806, "accept")
    p.add(_LOAD_HALF, _ANCILLARY + _HARDWARE_TYPE)
    p.add(_JUMP_EQUAL, _LOOPBACK_HARDWARE, None, "family")
    p.add(_LOAD_BYTE, _ANCILLARY + _PACKET_TYPE)
    p.add(_JUMP_EQUAL, _OUTGOING, None, "reject")
    p.label("family")
    p.add(_LOAD_HALF, _ANCILLARY + _PROTOCOL)
    p.add(_JUMP_EQUAL, 0x0800, "v4")
    p.add(_JUMP_EQUAL, 0x86DD, "v6", "reject")
    p.label("v4")
    p.add(_LOAD_BYTE, 9)
    p.add(_JUMP_EQUAL, 1, "accept")
    p.add(_JUMP_EQUAL, 6, None, "reject")
    _either_end(p, v4, everything, (12, 16))
    p.label("v6")
    p.add(_LOAD_BYTE, 6)
    p.any_of({58, 0, 43, 60}, "accept")  # ICMPv6; behind extension headers anything may be
    p.any_of({6, 44}, "v6-addresses", "reject")
    p.label("v6-addresses")
    _either_end(p, v6, everything, (20, 36))
    p.label("reject")
    p.add(_RETURN, 0)
    p.label("accept")
    p.add(_RETURN, WHOLE)
    return p.assemble()


def answers(sources: Collection[str], ports: tuple[int, int], keep: int) -> bytes:
    """The filter for a sweep from these addresses and this range of ports: TCP to them, and ICMP errors; `keep` bytes
    of each."""
    p = _Program()
    p.add(_LOAD_BYTE, _ANCILLARY + _PACKET_TYPE)
    p.add(_JUMP_EQUAL, _OUTGOING, "reject")
    p.add(_LOAD_HALF, _ANCILLARY + _PROTOCOL)
    p.add(_JUMP_EQUAL, 0x86DD, "v6")
    p.add(_JUMP_EQUAL, 0x0800, None, "reject")
    p.add(_HEADER_LENGTH, 0)
    p.add(_LOAD_BYTE, 9)
    p.add(_JUMP_EQUAL, 6, "tcp4")
    p.add(_JUMP_EQUAL, 1, None, "reject")
    p.add(_LOAD_BYTE_BEHIND, 0)
    p.any_of({3, 11, 12}, "accept", "reject")
    p.label("tcp4")
    p.add(_LOAD_HALF, 6)
    p.add(_JUMP_SET, 0x1FFF, "reject")  # a later fragment
    p.add(_LOAD_WORD, 16)
    p.any_of({int.from_bytes(socket.inet_aton(a), "big") for a in sources if ":" not in a}, "ports4", "reject")
    p.label("ports4")
    p.add(_LOAD_HALF_BEHIND, 2)
    p.add(_JUMP_ATLEAST, ports[0], None, "reject")
    p.add(_JUMP_GREATER, ports[1], "reject", "accept")
    p.label("v6")
    p.add(_LOAD_BYTE, 6)
    p.add(_JUMP_EQUAL, 6, "tcp6")
    p.add(_JUMP_EQUAL, 58, None, "reject")
    p.add(_LOAD_BYTE, 40)
    p.any_of({1, 2, 3, 4}, "accept", "reject")
    p.label("tcp6")
    p.add(_LOAD_WORD, 36)
    last_words = {int.from_bytes(socket.inet_pton(socket.AF_INET6, a)[12:], "big") for a in sources if ":" in a}
    p.any_of(last_words, "ports6", "reject")
    p.label("ports6")
    p.add(_LOAD_HALF, 42)
    p.add(_JUMP_ATLEAST, ports[0], None, "reject")
    p.add(_JUMP_GREATER, ports[1], "reject", "accept")
    p.label("reject")
    p.add(_RETURN, 0)
    p.label("accept")
    p.add(_RETURN, keep)
    return p.assemble()


def _either_end(p: _Program, words: Collection[int], everything: bool, offsets: tuple[int, int]) -> None:
    if everything:
        p.add(_JUMP, 0, "accept")
        return
    for offset in offsets if words else ():
        p.add(_LOAD_WORD, offset)
        p.any_of(words, "accept")
    p.add(_JUMP, 0, "reject")


def attach(sock: socket.socket, filter_program: bytes) -> None:
    """Attach a program to a socket, replacing the one before at once (socket(7)). Needs no privilege."""
    import ctypes

    buffer = ctypes.create_string_buffer(filter_program, len(filter_program))
    head = struct.pack("HP", len(filter_program) // 8, ctypes.addressof(buffer))
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, head)
