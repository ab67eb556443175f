"""What a verdict has to say beside the packets it rests on, and what a report says of a whole capture: comments that
Wireshark shows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from netprobe.model import Verdict
from netprobe.report.json import line

# A file's own comment tells so many verdicts in full; of more only what they come to.
FEW = 20


def read(verdict: str) -> dict[str, Any]:
    """A verdict's JSON line as the object that the functions here take."""
    found: dict[str, Any] = json.loads(verdict, parse_float=str)
    return found


def of(verdict: Verdict) -> dict[str, Any]:
    """The same of a verdict itself."""
    return read(line(verdict))


def on_packets(verdict: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    """Frame numbers and comments of one verdict (a JSON object). The last packet, which decides, also says why."""
    told = f"{verdict['rule']} {verdict['cause']} ({verdict['certainty']})"
    evidence = verdict["evidence"]
    for cited in evidence:
        yield cited["frame"], f"{told}: {cited['what']}"
    if evidence and verdict["because"]:
        yield evidence[-1]["frame"], f"because: {'; '.join(verdict['because'])}"


def on_file(command: str, counts: Mapping[str, int], verdicts: Sequence[Mapping[str, Any]]) -> list[str]:
    """The comments on the file. `counts`: of verdicts by cause; `verdicts`: the first ones, FEW are enough."""
    told = ", ".join(f"{cause} {count}" for cause, count in counts.items()) or "none"
    total = sum(counts.values())
    comments = [f"netprobe {command}: {total} verdict{'s' if total != 1 else ''}: {told}"]
    if total <= FEW:
        comments += [_verdict(verdict) for verdict in verdicts]
    return comments


def _verdict(verdict: Mapping[str, Any]) -> str:
    address, port = verdict["address"], verdict["port"]
    place = verdict["target"] if address is None else f"[{address}]" if ":" in address else address
    because = f": {'; '.join(verdict['because'])}" if verdict["because"] else ""
    return f"{place}:{port} {verdict['state']}, {verdict['cause']} ({verdict['certainty']}, {verdict['rule']}){because}"
