"""The one loop over frames: what each packet means for the connection attempt it belongs to.

House rules of this file:
1. Written in the subset of Python that Numba compiles, like decode.py and rows.py.
2. "Is this an answer to something that was sent?" is decided here and nowhere else: by four-tuple and by the sequence
   number that came back. What doesn't fit is counted as unsolicited and never becomes evidence.
3. No meaning is given to anything here; that is the rules' business.
"""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence

from netprobe.tracker.columns import (
    ACK,
    BLOCK_WIDTH,
    C_ACK,
    C_ACKED,
    C_BYTES,
    C_DATA,
    C_FIN,
    C_NEXT,
    C_REPEATS,
    C_RST,
    C_SEGMENTS,
    C_SEGMENTS_N,
    C_SEGMENTS_USED,
    C_SIDE,
    CHALLENGE,
    CLIENT,
    COUNT,
    CPORT,
    D_ACK,
    D_CODE,
    D_DPORT,
    D_DST,
    D_FLAGS,
    D_OPTIONS,
    D_PAYLOAD,
    D_PROTOCOL,
    D_Q_DPORT,
    D_Q_DST,
    D_Q_PROTOCOL,
    D_Q_SEQ,
    D_Q_SPORT,
    D_Q_SRC,
    D_Q_TOS,
    D_Q_TTL,
    D_SEGMENT,
    D_SEQ,
    D_SPORT,
    D_SRC,
    D_TOS,
    D_TTL,
    D_TYPE,
    D_VERSION,
    D_WINDOW,
    DECODABLE,
    ECHOED,
    F_ACK,
    F_FIN,
    F_RST,
    F_SYN,
    FIRST,
    FLAGS,
    FRAME,
    HEARD,
    I_CODE,
    I_COUNT,
    I_FRAME,
    I_LAST,
    I_QUOTED_TOS,
    I_QUOTED_TTL,
    I_SENDER,
    I_TIME,
    I_TOS,
    I_TTL,
    I_TYPE,
    ICMP,
    K_ECHO,
    K_NEIGHBOR,
    K_TCP,
    LAST,
    MIDSTREAM,
    N_CLOCK,
    N_DEPTH,
    N_FRAMES,
    N_FREE_ROWS,
    N_FREE_TALKS,
    N_HEARD,
    N_PROTOCOLS,
    N_RESERVE,
    N_REUSES,
    N_UNSOLICITED,
    ODD,
    OPTIONS,
    P_ECHO,
    P_ECHO_REPLY,
    P_ICMP_ERROR,
    P_NEIGHBOR_ASK,
    P_TCP,
    REPLY,
    RST,
    S_BYTES,
    S_DATA,
    S_FIN,
    S_HOLES,
    S_NEXT,
    S_REPEATS,
    S_SEGMENTS,
    S_SEGMENTS_N,
    S_SEGMENTS_USED,
    S_SIDE,
    SEQ,
    SERVER,
    SESSION,
    SPORT,
    SYN2,
    SYNACK,
    SYNACK2,
    TIME,
    TOO_BIG,
    TOS,
    TOUCHED,
    TTL,
    V_WANTED,
    WINDOW,
    WINDOW_OPENED,
)
from netprobe.tracker.decode import Buffer, Row, decode
from netprobe.tracker.hosts import N_OPEN, N_PING, N_RESET, note_host
from netprobe.tracker.octets import borrowed
from netprobe.tracker.rows import Rows, distance, find, hand_over, keep, open_row, over, remember, same, segment
from netprobe.tracker.sides import flipped, follow, keep_rhythm
from netprobe.tracker.undecoded import count_what

