"""The driver of a live scan: joins a wire with the core, for many targets at once.

House rules of this file:
1. Nothing is decided here: probers say what to send, rules say what it means.
2. What was known is never lost: an interrupt, a full disk or a link that goes down ends in verdicts all the same.
"""

from __future__ import annotations

import contextlib
import ipaddress
import itertools
import queue
import secrets
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import TypeVar

from netprobe.errors import CaptureWriteError
from netprobe.interrupts import Interrupts, check
from netprobe.ladder import LadderOf
from netprobe.logins import Logins, prepare, warning
from netprobe.model import (
    ClientOfferFact,
    Fact,
    Offer,
    Record,
    ResolvedFact,
    SettledFact,
    TargetFact,
    Verdict,
)
from netprobe.offering import Offering
from netprobe.options import ScanOptions
from netprobe.probelog import log_of
from netprobe.prober import Plan, Prober
from netprobe.report import CaptureStatus, Report, comments
from netprobe.steps import ladder
from netprobe.targets import Target, expectation, ports_of
from netprobe.verdict import diagnose
from netprobe.watch import Watch
from netprobe.wire import Wire, privilege
from netprobe.wire.connect import ConnectWire, check_interface
from netprobe.wire.writer import SECTION, CaptureWriter

SomeFact = TypeVar("SomeFact", bound=Fact)
OfferFor = Callable[[str, Offer], ClientOfferFact | None]
SECOND = 1_000_000_000
# So many targets are probed at the same time; the others wait for one to settle.
AT_ONCE = 64
# So many names are asked for at the same time.
NAMES_AT_ONCE = 16
# Looking for SSH elsewhere sends to six more ports: for a few targets a help, for many a port scan. And a full walk for
# each of many targets would exhaust what routers are ready to tell (six errors, then one a second, for each client).
FEW_TARGETS = 4


# Hears how many packets were seen and how many seconds the rest will take (None: targets are left to begin with).
Outlook = Callable[[int, float | None], None]


def run(
    options: ScanOptions,
    on_verdict: Callable[[Verdict], None],
    notice: Callable[[str], None],
    outlook: Outlook | None = None,
) -> Report:
    """Scan with the best wire that this user may open. Raises CannotMeasure when there is none."""
    with Interrupts() as interrupts:
        check()
        logins = prepare(options)
        with contextlib.closing(Offering(options)) as offering:
            wire = open_wire(options, notice)
            interrupts.wake = wire.wake
            return Scan(wire, options, on_verdict, notice, interrupts, logins, offering.told, outlook).run()


def open_wire(options: ScanOptions, notice: Callable[[str], None]) -> Wire:
    """Sockets first, then the privileges go, then everything else."""
    check_interface(options.interface)  # before an older file of the same name is emptied
    capturing = not options.force_connect and privilege.can_capture()
    if not capturing and not options.force_connect:
        notice(
            "Without root no packets are captured or crafted: who wrote a reset, and whether a SYN left this machine, "
            f"can't be told. For the whole answer: {privilege.how_to_gain()}"
        )
    writer = _writer(options)
    if not capturing:
        return ConnectWire(writer=writer, device=options.interface)
    from netprobe.wire.live import LiveWire

    wire = LiveWire(writer=writer, device=options.interface, rate=options.rate)
    privilege.drop()
    return wire


def _writer(options: ScanOptions) -> CaptureWriter | None:
    """What packets are saved with, where they are."""
    if options.keep is not None:
        return CaptureWriter(options.keep, str(options.write or "a temporary file"), about="netprobe scan")
    if options.write is not None:
        return CaptureWriter(privilege.open_output(options.write), str(options.write), about="netprobe scan")
    return None


@dataclass(slots=True)
class Job:
    """One address and port under observation."""

    fact: TargetFact
    prober: Prober
    due_ns: int = 0


