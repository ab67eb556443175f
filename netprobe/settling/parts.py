"""Rows on their way from one process to another, and what they say of their servers: loops over settled rows.

House rules of this file:
1. Written in the subset of Python that Numba compiles, like netprobe.tracker.
2. What `answers` tells of a row is what the tracker's loop noted of it while it saw the packets, each with the frame it
   was noted at: entered in order of frames, a table of servers becomes the same. tests/test_parts.py holds that.
"""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence

from netprobe.tracker.classes import N_BLOCKS
from netprobe.tracker.columns import (
    BLOCK_WIDTH,
    BLOCKS,
    BORN,
    C_KEPT,
    C_SEGMENTS,
    C_SEGMENTS_N,
    D_PROTOCOL,
    D_SPORT,
    D_SRC,
    D_TOS,
    D_TTL,
    D_VERSION,
    DECODABLE,
    F_SYN,
    FIRST,
    FLAGS,
    FRAME,
    G_FRAME,
    G_OFFSET,
    G_SEEN,
    I_FRAME,
    ICMP,
    K_ECHO,
    K_TCP,
    KIND,
    REPLY,
    RST,
    S_KEPT,
    S_SEGMENTS,
    S_SEGMENTS_N,
    SEGMENT_WIDTH,
    SERVER,
    SPORT,
    SYNACK,
    TALK,
    TALK_WIDTH,
    TOS,
    TOUCHED,
    TTL,
    VERSION,
    WIDTH,
)
from netprobe.tracker.decode import Buffer, Row, decode
from netprobe.tracker.hosts import N_OPEN, N_PING, N_RESET, note_host, recall_host
from netprobe.tracker.octets import borrowed, copy
from netprobe.tracker.rows import Rows, patience

BITS = 60  # columns that one word tells of: which are not 0
MAPS = (WIDTH + BITS - 1) // BITS
LONGEST = MAPS + WIDTH + 2  # words of one packed row

STRAY = -2

# --- one answer
A_FRAME = 0
A_KIND = 1
A_VERSION = 2
A_ADDRESS = 3  # 4 words
A_PORT = 7
A_TTL = 8
A_TOS = 9
A_SENT_TOS = 10
ANSWER = 11
MOST_ANSWERS = 2  # of one row


def pack(
    table: Rows,
    chosen: Sequence[int],
    first: int,
    last: int,
    talks: Sequence[int],
    words: MutableSequence[int],
    octets: MutableSequence[int],
    places: MutableSequence[int],
    state: MutableSequence[int],
) -> int:
    """The rows chosen[first:last] as `words`, their payload as `octets`, from state[0] and state[1] on, which move;
    places[2 * n] and the next one become where those of chosen[n] begin. Returns the first for which there is no
    room."""
    table, talks, words, octets = borrowed(table), borrowed(talks), borrowed(words), borrowed(octets)
    at = state[0]
    to = state[1]
    for n in range(first, last):
        if at + LONGEST > len(words) or to + TALK_WIDTH > len(octets):
            state[0] = at
            state[1] = to
            return n
        r = table[chosen[n]]
        places[2 * n] = at
        places[2 * n + 1] = to
        maps = at
        at += MAPS
        for m in range(MAPS):
            bits = 0
            end = min(WIDTH, (m + 1) * BITS)
            for i in range(m * BITS, end):
                if r[i] != 0:
                    bits |= 1 << (i - m * BITS)
                    words[at] = r[i]
                    at += 1
            words[maps + m] = bits
        if r[TALK] != 0:
            begin = (r[TALK] - 1) * TALK_WIDTH
            mine = used(r, S_SEGMENTS, S_SEGMENTS_N, S_KEPT)
            other = used(r, C_SEGMENTS, C_SEGMENTS_N, C_KEPT)
            words[at] = mine
            words[at + 1] = other
            at += 2
            copy(octets, to, talks, begin, mine)
            copy(octets, to + mine, talks, begin + S_KEPT, other)
            to += mine + other
    state[0] = at
    state[1] = to
    return last


def used(r: Row, base: int, most: int, room: int) -> int:
    """How many bytes of the kept payload of one side can have been written."""
    have = 1
    for n in range(most):
        at = base + n * SEGMENT_WIDTH
        if r[at + G_FRAME] == 0:
            break
        if r[at + G_SEEN] > 0 and r[at + G_OFFSET] < room:
            have = max(have, min(r[at + G_OFFSET] + r[at + G_SEEN], room))
    return have


def unpack(
    words: Sequence[int],
    octets: Sequence[int],
    places: Sequence[int],
    chosen: Sequence[int],
    count: int,
    shift: int,
    table: Rows,
    talks: MutableSequence[int],
) -> None:
    """Packed rows into the first `count` of `table`, and what their connections said into `talks`, in a place of the
    same number. Their frames are numbered `shift` higher."""
    table, talks, words, octets = borrowed(table), borrowed(talks), borrowed(words), borrowed(octets)
    for n in range(count):
        at = places[2 * chosen[n]]
        begin = places[2 * chosen[n] + 1]
        r = table[n]
        maps = at
        at += MAPS
        for m in range(MAPS):
            bits = words[maps + m]
            end = min(WIDTH, (m + 1) * BITS)
            for i in range(m * BITS, end):
                if bits & (1 << (i - m * BITS)) != 0:
                    r[i] = words[at]
                    at += 1
                else:
                    r[i] = 0
        renumber(r, shift)
        if r[TALK] != 0:
            mine = words[at]
            other = words[at + 1]
            to = n * TALK_WIDTH
            copy(talks, to, octets, begin, mine)
            copy(talks, to + S_KEPT, octets, begin + mine, other)
            r[TALK] = n + 1


