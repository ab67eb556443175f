"""Keyed maps of addresses that keep common prefixes: two addresses that share their first n bits, and no more, are
mapped to two that share their first n bits, and no more.

The idea is Crypto-PAn's (Xu, Fan, Ammar, Moon: Prefix-preserving IP address anonymization, 2002): each bit is flipped
or not, as a keyed function of the bits before it says; here that function is BLAKE2b. Ranges of a special kind stay
where they are, so that a loopback address stays one: no bit is flipped whose both values lead to different kinds.
That has a price: an address keeps the first bits that it shares with the next special range.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable
from functools import lru_cache

KEY_SIZE = 32
# What becomes of a range's addresses: nothing, others of the same range, or an IPv4 address in them is mapped.
KEEP, WITHIN, EMBEDS = "keep", "within", "embeds"

# IANA's special-purpose address registries (RFC 6890). 192.0.2.253 and its like are what a scan probes as addresses
# that nobody has: evidence knows them by their value.
_RANGES_4 = {
    KEEP: ("0.0.0.0/8", "127.0.0.0/8", "192.0.0.0/24", "224.0.0.0/4", "240.0.0.0/4"),
    WITHIN: (
        "10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.0.2.0/24", "192.168.0.0/16",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
    ),
}  # fmt: skip
# Groups say which protocol is spoken, but for those made of an address: solicited-node groups (RFC 4291 2.7.1) and
# groups of a prefix (RFC 3306).
_RANGES_6 = {
    KEEP: ("ff00::/12", "ff10::/12"),
    WITHIN: (
        "100::/64", "2001::/32", "2001:db8::/32", "3fff::/20", "fc00::/8", "fd00::/8", "fe80::/10", "fe80::/64",
        "fec0::/10", "ff20::/11", "ff40::/10", "ff80::/9",
    ),
    EMBEDS: ("::/96", "::ffff:0:0/96", "64:ff9b::/96", "2002::/16"),
}  # fmt: skip
_SOLICITED = int(ipaddress.IPv6Address("ff02::1:ff00:0"))


class PrefixMap:
    """One map, of numbers of `bits` bits. `ranges`: first number and length of the prefix, what becomes of it.
    `embedded`: the map of what some ranges embed; `still`: places of bits that are never flipped."""

    def __init__(
        self,
        key: bytes,
        bits: int,
        ranges: Iterable[tuple[int, int, str]] = (),
        *,
        embedded: PrefixMap | None = None,
        still: frozenset[int] = frozenset(),
    ) -> None:
        self._key = key
        self._bits = bits
        self._embedded = embedded
        self._still = still
        self._ranges: dict[tuple[int, int], str] = {}
        self._fixed: set[tuple[int, int]] = set()  # length and value of the prefixes that lead to a range
        for first, length, what in ranges:
            prefix = first >> (bits - length)
            self._ranges[length, prefix] = what
            self._fixed.update((n, prefix >> (length - n)) for n in range(length))

    def __call__(self, number: int) -> int:
        """The number that stands for this one."""
        bits, ranges = self._bits, self._ranges
        found = at = 0
        while at < bits:
            prefix = number >> (bits - at)
            what = ranges.get((at, prefix))
            if what == KEEP:
                rest = bits - at
                return found << rest | number & ((1 << rest) - 1)
            if what == EMBEDS and self._embedded is not None:
                found = found << 32 | self._embedded(number >> (bits - at - 32) & 0xFFFFFFFF)
                at += 32
                continue
            bit = number >> (bits - at - 1) & 1
            if at not in self._still and (at, prefix) not in self._fixed:
                bit ^= self._flips(at, prefix)
            found = found << 1 | bit
            at += 1
        return found

    def _flips(self, length: int, prefix: int) -> int:
        said = length.to_bytes(1) + prefix.to_bytes(16)
        return hashlib.blake2b(said, digest_size=1, key=self._key).digest()[0] & 1


class Addresses:
    """The maps of one key: IPv4, IPv6, MAC addresses. `stay`: addresses that are mapped to themselves."""

    def __init__(self, key: bytes, stay: Iterable[str] = ()) -> None:
        parsed = [ipaddress.ip_address(text) for text in stay]
        points = {v: [(int(one), one.max_prefixlen, KEEP) for one in parsed if one.version == v] for v in (4, 6)}
        four = PrefixMap(_subkey(key, "ipv4"), 32, [*_parsed(_RANGES_4), *points[4]])
        # Within ff02::/16, which is kept otherwise, the solicited-node groups have a map of their own.
        self._low = PrefixMap(_subkey(key, "solicited"), 24)
        six = PrefixMap(_subkey(key, "ipv6"), 128, [*_parsed(_RANGES_6), *points[6]], embedded=four)
        mac = PrefixMap(_subkey(key, "mac"), 48, _MACS, still=_MAC_BITS)
        self._four, self._mac = lru_cache(1 << 17)(four), lru_cache(1 << 16)(mac)
        self._six = lru_cache(1 << 17)(lambda number: self._solicited(number, six))

    def _solicited(self, number: int, six: PrefixMap) -> int:
        if number >> 24 == _SOLICITED >> 24:
            return number >> 24 << 24 | self._low(number & 0xFFFFFF)
        return six(number)

    def packed(self, octets: bytes) -> bytes:
        """Of 4 or 16 octets."""
        if len(octets) == 4:
            return self._four(int.from_bytes(octets)).to_bytes(4)
        return self._six(int.from_bytes(octets)).to_bytes(16)

    def mac(self, octets: bytes) -> bytes:
        """Of 6 octets. Those of a group follow the group's address."""
        if octets[:3] == b"\x33\x33\xff":  # of a solicited-node group (RFC 2464 7)
            return octets[:3] + self._low(int.from_bytes(octets[3:])).to_bytes(3)
        return self._mac(int.from_bytes(octets)).to_bytes(6)

    def text(self, address: str) -> str:
        """Of an address in text, without a zone. ValueError where it is none."""
        return str(ipaddress.ip_address(self.packed(ipaddress.ip_address(address).packed)))

    def block(self, block: str) -> str:
        """Of a block: all of its addresses, and no others, are mapped into this one. ValueError where it is none."""
        network = ipaddress.ip_network(block, strict=False)
        first = self.packed(network.network_address.packed)
        return str(ipaddress.ip_network((first, network.prefixlen), strict=False))


def _parsed(ranges: dict[str, tuple[str, ...]]) -> list[tuple[int, int, str]]:
    networks = ((ipaddress.ip_network(block), what) for what, blocks in ranges.items() for block in blocks)
    return [(int(one.network_address), one.prefixlen, what) for one, what in networks]


def _subkey(key: bytes, use: str) -> bytes:
    """A key for one use: what one map shows says nothing of another."""
    return hashlib.blake2b(use.encode(), digest_size=KEY_SIZE, key=key).digest()


# Nobody, everybody, groups of IPv4 and IPv6, bridges, virtual routers (RFC 9542).
_MACS = [
    (0, 48, KEEP), ((1 << 48) - 1, 48, KEEP), (0x01005E << 24, 24, KEEP), (0x3333 << 32, 16, KEEP),
    (0x0180C2 << 24, 24, KEEP), (0x00005E << 24, 24, KEEP),
]  # fmt: skip
_MAC_BITS = frozenset({6, 7})  # of its own making, of a group
