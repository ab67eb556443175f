"""What the payloads of clear SSH messages say (RFC 4253, RFC 8308). Any bytes will do: what can't be read is None."""

from __future__ import annotations

import base64
import hashlib
import re

from netprobe.model import Offer

DISCONNECT = 1
DEBUG = 4
EXT_INFO = 7
KEXINIT = 20
NEWKEYS = 21
# Numbers whose meaning is the key exchange method's (RFC 4253 7).
FIRST_OF_METHOD, LAST_OF_METHOD = 30, 49

LISTS = 8  # name-lists of a KEXINIT that are read; two of languages follow
# Real lists have up to forty names; RFC 4251 6 allows 64 bytes for one.
NAMES_LIMIT = 256
TEXT_KEPT = 255
EXTENSIONS_LIMIT = 64

# Clients and servers of one make send the same lists in every session: each is read once. Bounded in number and size,
# since strangers choose them.
_CACHED, _CACHED_SIZE = 128, 8192
_offers: dict[bytes, Offer | None] = {}

# RFC 4251 6: printable ASCII without comma.
_NAME = re.compile(rb"[!-+\--~]{1,64}")


def offer(payload: bytes) -> Offer | None:
    """The name-lists of a whole KEXINIT (RFC 4253 7.1); None where their lengths lie or a list has more than
    NAMES_LIMIT names."""
    lists = payload[17:]  # behind the number and the cookie, which is random
    try:
        return _offers[lists]
    except KeyError:
        pass
    found = _lists(lists)
    if len(lists) <= _CACHED_SIZE:
        if len(_offers) >= _CACHED:
            _offers.clear()
        _offers[lists] = found
    return found


def _lists(data: bytes) -> Offer | None:
    names = []
    at = 0
    for _ in range(LISTS + 2):
        text, at = _string(data, at)
        if text is None:
            return None
        one = text.decode("latin-1").split(",", NAMES_LIMIT) if text else []
        if len(one) > NAMES_LIMIT:
            return None
        names.append(tuple(one))
    if len(data) < at + 5:  # first_kex_packet_follows, and four bytes for later
        return None
    return Offer(*names[:LISTS])


def host_key(payload: bytes) -> tuple[str, str] | None:
    """Type and fingerprint of the host key that a message of the server begins with: KEXDH_REPLY, KEX_ECDH_REPLY,
    KEX_DH_GEX_REPLY, KEXRSA_PUBKEY, KEXGSS_HOSTKEY. None for any other: a group's prime is no key, since a key begins
    with the name of its type (RFC 4253 6.6)."""
    blob, _ = _string(payload, 1)
    if blob is None:
        return None
    kind, _ = _string(blob, 0)
    if kind is None or not _NAME.fullmatch(kind):
        return None
    digest = base64.b64encode(hashlib.sha256(blob).digest()).rstrip(b"=").decode()
    return kind.decode(), f"SHA256:{digest}"


def disconnect(payload: bytes) -> tuple[int, str]:
    """Reason code and description (RFC 4253 11.1)."""
    text, _ = _string(payload, 5)
    return int.from_bytes(payload[1:5]), _told(text)


def debug(payload: bytes) -> str:
    """The text of a DEBUG message (RFC 4253 11.3)."""
    text, _ = _string(payload, 2)
    return _told(text)


def extensions(payload: bytes) -> tuple[tuple[str, str], ...]:
    """Names and values of EXT_INFO (RFC 8308 2.3), as far as they can be read."""
    found = []
    at = 5
    for _ in range(min(int.from_bytes(payload[1:5]), EXTENSIONS_LIMIT)):
        name, at = _string(payload, at)
        value, at = _string(payload, at) if name is not None else (None, at)
        if name is None or value is None:
            break
        found.append((_told(name), value[:4096].decode("latin-1")))
    return tuple(found)


def _told(text: bytes | None) -> str:
    return (text or b"")[:TEXT_KEPT].decode("utf-8", "replace")


def _string(data: bytes, at: int) -> tuple[bytes | None, int]:
    """The string at `at` (RFC 4251 5) and where it ends; None where it runs over the end."""
    start = at + 4
    if start > len(data):
        return None, at
    end = start + int.from_bytes(data[at:start])
    return (data[start:end], end) if end <= len(data) else (None, at)
