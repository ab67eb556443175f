"""netprobe as a whole process, typed as a user would: here, or on a client of the lab.

House rules of this file:
1. Nothing of netprobe is imported: what a test of this kind sees is what a user sees.
2. Bytes stay bytes where a test asks what reaches a terminal.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tests.lab.topology import Lab

ROOT = Path(__file__).parent.parent
NETPROBE = (sys.executable, "-m", "netprobe")
NOBODY = 65534
LONGEST_S = 60
# What moves a cursor, starts an escape sequence or turns the direction of writing; a newline alone may stay.
HARMFUL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")

One = TypeVar("One")
Other = TypeVar("Other")


@dataclass(frozen=True, slots=True)
class Done:
    """What one run left behind. `code` is negative where a signal ended it."""

    code: int
    stdout: bytes
    stderr: bytes
    seconds: float

    @property
    def out(self) -> str:
        """Standard output; UnicodeDecodeError where it isn't UTF-8."""
        return self.stdout.decode()

    @property
    def err(self) -> str:
        """Standard error, likewise."""
        return self.stderr.decode()

    @property
    def document(self) -> dict[str, Any]:
        """What --json printed."""
        found: dict[str, Any] = json.loads(self.stdout)
        return found

    @property
    def verdict(self) -> dict[str, Any]:
        """The only verdict that --json printed."""
        (found,) = self.document["verdicts"]
        return dict(found)

    def clean(self) -> bool:
        """No traceback, no confession of an internal error."""
        return "Traceback" not in self.err and "internal error" not in self.err


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without what would change netprobe's output or owner, and with `more`."""
    unwanted = {"NO_COLOR", "SUDO_UID", "SUDO_GID", "NETPROBE_DEBUG", "NETPROBE_FAKE"}
    kept = {key: value for key, value in os.environ.items() if key not in unwanted}
    return {**kept, "TERM": "xterm", "PYTHONDONTWRITEBYTECODE": "1", **(more or {})}


def command(*arguments: str, lab: Lab | None = None, client: str = "", before: Sequence[str] = ()) -> list[str]:
    """The whole command line; `before` is what starts it (setpriv, unshare), on a lab's client where there is one."""
    argv = [*before, *NETPROBE, *arguments]
    return lab.command(client, argv) if lab is not None else argv


def run(
    *arguments: str,
    lab: Lab | None = None,
    client: str = "c0",
    before: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
) -> Done:
    """Run it to its end."""
    argv = command(*arguments, lab=lab, client=client, before=before)
    started = time.monotonic()
    done = subprocess.run(
        argv, cwd=ROOT, env=environment(env), stdin=subprocess.DEVNULL, capture_output=True, timeout=LONGEST_S,
        check=False,
    )  # fmt: skip
    return Done(done.returncode, done.stdout, done.stderr, time.monotonic() - started)


def start(
    *arguments: str, lab: Lab | None = None, client: str = "c0", before: Sequence[str] = ()
) -> subprocess.Popen[bytes]:
    """Start it. In the lab the process is netprobe itself (`ip netns exec` becomes what it starts), so that signals
    and /proc find it."""
    return subprocess.Popen(
        command(*arguments, lab=lab, client=client, before=before),
        cwd=ROOT, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def finish(process: subprocess.Popen[bytes], since: float | None = None) -> Done:
    """Wait for its end; `seconds` are from `since` (time.monotonic) or from now."""
    since = time.monotonic() if since is None else since
    out, err = process.communicate(timeout=LONGEST_S)
    return Done(process.returncode, out, err, time.monotonic() - since)


def unprivileged(uid: int = NOBODY) -> list[str]:
    """What starts a program as a user without any privilege and without a way to it."""
    return [
        *("setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"),
        *("--inh-caps=-all", "--bounding-set=-all", "--no-new-privs"),
    ]


def why_not_unprivileged() -> str:
    """Why nothing can be run as nobody here; empty where it can."""
    if os.geteuid() != 0:
        return "needs root, to become somebody else"
    if shutil.which("setpriv") is None:
        return "needs setpriv (Debian package util-linux)"
    argv = [*unprivileged(), sys.executable, "-c", "import netprobe, numpy"]
    done = subprocess.run(argv, cwd=ROOT, env=environment(), capture_output=True, check=False)
    return "" if done.returncode == 0 else "this checkout or its Python can't be read by nobody"


def at_once(work: Callable[[One], Other], items: Iterable[One], workers: int = 4) -> list[Other]:
    """`work` on every item, some at the same time; results in order."""
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(work, items))
