"""`make bench`: how long a whole `netprobe scan` takes beside nmap, measured by hyperfine in one run. Quote the
ratios."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.lab.topology import Lab

# scenario, the most that is allowed: as a multiple of nmap, or in seconds
AGAINST_NMAP = (("up", 1.5), ("no_listener", 1.5), ("reset_host", 1.5), ("reject_admin_host", 1.5))
IN_SECONDS = (("drop_host", 6.0), ("drop_r1", 6.0), ("host_off", 6.0), ("host_silent", 6.0))
MANY = ("drop_host", "no_listener", "up", "reset_host", "reject_port_host", "drop_r1", "reset_r1", "backlog_full")


def bench() -> int:
    """Print the table; exit code 1 when a figure is missed."""
    missed = 0
    names = [name for name, _ in AGAINST_NMAP + IN_SECONDS] + list(MANY)
    with Lab(dict.fromkeys(names), clients=1) as lab:
        netprobe = [sys.executable, "-m", "netprobe", "scan", "-q"]
        print(f"{'scenario':20} {'netprobe s':>11} {'nmap -sV s':>11} {'ratio':>6}  allowed")
        for name, allowed in AGAINST_NMAP:
            target = lab.target(name)
            ours, nmap = _measure(lab, [*netprobe, target], ["nmap", "-sV", "-Pn", "-n", "-p22", target])
            missed += ours / nmap > allowed
            print(f"{name:20} {ours:11.3f} {nmap:11.3f} {ours / nmap:6.2f}  {allowed} x", flush=True)
        for name, allowed in IN_SECONDS:
            (ours,) = _measure(lab, [*netprobe, lab.target(name)], runs=2)
            missed += ours > allowed
            print(f"{name:20} {ours:11.3f} {'':11} {'':6}  {allowed} s", flush=True)
        start = time.monotonic()
        lab.exec("c0", [*netprobe, "--no-elsewhere", lab.target("drop_host")], stdout=subprocess.DEVNULL)
        slowest = time.monotonic() - start
        targets = [f"{lab.target(name)}:{port}" for name in MANY for port in (22, 23, 24, 25, 26)]
        start = time.monotonic()
        lab.exec("c0", [*netprobe, "--expect", "ssh", *targets], stdout=subprocess.DEVNULL)
        many = time.monotonic() - start
        missed += many > 2 * slowest
        print(
            f"{len(targets)} targets at once: {many:.2f} s, slowest alone {slowest:.2f} s, ratio {many / slowest:.2f}"
        )
    return int(bool(missed))


def _measure(lab: Lab, *commands: list[str], runs: int = 7) -> list[float]:
    """Median wall time of each command, from one hyperfine run on the client."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "times.json"
        argv = ["hyperfine", "-N", "-i", "-w", "1", "-r", str(runs), "--style", "none", "--export-json", str(out)]
        lab.exec(
            "c0",
            [*argv, *(" ".join(command) for command in commands)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        return [result["median"] for result in json.loads(out.read_text())["results"]]
