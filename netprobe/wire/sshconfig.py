"""What the user's ssh configuration says about a host, asked of ssh itself (`ssh -G HOST`).

House rules of this file:
1. A scan never fails for it: no ssh, a broken configuration or a slow one mean that the name stands for itself.
2. ssh runs as the user who called sudo, with that user's configuration, never as root for somebody else: `Match exec`
   lines run commands.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

_TIME_LIMIT_S = 2.0
_LEAST_S = 0.1
_AT_ONCE = 8
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
    found = {pair: parse(pair[0], text) for pair, text in texts(hosts).items()}
    return {pair: alias for pair, alias in found.items() if alias is not None}


def texts(hosts: Iterable[tuple[str, str | None]]) -> dict[tuple[str, str | None], str]:
    """What `ssh -G` prints for each (host, user); empty where it fails, nothing where there is no ssh."""
    ssh = shutil.which("ssh")
    wanted = list(dict.fromkeys(hosts))
    found: dict[tuple[str, str | None], str] = {}
    for start in range(0, len(wanted) if ssh else 0, _AT_ONCE):
        some = wanted[start : start + _AT_ONCE]
        found.update(zip(some, _answers([_question(ssh or "", *pair) for pair in some]), strict=True))
    return found


def start(arguments: Iterable[list[str]]) -> Running:
    """ssh with each list of arguments, side by side; nothing runs where there is no ssh."""
    ssh = shutil.which("ssh")
    return Running([[ssh, *one] for one in arguments] if ssh else [])


def _question(ssh: str, host: str, login: str | None) -> list[str]:
    # The host name has been through netprobe.targets; `--` all the same.
    return [ssh, "-G", *(["-l", login] if login else []), "--", host]


class Running:
    """Commands that run side by side. Their answers are waited for, or they are ended."""

    def __init__(self, commands: list[list[str]]) -> None:
        user, group, groups = _caller()
        self._count = len(commands)
        self._running: list[subprocess.Popen[bytes]] = []
        try:
            for command in commands:
                self._running.append(  # one at a time: should one fail to start, the others must be ended
                    subprocess.Popen(
                        command,
                        stdin=subprocess.DEVNULL,
                        stdout=subprocess.PIPE,
                        stderr=subprocess.DEVNULL,
                        start_new_session=True,  # what ssh starts (`Match exec`) must be stoppable, too
                        user=user,
                        group=group,
                        extra_groups=groups,
                    )
                )
        except (OSError, subprocess.SubprocessError):
            self.close()
        self._deadline = time.monotonic() + _TIME_LIMIT_S

    def texts(self) -> list[str]:
        """What they print; an empty text for each that fails or takes too long, for all where one did not start."""
        try:
            said = [_answer(process, self._deadline - time.monotonic()) for process in self._running]
            return said or [""] * self._count
        finally:
            self.close()

    def close(self) -> None:
        """End what still runs."""
        for process in self._running:
            _end(process)
        self._running = []


def _answers(commands: list[list[str]]) -> list[str]:
    """What these commands print, run side by side; an empty text for each that fails or takes too long."""
    return Running(commands).texts()


def _answer(process: subprocess.Popen[bytes], seconds: float) -> str:
    try:
        said, _ = process.communicate(timeout=max(seconds, _LEAST_S))  # 0 would not even read what is there
    except subprocess.TimeoutExpired:
        return ""
    return said.decode("utf-8", "replace") if process.returncode == 0 else ""


def _end(process: subprocess.Popen[bytes]) -> None:
    """Take away what is left of a command: all of its session, then our end of the pipe."""
    if process.poll() is None or (process.stdout and not process.stdout.closed):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout:
        process.stdout.close()


def _caller() -> tuple[int | None, int | None, list[int] | None]:
    """User, group and further groups of whoever called sudo; None where that is nobody else."""
    user, group = os.environ.get("SUDO_UID", ""), os.environ.get("SUDO_GID", "")
    if os.geteuid() != 0 or not user.isdigit() or not group.isdigit():
        return None, None, None
    return int(user), int(group), []


def parse(host: str, text: str) -> Alias | None:
    """The Alias in the output of `ssh -G`; None where ssh would do with `host` just as it is."""
    said = {key: values[0] for key, values in settings(text).items()}
    port = said.get("port", str(_SSH_PORT))
    name = said.get("hostname", host)
    if not name or not port.isdigit() or not 1 <= int(port) <= 65535:
        return None
    changed = name.lower() != host.lower() or int(port) != _SSH_PORT
    proxy = next((said[key] for key in ("proxyjump", "proxycommand") if said.get(key, "none") != "none"), None)
    if not changed and proxy is None:
        return None
    return Alias(name, int(port), said.get("user"), changed, proxy)


def settings(text: str) -> dict[str, list[str]]:
    """The values of each keyword in the output of `ssh -G`, in order."""
    said: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        said.setdefault(key.lower(), []).append(value.strip())
    return said
