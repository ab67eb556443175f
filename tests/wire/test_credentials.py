"""What ssh would log in with, from real keys, a real agent and the real `ssh -G`; and what is never touched."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from netprobe.model import CredentialsFact
from netprobe.ssh.credentials import offered
from netprobe.wire import credentials
from netprobe.wire.credentials import Wanted, collect, described, identities, public_key

SSH = shutil.which("ssh")
pytestmark = pytest.mark.skipif(
    not (SSH and shutil.which("ssh-keygen") and shutil.which("ssh-agent")), reason="no OpenSSH client here"
)
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become the user behind sudo")


@dataclass
class Home:
    """Keys and an ssh_config in a folder; the first `ssh` on PATH uses that configuration and no other."""

    folder: Path

    def config(self, *lines: str) -> None:
        (self.folder / "config").write_text("\n".join(("Host web", *(f"  {line}" for line in lines))) + "\n")

    def key(self, name: str, kind: str = "ed25519") -> Path:
        path = self.folder / name
        bits = ["-b", "2048"] if kind == "rsa" else []
        subprocess.run(["ssh-keygen", "-q", "-t", kind, *bits, "-N", "", "-C", "me", "-f", path], check=True)
        return path

    def fingerprint(self, path: Path) -> str:
        done = subprocess.run(["ssh-keygen", "-l", "-f", path], check=True, capture_output=True, text=True)
        return done.stdout.split()[1]

    def mine(self, user: str | None = "alice", name: str = "web") -> CredentialsFact:
        return collect([Wanted("web", name, user)])["web"]


@pytest.fixture
def home(public_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    folder = public_path / "home"
    folder.mkdir()
    (public_path / "bin").mkdir()
    wrapper = public_path / "bin" / "ssh"
    wrapper.write_text(f'#!/bin/sh\nexec {SSH} -F {folder}/config "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{public_path}/bin:{os.environ['PATH']}")
    for name in ("SSH_AUTH_SOCK", "SUDO_UID", "SUDO_GID"):
        monkeypatch.delenv(name, raising=False)
    found = Home(folder)
    found.config()
    return found


@contextmanager
def agent(path: Path, *keys: Path) -> Iterator[None]:
    """A real ssh-agent at this path, with these keys."""
    process = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 10
        while not path.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        for key in keys:
            subprocess.run(["ssh-add", "-q", key], check=True, env={**os.environ, "SSH_AUTH_SOCK": str(path)})
        yield
    finally:
        process.terminate()
        process.wait(10)


# --------------------------------------------------------------------------- files


def test_a_key_as_ssh_keygen_tells_it(home: Home) -> None:
    path = home.key("one")
    home.config(f"IdentityFile {path}", "User bob", "Port 2222")
    mine = home.mine()
    (file,) = mine.files
    assert (file.path, file.state, file.configured, file.mode) == (str(path), "usable", True, 0o600)
    assert (file.type, file.fingerprint) == ("ssh-ed25519", home.fingerprint(path))
    assert (mine.user, mine.user_from, mine.port) == ("alice", "asked", 2222)
    assert (home.mine(user=None).user, home.mine(user=None).user_from) == ("bob", "configured")


def test_modes_that_ssh_refuses(home: Home) -> None:
    paths = [home.key(f"k{mode:o}") for mode in (0o644, 0o640, 0o604, 0o400)]
    for path, mode in zip(paths, (0o644, 0o640, 0o604, 0o400), strict=True):
        path.chmod(mode)
    home.config(*(f"IdentityFile {path}" for path in paths))
    assert [file.state for file in home.mine().files] == ["too-open", "too-open", "too-open", "usable"]


def test_what_is_missing_or_half_there(home: Home) -> None:
    path = home.key("half")
    path.unlink()
    home.config(f"IdentityFile {path}", f"IdentityFile {path}.pub", f"IdentityFile {home.folder}/none")
    assert [file.state for file in home.mine().files] == ["public-only", "public-only", "missing"]


def test_usual_files_are_not_called_configured(home: Home) -> None:
    mine = home.mine()
    assert mine.files
    assert not any(file.configured for file in mine.files)


def test_tokens_of_names(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYS", str(home.folder))
    home.key("alice-web-2222")
    home.config("Port 2222", "IdentityFile ${KEYS}/%r-%n-%p", "IdentityFile ~somebody/key")
    first, second = home.mine().files
    assert (first.state, second.state) == ("usable", "unknown")


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 100, b"ssh-ed25519", b"ssh-ed25519 !!!", b"ssh-ed25519 AAAA", b"\xff" * 50000]
)
def test_a_public_key_that_is_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.pub"
    path.write_bytes(content)
    assert public_key(str(path)) is None


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.pub")
    assert public_key(str(tmp_path / "x.pub")) is None
    assert public_key("/dev/zero") is None


_opened: list[str] = []
_watching = False


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    if _watching and event == "open":
        _opened.append(str(arguments[0]))


def test_no_private_key_is_opened(home: Home) -> None:
    global _watching  # noqa: PLW0603 - an audit hook can't be taken away
    path = home.key("secret")
    home.config(f"IdentityFile {path}")
    sys.addaudithook(_audit)
    _watching = True
    try:
        home.mine()
    finally:
        _watching = False
    assert f"{path}.pub" in _opened
    assert str(path) not in _opened


# --------------------------------------------------------------------------- the agent


def test_the_agents_keys(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [home.key("a"), home.key("b", "rsa")]
    path = home.folder / "agent"
    monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
    with agent(path, *keys):
        mine = home.mine()
        assert (mine.agent, mine.agent_path) == ("reachable", str(path))
        assert [(key.type, key.fingerprint) for key in mine.agent_keys] == [
            ("ssh-ed25519", home.fingerprint(keys[0])), ("ssh-rsa", home.fingerprint(keys[1])),
        ]  # fmt: skip
        home.config("IdentityAgent none")
        assert home.mine().agent == "off"
        home.config(f"IdentityAgent {home.folder}/another")
        assert home.mine().agent == "dead"
        monkeypatch.delenv("SSH_AUTH_SOCK")
        home.config(f"IdentityAgent {path}")
        assert len(home.mine().agent_keys) == 2
        home.config()
        assert home.mine().agent == "none"


def test_a_dead_agent_leaves_its_socket(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    path = home.folder / "agent"
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(path))
    monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
    assert home.mine().agent == "dead"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\0\0\0",
        b"\xff\xff\xff\xff",
        b"\0\0\0\x05\x0c\xff\xff\xff\xff",
        b"\0\0\0\x09\x0c\0\0\0\x01\xff\xff\xff\xff",
        b"\0\0\0\x00",
        b"\0\0\x10\0" + b"\x0c",
    ],
)
def test_an_agent_that_lies(tmp_path: Path, answer: bytes) -> None:
    path = tmp_path / "agent"
    with socket.socket(socket.AF_UNIX) as liar:
        liar.bind(str(path))
        liar.listen()

        def speak() -> None:
            with suppress(OSError):
                connection, _ = liar.accept()
                connection.recv(5)
                connection.sendall(answer)
                connection.close()

        thread = threading.Thread(target=speak)
        thread.start()
        with pytest.raises((OSError, ValueError)):
            identities(str(path))
        thread.join(5)


def test_a_silent_agent_is_not_waited_for(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    path = home.folder / "agent"
    monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
    monkeypatch.setattr(credentials, "_AGENT_PATIENCE_S", 0.1)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(path))
        silent.listen()
        started = time.monotonic()
        assert home.mine().agent == "dead"
        assert time.monotonic() - started < 10


def test_a_blob_that_is_no_key() -> None:
    assert described(b"") is None
    assert described(b"\xff" * 20) is None
    assert described(b"\0\0\0\x04\x1b[31") is None


# --------------------------------------------------------------------------- settings


def test_settings(home: Home) -> None:
    home.config(
        "IdentitiesOnly yes", "PubkeyAuthentication no", "PasswordAuthentication no",
        "PreferredAuthentications keyboard-interactive,password", "PubkeyAcceptedAlgorithms ssh-ed25519",
    )  # fmt: skip
    mine = home.mine()
    assert (mine.identities_only, mine.pubkey, mine.password, mine.interactive) == (True, False, False, True)
    assert mine.preferred == ("keyboard-interactive", "password")
    assert mine.accepted == ("ssh-ed25519",)
    home.config("BatchMode yes")
    assert (home.mine().password, home.mine().interactive) == (False, False)


def test_only_where_the_configuration_says_something(home: Home) -> None:
    wanted = [Wanted("web", "web", None, only=True)]
    assert collect(wanted) == {}
    home.config("User bob")
    assert collect(wanted)["web"].user == "bob"
    home.config(f"IdentityFile {home.folder}/x")
    assert "web" in collect(wanted)


def test_without_ssh_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert collect([Wanted("web", "web", "alice")]) == {}


# --------------------------------------------------------------------------- as ssh itself does it


@pytest.mark.parametrize("only", ["no", "yes"])
def test_ssh_itself_offers_the_same_in_the_same_order(home: Home, monkeypatch: pytest.MonkeyPatch, only: str) -> None:
    """What `ssh -v` says it will attempt."""
    keys = [home.key(name) for name in ("file-only", "both", "open", "agent-only", "rsa")]
    keys[2].chmod(0o644)
    path = home.folder / "agent"
    monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
    home.config(
        *(f"IdentityFile {one}" for one in keys[:3]), f"IdentitiesOnly {only}", "HostName 127.0.0.1",
        "UserKnownHostsFile /dev/null", "StrictHostKeyChecking no", "BatchMode yes", "ConnectTimeout 5",
    )  # fmt: skip
    with agent(path, keys[1], keys[3]):
        mine = home.mine()
        attempted = _attempted(home)
    # Of a file that it then refuses to load, ssh still says that it will attempt it.
    expected = [one for one in attempted if one != home.fingerprint(keys[2])]
    assert [key.fingerprint for key in offered(mine)] == expected
    assert len(expected) == (3 if only == "no" else 2)


def _attempted(home: Home) -> list[str]:
    """The keys that `ssh -v` lists before its first try, against a server that only refuses."""
    pytest.importorskip("asyncssh", reason="asyncssh is not installed (extra ssh)")
    from tests.ssh_servers import Polite, polite

    with polite(Polite(password=False)) as server:
        done = subprocess.run(
            ["ssh", "-v", "-p", str(server.port), "alice@web", "true"], capture_output=True, text=True, timeout=30,
            check=False,
        )  # fmt: skip
    return re.findall(r"Will attempt key: .*?(SHA256:\S+)", done.stderr)


# --------------------------------------------------------------------------- behind sudo


@ROOT
def test_the_user_behind_sudo_counts(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root could read all of it; the user can't, and it is the user who will run ssh."""
    theirs, roots = home.key("theirs"), home.key("roots")
    os.chown(theirs, 65534, 65534)
    home.config(f"IdentityFile {theirs}", f"IdentityFile {roots}")
    (home.folder / "config").chmod(0o644)
    monkeypatch.setenv("SUDO_UID", "65534")
    monkeypatch.setenv("SUDO_GID", "65534")
    assert [file.state for file in home.mine().files] == ["usable", "unreadable"]
    theirs.chmod(0o644)
    assert home.mine().files[0].state == "too-open"
    assert os.geteuid() == 0
    path = home.folder / "agent"
    with agent(path, roots):
        monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
        path.chmod(0o600)
        assert home.mine().agent == "refused"


@ROOT
def test_the_agent_that_sudo_took_out_of_the_environment() -> None:
    code = "from netprobe.wire.credentials import _environment; print(_environment().get('SSH_AUTH_SOCK'))"
    done = subprocess.run(
        ["sh", "-c", 'env -u SSH_AUTH_SOCK SUDO_UID=65534 SUDO_GID=65534 "$0" -c "$1"; true', sys.executable, code],
        env={**os.environ, "SSH_AUTH_SOCK": "/run/user/1000/agent"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "/run/user/1000/agent"
