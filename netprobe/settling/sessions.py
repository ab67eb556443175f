"""The SSH sessions of a capture: segments that the tracker hands over, into what each session came to.

House rules of this file:
1. The tracker's loop decides what begins like an SSH session; what is no session any more, or fully known, is decided
   here and told to it.
2. What sessions came to is numbered: rows with equal numbers may share a diagnosis.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netprobe.model import Auth, Kex, Service
from netprobe.ssh.session import Session
from netprobe.tracker import Tracker, columns
from netprobe.tracker.rows import server_room

Row = Sequence[int]
_FIN, _RST = columns.F_FIN, columns.F_RST


class Sessions:
    """The sessions that are open, and what the others came to."""

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker
        self._open: dict[int, Session] = {}  # by row
        self._numbers: dict[tuple[Kex | None, Auth | None], int] = {}
        self._services: list[Service] = []

    def take(self, buffer: Any) -> None:
        """Read what the tracker has handed over; `buffer` is the batch's."""
        tracker, sessions, width = self._tracker, self._open, columns.HEARD_WIDTH
        table, count = tracker.table, tracker.heard_count
        heard: Any = tracker.heard[: count * width]
        words = heard if isinstance(heard, list) else heard.tolist()
        data = memoryview(buffer)
        for at in range(0, count * width, width):
            row, begin, seen, length, offset, client, flags, time_ns = words[at : at + width]
            session = sessions.get(row)
            if session is None:
                session = sessions[row] = self._begin(table[row])
            if length:
                session.segment(client == 1, offset, length, bytes(data[begin : begin + seen]), time_ns)
            if flags & (_FIN | _RST):
                session.closed(client == 1, flags & _RST != 0, time_ns)
            if session.done:
                table[row][columns.SESSION] = columns.V_NOT
        tracker.heard_all()

    def settle(self, settled: Sequence[int]) -> None:
        """Nothing more comes of these rows: number what their sessions came to."""
        table = self._tracker.table
        for row in settled if self._open else ():
            session = self._open.pop(row, None)
            if session is None:
                continue
            session.finish()
            table[row][columns.SESSION_KIND] = self.number(session.kex(), session.auth())

    def number(self, kex: Kex | None, auth: Auth | None) -> int:
        """The number of what a session came to."""
        found = kex, auth
        number = self._numbers.get(found)
        if number is None:
            self._services.append(Service("ssh", None, (), *found))
            number = self._numbers[found] = len(self._services)
        return number

    @property
    def outcomes(self) -> list[tuple[Kex | None, Auth | None]]:
        """What sessions came to, in the order of the numbers."""
        return list(self._numbers)

    def leave(self, row: int) -> Session | None:
        """The open session of a row, which somebody else goes on reading."""
        return self._open.pop(row, None)

    def go_on(self, row: int, session: Session) -> None:
        """Read on here."""
        self._open[row] = session

    def service(self, r: Row) -> Service | None:
        """What the session of a settled row came to."""
        number = r[columns.SESSION_KIND]
        return self._services[number - 1] if number else None

    def _begin(self, r: Row) -> Session:
        """A session whose first segments are those that the row has kept."""
        session = Session()
        talk = int(r[columns.TALK])
        if not talk:
            return session
        at = (talk - 1) * columns.TALK_WIDTH
        talks = self._tracker.talks
        kept = (
            (False, columns.S_SEGMENTS, columns.S_SEGMENTS_N, at, server_room(talks, at)),
            (True, columns.C_SEGMENTS, columns.C_SEGMENTS_N, at + columns.S_KEPT, columns.C_KEPT),
        )
        for client, base, most, begin, room in kept:
            for n in range(most):
                one = base + n * columns.SEGMENT_WIDTH
                if not r[one + columns.G_FRAME]:
                    break
                offset = int(r[one + columns.G_OFFSET])
                end = min(offset + int(r[one + columns.G_SEEN]), room)
                if offset < end:
                    data = bytes(talks[begin + offset : begin + end])
                    session.segment(client, offset, len(data), data, int(r[one + columns.G_TIME]))
        return session
