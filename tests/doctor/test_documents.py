"""docs/doctor.md names every check, every fact and every option."""

from __future__ import annotations

import dataclasses
import re

import pytest

from netprobe.cli import run
from netprobe.doctor.checks import CHECKS
from netprobe.doctor.facts import Facts
from netprobe.doctor.finding import Check, Reason
from netprobe.doctor.pages import page
from tests.test_house_rules import PACKAGE, ROOT

TEXT = (ROOT / "docs" / "doctor.md").read_text("utf-8")


def test_every_check_has_its_row() -> None:
    rows = re.findall(r"^\| (ND\d{3}) \|", TEXT, re.MULTILINE)
    assert rows == [check.id for check in CHECKS]


def test_every_fact_has_its_row() -> None:
    table = TEXT[TEXT.index("| field |") :]
    named = {
        name for cell in re.findall(r"^\| (`[^|]*) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", cell)
    }
    assert named == {field.name for field in dataclasses.fields(Facts)}


def test_every_option_is_told() -> None:
    source = (PACKAGE / "cli" / "doctor.py").read_text("utf-8")
    for option in re.findall(r'"(--?[a-z]+)"', source):
        assert option in TEXT or option in {"--quiet", "--verbose", "--color"}, option


def test_the_five_reasons_are_five() -> None:
    assert len(Reason) == 5


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_every_check_has_a_page(check: Check, capsys: pytest.CaptureFixture[str]) -> None:
    for word in (check.id, check.id.lower(), check.name):
        assert run(["explain", word]) == 0
        said = capsys.readouterr().out
        assert f"## {check.id}: {check.name}" in said
    assert page("ND999") is None
