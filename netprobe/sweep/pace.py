"""How fast a sweep sends: as asked, slower where the network or this machine can't follow, and back again."""

from __future__ import annotations

SECOND = 1_000_000_000
# A burst is so long at most: a network behind one link gets no more at once.
BURST_NS = 10_000_000
SLOWER = 0.7
# Trouble that comes at once is one trouble.
HOLD_NS = SECOND // 2
FASTER_A_SECOND = 1.05
SLOWEST = 10.0


class Pace:
    """Tokens at `rate` a second. Times are given, in nanoseconds."""

    def __init__(self, rate: float, now_ns: int) -> None:
        self.asked = rate
        self.rate = rate
        self.lowest = rate
        self.troubles: dict[str, int] = {}
        self._tokens = 1.0
        self._at_ns = now_ns
        self._slowed_ns = now_ns - HOLD_NS

    def allowed(self, now_ns: int) -> int:
        """How many packets may go now."""
        passed = max(now_ns - self._at_ns, 0)
        if self.rate < self.asked and now_ns - self._slowed_ns > 2 * SECOND:
            self.rate = min(self.asked, self.rate * FASTER_A_SECOND ** (passed / SECOND))
        self._at_ns = now_ns
        burst = max(self.rate * BURST_NS / SECOND, 1.0) + self.rate * min(passed, BURST_NS) / SECOND
        self._tokens = min(self._tokens + self.rate * passed / SECOND, burst)
        return int(self._tokens)

    def spend(self, count: int) -> None:
        """So many were sent."""
        self._tokens -= count

    def due_ns(self) -> int:
        """When the next packet may go."""
        return self._at_ns + int(max(1.0 - self._tokens, 0.0) * SECOND / self.rate)

    def slow(self, why: str, now_ns: int) -> bool:
        """Trouble was seen; whether that made it slower."""
        self.troubles[why] = self.troubles.get(why, 0) + 1
        if now_ns - self._slowed_ns < HOLD_NS:
            return False
        self._slowed_ns = now_ns
        self.rate = max(self.rate * SLOWER, min(SLOWEST, self.asked))
        self.lowest = min(self.lowest, self.rate)
        return True
