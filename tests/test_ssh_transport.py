"""One direction of clear SSH: whole, in pieces, with holes, and whatever else a stranger may send."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netprobe.ssh import messages, transport
from netprobe.ssh.transport import (
    CLEAR_PACKETS_LIMIT,
    KEPT,
    PACKET_LIMIT,
    TEXT_LIMIT,
    Debug,
    Disconnected,
    Event,
    ExtInfo,
    Gap,
    HostKey,
    Identification,
    Kexinit,
    Line,
    Message,
    Newkeys,
    Stream,
    Trouble,
)
from tests.ssh_packets import COMMON, NEWKEYS, disconnect, host_key, init, kexinit, packet, reply, string

IDENT = b"SSH-2.0-x\r\n"
SERVER = b"hello\r\n\r\n" + IDENT + kexinit() + packet(b"\x02ignored") + reply() + NEWKEYS
CLIENT = IDENT + kexinit() + init() + NEWKEYS
ENCRYPTED = b"\x93\x00\xff encrypted from here on"
SEEDS = (SERVER, CLIENT, IDENT + disconnect(2, b"bye"), b"SSH-1.5-old\n" + SERVER, b"220 mail\r\n")


def read(*pieces: bytes, server: bool = True) -> tuple[list[Event], bytes]:
    """The events of these pieces, and what is left behind NEWKEYS."""
    stream = Stream(server=server)
    rest = b""
    for piece in pieces:
        if stream.encrypted:
            rest += piece
            continue
        left = stream.feed(piece)
        if left is not None:
            rest += piece[len(piece) - left :]
    return stream.events, rest


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place % (len(data) + 1) for place in places} | {len(data)})
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]


# --------------------------------------------------------------------------- what it reads


def test_a_server() -> None:
    events, rest = read(SERVER + ENCRYPTED)
    key = HostKey("ssh-ed25519", messages.host_key(b"\x1f" + string(host_key()))[1])  # type: ignore[index]
    assert events == [
        Line("hello"), Line(""), Identification("SSH-2.0-x"), Kexinit(COMMON), Message(2), key, Newkeys()
    ]  # fmt: skip
    assert rest == ENCRYPTED


def test_a_client() -> None:
    events, rest = read(CLIENT + ENCRYPTED, server=False)
    assert events == [Identification("SSH-2.0-x"), Kexinit(COMMON), Message(30), Newkeys()]
    assert rest == ENCRYPTED


def test_messages_in_clear() -> None:
    info = b"\x07" + struct.pack(">I", 1) + string(b"server-sig-algs") + string(b"ssh-ed25519")
    said = packet(b"\x04\x01" + string(b"a word") + string(b"")) + packet(info) + disconnect(3, b"no match")
    events, _ = read(IDENT + said)
    assert events[1:] == [
        Debug("a word"), ExtInfo((("server-sig-algs", "ssh-ed25519"),)), Disconnected(3, "no match")
    ]  # fmt: skip


def test_the_fingerprint_is_that_of_ssh_keygen() -> None:
    # What `ssh-keygen -lf` prints for this key (OpenSSH 9.2).
    blob = bytes.fromhex("0000000b7373682d6564323535313900000020") + bytes(range(32))
    assert messages.host_key(b"\x1f" + string(blob)) == (
        "ssh-ed25519",
        "SHA256:ZkAslGjFiUHdGf/WUL8rQvkib4PTvQatUV0OUQSncCA",
    )


def test_a_group_is_no_host_key() -> None:
    prime = string(b"\x00" + b"\xff" * 256)
    events, _ = read(IDENT + packet(b"\x1f" + prime + string(b"\x02")) + reply(number=33))
    assert events[1] == Message(31)
    assert isinstance(events[2], HostKey)


def test_a_client_shows_no_host_key() -> None:
    assert read(IDENT + reply(), server=False)[0][1] == Message(31)


@pytest.mark.parametrize(
    ("line", "trouble"),
    [
        (b"SSH-1.5-1.2.27\n", "SSH protocol 1.5"),
        (b"SSH-2.0\n", "SSH protocol without a version"),
        (b"SSH-3-x\n", "SSH protocol 3"),
    ],
)
def test_what_is_not_version_2_is_said(line: bytes, trouble: str) -> None:
    events, _ = read(line + SERVER)
    assert events == [Identification(line.decode().strip()), Trouble(trouble)]


def test_version_199_is_version_2() -> None:
    assert read(b"SSH-1.99-x\n" + kexinit())[0] == [Identification("SSH-1.99-x"), Kexinit(COMMON)]


def test_only_a_server_may_speak_before() -> None:
    assert read(b"GET / HTTP/1.1\r\n", server=False)[0] == [Line("GET / HTTP/1.1"), Trouble("no identification first")]


def test_only_the_first_offer_counts() -> None:
    other = replace(COMMON, kex=("other",))
    assert read(IDENT + kexinit() + kexinit(other))[0][1:] == [Kexinit(COMMON), Message(20)]


def test_lists_are_read_once_whatever_the_cookie() -> None:
    one, other = (read(IDENT + kexinit(cookie=cookie))[0][1] for cookie in (b"a" * 16, b"b" * 16))
    assert isinstance(one, Kexinit)
    assert isinstance(other, Kexinit)
    assert one.offer is other.offer


# --------------------------------------------------------------------------- in pieces


@pytest.mark.parametrize("stream", SEEDS)
@pytest.mark.parametrize("server", [True, False])
def test_byte_by_byte(stream: bytes, server: bool) -> None:
    whole = stream + ENCRYPTED
    assert read(*(whole[n : n + 1] for n in range(len(whole))), server=server) == read(whole, server=server)


@settings(max_examples=200)
@given(st.data(), st.booleans())
def test_any_pieces_of_any_stream(data: st.DataObject, server: bool) -> None:
    """Real streams with changed bytes, and noise: the same events however they are cut; nothing raises."""
    whole = bytearray(data.draw(st.sampled_from(SEEDS) | st.binary(max_size=400)))
    for at in data.draw(st.lists(st.integers(0, max(0, len(whole) - 1)), max_size=4)) if whole else ():
        whole[at] = data.draw(st.sampled_from([0, 10, 20, 21, 255]) | st.integers(0, 255))
    stream = bytes(whole) + data.draw(st.sampled_from([b"", ENCRYPTED, SERVER]))
    pieces = cut(stream, data.draw(st.lists(st.integers(0, 5000), max_size=10)))
    assert read(*pieces, server=server) == read(stream, server=server)


@settings(max_examples=200)
@given(st.lists(st.tuples(st.binary(max_size=100), st.integers(0, 3000)), max_size=10), st.sampled_from(SEEDS))
def test_holes_anywhere_raise_nothing(parts: list[tuple[bytes, int]], start: bytes) -> None:
    stream = Stream(server=True)
    stream.feed(start[: len(start) // 2])
    for data, missing in parts:
        stream.lose(missing)
        stream.feed(data)


# --------------------------------------------------------------------------- holes


def holed(before: bytes, missing: int, after: bytes) -> list[Event]:
    stream = Stream(server=True)
    stream.feed(before)
    stream.lose(missing)
    stream.feed(after)
    return stream.events


def test_a_hole_inside_a_packet_is_read_over() -> None:
    whole = kexinit()
    events = holed(IDENT + whole[:100], 50, whole[150:] + reply() + NEWKEYS)
    assert events[1] == Kexinit(None)
    assert isinstance(events[2], HostKey)
    assert events[3:] == [Newkeys()]


def test_a_hole_in_the_padding_is_no_loss() -> None:
    assert holed(IDENT + kexinit()[:-4], 4, NEWKEYS)[1:] == [Kexinit(COMMON), Newkeys()]


def test_a_host_key_is_read_from_what_is_left_of_a_reply() -> None:
    whole = reply()
    events = holed(IDENT + whole[:80], len(whole) - 80, NEWKEYS)
    assert isinstance(events[1], HostKey)
    assert events[2:] == [Newkeys()]


@pytest.mark.parametrize(
    ("before", "missing"),
    [
        (b"", 5),  # in the text
        (IDENT, 10),  # a packet's own length
        (IDENT + kexinit()[:3], 1),
        (IDENT + kexinit()[:50], 5000),  # more than the packet
    ],
)
def test_what_a_hole_hides_is_not_guessed(before: bytes, missing: int) -> None:
    events = holed(before, missing, SERVER)
    assert events[-1] == Gap()
    assert not any(isinstance(event, HostKey | Newkeys) for event in events)


# --------------------------------------------------------------------------- bounds


@pytest.mark.parametrize("length", [0, 1, PACKET_LIMIT + 1, 0xFFFFFFFF])
def test_a_length_that_lies(length: int) -> None:
    events, _ = read(IDENT + struct.pack(">IB", length, 0) + bytes(2000))
    assert isinstance(events[-1], Trouble)
    assert str(length) in events[-1].what


def test_padding_that_lies() -> None:
    assert isinstance(read(IDENT + struct.pack(">IBB", 12, 11, 20) + bytes(20))[0][-1], Trouble)


def test_an_offer_of_256_kilobytes_is_skipped_and_said() -> None:
    names = b",".join(b"name%d" % n for n in range(26000))
    lists = string(names) + string(b"") * 9 + bytes(5)
    big = packet(b"\x14" + bytes(16) + lists, 4)
    assert len(big) > 200_000
    stream = Stream(server=True)
    stream.feed(IDENT)
    for at in range(0, len(big), 1448):
        stream.feed(big[at : at + 1448])
        assert len(stream._held) <= KEPT
    stream.feed(NEWKEYS)
    assert stream.events[1:] == [Kexinit(None, f"a KEXINIT of more than {KEPT} bytes"), Newkeys()]


def test_an_offer_of_too_many_names_is_none() -> None:
    names = tuple(f"n{n}" for n in range(messages.NAMES_LIMIT + 1))
    assert read(IDENT + kexinit(replace(COMMON, kex=names)))[0][1] == Kexinit(None, "a KEXINIT that can't be read")
    assert read(IDENT + kexinit(replace(COMMON, kex=names[:-1])))[0][1] == Kexinit(replace(COMMON, kex=names[:-1]))


@pytest.mark.parametrize("cut_off", [1, 5, 30, 100])
def test_an_offer_whose_lists_run_over_its_end(cut_off: int) -> None:
    whole = kexinit(tail=b"")
    payload = whole[5 : len(whole) - whole[4]]
    assert read(IDENT + packet(payload[:-cut_off]))[0][1] == Kexinit(None, "a KEXINIT that can't be read")


@pytest.mark.parametrize("text", [b"x", b"x\n", b"x" * 100 + b"\n"])
def test_endless_text_ends(text: bytes) -> None:
    stream = Stream(server=True)
    fed = 0
    while not stream.over:
        fed += len(text) * 64
        stream.feed(text * 64)
        assert fed <= TEXT_LIMIT + 64 * len(text)
    assert isinstance(stream.events[-1], Trouble)
    assert len(stream._held) <= transport.LINE_LIMIT
    stream.feed(SERVER)
    assert isinstance(stream.events[-1], Trouble)


def test_endless_packets_end() -> None:
    stream = Stream(server=True)
    stream.feed(IDENT)
    for _ in range(CLEAR_PACKETS_LIMIT + 10):
        stream.feed(packet(b"\x02"))
    assert stream.over
    assert isinstance(stream.events[-1], Trouble)


@pytest.mark.parametrize(
    "hello", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\x13Bittorrent\x00\x00", b"\x03\x00\x00\x2f*\xe0"]
)
def test_binary_protocols_are_told_at_once(hello: bytes) -> None:
    for server in (True, False):
        assert read(hello, server=server)[0] == [Trouble("binary data before any identification")]


def test_offers_that_are_kept_are_bounded() -> None:
    for n in range(messages._CACHED * 2):
        messages.offer(kexinit(replace(COMMON, kex=(f"k{n}",)))[5:-4])
    assert len(messages._offers) <= messages._CACHED
