"""Who is let in: the account, its shell, the permissions on the way to its keys, PAM's counts; and what the log
counts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from netprobe.doctor.collect.machine import Machine, Unavailable
from netprobe.doctor.facts import Account, Asked, FileFact, KeyFile, LogCount, Selinux

DAY_S = 86_400
KEY_TYPES = re.compile(r"(?:^|[\s,])(?:ssh-|ecdsa-|sk-ssh-|sk-ecdsa-|rsa-sha2-)[\w@.-]+\s+[A-Za-z0-9+/=]{16,}")
LOG_LINES = 2000
LOG_BYTES = 512 << 10
# What is counted in the log; the words are OpenSSH's own (auth.c, auth2-pubkey.c, sshd.c, srclimit.c, misc.c).
LOGGED = {
    "bad-ownership": r"Authentication refused: bad ownership or modes",
    "not-allowed": r"not allowed because",
    "max-startups": r"(?:drop connection|exited MaxStartups|beginning MaxStartups|past MaxStartups)",
    "penalty": r"penalty:|srclimit_penalise",
    "no-privsep-folder": r"Missing privilege separation directory",
    "no-host-keys": r"no hostkeys available|Unable to load host key",
    "bind-failed": r"Bind to port \d+ on .* failed",
    "refused-by-wrappers": r"refused connect from",
    "too-many-failures": r"Too many authentication failures|maximum authentication attempts exceeded",
    "no-common-algorithm": r"Unable to negotiate with",
    "failed-password": r"Failed password for",
    "failed-publickey": r"Failed publickey for",
    "pam-account": r"Access denied for user .* by PAM account configuration",
    "fork-failed": r"error: fork:|Cannot allocate memory",
    "bad-config": r"Bad configuration option|terminating, \d+ bad configuration",
}


def account(machine: Machine, asked: Asked) -> dict[str, Any]:
    """The asked account, as the machine's name service knows it, and what shadow says of it where that may be read."""
    nologin = {"nologin": machine.exists("/etc/nologin") or machine.exists("/run/nologin")}
    if not asked.user:
        return {**nologin, "account": Unavailable("no user was asked for (--user NAME)")}
    words = _entry(machine, "passwd", asked.user)
    if words is None:
        return {**nologin, "account": Account(name=asked.user, exists=False)}
    shell = words[6] or "/bin/sh"
    shells: tuple[str, ...] = ()
    with suppress(Unavailable):
        shells = tuple(line.strip() for line in machine.read("/etc/shells").splitlines() if line.startswith("/"))
    password, expired, aged = _shadow(machine, asked.user)
    return {
        **nologin,
        "account": Account(
            name=asked.user, exists=True, uid=int(words[2]), gid=int(words[3]), home=words[5], shell=shell,
            groups=_groups(machine, asked.user), shell_kind=machine.look(shell).kind, shell_runs=machine.runs(shell),
            shell_listed=shell in shells if shells else None, password=password, expired=expired, password_expired=aged,
            failures=_failures(machine, asked.user),
        ),
    }  # fmt: skip


def _entry(machine: Machine, database: str, name: str) -> list[str] | None:
    """The fields of a line of passwd: of the file, else of the name service (LDAP, sssd). None where nobody knows
    it."""
    with suppress(Unavailable):
        for line in machine.read(f"/etc/{database}").splitlines():
            if line.split(":")[0] == name and line.count(":") >= 6:
                return line.split(":")
    if machine.root or not machine.has("getent") or name.startswith("-"):
        return None
    said = machine.run("getent", database, name)
    words = said.out.strip().split(":")
    return words if said.status == 0 and len(words) >= 7 and words[2].isdecimal() and words[3].isdecimal() else None


def _groups(machine: Machine, name: str) -> tuple[str, ...]:
    if machine.root:
        lines = machine.read("/etc/group").splitlines()
        return tuple(line.split(":")[0] for line in lines if name in line.rpartition(":")[2].split(","))
    with suppress(Unavailable):
        if not name.startswith("-"):
            return tuple(machine.run("id", "-Gn", name).good().out.split())
    return ()


def _shadow(machine: Machine, name: str) -> tuple[str, bool | None, bool | None]:
    """(state of the password, account expired, password expired), never the hash."""
    try:
        lines = machine.read("/etc/shadow").splitlines()
    except Unavailable:
        return "unknown", None, None
    words = next((line.split(":") for line in lines if line.split(":")[0] == name), None)
    if words is None or len(words) < 8:
        return "unknown", None, None
    today = machine.now() // DAY_S
    changed, longest, expires = (int(words[at]) if words[at].lstrip("-").isdecimal() else None for at in (2, 4, 7))
    state = (
        "none"
        if not words[1]
        else "locked"
        if words[1].startswith("!")
        else "unusable"
        if words[1].startswith("*")
        else "set"
    )
    aged = changed == 0 or (changed is not None and longest is not None and longest >= 0 and changed + longest < today)
    return state, expires is not None and expires >= 0 and expires <= today, aged


