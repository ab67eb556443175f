"""Rules about captured key exchanges: every row reached by a session, each text filled, words from the noun alone."""

from __future__ import annotations

import string
from collections.abc import Iterator
from dataclasses import replace

import pytest

from netprobe import texts
from netprobe.evidence import FEATURES, Evidence
from netprobe.evidence.kex import judge_kex
from netprobe.model import Disconnect, Kex, Origin, OriginKind, Reached, TargetFact
from netprobe.rules import Rule, decide, kex
from netprobe.ssh.negotiation import agree
from tests.kex_situations import SESSION_SITUATIONS
from tests.ladder import Scene, ladder
from tests.ssh_packets import COMMON

every_rule = pytest.mark.parametrize("rule", kex.SESSIONS, ids=lambda rule: rule.id)
SESSION = Kex(
    reached=Reached.KEXINIT, client="SSH-2.0-c", server="SSH-2.0-s", client_offer=COMMON, server_offer=COMMON,
    agreed=agree(COMMON, COMMON)[0],
)  # fmt: skip


def heard(scene: Scene) -> Evidence:
    """What a capture shows of the attempt, with its session read."""
    evidence = scene.evidence()
    assert evidence.kex is not None
    return evidence


def decided(evidence: Evidence) -> Rule:
    return decide(evidence.features)


def words_of(found: Kex) -> dict[str, str]:
    evidence = Evidence(TargetFact(target="x", address="192.0.2.1", port=22), 0)
    judge_kex(evidence, found)
    return evidence.features


@pytest.mark.parametrize("name", SESSION_SITUATIONS)
def test_situation(name: str) -> None:
    scene = ladder(SESSION_SITUATIONS[name])
    evidence = heard(scene)
    rule = decided(evidence)
    known = {rule.id, rule.cause, str(rule.certainty), str(rule.state), str(rule.place)}
    assert known >= set(scene.expected), evidence.features


def test_every_rule_has_a_situation() -> None:
    assert {rule.id for rule in kex.SESSIONS} <= {decided(heard(ladder(t))).id for t in SESSION_SITUATIONS.values()}


@every_rule
def test_conditions_are_words_of_the_vocabulary(rule: Rule) -> None:
    for feature, words, _ in rule.conditions:
        assert words <= {*FEATURES[feature], "-"}


@every_rule
def test_certainty_and_rivals_agree(rule: Rule) -> None:
    assert (rule.certainty == "certain") is (rule.rivals == ())
    assert rule.cause not in {rival.cause for rival in rule.rivals}


def _placeholders(rule: Rule) -> Iterator[str]:
    for text in (*rule.because, *rule.remedy, *(text for one in rule.rivals for text in (one.because, one.settle))):
        yield from (name for _, name, _, _ in string.Formatter().parse(text) if name is not None)


@pytest.mark.parametrize("name", SESSION_SITUATIONS)
def test_texts_fill(name: str) -> None:
    evidence = heard(ladder(SESSION_SITUATIONS[name]))
    rule = decided(evidence)
    values = texts.values(evidence, Origin(OriginKind.UNKNOWN))
    assert set(_placeholders(rule)) <= set(values)
    for text in rule.because:
        said = texts.fill(text, values)
        assert "?" not in said
        assert "None" not in said
        assert "{" not in said


def test_words_are_those_of_the_vocabulary() -> None:
    for text in SESSION_SITUATIONS.values():
        for feature, word in heard(ladder(text)).features.items():
            assert word in FEATURES[feature], feature


def test_words_come_from_the_noun_alone() -> None:
    assert words_of(SESSION) == {"algorithms": "common", "offer_of": "client", "exchange": "offered"}
    closed = replace(SESSION, closed_by="server", closed_with="reset")
    assert words_of(closed)["exchange_ended"] == "server-reset"
    shown = replace(closed, reached=Reached.NEWKEYS, newkeys=("server",), closed_by="client", closed_with="fin")
    assert (words_of(shown)["exchange"], words_of(shown)["exchange_ended"]) == ("replied", "client-fin")
    taken = replace(shown, newkeys=("server", "client"))
    assert words_of(taken)["exchange"] == "accepted"
    gone_on = words_of(replace(taken, encrypted=("client",)))
    assert gone_on["exchange"] == "finished"
    assert "exchange_ended" not in gone_on


def test_what_a_gap_hides_is_not_judged() -> None:
    found = words_of(replace(SESSION, gap=True, closed_by="server", closed_with="fin"))
    assert "exchange" not in found
    assert "exchange_ended" not in found


@pytest.mark.parametrize(("code", "word"), [(3, "no-exchange"), (9, "host-key"), (11, "other")])
@pytest.mark.parametrize("side", ["client", "server"])
def test_goodbyes(side: str, code: int, word: str) -> None:
    assert words_of(replace(SESSION, disconnect=Disconnect(side, code, "x")))["disconnect"] == f"{side}-{word}"


@pytest.mark.parametrize("client", ["SSH-2.0-OpenSSH-keyscan", "SSH-2.0-Nmap_SSH2_Enum_Algos", "SSH-2.0-ZGrab ZGrab"])
def test_tools_that_only_look_are_known(client: str) -> None:
    assert words_of(replace(SESSION, client=client))["collector"] == "yes"
    assert "collector" not in words_of(SESSION)


@pytest.mark.parametrize("side", ["client", "server"])
def test_whose_bytes_are_no_ssh(side: str) -> None:
    assert words_of(replace(SESSION, trouble=f"the {side} sent what is no SSH"))["broken"] == side
