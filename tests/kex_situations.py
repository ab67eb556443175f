"""Situations of SSH key exchanges as ladders, for netprobe/rules/kex.py; the name is the situation."""

from __future__ import annotations

from dataclasses import replace

from tests.ssh_packets import COMMON, NEWKEYS, disconnect, init, kexinit, quoted, reply

OPEN = "0.00 > S [mss]\n0.02 < SA ttl 60\n0.03 > A\n"
BANNER = '0.04 < PA ttl 60 "SSH-2.0-lab_1.0\\r\\n"\n'
OLD = replace(COMMON, kex=("diffie-hellman-group1-sha1", "diffie-hellman-group14-sha1"))
OLD_KEYS = replace(OLD, host_key=("ssh-dss",))
THEIRS = f"0.05 < PA ttl 60 {quoted(kexinit(OLD))}\n"


def session(*said: str, client: str = "SSH-2.0-lab_client") -> str:
    """A captured session: identifications, then these lines."""
    return "\n".join(
        (
            "target passive", *OPEN.splitlines(), f'0.04 > PA "{client}\\r\\n"', BANNER.strip(), "0.045 > A", *said,
        )
    )  # fmt: skip


def theirs(data: bytes, at: str) -> str:
    return f"{at} < PA ttl 60 {quoted(data)}"


def ours(data: bytes, at: str, words: str = "") -> str:
    return f"{at} > PA {words} {quoted(data)}"


OFFERED = (ours(kexinit(), "0.06"), theirs(kexinit(), "0.07"))
ASKED = (*OFFERED, ours(init(), "0.08"))
SHOWN = (*ASKED, theirs(reply() + NEWKEYS, "0.09"))

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

SESSION_SITUATIONS: dict[str, str] = {
    "session__nothing_in_common": session(
        ours(kexinit(), "0.06"),
        theirs(kexinit(OLD), "0.07"),
        "0.08 > FA",
        "0.09 < FA ttl 60",
        "expect NP500 no-common-algorithm certain open target",
    ),
    "session__the_server_says_that_the_exchange_failed": session(
        ours(kexinit(), "0.06", "snap 90"),
        theirs(kexinit(), "0.07"),
        theirs(disconnect(3, b"no matching cipher"), "0.08"),
        "0.09 < FA ttl 60",
        "expect NP504 no-common-algorithm likely",
    ),
    "session__a_tool_collects_host_keys": session(
        *SHOWN,
        "0.10 > FA",
        "expect NP505 up certain",
        client="SSH-2.0-OpenSSH-keyscan",
    ),
    "session__the_client_says_that_it_does_not_know_the_key": session(
        *SHOWN,
        ours(disconnect(9, b"Host key verification failed"), "0.10"),
        "0.11 > FA",
        "expect NP506 host-key-refused certain",
    ),
    "session__the_client_leaves_when_it_sees_the_key": session(
        *SHOWN,
        "0.10 > FA",
        "0.11 < FA ttl 60",
        "expect NP507 host-key-refused likely",
    ),
    "session__the_client_leaves_after_its_newkeys": session(
        *SHOWN,
        ours(NEWKEYS, "0.10"),
        "0.11 > R",
        "expect NP507 host-key-refused likely",
    ),
    "session__the_server_closes_in_the_exchange": session(
        *ASKED,
        "0.09 < FA ttl 60",
        "0.10 > FA",
        "expect NP508 kex-aborted likely",
    ),
    "session__the_server_resets_in_the_exchange": session(
        *ASKED,
        "0.09 < RA ttl 60",
        "expect NP509 kex-aborted likely",
    ),
    "session__the_client_leaves_with_both_offers": session(
        *OFFERED,
        "0.08 > FA",
        "expect NP510 kex-aborted likely",
    ),
    "session__the_client_sends_no_ssh": session(
        theirs(kexinit(), "0.06"),
        ours(b"\xff" * 40, "0.07"),
        "0.08 < FA ttl 60",
        "expect NP511 kex-aborted likely",
    ),
    "session__goes_on": session(
        *SHOWN,
        ours(NEWKEYS + b"c" * 44, "0.10"),
        theirs(b"s" * 44, "0.11"),
        "expect NP330 up certain",
    ),
}
