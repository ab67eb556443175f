"""The table of rules: well formed, every row reachable, every text fillable, the page of causes up to date."""

from __future__ import annotations

import itertools
import string
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from netprobe import explain, texts
from netprobe.evidence import FEATURES, Evidence
from netprobe.model import Certainty, Origin, OriginKind, State, TargetFact
from netprobe.prober import CONNECT_STEPS, STEPS
from netprobe.rules import BY_ID, RULES, Place, Rule, decide
from tests.kex_situations import KEX_SITUATIONS, SESSION_SITUATIONS
from tests.ladder import ladder
from tests.login_situations import LOGIN_SITUATIONS

# Every cause there is. A new one is a promise to users: it needs a line here, in docs/causes.md and in CHANGELOG.md.
CAUSES = {
    *("name-not-found", "resolver-failure"),
    *("no-local-route", "local-firewall", "neighbor-unreachable", "local-limit", "transparent-proxy"),
    *(
        "network-unreachable",
        "host-unreachable",
        "rejected-on-path",
        "routing-loop",
        "host-silent",
        "path-mtu-black-hole",
    ),
    *("no-listener", "reset-by-host-firewall", "reset-on-path", "forward-without-backend", "rejected-by-host"),
    *("dropped", "backlog-full", "syn-filtered", "reply-filtered", "rate-limited", "syn-proxy", "handshake-blocked"),
    *("reset-after-handshake", "stale-four-tuple", "malformed-answer", "syn-shape-filtered"),
    *("up", "no-banner", "closed-before-banner", "refused-with-text", "tarpit", "other-service", "ssh1-only"),
    *("reset-after-banner", "no-common-algorithm", "kex-aborted", "host-key-refused", "inconclusive"),
    *("auth-failed", "auth-no-method", "auth-too-many", "auth-second-factor"),
}
every_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)


def texts_of(rule: Rule) -> Iterator[str]:
    """Every text of a rule that may hold placeholders."""
    yield rule.reason
    yield from rule.because
    yield from rule.remedy
    for rival in rule.rivals:
        yield from (rival.because, rival.settle)


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def choices(rule: Rule) -> Iterator[dict[str, str]]:
    """Feature sets that fulfil a rule's conditions, each with nothing more than it asks for."""
    sets: list[list[tuple[str, str]]] = []
    for feature, words, wanted in rule.conditions:
        every = [*FEATURES[feature], "-"]
        sets.append([(feature, word) for word in every if (word in words) == wanted])
    for chosen in itertools.product(*sets):
        yield {feature: word for feature, word in chosen if word != "-"}


# --------------------------------------------------------------------------- form


def test_ids_are_unique() -> None:
    assert len(BY_ID) == len(RULES)


@every_rule
def test_conditions_are_words_of_the_vocabulary(rule: Rule) -> None:
    for feature, words, _ in rule.conditions:
        assert feature in FEATURES, feature
        assert words <= {*FEATURES[feature], "-"}, words
        assert words


@every_rule
def test_conditions_name_each_feature_once(rule: Rule) -> None:
    features = [feature for feature, _, _ in rule.conditions]
    assert len(features) == len(set(features))


@every_rule
def test_cause_is_one_of_the_list(rule: Rule) -> None:
    assert rule.cause in CAUSES
    for rival in rule.rivals:
        assert rival.cause in CAUSES
        assert rival.because
        assert rival.settle


def test_every_cause_has_a_rule() -> None:
    assert {rule.cause for rule in RULES} == CAUSES


@every_rule
def test_certainty_and_rivals_agree(rule: Rule) -> None:
    if rule.certainty is Certainty.CERTAIN:
        assert not rule.rivals, "a certain verdict has no rival"
    elif rule.cause != "inconclusive":
        assert rule.rivals, "what is not certain names its rivals"
    if rule.rivals:
        assert rule.cause not in {rival.cause for rival in rule.rivals}, "a rule can't be its own rival"


