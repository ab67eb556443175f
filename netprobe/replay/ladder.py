"""The packets of one attempt as plain text: who sent what when, the decisive ones marked.

House rules of this file:
1. No line is wider than WIDTH, and there are never more than were asked for: the decisive packets come first.
2. The capture is read once more, as a stream: nothing is kept but the lines.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from netprobe import icmp
from netprobe.analyze import TUNNELS
from netprobe.attempts import address, words
from netprobe.errors import NetprobeError
from netprobe.model import ConnectionFact, Endpoint, Fact, Frame, Record, Verdict
from netprobe.replay.cases import Case
from netprobe.report.escape import escape
from netprobe.tracker import columns as c
from netprobe.tracker.decode import decode
from netprobe.wire import facts
from netprobe.wire.capture import CaptureReader
from netprobe.wire.merge import MergedCaptures

WIDTH = 80
MOST = 24
MARK = "*"
_FLAGS = ((c.F_SYN, "SYN"), (c.F_FIN, "FIN"), (c.F_RST, "RST"), (c.F_PSH, "PSH"), (c.F_ACK, "ACK"))
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
    """The same of records that are there already; `depth` as for netprobe.tracker.decode. `by_time`: the verdict cites
    two captures, whose frame numbers are told apart by their times."""
    subject = _Subject(verdict, depth)
    cited = {citation.frame: citation.time_ns for citation in verdict.evidence[:most]}
    room = most - len(cited)
    lines: list[str] = []
    skipped = 0
    start_ns: int | None = None
    for record in records:
        decisive = record.number in cited and (not by_time or cited[record.number] == record.time_ns)
        text = subject.text(record, decisive=decisive)
        if text is None:
            continue
        if not decisive and room <= 0:
            skipped += 1
            continue
        room -= not decisive
        if skipped:
            lines.append(_gap(skipped))
            skipped = 0
        start_ns = record.time_ns if start_ns is None else start_ns
        elapsed = (record.time_ns - start_ns) / 1e9
        lines.append(f"{MARK if decisive else ' '}{record.number:>8} {elapsed:>11.6f}  {text}"[:WIDTH].rstrip())
    if skipped:
        lines.append(_gap(skipped))
    return [*subject.head(), f"{'frame':>9} {'seconds':>11}", *lines] if lines else []


def _gap(count: int) -> str:
    return f"{'...':>9} {count} more packet{'s' if count > 1 else ''}"


class _Subject:
    """The conversation a verdict is about."""

    def __init__(self, verdict: Verdict, depth: int) -> None:
        self._depth = depth
        self._server = Endpoint(verdict.address or verdict.target, verdict.port)
        self._client = verdict.client
        try:
            self._server_words = words(self._server.address)
            self._client_words = words(verdict.client.address) if verdict.client else None
        except ValueError:  # a name without an address: there are only facts
            self._server_words, self._client_words = (-1, -1, -1, -1), None
        self._d = [0] * c.DECODED

    def head(self) -> list[str]:
        """Who is who."""
        client = f"client {self._client}, " if self._client is not None else ""
        text = escape(f"{client}server {self._server}; {MARK} decides")
        return textwrap.wrap(text, WIDTH, initial_indent=" " * 10, subsequent_indent=" " * 10)

    def text(self, record: Record, *, decisive: bool) -> str | None:
        """What a record says; None where it isn't of this conversation and decides nothing."""
        if not isinstance(record, Frame):
            return escape(facts.message(record)) if decisive or self._is_ours(record) else None
        d = self._d
        decode(record.data, 0, len(record.data), record.link_type, d, self._depth)
        protocol = d[c.D_PROTOCOL]
        if protocol == c.P_TCP:
            return self._segment(decisive)
        if protocol == c.P_ICMP_ERROR:
            return self._error(decisive)
        if not decisive:
            return None
        if protocol in (c.P_ECHO, c.P_ECHO_REPLY):
            word = "reply from" if protocol == c.P_ECHO_REPLY else "request to"
            other = c.D_SRC if protocol == c.P_ECHO_REPLY else c.D_DST
            return f"ICMP echo {word} {self._address(other)}  ttl {d[c.D_TTL]}"
        if protocol in (c.P_NEIGHBOR_ASK, c.P_NEIGHBOR_REPLY):
            if protocol == c.P_NEIGHBOR_ASK:
                return f"who has {self._address(c.D_DST)}?"
            return f"{self._address(c.D_SRC)} is here"
        return "a packet of another kind"

    def _is_ours(self, fact: Fact) -> bool:
        return (
            isinstance(fact, ConnectionFact)
            and fact.server == self._server
            and fact.event != "started"
            and (self._client is None or fact.client in (None, self._client))
        )

    def _address(self, column: int) -> str:
        return address(self._d[column : column + 4], self._d[c.D_VERSION])

    def _segment(self, decisive: bool) -> str | None:
        d = self._d
        forward = self._is_forward(d[c.D_SRC : c.D_SRC + 4], d[c.D_SPORT], d[c.D_DST : c.D_DST + 4], d[c.D_DPORT])
        backward = self._is_forward(d[c.D_DST : c.D_DST + 4], d[c.D_DPORT], d[c.D_SRC : c.D_SRC + 4], d[c.D_SPORT])
        if not decisive and not forward and not backward:
            return None
        flags = ",".join(name for bit, name in _FLAGS if d[c.D_FLAGS] & bit) or "none"
        # A decisive packet of another conversation (a control port, a probe) has its direction by the server's address.
        inbound = backward or (not forward and tuple(d[c.D_SRC : c.D_SRC + 4]) == self._server_words)
        client, server = (d[c.D_DPORT], d[c.D_SPORT]) if inbound else (d[c.D_SPORT], d[c.D_DPORT])
        more = f"ttl {d[c.D_TTL]} tos 0x{d[c.D_TOS]:02x}"
        if d[c.D_OPTIONS] & c.O_MD5:
            more += " md5"
        if d[c.D_PAYLOAD]:
            more += f" len {d[c.D_PAYLOAD]}"
        elif not d[c.D_WINDOW] and not d[c.D_FLAGS] & c.F_RST:
            more += " win 0"
        return f"{client:>5} {_arrow(flags, inbound=inbound)} {server:<5}  {more}"

    def _error(self, decisive: bool) -> str | None:
        d = self._d
        quoted = (d[c.D_Q_SRC : c.D_Q_SRC + 4], d[c.D_Q_SPORT], d[c.D_Q_DST : c.D_Q_DST + 4], d[c.D_Q_DPORT])
        if not decisive and not self._is_forward(*quoted):
            return None
        kind = icmp.meaning(d[c.D_VERSION], d[c.D_TYPE], d[c.D_CODE]).reason
        about = f"{d[c.D_Q_SPORT]} > {d[c.D_Q_DPORT]}" if d[c.D_Q_PROTOCOL] == 6 else "echo"
        return f"<- ICMP {kind} from {self._address(c.D_SRC)} ttl {d[c.D_TTL]} ({about})"

    def _is_forward(self, source: list[int], sport: int, target: list[int], dport: int) -> bool:
        """Whether these ends are the client's and the server's."""
        if tuple(target) != self._server_words or dport != self._server.port:
            return False
        return self._client is None or (tuple(source) == self._client_words and sport == self._client.port)


def _arrow(flags: str, *, inbound: bool) -> str:
    """`-- SYN ------->`, `<-- RST,ACK ---`."""
    if inbound:
        return f"<-- {flags} ".ljust(_ARROW, "-")
    return f"-- {flags} ".ljust(_ARROW - 1, "-") + ">"
