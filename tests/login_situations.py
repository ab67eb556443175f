"""Situations of SSH logins as ladders, for netprobe/rules/login.py; the name is the situation.

A session is written by its encrypted sizes, as a capture shows them under chacha20-poly1305: `C68 S52` is a request and
its answer.
"""

from __future__ import annotations

from tests.ssh_packets import NEWKEYS, init, kexinit, quoted, reply

CLEAR = f"""
        target passive
        0.000 > S [mss]
        0.020 < SA [mss]
        0.040 > A
        0.041 > PA "SSH-2.0-OpenSSH_9.2p1\\r\\n"
        0.060 < PA "SSH-2.0-OpenSSH_9.2p1\\r\\n"
        0.061 > PA {quoted(kexinit())}
        0.080 < PA {quoted(kexinit())}
        0.081 > PA {quoted(init())}
        0.100 < PA {quoted(reply() + NEWKEYS)}
        0.101 > PA {quoted(NEWKEYS)}
"""
ASKED = "S316 C44 S44 C68 "
REFUSED = ASKED + "S52 C84 S52 C84 S52"
SHELL = " C52 S44 C52 S72 C36"
CLOSING = {"client": "> FA\n        {} < FA\n", "server": "< FA\n        {} > FA\n"}


def login(sizes: str, closed_by: str | None = "client", after_s: float = 0.02) -> str:
    """A session with these encrypted messages; who closed, so long after the last."""
    lines, time_s = [CLEAR.rstrip("\n")], 0.12
    for word in sizes.split():
        lines.append(f"        {time_s:.3f} {'>' if word[0] == 'C' else '<'} PA {quoted(bytes(int(word[1:])))}")
        time_s += 0.02
    if closed_by is not None:
        time_s += after_s
        lines.append(f"        {time_s:.3f} " + CLOSING[closed_by].format(f"{time_s + 0.02:.3f}").rstrip("\n"))
    lines.append(f"        {time_s + 70:.3f} > who-has 192.0.2.99")
    return "\n".join(lines) + "\n"


LOGIN_SITUATIONS: dict[str, str] = {
    "login_succeeds": f"""
        {login(ASKED + "S52 C148 S28" + SHELL)}
        expect NP601 up certain open
    """,
    "login_is_left_at_the_prompt": f"""
        {login(ASKED + "S52", after_s=8)}
        expect NP602 up certain
    """,
    "login_grace_is_over": f"""
        {login(ASKED + "S52", "server", after_s=120)}
        expect NP603 up certain
    """,
    "second_factor_is_not_given": f"""
        {login(ASKED + "S44 C140 S100 C308 S44")}
        expect NP610 auth-second-factor likely open
    """,
    "too_many_tries": f"""
        {login(ASKED + "S52 C84 S52 C84 S52 C84 S76", "server")}
        expect NP620 auth-too-many likely
    """,
    "as_many_tries_as_openssh_takes": f"""
        {login(ASKED + "S76" + " C140 S76" * 6)}
        expect NP621 auth-too-many possible
    """,
    "no_method_left": f"""
        {login(ASKED + "S44")}
        expect NP630 auth-no-method likely
    """,
    "key_is_accepted_and_then_refused": f"""
        {login(ASKED + "S52 C140 S100 C308 S52")}
        expect NP640 auth-failed likely
    """,
    "server_refuses_with_words_and_closes": f"""
        {login(ASKED + "S52 C84 S112", "server")}
        expect NP641 auth-failed likely
    """,
    "passwords_are_refused": f"""
        {login(REFUSED)}
        expect NP642 auth-failed likely
    """,
    "login_goes_on": f"""
        {login(ASKED + "S52 C84", None)}
        expect NP330 up certain
    """,
    "login_with_a_hole": f"""
        {login(ASKED + "S52 C84 S52").replace("< PA " + quoted(bytes(44)), "< PA seq +50 " + quoted(bytes(44)))}
        expect NP330 up certain
    """,
}
