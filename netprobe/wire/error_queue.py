"""The error queue of a socket: ICMP errors with their sender, for any user (ip(7), IP_RECVERR).

The numbers are those of linux/in.h, linux/in6.h and linux/errqueue.h, which Python's socket module lacks.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

from netprobe.model import IcmpError

_IP_TOS, _IP_TTL, _IP_RECVERR, _IP_RECVTTL, _IP_RECVTOS = 1, 2, 11, 12, 13
_IPV6_RECVERR, _IPV6_RECVHOPLIMIT, _IPV6_HOPLIMIT, _IPV6_RECVTCLASS, _IPV6_TCLASS = 25, 51, 52, 66, 67
_EXTENDED_ERROR = struct.Struct("=IBBBBII")
_ORIGIN_ICMP, _ORIGIN_ICMP6 = 2, 3


def ask_for(sock: socket.socket) -> None:
    """Let the kernel queue errors for this socket, with the TTL and TOS they came with."""
    if sock.family == socket.AF_INET6:
        level, options = socket.IPPROTO_IPV6, (_IPV6_RECVERR, _IPV6_RECVHOPLIMIT, _IPV6_RECVTCLASS)
    else:
        level, options = socket.IPPROTO_IP, (_IP_RECVERR, _IP_RECVTTL, _IP_RECVTOS)
    for option in options:
        sock.setsockopt(level, option, 1)


def drain(sock: socket.socket) -> Iterator[tuple[int, IcmpError | None]]:
    """What is queued: errno, and the ICMP error behind it (None where it has another origin)."""
    while True:
        try:
            _, ancillary, _, _ = sock.recvmsg(256, 512, socket.MSG_ERRQUEUE)
        except OSError:
            return
        yield _read(ancillary)


def _read(ancillary: list[tuple[int, int, bytes]]) -> tuple[int, IcmpError | None]:
    """The errno and the ICMP error of one message of the error queue; None where the error has another origin."""
    number, found, ttl, tos = 0, None, None, None
    for level, kind, data in ancillary:
        v4, v6 = level == socket.IPPROTO_IP, level == socket.IPPROTO_IPV6
        if (v4 and kind == _IP_RECVERR) or (v6 and kind == _IPV6_RECVERR):
            number, origin, icmp_type, code, _, _, _ = _EXTENDED_ERROR.unpack_from(data)
            if origin in (_ORIGIN_ICMP, _ORIGIN_ICMP6):
                found = (4 if origin == _ORIGIN_ICMP else 6, icmp_type, code, _offender(data[_EXTENDED_ERROR.size :]))
        elif (v4 and kind == _IP_TTL) or (v6 and kind == _IPV6_HOPLIMIT):
            ttl = struct.unpack_from("=i", data)[0]
        elif (v4 and kind == _IP_TOS) or (v6 and kind == _IPV6_TCLASS):
            tos = data[0] if len(data) == 1 else struct.unpack_from("=i", data)[0]
    if found is None:
        return number, None
    version, icmp_type, code, sender = found
    return number, IcmpError(version=version, type=icmp_type, code=code, sender=sender, ttl=ttl, tos=tos)


def _offender(address: bytes) -> str:
    """The sockaddr behind a `struct sock_extended_err`: who sent the ICMP error."""
    family = struct.unpack_from("=H", address)[0] if len(address) >= 2 else 0
    if family == socket.AF_INET and len(address) >= 8:
        return socket.inet_ntop(socket.AF_INET, address[4:8])
    if family == socket.AF_INET6 and len(address) >= 24:
        return socket.inet_ntop(socket.AF_INET6, address[8:24])
    return ""
