"""Crafted probes: the ready-built packets are scapy's, and their checksums are right."""

from __future__ import annotations

import random
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netprobe.model import Endpoint, Probe, Shape
from netprobe.wire import codec, solicit, templates

PORT = st.integers(0, 0xFFFF)
NUMBER = st.integers(0, 0xFFFFFFFF)
PROBES = st.builds(
    lambda shape, v6, client, server, cport, sport, **rest: Probe(
        shape,
        Endpoint(str(_address(v6, client)), cport),
        Endpoint(str(_address(v6, server)), sport),
        **rest,
    ),
    st.sampled_from(Shape),
    st.booleans(),
    st.integers(1, 0xFFFF),
    st.integers(1, 0xFFFF),
    PORT,
    PORT,
    seq=NUMBER,
    ack=NUMBER,
    ttl=st.none() | st.integers(1, 255),
    tos=st.integers(0, 255),
)


def _address(v6: bool, number: int) -> str:
    return f"2001:db8::{number:x}" if v6 else f"198.18.{number >> 8}.{number & 255}"


@pytest.fixture
def one_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """Randomness that both builders draw alike, in whatever order."""
    monkeypatch.setattr(random, "randint", lambda low, high: 0x2B1D)
    monkeypatch.setattr(random, "getrandbits", lambda bits: 0x1234ABCD)
    monkeypatch.setattr(random, "randbytes", lambda count: bytes(range(count)))


@pytest.mark.usefixtures("one_number")
def test_ready_built_packets_are_scapys() -> None:
    @settings(max_examples=300)
    @given(PROBES, st.integers(68, 70000))
    def check(probe: Probe, mtu: int) -> None:
        assert templates.fill(probe, mtu).hex() == codec.build(probe, mtu).hex()

    check()


@given(PROBES)
def test_checksums_are_right(probe: Probe) -> None:
    packet = templates.fill(probe)
    v4 = packet[0] >> 4 == 4
    if v4:
        assert templates.checksum(packet[:20]) == 0
    at = 20 if v4 else 48 if probe.shape is Shape.FRAGMENT else 40
    protocol = (1 if v4 else 58) if probe.shape is Shape.ECHO else 6
    ends = packet[12:20] if v4 else packet[8:40]
    pseudo = ends + struct.pack("!II", len(packet) - at, protocol)
    assert templates.checksum((b"" if v4 and protocol == 1 else pseudo) + packet[at:]) == 0


@pytest.mark.parametrize("shape", Shape)
@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1"])
def test_scapy_reads_what_was_asked_for(shape: Shape, address: str) -> None:
    from scapy.layers import inet, inet6

    probe = Probe(shape, Endpoint(address, 40001), Endpoint(address, 22), seq=7, ack=9, ttl=5)
    layer: Any = (inet.IP if address.count(".") else inet6.IPv6)(templates.fill(probe))
    assert (layer.src, layer.dst) == (address, address)
    if shape is Shape.ECHO:
        assert inet.ICMP in layer or inet6.ICMPv6EchoRequest in layer
        return
    if shape is Shape.FRAGMENT:
        assert layer.flags.MF and not layer.flags.DF if address.count(".") else layer[inet6.IPv6ExtHdrFragment].m == 1
    segment = inet.TCP(bytes(layer[inet.TCP]) if inet.TCP in layer else bytes(layer.payload.payload))
    assert (segment.sport, segment.dport, segment.seq, segment.ack) == (40001, 22, 7, 9)
    flags = {"syn-ack": "SA", "ack": "A", "fin": "F", "rst": "R"}.get(shape, "S")
    assert str(segment.flags) == flags
    names = [name for name, _ in segment.options]
    full = ["MSS", "SAckOK", "Timestamp", "NOP", "WScale"]
    assert (names == full) == (shape in (Shape.SYN, Shape.SYN_ACK, Shape.FRAGMENT))
    assert ("MD5" in names) == (shape is Shape.MD5_SYN)


def test_a_zone_is_no_part_of_the_packet() -> None:
    packet = templates.fill(Probe(Shape.SYN, Endpoint("fe80::1", 1), Endpoint("fe80::2%eth0", 22)))
    assert packet[24:40].hex() == "fe80" + 13 * "00" + "02"


def test_requests_for_a_neighbour_as_scapy_reads_them() -> None:
    from scapy.layers import inet6, l2

    hardware, own, wanted = bytes.fromhex("020000000001"), b"\xc0\0\2\1", b"\xc0\0\2\2"
    arp: Any = l2.ARP(solicit.arp_request(hardware, own, wanted))
    assert (arp.op, arp.psrc, arp.pdst, arp.hwsrc) == (1, "192.0.2.1", "192.0.2.2", "02:00:00:00:00:01")
    own, wanted = (bytes.fromhex("20010db8" + 11 * "00") + bytes([i]) for i in (1, 2))
    packet, group = solicit.neighbor_solicitation(hardware, own, wanted)
    layer: Any = inet6.IPv6(packet)
    assert (layer.dst, layer.hlim, group.hex()) == ("ff02::1:ff00:2", 255, "3333ff000002")
    assert layer[inet6.ICMPv6ND_NS].tgt == "2001:db8::2"
    assert templates.checksum(packet[8:40] + struct.pack("!II", len(packet) - 40, 58) + packet[40:]) == 0
