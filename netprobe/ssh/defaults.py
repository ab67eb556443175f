"""What a client offers where none is at hand to be asked: the default of one OpenSSH, with its date.

Only what both sides have in common is looked for, so the order matters little. docs/ssh.md names this default.
"""

from __future__ import annotations

from netprobe.model import Offer

WHOSE = "the default of OpenSSH 10.0 (April 2025)"

_ECDSA = ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521")
_KEYS = ("ssh-ed25519", *_ECDSA, "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com")
_RSA = ("rsa-sha2-512", "rsa-sha2-256")
_CERTIFICATES = tuple(f"{name.removesuffix('@openssh.com')}-cert-v01@openssh.com" for name in (*_KEYS, *_RSA))
_CIPHERS = (
    "chacha20-poly1305@openssh.com",
    *("aes128-gcm@openssh.com", "aes256-gcm@openssh.com"),
    *("aes128-ctr", "aes192-ctr", "aes256-ctr"),
)
_MACS = (
    *("umac-64-etm@openssh.com", "umac-128-etm@openssh.com", "hmac-sha2-256-etm@openssh.com"),
    *("hmac-sha2-512-etm@openssh.com", "hmac-sha1-etm@openssh.com"),
    *("umac-64@openssh.com", "umac-128@openssh.com", "hmac-sha2-256", "hmac-sha2-512", "hmac-sha1"),
)
_COMPRESSION = ("none", "zlib@openssh.com")

OFFER = Offer(
    kex=(
        "mlkem768x25519-sha256",
        *("sntrup761x25519-sha512", "sntrup761x25519-sha512@openssh.com"),
        *("curve25519-sha256", "curve25519-sha256@libssh.org"),
        *("ecdh-sha2-nistp256", "ecdh-sha2-nistp384", "ecdh-sha2-nistp521"),
        "diffie-hellman-group-exchange-sha256",
        *("diffie-hellman-group16-sha512", "diffie-hellman-group18-sha512", "diffie-hellman-group14-sha256"),
    ),
    host_key=(*_CERTIFICATES, *_KEYS, *_RSA),
    cipher_to_server=_CIPHERS,
    cipher_to_client=_CIPHERS,
    mac_to_server=_MACS,
    mac_to_client=_MACS,
    compression_to_server=_COMPRESSION,
    compression_to_client=_COMPRESSION,
)
