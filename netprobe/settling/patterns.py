"""JSON lines of many like verdicts: one is rendered, the others are the same text with their own numbers in it.

House rules of this file:
1. The line of a verdict is byte for byte what report.json gives for it; tests/test_settling.py holds both equal.
2. `fill` and what it calls are written in the subset of Python that Numba compiles, like netprobe.tracker.
3. A verdict with a number whose place in the row isn't known gets no pattern; it is rendered alone.
"""

from __future__ import annotations

import re
from collections.abc import MutableSequence, Sequence
from dataclasses import replace

from netprobe.model import Citation, Verdict
from netprobe.report import json
from netprobe.tracker.classes import answered_ns, settled_ns
from netprobe.tracker.columns import (
    BLOCK_WIDTH,
    BLOCKS,
    C_ACK,
    CLIENT,
    CPORT,
    FIRST,
    FRAME,
    I_FRAME,
    I_SENDER,
    I_TIME,
    ICMP,
    LAST,
    S_DATA,
    SERVER,
    SPORT,
    SYNACK,
    TIME,
    VERSION,
    WINDOW,
)
from netprobe.tracker.decode import Row
from netprobe.tracker.octets import borrowed, copy
from netprobe.tracker.rows import Rows

# --- what stands in the gaps of a pattern
SERVER_TEXT = 1
CLIENT_TEXT = 2
SENDER_TEXT = 3
SERVER_PORT = 4
CLIENT_PORT = 5
RTT = 6  # milliseconds from the first SYN to its answer
DELAY = 7  # tenths of a second from the first SYN to the ICMP error
WAITED = 8  # seconds that were watched
RTT_TENTHS = 9  # tenths of a millisecond from the first SYN to the SYN-ACK
FRAME_OF = 1000  # + a column: a frame's number
TIME_OF = 2000  # + a column: a time in seconds
NUMBER_OF = 3000  # + a column: any number

# Made-up endpoints, one set for each family, that a verdict's text can't hold by accident.
MADE_UP = {
    4: ("11.213.241.197", "12.213.241.199", "13.213.241.198"),
    6: ("2a0f:d5f1:c5f1::d1c5", "2a0f:d5f1:c7f1::d1c7", "2a0f:d5f1:c6f1::d1c6"),
}
# Endpoints that no capture has: the places where they turn up in a verdict's text are gaps.
PORTS = (48611, 48613)
MARKS = {"delay": ("\ue0d1", DELAY), "waited": ("\ue0d2", WAITED), "rtt": ("\ue0d3", RTT_TENTHS)}
FIRST_WINDOW = 60_101  # + a block's number: stands for its window


class Pattern:
    """A line in pieces, and what stands between them."""

    __slots__ = ("gaps", "pieces")

    def __init__(self, pieces: Sequence[str], gaps: Sequence[int]) -> None:
        self.pieces = tuple(pieces)
        self.gaps = tuple(gaps)

    def line(self, r: Row, clock_ns: int) -> str:
        """The line of one row."""
        out = bytearray(64)
        parts = [self.pieces[0]]
        for gap, piece in zip(self.gaps, self.pieces[1:], strict=True):
            parts.append(out[: value(r, gap, clock_ns, out, 0)].decode("ascii"))
            parts.append(piece)
        return "".join(parts)


