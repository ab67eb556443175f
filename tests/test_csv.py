"""CSV as RFC 4180 has it, harmless in a spreadsheet."""

from __future__ import annotations

import csv as reader
import re
from io import StringIO
from pathlib import Path

import pytest

from netprobe.model import Origin, OriginKind, Service
from netprobe.report import csv, json
from tests.samples import HOSTILE, a_hostile_verdict, a_verdict, an_up_verdict

DOCUMENT = Path(__file__).parent.parent / "docs" / "analyze.md"


def parsed(text: str) -> list[dict[str, str]]:
    """What a reader makes of it."""
    return list(reader.DictReader(StringIO(csv.header() + text, newline="")))


def test_every_column_has_its_value() -> None:
    (row,) = parsed(csv.line(a_verdict()))
    assert row["time"] == "2025-11-21T01:53:20.123456789Z"
    assert (row["frame"], row["frames"]) == ("4", "4")
    assert (row["client_address"], row["client_port"]) == ("192.0.2.2", "40112")
    assert (row["address"], row["port"], row["state"], row["reason"]) == ("203.0.113.5", "22", "closed", "reset")
    assert (row["cause"], row["certainty"], row["rule"]) == ("reset-by-host-firewall", "certain", "NP112")
    assert (row["origin"], row["origin_address"], row["origin_hop"]) == ("target", "203.0.113.5", "3")
    assert (row["rtt_ms"], row["attempts"], row["or_it_is"]) == ("0.412", "3", "no-listener")
    assert "; " in row["because"]


def test_what_does_not_apply_is_empty() -> None:
    bare = an_up_verdict(client=None, evidence=(), origin=Origin(OriginKind.UNKNOWN), rtt_ms=None, service=Service())
    (row,) = parsed(csv.line(bare))
    for name in ("time", "frame", "client_address", "origin_address", "origin_near", "rtt_ms", "service", "frames"):
        assert row[name] == ""


def test_lines_end_as_the_rfc_says_and_have_as_many_cells_as_the_header() -> None:
    text = csv.header() + csv.line(a_verdict()) + csv.line(a_hostile_verdict())
    assert text.count("\r\n") == 3
    assert text.replace("\r\n", "").isprintable()
    assert {len(row) for row in reader.reader(StringIO(text, newline=""))} == {len(csv.COLUMNS)}


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0d"])
def test_no_cell_is_a_formula(start: str) -> None:
    (row,) = parsed(csv.line(an_up_verdict(target=f"{start}cmd|' /C calc'!A0", service=Service("ssh", f"{start}1+1"))))
    for name in ("target", "identification"):
        assert row[name].startswith("'")
        assert not row[name].startswith(("'\t", "'\r", "'\n"))


def test_quotes_and_commas_come_back() -> None:
    (row,) = parsed(csv.line(a_verdict(because=('it said "no, never"',))))
    assert row["because"] == 'it said "no, never"'


def test_hostile_text_is_harmless() -> None:
    (row,) = parsed(csv.line(a_verdict(notes=(HOSTILE,))))
    assert row["notes"].isprintable()


def test_json_lines_become_the_same_csv() -> None:
    verdicts = [a_verdict(), an_up_verdict(), a_hostile_verdict()]
    together = "".join(json.line(verdict) for verdict in verdicts).encode("ascii")
    assert csv.lines(together) == "".join(csv.line(verdict) for verdict in verdicts)


def test_the_document_names_every_column() -> None:
    named = re.findall(r"^\| `([a-z_`, ]+)` \|", DOCUMENT.read_text("utf-8").split("## CSV")[1], re.MULTILINE)
    columns = [name.strip("` ") for cell in named for name in cell.split(",")]
    assert columns == list(csv.COLUMNS)
