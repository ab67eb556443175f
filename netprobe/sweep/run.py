"""The driver of a sweep: from what was typed to a report.

House rules of this file:
1. Targets, exclusions and consent are settled before a socket is opened; sockets before privileges go; privileges
   before a packet of a stranger is looked at.
2. What was known is never lost: an interrupt ends in a report all the same.
"""

from __future__ import annotations

import contextlib
import gc
import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from netprobe.errors import CannotMeasure, UsageError
from netprobe.interrupts import Interrupts, check
from netprobe.model import Mode, Verdict
from netprobe.options import SweepOptions
from netprobe.prober import FIRST_SOURCE_PORT, SOURCE_PORTS
from netprobe.report import CaptureStatus, Report
from netprobe.settling.outlets import Outlets
from netprobe.sweep import second
from netprobe.sweep import space as spaces
from netprobe.sweep import way as ways
from netprobe.sweep.charting import Chart
from netprobe.sweep.kinds import Kinds
from netprobe.sweep.pace import Pace
from netprobe.sweep.resuming import Resume, name_of
from netprobe.sweep.settling import Settling
from netprobe.sweep.space import Space
from netprobe.sweep.stamping import Numbers, Stamp
from netprobe.sweep.sweep import Plan, Sweep
from netprobe.sweep.telling import Telling
from netprobe.targets import DEFAULT_PORT, PAIRS_WITHOUT_CONSENT
from netprobe.wire import Wire, privilege
from netprobe.wire.bulk import Bulk
from netprobe.wire.clock import Clock
from netprobe.wire.netlink import Kernel
from netprobe.wire.ring import Ring

Notice = Callable[[str], None]


@dataclass(slots=True)
class Progress:
    """What a running sweep can be asked for: how far it is, in words."""

    sweeps: list[Sweep] = field(default_factory=list)
    pace: Pace | None = None

    def line(self, elapsed_s: float) -> str:
        """Counts, rate and time left."""
        counts = [sweep.counts for sweep in self.sweeps]
        total, asked = sum(one.total for one in counts), sum(one.asked for one in counts)
        sent, answered = sum(one.sent for one in counts), sum(one.answered for one in counts)
        rate = sent / elapsed_s if elapsed_s > 0 else 0.0
        left = f", about {(total - asked) / rate:,.0f} s left" if rate and asked < total else ""
        return f"{asked:,} of {total:,} asked, {answered:,} answered, {rate:,.0f}/s{left}"


def run(
    options: SweepOptions,
    on_verdict: Callable[[Verdict], None],
    notice: Notice,
    outlets: Outlets,
    progress: Progress | None = None,
) -> Report:
    """Sweep all of it. Raises UsageError for what makes no sense, CannotMeasure without CAP_NET_RAW."""
    found = find_spaces(options, notice)
    with Interrupts() as interrupts:
        check()
        gc.freeze()  # all that was imported; to look through it again and again took 4 % of the time
        try:
            return _Run(options, found, on_verdict, notice, outlets, progress or Progress(), interrupts).run()
        finally:
            gc.unfreeze()


def find_spaces(options: SweepOptions, notice: Notice) -> list[Space]:
    """What is swept, by IP version. Raises UsageError."""
    targets = spaces.read(options.targets)
    found: list[Space] = []
    for version, asked in targets.items():
        if not asked:
            continue
        if version not in options.families:
            raise UsageError(f"an IPv{version} target, but -{options.families[0]} asks for the other", "leave it out")
        special = spaces.special(version, asked)
        named = [spaces.of_network(block) for block in options.exclude if block.version == version]
        wanted = [one if isinstance(one, tuple) else spaces.of_network(one) for one in asked]
        space = Space(version, wanted, [*special, *named], options.ports)
        if space.left_out:
            notice(f"{space.left_out:,} addresses are left out: excluded, or with a special purpose (RFC 6890)")
        if space.size:
            found.append(space)
    pairs = sum(space.size for space in found)
    if not pairs:
        raise UsageError("nothing is left to sweep", "name blocks of hosts; special-purpose ranges by themselves")
    if pairs > PAIRS_WITHOUT_CONSENT and not options.consent:
        raise UsageError(
            f"more than {PAIRS_WITHOUT_CONSENT:,} pairs of address and port ({pairs:,})",
            "narrow it down, or add --yes if you mean it",
        )
    return found


