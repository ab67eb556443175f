"""What each diagnosis rests on, for a person: the answer in the first line, the proof with its ladder, the rivals, the
remedy last.

House rules of this file:
1. Every line passes through `escape` before it is folded; colour is added afterwards.
2. `width` None means: nothing is folded, and ladders are drawn for 80 columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import groupby

from netprobe.ladder import Gap, Ladder, Row, Silence
from netprobe.model import Alternative, Certainty, Citation, Origin, OriginKind, Verdict
from netprobe.report import Report, exchange, ladder, login, pair
from netprobe.report.columns import wrap
from netprobe.report.escape import escape, excerpt
from netprobe.report.paint import Paint, fold
from netprobe.spoken import readable

_NARROWEST_CELL = 12
_LABEL = 10
_MORE = "-v shows every packet, note and step"


class Drawing:
    """Where ladders come from, what they may be drawn with, and whether only the decisive packets are (`terse`)."""

    def __init__(self, report: Report, *, unicode: bool) -> None:
        self._ladder_of = report.ladder_of
        self._unicode = unicode
        self._found: tuple[Verdict, Ladder | None] | None = None  # reading a capture again costs
        self.terse = False

    def prepare(self, verdicts: Sequence[Verdict]) -> None:
        """These are going to be asked for."""
        if self._ladder_of is not None:
            self._ladder_of.prepare([one for one in verdicts if one.pair is None])

    def lines(self, verdict: Verdict, width: int | None, paint: Paint) -> list[str]:
        """The ladder of a verdict; nothing where there is none."""
        if self._ladder_of is None or verdict.pair is not None:
            return []
        if self._found is None or self._found[0] is not verdict:
            self._found = verdict, self._ladder_of(verdict)
        found = self._found[1]
        if found is None:
            return []
        if self.terse:
            found = shortened(found)
        room = None if width is None else width - 2
        return [f"  {line}" for line in ladder.draw(found, width=room, unicode=self._unicode, paint=paint)]


def details(
    verdicts: Sequence[Verdict],
    width: int | None,
    verbosity: int,
    paint: Paint,
    drawing: Drawing | None = None,
    *,
    alone: bool = False,
    terse: int = 0,
) -> Iterator[str]:
    """One block for each verdict; neighbours that say the very same share one. `alone`: no table has said before who
    made the refusal and how certain that is; `terse`: see TERSEST."""
    headings: list[str] = []
    before: list[str] | None = None
    if drawing is not None:
        drawing.prepare([one for one in verdicts if one.cause != "up" or verbosity > 0])
    for verdict in verdicts:
        body = block(verdict, width, verbosity, paint, drawing, terse)
        if before is not None and body != before:
            yield "\n".join([*headings, *before])
            headings = []
        headings.append(heading(verdict, width, paint, alone=alone))
        before = body
    if before is not None:
        yield "\n".join([*headings, *before])


# How short a block may be made, where a screen is too low for all of it: 1 the decisive packets only, 2 no notes,
# 3 rivals without what would settle them, 4 the first thing to do only, 5 no blank lines, less of what a server said.
TERSEST = 5


def shortened(drawn: Ladder) -> Ladder:
    """The packets that decide, and how many lie between them."""
    rows: list[Row] = []
    for decisive, some in groupby(drawn.rows, lambda row: not isinstance(row, Gap) and row.decisive):
        run = list(some)
        packets = [row for row in run if not isinstance(row, Silence)]
        if decisive or len(packets) == 1:
            rows += run
        elif packets:
            at_least = any(isinstance(row, Gap) and row.at_least for row in packets)
            rows.append(Gap(sum(row.count for row in packets), at_least))
    return replace(drawn, rows=tuple(rows))


def block(
    verdict: Verdict, width: int | None, verbosity: int, paint: Paint, drawing: Drawing | None = None, terse: int = 0
) -> list[str]:
    """What a verdict rests on: the reasons, the packets, what else it could be; last what to do."""
    remedy = list(_labelled("to do", verdict.remedy[: 1 if terse > 3 else None]))
    reasons, others, to_do = (
        [text for label, line in some for text in entry(label, line, width, paint)]
        for some in (_reasons(verdict, verbosity), _others(verdict, verbosity, terse), remedy)
    )
    drawn: list[str] = []
    if drawing is not None and (verdict.cause != "up" or verbosity > 0):
        drawn = drawing.lines(verdict, width, paint)
    if drawn and terse < 5:
        drawn = ["", *drawn, ""] if others or to_do else ["", *drawn]
    return [*reasons, *drawn, *others, *to_do, *pair.ladder(verdict, verbosity)]


def heading(verdict: Verdict, width: int | None, paint: Paint, *, alone: bool = False) -> str:
    """What a verdict says, as the head of its block. `alone`: with who made the refusal."""
    place = f"[{verdict.address}]" if ":" in (verdict.address or "") else verdict.address or verdict.target
    name = f"{excerpt(verdict.target, 60)} " if verdict.address and has_name(verdict) else ""
    told = _heading_words(verdict, alone=alone)
    text = f"{name}{escape(place)} port {verdict.port}: {told}"
    return paint("bold", fold(text, width))


def _heading_words(verdict: Verdict, *, alone: bool) -> str:
    if verdict.cause == "up":
        service = verdict.service
        said = service and (service.identification or service.protocol)
        return f"up, {excerpt(readable(said))}" if said else "up"
    if alone:
        return f"{verdict.state}, {verdict.cause} ({verdict.certainty}){_place(verdict)} [{verdict.rule}]"
    sure = "" if verdict.certainty is Certainty.CERTAIN else f" ({verdict.certainty})"
    return f"{verdict.state}, {verdict.cause}{sure} [{verdict.rule}]"


def _place(verdict: Verdict) -> str:
    """Who made the refusal, as it is said in a sentence."""
    place = where(verdict.origin, verdict.address)
    if place == "unknown":
        return ""
    return f" {place}" if verdict.origin.between is not None else f" at {place}"


def _reasons(verdict: Verdict, verbosity: int) -> Iterator[tuple[str, str]]:
    """The labelled lines that say why. A label of "" continues the one before."""
    if verdict.cause != "up" or verbosity > 0:
        yield from _labelled("because", verdict.because)


def _others(verdict: Verdict, verbosity: int, terse: int = 0) -> Iterator[tuple[str, str]]:
    """The labelled lines between the reasons and what to do."""
    if verdict.cause != "up":
        yield from _labelled("or it is", [_rival(rival, settled=terse < 3) for rival in verdict.alternatives])
    yield from pair.lines(verdict)
    yield from _labelled("note", verdict.notes if terse < 2 else ())
    if verdict.service and verdict.service.text:
        said = verdict.service.text[: None if verbosity > 1 else 5 if terse < 5 else 2]
        yield from _labelled("it said", [excerpt(readable(text)) for text in said])
    for label, texts in (*exchange.lines(verdict, verbosity), *login.lines(verdict, verbosity)):
        yield from _labelled(label, texts)
    if terse and verdict.cause != "up":
        yield "more", _MORE
    if verbosity > 0:
        yield from _labelled("packets", [_packet(cited) for cited in verdict.evidence])
    if verbosity > 1:
        yield from _labelled("path", [_hop(hop.hop, hop.address, hop.rtt_ms, hop.reason) for hop in verdict.path])
        yield from _labelled("probes", [_probes(verdict)])


def _rival(rival: Alternative, *, settled: bool) -> str:
    return f"{rival.cause}: {rival.because}" + (f". To settle it: {rival.settle}" if settled else "")


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
        wrapped = wrap(wrapped[0], room, rest="  ") or [""]
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


# --------------------------------------------------------------------------- names and places


def has_name(verdict: Verdict) -> bool:
    """The target says more than its address and port do."""
    address, port = verdict.address, verdict.port
    return verdict.target not in {address, f"{address}:{port}", f"[{address}]", f"[{address}]:{port}"}


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
