"""Redaction: maps that keep prefixes and kinds, packets whose checksums are as good as they were, streams of which only
what identifies stays, captures that give the same verdicts."""

from __future__ import annotations

import dataclasses
import ipaddress
import json
import os
import re
import shutil
import struct
import subprocess
import typing
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from netprobe import analyze, model
from netprobe.addresses import SPECIAL
from netprobe.evidence.record import IMPOSSIBLE
from netprobe.model import (
    AgentKey,
    AuthMethodsFact,
    ConnectionFact,
    CredentialsFact,
    DropFact,
    Endpoint,
    Fact,
    Frame,
    IdentityFile,
    Record,
    ResolvedFact,
    RouteFact,
    TargetFact,
)
from netprobe.options import AnalyzeOptions
from netprobe.redaction.capture import Maps, maps, redact
from netprobe.redaction.facts import FIELDS, Facts
from netprobe.redaction.flows import Flows
from netprobe.redaction.packets import Packets
from netprobe.redaction.prefixes import PrefixMap
from netprobe.redaction.streams import Direction, masked, opened
from netprobe.redaction.sums import summed
from netprobe.tracker import columns
from netprobe.tracker.decode import decode
from netprobe.wire import facts as wire_facts
from netprobe.wire.capture import CaptureReader
from netprobe.wire.writer import CaptureWriter
from tests import wrappings

inet = pytest.importorskip("scapy.layers.inet")
inet6 = pytest.importorskip("scapy.layers.inet6")
l2 = pytest.importorskip("scapy.layers.l2")

ROOT = Path(__file__).parent.parent
CAPTURES = sorted((ROOT / "captures").glob("*.pcapng"))
SSH = sorted((ROOT / "captures" / "ssh").glob("*.pcapng.xz"))
KEY = b"a key of thirty-two octets, 1234"
BY = maps(KEY)
NOW = 1_763_690_000_000_000_000


# --------------------------------------------------------------------------- addresses


def shared(a: int, b: int, bits: int) -> int:
    """How many first bits two numbers share."""
    return bits - (a ^ b).bit_length()


PAIRS_4 = st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32), st.integers(0, 2**32 - 1))
PAIRS_6 = st.tuples(
    st.one_of(
        st.integers(0, 2**128 - 1),
        st.integers(0, 2**96 - 1).map(lambda n: 0x20010DB8 << 96 | n),
        st.integers(0, 2**64 - 1).map(lambda n: 0xFE80 << 112 | n),
        st.integers(0, 2**24 - 1).map(lambda n: int(ipaddress.IPv6Address("ff02::1:ff00:0")) | n),
        st.integers(0, 2**32 - 1).map(lambda n: 0xFFFF << 32 | n),
    ),
    st.integers(0, 128),
    st.integers(0, 2**128 - 1),
)


def neighbour(a: int, n: int, noise: int, bits: int) -> int:
    """A number that shares the first n bits, and then has others."""
    rest = (1 << (bits - n)) - 1
    return a & ~rest | noise & rest


@given(PAIRS_4)
@example((int(ipaddress.IPv4Address("10.0.0.1")), 8, 0))
@example((int(ipaddress.IPv4Address("203.0.112.255")), 23, 2**32 - 1))
def test_prefixes_of_ipv4_are_kept(pair: tuple[int, int, int]) -> None:
    a, b = pair[0], neighbour(*pair, 32)
    x, y = (int.from_bytes(BY.addresses.packed(n.to_bytes(4))) for n in (a, b))
    assert shared(x, y, 32) == shared(a, b, 32)


@given(PAIRS_6)
@settings(max_examples=60)
def test_prefixes_of_ipv6_are_kept(pair: tuple[int, int, int]) -> None:
    a, b = pair[0], neighbour(*pair, 128)
    x, y = (int.from_bytes(BY.addresses.packed(n.to_bytes(16))) for n in (a, b))
    assert shared(x, y, 128) == shared(a, b, 128)


@given(st.integers(0, 2**48 - 1), st.integers(0, 48), st.integers(0, 2**48 - 1))
def test_prefixes_of_mac_addresses_are_kept(a: int, n: int, noise: int) -> None:
    solicited = 0x3333FF
    b = neighbour(a, n, noise, 48)
    x, y = (int.from_bytes(BY.addresses.mac(one.to_bytes(6))) for one in (a, b))
    if solicited not in (a >> 24, b >> 24):
        assert shared(x, y, 48) == shared(a, b, 48)
    assert x >> 40 & 3 == a >> 40 & 3  # for whom it is, and who made it


