"""What many verdicts come to: exact where it says so, bounded always, and told on as few lines as promised."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from netprobe import analyze
from netprobe.model import Certainty, Citation, Endpoint, Frame, Origin, OriginKind, Verdict
from netprobe.options import AnalyzeOptions
from netprobe.report import CaptureStatus, CrossCheck, Difference, overview
from netprobe.report import summary as summaries
from netprobe.report.summary import FEW, KEPT, PLACES, Outlines, Summary, outlined
from netprobe.settling import giving, jit
from netprobe.wire.capture import CaptureReader
from netprobe.wire.writer import CaptureWriter
from tests.capture_bench import write
from tests.samples import STARTED_NS, a_hostile_verdict, a_report, a_verdict, an_up_verdict

CAPTURES = sorted((Path(__file__).parent.parent / "captures").glob("*.pcapng"))


def at(verdict: Verdict, frame: int, seconds: float, server: str = "203.0.113.5", client: int = 40112) -> Verdict:
    """The verdict, of another attempt."""
    time_ns = STARTED_NS + round(seconds * 1e9)
    return replace(
        verdict,
        target=server,
        address=server,
        client=Endpoint("192.0.2.2", client),
        evidence=(Citation(frame, time_ns, "SYN"),),
    )


def many(count: int = 100) -> Summary:
    """As many attempts to one server, every tenth up."""
    summary = Summary()
    for n in range(count):
        summary.add(at(an_up_verdict() if n % 10 == 0 else a_verdict(), n + 1, n / 10))
    return summary


def test_counts_times_and_examples() -> None:
    summary = many()
    assert (summary.total, summary.failed) == (100, 90)
    failing, up = summary.causes
    assert (failing.name, up.name, up.span.count) == ("reset-by-host-firewall", "up", 10)
    assert (failing.span.count, failing.span.frame, failing.span.first_ns) == (90, 2, STARTED_NS + 100_000_000)
    assert failing.span.last_ns == STARTED_NS + 9_900_000_000
    assert up.span.frame == 1
    assert [kind.count for kind in summary.kinds] == [90]


def test_order_does_not_matter_for_times() -> None:
    summary = Summary()
    for frame, seconds in ((9, 5.0), (2, 1.0), (30, 9.0)):
        summary.add(at(a_verdict(), frame, seconds))
    assert (summary.span.frame, summary.span.first_ns) == (2, STARTED_NS + 1_000_000_000)
    assert summary.span.last_ns == STARTED_NS + 9_000_000_000


def test_memory_does_not_follow_the_number_of_servers() -> None:
    summary = Summary()
    total = 10 * PLACES
    for n in range(total):
        busy = n % 3 == 0
        server = "203.0.113.5" if busy else f"198.18.{n // 256}.{n % 256}"
        summary.add(at(a_verdict(), n + 1, n, server))
    (cause,) = summary.causes
    assert cause.span.count == total
    assert len(cause.places) <= 2 * PLACES
    assert cause.forgotten == 1
    (place, span), *_ = cause.top(1)
    assert (place.server, span.count) == ("203.0.113.5:22", (total + 2) // 3)
    assert len(summary.examples.failing) == KEPT
    assert len(summary.examples.few) == FEW + 1
    text = overview.render(a_report(), summary)
    assert "more than" in text
    assert ">=3,334" in text


def test_the_report_is_short_and_says_what_it_leaves_out() -> None:
    text = overview.render(a_report(command="analyze"), many(10_000), width=100)
    assert len(text.splitlines()) < 60
    assert text.startswith("10,000 attempts in 42 packets, 2025-11-21 01:53:20 to 02:10:00 UTC: 1,000 up, 9,000 not")
    assert f"The first {KEPT} of 9,000 failing attempts:" in text
    assert "8,980 more failing attempts: --all shows them; --jsonl or --csv" in text
    assert "seen      9,000 times, for example from frame 2" in text


@pytest.mark.parametrize("width", [40, 50, 60, 80, 100, 120, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    summary = many()
    far = a_verdict(cause="path-mtu-black-hole", certainty=Certainty.POSSIBLE)
    summary.add(at(far, 900, 20, "2001:db8:1:2:3:4:5:6"))
    text = overview.render(a_report(), summary, width=width)
    limit = max(width, 76)  # below, the columns that are left have no more to give
    assert max(map(len, text.splitlines())) <= limit


@pytest.mark.parametrize("height", [24, 30, 50, 200])
def test_the_summary_stays_on_the_screen(height: int) -> None:
    report, summary = a_report(capture=CaptureStatus()), many()
    whole = overview.render(report, summary, width=80)
    told = overview.render(report, summary, width=80, height=height)
    assert told.partition("\n\n")[0] == whole.partition("\n\n")[0]
    assert told.count("\n") < height
    assert ("The first 20" in told) is (whole.count("\n") < height)
    assert told == whole or "-v explains" in told or "because" in told


def test_a_pipe_gets_full_lines() -> None:
    text = overview.render(a_report(), many())
    assert "192.0.2.2:40112  203.0.113.5:22  closed  reset-by-host-firewall  target, hop 3" in text


def test_who_refused_is_told_once_where_it_is_always_the_same() -> None:
    summary = Summary()
    origin = Origin(OriginKind.PATH, "198.51.100.1", 2)
    for n in range(20):
        summary.add(at(a_verdict(origin=origin), n + 1, n, f"203.0.113.{n}"))
    lines = overview.render(a_report(), summary).splitlines()
    assert "reset-by-host-firewall  198.51.100.1, hop 2" in lines[3]
    assert lines[6].strip() == "18 more"  # none stands out: two examples
    summary.add(at(a_verdict(), 99, 99))
    assert "2 places" in overview.render(a_report(), summary)


def test_quiet_is_the_summary_alone() -> None:
    text = overview.render(a_report(), many(), verbosity=-1)
    assert "failing attempts" not in text
    assert "because" not in text


def test_what_the_cross_check_found_is_told() -> None:
    different = tuple(Difference("a.pcap", n, "ttl", "64", "\x1b[31m63") for n in range(1, 13))
    text = overview.render(a_report(cross_check=CrossCheck(frames=40, left_out=7, differences=different)), many())
    assert "cross-check: 12 differences from tshark's decoding in 40 decisive frames" in text
    assert "a.pcap frame 1, ttl: netprobe 64, tshark \\x1b[31m63" in text
    assert "2 more" in text
    same = overview.render(a_report(cross_check=CrossCheck(frames=40)), many())
    assert "tshark decoded 40 decisive frames in the same way" in same


def test_damage_is_told() -> None:
    text = overview.render(a_report(capture=CaptureStatus(damage=("x.pcap: byte 7: bad",))), many())
    assert text.endswith("damaged: x.pcap: byte 7: bad\n")


def test_hostile_text_is_harmless() -> None:
    summary = many()
    for _ in range(200):
        summary.add(a_hostile_verdict())
    text = overview.render(a_report(), summary, width=80, verbosity=2)
    assert not any((ord(c) < 32 and c != "\n") or 127 <= ord(c) < 160 or c in "\u202e\u2066\u200f" for c in text)


def test_a_list_of_all_has_columns_that_fit() -> None:
    servers = ("203.0.113.5", "203.0.113.5", "2001:db8::1", "203.0.113.5")
    some = outlined([at(a_verdict(), n, n, server) for n, server in enumerate(servers, 1)])
    rows = list(overview.attempt_rows(some))
    widths = [len(name) for name in overview.ROW]
    for cells in rows:
        overview.measure(widths, cells)
    lines = list(overview.attempts(rows, widths))
    assert len({line.index("closed") for line in lines[1:]}) == 1
    assert "[2001:db8::1]:22" in lines[3]


def without_facts(path: Path, to: Path) -> Path:
    """The frames of a capture, as a stranger would have taken it."""
    writer = CaptureWriter(os.open(to, os.O_RDWR | os.O_CREAT | os.O_TRUNC), str(to))
    for number, record in enumerate((r for r in CaptureReader(path) if isinstance(r, Frame)), 1):
        writer.write(replace(record, number=number))
    writer.close()
    return to


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_outlines_say_what_the_verdicts_do(path: Path, tmp_path: Path) -> None:
    """Counted without a diagnosis of each, the table must not differ from what it would be with one."""
    told: list[Outlines] = []
    verdicts: list[Verdict] = []

    def note(some: Outlines) -> Sequence[int]:
        told.append(some)
        return range(len(some.which))

    options = AnalyzeOptions(files=(without_facts(path, tmp_path / "frames.pcapng"),), compiled=False)
    analyze.run(options, verdicts.append, lambda _: None, analyze.Outlets(outlines=note, clients=True))
    assert each(told) == each([outlined(verdicts)])


def each(told: Sequence[Outlines]) -> list[tuple[object, ...]]:
    """What is told of every attempt."""
    return [
        (some.outlines[n], frame, time_ns, client)
        for some in told
        for n, frame, time_ns, client in zip(some.which, some.frames, some.times_ns, some.clients, strict=True)
    ]


@pytest.mark.parametrize("compiled", [False, True])
def test_many_at_once_are_counted_as_one_by_one(
    compiled: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counts, times, frames, examples, the order of equals, and which servers are forgotten when."""
    if compiled and not jit.available():
        pytest.skip("nothing is compiled here")
    monkeypatch.setattr(summaries, "PLACES", 4)
    monkeypatch.setattr(giving, "ROWS_AT_ONCE", 64)
    write(tmp_path / "some.pcap", 400, 12)
    write(tmp_path / "others.pcap", 300, 30)
    options = AnalyzeOptions(files=(tmp_path / "some.pcap", tmp_path / "others.pcap"), compiled=compiled)
    at_once, one_by_one = Summary(), Summary()
    analyze.run(options, at_once.examples.keep, lambda _: None, analyze.Outlets(outlines=at_once.note))
    analyze.run(options, one_by_one.add, lambda _: None)
    assert at_once.total == 700
    assert all(cause.forgotten for cause in at_once.causes[:3])
    assert contents(at_once) == contents(one_by_one)


def contents(summary: Summary) -> tuple[object, ...]:
    """All that a report takes from a summary, and what it goes on from."""
    causes = [(cause.name, cause.span, list(cause.places.items()), cause.forgotten) for cause in summary.causes]
    return summary.span, causes, summary.kinds, summary.examples.few, summary.examples.failing
