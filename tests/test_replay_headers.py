"""Recorded packets read and renumbered: fields, quotes, checksums, and bytes of any kind."""

from __future__ import annotations

import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netprobe.model import Endpoint, Frame, Probe, Shape
from netprobe.wire import headers, templates
from netprobe.wire.playback import renumbered
from netprobe.wire.recording import Sent, shape

ENDS = {
    4: (Endpoint("192.0.2.1", 61000), Endpoint("203.0.113.5", 22)),
    6: (Endpoint("2001:db8::1", 61000), Endpoint("2001:db8:5::5", 22)),
}
each_version = pytest.mark.parametrize("version", [4, 6])


def probe(kind: Shape, version: int, *, port: int = 61000, seq: int = 1000, server: int = 22) -> Probe:
    client, to = ENDS[version]
    ack = 77 if kind in (Shape.ACK, Shape.SYN_ACK) else 0
    return Probe(kind, Endpoint(client.address, port), Endpoint(to.address, server), seq=seq, ack=ack, tos=0x48)


def sums_hold(data: bytes) -> bool:
    """The transport's checksum, computed anew."""
    place = headers.find_ip(data, 0)
    assert place is not None
    if place.version == 4:
        ends, rest = data[12:20], data[place.transport :]
        pseudo = ends + struct.pack("!HH", place.protocol, len(rest)) if place.protocol == headers.TCP else b""
    else:
        ends, rest = data[8:40], data[place.transport :]
        pseudo = ends + struct.pack("!II", len(rest), place.protocol)
    return templates.checksum(pseudo + rest) == 0


def frame(packet: bytes) -> Frame:
    return Frame(1, 0, 101, packet, len(packet))


def error(version: int, quoted: bytes) -> bytes:
    """An ICMP error with a right checksum."""
    if version == 4:
        body = bytearray(struct.pack("!BBHI", 3, 13, 0, 0) + quoted)
        struct.pack_into("!H", body, 2, templates.checksum(body))
        head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 0, 0, 60, 1, 0, bytes(4), bytes((192, 0, 2, 1)))
        return head + bytes(body)
    body = bytearray(struct.pack("!BBHI", 1, 1, 0, 0) + quoted)
    addresses = bytes(32)
    struct.pack_into("!H", body, 2, templates.checksum(addresses + struct.pack("!II", len(body), 58) + body))
    return struct.pack("!IHBB", 6 << 28, len(body), 58, 60) + addresses + bytes(body)


def sent(one: Probe) -> Sent:
    packet = templates.fill(one)
    return Sent(frame(packet), one.shape, (one.client, one.server), one.seq, one.ack)


@each_version
@pytest.mark.parametrize("kind", list(Shape))
def test_probes_are_recognised_by_their_bytes(kind: Shape, version: int) -> None:
    packet = templates.fill(probe(kind, version))
    place = headers.find(packet, 101)
    assert place is not None
    assert (headers.ttl(packet, place), headers.tos(packet, place)) == (64, 0x48)
    if kind is Shape.ECHO:
        assert headers.is_echo(packet, place, reply=False)
        assert headers.numbers(packet, place) == (61000, 1000)
        return
    assert headers.ends(packet, place) == ENDS[version]
    assert headers.numbers(packet, place)[0] == 1000
    assert headers.payload(packet, place) == b""
    assert shape(packet, place) is kind


@each_version
def test_an_answer_gets_the_new_numbers(version: int) -> None:
    asked = probe(Shape.SYN, version, server=40000)
    answer = templates.fill(
        Probe(Shape.SYN_ACK, asked.server, asked.client, seq=5555, ack=(asked.seq + 1) & 0xFFFFFFFF, tos=0)
    )
    assert sums_hold(answer)
    again = replace_numbers(asked, port=64123, seq=0xFFFFFFFF, server=33333)
    new = renumbered(frame(answer), sent(asked), again).data
    place = headers.find_ip(new, 0)
    assert place is not None
    assert headers.ends(new, place) == (again.server, again.client)
    assert headers.numbers(new, place) == (5555, 0)
    assert sums_hold(new)


def replace_numbers(one: Probe, *, port: int, seq: int, server: int) -> Probe:
    return Probe(
        one.shape, Endpoint(one.client.address, port), Endpoint(one.server.address, server), seq=seq, ack=0, tos=one.tos
    )


@each_version
@pytest.mark.parametrize("kind", [Shape.SYN, Shape.MD5_SYN, Shape.ECHO, Shape.FIN])
@pytest.mark.parametrize("cut", [False, True], ids=["whole", "8 bytes"])
def test_a_quote_gets_the_new_numbers(version: int, kind: Shape, cut: bool) -> None:
    asked = probe(kind, version)
    quoted = templates.fill(asked)
    if cut:
        quoted = quoted[: (20 if version == 4 else 40) + 8]
    packet = error(version, quoted)
    assert sums_hold(packet)
    flow = sent(asked)
    if kind is Shape.ECHO:
        flow.flow = (asked.client, Endpoint(asked.server.address, asked.seq))
    new = renumbered(frame(packet), flow, replace_numbers(asked, port=64123, seq=4242, server=22)).data
    place = headers.find_ip(new, 0)
    assert place is not None
    inner = headers.quote(new, place)
    assert inner is not None
    if kind is Shape.ECHO:
        assert headers.numbers(new, inner) == (64123, 4242)
    else:
        assert headers.ends(new, inner)[0].port == 64123
        assert headers.numbers(new, inner)[0] == 4242
    assert sums_hold(new)
    if not cut:
        assert sums_hold(new[inner.ip :])


def test_a_wrong_checksum_stays_wrong_by_as_much() -> None:
    packet = bytearray(templates.fill(probe(Shape.SYN, 4)))
    packet[36:38] = b"\x12\x34"
    headers.put(packet, 24, b"\0\0\0\7", [36])
    assert not sums_hold(bytes(packet))
    headers.put(packet, 24, struct.pack("!I", 1000), [36])
    assert packet[36:38] == b"\x12\x34"


@given(st.binary(max_size=120), st.sampled_from([0, 1, 12, 101, 113, 276, 999]))
def test_no_bytes_make_it_raise(data: bytes, link: int) -> None:
    look(data, link)


@given(st.data())
def test_nor_do_packets_that_were_cut_or_changed(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(list(Shape)))
    version = data.draw(st.sampled_from([4, 6]))
    random.seed(0)
    packet = bytearray(templates.fill(probe(kind, version)))
    if data.draw(st.booleans()):
        packet = bytearray(error(version, bytes(packet)))
    for _ in range(data.draw(st.integers(0, 3))):
        packet[data.draw(st.integers(0, len(packet) - 1))] = data.draw(st.integers(0, 255))
    look(bytes(packet[: data.draw(st.integers(0, len(packet)))]), 101)


def look(data: bytes, link: int) -> None:
    """Read everything, write everything."""
    place = headers.find(data, link)
    if place is None:
        return
    headers.ends(data, place)
    headers.ttl(data, place)
    headers.tos(data, place)
    headers.numbers(data, place)
    headers.flags(data, place)
    headers.options(data, place)
    headers.payload(data, place)
    headers.quote(data, place)
    shape(data, place)
    asked = probe(Shape.SYN, 4)
    renumbered(Frame(1, 0, link, data, len(data)), sent(asked), asked)
