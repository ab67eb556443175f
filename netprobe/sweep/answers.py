"""Answers in bulk: which packets prove to answer a SYN of the sweep, whose, and which of them are alike.

House rules of this file:
1. What doesn't carry the keyed numbers of its own address and port is nobody's answer: counted, never evidence.
2. A shape holds every field that netprobe.evidence looks at in an answer (tests compare each verdict with that of a
   packet diagnosed alone), and none that only tells where it came from.
3. No loop over packets.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from netprobe.sweep.space import Space
from netprobe.sweep.stamping import Numbers
from netprobe.sweep.stamping import number as number_of

Words = NDArray[np.uint64]
Octets = NDArray[np.uint8]

# --- bits of a shape
ICMP = 1 << 62
ID_AT, DF_AT, WORDS_AT, TTL_AT, TOS_AT = 8, 9, 10, 16, 24
FROM_TARGET, FROM_US, LATE = 1 << 48, 1 << 49, 1 << 50
TRIES_AT = 51  # SYNs before the answer, 7 at most
RANGE_AT = 54  # which special range the address is in, from 1; see addresses.SPECIAL
SYN, RST, ACK = 0x02, 0x04, 0x10
LATE_NS = 2_000_000_000

_ERRORS = {4: (3, 11, 12), 6: (1, 2, 3, 4)}
_TOO_BIG = {4: (3, 4), 6: (2, 0)}


class Answers(NamedTuple):
    """What fits a SYN: the number of its pair in the space, its shape, the sender's address, the row of its packet."""

    pairs: Words
    shapes: Words
    high: Words
    low: Words
    rows: NDArray[np.int64]


class Reader:
    """Reads answers to SYNs from `source` to the pairs of a space."""

    def __init__(self, space: Space, numbers: Numbers, source: str) -> None:
        self._space = space
        self._numbers = numbers
        self._source = number_of(source)
        self.unsolicited = 0

    def read(self, data: Octets, lengths: NDArray[np.int64]) -> Answers:
        """The answers among these packets of both IP versions; the others of this version are unsolicited."""
        version = self._space.version
        rows = np.flatnonzero((data[:, 0] >> 4) == version)
        if version == 4:
            header, protocol = (data[rows, 0] & 15).astype(np.int64) * 4, data[rows, 9]
        else:
            header, protocol = np.full(len(rows), 40, dtype=np.int64), data[rows, 6]
        found = []
        for size in np.unique(header).tolist():
            same = header == size
            tcp = rows[same & (protocol == 6) & (lengths[rows] >= size + 20)]
            icmp = rows[same & (protocol == (1 if version == 4 else 58)) & (lengths[rows] >= size + 8)]
            if len(tcp):
                found.append(self._tcp(data, tcp, size))
            if len(icmp):
                found.append(self._icmp(data, lengths, icmp, size))
        parts = [part for part in found if len(part.rows)]
        self.unsolicited += len(rows) - sum(len(part.rows) for part in parts)
        if not parts:
            none = np.zeros(0, np.uint64)
            return Answers(none, none, none, none, np.zeros(0, np.int64))
        joined = [np.concatenate(columns) for columns in zip(*parts, strict=True)]
        order = np.argsort(joined[4], kind="stable")
        return Answers(*(column[order] for column in joined))

    def _tcp(self, data: Octets, rows: NDArray[np.int64], at: int) -> Answers:
        d = data[rows]
        high, low = self._address(d, 12 if self._space.version == 4 else 8)
        pairs, fits = self._space.find(high, low, field(d, at, 2))
        source, sequence, _ = self._numbers.of(high, low, field(d, at, 2))
        flags = field(d, at + 13, 1)
        kind = flags & np.uint64(SYN | RST | ACK)
        fits &= (kind == SYN | ACK) | (kind == RST | ACK)
        fits &= field(d, at + 2, 2) == source
        fits &= field(d, at + 8, 4) == (sequence + np.uint64(1) & np.uint64(0xFFFFFFFF))
        shape = flags | field(d, at + 14, 2) << np.uint64(32) | self._common(d)
        shape |= field(d, at + 12, 1) >> np.uint64(4) << np.uint64(WORDS_AT)
        if self._space.version == 4:
            shape |= (field(d, 4, 2) == 0).astype(np.uint64) << np.uint64(ID_AT)
            shape |= (d[:, 6] & 0x40 != 0).astype(np.uint64) << np.uint64(DF_AT)
        return Answers(pairs[fits], shape[fits], high[fits], low[fits], rows[fits])

    def _icmp(self, data: Octets, lengths: NDArray[np.int64], rows: NDArray[np.int64], at: int) -> Answers:
        d = data[rows]
        version = self._space.version
        inner = at + 8
        sender = self._address(d, 12 if version == 4 else 8)
        kind, code = field(d, at, 1), field(d, at + 1, 1)
        fits = np.isin(kind, _ERRORS[version])
        fits &= ~((kind == _TOO_BIG[version][0]) & ((code == _TOO_BIG[version][1]) | (version == 6)))
        fits &= (d[:, inner] >> 4) == version
        place = np.full(len(rows), inner + 40, dtype=np.int64)
        if version == 4:
            place = inner + (d[:, inner] & 15).astype(np.int64) * 4
            fits &= d[:, inner + 9] == 6
        else:
            fits &= d[:, inner + 6] == 6
        fits &= place + 8 <= lengths[rows]
        place = np.minimum(place, d.shape[1] - 8)
        quoted = np.take_along_axis(d, place[:, None] + np.arange(8)[None, :], axis=1)
        us = self._address(d, inner + (12 if version == 4 else 8))
        fits &= (us[0] == self._source[0]) & (us[1] == self._source[1])
        high, low = self._address(d, inner + (16 if version == 4 else 24))
        port = field(quoted, 2, 2)
        pairs, inside = self._space.find(high, low, port)
        source, sequence, _ = self._numbers.of(high, low, port)
        fits &= inside & (field(quoted, 0, 2) == source) & (field(quoted, 4, 4) == sequence)
        shape = np.uint64(ICMP) | kind | code << np.uint64(8) | self._common(d)
        shape |= field(d, inner + (8 if version == 4 else 7), 1) << np.uint64(32)
        shape |= self._tos(d, inner) << np.uint64(40)
        itself = (sender[0] == high) & (sender[1] == low)
        here = (sender[0] == self._source[0]) & (sender[1] == self._source[1])
        shape |= itself * np.uint64(FROM_TARGET) | here * np.uint64(FROM_US)
        return Answers(pairs[fits], shape[fits], sender[0][fits], sender[1][fits], rows[fits])

    def _common(self, d: Octets) -> Words:
        ttl = field(d, 8 if self._space.version == 4 else 7, 1)
        return ttl << np.uint64(TTL_AT) | self._tos(d, 0) << np.uint64(TOS_AT)

    def _tos(self, d: Octets, at: int) -> Words:
        if self._space.version == 4:
            return field(d, at + 1, 1)
        return field(d, at, 2) >> np.uint64(4) & np.uint64(0xFF)

    def _address(self, d: Octets, at: int) -> tuple[Words, Words]:
        if self._space.version == 4:
            return np.zeros(len(d), np.uint64), field(d, at, 4)
        return field(d, at, 8), field(d, at + 8, 8)


def field(data: Octets, at: int, size: int) -> Words:
    """A column of numbers of `size` bytes in network order."""
    if size == 1:
        return data[:, at].astype(np.uint64)
    return np.ascontiguousarray(data[:, at : at + size]).view(f">u{size}").reshape(-1).astype(np.uint64)
