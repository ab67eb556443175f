"""The tracker's rows: found by their endpoints, opened, filled with packets, settled, used again.

House rules of this file:
1. Written in the subset of Python that Numba compiles, like loop.py and decode.py; `table` is rows of integers, `slots`
   an open-addressing hash table of row numbers plus one (0 is free), with the key of its hash behind its last place.
2. Where rows are used again, everything here follows from the packets alone, never from how they were batched.
"""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence

from netprobe.tracker.columns import (
    ACK,
    AWAY,
    BORN,
    C_FIN,
    C_KEPT,
    C_RST,
    C_SEGMENTS,
    CLIENT,
    COUNT,
    CPORT,
    D_ACK,
    D_DPORT,
    D_DST,
    D_FLAGS,
    D_FLOW,
    D_IP_ID,
    D_OFFSET,
    D_OPTIONS,
    D_PAYLOAD,
    D_SEGMENT,
    D_SEQ,
    D_SPORT,
    D_SRC,
    D_TOS,
    D_TTL,
    D_VERSION,
    D_WINDOW,
    F_FIN,
    F_RST,
    FIRST,
    FLAGS,
    FLOW,
    FRAME,
    G_FRAME,
    G_LENGTH,
    G_OFFSET,
    G_SEEN,
    G_TIME,
    H_BEGIN,
    H_CLIENT,
    H_FLAGS,
    H_LENGTH,
    H_OFFSET,
    H_ROW,
    H_SEEN,
    H_TIME,
    HEARD_WIDTH,
    I_FRAME,
    ICMP,
    IP_ID,
    K_TCP,
    KIND,
    LAST,
    MIDSTREAM,
    N_CLOCK,
    N_FREE_ROWS,
    N_FREE_TALKS,
    N_HEARD,
    N_REUSES,
    N_ROWS,
    N_SESSIONS,
    OPTIONS,
    OUTGOING,
    REPLACED,
    RST,
    S_FIN,
    S_IDENTIFIED,
    S_KEPT,
    SEGMENT_WIDTH,
    SEQ,
    SERVER,
    SESSION,
    SPORT,
    SYNACK,
    TALK,
    TALK_WIDTH,
    TIME,
    TOS,
    TOUCHED,
    TTL,
    V_NOT,
    V_UNKNOWN,
    V_WANTED,
    VERSION,
    WIDTH,
    WINDOW,
)
from netprobe.tracker.decode import Buffer, Row
from netprobe.tracker.hosts import recall_host
from netprobe.tracker.octets import copy, u32

Rows = Sequence[Row]

# How long a row waits for a packet that still belongs to it. Closed: a repeated FIN, the next SYN of a client that
# takes a reset for a "try again" (Windows: 0.5 s). Unreachable: the next SYN where an ICMP error answered the first,
# after which most systems give up (the first gap is 1 s, 3 s on old ones). Unanswered: Linux repeats a SYN after 1, 2,
# 4 ... 64 s (tcp_syn_retries 6). Half closed: twice as long as Linux keeps FIN-WAIT-2 (tcp_fin_timeout, 60 s). Idle:
# sessions without keepalive. Each MB of rows that wait costs 2 ms (a virtual machine's fresh pages).
CLOSED_NS = 2_000_000_000
UNREACHABLE_NS = 10_000_000_000
UNANSWERED_NS = 70_000_000_000
SLACK_NS = 5_000_000_000
HALF_CLOSED_NS = 120_000_000_000
IDLE_NS = 3_600_000_000_000


MSG_KEXINIT = 20  # RFC 4253 12; 1 to 4 are disconnect, ignore, unimplemented, debug
LONGEST_PACKET = 1 << 18  # PACKET_MAX_SIZE of OpenSSH


def distance(a: int, b: int) -> int:
    """a - b in sequence space, signed (RFC 9293 3.4)."""
    return ((a - b + 0x80000000) & 0xFFFFFFFF) - 0x80000000


def mixed(x: int, key: int) -> int:
    """One step of the hash: what `key` does to a bit can't be known without it. The product of 32 and 31 bits stays
    below 2**63, so that interpreted and compiled agree."""
    p = x * key
    return (p ^ (p >> 31)) & 0x7FFFFFFF


