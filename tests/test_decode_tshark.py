"""A second opinion: what tshark makes of the same packets, field by field."""

from __future__ import annotations

import csv
import io
import ipaddress
import shutil
import struct
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from netprobe.attempts import address
from netprobe.model import Frame
from netprobe.tracker import columns
from netprobe.wire.capture import CaptureReader
from tests.packets import TCP, icmp_error, ip_packet
from tests.test_decode import DATA4, DATA6, SEGMENTS, SYN4, SYN6, decoded, with_options
from tests.wrappings import LINKS, TUNNELS

FIELDS = {
    4: ("ip.src", "ip.dst", "ip.ttl", "ip.dsfield.dscp"),
    6: ("ipv6.src", "ipv6.dst", "ipv6.hlim", "ipv6.tclass.dscp"),
}
TCP_FIELDS = (
    *("tcp.srcport", "tcp.dstport", "tcp.seq_raw", "tcp.ack_raw", "tcp.flags", "tcp.window_size_value", "tcp.len"),
    *("tcp.options.timestamp.tsval", "tcp.options.mss_val", "icmp.type", "icmpv6.type"),
)
needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")


def told_by_tshark(path: Path) -> list[dict[str, str]]:
    """What tshark says of each packet; of several values of one field the innermost packet's."""
    fields = [*FIELDS[4], *FIELDS[6], *TCP_FIELDS]
    options = [
        "ip.defragment:FALSE",
        "ipv6.defragment:FALSE",
        "tcp.desegment_tcp_streams:FALSE",
        "gtp.dissect_tpdu_as:1",
    ]
    command = [
        "tshark",
        "-n",
        "-r",
        str(path),
        "-T",
        "fields",
        "-E",
        "separator=,",
        "-E",
        "occurrence=l",
        "-E",
        "quote=d",
    ]
    for one in options:
        command += ["-o", one]
    for field in fields:
        command += ["-e", field]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert run.returncode == 0, run.stderr
    return [dict(zip(fields, row, strict=True)) for row in csv.reader(io.StringIO(run.stdout))]


def told_by_us(d: Sequence[int]) -> dict[str, str]:
    version = d[columns.D_VERSION]
    words = (d[columns.D_SRC : columns.D_SRC + 4], d[columns.D_DST : columns.D_DST + 4])
    where = [address(one, version) for one in words]
    ip = (*where, d[columns.D_TTL], d[columns.D_TOS] >> 2)
    tcp = [d[n] for n in (columns.D_SPORT, columns.D_DPORT, columns.D_SEQ, columns.D_ACK)]
    options = d[columns.D_OPTIONS]
    rest = (d[columns.D_FLAGS], d[columns.D_WINDOW], d[columns.D_PAYLOAD], bool(options & columns.O_TIMESTAMP))
    mss = options >> columns.O_MSS_SHIFT if options & columns.O_MSS else ""
    return {name: str(one) for name, one in zip((*FIELDS[version], *TCP_FIELDS), (*ip, *tcp, *rest, mss), strict=False)}


def assert_tshark_agrees(
    folder: Path, link: int, packets: Sequence[bytes], depth: int, lengths: Sequence[int] = ()
) -> int:
    """Write a capture, compare each packet; `lengths` are those on the wire, where they were cut. Returns how many were
    TCP."""
    path = folder / f"{link}.pcap"
    whole = lengths or [len(data) for data in packets]
    records = [
        struct.pack("<IIII", 1, 0, len(data), length) + data for data, length in zip(packets, whole, strict=True)
    ]
    path.write_bytes(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, link) + b"".join(records))
    theirs = told_by_tshark(path)
    assert len(theirs) == len(packets)
    compared = 0
    for n, (data, told) in enumerate(zip(packets, theirs, strict=True), 1):
        d = decoded(data, link, depth)
        is_tcp = bool(told["tcp.flags"]) and not told["icmp.type"] and not told["icmpv6.type"]
        assert (d[columns.D_PROTOCOL] == columns.P_TCP) is is_tcp, (n, data.hex(), told)
        if not is_tcp:
            continue
        compared += 1
        told["tcp.flags"] = str(int(told["tcp.flags"], 16) & 0xFF)
        told["tcp.options.timestamp.tsval"] = str(bool(told["tcp.options.timestamp.tsval"]))
        for name in FIELDS[d[columns.D_VERSION]][:2]:
            told[name] = str(ipaddress.ip_address(told[name]))
        ours = told_by_us(d)
        if d[columns.D_OPTIONS] & columns.O_FRAGMENT:  # tshark gives no length of a segment that isn't whole
            del ours["tcp.len"]
        assert ours == {name: told[name] for name in ours}, n
    return compared


@needs_tshark
@pytest.mark.parametrize("link", sorted({number for number, _ in LINKS.values()}))
def test_tshark_agrees_on_links(link: int, tmp_path: Path) -> None:
    # Wireshark takes 166 for plain PPP and doesn't know 219.
    unknown = {"pppd", "mpls alone"}
    headers = [header for name, (number, header) in LINKS.items() if number == link and name not in unknown]
    packets = [header(segment.packet()) for header in headers for segment in SEGMENTS.values()]
    if packets:
        assert assert_tshark_agrees(tmp_path, link, packets, 0) == len(packets)


