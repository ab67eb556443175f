"""How large an encrypted SSH packet is: from payload to bytes on the wire and back.

Sources: RFC 4253 6, RFC 5647, OpenSSH's PROTOCOL and PROTOCOL.chacha20poly1305.

A packet is length (4), padding length (1), payload, padding (4 at least) and a tag or MAC. What is rounded up to the
cipher's block, and whether the length can be read, depends on the mode:

    chacha20-poly1305@openssh.com   4 + up to 8 of (payload + 5) + 16     length encrypted
    AES-GCM                         4 + up to 16 of (payload + 5) + 16    length in clear
    CTR or CBC, *-etm MAC           4 + up to block of (payload + 5) + MAC    length in clear
    CTR or CBC, other MAC           up to block of (payload + 9) + MAC    length encrypted
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

LARGEST = 256 * 1024  # of a packet, as OpenSSH and PuTTY take it (RFC 4253 6.1 asks for 35,000)
_MACS = {
    "hmac-sha2-256": 32, "hmac-sha2-512": 64, "hmac-sha1": 20, "hmac-sha1-96": 12, "hmac-md5": 16, "hmac-md5-96": 12,
    "umac-64": 8, "umac-128": 16, "hmac-ripemd160": 20, "hmac-sha2-256-96": 12, "hmac-sha2-512-96": 12,
}  # fmt: skip
_BLOCK_8 = ("3des-", "blowfish-", "cast128-", "idea-", "arcfour")
_BLOCK_16 = ("aes128-", "aes192-", "aes256-", "rijndael-", "twofish", "serpent", "camellia")


@dataclass(frozen=True, slots=True)
class Framing:
    """One direction's. `fixed` bytes of a packet are rounded to nothing; the rest are whole blocks, `head` bytes of
    them not payload. `clear`: each packet's length can be read; `known` bytes of the packet it doesn't count."""

    block: int
    head: int
    fixed: int
    clear: bool

    def size(self, payload: int) -> int:
        """Bytes on the wire of a packet with so much payload, with no more padding than needed."""
        return self.fixed - (-(payload + self.head) // self.block) * self.block

    def payload(self, size: int) -> tuple[int, int]:
        """Smallest and largest payload of a single packet of this size."""
        most = size - self.fixed - self.head
        return max(1, most - self.block + 1), most

    def single(self, size: int) -> bool:
        """Whether it can be one packet."""
        return size >= self.fixed + self.block and (size - self.fixed) % self.block == 0

    def counts(self, size: int, most: int = 8) -> list[int]:
        """How many packets can add up to it, up to `most`."""
        return [
            n
            for n in range(1, most + 1)
            if size >= n * (self.fixed + self.block) and not (size - n * self.fixed) % self.block
        ]

    def whole(self, length_field: int) -> int:
        """Bytes on the wire of a packet whose length, in clear, is this; 0 where it can't be."""
        if length_field < self.block or length_field % self.block or length_field > LARGEST:
            return 0
        return self.fixed + length_field


@lru_cache(64)
def framing(cipher: str, mac: str | None) -> Framing | None:
    """Of a cipher and MAC as negotiated; None where they aren't known."""
    if cipher == "chacha20-poly1305@openssh.com" or cipher == "chacha20-poly1305":
        return Framing(8, 5, 20, clear=False)
    if "-gcm" in cipher or cipher.startswith("AEAD_AES_"):
        return Framing(16, 5, 20, clear=True)
    block = 8 if cipher.startswith(_BLOCK_8) else 16 if cipher.startswith(_BLOCK_16) else 0
    if not block or mac is None:
        return None
    name, _, _ = mac.partition("@")
    tag = _MACS.get(name.removesuffix("-etm"))
    if tag is None:
        return None
    if name.endswith("-etm"):
        return Framing(block, 5, 4 + tag, clear=True)
    return Framing(block, 9, tag, clear=False)
