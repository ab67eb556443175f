"""What is told about the user's own credentials, and when: the table behind "wrong credentials".

House rules of this file:
1. One table decides (`ROWS`): each row whose condition holds is told, in order; the words are those of `WORDS`.
2. Whether a key is authorized is never said: only the server knows.
"""

from __future__ import annotations

from dataclasses import dataclass

# What rows are written in.
WORDS: dict[str, tuple[str, ...]] = {
    "methods": ("known", "let-in", "failed"),  # what came of asking the server; absent: it was not asked
    "takes": ("keys", "typing", "both", "neither"),  # keys; a password or an answer that is typed
    "uses": ("keys", "typing", "both", "neither"),  # the same of the user's ssh
    "common": ("yes", "no"),  # whether there is a method that both know
    "keys": ("none", "some", "many"),  # how many keys ssh would offer
    "agent": ("none", "off", "dead", "refused", "unknown", "empty", "holds"),
    "held_back": ("yes",),  # keys of the agent that IdentitiesOnly keeps from being offered
    "too_open": ("yes",),  # key files that ssh ignores, since others may read them
    "unreadable": ("yes",),
    "missing": ("yes",),  # key files that the configuration names and that don't exist
    "no_private": ("yes",),  # public halves whose private half is neither in a file nor in the agent
    "rsa": ("unusable",),  # RSA keys, and no signature that both sides take
    "other_types": ("yes",),  # keys of types that the user's own configuration doesn't sign with
    "user": ("asked", "configured", "own"),
}

# OpenSSH's MaxAuthTries is 6 unless set (sshd_config(5)): each key that is refused counts, and the sixth ends it.
MOST_TRIES = 6


@dataclass(frozen=True, slots=True)
class Row:
    """When `when` holds, `says` is so, and `to_do` helps. Placeholders are filled from `_values`."""

    id: str
    when: str
    says: str
    to_do: tuple[str, ...] = ()


COPY = "`ssh-copy-id {at}` puts your public key into {user}'s authorized_keys on the server; it asks for the password once"
BY_HAND = "let somebody who can log in add your public key, one line, to ~{user}/.ssh/authorized_keys on the server"
MAKE = "make a key: `ssh-keygen -t ed25519`"

