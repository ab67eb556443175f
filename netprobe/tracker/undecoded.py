"""Packets that are only counted, by what they are.

House rules of this file:
1. Nothing is dropped uncounted: the packets that are decoded and those told here are all there were.
2. `count_what` is written in the subset of Python that Numba compiles.
"""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence

from netprobe.tracker.columns import (
    D_PROTOCOL,
    D_WHAT,
    DECODABLE,
    N_PROTOCOLS,
    N_WHAT,
    P_ENCRYPTED,
    P_ESP,
    P_FRAGMENT,
    P_ICMP_OTHER,
    P_MALFORMED,
    P_NOT_IP,
    P_OTHER,
    P_SCTP,
    P_SHORT,
    P_TUNNEL,
    P_UDP,
    P_UNKNOWN_LINK,
    PROTOCOLS,
    WHATS,
)
from netprobe.tracker.link import ARP, K_LLC, K_PPP, K_WIFI_AGGREGATE, K_WIFI_CONTROL
from netprobe.tracker.octets import Row

PLACE = 1 << 20  # above every D_WHAT

NAMES = {
    P_UDP: "udp",
    P_SCTP: "sctp",
    P_ESP: "esp",
    P_ICMP_OTHER: "icmp",
    P_FRAGMENT: "fragment",
    P_SHORT: "short",
    P_MALFORMED: "malformed",
    P_TUNNEL: "tunnel",
    P_ENCRYPTED: "encrypted-link",
    P_OTHER: "other-ip",
    P_NOT_IP: "not-ip",
    P_UNKNOWN_LINK: "unknown-link",
}
TUNNEL = NAMES[P_TUNNEL]


def count_what(counters: MutableSequence[int], d: Row) -> None:
    """Count a packet that isn't decoded by its EtherType, IP protocol or link type, as long as there is room for
    another."""
    protocol = d[D_PROTOCOL]
    if protocol != P_OTHER and protocol != P_NOT_IP and protocol != P_UNKNOWN_LINK:
        return
    key = protocol * PLACE + d[D_WHAT]
    for i in range(WHATS):
        at = N_WHAT + 2 * i
        if counters[at] == 0:
            counters[at] = key
        if counters[at] == key:
            counters[at + 1] += 1
            return


def by_kind(counters: Sequence[int]) -> dict[str, int]:
    """How many packets were only counted, by kind, the most frequent first: NAMES, or, as far as they were told apart,
    `ethertype-0x88cc`, `arp`, `llc-0x42`, `ppp-0xc021`, `wifi-control`, `wifi-aggregate`, `ip-protocol-89`,
    `link-type-147`."""
    found: dict[str, int] = {}
    left = {protocol: int(counters[N_PROTOCOLS + protocol]) for protocol in range(DECODABLE, PROTOCOLS)}
    for i in range(WHATS):
        key, count = int(counters[N_WHAT + 2 * i]), int(counters[N_WHAT + 2 * i + 1])
        if count:
            found[_closer(key // PLACE, key % PLACE)] = count
            left[key // PLACE] -= count
    found |= {NAMES[protocol]: count for protocol, count in left.items() if count}
    return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))


def _closer(protocol: int, what: int) -> str:
    if protocol == P_OTHER:
        return f"ip-protocol-{what}"
    if protocol == P_UNKNOWN_LINK:
        return f"link-type-{what}"
    if what >= K_PPP:
        return f"ppp-{what - K_PPP:#06x}"
    if what >= K_WIFI_CONTROL:
        return "wifi-aggregate" if what == K_WIFI_AGGREGATE else "wifi-control"
    if what >= K_LLC:
        return f"llc-{what - K_LLC:#04x}"
    return "arp" if what == ARP else f"ethertype-{what:#06x}"
