"""Every scenario of the lab, scanned as a user would: the cause, its maker, its certainty, and the replay of its own
file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.scenarios import SCENARIOS
from tests.lab.score import Result, run
from tests.lab.topology import Lab, available

pytestmark = [pytest.mark.lab, pytest.mark.skipif(bool(available()), reason=f"no lab: {available()}")]

CASES = [(scenario.name, family) for scenario in SCENARIOS for family in scenario.families]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as built:
        yield built


@pytest.fixture(scope="module")
def captured(lab: Lab) -> dict[tuple[str, int], Result]:
    """With privilege; each scan also saves its packets, and the file is analysed again."""
    return {(r.scenario.name, r.family): r for r in run(lab, lambda result: None)}


@pytest.fixture(scope="module")
def connected(lab: Lab) -> dict[tuple[str, int], Result]:
    """Without privilege: connect() and its error queue."""
    return {(r.scenario.name, r.family): r for r in run(lab, lambda result: None, privileged=False)}


@pytest.mark.parametrize(("name", "family"), CASES)
def test_scan_names_the_cause_and_its_maker(name: str, family: int, captured: dict[tuple[str, int], Result]) -> None:
    result = captured[name, family]
    assert not result.faults, result.trouble


@pytest.mark.parametrize(("name", "family"), CASES)
def test_without_privilege_nothing_wrong_is_certain(
    name: str, family: int, connected: dict[tuple[str, int], Result]
) -> None:
    result = connected[name, family]
    assert result.verdict is not None, result.trouble
    assert not result.wrong_and_certain, result.trouble
    assert not result.faults, result.trouble
