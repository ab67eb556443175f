"""What has been seen so far: every record of a scan or a capture in, the evidence for any target out.

The same for a live scan, a saved one and a test's script: this is where "one path" begins.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from netprobe.attempts import Attempt, Form, address, attempt, from_connection, words
from netprobe.evidence import IMPOSSIBLE, Evidence, collect
from netprobe.model import ConnectionFact, DropFact, Endpoint, Fact, Frame, Mode, Record, RouteFact, TargetFact
from netprobe.tracker import Tracker, columns
from netprobe.tracker.decode import decode

IMPOSSIBLE_SET = frozenset(one for addresses in IMPOSSIBLE.values() for one in addresses)


class Watch:
    """The tracker, the facts and the frames of one run, in order of arrival."""

    def __init__(self) -> None:
        self._tracker = Tracker()
        self._facts: list[Fact] = []
        self._frames: dict[int, Frame] = {}
        self._known: dict[int, Attempt] = {}  # rows as records, until a packet touches them
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
        for row in set(self._tracker.receive(frames)) - {-1}:
            self._known.pop(row, None)
            r = self._tracker.rows[row]
            if r[columns.KIND] == columns.K_NEIGHBOR:
                everyone = True
            about.add(address(r[columns.SERVER : columns.SERVER + 4].tolist(), int(r[columns.VERSION])))
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
        rows = self._tracker.rows
        tried = [self._attempt(row) for row in np.flatnonzero(rows[:, columns.KIND] == columns.K_TCP).tolist()]
        return [a for a in tried if a.form in (Form.SYN, Form.BARE_SYN) and not a.limited]

    def _attempts(self, target: TargetFact, only: Attempt | None) -> list[Attempt]:
        assert target.address is not None
        if target.mode is Mode.CONNECT:
            by_id: dict[int, list[ConnectionFact]] = {}
            for fact in self._facts:
                if isinstance(fact, ConnectionFact) and fact.server.address == target.address:
                    by_id.setdefault(fact.id, []).append(fact)
            return [from_connection(events) for events in by_id.values()]
        rows = self._tracker.rows
        next_hop = next(
            (f.gateway for f in self._facts if isinstance(f, RouteFact) and f.address == target.address), None
        )
        version = 6 if ":" in target.address else 4
        wanted = _towards(rows, target.address) & (rows[:, columns.KIND] != columns.K_NEIGHBOR)
        wanted |= _towards(rows, next_hop or target.address) & (rows[:, columns.KIND] == columns.K_NEIGHBOR)
        for impossible in IMPOSSIBLE[version]:
            wanted |= _towards(rows, impossible) & (rows[:, columns.SPORT] == target.port)
        if only is not None:
            wanted &= ~_likes(rows, only)
        return [self._attempt(row) for row in np.flatnonzero(wanted).tolist()]

    def _attempt(self, row: int) -> Attempt:
        found = self._known.get(row)
        if found is None:
            found = self._known[row] = attempt(self._tracker.rows[row].tolist())
        return found

    def _payload(self, number: int) -> tuple[int, bytes]:
        frame = self._frames[number]
        decode(frame.data, 0, len(frame.data), frame.link_type, self._decoded)
        return frame.time_ns, frame.data[self._decoded[columns.D_OFFSET] :]


def _zoned(a: Attempt, target: str) -> Attempt:
    """With the zone of the target's address, which no packet carries."""
    bare = target.partition("%")[0]
    if a.server.address == bare:
        a = replace(a, server=Endpoint(target, a.server.port))
    if a.icmp is not None and a.icmp.sender == bare:
        a = replace(a, icmp=replace(a.icmp, sender=target))
    return a


def _towards(rows: NDArray[np.int64], server: str) -> NDArray[np.bool_]:
    """Which rows have this server address."""
    wanted: Sequence[int] = words(server)
    found: NDArray[np.bool_] = (rows[:, columns.SERVER : columns.SERVER + 4] == np.array(wanted, dtype=np.int64)).all(
        axis=1
    )
    return found


def _likes(rows: NDArray[np.int64], only: Attempt) -> NDArray[np.bool_]:
    """Which rows are other attempts of the same form to the same server and port."""
    options = rows[:, columns.FIRST + columns.OPTIONS]
    like: NDArray[np.bool_] = _towards(rows, only.server.address) & (rows[:, columns.SPORT] == only.server.port)
    like &= (rows[:, columns.KIND] == columns.K_TCP) & (rows[:, columns.FIRST + columns.FRAME] != only.first.frame)
    like &= (rows[:, columns.FIRST + columns.FLAGS] & columns.OPENING) == columns.F_SYN
    like &= (options & (columns.O_MD5 | columns.O_FRAGMENT)) == 0
    like &= ((options & columns.USUAL_OPTIONS) != 0) == (only.form is Form.SYN)
    return like
