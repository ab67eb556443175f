"""Fixtures of several suites."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browsing import chromium


@pytest.fixture
def public_path() -> Iterator[Path]:
    """A folder that every user reaches and writes to. `tmp_path` can't be one: each pytest that starts takes the
    others' right to enter from the folder that all of them share."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium; the test is skipped where there is none."""
    with chromium() as found:
        yield found
