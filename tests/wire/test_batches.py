"""Both ways of reading a capture give the same: record by record, and in batches, interpreted and compiled."""

from __future__ import annotations

import importlib.util
import io
import os
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netprobe.errors import UnreadableCapture
from netprobe.model import Fact, Frame, Record, TargetFact
from netprobe.wire.batches import Batch, Compile
from netprobe.wire.blocks import Damage
from netprobe.wire.capture import CaptureReader
from netprobe.wire.writer import CaptureWriter
from tests.wire.files import (
    FRAME,
    RAW,
    block,
    enhanced,
    interface,
    legal_files,
    obsolete,
    option,
    pcap_header,
    pcap_record,
    section,
    simple,
    statistics,
)

CAPTURES = Path(__file__).parents[2] / "captures"
LEGAL = legal_files()
# What a batch says of a frame.
Row = tuple[int, int, int, bytes, int, int]


@cache
def _functions() -> Any:
    from netprobe.settling import engines

    engine = engines.choose(0, lambda _: None, wanted=True)
    assert engine.compiled
    return engine.functions


def _compile(loop: Callable[..., None]) -> Callable[..., None]:
    return getattr(_functions(), loop.__name__)  # type: ignore[no-any-return]


MODES = [
    pytest.param(None, id="interpreted"),
    pytest.param(
        _compile,
        id="compiled",
        marks=pytest.mark.skipif(importlib.util.find_spec("numba") is None, reason="needs numba"),
    ),
]


def row(record: Record) -> Row | Fact:
    if isinstance(record, Frame):
        way = -1 if record.outgoing is None else int(record.outgoing)
        return record.number, record.time_ns, record.link_type, record.data, record.length, way
    return record


def rows(batch: Batch) -> list[Row | Fact]:
    """What a batch holds, in order."""
    found: list[Row | Fact] = []
    facts = list(batch.facts)
    for i in range(batch.count):
        while facts and facts[0][0] == i:
            found.append(facts.pop(0)[1])
        number, time_ns, link, length, way = (
            int(column[i]) for column in (batch.numbers, batch.times, batch.links, batch.lengths, batch.outgoings)
        )
        found.append((number, time_ns, link, bytes(batch.buffer[batch.starts[i] : batch.ends[i]]), length, way))
    assert all(at == batch.count for at, _ in facts)
    return found + [fact for _, fact in facts]


def in_batches(
    data: bytes, compiled: Compile | None = None, window: int = 1 << 16, size: int = 1000
) -> tuple[list[Row | Fact], tuple[Damage, ...], int, dict[int, tuple[str, ...]]]:
    reader = CaptureReader(io.BytesIO(data), window=window)
    found = [one for batch in reader.batches(size, compiled) for one in rows(batch)]
    return found, reader.damage, reader.dropped, reader.comments


def by_record(data: bytes) -> tuple[list[Row | Fact], tuple[Damage, ...], int, dict[int, tuple[str, ...]]]:
    reader = CaptureReader(io.BytesIO(data))
    found = [row(record) for record in reader]
    return found, reader.damage, reader.dropped, reader.comments


@pytest.mark.parametrize("compiled", MODES)
@pytest.mark.parametrize("name", sorted(LEGAL))
def test_legal_files(name: str, compiled: Compile | None) -> None:
    legal = LEGAL[name]
    expected = by_record(legal.data)
    assert (len(expected[0]), expected[1], expected[2]) == (legal.frames, (), legal.dropped)
    for window, size in ((64, 1), (1 << 16, 2), (1 << 16, 1000)):
        assert in_batches(legal.data, compiled, window, size) == expected


@pytest.mark.parametrize("name", sorted(name for name in LEGAL if name.endswith(", big")))
def test_byte_order_makes_no_difference(name: str) -> None:
    assert by_record(LEGAL[name].data) == by_record(LEGAL[name.replace(", big", ", little")].data)


@pytest.mark.skipif(shutil.which("tshark") is None, reason="needs tshark")
@pytest.mark.parametrize("name", sorted(name for name in LEGAL if not name.endswith(", big")))
def test_tshark_agrees_on_legal_files(name: str, tmp_path: Path) -> None:
    """Numbers, times, lengths and bytes."""
    path = tmp_path / "capture"
    path.write_bytes(LEGAL[name].data)
    fields = [word for name in ("number", "time_epoch", "cap_len", "len") for word in ("-e", f"frame.{name}")]
    done = subprocess.run(
        ["tshark", "-n", "-r", str(path), "-T", "fields", *fields], check=True, capture_output=True, text=True
    )
    ours = []
    for record in CaptureReader(path):
        assert isinstance(record, Frame)
        seconds, fraction = divmod(record.time_ns, 1_000_000_000)
        time = "" if "simple" in name else f"{seconds}.{fraction:09}"  # they have none
        ours.append(f"{record.number}\t{time}\t{len(record.data)}\t{record.length}")
    assert ours == done.stdout.splitlines()


