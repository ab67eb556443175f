"""Properties that hold for all inputs: nothing raises, nothing but packets that answer something decides."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netprobe import greeting, ssh
from netprobe.attempts import attempt
from netprobe.icmp import label, meaning
from netprobe.model import ConnectionFact, Endpoint, Frame, Mode, Record, TargetFact, Verdict
from netprobe.tracker import Tracker, columns
from netprobe.tracker.decode import decode
from netprobe.verdict import diagnose
from netprobe.watch import Watch
from tests.ladder import Scene, ladder
from tests.packets import LINKS, Segment, framed, icmp_error
from tests.situations import SITUATIONS

ALL_LINKS = (*LINKS.values(), 12, 14, 228, 229, 108, 147)
situations = st.sampled_from(sorted(SITUATIONS))
# Few examples where each plays whole situations.
few = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])


@cache
def scene_of(name: str) -> Scene:
    return ladder(SITUATIONS[name])


@cache
def verdict_of(name: str) -> Verdict:
    return scene_of(name).verdict()


def played(scene: Scene) -> tuple[Watch, Verdict]:
    """All records in one go: much faster than one by one, and the same."""
    watch = Watch()
    watch.receive(scene.records)
    if scene.passive:
        return watch, scene.verdict()
    return watch, diagnose(watch.evidence(scene.target, scene.until_ns))


# What a change that must not matter may still change: counts and the numbers of frames.
COUNTS = {"attempts", "evidence", "because", "alternatives", "remedy", "notes", "history", "path"}


def assert_same(one: Verdict, other: Verdict, but: set[str]) -> None:
    for field in fields(Verdict):
        if field.name not in but:
            assert getattr(one, field.name) == getattr(other, field.name), field.name


# --------------------------------------------------------------------------- nothing raises


@given(st.binary(max_size=200), st.sampled_from(ALL_LINKS), st.sampled_from([None, True, False]))
def test_no_bytes_make_the_tracker_raise(data: bytes, link: int, outgoing: bool | None) -> None:
    tracker = Tracker()
    tracker.receive([Frame(1, 1, link, data, len(data), outgoing)])
    assert tracker.count(columns.N_FRAMES) == 1
    for row in tracker.rows:
        attempt(row)


@st.composite
def damaged(draw: st.DrawFn) -> list[Record]:
    """The frames of a situation with bytes changed, cut off, doubled and out of order."""
    scene = scene_of(draw(situations))
    records: list[Record] = []
    for record in scene.records:
        if isinstance(record, Frame) and draw(st.booleans()):
            data = bytearray(record.data)
            for _ in range(draw(st.integers(0, 3))):
                if data:
                    data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
            kept = bytes(data[: draw(st.integers(0, len(data)))]) if draw(st.booleans()) else bytes(data)
            records.append(replace(record, data=kept, outgoing=draw(st.sampled_from([None, True, False]))))
        else:
            records.append(record)
    order = draw(st.permutations(records)) if draw(st.booleans()) else records
    return [replace(record, number=n) for n, record in enumerate(order, 1)]


@given(damaged())
def test_no_damage_makes_the_core_raise(records: list[Record]) -> None:
    watch = Watch()
    watch.receive(records)
    numbers = {record.number for record in records}
    for seconds in (0, 1, 6, 60):
        for mode in ("ssh", "any"):
            target = TargetFact(target="203.0.113.5", address="203.0.113.5", port=22, expect=mode)
            verdict = diagnose(watch.evidence(target, watch.last_ns + seconds * 10**9))
            assert {citation.frame for citation in verdict.evidence} <= numbers
    for one in watch.attempts():
        target = TargetFact(target=one.server.address, address=one.server.address, port=one.server.port)
        diagnose(watch.evidence(target, watch.last_ns, one))


@given(st.binary(max_size=400), st.sampled_from(ALL_LINKS), st.integers(0, 60), st.integers(0, 60))
def test_no_bytes_make_decode_raise_or_leave_the_frame(data: bytes, link: int, before: int, after: int) -> None:
    row = [0] * columns.DECODED
    decode(data, 0, len(data), link, row)
    again = [0] * columns.DECODED
    decode(bytes(before) + data + bytes(after), before, before + len(data), link, again)
    if row[columns.D_PROTOCOL] == columns.P_TCP:
        assert row == again, "what lies around a frame doesn't matter"
    else:
        assert row[columns.D_PROTOCOL] == again[columns.D_PROTOCOL]


@given(st.binary(max_size=1000) | st.from_regex(rb"(?:[a-z ]{0,9}\r?\n){0,5}SSH-[ -~]{0,300}\r?\n.{0,20}"))
def test_no_bytes_make_ssh_or_greeting_raise(stream: bytes) -> None:
    opening = ssh.read(stream)
    assert opening.version is None or isinstance(opening.version, str)
    assert opening.kexinit in (True, False)
    if opening.identification is not None:
        assert opening.identification.startswith("SSH-")
        assert "\n" not in opening.identification
    greeting.name(stream)


@given(st.lists(st.binary(max_size=40), max_size=12))
def test_ssh_reads_a_stream_the_same_however_it_is_cut(pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    final = ssh.read(whole)
    grown = b""
    for piece in pieces:
        grown += piece
        opening = ssh.read(grown)
        if opening.identification is not None:
            assert opening.identification == final.identification, "once told, it stays"
        else:
            assert opening.lines == final.lines[: len(opening.lines)]


@given(st.sampled_from([4, 6]), st.integers(0, 255), st.integers(0, 255))
def test_every_icmp_code_has_a_meaning(version: int, kind: int, code: int) -> None:
    assert meaning(version, kind, code).text
    assert label(version, kind, code).endswith(f"{kind}/{code}")


@given(
    st.lists(st.sampled_from(["started", "open", "failed", "icmp", "data", "closed", "given-up", "odd"]), max_size=8)
)
def test_no_order_of_facts_makes_the_core_raise(events: list[str]) -> None:
    watch = Watch()
    client, server = Endpoint("192.0.2.1", 40000), Endpoint("203.0.113.5", 22)
    for n, event in enumerate(events, 1):
        error = "EHOSTUNREACH" if event in ("failed", "icmp") else None
        watch.receive(
            [ConnectionFact(number=n, time_ns=n, id=1, server=server, event=event, client=client, error=error)]
        )
    for mode in (Mode.RAW, Mode.CONNECT):
        target = TargetFact(target="203.0.113.5", address="203.0.113.5", port=22, mode=mode)
        diagnose(watch.evidence(target, 10**11))


# --------------------------------------------------------------------------- what must not matter


def strangers(rng: random.Random, count: int) -> Iterator[bytes]:
    """Packets of other flows: other hosts, other people's conversations, errors about them."""
    for _ in range(count):
        client = Endpoint(f"192.0.2.{rng.randint(100, 120)}", rng.randint(1024, 65535))
        server = Endpoint(f"198.51.100.{rng.randint(100, 120)}", rng.choice([22, 80, 443]))
        segment = Segment(
            src=client, dst=server, flags=rng.choice(["S", "SA", "A", "RA", "F", "PA"]), seq=rng.getrandbits(32)
        )
        if rng.random() < 0.2:
            yield icmp_error("198.51.100.99", client.address, 3, rng.randint(0, 15), segment.packet())
        else:
            yield segment.packet()


