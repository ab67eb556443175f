"""Verdicts of whole situations: each ladder of tests/situations.py is its own expectation."""

from __future__ import annotations

import pytest

from netprobe.rules import RULES
from tests.ladder import check, ladder
from tests.pair_ladder import pair
from tests.pair_situations import PAIR_SITUATIONS
from tests.situations import SITUATIONS


@pytest.mark.parametrize("name", SITUATIONS)
def test_situation(name: str) -> None:
    check(SITUATIONS[name])


def test_every_rule_has_a_situation() -> None:
    expected = {word for text in SITUATIONS.values() for word in ladder(text).expected}
    expected |= {word for text in PAIR_SITUATIONS.values() for word in pair(text).expected}
    assert [rule.id for rule in RULES if rule.id not in expected] == []
