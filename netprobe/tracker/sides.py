"""Each side of a connection: Zeek's endpoint states and history, gaps and repeats, and how its resets compare with its
other packets.

House rules of this file:
1. Written in the subset of Python that Numba compiles, like loop.py; `own` and `peer` are C_SIDE and S_SIDE.
2. Only packets that the loop has accepted come here; what is unsolicited leaves no trace in the history.
3. States and letters are Zeek's (TCPSessionAdapter, TCP_Endpoint), except that one attempt stays one connection however
   long it takes, and that C is never written: checksums are not looked at (Zeek with -C).
4. What a side's resets have in particular is kept as bits, never as numbers, so that attempts alike are equal.
"""

from __future__ import annotations

from collections.abc import Sequence

from netprobe.tracker.columns import (
    B_ACK_SLOW,
    B_ANSWER_SLOW,
    B_ASKED_AGAIN,
    B_ASKED_TWICE,
    B_C_SIGNS,
    B_C_STATE,
    B_C_STUCK,
    B_C_UNHEARD,
    B_EARLY_RESET,
    B_LEFT_2,
    B_LEFT_12,
    B_ONWARD,
    B_RHYTHM,
    B_S_MISSING,
    B_S_SIGNS,
    B_S_STATE,
    B_S_STUCK,
    B_S_UNHEARD,
    B_SAID_MORE,
    B_TOLD_TWICE,
    B_TOO_BIG,
    C_ACK,
    C_FIN,
    C_RST,
    C_SIDE,
    D_ACK,
    D_FLAGS,
    D_FLOW,
    D_IP_ID,
    D_OPTIONS,
    D_PAYLOAD,
    D_SEQ,
    D_TTL,
    D_VERSION,
    D_WINDOW,
    E_ACKED,
    E_AGAIN,
    E_AGAIN_COUNT,
    E_AGAIN_LENGTH,
    E_AGAIN_TIME,
    E_COUNT,
    E_FIN,
    E_FLOW,
    E_GAP_TO,
    E_GAPS,
    E_HOLE,
    E_HOLE_END,
    E_HOLED,
    E_ID_KIND,
    E_IP_ID,
    E_LARGEST,
    E_LAST,
    E_PASSED,
    E_REPEATS,
    E_RESETS,
    E_RST,
    E_RST_SEQ,
    E_RST_TTL,
    E_SACKED,
    E_SIGNS,
    E_START,
    E_STATE,
    E_STOOD,
    E_SYN,
    E_TTL_HIGH,
    E_TTL_LOW,
    E_WINDOW,
    E_ZEROES,
    F_ACK,
    F_FIN,
    F_RST,
    F_SYN,
    FIRST,
    FRAME,
    HISTORY_A,
    HISTORY_B,
    HISTORY_N,
    HISTORY_SEEN,
    L_ACK,
    L_DATA,
    L_FIN,
    L_FLIPPED,
    L_GAP,
    L_INCONSISTENT,
    L_MULTI,
    L_RETRANSMIT,
    L_RST,
    L_SYN,
    L_SYNACK,
    L_WINDOW0,
    LAST,
    O_SACKED,
    ONWARD,
    RHYTHM,
    S_BYTES,
    S_DATA,
    S_SIDE,
    SYNACK,
    TIME,
    TOO_BIG,
    W_EIGHT,
    W_FOUR,
    W_HALF,
    W_ONE,
    W_OTHER,
    W_SIX,
    W_THREE,
    W_TWO,
    X_BEYOND,
    X_FLOW,
    X_ID,
    X_ID_OF_PEER,
    X_SEQS,
    X_TTL,
    X_TTLS,
    X_WENT_ON,
    X_WINDOW_OF_PEER,
    Y_COUNTS,
    Y_ONE,
    Y_OTHER,
    Y_UNKNOWN,
    Y_ZERO,
    Z_CLOSED,
    Z_ESTABLISHED,
    Z_INACTIVE,
    Z_PARTIAL,
    Z_RESET,
    Z_SYN_ACK_SENT,
    Z_SYN_SENT,
)
from netprobe.tracker.decode import Row
from netprobe.tracker.rows import distance

