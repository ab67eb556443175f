"""What `netprobe wait` tells: a line for each change, with its time."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

from netprobe.model import State, Verdict
from netprobe.report.columns import columns, ljust, wrap
from netprobe.report.details import where
from netprobe.report.escape import escape
from netprobe.report.paint import Paint, painted, plain
from netprobe.spoken import readable

HEAD = ("TIME", "AFTER", "STATE", "CAUSE", "CERTAINTY", "WHERE")
# No column can be known before its last line: so wide are the usual words.
WIDTHS = (8, 7, 8, 22, 9, 0)
_NARROWEST = 78  # below, there are no columns
_COLOUR = {State.OPEN: "green", State.CLOSED: "red", State.FILTERED: "yellow", State.UNKNOWN: "magenta"}


def head(width: int | None = None) -> str:
    """The line above the others; empty where a terminal has no room for columns."""
    return _row(HEAD) if width is None or width >= _NARROWEST else ""


def line(verdict: Verdict, time_ns: int, after_ns: int, *, zone: tzinfo | None = None, address: bool = False,
         colour: bool = False, width: int | None = None) -> str:  # fmt: skip
    """One change. `zone` None means UTC; `address`: there are several, so it is told; `width`: columns of the terminal.
    Ends without a line end."""
    paint: Paint = painted if colour else plain
    time = datetime.fromtimestamp(time_ns // 1_000_000_000, zone or UTC)
    place = where(verdict.origin, verdict.address)
    if verdict.cause == "up":
        place = readable(verdict.service.identification or "") if verdict.service else ""
    if address and verdict.address:
        place = f"{verdict.address}  {place}"
    cells = (f"{time:%H:%M:%S}", duration(after_ns), str(verdict.state), verdict.cause, str(verdict.certainty), place)
    name = "red" if verdict.state is State.OPEN and verdict.cause != "up" else _COLOUR[verdict.state]
    told = tuple(escape(cell) for cell in cells)
    if width is not None and width < _NARROWEST:
        return "\n".join(wrap(" ".join(cell for cell in told if cell), width, rest="  "))
    start = columns(_row((*told[:-1], "x"))) - 1
    first, *others = wrap(told[-1], width - start) if width is not None and told[-1] else [told[-1]]
    row = _row((*told[:-1], first), paint=lambda text: paint(name, text))
    return "\n".join([row, *(" " * start + more for more in others)])


def duration(after_ns: int) -> str:
    """Seconds, then minutes, then hours: `8 s`, `2m05s`, `1h02m`."""
    seconds = after_ns // 1_000_000_000
    if seconds < 100:
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes}m{seconds:02}s" if minutes < 60 else f"{minutes // 60}h{minutes % 60:02}m"


def _row(cells: tuple[str, ...], paint: object = None) -> str:
    widths = zip(cells, WIDTHS, strict=True)
    padded = [cell.rjust(width) if at == 1 else ljust(cell, width) for at, (cell, width) in enumerate(widths)]
    if callable(paint):
        padded[2] = paint(padded[2])
    return "  ".join(padded).rstrip()
