"""netprobe analyze as a person uses it: what is typed, what is shown of many attempts, how an interrupt ends it."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path

import pytest

import netprobe
from netprobe.cli import run
from netprobe.cli.progress import ReadingProgress
from netprobe.model import State
from netprobe.options import AnalyzeOptions
from tests import fake_scan
from tests.commands import ROOT, environment
from tests.test_analyze import save

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver that reads no file."""
    monkeypatch.setitem(sys.modules, "netprobe.analyze", fake_scan)
    monkeypatch.setattr(netprobe, "analyze", fake_scan, raising=False)
    fake_scan.seen.clear()


def asked(*arguments: str) -> AnalyzeOptions:
    """The options that a command line comes down to."""
    assert run(["analyze", *arguments]) == 0
    (*_, options) = fake_scan.seen
    assert isinstance(options, AnalyzeOptions)
    return options


@pytest.mark.usefixtures("driver")
def test_every_option_arrives() -> None:
    assert asked("x.pcap") == AnalyzeOptions(files=(Path("x.pcap"),))
    options = asked(
        *("a.pcap", "b.pcap", "--server", "192.0.2.1:22", "--server", "2001:db8::/32", "--client-address", "192.0.2.9"),
        *("-p", "22,80-81", "--cause", "dropped,up", "--state", "open", "--filter", "tcp", "--cross-check"),
        *("--together", "--tunnels", "--vantage", "server", "--interpreted"),
    )
    assert options.files == (Path("a.pcap"), Path("b.pcap"))
    chosen = options.selection
    assert [(str(p.network), p.port) for p in chosen.servers] == [("192.0.2.1/32", 22), ("2001:db8::/32", None)]
    assert [str(p.network) for p in chosen.clients] == ["192.0.2.9/32"]
    assert sorted(chosen.ports) == [22, 80, 81]
    assert sorted(chosen.causes) == ["dropped", "up"]
    assert list(chosen.states) == [State.OPEN]
    assert (options.display_filter, options.cross_check, options.together, options.tunnels) == ("tcp", True, True, True)
    assert (options.vantage, options.compiled, options.pair) == ("server", False, None)
    assert asked("-", "--compiled").compiled is True


@pytest.mark.usefixtures("driver")
def test_server_names_a_file_beside_client_and_an_address_without(tmp_path: Path) -> None:
    one, two = tmp_path / "client.pcap", tmp_path / "192.0.2.1"
    one.write_bytes(b"")
    two.write_bytes(b"")
    options = asked("--client", str(one), "--server", str(two))
    assert options.pair == (one, two)
    assert options.files == ()
    assert options.selection.everything
    options = asked("--client", str(one), "--server", str(two), "--server", "192.0.2.1:22")
    assert options.pair == (one, two)
    assert [place.port for place in options.selection.servers] == [22]
    # A capture that isn't there is for the reader to complain about, by its name.
    assert asked("--client", str(one), "--server", "server.pcap").pair == (one, Path("server.pcap"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--server", __file__, "x"), f"write --client CLIENTS.pcap --server {__file__}"),
        (("--server", "web", "x"), "--server 192.0.2.1"),
        (("--client", "192.0.2.1", "x"), "--client-address 192.0.2.1"),
        (("--client", "a.pcap"), "needs the capture taken on the server, too"),
        (("--client", "a.pcap", "--server", "b.pcap", "--server", "c.pcap"), "not with 2"),
        (("--client", "a.pcap", "--server", "b.pcap", "c.pcap"), "c.pcap would be a third"),
        (("--client", "a.pcap", "--server", "b.pcap", "--filter", "tcp"), "--filter is about one capture"),
        (("--client", "a.pcap", "--server", "b.pcap", "--together"), "--together is about one capture"),
        (("--client", "-", "--server", "-"), "both captures"),
        (("-q",), "no capture given"),
        (("-", "-"), "only once"),
        (("--cause", "dropt", "x"), "did you mean dropped?"),
        (("--state", "opened", "x"), "did you mean open or closed?"),
        (("--vantage", "here", "x"), "client, server, middle or auto"),
        (("--filter", " ", "x"), "--filter: empty"),
        (("--port", "0", "x"), "1 to 65535"),
        (("--all", "--jsonl", "x"), "leave it out"),
        (("--csv", "--json", "x"), "give one of them"),
        (("--fliter", "tcp", "x"), "--filter"),
    ],
)
@pytest.mark.usefixtures("driver")
def test_usage_errors_say_what_would_be_right(capsys: Captured, arguments: tuple[str, ...], words: str) -> None:
    assert run(["analyze", *arguments]) == 2
    said = capsys.readouterr()
    assert words in said.err
    assert said.out == ""
    assert not fake_scan.seen


