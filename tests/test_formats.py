"""The same verdicts in every format: each capture of the repository through all of them and back."""

from __future__ import annotations

import csv as csv_reader
import ipaddress
import json as json_reader
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netprobe import analyze
from netprobe.errors import NetprobeError
from netprobe.model import Service, Verdict
from netprobe.options import AnalyzeOptions
from netprobe.report import Report, comments, csv, junit, nmap_xml, overview, table, zeek
from netprobe.report import json as report_json
from netprobe.report.html import page
from netprobe.report.html.attempts import Attempts
from netprobe.report.summary import Summary
from netprobe.wire.writer import comment_text
from tests import conn_log, nmap_document
from tests.samples import HOSTILE, a_hostile_verdict, a_report, a_verdict

jsonschema = pytest.importorskip("jsonschema")

ROOT = Path(__file__).parent.parent
CAPTURES = sorted((ROOT / "captures").rglob("*.pcapng"))
DTD = Path("/usr/share/nmap/nmap.dtd")
SCHEMA = json_reader.loads((ROOT / "netprobe" / "report" / "schema.json").read_text("utf-8"))
Found = Counter[tuple[str, ...]]
# The SSH banner that went raw to the terminal through tshark -T fields, nc, tabulate and rich.
BANNER = "SSH-2.0-\x1b]0;owned\x07\x1b[31mred\x9b31m<script>alert(1)</script>=cmd|'/C calc'!A0[red][/nope]\u202egnp.exe"


class Forms(NamedTuple):
    """One run in all formats."""

    report: Report
    document: str
    lines: str
    csv: str
    xml: str
    zeek: str
    junit: str
    attempts: Attempts

    @property
    def html(self) -> str:
        """The page: a twentieth of a second goes into its template."""
        return "".join(page.render(self.report, self.attempts, {"netprobe": "1"}))


@cache
def validator() -> Any:
    return jsonschema.Draft202012Validator(SCHEMA)


def in_all_forms(report: Report, told: list[tuple[str, zeek.Tally | None]], attempts: Attempts | None = None) -> Forms:
    """What the commands write of a run; `told`: its verdicts as they came; `attempts`: the same, packed for a page."""
    hosts = nmap_xml.Hosts()
    for line, _ in told:
        hosts.add(line)
    if attempts is None:
        attempts = Attempts()
        for line, _ in told:
            attempts.line(line)
    case = junit.Tried(group="captures", name="one", kind="passed", took_s=1.0, verdicts=report.verdicts)
    return Forms(
        report,
        report_json.document(report),
        "".join(line for line, _ in told) + report_json.summary_line(report),
        csv.header() + "".join(csv.lines(line.encode("ascii")) for line, _ in told),
        "".join(hosts.document(report, "netprobe analyze")),
        zeek.header("2026-01-01-00-00-00")
        + "".join(zeek.line(line, tally) for line, tally in told)
        + zeek.footer("2026-01-01-00-00-00"),
        "".join(junit.document([case], started_ns=1, took_s=1.0)),
        attempts,
    )


def run(path: Path) -> Forms:
    told: list[tuple[str, zeek.Tally | None]] = []
    outlets = analyze.Outlets(also=lambda line, tally: told.append((line, tally)))
    attempts = Attempts()
    options = AnalyzeOptions(files=(path,))
    return in_all_forms(analyze.run(options, lambda _: None, lambda _: None, outlets, attempts), told, attempts)


def of_json(verdicts: list[Mapping[str, Any]]) -> Found:
    """Address, port, state, reason, cause, certainty and rule, counted."""
    found: Found = Counter()
    for v in verdicts:
        place = (v["address"], str(v["port"])) if v["address"] else ("", "")
        found[(*place, *(v[word] for word in ("state", "reason", "cause", "certainty", "rule")))] += 1
    return found


def of_csv(text: str) -> Found:
    rows = csv_reader.DictReader(StringIO(text, newline=""))
    words = ("state", "reason", "cause", "certainty", "rule")
    return Counter((r["address"], r["port"] if r["address"] else "", *(r[w] for w in words)) for r in rows)


def of_zeek(text: str) -> Found:
    words = [f"netprobe_{w}" for w in ("state", "reason", "cause", "certainty", "rule")]
    found: Found = Counter()
    for row in conn_log.read(text).rows:
        address = str(row["id.resp_h"] or "")
        found[address, str(row["id.resp_p"]) if address else "", *(str(row[w]) for w in words)] += 1
    return found


def of_junit(text: str) -> Found:
    found: Found = Counter()
    for line in ET.fromstring(text).findtext(".//system-out", "").splitlines():
        server, *words = line.split(" ")
        address, _, port = server.rpartition(":")
        found[(address.strip("[]"), port, *words) if _is_address(address) else ("", "", *words)] += 1
    return found


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return False
    return True


def of_html(text: str) -> Found | None:
    """Of the data that the page's list is made of; None where it has no list."""
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    if data is None:
        return None
    found = json_reader.loads(data[1])
    verdicts = []
    for row in found["rows"].splitlines():
        kind, place, whose, *rest = row.split(" ")
        values = [*found["servers"][int(place)].split(" "), found["clients"][int(whose)], *rest]
        pieces, gaps = found["templates"][int(kind)]["p"], found["templates"][int(kind)]["g"]
        line = pieces[0] + "".join(values[gap] + piece for gap, piece in zip(gaps, pieces[1:], strict=True))
        verdicts.append(json_reader.loads(line))
    return of_json(verdicts)


