"""One target for each parser: any bytes go in, nothing may come out but what the parser promises.

House rules of this file:
1. A target raises when something is wrong, and only then; it knows no more of a parser than its promise.
2. `TARGETS` is the list: `python -m tests.fuzz` and tests/test_fuzz.py take it from there.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import lzma
import struct
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from netprobe import greeting, ssh
from netprobe.bundle.contents import Manifest
from netprobe.bundle.reading import opened
from netprobe.bundle.writing import write
from netprobe.errors import NetprobeError, UnreadableCapture
from netprobe.model import Frame, Record
from netprobe.redaction.capture import maps
from netprobe.redaction.flows import Flows
from netprobe.redaction.packets import Packets
from netprobe.ssh.session import Session
from netprobe.tracker import columns
from netprobe.tracker.decode import decode
from netprobe.wire.capture import CaptureReader
from tests.packets import icmp_error, ip_packet
from tests.ssh_packets import NEWKEYS, disconnect, init, kexinit, reply
from tests.wire.files import FRAME, PACKET, legal_files, pcap_header, pcap_record

LINKS = (0, 1, 9, 12, 14, 50, 51, 101, 104, 105, 108, 113, 127, 166, 192, 204, 219, 228, 229, 239, 276, 65535)
A, B, A6, B6 = "192.0.2.1", "198.51.100.2", "2001:db8::1", "2001:db8::2"


class Target(NamedTuple):
    """`check` is given any bytes; `seeds` are good ones to begin with."""

    check: Callable[[bytes], None]
    seeds: tuple[bytes, ...]


def _row(record: Record) -> object:
    if isinstance(record, Frame):
        way = -1 if record.outgoing is None else int(record.outgoing)
        return record.number, record.time_ns, record.link_type, record.data, record.length, way
    return record


def _read_both_ways(data: bytes) -> None:
    """Record by record and in batches gives the same, and the same is said of the file."""
    try:
        one = CaptureReader(io.BytesIO(data), window=1 << 12)
        other = CaptureReader(io.BytesIO(data), window=64)
    except UnreadableCapture:
        return
    records = [_row(record) for record in one]
    rows: list[object] = []
    for batch in other.batches(7):
        facts = list(batch.facts)
        for i in range(batch.count + 1):
            while facts and facts[0][0] == i:
                rows.append(facts.pop(0)[1])
            if i < batch.count:
                frame = bytes(batch.buffer[batch.starts[i] : batch.ends[i]])
                rows.append(
                    (batch.numbers[i], batch.times[i], batch.links[i], frame, batch.lengths[i], batch.outgoings[i])
                )
    assert rows == records
    assert (one.damage, one.dropped, one.about, one.comments) == (
        other.damage,
        other.dropped,
        other.about,
        other.comments,
    )


def pcap(data: bytes) -> None:
    """The classic format, whatever its magic number."""
    magics = (0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34)
    choice = data[0] if data else 0
    magic = struct.pack("<>"[choice & 1] + "I", magics[choice // 2 % 3])
    _read_both_ways(magic + data[1:])


def pcapng(data: bytes) -> None:
    """The next generation, from its second block on or from its first."""
    _read_both_ways(data if data[:1] == b"\x0a" else b"\x0a\x0d\x0d\x0a" + data)


def compressed(data: bytes) -> None:
    """gzip, xz, zstd, lz4."""
    signatures = (b"\x1f\x8b\x08", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18")
    start = signatures[data[0] % 4] if data else b""
    try:
        reader = CaptureReader(io.BytesIO(start + data[1:]), window=1 << 12, most_unpacked=1 << 22)
    except UnreadableCapture:
        return
    total = sum(len(record.data) for record in reader if isinstance(record, Frame))
    assert total <= 1 << 22


def headers(data: bytes) -> None:
    """Link, network and transport headers, with and without a look into tunnels. What lies around a frame is no part
    of it."""
    link = LINKS[data[0] % len(LINKS)] if data else 1
    frame = data[1:]
    for depth in (0, 4):
        row = [0] * columns.DECODED
        decode(frame, 0, len(frame), link, row, depth)
        again = [0] * columns.DECODED
        decode(b"\x45" * 30 + frame + b"\x45" * 30, 30, 30 + len(frame), link, again, depth)
        assert row[columns.D_PROTOCOL] == again[columns.D_PROTOCOL]
        if row[columns.D_PROTOCOL] == columns.P_TCP:
            assert row == again
            assert row[columns.D_OFFSET] >= 0  # past the end where the packet was snapped


def quotes(data: bytes) -> None:
    """What an ICMP error quotes, and the options of a TCP header."""
    choice, rest = (data[0], data[1:]) if data else (0, b"")
    row = [0] * columns.DECODED
    six = bool(choice & 1)
    ends = (A6, B6) if six else (A, B)
    if choice & 2:
        options = rest[:40].ljust(len(rest[:40]) + 3 & ~3, b"\0")
        head = PACKET[20:32] + bytes([(20 + len(options)) << 2 & 0xF0]) + PACKET[33:40] + options + rest[40:]
        frame = ip_packet(*ends, 6, head)
    elif choice & 4:
        frame = icmp_error(*ends, 1 if six else 3, 1, ip_packet(*ends, 6, rest))
    else:
        frame = icmp_error(*ends, choice, 1, rest)
    decode(frame, 0, len(frame), 101, row)
    assert all(isinstance(one, int) for one in row)
    assert all(abs(one) < 1 << 63 for one in row)


def openings(data: bytes) -> None:
    """The beginning of SSH, and the first words of any service."""
    opening = ssh.read(data)
    assert opening.kexinit in {True, False}
    if opening.identification is not None:
        assert opening.identification.startswith("SSH-")
        assert "\n" not in opening.identification
    found = greeting.name(data)
    assert found is None or found.name


def sessions(data: bytes) -> None:
    """Both directions of an SSH connection. Each piece begins with its side and size; whole or byte by byte, the
    clear part is the same."""
    whole, single = Session(), Session()
    offsets = [0, 0]
    at = 0
    while at + 2 <= len(data):
        by_client = bool(data[at] & 1)
        piece = data[at + 2 : at + 2 + data[at + 1] * (1 + (data[at] >> 1 & 15))]
        at += 2 + len(piece)
        offset, offsets[by_client] = offsets[by_client], offsets[by_client] + len(piece)
        whole.segment(by_client, offset, len(piece), piece, at)
        for n in range(len(piece)):
            single.segment(by_client, offset + n, 1, piece[n : n + 1], at)
    told, again = whole.kex(), single.kex()
    assert (told is None) == (again is None)
    if told is not None and again is not None:
        assert replace(told, encrypted=()) == replace(again, encrypted=())
    for one in (whole, single):
        one.closed(True, reset=True, time_ns=at)
        one.auth()
        assert one.done


def _session(*said: tuple[int, bytes]) -> bytes:
    """As `sessions` reads it: at most fifteen times 255 bytes a piece."""
    parts = b""
    for side, whole in said:
        for start in range(0, len(whole), 255):
            part = whole[start : start + 255]
            parts += bytes([side, len(part)]) + part
    return parts


def cases(data: bytes) -> None:
    """A case file: it is understood, or a message says what is wrong."""
    from netprobe.replay import cases as reader

    with tempfile.TemporaryDirectory(prefix="netprobe-fuzz-") as name:
        capture, path = Path(name) / "case.pcap", Path(name) / "case.toml"
        capture.write_bytes(pcap_header() + pcap_record())
        path.write_bytes(data)
        reader.looks_like_a_case(path)
        with contextlib.suppress(NetprobeError):
            assert reader.load(path).capture == capture


_BY = maps(b"a key of thirty-two octets, 1234")
# What a verdict rests on of a segment or an ICMP error, addresses aside.
_KEPT = (
    columns.D_TTL, columns.D_TOS, columns.D_SPORT, columns.D_DPORT, columns.D_SEQ, columns.D_ACK, columns.D_FLAGS,
    columns.D_WINDOW, columns.D_OPTIONS, columns.D_PAYLOAD, columns.D_IP_ID, columns.D_FLOW,
)  # fmt: skip
_KEPT_OF_ERRORS = (
    columns.D_TTL, columns.D_TYPE, columns.D_CODE, columns.D_Q_SPORT, columns.D_Q_DPORT, columns.D_Q_SEQ,
    columns.D_Q_TTL, columns.D_Q_TOS, columns.D_Q_PROTOCOL,
)  # fmt: skip


def redaction(data: bytes) -> None:
    """A frame is rewritten without an exception, and what is decoded of it stays, addresses aside."""
    link, octets = LINKS[data[0] % len(LINKS)] if data else 1, data[1:]
    frame = Frame(1, 0, link, octets, len(octets))
    flows = Flows(_BY.key_pseudonym)
    Packets(_BY.addresses, flows.note).frame(frame)
    flows.finish()
    found = Packets(_BY.addresses, flows.stays).frame(frame)
    assert len(found.data) == len(octets) or found.link_type == 101
    before, after = [0] * columns.DECODED, [0] * columns.DECODED
    decode(octets, 0, len(octets), link, before)
    decode(found.data, 0, len(found.data), found.link_type, after)
    kind = before[columns.D_PROTOCOL]
    if kind in (columns.P_TCP, columns.P_ICMP_ERROR):
        kept = _KEPT if kind == columns.P_TCP else _KEPT_OF_ERRORS
        assert after[columns.D_PROTOCOL] == kind
        assert [after[n] for n in kept] == [before[n] for n in kept]


def bundles(data: bytes) -> None:
    """A zip file that is no bundle is told so; nothing is left of it."""
    with tempfile.TemporaryDirectory(prefix="netprobe-fuzz-") as name:
        path = Path(name) / "bundle.zip"
        path.write_bytes(data)
        before, tempfile.tempdir = tempfile.tempdir, name  # what it is unpacked to lies beside it
        try:
            with contextlib.suppress(UnreadableCapture), opened(path) as bundle:
                assert bundle.capture.is_file()
                assert bundle.verdicts.is_file()
                assert len(list(Path(name).iterdir())) > 1
        finally:
            tempfile.tempdir = before
        assert list(Path(name).iterdir()) == [path]


def _bundle() -> bytes:
    """A small one."""
    capture = io.BytesIO(_LEGAL[0])
    manifest = Manifest(command="scan", made="")
    target = io.BytesIO()
    write(target, manifest, capture, [b"{}"], ["<p>"], set())
    return target.getvalue()


_LEGAL = [legal.data for legal in legal_files().values()]
_CASE = b"""about = "a"\norigin = "lab: b"\n[[expect]]\nserver = "192.0.2.1:22"\nstate = "closed"\ncause = "no-listener"
certainty = "likely"\n"""

TARGETS = {
    "pcap": Target(pcap, tuple(b"\0" + data[4:] for data in _LEGAL if data[:4] == b"\xd4\xc3\xb2\xa1")),
    "pcapng": Target(pcapng, tuple(data for data in _LEGAL if data[:1] == b"\x0a")),
    "compressed": Target(
        compressed, (b"\0" + gzip.compress(_LEGAL[0])[3:], b"\1" + lzma.compress(_LEGAL[0])[6:], b"\2\x00\x38\x01\0\0")
    ),
    "headers": Target(headers, (b"\1" + FRAME, b"\7" + PACKET, b"\x0b" + bytes(16) + PACKET)),
    "redaction": Target(
        redaction,
        (
            b"\1" + FRAME, b"\7" + PACKET, b"\x0b" + bytes(16) + PACKET, b"\7" + icmp_error(B, A, 3, 13, PACKET),
            b"\7" + ip_packet(A6, B6, 6, PACKET[20:]),
        ),
    ),
    "bundles": Target(bundles, (_bundle(), _bundle()[:-30])),
    "quotes": Target(quotes, (b"\0" + PACKET, b"\2" + PACKET[40:], b"\3" + PACKET[40:], b"\4" + PACKET[20:28])),
    "openings": Target(
        openings, (b"SSH-2.0-OpenSSH_9.2p1\r\n\0\0\1\4\5\x14", b"220 mx ESMTP\r\n", b"hello\r\nSSH-2.0-x\r\n")
    ),
    "sessions": Target(
        sessions,
        (
            _session(
                (1, b"SSH-2.0-c\r\n"),
                (0, b"SSH-2.0-s\r\n"),
                (1, kexinit()),
                (0, kexinit()),
                (1, init()),
                (0, reply() + NEWKEYS + bytes(60)),
                (1, NEWKEYS + bytes(44)),
                (0, bytes(44)),
                (1, bytes(60)),
            ),
            _session((0, b"hello\r\nSSH-1.99-s\r\n" + kexinit() + disconnect(3, b"no")), (1, b"SSH-2.0-c\r\n")),
        ),
    ),
    "cases": Target(cases, (_CASE, b"expect = []", b'vantage = "server"\n' + _CASE, b"x = " + b"[" * 3000)),
}
