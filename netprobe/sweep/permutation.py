"""A keyed order of any number of things in which each comes exactly once, without a table.

A Feistel network over two digits of a mixed radix (Black and Rogaway, "Ciphers with Arbitrary Finite Domains",
CT-RSA 2002): position = left * b + right, with a * b barely above the size; what falls outside is walked on until it
falls inside. Positions and indices are arrays of uint64; both directions cost the same.

House rules of this file:
1. Pure: the order is a function of size and key. The key makes it unpredictable enough for fairness, not for secrecy.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from math import isqrt

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.uint64]

ROUNDS = 6
# Products and sums below stay within 64 bits.
LARGEST = 1 << 62


class Permutation:
    """The order of `size` things under a key of any length. Raises ValueError where size is not in 1..2**62."""

    def __init__(self, size: int, key: bytes) -> None:
        if not 1 <= size <= LARGEST:
            raise ValueError(f"{size} things can't be put into an order")
        self.size = size
        self._a = isqrt(size - 1) + 1
        self._b = -(-size // self._a)
        digest = hashlib.blake2b(key, digest_size=8 * ROUNDS, person=b"sweep order").digest()
        self._keys = [np.uint64(int.from_bytes(digest[8 * n : 8 * n + 8], "little")) for n in range(ROUNDS)]

    def at(self, positions: Numbers) -> Numbers:
        """Which things stand at these positions."""
        return self._walk(positions, self._forward)

    def position(self, things: Numbers) -> Numbers:
        """Where these things stand: the inverse of `at`."""
        return self._walk(things, self._backward)

    def _walk(self, numbers: Numbers, once: Callable[[Numbers], Numbers]) -> Numbers:
        found = once(numbers)
        outside = np.flatnonzero(found >= self.size)
        while outside.size:
            found[outside] = once(found[outside])
            outside = outside[found[outside] >= self.size]
        return found

    def _forward(self, numbers: Numbers) -> Numbers:
        a, b = np.uint64(self._a), np.uint64(self._b)
        left, right = np.divmod(numbers, b)
        for n, key in enumerate(self._keys):
            if n % 2:
                right = (right + mixed(left ^ key) % b) % b
            else:
                left = (left + mixed(right ^ key) % a) % a
        return np.asarray(left * b + right, dtype=np.uint64)

    def _backward(self, numbers: Numbers) -> Numbers:
        a, b = np.uint64(self._a), np.uint64(self._b)
        left, right = np.divmod(numbers, b)
        for n in reversed(range(ROUNDS)):
            key = self._keys[n]
            if n % 2:
                right = (right + (b - mixed(left ^ key) % b)) % b
            else:
                left = (left + (a - mixed(right ^ key) % a)) % a
        return np.asarray(left * b + right, dtype=np.uint64)


def mixed(x: Numbers) -> Numbers:
    """A bijection of 64 bits in which every bit counts for every other (Steele, Lea, Flood, "Fast Splittable
    Pseudorandom Number Generators", OOPSLA 2014, variant 13 of the finalizer)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
