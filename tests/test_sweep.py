"""Sweeps without a network: the order, the stamped packets, what counts as an answer, what it is told as."""

from __future__ import annotations

import errno
import ipaddress
import json
import struct
import threading
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netprobe.errors import UsageError
from netprobe.interrupts import Interrupts
from netprobe.model import Certainty, Endpoint, Probe, Shape
from netprobe.options import SweepOptions
from netprobe.report import json as report_json
from netprobe.report.html import charts
from netprobe.settling.outlets import Outlets
from netprobe.sweep import limits, run, slowly, space, windows
from netprobe.sweep.answers import Reader
from netprobe.sweep.charting import Chart
from netprobe.sweep.keyed import siphash
from netprobe.sweep.kinds import Kinds, Sample, tracked, verdict_of
from netprobe.sweep.pace import Pace
from netprobe.sweep.permutation import Permutation
from netprobe.sweep.resuming import Resume
from netprobe.sweep.second import UNSETTLED, SecondLook, scan_options, settled
from netprobe.sweep.settling import Settling, redirected
from netprobe.sweep.space import Space
from netprobe.sweep.stamping import Numbers, Stamp
from netprobe.sweep.sweep import Plan, Sweep
from netprobe.sweep.telling import Telling
from netprobe.sweep.way import Way
from netprobe.sweep.windows import Window
from netprobe.wire import codec
from netprobe.wire.ring import KEPT, Packets
from tests.packets import Segment, icmp_error
from tests.samples import a_report, a_verdict

SECOND = 1_000_000_000
US = {4: "192.0.2.1", 6: "2001:db8:ff::1"}
FIRST = {4: "198.18.0.0", 6: "2001:db8:5::"}
KEY = bytes(range(16))


def whole(version: int, count: int, ports: tuple[int, ...] = (22,), without: tuple[int, ...] = ()) -> Space:
    """So many addresses in a row; `without`: offsets that are excluded."""
    first = int(ipaddress.ip_address(FIRST[version]))
    return Space(version, [(first, first + count - 1)], [(first + n, first + n) for n in without], ports)


# --------------------------------------------------------------------------- order


@given(st.integers(1, 5000), st.binary(max_size=20))
def test_the_order_has_everything_once(size: int, key: bytes) -> None:
    order = Permutation(size, key)
    positions = np.arange(size, dtype=np.uint64)
    things = order.at(positions)
    assert np.array_equal(np.sort(things), positions)
    assert np.array_equal(order.position(things), positions)


@given(
    st.integers(1, 1 << 62), st.binary(max_size=20), st.lists(st.integers(0, (1 << 62) - 1), min_size=1, max_size=50)
)  # fmt: skip
def test_both_directions_of_the_order_agree(size: int, key: bytes, picked: list[int]) -> None:
    order = Permutation(size, key)
    positions = np.array([one % size for one in picked], dtype=np.uint64)
    things = order.at(positions)
    assert things.max() < size
    assert np.array_equal(order.position(things), positions)


def test_the_order_follows_the_key_and_leaves_no_network_in_a_row() -> None:
    positions = np.arange(65536, dtype=np.uint64)
    one, other = Permutation(65536, b"one").at(positions), Permutation(65536, b"other").at(positions)
    assert (one == other).mean() < 0.01
    assert (np.abs(np.diff(one.astype(np.int64))) < 256).mean() < 0.02


def test_siphash_has_the_vectors_of_its_paper() -> None:
    words = [np.array([int.from_bytes(bytes(range(8 * n, 8 * n + 8)), "little")], dtype=np.uint64) for n in range(2)]
    assert siphash(KEY, words[:1])[0] == 0x93F5F5799A932462
    assert siphash(KEY, words)[0] == 0x3F2ACC7F57C29BDB


# --------------------------------------------------------------------------- space