# A SYN or reset whose number is farther off than this doesn't move a side's numbering (Zeek: 1 MiB).
TOO_FAR = 1048576
# A counter of IP IDs goes on by one a packet, by more where the sender talks to others or cuts segments in hardware.
STEP = 64
RESET_STEP = 1024
ROOM = 24  # letters of a history that are kept
SLOWER = 4  # so many times longer is longer beyond doubt
STUCK_TRIES = 3  # repeats of one segment
COPY_NS = 100_000_000  # sooner it is a copy of the same packet: mirror ports and several interfaces make them
LONG_NS = 60_000_000_000  # a single SYN that stays unanswered for so long is silence
SPACED_NS = 1_000_000_000
QUIET_NS = 2_500_000_000
IDENTIFICATION = 255  # bytes, RFC 4253 4.2
LEFT_LATE_NS = 12_000_000_000  # the two waits for a server's first word (TargetFact.banner_wait_ns, and any service's)
LEFT_NS = 2_000_000_000
M_LONG = 1  # the last SYN is so long ago
M_SYNACK = 2  # the last SYN-ACK is a second ago or more
M_QUIET = 4  # the server's last payload is 2.5 s ago or more


def letter(r: Row, code: int) -> None:
    """Append a letter to the history."""
    n = r[HISTORY_N]
    if n >= ROOM:
        return
    if n < 12:
        r[HISTORY_A] |= code << (5 * n)
    else:
        r[HISTORY_B] |= code << (5 * (n - 12))
    r[HISTORY_N] = n + 1


def once(r: Row, kind: int, code: int, own: int) -> bool:
    """Append a letter unless this side had one of its kind; whether it had."""
    lower = 16 if own == S_SIDE else 0
    bit = 1 << (kind + lower)
    if r[HISTORY_SEEN] & bit:
        return True
    r[HISTORY_SEEN] |= bit
    letter(r, code + lower)
    return False


def counted(r: Row, own: int, counter: int, code: int) -> None:
    """Count, and append the letter at 1, 10, 100 and so on."""
    r[own + counter] += 1
    n = r[own + counter]
    while n >= 10 and n % 10 == 0:
        n //= 10
    if n == 1:
        letter(r, code + (16 if own == S_SIDE else 0))


def flipped(r: Row) -> None:
    """The first packet seen was the server's."""
    letter(r, L_FLIPPED)


def state(r: Sequence[int], side: int) -> int:
    """Zeek's state of a side."""
    return r[side + E_STATE] & 15


def become(r: Row, side: int, new: int) -> None:
    """Enter a state, and remember the one before it."""
    old = r[side + E_STATE] & 15
    if old != new:
        r[side + E_STATE] = new | old << 4


def follow(r: Row, d: Row, own: int, peer: int, time: int) -> None:
    """Take in a packet of the side `own`."""
    if steady(r, d, own, peer):
        return
    flags = d[D_FLAGS]
    begin(r, d, own)
    relative = distance(d[D_SEQ], r[own + E_START])
    tell(r, d, own, relative)
    if d[D_WINDOW] == 0 and not flags & F_RST and state(r, peer) != Z_CLOSED and state(r, own) != Z_RESET:
        counted(r, own, E_ZEROES, L_WINDOW0)
    if flags & F_ACK:
        if state(r, peer) == Z_INACTIVE:
            before = (d[D_ACK] - 1) & 0xFFFFFFFF
            r[peer + E_START] = before
            r[peer + E_LAST] = before
            r[peer + E_ACKED] = before
        elif not flags & F_RST:
            acknowledge(r, d, peer)
    if flags & F_RST:
        compare_reset(r, d, own, peer)
    else:
        if d[D_PAYLOAD] > 0:
            compare_data(r, d, own, time)
        keep_looks(r, d, own)
    move(r, d, own)
    change(r, d, own, peer)
    if flags & F_ACK:
        look_for_gap(r, d, own, peer)
    heard = r[S_SIDE + E_COUNT] + r[S_SIDE + E_RESETS] > 0
    if own == C_SIDE and not heard and flags & F_ACK and not flags & (F_SYN | F_RST):
        r[ONWARD] = 1


