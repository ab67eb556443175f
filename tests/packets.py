"""Bytes of packets, built field by field with struct, for tests that must not depend on what is tested.

House rules of this file:
1. Nothing of netprobe but its nouns; no scapy.
2. Checksums are zero: the tracker doesn't look at them.
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass, replace

from netprobe.model import Endpoint

FLAGS = {"F": 1, "S": 2, "R": 4, "P": 8, "A": 16, "U": 32, "E": 64, "C": 128}
LINKS = {"null": 0, "ethernet": 1, "raw": 101, "sll": 113, "vlan": 1, "qinq": 1, "sll2": 276}
TCP, ICMP, ICMP6 = 6, 1, 58

OPTIONS = {
    "mss": b"\x02\x04\x05\xb4",
    "sack": b"\x04\x02",
    "ts": b"\x08\x0a" + bytes(8),
    "ws": b"\x03\x03\x07",
    "nop": b"\x01",
    "sacked": b"\x05\x0a" + bytes(8),
    "md5": b"\x13\x12" + bytes(16),
    "fastopen": b"\x22\x02",
    "odd": b"\xfd\x04\x00\x00",
}


def flag_bits(letters: str) -> int:
    """`SA` as the byte of a TCP header; `-` is none."""
    return sum(FLAGS[letter] for letter in letters if letter != "-")


def six(address: str) -> bool:
    """Whether an address is IPv6."""
    return ":" in address


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One TCP segment with its IP header."""

    src: Endpoint
    dst: Endpoint
    flags: str = "S"
    seq: int = 0
    ack: int = 0
    ttl: int = 64
    tos: int = 0
    window: int = 64240
    options: tuple[str, ...] = ()
    data: bytes = b""
    ip_id: int = 0
    df: bool = True
    more: bool = False  # a first fragment whose rest is missing

    def tcp(self) -> bytes:
        """From the TCP header on."""
        options = b"".join(OPTIONS[name] for name in self.options)
        options += bytes(-len(options) % 4)
        offset = (20 + len(options)) // 4 << 4
        numbers = (self.src.port, self.dst.port, self.seq & 0xFFFFFFFF, self.ack & 0xFFFFFFFF)
        head = struct.pack("!HHIIBBHHH", *numbers, offset, flag_bits(self.flags), self.window, 0, 0)
        return head + options + self.data

    def packet(self) -> bytes:
        """From the IP header on."""
        return ip_packet(
            self.src.address, self.dst.address, TCP, self.tcp(), self.ttl, self.tos, self.ip_id, self.df, self.more
        )

    def turned(self, flags: str) -> Segment:
        """A segment back, without numbers."""
        return replace(self, src=self.dst, dst=self.src, flags=flags, seq=0, ack=0, options=(), data=b"", more=False)


def ip_packet(
    src: str,
    dst: str,
    protocol: int,
    payload: bytes,
    ttl: int = 64,
    tos: int = 0,
    ip_id: int = 0,
    df: bool = True,
    more: bool = False,
    offset: int = 0,
    headers: tuple[tuple[int, bytes], ...] = (),
) -> bytes:
    """An IPv4 or IPv6 packet. `headers`: IPv6 extension headers as (number, bytes without the first one).
    `offset` is in units of 8 bytes."""
    if six(src):
        if more or offset:
            headers = (*headers, (44, struct.pack("!xHI", offset << 3 | more, ip_id)))
        chain = [number for number, _ in headers] + [protocol]
        body = b"".join(bytes([chain[i + 1]]) + rest for i, (_, rest) in enumerate(headers)) + payload
        ends = ipaddress.IPv6Address(src).packed + ipaddress.IPv6Address(dst).packed
        return struct.pack("!IHBB", 6 << 28 | tos << 20 | 0xBEEF, len(body), chain[0], ttl) + ends + body
    ends = ipaddress.IPv4Address(src).packed + ipaddress.IPv4Address(dst).packed
    fragment = (0x4000 if df and not more and not offset else 0) | (0x2000 if more else 0) | offset
    return struct.pack("!BBHHHBBH", 0x45, tos, 20 + len(payload), ip_id, fragment, ttl, protocol, 0) + ends + payload


def icmp_error(
    src: str, dst: str, kind: int, code: int, quoted: bytes, ttl: int = 64, tos: int = 0, keep: int | None = None
) -> bytes:
    """An ICMP error that quotes a packet; `keep`: so many bytes of it behind its IP header (RFC 792: 8)."""
    if keep is not None:
        quoted = quoted[: (40 if six(src) else (quoted[0] & 15) * 4) + keep]
    message = struct.pack("!BBHI", kind, code, 0, 0) + quoted
    return ip_packet(src, dst, ICMP6 if six(src) else ICMP, message, ttl, tos)


def echo(src: str, dst: str, identifier: int, sequence: int, reply: bool = False, ttl: int = 64, tos: int = 0) -> bytes:
    """An echo request or reply."""
    kind = (129 if reply else 128) if six(src) else (0 if reply else 8)
    message = struct.pack("!BBHHH", kind, 0, 0, identifier, sequence) + bytes(8)
    return ip_packet(src, dst, ICMP6 if six(src) else ICMP, message, ttl, tos)


def neighbor(src: str, asked: str, reply: bool = False) -> tuple[int, bytes]:
    """ARP or neighbour discovery as (EtherType, bytes): `src` asks for `asked`; with `reply`, `src` is told by it."""
    if six(src):
        kind = 136 if reply else 135
        message = struct.pack("!BBHI", kind, 0, 0, 0) + ipaddress.IPv6Address(asked).packed
        ends = (asked, src) if reply else (src, "ff02::1:ff00:1")
        return 0x86DD, ip_packet(*ends, ICMP6, message, 255)
    sender, wanted = (asked, src) if reply else (src, asked)
    body = b"\x02" + bytes(5) + ipaddress.IPv4Address(sender).packed + bytes(6) + ipaddress.IPv4Address(wanted).packed
    return 0x0806, struct.pack("!HHBBH", 1, 0x0800, 6, 4, 2 if reply else 1) + body


def framed(link: str, packet: bytes, ether_type: int | None = None) -> bytes:
    """A packet with the link header of one of LINKS."""
    kind = struct.pack("!H", ether_type or (0x86DD if packet[0] >> 4 == 6 else 0x0800))
    match link:
        case "sll2":
            return kind + bytes(18) + packet
        case "sll":
            return bytes(14) + kind + packet
        case "ethernet":
            return bytes(12) + kind + packet
        case "vlan":
            return bytes(12) + b"\x81\x00\x00\x07" + kind + packet
        case "qinq":
            return bytes(12) + b"\x88\xa8\x00\x07\x81\x00\x00\x08" + kind + packet
        case "null":
            return struct.pack("<I", 10 if packet[0] >> 4 == 6 else 2) + packet
    return packet
