"""Files made to crash, stall or choke whoever reads captures: `python -m tests.hostile FOLDER` writes them all.

House rules of this file:
1. A file is a function without arguments, so that a hundred megabytes exist only while they are looked at.
2. Deterministic: what failed once can be made again by its name.
"""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import random
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

from tests.packets import echo, icmp_error, ip_packet
from tests.wire.files import (
    FRAME,
    PACKET,
    RAW,
    block,
    enhanced,
    interface,
    obsolete,
    option,
    pcap_header,
    pcap_record,
    section,
    simple,
    statistics,
)

Make = Callable[[], bytes]
HIGH = 0xFFFFFFFF
A, B = "192.0.2.1", "198.51.100.2"
A6, B6 = "2001:db8::1", "2001:db8::2"
BEGIN = section() + interface()
ONE = BEGIN + enhanced()
NANO = section() + interface(link_type=RAW, options=option(9, b"\x09"))


def files() -> dict[str, Make]:
    """Every hostile file by its name."""
    return {
        **{f"pcap: {name}": make for name, make in _pcap().items()},
        **{f"pcapng: {name}": make for name, make in _pcapng().items()},
        **{f"options: {name}": make for name, make in _options().items()},
        **{f"facts: {name}": make for name, make in _facts().items()},
        **{f"packets: {name}": make for name, make in _packets().items()},
        **{f"compressed: {name}": make for name, make in _compressed().items()},
    }


def captured(*frames: bytes, link_type: int = RAW) -> bytes:
    """Frames as a pcap file."""
    return pcap_header(link_type=link_type) + b"".join(pcap_record(data, seconds=n) for n, data in enumerate(frames))


def _pcap() -> dict[str, Make]:
    start = pcap_header() + pcap_record()
    lie = struct.Struct("<IIII").pack

    def of_every_length(link: int) -> Make:
        return lambda: captured(*(FRAME[:n] for n in range(len(FRAME))), link_type=link)

    return {
        "nothing": lambda: b"",
        "a magic number": lambda: pcap_header()[:4],
        "half a header": lambda: pcap_header()[:13],
        "half a record header": lambda: start + bytes(9),
        "a length of 4 GB": lambda: start + lie(1, 1, HIGH, HIGH) + FRAME,
        "a length of 2 GB": lambda: start + lie(1, 1, 1 << 31, 60) + FRAME,
        "a length just too large": lambda: start + lie(1, 1, (1 << 18) + 1, 60) + bytes(1 << 19),
        "the largest length": lambda: start + lie(1, 1, 1 << 18, 60) + bytes(1 << 18),
        "a length past the end": lambda: start + lie(1, 1, 61, 60) + FRAME[:60],
        "less on the wire than captured": lambda: start + lie(1, 1, len(FRAME), 3) + FRAME,
        "4 GB on the wire": lambda: start + lie(1, 1, len(FRAME), HIGH) + FRAME,
        "the end of time": lambda: start + lie(HIGH, HIGH, len(FRAME), len(FRAME)) + FRAME,
        "a snap length of 4 GB": lambda: pcap_header(snap=HIGH) + pcap_record(),
        "a snap length of nothing": lambda: pcap_header(snap=0) + pcap_record(),
        "an unknown link type": lambda: pcap_header(link_type=HIGH) + pcap_record() * 3,
        "a million empty records": lambda: pcap_header() + pcap_record(b"") * 1_000_000,
        "half a million records of a byte": lambda: pcap_header() + pcap_record(b"E") * 500_000,
        "16 MB of zeros": lambda: pcap_header() + bytes(16 << 20),
        "16 MB of ones": lambda: pcap_header() + b"\xff" * (16 << 20),
        "zeros and packets in turn": lambda: pcap_header() + (bytes(64 * 16) + pcap_record(b"")) * 1000,
        "noise": lambda: pcap_header() + random.Random(1).randbytes(1 << 20),
        "modified, cut": lambda: pcap_header(magic=0xA1B2CD34) + bytes(20),
        "big-endian lies": lambda: pcap_header(">") + pcap_record(order="<"),
        **{
            f"frames of link type {link} of every length": of_every_length(link)
            for link in (0, 1, 9, 12, 50, 101, 105, 108, 113, 127, 192, 219, 228, 229, 239, 276)
        },
    }


