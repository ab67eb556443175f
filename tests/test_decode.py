"""Decoding: link headers, tunnels, IP and its extensions; nothing uncounted, nothing out of bounds."""

from __future__ import annotations

import importlib.util
import random
import struct
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, overload

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netprobe.attempts import address
from netprobe.model import Endpoint, Frame
from netprobe.tracker import Tracker, columns, decode, network
from tests.packets import TCP, Segment, echo, framed, icmp_error, ip_packet, neighbor
from tests.wrappings import (
    BY_FAMILY,
    LINKS,
    PSEUDOWIRE,
    TUNNELS,
    ethernet,
    four,
    in_six,
    mpls,
    ppi,
    pppoe,
    udp,
    wifi,
)

SYN4 = Segment(
    src=Endpoint("192.0.2.1", 40000),
    dst=Endpoint("203.0.113.5", 22),
    seq=0xFEDCBA98,
    ttl=61,
    tos=0x48,
    window=64000,
    options=("mss", "sack", "ts", "nop", "ws"),
    ip_id=0xBEEF,
)
SYN6 = replace(SYN4, src=Endpoint("2001:db8::1", 40000), dst=Endpoint("2001:db8:5::5", 22))
DATA4 = replace(SYN4, flags="PA", seq=7, ack=0x89ABCDEF, options=("nop", "nop", "ts"), data=b"SSH-2.0-x\r\n", df=False)
DATA6 = replace(SYN6, flags="PA", seq=7, ack=0x89ABCDEF, options=("nop", "nop", "ts"), data=b"SSH-2.0-x\r\n")
SEGMENTS = {"syn4": SYN4, "syn6": SYN6, "data4": DATA4, "data6": DATA6}
ALL_LINKS = sorted({link for link, _ in LINKS.values()} | set(BY_FAMILY) | {147, 10})


def decoded(data: bytes, link: int = 101, depth: int = 0) -> list[int]:
    d = [0] * columns.DECODED
    decode.decode(data, 0, len(data), link, d, depth)
    return d


def kind(data: bytes, link: int = 101, depth: int = 0) -> int:
    return decoded(data, link, depth)[columns.D_PROTOCOL]


def counted(*packets: bytes, link: int = 1, depth: int = 0) -> dict[str, int]:
    tracker = Tracker(depth=depth)
    tracker.receive([Frame(n, n, link, data, len(data), None) for n, data in enumerate(packets, 1)])
    return tracker.undecoded


def assert_is(d: Sequence[int], segment: Segment) -> None:
    """All fields of a decoded segment."""
    version = d[columns.D_VERSION]
    found = {
        "src": Endpoint(address(d[columns.D_SRC : columns.D_SRC + 4], version), d[columns.D_SPORT]),
        "dst": Endpoint(address(d[columns.D_DST : columns.D_DST + 4], version), d[columns.D_DPORT]),
        "seq": d[columns.D_SEQ],
        "ack": d[columns.D_ACK],
        "ttl": d[columns.D_TTL],
        "tos": d[columns.D_TOS],
        "window": d[columns.D_WINDOW],
        "payload": d[columns.D_PAYLOAD],
        "ip_id": d[columns.D_IP_ID],
        "df": bool(d[columns.D_OPTIONS] & columns.O_DF),
    }
    assert d[columns.D_PROTOCOL] == columns.P_TCP
    assert found == {
        "src": segment.src,
        "dst": segment.dst,
        "seq": segment.seq,
        "ack": segment.ack,
        "ttl": segment.ttl,
        "tos": segment.tos,
        "window": segment.window,
        "payload": len(segment.data),
        "ip_id": segment.ip_id if version == 4 else 0,
        "df": segment.df and version == 4,
    }


# --------------------------------------------------------------------------- link types


