"""Finds the frames in a window of a capture file: the loops over record headers that reading large files rests on.

House rules of this file:
1. Written in the subset of Python that Numba compiles: integers, indexing, bounded loops; no objects, no exceptions.
2. Only what is whole and plain is taken. At anything else the loop stops *before* it, and pcap.py or pcapng.py, which
   know what to make of it, take that one block. So both ways of reading give the same, and what is damage is decided
   in one place.
"""

from __future__ import annotations

import struct
from collections.abc import MutableSequence, Sequence

Buffer = Sequence[int]
Column = MutableSequence[int]

# --- `state`, which a loop continues from and leaves its place in
AT = 0  # position in the buffer
COUNT = 1  # frames in the columns
NUMBER = 2  # number of the last frame
WHY = 3  # why the loop stopped: one of the following
BLANKS = 4  # how many records of nothing but zeros came last
STATE = 5

FULL = 0  # the columns are full
MORE = 1  # what follows isn't whole in this window
STRANGE = 2  # what follows is whole, and not for this loop
BROKEN = 3  # what follows has no end that could be trusted

# --- what the pcapng loop knows of each interface, one after the other in `interfaces`
I_LINK = 0
I_SNAP = 1
I_MOST = 2  # up to this many units since the epoch the arithmetic below stays within 64 bits
I_TIMES = 3  # a time is units * TIMES // PER + OFFSET nanoseconds ...
I_PER = 4
I_SHIFT = 5  # ... or, where SHIFT is not 0, units are 2 ** -SHIFT seconds
I_OFFSET = 6
INTERFACE_WIDTH = 7

LARGEST_PACKET = 1 << 18
LARGEST_BLOCK = 1 << 24
MOST_OPTIONS = 100  # of a block; what comes after isn't looked at
MOST_BLANKS = 64  # one may be a packet; so many are the end of a file whose machine lost power
SECTION = 0x0A0D0D0A
OLD_PACKET = 2
SIMPLE = 3
ENHANCED = 6
COMMENTED = 2  # no direction: a comment comes first


_FOUR = (struct.Struct("<4I").unpack_from, struct.Struct(">4I").unpack_from)


def word(b: Buffer, at: int, big: int) -> int:
    """32 bits of either byte order. (Shifted bytes would be unsigned for Numba, and unsigned with signed a float.)"""
    if big:
        return b[at] * 0x1000000 + b[at + 1] * 0x10000 + b[at + 2] * 0x100 + b[at + 3]
    return b[at + 3] * 0x1000000 + b[at + 2] * 0x10000 + b[at + 1] * 0x100 + b[at]


def four(b: Buffer, at: int, big: int) -> tuple[int, int, int, int]:
    """Four words, as the interpreter has them soonest: octet by octet an analysis of a million empty records took
    twice as long. Numba compiles `four_by_octets` in its place."""
    return _FOUR[big](b, at)  # type: ignore[arg-type]


def four_by_octets(b: Buffer, at: int, big: int) -> tuple[int, int, int, int]:
    """As `four()`, in the subset that Numba compiles."""
    return word(b, at, big), word(b, at + 4, big), word(b, at + 8, big), word(b, at + 12, big)


def half(b: Buffer, at: int, big: int) -> int:
    """16 bits of either byte order."""
    if big:
        return b[at] * 0x100 + b[at + 1]
    return b[at + 1] * 0x100 + b[at]


def way_of(b: Buffer, start: int, end: int, link: int) -> int:
    """As direction.outgoing(): 1 sent, 0 received, -1 where the link header doesn't tell."""
    if link == 113 and end - start >= 16:  # LINUX_SLL
        return 1 if b[start] == 0 and b[start + 1] == 4 else 0
    if link == 276 and end - start >= 20:  # LINUX_SLL2
        return 1 if b[start + 10] == 4 else 0
    return -1


def way_in_options(b: Buffer, at: int, stop: int, way: int, big: int) -> int:
    """What the options of a packet block say of its direction; `way` if nothing, COMMENTED where there is a comment."""
    for _ in range(MOST_OPTIONS):
        if at + 4 > stop:
            break
        code = half(b, at, big)
        width = half(b, at + 2, big)
        at += 4
        if code == 0 or at + width > stop:
            break
        if code == 1:
            return COMMENTED
        if code == 2 and width == 4:  # epb_flags
            flags = word(b, at, big) & 3
            way = 1 if flags == 2 else (0 if flags == 1 else -1)
        at += (width + 3) & 0x1FFFC
    return way


