"""`Lab`: builds the planned network, starts its servers, and takes all of it away again, whatever happens.

House rules of this file:
1. What was made is unmade: on leaving the context, on an exception, on SIGINT, SIGTERM and SIGHUP; what a killed run
   left is
   swept by the next one.
2. Nothing is shared between two labs: each has its own prefix.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

from tests.lab import arming, netns, serving
from tests.lab.node import SWITCHES, Node, iptables, ruleset, settings
from tests.lab.plan import Plan
from tests.lab.scenario import V4, V6, Place, Scenario
from tests.lab.scenarios import SCENARIOS

_ENDING = (signal.SIGTERM, signal.SIGHUP)


def available() -> str:
    """Why no lab can be built here, in words; empty where one can."""
    if os.geteuid() != 0:
        return "needs root"
    for tool in ("ip", "nft"):
        if not any(Path(folder, tool).exists() for folder in ("/usr/sbin", "/sbin", "/usr/bin", "/bin")):
            return f"needs {tool} (Debian packages iproute2, nftables)"
    try:
        probe = f"np{os.getpid():06x}z-probe"
        netns.ip_batch([f"netns add {probe}", f"netns del {probe}"])
    except (netns.LabError, OSError) as error:
        return f"network namespaces can't be made: {error}"
    return ""


def chosen(names: Iterable[str | Scenario] | None) -> tuple[Scenario, ...]:
    """The scenarios of these names, and those whose verdicts they refer to; all for None. Scenarios that are given
    themselves needn't be in the table. Raises LabError."""
    if names is None:
        return SCENARIOS
    known = {scenario.name: scenario for scenario in SCENARIOS}
    given = list(names)
    others = tuple(one for one in given if isinstance(one, Scenario) and one.name not in known)
    wanted = {one if isinstance(one, str) else one.name for one in given} - {one.name for one in others}
    unknown = sorted(wanted - set(known))
    if unknown:
        raise netns.LabError(f"no such scenario: {', '.join(unknown)} (see: python -m tests.lab list)")
    for name in list(wanted):
        wanted.update(known[name].verdicts)
    return (*(scenario for scenario in SCENARIOS if scenario.name in wanted), *others)


