"""Capture files made by hand, from the specifications: builders of blocks, and a set of legal files that between them
use what the formats allow."""

from __future__ import annotations

import struct
from typing import NamedTuple

DAY = 1_700_000_000
ETHERNET, LINUX_SLL, RAW = 1, 113, 101
# An Ethernet frame with a SYN to port 22, and the IPv4 packet in it.
PACKET = bytes.fromhex(
    "4500003c62a04000400654a7c0000201c00002029c4000160000000100000000a002faf06d130000020405b40402080ad82c07cd"
    "000000000103030a"
)
FRAME = bytes.fromhex("0200000000020200000000010800") + PACKET


def pcap_header(order: str = "<", magic: int = 0xA1B2C3D4, link_type: int = ETHERNET, snap: int = 262144) -> bytes:
    return struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, snap, link_type)


def pcap_record(
    data: bytes = FRAME, order: str = "<", seconds: int = DAY, fraction: int = 0, length: int | None = None
) -> bytes:
    return struct.pack(f"{order}IIII", seconds, fraction, len(data), len(data) if length is None else length) + data


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    body += bytes(-len(body) % 4)
    return struct.pack(f"{order}II", kind, len(body) + 12) + body + struct.pack(f"{order}I", len(body) + 12)


def option(code: int, value: bytes, order: str = "<") -> bytes:
    return struct.pack(f"{order}HH", code, len(value)) + value + bytes(-len(value) % 4)


def section(order: str = "<", options: bytes = b"", length: int = -1, minor: int = 0) -> bytes:
    return block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, minor, length) + options, order)


def interface(order: str = "<", link_type: int = ETHERNET, snap: int = 0, options: bytes = b"") -> bytes:
    return block(1, struct.pack(f"{order}HHI", link_type, 0, snap) + options, order)


def enhanced(
    data: bytes = FRAME,
    order: str = "<",
    index: int = 0,
    units: int = DAY * 1_000_000,
    options: bytes = b"",
    length: int | None = None,
) -> bytes:
    whole = len(data) if length is None else length
    head = struct.pack(f"{order}IIIII", index, units >> 32, units & 0xFFFFFFFF, len(data), whole)
    return block(6, head + data + bytes(-len(data) % 4) + options, order)


def simple(data: bytes = FRAME, order: str = "<", length: int | None = None) -> bytes:
    return block(3, struct.pack(f"{order}I", len(data) if length is None else length) + data, order)


def obsolete(
    data: bytes = FRAME, order: str = "<", index: int = 0, units: int = DAY * 1_000_000, options: bytes = b""
) -> bytes:
    head = struct.pack(f"{order}HHIIII", index, 7, units >> 32, units & 0xFFFFFFFF, len(data), len(data))
    return block(2, head + data + bytes(-len(data) % 4) + options, order)


def statistics(order: str = "<", index: int = 0, dropped: int = 0) -> bytes:
    options = option(4, struct.pack(f"{order}Q", 100), order) + option(5, struct.pack(f"{order}Q", dropped), order)
    return block(5, struct.pack(f"{order}III", index, 0, 0) + options + option(0, b"", order), order)


class Legal(NamedTuple):
    """A file that every reader should take: how many frames it has, and what its statistics say was dropped."""

    data: bytes
    frames: int
    dropped: int = 0


def legal_files() -> dict[str, Legal]:
    """Legal files by what is special about them."""
    found: dict[str, Legal] = {}
    for order, name in (("<", "little"), (">", "big")):
        found |= {f"pcap {what}, {name}": legal for what, legal in _pcaps(order).items()}
        found |= {f"pcapng {what}, {name}": legal for what, legal in _pcapngs(order).items()}
    other = section(">") + interface(">", RAW) + enhanced(PACKET, ">")
    found["pcapng sections of both byte orders"] = Legal(section() + interface() + enhanced() + other + other, 3)
    found["pcapng a section without packets"] = Legal(section() + section() + interface() + enhanced(), 1)
    return found


def _pcaps(o: str) -> dict[str, Legal]:
    return {
        "microseconds": Legal(pcap_header(o) + 3 * pcap_record(order=o, fraction=999_999), 3),
        "nanoseconds": Legal(pcap_header(o, 0xA1B23C4D) + 2 * pcap_record(order=o, fraction=999_999_999), 2),
        "without packets": Legal(pcap_header(o), 0),
        "snapped": Legal(pcap_header(o, snap=40) + 2 * pcap_record(FRAME[:40], o, length=len(FRAME)), 2),
        "an empty packet": Legal(pcap_header(o) + pcap_record(b"", o) + pcap_record(order=o), 2),
        "raw IP": Legal(pcap_header(o, link_type=RAW) + pcap_record(PACKET, o), 1),
        "time goes backwards": Legal(
            pcap_header(o) + pcap_record(order=o, seconds=9) + pcap_record(order=o, seconds=3), 2
        ),
        "the year 2100": Legal(pcap_header(o) + pcap_record(order=o, seconds=4_102_444_800), 1),
    }


