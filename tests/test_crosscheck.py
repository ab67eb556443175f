"""The second opinion: which frames are asked about, and what counts as a difference."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from netprobe import analyze, crosscheck
from netprobe.crosscheck import MOST_FRAMES, VERDICTS_OF_A_RULE, Decisive, compare, differences
from netprobe.errors import CannotMeasure
from netprobe.options import AnalyzeOptions
from netprobe.report import Report
from netprobe.report import json as report_json
from netprobe.wire import tshark
from netprobe.wire.tshark import Frames
from tests.test_analyze import save

CAPTURES = Path(__file__).parent.parent / "captures"
SCHEMA = json.loads((Path(report_json.__file__).parent / "schema.json").read_text("utf-8"))

needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="needs tshark (Debian package tshark)")

LADDER = """
    0.0 > S [mss]
    0.1 < RA
    0.2 > S port 40001 to 80 [mss]
    0.3 < icmp 3/13 port 40001 to 80 from 198.51.100.2
    0.4 > S port 40002 to 443 [mss]
    9.0 > S [mss]
    9.1 < SA
    9.2 > A
    9.3 < PA "SSH-2.0-x\\r\\n"
"""


def run(*files: Path, notices: list[str] | None = None, **options: Any) -> Report:
    told = notices if notices is not None else []
    return analyze.run(AnalyzeOptions(files=files, compiled=False, **options), lambda _: None, told.append)


@needs_tshark
@pytest.mark.parametrize(
    "name", ["reject_host_r1-v6", "reject_admin_r1", "no_listener", "forged_filter_before_the_host_and_a_patient_scan"]
)
def test_tshark_agrees_on_the_labs_captures(name: str) -> None:
    path = CAPTURES / f"{name}.pcapng"
    if not path.exists():
        pytest.skip("this capture is not there")
    notices: list[str] = []
    report = run(path, notices=notices, cross_check=True)
    assert report.cross_check is not None
    assert report.cross_check.frames >= 2
    assert report.cross_check.differences == ()
    assert not any("cross-check" in line for line in notices)


@needs_tshark
@pytest.mark.parametrize("link", ["ethernet", "raw", "sll", "sll2", "null", "vlan"])
def test_tshark_agrees_on_every_link(link: str, tmp_path: Path) -> None:
    report = run(save(tmp_path / "one.pcapng", f"link {link}\n{LADDER}"), cross_check=True)
    assert report.cross_check is not None
    assert report.cross_check.frames >= 6
    assert report.cross_check.differences == ()


def seen_by(path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[int, dict[str, Any]]) -> None:
    """Let tshark say what netprobe decoded, with these changes (None: it says nothing of the frame)."""
    own = {number: dict(fields) for number, fields in crosscheck._decoded(path, range(1, 100), 0)}
    for number, fields in changes.items():
        own[number] |= fields
    monkeypatch.setattr(
        tshark, "headers", lambda _path, numbers, _read, _notice: {n: own[n] for n in numbers if own.get(n)}
    )
    monkeypatch.setattr(tshark, "ready", lambda _path: None)


def test_a_difference_is_told_and_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "one.pcapng", LADDER)
    plain = run(path)
    seen_by(path, monkeypatch, {2: {"ttl": 7, "source": "192.0.2.99"}})
    notices: list[str] = []
    report = run(path, notices=notices, cross_check=True)
    assert report.verdicts == plain.verdicts
    assert report.cross_check is not None
    found = {(one.frame, one.field): one for one in report.cross_check.differences}
    assert sorted(found) == [(2, "source"), (2, "ttl")]
    assert found[2, "ttl"].theirs == "7"
    assert any("tshark decodes 1 of" in line for line in notices)
    document = json.loads(report_json.document(report))
    jsonschema.validate(document, SCHEMA)
    assert document["cross_check"]["differences"][0]["file"] == str(path)


def test_what_tshark_does_not_see_is_a_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "one.pcapng", LADDER)
    monkeypatch.setattr(tshark, "headers", lambda *_: {})
    count, found = compare(path, [2, 4], None, lambda _: None)
    assert count == 2
    assert [(one.frame, one.theirs) for one in found] == [(2, "nothing"), (4, "nothing")]


def test_addresses_are_compared_as_addresses_and_short_quotes_as_far_as_they_go() -> None:
    ours = {"source": "::ffff:102:304", "quoted_seq": 7, "ttl": 1}
    assert list(differences("x", 1, ours, {"source": "::ffff:1.2.3.4", "ttl": 1})) == []
    (one,) = differences("x", 1, ours, {"source": "::1", "ttl": 1})
    assert (one.field, one.ours, one.theirs) == ("source", "::ffff:102:304", "::1")
    (one,) = differences("x", 1, ours, {"source": "::ffff:1.2.3.4"})
    assert (one.field, one.theirs) == ("ttl", "nothing")


def test_it_is_bounded() -> None:
    decisive = Decisive()
    wanted = sum(decisive.wants("NP110") for _ in range(10 * VERDICTS_OF_A_RULE))
    assert wanted == VERDICTS_OF_A_RULE
    assert decisive.left_out == 9 * VERDICTS_OF_A_RULE
    decisive.numbers.update(range(MOST_FRAMES))
    assert not decisive.wants("NP111")


def test_a_failure_of_tshark_does_not_cost_the_verdicts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise CannotMeasure("tshark, through pyshark, failed: on purpose", "do without")

    monkeypatch.setattr(tshark, "ready", lambda _: None)
    monkeypatch.setattr(tshark, "headers", fail)
    report = run(save(tmp_path / "one.pcapng", LADDER), cross_check=True)
    assert len(report.verdicts) == 4
    assert report.failure is not None
    assert "on purpose" in report.failure
    assert report.cross_check is None


# --------------------------------------------------------------------------- which attempts a filter means


def filtered(monkeypatch: pytest.MonkeyPatch, numbers: dict[str, list[int]], *files: Path, **options: Any) -> list[int]:
    """The ports of the attempts whose frames include one of these, by file name."""
    monkeypatch.setattr(tshark, "matching", lambda path, *_: Frames(numbers[path.name]))
    return [v.port for v in run(*files, display_filter="anything", **options).verdicts]


@pytest.mark.parametrize(
    ("frame", "ports"), [(1, [22]), (2, [22]), (3, [80]), (4, [80]), (5, [443]), (6, [2222]), (8, [2222]), (99, [])]
)
def test_an_attempt_is_meant_by_any_of_its_packets(
    frame: int, ports: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path / "one.pcapng", LADDER.replace("9.0 > S", "9.0 > S port 40003 to 2222")
                .replace("9.1 < SA", "9.1 < SA port 40003 to 2222").replace("9.2 > A", "9.2 > A port 40003 to 2222")
                .replace("9.3 < PA", "9.3 < PA port 40003 to 2222"))  # fmt: skip
    assert filtered(monkeypatch, {"one.pcapng": [frame]}, path) == ports


def test_two_attempts_with_the_same_ports_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "0 > S [mss]\n0.1 < RA\n100 > S seq 77777 [mss]\n100.1 < RA seq 0 ack 77778"
    path = save(tmp_path / "one.pcapng", text)
    everything = [v.evidence[0].frame for v in run(path).verdicts]
    assert len(everything) == 2
    monkeypatch.setattr(tshark, "matching", lambda *_: Frames([4]))
    (only,) = run(path, display_filter="x").verdicts
    assert only.evidence[0].frame == everything[1]


def test_several_files_one_by_one_and_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = save(tmp_path / "one.pcapng", "0 > S [mss]\n0.1 < RA\n0.2 > S port 40001 to 80 [mss]")
    two = save(tmp_path / "two.pcapng", "0.05 > S port 40002 to 443 [mss]\n0.3 < RA port 40001 to 80")
    numbers = {"one.pcapng": [1], "two.pcapng": [2]}
    assert filtered(monkeypatch, numbers, one, two, together=True) == [22, 80]
    assert filtered(monkeypatch, numbers, one, two) == [22]


def test_a_saved_scan_is_filtered_by_target(monkeypatch: pytest.MonkeyPatch) -> None:
    path = next(path for path in sorted(CAPTURES.glob("*.pcapng")) if len(run(path).verdicts) == 1)
    (verdict,) = run(path).verdicts
    cited = [citation.frame for citation in verdict.evidence]
    assert len(filtered(monkeypatch, {path.name: cited}, path)) == 1
    assert filtered(monkeypatch, {path.name: []}, path) == []


@needs_tshark
def test_the_whole_way(tmp_path: Path) -> None:
    path = save(tmp_path / "one.pcapng", LADDER)
    assert [v.port for v in run(path, display_filter="icmp.code == 13").verdicts] == [80]
    assert [v.cause for v in run(path, display_filter='ssh.protocol contains "SSH-2.0"').verdicts] == ["up"]
    notices: list[str] = []
    assert run(path, display_filter="udp", notices=notices).verdicts == ()
    assert any("what was asked for" in line for line in notices)
