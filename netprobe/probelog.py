"""The log of a scan: every record in words, one line each, and what of them tells where the scan ran.

House rules of this file:
1. Nothing is left out and nothing decided: what counts for a verdict is told elsewhere.
2. Nothing is escaped: renderers do that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from netprobe import icmp
from netprobe.attempts import address
from netprobe.ladder import Log, LogRow, Way
from netprobe.model import CredentialsFact, Endpoint, Fact, Frame, LinkFact, Record, ResolvedFact, RouteFact
from netprobe.tracker import columns as c
from netprobe.tracker.decode import decode
from netprobe.wire import facts

_FLAGS = ((c.F_SYN, "SYN"), (c.F_FIN, "FIN"), (c.F_RST, "RST"), (c.F_PSH, "PSH"), (c.F_ACK, "ACK"))
# Kinds of facts that say where a scan ran, each told once.
_SURROUNDINGS: dict[type[Fact], str] = {
    ResolvedFact: "name",
    RouteFact: "route",
    LinkFact: "link",
    CredentialsFact: "login",
}
MOST_SURROUNDINGS = 40


def log_of(records: Callable[[], Iterable[Record]]) -> Log:
    """The log of these records, which are asked for when somebody reads it."""
    return Log(lambda: map(row, records()), lambda: list(_surroundings(records())))


def row(record: Record) -> LogRow:
    """One record in words."""
    if not isinstance(record, Frame):
        return LogRow(record.number, record.time_ns, Way.LEARNT, facts.message(record))
    way = Way.SEEN if record.outgoing is None else Way.SENT if record.outgoing else Way.RECEIVED
    return LogRow(record.number, record.time_ns, way, packet(record))


def packet(frame: Frame) -> str:
    """A packet in one line: who to whom, what, and what of its headers a diagnosis can rest on."""
    d = [0] * c.DECODED
    decode(frame.data, 0, len(frame.data), frame.link_type, d)
    protocol = d[c.D_PROTOCOL]
    if protocol == c.P_TCP:
        return _segment(d)
    if protocol in (c.P_NEIGHBOR_ASK, c.P_NEIGHBOR_REPLY):
        whom = _address(d, c.D_DST if protocol == c.P_NEIGHBOR_ASK else c.D_SRC)
        return f"who has {whom}?" if protocol == c.P_NEIGHBOR_ASK else f"{whom} is here"
    ends = f"{_address(d, c.D_SRC)} > {_address(d, c.D_DST)}"
    if protocol == c.P_ICMP_ERROR:
        return f"{ends} ICMP {_error(d)}, ttl {d[c.D_TTL]} tos 0x{d[c.D_TOS]:02x}, about {_quoted(d)}"
    if protocol in (c.P_ECHO, c.P_ECHO_REPLY):
        what = "echo request" if protocol == c.P_ECHO else "echo reply"
        return f"{ends} ICMP {what}, ttl {d[c.D_TTL]} tos 0x{d[c.D_TOS]:02x}"
    return f"a packet of another kind, {frame.length} bytes"


def _segment(d: list[int]) -> str:
    source = Endpoint(_address(d, c.D_SRC), d[c.D_SPORT])
    target = Endpoint(_address(d, c.D_DST), d[c.D_DPORT])
    flags = ",".join(name for bit, name in _FLAGS if d[c.D_FLAGS] & bit) or "no flags"
    parts = [f"{source} > {target} {flags}", f"seq {d[c.D_SEQ]}"]
    if d[c.D_FLAGS] & c.F_ACK:
        parts.append(f"ack {d[c.D_ACK]}")
    parts += [f"win {d[c.D_WINDOW]}", f"ttl {d[c.D_TTL]}", f"tos 0x{d[c.D_TOS]:02x}"]
    if d[c.D_OPTIONS] & c.O_MD5:
        parts.append("with a TCP-MD5 option")
    elif d[c.D_FLAGS] & c.F_SYN and not d[c.D_OPTIONS] & c.USUAL_OPTIONS:
        parts.append("without options")
    if d[c.D_PAYLOAD]:
        parts.append(f"{d[c.D_PAYLOAD]} bytes")
    return " ".join(parts)


def _error(d: list[int]) -> str:
    return icmp.meaning(d[c.D_VERSION], d[c.D_TYPE], d[c.D_CODE]).reason


def _quoted(d: list[int]) -> str:
    source, target = _address(d, c.D_Q_SRC), _address(d, c.D_Q_DST)
    if d[c.D_Q_PROTOCOL] != 6:
        return f"{source} > {target}"
    return f"{Endpoint(source, d[c.D_Q_SPORT])} > {Endpoint(target, d[c.D_Q_DPORT])}"


def _address(d: list[int], column: int) -> str:
    return address(d[column : column + 4], d[c.D_VERSION])


def _surroundings(records: Iterable[Record]) -> Iterator[tuple[str, str]]:
    told: dict[tuple[str, str], None] = {}
    for record in records:
        name = _SURROUNDINGS.get(type(record))  # type: ignore[arg-type]
        if name is not None and isinstance(record, Fact):
            said = facts.message(record)
            told[name, said.removeprefix(f"{name} ").removeprefix("to ")] = None
    yield from list(told)[:MOST_SURROUNDINGS]
    if len(told) > MOST_SURROUNDINGS:
        yield "more", f"{len(told) - MOST_SURROUNDINGS} more names and routes are in the probe log"