IP_TCP = 6
# A reset or segment within this distance of the expected sequence number belongs to the connection (RFC 5961 3.2 uses
# the window; without window scale in every capture, the largest unscaled window stands for it).
PLAUSIBLE_WINDOW = 65535
# A second SYN with another sequence number is the same attempt's half-open test when the first is unanswered and
# younger
# than Linux keeps a half-open entry (tcp_synack_retries 5: 63 s); later it is a new attempt on a reused four-tuple.
HALF_OPEN_NS = 60_000_000_000
# Windows' tries of a refused connection (TcpMaxConnectRetransmissions 2), and how long it waits between, give or take.
TRIES = 3
SHORTEST_RETRY_NS = 300_000_000
LONGEST_RETRY_NS = 1_000_000_000


def from_client(r: Row, d: Row, number: int, time: int) -> None:
    """A further packet of the client on its own attempt."""
    flags = d[D_FLAGS]
    if flags & F_SYN and flags & F_ACK and not r[FIRST + FLAGS] & F_ACK:
        return  # a simultaneous open: the client answers a SYN of the server (RFC 9293 3.5)
    if flags & F_SYN:
        if d[D_SEQ] == r[FIRST + SEQ]:
            remember(r, FIRST, d, number, time)
        else:
            remember(r, SYN2, d, number, time)
        return
    if flags & F_RST:
        remember(r, C_RST, d, number, time)
        return
    if flags & F_ACK and r[SYNACK + FRAME] != 0 and d[D_PAYLOAD] == 0 and not flags & F_FIN:
        remember(r, C_ACK, d, number, time)
    if d[D_PAYLOAD] > 0:
        ahead = distance(d[D_SEQ], r[C_NEXT])
        if ahead < 0:
            r[C_REPEATS] += 1
        else:
            offset = (d[D_SEQ] - r[FIRST + SEQ] - 1) & 0xFFFFFFFF
            segment(r, C_SEGMENTS, C_SEGMENTS_USED, C_SEGMENTS_N, d, number, time, offset)
            r[C_NEXT] = (d[D_SEQ] + d[D_PAYLOAD]) & 0xFFFFFFFF
            r[C_BYTES] += d[D_PAYLOAD]
        remember(r, C_DATA, d, number, time)
    if flags & F_FIN:
        remember(r, C_FIN, d, number, time)


def odd(r: Row, d: Row, number: int, time: int, counters: MutableSequence[int]) -> None:
    """An answer that fits nothing sent: kept for the count, not for the verdict's sake."""
    remember(r, ODD, d, number, time)
    counters[N_UNSOLICITED] += 1


def answer_to_probe(r: Row, d: Row, number: int, time: int, counters: MutableSequence[int]) -> None:
    """An answer to an attempt that began with something else than a SYN: only resets are owed (RFC 9293 3.10.7.1)."""
    flags = d[D_FLAGS]
    sent = r[FIRST + FLAGS]
    if not flags & F_RST:
        odd(r, d, number, time, counters)
        return
    if sent & F_ACK:
        fits = d[D_SEQ] == r[FIRST + ACK]
    else:
        fits = bool(flags & F_ACK) and d[D_ACK] == (r[FIRST + SEQ] + (1 if sent & F_FIN else 0)) & 0xFFFFFFFF
    if fits:
        remember(r, RST, d, number, time)
    else:
        odd(r, d, number, time, counters)