def pattern(verdict: Verdict, r: Row, server: str, client: str, sender: str | None) -> Pattern | None:
    """The pattern of a verdict that was made of row `r` with made-up endpoints: `server`, `client`, `sender` and PORTS.
    None where a record that it cites is none of the row's packets."""
    places = {r[ICMP + I_FRAME]: (ICMP + I_FRAME, ICMP + I_TIME)} if r[ICMP + I_FRAME] else {}
    for block in range(BLOCKS, BLOCKS + 15 * BLOCK_WIDTH, BLOCK_WIDTH):
        if r[block + FRAME]:
            places.setdefault(r[block + FRAME], (block + FRAME, block + TIME))
    marked = []
    for citation in verdict.evidence:
        place = places.get(citation.frame)
        if place is None or r[place[1]] != citation.time_ns:
            return None
        # Frames and times become numbers of 18 digits, which no capture has.
        marked.append(Citation(_NUMBER + place[0], (_NUMBER + place[1]) * 1_000_000_000, citation.what))
    rtt = verdict.rtt_ms
    text = json.line(replace(verdict, evidence=tuple(marked), rtt_ms=None if rtt is None else float(_RTT)))
    escaped = {f"\\u{ord(mark):04x}": gap for mark, gap in MARKS.values()}
    gaps: dict[str, int] = {server: SERVER_TEXT, client: CLIENT_TEXT, str(PORTS[0]): SERVER_PORT, **escaped}
    gaps[str(PORTS[1])] = CLIENT_PORT
    gaps[f"{_RTT}.0"] = RTT
    if sender is not None:
        gaps.setdefault(sender, SENDER_TEXT)
    for frame, time in places.values():
        gaps[f"{_NUMBER + time}.000000000"] = TIME_OF + time
        gaps[str(_NUMBER + frame)] = FRAME_OF + frame
    for n in range(15):
        gaps[f"win {FIRST_WINDOW + n}"] = NUMBER_OF + BLOCKS + n * BLOCK_WIDTH + WINDOW
    marks = sorted(gaps, key=len, reverse=True)
    found = re.compile(rf"(?:{'|'.join(map(re.escape, marks))})(?![0-9])")
    pieces, chosen, at = [], [], 0
    for match in found.finditer(text):
        pieces.append(text[at : match.start()] + ("win " if match[0].startswith("win ") else ""))
        chosen.append(gaps[match[0]])
        at = match.end()
    return Pattern([*pieces, text[at:]], chosen)


_NUMBER = 731_000_000_000_000_000
_RTT = 731_731_731


def fill(
    table: Rows,
    settled: Sequence[int],
    first: int,
    last: int,
    chosen: Sequence[int],
    patterns: Sequence[int],
    literals: Sequence[int],
    clock_ns: int,
    out: MutableSequence[int],
    state: MutableSequence[int],
) -> int:
    """The lines of the rows settled[first:last] into `out`; row i has the pattern that begins at patterns[chosen[i]]:
    how many pieces, then (where it begins in `literals`, its length, the gap after it or 0) for each. Returns the first
    row for which there was no room; state[0] becomes the number of bytes written."""
    table, out = borrowed(table), borrowed(out)
    to = 0
    room = len(out)
    for i in range(first, last):
        r = table[settled[i]]
        p = chosen[i]
        pieces = patterns[p]
        begin = to
        for n in range(pieces):
            q = p + 1 + 3 * n
            start = patterns[q]
            length = patterns[q + 1]
            if to + length + 64 > room:
                state[0] = begin
                return i
            copy(out, to, literals, start, length)
            to += length
            gap = patterns[q + 2]
            if gap != 0:
                to = value(r, gap, clock_ns, out, to)
    state[0] = to
    return last


