"""Three namespaces (client, server, a machine behind the server), real SYNs, and what the kernel answers to each.

House rules of this file:
1. Neighbours are written down, not asked for, so that a rule that drops everything drops only what is
   asked about.
2. Every SYN has a source port of its own: an answer that comes late still belongs to its question.
"""

from __future__ import annotations

import ipaddress
import os
import select
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from netprobe.doctor.firewall import Host
from tests.lab import netns

TOS = 0x48  # a Linux stack copies the DSCP into its own reset; netfilter's has none
LISTENING = (22, 80)
BEHIND = (22,)  # ports open on the machine behind
PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
SETTLE_S = 0.04
PATIENCE_S = 2.0
SERVER = {
    "e0": ("192.0.2.1", "2001:db8:1::1"),
    "e1": ("198.51.100.1", "2001:db8:2::1"),
    "b0": ("203.0.113.1", "2001:db8:3::1"),
}
CLIENT = {
    "e0": ("192.0.2.10", "192.0.2.11", "192.0.2.130", "2001:db8:1::10", "2001:db8:1::11", "2001:db8:1:0:8000::1"),
    "e1": ("198.51.100.10", "198.51.100.77", "2001:db8:2::10"),
}
BACKEND = ("203.0.113.2", "2001:db8:3::2")
HOST = Host(
    interfaces={
        "lo": ("127.0.0.1/8", "::1/128"),
        **{name: tuple(f"{one}/{64 if ':' in one else 24}" for one in both) for name, both in SERVER.items()},
    },
    forwarding={4: True, 6: True},
)
Seen = str | tuple[int, int]  # syn-ack, rst-stack, rst-filter, silence, or ICMP's (type, code)


@dataclass(frozen=True, slots=True)
class Question:
    """A SYN that is sent."""

    interface: str
    source: str
    destination: str
    port: int
    source_port: int


def mac(interface: str, side: str) -> bytes:
    """Fixed link-layer addresses."""
    return bytes([2, 0, 0, 0, ord(interface[0]) * 2 + int(interface[1]) & 255, ord(side)])


def checksum(data: bytes) -> int:
    """RFC 1071."""
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    total = (total & 0xFFFF) + (total >> 16)
    return int(~(total + (total >> 16)) & 0xFFFF)


def syn(question: Question) -> bytes:
    """The frame of a SYN."""
    src, dst = (ipaddress.ip_address(one).packed for one in (question.source, question.destination))
    body = struct.pack(
        "!HHIIBBHHHBBH", question.source_port, question.port, 0x1000, 0, 6 << 4, 2, 64240, 0, 0, 2, 4, 1460
    )
    pseudo = (
        src
        + dst
        + (struct.pack("!BBH", 0, 6, len(body)) if len(src) == 4 else struct.pack("!IHBB", len(body), 0, 0, 6))
    )
    body = body[:16] + struct.pack("!H", checksum(pseudo + body)) + body[18:]
    if len(src) == 4:
        header = struct.pack("!BBHHHBBH", 0x45, TOS, 20 + len(body), question.source_port, 0x4000, 64, 6, 0) + src + dst
        header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
    else:
        header = struct.pack("!IHBB", 6 << 28 | TOS << 20, len(body), 6, 64) + src + dst
    kind = b"\x08\x00" if len(src) == 4 else b"\x86\xdd"
    return mac(question.interface, "S") + mac(question.interface, "C") + kind + header + body


def address(raw: bytes) -> str:
    """Canonical text."""
    return str(ipaddress.ip_address(raw))


