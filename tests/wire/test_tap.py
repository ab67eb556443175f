"""The capture: its filter in the kernel, its choice of packets, its counting of drops."""

from __future__ import annotations

import os
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netprobe.model import Endpoint, Probe, Shape
from netprobe.wire import bpf, templates
from netprobe.wire.clock import Clock
from netprobe.wire.privilege import can_capture
from netprobe.wire.relevance import Relevance
from netprobe.wire.tap import Tap

needs_capture = [pytest.mark.lab, pytest.mark.skipif(not can_capture(), reason="needs CAP_NET_RAW")]
V4, V6, ARP = 0x0800, 0x86DD, 0x0806


def syn(client: str, server: str) -> bytes:
    return templates.fill(Probe(Shape.SYN, Endpoint(client, 40000), Endpoint(server, 22)))


def error(router: str, us: str, quoted: bytes) -> bytes:
    """An ICMP time exceeded, without care for checksums."""
    echo = templates.fill(Probe(Shape.ECHO, Endpoint(router, 0), Endpoint(us, 0)))
    v4 = ":" not in router
    head = echo[: 20 if v4 else 40]
    return head + bytes([11 if v4 else 3, 0, 0, 0, 0, 0, 0, 0]) + quoted


# --------------------------------------------------------------------------- choice


@pytest.mark.parametrize(
    ("protocol", "target", "us", "router", "other"),
    [
        (V4, "203.0.113.9", "192.0.2.1", "198.51.100.1", "203.0.113.7"),
        (V6, "2001:db8::9", "2001:db8::1", "2001:db8:1::1", "2001:db8::7"),
    ],
)
def test_packets_of_targets_and_errors_that_quote_them(
    protocol: int, target: str, us: str, router: str, other: str
) -> None:
    relevance = Relevance()
    relevance.add(target)
    assert relevance.concerns(protocol, syn(us, target))
    assert relevance.concerns(protocol, syn(target, us))
    assert relevance.concerns(protocol, error(router, us, syn(us, target)))
    assert not relevance.concerns(protocol, syn(us, other))
    assert not relevance.concerns(protocol, error(router, us, syn(us, other)))
    echo = templates.fill(Probe(Shape.ECHO, Endpoint(router, 0), Endpoint(us, 0)))
    assert not relevance.concerns(protocol, echo + syn(us, target))


@given(st.sampled_from([V4, V6, ARP, 0x88CC]), st.binary(max_size=120))
def test_no_packet_makes_the_choice_raise(protocol: int, packet: bytes) -> None:
    relevance = Relevance()
    relevance.add("192.0.2.1")
    relevance.add("2001:db8::1%eth0")
    for damaged in (
        packet,
        b"\x45" + packet,
        b"\x60" + bytes(5) + b"\x3a" + packet,
        b"\x4f" + bytes(8) + b"\x01" + packet,
    ):
        relevance.concerns(protocol, damaged)


# --------------------------------------------------------------------------- filter


