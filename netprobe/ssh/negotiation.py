"""What two KEXINITs have in common (RFC 4253 7.1), and what to write where they have nothing in common."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache

from netprobe.model import Agreed, Offer

CATEGORIES = tuple(one.name for one in fields(Offer))
IMPLICIT = "<implicit>"

# Ciphers that authenticate by themselves, whatever was agreed for MACs: RFC 5647 (freed by OpenSSH's PROTOCOL 1.6 of a
# MAC of the same name), OpenSSH's PROTOCOL.chacha20poly1305.
AUTHENTICATING = frozenset(
    (
        *("chacha20-poly1305@openssh.com", "chacha20-poly1305", "aes128-gcm@openssh.com", "aes256-gcm@openssh.com"),
        *("aes128-gcm", "aes256-gcm", "AEAD_AES_128_GCM", "AEAD_AES_256_GCM"),
    )
)


def stands_for_nothing(name: str) -> bool:
    """Whether a name among the key exchange methods is a signal, not a method: RFC 8308 2.1, and strict key exchange of
    OpenSSH's PROTOCOL 1.10."""
    return name.startswith(("ext-info-", "kex-strict-"))


@lru_cache(64)
def agree(client: Offer, server: Offer) -> tuple[Agreed, tuple[str, ...]]:
    """What is agreed, and the categories with nothing in common: the first name of the client's that the server has,
    too. (That a method may need a host key of a certain ability, RFC 4253 7.1, is left aside: every host key in use
    signs.)"""
    found: dict[str, str | None] = {}
    missing = []
    for category in CATEGORIES:
        theirs = frozenset(getattr(server, category))
        name = next((n for n in getattr(client, category) if n in theirs and not stands_for_nothing(n)), None)
        cipher = found.get(category.replace("mac", "cipher")) if category.startswith("mac") else None
        if cipher in AUTHENTICATING:
            name = IMPLICIT
        found[category] = name
        if name is None:
            missing.append(category)
    return Agreed(**found), tuple(missing)


# --------------------------------------------------------------------------- what helps

# What a category is called in texts, and its option of ssh_config(5) and sshd_config(5).
CALLED = {
    "kex": ("key exchange method", "KexAlgorithms"),
    "host_key": ("host key type", "HostKeyAlgorithms"),
    "cipher_to_server": ("cipher (client to server)", "Ciphers"),
    "cipher_to_client": ("cipher (server to client)", "Ciphers"),
    "mac_to_server": ("MAC (client to server)", "MACs"),
    "mac_to_client": ("MAC (server to client)", "MACs"),
    "compression_to_server": ("compression (client to server)", "Compression"),
    "compression_to_client": ("compression (server to client)", "Compression"),
}

# What is no longer offered by default or never was good, and why; the better ones first, so that the first that the
# other side offers is the one to allow (NIST SP 800-131A, RFC 8758, RFC 9142, release notes of OpenSSH 7.0 to 10.0).
RISKS = {
    "diffie-hellman-group14-sha1": "SHA-1, 2048 bits: old, not broken in use",
    "diffie-hellman-group-exchange-sha1": "SHA-1; groups of 1024 bits are in reach of states",
    "diffie-hellman-group1-sha1": "1024 bits: in reach of states, so what is said can be read later (Logjam)",
    "ssh-rsa": "SHA-1 signatures: collisions cost some 10,000 dollars, so a forged server is conceivable",
    "ssh-rsa-cert-v01@openssh.com": "SHA-1 signatures: collisions cost some 10,000 dollars",
    "ssh-dss": "1024-bit DSA with SHA-1: broken in principle; OpenSSH 10.0 has it no more",
    "aes256-cbc": "CBC: plaintext can be recovered with low probability (CVE-2008-5161)",
    "aes192-cbc": "CBC: plaintext can be recovered with low probability (CVE-2008-5161)",
    "aes128-cbc": "CBC: plaintext can be recovered with low probability (CVE-2008-5161)",
    "rijndael-cbc@lysator.liu.se": "CBC: plaintext can be recovered with low probability (CVE-2008-5161)",
    "3des-cbc": "64-bit blocks: sessions of gigabytes leak (Sweet32)",
    "blowfish-cbc": "64-bit blocks (Sweet32); OpenSSH 7.6 and later have it no more",
    "cast128-cbc": "64-bit blocks (Sweet32); OpenSSH 7.6 and later have it no more",
    "arcfour256": "RC4: broken (RFC 8758); OpenSSH 7.6 and later have it no more",
    "arcfour128": "RC4: broken (RFC 8758); OpenSSH 7.6 and later have it no more",
    "arcfour": "RC4: broken (RFC 8758); OpenSSH 7.6 and later have it no more",
    "hmac-sha1-etm@openssh.com": "SHA-1 in HMAC: old, not broken",
    "hmac-sha1": "SHA-1 in HMAC: old, not broken",
    "hmac-sha1-96": "SHA-1 in HMAC, cut to 96 bits: old, not broken",
    "hmac-ripemd160": "old, not broken; OpenSSH 7.6 and later have it no more",
    "hmac-md5": "MD5 in HMAC: old, not broken in use",
    "hmac-md5-96": "MD5 in HMAC, cut to 96 bits",
    "none": "no protection at all",
}
# What is good and old enough that most programs have it, the most widely known first.
GOOD = (
    *("curve25519-sha256", "curve25519-sha256@libssh.org", "ecdh-sha2-nistp256", "diffie-hellman-group14-sha256"),
    *("ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512", "rsa-sha2-256"),
    *("aes128-ctr", "aes256-ctr", "aes256-gcm@openssh.com", "aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com"),
    *("hmac-sha2-256", "hmac-sha2-256-etm@openssh.com", "hmac-sha2-512"),
)
# Names of RISKS that OpenSSH of today still offers by itself, or that say nothing of the session.
_USUAL = frozenset(("hmac-sha1-etm@openssh.com", "hmac-sha1"))

