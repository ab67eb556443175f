"""Escaping, the table, and the exit code of a report."""

from __future__ import annotations

import re
import time
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netprobe import analyze
from netprobe.ladder import Kind, Ladder, LadderOf, Step
from netprobe.model import Alternative, Certainty, Origin, OriginKind, State
from netprobe.options import AnalyzeOptions
from netprobe.report import CaptureStatus, Report, by_cause, outcome
from netprobe.report.details import where
from netprobe.report.escape import escape, excerpt
from netprobe.report.table import FEW, render
from tests.samples import HOSTILE, a_hostile_verdict, a_report, a_verdict, an_up_verdict


def harmless(text: str) -> bool:
    """No control but the line end, no DEL, no format character, no lone surrogate."""
    return all(unicodedata.category(character) not in {"Cc", "Cf", "Cs"} for character in text.replace("\n", ""))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 中", "plain é 中"),
        ("\x1b[31m", "\\x1b[31m"),
        ("\x07\x00\x7f\x9b\n", "\\x07\\x00\\x7f\\x9b\\x0a"),
        ("\u202eevil", "\\u202eevil"),
        ("\udc80", "\\udc80"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_escape(text: str, shown: str) -> None:
    assert escape(text) == shown


@given(st.text())
def test_what_is_escaped_is_harmless_and_stays_the_same(text: str) -> None:
    once = escape(text)
    assert harmless(once)
    assert "\n" not in once
    assert escape(once) == once


def test_an_excerpt_says_what_it_left_out() -> None:
    assert excerpt("a" * 1_000_000).endswith("a... (1,000,000 characters)")
    assert len(excerpt("\x00" * 1_000_000)) < 1000


@pytest.mark.parametrize("width", [None, 40, 80, 120])
@pytest.mark.parametrize("verbosity", [-1, 0, 1, 2])
def test_hostile_text_reaches_no_terminal(width: int | None, verbosity: int) -> None:
    report = a_report(a_hostile_verdict(), capture=CaptureStatus(damage=(HOSTILE,)))
    text = render(report, width=width, verbosity=verbosity)
    assert harmless(text)
    if width is not None:
        assert len(text) < 20_000 or verbosity == 2


def test_colour_is_the_only_escape_and_only_when_asked_for() -> None:
    report = a_report(a_verdict(), an_up_verdict(target="web.example"))
    plain, painted = render(report, width=80), render(report, width=80, colour=True)
    assert "\x1b" not in plain
    assert "\x1b[31mclosed\x1b[0m" in painted
    assert "\x1b[32mopen\x1b[0m" in painted
    for code in ("\x1b[31m", "\x1b[32m", "\x1b[1m", "\x1b[2m", "\x1b[0m"):
        painted = painted.replace(code, "")
    assert painted == plain


def test_the_table_has_one_line_for_each_address_and_port() -> None:
    place = Origin(OriginKind.UNKNOWN, between=("198.51.100.2", "2001:db8::5"))
    text = render(
        a_report(
            a_verdict(),
            a_verdict(target="web.example", address="2001:db8::5", state=State.FILTERED, cause="dropped", origin=place),
            an_up_verdict(target="web.example", address="203.0.113.7"),
            a_verdict(
                target="gone.example",
                address=None,
                state=State.UNKNOWN,
                cause="name-not-found",
                certainty=Certainty.LIKELY,
            ),
        ),
        verbosity=-1,
    )
    assert text == (
        "TARGET        ADDRESS      PORT  STATE     CAUSE                   CERTAINTY  WHERE\n"
        "203.0.113.5   203.0.113.5  22    closed    reset-by-host-firewall  certain    target, hop 3\n"
        "web.example   2001:db8::5  22    filtered  dropped                 certain    "
        "between 198.51.100.2 and target\n"
        "web.example   203.0.113.7  22    open      up                      certain    -\n"
        "gone.example  -            22    unknown   name-not-found          likely     203.0.113.5, hop 3\n"
        "\n"
        "4 verdicts: reset-by-host-firewall 1, dropped 1, up 1, name-not-found 1\n"
        "42 packets captured, 0 dropped by the kernel, 1 unsolicited\n"
    )


def test_a_diagnosis_says_why_what_else_and_what_to_do() -> None:
    text = render(a_report(a_verdict(), capture=CaptureStatus()))
    assert text == (
        "203.0.113.5 port 22: closed, reset-by-host-firewall (certain) at target, hop 3 [NP112]\n"
        "  because   the reset carries DSCP 0 although the SYN had 18\n"
        "            a SYN with a TCP-MD5 option was answered\n"
        "  or it is  no-listener: other stacks do so. To settle it: look at `ss -ltn` on the server\n"
        "  to do     on the server: `nft list ruleset`\n"
    )


def test_verbosity_adds_packets_then_path_and_probes() -> None:
    one, two = (render(a_report(a_verdict()), verbosity=level) for level in (1, 2))
    assert "  packets   frame 4, 01:53:20.123456: RST,ACK ttl 62 tos 0x00 win 0\n" in one
    assert "hop 1" not in one
    assert "  path      hop 1: 192.0.2.1, 0.2 ms, time-exceeded\n            hop 2: no answer\n" in two
    assert "3 tried; from 192.0.2.2:40112; reason reset from 203.0.113.5 ttl 62; answer after 0.412 ms" in two


def test_an_up_target_gets_one_line() -> None:
    text = render(a_report(an_up_verdict(), capture=CaptureStatus()))
    assert text == "203.0.113.5 port 22: up, SSH-2.0-OpenSSH_9.2p1\n"


def test_one_target_begins_with_the_answer_several_with_the_table() -> None:
    one = render(a_report(a_verdict(), capture=CaptureStatus())).splitlines()
    assert one[0] == "203.0.113.5 port 22: closed, reset-by-host-firewall (certain) at target, hop 3 [NP112]"
    assert one[-1].startswith("  to do ")
    several = render(a_report(a_verdict(), an_up_verdict(), capture=CaptureStatus())).splitlines()
    assert several[0].startswith("ADDRESS ")
    assert "203.0.113.5 port 22: closed, reset-by-host-firewall [NP112]" in several
    quiet = render(a_report(a_verdict(), capture=CaptureStatus()), verbosity=-1)
    assert quiet.startswith("ADDRESS ")


def test_details_of_many_are_shown_on_request() -> None:
    many = a_report(*(a_verdict(port=n, because=(f"reason {n}",)) for n in range(1, FEW + 2)), capture=CaptureStatus())
    text = render(many)
    assert text.count("reset-by-host-firewall") == FEW + 2  # the rows and the count
    assert "because" not in text
    assert "\n-v tells" in text
    assert render(many, verbosity=1).count("  because ") == FEW + 1
    up = a_report(*(an_up_verdict(port=n) for n in range(1, FEW + 2)), capture=CaptureStatus())
    assert "-v tells" not in render(up)


def test_neighbours_that_say_the_same_share_their_block() -> None:
    text = render(a_report(*(a_verdict(target=f"203.0.113.{n}", address=f"203.0.113.{n}") for n in range(1, 6))))
    assert text.count("  because ") == 1
    assert text.count(" port 22: closed") == 5


@pytest.mark.parametrize("width", [40, 50])
def test_a_narrow_terminal_gets_no_columns(width: int) -> None:
    report = a_report(a_verdict(target="gateway.of.a.long.name.example"), an_up_verdict())
    text = render(report, width=width, verbosity=-1)
    assert max(map(len, text.splitlines())) <= width
    assert "reset-by-host-firewall" in text
    assert text.startswith("gateway.of.a.long.name.example")


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_a_terminal_is_not_overrun(width: int) -> None:
    long = "2001:db8:1234:5678:9abc:def0:1234:5678"
    text = render(
        a_report(
            a_verdict(
                target="a-rather-long-name.department.example.com",
                address=long,
                cause="forward-without-backend",
                origin=Origin(OriginKind.UNKNOWN, between=(long, None)),
                because=("word " * 60,),
            )
        ),
        width=max(width, 80),
        verbosity=2,
    )
    table, details = text.split("\n\n", 1)
    assert max(map(len, details.splitlines())) <= max(width, 80)
    assert max(map(len, table.splitlines())) <= max(width, 80)


@pytest.mark.parametrize(
    ("origin", "words"),
    [
        (Origin(OriginKind.TARGET), "target"),
        (Origin(OriginKind.TARGET, "203.0.113.5", 3), "target, hop 3"),
        (Origin(OriginKind.TARGET, "203.0.113.5", 0), "target"),
        (Origin(OriginKind.TARGET, "203.0.113.9"), "203.0.113.9"),
        (Origin(OriginKind.PATH, "198.51.100.1", 2), "198.51.100.1, hop 2"),
        (Origin(OriginKind.PATH, None, None, ("198.51.100.1", None)), "between 198.51.100.1 and the next router"),
        (Origin(OriginKind.PATH, None, None, ("198.51.100.1", "203.0.113.5")), "between 198.51.100.1 and target"),
        (Origin(OriginKind.LOCAL, "192.0.2.2"), "this machine"),
        (Origin(OriginKind.RESOLVER), "the resolver"),
        (Origin(OriginKind.RESOLVER, "192.0.2.53"), "resolver 192.0.2.53"),
        (Origin(OriginKind.UNKNOWN), "unknown"),
        (Origin(OriginKind.PATH), "unknown"),
    ],
)
def test_where(origin: Origin, words: str) -> None:
    assert where(origin, "203.0.113.5") == words


@pytest.mark.parametrize(
    ("target", "named"),
    [("203.0.113.5", False), ("203.0.113.5:22", False), ("203.0.113.5:23", True), ("web.example", True)],
)
def test_a_target_that_is_its_address_is_shown_once(target: str, named: bool) -> None:
    other = a_verdict()
    assert render(a_report(a_verdict(target=target), other), verbosity=-1).startswith("TARGET") is named
    head = render(a_report(a_verdict(target=target))).splitlines()[0]
    assert head.startswith(f"{target} 203.0.113.5 port 22:" if named else "203.0.113.5 port 22:")


def test_an_empty_report_is_empty() -> None:
    assert render(a_report(capture=CaptureStatus())) == ""


def test_by_cause_counts_the_most_frequent_first() -> None:
    report = a_report(a_verdict(), an_up_verdict(), an_up_verdict())
    assert list(by_cause(report).items()) == [("up", 2), ("reset-by-host-firewall", 1)]


@pytest.mark.parametrize(
    ("report", "code"),
    [
        (a_report(an_up_verdict(), an_up_verdict()), 0),
        (a_report(an_up_verdict(), a_verdict()), 1),
        (a_report(an_up_verdict(cause="transparent-proxy")), 1),
        (a_report(an_up_verdict(), a_verdict(cause="name-not-found")), 3),
        (a_report(a_verdict(cause="resolver-failure")), 3),
        (a_report(a_verdict(cause="inconclusive")), 3),
        (a_report(), 3),
        (a_report(an_up_verdict(), failure="-w scan.pcapng: No space left on device"), 3),
        (a_report(an_up_verdict(), capture=CaptureStatus(damage=("x.pcap: cut at byte 7",))), 4),
        (a_report(a_verdict(), interrupted=True, capture=CaptureStatus(damage=("x",))), 130),
    ],
)
def test_exit_codes(report: Report, code: int) -> None:
    assert outcome.exit_code(report) == code


@pytest.mark.parametrize(("width", "colour"), [(None, False), (80, True)])
def test_a_long_table_is_quick(width: int | None, colour: bool) -> None:
    """5,000 verdicts within half a second of a free processor; the bound catches what grows with the square."""
    samples = (a_verdict(), an_up_verdict(), a_hostile_verdict())
    verdicts = tuple(replace(samples[n % 3], address=f"203.0.{n // 250}.{n % 250}") for n in range(5000))
    report = a_report(*verdicts)
    spent = []
    for _ in range(3):
        started = time.process_time()
        text = render(report, width=width, colour=colour)
        spent.append(time.process_time() - started)
    assert text.count("\n") >= 5000
    assert min(spent) < 1.5


def test_colour_goes_to_the_state_alone() -> None:
    verdicts = [replace(a_verdict(), target="a-rather-long-name.example.com"), an_up_verdict()]
    for width in (None, 40, 60, 80):
        text = render(a_report(*verdicts), width=width, colour=True, verbosity=-1)
        plain = render(a_report(*verdicts), width=width, verbosity=-1)
        assert re.sub(r"\x1b\[\d*m", "", text) == plain
        assert re.findall(r"\x1b\[3\dm(.*?)\x1b", text) == ["closed", "open"]


# --------------------------------------------------------------------------- a low screen


def a_ladder() -> Ladder:
    """Two packets that decide, and eleven between them."""
    step = Step(
        frame=1, time_ns=0, kind=Kind.SEGMENT, inbound=False, start=0, end=1, what="SYN", sender="192.0.2.1",
        server_port=22, own=True, ttl=64,
    )  # fmt: skip
    decisive = replace(step, decisive=True)
    between = [replace(step, frame=n, count=2 if n == 5 else 1) for n in range(3, 13)]
    return Ladder("192.0.2.1", "203.0.113.5", 22, (), (decisive, *between, replace(decisive, frame=20)), 0)


def test_one_target_stays_on_the_screen() -> None:
    verdict = a_verdict(
        notes=("a note of several words " * 6,), remedy=("do this " * 20, "do that " * 20),
        alternatives=(Alternative("no-listener", "it may be " * 12, "look there " * 12),),
    )  # fmt: skip
    report = a_report(verdict, capture=CaptureStatus(), ladder_of=LadderOf(lambda _: a_ladder()))
    whole = render(report, width=80)
    assert whole == render(report, width=80, height=60)
    assert whole.count("\n") > 30
    told = render(report, width=80, height=24)
    assert told.count("\n") <= 23
    assert told.splitlines()[0] == whole.splitlines()[0]
    assert "... 11 more packets" in told
    assert told.count(" * ") >= 2
    assert "-v shows every packet" in told
    assert "do this" in told.partition("to do")[2]
    assert render(report, width=80, height=24, verbosity=1) == render(report, width=80, verbosity=1)


def test_several_are_told_as_far_as_the_screen_goes() -> None:
    some = [a_verdict(target=f"198.51.100.{n}", address=f"198.51.100.{n}", because=(f"reason {n}",)) for n in range(6)]
    for count in (2, 5, 6):
        report = a_report(*some[:count], capture=CaptureStatus())
        whole = render(report, width=80)
        assert whole == render(report, width=80, height=whole.count("\n") + 1)
        assert "reason 1" in whole
        low = render(report, width=80, height=20)
        assert low.startswith(whole.partition("\n\n")[0])
        if count == 2:
            assert "reason 1" in low
        else:
            assert low.count("\n") < 20
            assert "-v tells of each of them why" in low


@pytest.mark.parametrize("name", ["no_listener", "drop_host", "drop_r2", "reset_host", "reject_admin_host", "up"])
def test_recorded_captures_fit_a_usual_screen(name: str) -> None:
    options = AnalyzeOptions(files=(Path(__file__).parent.parent / "captures" / f"{name}.pcapng",))
    report = analyze.run(options, lambda _: None, lambda _: None)
    for verdict in report.verdicts:
        text = render(replace(report, verdicts=(verdict,), causes=None), width=80, height=24, unicode=True)
        assert text.count("\n") <= 23
        assert max(map(len, text.splitlines())) <= 80
