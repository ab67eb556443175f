"""Packets for ladders: of large captures found by arrays, of pipes kept while they pass."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from netprobe import analyze, keeping, rereading
from netprobe.model import Verdict
from netprobe.options import AnalyzeOptions
from netprobe.rereading import ladder_of
from netprobe.wire.capture import CaptureReader
from tests.capture_bench import write

ROOT = Path(__file__).parent.parent
CAPTURES = [path for path in sorted((ROOT / "captures").rglob("*.pcap*")) if path.suffix in {".pcapng", ".xz"}]


def found(*files: Path, **how: object) -> tuple[list[Verdict], bool]:
    """The verdicts of captures, and whether they are a stranger's."""
    options = AnalyzeOptions(files=files, **how)  # type: ignore[arg-type]
    report = analyze.run(options, lambda _: None, lambda _: None)
    return list(report.verdicts), report.log is None


@pytest.mark.parametrize("path", CAPTURES[1::6], ids=lambda path: path.stem)
def test_large_captures_have_the_same_ladders(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    verdicts, strange = found(path)
    if not strange:
        return
    exact = [ladder_of([path])(one) for one in verdicts[:30]]
    monkeypatch.setattr(rereading, "MOST", 0)
    sifted = ladder_of([path])
    sifted.prepare(verdicts[:30])
    assert [sifted(one) for one in verdicts[:30]] == exact
    assert ladder_of([path])(verdicts[0]) == exact[0]  # without having been told before


def test_of_several_large_captures_the_right_one_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = tmp_path / "first.pcap", tmp_path / "second.pcap"
    write(first, 20)
    write(second, 50)
    verdicts, _ = found(second)
    exact = [ladder_of([second])(one) for one in verdicts]
    merged, _ = found(first, second, together=True)
    told = [ladder_of([first, second], together=True)(one) for one in merged]
    monkeypatch.setattr(rereading, "MOST", 0)
    again = ladder_of([first, second])
    again.prepare(verdicts)
    assert [again(one) for one in verdicts[20:]] == exact[20:]
    assert all(exact)
    again = ladder_of([first, second], together=True)
    again.prepare(merged)
    assert [again(one) for one in merged] == told
    monkeypatch.setattr(rereading, "MOST_INTERPRETED", 100)
    assert ladder_of([second])(verdicts[-1]) is None  # farther in the file than it may read


def piped(path: Path, *options: str, compiled: bool = False) -> str:
    """What is printed of a capture that comes through a pipe."""
    how = "--compiled" if compiled else "--interpreted"
    command = [sys.executable, "-m", "netprobe", "analyze", how, *options, "-"]
    with path.open("rb") as file, subprocess.Popen(["cat"], stdin=file, stdout=subprocess.PIPE) as cat:
        done = subprocess.run(command, stdin=cat.stdout, capture_output=True, text=True, timeout=120, check=False)
    assert "Traceback" not in done.stderr
    return done.stdout


@pytest.mark.parametrize("name", ["forged_server_goes_on_after_a_reset_in_its_name", "backlog_full-server"])
def test_a_pipe_has_ladders_too(name: str) -> None:
    (path,) = [one for one in CAPTURES if one.stem == name]
    command = [sys.executable, "-m", "netprobe", "analyze", "-v", str(path)]
    straight = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout
    assert " decides" in straight
    assert piped(path, "-v") == straight


@pytest.mark.parametrize("compiled", [False, True])
def test_a_long_pipe_shows_one_of_each_failure(tmp_path: Path, compiled: bool) -> None:
    if compiled:
        pytest.importorskip("numba")
    path = tmp_path / "many.pcap"
    write(path, 300, servers=3)
    page = tmp_path / "page.html"
    piped(path, "--html", str(page), compiled=compiled)
    whole = tmp_path / "whole.html"
    command = [sys.executable, "-m", "netprobe", "analyze", "--html", str(whole), str(path)]
    subprocess.run(command, capture_output=True, timeout=60, check=False)
    texts = [one.read_text("utf-8") for one in (page, whole)]
    ladders = [[part.split("</svg>")[0] for part in text.split('<svg class="ladder')[1:]] for text in texts]
    assert len(ladders[1]) > 3
    assert ladders[0] == ladders[1]


def test_what_is_kept_of_a_pipe_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "many.pcap"
    write(path, 100, servers=3)
    largest = 0
    settled = keeping.Keeping.settled

    def watched(self: keeping.Keeping, *noted: object) -> None:
        nonlocal largest
        largest = max(largest, self._size)
        settled(self, *noted)  # type: ignore[arg-type]

    monkeypatch.setattr(keeping, "MOST", 100_000)
    monkeypatch.setattr(keeping, "EACH", 4)
    monkeypatch.setattr(keeping.Keeping, "settled", watched)
    monkeypatch.setattr(CaptureReader, "size", 0)
    options = AnalyzeOptions(files=(path,))
    report = analyze.run(options, lambda _: None, lambda _: None)
    assert 10_000 < largest <= 100_000
    assert report.ladder_of is not None
    drawn = [one for verdict in report.verdicts if (one := report.ladder_of(verdict)) is not None]
    assert 0 < len(drawn) < 60
