"""Two sides in, a verdict for each attempt of the client's capture out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from netprobe.evidence import Evidence
from netprobe.model import Verdict
from netprobe.pairing import changes, fates, judgement, refine
from netprobe.pairing.clocks import Clocks, Sample, estimate
from netprobe.pairing.couples import Couple, couples
from netprobe.pairing.coverage import Names, Watcher
from netprobe.pairing.match import Way, match, samples
from netprobe.pairing.side import Conversation, Side

EvidenceOf = Callable[[Conversation], Evidence | None]


@dataclass(frozen=True, slots=True)
class Tally:
    """How the captures fit together: the clocks, and how many conversations both have, or one alone."""

    clocks: Clocks
    both: int
    client_only: int
    server_only: int


class Comparison:
    """Both captures, matched. `verdicts` judges one attempt after the other."""

    def __init__(self, client: Side, server: Side) -> None:
        self._client, self._server = client, server
        self._couples = couples(client.conversations.values(), server.conversations.values(), self._rough)
        self._ways: dict[int, tuple[Way, Way]] = {}
        rough = self._rough(self._couples)
        for couple in self._couples:
            if couple.server is not None:
                ways = match(couple, rough)
                self._ways[couple.client.talk.born] = ways
                missed = fates.missed(ways)
                client.missed += missed[0]
                server.missed += missed[1]
        found = [one for ways in self._ways.values() for one in samples(ways)]
        found += _echoes(client, server)
        self.clocks = estimate(found)
        self._names = Names.of(self._couples)
        self._spans = _spans(found)
        both = len(self._ways)
        self.tally = Tally(self.clocks, both, len(self._couples) - both, len(server.conversations) - both)

    def verdicts(self, of_client: EvidenceOf, of_server: EvidenceOf) -> Iterator[Verdict]:
        """For each attempt of the client's capture, in order. The functions give the evidence of a conversation alone,
        None for what is no attempt."""
        for couple in self._couples:
            e = of_client(couple.client.talk)
            if e is None:
                continue
            yield self._verdict(couple, e, of_server(couple.server.talk) if couple.server is not None else None)

    def _verdict(self, couple: Couple, client: Evidence, server: Evidence | None) -> Verdict:
        ends = couple.client.ends
        of_client, of_server = self._spans
        seen = couple.server.ends if couple.server is not None else ends
        ways = self._ways.get(couple.client.talk.born)
        watch_client = Watcher(self._client, "client's", self.clocks, {ends[0].address}, {ends[1]}, of_server)
        if couple.server is not None:
            watch_server = Watcher(self._server, "server's", self.clocks, {seen[0].address}, {seen[1]}, of_client)
        else:
            clients, servers = self._names.address(ends[0].address), self._names.server(ends[1])
            watch_server = Watcher(self._server, "server's", self.clocks, clients, servers, of_client)
        found = fates.fates(couple, ways or _alone(couple), watch_client, watch_server)
        answer = client.answer
        icmp_from = answer.icmp.sender if answer is not None and answer.icmp is not None else None
        judged = judgement.judge(found, ways, watch_server, icmp_from)
        changed = changes.summary(ways or (), ends, seen)
        omitted = sum(couple.client.skipped) + (sum(couple.server.skipped) if couple.server is not None else 0)
        first = couple.client.talk.first_ns
        began = (first, self.clocks.at_server(first))
        return refine.verdict(client, server, couple, judged, found, changed, omitted, began)

    def _rough(self, known: Sequence[Couple]) -> Clocks:
        """The clocks from what is matched so far, before copies are told apart by time."""
        blind = Clocks()
        found = [one for couple in known if couple.server is not None for one in samples(_once(match(couple, blind)))]
        return estimate(found + _echoes(self._client, self._server))


def _spans(found: Sequence[Sample]) -> tuple[tuple[int, int] | None, tuple[int, int] | None]:
    """From the first to the last packet that both sides have, by the client's clock and by the server's."""
    if not found:
        return None, None
    client = [one.client_ns for one in found]
    server = [one.server_ns for one in found]
    return (min(client), max(client)), (min(server), max(server))


def _once(ways: tuple[Way, Way]) -> tuple[Way, Way]:
    """Without packets that were sent more than once: which copy is which is not known yet."""
    for way in ways:
        seen: dict[tuple[int, int, int, int], int] = {}
        for packets in (way.sent, way.received):
            for p in packets:
                key = (id(packets), p.seq, p.payload, p.flags)
                seen[key] = seen.get(key, 0) + 1
        way.pairs = [
            (i, j)
            for i, j in way.pairs
            if i is not None
            and j is not None
            and seen[id(way.sent), way.sent[i].seq, way.sent[i].payload, way.sent[i].flags] == 1
            and seen[id(way.received), way.received[j].seq, way.received[j].payload, way.received[j].flags] == 1
        ]
    return ways


def _alone(couple: Couple) -> tuple[Way, Way]:
    """A conversation that only the client's capture has: what it sent, and what came to it."""
    there = couple.client.there
    back = couple.client.back
    return (
        Way(True, there, [], [(i, None) for i in range(len(there))], set(), set(), (0, 0)),
        Way(False, [], back, [(None, j) for j in range(len(back))], set(), set(), (0, 0)),
    )


def _echoes(client: Side, server: Side) -> list[Sample]:
    """Pings that both sides saw: requests go there and replies back where the client asked, else the other way."""
    found = []
    asked_by = {key[0] for key in client.echoes if not key[4] and key[0] in _clients(client)}
    for key, (time_ns, ttl) in client.echoes.items():
        other = server.echoes.get(key)
        if other is None:
            continue
        source, target, _, _, reply = key
        there = (target if reply else source) in asked_by
        if reply:
            there = not there
        # What lost TTL came later: a check against pings that were captured on their way through.
        if (ttl >= other[1]) == there or ttl == other[1]:
            found.append(Sample(time_ns, other[0], there))
    return found


def _clients(side: Side) -> set[str]:
    return {talk.client.address for talk in side.conversations.values()}
