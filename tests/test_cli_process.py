"""The command line as a process: start-up, interrupts, pipes, terminals."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.starting import of_python_alone

ROOT = Path(__file__).parent.parent
FAKE = [sys.executable, "-m", "tests.fake_command"]


def start(
    *arguments: str, words: str = "up", program: list[str] | None = None, **environment: str
) -> subprocess.Popen[str]:
    """The command with the fake driver (or another program), with pipes for both outputs."""
    return subprocess.Popen(
        [*(program or FAKE), *arguments],
        cwd=ROOT,
        env={**os.environ, "NETPROBE_FAKE": words, "TERM": "xterm", **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until_ready(process: subprocess.Popen[str]) -> None:
    assert process.stderr is not None
    while "ready" not in (line := process.stderr.readline()):
        assert line, "ended too early"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("form", ["--json", "--color=auto"])
def test_an_interrupt_shows_what_is_known(number: signal.Signals, form: str) -> None:
    process = start("scan", form, "192.0.2.1", words="up closed late")
    wait_until_ready(process)
    process.send_signal(number)
    sent = time.monotonic()
    out, err = process.communicate(timeout=10)
    assert time.monotonic() - sent < 0.5 + 1.0  # half a second, and a second for a busy test machine
    assert process.returncode == 130
    assert "interrupted: this is what was known by then" in err
    if form == "--json":
        assert json.loads(out)["interrupted"] is True
        assert len(json.loads(out)["verdicts"]) == 2
    else:
        assert "reset-by-host-firewall" in out


def test_sigusr1_tells_how_far_a_run_is() -> None:
    process = start("scan", "192.0.2.1", words="up closed late")
    wait_until_ready(process)
    assert process.stderr is not None
    for _ in range(2):
        process.send_signal(signal.SIGUSR1)
        assert process.stderr.readline().startswith("netprobe: 2 of 2 done, ")
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=10)
    assert process.returncode == 130
    assert "reset-by-host-firewall" in out


def test_sigusr1_of_a_reading_run_and_before_and_after_it() -> None:
    program = (
        "import os, signal\n"
        "from netprobe.cli.interrupts import listen\n"
        "from netprobe.cli.progress import ReadingProgress\n"
        "listen()\n"
        "os.kill(os.getpid(), signal.SIGUSR1)\n"
        "with ReadingProgress(wanted=False) as progress:\n"
        "    progress.read('a.pcap', 500_000, 1_000_000)\n"
        "    os.kill(os.getpid(), signal.SIGUSR1)\n"
        "os.kill(os.getpid(), signal.SIGUSR1)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=20
    )
    (line,) = done.stderr.splitlines()
    assert line.startswith("netprobe: a.pcap [########........] 50% of 1.0 MB")


def test_an_interrupt_that_the_driver_lets_through_leaves_no_traceback() -> None:
    process = start("scan", "192.0.2.1", words="sleep")
    wait_until_ready(process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (130, "", "")


def test_an_interrupt_at_any_moment_leaves_no_traceback() -> None:
    """From the first line of ours on; before it, the interpreter itself is starting."""
    for step in range(20):
        process = start("scan", "192.0.2.1", words="late")
        time.sleep(0.02 + step * 0.02)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=10)
        assert of_python_alone(process.returncode, err) or (process.returncode == 130 and "Traceback" not in err), err


@pytest.mark.parametrize("where", ["netprobe.cli.output", "netprobe.cli.app"])
def test_an_interrupt_that_meets_a_class_in_the_making_leaves_no_traceback(where: str) -> None:
    """Python 3.11 makes a RuntimeError of it (Objects/typeobject.c, type_new_set_names), newer ones let it through."""
    program = f"""
import sys
class Field:
    def __set_name__(self, owner, name):
        raise KeyboardInterrupt
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "{where}":
            type("Class", (), {{"field": Field()}})
sys.meta_path.insert(0, Finder())
from netprobe.__main__ import main
sys.argv = ["netprobe", "scan", "192.0.2.1"]
sys.exit(main())
"""
    process = start(program=[sys.executable, "-c", program])
    out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (130, "", "")


def test_an_interrupt_that_meets_a_callback_is_silent_and_not_lost() -> None:
    """Python prints and forgets what a callback raises (PyErr_WriteUnraisable); other errors are still told."""
    program = """
import os, signal, weakref
from netprobe import interrupts
from netprobe.cli.interrupts import listen

class Thing:
    pass

def met(what):
    thing = Thing()
    reference = weakref.ref(thing, what)
    del thing

listen()
met(lambda _: 1 / 0)
met(lambda _: os.kill(os.getpid(), signal.SIGINT))
print("goes on")
try:
    interrupts.check()
except KeyboardInterrupt:
    print("heard")
