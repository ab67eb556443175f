"""`scan --auth-methods`: what servers answer, what rude ones do to it, what it leaves alone, and that a saved scan says
the same again."""

from __future__ import annotations

import importlib.util
import os
import socket
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from netprobe import scan
from netprobe.analyze import run as analyze
from netprobe.errors import CannotMeasure, UsageError
from netprobe.model import AuthMethodsFact, ConnectionFact, Outcome, Verdict
from netprobe.options import AnalyzeOptions, ScanOptions
from netprobe.replay.live import play, read
from netprobe.report import Report, json, table
from netprobe.scan import Scan
from netprobe.targets import Target
from netprobe.wire import asking
from netprobe.wire.capture import CaptureReader
from netprobe.wire.connect import ConnectWire
from netprobe.wire.writer import CaptureWriter
from tests.ssh_servers import Polite, Script, kexinit, polite, rude

pytest.importorskip("asyncssh", reason="asyncssh is not installed (extra ssh)")


def options(port: int, user: str = "alice") -> ScanOptions:
    return ScanOptions(
        targets=(Target("127.0.0.1", "127.0.0.1"),), ports=(port,), expect="ssh", force_connect=True, elsewhere=False,
        auth_methods=True, user=user,
    )  # fmt: skip


def ask(port: int, save: Path | None = None, notices: list[str] | None = None) -> Verdict:
    """One scan over a wire without privilege; nothing of the user's is looked at."""
    writer = None
    if save is not None:
        writer = CaptureWriter(os.open(save, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), str(save))
    wire = ConnectWire(writer=writer)
    said = notices if notices is not None else []
    report = Scan(wire, options(port), lambda _: None, said.append).run()
    (verdict,) = report.verdicts
    return verdict


def answer(verdict: Verdict) -> tuple[Outcome, tuple[str, ...]]:
    assert verdict.service is not None
    assert verdict.service.auth is not None
    assert not verdict.service.auth.inferred
    assert verdict.service.auth.user == "alice"
    return verdict.service.auth.outcome, verdict.service.auth.methods


def reason(verdict: Verdict) -> str:
    assert verdict.service is not None
    assert verdict.service.auth is not None
    return verdict.service.auth.reason


# --------------------------------------------------------------------------- servers that answer


@pytest.mark.parametrize(
    ("like", "methods"),
    [
        (Polite(), {"publickey", "password"}),
        (Polite(password=False), {"publickey"}),
        (Polite(keys=False), {"password"}),
        (Polite(keys=False, interactive=True), {"password", "keyboard-interactive"}),
        (Polite(kex=("diffie-hellman-group14-sha1",)), {"publickey", "password"}),
    ],
    ids=["both", "keys", "password", "typing", "old"],
)
def test_the_servers_own_list(like: Polite, methods: set[str]) -> None:
    with polite(like):
        verdict = ask(like.port)
    outcome, found = answer(verdict)
    assert (outcome, set(found)) == (Outcome.LEFT, methods)
    assert (verdict.cause, verdict.certainty) == ("up", "certain")
    assert like.users == ["alice"]
    assert like.tried == []  # no password, no key, no signature


def test_a_server_that_asks_for_nothing() -> None:
    with polite(Polite(lets_in=True)) as server:
        verdict = ask(server.port)
    assert answer(verdict) == (Outcome.SUCCEEDED, ())
    text = table.render(_report(verdict))
    assert "alice is let in without a question" in text


def test_the_banner_is_shown_harmless() -> None:
    with polite(Polite(banner="Keep out\n\x1b]0;owned\x07\n" + "x" * 5000)) as server:
        verdict = ask(server.port)
    assert verdict.service is not None
    assert verdict.service.auth is not None
    banner = verdict.service.auth.banner
    assert banner[:2] == ("Keep out", "\x1b]0;owned\x07")
    assert all(len(line) <= 200 for line in banner)
    text = table.render(_report(verdict))
    assert "Keep out" in text
    assert "\x1b" not in text


