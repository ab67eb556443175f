"""The report for a person at a terminal: a table with one line per address and port, then what each diagnosis rests on.

House rules of this file:
1. `width` None means: not a terminal, nothing is wrapped or cut. Otherwise no line is wider, as far as words allow.
2. Every cell and line passes through `escape`; colour is added afterwards, and only when asked for.
3. tabulate is imported when a table is made, never before.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from netprobe.model import Alternative, Certainty, Citation, Mode, Origin, OriginKind, State, Verdict
from netprobe.report import CrossCheck, Report, by_cause, login, pair
from netprobe.report.escape import escape, excerpt

GAP = 2  # tabulate's "plain" puts two blanks between columns
_NARROWEST_CELL = 12
_DIFFERENCES = 10
_LABEL = 10
_SGR = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "magenta": "35"}
_STATE_COLOUR = {State.OPEN: "green", State.CLOSED: "red", State.FILTERED: "yellow", State.UNKNOWN: "magenta"}

Paint = Callable[[str, str], str]


def render(report: Report, *, width: int | None = None, verbosity: int = 0, colour: bool = False) -> str:
    """The whole report as text with a final line end.

    `verbosity`: -1 the table only, 0 with reasons and remedies, 1 with the decisive packets, 2 with path and probes.
    """
    paint: Paint = painted if colour else plain
    parts = []
    if report.pair is not None:
        parts.append("\n".join(fold(line, width) for line in pair.summary(report)))
    if report.verdicts:
        parts.append(_table(report.verdicts, width, paint))
    if verbosity >= 0:
        parts.extend(details(report.verdicts, width, verbosity, paint))
    ending = "\n".join(fold(line, width) for line in closing(report, verbosity))
    if ending:
        parts.append(ending)
    return "\n\n".join(parts) + "\n" if parts else ""


def painted(name: str, text: str) -> str:
    """`text` in one of the colours of _SGR."""
    return f"\x1b[{_SGR[name]}m{text}\x1b[0m"


def plain(_name: str, text: str) -> str:
    """`text` without colour."""
    return text


# --------------------------------------------------------------------------- the table


def _table(verdicts: Sequence[Verdict], width: int | None, paint: Paint) -> str:
    from tabulate import tabulate

    headers = ["TARGET", "ADDRESS", "PORT", "STATE", "CAUSE", "CERTAINTY", "WHERE"]
    rows = [_row(verdict) for verdict in verdicts]
    if not any(_has_name(verdict) for verdict in verdicts):
        headers, rows = headers[1:], [row[1:] for row in rows]
    elif excess(headers, rows, width) > 0:
        # Too narrow for both: the name above its address, in one column.
        headers = headers[:1] + headers[2:]
        rows = [["\n".join(dict.fromkeys(row[:2])).removesuffix("\n-"), *row[2:]] for row in rows]
    fold_cells(headers, rows, width)
    column = headers.index("STATE")
    for verdict, row in zip(verdicts, rows, strict=True):
        # No cell of this column is ever folded, so the colour codes stay whole.
        row[column] = paint(_colour_of(verdict), row[column])
    # The headers go in as a row: tabulate would widen every column that has a header by two blanks.
    cells = [[paint("bold", header) for header in headers], *rows]
    text = str(tabulate(cells, tablefmt="plain", disable_numparse=True, stralign="left"))
    return "\n".join(line.rstrip() for line in text.splitlines())


def _has_name(verdict: Verdict) -> bool:
    """The target says more than its address and port do."""
    address, port = verdict.address, verdict.port
    return verdict.target not in {address, f"{address}:{port}", f"[{address}]", f"[{address}]:{port}"}


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


def where(origin: Origin, target: str | None) -> str:
    """Who made the refusal, in a few words."""
    if origin.between is not None:
        near, far = (_end(address, target) for address in origin.between)
        return f"between {near} and {far}"
    if origin.kind is OriginKind.LOCAL:
        return "this machine"
    if origin.kind is OriginKind.RESOLVER:
        return f"resolver {escape(origin.address)}" if origin.address else "the resolver"
    if origin.address is None and origin.kind is not OriginKind.TARGET:
        return "unknown"
    place = "target" if origin.address in (None, target) else escape(origin.address or "")
    return f"{place}, hop {origin.hop}" if origin.hop else place  # hop 0 is this machine itself


def _end(address: str | None, target: str | None) -> str:
    if address is None:
        return "the next router"
    return "target" if address == target else escape(address)


def _widths(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    """The columns' widths, over all lines of all cells."""
    table = [headers, *rows]
    return [max(len(line) for row in table for line in row[column].split("\n")) for column in range(len(headers))]


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
    pieces: list[str] = []
    for line in textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False):
        if len(line) <= room:
            pieces.append(line)
            continue
        piece = ""
        for part in re.findall(rf"[^.:]{{1,{room - 1}}}[.:]?|.", line):
            if len(piece) + len(part) > room:
                pieces.append(piece)
                piece = ""
            piece += part
        pieces.append(piece)
    return pieces


# --------------------------------------------------------------------------- what each diagnosis rests on


