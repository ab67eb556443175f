"""Verdicts as Zeek's conn.log: the header and columns that its readers expect, and ours behind them.

House rules of this file:
1. The columns of Zeek keep Zeek's names, types, order and meaning; what isn't known is unset (`-`). Ours stand at the
   end and begin with `netprobe_`.
2. Escapes are those of Zeek's ASCII writer: every byte that isn't printable ASCII, the backslash and the separators
   become `\\xHH`, so that a line is one line and a tab is a separator.
3. A connection's uid follows from its endpoints and its first packet: the same capture gives the same uids.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

UNSET = "-"
EMPTY = "(empty)"
FIELDS = (
    *(("ts", "time"), ("uid", "string"), ("id.orig_h", "addr"), ("id.orig_p", "port"), ("id.resp_h", "addr")),
    *(("id.resp_p", "port"), ("proto", "enum"), ("service", "string"), ("duration", "interval")),
    *(("orig_bytes", "count"), ("resp_bytes", "count"), ("conn_state", "string"), ("local_orig", "bool")),
    *(("local_resp", "bool"), ("missed_bytes", "count"), ("history", "string"), ("orig_pkts", "count")),
    *(("orig_ip_bytes", "count"), ("resp_pkts", "count"), ("resp_ip_bytes", "count")),
    ("tunnel_parents", "set[string]"),
    *(("netprobe_state", "string"), ("netprobe_reason", "string"), ("netprobe_cause", "string")),
    *(("netprobe_certainty", "string"), ("netprobe_rule", "string"), ("netprobe_origin", "string")),
    *(("netprobe_origin_addr", "addr"), ("netprobe_attempts", "count"), ("netprobe_identification", "string")),
    *(("netprobe_because", "vector[string]"), ("netprobe_target", "string"), ("netprobe_frames", "vector[count]")),
)
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_UID_LENGTH = 17  # after the C that marks a connection, as Zeek's own


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What was counted of one connection. `begun_ns`: time of its first packet, 0 where that wasn't seen. `lasted_ns`:
    until its last one. Bytes are payload without repeats. `whole`: no gap was seen."""

    begun_ns: int
    lasted_ns: int
    client_bytes: int
    server_bytes: int
    client_packets: int
    server_packets: int
    whole: bool


def header(opened: str) -> str:
    """The lines before the first connection. `opened`: local time as Zeek writes it, 2025-11-21-10-41-43."""
    names, kinds = zip(*FIELDS, strict=True)
    return (
        "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n"
        f"#open\t{opened}\n"
        + "\t".join(("#fields", *names))
        + "\n"
        + "\t".join(("#types", *kinds))
        + "\n"
    )


def footer(closed: str) -> str:
    """The last line."""
    return f"#close\t{closed}\n"


def line(verdict: str, tally: Tally | None = None) -> str:
    """The line of one verdict, which is a JSON line, with its line end."""
    v: Mapping[str, Any] = json.loads(verdict, parse_float=str)
    client, evidence = v["client"] or {}, v["evidence"]
    begun = _decimal(tally.begun_ns) if tally and tally.begun_ns else evidence[0]["time"] if evidence else None
    server = _address(v["address"])
    own = {
        "ts": None if begun is None else micro(begun),
        "uid": uid(client.get("address"), client.get("port"), server, v["port"], begun, v["target"]),
        **dict(zip(("duration", "orig_bytes", "resp_bytes"), _lengths(tally), strict=True)),
        "missed_bytes": "0" if tally and tally.whole else None,
        "orig_pkts": tally.client_packets if tally else None,
        "resp_pkts": tally.server_packets if tally else None,
        "netprobe_frames": _vector([str(frame) for frame in dict.fromkeys(one["frame"] for one in evidence)]),
    }
    return "\t".join(UNSET if cell is None else str(cell) for cell in (shared(v) | own).values()) + "\n"


def shared(v: Mapping[str, Any]) -> dict[str, object]:
    """The cells of a verdict (a JSON object) by their names, but for those that are made of a row's own numbers."""
    client, origin, service = v["client"] or {}, v["origin"], v["service"] or {}
    return dict.fromkeys((name for name, _ in FIELDS), None) | {
        "id.orig_h": _address(client.get("address")),
        "id.orig_p": client.get("port"),
        "id.resp_h": _address(v["address"]),
        "id.resp_p": v["port"],
        "proto": v["protocol"],
        "service": _text(service.get("protocol")),
        "conn_state": v["conn_state"] or None,
        "history": v["history"] or None,
        **{f"netprobe_{name}": v[name] for name in ("state", "reason", "cause", "certainty", "rule", "attempts")},
        "netprobe_origin": origin["kind"],
        "netprobe_origin_addr": _address(origin["address"]),
        "netprobe_identification": _octets(service.get("identification")),
        "netprobe_because": _vector([_text(each, ",") or EMPTY for each in v["because"]]),
        "netprobe_target": _text(v["target"]),
    }


def _lengths(tally: Tally | None) -> tuple[str | None, ...]:
    """Duration and bytes: Zeek leaves all three unset for a connection of one moment."""
    if tally is None or not tally.lasted_ns:
        return None, None, None
    return micro(_decimal(tally.lasted_ns)), str(tally.client_bytes), str(tally.server_bytes)


def _decimal(time_ns: int) -> str:
    return f"{time_ns // 1_000_000_000}.{time_ns % 1_000_000_000:09d}"


def micro(seconds: str) -> str:
    """Six decimals, as Zeek writes times."""
    whole, _, rest = seconds.partition(".")
    return f"{whole}.{rest[:6]:0<6}"


def uid(*parts: object) -> str:
    """The identifier of a connection: of the client's address and port, the server's, the time and the target."""
    import hashlib

    number = int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=13).digest(), "big")
    digits = []
    for _ in range(_UID_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "C" + "".join(digits)


def _address(text: str | None) -> str | None:
    """Zeek's addresses have no zone."""
    return None if text is None else _text(text.partition("%")[0])


def _vector(items: list[str]) -> str:
    return ",".join(items) or EMPTY


def _octets(text: str | None) -> str | None:
    """What a server said, byte by byte: it was decoded as latin-1."""
    if text is None:
        return None
    try:
        return _escaped(text.encode("latin-1"))
    except UnicodeEncodeError:
        return _text(text)


def _text(text: str | None, separators: str = "") -> str | None:
    return None if text is None else _escaped(text.encode("utf-8", "backslashreplace"), separators)


def _escaped(octets: bytes, separators: str = "") -> str:
    """Zeek's Formatter/Ascii: a value that reads like an unset or an empty one has its first byte escaped."""
    if not octets:
        return EMPTY
    first = octets in (UNSET.encode(), EMPTY.encode())
    forbidden = b"\\" + separators.encode()
    return "".join(
        f"\\x{octet:02x}" if not 0x20 <= octet < 0x7F or octet in forbidden or (first and n == 0) else chr(octet)
        for n, octet in enumerate(octets)
    )
