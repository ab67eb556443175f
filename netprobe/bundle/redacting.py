"""What a redacted bundle is made of: a redacted copy of the capture, analyzed anew, so that no text in the bundle was
ever made of anything else."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from netprobe import analyze
from netprobe.bundle.settings import Settings
from netprobe.options import AnalyzeOptions
from netprobe.redaction.capture import Maps, redact
from netprobe.report import CaptureStatus, Report
from netprobe.report.html.attempts import Attempts
from netprobe.selection import parse_place
from netprobe.wire.capture import CaptureReader

Key = tuple[Any, ...]


@dataclass(slots=True)
class Again:
    """The copy's own verdicts. `lines` as JSON; `damage`: places of the source that the copy leaves out."""

    report: Report
    attempts: Attempts
    lines: list[str]
    damage: int
    stopped: bool


def again(
    source: Callable[[], CaptureReader], copy: Path, report: Report, options: AnalyzeOptions, by: Maps,
    stop: Callable[[], bool],
) -> Again:  # fmt: skip
    """Redact a capture into `copy` and analyze that as the original was. Raises NetprobeError and OSError."""
    done = redact(source, _descriptor(copy), copy.name, by, stop)
    attempts, lines = Attempts(), list[str]()

    def take(line: str, _: object) -> None:
        lines.append(line)

    outlets = analyze.Outlets(lines=lambda _: None, also=take)
    found = analyze.run(replace(options, files=(copy,)), lambda _: None, lambda _: None, outlets, attempts)
    failure = None if report.failure is None else by.names.scrubbed(report.failure)
    told = replace(
        found, command=report.command, mode=report.mode, started_ns=report.started_ns, finished_ns=report.finished_ns,
        interrupted=report.interrupted, failure=failure,
        capture=replace(found.capture, damage=_anonymous(found.capture, copy)),
    )  # fmt: skip
    return Again(told, attempts, lines, done.damage, done.stopped)


def _descriptor(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)


def _anonymous(capture: CaptureStatus, copy: Path) -> tuple[str, ...]:
    return tuple(line.replace(str(copy), copy.name) for line in capture.damage)


def mapped(settings: Settings, by: Maps) -> Settings:
    """The same selection of mapped addresses: a block is mapped to a block."""
    return replace(
        settings,
        server=tuple(_place(text, by) for text in settings.server),
        client_address=tuple(_place(text, by) for text in settings.client_address),
    )


def _place(text: str, by: Maps) -> str:
    place = parse_place(text, "--server")
    block = by.addresses.block(str(place.network))
    zone = f"%{by.names.interface(place.zone)}" if place.zone else ""
    port = "" if place.port is None else f":{place.port}"
    return f"[{block}{zone}]{port}" if port and ":" in block else f"{block}{zone}{port}"


class Counted:
    """Verdicts by what redaction must not change."""

    def __init__(self) -> None:
        self._kinds: Counter[Key] = Counter()

    def add(self, line: str) -> None:
        """Count one, a JSON line."""
        self._kinds[_kind(line)] += 1

    def differ(self, others: Iterator[str]) -> int:
        """How many of the other verdicts aren't among these, or these not among them, whichever is more."""
        found = Counter(_kind(line) for line in others)
        return max((self._kinds - found).total(), (found - self._kinds).total())


def _kind(line: str) -> Key:
    verdict = json.loads(line)
    frames = tuple(one["frame"] for one in verdict["evidence"])
    told = ("port", "state", "reason", "cause", "certainty", "rule", "history", "conn_state")
    return (frames, *(verdict[name] for name in told))
