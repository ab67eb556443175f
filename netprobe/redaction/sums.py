"""The checksum of IP, TCP, UDP and ICMP, changed by what changed (RFC 1071, RFC 1624)."""

from __future__ import annotations

_ALL = 0xFFFF


def summed(octets: bytes | bytearray) -> int:
    """The sum of 16-bit words in ones' complement; an odd last octet is followed by a zero."""
    return int.from_bytes(octets) * (256 if len(octets) % 2 else 1) % _ALL


def written(before: bytes, changed: int) -> bytes:
    """A checksum after the sum beneath it changed. One that was right is right again, one that was wrong is as wrong
    as it was."""
    if not changed % _ALL:
        return before
    total = (_ALL - int.from_bytes(before) + changed) % _ALL or _ALL  # 0 is written as itself, as it is summed up
    return (_ALL - total).to_bytes(2)
