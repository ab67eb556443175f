"""The machine that facts are taken from: the one place that runs commands, reads files and looks at the clock.

House rules of this file:
1. Nothing is ever changed. What is written is a throw-away key in a private temporary folder (`sshd -T` wants one).
2. A command that is missing, forbidden or hangs raises Unavailable with the reason; so does a file. Nothing else is
   raised.
3. Commands are found in the system's own folders only, get a clean environment and their own session, and are killed
   with their children when their time is over.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import stat
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netprobe.doctor.facts import FileFact

PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin", "/run/current-system/sw/bin")
LARGEST_FILE = 4 << 20
PIECE = 64 << 10
COMMAND_S = 1.5  # no command that is asked here needs a tenth of it on a healthy machine
_LOOK_EVERY_S = 0.05  # how soon an interrupt is minded
ROOT_S, USER_S = 4.0, 2.2  # for everything together; the report comes on top


class Unavailable(Exception):  # noqa: N818 (says what it is)
    """Something can't be known, and why."""


@dataclass(frozen=True, slots=True)
class Output:
    """What a command gave."""

    command: str
    status: int
    out: str
    err: str

    @property
    def lines(self) -> tuple[str, ...]:
        """Its output, line by line, without empty ones."""
        return tuple(line for line in self.out.splitlines() if line.strip())

    def good(self) -> Output:
        """Itself where it succeeded; raises Unavailable with its own words where not."""
        if self.status:
            words = (self.err or self.out).strip().splitlines()
            raise Unavailable(f"`{self.command}` failed: {words[0][:200] if words else f'status {self.status}'}")
        return self


