"""What a summary counts of settled attempts, without a diagnosis of each."""

from __future__ import annotations

from collections.abc import Sequence

from netprobe.attempts import address
from netprobe.report.details import where
from netprobe.report.summary import Outline, endpoint
from netprobe.report.summary import outline as outline_of
from netprobe.settling.kinds import Kind, Settling
from netprobe.tracker.columns import CLIENT, CPORT, FIRST, FRAME, I_SENDER, ICMP, SERVER, SPORT, TIME, VERSION


class Outlines:
    """The outlines of the rows of one table."""

    def __init__(self, settling: Settling) -> None:
        self._settling = settling
        self._places: dict[int, str] = {}  # by the identity of a kind, which lives as long as the table

    def outline(self, row: int, kind: Kind) -> Outline:
        """The outline of one row. Of a kind that is diagnosed row by row, and where the first packet wasn't seen, it
        rests on the diagnosis."""
        r = self._settling.tracker.table[row]
        if kind.pattern is None or not r[FIRST + FRAME]:
            return outline_of(self._settling.verdict(row))
        like = kind.verdict
        server = address_at(r, SERVER)
        client = address_at(r, CLIENT)
        place = self._places.get(id(kind))
        if place is None:
            place = self._places[id(kind)] = "-" if like.cause == "up" else where(like.origin, like.address)
        origin = like.origin
        if origin.between is not None or origin.address not in (None, like.address):
            place = _filled(place, kind, server, client, address_at(r, ICMP + I_SENDER))
        return Outline(
            like,
            endpoint(server, int(r[SPORT])),
            endpoint(client, int(r[CPORT])),
            place,
            int(r[FIRST + FRAME]),
            int(r[FIRST + TIME]),
        )


def address_at(r: Sequence[int], at: int) -> str:
    """The address of a row, which may be NumPy's, as canonical text."""
    return address([int(word) for word in r[at : at + 4]], int(r[VERSION]))


def _filled(place: str, kind: Kind, server: str, client: str, sender: str) -> str:
    """The place with the row's own addresses instead of the kind's made-up ones."""
    like = kind.verdict
    theirs = {like.address: server, like.client.address if like.client else None: client}
    origin = like.origin
    for made_up in (origin.address, *(origin.between or ())):
        if made_up is not None:
            place = place.replace(made_up, theirs.get(made_up, sender))
    return place
