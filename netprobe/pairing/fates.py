"""What became of each packet of an attempt between the two captures.

House rules of this file:
1. `lost`, `forged` and `copied` without a `because` are proven; with one, that is what keeps them from it.
2. A packet that was acknowledged has arrived, whether the capture has it or not: then it is the capture that lacks it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from netprobe import icmp
from netprobe.model import Crossing, Sight
from netprobe.pairing.changes import changes
from netprobe.pairing.couples import Couple
from netprobe.pairing.coverage import NO, Coverage, Watcher
from netprobe.pairing.match import SPACE, Way
from netprobe.pairing.packet import IcmpError, Packet
from netprobe.tracker import columns as c

MISSED = "it was acknowledged, so it arrived: the capture lacks it"
LEFT_OUT = "the middle of a long conversation is not kept"


@dataclass(frozen=True, slots=True)
class Fate:
    """One packet, where it was seen, and what became of it."""

    fate: str
    there: bool
    sent: Packet | IcmpError | None
    received: Packet | IcmpError | None
    because: str = ""
    changed: tuple[str, ...] = ()
    rare: bool = False  # `because` is no more than that a capture lacks a packet here and there

    @property
    def packet(self) -> Packet | IcmpError:
        """As it was sent, where that was seen."""
        found = self.sent or self.received
        assert found is not None
        return found

    @property
    def flags(self) -> int:
        """TCP flags; 0 of an ICMP error."""
        return self.packet.flags if isinstance(self.packet, Packet) else 0

    @property
    def proven(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.because


def missed(ways: tuple[Way, Way]) -> tuple[int, int]:
    """How many packets of a couple the client's and the server's capture must have missed: what their own side
    acknowledged and they don't have, and what the other side got that they never saw leave (no SYN and no reset, which
    others forge)."""
    there, back = ways
    client = len(_acknowledged(back, there)) + _unsent(there)
    return client, len(_acknowledged(there, back)) + _unsent(back)


def _unsent(way: Way) -> int:
    marks = {_mark(way.received[j]) for i, j in way.pairs if i is not None and j is not None}
    return sum(
        i is None
        and j is not None
        and j not in way.split_received
        and not way.received[j].flags & (c.F_RST | c.F_SYN)
        and _mark(way.received[j]) not in marks
        for i, j in way.pairs
    )


def _acknowledged(way: Way, other: Way) -> set[int]:
    """Packets that the receiver acknowledged though its capture lacks them. `other`: the other direction."""
    base = way.numbers[1]
    acks = [(p.ack - base) % SPACE for p in other.sent if p.flags & c.F_ACK and (p.ack - base) % SPACE < SPACE // 2]
    if not acks:
        return set()
    highest = max(acks)
    got = {(p.seq - base) % SPACE for p in way.received if p.length}
    found = set()
    for i, j in way.pairs:
        if i is None or j is not None or i in way.split_sent or not way.sent[i].length:
            continue
        begin = (way.sent[i].seq - way.numbers[0]) % SPACE
        if begin + way.sent[i].length <= highest and not any(begin <= one < begin + way.sent[i].length for one in got):
            found.add(i)
    return found


def fates(couple: Couple, ways: tuple[Way, Way], client: Watcher, server: Watcher) -> list[Fate]:
    """The fate of every packet of a couple, in order of time by the client's clock."""
    found: list[Fate] = []
    skipped_client = couple.client.skipped
    skipped_server = couple.server.skipped if couple.server is not None else (0, 0)
    for way, other in (ways, ways[::-1]):
        sender, receiver = (client, server) if way.there else (server, client)
        kept_less = (skipped_client, skipped_server) if way.there else (skipped_server, skipped_client)
        at = 0 if way.there else 1
        cuts = tuple(
            _cut(packets, base) if skipped[at] else None
            for packets, base, skipped in zip((way.sent, way.received), way.numbers, kept_less, strict=True)
        )
        found += _way(way, other, sender, receiver, (cuts[0], cuts[1]))
    theirs = couple.server.talk.icmp if couple.server is not None else []
    found += _icmp(couple.client.talk.icmp, theirs, client, server)
    return sorted(found, key=lambda one: _moment(one, client))


def _cut(packets: list[Packet], base: int) -> int:
    """Up to which number everything of a long conversation was kept."""
    from netprobe.pairing import HEAD

    return max(((p.seq - base) % SPACE for p in packets[:HEAD] if not p.flags & c.F_RST), default=0)


