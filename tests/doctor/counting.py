"""A kernel's counters as numbers on paper: traffic and marked SYNs move them as Linux 6.18 was measured to."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from netprobe.doctor.fingerprint.series import NAMES, STEP_S, Samples
from netprobe.rhythm import ECHOES, LATER_S, SPACING_S, SYNS

Event = tuple[float, Mapping[str, int]]


def arriving(ip: str, *, delivered: bool) -> dict[str, int]:
    """A packet comes in."""
    return {f"{ip}.InReceives": 1, **({f"{ip}.InDelivers": 1} if delivered else {})}


def leaving(ip: str) -> dict[str, int]:
    """A packet goes out."""
    return {f"{ip}.OutRequests": 1, f"{ip}.OutTransmits": 1}


def plus(*parts: Mapping[str, int]) -> dict[str, int]:
    """All of it together."""
    total: Counter[str] = Counter()
    for one in parts:
        total.update(one)
    return dict(total)


def syn(family: int, fate: str, *, marked: bool) -> Iterator[Event]:
    """What one SYN moves, and when after its arrival: one line of the measured table."""
    ip, icmp = ("Ip6", "Icmp6") if family == 6 else ("Ip", "Icmp")
    mark = {("Ip6.InECT1Pkts" if family == 6 else "IpExt.InECT1Pkts"): 1} if marked else {}
    stopped, taken = arriving(ip, delivered=False), plus(arriving(ip, delivered=True), {"Tcp.InSegs": 1})
    answered = plus(taken, leaving(ip), {"Tcp.OutSegs": 1})
    # IPv6 counts a reset by netfilter only where it is sent.
    by_filter = {"Ip6.OutTransmits": 1} if family == 6 else leaving(ip)
    match fate:
        case "accepted":
            yield 0.0, plus(mark, answered)
            yield 0.03, plus(taken, {"TcpExt.EmbryonicRsts": 1})
        case "reset-by-stack":
            yield 0.0, plus(mark, answered, {"Tcp.OutRsts": 1})
        case "reset-by-netfilter":
            yield 0.0, plus(mark, stopped, by_filter)
        case "rejected":
            yield 0.0, plus(mark, stopped, leaving(ip), {f"{icmp}.OutDestUnreachs": 1, f"{icmp}.OutMsgs": 1})
        case "dropped":
            yield 0.0, plus(mark, stopped)
        case "reverse-path":
            yield 0.0, plus(mark, stopped, {"TcpExt.IPReversePathFilter": 1})
        case "queue-full":
            yield 0.0, plus(mark, taken, {"TcpExt.ListenOverflows": 1})
        case "forwarded":
            forwarded = "Ip6.OutForwDatagrams" if family == 6 else "Ip.ForwDatagrams"
            yield 0.0, plus(mark, stopped, {forwarded: 1, f"{ip}.OutTransmits": 1})
        case "reply-lost":
            yield 0.0, plus(mark, answered)
            again = plus(leaving(ip), {"Tcp.OutSegs": 1, "Tcp.RetransSegs": 1, "TcpExt.TCPSynRetrans": 1})
            for later in (1.02, 3.05, 7.1):
                yield later, again
        case "reply-held-back":
            yield 0.0, plus(mark, taken, {f"{ip}.OutRequests": 1, "Tcp.OutSegs": 1})
        case "no-way-back":
            yield 0.0, plus(mark, taken, {f"{ip}.OutNoRoutes": 1})
        case "never-arrived":
            return
        case _:
            raise AssertionError(fate)


def rounds(
    family: int, fate: str, at_s: float, *, later: str = "", raw: bool = True, pings: bool = True
) -> list[Event]:
    """All SYNs and pings of one IP version; `later` is what rounds after the first meet, where that differs."""
    ip, icmp = ("Ip6", "Icmp6") if family == 6 else ("Ip", "Icmp")
    found: list[Event] = []
    syns, echoes = SYNS[family], ECHOES[family]
    start_s = at_s + LATER_S[family]
    for number, (start, size, marked) in enumerate(zip(syns.starts_s, syns.sizes, syns.marked, strict=True)):
        met = later if later and number else fate
        for one in range(size):
            for after, what in syn(family, met, marked=marked and raw):
                found.append((start_s + start + one * SPACING_S + after, what))
    ping = plus(arriving(ip, delivered=True), leaving(ip), {f"{icmp}.InEchos": 1, f"{icmp}.OutMsgs": 1})
    for start, size in zip(echoes.starts_s, echoes.sizes, strict=True):
        found += [(start_s + start + one * SPACING_S, ping) for one in range(size if pings else 0)]
    return found


def connections(rate: float, seconds: float, seed: int, *, per: Mapping[str, int] | None = None) -> list[Event]:
    """Other connections at random times: five packets each way, accepted; or whatever else `per` says."""
    chance = random.Random(seed)
    found: list[Event] = []
    now = 0.0
    while rate and (now := now + chance.expovariate(rate)) < seconds:
        ip = chance.choice(("Ip", "Ip6"))
        segment = plus(arriving(ip, delivered=True), leaving(ip), {"Tcp.InSegs": 1, "Tcp.OutSegs": 1})
        if per is not None:
            found.append((now, per))
            continue
        found.append((now, plus(segment, {"Tcp.PassiveOpens": 1})))
        found += [(now + chance.random() * 0.05, segment) for _ in range(4)]
    return found


@dataclass
class Kernel:
    """Counters over time. `lacks`: names that it doesn't have; `stalls`: (from, to) when nothing is read."""

    events: list[Event] = field(default_factory=list)
    seconds: float = 40.0
    lacks: frozenset[str] = frozenset()
    stalls: tuple[tuple[float, float], ...] = ()
    jitter_s: float = 0.002
    seed: int = 1

    def add(self, *more: Iterable[Event]) -> Kernel:
        """More that happens."""
        for one in more:
            self.events.extend(one)
        return self

    def samples(self) -> Samples:
        """What a sampler reads."""
        chance = random.Random(self.seed)
        names = tuple(name for name in NAMES if name not in self.lacks)
        now: Counter[str] = Counter({name: chance.randrange(1 << 40) for name in names})
        times: list[float] = []
        values: list[list[int]] = []
        due = iter(sorted(self.events, key=lambda one: one[0]))
        event = next(due, None)
        at = 0.0
        while at <= self.seconds:
            while event is not None and event[0] <= at:
                now.update(event[1])
                event = next(due, None)
            if not any(start <= at < end for start, end in self.stalls):
                times.append(at)
                values.append([now[name] for name in names])
            at += STEP_S + chance.random() * self.jitter_s
        return Samples(names, times, values)
