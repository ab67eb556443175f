"""A tiny name server: what it knows, NXDOMAIN for the rest, and three names that go wrong on purpose.

servfail.* is answered with SERVFAIL, refused.* with REFUSED, silent.* not at all, empty.* exists without an address
(RFC 1035).
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import struct
from typing import cast

A, AAAA = 1, 28
NOERROR, SERVFAIL, NXDOMAIN, REFUSED = 0, 2, 3, 5


def question(query: bytes) -> tuple[str, int, int]:
    """Name, type and end of the first question. Raises IndexError or struct.error where there is none."""
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode("latin-1").lower())
        at += 1 + query[at]
    (kind,) = struct.unpack_from("!H", query, at + 1)
    return ".".join(labels), kind, at + 5


def answer(query: bytes, zone: dict[str, list[str]]) -> bytes | None:
    """The reply to a query; None where none is to be sent."""
    name, kind, end = question(query)
    first = name.split(".", 1)[0]
    if first == "silent":
        return None
    records = b""
    count = 0
    code = {"servfail": SERVFAIL, "refused": REFUSED, "empty": NOERROR}.get(first)
    if code is None:
        code = NOERROR if name in zone else NXDOMAIN
        for text in zone.get(name, []):
            address = ipaddress.ip_address(text)
            if kind == (A if address.version == 4 else AAAA):
                count += 1
                records += struct.pack("!HHHIH", 0xC00C, kind, 1, 60, len(address.packed)) + address.packed
    flags = 0x8580 | code  # response, authoritative, recursion desired and available
    return query[:2] + struct.pack("!HHHHH", flags, 1, count, 0, 0) + query[12:end] + records


class _Server(asyncio.DatagramProtocol):
    def __init__(self, zone: dict[str, list[str]]) -> None:
        self.zone = zone
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        try:
            reply = answer(data, self.zone)
        except (IndexError, struct.error):
            return
        if reply and self.transport:
            self.transport.sendto(reply, addr)


def open_socket(port: int) -> socket.socket:
    """The server's socket, for both families, in the namespace the thread is in."""
    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    sock.bind(("::", port))
    sock.setblocking(False)
    return sock


async def start(sock: socket.socket, zone: dict[str, list[str]]) -> asyncio.BaseTransport:
    """Serve a zone on a socket of `open_socket`."""
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: _Server(zone), sock=sock)
    return transport
