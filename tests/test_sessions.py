"""SSH sessions of captures: what the tracker hands over gives what the whole connections give."""

from __future__ import annotations

from pathlib import Path

import pytest

from netprobe.analyze import analyze
from netprobe.model import Verdict
from netprobe.options import AnalyzeOptions
from netprobe.settling import jit
from tests.ssh_matrix.replay import connections

RECORDED = sorted((Path(__file__).parent.parent / "captures" / "ssh").glob("*.pcapng.xz"))


def verdicts(path: Path, *, compiled: bool) -> list[Verdict]:
    return analyze(path, AnalyzeOptions(files=(path,), compiled=compiled), lambda _: None).verdicts


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.name.removesuffix(".pcapng.xz"))
def test_a_recorded_session_is_read_whole(path: Path) -> None:
    found = [(v.service.kex, v.service.auth) if v.service else (None, None) for v in verdicts(path, compiled=False)]
    assert found == [(one.session.kex(), one.session.auth()) for one in connections(path)]
    assert any(auth is not None for _, auth in found)


@pytest.mark.skipif(not jit.available(), reason="numba is not installed")
def test_compiled_reads_the_same() -> None:
    assert RECORDED
    for path in RECORDED[::12]:
        assert verdicts(path, compiled=True) == verdicts(path, compiled=False)