def _pcapng() -> dict[str, Make]:
    def lying(length: int, kind: int = 6) -> Make:
        return lambda: ONE + struct.pack("<II", kind, length) + bytes(64)

    def empty(kind: int) -> Make:
        return lambda: ONE + block(kind, b"")

    def timed(code: int, value: bytes, count: int) -> Make:
        return lambda: section() + interface(options=option(code, value)) + enhanced(units=(1 << 64) - 1) * count

    return {
        **{f"a block of {length} bytes": lying(length) for length in (0, 1, 8, 11, 12, 13, 16, 31, 63, HIGH, 1 << 24)},
        **{f"an empty block of kind {kind}": empty(kind) for kind in (1, 2, 3, 4, 5, 6, 9)},
        **{f"a section of {length} bytes": lying(length, 0x0A0D0D0A) for length in (0, 12, 24, HIGH)},
        "two lengths": lambda: ONE + enhanced()[:-4] + b"\x10\0\0\0" + enhanced(),
        "a block of 16 MB": lambda: ONE + block(0x77, bytes((1 << 24) - 12)) + enhanced(),
        "a block just too large": lambda: ONE + block(0x77, bytes(1 << 24)) + enhanced(),
        "half a section header": lambda: section()[:11],
        "an unknown byte order": lambda: section().replace(b"\x4d\x3c\x2b\x1a", b"\1\2\3\4"),
        "a section length that lies": lambda: section(length=7) + interface() + enhanced(),
        "a negative section length": lambda: section(length=-(1 << 63)) + interface() + enhanced(),
        "a packet longer than its block": lambda: ONE + block(6, struct.pack("<IIIII", 0, 0, 0, 99, 99)) + enhanced(),
        "a packet of 4 GB": lambda: ONE + block(6, struct.pack("<IIIII", 0, 0, 0, HIGH, HIGH)) + enhanced(),
        "a simple packet of 4 GB": lambda: ONE + block(3, struct.pack("<I", HIGH) + FRAME) + enhanced(),
        "a simple packet without interface": lambda: section() + simple(),
        "an interface that isn't there": lambda: ONE + enhanced(index=HIGH) + obsolete(index=65535) + enhanced(),
        "no interface at all, 100,000 times": lambda: section() + enhanced(b"") * 100_000,
        "100,000 interfaces": lambda: section() + interface() * 100_000 + enhanced(index=99_999),
        "100,000 interfaces with names": lambda: (
            section() + interface(options=option(2, b"\xff" * 600)) * 100_000 + enhanced(index=99_999)
        ),
        "200,000 interfaces": lambda: section() + interface() * 200_000 + enhanced(),
        "100,000 sections": lambda: section() * 100_000 + interface() + enhanced(),
        "50,000 sections with interface and packet": lambda: (section() + interface() + enhanced(b"")) * 50_000,
        "interfaces and packets in turn": lambda: (
            section() + b"".join(interface() + enhanced(b"", index=n) for n in range(20_000))
        ),
        "100,000 statistics": lambda: BEGIN + statistics(dropped=1 << 62) * 100_000,
        "statistics of nobody": lambda: BEGIN + b"".join(statistics(index=n, dropped=7) for n in range(50_000)),
        "100,000 unknown blocks": lambda: BEGIN + block(0x77, b"") * 100_000 + enhanced(),
        "100,000 custom blocks": lambda: BEGIN + block(0xBAD, bytes(4)) * 100_000 + enhanced(),
        "half a million empty simple packets": lambda: BEGIN + simple(b"") * 500_000,
        "200,000 empty packets": lambda: BEGIN + enhanced(b"") * 200_000,
        **{
            f"a time resolution of {resolution:#x}": timed(9, bytes([resolution]), 20_000)
            for resolution in (0x00, 0x7F, 0x80, 0xFF)
        },
        **{
            f"a time offset of {offset}": timed(14, struct.pack("<q", offset), 1)
            for offset in (-(1 << 63), (1 << 63) - 1)
        },
        "times all over": lambda: (
            BEGIN + b"".join(enhanced(units=n * 0x9E3779B97F4A7C15 % (1 << 64)) for n in range(5000))
        ),
        "noise in a block": lambda: BEGIN + block(1, random.Random(2).randbytes(1 << 16)) + enhanced(),
        "noise": lambda: ONE + random.Random(3).randbytes(1 << 20),
        "zeros": lambda: ONE + bytes(16 << 20),
    }


