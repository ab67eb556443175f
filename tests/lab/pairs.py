"""Both ends of a connection captured at once: `python -m tests.lab.pairs FOLDER [SCENARIO...]`.

House rules of this file:
1. An ordinary client connects, no scan: what it sends is what a user's captures would hold.
2. Before and after it, the same client asks a closed port, so that both captures are seen to run and to see both
   hosts.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab import netns
from tests.lab.scenario import V4, Rule, Scenario, Serve
from tests.lab.scenarios import SCENARIOS
from tests.lab.score import Result, on_clients
from tests.lab.table.words import OPEN, SILENT
from tests.lab.topology import Lab

CONTROL = 35000
PATIENCE_S = 5.5  # SYNs at 0, 1, 2, 3, 4 s
IDENT = b"SSH-2.0-client\r\n"
CHOSEN_PORT = 40077  # of the client, where a filter looks at it

EXTRA = (
    Scenario(
        "drop_r2_one_client_port", "r2 drops what comes from one port of the client; the others get through", "dropped",
        "filtered", SILENT, serves=(Serve("sshd"),),
        rules=(Rule("r2", "forward", f"tcp dport 22 tcp sport {CHOSEN_PORT} drop"),),
    ),
    Scenario(
        "reset_r1_one_client_port", "r1 resets what comes from one port of the client", "reset-on-path", "closed",
        SILENT, serves=(Serve("sshd"),),
        rules=(Rule("r1", "forward", f"tcp dport 22 tcp sport {CHOSEN_PORT} reject with tcp reset"),),
    ),
    Scenario(
        "synack_drop_r2_one_client_port", "r2 drops the SYN-ACK to one port of the client", "reply-filtered",
        "filtered", SILENT, serves=(Serve("sshd"),),
        rules=(
            Rule("r2", "forward", f"tcp sport 22 tcp dport {CHOSEN_PORT} drop", key="saddr"),
        ),
    ),
    Scenario(
        "reset_to_server_r2", "r2 resets the server's words in the client's name", "reset-on-path", "open", OPEN,
        serves=(Serve("sshd"),),
        rules=(Rule("r2", "forward", "tcp sport 22 tcp flags & psh == psh reject with tcp reset", key="saddr"),),
    ),
    Scenario(
        "banner_drop_r2", "r2 drops what the server says", "reply-filtered", "open", OPEN, serves=(Serve("sshd"),),
        rules=(Rule("r2", "forward", "tcp sport 22 tcp flags & psh == psh drop", key="saddr"),),
    ),
    Scenario(
        "request_drop_r2", "r2 drops what the client says", "handshake-blocked", "open", OPEN,
        serves=(Serve("silent"),),
        rules=(Rule("r2", "forward", "tcp dport 22 tcp flags & psh == psh drop"),),
    ),
    Scenario(
        "rewritten_r1", "r1 lowers the MSS, takes timestamps away and sets DSCP 10", "up", "open", OPEN,
        serves=(Serve("sshd"),),
        rules=(
            Rule("r1", "forward", "tcp dport 22 tcp flags & syn == syn tcp option maxseg size set 1300"),
            Rule("r1", "forward", "tcp dport 22 reset tcp option timestamp"),
            Rule("r1", "forward", "ip dscp set 10", "ip6 dscp set 10"),
        ),
    ),
)  # fmt: skip
NAMES = (
    *("up", "drop_host", "backlog_full", "drop_r1", "drop_r2", "host_silent", "no_return_route", "synack_drop_host"),
    *("synack_drop_r2", "replies_drop_r2", "ack_drop_r2", "reset_r1", "reset_r2", "reset_host", "no_listener"),
    *("no_listener_bleached", "reset_after_handshake_r2", "reset_by_ids", "reject_admin_r2", "reject_port_host"),
    *("forward_up", "forward_closed", "path_mtu_black_hole", "path_mtu_black_hole_800", "synproxy_dead"),
    *("drop_r2_raw", "reset_on_wire"),
)


def scenarios(names: Sequence[str] = ()) -> list[Scenario]:
    """Those that both ends are captured of."""
    known = {one.name: one for one in (*SCENARIOS, *EXTRA)}
    return [known[name] for name in (names or (*NAMES, *(one.name for one in EXTRA)))]


@dataclass(slots=True)
class Ends:
    """The two captures of one scenario."""

    client: Path
    server: Path


def capture(lab: Lab, scenario: Scenario, family: int, client: str, folder: Path) -> Ends:
    """Let an ordinary client connect while both ends are captured."""
    lab.prepare(scenario, client, (family,))
    name = scenario.name + ("" if family == V4 else f"-v{family}")
    ends = Ends(folder / f"{name}-client.pcap", folder / f"{name}-server.pcap")
    node = lab.plan.node_of(scenario, "backend" if scenario.site == "nat" else "target")
    watching = [_watch(lab, node, ends.server), _watch(lab, client, ends.client)]
    remote = lab.address(scenario, family)
    local = lab.node_address(client, family)
    with netns.entered(lab.namespace(client)):
        _connect((local, 0), (remote, CONTROL), 0.6)
        time.sleep(0.3)
        _connect((local, CHOSEN_PORT if scenario in EXTRA else 0), (remote, scenario.port), PATIENCE_S)
        if scenario in EXTRA:
            _connect((local, 0), (remote, scenario.port), 0.6)
        time.sleep(1.3)
        _connect((local, 0), (remote, CONTROL), 0.6)
    time.sleep(0.3)
    for process in watching:
        process.send_signal(signal.SIGINT)
    for process in watching:
        process.wait(10)
    return ends


def _watch(lab: Lab, node: str, path: Path) -> subprocess.Popen[Any]:
    options = ["-i", "any", "-n", "-U", "--immediate-mode", "-Z", "root", "-w", str(path)]
    process = lab.popen(node, ["tcpdump", *options, "not port 53"], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if "listening on" in line:
            break
    return process


def _connect(local: tuple[str, int], remote: tuple[str, int], patience_s: float) -> None:
    """Connect, listen, identify, and go. Every failure is what was wanted."""
    kind = socket.AF_INET6 if ":" in remote[0] else socket.AF_INET
    with socket.socket(kind, socket.SOCK_STREAM) as sock, suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(local)
        sock.settimeout(patience_s)
        began = time.monotonic()
        sock.connect(remote)
        sock.settimeout(0.5)
        with suppress(TimeoutError):
            sock.recv(512)
        sock.sendall(IDENT)
        sock.settimeout(max(0.3, min(patience_s, began + patience_s - time.monotonic())))
        while sock.recv(4096):
            pass


def record(folder: Path, names: Sequence[str], families: tuple[int, ...] = (V4,)) -> None:
    """Capture both ends of these scenarios (all)."""
    chosen = scenarios(names)
    with Lab(chosen) as lab:
        jobs = [(one, family) for one in chosen for family in families if family in one.families]

        def work(scenario: Scenario, family: int, client: str) -> Result:
            capture(lab, scenario, family, client, folder)
            return Result(scenario, family, None)

        on_clients(lab, jobs, work, lambda result: print(result.name, flush=True))


if __name__ == "__main__":
    record(Path(sys.argv[1]), sys.argv[2:])
