"""Which conversation of one side is which of the other.

A conversation is the same where client and server have the same addresses and ports and the SYN the same number; where
NAT rewrote addresses or ports, the SYN's number is what remains, or its timestamp where a firewall randomises numbers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass

from netprobe.model import Endpoint
from netprobe.pairing.clocks import Clocks
from netprobe.pairing.packet import Packet
from netprobe.pairing.side import Conversation
from netprobe.tracker import columns as c

SAME_TIME_NS = 3_000_000_000  # between two sights of one packet: longer than any path, shorter than a port's reuse


@dataclass(slots=True)
class Half:
    """A conversation of one side. `turned`: this side took the server for the client (it began too late)."""

    talk: Conversation
    turned: bool = False
    iss: int | None = None  # the number of the client's SYN
    server_iss: int | None = None  # the number of the server's SYN-ACK
    stamp: bytes | None = None  # TSval of the first SYN

    @staticmethod
    def of(talk: Conversation, *, turned: bool = False) -> Half:
        """From the true client's point of view."""
        half = Half(talk, turned)
        there, back = half.packets()
        opening = next((p for p in there if p.opens), None)
        if opening is not None:
            half.iss, half.stamp = opening.seq, opening.timestamp
        half.server_iss = next((p.seq for p in back if p.flags & c.F_SYN), None)
        return half

    def packets(self) -> tuple[list[Packet], list[Packet]]:
        """Those that were kept, there and back; unpacked anew each time, for there may be millions."""
        there, back = self.talk.there.packets(), self.talk.back.packets()
        if not self.turned:
            return there, back
        return [p._replace(there=True) for p in back], [p._replace(there=False) for p in there]

    @property
    def skipped(self) -> tuple[int, int]:
        """Packets that were not kept: there and back."""
        ways = (self.talk.there, self.talk.back)
        return (ways[1].skipped, ways[0].skipped) if self.turned else (ways[0].skipped, ways[1].skipped)

    @property
    def ends(self) -> tuple[Endpoint, Endpoint]:
        """Client and server."""
        return (self.talk.server, self.talk.client) if self.turned else self.talk.ends


@dataclass(slots=True)
class Couple:
    """One attempt in both captures; without `server` where the server's doesn't have it."""

    client: Half
    server: Half | None = None
    matched: str | None = None


def couples(
    clients: Iterable[Conversation], servers: Iterable[Conversation], clocks: Callable[[list[Couple]], Clocks]
) -> list[Couple]:
    """A couple for each conversation of the client's capture, each of the server's used at most once. `clocks`
    estimates, from those that are beyond doubt, how far the clocks are apart; the others are tried after that."""
    found = [Couple(Half.of(talk)) for talk in clients]
    free: dict[int, Half] = {talk.born: Half.of(talk) for talk in servers}
    _join(found, free, lambda half: _numbered(half, half.iss), "four-tuple")
    _join(found, free, lambda half: _numbered(half, half.server_iss), "four-tuple")
    offset = clocks([one for one in found if one.server is not None])
    _join(found, free, lambda half: half.iss, "iss", offset)
    _join(found, free, lambda half: half.server_iss, "iss", offset)
    _join(found, free, lambda half: half.ends if half.iss is not None else None, "four-tuple", offset)
    _join(found, free, lambda half: half.stamp and (half.stamp, half.ends[1].port), "timestamp", offset)
    _join_midstream(found, free, offset)
    return found


def _numbered(half: Half, number: int | None) -> Hashable:
    return None if number is None else (half.ends, number)


def _join(
    found: list[Couple],
    free: dict[int, Half],
    key_of: Callable[[Half], Hashable],
    matched: str,
    clocks: Clocks | None = None,
) -> None:
    """Join what has the same key, in order of time; with `clocks`, only what was seen at the same time."""
    waiting: dict[Hashable, list[Half]] = defaultdict(list)
    for half in free.values():
        key = key_of(half)
        if key is not None:
            waiting[key].append(half)
    for one in found:
        key = key_of(one.client) if one.server is None else None
        partners = waiting.get(key, []) if key is not None else []
        for partner in partners:
            if clocks is None or _same_time(one.client, partner, clocks, alone=len(partners) == 1):
                one.server, one.matched = partner, matched
                partners.remove(partner)
                del free[partner.talk.born]
                break


def _same_time(client: Half, server: Half, clocks: Clocks, *, alone: bool) -> bool:
    if client.iss is not None and client.iss == server.iss and clocks.offset_ns is None:
        return alone  # nothing tells how the clocks stand; the number is one of four thousand million
    if clocks.offset_ns is None:
        return alone and client.stamp is not None and client.stamp == server.stamp
    # The first packets may be lost, so it is enough that one conversation begins while the other lasts.
    begin = clocks.at_server(client.talk.first_ns)
    end = clocks.at_server(client.talk.last_ns)
    margin = SAME_TIME_NS + (clocks.uncertainty_ns or 0)
    return server.talk.first_ns <= end + margin and begin <= server.talk.last_ns + margin


def _join_midstream(found: list[Couple], free: dict[int, Half], clocks: Clocks) -> None:
    """What one side or both saw only from the middle on: the same ends (perhaps the other way round), and a packet with
    the same number and length."""
    by_ends: dict[frozenset[Endpoint], list[Half]] = defaultdict(list)
    for half in free.values():
        by_ends[frozenset(half.ends)].append(half)
    for one in found:
        if one.server is not None:
            continue
        for partner in by_ends.get(frozenset(one.client.ends), []):
            if partner.talk.born not in free:
                continue
            turned = partner.ends != one.client.ends
            other = Half.of(partner.talk, turned=True) if turned else partner
            if _shared(one.client, other) and (
                clocks.offset_ns is None or _same_time(one.client, other, clocks, alone=True)
            ):
                one.server, one.matched = other, "four-tuple"
                del free[partner.talk.born]
                break


def _shared(one: Half, other: Half) -> bool:
    return bool(set(_marks(one)) & set(_marks(other)))


def _marks(half: Half) -> Iterator[tuple[bool, int, int, int]]:
    for packet in (*half.packets()[0], *half.packets()[1]):
        yield packet.there, packet.seq, packet.ack, packet.payload
