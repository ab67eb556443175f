"""sshd's configuration: what `sshd -T` prints, and, where sshd refuses to, what its file says."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from fnmatch import fnmatch

from netprobe.doctor.collect.machine import Machine, Unavailable

# What is kept. Keywords that can hold a secret (SetEnv, ForceCommand, Banner) are not among them.
KEPT = frozenset(
    {
        *("port", "listenaddress", "addressfamily", "hostkey", "hostkeyagent", "usepam", "usedns", "strictmodes"),
        *("logingracetime", "maxauthtries", "maxsessions", "maxstartups", "persourcemaxstartups", "persourcepenalties"),
        *("persourcepenaltyexemptlist", "persourcenetblocksize", "permitrootlogin", "pubkeyauthentication"),
        *("passwordauthentication", "kbdinteractiveauthentication", "gssapiauthentication", "permitemptypasswords"),
        *(
            "authenticationmethods",
            "authorizedkeysfile",
            "authorizedprincipalsfile",
            "trustedusercakeys",
            "chrootdirectory",
        ),
        *("allowusers", "denyusers", "allowgroups", "denygroups", "hostbasedauthentication"),
        "loglevel",
    }
)
# Of these, whether they are set is kept, their value not: it is a command with its arguments.
COMMANDS = frozenset({"authorizedkeyscommand", "authorizedprincipalscommand"})
MANY = frozenset({"port", "listenaddress", "hostkey", "allowusers", "denyusers", "allowgroups", "denygroups"})
DEFAULTS = {
    "port": ("22",),
    "addressfamily": ("any",),
    "permitrootlogin": ("prohibit-password",),
    "pubkeyauthentication": ("yes",),
    "passwordauthentication": ("yes",),
    "strictmodes": ("yes",),
    "authorizedkeysfile": (".ssh/authorized_keys .ssh/authorized_keys2",),
}
DEEPEST = 16  # sshd's own limit of nested Includes (SERVCONF_MAX_DEPTH in servconf.c)


def effective(text: str, own: str = "") -> Mapping[str, tuple[str, ...]]:
    """The output of `sshd -T` by keyword; a keyword that comes several times has several values. `own` is a host key
    that was given to it only for this."""
    found: dict[str, tuple[str, ...]] = {"from": ("sshd -T",)}
    for line in text.splitlines():
        keyword, _, value = line.strip().partition(" ")
        keyword = keyword.lower()
        if keyword in KEPT and value != own:
            found[keyword] = (*found.get(keyword, ()), value)
        elif keyword in COMMANDS:
            found[keyword] = ("none" if value == "none" else "set",)
    return found


def written(machine: Machine, path: str) -> Mapping[str, tuple[str, ...]]:
    """What the file itself says outside of Match blocks, the first value of a keyword, as sshd counts; with sshd's
    defaults for what is not there. Raises Unavailable."""
    found: dict[str, tuple[str, ...]] = {"from": (path,)}
    _read(machine, path, found, 0)
    for keyword, values in DEFAULTS.items():
        found.setdefault(keyword, values)
    return found


def _read(machine: Machine, path: str, into: dict[str, tuple[str, ...]], depth: int) -> bool:
    """Whether reading may go on after this file: a Match at its end holds until the file that included it ends, too."""
    if depth > DEEPEST:
        raise Unavailable(f"{path}: included too deeply")
    for line in machine.read(path).splitlines():
        try:
            words = shlex.split(line.replace("=", " ", 1), comments=True)
        except ValueError:
            continue
        if not words:
            continue
        keyword, values = words[0].lower(), words[1:]
        if keyword == "match":
            return False
        if keyword == "include":
            for one in values:
                for name in _matching(machine, one):
                    _read(machine, name, into, depth + 1)
        elif keyword in KEPT and values:
            if keyword in MANY:
                added = (*values,) if keyword.startswith(("allow", "deny")) else (values[0],)
                into[keyword] = (*into.get(keyword, ()), *added)
            else:
                into.setdefault(keyword, (" ".join(values),))
    return True


def _matching(machine: Machine, pattern: str) -> list[str]:
    pattern = pattern if pattern.startswith("/") else f"/etc/ssh/{pattern}"
    folder, _, name = pattern.rpartition("/")
    try:
        return [f"{folder}/{one}" for one in machine.names(folder) if fnmatch(one, name)]
    except Unavailable:
        return []
