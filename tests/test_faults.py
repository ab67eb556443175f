"""Faults and bad input, each as a user meets it: the whole process, its message, its exit code (docs/interface.md)."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from netprobe.analyze import analyze
from netprobe.model import DropFact, Record, SettledFact, TargetFact
from netprobe.options import AnalyzeOptions
from netprobe.verdict import diagnose
from netprobe.watch import Watch
from netprobe.wire.capture import CaptureReader
from tests import commands
from tests.commands import HARMFUL, NETPROBE, NOBODY, Done, at_once, finish, run, start, unprivileged
from tests.lab import netns
from tests.lab.topology import Lab, available
from tests.starting import of_python_alone

NO_LAB = available()
in_lab = pytest.mark.skipif(bool(NO_LAB), reason=f"no lab: {NO_LAB}")
NOT_NOBODY = commands.why_not_unprivileged()
as_nobody = pytest.mark.skipif(bool(NOT_NOBODY), reason=NOT_NOBODY)

SCENARIOS = (
    *("up", "no_listener", "reset_host", "reject_admin_host", "drop_host", "hostile_text", "hostile_flood"),
    *("name_missing", "name_empty", "name_servfail", "name_silent", "name_two_addresses", "local_no_route"),
)
HALF_A_SECOND = 0.5


# --------------------------------------------------------------------------- what is typed

USAGE = [
    (("-p", "22,x", "192.0.2.1"), "'x' is no port; write numbers, ranges and names"),
    (("-p", "70000", "192.0.2.1"), "70000 is out of range; ports go from 1 to 65535"),
    (("-p", "90-80", "192.0.2.1"), "90-80"),
    (("-p", "", "192.0.2.1"), "-p"),
    (("300.1.1.1",), "300 is more than 255"),
    (("http://server.example.com",), "only ssh:// addresses are understood"),
    (("192.0.2.1/33",), "192.0.2.1/33"),
    (("[2001:db8::1",), "[2001:db8::1"),
    (("224.0.0.1",), "multicast address, it is never probed"),
    (("255.255.255.255",), "broadcast address, it is never probed"),
    (("-q",), "no target given; name a host"),
    (("--expct", "ssh", "192.0.2.1"), "No such option: --expct; did you mean '--expect'?"),
    (("-p", "1-1025", "192.0.2.1"), "add --yes if you mean it"),
    (("-w", "/", "192.0.2.1"), "-w /: a directory; name a file"),
]


@pytest.mark.parametrize(("arguments", "words"), USAGE)
def test_what_is_typed_wrong_is_said_with_what_would_be_right(arguments: tuple[str, ...], words: str) -> None:
    done = run("scan", *arguments)
    assert (done.code, done.out) == (2, "")
    assert words in done.err
    assert done.clean()


def test_an_unknown_command_is_guessed() -> None:
    done = run("scna", "192.0.2.1")
    assert done.code == 2
    assert "No such command 'scna'. Did you mean 'scan'?" in done.err


@pytest.mark.parametrize("arguments", [("scan",), ("analyze",), ()])
def test_nothing_typed_gives_the_help(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert done.code == 2
    assert "Usage: netprobe" in done.out + done.err


UNMEASURABLE = [
    (("scan", "-i", "nosuch0", "192.0.2.1"), "There is no network interface 'nosuch0' here. Choose one of: lo"),
    (("scan", "-w", "/nowhere/x.pcapng", "192.0.2.1"), "/nowhere/x.pcapng can't be written: No such file or directory"),
    (("scan", "-iL", "/nowhere/list"), "/nowhere/list: No such file or directory; name a readable file"),
    (("analyze", "/nowhere/x.pcapng"), "/nowhere/x.pcapng can't be read: No such file or directory. Check the path"),
    (("analyze", "/dev/null"), "is not a capture"),
]


@pytest.mark.parametrize(("arguments", "words"), UNMEASURABLE)
def test_what_cannot_be_measured_says_why_and_what_to_do(arguments: tuple[str, ...], words: str) -> None:
    done = run(*arguments)
    assert (done.code, done.out) == (3, "")
    assert words in done.err
    assert done.clean()


def test_a_wrong_interface_costs_no_old_capture(tmp_path: Path) -> None:
    """The file of yesterday's scan is not emptied for a scan that can't begin."""
    old = tmp_path / "scan.pcapng"
    old.write_bytes(b"yesterday's")
    assert run("scan", "-i", "nosuch0", "-w", str(old), "192.0.2.1").code == 3
    assert old.read_bytes() == b"yesterday's"


# --------------------------------------------------------------------------- pipes, terminals, this machine


@pytest.fixture(scope="module")
def closed_port() -> int:
    """A port of this machine on which nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def shell(line: str, **env: str) -> Done:
    """A line as typed into a shell; `netprobe` in it is this one."""
    typed = line.replace("netprobe", " ".join(NETPROBE))
    started = time.monotonic()
    done = subprocess.run(
        ["sh", "-c", typed], cwd=commands.ROOT, env=commands.environment(env), capture_output=True, check=False,
        timeout=60,
    )  # fmt: skip
    return Done(done.returncode, done.stdout, done.stderr, time.monotonic() - started)


