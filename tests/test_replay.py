"""`netprobe replay` as a person uses it: cases that pass, fail, are mistyped, are accepted and are made."""

from __future__ import annotations

import json
import shutil
import stat
import tomllib
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from netprobe.cli import run
from netprobe.errors import UsageError
from netprobe.model import Citation, Endpoint, Frame, Verdict
from netprobe.replay import cases, load, server_name
from netprobe.replay.accept import edited
from netprobe.replay.cases import captures_beside, case_of, stem_of
from netprobe.replay.compare import compare, options
from netprobe.replay.ladder import WIDTH, draw
from tests.packets import Segment
from tests.samples import a_verdict

CAPTURES = Path(__file__).resolve().parents[1] / "captures"
Captured = pytest.CaptureFixture[str]
FOLDER = Path(cases.__file__).parent
SCHEMA = json.loads((FOLDER / "schema.json").read_text("utf-8"))
CASE_SCHEMA = json.loads((FOLDER / "case.schema.json").read_text("utf-8"))
GOOD = """\
# what we know
about = 'the old gateway'   # north
origin = "field: nothing left"

[[expect]]
server   = "203.0.113.47:22"   # the one
state    = "closed"
cause    = "reset-by-host-firewall"   # ufw
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One capture of a scan with its case."""
    shutil.copy(CAPTURES / "reset_host.pcapng", tmp_path / "gate.pcapng")
    (tmp_path / "gate.toml").write_text(GOOD, "utf-8")
    return tmp_path


def valid(document: object, definition: str | None = None) -> None:
    """By the schema, or by one definition in it."""
    schema = SCHEMA if definition is None else {"$ref": f"#/$defs/{definition}", "$defs": SCHEMA["$defs"]}
    Draft202012Validator(schema).validate(document)


def write(folder: Path, text: str) -> Path:
    path = folder / "gate.toml"
    path.write_text(text, "utf-8")
    return path


def wrong(folder: Path) -> Path:
    return write(folder, GOOD.replace("reset-by-host-firewall", "no-listener").replace('"closed"', "'open'"))


# --------------------------------------------------------------------------- passing and failing


def test_a_case_that_holds(folder: Path, capsys: Captured) -> None:
    for path in (folder, folder / "gate.toml", folder / "gate.pcapng"):
        assert run(["replay", str(path)]) == 0
        assert capsys.readouterr().out == "1 case: 1 passed\n"
    assert run(["replay", str(folder), str(folder / "gate.pcapng"), "-v"]) == 0
    assert capsys.readouterr().out == f"ok    {folder}/gate.toml\n1 case: 1 passed\n"
    assert run(["replay", str(folder), "-vv"]) == 0
    assert "cause  reset-by-host-firewall  reset-by-host-firewall" in capsys.readouterr().out


def test_a_case_that_fails_shows_both_sides_and_the_packets(folder: Path, capsys: Captured) -> None:
    wrong(folder)
    assert run(["replay", str(folder)]) == 1
    out = capsys.readouterr().out
    assert out.startswith(f"FAIL {folder}/gate.toml: expected no-listener, found reset-by-host-firewall\n")
    assert "  ! state  open         closed\n" in out
    assert "  ! cause  no-listener  reset-by-host-firewall\n" in out
    assert "client 192.0.2.11:44116, server 203.0.113.47:22" in out
    assert "*       5    0.000577  44116 <-- RST,ACK ---- 22     ttl 62 tos 0x00\n" in out
    assert "\x1b" not in out
    lines = out.splitlines()[1:]
    assert max(len(line) for line in lines) <= WIDTH
    assert len(lines) < 40
    assert lines[-1] == "1 case: 1 failed"


def test_quiet_and_verbose(folder: Path, capsys: Captured) -> None:
    wrong(folder)
    assert run(["replay", "-q", str(folder)]) == 1
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert run(["replay", "-v", str(folder)]) == 1
    assert "because  the reset has DSCP 0" in capsys.readouterr().out
    assert run(["replay", "--color", "always", str(folder)]) == 1
    assert "\x1b[31mFAIL\x1b[0m" in capsys.readouterr().out


