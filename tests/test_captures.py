"""The shipped captures give the verdicts that their case files hold, without root and without a network."""

from __future__ import annotations

from pathlib import Path

import pytest

from netprobe.errors import UsageError
from netprobe.replay import Case, load, replay
from netprobe.rules import RULES

CAPTURES = Path(__file__).resolve().parents[1] / "captures"
CASES = sorted(CAPTURES.glob("*.toml"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_capture_gives_its_verdicts(path: Path) -> None:
    assert replay(load(path)) == []


def test_every_capture_has_its_case_and_its_provenance() -> None:
    assert {path.stem for path in CASES} == {path.stem for path in CAPTURES.glob("*.pcapng")}
    for path in CASES:
        case = load(path)
        assert case.about
        assert case.origin.startswith(("lab: ", "forged: ", "field: "))


def test_every_rule_is_hit_by_a_capture() -> None:
    hit = {expected.get("rule") for path in CASES for expected in load(path).expect}
    assert {rule.id for rule in RULES} - hit == set()


def test_what_a_case_expects_is_compared(tmp_path: Path) -> None:
    case = load(CASES[0])
    wrong = Case(case.path, case.about, case.origin, ({**case.expect[0], "cause": "tarpit-on-mars"},))
    assert any("tarpit-on-mars" in line for line in replay(wrong))


@pytest.mark.parametrize(
    "text",
    [
        "about = 1\nsurprise = 2\n",
        '[[expect]]\nserver = "192.0.2.1:22"\ncolour = "red"\n',
        "not toml at all [",
        'about = "no expectation"\n',
    ],
)
def test_a_bad_case_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(UsageError, match=r"bad\.toml"):
        load(path)