def _way(
    way: Way, other: Way, sender: Watcher, receiver: Watcher, cuts: tuple[int | None, int | None]
) -> Iterator[Fate]:
    heard = _acknowledged(way, other)
    matched_marks = {_mark(way.received[j]) for i, j in way.pairs if i is not None and j is not None}
    for i, j in way.pairs:
        a = None if i is None else way.sent[i]
        b = None if j is None else way.received[j]
        if a is not None and b is not None:
            yield Fate("arrived", way.there, a, b, changed=changes(a, b, way.numbers))
        elif a is not None and i is not None:
            if i in way.split_sent:
                yield Fate("split", way.there, a, None)
            elif i in heard:
                yield Fate("unseen", way.there, a, None, MISSED)
            elif cuts[1] is not None and (a.seq - way.numbers[0]) % SPACE >= cuts[1]:
                yield Fate("unseen", way.there, a, None, LEFT_OUT)
            else:
                yield _judged("lost", way.there, a, None, _expected(receiver, a.time_ns, way.there))
        elif b is not None and j is not None:
            if j in way.split_received:
                continue  # a piece of what was told already
            if cuts[0] is not None and (b.seq - way.numbers[1]) % SPACE >= cuts[0]:
                yield Fate("unseen", way.there, None, b, LEFT_OUT)
            elif _mark(b) in matched_marks:
                yield Fate("copied", way.there, None, b)
            elif b.flags & (c.F_RST | c.F_SYN):
                yield _judged("forged", way.there, None, b, _expected(sender, b.time_ns, way.there))
            else:
                yield Fate("unseen", way.there, None, b, f"the {sender.whose} capture lacks it")


def _mark(packet: Packet) -> tuple[object, ...]:
    """Two packets of one direction with the same mark are one that was copied on the way, unless the sender gives all
    its packets the same IP ID and no timestamps: a reset, then, is only told by its number."""
    return packet.seq, packet.ack, packet.flags, packet.payload, packet.ip_id, packet.timestamp


def _expected(watcher: Watcher, time_ns: int, there: bool, *, icmp: bool = False) -> Coverage:
    """Whether the other side should have what this one saw at `time_ns` of its own clock."""
    return watcher.covers(time_ns, there=there, icmp=icmp)


def _judged(
    fate: str, there: bool, sent: Packet | IcmpError | None, received: Packet | IcmpError | None, coverage: Coverage
) -> Fate:
    if coverage.how == NO:
        return Fate("unseen", there, sent, received, coverage.because)
    return Fate(fate, there, sent, received, coverage.because, rare=coverage.rare)


def _icmp(ours: list[IcmpError], theirs: list[IcmpError], client: Watcher, server: Watcher) -> Iterator[Fate]:
    """ICMP errors: type, code and the number they quote tell which is which."""
    waiting = list(theirs)
    for error in ours:
        same = [one for one in waiting if one[3:5] == error[3:5] and one.there == error.there]
        partner = next((one for one in same if one.quoted_seq == error.quoted_seq), same[0] if same else None)
        if partner is not None:
            waiting.remove(partner)
            sent, received = (error, partner) if error.there else (partner, error)
            yield Fate("arrived", error.there, sent, received)
        elif error.there:
            yield _judged("lost", True, error, None, _expected(server, error.time_ns, True, icmp=True))
        else:
            expected = _expected(server, error.time_ns, False, icmp=True)
            yield _judged("forged", False, None, error, expected)
    for error in waiting:
        if error.there:
            expected = _expected(client, error.time_ns, True, icmp=True)
            yield _judged("forged", True, None, error, expected)
        else:
            yield _judged("lost", False, error, None, _expected(client, error.time_ns, False, icmp=True))


def _moment(fate: Fate, watcher: Watcher) -> int:
    """When the client's clock showed it."""
    of_client = fate.sent if fate.there else fate.received
    if of_client is not None:
        return of_client.time_ns
    return watcher.clocks.at_client(fate.packet.time_ns)


def crossing(fate: Fate) -> Crossing:
    """A fate as it is reported."""
    client, server = (fate.sent, fate.received) if fate.there else (fate.received, fate.sent)
    return Crossing(
        towards="server" if fate.there else "client",
        what=_what(fate.packet),
        fate=fate.fate,
        client=_sight(client),
        server=_sight(server),
        changed=fate.changed,
        because=fate.because,
    )


def _what(packet: Packet | IcmpError) -> str:
    if isinstance(packet, Packet):
        return packet.what
    meaning = icmp.meaning(packet.version, packet.type, packet.code)
    return f"{icmp.label(packet.version, packet.type, packet.code)} ({meaning.reason}) from {packet.sender}"


def _sight(packet: Packet | IcmpError | None) -> Sight | None:
    return None if packet is None else Sight(packet.frame, packet.time_ns, packet.ttl)