@pytest.mark.parametrize("version", [4, 6])
@given(data=st.data())
def test_every_pair_has_a_number_and_what_is_excluded_has_none(version: int, data: st.DataObject) -> None:
    edge = (1 << 64) - 8 if version == 6 else 9
    first = int(ipaddress.ip_address(FIRST[version])) + data.draw(st.sampled_from([0, edge]))
    spans = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 12)), max_size=6)
    asked, without = ([(first + a, first + a + n) for a, n in data.draw(spans)] for _ in range(2))
    ports = tuple(data.draw(st.lists(st.integers(1, 65535), min_size=1, max_size=3, unique=True)))
    wanted = {one for a, b in asked for one in range(a, b + 1)} - {one for a, b in without for one in range(a, b + 1)}
    found = Space(version, asked, without, ports)
    assert found.size == len(wanted) * len(ports)
    high, low, port = found.pairs(np.arange(found.size, dtype=np.uint64))
    pairs = [(int(h) << 64 | int(lo), int(p)) for h, lo, p in zip(high, low, port, strict=True)]
    assert Counter(pairs) == Counter({(one, p): 1 for one in wanted for p in ports})
    numbers, inside = found.find(high, low, port)
    assert inside.all()
    assert np.array_equal(numbers, np.arange(found.size, dtype=np.uint64))
    around = sorted({first + n for n in range(-3, 80)} - wanted)
    high, low = space.words(around)
    assert not found.find(high, low, np.full(len(around), ports[0], dtype=np.uint64))[1].any()


def found_spaces(*targets: str, **more: Any) -> list[str]:
    """The intervals of what is swept, as addresses."""
    spaces = run.find_spaces(SweepOptions(targets=targets, consent=True, **more), lambda _: None)
    to_text: dict[int, Callable[[int], Any]] = {4: ipaddress.IPv4Address, 6: ipaddress.IPv6Address}
    return [f"{to_text[s.version](a)}-{to_text[s.version](b)}" for s in spaces for a, b in s.intervals]


def test_special_purpose_ranges_are_left_out_unless_named() -> None:
    assert found_spaces("198.18.0.0/30") == ["198.18.0.0-198.18.0.3"]
    assert found_spaces("198.16.0.0/14") == ["198.16.0.0-198.17.255.255"]
    assert found_spaces("198.16.0.0/14", "198.18.7.0/31") == ["198.16.0.0-198.17.255.255", "198.18.7.0-198.18.7.1"]
    assert found_spaces("2001:db8::/127") == ["2001:db8::-2001:db8::1"]
    everything = found_spaces("0.0.0.0/0")
    assert everything[0] == "1.0.0.0-9.255.255.255"
    assert everything[-1] == "203.0.114.0-223.255.255.255"
    for never in ("224.0.0.0/4", "0.0.0.0/8", "255.255.255.255", "ff02::/16", "::"):
        with pytest.raises(UsageError, match="nothing is left"):
            found_spaces(never)


def test_targets_are_blocks_addresses_and_ranges() -> None:
    found = found_spaces("192.0.2.1-2,9", "192.0.2.10", "192.0.2.8/31")
    assert found == ["192.0.2.1-192.0.2.2", "192.0.2.8-192.0.2.10"]
    assert found_spaces("10.0-1.-.-") == ["10.0.0.0-10.1.255.255"]
    excluded = (ipaddress.ip_network("192.0.2.64/26"),)
    assert found_spaces("192.0.2.0/24", exclude=excluded) == ["192.0.2.0-192.0.2.63", "192.0.2.128-192.0.2.255"]
    for wrong in ("server.example", "192.0.2.1:22", "fe80::1%eth0", "192.0.2.0/33"):
        with pytest.raises(UsageError, match="a sweep takes"):
            found_spaces(wrong)
    with pytest.raises(UsageError, match="--yes"):
        run.find_spaces(SweepOptions(targets=("192.0.2.0/24",), ports=(1, 2, 3, 4, 5)), lambda _: None)


# --------------------------------------------------------------------------- packets


