"""Another process reads a capture with pyshark and tshark: what it finds, what it refuses, and how it ends."""

from __future__ import annotations

import asyncio
import gzip
import lzma
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from netprobe.errors import CannotMeasure, UnreadableCapture, UsageError
from netprobe.wire import dissection, tshark
from netprobe.wire.tshark import Frames, headers, matching, of_numbers
from netprobe.wire.writer import CaptureWriter
from tests.ladder import ladder

needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="needs tshark (Debian package tshark)")
pytest.importorskip("pyshark")

LADDER = """
    0.0 > S [mss]
    0.1 < RA ttl 62 tos 8
    0.2 > S port 40001 to 80 [mss]
    0.3 < icmp 3/13 port 40001 to 80 from 198.51.100.2
    0.4 > S port 40002 to 443 [mss]
"""


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    """A refused, a rejected and an unanswered attempt."""
    path = tmp_path / "a capture.pcapng"
    writer = CaptureWriter(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC), str(path))
    for record in ladder(LADDER).records:
        writer.write(record)
    writer.close()
    return path


def found(path: Path, expression: str) -> list[int]:
    """The frames that match."""
    return list(matching(path, expression, None, lambda _: None).between(1, 1000))


def frames_of(path: Path) -> list[int]:
    """All frames, as tshark numbers them."""
    argv = ["tshark", "-n", "-r", str(path), "-T", "fields", "-e", "frame.number", "-Y", "ip"]
    return [int(line) for line in subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()]


def test_a_set_of_frames() -> None:
    frames = Frames([9, 2, 5])
    assert len(frames) == 3
    assert [n for n in range(12) if n in frames] == [2, 5, 9]
    assert "x" not in frames
    assert list(frames.between(2, 5)) == [2, 5]
    assert list(frames.between(3, 4)) == []
    assert not Frames()


def test_numbers_are_asked_for_in_bounded_sets() -> None:
    text = of_numbers(range(1, 1001))
    assert text.count(" in {") == 5
    assert max(len(part) for part in text.split(" || ")) < 1200
    assert of_numbers([]) == ""


def test_a_complaint_with_its_place() -> None:
    said = 'tshark: "x" is no field.\n    tcp && x == 1\n           ^\n'
    assert dissection._complaint(said, "tcp && x == 1") == '"x" is no field (character 8: x)'
    indented = said.replace("    tcp", "      tcp").replace("  ^", "    ^")
    assert dissection._complaint(indented, "  tcp && x == 1").endswith("(character 10: x)")
    assert dissection._complaint("tshark: Unexpected end of filter expression.\n", "tcp ==") == (
        "Unexpected end of filter expression"
    )
    assert dissection._complaint("", "x") == "it gives no reason"


@needs_tshark
def test_which_frames_match(capture: Path) -> None:
    first = frames_of(capture)[0]
    assert found(capture, "tcp.flags.reset == 1") == [first + 1]
    assert found(capture, "icmp.code == 13") == [first + 3]
    assert found(capture, "tcp || icmp") == frames_of(capture)
    assert found(capture, "udp") == []
    # What is typed stays one expression.
    assert found(capture, "udp || icmp") == [first + 3]


@needs_tshark
def test_headers_are_those_on_the_wire_and_quotes_too(capture: Path) -> None:
    first = frames_of(capture)[0]
    seen = headers(capture, [first, first + 1, first + 3], None, lambda _: None)
    assert sorted(seen) == [first, first + 1, first + 3]
    reset = seen[first + 1]
    assert (reset["ttl"], reset["tos"], reset["flags"], reset["source_port"]) == (62, 8, 0x14, 22)
    assert reset["ack"] == seen[first]["seq"] + 1
    icmp = seen[first + 3]
    assert (icmp["icmp_type"], icmp["icmp_code"], icmp["source"]) == (3, 13, "198.51.100.2")
    assert (icmp["quoted_source_port"], icmp["quoted_destination_port"]) == (40001, 80)
    assert headers(capture, [], None, lambda _: None) == {}


@needs_tshark
@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress], ids=["gzip", "xz"])
def test_compressed_files(capture: Path, pack: Callable[[bytes], bytes]) -> None:
    packed = capture.with_suffix(".packed")
    packed.write_bytes(pack(capture.read_bytes()))
    assert found(packed, "tcp || icmp") == frames_of(capture)


