"""The clock of a scan: epoch nanoseconds that never run backwards, whatever happens to the system time."""

from __future__ import annotations

import time

_LARGEST_PLAUSIBLE_LAG_NS = 60_000_000_000  # a packet is read within a minute of its stamp


class Clock:
    """Epoch time taken once, carried on by the monotonic clock."""

    def __init__(self) -> None:
        self._offset_ns = time.time_ns() - time.monotonic_ns()

    def now_ns(self) -> int:
        """Nanoseconds since the epoch; differences are true durations even when the system time is set meanwhile."""
        return time.monotonic_ns() + self._offset_ns

    def from_kernel(self, stamp_ns: int) -> int:
        """A kernel time stamp (CLOCK_REALTIME, SO_TIMESTAMPNS of socket(7)) on this clock."""
        now_ns = self.now_ns()
        corrected_ns = stamp_ns - (time.time_ns() - now_ns)
        if corrected_ns > now_ns or now_ns - corrected_ns > _LARGEST_PLAUSIBLE_LAG_NS:
            return now_ns  # the system time was set between the stamp and now
        return corrected_ns
