"""The wire: where records come from and commands go to; the only home of sockets, scapy, capture files and clocks.

Glossary, and the way of a record:

    Wire         what a driver holds: commands in (`perform`), numbered records out (`receive`)
    LiveWire     captures, crafts and connects (needs CAP_NET_RAW once)       live.py
    ConnectWire  connects, as any user may                                    connect.py
    MemoryWire   a scripted network with a clock of its own, for tests        memory.py
    Playback     a saved scan as such a network                               playback.py, recording.py, headers.py
    Tap          the capture socket: packets become frames                    tap.py, bpf.py, relevance.py
    Sender       crafted probes, to the neighbour that the route names        sender.py, neighbors.py, templates.py
    Connector    the kernel's connect()s become facts                         connections.py, error_queue.py
    Kernel       routes, neighbours, links                                    netlink.py
    Recorder     the one counter, and the file                                recorder.py, writer.py, facts.py
    CaptureReader  a file becomes records again                               capture.py, pcapng.py, pcap.py
    Batch        thousands of its frames at once, for large files             batches.py, index.py

This file imports nothing of the above: what starts fast stays fast.
"""

from __future__ import annotations

from typing import Protocol, TypeVar

from netprobe.model import Command, Fact, Mode, Record, ResolvedFact, RouteFact

SomeFact = TypeVar("SomeFact", bound=Fact)


class Wire(Protocol):
    """What a scan needs of the world. One thread holds it; only `resolve` and `wake` may be called from others."""

    @property
    def mode(self) -> Mode:
        """RAW or CONNECT. A Probe may only be performed in RAW."""

    @property
    def dropped(self) -> int:
        """Packets that the capture lost so far."""

    @property
    def heard_ns(self) -> int:
        """All that happened up to this time has been returned by `receive`: what isn't known by now did not happen.
        Behind `now_ns` by as long as this process was kept waiting since."""

    def now_ns(self) -> int:
        """Nanoseconds since the epoch; never runs backwards."""

    def resolve(self, name: str, families: tuple[int, ...]) -> ResolvedFact:
        """The addresses of a name (families: 4, 6), without a number yet. Blocks for seconds at most; safe in any
        thread."""

    def route(self, address: str, port: int | None = None) -> RouteFact:
        """The kernel's route to an address, without a number yet. Doesn't block."""

    def announce(self, fact: SomeFact) -> SomeFact:
        """Record a fact that the driver learnt; returns it with its number, and with the time if it had none."""

    def comment(self, number: int, text: str) -> None:
        """Say something about a frame in the saved file, or, with number 0, about the file; written by `close`."""

    def perform(self, command: Command) -> None:
        """Carry out a command. Never raises for what the network does: that comes as a record."""

    def receive(self, deadline_ns: int) -> list[Record]:
        """What happened, in order; waits for something until the deadline. Raises CaptureWriteError, once, when
        saving failed: no record is lost by it, and the next call goes on."""

    def wake(self) -> None:
        """Make `receive` return, empty if need be; safe in any thread and in a signal handler."""

    def close(self) -> None:
        """Close all. Raises CaptureWriteError when the file could not be finished."""
