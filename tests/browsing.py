"""A report page in headless Chromium, for tests."""

from __future__ import annotations

import importlib.util
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip


def available() -> bool:
    """Whether there is a browser, and what drives it."""
    return importlib.util.find_spec("playwright") is not None and CHROMIUM is not None


def seconds_to_open(path: Path) -> float:
    """From the call until the page's script has done all it does, its list drawn."""
    with chromium() as browser:
        page = browser.new_page()
        start = time.perf_counter()
        page.goto(path.as_uri(), wait_until="commit")
        page.wait_for_selector("html[data-ready=yes]", timeout=60_000, state="attached")
        return time.perf_counter() - start


@contextmanager
def chromium() -> Iterator[Any]:
    """The browser; skips the test where there is none."""
    if not available():
        pytest.skip("needs Chromium (Debian's package chromium) and the Python package playwright")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


class Looked:
    """A page in Chromium, and all it complained of or asked for."""

    def __init__(self, browser: Any, path: Path, **how: Any) -> None:
        self.context = browser.new_context(**how)
        self.page = self.context.new_page()
        self.troubles: list[str] = []
        self.requests: list[str] = []
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.on("console", lambda message: self.troubles.append(message.text))
        self.page.on("dialog", lambda dialog: self.troubles.append("dialog"))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())
        self.url = path.as_uri()

    def shown(self) -> int:
        return int(str(self.page.locator("#shown").inner_text()).split()[0].replace(",", ""))

    def shown_but(self, before: int) -> int:
        """How many are shown once that has changed: typing is waited for."""
        for _ in range(200):
            if self.shown() != before:
                break
            self.page.wait_for_timeout(50)
        return self.shown()

    def column(self, name: str) -> list[str]:
        rows = self.page.locator(f"#space .row .{name}").all_inner_texts()
        return [str(one).strip() for one in rows]

    def close(self) -> None:
        assert not self.troubles
        assert set(self.requests) == {self.url}
        self.context.close()