@pytest.mark.parametrize("segment", SEGMENTS.values(), ids=SEGMENTS)
@pytest.mark.parametrize("name", LINKS)
def test_link(name: str, segment: Segment) -> None:
    link, header = LINKS[name]
    data = header(segment.packet())
    d = decoded(data, link)
    assert_is(d, segment)
    assert data[d[columns.D_OFFSET] :] == segment.data
    assert bool(d[columns.D_OPTIONS] & columns.O_TIMESTAMP)
    assert (d[columns.D_OPTIONS] >> columns.O_MSS_SHIFT == 1460) is ("mss" in segment.options)


@pytest.mark.parametrize(("link", "version"), BY_FAMILY.items())
def test_links_of_one_family(link: int, version: int) -> None:
    segment = SYN4 if version == 4 else SYN6
    assert_is(decoded(segment.packet(), link), segment)


@pytest.mark.parametrize("name", LINKS)
def test_a_link_header_cut_anywhere_is_short(name: str) -> None:
    link, header = LINKS[name]
    whole = header(DATA4.packet())
    needed = len(whole) - len(DATA4.data) - 12
    for kept in range(len(whole)):
        found = kind(whole[:kept], link)
        assert (found == columns.P_TCP) is (kept >= needed), kept
        assert found in (columns.P_TCP, columns.P_SHORT), kept


@pytest.mark.parametrize(
    ("data", "link", "name"),
    [
        (ethernet(bytes(46), b"\x88\xcc"), 1, "ethertype-0x88cc"),
        (ethernet(bytes(46), b"\x88\x63"), 1, "ethertype-0x8863"),
        (ethernet(b"\x42\x42\x03" + bytes(40), b"\0\x26"), 1, "llc-0x42"),
        (ethernet(b"\0\1\x86\xdd\6\4" + bytes(40), b"\x08\6"), 1, "arp"),
        (ethernet(b"\0\1\x08\0\6\4\0\x08" + bytes(40), b"\x08\6"), 1, "arp"),
        (ethernet(mpls(b"\x90" + bytes(40), 100), b"\x88\x47"), 1, "ethertype-0x8847"),
        (ethernet(b"\0\x10\0\x40" * 20 + SYN4.packet(), b"\x88\x47"), 1, "ethertype-0x8847"),
        (ethernet(b"\0\7\x81\0" * 10 + SYN4.packet(), b"\x81\0"), 1, "ethertype-0x8100"),
        (ethernet(pppoe(SYN4.packet())[:6] + b"\xc0\x21" + bytes(20), b"\x88\x64"), 1, "ppp-0xc021"),
        (b"\x80\0" + bytes(40), 105, "wifi-control"),
        (b"\xb4\0" + bytes(14), 105, "wifi-control"),
        (b"\x48\x01" + bytes(24), 105, "wifi-control"),
        (wifi(SYN4.packet(), quality=True)[:24] + b"\x80\0" + bytes(60), 105, "wifi-aggregate"),
        (b"\x08\x41" + bytes(60), 105, "encrypted-link"),
        (ethernet(b"\x2c" + bytes(60), b"\x88\xe5"), 1, "encrypted-link"),
        (SYN4.packet(), 147, "link-type-147"),
        (ppi(SYN4.packet(), 147), 192, "link-type-147"),
        (ppi(ppi(SYN4.packet(), 101), 192), 192, "malformed"),
        (b"\x50" + bytes(60), 101, "malformed"),
        (ethernet(b"\x21" + pppoe(SYN4.packet())[1:], b"\x88\x64"), 1, "malformed"),
        (b"\0\0\4\0" + bytes(60), 127, "malformed"),
        (b"\2\0\0\5" + b"\2\0\1\0" + bytes(60), 239, "malformed"),
    ],
)
def test_what_is_no_ip_is_counted_by_its_kind(data: bytes, link: int, name: str) -> None:
    assert counted(data, link=link) == {name: 1}


def test_more_kinds_than_are_told_apart() -> None:
    frames = [ethernet(bytes(46), struct.pack("!H", 0x9200 + n)) for n in range(40)]
    found = counted(*frames)
    assert found.pop("not-ip") == 40 - columns.WHATS
    assert found == {f"ethertype-{0x9200 + n:#06x}": 1 for n in range(columns.WHATS)}