def test_help_says_which_attempts_a_filter_means(capsys: Captured) -> None:
    assert run(["analyze", "-h"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "of which at least one packet matches" in text
    for option in ("--server", "--client-address", "--cross-check", "--together", "--csv", "--all", "--tunnels"):
        assert option in text
    assert "--interpreted" not in text


def attempts(count: int) -> str:
    """A ladder of refused attempts; every fifth is up."""
    lines = []
    for n in range(count):
        at, port = n / 10, 20000 + n
        lines.append(f"{at} > S port {port} [mss]")
        if n % 5:
            lines.append(f"{at + 0.01} < RA port {port}")
        else:
            lines += [f"{at + 0.01} < SA port {port}", f"{at + 0.02} > A port {port}"]
            lines.append(f'{at + 0.03} < PA port {port} "SSH-2.0-x\\r\\n"')
    return "\n".join(lines)


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """A capture of 60 attempts, 48 of them refused."""
    return save(tmp_path / "many.pcapng", attempts(60))


def test_many_attempts_are_summed_up(many: Path, capsys: Captured) -> None:
    assert run(["analyze", str(many)]) == 1
    text = capsys.readouterr().out
    assert text.startswith("60 attempts in ")
    assert ": 12 up, 48 not\n" in text
    assert "The first 20 of 48 failing attempts:" in text
    assert "28 more failing attempts: --all shows them" in text
    assert text.count("no-listener") >= 20


def test_all_lists_every_attempt_behind_the_summary(many: Path, capsys: Captured) -> None:
    assert run(["analyze", "--all", str(many)]) == 1
    text = capsys.readouterr().out
    summary, _, listed = text.partition("FRAME  TIME")
    assert summary.startswith("60 attempts in ")
    assert len(listed.splitlines()) == 61
    assert sum("  up  " in line for line in listed.splitlines()) == 12


def test_few_attempts_are_shown_in_full(tmp_path: Path, capsys: Captured) -> None:
    few = save(tmp_path / "few.pcapng", attempts(8))
    for arguments in ([], ["--all"]):
        assert run(["analyze", *arguments, str(few)]) == 1
        text = capsys.readouterr().out
        assert text.startswith("ADDRESS")
        assert text.count("203.0.113.5 port 22: ") == 8
        assert "8 verdicts: " in text


def test_selected_attempts_are_counted_and_decide_the_exit_code(many: Path, capsys: Captured) -> None:
    assert run(["analyze", "--cause", "up", str(many)]) == 0
    assert capsys.readouterr().out.startswith("12 attempts in ")
    for form in ("--json", "--jsonl"):
        assert run(["analyze", "--state", "closed", form, str(many)]) == 1
        text = capsys.readouterr().out
        last = json.loads(text if form == "--json" else text.splitlines()[-1])
        assert last["summary"]["by_cause"] == {"no-listener": 48}
    assert run(["analyze", "--client-address", "198.51.100.99", str(many)]) == 3
    said = capsys.readouterr()
    assert said.out == ""
    assert "no connection attempt among the" in said.err


def test_csv_has_the_verdicts_of_json(many: Path, capsys: Captured) -> None:
    assert run(["analyze", "--csv", str(many)]) == 1
    text = capsys.readouterr().out
    rows = list(csv.DictReader(StringIO(text, newline="")))
    assert run(["analyze", "--json", str(many)]) == 1
    verdicts = json.loads(capsys.readouterr().out)["verdicts"]
    assert [(row["client_port"], row["cause"]) for row in rows] == [
        (str(verdict["client"]["port"]), verdict["cause"]) for verdict in verdicts
    ]


def test_csv_of_nothing_is_its_header(tmp_path: Path, capsys: Captured) -> None:
    assert run(["analyze", "--csv", str(save(tmp_path / "none.pcapng", "0 < RA"))]) == 3
    said = capsys.readouterr()
    assert len(said.out.splitlines()) == 1
    assert "no TCP connection attempt (no SYN)" in said.err
    assert run(["analyze", "--csv", "/nowhere.pcap"]) == 3
    assert capsys.readouterr().out == ""


def test_damage_is_told_beside_csv(many: Path, capsys: Captured) -> None:
    data = many.read_bytes()
    many.write_bytes(data[:2000] + b"\xff" * 64 + data[2064:])
    assert run(["analyze", "--csv", str(many)]) == 4
    assert "damaged: " in capsys.readouterr().err


def test_an_interrupt_on_a_pipe_gives_what_is_known(many: Path) -> None:
    argv = [sys.executable, "-m", "netprobe", "analyze", "--jsonl", "-"]
    process = subprocess.Popen(
        argv, cwd=ROOT, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stderr is not None
    process.stdin.write(many.read_bytes())
    process.stdin.flush()
    # The pipe stays open: it waits for more. Blocked in reading, it must still hear the signal.
    wait_until_sleeping(process.pid)
    process.send_signal(signal.SIGINT)
    process.stdin = None
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    lines = [json.loads(line) for line in out.splitlines()]
    assert lines[-1]["interrupted"] is True
    assert lines[-1]["summary"]["by_cause"] == {"no-listener": 48, "up": 12}
    assert len(lines) == 61
    assert b"interrupted: this is what was known by then" in err


def wait_until_sleeping(pid: int) -> None:
    """Until a process has read all that there is and waits (its user time no longer grows)."""
    before = -1
    until = time.monotonic() + 30
    while time.monotonic() < until:
        fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
        used = int(fields[11]) + int(fields[12])
        if fields[0] == "S" and used == before and used > 0:
            return
        before = used
        time.sleep(0.5)


def test_the_progress_of_reading_has_rate_and_time_left() -> None:
    progress = ReadingProgress(wanted=False)
    assert progress.line(2.0) == "starting, 2 s"
    progress.read("/some/where/\x1bbig.pcap", 250_000_000, 1_000_000_000)
    progress._begun_s = 0.0
    assert progress.line(5.0) == "\\x1bbig.pcap [####............] 25% of 1.0 GB, 50 MB/s, about 15 s left"
    progress.read("standard input", 1_500, 0)
    progress._begun_s = 5.0
    assert progress.line(7.0) == "standard input: 1.5 kB, 2 s, 750 bytes/s"
    progress.read("x" * 50, 10, 10)
    progress._begun_s = 0.0
    assert progress.line(1.0) == f"...{'x' * 27} [################] 100% of 10 bytes, 10 bytes/s"


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [("-q",), ("--all",), ("--csv",), ("--server", "203.0.113.0/24"), ("--jsonl",)])
def test_compiled_code_has_other_integers_and_tells_the_same(
    arguments: tuple[str, ...], many: Path, capsys: Captured
) -> None:
    pytest.importorskip("numba")
    told = []
    for way in ("--interpreted", "--compiled"):
        assert run(["analyze", way, *arguments, str(many)]) == 1
        told.append(capsys.readouterr().out.rpartition('{"schema"')[0 if arguments == ("--jsonl",) else 2])
    assert told[0] == told[1]
