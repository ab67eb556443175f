"""The packets of a verdict drawn for a terminal: client, boxes on the path and server as columns, arrows between them.

House rules of this file:
1. Data in (netprobe.ladder), lines out: no line is wider than was asked for, none has a character outside ASCII unless
   `unicode` allows it.
2. What came from the network passes through `escape` before it is measured.
3. Where an arrow ends that nothing answered isn't known: it is dashed and ends in a question mark.
"""

from __future__ import annotations

from collections.abc import Iterator

from netprobe.ladder import Box, Gap, Kind, Ladder, Row, Silence, Step
from netprobe.model import Endpoint
from netprobe.report.columns import Layout
from netprobe.report.escape import escape
from netprobe.report.paint import Paint, plain

WIDTH = 80
_WIDEST = 100  # longer arrows say nothing more
_NARROWEST = 60  # below, steps are only listed
_LEFT = 14  # where the client's column stands
_MARK = "*"
_SAYS = 40

# (line, dashed, column, crossing, column in a pause)
_ASCII = ("-", "-", "|", "+", ":")
_UNICODE = ("─", "╌", "│", "┼", "┊")
_TIPS = "<>"  # every font has them

def draw(ladder: Ladder, *, width: int | None = None, unicode: bool = False, paint: Paint = plain) -> list[str]:
    """The ladder in lines of at most `width` columns (None: WIDTH)."""
    wide = min(width or WIDTH, _WIDEST)
    if wide < _NARROWEST:
        return [paint(*_style(row, text)) for row, text in _listed(ladder, wide)]
    canvas = _Canvas(ladder, wide, unicode=unicode)
    head = [paint("dim", line) for line in canvas.head()]
    return head + [paint(*_style(row, canvas.line(row))) for row in ladder.rows]


def _style(row: Row, text: str) -> tuple[str, str]:
    decisive = not isinstance(row, Gap) and row.decisive
    return ("bold" if decisive else ""), text