@needs_tshark
def test_tshark_agrees_on_tunnels(tmp_path: Path) -> None:
    unknown = {"vxlan of linux"}
    wraps = [wrap for name, (_, wrap) in TUNNELS.items() if name not in unknown]
    packets = [wrap(segment.packet()) for wrap in wraps for segment in SEGMENTS.values()]
    assert assert_tshark_agrees(tmp_path, 101, packets, 4) == len(packets)


@needs_tshark
def test_tshark_agrees_on_ip(tmp_path: Path) -> None:
    packets = list(odd_ip())
    assert assert_tshark_agrees(tmp_path, 101, packets, 0) >= 10


def odd_ip() -> Iterator[bytes]:
    """IP packets that are unusual and legal."""
    for options in (b"\x94\x04\0\0", b"\x01" * 40, b"\x07\x07\x04\xc0\0\2\7\0"):
        yield with_options(DATA4.packet(), options)
    for number in (0, 43, 60, 140):
        header = b"\0\xfd\0\0\0\0\0" if number == 43 else b"\0\1\4\0\0\0\0"
        yield ip_packet(DATA6.src.address, DATA6.dst.address, TCP, DATA6.tcp(), headers=((number, header),))
    yield ip_packet(DATA6.src.address, DATA6.dst.address, 51, bytes([TCP, 4]) + bytes(22) + DATA6.tcp())
    yield ip_packet(DATA4.src.address, DATA4.dst.address, 51, bytes([TCP, 4]) + bytes(22) + DATA4.tcp())
    yield replace(DATA6, more=True).packet()
    yield replace(DATA4, more=True).packet()
    yield ip_packet(DATA4.src.address, DATA4.dst.address, TCP, DATA4.tcp(), offset=100)
    yield ip_packet(DATA6.src.address, DATA6.dst.address, TCP, DATA6.tcp(), offset=100)
    yield icmp_error("198.51.100.2", "192.0.2.1", 3, 13, SYN4.packet())
    yield icmp_error("2001:db8::7", "2001:db8::1", 1, 1, SYN6.packet())
    yield ip_packet(DATA4.src.address, DATA4.dst.address, 50, bytes(40))
    yield ip_packet(DATA4.src.address, DATA4.dst.address, 132, bytes(40))


@needs_tshark
def test_tshark_agrees_on_every_packet_of_our_captures(tmp_path: Path) -> None:
    by_link: dict[int, list[Frame]] = {}
    for path in sorted((Path(__file__).parent.parent / "captures").glob("*.pcapng")):
        for record in CaptureReader(path):
            if isinstance(record, Frame):
                by_link.setdefault(record.link_type, []).append(record)
    compared = [
        assert_tshark_agrees(tmp_path, link, [one.data for one in found], 0, [one.length for one in found])
        for link, found in by_link.items()
    ]
    assert sum(compared) > 1000


@needs_tshark
def test_tshark_agrees_on_what_scapy_builds(tmp_path: Path) -> None:
    packets = [bytes(one) for one in scapys()]
    assert assert_tshark_agrees(tmp_path, 1, packets, 4) == len(packets)


def scapys() -> Iterator[Any]:
    """The same ideas as in tests/wrappings.py, as another program writes them."""
    from scapy.contrib.geneve import GENEVE
    from scapy.contrib.gtp import GTP_U_Header
    from scapy.contrib.mpls import MPLS
    from scapy.layers import inet, inet6, l2, ppp, vxlan

    ether = l2.Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    four, six = inet.IP(src="192.0.2.1", dst="203.0.113.5"), inet6.IPv6(src="2001:db8::1", dst="2001:db8:5::5")
    outer = inet.IP(src="198.51.100.1", dst="198.51.100.2")
    options = [("MSS", 1400), ("SAckOK", b""), ("Timestamp", (1, 2)), ("WScale", 7)]
    for ip in (four, six):
        segment = ip / inet.TCP(sport=40000, dport=22, seq=123456789, flags="S", options=options)
        fragment = inet6.IPv6ExtHdrFragment(m=1, id=7) if ip is six else None
        yield ether / segment
        yield ether / l2.Dot1Q(vlan=7) / segment
        yield ether / l2.Dot1AD(vlan=7) / l2.Dot1Q(vlan=8) / segment
        yield l2.Dot3(src=ether.src, dst=ether.dst) / l2.LLC() / l2.SNAP() / segment
        yield ether / ppp.PPPoE(sessionid=1) / ppp.PPP(proto=0x57 if ip is six else 0x21) / segment
        yield ether / MPLS(label=100, s=0) / MPLS(label=200, s=1) / segment
        yield ether / outer / segment
        yield ether / outer / l2.GRE(key_present=1, key=7, chksum_present=1) / segment
        yield ether / outer / l2.GRE(proto=0x6558) / ether / segment
        yield ether / outer / inet.UDP(sport=5000, dport=4789) / vxlan.VXLAN(vni=5, flags="Instance") / ether / segment
        yield ether / outer / inet.UDP(sport=5000, dport=6081) / GENEVE(vni=5) / ether / segment
        yield ether / outer / inet.UDP(sport=2152, dport=2152) / GTP_U_Header(teid=7) / segment
        if fragment is not None:
            tcp = segment[inet.TCP]
            yield ether / ip / fragment / tcp
            yield ether / ip / inet6.IPv6ExtHdrHopByHop() / inet6.IPv6ExtHdrDestOpt() / tcp
            yield ether / ip / inet6.IPv6ExtHdrRouting(addresses=["2001:db8::9"]) / tcp
