"""Two captures of one conversation: situations, matching, clocks, coverage."""

from __future__ import annotations

import pytest

from tests.pair_ladder import check_pair
from tests.pair_situations import PAIR_SITUATIONS


@pytest.mark.parametrize("name", PAIR_SITUATIONS)
def test_situation(name: str) -> None:
    check_pair(PAIR_SITUATIONS[name])
