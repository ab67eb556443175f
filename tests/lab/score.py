"""Scans every scenario with netprobe, as a user would, and compares each verdict with the table.

House rules of this file:
1. What is right stands in scenarios.py; this file only compares.
2. A wrong verdict that says `certain` is counted apart: it is the worst there is.
"""

from __future__ import annotations

import json
import queue
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from netprobe.analyze import analyze
from netprobe.options import AnalyzeOptions
from netprobe.report import json as report_json
from tests.lab.scenario import Scenario
from tests.lab.topology import Lab

# The client's own rules and routes are keyed by address, so any client may scan any scenario; but a scenario that is
# armed
# (limits, four-tuples) is scanned by one client at a time.
TIME_LIMIT_S = 120


@dataclass(slots=True)
class Result:
    """One scan of one scenario in one family."""

    scenario: Scenario
    family: int
    verdict: dict[str, Any] | None
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def wrong_and_certain(self) -> bool:
        """The worst there is."""
        return (
            self.verdict is not None
            and self.verdict["certainty"] == "certain"
            and self.verdict["cause"] not in self.scenario.causes
        )

    @property
    def trouble(self) -> str:
        """The faults, and what the verdict rests on; empty when there are none."""
        if not self.faults:
            return ""
        seen = {key: (self.verdict or {}).get(key) for key in ("rule", "because", "history", "evidence", "path")}
        return "\n".join([*self.faults, *(f"{key}: {value}" for key, value in seen.items())])

    @property
    def name(self) -> str:
        """`drop_host v6`."""
        return f"{self.scenario.name} v{self.family}"


def judge(scenario: Scenario, verdict: dict[str, Any], places: Iterable[dict[str, Any]], raw: bool = True) -> list[str]:
    """What is wrong with a verdict; empty when nothing is."""
    faults = []
    named = {alternative["cause"] for alternative in verdict["alternatives"]}
    certain = verdict["certainty"] == "certain"
    rival = verdict["cause"] in scenario.rivals and not certain and bool(named & set(scenario.causes))
    if verdict["cause"] not in scenario.causes and not rival and (raw or certain or verdict["cause"] == "inconclusive"):
        faults.append(f"cause {verdict['cause']} ({verdict['certainty']}), should be {'|'.join(scenario.causes)}")
    if not raw:  # much can't be told by connect() alone: nothing wrong may be certain, and something must be said
        return faults
    if verdict["state"] not in (scenario.state, *scenario.states):
        faults.append(f"state {verdict['state']}, should be {scenario.state}")
    if not rival and verdict["certainty"] not in scenario.certainties:
        faults.append(f"certainty {verdict['certainty']}, should be {'|'.join(scenario.certainties)}")
    if not certain and not rival and (missing := set(scenario.alternatives) - named):
        faults.append(f"does not name {', '.join(sorted(missing))}")
    origin = verdict["origin"]
    wanted = list(places)
    if wanted and not rival and not any(fits(origin, place) for place in wanted):
        faults.append(f"origin {origin}, should be {' or '.join(map(str, wanted))}")
    return faults


def fits(origin: dict[str, Any], place: dict[str, Any]) -> bool:
    """Whether an origin is this place: the pair where there is one, else kind, address and hop as far as the table
    has them."""
    if place.get("between") is not None:
        found = origin["between"]
        return found is not None and list(found) == list(place["between"])
    return origin["kind"] == place["kind"] and all(
        place.get(key) is None or origin[key] == place[key] for key in ("address", "hop")
    )


def scan(lab: Lab, scenario: Scenario, family: int, client: str, extra: tuple[str, ...] = ()) -> tuple[Any, float, str]:
    """One `netprobe scan --json`: the document (None when there was none), seconds, standard error."""
    lab.prepare(scenario, client, (family,))
    start = time.monotonic()
    argv = [sys.executable, "-m", "netprobe", "scan", lab.target(scenario, family), "-p", str(scenario.port), "--json"]
    argv += ["--expect", "ssh", *scenario.options, *(() if scenario.host is None else (f"-{family}",)), *extra]
    done = lab.exec(client, argv, capture_output=True, text=True, timeout=TIME_LIMIT_S, check=False)
    try:
        return json.loads(done.stdout), time.monotonic() - start, done.stderr
    except ValueError:
        return None, time.monotonic() - start, done.stderr


