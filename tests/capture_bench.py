"""`make bench`, second part: captures of known contents, analyzed beside the tools that a user would take instead.

Times are whole processes with a warm cache; quote the ratios of one run, never seconds.
"""

from __future__ import annotations

import heapq
import json
import os
import random
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from netprobe.model import Frame
from netprobe.tracker import columns
from netprobe.tracker.decode import decode
from netprobe.tracker.link import ETHERNET
from netprobe.wire.capture import CaptureReader
from tests import browsing

SYN, FIN, RST, PSH, ACK = 2, 1, 4, 8, 16
KINDS = {"up": 60, "closed": 15, "drop": 10, "icmp": 5, "early-close": 5, "reset-mid": 5}
LINK = bytes.fromhex("0200000000020200000000010800")
OPTIONS = bytes.fromhex("020405b40402080a000000010000000001030307")
FILLING = bytes(range(256)) * 6
PART = 80_000_000  # bytes of the capture that are enough for slower ways of reading
# What a verdict of each kind says: its cause and Zeek's state of the connection.
SAID = {
    ("up", "SF"): "up",
    ("up", "RSTR"): "reset-mid",
    ("no-listener", "REJ"): "closed",
    ("dropped", "S0"): "drop",
    ("inconclusive", "S0"): "drop",
    ("rejected-on-path", "S0"): "icmp",
    ("closed-before-banner", "SF"): "early-close",
}
# (what, the most that is allowed)
COMPILED = 4.0  # x tcpdump -w /dev/null
INTERPRETED = 3.0  # x tshark -q -z conv,tcp on the first 80 MB
MEMORY = 400 << 20
SMALL = 0.25  # seconds for 50 packets
FIRST = 17.0  # seconds: 15 to compile, and the reading
BESIDE = 2.0  # x JSON lines alone, with another format written beside them
PAGE_S = 5.0  # seconds more for the page
PAGE = 25.0  # MB
OPENED = 3.0  # seconds
SESSIONS = 2.0  # x the same capture without its SSH sessions being read
RECORDED = Path(__file__).parent.parent / "captures" / "ssh"
WITHOUT_SESSIONS = """
import sys
from functools import partial
from netprobe import analyze
from netprobe.__main__ import main
analyze.Settling = partial(analyze.Settling, sessions=False)
sys.exit(main())
"""


class Times(NamedTuple):
    """One process: seconds, and its largest memory in bytes."""

    seconds: float
    peak: int


def checksum(data: bytes) -> int:
    total = int(sum(struct.unpack(f">{len(data) // 2}H", data)))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def packet(source: int, target: int, protocol: int, ttl: int, payload: bytes) -> bytes:
    head = struct.pack(">BBHHHBBHII", 0x45, 0, 20 + len(payload), 0, 0x4000, ttl, protocol, 0, source, target)
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + payload


