"""Which rows are between the same endpoints: for many rows at once, as numbers, and exactly where it matters.

House rules of this file:
1. `log` has the columns of netprobe.jobs.part.LOG, a row for each row.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from netprobe.jobs.part import L_BORN, L_REPLACED

NEVER = (1 << 63) - 1


def _mixed(*words: Any) -> Any:
    """One number of several, column by column; equal ones give equal numbers."""
    import numpy as np

    with np.errstate(over="ignore"):
        found = np.zeros(len(words[0]), dtype=np.uint64)
        for word in words:
            found = (found ^ np.asarray(word).astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
            found ^= found >> np.uint64(29)
        return found


def between(log: Any) -> Any:
    """A number for the kind and the two endpoints of each row, whatever the direction: equal ones have equal numbers,
    and hardly any others."""
    one = _mixed(*(log[:, n] for n in (1, 2, 3, 4, 9)))
    other = _mixed(*(log[:, n] for n in (5, 6, 7, 8, 10)))
    return (one + other) ^ log[:, 0].astype("uint64")


def ports(log: Any) -> Any:
    """A number for the two ports of each row."""
    import numpy as np

    return np.minimum(log[:, 9], log[:, 10]) << 32 | np.maximum(log[:, 9], log[:, 10])


def _exact(row: Any) -> tuple[Any, ...]:
    words = row.tolist()
    return (words[0], *sorted((tuple(words[1:5] + words[9:10]), tuple(words[5:9] + words[10:11]))))


def replaced_at(log: Any) -> Any:
    """Of each row that another took the place of, the frame that began that one; of others a frame that never comes."""
    import numpy as np

    found = np.full(len(log), NEVER, dtype=np.int64)
    marked = np.flatnonzero(log[:, L_REPLACED])
    if len(marked):
        names = between(log)
        for group in _groups(log, np.flatnonzero(np.isin(names, names[marked]))):
            for one, following in pairwise(group):
                if log[one, L_REPLACED]:
                    found[one] = log[following, L_BORN]
    return found


def older(log: Any) -> Any:
    """The rows that have a later one between the same endpoints."""
    import numpy as np

    names = between(log)
    _, where, counts = np.unique(names, return_inverse=True, return_counts=True)
    found = [one for group in _groups(log, np.flatnonzero(counts[where] > 1)) for one in group[:-1]]
    return np.array(found, dtype=np.int64)


def _groups(log: Any, chosen: Iterable[int]) -> Iterable[list[int]]:
    """Rows with the same endpoints, each group in order of first packets."""
    by: dict[tuple[Any, ...], list[int]] = {}
    for n in chosen:
        by.setdefault(_exact(log[int(n)]), []).append(int(n))
    for group in by.values():
        yield sorted(group, key=lambda n: int(log[n, L_BORN]))
