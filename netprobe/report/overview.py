"""The report for many attempts: what they come to by cause, server and origin, the failing ones, one example each.

House rules of this file:
1. Its length follows the number of causes, never that of attempts, unless all are asked for.
2. What is left out is counted, and the option that shows it is named.
3. Cells are escaped when they are made; `width` None means: nothing is folded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from netprobe.model import Certainty
from netprobe.report import Report, pair
from netprobe.report.columns import Layout, columns, ljust
from netprobe.report.details import Drawing, block, entry, heading
from netprobe.report.paint import Paint, fold, painted, plain
from netprobe.report.summary import PLACES, Cause, Outlines, Span, Summary, begun, outlined
from netprobe.report.table import GAP, closing, excess, fold_cells, stacked, too_narrow

# Rows of servers in the summary, over all causes, and for one cause.
SERVER_ROWS = 20
SERVERS_OF_A_CAUSE = 5
# Kinds of failure that are explained without -v.
EXPLAINED = 3

ROW = ("FRAME", "TIME", "CLIENT", "SERVER", "STATE", "CAUSE", "WHERE")
_DAY_NS = 86_400_000_000_000

# Where all of them are: of a capture, of a sweep.
EVERY_ONE = ("--all lists every attempt", "--jsonl has every answer")
OTHERS = ("--all shows them; --jsonl or --csv gives them to other programs", "--jsonl has every answer, a line each")


def render(
    report: Report,
    summary: Summary,
    *,
    width: int | None = None,
    height: int | None = None,
    verbosity: int = 0,
    colour: bool = False,
    listed: bool = True,
    unicode: bool = False,
) -> str:
    """The whole report, with a final line end. `verbosity`, `height` as in table.render; `listed`: with the first
    failing attempts (else the caller shows all of them by `attempts`)."""
    paint: Paint = painted if colour else plain
    text = _rendered(report, summary, width, verbosity, paint, unicode=unicode, listed=listed, explained=EXPLAINED)
    if height is None or verbosity != 0 or not listed:
        return text
    for explained in (EXPLAINED, 1, 0):
        if text.count("\n") < height:  # the last line is the prompt's
            break
        text = _rendered(report, summary, width, verbosity, paint, unicode=unicode, listed=False, explained=explained)
        text += f"\n{fold(EVERY_ONE[report.command == 'scan'], width)}\n"
    return text


def _rendered(
    report: Report, summary: Summary, width: int | None, verbosity: int, paint: Paint,
    *, unicode: bool, listed: bool, explained: int,
) -> str:  # fmt: skip
    parts = [_title(report, summary, width), _summary(summary, width, paint)]
    if report.pair is not None:
        parts.insert(1, "\n".join(fold(line, width) for line in pair.summary(report)))
    if verbosity >= 0:
        if listed and summary.examples.failing:
            parts.append(_failing(summary, width, paint, OTHERS[report.command == "scan"]))
        drawing = Drawing(report, unicode=unicode) if verbosity > 0 else None
        parts.extend(_explained(summary, width, verbosity, paint, drawing, explained))
    ending = "\n".join(fold(line, width) for line in closing(report, verbosity, counted=True))
    return "\n\n".join([*parts, ending] if ending else parts) + "\n"


# --------------------------------------------------------------------------- the summary


def _title(report: Report, summary: Summary, width: int | None) -> str:
    span = summary.span
    packets = f" in {report.capture.packets:,} packets" if report.capture.packets else ""
    when = ""
    if span.first_ns:
        first, last = _date(span.first_ns), _date(span.last_ns)
        same = first[:10] == last[:10]
        when = f", {first} to {last[11:] if same else last} UTC" if first != last else f", {first} UTC"
    up = summary.total - summary.failed
    return fold(f"{summary.total:,} attempts{packets}{when}: {up:,} up, {summary.failed:,} not", width)


def _summary(summary: Summary, width: int | None, paint: Paint) -> str:
    headers = ["ATTEMPTS", "SHARE", "CAUSE AND SERVER", "WHERE", "FIRST", "LAST", "FRAME"]
    whole = summary.span
    causes = summary.causes
    each = min(SERVERS_OF_A_CAUSE, max(1, SERVER_ROWS // max(1, len(causes))))
    rows: list[list[str]] = []
    bold: set[int] = set()
    for cause in causes:
        bold.add(len(rows))
        rows.append(_span_row(cause.name, _origins(cause), cause.span, summary.total, whole))
        rows.extend(_servers(cause, each, summary.total, whole))
    layout = Layout()
    hidden = [[layout.hide(cell) for cell in cells] for cells in rows]
    headers, rows = _narrowed(headers, hidden, width, ("LAST", "FIRST"))
    unfolded = [list(cells) for cells in rows]
    fold_cells(headers, rows, width, ((3, 12), (2, 24)))
    if width is not None and too_narrow(headers, rows, width):
        return layout.show("\n".join(stacked(unfolded, width)))
    return layout.show(_aligned(headers, rows, {0, 1, len(headers) - 1}, paint, bold))


def _origins(cause: Cause) -> str:
    """Who made all these refusals, or how many did."""
    if cause.name == "up":
        return ""
    found = {place.where for place in cause.places}
    return found.pop() if len(found) == 1 else f"{len(found):,} places"


def _servers(cause: Cause, limit: int, total: int, whole: Span) -> Iterator[list[str]]:
    """The rows of a cause's servers, and how many more there are."""
    if all(20 * span.count < cause.span.count or span.count == 1 for _, span in cause.top(1)):
        limit = min(limit, 2)  # none stands out: these are only examples
    limit += len(cause.places) == limit + 1  # one more row instead of a row that says "1 more"
    for place, span in cause.top(limit):
        at_least = ">=" if cause.forgotten and span.count < cause.span.count else ""
        origin = "" if cause.name == "up" else place.where
        yield _span_row(f"  {place.server}", origin, span, total, whole, at_least)
    more = len(cause.places) - limit
    if cause.forgotten:
        yield ["", "", f"  more than {PLACES - limit:,} more", "", "", "", ""]
    elif more > 0:
        yield ["", "", f"  {more:,} more", "", "", "", ""]


