"""Packets that scapy built beforehand, with the fields of a probe stamped in: a crafted probe without scapy's import
time.

House rules of this file:
1. The bytes of TEMPLATES are codec.build's (codec.templates gives the table); a test holds the two
   equal, field by field.
2. Only what differs from probe to probe is written here, and the checksums that follow from it.
"""

from __future__ import annotations

import random
import socket
import struct
from functools import cache
from pathlib import Path

from netprobe.model import Probe, Shape

TEMPLATES = {
    (Shape.SYN, 4): (
        "4500003cb2134000400604a6c0000201c0000201000000000000000000000000a002faf028f20000020405b40402080a"
        "713c2edb000000000103030a"
    ),
    (Shape.SYN, 6): (
        "600b8d630028064020010db800000000000000000000000120010db80000000000000000000000010000000000000000"
        "00000000a002fd205ee60000020405a00402080a45534b43000000000103030a"
    ),
    (Shape.BARE_SYN, 4): ("4500002843d34000400672fac0000201c00002010000000000000000000000005002faf030ef0000"),
    (Shape.BARE_SYN, 6): (
        "6009a2a90014064020010db800000000000000000000000120010db80000000000000000000000010000000000000000"
        "000000005002fd20574e0000"
    ),
    (Shape.MD5_SYN, 4): (
        "45000048cd7f40004006e92dc0000201c0000201000000000000000000000000d002faf0e57c0000010113126b911359"
        "c2b92a2fc5f29d232dc2a9ca020405b4010104020103030a"
    ),
    (Shape.MD5_SYN, 6): (
        "60005cfc0034064020010db800000000000000000000000120010db80000000000000000000000010000000000000000"
        "00000000d002fd204d990000010113122d5b9b4b91f666416066512d1a2dd82d020405a0010104020103030a"
    ),
    (Shape.ACK, 4): ("450000280f8640004006a747c0000201c00002010000000000000000000000005010faf030e10000"),
    (Shape.ACK, 6): (
        "600de2f10014064020010db800000000000000000000000120010db80000000000000000000000010000000000000000"
        "000000005010fd2057400000"
    ),
    (Shape.FIN, 4): ("45000028959a400040062133c0000201c00002010000000000000000000000005001faf030f00000"),
    (Shape.FIN, 6): (
        "600279bc0014064020010db800000000000000000000000120010db80000000000000000000000010000000000000000"
        "000000005001fd20574f0000"
    ),
    (Shape.SYN_ACK, 4): (
        "4500003c5765400040065f54c0000201c0000201000000000000000000000000a012faf027b20000020405b40402080a"
        "dabc6301aa1cb96c0103030a"
    ),
    (Shape.SYN_ACK, 6): (
        "60042d090028064020010db800000000000000000000000120010db80000000000000000000000010000000000000000"
        "00000000a012fd20bf3e0000020405a00402080aa46ac6e5693a5ba30103030a"
    ),
    (Shape.RST, 4): ("450000283cd44000400679f9c0000201c0000201000000000000000000000000500400002bde0000"),
    (Shape.RST, 6): (
        "600679620014064020010db800000000000000000000000120010db80000000000000000000000010000000000000000"
        "0000000050040000546d0000"
    ),
    (Shape.ECHO, 4): (
        "4500003cacea4000400109d4c0000201c0000201080005fe00000000101112131415161718191a1b1c1d1e1f20212223"
        "2425262728292a2b2c2d2e2f"
    ),
    (Shape.ECHO, 6): (
        "600fc8e100283a4020010db800000000000000000000000120010db80000000000000000000000018000322700000000"
        "101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f"
    ),
    (Shape.FRAGMENT, 4): (
        "4500003c230020004006b3b9c0000201c0000201000000000000000000000000a002faf054f80000020405b40402080a"
        "0a4169d0000000000103030a"
    ),
    (Shape.FRAGMENT, 6): (
        "600df16c00302c4020010db800000000000000000000000120010db800000000000000000000000106000001c40b773f"
        "000000000000000000000000a002fd20ff7f0000020405a00402080ad63419c8000000000103030a"
    ),
}


