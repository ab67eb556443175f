"""The wire of an ordinary user: connect()s, their error queues, and the kernel's news; no packet is captured or
crafted.

House rules of this file:
1. One thread; only `resolve` and `wake` may be called from others.
2. `receive` never returns a record without its number, and never loses one.
"""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Iterable
from dataclasses import replace

from netprobe.errors import CannotMeasure
from netprobe.model import Ask, Command, Connect, Fact, Hang, Mode, Probe, Record, ResolvedFact, RouteFact, Say
from netprobe.wire import resolver
from netprobe.wire.clock import Clock
from netprobe.wire.connections import Connector, scope
from netprobe.wire.neighbors import Neighborhood
from netprobe.wire.netlink import NO_ARP, VALID_STATES, Kernel, Monitor
from netprobe.wire.recorder import Recorder, SomeFact
from netprobe.wire.writer import CaptureWriter


def check_interface(device: str | None) -> None:
    """Raise CannotMeasure for an interface that this machine doesn't have; None stands for any."""
    names = [name for _, name in socket.if_nameindex()]
    if device is not None and device not in names:
        raise CannotMeasure(f"There is no network interface {device!r} here. Choose one of: {', '.join(names)}.")


class ConnectWire:
    """Measures with connect() alone. `device` holds all connections to one interface; CannotMeasure when there is
    none such."""

    mode = Mode.CONNECT
    syn_window_s: float | None = None

    def __init__(self, *, writer: CaptureWriter | None = None, device: str | None = None) -> None:
        check_interface(device)
        self._clock = Clock()
        self._recorder = Recorder(writer)
        self._kernel = Kernel()
        self._monitor = Monitor()
        self._neighborhood = Neighborhood(self._kernel)
        self._poll = select.epoll()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._device = device
        self._connector = Connector(
            self._poll,
            self._clock,
            keep_data=self.mode is Mode.CONNECT,
            syn_window_s=self.syn_window_s,
            device=device,
            leaves=self._leaves,
        )
        self._poll.register(self._monitor.fileno(), select.EPOLLIN)
        self._poll.register(self._wake, select.EPOLLIN)
        self._woken = False
        self._closed = False
        self.dropped = 0
        self.heard_ns = self.now_ns()

    # ------------------------------------------------------------------ asking

    def now_ns(self) -> int:
        """Nanoseconds since the epoch; never runs backwards."""
        return self._clock.now_ns()

    def resolve(self, name: str, families: tuple[int, ...]) -> ResolvedFact:
        """The addresses of a name (`families`: 4, 6). Blocks for seconds at most; safe in any thread."""
        return resolver.resolve(name, families, self._clock)

    def route(self, address: str, port: int | None = None) -> RouteFact:
        """The kernel's route to an address. From now on changes of its interface and next hop come as facts."""
        bare, _, zone = address.partition("%")
        try:
            index = scope(zone) or (socket.if_nametoindex(self._device) if self._device else 0)
        except OSError:
            return RouteFact(time_ns=self.now_ns(), address=address, outcome="no-route")
        route = self._kernel.route(bare, port=port, oif=index)
        if route.outcome == "ok":
            self._neighborhood.use(route.ifindex, route.gateway or bare, self.now_ns())
        return RouteFact(
            time_ns=self.now_ns(),
            address=address,
            outcome=route.outcome,
            interface=route.interface,
            source=route.source,
            gateway=route.gateway,
        )

    # ------------------------------------------------------------------ doing

    def perform(self, command: Command) -> None:
        """Carry out a command. What comes of it is told by `receive`."""
        match command:
            case Connect():
                self._connector.connect(command)
            case Say():
                self._connector.say(command.id, command.data)
            case Ask():
                self._connector.ask(command)
            case Hang():
                self._connector.hang(command.id)
            case Probe():
                self._probe(command)

    def announce(self, fact: SomeFact) -> SomeFact:
        """Record a fact that the driver learnt; returns it with its number (and the time, if it had none)."""
        return self._recorder.record(fact if fact.time_ns else replace(fact, time_ns=self.now_ns()))

    def comment(self, number: int, text: str) -> None:
        """Say something about a frame in the saved file; written when the wire is closed."""
        self._recorder.comment(number, text)

    def receive(self, deadline_ns: int) -> list[Record]:
        """What happened, in order; waits for something until the deadline. Raises CaptureWriteError, once, when
        saving failed: nothing is lost by it, and the next call goes on."""
        self._recorder.check()
        while True:
            # Whoever was stopped, or kept off the processor, must not take what waits unread for what never came.
            asked_ns = self.now_ns()
            self._wait(0)
            self._work(asked_ns)
            found = self._recorder.batch(self._gather())
            self.heard_ns = asked_ns if self._drained or not found else found[-1].time_ns
            now_ns = self.now_ns()
            if found or now_ns >= deadline_ns or self._woken:
                self._woken = False
                return found
            due = [d for d in (deadline_ns, *self._due_ns()) if d is not None]
            self._wait(max(0, min(due) - now_ns) / 1e9)

    def wake(self) -> None:
        """Make `receive` return, with nothing if need be; safe in any thread and in a signal handler."""
        if not self._closed:  # a name server may answer when nobody listens any more
            os.eventfd_write(self._wake, 1)

    def close(self) -> None:
        """Close everything. Raises CaptureWriteError when the file could not be finished."""
        if self._closed:
            return
        self._closed = True
        self._connector.close()
        self._close_sockets()
        self._recorder.close()

    # ------------------------------------------------------------------ parts that a wire with privilege extends

    def _probe(self, probe: Probe) -> None:
        raise AssertionError(f"a wire without privilege was asked for {probe}")

    def _leaves(self, address: str) -> bool:
        """Whether packets to an address get past this machine: its next hop has a link address."""
        bare, _, zone = address.partition("%")
        try:
            route = self._kernel.route(bare, oif=scope(zone))
        except OSError:
            return False
        if route.outcome == "local":
            return True
        entry = self._kernel.neighbor(route.ifindex, route.gateway or bare) if route.outcome == "ok" else None
        link = self._neighborhood.links.get(route.ifindex)
        no_addresses = link is not None and (not link.address or bool(link.flags & NO_ARP))
        return no_addresses or (entry is not None and bool(entry.state & VALID_STATES))

    def _work(self, now_ns: int) -> None:
        """Do what is due."""
        self._connector.expire(now_ns)

    def _gather(self) -> Iterable[Record]:
        """What happened since the last call, without numbers."""
        facts: list[Fact] = [*self._connector.facts(), *self._neighborhood.facts()]
        return facts

    @property
    def _drained(self) -> bool:
        """Whether the last `_gather` left nothing behind."""
        return True

    def _due_ns(self) -> tuple[int | None, ...]:
        return (self._connector.due_ns(),)

    def _close_sockets(self) -> None:
        self._kernel.close()
        self._monitor.close()
        self._poll.close()
        os.close(self._wake)

    def _wait(self, seconds: float) -> None:
        for descriptor, events in self._poll.poll(seconds, 256):
            if descriptor == self._monitor.fileno():
                self._neighborhood.hear(self._monitor.news(), self.now_ns())
            elif descriptor == self._wake:
                os.eventfd_read(self._wake)
                self._woken = True
            elif self._connector.owns(descriptor):
                self._connector.handle(descriptor, events)
