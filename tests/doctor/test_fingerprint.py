"""The rhythm of marked SYNs in counters: found, told apart, and never seen where it isn't."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest

from netprobe.doctor.facts import Heard
from netprobe.doctor.fingerprint import fate, find
from netprobe.doctor.fingerprint.fate import Fate
from netprobe.doctor.fingerprint.series import NAMES, SIGNALS, Grid, Samples, signals
from netprobe.rhythm import ECHOES, LATER_S, SYNS, WHOLE_S
from tests.doctor.counting import Kernel, connections, rounds

FATES = (
    *("accepted", "reset-by-stack", "reset-by-netfilter", "rejected", "dropped", "queue-full", "forwarded"),
    *("reply-lost", "reply-held-back", "no-way-back", "never-arrived"),
)
TRANSMITS = frozenset({"Ip.OutTransmits", "Ip6.OutTransmits"})


def told(samples: Samples) -> dict[int, Fate]:
    """What is said of each IP version that was heard."""
    return {one.family: fate.fate(one) for one in find.heard(samples)}


# --------------------------------------------------------------------------- alone on the machine


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("word", FATES)
def test_each_fate_is_told(word: str, family: int) -> None:
    found = told(Kernel().add(rounds(family, word, 3.3)).samples())
    assert set(found) == {family}
    assert (found[family].word, found[family].certain) == (word, True)


def test_the_reverse_path_filter_is_told() -> None:
    assert told(Kernel().add(rounds(4, "reverse-path", 3.3)).samples())[4].word == "reverse-path"


@pytest.mark.parametrize("one", FATES)
@pytest.mark.parametrize("other", ["accepted", "dropped"])
def test_both_ip_versions_are_told_apart(one: str, other: str) -> None:
    found = told(Kernel().add(rounds(4, one, 3.3), rounds(6, other, 3.3)).samples())
    assert {family: what.word for family, what in found.items()} == {4: one, 6: other}


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize(
    ("first", "later"), [("accepted", "rejected"), ("accepted", "dropped"), ("reset-by-stack", "reset-by-netfilter")]
)
def test_a_limit_shows_in_the_later_rounds(first: str, later: str, family: int) -> None:
    found = told(Kernel().add(rounds(family, first, 3.3, later=later)).samples())[family]
    assert (found.word, found.then, found.certain) == ("limited", (first, later), True)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("later", ["rejected", "dropped"])
def test_a_limit_shows_also_where_the_first_round_is_hidden(later: str, seed: int) -> None:
    hidden = rounds(4, "accepted", 9.1, later=later, raw=False, pings=False)
    found = told(Kernel(seconds=60).add(hidden, connections(50, 60, seed)).samples())
    assert found[4].word in {"limited", "unsure"}


def test_a_route_that_goes_is_no_limit() -> None:
    found = told(Kernel().add(rounds(4, "accepted", 3.3, later="no-way-back")).samples())[4]
    assert (found.word, found.certain) == ("no-way-back", False)


@pytest.mark.parametrize("word", FATES[:-1])
def test_an_ordinary_users_rounds_need_neither_marks_nor_pings(word: str) -> None:
    found = told(Kernel().add(rounds(4, word, 3.3, raw=False, pings=False)).samples())
    assert (found[4].word, found[4].certain) == (word, True)


def test_what_never_arrives_without_a_ping_is_not_heard() -> None:
    assert told(Kernel().add(rounds(4, "never-arrived", 3.3, pings=False)).samples()) == {}


@pytest.mark.parametrize("at_s", [0.0, 0.01, 7.77, 15.0])
def test_it_doesnt_matter_when_the_client_begins(at_s: float) -> None:
    assert told(Kernel().add(rounds(4, "dropped", at_s)).samples())[4].word == "dropped"


# --------------------------------------------------------------------------- amid other traffic


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("word", FATES)
def test_other_connections_hide_at_most_and_never_mislead(word: str, family: int, seed: int) -> None:
    kernel = Kernel(seconds=60).add(rounds(family, word, 9.1), connections(50, 60, seed))
    found = told(kernel.samples())
    assert set(found) <= {family}
    assert all(what.word in {word, "unsure"} for what in found.values())
    if word != "never-arrived":
        assert found[family].word == word
    assert not any(what.certain for what in found.values() if what.word == "unsure")


@pytest.mark.parametrize("word", ["dropped", "reset-by-netfilter", "rejected", "reset-by-stack", "accepted"])
def test_a_scanned_server_drops_other_packets_all_the_time(word: str) -> None:
    drops = connections(5, 60, 3, per={"Ip.InReceives": 1})
    found = told(Kernel(seconds=60).add(rounds(4, word, 9.1), drops).samples())
    assert found[4].word in {word, "unsure"}
    assert word in {"dropped", "reset-by-netfilter"} or found[4].word == word


@pytest.mark.parametrize("seed", range(6))
def test_traffic_alone_is_never_taken_for_the_rhythm(seed: int) -> None:
    reset = {"Tcp.OutRsts": 1, "Tcp.OutSegs": 1, "Ip.OutRequests": 1, "Ip.OutTransmits": 1}
    kernel = Kernel(seconds=60, seed=seed).add(
        connections(50, 60, seed),
        connections(8, 60, seed + 100, per={"Ip.InReceives": 1}),
        connections(4, 60, seed + 200, per=reset),
    )
    assert told(kernel.samples()) == {}


@pytest.mark.parametrize("every_s", [0.5, 1.0, 5.0, 10.0])
def test_what_others_do_by_the_clock_is_not_the_rhythm(every_s: float) -> None:
    beats = [(at * every_s, {"Ip.InReceives": 9, "TcpExt.ListenOverflows": 9}) for at in range(1, int(60 / every_s))]
    assert told(Kernel(seconds=60).add(beats).samples()) == {}


@pytest.mark.parametrize("at_s", [9.1, 10.7])
def test_one_great_burst_is_not_the_rhythm(at_s: float) -> None:
    burst = [(at_s, {"Ip.InReceives": 5000})]
    assert told(Kernel(seconds=60).add(burst).samples()) == {}
    assert told(Kernel(seconds=60).add(burst, rounds(4, "dropped", 12.2)).samples())[4].word == "dropped"


# --------------------------------------------------------------------------- a late sampler, a short watch


@pytest.mark.parametrize("word", FATES)
def test_a_busy_processor_costs_certainty_and_no_truth(word: str) -> None:
    stalls = ((4.1, 4.9), (9.0, 9.5), (15.0, 16.2), (20.0, 20.3))
    found = told(Kernel(stalls=stalls).add(rounds(4, word, 3.3)).samples())
    assert all(what.word in {word, "unsure"} for what in found.values())


@pytest.mark.parametrize("word", FATES)
def test_an_interrupted_watch_tells_less(word: str) -> None:
    for seconds in (5.0, 11.0, 18.0):
        found = told(Kernel(seconds=seconds).add(rounds(4, word, 3.3)).samples())
        assert all(what.word in {word, "unsure"} for what in found.values())
        if seconds < 15:
            assert not any(what.certain for what in found.values())


@pytest.mark.parametrize("seconds", [0.0, 0.02, 0.5])
def test_next_to_nothing_is_nothing(seconds: float) -> None:
    assert told(Kernel(seconds=seconds).samples()) == {}
    assert find.heard(Samples(NAMES, [], [])) == ()


# --------------------------------------------------------------------------- other kernels


def test_without_transmits_a_drop_and_a_reset_by_netfilter_look_alike_over_ipv6() -> None:
    for word in ("dropped", "reset-by-netfilter"):
        found = told(Kernel(lacks=TRANSMITS).add(rounds(6, word, 3.3)).samples())[6]
        assert found.word == "unsure"
        assert "on this kernel" in found.because[1]
        assert told(Kernel(lacks=TRANSMITS).add(rounds(4, word, 3.3)).samples())[4].word == word


@pytest.mark.parametrize("word", FATES)
def test_a_kernel_without_ipv6(word: str) -> None:
    lacks = frozenset(name for name in NAMES if name.startswith(("Ip6.", "Icmp6.", "Udp6.")))
    assert told(Kernel(lacks=lacks).add(rounds(4, word, 3.3)).samples())[4].word == word


def test_no_signal_is_made_of_counters_that_are_not_there() -> None:
    samples = Kernel(lacks=TRANSMITS, seconds=1).samples()
    for family in (4, 6):
        assert "withheld" not in signals(Grid(samples), family)
        assert set(signals(Grid(Kernel(seconds=1).samples()), family)) == set(SIGNALS[family])


# --------------------------------------------------------------------------- real kernels

RECORDED = sorted((Path(__file__).parent / "series").glob("*.json"))


def recorded(path: Path) -> tuple[Samples, dict[int, str]]:
    """A recorded series: what moved, and when."""
    held = json.loads(path.read_text("utf-8"))
    now = [0] * len(held["names"])
    times, values, changes = [], [], dict(held["changes"])
    for number, time_ms in enumerate(held["times_ms"]):
        for place, step in changes.get(number, ()):
            now[place] += step
        times.append(time_ms / 1000)
        values.append(list(now))
    return Samples(tuple(held["names"]), times, values), {int(family): word for family, word in held["fates"].items()}


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_recorded_series(path: Path) -> None:
    samples, fates = recorded(path)
    assert {family: what.word for family, what in told(samples).items()} == fates


def test_every_fate_was_recorded() -> None:
    words = {word for path in RECORDED for word in recorded(path)[1].values()}
    assert words >= {*FATES, "limited"} - {"forwarded", "no-way-back"}


# --------------------------------------------------------------------------- the rhythm itself


def test_the_first_round_stays_below_the_usual_limits() -> None:
    assert all(one.sizes[0] <= 5 and one.total <= 30 for one in SYNS.values())
    assert WHOLE_S < 28


def test_no_round_of_one_ip_version_falls_upon_one_of_the_other() -> None:
    times = [
        (LATER_S[family] + start, family, kind)
        for kind, table in (("syn", SYNS), ("ping", ECHOES))
        for family, one in table.items()
        for start in one.starts_s
    ]
    for at, (one, family, _) in enumerate(sorted(times)[:-1]):
        other = sorted(times)[at + 1]
        assert other[0] - one > 0.35 or family != other[1], (one, other)


def test_no_shift_brings_more_than_one_round_of_one_pattern_upon_the_other() -> None:
    for one in SYNS[4].starts_s:
        for other in SYNS[6].starts_s:
            shift = one - other
            together = sum(abs(a - b - shift) < 0.3 for a in SYNS[4].starts_s for b in SYNS[6].starts_s)
            assert together == 1


def test_heard_is_plain_data() -> None:
    (one,) = find.heard(Kernel().add(rounds(4, "dropped", 3.3)).samples())
    assert isinstance(one, Heard)
    assert one.sizes == SYNS[4].sizes
    assert one.at_s == pytest.approx(3.3, abs=0.15)
    assert 0 < one.chance < 1e-6
    assert set(one.noise) == set(one.excess) == set(SIGNALS[4])


def test_a_long_watch_looks_at_its_end_and_keeps_the_time() -> None:
    (one,) = find.heard(Kernel(seconds=130).add(rounds(4, "dropped", 90.3)).samples())
    assert fate.fate(one).word == "dropped"
    assert one.at_s == pytest.approx(90.3, abs=0.15)


def heard_as(by: str, **excess: tuple[tuple[float, ...], float]) -> Heard:
    """Rounds with these signals (by round, and their noise); the others stand still."""
    still = dict.fromkeys(SIGNALS[4], (0.0, 0.0, 0.0, 0.0))
    moved = {name.replace("_", "-"): row for name, (row, _) in excess.items()}
    noise = {name.replace("_", "-"): one for name, (_, one) in excess.items()}
    return Heard(
        family=4, by=by, at_s=1.0, chance=1e-9, sizes=SYNS[4].sizes,
        excess={**still, **moved}, noise={**dict.fromkeys(SIGNALS[4], 0.25), **noise},
    )  # fmt: skip


FOLLOWING = (5.0, 9.0, 7.0, 9.0)


@pytest.mark.parametrize(
    ("one", "word"),
    [
        (heard_as("stopped", stopped=(FOLLOWING, 0.25)), "dropped"),
        (heard_as("stopped", stopped=(FOLLOWING, 0.25), opened=(FOLLOWING, 2.0)), "dropped"),
        (heard_as("stopped", stopped=(FOLLOWING, 1.5), opened=(FOLLOWING, 2.0)), "unsure"),
        (heard_as("pings"), "never-arrived"),
        (heard_as("pings", opened=(FOLLOWING, 2.0)), "unsure"),
        (heard_as("pings", opened=((0.0, 0.0, 0.0, 0.0), 9.0)), "unsure"),
        (heard_as("taken", taken=(FOLLOWING, 0.25)), "unsure"),
        (heard_as("stopped", stopped=((0.0, 9.0, 7.0, 9.0), 0.25), opened=((5.0, 0.0, 0.0, 0.0), 2.5)), "limited"),
    ],
)
def test_one_fate_or_none(one: Heard, word: str) -> None:
    found = fate.fate(one)
    assert found.word == word
    assert found.because
    assert found.certain is (word != "unsure")


@pytest.mark.parametrize(("tail", "word"), [(0.0, "limited"), (4.0, "reset-by-netfilter")])
def test_one_round_is_not_judged_by_what_moves_that_far_without_one(tail: float, word: str) -> None:
    """Of the first round's resets one connection's data hid four."""
    one = heard_as("stopped", stopped=(FOLLOWING, 0.25), uncounted=((1.0, 9.0, 7.0, 9.0), 0.25), sent=(FOLLOWING, 17.0))
    found = fate.fate(replace(one, tail={"uncounted": tail}))
    assert (found.word, found.certain) == (word, True)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("word", ["dropped", "reset-by-netfilter"])
def test_files_read_one_after_the_other_cost_certainty_and_no_truth(word: str, seed: int) -> None:
    """Answers of three segments in one packet: of one in twenty, and of two during the first round, the packet and its
    data are counted in different samples."""
    sent = {"Tcp.OutSegs": 3, "Ip.OutRequests": 1, "Ip.OutTransmits": 1}
    chance = random.Random(seed)
    answers = [*connections(50, 60, seed, per=sent), (9.11, sent), (9.11, sent)]
    late_s = [0.0 if chance.random() < 0.95 else 0.4 for _ in answers[:-2]] + [0.4, 0.4]
    data = [(at + late, {"TcpExt.TCPOrigDataSent": 3}) for (at, _), late in zip(answers, late_s, strict=True)]
    found = told(Kernel(seconds=60).add(rounds(4, word, 9.1), answers, data).samples())
    assert found[4].word in {word, "unsure"}
