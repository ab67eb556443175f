"""The packets of a recorded capture for each rule: what `netprobe explain` and docs/causes.md show.

House rules of this file:
1. examples.jsonl is generated from the project's captures (`make docs`), one line a rule, and ships with the package:
   the captures themselves don't. A test holds it to what the captures give.
2. Times count from the first packet and sequence numbers are left out: a capture recorded anew changes little.
"""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields, replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from netprobe.errors import UsageError
from netprobe.ladder import Box, Gap, Kind, Ladder, Row, Silence, Step

FILE = "examples.jsonl"
# Rows of an example: a page has more to say than its packets.
MOST = 10


@dataclass(frozen=True, slots=True)
class Example:
    """What a capture shows of a rule. `capture`: its name; `about`: what was set up there. `ladder` of one capture,
    `lines` as they are drawn of two."""

    rule: str
    capture: str
    about: str
    ladder: Ladder | None = None
    lines: tuple[str, ...] = ()


@cache
def examples() -> dict[str, Example]:
    """All of them, by rule."""
    text = resources.files("netprobe").joinpath(FILE).read_text("utf-8")
    return {one.rule: one for one in map(read, text.splitlines())}


def read(line: str) -> Example:
    """The example that a line tells of."""
    found = json.loads(line)
    ladder = found.get("ladder")
    return Example(
        rule=found["rule"],
        capture=found["capture"],
        about=found["about"],
        ladder=_ladder(ladder) if ladder else None,
        lines=tuple(found.get("lines", ())),
    )


def line(one: Example) -> str:
    """An example as a line; what has its usual value is left out."""
    found: dict[str, Any] = {"rule": one.rule, "capture": one.capture, "about": one.about}
    if one.ladder is not None:
        found["ladder"] = _plain(one.ladder)
    if one.lines:
        found["lines"] = list(one.lines)
    return json.dumps(found, ensure_ascii=True, separators=(",", ":"))


_ROWS: dict[str, type[Step | Silence | Gap]] = {"step": Step, "silence": Silence, "gap": Gap}


def _plain(noun: Any) -> Any:
    if isinstance(noun, tuple):
        return [_plain(one) for one in noun]
    if not hasattr(noun, "__dataclass_fields__"):
        return noun
    found = {f.name: getattr(noun, f.name) for f in fields(noun)}
    kept = {
        f.name: _plain(found[f.name]) for f in fields(noun) if f.default is MISSING or found[f.name] != f.default
    }
    name = next((name for name, kind in _ROWS.items() if isinstance(noun, kind)), None)
    return kept if name is None else {name: kept}


def _ladder(found: dict[str, Any]) -> Ladder:
    rows = tuple(_row(one) for one in found.pop("rows"))
    boxes = tuple(Box(**one) for one in found.pop("boxes"))
    return Ladder(**found, rows=rows, boxes=boxes)


def _row(found: dict[str, Any]) -> Row:
    ((name, values),) = found.items()
    if name == "step":
        values["kind"] = Kind(values["kind"])
    return _ROWS[name](**values)


# --------------------------------------------------------------------------- made from the captures


def made(folder: Path) -> Iterator[Example]:
    """An example for each rule that a case in this folder expects, in the order of the rules."""
    from netprobe.rules import RULES

    cases = {path: tomllib.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.toml"))}
    for rule in RULES:
        wanted = [
            path for path, case in cases.items() if any(one.get("rule") == rule.id for one in case.get("expect", ()))
        ]
        for path in sorted(wanted, key=lambda path: _rank(path, cases[path])):
            found = _made(path, cases[path], rule.id)
            if found is not None:
                yield found
                break


def _rank(path: Path, case: dict[str, Any]) -> tuple[bool, bool, bool, str]:
    """Real packets before forged ones, IPv4 before IPv6, the client's side before the server's."""
    name = path.stem
    return (not case["origin"].startswith("lab"), name.endswith("-v6"), name.endswith("-server"), name)


def _made(path: Path, case: dict[str, Any], rule: str) -> Example | None:
    from netprobe.errors import NetprobeError
    from netprobe.replay.cases import load
    from netprobe.replay.compare import replay
    from netprobe.report import pair
    from netprobe.rereading import ladder_of

    try:
        outcome = replay(load(path))
    except NetprobeError:
        return None
    verdict = next((one for one in outcome.verdicts if one.rule == rule), None)
    if verdict is None:
        return None
    if verdict.pair is not None:
        return Example(rule, path.stem, case["about"], lines=tuple(pair.ladder(verdict, 0)))
    drawn = ladder_of([outcome.case.capture], most=MOST)(verdict)
    return Example(rule, path.stem, case["about"], _from_zero(drawn)) if drawn is not None else None


def _from_zero(ladder: Ladder) -> Ladder:
    """With times from the first packet on."""
    began = ladder.began_ns
    rows: list[Row] = []
    for row in ladder.rows:
        if isinstance(row, Step):
            rows.append(replace(row, time_ns=row.time_ns - began, last_ns=row.last_ns - began, seq=0, ack=0))
        elif isinstance(row, Silence):
            rows.append(replace(row, since_ns=row.since_ns - began, until_ns=row.until_ns - began))
        else:
            rows.append(row)
    return replace(ladder, rows=tuple(rows), began_ns=0)


def main(arguments: list[str]) -> None:
    """`python -m netprobe.examples captures`: the file, to standard output."""
    if len(arguments) != 1:
        raise UsageError("one folder of captures is needed", "python -m netprobe.examples captures")
    for one in made(Path(arguments[0])):
        sys.stdout.write(line(one) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
