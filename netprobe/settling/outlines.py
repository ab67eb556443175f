"""What a summary counts of settled attempts, without a diagnosis of each."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from netprobe.attempts import address
from netprobe.model import Verdict
from netprobe.report import summary
from netprobe.report.details import where
from netprobe.report.summary import Outline, Outlines, Place, endpoint
from netprobe.settling.kinds import Kind, Settling
from netprobe.tracker.columns import CLIENT, CPORT, FIRST, FRAME, I_SENDER, ICMP, SERVER, SPORT, TIME, VERSION

_WORDS = range(4)  # of an address
_STARTS = (FIRST + FRAME, FIRST + TIME)
_SERVERS = (VERSION, *(SERVER + i for i in _WORDS), SPORT)
_CLIENTS = (VERSION, *(CLIENT + i for i in _WORDS), CPORT)
_OTHERS = (*(CLIENT + i for i in _WORDS), *(ICMP + I_SENDER + i for i in _WORDS))


# Outlines that are remembered: like attempts to one server come again and again.
_MOST = 1 << 14

_Key = tuple[int, ...]  # a kind's number, _SERVERS, and _OTHERS where they stand in the outline, too


class _Answerer(NamedTuple):
    """Who answered attempts of a kind: in words, with the kind's made-up addresses; whether one of them is `named` that
    isn't the server's; whether that is known of each attempt's own diagnosis only."""

    place: str
    named: bool
    each: bool


class Outlining:
    """The outlines of the rows of one table, with their `clients` where those are wanted."""

    def __init__(self, settling: Settling, *, clients: bool) -> None:
        self._settling = settling
        self._clients = clients
        self._known: dict[_Key, Outline] = {}
        self._answerers: list[_Answerer] = []  # of each kind, by its number

    def outlines(self, attempts: Sequence[tuple[int, Kind]]) -> Outlines:
        """The outlines of these rows, which have these kinds. Of a kind that is diagnosed row by row, and where the
        first packet wasn't seen, they rest on the diagnosis."""
        table = self._settling.tracker.table
        rows, numbers = [row for row, _ in attempts], [kind.number for _, kind in attempts]
        frames, times = _picked(table, rows, _STARTS)
        clients: list[str] = []
        if self._clients:
            clients = [_endpoint(*client) for client in zip(*_picked(table, rows, _CLIENTS), strict=True)]
        keys: list[_Key] = list(zip(numbers, *_picked(table, rows, _SERVERS), strict=True))
        self._answerers += map(_answerer, self._settling.known[len(self._answerers) :])
        named = [n for n, number in enumerate(numbers) if self._answerers[number].named]
        for n, *others in zip(named, *_picked(table, [rows[n] for n in named], _OTHERS), strict=True):
            keys[n] += tuple(others)
        diagnosed: dict[_Key, Outline] = {}
        for n in [n for n, frame in enumerate(frames) if not frame or self._answerers[numbers[n]].each]:
            verdict = self._settling.verdict(rows[n])
            keys[n] = (n,)
            diagnosed[keys[n]] = summary.outline(verdict)
            frames[n], times[n] = summary.begun(verdict)
            if clients:
                clients[n] = summary.client(verdict)
        index: dict[_Key, int] = {}
        which = [index.setdefault(key, len(index)) for key in keys]
        outlines = [self._known.get(key) or diagnosed.get(key) or self._outline(key) for key in index]
        return Outlines(outlines, which, frames, times, clients)

    def _outline(self, key: _Key) -> Outline:
        """Of rows of a kind: what was picked of them."""
        number, version, *others = key
        like = self._settling.known[number].verdict
        place = self._answerers[number].place
        if self._answerers[number].named:
            place = _filled(place, like, *(address(others[at : at + 4], version) for at in (0, 5, 9)))
        if len(self._known) >= _MOST:
            self._known.clear()
        server = Place(_endpoint(version, *others[:5]), place)
        one = self._known[key] = Outline(like.rule, like.state, like.cause, like.certainty, server)
        return one


def address_at(r: Sequence[int], at: int) -> str:
    """The address of a row, which may be NumPy's, as canonical text."""
    return address([int(word) for word in r[at : at + 4]], int(r[VERSION]))


# Most attempts are to and from the same few; what is remembered stays bounded.
@lru_cache(_MOST)
def _endpoint(version: int, *words_and_port: int) -> str:
    *words, port = words_and_port
    return endpoint(address(words, version), port)


def _picked(table: Any, rows: Sequence[int], columns: Sequence[int]) -> list[list[int]]:
    """Of these columns the values in these rows, as Python's own integers."""
    if isinstance(table, list):
        return [[table[row][column] for row in rows] for column in columns]
    import numpy as np

    # One column after the other: a table of the values took three times as long.
    chosen = np.array(rows, dtype=np.int64)
    return [table[chosen, column].tolist() for column in columns]


def _answerer(kind: Kind) -> _Answerer:
    like = kind.verdict
    if like.cause == "up":
        return _Answerer("-", False, kind.pattern is None)
    named = like.origin.between is not None or like.origin.address not in {None, like.address}
    return _Answerer(where(like.origin, like.address), named, kind.pattern is None)


def _filled(place: str, like: Verdict, server: str, client: str, sender: str) -> str:
    """The place with the row's own addresses instead of the kind's made-up ones."""
    theirs = {like.address: server, like.client.address if like.client else None: client}
    origin = like.origin
    for made_up in (origin.address, *(origin.between or ())):
        if made_up is not None:
            place = place.replace(made_up, theirs.get(made_up, sender))
    return place
