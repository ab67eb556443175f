"""Attempts of a capture, each with its kind: the class of like ones that share a diagnosis."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from netprobe.addresses import SPECIAL
from netprobe.attempts import Attempt, Form, Segment, attempt, words
from netprobe.evidence import collect, host_of
from netprobe.model import Mode, Service, TargetFact, Verdict
from netprobe.settling.patterns import FIRST_WINDOW, MADE_UP, MARKS, PORTS, Pattern, pattern
from netprobe.settling.sessions import Sessions
from netprobe.tracker import Engine, Tracker, columns
from netprobe.tracker.classes import K_SESSION, KEY, PRIME, RANGE, SSH_PORT, settled_ns
from netprobe.tracker.rows import server_room
from netprobe.verdict import diagnose

Row = Sequence[int]


@dataclass(slots=True)
class Kind:
    """A class of attempts. `verdict` is that of its first row, with made-up endpoints; `pattern` None where each row is
    diagnosed for itself. `number`: its place among those of its table."""

    verdict: Verdict
    pattern: Pattern | None
    number: int


class Settling:
    """The attempts of one capture, in a table whose rows are used again. `sessions`: SSH sessions are read."""

    def __init__(
        self, engine: Engine, capacity: int = 64, vantage: str | None = None, depth: int = 0, *, sessions: bool = True
    ) -> None:
        self._engine = engine
        self._vantage = vantage
        self.vantages: Counter[str] = Counter()  # attempts by the side they were captured on
        self.tracker = Tracker(reuses=True, sessions=sessions, engine=engine, capacity=capacity, depth=depth)
        self.sessions = Sessions(self.tracker)
        self._kinds: dict[bytes, Kind] = {}
        self.known: list[Kind] = []  # by their numbers
        self._ranges = engine.integers(RANGE * len(SPECIAL))
        self._made_up: list[str] = []
        for n, network in enumerate(SPECIAL):
            mask, value = words(str(network.netmask)), words(str(network.network_address))
            self._ranges[n * RANGE : (n + 1) * RANGE] = _integers(engine, (network.version, *mask, *value))
            odd = 0xD5F1C5F1D5F1C5F1D5F1C5F1D5F1C5F1 & int(network.hostmask)
            self._made_up.append(str(network.network_address + odd))
        self._secret = _integers(engine, _SECRET)
        self._mixers = _integers(engine, [secrets.randbits(62) | 1 for _ in range(KEY)])
        self._keys: Any = engine.integers(0)

    def kinds(self, settled: Sequence[int]) -> Iterator[tuple[int, Kind]]:
        """The rows among `settled` that are connection attempts, each with its class."""
        if self._engine.compiled:
            rows, numbers = self.numbered(settled)
            yield from zip(rows.tolist(), map(self.known.__getitem__, numbers.tolist()), strict=True)
            return
        import array

        self._classify(settled, len(settled))
        packed = array.array("q", self._keys[: len(settled) * KEY]).tobytes()
        width = 8 * KEY
        for n, row in enumerate(settled):
            key = packed[n * width : (n + 1) * width]
            if key[:8] == _NO_ATTEMPT:
                continue
            kind = self._kind(key, row)
            self.vantages[kind.verdict.vantage or "unknown"] += 1
            yield row, kind

    def numbered(self, settled: Sequence[int]) -> tuple[Any, Any]:
        """As `kinds`, for compiled code: two arrays, rows and the numbers of their kinds in `known`."""
        import numpy as np

        self._classify(settled, len(settled))
        keys = self._keys[: len(settled) * KEY].reshape(-1, KEY)
        attempts = keys[:, 0] != -1
        keys, rows = keys[attempts], np.array(settled, dtype=np.int64)[attempts]
        _, firsts, which = np.unique(keys @ self._mixers, return_index=True, return_inverse=True)
        if not np.array_equal(keys[firsts][which], keys):  # two keys that mix to the same number
            firsts = which = np.arange(len(keys))
        kinds = [self._kind(keys[i].tobytes(), int(rows[i])) for i in firsts.tolist()]
        for kind, count in zip(kinds, np.bincount(which, minlength=len(kinds)).tolist(), strict=True):
            self.vantages[kind.verdict.vantage or "unknown"] += count
        return rows, np.array([kind.number for kind in kinds], dtype=np.int64)[which]

    def _classify(self, settled: Sequence[int], count: int) -> None:
        """The keys of these rows, in `_keys`."""
        if len(self._keys) < count * KEY:
            self._keys = self._engine.integers(2 * count * KEY)
        tracker = self.tracker
        self._engine.functions.classify(
            tracker.table,
            _integers(self._engine, settled),
            count,
            tracker.clock_ns,
            tracker.talks,
            self._ranges,
            self._secret,
            self._keys,
        )

    def verdict(self, row: int) -> Verdict:
        """The verdict of one row."""
        return diagnose(self._evidence(self.tracker.table[row]))

    def line(self, row: int, kind: Kind) -> str:
        """The JSON line of one row."""
        r = self.tracker.table[row]
        if kind.pattern is not None:
            return kind.pattern.line(r, self.tracker.clock_ns)
        from netprobe.report import json

        return json.line(diagnose(self._evidence(r)))

    # ------------------------------------------------------------------ diagnosis

    def _kind(self, key: bytes, row: int) -> Kind:
        """The class of a key. Its first row is diagnosed, with made-up endpoints in place of its own."""
        kind = self._kinds.get(key)
        if kind is None:
            kind = self._kinds[key] = Kind(*self._made(key, _plain(self.tracker.table[row])), len(self.known))
            self.known.append(kind)
        return kind

    def _made(self, key: bytes, r: list[int]) -> tuple[Verdict, Pattern | None]:
        """The same for all captures of this process: many a capture has the kinds of the one before."""
        same = self._vantage, key[:_BEFORE_SESSION], self.sessions.service(r)
        found = _MADE.get(same)
        if found is None:
            if len(_MADE) >= _MOST_MADE:
                forget()
            found = _MADE[same] = self._diagnosed(r)
        return found

    def _diagnosed(self, r: list[int]) -> tuple[Verdict, Pattern | None]:
        version = r[columns.VERSION]
        server, client, sender = MADE_UP[version]
        for n, network in enumerate(SPECIAL):
            if network.version == version and _inside(r, self._ranges, n):
                server = self._made_up[n]
                break
        own = {part: r[part : part + 4] for part in (columns.SERVER, columns.CLIENT, _SENDER)}
        if own[columns.CLIENT] == own[columns.SERVER]:
            client = server
        if own[_SENDER] == own[columns.SERVER]:
            sender = server
        elif own[_SENDER] == own[columns.CLIENT]:
            sender = client
        _put(r, columns.SERVER, server)
        _put(r, columns.CLIENT, client)
        has_icmp = bool(r[columns.ICMP + columns.I_FRAME])
        if has_icmp:
            _put(r, _SENDER, sender)
        if r[columns.SPORT] != SSH_PORT:
            r[columns.SPORT] = PORTS[0]
        if r[columns.CPORT]:
            r[columns.CPORT] = PORTS[1]
        for n in range(15):
            block = columns.BLOCKS + n * columns.BLOCK_WIDTH
            if block not in (columns.FIRST, columns.SYNACK, columns.RST) and r[block + columns.WINDOW]:
                r[block + columns.WINDOW] = FIRST_WINDOW + n
        e = self._evidence(r)
        e.named = {name: mark for name, (mark, _) in MARKS.items()}
        verdict = diagnose(e)
        return verdict, pattern(verdict, r, server, client, sender if has_icmp else None)

    def _evidence(self, actual: Row) -> Any:
        """All evidence for one row, as the driver of a live scan would collect it."""
        r = _plain(actual)
        a = attempt(r)
        service = self.sessions.service(r)
        if service is not None:
            a = replace(a, service=service)
        target = as_target(a)
        now = settled_ns(r, self.tracker.clock_ns)
        return collect(target, [a], (), self._payload(r), now, host_of(r), self._vantage)

    def _payload(self, r: Row) -> Callable[[Segment], bytes]:
        talks, at = self.tracker.talks, (r[columns.TALK] - 1) * columns.TALK_WIDTH

        def payload(segment: Segment) -> bytes:
            if not r[columns.TALK]:
                return b""
            end = min(segment.offset + segment.seen, server_room(talks, at))
            return bytes(talks[at + segment.offset : at + end])

        return payload


# What keys have come to, by vantage, key and SSH session; the numbers of sessions are those of one capture.
_MADE: dict[tuple[str | None, bytes, Service | None], tuple[Verdict, Pattern | None]] = {}
_MOST_MADE = 4096
_BEFORE_SESSION = 8 * K_SESSION
# Hashes what was said: whoever makes captures doesn't know it.
_SECRET = (secrets.randbelow(PRIME - 2) + 1, secrets.randbelow(PRIME - 2) + 1)
_SENDER = columns.ICMP + columns.I_SENDER
_NO_ATTEMPT = b"\xff" * 8


def forget() -> None:
    """Whatever captures have taught this process."""
    _MADE.clear()


def as_target(a: Attempt) -> TargetFact:
    """What a connection attempt of a stranger's capture was after: its port says what was expected."""
    return TargetFact(
        target=a.server.address,
        address=a.server.address,
        port=a.server.port,
        mode=Mode.RAW,
        expect="ssh" if a.server.port == SSH_PORT or a.form is not Form.SYN else "any",
    )


def _integers(engine: Engine, values: Sequence[int]) -> Any:
    if not engine.compiled:
        return list(values)
    import numpy as np

    return np.array(values, dtype=np.int64)


def _plain(r: Row) -> list[int]:
    """A row of Python's own integers, its own copy."""
    return r.tolist() if hasattr(r, "tolist") else list(r)


def _inside(r: Row, ranges: Sequence[int], n: int) -> bool:
    at = n * RANGE
    return all(r[columns.SERVER + i] & ranges[at + 1 + i] == ranges[at + 5 + i] for i in range(4))


def _put(r: list[int], at: int, text: str) -> None:
    r[at : at + 4] = words(text)
