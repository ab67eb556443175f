"""Numbers in a buffer of bytes, for the decoding of headers.

House rules of this file:
1. Written in the subset of Python that Numba compiles, like all of the decoding; compiled code doesn't check an index,
   so whoever calls has compared it with the packet's end.
2. Bytes are multiplied, never shifted: a shifted byte would be unsigned for Numba, and unsigned with signed a float.
"""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence
from typing import TypeVar

Buffer = Sequence[int]
Row = MutableSequence[int]
Memory = TypeVar("Memory")


def u16(b: Buffer, at: int) -> int:
    """Big-endian 16 bits."""
    return b[at] * 0x100 + b[at + 1]


def u32(b: Buffer, at: int) -> int:
    """Big-endian 32 bits."""
    return b[at] * 0x1000000 + b[at + 1] * 0x10000 + b[at + 2] * 0x100 + b[at + 3]


def le16(b: Buffer, at: int) -> int:
    """Little-endian 16 bits."""
    return b[at + 1] * 0x100 + b[at]


def le32(b: Buffer, at: int) -> int:
    """Little-endian 32 bits."""
    return b[at + 3] * 0x1000000 + b[at + 2] * 0x10000 + b[at + 1] * 0x100 + b[at]


def address4(b: Buffer, at: int, d: Row, to: int) -> None:
    """An IPv4 address into four words."""
    d[to] = 0
    d[to + 1] = 0
    d[to + 2] = 0
    d[to + 3] = u32(b, at)


def address6(b: Buffer, at: int, d: Row, to: int) -> None:
    """An IPv6 address into four words."""
    d[to] = u32(b, at)
    d[to + 1] = u32(b, at + 4)
    d[to + 2] = u32(b, at + 8)
    d[to + 3] = u32(b, at + 12)


def borrowed(memory: Memory) -> Memory:
    """The same memory. Compiled, it has no owner any more: counting the references of each view of a row, atomically,
    took a fifth of the loop's time. The caller of the loop holds it meanwhile."""
    return memory


def copy(target: MutableSequence[int], to: int, source: Sequence[int], begin: int, count: int) -> None:
    """Some bytes from one place to another."""
    target[to : to + count] = source[begin : begin + count]