@pytest.mark.parametrize("version", [4, 6])
def test_stamped_packets_are_those_that_scapy_makes(version: int) -> None:
    from scapy.layers.inet import IP, TCP
    from scapy.layers.inet6 import IPv6

    of = IP if version == 4 else IPv6
    stamp = Stamp(version, US[version], Numbers(KEY, version), 1400)
    pairs = whole(version, 5000, (22, 65535)).pairs(np.arange(0, 10000, 37, dtype=np.uint64))
    for packet, high, low, port in zip(stamp.packets(*pairs), *pairs, strict=True):
        stamped = of(packet.tobytes())
        address = str(ipaddress.ip_address(int(high) << 64 | int(low) if version == 6 else int(low)))
        tcp = stamped[TCP]
        probe = Probe(Shape.SYN, Endpoint(US[version], tcp.sport), Endpoint(address, int(port)), seq=tcp.seq)
        built = of(codec.build(probe, 1400))
        for fresh in (built, stamped):  # what is random, or follows from it
            fresh[TCP].options = [(name, None if name == "Timestamp" else value) for name, value in fresh[TCP].options]
            if version == 4:
                fresh.id = 1
        again = of(packet.tobytes())
        checksums = again[TCP].chksum, again.chksum if version == 4 else 0
        del again[TCP].chksum
        if version == 4:
            del again.chksum
        again = of(bytes(again))
        assert checksums == (again[TCP].chksum, again.chksum if version == 4 else 0)
        for name in ("sport", "dport", "seq", "ack", "flags", "window", "options", "dataofs"):
            assert getattr(stamped[TCP], name) == getattr(built[TCP], name), name
        header = ("ttl", "tos", "flags", "len") if version == 4 else ("hlim", "tc", "plen")
        for name in ("src", "dst", *header):
            assert getattr(stamped, name) == getattr(built, name), name


def test_numbers_of_a_syn_are_keyed_and_stay_the_same() -> None:
    pairs = whole(4, 1000).pairs(np.arange(1000, dtype=np.uint64))
    source, sequence, _ = Numbers(KEY, 4).of(*pairs)
    assert np.array_equal(sequence, Numbers(KEY, 4).of(*pairs)[1])
    assert (sequence == Numbers(KEY[::-1], 4).of(*pairs)[1]).sum() < 3
    assert len(set(sequence.tolist())) > 990
    assert source.min() >= 61000
    assert source.max() < 65500


# --------------------------------------------------------------------------- a network in memory

Answer = tuple[float, bytes]  # seconds after the SYN, packet


def segment(syn: bytes, flags: str, **more: Any) -> bytes:
    """The target's answer to a SYN."""
    client, server, seq = ends(syn)
    plain = {"seq": 0, "ack": (seq + 1) & 0xFFFFFFFF, "ttl": 60, "tos": 0x48, "window": 0, "ip_id": 0, "df": True}
    return Segment(src=server, dst=client, flags=flags, **(plain | more)).packet()


def ends(syn: bytes) -> tuple[Endpoint, Endpoint, int]:
    """Client, server and sequence number of a SYN."""
    at, first, size = (20, 12, 4) if syn[0] >> 4 == 4 else (40, 8, 16)
    client, server = (str(ipaddress.ip_address(syn[first + n * size : first + (n + 1) * size])) for n in (0, 1))
    sport, dport, seq = struct.unpack_from("!HHI", syn, at)
    return Endpoint(client, sport), Endpoint(server, dport), seq


def error(syn: bytes, kind: int, code: int, sender: str | None = None, ttl: int = 60) -> bytes:
    """An ICMP error about a SYN."""
    client, server, _ = ends(syn)
    return icmp_error(sender or server.address, client.address, kind, code, syn, ttl, 0xC0, None)


