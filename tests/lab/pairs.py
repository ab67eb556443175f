"""Both ends of a connection captured at once: `python -m tests.lab.pairs [SCENARIO...]` records captures/pair_*.

House rules of this file:
1. An ordinary client connects, no scan: what it sends is what a user's captures would hold.
2. Before and after it, the same client asks a closed port, so that both captures are seen to run and to see both
   hosts.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netprobe import analyze_pair
from netprobe.model import Verdict
from netprobe.options import AnalyzeOptions
from netprobe.replay import server_name, value
from netprobe.wire.capture import CaptureReader
from netprobe.wire.writer import CaptureWriter
from tests.lab import netns
from tests.lab.record import CAPTURES, _keys, _toml
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
        "drop_host_one_client_port",
        "the host drops what comes from one port of the client",
        "dropped",
        "filtered",
        SILENT,
        serves=(Serve("sshd"),),
        rules=(Rule("target", "input", f"tcp dport 22 tcp sport {CHOSEN_PORT} drop", key=None),),
    ),
    Scenario(
        "answers_drop_r2",
        "r2 drops everything that the host sends",
        "reply-filtered",
        "filtered",
        SILENT,
        serves=(Serve("sshd"),),
        rules=(Rule("r2", "forward", "drop", key="saddr"),),
    ),
    Scenario(
        "reject_r2_in_the_name_of_the_host",
        "r2 rejects, and writes the host's address into its errors",
        "rejected-on-path",
        "filtered",
        SILENT,
        serves=(Serve("silent"),),
        rules=(
            Rule("r2", "forward", f"tcp dport 22 tcp sport {CHOSEN_PORT} reject with icmp net-prohibited", ""),
            Rule("r2", "output", "icmp type destination-unreachable icmp code 9 ip saddr set {target}", "", key=None),
        ),
        families=(V4,),
    ),
    Scenario(
        "path_mtu_probing",
        "a link of MTU 1280 whose packet-too-big messages are filtered, before a server that probes for it",
        "path-mtu-black-hole",
        "open",
        OPEN,
        site="box",
        box_mtu=1280,
        serves=(Serve("sshd", options=(("big_kexinit", True),)),),
        sysctls=(("target", "ipv4/tcp_mtu_probing", "1"),),
        rules=(
            Rule(
                "box",
                "output",
                "icmp type destination-unreachable drop",
                "icmpv6 type packet-too-big drop",
                key=None,
            ),
        ),
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
    *("drop_r2_raw", "reset_on_wire", "host_silent_r1"),
)


# What the two captures of each scenario must come to: cause, certainty, on which side the cause lies.
RIGHT: dict[str, tuple[str, str, str | None]] = {
    "up": ("up", "certain", None),
    "rewritten_r1": ("up", "certain", None),
    "forward_up": ("up", "certain", None),
    "drop_host": ("dropped", "possible", "server"),
    "drop_host_one_client_port": ("dropped", "possible", "server"),
    "backlog_full": ("dropped", "possible", "server"),
    "host_silent": ("dropped", "possible", "server"),
    "no_return_route": ("dropped", "possible", "server"),
    "synack_drop_host": ("dropped", "possible", "server"),
    "drop_r1": ("dropped", "likely", "way-there"),
    "drop_r2": ("dropped", "likely", "way-there"),
    "drop_r2_raw": ("dropped", "likely", "way-there"),
    "drop_r2_one_client_port": ("dropped", "certain", "way-there"),
    "host_silent_r1": ("dropped", "possible", "way-there"),
    "synack_drop_r2": ("reply-filtered", "certain", "way-back"),
    "synack_drop_r2_one_client_port": ("reply-filtered", "certain", "way-back"),
    "replies_drop_r2": ("reply-filtered", "certain", "way-back"),
    "answers_drop_r2": ("reply-filtered", "likely", "way-back"),
    "banner_drop_r2": ("reply-filtered", "certain", "way-back"),
    "ack_drop_r2": ("handshake-blocked", "certain", "way-there"),
    "request_drop_r2": ("handshake-blocked", "certain", "way-there"),
    "reset_r1": ("reset-on-path", "likely", "path"),
    "reset_r2": ("reset-on-path", "likely", "path"),
    "reset_r1_one_client_port": ("reset-on-path", "certain", "path"),
    "reset_on_wire": ("reset-on-path", "certain", "path"),
    "reset_by_ids": ("reset-on-path", "certain", "path"),
    "reset_after_handshake_r2": ("reset-on-path", "certain", "path"),
    "reset_to_server_r2": ("reset-on-path", "certain", "path"),
    "synproxy_dead": ("syn-proxy", "certain", "path"),
    "reject_admin_r2": ("rejected-on-path", "certain", "way-there"),
    "reject_r2_in_the_name_of_the_host": ("rejected-on-path", "certain", "path"),
    "reset_host": ("no-listener", "possible", "server"),
    "no_listener": ("no-listener", "possible", "server"),
    "no_listener_bleached": ("no-listener", "possible", "server"),
    "reject_port_host": ("rejected-by-host", "certain", "server"),
    "forward_closed": ("forward-without-backend", "certain", "server"),
    "path_mtu_black_hole": ("path-mtu-black-hole", "likely", "way-back"),
    "path_mtu_black_hole_800": ("path-mtu-black-hole", "likely", "way-back"),
    "path_mtu_probing": ("path-mtu-black-hole", "certain", "way-back"),
}


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
        _ping(remote)
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


def _ping(remote: str) -> None:
    """One echo request; the kernel of its sender throws the reply away, the captures have it."""
    six = ":" in remote
    message = struct.pack("!BBHHH", 128 if six else 8, 0, 0, 7, 1)
    if not six:
        message = struct.pack("!BBHHH", 8, 0, 0xFFFF - (0x0800 + 7 + 1), 7, 1)
    protocol = socket.IPPROTO_ICMPV6 if six else socket.IPPROTO_ICMP
    with socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_RAW, protocol) as sock:
        sock.sendto(message, (remote, 0))


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


def judge(scenario: Scenario, ends: Ends) -> tuple[Verdict | None, list[str]]:
    """The verdict of the scenario's own attempt, and what is wrong with it."""
    options = AnalyzeOptions(pair=(ends.client, ends.server))
    verdicts = analyze_pair.run(options, lambda verdict: None, lambda text: None).verdicts
    own = next((one for one in verdicts if one.port == scenario.port), None)
    if own is None or own.pair is None:
        return None, ["no verdict"]
    found = (own.cause, own.certainty.value, own.pair.side)
    right = RIGHT[scenario.name]
    return own, [] if found == right else [f"{found}, should be {right}; words: {own.because}"]