def hash_pair(d: Row, a: int, b: int, aport: int, bport: int, kind: int, key: int) -> int:
    """A hash that is the same for both directions. `key` is odd, below 2**31, and secret: a capture may have been made
    so that its endpoints fall into one place (with a plain sum, 20,000 SYNs took minutes)."""
    x = mixed(mixed(d[a + 3], key) ^ aport, key)
    y = mixed(mixed(d[b + 3], key) ^ bport, key)
    if d[a] != 0 or d[a + 1] != 0 or d[a + 2] != 0:  # IPv6
        x = mixed(mixed(mixed(x ^ d[a], key) ^ d[a + 1], key) ^ d[a + 2], key)
    if d[b] != 0 or d[b + 1] != 0 or d[b + 2] != 0:
        y = mixed(mixed(mixed(y ^ d[b], key) ^ d[b + 1], key) ^ d[b + 2], key)
    return mixed(x + y + kind, key)


def same(r: Row, to: int, d: Row, at: int) -> bool:
    """Whether four address words agree."""
    return r[to] == d[at] and r[to + 1] == d[at + 1] and r[to + 2] == d[at + 2] and r[to + 3] == d[at + 3]


def find(
    d: Row, a: int, b: int, aport: int, bport: int, kind: int, table: Rows, slots: MutableSequence[int], mask: int
) -> int:
    """The slot of the row between two endpoints in either direction, or of the free place where it would go."""
    slot = hash_pair(d, a, b, aport, bport, kind, slots[mask + 1]) & mask
    while slots[slot] != 0:
        r = table[slots[slot] - 1]
        if r[KIND] == kind:
            if r[CPORT] == aport and r[SPORT] == bport and same(r, CLIENT, d, a) and same(r, SERVER, d, b):
                return slot
            if r[CPORT] == bport and r[SPORT] == aport and same(r, CLIENT, d, b) and same(r, SERVER, d, a):
                return slot
        slot = (slot + 1) & mask
    return slot


def remember(r: Row, block: int, d: Row, number: int, time: int) -> None:
    """Keep a packet in full, or count another copy of it."""
    if r[block + FRAME] != 0:
        r[block + COUNT] += 1
        r[block + LAST] = time
        return
    r[block + FRAME] = number
    r[block + TIME] = time
    r[block + TTL] = d[D_TTL]
    r[block + TOS] = d[D_TOS]
    r[block + IP_ID] = d[D_IP_ID]
    r[block + FLOW] = d[D_FLOW]
    r[block + WINDOW] = d[D_WINDOW]
    r[block + SEQ] = d[D_SEQ]
    r[block + ACK] = d[D_ACK]
    r[block + FLAGS] = d[D_FLAGS]
    r[block + OPTIONS] = d[D_OPTIONS]
    r[block + COUNT] = 1
    r[block + LAST] = time


def open_row(
    d: Row,
    a: int,
    b: int,
    kind: int,
    number: int,
    time: int,
    outgoing: int,
    table: Rows,
    slots: MutableSequence[int],
    slot: int,
    free_rows: Sequence[int],
    counters: MutableSequence[int],
) -> int:
    """Start a row whose client is endpoint `a` (D_SRC or D_DST); it takes the slot over from an older row of the same
    endpoints."""
    flipped = a == D_DST and kind == K_TCP
    if slots[slot] != 0:
        table[slots[slot] - 1][REPLACED] = 1
    counters[N_FREE_ROWS] -= 1
    counters[N_ROWS] += 1
    n = free_rows[counters[N_FREE_ROWS]]
    slots[slot] = n + 1
    r = table[n]
    for i in range(WIDTH):
        r[i] = 0
    r[KIND] = kind
    r[VERSION] = d[D_VERSION]
    for i in range(4):
        r[CLIENT + i] = d[a + i]
        r[SERVER + i] = d[b + i]
    r[CPORT] = d[D_DPORT] if flipped else d[D_SPORT]
    r[SPORT] = d[D_SPORT] if flipped else d[D_DPORT]
    r[OUTGOING] = outgoing
    r[BORN] = number
    r[TOUCHED] = counters[N_CLOCK]
    remember(r, FIRST, d, number, time)
    return n


def segment(r: Row, base: int, used: int, limit: int, d: Row, number: int, time: int, offset: int) -> None:
    """Remember where a payload segment lies, in order of arrival, as long as there is room."""
    n = r[used]
    if n >= limit:
        return
    r[used] = n + 1
    at = base + n * SEGMENT_WIDTH
    r[at + G_FRAME] = number
    r[at + G_OFFSET] = offset
    r[at + G_LENGTH] = d[D_PAYLOAD]
    r[at + G_TIME] = time
    d[D_SEGMENT] = at