@pytest.mark.skipif(shutil.which("capinfos") is None, reason="needs tshark")
def test_capinfos_counts_the_same_everywhere(tmp_path: Path) -> None:
    """In every capture of the project, and in every legal file."""
    paths = sorted(CAPTURES.glob("*.pcapng"))
    assert paths
    for number, legal in enumerate(LEGAL.values()):
        paths.append(tmp_path / f"{number}.legal")
        paths[-1].write_bytes(legal.data)
    command = ["capinfos", "-T", "-r", "-c", "-M"]
    told = subprocess.run([*command, *map(str, paths)], check=True, capture_output=True, text=True).stdout
    theirs = {Path(name).name: int(count) for name, count in (line.split("\t") for line in told.splitlines())}
    ours = {path.name: sum(isinstance(record, Frame) for record in CaptureReader(path)) for path in paths}
    assert ours == theirs


@pytest.mark.parametrize("compiled", MODES)
def test_every_capture_of_the_project(compiled: Compile | None) -> None:
    for path in sorted(CAPTURES.glob("*.pcapng")):
        data = path.read_bytes()
        found = in_batches(data, compiled)
        assert found == by_record(data)
        assert not found[1], path.name


ORDERS = st.sampled_from("<>")
UNITS = st.sampled_from([0, 1, 10**15 + 7, (1 << 63) - 1, 1 << 63, (1 << 64) - 1]) | st.integers(0, (1 << 64) - 1)
DATA = st.sampled_from([b"", b"abc", FRAME, b"\0\4" + bytes(14), bytes(10) + b"\4" + bytes(9)]) | st.binary(max_size=30)
LINKS = st.sampled_from([0, 1, RAW, 113, 276, 65535])


@st.composite
def options(draw: st.DrawFn, order: str) -> bytes:
    codes = st.sampled_from([0, 1, 2, 4, 5, 9, 14, 2988]) | st.integers(0, 65535)
    values = st.sampled_from(
        [b"\1\0\0\0", b"\0\0\0\2", b"\x09", b"\x0c", b"\x94", b"\xa1", b"\xff", bytes(8), b"\xff" * 8]
    )
    parts = draw(st.lists(st.tuples(codes, values | st.binary(max_size=9)), max_size=3))
    return b"".join(option(code, value, order) for code, value in parts) + draw(st.sampled_from([b"", b"\0", bytes(4)]))


@st.composite
def pcapngs(draw: st.DrawFn) -> bytes:
    """A pcapng file of blocks in any order; most of them legal."""
    order = draw(ORDERS)
    parts = [section(order), interface(order, draw(LINKS), options=draw(options(order)))]
    for kind in draw(st.lists(st.sampled_from("SIIEEEEEEoosssxrcj"), max_size=12)):
        if kind == "S":
            order = draw(ORDERS)
            parts.append(section(order))
        elif kind == "I":
            snap = draw(st.sampled_from([0, 5, 65535]))
            parts.append(interface(order, draw(LINKS), snap, draw(options(order))))
        elif kind in "Eo":
            build = enhanced if kind == "E" else obsolete
            parts.append(build(draw(DATA), order, draw(st.integers(0, 2)), draw(UNITS), draw(options(order))))
        elif kind == "s":
            parts.append(simple(draw(DATA), order, draw(st.sampled_from([None, 5, 60, 1 << 31]))))
        elif kind == "x":
            parts.append(block(draw(st.integers(0, 12)), draw(st.binary(max_size=40)), order))
        elif kind == "r":
            parts.append(statistics(order, draw(st.integers(0, 2)), draw(st.integers(0, 1000))))
        elif kind == "c":
            parts.append(block(0xBAD, bytes(4), order))
        else:
            fact = '{"kind":"drop","time_ns":7,"count":3}' if draw(st.booleans()) else "{}"
            parts.append(block(9, f"NETPROBE_FACT={fact}\n".encode(), order))
    return b"".join(parts)


