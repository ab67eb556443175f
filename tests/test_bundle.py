"""Bundles: made of scans and captures, whole or redacted; checked when they are analyzed; what is wrong is told."""

from __future__ import annotations

import json
import re
import shutil
import socket
import struct
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from netprobe.bundle import archive, contents
from netprobe.bundle.contents import CAPTURE, LOG, MANIFEST, PAGE, README, SUMS, VERDICTS
from netprobe.bundle.settings import Settings
from netprobe.cli import run
from netprobe.cli.unbundle import merged
from netprobe.wire.capture import CaptureReader

pytest.importorskip("jinja2")

ROOT = Path(__file__).parent.parent
CAPTURES = ROOT / "captures"
DROPPED, NAMED = (CAPTURES / f"{name}.pcapng" for name in ("drop_r1", "name_two_addresses"))
ALL = {README, VERDICTS, PAGE, CAPTURE, LOG, MANIFEST, SUMS}
SAME = ("port", "state", "reason", "cause", "certainty", "rule", "history", "conn_state", "attempts")
Captured = pytest.CaptureFixture[str]
jsonschema = pytest.importorskip("jsonschema")
SCHEMA = jsonschema.Draft202012Validator(json.loads((ROOT / "netprobe" / "report" / "schema.json").read_text("utf-8")))


def bundled(target: Path, source: Path = DROPPED, *options: str) -> Path:
    assert run(["analyze", "-q", "--bundle", str(target), *options, str(source)]) in (0, 1, 3)
    return target


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundled(tmp_path_factory.mktemp("bundle") / "whole.zip")


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as found:
        return {name: found.read(name) for name in found.namelist()}