def told_in_cards(text: str) -> list[tuple[str, str, str]]:
    """State, reason and rule of each verdict that a page without a list tells."""
    heads = re.findall(r'<span class="tag \w+">(\w+)</span>.*?\brule (\w+), reason ([\w-]+)', text, re.DOTALL)
    return sorted((state, reason, rule) for state, rule, reason in heads)


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_the_same_verdicts_in_all(path: Path) -> None:
    try:
        forms = run(path)
    except NetprobeError:
        pytest.skip("can't be read at all")
    document = json_reader.loads(forms.document)
    validator().validate(document)
    *lines, last = [json_reader.loads(line) for line in forms.lines.splitlines()]
    validator().validate({**last, "verdicts": lines})
    expected = of_json(document["verdicts"])
    assert expected.total() == len(forms.report.verdicts)
    assert of_json(lines) == expected
    assert of_csv(forms.csv) == expected
    assert nmap_document.verdicts(nmap_document.check(forms.xml)) == expected
    assert of_zeek(forms.zeek) == expected
    assert of_junit(forms.junit) == expected
    packed = forms.attempts
    assert of_json([packed.verdict(row) for row in range(len(packed.rows))]) == expected
    if len(packed.rows) > 3:
        assert of_html(forms.html) == expected
    elif CAPTURES.index(path) % 5 == 0:
        assert told_in_cards(forms.html) == sorted((v.state, v.reason, v.rule) for v in forms.report.verdicts)
    read_by_others(forms)


def read_by_others(forms: Forms) -> None:
    """nmap's own DTD holds for the XML, and python-libnmap reads each address and port from it."""
    etree, parser = (pytest.importorskip(name) for name in ("lxml.etree", "libnmap.parser"))
    if DTD.exists():
        dtd = etree.DTD(str(DTD))
        assert dtd.validate(etree.fromstring(forms.xml.encode())), dtd.error_log.filter_from_errors()
    found = {
        (host.address, service.port)
        for host in parser.NmapParser.parse(forms.xml).hosts
        for service in host.services
    }
    assert found == {(v.address.partition("%")[0], v.port) for v in forms.report.verdicts if v.address}


def test_the_captures_are_there() -> None:
    assert len(CAPTURES) > 300


def test_what_was_counted_of_a_connection_is_no_more_than_the_capture_has() -> None:
    path = ROOT / "captures" / "close_after_ident.pcapng"
    forms = run(path)
    for row in conn_log.read(forms.zeek).rows:
        packets = [int(str(row[name] or 0)) for name in ("orig_pkts", "resp_pkts")]
        assert sum(packets) <= forms.report.capture.packets


# --------------------------------------------------------------------------- nothing raw


def renderings(verdict: Verdict) -> Iterator[tuple[str, str]]:
    """A verdict in every form that text leaves in, by name."""
    report = a_report(verdict)
    forms = in_all_forms(report, [(report_json.line(verdict), None)])
    yield "json", forms.document
    yield "jsonl", forms.lines
    yield "csv", forms.csv.replace("\r\n", "\n")
    yield "xml", forms.xml
    yield "zeek", forms.zeek.replace("\t", "")
    yield "html", forms.html
    yield "junit", forms.junit
    for width in (None, 80):
        yield "table", table.render(report, width=width, verbosity=2, colour=False)
    summary = Summary()
    summary.add(verdict)
    yield "overview", overview.render(report, summary, width=80, verbosity=2, colour=False, listed=True)
    for _, text in comments.on_packets(comments.of(verdict)):
        yield "comment", comment_text(text).decode()
    for text in comments.on_file("scan", {verdict.cause: 1}, [comments.of(verdict)]):
        yield "comment on the file", comment_text(text).decode()


def assert_harmless(verdict: Verdict) -> None:
    for name, text in renderings(verdict):
        raw = {c for c in text if not c.isprintable() and c != "\n"}
        assert not raw, f"{name}: {raw}"


def said(text: str) -> Verdict:
    """A verdict in which a stranger had this to say, wherever strangers are quoted."""
    return a_verdict(
        target=text, because=(text,), remedy=(text,), notes=(text,), service=Service("ssh", text, (text,)),
        state="open", cause="other-service",
    )  # fmt: skip


@pytest.mark.parametrize("text", [BANNER, HOSTILE], ids=["banner", "sample"])
def test_nothing_raw_of_a_banner_in_any_format(text: str) -> None:
    assert_harmless(said(text))
    assert_harmless(a_hostile_verdict())


_CONTROLS = st.sampled_from([*map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0)), *"\u202e\u2066\u200f\ufeff"])


@settings(max_examples=60)
@given(st.lists(st.one_of(_CONTROLS, st.text(max_size=4), st.characters(categories=["Cf", "Cs", "Co", "Zl", "Zp"]))))
def test_nothing_raw_of_any_text_in_any_format(parts: list[str]) -> None:
    assert_harmless(said("".join(parts)))


def test_the_json_gives_the_banner_back() -> None:
    reader: Callable[[str], Any] = json_reader.loads
    found = reader(report_json.line(said(BANNER)))
    assert found["service"]["identification"] == BANNER
