"""The clients of the matrix: how each is made to try a plan, and the messages that it says it sent and got.

A message is `C50:password` or `S51:partial`: who sent it, its number (RFC 4250 4.1.2), of requests the method, of
failures what they list. A password that is empty means: sit at the prompt.
"""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.ssh_matrix.plans import KBD, Cipher, Plan
from tests.ssh_matrix.servers import chroot, version
from tests.ssh_matrix.world import SERVER, WORK, run

PATIENCE_S = 40.0

ASKPASS = """\
#!/bin/sh
answer=$(head -n 1 "$MATRIX_ANSWERS")
sed -i 1d "$MATRIX_ANSWERS"
[ -n "$answer" ] || exec sleep 60
printf '%s\\n' "$answer"
"""


@dataclass(frozen=True)
class Client:
    """`login` tries a plan and gives the messages, None where the client can't tell them."""

    name: str
    version: str

    def lacks(self, plan: Plan, cipher: Cipher) -> str | None:
        """Why it can't try this; None where it can."""
        return None

    def login(self, plan: Plan, cipher: Cipher, port: int) -> list[str] | None:
        raise NotImplementedError


def _patience(plan: Plan) -> float:
    return plan.hold_s or PATIENCE_S


@dataclass(frozen=True)
class OpenSSH(Client):
    """ssh, of this machine or out of a folder."""

    root: Path | None = None

    def login(self, plan: Plan, cipher: Cipher, port: int) -> list[str]:
        ask, answers = WORK / "askpass", WORK / f"answers-{port}"
        if not ask.exists():
            ask.write_text(ASKPASS)
            ask.chmod(0o755)
        answers.write_text("".join(f"{one}\n" for one in plan.passwords))
        keys = [f"IdentityFile={WORK}/keys/{one}" for one in plan.keys] or ["PubkeyAuthentication=no"]
        methods = [*(["publickey"] if plan.keys else []), *([plan.method] if plan.passwords else [])]
        options = [
            *("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "IdentitiesOnly=yes", "IdentityAgent=none"),
            *(f"Ciphers={cipher.cipher}", f"PreferredAuthentications={','.join(methods)}", *keys),
            *(f"NumberOfPasswordPrompts={max(1, len(plan.passwords))}", "KexAlgorithms=curve25519-sha256"),
            f"Compression={'yes' if plan.compress else 'no'}",
        ]
        if cipher.mac:
            options.append(f"MACs={cipher.mac}")
        command = [*chroot(self.root), "ssh", "-F", "/dev/null", "-vvv", "-p", str(port), "-l", plan.user]
        command += [word for option in options for word in ("-o", option)] + [SERVER, "true"]
        told = _run(
            command, plan, {"SSH_ASKPASS": str(ask), "SSH_ASKPASS_REQUIRE": "force", "MATRIX_ANSWERS": str(answers)}
        )
        return openssh_messages(told)


def openssh_messages(log: str) -> list[str]:
    """What `ssh -vvv` tells."""
    found: list[str] = []
    method, encrypted = "none", set()
    for line in log.splitlines():
        packet = re.match(r"debug3: (send|receive) packet: type (\d+)", line)
        if packet:
            side, number = "C" if packet[1] == "send" else "S", int(packet[2])
            if side in encrypted:
                found.append(f"{side}{number}" + (f":{method}" if number == 50 else ""))
            if number == 21:
                encrypted.add(side)
        elif line.startswith("debug1: Next authentication method: "):
            method = line.rpartition(" ")[2]
        elif "with partial success" in line and found:
            found[-1] += ":partial"
        elif line.startswith("debug1: Authentications that can continue: ") and found and found[-1].startswith("S51"):
            found[-1] += ":" + line.rpartition(" ")[2]
    return found


@dataclass(frozen=True)
class Plink(Client):
    """PuTTY's plink, on a terminal of its own."""

    root: Path | None = None

    def lacks(self, plan: Plan, cipher: Cipher) -> str | None:
        return "plink takes one key" if len(plan.keys) > 1 else None

    def login(self, plan: Plan, cipher: Cipher, port: int) -> list[str]:
        home, log = WORK / f"putty-{port}", WORK / f"putty-{port}.log"
        sessions = home / ".putty" / "sessions"
        sessions.mkdir(parents=True, exist_ok=True)
        order = "chacha20,aesgcm,aes" if cipher.name == "chacha" else "aes,aesgcm,chacha20"
        session = f"Protocol=ssh\nCipher={order},WARN\nAuthKI={int(plan.method == KBD)}\n"
        (sessions / "matrix").write_text(session)
        log.unlink(missing_ok=True)
        fingerprint = run("ssh-keygen", "-l", "-f", WORK / "keys/host.pub").split()[1]
        command = [*chroot(self.root), "plink", "-load", "matrix", "-ssh", "-no-antispoof", "-hostkey", fingerprint]
        command += ["-sshlog", str(log), "-P", str(port), "-l", plan.user]
        command += ["-C"] if plan.compress else []
        command += ["-i", f"{WORK}/keys/{plan.keys[0]}.ppk"] if plan.keys else []
        command += [] if plan.passwords else ["-batch"]
        _on_a_terminal([*command, SERVER, "true"], plan, {"HOME": str(home)})
        return plink_messages(log.read_text("latin-1")) if log.exists() else []


def plink_messages(log: str) -> list[str]:
    """What plink's log of packets tells."""
    found: list[str] = []
    encrypted = set()
    for block in re.split(r"(?m)^(?=Incoming packet|Outgoing packet|Event Log)", log):
        head = re.match(r"(Incoming|Outgoing) packet #\S+ type (\d+)", block)
        if head is None:
            continue
        side, number = "C" if head[1] == "Outgoing" else "S", int(head[2])
        payload = b"".join(
            bytes.fromhex(one.replace("XX", "00"))
            for one in re.findall(r"(?m)^  [0-9a-f]{8}  ((?:[0-9a-fX]{2} ?)+)", block)
        )
        if side in encrypted:
            found.append(f"{side}{number}" + words(number, payload))
        if number == 21:
            encrypted.add(side)
    return found


def words(number: int, payload: bytes) -> str:
    """The method of a request, the list of a failure: `payload` without the message's number."""
    strings, at = [], 0
    for _ in range(3):
        length = int.from_bytes(payload[at : at + 4], "big")
        strings.append(payload[at + 4 : at + 4 + length].decode("latin-1"))
        at += 4 + length
    if number == 50:
        return f":{strings[2]}"
    if number == 51:
        first = 4 + len(strings[0])
        return (":partial" if payload[first : first + 1] == b"\1" else "") + f":{strings[0]}"
    return ""


@dataclass(frozen=True)
class Dbclient(Client):
    """dropbear's client. It doesn't tell its messages."""

    root: Path | None = None

    def lacks(self, plan: Plan, cipher: Cipher) -> str | None:
        if cipher.name not in {"chacha", "ctr-mac"}:
            return "dropbear is built without it"
        if len(plan.passwords) > 1 or plan.outcome != "succeeded":
            return "dbclient gives the same password again and doesn't tell how often"
        return None if plan.mode in {"plain", "banner", "longbanner"} else "its messages aren't known"

    def login(self, plan: Plan, cipher: Cipher, port: int) -> list[str] | None:
        command = [*chroot(self.root), "dbclient", "-y", "-y", "-p", str(port), "-l", plan.user]
        command += ["-c", "chacha20-poly1305@openssh.com" if cipher.name == "chacha" else cipher.cipher]
        command += [word for one in plan.keys for word in ("-i", f"{WORK}/keys/{one}.dropbear")]
        environment = {"DROPBEAR_PASSWORD": plan.passwords[0]} if plan.passwords else {}
        told = _run([*command, SERVER, "echo in"], plan, environment)
        return None if "in\n" in told else []


@dataclass(frozen=True)
class Script(Client):
    """A client in Python: asyncssh_client.py, paramiko_client.py."""

    module: str = ""

    def lacks(self, plan: Plan, cipher: Cipher) -> str | None:
        if cipher.cipher.startswith("chacha") and self.module == "paramiko_client":
            return "paramiko has no chacha20"
        return "ends with its own time" if plan.hold_s else None

    def login(self, plan: Plan, cipher: Cipher, port: int) -> list[str]:
        ask = {"port": port, "cipher": cipher.cipher, "mac": cipher.mac, "user": plan.user, "method": plan.method}
        ask |= {"keys": plan.keys, "passwords": plan.passwords, "compress": plan.compress}
        told = _run([sys.executable, "-m", f"tests.ssh_matrix.{self.module}", json.dumps(ask)], plan, {})
        last = told.strip().rpartition("\n")[2]
        return [str(one) for one in json.loads(last)] if last.startswith("[") else []


def clients(roots: list[Path]) -> Iterator[Client]:
    """Every client that is here. What isn't is told on stderr."""
    for root in [None, *roots]:
        there = chroot(root)
        for kind, *command in ((OpenSSH, "ssh", "-V"), (Plink, "plink", "-V"), (Dbclient, "dbclient", "-V")):
            found = version(*there, *command)
            if found:
                yield kind(f"{ {'ssh': 'OpenSSH'}.get(command[0], command[0]) } {found}", found, root=root)
            else:
                print(f"no {command[0]} in {root or '/'}", file=sys.stderr)
    for name in ("asyncssh", "paramiko"):
        try:
            module = __import__(name)
        except ImportError:
            print(f"no {name} client: the package is not installed", file=sys.stderr)
        else:
            yield Script(f"{name} {module.__version__}", module.__version__, module=f"{name}_client")


def _environment(more: dict[str, str]) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "VIRTUAL_ENV", "PYTHONPATH") if name in os.environ}
    return {"HOME": str(WORK / "home"), **kept, **more}