def rebuilt(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in files.items():
            made.writestr(name, data)
    return path


def a_key(folder: Path, number: int) -> str:
    """The name of a file that holds one."""
    (folder / f"key{number}").write_bytes(b"a key of its own, number %d" % number)
    return str(folder / f"key{number}")


def verdicts(capsys: Captured, path: Path, *options: str) -> list[dict[str, Any]]:
    """What an analysis finds, which succeeds."""
    capsys.readouterr()
    assert run(["analyze", "--json", *options, str(path)]) in (0, 1, 3)
    document = json.loads(capsys.readouterr().out)
    SCHEMA.validate(document)
    found: list[dict[str, Any]] = document["verdicts"]
    return found


def refused(capsys: Captured, path: Path) -> str:
    """What is said of a bundle that isn't analyzed."""
    capsys.readouterr()
    assert run(["analyze", "--json", str(path)]) == 3
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert "nothing of it is analyzed" in said.err
    return said.err


# --------------------------------------------------------------------------- what is in one


def test_what_is_in_a_bundle(whole: Path, capsys: Captured) -> None:
    files = members(whole)
    assert files.keys() == ALL
    document = json.loads(files[VERDICTS])
    SCHEMA.validate(document)
    assert document["verdicts"] == verdicts(capsys, DROPPED)
    assert files[PAGE].startswith(b"<!DOCTYPE html>")
    manifest = contents.parsed(files[MANIFEST])
    assert manifest is not None
    assert manifest.files.keys() == ALL - {MANIFEST, SUMS}
    assert manifest.versions.keys() >= {"netprobe", "python", "kernel", "jinja2"}
    assert (manifest.command, manifest.redacted, manifest.source) == ("analyze", False, "drop_r1.pcapng")
    assert b"SYN seq" in files[LOG]
    cited = {one["frame"] for one in document["verdicts"][0]["evidence"]}
    assert {int(n) for n in re.findall(rb"^\* +(\d+) ", files[LOG], re.MULTILINE)} == cited
    assert len(re.findall(rb"^[* ] +\d+ ", files[LOG], re.MULTILINE)) == len(list(CaptureReader(DROPPED)))


def test_a_bundle_gives_its_verdicts_again(whole: Path, capsys: Captured) -> None:
    assert verdicts(capsys, whole) == verdicts(capsys, DROPPED)
    assert run(["analyze", "-v", str(whole)]) == 1
    said = capsys.readouterr()
    fingerprint = re.findall("manifest ([0-9a-f]{64})", said.err)
    assert len(fingerprint) == 1
    assert "all 5 files are as netprobe" in said.err
    assert "the verdicts are those in it" in said.err
    assert "dropped" in said.out
    assert run(["analyze", "-q", str(whole)]) == 1
    assert capsys.readouterr().err == ""


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="needs coreutils")
def test_anybody_can_check_the_sums(whole: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(whole) as found:
        found.extractall(tmp_path)
    command = ["sha256sum", "--strict", "--quiet", "-c", SUMS]
    assert subprocess.run(command, cwd=tmp_path, check=False, capture_output=True).returncode == 0
    (tmp_path / PAGE).write_text("another", "utf-8")
    assert subprocess.run(command, cwd=tmp_path, check=False, capture_output=True).returncode == 1


@pytest.mark.skipif(shutil.which("capinfos") is None, reason="needs tshark")
def test_wireshark_shows_what_the_capture_says(tmp_path: Path) -> None:
    for options in ((), ("--redact",)):
        files = members(bundled(tmp_path / "x.zip", NAMED, *options))
        (tmp_path / CAPTURE).write_bytes(files[CAPTURE])

        def told(*words: str) -> str:
            return subprocess.run(words, cwd=tmp_path, check=True, capture_output=True, text=True).stdout

        about = told("capinfos", CAPTURE)
        assert re.search(r"Capture comment: +netprobe analyze: \d verdicts: ", about)
        assert re.search(r"Name = \w+", about)
        assert re.search(r"Number of stat entries = [1-9]", about)
        assert re.search(r"Number of resolved IPv4 addresses in file: [1-9]", about)
        hosts = told("tshark", "-r", CAPTURE, "-q", "-z", "hosts")
        assert ("two.lab.test" in hosts) is not bool(options)
        assert re.search(r"host-[0-9a-f]{8}\.example", hosts) or not options
        comments = told("tshark", "-n", "-r", CAPTURE, "-Y", "frame.comment", "-T", "fields", "-e", "frame.comment")
        assert "because: " in comments


def test_a_scan_of_this_machine(tmp_path: Path, capsys: Captured) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]  # nothing listens there
        for name, options in (("plain", []), ("redacted", ["--redact"])):
            path, saved = tmp_path / f"{name}.zip", tmp_path / f"{name}.pcapng"
            command = ["scan", "--connect", "--no-elsewhere", "--json", "-w", str(saved), "--bundle", str(path)]
            assert run([*command, *options, f"alice@localhost:{port}", "-4"]) == 1
            document = json.loads(capsys.readouterr().out)
            files = members(path)
            in_it = json.loads(files[VERDICTS])
            assert (in_it["command"], in_it["mode"]) == ("scan", "connect")
            assert [one["cause"] for one in in_it["verdicts"]] == [one["cause"] for one in document["verdicts"]]
            assert (files[CAPTURE] == saved.read_bytes()) is not bool(options)
            assert (b"alice" in files[CAPTURE]) is not bool(options)
            assert verdicts(capsys, path) == in_it["verdicts"]


def test_without_w_a_scan_leaves_nothing_else(tmp_path: Path, capsys: Captured) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        path = tmp_path / "x.zip"
        port = str(taken.getsockname()[1])
        assert run(["scan", "--connect", "--no-elsewhere", "-q", "--bundle", str(path), "-p", port, "127.0.0.1"]) == 1
    assert [one.name for one in tmp_path.iterdir()] == ["x.zip"]
    assert len(verdicts(capsys, path)) == 1


# --------------------------------------------------------------------------- redacted ones