def steady(r: Row, d: Row, own: int, peer: int) -> bool:
    """The short way for most packets: the next in order on an open connection, with nothing to tell."""
    flags, length = d[D_FLAGS], d[D_PAYLOAD]
    if flags & (F_SYN | F_FIN | F_RST | F_ACK) != F_ACK or d[D_SEQ] != r[own + E_LAST] or d[D_WINDOW] == 0:
        return False
    if r[own + E_STATE] & 15 != Z_ESTABLISHED or r[peer + E_STATE] & 15 != Z_ESTABLISHED:
        return False
    seen = 1 << ((L_DATA if length > 0 else L_ACK) + (16 if own == S_SIDE else 0))
    if not r[HISTORY_SEEN] & seen or r[own + E_RESETS] or r[own + E_HOLED] or r[peer + E_HOLED]:
        return False
    if distance(d[D_ACK], r[peer + E_LAST]) > 0:
        return False
    if d[D_ACK] != r[peer + E_ACKED] or r[peer + E_AGAIN_COUNT] or d[D_OPTIONS] & O_SACKED:
        acknowledge(r, d, peer)
    if length > r[own + E_LARGEST]:
        r[own + E_LARGEST] = length
    r[own + E_LAST] = (d[D_SEQ] + length) & 0xFFFFFFFF
    keep_looks(r, d, own)
    return True


def past(d: Row) -> int:
    """One past the segment's last number; a reset's payload is no part of the stream."""
    length = 0 if d[D_FLAGS] & F_RST else d[D_PAYLOAD]
    if d[D_FLAGS] & F_SYN:
        length += 1
    if d[D_FLAGS] & F_FIN:
        length += 1
    return (d[D_SEQ] + length) & 0xFFFFFFFF


def begin(r: Row, d: Row, own: int) -> None:
    """Where the numbering of this side begins: at its SYN, else as if one had come before; a later SYN begins anew."""
    now = state(r, own)
    syn = d[D_FLAGS] & F_SYN != 0
    if now == Z_INACTIVE:
        start = d[D_SEQ] if syn else (d[D_SEQ] - 1) & 0xFFFFFFFF
        r[own + E_START] = start
        r[own + E_ACKED] = start
        r[own + E_LAST] = past(d) if syn else d[D_SEQ]
        return
    if not syn:
        return
    again = (now == Z_SYN_SENT or now == Z_SYN_ACK_SENT) and d[D_SEQ] != r[own + E_START]
    again = again or now == Z_ESTABLISHED or now == Z_PARTIAL
    again = again or (now == Z_RESET and r[own + E_STATE] >> 4 == Z_INACTIVE)
    if again:
        r[own + E_START] = d[D_SEQ]
        r[own + E_ACKED] = d[D_SEQ]
        r[own + E_LAST] = past(d)


def tell(r: Row, d: Row, own: int, relative: int) -> None:
    """The packet's letter, where it has one: each kind once a side, SYN, FIN and RST again with another number."""
    flags = d[D_FLAGS]
    bits = (1 if flags & F_SYN else 0) + (1 if flags & F_FIN else 0) + (1 if flags & F_RST else 0)
    lower = 16 if own == S_SIDE else 0
    if bits > 1:
        code = L_INCONSISTENT if flags & F_FIN and flags & F_RST else L_MULTI
        once(r, code, code, own)
    elif flags & F_SYN:
        code = L_SYNACK if flags & F_ACK else L_SYN
        if once(r, L_SYN, code, own) and relative != r[own + E_SYN]:
            letter(r, code + lower)
        r[own + E_SYN] = relative
    elif flags & F_FIN:
        if once(r, L_FIN, L_FIN, own) and relative + d[D_PAYLOAD] != r[own + E_FIN]:
            letter(r, L_FIN + lower)
        r[own + E_FIN] = relative + d[D_PAYLOAD]
    elif flags & F_RST:
        if once(r, L_RST, L_RST, own) and relative != r[own + E_RST]:
            letter(r, L_RST + lower)
        r[own + E_RST] = relative
    elif d[D_PAYLOAD] > 0:
        once(r, L_DATA, L_DATA, own)
    elif flags & F_ACK:
        once(r, L_ACK, L_ACK, own)