def test_neighbours_on_every_ethernet() -> None:
    for asked in ("192.0.2.9", "2001:db8::9"):
        source = "2001:db8::1" if ":" in asked else "192.0.2.1"
        number, message = neighbor(source, asked)
        assert kind(framed("vlan", message, number), 1) == columns.P_NEIGHBOR_ASK


# --------------------------------------------------------------------------- tunnels


@pytest.mark.parametrize("segment", SEGMENTS.values(), ids=SEGMENTS)
@pytest.mark.parametrize("name", TUNNELS)
def test_tunnel(name: str, segment: Segment) -> None:
    deep, wrap = TUNNELS[name]
    packet = wrap(segment.packet())
    for depth in range(deep):
        assert kind(packet, depth=depth) == columns.P_TUNNEL
    for link in ("ethernet", "raw", "sll2"):
        number, header = LINKS[link]
        data = header(packet)
        for depth in (deep, 4):
            d = decoded(data, number, depth)
            assert_is(d, segment)
            assert data[d[columns.D_OFFSET] :] == segment.data


@pytest.mark.parametrize("name", TUNNELS)
def test_a_tunnel_cut_anywhere_is_never_a_segment(name: str) -> None:
    whole = TUNNELS[name][1](DATA4.packet())
    needed = len(whole) - len(DATA4.data) - 12
    for kept in range(len(whole)):
        assert (kind(whole[:kept], depth=4) == columns.P_TCP) is (kept >= needed), kept


def test_pseudowire() -> None:
    data = PSEUDOWIRE(SYN4.packet())
    assert kind(data, 1) == columns.P_TUNNEL
    assert_is(decoded(data, 1, 1), SYN4)


def test_deeper_than_asked_for() -> None:
    packet = SYN4.packet()
    for _ in range(3000):
        packet = four(4, packet)[:65000]
    assert counted(packet, link=101, depth=4) == {"tunnel": 1}


@pytest.mark.parametrize(
    "datagram",
    [
        udp(4789, bytes(8) + ethernet(SYN4.packet())),  # no VNI
        udp(6081, b"\x80" + bytes(60)),
        udp(2152, b"\x30\x01" + bytes(60)),  # GTP-U, but an echo
        udp(53, b"\x08\0\0\0\0\0\5\0" + ethernet(SYN4.packet())),
        udp(4789, b""),
    ],
)
def test_udp_that_is_no_tunnel(datagram: bytes) -> None:
    assert counted(four(17, datagram), in_six(17, datagram), link=101) == {"udp": 2}
    assert counted(four(17, datagram), link=101, depth=4) == {"udp": 1}


@pytest.mark.parametrize("flags", [0x4000, 0x0002, 0x0007])
def test_gre_of_a_kind_that_nobody_sends(flags: int) -> None:
    packet = four(47, struct.pack("!HH", flags, 0x0800) + bytes(8) + SYN4.packet())
    assert counted(packet, link=101, depth=1) == {"malformed": 1}


def test_what_a_tunnel_holds_is_counted_by_its_kind() -> None:
    lldp = four(47, b"\0\0\x65\x58" + ethernet(bytes(46), b"\x88\xcc"))
    dns = four(4, four(17, udp(53, bytes(12))))
    assert counted(lldp, dns, link=101, depth=1) == {"ethertype-0x88cc": 1, "udp": 1}
    assert counted(lldp, dns, link=101) == {"tunnel": 2}


def test_echoes_and_errors_in_a_tunnel() -> None:
    ping = echo("192.0.2.1", "203.0.113.5", 5, 2)
    error = icmp_error("198.51.100.2", "192.0.2.1", 3, 1, SYN4.packet())
    tracker = Tracker(depth=1)
    packets = [four(4, SYN4.packet()), four(4, error), four(4, ping)]
    tracker.receive([Frame(n, n, 101, data, len(data), None) for n, data in enumerate(packets, 1)])
    assert len(tracker.rows) == 2
    assert tracker.rows[0][columns.ICMP + columns.I_FRAME] == 2