def from_server(r: Row, d: Row, number: int, time: int, counters: MutableSequence[int]) -> None:
    """A packet of the server: does it answer what the client sent, and where does it take the attempt."""
    if not r[FIRST + FLAGS] & F_SYN or r[FIRST + FLAGS] & F_ACK:
        if r[MIDSTREAM]:
            stream_from_server(r, d, number, time, counters)
        else:
            answer_to_probe(r, d, number, time, counters)
        return
    flags = d[D_FLAGS]
    if not flags & F_SYN and r[SYNACK + FRAME] != 0:
        stream_from_server(r, d, number, time, counters)
        return
    expected = (r[FIRST + SEQ] + 1) & 0xFFFFFFFF
    second = (r[SYN2 + SEQ] + 1) & 0xFFFFFFFF
    if flags & F_SYN:
        if flags & F_ACK and (d[D_ACK] == expected or (r[SYN2 + FRAME] != 0 and d[D_ACK] == second)):
            syn_ack(r, d, number, time)
        else:
            odd(r, d, number, time, counters)
        return
    if flags & F_RST:
        # RFC 9293 3.10.7.3: in SYN-SENT a reset counts only when it acknowledges the SYN. Data in a SYN (fast open)
        # may be acknowledged with it.
        beyond = distance(d[D_ACK], expected)
        if flags & F_ACK and ((0 <= beyond <= r[C_BYTES]) or (r[SYN2 + FRAME] != 0 and d[D_ACK] == second)):
            remember(r, RST, d, number, time)
        else:
            odd(r, d, number, time, counters)
    elif flags & F_ACK and d[D_PAYLOAD] == 0 and not flags & F_FIN:
        if r[SYN2 + FRAME] != 0 and d[D_ACK] == expected:
            remember(r, ECHOED, d, number, time)
        elif d[D_ACK] == expected:
            odd(r, d, number, time, counters)
        else:
            remember(r, CHALLENGE, d, number, time)
    else:
        odd(r, d, number, time, counters)


def syn_ack(r: Row, d: Row, number: int, time: int) -> None:
    """A SYN-ACK that acknowledges the SYN; one with another initial sequence number comes from a second box."""
    if r[SYNACK + FRAME] == 0:
        remember(r, SYNACK, d, number, time)
        r[S_NEXT] = (d[D_SEQ] + 1) & 0xFFFFFFFF
    elif d[D_SEQ] == r[SYNACK + SEQ]:
        remember(r, SYNACK, d, number, time)
    else:
        remember(r, SYNACK2, d, number, time)


def stream_from_server(r: Row, d: Row, number: int, time: int, counters: MutableSequence[int]) -> None:
    """Segments after the SYN-ACK."""
    flags = d[D_FLAGS]
    if r[MIDSTREAM] and r[S_NEXT] == 0:
        r[S_NEXT] = d[D_SEQ]
    ahead = distance(d[D_SEQ], r[S_NEXT])
    if flags & F_RST:
        if -1 <= ahead <= PLAUSIBLE_WINDOW or (r[FIRST + FRAME] != 0 and d[D_SEQ] == r[C_RST + ACK]):
            remember(r, RST, d, number, time)
        else:
            odd(r, d, number, time, counters)
        return
    if ahead < -PLAUSIBLE_WINDOW or ahead > 0x3FFFFFFF:
        odd(r, d, number, time, counters)
        return
    if flags & F_ACK:
        acked = distance(d[D_ACK], r[FIRST + SEQ])
        if acked > r[C_ACKED]:
            r[C_ACKED] = acked
        if d[D_WINDOW] > 0 and r[SYNACK + WINDOW] == 0:
            r[WINDOW_OPENED] = 1
    if d[D_PAYLOAD] > 0:
        if ahead > 0:
            r[S_HOLES] += 1
        end = (d[D_SEQ] + d[D_PAYLOAD]) & 0xFFFFFFFF
        if distance(end, r[S_NEXT]) <= 0:
            r[S_REPEATS] += 1
        else:
            offset = (d[D_SEQ] - r[SYNACK + SEQ] - 1) & 0xFFFFFFFF if r[SYNACK + FRAME] != 0 else 0
            segment(r, S_SEGMENTS, S_SEGMENTS_USED, S_SEGMENTS_N, d, number, time, offset)
            r[S_BYTES] += d[D_PAYLOAD]
            r[S_NEXT] = end
        remember(r, S_DATA, d, number, time)
    if flags & F_FIN:
        remember(r, S_FIN, d, number, time)