@every_rule
def test_rule_says_why_and_what_to_do(rule: Rule) -> None:
    assert rule.because
    assert rule.remedy or rule.cause == "up"
    assert rule.place in explain.PLACES


@every_rule
def test_state_fits_the_answer(rule: Rule) -> None:
    answers = {word for feature, words, wanted in rule.conditions if feature == "answer" and wanted for word in words}
    if answers == {"syn-ack"}:
        assert rule.state is State.OPEN
    elif answers == {"silent"}:
        assert rule.state is State.FILTERED or rule.cause == "inconclusive"
    elif answers == {"icmp"}:
        assert rule.state is State.FILTERED


# --------------------------------------------------------------------------- order


@every_rule
def test_every_rule_decides_for_something(rule: Rule) -> None:
    assert any(decide(features) is rule for features in choices(rule))


def test_the_last_row_matches_everything() -> None:
    assert RULES[-1].when == ""
    assert RULES[-1].matches({})
    assert RULES[-1].cause == "inconclusive"
    assert decide({}) is RULES[-1]
    assert [rule.id for rule in RULES if not rule.conditions] == [RULES[-1].id]


@pytest.mark.parametrize("feature", FEATURES)
def test_no_single_word_makes_the_table_fail(feature: str) -> None:
    for word in FEATURES[feature]:
        assert decide({feature: word}).cause in CAUSES


@pytest.mark.parametrize("pending", ["answer", "spoke"])
def test_what_is_pending_is_never_a_failure_of_the_target(pending: str) -> None:
    features = {"expect": "ssh", "mode": "packets", "capture": "whole", pending: "pending"}
    if pending == "spoke":
        features |= {"answer": "syn-ack", "handshake": "complete", "ended": "open"}
    assert decide(features).cause == "inconclusive"


def test_every_feature_is_asked_for_somewhere() -> None:
    asked = {feature for rule in RULES for feature, _, _ in rule.conditions}
    sources = Path(explain.__file__).parent
    code = "".join((sources / name).read_text("utf-8") for name in ("prober.py", "verdict.py", "origin.py", "texts.py"))
    unused = {feature for feature in FEATURES if feature not in asked and f'"{feature}"' not in code}
    assert not unused


# --------------------------------------------------------------------------- texts

RICH = {
    "nothing in common": KEX_SITUATIONS["nothing_in_common_with_the_ssh_here"],
    "answered by a reset": """
        0.00 fact route ok via 192.0.2.254
        0.00 fact started id 1 port 40000
        0.00 > S tos 0x48 [mss]
        0.02 < RA ttl 62
        0.02 fact failed ECONNREFUSED
        0.03 > S port 61000 to 35000 tos 0x48 [mss]
        0.04 < RA port 61000 to 35000 ttl 60 tos 0x48
        0.03 > echo id 9
        0.04 < reply id 9 ttl 60
        0.10 > S port 61010 ttl 1 [mss]
        0.12 < RA port 61010 ttl 62
    """,
    "rejected by a router": """
        0.00 fact route ok via 192.0.2.254
        0.00 > S [mss]
        0.02 < icmp 3/13 from 198.51.100.2 ttl 63
        0.10 > S port 61010 ttl 1 [mss]
        0.11 < icmp 11/0 port 61010 from 198.51.100.1 ttl 64
    """,
    "open": """
        0.00 > S [mss]
        0.02 < SA ttl 60
        0.03 > A
        2.40 < PA "hello\\r\\n"
        2.50 < PA "SSH-2.0-x\\r\\n"
        2.60 > PA "SSH-2.0-y\\r\\n"
    """,
    "lines": """
        0.00 > S [mss]
        0.02 < SA
        0.03 > A
        2.00 < PA "aaa\\r\\n"
        4.00 < PA "bbb\\r\\n"
        6.00 < PA "ccc\\r\\n"
    """,
    "odd": "0.00 > S [mss]\n0.02 < SA ack 5",
    "impostor": """
        0.00 > S [mss]
        0.01 > S port 61000 [mss]
        0.02 < SA
        0.03 > A
    """,
    "large segments stay away": """
        target passive
        direction unknown
        0.00 > S ttl 60 [mss,sack]
        0.00 < SA [mss,sack]
        0.03 > A ttl 60
        0.06 < A "kkkkkkkk"
        0.06 < PA "s"
        0.09 > A ttl 60 ack -9 [sacked]
        0.30 < A seq -9 "kkkkkkkk"
        0.70 < A seq -9 "kkkkkkkk"
        1.50 < A seq -9 "kkkkkkkk"
        9.00 > who-has 192.0.2.5
    """,
    "a key refused": SESSION_SITUATIONS["session__the_client_says_that_it_does_not_know_the_key"],
    "login": LOGIN_SITUATIONS["passwords_are_refused"],
    "unresolved": "0.0 fact resolved 203.0.113.5 not-found",
    "no neighbour": "0.0 fact route ok via 192.0.2.254\n0.1 fact neighbour 192.0.2.254 failed",
}


