"""One of the two captures: its conversations with the packets worth keeping, when it ran, whom it shows.

House rules of this file:
1. Memory follows conversations, not packets: see HEAD, SPECIAL and TAIL of this package.
2. Which packets are one attempt is the tracker's word: its rows are the conversations.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from netprobe.attempts import address
from netprobe.model import Endpoint
from netprobe.pairing import HEAD, SPECIAL, TAIL
from netprobe.pairing.packet import IcmpError, Packet, icmp_error, pack, unpack
from netprobe.tracker import columns as c

MOST_ECHOES = 20_000
MOST_ICMP = 32
_LETTERS = c.F_SYN | c.F_FIN | c.F_RST
_ICMP = (c.P_ICMP_ERROR, c.P_ECHO, c.P_ECHO_REPLY, c.P_ICMP_OTHER)


@dataclass(slots=True)
class Way:
    """The packets of one direction of a conversation."""

    head: list[bytes] = field(default_factory=list)
    tail: deque[bytes] = field(default_factory=lambda: deque(maxlen=TAIL))
    count: int = 0

    def add(self, packed: bytes, special: bool) -> None:
        """The next packet."""
        self.count += 1
        if len(self.head) < HEAD or (special and len(self.head) < SPECIAL):
            self.head.append(packed)
        else:
            self.tail.append(packed)

    @property
    def skipped(self) -> int:
        """How many were not kept."""
        return self.count - len(self.head) - len(self.tail)

    def packets(self) -> list[Packet]:
        """Those that were kept, in the order in which they were seen."""
        return [unpack(one) for one in (*self.head, *self.tail)]


@dataclass(slots=True)
class Conversation:
    """One attempt of a side: who with whom, and what was kept. `row` is the tracker's, as bytes, once it is settled."""

    born: int
    version: int
    client: Endpoint
    server: Endpoint
    first_ns: int
    last_ns: int
    there: Way = field(default_factory=Way)
    back: Way = field(default_factory=Way)
    icmp: list[IcmpError] = field(default_factory=list)
    row: bytes = b""

    @property
    def ends(self) -> tuple[Endpoint, Endpoint]:
        """Client and server."""
        return self.client, self.server


Echo = tuple[str, str, int, int, bool]  # from, to, identifier, sequence number, whether it is the reply