@few
@given(situations, st.integers(0, 2**32), st.integers(1, 3))
def test_packets_of_other_flows_change_nothing(name: str, seed: int, density: int) -> None:
    scene = scene_of(name)
    rng = random.Random(seed)
    mixed: list[Record] = []
    for record in scene.records:
        for packet in strangers(rng, rng.randint(0, density)):
            data = framed("raw", packet)
            mixed.append(Frame(0, record.time_ns, 101, data, len(data), rng.choice([None, False]), "eth0"))
        mixed.append(record)
    _, verdict = played(scene.with_records(mixed))
    assert_same(verdict, verdict_of(name), {"evidence"})
    assert [c.what for c in verdict.evidence] == [c.what for c in verdict_of(name).evidence]


@few
@given(situations, st.integers(-(10**18), 10**18))
def test_a_shift_of_all_times_changes_nothing(name: str, shift: int) -> None:
    scene = scene_of(name)
    shifted = scene.with_records(
        [replace(record, time_ns=record.time_ns + shift) for record in scene.records], scene.until_ns + shift
    )
    shifted.target = replace(scene.target, time_ns=scene.target.time_ns + shift)
    _, verdict = played(shifted)
    assert_same(verdict, verdict_of(name), {"evidence"})


@few
@given(situations, st.integers(0, 2**32))
def test_received_one_by_one_or_in_batches_is_the_same(name: str, seed: int) -> None:
    scene = scene_of(name)
    rng = random.Random(seed)
    if scene.passive:
        assert diagnose(scene.one_attempt(lambda: rng.randint(1, 5))) == verdict_of(name)
        return
    watch = Watch()
    at = 0
    while at < len(scene.records):
        size = rng.randint(1, 5)
        watch.receive(scene.records[at : at + size])
        at += size
    assert diagnose(watch.evidence(scene.target, scene.until_ns)) == verdict_of(name)