def acknowledge(r: Row, d: Row, peer: int) -> None:
    """What this packet acknowledges of the other side's stream."""
    ahead = distance(d[D_ACK], r[peer + E_ACKED])
    if ahead > 0 and (d[D_ACK] != 0 or ahead <= TOO_FAR):
        passed = min(ahead, r[peer + E_LARGEST])
        if passed > r[peer + E_PASSED]:
            r[peer + E_PASSED] = passed
        r[peer + E_ACKED] = d[D_ACK]
        r[peer + E_AGAIN_COUNT] = 0
        r[peer + E_SACKED] = 0
        r[peer + E_STOOD] = 0
    elif ahead == 0:
        if d[D_OPTIONS] & O_SACKED:
            r[peer + E_SACKED] += 1
        if r[peer + E_AGAIN_COUNT] >= STUCK_TRIES - 1:
            r[peer + E_STOOD] += 1


def compare_data(r: Row, d: Row, own: int, time: int) -> None:
    """A payload segment against what this side sent before: new, again, or beyond something missing."""
    length = d[D_PAYLOAD]
    ahead = distance(d[D_SEQ], r[own + E_LAST])
    behind = distance((d[D_SEQ] + length) & 0xFFFFFFFF, r[own + E_LAST]) <= 0
    if length > r[own + E_LARGEST]:
        r[own + E_LARGEST] = length
    first = r[own + E_ACKED]  # the first number that is not acknowledged
    if first == r[own + E_START]:
        first = (first + 1) & 0xFFFFFFFF  # but for the SYN's own
    if behind and d[D_SEQ] == first:
        if r[own + E_AGAIN_COUNT] == 0 or r[own + E_AGAIN] != d[D_SEQ]:
            r[own + E_AGAIN] = d[D_SEQ]
            r[own + E_AGAIN_COUNT] = 0
            r[own + E_AGAIN_TIME] = 0
        r[own + E_AGAIN_LENGTH] = length
        if time - r[own + E_AGAIN_TIME] >= COPY_NS:
            r[own + E_AGAIN_COUNT] += 1
            r[own + E_AGAIN_TIME] = time
    if ahead > 0 and r[own + E_HOLED] == 0 and state(r, own) != Z_INACTIVE:
        r[own + E_HOLED] = 1
        r[own + E_HOLE] = r[own + E_LAST]
        r[own + E_HOLE_END] = d[D_SEQ]
    elif r[own + E_HOLED] and distance(d[D_SEQ], r[own + E_HOLE]) <= 0:
        end = (d[D_SEQ] + length) & 0xFFFFFFFF
        if distance(end, r[own + E_HOLE]) > 0:
            r[own + E_HOLE] = end
            if distance(end, r[own + E_HOLE_END]) >= 0:
                r[own + E_HOLED] = 0
    as_before = r[own + E_TTL_LOW] <= d[D_TTL] <= r[own + E_TTL_HIGH]
    if r[own + E_RESETS] and as_before and distance((d[D_SEQ] + length) & 0xFFFFFFFF, r[own + E_RST_SEQ]) > 0:
        r[own + E_SIGNS] |= X_WENT_ON


