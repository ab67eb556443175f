"""When two rows get the same diagnosis: the key of a row's class.

Millions of attempts differ in addresses, ports, frame numbers and times, and in little else. Whatever evidence, rules
and texts can make of a row is decided by its key: every small number as it is, every time only by the comparisons that
are made with it.

House rules of this file:
1. Written in the subset of Python that Numba compiles, like loop.py.
2. Too fine a key costs time, too coarse a key gives a wrong verdict: what netprobe.evidence looks at of a row must be
   here. tests/test_settling.py holds each class's verdict against the diagnosis of every single row.
3. What is only told, never decided by, is not in the key: addresses, ports, frame numbers, times (netprobe.settling).
"""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence

from netprobe.tracker.columns import (
    BLOCK_WIDTH,
    BLOCKS,
    C_ACK,
    C_ACKED,
    C_BYTES,
    C_DATA,
    CHALLENGE,
    CLIENT,
    COUNT,
    CPORT,
    F_SYN,
    FIRST,
    FLAGS,
    FRAME,
    G_FRAME,
    G_LENGTH,
    G_OFFSET,
    G_SEEN,
    G_TIME,
    HISTORY_A,
    HISTORY_B,
    HISTORY_N,
    I_CODE,
    I_COUNT,
    I_FRAME,
    I_QUOTED_TTL,
    I_SENDER,
    I_TIME,
    I_TOS,
    I_TTL,
    I_TYPE,
    ICMP,
    IP_ID,
    K_TCP,
    KIND,
    LAST,
    MIDSTREAM,
    O_FRAGMENT,
    O_MD5,
    OPENING,
    OPTIONS,
    OUTGOING,
    REPLACED,
    REPLY,
    RST,
    S_BYTES,
    S_DATA,
    S_FIN,
    S_HOLES,
    S_SEGMENTS,
    S_SEGMENTS_N,
    SEGMENT_WIDTH,
    SERVER,
    SESSION_KIND,
    SPORT,
    SYN2,
    SYNACK,
    TALK,
    TALK_WIDTH,
    TIME,
    TOS,
    TOUCHED,
    TTL,
    VERSION,
    WINDOW,
    WINDOW_OPENED,
)
from netprobe.tracker.decode import Row
from netprobe.tracker.hosts import host_word
from netprobe.tracker.octets import borrowed
from netprobe.tracker.rows import Rows, patience, server_room
from netprobe.tracker.sides import looks, since

SECOND = 1_000_000_000
PRIME = 0x7FFFFFFF
RANGE = 9  # words of a range of addresses: version, mask, value
N_BLOCKS = 15
SSH_PORT = 22
OWN = b"SSH-2.0-netprobe"
# A TTL at or below this on an outgoing probe was set on purpose: no operating system starts with less than 60 but
# a few printers with 32, and no path is longer than 30 routers.
LIMITED_TTL = 30

# --- the words of a key
K_SHAPE = 0  # version, direction, expected service, equal addresses
K_HISTORY = 1  # two words, and the number of letters with what is only yes or no
K_FLAGS = 3
K_MOMENTS = 4  # every comparison of times
K_TENTHS = 5  # tenths of a second that a text tells
K_ICMP = 6
K_BLOCKS = 7  # two words each
K_RANKS = K_BLOCKS + 2 * N_BLOCKS  # in which order the remembered packets came
K_TALK = K_RANKS + 1  # two words: what was said
K_SIDES = K_TALK + 2  # three words: how the sides behaved, what else is known of the host, how long nothing came
K_SESSION = K_SIDES + 3  # what its SSH session came to
KEY = K_SESSION + 1


def settled_ns(r: Row, clock_ns: int) -> int:
    """Up to when a row was watched: until its time was over, or until the capture ended."""
    over = r[TOUCHED] + patience(r)
    return over if r[REPLACED] != 0 or over < clock_ns else clock_ns


def answered_ns(r: Row) -> int:
    """When the first answer of any kind came, 0 when none did."""
    first = 0
    for block in (SYNACK, RST, CHALLENGE, REPLY):
        if r[block + FRAME] != 0 and (first == 0 or r[block + TIME] < first):
            first = r[block + TIME]
    if r[ICMP + I_FRAME] != 0 and (first == 0 or r[ICMP + I_TIME] < first):
        first = r[ICMP + I_TIME]
    return first


