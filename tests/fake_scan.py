"""Stands in for netprobe.scan and netprobe.analyze: it gives set verdicts and touches no network. tests.fake_command is
the whole command with it.

The environment says what it does: NETPROBE_FAKE is a list of words out of up, closed, hostile, many, sleep, raise,
refuse, late (sleeps until interrupted, then gives what it has).
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

from netprobe import interrupts
from netprobe.analyze import NO_OUTLETS, Outlets
from netprobe.errors import CannotMeasure
from netprobe.model import Verdict
from netprobe.options import AnalyzeOptions, ScanOptions
from netprobe.report import Report, json
from netprobe.report.summary import outlined
from tests.samples import a_hostile_verdict, a_report, a_verdict, an_up_verdict

seen: list[ScanOptions | AnalyzeOptions] = []


def run(
    options: ScanOptions | AnalyzeOptions,
    on_verdict: Callable[[Verdict], None],
    notice: Callable[[str], None],
    outlets: Outlets = NO_OUTLETS,
    outlook: Callable[[int, float | None], None] | None = None,
) -> Report:
    """What netprobe.scan.run and netprobe.analyze.run do, without a network and without a file."""
    interrupts.check()
    seen.append(options)
    words = os.environ.get("NETPROBE_FAKE", "up").split()
    if "refuse" in words:
        raise CannotMeasure("no such interface: eth9", "name one that `ip link` shows")
    if "raise" in words:
        raise RuntimeError("\x1b[31mdeep inside")
    verdicts = [an_up_verdict()] * ("up" in words) + [a_verdict()] * ("closed" in words)
    verdicts += [a_hostile_verdict()] * ("hostile" in words) + [a_verdict()] * 20_000 * ("many" in words)
    notice("as an ordinary user")
    for verdict in verdicts:
        if outlets.lines is not None:
            outlets.lines(json.line(verdict).encode("ascii"))
        elif outlets.outlines is None or outlets.outlines(outlined([verdict])):
            on_verdict(verdict)
    try:
        if "late" in words or "sleep" in words:
            print("ready", file=sys.stderr, flush=True)
            time.sleep(30)
    except KeyboardInterrupt:
        if "late" in words:
            return a_report(*verdicts, interrupted=True)
        raise
    return a_report(*verdicts)
