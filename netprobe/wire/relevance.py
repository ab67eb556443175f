"""Which packets of a busy machine belong to this scan: those of its targets and next hops, and errors that quote them.

House rules of this file:
1. No packet makes this raise; one that is too short is not ours.
2. The rest of the machine's traffic is nobody's business: it is neither recorded nor saved.
"""

from __future__ import annotations

import socket

_ICMP_ERRORS = frozenset({3, 4, 5, 11, 12})
_EXTENSION_HEADERS = frozenset({0, 43, 60})


def packed(address: str) -> bytes:
    """An address as bytes, without its zone."""
    bare = address.partition("%")[0]
    return socket.inet_pton(socket.AF_INET6 if ":" in bare else socket.AF_INET, bare)


class Relevance:
    """The addresses a scan is about."""

    def __init__(self) -> None:
        self._addresses: set[bytes] = set()

    def add(self, address: str) -> None:
        """From now on packets of this address belong to the scan."""
        self._addresses.add(packed(address))

    def concerns(self, protocol: int, packet: bytes) -> bool:
        """Whether a packet (from the network header on, `protocol` its EtherType) belongs to the scan."""
        if protocol == 0x0800:
            return self._concerns_v4(packet)
        if protocol == 0x86DD:
            return self._concerns_v6(packet)
        return protocol == 0x0806 and (packet[14:18] in self._addresses or packet[24:28] in self._addresses)

    def _concerns_v4(self, packet: bytes) -> bool:
        if packet[12:16] in self._addresses or packet[16:20] in self._addresses:
            return True
        header = (packet[0] & 15) * 4 if packet else 0
        if packet[9:10] != b"\x01" or len(packet) < header + 28 or packet[header] not in _ICMP_ERRORS:
            return False
        quote = header + 8
        return packet[quote + 12 : quote + 16] in self._addresses or packet[quote + 16 : quote + 20] in self._addresses

    def _concerns_v6(self, packet: bytes) -> bool:
        if packet[8:24] in self._addresses or packet[24:40] in self._addresses:
            return True
        if len(packet) < 48:
            return False
        following, at = packet[6], 40
        while following in _EXTENSION_HEADERS and len(packet) >= at + 8:
            following, at = packet[at], at + 8 + packet[at + 1] * 8
        if following != 58 or len(packet) < at + 24:
            return False
        if packet[at] < 128:
            quote = at + 8
            return (
                packet[quote + 8 : quote + 24] in self._addresses or packet[quote + 24 : quote + 40] in self._addresses
            )
        return packet[at] in (135, 136, 137) and packet[at + 8 : at + 24] in self._addresses