@pytest.mark.parametrize("count", [0, 1, 20, 40, 41, 400])
def test_a_filter_fits_the_kernel_and_its_jumps(count: int) -> None:
    addresses = {f"198.18.{i >> 8}.{i & 255}" for i in range(count // 2)}
    addresses |= {f"2001:db8::{i + 1:x}%eth0" for i in range(count - len(addresses))}
    program = bpf.program(addresses)
    lines = [struct.unpack_from("HBBI", program, at) for at in range(0, len(program), 8)]
    assert len(lines) < 255
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        bpf.attach(sock, program)  # the kernel checks every jump


def accepted(program: bytes, protocol: int, packet: bytes, hardware: int = 1, packet_type: int = 0) -> bool:
    """Run a program as the kernel would (filter.h), on the few instructions that bpf.py uses."""
    ancillary = {0: protocol, 4: packet_type, 28: hardware}
    value, at = 0, 0
    while True:
        code, then, otherwise, operand = struct.unpack_from("HBBI", program, at * 8)
        at += 1
        match code:
            case 0x06:
                return bool(operand)
            case 0x05:
                at += operand
            case 0x15:
                at += then if value == operand else otherwise
            case 0x20 | 0x28 | 0x30:
                size = {0x20: 4, 0x28: 2, 0x30: 1}[code]
                if operand >= 0xFFFFF000:
                    value = ancillary[operand - 0xFFFFF000]
                elif operand + size > len(packet):
                    return False
                else:
                    value = int.from_bytes(packet[operand : operand + size], "big")
            case _:
                raise AssertionError(code)


def test_what_the_filter_lets_through() -> None:
    watched = bpf.program({"203.0.113.9", "2001:db8::9"})
    everything = bpf.program({f"198.18.0.{i}" for i in range(50)})
    for target, other, us, protocol in (
        ("203.0.113.9", "203.0.113.7", "192.0.2.1", V4),
        ("2001:db8::9", "2001:db8::7", "2001:db8::1", V6),
    ):
        assert accepted(watched, protocol, syn(us, target))
        assert accepted(watched, protocol, syn(target, us))
        assert not accepted(watched, protocol, syn(us, other))
        assert accepted(everything, protocol, syn(us, other))
        fragment = templates.fill(Probe(Shape.FRAGMENT, Endpoint(us, 1), Endpoint(target, 22)))
        assert accepted(watched, protocol, fragment)
        echo = templates.fill(Probe(Shape.ECHO, Endpoint(us, 1), Endpoint(other, 22)))
        assert accepted(watched, protocol, echo)
        assert not accepted(watched, protocol, syn(us, target), hardware=772, packet_type=0)
        assert accepted(watched, protocol, syn(us, target), hardware=772, packet_type=4)
        assert not accepted(watched, protocol, echo[:6])
    assert accepted(watched, ARP, b"")
    assert accepted(watched, 0x88B5, b"", hardware=772)
    assert not accepted(watched, 0x88CC, bytes(60))
    udp = bytearray(syn("192.0.2.1", "203.0.113.9"))
    udp[9] = 17
    assert not accepted(watched, V4, bytes(udp))


# --------------------------------------------------------------------------- the kernel's own


class TestOnLoopback:
    pytestmark = needs_capture

    def test_it_is_proven_every_time(self) -> None:
        for _ in range(50):
            tap = Tap(Clock())
            assert tap.proven
            assert tap.frames() == []
            tap.close()

    def test_connections_of_others_are_not_seen(self) -> None:
        tap = Tap(Clock())
        tap.watch("127.0.0.2")
        for address in ("127.0.0.3", "127.0.0.2"):
            with socket.socket() as sock:
                sock.connect_ex((address, 9))
        frames = tap.frames()
        assert [f.data[20 + 33] for f in frames] == [0x02, 0x14]
        assert all(
            f.data[20 + 16 : 20 + 20] == b"\x7f\0\0\2" or f.data[20 + 12 : 20 + 16] == b"\x7f\0\0\2" for f in frames
        )
        assert all((f.link_type, f.interface, f.outgoing) == (276, "lo", None) for f in frames)
        assert all(f.data[4:8] == struct.pack("!I", socket.if_nametoindex("lo")) for f in frames)
        tap.close()

    def test_no_packet_comes_before_the_one_in_front_of_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The system time may be set between two packets: the answer still follows its question."""
        clock, times = Clock(), iter((10**9, 0))
        tap = Tap(clock)
        tap.watch("127.0.0.5")
        with socket.socket() as sock:
            sock.connect_ex(("127.0.0.5", 9))
        monkeypatch.setattr(clock, "from_kernel", lambda stamp_ns, behind_ns: next(times))
        assert [(f.data[20 + 33], f.time_ns) for f in tap.frames()] == [(0x02, 10**9), (0x14, 10**9)]
        tap.close()

    def test_many_addresses_are_still_told_apart(self) -> None:
        tap = Tap(Clock())
        for i in range(60):
            tap.watch(f"127.0.1.{i + 1}")
        for address in ("127.0.2.1", "127.0.1.60"):
            with socket.socket() as sock:
                sock.connect_ex((address, 9))
        assert len(tap.frames()) == 2
        tap.close()

    def test_drops_are_counted(self) -> None:
        tap = Tap(Clock())
        tap._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        tap.watch("127.0.0.4")
        for _ in range(50):
            with socket.socket() as sock:
                sock.connect_ex(("127.0.0.4", 9))
        dropped = tap.drops()
        assert dropped > 0
        assert len(tap.frames()) + dropped == 100
        assert (tap.drops(), tap.dropped) == (0, dropped)
        tap.close()


def test_twins_on_two_interfaces_are_one_packet() -> None:
    tap = object.__new__(Tap)
    tap._twins = {}
    packet = os.urandom(40)
    assert not tap._is_twin(packet, True, 2, 10**9)
    assert tap._is_twin(packet, True, 3, 10**9 + 10**6)
    assert not tap._is_twin(packet, False, 3, 10**9 + 10**6)
    assert not tap._is_twin(packet, True, 2, 10**9 + 2 * 10**6), "the same interface: a repetition"
    assert not tap._is_twin(packet, True, 3, 2 * 10**9), "a second later: a repetition"
