"""The command: options, exit codes, saved facts, and files that hold none."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netprobe.cli import run
from netprobe.cli.doctor import _looking
from netprobe.doctor.collect import Machine
from netprobe.doctor.diagnose import diagnose
from netprobe.doctor.saved import BadFacts, dump, load
from netprobe.report import doctor_json
from netprobe.report.doctor import render
from tests.doctor import recorded


def facts_of(name: str, folder: Path) -> str:
    """A recorded case as a file that --from reads."""
    path = folder / f"{name}.json"
    path.write_text(dump(recorded.case(name).facts))
    return str(path)


@pytest.mark.parametrize(
    ("name", "status"), [("debian", 0), ("masked", 1), ("disabled", 1), ("user", 3), ("hung-nft", 3)]
)
def test_exit_codes(name: str, status: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--from", facts_of(name, tmp_path)]) == status
    said = capsys.readouterr()
    assert "daemon down" in said.out
    assert said.err == ""


def test_json_of_saved_facts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--from", facts_of("masked", tmp_path), "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "netprobe-doctor/1"
    assert document["results"][0]["check"] == "ND102"


def test_another_port_may_be_asked_of_saved_facts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--from", facts_of("debian", tmp_path), "--port", "2222"]) == 1
    assert "SSH listens on port 22, not on 2222." in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ["--port", "0"],
        ["--port", "65536"],
        ["--source", "server.example.com"],
        ["--user", ""],
        ["--user", "-x"],
        ["-q", "-v"],
        ["--color", "purple"],
        ["--from", "x", "--user", "alice"],
    ],
)
def test_usage(arguments: list[str]) -> None:
    assert run(["doctor", *arguments]) == 2


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"schema": "netprobe/1"}', "[" * 100_000])
def test_files_without_facts(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "facts.json"
    path.write_text(text)
    assert run(["doctor", "--from", str(path)]) == 3
    assert "facts" in capsys.readouterr().err


def test_files_that_are_not_there_or_not_text(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    assert run(["doctor", "--from", str(tmp_path / "none")]) == 3
    assert run(["doctor", "--from", str(tmp_path / "binary")]) == 3


def test_saving_where_nothing_can_be_saved(tmp_path: Path) -> None:
    assert run(["doctor", "--from", facts_of("debian", tmp_path), "--facts", str(tmp_path / "no" / "file")]) == 3


def test_what_is_not_known_is_left_out(tmp_path: Path) -> None:
    text = json.loads(dump(recorded.case("debian").facts))
    text["from_a_later_version"] = 1
    assert load(json.dumps(text)) == recorded.case("debian").facts


SCRAPS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(["debian", "ubuntu", "user", "lab-nft-drop", "home-hidden"]), st.data())
def test_no_file_makes_doctor_raise(name: str, data: st.DataObject) -> None:
    """Fields of the right and of the wrong shape: either a clear error, or a report."""
    document = json.loads(dump(recorded.case(name).facts))
    field = data.draw(st.sampled_from(sorted(document)))
    document[field] = data.draw(SCRAPS)
    told(document)


ODD = {
    str: st.sampled_from(
        ["", "x", "::", "0.0.0.0/0", "300.1.2.3", "1.2.3.4/99", "fe80::1%eth0", "[::]:22", "a:b", "*", "-1"]
    )
    | st.text(max_size=12),
    int: st.integers(min_value=-(1 << 70), max_value=1 << 70),
    bool: st.booleans(),
    float: st.floats(allow_nan=False, allow_infinity=False),
}


@given(st.sampled_from(recorded.names()), st.data())
def test_no_odd_value_makes_doctor_raise(name: str, data: st.DataObject) -> None:
    """Values of the right type that mean nothing."""
    document = json.loads(dump(recorded.case(name).facts))
    leaves = list(values(document))
    for _ in range(3):
        holder, key = data.draw(st.sampled_from(leaves))
        holder[key] = data.draw(ODD.get(type(holder[key]), st.none()))
    told(document)


def values(holder: Any) -> Iterator[tuple[Any, Any]]:
    """(list or object, place) of each value that is neither."""
    for key, value in holder.items() if isinstance(holder, dict) else enumerate(holder):
        if isinstance(value, dict | list):
            yield from values(value)
        else:
            yield holder, key


def told(document: Any) -> None:
    """Either a clear error, or a report."""
    try:
        facts = load(json.dumps(document))
    except BadFacts:
        return
    found = diagnose(facts)
    assert render(found, width=80, verbosity=2)
    assert doctor_json.document(found)


@given(st.text(max_size=30))
def test_hostile_text_stays_harmless(text: str) -> None:
    document = json.loads(dump(recorded.case("lab-bad-configuration").facts))
    document["config_test"]["said"] = [text]
    document["account"]["name"] = text
    document["listeners"] = [{"family": 4, "address": "0.0.0.0", "port": 22, "program": text, "pid": 1}]
    shown = render(diagnose(load(json.dumps(document))), width=80, verbosity=2)
    assert all(line.isprintable() for line in shown.split("\n"))


def test_what_doctor_waits_for_is_told() -> None:
    machine = Machine()
    assert re.fullmatch(r"looking at this machine, 3 s, at most \d+ s left", _looking(machine, 3.0))
    with subprocess.Popen(["/bin/sh", "-c", "read x"], stdin=subprocess.PIPE) as process:
        machine.running.add(process)
        assert _looking(machine, 3.0).startswith("looking at this machine: sh, 3 s, at most ")
        assert process.stdin is not None
        process.stdin.close()
