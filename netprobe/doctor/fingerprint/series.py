"""Signals: differences of kernel counters that stand still in ordinary traffic and move when a SYN meets its fate.

Measured on Linux 6.18 in network namespaces, one SYN at a time; names are those of /proc/net/snmp, netstat and snmp6.

House rules of this file:
1. A signal whose counters this kernel lacks does not exist; nothing is taken for 0.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

STEP_S = 0.02
Terms = tuple[tuple[int, str], ...]


def _terms(text: str) -> Terms:
    """`Ip.InReceives - Ip.InDelivers` as pairs of sign and name."""
    found, sign = [], 1
    for word in text.split():
        if word in "+-":
            sign = -1 if word == "-" else 1
        else:
            found.append((sign, word))
    return tuple(found)


# Fields that only newer kernels have; without them the signal is a little less exact, not wrong.
OPTIONAL = {
    *("Icmp.OutRateLimitHost", "Icmp.OutRateLimitGlobal", "Icmp6.OutRateLimitHost", "Ip6.OutForwDatagrams"),
    *("Ip.ReasmReqds", "Ip.ReasmOKs", "Ip6.ReasmReqds", "Ip6.ReasmOKs", "Tcp.RetransSegs"),
    *("Udp.OutDatagrams", "Udp6.OutDatagrams", "Icmp6.OutMsgs", "Ip6.OutRequests", "Ip.ForwDatagrams"),
}
# What leaves without TCP, UDP or ICMP having counted it: over IPv4, a reset that netfilter wrote. Negative: what TCP
# counted and IP did not, since there was no route.
_UNCOUNTED = (
    "Ip.OutRequests + Ip6.OutRequests - Tcp.OutSegs - Tcp.RetransSegs - Udp.OutDatagrams - Udp6.OutDatagrams "
    "- Icmp.OutMsgs - Icmp6.OutMsgs"
)
# What explains most of a signal's usual movement, and no marked SYN moves: several segments of data may be one packet
# to IP (TSO), so that TCP counts more than IP does.
EXPLAINED_BY = {"uncounted": "data"}
# Shared by both IP versions.
_TCP = {
    "opened": "Tcp.PassiveOpens + TcpExt.EmbryonicRsts",
    "taken-back": "TcpExt.EmbryonicRsts",  # a raw SYN's, by the client's kernel: quiet where many connect
    "stack-reset": "Tcp.OutRsts",
    "overflow": "TcpExt.ListenOverflows",
    "cookie": "TcpExt.SyncookiesSent",
    "syn-ack-again": "TcpExt.TCPSynRetrans",
    "uncounted": _UNCOUNTED,
    "taken": "Tcp.InSegs",
    "data": "TcpExt.TCPOrigDataSent",
}
SIGNALS: dict[int, dict[str, Terms]] = {
    4: {
        name: _terms(text)
        for name, text in {
            # Received and not delivered, forwarded or put together: dropped or answered by a filter.
            "stopped": "Ip.InReceives - Ip.InDelivers - Ip.ForwDatagrams - Ip.ReasmReqds + Ip.ReasmOKs",
            "forwarded": "Ip.ForwDatagrams",
            "icmp-error": "Icmp.OutDestUnreachs + Icmp.OutRateLimitHost + Icmp.OutRateLimitGlobal",
            "reverse-path": "TcpExt.IPReversePathFilter",
            "no-route": "Ip.OutNoRoutes",
            "withheld": "Ip.OutRequests + Ip.ForwDatagrams - Ip.OutTransmits",
            "mark": "IpExt.InECT1Pkts",
            "ping": "Icmp.InEchos",
            "sent": "Ip.OutRequests",
            "arrived": "Ip.InReceives",
            **_TCP,
        }.items()
    },
    6: {
        name: _terms(text)
        for name, text in {
            "stopped": "Ip6.InReceives - Ip6.InDelivers - Ip6.OutForwDatagrams - Ip6.ReasmReqds + Ip6.ReasmOKs",
            "forwarded": "Ip6.OutForwDatagrams",
            "icmp-error": "Icmp6.OutDestUnreachs + Icmp6.OutRateLimitHost",
            "no-route": "Ip6.OutNoRoutes",
            # Positive: a filter held an answer back. Negative: a reset of netfilter, which Ip6OutRequests lacks.
            "withheld": "Ip6.OutRequests + Ip6.OutForwDatagrams - Ip6.OutTransmits",
            "mark": "Ip6.InECT1Pkts",
            "ping": "Icmp6.InEchos",
            "sent": "Ip6.OutRequests",
            "arrived": "Ip6.InReceives",
            **_TCP,
        }.items()
    },
}
# The kernel repeats a SYN-ACK that nobody acknowledges after a second.
DELAYED_S = {"syn-ack-again": 1.0}
# Each SYN that arrives and is not lost on its way back moves just one of these: together they show the whole rhythm,
# also where a limit changes the answer between rounds.
FATES = ("opened", "stack-reset", "overflow", "stopped", "forwarded", "no-route")
NAMES = tuple(sorted({name for family in SIGNALS.values() for terms in family.values() for _, name in terms}))


@dataclass(frozen=True, slots=True)
class Samples:
    """Counters read again and again: when, in seconds after the first, and the values of `names` then."""

    names: tuple[str, ...]
    times: Sequence[float]
    values: Sequence[Sequence[int]]

    @property
    def seconds(self) -> float:
        """From the first to the last."""
        return self.times[-1] - self.times[0] if self.times else 0.0

    def last(self, seconds: float) -> Samples:
        """The newest ones, no more than so many seconds of them."""
        start = bisect_left(self.times, self.times[-1] - seconds) if self.times else 0
        return Samples(self.names, self.times[start:], self.values[start:])


@dataclass(frozen=True, slots=True)
class Series:
    """One signal over time, in steps of STEP_S: `before` holds the last value known at a step, `after` the first one
    read at it or later, so that a window's growth is complete also where the sampler was late."""

    before: list[int]
    after: list[int]

    def windows(self, width: int) -> list[int]:
        """How much it grew in each window of so many steps, by the step it begins at."""
        return [end - start for start, end in zip(self.before, self.after[width:], strict=False)]

    @property
    def still(self) -> bool:
        """Whether it never moved."""
        return self.before[0] == self.after[-1] and len({*self.before}) == 1

    def plus(self, other: Series) -> Series:
        """Both together."""
        return Series(
            [a + b for a, b in zip(self.before, other.before, strict=True)],
            [a + b for a, b in zip(self.after, other.after, strict=True)],
        )


