"""From shapes of answers to verdicts: one packet of each shape goes through tracker, evidence and rules, the others are
the same text with their own addresses, ports and times in it.

House rules of this file:
1. A line is byte for byte what report.json gives for the packet diagnosed alone; tests hold both equal.
2. Nothing is decided here: the rules' verdict is, as anywhere else.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from netprobe.addresses import SPECIAL
from netprobe.attempts import Attempt, address, attempt, words
from netprobe.evidence import collect
from netprobe.model import Fact, Frame, LimitFact, TargetFact, Verdict
from netprobe.settling import patterns
from netprobe.tracker import Tracker, columns
from netprobe.verdict import diagnose

RAW_IP = 101  # LINKTYPE_RAW
SECOND = 1_000_000_000
# Patterns are a few kilobytes each; when so many are known, they are made anew.
MOST = 4096
# When a sample's first SYN left, and how long after it its answer came, prompt and late.
_START_NS = 1_700_000_000 * SECOND
_PROMPT_NS, _LATE_NS = 123_456, 3_100_000_000
_PAUSE_NS = 1_100_000_000
_WAITED_NS = 4_400_000_000


class Case(NamedTuple):
    """Everything that decides a sweep's verdict but addresses and times. `range`: of the target, as in answers.py;
    `limiter`: who may have held an error back, and its limit."""

    shape: int
    tries: int
    port: int
    range: int
    limiter: tuple[str, int] | None = None
    late: bool = False


class Ends(NamedTuple):
    """Who asked whom, and who sent the error, if it was one."""

    server: str
    client: str
    client_port: int
    sender: str


@dataclass(frozen=True, slots=True)
class Sample:
    """The SYN and the answers that stand for a case; the answers with their time after the first SYN."""

    syn: bytes
    answers: tuple[tuple[int, bytes], ...] = ()


class Kind:
    """A case's verdict, with made-up endpoints, and its line in `pieces` with `gaps` between them. `row`: the
    tracker's, with them."""

    __slots__ = ("_case", "_expect", "_row", "gaps", "pieces", "verdict")

    def __init__(
        self, verdict: Verdict, pattern: patterns.Pattern, row: Sequence[int], case: Case, expect: str
    ) -> None:
        self.verdict = verdict
        self._row, self._case, self._expect = row, case, expect
        pieces = [pattern.pieces[0]]
        gaps: list[int] = []
        for gap, piece in zip(pattern.gaps, pattern.pieces[1:], strict=True):
            if gap >= patterns.NUMBER_OF:
                pieces[-1] += f"{row[gap - patterns.NUMBER_OF]}{piece}"
            elif gap == patterns.SERVER_PORT:
                pieces[-1] += f"{case.port}{piece}"
            else:
                gaps.append(gap)
                pieces.append(piece)
        self.pieces = tuple(pieces)
        self.gaps = tuple(gaps)

    @property
    def errs(self) -> bool:
        """Whether the answer is an ICMP error."""
        return bool(self._row[columns.ICMP + columns.I_FRAME])

    def one(self, ends: Ends, frame: int, sent_ns: int, heard_ns: int, now_ns: int) -> Verdict:
        """The verdict of one pair of this kind: the SYN was packet `frame`, its answer the next."""
        row = list(self._row)
        row[columns.SERVER : columns.SERVER + 4] = words(ends.server)
        row[columns.CLIENT : columns.CLIENT + 4] = words(ends.client)
        row[columns.CPORT] = ends.client_port
        if self.errs:
            row[_SENDER : _SENDER + 4] = words(ends.sender)
            row[columns.ICMP + columns.I_FRAME] = frame + 1
            row[columns.ICMP + columns.I_TIME] = row[columns.ICMP + columns.I_LAST] = heard_ns
        for n in range(15):
            block = columns.BLOCKS + n * columns.BLOCK_WIDTH
            if not row[block + columns.FRAME]:
                continue
            first = block == columns.FIRST
            lasted = row[block + columns.LAST] - row[block + columns.TIME]
            row[block + columns.FRAME] = frame if first else frame + 1
            row[block + columns.TIME] = sent_ns if first else heard_ns
            row[block + columns.LAST] = row[block + columns.TIME] + lasted
        return verdict_of(row, self._expect, now_ns, self._case.limiter)


