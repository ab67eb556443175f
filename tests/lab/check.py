"""Checks that the wire shows in each scenario what the table says, with packets and sockets of its own and nothing of
netprobe.

House rules of this file:
1. One kernel-shaped SYN (TOS 0x48) by a raw socket, then one plain connect() that says an identification, from the
   same client.
2. The limits of ICMP are those of a stock kernel, so each client checks one scenario at a time.
"""

from __future__ import annotations

import errno
import random
import re
import select
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.lab import dns, netns
from tests.lab.packets import KERNEL_OPTIONS, SYN, Packet, parse, tcp
from tests.lab.scenario import V4, V6, Scenario
from tests.lab.topology import Lab

TOS = 0x48
OUTGOING = 4
IPV6_HDRINCL = 36  # linux/in6.h
PATIENCE_S = 3.6  # a last router gives up on a neighbour after 3 s
IDENT = b"SSH-2.0-check\r\n"


@dataclass(slots=True)
class Seen:
    """What one SYN drew: each answer with its delay; and whether our own SYN was seen leaving."""

    answers: list[tuple[float, Packet]] = field(default_factory=list)
    left: bool = False
    seq: int = 0

    def genuine(self, packet: Packet) -> bool:
        """Whether an answer knows the sequence number that we chose."""
        return (packet.seq if packet.icmp else packet.ack - 1) == self.seq


@contextmanager
def _listening() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3)) as sock:
        sock.setblocking(False)
        yield sock


def _watch(
    sock: socket.socket, seen: Seen, local: tuple[str, int], remote: tuple[str, int], began: float, until: float
) -> None:
    """Collect what belongs to our four-tuple until an answer has come (and a moment longer), or the time is over."""
    while (rest := until - time.monotonic()) > 0:
        if not select.select([sock], [], [], rest)[0]:
            return
        data, (device, _, direction, *_) = sock.recvfrom(65536)
        packet = parse(data) if device != "lo" else None
        if packet is None:
            continue
        if direction == OUTGOING:
            mine = (packet.source, packet.sport, packet.destination, packet.dport) == (*local, *remote)
            seen.left |= mine and packet.flags == SYN and packet.icmp is None
        elif packet.icmp is not None:
            if (packet.sport, packet.dport) == (local[1], remote[1]):
                seen.answers.append((time.monotonic() - began, packet))
                until = min(until, time.monotonic() + 0.1)
        elif (packet.source, packet.sport, packet.destination, packet.dport) == (*remote, *local):
            seen.answers.append((time.monotonic() - began, packet))
            until = min(until, time.monotonic() + 0.1)


