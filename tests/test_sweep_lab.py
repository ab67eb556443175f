"""A sweep over real stacks: every kind of answer, both IP versions, while somebody forges answers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.lab.sweeping import PARTS, Network
from tests.lab.topology import available

pytestmark = [pytest.mark.lab, pytest.mark.skipif(bool(available()), reason=f"no lab: {available()}")]
SHARE = 128


def test_a_sweep_tells_the_truth_of_every_address_while_answers_are_forged() -> None:
    with Network(SHARE) as network:
        blocks = [network.block(part, version) for version in (4, 6) for part in range(len(PARTS))]
        sweep = ["scan", "--sweep", "--yes", "--silent", "--jsonl", "--rate", "4000", "--retries", "2"]
        forging = network.forging(5000, 3.0)
        done = network.run(
            "c", [sys.executable, "-m", "netprobe", *sweep, *blocks], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            cwd=Path(__file__).parent.parent,
        )  # fmt: skip
        forging.join()
        truth = network.truth(4) | network.truth(6)
    *lines, last = (json.loads(line) for line in done.stdout.splitlines())
    found = {line["address"]: line for line in lines}
    assert len(lines) == len(found) == len(truth)
    wrong = {address: (found[address], part) for address, part in truth.items() if not part.holds(found[address])}
    assert not wrong, done.stderr
    looked = Counter(truth[line["address"]].cause for line in lines if line["basis"] == "scan")
    assert sum(looked.values()) == 32  # 16 of each IP version, four by a rule
    assert set(looked.values()) == {8}
    assert last["capture"]["unsolicited"] >= 1000
    assert last["summary"]["verdicts"] == len(truth)
    assert done.returncode == 1
