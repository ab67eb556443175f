"""Two captures of one conversation for a person: how they fit together, and a ladder of the packets between them.

House rules of this file:
1. Plain ASCII: a ladder is pasted into tickets and mails. No line is wider than 80 columns, whatever the terminal.
2. The left column is the client's capture, the right one the server's. Both count seconds from the first packet of the
   attempt: the difference of the two clocks is taken out of the right one, as well as it is known.
"""

from __future__ import annotations

from collections.abc import Iterator

from netprobe.model import Crossing, Pair, Sight, Verdict
from netprobe.report import PairStatus, Report, by_cause
from netprobe.report.escape import escape

WIDTH = 80
SIDE = 18  # of a column: frame and seconds
MIDDLE = WIDTH - 2 * SIDE
ROWS = 24  # of a ladder, without -v

SIDES = {
    "client": "on the client's own machine",
    "way-there": "on the way there, between the two captures",
    "path": "between the two captures",
    "server": "on the server's side: its own machine, or what lies behind the place of its capture",
    "way-back": "on the way back, between the two captures",
}


# --------------------------------------------------------------------------- the captures as a whole


def summary(report: Report) -> Iterator[str]:
    """What is told before everything else, line by line."""
    status = report.pair
    if status is None:
        return
    yield f"client's capture: {escape(status.client)}; server's capture: {escape(status.server)}"
    yield (
        f"conversations: {status.both:,} in both captures, {status.client_only:,} in the client's only, "
        f"{status.server_only:,} in the server's only"
    )
    yield from clocks(status)
    for whose, count in zip(("client's", "server's"), status.missed, strict=True):
        if count:
            yield f"the {whose} capture lacks {count:,} packets that must have been there: it is not complete"
    total = sum(by_cause(report).values())
    for side, told in (*SIDES.items(), ("unknown", "that can't be placed")):
        if (failed := status.sides.get(side, 0)) > 0:
            yield f"{failed:,} of {total:,} attempts failed for a cause {told}"


def clocks(status: PairStatus) -> Iterator[str]:
    """How the two clocks stand."""
    packets = f"{status.there:,} packets there and {status.back:,} back are in both captures"
    if status.offset_ns is None:
        yield "clocks: not compared, for no packet is in both captures; they are taken to agree"
        return
    if status.bound is not None:
        word = "at most" if status.bound == "at-most" else "at least"
        yield f"clocks: the server's is ahead by {word} {_seconds(status.offset_ns)} s: {packets}"
        return
    way = "ahead" if status.offset_ns >= 0 else "behind"
    error = f" +- {_seconds(status.uncertainty_ns or 0)} s"
    yield f"clocks: the server's is {way} by {_seconds(abs(status.offset_ns))}{error} ({packets})"
    if status.drift_ppm is not None:
        pace = "faster" if status.drift_ppm > 0 else "slower"
        yield f"and it runs {pace} by {abs(status.drift_ppm):.1f} ppm: what was said holds for the first packet"
    if status.unsteady:
        yield "a packet arrived before it left: one of the clocks was set while the captures ran"
    elif status.round_trip_ns is not None:
        yield f"round trip between the two captures: {status.round_trip_ns / 1e6:.3f} ms at best"


def _seconds(time_ns: int) -> str:
    sign = "-" if time_ns < 0 else ""
    whole, rest = divmod(abs(time_ns), 1_000_000_000)
    return f"{sign}{whole}.{rest // 1000:06d}"


# --------------------------------------------------------------------------- one attempt


def lines(verdict: Verdict) -> Iterator[tuple[str, str]]:
    """The labelled lines that a second capture adds to a verdict."""
    pair = verdict.pair
    if pair is None:
        return
    found: list[tuple[str, str]] = []
    if pair.side is not None:
        found.append(("cause is", SIDES[pair.side]))
    if pair.matched is None:
        found.append(("both ends", "the server's capture has nothing of this attempt"))
    elif pair.matched != "four-tuple":
        by = {"iss": "the sequence number of its SYN", "timestamp": "the timestamp of its SYN"}[pair.matched]
        found.append(("both ends", f"found to be the same conversation by {by}"))
    found += [("both ends", text) for text in pair.says]
    found += [("between", text) for text in pair.changed]
    if pair.alone[0] != verdict.cause:
        found.append(("alone", f"the client's capture alone says {pair.alone[0]} ({pair.alone[1]})"))
    found += [("ruled out", f"{one.cause}: {one.because}") for one in pair.struck]
    before = ""
    for label, text in found:
        yield "" if label == before else label, text
        before = label


