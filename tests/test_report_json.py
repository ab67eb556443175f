"""The JSON forms: the schema holds for every output, times are exact, hostile text stays text."""

from __future__ import annotations

import json
from decimal import Decimal
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from netprobe.model import Citation, Mode
from netprobe.report import CaptureStatus, Report
from netprobe.report.json import document, line, summary_line, timestamp
from tests.samples import HOSTILE, STARTED_NS, a_hostile_verdict, a_report, a_verdict, an_up_verdict

SCHEMA: dict[str, Any] = json.loads(files("netprobe.report").joinpath("schema.json").read_text("utf-8"))
REPORTS = [
    a_report(),
    a_report(a_verdict(), an_up_verdict()),
    a_report(a_verdict(address=None, client=None, reason_ttl=None, rtt_ms=None, path=(), evidence=())),
    a_report(a_verdict(notes=("a note",)), interrupted=True, failure="-w: disk full", mode=Mode.CONNECT),
    a_report(a_hostile_verdict(), command="analyze", mode=Mode.CAPTURE, capture=CaptureStatus(damage=(HOSTILE,))),
]


def check(value: object, definition: str | None = None) -> None:
    """Valid by the schema, or by one definition in it."""
    schema = SCHEMA if definition is None else {"$ref": f"#/$defs/{definition}", "$defs": SCHEMA["$defs"]}
    Draft202012Validator(schema).validate(value)


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("report", REPORTS)
def test_every_output_fits_the_schema(report: Report) -> None:
    check(json.loads(document(report)))
    check(json.loads(summary_line(report)), "summary_line")
    for verdict in report.verdicts:
        check(json.loads(line(verdict)), "verdict")


def _unknown_keys(value: Any, schema: dict[str, Any], where: str = "") -> list[str]:
    """Keys of `value` that the schema doesn't know: the schema must keep up with the output."""
    if "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
    if isinstance(value, list):
        return [key for item in value for key in _unknown_keys(item, schema.get("items", {}), where)]
    if not isinstance(value, dict) or "properties" not in schema:
        return []
    unknown = [f"{where}.{key}" for key in value if key not in schema["properties"]]
    return unknown + [
        key
        for name, item in value.items()
        for key in _unknown_keys(item, schema["properties"].get(name, {}), f"{where}.{name}")
    ]


@pytest.mark.parametrize("report", REPORTS)
def test_the_schema_names_every_key(report: Report) -> None:
    assert _unknown_keys(json.loads(document(report)), SCHEMA) == []
    assert _unknown_keys(json.loads(summary_line(report)), SCHEMA) == []


def test_the_document_is_that_of_the_interface() -> None:
    found = json.loads(document(a_report(a_verdict(), an_up_verdict())))
    assert (found["schema"], found["command"], found["mode"]) == ("netprobe/1", "scan", "raw")
    assert (found["started"], found["finished"]) == ("2025-11-21T01:53:20.123456789Z", "2025-11-21T01:53:21.623456789Z")
    assert found["summary"] == {"verdicts": 2, "by_cause": {"reset-by-host-firewall": 1, "up": 1}}
    assert found["capture"] == {"packets": 42, "dropped": 0, "unsolicited": 1, "damage": []}
    first, second = found["verdicts"]
    assert first["client"] == {"address": "192.0.2.2", "port": 40112}
    assert first["origin"] == {"kind": "target", "address": "203.0.113.5", "hop": 3, "between": None}
    assert first["path"][1] == {"hop": 2, "address": None, "rtt_ms": None, "reason": "no-response"}
    assert first["rtt_ms"] == 0.412
    assert (first["state"], first["service"]) == ("closed", None)
    assert second["service"] == {"protocol": "ssh", "identification": "SSH-2.0-OpenSSH_9.2p1"}
    assert "notes" not in first
    assert "interrupted" not in found


@given(st.integers(0, 2**63))
def test_times_are_exact(time_ns: int) -> None:
    verdict = a_verdict(evidence=(Citation(1, time_ns, '"time": 5, \\"time": 6'),))
    cited = json.loads(line(verdict), parse_float=Decimal)["evidence"][0]
    assert cited["time"] == Decimal(time_ns) / 1_000_000_000
    assert cited["what"] == '"time": 5, \\"time": 6'


def test_a_time_is_written_with_all_its_digits() -> None:
    assert '"time": 1763690000.123456789' in line(a_verdict())
    assert '"time": 0.000000007' in line(a_verdict(evidence=(Citation(1, 7, "x"),)))
    assert timestamp(STARTED_NS) == "2025-11-21T01:53:20.123456789Z"


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_text_comes_back_as_it_was(text: str) -> None:
    written = line(a_verdict(because=(text,)))
    assert json.loads(written)["because"] == [text]
    assert written.isascii()
    assert all(character.isprintable() for character in written[:-1])


@given(st.text(st.sampled_from('\\u\ud800\udfff\U0001f600d8"a/')))
def test_lone_surrogates_become_escapes(text: str) -> None:
    found = json.loads(line(a_verdict(because=(text,))))["because"][0]
    found.encode("utf-8")
    assert found == "".join(f"\\u{ord(one):04x}" if "\ud800" <= one <= "\udfff" else one for one in _paired(text))


def _paired(text: str) -> str:
    """Two halves side by side are one character to every JSON reader."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def test_lines_are_lines() -> None:
    for text in (line(a_hostile_verdict()), summary_line(REPORTS[-1])):
        assert text.endswith("\n")
        assert text.count("\n") == 1