def nanoseconds(units: int, interfaces: Sequence[int], card: int) -> int:
    """A time of the interface whose columns begin at `card`; `units` is at most its I_MOST."""
    shift = interfaces[card + I_SHIFT]
    if shift:
        rest = units & ((1 << shift) - 1)
        time = (units >> shift) * 1_000_000_000 + ((rest * 1_000_000_000) >> shift)
    else:
        time = units * interfaces[card + I_TIMES] // interfaces[card + I_PER]
    return time + interfaces[card + I_OFFSET]


def index_pcap(
    buffer: Buffer,
    end: int,
    big: int,
    head: int,
    unit_ns: int,
    link: int,
    size: int,
    starts: Column,
    ends: Column,
    links: Column,
    times: Column,
    numbers: Column,
    outgoings: Column,
    lengths: Column,
    state: Column,
) -> None:
    """The records of buffer[state[AT]:end] into the columns. `head` is the length of a record's header."""
    at = state[AT]
    i = state[COUNT]
    number = state[NUMBER]
    blanks = state[BLANKS]
    cooked = link == 113 or link == 276
    why = FULL
    while i < size:
        if end - at < head:
            why = MORE
            break
        seconds, fraction, captured, length = four(buffer, at, big)
        if captured > LARGEST_PACKET:
            why = BROKEN
            break
        start = at + head
        stop = start + captured
        if stop > end:
            why = MORE
            break
        if captured == 0 and length == 0 and seconds == 0 and fraction == 0:
            if blanks == MOST_BLANKS:
                why = BROKEN
                break
            blanks += 1
        else:
            blanks = 0
        number += 1
        starts[i] = start
        ends[i] = stop
        links[i] = link
        times[i] = seconds * 1_000_000_000 + fraction * unit_ns
        numbers[i] = number
        outgoings[i] = way_of(buffer, start, stop, link) if cooked else -1
        lengths[i] = length if length > captured else captured
        i += 1
        at = stop
    state[AT] = at
    state[COUNT] = i
    state[NUMBER] = number
    state[BLANKS] = blanks
    state[WHY] = why


def index_pcapng(
    buffer: Buffer,
    end: int,
    big: int,
    interfaces: Sequence[int],
    known: int,
    size: int,
    starts: Column,
    ends: Column,
    links: Column,
    times: Column,
    numbers: Column,
    outgoings: Column,
    lengths: Column,
    state: Column,
) -> None:
    """The packet blocks of buffer[state[AT]:end] into the columns, up to the first block of another kind. `known` is
    the number of interfaces described so far."""
    at = state[AT]
    i = state[COUNT]
    number = state[NUMBER]
    why = FULL
    while i < size:
        if end - at < 12:
            why = MORE
            break
        kind = word(buffer, at, big)
        total = word(buffer, at + 4, big)
        if kind == SECTION or total < 12 or total > LARGEST_BLOCK or total & 3:
            why = BROKEN
            break
        if at + total > end:
            why = MORE
            break
        stop = at + total - 4  # where the block's second length stands
        why = STRANGE
        if word(buffer, stop, big) != total:
            break
        time = 0
        if (kind == ENHANCED or kind == OLD_PACKET) and total >= 32:
            card = word(buffer, at + 8, big) if kind == ENHANCED else half(buffer, at + 8, big)
            if card >= known:
                break
            card *= INTERFACE_WIDTH
            high, low, captured, length = four(buffer, at + 12, big)
            if high > 0x7FFFFFFF:
                break
            units = (high << 32) | low
            if units > interfaces[card + I_MOST]:
                break
            time = nanoseconds(units, interfaces, card)
            start = at + 28
        elif kind == SIMPLE and total >= 16 and known > 0:
            card = 0
            length = word(buffer, at + 8, big)
            captured = length
            snap = interfaces[I_SNAP]
            if snap > 0 and snap < captured:
                captured = snap
            start = at + 12
        else:
            break
        if captured > stop - start or captured > LARGEST_PACKET:
            break
        link = interfaces[card + I_LINK]
        way = -1
        if link == 113 or link == 276:
            way = way_of(buffer, start, start + captured, link)
        if kind != SIMPLE and start + captured + 4 <= stop:
            way = way_in_options(buffer, start + ((captured + 3) & 0x7FFFFFFC), stop, way, big)
            if way == COMMENTED:
                break
        number += 1
        starts[i] = start
        ends[i] = start + captured
        links[i] = link
        times[i] = time
        numbers[i] = number
        outgoings[i] = way
        lengths[i] = length if length > captured else captured
        i += 1
        at += total
        why = FULL
    state[AT] = at
    state[COUNT] = i
    state[NUMBER] = number
    state[WHY] = why
