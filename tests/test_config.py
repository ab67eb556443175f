"""Defaults from a file and from the environment: the command line wins, a mistyped key is an error."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import netprobe
from netprobe.cli import config, run
from netprobe.cli.common import take
from netprobe.errors import UsageError
from netprobe.options import ScanOptions
from netprobe.wire import sshconfig
from tests import fake_scan

Captured = pytest.CaptureFixture[str]
Write = Callable[[str], Path]


@pytest.fixture
def write(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Write:
    """Writes the configuration of a user who has nothing else; drivers are fakes."""
    monkeypatch.setitem(sys.modules, "netprobe.scan", fake_scan)
    monkeypatch.setattr(netprobe, "scan", fake_scan, raising=False)
    monkeypatch.setattr(sshconfig, "resolve", lambda hosts: {})
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    fake_scan.seen.clear()

    def writing(text: str) -> Path:
        path = tmp_path / "netprobe" / "config.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
        return path

    return writing


def scanned(*arguments: str) -> ScanOptions:
    assert run([*arguments, "192.0.2.1"]) == 0
    (*_, options) = fake_scan.seen
    assert isinstance(options, ScanOptions)
    return options


def test_a_file_gives_defaults_and_the_command_line_wins(write: Write) -> None:
    write(
        'color = "never"\n[scan]\nrate = 20\nidentify = true\nelsewhere = false\n'
        'exclude = ["192.0.2.9"]\nports = [22, 80]\n'
    )
    options = scanned("scan")
    assert (options.rate, options.identify, options.elsewhere, options.ports) == (20.0, True, False, (22, 80))
    assert [str(one) for one in options.exclude] == ["192.0.2.9/32"]
    options = scanned("scan", "--rate", "30", "--no-identify", "--elsewhere", "-p", "25", "--exclude", "192.0.2.8")
    assert (options.rate, options.identify, options.elsewhere, options.ports) == (30.0, False, True, (25,))
    assert [str(one) for one in options.exclude] == ["192.0.2.8/32"]


def test_general_keys_are_for_all_and_special_ones_count_more(write: Write) -> None:
    write('banner-wait = 3\nrate = 20\nvantage = "server"\n[scan]\nrate = 30\n')
    options = scanned("scan")
    assert (options.banner_wait_s, options.rate) == (3.0, 30.0)


def test_the_environment_counts_more_than_the_file(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write("[scan]\nrate = 20\nbanner-wait = 3\n")
    monkeypatch.setenv("NETPROBE_SCAN_RATE", "40")
    monkeypatch.setenv("NETPROBE_IDENTIFY", "yes")
    monkeypatch.setenv("NETPROBE_EXCLUDE", "192.0.2.8 192.0.2.9")
    monkeypatch.setenv("NETPROBE_PATIENT", "")  # as good as not set
    monkeypatch.setenv("NETPROBE_HOME", "/somebody/else's")
    options = scanned("scan")
    assert (options.rate, options.banner_wait_s, options.identify, options.patient) == (40.0, 3.0, True, False)
    assert len(options.exclude) == 2
    assert scanned("scan", "--rate", "50").rate == 50.0
    assert scanned("scan", "--no-config") == scanned("--no-config", "scan")
    assert scanned("scan", "--no-config").rate == 500.0


def test_what_excludes_one_another_is_no_contradiction(write: Write, capsys: Captured) -> None:
    write("[scan]\njsonl = true\nverbose = 2\n")
    scanned("scan")
    assert '"summary"' in capsys.readouterr().out.splitlines()[-1]
    scanned("scan", "--json")
    assert json.loads(capsys.readouterr().out)["verdicts"]
    scanned("scan", "-q", "--no-jsonl")
    assert capsys.readouterr().out.startswith("ADDRESS")


def test_a_file_may_be_named(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write("[scan]\nrate = 20\n")
    other = tmp_path / "other.toml"
    other.write_text("[scan]\nrate = 60\n")
    assert scanned("--config", str(other), "scan").rate == 60.0
    assert scanned("scan", f"--config={other}").rate == 60.0
    monkeypatch.setenv("NETPROBE_CONFIG", str(other))
    assert scanned("scan").rate == 60.0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[scan]\nrtae = 3\n", "[scan] has no 'rtae'; did you mean 'rate'?"),
        ("[scan]\nbanner_wait = 3\n", "did you mean 'banner-wait'?"),
        ("[scna]\nrate = 3\n", "[scna] is no command; did you mean 'scan'?"),
        ('colour = "never"\n', "no command has 'colour'; did you mean 'color'?"),
        ("[scan]\nidentify = 1\n", "identify = 1: a switch; true or false"),
        ("[scan]\nrate = true\n", "rate = True"),
        ("[scan]\nverbose = true\n", "a number is meant"),
        ("[scan]\nrate = [[1]]\n", "as on the command line"),
        ('[scan]\nrate = "fast"\n', "'fast' is not a number"),
        ("[scan\n", "config.toml: Expected"),
        ("[scan]\nhelp = true\n", "has no 'help'"),
        ("[analyze]\ncompiled = true\n", "has no 'compiled'"),
    ],
)
def test_what_makes_no_sense_is_an_error(write: Write, capsys: Captured, text: str, words: str) -> None:
    path = write(text)
    assert run(["scan", "192.0.2.1"]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert str(path) in said
    assert not fake_scan.seen


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("NETPROBE_SCAN_RTAE", "3", "`netprobe scan` has no 'RTAE'; did you mean 'RATE'?"),
        ("NETPROBE_IDENTIFY", "maybe", "NETPROBE_IDENTIFY=maybe: neither yes nor no"),
        ("NETPROBE_VERBOSE", "very", "NETPROBE_VERBOSE=very: no number"),
    ],
)
def test_variables_that_make_no_sense(
    write: Write, capsys: Captured, monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    monkeypatch.setenv(name, value)
    assert run(["scan", "192.0.2.1"]) == 2
    assert words in capsys.readouterr().err
    assert run(["scan", "--no-config", "192.0.2.1"]) == 0


def test_a_usage_error_says_where_defaults_came_from(write: Write, capsys: Captured) -> None:
    path = write("[scan]\nrate = 0\n")
    assert run(["scan", "192.0.2.1"]) == 2
    assert f"defaults came from {path}; --no-config goes without" in capsys.readouterr().err


def test_files_that_cannot_be_read(write: Write, capsys: Captured, tmp_path: Path) -> None:
    assert run(["scan", "--config", str(tmp_path / "none"), "192.0.2.1"]) == 3
    assert run(["scan", "--config", str(tmp_path), "192.0.2.1"]) == 3
    assert run(["scan", "--config", "/dev/zero", "192.0.2.1"]) == 3
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe")
    assert run(["scan", "--config", str(binary), "192.0.2.1"]) == 2
    assert run(["scan", "192.0.2.1", "--config"]) == 2
    assert "write --config FILE" in capsys.readouterr().err


def test_where_the_file_lies() -> None:
    usual = "/home/me/.config/netprobe/config.toml"
    assert config.usual_path({"HOME": "/home/me"}) == usual
    assert config.usual_path({"HOME": "/home/me", "XDG_CONFIG_HOME": "/etc/me"}) == "/etc/me/netprobe/config.toml"
    assert config.usual_path({"HOME": "/home/me", "XDG_CONFIG_HOME": "relative"}) == usual
    assert config.usual_path({}) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_under_sudo_it_is_the_calling_users(monkeypatch: pytest.MonkeyPatch) -> None:
    import pwd

    me = pwd.getpwnam("nobody")
    called = {"HOME": "/root", "SUDO_UID": str(me.pw_uid), "SUDO_GID": str(me.pw_gid)}
    assert config.usual_path(called) == f"{me.pw_dir}/.config/netprobe/config.toml"
    assert config.usual_path({"HOME": "/root", "SUDO_UID": "3999999999"}) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_under_sudo_it_is_read_with_the_calling_users_permissions(
    write: Write, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    path = write("secret = 1\n")
    path.chmod(0o600)
    for folder in (path.parent, *list(path.parents)[1:3]):
        folder.chmod(0o755)
    monkeypatch.setenv("SUDO_UID", "65534")
    monkeypatch.setenv("SUDO_GID", "65534")
    assert run(["scan", "192.0.2.1"]) == 3
    said = capsys.readouterr().err
    assert "Permission denied" in said
    assert "secret" not in said


def test_the_options_are_found_anywhere_but_after_two_dashes() -> None:
    assert take(["scan", "--config", "x", "a"]).arguments == ("scan", "a")
    assert take(["scan", "--", "--config", "x"]).arguments == ("scan", "--", "--config", "x")
    with pytest.raises(UsageError, match="contradict"):
        take(["--config=x", "--no-config"])
