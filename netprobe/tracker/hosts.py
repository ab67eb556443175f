"""What each server address showed in a capture, beside the attempt at hand: one row of integers per address.

A capture of millions of attempts can't be searched for each of them. So what another answer of the same address
proves (its TTL, whether its resets copy the DSCP, whether other ports answer) is kept as packets come, in a table of
fixed size.

House rules of this file:
1. Written in the subset of Python that Numba compiles, like loop.py.
2. An address has WAYS places where it can be; when others have taken all of them, it takes one over. What was known
   there is forgotten then, never mixed.
3. Only answers count: SYN-ACKs, resets of SYNs, echo replies. Nothing that a stranger can make up without being asked.
"""

from __future__ import annotations

from collections.abc import MutableSequence

from netprobe.tracker.columns import (
    A_ALL_OPEN,
    A_CONTROL,
    A_FULL,
    A_HERE,
    A_KNOWN,
    A_OPEN,
    A_OPEN2,
    A_PING,
    A_RESET,
    A_RESET_TOS,
    D_SPORT,
    D_SRC,
    D_TOS,
    D_TTL,
    D_VERSION,
    HOST,
    HOST_WIDTH,
    SERVER,
    SPORT,
    T_ECHO,
    T_OTHER,
    T_UNKNOWN,
    T_ZERO,
    VERSION,
)
from netprobe.tracker.decode import Row

HOSTS = 1 << 16  # places in the table of a capture; any power of two will do

H_VERSION = 0  # 0: free
H_ADDRESS = 1  # 4 words
H_PING = 5
H_OPEN_TTL = 6  # two distinct TTLs of SYN-ACKs
H_OPEN_PORT = 8  # two distinct ports that answered so
H_RESET = 10  # two ports that answered with a reset: port, TTL, T_ value each
H_RESET_WIDTH = 3
H_PORTS = 16  # distinct ports that answered, as far as there is room; then how many
H_PORTS_N = 20
H_FULL = 21
H_WIDTH = 22
WAYS = 4  # places that one address can have
ROOM = 4  # ports that are told apart

N_OPEN = 1
N_RESET = 2
N_PING = 3


