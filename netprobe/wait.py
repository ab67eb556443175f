"""The driver of `netprobe wait`: looks at one port again and again and tells each change, until it is as wished.

House rules of this file:
1. The budget of docs/interface.md is kept by accounts (`Ration`), whatever happens: a look is one connect(), given up
   before the kernel repeats its SYN. The whole ladder of a scan follows only where the look differs from the one
   before, can't say enough by itself, and the account has room; else it waits for the room.
2. Each look is a world of its own: what an earlier one saw is no evidence of now.
3. Nothing is decided here: rules say what a look means.
"""

from __future__ import annotations

import itertools
import secrets
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TypeVar

from netprobe.evidence import Evidence
from netprobe.interrupts import Interrupts
from netprobe.model import (
    Certainty,
    Command,
    Connect,
    Fact,
    Hang,
    Mode,
    Probe,
    ResolvedFact,
    SettledFact,
    Shape,
    State,
    TargetFact,
    Verdict,
)
from netprobe.options import ScanOptions, WaitOptions
from netprobe.prober import Plan, Prober
from netprobe.ration import CONNECTIONS, SECOND, SYNS, Ration
from netprobe.scan import open_wire
from netprobe.targets import expectation
from netprobe.verdict import diagnose
from netprobe.watch import Watch
from netprobe.wire import Wire

SomeFact = TypeVar("SomeFact", bound=Fact)
# A look is given up before the kernel's second SYN, which follows after one second (RFC 6298 2).
LOOK_NS = 950_000_000
# What the ladder sends to the port after its connect(), at most.
LADDER = SYNS - 1
# The kernel's own repetitions of a SYN that stays unanswered, within the patience of a scan.
REPEATS_S = (1.0, 3.0)
NAME_AGAIN_NS = 30 * SECOND
_SYN_SHAPES = frozenset({Shape.SYN, Shape.BARE_SYN, Shape.MD5_SYN, Shape.FRAGMENT})


@dataclass(frozen=True, slots=True)
class Change:
    """The port is not as it was. `after_ns`: since the wait began."""

    time_ns: int
    after_ns: int
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Waited:
    """How a wait ended."""

    started_ns: int
    finished_ns: int
    mode: Mode
    changes: tuple[Change, ...]
    reached: bool
    interrupted: bool
    looks: int


@dataclass(slots=True)
class _Place:
    """One address and what is known of it. `seen`: what the last look showed; `told`: the verdict for it."""

    address: str | None
    due_ns: int
    syns: Ration = field(default_factory=lambda: Ration(SYNS))
    connections: Ration = field(default_factory=lambda: Ration(CONNECTIONS))
    seen: tuple[object, ...] | None = None
    told: Verdict | None = None
    owed: bool = False  # the next look must be a whole ladder
    used: set[tuple[int, int]] = field(default_factory=set)


def run(
    options: WaitOptions,
    on_change: Callable[[Change], None],
    on_look: Callable[[int], None],
    notice: Callable[[str], None],
) -> Waited:
    """Wait with the best wire that this user may open. Raises CannotMeasure when there is none."""
    with Interrupts() as interrupts:
        wire = open_wire(
            ScanOptions(targets=(options.target,), interface=options.interface, force_connect=options.force_connect),
            notice,
        )
        interrupts.wake = wire.wake
        return Wait(wire, options, on_change, on_look, interrupts).run()