def test_it_is_said_beforehand() -> None:
    notices: list[str] = []
    with polite(Polite()) as server:
        ask(server.port, notices=notices)
    assert "server's log" in notices[0]
    assert "for alice" in notices[0]


def test_one_connection_only(tmp_path: Path) -> None:
    saved = tmp_path / "asked.pcapng"
    with polite(Polite()) as server:
        ask(server.port, saved)
    facts = list(CaptureReader(saved))
    assert [f.id for f in facts if isinstance(f, ConnectionFact) and f.event == "started"] == [1]
    assert [f.outcome for f in facts if isinstance(f, AuthMethodsFact)] == ["answered"]


def test_a_saved_scan_says_the_same_again(tmp_path: Path) -> None:
    saved = tmp_path / "asked.pcapng"
    with polite(Polite(banner="Keep out")) as server:
        verdict = ask(server.port, saved)
    again = analyze(AnalyzeOptions(files=(saved,)), lambda _: None, lambda _: None)
    assert [json.line(one) for one in again.verdicts] == [json.line(verdict)]
    report, wire = play(read(CaptureReader(saved)))
    (live,) = report.verdicts
    assert (live.cause, answer(live), wire.playback.unmatched) == (verdict.cause, answer(verdict), [])


def _report(verdict: Verdict) -> Report:
    from tests.samples import a_report

    return a_report(verdict)


# --------------------------------------------------------------------------- servers that don't


def closes(connection: socket.socket) -> None:
    connection.sendall(kexinit())
    connection.shutdown(socket.SHUT_RDWR)


def says_nothing(connection: socket.socket) -> None:
    connection.sendall(kexinit())
    threading.Event().wait(30)


def talks_garbage(connection: socket.socket) -> None:
    connection.sendall(kexinit())
    connection.recv(4096)
    connection.sendall(b"\0\0\0\x0c\x06\x1f\xff\xff\xff\xff\0" + bytes(5))  # a reply of 4 GiB in 5 octets
    threading.Event().wait(30)


def floods(connection: socket.socket) -> None:
    connection.sendall(kexinit())
    ignore = b"\0\0\x04\x0c\x0b\x02\0\0\x03\xfb" + bytes(1019 + 11)  # SSH_MSG_IGNORE, 1,036 octets
    for _ in range(100_000):
        connection.sendall(ignore)


def has_nothing_in_common(connection: socket.socket) -> None:
    connection.sendall(kexinit("nothing@example.com"))
    threading.Event().wait(30)


def chooses_the_group(connection: socket.socket) -> None:
    connection.sendall(kexinit("diffie-hellman-group-exchange-sha256"))
    threading.Event().wait(30)


