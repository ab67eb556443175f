"""Network namespaces: make them, step into them, fill them, take them away.

House rules of this file:
1. Every namespace name starts with the run's prefix, which holds the process id of its maker, so that what a dead run
   left behind can be told from what a living one still uses.
2. The machine's own namespace is never configured: links are created with both ends already inside ours.
"""

from __future__ import annotations

import ctypes
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

NETNS = Path("/run/netns")
OVERLAY = Path("/etc/netns")  # `ip netns exec` binds OVERLAY/NAME/* over /etc (ip-netns(8))
NAME = re.compile(r"^(np([0-9a-f]{6})[a-z]?-)[a-z0-9_]+$")  # of a namespace, and of a run's temporary folder
CLONE_NEWNET = 0x40000000

_libc = ctypes.CDLL(None, use_errno=True)


class LabError(Exception):
    """The lab could not be built; the message says which command failed and what it printed."""


def _setns(fd: int) -> None:
    if _libc.setns(fd, CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


@contextmanager
def entered(name: str) -> Iterator[None]:
    """The calling thread is in namespace `name` meanwhile; sockets made there stay there. Raises OSError."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        there = os.open(NETNS / name, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _setns(there)
        finally:
            os.close(there)
        try:
            yield
        finally:
            _setns(home)
    finally:
        os.close(home)


def run(argv: list[str], text: str | None = None) -> None:
    """Run a configuring command; raises LabError with its words where it fails."""
    done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"{' '.join(argv)} failed: {done.stderr.strip() or done.stdout.strip()}\n{text or ''}")


def ip_batch(lines: Iterable[str], name: str | None = None) -> None:
    """Run `ip` commands in one process, in namespace `name` or, for commands that name theirs, outside."""
    text = "".join(f"{line}\n" for line in lines)
    if text:
        run(["ip", *(["-n", name] if name else []), "-batch", "-"], text)


def nft(name: str, ruleset: str) -> None:
    """Load an nftables ruleset in namespace `name`."""
    with entered(name):
        run(["nft", "-f", "-"], ruleset)


def sysctl(name: str, settings: Iterable[tuple[str, str]]) -> None:
    """Write `net.*` settings of namespace `name`: pairs of a path below /proc/sys/net and a value. Raises LabError."""
    with entered(name):
        for path, value in settings:
            try:
                Path("/proc/sys/net", path).write_text(value)
            except OSError as error:
                raise LabError(f"net/{path} = {value}: {error}") from error


def names(prefix: str) -> list[str]:
    """Namespaces whose names start with `prefix`."""
    if not NETNS.is_dir():
        return []
    return sorted(entry.name for entry in NETNS.iterdir() if entry.name.startswith(prefix))


def _inhabitants(spaces: set[int]) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            with suppress(OSError):
                if (entry / "ns/net").stat().st_ino in spaces:
                    found.append(int(entry.name))
    return found


def _end_inhabitants(spaces: set[int]) -> None:
    """Terminate whatever runs inside our own namespaces: first kindly, after half a second for good."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        inhabitants = _inhabitants(spaces)
        for pid in inhabitants:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
                os.kill(pid, signal.SIGCONT)  # a stopped process acts on no other signal
        deadline = time.monotonic() + 0.5
        while inhabitants and time.monotonic() < deadline:
            time.sleep(0.02)
            inhabitants = _inhabitants(spaces)
        if not inhabitants:
            return


def remove(prefix: str) -> int:
    """End the processes inside the namespaces of a run and delete them; returns how many there were."""
    doomed = names(prefix)
    spaces = set()
    for name in doomed:
        with suppress(OSError):
            spaces.add((NETNS / name).stat().st_ino)
    if spaces:
        _end_inhabitants(spaces)
    for name in doomed:
        with suppress(LabError):
            ip_batch([f"netns del {name}"])
        folder = OVERLAY / name
        if folder.is_dir():
            for entry in folder.iterdir():
                entry.unlink()
            folder.rmdir()
    with suppress(OSError):
        OVERLAY.rmdir()  # only where nobody else uses it
    return len(doomed)


def dead_prefixes(folders: Path) -> list[str]:
    """Prefixes of runs whose maker no longer lives: of namespaces, and of folders in `folders`."""
    found = set()
    for name in [*names("np"), *(entry.name for entry in folders.glob("np*-*"))]:
        match = NAME.match(name)
        if match and not Path("/proc", str(int(match[2], 16))).exists():
            found.add(match[1])
    return sorted(found)