def test_a_closed_pipe_is_no_error(closed_port: int) -> None:
    for form in ("-vv", "--json", "--jsonl"):
        done = shell(f"netprobe scan --connect {form} 127.0.0.1:{closed_port} | head -c 1")
        assert len(done.stdout) == 1
        assert done.err == ""
    gone = shell(f"(netprobe scan --connect 127.0.0.1:{closed_port}; echo $? >&2) | true")
    assert gone.err == "1\n"


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_closed_streams_are_no_trouble(closed: str, closed_port: int) -> None:
    done = shell(f"netprobe scan --connect 127.0.0.1:{closed_port} {closed}")
    assert (done.code, done.err) == (1, "")


def test_full_disks(closed_port: int) -> None:
    """Behind -w the verdicts are printed all the same; behind standard output there is only the message."""
    saved = run("scan", "-w", "/dev/full", f"127.0.0.1:{closed_port}")
    assert saved.code == 3
    assert "no-listener" in saved.out
    assert saved.err.count("Saving packets to /dev/full failed: No space left on device.") == 1
    assert "make room or name another file" in saved.err
    printed = shell(f"netprobe scan --connect 127.0.0.1:{closed_port} >/dev/full")
    assert printed.code == 3
    assert "the result can't be written: No space left on device; send it to another place" in printed.err


