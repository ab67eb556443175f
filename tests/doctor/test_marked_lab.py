"""Marked SYNs for real: every fate, both IP versions, alone and amid other traffic, as root and as nobody."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.doctor import marked, server
from tests.doctor.marked import BY_NAME, SITUATIONS, Seen

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(bool(server.available()), reason=server.available() or "available"),
]
# (situation, as root, other connections a second)
RUNS = [
    (one.name, root, traffic)
    for one in SITUATIONS
    for root, traffic in ((True, 0), (False, 0), (True, 50), (False, 50))
]
AT_ONCE = 6  # they sleep most of the time
UNSURE = {"", "unsure"}


@pytest.fixture(scope="module")
def runs(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[tuple[str, bool, int], Future[Seen]]]:
    """All that were chosen, some at the same time."""
    items = [
        item for item in request.session.items if isinstance(item, pytest.Function) and "runs" in item.fixturenames
    ]
    chosen = {item.callspec.params["one"] for item in items}
    folder = tmp_path_factory.mktemp("marked")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {
            one: pool.submit(marked.run, BY_NAME[one[0]], folder / f"{at}", root=one[1], traffic=one[2])
            for at, one in enumerate(RUNS)
            if one in chosen
        }


@pytest.mark.parametrize("one", RUNS, ids=lambda one: f"{one[0]}, {'root' if one[1] else 'nobody'}, {one[2]} a second")
def test_what_the_marked_syns_meet(one: tuple[str, bool, int], runs: dict[tuple[str, bool, int], Future[Seen]]) -> None:
    seen = runs[one].result()
    situation = BY_NAME[one[0]]
    for family in (4, 6):
        word, certain = seen.fate(family)
        if one[2] and (not one[1] or situation.fate == "never-arrived"):
            # Amid other traffic plain connections may not stand out, nor their absence: then that is said.
            assert word in {situation.fate, *UNSURE}, (family, seen.document["watch"])
            assert not (word in UNSURE and certain)
        else:
            assert word == situation.fate, (family, seen.document["watch"], seen.scan)
        if one[1] and not one[2]:
            assert certain, (family, seen.document["watch"])
    results = [each for each in seen.document["results"] if each["check"] == "ND601" and each["status"] != "unknown"]
    assert all(tuple(each["causes"]) == situation.causes for each in results)
    assert "marked SYNs to" in seen.scan


def test_a_scan_counts_with_what_was_watched(tmp_path: Path) -> None:
    """The server's user is nobody, to whom no firewall is shown: only the counters can tell."""
    scan = f"{marked.NETPROBE} scan --json --no-elsewhere -4 --doctor /run/out/facts.json {marked.NAME}"
    after = f"ip netns exec far {scan} > '{tmp_path}/joined' || true"
    marked.run(BY_NAME["dropped"], tmp_path, root=False, after=after)
    (verdict,) = json.loads((tmp_path / "joined").read_text())["verdicts"]
    assert (verdict["cause"], verdict["certainty"]) == ("dropped", "certain")
    assert any("ND601" in line for line in verdict["because"])
