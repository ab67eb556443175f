"""What a redacted bundle is made of: a redacted copy of the capture, analyzed anew, so that no text in the bundle was
ever made of anything else."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from netprobe import analyze
from netprobe.bundle.settings import Settings
from netprobe.options import AnalyzeOptions
from netprobe.redaction.capture import Heard, Maps, redact
from netprobe.report import CaptureStatus, Report
from netprobe.report.html.attempts import Attempts
from netprobe.selection import parse_place
from netprobe.wire.capture import CaptureReader


@dataclass(slots=True)
class Again:
    """The copy's own verdicts. `lines`: a file of JSON lines; `damage`: places of the source that the copy leaves
    out."""

    report: Report
    attempts: Attempts
    lines: Path
    damage: int
    stopped: bool


def again(
    source: Callable[[], CaptureReader], copy: Path, report: Report, options: AnalyzeOptions, by: Maps,
    stop: Callable[[], bool], heard: Heard | None = None,
) -> Again:  # fmt: skip
    """Redact a capture into `copy` and analyze that as the original was. `stop`, `heard` as of `redact`. Raises
    NetprobeError and OSError."""
    done = redact(source, _descriptor(copy), copy.name, by, stop, heard)
    attempts, lines = Attempts(), copy.with_name("lines")
    with lines.open("w", encoding="ascii") as file:
        outlets = analyze.Outlets(lines=lambda _: None, also=lambda line, _: print(line, end="", file=file))
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
        self._kinds: Counter[bytes] = Counter()

    def add(self, line: str) -> None:
        """Count one, a JSON line."""
        self._kinds[_kind(line)] += 1

    def differ(self, other: Counted) -> int:
        """How many of the other's verdicts aren't among these, or these not among them, whichever is more."""
        return max((self._kinds - other._kinds).total(), (other._kinds - self._kinds).total())


def _kind(line: str) -> bytes:
    verdict = json.loads(line)
    frames = [one["frame"] for one in verdict["evidence"]]
    told = ("port", "state", "reason", "cause", "certainty", "rule", "history", "conn_state")
    return hashlib.blake2b(repr((frames, [verdict[name] for name in told])).encode(), digest_size=12).digest()