# A situation in which the number of copies is what tells it: three SYNs that draw as many answers, SYN-ACKs repeated.
COUNTED = {"each_syn_draws_nonsense", "our_ack_never_arrives"}


@few
@given(situations.filter(lambda name: name not in COUNTED), st.integers(0, 2**32))
def test_duplicated_packets_change_nothing(name: str, seed: int) -> None:
    """Each frame may come a second time at once, as on mirror ports and on several interfaces."""
    scene = scene_of(name)
    rng = random.Random(seed)
    doubled: list[Record] = []
    for record in scene.records:
        doubled.append(record)
        if isinstance(record, Frame) and rng.random() < 0.7:
            doubled.append(replace(record, time_ns=record.time_ns + rng.randint(0, 100_000)))
    _, verdict = played(scene.with_records(doubled))
    assert_same(verdict, verdict_of(name), COUNTS)


@pytest.mark.parametrize("name", sorted(SITUATIONS))
def test_verdicts_cite_frames_that_exist(name: str) -> None:
    scene = scene_of(name)
    by_number = {record.number: record.time_ns for record in scene.records}
    for citation in verdict_of(name).evidence:
        assert citation.frame in by_number
        assert citation.what


@pytest.mark.parametrize("name", sorted(SITUATIONS))
def test_a_cut_before_the_deadline_is_never_taken_for_silence(name: str) -> None:
    """Whatever a capture would show in the end: cut within four seconds of its first SYN, silence isn't claimed."""
    scene = scene_of(name)
    first = next((r.time_ns for r in scene.records if isinstance(r, Frame)), None)
    if first is None:
        return
    for seconds in (0.0, 0.1, 0.5, 1.0, 2.0, 3.0, 3.9):
        until = first + int(seconds * 1e9)
        cut = scene.with_records([r for r in scene.records if r.time_ns <= until], until)
        _, verdict = played(cut)
        assert verdict.reason != "no-response", (seconds, verdict)
        assert verdict.cause not in {"dropped", "host-silent", "syn-filtered", "backlog-full", "reply-filtered"}


@pytest.mark.parametrize("seconds", [0.0, 0.9, 1.5, 3.0, 4.0, 4.19])
def test_silent_syns_alone_are_inconclusive_until_the_deadline(seconds: float) -> None:
    scene = ladder(f"0 > S [mss]\n1 > S [mss]\n3 > S [mss]\nuntil {seconds}")
    cut = scene.with_records([r for r in scene.records if r.time_ns <= scene.until_ns])
    assert cut.verdict().cause == "inconclusive"
    assert ladder("0 > S [mss]\n1 > S [mss]\n3 > S [mss]\nuntil 4.3").verdict().cause == "host-silent"


# --------------------------------------------------------------------------- forgeries


def forge_bare_reset(rng: random.Random, syn: Segment) -> bytes:
    return replace(syn.turned("R"), seq=rng.getrandbits(32), ttl=rng.randint(1, 255)).packet()


def wrong(rng: random.Random, right: int) -> int:
    """Any number but the right one, near misses above all."""
    return (right + rng.choice([1, -1, 2, -2, rng.randint(3, 0xFFFFFFF0)])) & 0xFFFFFFFF


def forge_reset(rng: random.Random, syn: Segment) -> bytes:
    return replace(syn.turned("RA"), ack=wrong(rng, syn.seq + 1), ttl=rng.randint(1, 255)).packet()


def forge_syn_ack(rng: random.Random, syn: Segment) -> bytes:
    return replace(syn.turned("SA"), seq=rng.getrandbits(32), ack=wrong(rng, syn.seq + 1)).packet()


