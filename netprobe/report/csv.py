"""Verdicts as CSV (RFC 4180): a header, then one line for each verdict; the columns are documented in docs/analyze.md.

House rules of this file:
1. No cell can become a formula: one that begins with = + - @, also wide ones, (or a tab or line end) gets an apostrophe
   in front.
2. No cell holds a line end or another control character: they are shown as escapes.
3. Columns are only ever added, at the end.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any

from netprobe.model import Verdict
from netprobe.report.escape import escape
from netprobe.report.json import line as json_line
from netprobe.report.json import timestamp

COLUMNS = (
    *("time", "frame", "client_address", "client_port", "target", "address", "port", "protocol", "state", "reason"),
    *("reason_address", "reason_ttl", "cause", "certainty", "rule", "origin", "origin_address", "origin_hop"),
    *("origin_near", "origin_far", "conn_state", "history", "rtt_ms", "attempts", "service", "identification"),
    *("frames", "because", "or_it_is", "to_do", "notes"),
)
# The wide ones are what a Japanese or Chinese keyboard types; some spreadsheets take them for the others.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def header() -> str:
    """The first line."""
    return _line(COLUMNS)


def line(verdict: Verdict) -> str:
    """The line of one verdict, with its line end."""
    return lines(json_line(verdict).encode("ascii"))


def lines(verdicts: bytes | memoryview) -> str:
    """The lines of verdicts that are JSON lines already."""
    return "".join(_line(_cells(json.loads(one, parse_float=str))) for one in bytes(verdicts).splitlines())


def _cells(verdict: Mapping[str, Any]) -> list[str]:
    client, origin, service = verdict["client"] or {}, verdict["origin"], verdict["service"] or {}
    near, far = origin["between"] or (None, None)
    evidence = verdict["evidence"]
    cells = (
        _time(evidence[0]["time"]) if evidence else None,
        evidence[0]["frame"] if evidence else None,
        client.get("address"),
        client.get("port"),
        *(verdict[key] for key in COLUMNS[4:15]),
        origin["kind"],
        origin["address"],
        origin["hop"],
        near,
        far,
        *(verdict[key] for key in ("conn_state", "history", "rtt_ms", "attempts")),
        service.get("protocol"),
        service.get("identification"),
        " ".join(dict.fromkeys(str(cited["frame"]) for cited in evidence)),
        "; ".join(verdict["because"]),
        "; ".join(dict.fromkeys(rival["cause"] for rival in verdict["alternatives"])),
        "; ".join(verdict["remedy"]),
        "; ".join(verdict.get("notes", ())),
    )
    return ["" if cell is None else _cell(cell) for cell in cells]


def _time(seconds: str) -> str:
    """RFC 3339 of the decimal seconds of a JSON line."""
    whole, _, rest = seconds.partition(".")
    return timestamp(int(whole) * 1_000_000_000 + int(f"{rest:0<9}"))


def _cell(value: str | float) -> str:
    text = str(value)
    if text.startswith(_FORMULA):  # before control characters lose their power
        text = f"'{text}"
    return escape(text)


def _line(cells: Sequence[str]) -> str:
    out = StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(cells)
    return out.getvalue()