class Talk:
    """One connection: its packets, each with the second it came."""

    def __init__(self, number: int, rng: random.Random, servers: int) -> None:
        self.kind = rng.choices(list(KINDS), list(KINDS.values()))[0]
        self.packets: list[tuple[float, bytes]] = []
        self._now = number * 0.0004 + rng.random() * 0.01
        self._trip = 0.002 + rng.random() * 0.05
        self._ends = (0x0A000000 | rng.getrandbits(20), 0xC6120000 + number % servers)
        self._ports = (1024 + number * 7919 % 60000, rng.choice((22, 22, 22, 2222, 443)))
        self._numbers = [rng.getrandbits(32), rng.getrandbits(32)]
        getattr(self, "_" + self.kind.replace("-", "_"))(rng)

    def _send(self, side: int, flags: int, data: bytes = b"", options: bytes = b"") -> None:
        other = 1 - side
        number = self._numbers[side]
        acked = self._numbers[other] if flags & ACK else 0
        window = 0 if flags & RST else 64240 + 920 * side
        head = struct.pack(">HHII", self._ports[side], self._ports[other], number, acked)
        head += struct.pack(">BBHHH", (5 + len(options) // 4) << 4, flags, window, 0, 0)
        whole = packet(self._ends[side], self._ends[other], 6, (64, 57)[side], head + options + data)
        self.packets.append((self._now, whole))
        grown = len(data) + (1 if flags & (SYN | FIN) else 0)
        self._numbers[side] = (number + grown) & 0xFFFFFFFF

    def _wait(self, seconds: float | None = None) -> None:
        self._now += self._trip if seconds is None else seconds

    def _drop(self, rng: random.Random) -> None:
        start = self._numbers[0]
        for gap in (0, 1, 2):
            self._wait(gap)
            self._numbers[0] = start
            self._send(0, SYN, options=OPTIONS)

    def _closed(self, rng: random.Random) -> None:
        self._send(0, SYN, options=OPTIONS)
        self._wait()
        self._numbers[1] = 0
        self._send(1, RST | ACK)

    def _icmp(self, rng: random.Random) -> None:
        self._send(0, SYN, options=OPTIONS)
        self._wait()
        body = struct.pack(">BBHI", 3, rng.choice((3, 10, 13)), 0, 0) + self.packets[0][1][:28]
        body = body[:2] + struct.pack(">H", checksum(body)) + body[4:]
        self.packets.append((self._now, packet(0xC6336401, self._ends[0], 1, 60, body)))

    def _open(self) -> None:
        self._send(0, SYN, options=OPTIONS)
        self._wait()
        self._send(1, SYN | ACK, options=OPTIONS)
        self._wait(0.00001)
        self._send(0, ACK)

    def _early_close(self, rng: random.Random) -> None:
        self._open()
        self._wait()
        for side in (1, 0):
            self._send(side, FIN | ACK)
            self._wait(0.00001)
        self._send(1, ACK)

    def _talk(self, rng: random.Random) -> None:
        self._open()
        self._wait()
        for side in (1, 0):
            self._send(side, PSH | ACK, b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n")
            self._wait(0.00001)
        for turn in range(rng.choice((2, 4, 8, 16, 30))):
            self._wait()
            self._send(1, PSH | ACK, FILLING[: rng.choice((36, 100, 1448, 1448))])
            self._wait(0.00001)
            self._send(0, ACK)
            if turn % 3 == 0:
                self._send(0, PSH | ACK, FILLING[:52])
        self._wait()

    def _reset_mid(self, rng: random.Random) -> None:
        self._talk(rng)
        self._send(1, RST | ACK)

    def _up(self, rng: random.Random) -> None:
        self._talk(rng)
        self._send(0, FIN | ACK)
        self._wait()
        self._send(1, FIN | ACK)
        self._wait(0.00001)
        self._send(0, ACK)


def records(connections: int, truth: Counter[str], servers: int) -> Iterator[bytes]:
    """The capture's records in order of time; `truth` counts the kinds."""
    rng = random.Random(1)
    waiting: list[tuple[float, int, bytes]] = []
    order = 0
    for number in range(connections + 1):
        if number < connections:
            talk = Talk(number, rng, servers)
            truth[talk.kind] += 1
            for moment, data in talk.packets:
                order += 1
                heapq.heappush(waiting, (moment, order, data))
        while waiting and (number == connections or waiting[0][0] < number * 0.0004):
            moment, _, data = heapq.heappop(waiting)
            whole = LINK + data
            second = int(moment)
            micro = int((moment - second) * 1e6)
            yield struct.pack("<IIII", 1_700_000_000 + second, micro, len(whole), len(whole)) + whole


def write(path: Path, connections: int, servers: int = 200) -> Counter[str]:
    """Write a capture; what is in it."""
    truth: Counter[str] = Counter()
    with path.open("wb", 1 << 22) as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        for record in records(connections, truth, servers):
            out.write(record)
    return truth


def write_sessions(path: Path, count: int) -> None:
    """Recorded SSH sessions, again and again, each from a client of its own, until there are `count`."""
    recorded = [
        list(connection)
        for file in sorted(RECORDED.glob("openssh-*--openssh-*.pcapng.xz"))
        for connection in conversations(file)
    ]
    with path.open("wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, recorded[0][0][1].link_type))
        for number in range(count):
            connection = recorded[number % len(recorded)]
            for to_server, frame in connection:
                data = bytearray(frame.data)
                at = 14 if frame.link_type == ETHERNET else 0
                client = at + (12 if to_server else 16) if data[at] >> 4 == 4 else at + (20 if to_server else 36)
                data[client : client + 4] = struct.pack(">I", 0x0A000000 + number)
                moment = 1_700_000_000_000 + number * 5 + (frame.time_ns - connection[0][1].time_ns) // 1_000_000
                out.write(struct.pack("<IIII", moment // 1000, moment % 1000 * 1000, len(data), len(data)) + data)


def conversations(path: Path) -> Iterator[list[tuple[bool, Frame]]]:
    """The connections of a recording: each packet, and whether it goes to the server."""
    row = [0] * columns.DECODED
    found: dict[tuple[int, int], list[tuple[bool, Frame]]] = {}
    for record in CaptureReader(path):
        if isinstance(record, Frame):
            decode(record.data, 0, len(record.data), record.link_type, row)
            ports = row[columns.D_SPORT], row[columns.D_DPORT]
            if row[columns.D_FLAGS] & (SYN | ACK) == SYN:
                found[ports] = []
            if ports in found:
                found[ports].append((True, record))
            elif ports[::-1] in found:
                found[ports[::-1]].append((False, record))
    yield from found.values()


def measure(command: list[str], runs: int = 3) -> Times:
    """The fastest of some runs of a process that writes to a file, and the largest memory of any of them."""
    found = []
    for _ in range(runs):
        with tempfile.TemporaryFile() as output:
            start = time.perf_counter()
            process = subprocess.Popen(command, stdout=output, stderr=subprocess.DEVNULL)
            _, _, used = os.wait4(process.pid, 0)
            found.append(Times(time.perf_counter() - start, used.ru_maxrss * 1024))
            process.returncode = 0  # it was waited for
    return Times(min(one.seconds for one in found), max(one.peak for one in found))


def analyze(path: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "netprobe", "analyze", "--jsonl", *options, str(path)]


def kinds(path: Path) -> Counter[str]:
    """What netprobe finds in a capture, in the generator's words."""
    command = analyze(path, "--compiled")
    found: Counter[str] = Counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            verdict = json.loads(line)
            if "cause" in verdict:
                found[SAID.get((verdict["cause"], verdict["conn_state"]), f"? {verdict['cause']}")] += 1
    return found


def bench(connections: int = 100_000) -> int:
    """Print the table; exit code 1 when a figure is missed."""
    missed = 0

    def told(what: str, value: float, allowed: float, unit: str) -> None:
        nonlocal missed
        missed += value > allowed
        print(f"{what:62} {value:8.2f} {unit:10} allowed {allowed:g}", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        whole, part, small = (Path(folder) / f"{name}.pcap" for name in ("whole", "part", "small"))
        truth = write(whole, connections)
        with whole.open("rb") as source:
            part.write_bytes(source.read(PART))
        write(small, 2)
        os.environ["XDG_CACHE_HOME"] = folder  # nothing is compiled yet
        told("the first compiled run", measure(analyze(part, "--compiled"), 1).seconds, FIRST, "s")
        tcpdump = measure(["tcpdump", "-nr", str(whole), "-w", "/dev/null"], 5)
        ours = measure(analyze(whole, "--compiled"), 5)
        told("compiled, whole capture, against tcpdump -w /dev/null", ours.seconds / tcpdump.seconds, COMPILED, "x")
        told("  its largest memory", ours.peak / 2**20, MEMORY / 2**20, "MiB")
        alone = measure(analyze(whole, "--compiled"), 3)
        for option, name in (("--zeek", "conn.log"), ("-oX", "nmap.xml"), ("--html", "page.html")):
            beside = measure(analyze(whole, "--compiled", option, str(Path(folder) / name)), 3)
            told(f"{option} beside, against JSON lines alone", beside.seconds / alone.seconds, BESIDE, "x")
        told("the page alone", beside.seconds - alone.seconds, PAGE_S, "s")
        told("  its size", (Path(folder) / "page.html").stat().st_size / 1e6, PAGE, "MB")
        if browsing.available():
            told("  opened in Chromium", browsing.seconds_to_open(Path(folder) / "page.html"), OPENED, "s")
        tshark = measure(["tshark", "-r", str(part), "-q", "-z", "conv,tcp"], 2)
        slow = measure(analyze(part, "--interpreted"), 2)
        told("interpreted, 80 MB, against tshark conversations", slow.seconds / tshark.seconds, INTERPRETED, "x")
        told("a capture of a few packets", measure(analyze(small), 5).seconds, SMALL, "s")
        spread = Path(folder) / "spread.pcap"
        sizes = []
        for servers in (1, 50_000):
            write(spread, connections // 4, servers)
            sizes.append(measure(analyze(spread, "--compiled"), 3).seconds)
        told("a server for each attempt, against one for all", sizes[1] / sizes[0], 1.5, "x")
        logins = Path(folder) / "sessions.pcap"
        write_sessions(logins, 1000)
        for how in ("--interpreted", "--compiled"):
            without = [sys.executable, "-c", WITHOUT_SESSIONS, *analyze(logins, how)[3:]]
            ratio = measure(analyze(logins, how), 3).seconds / measure(without, 3).seconds
            told(f"1,000 SSH sessions, {how[2:]}, against the same not read", ratio, SESSIONS, "x")
        found = kinds(whole)
        print(f"kinds: {'equal to the truth' if found == truth else f'found {dict(found)}, truth {dict(truth)}'}")
        missed += found != truth
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(bench(*map(int, sys.argv[1:2])))
