"""Words that the rows of the table share."""

from __future__ import annotations

from tests.lab.scenario import Place, Rule, Wire

TARGET = Place("target", "target")
R1, R2 = Place("path", "r1"), Place("path", "r2")
LOCAL = (Place("local"),)
ANY = ("certain", "likely", "possible")
UNPROVEN = ("likely", "possible")

SYN = "tcp dport 22 tcp flags & (fin|syn|rst|ack) == syn"
ND = "meta l4proto ipv6-icmp icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert }} accept"
NO_PING = Rule("target", "input", "icmp type echo-request drop", "icmpv6 type echo-request drop", key=None)

CLOSED = Wire("RA", tos=0x48, connect="ECONNREFUSED")
OPEN = Wire("SA", connect="")
SILENT = Wire("silent", connect="ETIMEDOUT")


def between(near: str | None, far: str | None) -> tuple[Place, ...]:
    """The origin lies between two nodes; which kind it is called is free, for nobody can know."""
    return tuple(Place(kind, between=(near, far)) for kind in ("path", "unknown"))