def run(lab: Lab, families: tuple[int, ...], folder: Path, told: Callable[[Result], None]) -> list[Result]:
    """Capture both ends of every scenario of a lab, and judge."""
    jobs = [(one, family) for one in lab.scenarios for family in families if family in one.families]

    def work(scenario: Scenario, family: int, client: str) -> Result:
        try:
            _, faults = judge(scenario, capture(lab, scenario, family, client, folder))
        except Exception as error:  # noqa: BLE001 - one scenario's trouble must not hide the others' results
            faults = [f"{type(error).__name__}: {error}"]
        return Result(scenario, family, None, faults)

    return on_clients(lab, jobs, work, told)


def record(names: Sequence[str]) -> int:
    """Record these pairs (all) into captures/, where their verdicts are right. Exit code 1: one was not."""
    if not names:
        for old in CAPTURES.glob("pair_*"):
            old.unlink()
    chosen = scenarios(names)
    with tempfile.TemporaryDirectory() as text, Lab(chosen) as lab:
        folder = Path(text)
        results = run(lab, (V4,), folder, lambda r: print("FAIL" if r.faults else "ok  ", r.name, *r.faults))
        for result in results:
            if not result.faults:
                _save(result.scenario, folder)
    return int(any(result.faults for result in results))


def _save(scenario: Scenario, folder: Path) -> None:
    """Both captures and their case, of the scenario's own attempt."""
    ends = Ends(CAPTURES / f"pair_{scenario.name}.pcapng", CAPTURES / f"pair_{scenario.name}-server.pcapng")
    for side, path in (("client", ends.client), ("server", ends.server)):
        _convert(folder / f"{scenario.name}-{side}.pcap", path, side)
    own, faults = judge(scenario, ends)
    assert own is not None, faults
    simulated = "" if scenario.real else f"; simulated: {scenario.unreal_because}"
    origin = f"lab: {scenario.name}, IPv4, seen by both ends{simulated}"
    text = pair_case(own, scenario.about, origin, ends.server.name)
    ends.client.with_suffix(".toml").write_text(text, "utf-8")


def pair_case(own: Verdict, about: str, origin: str, server: str) -> str:
    """The case of a pair: what the verdict of its own attempt is; `server`: the file of the server's capture."""
    lines = [
        f"about = {_toml(about)}",
        f"origin = {_toml(origin)}",
        f"server_capture = {_toml(server)}",
        "",
        "[[expect]]",
        f"server = {_toml(server_name(own))}",
        f"client = {_toml(str(own.client))}",
        *(f"{key} = {_toml(value(own, key))}" for key in _keys(own)),
    ]
    return "\n".join(lines) + "\n"


def _convert(source: Path, to: Path, side: str) -> None:
    """tcpdump's file as pcapng, TCP and ICMP only."""
    with to.open("w+b") as file:
        writer = CaptureWriter(os.dup(file.fileno()), str(to), about=f"the {side}'s side, recorded by tcpdump")
        for one in CaptureReader(source):
            writer.write(one)
        writer.close()


if __name__ == "__main__":
    sys.exit(record(sys.argv[1:]))