def read(frame: bytes) -> tuple[tuple[str, int], tuple[str, int], Seen] | None:
    """((our address, our port), (who answers, its port), what is seen) of an answer; None of any other frame."""
    kind, packet = frame[12:14], frame[14:]
    if kind == b"\x08\x00":
        at = (packet[0] & 15) * 4
        protocol, tos, src, dst, rest = packet[9], packet[1], packet[12:16], packet[16:20], packet[at:]
    elif kind == b"\x86\xdd":
        protocol, tos, src, dst, rest = (
            packet[6],
            (packet[0] << 4 | packet[1] >> 4) & 255,
            packet[8:24],
            packet[24:40],
            packet[40:],
        )
    else:
        return None
    if protocol == 6 and len(rest) >= 20:
        sport, dport, flags = *struct.unpack("!HH", rest[:4]), rest[13]
        seen = (
            "syn-ack"
            if flags & 0x12 == 0x12
            else ("rst-stack" if tos & 0xFC == TOS else "rst-filter")
            if flags & 4
            else ""
        )
        return ((address(dst), dport), (address(src), sport), seen) if seen else None
    if protocol in {1, 58} and len(rest) >= 36 and (rest[0] == 3 if protocol == 1 else rest[0] == 1):
        inner = rest[8:]
        four = protocol == 1
        ports = inner[(inner[0] & 15) * 4 :] if four else inner[40:]
        ends = (inner[12:16], inner[16:20]) if four else (inner[8:24], inner[24:40])
        sport, dport = struct.unpack("!HH", ports[:4])
        if len(ports) >= 14 and ports[13] != 2:
            return None  # about the reset with which the client's kernel answers a SYN-ACK
        return (address(ends[0]), sport), (address(ends[1]), dport), (rest[0], rest[1])
    return None


