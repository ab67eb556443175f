"""What a settled window comes to: each answer its verdict, by its kind; the silent ones counted, or told as well.

House rules of this file:
1. A packet of each shape is kept as long as the shape is in use: it stands for all of them.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from netprobe.addresses import SPECIAL
from netprobe.report import json
from netprobe.report.summary import outline
from netprobe.settling.outlets import Outlets
from netprobe.sweep.answers import LATE, RANGE_AT, TRIES_AT, Answers
from netprobe.sweep.kinds import Case, Kinds, Sample, after, tracked, verdict_of
from netprobe.sweep.space import Space
from netprobe.sweep.stamping import Numbers, Stamp
from netprobe.sweep.telling import Rows, Telling, alike
from netprobe.sweep.windows import Window

Words = NDArray[np.uint64]
Places = NDArray[np.int64]
Pairs = tuple[Words, Words, Words]
MOST_SAMPLES = 1 << 16
MOST_TRIES = 7


class Settling:
    """`silent`: tell of every silent pair as well."""

    def __init__(self, kinds: Kinds, telling: Telling, stamp: Stamp, numbers: Numbers, outlets: Outlets, *, silent: bool):
        self._kinds, self._telling, self._numbers, self._outlets = kinds, telling, numbers, outlets
        self.stamp = stamp
        self._silent = silent
        self._samples: dict[int, tuple[bytes, bytes]] = {}
        self._ranges = [
            (n, int(block.network_address), int(block.broadcast_address))
            for n, block in enumerate(SPECIAL, 1)
            if block.version == stamp.version
        ]

    def remember(self, found: Answers, data: NDArray[np.uint8], lengths: Places, space: Space) -> None:
        """Keep a packet of each shape that is new."""
        for shape, at in alike(found.shapes):
            if shape not in self._samples:
                row = int(found.rows[at[0]])
                pair = found.pairs[at[:1]]
                syn = self.stamp.packets(*space.pairs(pair))[0].tobytes()
                self._samples[shape] = syn, data[row, : int(lengths[row])].tobytes()

    def give(self, window: Window, places: Places, pairs: Pairs, now_ns: int, *, complete: bool) -> None:
        """Tell what became of these places of a window, whose addresses and ports are `pairs`."""
        high, low, ports = pairs
        keys = window.shapes[places]
        tries = np.minimum(window.tries[places], MOST_TRIES).astype(np.uint64)
        special = self._special(high, low) << np.uint64(RANGE_AT) | tries << np.uint64(TRIES_AT)
        answered = np.flatnonzero(keys)
        if window.second:
            odd = np.isin(places[answered], list(window.second))
            for n in answered[odd].tolist():
                self._contradicted(window, int(places[n]), (high[n : n + 1], low[n : n + 1], ports[n : n + 1]), now_ns)
            answered = answered[~odd]
        for key, at in alike(keys[answered] | special[answered]):
            self._tell(window, key, places[answered[at]], answered[at], pairs, now_ns)
        silent = np.flatnonzero((keys == 0) & (window.tries[places] > 0))
        if complete:
            for key, at in alike(special[silent]):
                self._tell(window, key, places[silent[at]], silent[at], pairs, now_ns)

    def _tell(self, window: Window, key: int, places: Places, at: Places, pairs: Pairs, now_ns: int) -> None:
        high, low, ports = (part[at] for part in pairs)
        tries, special = key >> TRIES_AT & 7, key >> RANGE_AT & 31
        shape = key & ~(7 << TRIES_AT | 31 << RANGE_AT)
        for port, some in alike(ports):
            case = Case(shape, tries, port, special)
            kind = self._kinds.of(case, partial(self._sample, case, high[some[:1]], low[some[:1]], ports[some[:1]]))
            if not shape and not self._silent:
                self._telling.count(kind, len(some))
                continue
            mine = places[some]
            clients, _, _ = self._numbers.of(high[some], low[some], ports[some])
            no_sender = window.high is None or window.low is None
            self._telling.tell(
                kind,
                Rows(
                    high[some], low[some], port, clients,
                    high[some] if no_sender else window.high[mine],  # type: ignore[index]
                    low[some] if no_sender else window.low[mine],  # type: ignore[index]
                    window.sent[mine], window.times[mine], now_ns,
                ),
            )  # fmt: skip

    def _sample(self, case: Case, high: Words, low: Words, ports: Words) -> Sample:
        if not case.shape:
            return Sample(self.stamp.packets(high, low, ports)[0].tobytes())
        syn, packet = self._samples[case.shape & ~LATE]
        return Sample(syn, ((after(tries=case.tries, late=bool(case.shape & LATE)), packet),))

    def _special(self, high: Words, low: Words) -> Words:
        """Which of addresses.SPECIAL each address is in, from 1; 0 for none."""
        found = np.zeros(len(low), dtype=np.uint64)
        if not len(low):
            return found
        for n, first, last in self._ranges:
            if self.stamp.version == 4:
                found[(low >= first) & (low <= last)] = n
            else:
                found[(high >= first >> 64) & (high <= last >> 64) & ((first >> 64 != last >> 64) | (low >= first & _LOW)
                      & (low <= last & _LOW))] = n  # fmt: skip
        return found

    def _contradicted(self, window: Window, place: int, pair: Pairs, now_ns: int) -> None:
        """A reset, then a SYN-ACK, for one SYN: told by its own packets."""
        second, second_ns = window.second[place]
        _, packet = self._samples[int(window.shapes[place]) & ~LATE]
        sent = int(window.sent[place])
        answers = (int(window.times[place]) - sent, redirected(packet, second)), (second_ns - sent, second)
        syn = self.stamp.packets(*pair)[0].tobytes()
        row, _ = tracked(Sample(syn, answers), int(window.tries[place]), sent)
        verdict = verdict_of(row, self._kinds.expect(int(pair[2][0])), now_ns, None)
        self._telling.causes[verdict.cause] += 1
        self._telling.states[verdict.state] += 1
        if self._outlets.lines is not None:
            self._outlets.lines(json.line(verdict).encode("ascii"))
        if self._outlets.also is not None:
            self._outlets.also(json.line(verdict), None)
        if self._outlets.outline is not None:
            self._outlets.outline(outline(verdict))


_LOW = 0xFFFFFFFFFFFFFFFF


def redirected(packet: bytes, like: bytes) -> bytes:
    """A TCP packet with the addresses, ports and acknowledgement number of another one, as if it came from there."""
    first, size, at, other = (12, 8, (packet[0] & 15) * 4, (like[0] & 15) * 4) if packet[0] >> 4 == 4 else (8, 32, 40, 40)
    found = bytearray(packet)
    found[first : first + size] = like[first : first + size]
    found[at : at + 4] = like[other : other + 4]
    found[at + 8 : at + 12] = like[other + 8 : other + 12]
    return bytes(found)
