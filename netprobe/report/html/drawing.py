"""A ladder as an SVG: where each line, tip and word stands; jinja2 writes the elements.

House rules of this file:
1. The steps and their words are those of the terminal's ladder (netprobe.report.ladder); here are only places.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from netprobe.ladder import Gap, Kind, Ladder, Row, Silence, Step
from netprobe.model import Endpoint
from netprobe.report.escape import escape
from netprobe.report.ladder import box_name, labels, more, seconds, silence

WIDTH = 860
_LEFT = 120  # the client's column
_RIGHT = 110
_TOP = 58
_ROW = 34
_LETTER = 6.6  # of the labels' font


@dataclass(frozen=True, slots=True)
class Column:
    """A lifeline and its head, in one or two lines."""

    x: float
    names: tuple[str, ...]
    refuses: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One row. `kind`: arrow, lost, note, silence or gap; `header`: what the packet's header says, a line each."""

    y: float
    kind: str
    text: str
    time: str
    decisive: bool
    start: float = 0
    end: float = 0
    x: float = 0
    anchor: str = "middle"
    header: tuple[str, ...] = ()
    tip: str = ""


@dataclass(frozen=True, slots=True)
class Drawing:
    """One SVG."""

    width: int
    height: float
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    others: int
    bottom: float


def drawing(ladder: Ladder, refusers: Collection[str] = ()) -> Drawing:
    """Places everything. `refusers`: the addresses of who refused, marked where they have a column."""
    last = ladder.columns - 1
    at = [_LEFT + (WIDTH - _LEFT - _RIGHT) * n / last for n in range(last + 1)]
    names = [
        ("client", escape(ladder.client or "")),
        *(tuple(box_name(box).split(", ")) for box in ladder.boxes),
        ("server", escape(str(Endpoint(ladder.server, ladder.port)))),
    ]
    addresses = [ladder.client, *(box.address for box in ladder.boxes), ladder.server]
    columns = tuple(
        Column(x, some, address in refusers)
        for x, some, address in zip(at, names, addresses, strict=True)
    )
    lines = tuple(_line(row, _TOP + 30 + n * _ROW, at, ladder) for n, row in enumerate(ladder.rows))
    height = _TOP + 30 + len(lines) * _ROW
    return Drawing(WIDTH, height, columns, lines, ladder.others, height - 12)


def _line(row: Row, y: float, at: list[float], ladder: Ladder) -> Line:
    middle = (at[0] + at[-1]) / 2
    if isinstance(row, Gap):
        return Line(y, "gap", more(row), "", decisive=False, x=middle)
    if isinstance(row, Silence):
        time = seconds(row.until_ns - ladder.began_ns)
        return Line(y, "silence", silence(row), time, row.decisive, x=middle)
    time = seconds(row.time_ns - ladder.began_ns)
    header = tuple(headers(row, ladder))
    words = labels(row, ladder)
    if row.start == row.end:
        text = words[0] if len(words[0]) < 100 else words[0][:97] + "..."
        return Line(y, "note", text, time, row.decisive, x=_LEFT + 10, anchor="start", header=header)
    start, end = at[row.start], at[row.end]
    if row.lost:  # where it ended isn't known
        after = min(row.start + 1, len(at) - 2)  # a box that is known to stand before
        end = (at[after] + at[after + 1]) / 2 if len(at) > 2 and not row.inbound else start + (end - start) * 0.72
    tip = 7 if end < start else -7
    room = WIDTH - _LEFT - _RIGHT - 20
    text = next((one for one in words if len(one) * _LETTER <= max(room, abs(end - start))), words[-1])
    half = len(text) * _LETTER / 2
    x = min(max((start + end) / 2, _LEFT + half - 8), WIDTH - half - 4)
    tip_points = f"{end:.1f},{y:.1f} {end + tip:.1f},{y - 4:.1f} {end + tip:.1f},{y + 4:.1f}"
    kind = "lost" if row.lost else "arrow"
    return Line(y, kind, text, time, row.decisive, start, end, x, header=header, tip=tip_points)


def headers(step: Step, ladder: Ladder) -> list[str]:
    """What a step's header says, decoded, a line each."""
    found = [f"frame {step.frame}, {seconds(step.time_ns - ladder.began_ns)} s after the first packet"]
    if step.count > 1:
        found[0] += f"; {step.count} alike, the last at {seconds(step.last_ns - ladder.began_ns)} s"
    ip = [f"from {escape(step.sender)}"] if step.sender else []
    if step.ttl is not None and step.ttl >= 0:
        ip.append(f"TTL {step.ttl}" + (" (meant to run out on the way)" if step.limited and not step.inbound else ""))
    if step.tos is not None and step.tos >= 0:
        ip.append(f"TOS 0x{step.tos:02x} (DSCP {step.tos >> 2})")
    if ip:
        found.append("IP: " + ", ".join(ip))
    if step.kind is Kind.SEGMENT:
        ports = (step.server_port, step.client_port) if step.inbound else (step.client_port, step.server_port)
        found.append(f"TCP: port {ports[0]} to {ports[1]}, flags {escape(step.what)}")
        found.append(f"TCP: sequence {step.seq}, acknowledges {step.ack}, window {step.window}")
        options = ["MD5 signature"] if step.md5 else []
        if not step.options and "SYN" in step.what:
            options.append("no options")
        if step.length:
            options.append(f"{step.length} bytes of data")
        found += [f"TCP: {', '.join(options)}"] if options else []
    elif step.kind is Kind.ICMP:
        about = f", about port {step.server_port}" if step.server_port else ""
        found.append(f"ICMP: {escape(step.what)}{about}")
    if step.message:
        found.append(f"SSH: {step.message}")
    if step.says:
        found.append(f"text: {escape(step.says)}")
    if step.decisive:
        found.append("The verdict rests on this.")
    return found
