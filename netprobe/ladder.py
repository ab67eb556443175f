"""The nouns of a ladder: who stands where, and what went between them in which order; a picture is made elsewhere.

House rules of this file:
1. Data only: netprobe.steps reads it from packets, renderers draw it (text in report/ladder.py).
2. Nothing in here is escaped: text that came from the network is for renderers to make harmless.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from netprobe.model import Verdict


class Kind(StrEnum):
    """What a step is."""

    SEGMENT = "segment"  # TCP
    ICMP = "icmp"  # an ICMP error about a TCP packet or an echo
    ECHO = "echo"
    ECHO_REPLY = "echo-reply"
    NEIGHBOR_ASK = "neighbor-ask"
    NEIGHBOR_REPLY = "neighbor-reply"
    TOLD = "told"  # no packet: what the kernel or the resolver said
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Step:
    """One packet, or several that look alike and follow each other.

    `frame` is the number of the first in the file, `time_ns` its time, `count` and `last_ns` tell of the others.
    `inbound`: towards the client. `what`: flags, an ICMP error's reason, or words. `own`: it belongs to the attempt
    the verdict is about, and not to a probe of another port or a ping. `start`, `end`: the columns it goes between (0
    is the client's, the last the server's); `lost`: nothing answered it, where it ended isn't known. `crosses`: it
    goes between columns, though only the kernel told of it. `limited`: sent with a TTL that was meant to run out.
    `message`: the SSH message in it, where that is in clear; `says`: the first line of its payload, where it is text.
    """

    frame: int
    time_ns: int
    kind: Kind
    inbound: bool
    what: str
    own: bool = True
    decisive: bool = False
    sender: str = ""
    client_port: int = 0
    server_port: int = 0
    ttl: int | None = None
    tos: int | None = None
    window: int = 0
    seq: int = 0
    ack: int = 0
    length: int = 0
    md5: bool = False
    options: bool = True
    limited: bool = False
    message: str = ""
    says: str = ""
    count: int = 1
    last_ns: int = 0
    start: int = 0
    end: int = 0
    lost: bool = False
    crosses: bool = False


@dataclass(frozen=True, slots=True)
class Silence:
    """A time in which nothing came that was waited for."""

    since_ns: int
    until_ns: int
    decisive: bool = False


@dataclass(frozen=True, slots=True)
class Gap:
    """So many packets are left out here, or more (`at_least`)."""

    count: int
    at_least: bool = False


Row = Step | Silence | Gap


@dataclass(frozen=True, slots=True)
class Box:
    """A router or filter on the path. `address` None: it never said a word; `hop` counts from 1, None: not known."""

    address: str | None
    hop: int | None


@dataclass(frozen=True, slots=True)
class Ladder:
    """The packets of one verdict. `client`, `server` are addresses; `boxes` stand between them in the order of the way
    there. `others`: packets of the same observation that are not shown, such as probes of other ports."""

    client: str | None
    server: str
    port: int
    boxes: tuple[Box, ...]
    rows: tuple[Row, ...]
    began_ns: int
    others: int = 0

    @property
    def columns(self) -> int:
        """How many columns there are: the client's, the boxes', the server's."""
        return len(self.boxes) + 2


def _nothing(_: Sequence[Verdict]) -> None:
    """Every ladder is at hand."""


@dataclass(frozen=True, slots=True)
class LadderOf:
    """Gives the ladder of a verdict, None where there is no packet to show (or the capture can't be read again).

    `prepare`: told which verdicts will be asked for, where reading for all of them at once is cheaper.
    """

    of: Callable[[Verdict], Ladder | None]
    prepare: Callable[[Sequence[Verdict]], None] = _nothing

    def __call__(self, verdict: Verdict) -> Ladder | None:
        """The ladder of this one."""
        return self.of(verdict)


# --------------------------------------------------------------------------- the log of a scan


class Way(StrEnum):
    """What a row of a log is."""

    SENT = "sent"
    RECEIVED = "received"
    SEEN = "seen"  # a packet of which the capture doesn't say which way it went
    LEARNT = "learnt"  # no packet: what the kernel or the resolver said


@dataclass(frozen=True, slots=True)
class LogRow:
    """One record of a scan, in words."""

    frame: int
    time_ns: int
    way: Way
    what: str


@dataclass(frozen=True, slots=True)
class Log:
    """All that a scan sent, heard and learnt. `surroundings`: what it ran in (names, routes), as pairs of texts."""

    rows: Callable[[], Iterable[LogRow]]
    surroundings: Callable[[], Sequence[tuple[str, str]]]
