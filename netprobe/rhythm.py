"""The rhythm of marked SYNs: what `scan --marked` sends and `doctor --watch` looks for, with no channel between them.

House rules of this file:
1. Both ends must be of one mind: a change of these numbers is a change of what older versions find.
2. The first round alone stays below the usual limits (ufw: six in 30 s), so that a limit shows as a change after it.
3. At most one of an address's rounds is on its way at a time, and nothing of IPv4 and IPv6 falls together.
"""

from __future__ import annotations

from dataclasses import dataclass

# The SYNs of a round leave this far apart: packed, so that a round stands out of other traffic, yet no flood.
SPACING_S = 0.002
# A SYN is given up after this long: before the kernel would repeat it.
PATIENCE_S = 0.85
# ECT(1) in the IP header (RFC 3168): a mark that the server counts (IpExt.InECT1Pkts) and hardly anybody else sets.
ECT1 = 0x01


@dataclass(frozen=True, slots=True)
class Rounds:
    """When rounds begin, in seconds after the first of this address, how many packets each has, which are marked with
    ECT(1): every second one, since a box may drop or clear what it doesn't know."""

    starts_s: tuple[float, ...]
    sizes: tuple[int, ...]
    marked: tuple[bool, ...] = (False, True, False, True)

    @property
    def span_s(self) -> float:
        """From the first packet of the first round to the last of the last."""
        return self.starts_s[-1] + self.sizes[-1] * SPACING_S

    @property
    def total(self) -> int:
        """How many packets all rounds have."""
        return sum(self.sizes)


# By IP version. No shift of one brings more than one round upon one of the other; no whole seconds, since what others
# do by the clock comes at those.
SYNS = {4: Rounds((0.0, 6.3, 13.1, 20.7), (5, 9, 7, 9)), 6: Rounds((0.0, 5.5, 13.9, 19.0), (5, 7, 9, 9))}
# Echo requests between them: they tell a client that isn't there from one whose SYNs are lost on the way.
ECHOES = {4: Rounds((1.6, 8.1, 10.9, 18.3), (4, 3, 4, 3)), 6: Rounds((2.2, 7.6, 11.3, 16.6), (3, 4, 4, 3))}
# How much later the rounds over IPv6 begin.
LATER_S = {4: 0.0, 6: 3.3}
# All rounds, both families, and the time that their last answers take.
WHOLE_S = LATER_S[6] + SYNS[6].span_s + PATIENCE_S
