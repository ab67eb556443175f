"""The rules about logins: every row reached by a session, each text filled, every recorded login's cause."""

from __future__ import annotations

import string
from collections.abc import Iterator

import pytest

from netprobe import texts
from netprobe.evidence import FEATURES, Evidence
from netprobe.evidence.login import judge_login
from netprobe.model import Auth, Certainty, Origin, OriginKind, Outcome, TargetFact
from netprobe.rules import Rule, decide, login
from tests.ladder import Scene, ladder
from tests.login_situations import LOGIN_SITUATIONS
from tests.ssh_matrix import score

CAUSES = {
    "succeeded": "up",
    "left": "up",
    "timed-out": "up",
    "failed": "auth-failed",
    "no-method": "auth-no-method",
    "too-many": "auth-too-many",
    "second-factor": "auth-second-factor",
}
every_rule = pytest.mark.parametrize("rule", login.RULES, ids=lambda rule: rule.id)


def heard(scene: Scene) -> Evidence:
    """What a capture shows of the attempt."""
    return scene.evidence()


def decided(evidence: Evidence) -> Rule:
    return decide(evidence.features)


@pytest.mark.parametrize("name", LOGIN_SITUATIONS)
def test_situation(name: str) -> None:
    scene = ladder(LOGIN_SITUATIONS[name])
    rule = decided(heard(scene))
    assert {rule.id, rule.cause, str(rule.certainty), str(rule.state)} >= set(scene.expected)


def test_every_rule_has_a_situation() -> None:
    assert {rule.id for rule in login.RULES} <= {decided(heard(ladder(text))).id for text in LOGIN_SITUATIONS.values()}


@every_rule
def test_conditions_are_words_of_the_vocabulary(rule: Rule) -> None:
    for feature, words, _ in rule.conditions:
        if feature.startswith("login"):
            assert words <= {*FEATURES[feature], "-"}


def _placeholders(rule: Rule) -> Iterator[str]:
    for text in (*rule.because, *rule.remedy, *(text for one in rule.rivals for text in (one.because, one.settle))):
        yield from (name for _, name, _, _ in string.Formatter().parse(text) if name is not None)


@pytest.mark.parametrize("name", LOGIN_SITUATIONS)
def test_texts_fill(name: str) -> None:
    evidence = heard(ladder(LOGIN_SITUATIONS[name]))
    rule = decided(evidence)
    values = texts.values(evidence, Origin(OriginKind.UNKNOWN))
    assert set(_placeholders(rule)) <= set(values)
    for text in rule.because:
        said = texts.fill(text, values)
        assert "?" not in said
        assert "None" not in said
        assert "{" not in said


def test_words_come_from_the_noun_alone() -> None:
    auth = Auth(
        Outcome.FAILED, Certainty.LIKELY, "x", attempts=1, key_accepted=True, closed_by="server", inferred=True
    )  # fmt: skip
    evidence = Evidence(TargetFact(target="x", address="192.0.2.1", port=22), 0)
    judge_login(evidence, auth)
    assert evidence.features == {
        "login": "failed", "login_sure": "likely", "login_key": "accepted", "login_closed": "server",
    }  # fmt: skip


def test_outcomes_and_words_are_the_same() -> None:
    assert set(FEATURES["login"]) == {str(outcome) for outcome in Outcome}
    assert set(FEATURES["login_sure"]) == {str(certainty) for certainty in Certainty}


def test_every_recorded_login_has_its_cause() -> None:
    """Whatever the rule: the cause is that of what happened, and nothing but `up` is certain."""
    for one in score.measured():
        assert one.auth is not None
        evidence = Evidence(TargetFact(target="x", address="192.0.2.1", port=22), 0)
        evidence.features |= {"answer": "syn-ack", "spoke": "ssh2", "kex": "began", "handshake": "complete"}
        judge_login(evidence, one.auth)
        rule = decided(evidence)
        if one.auth.outcome is Outcome.UNKNOWN:
            assert rule.cause == "up"
        else:
            assert rule.cause == CAUSES[one.entry["outcome"]], (one.pair, one.entry)
            assert rule.certainty is not Certainty.CERTAIN or rule.cause == "up"
