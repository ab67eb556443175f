"""No file, however made, crashes the program, stalls it, or makes it take memory out of proportion.

Each file of hostile.py is read in a process of its own with limits that the kernel holds: at most 2 s of processor time
(scaled to the machine, which may be slow or busy) and 256 MB.
"""

from __future__ import annotations

import gc
import gzip
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from netprobe import analyze
from netprobe.cli import run as run_command
from netprobe.errors import UnreadableCapture
from netprobe.options import AnalyzeOptions
from netprobe.wire.capture import CaptureReader
from tests.hostile import files
from tests.wire.files import pcap_header, pcap_record

SECONDS = 2.0
BYTES = 256 << 20
FILES = files()


class Outcome(NamedTuple):
    """How a process ended. `code` is its exit code, or minus the signal that ended it."""

    code: int
    seconds: float
    peak: int
    said: str


INTERPRETER = 48 << 20  # measured: `netprobe analyze` of an empty capture


@cache
def slowness() -> float:
    """How much slower than the machine that the limit was set on (0.1 s for this), never less than 1."""
    begin = time.process_time()
    total = 0
    for i in range(1_500_000):
        total += i & 0xFF
    return max(1.0, (time.process_time() - begin) / 0.1)


def contained(work: Callable[[], int], errors: Path) -> Outcome:
    """Run `work` in a child; its standard error goes to a file."""
    seconds = SECONDS * slowness()
    # The child begins with this process's memory, as large as the tests before made it: what it adds counts, and what
    # an interpreter with the program loaded has anyway.
    begins = int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    child = os.fork()
    if child == 0:
        code = 99
        gc.freeze()  # what the tests before left is not looked at for garbage
        try:
            resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) * 3, int(seconds) * 3 + 1))
            resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
            signal.alarm(120)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.dup2(os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
            sys.stdout = os.fdopen(1, "w")
            sys.stderr = os.fdopen(2, "w")
            code = work()
            sys.stdout.flush()
            sys.stderr.flush()
        except BaseException as error:  # noqa: BLE001  a child of a test must not go on as a second pytest
            os.write(2, f"{type(error).__name__}: {error}".encode("utf-8", "replace"))
        finally:
            os._exit(code)
    _, status, usage = os.wait4(child, 0)
    said = errors.read_text("utf-8", "replace") if errors.exists() else ""
    code = os.waitstatus_to_exitcode(status)
    peak = max(0, usage.ru_maxrss * 1024 - begins) + INTERPRETER
    used = usage.ru_utime + usage.ru_stime
    if used > SECONDS * slowness():  # is the machine slower than when it was last measured? Others use it, too
        slowness.cache_clear()
    return Outcome(code, used / slowness(), peak, said)


def written(name: str, folder: Path) -> Path:
    path = folder / "hostile"
    path.write_bytes(FILES[name]())
    return path


def test_there_are_enough_of_them() -> None:
    assert len(FILES) >= 100


@pytest.mark.parametrize("name", FILES)
def test_the_whole_program_keeps_its_limits(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))  # nothing compiled: the slower way
    path = written(name, tmp_path)
    for _ in range(3):  # whoever else uses the processor only makes it slower
        outcome = contained(lambda: run_command(["analyze", "--jsonl", str(path)]), tmp_path / "errors")
        if outcome.seconds <= SECONDS:
            break
    assert outcome.code in {0, 1, 3, 4}, outcome
    assert "internal error" not in outcome.said
    assert "Traceback" not in outcome.said
    assert outcome.seconds <= SECONDS, outcome
    assert outcome.peak <= BYTES, outcome


def counted(path: Path) -> int:
    """Both ways of reading alone; nothing is raised but UnreadableCapture."""
    try:
        records = sum(1 for _ in CaptureReader(path))
        reader = CaptureReader(path)
        batched = sum(batch.count + len(batch.facts) for batch in reader.batches())
    except UnreadableCapture:
        return 0
    return 0 if records == batched and len(reader.damage) <= 101 else 98


# The others take long record by record, and are only large.
SMALL = [name for name in FILES if not any(word in name for word in ("packets: ", "million", "000", " MB", "bomb"))]


@pytest.mark.parametrize("name", SMALL)
def test_reading_gives_the_same_either_way(name: str, tmp_path: Path) -> None:
    path = written(name, tmp_path)
    outcome = contained(lambda: counted(path), tmp_path / "errors")
    assert outcome.code == 0, outcome
    assert outcome.peak <= BYTES, outcome


@pytest.mark.parametrize(
    ("name", "frames", "says"),
    [
        ("pcap: a length of 4 GB", 1, "byte 114: a packet of 4294967295 bytes is impossible"),
        ("pcapng: two lengths", 1, "says 16 at its end"),
        ("pcapng: an interface that isn't there", 2, "interface 4294967295, which isn't described"),
        ("compressed: gzip with a wrong checksum", 2000, "incorrect data check"),
        ("compressed: gzip and something else", 2000, "something else follows"),
    ],
)
def test_what_was_good_is_given_and_the_damage_told(name: str, frames: int, says: str, tmp_path: Path) -> None:
    path = written(name, tmp_path)
    report = analyze.run(AnalyzeOptions(files=(path,)), lambda _: None, lambda _: None)
    assert report.capture.packets == frames
    assert says in report.capture.damage[0]


@pytest.mark.parametrize(
    ("kind", "says"),
    [("a gzip bomb of large packets", "a decompression bomb?"), ("a zstd bomb", "zeros"), ("an lz4 bomb", "zeros")],
)
def test_a_bomb_is_left_when_it_is_clear_that_it_is_one(kind: str, says: str, tmp_path: Path) -> None:
    reader = CaptureReader(written(f"compressed: {kind}", tmp_path))
    for _ in reader.batches():
        pass
    assert says in reader.damage[-1].what
    assert reader.damage[-1].offset < 80 << 20


def test_what_a_file_unpacks_to_has_a_limit(tmp_path: Path) -> None:
    path = tmp_path / "long"
    path.write_bytes(gzip.compress(pcap_header() + pcap_record() * 1000))
    reader = CaptureReader(path, most_unpacked=24 + 3 * len(pcap_record()))
    assert len(list(reader)) == 3
    assert "limit" in reader.damage[0].what
    assert not reader.damage[0].notice