# What OpenSSH can be told to take though it doesn't offer it by itself (`ssh -Q kex|key|cipher|mac`, 9.2 to 10.0).
_CAN_BE_ALLOWED = frozenset(
    (
        *("diffie-hellman-group14-sha1", "diffie-hellman-group-exchange-sha1", "diffie-hellman-group1-sha1"),
        *("ssh-rsa", "ssh-rsa-cert-v01@openssh.com", "3des-cbc", "aes128-cbc", "aes192-cbc", "aes256-cbc"),
        *("hmac-sha1-96", "hmac-md5", "hmac-md5-96"),
    )
)


@dataclass(frozen=True, slots=True)
class Help:
    """What to write where a category has nothing in common.

    `client` is an option for ssh's command line, None where nothing that the server offers can be allowed. `server` is
    a line for sshd_config, None where the client offers nothing to allow. The risks say what is known against what is
    allowed so, empty where nothing is.
    """

    client: str | None
    client_risk: str
    server: str | None
    server_risk: str


def helps(category: str, client: Offer, server: Offer, knows: frozenset[str] | None = None) -> Help:
    """What helps with one category. `knows`: every name that the client's program can be told to take (`ssh -Q`);
    None where that was not asked, then what OpenSSH of today can be told counts."""
    option = CALLED[category][1]
    if category.startswith("compression"):
        return _compression(getattr(server, category))
    wanted = _best(getattr(server, category), _CAN_BE_ALLOWED if knows is None else knows)
    offered = _best(getattr(client, category), None)
    return Help(
        f"-o {option}=+{wanted}" if wanted else None,
        _risk(wanted) if wanted else "",
        f"{option} +{offered}" if offered else None,
        _risk(offered) if offered else "",
    )


def _compression(server: tuple[str, ...]) -> Help:
    if "none" in server:
        return Help("-o Compression=no", "", "Compression yes", "")
    return Help("-o Compression=yes", "", "Compression delayed", "")


def _best(names: tuple[str, ...], possible: frozenset[str] | None) -> str | None:
    """The best of what one side offers and the other can be told to take."""
    fit = [n for n in names if (possible is None or n in possible) and not stands_for_nothing(n) and n != "none"]
    return min(fit, key=lambda name: _RANKS.get(name, len(GOOD)), default=None)


_RANKS = {name: rank for rank, name in enumerate((*GOOD, "", *RISKS))}  # what neither knows stands between


def _risk(name: str) -> str:
    return RISKS.get(name, "")


def weak(agreed: Agreed) -> tuple[str, ...]:
    """The agreed names that are no longer good, each once, with why."""
    names = dict.fromkeys(getattr(agreed, c) for c in CATEGORIES if not c.startswith("compression"))
    return tuple(f"{name} ({RISKS[name]})" for name in names if name in RISKS and name not in _USUAL)


def named(offer: Offer, category: str, limit: int = 8) -> str:
    """A list for a text: its names as far as they stand for something, cut to `limit`."""
    names = [n[:64] for n in getattr(offer, category) if not stands_for_nothing(n)]
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more if names else "nothing"
