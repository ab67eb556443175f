"""Recorded facts: files that build on each other, and what doctor must say of each.

A file of tests/doctor/facts has `about`, `origin` (how it came to be), `base` (the file it changes, if any), `facts`
(the fields of Facts, whole) and, where it is a case, `expect`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from netprobe.doctor.facts import SCHEMA, Facts
from netprobe.doctor.saved import load

FOLDER = Path(__file__).parent / "facts"
KEYS = {"about", "origin", "base", "facts", "expect"}
EXPECTED = {"findings", "ruled_in", "partly", "unknown", "says", "remedy", "status"}


@dataclass(frozen=True)
class Case:
    """One file."""

    name: str
    about: str
    origin: str
    facts: Facts
    expect: dict[str, Any] | None


@cache
def document(name: str) -> dict[str, Any]:
    """A file as it stands. Keys that aren't known are an error."""
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    assert set(found) <= KEYS, f"{name}: {set(found) - KEYS}"
    assert set(found.get("expect") or {}) <= EXPECTED, name
    return found


def fields(name: str) -> dict[str, Any]:
    """All facts of a file, with those of the files below it. A null takes a field away; gaps are put together."""
    this = document(name)
    below: dict[str, Any] = fields(this["base"]) if this.get("base") else {"schema": SCHEMA}
    found = {**below, **this["facts"]}
    found["gaps"] = {**below.get("gaps", {}), **this["facts"].get("gaps", {})}
    return {key: value for key, value in found.items() if value is not None}


@cache
def case(name: str) -> Case:
    """A file as a case."""
    this = document(name)
    facts = load(json.dumps(fields(name)), name)
    return Case(name, this["about"], this["origin"], facts, this.get("expect"))


def names() -> list[str]:
    """All files."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))
