"""What the user's ssh would log in with: its configuration, its key files, its agent; told without a secret.

House rules of this file:
1. No private key is opened: name, owner and mode tell what ssh makes of it; types come from the `.pub` beside it.
2. An agent is only asked for its public keys, never for a signature.
3. It is the user behind sudo who counts: files and agent are asked with that user's rights.
4. Bounded and never fatal: what can't be found out is said to be unknown.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import os
import pwd
import re
import socket
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from netprobe.model import AgentKey, CredentialsFact, IdentityFile
from netprobe.wire import privilege, sshconfig

# The files that ssh tries where its configuration names none (ssh_config(5), IdentityFile).
USUAL = frozenset(
    f"~/.ssh/id_{kind}" for kind in ("rsa", "ecdsa", "ecdsa_sk", "ed25519", "ed25519_sk", "xmss", "dsa", "mldsa44")
)
_MOST_FILES, _MOST_AGENT_KEYS = 32, 64
_LONGEST_PUBLIC_KEY = 16384
_LONGEST_AGENT_ANSWER = 262144  # MAX_AGENT_REPLY_LEN of OpenSSH's authfd.c
_AGENT_PATIENCE_S = 1.0
_REQUEST_IDENTITIES = b"\0\0\0\1\x0b"  # SSH_AGENTC_REQUEST_IDENTITIES, draft-ietf-sshm-ssh-agent
_IDENTITIES_ANSWER = 12
_ANCESTORS = 4
_KEY_TYPE = re.compile(r"[a-z0-9@.-]{3,64}")


@dataclass(frozen=True, slots=True)
class User:
    """On whose behalf we run: what ssh expands its tokens with."""

    uid: int
    name: str
    home: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whose credentials are looked at: `target` as it was typed, `name` as ssh knows it, `user` if one was typed.
    `only`: only where the configuration says something of its own about this host."""

    target: str
    name: str
    user: str | None
    only: bool = False


def collect(wanted: Iterable[Wanted]) -> dict[str, CredentialsFact]:
    """The credentials for each target, where there is an ssh to ask; by `target`. Runs `ssh -G`; takes seconds at
    most."""
    asked = list(wanted)
    if not asked:
        return {}
    texts = sshconfig.texts([(one.name, one.user) for one in asked])
    user = _user()
    environment = _environment()
    found = {}
    as_user = privilege.as_caller() if user.uid != os.geteuid() else contextlib.nullcontext()
    with contextlib.suppress(OSError), as_user:  # a namespace may not know that user
        for one in asked:
            said = sshconfig.settings(texts.get((one.name, one.user), ""))
            if "user" in said and (not one.only or mentions(said, user)):
                found[one.target] = of(one, said, user, environment)
    return found


def login_name() -> str:
    """The name that ssh would log in with where nothing else is said."""
    return _user().name


def mentions(said: dict[str, list[str]], user: User) -> bool:
    """Whether a configuration says something of its own about logging in to a host."""
    files = said.get("identityfile", [])
    return (
        said["user"][0] != user.name
        or any(file not in USUAL for file in files)
        or said.get("identitiesonly", ["no"])[0] in ("yes", "true")
        or "certificatefile" in said
    )