def receive_tcp(
    d: Row,
    number: int,
    time: int,
    outgoing: int,
    table: Rows,
    slots: MutableSequence[int],
    mask: int,
    free_rows: Sequence[int],
    counters: MutableSequence[int],
    hosts: MutableSequence[int],
) -> int:
    """A TCP segment: a further packet of a known attempt, or the first of a new one. Returns its row, or -1."""
    slot = find(d, D_SRC, D_DST, d[D_SPORT], d[D_DPORT], K_TCP, table, slots, mask)
    flags = d[D_FLAGS]
    syn = (flags & (F_SYN | F_ACK | F_RST)) == F_SYN
    if slots[slot] != 0 and not over(table[slots[slot] - 1], counters):
        known = slots[slot] - 1
        r = table[known]
        client = r[CPORT] == d[D_SPORT] and r[SPORT] == d[D_DPORT] and same(r, CLIENT, d, D_SRC)
        if syn and (client or r[RST + FRAME] != 0 or r[S_FIN + FRAME] != 0):
            fresh = d[D_SEQ] != r[FIRST + SEQ] and (
                r[RST + FRAME] != 0
                or r[C_RST + FRAME] != 0
                or r[S_FIN + FRAME] != 0
                or r[C_FIN + FRAME] != 0
                or r[MIDSTREAM] != 0
                or time - r[FIRST + TIME] > HALF_OPEN_NS
            )
            if fresh and client and tries_again(r, d, time):
                r[FIRST + SEQ] = d[D_SEQ]  # the number that answers must fit from now on
                r[C_NEXT] = (d[D_SEQ] + 1) & 0xFFFFFFFF
                fresh = False
            if fresh or not client:
                row = open_row(d, D_SRC, D_DST, K_TCP, number, time, outgoing, table, slots, slot, free_rows, counters)
                start_syn(table[row], d, time)
                return row
        if client:
            if syn and d[D_SEQ] == r[FIRST + SEQ]:
                keep_rhythm(r, time)
            from_client(r, d, number, time)
            follow(r, d, C_SIDE, S_SIDE, time)
        else:
            unsolicited = counters[N_UNSOLICITED]
            from_server(r, d, number, time, counters)
            if counters[N_UNSOLICITED] == unsolicited:
                follow(r, d, S_SIDE, C_SIDE, time)
                note_answer(r, d, hosts)
        return known
    if syn or outgoing == 1:  # an attempt, or a probe of ours that is no SYN
        row = open_row(d, D_SRC, D_DST, K_TCP, number, time, outgoing, table, slots, slot, free_rows, counters)
        if syn:
            start_syn(table[row], d, time)
        else:
            follow(table[row], d, C_SIDE, S_SIDE, time)
        return row
    if outgoing == 0:
        counters[N_UNSOLICITED] += 1
        return -1
    return midstream(d, number, time, outgoing, table, slots, slot, free_rows, counters, hosts)


def tries_again(r: Row, d: Row, time: int) -> bool:
    """Whether a SYN with another sequence number is the next try of a connect() that was refused: Windows takes a reset
    for a listener that may come back, and sends its SYN twice more, half a second after each reset, from the same port
    and of the same form (Microsoft KB 175523)."""
    waited = time - r[RST + LAST]
    if r[RST + FRAME] == 0 or r[SYNACK + FRAME] != 0 or r[C_RST + FRAME] != 0 or r[FIRST + COUNT] != r[RST + COUNT]:
        return False
    if r[FIRST + COUNT] >= TRIES or waited < SHORTEST_RETRY_NS or waited > LONGEST_RETRY_NS:
        return False
    alike = r[FIRST + OPTIONS] == d[D_OPTIONS] and r[FIRST + WINDOW] == d[D_WINDOW] and r[FIRST + TTL] == d[D_TTL]
    return bool(alike and r[FIRST + TOS] == d[D_TOS])


def start_syn(r: Row, d: Row, time: int) -> None:
    """The first SYN of an attempt."""
    r[C_NEXT] = (d[D_SEQ] + 1 + d[D_PAYLOAD]) & 0xFFFFFFFF
    r[C_BYTES] = d[D_PAYLOAD]
    follow(r, d, C_SIDE, S_SIDE, time)


