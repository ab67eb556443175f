"""Formats that take attempts as templates and values write what they write of each verdict alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from netprobe import analyze, annotate
from netprobe.options import AnalyzeOptions
from netprobe.report import comments, nmap_xml, nmap_xml_rows, rows, zeek, zeek_rows
from netprobe.report.html.attempts import Attempts
from netprobe.report.zeek import Tally
from netprobe.selection import Selection
from tests.capture_bench import write

ROOT = Path(__file__).parent.parent
CAPTURES = sorted((ROOT / "captures").rglob("*.pcapng"))


def lines_of(path: Path, **how: object) -> list[tuple[str, Tally | None]]:
    """Each verdict's JSON line and tally, one by one."""
    told: list[tuple[str, Tally | None]] = []
    outlets = analyze.Outlets(also=lambda line, tally: told.append((line, tally)))
    analyze.run(AnalyzeOptions(files=(path,), **how), lambda _: None, lambda _: None, outlets)  # type: ignore[arg-type]
    return told


def given(path: Path, *sinks: rows.Sink, **how: object) -> None:
    """The same to sinks."""
    options = AnalyzeOptions(files=(path,), **how)  # type: ignore[arg-type]
    analyze.run(options, lambda _: None, lambda _: None, analyze.Outlets(sinks=sinks, lines=lambda _: None))


def alike(path: Path, **how: object) -> int:
    """Compare all formats; how many verdicts there are."""
    told = lines_of(path, **how)
    written: list[str] = []
    one_by_one, together = nmap_xml.Hosts(), nmap_xml.Hosts()
    annotation = annotate.Annotation()
    sinks = zeek_rows.Rows(written.append), nmap_xml_rows.Rows(together), annotate.Rows(annotation), Attempts()
    given(path, *sinks, **how)
    assert "".join(written) == "".join(zeek.line(*one) for one in told)
    for line, _ in told:
        one_by_one.add(line)
    assert findings(one_by_one) == findings(together)
    wanted = [comment for line, _ in told for comment in comments.on_packets(comments.read(line))]
    assert [(frame, text) for frame, _, text in annotation._waiting] == wanted
    assert annotation._first == [comments.read(line) for line, _ in told][: comments.FEW]
    assert len(sinks[3].rows) == len(told)
    return len(told)


def findings(hosts: nmap_xml.Hosts) -> object:
    return {
        address: (dict(host.names), [(port, key, one.first, one.count) for port, found in host.ports.items()
                                     for key, one in found.items()])
        for address, host in hosts._hosts.items()
    }  # fmt: skip


@pytest.mark.parametrize("path", CAPTURES[3::9], ids=lambda path: path.stem)
def test_each_row_is_as_if_it_were_alone(path: Path) -> None:
    alike(path)


def test_rows_of_many_attempts(tmp_path: Path) -> None:
    write(tmp_path / "many.pcap", 300, servers=3)
    assert alike(tmp_path / "many.pcap") == 300
    some = Selection(causes=frozenset({"dropped", "no-listener"}))
    assert 0 < alike(tmp_path / "many.pcap", selection=some) < 300


def test_compiled_rows_are_the_same(tmp_path: Path) -> None:
    pytest.importorskip("numba")
    write(tmp_path / "many.pcap", 60, servers=3)
    assert alike(tmp_path / "many.pcap", compiled=True) == 60
    some = Selection(causes=frozenset({"dropped", "no-listener"}))
    assert 0 < alike(tmp_path / "many.pcap", compiled=True, selection=some) < 60
    attempts = Attempts()
    given(tmp_path / "many.pcap", attempts, compiled=True)
    assert sorted(attempts.begun) != [0.0] * 60


def test_a_marker_leaves_the_text_as_it_is() -> None:
    pieces, gaps = ['{"frame": ', ', "time": ', ', "what": "a {b} of ', '"}'], [2, 0, 2]
    text = rows.marked(pieces, gaps)
    assert rows.places(text) == [2, 0, 2]
    told = rows.formatted(text).format("1.5", "?", "7")
    assert told == '{"frame": 7, "time": "1.5", "what": "a {b} of 7"}'
    assert rows.filled(pieces, gaps, ["1.5", "?", "7"]) == '{"frame": 7, "time": 1.5, "what": "a {b} of 7"}'