def score_one(
    lab: Lab, scenario: Scenario, family: int, client: str, saved: Path | None = None, privileged: bool = True
) -> Result:
    """Scan and compare; the file that the scan saves must give the same verdicts again."""
    raw = privileged
    with tempfile.TemporaryDirectory() as folder:
        path = saved or Path(folder) / "scan.pcapng"
        extra = ("-w", str(path)) if privileged else ("--connect",)
        document, seconds, errors = scan(lab, scenario, family, client, extra)
        if "--source-port" in scenario.options and document is not None and _port_in_use(document):
            time.sleep(1)  # the client's own last connection from that port had not gone yet: that is no fault
            document, seconds, errors = scan(lab, scenario, family, client, extra)
        replayed = replay_differs(document, path) if privileged and document is not None else None
    if document is None or not document["verdicts"]:
        return Result(scenario, family, None, [f"no verdict: {errors.strip()[-300:]}"], seconds)
    places = [lab.place(place, scenario, family, client) for place in scenario.origin]
    verdict = document["verdicts"][0]
    if scenario.verdicts:
        return Result(scenario, family, verdict, several(lab, scenario, document["verdicts"]), seconds)
    faults = judge(scenario, verdict, places, raw)
    if replayed:
        faults.append(replayed)
    if "Traceback" in errors or "internal error" in errors:
        faults.append(f"standard error: {errors.strip()[-300:]}")
    return Result(scenario, family, verdict, faults, seconds)


def _port_in_use(document: dict[str, Any]) -> bool:
    return any(verdict["cause"] == "local-limit" for verdict in document["verdicts"])


def replay_differs(document: dict[str, Any], path: Path) -> str | None:
    """What `netprobe analyze` of the saved file says otherwise than the scan did."""
    again = [
        json.loads(report_json.line(verdict))
        for verdict in analyze(path, AnalyzeOptions(files=(path,)), lambda verdict: None).verdicts
    ]
    if again == document["verdicts"]:
        return None
    for one, other in zip(document["verdicts"], again, strict=False):
        for key in one:
            if one[key] != other.get(key):
                return f"replay differs in {key}: {one[key]!r} became {other.get(key)!r}"
    return f"replay gives {len(again)} verdicts instead of {len(document['verdicts'])}"


def several(lab: Lab, scenario: Scenario, verdicts: list[dict[str, Any]]) -> list[str]:
    """A name with several addresses: a verdict for each."""
    wanted = sorted(lab.scenario(name).cause for name in scenario.verdicts)
    found = sorted(verdict["cause"] for verdict in verdicts)
    return [] if set(wanted) <= set(found) else [f"causes {found}, should be {wanted}"]


def run(
    lab: Lab, told: Callable[[Result], None], privileged: bool = True, families: tuple[int, ...] = (4, 6)
) -> list[Result]:
    """Scan all scenarios of a lab and compare."""
    jobs = [(scenario, family) for scenario in lab.scenarios for family in scenario.families if family in families]

    def one(scenario: Scenario, family: int, client: str) -> Result:
        try:
            return score_one(lab, scenario, family, client, privileged=privileged)
        except Exception as error:  # noqa: BLE001 - one scenario's trouble must not hide the others' results
            return Result(scenario, family, None, [f"{type(error).__name__}: {error}"])

    return on_clients(lab, jobs, one, told)


def on_clients(
    lab: Lab,
    jobs: Iterable[tuple[Scenario, int]],
    work: Callable[[Scenario, int, str], Result],
    told: Callable[[Result], None],
) -> list[Result]:
    """Do the work for all jobs, one at a time on each of the lab's clients; the slow ones first."""
    waiting: queue.Queue[tuple[Scenario, int]] = queue.Queue()
    for job in sorted(jobs, key=lambda job: job[0].cause not in ("tarpit", "no-banner")):
        waiting.put(job)
    results: list[Result] = []
    lock = threading.Lock()
    busy: dict[str, threading.Lock] = {}

    def worker(client: str) -> None:
        while True:
            try:
                scenario, family = waiting.get_nowait()
            except queue.Empty:
                return
            own = scenario.client or client
            with lock:
                gate = busy.setdefault(own, threading.Lock())
            with gate:
                result = work(scenario, family, own)
            with lock:
                results.append(result)
                told(result)

    threads = [threading.Thread(target=worker, args=(client,)) for client in lab.clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def summary(results: list[Result]) -> str:
    """The lab's score in a line."""
    right = sum(not r.faults for r in results)
    wrong = sum(r.wrong_and_certain for r in results)
    return f"{right} of {len(results)} right, {wrong} wrong and certain"