def moments(r: Row, now: int) -> int:
    """The comparisons of times that netprobe.evidence makes for one attempt of a capture, a bit each."""
    bits = 0
    first = r[FIRST + TIME]
    last = r[FIRST + LAST]
    synack = r[SYNACK + TIME]
    if now - last >= SECOND:
        bits |= 1
    if now - first >= 4_200_000_000:
        bits |= 2
    if now - first >= 2 * SECOND:
        bits |= 4
    if r[SYNACK + FRAME] != 0:
        if synack - first < SECOND // 2:
            bits |= 8
        if now - synack >= SECOND:
            bits |= 16
        if r[C_ACK + FRAME] != 0 and r[SYNACK + LAST] > r[C_ACK + TIME]:
            bits |= 32
    if r[RST + FRAME] != 0:
        if r[RST + TIME] - first < SECOND // 2:
            bits |= 64
        if r[SYNACK + FRAME] != 0 and r[RST + TIME] < synack:
            bits |= 128
    if r[ICMP + I_FRAME] != 0 and r[ICMP + I_TIME] - first >= 2 * SECOND:
        bits |= 256
    heard = r[S_DATA + LAST] if r[S_DATA + FRAME] != 0 else first
    if r[C_ACK + FRAME] != 0 and r[SYNACK + FRAME] != 0:
        end = r[RST + TIME] if r[RST + FRAME] != 0 else r[S_FIN + TIME]
        if end - r[C_ACK + TIME] <= 2 * max(synack - first, 0) + 50_000_000:
            bits |= 512
        quiet = heard if r[S_DATA + FRAME] != 0 else r[C_ACK + TIME]
        if now < quiet + 12 * SECOND:
            bits |= 1024
        if now < quiet + 2 * SECOND:
            bits |= 2048
    if r[C_DATA + FRAME] != 0 and now - max(r[C_DATA + TIME], heard) >= 2_500_000_000:
        bits |= 4096
    if r[SYN2 + FRAME] != 0:
        if now - r[SYN2 + LAST] >= SECOND:
            bits |= 8192
        if now - r[SYN2 + LAST] >= 90_000_000:
            bits |= 16384
    if r[C_DATA + FRAME] != 0 and r[S_DATA + FRAME] != 0 and r[C_DATA + TIME] < r[S_DATA + TIME]:
        bits |= 32768
    return bits


def ranks(r: Row) -> int:
    """The order of the remembered packets' frames, four bits each; 0 for those that there are not."""
    found = 0
    for i in range(N_BLOCKS):
        frame = r[BLOCKS + i * BLOCK_WIDTH + FRAME]
        if frame == 0:
            continue
        rank = 1
        for j in range(N_BLOCKS):
            other = r[BLOCKS + j * BLOCK_WIDTH + FRAME]
            if other != 0 and other < frame:
                rank += 1
        found |= rank << (4 * i)
    icmp = r[ICMP + I_FRAME]
    if icmp != 0:
        rank = 0
        for j in range(N_BLOCKS):
            other = r[BLOCKS + j * BLOCK_WIDTH + FRAME]
            if other != 0 and other < icmp:
                rank += 1
        found ^= rank << 59
    return found & 0x7FFFFFFFFFFFFFFF


def joined(r: Row, talks: Sequence[int]) -> int:
    """How many bytes of the server's stream are there without a gap, as far as they are kept."""
    have = 0
    for _ in range(S_SEGMENTS_N):
        grew = False
        for i in range(S_SEGMENTS_N):
            at = S_SEGMENTS + i * SEGMENT_WIDTH
            if r[at + G_FRAME] == 0:
                break
            end = r[at + G_OFFSET] + min(r[at + G_SEEN], r[at + G_LENGTH])
            if r[at + G_OFFSET] <= have < end:
                have = end
                grew = True
        if not grew:
            break
    return min(have, server_room(talks, (r[TALK] - 1) * TALK_WIDTH))