def _failures(machine: Machine, name: str) -> int | None:
    """How many failures pam_faillock holds against the account."""
    if not machine.exists("/run/faillock") or name.startswith("-"):
        return None
    with suppress(Unavailable):
        return sum(1 for line in machine.run("faillock", "--user", name).good().lines if line.rstrip().endswith(" V"))
    return None


def keys(machine: Machine, known: Mapping[str, Any]) -> dict[str, Any]:
    """The files of authorized keys and the folders above them."""
    whose: Account | None = known.get("account")
    if whose is None or not whose.exists:
        raise Unavailable("no account that exists was asked for")
    config: Mapping[str, tuple[str, ...]] = known.get("config_for_user") or known.get("config") or {}
    patterns = " ".join(config.get("authorizedkeysfile", (".ssh/authorized_keys .ssh/authorized_keys2",))).split()
    files: list[KeyFile] = []
    folders: dict[str, FileFact] = {}
    for pattern in patterns:
        if pattern == "none":
            continue
        path = pattern
        for token, word in (("%h", whose.home), ("%u", whose.name), ("%U", str(whose.uid)), ("%%", "%")):
            path = path.replace(token, word)
        path = path if path.startswith("/") else f"{whose.home.rstrip('/')}/{path}"
        for folder in _above(path, whose.home):
            folders.setdefault(folder, machine.look(folder))
        files.append(_key_file(machine, path))
    folders.setdefault(whose.home, machine.look(whose.home))
    return {"authorized_keys": tuple(files), "path_to_keys": tuple(folders.values())}


def _above(path: str, home: str) -> list[str]:
    """The folders that StrictModes looks at: from the file's up to the home, or to the root (safe_path in misc.c)."""
    found = []
    folder = path.rpartition("/")[0]
    while folder:
        found.append(folder)
        if folder == home.rstrip("/"):
            return found
        folder = folder.rpartition("/")[0]
    return [*found, "/"]


def _key_file(machine: Machine, path: str) -> KeyFile:
    look = machine.look(path)
    if look.kind != "file":
        return KeyFile(file=look)
    try:
        lines = [line.strip() for line in machine.read(path).splitlines()]
    except Unavailable:
        return KeyFile(file=look)
    held = [line for line in lines if line and not line.startswith("#") and KEY_TYPES.search(line)]
    return KeyFile(file=look, keys=len(held), bound=sum(1 for line in held if re.match(r"[^ ]*\bfrom=", line)))


# --------------------------------------------------------------------------- SELinux, the log


def selinux(machine: Machine) -> dict[str, Any]:
    """SELinux's mode, and the ports it lets sshd bind."""
    try:
        enforcing = machine.read("/sys/fs/selinux/enforce").strip() == "1"
    except Unavailable:
        return {"selinux": Selinux(mode="disabled", ssh_ports=())}
    ports: tuple[str, ...] | None = None
    with suppress(Unavailable):
        for line in machine.run("semanage", "port", "-l", "-n", seconds=3).good().lines:
            words = line.split(None, 2)
            if words[:2] == ["ssh_port_t", "tcp"] and len(words) == 3:
                ports = tuple(one.strip() for one in words[2].split(","))
    return {"selinux": Selinux(mode="enforcing" if enforcing else "permissive", ssh_ports=ports)}


def log(machine: Machine, asked: Asked) -> dict[str, Any]:
    """How often known messages stand among sshd's newest lines. Lines hold other people's names and addresses, at
    times a password typed as a name: they are counted and forgotten."""
    lines: list[str] = []
    why = "no log of sshd was found"
    if machine.exists("/run/systemd/system") and machine.has("journalctl"):
        try:
            idents = [word for name in ("sshd", "sshd-session", "sshd-auth") for word in ("-t", name)]
            said = machine.run(
                "journalctl", *idents, "-n", str(LOG_LINES), "-o", "cat", "--no-pager", "-q", "--since", "-1d"
            ).good()
            lines = said.out.splitlines()
            why = "the journal has no line of sshd for this user" if not lines and not machine.is_root else ""
        except Unavailable as error:
            why = str(error)
    if not lines:
        for path in ("/var/log/auth.log", "/var/log/secure", "/var/log/messages"):
            if machine.exists(path):
                try:
                    lines = [line for line in machine.tail(path, LOG_BYTES).splitlines() if "sshd" in line][-LOG_LINES:]
                    why = ""
                    break
                except Unavailable as error:
                    why = str(error)
    if why:
        raise Unavailable(why)
    return {"log": counted(lines, asked)}


def counted(lines: list[str], asked: Asked) -> tuple[LogCount, ...]:
    """The known messages among lines."""
    source, user = _whole(asked.source), _whole(asked.user)
    found = []
    for what, pattern in LOGGED.items():
        hits = [line for line in lines if re.search(pattern, line)]
        if hits:
            about_source = sum(1 for line in hits if source and source.search(line))
            about_user = sum(1 for line in hits if user and user.search(line))
            found.append(LogCount(what=what, count=len(hits), about_source=about_source, about_user=about_user))
    return tuple(found)


def _whole(word: str | None) -> re.Pattern[str] | None:
    """A pattern for a word that isn't part of a longer one: an address, an account."""
    return re.compile(rf"(?<![\w.:]){re.escape(word)}(?![\w:])") if word else None
