"""A machine of its own for the recording: its mounts, processes, network and accounts vanish with it.

House rules of this file:
1. `enter` starts this program again in namespaces of its own (mounts, network, processes); all below it ends with it.
2. Accounts are lines of a copy of /etc/passwd and /etc/shadow, mounted over the real ones where only we see it.
3. Servers live in a second network namespace; nothing else is on the wire between.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

from tests.ssh_matrix.plans import GOOD, KEYS, LONG_BANNER, SHORT_BANNER, USERS

WORK = Path("/run/matrix")  # /run is a tmpfs of our own
CLIENT, SERVER = "192.0.2.10", "192.0.2.20"
LINK = "matrix0"

PAM_RULES = """\
auth required pam_unix.so nodelay
account required pam_unix.so
session required pam_permit.so
"""


def enter(arguments: list[str]) -> NoReturn:
    """Become `python -m tests.ssh_matrix inside ...` in namespaces of its own, which end with this process."""
    space = [
        "unshare",
        "--mount",
        "--net",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
        "--propagation",
        "private",
    ]
    os.execvp("unshare", [*space, sys.executable, "-m", "tests.ssh_matrix", "inside", *arguments])


def run(*argv: str | Path, text: str | None = None) -> str:
    """A command that must succeed; what it printed."""
    done = subprocess.run([str(one) for one in argv], input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, argv))}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


class World:
    """Set up once, inside. `roots`: folders with another system's files, whose programs run in chroot."""

    def __init__(self, roots: list[Path]) -> None:
        assert os.getpid() < 100, "only inside namespaces of its own"
        self.roots = roots
        run("mount", "-t", "tmpfs", "-o", "mode=755", "matrix", "/run")
        (WORK / "etc").mkdir(parents=True)
        Path("/run/sshd").mkdir(mode=0o755)
        self._keys()
        self._accounts()
        self._network()

    def _network(self) -> None:
        self._holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"], stdin=subprocess.DEVNULL)
        ours, theirs = Path("/proc/self/ns/net"), Path(f"/proc/{self._holder.pid}/ns/net")
        while theirs.readlink() == ours.readlink():
            time.sleep(0.01)
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", LINK, "type", "veth", "peer", "name", "matrix1", "netns", str(self._holder.pid))
        for side, address, link in (([], CLIENT, LINK), (self.beyond(), SERVER, "matrix1")):
            run(*side, "ip", "address", "add", f"{address}/24", "dev", link)
            run(*side, "ip", "link", "set", link, "up")
            run(*side, "ip", "link", "set", link, "gso_max_segs", "1")

    def beyond(self) -> list[str]:
        """What brings a command into the servers' network."""
        return ["nsenter", f"--net=/proc/{self._holder.pid}/ns/net"]

    def _keys(self) -> None:
        folder = WORK / "keys"
        folder.mkdir()
        for name in (*KEYS, "host"):
            kind = name.rpartition("_")[2] if name.endswith(("_rsa", "_ecdsa")) else "ed25519"
            run("ssh-keygen", "-q", "-t", kind, "-N", "", "-C", name, "-f", folder / name)
            if name != "host":
                run("puttygen", folder / name, "-O", "private", "-o", folder / f"{name}.ppk")
                run("dropbearconvert", "openssh", "dropbear", folder / name, folder / f"{name}.dropbear")
        run("dropbearconvert", "openssh", "dropbear", folder / "host", folder / "host.dropbear")

    def _accounts(self) -> None:
        hashed = run("openssl", "passwd", "-6", GOOD).strip()
        known = "".join((WORK / "keys" / f"{name}.pub").read_text() for name in KEYS if name.startswith("good"))
        for number, user in enumerate(USERS, 60000):
            home = WORK / "home" / user
            (home / ".ssh").mkdir(parents=True, mode=0o700)
            (home / ".ssh" / "authorized_keys").write_text(known)
            for path in (home, home / ".ssh", home / ".ssh" / "authorized_keys"):
                os.chown(path, number, number)
        (WORK / "etc" / "banner").write_text(SHORT_BANNER)
        (WORK / "etc" / "longbanner").write_text(LONG_BANNER)
        for root in [Path("/"), *self.roots]:
            self._account_files(root, hashed)
            if root != Path("/"):
                run("mount", "--rbind", "/run", root / "run")
                run("mount", "--rbind", "/dev", root / "dev")
                run("mount", "-t", "proc", "proc", root / "proc")

    def _account_files(self, root: Path, hashed: str) -> None:
        lines = {"passwd": "", "shadow": "", "group": ""}
        for number, user in enumerate(USERS, 60000):
            lines["passwd"] += f"{user}:x:{number}:{number}::{WORK}/home/{user}:/bin/sh\n"
            lines["shadow"] += f"{user}:{hashed}:20000:0:99999:7::{'1' if user == 'npexpired' else ''}:\n"
            lines["group"] += f"{user}:x:{number}:\n"
        for name, text in lines.items():
            self._over(root / "etc" / name, (root / "etc" / name).read_text() + text)
        for name in ("sshd", "dropbear"):
            if (root / "etc/pam.d" / name).exists():
                self._over(root / "etc/pam.d" / name, PAM_RULES)

    def _over(self, path: Path, text: str) -> None:
        """Another content for a file, for us alone."""
        copy = WORK / "etc" / str(path).strip("/").replace("/", "-")
        copy.write_text(text)
        copy.chmod(0o644)
        run("mount", "--bind", copy, path)
