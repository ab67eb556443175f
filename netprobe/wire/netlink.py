"""A small rtnetlink: routes, neighbours and links as the kernel sees them, and news of their changes (rtnetlink(7)).

House rules of this file:
1. Look-ups never wait: the kernel answers a netlink request before send() returns.
2. No privilege is needed for anything here.
3. A message that can't be read is skipped.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import struct
import sys
from collections.abc import Iterator
from typing import NamedTuple

_ERROR, _DONE = 2, 3
_NEW_LINK, _DELETE_LINK, _GET_LINK = 16, 17, 18
_NEW_ROUTE, _GET_ROUTE = 24, 26
_NEW_NEIGHBOR, _DELETE_NEIGHBOR, _GET_NEIGHBOR = 28, 29, 30
_REQUEST, _DUMP = 1, 0x300
_GROUP_LINK, _GROUP_NEIGHBOR = 1, 4  # RTMGRP_
_HEADER = struct.Struct("=IHHII")
_ROUTE = struct.Struct("=BBBBBBBBI")
_NEIGHBOR = struct.Struct("=BxxxiHBB")
_LINK = struct.Struct("=BxHiII")

_ROUTE_TYPES = {
    1: "ok",
    2: "local",
    3: "broadcast",
    4: "local",
    5: "multicast",
    6: "blackhole",
    7: "unreachable",
    8: "prohibited",
}
_ROUTE_ERRORS = {
    errno.ENETUNREACH: "no-route",
    errno.EHOSTUNREACH: "unreachable",
    errno.EACCES: "prohibited",
    errno.EINVAL: "blackhole",
}
_UP_AND_RUNNING = 0x1 | 0x40
NO_ARP = 0x80
ETHERNET, LOOPBACK = 1, 772

VALID_STATES = 0x02 | 0x04 | 0x08 | 0x10 | 0x40 | 0x80  # NUD_VALID: the link address can be used
DOUBTFUL_STATES = 0x04 | 0x08 | 0x10  # stale, delay, probe: remembered, not confirmed
SURE_STATES = VALID_STATES & ~DOUBTFUL_STATES
_STATE_NAMES = {0x01: "incomplete", 0x20: "failed"}


class Route(NamedTuple):
    """How the kernel would send to an address. `outcome` as in model.RouteFact; `encapsulated`: the route adds a
    tunnel header, which only the kernel can do."""

    outcome: str
    ifindex: int = 0
    interface: str | None = None
    source: str | None = None
    gateway: str | None = None
    encapsulated: bool = False


class Link(NamedTuple):
    """A network interface. `hardware` is its ARPHRD_ type, `address` its own link address, `mtu` in bytes."""

    ifindex: int
    name: str
    hardware: int
    flags: int
    address: bytes
    mtu: int = 1500
    gone: bool = False

    @property
    def up(self) -> bool:
        """Whether it can carry packets: administratively up, and with a carrier."""
        return not self.gone and self.flags & _UP_AND_RUNNING == _UP_AND_RUNNING


class Neighbor(NamedTuple):
    """An entry of the neighbour table. `state` is a NUD_ bit (0 for a deleted entry), `link_address` None where
    unknown."""

    ifindex: int
    address: str
    state: int
    link_address: bytes | None

    @property
    def word(self) -> str:
        """model.NeighborFact's word for the state."""
        return "reachable" if self.state & VALID_STATES else _STATE_NAMES.get(self.state, "failed")


