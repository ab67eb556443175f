"""The fuzz targets without a fuzzer: seeds, seeds with changes, and any bytes; and for five seconds with it."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.__main__ import NAMES
from tests.fuzz.targets import TARGETS

ROOT = Path(__file__).parent.parent


def test_the_list_is_complete() -> None:
    assert tuple(TARGETS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_seeds_pass(name: str) -> None:
    for seed in TARGETS[name].seeds:
        TARGETS[name].check(seed)
        for cut in range(0, len(seed), max(1, len(seed) // 50)):
            TARGETS[name].check(seed[:cut])


@pytest.mark.parametrize("name", NAMES)
def test_changed_seeds_and_noise_pass(name: str) -> None:
    target = TARGETS[name]

    @settings(max_examples=1000 if os.environ.get("CI") else 200, derandomize=bool(os.environ.get("CI")))
    @given(st.data())
    def check(data: st.DataObject) -> None:
        whole = bytearray(data.draw(st.sampled_from(target.seeds) | st.binary(max_size=300)))
        for at in data.draw(st.lists(st.integers(0, max(0, len(whole) - 1)), max_size=4)) if whole else ():
            whole[at] = data.draw(st.sampled_from([0, 1, 127, 128, 255]) | st.integers(0, 255))
        extra = data.draw(st.binary(max_size=20))
        target.check(bytes(whole) + extra)

    check()


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="needs atheris (make fuzz installs it)")
@pytest.mark.parametrize("name", NAMES)
def test_five_seconds_of_fuzzing(name: str) -> None:
    command = [sys.executable, "-m", "tests.fuzz", "--seconds", "5", name]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout
    assert " ok" in done.stdout
