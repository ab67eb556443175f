"""A replay as JUnit XML: every case, whatever became of it, and a whole file also where the replay ended early."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netprobe.cli import run as main
from netprobe.report import junit
from tests.samples import HOSTILE

CAPTURES = Path(__file__).parent.parent / "captures"
KNOWN = {
    "testsuites": {"name", "tests", "failures", "errors", "skipped", "time"},
    "testsuite": {"name", "tests", "failures", "errors", "skipped", "time", "timestamp"},
    "testcase": {"classname", "name", "time"},
    "failure": {"message", "type"},
    "error": {"message", "type"},
    "skipped": {"message"},
    "system-out": set(),
}


def check(text: str) -> ET.Element:
    """The testsuite; AssertionError where a reader of the format would stumble."""
    assert all(c == "\n" or c.isprintable() for c in text)
    root = ET.fromstring(text)
    assert root.tag == "testsuites"
    for element in root.iter():
        assert set(element.attrib) <= KNOWN[element.tag]
    (suite,) = root
    cases = suite.findall("testcase")
    counts = {"tests": len(cases), "failures": 0, "errors": 0, "skipped": 0}
    for case in cases:
        assert [one.tag for one in case][1:] in ([], ["system-out"])
        for one, plural in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
            counts[plural] += case.find(one) is not None
    for holder in (root, suite):
        assert {name: int(holder.attrib[name]) for name in counts} == counts
    return suite


def copy_case(name: str, folder: Path) -> Path:
    for suffix in (".toml", ".pcapng"):
        shutil.copy(CAPTURES / f"{name}{suffix}", folder)
    return folder / f"{name}.toml"


def test_passed_failed_and_bad_cases(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "cases"
    folder.mkdir()
    copy_case("ack_drop_r2-server", folder)
    failing = copy_case("ack_drop_r2", folder)
    failing.write_text(failing.read_text("utf-8").replace('"handshake-blocked"', '"dropped"'), "utf-8")
    bad = copy_case("drop_r2", folder)
    bad.write_text("nonsense = 5\n", "utf-8")
    out = tmp_path / "junit.xml"
    assert main(["replay", "--junit", str(out), str(folder)]) == 2
    assert "expected dropped, found handshake-blocked" in capsys.readouterr().out
    cases = {case.attrib["name"]: case for case in check(out.read_text("utf-8")).iter("testcase")}
    assert {case.attrib["classname"] for case in cases.values()} == {str(folder)}
    (said,) = cases["ack_drop_r2-server"]
    assert said.text is not None
    assert re.fullmatch(r"\S+:22 \w+ \S+ handshake-blocked \w+ NP\d+", said.text.splitlines()[0])
    failure, found = cases["ack_drop_r2"]
    assert "handshake-blocked" in (found.text or "")
    assert (failure.tag, failure.attrib["type"]) == ("failure", "failed")
    assert failure.attrib["message"] == "expected dropped, found handshake-blocked"
    assert "! cause" in (failure.text or "")
    (error,) = cases["drop_r2"]
    assert (error.tag, error.attrib["type"]) == ("error", "bad-case")


def test_the_only_case_can_not_be_replayed(tmp_path: Path) -> None:
    bad, out = tmp_path / "bad.toml", tmp_path / "junit.xml"
    bad.write_text("x = 1\n", "utf-8")
    assert main(["replay", "--junit", str(out), str(bad)]) == 2
    (case,) = check(out.read_text("utf-8")).iter("testcase")
    assert "unknown key x" in case[0].attrib["message"]


def test_an_interrupt_ends_in_a_whole_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from netprobe.replay import compare

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(compare, "replay", interrupt)
    out = tmp_path / "junit.xml"
    assert main(["replay", "--junit", str(out), str(copy_case("ack_drop_r2", tmp_path))]) == 130
    check(out.read_text("utf-8"))


def test_what_can_not_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = str(copy_case("ack_drop_r2", tmp_path))
    assert main(["replay", "--junit", "-", case]) == 2
    assert main(["replay", "--junit", "/nowhere/junit.xml", case]) == 3
    assert main(["replay", "--junit", "/dev/full", case]) == 3
    assert "/dev/full can't be written" in capsys.readouterr().err


@given(st.text(), st.sampled_from([None, junit.FAILURE, junit.ERROR, junit.SKIPPED]))
def test_any_text_gives_a_whole_file(text: str, trouble: str | None) -> None:
    for said in (text, HOSTILE):
        case = junit.Tried(group=said, name=said, kind=said, took_s=0.1, trouble=trouble, headline=said, text=said)
        check("".join(junit.document([case], started_ns=5, took_s=1)))
