"""Every command of README.md and docs/*.md is run as it stands there, and prints what is shown."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from netprobe.report import waiting
from tests.commands import at_once
from tests.documented import lab, running
from tests.documented.blocks import LANGUAGES, ROOT, Command, blocks, commands, documents
from tests.documented.parsing import fault, invocations
from tests.documented.running import same
from tests.documented.table import TABLE, How, row_of
from tests.lab.scenarios import SCENARIOS
from tests.lab.sshd import SSHD
from tests.lab.topology import available

ALL = [one for path in documents() for one in commands(path)]


def of(how: How) -> list[Command]:
    return [one for one in ALL if (row := row_of(one)) is not None and row.how is how]


RUN = {name: [one for one in of(How.RUN) if one.document == name] for name in {one.document for one in of(How.RUN)}}


def test_every_command_has_a_class() -> None:
    missing = [str(one) for one in ALL if row_of(one) is None]
    assert not missing, f"say in tests/documented/table.py what becomes of {missing}"


def test_every_class_has_a_command() -> None:
    used = {row_of(one) for one in ALL}
    assert not [row.pattern for row in TABLE if row not in used]


def test_what_is_not_run_has_its_reason() -> None:
    assert not [row.pattern for row in TABLE if row.how is How.READ and not row.reason]


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.name)
def test_every_block_says_what_it_is_and_none_hides(path: Path) -> None:
    assert not [f"{one.document}:{one.first}" for one in blocks(path) if one.language not in LANGUAGES]
    text = re.sub(r"(?ms)^```.*?^```$", "", path.read_text("utf-8"))
    hidden = re.findall(r"(?m)^(?:    |\t)(?:\$ |sudo |netprobe |pip |make ).*", text)
    assert not hidden, "commands stand in ```sh or ```console blocks"


@pytest.mark.parametrize("command", ALL, ids=str)
def test_netprobes_own_parser_takes_it(command: Command) -> None:
    found = list(invocations(command.bare))
    assert found or not command.bare.startswith(("netprobe", "sudo netprobe"))
    for arguments in found:
        row = row_of(command)
        refused = fault(arguments)
        assert not refused or (row is not None and 2 in row.codes), f"{command}: {refused}"


@pytest.mark.parametrize(
    "path", [*documents(), ROOT / "docs/causes.md", ROOT / "CHANGELOG.md"], ids=lambda path: path.name
)
def test_commands_within_sentences_have_options_that_exist(path: Path) -> None:
    """Of them only what they leave out may be missing: `scan -w`, `help COMMAND`."""
    text = re.sub(r"(?ms)^```.*?^```$", "", path.read_text("utf-8"))
    for code in re.findall(r"`([^`\n]+)`", text):
        for arguments in invocations(code):
            whole = not {"[", "COMMAND", "..."} & set(re.findall(r"\[|COMMAND|\.\.\.", " ".join(arguments)))
            refused = re.sub(r"Missing argument .*|Option '\S+' requires an argument\.", "", fault(arguments))
            assert not (whole and refused), f"{code}: {refused}"


@pytest.mark.parametrize(
    ("arguments", "refused"),
    [
        (["scan", "--patiant", "x"], True), (["scan", "--patient", "x"], False), (["scam", "x"], True),
        (["doctor", "--watch"], False), (["scan", "--rate", "fast", "x"], True), (["wait", "--until"], True),
        (["scan", "-iL", "hosts.txt", "--config", "x"], False), (["help", "scan"], False),
    ],
)  # fmt: skip
def test_the_parser_does_refuse(arguments: list[str], refused: bool) -> None:
    assert bool(fault(arguments)) is refused


def test_netprobe_is_found_in_every_guise() -> None:
    found = list(invocations('sudo setpriv --a=b "$(command -v netprobe)" scan -w x h 2>y | sudo netprobe diff - z'))
    assert found == [["scan", "-w", "x", "h"], ["diff", "-", "z"]]
    assert list(invocations("python-raw -m netprobe scan x > y")) == [["scan", "x"]]
    assert list(invocations("pip install netprobe-wire")) == []


def test_the_shell_reads_them_all() -> None:
    script = "\n".join(one.text for one in ALL) + "\n"
    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
    assert done.stderr == ""


@pytest.mark.parametrize("command", of(How.MAKE), ids=str)
def test_make_knows_its_target(command: Command) -> None:
    target = command.bare.split()[1]
    assert re.search(rf"(?m)^{target}:", (ROOT / "Makefile").read_text("utf-8"))


def test_what_is_said_of_the_lab_exists() -> None:
    for command in of(How.READ):
        found = re.fullmatch(r"\.venv/bin/python -m tests\.lab (\w+) ?(\w*)", command.bare)
        if found is not None:
            assert found[1] in {"list", "up", "check", "run", "record", "demo", "bench", "sweep"}, str(command)
            assert found[2] in {"", *(one.name for one in SCENARIOS)}, str(command)


def test_a_machine_that_boots_is_told_as_wait_tells_it() -> None:
    """tests/test_wait_lab.py waits for one; what the document shows of it has the columns of today."""
    (shown,) = (one.output for one in ALL if one.bare == "sudo netprobe wait 192.0.2.2")
    head, *lines = (shown or "").splitlines()
    assert head == waiting.head()
    starts = [found.start() for found in re.finditer(r"\S+", head)]
    assert len(lines) == 3
    for line in lines:
        assert [line[at - 1] for at in starts[2:]] == [" "] * 4, line
        assert line.split()[3] in {"filtered", "closed", "open"}, line


# --------------------------------------------------------------------------- run


def test_commands_do_what_the_documents_say(public_path: Path) -> None:
    names = sorted(RUN, key=lambda name: -len(RUN[name]))
    results = at_once(lambda name: running.run(RUN[name], public_path / name), names, 2)
    ran = [one for result in results for one in result]
    left_out = [one for one in of(How.RUN) if (row := row_of(one)) is not None and running.missing(row)]
    assert len(ran) + len(left_out) == len(of(How.RUN))
    faults = [f"{one.command}: {fault}" for one in ran for fault in one.faults()]
    assert not faults, "\n\n".join(faults)
    if left_out:
        pytest.skip(f"all but {len(left_out)}, which need programs that aren't here: {left_out[0]}")


@pytest.mark.lab
@pytest.mark.skipif(bool(available()), reason=f"no lab: {available()}")
@pytest.mark.skipif(not Path(SSHD).exists(), reason="needs sshd")
def test_live_commands_do_what_the_document_says(tmp_path: Path, public_path: Path) -> None:
    # The longest first: it takes as long as all the others.
    todo = sorted({one.bare: one for one in of(How.LAB)}.values(), key=lambda one: "--marked" not in one.bare)
    asking = Command("probing.md", 0, "sudo netprobe scan --auth-methods --user root server.example.com")
    with lab.machines(tmp_path) as client:
        ran = at_once(lambda n: lab.run(todo[n], client, public_path / str(n)), range(len(todo)), 6)
        ran.append(lab.run(asking, client, public_path / "asking"))
        logged = (tmp_path / lab.LOG).read_text().splitlines()
    faults = [f"{one.command}: {fault}" for one in ran for fault in one.faults()]
    assert not faults, "\n\n".join(faults)
    _is_told(logged)


def _is_told(logged: list[str]) -> None:
    """What all of it left in the server's log is what docs/probing.md says, no more and no less."""
    table = (ROOT / "docs/probing.md").read_text("utf-8").split("| the server's log |")[1].split("\n\n")[0]
    told = [one for one in re.findall(r"`([^`]+)`", table) if "ADDRESS" in one]
    assert len(told) == 5
    for one in told:
        seen = any(re.fullmatch(_pattern(one), line) for line in logged)
        assert seen or one.startswith("Connection reset"), one  # which depends on who is faster
    ours = [line for line in logged if not line.startswith(("Server listening", "Received signal"))]
    assert not [line for line in ours if not any(re.fullmatch(_pattern(one), line) for one in told)]


def _pattern(told: str) -> str:
    places = {"ADDRESS": r"[0-9a-f.:]+", "PORT": r"\d+", "alice": r"\w+"}
    return " ".join(places.get(word, re.escape(word)) for word in told.split())


# --------------------------------------------------------------------------- comparing


@pytest.mark.parametrize(
    ("shown", "printed", "alike"),
    [
        ("one two", "one\n  two\n", True),
        ("one two", "one three", False),
        ("one\n...\nthree", "one\ntwo\nthree\n", True),
        ("one\n...", "one\ntwo\n", True),
        ("one\n...", "two\n", False),
        ("one ...\nthree", "one two\nthree", True),
        ("...\nthree", "one two\nthree", True),
        ("one", "one two", False),
        ("|-- SYN ------>|", "|-- SYN ----------------->|", True),
        ("|-- SYN ---->|", "|-- RST ---->|", False),
        ("|-- SYN ttl 64 -- - - - -? |", "|-- SYN ttl 64 - - - -? |", True),
    ],
)
def test_outputs_are_compared_word_by_word(shown: str, printed: str, alike: bool) -> None:
    assert same(shown, printed) is alike
