"""The pages of doctor, replay and a scan's log; all pages for those who don't see them, on a phone, in print."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from netprobe.cli import run as main
from netprobe.doctor.diagnose import diagnose
from netprobe.doctor.facts import SCHEMA, Facts
from netprobe.ladder import Log, LogRow, Way
from netprobe.replay import run as replay
from netprobe.replay.page import Cases
from netprobe.report import Report
from netprobe.report.html import doctor as doctor_page
from netprobe.report.html import page as report_page
from netprobe.report.html import replay as replay_page
from netprobe.report.html.page import render
from netprobe.report.html.world import resource
from tests.browsing import Looked
from tests.doctor.recorded import FOLDER, case, fields
from tests.samples import HOSTILE, a_report, a_verdict
from tests.test_html import MARKUP, Elements, many, packed_of

ROOT = Path(__file__).parent.parent
CAPTURES = ROOT / "captures"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))
CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]")


def doctor_of(name: str) -> str:
    return "".join(doctor_page.render(diagnose(case(name).facts), {"netprobe": "1"}))


def cases_in(folder: Path, *names: str, wrong: str = "") -> Path:
    """Copies of cases; the one named `wrong` expects another cause."""
    folder.mkdir(exist_ok=True)
    for name in names:
        shutil.copy(CAPTURES / f"{name}.pcapng", folder)
        text = (CAPTURES / f"{name}.toml").read_text("utf-8")
        text = re.sub(r'^cause = ".*"', 'cause = "no-route"', text, flags=re.MULTILINE) if name == wrong else text
        (folder / f"{name}.toml").write_text(text, "utf-8")
    return folder


def replay_of(folder: Path, **how: bool) -> str:
    cases = Cases()
    run = replay.replay(replay.find([folder]).cases, cases.add, **how)
    pieces = replay_page.render(cases.rows, cases.cards, {}, started_ns=run.started_ns, finished_ns=run.finished_ns)
    return "".join(pieces)


def words(page: str) -> str:
    """What a page says, without its elements."""
    body = re.sub(r"<(style|script)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", "", body)))


# --------------------------------------------------------------------------- doctor


@pytest.mark.parametrize("name", NAMES[::4])
def test_the_doctors_page_says_what_the_terminal_says(name: str) -> None:
    found = diagnose(case(name).facts)
    told = words("".join(doctor_page.render(found, {})))
    for one in found.findings:
        for text in (one.says, *one.because, *one.remedy):
            assert re.sub(r"\s+", " ", text.replace("`", "")) in told.replace("`", "")
    for ruling in found.reasons:
        assert re.sub(r"\s+", " ", ruling.because.replace("`", "")) in told


def test_the_rules_that_a_syn_meets_are_walked() -> None:
    page = doctor_of("lab-a-chain-like-ufw-s")
    assert re.search(r'class="decides".*-A ufw-user-input -p tcp -m tcp --dport 22 -j DROP.*decides', page)
    page = doctor_of("lab-answers-dropped")
    assert re.search(r"<details[^>]* open><summary>The SYN-ACK on its way back: drop", page)


def test_every_fact_is_there() -> None:
    facts = case("lab-a-chain-like-ufw-s").facts
    page = words("".join(doctor_page.render(diagnose(facts), {})))
    for name in ("listeners", "nft", "iptables", "routes", "counters"):
        assert f"{name}" in page
    assert "-A ufw-user-input" in page
    for name, why in facts.gaps.items():
        assert re.sub(r"\s+", " ", why) in page, name


def test_hostile_facts_add_nothing() -> None:
    facts = case("hostile").facts
    hostile = replace(facts, system=replace(facts.system, name=HOSTILE + MARKUP), gaps={**facts.gaps, "nft": MARKUP})
    for one in (facts, hostile, Facts(gaps={"listeners": MARKUP})):
        page = "".join(doctor_page.render(diagnose(one), {"command": HOSTILE}))
        assert not CONTROLS.search(page)
        page.encode("utf-8")
        found = Elements(page)
        assert found.tags.count("script") == 1
        assert "img" not in found.tags
        assert not [name for name, _ in found.attributes if name.startswith("on") or name in {"src", "style"}]


def facts_file(folder: Path, name: str) -> Path:
    path = folder / "facts.json"
    path.write_text(json.dumps({**fields(name), "schema": SCHEMA}), "utf-8")
    return path


def test_doctor_writes_its_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts, out = facts_file(tmp_path, "lab-nft-drop"), tmp_path / "page.html"
    assert main(["doctor", "--from", str(facts), "--html", str(out), "-q"]) == 1
    assert "firewall" in capsys.readouterr().out
    assert "netprobe doctor" in out.read_text("utf-8")
    assert main(["doctor", "--from", str(facts), "--html", "-"]) == 1
    alone = capsys.readouterr().out
    assert alone.startswith("<!DOCTYPE html>\n<html")
    assert alone.rstrip().endswith("</html>")
    assert main(["doctor", "--from", str(facts), "--html", "-", "--json"]) == 2
    assert main(["doctor", "--from", str(facts), "--html", str(facts)]) == 2
    assert json.loads(facts.read_text("utf-8"))
    assert main(["doctor", "--from", str(facts), "--html", str(tmp_path / "no" / "page.html")]) == 3


# --------------------------------------------------------------------------- replay


def test_a_failing_case_shows_expected_beside_found_and_the_packets(tmp_path: Path) -> None:
    page = replay_of(cases_in(tmp_path / "cases", "reset_r1", "drop_r1", wrong="reset_r1"))
    assert "1 of 2 cases did not pass: 1 failed" in page
    row = re.search(r'<tr class="differs"><th scope="row">cause</th><td>(.*?)</td><td>(.*?)</td><td>no</td>', page)
    assert row is not None
    assert row.groups() == ("no-route", "reset-on-path")
    assert page.count('<svg class="ladder wide"') == 1
    assert re.search(r'<a href="#case-1">[^<]*reset_r1.toml</a>', page)
    assert "drop_r1.toml" in page
    assert 'id="case-2"' not in page


def test_cases_that_all_pass_are_a_list(tmp_path: Path) -> None:
    page = replay_of(cases_in(tmp_path / "cases", "reset_r1", "drop_r1"))
    assert "All 2 cases passed" in page
    assert "<svg" not in page
    assert "All 1 cases" not in replay_of(cases_in(tmp_path / "one", "drop_r1"))


def test_a_played_scan_has_its_packets(tmp_path: Path) -> None:
    page = replay_of(cases_in(tmp_path / "cases", "reset_r1", wrong="reset_r1"), live=True)
    assert '<svg class="ladder wide"' in page


def test_what_cannot_be_replayed_says_why(tmp_path: Path) -> None:
    folder = cases_in(tmp_path / "cases", "reset_r1", "drop_r1")
    (folder / "drop_r1.toml").write_text("expect = 5\n", "utf-8")
    (folder / "reset_r1.pcapng").write_bytes(b"nothing")
    page = replay_of(folder)
    assert "2 of 2 cases did not pass" in page
    assert "is not a capture" in page


def test_a_hostile_case_adds_nothing(tmp_path: Path) -> None:
    folder = cases_in(tmp_path / "cases", "reset_r1", wrong="reset_r1")
    path = folder / "reset_r1.toml"
    about = f"about = {json.dumps(MARKUP)}"
    text = re.sub(r'^about = ".*"', lambda _: about, path.read_text("utf-8"), flags=re.MULTILINE)
    path.unlink()
    (folder / "<img src=x>\u202e.toml").write_text(text, "utf-8")
    (folder / "reset_r1.pcapng").rename(folder / "<img src=x>\u202e.pcapng")
    page = replay_of(folder)
    assert "{{7*7}}" in page
    assert not CONTROLS.search(page)
    assert "img" not in Elements(page).tags


def test_replay_writes_its_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, out = cases_in(tmp_path / "cases", "reset_r1", "drop_r1", wrong="drop_r1"), tmp_path / "page.html"
    assert main(["replay", str(folder), "--html", str(out), "-q"]) == 1
    assert "1 failed" in capsys.readouterr().out
    assert "did not pass" in out.read_text("utf-8")
    assert main(["replay", str(folder), "--html", "-"]) == 1
    alone = capsys.readouterr().out
    assert alone.startswith("<!DOCTYPE html>\n<html")
    assert alone.rstrip().endswith("</html>")
    assert main(["replay", str(folder), "--html", "-", "--jsonl"]) == 2
    assert main(["replay", str(folder), "--html", str(folder / "drop_r1.toml")]) == 2
    assert "[[expect]]" in (folder / "drop_r1.toml").read_text("utf-8")


# --------------------------------------------------------------------------- the log of a scan


def logged(*rows: LogRow) -> Report:
    log = Log(lambda: rows, lambda: [("route", MARKUP)])
    return a_report(a_verdict(), log=log)


def test_the_log_has_every_record(tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    command = [sys.executable, "-m", "netprobe", "analyze", "--html", str(out), str(CAPTURES / "reset_r1.pcapng")]
    subprocess.run(command, capture_output=True, timeout=60, check=False)
    page = out.read_text("utf-8")
    log = page[page.index('id="log-table"') :]
    rows = re.findall(r"<tr(?: class=\"decides\")?><td class=\"n\">(\* )?(\d+)</td>", log[: log.index("</table>")])
    assert [int(number) for _, number in rows] == list(range(1, len(rows) + 1))
    assert len(rows) == 38
    assert len([mark for mark, _ in rows if mark]) == 6
    told = words(page)
    assert "192.0.2.13:49458 > 203.0.113.53:22 SYN seq" in told
    assert "with a TCP-MD5 option" in told
    assert re.search(r"ICMP time-exceeded, ttl \d+ tos 0x[0-9a-f]+, about 192.0.2.13:\d+ > 203.0.113.53:\d+", told)
    assert "connect() 1 to 203.0.113.53:22: failed ECONNREFUSED" in told
    assert "route203.0.113.53: ok via 192.0.2.1 dev eth0" in told  # the environment
    assert re.search(r"SHA-256 [0-9a-f]{64}", told)


def test_the_log_is_bounded_and_harmless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_page, "MOST_LOG", 5)
    report = logged(*(LogRow(n, 10**18 + n, Way.RECEIVED, MARKUP + HOSTILE) for n in range(1, 9)))
    page = "".join(render(report, packed_of(*report.verdicts), {}))
    assert "8 records" in page
    assert "3 more records have no room here" in page
    assert "* 4</td>" in page  # the verdict rests on it
    assert not CONTROLS.search(page)
    assert "img" not in Elements(page).tags


# --------------------------------------------------------------------------- for everybody


COLOURS = re.compile(r"--([a-z]+\d?):(#[0-9a-f]{3,6})")


@pytest.mark.parametrize("which", [0, 1], ids=["light", "dark"])
def test_text_stands_out_from_its_ground(which: int) -> None:
    """WCAG 2.1, 1.4.3: at least 4.5 to 1 for text, 1.4.11: 3 to 1 for what only has a shape."""
    themes = resource("page.css").split("@media (prefers-color-scheme:dark)")
    colours = dict(COLOURS.findall(themes[which].split("*{box-sizing")[0]))
    for name in ("ink", "dim", "bad", "warn", "good", "link"):
        for ground in ("paper", "panel"):
            assert contrast(colours[name], colours[ground]) >= 4.5, (name, ground)
    for n in range(9):
        assert contrast(colours[f"c{n}"], colours["paper"]) >= 3, n


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    text = colour[1:] if len(colour) == 7 else "".join(2 * c for c in colour[1:])
    parts = [int(text[n : n + 2], 16) / 255 for n in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def page_called(name: str, folder: Path) -> Path:
    """A page of each kind."""
    path = folder / f"{name}.html"
    if name == "many":
        verdicts = many(60)
        text = "".join(render(a_report(*verdicts, command="analyze"), packed_of(*verdicts), {"netprobe": "1"}))
    elif name == "doctor":
        text = doctor_of("lab-a-chain-like-ufw-s")
    elif name == "replay":
        text = replay_of(cases_in(folder / "cases", "reset_r1", "drop_r1", "default_deny-v6", wrong="reset_r1"))
    else:
        both = {"scan": ["reset_r1.pcapng"], "pair": ["--client", "pair_banner_drop_r2.pcapng", "--server",
                "pair_banner_drop_r2-server.pcapng"]}[name]  # fmt: skip
        files = [str(CAPTURES / one) if not one.startswith("-") else one for one in both]
        command = [sys.executable, "-m", "netprobe", "analyze", "--html", str(path), *files]
        subprocess.run(command, capture_output=True, timeout=60, check=False)
        return path
    path.write_text(text, "utf-8")
    return path


PAGES = ("scan", "many", "pair", "doctor", "replay")

# What a screen reader needs of a page, and is missing.
NAMELESS = """() => {
  const wrong = [];
  const named = (e) => e.getAttribute("aria-label") || (e.getAttribute("aria-labelledby") || "").split(" ").every((id) => id && document.getElementById(id)?.textContent.trim()) || e.textContent.trim() || e.title || e.labels?.length;
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  if (new Set(ids).size !== ids.length) wrong.push("an id stands twice");
  for (const e of document.querySelectorAll("[aria-labelledby],[aria-describedby]"))
    for (const id of ((e.getAttribute("aria-labelledby") || "") + " " + (e.getAttribute("aria-describedby") || "")).split(" "))
      if (id && !document.getElementById(id)) wrong.push("no element " + id);
  for (const e of document.querySelectorAll("button,a,input,select,summary,section,article,dialog,[role=button],[role=region],[role=table]"))
    if (!named(e)) wrong.push("no name: " + e.outerHTML.slice(0, 120));
  for (const e of document.querySelectorAll("table"))
    if (!e.caption && !e.getAttribute("aria-labelledby")) wrong.push("no caption: " + e.outerHTML.slice(0, 120));
  for (const e of document.querySelectorAll("thead th")) if (e.scope !== "col") wrong.push("no scope: " + e.outerHTML);
  for (const e of document.querySelectorAll("svg"))
    if (e.getAttribute("aria-hidden") !== "true" && !e.getAttribute("aria-label") && !e.querySelector(":scope > title")) wrong.push("a picture without a title");
  if (document.querySelectorAll("h1").length !== 1 || document.querySelectorAll("main").length !== 1) wrong.push("h1, main");
  let level = 0;
  for (const e of document.querySelectorAll("h1,h2,h3,h4")) { const n = +e.tagName[1]; if (n > level + 1 && !e.closest("dialog")) wrong.push("a level is left out before " + e.textContent); level = n; }
  for (const e of document.querySelectorAll("input,select")) if (!e.labels.length) wrong.push("no label: " + e.outerHTML);
  return wrong;
}"""  # noqa: E501 - the browser's


@pytest.mark.parametrize("name", PAGES)
def test_each_page_can_be_read_out_and_fits_a_phone(browser: Any, tmp_path: Path, name: str) -> None:
    path = page_called(name, tmp_path)
    looked = Looked(browser, path, viewport={"width": 360, "height": 740}, color_scheme="dark")
    assert looked.page.evaluate(NAMELESS) == []
    assert looked.page.evaluate("document.documentElement.scrollWidth") <= 360
    looked.page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    assert looked.page.evaluate("document.documentElement.scrollWidth") <= 360
    looked.page.emulate_media(media="print")
    looked.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert looked.page.locator("details.log:not([open])").count() == 0
    assert looked.page.pdf()[:5] == b"%PDF-"
    looked.close()


@pytest.mark.parametrize("name", PAGES)
def test_each_page_is_walked_by_keyboard(browser: Any, tmp_path: Path, name: str) -> None:
    looked = Looked(browser, page_called(name, tmp_path), viewport={"width": 1100, "height": 900})
    page = looked.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    seen = []
    for _ in range(60):
        page.keyboard.press("Tab")
        visible = page.evaluate("document.activeElement.getClientRects().length > 0")
        assert visible, page.evaluate("document.activeElement.outerHTML")
        seen.append(str(page.evaluate("document.activeElement.tagName")))
    assert len(set(seen)) > 1
    looked.close()


def test_the_log_is_searched(browser: Any, tmp_path: Path) -> None:
    looked = Looked(browser, page_called("scan", tmp_path))
    page = looked.page
    page.click("#log > summary")
    page.fill("[data-filters=log-table]", "rst 203.0.113.53:22")
    shown = page.locator("#log-table tbody tr:visible").all_inner_texts()
    assert 0 < len(shown) < 38
    assert all("RST" in one and "203.0.113.53:22" in one for one in shown)
    assert page.locator("[data-shown=log-table]").inner_text() == f"{len(shown)} of 38"
    looked.close()


def test_the_cases_are_sorted_and_filtered(browser: Any, tmp_path: Path) -> None:
    looked = Looked(browser, page_called("replay", tmp_path))
    page = looked.page
    page.click("#cases-table thead th:nth-child(2) button")
    assert page.get_attribute("#cases-table thead th:nth-child(2)", "aria-sort") == "ascending"
    names = page.locator("#cases-table tbody th").all_inner_texts()
    assert [Path(one).stem for one in names] == ["default_deny-v6", "drop_r1", "reset_r1"]
    page.click("#cases-table thead th:nth-child(2) button")
    assert page.locator("#cases-table tbody th").all_inner_texts() == names[::-1]
    page.click("[data-word=failed].choose")
    assert page.locator("#cases-table tbody tr:visible").count() == 1
    page.click("#cases-table tbody a")
    assert page.evaluate("location.hash") == "#case-1"
    looked.requests = [one.partition("#")[0] for one in looked.requests]
    looked.close()


def test_the_packets_of_two_captures_say_their_headers(browser: Any, tmp_path: Path) -> None:
    looked = Looked(browser, page_called("pair", tmp_path))
    looked.page.locator("svg[aria-labelledby^=pair] .step[role=button] >> nth=0").focus()
    said = looked.page.locator(".headers:has-text('capture: frame')").first.inner_text()
    assert "the client's capture: frame" in said
    assert "the server's capture: frame" in said
    looked.close()
