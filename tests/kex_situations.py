"""Situations of SSH key exchanges as ladders, for netprobe/rules/kex.py; the name is the situation."""

from __future__ import annotations

from dataclasses import replace

from tests.ssh_packets import COMMON, kexinit, quoted

OPEN = "0.00 > S [mss]\n0.02 < SA ttl 60\n0.03 > A\n"
BANNER = '0.04 < PA ttl 60 "SSH-2.0-lab_1.0\\r\\n"\n'
OLD = replace(COMMON, kex=("diffie-hellman-group1-sha1", "diffie-hellman-group14-sha1"))
OLD_KEYS = replace(OLD, host_key=("ssh-dss",))
THEIRS = f"0.05 < PA ttl 60 {quoted(kexinit(OLD))}\n"

KEX_SITUATIONS: dict[str, str] = {
    "nothing_in_common_with_the_ssh_here": f"""
        {OPEN}{BANNER}{THEIRS}
        0.06 fact offer local
        expect NP501 no-common-algorithm certain open target
    """,
    "nothing_in_common_with_a_default": f"""
        {OPEN}{BANNER}{THEIRS}
        0.06 fact offer default
        expect NP502 no-common-algorithm likely open
    """,
    "host_key_and_method_not_in_common": f"""
        {OPEN}{BANNER}
        0.05 < PA ttl 60 {quoted(kexinit(OLD_KEYS))}
        0.06 fact offer local
        expect NP501 no-common-algorithm certain open target
    """,
    "something_in_common": f"""
        {OPEN}{BANNER}
        0.05 < PA ttl 60 {quoted(kexinit())}
        0.06 fact offer local
        expect NP330 up certain
    """,
    "what_follows_the_identification_is_no_ssh": f"""
        {OPEN}{BANNER}
        0.05 < PA ttl 60 "\\xff\\xff\\xff\\xff\\x08\\x14GARBAGE"
        expect NP503 other-service likely open
    """,
}