def test_json(folder: Path, capsys: Captured) -> None:
    wrong(folder)
    assert run(["replay", "--json", str(folder)]) == 1
    document = json.loads(capsys.readouterr().out)
    valid(document)
    assert document["command"] == "replay"
    assert document["summary"] == {"cases": 1, "by_result": {"failed": 1}}
    (case,) = document["cases"]
    assert (case["result"], case["case"]) == ("failed", f"{folder}/gate.toml")
    (one,) = case["expectations"]
    assert one["passed"] is False
    assert {"key": "state", "expected": "open", "found": "closed"} in one["differences"]
    assert run(["replay", "--jsonl", str(folder)]) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    valid(lines[0], "case")
    valid(lines[1], "summary_line")
    assert [line.get("result") for line in lines] == ["failed", None]
    assert lines[-1]["summary"]["by_result"] == {"failed": 1}


def test_json_of_what_could_not_be_compared(folder: Path, capsys: Captured) -> None:
    wrong(folder)
    for name in ("bad", "junk", "new"):
        shutil.copy(folder / "gate.pcapng", folder / f"{name}.pcapng")
    (folder / "bad.toml").write_text("nonsense = 1\n", "utf-8")
    shutil.copy(folder / "gate.toml", folder / "junk.toml")
    (folder / "junk.pcapng").write_bytes(b"this is no capture")
    assert run(["replay", "--json", "--accept", str(folder), str(folder / "new.pcapng")]) == 2
    document = json.loads(capsys.readouterr().out)
    valid(document)
    results = {Path(case["case"]).stem: case["result"] for case in document["cases"]}
    assert results == {"bad": "bad-case", "gate": "accepted", "junk": "unreadable", "new": "made"}
    assert next(case for case in document["cases"] if case["result"] == "accepted")["accepted"] == 2


def test_the_schema_of_a_case_is_what_load_takes() -> None:
    assert set(CASE_SCHEMA["properties"]) == set(cases.WHOLE)
    one = CASE_SCHEMA["$defs"]["expectation"]["properties"]
    assert set(one) == {"server", "client", *cases.COMPARED}
    for key, words in cases.WORDS.items():
        assert one[key]["enum"] == [str(word) for word in words]
    assert CASE_SCHEMA["properties"]["vantage"]["enum"] == list(cases.VANTAGES)
    check = Draft202012Validator(CASE_SCHEMA)
    for path in CAPTURES.glob("*.toml"):
        check.validate(tomllib.loads(path.read_text("utf-8")))


def test_a_mistyped_cause_is_told(folder: Path, capsys: Captured) -> None:
    write(folder, GOOD.replace("reset-by-host-firewall", "reset-by-host-firewal"))
    assert run(["replay", str(folder)]) == 1
    assert "there is no cause reset-by-host-firewal: did you mean reset-by-host-firewall?" in " ".join(
        capsys.readouterr().out.split()
    )


def test_a_server_without_a_verdict(folder: Path, capsys: Captured) -> None:
    write(folder, GOOD + '\n[[expect]]\nserver = "203.0.113.47:22"\ncause = "up"\n')
    assert run(["replay", str(folder)]) == 1
    out = " ".join(capsys.readouterr().out.split())
    assert "203.0.113.47:22: no verdict is left: expectations are met in order" in out
    write(folder, GOOD.replace("203.0.113.47:22", "203.0.113.48:22"))
    assert run(["replay", str(folder)]) == 1
    assert "203.0.113.48:22: no verdict; the capture has 203.0.113.47:22" in capsys.readouterr().out


