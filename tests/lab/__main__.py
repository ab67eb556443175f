"""`python -m tests.lab`: list the scenarios, keep a lab up, check that the wire shows what the table says."""

from __future__ import annotations

import argparse
import signal
import sys

from tests.lab.netns import LabError
from tests.lab.scenario import V4, V6
from tests.lab.scenarios import SCENARIOS
from tests.lab.topology import Lab, available, chosen


def _list(names: list[str]) -> int:
    for scenario in chosen(names or None):
        mark = " " if scenario.real else "*"
        print(f"{scenario.name:28}{mark}{scenario.cause:24} {scenario.state:9} {scenario.certainty:9} {scenario.about}")
    print(f"{len(SCENARIOS)} scenarios; * = packets written by a program")
    return 0


def _up(names: list[str]) -> int:
    with Lab(names or None) as lab:
        for scenario in lab.scenarios:
            addresses = " ".join(lab.target(scenario, family) for family in scenario.families)
            print(f"{scenario.name:28} {scenario.client or '':10} {scenario.port:5} {addresses}")
        print(f"\nenter a client:  ip netns exec {lab.namespace('c0')} bash      (c0 .. c{len(lab.clients) - 1})")
        print("Ctrl-C takes it all away.", flush=True)
        signal.pause()
    return 0


def _check(names: list[str]) -> int:
    from tests.lab.check import check

    with Lab(names or None) as lab:
        return check(lab)


def _run(names: list[str]) -> int:
    """The score of every scenario, with privilege and the replay of each scan's own file, then without privilege."""
    from tests.lab.score import Result, run, summary

    def told(result: Result) -> None:
        cause = result.verdict["cause"] if result.verdict else "-"
        print(f"{'FAIL' if result.faults else 'ok  '} {result.name:32} {cause:24} {result.seconds:5.1f} s", flush=True)
        for line in result.trouble.splitlines():
            print(f"     {line}", flush=True)

    with Lab(names or None) as lab:
        captured = run(lab, told)
        print("without privilege (connect() and its error queue):")
        connected = run(lab, told, privileged=False)
    print(f"with privilege: {summary(captured)}")
    print(f"without: {summary(connected)}")
    return int(any(result.faults for result in captured + connected))


def _record(names: list[str]) -> int:
    from tests.lab.record import record

    return record(names)


def main() -> int:
    """Exit code: 0 fine, 1 a check failed, 3 no lab can be built here."""
    parser = argparse.ArgumentParser(prog="python -m tests.lab", description=__doc__)
    parser.add_argument("command", choices=("list", "up", "check", "run", "record", "demo", "bench", "sweep"))
    parser.add_argument("scenario", nargs="*")
    given = parser.parse_args()
    if given.command == "list":
        return _list(given.scenario)
    if given.command == "demo":
        from tests.lab.demo import demo

        return demo()
    if why := available():
        print(f"no lab: {why}", file=sys.stderr)
        return 3
    if given.command == "sweep":
        print(f"{Lab.sweep()} namespaces removed")
        return 0
    try:
        if given.command == "bench":
            from tests.lab.bench import bench

            return bench()
        return {"up": _up, "check": _check, "run": _run, "record": _record}[given.command](given.scenario)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        return 130


__all__ = ["V4", "V6", "main"]

if __name__ == "__main__":
    sys.exit(main())