@st.composite
def pcaps(draw: st.DrawFn) -> bytes:
    order = draw(ORDERS)
    magic = draw(st.sampled_from([0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34]))
    extra = bytes(8) if magic == 0xA1B2CD34 else b""
    words = st.integers(0, (1 << 32) - 1)
    records = draw(st.lists(st.tuples(DATA, words, words, words), max_size=8))
    made = [pcap_record(data, order, *rest) for data, *rest in records]
    return pcap_header(order, magic, draw(LINKS)) + b"".join(one[:16] + extra + one[16:] for one in made)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """One of the above, perhaps with some bytes changed, perhaps cut."""
    data = bytearray(draw(pcaps() | pcapngs()))
    for at, value in draw(st.lists(st.tuples(st.integers(4, len(data)), st.integers(0, 255)), max_size=3)):
        if at < len(data):
            data[at] = value
    return bytes(data[: draw(st.just(len(data)) | st.integers(4, len(data)))])


@pytest.mark.parametrize("compiled", MODES)
def test_batches_and_records_are_the_same(compiled: Compile | None) -> None:
    @settings(max_examples=1500 if os.environ.get("CI") else 300)
    @given(damaged(), st.sampled_from([16, 64, 1 << 12]), st.sampled_from([1, 2, 1000]))
    def check(data: bytes, window: int, size: int) -> None:
        assert in_batches(data, compiled, window, size) == by_record(data)

    check()


def test_facts_keep_their_place(tmp_path: Path) -> None:
    records: list[Record] = [
        TargetFact(number=1, time_ns=5, target="a", address="192.0.2.1", port=22),
        Frame(2, 6, 1, FRAME, len(FRAME), True, "eth0"),
        TargetFact(number=3, time_ns=7, target="b", address="192.0.2.2", port=22),
        TargetFact(number=4, time_ns=8, target="c", address="192.0.2.3", port=22),
    ]
    path = tmp_path / "scan.pcapng"
    writer = CaptureWriter(os.open(path, os.O_RDWR | os.O_CREAT), str(path))
    for record in records:
        writer.write(record)
    writer.flush()
    writer.close()
    found = [(at, fact.number) for batch in CaptureReader(path).batches() for at, fact in batch.facts]
    assert found == [(0, 1), (1, 3), (1, 4)]


def test_a_pipe_gives_what_has_come() -> None:
    """A capture that is still being made: a batch for what is there, without waiting for more."""
    end, start = os.pipe()
    os.write(start, pcap_header() + pcap_record() + pcap_record()[:20])
    reader = CaptureReader(os.fdopen(end, "rb", buffering=0))
    batches = reader.batches()
    assert next(batches).count == 1
    os.write(start, pcap_record()[20:] + pcap_record())
    assert next(batches).count == 2
    os.close(start)
    assert list(batches) == []
    assert reader.damage == ()


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    end, start = os.pipe()
    data = pcap_header() + 5 * pcap_record()
    os.write(start, data)
    os.close(start)
    monkeypatch.setattr(os, "dup", lambda _: end)
    assert len(list(CaptureReader("-"))) == 5


def test_a_large_block_fits_through_a_small_window() -> None:
    data = section() + interface() + block(0x77, bytes(5 << 20)) + enhanced(bytes(200_000)) + enhanced()
    found, damage, _, _ = in_batches(data, window=64)
    assert [len(one[3]) for one in found if isinstance(one, tuple)] == [200_000, len(FRAME)]
    assert damage == ()


def test_a_batch_knows_its_place_in_the_file() -> None:
    data = pcap_header() + 100 * pcap_record()
    for batch in CaptureReader(io.BytesIO(data), window=1 << 10).batches():
        for i in range(batch.count):
            at = batch.base + batch.starts[i]
            assert data[at : at + len(FRAME)] == FRAME


def test_many_damages_are_counted() -> None:
    data = section() + interface() + 5000 * enhanced(index=9)
    reader = CaptureReader(io.BytesIO(data))
    assert list(reader) == []
    assert len(reader.damage) == 101
    assert "4900 more" in reader.damage[-1].what


def test_reading_may_stop_early() -> None:
    reader = CaptureReader(io.BytesIO(pcap_header() + 10 * pcap_record()))
    batches = reader.batches(2)
    assert next(batches).count == 2
    batches.close()  # type: ignore[attr-defined]


def test_a_batch_before_the_file_breaks_off() -> None:
    data = pcap_header() + 3 * pcap_record() + b"\xff" * 16
    found, damage, _, _ = in_batches(data)
    assert len(found) == 3
    assert damage[0].offset == len(data) - 16
    with pytest.raises(UnreadableCapture):
        CaptureReader(io.BytesIO(data[1:]))
