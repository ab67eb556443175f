"""Accepting: what was found is written into the case file, and nothing else of the file changes.

House rules of this file:
1. Only keys that are written already get another value: what is compared never becomes more, nor less.
2. The file is replaced in one step, after its new text was read back and found to say what it should.
3. Comments, order and line ends stay as they are (tomlkit).
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

from netprobe.errors import CannotMeasure, UsageError
from netprobe.model import Verdict
from netprobe.replay.cases import case_of, load, server_name, stem_of, value
from netprobe.replay.compare import Outcome
from netprobe.report import Report

# A case is read by people; a capture with more attempts than this wants a case that names the ones that matter.
MOST_NEW = 200
NEW_KEYS = ("state", "cause", "certainty", "rule", "origin_kind")
NEW_ORIGIN = ("origin_address", "origin_hop", "origin_between")


def accept(outcome: Outcome) -> tuple[int, list[str]]:
    """Write what was found into the case of a failing outcome. Gives how many values changed, and what could not be
    accepted. Raises UsageError where the file's form is beyond editing, CannotMeasure where it can't be written."""
    left = [
        f"{one.server}: nothing was found to accept; take its [[expect]] out by hand if that is right"
        for one in outcome.failed
        if one.verdict is None
    ]
    left += [f"{one}; damaged = true is yours to write" for one in outcome.damage]
    left += [f"{one}; take it out by hand" if "damaged" in one else one for one in outcome.problems]
    changes = {
        (one.number - 1, line.key): line.found
        for one in outcome.failed
        if one.verdict is not None
        for line in one.differing
    }
    if changes:
        path = outcome.case.path
        text = _read(path)
        replace(path, edited(path, text, changes))
    return len(changes), left


def edited(path: Path, text: str, changes: dict[tuple[int, str], Any]) -> str:
    """The text of a case with other values; UsageError where that can't be done without touching more."""
    import tomlkit

    wanted = tomllib.loads(text.removeprefix("\ufeff"))
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    content = tomlkit.parse(text.removeprefix("\ufeff"))
    for (n, key), found in changes.items():
        wanted["expect"][n][key] = found
        content["expect"][n][key] = found
    changed = tomlkit.dumps(content)
    if tomllib.loads(changed) != wanted:
        raise UsageError(f"{path} is written in a form that can't be edited safely", "change it by hand")
    return mark + changed


def make(capture: Path, report: Report) -> tuple[Path, str]:
    """A case for a capture that has none, of all that was found. Raises UsageError where that is nothing, or more than
    a person reads."""
    path = case_of(capture)
    if stem_of(capture) is None:
        raise UsageError(f"{capture} isn't named like a capture", "call it NAME.pcapng or NAME.pcap, also compressed")
    if not report.verdicts:
        raise UsageError(f"{capture} has no connection attempt", "there is nothing that a case could hold")
    if len(report.verdicts) > MOST_NEW:
        raise UsageError(
            f"{capture} has {len(report.verdicts):,} connection attempts",
            f"write a case for those that matter by hand, or cut the capture to {MOST_NEW} attempts",
        )
    text = case_text(report.verdicts, damaged=bool(report.capture.damage))
    replace(path, text)
    load(path, capture)
    return path, text


def case_text(
    verdicts: tuple[Verdict, ...], about: str = "", origin: str = "field: ...", *, damaged: bool = False
) -> str:
    """A case file that holds these verdicts."""
    several = Counter(server_name(verdict) for verdict in verdicts)
    lines = [f"about = {toml(about)}", f"origin = {toml(origin)}", *(["damaged = true"] if damaged else [])]
    for verdict in verdicts:
        lines += ["", "[[expect]]", f"server = {toml(server_name(verdict))}"]
        if several[server_name(verdict)] > 1 and verdict.client is not None:
            lines.append(f"client = {toml(str(verdict.client))}")
        keys = (*NEW_KEYS, *(key for key in NEW_ORIGIN if value(verdict, key) not in ("", [])))
        lines += [f"{key} = {toml(value(verdict, key))}" for key in keys]
    return "\n".join(lines) + "\n"


def toml(found: Any) -> str:
    """A value as TOML."""
    if isinstance(found, list):
        return "[" + ", ".join(toml(one) for one in found) + "]"
    if isinstance(found, int):
        return str(found)
    return json.dumps(found).replace("\x7f", "\\u007f")  # TOML's basic strings are JSON's, but for DEL


def replace(path: Path, text: str) -> None:
    """Put a new text in the file's place, in one step; its permissions and a link to it stay. Raises
    CannotMeasure."""
    real = Path(os.path.realpath(path))
    temporary = None
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{real.name}.", dir=real.parent)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(_mode(real))
        Path(temporary).replace(real)
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
        raise CannotMeasure(f"{path} can't be written: {error.strerror}", "nothing of it was changed") from error


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode & 0o7777
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask


def _read(path: Path) -> str:
    """With the line ends as they are."""
    with path.open(encoding="utf-8", newline="") as file:
        return file.read()