def test_a_redacted_bundle_names_nobody(tmp_path: Path, capsys: Captured) -> None:
    path = bundled(tmp_path / "r.zip", NAMED, "--redact-key", a_key(tmp_path, 1))  # one that moves each address
    before = verdicts(capsys, NAMED)
    files = members(path)
    addresses = {one["address"] for one in before} | {one["client"]["address"] for one in before}
    text = b"".join(data for name, data in files.items() if name != PAGE) + files[PAGE]
    assert b"lab.test" not in text
    assert str(NAMED).encode() not in text
    alone = {one: rf"(?<![\w.:]){re.escape(one)}(?![\w.:])".encode() for one in addresses}
    assert not [one for one, pattern in alone.items() if re.search(pattern, files[VERDICTS])]
    after = verdicts(capsys, path)
    assert after == json.loads(files[VERDICTS])["verdicts"]
    assert [[one[key] for key in SAME] for one in after] == [[one[key] for key in SAME] for one in before]
    manifest = contents.parsed(files[MANIFEST])
    assert manifest is not None
    assert (manifest.redacted, manifest.differ, manifest.source) == (True, 0, None)
    assert b"Redacted" in files[README]


def test_a_key_maps_in_the_same_way(tmp_path: Path, capsys: Captured) -> None:
    found = [
        verdicts(capsys, bundled(tmp_path / f"{n}.zip", DROPPED, "--redact-key", a_key(tmp_path, key)))[0]["address"]
        for n, key in enumerate([1, 1, 2, 3])
    ]
    assert found[0] == found[1]
    assert len(set(found)) == 3
    assert all(one.startswith("203.0.113.") for one in found)


def test_a_bundle_can_be_redacted_afterwards(whole: Path, tmp_path: Path, capsys: Captured) -> None:
    path = bundled(tmp_path / "r.zip", whole, "--redact-key", a_key(tmp_path, 1))
    (found,) = verdicts(capsys, path)
    assert (found["cause"], found["address"] != "203.0.113.88") == ("dropped", True)


@pytest.mark.parametrize("options", [(), ("--redact",)])
def test_what_was_selected_is_selected_again(options: tuple[str, ...], tmp_path: Path, capsys: Captured) -> None:
    assert {one["address"] for one in verdicts(capsys, NAMED)} == {"203.0.113.10", "203.0.113.42"}
    chosen = ["--server", "203.0.113.0/27", "--port", "22", "--state", "closed,open,filtered,unknown"]
    path = bundled(tmp_path / "x.zip", NAMED, *chosen, *options)
    capsys.readouterr()
    assert run(["analyze", "--jsonl", str(path)]) in (0, 1)
    said = capsys.readouterr()
    assert "the verdicts are those in it" in said.err
    (found,) = (json.loads(line) for line in said.out.splitlines()[:-1])
    assert found["address"].startswith("203.0.113.")
    assert run(["analyze", "--jsonl", "--server", "0.0.0.0/0", str(path)]) in (0, 1)
    said = capsys.readouterr()
    assert len(said.out.splitlines()) == 3
    assert "1 verdicts are others than those in it" in said.err


# --------------------------------------------------------------------------- what was done to one


def changed(name: str, data: bytes) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    return lambda files: {**files, name: data}


def flipped(name: str) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    return lambda files: {**files, name: files[name][:-9] + bytes([files[name][-9] ^ 1]) + files[name][-8:]}


def without(name: str) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    return lambda files: {one: data for one, data in files.items() if one != name}


def with_sums(files: dict[str, bytes]) -> dict[str, bytes]:
    """The file of sums and the manifest made to fit a changed capture, but for one of them."""
    return {**files, SUMS: files[SUMS].replace(b"a", b"b")}


