"""A saved scan as a network: the prober's own packets get the answers that its recorded ones got, with their delays.

House rules of this file:
1. A command is matched to the recorded one of the same form: shape, what its port is for, TTL, DSCP; the n-th to the
   n-th. The numbers that identify it (ports, sequence number) are the new one's, in answers and in quotes, too.
2. What has no counterpart in the recording gets no answer, and is told (`unmatched`); nothing is made up.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import replace

from netprobe.model import (
    Ask,
    AuthMethodsFact,
    Command,
    Connect,
    ConnectionFact,
    Endpoint,
    Fact,
    Frame,
    Probe,
    Record,
    RouteFact,
    Say,
    Shape,
    TargetFact,
)
from netprobe.wire import headers, templates
from netprobe.wire.memory import Answer, MemoryWire
from netprobe.wire.recorder import SomeFact
from netprobe.wire.recording import DEFAULT_TTL, Connection, Flow, Recording, Sent, form
from netprobe.wire.writer import CaptureWriter

# Probes of the recording that left so close to each other are one burst: a sender's pace is 500 a second by default.
LARGEST_GAP_NS = 20_000_000


class Playback:
    """The responder of a MemoryWire: answers commands as the recording has it. `unmatched`: what it knew no answer
    to."""

    def __init__(self, recording: Recording) -> None:
        self.unmatched: list[Command] = []
        self._recording = recording
        self._purposes = recording.purposes()
        self._taken: set[int] = set()  # ids of Sent and Connection, which live as long as the recording
        self._flows: dict[Flow, Flow] = {}  # new -> recorded
        self._connections: dict[int, Connection | None] = {}
        self._last = (0, 0)  # when the probe before left: in the recording, and now

    def __call__(self, command: Command, now_ns: int) -> Iterator[Answer]:
        """What comes of a command."""
        if isinstance(command, Probe):
            yield from self._probe(command, now_ns)
        elif isinstance(command, Connect):
            found = self.connection(command)
            if found is None:
                yield command.patience_s, _given_up(command)
            else:
                yield from _replayed(command.id, found.began_ns, found.opened)
        elif isinstance(command, Ask):
            return  # the answer comes in its time after our first words
        elif (known := self._connections.get(command.id)) is not None:
            later = known.said if isinstance(command, Say) else known.hung
            if later:
                yield from _replayed(command.id, later[0].time_ns, later)
            elif isinstance(command, Say):
                self.unmatched.append(command)

    def connection(self, command: Connect) -> Connection | None:
        """The recorded connect() that this one stands for."""
        if command.id not in self._connections:
            key = (self._purposes.of(command.server), command.ttl, command.mss)
            found = next((one for one in self._recording.connections.get(key, ()) if id(one) not in self._taken), None)
            if found is None:
                self.unmatched.append(command)
            else:
                self._taken.add(id(found))
            self._connections[command.id] = found
        return self._connections[command.id]

    def _probe(self, probe: Probe, now_ns: int) -> Iterator[Answer]:
        if probe.shape is Shape.RST:  # nothing is expected of it
            yield 0.0, _leaving(probe, now_ns)
            return
        found = self._counterpart(probe)
        if found is None:
            self.unmatched.append(probe)
            blocked = self._recording.blocked.get(probe.server.address)
            if blocked is not None:
                yield 0.0, replace(blocked, port=probe.server.port)
            elif self._recording.leaves(probe):
                yield 0.0, _leaving(probe, now_ns)
            return
        leaves_ns = self._leaves_ns(found, now_ns)
        yield (leaves_ns - now_ns) / 1e9, _leaving(probe, leaves_ns)
        self._taken.add(id(found))
        self._flows[probe.client, probe.server] = found.flow
        for record in found.answers:
            delay_ns = leaves_ns - now_ns + max(0, record.time_ns - found.frame.time_ns)
            yield delay_ns / 1e9, renumbered(record, found, probe)

    def _leaves_ns(self, found: Sent, now_ns: int) -> int:
        """When a probe leaves: those of one burst as far from each other as they were, so that answers keep their
        order."""
        before, left_ns = self._last
        gap_ns = found.frame.time_ns - before
        leaves_ns = max(now_ns, left_ns + gap_ns) if 0 <= gap_ns <= LARGEST_GAP_NS else now_ns
        self._last = (found.frame.time_ns, leaves_ns)
        return leaves_ns

    def _counterpart(self, probe: Probe) -> Sent | None:
        """The recorded probe that this one stands for: one more of a conversation that began, else the next of its
        form, else the last of its form once more."""
        begun = self._flows.get((probe.client, probe.server))
        if begun is not None:
            later = self._recording.sent[begun][1:]
            found = next((one for one in later if one.shape is probe.shape and id(one) not in self._taken), None)
            if found is not None:
                return found
        ttl = DEFAULT_TTL if probe.ttl is None else probe.ttl
        same = self._recording.probes.get(form(probe.shape, self._purposes.of(probe.server), ttl, probe.tos), [])
        return next((one for one in same if id(one) not in self._taken), same[-1] if same else None)


class PlaybackWire(MemoryWire):
    """A MemoryWire on which a recording is played. `records`: all that it delivered, in order."""

    def __init__(self, recording: Recording, *, writer: CaptureWriter | None = None) -> None:
        self.playback = Playback(recording)
        self.records: list[Record] = []
        start_ns = recording.targets[0].time_ns
        super().__init__(
            self.playback,
            mode=recording.targets[0].mode,
            names=recording.names,
            routes=recording.routes,
            writer=writer,
            start_ns=start_ns,
        )
        self._ambient: list[tuple[float, Record]] = [
            (max(0, record.time_ns - start_ns) / 1e9, record) for record in recording.ambient
        ]

    def announce(self, fact: SomeFact) -> SomeFact:
        """As a MemoryWire does; with the first target begins what the recording has beside the probes."""
        announced = super().announce(fact)
        self.records.append(announced)
        if isinstance(fact, TargetFact):
            for delay_s, record in self._ambient:
                self._schedule(delay_s, record)
            self._ambient = []
        return announced

    def route(self, address: str, port: int | None = None) -> RouteFact:
        """The recorded route; one that says nothing where none was recorded."""
        found = super().route(address, port)
        known = address in self._routes
        return found if known else RouteFact(time_ns=self._now_ns, address=address, outcome="ok")

    def perform(self, command: Command) -> None:
        """Let the recording answer; it also says whether a probe left at all."""
        if not isinstance(command, Probe):
            super().perform(command)
            return
        self.commands.append((self._now_ns, command))
        for delay_s, what in self.playback(command, self._now_ns):
            assert not isinstance(what, bytes)
            self._schedule(delay_s, what)

    def receive(self, deadline_ns: int) -> list[Record]:
        """The next records; they are also kept."""
        found = super().receive(deadline_ns)
        self.records += found
        return found

    def _started(self, command: Connect) -> ConnectionFact:
        """With the recorded client, whose packets follow."""
        started = super()._started(command)
        found = self.playback.connection(command)
        return started if found is None else replace(started, client=found.client)


def _leaving(probe: Probe, now_ns: int) -> Frame:
    packet = templates.fill(probe)
    return Frame(0, now_ns, 101, packet, len(packet), True, "eth0")


def _given_up(command: Connect) -> ConnectionFact:
    return ConnectionFact(id=command.id, server=command.server, event="given-up", ttl=command.ttl, mss=command.mss)


def _replayed(number: int, since_ns: int, records: Iterable[Record]) -> Iterator[Answer]:
    """Records of a connection under the number that it has now."""
    for record in records:
        what = replace(record, id=number) if isinstance(record, ConnectionFact | AuthMethodsFact) else record
        assert isinstance(what, Frame | Fact)
        yield max(0, record.time_ns - since_ns) / 1e9, what


# --------------------------------------------------------------------------- numbers


def renumbered(frame: Frame, sent: Sent, probe: Probe) -> Frame:
    """An answer to a recorded probe as it would have been to this one."""
    place = headers.find(frame.data, frame.link_type)
    if place is None:
        return frame
    data = bytearray(frame.data)
    quoted = headers.quote(frame.data, place)
    if quoted is not None:
        sums = [place.checksum]
        if len(data) > quoted.checksum + 1 and quoted.protocol == headers.TCP:
            sums.insert(0, quoted.checksum)
        _renumber(data, quoted, sent, probe, sums, forward=True)
    else:
        source, _ = headers.ends(frame.data, place)
        port = sent.flow[0].port if place.protocol == headers.TCP else 0
        forward = source == Endpoint(sent.flow[0].address, port)
        _renumber(data, place, sent, probe, [place.checksum], forward=forward)
    return replace(frame, data=bytes(data))


def _renumber(
    data: bytearray, place: headers.Place, sent: Sent, probe: Probe, sums: list[int], *, forward: bool
) -> None:
    at = place.transport
    if place.protocol != headers.TCP:
        # An error that was cut to 8 bytes quotes no checksum of its own that would have to change: the echo's is there.
        echo_sums = sums if sums[0] == place.checksum else [place.checksum, *sums]
        headers.put(data, at + 4, struct.pack("!HH", probe.client.port & 0xFFFF, probe.seq & 0xFFFF), echo_sums)
        return
    ports = (probe.client.port, probe.server.port)
    headers.put(data, at, struct.pack("!HH", *(ports if forward else ports[::-1])), sums)
    seq_by, ack_by = probe.seq - sent.seq, probe.ack - sent.ack
    seq, ack = headers.numbers(bytes(data), place)
    acknowledges = len(data) >= at + 14 and data[at + 13] & headers.ACK
    new_seq = seq + (seq_by if forward else ack_by)
    headers.put(data, at + 4, struct.pack("!I", new_seq & 0xFFFFFFFF), sums)
    if len(data) >= at + 12 and acknowledges:
        new_ack = ack + (ack_by if forward else seq_by)
        headers.put(data, at + 8, struct.pack("!I", new_ack & 0xFFFFFFFF), sums)