def keep_looks(r: Row, d: Row, own: int) -> None:
    """What this side's packets look like, resets aside; after its first reset nothing counts any more."""
    if r[own + E_RESETS]:
        return
    ttl = d[D_TTL]
    if r[own + E_COUNT] == 0 or ttl < r[own + E_TTL_LOW]:
        r[own + E_TTL_LOW] = ttl
    if ttl > r[own + E_TTL_HIGH]:
        r[own + E_TTL_HIGH] = ttl
    kind = r[own + E_ID_KIND]
    number = d[D_IP_ID]
    if kind == Y_UNKNOWN or kind == Y_ZERO:
        r[own + E_ID_KIND] = Y_ZERO if number == 0 else Y_ONE
    elif number != 0 and kind != Y_OTHER:
        step = (number - r[own + E_IP_ID]) & 0xFFFF
        r[own + E_ID_KIND] = Y_COUNTS if 0 < step <= STEP else Y_OTHER
    if number != 0 or kind == Y_UNKNOWN:
        r[own + E_IP_ID] = number
    r[own + E_WINDOW] = d[D_WINDOW]
    r[own + E_FLOW] = d[D_FLOW]
    r[own + E_COUNT] += 1


def compare_reset(r: Row, d: Row, own: int, peer: int) -> None:
    """A reset against this side's other packets: what a genuine one continues (RFC 9293 3.5.2) and a forged one may
    miss."""
    signs = r[own + E_SIGNS]
    if r[own + E_RESETS] == 0:
        r[own + E_RST_SEQ] = d[D_SEQ]
        r[own + E_RST_TTL] = d[D_TTL]
        if r[own + E_COUNT] > 0:
            if d[D_TTL] < r[own + E_TTL_LOW] or d[D_TTL] > r[own + E_TTL_HIGH]:
                signs |= X_TTL
            step = (d[D_IP_ID] - r[own + E_IP_ID]) & 0xFFFF
            if r[own + E_ID_KIND] == Y_COUNTS and d[D_IP_ID] != 0 and step > RESET_STEP:
                signs |= X_ID
            if d[D_WINDOW] != 0 and d[D_WINDOW] == r[peer + E_WINDOW] and d[D_WINDOW] != r[own + E_WINDOW]:
                signs |= X_WINDOW_OF_PEER
            if distance(d[D_SEQ], r[own + E_LAST]) > 0:
                signs |= X_BEYOND
            if d[D_VERSION] == 6 and d[D_FLOW] != 0 and d[D_FLOW] != r[own + E_FLOW]:
                signs |= X_FLOW
        if d[D_IP_ID] != 0 and r[peer + E_COUNT] > 0 and d[D_IP_ID] == r[peer + E_IP_ID]:
            signs |= X_ID_OF_PEER
    else:
        if d[D_TTL] != r[own + E_RST_TTL]:
            signs |= X_TTLS
        if d[D_SEQ] != r[own + E_RST_SEQ]:
            signs |= X_SEQS
    r[own + E_SIGNS] = signs
    r[own + E_RESETS] += 1


def move(r: Row, d: Row, own: int) -> None:
    """The last number of this side; payload that brings nothing new is a repeat."""
    flags = d[D_FLAGS]
    last = past(d)
    ahead = distance(last, r[own + E_LAST])
    if flags & (F_SYN | F_RST) and (ahead > TOO_FAR or ahead < -TOO_FAR):
        return
    if flags & F_FIN and r[own + E_LAST] == (r[own + E_START] + 1) & 0xFFFFFFFF:
        r[own + E_LAST] = last
    elif state(r, own) == Z_RESET:
        return
    elif ahead > 0:
        r[own + E_LAST] = last
    elif d[D_PAYLOAD] > 0:
        counted(r, own, E_REPEATS, L_RETRANSMIT)


def change(r: Row, d: Row, own: int, peer: int) -> None:
    """The states of both sides after this packet."""
    flags = d[D_FLAGS]
    now = state(r, own)
    if now == Z_INACTIVE:
        awake(r, d, own, peer)
    elif now == Z_SYN_SENT or now == Z_SYN_ACK_SENT:
        if flags & F_FIN:
            become(r, own, Z_CLOSED)
        if flags & F_RST:
            become(r, own, Z_RESET)
    elif now == Z_ESTABLISHED or now == Z_PARTIAL:
        if flags & F_SYN and not flags & F_ACK and now == Z_PARTIAL and state(r, peer) == Z_INACTIVE:
            become(r, own, Z_SYN_SENT)
        if flags & F_FIN and not flags & F_RST:
            become(r, own, Z_CLOSED)
            if state(r, peer) == Z_RESET and r[peer + E_STATE] >> 4 == Z_CLOSED:
                become(r, peer, Z_CLOSED)  # a FIN and then a reset: a normal end after all
        if flags & F_RST:
            become(r, own, Z_RESET)
    elif now == Z_CLOSED and flags & F_RST and state(r, peer) != Z_CLOSED:
        become(r, own, Z_RESET)


