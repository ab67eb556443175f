"""The handshake succeeds; what comes then?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tests.lab.scenario import Place, Rule, Scenario, Serve, Wire
from tests.lab.table.words import ANY, OPEN, R2, TARGET


def _said(text: str, hears: str, **more: object) -> tuple[tuple[Serve, ...], Wire]:
    options: tuple[tuple[str, object], ...] = (("say", text), *more.items())
    return (Serve("text", options=options),), replace(OPEN, hears=hears)


def service() -> Iterator[Scenario]:
    """The handshake succeeds; what comes then?"""
    ssh = replace(OPEN, hears="SSH-2.0-")
    yield Scenario(
        "up", "sshd as it should be", "up", "open", ssh, serves=(Serve("sshd"),), origin=(), server_side=True
    )
    yield Scenario(
        "up_2222",
        "sshd on port 2222",
        "up",
        "open",
        ssh,
        serves=(Serve("sshd", 2222),),
        port=2222,
        options=("-p", "2222"),
    )
    said: tuple[tuple[str, str, str, str, str, dict[str, object]], ...] = (
        ("up_slow", "the identification comes after 6 s", "up", "SSH-2.0-lab_1.0\r\n", "^SSH-2.0-",
            {"after_s": 6, "then": "stay"}),
        ("up_lines", "lines of text come before the identification", "up",
            "Welcome\r\nto the lab\r\nSSH-2.0-lab_1.0\r\n",
         "^Welcome", {"then": "stay"}),
        ("up_199", "an SSH-1.99 identification", "up", "SSH-1.99-lab_1.0\r\n", "^SSH-1.99-", {"then": "stay"}),
        ("ssh1_only", "an SSH-1.5 identification", "ssh1-only", "SSH-1.5-lab_1.0\n", "^SSH-1.5-", {"then": "stay"}),
        ("text_max_startups", "sshd's words when it has too many", "refused-with-text", "Exceeded MaxStartups\r\n",
            "^Exceeded", {}),
        ("text_not_allowed", "sshd's words for a penalty", "refused-with-text", "Not allowed at this time\r\n",
            "^Not allowed", {}),
        ("text_other", "some other words, then FIN", "refused-with-text", "Maintenance until 18:00, go away\r\n",
            "^Maint", {}),
        ("smtp", "a mail server", "other-service", "220 mail.lab.test ESMTP ready\r\n", "^220 ", {"then": "stay"}),
        ("rfb", "a VNC server", "other-service", "RFB 003.008\n", "^RFB ", {"then": "stay"}),
        ("ftp", "an FTP server", "other-service", "220 (vsFTPd 3.0.3)\r\n", "^220 ", {"then": "stay"}),
        ("mysql", "a MySQL server's greeting", "other-service", "J\x00\x00\x00\x0a8.0.36\x00" + "x" * 60, "8.0.36",
            {"then": "stay"}),
        ("reset_after_banner", "identification, then the process resets", "reset-after-banner", "SSH-2.0-lab_1.0\r\n",
            "^SSH-2.0-",
         {"then": "RST"}),
    )  # fmt: skip
    for name, about, cause, say, hears, more in said:
        serves, wire = _said(say, hears, **more)
        origin = () if cause == "up" else (TARGET,)
        # These servers have an identification and nothing behind it: their key exchange never begins.
        allowed = ("likely",) if cause == "up" else ()
        yield Scenario(name, about, cause, "open", wire, serves=serves, origin=origin, allowed=allowed)
    for name, about, cause, kind, hears in (
        ("no_banner", "the server accepts and says nothing", "no-banner", "silent", "SILENCE"),
        ("close_at_once", "FIN at once", "closed-before-banner", "close", "FIN"),
        ("close_after_ident", "FIN when the client has spoken", "closed-before-banner", "close_after_ident", "FIN"),
        ("half_close", "FIN at once, but it goes on reading", "closed-before-banner", "half_close", "FIN"),
        ("close_unread", "closed while the client's words lie unread: RST", "closed-before-banner", "unread", "RST"),
        ("close_linger0", "RST at once by the process (linger 0)", "closed-before-banner", "reset", "RST"),
        ("http", "a web server", "other-service", "http", "^HTTP/1.1 400"),
        ("tls", "a TLS server", "other-service", "tls", "^\x15\x03"),
        ("telnet", "a telnet server", "other-service", "telnet", "^\xff\xfd"),
        (
            "hostile_text",
            "text made to harm terminals, web pages and spreadsheets",
            "refused-with-text",
            "hostile",
            "script",
        ),
        ("hostile_flood", "a megabyte without a newline", "no-banner", "flood", "^AAAA"),
    ):
        more_names = {
            "close_linger0": ("reset-after-handshake",),
            "hostile_flood": ("other-service", "refused-with-text", "tarpit"),
        }
        yield Scenario(
            name, about, cause, "open", replace(OPEN, hears=hears), serves=(Serve(kind),), origin=(TARGET,),
            also=more_names.get(name, ()), allowed=("likely",) if name in ("no_banner", "close_linger0") else ANY,
        )  # fmt: skip
    for beat in (1, 10):
        yield Scenario(
            f"tarpit_{beat}s", f"a meaningless line every {beat} s, for ever", "tarpit", "open",
            replace(OPEN, hears="^[0-9a-f]+\r\n"),
            serves=(Serve("tarpit", options=(("beat_s", beat),)),), origin=(TARGET,), allowed=("likely",),
        )  # fmt: skip
    yield Scenario(
        "sshd_stopped", "sshd is stopped (SIGSTOP): the kernel accepts for it", "no-banner", "open",
        replace(OPEN, hears="SILENCE"),
        serves=(Serve("sshd", options=(("stop", True),)),), origin=(TARGET,), allowed=("likely",), server_side=True,
    )  # fmt: skip
    yield Scenario(
        "sshd_max_startups", "sshd has as many unauthenticated connections as it allows", "refused-with-text", "open",
        replace(OPEN, hears="^(Exceeded MaxStartups|Not allowed at this time)\r\n"), origin=(TARGET,), arm="occupied",
        serves=(Serve("sshd", options=(("config", "MaxStartups 1\nLoginGraceTime 0"),)),),
    )  # fmt: skip
    yield Scenario(
        "sshd_no_rundir", "sshd's /run/sshd went away: each connection's process ends at once", "closed-before-banner",
        "open",
        replace(OPEN, hears="^$|FIN|RST"), origin=(TARGET,), allowed=("likely",),
        serves=(Serve("sshd", options=(("lose_rundir", True),)),),
    )  # fmt: skip
    yield Scenario(
        "ident_silence_r2", "r2 drops the client's identification and all that follows it", "reset-after-banner",
        "open",
        replace(OPEN, hears="SSH-2.0-"), serves=(Serve("sshd"),), allowed=ANY, also=("up", "path-mtu-black-hole"),
        rules=(Rule("r2", "forward", "tcp dport 22 @ih,0,32 0x5353482d drop"),),
    )  # fmt: skip
    yield Scenario(
        "ident_reset_r2", "r2 resets a connection when the client's identification passes", "reset-after-banner",
        "open",
        replace(OPEN, hears="SSH-2.0-"), serves=(Serve("sshd"),), origin=(R2, Place("path")), allowed=("likely",),
        rules=(Rule("r2", "forward", "tcp dport 22 @ih,0,32 0x5353482d reject with tcp reset"),),
    )  # fmt: skip
