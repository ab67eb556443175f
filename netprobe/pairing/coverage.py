"""Whether a side could have seen a packet that it doesn't have.

House rules of this file:
1. PROVEN needs: the capture running before and after, nothing dropped or missed, and packets between the same two
   hosts in the same direction and of the same server port in it, so that no filter left them out.
2. That a capture was running is told by packets that both have: one that left earlier and one that left later, by
   the clock of who sent them. The clocks needn't agree for that, nor be compared. Only what was sent before the first
   or after the last of those is placed by comparing clocks.
3. NO where the packet lies outside of the capture's time. What lies between is LIKELY, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from netprobe.model import Endpoint
from netprobe.pairing.clocks import Clocks
from netprobe.pairing.couples import Couple
from netprobe.pairing.side import Side

PROVEN, LIKELY, NO = "proven", "likely", "no"
SLACK_NS = 1_000_000  # for what a clock's reading costs
RARE = 50  # one packet in so many missing, three copies of one are hardly missing all
LATE_NS = 200_000_000  # a packet may have to wait on its way
BOUND_SLACK_NS = 2_000_000_000  # where the clocks have only a bound: longer than a packet travels


@dataclass(frozen=True, slots=True)
class Coverage:
    """How sure it is that a packet would be there, and what keeps it from being proven."""

    how: str
    because: str = ""
    rare: bool = False  # all that speaks against it is that this capture lacks a packet here and there


@dataclass(slots=True)
class Names:
    """How the hosts of the client's capture are called in the server's: more than one name where NAT is between."""

    addresses: dict[str, set[str]] = field(default_factory=dict)
    servers: dict[Endpoint, set[Endpoint]] = field(default_factory=dict)

    @staticmethod
    def of(couples: Iterable[Couple]) -> Names:
        """As the conversations that both have call them."""
        names = Names()
        for couple in couples:
            if couple.server is None:
                continue
            for here, there in zip(couple.client.ends, couple.server.ends, strict=True):
                names.addresses.setdefault(here.address, set()).add(there.address)
            names.servers.setdefault(couple.client.ends[1], set()).add(couple.server.ends[1])
        return names

    def address(self, address: str) -> set[str]:
        """Its names in the server's capture."""
        return self.addresses.get(address, set()) | {address}

    def server(self, server: Endpoint) -> set[Endpoint]:
        """The same of a server's port."""
        known = self.servers.get(server)
        return known or {Endpoint(address, server.port) for address in self.address(server.address)}


@dataclass(slots=True)
class Watcher:
    """A side that may have seen a conversation: under which names, and how its clock stands."""

    side: Side
    whose: str  # client's or server's
    clocks: Clocks
    clients: set[str]
    servers: set[Endpoint]
    span: tuple[int, int] | None = None  # by the other side's clock: from the first to the last packet that both have

    def covers(self, other_ns: int, *, there: bool, icmp: bool = False) -> Coverage:
        """Whether it would have seen a packet that the other side saw at `other_ns` of the other's clock."""
        name = f"the {self.whose} capture"
        if self.side.first_ns is None or self.side.last_ns is None:
            return Coverage(NO, f"{name} has no packets")
        if self.span is not None and self.span[0] <= other_ns <= self.span[1]:
            return self._likely(name, there=there, icmp=icmp)
        time_ns = self.clocks.at_server(other_ns) if self.whose == "server's" else self.clocks.at_client(other_ns)
        slack = SLACK_NS + (BOUND_SLACK_NS if self.clocks.uncertainty_ns is None else self.clocks.uncertainty_ns)
        if time_ns - slack < self.side.first_ns:
            return Coverage(NO, f"{name} may have begun later")
        if time_ns + slack + LATE_NS > self.side.last_ns:
            return Coverage(NO, f"{name} may have ended before")
        return self._likely(name, there=there, icmp=icmp)

    def _likely(self, name: str, *, there: bool, icmp: bool) -> Coverage:
        addresses = {server.address for server in self.servers}
        ways = [(one, other) for one in self.clients for other in addresses]
        if not there:
            ways = [(other, one) for one, other in ways]
        if not any(other in pair for pair in self.side.sighted for other in addresses):
            return Coverage(NO, f"{name} shows nothing of the server's address")
        if self.clocks.offset_ns is None:
            return Coverage(LIKELY, "no packet is in both captures, so the clocks can't be compared")
        if not any(way in self.side.sighted for way in ways):
            way = "client to server" if there else "server to client"
            return Coverage(LIKELY, f"{name} shows nothing else from {way}")
        if icmp and not self.side.icmp:
            return Coverage(LIKELY, f"{name} shows no ICMP at all: a filter may leave it out")
        if not any((one.address, one.port) in self.side.ports for one in self.servers):
            return Coverage(LIKELY, f"{name} never shows this port: a filter may leave it out")
        lacking = self.side.dropped + self.side.missed
        if lacking:
            told = (
                f"itself dropped {lacking} packets"
                if self.side.dropped
                else f"lacks {lacking} that must have been there"
            )
            return Coverage(LIKELY, f"{name} {told}", rare=lacking * RARE <= self.side.frames)
        return Coverage(PROVEN)
