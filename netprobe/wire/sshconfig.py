"""What the user's ssh configuration says about a host, asked of ssh itself (`ssh -G HOST`).

House rules of this file:
1. A scan never fails for it: no ssh, a broken configuration or a slow one mean that the name stands for itself.
2. ssh runs as the user who called sudo, with that user's configuration, never as root for somebody else: `Match exec`
   lines run commands.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

_TIME_LIMIT_S = 2.0
_AT_ONCE = 4
_SSH_PORT = 22


@dataclass(frozen=True, slots=True)
class Alias:
    """A host as ssh would reach it. `changed`: another name or port than what was typed. `proxy` is the jump host or
    command that ssh would go through."""

    host: str
    port: int
    user: str | None
    changed: bool
    proxy: str | None


def resolve(hosts: Iterable[tuple[str, str | None]]) -> dict[tuple[str, str | None], Alias]:
    """What ssh makes of each (host, user); those it reaches just as typed are left out."""
    ssh = shutil.which("ssh")
    wanted = list(dict.fromkeys(hosts))
    if ssh is None or not wanted:
        return {}
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = pool.map(lambda pair: _ask(ssh, *pair), wanted)
        found = {pair: parse(pair[0], text) for pair, text in zip(wanted, answers, strict=True)}
    return {pair: alias for pair, alias in found.items() if alias is not None}


def _ask(ssh: str, host: str, login: str | None) -> str:
    user, group, groups = _caller()
    try:
        done = subprocess.run(  # a fixed command; the host name has been through netprobe.targets
            [ssh, "-G", *(["-l", login] if login else []), "--", host],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIME_LIMIT_S,
            check=False,
            user=user,
            group=group,
            extra_groups=groups,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else ""


def _caller() -> tuple[int | None, int | None, list[int] | None]:
    """User, group and further groups of whoever called sudo; None where that is nobody else."""
    user, group = os.environ.get("SUDO_UID", ""), os.environ.get("SUDO_GID", "")
    if os.geteuid() != 0 or not user.isdigit() or not group.isdigit():
        return None, None, None
    return int(user), int(group), []


def parse(host: str, text: str) -> Alias | None:
    """The Alias in the output of `ssh -G`; None where ssh would do with `host` just as it is."""
    said: dict[str, str] = {}
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        said.setdefault(key.lower(), value.strip())
    port = said.get("port", str(_SSH_PORT))
    name = said.get("hostname", host)
    if not name or not port.isdigit() or not 1 <= int(port) <= 65535:
        return None
    changed = name.lower() != host.lower() or int(port) != _SSH_PORT
    proxy = next((said[key] for key in ("proxyjump", "proxycommand") if said.get(key, "none") != "none"), None)
    if not changed and proxy is None:
        return None
    return Alias(name, int(port), said.get("user"), changed, proxy)
