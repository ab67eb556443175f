"""Both ends of the lab's scenarios captured at once, for real, in both families: cause, certainty, side."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import pairs
from tests.lab.score import Result
from tests.lab.topology import Lab, available

pytestmark = [pytest.mark.lab, pytest.mark.skipif(bool(available()), reason=f"no lab: {available()}")]

CASES = [(one.name, family) for one in pairs.scenarios() for family in one.families]


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[tuple[str, int], Result]]:
    """Every scenario, captured and judged."""
    folder: Path = tmp_path_factory.mktemp("pairs")
    with Lab(pairs.scenarios()) as lab:
        found = pairs.run(lab, (4, 6), folder, lambda result: None)
        yield {(one.scenario.name, one.family): one for one in found}


@pytest.mark.parametrize(("name", "family"), CASES)
def test_both_ends_tell_on_which_side_the_cause_lies(
    name: str, family: int, judged: dict[tuple[str, int], Result]
) -> None:
    result = judged[name, family]
    assert not result.faults, result.trouble
