"""Builds crafted probes, byte for byte, with scapy.

House rules of this file:
1. scapy is imported by the first `build` (190 ms), never by importing this file; never scapy.all, never its sockets.
2. A SYN looks as this kernel's own would: filters and servers must not tell them apart.
3. Numbers that identify a probe (ports, seq, ack) are the prober's; only fields nobody matches are random.
"""

from __future__ import annotations

import random
import struct
from functools import cache
from types import ModuleType
from typing import Any

from netprobe.model import Probe, Shape

_MTU = 1500
_SYN_WINDOW = {4: 64240, 6: 64800}  # 44 and 45 segments: tcp_select_initial_window()
_SYN_ACK_WINDOW = {4: 65160, 6: 64704}
_WINDOW_SCALE = 7
_DEFAULT_TTL = 64
_ECHO_PAYLOAD = bytes(range(0x10, 0x30))  # the pattern of ping(8)
_FLAGS = {
    Shape.SYN: "S",
    Shape.BARE_SYN: "S",
    Shape.MD5_SYN: "S",
    Shape.FRAGMENT: "S",
    Shape.ACK: "A",
    Shape.FIN: "F",  # alone: a closed port owes it RST,ACK, a listener nothing (RFC 9293 3.10.7)
    Shape.SYN_ACK: "SA",
    Shape.RST: "R",
}


def preload() -> None:
    """Import scapy now, while there is time."""
    _scapy()


def build(probe: Probe) -> bytes:
    """The IP packet of a probe, checksums included. The family is that of its addresses; a zone (`%eth0`) is ignored."""
    version = 6 if ":" in probe.server.address else 4
    payload = _echo(probe, version) if probe.shape is Shape.ECHO else _segment(probe, version)
    return bytes(_header(probe, version) / payload)


@cache
def _scapy() -> tuple[ModuleType, ModuleType]:
    import logging

    logging.getLogger("scapy").setLevel(logging.ERROR)  # its warnings would land on the user's terminal
    from scapy.layers import inet, inet6

    return inet, inet6


def _header(probe: Probe, version: int) -> Any:
    inet, inet6 = _scapy()
    ttl = _DEFAULT_TTL if probe.ttl is None else probe.ttl
    source, destination = (e.address.partition("%")[0] for e in (probe.client, probe.server))
    fragment = probe.shape is Shape.FRAGMENT
    if version == 4:
        flags = "MF" if fragment else "DF"
        return inet.IP(
            src=source, dst=destination, ttl=ttl, tos=probe.tos, id=random.randint(1, 0xFFFF), flags=flags, frag=0
        )
    flow_label = random.randint(1, 0xFFFFF)
    header = inet6.IPv6(src=source, dst=destination, hlim=ttl, tc=probe.tos, fl=flow_label)
    return header / inet6.IPv6ExtHdrFragment(m=1, offset=0, id=random.getrandbits(32)) if fragment else header


def _segment(probe: Probe, version: int) -> Any:
    inet, _ = _scapy()
    window = {Shape.SYN_ACK: _SYN_ACK_WINDOW[version], Shape.RST: 0}.get(probe.shape, _SYN_WINDOW[version])
    return inet.TCP(
        sport=probe.client.port,
        dport=probe.server.port,
        seq=probe.seq,
        ack=probe.ack,
        flags=_FLAGS[probe.shape],
        window=window,
        options=_tcp_options(probe, version),
    )


def _tcp_options(probe: Probe, version: int) -> list[tuple[str | int, Any]]:
    """Options in the order of tcp_options_write() in net/ipv4/tcp_output.c."""
    mss = ("MSS", _MTU - (40 if version == 4 else 60))
    scale = [("NOP", None), ("WScale", _WINDOW_SCALE)]
    if probe.shape in (Shape.SYN, Shape.FRAGMENT, Shape.SYN_ACK):
        echoed = random.getrandbits(32) if probe.shape is Shape.SYN_ACK else 0
        return [mss, ("SAckOK", b""), ("Timestamp", (_timestamp(), echoed)), *scale]
    if probe.shape is Shape.MD5_SYN:  # no timestamp: the 40 bytes of options don't hold both
        signature = (19, random.randbytes(16))
        return [("NOP", None), ("NOP", None), signature, mss, ("NOP", None), ("NOP", None), ("SAckOK", b""), *scale]
    return []


def _timestamp() -> int:
    """Milliseconds from an offset that Linux draws per connection: any number is as good."""
    return random.getrandbits(32)


def _echo(probe: Probe, version: int) -> Any:
    inet, inet6 = _scapy()
    identifier, sequence = probe.client.port & 0xFFFF, probe.seq & 0xFFFF
    if version == 4:
        return inet.ICMP(type=8, id=identifier, seq=sequence) / _ECHO_PAYLOAD
    return inet6.ICMPv6EchoRequest(id=identifier, seq=sequence, data=_ECHO_PAYLOAD)


# --------------------------------------------------------------------------- neighbour solicitation, without scapy


def arp_request(hardware: bytes, source: bytes, wanted: bytes) -> bytes:
    """The ARP request (RFC 826, Ethernet) that asks who has `wanted`; addresses as bytes."""
    return struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + hardware + source + bytes(6) + wanted


def neighbor_solicitation(hardware: bytes, source: bytes, wanted: bytes) -> tuple[bytes, bytes]:
    """The neighbour solicitation (RFC 4861 4.3) for `wanted` as an IPv6 packet, and the link address to send it to."""
    group = bytes.fromhex("ff0200000000000000000001ff") + wanted[-3:]
    body = struct.pack("!BBHI", 135, 0, 0, 0) + wanted + b"\x01\x01" + hardware
    pseudo = source + group + struct.pack("!II", len(body), 58)
    body = body[:2] + struct.pack("!H", checksum(pseudo + body)) + body[4:]
    packet = struct.pack("!IHBB", 6 << 28, len(body), 58, 255) + source + group + body
    return packet, b"\x33\x33\xff" + wanted[-3:]


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
