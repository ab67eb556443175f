"""The driver of `scan --marked`: rounds of SYNs in the rhythm that `doctor --watch` looks for on the server.

House rules of this file:
1. Nothing is decided here: what became of the SYNs is counted on both ends, and told.
2. What will be sent is said before the first packet leaves.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from netprobe.addresses import Network
from netprobe.errors import CannotMeasure, UsageError
from netprobe.interrupts import Interrupts
from netprobe.options import ScanOptions
from netprobe.rhythm import ECHOES, LATER_S, PATIENCE_S, SYNS, WHOLE_S
from netprobe.targets import Target, ports_of
from netprobe.wire import privilege, resolver
from netprobe.wire.clock import Clock
from netprobe.wire.rounds import NOTHING, ConnectSyns, Echoes, RawSockets, RawSyns, Syns

Notice = Callable[[str], None]
_LOOK_EVERY_S = 0.05
# After a limit was met, what comes next shall not meet it again (ufw, fail2ban's and most others' windows: 30 s).
REST_S = 31.0
CHANGED = (
    "the answers changed from round to round: a limit was met, most likely. Waiting for half a minute, so that the "
    "scan doesn't meet it, too"
)


@dataclass(slots=True)
class Sent:
    """What was sent to one address and how each round was answered. `echoed` is None where none could be sent."""

    address: str
    port: int
    rounds: list[Counter[str]] = field(default_factory=list)
    echoes: int = 0
    echoed: int | None = None

    @property
    def changed(self) -> bool:
        """Whether rounds were answered in different ways: a limit was met, most likely. Some silence within a round is
        none: packets get lost, and a kernel writes so many ICMP errors a second and no more."""
        usual = {one.most_common(1)[0][0] for one in self.rounds if one}
        return len(usual) > 1 or any(len(set(one) - {NOTHING}) > 1 for one in self.rounds)

    def __str__(self) -> str:
        place = f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"
        told = "; ".join(_told(one) for one in self.rounds)
        ping = "" if self.echoed is None else f"; {self.echoed} of {self.echoes} pings answered"
        return f"marked SYNs to {place}, by rounds: {told}{ping}"


def _told(one: Counter[str]) -> str:
    return ", ".join(f"{count} {word}" for word, count in sorted(one.items()))


class Marked:
    """The rounds to one port of at most one address of each family. `opened`: raw sockets by IP version; without any,
    ordinary connections. Raises CannotMeasure where nothing can be sent."""

    def __init__(
        self, addresses: list[str], port: int, opened: Mapping[int, RawSockets], *, device: str | None = None
    ) -> None:
        self._parties: list[tuple[Syns, Echoes | None, Sent]] = []
        failure = ""
        for address in addresses:
            raw = opened.get(6 if ":" in address else 4)
            try:
                syns = RawSyns(address, port, raw) if raw is not None else ConnectSyns(address, port, device=device)
            except OSError as error:
                failure = f"{address}: {error.strerror}"
                continue
            echoes = None
            with contextlib.suppress(OSError):
                echoes = Echoes(address, raw, device=device)
            sent = Sent(address, port, syns.answers, echoed=None if echoes is None else 0)
            self._parties.append((syns, echoes, sent))
        if not self._parties:
            raise CannotMeasure(f"no marked SYN can be sent ({failure or 'no address'})", "look at `ip route`")

    def announce(self, notice: Notice) -> None:
        """Say what is about to be sent."""
        alone = len(self._parties) == 1
        for syns, echoes, _ in self._parties:
            rounds = SYNS[syns.version]
            lasts_s = rounds.span_s + (0.0 if alone else LATER_S[syns.version])
            sizes = ", ".join(map(str, rounds.sizes))
            ping = f" and {ECHOES[syns.version].total} pings between them" if echoes else ""
            notice(
                f"--marked: {rounds.total} SYNs ({sizes}) to {syns.address} port {syns.port} within "
                f"{lasts_s:.0f} s{ping}. A limit on new connections may hold this "
                "machine off for half a minute. `netprobe doctor --watch` must be running on the server"
            )

    def run(self, stop: Callable[[], bool]) -> list[Sent]:
        """Send all rounds and hear what answers them; `stop` ends it early."""
        began = time.monotonic()
        try:
            for due_s, act in sorted(self._plan(), key=lambda one: one[0]):
                self._listen_until(began + due_s, stop)
                if stop():
                    break
                act()
            self._listen_until(time.monotonic() + PATIENCE_S + _LOOK_EVERY_S, stop)
        finally:
            self._close()
        return [sent for _, _, sent in self._parties]

    def _plan(self) -> Iterator[tuple[float, Callable[[], None]]]:
        alone = len(self._parties) == 1
        for syns, echoes, sent in self._parties:
            later = 0.0 if alone else LATER_S[syns.version]
            rounds = SYNS[syns.version]
            for start, size, marked in zip(rounds.starts_s, rounds.sizes, rounds.marked, strict=True):
                yield later + start, _round(syns, size, marked)
            if echoes is not None:
                pings = ECHOES[syns.version]
                for start, size in zip(pings.starts_s, pings.sizes, strict=True):
                    yield later + start, _pings(echoes, size, sent)

    def _listen_until(self, until: float, stop: Callable[[], bool]) -> None:
        while True:
            for syns, echoes, sent in self._parties:
                syns.listen()
                if echoes is not None:
                    echoes.listen()
                    sent.echoed = echoes.answered
            left = until - time.monotonic()
            if left <= 0 or stop():
                return
            time.sleep(min(left, _LOOK_EVERY_S))

    def _close(self) -> None:
        for syns, echoes, sent in self._parties:
            syns.close()
            if echoes is not None:
                echoes.close()
            for at, one in enumerate(sent.rounds):
                missing = SYNS[syns.version].sizes[at] - one.total()
                if missing > 0:
                    one[NOTHING] += missing


def _round(syns: Syns, size: int, marked: bool) -> Callable[[], None]:
    return lambda: syns.send(size, marked=marked)


def _pings(echoes: Echoes, size: int, sent: Sent) -> Callable[[], None]:
    def act() -> None:
        sent.echoes += echoes.send(size)

    return act


# --------------------------------------------------------------------------- the run


def run(options: ScanOptions, notice: Notice) -> bool:
    """Send the rounds, tell how they were answered, and leave the server alone for a while where a limit was met. False
    after an interrupt. Raises UsageError and CannotMeasure."""
    target, port = _only(options)
    opened: dict[int, RawSockets] = {}
    if not options.force_connect and privilege.can_capture():
        for family in options.families:
            with contextlib.suppress(OSError):
                opened[family] = RawSockets(family, device=options.interface)
    with Interrupts() as interrupts:
        if opened:
            found = _apart(lambda tell, stop: _send(options, target, port, opened, tell, stop), interrupts, notice)
        else:
            found = _send(options, target, port, opened, notice, lambda: interrupts.asked)
        for text in found:
            notice(text)
        if CHANGED in found and not interrupts.asked:
            rest(lambda: interrupts.asked)
        return not interrupts.asked


def progress(elapsed_s: float) -> str:
    """How far the rounds are after so many seconds; a rest may follow them."""
    if elapsed_s < WHOLE_S:
        return f"marked SYNs, {elapsed_s:.0f} s, about {WHOLE_S - elapsed_s:.0f} s left"
    return f"resting after marked SYNs, {elapsed_s:.0f} s, at most {max(WHOLE_S + REST_S - elapsed_s, 0):.0f} s left"


def _only(options: ScanOptions) -> tuple[Target, int]:
    """The one target and its one port."""
    pairs = [(target, port) for target in options.targets for port in ports_of(target, options.ports)]
    if len(pairs) != 1:
        raise UsageError(f"--marked is about one server and one port, not {len(pairs)}", "name one")
    return pairs[0]


def _send(
    options: ScanOptions,
    target: Target,
    port: int,
    opened: Mapping[int, RawSockets],
    notice: Notice,
    stop: Callable[[], bool],
) -> list[str]:
    """What was sent and what came, in words."""
    fact = resolver.resolve(target.host, options.families, Clock())
    addresses: dict[bool, str] = {}
    for one in fact.addresses:
        if not excluded(one, options.exclude):
            addresses.setdefault(":" in one, one)
    if not addresses:
        raise CannotMeasure(f"{target.host} has no address for marked SYNs", "name an address")
    party = Marked(list(addresses.values()), port, opened, device=options.interface)
    party.announce(notice)
    found = party.run(stop)
    return [*map(str, found), *([CHANGED] if any(one.changed for one in found) else [])]


def _apart(
    work: Callable[[Notice, Callable[[], bool]], list[str]], interrupts: Interrupts, notice: Notice
) -> list[str]:
    """Do it in a child that has given its privileges away: packets of strangers are not for root to read, and the scan
    after it still needs what root may open."""
    ours, theirs = os.pipe()
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        _child(work, ours, theirs, parent)
    os.close(theirs)
    interrupts.wake = lambda: os.kill(child, signal.SIGINT)
    found: list[str] = []
    failure: dict[str, str] = {}
    with os.fdopen(ours, encoding="utf-8") as lines:
        for line in lines:
            kind, text = json.loads(line)
            if kind == "notice":
                notice(text)
            elif kind == "sent":
                found.append(text)
            else:
                failure[kind] = text
    interrupts.wake = None
    os.waitpid(child, 0)
    if failure:
        raise CannotMeasure(*failure.values())
    return found


def _child(work: Callable[[Notice, Callable[[], bool]], list[str]], ours: int, theirs: int, parent: int) -> NoReturn:
    status = 1
    try:
        os.close(ours)
        os.setpgid(0, 0)  # Ctrl-C of a terminal reaches the parent alone, which passes it on
        asked: list[int] = []
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda heard, _: asked.append(heard))
        privilege.drop()

        def tell(kind: str, text: str) -> None:
            os.write(theirs, (json.dumps([kind, text]) + "\n").encode())

        try:
            for text in work(lambda text: tell("notice", text), lambda: bool(asked) or os.getppid() != parent):
                tell("sent", text)
        except CannotMeasure as error:
            tell("failure", str(error))
        status = 0
    finally:
        os._exit(status)


def rest(stop: Callable[[], bool], seconds: float = REST_S) -> None:
    """Wait, unless interrupted."""
    until = time.monotonic() + seconds
    while not stop() and (left := until - time.monotonic()) > 0:
        time.sleep(min(left, _LOOK_EVERY_S))


def excluded(address: str, exclude: Sequence[Network]) -> bool:
    """Whether an address must not be touched."""
    one = ipaddress.ip_address(address.partition("%")[0])
    return any(one.version == network.version and one in network for network in exclude)