def keep(
    r: Row,
    d: Row,
    b: Buffer,
    start: int,
    end: int,
    talks: MutableSequence[int],
    free_talks: Sequence[int],
    counters: MutableSequence[int],
) -> None:
    """Copy the payload of the segment just remembered to the connection's own place, as far as there is room in it."""
    at = d[D_SEGMENT]
    begin = start + d[D_OFFSET]
    seen = max(0, min(d[D_PAYLOAD], end - begin))
    r[at + G_SEEN] = seen
    offset = r[at + G_OFFSET]
    room = S_KEPT if at < C_SEGMENTS else C_KEPT
    if offset >= room or seen == 0:
        return
    if r[TALK] == 0:
        counters[N_FREE_TALKS] -= 1
        r[TALK] = free_talks[counters[N_FREE_TALKS]] + 1
        talks[(r[TALK] - 1) * TALK_WIDTH] = 0  # it may have begun with an identification of another connection
    to = (r[TALK] - 1) * TALK_WIDTH
    if at < C_SEGMENTS:
        room = server_room(talks, to)
    else:
        to += S_KEPT
    if offset < room:
        count = min(seen, room - offset)
        copy(talks, to + offset, b, begin, count)
        if r[SESSION] == V_UNKNOWN and counters[N_SESSIONS] != 0:
            r[SESSION] = begins_session(talks, to, offset + count)


def server_room(talks: Sequence[int], at: int) -> int:
    """How many of the server's first bytes, kept from talks[at] on, count: with an SSH identification at once, those up
    to the header of the packet that follows; else S_KEPT. Not so after what may be netprobe's own, echoed."""
    if talks[at] != 83 or talks[at + 1] != 83 or talks[at + 2] != 72 or talks[at + 3] != 45 or talks[at + 8] == 110:
        return S_KEPT
    for i in range(at, at + S_IDENTIFIED - 7):
        if talks[i] == 10:
            return S_IDENTIFIED
    return S_KEPT


def begins_session(talks: Sequence[int], at: int, have: int) -> int:
    """Whether the `have` bytes from talks[at] on are an SSH identification and then a packet as it may follow one in
    clear (RFC 4253 4.2, 6 and 12): a V_ value."""
    if have < 4 or talks[at] != 83 or talks[at + 1] != 83 or talks[at + 2] != 72 or talks[at + 3] != 45:
        return V_UNKNOWN
    for i in range(at, at + min(have - 6, S_IDENTIFIED - 7)):
        if talks[i] == 10:
            length = u32(talks, i + 1)
            kind = talks[i + 6] * 1
            plausible = 5 <= length <= LONGEST_PACKET and (kind == MSG_KEXINIT or 1 <= kind <= 4)
            return V_WANTED if plausible else V_NOT
    return V_UNKNOWN


def hand_over(
    r: Row,
    row: int,
    d: Row,
    start: int,
    end: int,
    time: int,
    heard: MutableSequence[int],
    counters: MutableSequence[int],
) -> None:
    """A segment of a connection whose SSH session is read: what it carries, and whether it ends its side."""
    if r[SYNACK + FRAME] == 0 or (d[D_PAYLOAD] == 0 and not d[D_FLAGS] & (F_FIN | F_RST)):
        return
    client = r[CPORT] == d[D_SPORT] and r[SPORT] == d[D_DPORT] and same(r, CLIENT, d, D_SRC)
    first = r[FIRST + SEQ] if client else r[SYNACK + SEQ]
    at = counters[N_HEARD] * HEARD_WIDTH
    counters[N_HEARD] += 1
    heard[at + H_ROW] = row
    heard[at + H_BEGIN] = start + d[D_OFFSET]
    heard[at + H_SEEN] = max(0, min(d[D_PAYLOAD], end - start - d[D_OFFSET]))
    heard[at + H_LENGTH] = d[D_PAYLOAD]
    heard[at + H_OFFSET] = (d[D_SEQ] - first - 1) & 0xFFFFFFFF
    heard[at + H_CLIENT] = 1 if client else 0
    heard[at + H_FLAGS] = d[D_FLAGS]
    heard[at + H_TIME] = time


