"""Banners made to harm whoever shows them, through every command and every format that they can leave in.

House rules of this file:
1. The banners are octets on the wire of a capture; whatever netprobe makes of them is looked at as a whole.
2. Generated with a fixed seed: what failed once fails again.
"""

from __future__ import annotations

import csv
import json
import random
import re
import sys
import unicodedata
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest

import netprobe
from netprobe import analyze
from netprobe.cli import run
from netprobe.model import Endpoint, Verdict
from netprobe.options import AnalyzeOptions
from netprobe.report import ladder as picture
from netprobe.report import waiting
from netprobe.report.columns import columns
from netprobe.steps import ladder
from netprobe.wire.capture import CaptureReader
from tests import fake_scan
from tests.packets import LINKS, Segment
from tests.test_faults import saved_texts
from tests.wire.files import pcap_header, pcap_record

Captured = pytest.CaptureFixture[str]

# What went raw to the terminal through tshark -T fields, nc, tabulate and rich.
KNOWN = b"\x1b]0;owned\x07\x1b[31mred\x9b31m<script>alert(1)</script>=cmd|'/C calc'!A0[red][/nope]\xe2\x80\xaegnp.exe"
EVERY = bytes(range(256))
CRAFTED = (
    KNOWN,
    EVERY,
    "".join(map(chr, range(0x80, 0xA0))).encode(),  # C1 controls in UTF-8
    "\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c\ufeff\u200b\u00ad".encode(),
    "\u05e9\u05dc\u05d5\u05dd 22 \u0627\u0644 \u0662\u0662".encode(),
    ("\u0301" * 40 + "e" + "\u0301" * 40).encode(),
    "\u2028\u2029\u0085\u3000\u00a0\U000e0041\U000f0000\ud800".encode("utf-8", "surrogatepass"),
    b"\x1bP$q\x1b\\ \x1b^pm\x1b\\ \x1b_apc\x1b\\ \x1b[2J\x1b[6n\x1b]52;c;aGk=\x07\x1b]8;;http://x\x07",
    b"=HYPERLINK(1)", b"+1", b"-1", b"@SUM(1)", "\uff1d1".encode(), b"\t=1",
    b"-->]]><!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>&e;\x00\x0b\xff\xfe",
    b"</script><img src=x onerror=alert(1)>{{7*7}}{% x %}\"'`",
    b"\\x1b\\u202e%s%n{0}{}$(id)`id`;'\"\\",
    b"-\t(empty)\t#close\t\\x09,",
    b"\rnetprobe: up\x1b[K", b"\x08" * 60 + b"up", b"A" * 4000,
)  # fmt: skip


def banners() -> list[bytes]:
    """The crafted ones, then as many that chance made of their parts."""
    rng = random.Random(6)
    made = []
    for _ in range(len(CRAFTED)):
        parts = []
        for _ in range(rng.randrange(1, 12)):
            one = rng.choice(CRAFTED)
            at = rng.randrange(len(one))
            parts.append(one[at : at + rng.randrange(1, 30)])
        made.append(b"".join(parts))
    return [*CRAFTED, *made]


def frames(said: bytes, server: str, *, ident: bool) -> Iterator[bytes]:
    """A connection in which the server says this, in place of an identification or within one, and closes."""
    client, there = Endpoint("192.0.2.1", 40000), Endpoint(server, 22)
    data = (b"SSH-2.0-" if ident else b"") + said + b"\r\n"
    for source, target, flags, seq, ack, payload in (
        (client, there, "S", 100, 0, b""),
        (there, client, "SA", 500, 101, b""),
        (client, there, "A", 101, 501, b""),
        (there, client, "PA", 501, 101, data[:1400]),
        (client, there, "A", 101, 501 + len(data[:1400]), b""),
        (there, client, "FA", 501 + len(data[:1400]), 101, b""),
    ):
        ttl = 64 if source is client else 61
        yield Segment(src=source, dst=target, flags=flags, seq=seq, ack=ack, ttl=ttl, data=payload).packet()