def ladder(verdict: Verdict, verbosity: int) -> list[str]:
    """The packets of both captures beside each other. Of an attempt that worked, only with `verbosity` above 0."""
    pair = verdict.pair
    if pair is None or not pair.crossings or (verdict.cause == "up" and verbosity < 1):
        return []
    client, server = _names(verdict, pair)
    rows = [f"{'client: ' + client:<{WIDTH // 2}}{'server: ' + server:>{WIDTH // 2}}"]
    rows.append(f"{'frame    seconds':<{SIDE}}{'':{MIDDLE}}{'frame    seconds':>{SIDE}}")
    shown = pair.crossings if verbosity > 0 else pair.crossings[:ROWS]
    for one in shown:
        rows.append(_row(one, pair))
        rows += [f"{'':{SIDE}}{'  * ' + text}"[:WIDTH] for text in one.changed]
    left = len(pair.crossings) - len(shown)
    if left:
        rows.append(f"{'':{SIDE}}{left:,} more packets: -v shows them")
    if pair.omitted:
        rows.append(f"{'':{SIDE}}{pair.omitted:,} packets between them are not shown: it was a long conversation")
    return [row.rstrip() for row in rows]


def _names(verdict: Verdict, pair: Pair) -> tuple[str, str]:
    client = str(verdict.client) if verdict.client is not None else "?"
    server = str(pair.seen_as[1]) if pair.seen_as is not None else f"{verdict.address} port {verdict.port}"
    return escape(client), escape(server)


def _row(one: Crossing, pair: Pair) -> str:
    there = one.towards == "server"
    left, right = _sight(one.client, pair.began_ns[0]), _sight(one.server, pair.began_ns[1])
    return f"{left:<{SIDE}}{_arrow(one, there)}{right:>{SIDE}}"


def _sight(sight: Sight | None, began_ns: int) -> str:
    if sight is None:
        return ""
    after = sight.time_ns - began_ns
    sign = "-" if after < 0 else ""
    whole, rest = divmod(abs(after) // 1000, 1_000_000)
    return f"{sight.frame:>5} {sign + f'{whole}.{rest:06d}':>11}"


# What stands at the end of an arrow that doesn't reach the other column, or where one begins between them.
_ENDS = {"lost": "X lost", "unseen": "? not to be told"}


def _arrow(one: Crossing, there: bool) -> str:
    """The middle of a row, MIDDLE wide."""
    room = MIDDLE - 2
    what = one.what if len(one.what) <= room - 8 else one.what[: room - 11] + "..."
    what = escape(what)
    doubt = " (?)" if one.because and one.fate in ("lost", "forged") else ""
    if one.fate in ("lost", "unseen") and (one.client if there else one.server) is not None:
        end = _ENDS[one.fate] + doubt
        dashes = "-" * max(room - len(what) - len(end) - 2, 2)
        body = f"{what} {dashes}{end}" if there else f"{end[2:]} {end[0]}{dashes} {what}"
    elif one.fate in ("forged", "unseen"):
        start = ("never left" + doubt) if one.fate == "forged" else "not to be told"
        dashes = "-" * max((room - len(what) - len(start)) // 2 - 3, 2)
        body = f"{start} |{dashes} {what} {dashes}>" if there else f"<{dashes} {what} {dashes}| {start}"
    else:
        note = {"split": " in pieces", "copied": " copied"}.get(one.fate, "")
        dashes = "-" * max(room - len(what) - len(note) - 2, 2)
        body = f"{what}{note} {dashes}>" if there else f"<{dashes} {what}{note}"
    body = body[:room]
    return f" {body:>{room}} " if not there and one.client is None else f" {body:<{room}} "