@pytest.mark.parametrize(
    ("deed", "told"),
    [
        (flipped(CAPTURE), "capture.pcapng was changed"),
        (flipped(VERDICTS), "verdicts.json was changed"),
        (flipped(PAGE), "report.html was changed"),
        (changed(LOG, b"nothing happened\n"), "probe.log was changed"),
        (changed(README, b""), "README.txt was changed"),
        (without(CAPTURE), "capture.pcapng is missing"),
        (without(LOG), "probe.log is missing"),
        (without(SUMS), "SHA256SUMS is missing"),
        (with_sums, "SHA256SUMS was changed"),
        (changed("evil.sh", b"rm -rf /"), "evil.sh was added"),
        (without(MANIFEST), "no manifest.json"),
        (changed(MANIFEST, b"{}"), "its manifest.json is none"),
        (changed(MANIFEST, b"[" * 100_000), "its manifest.json is none"),
        (changed(MANIFEST, b" " * (2 << 20)), "its manifest.json says it has"),
        (lambda files: {}, "no manifest.json"),
        (lambda files: changed("x", b"")(without(CAPTURE)(flipped(PAGE)(files))),
         "x was added; report.html was changed; capture.pcapng is missing"),
        (changed("../../etc/cron.d/x", b"x"), "'../../etc/cron.d/x'"),
        (changed("/etc/passwd", b"x"), "'/etc/passwd'"),
        (changed("a\\b", b"x"), "and no bundle has such names"),
        (changed("x\x1b[31m", b"x"), r"x\x1b[31m"),
        (changed("folder/", b""), "'folder/'"),
    ],
)  # fmt: skip
def test_what_was_done_is_told(
    deed: Callable[[dict[str, bytes]], dict[str, bytes]], told: str, whole: Path, tmp_path: Path, capsys: Captured
) -> None:
    said = refused(capsys, rebuilt(tmp_path / "b.zip", deed(members(whole))))
    assert told in said.replace("\\\\", "\\")
    assert "\x1b" not in said
    assert [one.name for one in tmp_path.iterdir()] == ["b.zip"]


def in_directory(data: bytes, name: str, offset: int, new: bytes) -> bytes:
    """The zip file with a field of a member's entry in the directory overwritten."""
    at = data.index(b"PK\x01\x02")
    while data[at + 46 : at + 46 + len(name)] != name.encode():
        at = data.index(b"PK\x01\x02", at + 4)
    return data[: at + offset] + new + data[at + offset + len(new) :]


def at_end(data: bytes, offset: int, new: bytes) -> bytes:
    at = data.rindex(b"PK\x05\x06") + offset
    return data[:at] + new + data[at + len(new) :]


