"""The live path from a capture: a saved scan's answers played to the prober, whose verdicts are then compared.

What is tested is the probing itself: the steps that are taken, when, and that they suffice. Nothing leaves the machine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from netprobe.evidence import ELSEWHERE_PORTS
from netprobe.model import ClientOfferFact, Command, Connect, Offer, Probe, Record, TargetFact
from netprobe.options import ScanOptions
from netprobe.replay.cases import Case
from netprobe.replay.compare import Outcome, judge
from netprobe.report import Report
from netprobe.scan import Scan
from netprobe.targets import Target
from netprobe.wire.capture import CaptureReader
from netprobe.wire.playback import PlaybackWire
from netprobe.wire.recording import Recording

SECOND = 1_000_000_000


def replay_live(case: Case) -> Outcome | str:
    """Play a case's capture to the prober and compare; where it is no whole scan, why. Raises UnreadableCapture."""
    recording = read(CaptureReader(case.capture))
    if recording.lacks:
        return recording.lacks
    report, wire = play(recording)
    return judge(case, report, records=tuple(wire.records), notes=tuple(_unmatched(wire.playback.unmatched)))


def read(records: Iterable[Record]) -> Recording:
    """A saved scan, taken apart."""
    return Recording(records, ELSEWHERE_PORTS)


def play(recording: Recording) -> tuple[Report, PlaybackWire]:
    """A new scan of what was scanned, over a network that answers as it did."""
    wire = PlaybackWire(recording)

    def offer_for(target: str, _: Offer) -> ClientOfferFact | None:
        told = recording.offers.get(target)
        return None if told is None else replace(told, number=0)

    return Scan(wire, scan_options(recording), _nobody, _nobody, offer_for=offer_for).run(), wire


def _nobody(_: object) -> None:
    """Verdicts are looked at when all are there."""


def scan_options(recording: Recording) -> ScanOptions:
    """What must have been asked for, as far as the capture tells."""
    first = recording.targets[0]
    names = {(name, address) for name, fact in recording.names.items() for address in fact.addresses or (None,)}
    by_host: dict[str, list[TargetFact]] = {}
    for fact in recording.targets:
        host = next((name for name, address in names if address == fact.address and _is_of(fact, name)), None)
        by_host.setdefault(host or fact.address or fact.target, []).append(fact)
    ports = {host: tuple(dict.fromkeys(fact.port for fact in facts)) for host, facts in by_host.items()}
    alike = len(set(ports.values())) == 1
    expected = {fact.expect for fact in recording.targets}
    targets = [
        Target(facts[0].target, host, None if alike else port, next(f.expect for f in facts if f.port == port))
        for host, facts in by_host.items()
        for port in (ports[host][:1] if alike else ports[host])
    ]
    return ScanOptions(
        targets=tuple(targets),
        ports=ports[next(iter(ports))] if alike else None,
        expect=first.expect if len(expected) == 1 else None,
        identify=any(words.startswith(b"HEAD ") for words in recording.words),
        patient=first.patient,
        elsewhere=recording.asked_elsewhere,
        auth_methods=recording.asked_for is not None,
        user=recording.asked_for,
        banner_wait_s=first.banner_wait_ns / SECOND,
    )


def _is_of(fact: TargetFact, name: str) -> bool:
    """Whether a target was typed as this name, alone or within `name:port` and `ssh://user@name`."""
    return name in fact.target


def _unmatched(commands: Iterable[Command]) -> Iterable[str]:
    """What the prober sent that the recorded scan had not."""
    said: Counter[str] = Counter()
    for one in commands:
        if isinstance(one, Probe):
            ttl = f" with TTL {one.ttl}" if one.ttl is not None else ""
            said[f"{one.shape} to {one.server}{ttl}"] += 1
        elif isinstance(one, Connect):
            said[f"connect() to {one.server}"] += 1
        else:
            said[f"words on connection {one.id}"] += 1
    for what, count in said.items():
        yield f"the recorded scan sent no {what}" + (f" ({count} times)" if count > 1 else "") + ": unanswered here"
