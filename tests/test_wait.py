"""Waiting over a scripted network: each change is told once, the budget of probing holds, and the end is as asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest

from netprobe import wait as driver
from netprobe.cli import request, run
from netprobe.errors import UsageError
from netprobe.interrupts import Interrupts
from netprobe.model import Command, Connect, Hang, Mode, ResolvedFact, RouteFact, Verdict
from netprobe.options import WaitOptions
from netprobe.ration import SECOND, Ration
from netprobe.report import waiting
from netprobe.targets import Target
from netprobe.wait import Change, Wait, Waited, reaches
from netprobe.wire.memory import START_NS, Answer, MemoryWire
from tests.network import OPENSSH, Network, listening, rejects, silent
from tests.samples import a_hostile_verdict, a_verdict, an_up_verdict

SSH: dict[str, Any] = {"ports": {22: listening}, "services": {22: OPENSSH}, "dead": False}
CLOSED: dict[str, Any] = {"ports": {}, "services": {}, "dead": False}
DEAD: dict[str, Any] = {"dead": True}
DROPS: dict[str, Any] = {"ports": {22: silent}, "services": {}, "dead": False}
REJECTS: dict[str, Any] = {"ports": {22: rejects(3, 13)}, "services": {}, "dead": False}
MUTE: dict[str, Any] = {"ports": {22: listening}, "services": {}, "dead": False}


@dataclass
class Booting:
    """A network that changes with time: (seconds, what is so from then on)."""

    stages: tuple[tuple[float, dict[str, Any]], ...]
    mode: Mode = Mode.RAW
    options: dict[str, Any] = field(default_factory=dict)
    interrupt_at: float | None = None

    def __post_init__(self) -> None:
        self.network = Network(**self.stages[0][1])
        self.network.frames = self.mode is Mode.RAW
        gateway = self.network.routers[0]
        address = self.network.address
        route = RouteFact(address=address, outcome="ok", interface="eth0", source=self.network.source, gateway=gateway)
        self.interrupts = Interrupts()
        self.wire = MemoryWire(self._respond, mode=self.mode, routes={address: route})
        self.told: list[Change] = []
        self.looks = 0
        asked: dict[str, Any] = {"target": Target(address, address), "port": 22, "timeout_s": 150.0} | self.options
        self.waited = Wait(self.wire, WaitOptions(**asked), self.told.append, self._looked, self.interrupts).run()

    def _looked(self, looks: int) -> None:
        self.looks = looks

    def _respond(self, command: Command, now_ns: int) -> Iterable[Answer]:
        seconds = (now_ns - START_NS) / 1e9
        for at, what in self.stages:
            if seconds >= at:
                for name, value in what.items():
                    setattr(self.network, name, value)
        if self.interrupt_at is not None and seconds >= self.interrupt_at:
            self.interrupts.asked = True
        return self.network(command, now_ns)

    @property
    def causes(self) -> list[str]:
        return [change.verdict.cause for change in self.told]

    def syns(self) -> list[float]:
        """When SYNs left that can reach the port. What the script has a kernel repeat after a connection was hung up
        never left; what the last router has no machine for ends there."""
        hung = {c.id: at / 1e9 for at, c in self.wire.commands if isinstance(c, Hang)}
        connects = [(at / 1e9, c) for at, c in self.wire.commands if isinstance(c, Connect) and not c.ttl]
        begun = [(at, hung.get(c.id, 1e18)) for at, c in connects]
        found = []
        for at, syn in self.network.syns:
            stale = any(start < at - 0.5 and end < at - 0.01 and abs(at - start - 1) < 0.01 for start, end in begun)
            ended = (at, syn) in self.network.nobody
            if syn.dst.port == 22 and syn.ttl >= self.network.distance and not stale and not ended:
                found.append(at)
        return sorted(found)

    def full_connections(self) -> list[float]:
        connects = [(at / 1e9, c) for at, c in self.wire.commands if isinstance(c, Connect) and not c.ttl]
        return [at for at, c in connects if c.server.port == 22]


BOTH = pytest.mark.parametrize("mode", [Mode.RAW, Mode.CONNECT])
STORIES = {
    "a machine boots": ((0, DEAD), (40, CLOSED), (60, SSH)),
    "a machine restarts": ((0, SSH), (50, CLOSED), (70, DEAD), (110, CLOSED), (120, SSH)),
    "a filter comes and goes": ((0, CLOSED), (40, DROPS), (90, REJECTS), (110, CLOSED)),
    "nothing happens": ((0, CLOSED),),
    "it drops": ((0, DROPS),),
    "it flaps": tuple((float(at), CLOSED if at % 2 else DROPS) for at in range(150)),
    "it says nothing": ((0, MUTE),),
}


@BOTH
def test_a_machine_boots(mode: Mode) -> None:
    boot = Booting(STORIES["a machine boots"], mode)
    assert boot.causes == ["host-unreachable", "no-listener", "up"]
    assert boot.waited.reached
    assert not boot.waited.interrupted
    assert boot.waited.changes == tuple(boot.told)
    dead, closed, up = (change.after_ns / 1e9 for change in boot.told)
    assert dead < 8
    assert 40 <= closed < 70  # no longer than the budget makes it wait
    assert 60 <= up < 70
    assert boot.looks == boot.waited.looks > 4


@BOTH
def test_a_machine_that_boots_soon_is_seen_soon(mode: Mode) -> None:
    """What a router had no machine for has cost the port nothing: no half minute goes by until the next look."""
    boot = Booting(((0, DEAD), (12, CLOSED), (30, SSH)), mode)
    assert boot.causes == ["host-unreachable", "no-listener", "up"]
    dead, closed, up = (change.after_ns / 1e9 for change in boot.told)
    assert (dead < 8, 12 <= closed < 20, 30 <= up < 45) == (True, True, True), (dead, closed, up)


@BOTH
@pytest.mark.parametrize("story", STORIES)
def test_the_budget_holds_whatever_happens(story: str, mode: Mode) -> None:
    boot = Booting(STORIES[story], mode, {"until": ("nothing",), "timeout_s": 200.0, "interval_s": 1.0})
    syns = boot.syns()
    assert syns
    for start in syns:
        assert sum(start <= at < start + 30 - 0.001 for at in syns) <= 5, (story, syns)
    if story == "it says nothing":
        full = boot.full_connections()
        assert all(later - earlier >= 29 for earlier, later in pairwise(full))
    started = {c.id for _, c in boot.wire.commands if isinstance(c, Connect)}
    hung = {c.id for _, c in boot.wire.commands if isinstance(c, Hang)}
    assert started == hung


def test_what_stays_is_told_once() -> None:
    boot = Booting(STORIES["nothing happens"], Mode.RAW)
    assert boot.causes == ["no-listener"]
    assert boot.told[0].verdict.certainty == "certain"  # the whole ladder, since there was room
    assert not boot.waited.reached
    assert boot.looks >= 15
    assert (boot.waited.finished_ns - boot.waited.started_ns) / 1e9 == pytest.approx(150, abs=0.1)


def test_through_a_restart() -> None:
    boot = Booting(STORIES["a machine restarts"], Mode.RAW, {"until": ("nothing",), "timeout_s": 170.0})
    assert boot.causes == ["up", "no-listener", "host-unreachable", "up"] or boot.causes == [
        "up", "no-listener", "host-unreachable", "no-listener", "up",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("until", "story", "reached_by"),
    [
        ("down", "a machine restarts", 62),
        ("closed", "a machine boots", 70),
        ("no-listener", "a machine boots", 70),
        ("filtered", "a machine boots", 8),
        ("open", "it says nothing", 13),
        ("rejected-by-host", "a filter comes and goes", 130),
    ],
)
def test_until(until: str, story: str, reached_by: float) -> None:
    boot = Booting(STORIES[story], Mode.RAW, {"until": (until,)})
    assert boot.waited.reached
    assert (boot.waited.finished_ns - boot.waited.started_ns) / 1e9 <= reached_by


def test_an_interrupt_ends_it() -> None:
    boot = Booting(STORIES["nothing happens"], Mode.RAW, interrupt_at=20.0)
    assert boot.waited.interrupted
    assert not boot.waited.reached
    assert boot.causes == ["no-listener"]


def test_a_name_that_is_found_later() -> None:
    network = Network(**SSH)
    address = network.address
    names = {"other.example": ResolvedFact(name="other.example", outcome="not-found")}
    asked = 0

    class Naming(MemoryWire):
        def resolve(self, name: str, families: tuple[int, ...]) -> ResolvedFact:
            nonlocal asked
            asked += 1
            if asked == 3:
                names[name] = ResolvedFact(name=name, outcome="ok", addresses=(address,))
            return super().resolve(name, families)

    gateway = network.routers[0]
    route = RouteFact(address=address, outcome="ok", interface="eth0", source=network.source, gateway=gateway)
    wire = Naming(network, names=names, routes={address: route})
    told: list[Change] = []
    options = WaitOptions(target=Target("new.example", "new.example"), port=22, timeout_s=60.0)
    assert Wait(wire, options, told.append).run().reached
    assert [change.verdict.cause for change in told] == ["name-not-found", "up"]


def test_no_route_is_told_and_looked_at_again() -> None:
    wire = MemoryWire(lambda command, now: (), routes={"192.0.2.9": RouteFact(address="192.0.2.9", outcome="no-route")})
    told: list[Change] = []
    options = WaitOptions(target=Target("192.0.2.9", "192.0.2.9"), port=22, timeout_s=30.0)
    waited = Wait(wire, options, told.append).run()
    assert [change.verdict.cause for change in told] == ["no-local-route"]
    assert waited.looks >= 5
    assert not wire.commands


# ---------------------------------------------------------------------- parts


def test_a_ration() -> None:
    ration = Ration(5)
    assert ration.room(0) == 5
    ration.take(0, 4)
    assert ration.room(1) == 1
    assert ration.pace(0, 6 * SECOND) == 15 * SECOND  # what is left lasts
    ration.take(15 * SECOND)
    assert ration.room(15 * SECOND) == 0
    assert ration.pace(15 * SECOND, 6 * SECOND) == 30 * SECOND
    assert ration.when(1, 15 * SECOND) == 30 * SECOND
    assert ration.when(5, 15 * SECOND) == 45 * SECOND
    assert ration.room(30 * SECOND) == 4
    ration.give_back(1)
    assert ration.room(30 * SECOND) == 5
    assert Ration(5).pace(7, 6) == 13


@pytest.mark.parametrize(
    ("verdict", "until", "so"),
    [
        (an_up_verdict(), ("up",), True),
        (an_up_verdict(), ("open", "closed"), True),
        (an_up_verdict(), ("down",), False),
        (a_verdict(), ("down",), True),
        (a_verdict(), ("reset-by-host-firewall",), True),
        (a_verdict(), ("up", "filtered"), False),
    ],
)
def test_what_is_reached(verdict: Verdict, until: tuple[str, ...], so: bool) -> None:
    assert reaches(verdict, until) is so


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("5m", 300), ("1.5h", 5400), ("1d", 86400), (" 2 min ", 120)]
)
def test_durations(text: str, seconds: float) -> None:
    assert request.duration(text, "--timeout") == seconds


@pytest.mark.parametrize("text", ["", "soon", "5 weeks", "-1", "0", "9999d", "1e3", "nan"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(UsageError):
        request.duration(text, "--timeout")


def test_until_words() -> None:
    assert request.until(()) == ("up",)
    assert request.until(("no-listener,Dropped", "up")) == ("no-listener", "dropped", "up")
    with pytest.raises(UsageError, match=r"did you mean 'no-listener'\?"):
        request.until(("no-listner",))
    with pytest.raises(UsageError, match="write --until up"):
        request.until((",",))


def test_lines() -> None:
    assert waiting.head().split() == ["TIME", "AFTER", "STATE", "CAUSE", "CERTAINTY", "WHERE"]
    text = waiting.line(an_up_verdict(), 1_700_000_000_000_000_000, 125 * SECOND)
    assert text.startswith("22:13:20    2m05s  open      up")
    assert "SSH-2.0" in text
    hostile = waiting.line(a_hostile_verdict(), 0, 0, address=True)
    assert all(character.isprintable() for character in hostile)
    assert "\x1b[31m" in waiting.line(a_verdict(), 0, 0, colour=True)
    for width in (40, 60, 78, 80, 120):
        for verdict in (a_verdict(), an_up_verdict(), a_hostile_verdict()):
            lines = waiting.line(verdict, 0, 0, address=True, width=width).splitlines()
            assert max(map(len, lines)) <= width
            assert verdict.cause in "".join(lines)
        assert bool(waiting.head(width)) is (width >= 78)
    assert waiting.line(a_verdict(), 0, 0, width=200) == waiting.line(a_verdict(), 0, 0)
    assert [waiting.duration(seconds * SECOND) for seconds in (0, 99, 100, 3599, 3725)] == [
        "0 s", "99 s", "1m40s", "59m59s", "1h02m",
    ]  # fmt: skip


# ---------------------------------------------------------------------- the command


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[WaitOptions]]:
    """Takes the driver's place: two changes, and an end as asked."""
    seen: list[WaitOptions] = []

    def as_if(*, reached: bool = True, interrupted: bool = False) -> list[WaitOptions]:
        def stand_in(options: WaitOptions, on_change: Any, on_look: Any, notice: Any) -> Waited:
            seen.append(options)
            changes = (
                Change(START_NS, SECOND, a_verdict()), Change(START_NS + SECOND, 2 * SECOND, an_up_verdict()),
            )  # fmt: skip
            for change in changes:
                on_change(change)
            on_look(7)
            return Waited(START_NS, START_NS + 2 * SECOND, Mode.RAW, changes, reached, interrupted, 7)

        monkeypatch.setattr(driver, "run", stand_in)
        return seen

    return as_if


