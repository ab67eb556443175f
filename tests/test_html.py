"""The report page: lossless, in bounds, harmless, and in a browser: sorted, filtered, opened, printed."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from netprobe import analyze
from netprobe.model import Alternative, Citation, Endpoint, Mode, Service, Verdict
from netprobe.options import AnalyzeOptions
from netprobe.report import Report
from netprobe.report import json as report_json
from netprobe.report.html import attempts as packed
from netprobe.report.html.attempts import Attempts
from netprobe.report.html.cards import verdict_of
from netprobe.report.html.page import render
from netprobe.selection import Selection
from tests.browsing import Looked
from tests.samples import HOSTILE, a_hostile_verdict, a_report, a_verdict, an_up_verdict

ROOT = Path(__file__).parent.parent
CAPTURES = sorted((ROOT / "captures").rglob("*.pcapng"))
SOME = [path for path in CAPTURES if path.stem in {"drop_r1", "reset_r1", "default_deny-v6", "backlog_full-server"}]
MARKUP = "</script><!--<script><img src=x onerror=alert(1)>\u2028]]>{{7*7}}{% x %}'\"&amp;"


def packed_of(*verdicts: Verdict) -> Attempts:
    found = Attempts()
    for verdict in verdicts:
        found.line(report_json.line(verdict))
    return found


def page_of(*verdicts: Verdict, **changes: Any) -> str:
    report = replace(a_report(*verdicts), **changes)
    return "".join(render(report, packed_of(*verdicts), {"netprobe": "1"}))


def a_hostile_verdict_of(text: str) -> Verdict:
    """The hostile verdict, with another text in all places."""
    rival, packet = Alternative("other-service", text, text), Citation(1, 7, text)
    return a_hostile_verdict() if text == HOSTILE else a_verdict(
        target=text, because=(text,), alternatives=(rival,), remedy=(text,), notes=(text,), evidence=(packet,),
        service=Service("ssh", text, (text,)),
    )  # fmt: skip


def line_of(attempts: Attempts, row: int) -> str:
    """A row put together again, as the page's script does."""
    kind, place, whose, *rest = attempts.rows[row].split(" ")
    values = [*list(attempts.servers)[int(place)].split(" "), list(attempts.clients)[int(whose)], *rest]
    t = attempts.templates[int(kind)]
    return str(t["p"][0] + "".join(values[gap] + piece for gap, piece in zip(t["g"], t["p"][1:], strict=True)))


def many(count: int) -> list[Verdict]:
    """Attempts of different causes on different servers, a second apart."""
    rng = random.Random(1)
    found = []
    for n in range(count):
        make = an_up_verdict if rng.random() < 0.3 else a_verdict
        address = f"198.51.100.{1 + n % 40}"
        cause = rng.choice(("dropped", "no-listener", "reset-on-path"))
        verdict = make(
            target=address, address=address, port=22 + n % 2, client=Endpoint(f"192.0.2.{1 + n % 9}", 1024 + n),
            evidence=(Citation(n + 1, 1_763_690_000_000_000_000 + n * 1_000_000_000, "SYN ttl 64"),),
        )  # fmt: skip
        found.append(verdict if make is an_up_verdict else replace(verdict, cause=cause))
    return found


# --------------------------------------------------------------------------- attempts, packed


@pytest.mark.parametrize("path", CAPTURES[::7] + SOME, ids=lambda path: path.stem)
def test_packed_attempts_are_the_json_lines(path: Path) -> None:
    attempts, told = Attempts(), list[str]()
    outlets = analyze.Outlets(also=lambda line, _: told.append(line))
    analyze.run(AnalyzeOptions(files=(path,)), lambda _: None, lambda _: None, outlets, attempts)
    assert [line_of(attempts, row) + "\n" for row in range(len(attempts.rows))] == told
    for row, line in enumerate(told):
        wanted = json.loads(line, parse_float=str)
        assert attempts.verdict(row) == wanted
        made, template = verdict_of(wanted), attempts.templates[attempts.kind_of[row]]
        assert [template[name] for name in ("state", "cause", "rule")] == [made.state, made.cause, made.rule]
        if wanted["evidence"]:
            assert attempts.begun[row] == pytest.approx(made.evidence[0].time_ns / 1e9)


def test_what_is_selected_is_what_the_page_has() -> None:
    attempts, selection = Attempts(), Selection(causes=frozenset({"dropped"}))
    options = AnalyzeOptions(files=tuple(SOME), selection=selection)
    report = analyze.run(options, lambda _: None, lambda _: None, packed=attempts)
    assert len(attempts.rows) == sum((report.causes or {}).values()) > 0
    assert {attempts.cause(kind) for kind in attempts.kind_of} == {"dropped"}