@dataclass(slots=True)
class Side:
    """What one capture shows. `sighted`: (from, to) addresses of TCP packets and echoes; `ports`: (address, port) of
    servers to or from which something was seen."""

    name: str
    conversations: dict[int, Conversation] = field(default_factory=dict)
    echoes: dict[Echo, tuple[int, int]] = field(default_factory=dict)  # -> time, TTL
    sighted: dict[tuple[str, str], int] = field(default_factory=dict)
    ports: dict[tuple[str, int], int] = field(default_factory=dict)
    frames: int = 0
    icmp: int = 0
    first_ns: int | None = None
    last_ns: int | None = None
    dropped: int = 0
    missed: int = 0  # packets that must have passed here, and are not in the capture
    _rest_of: dict[int, int] = field(default_factory=dict)
    _current: dict[tuple[Endpoint, Endpoint], int] = field(default_factory=dict)

    def at(self, time_ns: int) -> None:
        """A frame of any kind was captured then."""
        self.frames += 1
        if self.first_ns is None or time_ns < self.first_ns:
            self.first_ns = time_ns
        if self.last_ns is None or time_ns > self.last_ns:
            self.last_ns = time_ns

    def receive(self, d: Sequence[int], frame: int, time_ns: int, data: bytes, row: Sequence[int] | None) -> None:
        """A decoded frame (columns D_*), and the tracker's row that it belongs to, None where it fits none."""
        protocol = d[c.D_PROTOCOL]
        if protocol in _ICMP:
            self.icmp += 1
        if protocol == c.P_TCP:
            self._segment(d, frame, time_ns, data, row)
        elif protocol == c.P_ICMP_ERROR and d[c.D_Q_PROTOCOL] == 6:
            self._error(d, frame, time_ns, row)
        elif protocol in (c.P_ECHO, c.P_ECHO_REPLY) and len(self.echoes) < MOST_ECHOES:
            source, target = _address(d, c.D_SRC), _address(d, c.D_DST)
            self._sight(source, target)
            key = (source, target, d[c.D_SPORT], d[c.D_DPORT], protocol == c.P_ECHO_REPLY)
            self.echoes.setdefault(key, (time_ns, d[c.D_TTL]))

    def settle(self, born: int, row: bytes) -> None:
        """The tracker is done with an attempt."""
        if born in self.conversations:
            self.conversations[born].row = row

    def _segment(self, d: Sequence[int], frame: int, time_ns: int, data: bytes, row: Sequence[int] | None) -> None:
        source = Endpoint(_address(d, c.D_SRC), d[c.D_SPORT])
        target = Endpoint(_address(d, c.D_DST), d[c.D_DPORT])
        self._sight(source.address, target.address)
        talk = self._conversation(d, source, target, time_ns, row)
        if talk is None:
            return
        there = source == talk.client
        (talk.there if there else talk.back).add(pack(d, frame, time_ns, there, data), bool(d[c.D_FLAGS] & _LETTERS))
        talk.last_ns = max(talk.last_ns, time_ns)
        port = (talk.server.address, talk.server.port)
        self.ports[port] = self.ports.get(port, 0) + 1

    def _conversation(
        self, d: Sequence[int], source: Endpoint, target: Endpoint, time_ns: int, row: Sequence[int] | None
    ) -> Conversation | None:
        """The one that a segment belongs to; one that fits no attempt goes to the last between these ends."""
        if row is None:
            born = self._current.get((source, target)) or self._current.get((target, source))
            return None if born is None else self.conversations.get(born)
        born = int(row[c.BORN])
        born = self._rest_of.get(born, born)
        talk = self.conversations.get(born)
        if talk is None and row[c.MIDSTREAM]:
            # The rest of one that the tracker thought was over: a reset that nobody obeyed, a pause.
            before = self._current.get((source, target)) or self._current.get((target, source))
            if before is not None:
                self._rest_of[born] = before
                talk = self.conversations[before]
        if talk is None:
            by_client = int(row[c.CPORT]) == source.port and all(row[c.CLIENT + i] == d[c.D_SRC + i] for i in range(4))
            client, server = (source, target) if by_client else (target, source)
            talk = Conversation(born, d[c.D_VERSION], client, server, time_ns, time_ns)
            self.conversations[born] = talk
            self._current[client, server] = born
        return talk

    def _error(self, d: Sequence[int], frame: int, time_ns: int, row: Sequence[int] | None) -> None:
        source = Endpoint(_address(d, c.D_Q_SRC), d[c.D_Q_SPORT])
        target = Endpoint(_address(d, c.D_Q_DST), d[c.D_Q_DPORT])
        if row is not None:
            born: int | None = self._rest_of.get(int(row[c.BORN]), int(row[c.BORN]))
        else:
            born = self._current.get((source, target)) or self._current.get((target, source))
        talk = self.conversations.get(born) if born is not None else None
        if talk is not None and len(talk.icmp) < MOST_ICMP:
            # An error goes back to whoever sent the packet that it quotes.
            talk.icmp.append(icmp_error(d, frame, time_ns, source != talk.client))

    def _sight(self, source: str, target: str) -> None:
        self.sighted[source, target] = self.sighted.get((source, target), 0) + 1


def _address(d: Sequence[int], at: int) -> str:
    return _text(d[c.D_VERSION], d[at], d[at + 1], d[at + 2], d[at + 3])


@lru_cache(65536)
def _text(version: int, *words: int) -> str:
    return address(words, version)