class Kernel:
    """Asks the kernel about routes, neighbours and links."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        self._socket.bind((0, 0))
        self._socket.setblocking(False)
        self._sequence = 0

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def route(self, address: str, *, port: int | None = None, oif: int = 0) -> Route:
        """The route of a TCP segment to `address` (without a zone; `oif` is the zone's interface index), and to
        `port` where policy rules may look at it."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        destination = socket.inet_pton(family, address)
        attributes = _attribute(1, destination) + _attribute(27, bytes([socket.IPPROTO_TCP]))
        if port:
            attributes += _attribute(29, struct.pack("!H", port))
        if oif:
            attributes += _attribute(4, struct.pack("=I", oif))
        request = _ROUTE.pack(family, len(destination) * 8, 0, 0, 0, 0, 0, 0, 0) + attributes
        for kind, body in self._ask(_GET_ROUTE, 0, request):
            if kind == _ERROR:
                return Route(_ROUTE_ERRORS.get(_error(body), "no-route"))
            if kind == _NEW_ROUTE:
                return _route(body, destination)
        return Route("no-route")

    def neighbor(self, index: int, address: str) -> Neighbor | None:
        """The neighbour entry of a next hop, None when the kernel has none."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        destination = socket.inet_pton(family, address)
        request = _NEIGHBOR.pack(family, index, 0, 0, 0) + _attribute(1, destination)
        for kind, body in self._ask(_GET_NEIGHBOR, 0, request):
            if kind == _NEW_NEIGHBOR:
                return _neighbor(body)
            if kind == _ERROR and _error(body) == errno.EOPNOTSUPP:  # before Linux 5.0
                return self._neighbor_by_dump(index, address, family)
        return None

    def links(self) -> dict[int, Link]:
        """All interfaces by index."""
        found = (
            _link(body) for kind, body in self._ask(_GET_LINK, _DUMP, _LINK.pack(0, 0, 0, 0, 0)) if kind == _NEW_LINK
        )
        return {link.ifindex: link for link in found if link is not None}

    def _neighbor_by_dump(self, index: int, address: str, family: int) -> Neighbor | None:
        for kind, body in self._ask(_GET_NEIGHBOR, _DUMP, _NEIGHBOR.pack(family, 0, 0, 0, 0)):
            entry = _neighbor(body) if kind == _NEW_NEIGHBOR else None
            if entry is not None and (entry.ifindex, entry.address) == (index, address):
                return entry
        return None

    def _ask(self, kind: int, flags: int, body: bytes) -> Iterator[tuple[int, bytes]]:
        self._sequence += 1
        self._drain()
        header = _HEADER.pack(_HEADER.size + len(body), kind, _REQUEST | flags, self._sequence, 0)
        try:
            self._socket.send(header + body)
        except OSError:
            return
        while True:
            try:
                data = self._socket.recv(1 << 17)
            except OSError:  # nothing left
                return
            for message, sequence, payload in _messages(data):
                if sequence != self._sequence:
                    continue
                if message == _DONE:
                    return
                yield message, payload
                if not flags & _DUMP:
                    return

    def _drain(self) -> None:
        """Forget what an abandoned request left behind."""
        with contextlib.suppress(OSError):
            while True:
                self._socket.recv(1 << 17)


class Monitor:
    """News of links and neighbours, as the kernel announces them."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        self._socket.bind((0, _GROUP_LINK | _GROUP_NEIGHBOR))
        self._socket.setblocking(False)

    def fileno(self) -> int:
        """For a selector."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def news(self) -> Iterator[Link | Neighbor]:
        """What changed since the last call. Overflow (ENOBUFS) loses news silently; look-ups still tell the truth."""
        while True:
            try:
                data = self._socket.recv(1 << 17)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno == errno.ENOBUFS:
                    continue
                return
            for kind, _, body in _messages(data):
                found = _announced(kind, body)
                if found is not None:
                    yield found


def _announced(kind: int, body: bytes) -> Link | Neighbor | None:
    if kind in (_NEW_LINK, _DELETE_LINK):
        link = _link(body)
        return link._replace(gone=True) if link is not None and kind == _DELETE_LINK else link
    if kind in (_NEW_NEIGHBOR, _DELETE_NEIGHBOR):
        entry = _neighbor(body)
        return entry._replace(state=0, link_address=None) if entry is not None and kind == _DELETE_NEIGHBOR else entry
    return None


# --------------------------------------------------------------------------- messages


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", len(value) + 4, kind) + value + bytes(-len(value) % 4)


def _attributes(data: bytes) -> dict[int, bytes]:
    found, at = {}, 0
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        if length < 4:
            break
        found[kind & 0x3FFF] = data[at + 4 : at + length]
        at += (length + 3) & ~3
    return found


def _messages(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    at = 0
    while at + _HEADER.size <= len(data):
        length, kind, _, sequence, _ = _HEADER.unpack_from(data, at)
        if length < _HEADER.size:
            return
        yield kind, sequence, data[at + _HEADER.size : at + length]
        at += (length + 3) & ~3


def _error(body: bytes) -> int:
    return -int(struct.unpack_from("=i", body)[0]) if len(body) >= 4 else 0


def _address(value: bytes | None) -> str | None:
    if value is None or len(value) not in (4, 16):
        return None
    return socket.inet_ntop(socket.AF_INET if len(value) == 4 else socket.AF_INET6, value)


def _via(value: bytes | None) -> bytes | None:
    """RTA_VIA: an IPv4 route through an IPv6 gateway (RFC 5549)."""
    return value[2:] if value is not None else None


def _route(body: bytes, destination: bytes) -> Route:
    if len(body) < _ROUTE.size:
        return Route("no-route")
    kind = body[7]
    fields = _attributes(body[_ROUTE.size :])
    index = int.from_bytes(fields.get(4, b""), sys.byteorder)
    outcome = _ROUTE_TYPES.get(kind, "no-route")
    if outcome == "ok" and destination[:1] == b"\xff" and len(destination) == 16:
        outcome = "multicast"
    gateway = _address(fields.get(5) or _via(fields.get(18)))
    interface = None
    with contextlib.suppress(OSError):
        interface = socket.if_indextoname(index) if index else None
    return Route(outcome, index, interface, _address(fields.get(7)), gateway, 22 in fields)


def _neighbor(body: bytes) -> Neighbor | None:
    if len(body) < _NEIGHBOR.size:
        return None
    _, index, state, _, _ = _NEIGHBOR.unpack_from(body)
    fields = _attributes(body[_NEIGHBOR.size :])
    address = _address(fields.get(1))
    return None if address is None else Neighbor(index, address, state, fields.get(2) or None)


def _link(body: bytes) -> Link | None:
    if len(body) < _LINK.size:
        return None
    family, hardware, index, flags, _ = _LINK.unpack_from(body)
    if family not in (socket.AF_UNSPEC, socket.AF_PACKET):  # bridge and IPv6 news of the same link
        return None
    fields = _attributes(body[_LINK.size :])
    name = fields.get(3, b"").rstrip(b"\0").decode("utf-8", "replace")
    mtu = int.from_bytes(fields.get(4, b""), sys.byteorder) or 1500
    return Link(index, name, hardware, flags, fields.get(1, b""), mtu)