def test_damage_fails_a_case_unless_it_is_known(folder: Path, capsys: Captured) -> None:
    capture = folder / "gate.pcapng"
    data = bytearray(capture.read_bytes())
    data += b"\x06\0\0\0\x03\0\0\0" + bytes(40)  # a block that can't be so short
    capture.write_bytes(data)
    assert run(["replay", str(folder)]) == 4
    out = capsys.readouterr().out
    assert "the capture is damaged" in out
    assert "gate.pcapng" in "".join(line.strip() for line in out.splitlines())  # a long path is wrapped
    write(folder, "damaged = true\n" + GOOD)
    assert run(["replay", str(folder)]) == 0
    shutil.copy(CAPTURES / "reset_host.pcapng", capture)
    assert run(["replay", str(folder)]) == 1
    assert "damaged = true, but the capture is whole" in capsys.readouterr().out


# --------------------------------------------------------------------------- paths and mistakes


def test_folders_are_searched_and_foreign_files_left_alone(folder: Path, capsys: Captured) -> None:
    deep = folder / "a" / "b"
    deep.mkdir(parents=True)
    (folder / ".git").mkdir()
    for place in (deep, folder / ".git"):
        shutil.copy(folder / "gate.toml", place)
        shutil.copy(folder / "gate.pcapng", place)
    (folder / "pyproject.toml").write_text("[project\n", "utf-8")
    (folder / "notes.txt").write_text("x", "utf-8")
    shutil.copy(folder / "gate.pcapng", folder / "other.pcap.gz")
    assert run(["replay", str(folder)]) == 0
    said = capsys.readouterr()
    assert said.out == "2 cases: 2 passed\n"
    assert "no case for" in said.err
    assert "other.pcap.gz" in said.err


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("nothing", 3, "nothing is not there; name a case, its capture, or a folder"),
        ("empty", 2, "no case in it"),
        ("lone.pcapng", 2, "lone.toml is not there; write one"),
        ("orphan.toml", 2, "has no capture beside it; put orphan.pcapng"),
        ("twice.toml", 2, "twice.pcapng and twice.pcap lie beside it"),
        ("junk.toml", 3, "junk.pcap is not a capture"),
    ],
)
def test_paths_that_lead_nowhere(folder: Path, capsys: Captured, name: str, code: int, words: str) -> None:
    (folder / "empty").mkdir()
    shutil.copy(folder / "gate.pcapng", folder / "lone.pcapng")
    for case in ("orphan", "twice", "junk"):
        shutil.copy(folder / "gate.toml", folder / f"{case}.toml")
    shutil.copy(folder / "gate.pcapng", folder / "twice.pcapng")
    shutil.copy(folder / "gate.pcapng", folder / "twice.pcap")
    (folder / "junk.pcap").write_bytes(b"this is no capture")
    assert run(["replay", str(folder / name)]) == code
    said = capsys.readouterr()
    assert words in said.err
    assert said.out == ""