def place_of(words: Row, at: int, version: int, hosts: MutableSequence[int]) -> int:
    """Where an address's row begins, or where it would go; products stay below 2**63 so that interpreted and compiled
    agree. Of the few places that an address can have one gives way only when all are taken."""
    x = (words[at] * 3 + words[at + 1] * 5 + words[at + 2] * 7 + words[at + 3]) & 0x7FFFFFFF
    x = (x * 0x45D9F3B) & 0x7FFFFFFF
    x ^= x >> 15
    x = (x * 0x2C1B3C6D) & 0x7FFFFFFF
    first = ((x ^ (x >> 13)) & (len(hosts) // (WAYS * H_WIDTH) - 1)) * WAYS * H_WIDTH
    free = -1
    for way in range(WAYS):
        h = first + way * H_WIDTH
        if hosts[h + H_VERSION] == 0:
            free = h if free < 0 else free
        elif hosts[h + H_VERSION] == version:
            equal = 0
            for i in range(4):
                equal += 1 if hosts[h + H_ADDRESS + i] == words[at + i] else 0
            if equal == 4:
                return h
    return free if free >= 0 else first + (x >> 20) % WAYS * H_WIDTH


def tos_relation(sent: int, got: int) -> int:
    """The DSCP of a reset against that of the SYN it answers (ECN left aside)."""
    if got & 0xFC == 0:
        return T_ZERO if sent & 0xFC else T_UNKNOWN
    return T_ECHO if got & 0xFC == sent & 0xFC else T_OTHER


def full(ttl: int) -> bool:
    """Whether a packet with this TTL has met no router yet: systems start with 64, 128 or 255."""
    return ttl == 64 or ttl == 128 or ttl == 255


def note_host(hosts: MutableSequence[int], d: Row, kind: int, sent_tos: int) -> None:
    """Take in one answer of an address; `kind` is N_OPEN, N_RESET (with the TOS of the SYN it answers) or N_PING."""
    h = place_of(d, D_SRC, d[D_VERSION], hosts)
    same = hosts[h + H_VERSION] == d[D_VERSION]
    for i in range(4):
        same = same and hosts[h + H_ADDRESS + i] == d[D_SRC + i]
    if not same:
        for i in range(H_WIDTH):
            hosts[h + i] = 0
        hosts[h + H_VERSION] = d[D_VERSION]
        for i in range(4):
            hosts[h + H_ADDRESS + i] = d[D_SRC + i]
    if full(d[D_TTL]):
        hosts[h + H_FULL] |= 2 if kind == N_RESET else 1
    if kind == N_PING:
        hosts[h + H_PING] = d[D_TTL]
        return
    note_port(hosts, h, d[D_SPORT])
    if kind == N_OPEN:
        pair(hosts, h + H_OPEN_TTL, d[D_TTL])
        pair(hosts, h + H_OPEN_PORT, d[D_SPORT])
        return
    for i in range(2):
        at = h + H_RESET + i * H_RESET_WIDTH
        if hosts[at] == 0 or hosts[at] == d[D_SPORT]:
            relation = tos_relation(sent_tos, d[D_TOS])
            if hosts[at] == 0 or relation != T_UNKNOWN:
                hosts[at] = d[D_SPORT]
                hosts[at + 1] = d[D_TTL]
                hosts[at + 2] = relation
            return


def pair(hosts: MutableSequence[int], at: int, value: int) -> None:
    """Keep two distinct values, the first ones."""
    if hosts[at] == 0 or hosts[at] == value:
        hosts[at] = value
    elif hosts[at + 1] == 0:
        hosts[at + 1] = value


def note_port(hosts: MutableSequence[int], h: int, port: int) -> None:
    """Count distinct ports that answered, up to ROOM."""
    n = hosts[h + H_PORTS_N]
    for i in range(n):
        if hosts[h + H_PORTS + i] == port:
            return
    if n < ROOM:
        hosts[h + H_PORTS + n] = port
        hosts[h + H_PORTS_N] = n + 1


def recall_host(r: Row, hosts: MutableSequence[int]) -> None:
    """Copy what is known of a row's server address into the row, as seen from the row's port."""
    for i in range(HOST_WIDTH):
        r[HOST + i] = 0
    h = place_of(r, SERVER, r[VERSION], hosts)
    if hosts[h + H_VERSION] != r[VERSION]:
        return
    for i in range(4):
        if hosts[h + H_ADDRESS + i] != r[SERVER + i]:
            return
    port = r[SPORT]
    r[HOST + A_KNOWN] = 1
    r[HOST + A_PING] = hosts[h + H_PING]
    r[HOST + A_OPEN] = hosts[h + H_OPEN_TTL]
    r[HOST + A_OPEN2] = hosts[h + H_OPEN_TTL + 1]
    r[HOST + A_FULL] = hosts[h + H_FULL]
    for i in range(2):
        opened = hosts[h + H_OPEN_PORT + i]
        if opened == port:
            r[HOST + A_HERE] = 1
        elif opened != 0:
            r[HOST + A_CONTROL] = 1
    elsewhere = False
    for i in range(2):
        at = h + H_RESET + i * H_RESET_WIDTH
        if hosts[at] != 0:
            elsewhere = True
        if hosts[at] != 0 and hosts[at] != port:
            r[HOST + A_CONTROL] = 2
            if r[HOST + A_RESET_TOS] == T_UNKNOWN:
                r[HOST + A_RESET_TOS] = hosts[at + 2]
            if hosts[at + 2] == T_ECHO:
                r[HOST + A_RESET] = hosts[at + 1]
    if hosts[h + H_PORTS_N] >= ROOM and not elsewhere:
        r[HOST + A_ALL_OPEN] = 1


def host_word(r: Row) -> int:
    """All that `recall_host` copied, in one word."""
    at = HOST
    found = r[at + A_KNOWN] | r[at + A_HERE] << 1 | r[at + A_FULL] << 2
    found |= r[at + A_CONTROL] << 4 | r[at + A_RESET_TOS] << 6 | r[at + A_ALL_OPEN] << 40
    return found | r[at + A_PING] << 8 | r[at + A_OPEN] << 16 | r[at + A_OPEN2] << 24 | r[at + A_RESET] << 32
