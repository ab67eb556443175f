"""What has been seen so far: every record of a scan or a capture in, the evidence for any target out.

The same for a live scan, a saved one and a test's script: this is where "one path" begins.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import replace

from netprobe.attempts import Attempt, Form, Segment, address, attempt, from_connection, words
from netprobe.evidence import IMPOSSIBLE, Evidence, collect
from netprobe.model import ConnectionFact, DropFact, Endpoint, Fact, Frame, Mode, Record, RouteFact, TargetFact
from netprobe.tracker import Tracker, columns
from netprobe.tracker.decode import decode

IMPOSSIBLE_SET = frozenset(one for addresses in IMPOSSIBLE.values() for one in addresses)


class Watch:
    """The tracker, the facts and the frames of one run, in order of arrival. `marked` frames leave their servers'
    addresses and ports in `meant`."""

    def __init__(self, marked: Container[int] = ()) -> None:
        self._marked = marked
        self.meant: set[tuple[str, int]] = set()
        self._tracker = Tracker()
        self._facts: list[Fact] = []
        self._frames: dict[int, Frame] = {}
        self._known: dict[int, Attempt] = {}  # rows as records, until a packet touches them
        self._by_server: dict[tuple[int, ...], list[int]] = {}  # address words -> rows, in order
        self._indexed = 0
        self._decoded = [0] * columns.DECODED
        self.last_ns = 0

    @property
    def packets(self) -> int:
        """Frames received so far."""
        return self._tracker.count(columns.N_FRAMES)

    @property
    def unsolicited(self) -> int:
        """Packets that answer nothing that was sent."""
        return self._tracker.count(columns.N_UNSOLICITED)

    @property
    def dropped(self) -> int:
        """Packets that the capture lost, by its own account."""
        return sum(fact.count for fact in self._facts if isinstance(fact, DropFact))

    @property
    def undecoded(self) -> dict[str, int]:
        """Frames that were only counted, by kind."""
        return self._tracker.undecoded

    def records(self) -> Iterator[Record]:
        """Everything received, in order of its numbers."""
        records: list[Record] = [*self._facts, *self._frames.values()]
        return iter(sorted(records, key=lambda record: record.number))

    def receive(self, records: Iterable[Record]) -> set[str] | None:
        """Take records in, in order. Returns the server addresses that they are about; None for all."""
        frames = []
        everyone = False
        about: set[str] = set()
        for record in records:
            self.last_ns = max(self.last_ns, record.time_ns)
            if isinstance(record, Frame):
                frames.append(record)
                self._frames[record.number] = record
            else:
                self._facts.append(record)
                if isinstance(record, ConnectionFact):
                    about.add(record.server.address)
                else:
                    everyone = True
        rows = self._tracker.receive(frames)
        for frame, row in zip(frames, rows, strict=True) if self._marked != () else ():
            if row >= 0 and frame.number in self._marked:
                r = self._tracker.table[row]
                meant = address(r[columns.SERVER : columns.SERVER + 4], r[columns.VERSION])
                self.meant.add((meant, r[columns.SPORT]))
        for row in set(rows) - {-1}:
            self._known.pop(row, None)
            r = self._tracker.table[row]
            if r[columns.KIND] == columns.K_NEIGHBOR:
                everyone = True
            about.add(address(r[columns.SERVER : columns.SERVER + 4], r[columns.VERSION]))
        for row in range(self._indexed, self._tracker.count(columns.N_ROWS)):
            server = tuple(self._tracker.table[row][columns.SERVER : columns.SERVER + 4])
            self._by_server.setdefault(server, []).append(row)
        self._indexed = self._tracker.count(columns.N_ROWS)
        if everyone or about & IMPOSSIBLE_SET or any(one.startswith("fe80:") for one in about):
            return None  # no packet carries the zone of a link-local address: any of its targets may be meant
        return about

    def evidence(self, target: TargetFact, now_ns: int, only: Attempt | None = None) -> Evidence:
        """All that is known of one target at `now_ns`; with `only`, of this one attempt among those to the same
        port."""
        since = [f for f in self._facts if not isinstance(f, DropFact) or f.number >= target.number]
        found = self._attempts(target, only) if target.address is not None else []
        if target.address is not None and "%" in target.address:
            found = [_zoned(a, target.address) for a in found]
        return collect(target, found, since, self._payload, now_ns)

    def attempts(self) -> list[Attempt]:
        """Every TCP connection attempt so far (SYNs that were meant to arrive), in order of its first packet."""
        tried = [
            self._attempt(row) for row, r in enumerate(self._tracker.rows) if r[columns.KIND] == columns.K_TCP
        ]
        return [a for a in tried if a.form in (Form.SYN, Form.BARE_SYN) and not a.limited]

    def _attempts(self, target: TargetFact, only: Attempt | None) -> list[Attempt]:
        assert target.address is not None
        if target.mode is Mode.CONNECT:
            by_id: dict[int, list[ConnectionFact]] = {}
            for fact in self._facts:
                if isinstance(fact, ConnectionFact) and fact.server.address == target.address:
                    by_id.setdefault(fact.id, []).append(fact)
            return [from_connection(events) for events in by_id.values()]
        table = self._tracker.table
        next_hop = next(
            (f.gateway for f in self._facts if isinstance(f, RouteFact) and f.address == target.address), None
        )
        version = 6 if ":" in target.address else 4
        wanted = [row for row in self._towards(target.address) if table[row][columns.KIND] != columns.K_NEIGHBOR]
        wanted += [
            row
            for row in self._towards(next_hop or target.address)
            if table[row][columns.KIND] == columns.K_NEIGHBOR
        ]
        for impossible in IMPOSSIBLE[version]:
            wanted += [row for row in self._towards(impossible) if table[row][columns.SPORT] == target.port]
        if only is not None:
            wanted = [row for row in wanted if not _likes(table[row], only)]
        return [self._attempt(row) for row in sorted(set(wanted))]

    def _towards(self, server: str) -> list[int]:
        """The rows with this server address."""
        return self._by_server.get(words(server), [])

    def _attempt(self, row: int) -> Attempt:
        found = self._known.get(row)
        if found is None:
            found = self._known[row] = attempt(self._tracker.table[row])
        return found

    def _payload(self, segment: Segment) -> bytes:
        frame = self._frames[segment.frame]
        decode(frame.data, 0, len(frame.data), frame.link_type, self._decoded)
        return frame.data[self._decoded[columns.D_OFFSET] :]


def _zoned(a: Attempt, target: str) -> Attempt:
    """With the zone of the target's address, which no packet carries."""
    bare = target.partition("%")[0]
    if a.server.address == bare:
        a = replace(a, server=Endpoint(target, a.server.port))
    if a.icmp is not None and a.icmp.sender == bare:
        a = replace(a, icmp=replace(a.icmp, sender=target))
    return a


def _likes(r: Sequence[int], only: Attempt) -> bool:
    """Whether a row is another attempt of the same form to the same server and port."""
    options = r[columns.FIRST + columns.OPTIONS]
    return (
        r[columns.KIND] == columns.K_TCP
        and r[columns.SPORT] == only.server.port
        and tuple(r[columns.SERVER : columns.SERVER + 4]) == words(only.server.address)
        and r[columns.FIRST + columns.FRAME] != only.first.frame
        and r[columns.FIRST + columns.FLAGS] & columns.OPENING == columns.F_SYN
        and not options & (columns.O_MD5 | columns.O_FRAGMENT)
        and (options & columns.USUAL_OPTIONS != 0) == (only.form is Form.SYN)
    )
