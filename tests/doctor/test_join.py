"""Both ends together: rows of (what the packets say, what the server knows, what is said then)."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netprobe.doctor.facts import Facts
from netprobe.doctor.join import join
from netprobe.doctor.join.rows import ROWS
from netprobe.doctor.saved import dump, load
from netprobe.model import Alternative, Certainty, Citation, Endpoint, Origin, OriginKind, Verdict
from netprobe.rules import RULES
from tests.doctor import recorded, server
from tests.doctor.scenarios import UP, nft
from tests.samples import a_verdict, an_up_verdict

TAKEN = 1_763_700_000
RESET, SILENCE = "reset", "no-response"
CLOSED = ("no-listener", "reset-by-host-firewall", "reset-on-path")
HOST_CLOSED = CLOSED[:2]
DROPPED = ("dropped", "backlog-full", "no-listener", "reply-filtered")
WATCHED = ("dropped", "backlog-full", "syn-filtered", "no-listener", "reply-filtered", "rate-limited")


def wire(
    *causes: str, reason: str = RESET, certainty: str = "likely", address: str = server.V4, seconds: int = TAKEN
) -> Verdict:
    """What a scan says: a cause and its rivals."""
    return a_verdict(
        target=address,
        address=address,
        cause=causes[0],
        reason=reason,
        certainty=Certainty(certainty),
        alternatives=tuple(Alternative(cause, f"because of {cause}", "look") for cause in causes[1:]),
        client=Endpoint(server.CLIENT if ":" not in address else "2001:db8::77", 40112),
        evidence=(Citation(1, seconds * 1_000_000_000, "x"),),
        because=("the packets",),
        remedy=("as before",),
        origin=Origin(OriginKind.TARGET, address),
    )


# (causes, reason, facts, cause then, certainty then, rivals left, check that is named)
TABLE = [
    # a reset
    (HOST_CLOSED, RESET, "lab-stopped", "no-listener", "certain", (), "ND201"),
    (CLOSED, RESET, "lab-stopped", "no-listener", "likely", ("reset-on-path",), "ND104"),
    (CLOSED, RESET, "lab-another-port", "no-listener", "likely", ("reset-on-path",), "ND202"),
    (CLOSED, RESET, "lab-loopback-only", "no-listener", "likely", ("reset-on-path",), "ND204"),
    (HOST_CLOSED, RESET, "lab-bad-configuration", "no-listener", "certain", (), "ND106"),
    (HOST_CLOSED, RESET, "not-installed", "no-listener", "certain", (), "ND101"),
    (HOST_CLOSED, RESET, "masked", "no-listener", "certain", (), "ND102"),
    (HOST_CLOSED, RESET, "lab-nft-reset", "reset-by-host-firewall", "certain", (), "ND301"),
    (CLOSED, RESET, "lab-nft-reset", "reset-by-host-firewall", "likely", ("reset-on-path",), "ND301"),
    (("reset-by-host-firewall", "no-listener"), RESET, "lab-stopped", "no-listener", "certain", (), "ND301"),
    (CLOSED, RESET, "lab", "reset-on-path", "likely", ("no-listener",), "ND201"),
    (HOST_CLOSED, RESET, "lab", "no-listener", "likely", ("reset-by-host-firewall",), "don't agree"),
    (HOST_CLOSED, RESET, "user", "reset-by-host-firewall", "likely", (), "what is left"),
    (("forward-without-backend", "no-listener"), RESET, "lab-stopped", "no-listener", "certain", (), "ND303"),
    (("no-listener", "forward-without-backend"), RESET, "lab-forwarded-to-another-machine", "forward-without-backend", "certain", (), "ND303"),
    # silence
    (DROPPED, SILENCE, "lab-nft-drop", "dropped", "certain", (), "ND301"),
    (DROPPED, SILENCE, "lab-nft-policy-drop", "dropped", "certain", (), "policy"),
    (("syn-filtered", "dropped"), SILENCE, "lab-nft-drop", "dropped", "certain", (), "not syn-filtered"),
    (DROPPED, SILENCE, "lab-answers-dropped", "reply-filtered", "certain", (), "ND302"),
    (DROPPED, SILENCE, "lab", "dropped", "likely", ("reply-filtered",), "before the server"),
    (DROPPED, SILENCE, "lab-accept-queue-full", "backlog-full", "certain", (), "ND208"),
    (("backlog-full", "syn-filtered"), SILENCE, "lab-nft-drop", "backlog-full", "likely", ("syn-filtered",), "don't agree"),
    (("syn-filtered", "dropped"), SILENCE, "lab", "dropped", "likely", (), "not syn-filtered"),
    (("host-silent", "dropped"), SILENCE, "lab-stopped", "host-silent", "likely", ("dropped",), "before the server"),
    (("rejected-by-host", "forward-without-backend"), "port-unreach", "lab-nft-reject-of-one-client", "rejected-by-host", "certain", (), "ND301"),
    (("rejected-by-host",), "port-unreach", "lab-a-chain-like-fail2ban-s", "rejected-by-host", "certain", (), "ND301"),
    (DROPPED, SILENCE, "lab-stopped", "dropped", "likely", (), "a reset would say so"),
    (("syn-filtered", "dropped"), SILENCE, "stopped-behind-a-drop", "syn-filtered", "certain", (), "ND301"),
    (DROPPED, SILENCE, "stopped-and-resets-dropped", "no-listener", "certain", (), "ND302"),
    (("rejected-by-host", "rejected-on-path"), "port-unreach", "lab", "rejected-on-path", "likely", (), "what is left"),
    # after the handshake
    (("closed-before-banner", "transparent-proxy"), "syn-ack", "lab-hosts-deny", "closed-before-banner", "likely", ("transparent-proxy",), "ND306"),
    (("closed-before-banner",), "syn-ack", "lab-hosts-deny", "closed-before-banner", "certain", (), "ND306"),
    (("no-banner", "other-service"), "syn-ack", "lab-daemon-stopped-by-a-signal", "no-banner", "certain", (), "ND104"),
    (("other-service",), "syn-ack", "docker-proxy", "other-service", "certain", (), "ND203"),
    # what the server's counters showed of marked SYNs, against a healthy server's other facts
    (CLOSED, RESET, "watched-nothing-listens", "no-listener", "likely", ("reset-on-path",), "ND601"),
    (HOST_CLOSED, RESET, "watched-nothing-listens", "no-listener", "certain", (), "ND601"),
    (HOST_CLOSED, RESET, "watched-reset-by-a-rule", "reset-by-host-firewall", "certain", (), "reset by netfilter"),
    (("rejected-by-host", "rejected-on-path"), "port-unreach", "watched-rejected", "rejected-by-host", "likely", ("rejected-on-path",), "ND601"),
    (WATCHED, SILENCE, "watched-dropped", "dropped", "certain", (), "ND601"),
    (WATCHED, SILENCE, "watched-queue-full", "backlog-full", "certain", (), "ND601"),
    (WATCHED, SILENCE, "watched-replies-lost", "reply-filtered", "certain", (), "reply lost"),
    (WATCHED, SILENCE, "watched-replies-held-back", "reply-filtered", "certain", (), "ND601"),
    (WATCHED, SILENCE, "watched-never-arrives", "dropped", "likely", ("rate-limited",), "never arrived there"),
    (WATCHED, SILENCE, "watched-limited", "rate-limited", "certain", (), "ND601"),
    (("rejected-by-host", "rate-limited"), "port-unreach", "watched-nothing-listens", "rejected-by-host", "likely", ("rate-limited",), "agree"),
    (CLOSED, RESET, "watched-never-arrives", "reset-on-path", "likely", ("no-listener",), "ND601"),
    (("rejected-by-host", "rejected-on-path"), "port-unreach", "watched-never-arrives", "rejected-on-path", "certain", (), "ND601"),
    (("forward-without-backend", "no-listener"), RESET, "watched-forwarded", "forward-without-backend", "certain", (), "ND601"),
    # nothing known, nothing said
    (CLOSED, RESET, "empty", "no-listener", "likely", ("reset-by-host-firewall", "reset-on-path"), "not used"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("causes", "reason", "facts", "cause", "certainty", "left", "named"), TABLE, ids=lambda one: str(one)[:40]
)
def test_the_table(
    causes: tuple[str, ...], reason: str, facts: str, cause: str, certainty: str, left: tuple[str, ...], named: str
) -> None:
    found = join(wire(*causes, reason=reason), recorded.case(facts).facts)
    assert found.cause == cause
    assert found.certainty == certainty
    assert tuple(one.cause for one in found.alternatives) == left
    assert named in "\n".join((*found.because, *found.notes))
    assert found.because[0] == "the packets"
    assert found.remedy[-1] == "as before"
    assert (found.state, found.rule, found.evidence) == (
        wire(*causes).state,
        wire(*causes).rule,
        wire(*causes).evidence,
    )


def test_the_remedy_of_the_servers_own_check_comes_first() -> None:
    found = join(wire(*HOST_CLOSED), recorded.case("masked").facts)
    assert found.remedy[0].startswith("on the server: sudo systemctl unmask ssh.service")


def test_what_is_silent_before_the_server_is_on_the_path() -> None:
    found = join(wire(*DROPPED, reason=SILENCE), recorded.case("lab").facts)
    assert found.origin.kind is OriginKind.PATH
    assert "security groups" in found.remedy[0]


def test_what_the_servers_own_rule_drops_is_at_the_target() -> None:
    between = Origin(OriginKind.PATH, None, None, ("198.51.100.1", server.V4))
    verdict = replace(wire(*DROPPED, reason=SILENCE), origin=between)
    found = join(verdict, recorded.case("lab-nft-drop").facts)
    assert found.origin == Origin(OriginKind.TARGET, server.V4)
    assert join(verdict, recorded.case("user").facts).origin == between


def test_up_stays_up() -> None:
    verdict = an_up_verdict(address=server.V4)
    assert join(verdict, recorded.case("lab-stopped").facts) is verdict


def test_facts_of_another_machine_are_not_used() -> None:
    verdict = wire(*CLOSED, address="203.0.113.9")
    found = join(verdict, recorded.case("lab-stopped").facts)
    assert found.notes == ("the server's facts were not used: 203.0.113.9 is no address of that machine",)
    assert (found.cause, found.certainty, found.alternatives) == (
        verdict.cause,
        verdict.certainty,
        verdict.alternatives,
    )


@pytest.mark.parametrize("seconds", [TAKEN - 3600, TAKEN + 3600])
def test_facts_of_another_time_prove_nothing(seconds: int) -> None:
    found = join(wire(*HOST_CLOSED, certainty="possible", seconds=seconds), recorded.case("lab-stopped").facts)
    assert found.certainty is Certainty.LIKELY
    assert any("not taken at the time" in note for note in found.notes)


def behind_translation(name: str) -> Facts:
    """The same server with private addresses, as in a cloud."""
    text = (
        dump(recorded.case(name).facts)
        .replace("198.51.100.5/24", "10.0.0.5/24")
        .replace("2001:db8::5/64", "fd00::5/64")
    )
    return load(text)


def test_a_server_behind_an_address_translation_proves_nothing_but_helps() -> None:
    found = join(wire(*HOST_CLOSED, address="203.0.113.9"), behind_translation("lab-stopped"))
    assert (found.cause, found.certainty) == ("no-listener", Certainty.LIKELY)
    assert not found.alternatives
    assert any("address translation" in note for note in found.notes)


def test_a_private_address_of_somebody_else_is_no_translation() -> None:
    found = join(wire(*HOST_CLOSED, address="10.9.9.9"), behind_translation("lab-stopped"))
    assert found.notes[0].startswith("the server's facts were not used")


def test_the_other_ip_version_is_judged_by_its_own_rules() -> None:
    found = join(wire(*DROPPED, reason=SILENCE, address=server.V6), recorded.case("lab-nft-drop-of-ipv6").facts)
    assert (found.cause, found.certainty) == ("dropped", Certainty.CERTAIN)
    other = join(wire(*DROPPED, reason=SILENCE), recorded.case("lab-nft-drop-of-ipv6").facts)
    assert "before the server" in "\n".join(other.because)


def test_every_row_has_a_case() -> None:
    hit: set[tuple[str, bool, str]] = set()
    for causes, reason, name, *_ in TABLE:
        from netprobe.doctor.join.view import look

        verdict = wire(*causes, reason=reason)
        facts = recorded.case(name).facts
        if facts.interfaces is not None:
            view = look(verdict, facts, exact=True)
            hit |= {(one.cause, one.proves, one.says) for one in ROWS if one.cause in causes and one.test(view)}
    missing = {(one.cause, one.proves, one.says) for one in ROWS} - hit
    assert not missing


def test_causes_of_the_table_are_words_of_verdicts() -> None:
    assert {one.cause for one in ROWS} <= {rule.cause for rule in RULES}


@given(st.sampled_from(recorded.names()), st.sampled_from(RULES), st.integers(-600, 600))
def test_joining_never_raises_and_never_forgets_the_packets(name: str, rule: object, seconds: int) -> None:
    from netprobe.rules.rule import Rule

    assert isinstance(rule, Rule)
    verdict = wire(
        rule.cause,
        *(one.cause for one in rule.rivals),
        reason=rule.reason,
        certainty=rule.certainty,
        seconds=TAKEN + seconds,
    )
    found = join(verdict, recorded.case(name).facts)
    assert found.cause in {rule.cause, *(one.cause for one in rule.rivals)}
    assert found.because[: len(verdict.because)] == verdict.because
    assert found.evidence == verdict.evidence
    assert found.certainty is not Certainty.CERTAIN or not found.alternatives
    if abs(seconds) > 300 and verdict.certainty is not Certainty.CERTAIN:
        assert found.certainty is not Certainty.CERTAIN
    assert join(found, recorded.case(name).facts).cause == found.cause


# --------------------------------------------------------------------------- for real

CLIENT_SIDE = f"""
ip netns add far
ip link set wire netns far
ip -n far link set lo up
ip -n far link set wire up
ip -n far addr add {server.CLIENT}/24 dev wire
ip link set eth0 up
"""


@pytest.mark.lab
@pytest.mark.skipif(bool(server.available()), reason=server.available() or "available")
@pytest.mark.parametrize(
    ("script", "cause", "named"),
    [
        (":", "no-listener", "ND104"),
        (nft("tcp dport 22 drop"), "dropped", "ND301"),
        (
            f"{UP}; iptables -A INPUT -p tcp --dport 22 -j REJECT --reject-with tcp-reset",
            "reset-by-host-firewall",
            "ND301",
        ),
        (nft("tcp sport 22 drop", hook="output"), "reply-filtered", "ND302"),
        (UP, "up", ""),
    ],
)
def test_a_scan_with_the_servers_facts(script: str, cause: str, named: str, tmp_path: Path) -> None:
    facts = tmp_path / "taken.json"
    take = f"'{server.PYTHON}' -m netprobe doctor --source {server.CLIENT} --facts '{facts}' >/dev/null || true"
    options = f"--json -p 22 --no-elsewhere --doctor '{facts}'"
    scan = f"ip netns exec far '{server.PYTHON}' -m netprobe scan {options} {server.V4}"
    out = server.shell(f"{CLIENT_SIDE}\n{script}\n{take}\n{scan} || true", tmp_path)
    (verdict,) = json.loads(out)["verdicts"]
    assert verdict["cause"] == cause
    assert verdict["certainty"] == "certain"
    assert named in "\n".join(verdict["because"])