def note_answer(r: Row, d: Row, hosts: MutableSequence[int]) -> None:
    """What a first answer to a SYN shows of the server's address, for other attempts. Whatever is noted stands in the
    row, too (parts.answers takes it from there)."""
    if d[D_FLAGS] & F_SYN:
        if r[SYNACK + COUNT] == 1 and r[SYNACK + SEQ] == d[D_SEQ]:
            note_host(hosts, d, N_OPEN, 0)
    elif d[D_FLAGS] & F_RST and r[SYNACK + FRAME] == 0 and r[RST + COUNT] == 1 and r[FIRST + FLAGS] & F_SYN:
        note_host(hosts, d, N_RESET, r[FIRST + TOS])


def midstream(
    d: Row,
    number: int,
    time: int,
    outgoing: int,
    table: Rows,
    slots: MutableSequence[int],
    slot: int,
    free_rows: Sequence[int],
    counters: MutableSequence[int],
    hosts: MutableSequence[int],
) -> int:
    """A capture that starts in the middle of a connection: who is the client is told by a SYN-ACK, else by the lower
    port."""
    flags = d[D_FLAGS]
    by_server = bool(flags & F_SYN) if flags & (F_SYN | F_ACK) == F_SYN | F_ACK else d[D_SPORT] < d[D_DPORT]
    a = D_DST if by_server else D_SRC
    b = D_SRC if by_server else D_DST
    row = open_row(d, a, b, K_TCP, number, time, outgoing, table, slots, slot, free_rows, counters)
    r = table[row]
    r[MIDSTREAM] = 1
    if by_server:
        flipped(r)
        for i in range(BLOCK_WIDTH):
            r[FIRST + i] = 0
        if flags & F_SYN:
            r[FIRST + SEQ] = (d[D_ACK] - 1) & 0xFFFFFFFF
            r[FIRST + FLAGS] = F_SYN
            r[C_NEXT] = d[D_ACK]
            syn_ack(r, d, number, time)
        else:
            stream_from_server(r, d, number, time, counters)
        if r[ODD + COUNT] == 0:
            follow(r, d, S_SIDE, C_SIDE, time)
            note_answer(r, d, hosts)
    else:
        r[C_NEXT] = d[D_SEQ]
        from_client(r, d, number, time)
        follow(r, d, C_SIDE, S_SIDE, time)
    return row


def quoted(d: Row, table: Rows, slots: MutableSequence[int], mask: int, counters: Sequence[int]) -> int:
    """The row of the attempt that an ICMP error quotes, or -1. A NAT may have rewritten the error's own addresses and
    left those in the quote (RFC 5508 4.2 forbids it): then the receiver of the error stands for the client, its sender
    for the server, each or both, and there must be one attempt only that fits."""
    kind = K_TCP if d[D_Q_PROTOCOL] == IP_TCP else K_ECHO
    row = quoted_between(d, D_Q_SRC, D_Q_DST, kind, table, slots, mask, counters)
    if row >= 0 or kind != K_TCP:
        return row
    for rewritten in range(3):
        a = D_Q_SRC if rewritten == 1 else D_DST
        b = D_Q_DST if rewritten == 0 else D_SRC
        other = quoted_between(d, a, b, kind, table, slots, mask, counters)
        if other >= 0 and row >= 0 and other != row:
            return -1
        row = max(row, other)
    return row