# --------------------------------------------------------------------------- IP


def with_options(packet: bytes, options: bytes) -> bytes:
    total = struct.unpack_from("!H", packet, 2)[0] + len(options)
    return (
        bytes([0x40 | (20 + len(options)) // 4, packet[1]])
        + struct.pack("!H", total)
        + packet[4:20]
        + options
        + packet[20:]
    )


@pytest.mark.parametrize("options", [b"\x94\x04\0\0", b"\x01" * 40, b"\x83\x27" + bytes(38)])
def test_ipv4_options(options: bytes) -> None:
    assert_is(decoded(with_options(DATA4.packet(), options)), DATA4)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({0: 0x44}, columns.P_MALFORMED),  # a header of 16 bytes
        ({0: 0x55}, columns.P_MALFORMED),
        ({2: 0, 3: 19}, columns.P_MALFORMED),
        ({2: 0, 3: 39}, columns.P_MALFORMED),  # too short for TCP
        ({32: 0x40}, columns.P_MALFORMED),  # a TCP header of 16 bytes
        ({32: 0xF0, 3: 60, 2: 0}, columns.P_MALFORMED),  # and one that is longer than its packet
        ({6: 0x20, 7: 1}, columns.P_FRAGMENT),
        ({6: 0, 7: 1}, columns.P_FRAGMENT),
        ({6: 0x20, 7: 0, 2: 0, 3: 28}, columns.P_FRAGMENT),  # a first fragment of 8 bytes
        ({6: 0x80}, columns.P_TCP),  # RFC 3514
        ({9: 17}, columns.P_UDP),
        ({9: 132}, columns.P_SCTP),
        ({9: 50}, columns.P_ESP),
        ({9: 89}, columns.P_OTHER),
        ({9: 58}, columns.P_OTHER),  # ICMPv6 in IPv4
    ],
)
def test_ipv4_header(change: dict[int, int], found: int) -> None:
    packet = bytearray(DATA4.packet())
    for at, octet in change.items():
        packet[at] = octet
    assert kind(ethernet(bytes(packet)), 1) == found
    assert kind(ethernet(bytes(packet) + bytes(10), b"\x08\0"), 1) == found, "padding changes nothing"


@pytest.mark.parametrize("segment", [DATA4, DATA6], ids=["v4", "v6"])
def test_the_packets_own_length_counts_not_the_frames(segment: Segment) -> None:
    d = decoded(ethernet(segment.packet()) + bytes(30), 1)
    assert d[columns.D_PAYLOAD] == len(segment.data)


def test_tcp_options_end_with_the_packet_not_with_the_frame() -> None:
    bare = replace(SYN4, options=())
    packet = bytearray(bare.packet())
    packet[32] = 0x60  # four bytes of options that are link padding
    assert kind(ethernet(bytes(packet)) + b"\x02\x04\x05\xb4", 1) == columns.P_MALFORMED


@pytest.mark.parametrize("segment", [DATA4, DATA6], ids=["v4", "v6"])
def test_snapped_within_the_options(segment: Segment) -> None:
    packet = segment.packet()
    for kept in range(len(packet) - len(segment.data) - 12, len(packet)):
        d = decoded(packet[:kept])
        assert d[columns.D_PROTOCOL] == columns.P_TCP
        assert d[columns.D_PAYLOAD] == len(segment.data)


@pytest.mark.parametrize("protocol", [0, 43, 60, 140])
def test_ipv6_extension_header(protocol: int) -> None:
    for size in (0, 1, 31):
        headers = ((protocol, bytes([size]) + bytes(6 + 8 * size)),) * 3
        packet = ip_packet(DATA6.src.address, DATA6.dst.address, TCP, DATA6.tcp(), 61, 0x48, headers=headers)
        assert_is(decoded(packet), DATA6)