def value(r: Row, gap: int, clock_ns: int, out: MutableSequence[int], to: int) -> int:
    """What belongs into a gap, written at out[to]; returns where it ends."""
    if gap >= NUMBER_OF:
        return decimal(r[gap - NUMBER_OF], out, to)
    if gap >= TIME_OF:
        time = r[gap - TIME_OF]
        to = decimal(time // 1_000_000_000, out, to)
        return fraction(time % 1_000_000_000, 9, out, to)
    if gap >= FRAME_OF:
        return decimal(r[gap - FRAME_OF], out, to)
    if gap == SERVER_TEXT:
        return address(r, SERVER, out, to)
    if gap == CLIENT_TEXT:
        return address(r, CLIENT, out, to)
    if gap == SENDER_TEXT:
        return address(r, ICMP + I_SENDER, out, to)
    if gap == SERVER_PORT:
        return decimal(r[SPORT], out, to)
    if gap == CLIENT_PORT:
        return decimal(r[CPORT], out, to)
    if gap == RTT:
        return milliseconds(answered_ns(r) - r[FIRST + TIME], out, to)
    if gap == DELAY:
        return one_decimal((r[ICMP + I_TIME] - r[FIRST + TIME] + 50_000_000) // 100_000_000, out, to)
    if gap == RTT_TENTHS:
        return one_decimal((r[SYNACK + TIME] - r[FIRST + TIME] + 50_000) // 100_000, out, to)
    start = r[FIRST + TIME]
    if r[SYNACK + FRAME] != 0 and r[C_ACK + FRAME] != 0:
        start = r[S_DATA + LAST] if r[S_DATA + FRAME] != 0 else r[C_ACK + TIME]
    return decimal((settled_ns(r, clock_ns) - start + 500_000_000) // 1_000_000_000, out, to)


def decimal(number: int, out: MutableSequence[int], to: int) -> int:
    """An integer in decimal."""
    if number < 0:
        out[to] = 45
        to += 1
        number = -number
    digits = 1
    rest = number // 10
    while rest > 0:
        digits += 1
        rest //= 10
    for i in range(digits):
        out[to + digits - 1 - i] = 48 + number % 10
        number //= 10
    return to + digits


def fraction(number: int, digits: int, out: MutableSequence[int], to: int) -> int:
    """A point and so many digits."""
    out[to] = 46
    for i in range(digits):
        out[to + digits - i] = 48 + number % 10
        number //= 10
    return to + digits + 1


def one_decimal(tenths: int, out: MutableSequence[int], to: int) -> int:
    """Tenths as a decimal number."""
    to = decimal(tenths // 10, out, to)
    return fraction(tenths % 10, 1, out, to)


def milliseconds(duration_ns: int, out: MutableSequence[int], to: int) -> int:
    """Nanoseconds as milliseconds with up to three decimals, at least one, as Python writes such a float."""
    micros = (duration_ns + 500) // 1000
    to = decimal(micros // 1000, out, to)
    to = fraction(micros % 1000, 3, out, to)
    while out[to - 1] == 48 and out[to - 2] != 46:
        to -= 1
    return to


def address(r: Row, at: int, out: MutableSequence[int], to: int) -> int:
    """An address as canonical text (RFC 5952)."""
    if r[VERSION] == 4:
        word = r[at + 3]
        for shift in (24, 16, 8, 0):
            to = decimal((word >> shift) & 255, out, to)
            if shift > 0:
                out[to] = 46
                to += 1
        return to
    best = 0  # the longest run of zero groups, the first of equals; a single one is no run
    best_length = 1
    i = 0
    while i < 8:
        length = 0
        while i + length < 8 and group(r, at, i + length) == 0:
            length += 1
        if length > best_length:
            best = i
            best_length = length
        i += length + 1
    i = 0
    while i < 8:
        if best_length > 1 and i == best:
            out[to] = 58
            out[to + 1] = 58
            to += 2
            i += best_length
            continue
        if i > 0 and not (best_length > 1 and i == best + best_length):
            out[to] = 58
            to += 1
        to = hexadecimal(group(r, at, i), out, to)
        i += 1
    return to


def group(r: Row, at: int, i: int) -> int:
    """One of the eight groups of an IPv6 address."""
    word = r[at + i // 2]
    return (word >> 16) & 0xFFFF if i % 2 == 0 else word & 0xFFFF


def hexadecimal(number: int, out: MutableSequence[int], to: int) -> int:
    """Up to four hexadecimal digits, without leading zeros."""
    started = False
    for shift in (12, 8, 4, 0):
        digit = (number >> shift) & 15
        if digit != 0 or started or shift == 0:
            out[to] = 48 + digit if digit < 10 else 87 + digit
            to += 1
            started = True
    return to