class World:
    """Clock, sender and ring in one: `answers` says what comes back for a SYN; time passes where a ring waits."""

    def __init__(self, answers: Callable[[int, bytes], list[Answer]]) -> None:
        self._answers = answers
        self.now = 1_700_000_000 * SECOND
        self.sent: Counter[str] = Counter()
        self.packets: list[bytes] = []
        self._coming: list[tuple[int, bytes]] = []
        self.errors: deque[tuple[int, int]] = deque()  # after how many packets of a call, which errno
        self.forged: list[bytes] = []
        self._lock = threading.Lock()  # what is sent is sent by another thread

    # clock
    def now_ns(self) -> int:
        return self.now

    def behind_ns(self) -> int:
        return 0

    def from_kernel(self, stamp_ns: int, behind_ns: int) -> int:
        return stamp_ns

    # sender
    def to(self, hop: object) -> None:
        pass

    def send(self, packets: Any) -> tuple[int, int]:
        count, number = self.errors.popleft() if self.errors else (len(packets), 0)
        for row in packets[:count]:
            syn = row.tobytes()
            key = str(ends(syn)[1])
            self.sent[key] += 1
            self.packets.append(syn)
            with self._lock:
                self._coming += [(self.now + int(s * SECOND), p) for s, p in self._answers(self.sent[key], syn)]
        return min(count, len(packets)), number if count < len(packets) else 0

    # ring
    def wait(self, seconds: float) -> None:
        self.now += max(int(seconds * SECOND), 1000)

    def take(self) -> Packets | None:
        with self._lock:
            due = sorted((one for one in self._coming if one[0] <= self.now), key=lambda one: one[0])
            self._coming = [one for one in self._coming if one[0] > self.now]
        due = [*((self.now, packet) for packet in self.forged), *due]
        self.forged = []
        if not due:
            return None
        data = np.zeros((len(due), KEPT), dtype=np.uint8)
        for n, (_, packet) in enumerate(due):
            data[n, : len(packet[:KEPT])] = np.frombuffer(packet[:KEPT], dtype=np.uint8)
        lengths = np.array([min(len(packet), KEPT) for _, packet in due])
        return Packets(data, lengths, np.array([time for time, _ in due]))

    def drops(self) -> int:
        return 0


def swept(
    world: World, one: Space, *, rounds: int = 2, rate: float = 2000.0, silent: bool = True, **plan: Any
) -> tuple[list[dict[str, Any]], Sweep, list[str]]:
    """The lines of a sweep of a world, the sweep, and what was said beside."""
    lines: list[bytes] = []
    outlets = Outlets(lines=lines.append)
    numbers = Numbers(KEY, one.version)
    stamp = Stamp(one.version, US[one.version], numbers)
    telling = Telling(one.version, US[one.version], outlets)
    kinds = Kinds(one.version, lambda port: "ssh" if port == 22 else "any")
    settling = Settling(kinds, telling, stamp, numbers, SecondLook(one.version, 0), silent=silent)
    way = Way(US[one.version], "eth0", 1500, 2, None)
    notices: list[str] = []
    fake: Any = world
    sweep = Sweep(
        Plan(one, KEY, rounds, **plan), way, fake, fake, Pace(rate, world.now), fake, settling, fake, Interrupts(),
        numbers, notice=notices.append,
    )  # fmt: skip
    sweep.run()
    told = [json.loads(line) for line in b"".join(lines).splitlines()]
    return told, sweep, notices


def everything(syn: bytes) -> list[Answer]:
    """By the last bits of the address: every kind of answer there is."""
    router = "192.0.2.254" if syn[0] >> 4 == 4 else "2001:db8:ff::fe"
    admin, port, host = ((3, 13), (3, 3), (3, 1)) if syn[0] >> 4 == 4 else ((1, 1), (1, 4), (1, 3))
    _, server, seq = ends(syn)
    answers: list[list[Answer]] = [
        [(0.02, segment(syn, "SA", seq=7, window=64240, options=("mss",)))],
        [(0.02, segment(syn, "RA"))],
        [(0.03, segment(syn, "RA", tos=0))],
        [(0.03, segment(syn, "RA", tos=0, ttl=120, ip_id=9))],
        [(0.03, segment(syn, "RA", tos=0x10))],
        [(0.01, error(syn, *port))],
        [(0.01, error(syn, *admin, router))],
        [(3.1, error(syn, *host, router))],
        [(0.01, segment(syn, "RA", ttl=61)), (0.02, segment(syn, "SA", seq=9))],
        [(0.01, segment(syn, "RA", ack=seq))],  # acknowledges nothing that was sent
        [(0.01, segment(syn, "R", ack=0))],
        [],
    ]
    return answers[int(ipaddress.ip_address(server.address)) % len(answers)]


