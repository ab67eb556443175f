"""What clients print: the texts are recognised, and the table in the documents is the same one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from netprobe.clients import ABOUT, TEXTS, causes_of, page
from netprobe.rules import RULES

INDEX = (Path(__file__).parent.parent / "docs" / "index.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("ssh: connect to host 192.0.2.1 port 22: Connection refused", "Connection refused"),
        ("[Errno 111] ECONNREFUSED", "Connection refused"),
        ("ssh: connect to host x port 22: Connection timed out", "Connection timed out"),
        ("Connection timed out during banner exchange", "Connection timed out during banner exchange"),
        ("ssh: connect to host x port 22: No route to host", "No route to host"),
        ("ssh: connect to host x port 22: Permission denied", "Permission denied"),
        (
            "kex_exchange_identification: read: Connection reset by peer",
            "kex_exchange_identification: read: Connection reset by peer",
        ),
        ("ssh: connect to host x port 22: Connection reset by peer", "Connection reset by peer"),
        ("ssh: Could not resolve hostname x: Name or service not known", "Could not resolve hostname"),
    ],
)
def test_texts_are_recognised(text: str, known: str) -> None:
    found = causes_of(text)
    assert found is not None
    assert found[0] == known
    assert f'"{known}"' in (page(text) or "")


@pytest.mark.parametrize("text", ["", "no-listener", "NP110", "user@host: Permission denied (publickey)."])
def test_other_texts_are_not(text: str) -> None:
    assert causes_of(text) is None
    assert page(text) is None


@pytest.mark.parametrize("known", TEXTS)
def test_each_text_finds_its_own_row(known: str) -> None:
    assert causes_of(known) == (known, TEXTS[known][1])


def test_every_cause_is_one_of_the_rules_and_is_explained() -> None:
    causes = {rule.cause for rule in RULES}
    assert {cause for _, listed in TEXTS.values() for cause in listed} <= causes
    assert causes - {"up", "inconclusive", "stale-four-tuple", "malformed-answer"} <= set(ABOUT)


@pytest.mark.parametrize("known", TEXTS)
def test_the_document_has_the_same_causes(known: str) -> None:
    row = next(line for line in INDEX.splitlines() if line.startswith("|") and known in line.split("|")[1])
    assert set(re.findall(r"`([a-z0-9-]+)`", row.split("|")[2])) & set(ABOUT) == set(TEXTS[known][1])
