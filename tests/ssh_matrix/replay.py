"""A recording through the program's own reader, decoder and SSH session, connection by connection."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netprobe.model import Auth, Frame, Kex, Record
from netprobe.ssh.session import Session
from netprobe.tracker import columns as c
from netprobe.tracker.decode import decode
from netprobe.wire.capture import CaptureReader

SYN, FIN, RST, ACK = 2, 1, 4, 16


@dataclass
class Connection:
    """One TCP connection of a capture: `session` has been fed all of it."""

    session: Session
    starts: list[int]  # the sequence number after the SYN, by `by_client`
    segments: list[tuple[bool, int, int, bytes, int]]


@dataclass(frozen=True)
class Login:
    """One connection beside what is known of it: `entry` is its table in the list, `pair` server and client."""

    pair: tuple[str, str]
    entry: dict[str, Any]
    kex: Kex | None
    auth: Auth | None
    connection: Connection


def connections(source: Path | Iterable[Record]) -> list[Connection]:
    """Of a file, or of records: in order of their SYNs."""
    return list(by_ports(CaptureReader(source) if isinstance(source, Path) else source).values())


def by_ports(records: Iterable[Record]) -> dict[tuple[int, int], Connection]:
    """The same by the ports of client and server."""
    row = [0] * 128
    found: dict[tuple[int, int], Connection] = {}
    for record in records:
        if not isinstance(record, Frame):
            continue
        decode(record.data, 0, len(record.data), record.link_type, row)
        if row[c.D_PROTOCOL] != c.P_TCP:
            continue
        flags, ports = row[c.D_FLAGS], (row[c.D_SPORT], row[c.D_DPORT])
        if flags & (SYN | ACK) == SYN:
            found.setdefault(ports, Connection(Session(), [0, row[c.D_SEQ] + 1], []))
            continue
        by_client = ports in found
        one = found.get(ports if by_client else ports[::-1])
        if one is None:
            continue
        if flags & SYN:
            one.starts[False] = row[c.D_SEQ] + 1
            continue
        offset, length = (row[c.D_SEQ] - one.starts[by_client]) & 0xFFFFFFFF, row[c.D_PAYLOAD]
        if length:
            data = record.data[row[c.D_OFFSET] : row[c.D_OFFSET] + length]
            one.segments.append((by_client, offset, length, data, record.time_ns))
            one.session.segment(by_client, offset, length, data, record.time_ns)
        if flags & (FIN | RST):
            one.session.closed(by_client, bool(flags & RST), record.time_ns)
    for one in found.values():
        one.session.finish()
    return found


def logins(folder: Path) -> Iterator[Login]:
    """Every connection of every recording of a folder."""
    for path in sorted(folder.glob("*.sessions.toml")):
        told = tomllib.loads(path.read_text())
        seen = connections(path.with_name(path.name.replace(".sessions.toml", ".pcapng.xz")))
        assert len(seen) == len(told["session"]), path.name
        for entry, connection in zip(told["session"], seen, strict=True):
            session = connection.session
            yield Login((told["server"], told["client"]), entry, session.kex(), session.auth(), connection)