def classify(
    table: Rows,
    settled: Sequence[int],
    count: int,
    clock_ns: int,
    talks: Sequence[int],
    ranges: Sequence[int],
    secret: Sequence[int],
    keys: MutableSequence[int],
) -> None:
    """The keys of `count` rows, KEY words each, one after the other; the first word of a row that is no attempt is -1.
    `ranges` are special address ranges as RANGE words each,
    `secret` two random numbers below PRIME."""
    table, talks, keys = borrowed(table), borrowed(talks), borrowed(keys)
    for n in range(count):
        r = table[settled[n]]
        if is_attempt(r):
            key_of(r, clock_ns, talks, ranges, secret, keys, n * KEY)
        else:
            keys[n * KEY] = -1


def is_attempt(r: Row) -> bool:
    """Whether a row is a connection attempt: a SYN that was meant to arrive, or what followed one."""
    if r[KIND] != K_TCP or r[FIRST + FLAGS] & OPENING != F_SYN or r[FIRST + OPTIONS] & (O_MD5 | O_FRAGMENT) != 0:
        return False
    if r[FIRST + FRAME] == 0:
        return r[SYNACK + FRAME] != 0  # the SYN itself was not captured
    return r[FIRST + TTL] > LIMITED_TTL or r[OUTGOING] == 0