@pytest.mark.parametrize("text", [HOSTILE, MARKUP, '"cause": "up", "time": 1.5', "\0 1 2.3.4 ::1 a::b::c", ""])
def test_no_text_breaks_a_row(text: str) -> None:
    verdicts = [
        a_verdict(target=text, because=(text,), service=Service("ssh", text, (text, text))),
        a_verdict(target=text, address=None, client=None, evidence=()),
        a_verdict(address="2001:db8::1", client=Endpoint("2001:db8::2%eth0", 5), because=(text,)),
    ]
    attempts = packed_of(*verdicts)
    assert [line_of(attempts, row) + "\n" for row in range(3)] == [report_json.line(one) for one in verdicts]


def test_ever_new_texts_stay_in_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "MOST_TEXT", 30_000)
    verdicts = [a_verdict(because=("".join(random.Random(n).choices("abcdefghijk", k=50)),)) for n in range(500)]
    attempts = packed_of(*verdicts)
    assert len(attempts.rows) == 500
    assert sum(len("".join(t["p"])) for t in attempts.templates) < 40_000
    assert attempts.verdict(499)["thin"]
    assert attempts.verdict(499)["cause"] == verdicts[499].cause
    assert "thin" in "".join(render(a_report(*verdicts), attempts, {}))


def test_more_attempts_than_a_page_lists_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "MOST_ROWS", 50)
    verdicts = many(80)
    page = page_of(*verdicts)
    assert "30 more are only counted" in page
    assert "of 80 attempts failed" in page


# --------------------------------------------------------------------------- the page as text


