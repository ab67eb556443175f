"""Features: deadlines, what is pending, what is compared with what."""

from __future__ import annotations

import pytest

from netprobe.evidence import FEATURES, hops_away
from tests.ladder import at, ladder
from tests.situations import SITUATIONS

REFUSED = "0.00 > S tos 0x48 [mss]\n0.02 < RA tos 0x48\n"
OPEN = "0 > S [mss]\n0.02 < SA\n0.03 > A\n"


def features(text: str) -> dict[str, str]:
    return ladder(text).evidence().features


@pytest.mark.parametrize("name", SITUATIONS)
def test_features_are_words_of_the_vocabulary(name: str) -> None:
    for feature, word in ladder(SITUATIONS[name]).evidence().features.items():
        assert word in FEATURES[feature], (feature, word)


@pytest.mark.parametrize("name", SITUATIONS)
def test_deadline_is_in_the_future(name: str) -> None:
    e = ladder(SITUATIONS[name]).evidence()
    assert e.deadline_ns is None or e.deadline_ns > e.now_ns


@pytest.mark.parametrize(
    ("ttl", "hops"), [(64, 1), (63, 2), (33, 32), (32, 1), (1, 32), (128, 1), (255, 1), (129, 127)]
)
def test_distance_by_ttl(ttl: int, hops: int) -> None:
    assert hops_away(ttl) == hops


# --------------------------------------------------------------------------- silence


def test_silence_needs_three_syns_and_four_seconds() -> None:
    assert features("0 > S [mss]\n1 > S [mss]\nuntil 60")["answer"] == "pending"
    assert features("0 > S [mss]\n1 > S [mss]\n3 > S [mss]\nuntil 4.1")["answer"] == "pending"
    assert features("0 > S [mss]\n1 > S [mss]\n3 > S [mss]\nuntil 4.21")["answer"] == "silent"


def test_deadline_of_silence() -> None:
    assert ladder("0 > S [mss]\nuntil 0.5").evidence().deadline_ns == at(1.0)
    assert ladder("0 > S [mss]\n1 > S [mss]\nuntil 2.5").evidence().deadline_ns == at(4.2)


def test_last_syn_needs_its_own_second() -> None:
    text = "0 > S [mss]\n1 > S [mss]\n4 > S port 61000 [mss]\n"
    assert features(text + "until 4.5")["answer"] == "pending"
    assert features(text + "until 5.1")["answer"] == "silent"


@pytest.mark.parametrize(("until", "word"), [(0.1, None), (0.2, "silent")])
def test_probe_without_an_answer_waits_for_four_round_trips(until: float, word: str | None) -> None:
    """Round trip 20 ms: 180 ms are enough."""
    text = REFUSED + f"0.02 > S port 61001 [md5,mss]\nuntil {until}"
    assert features(text).get("md5") == word


def test_patience_has_bounds() -> None:
    assert ladder("0 > S [mss]").evidence().patience_ns == 10**9
    assert 50_000_000 <= ladder("0 > S [mss]\n0.0001 < RA").evidence().patience_ns <= 200_000_000
    assert ladder("0 > S [mss]\n0.9 < RA").evidence().patience_ns == 10**9


def test_round_trip_is_not_told_by_forgeries_or_routers() -> None:
    for line in ("0.001 < R", "0.001 < SA ack +1", "0.001 < icmp 3/13 from 198.51.100.1"):
        assert ladder(f"0 > S [mss]\n{line}").evidence().rtt_ns is None, line


# --------------------------------------------------------------------------- answers


def test_too_big_is_no_answer() -> None:
    assert features("0 > S [mss]\n0.1 < icmp 3/4 from 198.51.100.1\nuntil 0.5")["answer"] == "pending"


def test_limited_probes_are_no_syns_of_a_client() -> None:
    e = ladder("0 > S ttl 3 [mss]\n0.1 < RA").evidence()
    assert "answer" not in e.features
    assert e.syns == []