def of(one: Wanted, said: dict[str, list[str]], user: User, environment: dict[str, str]) -> CredentialsFact:
    """The fact that settings of `ssh -G` come to."""
    remote = said["user"][0]
    words = _tokens(one, said, user)

    def first(key: str, default: str = "") -> str:
        return said.get(key, [default])[0]

    def on(key: str) -> bool:
        return first(key, "yes") not in ("no", "false")

    agent, path, keys = _agent(first("identityagent"), words, user, environment)
    names = [name for name in said.get("identityfile", []) if name != "none"]
    return CredentialsFact(
        target=one.target,
        name=one.name,
        user=remote,
        port=int(port) if (port := first("port")).isdecimal() and 0 < int(port) < 65536 else 22,
        user_from="asked" if one.user else "own" if remote == user.name else "configured",
        files=tuple(_file(name, words, user, environment) for name in dict.fromkeys(names[:_MOST_FILES])),
        agent=agent,
        agent_path=path,
        agent_keys=keys,
        identities_only=first("identitiesonly", "no") in ("yes", "true"),
        pubkey=on("pubkeyauthentication"),
        password=on("passwordauthentication") and first("batchmode", "no") in ("no", "false"),
        interactive=on("kbdinteractiveauthentication") and first("batchmode", "no") in ("no", "false"),
        preferred=_listed(first("preferredauthentications")),
        accepted=_listed(first("pubkeyacceptedalgorithms") or first("pubkeyacceptedkeytypes")),
        certificates=len(said.get("certificatefile", [])),
    )


def _listed(text: str) -> tuple[str, ...]:
    return tuple(word for word in text.split(",") if word)[:100]


# --------------------------------------------------------------------------- who


def _user() -> User:
    uid = int(os.environ.get("SUDO_UID", "") or 0) if os.geteuid() == 0 and _by_sudo() else os.getuid()
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return User(uid, os.environ.get("LOGNAME", str(uid)), os.environ.get("HOME", "/"))
    return User(uid, entry.pw_name, entry.pw_dir)  # ssh goes by passwd, not by $HOME


def _by_sudo() -> bool:
    return os.environ.get("SUDO_UID", "").isdigit()


def _environment() -> dict[str, str]:
    """Our environment; what sudo took out of it is still in sudo's own."""
    if os.geteuid() != 0 or not _by_sudo() or "SSH_AUTH_SOCK" in os.environ:
        return dict(os.environ)
    process = os.getppid()
    for _ in range(_ANCESTORS):
        with contextlib.suppress(OSError, ValueError):
            pairs = Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
            theirs = dict(os.fsdecode(pair).partition("=")[::2] for pair in pairs if b"=" in pair)
            if "SSH_AUTH_SOCK" in theirs:
                return {**os.environ, "SSH_AUTH_SOCK": theirs["SSH_AUTH_SOCK"]}
            process = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    return dict(os.environ)


# --------------------------------------------------------------------------- files


def _tokens(one: Wanted, said: dict[str, list[str]], user: User) -> dict[str, str]:
    """What ssh puts for the tokens of a file name (ssh_config(5), TOKENS), those that are known without ssh."""
    local = socket.gethostname()
    return {
        "%": "%", "d": user.home, "h": said.get("hostname", [one.name])[0], "i": str(user.uid), "l": local,
        "L": local.partition(".")[0], "n": one.name, "p": said.get("port", ["22"])[0], "r": said["user"][0],
        "u": user.name,
    }  # fmt: skip


def expand(name: str, words: dict[str, str], user: User, environment: dict[str, str]) -> str | None:
    """The path that ssh makes of a name in its configuration; None where only ssh itself can."""
    if name == "~" or name.startswith("~/"):
        name = user.home + name[1:]
    elif name.startswith("~"):
        return None
    unknown = False

    def word(match: re.Match[str]) -> str:
        nonlocal unknown
        found = environment.get(match[1]) if match[1] else words.get(match[2])
        unknown = unknown or found is None
        return found or ""

    done = re.sub(r"\$\{([^}]*)\}|%(.)", word, name)
    if unknown:
        return None
    # ssh looks in the folder that it was started in; a relative name is rare and as good as any other.
    return done


