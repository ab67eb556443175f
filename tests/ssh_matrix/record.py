"""Records captures/ssh/: one capture for each server and client, beside it what happened in each of its connections.

House rules of this file:
1. The truth of the matrix is what the client saw. A connection that a server let in or not against its plan is left
   out, and told.
2. What this machine can't have is told with its reason, once.
3. The n-th SYN of a capture is the n-th entry of its list: clients connect one after the other.
"""

from __future__ import annotations

import lzma
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from netprobe.model import Frame
from netprobe.wire.capture import CaptureReader
from netprobe.wire.writer import CaptureWriter
from tests.lab.sshd import LISTEN
from tests.ssh_matrix.clients import Client, Plink, clients
from tests.ssh_matrix.clients import OpenSSH as OpenSSHClient
from tests.ssh_matrix.plans import CIPHERS, CORE, FEW, FURTHER, Cipher, Plan
from tests.ssh_matrix.servers import OpenSSH, Server, servers
from tests.ssh_matrix.truth import Truth, truth_of
from tests.ssh_matrix.world import LINK, WORK, World

HERE = Path(__file__).resolve().parents[2] / "captures" / "ssh"


@dataclass
class Entry:
    """One connection of a capture."""

    plan: Plan
    cipher: Cipher
    port: int
    truth: Truth
    messages: list[str] | None


@dataclass
class Recording:
    """What was recorded of one pair, and what was left out."""

    server: Server
    client: Client
    entries: list[Entry] = field(default_factory=list)
    all: list[Entry | None] = field(default_factory=list)  # in order of their SYNs
    left_out: Counter[str] = field(default_factory=Counter)


def record(names: list[str], roots: list[Path], to: Path = HERE) -> int:
    """Record every pair (or those whose `server--client` contains one of the names). Inside its own namespaces only."""
    world = World(roots)
    to.mkdir(parents=True, exist_ok=True)
    there = list(clients(roots))
    for server in servers(roots):
        with Running(world, server) as running:
            for client in there:
                name = f"{slug(server.name)}--{slug(client.name)}"
                if names and not any(one in name for one in names):
                    continue
                _pair(running, server, client, to / f"{name}.pcapng.xz")
    return 0


def slug(name: str) -> str:
    """As part of a file's name."""
    return name.lower().replace(" ", "-")