@pytest.mark.parametrize(
    ("deed", "told"),
    [
        (lambda data: data[: len(data) // 2], "the end of the zip file is missing"),
        (lambda data: data[:-1], "the end of the zip file is missing"),
        (lambda data: in_directory(data, CAPTURE, 8, struct.pack("<H", 1)), "capture.pcapng is encrypted"),
        (lambda data: in_directory(data, CAPTURE, 10, struct.pack("<H", 14)), "packed by a method"),
        (lambda data: in_directory(data, CAPTURE, 24, struct.pack("<I", 99)), "capture.pcapng"),
        (lambda data: in_directory(data, CAPTURE, 24, struct.pack("<I", 0xFFFFFFF0)), "decompression bomb"),
        (lambda data: in_directory(data, CAPTURE, 38, struct.pack("<I", 0o120777 << 16)), "is no ordinary file"),
        (lambda data: in_directory(data, CAPTURE, 42, struct.pack("<I", 1 << 30)), "capture.pcapng"),
        (lambda data: in_directory(data, PAGE, 46, b"verdicts.jso"), "its directory can't be read"),
        (lambda data: at_end(data, 8, struct.pack("<HH", 60000, 60000)), "says that it has 60000 files"),
        (lambda data: at_end(data, 12, struct.pack("<I", 0x7FFFFFFF)), "its directory says that it has"),
        (lambda data: data.replace(b"PK\x01\x02", b"PK\x09\x09"), "its directory can't be read"),
    ],
)
def test_what_a_zip_file_may_lie_about(
    deed: Callable[[bytes], bytes], told: str, whole: Path, tmp_path: Path, capsys: Captured
) -> None:
    (tmp_path / "b.zip").write_bytes(deed(whole.read_bytes()))
    said = refused(capsys, tmp_path / "b.zip")
    assert told in said


def test_a_bomb_that_tells_its_size_is_no_bundle(whole: Path, tmp_path: Path, capsys: Captured) -> None:
    with zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in members(whole).items():
            if name != CAPTURE:
                made.writestr(name, data)
        with made.open(CAPTURE, "w") as member:
            for _ in range(archive.FREE >> 20):
                member.write(bytes(1 << 20))
            member.write(b"1")
    assert "a decompression bomb?" in refused(capsys, tmp_path / "b.zip")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_files_of_one_name(whole: Path, tmp_path: Path, capsys: Captured) -> None:
    path = Path(shutil.copy(whole, tmp_path / "b.zip"))
    with zipfile.ZipFile(path, "a") as made:
        made.writestr(CAPTURE, DROPPED.read_bytes())
    assert f"two files named {CAPTURE}" in refused(capsys, path)


def test_too_many_files(whole: Path, tmp_path: Path, capsys: Captured) -> None:
    more = {f"f{n}": b"" for n in range(archive.MOST_MEMBERS)}
    assert "files, and a bundle has at most 64" in refused(capsys, rebuilt(tmp_path / "b.zip", members(whole) | more))


def test_any_byte_may_be_flipped(whole: Path, tmp_path: Path, capsys: Captured) -> None:
    data, path = whole.read_bytes(), tmp_path / "b.zip"
    for at in range(0, len(data), max(len(data) // 50, 1)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :])
        capsys.readouterr()
        code = run(["analyze", "--json", str(path)])
        said = capsys.readouterr()
        assert "internal error" not in said.err
        assert code == 3 or json.loads(said.out)["verdicts"], f"byte {at}: {said.err}"


def test_a_run_that_does_not_end_leaves_no_bundle(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("netprobe.analyze.run", lambda *_: 1 / 0)
    path = tmp_path / "x.zip"
    assert run(["analyze", "--bundle", str(path), str(DROPPED)]) == 3
    monkeypatch.undo()
    assert zipfile.ZipFile(path).comment == b"netprobe: this run has not come to its end"
    assert "no manifest.json" in refused(capsys, path)


# --------------------------------------------------------------------------- options


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--redact", DROPPED], 2, "add --bundle FILE.zip"),
        (["--redact-key", "x", DROPPED], 2, "add --bundle FILE.zip"),
        (["--bundle", "-", DROPPED], 2, "a file of its own"),
        (["--bundle", "x.zip", DROPPED, NAMED], 2, "one capture, and 2 are given"),
        (["--bundle", "x.zip", "-"], 2, "standard input can't be"),
        (["--bundle", "x.zip", CAPTURES], 2, "save it to a file first"),
        (["--bundle", DROPPED, DROPPED], 2, "would overwrite what is to be read"),
        (["--bundle", "x.zip", "--redact", "--filter", "tcp", DROPPED], 2, "--redact maps addresses"),
        (["--bundle", "x.zip", "--client", DROPPED, "--server", NAMED], 2, "--bundle is about one capture"),
        (["--bundle", "x.zip", "--redact-key", "/none", DROPPED], 3, "can't be read"),
        (["--bundle", "x.zip", "--redact-key", "short", DROPPED], 2, "16 bytes or more"),
        (["--bundle", "/none/x.zip", DROPPED], 3, "can't be written"),
        (["--bundle", "/dev/full", DROPPED], 3, "can't be written"),
    ],
)
def test_what_can_not_be_meant(
    words: list[str | Path], code: int, told: str, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("short").write_text("123", "utf-8")
    before = DROPPED.read_bytes()
    assert run(["analyze", *map(str, words)]) == code
    said = capsys.readouterr()
    assert told in said.err
    assert said.out == ""
    assert DROPPED.read_bytes() == before


def test_a_configuration_may_redact_whatever_is_bundled(tmp_path: Path, capsys: Captured) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f'redact = true\nredact-key = "{a_key(tmp_path, 1)}"\n', "utf-8")
    assert run(["analyze", "-q", "--config", str(config), str(DROPPED)]) == 1
    path = bundled(tmp_path / "x.zip", DROPPED, "--config", str(config))
    assert b'"redacted": true' in members(path)[MANIFEST]
    assert run(["analyze", "-q", "--config", str(config), "--redact", str(DROPPED)]) == 2
    capsys.readouterr()


def test_a_bundle_is_analyzed_alone_and_never_overwritten(whole: Path, capsys: Captured) -> None:
    before = whole.read_bytes()
    assert run(["analyze", str(whole), str(DROPPED)]) == 2
    assert "analyze bundles one by one" in capsys.readouterr().err
    for option in ("--html", "--annotate", "--bundle"):
        assert run(["analyze", option, str(whole), str(whole)]) == 2
        assert "would overwrite what is to be read" in capsys.readouterr().err
    assert whole.read_bytes() == before


def test_a_bundle_and_a_doctor_exclude_each_other(tmp_path: Path, capsys: Captured) -> None:
    words = ["scan", "--connect", "--bundle", str(tmp_path / "x.zip"), "--doctor", "facts.json", "127.0.0.1"]
    assert run(words) == 2
    assert "--doctor adds" in capsys.readouterr().err


def test_the_command_line_wins_over_the_bundle(whole: Path) -> None:
    given = Settings(server=("10.0.0.1",), vantage="auto")
    recorded = Settings(server=("10.0.0.2",), port=("22",), vantage="server", tunnels=True)

    class Recorded:
        settings = recorded

    found: Any = Recorded()
    assert merged(given, found) == Settings(server=("10.0.0.1",), port=("22",), vantage="server", tunnels=True)


def test_other_verdicts_than_those_in_it_are_told(whole: Path, tmp_path: Path, capsys: Captured) -> None:
    """As of a bundle that another version made: the sums are right, the verdicts were others."""
    files = members(whole)
    files[VERDICTS] = files[VERDICTS].replace(b'"likely"', b'"certain"', 1)
    manifest = json.loads(files[MANIFEST])
    manifest["files"][VERDICTS] = {"sha256": contents_sum(files[VERDICTS]), "size": len(files[VERDICTS])}
    files[MANIFEST] = json.dumps(manifest).encode()
    digests = {name: one["sha256"] for name, one in manifest["files"].items()}
    files[SUMS] = contents.sums({**digests, MANIFEST: contents_sum(files[MANIFEST])}).encode()
    assert run(["analyze", str(rebuilt(tmp_path / "b.zip", files))]) == 1
    assert "1 verdicts are others than those in it" in capsys.readouterr().err


def contents_sum(data: bytes) -> str:
    import hashlib

    return hashlib.sha256(data).hexdigest()


# --------------------------------------------------------------------------- diff


def test_two_bundles_are_compared(whole: Path, tmp_path: Path, capsys: Captured) -> None:
    again = bundled(tmp_path / "again.zip")
    capsys.readouterr()
    assert run(["diff", "--json", str(whole), str(again)]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [document[side]["kind"] for side in ("old", "new")] == ["bundle", "bundle"]
    assert run(["diff", str(whole), str(DROPPED)]) == 0
    assert run(["diff", str(whole), str(bundled(tmp_path / "n.zip", NAMED))]) == 1
    capsys.readouterr()
    other = bundled(tmp_path / "r.zip", DROPPED, "--redact-key", a_key(tmp_path, 1))
    capsys.readouterr()
    assert run(["diff", str(whole), str(other)]) == 1
    assert "redacted with different keys" in capsys.readouterr().out
    files = members(whole)
    broken = rebuilt(tmp_path / "b.zip", flipped(VERDICTS)(files))
    capsys.readouterr()
    assert run(["diff", str(broken), str(whole)]) == 3
    assert "verdicts.json was changed" in capsys.readouterr().err