class Lab:
    """A running lab. `with Lab(["no_listener"]) as lab: lab.exec("c0", [...])`; without names, every scenario."""

    _count = 0

    def __init__(self, scenarios: Iterable[str | Scenario] | None = None, clients: int = 4, forged: int = 3) -> None:
        self.scenarios = chosen(scenarios)
        self.clients = tuple(f"c{index}" for index in range(clients))
        self.forged = forged  # forged packets of each kind per SYN, where a scenario has a forger
        letter = "" if Lab._count == 0 else chr(ord("a") + (Lab._count - 1) % 25)
        Lab._count += 1
        self.prefix = f"np{os.getpid():06x}{letter}-"
        self.plan = Plan(self.scenarios, clients)
        self.folder = Path()  # of configurations and keys, while the lab runs
        self._processes: list[subprocess.Popen[Any]] = []
        self._before: dict[signal.Signals, Any] = {}
        self._held: list[socket.socket] = []
        self._temporary: tempfile.TemporaryDirectory[str] | None = None

    # ------------------------------------------------------------------ life

    @staticmethod
    def sweep() -> int:
        """Take away what dead runs left behind; returns the number of namespaces removed."""
        removed = 0
        folders = Path(tempfile.gettempdir())
        for prefix in netns.dead_prefixes(folders):
            removed += netns.remove(prefix)
            for folder in folders.glob(f"{prefix}*"):
                if folder.stat().st_uid == os.geteuid():
                    shutil.rmtree(folder)
        return removed

    def __enter__(self) -> Self:
        self.sweep()
        netns.remove(self.prefix)  # an old run that had this process id
        self._catch_signals()
        try:
            self._build()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every process of the lab and remove it. Signals wait meanwhile. May be called twice."""
        waiting = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, *_ENDING])
        try:
            for held in self._held:
                held.close()
            self._held.clear()
            for process in self._processes:
                if process.poll() is None:
                    process.terminate()
            netns.remove(self.prefix)
            for process in self._processes:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(0.5)
                if process.poll() is None:
                    process.kill()
                    process.wait()
            self._processes.clear()
            if self._temporary:
                self._temporary.cleanup()
                self._temporary = None
        finally:
            self._release_signals()
            signal.pthread_sigmask(signal.SIG_SETMASK, waiting)

    def _catch_signals(self) -> None:
        def leave(number: int, frame: FrameType | None) -> None:
            raise SystemExit(128 + number)

        if threading.current_thread() is threading.main_thread():
            for number in _ENDING:
                if signal.getsignal(number) == signal.SIG_DFL:
                    self._before[number] = signal.signal(number, leave)

    def _release_signals(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    # ------------------------------------------------------------------ building

    def _build(self) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix=self.prefix)
        self.folder = Path(self._temporary.name)
        nodes = self.plan.nodes.values()
        netns.ip_batch(f"netns add {self.namespace(node.name)}" for node in nodes)
        for node in nodes:
            netns.sysctl(self.namespace(node.name), settings(node))
        netns.ip_batch(
            f"link add name {device} netns {self.namespace(one)} type veth "
            f"peer name {port} netns {self.namespace(other)}"
            for one, device, other, port in self.plan.links
        )
        devices: dict[str, list[str]] = {node.name: [] for node in nodes}
        for one, device, other, port in self.plan.links:
            devices[one].append(device)
            devices[other].append(port)
        for node in nodes:
            self._configure(node, devices[node.name])
        for name in (*self.clients, *(name for name in self.plan.nodes if name.startswith("c_"))):
            folder = netns.OVERLAY / self.namespace(name)
            folder.mkdir(parents=True)
            (folder / "resolv.conf").write_text(
                f"nameserver {self.node_address('dns', V4)}\noptions timeout:1 attempts:2\n"
            )
        serving.start(self, self._processes)
        for scenario in self.scenarios:
            self.prepare(scenario)

    def _configure(self, node: Node, devices: Sequence[str]) -> None:
        name = self.namespace(node.name)
        lines = ["link set lo up"]
        if node.name in SWITCHES:
            lines.append("link add br0 type bridge mcast_snooping 0")
            lines += [f"link set {device} master br0" for device in devices]
            devices = [*devices, "br0"]
        lines += [f"link set {device} up" for device in devices]
        netns.ip_batch([*lines, *node.commands], name)
        self.load_rules(node.name)
        with netns.entered(name):
            for command in iptables(node):
                netns.run(command)

    def load_rules(self, node: str) -> None:
        """Load a node's nftables rules afresh: limits begin anew."""
        text = ruleset(self.plan.nodes[node])
        if text:
            netns.nft(self.namespace(node), text)

    # ------------------------------------------------------------------ use

    def namespace(self, node: str) -> str:
        """The namespace of a node."""
        return f"{self.prefix}{node}"

    def scenario(self, name: str) -> Scenario:
        """The scenario of this name; KeyError where the lab doesn't hold it."""
        for scenario in self.scenarios:
            if scenario.name == name:
                return scenario
        raise KeyError(name)

    def address(self, scenario: Scenario | str, family: int = V4) -> str:
        """The address that is dialled in a scenario."""
        return self.plan.address(self.scenario(scenario) if isinstance(scenario, str) else scenario, family)

    def target(self, scenario: Scenario | str, family: int = V4) -> str:
        """What to give to a tool: the address, or the name where the scenario is about a name."""
        found = self.scenario(scenario) if isinstance(scenario, str) else scenario
        return found.host or self.address(found, family)

    def node_address(self, node: str, family: int = V4, scenario: Scenario | None = None) -> str:
        """The address under which clients see a node; `target`, `box` and `backend` need the scenario."""
        if scenario and node == "target":
            return self.address(scenario, family)
        name = self.plan.node_of(scenario, node) if scenario else node
        return self.plan.nodes[name].addresses[family]

    def hop(self, node: str, scenario: Scenario, client: str = "c0") -> int | None:
        """How many hops from `client` a node is; None for an address without a machine."""
        found = self.plan.nodes.get(self.plan.node_of(scenario, node))
        if found is None:
            return None
        further = 1 if client == "c_proxied" and found.name not in ("gw", "c_proxied") else 0
        return found.hop + further if found.hop else 0

    def place(self, place: Place, scenario: Scenario, family: int, client: str = "c0") -> dict[str, Any]:
        """An expected origin in the words of a verdict: kind, address, hop, between. Keys that don't apply are None."""

        def address(node: str | None) -> str | None:
            if node is None:
                return None
            return self.node_address(client if node == "client" else node, family, scenario)

        return {
            "kind": place.kind,
            "address": address(place.node),
            "hop": self.hop(place.node, scenario, client) if place.node and place.node != "client" else None,
            "between": [address(node) for node in place.between] if place.between else None,
        }

    def client_for(self, scenario: Scenario, turn: int = 0) -> str:
        """Who is to scan a scenario: its own client, or the `turn`-th of the identical ones."""
        return scenario.client or self.clients[turn % len(self.clients)]

    def prepare(self, scenario: Scenario | str, client: str | None = None, families: Sequence[int] = (V4, V6)) -> None:
        """Bring a scenario into its first state again, where being scanned changes it. To be called before each
        scan."""
        found = self.scenario(scenario) if isinstance(scenario, str) else scenario
        if found.arm:
            arming.ARMS[found.arm](self, found, [client] if client else list(self.clients), families)

    def hold(self, sock: socket.socket) -> None:
        """Keep a socket open until the lab ends."""
        self._held.append(sock)

    def exec(self, node: str, argv: Sequence[str], **options: Any) -> subprocess.CompletedProcess[Any]:
        """Run a command on a node and wait for it (subprocess.run's options)."""
        options.setdefault("check", False)
        return subprocess.run(self.command(node, argv), **options)  # noqa: PLW1510 - it is among the options

    def popen(self, node: str, argv: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
        """Start a command on a node; it is ended with the lab (subprocess.Popen's options)."""
        process: subprocess.Popen[Any] = subprocess.Popen(self.command(node, argv), **options)
        self._processes.append(process)
        return process

    def command(self, node: str, argv: Sequence[str]) -> list[str]:
        """The command line that runs `argv` on a node."""
        return ["ip", "netns", "exec", self.namespace(node), *argv]