def filled() -> dict[str, object]:
    """The values of several rich evidences together."""
    found: dict[str, object] = {}
    for text in RICH.values():
        scene = ladder(text)
        if "resolved" in text:
            scene.target = TargetFact(target="203.0.113.5", address=None, port=22)
        values = texts.values(scene.evidence(), Origin(OriginKind.UNKNOWN))
        found |= {name: value for name, value in values.items() if value is not None or name not in found}
    return found


def test_every_placeholder_has_a_value_somewhere() -> None:
    wanted = {name for rule in RULES for text in texts_of(rule) for name in placeholders(text)}
    assert wanted <= set(filled()), wanted - set(filled())


@every_rule
def test_texts_fill(rule: Rule) -> None:
    values = filled()
    for text in texts_of(rule):
        said = texts.fill(text, values)
        assert "{" not in said.replace("{print", ""), said
        assert "?" not in said or "?" in text, said
        assert "None" not in said, said


def test_a_value_that_is_not_known_is_a_question_mark() -> None:
    assert texts.fill("{nothing} at {port}", {"port": 22}) == "? at 22"


# Placeholders that must be known wherever a rule's own conditions hold: the feature brings them along.
BROUGHT: Mapping[str, set[str]] = {
    "answer=reset": {"rst_ttl", "rst_tos", "rst_hops", "rst_seen"},
    "answer=icmp": {"icmp", "icmp_text", "icmp_reason", "icmp_sender", "delay", "copies", "client_text"},
    "control=reset": {"control_port"},
}


def evidence_of(name: str) -> Evidence:
    return ladder(RICH[name]).evidence()


def test_features_bring_the_values_that_their_rules_name() -> None:
    reset = evidence_of("answered by a reset")
    assert reset.features["answer"] == "reset"
    assert reset.features["control"] == "reset"
    assert BROUGHT["answer=reset"] | BROUGHT["control=reset"] <= set(texts.values(reset, Origin(OriginKind.UNKNOWN)))
    icmp = evidence_of("rejected by a router")
    assert icmp.features["answer"] == "icmp"
    assert BROUGHT["answer=icmp"] <= set(texts.values(icmp, Origin(OriginKind.UNKNOWN)))


# --------------------------------------------------------------------------- pages


def test_the_page_of_causes_is_generated_from_the_table() -> None:
    page = Path(explain.__file__).parent.parent / "docs" / "causes.md"
    assert page.read_text("utf-8") == explain.document(), "run `make docs`"


def test_places_are_all_told() -> None:
    assert set(explain.PLACES) == {place.value for place in Place}


def test_steps_are_named_once() -> None:
    for steps in (STEPS, CONNECT_STEPS):
        names = [step.name for step in steps]
        assert len(names) == len(set(names))