def forge_icmp(rng: random.Random, syn: Segment) -> bytes:
    quoted = replace(syn, seq=wrong(rng, syn.seq))
    if rng.random() < 0.3:
        quoted = replace(syn, src=Endpoint(syn.src.address, rng.choice([1, syn.src.port ^ 1])))
    sender = rng.choice([syn.dst.address, "198.51.100.1"])
    kind = rng.choice([(3, 1), (3, 3), (3, 13), (11, 0)])
    return icmp_error(sender, syn.src.address, *kind, quoted.packet(), keep=rng.choice([8, None]))


FORGERIES: tuple[Callable[[random.Random, Segment], bytes], ...] = (
    forge_bare_reset,
    forge_reset,
    forge_syn_ack,
    forge_icmp,
)
CLIENT, SERVER = Endpoint("192.0.2.1", 40000), Endpoint("203.0.113.5", 22)
SYN = Segment(src=CLIENT, dst=SERVER, seq=4_294_967_290, options=("mss", "sack"), tos=0x48)


def forged(rng: random.Random, count: int, start: int, time_ns: int) -> list[Frame]:
    found = []
    for n in range(count):
        packet = rng.choice(FORGERIES)(rng, SYN)
        found.append(Frame(start + n, time_ns + n, 101, packet, len(packet), False))
    return found


def test_a_hundred_thousand_forgeries_are_never_believed() -> None:
    """An attacker who sees addresses and ports but not our numbers can't make or change a verdict."""
    rng = random.Random(793)
    started = time.monotonic()
    watch = Watch()
    target = TargetFact(target="203.0.113.5", address="203.0.113.5", port=22)
    syn = SYN.packet()
    first_ns = 10**18
    watch.receive([Frame(1, first_ns, 101, syn, len(syn), True)])
    total, number = 0, 2
    for batch in range(25):
        frames = forged(rng, 4000, number, first_ns + batch * 10**8)
        number += len(frames)
        total += len(frames)
        watch.receive(frames)
        verdict = diagnose(watch.evidence(target, frames[-1].time_ns))
        assert verdict.cause == "inconclusive"
        assert watch.unsolicited == total
    assert total == 100_000
    assert diagnose(watch.evidence(target, first_ns + 4 * 10**9)).cause in ("inconclusive", "host-silent")
    answer = replace(SYN.turned("RA"), ack=(SYN.seq + 1) & 0xFFFFFFFF, tos=0x48, ttl=62).packet()
    watch.receive([Frame(number, first_ns + 3 * 10**9, 101, answer, len(answer), False)])
    verdict = diagnose(watch.evidence(target, first_ns + 4 * 10**9))
    assert verdict.rule == "NP121"
    assert verdict.reason_ttl == 62
    assert {c.frame for c in verdict.evidence} == {1, number}
    assert time.monotonic() - started < 60, "slow enough to be a fault of the program"


# Situations in which every forgery is aimed at an attempt that is still in SYN-SENT when it comes.
REFUSED = ("nothing_listens", "netfilter_on_the_host", "host_rejects", "one_silent_port", "accept_queue_full")


@few
@given(st.sampled_from(REFUSED), st.integers(0, 2**32))
def test_forgeries_change_no_verdict(name: str, seed: int) -> None:
    scene = scene_of(name)
    rng = random.Random(seed)
    ladder_syn = Segment(src=CLIENT, dst=SERVER, seq=1_000_000 + 1000 * 40000 + 22, options=("mss",))
    mixed: list[Record] = []
    count = 0
    for record in scene.records:
        mixed.append(record)
        for _ in range(rng.randint(0, 3)):
            packet = rng.choice(FORGERIES)(rng, ladder_syn)
            mixed.append(Frame(0, record.time_ns, 101, packet, len(packet), False, "eth0"))
            count += 1
    watch, verdict = played(scene.with_records(mixed))
    assert watch.unsolicited == count
    if verdict.cause == "malformed-answer":
        # As many forgeries as SYNs: they can't be told from a box that writes nonsense, so the verdict says that.
        assert verdict.certainty == "likely"
        assert "dropped" in {rival.cause for rival in verdict.alternatives}
    else:
        assert_same(verdict, verdict_of(name), {"evidence"})
