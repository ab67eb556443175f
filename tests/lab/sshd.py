"""The real sshd, with a key and a configuration of its own, in a node of the lab.

Runs with a private /run (ip-netns(8) gives each process its own mounts), so that /run/sshd is neither needed nor
touched
on the machine itself.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from tests.lab import netns

SSHD = shutil.which("sshd", path="/usr/sbin:/sbin:/usr/bin:/usr/local/sbin") or "/usr/sbin/sshd"
PRIVATE_RUN = 'mount -t tmpfs -o mode=755 lab /run && mkdir -m 755 /run/sshd && exec "$@"'
LISTEN = "0A"  # the state in /proc/net/tcp (include/net/tcp_states.h)


@cache
def _understands(option: str) -> bool:
    """Whether this sshd knows a configuration keyword."""
    done = subprocess.run([SSHD, "-T", "-f", "/dev/null", "-o", option], capture_output=True, text=True, check=False)
    return "Bad configuration option" not in done.stderr


@cache
def every(what: str) -> str:
    """All algorithms of a kind that this OpenSSH knows, joined by commas (`ssh -Q`)."""
    done = subprocess.run(["ssh", "-Q", what], capture_output=True, text=True, check=True)
    return ",".join(done.stdout.split())


def listening(name: str, port: int) -> bool:
    """Whether something listens on a TCP port in a namespace."""
    with netns.entered(name):
        lines = [
            line
            for table in ("tcp", "tcp6")
            for line in Path("/proc/thread-self/net", table).read_text().splitlines()[1:]
        ]
    fields = (line.split() for line in lines)
    return any(field[1].endswith(f":{port:04X}") and field[3] == LISTEN for field in fields)


class Sshd:
    """One sshd. Options: `config` (more lines), `stop` (SIGSTOP once it listens), `big_kexinit` (every algorithm
    offered), `log` (a file for what it says)."""

    def __init__(self, name: str, port: int, options: Mapping[str, object], folder: Path) -> None:
        self.name, self.port, self.options, self.folder = name, port, options, folder
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> subprocess.Popen[bytes]:
        """Write the configuration and start; see `wait_ready`."""
        if not Path(SSHD).exists():
            raise netns.LabError("sshd is not installed (Debian package openssh-server)")
        key = self.folder / "host_key"
        if not key.exists():
            netns.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", str(key)])
        lines = [f"Port {self.port}", f"HostKey {key}", "PidFile none", "LogLevel QUIET", "UseDNS no"]
        if "MaxStartups" not in str(self.options.get("config")):
            lines.append("MaxStartups 100")
        if _understands("PerSourcePenalties=no"):
            lines.append("PerSourcePenalties no")
        if self.options.get("big_kexinit"):
            for keyword, what in (("KexAlgorithms", "kex"), ("Ciphers", "cipher"), ("MACs", "mac")):
                lines.append(f"{keyword} {every(what)}")
        lines = [*str(self.options.get("config", "")).splitlines(), *lines]  # the first value of a keyword counts
        config = self.folder / f"{self.name}-{self.port}.conf"
        config.write_text("\n".join(lines) + "\n")
        command = ["ip", "netns", "exec", self.name, "sh", "-c", PRIVATE_RUN, "sh", SSHD, "-D", "-f", str(config)]
        if "log" in self.options:
            command += ["-E", str(self.options["log"])]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        return self.process

    def wait_ready(self) -> None:
        """Wait until it listens. Raises LabError where it ends instead."""
        assert self.process
        deadline = time.monotonic() + 10
        while not listening(self.name, self.port):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise netns.LabError(f"sshd in {self.name} did not start (exit {self.process.poll()})")
            time.sleep(0.01)
        if self.options.get("lose_rundir"):
            (Path("/proc", str(self.process.pid), "root/run/sshd")).rmdir()  # its own /run, see PRIVATE_RUN
        if self.options.get("stop"):
            os.kill(self.process.pid, signal.SIGSTOP)
