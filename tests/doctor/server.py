"""A real server in namespaces of its own (network, mounts, processes): made by a shell script, asked by `netprobe
doctor`.

House rules of this file:
1. Nothing outlives the script: processes, mounts and interfaces go with their namespaces.
2. The machine's own /etc, /run and /home are covered by copies in memory before anything is changed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
PYTHON = sys.executable
V4, V6, OTHER = "198.51.100.5", "2001:db8::5", "198.51.100.6"
CLIENT = "198.51.100.77"

# /etc is covered whole, so that accounts, hosts.deny, fail2ban and sshd_config can be any. A cable that ends here, too,
# carries the addresses.
PRELUDE = f"""
set -eu
mount -t tmpfs -o mode=755 etc /mnt && cp -a /etc/. /mnt/ && mount --move /mnt /etc
mount -t tmpfs -o mode=755 run /run && mkdir -m 755 /run/sshd
mount -t tmpfs -o mode=755 home /home
rm -rf /etc/nologin /etc/fail2ban /etc/ufw
: > /etc/hosts.allow; : > /etc/hosts.deny
ip link set lo up
echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad
ip link add eth0 address 02:00:00:00:00:01 type veth peer name wire address 02:00:00:00:00:02
ip link set wire up
ip link set eth0 up
ip addr add {V4}/24 dev eth0 && ip addr add {V6}/64 dev eth0 nodad
ip route add default via 198.51.100.1
cat > /etc/ssh/sshd_config <<'END'
UsePAM yes
KbdInteractiveAuthentication no
LogLevel QUIET
END
rm -f /etc/ssh/ssh_host_* && cp "$KEY" /etc/ssh/ssh_host_ed25519_key && chmod 600 /etc/ssh/ssh_host_ed25519_key
[ ! -e /usr/sbin/dropbear ] || mount --bind /dev/null /usr/sbin/dropbear  # another server would be another finding
grep -v '^alice:' /etc/passwd > /run/np || true; cat /run/np > /etc/passwd; rm -f /run/np
echo 'alice:x:4242:4242::/home/alice:/bin/bash' >> /etc/passwd
echo 'alice:x:4242:' >> /etc/group
echo 'alice:$y$notahash:19000:0:99999:7:::' >> /etc/shadow
install -d -m 700 -o 4242 -g 4242 /home/alice /home/alice/.ssh
echo 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINotARealKeyButOfTheRightLengthAndShapeXX' > /home/alice/.ssh/authorized_keys
chown 4242:4242 /home/alice/.ssh/authorized_keys && chmod 600 /home/alice/.ssh/authorized_keys
config() {{ printf '%s\\n' "$@" >> /etc/ssh/sshd_config; }}
listening() {{ ss -Hltn | grep -q ":$1 "; }}
until_listening() {{ n=0; until listening "$1"; do n=$((n+1)); [ $n -lt 400 ] || exit 97; sleep 0.02; done; }}
start() {{ /usr/sbin/sshd "$@"; }}
"""


@dataclass(frozen=True)
class Answer:
    """What doctor said."""

    status: int
    document: dict[str, Any]
    facts: dict[str, Any]
    errors: str

    @property
    def findings(self) -> list[str]:
        """The ids of faults and risks, in their order."""
        return [one["check"] for one in self.document["results"] if one["status"] in {"fault", "risk"}]

    def result(self, check: str) -> dict[str, Any]:
        """The first result of a check."""
        found: dict[str, Any] = next(one for one in self.document["results"] if one["check"] == check)
        return found

    def reason(self, name: str) -> str:
        """The state of one of the five reasons."""
        return str(next(one["state"] for one in self.document["reasons"] if one["reason"] == name))


@cache
def available() -> str:
    """Why no such server can be made here; "" where it can."""
    missing = [name for name in ("unshare", "ip", "sshd", "ssh-keygen", "ss", "nft") if not find(name)]
    if os.geteuid() != 0:
        return "needs root"
    if missing:
        return f"needs {', '.join(missing)}"
    done = subprocess.run([*UNSHARE, "nft", "list", "ruleset"], capture_output=True, check=False)
    return "" if done.returncode == 0 else "namespaces with nftables can't be made here"


@cache
def succeeds(command: str) -> bool:
    """Whether a command succeeds in a namespace."""
    done = subprocess.run(
        [*UNSHARE, "sh", "-c", f"PATH=$PATH:/usr/sbin:/sbin {command}"], capture_output=True, check=False
    )
    return done.returncode == 0


def find(name: str) -> str | None:
    """A command's path."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


UNSHARE = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]


def ask(script: str, arguments: list[str], folder: Path, prefix: str = "") -> Answer:
    """Make a server with a script, run `netprobe doctor` there. `prefix` is put before the command. On a machine so
    busy that a command ran into doctor's own time limit, it is asked again."""
    for _ in range(3):
        found = _asked(script, arguments, folder, prefix)
        if not any("did not end within" in why or "took longer" in why for why in found.facts.get("gaps", {}).values()):
            break
    return found


def _asked(script: str, arguments: list[str], folder: Path, prefix: str) -> Answer:
    saved = folder / "facts.json"
    saved.unlink(missing_ok=True)
    words = " ".join(f"'{word}'" for word in [PYTHON, "-m", "netprobe", "doctor", "--json", *arguments])
    done = run(f"{script}\n{prefix} {words} --facts '{saved}' || echo status=$? >&2", folder)
    assert done.stdout, f"no answer (status {done.returncode}):\n{done.stderr}"
    status = int(done.stderr.rpartition("status=")[2].split()[0]) if "status=" in done.stderr else 0
    return Answer(status, json.loads(done.stdout), json.loads(saved.read_text()), done.stderr)


def shell(script: str, folder: Path) -> str:
    """Make a server with a script; what the script printed."""
    done = run(script, folder)
    assert done.stdout, f"no answer (status {done.returncode}):\n{done.stderr}"
    return done.stdout


def run(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a script after the prelude, in namespaces of its own."""
    key = folder / "host_key"
    if not key.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(key)], check=True)
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    environment = {**os.environ, "KEY": str(key), "PYTHONPATH": str(ROOT), "PATH": path}
    command = [*UNSHARE, "bash", "-c", f"{PRELUDE}\n{script}\n"]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=ROOT, timeout=120)
