"""Real servers in namespaces: each broken one has its finding first, a healthy one has none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.doctor import server
from tests.doctor.scenarios import SCENARIOS, Scenario

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(bool(server.available()), reason=server.available() or "available"),
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_server_gets_its_finding_first_and_no_false_one(scenario: Scenario, tmp_path: Path) -> None:
    if scenario.needs and not server.succeeds(scenario.needs):
        pytest.skip(f"`{scenario.needs}` doesn't work here")
    found = server.ask(scenario.script, list(scenario.arguments), tmp_path)
    assert found.findings == list(scenario.findings)
    states = {one["reason"]: one["state"] for one in found.document["reasons"]}
    assert {reason for reason, state in states.items() if state == "ruled-in"} == set(scenario.reasons)
    assert {reason for reason, state in states.items() if state == "partly"} == set(scenario.partly)
    if scenario.findings:
        first = found.result(scenario.findings[0])
        assert scenario.says in first["says"]
        assert scenario.remedy in "\n".join(first["remedy"])
        assert found.status == 1
    else:
        assert found.status == 0
    unknown = {one["check"] for one in found.document["results"] if one["status"] == "unknown"}
    assert unknown == set(scenario.unknown)
    assert found.facts["seconds"] < 5