EXPECTED = (
    *("NP801", "NP121", "NP803", "NP804", "NP118", "NP132", "NP230", "NP221", "NP103", "NP806", "NP806", "NP806"),
)


@pytest.mark.parametrize("version", [4, 6])
def test_every_kind_of_answer_gets_the_verdict_of_its_packets(version: int) -> None:
    world = World(lambda _, syn: everything(syn))
    one = whole(version, 240)
    told, sweep, _ = swept(world, one)
    assert len({v["address"] for v in told}) == len(told) == 240
    expected = [rule if version == 4 or rule != "NP804" else "NP803" for rule in EXPECTED]  # IPv6 has no IP ID
    for v in told:
        assert v["rule"] == expected[int(ipaddress.ip_address(v["address"])) % len(expected)], v
        assert v["basis"] == "sweep"
    assert sweep.unsolicited == 2 * 2 * 20  # twenty of each kind that fits nothing, asked twice
    assert sweep.counts.answered == 180


def test_lines_are_those_of_packets_diagnosed_alone() -> None:
    """The line made by a pattern equals, byte for byte, that of the same packets gone alone through the rules."""
    world = World(lambda _, syn: everything(syn))
    told, _, _ = swept(world, whole(4, 48))
    syns = {ends(packet)[1].address: packet for packet in world.packets}
    for v in told:
        syn = syns[v["address"]]
        start = round(float(v["evidence"][0]["time"]) * 1e9)
        tries = world.sent[str(ends(syn)[1])]
        fits = [one for one in everything(syn) if v["rule"] != "NP806"]
        row, _ = tracked(Sample(syn, tuple((int(s * SECOND), p) for s, p in fits)), tries, start)
        alone = json.loads(report_json.line(verdict_of(row, "ssh", start + 5 * SECOND, None)))
        for field in ("evidence", "rtt_ms", "because"):  # times and numbers of packets differ
            v_field, alone_field = v.pop(field), alone.pop(field)
            if field == "evidence":
                assert [one["what"] for one in v_field] == [one["what"] for one in alone_field]
            if field == "because":
                assert len(v_field) == len(alone_field)
        assert v == alone


def test_what_is_forged_is_counted_and_never_told() -> None:
    rng = np.random.default_rng(3)
    world = World(lambda _, syn: [])
    for n in range(3000):
        number = int(rng.integers(1 << 32))
        client = Endpoint(US[4], 61000 + int(rng.integers(4500)))
        server = Endpoint(f"198.18.0.{n % 64}", 22)
        sent = Segment(src=client, dst=server, flags="S", seq=number)
        forged = (
            Segment(src=server, dst=client, flags="SA", seq=1, ack=number).packet(),
            Segment(src=server, dst=client, flags="RA", seq=0, ack=number).packet(),
            icmp_error("192.0.2.9", US[4], 3, 13, sent.packet(), 60, 0, None),
        )
        world.forged.append(forged[n % 3])
    told, sweep, _ = swept(world, whole(4, 64))
    assert sweep.unsolicited == 3000
    assert {v["rule"] for v in told} == {"NP806"}