class Wait:
    """One wait over a wire that is already open."""

    def __init__(
        self,
        wire: Wire,
        options: WaitOptions,
        on_change: Callable[[Change], None],
        on_look: Callable[[int], None] = lambda _: None,
        interrupts: Interrupts | None = None,
    ) -> None:
        self._wire = wire
        self._options = options
        self._on_change = on_change
        self._on_look = on_look
        self._interrupts = interrupts or Interrupts()
        self._secret = secrets.token_bytes(16)
        self._ids: Iterator[int] = itertools.count(1)
        self._changes: list[Change] = []
        self._looks = 0
        self._places: dict[str | None, _Place] = {}
        self._named_ns: int | None = None
        self._started_ns = 0

    # ------------------------------------------------------------------ the loop

    def run(self) -> Waited:
        """Look until the port is as wished, until the time is over, or until interrupted."""
        self._started_ns = self._wire.now_ns()
        reached = False
        try:
            reached = self._loop()
        except KeyboardInterrupt:  # of a caller who doesn't hold it back
            self._interrupts.asked = True
        finally:
            self._wire.close()
        return Waited(
            started_ns=self._started_ns,
            finished_ns=self._wire.now_ns(),
            mode=self._wire.mode,
            changes=tuple(self._changes),
            reached=reached,
            interrupted=self._interrupts.asked and not reached,
            looks=self._looks,
        )

    def _loop(self) -> bool:
        timeout_s = self._options.timeout_s
        end_ns = None if timeout_s is None else self._started_ns + int(timeout_s * SECOND)
        while not self._interrupts.asked:
            self._name()
            for place in list(self._places.values()):
                now = self._wire.now_ns()
                if place.due_ns <= now and not self._interrupts.asked:
                    verdict = self._look(place)
                    self._looks += 1
                    self._on_look(self._looks)
                    if verdict is not None and reaches(verdict, self._options.until):
                        return True
            due_ns = min(place.due_ns for place in self._places.values())
            if end_ns is not None and due_ns > end_ns:
                self._idle(end_ns)
                return False
            self._idle(due_ns)
        return False

    def _idle(self, until_ns: int) -> None:
        """Let the time pass; what arrives now answers nothing that is still asked."""
        while self._wire.now_ns() < until_ns and not self._interrupts.asked:
            self._wire.receive(until_ns)

    # ------------------------------------------------------------------ names

    def _name(self) -> None:
        """Find the addresses, and find them again from time to time: a machine that boots may get another one."""
        target = self._options.target
        now = self._wire.now_ns()
        if target.is_address:
            self._places.setdefault(target.host, _Place(target.host, now))
            return
        if self._named_ns is not None and now < self._named_ns:
            return
        fact = self._resolved()
        if fact is None:
            return
        found = list(fact.addresses) if fact.outcome == "ok" else []
        self._named_ns = now + (NAME_AGAIN_NS if found else self._interval_ns)
        if found:
            self._places = {address: self._places.get(address) or _Place(address, now) for address in found}
        else:
            known = self._places.get(None) or _Place(None, now)
            self._places = {None: known}
            watch = Watch()
            self._announce(watch, fact)
            self._tell(known, self._settle(watch, self._announce(watch, self._fact(None))), ("name", fact.outcome))
            known.due_ns = self._named_ns

    def _resolved(self) -> ResolvedFact | None:
        """What the resolver says; None where an interrupt came first. A name server's silence must not outlast it."""
        future: Future[ResolvedFact] = Future()

        def work() -> None:
            try:
                future.set_result(self._wire.resolve(self._options.target.host, self._options.families))
            except Exception as error:  # noqa: BLE001 - whoever takes the result hears of it
                future.set_exception(error)

        threading.Thread(target=work, daemon=True).start()
        while not self._interrupts.asked:
            try:
                return future.result(timeout=0.05)
            except TimeoutError:
                continue
        return None

    # ------------------------------------------------------------------ a look

    @property
    def _interval_ns(self) -> int:
        return int(self._options.interval_s * SECOND)

    def _fact(self, address: str | None) -> TargetFact:
        target, port = self._options.target, self._options.port
        return TargetFact(
            target=target.text if address is not None else target.host,
            address=address,
            port=port,
            expect=expectation(port, target, self._options.expect),
            mode=self._wire.mode,
            patient=False,
            banner_wait_ns=int(self._options.banner_wait_s * SECOND),
        )

    def _look(self, place: _Place) -> Verdict | None:
        """One look. Gives the verdict that stands for the port now; None where none is known yet."""
        if place.address is None:
            return place.told
        began_ns = self._wire.now_ns()
        watch = Watch()
        fact = self._announce(watch, self._fact(place.address))
        route = self._announce(watch, self._wire.route(place.address))
        place.due_ns = began_ns + self._interval_ns
        if route.outcome not in ("ok", "local"):
            return self._tell(place, self._settle(watch, fact), ("route", route.outcome))
        plan = Plan(elsewhere=False, source_port=self._options.source_port)
        prober = Prober(fact, route, plan, self._secret, self._ids, place.used)
        errand = _Errand(self._wire, place, fact, watch, prober)
        before = place.told
        try:
            verdict = self._judged(place, errand)
        finally:
            errand.end()
        if verdict is not None and _reached_nobody(verdict, new=verdict is not before):
            place.syns.give_back(errand.sent)
        now = self._wire.now_ns()
        place.due_ns = max(place.syns.pace(now, began_ns + self._interval_ns - now), place.connections.when(1, now))
        if place.owed:
            place.due_ns = max(place.due_ns, place.syns.when(SYNS, now))
        return verdict

    def _judged(self, place: _Place, errand: _Errand) -> Verdict | None:
        """Look, and go on with the ladder where that is worth it and allowed."""
        room = place.syns.room(errand.began_ns) - 1
        e = errand.look(self._interrupts)
        seen, light = _sight(e), diagnose(e)
        if self._interrupts.asked and light.state is State.UNKNOWN:
            return place.told
        changed = seen != place.seen or place.owed
        if e.features.get("answer") == "syn-ack":  # all that follows goes over the connection that is there
            place.connections.take(errand.began_ns)
        elif not changed or _as_before(light, place.told):
            return place.told
        elif light.state is not State.UNKNOWN and (light.certainty is Certainty.CERTAIN or room < LADDER):
            return self._tell(place, self._settle(errand.watch, errand.fact), seen)
        elif room < LADDER:
            place.owed = True
            place.seen = seen
            return None
        errand.climb(self._interrupts)
        verdict = self._settle(errand.watch, errand.fact, complete=not self._interrupts.asked)
        if self._interrupts.asked and verdict.state is State.UNKNOWN:
            return place.told
        return self._tell(place, verdict, seen)

    def _tell(self, place: _Place, verdict: Verdict, seen: tuple[object, ...]) -> Verdict:
        """Tell a verdict where it is another one than before."""
        before = place.told
        place.seen, place.told, place.owed = seen, verdict, False
        if before is None or _essence(before) != _essence(verdict):
            now = self._wire.now_ns()
            change = Change(now, now - self._started_ns, verdict)
            self._changes.append(change)
            self._on_change(change)
        return verdict

    def _settle(self, watch: Watch, fact: TargetFact, *, complete: bool = True) -> Verdict:
        settled = self._announce(
            watch,
            SettledFact(
                time_ns=self._wire.heard_ns, target=fact.target, address=fact.address, port=fact.port, complete=complete
            ),
        )  # fmt: skip
        return diagnose(watch.evidence(fact, settled.time_ns))

    def _announce(self, watch: Watch, fact: SomeFact) -> SomeFact:
        numbered = self._wire.announce(fact)
        watch.receive([numbered])
        return numbered