class _Run:
    """One run over sockets that are opened here."""

    def __init__(
        self,
        options: SweepOptions,
        found: list[Space],
        on_verdict: Callable[[Verdict], None],
        notice: Notice,
        outlets: Outlets,
        progress: Progress,
        interrupts: Interrupts,
    ) -> None:
        self._options, self._spaces, self._outlets = options, found, outlets
        self._on_verdict, self._notice = on_verdict, notice
        self._progress, self._interrupts = progress, interrupts
        self._clock = Clock()
        self._causes: Counter[str] = Counter()
        self._charts: list[Chart] = []
        self._looks: list[tuple[second.SecondLook, Telling]] = []
        self._resume = Resume(options.resume, name_of(found, options.shard)) if options.resume is not None else None

    def run(self) -> Report:
        started = self._clock.now_ns()
        if not privilege.can_capture():
            raise CannotMeasure("A sweep crafts and captures packets", f"as root: {privilege.how_to_gain()}")
        with contextlib.ExitStack() as opened:
            if self._resume is not None:
                opened.callback(self._resume.close)
            sweeps = list(self._open(opened))
            wire = self._wire()
            for sweep in sweeps:
                if not self._interrupts.asked:
                    sweep.run()
            self._look_again(wire)
            for _, telling in self._looks:
                self._causes.update(telling.causes)
        return self._report(started, sweeps)

    def _wire(self) -> Wire | None:
        """What a second look needs, opened last; then the privileges are gone."""
        if self._options.budget:
            from netprobe.scan import open_wire

            return open_wire(second.scan_options(self._options, []), self._notice)
        privilege.drop()
        return None

    def _look_again(self, wire: Wire | None) -> None:
        """The full diagnosis of what was held back."""
        looks = [look for look, _ in self._looks]
        verdicts: dict[tuple[str, int], Verdict] = {}
        if wire is not None and any(look.held for look in looks) and not self._interrupts.asked:
            from netprobe.scan import Scan

            while wire.receive(0):  # what was captured beside the sweep is none of the scan's
                pass
            options = second.scan_options(self._options, looks)
            self._notice(f"{len(options.targets)} answers get the full diagnosis")
            verdicts = second.settled(Scan(wire, options, lambda _: None, self._notice, self._interrupts).run())
        elif wire is not None:
            wire.close()
        second.tell(self._looks, verdicts)

    def _open(self, opened: contextlib.ExitStack) -> Iterator[Sweep]:
        options = self._options
        kernel = Kernel()
        opened.callback(kernel.close)
        self._progress.pace = pace = Pace(options.rate, self._clock.now_ns())
        ports = (FIRST_SOURCE_PORT, FIRST_SOURCE_PORT + SOURCE_PORTS - 1)
        if options.source_port is not None:
            ports = (options.source_port, options.source_port)
        self._rings: list[Ring] = []
        for space in self._spaces:
            way = ways.find(kernel, space, self._device(kernel))
            bulk = Bulk(space.version, options.interface)
            opened.callback(bulk.close)
            ring = Ring([way.source], ports)
            opened.callback(ring.close)
            self._rings.append(ring)
            numbers = Numbers(secrets.token_bytes(16), space.version, options.source_port)
            stamp = Stamp(space.version, way.source, numbers, way.mtu)
            telling = Telling(space.version, way.source, self._outlets, self._on_verdict)
            look = second.SecondLook(space.version, options.budget)
            self._looks.append((look, telling))
            kinds = Kinds(space.version, self._expected)
            settling = Settling(kinds, telling, stamp, numbers, look, silent=options.silent)
            if self._outlets.sinks:  # a page among them, perhaps
                settling.chart = Chart(space)
                self._charts.append(settling.chart)
            shard, shards = options.shard
            plan = Plan(
                space, self._key(space), 1 + options.retries, shard - 1, shards, patient=options.patient,
                start=self._resume.done.get(space.version, 0) if self._resume else 0, tells_unsettled=not self._resume,
            )  # fmt: skip
            sweep = Sweep(
                plan, way, bulk, ring, pace, kernel, settling, self._clock, self._interrupts, numbers,
                settled=self._settled(space.version), notice=self._notice,
            )  # fmt: skip
            self._progress.sweeps.append(sweep)
            yield sweep

    def _device(self, kernel: Kernel) -> int:
        """The index of the interface that was asked for, 0 for none."""
        name = self._options.interface
        if name is None:
            return 0
        found = [link.ifindex for link in kernel.links().values() if link.name == name]
        if not found:
            raise CannotMeasure(f"there is no interface {name}", "`ip link` lists them")
        return found[0]

    def _settled(self, version: int) -> Callable[[int], None]:
        """Notes how far an IP version's sweep is, where that is to be noted."""
        if self._resume is None:
            return lambda _: None
        return partial(self._resume.note, version)

    def _key(self, space: Space) -> bytes:
        """Of the order: of shards the same on every machine, of a resumed sweep that of before, else random."""
        if self._options.shard[1] > 1:
            return f"{space.version} {space.intervals} {space.ports}".encode()
        return self._resume.key if self._resume is not None else secrets.token_bytes(16)

    def _expected(self, port: int) -> str:
        return self._options.expect or ("ssh" if port == DEFAULT_PORT else "any")

    def _report(self, started_ns: int, sweeps: list[Sweep]) -> Report:
        return Report(
            command="scan",
            started_ns=started_ns,
            finished_ns=self._clock.now_ns(),
            mode=Mode.RAW,
            verdicts=(),
            causes=dict(self._causes.most_common()),
            capture=CaptureStatus(
                packets=sum(ring.received for ring in self._rings),
                dropped=sum(ring.dropped for ring in self._rings),
                unsolicited=sum(sweep.unsolicited for sweep in sweeps),
            ),
            interrupted=self._interrupts.asked,
            network=tuple(cell for chart in self._charts for cell in chart.cells()),
        )