@settings(max_examples=30)
@given(st.binary(min_size=0, max_size=KEPT), st.sampled_from([0x45, 0x46, 0x60, 0x4F]))
def test_no_packet_makes_the_reader_fail(data: bytes, first: int) -> None:
    raw = bytes([first]) + data[1:] if data else b""
    packet = np.zeros((1, KEPT), dtype=np.uint8)
    packet[0, : len(raw)] = np.frombuffer(raw, dtype=np.uint8)
    for version in (4, 6):
        reader = Reader(whole(version, 256), Numbers(KEY, version), US[version])
        assert not len(reader.read(packet, np.array([len(raw)])).rows)


# --------------------------------------------------------------------------- how a sweep goes


def test_each_is_asked_once_and_the_silent_again() -> None:
    def answers(_: int, syn: bytes) -> list[Answer]:
        return [(0.01, segment(syn, "RA"))] if int(ends(syn)[1].address[-1]) % 2 else []

    world = World(answers)
    told, sweep, _ = swept(world, whole(4, 600, (22, 2222)), rounds=3)
    assert len(told) == sweep.counts.settled == 1200
    for key, count in world.sent.items():
        assert count == (1 if int(key.partition(":")[0][-1]) % 2 else 3), key
    assert {v["attempts"] for v in told} == {1, 3}
    assert not any(v["state"] == "filtered" and v["attempts"] == 1 for v in told)


def test_a_repetition_that_is_answered_counts() -> None:
    world = World(lambda n, syn: [(0.01, segment(syn, "RA"))] if n == 2 else [])
    told, _, _ = swept(world, whole(4, 50))
    assert {(v["rule"], v["attempts"]) for v in told} == {("NP121", 2)}


def test_shards_share_the_space() -> None:
    seen: Counter[str] = Counter()
    for n in range(4):
        world = World(lambda _, syn: [(0.001, segment(syn, "RA"))])
        told, _, _ = swept(world, whole(4, 1001), shard=n, shards=4)
        seen.update(v["address"] for v in told)
        assert len(told) == len(world.sent) in (250, 251)
    assert len(seen) == sum(seen.values()) == 1001


def test_a_sweep_goes_on_where_it_was() -> None:
    world = World(lambda _, syn: [(0.001, segment(syn, "RA"))])
    all_of_it, _, _ = swept(world, whole(4, 1000))
    rest, _, _ = swept(World(lambda _, syn: [(0.001, segment(syn, "RA"))]), whole(4, 1000), start=700)
    assert len(rest) == 300
    assert {v["address"] for v in rest} < {v["address"] for v in all_of_it}


def test_what_this_machine_refuses_is_left_aside_and_a_full_queue_slows_down() -> None:
    world = World(lambda _, syn: [(0.001, segment(syn, "RA"))])
    world.errors.extend([(0, errno.EACCES), (0, errno.ENOBUFS), (0, errno.EAGAIN)])
    told, sweep, notices = swept(world, whole(4, 300))
    assert sweep.counts.blocked == {errno.EACCES: 1}
    assert len(told) == len(world.sent) == 299
    assert set(world.sent.values()) == {1}
    assert any("slower" in notice for notice in notices)


def test_after_a_drop_of_the_capture_the_silent_are_asked_once_more() -> None:
    world = World(lambda n, syn: [(0.001, segment(syn, "RA"))] if n == 3 else [])
    lost = iter([5])
    world.drops = lambda: next(lost, 0) if min(world.sent.values(), default=0) == 2 else 0  # type: ignore[method-assign]
    told, _, notices = swept(world, whole(4, 100), rounds=2)
    assert {v["rule"] for v in told} == {"NP121"}
    assert any("dropped" in notice for notice in notices)


def limited(sent: dict[str, float], world: list[World]) -> Callable[[int, bytes], list[Answer]]:
    """A router that rejects all, at most six errors at once and then one a second."""

    def answers(_: int, syn: bytes) -> list[Answer]:
        now = world[0].now / SECOND
        sent["tokens"] = min(6.0, sent.get("tokens", 6.0) + now - sent.get("at", now))
        sent["at"] = now
        if sent["tokens"] < 1:
            return []
        sent["tokens"] -= 1
        return [(0.001, error(syn, 3, 13, "192.0.2.254"))]

    return answers


