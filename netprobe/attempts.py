"""One connection attempt with its packets and answers: a row of the tracker's table, or a connect() told by the
kernel."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from netprobe import icmp
from netprobe.model import ConnectionFact, Endpoint, Service
from netprobe.tracker import columns as c
from netprobe.tracker.classes import LIMITED_TTL
from netprobe.tracker.sides import looks


class Form(StrEnum):
    """What the first packet of an attempt was."""

    SYN = "syn"
    BARE_SYN = "bare-syn"
    MD5_SYN = "md5-syn"
    ACK = "ack"
    FIN = "fin"
    SYN_ACK = "syn-ack"
    FRAGMENT = "fragment"
    ECHO = "echo"
    NEIGHBOR = "neighbor"
    OTHER = "other"


# Stands for a header field that was not seen: the kernel tells that a reset came, not what it looked like.
UNSEEN = -1


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet remembered in full, and how often it came. Fields are UNSEEN where only the kernel's word stands for
    it."""

    frame: int
    time_ns: int
    ttl: int
    tos: int
    ip_id: int
    flow: int
    window: int
    seq: int
    ack: int
    flags: int
    options: int
    count: int
    last_ns: int

    @property
    def letters(self) -> str:
        """Flags as names: `SYN,ACK`."""
        names = ((c.F_SYN, "SYN"), (c.F_FIN, "FIN"), (c.F_RST, "RST"), (c.F_PSH, "PSH"), (c.F_ACK, "ACK"))
        return ",".join(name for bit, name in names if self.flags & bit) or "none"


@dataclass(frozen=True, slots=True)
class IcmpAnswer:
    """An ICMP error that quoted an attempt. `frame` is 0 for one that only the kernel's error queue told of."""

    frame: int
    time_ns: int
    version: int
    type: int
    code: int
    sender: str
    ttl: int | None
    tos: int | None
    quoted_ttl: int | None
    count: int
    last_ns: int

    @property
    def meaning(self) -> icmp.Meaning:
        """What it says."""
        return icmp.meaning(self.version, self.type, self.code)

    @property
    def label(self) -> str:
        """`ICMP 3/13`."""
        return icmp.label(self.version, self.type, self.code)


@dataclass(frozen=True, slots=True)
class Segment:
    """Where a payload segment lies: its frame, its offset in the stream, its length in bytes."""

    frame: int
    offset: int
    length: int
    time_ns: int
    seen: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """One connection attempt (or probe, echo, neighbour solicitation) with what came back."""

    form: Form
    version: int
    client: Endpoint
    server: Endpoint
    outgoing: bool | None
    midstream: bool
    first: Packet
    syn2: Packet | None
    synack: Packet | None
    synack2: Packet | None
    rst: Packet | None
    challenge: Packet | None
    echoed: Packet | None
    odd: Packet | None
    server_fin: Packet | None
    client_fin: Packet | None
    client_rst: Packet | None
    client_ack: Packet | None
    server_data: Packet | None
    client_data: Packet | None
    reply: Packet | None
    icmp: IcmpAnswer | None
    server_bytes: int
    client_bytes: int
    client_acked: int
    holes: int
    window_opened: bool
    server_segments: tuple[Segment, ...]
    history: str
    looks: int = 0  # how the sides behaved: netprobe.tracker.sides.looks
    service: Service | None = None  # what both sides said of a captured session: its `kex` and `auth`

    @property
    def limited(self) -> bool:
        """Sent with a TTL that was meant to run out on the way."""
        return 0 < self.first.ttl <= LIMITED_TTL and self.outgoing is not False

    @property
    def answered_ns(self) -> int | None:
        """When the first answer of any kind came. One that fits nothing sent is none: anybody can write it."""
        times = [p.time_ns for p in (self.synack, self.rst, self.challenge, self.reply) if p is not None]
        if self.icmp is not None:
            times.append(self.icmp.time_ns)
        return min(times, default=None)


def address(words: Sequence[int], version: int) -> str:
    """Four address words as canonical text."""
    if version == 4:
        return str(ipaddress.IPv4Address(words[3]))
    return str(ipaddress.IPv6Address((words[0] << 96) | (words[1] << 64) | (words[2] << 32) | words[3]))


def words(text: str) -> tuple[int, int, int, int]:
    """Canonical text as four address words; a zone is left aside (no packet carries it)."""
    value = ipaddress.ip_address(text.partition("%")[0])
    number = int(value)
    if value.version == 4:
        return (0, 0, 0, number)
    return (number >> 96, (number >> 64) & 0xFFFFFFFF, (number >> 32) & 0xFFFFFFFF, number & 0xFFFFFFFF)


def attempt(row: Sequence[int]) -> Attempt:
    """The record of one row (a list of Python integers: `rows[i].tolist()`)."""
    version = row[c.VERSION]
    return Attempt(
        form=_form(row),
        version=version,
        client=Endpoint(address(row[c.CLIENT : c.CLIENT + 4], version), row[c.CPORT]),
        server=Endpoint(address(row[c.SERVER : c.SERVER + 4], version), row[c.SPORT]),
        outgoing=None if row[c.OUTGOING] < 0 else bool(row[c.OUTGOING]),
        midstream=bool(row[c.MIDSTREAM]),
        first=_packet(row, c.FIRST),
        syn2=_block(row, c.SYN2),
        synack=_block(row, c.SYNACK),
        synack2=_block(row, c.SYNACK2),
        rst=_block(row, c.RST),
        challenge=_block(row, c.CHALLENGE),
        echoed=_block(row, c.ECHOED),
        odd=_block(row, c.ODD),
        server_fin=_block(row, c.S_FIN),
        client_fin=_block(row, c.C_FIN),
        client_rst=_block(row, c.C_RST),
        client_ack=_block(row, c.C_ACK),
        server_data=_block(row, c.S_DATA),
        client_data=_block(row, c.C_DATA),
        reply=_block(row, c.REPLY),
        icmp=_icmp(row),
        server_bytes=row[c.S_BYTES],
        client_bytes=row[c.C_BYTES],
        client_acked=row[c.C_ACKED],
        holes=row[c.S_HOLES],
        window_opened=bool(row[c.WINDOW_OPENED]),
        server_segments=_segments(row, c.S_SEGMENTS, c.S_SEGMENTS_N),
        history=history(row),
        looks=looks(row),
    )


