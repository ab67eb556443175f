"""Starts the servers of a lab: one process for all the small ones, one for each sshd."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.lab import netns
from tests.lab.scenario import V4, V6, Scenario
from tests.lab.sshd import Sshd

if TYPE_CHECKING:
    from tests.lab.topology import Lab

ROOT = Path(__file__).resolve().parents[2]
ZONE = "lab.test"  # every scenario with an address is NAME.lab.test, with - for _


def zone(lab: Lab) -> dict[str, list[str]]:
    """What the lab's name server knows."""
    found = {}
    for scenario in lab.scenarios:
        if scenario.site != "name":
            name = f"{scenario.name}.{ZONE}".replace("_", "-")
            found[name] = [lab.address(scenario, family) for family in scenario.families]
        elif scenario.host and scenario.verdicts:
            found[scenario.host] = [lab.address(name, V4) for name in scenario.verdicts]
    return found


def _filled(lab: Lab, scenario: Scenario, value: object) -> object:
    """`address NODE` in a server's option becomes the node's addresses, one for each family; `port SWITCH NODE` the
    interface of a switch towards a node."""
    if isinstance(value, str) and value.startswith("port "):
        return lab.plan.port_towards(*value.split()[1:])
    if isinstance(value, str) and value.startswith("address "):
        return [lab.node_address(value.removeprefix("address "), family, scenario) for family in (V4, V6)]
    return value


def start(lab: Lab, processes: list[subprocess.Popen[Any]]) -> None:
    """Start everything, add it to `processes` as it starts, and wait until it listens. Raises LabError."""
    wanted: list[dict[str, Any]] = [
        {"netns": lab.namespace("dns"), "kind": "dns", "port": 53, "options": {"zone": zone(lab)}}
    ]
    sshds = []
    for scenario in lab.scenarios:
        for serve in scenario.serves:
            name = lab.namespace(lab.plan.node_of(scenario, serve.node))
            if serve.kind == "sshd":
                sshds.append(Sshd(name, serve.port, dict(serve.options), lab.folder))
                continue
            options = {key: _filled(lab, scenario, value) for key, value in serve.options}
            options.update(forged=lab.forged, addresses=[lab.address(scenario, f) for f in scenario.families])
            wanted.append({"netns": name, "kind": serve.kind, "port": serve.port, "options": options})
    processes.extend(sshd.start() for sshd in sshds)
    services = subprocess.Popen(
        [sys.executable, "-m", "tests.lab.services"],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    processes.append(services)
    assert services.stdin is not None
    assert services.stdout is not None
    services.stdin.write(json.dumps(wanted) + "\n")
    services.stdin.flush()
    said = services.stdout.readline().strip()
    if said != "ready":
        raise netns.LabError(f"the servers did not start: {said or 'see above'}")
    for sshd in sshds:
        sshd.wait_ready()
