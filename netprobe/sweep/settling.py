"""What a settled window comes to: each answer its verdict, by its kind; the silent ones counted, or told as well.

House rules of this file:
1. A packet of each shape is kept as long as the shape is in use: it stands for all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from netprobe.addresses import SPECIAL
from netprobe.sweep.answers import LATE, RANGE_AT, TRIES_AT, Answers
from netprobe.sweep.charting import Chart
from netprobe.sweep.kinds import Case, Kinds, Sample, after, tracked, verdict_of
from netprobe.sweep.limits import NOBODY, Limits, from_target, is_error
from netprobe.sweep.limits import place as place_of
from netprobe.sweep.permutation import mixed
from netprobe.sweep.second import SecondLook
from netprobe.sweep.space import Space
from netprobe.sweep.stamping import Numbers, Stamp
from netprobe.sweep.telling import Rows, Telling, alike
from netprobe.sweep.windows import Window
from netprobe.wire.bulk import texts

Words = NDArray[np.uint64]
Places = NDArray[np.int64]
Pairs = tuple[Words, Words, Words]
MOST_SAMPLES = 1 << 16
MOST_TRIES = 7
HELD = -2  # a silent pair that will be asked again
_NONE = np.zeros(0, dtype=np.int64)


class Settling:
    """`silent`: tell of every silent pair as well."""

    def __init__(
        self,
        kinds: Kinds,
        telling: Telling,
        stamp: Stamp,
        numbers: Numbers,
        second: SecondLook,
        *,
        silent: bool,
    ) -> None:
        self._kinds, self.telling, self._numbers = kinds, telling, numbers
        self._second = second
        self.stamp = stamp
        self.limits = Limits()
        # Told of the groups that limit; takes places of the order that shall be asked again slowly, if it has room.
        self.limited: Callable[[int], None] = lambda _: None
        self.hold: Callable[[Places, Places], bool] | None = None
        self.chart: Chart | None = None
        self._silent = silent
        self.in_use: Callable[[], set[int]] = lambda: set(self._samples)  # the shapes of what has not settled
        self._samples: dict[int, tuple[bytes, bytes]] = {}
        self._ranges = [
            (n, int(block.network_address), int(block.broadcast_address))
            for n, block in enumerate(SPECIAL, 1)
            if block.version == stamp.version
        ]

    def remember(self, found: Answers, data: NDArray[np.uint8], lengths: Places, space: Space) -> None:
        """Keep a packet of each shape that is new."""
        if len(self._samples) > MOST_SAMPLES:
            used = self.in_use()
            self._samples = {shape: sample for shape, sample in self._samples.items() if shape in used}
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
        owned: dict[int, Places] = {}
        if len(answered):
            owned = self._note_limits(window, places[answered], (high[answered], low[answered]), keys[answered])
        silent = np.flatnonzero((keys == 0) & (window.tries[places] > 0))
        if not complete or not len(silent):
            return
        suspects = np.full(len(silent), NOBODY, dtype=np.int64)
        if not window.slow:
            suspects = self._suspects(window, places, silent, (high, low), owned)
        silent, suspects = silent[suspects != HELD], suspects[suspects != HELD]
        for key, at in alike(special[silent] | (suspects + 1).astype(np.uint64)):
            self._tell(window, key, places[silent[at]], silent[at], pairs, now_ns)

    def _note_limits(
        self, window: Window, places: Places, addresses: tuple[Words, Words], shapes: Words
    ) -> dict[int, Places]:
        """Note whose errors came where, and where something else did. By group, which first SYNs drew an error."""
        owned: dict[int, Places] = {}
        owners = np.full(len(places), NOBODY, dtype=np.int64)
        errors = np.flatnonzero(is_error(shapes))
        if len(errors) and window.high is not None and window.low is not None:
            high, low = window.high[places[errors]], window.low[places[errors]]
            own = from_target(shapes[errors])
            kinds = shapes[errors] & np.uint64(0xFFFF)
            marks = np.where(own, kinds, mixed(high ^ mixed(low)) | np.uint64(1 << 16))
            for _, at in alike(marks):
                one = at[0]
                sender = (0, 0) if own[one] else (int(high[one]), int(low[one]))
                name = texts(self.stamp.version, high[one : one + 1], low[one : one + 1])[0]
                group = self.limits.group(sender, int(kinds[one]) if own[one] else 0, name)
                owners[errors[at]] = group
                if group != NOBODY:
                    theirs = places[errors[at]]
                    self.limits.groups[group].note(window.times[theirs])
                    first = theirs[window.tries[theirs] == 1]
                    owned[group] = np.concatenate((owned.get(group, _NONE), first))
        self.limits.note(place_of(*addresses, self.stamp.version), owners)
        return owned

    def _suspects(
        self, window: Window, places: Places, silent: Places, addresses: tuple[Words, Words], owned: dict[int, Places]
    ) -> Places:
        """By whose limit each silent pair may be so; those that will be asked again slowly are told then."""
        high, low = addresses
        found = self.limits.suspects(place_of(high[silent], low[silent], self.stamp.version))
        for group in np.unique(found[found != NOBODY]).tolist():
            suspected = np.flatnonzero(found == group)
            known = self.limits.groups[group]
            known.judge(owned.get(group, _NONE), places[silent[suspected]])
            if not known.limited and known.step_s is None:
                found[suspected] = NOBODY
                continue
            self.limited(group)
            asked = window.of_order(places[silent[suspected]])
            if self.hold is not None and self.hold(asked, found[suspected]):
                found[suspected] = HELD
        return found

    def _tell(self, window: Window, key: int, places: Places, at: Places, pairs: Pairs, now_ns: int) -> None:
        high, low, ports = (part[at] for part in pairs)
        tries, special = key >> TRIES_AT & 7, key >> RANGE_AT & 31
        shape = key & ~(7 << TRIES_AT | 31 << RANGE_AT)
        limiter = None
        if not window.shapes[places[0]]:  # silent: what is left of the key is the limiter's number, from 1
            limiter = self.limits.named(shape - 1) if shape else None
            shape = 0
        for port, some in alike(ports):
            case = Case(shape, tries, port, special, limiter)
            kind = self._kinds.of(case, partial(self._sample, case, high[some[:1]], low[some[:1]], ports[some[:1]]))
            if self.chart is not None:
                self.chart.note(kind.verdict.cause, high[some], low[some], port)
            if not shape and limiter is None and not self._silent:
                self.telling.count(kind, len(some))
                continue
            mine = places[some]
            clients, _, _ = self._numbers.of(high[some], low[some], ports[some])
            no_sender = window.high is None or window.low is None
            rows = Rows(
                high[some], low[some], port, clients,
                high[some] if no_sender else window.high[mine],  # type: ignore[index]
                low[some] if no_sender else window.low[mine],  # type: ignore[index]
                window.sent[mine], window.times[mine], now_ns,
            )  # fmt: skip
            if shape:
                rows = self._second.hold_back(kind, rows)
            if len(rows.low):
                self.telling.tell(kind, rows)

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
                found[_at_least(high, low, first) & ~_at_least(high, low, last + 1)] = n
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
        self.telling.give(verdict)


def _at_least(high: Words, low: Words, number: int) -> NDArray[np.bool_]:
    """Which 128-bit numbers are at least this one."""
    top, bottom = number >> 64, number & 0xFFFFFFFFFFFFFFFF
    return np.asarray((high > top) | ((high == top) & (low >= bottom)))


def redirected(packet: bytes, like: bytes) -> bytes:
    """A TCP packet with the addresses, ports and acknowledgement number of another one, as if it came from there."""
    first, size, at, other = 8, 32, 40, 40
    if packet[0] >> 4 == 4:
        first, size, at, other = 12, 8, (packet[0] & 15) * 4, (like[0] & 15) * 4
    found = bytearray(packet)
    found[first : first + size] = like[first : first + size]
    found[at : at + 4] = like[other : other + 4]
    found[at + 8 : at + 12] = like[other + 8 : other + 12]
    return bytes(found)
