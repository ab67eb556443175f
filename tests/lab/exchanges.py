"""Sessions of ordinary clients whose key exchange goes wrong, recorded by tcpdump at the client: `python -m
tests.lab.exchanges`.

House rules of this file:
1. Real servers and real clients; what no stock program does is forged instead (captures/forge.py).
2. What was recorded is written only where the verdict is the one that the row names.
"""

from __future__ import annotations

import contextlib
import os
import pty
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from netprobe.analyze import analyze
from netprobe.options import AnalyzeOptions
from netprobe.wire.capture import CaptureReader
from netprobe.wire.writer import CaptureWriter
from tests.lab import netns
from tests.lab.record import CAPTURES, write_case
from tests.lab.sshd import Sshd

CLIENT, SERVER = "192.0.2.10", "192.0.2.20"
QUIET = ("-F", "none", "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes")


def _ended(argv: list[str]) -> None:
    subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=60)


def _asked(argv: list[str]) -> None:
    """On a terminal, where ssh asks its question, which nobody answers."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp(argv[0], argv)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and select.select([terminal], [], [], 1)[0] is not None:
        with contextlib.suppress(OSError):
            if select.select([terminal], [], [], 0)[0]:
                os.read(terminal, 4096)
        if subprocess.run(["ss", "-Htn", "state", "close-wait"], capture_output=True, check=False).stdout:
            break  # the server closed, ssh still asks
        time.sleep(0.1)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(terminal)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One session: the server's configuration, the client's command, the rule that must be found."""

    name: str
    about: str
    config: str
    client: tuple[str, ...]
    rule: str
    how: Callable[[list[str]], None] = _ended


EXCHANGES = (
    Exchange(
        "session_old_method",
        "ssh meets a server whose only key exchange method is of 1996",
        "KexAlgorithms diffie-hellman-group1-sha1",
        ("ssh", *QUIET, "-o", "StrictHostKeyChecking=no", f"nobody@{SERVER}", "true"),
        "NP500",
    ),
    Exchange(
        "session_key_refused",
        "ssh doesn't know the server's host key and may not ask",
        "",
        ("ssh", *QUIET, "-o", "StrictHostKeyChecking=yes", f"nobody@{SERVER}", "true"),
        "NP507",
    ),
    Exchange("session_keyscan", "ssh-keyscan", "", ("ssh-keyscan", "-t", "ed25519", SERVER), "NP505"),
    Exchange(
        "session_algorithms_listed",
        "nmap's ssh2-enum-algos",
        "",
        ("nmap", "-Pn", "-n", "-sT", "-p", "22", "--script", "ssh2-enum-algos", SERVER),
        "NP505",
    ),
    Exchange(
        "session_question_unanswered",
        "nobody answers ssh's question about the host key until LoginGraceTime is over",
        "LoginGraceTime 2",
        ("ssh", "-F", "none", "-o", "UserKnownHostsFile=/dev/null", f"nobody@{SERVER}", "true"),
        "NP508",
        _asked,
    ),
)


def record(names: list[str]) -> int:
    """Record these (all). Exit code 1: one was not as its row says."""
    prefix = f"np{os.getpid():06x}-"
    client, server = f"{prefix}c", f"{prefix}s"
    wrong = 0
    try:
        netns.ip_batch([f"netns add {client}", f"netns add {server}"])
        netns.ip_batch([f"link add e0 netns {client} type veth peer name e0 netns {server}"])
        for name, address in ((client, CLIENT), (server, SERVER)):
            netns.ip_batch([f"address add {address}/24 dev e0", "link set lo up", "link set e0 up"], name)
        for one in EXCHANGES:
            if not names or one.name in names:
                wrong += not _one(one, client, server)
    finally:
        netns.remove(prefix)
    return int(wrong > 0)


def _one(one: Exchange, client: str, server: str) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        sshd = Sshd(server, 22, {"config": one.config}, Path(folder))
        process = sshd.start()
        sshd.wait_ready()
        seen = Path(folder, "seen.pcap")
        tcpdump = subprocess.Popen(
            ["ip", "netns", "exec", client, "tcpdump", "-i", "e0", "-U", "--immediate-mode", "-w", str(seen), "tcp"],
            stderr=subprocess.PIPE,
        )
        assert tcpdump.stderr is not None
        tcpdump.stderr.readline()
        with netns.entered(client):
            one.how(list(one.client))
        time.sleep(0.3)
        tcpdump.send_signal(signal.SIGINT)
        tcpdump.wait()
        process.terminate()
        process.wait()
        return _saved(one, seen)


def _saved(one: Exchange, seen: Path) -> bool:
    to = CAPTURES / f"{one.name}.pcapng"
    with tempfile.NamedTemporaryFile(suffix=".pcapng") as file:
        writer = CaptureWriter(os.dup(file.fileno()), file.name, about="the client's side, recorded by tcpdump")
        for record in CaptureReader(seen):
            writer.write(record)
        writer.close()
        path = Path(file.name)
        verdicts = analyze(path, AnalyzeOptions(files=(path,)), lambda verdict: None).verdicts
        found = {verdict.rule for verdict in verdicts}
        print(f"{'ok  ' if one.rule in found else 'FAIL'} {one.name}", *found, flush=True)
        if one.rule in found:
            to.write_bytes(path.read_bytes())
    if one.rule in found:
        write_case(to.with_suffix(".toml"), one.about, f"lab: tests/lab/exchanges.py, {one.name}, seen by the client")
    return one.rule in found


if __name__ == "__main__":
    sys.exit(record(sys.argv[1:]))
