"""The shipped captures: each has its case and its provenance, and no rule is without one.

Whether they give what their cases hold is tested by the cases themselves: `pytest captures/`.
"""

from __future__ import annotations

from pathlib import Path

from netprobe.replay import load
from netprobe.replay.cases import is_capture, stem_of
from netprobe.rules import RULES

CAPTURES = Path(__file__).resolve().parents[1] / "captures"
CASES = sorted(CAPTURES.glob("*.toml"))


def test_every_capture_has_its_case_and_its_provenance() -> None:
    spoken_of = {one.name for path in CASES for one in load(path).captures}
    assert {path.stem for path in CASES} == {stem_of(load(path).capture) for path in CASES}
    assert {path.name for path in CAPTURES.iterdir() if is_capture(path)} == spoken_of
    for path in CASES:
        case = load(path)
        assert case.about
        assert case.origin.startswith(("lab: ", "forged: ", "field: "))


def test_every_rule_is_hit_by_a_capture() -> None:
    hit = {expected.get("rule") for path in CASES for expected in load(path).expect}
    assert {rule.id for rule in RULES} - hit == set()
