"""The servers of the matrix: how each is started for a cipher and a mode, and what it can't do.

Modes: `plain`; `pam` (OpenSSH asks PAM, keyboard-interactive too); `keyonly`; `few` (three tries); `two` (a key, then a
password); `banner`, `longbanner`; `grace` (three seconds for a login). OpenSSH needs one server for most of them: the
user decides.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from tests.ssh_matrix.plans import Cipher, Plan
from tests.ssh_matrix.world import SERVER, WORK

MATCHES = """\
Match User npkeyonly
  PasswordAuthentication no
  KbdInteractiveAuthentication no
Match User nptwo
  AuthenticationMethods publickey,password
Match User nptwokbd
  AuthenticationMethods publickey,keyboard-interactive
Match User npbanner
  Banner {etc}/banner
Match User nplongbanner
  Banner {etc}/longbanner
Match User npfew
  MaxAuthTries 3
"""


@dataclass(frozen=True)
class Server:
    """`name` as in the table; `start` gives the command line."""

    name: str
    version: str
    modes: tuple[str, ...]

    def command(self, port: int, cipher: Cipher, mode: str) -> list[str]:
        """What to run. Raises LookupError with the reason where this server can't."""
        raise NotImplementedError

    def lacks(self, plan: Plan) -> str | None:
        """Why it can't be asked this; None where it can."""
        return None if plan.mode in self.modes else f"no mode {plan.mode}"

    def kind_of(self, mode: str) -> str:
        """Modes that one server serves alike have one name."""
        return mode


@dataclass(frozen=True)
class OpenSSH(Server):
    """sshd, of this machine or out of a folder."""

    root: Path | None = None
    modes: tuple[str, ...] = field(default=("plain", "pam", "keyonly", "few", "two", "banner", "longbanner", "grace"))

    def kind_of(self, mode: str) -> str:
        return mode if mode in {"pam", "grace"} else "plain"

    def command(self, port: int, cipher: Cipher, mode: str) -> list[str]:
        pam = mode == "pam"
        lines = [
            *(f"Port {port}", f"ListenAddress {SERVER}", f"HostKey {WORK}/keys/host", "PidFile none", "LogLevel QUIET"),
            *(
                "UseDNS no",
                "MaxStartups 100",
                "StrictModes no",
                "KexAlgorithms curve25519-sha256,curve25519-sha256@libssh.org",
            ),
            *(f"UsePAM {'yes' if pam else 'no'}", f"KbdInteractiveAuthentication {'yes' if pam else 'no'}"),
            *(f"Ciphers {cipher.cipher}", f"LoginGraceTime {3 if mode == 'grace' else 60}", "PrintLastLog no"),
        ]
        if cipher.mac:
            lines.append(f"MACs {cipher.mac}")
        if int(self.version.split(".")[0]) >= 10:
            lines.append("PerSourcePenalties no")
        config = WORK / f"sshd-{port}.conf"
        config.write_text("\n".join(lines) + "\n" + MATCHES.format(etc=WORK / "etc"))
        return [*chroot(self.root), "/usr/sbin/sshd", "-D", "-f", str(config)]


@dataclass(frozen=True)
class Dropbear(Server):
    """dropbear. It takes what the client wants of ciphers."""

    root: Path | None = None
    modes: tuple[str, ...] = field(default=("plain", "keyonly", "few", "two", "banner", "longbanner"))

    def command(self, port: int, cipher: Cipher, mode: str) -> list[str]:
        if cipher.name not in {"chacha", "ctr-mac"}:
            raise LookupError("dropbear is built without it")
        more = {
            "keyonly": ["-s"],
            "few": ["-T", "3"],
            "two": ["-t"],
            "banner": ["-b", str(WORK / "etc/banner")],
            "longbanner": ["-b", str(WORK / "etc/longbanner")],
        }
        where = [*chroot(self.root), "/usr/sbin/dropbear", "-F", "-p", f"{SERVER}:{port}"]
        return [*where, "-r", str(WORK / "keys/host.dropbear"), *more.get(mode, [])]


@dataclass(frozen=True)
class AsyncSSH(Server):
    """asyncssh_server.py."""

    modes: tuple[str, ...] = field(default=("plain", "keyonly", "pam", "banner", "longbanner"))

    def lacks(self, plan: Plan) -> str | None:
        if plan.user in {"nptwokbd", "npexpired"} or plan.outcome == "too-many":
            return "asyncssh's server knows no second factor, no limit of tries, no expired accounts"
        return super().lacks(plan)

    def kind_of(self, mode: str) -> str:
        return "plain"

    def command(self, port: int, cipher: Cipher, mode: str) -> list[str]:
        return [sys.executable, "-m", "tests.ssh_matrix.asyncssh_server", str(port), cipher.cipher, cipher.mac or ""]


def chroot(root: Path | None) -> list[str]:
    """What runs a program of another system's folder."""
    return ["chroot", str(root)] if root else []


@cache
def version(*command: str | Path) -> str | None:
    """A program's version as it tells it; None where there is no such program."""
    try:
        done = subprocess.run([str(one) for one in command], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    found = re.search(r"(?:OpenSSH_|Dropbear v|Release )([\d.]+)", done.stdout + done.stderr)
    return found[1] if found else None


def servers(roots: list[Path]) -> Iterator[Server]:
    """Every server that is here. What isn't is told on stderr."""
    for root in [None, *roots]:
        there = chroot(root)
        found = version(*there, "ssh", "-V") if Path(root or "/", "usr/sbin/sshd").exists() else None
        if found:
            yield OpenSSH(f"OpenSSH {found}", found, root=root)
        found = version(*there, "dropbear", "-V")
        if found:
            yield Dropbear(f"dropbear {found}", found, root=root)
    try:
        import asyncssh
    except ImportError:
        print("no asyncssh server: the package is not installed", file=sys.stderr)
    else:
        yield AsyncSSH(f"asyncssh {asyncssh.__version__}", asyncssh.__version__)