class Grid:
    """Where the samples lie among the steps, worked out once for all signals."""

    def __init__(self, samples: Samples) -> None:
        self._samples = samples
        first = samples.times[0] if samples.times else 0.0
        self.steps = int(samples.seconds / STEP_S) + 1
        at = [first + step * STEP_S for step in range(self.steps)]
        last = len(samples.times) - 1
        self._before = [max(0, bisect_right(samples.times, one + 1e-9) - 1) for one in at]
        self._after = [min(last, bisect_left(samples.times, one - 1e-9)) for one in at]
        self._place = {name: at for at, name in enumerate(samples.names)}

    def series(self, terms: Terms) -> Series | None:
        """A signal; None where this kernel lacks a counter of it."""
        known = [(sign, self._place[name]) for sign, name in terms if name in self._place]
        if not known or any(name not in self._place and name not in OPTIONAL for _, name in terms):
            return None
        totals = [sum(sign * row[place] for sign, place in known) for row in self._samples.values]
        return Series([totals[at] for at in self._before], [totals[at] for at in self._after])


def signals(grid: Grid, family: int) -> dict[str, Series]:
    """All signals of an IP version that this kernel has."""
    found = {name: grid.series(terms) for name, terms in SIGNALS[family].items()}
    # Without packets counted, the kernel doesn't have this IP version: TCP's counters are the other one's.
    return {name: one for name, one in found.items() if one is not None} if found["arrived"] is not None else {}


def total(series: Mapping[str, Series], names: Sequence[str]) -> Series | None:
    """Several signals as one."""
    parts = [series[name] for name in names if name in series]
    return list(accumulate(parts, Series.plus))[-1] if parts else None