def _options() -> dict[str, Make]:
    many = (1 << 22) - 64
    return {
        "one of 65,535 bytes in 12": lambda: BEGIN + enhanced(options=struct.pack("<HH", 1, 65535) + b"abcd"),
        "four million without length": lambda: BEGIN + enhanced(options=struct.pack("<HH", 77, 0) * (many - 1)),
        "four million on an interface": lambda: section() + interface(options=struct.pack("<HH", 77, 0) * (many - 8)),
        "half of one": lambda: BEGIN + enhanced(options=b"\1\0") + enhanced(),
        "a comment of 16 MB": lambda: BEGIN + enhanced(options=option(1, b"\xff" * 65535) * 250),
        "100,000 comments": lambda: BEGIN + enhanced(b"", options=option(1, b"!")) * 100_000,
        "a thousand comments of 64 KB": lambda: BEGIN + enhanced(b"", options=option(1, b"\xff" * 65535)) * 1000,
        "100 comments on every section": lambda: section(options=option(1, b"\xff" * 1000) * 100) * 500,
        "flags of the wrong length": lambda: BEGIN + enhanced(options=option(2, b"\1\2\3\4\5\6\7\x08")),
        "a time offset of one byte": lambda: (
            section() + interface(options=option(14, b"\1") + option(9, b"")) + enhanced()
        ),
        "control characters": lambda: section(options=option(1, b"\x1b]0;x\x07\x9b31m")) + interface() + enhanced(),
    }


