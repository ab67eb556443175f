"""Saved scans played to the prober: the same verdicts from its own packets, for every scan among the captures."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from netprobe import prober
from netprobe.analyze import analyze
from netprobe.cli import run
from netprobe.model import ConnectionFact, Frame, Mode, Record, SettledFact, Shape, TargetFact, Verdict
from netprobe.options import AnalyzeOptions
from netprobe.replay.live import play, read, scan_options
from netprobe.wire import headers
from netprobe.wire.capture import CaptureReader

CAPTURES = Path(__file__).resolve().parents[1] / "captures"
# Scans that can't be played, and why; none so far. Those that are no whole scans say so themselves (`lacks`).
LEFT_OUT: dict[str, str] = {}


@cache
def records(name: str) -> tuple[Record, ...]:
    return tuple(CaptureReader(CAPTURES / f"{name}.pcapng"))


@cache
def lacks(name: str) -> str:
    return read(records(name)).lacks


SCANS = sorted(path.stem for path in CAPTURES.glob("*.pcapng") if not lacks(path.stem))


def told(verdict: Verdict) -> tuple[object, ...]:
    return (verdict.target, verdict.address, verdict.port, verdict.state, verdict.cause, verdict.certainty,
            verdict.origin, verdict.rule)  # fmt: skip


def recorded(name: str) -> list[tuple[object, ...]]:
    path = CAPTURES / f"{name}.pcapng"
    return [told(one) for one in analyze(path, AnalyzeOptions(files=(path,)), lambda _: None).verdicts]


def played(name: str, change: Callable[[Record], Record | None] = lambda one: one) -> list[tuple[object, ...]]:
    changed = [one for record in records(name) if (one := change(record)) is not None]
    report, _ = play(read(changed))
    return [told(one) for one in report.verdicts]


@pytest.mark.parametrize("name", [name for name in SCANS if name not in LEFT_OUT])
def test_the_prober_finds_what_the_recorded_scan_found(name: str) -> None:
    assert played(name) == recorded(name)


def test_nearly_every_scan_can_be_played() -> None:
    assert len(SCANS) > 150
    assert set(LEFT_OUT) <= set(SCANS)
    unplayed = {path.stem: lacks(path.stem) for path in CAPTURES.glob("*.pcapng") if lacks(path.stem)}
    assert all(name.startswith("forged_") or why == "it is no saved scan" for name, why in unplayed.items()), unplayed


def test_a_played_scan_sends_what_the_recorded_one_sent() -> None:
    for name in ("reset_host", "no_listener", "up", "drop_host"):
        recording = read(records(name))
        _, wire = play(recording)
        assert wire.playback.unmatched == []
        sent = [one for one in wire.records if isinstance(one, Frame) and one.link_type == 101]
        asked = [one for flow in recording.sent.values() for one in flow]
        assert len(sent) == len(asked)


# --------------------------------------------------------------------------- the test can fail


def without_answers(flags: int) -> Callable[[Record], Record | None]:
    """A recording in which packets from port 22 with these flags were lost."""

    def change(record: Record) -> Record | None:
        place = headers.find(record.data, record.link_type) if isinstance(record, Frame) else None
        if isinstance(record, Frame) and place is not None and place.protocol == headers.TCP:
            source, _ = headers.ends(record.data, place)
            if source.port == 22 and headers.flags(record.data, place) & flags:
                return None
        if isinstance(record, ConnectionFact) and record.event in ("failed", "open"):
            return None
        return record

    return change


def test_other_answers_give_other_verdicts() -> None:
    (verdict,) = played("reset_host", without_answers(headers.RST))
    assert verdict[4] == "inconclusive"  # the steps that silence asks for are not in this recording


def test_another_distance_of_the_reset_gives_another_verdict() -> None:
    def closer(record: Record) -> Record:
        place = headers.find(record.data, record.link_type) if isinstance(record, Frame) else None
        if not isinstance(record, Frame) or place is None or place.protocol != headers.TCP:
            return record
        if headers.ends(record.data, place)[0].port != 22 or not headers.flags(record.data, place) & headers.RST:
            return record
        data = bytearray(record.data)
        data[place.ip + 8] += 1
        return replace(record, data=bytes(data))

    (verdict,) = played("reset_host", closer)
    assert verdict[4] == "reset-on-path"


def test_a_prober_that_no_longer_compares_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = tuple(step for step in prober.STEPS if step.name not in ("compare", "control"))
    monkeypatch.setattr(prober, "STEPS", kept)
    assert played("reset_host") != recorded("reset_host")


# --------------------------------------------------------------------------- the recording


def test_what_is_no_whole_scan_says_so() -> None:
    whole = records("reset_host")
    assert read(whole).lacks == ""
    assert read([one for one in whole if not isinstance(one, TargetFact)]).lacks == "it is no saved scan"
    assert read([one for one in whole if not isinstance(one, SettledFact)]).lacks == "the scan was not finished"
    cut = [replace(one, complete=False) if isinstance(one, SettledFact) else one for one in whole]
    assert read(cut).lacks == "the scan was not finished"
    facts = [one for one in whole if not isinstance(one, ConnectionFact)]
    assert "no connect() to 203.0.113.47:22" in read(facts).lacks


def test_probes_are_told_apart() -> None:
    recording = read(records("reset_host"))
    shapes = [one.shape for flow in recording.sent.values() for one in flow]
    assert {Shape.SYN, Shape.MD5_SYN, Shape.ECHO} <= set(shapes)
    assert recording.asked_elsewhere
    assert read(records("half_open_echo" if "half_open_echo" in SCANS else "synack_drop_r2")).sent


def test_what_was_asked_for_is_read_from_the_recording() -> None:
    options = scan_options(read(records("name_two_addresses")))
    (target,) = options.targets
    assert not target.is_address
    options = scan_options(read(records("reset_host")))
    assert [one.host for one in options.targets] == ["203.0.113.47"]
    assert (options.ports, options.elsewhere, options.identify, options.patient) == ((22,), True, False, False)


def test_a_played_scan_keeps_its_mode() -> None:
    modes = {read(records(name)).targets[0].mode for name in SCANS}
    assert Mode.RAW in modes


# --------------------------------------------------------------------------- the command


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(CAPTURES / "reset_host.pcapng", tmp_path)
    shutil.copy(CAPTURES / "reset_host.toml", tmp_path)
    assert run(["replay", "--live", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "1 case: 1 passed\n"
    case = tmp_path / "reset_host.toml"
    case.write_text(case.read_text("utf-8").replace("reset-by-host-firewall", "no-listener"), "utf-8")
    assert run(["replay", "--live", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "expected no-listener, found reset-by-host-firewall" in out
    assert "<-- RST,ACK ---- 22" in out
    assert max(len(line) for line in out.splitlines()[1:]) <= 80
    assert run(["replay", "--live", "--accept", str(tmp_path)]) == 2


def test_what_cannot_be_played_is_skipped_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(CAPTURES / "up-server.pcapng", tmp_path)
    shutil.copy(CAPTURES / "up-server.toml", tmp_path)
    assert run(["replay", "--live", str(tmp_path)]) == 3
    assert "up-server.toml: it is no saved scan\n1 case: 1 skipped\n" in capsys.readouterr().out
    shutil.copy(CAPTURES / "up.pcapng", tmp_path)
    shutil.copy(CAPTURES / "up.toml", tmp_path)
    assert run(["replay", "--live", "--json", str(tmp_path)]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["summary"] == {"cases": 2, "by_result": {"skipped": 1, "passed": 1}}


# --------------------------------------------------------------------------- damaged recordings


def battered(chance: random.Random, whole: Iterable[Record]) -> Iterator[Record]:
    """A recording of which records are lost, repeated, cut, changed and moved in time."""
    for untouched in whole:
        record, fate = untouched, chance.random()
        if isinstance(record, Frame):
            data = bytearray(record.data)
            if fate < 0.08:
                continue
            if fate < 0.16:
                for _ in range(3):
                    data[chance.randrange(len(data))] = chance.randrange(256)
            elif fate < 0.2:
                del data[chance.randrange(len(data)) :]
            record = replace(record, data=bytes(data))
        if 0.2 < fate < 0.25:
            record = replace(record, time_ns=record.time_ns + chance.randrange(-(10**9), 10**9))
        elif fate < 0.28:
            yield record
        yield record


@pytest.mark.parametrize("seed", range(40))
def test_a_battered_recording_still_ends_in_a_verdict(seed: int) -> None:
    chance = random.Random(seed)
    name = chance.choice(["reset_host", "up", "drop_host", "drop_host-v6", "proxy_close", "gateway_dead", "no_banner"])
    recording = read(battered(chance, records(name)))
    if not recording.lacks:
        report, _ = play(recording)
        assert len(report.verdicts) >= 1
        assert not report.interrupted