def test_a_limit_of_errors_makes_no_rejected_address_silent() -> None:
    worlds: list[World] = []
    worlds.append(World(limited({}, worlds)))
    told, _, notices = swept(worlds[0], whole(4, 256))
    assert Counter(v["rule"] for v in told)["NP806"] == 0
    suspected = [v for v in told if v["rule"] == "NP805"]
    assert len(suspected) > 220
    assert {v["certainty"] for v in suspected} == {"possible"}
    assert all("192.0.2.254" in v["because"][0] for v in suspected)
    assert any("192.0.2.254" in notice for notice in notices)


def test_patience_asks_as_slowly_as_errors_come() -> None:
    worlds: list[World] = []
    worlds.append(World(limited({}, worlds)))
    told, _, _ = swept(worlds[0], whole(4, 256), patient=True)
    assert Counter(v["rule"] for v in told) == {"NP230": 256}


def test_a_few_that_reject_among_dead_addresses_are_no_limit() -> None:
    def answers(_: int, syn: bytes) -> list[Answer]:
        return [(0.001, error(syn, 3, 3))] if int(ends(syn)[1].address.rpartition(".")[2]) % 13 == 5 else []

    told, _, notices = swept(World(answers), whole(4, 256))
    assert Counter(v["rule"] for v in told) == {"NP132": 20, "NP806": 236}
    assert notices == []


def test_a_limit_is_told_by_who_was_answered_first() -> None:
    group = limits.Group("192.0.2.254")
    group.judge(np.arange(6), np.arange(6, 200))
    assert group.limited
    chance = limits.Group("192.0.2.254")
    chance.judge(np.arange(3, 200, 33), np.arange(200))
    assert not chance.limited


def test_turns_of_one_limiter_come_one_after_the_other() -> None:
    turns = slowly.Turns(np.array([0, 1, 0, 1]), 0)
    assert turns.next(0) is None
    first = turns.next(slowly.GAP_NS), turns.next(slowly.GAP_NS), turns.next(slowly.GAP_NS)
    assert first == (0, 1, None)
    assert turns.due_ns == 2 * slowly.GAP_NS


def test_a_second_look_takes_some_of_each_rule() -> None:
    world = World(lambda _, syn: everything(syn))
    one = whole(4, 120)
    lines: list[bytes] = []
    numbers, outlets = Numbers(KEY, 4), Outlets(lines=lines.append)
    look = SecondLook(4, 8)
    kinds = Kinds(4, lambda _: "ssh")
    settling = Settling(kinds, Telling(4, US[4], outlets), Stamp(4, US[4], numbers), numbers, look, silent=True)
    fake: Any = world
    Sweep(
        Plan(one, KEY, 2), Way(US[4], "eth0", 1500, 2, None), fake, fake, Pace(2000, world.now), fake, settling, fake,
        Interrupts(), numbers,
    ).run()  # fmt: skip
    rules = Counter(kind.verdict.rule for kind, *_ in look.held)
    assert len(look.held) == 8
    assert max(rules.values()) == 2
    assert all(kind.verdict.alternatives for kind, *_ in look.held)
    assert len(b"".join(lines).splitlines()) == 112


def test_a_second_look_is_sent_as_the_sweep_was() -> None:
    asked: dict[str, Any] = {"source_port": 53, "interface": "eth0", "expect": "http", "patient": True, "rate": 9.0}
    found = scan_options(SweepOptions(targets=("192.0.2.0/24",), **asked), [])
    assert {name: getattr(found, name) for name in asked} == asked


def test_an_interrupted_second_look_keeps_what_it_proved() -> None:
    proven, held = a_verdict(), a_verdict(port=23, certainty=Certainty.POSSIBLE)
    nothing = a_verdict(port=24, rule=UNSETTLED)
    assert proven.certainty is Certainty.CERTAIN
    ports = {port for _, port in settled(a_report(proven, held, nothing))}
    assert ports == {proven.port, 23}
    assert {port for _, port in settled(a_report(proven, held, nothing, interrupted=True))} == {proven.port}