def quoted_between(
    d: Row, a: int, b: int, kind: int, table: Rows, slots: MutableSequence[int], mask: int, counters: Sequence[int]
) -> int:
    """The row with the quoted ports whose client is address `a` and whose server `b`, if the quoted sequence number is
    one that was sent; else -1."""
    slot = find(d, a, b, d[D_Q_SPORT], d[D_Q_DPORT], kind, table, slots, mask)
    if slots[slot] == 0:
        return -1
    row = slots[slot] - 1
    r = table[row]
    if over(r, counters) or r[CPORT] != d[D_Q_SPORT] or not same(r, CLIENT, d, a):
        return -1
    if kind == K_TCP and d[D_Q_SEQ] != r[FIRST + SEQ] and d[D_Q_SEQ] != r[SYN2 + SEQ]:
        behind = distance(r[C_NEXT], d[D_Q_SEQ])
        if r[SYNACK + FRAME] == 0 or behind < 0 or behind > PLAUSIBLE_WINDOW:
            return -1
    return int(row)


def quoted_of_server(
    d: Row, table: Rows, slots: MutableSequence[int], mask: int, counters: Sequence[int]
) -> int:
    """The row whose server sent the quoted segment, if its sequence number is one that was sent; else -1."""
    slot = find(d, D_Q_SRC, D_Q_DST, d[D_Q_SPORT], d[D_Q_DPORT], K_TCP, table, slots, mask)
    if d[D_Q_PROTOCOL] != IP_TCP or slots[slot] == 0:
        return -1
    row = slots[slot] - 1
    r = table[row]
    behind = distance(r[S_NEXT], d[D_Q_SEQ])
    if over(r, counters) or r[SPORT] != d[D_Q_SPORT] or not same(r, SERVER, d, D_Q_SRC):
        return -1
    return int(row) if 0 <= behind <= 0x3FFFFFFF else -1


def receive_error(
    d: Row,
    number: int,
    time: int,
    table: Rows,
    slots: MutableSequence[int],
    mask: int,
    counters: MutableSequence[int],
) -> int:
    """An ICMP error: it counts for the attempt it quotes when ports and sequence number are ones that were sent."""
    row = quoted(d, table, slots, mask, counters)
    too_big = d[D_TYPE] == 2 if d[D_VERSION] == 6 else d[D_TYPE] == 3 and d[D_CODE] == 4
    if row < 0 and too_big:
        row = quoted_of_server(d, table, slots, mask, counters)
        if row >= 0:
            table[row][TOO_BIG] = 1
            return row
    if row < 0:
        counters[N_UNSOLICITED] += 1
        return -1
    r = table[row]
    if too_big:
        r[TOO_BIG] = 1
    if r[ICMP + I_FRAME] != 0:
        r[ICMP + I_COUNT] += 1
        r[ICMP + I_LAST] = time
        return row
    r[ICMP + I_FRAME] = number
    r[ICMP + I_TIME] = time
    r[ICMP + I_TTL] = d[D_TTL]
    r[ICMP + I_TOS] = d[D_TOS]
    r[ICMP + I_TYPE] = d[D_TYPE]
    r[ICMP + I_CODE] = d[D_CODE]
    for i in range(4):
        r[ICMP + I_SENDER + i] = d[D_SRC + i]
    r[ICMP + I_QUOTED_TTL] = d[D_Q_TTL]
    r[ICMP + I_QUOTED_TOS] = d[D_Q_TOS]
    r[ICMP + I_COUNT] = 1
    r[ICMP + I_LAST] = time
    return row


def receive_pair(
    d: Row,
    kind: int,
    asks: bool,
    number: int,
    time: int,
    outgoing: int,
    table: Rows,
    slots: MutableSequence[int],
    mask: int,
    free_rows: Sequence[int],
    counters: MutableSequence[int],
    hosts: MutableSequence[int],
) -> int:
    """Echo and neighbour discovery: a question opens a row, the reply from the one asked completes it."""
    aport = d[D_SPORT]
    bport = d[D_DPORT]
    if asks:
        slot = find(d, D_SRC, D_DST, aport, bport, kind, table, slots, mask)
        if slots[slot] == 0 or over(table[slots[slot] - 1], counters):
            return open_row(d, D_SRC, D_DST, kind, number, time, outgoing, table, slots, slot, free_rows, counters)
        remember(table[slots[slot] - 1], FIRST, d, number, time)
        return slots[slot] - 1
    slot = find(d, D_DST, D_SRC, aport, bport, kind, table, slots, mask)
    if slots[slot] == 0 or over(table[slots[slot] - 1], counters):
        if kind == K_ECHO:
            counters[N_UNSOLICITED] += 1
        return -1
    r = table[slots[slot] - 1]
    if same(r, SERVER, d, D_SRC):
        remember(r, REPLY, d, number, time)
        if kind == K_ECHO and r[REPLY + COUNT] == 1:
            note_host(hosts, d, N_PING, 0)
    return slots[slot] - 1


