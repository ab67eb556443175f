"""`make demo`: a dozen broken servers, one scan, one table. Without a lab, the shipped captures are analysed
instead."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.lab.netns import LabError
from tests.lab.topology import Lab, available

SCENARIOS = (
    "up",
    "no_listener",
    "sshd_moved",
    "reset_host",
    "reset_r1",
    "reject_port_host",
    "reject_admin_r2",
    "drop_r1",
    "drop_host",
    "backlog_full",
    "synack_drop_r2",
    "host_off",
    "forward_closed",
    "text_max_startups",
    "http",
    "local_output_reset",
)
CAPTURES = Path(__file__).resolve().parents[2] / "captures"


def demo() -> int:
    """Show the lab's verdicts, or those of the captures. Exit code 0: it is a demonstration."""
    if why := available():
        return _captures(why)
    print(
        f"Building a network of namespaces with {len(SCENARIOS)} servers, most of them broken ...",
        file=sys.stderr,
        flush=True,
    )
    try:
        with Lab(SCENARIOS, clients=1) as lab:
            targets = [f"{lab.target(name)}" for name in SCENARIOS]
            width = str(max(len(name) for name in SCENARIOS))
            for name, target in zip(SCENARIOS, targets, strict=True):
                print(f"  {target:15} {name:{width}} {lab.scenario(name).about}")
            print(f"\n$ sudo netprobe scan {' '.join(targets[:3])} ...\n", flush=True)
            done = lab.exec("c0", [sys.executable, "-m", "netprobe", "scan", *targets])
            if done.returncode not in (0, 1):
                return done.returncode
            print("\nOne of them alone, with its proof:\n")
            print(f"$ sudo netprobe scan -v {targets[3]}\n", flush=True)
            lab.exec("c0", [sys.executable, "-m", "netprobe", "scan", "-v", targets[3]])
    except LabError as error:
        return _captures(str(error))
    return 0


def _captures(why: str) -> int:
    print(
        f"No namespaces can be made here ({why}): analysing the shipped captures of the same network instead.",
        file=sys.stderr,
    )
    files = [str(path) for name in SCENARIOS if (path := CAPTURES / f"{name}.pcapng").exists()]
    return subprocess.run([sys.executable, "-m", "netprobe", "analyze", *files], check=False).returncode & 2
