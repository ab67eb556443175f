"""Aliases of ssh_config, asked of a fake ssh: whatever it does, a scan goes on."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest

from netprobe.wire import sshconfig
from netprobe.wire.sshconfig import Alias, parse, resolve


def fake_ssh(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put an `ssh` first on PATH."""
    program = folder / "ssh"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    for name in ("SUDO_UID", "SUDO_GID"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("text", "alias"),
    [
        ("hostname web\nport 22\nuser me\n", None),
        ("hostname WEB\nport 22\n", None),
        ("hostname web.example.com\nport 22\nuser me\n", Alias("web.example.com", 22, "me", True, None)),
        ("hostname web\nport 2222\n", Alias("web", 2222, None, True, None)),
        ("hostname web\nport 22\nproxyjump bastion\n", Alias("web", 22, None, False, "bastion")),
        ("hostname web\nport 22\nproxycommand nc %h %p\n", Alias("web", 22, None, False, "nc %h %p")),
        ("hostname web\nport 22\nproxycommand none\nproxyjump none\n", None),
        ("hostname web\nport 2222\nport 23\n", Alias("web", 2222, None, True, None)),
        ("", None),
        ("garbage", None),
        ("hostname web\nport lots\n", None),
        ("hostname web\nport 70000\n", None),
        ("hostname \nport 23\n", None),
    ],
)
def test_what_ssh_says(text: str, alias: Alias | None) -> None:
    assert parse("web", text) == alias


def test_ssh_is_asked_for_each_host_and_user_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_ssh(tmp_path, f'echo "$@" >>{tmp_path}/asked; echo hostname real.example.com; echo port 2222', monkeypatch)
    found = resolve([("web", None), ("web", "me"), ("web", None)])
    assert found == {(host, user): Alias("real.example.com", 2222, None, True, None) for host, user in found}
    asked = (tmp_path / "asked").read_text().splitlines()
    assert sorted(asked) == ["-G -- web", "-G -l me -- web"]


@pytest.mark.parametrize(
    "script", ["exit 255", "kill -9 $$", "head -c 100000 /dev/zero", "printf 'hostname \\377\\nport x\\n'"]
)
def test_a_broken_ssh_means_that_the_name_stands_for_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    fake_ssh(tmp_path, script, monkeypatch)
    assert resolve([("web", None)]) == {}


@pytest.mark.parametrize("script", ["exec sleep 20", "sleep 20", "sleep 20 & exit 0"])
def test_a_slow_ssh_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    fake_ssh(tmp_path, script, monkeypatch)
    monkeypatch.setattr(sshconfig, "_TIME_LIMIT_S", 0.2)
    started = time.monotonic()
    assert resolve([("web", None)]) == {}
    assert time.monotonic() - started < 5


def test_no_ssh_no_question(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert resolve([("web", None)]) == {}
    assert resolve([]) == {}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become the user behind sudo")
def test_ssh_runs_as_the_user_behind_sudo(public_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_ssh(public_path, "echo hostname uid-$(id -u)-$(id -g)-$(id -G | tr ' ' -); echo port 2222", monkeypatch)
    (public_path / "ssh").chmod(0o755)
    monkeypatch.setenv("SUDO_UID", "65534")
    monkeypatch.setenv("SUDO_GID", "65534")
    assert resolve([("web", None)])["web", None].host == "uid-65534-65534-65534"
