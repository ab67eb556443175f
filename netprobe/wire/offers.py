"""What the ssh of this machine would offer a server: `ssh -G` for the offer, `ssh -Q` for what it could be told to.

House rules of this file:
1. Asked before the privileges go, on behalf of whoever called sudo; nothing waits for it longer than sshconfig allows.
2. Where there is no ssh, or an answer that can't be read, nothing is told: the driver has a default.
"""

from __future__ import annotations

from collections.abc import Iterable

from netprobe.model import Offer
from netprobe.wire import sshconfig

# Stands for every target that ssh_config says nothing particular about (RFC 2606 2).
ANY = "any.invalid"
_QUESTIONS = ("kex", "HostKeyAlgorithms", "key", "cipher", "mac")
_OFF = ("none", "zlib@openssh.com", "zlib")
_ON = ("zlib@openssh.com", "zlib", "none")


def collect(names: Iterable[str]) -> dict[str, Offer]:
    """The offer for each of these names of ssh, and for any other under ANY. Empty where there is no ssh."""
    texts = sshconfig.texts([(name, None) for name in (*names, ANY)])
    offers = {name: read(text) for (name, _), text in texts.items()}
    return {name: offer for name, offer in offers.items() if offer is not None}


def read(text: str) -> Offer | None:
    """The offer in the output of `ssh -G`; None where it has none."""
    said = sshconfig.settings(text)

    def names(keyword: str) -> tuple[str, ...]:
        return tuple(name for name in said.get(keyword, [""])[0].split(",") if name)

    kex, host_key, ciphers, macs = (names(k) for k in ("kexalgorithms", "hostkeyalgorithms", "ciphers", "macs"))
    if not (kex and host_key and ciphers and macs):
        return None
    if said.get("gssapikeyexchange", ["no"])[0] == "yes":
        kex = (*names("gssapikexalgorithms"), *kex)
    compression = _ON if said.get("compression", ["no"])[0] == "yes" else _OFF
    return Offer(kex, host_key, ciphers, ciphers, macs, macs, compression, compression)


def known() -> tuple[str, ...]:
    """Every name of an algorithm that the ssh of this machine can be told to offer. Empty where there is none."""
    answers = sshconfig.ask([["-Q", what] for what in _QUESTIONS])
    return tuple(dict.fromkeys(name for text in answers for name in text.split()))
