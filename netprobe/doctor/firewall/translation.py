"""Address translation as both rule languages ask for it: a new destination, a new source."""

from __future__ import annotations

from dataclasses import replace

from netprobe.doctor.firewall import words
from netprobe.doctor.firewall.model import Env, Packet
from netprobe.doctor.firewall.values import Number, Span, anywhere

SOURCE_DONE, DESTINATION_DONE = 128, 256  # IPS_SRC_NAT_DONE and IPS_DST_NAT_DONE of conntrack's status


def redirected(packet: Packet, port: int | None, env: Env) -> Packet:
    """To this machine itself; to the same port where none is named."""
    return destined(packet, own_address(packet, env), port)


def destined(packet: Packet, address: Number | None, port: int | None) -> Packet:
    """To another address or port; None leaves it."""
    dst = packet.dst if address is None else address
    dport = packet.dport if port is None else port
    changed = (dst, dport) != (packet.dst, packet.dport)
    status = packet.status | DESTINATION_DONE | (words.CT_STATUS["dnat"] if changed else 0)
    return replace(packet, dst=dst, dport=dport, status=status)


def sourced(packet: Packet, address: Number | None, port: int | None) -> Packet:
    """From another address; None is one that isn't known (masquerade, a range)."""
    return replace(
        packet,
        src=anywhere(packet.family) if address is None else address,
        sport=Span(1, 65535) if port is None else port,
        status=packet.status | SOURCE_DONE | words.CT_STATUS["snat"],
    )


def own_address(packet: Packet, env: Env) -> int | Span:
    """Where a redirect leads: the first address of the interface that the packet came by."""
    mine = [address for name, address, _, _ in env.host.networks(packet.family) if name == packet.iif]
    if not mine:
        return packet.dst if env.host.kind(packet.family, packet.dst) == "local" else anywhere(packet.family)
    return packet.dst if packet.dst in mine and packet.family == 6 else mine[0]
