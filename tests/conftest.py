"""Fixtures of several suites."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.browsing import chromium

# Of every property test that doesn't say otherwise. No deadline: that would measure the machine.
settings.register_profile("ci", max_examples=2000, derandomize=True, deadline=None)
settings.register_profile("quick", max_examples=100, deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "quick")


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
