"""Answers that no stock kernel can be brought to give: written by hand on packet sockets, from a server or from the
wire.

House rules of this file:
1. A responder answers a SYN to its addresses and port, and nothing else.
2. Scenarios made with these are marked `real=False`, with the reason.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.lab.packets import ACK, ICMP, KERNEL_OPTIONS, RST, SYN, Packet, icmp_error, parse, tcp

ETH_P_ALL = 3
OUTGOING = 4  # PACKET_OUTGOING, packet(7)
ETHERTYPES = {0x0800, 0x86DD}
OTHER_ISS = 0x5EED0000


@dataclass(frozen=True, slots=True)
class Heard:
    """A SYN that was heard, ready to be answered in the name of the host it was meant for."""

    syn: Packet
    data: bytes  # the whole IP packet
    options: Mapping[str, Any]

    @property
    def host(self) -> tuple[str, int]:
        """The dialled end."""
        return self.syn.destination, self.syn.dport

    @property
    def client(self) -> tuple[str, int]:
        """The dialling end."""
        return self.syn.source, self.syn.sport

    def reply(self, flags: int, seq: int, ack: int, ttl: int = 64, window: int = 0) -> bytes:
        """A segment from the host to the client."""
        options = KERNEL_OPTIONS if flags == SYN | ACK else b""
        return tcp(
            self.host, self.client, flags, seq, ack, window=window, options=options, ttl=ttl, tos=self.syn.tos & 0xFC
        )


def rst_wrong_ack(heard: Heard) -> Iterator[bytes]:
    """RST,ACK that acknowledges something never sent (RFC 9293 3.10.7.3 wants it ignored)."""
    yield heard.reply(RST | ACK, 0, heard.syn.seq + 0x10000)


def synack_wrong_ack(heard: Heard) -> Iterator[bytes]:
    """SYN-ACK that acknowledges something never sent."""
    yield heard.reply(SYN | ACK, OTHER_ISS, heard.syn.seq + 0x10000, window=64240)


def syn_for_syn(heard: Heard) -> Iterator[bytes]:
    """A SYN in answer to a SYN (split handshake)."""
    yield heard.reply(SYN, OTHER_ISS, 0, window=64240)


def rst_of_box(heard: Heard) -> Iterator[bytes]:
    """A well-formed reset in the host's name, from a box in the path; the SYN itself goes on to the host (see
    `start`)."""
    yield heard.reply(RST | ACK, 0, heard.syn.seq + 1, ttl=int(heard.options.get("ttl", 64)))


def forgeries(heard: Heard) -> Iterator[bytes]:
    """Packets by somebody who can't see our sequence numbers: none of them may become a verdict."""
    seq, v6 = heard.syn.seq, heard.syn.version == 6
    routers = heard.options["senders"]
    for index in range(int(heard.options["forged"])):
        yield heard.reply(RST, seq + 0x40000000 + index, 0)
        yield heard.reply(RST | ACK, 0, seq + 0x20000000 + index)
        yield heard.reply(SYN | ACK, OTHER_ISS + index, seq + 2 + index, window=64240)
        port_at = 40 if v6 else (heard.data[0] & 15) * 4
        for port, number in (
            (heard.syn.sport, seq + 0x20000000 + index),
            ((heard.syn.sport + 1 + index) & 0xFFFF, seq),
        ):
            inner = struct.pack("!HHI", port, heard.syn.dport, number & 0xFFFFFFFF)
            quote = heard.data[:port_at] + inner + heard.data[port_at + 8 : port_at + 20]
            yield icmp_error(routers[1 if v6 else 0], heard.syn.source, (1, 1) if v6 else (3, 13), quote)


RESPONDERS: dict[str, Callable[[Heard], Iterator[bytes]]] = {
    responder.__name__: responder for responder in (rst_wrong_ack, synack_wrong_ack, syn_for_syn, rst_of_box, forgeries)
}


def open_socket(port: int) -> socket.socket:
    """A packet socket on every interface of the namespace the thread is in."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    sock.setblocking(False)
    return sock


def start(
    loop: asyncio.AbstractEventLoop, sock: socket.socket, kind: str, port: int, options: Mapping[str, Any]
) -> None:
    """Answer SYNs to `options["addresses"]` and `port` that `sock` hears; `options["onward"]` is where they go on
    then."""
    write = RESPONDERS[kind]
    addresses = set(options["addresses"])
    onward = options.get("onward")  # the SYN was held back for us (a bridge rule): let it go after our answer

    def hear() -> None:
        try:
            frame, (interface, kind_of_frame, direction, *_) = sock.recvfrom(65536)
        except OSError:
            return
        if direction == OUTGOING or interface.startswith("br") or kind_of_frame not in ETHERTYPES:
            return
        syn = parse(frame[14:])
        if syn and syn.icmp is None and syn.flags == SYN and syn.destination in addresses and syn.dport == port:
            head = frame[6:12] + frame[:6] + frame[12:14]
            for packet in write(Heard(syn, frame[14:], options)):
                sock.sendto(head + packet, (interface, 0))
            if onward and interface != onward:
                sock.sendto(frame, (onward, 0))

    loop.add_reader(sock, hear)


__all__ = ["ICMP", "RESPONDERS", "Heard", "open_socket", "start"]
