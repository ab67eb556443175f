"""A machine that boots, for real: a namespace without an address, then with one, then with an sshd."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.lab import netns
from tests.lab.sshd import SSHD, Sshd
from tests.lab.topology import available

pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.skipif(bool(available()), reason=f"no lab: {available()}"),
    pytest.mark.skipif(not Path(SSHD).exists(), reason="needs sshd"),
]
SERVER = "192.0.2.2"
PREFIX = f"np{os.getpid():06x}w-"
# Long enough for a machine that does much else; the test goes on as soon as a line comes.
PATIENCE = "150"


@dataclass(frozen=True)
class Machines:
    client: str
    server: str

    def boot(self) -> None:
        netns.ip_batch([f"addr add {SERVER}/24 dev w0", "addr add 2001:db8::2/64 dev w0 nodad"], self.server)

    def wait(self, *arguments: str, privileged: bool) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "netprobe", "wait", "--jsonl", *arguments]
        if not privileged:
            command = ["setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw", "--", *command]
        return subprocess.Popen(
            ["ip", "netns", "exec", self.client, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            cwd=Path(__file__).parent.parent,
        )  # fmt: skip


@pytest.fixture
def machines() -> Iterator[Machines]:
    made = Machines(f"{PREFIX}client", f"{PREFIX}server")
    try:
        netns.ip_batch([f"netns add {made.client}", f"netns add {made.server}"])
        netns.ip_batch([f"link add name w0 netns {made.client} type veth peer name w0 netns {made.server}"])
        for name in (made.client, made.server):
            netns.ip_batch(["link set lo up", "link set w0 up"], name)
        netns.ip_batch(["addr add 192.0.2.1/24 dev w0", "addr add 2001:db8::1/64 dev w0 nodad"], made.client)
        yield made
    finally:
        netns.remove(PREFIX)


def line(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    text = process.stdout.readline()
    if not text:
        assert process.stderr is not None
        raise AssertionError(f"it ended: {process.stderr.read()}")
    found: dict[str, Any] = json.loads(text)
    return found


@pytest.mark.parametrize("privileged", [True, False])
def test_a_machine_boots(machines: Machines, privileged: bool, tmp_path: Path) -> None:
    process = machines.wait("--timeout", PATIENCE, SERVER, privileged=privileged)
    try:
        assert line(process)["cause"] == "neighbor-unreachable"
        machines.boot()
        assert line(process)["cause"] == "no-listener"
        sshd = Sshd(machines.server, 22, {}, tmp_path)
        sshd.start()
        sshd.wait_ready()
        assert line(process)["cause"] == "up"
        last = line(process)
        assert last["wait"]["reached"] is True
        assert last["mode"] == ("raw" if privileged else "connect")
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.communicate()


def test_it_gives_up(machines: Machines) -> None:
    machines.boot()
    process = machines.wait("--timeout", "3", SERVER, privileged=True)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert json.loads(out.splitlines()[0])["cause"] == "no-listener"
    assert json.loads(out.splitlines()[-1])["wait"]["reached"] is False
    assert "not up within the time; it is closed (no-listener). To see why: netprobe scan" in err


def test_an_interrupt_ends_it_and_sigusr1_tells_how_far_it_is(machines: Machines) -> None:
    import signal

    machines.boot()
    process = machines.wait(SERVER, privileged=True)
    try:
        assert line(process)["cause"] == "no-listener"
        process.send_signal(signal.SIGUSR1)
        assert process.stderr is not None
        assert "no-listener; waiting for up, " in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert line(process)["interrupted"] is True
        assert process.wait(20) == 130
    finally:
        process.kill()
        process.communicate()