Captured = pytest.CaptureFixture[str]


def test_the_command_line(waits: Any, capsys: Captured) -> None:
    seen = waits()
    assert run(["wait", "-t", "5m", "--until", "up,closed", "--interval", "10", "-4", "192.0.2.1:2222"]) == 0
    assert seen == [
        WaitOptions(
            target=Target("192.0.2.1:2222", "192.0.2.1", 2222), port=2222, until=("up", "closed"), timeout_s=300.0,
            interval_s=10.0, families=(4,),
        )
    ]  # fmt: skip
    said = capsys.readouterr()
    assert [word in said.out for word in ("TIME", "reset-by-host-firewall", " up ")] == [True] * 3
    assert said.err == ""


@pytest.mark.parametrize(
    ("end", "code", "words"),
    [({}, 0, ""), ({"reached": False}, 1, "not up within the time; it is open (up). To see why"),
     ({"reached": False, "interrupted": True}, 130, "interrupted")],
)  # fmt: skip
def test_how_it_ends(waits: Any, capsys: Captured, end: dict[str, bool], code: int, words: str) -> None:
    waits(**end)
    assert run(["wait", "192.0.2.1"]) == code
    assert words in capsys.readouterr().err


def test_json(waits: Any, capsys: Captured) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    from importlib.resources import files

    schema = json.loads((files("netprobe") / "report" / "schema.json").read_text("utf-8"))
    waits()
    assert run(["wait", "--json", "192.0.2.1"]) == 0
    document = json.loads(capsys.readouterr().out)
    jsonschema.validate(document, schema)
    assert document["command"] == "wait"
    assert document["wait"] == {"until": ["up"], "reached": True, "waited_s": 2.0, "looks": 7}
    assert [one["after_s"] for one in document["verdicts"]] == [1.0, 2.0]
    assert run(["wait", "--jsonl", "192.0.2.1"]) == 0
    *lines, last = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert [line["cause"] for line in lines] == ["reset-by-host-firewall", "up"]
    assert lines[0]["changed"] == "2023-11-14T22:13:20.000000000Z"
    jsonschema.validate(last, schema["$defs"]["summary_line"] | {"$defs": schema["$defs"]})
    assert last["wait"]["reached"] is True


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("192.0.2.0/28",), "more than one place"),
        (("-p", "22,80", "192.0.2.1"), "more than one place"),
        (("--until", "upp", "192.0.2.1"), "did you mean 'up'?"),
        (("--timeout", "soon", "192.0.2.1"), "90s, 5m or 1h"),
        (("--interval", "0", "192.0.2.1"), "out of range"),
        (("--expect", "htpp", "192.0.2.1"), "did you mean 'http'?"),
        (("--json", "--jsonl", "192.0.2.1"), "two forms"),
    ],
)
def test_usage_errors(capsys: Captured, arguments: tuple[str, ...], words: str) -> None:
    assert run(["wait", *arguments]) == 2
    assert words in capsys.readouterr().err



