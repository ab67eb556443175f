"""Options that hold addresses: of IPv4, of TCP, and in the extension headers of IPv6.

House rules of this file:
1. `old` is read, `new` is written; nothing beyond `end`.
2. Kinds and lengths stay, for evidence counts them; values that are not known here become zeros.
"""

from __future__ import annotations

from netprobe.redaction.prefixes import Addresses
from netprobe.redaction.sums import summed
from netprobe.tracker.network import IP_ROUTING

_ROUTES = (7, 131, 137)  # record route, loose and strict source route (RFC 791 3.1)
_TIMES = 68
_PLAIN_4 = (130, 148)  # security, router alert
_PLAIN_TCP = frozenset({2, 3, 4, 5, 8, 14, 15, 19, 28, 29, 34, 254})
_MPTCP, _ADD_ADDRESS = 30, 3
_HOME_ADDRESS = 201  # RFC 6275 6.3
_PLAIN_6 = frozenset({1, 4, 5, 0xC2})  # padding, tunnel limit, router alert, jumbo


def ipv4(old: bytes, new: bytearray, at: int, end: int, addresses: Addresses) -> None:
    """RFC 791."""
    for kind, begin, stop in _options(old, at, end, single=(0, 1)):
        if kind in _ROUTES:
            for place in range(begin + 1, stop - 3, 4):
                new[place : place + 4] = addresses.packed(old[place : place + 4])
        elif kind == _TIMES and stop - begin >= 2 and old[begin + 1] & 15 in (1, 3):
            for place in range(begin + 2, stop - 3, 8):
                new[place : place + 4] = addresses.packed(old[place : place + 4])
        elif kind not in _PLAIN_4 and kind != _TIMES:
            new[begin:stop] = bytes(stop - begin)


def tcp(old: bytes, new: bytearray, at: int, end: int, addresses: Addresses) -> None:
    """RFC 9293 3.2. An MD5 signature is none of what it signed any more; it stays, for it tells nothing."""
    for kind, begin, stop in _options(old, at, end, single=(0, 1)):
        if kind == _MPTCP and begin < stop and old[begin] >> 4 == _ADD_ADDRESS:  # RFC 8684 3.4.1
            size = 16 if stop - begin >= 18 else 4
            if stop - begin >= 2 + size:
                new[begin + 2 : begin + 2 + size] = addresses.packed(old[begin + 2 : begin + 2 + size])
        elif kind not in _PLAIN_TCP and kind != _MPTCP:
            new[begin:stop] = bytes(stop - begin)


def ipv6(old: bytes, new: bytearray, protocol: int, at: int, end: int, addresses: Addresses) -> int | None:
    """An extension header old[at:end]. Of a routing header that isn't used up, by how much the sum of the final
    destination changes: the pseudo header has that one (RFC 8200 8.1)."""
    if protocol == IP_ROUTING:
        return _routing(old, new, at, end, addresses)
    if protocol not in (0, 60):
        new[at + 8 : end] = bytes(max(end - at - 8, 0))
        return None
    for kind, begin, stop in _options(old, at + 2, end, single=(0,)):
        if kind == _HOME_ADDRESS and stop - begin == 16:
            new[begin:stop] = addresses.packed(old[begin:stop])
        elif kind not in _PLAIN_6:
            new[begin:stop] = bytes(stop - begin)
    return None


def _routing(old: bytes, new: bytearray, at: int, end: int, addresses: Addresses) -> int | None:
    """Types 0 and 2 (RFC 2460, RFC 6275): addresses, the final one last; type 4 (RFC 8754): the final one first."""
    kind, left = old[at + 2], old[at + 3]
    places = range(at + 8, end - 15, 16)
    if kind not in (0, 2, 4):
        new[at + 8 : end] = bytes(max(end - at - 8, 0))
        return None
    count = old[at + 4] + 1 if kind == 4 else len(places)
    for n, place in enumerate(places):
        if n < count:
            new[place : place + 16] = addresses.packed(old[place : place + 16])
        else:
            new[place : place + 16] = bytes(16)
    rest = at + 8 + 16 * len(places)
    new[rest:end] = bytes(max(end - rest, 0))
    if not left or not places:
        return None
    final = places[0] if kind == 4 else places[-1]
    return summed(new[final : final + 16]) - summed(old[final : final + 16])


def _options(old: bytes, at: int, end: int, *, single: tuple[int, ...]) -> list[tuple[int, int, int]]:
    """Kind, and where its value begins and ends, of each option. Kinds in `single` are one octet; 0 is the last of
    IPv4 and TCP and padding in IPv6, which has lengths that don't count kind and length."""
    found = []
    six = len(single) == 1
    while at < end:
        kind = old[at]
        if kind in single:
            if kind == 0 and not six:
                break
            at += 1
            continue
        size = old[at + 1] + (2 if six else 0) if at + 1 < end else 0
        if size < 2:
            found.append((-1, min(at + 1, end), end))
            break
        found.append((kind, min(at + 2, end), min(at + size, end)))
        at += size
    return found
