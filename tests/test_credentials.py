"""The user's side of a login: what ssh would offer, held against what a server takes; every row of the table."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netprobe.model import AgentKey, AuthMethodsFact, Credentials, CredentialsFact, IdentityFile
from netprobe.rules.rule import _conditions
from netprobe.ssh.advice import ROWS, WORDS
from netprobe.ssh.asked import answer
from netprobe.ssh.credentials import compare, offered
from netprobe.wire import facts

ED, RSA, DSA = "ssh-ed25519", "ssh-rsa", "ssh-dss"
MODERN = (ED, "ecdsa-sha2-nistp256", "rsa-sha2-512", "rsa-sha2-256")
USUAL = tuple(IdentityFile(f"~/.ssh/id_{kind}", "missing") for kind in ("rsa", "ecdsa", "ed25519"))
NOBODY = CredentialsFact(
    target="ssh://alice@web", name="web", user="alice", user_from="asked", files=USUAL, accepted=MODERN
)


def key(number: int, kind: str = ED, state: str = "usable", *, configured: bool = True) -> IdentityFile:
    mode = {"usable": 0o600, "too-open": 0o644, "unreadable": 0o600}.get(state)
    return IdentityFile(f"~/keys/k{number}", state, configured, mode, kind, f"SHA256:{number}")


def held(*numbers: int, kind: str = ED) -> tuple[AgentKey, ...]:
    return tuple(AgentKey(kind, f"SHA256:{number}") for number in numbers)


def asked(*methods: str, outcome: str = "answered", signatures: tuple[str, ...] = MODERN) -> AuthMethodsFact:
    return AuthMethodsFact(
        id=1, address="192.0.2.1", port=22, user="alice", outcome=outcome, methods=methods, signatures=signatures
    )


BOTH, KEYS, TYPING = asked("publickey", "password"), asked("publickey"), asked("password", "keyboard-interactive")
WITH_KEY = replace(NOBODY, files=(key(1),))


def told(mine: CredentialsFact, server: AuthMethodsFact | None) -> list[str]:
    return [one.id for one in compare(mine, server, mine.target, 22).advice]


# What one has, what the server says, the rows that are told.
CASES: dict[str, tuple[CredentialsFact, AuthMethodsFact | None, list[str]]] = {
    "nothing asked, nothing there": (NOBODY, None, ["not-asked", "no-key-unknown"]),
    "nothing there, the server takes both": (NOBODY, BOTH, ["no-key-typing"]),
    "nothing there, keys only": (NOBODY, KEYS, ["keys-only", "no-key"]),
    "nothing there, passwords only": (NOBODY, TYPING, ["typing"]),
    "a key, both": (WITH_KEY, BOTH, ["keys-offered", "copy-the-key"]),
    "a key, keys only": (WITH_KEY, KEYS, ["keys-only", "keys-offered", "by-hand"]),
    "a key, passwords only": (WITH_KEY, TYPING, ["no-keys-taken", "typing"]),
    "let in": (WITH_KEY, asked(outcome="let-in"), ["let-in"]),
    "it closed": (WITH_KEY, asked(outcome="closed"), ["not-told"]),
    "it said nothing": (NOBODY, asked(outcome="time-out"), ["not-told", "no-key-unknown"]),
    "a key that others may read": (
        replace(NOBODY, files=(key(1, state="too-open"),)), KEYS, ["keys-only", "key-too-open", "no-key"],
    ),
    "the same, but the agent holds it": (
        replace(NOBODY, files=(key(1, state="too-open"),), agent="reachable", agent_keys=held(1)), KEYS,
        ["keys-only", "keys-offered", "by-hand"],
    ),
    "root's key": (
        replace(NOBODY, files=(key(1, state="unreadable"),)), BOTH, ["key-unreadable", "no-key-typing"],
    ),
    "a key that isn't there": (replace(NOBODY, files=(key(1, state="missing"),)), None,
                               ["not-asked", "key-missing", "no-key-unknown"]),
    "a public half": (replace(NOBODY, files=(key(1, state="public-only"),)), KEYS,
                      ["keys-only", "no-private-half", "no-key"]),
    "its private half in the agent": (
        replace(NOBODY, files=(key(1, state="public-only"),), agent="reachable", agent_keys=held(1)), BOTH,
        ["keys-offered", "copy-the-key"],
    ),
    "a dead agent": (replace(WITH_KEY, agent="dead", agent_path="/tmp/a"), BOTH,
                     ["agent-dead", "keys-offered", "copy-the-key"]),
    "somebody else's agent": (replace(NOBODY, agent="refused", agent_path="/tmp/a"), BOTH,
                              ["agent-refused", "no-key-typing"]),
    "six keys": (replace(NOBODY, agent="reachable", agent_keys=held(*range(1, 7))), BOTH,
                 ["too-many-keys", "keys-offered", "copy-the-key"]),
    "five keys": (replace(NOBODY, agent="reachable", agent_keys=held(*range(1, 6))), BOTH,
                  ["keys-offered", "copy-the-key"]),
    "six keys, one of them alone": (
        replace(WITH_KEY, agent="reachable", agent_keys=held(*range(1, 7)), identities_only=True), BOTH,
        ["held-back", "keys-offered", "copy-the-key"],
    ),
    "six keys where none is taken": (
        replace(NOBODY, agent="reachable", agent_keys=held(*range(1, 7))), TYPING, ["no-keys-taken", "typing"],
    ),
    "keys turned off": (replace(WITH_KEY, pubkey=False), KEYS, ["no-common-method", "keys-only", "keys-off-here"]),
    "keys not preferred": (replace(WITH_KEY, preferred=("password",)), BOTH,
                           ["keys-off-here", "keys-offered", "copy-the-key"]),
    "typing turned off": (replace(NOBODY, password=False, interactive=False), TYPING, ["no-common-method"]),
    "RSA and a server of 2014": (replace(NOBODY, files=(key(1, RSA),)), asked("publickey", signatures=()),
                                 ["keys-only", "rsa-signatures", "no-key"]),
    "RSA and a server of today": (replace(NOBODY, files=(key(1, RSA),)), BOTH, ["keys-offered", "copy-the-key"]),
    "DSA": (replace(NOBODY, files=(key(1, DSA),)), BOTH, ["other-types", "no-key-typing"]),
    "one's own name": (replace(WITH_KEY, user_from="own"), BOTH, ["keys-offered", "copy-the-key", "user-own"]),
    "ssh_config's name": (replace(WITH_KEY, user_from="configured"), BOTH,
                          ["keys-offered", "copy-the-key", "user-configured"]),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_is_told(name: str) -> None:
    mine, server, expected = CASES[name]
    assert told(mine, server) == expected


def test_every_row_has_its_case() -> None:
    reached = {one for _, _, rows in CASES.values() for one in rows}
    assert reached == {row.id for row in ROWS}
    assert len({row.id for row in ROWS}) == len(ROWS)


def test_the_page_names_every_row() -> None:
    page = (Path(__file__).parent.parent / "docs" / "ssh-credentials.md").read_text("utf-8")
    assert [row.id for row in ROWS if f"`{row.id}`" not in page] == []


def test_rows_are_written_in_the_vocabulary() -> None:
    for row in ROWS:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", row.id)
        for feature, words, _ in _conditions(row.when):
            assert feature in WORDS, row
            assert words <= {*WORDS[feature], "-"}, row


@pytest.mark.parametrize("name", CASES)
def test_every_text_is_filled_in(name: str) -> None:
    mine, server, _ = CASES[name]
    for one in compare(mine, server, mine.target, 22).advice:
        for text in (one.says, *one.to_do):
            assert not re.search(r"[{}]|\bNone\b|  |\(\)", text), text


# --------------------------------------------------------------------------- the order of keys


def test_the_agents_keys_come_before_files() -> None:
    mine = replace(NOBODY, files=(key(1), key(2)), agent="reachable", agent_keys=held(9, 2))
    assert [one.fingerprint for one in offered(mine)] == ["SHA256:2", "SHA256:9", "SHA256:1"]
    only = replace(mine, identities_only=True)
    assert [one.fingerprint for one in offered(only)] == ["SHA256:2", "SHA256:1"]


def test_a_file_without_its_public_half_is_offered_all_the_same() -> None:
    mine = replace(NOBODY, files=(IdentityFile("~/k", "usable", True, 0o600),))
    (one,) = offered(mine)
    assert "no .pub" in str(one)
    assert told(mine, KEYS) == ["keys-only", "keys-offered", "by-hand"]


def test_commands_name_the_port_where_ssh_would_not() -> None:
    def steps(credentials: Credentials) -> str:
        return " ".join(step for one in credentials.advice for step in one.to_do)

    assert "-p 2222 alice@web" in steps(compare(WITH_KEY, BOTH, "ssh://alice@web:2222", 2222))
    assert "-p" not in steps(compare(replace(WITH_KEY, port=2222), BOTH, "web", 2222))


def test_braces_of_strangers_are_no_placeholders() -> None:
    odd = replace(NOBODY, user="{user}", files=(replace(key(1, state="too-open"), path="~/{x}"),))
    text = " ".join(one.says for one in compare(odd, asked("publickey", "{y}"), "{z}", 22).advice)
    assert "~/{x}" in text
    assert "{y}" in text


# --------------------------------------------------------------------------- facts of a stranger's file

ANY = st.text(max_size=8) | st.sampled_from(["{user}", ED, RSA, "usable", "missing", "too-open", "reachable", "dead"])
SOME = st.lists(ANY, max_size=4).map(tuple)
FILES = st.builds(
    IdentityFile, ANY, ANY, st.booleans(), st.none() | st.integers(-(2**62), 2**62), st.none() | ANY, st.none() | ANY
)
MINE = st.builds(
    CredentialsFact, target=ANY, name=ANY, user=ANY, user_from=ANY, port=st.integers(-9, 2**63 - 1),
    files=st.lists(FILES, max_size=4).map(tuple), agent=ANY, agent_path=ANY,
    agent_keys=st.lists(st.builds(AgentKey, ANY, ANY), max_size=8).map(tuple), identities_only=st.booleans(),
    pubkey=st.booleans(), password=st.booleans(), interactive=st.booleans(), preferred=SOME, accepted=SOME,
)  # fmt: skip
THEIRS = st.builds(
    AuthMethodsFact, id=st.integers(), address=ANY, port=st.integers(), user=ANY,
    outcome=ANY | st.sampled_from(["answered", "let-in", "closed"]), methods=SOME, banner=SOME, signatures=SOME,
    detail=ANY,
)  # fmt: skip


@given(MINE, st.none() | THEIRS, ANY)
def test_any_facts_will_do(mine: CredentialsFact, server: AuthMethodsFact | None, typed: str) -> None:
    found = compare(mine, server, typed, 22)
    assert len(found.offers) <= len(mine.files) + len(mine.agent_keys)
    assert {one.id for one in found.advice} <= {row.id for row in ROWS}
    assert facts.load(facts.dump(mine), 7) == replace(mine, number=7)
    if server is not None:
        assert facts.load(facts.dump(server), 7) == replace(server, number=7)
        assert facts.message(server).isprintable()
        answer(server)
    assert facts.message(mine).isprintable()
