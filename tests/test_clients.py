"""What clients print: the texts are recognised, read for what they rule out, and the table in the documents is the same
one."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netprobe.clients import ABOUT, ROWS, TEXTS, causes_of, near, page, printed_for, read
from netprobe.clients.causes import LAST, Stage, last
from netprobe.clients.lines import LINES, Line
from netprobe.clients.telling import command
from netprobe.rules import RULES
from tests.samples import HOSTILE

INDEX = (Path(__file__).parent.parent / "docs" / "index.md").read_text("utf-8")
# Causes that no text of a client tells from others.
SILENT = {"up", "inconclusive"}


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("ssh: connect to host 192.0.2.1 port 22: Connection refused", "Connection refused"),
        ("[Errno 111] ECONNREFUSED", "Connection refused"),
        ("ssh: connect to host x port 22: Connection timed out", "Connection timed out"),
        ("Connection timed out during banner exchange", "Connection timed out during banner exchange"),
        ("ssh: connect to host x port 22: No route to host", "No route to host"),
        ("ssh: connect to host x port 22: Permission denied", "Permission denied"),
        ("user@host: Permission denied (publickey).", "Permission denied (publickey)"),
        (
            "kex_exchange_identification: read: Connection reset by peer",
            "kex_exchange_identification: read: Connection reset by peer",
        ),
        ("ssh: connect to host x port 22: Connection reset by peer", "Connection reset by peer"),
        ("ssh: Could not resolve hostname x: Name or service not known", "Could not resolve hostname"),
    ],
)
def test_texts_are_recognised(text: str, known: str) -> None:
    found = causes_of(text)
    assert found is not None
    assert found[0] == known
    assert f'"{known}"' in (page(text) or "")


@pytest.mark.parametrize("text", ["", "no-listener", "NP110", "Hello", "port 22 is open", "ssh -v host"])
def test_other_texts_are_not(text: str) -> None:
    assert causes_of(text) is None
    assert page(text) is None


@pytest.mark.parametrize("known", TEXTS)
def test_each_text_finds_its_own_row(known: str) -> None:
    assert causes_of(known) == (known, TEXTS[known][1])


def test_every_cause_is_explained() -> None:
    assert {cause for row in ROWS for cause in row.causes} <= set(ABOUT)
    assert {rule.cause for rule in RULES} - SILENT <= set(ABOUT)
    assert set(LAST) <= set(ABOUT)


def test_no_row_names_a_cause_that_its_own_stage_rules_out() -> None:
    for row in ROWS:
        late = [cause for cause in row.causes if last(cause) < row.stage]
        assert not late, f"{row.text}: {late} can't come as late as {row.stage.name}"


@pytest.mark.parametrize("known", TEXTS)
def test_the_document_has_the_same_causes(known: str) -> None:
    row = next(line for line in INDEX.splitlines() if line.startswith("|") and known in line.split("|")[1])
    assert set(re.findall(r"`([a-z0-9-]+)`", row.split("|")[2])) & set(ABOUT) == set(TEXTS[known][1])


def test_what_is_printed_for_a_cause() -> None:
    assert printed_for("no-listener") == ("Connection refused", "Couldn't connect to server")
    assert printed_for("up") == ()


# --------------------------------------------------------------------------- the lines of real clients


@pytest.mark.parametrize("one", LINES, ids=lambda one: f"{one.client}: {one.line[:40]}")
@pytest.mark.parametrize(("host", "port"), [("srv.example.com", 2222), ("192.0.2.7", 22), ("2001:db8::7", 2022)])
def test_a_clients_line_is_known_with_its_host_and_port(one: Line, host: str, port: int) -> None:
    # Most clients put an IPv6 address in brackets where a port follows, Node.js doesn't.
    typed = f"[{host}]" if ":" in host and "<host>:<port>" in one.line and one.client != "Node.js" else host
    reading = read(one.line.replace("<host>", typed).replace("<port>", str(port)))
    assert [row.text for row in reading.texts][:1] == [one.text]
    assert reading.host == (host if "<host>" in one.line else None)
    assert reading.port == (port if "<port>" in one.line else None)


def test_every_row_has_a_line_of_a_client_and_every_line_its_row() -> None:
    assert {one.text for one in LINES} <= set(TEXTS)
    unseen = set(TEXTS) - {one.text for one in LINES}
    assert unseen == {"expecting SSH2_MSG_KEX_ECDH_REPLY"}  # a line of `ssh -v` that alone says nothing
    assert {one.seen for one in LINES} == {"measured", "documented"}


# --------------------------------------------------------------------------- whole outputs

VERBOSE = """OpenSSH_9.2p1 Debian-2+deb12u10, OpenSSL 3.0.20
debug1: Reading configuration data /etc/ssh/ssh_config
debug1: Connecting to server.example.com [192.0.2.2] port 2216.
debug1: Connection established.
debug1: identity file /root/.ssh/id_rsa type -1
debug1: Local version string SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10
"""


def test_the_identification_was_seen_so_only_later_causes_remain() -> None:
    output = (
        VERBOSE
        + "debug1: Remote protocol version 2.0, remote software version OpenSSH_9.2p1\n"
        + "debug1: SSH2_MSG_KEXINIT sent\nRemote side unexpectedly closed network connection\n"
    )
    reading = read(output)
    assert (reading.stage, reading.host, reading.port) == (Stage.KEX, "server.example.com", 2216)
    text = page(output) or ""
    possible, _, excluded = text.partition("Ruled out, since the server has sent its SSH identification")
    assert "kex-aborted" in possible
    assert "closed-before-banner" not in possible
    assert "closed-before-banner, refused-with-text, other-service, transparent-proxy" in excluded
    assert "    sudo netprobe scan -p 2216 --expect ssh server.example.com\n" in text


def test_what_says_most_decides_not_what_comes_last() -> None:
    output = (
        VERBOSE
        + "kex_exchange_identification: Connection closed by remote host\r\n"
        + "Connection closed by 192.0.2.2 port 2216\r\nscp: Connection closed\r\n"
    )
    reading = read(output)
    assert reading.texts[0].text == "kex_exchange_identification: Connection closed by remote host"
    assert reading.followed
    assert (reading.host, reading.port) == ("server.example.com", 2216)


def test_ssh_that_hangs_in_the_key_exchange() -> None:
    waiting = VERBOSE + "debug1: SSH2_MSG_KEXINIT received\ndebug1: expecting SSH2_MSG_KEX_ECDH_REPLY"
    assert causes_of(waiting) == ("expecting SSH2_MSG_KEX_ECDH_REPLY", ("path-mtu-black-hole",))
    # A client that goes on afterwards had its answer.
    later = waiting + "\ndebug1: SSH2_MSG_NEWKEYS received\nroot@server.example.com: Permission denied (publickey)."
    assert (causes_of(later) or ("",))[0] == "Permission denied (publickey)"


def test_every_address_of_a_name_has_a_reason_of_its_own() -> None:
    output = (
        "debug1: Connecting to server.example.com [2001:db8::2] port 22.\n"
        "debug1: connect to address 2001:db8::2 port 22: Network is unreachable\n"
        "debug1: Connecting to server.example.com [192.0.2.2] port 22.\n"
        "debug1: connect to address 192.0.2.2 port 22: Connection refused\n"
        "ssh: connect to host server.example.com port 22: Connection refused\n"
    )
    text = page(output) or ""
    assert "  2001:db8::2  Network is unreachable\n  192.0.2.2    Connection refused\n" in text
    assert "\n    sudo netprobe scan server.example.com\n" in text


def test_a_login_is_the_servers_to_explain() -> None:
    text = page("alice@192.0.2.1: Permission denied (publickey,password).") or ""
    assert "    sudo netprobe doctor --user alice\n" in text
    assert "    sudo netprobe scan --auth-methods --user alice 192.0.2.1\n" in text
    assert "firewall: everything" in text


def test_lines_that_only_say_that_ssh_gave_up() -> None:
    text = page("fatal: Could not read from remote repository.\n") or ""
    assert "ssh below has given up" in text
    assert "netprobe scan HOST" in text
    assert "no-listener" not in text


@pytest.mark.parametrize(
    "host", ["$(reboot)", "`id`", "-oProxyCommand=x", "a;b", "x|y", "..", "a..b", "\u202e1.example", "a'b"]
)
def test_nothing_but_a_host_gets_into_a_command(host: str) -> None:
    for text in (
        f"ssh: connect to host {host} port 22: Connection refused",
        f"curl: (7) Failed to connect to {host} port 22 after 0 ms: Couldn't connect to server",
    ):
        reading = read(text)
        if reading.host is not None:
            assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.:%-]*", reading.host)
        assert host not in command(reading)


@pytest.mark.parametrize("port", [0, 65536, 99999])
def test_an_impossible_port_is_none(port: int) -> None:
    assert read(f"ssh: connect to host a.example port {port}: Connection refused").port is None


@given(st.text(max_size=300), st.sampled_from(LINES))
def test_any_text_can_be_read(text: str, one: Line) -> None:
    for whole in (text, f"{text}\n{one.line}", f"{one.line} {text}"):
        read(whole)
        found = page(whole)
        assert found is None or found.endswith("\n")


def test_a_hostile_line_is_shown_harmless() -> None:
    output = f"debug1: Connecting to a.example [192.0.2.1] port 22. {HOSTILE}\nConnection refused\n"
    shown = page(f"debug1: Connection established. {HOSTILE}\nConnection refused") or ""
    for text in (page(output) or "", shown):
        assert all(unicodedata.category(c) not in {"Cc", "Cf", "Cs"} for c in text.replace("\n", ""))


def test_a_long_output_takes_no_time() -> None:
    assert page("debug1: connect to address " * 200_000) is None
    assert page("Connection closed by " + "x " * 90_000 + "\nConnection refused") is not None


def test_near_misses() -> None:
    assert near("Conection refussed") == ["Connection refused"]
    assert near("no route to hots") == ["No route to host"]
    assert near("xyzzy") == []
