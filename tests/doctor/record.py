"""Records the facts of the lab's servers: `python -m tests.doctor.record` (root) writes tests/doctor/facts/lab*.json
anew."""

from __future__ import annotations

import json
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.doctor import server
from tests.doctor.recorded import FOLDER
from tests.doctor.scenarios import BROKEN, HEALTHY, Scenario

BASE = "lab"
# What differs from run to run without meaning anything: of these the base's are kept, unless they are the point.
NOISE = {"taken", "seconds", "counters", "limits", "disks"}
TAKEN = 1_763_700_000
POINT = {"disk full": {"disks"}}


def settled(facts: dict[str, Any], scenario: Scenario) -> dict[str, Any]:
    """Facts without what only this machine and this minute have."""
    kept = {key: value for key, value in facts.items() if key not in NOISE - POINT.get(scenario.name, set())}
    kept["system"] = {**kept["system"], "kernel": "6.1.0", "container": ""}
    kept["binaries"] = [{**one, "changed": TAKEN - 2000} for one in kept.get("binaries", ())]
    kept["daemons"] = [{**one, "pid": 711, "started": TAKEN - 1000} for one in kept.get("daemons", ())]
    daemon_pids = {one["pid"] for one in facts.get("daemons", ())}
    kept["listeners"] = [
        {**one, **({"pid": 711} if one.get("pid") in daemon_pids else {})} for one in kept["listeners"]
    ]
    kept["bans"] = [{**one, "until": TAKEN + 540} for one in kept.get("bans", ())]
    return kept


def write(name: str, about: str, origin: str, base: str | None, facts: dict[str, Any], expect: dict[str, Any]) -> None:
    """One file."""
    head = {"about": about, "origin": origin, **({"base": base} if base else {})}
    text = json.dumps({**head, "facts": facts, "expect": expect}, indent=1)
    (FOLDER / f"{name}.json").write_text(text + "\n", "ascii")


def expected(found: server.Answer) -> dict[str, Any]:
    """What doctor said, as an expectation."""
    states = {one["reason"]: one["state"] for one in found.document["reasons"]}
    return {
        "findings": found.findings,
        "ruled_in": [reason for reason, state in states.items() if state == "ruled-in"],
        "partly": [reason for reason, state in states.items() if state == "partly"],
        "unknown": sorted({one["check"] for one in found.document["results"] if one["status"] == "unknown"}),
        "status": found.status,
    }


def main() -> int:
    """Record all of them."""
    if why := server.available():
        print(why, file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        healthy = HEALTHY[0]
        found = server.ask(healthy.script, list(healthy.arguments), folder)
        base = {**found.facts, **settled(found.facts, healthy), "taken": TAKEN, "seconds": 0.1}
        write(BASE, healthy.name, "lab", None, base, expected(found))
        for scenario in (*HEALTHY[1:], *BROKEN):
            found = server.ask(scenario.script, list(scenario.arguments), folder)
            facts = settled(found.facts, scenario)
            changed = {key: value for key, value in facts.items() if base.get(key) != value}
            gone: dict[str, Any] = {key: None for key in base if key not in facts and key not in NOISE}
            file = "lab-" + re.sub(r"[^a-z0-9]+", "-", scenario.name.lower()).strip("-")
            write(file, scenario.name, "lab", BASE, {**changed, **gone}, expected(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
