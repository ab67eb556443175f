"""SipHash-2-4 of many short messages at once: what makes source ports and sequence numbers of a sweep unforgeable.

Aumasson and Bernstein, "SipHash: a fast short-input PRF", INDOCRYPT 2012. A message is a row of whole 64-bit words;
tests hold the result against the paper's vectors.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
_START = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)


def siphash(key: bytes, messages: Sequence[Words]) -> Words:
    """The hashes of messages whose first words are `messages[0]`, whose second are `messages[1]`, and so on. `key` has
    16 bytes."""
    k = int.from_bytes(key[:8], "little"), int.from_bytes(key[8:16], "little")
    count = len(messages[0])
    v = [np.full(count, start ^ k[n % 2], dtype=np.uint64) for n, start in enumerate(_START)]
    scratch = np.empty(count, dtype=np.uint64)
    for word in messages:
        v[3] ^= word
        _rounds(v, 2, scratch)
        v[0] ^= word
    last = np.uint64((8 * len(messages) & 0xFF) << 56)
    v[3] ^= last
    _rounds(v, 2, scratch)
    v[0] ^= last
    v[2] ^= np.uint64(0xFF)
    _rounds(v, 4, scratch)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def _rounds(v: list[Words], times: int, scratch: Words) -> None:
    for _ in range(times):
        for a, b, turn in ((0, 1, 13), (2, 3, 16), (0, 3, 21), (2, 1, 17)):
            v[a] += v[b]
            _rotate(v[b], turn, scratch)
            v[b] ^= v[a]
            if turn in (13, 17):
                _rotate(v[a], 32, scratch)


def _rotate(x: Words, by: int, scratch: Words) -> None:
    np.right_shift(x, np.uint64(64 - by), out=scratch)
    np.left_shift(x, np.uint64(by), out=x)
    np.bitwise_or(x, scratch, out=x)