def _facts() -> dict[str, Make]:
    target = {"kind": "target", "target": "x", "address": B, "port": 22}
    settled = {**target, "kind": "settled"}
    server = {"address": B, "port": 22}
    connected = {"kind": "connection", "id": 1, "server": server}

    def entry(text: str) -> bytes:
        return block(9, f"NETPROBE_FACT={text}\n".encode("utf-8", "surrogatepass"))

    def told(*facts: dict[str, object]) -> Make:
        return lambda: NANO + b"".join(entry(json.dumps(fact)) for fact in facts) + enhanced(PACKET)

    return {
        "no address": told({**target, "address": "nonsense"}, {**settled, "address": "nonsense"}),
        "no IPv4 address": told({**target, "address": "999.1.1.1"}),
        "no IPv6 address": told({**target, "address": ":::::"}),
        "a zone with an escape": told(
            {**target, "address": "fe80::1%\x1b[31m"}, {**settled, "address": "fe80::1%\x1b[31m"}
        ),
        "half a character": told({**target, "target": "\ud800"}, {**settled, "target": "\ud800"}),
        "a port below zero": told({**target, "port": -1}, {**settled, "port": -1}),
        "a port of thirty digits": told({**target, "port": 10**30}),
        "a number of 5,000 digits": lambda: NANO + entry(f'{{"kind":"drop","count":{"9" * 5000}}}') + enhanced(PACKET),
        "infinity": lambda: NANO + entry('{"kind":"drop","count":Infinity}') + enhanced(PACKET),
        "an unheard-of expectation": told({**target, "expect": "telepathy"}, settled),
        "an unheard-of event": told({**target, "mode": "connect"}, {**connected, "event": "?"}, settled),
        "an unheard-of errno": told(
            {**target, "mode": "connect"}, {**connected, "event": "failed", "error": "E"}, settled
        ),
        "an error queue without an error": told({**target, "mode": "connect"}, {**connected, "event": "icmp"}, settled),
        "an error of ICMPv9": told(
            {**target, "mode": "connect"},
            {**connected, "event": "icmp", "icmp": {"version": 9, "type": -5, "code": 1 << 40, "sender": A}},
            settled,
        ),
        "a gateway without address": told(
            target, {"kind": "route", "address": B, "outcome": "ok", "gateway": "?"}, settled
        ),
        "deep nesting": lambda: NANO + entry("[" * 500_000) + enhanced(PACKET),
        "16 MB of lists": lambda: NANO + entry("[" + "[]," * 5_000_000 + "[]]") + enhanced(PACKET),
        "a target without end": told(target),
        "an end without target": told(settled),
        "a thousand targets of one address": told(*[{**target, "port": n} for n in range(1000)]),
        "the same target again and again": told(*[target, settled] * 300),
        "a megabyte of name": told({**target, "target": "x" * 1_000_000}, {**settled, "target": "x" * 1_000_000}),
        "noise": lambda: NANO + b"".join(block(9, random.Random(n).randbytes(200)) for n in range(1000)),
    }


def _packets() -> dict[str, Make]:
    syn = PACKET[20:]

    def nested(protocol: int, header: bytes, depth: int) -> Make:
        def make() -> bytes:
            packet = PACKET
            for _ in range(depth):
                packet = ip_packet(A, B, protocol, header + packet)[: 1 << 16]
            return captured(packet)

        return make

    def quoted() -> bytes:
        packet = PACKET
        for _ in range(1200):
            packet = icmp_error(A, B, 3, 1, packet)
        return captured(packet)

    def chain(count: int, header: bytes = bytes(7)) -> Make:
        return lambda: captured(ip_packet(A6, B6, 6, syn, headers=((0, header),) * count))

    def tcp(options: bytes, offset: int = 15) -> bytes:
        return ip_packet(A, B, 6, syn[:12] + bytes([offset << 4, 2]) + syn[14:20] + options.ljust(40, b"\1")[:40])

    short = [PACKET[:n] for n in range(len(PACKET))]
    pieces = random.Random(4)
    fragments = [
        ip_packet(
            A,
            B,
            6,
            pieces.randbytes(8 * pieces.randint(1, 9)),
            ip_id=n % 3,
            more=n % 2 == 0,
            offset=pieces.randint(0, 20),
        )
        for n in range(3000)
    ]
    return {
        "8,000 VLAN tags": lambda: captured(bytes(12) + b"\x81\0\0\1" * 8000 + b"\x08\0" + PACKET, link_type=1),
        "8,000 MPLS labels": lambda: captured(bytes(12) + b"\x88\x47" + b"\0\0\1\0" * 8000 + PACKET, link_type=1),
        "IPv4 in IPv4, 3,000 deep": nested(4, b"", 3000),
        "GRE, 1,000 deep": nested(47, b"\0\0\x08\0", 1000),
        "8,000 extension headers": chain(8000),
        "extension headers of no length": chain(2000, b""),
        "an extension header of 2,048 bytes": chain(4, b"\xff" + bytes(6)),
        "1,200 errors in one another": quoted,
        "every TCP option of every length": lambda: captured(
            *(tcp(bytes([kind, length])) for kind in range(32) for length in (0, 1, 2, 3, 40, 255))
        ),
        "every length of a TCP header": lambda: captured(*(tcp(b"", offset) for offset in range(16))),
        "every length of an IPv4 header": lambda: captured(*(bytes([0x40 | n]) + PACKET[1:] for n in range(16))),
        "every version of IP": lambda: captured(*(bytes([n << 4 | 5]) + PACKET[1:] for n in range(16))),
        "total lengths that lie": lambda: captured(
            *(PACKET[:2] + struct.pack("!H", n) + PACKET[4:] for n in (0, 1, 19, 20, 39, 40, 61, 65535))
        ),
        "packets cut everywhere": lambda: captured(*short),
        "errors cut everywhere": lambda: captured(
            *(icmp_error(A, B, 3, n % 16, packet) for n, packet in enumerate(short))
        ),
        "errors of every kind": lambda: captured(
            *(icmp_error(A, B, n >> 8, n & 255, PACKET) for n in range(0, 65536, 7))
        ),
        "IPv6 errors of every kind": lambda: captured(
            *(icmp_error(A6, B6, n >> 8, n & 255, ip_packet(A6, B6, 6, syn)) for n in range(0, 65536, 7))
        ),
        "fragments that overlap": lambda: captured(*fragments),
        "a jumbogram": lambda: captured(ip_packet(A6, B6, 6, syn, headers=((0, b"\0\xc2\4\xff\xff\xff\xff"),))),
        "echoes": lambda: captured(*(echo(A, B, n, n, reply=bool(n & 1)) for n in range(20_000))),
        "one sequence number in every segment": lambda: captured(
            *(PACKET[:33] + bytes([n & 255]) + PACKET[34:] for n in range(20_000))
        ),
        "SYNs that collide": _colliding,
        "SSH without end": lambda: captured(*_talk(b"SSH-2.0-" + b"x" * 1300, 200)),
        "SSH full of control characters": lambda: captured(*_talk(b"SSH-2.0-\x1b]0;\x07\r\n" + b"\0" * 500, 20)),
        "SSH with a packet of 4 GB": lambda: captured(*_talk(b"SSH-2.0-x\r\n" + b"\xff" * 400, 20)),
    }