def test_samples_of_settled_answers_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netprobe.sweep.settling.MOST_SAMPLES", 3)
    monkeypatch.setattr("netprobe.sweep.kinds.MOST", 3)
    world = World(lambda _, syn: [(0.01, segment(syn, "RA", ttl=40 + int(ends(syn)[1].address[-1])))])
    told, sweep, _ = swept(world, whole(4, 3000), rate=400.0)
    assert all(v["reason_ttl"] == 40 + int(v["address"][-1]) for v in told)
    assert len(told) == 3000
    assert len(sweep._settling._samples) <= 20


def test_a_contradiction_is_told_by_both_packets() -> None:
    syn = Stamp(4, US[4], Numbers(KEY, 4)).packets(*whole(4, 2).pairs(np.arange(2, dtype=np.uint64)))
    one, other = (segment(row.tobytes(), "RA") for row in syn)
    assert redirected(one, other)[12:24] == other[12:24]


def test_the_map_of_a_network_counts_every_pair_where_it_is() -> None:
    found = whole(4, 2048, (22, 80), without=(7,))
    chart = Chart(found)
    high, low, ports = found.pairs(np.arange(found.size, dtype=np.uint64))
    for port in (22, 80):
        mine = ports == port
        chart.note("up" if port == 22 else "dropped", high[mine], low[mine], port)
    cells = chart.cells()
    assert len(cells) == 1024
    assert (cells[0].first, cells[0].last) == ("198.18.0.0", "198.18.0.1")
    assert (cells[3].first, cells[3].last) == ("198.18.0.6", "198.18.0.8")
    assert cells[0].causes == {"up": 2, "dropped": 2}
    assert sum(sum(cell.causes.values()) for cell in cells) == found.size
    drawn = charts.network(cells, {"up": 0, "dropped": 1})
    assert drawn is not None
    assert len(drawn.fields) == 1024
    assert "198.18.0.6 to 198.18.0.8: 2 up, 2 dropped" in {one.tip for one in drawn.fields}


# --------------------------------------------------------------------------- parts


def test_the_pace_never_bursts_and_comes_back() -> None:
    pace = Pace(1000.0, 0)
    assert pace.allowed(0) == 1
    assert pace.allowed(10 * SECOND) <= 21
    assert pace.slow("drops", 10 * SECOND)
    assert not pace.slow("drops", 10 * SECOND + 1)
    assert pace.rate == pytest.approx(700)
    for n in range(200):
        pace.allowed((11 + n) * SECOND)
    assert pace.rate == 1000.0


def test_a_window_takes_the_first_answer_and_remembers_a_contradiction() -> None:
    window = Window(100, 10, 2)
    places = window.next(10, 0)
    window.note_sent(places, 5)
    zero = np.zeros(2, np.uint64)
    reset, syn_ack = np.uint64(0x14), np.uint64(0x12)
    both = np.array([3, 3])
    new, odd = window.note(both, np.array([reset, syn_ack]), zero, zero, np.array([50, 60]))
    assert (new.tolist(), odd.tolist()) == ([0], [1])
    assert window.shapes[3] == reset
    assert window.open == 9
    assert window.settled_ns() is None
    assert 3 not in window.next(10, windows.REPEAT_NS + 5)


def test_a_resume_file_knows_its_sweep(tmp_path: Path) -> None:
    path = tmp_path / "sweep.json"
    first = Resume(path, "one")
    first.note(4, 4096)
    first.close()
    again = Resume(path, "one")
    assert (again.done, again.key) == ({4: 4096}, first.key)
    again.close()
    with pytest.raises(UsageError, match="another shard"):
        Resume(path, "other")
    path.write_text("{}")
    with pytest.raises(UsageError, match="not a file of a sweep"):
        Resume(path, "one")
