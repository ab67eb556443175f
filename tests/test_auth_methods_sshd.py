"""`scan --auth-methods` against the real sshd: what it offers by its configuration, and what it writes into its log."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from netprobe import scan
from netprobe.analyze import run as analyze
from netprobe.cli.request import find_targets
from netprobe.model import Auth, Verdict
from netprobe.options import AnalyzeOptions, ScanOptions
from netprobe.report import json as report_json
from netprobe.report import table
from netprobe.scan import Scan
from netprobe.wire.connect import ConnectWire
from tests.lab.sshd import PRIVATE_RUN, SSHD
from tests.test_auth_methods import options

pytest.importorskip("asyncssh", reason="asyncssh is not installed (extra ssh)")


def command(*words: str) -> list[str]:
    """Root's sshd wants /run/sshd: it gets a /run of its own."""
    private = ["unshare", "-m", "sh", "-c", PRIVATE_RUN, "sh"] if os.geteuid() == 0 else []
    return [*private, SSHD, *words]


def why_not() -> str:
    if not Path(SSHD).exists() or not shutil.which("ssh-keygen"):
        return "sshd is not installed (Debian package openssh-server)"
    if os.geteuid() == 0 and subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode:
        return "no mount namespaces here"
    return ""


pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())


@dataclass
class Running:
    port: int
    log: Path

    def said(self, words: str) -> bool:
        """Whether it logged this; the log may come a little later."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if self.log.exists() and words in self.log.read_text():
                return True
            time.sleep(0.02)
        return False


@contextmanager
def sshd(folder: Path, *lines: str) -> Iterator[Running]:
    """sshd -i, one process for each connection, as inetd starts it: no port has to be guessed."""
    key, config, log = folder / "key", folder / "config", folder / "log"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    config.write_text("\n".join([f"HostKey {key}", "LogLevel VERBOSE", "UseDNS no", "UsePAM no", *lines]) + "\n")
    listener = socket.create_server(("127.0.0.1", 0))
    children: list[subprocess.Popen[bytes]] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                children.append(
                    subprocess.Popen(
                        command("-i", "-f", str(config), "-E", str(log)),
                        stdin=connection.fileno(),
                        stdout=connection.fileno(),
                        stderr=subprocess.DEVNULL,
                    )
                )

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield Running(listener.getsockname()[1], log)
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)
        for child in children:
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def ask(server: Running, user: str) -> Auth:
    verdict: Verdict
    (verdict,) = Scan(ConnectWire(), options(server.port, user), lambda _: None, lambda _: None).run().verdicts
    assert verdict.cause == "up", verdict
    assert verdict.service is not None
    assert verdict.service.auth is not None
    return verdict.service.auth


METHODS = [
    ((), ("publickey", "password", "keyboard-interactive")),
    (("PasswordAuthentication no",), ("publickey", "keyboard-interactive")),
    (("PasswordAuthentication no", "KbdInteractiveAuthentication no"), ("publickey",)),
    (("PubkeyAuthentication no", "KbdInteractiveAuthentication no"), ("password",)),
    (("AuthenticationMethods publickey,password",), ("publickey",)),
    (("DenyUsers nobody",), ("publickey", "password", "keyboard-interactive")),
]


@pytest.mark.parametrize(("lines", "methods"), METHODS)
def test_what_it_offers(lines: tuple[str, ...], methods: tuple[str, ...], tmp_path: Path) -> None:
    with sshd(tmp_path, *lines) as server:
        auth = ask(server, "nobody")
    assert auth.methods == methods
    assert (auth.certainty, auth.inferred, auth.attempts) == ("certain", False, 0)


def test_by_user_and_what_the_log_says(tmp_path: Path) -> None:
    keys_only = ("Match User nobody", "PasswordAuthentication no", "KbdInteractiveAuthentication no")
    with sshd(tmp_path, *keys_only) as server:
        assert ask(server, "nobody").methods == ("publickey",)
        assert "password" in ask(server, "nosuchuser").methods  # sshd doesn't tell who exists
        assert server.said("Connection closed by authenticating user nobody 127.0.0.1")
        assert server.said("Connection closed by invalid user nosuchuser 127.0.0.1")
    text = server.log.read_text()
    assert "Failed" not in text.replace("Failed none", "")  # a `none` request is all that was refused
    assert "Accepted" not in text


def test_old_algorithms(tmp_path: Path) -> None:
    """A server that no client of today talks to still answers: the question holds no secret."""
    old = (
        "KexAlgorithms diffie-hellman-group1-sha1", "Ciphers aes128-cbc", "MACs hmac-sha1", "HostKeyAlgorithms ssh-rsa",
    )  # fmt: skip
    rsa = tmp_path / "rsa"
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", rsa], check=True)
    with sshd(tmp_path, f"HostKey {rsa}", *old) as server:
        assert _asked(server).methods


def _asked(server: Running) -> Auth:
    (verdict,) = Scan(ConnectWire(), options(server.port, "nobody"), lambda _: None, lambda _: None).run().verdicts
    assert verdict.service is not None
    assert verdict.service.auth is not None
    return verdict.service.auth


# --------------------------------------------------------------------------- both sides together


def test_both_sides_and_the_saved_scan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An alias, a key that others may read, a server that takes keys only: told, in the schema, and told again."""
    from jsonschema import Draft202012Validator

    ssh = shutil.which("ssh")
    assert ssh
    key = tmp_path / "mine"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    key.chmod(0o644)
    (tmp_path / "bin").mkdir()
    wrapper = tmp_path / "bin" / "ssh"
    wrapper.write_text(f'#!/bin/sh\nexec {ssh} -F {tmp_path}/ssh_config "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    for name in ("SSH_AUTH_SOCK", "SUDO_UID", "SUDO_GID"):
        monkeypatch.delenv(name, raising=False)
    saved = tmp_path / "scan.pcapng"
    with sshd(tmp_path, "PasswordAuthentication no", "KbdInteractiveAuthentication no") as server:
        (tmp_path / "ssh_config").write_text(
            f"Host web\n  HostName 127.0.0.1\n  Port {server.port}\n  User nobody\n  IdentityFile {key}\n"
        )
        (web,) = find_targets(
            ["web"], input_list=None, ports=None, families=(4,), exclude=(), consent=False, interface=None,
            notice=lambda _: None,
        )  # fmt: skip
        asked = ScanOptions(
            targets=(web,), families=(4,), expect="ssh", force_connect=True, elsewhere=False, auth_methods=True,
            write=saved,
        )  # fmt: skip
        report = scan.run(asked, lambda _: None, lambda _: None)
    (verdict,) = report.verdicts
    mine = verdict.credentials
    assert mine is not None
    assert (mine.user, mine.offers) == ("nobody", ())
    assert [one.id for one in mine.advice] == ["keys-only", "key-too-open", "no-key", "user-configured"]
    assert f"chmod 600 {key}" in str(mine.advice)
    assert key.read_text().splitlines()[1] not in saved.read_bytes().decode("latin-1")  # nothing of the key itself
    document = json.loads(report_json.document(report))
    schema = json.loads((Path(report_json.__file__).parent / "schema.json").read_text())
    Draft202012Validator(schema).validate(document)
    assert document["verdicts"][0]["credentials"]["advice"][1]["id"] == "key-too-open"
    text = table.render(report)
    assert "your side" in text
    assert "the server takes: publickey" in text
    again = analyze(AnalyzeOptions(files=(saved,)), lambda _: None, lambda _: None)
    assert [report_json.line(one) for one in again.verdicts] == [report_json.line(verdict)]