def _colliding() -> bytes:
    """SYNs whose addresses and ports add up to the same in a hash that is only a sum of products."""
    frames = []
    for n in range(10_000):
        i, j = n % 5000 * 13, n // 5000 * 13
        source, server = f"10.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}", f"198.51.100.{j}"
        ports = struct.pack("!HH", 60000 - 11 * (n % 5000), 5000 - 11 * (n // 5000))
        frames.append(ip_packet(source, server, 6, ports + PACKET[24:]))
    return captured(*frames)


def _talk(data: bytes, segments: int) -> list[bytes]:
    """A connection in which the server says `data` again and again."""
    numbers = struct.Struct("!HHIIBBHHH").pack
    frames = [ip_packet(A, B, 6, numbers(40000, 22, 0, 0, 0x50, 2, 999, 0, 0))]
    frames.append(ip_packet(B, A, 6, numbers(22, 40000, 0, 1, 0x50, 0x12, 999, 0, 0)))
    frames.append(ip_packet(A, B, 6, numbers(40000, 22, 1, 1, 0x50, 0x10, 999, 0, 0)))
    for n in range(segments):
        head = numbers(22, 40000, 1 + n * len(data) & HIGH, 1, 0x50, 0x18, 999, 0, 0)
        frames.append(ip_packet(B, A, 6, head + data))
    return frames


def _compressed() -> dict[str, Make]:
    plain = captured(*[PACKET] * 2000)
    packed = gzip.compress(plain)
    xz = lzma.compress(plain)

    def bomb(content: bytes, count: int) -> bytes:
        packer = zlib.compressobj(9, wbits=31)
        chunk = content * ((1 << 20) // len(content))
        return b"".join(
            [packer.compress(pcap_header()), *(packer.compress(chunk) for _ in range(count)), packer.flush()]
        )

    found: dict[str, Make] = {
        "a gzip bomb of zeros": lambda: bomb(b"\0", 160),
        "a gzip bomb of ones": lambda: bomb(b"\xff", 160),
        "a gzip bomb of large packets": lambda: bomb(pcap_record(bytes(1 << 18), length=1 << 18), 160),
        "a gzip bomb that is no capture": lambda: gzip.compress(bytes(128 << 20)),
        "an xz bomb": lambda: lzma.compress(pcap_header() + bytes(128 << 20), preset=0),
        "gzip in gzip": lambda: gzip.compress(packed),
        "two bytes of gzip": lambda: packed[:2],
        "ten bytes of gzip": lambda: packed[:10],
        "half of gzip": lambda: packed[: len(packed) // 2],
        "gzip with noise": lambda: packed[:200] + random.Random(5).randbytes(200) + packed[400:],
        "gzip with a wrong checksum": lambda: packed[:-8] + bytes(8),
        "gzip with a name that never ends": lambda: b"\x1f\x8b\x08\x08" + bytes(6) + b"x" * (8 << 20),
        "100,000 empty gzip members": lambda: packed + gzip.compress(b"", mtime=0) * 100_000,
        "gzip and something else": lambda: packed + FRAME * 1000,
        "gzip and zeros": lambda: packed + bytes(4 << 20),
        "half of xz": lambda: xz[: len(xz) // 2],
        "xz with noise": lambda: xz[:60] + random.Random(6).randbytes(60) + xz[120:],
        "xz that wants 4 GB": lambda: b"\xfd7zXZ\0\0\4\xe6\xd6\xb4\x46" + b"\x02\0\x21\x01\x28\0\0\0" + bytes(64),
        "bzip2": lambda: bz2.compress(plain),
        "zstd that wants 2 GB": lambda: b"\x28\xb5\x2f\xfd\x00\xa8" + b"\1\0\0" * 20,
        "a zstd bomb": _zstd_bomb,
        "a zstd frame to skip of 4 GB": lambda: b"\x50\x2a\x4d\x18" + b"\xff" * 5000,
        "100,000 zstd frames to skip": lambda: b"\x50\x2a\x4d\x18\0\0\0\0" * 100_000,
        "zstd with noise": lambda: b"\x28\xb5\x2f\xfd" + random.Random(7).randbytes(5000),
        "lz4 with noise": lambda: b"\x04\x22\x4d\x18" + random.Random(8).randbytes(5000),
        "an lz4 bomb": _lz4_bomb,
    }
    return found


def _zstd_bomb() -> bytes:
    """Blocks of four bytes that each say: 128 KiB of the same byte (RFC 8878 3.1.1.2)."""
    first = pcap_header() + struct.pack("<IIII", 1, 1, 1 << 18, 1 << 18)
    head = b"\x28\xb5\x2f\xfd\x00\x38"  # a window of 128 KiB
    raw = (len(first) << 3).to_bytes(3, "little") + first
    repeated = (0x20000 << 3 | 1 << 1).to_bytes(3, "little") + b"\0"
    return head + raw + repeated * 100_000


def _lz4_bomb() -> bytes:
    """One block that copies a zero four million times, again and again (lz4 block format: 255 more for each byte)."""
    body = b"\x1f\0\1\0" + b"\xff" * 16_000 + b"\0\x50" + bytes(5)
    head = b"\x04\x22\x4d\x18\x60\x70\x73"
    plain = pcap_header() + pcap_record(b"")
    head += struct.pack("<I", 1 << 31 | len(plain)) + plain
    return head + (len(body).to_bytes(4, "little") + body) * 200 + bytes(4)


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    made = files()
    for number, (name, make) in enumerate(made.items()):
        data = make()
        (folder / f"{number:03}").write_bytes(data)
        print(f"{number:03} {len(data):>10} {name}")


if __name__ == "__main__":
    main()