def _syn(local: tuple[str, int], remote: tuple[str, int], family: int, patience_s: float) -> Seen:
    """Send one SYN from the namespace the thread is in."""
    seen = Seen(seq=random.getrandbits(31))
    packet = tcp(local, remote, SYN, seen.seq, options=KERNEL_OPTIONS, tos=TOS)
    kind = socket.AF_INET if family == V4 else socket.AF_INET6
    with _listening() as sniffer, socket.socket(kind, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        if family == V6:
            raw.setsockopt(socket.IPPROTO_IPV6, IPV6_HDRINCL, 1)
        began = time.monotonic()
        raw.sendto(packet, (remote[0], 0))
        _watch(sniffer, seen, local, remote, began, began + patience_s)
    return seen


def _connect(remote: tuple[str, int], family: int, patience_s: float) -> tuple[str, str, float]:
    """A plain connect(): errno name ("" for success), what was heard then, and the seconds until connect() ended."""
    kind = socket.AF_INET if family == V4 else socket.AF_INET6
    with socket.socket(kind, socket.SOCK_STREAM) as sock:
        sock.settimeout(patience_s)
        began = time.monotonic()
        try:
            sock.connect(remote)
        except TimeoutError:
            return "ETIMEDOUT", "", time.monotonic() - began
        except OSError as error:
            return errno.errorcode.get(error.errno or 0, "?"), "", time.monotonic() - began
        took = time.monotonic() - began
        try:
            if not select.select([sock], [], [], 0.3)[0]:  # who says nothing at first gets our identification
                sock.sendall(IDENT)
            data = sock.recv(256)
        except TimeoutError:
            return "", "SILENCE", took
        except OSError:
            return "", "RST", took
        return "", data.decode("latin-1") or "FIN", took


def _resolve(lab: Lab, scenario: Scenario) -> str:
    """What the lab's name server answers for the scenario's name."""
    labels = b"".join(bytes([len(part)]) + part.encode() for part in lab.target(scenario).split("."))
    query = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + labels + b"\0\0\1\0\1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(1)
        sock.sendto(query, (lab.node_address("dns"), 53))
        try:
            reply = sock.recv(512)
        except TimeoutError:
            return "TIMEOUT"
    code = {dns.SERVFAIL: "SERVFAIL", dns.NXDOMAIN: "NXDOMAIN", dns.REFUSED: "REFUSED"}.get(reply[3] & 15)
    return code or ("NOERROR" if reply[7] else "NODATA")


def _judge_answer(lab: Lab, scenario: Scenario, family: int, client: str, seen: Seen) -> Iterator[str]:
    wire = scenario.wire
    if not seen.answers:
        if wire.answer != "silent":
            yield f"expected {wire.answer}, got silence"
        return
    delay, packet = seen.answers[0]
    got = "icmp" if packet.icmp else packet.letters
    if got != wire.answer:
        yield f"expected {wire.answer}, got {got} {packet}"
        return
    if delay < wire.after_s:
        yield f"answered after {delay:.2f} s, expected {wire.after_s} s at least"
    sender = lab.node_address(wire.sender, family, scenario)
    if packet.icmp:
        code = wire.codes[0 if family == V4 else 1]
        if packet.icmp != code:
            yield f"expected ICMP {code}, got {packet.icmp}"
        if packet.source != sender:
            yield f"expected ICMP from {sender}, got {packet.source}"
    elif wire.tos is not None and packet.tos != wire.tos:
        yield f"expected TOS {wire.tos:#x}, got {packet.tos:#x}"
    hop = lab.hop(wire.sender, scenario, client) or 0 if wire.hop is None else wire.hop
    initial = scenario.initial_ttl if wire.sender == "target" else 64
    if hop and packet.ttl != initial - hop + 1:
        yield f"expected TTL {initial - hop + 1}, got {packet.ttl}"


def _judge_connect(scenario: Scenario, family: int, remote: tuple[str, int]) -> Iterator[str]:
    wire = scenario.wire
    expected = wire.connect6 if family == V6 and wire.connect6 is not None else wire.connect
    if expected is None:
        return
    silent = expected == "ETIMEDOUT" or wire.hears == "SILENCE"
    patience_s = 1.2 if silent else 12.0 if scenario.name.startswith("tarpit") else 7.0
    got, heard, took = _connect(remote, family, patience_s)
    if got == "ECONNRESET" and wire.hears == "RST":
        return  # the reset was there before connect() came back
    if got != expected:
        yield f"connect: expected {expected or 'success'}, got {got or 'success'} after {took:.2f} s"
    if wire.hears is None or got:
        return
    if wire.hears in ("FIN", "RST", "SILENCE"):
        if heard != wire.hears:
            yield f"expected {wire.hears} after the handshake, got {heard!r}"
    elif not re.search(wire.hears, heard, re.DOTALL):
        yield f"expected {wire.hears!r}, heard {heard!r}"


def check_one(lab: Lab, scenario: Scenario, family: int, client: str) -> list[str]:
    """What is not as the table says; empty where all is well. In the calling thread, which steps into the client."""
    with netns.entered(lab.namespace(client)):
        if scenario.site == "name":
            answer = _resolve(lab, scenario)
            return [] if answer == scenario.wire.answer else [f"expected {scenario.wire.answer}, got {answer}"]
        remote = (lab.address(scenario, family), scenario.port)
        local = (lab.node_address(client, family), 40000 if scenario.arm == "stale" else random.randrange(20000, 30000))
        if scenario.wire.answer == "nothing":
            with _listening() as sniffer:
                found = list(_judge_connect(scenario, family, remote))
                while select.select([sniffer], [], [], 0)[0]:
                    data, (device, _, direction, *_) = sniffer.recvfrom(65536)
                    packet = parse(data)
                    if packet and direction == OUTGOING and device != "lo" and packet.destination == remote[0]:
                        found.append(f"a packet left: {packet}")
            return found
        patience_s = 0.6 if scenario.wire.answer == "silent" else PATIENCE_S
        seen = _syn(local, remote, family, patience_s)
        if any(serve.kind == "forgeries" for serve in scenario.serves):
            forged = [answer for answer in seen.answers if not seen.genuine(answer[1])]
            seen.answers = [answer for answer in seen.answers if seen.genuine(answer[1])]
            if len(forged) < lab.forged:
                return [f"only {len(forged)} forged packets came"]
        found = list(_judge_answer(lab, scenario, family, client, seen))
        if not seen.left:
            found.append("our own SYN was not seen leaving")
        if scenario.arm == "limits":
            lab.prepare(scenario)
        if scenario.wire.answer == "icmp":
            time.sleep(1.1)  # the sender may tell each destination once a second only
        return found + list(_judge_connect(scenario, family, remote))


def check(lab: Lab) -> int:
    """Check every scenario of a running lab and print each that is not as the table says; the exit code."""
    began = time.monotonic()
    lanes: dict[str, list[tuple[Scenario, int]]] = {}
    for turn, scenario in enumerate(lab.scenarios):
        for family in scenario.families:
            lanes.setdefault(lab.client_for(scenario, turn), []).append((scenario, family))

    def lane(client: str) -> list[tuple[str, int, str]]:
        return [
            (scenario.name, family, fault)
            for scenario, family in lanes[client]
            for fault in check_one(lab, scenario, family, client)
        ]

    with ThreadPoolExecutor(max_workers=len(lanes) or 1) as pool:
        faults = sorted(fault for found in pool.map(lane, lanes) for fault in found)
    for name, family, fault in faults:
        print(f"{name:28} IPv{family}  {fault}")
    total = sum(len(work) for work in lanes.values())
    print(f"{total} checks in {time.monotonic() - began:.1f} s: {len(faults) or 'no'} faults")
    return 1 if faults else 0