@pytest.mark.parametrize(
    ("sent", "got", "word"),
    [
        ("0x48", "0x48", "echo"),
        ("0x48", "0x4a", "echo"),  # ECN bits aside
        ("0x4a", "0x48", "echo"),
        ("0x48", "0", "zero"),
        ("0x48", "0x02", "zero"),
        ("0x48", "0x10", "other"),
        ("0", "0", None),
        ("0", "0x10", "other"),
        ("0x03", "0", None),
    ],
)
def test_dscp_of_a_reset(sent: str, got: str, word: str | None) -> None:
    assert features(f"0 > S tos {sent} [mss]\n0.1 < RA tos {got}").get("rst_tos") == word


@pytest.mark.parametrize(
    ("ttl", "word"), [(60, "same"), (61, "closer"), (59, "farther"), (251, "other"), (124, "other")]
)
def test_ttl_of_a_reset_against_the_hosts_own(ttl: int, word: str) -> None:
    text = f"0 > S [mss]\n0.1 < RA ttl {ttl}\n0.1 > echo id 9\n0.2 < reply id 9 ttl 60"
    assert features(text)["rst_ttl"] == word


def test_ttl_of_a_reset_with_nothing_to_compare() -> None:
    assert "rst_ttl" not in features("0 > S [mss]\n0.1 < RA ttl 60")


def test_control_port_answers() -> None:
    control = "0.1 > S port 61000 to 35000 tos 0x48 [mss]\n"
    assert features(REFUSED + control + "0.2 < RA port 61000 to 35000 tos 0x48")["control"] == "reset"
    assert features(REFUSED + control + "0.2 < SA port 61000 to 35000")["control"] == "syn-ack"
    assert features(REFUSED + control + "0.2 < icmp 3/3 port 61000 to 35000 from 203.0.113.5")["control"] == "icmp"
    assert features(REFUSED + control + "until 2")["control"] == "silent"
    assert "control" not in features(REFUSED + control)


def test_every_port_open() -> None:
    ports = "".join(
        f"0.1 > S port {61000 + n} to {2000 + n} [mss]\n0.2 < SA port {61000 + n} to {2000 + n}\n" for n in range(4)
    )
    assert features(OPEN + ports)["all_open"] == "yes"


def test_host_is_alive_through_any_answer_of_its_own() -> None:
    assert features(REFUSED)["host"] == "answers"
    assert features("0 > S [mss]\n0.1 > echo id 9\n0.2 < reply id 9")["host"] == "answers"
    assert "host" not in features("0 > S [mss]\n0.1 < icmp 3/13 from 198.51.100.1")


# --------------------------------------------------------------------------- the service


def test_line_by_line_is_no_tarpit_when_it_comes_at_once() -> None:
    quick = OPEN + '0.1 < PA "a\\r\\n"\n0.2 < PA "b\\r\\n"\n0.3 < PA "c\\r\\n"\n'
    assert "lines" not in features(quick)
    assert features(quick + 'until 5\n3 < PA "d\\r\\n"')["lines"] == "endless"


def test_banner_wait_is_waited_for() -> None:
    assert features(OPEN + "until 12")["spoke"] == "pending"
    assert features(OPEN + "until 12.1")["spoke"] == "nothing"
    assert features("target any\n" + OPEN + "until 1.9")["spoke"] == "pending"
    assert features("target any\n" + OPEN + "until 2.1")["spoke"] == "nothing"


def test_segments_out_of_order_are_read_in_order() -> None:
    text = OPEN + '0.2 < PA seq 3000000000 "x"\n'
    assert features(text)["spoke"] in ("pending", "nothing")
    ordered = (
        "0 > S iss 100 [mss]\n0.1 < SA iss 200\n0.2 > A\n"
        '0.3 < PA seq 201 "SSH-2.0-"\n0.5 < PA seq 209 "x\\r\\n"\n0.6 < PA seq 201 "SSH-2.0-x\\r\\n"'
    )
    e = ladder(ordered).evidence()
    assert e.conversation is not None
    assert e.conversation.stream == b"SSH-2.0-x\r\n"
    assert e.features["spoke"] == "ssh2"


