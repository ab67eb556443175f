"""TCP and ICMP packets taken apart and put together with struct, for the responders and for the check.

Nothing of netprobe or scapy is used here, on purpose: the lab must not share a mistake with what it tests.
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
TCP, ICMP, ICMPV6 = 6, 1, 58
LETTERS = ((SYN, "S"), (FIN, "F"), (RST, "R"), (PSH, "P"), (ACK, "A"))
KERNEL_OPTIONS = bytes.fromhex(
    "020405b4 0402 080a 0000000100000000 01 030307"
)  # MSS 1460, SACK, timestamps, NOP, wscale 7


@dataclass(frozen=True, slots=True)
class Packet:
    """An IP packet with TCP, or an ICMP error quoting one (then `icmp` is set, and ports, seq are those of the
    quote)."""

    version: int
    source: str
    destination: str
    ttl: int
    tos: int
    sport: int
    dport: int
    seq: int
    ack: int = 0
    flags: int = 0
    window: int = 0
    payload: bytes = b""
    icmp: tuple[int, int] | None = None
    quoted_destination: str = ""

    @property
    def letters(self) -> str:
        """Flags as tcpdump's letters, `SA`, `RA` ..."""
        return "".join(letter for bit, letter in LETTERS if self.flags & bit)


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total


def _addresses(source: str, destination: str) -> bytes:
    return ipaddress.ip_address(source).packed + ipaddress.ip_address(destination).packed


def ip(source: str, destination: str, protocol: int, payload: bytes, ttl: int = 64, tos: int = 0) -> bytes:
    """An IPv4 or IPv6 packet around `payload`."""
    addresses = _addresses(source, destination)
    if ":" in source:
        return struct.pack("!IHBB", 6 << 28 | tos << 20, len(payload), protocol, ttl) + addresses + payload
    head = struct.pack("!BBHHHBBH", 0x45, tos, 20 + len(payload), 0, 0x4000, ttl, protocol, 0) + addresses
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def summed(source: str, destination: str, protocol: int, data: bytes, at: int) -> bytes:
    """`data` with the checksum over the pseudo-header at offset `at`."""
    pseudo = _addresses(source, destination) + struct.pack("!II", len(data), protocol)
    return data[:at] + struct.pack("!H", checksum(pseudo + data)) + data[at + 2 :]


def tcp(
    source: tuple[str, int], destination: tuple[str, int], flags: int, seq: int, ack: int = 0, *,
    window: int = 64240, options: bytes = b"", ttl: int = 64, tos: int = 0,
) -> bytes:  # fmt: skip
    """An IP packet with a TCP segment without data."""
    words = 5 + len(options) // 4
    head = struct.pack(
        "!HHIIBBHHH", source[1], destination[1], seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, words << 4, flags, window, 0, 0
    )
    return ip(source[0], destination[0], TCP, summed(source[0], destination[0], TCP, head + options, 16), ttl, tos)


def icmp_error(source: str, destination: str, kind: tuple[int, int], quote: bytes, ttl: int = 64) -> bytes:
    """An ICMP or ICMPv6 error with `quote` inside."""
    body = struct.pack("!BBHI", kind[0], kind[1], 0, 0) + quote
    if ":" in source:
        return ip(source, destination, ICMPV6, summed(source, destination, ICMPV6, body, 2), ttl)
    return ip(source, destination, ICMP, body[:2] + struct.pack("!H", checksum(body)) + body[4:], ttl)


def _head(data: bytes) -> tuple[int, int, int, int, str, str, int]:
    """Version, protocol, ttl, tos, source, destination, header length. IPv6 extension headers are not followed."""
    if data[0] >> 4 == 4:
        source, destination = ipaddress.IPv4Address(data[12:16]), ipaddress.IPv4Address(data[16:20])
        return 4, data[9], data[8], data[1], str(source), str(destination), (data[0] & 15) * 4
    from6, to6 = ipaddress.IPv6Address(data[8:24]), ipaddress.IPv6Address(data[24:40])
    return 6, data[6], data[7], (data[0] << 4 | data[1] >> 4) & 0xFF, str(from6), str(to6), 40


def parse(data: bytes) -> Packet | None:
    """An IP packet, if it is TCP or an ICMP error about TCP; otherwise None."""
    try:
        version, protocol, ttl, tos, source, destination, at = _head(data)
        if protocol == TCP:
            sport, dport, seq, ack, words, flags, window = struct.unpack_from("!HHIIBBH", data, at)
            end = struct.unpack_from("!H", data, 2)[0] if version == 4 else 40 + struct.unpack_from("!H", data, 4)[0]
            payload = data[at + (words >> 4) * 4 : end]
            return Packet(version, source, destination, ttl, tos, sport, dport, seq, ack, flags, window, payload)
        if protocol in (ICMP, ICMPV6):
            kind = (data[at], data[at + 1])
            if kind[0] not in ((3, 11) if version == 4 else (1, 2, 3)):
                return None
            quote = data[at + 8 :]
            _, inner, _, _, _, to, length = _head(quote)
            if inner != TCP:
                return None
            sport, dport, seq = struct.unpack_from("!HHI", quote, length)
            return Packet(version, source, destination, ttl, tos, sport, dport, seq, icmp=kind, quoted_destination=to)
    except (struct.error, IndexError, ValueError):
        pass
    return None