def advance(
    buffer: Buffer,
    first: int,
    last: int,
    starts: Sequence[int],
    ends: Sequence[int],
    links: Sequence[int],
    times: Sequence[int],
    numbers: Sequence[int],
    outgoings: Sequence[int],
    table: Rows,
    slots: MutableSequence[int],
    free_rows: Sequence[int],
    talks: MutableSequence[int],
    free_talks: Sequence[int],
    counters: MutableSequence[int],
    hosts: MutableSequence[int],
    heard: MutableSequence[int],
    touched: MutableSequence[int],
    d: Row,
) -> int:
    """Take in frames first..last-1; `touched[i]` becomes the row that frame i belongs to, or -1. Stops before a frame
    for which no row, no place for payload or no place in `heard` might be free, and returns its index, else `last`. The
    caller keeps `slots` at most half full."""
    buffer, talks = borrowed(buffer), borrowed(talks)
    table, slots, hosts = borrowed(table), borrowed(slots), borrowed(hosts)
    free_rows, free_talks = borrowed(free_rows), borrowed(free_talks)
    counters, heard, d = borrowed(counters), borrowed(heard), borrowed(d)
    mask = len(slots) - 2  # behind the last place stands the hash's key
    for i in range(first, last):
        if counters[N_FREE_ROWS] <= counters[N_RESERVE] or counters[N_FREE_TALKS] == 0 or counters[N_HEARD] == HEARD:
            return i
        counters[N_FRAMES] += 1
        decode(buffer, starts[i], ends[i], links[i], d, counters[N_DEPTH])
        protocol = d[D_PROTOCOL]
        number = numbers[i]
        time = times[i]
        if time > counters[N_CLOCK]:
            counters[N_CLOCK] = time
        row = -1
        counters[N_PROTOCOLS + protocol] += 1
        if protocol == P_TCP:
            d[D_SEGMENT] = 0
            unsolicited = counters[N_UNSOLICITED]
            row = receive_tcp(d, number, time, outgoings[i], table, slots, mask, free_rows, counters, hosts)
            if d[D_SEGMENT] != 0 and counters[N_REUSES] != 0:
                keep(table[row], d, buffer, starts[i], ends[i], talks, free_talks, counters)
            if row >= 0 and table[row][SESSION] == V_WANTED and counters[N_UNSOLICITED] == unsolicited:
                hand_over(table[row], row, d, starts[i], ends[i], time, heard, counters)
        elif protocol >= DECODABLE:
            count_what(counters, d)
        elif protocol == P_ICMP_ERROR:
            row = receive_error(d, number, time, table, slots, mask, counters)
        elif protocol == P_ECHO or protocol == P_ECHO_REPLY:
            asks = protocol == P_ECHO
            row = receive_pair(
                d, K_ECHO, asks, number, time, outgoings[i], table, slots, mask, free_rows, counters, hosts
            )
        else:
            asks = protocol == P_NEIGHBOR_ASK
            row = receive_pair(
                d, K_NEIGHBOR, asks, number, time, outgoings[i], table, slots, mask, free_rows, counters, hosts
            )
        if row >= 0:
            table[row][TOUCHED] = counters[N_CLOCK]
        touched[i] = row
    return last
