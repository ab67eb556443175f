"""Which way a packet went, where its link header says so."""

from __future__ import annotations

LINUX_SLL, LINUX_SLL2 = 113, 276
_OUTGOING = 4  # PACKET_OUTGOING of packet(7)


def outgoing(link_type: int, data: bytes) -> bool | None:
    """True for a packet this machine sent, False for one it got, None where the link type doesn't tell."""
    if link_type == LINUX_SLL and len(data) >= 16:
        return data[:2] == b"\x00\x04"
    if link_type == LINUX_SLL2 and len(data) >= 20:
        return data[10] == _OUTGOING
    return None
