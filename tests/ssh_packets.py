"""SSH messages in clear, written by hand for tests (RFC 4253 6, 7, 8, 11), and how a ladder quotes them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import fields

from netprobe.model import Offer

COMMON = Offer(
    kex=("curve25519-sha256", "diffie-hellman-group14-sha256"),
    host_key=("ssh-ed25519", "rsa-sha2-512"),
    cipher_to_server=("chacha20-poly1305@openssh.com", "aes128-ctr"),
    cipher_to_client=("chacha20-poly1305@openssh.com", "aes128-ctr"),
    mac_to_server=("hmac-sha2-256",),
    mac_to_client=("hmac-sha2-256",),
    compression_to_server=("none",),
    compression_to_client=("none",),
)
LISTS = tuple(one.name for one in fields(Offer))
COOKIE = bytes(range(16))


def string(data: bytes) -> bytes:
    """RFC 4251 5."""
    return struct.pack(">I", len(data)) + data


def packet(payload: bytes, padding: int | None = None) -> bytes:
    """A binary packet without encryption, padded to eight bytes."""
    pad = padding if padding is not None else 4 + -(len(payload) + 9) % 8
    return struct.pack(">IB", len(payload) + pad + 1, pad) + payload + bytes(pad)


def kexinit(offer: Offer = COMMON, cookie: bytes = COOKIE, tail: bytes = bytes(5)) -> bytes:
    """A KEXINIT packet."""
    lists: list[Sequence[str]] = [*(getattr(offer, name) for name in LISTS), (), ()]
    return packet(b"\x14" + cookie + b"".join(string(",".join(one).encode("latin-1")) for one in lists) + tail)


def host_key(kind: bytes = b"ssh-ed25519", data: bytes = b"k" * 32) -> bytes:
    """The blob of a host key."""
    return string(kind) + string(data)


def reply(blob: bytes | None = None, number: int = 31) -> bytes:
    """KEX_ECDH_REPLY with a host key (RFC 5656 4)."""
    return packet(
        bytes([number]) + string(host_key() if blob is None else blob) + string(b"q" * 32) + string(b"s" * 83)
    )


def init() -> bytes:
    """KEX_ECDH_INIT."""
    return packet(b"\x1e" + string(b"e" * 32))


NEWKEYS = packet(b"\x15")


def disconnect(code: int, text: bytes = b"") -> bytes:
    """SSH_MSG_DISCONNECT."""
    return packet(b"\x01" + struct.pack(">I", code) + string(text) + string(b""))


def quoted(data: bytes) -> str:
    """As a ladder writes payload."""
    return '"' + "".join(f"\\x{byte:02x}" for byte in data) + '"'
