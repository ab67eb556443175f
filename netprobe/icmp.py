"""ICMP and ICMPv6 messages that answer a TCP segment, keyed by (IP version, type, code).

House rules of this file:
1. Every meaning of an ICMP code is decided here, for both families.
2. An unknown code is a value (kind `other`), never an exception.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class IcmpKind(StrEnum):
    """What an error says, whatever the family."""

    NETWORK = "network"  # no route to the network
    HOST = "host"  # the last router can't reach the host, or a route says so
    PORT = "port"  # nobody at this port; a TCP stack never says so for TCP
    PROTOCOL = "protocol"
    PROHIBITED = "prohibited"  # a filter, by its own word
    EXPIRED = "expired"  # TTL or hop limit ran out on the way
    REASSEMBLY = "reassembly"  # fragments missing after the reassembly time
    TOO_BIG = "too-big"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Meaning:
    """`reason` is nmap's word (portreasons.cc names them so); `text` is for people."""

    kind: IcmpKind
    reason: str
    text: str


# RFC 792; RFC 1122 3.2.2.1 (codes 6 to 12); RFC 1812 5.2.7.1 (13 to 15); RFC 4443 3.1 to 3.3; RFC 6550 (1/7).
MEANINGS: dict[tuple[int, int, int], Meaning] = {
    (4, 3, 0): Meaning(IcmpKind.NETWORK, "net-unreach", "network unreachable"),
    (4, 3, 1): Meaning(IcmpKind.HOST, "host-unreach", "host unreachable"),
    (4, 3, 2): Meaning(IcmpKind.PROTOCOL, "proto-unreach", "protocol unreachable"),
    (4, 3, 3): Meaning(IcmpKind.PORT, "port-unreach", "port unreachable"),
    (4, 3, 4): Meaning(IcmpKind.TOO_BIG, "frag-needed", "fragmentation needed and DF set"),
    (4, 3, 5): Meaning(IcmpKind.HOST, "source-route-failed", "source route failed"),
    (4, 3, 6): Meaning(IcmpKind.NETWORK, "net-unknown", "destination network unknown"),
    (4, 3, 7): Meaning(IcmpKind.HOST, "host-unknown", "destination host unknown"),
    (4, 3, 8): Meaning(IcmpKind.HOST, "source-host-isolated", "source host isolated"),
    (4, 3, 9): Meaning(IcmpKind.PROHIBITED, "net-prohibited", "network administratively prohibited"),
    (4, 3, 10): Meaning(IcmpKind.PROHIBITED, "host-prohibited", "host administratively prohibited"),
    (4, 3, 11): Meaning(IcmpKind.NETWORK, "net-unreach-tos", "network unreachable for this type of service"),
    (4, 3, 12): Meaning(IcmpKind.HOST, "host-unreach-tos", "host unreachable for this type of service"),
    (4, 3, 13): Meaning(IcmpKind.PROHIBITED, "admin-prohibited", "communication administratively prohibited"),
    (4, 3, 14): Meaning(IcmpKind.PROHIBITED, "host-precedence", "host precedence violation"),
    (4, 3, 15): Meaning(IcmpKind.PROHIBITED, "precedence-cutoff", "precedence cutoff in effect"),
    (4, 11, 0): Meaning(IcmpKind.EXPIRED, "time-exceeded", "time to live exceeded in transit"),
    (4, 11, 1): Meaning(IcmpKind.REASSEMBLY, "reassembly-time-exceeded", "fragment reassembly time exceeded"),
    (6, 1, 0): Meaning(IcmpKind.NETWORK, "no-route", "no route to destination"),
    (6, 1, 1): Meaning(IcmpKind.PROHIBITED, "admin-prohibited", "communication administratively prohibited"),
    (6, 1, 2): Meaning(IcmpKind.NETWORK, "beyond-scope", "beyond scope of the source address"),
    (6, 1, 3): Meaning(IcmpKind.HOST, "addr-unreach", "address unreachable"),
    (6, 1, 4): Meaning(IcmpKind.PORT, "port-unreach", "port unreachable"),
    (6, 1, 5): Meaning(IcmpKind.PROHIBITED, "source-policy", "source address failed ingress/egress policy"),
    (6, 1, 6): Meaning(IcmpKind.PROHIBITED, "reject-route", "reject route to destination"),
    (6, 1, 7): Meaning(IcmpKind.NETWORK, "source-route-error", "error in source routing header"),
    (6, 2, 0): Meaning(IcmpKind.TOO_BIG, "packet-too-big", "packet too big"),
    (6, 3, 0): Meaning(IcmpKind.EXPIRED, "time-exceeded", "hop limit exceeded in transit"),
    (6, 3, 1): Meaning(IcmpKind.REASSEMBLY, "reassembly-time-exceeded", "fragment reassembly time exceeded"),
}


def meaning(version: int, kind: int, code: int) -> Meaning:
    """The meaning of an ICMP error; an unknown one gets kind `other` and its numbers as its name."""
    found = MEANINGS.get((version, kind, code))
    if found is not None:
        return found
    return Meaning(IcmpKind.OTHER, f"icmp-{kind}-{code}", f"ICMP{'v6' if version == 6 else ''} type {kind} code {code}")


def label(version: int, kind: int, code: int) -> str:
    """`ICMP 3/13` or `ICMPv6 1/1`, as the texts of this project write it."""
    return f"ICMP{'v6' if version == 6 else ''} {kind}/{code}"