@pytest.mark.parametrize("env", [{}, {"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_no_escape_leaves_a_pipe(env: dict[str, str], closed_port: int) -> None:
    done = run("scan", "--connect", "-vv", f"127.0.0.1:{closed_port}", env=env)
    assert done.code == 1
    assert b"\x1b" not in done.stdout + done.stderr


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_no_escape_reaches_a_terminal_that_wants_none(env: dict[str, str], closed_port: int) -> None:
    """Progress lines, which erase themselves, are no colour: a scan this short has none."""
    typed = " ".join((*NETPROBE, "scan", "--connect", "-vv", f"127.0.0.1:{closed_port}"))
    done = subprocess.run(
        ["script", "-qec", typed, "/dev/null"], cwd=commands.ROOT, env=commands.environment(env),
        stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=30,
    )  # fmt: skip
    assert b"no-listener" in done.stdout
    assert b"\x1b" not in done.stdout.replace(b"\r\x1b[K", b"")


# --------------------------------------------------------------------------- drops


def test_a_drop_makes_silence_inconclusive() -> None:
    """What the capture lost may have been the answer. A saved scan of a silent port, with a drop put before its end."""
    saved = commands.ROOT / "captures" / "drop_host.pcapng"
    if not saved.exists():
        pytest.skip("captures/ is not recorded")

    def verdict(lost: int) -> tuple[str, str]:
        watch = Watch()
        target: TargetFact | None = None
        for record in CaptureReader(saved):
            target = record if isinstance(record, TargetFact) else target
            if isinstance(record, SettledFact):
                if lost:
                    more: list[Record] = [DropFact(number=record.number, time_ns=record.time_ns, count=lost)]
                    watch.receive(more)
                watch.receive([record])
                assert target is not None
                found = diagnose(watch.evidence(target, record.time_ns))
                return found.cause, found.state
            watch.receive([record])
        raise AssertionError("no verdict in the file")

    assert verdict(0) == ("dropped", "filtered")
    assert verdict(1)[0] == "inconclusive"


# --------------------------------------------------------------------------- the lab

EACH: dict[str, tuple[str, tuple[str, ...]]] = {
    # what is scanned at the same time, once: the scenario, and what is typed beside it
    **{name: (name, ("--json",)) for name in SCENARIOS if name.startswith(("name_", "local_"))},
    **{
        f"{name} {form}": (name, (*form.split(), "--banner-wait", "2"))
        for name in ("hostile_text", "hostile_flood")
        for form in ("", "-v", "-vv", "--json", "--jsonl", "--connect -v")
    },
}


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(SCENARIOS, clients=8) as built:
        yield built


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the scans of EACH save their packets."""
    return tmp_path_factory.mktemp("scans")


@pytest.fixture(scope="module")
def each(lab: Lab, saved: Path) -> dict[str, Done]:
    """Every scan of EACH."""
    turn = {key: index % 4 for index, key in enumerate(EACH)}

    def scan(key: str) -> Done:
        name, more = EACH[key]
        client = lab.client_for(lab.scenario(name), turn[key])
        return run("scan", *more, "-w", str(saved / f"{key}.pcapng"), lab.target(name), lab=lab, client=client)

    return dict(zip(EACH, at_once(scan, EACH), strict=True))


@pytest.mark.lab
@in_lab
@pytest.mark.parametrize(
    ("name", "cause", "words"),
    [
        ("name_missing", "name-not-found", "does not exist (NXDOMAIN)"),
        ("name_empty", "name-not-found", "empty.lab.test"),
        ("name_servfail", "resolver-failure", "SERVFAIL"),
        ("name_silent", "resolver-failure", "did not answer"),
    ],
)
def test_names_that_do_not_resolve(name: str, cause: str, words: str, each: dict[str, Done]) -> None:
    done = each[name]
    assert done.code == 3
    verdict = done.verdict
    assert (verdict["cause"], verdict["state"], verdict["address"]) == (cause, "unknown", None)
    assert words in " ".join(verdict["because"])
    assert verdict["remedy"]
    assert done.clean()


@pytest.mark.lab
@in_lab
def test_one_bad_name_costs_no_other_verdict(lab: Lab) -> None:
    done = run("scan", "--json", "missing.lab.test", lab.target("up"), lab.target("no_listener"), lab=lab)
    assert done.code == 3
    assert sorted(v["cause"] for v in done.document["verdicts"]) == ["name-not-found", "no-listener", "up"]


@pytest.mark.lab
@in_lab
def test_no_route(each: dict[str, Done], lab: Lab) -> None:
    done = each["local_no_route"]
    assert done.code == 1
    assert done.verdict["cause"] == "no-local-route"
    assert done.verdict["origin"]["kind"] == "local"
    assert "this machine has no route" in done.verdict["because"][0]


@pytest.mark.lab
@in_lab
@pytest.mark.parametrize("nobody", [False, pytest.param(True, marks=as_nobody)])
@pytest.mark.parametrize("target", ["203.0.113.9", "2001:db8:2::9", "127.0.0.1:1", "[::1]:1"])
def test_a_namespace_without_any_route(nobody: bool, target: str) -> None:
    """Not even the loopback interface is up."""
    before = ["unshare", "--net", *(unprivileged() if nobody else [])]
    done = run("scan", target, before=before)
    assert done.code == 1, done
    assert "no-local-route" in done.out
    assert done.clean()
    assert done.seconds < 5


@pytest.mark.lab
@in_lab
@as_nobody
def test_without_privilege(lab: Lab) -> None:
    """One notice, verdicts in time, no traceback."""

    def scan(name: str, index: int) -> Done:
        client = lab.client_for(lab.scenario(name), index)
        return run("scan", lab.target(name), lab=lab, client=client, before=unprivileged())

    answered = ("up", "no_listener", "reset_host", "reject_admin_host", "local_no_route")
    names = [*answered, "drop_host", "name_missing"]
    found = dict(zip(names, at_once(lambda pair: scan(pair[1], pair[0]), enumerate(names), 3), strict=True))
    for name, done in found.items():
        assert done.clean(), done.err
        assert done.err.count("\n") == 1
        assert "netprobe: Without root no packets are captured or crafted" in done.err
        assert 'sudo "$(command -v netprobe)"' in done.err
        assert done.code == {"up": 0, "name_missing": 3}.get(name, 1), (name, done)
    for name in answered:
        assert found[name].seconds < 5, name
    quiet = run("scan", "-q", lab.target("up"), lab=lab, before=unprivileged())
    assert quiet.err == ""


@pytest.mark.lab
@in_lab
@pytest.mark.parametrize(("mode", "client"), [((), "c5"), (("--connect",), "c6")])
def test_the_interface_goes_down_in_the_middle(mode: tuple[str, ...], client: str, lab: Lab) -> None:
    """Silence because of a dead link says nothing about the target."""
    process = start("scan", *mode, "--json", lab.target("drop_host"), lab=lab, client=client)
    time.sleep(1.5)
    netns.ip_batch(["link set eth0 down"], lab.namespace(client))
    done = finish(process)
    assert done.clean(), done.err
    assert done.code == 3, done.out
    verdict = done.verdict
    assert verdict["cause"] == "inconclusive"
    assert "eth0" in " ".join(verdict["because"])
    assert "went down" in " ".join(verdict["because"])
    assert verdict["remedy"]


@pytest.mark.lab
@in_lab
def test_a_disk_that_fills_up(lab: Lab, tmp_path: Path) -> None:
    """Verdicts are printed all the same; the file can be read up to its last block."""
    disk, copy = tmp_path / "disk", tmp_path / "copy.pcapng"
    disk.mkdir()
    scan = " ".join((*NETPROBE, "scan", "--json", "-w", str(disk / "scan.pcapng"), lab.target("drop_host")))
    script = (
        f"mount -t tmpfs -o size=64k none {disk} && head -c 61440 /dev/zero >{disk}/other && {scan}; code=$?; "
        f"cp {disk}/scan.pcapng {copy}; exit $code"
    )
    argv = lab.command("c0", ["unshare", "--mount", "--propagation=private", "sh", "-c", script])
    done = subprocess.run(
        argv, cwd=commands.ROOT, env=commands.environment(), capture_output=True, timeout=30, check=False
    )
    assert done.returncode == 3, done
    error = done.stderr.decode()
    assert error.count(f"Saving packets to {disk}/scan.pcapng failed: No space left on device.") == 1
    assert "make room or name another file with -w and scan again" in error
    assert "Traceback" not in error
    assert json.loads(done.stdout)["verdicts"][0]["cause"] == "dropped"
    assert "No space left" in json.loads(done.stdout)["failure"]
    reader = CaptureReader(copy)
    assert sum(1 for _ in reader) > 3
    assert reader.damage == ()


@pytest.mark.lab
@in_lab
@as_nobody
def test_files_belong_to_who_called_sudo(lab: Lab, tmp_path: Path) -> None:
    tmp_path.chmod(0o711)
    for parent in tmp_path.parents:
        if not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o011)
    own, others = tmp_path / "own", tmp_path / "others"
    for folder, uid in ((own, 12345), (others, 0)):
        folder.mkdir(mode=0o700)
        os.chown(folder, uid, uid)
    sudo = {"SUDO_UID": "12345", "SUDO_GID": "12345"}
    done = run("scan", "-w", str(own / "scan.pcapng"), lab.target("no_listener"), lab=lab, env=sudo)
    assert done.code == 1, done.err
    status = (own / "scan.pcapng").stat()
    assert (status.st_uid, status.st_gid) == (12345, 12345)
    refused = run("scan", "-w", str(others / "scan.pcapng"), lab.target("no_listener"), lab=lab, env=sudo)
    assert refused.code == 3
    assert "can't be written: Permission denied. Name a file in a folder of yours" in refused.err
    assert not list(others.iterdir())


@pytest.mark.lab
@in_lab
@pytest.mark.parametrize(("env", "uid"), [({}, NOBODY), ({"SUDO_UID": "12345", "SUDO_GID": "12345"}, 12345)])
def test_privileges_are_gone_while_it_scans(env: dict[str, str], uid: int, lab: Lab) -> None:
    names = [f"{key}={value}" for key, value in env.items()]
    process = start("scan", "--json", lab.target("drop_host"), lab=lab, client="c1", before=["env", *names])
    time.sleep(1.5)
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    status = {key: value.split() for key, _, value in (line.partition(":") for line in lines)}
    threads = list(Path(f"/proc/{process.pid}/task").iterdir())
    process.send_signal(signal.SIGINT)
    done = finish(process)
    assert done.code == 130
    assert done.document["mode"] == "raw"
    assert status["Uid"] == [str(uid)] * 4
    assert status["Gid"] == [str(uid)] * 4
    assert status["Groups"] == []
    for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(status[name][0], 16) == 0, name
    assert status["NoNewPrivs"] == ["1"]
    assert len(threads) == 1  # another one would have its own capabilities


# --------------------------------------------------------------------------- interrupts

MOMENTS = (*(0.02 + 0.03 * step for step in range(16)), 0.55, 0.65, 0.8, 1.0, 1.4, 2.0, 3.0, 4.0)


def interrupted(lab: Lab, path: Path, moment: float, number: signal.Signals, index: int, *more: str) -> Done:
    """Two targets, one answered and one silent; a signal some seconds after the start. `seconds` are from it on."""
    arguments = (*more, "-w", str(path), lab.target("up"), lab.target("drop_host"))
    process = start("scan", *arguments, lab=lab, client=f"c{index % 5}")
    time.sleep(moment)
    process.send_signal(number)
    return finish(process, time.monotonic())


def early(done: Done) -> bool:
    """Whether it ended before the scan began: nothing is known yet, nothing is said."""
    if done.code == 130:
        return not done.stderr
    return of_python_alone(done.code, done.err)


@pytest.mark.lab
@in_lab
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupts_at_any_moment(number: signal.Signals, lab: Lab, tmp_path: Path) -> None:
    def one(pair: tuple[int, float]) -> tuple[float, Path, Done]:
        index, moment = pair
        path = tmp_path / f"{index}.pcapng"
        return moment, path, interrupted(lab, path, moment, number, index, "--json")

    found = at_once(one, enumerate(MOMENTS), 2)
    late = []
    for moment, path, done in found:
        if not path.exists():
            assert early(done), (moment, done)
            assert not done.stdout
            if moment >= HALF_A_SECOND:  # two at once, beside other tests: has it less to do when it is alone?
                alone = (one((len(MOMENTS) + again, moment))[1] for again in range(3))
                assert any(saved.exists() for saved in alone), f"{moment} s after the start it still wasn't listening"
            continue
        assert done.code == 130, (moment, done)
        assert done.clean(), (moment, done.err)
        assert "interrupted: this is what was known by then" in done.err
        document = done.document
        assert document["interrupted"] is True
        if moment >= 2:
            assert [v["cause"] for v in document["verdicts"]] == ["up", "inconclusive"], moment
        late.append(done.seconds)
        reader = CaptureReader(path)
        assert sum(1 for _ in reader) >= 2 * len(document["verdicts"])
        assert reader.damage == ()
        again = analyze(path, AnalyzeOptions(files=(path,)), lambda verdict: None)
        assert [(v.target, v.cause, v.rule) for v in again.verdicts] == [
            (v["target"], v["cause"], v["rule"]) for v in document["verdicts"]
        ], moment
    assert sorted(late)[len(late) // 2] < HALF_A_SECOND
    assert max(late) < HALF_A_SECOND + 1  # a second for a busy test machine
    last = found[-1][1]
    assert run("analyze", str(last)).code == 3
    assert subprocess.run(["capinfos", str(last)], capture_output=True, check=False).returncode == 0


@pytest.mark.lab
@in_lab
def test_an_interrupted_scan_prints_what_is_known(lab: Lab, tmp_path: Path) -> None:
    table, lines = at_once(
        lambda form: interrupted(lab, tmp_path / f"{form}.pcapng", 2, signal.SIGINT, len(form), form), ("-v", "--jsonl")
    )
    assert (table.code, lines.code) == (130, 130)
    assert "up" in next(line for line in table.out.splitlines() if line.startswith(lab.target("up")))
    documents = [json.loads(line) for line in lines.out.splitlines()]
    assert [document.get("cause") for document in documents] == ["up", "inconclusive", None]
    assert documents[-1]["interrupted"] is True


@pytest.mark.lab
@in_lab
def test_an_interrupt_does_not_wait_for_a_name_server(lab: Lab) -> None:
    process = start("scan", "--json", lab.target("name_silent"), lab.target("up"), lab=lab)
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    done = finish(process, time.monotonic())
    assert done.code == 130
    assert done.seconds < HALF_A_SECOND + 1
    assert [v["cause"] for v in done.document["verdicts"]] == ["up"]
    assert done.clean()


@pytest.mark.lab
@in_lab
def test_a_killed_scan_leaves_a_readable_file(lab: Lab, tmp_path: Path) -> None:
    path = tmp_path / "scan.pcapng"
    process = start("scan", "-w", str(path), lab.target("up"), lab.target("drop_host"), lab=lab)
    time.sleep(2)
    process.kill()
    assert finish(process).code == -signal.SIGKILL
    again = analyze(path, AnalyzeOptions(files=(path,)), lambda verdict: None)
    assert again.status.damage == ()
    assert [v.cause for v in again.verdicts][:1] == ["up"]


# --------------------------------------------------------------------------- hostile text


@pytest.mark.lab
@in_lab
@pytest.mark.parametrize("key", [key for key in EACH if key.startswith("hostile")])
def test_hostile_text_reaches_nothing_unescaped(key: str, each: dict[str, Done], saved: Path) -> None:
    done = each[key]
    assert done.code == 1, done.err
    assert done.clean()
    for text in (done.out, done.err):
        assert not HARMFUL.search(text), HARMFUL.search(text)
    if "json" in key:
        for line in done.out.splitlines() if "jsonl" in key else [done.out]:
            json.loads(line)
    texts = list(saved_texts(saved / f"{key}.pcapng"))
    assert any("PRIORITY=6" in text for text in texts)
    for text in texts:
        assert not HARMFUL.search(text), text


def saved_texts(path: Path) -> Iterator[str]:
    """Every text that Wireshark would show of a pcapng file: comments of packets and sections, journal entries."""
    data = path.read_bytes()
    at = 0
    while at < len(data):
        kind, length = (int.from_bytes(data[at + i : at + i + 4], "little") for i in (0, 4))
        body = data[at + 8 : at + length - 4]
        if kind == 9:
            yield body.rstrip(b"\0").decode()
        elif kind in (6, 0x0A0D0D0A):
            start = 20 + -(-int.from_bytes(body[12:16], "little") // 4) * 4 if kind == 6 else 16
            yield from options(body[start:])
        at += length


def options(data: bytes) -> Iterator[str]:
    """The comments among a block's options (code 1)."""
    at = 0
    while at + 4 <= len(data):
        code, length = (int.from_bytes(data[at + i : at + i + 2], "little") for i in (0, 2))
        if code == 1:
            yield data[at + 4 : at + 4 + length].decode()
        at += 4 + -(-length // 4) * 4


# --------------------------------------------------------------------------- schema


@pytest.mark.lab
@in_lab
def test_what_is_printed_fits_the_schema(each: dict[str, Done], lab: Lab) -> None:
    jsonschema: Any = pytest.importorskip("jsonschema")
    schema = json.loads((commands.ROOT / "netprobe" / "report" / "schema.json").read_text("utf-8"))
    check: Callable[[Any], None] = jsonschema.Draft202012Validator(schema).validate
    for key, done in each.items():
        if "--json" in EACH[key][1]:
            check(done.document)
    lines = [json.loads(line) for line in each["hostile_text --jsonl"].out.splitlines()]
    check({**lines[-1], "verdicts": lines[:-1]})
