"""ICMP and ICMPv6: errors with the packets that they quote, redirects, neighbour discovery, groups.

House rules of this file:
1. Type, code and the four octets behind the checksum stay, unless they are an address; what isn't read becomes zeros.
2. The caller mends the message's own checksum; that of an extension is mended here.
"""

from __future__ import annotations

from typing import Protocol

from netprobe.redaction.prefixes import Addresses
from netprobe.redaction.sums import summed, written
from netprobe.tracker.link import IPV4, IPV6

_ERRORS = {4: (3, 4, 5, 11, 12), 6: (1, 2, 3, 4)}
_REDIRECT_4, _REDIRECT_6 = 5, 137
_SOLICITATION, _ADVERTISEMENT, _ROUTER_SOLICITATION, _ROUTER_ADVERTISEMENT = 135, 136, 133, 134
_GROUPS = (130, 131, 132)  # RFC 2710
_MPLS_CLASS = 1  # RFC 4950
_LEAST_QUOTE = 128  # RFC 4884 4


class Network(Protocol):
    """Rewrites an IP packet."""

    def __call__(self, kind: int, at: int, end: int, depth: int, *, quoted: bool = False) -> None: ...


class Control:
    """Rewrites messages. `network`: what rewrites the packets in them."""

    def __init__(self, addresses: Addresses, network: Network) -> None:
        self._addresses = addresses
        self._network = network
        self._old = b""
        self._new = bytearray()

    def message(self, old: bytes, new: bytearray, version: int, at: int, end: int, depth: int) -> None:
        """The message old[at:end] into new[at:end]."""
        self._old, self._new = old, new
        if end - at < 8:
            return
        kind = old[at]
        if kind in _ERRORS[version]:
            if version == 4 and kind == _REDIRECT_4:
                self._address(at + 4, 4, end)
            self._error(version, at, end, depth)
        elif version == 4 or kind < 130 or kind > _REDIRECT_6:
            self._zero(at + 8, end)
        elif kind in _GROUPS:
            self._address(at + 8, 16, end)
            self._zero(at + 24, end)
        else:
            self._neighbor(kind, at, end, depth)

    def _error(self, version: int, at: int, end: int, depth: int) -> None:
        """RFC 792, RFC 4443; RFC 4884 for what stands behind the quote where its length is told."""
        told = self._old[at + 5] * 4 if version == 4 else self._old[at + 4] * 8
        if (version == 4 and self._old[at] not in (3, 11, 12)) or (version == 6 and self._old[at] not in (1, 3)):
            told = 0
        if told < _LEAST_QUOTE:  # where it isn't told, or can't be meant
            told = 0
        stop = at + 8 + told if 0 < told <= end - at - 8 else end
        if depth < 4:
            kind = IPV4 if self._old[at + 8 : at + 9] and self._old[at + 8] >> 4 == 4 else IPV6
            self._network(kind, at + 8, stop, depth + 4, quoted=True)
        else:
            self._zero(at + 8, stop)
        if stop < end:
            self._extension(stop, end)

    def _extension(self, at: int, end: int) -> None:
        """Objects: labels stay, the names and addresses of interfaces (RFC 5837) and all others don't."""
        place = at + 4
        while end - place >= 4:
            size = int.from_bytes(self._old[place : place + 2])
            if size < 4:
                self._zero(place, end)
                break
            if self._old[place + 2] != _MPLS_CLASS:
                self._zero(place + 4, min(place + size, end))
            place += size
        if end - at >= 4 and self._old[at + 2 : at + 4] != b"\0\0":
            changed = summed(self._new[at:end]) - summed(self._old[at:end])
            self._new[at + 2 : at + 4] = written(self._old[at + 2 : at + 4], changed)

    # ------------------------------------------------------------------ neighbour discovery (RFC 4861)

    def _neighbor(self, kind: int, at: int, end: int, depth: int) -> None:
        if kind == _ROUTER_SOLICITATION:
            place = at + 8
        elif kind == _ROUTER_ADVERTISEMENT:
            place = at + 16
        elif kind in (_SOLICITATION, _ADVERTISEMENT):
            self._address(at + 8, 16, end)
            place = at + 24
        else:
            self._address(at + 8, 16, end)
            self._address(at + 24, 16, end)
            place = at + 40
        while end - place >= 2:
            size = self._old[place + 1] * 8
            if not size or place + size > end:
                self._zero(place, end)
                break
            self._option(self._old[place], place, place + size, depth)
            place += size

    def _option(self, kind: int, at: int, end: int, depth: int) -> None:
        if kind in (1, 2) and end - at == 8:  # link-layer address
            self._new[at + 2 : end] = self._addresses.mac(self._old[at + 2 : end])
        elif kind == 3 and end - at == 32:  # prefix
            self._address(at + 16, 16, end)
        elif kind == 4:  # the packet that was redirected
            if depth < 4:
                self._network(IPV6, at + 8, end, depth + 4, quoted=True)
            else:
                self._zero(at + 8, end)
        elif kind == 25:  # name servers (RFC 8106)
            for place in range(at + 8, end, 16):
                self._address(place, 16, end)
        elif kind not in (5, 14):  # MTU, nonce
            self._zero(at + 2, end)

    # ------------------------------------------------------------------ bytes

    def _address(self, at: int, size: int, end: int) -> None:
        if at + size <= end:
            self._new[at : at + size] = self._addresses.packed(self._old[at : at + size])
        else:
            self._zero(at, end)

    def _zero(self, at: int, end: int) -> None:
        if at < end:
            self._new[at:end] = bytes(end - at)
