"""The command line as a person uses it: options, messages, exit codes; no network is touched."""

from __future__ import annotations

import json
import sys
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path

import pytest

import netprobe
from netprobe import __version__, marked
from netprobe.cli import run
from netprobe.cli.output import wants_colour
from netprobe.cli.progress import Progress
from netprobe.doctor.checks import CHECKS
from netprobe.doctor.finding import Check
from netprobe.options import ScanOptions
from netprobe.rules import RULES
from netprobe.targets import Target
from netprobe.wire import sshconfig
from tests import fake_scan

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fake drivers, and no ssh configuration of this machine."""
    monkeypatch.setitem(sys.modules, "netprobe.scan", fake_scan)
    monkeypatch.setattr(netprobe, "scan", fake_scan, raising=False)
    monkeypatch.setitem(sys.modules, "netprobe.analyze", fake_scan)
    monkeypatch.setattr(netprobe, "analyze", fake_scan, raising=False)
    monkeypatch.setattr(sshconfig, "resolve", lambda hosts: {})
    fake_scan.seen.clear()


def scanned(*arguments: str) -> ScanOptions:
    """The options that a command line comes down to."""
    assert run(["scan", *arguments]) == 0
    (*_, options) = fake_scan.seen
    assert isinstance(options, ScanOptions)
    return options


def refused(capsys: Captured, *arguments: str) -> str:
    """What a refused command line says; it never gets to the driver."""
    assert run(list(arguments)) == 2
    assert not fake_scan.seen
    said = capsys.readouterr()
    assert said.out == ""
    return said.err


def test_the_defaults_are_those_of_the_options() -> None:
    assert scanned("192.0.2.1") == ScanOptions(targets=(Target("192.0.2.1", "192.0.2.1"),))


def test_every_option_arrives(tmp_path: Path) -> None:
    excluded = tmp_path / "exclude"
    excluded.write_text("198.51.100.0/24  # theirs\n")
    options = scanned(
        *("-p", "22,80-81", "-4", "-w", "out.pcapng", "--expect", "http", "--identify", "--patient", "--no-elsewhere"),
        *("-i", "eth0", "--source-port", "4711", "--banner-wait", "3", "--rate", "20", "--connect"),
        *("--exclude", "192.0.2.9", "--exclude-file", str(excluded), "192.0.2.1", "server.example"),
    )
    assert options.ports == (22, 80, 81)
    assert options.families == (4,)
    assert options.write == Path("out.pcapng")
    assert (options.expect, options.identify, options.patient, options.elsewhere) == ("http", True, True, False)
    assert (options.interface, options.source_port, options.banner_wait_s, options.rate) == ("eth0", 4711, 3.0, 20.0)
    assert options.force_connect
    assert [str(network) for network in options.exclude] == ["192.0.2.9/32", "198.51.100.0/24"]
    assert [target.host for target in options.targets] == ["192.0.2.1", "server.example"]


@pytest.mark.parametrize(
    ("arguments", "families"),
    [((), (4, 6)), (("-4",), (4,)), (("-6",), (6,)), (("-4", "-6"), (4, 6)), (("-46",), (4, 6))],
)
def test_families(arguments: tuple[str, ...], families: tuple[int, ...]) -> None:
    assert scanned("server.example", *arguments).families == families


def test_options_may_be_written_as_nmap_has_them(tmp_path: Path) -> None:
    listed = tmp_path / "list"
    listed.write_text("192.0.2.1 192.0.2.2 # two\n\n[2001:db8::1]:2222\n")
    options = scanned("-p22,ssh", "-iL", str(listed), "192.0.2.3")
    assert options.ports == (22,)
    assert [target.host for target in options.targets] == ["192.0.2.3", "192.0.2.1", "192.0.2.2", "2001:db8::1"]
    assert len(scanned("-p-", "192.0.2.1", "--yes").ports or ()) == 65535


def test_a_list_may_come_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", StringIO("192.0.2.1\n192.0.2.2\n"))
    assert len(scanned("-iL", "-").targets) == 2


def test_an_alias_of_ssh_config_is_followed(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    alias = sshconfig.Alias("web.example.com", 2222, "me", True, "bastion")
    monkeypatch.setattr(sshconfig, "resolve", lambda hosts: {("web", None): alias})
    assert scanned("web").targets == (Target("web", "web.example.com", 2222, "ssh"),)
    said = capsys.readouterr().err
    assert "web is web.example.com port 2222 in your ssh configuration" in said
    assert "ssh goes through bastion" in said
    assert scanned("-p", "80", "web").targets == (Target("web", "web.example.com", None, "ssh"),)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("scan", "22"), "a port goes after -p"),
        (("scan", "-p", "0", "192.0.2.1"), "1 to 65535"),
        (("scan", "--expect", "shh", "192.0.2.1"), "one of ssh, any, http"),
        (("scan", "--source-port", "99999", "192.0.2.1"), "1 to 65535"),
        (("scan", "--banner-wait", "0", "192.0.2.1"), "600 seconds"),
        (("scan", "--rate", "0", "192.0.2.1"), "packets a second"),
        (("scan", "--rate", "nan", "192.0.2.1"), "packets a second"),
        (("scan", "--rate", "fast", "192.0.2.1"), "not a number"),
        (("scan", "-w", "/", "192.0.2.1"), "a directory"),
        (("scan", "--json", "--jsonl", "192.0.2.1"), "one of them"),
        (("scan", "-q", "-v", "192.0.2.1"), "contradict"),
        (("scan", "--color", "maybe", "192.0.2.1"), "auto, always or never"),
        (("scan", "10.0.0.0/8"), "smaller blocks"),
        (("scan", "10.0.0.0/21"), "--yes"),
        (("scan", "--exclude", "192.0.2.0/24", "192.0.2.1"), "exclude list"),
        (("scan", "-q"), "no target given"),
        (("scan", "--sweep", "--json", "192.0.2.0/24"), "use --jsonl"),
        (("scan", "--sweep", "--shard", "3/2", "192.0.2.0/24"), "1/3, 2/3 and 3/3"),
        (("scan", "--silent", "192.0.2.0/24"), "add --sweep"),
        (("scan", "--expct", "ssh", "192.0.2.1"), "--expect"),
        (("scna", "192.0.2.1"), "Did you mean 'scan'?"),
        (("help", "scna"), "Did you mean 'scan'?"),
        (("scan", "--jsn", "192.0.2.1"), "No such option: --jsn; did you mean '--json'?"),
        (("scan", "--confg", "x", "192.0.2.1"), "did you mean '--config'?"),
        (("--versoin",), "did you mean '--version'?"),
        (("scan", "--xyzzy", "192.0.2.1"), "No such option: --xyzzy\n"),
        (("analyze", "--server", "web", "x.pcap"), "--server 192.0.2.1"),
    ],
)
def test_usage_errors_say_what_would_be_right(capsys: Captured, arguments: tuple[str, ...], words: str) -> None:
    assert words in refused(capsys, *arguments)


@pytest.mark.parametrize("arguments", [("-iL", "/nowhere/list"), ("--exclude-file", "/nowhere/list", "192.0.2.1")])
def test_a_list_that_cannot_be_read(capsys: Captured, arguments: tuple[str, ...]) -> None:
    assert run(["scan", *arguments]) == 3
    assert "netprobe: /nowhere/list: No such file or directory; name a readable file" in capsys.readouterr().err


@pytest.mark.parametrize(("words", "code"), [("up", 0), ("up closed", 1), ("refuse", 3), ("raise", 3), ("none", 3)])
def test_exit_codes(monkeypatch: pytest.MonkeyPatch, words: str, code: int) -> None:
    monkeypatch.setenv("NETPROBE_FAKE", words)
    assert run(["scan", "192.0.2.1"]) == code


def test_an_internal_error_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.setenv("NETPROBE_FAKE", "raise")
    assert run(["scan", "192.0.2.1"]) == 3
    assert capsys.readouterr().err == "netprobe: internal error, please report it: RuntimeError: \\x1b[31mdeep inside\n"
    monkeypatch.setenv("NETPROBE_DEBUG", "1")
    assert run(["scan", "192.0.2.1"]) == 3
    assert "Traceback" in capsys.readouterr().err


def test_standard_output_has_the_result_and_nothing_else(capsys: Captured) -> None:
    assert run(["scan", "--json", "192.0.2.1"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["summary"]["verdicts"] == 1
    assert said.err == "netprobe: as an ordinary user\n"
    assert run(["scan", "-q", "192.0.2.1"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("ADDRESS")
    assert said.err == ""


def test_json_lines_end_with_the_summary(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.setenv("NETPROBE_FAKE", "up closed")
    assert run(["scan", "--jsonl", "192.0.2.1"]) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line.get("cause") for line in lines] == ["up", "reset-by-host-firewall", None]
    assert lines[-1]["summary"]["by_cause"] == {"up": 1, "reset-by-host-firewall": 1}


@pytest.mark.parametrize(
    "arguments", [["-h"], ["--help"], ["scan", "-h"], ["scan", "--help"], ["analyze", "-h"], ["explain", "-h"]]
)
def test_help_has_examples(capsys: Captured, arguments: list[str]) -> None:
    assert run(arguments) == 0
    said = capsys.readouterr()
    assert "Examples:\n" in said.out
    assert "\x1b" not in said.out
    assert said.err == ""
    if arguments[0] == "scan":
        assert len(said.out.splitlines()) <= 60


def test_explain_takes_a_rule_a_cause_or_what_the_client_printed(capsys: Captured) -> None:
    for words in (["NP110"], ["no-listener"], ["Connection refused"], ["Connection", "refused"]):
        assert run(["explain", *words]) == 0
        assert "no-listener" in capsys.readouterr().out
    assert run(["explain", "nonsense"]) == 2
    assert "nonsense" in capsys.readouterr().err


def test_explain_alone_lists_all_there_is(capsys: Captured) -> None:
    assert run(["explain"]) == 0
    said = capsys.readouterr().out
    assert all(f"  {rule.cause}" in said and rule.id in said for rule in RULES)
    assert all(one.id in said and one.name in said for one in CHECKS)


@pytest.mark.parametrize("check", CHECKS, ids=lambda one: one.id)
def test_every_check_of_doctor_has_a_page(check: Check, capsys: Captured) -> None:
    for word in (check.id, check.id.lower(), check.name):
        assert run(["explain", word]) == 0
        assert capsys.readouterr().out.startswith(f"## {check.id}: {check.name}\n")


def test_explain_says_what_was_meant(capsys: Captured) -> None:
    near = {"ND30": "ND301", "no-listner": "no-listener", "conection refused": '"Connection refused"'}
    for typed, meant in near.items():
        assert run(["explain", typed]) == 2
        said = capsys.readouterr()
        assert f"did you mean {meant}" in said.err
        assert said.out == ""


def test_explain_reads_a_whole_output(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    for output, code in (
        (b"debug1: Connecting to a.example [192.0.2.1] port 2022.\r\n\xff\x1b[31mConnection refused\n", 0),
        (b"\x00\xff" * 1000, 2),
        (b" \n", 2),
    ):
        monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(output), "ascii"))
        assert run(["explain", "-"]) == code
        said = capsys.readouterr()
        assert len(said.err.splitlines()) == (code != 0)
        assert ("sudo netprobe scan -p 2022 a.example\n" in said.out) is (code == 0)
        assert "\x1b" not in said.out + said.err


def test_version(capsys: Captured) -> None:
    assert run(["-V"]) == 0
    assert capsys.readouterr().out == f"netprobe {__version__}\n"


class _Terminal:
    """A stream that is, or is no, terminal."""

    def __init__(self, terminal: bool) -> None:
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.mark.parametrize(
    ("asked", "terminal", "environment", "painted"),
    [
        ("auto", True, {"TERM": "xterm"}, True),
        ("auto", False, {"TERM": "xterm"}, False),
        ("auto", True, {"TERM": "dumb"}, False),
        ("auto", True, {}, False),
        ("auto", True, {"TERM": "xterm", "NO_COLOR": "1"}, False),
        ("auto", True, {"TERM": "xterm", "NO_COLOR": ""}, True),
        ("always", False, {"NO_COLOR": "1"}, True),
        ("never", True, {"TERM": "xterm"}, False),
    ],
)
def test_colour(asked: str, terminal: bool, environment: dict[str, str], painted: bool) -> None:
    assert wants_colour(asked, _Terminal(terminal), environment) is painted  # type: ignore[arg-type]


def test_the_progress_line_has_rate_and_time_left() -> None:
    progress = Progress(40, wanted=False)
    assert progress.line(3.0) == "0 of 40 done, 3 s"
    for _ in range(10):
        progress.advance()
    assert progress.line(5.0) == "10 of 40 done, 5 s, 2.0/s, about 15 s left"
    for _ in range(31):
        progress.advance()
    assert progress.line(9.0) == "41 of 41 done, 9 s"


def test_marked_rounds_tell_how_long_they_take() -> None:
    assert marked.progress(5.0) == "marked SYNs, 5 s, about 18 s left"
    assert marked.progress(40.0) == "resting after marked SYNs, 40 s, at most 14 s left"


def test_one_target_has_rate_and_time_left_too() -> None:
    progress = Progress(1, wanted=False)
    progress.foresee(12, None)
    assert progress.line(3.0) == "0 of 1 done, 3 s, 12 packets (4.0/s)"
    progress.foresee(12, 5.4)
    assert progress.line(3.0) == "0 of 1 done, 3 s, 12 packets (4.0/s), about 2 s left"
    assert progress.line(9.0) == "0 of 1 done, 9 s, 12 packets (1.3/s), about 1 s left"
    progress.advance()
    assert progress.line(9.0) == "1 of 1 done, 9 s"
