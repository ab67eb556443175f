"""Copies with comments: nothing but the comments differs, whatever the capture is made of."""

from __future__ import annotations

import gzip
import lzma
import os
import shutil
import struct
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from netprobe import annotate as driver
from netprobe.cli import run as main
from netprobe.errors import NetprobeError
from netprobe.model import Citation, Frame
from netprobe.report import json as report_json
from netprobe.wire.annotate import Annotated, annotate, empty
from netprobe.wire.capture import CaptureReader
from netprobe.wire.writer import SECTION, CaptureWriter
from tests.hostile import files as hostile_files
from tests.samples import HOSTILE, a_report, a_verdict
from tests.wire.files import block, enhanced, interface, legal_files, option, pcap_header, pcap_record, section, simple

CAPTURES = Path(__file__).parent.parent / "captures"
LEGAL = legal_files()
NO_ROOM = ("simple packets", "journal", "custom")  # kinds of blocks that can't have a comment


def copied(data: bytes, folder: Path, comments: Sequence[tuple[int, str]] = (), about: Sequence[str] = ()) -> bytes:
    """The copy of a file made of `data`."""
    return made(data, folder, comments, about)[0]


def made(
    data: bytes,
    folder: Path,
    comments: Sequence[tuple[int, str]] = (),
    about: Sequence[str] = (),
    stop: Callable[[], bool] = lambda: False,
) -> tuple[bytes, Annotated]:
    source, target = folder / "source", folder / "target.pcapng"
    source.write_bytes(data)
    descriptor = os.open(target, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    try:
        done = annotate(CaptureReader(source), descriptor, iter(comments), about, stop)
    finally:
        os.close(descriptor)
    return target.read_bytes(), done


def blocks(data: bytes) -> list[bytes]:
    """The blocks of a pcapng file."""
    found, at, order = [], 0, "<"
    while at < len(data):
        if data[at : at + 4] == b"\x0a\x0d\x0d\x0a":
            order = "<" if data[at + 8] == 0x4D else ">"
        length = struct.unpack_from(f"{order}I", data, at + 4)[0]
        found.append(data[at : at + length])
        at += length
    return found


def is_pcapng(name: str) -> bool:
    return name.startswith("pcapng")


@pytest.mark.parametrize("name", [name for name in LEGAL if is_pcapng(name)])
def test_without_comments_a_copy_is_the_file(name: str, tmp_path: Path) -> None:
    assert copied(LEGAL[name].data, tmp_path) == LEGAL[name].data


@pytest.mark.parametrize("name", list(LEGAL))
def test_comments_are_all_that_differs(name: str, tmp_path: Path) -> None:
    legal = LEGAL[name]
    comments = [(number, f"comment {number}") for number in range(1, legal.frames + 1)]
    data, done = made(legal.data, tmp_path, comments, ["on the file"])
    assert done.packets + done.without == legal.frames
    (tmp_path / "plain").write_bytes(legal.data)
    plain, copy = CaptureReader(tmp_path / "plain"), CaptureReader(tmp_path / "target.pcapng")
    was, became = list(plain), list(copy)
    # A pcap file says of no packet whether it was sent or received, unless its link type does.
    assert [replace(one, outgoing=None) if isinstance(one, Frame) else one for one in became] == [
        replace(one, outgoing=None) if isinstance(one, Frame) else one for one in was
    ]
    assert (copy.damage, copy.dropped) == ((), plain.dropped)
    assert "on the file" in copy.about
    told = {number: texts for number, texts in copy.comments.items() if f"comment {number}" in texts}
    assert len(told) == done.packets
    assert done.packets == legal.frames or any(kind in name for kind in NO_ROOM)
    if is_pcapng(name):
        before, after = blocks(legal.data), blocks(data)
        assert len(before) == len(after)
        changed = [n for n, pair in enumerate(zip(before, after, strict=True)) if pair[0] != pair[1]]
        assert len(changed) <= done.packets + 1 + legal.data.count(b"\x0a\x0d\x0d\x0a")


def test_a_section_of_known_length_still_knows_it(tmp_path: Path) -> None:
    for order in "<>":
        rest = interface(order) + enhanced(order=order) + simple(order=order)
        data = section(order, length=len(rest)) + rest + section(order, length=0)
        copy = blocks(copied(data, tmp_path, [(1, "four")], ["x"]))
        known = [struct.unpack_from(f"{order}q", one, 16)[0] for one in (copy[0], copy[4])]
        assert known == [sum(map(len, copy[1:4])), 0]
        assert known[0] > len(rest)


def test_options_stay_and_comments_follow_them(tmp_path: Path) -> None:
    flags, old, end = option(2, b"\1\0\0\0"), option(1, b"old"), option(0, b"")
    begin = section() + interface()
    expected = enhanced(options=flags + old + option(1, b"new") + end)
    assert copied(begin + enhanced(options=flags + old + end), tmp_path, [(1, "new")]) == begin + expected
    assert copied(begin + enhanced(options=flags + old), tmp_path, [(1, "new")]) == begin + expected
    assert copied(begin + enhanced(), tmp_path, [(1, "new")]) == begin + enhanced(options=option(1, b"new") + end)


def test_what_a_packet_says_already_is_not_said_twice(tmp_path: Path) -> None:
    data = section() + interface() + enhanced()
    once = copied(data, tmp_path, [(1, "one"), (1, "two"), (1, "one")], ["x"])
    assert copied(once, tmp_path, [(1, "one"), (1, "two")], ["x"]) == once
    assert once.count(b"one") == 1


def test_options_that_can_not_be_followed_are_left_alone(tmp_path: Path) -> None:
    data = section() + interface() + enhanced(options=struct.pack("<HH", 77, 999) + bytes(8))
    copy, done = made(data, tmp_path, [(1, "new")])
    assert (copy, done) == (data, Annotated(packets=0, without=1))


def test_control_characters_are_spelt_out(tmp_path: Path) -> None:
    copied(section() + interface() + enhanced(), tmp_path, [(1, HOSTILE)], [HOSTILE])
    reader = CaptureReader(tmp_path / "target.pcapng")
    list(reader)
    assert (reader.comments[1][0] + reader.about).replace("\n", "").isprintable()


def test_a_pcap_files_header_is_kept(tmp_path: Path) -> None:
    header = pcap_header(snap=77)[:20] + struct.pack("<I", 0x24000001)  # an FCS of 32 bits, Ethernet
    described = blocks(copied(header + pcap_record(), tmp_path))[1]
    assert struct.unpack_from("<HHI", described, 8) == (1, 0, 77)
    assert struct.unpack_from("<HHB", described, 16) == (13, 1, 32)


@pytest.mark.parametrize("cut", [1, 20, 40])
def test_a_cut_end_is_left_out(cut: int, tmp_path: Path) -> None:
    data = section() + interface() + enhanced() + enhanced()
    assert copied(data[:-cut], tmp_path) == section() + interface() + enhanced()


def test_in_a_pipe_no_length_is_told_that_may_change(tmp_path: Path) -> None:
    rest = interface() + enhanced()
    (tmp_path / "source").write_bytes(section(length=len(rest)) + rest)
    out, into = os.pipe()
    annotate(CaptureReader(tmp_path / "source"), into, iter([(1, "x")]), [], lambda: False)
    os.close(into)
    with os.fdopen(out, "rb") as pipe:
        assert pipe.read() == section() + interface() + enhanced(options=option(1, b"x") + option(0, b""))


def test_an_interrupt_leaves_whole_blocks(tmp_path: Path) -> None:
    data = section() + interface() + enhanced() * 5000
    looks = iter([False, False, True])
    copy, done = made(data, tmp_path, stop=lambda: next(looks))
    assert done.stopped
    assert data.startswith(copy)
    assert 0 < len(copy) < len(data)
    assert b"".join(blocks(copy)) == copy


HOSTILE_FILES = hostile_files()


@pytest.mark.parametrize("name", [name for name in HOSTILE_FILES if not name.startswith(("compressed", "packets"))])
def test_hostile_files_are_copied_or_left(name: str, tmp_path: Path) -> None:
    """Whatever stands in a file: the copy can be read as far as the file could, and nothing is raised."""
    data = HOSTILE_FILES[name]()[: 1 << 18]
    (tmp_path / "source").write_bytes(data)
    try:
        reader = CaptureReader(tmp_path / "source")
    except NetprobeError:
        return
    frames = sum(isinstance(one, Frame) for one in reader)
    copied(data, tmp_path, [(1, "one"), (2, "two")], ["about"])
    again = CaptureReader(tmp_path / "target.pcapng")
    assert sum(isinstance(one, Frame) for one in again) == frames


# --------------------------------------------------------------------------- the driver


def test_comments_are_put_in_order(tmp_path: Path) -> None:
    """Also where more come than are kept in memory."""
    data = section() + interface() + enhanced() * 900
    (tmp_path / "source").write_bytes(data)
    annotation = driver.Annotation(piece=4)
    numbers = [n * 37 % 900 + 1 for n in range(900)]
    for number in numbers:
        annotation.add(report_json.line(a_verdict(evidence=(Citation(number, 5, f"packet {number}"),), because=())))
    assert len(annotation._waiting) < 4
    target = os.open(tmp_path / "target.pcapng", os.O_RDWR | os.O_CREAT)
    done = annotation.write(tmp_path / "source", target, a_report(), lambda: False)
    annotation.close()
    os.close(target)
    assert done.packets == 900
    reader = CaptureReader(tmp_path / "target.pcapng")
    list(reader)
    assert all(f": packet {n}" in reader.comments[n][0] for n in range(1, 901))


def test_until_it_is_written_the_copy_says_that_it_is_not() -> None:
    assert b"not finished" in empty("this copy was not finished")
    assert len(blocks(empty("x"))) == 1


def packed(kind: str, data: bytes) -> bytes:
    return {"plain": data, "gzip": gzip.compress(data), "xz": lzma.compress(data)}[kind]


@pytest.mark.parametrize("kind", ["plain", "gzip", "xz"])
def test_analyze_writes_a_copy(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    original = (CAPTURES / "ack_drop_r2-server.pcapng").read_bytes()
    source, target = tmp_path / "in", tmp_path / "out.pcapng"
    source.write_bytes(packed(kind, original))
    assert main(["analyze", "--annotate", str(target), str(source)]) == 1
    assert "a copy with comments on 12 packets" in capsys.readouterr().err
    before, after = blocks(original), blocks(target.read_bytes())
    assert len(before) == len(after)
    assert [one[8:20] for one in before[1:]] == [one[8:20] for one in after[1:]]
    reader = CaptureReader(target)
    list(reader)
    assert reader.comments[6] == ("NP141 no-listener (likely): SYN ttl 62 tos 0x48 win 64240",)
    assert reader.comments[7][1].startswith("because: the SYN reached")
    assert "6 verdicts: no-listener 5, handshake-blocked 1" in reader.about
    assert main(["analyze", "--jsonl", str(source)]) == main(["analyze", "--jsonl", str(target)])
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if '"cause"' in line][:6] == [line for line in lines if '"cause"' in line][6:]


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark isn't installed")
def test_wireshark_shows_the_comments(tmp_path: Path) -> None:
    target = tmp_path / "out.pcapng"
    source = tmp_path / "in.pcap"
    subprocess.run(["tshark", "-F", "pcap", "-r", CAPTURES / "ack_drop_r2-server.pcapng", "-w", source], check=True,
                   capture_output=True, timeout=60)  # fmt: skip
    assert main(["analyze", "-q", "--annotate", str(target), str(source)]) == 1
    found = subprocess.run(
        ["tshark", "-r", target, "-Y", "frame.comment", "-T", "fields", "-e", "frame.number", "-e", "frame.comment"],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    lines = [line.split("\t") for line in found.stdout.splitlines()]
    assert [line[0] for line in lines] == ["1", "2", *map(str, range(6, 16))]
    assert lines[0][1] == "NP373 handshake-blocked (likely): SYN ttl 62 tos 0x00 win 64240"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--annotate", "-", "CAPTURE"], "a file of its own"),
        (["--annotate", "OUT", "CAPTURE", "CAPTURE"], "2 are given"),
        (["--annotate", "OUT", "-"], "reads the capture twice"),
        (["--annotate", "OUT", "/dev/null"], "reads the capture twice"),
        (["--annotate", "CAPTURE", "CAPTURE"], "would overwrite"),
    ],
)
def test_what_can_not_be_meant(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capture = tmp_path / "c.pcapng"
    shutil.copy(CAPTURES / "ack_drop_r2-server.pcapng", capture)
    words = {"CAPTURE": str(capture), "OUT": str(tmp_path / "out.pcapng")}
    assert main(["analyze", *(words.get(word, word) for word in arguments)]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out.pcapng").exists()


def test_a_saved_scan_says_what_it_found(tmp_path: Path) -> None:
    name = tmp_path / "scan.pcapng"
    writer = CaptureWriter(os.open(name, os.O_RDWR | os.O_CREAT), str(name), about="netprobe scan")
    frame = Frame(1, 5, 101, b"\x45" + bytes(39), 40, True, "eth0")
    writer.write(frame)
    writer.close({SECTION: ["netprobe scan: 1 verdict: up 1", "x:22 open"], 1: ["SYN"]})
    reader = CaptureReader(name)
    assert list(reader) == [frame]
    assert reader.damage == ()
    assert reader.about == "netprobe scan\nnetprobe scan: 1 verdict: up 1\nx:22 open"
    assert reader.comments == {1: ("SYN",)}


def test_blocks_made_here_are_well_formed() -> None:
    assert blocks(section() + block(9, b"abcd")) == [section(), block(9, b"abcd")]