class Kinds:
    """The kinds of one sweep's answers. `expect`: what should listen, by port."""

    def __init__(self, version: int, expect: Callable[[int], str]) -> None:
        self._version = version
        self.expect = expect
        self._known: dict[Case, Kind] = {}

    def of(self, case: Case, sample: Callable[[], Sample]) -> Kind:
        """The kind of a case; `sample` is asked for the first time that a case comes."""
        found = self._known.get(case)
        if found is None:
            if len(self._known) >= MOST:
                self._known.clear()
            found = self._known[case] = self._kind(case, sample())
        return found

    def _kind(self, case: Case, sample: Sample) -> Kind:
        row, now_ns = tracked(sample, case.tries, _START_NS)
        server, client, sender = patterns.MADE_UP[self._version]
        if case.range:
            network = SPECIAL[case.range - 1]
            server = str(network.network_address + (_ODD & int(network.hostmask)))
        own = {part: row[part : part + 4] for part in (columns.SERVER, columns.CLIENT, _SENDER)}
        if own[_SENDER] == own[columns.SERVER]:
            sender = server
        elif own[_SENDER] == own[columns.CLIENT]:
            sender = client
        has_icmp = bool(row[columns.ICMP + columns.I_FRAME])
        row[columns.SERVER : columns.SERVER + 4] = words(server)
        row[columns.CLIENT : columns.CLIENT + 4] = words(client)
        row[columns.CPORT] = patterns.PORTS[1]
        if has_icmp:
            row[_SENDER : _SENDER + 4] = words(sender)
        expect = self.expect(case.port)
        verdict = verdict_of(row, expect, now_ns, case.limiter, made_up=True)
        made = patterns.pattern(verdict, row, server, client, sender if has_icmp else None)
        assert made is not None, "a sweep's verdict cites its own packets"
        return Kind(verdict, made, row, case, expect)


_SENDER = columns.ICMP + columns.I_SENDER
_ODD = 0xD5F1C5F1D5F1C5F1D5F1C5F1D5F1C5F1


def tracked(sample: Sample, tries: int, start_ns: int) -> tuple[list[int], int]:
    """The tracker's row of a sample's packets, and until when it was watched."""
    frames = [_frame(n + 1, start_ns + n * _PAUSE_NS, sample.syn, outgoing=True) for n in range(tries)]
    for after_ns, packet in sample.answers:
        frames.append(_frame(len(frames) + 1, start_ns + after_ns, packet, outgoing=False))
    frames.sort(key=lambda frame: frame.time_ns)
    tracker = Tracker()
    tracker.receive(frames)
    return list(tracker.rows[0]), start_ns + max(_WAITED_NS, *(t + _WAITED_NS for t, _ in sample.answers), 0)


def after(*, tries: int, late: bool) -> int:
    """When a sample's answer comes, in nanoseconds after its first SYN."""
    return max(_LATE_NS if late else _PROMPT_NS, (tries - 1) * _PAUSE_NS + _PROMPT_NS)


def verdict_of(
    row: Sequence[int], expect: str, now_ns: int, limiter: tuple[str, int] | None, *, made_up: bool = False
) -> Verdict:
    """The verdict of one row of a sweep. `made_up`: durations in texts become marks that are filled later."""
    a: Attempt = attempt(row)
    target = TargetFact(
        target=a.server.address, address=a.server.address, port=a.server.port, expect=expect, sweep=True
    )
    facts: list[Fact] = []
    if limiter is not None:
        facts.append(LimitFact(address=a.server.address, sender=limiter[0], per_s=limiter[1]))
    e = collect(target, [a], facts, lambda _: b"", now_ns)
    if made_up:
        e.named = {name: mark for name, (mark, _) in patterns.MARKS.items()}
    return diagnose(e)


def _frame(number: int, time_ns: int, packet: bytes, *, outgoing: bool) -> Frame:
    length = len(packet)
    if length >= 4 and packet[0] >> 4 == 4:
        length = max(length, struct.unpack_from("!H", packet, 2)[0])
    elif length >= 6:
        length = max(length, 40 + struct.unpack_from("!H", packet, 4)[0])
    return Frame(number, time_ns, RAW_IP, packet, length, outgoing)


def text_of(version: int, high: int, low: int) -> str:
    """An address as canonical text."""
    return address((high >> 32, high & 0xFFFFFFFF, low >> 32, low & 0xFFFFFFFF), version)
