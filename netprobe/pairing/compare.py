"""Two sides in, a verdict for each attempt of the client's capture out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from netprobe.evidence import Evidence
from netprobe.model import Verdict
from netprobe.pairing import changes, fates, judgement, refine
from netprobe.pairing.clocks import Clocks, Sample, Samples, estimate
from netprobe.pairing.couples import Couple, couples
from netprobe.pairing.coverage import Names, Watcher
from netprobe.pairing.match import Way, match, samples
from netprobe.pairing.side import Conversation, Side

ROUGH = 2000  # conversations, spread over the capture, that tell how the clocks stand
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
        self._echoes = _echoes(client, server)
        self._couples = couples(client.conversations.values(), server.conversations.values(), self._rough)
        self._clocks = self._rough(self._couples)
        found = Samples(self._echoes)
        both = 0
        for couple in self._couples:
            if couple.server is not None:
                both += 1
                ways = match(couple, self._clocks)
                missed = fates.missed(ways)
                client.missed += missed[0]
                server.missed += missed[1]
                found.add(samples(ways))
        self.clocks = estimate(found)
        self._names = Names.of(self._couples)
        self._spans = found.spans
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
        ways = match(couple, self._clocks) if couple.server is not None else None
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
        """The clocks from some that are matched so far, before copies are told apart by time."""
        both = [couple for couple in known if couple.server is not None]
        found = Samples(self._echoes)
        for couple in both[:: len(both) // ROUGH + 1]:
            found.add(samples(_once(match(couple, Clocks()))))
        return estimate(found)


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
    there, back = couple.client.packets()
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
