"""The pages: by rule id, by cause, the whole document."""

from __future__ import annotations

import pytest

from netprobe import explain
from netprobe.errors import UsageError
from netprobe.rules import RULES, Rule


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_page_of_a_rule(rule: Rule) -> None:
    page = explain.explain(rule.id)
    assert page.startswith(f"## {rule.id}: {rule.cause}\n")
    assert f"**{rule.certainty}**" in page
    assert "{" not in page.replace("{print", "")
    for rival in rule.rivals:
        assert f"**{rival.cause}**" in page


def test_page_by_id_takes_any_case() -> None:
    assert explain.explain(" np110 ") == explain.explain("NP110")


def test_page_of_a_cause_has_all_its_rules() -> None:
    page = explain.explain("no-listener")
    wanted = [rule.id for rule in RULES if rule.cause == "no-listener"]
    assert wanted
    assert all(f"## {one}: no-listener" in page for one in wanted)


@pytest.mark.parametrize("word", ["", "NP000", "no-such-cause", "22"])
def test_what_is_neither_is_a_usage_error(word: str) -> None:
    with pytest.raises(UsageError) as caught:
        explain.explain(word)
    assert word in str(caught.value)


def test_document_has_a_section_and_a_line_for_each_rule() -> None:
    document = explain.document()
    for rule in RULES:
        assert document.count(f"\n## {rule.id}: ") == 1
        assert f"| [{rule.id}]" in document


def test_plain_shows_placeholders_as_such() -> None:
    assert explain.plain("from {icmp_sender}: `awk '{print $1}'`") == "from ICMP SENDER: `awk '{print $1}'`"