class Machine:
    """A machine below a root folder, `/` for this one; tests have roots and folders of commands of their own."""

    def __init__(self, root: str = "/", path: tuple[str, ...] = PATH, budget_s: float | None = None) -> None:
        self.root = root.rstrip("/")
        self.path = os.pathsep.join(path)
        self.is_root = os.geteuid() == 0
        self.began = time.monotonic()
        self.running: set[subprocess.Popen[bytes]] = set()
        self.deadline = self.began + (budget_s or (ROOT_S if self.is_root else USER_S))
        self.stopped = False

    def now(self) -> int:
        """Seconds since the epoch."""
        return int(time.time())

    def elapsed(self) -> float:
        """Seconds since the machine was made."""
        return time.monotonic() - self.began

    def left(self) -> float:
        """Seconds until facts must be complete."""
        return self.deadline - time.monotonic()

    def stop(self) -> None:
        """Wait for nothing any more: what isn't known by now stays unknown. May be called from a signal handler."""
        self.stopped = True
        self.deadline = time.monotonic()

    # ----------------------------------------------------------------------- files

    def at(self, path: str) -> Path:
        """Where a path of the machine is."""
        return Path(self.root + path)

    def read(self, path: str) -> str:
        """The text of a file, up to 4 MiB. Raises Unavailable."""
        try:
            with self.at(path).open("rb", buffering=0) as file:
                found = bytearray()
                # In pieces: /proc/sys refuses to be read with a buffer of megabytes.
                while len(found) < LARGEST_FILE and (piece := file.read(PIECE)):
                    found += piece
                return found.decode("utf-8", "backslashreplace")
        except OSError as error:
            raise Unavailable(f"{path}: {error.strerror}") from None

    def holds(self, path: str, octets: bytes) -> bool:
        """Whether a file has these bytes in it. Raises Unavailable."""
        try:
            with self.at(path).open("rb") as file:
                return octets in file.read(64 << 20)
        except OSError as error:
            raise Unavailable(f"{path}: {error.strerror}") from None

    def link(self, path: str) -> str:
        """Where a symbolic link points. Raises Unavailable."""
        try:
            return str(self.at(path).readlink())
        except OSError as error:
            raise Unavailable(f"{path}: {error.strerror}") from None

    def names(self, path: str) -> list[str]:
        """What is in a folder, sorted. Raises Unavailable."""
        try:
            return sorted(one.name for one in self.at(path).iterdir())
        except OSError as error:
            raise Unavailable(f"{path}: {error.strerror}") from None

    def exists(self, path: str) -> bool:
        """Whether something is there that can be seen."""
        return self.look(path).exists

    def changed(self, path: str) -> int:
        """When a file was put where it is, in seconds since the epoch; 0 where it isn't."""
        with suppress(OSError):
            return int(self.at(path).stat().st_ctime)
        return 0

    def runs(self, path: str) -> bool:
        """Whether a file may be executed by somebody."""
        found = self.look(path)
        return found.kind == "file" and bool(found.mode & 0o111)

    def look(self, path: str) -> FileFact:
        """What is at a path, links followed."""
        try:
            found = self.at(path).stat()
        except PermissionError:
            return FileFact(path=path, kind="hidden")
        except (OSError, ValueError):
            return FileFact(path=path)
        kinds = ((stat.S_ISREG, "file"), (stat.S_ISDIR, "folder"), (stat.S_ISSOCK, "socket"))
        kind = next((name for test, name in kinds if test(found.st_mode)), "other")
        return FileFact(
            path=path,
            kind=kind,
            mode=stat.S_IMODE(found.st_mode),
            uid=found.st_uid,
            gid=found.st_gid,
            size=found.st_size,
        )

    def tail(self, path: str, size: int) -> str:
        """The last bytes of a file as text. Raises Unavailable."""
        try:
            with self.at(path).open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - size))
                return file.read(size).decode("utf-8", "backslashreplace")
        except OSError as error:
            raise Unavailable(f"{path}: {error.strerror}") from None

    # ----------------------------------------------------------------------- commands

    def has(self, command: str) -> bool:
        """Whether there is such a command."""
        return shutil.which(command, path=self.path) is not None

    def run(self, *argv: str, seconds: float = COMMAND_S) -> Output:
        """Run a command without input. Raises Unavailable where it is missing, forbidden, or takes too long."""
        program = shutil.which(argv[0], path=self.path)
        if program is None:
            raise Unavailable(f"there is no command {argv[0]} here")
        said = shlex.join(argv)
        seconds = min(seconds, self.left())
        if seconds <= 0:
            raise Unavailable("interrupted" if self.stopped else f"`{said}` was not run: no time was left")
        environment = {"PATH": self.path, "LC_ALL": "C", "LANG": "C"}
        try:
            process = subprocess.Popen(
                [program, *argv[1:]], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                env=environment, start_new_session=True, cwd="/",
            )  # fmt: skip
        except OSError as error:
            raise Unavailable(f"`{said}` can't be run: {error.strerror}") from None
        self.running.add(process)
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            _end(process)
            raise Unavailable(f"`{said}` did not end within {seconds:.1f} s") from None
        finally:
            self.running.discard(process)
        return Output(said, process.returncode, _text(out), _text(err))

    def abandon(self) -> None:
        """Kill what still runs: nobody waits for it any more."""
        for process in list(self.running):
            with suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)

    @contextmanager
    def throwaway_key(self) -> Iterator[str]:
        """The path of a host key that is good for nothing, for as long as it is needed. Raises Unavailable."""
        try:
            # In memory where that is possible: a full disk is one of the things that doctor is asked about.
            memory = next((one for one in ("/run", "/dev/shm") if os.access(one, os.W_OK)), None)  # noqa: S108 (private)
            folder = tempfile.TemporaryDirectory(prefix="netprobe-", dir=memory)
        except OSError as error:
            raise Unavailable(f"no temporary folder can be made: {error.strerror}") from None
        with folder as name:
            key = f"{name}/key"
            self.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", key).good()
            yield key


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "backslashreplace")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill a command and its children. One that can't die (it waits for a dead disk) is left behind."""
    with suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
    for pipe in (process.stdout, process.stderr):
        if pipe:
            pipe.close()
    with suppress(subprocess.TimeoutExpired):
        process.wait(0.2)


Part = Callable[[], Mapping[str, Any]]


def together(machine: Machine, parts: Mapping[str, Part]) -> tuple[dict[str, Any], dict[str, str]]:
    """Run parts side by side until the machine's time is over. Each gives values by field name; the key of `parts`
    names the fields that it owes, separated by spaces. Returns values, and for every field that is owed and not
    there the reason.

    A value that is Unavailable (an exception as a value) is a reason, too.
    """
    made: dict[str, Mapping[str, Any] | str] = {}

    def one(name: str, part: Part) -> None:
        try:
            made[name] = part()
        except Unavailable as error:
            made[name] = str(error)
        except Exception as error:  # noqa: BLE001 (one odd file must not take the whole report along)
            made[name] = f"internal error, please report it: {type(error).__name__}: {error}"

    threads = [threading.Thread(target=one, args=item, daemon=True) for item in parts.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive() and (left := machine.left()) > 0:
            thread.join(min(left, _LOOK_EVERY_S))
    late = "interrupted" if machine.stopped else f"it took longer than {machine.elapsed():.1f} s"
    values: dict[str, Any] = {}
    gaps: dict[str, str] = {}
    for names in parts:
        found = made.get(names, late)
        for name in names.split():
            value = found if isinstance(found, str) else found.get(name, Unavailable("it was not found"))
            if isinstance(value, Unavailable):
                gaps[name] = str(value)
            elif isinstance(found, str):
                gaps[name] = found
            else:
                values[name] = value
    return values, gaps