@needs_tshark
@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("tcp.prt == 22", r"tcp\.prt.*character 1: tcp\.prt"),
        ("tcp.port ==", "Unexpected end"),
        ("tcp) || (udp", r'"\)" was unexpected.*character 4'),
        ("ip.addr == 1.2.3.4.5 and tcp", "character 12: 1.2.3.4.5"),
    ],
)
def test_a_bad_filter_is_refused_in_tsharks_words(capture: Path, expression: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        matching(capture, expression, None, lambda _: None)


@needs_tshark
def test_a_capture_cut_short_is_told_and_its_beginning_counts(capture: Path) -> None:
    everything = frames_of(capture)
    capture.write_bytes(capture.read_bytes()[:-400])
    told: list[str] = []
    good = list(matching(capture, "tcp || icmp", None, told.append).between(1, 99))
    assert 0 < len(good) < len(everything)
    assert good == everything[: len(good)]
    assert len(told) == 1
    assert "tshark stopped before the end" in told[0]


def test_what_cannot_be_read_twice_is_refused(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    holder = os.open(pipe, os.O_RDWR)
    try:
        for path in (Path("-"), pipe):
            with pytest.raises(UsageError, match="twice"):
                matching(path, "tcp", None, lambda _: None)
    finally:
        os.close(holder)
    with pytest.raises(UnreadableCapture, match="No such file"):
        matching(tmp_path / "nowhere", "tcp", None, lambda _: None)


def test_without_tshark_it_says_what_to_install(capture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(CannotMeasure, match=r"tshark is not installed.*apt install tshark"):
        tshark.ready(capture)


def test_without_pyshark_it_says_what_to_install(capture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = "import sys; sys.modules['pyshark'] = None; "
    monkeypatch.setattr(tshark, "_BOOT", hidden + tshark._BOOT)
    with pytest.raises(CannotMeasure, match=r"pyshark can't be loaded.*pip install pyshark"):
        tshark.ready(capture)


@needs_tshark
def test_it_works_in_a_thread_and_beside_an_event_loop(capture: Path) -> None:
    results: list[list[int]] = []
    thread = threading.Thread(target=lambda: results.append(found(capture, "icmp")))
    thread.start()
    thread.join()

    async def inside() -> list[int]:
        return found(capture, "icmp")

    results.append(asyncio.run(inside()))
    results.append(found(capture, "icmp"))
    assert results == [[frames_of(capture)[3]]] * 3


@needs_tshark
def test_a_config_file_of_the_current_directory_starts_nothing(
    capture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    trap.chmod(0o755)
    (tmp_path / "config.ini").write_text(f"[tshark]\ntshark_path = {trap}\n")
    monkeypatch.chdir(tmp_path)
    assert found(capture, "icmp")
    assert not (tmp_path / "sprung").exists()


def fake(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put another tshark before the real one."""
    folder.mkdir(mode=0o755)
    program = folder / "tshark"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


FAKE = 'case "$*" in -v) echo "TShark (Wireshark) 4.0.17 (x)"; exit 0;; *"-Y frame"*) exit 0;; esac'


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give it away")
def test_tshark_never_runs_as_root(capture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path("/tmp") / f"netprobe-test-{os.getpid()}"
    rights = "$(id -u) $(grep CapEff /proc/self/status | cut -f2)"
    fake(folder, f'{FAKE}\necho "tshark: I am {rights}" >&2; exit 2', monkeypatch)
    monkeypatch.delenv("SUDO_UID", raising=False)
    capture.chmod(0o600)  # which only root may open: it is read all the same
    try:
        with pytest.raises(UsageError, match="I am 65534 0000000000000000"):
            matching(capture, "tcp", None, lambda _: None)
    finally:
        shutil.rmtree(folder)


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("tshark") is None, reason="needs root and tshark")
def test_a_file_that_only_root_can_read_is_read(capture: Path) -> None:
    capture.chmod(0o600)
    assert found(capture, "icmp")


@pytest.fixture
def open_folder() -> Path:
    """A folder that any user can enter."""
    return Path("/tmp") / f"netprobe-test-{os.getpid()}-fake"


def test_one_that_hangs_is_ended(capture: Path, open_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(open_folder, f"{FAKE}\ncat >/dev/null; sleep 600", monkeypatch)
    monkeypatch.setattr(tshark, "STALLED_S", 2.0)
    try:
        with pytest.raises(CannotMeasure, match="no progress for 2 s"):
            headers(capture, [1], None, lambda _: None)
    finally:
        shutil.rmtree(open_folder)


def test_one_that_fails_without_a_word(capture: Path, open_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(open_folder, f"{FAKE}\ncase \"$*\" in *json*) cat >/dev/null; sleep 0.2; kill -SEGV $$;; esac", monkeypatch)
    try:
        with pytest.raises(CannotMeasure, match=r"tshark, through pyshark, failed: .*(code -11|crashed)"):
            headers(capture, [1], None, lambda _: None)
    finally:
        shutil.rmtree(open_folder)


def test_an_interrupt_leaves_nothing_behind(capture: Path, open_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(open_folder, f"{FAKE}\ncase \"$*\" in *json*) exec sleep 617;; esac", monkeypatch)
    program = (
        "import sys; from pathlib import Path; from netprobe.wire import tshark\n"
        "tshark.headers(Path(sys.argv[1]), [1], lambda a, b: print('alive', flush=True), print)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(capture)],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=Path(__file__).parent.parent.parent,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"alive\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(30) != 0
        process.stdout.close()
        until = time.monotonic() + 10
        while _running("sleep 617") and time.monotonic() < until:
            time.sleep(0.05)
        assert not _running("sleep 617")
    finally:
        process.kill()
        shutil.rmtree(open_folder)


def _running(words: str) -> bool:
    wanted = words.encode().replace(b" ", b"\0") + b"\0"
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if entry.read_bytes() == wanted:
                return True
        except OSError:
            continue
    return False
