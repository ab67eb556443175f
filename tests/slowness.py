"""How slow the machine is now: limits of time are scaled by it."""

from __future__ import annotations

import time
from collections.abc import Callable


def slowness(clock: Callable[[], float] = time.process_time) -> float:
    """How much slower than the machine that limits were set on (0.1 s for this), never less than 1. Of a processor that
    others use, too, by `time.monotonic`."""
    begin = clock()
    total = 0
    for i in range(1_500_000):
        total += i & 0xFF
    return max(1.0, (clock() - begin) / 0.1)