def from_connection(events: Sequence[ConnectionFact]) -> Attempt:
    """The attempt that the events of one connect() tell of, where no packets could be captured.

    An error queue entry is the ICMP error; "refused" without one is a reset (ip(7), IP_RECVERR).
    """
    start = events[0]
    server = start.server
    version = 6 if ":" in server.address else 4
    client = next((e.client for e in events if e.client is not None), None) or Endpoint("", 0)
    told: dict[str, Packet] = {}
    answer: IcmpAnswer | None = None
    size = 0
    for event in events:
        packet = _told(event)
        if event.event == "open":
            told["synack"] = packet
        elif event.event == "closed":
            told["rst" if event.error else "server_fin"] = packet
        elif event.event == "data":
            told.setdefault("server_data", packet)
            size += len(event.data)
        elif event.event == "icmp" and event.icmp is not None and answer is None:
            i = event.icmp
            answer = IcmpAnswer(
                event.number, event.time_ns, i.version, i.type, i.code, i.sender, i.ttl, i.tos, None, 1, event.time_ns
            )
        elif event.event == "said":
            told.setdefault("client_data", packet)
        elif event.event == "failed" and event.error == "ECONNREFUSED" and answer is None:
            told["rst"] = packet
        elif event.event == "failed" and event.error == "ECONNRESET":  # SYN-ACK, our ACK, then a reset
            told["synack"] = told["rst"] = packet
    return Attempt(
        form=Form.SYN,
        version=version,
        client=client,
        server=server,
        outgoing=True,
        midstream=False,
        first=_told(start, 64 if start.ttl is None else start.ttl),
        syn2=None,
        synack=told.get("synack"),
        synack2=None,
        rst=told.get("rst"),
        challenge=None,
        echoed=None,
        odd=None,
        server_fin=told.get("server_fin"),
        client_fin=None,
        client_rst=None,
        client_ack=told.get("synack"),
        server_data=told.get("server_data"),
        client_data=told.get("client_data"),
        reply=None,
        icmp=answer,
        server_bytes=size,
        client_bytes=0,
        client_acked=UNSEEN,
        holes=0,
        window_opened=False,
        server_segments=(),
        history="",
    )


def _told(event: ConnectionFact, ttl: int = UNSEEN) -> Packet:
    no = UNSEEN
    return Packet(event.number, event.time_ns, ttl, no, no, no, no, no, no, no, no, 1, event.time_ns)


def _packet(row: Sequence[int], block: int) -> Packet:
    return Packet(*row[block : block + c.BLOCK_WIDTH])


def _block(row: Sequence[int], block: int) -> Packet | None:
    return _packet(row, block) if row[block + c.FRAME] else None


def _icmp(row: Sequence[int]) -> IcmpAnswer | None:
    at = c.ICMP
    if not row[at + c.I_FRAME]:
        return None
    sender = row[at + c.I_SENDER : at + c.I_SENDER + 4]
    return IcmpAnswer(
        frame=row[at + c.I_FRAME],
        time_ns=row[at + c.I_TIME],
        version=row[c.VERSION],
        type=row[at + c.I_TYPE],
        code=row[at + c.I_CODE],
        sender=address(sender, row[c.VERSION]),
        ttl=row[at + c.I_TTL],
        tos=row[at + c.I_TOS],
        quoted_ttl=row[at + c.I_QUOTED_TTL],
        count=row[at + c.I_COUNT],
        last_ns=row[at + c.I_LAST],
    )


def _segments(row: Sequence[int], base: int, limit: int) -> tuple[Segment, ...]:
    found = []
    for at in range(base, base + limit * c.SEGMENT_WIDTH, c.SEGMENT_WIDTH):
        if not row[at]:
            break
        found.append(Segment(*row[at : at + c.SEGMENT_WIDTH]))
    return tuple(found)


def _form(row: Sequence[int]) -> Form:
    if row[c.KIND] == c.K_ECHO:
        return Form.ECHO
    if row[c.KIND] == c.K_NEIGHBOR:
        return Form.NEIGHBOR
    flags = row[c.FIRST + c.FLAGS] & c.OPENING
    options = row[c.FIRST + c.OPTIONS]
    if options & c.O_FRAGMENT:
        return Form.FRAGMENT
    if flags == c.F_SYN:
        if options & c.O_MD5:
            return Form.MD5_SYN
        return Form.SYN if options & c.USUAL_OPTIONS else Form.BARE_SYN
    by_flags = {c.F_ACK: Form.ACK, c.F_FIN: Form.FIN, c.F_SYN | c.F_ACK: Form.SYN_ACK}
    return by_flags.get(flags, Form.OTHER)


def history(row: Sequence[int]) -> str:
    """Zeek's history: upper case the client's, lower case the server's."""
    text = ""
    for i in range(row[c.HISTORY_N]):
        code = (row[c.HISTORY_A] >> (5 * i) if i < 12 else row[c.HISTORY_B] >> (5 * (i - 12))) & 31
        letter = c.LETTERS[code & 15]
        text += letter.lower() if code & 16 else letter
    return text
