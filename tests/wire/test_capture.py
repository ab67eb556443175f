"""Capture files: what is written is read back, other programs read it too, and no file makes the reader raise."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import shutil
import struct
import subprocess
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netprobe import model
from netprobe.errors import CaptureWriteError, UnreadableCapture
from netprobe.model import (
    ConnectionFact,
    DropFact,
    Endpoint,
    Fact,
    Frame,
    IcmpError,
    NeighborFact,
    Record,
    ResolvedFact,
    RouteFact,
    TargetFact,
)
from netprobe.wire import facts
from netprobe.wire.capture import CaptureReader
from netprobe.wire.writer import CaptureWriter

NOW = 1_795_234_139_099_189_281
SLL2 = bytes.fromhex("0800000000000002000104060011223344550000")
SYN = bytes.fromhex(
    "4548003c62a040004006d3d6c0000201c00002029c4000160000000100000000a002faf06d130000020405b40402080ad82c07cd"
    "000000000103030a"
)
RECORDS: list[Record] = [
    TargetFact(number=1, time_ns=NOW, target="host.example", address="192.0.2.2", port=22),
    ResolvedFact(
        number=2,
        time_ns=NOW + 1,
        name="host.example",
        outcome="ok",
        addresses=("192.0.2.2", "2001:db8::1", "fe80::1%eth0"),
    ),
    Frame(3, NOW + 2, 276, SLL2 + SYN, 80, True, "eth0"),
    Frame(4, NOW + 3, 276, SLL2 + SYN, 80, False, "eth0"),
    ConnectionFact(
        number=5,
        time_ns=NOW + 4,
        id=1,
        server=Endpoint("2001:db8::1", 22),
        event="icmp",
        error="EHOSTUNREACH",
        icmp=IcmpError(version=6, type=1, code=1, sender="2001:db8::9", ttl=63),
        data=b"\0\xff",
    ),
    Frame(6, NOW + 5, 276, SLL2 + SYN[:33], 80, None, "lo"),
    DropFact(number=7, time_ns=NOW + 6, count=3),
]


def save(path: Path, records: list[Record], comments: dict[int, list[str]] | None = None) -> None:
    writer = CaptureWriter(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC), str(path), about="a test\x1b[31m")
    for record in records:
        writer.write(record)
    writer.flush()
    writer.close(comments)


def read(data: bytes) -> tuple[list[Record], CaptureReader]:
    reader = CaptureReader(io.BytesIO(data))
    return list(reader), reader


# --------------------------------------------------------------------------- writing


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "scan.pcapng"
    save(path, RECORDS, {4: ["REFUSED: \x1b[0m", "two"], 6: ["last"], 5: ["a fact can't carry one"]})
    reader = CaptureReader(path)
    assert list(reader) == RECORDS
    assert reader.damage == ()
    assert reader.dropped == 3
    assert reader.about == "a test\\x1b[31m"
    assert reader.comments == {4: ("REFUSED: \\x1b[0m", "two"), 6: ("last",)}


@pytest.mark.skipif(shutil.which("tshark") is None, reason="needs tshark")
def test_wireshark_reads_it_with_our_numbers(tmp_path: Path) -> None:
    path = tmp_path / "scan.pcapng"
    save(path, RECORDS, {4: ["REFUSED"]})

    def tshark(*arguments: str) -> list[str]:
        words = ["tshark", "-n", "-r", str(path), *arguments]
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()

    assert tshark("-T", "fields", "-e", "frame.number") == [str(r.number) for r in RECORDS]
    assert tshark("-Y", "frame.comment", "-T", "fields", "-e", "frame.number", "-e", "frame.comment") == ["4\tREFUSED"]
    times = tshark("-Y", "tcp", "-T", "fields", "-e", "frame.time_epoch")
    assert times == [f"{r.time_ns // 10**9}.{r.time_ns % 10**9:09}" for r in RECORDS if isinstance(r, Frame)]
    journal = tshark("-Y", "frame.number == 1")
    assert "host.example" in journal[0]


@pytest.mark.skipif(shutil.which("tcpdump") is None, reason="needs tcpdump")
def test_tcpdump_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "scan.pcapng"
    save(path, RECORDS, {4: ["REFUSED"]})
    lines = subprocess.run(
        ["tcpdump", "-nr", str(path)], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    assert len(lines) == 3
    assert "192.0.2.1.40000 > 192.0.2.2.22: Flags [S]" in lines[0]


def test_every_flush_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "scan.pcapng"
    writer = CaptureWriter(os.open(path, os.O_RDWR | os.O_CREAT), str(path))
    for count, record in enumerate(RECORDS, 1):
        writer.write(record)
        writer.flush()
        found, reader = read(path.read_bytes())
        assert (len(found), reader.damage) == (count, ())
    writer.abandon()


def test_a_pipe_gets_the_packets_without_comments() -> None:
    end, start = os.pipe()
    writer = CaptureWriter(start, "-")
    for record in RECORDS:
        writer.write(record)
    writer.close({3: ["not here"]})
    with os.fdopen(end, "rb") as stream:
        found, reader = read(stream.read())
    assert found == RECORDS
    assert reader.comments == {}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_says_what_to_do() -> None:
    writer = CaptureWriter(os.open("/dev/full", os.O_RDWR), "/dev/full")
    writer.write(RECORDS[0])
    with pytest.raises(CaptureWriteError, match=r"/dev/full failed: No space left on device.*make room"):
        writer.flush()


def test_a_failed_write_is_cut_off_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "scan.pcapng"
    writer = CaptureWriter(os.open(path, os.O_RDWR | os.O_CREAT), str(path))
    writer.write(RECORDS[0])
    writer.flush()
    real = os.write
    monkeypatch.setattr(os, "write", _full_after(50, real))
    writer.write(RECORDS[2])
    with pytest.raises(CaptureWriteError):
        writer.flush()
    found, reader = read(path.read_bytes())
    assert (found, reader.damage) == (RECORDS[:1], ())


def test_no_room_for_comments_keeps_the_packets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "scan.pcapng"

    def full(*_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    save(path, RECORDS, {3: ["x"]})
    found, reader = read(path.read_bytes())
    assert (found, reader.damage, reader.comments) == (RECORDS, (), {})


def _full_after(count: int, write: Callable[[int, Any], int]) -> Callable[[int, Any], int]:
    left = [count]

    def limited(descriptor: int, data: Any) -> int:
        if left[0] == 0:
            raise OSError(28, "No space left on device")
        done = write(descriptor, bytes(data)[: left[0]])
        left[0] -= done
        return done

    return limited


# --------------------------------------------------------------------------- facts


def _some(fact: type[Fact]) -> st.SearchStrategy[Fact]:
    return st.builds(fact, **{f.name: st.from_type(_hint(fact, f.name)) for f in fields(fact)})


def _hint(noun: type, name: str) -> Any:
    import typing

    return typing.get_type_hints(noun)[name]


_KINDS = [c for c in vars(model).values() if isinstance(c, type) and issubclass(c, Fact) and c is not Fact]


@pytest.mark.parametrize("kind", _KINDS)
def test_a_fact_survives_its_text(kind: type[Fact]) -> None:
    @settings(max_examples=30)
    @given(_some(kind))
    def check(fact: Fact) -> None:
        text = facts.dump(fact)
        assert text.isascii()
        assert text.isprintable()
        assert facts.load(text, fact.number) == fact
        assert facts.message(fact).isprintable()

    check()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "7",
        "{}",
        '{"kind":"unheard-of"}',
        '{"kind":"drop"}',
        '{"kind":"drop","count":"3"}',
        '{"kind":"drop","count":true}',
        '{"kind":["drop"],"count":3}',
        '{"kind":"resolved","name":"x","outcome":"ok","addresses":"abc"}',
        '{"kind":"connection","id":1,"server":{"address":"x"},"event":"open"}',
        '{"kind":"connection","id":1,"server":{"address":"x","port":1},"event":"open","data":"\\u0000"}',
        '{"kind":"target","target":"x","address":null,"port":1,"mode":"telepathy"}',
        "[" * 100_000,
    ],
)
def test_a_strange_fact_is_none(text: str) -> None:
    assert facts.load(text, 1) is None


@pytest.mark.parametrize(
    ("fact", "plausible"),
    [
        *((record, True) for record in RECORDS if isinstance(record, Fact)),
        (TargetFact(target="x", address="fe80::1%eth0", port=22), True),
        (TargetFact(target="x", address="192.0.2.256", port=22), False),
        (TargetFact(target="x", address=None, port=1 << 63), False),
        (RouteFact(address="192.0.2.1", outcome="ok", gateway="next door"), False),
        (ResolvedFact(name="x", outcome="ok", addresses=("192.0.2.1", "x")), False),
        (ConnectionFact(id=1, server=Endpoint("x", 1), event="open"), False),
    ],
)
def test_what_a_file_may_say(fact: Fact, plausible: bool) -> None:
    assert facts.plausible(fact) is plausible
    path_text = f"NETPROBE_FACT={facts.dump(fact)}\n".encode()
    found, reader = read(section() + block("<", 9, path_text) + block("<", 9, path_text))
    assert [record.number for record in found] == ([1, 2] if plausible else [])
    assert reader.damage == ()


def test_fields_of_a_later_version_are_passed_over() -> None:
    fact = NeighborFact(number=3, time_ns=5, address="192.0.2.1", state="failed")
    assert facts.load(facts.dump(fact)[:-1] + ',"later":[1]}', 3) == fact


# --------------------------------------------------------------------------- reading


def pcap(order: str = "<", magic: int = 0xA1B2C3D4, link_type: int = 1) -> bytes:
    header = struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 65535, link_type)
    record = struct.pack(f"{order}IIII", 1_700_000_000, 123_456, 4, 60) + b"abcd"
    return header + record + record


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("magic", "fraction_ns"), [(0xA1B2C3D4, 123_456_000), (0xA1B23C4D, 123_456)])
def test_classic_pcap(order: str, magic: int, fraction_ns: int) -> None:
    found, reader = read(pcap(order, magic))
    time_ns = 1_700_000_000_000_000_000 + fraction_ns
    assert found == [Frame(n, time_ns, 1, b"abcd", 60) for n in (1, 2)]
    assert reader.damage == ()


def test_a_cut_off_end_is_a_notice() -> None:
    found, reader = read(pcap()[:-1])
    assert len(found) == 1
    assert [(d.offset, d.notice) for d in reader.damage] == [(44, True)]


def test_an_impossible_length_ends_the_reading_with_its_offset() -> None:
    data = pcap() + struct.pack("<IIII", 0, 0, 0xFFFFFFFF, 60)
    found, reader = read(data)
    assert len(found) == 2
    assert [(d.offset, d.notice) for d in reader.damage] == [(64, False)]


def block(order: str, kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    return struct.pack(f"{order}II", kind, len(body) + 12) + body + struct.pack(f"{order}I", len(body) + 12)


def option(order: str, code: int, value: bytes) -> bytes:
    return struct.pack(f"{order}HH", code, len(value)) + value + bytes(-len(value) % 4)


def section(order: str = "<", major: int = 1) -> bytes:
    return block(order, 0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, major, 0, -1))


def interface(order: str = "<", link_type: int = 1, snap: int = 0, options: bytes = b"") -> bytes:
    return block(order, 1, struct.pack(f"{order}HHI", link_type, 0, snap) + options)


def packet(order: str = "<", index: int = 0, ticks: int = 0, data: bytes = b"abcd", options: bytes = b"") -> bytes:
    head = struct.pack(f"{order}IIIII", index, ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(data))
    return block(order, 6, head + data + bytes(-len(data) % 4) + options)


@pytest.mark.parametrize("order", ["<", ">"])
def test_sections_and_interfaces_of_every_kind(order: str) -> None:
    other = "<" if order == ">" else ">"
    data = (
        section(order)
        + interface(order, 1, options=option(order, 2, b"eth0"))
        + interface(order, 101, options=option(order, 9, b"\x09") + option(order, 14, struct.pack(f"{order}q", 10)))
        + packet(order, 0, 1_000_001)
        + packet(order, 1, 7)
        + section(other)
        + interface(other, 113, options=option(other, 9, b"\x83"))
        + packet(other, 0, 9, b"\x00\x04" + bytes(14))
        + packet(other, 0, 8, b"\x00\x00" + bytes(14), option(other, 2, struct.pack(f"{other}I", 2)))
    )
    found, reader = read(data)
    assert found == [
        Frame(1, 1_000_001_000, 1, b"abcd", 4, None, "eth0"),
        Frame(2, 10_000_000_007, 101, b"abcd", 4),
        Frame(3, 1_125_000_000, 113, b"\x00\x04" + bytes(14), 16, True),
        Frame(4, 1_000_000_000, 113, bytes(16), 16, True),
    ]
    assert reader.damage == ()


def test_simple_and_obsolete_packets_and_what_gives_no_record() -> None:
    data = (
        section()
        + interface(snap=4)
        + block("<", 3, struct.pack("<I", 60) + b"abcd")
        + block("<", 9, b"__REALTIME_TIMESTAMP=1\nMESSAGE=of another program\n")
        + block("<", 0x77, b"unknown")
        + block("<", 0xBAD, struct.pack("<I", 32473) + b"custom")
        + block("<", 2, struct.pack("<HHIIII", 0, 0, 0, 5, 4, 9) + b"wxyz")
    )
    found, reader = read(data)
    assert found == [Frame(1, 0, 1, b"abcd", 60), Frame(4, 5000, 1, b"wxyz", 9)]
    assert reader.damage == ()


@pytest.mark.parametrize(
    ("damaged", "frames", "says"),
    [
        (packet(index=5), 2, "interface 5"),
        (block("<", 6, b"short"), 2, "requires"),
        (block("<", 6, struct.pack("<IIIII", 0, 0, 0, 99, 99)), 2, "99 bytes"),
        (struct.pack("<II", 6, 11) + bytes(40), 1, "11 bytes is impossible"),
        (struct.pack("<II", 6, 0xFFFFFFFF) + bytes(40), 1, "4294967295 bytes is impossible"),
        (packet()[:-4] + struct.pack("<I", 16), 1, "says 16 at its end"),
        (b"\x0a\x0d\x0d\x0a" + struct.pack("<II", 28, 7) + bytes(16), 1, "byte order"),
        (section(major=9), 1, "version 9"),
    ],
)
def test_damage_is_told_with_its_offset(damaged: bytes, frames: int, says: str) -> None:
    start = section() + interface() + packet()
    found, reader = read(start + damaged + packet())
    assert len(found) == frames
    assert reader.damage[0].offset == len(start)
    assert says in reader.damage[0].what


def test_time_resolutions_out_of_this_world() -> None:
    for resolution in (0x7F, 0x80, 0xFF, 0x00):
        data = section() + interface(options=option("<", 9, bytes([resolution]))) + packet(ticks=(1 << 64) - 1)
        found, _ = read(data)
        assert abs(found[0].time_ns) < 1 << 63


@pytest.mark.parametrize("data", [b"", b"x", b"hello, world", gzip.compress(b"x", mtime=0), b"\x0a\x0d\x0d"])
def test_what_is_no_capture(data: bytes) -> None:
    with pytest.raises(UnreadableCapture, match="not a capture"):
        read(data)


def test_what_can_not_be_opened(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.pcap", tmp_path, "nul\0byte"):
        with pytest.raises(UnreadableCapture, match="can't be read"):
            CaptureReader(path)


_STARTS = st.sampled_from(
    [b"", pcap(), pcap(">"), pcap()[:24], section() + interface(), section(">") + interface(">") + packet(">")]
)
_BLOCKS = st.builds(block, st.just("<"), st.sampled_from([1, 2, 3, 4, 5, 6, 9, 10, 0x0A0D0D0A]), st.binary(max_size=60))


@settings(max_examples=1500)
@given(_STARTS, st.lists(_BLOCKS | st.binary(max_size=30), max_size=5))
def test_no_bytes_make_the_reader_raise(start: bytes, rest: list[bytes]) -> None:
    with contextlib.suppress(UnreadableCapture):
        found, _ = read(start + b"".join(rest))
        assert all(record.number > 0 for record in found)


@settings(max_examples=500)
@given(st.data())
def test_a_flipped_byte_never_makes_the_reader_raise(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    whole = _saved(tmp_path_factory)
    at = data.draw(st.integers(0, len(whole) - 1))
    changed = whole[:at] + bytes([data.draw(st.integers(0, 255))]) + whole[at + 1 :]
    with contextlib.suppress(UnreadableCapture):
        read(changed[: data.draw(st.integers(4, len(changed)))])


def _saved(factory: pytest.TempPathFactory) -> bytes:
    path = factory.getbasetemp() / "whole.pcapng"
    if not path.exists():
        save(path, [replace(r) for r in RECORDS], {3: ["comment"]})
    return path.read_bytes()
