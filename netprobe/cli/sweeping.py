"""`netprobe scan --sweep`: what was typed becomes SweepOptions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import typer

from netprobe import targets
from netprobe.addresses import Network
from netprobe.cli import request
from netprobe.errors import UsageError
from netprobe.options import DEFAULT_SWEEP_RATE, SweepOptions

_FASTEST = 10_000_000.0
_MOST_RETRIES = 6
_MOST_DIAGNOSED = 4096


def only_with_sweep(given: dict[str, bool]) -> None:
    """Raises UsageError where an option of a sweep stands without --sweep."""
    for option, is_given in given.items():
        if is_given:
            raise UsageError(f"{option} belongs to a sweep", "add --sweep, or leave it out")


def without_sweep(given: dict[str, bool]) -> None:
    """Raises UsageError for options that a sweep has no use for."""
    for option, is_given in given.items():
        if is_given:
            raise UsageError(f"{option} has no place in a sweep, which sends one SYN", f"leave out {option} or --sweep")


def shard(text: str | None) -> tuple[int, int]:
    """`2/5`: the second of five parts. Raises UsageError."""
    if text is None:
        return 1, 1
    found = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text.strip())
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise UsageError(f"--shard {text}: no part of a whole", "write --shard 1/3, 2/3 and 3/3 on three machines")
    return int(found[1]), int(found[2])


def options(
    texts: Sequence[str],
    *,
    input_list: str | None,
    ports: tuple[int, ...] | None,
    families: tuple[int, ...],
    exclude: tuple[Network, ...],
    expect: str | None,
    rate: float | None,
    retries: int,
    part: str | None,
    resume: Path | None,
    budget: int,
    patient: bool,
    silent: bool,
    interface: str | None,
    source_port: int | None,
    consent: bool,
) -> SweepOptions:
    """The options of a sweep, checked. Raises UsageError."""
    listed = request.read_list(input_list) if input_list is not None else ()
    speed = DEFAULT_SWEEP_RATE if rate is None else rate
    if not 1.0 <= speed <= _FASTEST:
        raise UsageError(f"--rate {speed:g}: out of range", f"from 1 to {_FASTEST:g} packets a second")
    if not 0 <= retries <= _MOST_RETRIES:
        raise UsageError(f"--retries {retries}: out of range", f"from 0 to {_MOST_RETRIES}")
    if not 0 <= budget <= _MOST_DIAGNOSED:
        raise UsageError(f"--diagnose {budget}: out of range", f"from 0 to {_MOST_DIAGNOSED:,} pairs")
    if source_port is not None and not 1 <= source_port <= 65535:
        raise UsageError(f"--source-port {source_port}: out of range", "ports go from 1 to 65535")
    if expect is not None and expect not in targets.EXPECTATIONS:
        raise UsageError(f"--expect {expect}: not known", f"one of {', '.join(targets.EXPECTATIONS)}")
    found = (*texts, *listed)
    if not found:
        raise UsageError("no target given", "name a block, as in: netprobe scan --sweep 192.0.2.0/24")
    return SweepOptions(
        targets=found, ports=ports or (targets.DEFAULT_PORT,), families=families, exclude=exclude, expect=expect,
        rate=speed, retries=retries, shard=shard(part), resume=resume, budget=budget, patient=patient, silent=silent,
        interface=interface, source_port=source_port, consent=consent,
    )  # fmt: skip


def sweep(
    texts: Sequence[str],
    *,
    as_json: bool,
    as_jsonl: bool,
    xml: str | None,
    html: str | None,
    quiet: bool,
    verbose: int,
    color: str,
    ports: str | None,
    only_v4: bool,
    only_v6: bool,
    exclude: Sequence[str],
    exclude_file: Sequence[Path],
    **more: Any,
) -> NoReturn:
    """Run it, show it, and leave with its exit code."""
    from netprobe.cli.exports import Exports
    from netprobe.cli.presentation import Presentation
    from netprobe.ports import parse_ports
    from netprobe.settling.outlets import Outlets
    from netprobe.sweep import run as driver

    if as_json:
        raise UsageError("--json is one document, and a sweep has a line for each answer", "use --jsonl")
    exports = Exports(xml=xml, html=html)
    shown = Presentation(
        as_json=False, as_jsonl=as_jsonl, quiet=quiet, verbose=verbose, color=color, many=True,
        instead=exports.instead,
    )  # fmt: skip
    asked = options(
        texts, ports=parse_ports(ports) if ports is not None else None,
        families=request.families(only_v4=only_v4, only_v6=only_v6),
        exclude=request.exclusions(exclude, exclude_file), **more,
    )  # fmt: skip
    exports.notice = shown.notice
    progress = driver.Progress()
    with exports, shown.looking(progress.line):
        outlets = Outlets(lines=shown.on_lines, outlines=shown.on_outlines, sinks=exports.sinks)
        report = exports.finish(driver.run(asked, shown.on_verdict, shown.notice, outlets, progress))
    raise typer.Exit(shown.finish(report))
