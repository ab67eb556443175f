"""Watching: the kernel's counters, read again and again, until the marked SYNs were heard or the time is over.

House rules of this file:
1. Reading is all: three small files that anybody may read, about fifty times a second.
2. An interrupt ends it with what is known by then.
"""

from __future__ import annotations

import os
import time
from bisect import bisect_left
from collections.abc import Callable
from contextlib import ExitStack

from netprobe.doctor.collect.machine import Unavailable
from netprobe.doctor.facts import Heard, Watch
from netprobe.doctor.fingerprint import fate, find
from netprobe.doctor.fingerprint.series import NAMES, STEP_S, Samples

FILES = ("/proc/net/snmp", "/proc/net/netstat", "/proc/net/snmp6")
LOOK_EVERY_S = 4.0
_FIRST_LOOK_S = 20.0
_LOOK_AGAIN_S = 1.0  # looking takes a fifth of a second on a busy machine, and an interrupt has half of one
_PIECE = 1 << 16
_TRIES = 4  # of 0.15 ms each; amid thousands of packets a second none may be of one moment


class Counters:
    """The counters that signals are made of, read from open files. Raises Unavailable where there are none."""

    def __init__(self) -> None:
        self._opened = ExitStack()
        self._files = []
        for path in FILES:
            try:
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                continue
            self._opened.callback(os.close, descriptor)
            self._files.append((descriptor, path.endswith("6")))
        first = self._all()
        if not any(name.startswith("Tcp.") for name in first):
            self.close()
            raise Unavailable("/proc/net/snmp can't be read")
        self.names = tuple(name for name in NAMES if name in first)

    def read(self) -> list[int]:
        """Their values now."""
        found = self._all()
        return [found.get(name, 0) for name in self.names]

    def close(self) -> None:
        """Close the files."""
        self._opened.close()

    def _all(self) -> dict[str, int]:
        """Of one moment, if it can be had: until the first file says the same after the others as before them. What
        arrived between two files would else stand in one counter of a signal and not in the other, and look as if a
        filter had stopped or sent it."""
        found: dict[str, int] = {}
        texts = self._texts()
        for _ in range(_TRIES - 1):
            if self._texts(1) == texts[:1]:
                break
            texts = self._texts()
        for (_, lines), text in zip(self._files, texts, strict=True):
            found.update(_by_line(text) if lines else _by_pair(text))
        return found

    def _texts(self, count: int | None = None) -> list[str]:
        files = self._files[:count]
        return [os.pread(descriptor, _PIECE, 0).decode("ascii", "replace") for descriptor, _ in files]


def _by_pair(text: str) -> dict[str, int]:
    """snmp, netstat: a line of names, then one of numbers."""
    found = {}
    lines = text.splitlines()
    for names, numbers in zip(lines[::2], lines[1::2], strict=False):
        group, _, keys = names.partition(":")
        for key, value in zip(keys.split(), numbers.partition(":")[2].split(), strict=False):
            found[f"{group}.{key}"] = int(value)
    return found


def _by_line(text: str) -> dict[str, int]:
    """snmp6: a name and a number on each line."""
    found = {}
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        group, six, name = key.partition("6")
        if six and value.strip().isdecimal():
            found[f"{group}6.{name}"] = int(value)
    return found


def watch(seconds: float, asked: Callable[[], bool] = lambda: False) -> Watch:
    """Watch for at most so many seconds; ends early once what was heard is clear, or when `asked`. Raises
    Unavailable."""
    counters = Counters()
    times: list[float] = []
    values: list[list[int]] = []
    began = time.monotonic()
    next_look_s, looked_s = _FIRST_LOOK_S, 0.0
    heard: tuple[Heard, ...] = ()
    taken = 0
    try:
        while not asked():
            now_s = time.monotonic() - began
            times.append(now_s)
            values.append(counters.read())
            taken += 1
            if now_s >= seconds:
                break
            if now_s >= next_look_s:
                heard = _better(heard, find.heard(Samples(counters.names, times, values)))
                if _clear(heard, now_s):
                    break
                old = bisect_left(times, now_s - find.LONGEST_S)
                del times[:old], values[:old]
                over_s = find.whole_s(heard)
                now_s = looked_s = time.monotonic() - began
                next_look_s = over_s if now_s < over_s < now_s + LOOK_EVERY_S else now_s + LOOK_EVERY_S
            time.sleep(max(0.0, min(STEP_S, seconds - now_s)))
    finally:
        counters.close()
    if not heard or time.monotonic() - began - looked_s > _LOOK_AGAIN_S:
        heard = _better(heard, find.heard(Samples(counters.names, times, values)))
    ended = not asked()
    return Watch(seconds=round(times[-1] if times else 0.0, 1), samples=taken, ended=ended, heard=heard)


def _better(old: tuple[Heard, ...], new: tuple[Heard, ...]) -> tuple[Heard, ...]:
    """Of each IP version what rests on SYNs, on more rounds, what is less likely by chance, then the newer."""
    best: dict[int, Heard] = {one.family: one for one in old}
    for one in new:
        had = best.get(one.family)
        if had is None or _rank(one) >= _rank(had):
            best[one.family] = one
    return tuple(best[family] for family in sorted(best))


def _rank(one: Heard) -> tuple[bool, int, float]:
    return one.by != "pings", len(one.sizes), -one.chance


def _clear(heard: tuple[Heard, ...], now_s: float) -> bool:
    """Whether nothing more is to be expected: all rounds of what was heard are over, and their fate is certain."""
    fates = [fate.fate(one) for one in heard]
    return bool(heard) and all(one.certain for one in fates) and now_s >= find.whole_s(heard)
