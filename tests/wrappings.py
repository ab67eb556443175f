"""Link headers and tunnels around a packet, built field by field with struct.

House rules of this file:
1. Nothing of netprobe, no scapy: the specifications named in netprobe/tracker/link.py and tunnels.py, read once more.
2. LINKS maps a name to (LINKTYPE_, header for a packet); TUNNELS maps a name to (how deep, packet around a packet).
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from tests.packets import ip_packet

MACS = bytes.fromhex("020000000002020000000001")
BIT_32 = 0x80000000


def six(packet: bytes) -> bool:
    return packet[0] >> 4 == 6


def ether_type(packet: bytes) -> bytes:
    return b"\x86\xdd" if six(packet) else b"\x08\x00"


def ethernet(packet: bytes, kind: bytes | None = None) -> bytes:
    return MACS + (kind or ether_type(packet)) + packet


def snap(packet: bytes) -> bytes:
    return b"\xaa\xaa\x03\0\0\0" + ether_type(packet) + packet


def ppp(packet: bytes) -> bytes:
    return (b"\x00\x57" if six(packet) else b"\x00\x21") + packet


def pppoe(packet: bytes) -> bytes:
    inside = ppp(packet)
    return struct.pack("!BBHH", 0x11, 0, 7, len(inside)) + inside


def mpls(packet: bytes, *labels: int) -> bytes:
    stack = [struct.pack("!I", label << 12 | (label is labels[-1]) << 8 | 64) for label in labels]
    return b"".join(stack) + packet


def wifi(packet: bytes, *, quality: bool = False, four: bool = False, padded: bool = False) -> bytes:
    flags = 3 if four else 1
    head = bytes([0x88 if quality else 0x08, flags, 0, 0]) + MACS + MACS[:6] + b"\x10\0"
    head += MACS[6:] if four else b""
    head += b"\0\0" if quality else b""
    head += bytes(-len(head) % 4) if padded else b""
    return head + snap(packet)


def radiotap(frame: bytes, present: int, fields: bytes, more: bytes = b"") -> bytes:
    return struct.pack("<BBHI", 0, 0, 8 + len(more) + len(fields), present) + more + fields + frame


def nflog(packet: bytes) -> bytes:
    prefix = struct.pack("<HH", 7, 10) + b"ab\0\0"  # a prefix of 3 bytes, padded
    hook = struct.pack("<HHHBB", 8, 1, 0x0008, 1, 0)
    return bytes([10 if six(packet) else 2, 0, 0, 5]) + hook + prefix + struct.pack("<HH", len(packet) + 4, 9) + packet


def ppi(frame: bytes, link: int) -> bytes:
    return struct.pack("<BBHI", 0, 0, 8, link) + frame


def pktap(frame: bytes, link: int) -> bytes:
    return struct.pack("<III", 108, 1, link) + b"en0".ljust(24, b"\0") + bytes(72) + frame


def family(packet: bytes, order: str, number: int = 0) -> bytes:
    return struct.pack(f"{order}I", number or (30 if six(packet) else 2)) + packet


Header = Callable[[bytes], bytes]

LINKS: dict[str, tuple[int, Header]] = {
    "ethernet": (1, ethernet),
    "vlan": (1, lambda p: MACS + b"\x81\0\0\x07" + ether_type(p) + p),
    "qinq": (1, lambda p: MACS + b"\x88\xa8\0\x07\x81\0\0\x08" + ether_type(p) + p),
    "four tags": (1, lambda p: MACS + b"\x91\0\0\x07" + b"\x81\0\0\x08" * 3 + ether_type(p) + p),
    "802.3 snap": (1, lambda p: MACS + struct.pack("!H", len(p) + 8) + snap(p)),
    "vlan snap": (1, lambda p: MACS + b"\x81\0\0\x07" + struct.pack("!H", len(p) + 8) + snap(p)),
    "pppoe": (1, lambda p: ethernet(pppoe(p), b"\x88\x64")),
    "vlan pppoe": (1, lambda p: MACS + b"\x81\0\0\x07\x88\x64" + pppoe(p)),
    "mpls": (1, lambda p: ethernet(mpls(p, 100), b"\x88\x47")),
    "mpls x3": (1, lambda p: ethernet(mpls(p, 100, 200, 300), b"\x88\x47")),
    "macsec": (1, lambda p: ethernet(b"\x20\0" + bytes(4) + bytes(8) + ether_type(p) + p, b"\x88\xe5")),
    "raw": (101, bytes),
    "raw bsd": (12, bytes),
    "raw openbsd": (14, bytes),
    "null little": (0, lambda p: family(p, "<")),
    "null big": (0, lambda p: family(p, ">")),
    "null of another system": (0, lambda p: family(p, "<", 24 if six(p) else 2)),
    "loop": (108, lambda p: family(p, ">", 24 if six(p) else 2)),
    "sll": (113, lambda p: b"\0\0\0\x01\0\x06" + MACS[:8] + ether_type(p) + p),
    "sll snap": (113, lambda p: b"\0\0\0\x01\0\x06" + MACS[:8] + b"\0\x04" + snap(p)),
    "sll2": (276, lambda p: ether_type(p) + bytes(2) + b"\0\0\0\x03\0\x01\0\x06" + MACS[:8] + p),
    "sll2 vlan": (
        276,
        lambda p: b"\x81\0" + bytes(2) + b"\0\0\0\x03\0\x01\0\x06" + MACS[:8] + b"\0\7" + ether_type(p) + p,
    ),
    "ppp": (9, ppp),
    "ppp framed": (9, lambda p: b"\xff\x03" + ppp(p)),
    "ppp short protocol": (9, lambda p: b"\xff\x03" + ppp(p)[1:]),
    "ppp hdlc": (50, lambda p: b"\xff\x03" + ppp(p)),
    "ppp mpls": (9, lambda p: b"\xff\x03\x02\x81" + mpls(p, 100)),
    "ppp direction": (204, lambda p: b"\x01\xff\x03" + ppp(p)),
    "pppd": (166, lambda p: b"\x01\0" + ppp(p)),
    "pppoe alone": (51, pppoe),
    "cisco hdlc": (104, lambda p: b"\x0f\0" + ether_type(p) + p),
    "cisco hdlc in ppp": (50, lambda p: b"\x0f\0" + ether_type(p) + p),
    "mpls alone": (219, lambda p: mpls(p, 100, 200)),
    "wifi": (105, wifi),
    "wifi quality": (105, lambda p: wifi(p, quality=True)),
    "wifi four addresses": (105, lambda p: wifi(p, quality=True, four=True)),
    "radiotap": (127, lambda p: radiotap(wifi(p), 0, b"")),
    "radiotap fields": (127, lambda p: radiotap(wifi(p, quality=True), 0x0F, bytes(8) + b"\0\x02\x6c\x09\xa0\0")),
    "radiotap padded": (127, lambda p: radiotap(wifi(p, quality=True, padded=True), 3, bytes(8) + b"\x20")),
    "radiotap words": (
        127,
        lambda p: radiotap(
            wifi(p, quality=True, padded=True), 3 | BIT_32, bytes(4) + bytes(8) + b"\x20", struct.pack("<I", 0)
        ),
    ),
    "ppi": (192, lambda p: ppi(wifi(p), 105)),
    "pktap": (258, lambda p: pktap(ethernet(p), 1)),
    "nflog": (239, nflog),
}
BY_FAMILY: dict[int, int] = {228: 4, 229: 6}  # link types for one version of IP only

A4, B4 = "198.51.100.1", "198.51.100.2"
A6, B6 = "2001:db8:1::1", "2001:db8:1::2"


def udp(port: int, payload: bytes) -> bytes:
    return struct.pack("!HHHH", 50000, port, len(payload) + 8, 0) + payload


def four(protocol: int, payload: bytes) -> bytes:
    return ip_packet(A4, B4, protocol, payload, ttl=33, tos=0x20)


def in_six(protocol: int, payload: bytes) -> bytes:
    return ip_packet(A6, B6, protocol, payload, ttl=33, tos=0x20)


def own(packet: bytes) -> int:
    """The protocol number of IP in IP."""
    return 41 if six(packet) else 4


def gre(flags: int, kind: bytes, fields: bytes, payload: bytes) -> bytes:
    return struct.pack("!H", flags) + kind + fields + payload


def geneve(kind: bytes, payload: bytes, options: bytes = b"") -> bytes:
    return bytes([len(options) // 4, 0]) + kind + b"\0\0\x05\0" + options + payload


VXLAN = b"\x08\0\0\0\0\0\x05\0"

TUNNELS: dict[str, tuple[int, Header]] = {
    "ip in ipv4": (1, lambda p: four(own(p), p)),
    "ip in ipv6": (1, lambda p: in_six(own(p), p)),
    "gre": (1, lambda p: four(47, gre(0, ether_type(p), b"", p))),
    "gre in ipv6": (1, lambda p: in_six(47, gre(0, ether_type(p), b"", p))),
    "gre key": (1, lambda p: four(47, gre(0x2000, ether_type(p), bytes(4), p))),
    "gre all": (1, lambda p: four(47, gre(0xB000, ether_type(p), bytes(12), p))),
    "gre ethernet": (1, lambda p: four(47, gre(0x2000, b"\x65\x58", bytes(4), ethernet(p)))),
    "gre mpls": (1, lambda p: four(47, gre(0, b"\x88\x47", b"", mpls(p, 100)))),
    "pptp": (1, lambda p: four(47, gre(0x3081, b"\x88\x0b", bytes(12), b"\xff\x03" + ppp(p)))),
    "erspan 1": (1, lambda p: four(47, gre(0, b"\x88\xbe", b"", ethernet(p)))),
    "erspan 2": (1, lambda p: four(47, gre(0x1000, b"\x88\xbe", bytes(4), b"\x10\x01" + bytes(6) + ethernet(p)))),
    "erspan 3": (1, lambda p: four(47, gre(0x1000, b"\x22\xeb", bytes(4), b"\x20\x01" + bytes(10) + ethernet(p)))),
    "erspan 3 more": (
        1,
        lambda p: four(
            47, gre(0x1000, b"\x22\xeb", bytes(4), b"\x20\x01" + bytes(9) + b"\x01" + bytes(8) + ethernet(p))
        ),
    ),
    "etherip": (1, lambda p: four(97, b"\x30\0" + ethernet(p))),
    "vxlan": (1, lambda p: four(17, udp(4789, VXLAN + ethernet(p)))),
    "vxlan in ipv6": (1, lambda p: in_six(17, udp(4789, VXLAN + ethernet(p)))),
    "vxlan of linux": (1, lambda p: four(17, udp(8472, VXLAN + ethernet(p)))),
    "geneve": (1, lambda p: four(17, udp(6081, geneve(b"\x65\x58", ethernet(p), bytes(8))))),
    "geneve ip": (1, lambda p: four(17, udp(6081, geneve(ether_type(p), p)))),
    "gtp": (1, lambda p: four(17, udp(2152, struct.pack("!BBHI", 0x30, 255, len(p), 1) + p))),
    "gtp extension": (
        1,
        lambda p: four(
            17, udp(2152, struct.pack("!BBHIHBB", 0x34, 255, len(p) + 8, 1, 0, 0, 0x85) + b"\x01\x10\x01\0" + p)
        ),
    ),
    "gre in gre": (2, lambda p: four(47, gre(0, b"\x08\0", b"", four(47, gre(0, ether_type(p), b"", p))))),
    "vxlan in erspan": (
        2,
        lambda p: four(
            47,
            gre(
                0x1000,
                b"\x88\xbe",
                bytes(4),
                b"\x10\x01" + bytes(6) + ethernet(four(17, udp(4789, VXLAN + ethernet(p)))),
            ),
        ),
    ),
    "four deep": (4, lambda p: four(4, four(4, four(4, four(own(p), p))))),
}
# A pseudowire is a tunnel by its link header.
PSEUDOWIRE: Header = lambda p: ethernet(mpls(bytes(4) + ethernet(p), 100), b"\x88\x47")
