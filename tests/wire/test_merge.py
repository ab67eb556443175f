"""Several captures as one: in time order, none of them out of its own, and no frame lost."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netprobe.errors import UnreadableCapture
from netprobe.model import DropFact, Fact, Frame, Record
from netprobe.wire import merge
from netprobe.wire.batches import Compile
from netprobe.wire.merge import MergedCaptures
from netprobe.wire.writer import CaptureWriter
from tests.wire.files import enhanced, interface, pcap_header, pcap_record, section, statistics
from tests.wire.test_batches import MODES, rows


def write(folder: Path, times: list[list[int]]) -> list[Path]:
    """A pcap file for each list of seconds; every frame says which file and which frame of it."""
    paths = [folder / f"{n}.pcap" for n in range(len(times))]
    for n, seconds in enumerate(times):
        frames = [pcap_record(bytes([n, i]) + bytes(i % 5), seconds=second) for i, second in enumerate(seconds)]
        paths[n].write_bytes(pcap_header() + b"".join(frames))
    return paths


def open_files() -> int:
    return len([*Path("/proc/self/fd").iterdir()])


def expected(times: list[list[int]]) -> list[tuple[int, int]]:
    """(file, frame) in order, one record at a time: the file goes on whose next record is the earliest."""
    at = [0] * len(times)
    found = []
    while any(i < len(seconds) for i, seconds in zip(at, times, strict=True)):
        heads = [(seconds[i], n) for n, (i, seconds) in enumerate(zip(at, times, strict=True)) if i < len(seconds)]
        _, n = min(heads)
        found.append((n, at[n]))
        at[n] += 1
    return found


@pytest.mark.parametrize("compiled", MODES)
def test_the_order_is_that_of_time(compiled: Compile | None, tmp_path: Path) -> None:
    @settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.lists(st.lists(st.integers(0, 12), max_size=12), min_size=1, max_size=4), st.sampled_from([1, 7, 1000]))
    def check(times: list[list[int]], size: int) -> None:
        merged = MergedCaptures(write(tmp_path, times))
        found = [one for batch in merged.batches(size, compiled) for one in rows(batch)]
        frames = [one for one in found if not isinstance(one, Fact)]
        assert [(data[0], data[1]) for _, _, _, data, _, _ in frames] == expected(times)
        assert [number for number, *_ in frames] == [*range(1, len(frames) + 1)]
        for number, (file, frame) in enumerate(expected(times), 1):
            assert merged.place(number) == (str(tmp_path / f"{file}.pcap"), frame + 1)
        assert merged.place(0) is None
        assert merged.place(len(frames) + 1) is None

    check()


def test_a_rotated_capture_is_open_one_file_at_a_time(tmp_path: Path) -> None:
    paths = write(tmp_path, [[n * 10, n * 10 + 9] for n in range(200)])
    before = open_files()
    merged = MergedCaptures(reversed(paths))
    most = 0
    count = 0
    for batch in merged.batches():
        most = max(most, open_files() - before)
        count += batch.count
    assert count == 400
    assert most <= 3
    assert merged.place(400) == (str(paths[-1]), 2)
    assert open_files() == before


def test_facts_keep_their_place_among_frames(tmp_path: Path) -> None:
    def frame(number: int, second: int) -> Frame:
        return Frame(number, second * 10**9, 1, bytes([second]) * 20, 20)

    one: list[Record] = [frame(1, 1), DropFact(number=2, time_ns=2 * 10**9, count=1), frame(3, 5)]
    two: list[Record] = [frame(1, 3), DropFact(number=2, time_ns=9 * 10**9, count=2)]
    for name, records in (("one", one), ("two", two)):
        writer = CaptureWriter(os.open(tmp_path / name, os.O_RDWR | os.O_CREAT), name)
        for record in records:
            writer.write(record)
        writer.flush()
        writer.close()
    found = list(MergedCaptures([tmp_path / "one", tmp_path / "two"]))
    assert [record.number for record in found] == [1, 2, 3, 4, 5]
    told = [record.data[0] if isinstance(record, Frame) else f"drop {record.count}" for record in found]  # type: ignore[attr-defined]
    assert told.index(1) < told.index("drop 1") < told.index(5)
    assert told.index(3) < told.index("drop 2")
    assert [one for one in told if isinstance(one, int)] == [1, 3, 5]


def test_what_is_wrong_stands_with_its_file(tmp_path: Path) -> None:
    (good, damaged, cut, strange) = write(tmp_path, [[1, 5], [2], [3, 4], []])
    damaged.write_bytes(damaged.read_bytes() + b"\xff" * 20)
    cut.write_bytes(cut.read_bytes()[:-1])
    strange.write_bytes(b"not a capture")
    merged = MergedCaptures([good, damaged, cut, strange, tmp_path / "missing"])
    assert len(list(merged)) == 4
    assert [len(part.damage) for part in merged.parts] == [0, 1, 1, 0, 0]
    assert [part.damage[0].notice for part in merged.parts if part.damage] == [False, True]
    assert [part.unreadable is not None for part in merged.parts] == [False, False, False, True, True]
    with pytest.raises(UnreadableCapture, match="not a capture"):
        MergedCaptures([strange])


def test_drops_are_added_up(tmp_path: Path) -> None:
    for name, drops in (("a", 3), ("b", 4)):
        (tmp_path / name).write_bytes(section() + interface() + enhanced() + statistics(dropped=drops))
    merged = MergedCaptures([tmp_path / "a", tmp_path / "b"])
    assert len(list(merged)) == 2
    assert merged.dropped == 7


def test_a_pipe_among_files(tmp_path: Path) -> None:
    (path,) = write(tmp_path, [[1, 3]])
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    (tmp_path / "data").write_bytes(pcap_header() + pcap_record(b"x", seconds=2))
    with subprocess.Popen(["sh", "-c", f"cat '{tmp_path}/data' > '{fifo}'"]):
        assert [record.time_ns // 10**9 for record in MergedCaptures([path, fifo])] == [1, 2, 3]


def test_account_is_kept_as_long_as_it_stays_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merge, "_MOST_RUNS", 4)
    merged = MergedCaptures(write(tmp_path, [[1, 3, 5, 7], [2, 4, 6, 8]]))
    assert len(list(merged)) == 8
    assert merged.place(4) == (str(tmp_path / "1.pcap"), 2)
    assert merged.place(5) is None