def patience(r: Row) -> int:
    """For how long after its last packet a row may still get another that belongs to it, in nanoseconds."""
    if r[KIND] != K_TCP:
        return CLOSED_NS
    if r[RST + FRAME] != 0 or r[C_RST + FRAME] != 0 or (r[S_FIN + FRAME] != 0 and r[C_FIN + FRAME] != 0):
        return CLOSED_NS
    if r[S_FIN + FRAME] != 0 or r[C_FIN + FRAME] != 0:
        return HALF_CLOSED_NS
    if r[SYNACK + FRAME] == 0 and r[MIDSTREAM] == 0:
        if r[FIRST + COUNT] == 1 and r[ICMP + I_FRAME] != 0:
            return UNREACHABLE_NS
        if r[FIRST + COUNT] < 3:
            return UNANSWERED_NS
        # The gap between two SYNs doubles: once there were three, the next one is due before twice the time so far.
        # (Time may run backwards; no row is over sooner than CLOSED_NS, see `over`.)
        return min(UNANSWERED_NS, SLACK_NS + 2 * max(r[FIRST + LAST] - r[FIRST + TIME], 0))
    return IDLE_NS


def over(r: Row, counters: Sequence[int]) -> bool:
    """Whether a row's time has passed: what comes now is another connection. Never so where rows are kept."""
    quiet = counters[N_CLOCK] - r[TOUCHED]
    # Most packets come soon after the last: the rest of the row is looked at only for the others.
    return quiet > CLOSED_NS and counters[N_REUSES] != 0 and quiet > patience(r)


def sweep(
    table: Rows,
    used: int,
    everything: bool,
    hosts: MutableSequence[int],
    counters: Sequence[int],
    settled: MutableSequence[int],
) -> int:
    """The numbers of the rows whose time has passed (or of all) into `settled`; returns how many. What is known of
    their servers by now is copied into them."""
    count = 0
    for i in range(used):
        r = table[i]
        if r[KIND] == 0 or r[AWAY] != 0:
            continue
        if everything or r[REPLACED] != 0 or counters[N_CLOCK] - r[TOUCHED] > patience(r):
            recall_host(r, hosts)
            r[AWAY] = 1
            settled[count] = i
            count += 1
    return count


def release(
    table: Rows,
    settled: Sequence[int],
    count: int,
    slots: MutableSequence[int],
    free_rows: MutableSequence[int],
    free_talks: MutableSequence[int],
    counters: MutableSequence[int],
) -> None:
    """Give the places of settled rows back."""
    for i in range(count):
        r = table[settled[i]]
        remove(table, slots, settled[i])
        r[KIND] = 0
        free_rows[counters[N_FREE_ROWS]] = settled[i]
        counters[N_FREE_ROWS] += 1
        counters[N_ROWS] -= 1
        if r[TALK] != 0:
            free_talks[counters[N_FREE_TALKS]] = r[TALK] - 1
            counters[N_FREE_TALKS] += 1


def remove(table: Rows, slots: MutableSequence[int], row: int) -> None:
    """Take a row out of the hash table, unless another has its place already; those behind it move up."""
    mask = len(slots) - 2
    r = table[row]
    hole = hash_pair(r, CLIENT, SERVER, r[CPORT], r[SPORT], r[KIND], slots[mask + 1]) & mask
    while slots[hole] != row + 1:
        if slots[hole] == 0:
            return
        hole = (hole + 1) & mask
    at = (hole + 1) & mask
    while slots[at] != 0:
        r = table[slots[at] - 1]
        home = hash_pair(r, CLIENT, SERVER, r[CPORT], r[SPORT], r[KIND], slots[mask + 1]) & mask
        if (at - home) & mask >= (at - hole) & mask:
            slots[hole] = slots[at]
            hole = at
        at = (at + 1) & mask
    slots[hole] = 0


def enter(table: Rows, used: int, slots: MutableSequence[int]) -> None:
    """Build the hash table anew from the rows in use."""
    mask = len(slots) - 2
    for i in range(mask + 1):
        slots[i] = 0
    for i in range(used):
        r = table[i]
        if r[KIND] == 0 or r[REPLACED] != 0:
            continue
        slot = hash_pair(r, CLIENT, SERVER, r[CPORT], r[SPORT], r[KIND], slots[mask + 1]) & mask
        while slots[slot] != 0:
            slot = (slot + 1) & mask
        slots[slot] = i + 1
