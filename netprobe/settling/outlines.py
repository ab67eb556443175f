"""What a summary counts of settled attempts, without a diagnosis of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netprobe.attempts import address
from netprobe.model import Verdict
from netprobe.report import summary
from netprobe.report.details import where
from netprobe.report.summary import Outline, Outlines, endpoint
from netprobe.settling.kinds import Kind, Settling
from netprobe.tracker.columns import CLIENT, CPORT, FIRST, FRAME, I_SENDER, ICMP, SERVER, SPORT, TIME, VERSION

_WORDS = range(4)  # of an address
_STARTS = (FIRST + FRAME, FIRST + TIME)
_SERVERS = (VERSION, *(SERVER + i for i in _WORDS), SPORT)
_CLIENTS = (VERSION, *(CLIENT + i for i in _WORDS), CPORT)
_OTHERS = (*(CLIENT + i for i in _WORDS), *(ICMP + I_SENDER + i for i in _WORDS))
# Outlines that are remembered: like attempts to one server come again and again.
_MOST = 1 << 14

_Key = tuple[int, ...]  # a kind's number, _SERVERS, and where they stand in the outline, too, _OTHERS


class Outlining:
    """The outlines of the rows of one table, with their `clients` where those are wanted."""

    def __init__(self, settling: Settling, *, clients: bool) -> None:
        self._settling = settling
        self._clients = clients
        self._known: dict[_Key, Outline] = {}
        # Of each kind, by its number: who answered, and whether an address other than the server's stands in that.
        self._places: list[tuple[str, bool]] = []

    def outlines(self, attempts: Sequence[tuple[int, Kind]]) -> Outlines:
        """The outlines of these rows, which have these kinds. Of a kind that is diagnosed row by row, and where the
        first packet wasn't seen, they rest on the diagnosis."""
        table = self._settling.tracker.table
        rows = [row for row, _ in attempts]
        starts, servers = _picked(table, rows, _STARTS), _picked(table, rows, _SERVERS)
        clients: list[str] = []
        if self._clients:
            picked = _picked(table, rows, _CLIENTS)
            clients = [endpoint(address(words, version), port) for version, *words, port in picked]
        self._places += map(_place, self._settling.known[len(self._places) :])
        distinct: dict[Outline, int] = {}
        which: list[int] = []
        for n, ((row, kind), start, server) in enumerate(zip(attempts, starts, servers, strict=True)):
            if kind.pattern is None or not start[0]:
                verdict = self._settling.verdict(row)
                one = summary.outline(verdict)
                starts[n] = summary.begun(verdict)
                if clients:
                    clients[n] = summary.client(verdict)
            else:
                others = _picked(table, [row], _OTHERS)[0] if self._places[kind.number][1] else ()
                key = (kind.number, *server, *others)
                one = self._known.get(key) or self._outline(key, kind.verdict)
            which.append(distinct.setdefault(one, len(distinct)))
        frames, times = zip(*starts, strict=True) if starts else ((), ())
        return Outlines(tuple(distinct), which, frames, times, clients)

    def _outline(self, key: _Key, like: Verdict) -> Outline:
        if len(self._known) >= _MOST:
            self._known.clear()
        number, version, *server, port = key[:7]
        text = address(server, version)
        place, named = self._places[number]
        if named:
            place = _filled(place, like, text, address(key[7:11], version), address(key[11:15], version))
        one = Outline(like.rule, like.state, like.cause, like.certainty, endpoint(text, port), place)
        self._known[key] = one
        return one


def address_at(r: Sequence[int], at: int) -> str:
    """The address of a row, which may be NumPy's, as canonical text."""
    return address([int(word) for word in r[at : at + 4]], int(r[VERSION]))


def _picked(table: Any, rows: Sequence[int], columns: Sequence[int]) -> list[Sequence[int]]:
    """These columns of each of these rows, as Python's own integers."""
    if isinstance(table, list):
        return [[table[row][column] for column in columns] for row in rows]
    import numpy as np

    picked: list[Sequence[int]] = table[np.ix_(rows, columns)].tolist()
    return picked


def _place(kind: Kind) -> tuple[str, bool]:
    """Who answered attempts of a kind, with its made-up addresses, and whether one that isn't the server's is told."""
    like = kind.verdict
    if like.cause == "up":
        return "-", False
    origin = like.origin
    return where(origin, like.address), origin.between is not None or origin.address not in {None, like.address}


def _filled(place: str, like: Verdict, server: str, client: str, sender: str) -> str:
    """The place with the row's own addresses instead of the kind's made-up ones."""
    theirs = {like.address: server, like.client.address if like.client else None: client}
    origin = like.origin
    for made_up in (origin.address, *(origin.between or ())):
        if made_up is not None:
            place = place.replace(made_up, theirs.get(made_up, sender))
    return place