class Running:
    """The processes of one server, started when a cipher and mode are first asked for."""

    def __init__(self, world: World, server: Server) -> None:
        self.world, self.server = world, server
        self._ports: dict[tuple[str, str], int | str] = {}
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.terminate()
            process.wait()

    def port(self, cipher: Cipher, mode: str) -> int:
        """Where it listens. Raises LookupError with the reason where it can't."""
        key = (cipher.name, self.server.kind_of(mode))
        if key not in self._ports:
            try:
                self._ports[key] = self._start(cipher, mode)
            except LookupError as error:
                self._ports[key] = str(error)
        port = self._ports[key]
        if isinstance(port, str):
            raise LookupError(port)
        return port

    def _start(self, cipher: Cipher, mode: str) -> int:
        port = 2200 + len(self._processes)
        command = self.server.command(port, cipher, mode)
        process = subprocess.Popen(
            [*self.world.beyond(), *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        self._processes.append(process)
        deadline = time.monotonic() + 15
        while not self._listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                assert process.stderr
                told = process.stderr.read().decode(errors="replace").strip()
                raise LookupError(f"did not start: {told.rpartition(chr(10))[2]}")
            time.sleep(0.02)
        return port

    def _listens(self, port: int) -> bool:
        table = subprocess.run(
            [*self.world.beyond(), "cat", "/proc/self/net/tcp"], capture_output=True, text=True, check=True
        )
        return bool(re.search(rf":{port:04X} \S+ {LISTEN} ", table.stdout))


def wanted(server: Server, client: Client) -> Iterator[tuple[Plan, Cipher]]:
    """Core plans with every cipher, the others in turn; ciphers that few use with OpenSSH alone."""
    alike = isinstance(server, OpenSSH) and isinstance(client, OpenSSHClient) and server.root == client.root
    for plan in CORE:
        yield from ((plan, cipher) for cipher in (*CIPHERS, *(FEW if alike else ())))
    for turn, plan in enumerate(FURTHER, 1):
        yield plan, CIPHERS[turn % len(CIPHERS)]
        if alike:
            yield plan, CIPHERS[(turn + 1) % len(CIPHERS)]


def _pair(running: Running, server: Server, client: Client, to: Path) -> None:
    recording, seen = Recording(server, client), WORK / "seen.pcap"
    tcpdump = subprocess.Popen(
        ["tcpdump", "-i", LINK, "-U", "--immediate-mode", "-w", str(seen), "tcp"],
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
    )
    assert tcpdump.stderr
    tcpdump.stderr.readline()
    before = time.monotonic()
    for plan, cipher in wanted(server, client):
        _one(running, recording, plan, cipher)
    time.sleep(0.3)
    tcpdump.send_signal(signal.SIGINT)
    tcpdump.wait()
    print(f"{to.name}: {len(recording.entries)} in {time.monotonic() - before:.0f} s", flush=True)
    for reason, count in recording.left_out.items():
        print(f"  {count} left out: {reason}", flush=True)
    if recording.entries:
        _save(recording, seen, to)


def _one(running: Running, recording: Recording, plan: Plan, cipher: Cipher) -> None:
    try:
        lacks = recording.client.lacks(plan, cipher) or running.server.lacks(plan)
        if lacks:
            raise LookupError(lacks)
        if plan.hold_s and not isinstance(recording.client, OpenSSHClient | Plink):
            raise LookupError("ends by itself")
        port = running.port(cipher, plan.mode)
    except LookupError as error:
        recording.left_out[str(error)] += 1
        return
    messages = recording.client.login(plan, cipher, port)
    if messages is not None and not messages:
        recording.left_out[f"{plan.name}, {cipher.name}: no login began"] += 1
        recording.all.append(None)
        return
    try:
        entry = Entry(plan, cipher, port, truth_of(plan, messages), messages)
    except ValueError as error:
        recording.left_out[f"{plan.name}, {cipher.name}: {error}"] += 1
        recording.all.append(None)
        return
    recording.entries.append(entry)
    recording.all.append(entry)


def _save(recording: Recording, seen: Path, to: Path) -> None:
    """The capture, without the connections that were left out, and its list."""
    records = [one for one in CaptureReader(seen) if isinstance(one, Frame)]
    keep, number, starts = [], -1, {}
    for one in records:
        ip = one.data[14:]
        source, target = int.from_bytes(ip[20:22], "big"), int.from_bytes(ip[22:24], "big")
        flow = (min(source, target), max(source, target))
        if ip[33] & 0x12 == 0x02 and flow not in starts:
            number += 1
            starts[flow] = number
        if flow in starts and starts[flow] < len(recording.all) and recording.all[starts[flow]] is not None:
            keep.append(one)
    if number + 1 != len(recording.all):
        print(f"  {to.name}: {number + 1} connections for {len(recording.all)} logins; not saved", flush=True)
        return
    plain = WORK / "seen.pcapng"
    with plain.open("w+b") as file:
        writer = CaptureWriter(
            os.dup(file.fileno()), str(plain), about=f"{recording.server.name}, {recording.client.name}"
        )
        for one in keep:
            writer.write(one)
        writer.close()
    to.write_bytes(lzma.compress(plain.read_bytes(), preset=9))
    to.with_name(to.name.removesuffix(".pcapng.xz") + ".sessions.toml").write_text("".join(_lines(recording)))


def _lines(recording: Recording) -> Iterator[str]:
    yield f'server = "{recording.server.name}"\nclient = "{recording.client.name}"\n'
    yield 'origin = "lab: tests/ssh_matrix, two network namespaces, recorded by tcpdump at the client"\n'
    for one in recording.entries:
        truth = one.truth
        yield f'\n[[session]]\nplan = "{one.plan.name}"\ncipher = "{one.cipher.name}"\n'
        yield f'outcome = "{truth.outcome}"\nattempts = {truth.attempts}\n'
        yield f"key_accepted = {str(truth.key_accepted).lower()}\npartial = {str(truth.partial).lower()}\n"
        if truth.methods:
            yield f"methods = {list(truth.methods)}\n".replace("'", '"')
        if one.messages is not None:
            yield f'messages = "{" ".join(one.messages[:60])}"\n'


if __name__ == "__main__":
    sys.exit("python -m tests.ssh_matrix record")
