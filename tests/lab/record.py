"""`make captures`: records captures/ anew, each scenario as a scan sees it, and from the server's side where that
helps.

House rules of this file:
1. Only what the table calls right is recorded: a scenario whose verdict is wrong stops the recording.
2. The case holds what the table says of the scenario, and the rule that was found.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from netprobe.analyze import analyze
from netprobe.model import Verdict
from netprobe.options import AnalyzeOptions
from netprobe.replay import server_name, value
from netprobe.wire.capture import CaptureReader
from netprobe.wire.writer import CaptureWriter
from tests.lab.scenario import Scenario
from tests.lab.score import Result, on_clients, score_one
from tests.lab.topology import Lab

CAPTURES = Path(__file__).resolve().parents[2] / "captures"


def record(names: list[str]) -> int:
    """Record these (all): the first of each cause in both families, the others in one. Exit code 1: one was wrong."""
    if not names:
        for old in [*CAPTURES.glob("*.pcapng"), *CAPTURES.glob("*.toml")]:
            old.unlink()
    jobs: list[tuple[Scenario, int]] = []
    seen: set[str] = set()
    with Lab(names or None) as lab:
        for scenario in lab.scenarios:
            both = scenario.cause not in seen
            seen.add(scenario.cause)
            jobs += [(scenario, family) for family in (scenario.families if both else scenario.families[:1])]

        def told(result: Result) -> None:
            print(f"{'FAIL' if result.faults else 'ok  '} {result.name}", *result.faults, flush=True)

        results = on_clients(lab, jobs, lambda scenario, family, client: _one(lab, scenario, family, client), told)
    wrong = any(result.faults for result in results)
    if not names:
        from tests.lab import exchanges, pairs
        from tests.ssh_matrix import cases

        wrong |= bool(pairs.record([])) | bool(cases.write()) | bool(exchanges.record([]))
    return int(wrong)


def _one(lab: Lab, scenario: Scenario, family: int, client: str) -> Result:
    """One scan, saved where its verdict is right."""
    name = scenario.name + ("" if family == scenario.families[0] else f"-v{family}")
    with tempfile.TemporaryDirectory() as folder:
        saved, seen = Path(folder) / "scan.pcapng", Path(folder) / "server.pcap"
        observer = _observe(lab, scenario, seen) if scenario.server_side and family == 4 else None
        result = score_one(lab, scenario, family, client, saved)
        if observer is not None:
            observer.send_signal(signal.SIGINT)
            observer.wait(10)
        if result.faults:
            return result
        (CAPTURES / f"{name}.pcapng").write_bytes(saved.read_bytes())
        write_case(CAPTURES / f"{name}.toml", scenario.about, _origin(scenario, family, "client"))
        if observer is not None:
            _convert(seen, CAPTURES / f"{name}-server.pcapng")
            own = f"{lab.address(scenario, 4)}:{scenario.port}"
            write_case(CAPTURES / f"{name}-server.toml", scenario.about, _origin(scenario, family, "server"), own)
    return result


def _observe(lab: Lab, scenario: Scenario, path: Path) -> subprocess.Popen[Any]:
    """A capture on the server's own interface, listening before it returns."""
    node = lab.plan.node_of(scenario, "target")
    address = lab.address(scenario, 4)
    options = ["-i", "any", "-n", "-U", "--immediate-mode", "-Z", "root", "-w", str(path)]
    argv = ["tcpdump", *options, f"host {address} and (tcp or icmp)"]
    process = lab.popen(node, argv, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if "listening on" in line:
            break
    return process


def _convert(source: Path, to: Path) -> None:
    """tcpdump's file as pcapng, frame by frame."""
    with to.open("w+b") as file:
        writer = CaptureWriter(os.dup(file.fileno()), str(to), about="the server's side, recorded by tcpdump")
        for one in CaptureReader(source):
            writer.write(one)
        writer.close()


def _origin(scenario: Scenario, family: int, side: str) -> str:
    simulated = "" if scenario.real else f"; simulated: {scenario.unreal_because}"
    return f"lab: {scenario.name}, IPv{family}, seen by the {side}{simulated}"


def write_case(path: Path, about: str, origin: str, only: str | None = None) -> None:
    """What the verdicts of the capture beside it are (of one server alone, its first); what they must be was compared
    before."""
    capture = path.with_suffix(".pcapng")
    lines = [f"about = {_toml(about)}", f"origin = {_toml(origin)}"]
    verdicts = analyze(capture, AnalyzeOptions(files=(capture,)), lambda verdict: None).verdicts
    for verdict in verdicts if only is None else [one for one in verdicts if server_name(one) == only][:1]:
        lines += ["", "[[expect]]", f'server = "{server_name(verdict)}"']
        lines += [f"{key} = {_toml(value(verdict, key))}" for key in _keys(verdict)]
    path.write_text("\n".join(lines) + "\n", "utf-8")


def _keys(verdict: Verdict) -> tuple[str, ...]:
    origin = ["origin_kind"]
    origin += ["origin_address"] if verdict.origin.address else []
    origin += ["origin_hop"] if verdict.origin.hop is not None else []
    origin += ["origin_between"] if verdict.origin.between else []
    return ("state", "cause", "certainty", "rule", *origin)


def _toml(found: Any) -> str:
    if isinstance(found, list):
        return "[" + ", ".join(_toml(one) for one in found) + "]"
    return str(found) if isinstance(found, int) else json.dumps(found)  # TOML's basic strings are JSON's


if __name__ == "__main__":
    sys.exit(record(sys.argv[1:]))
