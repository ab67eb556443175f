"""A scripted network with a clock of its own: whole scans without a socket and without waiting.

House rules of this file:
1. The same script gives the same records, every time; nothing here reads a clock.
2. What leaves is recorded as on a real wire: a crafted probe is an outgoing frame, a connect() begins with a
   `started` fact.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from netprobe.model import (
    Command,
    Connect,
    ConnectionFact,
    Endpoint,
    Fact,
    Frame,
    Mode,
    Probe,
    Record,
    ResolvedFact,
    RouteFact,
)
from netprobe.wire import templates
from netprobe.wire.recorder import Recorder, SomeFact
from netprobe.wire.writer import CaptureWriter

LINKTYPE_RAW = 101
START_NS = 1_700_000_000_000_000_000
_FIRST_PORT = 40000

# What comes of a command: after how many seconds, an IP packet that arrives, a frame, or a fact.
Answer = tuple[float, bytes | Frame | Fact]
Responder = Callable[[Command, int], Iterable[Answer]]


class MemoryWire:
    """`responder(command, now_ns)` says what comes of each command. Names and routes that are not
    given: an address is its own answer, and every address is on-link behind eth0, we being 192.0.2.1 or 2001:db8::1."""

    def __init__(
        self,
        responder: Responder,
        *,
        mode: Mode = Mode.RAW,
        names: Mapping[str, ResolvedFact] | None = None,
        routes: Mapping[str, RouteFact] | None = None,
        writer: CaptureWriter | None = None,
        start_ns: int = START_NS,
    ) -> None:
        self.mode = mode
        self.dropped = 0
        self.commands: list[tuple[int, Command]] = []
        self._responder = responder
        self._names = names or {}
        self._routes = routes or {}
        self._now_ns = start_ns
        self._recorder = Recorder(writer)
        self._order = itertools.count()
        self._events: list[tuple[int, int, Record]] = []
        self._ports = itertools.count(_FIRST_PORT)
        self._woken = False

    def now_ns(self) -> int:
        """The scripted time."""
        return self._now_ns

    @property
    def heard_ns(self) -> int:
        """The scripted time: nothing waits unread."""
        return self._now_ns

    def resolve(self, name: str, families: tuple[int, ...]) -> ResolvedFact:
        """What the script says of a name; an address is its own answer, an unknown name isn't found."""
        if name in self._names:
            return replace(self._names[name], time_ns=self._now_ns)
        literal = ":" in name or name.replace(".", "").isdecimal()
        addresses = (name,) if literal and (6 if ":" in name else 4) in families else ()
        outcome = "ok" if addresses else "not-found"
        return ResolvedFact(time_ns=self._now_ns, name=name, outcome=outcome, addresses=addresses)

    def route(self, address: str, port: int | None = None) -> RouteFact:  # noqa: ARG002 (the script knows no policy routes)
        """What the script says of a route; every address is on-link behind eth0 otherwise."""
        if address in self._routes:
            return replace(self._routes[address], time_ns=self._now_ns)
        source = "2001:db8::1" if ":" in address else "192.0.2.1"
        return RouteFact(time_ns=self._now_ns, address=address, outcome="ok", interface="eth0", source=source)

    def announce(self, fact: SomeFact) -> SomeFact:
        """Record a fact that the driver learnt."""
        return self._recorder.record(fact if fact.time_ns else replace(fact, time_ns=self._now_ns))

    def comment(self, number: int, text: str) -> None:
        """Say something about a frame in the saved file."""
        self._recorder.comment(number, text)

    def perform(self, command: Command) -> None:
        """Record what leaves, and let the script answer."""
        self.commands.append((self._now_ns, command))
        if isinstance(command, Probe):
            assert self.mode is Mode.RAW, f"a wire without privilege was asked for {command}"
            self._schedule(0, self._frame(templates.fill(command), outgoing=True))
        elif isinstance(command, Connect):
            self._schedule(0, self._started(command))
        for delay_s, what in self._responder(command, self._now_ns):
            self._schedule(delay_s, self._frame(what, outgoing=False) if isinstance(what, bytes) else what)

    def receive(self, deadline_ns: int) -> list[Record]:
        """The next records of the script; the clock jumps to them, or to the deadline."""
        self._recorder.check()
        if self._woken or not self._events or self._events[0][0] > deadline_ns:
            self._now_ns = self._now_ns if self._woken else max(self._now_ns, deadline_ns)
            self._woken = False
            return self._recorder.batch(())
        self._now_ns = max(self._now_ns, self._events[0][0])
        found = []
        while self._events and self._events[0][0] <= self._now_ns:
            time_ns, _, record = heapq.heappop(self._events)
            found.append(replace(record, time_ns=time_ns))
        return self._recorder.batch(found)

    def wake(self) -> None:
        """Make the next `receive` return at once."""
        self._woken = True

    def close(self) -> None:
        """Finish the file, if there is one."""
        self._recorder.close()

    def _schedule(self, delay_s: float, record: Record) -> None:
        heapq.heappush(self._events, (self._now_ns + int(delay_s * 1e9), next(self._order), record))

    def _frame(self, packet: bytes, *, outgoing: bool) -> Frame:
        return Frame(0, self._now_ns, LINKTYPE_RAW, packet, len(packet), outgoing, "eth0")

    def _started(self, command: Connect) -> ConnectionFact:
        """The fact that a kernel gives first. The script may answer with facts of its own, under the same id."""
        source = self.route(command.server.address).source
        port = command.source_port or next(self._ports)
        return ConnectionFact(
            id=command.id,
            server=command.server,
            event="started",
            client=Endpoint(source, port) if source else None,
            ttl=command.ttl,
            mss=command.mss,
        )
