"""Zeek's conn.log of attempts that come as templates and values (netprobe.report.rows).

House rules of this file:
1. A row is byte for byte what zeek.line gives for its verdict; tests/test_zeek.py holds both equal.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from netprobe.report import rows, zeek
from netprobe.report.zeek import Tally

COLUMNS = (
    *("server", "server_port", "client", "client_port", "begun", "touched", "client_bytes", "server_bytes"),
    *("client_packets", "client_resets", "server_packets", "server_resets", "client_gaps", "server_gaps"),
)
# Cells that are made of each row's numbers stand behind its values, in this order.
_OWN = (
    *("ts", "uid", "duration", "orig_bytes", "resp_bytes", "missed_bytes", "orig_pkts", "resp_pkts"),
    "netprobe_frames",
)


@dataclass(frozen=True, slots=True)
class _Template:
    """`line`: a format string for values and own cells. `values`: how many there are; `time`: the value that is the
    time of the first packet cited, -1 without one; `frames`: those that are cited frames; `whose`: what the uid is made
    of besides, None for what comes of the row."""

    line: str
    values: int
    time: int
    frames: tuple[int, ...]
    has_client: bool
    target: str


class Rows:
    """A sink for conn.log; `write` gets the lines."""

    columns: Sequence[str] = COLUMNS

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._templates: list[_Template] = []

    def template(self, pieces: Sequence[str], gaps: Sequence[int]) -> int:
        """As rows.Sink."""
        values = max((len(COLUMNS) - 1, *gaps)) + 1
        v: dict[str, Any] = json.loads(rows.marked(pieces, gaps), parse_float=str)
        evidence = v["evidence"]
        cells = zeek.shared(v)
        line = "\t".join(
            f"{{{values + _OWN.index(name)}}}" if name in _OWN else _format(cell) for name, cell in cells.items()
        )
        frames = tuple(rows.value_of(one["frame"]) for one in evidence)
        time = rows.value_of(evidence[0]["time"]) if evidence else -1
        target = rows.formatted(v["target"])
        self._templates.append(_Template(f"{line}\n", values, time, frames, v["client"] is not None, target))
        return len(self._templates) - 1

    def add(self, text: str) -> None:
        """As rows.Sink."""
        told = []
        for row in text.splitlines():
            number, *values = row.split(" ")
            told.append(self._line(self._templates[int(number)], values))
        self._write("".join(told))

    def row(self, line: str, tally: Tally | None) -> None:
        """As rows.Sink."""
        self._write(zeek.line(line, tally))

    def _line(self, t: _Template, values: list[str]) -> str:
        server, port, client, client_port, begun, touched, there, back, sent, reset, answered, undone, *gaps = values[
            : len(COLUMNS)
        ]
        first = int(begun.replace(".", ""))
        lasted = int(touched.replace(".", "")) - first if first else 0
        moment: str | None = begun if first else values[t.time] if t.time >= 0 else None
        whose = (client, int(client_port)) if t.has_client else (None, None)
        uid = zeek.uid(*whose, server, int(port), moment, t.target.format(*values))
        lengths = (f"{lasted // 1_000_000_000}.{lasted // 1000 % 1_000_000:06d}", there, back) if lasted > 0 else _NONE
        own = (
            zeek.UNSET if moment is None else zeek.micro(moment),
            uid,
            *lengths,
            "0" if gaps == _WHOLE else zeek.UNSET,
            int(sent) + int(reset),
            int(answered) + int(undone),
            ",".join(dict.fromkeys(values[n] for n in t.frames)) or zeek.EMPTY,
        )
        return t.line.format(*values, *own)


_NONE = (zeek.UNSET,) * 3
_WHOLE = ["0", "0"]


def _format(cell: object) -> str:
    return zeek.UNSET if cell is None else rows.formatted(str(cell))