def awake(r: Row, d: Row, own: int, peer: int) -> None:
    """The first packets of a side."""
    flags = d[D_FLAGS]
    other = state(r, peer)
    if flags & F_SYN:
        if own == C_SIDE:
            become(r, own, Z_SYN_ACK_SENT if flags & F_ACK else Z_SYN_SENT)
        else:
            if other == Z_SYN_SENT:
                become(r, peer, Z_ESTABLISHED)
            become(r, own, Z_ESTABLISHED)
    if flags & F_FIN:
        become(r, own, Z_CLOSED)
    if flags & F_RST:
        become(r, own, Z_RESET)
    if state(r, own) != Z_INACTIVE:
        return
    if own == S_SIDE and d[D_PAYLOAD] == 0 and other == Z_SYN_SENT:
        return  # some acknowledge a SYN before they answer it
    become(r, own, Z_ESTABLISHED if flags & F_ACK and other == Z_ESTABLISHED else Z_PARTIAL)


def look_for_gap(r: Row, d: Row, own: int, peer: int) -> None:
    """Data that was acknowledged and never captured, while both sides are open or closing in order."""
    mine, other = state(r, own), state(r, peer)
    if not (mine == Z_ESTABLISHED or mine == Z_CLOSED) or not (other == Z_ESTABLISHED or other == Z_CLOSED):
        return
    beyond = distance(d[D_ACK], r[peer + E_LAST]) > 0
    if beyond and (r[peer + E_GAPS] == 0 or distance(d[D_ACK], r[peer + E_GAP_TO]) > 0):
        counted(r, peer, E_GAPS, L_GAP)
        r[peer + E_GAP_TO] = d[D_ACK]
    elif not beyond and r[peer + E_HOLED] and distance(d[D_ACK], r[peer + E_HOLE]) > 0:
        counted(r, peer, E_GAPS, L_GAP)
        r[peer + E_GAP_TO] = d[D_ACK]
        r[peer + E_HOLED] = 0


def keep_rhythm(r: Row, time: int) -> None:
    """When the client sent its SYN again: the gap since the time before, roughly. Called before the copy is counted."""
    n = 0
    while n < 3 and r[RHYTHM] >> (4 * n) & 15:
        n += 1
    gap = time - r[FIRST + LAST]
    if n == 3 or gap < COPY_NS:
        return
    code = W_OTHER
    if near(gap, 500_000_000):
        code = W_HALF
    elif near(gap, 1_000_000_000):
        code = W_ONE
    elif near(gap, 2_000_000_000):
        code = W_TWO
    elif near(gap, 3_000_000_000):
        code = W_THREE
    elif near(gap, 4_000_000_000):
        code = W_FOUR
    elif near(gap, 6_000_000_000):
        code = W_SIX
    elif near(gap, 8_000_000_000):
        code = W_EIGHT
    r[RHYTHM] |= code << (4 * n)


def near(gap: int, seconds_ns: int) -> bool:
    """Within an eighth."""
    return -seconds_ns <= 8 * (gap - seconds_ns) <= seconds_ns