class Elements(HTMLParser):
    """Which elements there are, with which attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs


@pytest.mark.parametrize("count", [1, 5])
@pytest.mark.parametrize("text", [HOSTILE, MARKUP])
def test_hostile_text_adds_no_element_and_no_control(text: str, count: int) -> None:
    hostile = [a_hostile_verdict_of(text) if n else a_verdict(target=text, notes=(text,)) for n in range(count)]
    page = page_of(*hostile, failure=text)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]", page)
    page.encode("utf-8")
    found = Elements(page)
    assert "img" not in found.tags
    assert found.tags.count("script") == (2 if count > 3 else 1)
    assert not [name for name, _ in found.attributes if name.startswith("on")]
    assert not [value for name, value in found.attributes if name in {"src", "href"} and value != "#main"]


def test_the_page_asks_for_nothing() -> None:
    page = page_of(*many(30))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy
    assert policy[1].startswith("default-src &#39;none&#39;") or policy[1].startswith("default-src 'none'")
    assert not re.findall(r"""\b(?:src|href)=["']?(?!["'#])[^ ]+|url\(|@import|https?://(?!www\.w3\.org)\S+""", page)


def test_the_ladder_the_path_the_rivals_and_the_remedy_are_there(tmp_path: Path) -> None:
    path = next(path for path in CAPTURES if path.stem == "reset_r1")
    out = tmp_path / "page.html"
    command = [sys.executable, "-m", "netprobe", "analyze", "--html", str(out), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done.stderr
    page = out.read_text("utf-8")
    assert '<svg class="ladder wide"' in page
    assert re.search(r'class="refuses".*192\.0\.2\.1.*refuses', page)
    assert "TCP: sequence" in page
    assert "To do" in page
    assert "Probe log" in page
    assert "netprobe analyze --html" in page  # the environment


def test_jinja_is_loaded_for_pages_only() -> None:
    code = "import sys; sys.argv = ['netprobe', 'analyze', {!r}]; from netprobe.__main__ import main\n"
    code += "try:\n    main()\nfinally:\n    assert 'jinja2' not in sys.modules"
    command = [sys.executable, "-c", code.format(str(SOME[0]))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout
    assert "AssertionError" not in done.stderr


def test_an_interrupted_run_leaves_a_page_that_says_so(tmp_path: Path) -> None:
    from netprobe.cli.exports import Exports

    out = tmp_path / "page.html"
    with Exports(html=str(out)):
        assert "has not come to its end" in out.read_text("utf-8")
    with Exports(html=str(out)) as exports:
        exports.finish(a_report(a_verdict(), interrupted=True), given=False)
    assert "Interrupted" in out.read_text("utf-8")
    assert "reset-by-host-firewall" in out.read_text("utf-8")


def test_standard_output_gets_one_page_and_nothing_else() -> None:
    command = [sys.executable, "-m", "netprobe", "analyze", "--html", "-", str(SOME[0])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.startswith("<!DOCTYPE html>\n<html")
    assert done.stdout.rstrip().endswith("</html>")
    assert done.stdout.count("<!DOCTYPE") == 1


# --------------------------------------------------------------------------- in a browser


@pytest.fixture
def listed(browser: Any, tmp_path: Path) -> Iterator[Looked]:
    path = tmp_path / "page.html"
    path.write_text(page_of(*many(400), command="analyze", mode=Mode.CAPTURE), "utf-8")
    looked = Looked(browser, path, viewport={"width": 1100, "height": 900})
    yield looked
    looked.close()


def test_the_list_is_sorted(listed: Looked) -> None:
    assert listed.shown() == 400
    first = listed.column("server")
    listed.page.click("[data-sort=server]")
    up = listed.column("server")
    assert up[:3] == ["198.51.100.1:22"] * 3 != first[:3]
    assert listed.page.get_attribute(".cell.head, [role=columnheader].server", "aria-sort") == "ascending"
    listed.page.click("[data-sort=server]")
    assert listed.column("server")[0] == "198.51.100.40:23"


def test_the_list_is_filtered(listed: Looked) -> None:
    listed.page.select_option("#f-cause", "dropped")
    dropped = listed.shown()
    assert 0 < dropped < 400
    assert set(listed.column("cause")) == {"dropped"}
    listed.page.fill("#q", "198.51.100.7:22")
    assert 0 < listed.shown_but(dropped) < dropped
    assert all(one == "198.51.100.7:22" for one in listed.column("server"))
    listed.page.click("#reset")
    assert listed.shown() == 400
    listed.page.click("button.to-server >> nth=0")
    name = listed.page.input_value("#q")
    assert set(listed.column("server")) == {name}
    listed.page.click("#reset")
    listed.page.click("button.cause[data-cause=up]")
    assert set(listed.column("cause")) == {"up"}


def test_the_list_is_walked_by_keyboard(listed: Looked) -> None:
    listed.page.focus("#space .row >> nth=0")
    listed.page.keyboard.press("End")
    assert listed.page.evaluate("document.activeElement.dataset.n") == "399"
    for key in ("Home", "ArrowDown", "PageDown", "ArrowUp"):
        listed.page.keyboard.press(key)
    at = int(listed.page.evaluate("document.activeElement.dataset.n"))
    assert 1 < at < 60
    assert listed.page.locator("#space .row").count() < 100  # only what is in sight
    listed.page.keyboard.press("Enter")
    assert listed.page.locator("#detail").is_visible()
    assert "rule NP" in listed.page.locator("#detail").inner_text()
    listed.page.keyboard.press("Escape")
    assert not listed.page.locator("#detail").is_visible()
    assert int(listed.page.evaluate("document.activeElement.dataset.n")) == at


def test_all_that_is_asked_for_is_printed(listed: Looked) -> None:
    listed.page.select_option("#f-cause", "dropped")
    shown = listed.shown()
    listed.page.emulate_media(media="print")
    listed.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert listed.page.locator("#space .row").count() == shown
    assert listed.page.locator("#q").is_hidden()
    assert listed.page.pdf()[:5] == b"%PDF-"


def test_a_phone_needs_no_scrolling_sideways(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(page_of(*many(50)), "utf-8")
    looked = Looked(browser, path, viewport={"width": 360, "height": 700}, color_scheme="dark")
    assert looked.page.evaluate("document.documentElement.scrollWidth") <= 360
    assert looked.page.locator("#space .row").count() > 3
    looked.close()


def test_a_packet_says_its_header(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    report, attempts = _analyzed(next(one for one in CAPTURES if one.stem == "reset_r1"))
    path.write_text("".join(render(report, attempts, {})), "utf-8")
    looked = Looked(browser, path)
    place = looked.page.locator(".headers")
    assert "TCP: port" not in place.inner_text()
    looked.page.locator(".step.decisive >> nth=0").hover()
    assert "TCP: port" in place.inner_text()
    looked.page.locator(".step.arrow >> nth=1").focus()
    assert "RST" in place.inner_text()
    names = looked.page.locator(".step[role=button]").evaluate_all("all => all.map(one => one.ariaLabel)")
    assert names
    assert all("TTL" in name for name in names)
    looked.close()


@pytest.mark.parametrize("text", [HOSTILE, MARKUP])
def test_hostile_banners_stay_text(browser: Any, tmp_path: Path, text: str) -> None:
    path = tmp_path / "page.html"
    verdicts = [a_hostile_verdict_of(text) for _ in range(5)]
    path.write_text(page_of(*verdicts), "utf-8")
    looked = Looked(browser, path)
    looked.page.locator("#space .row >> nth=0").click()
    assert looked.page.locator("#detail").is_visible()
    assert looked.page.locator("img, iframe, object, embed, #detail script").count() == 0
    assert looked.page.locator("script").count() == 1  # the data's own element is gone once it was read
    seen = looked.page.evaluate("document.documentElement.textContent")
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200f\u2028\u202e\u2066\ufeff\ud800-\udfff]", seen)
    looked.close()


@pytest.mark.slow
def test_a_hundred_thousand_attempts_open(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    few = many(1000)
    attempts = Attempts()
    lines = [report_json.line(one) for one in few]
    for _ in range(100):
        for line in lines:
            attempts.line(line)
    report = replace(a_report(*few), causes={"up": 30_000, "dropped": 70_000}, command="analyze")
    path.write_text("".join(render(report, attempts, {})), "utf-8")
    assert path.stat().st_size <= 25_000_000
    looked = Looked(browser, path)
    assert looked.shown() == 100_000
    assert looked.page.locator("#space .row").count() < 100
    looked.page.click("[data-sort=client]")
    assert looked.shown() == 100_000
    looked.close()


def _analyzed(path: Path) -> tuple[Report, Attempts]:
    attempts = Attempts()
    return analyze.run(AnalyzeOptions(files=(path,)), lambda _: None, lambda _: None, packed=attempts), attempts
