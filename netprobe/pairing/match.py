"""Which packet of one side is which of the other, each at most once.

House rules of this file:
1. A packet is the same where direction, number, length and flags are; numbers count from the ISS where both sides have
   it, so that a firewall that randomises them is no hindrance.
2. Copies (retransmissions) are told apart by IP ID and timestamp, else by time, and never change their order.
3. What the network card cut or joined (segmentation offload) is neither lost nor forged: the bytes are compared.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from netprobe.pairing.clocks import Clocks, Sample
from netprobe.pairing.couples import Couple
from netprobe.pairing.packet import Packet
from netprobe.tracker import columns as c

SPACE = 1 << 32
_KIND = c.F_SYN | c.F_FIN | c.F_RST | c.F_ACK
Pairs = list[tuple[int | None, int | None]]


@dataclass(frozen=True, slots=True)
class Numbers:
    """Where numbering begins in each direction, for both sides; 0 where it isn't known."""

    client: tuple[int, int]  # there, back: of the client's capture
    server: tuple[int, int]


@dataclass(slots=True)
class Way:
    """One direction of a couple: the packets of the side that sent it and of the side that received it, and which is
    which."""

    there: bool
    sent: list[Packet]
    received: list[Packet]
    pairs: Pairs
    split_sent: set[int]
    split_received: set[int]
    numbers: tuple[int, int]  # where numbering begins for the sender's and the receiver's side


def numbers(couple: Couple) -> Numbers:
    """From SYN and SYN-ACK, where both sides have them."""
    client, server = couple.client, couple.server
    assert server is not None
    there = (client.iss, server.iss) if client.iss is not None and server.iss is not None else (0, 0)
    back = (0, 0)
    if client.server_iss is not None and server.server_iss is not None:
        back = (client.server_iss, server.server_iss)
    return Numbers((there[0] or 0, back[0]), (there[1] or 0, back[1]))


def match(couple: Couple, clocks: Clocks) -> tuple[Way, Way]:
    """Both directions of a couple."""
    assert couple.server is not None
    base = numbers(couple)
    client, server = couple.client.packets(), couple.server.packets()
    return (
        _way(True, client[0], server[0], base.client, base.server, clocks),
        _way(False, server[1], client[1], base.server[::-1], base.client[::-1], clocks),
    )


def samples(ways: Iterable[Way]) -> Iterator[Sample]:
    """The times of packets that both sides have."""
    for way in ways:
        for i, j in way.pairs:
            if i is not None and j is not None:
                one, other = way.sent[i].time_ns, way.received[j].time_ns
                yield Sample(one, other, True) if way.there else Sample(other, one, False)


def _way(
    there: bool,
    sent: list[Packet],
    received: list[Packet],
    base_sent: tuple[int, int],
    base_received: tuple[int, int],
    clocks: Clocks,
) -> Way:
    """One direction. `base_...`: where numbering of this and of the other direction begins."""
    by_key: dict[Hashable, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for i, packet in enumerate(sent):
        by_key[_key(packet, base_sent)][0].append(i)
    for j, packet in enumerate(received):
        by_key[_key(packet, base_received)][1].append(j)
    partner: dict[int, int] = {}
    for out, came in by_key.values():
        partner.update(_copies(sent, received, out, came, there, clocks))
    taken = set(partner.values())
    pairs: Pairs = [(i, partner.get(i)) for i in range(len(sent))]
    pairs += [(None, j) for j in range(len(received)) if j not in taken]
    left = [i for i, j in pairs if j is None and i is not None]
    more = [j for i, j in pairs if i is None and j is not None]
    ours, theirs = _ranges(sent, left, base_sent[0]), _ranges(received, more, base_received[0])
    return Way(
        there,
        sent,
        received,
        pairs,
        {i for i in left if _inside(sent[i], base_sent[0], theirs)},
        {j for j in more if _inside(received[j], base_received[0], ours)},
        (base_sent[0], base_received[0]),
    )


def _key(packet: Packet, base: tuple[int, int]) -> Hashable:
    flags = packet.flags & _KIND
    seq = (packet.seq - base[0]) % SPACE
    if packet.payload or not flags & c.F_ACK:
        return seq, packet.payload, flags & ~c.F_ACK, 0
    return seq, 0, flags, (packet.ack - base[1]) % SPACE


def _copies(
    sent: Sequence[Packet], received: Sequence[Packet], out: list[int], came: list[int], there: bool, clocks: Clocks
) -> dict[int, int]:
    """Which of several like packets is which."""
    if len(out) == len(came):
        return dict(zip(out, came, strict=True))
    found: dict[int, int] = {}
    if not out or not came:
        return found
    by_mark = _ordered(out, came, lambda i, j: _same_mark(sent[i], received[j]))
    if by_mark:
        return by_mark
    if clocks.offset_ns is None:
        return dict(zip(out, came, strict=False))
    # Later copies leave later: of those that had left by then, the last one came.
    slack = (clocks.uncertainty_ns or 0) + 1_000_000
    last = -1
    for place, j in enumerate(came):
        arrived = received[j].time_ns
        expected = clocks.at_client(arrived) if there else clocks.at_server(arrived)
        keep = len(came) - place - 1
        usable = [n for n in range(last + 1, len(out)) if len(out) - n > keep or len(out) < len(came)]
        gone = [n for n in usable if sent[out[n]].time_ns <= expected + slack]
        if gone:
            last = gone[-1]
            found[out[last]] = j
    return found


def _same_mark(one: Packet, other: Packet) -> bool:
    """Whether what distinguishes copies of one packet is the same."""
    if one.timestamp is not None and other.timestamp is not None and one.timestamp != other.timestamp:
        return False
    if one.ip_id and other.ip_id:
        return one.ip_id == other.ip_id
    return one.timestamp is not None and one.timestamp == other.timestamp


def _ordered(out: list[int], came: list[int], same: object) -> dict[int, int]:
    found: dict[int, int] = {}
    last = 0
    for j in came:
        for n in range(last, len(out)):
            if same(out[n], j):  # type: ignore[operator]
                found[out[n]] = j
                last = n + 1
                break
    return found


def _ranges(packets: Sequence[Packet], chosen: Iterable[int], base: int) -> list[tuple[int, int]]:
    """The bytes of these packets as ranges, joined where they touch."""
    spans = sorted(
        ((packets[i].seq - base) % SPACE, (packets[i].seq - base) % SPACE + packets[i].payload)
        for i in chosen
        if packets[i].payload
    )
    joined: list[tuple[int, int]] = []
    for begin, end in spans:
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((begin, end))
    return joined


def _inside(packet: Packet, base: int, ranges: Sequence[tuple[int, int]]) -> bool:
    if not packet.payload:
        return False
    begin = (packet.seq - base) % SPACE
    return any(low <= begin and begin + packet.payload <= high for low, high in ranges)