class _Errand:
    """The commands of one look, and the account of what they sent."""

    def __init__(self, wire: Wire, place: _Place, fact: TargetFact, watch: Watch, prober: Prober) -> None:
        self._wire = wire
        self._place = place
        self._prober = prober
        self._open: dict[int, int] = {}  # connections that are not hung up, and when they began
        self._answered_ns: int | None = None
        self._walked = False
        self._reserved = 0
        self.fact = fact
        self.watch = watch
        self.began_ns = wire.now_ns()
        self.sent = 0  # SYNs that can reach the port

    def look(self, interrupts: Interrupts) -> Evidence:
        """The first step, a connect(), until it is answered or LOOK_NS have passed."""
        e = self._advance()
        deadline_ns = self.began_ns + LOOK_NS
        while not interrupts.asked and self._wire.now_ns() < deadline_ns and not _decided(e):
            self.watch.receive(self._wire.receive(deadline_ns))
            e = self._evidence()
        return e

    def climb(self, interrupts: Interrupts) -> None:
        """The steps that follow, to the end."""
        if self._answered_ns is None:  # the kernel repeats its SYN in a moment
            self._take(self._wire.now_ns(), 1)
            self._reserved = 1
        self._advance()
        while not self._prober.done and not interrupts.asked:
            due_ns = self._prober.deadline_ns or self._wire.now_ns() + SECOND
            self.watch.receive(self._wire.receive(due_ns))
            self._advance()

    def end(self) -> None:
        """Hang up what is open; the kernel's repetitions are counted."""
        for identifier in list(self._open):
            self._do(Hang(identifier))

    def _evidence(self) -> Evidence:
        e = self.watch.evidence(self.fact, self._wire.heard_ns)
        if self._answered_ns is None and _decided(e):
            self._answered_ns = self._wire.now_ns()
        return e

    def _advance(self) -> Evidence:
        e = self._evidence()
        for command in self._prober.advance(e):
            self._do(command)
        return e

    def _do(self, command: Command) -> None:
        now = self._wire.now_ns()
        if isinstance(command, Connect):
            self._open[command.id] = now
            self._take(now, int(self._to_port(command) and command.ttl is None))
        elif isinstance(command, Probe) and command.shape in _SYN_SHAPES and self._to_port(command):
            if command.ttl is None and not self._place.syns.room(now):
                return  # answers that change from one packet to the next would make the ladder longer than it may be
            # Of a walk's packets all but the last expire on the way.
            self._take(now, 1 if command.ttl is None or not self._walked else 0)
            self._walked |= command.ttl is not None
        elif isinstance(command, Hang) and command.id in self._open:
            began_ns = self._open.pop(command.id)
            self._count_repeats((self._answered_ns or now) - began_ns, now)
        self._wire.perform(command)

    def _take(self, now: int, count: int) -> None:
        self._place.syns.take(now, count)
        self.sent += count

    def _to_port(self, command: Connect | Probe) -> bool:
        return command.server.port == self.fact.port

    def _count_repeats(self, lasted_ns: int, now: int) -> None:
        repeats = sum(lasted_ns > after * SECOND for after in REPEATS_S)
        self._take(now, max(0, repeats - self._reserved))
        self._reserved = 0