def test_a_case_whose_capture_is_gone_does_not_pass_unseen(folder: Path, capsys: Captured) -> None:
    (folder / "gone.toml").write_text(GOOD, "utf-8")
    assert run(["replay", str(folder)]) == 2
    out = capsys.readouterr().out
    assert "gone.toml has no capture beside it" in out
    assert out.endswith("2 cases: 1 passed, 1 bad-case\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("not toml at all [", "is not TOML"),
        ("about = 1\n", "about = 1; write a text"),
        ('about = "no expectation"\n', "no [[expect]]"),
        ("surprise = 2\n", "unknown key surprise"),
        ('abuot = "x"\n', "unknown key abuot; did you mean about?"),
        ('[[expect]]\nserver = "192.0.2.1:22"\ncolour = "red"\n', "number 1: unknown key colour"),
        ('[[expect]]\nserver = "192.0.2.1:22"\nstate = "opne"\n', "write one of open, closed, filtered, unknown"),
        ('[[expect]]\nserver = "192.0.2.1:22"\n', "nothing to compare"),
        ('[[expect]]\nserver = "192.0.2.1"\ncause = "up"\n', "write address and port"),
        ('[[expect]]\nserver = "192.0.2.1:99999"\ncause = "up"\n', "write address and port"),
        ('[[expect]]\ncause = "up"\n', "no server"),
        ('[[expect]]\nserver = "192.0.2.1:22"\nattempts = "3"\n', "write a whole number"),
        ('[[expect]]\nserver = "192.0.2.1:22"\norigin_between = ["a"]\n', "two addresses"),
        ('[[expect]]\nserver = "192.0.2.1:22"\ncause = "up"\ntunnels = true\n', "above the first [[expect]]"),
        ('cause = "up"\n', "write it below [[expect]]"),
        ('vantage = "above"\n', "one of client, server, middle"),
        ("tunnels = 1\n", "write true or false"),
        ('together = "x"\n', "write file names"),
        ("expect = 3\n", "no [[expect]]"),
    ],
)
def test_a_mistyped_case_is_refused(folder: Path, capsys: Captured, text: str, words: str) -> None:
    path = write(folder, text)
    assert run(["replay", str(path)]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert "gate.toml" in said
    assert len(said.splitlines()) == 1
    if words != "is not TOML" and "write address" not in words:
        assert not Draft202012Validator(CASE_SCHEMA).is_valid(tomllib.loads(text))


def test_one_bad_case_does_not_stop_the_others(folder: Path, capsys: Captured) -> None:
    (folder / "bad.toml").write_text("nonsense = 1\n", "utf-8")
    shutil.copy(folder / "gate.pcapng", folder / "bad.pcapng")
    assert run(["replay", str(folder)]) == 2
    out = capsys.readouterr().out
    assert "ERROR" in out
    assert out.endswith("2 cases: 1 bad-case, 1 passed\n")


def test_an_interrupt_shows_what_was_done(folder: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    from netprobe.replay import compare as module

    (folder / "two.toml").write_text(GOOD, "utf-8")
    shutil.copy(folder / "gate.pcapng", folder / "two.pcapng")
    real = module.replay
    calls: list[object] = []

    def once(case: object) -> object:
        if calls:
            raise KeyboardInterrupt
        calls.append(case)
        return real(case)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "replay", once)
    assert run(["replay", str(folder), "-v"]) == 130
    said = capsys.readouterr()
    assert "gate.toml" in said.out
    assert said.out.endswith("1 case: 1 passed, 1 interrupted\n")
    assert "interrupted" in said.err


# --------------------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("a.pcapng", "a"),
        ("a.b.pcap.gz", "a.b"),
        ("a.cap.zst", "a"),
        ("A.PCAP", "A"),
        ("a.toml", None),
        (".pcap", None),
        ("a.pcapx", None),
    ],
)
def test_names_of_captures(name: str, stem: str | None) -> None:
    assert stem_of(Path(name)) == stem
    if stem is not None:
        assert case_of(Path("x") / name) == Path("x") / f"{stem}.toml"


def test_a_compressed_capture_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.b.toml").write_text(GOOD, "utf-8")
    (tmp_path / "a.b.pcap.xz").touch()
    assert captures_beside(tmp_path / "a.b.toml") == [tmp_path / "a.b.pcap.xz"]
    assert load(tmp_path / "a.b.toml").capture == tmp_path / "a.b.pcap.xz"