def _span_row(name: str, place: str, span: Span, total: int, whole: Span, at_least: str = "") -> list[str]:
    return [
        f"{at_least}{span.count:,}",
        f"{span.count / total:.1%}",
        name,
        place,
        _time(span.first_ns, whole),
        _time(span.last_ns, whole),
        str(span.frame or "-"),
    ]


# --------------------------------------------------------------------------- attempts one by one


def attempt_rows(some: Outlines, whole: Span | None = None) -> Iterator[list[str]]:
    """The cells of each attempt, for the columns of ROW; the clients have to be told. Without `whole`, times have their
    date."""
    for n, frame, time_ns, client in zip(some.which, some.frames, some.times_ns, some.clients, strict=True):
        one = some.outlines[n]
        sure = "" if one.cause == "up" or one.certainty is Certainty.CERTAIN else f" ({one.certainty})"
        time = (_time(time_ns, whole) if whole else _date(time_ns, 3)) if time_ns else "-"
        yield [str(frame or "-"), time, client, one.place.server, one.state, f"{one.cause}{sure}", one.place.where]


def attempts(rows: Iterable[Sequence[str]], widths: Sequence[int]) -> Iterator[str]:
    """Rows that `attempt_rows` made, as lines of a table whose columns are so wide (see `measure`), header first."""
    yield _padded(ROW, widths)
    for cells in rows:
        yield _padded(cells, widths)


def measure(widths: list[int], cells: Sequence[str]) -> None:
    """Widen the columns to hold these cells."""
    for column, cell in enumerate(cells):
        widths[column] = max(widths[column], columns(cell))