class Scan:
    """One run over a wire that is already open."""

    def __init__(
        self,
        wire: Wire,
        options: ScanOptions,
        on_verdict: Callable[[Verdict], None],
        notice: Callable[[str], None],
        interrupts: Interrupts | None = None,
        logins: Logins | None = None,
        offer_for: OfferFor | None = None,
        outlook: Outlook | None = None,
    ) -> None:
        self._wire = wire
        self._logins = logins or Logins(options.user)
        self._offer_for = offer_for
        self._outlook = outlook
        self._told_offers: dict[str, ClientOfferFact] = {}
        self._interrupts = interrupts or Interrupts()
        self._options = options
        self._on_verdict = on_verdict
        self._notice = notice
        self._watch = Watch()
        self._secret = secrets.token_bytes(16)
        self._ids: Iterator[int] = itertools.count(1)
        self._used: dict[str, set[tuple[int, int]]] = {}
        self._waiting: deque[tuple[Target, str | None, int]] = deque()
        self._jobs: list[Job] = []
        self._verdicts: list[tuple[int, Verdict]] = []
        self._failure: str | None = None
        few = len(options.targets) <= FEW_TARGETS
        pairs = sum(len(ports_of(target, options.ports)) for target in options.targets)
        self._plan = Plan(
            elsewhere=options.elsewhere and few,
            patient=options.patient,
            sparing=pairs > FEW_TARGETS,
            source_port=options.source_port,
            identify=options.identify,
        )

    # ------------------------------------------------------------------ the loop

    def run(self) -> Report:
        """Observe all targets until each has its verdict, or until interrupted."""
        started = self._wire.now_ns()
        if self._options.auth_methods:
            self._notice(warning(self._logins, self._options.targets))
        try:
            self._observe()
            self._give_up()
            self._sum_up()
        finally:
            self._close()
        return Report(
            command="scan",
            started_ns=started,
            finished_ns=self._wire.now_ns(),
            mode=self._wire.mode,
            verdicts=tuple(verdict for _, verdict in sorted(self._verdicts, key=lambda pair: pair[0])),
            capture=CaptureStatus(
                packets=self._watch.packets, dropped=self._watch.dropped, unsolicited=self._watch.unsolicited
            ),
            interrupted=self._interrupts.asked,
            failure=self._failure,
            ladder_of=LadderOf(lambda verdict: ladder(self._watch.records(), verdict)),
            log=log_of(self._watch.records),
        )

    def _observe(self) -> None:
        for target in self._options.targets:
            if target.is_address:
                self._enqueue(target, str(target.host))
        try:
            self._loop(self._ask([target for target in self._options.targets if not target.is_address]))
        except KeyboardInterrupt:  # of a caller who doesn't hold it back
            self._interrupts.asked = True

    def _loop(self, asked: dict[Future[ResolvedFact], Target]) -> None:
        while (asked or self._waiting or self._jobs) and not self._interrupts.asked:
            for future in [f for f in asked if f.done()]:
                self._resolved(asked.pop(future), future.result())
            while self._waiting and len(self._jobs) < AT_ONCE:
                self._start(*self._waiting.popleft())
            if not self._jobs and not asked:
                continue
            now = self._wire.now_ns()
            deadline = min((job.due_ns for job in self._jobs), default=now + SECOND)
            records = self._receive(deadline if not asked else min(deadline, now + SECOND))
            about = self._watch.receive(records) if records else set()
            now = self._wire.now_ns()
            for job in list(self._jobs):
                if about is None or job.fact.address in about or job.due_ns <= now:
                    self._advance(job)
            if self._outlook is not None:
                self._foresee(self._outlook, now, all_begun=not (asked or self._waiting))

    def _foresee(self, outlook: Outlook, now_ns: int, *, all_begun: bool) -> None:
        ends = max((job.prober.ends_ns for job in self._jobs), default=now_ns)
        outlook(self._watch.packets, max(ends - now_ns, 0) / SECOND if all_begun else None)

    def _receive(self, deadline_ns: int) -> list[Record]:
        try:
            return self._wire.receive(deadline_ns)
        except CaptureWriteError as error:
            self._fail(error)
            return []

    def _fail(self, error: CaptureWriteError) -> None:
        if self._failure is None:
            self._failure = str(error)
            self._notice(str(error))

    def _sum_up(self) -> None:
        """What the saved file says of itself as a whole."""
        if not self._options.saves:
            return
        verdicts = [verdict for _, verdict in sorted(self._verdicts, key=lambda pair: pair[0])]
        counts = Counter(verdict.cause for verdict in verdicts)
        first = [comments.of(verdict) for verdict in verdicts[: comments.FEW]]
        for text in comments.on_file("scan", dict(counts.most_common()), first):
            self._wire.comment(SECTION, text)

    def _close(self) -> None:
        try:
            self._wire.close()
        except CaptureWriteError as error:
            self._fail(error)

    # ------------------------------------------------------------------ targets

    def _ask(self, targets: list[Target]) -> dict[Future[ResolvedFact], Target]:
        """Look names up; nobody waits for the threads, for a name server's silence must not outlast Ctrl-C."""
        asked: dict[Future[ResolvedFact], Target] = {Future(): target for target in targets}
        waiting: queue.SimpleQueue[tuple[Future[ResolvedFact], str]] = queue.SimpleQueue()
        for future, target in asked.items():
            waiting.put((future, target.host))

        def work() -> None:
            while not self._interrupts.asked:
                try:
                    future, host = waiting.get_nowait()
                except queue.Empty:
                    return
                try:
                    future.set_result(self._wire.resolve(host, self._options.families))
                except Exception as error:  # noqa: BLE001 - whoever takes the result hears of it
                    future.set_exception(error)
                self._wire.wake()

        for _ in range(min(NAMES_AT_ONCE, len(asked))):
            threading.Thread(target=work, daemon=True).start()
        return asked

    def _enqueue(self, target: Target, address: str | None) -> None:
        for port in ports_of(target, self._options.ports):
            self._waiting.append((target, address, port))

    def _resolved(self, target: Target, fact: ResolvedFact) -> None:
        """Every address of a name, in both families, gets a verdict of its own."""
        self._announce(fact)
        addresses = [a for a in fact.addresses if not self._excluded(a)]
        for address in addresses:
            self._enqueue(target, address)
        if len(addresses) < len(fact.addresses):
            self._notice(f"{target.host}: addresses on the exclude list were left out")
        if fact.outcome != "ok" or not fact.addresses:
            self._enqueue(target, None)

    def _excluded(self, address: str) -> bool:
        one = ipaddress.ip_address(address.partition("%")[0])
        return any(one.version == network.version and one in network for network in self._options.exclude)

    def _start(self, target: Target, address: str | None, port: int) -> None:
        """Begin to look at one address and port."""
        fact = self._announce(
            TargetFact(
                target=target.text if address is not None else target.host,
                address=address,
                port=port,
                expect=expectation(port, target, self._options.expect),
                mode=self._wire.mode,
                patient=self._options.patient,
                banner_wait_ns=int(self._options.banner_wait_s * SECOND),
            )
        )
        if address is None:
            self._settle(fact, complete=True)
            return
        mine = self._logins.untold(target)
        if mine is not None:
            self._announce(mine)
        route = self._announce(self._wire.route(address))
        if route.outcome == "broadcast":
            self._notice(
                f"{address} is the broadcast address of {route.interface or 'a network here'}, it is never probed; "
                "name the address of one host"
            )
        if route.outcome not in ("ok", "local"):
            self._settle(fact, complete=True)
            return
        used = self._used.setdefault(address, set())
        plan = replace(self._plan, ask_for=self._logins.user(target)) if self._options.auth_methods else self._plan
        job = Job(fact, Prober(fact, route, plan, self._secret, self._ids, used))
        self._jobs.append(job)
        self._advance(job)

    def _advance(self, job: Job) -> None:
        """Let a target's prober look at what is known, and do what it asks for."""
        e = self._watch.evidence(job.fact, self._wire.heard_ns)
        for command in job.prober.advance(e):
            self._wire.perform(command)
        if job.prober.done:
            self._jobs.remove(job)
            self._settle(job.fact, complete=True)
        else:
            job.due_ns = job.prober.deadline_ns or e.now_ns + SECOND

    def _give_up(self) -> None:
        """Whatever is known becomes a verdict: after an interrupt there are jobs left."""
        for job in self._jobs:
            self._settle(job.fact, complete=False)
        self._jobs.clear()

    def _tell_offer(self, fact: TargetFact) -> None:
        """Where a server's offer is known: what a client of this machine would answer, for the verdict to compare."""
        if self._offer_for is None or fact.expect != "ssh" or fact.address is None:
            return
        kex = self._watch.evidence(fact, self._wire.heard_ns).kex
        if kex is None or kex.server_offer is None:
            return
        told = self._offer_for(fact.target, kex.server_offer)
        if told is not None and self._told_offers.get(fact.target) != told:
            self._told_offers[fact.target] = told
            self._announce(replace(told, time_ns=self._wire.heard_ns))

    def _settle(self, fact: TargetFact, complete: bool) -> None:
        self._tell_offer(fact)
        settled = self._announce(
            SettledFact(
                time_ns=self._wire.heard_ns,
                target=fact.target,
                address=fact.address,
                port=fact.port,
                complete=complete,
            )
        )
        e = self._watch.evidence(fact, settled.time_ns)
        verdict = diagnose(e)
        self._verdicts.append((fact.number, verdict))
        if self._options.saves:
            for frame, text in comments.on_packets(comments.of(verdict)):
                self._wire.comment(frame, text)
        self._on_verdict(verdict)

    def _announce(self, fact: SomeFact) -> SomeFact:
        numbered = self._wire.announce(fact)
        self._watch.receive([numbered])
        return numbered