@pytest.mark.parametrize(
    ("script", "told"),
    [
        (closes, "the server closed before it answered"),
        (says_nothing, "no answer in time"),
        (talks_garbage, "the conversation failed"),
        (floods, "the server talks without end"),
        (has_nothing_in_common, "no algorithm in common"),
        (chooses_the_group, "no algorithm in common"),
    ],
)
def test_rude_servers_are_bounded(script: Script, told: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(asking, "TIME_LIMIT_S", 3.0)
    saved = tmp_path / "asked.pcapng"
    with rude(script) as port:
        started = time.monotonic()
        verdict = ask(port, saved)
        assert time.monotonic() - started < 15
    assert answer(verdict) == (Outcome.UNKNOWN, ())
    assert told in reason(verdict)
    assert verdict.state == "open"
    assert saved.stat().st_size < 400_000
    again = analyze(AnalyzeOptions(files=(saved,)), lambda _: None, lambda _: None)
    assert [json.line(one) for one in again.verdicts] == [json.line(verdict)]


def test_a_banner_without_end() -> None:
    with polite(Polite(banner="x" * 1000, banners=2000)) as server:
        verdict = ask(server.port)
    assert answer(verdict)[0] is Outcome.UNKNOWN
    assert "talks without end" in reason(verdict)


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_thread_that_never_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever asyncssh is busy with, the scan goes on when the time is over."""
    release = threading.Event()

    def stuck(theirs: socket.socket, user: str) -> asking.Answer:
        release.wait(30)
        return asking.Answer("answered", ("late",))

    monkeypatch.setattr(asking, "TIME_LIMIT_S", 0.2)
    monkeypatch.setattr(asking, "_PATIENCE_S", 0.1)
    monkeypatch.setattr(asking, "_ask", stuck)
    before = descriptors()
    with rude(says_nothing) as port:
        verdict = ask(port)
    release.set()
    assert "no answer in time" in reason(verdict)
    deadline = time.monotonic() + 10
    while descriptors() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert descriptors() <= before  # who comes last closes what both held


def test_an_asyncssh_that_fails_is_data(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(theirs: socket.socket, user: str) -> asking.Answer:
        raise ImportError("libcrypto is too old\n\x1b[31m")

    monkeypatch.setattr(asking, "_ask", breaks)
    with rude(says_nothing) as port:
        verdict = ask(port)
    assert "libcrypto is too old" in reason(verdict)


def test_a_server_that_never_begins_is_not_asked() -> None:
    with rude(lambda _: None) as port:
        verdict = ask(port)
    assert verdict.service is not None
    assert verdict.service.auth is None


# --------------------------------------------------------------------------- what is left alone


_opened: list[str] = []
_watching = False


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    if _watching and event in ("open", "socket.connect", "os.listdir", "subprocess.Popen"):
        _opened.append(f"{event} {arguments}")


def test_nothing_of_the_users_is_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No ssh_config, no known_hosts, no key, no agent: files that would tell, and an agent that would hear."""
    global _watching  # noqa: PLW0603 - an audit hook can't be taken away
    folder = tmp_path / ".ssh"
    folder.mkdir()
    (folder / "config").write_text(f"Host *\n  User mallory\n  ProxyCommand touch {tmp_path}/ran\n  Port 1\n")
    (folder / "known_hosts").write_text("127.0.0.1 ssh-ed25519 AAAA\n")
    (folder / "id_ed25519").write_text("no key\n")
    agent = socket.socket(socket.AF_UNIX)
    agent.bind(str(tmp_path / "agent"))
    agent.listen()
    agent.setblocking(False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
    sys.addaudithook(_audit)
    with polite(Polite()) as server:
        _watching = True
        try:
            verdict = ask(server.port)
        finally:
            _watching = False
    assert answer(verdict)[0] is Outcome.LEFT
    assert server.users == ["alice"]
    assert not [one for one in _opened if str(tmp_path) in one], _opened
    assert not (tmp_path / "ran").exists()
    with pytest.raises(BlockingIOError):
        agent.accept()
    agent.close()


# --------------------------------------------------------------------------- what is typed


def test_without_asyncssh_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "asyncssh" else real(name, *more)
    )
    with rude(closes) as port, pytest.raises(CannotMeasure, match=r"pip install 'netprobe-wire\[ssh\]'"):
        scan.run(options(port), lambda _: None, lambda _: None)
    # A scan that doesn't ask doesn't need it.
    with rude(closes) as port:
        report = scan.run(replace(options(port), auth_methods=False), lambda _: None, lambda _: None)
    assert report.verdicts[0].cause == "up"


@pytest.mark.parametrize("user", ["", "-oProxyCommand=x", "a b", "a\nb", "a\x1b", "x" * 300])
def test_what_is_no_user_name_is_refused(user: str) -> None:
    from netprobe.cli.request import check

    with pytest.raises(UsageError, match="user"):
        check(replace(options(22), user=user))


def test_it_is_about_ssh() -> None:
    from netprobe.cli.request import check

    assert check(replace(options(2222), expect=None)).expect == "ssh"
    with pytest.raises(UsageError, match="--expect http"):
        check(replace(options(22), expect="http"))