def fill(probe: Probe, mtu: int = 1500) -> bytes:
    """The IP packet of a probe, as codec.build makes it. `mtu` is the interface's: a SYN announces the segment size
    that goes with it. A zone of an address (`%eth0`) is ignored."""
    version = 6 if ":" in probe.server.address else 4
    packet = bytearray.fromhex(TEMPLATES[probe.shape, version])
    family = socket.AF_INET6 if version == 6 else socket.AF_INET
    ends = b"".join(socket.inet_pton(family, e.address.partition("%")[0]) for e in (probe.client, probe.server))
    ttl = 64 if probe.ttl is None else probe.ttl
    if version == 4:
        packet[1], packet[8] = probe.tos, ttl
        struct.pack_into("!H", packet, 4, random.randint(1, 0xFFFF))
        packet[10:12] = bytes(2)
        packet[12:20] = ends
        struct.pack_into("!H", packet, 10, checksum(packet[:20]))
        start = 20
    else:
        struct.pack_into("!I", packet, 0, 6 << 28 | probe.tos << 20 | random.randint(1, 0xFFFFF))
        packet[7] = ttl
        packet[8:40] = ends
        start = 40
        if probe.shape is Shape.FRAGMENT:
            struct.pack_into("!I", packet, 44, random.getrandbits(32))
            start = 48
    if probe.shape is Shape.ECHO:
        _fill_echo(packet, start, probe)
    else:
        _fill_segment(packet, start, probe, largest_segment(version, mtu))
    _fill_checksum(packet, start, probe.shape, ends, version)
    return bytes(packet)


def largest_segment(version: int, mtu: int) -> int:
    """The MSS that a SYN announces on an interface of this MTU (RFC 9293 3.7.1, RFC 8200 8.3)."""
    return max(min(mtu, 0xFFFF) - (40 if version == 4 else 60), 88)


@cache
def window_scale() -> int:
    """What this kernel offers: it follows from the largest receive buffer (tcp_select_initial_window())."""
    try:
        largest = int(Path("/proc/sys/net/ipv4/tcp_rmem").read_text("latin-1").split()[2])
        largest = max(largest, int(Path("/proc/sys/net/core/rmem_max").read_text("latin-1")))
    except (OSError, ValueError, IndexError):
        return 7
    return max(0, min(14, largest.bit_length() - 16))


def checksum(data: bytes | bytearray) -> int:
    """The Internet checksum (RFC 1071)."""
    padded = bytes(data) + bytes(len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _fill_echo(packet: bytearray, at: int, probe: Probe) -> None:
    struct.pack_into("!HHH", packet, at + 2, 0, probe.client.port & 0xFFFF, probe.seq & 0xFFFF)


def _fill_segment(packet: bytearray, at: int, probe: Probe, mss: int) -> None:
    window = 0 if probe.shape is Shape.RST else 0xFFFF // mss * mss
    struct.pack_into("!HHII", packet, at, probe.client.port, probe.server.port, probe.seq, probe.ack)
    struct.pack_into("!HH", packet, at + 14, window, 0)
    option = at + 20
    while option < len(packet):
        match packet[option]:
            case 1:  # NOP
                option += 1
                continue
            case 2:  # MSS
                struct.pack_into("!H", packet, option + 2, mss)
            case 3:  # window scale
                packet[option + 2] = window_scale()
            case 8:  # time stamps; Linux draws their offset per connection, so any number is as good
                echoed = random.getrandbits(32) if probe.shape is Shape.SYN_ACK else 0
                struct.pack_into("!II", packet, option + 2, random.getrandbits(32), echoed)
            case 19:  # a TCP-MD5 signature that nobody can verify
                packet[option + 2 : option + 18] = random.randbytes(16)
        option += packet[option + 1]


def _fill_checksum(packet: bytearray, at: int, shape: Shape, ends: bytes, version: int) -> None:
    length = len(packet) - at
    if shape is Shape.ECHO:
        pseudo = ends + struct.pack("!II", length, socket.IPPROTO_ICMPV6) if version == 6 else b""
        place = at + 2
    else:
        pseudo = ends + struct.pack("!HH" if version == 4 else "!II", *((6, length) if version == 4 else (length, 6)))
        place = at + 16
    struct.pack_into("!H", packet, place, 0)
    struct.pack_into("!H", packet, place, checksum(pseudo + packet[at:]))
