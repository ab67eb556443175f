"""Records marked SYNs in the lab: `python -m tests.doctor.record_marked` (root) writes facts/watched-*.json and
series/*.json in this folder anew."""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from netprobe.doctor.collect.watching import Counters
from netprobe.doctor.fingerprint.series import STEP_S
from tests.doctor import marked, server
from tests.doctor.marked import SITUATIONS, Situation
from tests.doctor.recorded import FOLDER

SERIES = Path(__file__).parent / "series"
# Findings besides ND601 belong to what else is known of the base, a healthy server.
STATUS = {"accepted": 0}
REASONS = {"reset-by-stack": ["port-closed"], "queue-full": ["daemon-down"], "reply-lost": []}
PARTLY = {"limited": ["firewall"]}


def name_of(situation: Situation) -> str:
    """`watched-reset-by-a-rule`."""
    return "watched-" + re.sub(r"\W+", "-", situation.name)


def facts_of(situation: Situation, watch: dict[str, Any]) -> str:
    """A case: a healthy server, but for what the counters showed."""
    ruled_in = [] if situation.fate in {"accepted", "limited"} else REASONS.get(situation.fate, ["firewall"])
    expect = {
        "findings": [] if situation.fate == "accepted" else ["ND601"] * len(watch["heard"]),
        "ruled_in": ruled_in,
        "partly": PARTLY.get(situation.fate, []),
        "unknown": ["ND412"],
        "status": STATUS.get(situation.fate, 1),
    }
    about = f"marked SYNs: {situation.name}"
    document = {"about": about, "origin": "lab", "base": "lab", "facts": {"watch": watch}, "expect": expect}
    return json.dumps(document, indent=1) + "\n"


def sample(seconds: float) -> None:
    """Print the counters of this namespace as a series: names, times, and which moved when by how much."""
    counters = Counters()
    began = time.monotonic()
    times: list[int] = []
    changes: list[tuple[int, list[tuple[int, int]]]] = []
    before = counters.read()
    while (now := time.monotonic() - began) < seconds:
        values = counters.read()
        moved = [(at, new - old) for at, (new, old) in enumerate(zip(values, before, strict=True)) if new != old]
        if moved:
            changes.append((len(times), moved))
        times.append(round(now * 1000))
        before = values
        time.sleep(STEP_S)
    print(json.dumps({"names": counters.names, "times_ms": times, "changes": changes}))


def series_of(situation: Situation, folder: Path) -> str:
    """A series from the lab, with the fates that belong to it."""
    text = marked.sampled(situation, folder, traffic=10)
    fates = {4: situation.fate, 6: situation.fate}
    return json.dumps({"about": situation.name, "fates": fates, **json.loads(text)}, separators=(",", ":")) + "\n"


def main() -> int:
    """Record all of them."""
    if sys.argv[1:2] == ["sample"]:
        sample(float(sys.argv[2]))
        return 0
    if why := server.available():
        print(why, file=sys.stderr)
        return 3
    SERIES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(5) as pool:
        folder = Path(name)

        def one(situation: Situation) -> str:
            seen = marked.run(situation, folder / name_of(situation), root=True)
            (FOLDER / f"{name_of(situation)}.json").write_text(facts_of(situation, seen.facts["watch"]), "ascii")
            text = series_of(situation, folder / f"{name_of(situation)}-series")
            (SERIES / f"{name_of(situation).removeprefix('watched-')}.json").write_text(text, "ascii")
            return situation.name

        for done in pool.map(one, SITUATIONS):
            print(done, file=sys.stderr)
    return 0


if __name__ == "__main__":
    os.umask(0o022)
    sys.exit(main())
