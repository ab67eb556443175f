"""Verdicts of whole situations: each ladder of tests/situations.py is its own expectation."""

from __future__ import annotations

import pytest

from netprobe.rules import RULES
from tests.ladder import check, ladder
from tests.situations import SITUATIONS


@pytest.mark.parametrize("name", SITUATIONS)
def test_situation(name: str) -> None:
    check(SITUATIONS[name])


def test_every_rule_has_a_situation() -> None:
    expected = {word for text in SITUATIONS.values() for word in ladder(text).expected}
    assert [rule.id for rule in RULES if rule.id not in expected] == []