def test_stream_stops_at_a_gap() -> None:
    text = '0 > S iss 100 [mss]\n0.1 < SA iss 200\n0.2 > A\n0.3 < PA seq 201 "SSH-"\n0.4 < PA seq 300 "later"'
    e = ladder(text).evidence()
    assert e.conversation is not None
    assert e.conversation.stream == b"SSH-"


def test_reset_right_after_our_ack_or_later() -> None:
    assert features(OPEN + "0.06 < RA")["ended_early"] == "at-once"
    assert features(OPEN + "0.60 < RA")["ended_early"] == "later"
    assert features(OPEN + '0.05 > PA "x"\n0.06 < RA')["ended_early"] == "later"


# --------------------------------------------------------------------------- this machine


def test_own_syn_is_missed_only_after_two_and_without_drops() -> None:
    started = "0 fact started port 40000\n"
    assert "own_syn" not in features(started + "until 1.2")
    assert features(started + "until 1.4")["own_syn"] == "absent"
    assert features(started + "0.5 > S [mss]\nuntil 1.4")["own_syn"] == "seen"
    assert "own_syn" not in features(started + "0.1 fact drops 1\nuntil 5")
    assert "own_syn" not in features("target kernel\n" + started + "until 5")


def test_neighbour_that_answers_late_is_none_that_is_silent() -> None:
    text = "server 192.0.2.9\n0 fact route ok\n0 fact started port 40000\n0 fact neighbour 192.0.2.9 failed\n"
    assert features(text)["neighbor"] == "silent"
    assert "neighbor" not in features(text + "0.1 fact neighbour 192.0.2.9 reachable")
    assert "neighbor" not in features(text + "0.1 > S [mss]")


def test_forged_bare_ack_beside_the_real_answer_is_no_challenge() -> None:
    text = """
        0.000 > S [mss]
        0.001 < A ack 4242
        0.020 < RA ttl 60 win 0
        until 3
    """
    features = ladder(text).evidence().features
    assert features["answer"] == "reset"


def test_challenge_is_one_though_the_kernel_repeats_its_syn_at_once() -> None:
    stale = """
        0.000 > S [mss]
        0.001 < A ack 4242
        0.001 > R seq 4242
        0.009 > S [mss]
        0.010 < SA [mss]
    """
    assert ladder(stale + "until 0.011").evidence().features["answer"] == "pending"
    assert ladder(stale + "until 3").evidence().features["answer"] == "challenge"


def test_forged_bare_ack_though_the_kernel_repeats_its_syn_at_once() -> None:
    text = """
        0.000 > S [mss]
        0.001 < A ack 4242
        0.001 > R seq 4242
        0.009 > S [mss]
        0.020 < SA [mss]
    """
    assert ladder(text + "until 0.025").evidence().features["answer"] == "pending"
    assert ladder(text + "0.029 < SA [mss]\nuntil 3").evidence().features["answer"] == "syn-ack"


def test_ping_closer_than_the_stack_that_resets_every_port_is_a_forward() -> None:
    text = """
        0.00 > S tos 0x48 [mss]
        0.02 < RA ttl 62 tos 0x48 win 0
        0.03 > S port 61000 to 35000 tos 0x48 [mss]
        0.05 < RA port 61000 to 35000 ttl 62 tos 0x48 win 0
        0.03 > echo id 9
        0.05 < reply id 9 ttl 64
        0.03 > S port 61001 tos 0x48 [md5,mss]
        0.03 > S port 61002 to 35000 tos 0x48 [md5,mss]
        until 3
    """
    verdict = ladder(text).verdict()
    assert (verdict.cause, verdict.certainty) == ("forward-without-backend", "likely")
