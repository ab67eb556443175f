"""How many packets a port may still be sent: the budget of docs/interface.md as an account of the last seconds."""

from __future__ import annotations

from collections import deque

SECOND = 1_000_000_000
# At most five SYNs and one full connection to a port within 30 s: an ufw limit trips at the sixth, and OpenSSH's
# penalties at connections that end before a login.
SYNS = 5
CONNECTIONS = 1
WINDOW_NS = 30 * SECOND


class Ration:
    """So many in any `window_ns`. Times are those of the wire, in nanoseconds."""

    def __init__(self, most: int, window_ns: int = WINDOW_NS) -> None:
        self._most = most
        self._window_ns = window_ns
        self._taken: deque[int] = deque()

    def take(self, now_ns: int, count: int = 1) -> None:
        """Write down what was sent."""
        self._taken.extend([now_ns] * count)

    def give_back(self, count: int) -> None:
        """Strike out the last ones: they never left this machine."""
        for _ in range(min(count, len(self._taken))):
            self._taken.pop()

    def room(self, now_ns: int) -> int:
        """How many may be sent now."""
        while self._taken and self._taken[0] <= now_ns - self._window_ns:
            self._taken.popleft()
        return max(0, self._most - len(self._taken))

    def when(self, count: int, now_ns: int) -> int:
        """The earliest time at which so many may be sent (`count`: at most what a window holds)."""
        missing = count - self.room(now_ns)
        return now_ns if missing <= 0 else self._taken[missing - 1] + self._window_ns

    def pace(self, now_ns: int, interval_ns: int) -> int:
        """When to send the next one: after the interval, or later, so that what is left lasts until more is allowed."""
        room = self.room(now_ns)
        if not self._taken:
            return now_ns + interval_ns
        rest_ns = self._taken[0] + self._window_ns - now_ns
        return now_ns + (max(interval_ns, rest_ns // (room + 1)) if room else max(interval_ns, rest_ns))