def test_files_that_are_read_together(tmp_path: Path, capsys: Captured) -> None:
    for name in ("up-server", "reset_host-server"):
        shutil.copy(CAPTURES / f"{name}.pcapng", tmp_path)
    (tmp_path / "up-server.toml").write_text(
        'together = ["reset_host-server.pcapng"]\n'
        '[[expect]]\nserver = "203.0.113.10:22"\nstate = "open"\n'
        '[[expect]]\nserver = "203.0.113.47:22"\nstate = "filtered"\n',
        "utf-8",
    )
    assert run(["replay", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert said.err == ""  # the second file has its case
    assert "  ! state  filtered  closed\n" in said.out
    assert "<-- RST,ACK ---- 22" in said.out
    assert said.out.splitlines()[-1] == "1 case: 1 failed"


def test_both_sides_of_a_conversation(tmp_path: Path, capsys: Captured) -> None:
    for name in ("replies_drop_r2", "replies_drop_r2-server"):
        shutil.copy(CAPTURES / f"{name}.pcapng", tmp_path)
    case = tmp_path / "replies_drop_r2.toml"
    case.write_text(
        'server_capture = "replies_drop_r2-server.pcapng"\n'
        '[[expect]]\nserver = "203.0.113.105:22"\ncause = "up"\n',
        "utf-8",
    )
    assert run(["replay", "--accept", str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert said.err == ""  # the server's capture has its case
    out = said.out
    assert "! cause  up        reply-filtered" in out
    assert out.index("seen by the client:") < out.index("seen by the server:") < out.index("<-- SYN,ACK")
    assert 'cause = "reply-filtered"' in case.read_text("utf-8")


def test_how_a_capture_is_read(tmp_path: Path) -> None:
    for name in ("a.pcap", "b.pcap", "s.pcap"):
        (tmp_path / name).touch()
    path = tmp_path / "a.toml"
    path.write_text('vantage = "server"\ntunnels = true\ntogether = ["b.pcap"]\n' + GOOD, "utf-8")
    found = options(load(path))
    assert (found.vantage, found.tunnels, found.together) == ("server", True, True)
    assert found.files == (tmp_path / "a.pcap", tmp_path / "b.pcap")
    path.write_text('server_capture = "s.pcap"\n' + GOOD, "utf-8")
    assert options(load(path)).pair == (tmp_path / "a.pcap", tmp_path / "s.pcap")
    path.write_text('server_capture = "t.pcap"\n' + GOOD, "utf-8")
    with pytest.raises(UsageError, match=r"t\.pcap is not there"):
        load(path)


def test_endpoints_are_compared_in_canonical_form(tmp_path: Path) -> None:
    (tmp_path / "a.pcap").touch()
    path = tmp_path / "a.toml"
    path.write_text('[[expect]]\nserver = "[2001:DB8:0::5]:22"\nclient = "2001:DB8::0:1"\ncause = "up"\n', "utf-8")
    (one,) = load(path).expect
    assert (one["server"], one["client"]) == ("[2001:db8::5]:22", "2001:db8::1")


# --------------------------------------------------------------------------- comparing


def test_expectations_are_met_in_order_and_by_client() -> None:
    found = [a_verdict(client=Endpoint("192.0.2.1", port), attempts=port) for port in (1, 2, 3, 4)]
    name = server_name(found[0])
    met = compare(
        [
            {"server": name, "client": "192.0.2.1:3", "attempts": 3},
            {"server": name, "attempts": 1},
            {"server": name, "client": "192.0.2.1", "attempts": 2},
            {"server": name, "attempts": 4},
            {"server": name, "attempts": 5},
        ],
        found,
    )
    assert [one.passed for one in met] == [True, True, True, True, False]
    assert met[-1].verdict is None


def test_nothing_but_what_is_written_is_compared() -> None:
    one = a_verdict()
    hop = "" if one.origin.hop is None else one.origin.hop
    (met,) = compare([{"server": server_name(one), "origin_hop": hop}], [one])
    assert met.passed
    assert [line.key for line in met.lines] == ["origin_hop"]


# --------------------------------------------------------------------------- the ladder


def frames(count: int) -> list[Frame]:
    """A conversation of this many packets, the client's."""
    packet = Segment(src=Endpoint("192.0.2.1", 40000), dst=Endpoint("203.0.113.5", 22), flags="PA", data=b"x").packet()
    return [Frame(n + 1, n * 10**9, 101, packet, len(packet)) for n in range(count)]


def about(cited: tuple[int, ...]) -> Verdict:
    return a_verdict(
        address="203.0.113.5",
        port=22,
        client=Endpoint("192.0.2.1", 40000),
        evidence=tuple(Citation(n, 0, "") for n in cited),
    )


def test_the_ladder_is_bounded_and_keeps_what_decides() -> None:
    lines = draw(frames(10_000), about((5000, 9999)), 10)
    assert len(lines) == 2 + 10 + 3  # two heads, the packets, what was left out in three places
    assert [line.split()[1] for line in lines if line.startswith("*")] == ["5000", "9999"]
    assert "... 4991 more packets" in lines[-5]
    assert max(len(line) for line in lines) <= WIDTH


def test_a_ladder_of_nothing() -> None:
    assert draw([], about(())) == []


# --------------------------------------------------------------------------- accepting


def test_accept_shows_and_writes_only_what_differs(folder: Path, capsys: Captured) -> None:
    path = wrong(folder)
    path.chmod(0o640)
    assert run(["replay", "--accept", str(folder)]) == 0
    out = capsys.readouterr().out
    assert "! cause  no-listener  reset-by-host-firewall" in out
    assert "accepted: 2 values written" in out
    assert path.read_text("utf-8") == GOOD
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert sorted(one.name for one in folder.iterdir()) == ["gate.pcapng", "gate.toml"]
    assert run(["replay", str(folder)]) == 0


def test_accept_leaves_a_passing_case_alone(folder: Path) -> None:
    path = folder / "gate.toml"
    before = path.stat()
    assert run(["replay", "--accept", str(folder)]) == 0
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert path.stat().st_ino == before.st_ino


def test_accept_never_takes_an_expectation_out(folder: Path, capsys: Captured) -> None:
    text = GOOD + '\n[[expect]]\nserver = "203.0.113.48:22"\ncause = "up"\n'
    path = write(folder, text.replace("reset-by-host-firewall", "no-listener"))
    assert run(["replay", "--accept", str(folder)]) == 1
    assert "not accepted: 203.0.113.48:22: nothing was found" in capsys.readouterr().out
    assert path.read_text("utf-8") == text


def test_accept_keeps_line_ends_and_a_byte_order_mark(folder: Path) -> None:
    path = folder / "gate.toml"
    text = "\ufeff" + GOOD.replace("\n", "\r\n")
    path.write_bytes(text.replace("reset-by-host-firewall", "no-listener").encode())
    assert run(["replay", "--accept", str(folder)]) == 0
    assert path.read_bytes() == text.encode()


def test_accept_through_a_link_changes_the_file_behind_it(folder: Path) -> None:
    path = wrong(folder)
    real = folder / "real"
    path.rename(real)
    path.symlink_to(real)
    assert run(["replay", "--accept", str(folder)]) == 0
    assert path.is_symlink()
    assert real.read_text("utf-8") == GOOD


@pytest.mark.parametrize(
    "text",
    [
        'expect = [{server = "192.0.2.1:22", cause = "up"}, {server = "192.0.2.2:22", cause = "up"}] # two\n',
        '[[expect]]\nserver = "192.0.2.1:22"\ncause = "up"\n[[expect]]\nserver = "192.0.2.2:22"\ncause = \'up\' # x\n',
    ],
)
def test_other_forms_of_toml_are_edited_too(text: str) -> None:
    changed = edited(Path("x"), text, {(1, "cause"): "dropped"})
    wanted = tomllib.loads(text)
    wanted["expect"][1]["cause"] = "dropped"
    assert tomllib.loads(changed) == wanted
    assert changed.count("#") == text.count("#")


def test_accept_makes_a_case_where_there_is_none(folder: Path, capsys: Captured) -> None:
    (folder / "gate.toml").unlink()
    assert run(["replay", "--accept", str(folder / "gate.pcapng")]) == 0
    assert "made" in capsys.readouterr().out
    made = tomllib.loads((folder / "gate.toml").read_text("utf-8"))
    assert (made["about"], made["origin"]) == ("", "field: ...")
    assert made["expect"][0]["cause"] == "reset-by-host-firewall"
    assert run(["replay", str(folder)]) == 0


def test_help_has_examples(capsys: Captured) -> None:
    assert run(["replay", "-h"]) == 0
    assert "Examples:\n" in capsys.readouterr().out
    assert run(["replay", "--help"]) == 0
    assert "Exit codes:" in capsys.readouterr().out