def renumber(r: Row, shift: int) -> None:
    """The same row where the frames before its capture are `shift` more."""
    r[BORN] += shift
    for block in range(BLOCKS, BLOCKS + N_BLOCKS * BLOCK_WIDTH, BLOCK_WIDTH):
        if r[block + FRAME] != 0:
            r[block + FRAME] += shift
    if r[ICMP + I_FRAME] != 0:
        r[ICMP + I_FRAME] += shift
    for n in range(S_SEGMENTS_N):
        at = S_SEGMENTS + n * SEGMENT_WIDTH
        if r[at + G_FRAME] != 0:
            r[at + G_FRAME] += shift
    for n in range(C_SEGMENTS_N):
        at = C_SEGMENTS + n * SEGMENT_WIDTH
        if r[at + G_FRAME] != 0:
            r[at + G_FRAME] += shift


def ends(table: Rows, chosen: Sequence[int], count: int, out: MutableSequence[int]) -> None:
    """Of each chosen row the last moment at which another packet may belong to it."""
    table = borrowed(table)
    for n in range(count):
        r = table[chosen[n]]
        out[n] = r[TOUCHED] + patience(r)


def answers(
    table: Rows, chosen: Sequence[int], count: int, out: MutableSequence[int], each: MutableSequence[int]
) -> int:
    """What the chosen rows say of their servers, ANSWER words each; returns how many answers, in all and of `each`."""
    table, out = borrowed(table), borrowed(out)
    found = 0
    for n in range(count):
        r = table[chosen[n]]
        each[n] = 0
        if r[KIND] == K_ECHO and r[REPLY + FRAME] != 0:
            answer(r, REPLY, N_PING, 0, out, found)
            found += 1
            each[n] += 1
        if r[KIND] != K_TCP:
            continue
        if r[SYNACK + FRAME] != 0:
            answer(r, SYNACK, N_OPEN, 0, out, found)
            found += 1
            each[n] += 1
        refused = r[RST + FRAME] != 0 and r[FIRST + FLAGS] & F_SYN != 0
        if refused and (r[SYNACK + FRAME] == 0 or r[SYNACK + FRAME] > r[RST + FRAME]):
            answer(r, RST, N_RESET, r[FIRST + TOS], out, found)
            found += 1
            each[n] += 1
    return found


def answer(r: Row, block: int, kind: int, sent_tos: int, out: MutableSequence[int], n: int) -> None:
    """One answer, the packet that `block` remembers, as number `n`."""
    at = n * ANSWER
    out[at + A_FRAME] = r[block + FRAME]
    out[at + A_KIND] = kind
    out[at + A_VERSION] = r[VERSION]
    for i in range(4):
        out[at + A_ADDRESS + i] = r[SERVER + i]
    out[at + A_PORT] = r[SPORT]
    out[at + A_TTL] = r[block + TTL]
    out[at + A_TOS] = r[block + TOS]
    out[at + A_SENT_TOS] = sent_tos


def strays(
    buffer: Buffer,
    first: int,
    last: int,
    starts: Sequence[int],
    ends: Sequence[int],
    links: Sequence[int],
    touched: MutableSequence[int],
    depth: int,
    d: Row,
) -> None:
    """Of the frames first..last-1 of a batch, those that belong to no row though they are such as might, get STRAY in
    `touched`."""
    buffer, d = borrowed(buffer), borrowed(d)
    for i in range(first, last):
        if touched[i] == -1:
            decode(buffer, starts[i], ends[i], links[i], d, depth)
            if d[D_PROTOCOL] < DECODABLE:
                touched[i] = STRAY


def learn(
    given: Sequence[int], order: Sequence[int], first: int, last: int, hosts: MutableSequence[int], d: Row
) -> None:
    """Enter the answers order[first:last] into a table of servers. `d`: room for a decoded packet."""
    hosts, d = borrowed(hosts), borrowed(d)
    for n in range(first, last):
        at = order[n] * ANSWER
        for i in range(4):
            d[D_SRC + i] = given[at + A_ADDRESS + i]
        d[D_VERSION] = given[at + A_VERSION]
        d[D_SPORT] = given[at + A_PORT]
        d[D_TTL] = given[at + A_TTL]
        d[D_TOS] = given[at + A_TOS]
        note_host(hosts, d, given[at + A_KIND], given[at + A_SENT_TOS])


def recall(table: Rows, count: int, hosts: MutableSequence[int]) -> None:
    """What is known of their servers by now into the first `count` rows."""
    table, hosts = borrowed(table), borrowed(hosts)
    for n in range(count):
        recall_host(table[n], hosts)
