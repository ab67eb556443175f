"""Port lists as nmap takes them, and the service names that may stand in them."""

from __future__ import annotations

import re

from netprobe.errors import UsageError

# The names people really type; a scan reads no file of the system for this, so that it means the same everywhere.
SERVICES = {
    "ftp": 21, "ssh": 22, "telnet": 23, "smtp": 25, "domain": 53, "dns": 53, "http": 80, "pop3": 110, "ntp": 123,
    "imap": 143, "imap2": 143, "snmp": 161, "bgp": 179, "ldap": 389, "https": 443, "smb": 445, "microsoft-ds": 445,
    "smtps": 465, "submission": 587, "ldaps": 636, "rsync": 873, "imaps": 993, "pop3s": 995, "mysql": 3306, "rdp": 3389,
    "ms-wbt-server": 3389, "git": 9418, "postgresql": 5432, "postgres": 5432, "vnc": 5900, "rfb": 5900, "redis": 6379,
    "http-alt": 8080,
}  # fmt: skip


def parse_ports(text: str) -> tuple[int, ...]:
    """A port list as nmap takes it: `22,80-90,ssh,-1024,60000-,-`. In the order typed, each port once."""
    found: dict[int, None] = {}
    for piece in text.split(","):
        found.update(dict.fromkeys(_port_range(piece.strip(), text)))
    return tuple(found)


def _port_range(piece: str, text: str) -> range:
    if piece[:2].upper() in {"U:", "S:"}:
        raise UsageError(
            f"-p {text}: {piece!r} asks for another protocol than TCP",
            "only TCP connections are diagnosed: leave it out",
        )
    piece = piece.removeprefix("T:")
    match = re.fullmatch(r"([0-9]{0,6})(-?)([0-9]{0,6})", piece)
    if not match or not piece:
        if piece.lower() in SERVICES:
            return range(SERVICES[piece.lower()], SERVICES[piece.lower()] + 1)
        raise UsageError(
            f"-p {text}: {piece!r} is no port" if piece else f"-p {text!r}: an empty entry", _port_advice(piece)
        )
    low = int(match[1] or 1)
    high = int(match[3] or 65535) if match[2] else low
    if not (1 <= low <= 65535 and 1 <= high <= 65535):
        raise UsageError(f"-p {text}: {piece} is out of range", "ports go from 1 to 65535")
    if low > high:
        raise UsageError(f"-p {text}: the range {piece} runs backwards", f"write {high}-{low}")
    return range(low, high + 1)


def _port_advice(piece: str) -> str:
    if re.fullmatch(r"[0-9]+:[0-9]+|[0-9]+\.\.[0-9]+", piece):
        return "write a range as 80-90"
    return "write numbers, ranges and names, as in 22,80-90,ssh"