def _as_before(light: Verdict, told: Verdict | None) -> bool:
    """Whether a look shows the very refusal that is known to be a missing machine: the router's word for that comes
    at once, or seconds late, by how long it has been looking."""
    if told is None or told.cause != "host-unreachable":
        return False
    return (light.reason, light.reason_address) == (told.reason, told.reason_address)


def _reached_nobody(verdict: Verdict, *, new: bool) -> bool:
    """Whether the SYNs of this look can't have got to the port. `new`: it is this look's own verdict. A machine that
    boots is then seen at the next look, not when the account allows it again."""
    if verdict.cause == "neighbor-unreachable":  # none went out
        return True
    # The router before it says that nobody is there: they ended with it.
    return new and verdict.cause == "host-unreachable" and verdict.certainty is Certainty.CERTAIN


def _decided(e: Evidence) -> bool:
    """Whether the connect() is over, or answered."""
    return e.features.get("answer") not in (None, "pending") or e.features.get("connect") not in (None, "pending")


def _sight(e: Evidence) -> tuple[object, ...]:
    """What tells one look from another."""
    f = e.features
    names = ("answer", "connect", "icmp", "icmp_from", "own_syn", "link", "spoke", "handshake")
    if not _decided(e):
        return ("silence", f.get("own_syn"), f.get("link"))
    return tuple(f.get(name) for name in names)


def _essence(verdict: Verdict) -> tuple[object, ...]:
    """What a change is a change of."""
    return verdict.address, verdict.state, verdict.reason, verdict.cause, verdict.origin.address


def reaches(verdict: Verdict, until: tuple[str, ...]) -> bool:
    """Whether a verdict is what was waited for: `up`, `down` (anything else that is known), a state or a cause."""
    known = verdict.cause != "inconclusive"
    words = {verdict.cause, str(verdict.state), "down" if known and verdict.cause != "up" else ""}
    return bool(words & set(until))