class _Canvas:
    """Where the columns of one ladder stand, and a line at a time over them."""

    def __init__(self, ladder: Ladder, width: int, *, unicode: bool) -> None:
        self._ladder = ladder
        self._width = width
        self._unicode = unicode
        self._dash, self._dots, self._lane, self._cross, self._pause = _UNICODE if unicode else _ASCII
        last = ladder.columns - 1
        self._at = [_LEFT + (width - 2 - _LEFT) * n // last for n in range(last + 1)]
        self._layout = Layout()

    def head(self) -> list[str]:
        """Who stands where; two lines where one has no room for all the names."""
        ladder = self._ladder
        client = f"client {escape(ladder.client)}" if ladder.client else "client"
        server = f"server {escape(str(Endpoint(ladder.server, ladder.port)))}"
        boxes = [box_name(box) for box in ladder.boxes]
        first = f"{_MARK} decides".ljust(_LEFT - 3)
        ends = first + client + " " * max(2, self._width - len(first) - len(client) - len(server)) + server
        if len(ends) > self._width:  # two long addresses
            return [(first + client)[: self._width], server[-self._width :].rjust(self._width), *self._names(boxes)]
        if not boxes:
            return [ends]
        limit = self._width - len(server) - 2
        line = first + client
        for n, name in enumerate(boxes):
            start = min(self._at[n + 1] - len(name) // 2, limit - len(name))
            if start < len(line) + 2 or n + 1 < len(boxes):  # two names side by side have no room
                return [ends, *self._names(boxes)]
            line = line.ljust(start) + name
        return [line.ljust(limit + 2) + server]

    def _names(self, boxes: list[str]) -> list[str]:
        """The boxes' names, each above its column, in as many lines as it takes."""
        lines: list[str] = []
        for at, name in zip(self._at[1:-1], boxes, strict=True):
            start = max(0, min(at - len(name) // 2, self._width - len(name)))
            if lines and len(lines[-1]) + 2 <= start:
                lines[-1] = lines[-1].ljust(start) + name
            else:
                lines.append(" " * start + name[: self._width])
        return lines

    def line(self, row: Row) -> str:
        """One row as a line."""
        cells = [" "] * self._width
        for at in self._at:
            cells[at] = self._pause if isinstance(row, Silence | Gap) else self._lane
        if isinstance(row, Gap):
            self._put(cells, _LEFT + 3, more(row))
        elif isinstance(row, Silence):
            self._time(cells, row.until_ns, decisive=row.decisive)
            text = f" {silence(row)} "
            self._put(cells, (self._at[0] + self._at[-1] - len(text)) // 2 + 1, text)
        else:
            self._time(cells, row.time_ns, decisive=row.decisive)
            self._step(cells, row)
        return self._layout.show("".join(cells)).rstrip()

    def _time(self, cells: list[str], time_ns: int, *, decisive: bool) -> None:
        text = f"{seconds(time_ns - self._ladder.began_ns):>{_LEFT - 5}}"
        cells[: len(text) + 2] = f"{_MARK if decisive else ' '}{text} "

    def _put(self, cells: list[str], at: int, text: str) -> None:
        room = self._width - at
        text = text if len(text) <= room else text[: room - 3] + "..."
        cells[at : at + len(text)] = text

    def _step(self, cells: list[str], step: Step) -> None:
        if step.kind is Kind.OTHER or (step.kind is Kind.TOLD and not step.crosses):
            self._put(cells, _LEFT + 2, self._shown(labels(step, self._ladder)[0]))
            return
        if step.start == step.end:
            self._put(cells, _LEFT + 2, self._shown(f"{_TIPS[0]}- {labels(step, self._ladder)[0]}"))
            return
        start, end = self._at[step.start], self._at[step.end]
        low, high = min(start, end), max(start, end)
        self._arrow(cells, step, low, high)
        texts = [self._shown(f" {text} ") for text in labels(step, self._ladder)]
        inside = high - low - 5
        outside = self._width - high - 1
        for text in texts:
            if len(text) <= inside:
                at = low + 3 if not step.inbound else high - 2 - len(text)
                cells[at : at + len(text)] = text
                return
            if len(text) <= outside:
                cells[high + 1 : high + 1 + len(text)] = text
                return
        text = texts[-1][: max(inside - 4, 1)].rstrip() + "... "
        at = low + 3 if not step.inbound else high - 2 - len(text)
        cells[at : at + len(text)] = text

    def _arrow(self, cells: list[str], step: Step, low: int, high: int) -> None:
        """The line between two columns, with its tip, across those in between."""
        for at in range(low + 1, high):
            cells[at] = self._cross if at in self._at else self._dash
        if step.lost:
            known = next((at for at in self._at if low < at < high), (low + high) // 2)
            for at in range(known + 1, high):
                cells[at] = self._dots if self._unicode or (at - known) % 2 else " "
            cells[high - 2 : high] = "? "
        elif step.inbound:
            cells[low + 1] = _TIPS[0]
        else:
            cells[high - 1] = _TIPS[1]

    def _shown(self, text: str) -> str:
        return self._layout.hide(text) if self._unicode else text.encode("ascii", "backslashreplace").decode("ascii")


# --------------------------------------------------------------------------- the words


def labels(step: Step, ladder: Ladder) -> list[str]:
    """What is written at an arrow: all there is to say, then less and less."""
    name = _name(step, ladder)
    more: list[str] = []
    if step.kind is Kind.SEGMENT or step.crosses:
        if step.message or step.says:
            more.append(step.message or f'"{_cut(_bytes(step.says))}"')
        elif step.length:
            more.append(f"{step.length} bytes")
        if step.md5:
            more.append("md5")
        elif step.what == "SYN" and not step.options:
            more.append("without options")
    header = []
    if step.ttl is not None and step.ttl >= 0 and not ((step.says or step.message) and not step.decisive):
        header.append(f"ttl {step.ttl}")
    if (step.tos and step.tos > 0) or (step.decisive and step.inbound and step.tos == 0 and "RST" in step.what):
        header.append(f"tos 0x{step.tos:02x}")
    times = ""
    if step.count > 1:
        times = f"({step.count} times, to {seconds(step.last_ns - ladder.began_ns)})"
    short = f"(x{step.count})" if times else ""
    if step.last_ns - step.time_ns < 1_000_000:
        times = short
    words = [[name, *more, *header, times], [name, *more, *header[:1], times], [name, *more, *header[:1], short]]
    words += [[name, *more, short], [name, *more], [name]]
    return list(dict.fromkeys(" ".join(word for word in some if word) for some in words))


def _name(step: Step, ladder: Ladder) -> str:
    match step.kind:
        case Kind.ICMP:
            placed = (step.start <= len(ladder.boxes) and step.start > 0) or step.sender == ladder.server
            whose = "" if placed or not step.sender else f" from {escape(step.sender)}"
            about = "" if step.own else f" (port {step.server_port})" if step.server_port else " (ping)"
            return f"ICMP {step.what}{whose}{about}"
        case Kind.ECHO:
            return "ping"
        case Kind.ECHO_REPLY:
            return "ping reply"
        case Kind.NEIGHBOR_ASK:
            return f"who has {escape(step.what)}?"
        case Kind.NEIGHBOR_REPLY:
            return f"{escape(step.what)} is here"
        case Kind.SEGMENT:
            flags = "data" if step.length and step.what in ("PSH,ACK", "ACK") else step.what
            if step.inbound and step.sender not in ("", ladder.server.partition("%")[0]):
                return f"{flags} from {escape(step.sender)}"
            if step.own or step.server_port == ladder.port:
                return flags
            return f"{flags} {'from' if step.inbound else 'to'} port {step.server_port}"
        case _:
            return escape(step.what)


def _bytes(payload: str) -> str:
    """The beginning of a payload, a character for each byte: what those beyond ASCII are meant to be, nobody knows."""
    return "".join(c if c < "\x7f" else f"\\x{ord(c):02x}" for c in escape(payload))


def _cut(text: str) -> str:
    return text if len(text) <= _SAYS else text[: _SAYS - 3] + "..."


def box_name(box: Box) -> str:
    """`hop 2, 198.51.100.2`."""
    parts = [f"hop {box.hop}"] if box.hop is not None else []
    parts += [escape(box.address)] if box.address is not None else []
    return ", ".join(parts) or "a box"


def silence(row: Silence) -> str:
    """`no answer for 4 s`."""
    return f"no answer for {duration(row.until_ns - row.since_ns)}"


def more(gap: Gap) -> str:
    """`... 7 more packets`."""
    bound = "at least " if gap.at_least else ""
    return f"... {bound}{gap.count:,} more packet{'s' if gap.count > 1 else ''}"


def seconds(time_ns: int) -> str:
    """Seconds with milliseconds, whatever the time."""
    sign = "-" if time_ns < 0 else ""
    whole, rest = divmod(abs(time_ns) // 1_000_000, 1000)
    return f"{sign}{whole}.{rest:03d}"


def duration(time_ns: int) -> str:
    """Whole seconds, as the reasons of a verdict tell them; tenths below two."""
    if time_ns < 2_000_000_000:
        tenths = (time_ns + 50_000_000) // 100_000_000
        return f"{tenths // 10}.{tenths % 10} s"
    return f"{(time_ns + 500_000_000) // 1_000_000_000} s"


# --------------------------------------------------------------------------- where there is no room for columns


def _listed(ladder: Ladder, width: int) -> Iterator[tuple[Row, str]]:
    """One line a row, without columns."""
    for row in ladder.rows:
        decisive = not isinstance(row, Gap) and row.decisive
        mark = _MARK if decisive else " "
        if isinstance(row, Gap):
            text = f"{'':9}{more(row)}"
        elif isinstance(row, Silence):
            text = f"{mark}{seconds(row.until_ns - ladder.began_ns):>7} {silence(row)}"
        else:
            way = {True: "<-", False: "->"}[row.inbound] if row.kind not in (Kind.TOLD, Kind.OTHER) else "--"
            room = width - 12
            said = next((one for one in labels(row, ladder) if len(one) <= room), labels(row, ladder)[-1][:room])
            text = f"{mark}{seconds(row.time_ns - ladder.began_ns):>7} {way} {said}"
        yield row, text[:width].encode("ascii", "backslashreplace").decode("ascii")[:width]