def range_of(r: Row, ranges: Sequence[int]) -> int:
    """The number of the first special range that the server's address is in, counted from 1; 0 for none."""
    for n in range(len(ranges) // RANGE):
        at = n * RANGE
        if (
            ranges[at] == r[VERSION]
            and r[SERVER] & ranges[at + 1] == ranges[at + 5]
            and r[SERVER + 1] & ranges[at + 2] == ranges[at + 6]
            and r[SERVER + 2] & ranges[at + 3] == ranges[at + 7]
            and r[SERVER + 3] & ranges[at + 4] == ranges[at + 8]
        ):
            return n + 1
    return 0


def key_of(
    r: Row,
    clock_ns: int,
    talks: Sequence[int],
    ranges: Sequence[int],
    secret: Sequence[int],
    keys: MutableSequence[int],
    k: int,
) -> None:
    """The key of one row into keys[k:k+KEY]."""
    now = settled_ns(r, clock_ns)
    for i in range(KEY):
        keys[k + i] = 0
    shape = r[VERSION] | (r[OUTGOING] + 1) << 4 | r[MIDSTREAM] << 6 | range_of(r, ranges) << 24
    if r[SPORT] == SSH_PORT:
        shape |= 128
    if equal(r, CLIENT, SERVER):
        shape |= 256
    if r[ICMP + I_FRAME] != 0:
        if equal(r, ICMP + I_SENDER, SERVER):
            shape |= 512
        if equal(r, ICMP + I_SENDER, CLIENT):
            shape |= 1024
        keys[k + K_ICMP] = (
            r[ICMP + I_TYPE]
            | r[ICMP + I_CODE] << 8
            | r[ICMP + I_TTL] << 16
            | r[ICMP + I_TOS] << 24
            | r[ICMP + I_QUOTED_TTL] << 32
            | min(r[ICMP + I_COUNT], 255) << 40
        )
    if r[CPORT] == 0:
        shape |= 2048
    keys[k + K_SHAPE] = shape
    keys[k + K_HISTORY] = r[HISTORY_A]
    keys[k + K_HISTORY + 1] = r[HISTORY_B]
    flags = r[HISTORY_N]
    if r[C_BYTES] > 0:
        flags |= 256
    if r[S_BYTES] > 0:
        flags |= 512
    flags |= min(max(r[C_ACKED], 0), 2) << 10
    if r[S_HOLES] > 0:
        flags |= 4096
    if r[WINDOW_OPENED] != 0:
        flags |= 8192
    keys[k + K_FLAGS] = flags
    keys[k + K_MOMENTS] = moments(r, now)
    keys[k + K_TENTHS] = tenths(r)
    keys[k + K_SIDES] = looks(r)
    keys[k + K_SIDES + 1] = host_word(r)
    keys[k + K_SIDES + 2] = since(r, now)
    keys[k + K_SESSION] = r[SESSION_KIND]
    for i in range(N_BLOCKS):
        block_words(r, BLOCKS + i * BLOCK_WIDTH, keys, k + K_BLOCKS + 2 * i)
    keys[k + K_RANKS] = ranks(r)
    if r[TALK] != 0:
        talk_words(r, talks, secret, keys, k + K_TALK)


def tenths(r: Row) -> int:
    """Durations that a text tells to the second: how late the server spoke."""
    if r[S_DATA + FRAME] != 0 and r[SYNACK + FRAME] != 0:
        late = (r[S_DATA + TIME] - r[SYNACK + TIME] + SECOND // 2) // SECOND
        return late if late >= 2 else 0
    return 0


def block_words(r: Row, block: int, keys: MutableSequence[int], k: int) -> None:
    """One remembered packet in two words: its header fields, and how often it came."""
    if r[block + FRAME] == 0:
        return
    told = block != C_ACK and block != S_DATA and block != C_DATA
    window = 1 if r[block + WINDOW] > 0 else 0
    if block == FIRST or block == SYNACK or block == RST:
        window = r[block + WINDOW]
    keys[k] = r[block + TTL] | r[block + TOS] << 8 | r[block + FLAGS] << 16 | window << 32 | 1 << 62
    if r[block + IP_ID] == 0:
        keys[k] |= 1 << 60
    keys[k + 1] = r[block + OPTIONS] | min(r[block + COUNT], 65535 if told else 2) << 40


def equal(r: Row, a: int, b: int) -> bool:
    """Whether two addresses of a row are the same."""
    return r[a] == r[b] and r[a + 1] == r[b + 1] and r[a + 2] == r[b + 2] and r[a + 3] == r[b + 3]


def talk_words(r: Row, talks: Sequence[int], secret: Sequence[int], keys: MutableSequence[int], k: int) -> None:
    """What the server said, as two polynomial hashes at a secret point: up to the end of the SSH identification, and
    whether a KEXINIT follows; where there is no identification, all that is kept."""
    at = (r[TALK] - 1) * TALK_WIDTH
    have = joined(r, talks)
    line = 0
    end = have
    follows = 0
    for i in range(have):
        if talks[at + i] == 10:
            length = i - line - (1 if i > line and talks[at + i - 1] == 13 else 0)
            if identification(talks, at + line, length):
                end = i + 1
                follows = 2 if have >= i + 7 and talks[at + i + 6] == 20 else 1
                break
            line = i + 1
    x = 1
    y = 1
    for i in range(end):
        c = talks[at + i] + 1
        x = (x * secret[0] + c) % PRIME
        y = (y * secret[1] + c) % PRIME
    keys[k] = x << 31 | y
    keys[k + 1] = follows << 4 | times_of_lines(r) | end << 8


def identification(talks: Sequence[int], at: int, length: int) -> bool:
    """Whether a line of this length is an SSH identification (RFC 4253 4.2), and not the one that netprobe sends."""
    if length < 4 or length > 255:
        return False
    if talks[at] != 83 or talks[at + 1] != 83 or talks[at + 2] != 72 or talks[at + 3] != 45:
        return False
    return length != len(OWN) or not same_octets(talks, at, OWN)


def same_octets(talks: Sequence[int], at: int, wanted: Sequence[int]) -> bool:
    """Whether talks holds these bytes there."""
    equal = 0
    for i in range(len(wanted)):
        equal += 1 if talks[at + i] == wanted[i] else 0
    return equal == len(wanted)


def times_of_lines(r: Row) -> int:
    """Whether segments came spread out, as a tarpit's lines do."""
    earliest = 0
    latest = 0
    distinct = 0
    for i in range(S_SEGMENTS_N):
        at = S_SEGMENTS + i * SEGMENT_WIDTH
        if r[at + G_FRAME] == 0:
            break
        if r[at + G_TIME] != latest:
            distinct += 1
        earliest = r[at + G_TIME] if earliest == 0 else min(earliest, r[at + G_TIME])
        latest = max(latest, r[at + G_TIME])
    return 1 if distinct >= 3 and latest - earliest >= 1_500_000_000 else 0