@pytest.mark.parametrize("segment", [DATA4, DATA6], ids=["v4", "v6"])
def test_authentication_headers_are_passed_over(segment: Segment) -> None:
    ah = bytes([TCP, 4]) + bytes(22)
    packet = ip_packet(
        segment.src.address, segment.dst.address, 51, ah + segment.tcp(), 61, 0x48, segment.ip_id, segment.df
    )
    assert_is(decoded(packet), segment)
    for kept in range(len(packet) - len(segment.tcp()) + 20):
        assert kind(packet[:kept]) == columns.P_SHORT, kept


def test_jumbogram() -> None:
    body = DATA6.tcp()
    option = b"\xc2\x04" + struct.pack("!I", 8 + 20 + 12 + 100_000)
    packet = ip_packet(DATA6.src.address, DATA6.dst.address, TCP, body, headers=((0, b"\0" + option),))
    packet = packet[:4] + b"\0\0" + packet[6:]
    assert decoded(packet)[columns.D_PAYLOAD] == 100_000
    tiny = packet.replace(option, b"\xc2\x04\0\0\0\3")
    assert kind(tiny) == columns.P_MALFORMED
    # Without the option: segmentation offload, the frame's end counts.
    offloaded = DATA6.packet()
    offloaded = offloaded[:4] + b"\0\0" + offloaded[6:]
    assert decoded(offloaded)[columns.D_PAYLOAD] == len(DATA6.data)


def test_ipv6_first_fragment() -> None:
    d = decoded(replace(DATA6, more=True).packet())
    assert d[columns.D_PROTOCOL] == columns.P_TCP
    assert d[columns.D_OPTIONS] & columns.O_FRAGMENT


def test_the_straight_way_and_the_long_way_agree() -> None:
    rng = random.Random(5)
    taken = 0
    for _ in range(6000):
        segment = replace(
            DATA4,
            flags=rng.choice(["S", "SA", "A", "PA", "FA", "R", "-"]),
            seq=rng.getrandbits(32),
            ack=rng.getrandbits(32),
            options=rng.choice([(), ("nop", "nop", "ts"), ("mss",), ("ts",), ("mss", "sack", "ts", "nop", "ws")]),
            data=bytes(rng.randrange(30)),
            df=rng.random() < 0.5,
        )
        packet = bytearray(segment.packet())
        for _ in range(rng.randrange(3)):
            packet[rng.randrange(len(packet))] = rng.choice([0, 1, 0x45, 0xFF, rng.randrange(256)])
        data = bytes(packet[: rng.randint(30, len(packet))])
        short, long = [0] * columns.DECODED, [0] * columns.DECODED
        if decode.straight(data, 0, len(data), short):
            taken += 1
            assert network.network(data, 0, len(data), 0x0800, 0, long)[0] == -columns.P_TCP
            assert short == long
    assert taken > 1000


# --------------------------------------------------------------------------- nothing raises, nothing is left out


class Fenced(Sequence[int]):
    """Bytes of which only those of the frame may be looked at: compiled code would read anything."""

    def __init__(self, data: bytes, start: int) -> None:
        self.data = data
        self.start = start

    def __len__(self) -> int:
        return self.start + len(self.data)

    @overload
    def __getitem__(self, at: int) -> int: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[int]: ...
    def __getitem__(self, at: int | slice) -> int | Sequence[int]:
        assert isinstance(at, int)
        assert self.start <= at < self.start + len(self.data), f"{at - self.start} of {len(self.data)}"
        return self.data[at - self.start]


@st.composite
def frames(draw: st.DrawFn) -> tuple[bytes, int]:
    """A frame of any link type: noise, or a real packet in link headers and tunnels with bytes changed and cut off."""
    link = draw(st.sampled_from(ALL_LINKS))
    if draw(st.integers(0, 3)) == 0:
        return draw(st.binary(max_size=120)), link
    packet = draw(st.sampled_from(PACKETS))
    for _ in range(draw(st.integers(0, 2))):
        packet = TUNNELS[draw(st.sampled_from(sorted(TUNNELS)))][1](packet)
    link, header = LINKS[draw(st.sampled_from(sorted(LINKS)))]
    data = bytearray(header(packet))
    for _ in range(draw(st.integers(0, 3))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.sampled_from([0, 1, 4, 6, 41, 47, 0x45, 0x60, 0x88, 255]))
    return bytes(data[: draw(st.integers(0, len(data)))]), link