def _pcapngs(o: str) -> dict[str, Legal]:
    begin = section(o) + interface(o)
    comment = option(1, b"a comment", o)
    end = option(0, b"", o)
    flags = option(2, struct.pack(f"{o}I", 1), o)
    nano = option(9, b"\x09", o)
    return {
        "plain": Legal(begin + 3 * enhanced(order=o), 3),
        "without packets": Legal(begin, 0),
        "without interfaces": Legal(section(o), 0),
        "a section of known length": Legal(
            section(o, length=len(interface(o) + enhanced(order=o))) + interface(o) + enhanced(order=o), 1
        ),
        "version 1.2": Legal(section(o, minor=2) + interface(o) + enhanced(order=o), 1),
        "two interfaces": Legal(
            begin + interface(o, RAW) + enhanced(PACKET, o, 1) + enhanced(order=o) + enhanced(PACKET, o, 1), 3
        ),
        "an interface between packets": Legal(
            begin + enhanced(order=o) + interface(o, RAW) + enhanced(PACKET, o, 1), 2
        ),
        "nanoseconds": Legal(
            section(o) + interface(o, options=nano + end) + enhanced(order=o, units=DAY * 1_000_000_000 + 1), 1
        ),
        "picoseconds": Legal(
            section(o) + interface(o, options=option(9, b"\x0c", o)) + enhanced(order=o, units=5_000_000_000_001), 1
        ),
        "binary time": Legal(
            section(o) + interface(o, options=option(9, b"\x94", o)) + enhanced(order=o, units=(DAY << 20) + 77), 1
        ),
        "a time offset": Legal(
            section(o)
            + interface(o, options=option(14, struct.pack(f"{o}q", DAY), o) + end)
            + enhanced(order=o, units=1_500_000),
            1,
        ),
        "simple packets": Legal(begin + 2 * simple(order=o), 2),
        "simple packets, snapped": Legal(
            section(o) + interface(o, snap=40) + 2 * simple(FRAME[:40], o, length=len(FRAME)), 2
        ),
        "obsolete packets": Legal(begin + 2 * obsolete(order=o) + obsolete(order=o, options=flags + end), 3),
        "comments": Legal(
            section(o, comment + end) + interface(o, options=comment) + 2 * enhanced(order=o, options=comment + flags),
            2,
        ),
        "options without an end": Legal(begin + enhanced(order=o, options=flags), 1),
        "directions": Legal(begin + 2 * enhanced(order=o, options=flags + end), 2),
        "a name resolution block": Legal(begin + block(4, struct.pack(f"{o}HH", 0, 0), o) + enhanced(order=o), 1),
        "statistics": Legal(
            begin + enhanced(order=o) + statistics(o, dropped=3) + enhanced(order=o) + statistics(o, dropped=5), 2, 5
        ),
        "statistics of two interfaces": Legal(
            begin + interface(o) + enhanced(order=o) + statistics(o, 0, 3) + statistics(o, 1, 4), 1, 7
        ),
        "an unknown block": Legal(begin + block(0x7FFF0001, b"whatever", o) + enhanced(order=o), 1),
        "a local block": Legal(begin + block(0x80000001, b"whatever", o) + enhanced(order=o), 1),
        "an unknown option": Legal(
            begin + enhanced(order=o, options=option(77, b"abc", o) + option(2988, b"\0\0\x7e\xd9abc", o) + end), 1
        ),
        "snapped": Legal(begin + enhanced(FRAME[:41], o, length=len(FRAME)), 1),
        "an empty packet": Legal(begin + enhanced(b"", o, length=0) + enhanced(order=o), 2),
        "a hash and a packet id": Legal(
            begin + enhanced(order=o, options=option(3, b"\x02abcd", o) + option(5, bytes(8), o) + end), 1
        ),
        "a decryption secret": Legal(
            begin + block(10, struct.pack(f"{o}II", 0x544C534B, 4) + b"# x\n", o) + enhanced(order=o), 1
        ),
        "linux cooked": Legal(
            section(o) + interface(o, LINUX_SLL) + enhanced(b"\0\4" + bytes(12) + b"\x08\0" + PACKET, o), 1
        ),
    }
