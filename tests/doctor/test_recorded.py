"""Recorded facts: every case says what it must, every check has one that passes and one that doesn't."""

from __future__ import annotations

import json
from collections import defaultdict
from importlib.resources import files
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from netprobe.doctor.checks import BY_ID, CHECKS
from netprobe.doctor.diagnose import diagnose
from netprobe.doctor.finding import Status
from netprobe.doctor.saved import dump, load
from netprobe.report import doctor, doctor_json
from netprobe.rules import RULES
from tests.doctor import recorded

NAMES = recorded.names()
CASES = [name for name in NAMES if recorded.document(name).get("expect") is not None]
# Checks that only inform: the other side of theirs is that they can't tell.
AFTERWARDS = {"auth-failed", "auth-no-method", "kex-aborted"}  # after the identification: only captures show it
INFORMING = {"ND307", "ND412", "ND506"}
SCHEMA: dict[str, Any] = json.loads(files("netprobe.report").joinpath("doctor_schema.json").read_text("utf-8"))


@pytest.mark.parametrize("name", CASES)
def test_a_case_says_what_it_must(name: str) -> None:
    case = recorded.case(name)
    assert case.expect is not None
    found = diagnose(case.facts)
    expect = case.expect
    assert [one.check for one in found.findings] == expect["findings"]
    assert [one.reason.value for one in found.reasons if one.state == "ruled-in"] == expect["ruled_in"]
    assert [one.reason.value for one in found.reasons if one.state == "partly"] == expect["partly"]
    assert sorted({one.check for one in found.results if one.status is Status.UNKNOWN}) == expect["unknown"]
    if found.findings:
        assert expect.get("says", "") in found.findings[0].says
        assert expect.get("remedy", "") in "\n".join(found.findings[0].remedy)
    status = 1 if found.findings else 0 if found.measured else 3
    assert status == expect.get("status", status)


def test_every_check_has_a_passing_and_a_failing_case() -> None:
    seen: dict[str, set[Status]] = defaultdict(set)
    for name in NAMES:
        for one in diagnose(recorded.case(name).facts).results:
            seen[one.check].add(one.status)
    for check in CHECKS:
        assert Status.FINE in seen[check.id], f"{check.id} {check.name}: no recorded facts with which it is fine"
        failing = {Status.UNKNOWN} if check.id in INFORMING else {Status.FAULT, Status.RISK}
        assert failing & seen[check.id], f"{check.id} {check.name}: no recorded facts with which it finds something"


@pytest.mark.parametrize("name", NAMES)
def test_facts_survive_being_saved(name: str) -> None:
    facts = recorded.case(name).facts
    assert load(dump(facts)) == facts


@pytest.mark.parametrize("name", NAMES)
def test_reports_are_whole_and_harmless(name: str) -> None:
    found = diagnose(recorded.case(name).facts)
    for verbosity in (-1, 0, 2):
        text = doctor.render(found, width=80, verbosity=verbosity)
        assert all(line.isprintable() for line in text.splitlines())
        if verbosity >= 0:
            assert all(f"[{one.check}]" in text for one in found.findings)
    document = json.loads(doctor_json.document(found))
    Draft202012Validator(SCHEMA).validate(document)
    assert [one["check"] for one in document["results"]] == [one.check for one in found.results]


def test_every_finding_says_what_was_seen_and_what_to_do() -> None:
    for name in NAMES:
        for one in diagnose(recorded.case(name).facts).findings:
            assert one.because, f"{name}: {one.check} without evidence"
            assert one.source, f"{name}: {one.check} without source"
            assert one.remedy, f"{name}: {one.check} without remedy"
            assert one.says.endswith((".", "]", ")", ";")) or one.check == "ND106", one.says


def test_causes_are_the_words_of_verdicts() -> None:
    known = {rule.cause for rule in RULES}
    for name in NAMES:
        for one in diagnose(recorded.case(name).facts).findings:
            assert set(one.causes) <= known | AFTERWARDS, one


def test_nothing_collected_is_told_as_such() -> None:
    found = diagnose(recorded.case("empty").facts)
    assert not found.findings
    assert not found.measured
    assert {one.state for one in found.reasons} == {"unknown"}


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_ids_are_unique_and_well_formed() -> None:
    assert len(BY_ID) == len(CHECKS)
    assert all(len(one) == 5 and one.startswith("ND") and one[2:].isdecimal() for one in BY_ID)