PACKETS = [
    *(segment.packet() for segment in SEGMENTS.values()),
    replace(DATA6, more=True).packet(),
    icmp_error("198.51.100.2", "192.0.2.1", 3, 13, SYN4.packet()),
    icmp_error("2001:db8::7", "2001:db8::1", 1, 1, replace(SYN6, more=True).packet()),
    echo("192.0.2.1", "203.0.113.5", 5, 2),
    neighbor("2001:db8::1", "2001:db8::9")[1],
    ip_packet(
        DATA6.src.address, DATA6.dst.address, TCP, DATA6.tcp(), headers=((0, b"\0\xc2\4\0\1\0\0"), (43, bytes(7)))
    ),
]


@given(frames(), st.integers(0, 4), st.integers(0, 90))
def test_no_frame_makes_decode_raise_or_look_beyond_it(frame: tuple[bytes, int], depth: int, start: int) -> None:
    data, link = frame
    d = [0] * columns.DECODED
    decode.decode(Fenced(data, start), start, start + len(data), link, d, depth)
    assert 0 < d[columns.D_PROTOCOL] < columns.PROTOCOLS
    if d[columns.D_PROTOCOL] == columns.P_TCP:
        assert d[columns.D_OFFSET] > 0
        assert d[columns.D_PAYLOAD] >= 0
        assert d == decoded(data, link, depth), "where a frame lies doesn't matter"


@given(st.lists(frames(), max_size=12), st.booleans())
def test_every_packet_is_counted_once(some: list[tuple[bytes, int]], deep: bool) -> None:
    tracker = Tracker(depth=4 if deep else 0)
    tracker.receive([Frame(n, n, link, data, len(data), None) for n, (data, link) in enumerate(some, 1)])
    by_protocol = [tracker.count(columns.N_PROTOCOLS + n) for n in range(columns.PROTOCOLS)]
    assert sum(by_protocol) == tracker.count(columns.N_FRAMES) == len(some)
    assert sum(by_protocol[: columns.DECODABLE]) + sum(tracker.undecoded.values()) == len(some)
    assert all(count > 0 for count in tracker.undecoded.values())


# --------------------------------------------------------------------------- compiled


@cache
def compiled() -> Callable[..., None]:
    """decode() compiled, in the way in which the loop is."""
    from netprobe.settling import engines, jit

    found: Any = jit.compiled(engines.MODULES, [decode.decode], [], [], lambda _: None)["decode"]
    return found  # type: ignore[no-any-return]


needs_numba = pytest.mark.skipif(importlib.util.find_spec("numba") is None, reason="numba is not installed")


@needs_numba
def test_compiled_and_interpreted_agree_on_damaged_frames() -> None:
    import numpy as np

    loop, rng = compiled(), random.Random(11)
    wraps: list[Callable[[bytes], bytes]] = [wrap for _, wrap in TUNNELS.values()]
    for _ in range(4000):
        packet = rng.choice(PACKETS)
        for _ in range(rng.randrange(3)):
            packet = rng.choice(wraps)(packet)
        link, header = rng.choice(list(LINKS.values()))
        data = bytearray(header(packet))
        for _ in range(rng.choice([0, 0, 1, 5])):
            data[rng.randrange(len(data))] = rng.randrange(256)
        data = data[: rng.randint(0, len(data))] if rng.random() < 0.4 else data
        depth = rng.choice([0, 4])
        around = bytes(rng.randrange(256) for _ in range(40))
        buffer = np.frombuffer(around + bytes(data) + around, dtype=np.uint8)
        found = np.zeros(columns.DECODED, dtype=np.int64)
        loop(buffer, 40, 40 + len(data), link, found, depth)
        assert found.tolist() == decoded(bytes(data), link, depth), (bytes(data), link, depth)