def written(path: Path, *, shift: int = 0) -> Path:
    """A capture in which each banner has a server of its own, once plain and once as an identification."""
    found = banners()
    records = [
        packet
        for n in range(len(found))
        for ident in (False, True)
        for packet in frames(found[(n + shift) % len(found)], f"198.51.{100 + ident}.{n + 1}", ident=ident)
    ]
    path.write_bytes(
        pcap_header(link_type=LINKS["raw"])
        + b"".join(pcap_record(packet, seconds=n // 100, fraction=n % 100 * 1000) for n, packet in enumerate(records))
    )
    return path


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("hostile") / "hostile.pcap")


def harm(text: str) -> set[str]:
    """What of a text isn't fit for a screen: controls, format characters, what is written from right to left."""
    return {
        f"U+{ord(one):04X}"
        for one in text
        if one != "\n" and (not one.isprintable() or unicodedata.bidirectional(one) in ("R", "AL", "AN"))
    }


def assert_harmless(captured: Captured, *, kept: str = "", what: str = "") -> str:
    """Both streams; `kept`: what the format itself is made of; `what`: what was typed. Gives standard output."""
    out, err = captured.readouterr()
    for name, text in (("standard output", out), ("standard error", err)):
        found = harm(re.sub(f"[{kept}]", "", text) if kept else text)
        assert not found, f"{what!a}, {name}: {sorted(found)} in {text[:500]!a}"
    return out


@pytest.mark.parametrize("how", [[], ["-q"], ["-v"], ["-vv"], ["--all"], ["--server", "198.51.100.1", "-vv"],
                                 ["--server", "198.51.100.3", "-vv", "--color", "always"]], ids=" ".join)  # fmt: skip
def test_for_people(how: list[str], capture: Path, capsys: Captured) -> None:
    assert run(["analyze", *how, str(capture)]) == 1
    out, err = capsys.readouterr()
    assert not harm(re.sub(r"\x1b\[[0-9]+m", "", out) if "--color" in how else out)
    assert not harm(err)


@pytest.mark.parametrize(
    ("how", "kept"),
    [(["--json"], ""), (["--jsonl"], ""), (["--csv"], "\r"), (["-oX", "-"], ""), (["--zeek", "-"], "\t"),
     (["--html", "-"], "")],
    ids=lambda one: " ".join(one) if isinstance(one, list) else "",
)  # fmt: skip
def test_for_programs(how: list[str], kept: str, capture: Path, capsys: Captured) -> None:
    assert run(["analyze", *how, str(capture)]) == 1
    out = assert_harmless(capsys, kept=kept)
    assert out.isascii() or how[0] in ("--csv", "-oX", "--html")
    if how == ["--json"]:
        said = {v["service"]["identification"] for v in json.loads(out)["verdicts"]}
        assert "SSH-2.0-" + KNOWN.decode("latin-1") in said  # as it was
    if how == ["--csv"]:
        cells = [cell for row in csv.reader(StringIO(out, newline="")) for cell in row]
        assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\uff1d"))]


def test_comments_for_wireshark(capture: Path, tmp_path: Path, capsys: Captured) -> None:
    copy = tmp_path / "commented.pcapng"
    assert run(["analyze", "--annotate", str(copy), str(capture)]) == 1
    assert_harmless(capsys)
    texts = list(saved_texts(copy))
    assert len(texts) > len(banners())
    assert all(one.isprintable() for text in texts for one in text.split("\n"))


@pytest.mark.parametrize("how", [[], ["-vv"], ["--json"], ["--jsonl"]], ids=" ".join)
def test_replay(how: list[str], capture: Path, tmp_path: Path, capsys: Captured) -> None:
    servers = [f"198.51.{net}.{n + 1}:22" for net in (100, 101) for n in range(len(banners()))]
    expect = "".join(f'[[expect]]\nserver = "{server}"\ncause = "dropped"\n' for server in servers)
    (tmp_path / "hostile.pcap").write_bytes(capture.read_bytes())
    (tmp_path / "hostile.toml").write_text(f'about = "x"\norigin = "forged"\n{expect}', "utf-8")
    out = tmp_path / "junit.xml"
    assert run(["replay", *how, "--junit", str(out), str(tmp_path)]) == 1
    assert_harmless(capsys)
    assert not harm(out.read_text("utf-8"))


@pytest.mark.parametrize("how", [[], ["--json"], ["-q"]], ids=" ".join)
def test_diff(how: list[str], capture: Path, tmp_path: Path, capsys: Captured) -> None:
    other = written(tmp_path / "other.pcap", shift=1)
    assert run(["diff", *how, str(capture), str(other)]) == 1
    out = assert_harmless(capsys)
    assert "identification" in out or "-q" in how


@pytest.mark.parametrize("text", banners(), ids=range(len(banners())))
def test_what_somebody_typed_or_pasted(text: bytes, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "/nowhere")
    monkeypatch.setitem(sys.modules, "netprobe.scan", fake_scan)
    monkeypatch.setattr(netprobe, "scan", fake_scan, raising=False)
    word = text.replace(b"\0", b"").decode("utf-8", "surrogateescape")
    for line in (
        ["explain", word], ["scan", "--expect", word, "192.0.2.1"], ["analyze", "--cause", word, "x"], [word],
        ["analyze", f"/nowhere/{word}"], ["scan", f"--{word}"], ["replay", f"/nowhere/{word}"],
        ["scan", "-p", word, "192.0.2.1"], ["doctor", "--source", word],
        ["scan", f"--{word}=1", "192.0.2.1"], ["diff", f"/nowhere/{word}", "x"], ["analyze", "--color", word, "x"],
    ):  # fmt: skip
        run(line)
        assert_harmless(capsys, what=" ".join(line))


def verdicts(capture: Path) -> list[Verdict]:
    found: list[Verdict] = []
    analyze.run(AnalyzeOptions(files=(capture,)), found.append, lambda _: None)
    return found


@pytest.mark.parametrize("unicode", [False, True])
@pytest.mark.parametrize("width", [40, 80, 200])
def test_ladders_of_each(width: int, unicode: bool, capture: Path) -> None:
    records = list(CaptureReader(capture))
    told = 0
    for verdict in verdicts(capture):
        drawn = ladder(records, verdict)
        assert drawn is not None
        lines = picture.draw(drawn, width=width, unicode=unicode)
        assert not harm("\n".join(lines))
        assert max(map(columns, lines)) <= width
        told += 1
        text = waiting.line(verdict, 0, 0)
        assert not harm(text)
    assert told == 2 * len(banners())