class Bench:
    """The three namespaces while they stand."""

    def __init__(self) -> None:
        self.prefix = f"np{os.getpid():06x}f-"
        self.client, self.server, self.backend = (self.prefix + name for name in ("client", "server", "behind"))
        self.sockets: dict[str, socket.socket] = {}
        self.listeners: list[socket.socket] = []
        self.answers: dict[tuple[str, int], set[tuple[tuple[str, int], Seen]]] = {}
        self.next_port = 20000

    def __enter__(self) -> Self:
        try:
            self._build()
        except BaseException:
            netns.remove(self.prefix)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for one in [*self.sockets.values(), *self.listeners]:
            one.close()
        netns.remove(self.prefix)

    def _build(self) -> None:
        netns.ip_batch(f"netns add {name}" for name in (self.client, self.server, self.backend))
        for name in ("e0", "e1", "b0"):
            far = self.client if name != "b0" else self.backend
            ends = [mac(name, side).hex(":") for side in "SC"]
            netns.ip_batch(
                [
                    (
                        f"link add {name} netns {self.server} address {ends[0]} type veth"
                        f" peer name {name} netns {far} address {ends[1]}"
                    )
                ]
            )
        for space in (self.client, self.server, self.backend):
            quiet = [(f"ipv6/conf/{which}/accept_dad", "0") for which in ("all", "default")]
            quiet += [(f"ipv4/conf/{which}/rp_filter", "0") for which in ("all", "default")]
            netns.sysctl(space, quiet)
        self._limits_off(self.server)
        self._limits_off(self.backend)
        forwards = [("ipv4/ip_forward", "1"), ("ipv6/conf/all/forwarding", "1"), ("ipv4/tcp_synack_retries", "0")]
        netns.sysctl(
            self.server,
            [*forwards, ("ipv4/tcp_syncookies", "0"), ("ipv4/tcp_max_syn_backlog", "8192"), ("core/somaxconn", "8192")],
        )
        netns.sysctl(
            self.backend,
            [("ipv4/tcp_synack_retries", "0"), ("core/somaxconn", "8192"), ("ipv4/tcp_max_syn_backlog", "8192")],
        )
        self._address()
        self.listeners = [*self._listen(self.server, LISTENING), *self._listen(self.backend, BEHIND)]
        with netns.entered(self.client):
            for name in CLIENT:
                one = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
                one.bind((name, 0))
                one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
                one.setblocking(False)
                self.sockets[name] = one

    def _limits_off(self, space: str) -> None:
        """No limit on ICMP errors; that of all messages only where the kernel keeps it for each namespace."""
        netns.sysctl(space, [("ipv4/icmp_ratelimit", "0"), ("ipv6/icmp/ratelimit", "0")])
        for path in ("ipv4/icmp_msgs_per_sec", "ipv4/icmp_msgs_burst"):
            try:
                netns.sysctl(space, [(path, "1000000")])
            except netns.LabError:
                continue

    def _address(self) -> None:
        ends: dict[tuple[str, str], tuple[str, ...]] = {(self.server, name): SERVER[name] for name in SERVER}
        ends |= {(self.client, name): CLIENT[name] for name in CLIENT}
        ends[self.backend, "b0"] = BACKEND
        for space in (self.client, self.server, self.backend):
            netns.ip_batch(["link set lo up"], space)
        for (space, name), addresses in ends.items():
            lines = [f"link set {name} addrgenmode none", f"link set {name} up"]
            lines += [
                f"addr add {one}/{64 if ':' in one else 24} dev {name}" + (" nodad" if ":" in one else "")
                for one in addresses
            ]
            others = [
                other for (where, link), known in ends.items() if link == name and where != space for other in known
            ]
            side = "C" if space == self.server else "S"
            lines += [
                f"neigh replace {other} lladdr {mac(name, side).hex(':')} dev {name} nud permanent" for other in others
            ]
            netns.ip_batch(lines, space)
        netns.ip_batch(["route add default via 203.0.113.1", "route add default via 2001:db8:3::1"], self.backend)

    def _listen(self, space: str, ports: Sequence[int]) -> list[socket.socket]:
        made = []
        with netns.entered(space):
            for port in ports:
                one = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=8192)
                made.append(one)
        return made

    # ----------------------------------------------------------------- rules

    def works(self, command: str) -> bool:
        """Does a restore command run here? Not every kernel has the tables of iptables-legacy."""
        try:
            self.load({(command,): "*filter\nCOMMIT\n"})
        except (netns.LabError, OSError):
            return False
        return True

    def load(self, commands: Mapping[tuple[str, ...], str]) -> None:
        """Runs commands with their input in the server's namespace. Raises LabError with their words."""
        with netns.entered(self.server):
            for command, text in commands.items():
                netns.run(list(command), text)

    def saved(self, commands: Sequence[Sequence[str]]) -> list[str]:
        """What commands print in the server's namespace."""
        with netns.entered(self.server):
            commands = [one if shutil.which(one[0], path=PATH) else ["true"] for one in commands]
            running = [
                subprocess.Popen(list(one), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
                for one in commands
            ]
            return [one.communicate()[0] for one in running]

    # ----------------------------------------------------------------- packets

    def port(self) -> int:
        """A source port that no SYN had before."""
        self.next_port += 1
        return self.next_port

    def ask(self, questions: Sequence[Question], expected: Sequence[bool]) -> list[Seen]:
        """Sends all SYNs and tells what came back to each. Silence is believed at once where it is expected (an
        answer that comes late is still found, see `late`), after PATIENCE_S where an answer is."""
        for one in questions:
            self.sockets[one.interface].send(syn(one))
        awaited = {(one.source, one.source_port) for one, wanted in zip(questions, expected, strict=True) if wanted}
        deadline = time.monotonic() + PATIENCE_S
        self.collect(SETTLE_S)
        while time.monotonic() < deadline and not awaited <= self.answers.keys():
            self.collect(SETTLE_S)
        return [self.seen(one) for one in questions]

    def collect(self, wait_s: float) -> None:
        """Reads frames until none came for a while."""
        while True:
            ready = select.select(list(self.sockets.values()), [], [], wait_s)[0]
            if not ready:
                return
            for one in ready:
                try:
                    frame, where = one.recvfrom(2048)
                except BlockingIOError:
                    continue
                answer = read(frame) if where[2] != socket.PACKET_OUTGOING else None
                if answer is not None:
                    self.answers.setdefault(answer[0], set()).add(answer[1:])

    def seen(self, question: Question) -> Seen:
        """What came back to a SYN until now."""
        found = self.answers.get((question.source, question.source_port), set())
        right = {seen for who, seen in found if who == (question.destination, question.port)}
        if found and (len(found) > 1 or not right):
            return f"odd: {found}"
        return right.pop() if right else "silence"
