"""Verdicts as CSV (RFC 4180): a header, then one line for each verdict; the columns are documented in docs/analyze.md.

House rules of this file:
1. No cell can become a formula: one that begins with = + - @ (or a tab or line end) gets an apostrophe in front.
2. No cell holds a line end or another control character: they are shown as escapes.
3. Columns are only ever added, at the end.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from io import StringIO

from netprobe.model import Verdict
from netprobe.report.escape import escape
from netprobe.report.json import timestamp
from netprobe.report.summary import begun

COLUMNS = (
    *("time", "frame", "client_address", "client_port", "target", "address", "port", "protocol", "state", "reason"),
    *("reason_address", "reason_ttl", "cause", "certainty", "rule", "origin", "origin_address", "origin_hop"),
    *("origin_near", "origin_far", "conn_state", "history", "rtt_ms", "attempts", "service", "identification"),
    *("frames", "because", "or_it_is", "to_do", "notes"),
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def header() -> str:
    """The first line."""
    return _line(COLUMNS)


def line(verdict: Verdict) -> str:
    """The line of one verdict, with its line end."""
    frame, time_ns = begun(verdict)
    client, origin, service = verdict.client, verdict.origin, verdict.service
    near, far = origin.between or (None, None)
    cells: tuple[str | int | float | None, ...] = (
        timestamp(time_ns) if time_ns else None,
        frame or None,
        client.address if client else None,
        client.port if client else None,
        verdict.target,
        verdict.address,
        verdict.port,
        verdict.protocol,
        verdict.state,
        verdict.reason,
        verdict.reason_address,
        verdict.reason_ttl,
        verdict.cause,
        verdict.certainty,
        verdict.rule,
        origin.kind,
        origin.address,
        origin.hop,
        near,
        far,
        verdict.conn_state,
        verdict.history,
        None if verdict.rtt_ms is None else round(verdict.rtt_ms, 3),
        verdict.attempts,
        service.protocol if service else None,
        service.identification if service else None,
        " ".join(dict.fromkeys(str(cited.frame) for cited in verdict.evidence)),
        "; ".join(verdict.because),
        "; ".join(dict.fromkeys(rival.cause for rival in verdict.alternatives)),
        "; ".join(verdict.remedy),
        "; ".join(verdict.notes),
    )
    return _line(["" if cell is None else _cell(cell) for cell in cells])


def _cell(value: str | float) -> str:
    text = str(value)
    if text.startswith(_FORMULA):  # before control characters lose their power
        text = f"'{text}"
    return escape(text)


def _line(cells: Sequence[str]) -> str:
    out = StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(cells)
    return out.getvalue()
