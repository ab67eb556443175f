"""The server identifies itself and offers what a client of today can't take, or no SSH at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tests.lab.scenario import Scenario, Serve
from tests.lab.table.words import OPEN, TARGET


def exchange() -> Iterator[Scenario]:
    """A key exchange that can't be."""
    ssh = replace(OPEN, hears="SSH-2.0-")
    for name, about, config in (
        (
            "kex_old_method",
            "sshd offers one key exchange method, of 1996",
            "KexAlgorithms diffie-hellman-group1-sha1",
        ),
        (
            "kex_old_ciphers",
            "sshd offers ciphers and MACs that clients have given up",
            "Ciphers 3des-cbc,aes128-cbc\nMACs hmac-md5,hmac-sha1-96",
        ),
    ):
        yield Scenario(
            name, about, "no-common-algorithm", "open", ssh, origin=(TARGET,),
            serves=(Serve("sshd", options=(("config", config),)),),
        )  # fmt: skip
    yield Scenario(
        "kex_no_ssh",
        "an SSH identification, then bytes that are no SSH",
        "other-service",
        "open",
        replace(OPEN, hears="^SSH-2.0-"),
        serves=(Serve("text", options=(("say", "SSH-2.0-lab_1.0\r\n\xff\xff\xff\xff\x00\x00no"), ("then", "stay"))),),
        origin=(TARGET,),
        allowed=("likely",),
    )