ROWS: tuple[Row, ...] = (
    Row(
        "let-in",
        "methods=let-in",
        "the server lets {user} in without asking for anything (it accepted the method `none`)",
    ),
    Row(
        "not-told",
        "methods=failed",
        "the server was asked which methods it takes and did not say: {failed}",
    ),
    Row(
        "not-asked",
        "methods=-",
        "which methods the server takes for {user} is not known: it was not asked, or had no time to answer",
        ("ask it: `netprobe scan --auth-methods {typed}` (no password, no key; the server logs it)",),
    ),
    Row(
        "no-common-method",
        "methods=known common=no",
        "the server takes {methods}, your ssh would use {mine}: they have no method in common",
        ("look at PreferredAuthentications, PubkeyAuthentication, PasswordAuthentication and BatchMode in `ssh -G {name}`",),
    ),
    Row(
        "no-keys-taken",
        "methods=known takes=typing|neither keys=some|many",
        "the server takes no key for {user} (only {methods}): your keys don't matter there",
        (
            "log in with a password, or on the server set PubkeyAuthentication yes (`sshd -T -C user={user}` shows what holds for {user})",
        ),
    ),
    Row(
        "keys-only",
        "methods=known takes=keys",
        "the server takes no password for {user} (only {methods}): without an authorized key it prints \"Permission denied\"",
    ),
    Row(
        "keys-off-here",
        "methods=known takes=keys|both uses=typing|neither",
        "the server takes keys, but your ssh_config turns them off (PubkeyAuthentication no, or left out of PreferredAuthentications)",
        ("`ssh -o PubkeyAuthentication=yes -o PreferredAuthentications=publickey {at}`",),
    ),
    Row(
        "key-too-open",
        "too_open=yes",
        "ssh ignores {too_open}: others may read it (\"Permissions are too open\")",
        ("`chmod 600 {too_open_paths}`",),
    ),
    Row(
        "key-unreadable",
        "unreadable=yes",
        "{unreadable} can't be read by the user who runs ssh",
        ("`ls -l {unreadable_paths}`: it must belong to you; a key made with sudo belongs to root",),
    ),
    Row(
        "key-missing",
        "missing=yes",
        "your ssh_config names {missing}, which doesn't exist",
        ("put the key there, or correct IdentityFile",),
    ),
    Row(
        "no-private-half",
        "no_private=yes",
        "of {no_private} only the public half is here, and the agent doesn't hold the private one",
        ("load it into the agent, or name another key: `ssh -i KEY {at}`",),
    ),
    Row(
        "agent-dead",
        "agent=dead",
        "SSH_AUTH_SOCK or IdentityAgent names {agent_path}, but no agent answers there",
        ("start one: `eval \"$(ssh-agent)\"`, then `ssh-add`",),
    ),
    Row(
        "agent-refused",
        "agent=refused",
        "the agent at {agent_path} may not be talked to by this user",
        ("an agent belongs to one user: use your own, not one that another account started",),
    ),
    Row(
        "rsa-signatures",
        "rsa=unusable",
        "of your RSA keys none can be used: your ssh signs with {rsa_mine}, the server takes {rsa_theirs}",
        (
            "use an Ed25519 or ECDSA key, or upgrade the server",
            "until then: `ssh -o PubkeyAcceptedAlgorithms=+ssh-rsa {at}` (SHA-1: for this server alone)",
        ),
    ),
    Row(
        "other-types",
        "other_types=yes",
        "your ssh doesn't sign with {other_types} (PubkeyAcceptedAlgorithms)",
        (MAKE,),
    ),
    Row(
        "no-key-typing",
        "keys=none takes=both uses=keys|both",
        "ssh has no key to offer{agent_told}; it will ask for a password",
        (MAKE, COPY),
    ),
    Row(
        "no-key",
        "keys=none takes=keys uses=keys|both",
        "ssh has no key to offer{agent_told}, and the server takes nothing else",
        (MAKE + ", or `ssh-add` one that you have elsewhere", BY_HAND),
    ),
    Row(
        "no-key-unknown",
        "keys=none takes=- methods=-|failed uses=keys|both",
        "ssh has no key to offer{agent_told}: only a password could let you in",
        (MAKE, COPY),
    ),
    Row(
        "too-many-keys",
        "keys=many takes=keys|both|-",
        "ssh would offer {count} keys; OpenSSH closes at the 6th refusal (MaxAuthTries): \"Too many authentication failures\"",
        ("offer the right one alone: `ssh -o IdentitiesOnly=yes -i KEY {at}`",),
    ),
    Row(
        "held-back",
        "held_back=yes takes=keys|both|-",
        "IdentitiesOnly=yes: {held_back} of the agent would not be offered, since no IdentityFile names it",
        ("if one of these is the right key: name its public half, `IdentityFile KEY.pub`, or `ssh -o IdentitiesOnly=no {at}`",),
    ),
    Row(
        "keys-offered",
        "keys=some|many takes=keys|both",
        "whether one of your keys is in ~{user}/.ssh/authorized_keys only the server knows",
        (
            "another key: `ssh -o IdentitiesOnly=yes -i KEY {at}`",
            "on the server: `ssh-keygen -lf ~{user}/.ssh/authorized_keys` must list one of the fingerprints above; the file and its folders may be writable by {user} alone",
        ),
    ),
    Row(
        "copy-the-key",
        "keys=some|many takes=both",
        "while the server takes a password, it is easy to authorize your key",
        (COPY,),
    ),
    Row(
        "by-hand",
        "keys=some|many takes=keys",
        "ssh-copy-id can't help here, since it needs a password login itself",
        (BY_HAND,),
    ),
    Row(
        "typing",
        "takes=typing uses=typing|both",
        "only what you type can let you in ({methods}): the password is {user}'s on the server",
    ),
    Row(
        "user-own",
        "user=own",
        "ssh would log in as {user}, your name on this machine",
        ("another account: `ssh OTHER@{name}`, or a User line in ~/.ssh/config",),
    ),
    Row(
        "user-configured",
        "user=configured",
        "ssh would log in as {user}, as your ssh_config says",
        ("another account: `ssh OTHER@{name}`",),
    ),
)  # fmt: skip
