"""The packets of one attempt as plain text, a line each: who sent what when, the decisive ones marked.

House rules of this file:
1. No line is wider than WIDTH, and there are never more than were asked for: the decisive packets come first.
2. The capture is read once more, as a stream: nothing is kept but the lines.
3. What is of this attempt is told by netprobe.steps, as for every other ladder; here it is only written down.
"""

from __future__ import annotations

from collections.abc import Iterable

from netprobe.errors import NetprobeError
from netprobe.ladder import Kind, Step
from netprobe.model import Endpoint, Frame, Record, Verdict
from netprobe.options import TUNNELS
from netprobe.replay.cases import Case
from netprobe.report.columns import wrap
from netprobe.report.escape import escape
from netprobe.steps import Reader
from netprobe.wire import facts
from netprobe.wire.capture import CaptureReader
from netprobe.wire.merge import MergedCaptures

WIDTH = 80
MOST = 24
MARK = "*"
_ARROW = 16


def ladder(case: Case, verdict: Verdict, most: int = MOST) -> list[str]:
    """The packets a verdict is about, at most `most` of them. Empty where the capture can't be read again."""
    depth = TUNNELS if case.tunnels else 0
    try:
        if case.server_capture is None:
            records = MergedCaptures((case.capture, *case.together)) if case.together else CaptureReader(case.capture)
            return draw(records, verdict, most, depth=depth)
        lines: list[str] = []
        for side, capture in (("client", case.capture), ("server", case.server_capture)):
            drawn = draw(CaptureReader(capture), verdict, most // 2, depth=depth, by_time=True)
            lines += [f"{'':10}seen by the {side}:", *drawn] if drawn else []
        return lines
    except NetprobeError:
        return []


def draw(
    records: Iterable[Record], verdict: Verdict, most: int = MOST, *, depth: int = 0, by_time: bool = False
) -> list[str]:
    """The same of records that are there already; `depth`, `by_time` as for netprobe.steps.Reader."""
    reader = Reader(verdict, depth=depth, by_time=by_time)
    room = most - min(len({one.frame for one in verdict.evidence}), most)
    decisive_left = most
    lines: list[str] = []
    skipped = 0
    start_ns: int | None = None
    for record in records:
        step = reader.step(record)
        if step is None:
            continue
        if (decisive_left if step.decisive else room) <= 0:
            skipped += 1
            continue
        room -= not step.decisive
        decisive_left -= step.decisive
        if skipped:
            lines.append(_gap(skipped))
            skipped = 0
        start_ns = record.time_ns if start_ns is None else start_ns
        elapsed = (record.time_ns - start_ns) / 1e9
        text = _packet(step) if isinstance(record, Frame) else escape(facts.message(record))
        lines.append(f"{MARK if step.decisive else ' '}{record.number:>8} {elapsed:>11.6f}  {text}"[:WIDTH].rstrip())
    if skipped:
        lines.append(_gap(skipped))
    return [*_head(verdict), f"{'frame':>9} {'seconds':>11}", *lines] if lines else []


def _gap(count: int) -> str:
    return f"{'...':>9} {count} more packet{'s' if count > 1 else ''}"


def _head(verdict: Verdict) -> list[str]:
    """Who is who."""
    client = f"client {verdict.client}, " if verdict.client is not None else ""
    text = escape(f"{client}server {Endpoint(verdict.address or verdict.target, verdict.port)}; {MARK} decides")
    return wrap(text, WIDTH, first=" " * 10, rest=" " * 10)


def _packet(step: Step) -> str:
    """What a frame says, in one line."""
    match step.kind:
        case Kind.SEGMENT:
            more = f"ttl {step.ttl} tos 0x{step.tos or 0:02x}{' md5' if step.md5 else ''}"
            if step.length:
                more += f" len {step.length}"
            elif not step.window and "RST" not in step.what:
                more += " win 0"
            return f"{step.client_port:>5} {_arrow(step.what, inbound=step.inbound)} {step.server_port:<5}  {more}"
        case Kind.ICMP:
            about = f"{step.client_port} > {step.server_port}" if step.server_port else "echo"
            return f"<- ICMP {step.what} from {step.sender} ttl {step.ttl} ({about})"
        case Kind.ECHO:
            return f"ICMP echo request to {step.what}  ttl {step.ttl}"
        case Kind.ECHO_REPLY:
            return f"ICMP echo reply from {step.what}  ttl {step.ttl}"
        case Kind.NEIGHBOR_ASK:
            return f"who has {step.what}?"
        case Kind.NEIGHBOR_REPLY:
            return f"{step.what} is here"
        case _:
            return escape(step.what)


def _arrow(flags: str, *, inbound: bool) -> str:
    """`-- SYN ------->`, `<-- RST,ACK ---`."""
    if inbound:
        return f"<-- {flags} ".ljust(_ARROW, "-")
    return f"-- {flags} ".ljust(_ARROW - 1, "-") + ">"
