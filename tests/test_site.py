"""The documentation as a site: its pages are made of rules, captures and schemas, and ask no network."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from html.parser import HTMLParser
from importlib import util
from pathlib import Path
from typing import Literal

import pytest

from netprobe.clients import TEXTS
from netprobe.evidence import FEATURES
from netprobe.examples import examples
from netprobe.explain import causes, plain
from netprobe.prober import CONNECT_STEPS, STEPS
from netprobe.rules import RULES
from netprobe.surface.site import __main__ as generator
from netprobe.surface.site import reference, texts
from netprobe.surface.site.cause import anchor
from netprobe.surface.site.pages import ROOT, Site, site
from netprobe.surface.site.probes import PROBES

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
OWN = ("file:", "data:", "blob:", "about:")
# What a capture's own words may not do to a page.
FOREIGN = re.compile(r"""(?:src|href|action|data)=["']?(?:https?:)?//""")


@cache
def made() -> Site:
    return site()


def pages(nav: object) -> list[str]:
    """Every page that the navigation leads to."""
    if isinstance(nav, str):
        return [nav]
    inner = nav.values() if isinstance(nav, dict) else nav if isinstance(nav, list) else []
    return [page for one in inner for page in pages(one)]


# --------------------------------------------------------------------------- what is generated within docs/


def test_the_tables_within_the_documents_are_up_to_date() -> None:
    for name, text in generator.documents().items():
        assert (ROOT / name).read_text("utf-8") == text, f"{name} is stale: `make docs`"


def test_a_stale_table_is_told_and_made_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "docs").mkdir()
    for name, text in generator.documents().items():
        (tmp_path / name).write_text(text.replace("refused", "renewed"), "utf-8")
    assert generator.main(["--check"], tmp_path) == 1
    assert "docs/index.md" in capsys.readouterr().out
    assert generator.main([], tmp_path) == 0
    assert generator.main(["--check"], tmp_path) == 0


def test_without_its_marks_a_document_is_an_error() -> None:
    with pytest.raises(ValueError, match="marks"):
        texts.in_document("# What your client printed\n")


# --------------------------------------------------------------------------- pages


def test_the_first_page_is_the_table_with_links() -> None:
    first = made().made["index.md"]
    assert pages(made().nav)[0] == "index.md"
    for text, (_, named) in TEXTS.items():
        row = next(line for line in first.splitlines() if line.startswith(f"| **{text}**"))
        assert all(f"[{cause}](causes/{cause}.md)" in row for cause in named)
        assert "`sudo netprobe scan " in row


def test_every_cause_has_its_page_and_every_page_its_place() -> None:
    listed = pages(made().nav)
    assert sorted(listed) == sorted(set(listed))
    assert set(listed) == set(made().made)
    assert {f"causes/{cause}.md" for cause in causes()} <= set(listed)


@pytest.mark.parametrize("cause", sorted(causes()))
def test_a_causes_page_has_its_rules_packets_probes_and_remedies(cause: str) -> None:
    page = made().made[f"causes/{cause}.md"]
    rules = [rule for rule in RULES if rule.cause == cause]
    for rule in rules:
        assert f"### {rule.id}: {cause}\n" in page
        assert all(f"- {plain(text)}\n" in page for text in (*rule.because, *rule.remedy))
        assert all(f"[{rival.cause}]({rival.cause}.md)" in page for rival in rule.rivals)
    if any(rule.conditions for rule in rules):
        assert "## The probes that confirm it" in page
    if any(rule.id in examples() for rule in rules):
        assert "## Recorded packets" in page
        assert "<svg" in page or "```text" in page
        assert re.search(r"\n\$ netprobe analyze \S.*\n.", page), "what netprobe says of the capture"
        for name in re.findall(r"\]\(\.\./(captures/[^)]+)\)", page):
            assert made().copied[name].exists()


def test_the_report_on_a_causes_page_names_the_cause() -> None:
    for cause in causes():
        report = re.search(r"\$ netprobe analyze .*?\n(.*?)\n```", made().made[f"causes/{cause}.md"], re.DOTALL)
        assert report is None or cause in report[1], cause


def test_every_feature_is_learnt_by_one_probe_and_every_step_belongs_to_one() -> None:
    learnt = [feature for probe in PROBES for feature in probe.learns]
    assert sorted(learnt) == sorted(set(learnt))
    asked = {feature for rule in RULES for feature, _, _ in rule.conditions}
    assert asked - set(learnt) == set()
    assert set(learnt) <= set(FEATURES)
    steps = [step for probe in PROBES for step in probe.steps]
    assert sorted(steps) == sorted({step.name for step in (*STEPS, *CONNECT_STEPS)})


