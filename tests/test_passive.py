"""One attempt of a stranger's capture: from which side, compared with what, and what is left open."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from netprobe import analyze
from netprobe.evidence import Host
from netprobe.evidence.vantage import vantage_of
from netprobe.options import AnalyzeOptions
from netprobe.report import json as report_json
from netprobe.wire.writer import CaptureWriter
from tests.ladder import ladder
from tests.situations import SITUATIONS

PASSIVE = sorted(name for name, text in SITUATIONS.items() if ladder(text).passive)
UNKNOWN = "target passive\ndirection unknown\n"
SILENCE = "0 > S ttl {ttl} [mss]\n1 > S ttl {ttl} [mss]\n3 > S ttl {ttl} [mss]\nuntil 9"


def features(text: str) -> dict[str, str]:
    return ladder(text).evidence().features


def side(text: str) -> str:
    return features("target passive\n" + text)["vantage"]


# --------------------------------------------------------------------------- the side


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("direction unknown\n0 > S [mss]\n0.1 < SA ttl 57", "client"),
        ("direction unknown\n0 > S ttl 57 [mss]\n0.1 < SA", "server"),
        ("direction unknown\n0 > S ttl 57 [mss]\n0.1 < SA ttl 128", "server"),
        ("direction unknown\n0 > S ttl 62 [mss]\n0.1 < SA ttl 57", "middle"),
        ("direction unknown\n0 > S [mss]", "client"),
        ("direction unknown\n0 > S ttl 62 [mss]", "middle"),
        ("direction server\n0 > S ttl 62 [mss]", "server"),
        ("direction server\n0 > S [mss]", "server"),  # a neighbour of the server
        ("0 > S [mss]", "client"),
        ("0 > S ttl 62 [mss]", "middle"),  # forwarded by the machine that captured
        # both on one link
        ("0 > S [mss]\n0.1 < SA", "client"),
        ("direction server\n0 > S [mss]\n0.1 < SA", "server"),
        ("direction unknown\n0 > S [mss]\n0.1 < SA\n0.1001 > A", "client"),
        ("direction unknown\n0 > S [mss]\n0.0001 < SA\n0.1 > A", "server"),
        ("direction unknown\n0 > S [mss]\n0.1 < SA\n0.2 > A", "unknown"),
        # what else the address answered
        (
            "direction unknown\n0 > S ttl 62 [mss]\n1 > S port 40001 to 80 ttl 62 [mss]\n1.1 < SA port 40001 to 80",
            "server",
        ),
        (
            "direction unknown\n0 > S ttl 62 [mss]\n1 > S port 40001 to 80 ttl 62 [mss]\n1.1 < RA port 40001 to 80",
            "server",
        ),
        ("direction unknown\n0 > S [mss]\n1 > S port 40001 to 80 [mss]\n1.1 < RA port 40001 to 80", "client"),
        # a reset is anybody's where the server itself was heard
        ("direction unknown\n0 > S [mss]\n0.1 < SA ttl 57\n0.2 > A\n0.3 < R ttl 64", "client"),
        ("direction unknown\n0 > S [mss]\n0.1 < icmp 3/3 from 203.0.113.5 ttl 57", "client"),
        ("direction unknown\n0 > S ttl 60 [mss]\n0.1 < icmp 3/3 from 203.0.113.5 ttl 64", "server"),
    ],
)
def test_the_side_of_a_capture(text: str, expected: str) -> None:
    assert side(text) == expected


@pytest.mark.parametrize("told", ["client", "server", "middle"])
def test_what_the_user_tells_overrules(told: str) -> None:
    scene = ladder(f"{UNKNOWN}vantage {told}\n" + SILENCE.format(ttl=64))
    verdict = scene.verdict()
    assert verdict.vantage == told
    assert any("--vantage" in note for note in verdict.notes)


def test_the_notes_say_on_what_it_rests() -> None:
    verdict = ladder(UNKNOWN + "0 > S ttl 57 [mss]\n0.1 < RA").verdict()
    assert any("TTL 64" in note and "TTL 57" in note for note in verdict.notes)
    assert ladder(UNKNOWN + "0 > S [mss]\n0.1 < SA\n0.2 > A").verdict().vantage is None


def test_a_scan_has_no_side() -> None:
    verdict = ladder("0 > S [mss]\n0.1 < RA ttl 57").verdict()
    assert verdict.vantage is None
    assert not any("captured" in note for note in verdict.notes)


def test_nothing_of_the_client_and_nothing_of_the_server() -> None:
    a = ladder("0 > S [mss]").attempts()[0]
    assert vantage_of(a, Host())[0] == "client"


# --------------------------------------------------------------------------- distance


@pytest.mark.parametrize(("sent", "got", "hop"), [(64, 62, 3), (62, 64, 3), (63, 63, 3), (64, 64, 1), (127, 254, 3)])
def test_the_hop_is_counted_from_the_client(sent: int, got: int, hop: int) -> None:
    assert ladder(f"{UNKNOWN}0 > S ttl {sent} [mss]\n0.1 < RA ttl {got}").verdict().origin.hop == hop


# --------------------------------------------------------------------------- silence


def test_silence_on_the_server_is_never_the_paths() -> None:
    for more in ("", "4 > S port 40001 to 80 ttl 60 [mss]\n4.1 < RA port 40001 to 80\n"):
        verdict = ladder("target passive\ndirection server\n" + more + SILENCE.format(ttl=60)).verdict()
        assert verdict.cause == "dropped"
        assert verdict.origin.kind == "target"
        assert verdict.certainty == "possible"
        assert {rival.cause for rival in verdict.alternatives} >= {"backlog-full", "reply-filtered"}


def test_how_many_syns_are_silence() -> None:
    once = "target passive\n0 > S [mss]\n"
    assert features(once + "until 50")["answer"] == "pending"
    assert features(once + "until 60")["answer"] == "silent"
    assert features(once + "0.00001 > S [mss]\nuntil 50")["answer"] == "pending"  # a copy
    assert features(once + "1 > S [mss]\nuntil 4.1")["answer"] == "pending"
    assert features(once + "1 > S [mss]\nuntil 4.2")["answer"] == "silent"
    there = "target passive\ndirection server\n0 > S ttl 60 [mss]\n"
    assert features(there + "until 4.2")["answer"] == "silent"  # it can't be lost any more


def test_a_bare_syn_is_an_attempt() -> None:
    assert features("target passive\n0 > S\n0.1 < RA ttl 57")["answer"] == "reset"


# --------------------------------------------------------------------------- half of a conversation


def test_one_direction_is_never_taken_for_silence() -> None:
    syns = "0 > S [mss]\n1 > S [mss]\n"
    for onward in ('1.2 > PA "x"', "1.2 > A", "1.2 > FA"):
        verdict = ladder(f"target passive\n{syns}{onward}\nuntil 90").verdict()
        assert (verdict.cause, verdict.certainty, verdict.state) == ("inconclusive", "possible", "unknown"), onward
    assert features(f"target passive\n{syns}1.2 > R\nuntil 90")["answer"] == "silent"  # the client gave up


def test_a_connection_whose_syn_is_missing_is_judged_by_what_is_there() -> None:
    text = "target passive\ndirection unknown\n0 < SA ttl 57\n0.1 > A\n"
    verdict = ladder(
        text + '0.2 < PA ttl 57 "SSH-2.0-x\\r\\n"\n0.3 < PA ttl 57 "\\x00\\x00\\x01\\x00\\x0a\\x14kex"'
    ).verdict()
    assert verdict.cause == "up"
    assert "the client's SYN is not in this capture" in verdict.notes
    assert verdict.rtt_ms is None
    assert verdict.history == "^hAd"


# --------------------------------------------------------------------------- the client leaves


def test_what_the_server_does_after_the_client_left_is_not_its_decision() -> None:
    text = "target passive\n0 > S [mss]\n0.1 < SA ttl 57\n0.2 > A\n{left} > FA\n{left}1 < FA ttl 57\nuntil 30"
    assert ladder(text.format(left="1.0")).verdict().cause == "inconclusive"
    assert ladder(text.format(left="12.3")).verdict().cause == "no-banner"
    closed = "target passive\n0 > S [mss]\n0.1 < SA ttl 57\n0.2 > A\n0.3 < FA ttl 57\n0.4 > FA\nuntil 30"
    assert ladder(closed).verdict().cause == "closed-before-banner"


# --------------------------------------------------------------------------- compared with the host


@pytest.mark.parametrize(
    ("ttl", "cause"), [(57, "no-listener"), (60, "reset-on-path"), (55, "forward-without-backend")]
)
def test_a_reset_against_the_hosts_other_answers(ttl: int, cause: str) -> None:
    other = "1 > S port 40001 to 80 [mss]\n1.1 < SA port 40001 to 80 ttl 57\n"
    verdict = ladder(f"target passive\n0 > S tos 0x48 [mss]\n0.1 < RA ttl {ttl} tos 0x48\n{other}until 9").verdict()
    assert verdict.cause == cause
    assert verdict.certainty != "certain"


@pytest.mark.parametrize("name", PASSIVE)
def test_texts_hold_nothing_of_other_attempts(name: str) -> None:
    """Ports and durations of others would make every verdict one of its own."""
    scene = ladder(SITUATIONS[name])
    verdict = scene.verdict()
    for text in (*verdict.because, *verdict.notes, *(rival.because for rival in verdict.alternatives)):
        assert "40001" not in text
        assert "None" not in text
        assert "?" not in text.replace("?)", "")


@pytest.mark.parametrize("name", PASSIVE)
def test_a_certain_verdict_is_rare(name: str) -> None:
    verdict = ladder(SITUATIONS[name]).verdict()
    if verdict.certainty == "certain":
        served = {"NP330", "NP601", "NP602", "NP603"}  # it identified itself, and went on
        told = {"NP500", "NP505", "NP506"}  # the words of both sides, in clear
        assert verdict.rule in {"NP326", "NP327", "NP328", "NP375"} | served | told


# --------------------------------------------------------------------------- resets that are not their sender's

TALK = 'target any passive\nserver 203.0.113.5 80\n0 > S [mss]\n0.1 < SA ttl 57\n0.2 > A\n0.3 > PA "GET"\n'


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ("0.4 < R ttl 57", None),
        ("0.4 < R ttl 60", "likely"),
        ('0.4 < R ttl 60\n0.5 < PA ttl 57 "x"', "proven"),
        ('0.4 < R ttl 57\n0.5 < PA ttl 57 "x"', "likely"),  # its own TTL: an odd stack, or a very good forgery
        ("0.4 < R ttl 57 seq +9", None),  # one weak sign
        ("0.4 < R ttl 57 seq +9\n0.5 < R ttl 57 seq +99", "likely"),
    ],
)
def test_what_proves_a_forged_reset(more: str, word: str | None) -> None:
    assert features(TALK + more + "\nuntil 30").get("forged") == word


def test_a_too_big_message_is_no_black_hole() -> None:
    name = "large_segment_of_the_server_never_arrives"
    told = SITUATIONS[name].replace("9.00 > who-has", "8.00 > icmp 3/4 from 198.51.100.2\n9.00 > who-has")
    assert features(told)["too_big"] == "yes"
    assert ladder(told).verdict().cause != "path-mtu-black-hole"
    other = SITUATIONS[name].replace("9.00 > who-has", "8.00 > icmp 3/4 from 198.51.100.2 seq 7\n9.00 > who-has")
    assert "too_big" not in features(other)  # quotes nothing that was sent


# --------------------------------------------------------------------------- the capture as a whole


def test_the_report_counts_the_sides(tmp_path: Path) -> None:
    path = tmp_path / "one.pcapng"
    writer = CaptureWriter(os.open(path, os.O_RDWR | os.O_CREAT), str(path))
    text = """
        direction unknown
        0.0 > S [mss]
        0.1 < RA ttl 57
        1.0 > S port 40001 ttl 62 [mss]
        1.1 < RA port 40001 ttl 57
        2.0 > S port 40002 [mss]
        2.1 < RA port 40002 ttl 57
    """
    for record in ladder(text).records:
        writer.write(record)
    writer.close()
    for vantage, counts in ((None, {"client": 2, "middle": 1}), ("server", {"server": 3})):
        report = analyze.run(AnalyzeOptions(files=(path,), vantage=vantage), lambda _: None, lambda _: None)
        assert report.capture.vantages == counts
        document = json.loads(report_json.document(report))
        assert document["capture"]["vantage"] == counts
        assert document["verdicts"][0]["vantage"] == ("client" if vantage is None else "server")


def test_every_port_open_says_nothing_where_the_server_speaks() -> None:
    """A mail server's clients try open ports only."""
    ports = "".join(
        f"{n} > S port {40000 + n} to {79 + n} [mss]\n{n}.1 < SA port {40000 + n} to {79 + n}\n" for n in range(1, 5)
    )
    opened = f"target passive\n{ports}6 > S [mss]\n6.1 < SA\n6.1 > A\n"
    assert features(opened)["all_open"] == "yes"
    assert "all_open" not in features(opened + '6.2 < PA "SSH-2.0-OpenSSH_9.2p1\\r\\n"')