def _run(command: list[str], plan: Plan, environment: dict[str, str]) -> str:
    """What it printed on both, at its end or when its time is over."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env=_environment(environment), text=True, errors="replace", start_new_session=True,
    )  # fmt: skip
    try:
        told, _ = process.communicate(timeout=_patience(plan))
    except subprocess.TimeoutExpired:
        process.kill()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        told, _ = process.communicate()
    return told


def _on_a_terminal(command: list[str], plan: Plan, environment: dict[str, str]) -> None:
    """Answer each prompt for a password with the next one; leave at the prompt after the last."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(command[0], command, _environment(environment))
    passwords, told, deadline = list(plan.passwords), b"", time.monotonic() + _patience(plan)
    try:
        while time.monotonic() < deadline:
            ready, _, _ = select.select([terminal], [], [], 0.2)
            if not ready:
                continue
            told += os.read(terminal, 4096)
            if re.search(rb"[Pp]assword: ?$", told):
                told = b""
                if not passwords:
                    time.sleep(0.3)
                    break
                if passwords[0]:
                    os.write(terminal, passwords.pop(0).encode() + b"\n")
            elif re.search(rb"Press Return|Access granted. Press", told):
                told = b""
                os.write(terminal, b"\n")
    except OSError:
        pass  # it ended
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, 9)
        os.close(terminal)
        os.waitpid(pid, 0)