def kind(text: str) -> tuple[object, ...]:
    """Everything that Python and netprobe know of an address by itself."""
    one = ipaddress.ip_address(text)
    ours = [one in block for block in SPECIAL if block.version == one.version]
    return (one.is_loopback, one.is_multicast, one.is_link_local, one.is_unspecified, one.is_reserved, *ours)


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_an_address_keeps_its_kind(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    assert kind(BY.addresses.text(str(address))) == kind(str(address))


@pytest.mark.parametrize(
    "text",
    ["127.0.0.1", "::1", "::", "0.0.0.0", "255.255.255.255", "224.0.0.251", "ff02::1", "ff02::fb"]
    + [one for version in IMPOSSIBLE.values() for one in version],
)
def test_some_addresses_stay(text: str) -> None:
    assert BY.addresses.text(text) == text


def test_a_key_decides() -> None:
    some = [f"10.1.{n}.7" for n in range(50)] + [f"2001:db8:{n:x}::5" for n in range(50)]
    again, other = maps(KEY), maps(b"another key of thirty-two octets")
    told = [BY.addresses.text(one) for one in some]
    assert told == [again.addresses.text(one) for one in some]
    assert sum(a != b for a, b in zip(told, (other.addresses.text(one) for one in some), strict=True)) > 90
    assert sum(a != b for a, b in zip(told, some, strict=True)) > 90
    assert len(set(told)) == 100
    assert maps().addresses.text("2001:db8:7::1") != maps().addresses.text("2001:db8:7::1")


@given(st.integers(0, 2**32 - 1), st.integers(0, 32), st.integers(0, 2**32 - 1))
def test_a_block_is_mapped_to_a_block(first: int, length: int, noise: int) -> None:
    block = ipaddress.ip_network((first, length), strict=False)
    inside = neighbour(first, length, noise, 32)
    mapped = ipaddress.ip_network(BY.addresses.block(str(block)))
    assert mapped.prefixlen == length
    assert ipaddress.ip_address(BY.addresses.text(str(ipaddress.IPv4Address(inside)))) in mapped


def test_an_embedded_address_is_mapped_as_itself() -> None:
    inner = BY.addresses.text("10.1.2.3")
    assert BY.addresses.text("64:ff9b::a01:203") == str(
        ipaddress.ip_address(int(ipaddress.ip_address("64:ff9b::")) | int(ipaddress.ip_address(inner)))
    )


def test_the_group_of_an_address_and_its_mac_address_fit() -> None:
    group = ipaddress.ip_address(BY.addresses.text("ff02::1:ff12:3456"))
    assert BY.addresses.mac(bytes.fromhex("3333ff123456")) == b"\x33\x33" + group.packed[-4:]
    assert group != ipaddress.ip_address("ff02::1:ff12:3456")


def test_a_map_is_one_to_one() -> None:
    eight = PrefixMap(KEY, 8, [(0b01000000, 3, "keep"), (0b11110000, 4, "within")])
    found = [eight(n) for n in range(256)]
    assert sorted(found) == list(range(256))
    assert found[0b01000000:0b01100000] == list(range(0b01000000, 0b01100000))
    assert {n >> 4 for n in found[0b11110000:]} == {0b1111}


# --------------------------------------------------------------------------- packets


def rewritten(data: bytes, link_type: int = 101, length: int | None = None, by: Maps = BY) -> Frame:
    """One frame alone, read twice."""
    frame = Frame(1, NOW, link_type, data, len(data) if length is None else length)
    flows = Flows(by.key_pseudonym)
    Packets(by.addresses, flows.note).frame(frame)
    flows.finish()
    return Packets(by.addresses, flows.stays).frame(frame)


def four(text: str) -> bytes:
    return BY.addresses.packed(ipaddress.ip_address(text).packed)


A, B, C = "198.51.100.7", "203.0.113.9", "192.0.2.44"
A6, B6, C6 = "2001:db8:1::7", "2001:db8:2::9", "2001:db8:3::4"
TCP = inet.TCP(sport=40000, dport=22, flags="S", seq=77, options=[("MSS", 1460)])
QUOTED = inet.IP(src=A, dst=B, ttl=1) / TCP
QUOTED_6 = inet6.IPv6(src=A6, dst=B6, hlim=1) / TCP
PACKETS = {
    "syn": inet.IP(src=A, dst=B) / TCP,
    "syn of IPv6": inet6.IPv6(src=A6, dst=B6) / TCP,
    "udp": inet.IP(src=A, dst=B) / inet.UDP(sport=5, dport=53) / b"\x12\x34\1\0\0\1\0\0\0\0\0\0\6secret\3lab\0\0\1\0\1",
    "udp of an odd length": inet6.IPv6(src=A6, dst=B6) / inet.UDP(sport=5, dport=6) / b"secret!",
    "unreachable": inet.IP(src=C, dst=A) / inet.ICMP(type=3, code=13) / QUOTED,
    "a cut quote": inet.IP(src=C, dst=A) / inet.ICMP(type=11) / bytes(QUOTED)[:28],
    "a redirect": inet.IP(src=C, dst=A) / inet.ICMP(type=5, code=1, gw=C) / QUOTED,
    "unreachable of IPv6": inet6.IPv6(src=C6, dst=A6) / inet6.ICMPv6DestUnreach(code=1) / QUOTED_6,
    "echo": inet.IP(src=A, dst=B) / inet.ICMP(id=4, seq=2) / b"secret secret",
    "echo of IPv6": inet6.IPv6(src=A6, dst=B6) / inet6.ICMPv6EchoRequest(id=4, seq=2, data=b"secret"),
    "options": inet.IP(src=A, dst=B, options=[inet.IPOption_RR(routers=[C, B]), inet.IPOption_Router_Alert()]) / TCP,
    "a source route": inet.IP(src=A, dst=B, options=[inet.IPOption_LSRR(routers=[C])]) / TCP,
    "an extension header": inet6.IPv6(src=A6, dst=B6) / inet6.IPv6ExtHdrHopByHop() / inet6.ICMPv6EchoRequest(),
    "a route": inet6.IPv6(src=A6, dst=B6) / inet6.IPv6ExtHdrRouting(addresses=[C6]) / inet.UDP(sport=5, dport=6),
    "in a tunnel": inet.IP(src=C, dst=B, proto=4) / QUOTED,
    "in GRE": inet.IP(src=C, dst=B) / l2.GRE(chksum_present=1) / QUOTED,
    "a question": inet6.IPv6(src=A6, dst="ff02::1:ff00:9", hlim=255)
    / inet6.ICMPv6ND_NS(tgt=B6)
    / inet6.ICMPv6NDOptSrcLLAddr(lladdr="52:54:00:12:34:56"),
    "an advertised prefix": inet6.IPv6(src="fe80::1", dst="ff02::1", hlim=255)
    / inet6.ICMPv6ND_RA()
    / inet6.ICMPv6NDOptPrefixInfo(prefix="2001:db8:1::", prefixlen=64)
    / inet6.ICMPv6NDOptRDNSS(dns=[B6]),
}
NAMES = pytest.mark.parametrize("name", PACKETS)


def sums(data: bytes) -> list[bool]:
    """Of each checksum of an IP packet, whether it is right: header, transport, and those of what is quoted."""
    packet = (inet.IP if data[0] >> 4 == 4 else inet6.IPv6)(data)
    mended = packet.copy()
    layer, found = mended, []
    while layer is not None and layer.name not in ("NoPayload", "Raw"):
        if "chksum" in layer.fields or "cksum" in layer.fields:
            found.append((layer, "chksum" if "chksum" in layer.fields else "cksum"))
        layer = layer.payload or None
    told = [getattr(one, name) for one, name in found]
    for one, name in found:
        delattr(one, name)
    again = packet.__class__(bytes(mended))
    layer, right = again, []
    while layer is not None and layer.name not in ("NoPayload", "Raw"):
        if "chksum" in layer.fields or "cksum" in layer.fields:
            right.append(layer.fields.get("chksum", layer.fields.get("cksum")))
        layer = layer.payload or None
    return [a == b for a, b in zip(told, right, strict=True)]


@NAMES
def test_checksums_are_right_again(name: str) -> None:
    data = bytes(PACKETS[name])
    assert all(sums(data)), "the packet is no example"
    new = rewritten(data).data
    assert len(new) == len(data)
    assert all(sums(new))
    assert new != data


@NAMES
def test_nothing_of_a_packet_is_left_that_names_anybody(name: str) -> None:
    new = rewritten(bytes(PACKETS[name])).data
    known = [ipaddress.ip_address(one).packed for one in (A, B, C, A6, B6, C6)]
    made = [BY.addresses.packed(one) for one in known]
    assert not set(known) & set(made), "the key is no example"
    assert not [one for one in known if one in new]
    assert any(one in new for one in made)
    assert b"secret" not in new
    assert b"\x52\x54\x00\x12\x34\x56" not in new


@pytest.mark.parametrize("wrong", [1, 0x1234, 0xFFFE])
@pytest.mark.parametrize("name", ["syn", "syn of IPv6", "udp", "echo", "unreachable of IPv6"])
def test_a_wrong_checksum_stays_as_wrong(name: str, wrong: int) -> None:
    data = bytearray(bytes(PACKETS[name]))
    at = {"syn": 36, "syn of IPv6": 56, "udp": 26, "echo": 22, "unreachable of IPv6": 42}[name]
    right = int.from_bytes(rewritten(bytes(data)).data[at : at + 2])
    data[at : at + 2] = ((int.from_bytes(data[at : at + 2]) + wrong) % 0xFFFF).to_bytes(2)
    found = int.from_bytes(rewritten(bytes(data)).data[at : at + 2])
    assert found != right
    assert (found - right - wrong) % 0xFFFF == 0


def test_the_header_of_ipv4_likewise() -> None:
    data = bytearray(bytes(PACKETS["syn"]))
    data[10:12] = b"\0\0"
    assert sums(rewritten(bytes(data)).data)[0] is False
    assert sums(rewritten(bytes(data)).data)[1] is True


def test_no_checksum_stays_none() -> None:
    data = bytearray(bytes(PACKETS["udp"]))
    data[26:28] = b"\0\0"
    assert rewritten(bytes(data)).data[26:28] == b"\0\0"


@NAMES
def test_a_cut_packet_is_cut_in_the_same_place(name: str) -> None:
    data = bytes(PACKETS[name])
    whole = rewritten(data).data
    for length in range(len(data)):
        cut = rewritten(data[:length], length=len(data))
        assert (len(cut.data), cut.length) == (length, len(data))
        if length >= (20 if data[0] >> 4 == 4 else 40):
            at = slice(12, 20) if data[0] >> 4 == 4 else slice(8, 40)
            assert cut.data[at] == whole[at]


def test_arp_and_ethernet() -> None:
    mac, other = "52:54:00:12:34:56", "52:54:00:12:34:99"
    asked = l2.Ether(src=mac, dst="ff:ff:ff:ff:ff:ff") / l2.ARP(hwsrc=mac, psrc=A, pdst=B) / bytes(18)
    new = l2.Ether(rewritten(bytes(asked), 1).data)
    assert new.dst == "ff:ff:ff:ff:ff:ff"
    assert new.src == new[l2.ARP].hwsrc == BY.names.mac(mac) != mac
    assert (new[l2.ARP].psrc, new[l2.ARP].pdst) == (BY.addresses.text(A), BY.addresses.text(B))
    assert new[l2.ARP].hwdst == "00:00:00:00:00:00"
    tagged = l2.Ether(src=mac, dst=other) / l2.Dot1Q(vlan=7) / inet.IP(src=A, dst=B) / TCP / b"trailer of another"
    frame = rewritten(bytes(l2.Ether(src=mac, dst=other) / l2.Dot1Q(vlan=7) / inet.IP(src=A, dst=B) / TCP) + b"leak", 1)
    assert l2.Ether(frame.data)[l2.Dot1Q].vlan == 7
    assert b"leak" not in frame.data
    assert b"trailer" not in rewritten(bytes(tagged), 1).data


def test_what_is_not_read_is_dropped() -> None:
    for data, link_type in (
        (b"\x01\x80\xc2\0\0\x0e\x52\x54\0\x12\x34\x56\x88\xcc" + b"a switch by name", 1),  # LLDP
        (b"\0\0\0\0" + b"a switch by name", 101),
        (bytes(inet.IP(src=A, dst=B, proto=89)) + b"a switch by name", 101),  # OSPF
        (bytes(inet.IP(src=A, dst=B, frag=5, proto=6)) + b"a switch by name", 101),
        (b"\xff\x03\xc0\x23" + b"a switch by name", 9),  # a password in PPP
        (b"any header with a switch by name", 127),
        (b"any header with a switch by name", 9999),
    ):
        assert b"switch" not in rewritten(data, link_type).data


NUMBERS = (
    columns.D_PROTOCOL, columns.D_VERSION, columns.D_TTL, columns.D_TOS, columns.D_IP_ID, columns.D_SPORT,
    columns.D_DPORT, columns.D_SEQ, columns.D_ACK, columns.D_FLAGS, columns.D_WINDOW, columns.D_OPTIONS,
    columns.D_PAYLOAD,
)  # fmt: skip


def decoded(data: bytes, link_type: int) -> tuple[list[int], list[list[int]]]:
    """What evidence counts with, and the addresses."""
    d = [0] * columns.DECODED
    decode(data, 0, len(data), link_type, d, 4)
    return [d[n] for n in NUMBERS], [d[at : at + 4] for at in (columns.D_SRC, columns.D_DST)]


INSIDE = {"of IPv4": bytes(PACKETS["syn"]), "of IPv6": bytes(PACKETS["syn of IPv6"])}
WRAPPED = {
    **{name: (kind, wrap) for name, (kind, wrap) in wrappings.LINKS.items()},
    **{name: (101, wrap) for name, (_, wrap) in wrappings.TUNNELS.items()},
}


@pytest.mark.parametrize("version", INSIDE)
@pytest.mark.parametrize("name", WRAPPED)
def test_a_packet_is_found_behind_every_link_header_and_in_every_tunnel(name: str, version: str) -> None:
    link_type, wrap = WRAPPED[name]
    plain, data = INSIDE[version], wrap(INSIDE[version])
    frame = rewritten(data, link_type)
    numbers, ends = decoded(frame.data, frame.link_type)
    assert numbers == decoded(data, link_type)[0]
    assert ends == decoded(rewritten(plain).data, 101)[1] != decoded(plain, 101)[1]
    assert not [one for one in (A, B, A6, B6) if ipaddress.ip_address(one).packed in frame.data]


def test_extensions_of_errors_keep_labels_and_lose_names() -> None:
    quote = bytes(QUOTED).ljust(128, b"\0")
    label = struct.pack("!HBBI", 8, 1, 1, 0x12345140)
    name = struct.pack("!HBB", 16, 2, 2) + b"\x0cge-0/0/1.7\0"
    objects = b"\x20\0\0\0" + label + name
    total = 0xFFFF - summed(objects)
    error = struct.pack("!BBHBBH", 11, 0, 0, 0, 32, 0) + quote + objects[:2] + total.to_bytes(2) + objects[4:]
    new = rewritten(bytes(inet.IP(src=C, dst=A, proto=1) / error)).data
    extension = new[20 + 8 + 128 :]
    assert label in extension
    assert b"ge-0" not in extension
    assert len(extension) == len(objects)
    assert summed(extension) in (0, 0xFFFF)
    assert four(B) in new[28:156]


@given(st.binary(max_size=120), st.sampled_from([0, 1, 9, 50, 51, 101, 104, 105, 113, 127, 192, 219, 239, 258, 276, 5]))
@settings(max_examples=200)
def test_no_bytes_make_it_raise(data: bytes, link_type: int) -> None:
    new = rewritten(data, link_type)
    assert len(new.data) in (len(data), 0) or new.link_type == 101


@given(st.sampled_from(sorted(PACKETS)), st.integers(0, 150), st.integers(0, 255))
@settings(max_examples=200)
def test_no_flipped_byte_makes_it_raise(name: str, at: int, value: int) -> None:
    data = bytearray(bytes(PACKETS[name]))
    data[at % len(data)] = value
    assert len(rewritten(bytes(data)).data) == len(data)


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_sums_are_those_of_rfc_1071(a: bytes, b: bytes) -> None:
    padded = a + bytes(len(a) % 2)
    assert summed(padded + b) == (summed(padded) + summed(b)) % 0xFFFF


# --------------------------------------------------------------------------- streams


def kept(data: bytes, pieces: int = 0, *, server: bool = True) -> bytes:
    stream = Direction(BY.key_pseudonym)
    stream.server = server
    step = pieces or len(data) or 1
    for at in range(0, len(data), step):
        piece = data[at : at + step]
        stream.feed(0, len(piece), piece)
    stream.finish()
    return stream.kept.read(0, len(data))


def a_packet(payload: bytes) -> bytes:
    padding = 8 - (len(payload) + 5) % 8 + 4
    return (len(payload) + padding + 1).to_bytes(4) + bytes([padding]) + payload + b"P" * padding


LISTS = b"".join(len(one).to_bytes(4) + one for one in [b"curve25519-sha256", b"ssh-ed25519", *[b"none"] * 8])
KEXINIT = a_packet(b"\x14" + b"C" * 16 + LISTS + bytes(5))
KEY_BLOB = b"\0\0\0\x0bssh-ed25519" + b"\0\0\0\x20" + b"K" * 32
REPLY = a_packet(b"\x1f" + len(KEY_BLOB).to_bytes(4) + KEY_BLOB + b"\0\0\0\x20" + b"E" * 32 + b"\0\0\0\x04" + b"SIGN")
HELLO = b"motd of alice\r\nSSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"


@given(st.integers(1, 400))
@settings(max_examples=40)
def test_pieces_make_no_difference(step: int) -> None:
    data = HELLO + KEXINIT + REPLY + a_packet(b"\x15") + b"encrypted" * 40
    assert kept(data, step) == kept(data)


def test_what_stays_of_ssh() -> None:
    data = HELLO + KEXINIT + REPLY + a_packet(b"\x15") + b"encrypted" * 4
    new = kept(data)
    assert new.startswith(b"xxxx of xxxxx\r\nSSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")
    assert LISTS in new
    assert b"\0\0\0\x0bssh-ed25519" in new
    for gone in (b"alice", b"C" * 4, b"K" * 4, b"E" * 4, b"SIGN", b"PPPP", b"encrypted"):
        assert gone not in new


def test_lengths_in_clear_stay() -> None:
    lists = b"".join(
        len(one).to_bytes(4) + one
        for one in [b"curve25519-sha256", b"ssh-ed25519", *[b"aes128-gcm@openssh.com"] * 2, *[b"none"] * 4, b"", b""]
    )
    hello = b"SSH-2.0-x\r\n" + a_packet(b"\x14" + bytes(16) + lists + bytes(5)) + a_packet(b"\x15")
    sides = Direction(BY.key_pseudonym), Direction(BY.key_pseudonym)
    sides[0].server, (sides[0].peer, sides[1].peer) = False, (sides[1], sides[0])
    begun = len(hello) - len(a_packet(b"\x15"))
    for side in sides:
        side.feed(0, begun, hello[:begun])
    more = hello[begun:] + (32).to_bytes(4) + b"X" * 48 + (48).to_bytes(4) + b"Y" * 20
    sides[1].feed(0, len(more), more)
    sides[1].finish()
    new = sides[1].kept.read(len(hello), 80)
    assert new[:4] == (32).to_bytes(4)
    assert new[52:56] == (48).to_bytes(4)
    assert new.strip(b"\0") == new.strip(b"XY\0")


@pytest.mark.parametrize(
    ("said", "stays"),
    [
        (b"220 mail.corp.example ESMTP Postfix\r\n", b"220 xxxxxxxxxxxxxxxxx ESMTP Postfix\r\n"),
        (b"HTTP/1.1 403 Forbidden\r\nServer: web7\r\n", b"HTTP/1.1 403 Forbidden\r\n"),
        (b"Not allowed at this time\r\n", b"Not allowed at this time\r\n"),
        (b"Exceeded MaxStartups\r\n", b"Exceeded MaxStartups\r\n"),
        (b"Access denied for 10.1.2.3 (bob)\r\n", b"Access denied xxx xxxxxxxx xxxxx\r\n"),
        (b"\x16\x03\x01\x02\x00\x01", b"\x16\x03\x01"),
        (b"RFB 003.008\n", b"RFB 003.008"),
        (b"host.too.many", b"xxxxxxxxxxxxx"),
    ],
)
def test_what_stays_of_others(said: bytes, stays: bytes) -> None:
    new = opened(said)
    assert len(new) == len(said)
    assert new.startswith(stays)


@given(st.binary(max_size=600))
def test_text_stays_text_of_the_same_length(data: bytes) -> None:
    def printable(octets: bytes) -> list[bool]:
        return [byte in b"\r\n\t" or 32 <= byte < 127 or byte >= 0xA0 for byte in octets]

    assert printable(masked(data)) == printable(data)
    assert len(opened(data)) == len(data)


# --------------------------------------------------------------------------- facts


def nouns(one: type) -> set[type]:
    """A dataclass and those in its fields."""
    found = {one}
    for hint in typing.get_type_hints(one, vars(model)).values():
        for inner in (hint, *typing.get_args(hint)):
            if dataclasses.is_dataclass(inner) and isinstance(inner, type):
                found |= nouns(inner)
    return found


def test_every_text_of_a_fact_has_its_row() -> None:
    facts = [one for one in vars(model).values() if isinstance(one, type) and issubclass(one, Fact)]
    texts = set()
    for noun in set().union(*map(nouns, facts)):
        for name, hint in typing.get_type_hints(noun, vars(model)).items():
            parts = (hint, *typing.get_args(hint))
            if any(isinstance(one, type) and issubclass(one, str) and not issubclass(one, Enum) for one in parts):
                texts.add(name)
    assert texts <= FIELDS.keys()


FACTS: list[Fact] = [
    TargetFact(number=1, time_ns=NOW, target="ssh://alice@db.corp.example:2222", address=A, port=2222),
    ResolvedFact(
        number=2, time_ns=NOW, name="db.corp.example", outcome="server-failure",
        detail="Server 10.9.8.7 UDP port 53 answered SERVFAIL for db.corp.example.",
    ),
    RouteFact(
        number=3, time_ns=NOW, address=A, outcome="ok", interface="vpn-corp", source=C, gateway="fe80::5%vpn-corp"
    ),
    CredentialsFact(
        number=4, time_ns=NOW, target="ssh://alice@db.corp.example:2222", name="db.corp.example", user="alice",
        user_from="asked", agent_path="/run/user/1000/alice/agent", agent="reachable",
        files=(
            IdentityFile("/home/alice/.ssh/id_ed25519", "usable", fingerprint="SHA256:" + "a" * 43),
            IdentityFile("/home/alice/keys/corp", "missing"),
        ),
        agent_keys=(AgentKey("ssh-ed25519", "SHA256:" + "a" * 43),),
    ),
    AuthMethodsFact(
        number=5, time_ns=NOW, id=1, address=A, port=22, user="alice", outcome="answered", methods=("publickey",),
        banner=("Property of Corp, alice!",), detail="alice is known",
    ),
    ConnectionFact(
        number=6, time_ns=NOW, id=1, server=Endpoint(A, 22), client=Endpoint(C, 5), event="data", data=HELLO[:20]
    ),
    ConnectionFact(
        number=7, time_ns=NOW, id=1, server=Endpoint(A, 22), client=Endpoint(C, 5), event="data", data=HELLO[20:]
    ),
    DropFact(number=8, time_ns=NOW, count=3),
]  # fmt: skip


def test_facts_name_nobody() -> None:
    rewriting = Facts(BY.names, BY.key_pseudonym)
    for fact in FACTS:
        rewriting.note(fact)
    rewriting.finish()
    new = [rewriting.fact(fact) for fact in FACTS]
    told = "\n".join(wire_facts.dump(fact) + wire_facts.message(fact) for fact in new)
    for name in ("alice", "corp", "Corp", A, C, "10.9.8.7", "a" * 43, "/home", "1000"):
        assert name not in told, name
    assert all(wire_facts.plausible(fact) for fact in new)
    target, resolved, _, mine, asked, *said, dropped = new
    assert isinstance(target, TargetFact)
    assert isinstance(mine, CredentialsFact)
    assert isinstance(resolved, ResolvedFact)
    assert isinstance(asked, AuthMethodsFact)
    assert re.fullmatch(r"ssh://user-[0-9a-f]{8}@host-[0-9a-f]{8}\.example:2222", target.target)
    assert (mine.target, mine.user, mine.name) == (target.target, asked.user, resolved.name)
    assert mine.files[0].path == "~/.ssh/id_ed25519"
    assert mine.files[0].fingerprint == mine.agent_keys[0].fingerprint
    assert resolved.detail.endswith(f"UDP port 53 answered SERVFAIL for {resolved.name}.")
    assert b"".join(one.data for one in said if isinstance(one, ConnectionFact)) == kept(HELLO)
    assert dropped == FACTS[-1]


@pytest.mark.parametrize(
    "text", ["localhost", "root@localhost:22", "127.0.0.1", "[::1]:22", "ssh://root@127.0.0.1:2222", ""]
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert BY.names.target(text) == text


@given(st.text(max_size=40))
def test_no_text_makes_names_raise(text: str) -> None:
    for of in (BY.names.target, BY.names.host, BY.names.user, BY.names.interface, BY.names.file, BY.names.mac):
        of(text)
    BY.names.scrubbed(text, text)


def test_free_text_keeps_its_words() -> None:
    said = "connect to db.corp.example (10.1.2.3, fe80::1%eth0) as bob@corp.example, 7.corp failed: OpenSSH_9.2p1, 1.2"
    told = BY.names.scrubbed(said)
    assert told.startswith("connect to host-")
    assert told.endswith(" failed: OpenSSH_9.2p1, 1.2")
    assert not any(one in told for one in ("corp", "bob", "10.1.2.3", "fe80::1%"))
    assert BY.names.scrubbed(told) != said


# --------------------------------------------------------------------------- captures


def redacted(source: Path, folder: Path, by: Maps = BY) -> Path:
    target = folder / "redacted.pcapng"
    redact(lambda: CaptureReader(source), os.open(target, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), "x", by)
    return target


def lines(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    outlets = analyze.Outlets(also=lambda line, _: found.append(json.loads(line)))
    options = AnalyzeOptions(files=(path,), compiled=False)
    analyze.run(options, lambda _: None, lambda _: None, outlets)
    return found


SAME = (
    "port", "state", "reason", "cause", "certainty", "rule", "history", "conn_state", "rtt_ms", "attempts",
    "reason_ttl",
)  # fmt: skip


ADDRESS = re.compile(r"[0-9a-f.]*[.:][0-9a-f.:]+")


def judged(verdict: dict[str, Any]) -> list[object]:
    """What redaction must not change, and addresses as they are mapped."""
    def mapped(address: str | None) -> str | None:
        return None if address is None else BY.names.address(address)

    client, origin, service = verdict["client"], verdict["origin"], verdict["service"] or {}
    kex = service.get("kex") or {}
    return [
        [verdict[name] for name in SAME], mapped(verdict["address"]), client and mapped(client["address"]),
        origin["kind"], origin["hop"], mapped(origin["address"]), [mapped(one) for one in origin["between"] or ()],
        [[one["frame"], one["time"], ADDRESS.sub("", one["what"])] for one in verdict["evidence"]
         if not one["what"].startswith("resolver")],
        [mapped(hop["address"]) for hop in verdict["path"]], service.get("protocol"), service.get("identification"),
        (service.get("auth") or {}).get("outcome"), kex.get("reached"), kex.get("agreed"), kex.get("missing"),
        len(verdict["because"]), len(verdict["remedy"]), [one["cause"] for one in verdict["alternatives"]],
    ]  # fmt: skip


def as_they_are(verdict: dict[str, Any]) -> list[object]:
    """The same of a verdict whose addresses are mapped already."""
    names = BY.names.address
    try:
        BY.names.address = lambda text: text  # type: ignore[method-assign]
        return judged(verdict)
    finally:
        BY.names.address = names  # type: ignore[method-assign]


@pytest.mark.parametrize("source", [*CAPTURES[::9], *SSH[::12]], ids=lambda path: path.stem)
def test_a_redacted_capture_gives_the_same_verdicts(source: Path, tmp_path: Path) -> None:
    copy = redacted(source, tmp_path)
    assert [as_they_are(one) for one in lines(copy)] == [judged(one) for one in lines(source)]


@pytest.mark.skipif(shutil.which("tshark") is None, reason="needs tshark")
@pytest.mark.parametrize("name", ["reset_r1", "drop_host-v6"])
def test_wireshark_finds_the_same_checksums_right_and_wrong(name: str, tmp_path: Path) -> None:
    fields = [f"{one}.checksum.status" for one in ("ip", "tcp", "icmp", "icmpv6")] + ["frame.number", "tcp.seq_raw"]
    words = [word for one in fields for word in ("-e", one)]
    checks = [word for one in ("ip", "tcp") for word in ("-o", f"{one}.check_checksum:TRUE")]

    def told(path: Path) -> list[str]:
        command = ["tshark", "-n", "-r", str(path), *checks, "-T", "fields", *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()

    source = ROOT / "captures" / f"{name}.pcapng"
    assert told(redacted(source, tmp_path)) == told(source)


def test_numbers_times_and_drops_stay(tmp_path: Path) -> None:
    records: list[Record] = [
        *FACTS,
        Frame(9, NOW + 1, 101, bytes(PACKETS["syn"]), 60, True, "vpn-corp"),
        Frame(12, NOW + 2, 1, b"short", 70, False, "eth0"),  # what another program wrote stands between
    ]
    source = tmp_path / "source.pcapng"
    writer = CaptureWriter(os.open(source, os.O_RDWR | os.O_CREAT, 0o600), "source")
    for record in records:
        for _ in range(2 if record.number == 12 else 0):
            writer.blank()
        writer.write(record)
    writer.lost(17)
    writer.close({9: ["a comment on alice"]})
    data = source.read_bytes()
    assert b"alice" in data
    reader = CaptureReader(redacted(source, tmp_path))
    found = list(reader)
    assert [(one.number, one.time_ns) for one in found] == [(one.number, one.time_ns) for one in records]
    assert reader.dropped == 17
    assert not reader.comments
    frames = [one for one in found if isinstance(one, Frame)]
    assert [(one.length, one.outgoing, one.link_type) for one in frames] == [(60, True, 101), (70, False, 1)]
    assert [one.interface for one in frames] == [BY.names.interface("vpn-corp"), "eth0"]
    assert b"alice" not in (tmp_path / "redacted.pcapng").read_bytes()
