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


class Asked:
    """ssh, asked about some names and about any other (ANY); it works while others do something else."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = list(dict.fromkeys((*names, ANY)))
        self._running = sshconfig.start([["-G", "--", name] for name in self._names])
        self._offers: dict[str, Offer] | None = None

    def offers(self) -> dict[str, Offer]:
        """The offer for each name. Waits for what is not there yet; empty where there is no ssh."""
        if self._offers is None:
            read_ones = {name: read(text) for name, text in zip(self._names, self._running.texts(), strict=False)}
            self._offers = {name: offer for name, offer in read_ones.items() if offer is not None}
        return self._offers

    def close(self) -> None:
        """Leave nothing running."""
        self._running.close()


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
    answers = sshconfig.start([["-Q", what] for what in _QUESTIONS])
    return tuple(dict.fromkeys(name for text in answers.texts() for name in text.split()))
