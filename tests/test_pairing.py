"""Two captures of one conversation: situations, matching, clocks, what could not have been seen, how it is told."""

from __future__ import annotations

import json
import random
from importlib import resources
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netprobe import analyze_pair
from netprobe.model import Verdict
from netprobe.options import AnalyzeOptions
from netprobe.pairing.clocks import Sample, Samples, estimate
from netprobe.report import json as report_json
from netprobe.report import pair as told
from netprobe.report import table
from tests.lab.pairs import RIGHT
from tests.pair_ladder import check_pair, compare, pair
from tests.pair_situations import AFTER, BANNER, BEFORE, OPEN, PAIR_SITUATIONS, SHOWN, SYNS_LOST

CAPTURES = Path(__file__).resolve().parents[1] / "captures"
SECOND = 1_000_000_000
every_situation = pytest.mark.parametrize("name", PAIR_SITUATIONS)


def fates(verdict: Verdict) -> list[tuple[str, str]]:
    assert verdict.pair is not None
    return [(one.what, one.fate) for one in verdict.pair.crossings]


@every_situation
def test_situation(name: str) -> None:
    check_pair(PAIR_SITUATIONS[name])


@pytest.mark.parametrize("name", RIGHT)
def test_pair_recorded_in_the_lab(name: str) -> None:
    both = CAPTURES / f"pair_{name}.pcapng", CAPTURES / f"pair_{name}-server.pcapng"
    verdicts = analyze_pair.run(AnalyzeOptions(pair=both), lambda _: None, lambda _: None).verdicts
    own = next(one for one in verdicts if one.port == 22)
    assert own.pair is not None
    assert (own.cause, own.certainty.value, own.pair.side) == RIGHT[name]


# --------------------------------------------------------------------------- clocks


@pytest.mark.parametrize("hours", [-5, 0, 1, 30])
@every_situation
def test_clocks_that_differ_change_no_verdict(name: str, hours: int) -> None:
    text = PAIR_SITUATIONS[name]
    if "who-has" in text:
        return  # nothing is in both captures: how the clocks stand is not known
    check_pair(f"clock {hours * 3600}\n{text}")


@pytest.mark.parametrize("offset", [-7200.25, 0.0, 90000.5])
def test_the_offset_is_found_within_its_uncertainty(offset: float) -> None:
    status = pair(f"clock {offset}\n{BEFORE}{OPEN}{BANNER}{AFTER}").report().pair
    assert status is not None
    assert status.offset_ns is not None
    assert status.uncertainty_ns is not None
    assert abs(status.offset_ns - round(offset * 1e9)) <= status.uncertainty_ns <= 11_000_000
    assert status.bound is None


