"""Builds crafted probes, byte for byte, with scapy.

House rules of this file:
1. scapy is imported by the first `build` (0.2 s), never by importing this file; never scapy.all, never its sockets.
2. A SYN looks as this kernel's own would: filters and servers must not tell them apart.
3. Numbers that identify a probe (ports, seq, ack) are the prober's; only fields nobody matches are random.

A scan has no 0.2 s to spend: it sends these packets from templates.py, where they lie ready-built; the tests hold
both equal.
"""

from __future__ import annotations

import random
from functools import cache
from types import ModuleType
from typing import Any

from netprobe.model import Endpoint, Probe, Shape
from netprobe.wire.templates import largest_segment, window_scale

_DEFAULT_TTL = 64
_ECHO_PAYLOAD = bytes(range(0x10, 0x30))  # the pattern of ping(8)
_FLAGS = {
    Shape.SYN: "S",
    Shape.BARE_SYN: "S",
    Shape.MD5_SYN: "S",
    Shape.FRAGMENT: "S",
    Shape.ACK: "A",
    Shape.FIN: "F",  # alone: a closed port owes it RST,ACK, a listener nothing (RFC 9293 3.10.7)
    Shape.SYN_ACK: "SA",
    Shape.RST: "R",
}


def build(probe: Probe, mtu: int = 1500) -> bytes:
    """The IP packet of a probe, checksums included. The family is that of its addresses; a zone (`%eth0`) is
    ignored. `mtu` is the interface's: a SYN announces the segment size that goes with it."""
    version = 6 if ":" in probe.server.address else 4
    payload = _echo(probe, version) if probe.shape is Shape.ECHO else _segment(probe, largest_segment(version, mtu))
    return bytes(_header(probe, version) / payload)


@cache
def _scapy() -> tuple[ModuleType, ModuleType]:
    import logging

    from scapy.config import conf

    logging.getLogger("scapy").setLevel(logging.ERROR)  # its warnings would land on the user's terminal
    conf.route_autoload = conf.route6_autoload = False  # routes are the kernel's business: netlink.py
    from scapy.layers import inet, inet6

    return inet, inet6


def _header(probe: Probe, version: int) -> Any:
    inet, inet6 = _scapy()
    ttl = _DEFAULT_TTL if probe.ttl is None else probe.ttl
    source, destination = (e.address.partition("%")[0] for e in (probe.client, probe.server))
    fragment = probe.shape is Shape.FRAGMENT
    if version == 4:
        flags = "MF" if fragment else "DF"
        return inet.IP(
            src=source, dst=destination, ttl=ttl, tos=probe.tos, id=random.randint(1, 0xFFFF), flags=flags, frag=0
        )
    flow_label = random.randint(1, 0xFFFFF)
    header = inet6.IPv6(src=source, dst=destination, hlim=ttl, tc=probe.tos, fl=flow_label)
    return header / inet6.IPv6ExtHdrFragment(m=1, offset=0, id=random.getrandbits(32)) if fragment else header


def _segment(probe: Probe, mss: int) -> Any:
    inet, _ = _scapy()
    whole_segments = 65535 // mss * mss  # tcp_select_initial_window()
    return inet.TCP(
        sport=probe.client.port,
        dport=probe.server.port,
        seq=probe.seq,
        ack=probe.ack,
        flags=_FLAGS[probe.shape],
        window=0 if probe.shape is Shape.RST else whole_segments,
        options=_tcp_options(probe.shape, mss),
    )


def _tcp_options(shape: Shape, mss: int) -> list[tuple[str | int, Any]]:
    """Options in the order of tcp_options_write() in net/ipv4/tcp_output.c."""
    size = ("MSS", mss)
    scale = [("NOP", None), ("WScale", window_scale())]
    if shape in (Shape.SYN, Shape.FRAGMENT, Shape.SYN_ACK):
        echoed = random.getrandbits(32) if shape is Shape.SYN_ACK else 0
        return [size, ("SAckOK", b""), ("Timestamp", (_timestamp(), echoed)), *scale]
    if shape is Shape.MD5_SYN:  # no timestamp: the 40 bytes of options don't hold both
        signature = (19, random.randbytes(16))
        return [("NOP", None), ("NOP", None), signature, size, ("NOP", None), ("NOP", None), ("SAckOK", b""), *scale]
    return []


def _timestamp() -> int:
    """Milliseconds from an offset that Linux draws per connection: any number is as good."""
    return random.getrandbits(32)


def _echo(probe: Probe, version: int) -> Any:
    inet, inet6 = _scapy()
    identifier, sequence = probe.client.port & 0xFFFF, probe.seq & 0xFFFF
    if version == 4:
        return inet.ICMP(type=8, id=identifier, seq=sequence) / _ECHO_PAYLOAD
    return inet6.ICMPv6EchoRequest(id=identifier, seq=sequence, data=_ECHO_PAYLOAD)


def templates() -> str:
    """The table of templates.py, as Python source."""
    lines = ["TEMPLATES = {"]
    for shape in Shape:
        for version, address in ((4, "192.0.2.1"), (6, "2001:db8::1")):
            packet = build(Probe(shape, Endpoint(address, 0), Endpoint(address, 0), tos=0)).hex()
            pieces = [f'        "{packet[at : at + 96]}"' for at in range(0, len(packet), 96)]
            lines += [f"    (Shape.{shape.name}, {version}): (", *pieces, "    ),"]
    return "\n".join([*lines, "}"])