def looks(r: Sequence[int]) -> int:
    """Everything of both sides that evidence reads, in one word: no number that differs between attempts alike."""
    found = state(r, C_SIDE) << B_C_STATE | state(r, S_SIDE) << B_S_STATE
    found |= r[C_SIDE + E_SIGNS] << B_C_SIGNS | r[S_SIDE + E_SIGNS] << B_S_SIGNS
    found |= r[RHYTHM] << B_RHYTHM | r[ONWARD] << B_ONWARD
    if stuck(r, C_SIDE):
        found |= 1 << B_C_STUCK
    if stuck(r, S_SIDE):
        found |= 1 << B_S_STUCK
    if missing(r, S_SIDE):
        found |= 1 << B_S_MISSING
    if unheard(r, C_SIDE):
        found |= 1 << B_C_UNHEARD
    if unheard(r, S_SIDE):
        found |= 1 << B_S_UNHEARD
    if r[TOO_BIG]:
        found |= 1 << B_TOO_BIG
    if r[S_BYTES] > IDENTIFICATION:
        found |= 1 << B_SAID_MORE
    if r[S_SIDE + E_RESETS] and distance(r[S_SIDE + E_RST_SEQ], r[S_SIDE + E_START]) <= IDENTIFICATION:
        found |= 1 << B_EARLY_RESET
    left = r[C_FIN + TIME] if r[C_FIN + FRAME] != 0 else r[C_RST + TIME]
    heard = r[S_DATA + LAST] if r[S_DATA + FRAME] != 0 else r[C_ACK + TIME]
    if left - heard >= LEFT_LATE_NS:
        found |= 1 << B_LEFT_12
    if left - heard >= LEFT_NS:
        found |= 1 << B_LEFT_2
    asked_twice = r[FIRST + LAST] - r[FIRST + TIME] >= COPY_NS
    if asked_twice:
        found |= 1 << B_ASKED_TWICE
    if r[SYNACK + FRAME] == 0 or r[FIRST + FRAME] == 0:
        return found
    if r[FIRST + LAST] - r[SYNACK + TIME] >= COPY_NS:
        found |= 1 << B_ASKED_AGAIN
    told_twice = r[SYNACK + LAST] - r[SYNACK + TIME] >= COPY_NS
    if told_twice:
        found |= 1 << B_TOLD_TWICE
    if r[C_ACK + FRAME] != 0 and not asked_twice and not told_twice:
        answer = r[SYNACK + TIME] - r[FIRST + TIME]
        ack = r[C_ACK + TIME] - r[SYNACK + TIME]
        if answer > 0 and answer >= SLOWER * ack:
            found |= 1 << B_ANSWER_SLOW
        elif ack > 0 and ack >= SLOWER * answer:
            found |= 1 << B_ACK_SLOW
    return found


def stuck(r: Sequence[int], own: int) -> bool:
    """Whether loss depends on size: the first unacknowledged segment goes again and again, it is larger than any that
    was acknowledged, and a later one was (SACK)."""
    large = r[own + E_AGAIN_LENGTH] > r[own + E_PASSED]
    return r[own + E_AGAIN_COUNT] >= STUCK_TRIES and r[own + E_SACKED] > 0 and large


def unheard(r: Sequence[int], own: int) -> bool:
    """Whether a segment larger than any before goes again and again while the other side, still there, never
    acknowledges it."""
    large = r[own + E_AGAIN_LENGTH] > r[own + E_PASSED]
    return r[own + E_AGAIN_COUNT] >= STUCK_TRIES and r[own + E_STOOD] > 0 and large


def missing(r: Sequence[int], own: int) -> bool:
    """The same where the large segment never reaches the capture: what is missing is larger than any that came."""
    if r[own + E_HOLED] == 0 or r[own + E_SACKED] == 0:
        return False
    return distance(r[own + E_HOLE_END], r[own + E_HOLE]) > r[own + E_LARGEST]


def since(r: Sequence[int], now: int) -> int:
    """The comparisons of evidence with the present (sides.M_ bits): how long nothing has come."""
    found = 0
    if r[FIRST + FRAME] != 0 and now - r[FIRST + LAST] >= LONG_NS:
        found |= M_LONG
    if r[SYNACK + FRAME] != 0 and now - r[SYNACK + LAST] >= SPACED_NS:
        found |= M_SYNACK
    if r[S_DATA + FRAME] != 0 and now - r[S_DATA + LAST] >= QUIET_NS:
        found |= M_QUIET
    return found