def crossed(seconds: int, ppm: float, offset_ns: int, seed: int = 1) -> Samples:
    """Packets both ways, 10 to 14 ms on the way, between clocks that differ."""
    rng = random.Random(seed)
    found = Samples()
    for n in range(seconds * 4):
        client = 1_700_000_000 * SECOND + n * SECOND // 4
        server = client + offset_ns + round((n * SECOND // 4) * ppm / 1e6)
        late = 10_000_000 + rng.randrange(4_000_000)
        found.add([Sample(client, server + late, True) if n % 2 else Sample(client + late, server, False)])
    return found


@pytest.mark.parametrize("ppm", [100.0, -100.0, 20.0])
def test_drift_is_seen_where_it_moves_the_bounds(ppm: float) -> None:
    clocks = estimate(crossed(3600, ppm, 5 * SECOND))
    assert clocks.drift_ppm == pytest.approx(ppm, abs=2)
    assert clocks.offset_ns == pytest.approx(5 * SECOND, abs=12_000_000)
    assert not clocks.unsteady


def test_no_drift_is_told_where_there_is_none() -> None:
    clocks = estimate(crossed(3600, 0.0, -3 * SECOND))
    assert clocks.drift_ppm is None
    assert clocks.uncertainty_ns is not None
    assert abs((clocks.offset_ns or 0) + 3 * SECOND) <= clocks.uncertainty_ns
    assert 20_000_000 <= (clocks.round_trip_ns or 0) <= 22_000_000


def test_a_clock_that_was_set_is_told() -> None:
    found = crossed(10, 0.0, 0)
    late = 1_700_000_100 * SECOND
    found.add([Sample(late, late - 60 * SECOND, True), Sample(late, late - 60 * SECOND, False)])
    assert estimate(found).unsteady


@pytest.mark.parametrize(("there", "bound"), [(True, "at-most"), (False, "at-least")])
def test_one_direction_is_but_a_bound(there: bool, bound: str) -> None:
    clocks = estimate(Samples([Sample(0, 30_000_000, there), Sample(SECOND, SECOND + 20_000_000, there)]))
    assert clocks.bound == bound
    assert clocks.uncertainty_ns is None
    assert clocks.offset_ns == (20_000_000 if there else 30_000_000)


def test_nothing_in_common_leaves_the_clocks_alone() -> None:
    assert estimate(Samples()).offset_ns is None


# --------------------------------------------------------------------------- matching


@pytest.mark.parametrize(
    ("more", "matched"),
    [
        ("", "four-tuple"),
        ("nat client 198.51.100.9 61000", "iss"),
        ("nat server 192.0.2.77 2222", "iss"),
        ("nat client 198.51.100.9 61000\nnat server 192.0.2.77 2222", "iss"),
        ("numbers there 5000\nnumbers back 77777", "four-tuple"),
    ],
)
def test_one_conversation_is_found_under_other_names(more: str, matched: str) -> None:
    verdict = pair(f"{more}\n{BEFORE}{OPEN}{BANNER}{AFTER}").verdict()
    assert verdict.pair is not None
    assert verdict.pair.matched == matched
    assert {fate for _, fate in fates(verdict)} == {"arrived"}
    changed = " ".join(verdict.pair.changed)
    assert ("is 198.51.100.9:61000 at the server" in changed) == ("nat client" in more)
    assert ("is 192.0.2.77:2222 at the server" in changed) == ("nat server" in more)
    assert ("sequence numbers shifted by 5000" in changed) == ("numbers" in more)


@pytest.mark.parametrize(("lost", "ident"), [(0, "id"), (1, "id"), (2, "id"), (1, "time")])
def test_which_of_several_copies_was_lost(lost: int, ident: str) -> None:
    """By their IP IDs, and where those are all 0 by the time."""
    rows = [
        f"{n + 1}.0 > S [mss] id {n + 7 if ident == 'id' else 0} | {'-' if n == lost else f'{n + 1}.01'}"
        for n in range(3)
    ]
    verdict = pair("\n".join([BEFORE, SHOWN, *rows, AFTER])).verdict()
    assert [fate for _, fate in fates(verdict)] == ["lost" if n == lost else "arrived" for n in range(3)]


def test_what_the_card_cut_into_pieces_is_not_lost() -> None:
    """Segmentation offload: one large packet in the sender's capture, several on the wire."""
    text = f"""
        {BEFORE}{OPEN}
        - < PA "{"a" * 900}" | 1.100
        1.111 < A seq -900 "{"a" * 300}" | -
        1.112 < A seq -600 "{"a" * 300}" | -
        1.113 < PA seq -300 "{"a" * 300}" | -
        {AFTER}
    """
    told_fates = fates(pair(text).verdict())
    assert ("PSH,ACK 900 bytes", "split") in told_fates
    assert not {fate for _, fate in told_fates} & {"lost", "forged"}


def test_what_was_copied_on_the_way_is_not_forged() -> None:
    verdict = pair(f"{BEFORE}{OPEN}1.050 < R id 9 | 1.040 id 9\n1.051 < R id 9 | -\n{AFTER}").verdict()
    assert [fate for what, fate in fates(verdict) if what == "RST"] == ["arrived", "copied"]


def test_each_packet_is_matched_once() -> None:
    for text in PAIR_SITUATIONS.values():
        verdict = pair(text).verdict()
        assert verdict.pair is not None
        for side in ("client", "server"):
            sights = [getattr(one, side) for one in verdict.pair.crossings]
            frames = [one.frame for one in sights if one is not None]
            assert len(frames) == len(set(frames))


def test_changes_on_the_way_are_told() -> None:
    text = f"{BEFORE}1.000 > S tos 0x28 [mss,sack,ts,ws] | 1.010 tos 0x03 win 1000 [mss,sack]\n{AFTER}"
    verdict = pair(text).verdict()
    assert verdict.pair is not None
    changed = set(verdict.pair.crossings[0].changed)
    assert changed >= {
        "DSCP 10 became 0",
        "ECN Not-ECT became CE",
        "window 64240 became 1000",
        "option timestamps was removed",
        "option window scale was removed",
    }


# --------------------------------------------------------------------------- what could not have been seen


def one_of(verdict: Verdict) -> set[str]:
    return {fate for _, fate in fates(verdict)}


def test_a_capture_that_began_later_has_lost_nothing() -> None:
    verdict = pair(f"{SYNS_LOST}{AFTER}").verdict()
    assert one_of(verdict) == {"unseen"}
    assert not verdict.rule.startswith("NP7")


def test_a_capture_that_ended_before_has_lost_nothing() -> None:
    verdict = pair(f"{BEFORE}{SYNS_LOST}9.0 > S port 40101 to 35000 [mss] | -").verdict()
    assert one_of(verdict) == {"unseen"}
    assert not verdict.rule.startswith("NP7")


def test_a_capture_of_another_host_proves_nothing() -> None:
    scene = pair(f"{BEFORE}{SHOWN}{SYNS_LOST}{AFTER}")
    other = pair(f"server 203.0.113.99\n{BEFORE}{SHOWN}{AFTER}".replace("port 40", "port 41"))
    verdicts = compare(scene.client, other.server).verdicts
    own = next(one for one in verdicts if one.client is not None and one.client.port == 40000)
    assert one_of(own) == {"unseen"}
    assert not own.rule.startswith("NP7")


def test_what_was_acknowledged_has_arrived() -> None:
    """The server's capture lacks a packet that the server itself acknowledged: it is the capture that is not whole."""
    text = f"""
        {BEFORE}{OPEN}
        1.100 > PA "hello" | -
        1.121 < A | 1.111
        1.200 < R ttl 60 | -
        {AFTER}
    """
    scene = pair(text)
    report = scene.report()
    assert report.pair is not None
    assert report.pair.missed == (0, 1)
    verdict = scene.verdict()
    assert ("PSH,ACK 5 bytes", "unseen") in fates(verdict)
    assert (verdict.rule, verdict.certainty) != ("NP702", "certain")


@pytest.mark.parametrize("drops", ["drops 3", "drops - 3"])
@every_situation
def test_a_capture_that_dropped_packets_proves_less(name: str, drops: str) -> None:
    """What rests on one packet that is missing is not certain any more; what rests on what is there stays."""
    plain, lossy = pair(PAIR_SITUATIONS[name]).verdict(), pair(f"{drops}\n{PAIR_SITUATIONS[name]}").verdict()
    rank = ["possible", "likely", "certain"]
    if lossy.cause == plain.cause:
        assert rank.index(lossy.certainty) <= rank.index(plain.certainty)


# --------------------------------------------------------------------------- how it is told


@every_situation
def test_json_keeps_to_the_schema(name: str) -> None:
    schema = json.loads(resources.files("netprobe.report").joinpath("schema.json").read_text("utf-8"))
    document = json.loads(report_json.document(pair(PAIR_SITUATIONS[name]).report()))
    jsonschema.validate(document, schema)
    assert document["pair"]["conversations"]["both"] >= 0
    assert all("packets" in one["pair"] for one in document["verdicts"])


@every_situation
def test_the_ladder_is_ascii_and_80_columns_wide(name: str) -> None:
    report = pair(PAIR_SITUATIONS[name]).report()
    for verdict in report.verdicts:
        for line in told.ladder(verdict, 2):
            assert line.isascii()
            assert len(line) <= told.WIDTH
    text = table.render(report, width=80)
    assert text.index("client's capture:") < text.index("frame    seconds")


def test_the_ladder_shows_where_a_packet_was_lost() -> None:
    lines = told.ladder(pair(PAIR_SITUATIONS["syns_lost_on_the_way_there"]).verdict(), 0)
    assert sum(line.endswith("X lost") for line in lines) == 3
    lines = told.ladder(pair(PAIR_SITUATIONS["reset_that_the_server_never_sent"]).verdict(), 0)
    assert any("RST,ACK" in line and line.endswith("never left") for line in lines)


# --------------------------------------------------------------------------- strangers' files


@settings(max_examples=40)
@given(data=st.data())
def test_no_damage_makes_it_fail(data: st.DataObject) -> None:
    scene = pair(PAIR_SITUATIONS[data.draw(st.sampled_from(sorted(PAIR_SITUATIONS)))])
    both = []
    for whole in (scene.client, scene.server):
        octets = bytearray(whole)
        for _ in range(data.draw(st.integers(0, 6))):
            octets[data.draw(st.integers(28, len(octets) - 1))] = data.draw(st.integers(0, 255))
        both.append(bytes(octets))
    compare(*both)
