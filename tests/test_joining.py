"""Parts of a capture joined: the same attempts, line for line, as one process finds.

The captures are made to be difficult: few endpoints, so that they are used again and again, answers that come late,
time that jumps and runs backwards, ICMP errors with addresses rewritten, cuts everywhere.
"""

from __future__ import annotations

import random
import struct
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from netprobe import analyze, tracker
from netprobe.analyze import Analysis
from netprobe.jobs import part, schedule
from netprobe.jobs.fitting import Differs, checked
from netprobe.jobs.joining import Joining
from netprobe.options import AnalyzeOptions
from netprobe.settling import engines, flow, jit
from netprobe.settling.giving import Outlets
from netprobe.wire.portion import Portion, cut
from tests.capture_bench import write_sessions

pytest.importorskip("numba")

SYN, FIN, RST, PSH, ACK = 2, 1, 4, 8, 16
SLL = 113
CLIENTS = [0x0A000001 + n for n in range(6)]
SERVERS = [0xC6120001 + n for n in range(5)]
ROUTER, NAT = 0xC6336401, 0xCB007101
OPTIONS = bytes.fromhex("020405b40402080a000000010000000001030307")


@pytest.fixture(autouse=True)
def _compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    if not jit.available():
        pytest.skip("nothing is compiled here")
    engines.prepare_parts(lambda _: None)
    # Rows settle while the capture is read, also in a small one.
    for module in (tracker, flow, part, schedule):
        monkeypatch.setattr(module, "SMALL", 64)


def ip(source: int, target: int, protocol: int, ttl: int, body: bytes) -> bytes:
    return struct.pack(">BBHHHBBHII", 0x45, 0, 20 + len(body), 7, 0, ttl, protocol, 0, source, target) + body


