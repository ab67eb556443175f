"""The report for a person at a terminal: a table with one line per address and port, then what each diagnosis rests on.

House rules of this file:
1. `width` None means: not a terminal, nothing is wrapped or cut. Otherwise no line is wider, as far as words allow.
2. Every cell and line passes through `escape`; colour is added afterwards, and only when asked for.
3. tabulate is imported when a table is made, never before.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence

from netprobe.model import Mode, State, Verdict
from netprobe.report import CrossCheck, Report, by_cause, pair
from netprobe.report.columns import SECOND, Layout, wrap
from netprobe.report.details import TERSEST, Drawing, details, has_name, where
from netprobe.report.escape import escape, excerpt
from netprobe.report.paint import Paint, fold, painted, plain

NARROW = 60
GAP = 2  # tabulate's "plain" puts two blanks between columns
_DIFFERENCES = 10
_STATE_COLOUR = {State.OPEN: "green", State.CLOSED: "red", State.FILTERED: "yellow", State.UNKNOWN: "magenta"}

# Up to so many verdicts are told one by one without -v.
FEW = 8
# Up to so many also where the screen is too low for them: the addresses of a name.
ALWAYS_TOLD = 3


def render(
    report: Report,
    *,
    width: int | None = None,
    height: int | None = None,
    verbosity: int = 0,
    colour: bool = False,
    unicode: bool = False,
) -> str:
    """The whole report as text with a final line end. One verdict is told with its ladder; several are a table first.

    `verbosity`: -1 the table only, 0 with reasons and remedies of a few, 1 with ladders and the decisive packets, 2
    with path and probes. `unicode`: ladders may be drawn with more than ASCII. `height`: rows of the terminal; what
    has more lines is made shorter, so that the first ones stay in sight.
    """
    paint: Paint = painted if colour else plain
    drawing = Drawing(report, unicode=unicode)
    text = _rendered(report, width, verbosity, paint, drawing)
    if height is None or verbosity != 0 or len(report.verdicts) > FEW:
        return text
    drawing.terse = True
    shorter: list[int | None] = list(range(1, TERSEST + 1))
    for terse in shorter + [None] * (len(report.verdicts) > ALWAYS_TOLD):
        if text.count("\n") < height:  # the last line is the prompt's
            break
        text = _rendered(report, width, verbosity, paint, drawing, terse)
    return text


def _rendered(
    report: Report, width: int | None, verbosity: int, paint: Paint, drawing: Drawing, terse: int | None = 0
) -> str:
    """`terse` None: several are a table only."""
    parts = []
    if report.pair is not None:
        parts.append("\n".join(fold(line, width) for line in pair.summary(report)))
    alone = len(report.verdicts) == 1 and verbosity >= 0
    if report.verdicts and not alone:
        parts.append(_table(report.verdicts, width, paint))
    if verbosity > 0 or (verbosity == 0 and len(report.verdicts) <= FEW and terse is not None):
        drawn = drawing if alone or verbosity > 0 else None
        parts.extend(details(report.verdicts, width, verbosity, paint, drawn, alone=alone, terse=terse or 0))
    elif verbosity == 0 and set(by_cause(report)) != {"up"}:
        parts.append(fold("-v tells of each of them why, and what to do", width))
    ending = "\n".join(fold(line, width) for line in closing(report, verbosity))
    if ending:
        parts.append(ending)
    return "\n\n".join(parts) + "\n" if parts else ""


# --------------------------------------------------------------------------- the table


def _table(verdicts: Sequence[Verdict], width: int | None, paint: Paint) -> str:
    from tabulate import tabulate

    headers = ["TARGET", "ADDRESS", "PORT", "STATE", "CAUSE", "CERTAINTY", "WHERE"]
    layout = Layout()
    rows = [[layout.hide(cell) for cell in _row(verdict)] for verdict in verdicts]
    if not any(has_name(verdict) for verdict in verdicts):
        headers, rows = headers[1:], [row[1:] for row in rows]
    elif excess(headers, rows, width) > 0:
        # Too narrow for both: the name above its address, in one column.
        headers = headers[:1] + headers[2:]
        rows = [["\n".join(dict.fromkeys(row[:2])).removesuffix("\n-"), *row[2:]] for row in rows]
    whole = [list(row) for row in rows]
    fold_cells(headers, rows, width)
    if width is not None and too_narrow(headers, rows, width):
        blocks = []
        for verdict, block in zip(verdicts, stacked(whole, width), strict=True):
            state = paint(_colour_of(verdict), verdict.state)
            blocks.append(re.sub(rf"(?<!\S){verdict.state}(?!\S)", state, block, count=1))
        return layout.show("\n".join(blocks))
    # The headers go in as a row: tabulate would widen every column that has a header by two blanks. Colour comes after
    # it: it would strip every cell of codes again to see how wide it is. Wide characters come back last: whether
    # tabulate knows of them depends on what else is installed.
    text = str(tabulate([headers, *rows], tablefmt="plain", disable_numparse=True, stralign="left"))
    lines = [line.rstrip() for line in text.splitlines()]
    if paint is not plain:
        _colour(lines, verdicts, headers, rows, paint)
    return layout.show("\n".join(lines))


def _colour(
    lines: list[str], verdicts: Sequence[Verdict], headers: Sequence[str], rows: Sequence[Sequence[str]], paint: Paint
) -> None:
    """Paint the headers and each verdict's state, whose place follows from the widths of the columns."""
    column = headers.index("STATE")
    start = sum(width + GAP for width in _widths(headers, rows)[:column])
    lines[0] = re.sub(r"\S+", lambda match: paint("bold", match[0]), lines[0])
    at = 1
    for verdict, row in zip(verdicts, rows, strict=True):
        state = row[column]  # never folded
        line = lines[at]
        lines[at] = line[:start] + paint(_colour_of(verdict), state) + line[start + len(state) :]
        at += 1 + max([cell.count("\n") for cell in row])


