"""Collecting: fake roots and fake commands; what is missing, forbidden or hangs is a reason, and secrets stay
behind."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from netprobe.doctor.collect import Machine, access, collect, filters, network, sshd_config
from netprobe.doctor.collect import daemon as of_daemon
from netprobe.doctor.collect.machine import Unavailable, together
from netprobe.doctor.facts import Asked, Listener
from netprobe.doctor.saved import dump
from tests.doctor import server

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINotARealKeyButOfTheRightLengthAndShapeXX somebody"
HASH = "$y$j9T$secretsecretsecret$hashhashhash"
SECRET = "TOKEN-4242"


@pytest.fixture
def commands(tmp_path: Path) -> Callable[[str, str], None]:
    """Writes a command of a shell script into the folder that is the machine's PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def write(name: str, script: str) -> None:
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)

    return write


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine below a folder, with commands of its own."""
    root = tmp_path / "root"
    for folder in ("etc/ssh", "proc/net", "home/alice/.ssh", "var/log"):
        (root / folder).mkdir(parents=True)
    (root / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n")
    (root / "etc/group").write_text("users:x:100:alice,bob\nalice:x:1000:\n")
    (root / "etc/shadow").write_text(f"alice:{HASH}:19000:0:99999:7:::\nlocked:!{HASH}:19000:0:99999:7::100:\n")
    (root / "home/alice/.ssh/authorized_keys").write_text(
        f'# comment\n{KEY}\nfrom="198.51.100.0/24",command="{SECRET}" {KEY}\n\nnonsense\n'
    )
    return Machine(str(root), (str(tmp_path / "bin"), "/usr/bin", "/bin"), budget_s=30)


def put(machine: Machine, path: str, text: str) -> None:
    """A file of the machine."""
    place = machine.at(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)


# --------------------------------------------------------------------------- what can't be had


def test_a_command_that_hangs_is_a_reason_and_is_killed(
    machine: Machine, commands: Callable[[str, str], None], tmp_path: Path
) -> None:
    commands("nft", f"echo $$ > {tmp_path}/pid; sleep 1000")
    began = time.monotonic()
    with pytest.raises(Unavailable, match=r"nft -j list ruleset.*did not end within 0\.5 s"):
        machine.run("nft", "-j", "list", "ruleset", seconds=0.5)
    assert time.monotonic() - began < 5
    pid = int((tmp_path / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_command_that_is_missing_or_forbidden_or_fails_is_a_reason(
    machine: Machine, commands: Callable[[str, str], None]
) -> None:
    with pytest.raises(Unavailable, match="there is no command no-such-command here"):
        machine.run("no-such-command")
    commands("broken", "echo 'Operation not permitted' >&2; exit 1")
    with pytest.raises(Unavailable, match="`broken` failed: Operation not permitted"):
        machine.run("broken").good()
    (Path(machine.path.partition(":")[0]) / "odd").write_text("")
    with pytest.raises(Unavailable, match="there is no command odd here"):
        machine.run("odd")


def test_parts_that_hang_or_break_are_reasons_of_what_they_owe(machine: Machine) -> None:
    machine.deadline = time.monotonic() + 0.5

    def slow() -> dict[str, int]:
        time.sleep(60)
        return {}

    def broken() -> dict[str, int]:
        raise ZeroDivisionError("odd file")

    values, gaps = together(
        machine,
        {
            "slow also": slow,
            "odd": broken,
            "good some": lambda: {"good": 1, "some": Unavailable("not here")},
        },
    )
    assert values == {"good": 1}
    assert gaps["slow"] == gaps["also"]
    assert "longer" in gaps["slow"]
    assert "ZeroDivisionError" in gaps["odd"]
    assert gaps["some"] == "not here"


def test_a_machine_whose_every_command_hangs_is_collected_in_time(
    machine: Machine, commands: Callable[[str, str], None]
) -> None:
    for name in ("nft", "iptables-save", "ip6tables-save", "ss", "ip", "dpkg-query", "getent", "id", "ufw", "ipset"):
        commands(name, "sleep 100")
    machine.deadline = time.monotonic() + 2
    facts = collect(Asked(user="alice", source="198.51.100.7"), machine)
    assert facts.seconds < 5
    assert "did not end" in facts.gaps["nft"]
    assert facts.nft is None


def test_what_still_runs_at_the_end_is_killed(machine: Machine, commands: Callable[[str, str], None]) -> None:
    commands("slow", "sleep 1000")
    ended: list[int] = []
    thread = threading.Thread(target=lambda: ended.append(machine.run("slow", seconds=60).status))
    thread.start()
    deadline = time.monotonic() + 20
    while not machine.running and time.monotonic() < deadline:
        time.sleep(0.01)
    machine.deadline = 0
    machine.abandon()
    thread.join(20)
    assert ended == [-9]


def test_a_bare_root_gives_reasons_only(tmp_path: Path) -> None:
    facts = collect(Asked(), Machine(str(tmp_path), (str(tmp_path),), budget_s=3))
    assert facts.listeners is None
    assert facts.gaps["listeners"]
    assert facts.binaries == ()


# --------------------------------------------------------------------------- secrets


def test_no_secret_is_in_the_facts(machine: Machine, commands: Callable[[str, str], None]) -> None:
    put(machine, "/etc/hosts.deny", f"ALL : ALL : spawn (mail {SECRET}) : DENY\n")
    put(
        machine,
        "/etc/ssh/sshd_config",
        f"Port 22\nSetEnv TOKEN={SECRET}\nForceCommand {SECRET}\nHostKey /etc/ssh/key\n",
    )
    put(machine, "/etc/ssh/key", f"-----BEGIN OPENSSH PRIVATE KEY-----\n{SECRET}\n")
    put(
        machine,
        "/var/log/auth.log",
        f"sshd[1]: Invalid user {SECRET} from 198.51.100.7\nsshd[1]: Failed password for {SECRET}\n",
    )
    put(machine, "/usr/sbin/sshd", "#!/bin/sh\necho refused >&2; exit 1\n")
    machine.at("/usr/sbin/sshd").chmod(0o755)
    facts = collect(Asked(user="alice", source="198.51.100.7"), machine)
    text = dump(facts)
    assert facts.config is not None
    assert facts.config["port"] == ("22",)
    assert facts.hosts_deny == ("ALL : ALL : DENY",)
    assert facts.log is not None
    for secret in (SECRET, HASH, KEY.split()[1], "PRIVATE KEY"):
        assert secret not in text


# --------------------------------------------------------------------------- parts


def test_the_account_and_its_keys(machine: Machine) -> None:
    found = access.account(machine, Asked(user="alice"))["account"]
    assert (found.exists, found.uid, found.groups, found.password, found.expired) == (
        True,
        1000,
        ("users",),
        "set",
        False,
    )
    keys = access.keys(machine, {"account": found})
    assert [(one.keys, one.bound) for one in keys["authorized_keys"]] == [(2, 1), (None, None)]
    assert [one.path for one in keys["path_to_keys"]] == ["/home/alice/.ssh", "/home/alice"]
    assert not access.account(machine, Asked(user="mallory"))["account"].exists


def test_listening_sockets_stand_before_the_others() -> None:
    text = (
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
        "   0: 0100007F:0016 00000000:0000 0A 00000000:00000003 00:00000000 00000000  1000        0 89 1 0\n"
        "   1: 0100007F:0016 0100007F:D431 01 00000000:00000000 00:00000000 00000000  1000        0 90 1 0\n"
        "   2: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 91 1 0\n"
    )
    found = network.listening(text, 4)
    if sys.byteorder == "little":
        assert found == {89: Listener(family=4, address="127.0.0.1", port=22, queue=3, uid=1000)}


def test_the_configuration_as_it_is_written(machine: Machine) -> None:
    put(
        machine,
        "/etc/ssh/sshd_config",
        "Include /etc/ssh/sshd_config.d/*.conf\nPort 22\nAllowUsers a b\nMatch User x\nPort 9\n",
    )
    put(machine, "/etc/ssh/sshd_config.d/10.conf", "Port=2222\nPermitRootLogin no\nMatch all\nAllowUsers nobody\n")
    put(machine, "/etc/ssh/sshd_config.d/20.conf", "PermitRootLogin yes\nAllowUsers c\n")
    found = sshd_config.written(machine, "/etc/ssh/sshd_config")
    assert found["port"] == ("2222", "22")
    assert found["permitrootlogin"] == ("no",)
    assert found["allowusers"] == ("c", "a", "b")


def test_includes_in_a_circle_end(machine: Machine) -> None:
    put(machine, "/etc/ssh/sshd_config", "Include /etc/ssh/sshd_config\n")
    with pytest.raises(Unavailable, match="too deeply"):
        sshd_config.written(machine, "/etc/ssh/sshd_config")


def test_units_as_systemctl_shows_them(machine: Machine, commands: Callable[[str, str], None]) -> None:
    machine.at("/run/systemd/system").mkdir(parents=True)
    commands(
        "systemctl",
        "cat <<'END'\nId=ssh.service\nLoadState=loaded\nActiveState=failed\nResult=exit-code\nExecMainStatus=255\n\n"
        "Id=ssh.service\nLoadState=loaded\nActiveState=failed\n\n"
        "Id=ssh.socket\nLoadState=masked\nListen=0.0.0.0:22 (Stream)\nListen=[::]:22 (Stream)\nTasksMax=[not set]\nEND",
    )
    found = of_daemon.units(machine)["units"]
    assert [(one.name, one.load, one.active, one.exit_status) for one in found] == [
        ("ssh.service", "loaded", "failed", 255),
        ("ssh.socket", "masked", "", 0),
    ]
    assert found[1].listen == ("0.0.0.0:22 (Stream)", "[::]:22 (Stream)")


@pytest.mark.parametrize(
    ("title", "comm", "expected"),
    [
        ("sshd: /usr/sbin/sshd -D [listener] 3 of 10-100 startups", "sshd", ((), (3, 10, 100))),
        ("sshd: /usr/sbin/sshd -D -f /etc/other -o SetEnv=X [listener] 0 of 10-100 startups", "sshd",
         (("-D", "-f", "/etc/other", "-o", "SetEnv=X"), (0, 10, 100))),
        ("/usr/sbin/sshd\0-D\0-p\x002222", "sshd", (("-D", "-p", "2222"), None)),
        ("sshd: alice [priv]", "sshd", None),
        ("sshd: alice@pts/0", "sshd", None),
        ("/usr/sbin/sshd\0-T", "sshd", None),
        ("/usr/sbin/sshd\0-i", "sshd", None),
        ("/usr/sbin/dropbear\0-F", "dropbear", ((), None)),
    ],
)  # fmt: skip
def test_daemons_by_their_titles(machine: Machine, title: str, comm: str, expected: object) -> None:
    put(machine, "/proc/711/comm", f"{comm}\n")
    put(machine, "/proc/711/cmdline", title)
    put(machine, "/proc/711/stat", f"711 ({comm}) S {' '.join(['1'] * 18)} 4242 1 1")
    put(machine, "/proc/stat", "cpu 1\nbtime 1763000000\n")
    found = of_daemon.daemons(machine)
    if expected is None:
        assert found == ()
    else:
        arguments = found[0].arguments if found[0].arguments != ("-D",) else ()
        assert (arguments, found[0].startups) == expected
        assert found[0].started == 1763000042


def test_fail2bans_database(machine: Machine) -> None:
    import sqlite3

    put(machine, filters.FAIL2BAN, "")
    now = int(time.time())
    with sqlite3.connect(machine.at(filters.FAIL2BAN)) as database:
        database.execute("CREATE TABLE bips(ip TEXT, jail TEXT, timeofban INTEGER, bantime INTEGER)")
        rows = [("198.51.100.1", now - 10, 600), ("198.51.100.2", now - 900, 600), ("198.51.100.3", now - 900, -1)]
        database.executemany("INSERT INTO bips VALUES (?, 'sshd', ?, ?)", rows)
    found = filters.bans(machine)
    assert {(one.address, one.until) for one in found["bans"]} == {("198.51.100.1", now + 590), ("198.51.100.3", None)}
    machine.at(filters.FAIL2BAN).write_text("this is no database, whatever its name says" * 40)
    assert "fail2ban.sqlite3" in str(filters.bans(machine)["bans"])


def test_log_lines_are_counted_by_whole_addresses() -> None:
    lines = [
        "drop connection #0 from [198.51.100.7]:4242 on [x]:22 penalty: failed authentication",
        "drop connection #0 from [198.51.100.77]:4242 on [x]:22 penalty: failed authentication",
        "User alice from 198.51.100.7 not allowed because not listed in AllowUsers",
    ]
    found = {one.what: one for one in access.counted(lines, Asked(source="198.51.100.7", user="alice"))}
    assert (found["penalty"].count, found["penalty"].about_source) == (2, 1)
    assert (found["not-allowed"].about_source, found["not-allowed"].about_user) == (1, 1)


# --------------------------------------------------------------------------- time


@pytest.mark.lab
@pytest.mark.skipif(bool(server.available()), reason=server.available() or "available")
def test_an_ordinary_user_gets_an_answer_soon(public_path: Path) -> None:
    script = "start; until_listening 22; nft add table inet t"
    found = server.ask(script, [], public_path, prefix="setpriv --reuid 65534 --regid 65534 --clear-groups")
    assert found.status == 3
    assert found.findings == []
    assert found.facts["seconds"] < 3
    assert found.reason("firewall") == "unknown"
    assert found.reason("daemon-down") == "ruled-out"
    assert "must be root" in found.result("ND301")["because"][0]
