"""The user's side of a login, held against what the server takes; netprobe.ssh.advice says what follows from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from netprobe.model import Advice, AuthMethodsFact, Credentials, CredentialsFact, IdentityFile
from netprobe.rules.rule import holds
from netprobe.ssh.advice import MOST_TRIES, ROWS

# --------------------------------------------------------------------------- what ssh would do


@dataclass(frozen=True, slots=True)
class Key:
    """A key that ssh would offer. `type` and `fingerprint` are None for a file without its `.pub`."""

    where: str
    type: str | None
    fingerprint: str | None

    def __str__(self) -> str:
        told = " ".join(part for part in (self.type, self.fingerprint) if part)
        return f"{self.where} ({told})" if told else f"{self.where} (no .pub beside it: type not known)"


def offered(mine: CredentialsFact) -> tuple[Key, ...]:
    """The keys that ssh would offer, in its order (pubkey_prepare() of OpenSSH's sshconnect2.c): those of the agent
    that the configuration names, the agent's others, then files."""
    if not mine.pubkey:
        return ()
    held = {key.fingerprint: key for key in mine.agent_keys if key.fingerprint}
    named = {file.fingerprint: file for file in mine.files if file.fingerprint in held}
    first = [Key(f"{file.path}, from the agent", file.type, file.fingerprint) for file in named.values()]
    others = [
        Key("a key of the agent", key.type, key.fingerprint or None)
        for key in mine.agent_keys
        if key.fingerprint not in named and not mine.identities_only
    ]
    files = [
        Key(file.path, file.type, file.fingerprint)
        for file in mine.files
        if file.state == "usable" and file.fingerprint not in held
    ]
    return tuple(key for key in (*first, *others, *files) if key.type is None or _signs(key.type, mine.accepted))


def _signs(kind: str, accepted: tuple[str, ...]) -> bool:
    """Whether the user's ssh signs with keys of this type at all."""
    return not accepted or any(one in accepted for one in _signatures(kind))


def _signatures(kind: str) -> tuple[str, ...]:
    """The signature algorithms of a key type (RFC 8332 3 for RSA)."""
    return ("rsa-sha2-512", "rsa-sha2-256", "ssh-rsa") if kind == "ssh-rsa" else (kind,)


def _rsa(mine: CredentialsFact, asked: AuthMethodsFact | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What either side would use for RSA: the user's, the server's. A server that names none takes ssh-rsa alone, as
    OpenSSH's client understands it (key_sig_algorithm() of sshconnect2.c)."""
    own = tuple(one for one in _signatures("ssh-rsa") if not mine.accepted or one in mine.accepted)
    theirs = _signatures("ssh-rsa")
    if asked is not None and asked.outcome == "answered":
        theirs = tuple(one for one in theirs if one in (asked.signatures or ("ssh-rsa",)))
    return own, theirs


# --------------------------------------------------------------------------- the comparison


def compare(mine: CredentialsFact, asked: AuthMethodsFact | None, typed: str, port: int) -> Credentials:
    """The user's side held against the server's. `typed`: the target as the user wrote it; `port`: the server's."""
    keys = offered(mine)
    own, theirs = _rsa(mine, asked)
    unusable = {key for key in keys if key.type == "ssh-rsa"} if not set(own) & set(theirs) else set()
    usable = tuple(key for key in keys if key not in unusable)
    features = dict(_features(mine, asked, usable, len(unusable)))
    values = _values(mine, asked, usable) | {
        "typed": typed,
        "at": ("" if port == mine.port else f"-p {port} ") + f"{mine.user}@{mine.name}",
        "rsa_mine": " and ".join(own) or "no RSA signature", "rsa_theirs": " and ".join(theirs) or "no RSA signature",
    }  # fmt: skip
    advice = tuple(
        Advice(row.id, row.says.format_map(values), tuple(one.format_map(values) for one in row.to_do))
        for row in ROWS
        if holds(row.when, features)
    )
    return Credentials(mine.user, tuple(str(key) for key in usable), advice)


def _features(
    mine: CredentialsFact, asked: AuthMethodsFact | None, usable: tuple[Key, ...], unusable: int
) -> Iterator[tuple[str, str]]:
    if asked is not None:
        yield "methods", {"answered": "known", "let-in": "let-in"}.get(asked.outcome, "failed")
    uses = _uses(mine)
    yield "uses", _pair("publickey" in uses, bool({"password", "keyboard-interactive"} & set(uses)))
    if asked is not None and asked.outcome == "answered":
        takes = set(asked.methods)
        yield "takes", _pair("publickey" in takes, bool({"password", "keyboard-interactive"} & takes))
        yield "common", "yes" if takes & {*uses, "gssapi-with-mic", "hostbased"} else "no"
    yield "keys", "none" if not usable else "many" if len(usable) >= MOST_TRIES else "some"
    yield "agent", mine.agent if mine.agent != "reachable" else "holds" if mine.agent_keys else "empty"
    yield "user", mine.user_from
    if unusable:
        yield "rsa", "unusable"
    for feature, found in (
        ("held_back", _held_back(mine)),
        ("too_open", _files(mine, "too-open")),
        ("unreadable", _files(mine, "unreadable")),
        ("missing", [file for file in _files(mine, "missing") if file.configured]),
        ("no_private", _files(mine, "public-only")),
        ("other_types", _other_types(mine)),
    ):
        if found and mine.pubkey:
            yield feature, "yes"


def _pair(keys: bool, typing: bool) -> str:
    return {(True, True): "both", (True, False): "keys", (False, True): "typing"}.get((keys, typing), "neither")


def _uses(mine: CredentialsFact) -> tuple[str, ...]:
    """The methods that the user's ssh would try, as far as they need nothing but keys and typing."""
    on = {"publickey": mine.pubkey, "keyboard-interactive": mine.interactive, "password": mine.password}
    return tuple(name for name, wanted in on.items() if wanted and (not mine.preferred or name in mine.preferred))


def _files(mine: CredentialsFact, state: str) -> list[IdentityFile]:
    """Key files in a state that hinders; one whose key the agent holds hinders nobody."""
    held = {key.fingerprint for key in mine.agent_keys}
    return [file for file in mine.files if file.state == state and (file.fingerprint or "none") not in held]


def _held_back(mine: CredentialsFact) -> list[str]:
    named = {file.fingerprint for file in mine.files}
    return [key.fingerprint for key in mine.agent_keys if mine.identities_only and key.fingerprint not in named]


def _other_types(mine: CredentialsFact) -> list[str]:
    kinds = [file.type for file in mine.files if file.state == "usable"] + [key.type for key in mine.agent_keys]
    return [kind for kind in dict.fromkeys(kinds) if kind and kind != "unknown" and not _signs(kind, mine.accepted)]


def _values(
    mine: CredentialsFact, asked: AuthMethodsFact | None, usable: tuple[Key, ...]
) -> dict[str, object]:
    agent = {
        "none": " (no agent runs)", "dead": " (the agent doesn't answer)", "off": " (IdentityAgent none: no agent)",
        "refused": " (the agent refuses it)", "reachable": " (the agent holds none)",
    }  # fmt: skip
    said = "" if asked is None else {"closed": "it closed", "time-out": "no answer in time"}.get(asked.outcome, "")
    words: dict[str, object] = {
        "user": mine.user,
        "name": mine.name,
        "methods": ", ".join(asked.methods) if asked is not None and asked.methods else "nothing",
        "mine": ", ".join(_uses(mine)) or "nothing",
        "failed": said or (asked.detail or asked.outcome if asked is not None else ""),
        "count": len(usable),
        "agent_path": mine.agent_path,
        "agent_told": agent.get(mine.agent, ""),
        "held_back": _number(_held_back(mine), "key"),
        "other_types": ", ".join(_other_types(mine)),
    }
    for word, state in (("too_open", "too-open"), ("unreadable", "unreadable"), ("no_private", "public-only")):
        files = _files(mine, state)
        words[word] = ", ".join(_with_mode(file) for file in files)
        words[f"{word}_paths"] = " ".join(file.path for file in files)
    words["missing"] = ", ".join(file.path for file in _files(mine, "missing") if file.configured)
    return words


def _with_mode(file: IdentityFile) -> str:
    return f"{file.path} (mode {file.mode:04o})" if file.mode is not None else file.path


def _number(found: list[str], what: str) -> str:
    return f"{len(found)} {what}{'' if len(found) == 1 else 's'}"