def test_links_between_pages_lead_somewhere() -> None:
    there = set(made().made) | set(made().copied)
    for name, page in made().made.items():
        text = re.sub(r"(?ms)^```.*?^```$|`[^`\n]*`", "", page)
        anchors = {anchor(re.sub(r"[`*]|\{.*?\}", "", heading)) for heading in re.findall(r"(?m)^#+ (.*)$", page)}
        anchors |= set(re.findall(r"(?m)^#.*\{ #(\S+) \}$", page))
        for link in re.findall(r"(?<!!)\]\(([^)\s]+)\)", text):
            target, _, place = link.partition("#")
            if "://" in target:
                continue
            path = os.path.normpath(Path(name).parent / target) if target else name
            assert path in there, f"{name}: {link}"
            if place and path == name:
                assert place in anchors, f"{name}: {link}"


def test_no_page_asks_a_network() -> None:
    for name, page in made().made.items():
        assert not FOREIGN.search(page), name
    for path in (ROOT / "docs/assets").iterdir():
        text = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"(?:https?:)?//\w+\.\w", text), path.name


@pytest.mark.parametrize("file", [file for file, _, _ in reference.SCHEMAS])
def test_the_reference_has_every_key_of_the_schemas(file: str) -> None:
    heading = next(heading for one, heading, _ in reference.SCHEMAS if one == file)
    text = made().made["json.md"].split(f"\n## {heading}\n")[1].split("\n## ")[0]
    schema = json.loads((ROOT / file).read_text("utf-8"))
    assert made().copied[f"schemas/{reference.name(file)}"] == ROOT / file

    def keys(part: object) -> set[str]:
        if isinstance(part, list):
            return {key for one in part for key in keys(one)}
        if not isinstance(part, dict):
            return set()
        own = set(part["properties"]) if isinstance(part.get("properties"), dict) else set()
        return own | {key for one in part.values() for key in keys(one)}

    told = {re.split(r"[.\]]", path)[-1] for path in re.findall(r"(?m)^\| `(\S+)` \|", text)}
    assert keys(schema) - told == set()


# --------------------------------------------------------------------------- built


class Page(HTMLParser):
    """What a page asks for, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        asks = {"script": "src", "img": "src", "link": "href", "iframe": "src", "a": "href"}.get(tag, "")
        self.asked.append(found.get(asks) or "")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built in a process that finds a dead proxy wherever it would ask a network."""
    if util.find_spec("material") is None:
        pytest.skip("mkdocs-material is not installed (extra docs)")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    env = {**os.environ, **proxies, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return folder


@pytest.mark.slow
def test_the_site_asks_no_network_and_has_no_dead_link(built: Path) -> None:
    for name in made().made:
        page = Page()
        path = built / name.replace(".md", ".html")
        page.feed(path.read_text("utf-8"))
        for asked in page.asked:
            outside = asked.startswith(("http:", "https:", "//"))
            assert not outside, f"{name} asks for {asked}"
            if asked and "://" not in asked and not asked.startswith(("#", "mailto:", "data:", "javascript:")):
                there = path.parent / asked.partition("#")[0].partition("?")[0]
                assert there.exists(), f"{name}: {asked}"
    assert "no-listener" in (built / "search/search_index.js").read_text("utf-8")


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (make browser)")
@pytest.mark.skipif(util.find_spec("playwright") is None, reason="playwright is not installed (make browser)")
def test_a_browser_reads_it_from_the_disk(built: Path) -> None:
    from playwright.sync_api import sync_playwright

    foreign: list[str] = []
    errors: list[str] = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        for width, dark in ((1280, False), (1280, True), (390, False)):
            scheme: Literal["dark", "light"] = "dark" if dark else "light"
            page = browser.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme)
            page.on("request", lambda one: None if one.url.startswith(OWN) else foreign.append(one.url))
            page.on("pageerror", lambda one: errors.append(str(one)))
            page.on("console", lambda one: errors.append(one.text) if one.type == "error" else None)
            for name in ("index.html", "causes/reset-by-host-firewall.html", "tutorial-capture.html", "json.html"):
                page.goto((built / name).as_uri())
                assert page.locator("h1").count() == 1
                sideways = page.evaluate("document.documentElement.scrollWidth > innerWidth")
                assert not sideways, f"{name} is wider than {width} pixels"
            page.close()
        page = browser.new_page(viewport={"width": 1280, "height": 844})
        page.on("request", lambda one: None if one.url.startswith(OWN) else foreign.append(one.url))
        page.goto((built / "index.html").as_uri())
        page.locator("input.md-search__input").click()
        page.keyboard.type("kex_exchange_identification")
        result = page.locator(".md-search-result__item").first
        result.wait_for(timeout=60_000)
        assert page.locator(".md-search-result__item").count() > 1
        page.keyboard.press("Escape")
        page.locator("td a", has_text="reset-by-host-firewall").first.click()
        page.wait_for_url("**/causes/reset-by-host-firewall.html")
        assert page.locator("svg.np-ladder").count() >= 1
        with page.expect_download() as download:
            page.locator("a[href$='.pcapng']").first.evaluate("one => { one.download = ''; one.click(); }")
        assert Path(download.value.path()).read_bytes() == (ROOT / "captures/reset_host.pcapng").read_bytes()
        browser.close()
    assert not foreign
    assert not errors