def tcp(source: tuple[int, int], target: tuple[int, int], seq: int, ack: int, flags: int, more: bytes = b"") -> bytes:
    options, data = (OPTIONS, b"") if flags & SYN else (b"", more)
    window = 0 if flags & RST else 64240
    head = struct.pack(">HHIIBBHHH", source[1], target[1], seq, ack, (5 + len(options) // 4) << 4, flags, window, 0, 0)
    ttl = 64 if source[0] in CLIENTS else 57 + target[1] % 2
    return ip(source[0], target[0], 6, ttl, head + options + data)


class Talks:
    """Packets at random, most of them such as belong to what was said before."""

    def __init__(self, seed: int, endpoints: int) -> None:
        self.rng = random.Random(seed)
        rng = self.rng
        self.pairs = [
            (
                (rng.choice(CLIENTS), 40000 + rng.randrange(endpoints)),
                (rng.choice(SERVERS), rng.choice((22, 22, 80, 443))),
            )
            for _ in range(endpoints)
        ]
        self.state: dict[int, tuple[int, int]] = {}
        self.sent: dict[int, bytes] = {}

    def packet(self) -> bytes:
        rng = self.rng
        n = rng.randrange(len(self.pairs))
        client, server = self.pairs[n]
        mine, theirs = self.state.get(n, (0, 0))
        what = rng.random()
        if n not in self.state or what < 0.12:
            if n not in self.state or rng.random() < 0.5:
                mine, theirs = rng.getrandbits(32), rng.getrandbits(32)
                self.state[n] = mine, theirs
            self.sent[n] = tcp(client, server, mine, 0, SYN)
            return self.sent[n]
        after, answered = (mine + 1) & 0xFFFFFFFF, (theirs + 1) & 0xFFFFFFFF
        if what < 0.35:
            return tcp(server, client, theirs, after, SYN | ACK)
        if what < 0.45:
            return tcp(server, client, 0, after, RST | ACK)
        if what < 0.55:
            return tcp(client, server, after, answered, ACK)
        if what < 0.70:
            text = rng.choice((b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n", bytes(40)))
            return tcp(server, client, answered, after, PSH | ACK, text)
        if what < 0.78:
            return tcp(client, server, after, answered, PSH | ACK, b"SSH-2.0-x\r\n")
        if what < 0.85:
            one, other, seq = rng.choice(((client, server, after), (server, client, answered)))
            return tcp(one, other, seq, after if seq == answered else answered, FIN | ACK)
        if what < 0.93:
            return self.error(n)
        if what < 0.97:
            kind = rng.choice((8, 0, 0))
            ends = (client[0], server[0]) if kind == 8 else (server[0], client[0])
            return ip(*ends, 1, rng.choice((57, 60)), struct.pack(">BBHHH", kind, 0, 0, n % 7, 1))
        return ip(client[0], server[0], 17, 64, bytes(12))

    def error(self, n: int) -> bytes:
        """An ICMP error about a SYN; now and then a box has rewritten addresses, outside or inside."""
        rng = self.rng
        quoted = bytearray(self.sent[n][:28])
        client = self.pairs[n][0][0]
        sender = rng.choice((ROUTER, self.pairs[n][1][0]))
        if rng.random() < 0.3:
            quoted[12:16] = struct.pack(">I", NAT)
        if rng.random() < 0.2:
            quoted[16:20] = struct.pack(">I", NAT)
        kind, code = rng.choice(((3, 1), (3, 13), (11, 0), (3, 4)))
        return ip(sender, client, 1, 60, struct.pack(">BBHI", kind, code, 0, 0) + bytes(quoted))


def write(path: Path, seed: int, *, packets: int, endpoints: int, jumps: float, backwards: float, cooked: bool) -> None:
    """A capture; `jumps` and `backwards`: how often the time leaps ahead, or back."""
    talks, now = Talks(seed, endpoints), 1_700_000_000_000_000
    rng = talks.rng
    with path.open("wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, SLL if cooked else 101))
        for _ in range(packets):
            now += rng.randrange(3000)
            if rng.random() < jumps:
                now += rng.choice((1_000_000, 3_000_000, 80_000_000, 4_000_000_000))
            if rng.random() < backwards:
                now -= rng.choice((1000, 2_500_000))
            data = talks.packet()
            if cooked:
                data = struct.pack(">HHH8sH", rng.choice((0, 0, 4)), 1, 6, b"", 0x0800) + data
            out.write(struct.pack("<IIII", now // 1_000_000, now % 1_000_000, len(data), len(data)) + data)


def alone(path: Path) -> tuple[Analysis, Counter[bytes]]:
    found: list[bytes] = []
    outlets = Outlets(lines=lambda lines: found.append(bytes(lines)))
    done = analyze.analyze(path, AnalyzeOptions(files=(path,), compiled=True), lambda _: None, outlets=outlets)
    return done, Counter(b"".join(found).splitlines())


def joined(path: Path, wanted: int, folder: Path) -> tuple[Analysis, Counter[bytes], int]:
    found: list[bytes] = []
    options = AnalyzeOptions(files=(path,))
    parts = [
        part.track(path, portion, options, folder / f"{wanted}-{n}", lambda *_: None)
        for n, portion in enumerate(cut(path, wanted))
    ]
    outlets = Outlets(lines=lambda lines: found.append(bytes(lines)))
    joining = Joining(engines.choose(0, lambda _: None, wanted=True), options, lambda _: None, outlets)
    fitting = checked(parts, stream=False)
    for n, one in enumerate(fitting):
        joining.add(one, last=n == len(fitting) - 1)
    done = joining.finish()
    return done, Counter(b"".join(found).splitlines()), len(parts)


@pytest.mark.parametrize(
    ("seed", "endpoints", "jumps", "backwards", "cooked", "wanted"),
    [
        (1, 3000, 0.0, 0.0, False, 100_000),
        (2, 300, 0.002, 0.0, False, 30_011),
        (3, 1500, 0.002, 0.001, False, 50_000),
        (4, 1500, 0.0005, 0.0, True, 150_000),
        (5, 40, 0.01, 0.01, True, 30_011),
    ],
)
def test_joined_parts_give_what_one_process_gives(
    tmp_path: Path, seed: int, endpoints: int, jumps: float, backwards: float, cooked: bool, wanted: int
) -> None:
    path = tmp_path / "capture.pcap"
    write(path, seed, packets=8_000, endpoints=endpoints, jumps=jumps, backwards=backwards, cooked=cooked)
    expected, lines = alone(path)
    assert sum(lines.values()) > 100
    done, got, count = joined(path, wanted, tmp_path)
    assert count > 3
    assert got == lines
    assert (done.status, done.causes) == (expected.status, expected.causes)


def test_sessions_go_on_where_a_capture_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "sessions.pcap"
    write_sessions(path, 60)
    expected, lines = alone(path)
    assert sum(b'"kex"' in line for line in lines) > 30
    done, got, count = joined(path, 40_000, tmp_path)
    assert count > 5
    assert got == lines
    assert done.status == expected.status


def test_what_does_not_fit_is_told(tmp_path: Path) -> None:
    path = tmp_path / "capture.pcap"
    write(path, 1, packets=2_000, endpoints=50, jumps=0.0, backwards=0.0, cooked=False)
    size = path.stat().st_size
    first, second = cut(path, size // 2)
    options = AnalyzeOptions(files=(path,))

    def parts(*portions: Portion) -> list[part.Part]:
        def tracked(one: Portion) -> part.Part:
            return part.track(path, one, options, tmp_path / f"{one.start}-{one.stop}", lambda *_: None)

        return [tracked(one) for one in portions]

    assert len(checked(parts(first, second), stream=False)) == 2
    with pytest.raises(Differs, match="cut within a record"):
        checked(parts(Portion(0, second.start - 7), Portion(second.start - 7, size)), stream=False)
    whole = parts(Portion(0, size))
    other = replace(whole[0], path=tmp_path / "other.pcap")
    with pytest.raises(Differs, match="overlap in time"):
        checked([*whole, other], stream=True)
    later = replace(other, first_ns=whole[0].latest_ns + 1, latest_ns=whole[0].latest_ns + 2)
    assert checked([later, *whole], stream=True) == [*whole, later]
