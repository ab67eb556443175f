"""What was counted of a connection's packets, for the formats that have a place for it (Zeek's conn.log)."""

from __future__ import annotations

from collections.abc import Sequence

from netprobe.report.zeek import Tally
from netprobe.tracker import columns
from netprobe.tracker.columns import C_SIDE, E_COUNT, E_GAPS, E_RESETS, S_SIDE


def tally(r: Sequence[int]) -> Tally:
    """The numbers of one row of the tracker's table."""
    begun = int(r[columns.FIRST + columns.TIME])
    ended = int(r[columns.TOUCHED])
    return Tally(
        begun_ns=begun,
        lasted_ns=max(ended - begun, 0) if begun else 0,
        client_bytes=int(r[columns.C_BYTES]),
        server_bytes=int(r[columns.S_BYTES]),
        client_packets=int(r[C_SIDE + E_COUNT] + r[C_SIDE + E_RESETS]),
        server_packets=int(r[S_SIDE + E_COUNT] + r[S_SIDE + E_RESETS]),
        whole=not (r[C_SIDE + E_GAPS] or r[S_SIDE + E_GAPS]),
    )