"""
    out, err = start(program=[sys.executable, "-c", program]).communicate(timeout=10)
    assert out == "goes on\nheard\n"
    assert "ZeroDivisionError" in err
    assert "KeyboardInterrupt" not in err


def test_the_second_interrupt_ends_it_on_the_spot() -> None:
    program = """
import time
from netprobe.cli.interrupts import listen

listen()
try:
    print("ready", flush=True)
    time.sleep(30)
except KeyboardInterrupt:
    print("once", flush=True)
    time.sleep(30)
"""
    process = start(program=[sys.executable, "-c", program])
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "once\n"
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=5) == 130
    process.communicate()


@pytest.mark.parametrize("form", ["--json", "--jsonl", "--quiet"])
def test_a_closed_pipe_is_no_error(form: str) -> None:
    process = start("scan", form, "192.0.2.1", words="many")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    err = process.stderr.read()
    assert process.wait(timeout=20) == 1
    assert err in {"", "netprobe: as an ordinary user\n"}
    process.stderr.close()


def test_a_full_disk_behind_standard_output_is_said() -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run(
            [*FAKE, "scan", "192.0.2.1"],
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=20,
        )
    assert done.returncode == 3
    assert "the result can't be written: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_closed_standard_streams_are_no_trouble() -> None:
    for closed in (">&-", "2>&-", "<&-", ">&- 2>&- <&-"):
        command = f'"{sys.executable}" -m tests.fake_command scan 192.0.2.1 {closed}'
        done = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False, timeout=20)
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr


def test_hostile_text_and_an_ascii_terminal() -> None:
    process = start("scan", "-v", "192.0.2.1", words="hostile", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    out, err = process.communicate(timeout=20)
    assert process.returncode == 1, err
    assert "\x1b" not in out
    assert out.isascii()


def on_a_terminal(*arguments: str, **environment: str) -> str:
    """What the fake scan writes to a terminal of 80 columns."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(ROOT)
        variables = {"NETPROBE_FAKE": "up closed", "TERM": "xterm", "COLUMNS": "80", **environment}
        os.environ.pop("NO_COLOR", None)
        os.environ.update(variables)
        os.execv(sys.executable, [*FAKE, *arguments])
    written = b""
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:
            break
        if not piece:
            break
        written += piece
    os.close(terminal)
    os.waitpid(pid, 0)
    return written.decode()


def test_a_terminal_gets_colour_and_its_width() -> None:
    text = on_a_terminal("scan", "-vv", "192.0.2.1")
    assert "\x1b[32mopen\x1b[0m" in text
    plain = on_a_terminal("scan", "-vv", "192.0.2.1", NO_COLOR="1").replace("\r\x1b[K", "")
    assert "\x1b" not in plain
    assert max(map(len, plain.splitlines())) <= 80


@pytest.mark.parametrize("environment", [{"TERM": "dumb"}, {"NO_COLOR": "1", "TERM": "dumb"}])
def test_a_dumb_terminal_gets_no_escape(environment: dict[str, str]) -> None:
    assert "\x1b" not in on_a_terminal("scan", "192.0.2.1", **environment)


def test_a_pipe_gets_no_escape_and_full_lines() -> None:
    out, err = start("scan", "-vv", "192.0.2.1", words="up closed").communicate(timeout=20)
    assert "\x1b" not in out + err
    assert max(map(len, out.splitlines())) > 120


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["scan", "--help"], ["analyze", "-h"], []])
def test_start_up_loads_nothing_heavy(arguments: list[str]) -> None:
    program = (
        "import sys\n"
        f"sys.argv = ['netprobe', *{arguments!r}]\n"
        "from netprobe.__main__ import main\n"
        "main()\n"
        "heavy = {'scapy', 'pyshark', 'numpy', 'numba', 'tabulate', 'dns', 'asyncio', 'rich', 'asyncssh'}\n"
        "heavy |= {'jinja2'} | ({'typer'} if {'--version', '--help', '-h'} & set(sys.argv) else set())\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False, timeout=20
    )
    assert done.stderr.splitlines()[-1] == "[]"


def test_start_up_is_quick() -> None:
    """Generous bounds: this catches a heavy import, not a busy machine."""
    for argument, limit_s in (("--version", 0.3), ("--help", 0.5)):
        times = []
        for _ in range(5):
            started = time.perf_counter()
            subprocess.run([sys.executable, "-m", "netprobe", argument], cwd=ROOT, capture_output=True, check=True)
            times.append(time.perf_counter() - started)
        assert min(times) < limit_s


def test_a_scan_loads_no_pydantic() -> None:
    """It would cost more than the scan of a closed port; see netprobe.cli.coercion."""
    program = FAKE[-1]
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", program, "scan", "-p", "22", "--rate", "20", "192.0.2.1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    assert done.returncode == 0
    assert "pydantic" not in done.stderr
