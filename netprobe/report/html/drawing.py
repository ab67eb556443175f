"""A ladder as an SVG: where each line, tip and word stands; jinja2 writes the elements.

House rules of this file:
1. The steps and their words are those of the terminal's ladder (netprobe.report.ladder); here are only places.
2. Two captures of one conversation have the client's at the left and the server's at the right, each with its times.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from netprobe.ladder import Gap, Kind, Ladder, Row, Silence, Step
from netprobe.model import Endpoint
from netprobe.report.escape import escape
from netprobe.report.ladder import box_name, labels, more, seconds, silence

_TOP = 58
_ROW = 34
_LETTER = 6.6  # of the labels' font


@dataclass(frozen=True, slots=True)
class Frame:
    """How wide a drawing is, where the client's column stands from the left and the server's from the right, and where
    the times end."""

    width: int
    left: int
    right: int
    times: int


WIDE = Frame(860, 120, 110, 74)
NARROW = Frame(380, 66, 40, 50)  # for a phone
WIDTH = WIDE.width


@dataclass(frozen=True, slots=True)
class Column:
    """A lifeline and its head, in one or two lines, which stand around `at`, or begin or end there (`anchor`)."""

    x: float
    names: tuple[str, ...]
    refuses: bool
    at: float
    anchor: str = "middle"


@dataclass(frozen=True, slots=True)
class Line:
    """One row. `kind`: arrow, lost, note, silence or gap; `header`: what the packet's header says, a line each.
    `right`: its time by the capture at the right."""

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
    right: str = ""


@dataclass(frozen=True, slots=True)
class Drawing:
    """One SVG. `title` and `about` are for those who don't see it; `times`: where the times end; lifelines go from
    `top` to `bottom`."""

    width: int
    height: float
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    others: int
    bottom: float
    title: str
    about: str
    times: int
    top: int = _TOP - 16


def drawing(ladder: Ladder, refusers: Collection[str] = (), frame: Frame = WIDE) -> Drawing:
    """Places everything. `refusers`: the addresses of who refused, marked where they have a column."""
    last = ladder.columns - 1
    at = [frame.left + (frame.width - frame.left - frame.right) * n / last for n in range(last + 1)]
    names = [
        ("client", escape(ladder.client or "")),
        *(tuple(box_name(box).split(", ")) for box in ladder.boxes),
        ("server", escape(str(Endpoint(ladder.server, ladder.port)))),
    ]
    addresses = [ladder.client, *(box.address for box in ladder.boxes), ladder.server]
    columns = tuple(
        _head(x, some, address in refusers, frame) for x, some, address in zip(at, names, addresses, strict=True)
    )
    top = _TOP
    if _overlap(columns):  # each a line lower than the one before
        columns = tuple(
            replace(one, names=(one.names[0], *[""] * n, *one.names[1:])) for n, one in enumerate(columns)
        )
        top += 16 * last
    lines = tuple(_line(row, top + 30 + n * _ROW, at, ladder, frame) for n, row in enumerate(ladder.rows))
    height = top + 30 + len(lines) * _ROW
    title = f"Packets between {names[0][-1] or 'the client'} and {names[-1][-1]}"
    return Drawing(
        frame.width, height, columns, lines, ladder.others, height - 12, title, _about(lines), frame.times, top - 16
    )


def _head(x: float, names: tuple[str, ...], refuses: bool, frame: Frame) -> Column:
    """A column with its names, which stay within the picture."""
    half = max(len(name) for name in names) * _LETTER * 1.1 / 2
    if x - half < 0:
        return Column(x, names, refuses, 2, "start")
    if x + half > frame.width:
        return Column(x, names, refuses, frame.width - 2, "end")
    return Column(x, names, refuses, x)


def _overlap(columns: tuple[Column, ...]) -> bool:
    """Whether a column's names reach into the next one's."""
    ends = []
    for one in columns:
        wide = max(len(name) for name in one.names) * _LETTER * 1.1
        begin = one.at - {"start": 0.0, "middle": wide / 2, "end": wide}[one.anchor]
        ends.append((begin, begin + wide))
    return any(before[1] + 4 > after[0] for before, after in pairwise(ends))


def _about(lines: tuple[Line, ...]) -> str:
    """The picture in a sentence or two."""
    told = [f"{line.time} s {line.text}".strip() for line in lines if line.decisive]
    decides = f" The verdict rests on: {'; '.join(told[:6])}." if told else ""
    return f"{len(lines)} rows in order of time.{decides} The log below has the same as text."


def _line(row: Row, y: float, at: list[float], ladder: Ladder, frame: Frame) -> Line:
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
        most = int((frame.width - frame.left - 10) / _LETTER)
        text = words[0] if len(words[0]) <= most else words[0][: most - 3] + "..."
        return Line(y, "note", text, time, row.decisive, x=frame.left + 10, anchor="start", header=header)
    start, end = at[row.start], at[row.end]
    if row.lost:  # where it ended isn't known
        after = min(row.start + 1, len(at) - 2)  # a box that is known to stand before
        end = (at[after] + at[after + 1]) / 2 if len(at) > 2 and not row.inbound else start + (end - start) * 0.72
    tip = 7 if end < start else -7
    room = frame.width - frame.left - frame.right - 20
    text = next((one for one in words if len(one) * _LETTER <= max(room, abs(end - start))), words[-1])
    half = len(text) * _LETTER / 2
    x = min(max((start + end) / 2, frame.left + half - 8), frame.width - half - 4)
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


# --------------------------------------------------------------------------- two captures of one conversation

_SIDE = 200  # where the captures stand, from the left and from the right
_FATES = {"split": "in pieces", "copied": "copied", "lost": "lost", "forged": "never left", "unseen": "not to be told"}
MOST_CROSSINGS = 60


def pair_drawing(v: Mapping[str, Any], offset_ns: int) -> Drawing:
    """The packets between two captures, of a verdict's JSON. Times count from the attempt's first packet; `offset_ns`,
    by which the server's clock is ahead, is taken out of the server's."""
    pair = v["pair"]
    client = v["client"] or {}
    seen = (pair["seen_as"] or {}).get("server") or {"address": v["address"] or v["target"], "port": v["port"]}
    left = str(Endpoint(client["address"], client["port"])) if client else "?"
    right = str(Endpoint(seen["address"], seen["port"]))
    columns = (
        Column(_SIDE, ("client's capture", escape(left)), refuses=False, at=_SIDE),
        Column(WIDTH - _SIDE, ("server's capture", escape(right)), refuses=False, at=WIDTH - _SIDE),
    )
    packets = pair["packets"][:MOST_CROSSINGS]
    sights = [_moments(one, offset_ns) for one in packets]
    began = min((moment for both in sights for moment in both if moment is not None), default=0)
    cited = {one["frame"] for one in v["evidence"]}
    lines: list[Line] = []
    y = float(_TOP + 30)
    for one, both in zip(packets, sights, strict=True):
        by = one["server" if pair["decided_by"] == "server" else "client"]
        decisive = by is not None and by["frame"] in cited
        lines.append(_crossing(one, y, [_after(moment, began) for moment in both], decisive=decisive))
        y += _ROW
        for text in one.get("changed", ()):
            lines.append(Line(y - 12, "note", escape(text), "", decisive=False, x=WIDTH / 2))
            y += _ROW - 12
    left_out = len(pair["packets"]) - len(packets) + pair["omitted"]
    if left_out:
        text = f"... {left_out:,} more packet{'s' if left_out > 1 else ''}"
        lines.append(Line(y, "gap", text, "", decisive=False, x=WIDTH / 2))
        y += _ROW
    title = f"Packets of {escape(left)} and {escape(right)}, in the client's capture and in the server's"
    return Drawing(WIDTH, y, columns, tuple(lines), 0, y - 12, title, _about(tuple(lines)), _SIDE - 12)


def _crossing(one: Mapping[str, Any], y: float, times: list[str], *, decisive: bool) -> Line:
    there = one["towards"] == "server"
    fate = one["fate"]
    start, end = (_SIDE, WIDTH - _SIDE) if there else (WIDTH - _SIDE, _SIDE)
    left_it = one["client" if there else "server"] is not None
    lost = fate == "lost" or (fate == "unseen" and left_it)
    if lost:
        end = round(start + (end - start) * 0.72)
    elif fate in ("forged", "unseen"):
        start = round(start + (end - start) * 0.28)
    note = f" ({_FATES[fate]})" if fate in _FATES else ""
    what = escape(one["what"])
    text = (what if len(what) <= 48 else what[:45] + "...") + note
    header = [f"{what}, towards the {one['towards']}: {fate}"]
    header += [
        f"the {side}'s capture: frame {one[side]['frame']}, TTL {one[side]['ttl']}"
        for side in ("client", "server")
        if one[side] is not None
    ]
    header += [escape(more) for more in (*one.get("changed", ()), one.get("because", "")) if more]
    if decisive:
        header.append("The verdict rests on this.")
    tip = 7 if end < start else -7
    points = f"{end:.1f},{y:.1f} {end + tip:.1f},{y - 4:.1f} {end + tip:.1f},{y + 4:.1f}"
    return Line(
        y, "lost" if lost else "arrow", text, times[0], decisive, start, end, WIDTH / 2, header=tuple(header),
        tip=points, right=times[1],
    )  # fmt: skip


def _moments(one: Mapping[str, Any], offset_ns: int) -> tuple[int | None, int | None]:
    """When the client's capture and the server's have it, by the client's clock."""
    client, server = (None if one[side] is None else _ns(one[side]["time"]) for side in ("client", "server"))
    return client, None if server is None else server - offset_ns


def _ns(time: str | float) -> int:
    whole, _, rest = str(time).partition(".")
    return int(whole) * 1_000_000_000 + int(rest.ljust(9, "0")[:9])


def _after(moment: int | None, began: int) -> str:
    if moment is None:
        return ""
    sign = "-" if moment < began else ""
    whole, rest = divmod(abs(moment - began) // 1000, 1_000_000)
    return f"{sign}{whole}.{rest:06d}"