def _row(verdict: Verdict) -> list[str]:
    return [
        excerpt(verdict.target, 60),
        escape(verdict.address or "-"),
        str(verdict.port),
        verdict.state,
        verdict.cause,
        verdict.certainty,
        "-" if verdict.cause == "up" else where(verdict.origin, verdict.address),
    ]


def _colour_of(verdict: Verdict) -> str:
    # An open port that is no good is no reason for green.
    return "red" if verdict.state is State.OPEN and verdict.cause != "up" else _STATE_COLOUR[verdict.state]


def _widths(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    """The columns' widths, over all lines of all cells."""
    return [max(map(_width, cells)) for cells in zip(headers, *rows, strict=True)]


def _width(cell: str) -> int:
    return len(cell) if "\n" not in cell else max(map(len, cell.split("\n")))


def too_narrow(headers: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> bool:
    """Whether a narrow terminal has no room for a table that was folded. On one of usual width a table that is a
    little too wide is still easier to read than none."""
    return width < NARROW and excess(headers, rows, width) > 0


def stacked(rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """Rows for which a terminal has no room as a table: one after the other, each folded."""
    return [
        "\n".join(wrap("  ".join(cell.replace("\n", " ").strip() for cell in row if cell), width, rest="    "))
        for row in rows
    ]


def excess(headers: Sequence[str], rows: Sequence[Sequence[str]], width: int | None) -> int:
    """By how many columns the table is wider than the terminal."""
    return 0 if width is None else sum(_widths(headers, rows)) + GAP * (len(headers) - 1) - width


def fold_cells(
    headers: Sequence[str],
    rows: Sequence[list[str]],
    width: int | None,
    order: Sequence[tuple[int, int]] = ((-1, 12), (0, 16)),
) -> None:
    """Fold cells until the table is no wider than `width`: the columns of `order` one after the other, none narrower
    than it says."""
    for column, narrowest in order:
        over = excess(headers, rows, width)
        if over > 0:
            room = max(narrowest, _widths(headers, rows)[column] - over)
            for row in rows:
                row[column] = "\n".join(piece for line in row[column].split("\n") for piece in _broken(line, room))


def _broken(text: str, room: int) -> list[str]:
    """`text` in pieces of at most `room` characters, broken at blanks; a longer word behind dots and colons."""
    if len(text) <= room:
        return [text]  # nearly every cell of a long table
    pieces: list[str] = []
    for line in textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False):
        if len(line) <= room:
            pieces.append(line)
            continue
        piece = ""
        for part in re.findall(rf"[^.:]{{1,{room - 1}}}(?!{SECOND})[.:]?|.{SECOND}?", line):
            if len(piece) + len(part) > room:
                pieces.append(piece)
                piece = ""
            piece += part
        pieces.append(piece)
    return pieces


# --------------------------------------------------------------------------- the end


def closing(report: Report, verbosity: int, *, counted: bool = False) -> Iterator[str]:
    """What is told at the end, line by line. `counted`: how many verdicts there are of each cause was told already."""
    capture = report.capture
    if len(report.verdicts) > 1 and not counted:
        counts = ", ".join(f"{cause} {count}" for cause, count in by_cause(report).items())
        yield f"{len(report.verdicts)} verdicts: {counts}"
    if capture.dropped or capture.unsolicited or verbosity > 0:
        yield (
            f"{capture.packets:,} packets captured, {capture.dropped:,} dropped by the kernel, "
            f"{capture.unsolicited:,} unsolicited"
        )
    if capture.undecoded and report.mode is Mode.CAPTURE and verbosity >= 0:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in capture.undecoded.items())
        yield f"{sum(capture.undecoded.values()):,} of {capture.packets:,} packets were only counted: {kinds}"
    if report.cross_check is not None:
        yield from _cross_checked(report.cross_check)
    for damage in capture.damage:
        yield f"damaged: {escape(damage)}"


def _cross_checked(check: CrossCheck) -> Iterator[str]:
    more = f" (and of {check.left_out:,} verdicts by the same rules none)" if check.left_out else ""
    told = f"{check.frames:,} decisive frames{more}"
    if not check.differences:
        yield f"cross-check: tshark decoded {told} in the same way"
        return
    yield f"cross-check: {len(check.differences):,} differences from tshark's decoding in {told}"
    for one in check.differences[:_DIFFERENCES]:
        yield f"  {escape(one.file)} frame {one.frame}, {one.field}: netprobe {one.ours}, tshark {escape(one.theirs)}"
    if len(check.differences) > _DIFFERENCES:
        yield f"  {len(check.differences) - _DIFFERENCES:,} more: --json has all"
