"""The clock of a scan: epoch nanoseconds that never run backwards, whatever happens to the system time."""

from __future__ import annotations

import time

_LARGEST_PLAUSIBLE_LAG_NS = 60_000_000_000  # a packet is read within a minute of its stamp
# Two clocks can't be read at one moment: beside busy processes milliseconds may pass between two readings (measured
# with two processors and three busy loops: up to 12 ms, one reading in ten thousand). A stamp put too early by as much
# stands before what it answers, and then answers nothing.
_TRIES = 8
_CLOSE_NS = 2_000


class Clock:
    """Epoch time taken once, carried on by the monotonic clock."""

    def __init__(self) -> None:
        self._offset_ns = 0
        self._offset_ns = self.behind_ns()

    def now_ns(self) -> int:
        """Nanoseconds since the epoch; differences are true durations even when the system time is set meanwhile."""
        return time.monotonic_ns() + self._offset_ns

    def behind_ns(self) -> int:
        """How far this clock is behind the system time: read between two readings of this clock, the closest of a few
        tries."""
        closest, behind_ns = None, 0
        for _ in range(_TRIES):
            before_ns, real_ns, after_ns = self.now_ns(), time.time_ns(), self.now_ns()
            if closest is None or after_ns - before_ns < closest:
                closest, behind_ns = after_ns - before_ns, real_ns - (before_ns + after_ns) // 2
            if closest <= _CLOSE_NS:
                break
        return behind_ns

    def from_kernel(self, stamp_ns: int, behind_ns: int) -> int:
        """A kernel time stamp (CLOCK_REALTIME, SO_TIMESTAMPNS of socket(7)) on this clock; `behind_ns` is read once for
        packets that are read together, which so keep their order."""
        now_ns = self.now_ns()
        corrected_ns = stamp_ns - behind_ns
        if corrected_ns > now_ns or now_ns - corrected_ns > _LARGEST_PLAUSIBLE_LAG_NS:
            return now_ns  # the system time was set between the stamp and now
        return corrected_ns