def _file(name: str, words: dict[str, str], user: User, environment: dict[str, str]) -> IdentityFile:
    configured = name not in USUAL
    path = expand(name, words, user, environment)
    if path is None or "\0" in path:
        return IdentityFile(name, "unknown", configured)
    public = public_key(path) if path.endswith(".pub") else public_key(path + ".pub")
    kind, fingerprint = public or (None, None)
    try:
        status = os.stat(path)  # noqa: PTH116 (the status of whoever it leads to, as ssh looks at it)
    except FileNotFoundError:
        return IdentityFile(name, "public-only" if public else "missing", configured, None, kind, fingerprint)
    except OSError:
        return IdentityFile(name, "unreadable", configured, None, kind, fingerprint)
    mode = stat.S_IMODE(status.st_mode)
    if path.endswith(".pub"):
        state = "public-only"
    elif not os.access(path, os.R_OK, effective_ids=True):
        state = "unreadable"
    elif status.st_uid == user.uid and mode & 0o077:  # sshkey_perm_ok() of OpenSSH's authfile.c
        state = "too-open"
    else:
        state = "usable"
    return IdentityFile(name, state, configured, mode, kind, fingerprint)


def public_key(path: str) -> tuple[str, str] | None:
    """Type and fingerprint of a public key file (one line: type, base64, comment); None where it is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError):
        return None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        text = os.read(descriptor, _LONGEST_PUBLIC_KEY)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    fields = text.split(b"\n", 1)[0].split()
    if len(fields) < 2:
        return None
    try:
        blob = base64.b64decode(fields[1], validate=True)
    except (binascii.Error, ValueError):
        return None
    return described(blob)


def described(blob: bytes) -> tuple[str, str] | None:
    """Type and fingerprint of a public key (RFC 4253 6.6); None for what isn't one."""
    length = int.from_bytes(blob[:4])
    if len(blob) < 8 or length > 64:
        return None
    kind = blob[4 : 4 + length].decode("ascii", "replace")
    if not _KEY_TYPE.fullmatch(kind):
        return None
    return kind, "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


# --------------------------------------------------------------------------- the agent


def _agent(
    asked: str, words: dict[str, str], user: User, environment: dict[str, str]
) -> tuple[str, str, tuple[AgentKey, ...]]:
    """State, path and keys of the agent that ssh would use (ssh_config(5), IdentityAgent)."""
    if asked == "none":
        return "off", "", ()
    if not asked or asked == "SSH_AUTH_SOCK":
        path: str | None = environment.get("SSH_AUTH_SOCK", "")
    elif asked.startswith("$") and not asked.startswith("${"):
        path = environment.get(asked[1:], "")
    else:
        path = expand(asked, words, user, environment)
    if path is None:
        return "unknown", asked, ()
    if not path:
        return "none", "", ()
    try:
        return "reachable", path, identities(path)
    except PermissionError:
        return "refused", path, ()
    except (OSError, ValueError):
        return "dead", path, ()


def identities(path: str) -> tuple[AgentKey, ...]:
    """The public keys that an agent holds, at most 64. OSError where nobody answers, ValueError for nonsense."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as agent:
        agent.settimeout(_AGENT_PATIENCE_S)
        agent.connect(path)
        agent.sendall(_REQUEST_IDENTITIES)
        length = int.from_bytes(_exactly(agent, 4))
        if not 0 < length <= _LONGEST_AGENT_ANSWER:
            raise ValueError("no agent")
        answer = _exactly(agent, length)
    if answer[0] != _IDENTITIES_ANSWER or length < 5:
        return ()  # it won't tell (a locked one says that it has none)
    keys, at = [], 5
    for _ in range(min(int.from_bytes(answer[1:5]), _MOST_AGENT_KEYS)):
        blob, at = _string(answer, at)
        _, at = _string(answer, at)  # the comment stays where it is: it is often a name
        found = described(blob)
        keys.append(AgentKey(*(found or ("unknown", ""))))
    return tuple(keys)


def _exactly(agent: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        piece = agent.recv(count - len(found))
        if not piece:
            raise ConnectionResetError
        found += piece
    return found


def _string(text: bytes, at: int) -> tuple[bytes, int]:
    length = int.from_bytes(text[at : at + 4])
    if at + 4 + length > len(text):
        raise ValueError("no agent")
    return text[at + 4 : at + 4 + length], at + 4 + length
