"""The pytest plugin in a project of somebody else: what is collected, what a failure says, what a run pays for it."""

from __future__ import annotations

import shutil
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import pytest

from netprobe import analyze, pytest_plugin
from netprobe.replay import cases, compare, render

pytest_plugins = ("pytester",)
# A run inside of this one forgets what it imported, and NumPy can't be imported twice: so it is there before.
PRESENT = (np, analyze, compare, render)

CAPTURES = Path(__file__).resolve().parents[1] / "captures"
GOOD = '[[expect]]\nserver = "203.0.113.47:22"\ncause = "reset-by-host-firewall"\n'
BAD = GOOD.replace("reset-by-host-firewall", "no-listener")
# In the other project: fails when something heavy was loaded by the time that everything is collected.
LIGHT = """\
import sys

def pytest_collection_finish(session):
    heavy = {"numpy", "scapy", "pyshark", "numba", "netprobe.analyze", "netprobe.rules", "netprobe.tracker"}
    assert not heavy & set(sys.modules), heavy & set(sys.modules)
    assert "netprobe.replay" not in sys.modules
"""


def pair(folder: Path, name: str, case: str) -> None:
    """A capture with its case."""
    folder.mkdir(exist_ok=True, parents=True)
    shutil.copy(CAPTURES / "reset_host.pcapng", folder / f"{name}.pcapng")
    (folder / f"{name}.toml").write_text(case, "utf-8")


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """A project with a passing and a failing capture and files that are nobody's business."""
    pair(pytester.path / "captures", "gate", GOOD)
    pair(pytester.path / "captures" / "deep", "ridge", BAD)
    for name in ("pyproject.toml", "captures/other.toml", "captures/pyproject.toml"):
        (pytester.path / name).write_text("", "utf-8")
    (pytester.path / "captures" / "broken.toml").write_text("no [[ toml", "utf-8")
    (pytester.path / "captures" / "alone.pcapng").write_bytes(b"junk")
    pytester.makepyfile(test_one="def test_plain(): pass")
    return pytester


def test_the_entry_point_is_installed() -> None:
    assert [one.value for one in entry_points(group="pytest11") if one.name == "netprobe"] == ["netprobe.pytest_plugin"]


def test_both_know_the_same_names() -> None:
    assert set(pytest_plugin.SUFFIXES) == set(cases.SUFFIXES)


def test_pairs_are_collected_and_nothing_else(project: pytest.Pytester) -> None:
    result = project.runpytest("--collect-only", "-q", "--strict-markers")
    collected = [line for line in result.outlines if "::" in line]
    assert sorted(collected) == [
        "captures/deep/ridge.toml::replay",
        "captures/gate.toml::replay",
        "test_one.py::test_plain",
    ]
    assert result.ret == 0


def test_a_failure_is_a_report_and_no_traceback(project: pytest.Pytester) -> None:
    result = project.runpytest()
    result.assert_outcomes(passed=2, failed=1)
    out = result.stdout.str()
    result.stdout.fnmatch_lines(
        [
            "*capture: ridge*",
            "expected no-listener, found reset-by-host-firewall",
            "  203.0.113.47:22 from 192.0.2.11:44116",
            "  ! cause  no-listener  reset-by-host-firewall",
            "[*]*  0.000577  44116 <-- RST,ACK ---- 22     ttl 62 tos 0x00",
            "FAILED captures/deep/ridge.toml::replay - expected no-listener, found *",
        ]
    )
    assert "Traceback" not in out
    assert "compare.py" not in out


@pytest.mark.parametrize(
    ("arguments", "outcomes"),
    [
        (("-k", "gate"), {"passed": 1, "deselected": 2}),
        (("-k", "ridge"), {"failed": 1, "deselected": 2}),
        (("-m", "netprobe"), {"passed": 1, "failed": 1, "deselected": 1}),
        (("-m", "not netprobe"), {"passed": 1, "deselected": 2}),
        (("captures/gate.toml",), {"passed": 1}),
        (("captures/gate.toml::replay",), {"passed": 1}),
        (("captures",), {"passed": 1, "failed": 1}),
        (("-p", "no:netprobe"), {"passed": 1}),
    ],
)
def test_pytest_s_own_options_work(
    project: pytest.Pytester, arguments: tuple[str, ...], outcomes: dict[str, int]
) -> None:
    project.runpytest(*arguments, "--strict-markers").assert_outcomes(**outcomes)


def test_verbose_names_the_cases_and_gives_reasons(project: pytest.Pytester) -> None:
    result = project.runpytest("-v", "captures")
    result.stdout.fnmatch_lines_random(["captures/gate.toml::replay PASSED*", "*because  the reset has DSCP 0*"])


def test_last_failed_runs_the_failing_capture_again(project: pytest.Pytester) -> None:
    project.runpytest("-p", "cacheprovider")
    result = project.runpytest("-p", "cacheprovider", "--lf", "-v")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["captures/deep/ridge.toml::replay FAILED*"])


def test_xdist_shares_the_captures_out(project: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    for n in range(4):
        pair(project.path / "captures", f"more{n}", GOOD)
    project.runpytest_subprocess("-n", "2").assert_outcomes(passed=6, failed=1)


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("no [[ toml", "*gate.toml is not TOML*"),
        ("colour = 1\n", "*gate.toml: unknown key colour*"),
        (GOOD + "state = 'opne'\n", "*write one of open, closed, filtered, unknown*"),
    ],
)
def test_a_case_that_is_none_fails_with_one_line(pytester: pytest.Pytester, case: str, words: str) -> None:
    pair(pytester.path, "gate", case)
    result = pytester.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([words])
    assert "Traceback" not in result.stdout.str()


def test_a_capture_that_is_none_fails_with_one_line(pytester: pytest.Pytester) -> None:
    pair(pytester.path, "gate", GOOD)
    (pytester.path / "gate.pcapng").write_bytes(b"junk")
    result = pytester.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*gate.pcapng is not a capture*"])


@pytest.mark.parametrize("pairs", [False, True], ids=["without pairs", "with a pair"])
def test_collecting_loads_nothing_heavy(pytester: pytest.Pytester, pairs: bool) -> None:
    pytester.makeconftest(LIGHT)
    pytester.makepyfile(test_one="def test_plain(): pass")
    (pytester.path / "unrelated.toml").write_text("x = 1\n", "utf-8")
    if pairs:
        pair(pytester.path, "gate", GOOD)
    result = pytester.runpytest_subprocess("--collect-only", "-q")
    assert result.ret == 0, result.stdout.str()
    assert ("gate.toml::replay" in result.stdout.str()) is pairs
