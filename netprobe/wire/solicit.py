"""Requests for a neighbour's link address, for the rare case that the kernel doesn't ask: ARP and neighbour
solicitation."""

from __future__ import annotations

import struct

from netprobe.wire.templates import checksum


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
