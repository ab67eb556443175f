"""Packets that scapy built beforehand, with the fields of a probe stamped in: a crafted probe without scapy's import time.

House rules of this file:
1. The bytes of TEMPLATES are codec.build's (`python -m netprobe.wire.codec` prints them); a test holds the two equal, field by field.
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
        "4500003c62a040004006d81c0000000000000000000000000000000000000000a002faf06d130000020405b40402080a"
        "d82c07cd000000000103030a"
    ),
    (Shape.SYN, 6): (
        "600e3e710028064000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        "00000000a002fd203c3b0000020405a00402080ac2094cac000000000103030a"
    ),
    (Shape.BARE_SYN, 4): (
        "450000286bab40004006cf2500000000000000000000000000000000000000005002faf0b4f20000"
    ),
    (Shape.BARE_SYN, 6): (
        "6000a5d30014064000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        "000000005002fd20b2c20000"
    ),
    (Shape.MD5_SYN, 4): (
        "4500004867aa40004006d3060000000000000000000000000000000000000000d002faf0d9020000010113123a5e4842"
        "fab428f762e6e282e5c1657c020405b4010104020103030a"
    ),
    (Shape.MD5_SYN, 6): (
        "600f7c1c0034064000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        "00000000d002fd20e672000001011312b36711eb3906a7c8603d71d409e7a54d020405a0010104020103030a"
    ),
    (Shape.ACK, 4): (
        "450000287a0340004006c0cd00000000000000000000000000000000000000005010faf0b4e40000"
    ),
    (Shape.ACK, 6): (
        "6005ba920014064000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        "000000005010fd20b2b40000"
    ),
    (Shape.FIN, 4): (
        "45000028955940004006a57700000000000000000000000000000000000000005001faf0b4f30000"
    ),
    (Shape.FIN, 6): (
        "600e443e0014064000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        "000000005001fd20b2c30000"
    ),
    (Shape.SYN_ACK, 4): (
        "4500003c813440004006b9880000000000000000000000000000000000000000a012faf039aa0000020405b40402080a"
        "37ebdcd9e87a16130103030a"
    ),
    (Shape.SYN_ACK, 6): (
        "60023c670028064000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        "00000000a012fd20e7850000020405a00402080a4826867323a7711a0103030a"
    ),
    (Shape.RST, 4): (
        "45000028c17d400040067953000000000000000000000000000000000000000050040000afe10000"
    ),
    (Shape.RST, 6): (
        "6001846e0014064000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        "0000000050040000afe10000"
    ),
    (Shape.ECHO, 4): (
        "4500003c9e4e400040019c730000000000000000080005fe00000000101112131415161718191a1b1c1d1e1f20212223"
        "2425262728292a2b2c2d2e2f"
    ),
    (Shape.ECHO, 6): (
        "600cca5b00283a40000000000000000000000000000000000000000000000000000000000000000080008d9b00000000"
        "101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f"
    ),
    (Shape.FRAGMENT, 4): (
        "4500003cfcbe200040065dfe0000000000000000000000000000000000000000a002faf0ddf40000020405b40402080a"
        "40212ef7000000000103030a"
    ),
    (Shape.FRAGMENT, 6): (
        "6008856200302c40000000000000000000000000000000000000000000000000000000000000000006000001fb97d435"
        "000000000000000000000000a002fd2040a10000020405a00402080ae8e5216a000000000103030a"
    ),
}


def fill(probe: Probe, mtu: int = 1500) -> bytes:
    """The IP packet of a probe, as codec.build makes it. `mtu` is the interface's: a SYN announces the segment size that goes with it.
    A zone of an address (`%eth0`) is ignored."""
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
        _fill_echo(packet, start, probe, version)
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
    total = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _fill_echo(packet: bytearray, at: int, probe: Probe, version: int) -> None:
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