def details(verdicts: Sequence[Verdict], width: int | None, verbosity: int, paint: Paint) -> Iterator[str]:
    """One block for each verdict; neighbours that say the very same share one."""
    headings: list[str] = []
    before: list[str] | None = None
    for verdict in verdicts:
        body = [text for label, line in lines(verdict, verbosity) for text in entry(label, line, width, paint)]
        body += pair.ladder(verdict, verbosity)
        if before is not None and body != before:
            yield "\n".join([*headings, *before])
            headings = []
        headings.append(heading(verdict, width, paint))
        before = body
    if before is not None:
        yield "\n".join([*headings, *before])


def heading(verdict: Verdict, width: int | None, paint: Paint) -> str:
    """What a verdict says, as the head of its block."""
    place = f"[{verdict.address}]" if ":" in (verdict.address or "") else verdict.address or verdict.target
    name = f"{excerpt(verdict.target, 60)} " if verdict.address and _has_name(verdict) else ""
    told = _heading_words(verdict)
    text = f"{name}{escape(place)} port {verdict.port}: {told}"
    return paint("bold", fold(text, width))


def _heading_words(verdict: Verdict) -> str:
    if verdict.cause == "up":
        service = verdict.service
        said = service and (service.identification or service.protocol)
        return f"up, {excerpt(said)}" if said else "up"
    sure = "" if verdict.certainty is Certainty.CERTAIN else f" ({verdict.certainty})"
    return f"{verdict.state}, {verdict.cause}{sure} [{verdict.rule}]"


def lines(verdict: Verdict, verbosity: int) -> Iterator[tuple[str, str]]:
    """The labelled lines of one block. A label of "" continues the one before."""
    up = verdict.cause == "up"
    if not up or verbosity > 0:
        yield from _labelled("because", verdict.because)
    if not up:
        yield from _labelled("or it is", [_rival(rival) for rival in verdict.alternatives])
    yield from pair.lines(verdict)
    yield from _labelled("to do", verdict.remedy)
    yield from _labelled("note", verdict.notes)
    if verdict.service and verdict.service.text:
        said = verdict.service.text[: 5 if verbosity < 2 else None]
        yield from _labelled("it said", [excerpt(text) for text in said])
    for label, texts in login.lines(verdict, verbosity):
        yield from _labelled(label, texts)
    if verbosity > 0:
        yield from _labelled("packets", [_packet(cited) for cited in verdict.evidence])
    if verbosity > 1:
        yield from _labelled("path", [_hop(hop.hop, hop.address, hop.rtt_ms, hop.reason) for hop in verdict.path])
        yield from _labelled("probes", [_probes(verdict)])


def _rival(rival: Alternative) -> str:
    return f"{rival.cause}: {rival.because}. To settle it: {rival.settle}"


def _packet(cited: Citation) -> str:
    return f"frame {cited.frame}, {_clock(cited.time_ns)}: {cited.what}"


def _labelled(label: str, texts: Sequence[str]) -> Iterator[tuple[str, str]]:
    for index, text in enumerate(texts):
        yield ("" if index else label), text


def entry(label: str, text: str, width: int | None, paint: Paint) -> list[str]:
    """One labelled line; what doesn't fit is indented further, so that the next entry is seen as one."""
    indent = " " * (_LABEL + 2)
    wrapped = [escape(text)]
    if width is not None:
        room = max(width - len(indent), _NARROWEST_CELL)
        wrapped = textwrap.wrap(wrapped[0], room, subsequent_indent="  ", break_on_hyphens=False) or [""]
    first = f"  {paint('dim', label) if label else ''}{' ' * (_LABEL - len(label))}{wrapped[0]}"
    return [first, *(indent + line for line in wrapped[1:])]


def _clock(time_ns: int) -> str:
    seconds, rest = divmod(time_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%H:%M:%S}.{rest // 1000:06d}"


def _hop(hop: int, address: str | None, rtt_ms: float | None, reason: str) -> str:
    time = "" if rtt_ms is None else f", {rtt_ms:.3g} ms"
    return f"hop {hop}: {address}{time}, {reason}" if address else f"hop {hop}: no answer"


def _probes(verdict: Verdict) -> str:
    parts = [f"{verdict.attempts} tried"]
    if verdict.client:
        parts.append(f"from {verdict.client}")
    ttl = "" if verdict.reason_ttl is None else f" ttl {verdict.reason_ttl}"
    sender = f" from {verdict.reason_address}" if verdict.reason_address else ""
    parts.append(f"reason {verdict.reason}{sender}{ttl}")
    if verdict.rtt_ms is not None:
        parts.append(f"answer after {verdict.rtt_ms:.3g} ms")
    if verdict.history or verdict.conn_state:
        parts.append(f"history {verdict.history or '-'}, conn_state {verdict.conn_state or '-'}")
    return "; ".join(parts)


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


def fold(text: str, width: int | None) -> str:
    """A line in lines of at most `width`."""
    if width is None or len(text) <= width:
        return text
    return textwrap.fill(text, width, subsequent_indent="  ", break_on_hyphens=False)
