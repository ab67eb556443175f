"""Case files: what a capture's verdicts must be, and how what was found differs.

A case is NAME.toml beside NAME.pcapng (docs/captures.md). Only what is written is compared; an unknown key is an error.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netprobe.analyze import analyze
from netprobe.errors import UsageError
from netprobe.model import Verdict
from netprobe.options import AnalyzeOptions

# What an expectation may speak of: fields of the verdict, by the names of the JSON.
FIELDS = ("state", "reason", "cause", "certainty", "rule", "conn_state", "history", "attempts")
ORIGIN_FIELDS = ("origin_kind", "origin_address", "origin_hop", "origin_between")


@dataclass(frozen=True, slots=True)
class Case:
    """One case file. `expect` holds for each server what its verdict must say."""

    path: Path
    about: str
    origin: str
    expect: tuple[dict[str, Any], ...]

    @property
    def capture(self) -> Path:
        """The capture beside the case."""
        return self.path.with_suffix(".pcapng")


def load(path: Path) -> Case:
    """Read a case file. Raises UsageError for what can't be read or isn't known."""
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: {error}", "see docs/captures.md for the form of a case") from error
    unknown = set(content) - {"about", "origin", "expect"}
    expect = content.get("expect", [])
    for one in expect:
        unknown |= set(one) - {"server", *FIELDS, *ORIGIN_FIELDS}
    if unknown:
        raise UsageError(
            f"{path}: unknown key {', '.join(sorted(unknown))}",
            f"known are server, {', '.join(FIELDS + ORIGIN_FIELDS)}",
        )
    if not expect or any("server" not in one for one in expect):
        raise UsageError(f"{path}: no [[expect]] with a server", 'write server = "192.0.2.1:22" and what must hold')
    return Case(path, content.get("about", ""), content.get("origin", ""), tuple(expect))


def replay(case: Case) -> list[str]:
    """What differs between a case and its capture, a line each; empty when nothing does."""
    return differences(
        case, analyze(case.capture, AnalyzeOptions(files=(case.capture,)), _ignore).verdicts
    )


def _ignore(verdict: Verdict) -> None:
    """Verdicts are looked at when all are there."""


def differences(case: Case, verdicts: Sequence[Verdict]) -> list[str]:
    """Expectations are met in order: the n-th for a server by its n-th verdict."""
    left: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        left.setdefault(server(verdict), []).append(verdict)
    found = []
    for expected in case.expect:
        name = expected["server"]
        if not left.get(name):
            found.append(f"{name}: expected {expected.get('cause', 'a verdict')}, found none")
            continue
        verdict = left[name].pop(0)
        for key, wanted in expected.items():
            if key != "server" and (got := value(verdict, key)) != wanted:
                found.append(f"{name}: {key}: expected {wanted!r}, found {got!r} ({verdict.rule})")
    return found


def server(verdict: Verdict) -> str:
    """How a case names the server of a verdict: `203.0.113.5:22`, `[2001:db8::5]:22`, `name:22` where nothing was
    resolved."""
    host = verdict.address or verdict.target
    return f"[{host}]:{verdict.port}" if ":" in host else f"{host}:{verdict.port}"


def value(verdict: Verdict, key: str) -> Any:
    """A field of a verdict as TOML writes it."""
    if key.startswith("origin_"):
        found = getattr(verdict.origin, key.removeprefix("origin_"))
        return (
            [one or "" for one in found] if isinstance(found, tuple) else str(found) if key == "origin_kind" else found
        )
    found = getattr(verdict, key)
    return found if isinstance(found, int) else str(found)