def _padded(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (
        cell.rjust(width) if column == 0 else ljust(cell, width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return (" " * GAP).join(padded).rstrip()


def _failing(summary: Summary, width: int | None, paint: Paint, others: str) -> str:
    shown = sorted(summary.examples.failing, key=begun)
    layout = Layout()
    hidden = [[layout.hide(cell) for cell in cells] for cells in attempt_rows(outlined(shown), summary.span)]
    headers, rows = _narrowed(ROW, hidden, width, ("STATE", "TIME"))
    if excess(headers, rows, width) > 0:
        for cells in rows:
            cells[-2] = cells[-2].partition(" ")[0]  # how certain it is stands with the examples, too
    unfolded = [list(cells) for cells in rows]
    fold_cells(headers, rows, width, ((-1, 12), (-3, 15), (-4, 15)))
    if width is not None and too_narrow(headers, rows, width):
        table = layout.show("\n".join(stacked(unfolded, width)))
    else:
        table = layout.show(_aligned(headers, rows, {0}, paint, set()))
    more = summary.failed - len(shown)
    if not more:
        return f"The failing attempts:\n\n{table}"
    told = f"{more:,} more failing attempts: {others}"
    return f"The first {len(shown)} of {summary.failed:,} failing attempts:\n\n{table}\n{fold(told, width)}"


def _explained(
    summary: Summary, width: int | None, verbosity: int, paint: Paint, drawing: Drawing | None, most: int
) -> Iterator[str]:
    """One example of each kind of failure, with its reasons; of `most` kinds, or of one more."""
    kinds = summary.kinds
    shown = kinds if verbosity > 0 or len(kinds) == most + 1 > 1 else kinds[:most]
    if drawing is not None:
        drawing.prepare([kind.example for kind in shown])
    for kind in shown:
        verdict = kind.example
        frame, _ = begun(verdict)
        told = "once" if kind.count == 1 else f"{kind.count:,} times"
        told += f", {'from' if kind.count == 1 else 'for example from'} frame {frame}" if frame else ""
        body = block(verdict, width, verbosity, paint, drawing)
        yield "\n".join([heading(verdict, width, paint), *entry("seen", told, width, paint), *body])
    if len(shown) < len(kinds):
        others = ", ".join(f"{kind.example.cause} [{kind.example.rule}]" for kind in kinds[len(shown) :])
        yield fold(f"-v explains {'the others, too' if shown else 'them'}: {others}", width)


# --------------------------------------------------------------------------- cells


def _narrowed(
    headers: Sequence[str], rows: Sequence[list[str]], width: int | None, spare: Sequence[str]
) -> tuple[list[str], list[list[str]]]:
    """The table without as many of the `spare` columns as it takes to make it no wider than `width`."""
    kept, left = list(headers), [list(cells) for cells in rows]
    for name in spare:
        if excess(kept, left, width) > 0:
            column = kept.index(name)
            kept.pop(column)
            for cells in left:
                cells.pop(column)
    return kept, left


def _aligned(
    headers: Sequence[str], rows: Sequence[Sequence[str]], right: set[int], paint: Paint, bold: set[int]
) -> str:
    """A table of cells that may have several lines; columns in `right` are numbers."""
    table = [[cell.split("\n") for cell in cells] for cells in (headers, *rows)]
    widths = [max(len(line) for cells in table for line in cells[column]) for column in range(len(headers))]
    text = []
    for index, cells in enumerate(table):
        for part in range(max(len(cell) for cell in cells)):
            pieces = [cell[part] if part < len(cell) else "" for cell in cells]
            line = (" " * GAP).join(
                piece.rjust(width) if column in right else piece.ljust(width)
                for column, (piece, width) in enumerate(zip(pieces, widths, strict=True))
            ).rstrip()
            text.append(paint("bold", line) if index == 0 or index - 1 in bold else line)
    return "\n".join(text)


def _time(time_ns: int, whole: Span) -> str:
    """As much of a time as tells it from the others of the capture."""
    if not time_ns:
        return "-"
    if whole.first_ns // _DAY_NS != whole.last_ns // _DAY_NS:
        return f"{_moment(time_ns):%m-%d %H:%M:%S}"
    short = whole.last_ns - whole.first_ns < 10_000_000_000
    return f"{_moment(time_ns):%H:%M:%S}" + (f".{time_ns // 1_000_000 % 1000:03d}" if short else "")


def _date(time_ns: int, digits: int = 0) -> str:
    rest = f".{time_ns % 1_000_000_000:09d}"[: digits + 1] if digits else ""
    return f"{_moment(time_ns):%Y-%m-%d %H:%M:%S}{rest}"


def _moment(time_ns: int) -> datetime:
    # A hostile file may have times that no calendar has.
    return datetime.fromtimestamp(min(max(time_ns // 1_000_000_000, 0), 253_402_300_799), UTC)
