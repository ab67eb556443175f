"""Ladders: what is read from packets, and how it is drawn."""

from __future__ import annotations

import io
import re
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest

from netprobe.analyze import analyze
from netprobe.cli.output import draws_unicode
from netprobe.examples import examples
from netprobe.ladder import Box, Gap, Kind, Ladder, Silence, Step
from netprobe.model import Citation, Endpoint, Frame, SettledFact, Verdict
from netprobe.options import AnalyzeOptions
from netprobe.report.ladder import WIDTH, draw, duration, more
from netprobe.rereading import ladder_of
from netprobe.steps import MOST, READ, ladder
from tests.ladder import Scene
from tests.ladder import ladder as play
from tests.packets import Segment
from tests.samples import HOSTILE, a_verdict
from tests.situations import SITUATIONS

CAPTURES = Path(__file__).parent.parent / "captures"
WIDTHS = (None, 40, 59, 60, 64, 80, 132)
BOX_DRAWING = set("─╌│┼┊")


def of(text: str) -> Ladder:
    """The ladder of what is played."""
    found = drawn_of(play(text))
    assert found is not None
    return found


def drawn_of(scene: Scene) -> Ladder | None:
    """The ladder of a scene, as a scan that settles at its end has it."""
    target = scene.target
    if scene.passive:
        return ladder(scene.records, scene.verdict())
    end = SettledFact(
        number=len(scene.records) + 1, time_ns=scene.until_ns, target=target.target, address=target.address,
        port=target.port,
    )  # fmt: skip
    records = [record for record in scene.records if record != target]
    return ladder([target, *records, end], scene.verdict())


# --------------------------------------------------------------------------- pictures

RESET_ON_PATH = SITUATIONS["reset_from_before_the_host_without_more"]


def test_silence_is_a_deadline() -> None:
    found = of("""
        0.00 > S port 40000 [mss,sack]
        0.35 > S port 40001 tos 0x48 [mss,sack]
        0.60 > S ttl 1 port 40002 tos 0x48 [mss,sack]
        0.61 < icmp 11/0 from 198.51.100.1 port 40002
        0.70 > echo id 7 seq 1
        0.71 < reply id 7 seq 1
        1.00 > S port 40000 [mss,sack]
        until 4.5
    """)
    steps = [row for row in found.rows if isinstance(row, Step) and not row.limited]
    assert [row.count for row in steps] == [2, 1]
    assert all(row.lost for row in steps)
    end = found.rows[-1]
    assert isinstance(end, Silence)
    assert end.until_ns - end.since_ns == 4_500_000_000
    assert draw(found)[-1].endswith(" no answer for 5 s                       :")


PICTURE = """
    target passive
    0.000 > S ttl 64 [mss]
    0.020 < SA ttl 60
    0.021 > A
    0.040 < PA ttl 60 "SSH-2.0-Example_1\\r\\n"
    0.041 > PA "SSH-2.0-Client\\r\\n"
    0.900 < R ttl 57
    0.910 < PA ttl 60 "more"
"""


PICTURED = """
* decides  client 192.0.2.1                 hop 8          server 203.0.113.5:22
*    0.000    |-- SYN ttl 64 -----------------+------------------------------>|
*    0.020    |<------------------------------+------------- SYN,ACK ttl 60 --|
     0.021    |-- ACK ttl 64 -----------------+------------------------------>|
*    0.040    |<--------------------------- data "SSH-2.0-Example_1" ttl 60 --|
     0.041    |-- data "SSH-2.0-Client" ------+------------------------------>|
*    0.900    |<------- RST ttl 57 tos 0x00 --|                               |
     0.910    |<------------------------------+---------------- data "more" --|
"""

IN_UNICODE = """
* decides  client 192.0.2.1                 hop 8          server 203.0.113.5:22
*    0.000    │── SYN ttl 64 ─────────────────┼──────────────────────────────>│
*    0.020    │<──────────────────────────────┼───────────── SYN,ACK ttl 60 ──│
     0.021    │── ACK ttl 64 ─────────────────┼──────────────────────────────>│
*    0.040    │<─────────────────────────── data "SSH-2.0-Example_1" ttl 60 ──│
     0.041    │── data "SSH-2.0-Client" ──────┼──────────────────────────────>│
*    0.900    │<─────── RST ttl 57 tos 0x00 ──│                               │
     0.910    │<──────────────────────────────┼──────────────── data "more" ──│
"""

LISTED = """
*  0.000 -> SYN ttl 64
*  0.020 <- SYN,ACK ttl 60
   0.021 -> ACK ttl 64
*  0.040 <- data "SSH-2.0-Example_1" ttl 60
   0.041 -> data "SSH-2.0-Client"
*  0.900 <- RST ttl 57 tos 0x00
   0.910 <- data "more"
"""


@pytest.mark.parametrize(
    ("how", "lines"),
    [
        ({}, PICTURED),
        ({"unicode": True}, IN_UNICODE),
        ({"width": 50}, LISTED),
        ({"width": 50, "unicode": True}, LISTED),
    ],
)
def test_a_picture(how: dict[str, int], lines: str) -> None:
    assert "\n".join(draw(of(PICTURE), **how)) == lines.strip("\n")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", SITUATIONS)
def test_every_situation_can_be_drawn(name: str) -> None:
    scene = play(SITUATIONS[name])
    verdict = scene.verdict()
    found = drawn_of(scene)
    if found is None:  # what only the resolver or an errno tells
        assert not any(isinstance(one, Frame) for one in scene.records) or verdict.client is None
        return
    must = sum(not isinstance(row, Gap) and row.decisive for row in found.rows)
    gaps = sum(isinstance(row, Gap) for row in found.rows)
    silences = sum(isinstance(row, Silence) for row in found.rows)
    assert len(found.rows) <= max(MOST, must) + gaps + silences
    numbers = {record.number for record in scene.records}
    assert all(row.frame in numbers for row in found.rows if isinstance(row, Step))
    for row in found.rows:
        if isinstance(row, Step):
            assert 0 <= row.start < found.columns
            assert 0 <= row.end < found.columns
    for width in WIDTHS:
        for unicode in (False, True):
            lines = draw(found, width=width, unicode=unicode)
            assert lines
            assert max(map(len, lines)) <= (width or WIDTH)
            assert set("".join(lines)) <= {chr(n) for n in range(32, 127)} | (BOX_DRAWING if unicode else set())


@pytest.mark.parametrize("name", SITUATIONS)
def test_what_a_verdict_cites_of_its_own_attempt_is_marked(name: str) -> None:
    scene = play(SITUATIONS[name])
    verdict = scene.verdict()
    found = drawn_of(scene)
    cited = {one.frame for one in verdict.evidence} & {r.number for r in scene.records if isinstance(r, Frame)}
    if found is not None and cited:
        assert any(isinstance(row, Step) and row.decisive for row in found.rows), "no decisive packet is shown"
        assert any(line.startswith("*") for line in draw(found)[1:])


@pytest.mark.parametrize("name", SITUATIONS)
def test_the_deadline_is_that_of_the_reasons(name: str) -> None:
    scene = play(SITUATIONS[name])
    verdict = scene.verdict()
    told = re.search(r"\bin (\d+) s\b", verdict.because[0]) if verdict.because else None
    found = drawn_of(scene)
    if told is None or found is None or verdict.reason != "no-response":
        return
    (end,) = (row for row in found.rows if isinstance(row, Silence))
    assert abs((end.until_ns - end.since_ns) / 1e9 - int(told[1])) <= 1


def test_a_box_on_the_path_stands_where_its_packets_come_from() -> None:
    found = of(RESET_ON_PATH)
    ttls = {row.ttl for row in found.rows if isinstance(row, Step) and "RST" in row.what and row.decisive}
    resets = [row for row in found.rows if isinstance(row, Step) and "RST" in row.what and row.inbound and row.own]
    resets = [row for row in resets if row.ttl in ttls]  # also those that the verdict doesn't cite
    assert found.boxes
    assert resets
    assert all(row.start == 1 and row.end == 0 for row in resets)
    lines = draw(found, unicode=True)
    (row,) = [line for line in lines if "RST" in line][:1]
    assert row.rstrip().endswith("│")
    assert row.index("<") < row.index("RST") < len(row) - 10


@pytest.mark.parametrize("link", ["direction unknown", ""])
def test_a_machine_that_asks_itself_asks_from_the_left(link: str) -> None:
    """One address on both sides, and the loopback interface doesn't tell which way a packet goes."""
    found = of(f"client 203.0.113.5\n{link}\n{SITUATIONS['netfilter_on_the_host']}")
    rows = [row for row in found.rows if isinstance(row, Step) and row.kind is Kind.SEGMENT]
    assert {(row.inbound, row.server_port in (22, 35000)) for row in rows if row.what == "SYN"} == {(False, True)}
    assert {(row.inbound, row.server_port in (22, 35000)) for row in rows if row.what == "RST,ACK"} == {(True, True)}
    assert any(row.server_port == 35000 for row in rows)


def test_without_privilege_the_kernels_word_is_drawn() -> None:
    found = of("""
        target any kernel
        0.00 fact started port 40000
        0.01 fact icmp 3/13 from 198.51.100.2 EHOSTUNREACH
        0.02 fact failed EHOSTUNREACH
    """)
    assert [(row.what, row.crosses or row.kind is Kind.ICMP) for row in found.rows if isinstance(row, Step)] == [
        ("connect()", True),
        ("admin-prohibited", True),
        ("failed: EHOSTUNREACH", False),
    ]
    assert found.boxes == (Box("198.51.100.2", 1),)


def test_repetitions_are_merged_and_the_rest_is_counted() -> None:
    lines = ["0.000 > S [mss]", "0.010 < SA ttl 60", "0.011 > A"]
    lines += [f'{1 + n / 100:.2f} < PA ttl 60 "line {n}\\n"' for n in range(100)]
    found = of("target passive\n" + "\n".join(lines))
    assert len(found.rows) <= MOST + 2
    assert sum(row.count for row in found.rows if not isinstance(row, Silence)) == 103
    assert any(isinstance(row, Gap) and row.count > 50 for row in found.rows)
    repeated = of("target passive\n" + "\n".join(f"{n} > S [mss]" for n in range(50)) + "\nuntil 60")
    (step, silence) = repeated.rows
    assert isinstance(step, Step)
    assert isinstance(silence, Silence)
    assert step.count == 50
    assert "(50 times, to 49.000)" in draw(repeated)[1]


def test_a_long_conversation_is_not_read_to_its_end() -> None:
    packet = Segment(src=Endpoint("192.0.2.1", 40000), dst=Endpoint("203.0.113.5", 22), flags="PA", data=b"x").packet()
    frames = [Frame(n + 1, n * 10**9, 101, packet, len(packet)) for n in range(3 * READ)]
    verdict = a_verdict(client=Endpoint("192.0.2.1", 40000), evidence=(Citation(3 * READ, 0, ""),))
    found = ladder(iter(frames), verdict)
    assert found is not None
    first, last = found.rows
    assert isinstance(first, Step)
    assert isinstance(last, Step | Silence)
    assert first.count == READ + 1
    assert first.last_ns == frames[-1].time_ns
    assert more(Gap(READ, at_least=True)) == "... at least 2,000 more packets"


def test_other_connections_of_a_stranger_are_not_shown() -> None:
    found = of("""
        target passive
        0.00 > S [mss]
        0.01 < RA ttl 62
        0.50 > S port 41000 [mss]
        0.51 < SA port 41000 ttl 62
    """)
    assert {row.client_port for row in found.rows if isinstance(row, Step)} == {40000}


# --------------------------------------------------------------------------- what it is drawn with


def a_step(**changes: object) -> Step:
    fields = {
        "frame": 1, "time_ns": 0, "kind": Kind.SEGMENT, "inbound": False, "what": "SYN", "sender": "192.0.2.1",
        "client_port": 40000, "server_port": 22, "ttl": 64, "tos": 0, "start": 0, "end": 1,
    }
    return Step(**(fields | changes))  # type: ignore[arg-type]


def a_ladder(*rows: Step | Silence | Gap, boxes: tuple[Box, ...] = (), **changes: str) -> Ladder:
    ends = {"client": "192.0.2.1", "server": "203.0.113.5"} | changes
    return Ladder(ends["client"], ends["server"], 22, boxes, rows, 0)


def test_hostile_text_is_harmless_and_keeps_its_line() -> None:
    said = a_step(inbound=True, what="PSH,ACK", length=500, says=HOSTILE * 3, start=1, end=0, decisive=True)
    box = Box(HOSTILE, 3)
    for one in (a_ladder(said), a_ladder(said, boxes=(box,)), a_ladder(said, client=HOSTILE, server=HOSTILE)):
        for width in WIDTHS:
            for unicode in (False, True):
                lines = draw(one, width=width, unicode=unicode)
                assert all(unicodedata.category(c) not in {"Cc", "Cf", "Cs"} for line in lines for c in line)
                assert max(map(len, lines)) <= (width or WIDTH)


@pytest.mark.parametrize("address", ["203.0.113.5", "2001:db8:1234:5678:9abc:def0:1234:5678"])
@pytest.mark.parametrize("boxes", [0, 1, 2])
def test_all_names_are_whole(address: str, boxes: int) -> None:
    stand = tuple(Box(address.replace("5", str(5 + n), 1), n) for n in range(1, boxes + 1))
    found = a_ladder(a_step(end=boxes + 1), boxes=stand, client=address, server=address)
    head = "\n".join(draw(found)[:-1])
    assert head.count(f"client {address}") == 1
    assert f"server {f'[{address}]' if ':' in address else address}:22" in head
    assert all(f"hop {box.hop}, {box.address}" in head for box in stand)


def test_a_long_label_finds_room_or_is_cut() -> None:
    words = "host-precedence-violation-and-more-words-than-fit-anywhere-at-all"
    long = a_step(kind=Kind.ICMP, inbound=True, what=words, sender="198.51.100.1", start=1, end=0)
    (line,) = draw(a_ladder(long, boxes=(Box("198.51.100.1", 1), Box("198.51.100.2", 2))))[-1:]
    assert len(line) <= WIDTH
    assert "..." in line


@pytest.mark.parametrize(
    ("nanoseconds", "said"),
    [(0, "0.0 s"), (1_940_000_000, "1.9 s"), (4_400_000_000, "4 s"), (4_600_000_000, "5 s"), (300 * 10**9, "300 s")],
)
def test_durations(nanoseconds: int, said: str) -> None:
    assert duration(nanoseconds) == said


class _Stream(io.StringIO):
    def __init__(self, *, terminal: bool, encoding: str) -> None:
        super().__init__()
        self._terminal = terminal
        self._encoding = encoding

    def isatty(self) -> bool:
        return self._terminal

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding


@pytest.mark.parametrize(
    ("terminal", "encoding", "environment", "unicode"),
    [
        (True, "utf-8", {"TERM": "xterm", "LANG": "en_US.UTF-8"}, True),
        (True, "utf-8", {"TERM": "xterm", "LANG": "de_DE.utf8"}, True),
        (True, "utf-8", {"TERM": "xterm", "LANG": "C.UTF-8"}, True),
        (False, "utf-8", {"TERM": "xterm", "LANG": "en_US.UTF-8"}, False),
        (True, "utf-8", {"TERM": "dumb", "LANG": "en_US.UTF-8"}, False),
        (True, "utf-8", {"LANG": "en_US.UTF-8"}, False),
        (True, "utf-8", {"TERM": "xterm", "LANG": "C"}, False),
        (True, "utf-8", {"TERM": "xterm"}, False),
        # Python itself sets LC_CTYPE where the locale is C (PEP 538)
        (True, "utf-8", {"TERM": "xterm", "LANG": "C", "LC_CTYPE": "C.UTF-8"}, False),
        (True, "utf-8", {"TERM": "xterm", "LC_CTYPE": "C.UTF-8"}, False),
        (True, "utf-8", {"TERM": "xterm", "LANG": "en_US.UTF-8", "LC_CTYPE": "C.UTF-8"}, True),
        (True, "utf-8", {"TERM": "xterm", "LANG": "en_US.UTF-8", "LC_ALL": "C"}, False),
        (True, "utf-8", {"TERM": "xterm", "LANG": "C", "LC_ALL": "en_US.UTF-8"}, True),
        (True, "iso-8859-1", {"TERM": "xterm", "LANG": "de_DE"}, False),
        (True, "ascii", {"TERM": "xterm", "LANG": "en_US.UTF-8"}, False),
    ],
)
def test_where_lines_are_drawn_in_unicode(
    terminal: bool, encoding: str, environment: dict[str, str], unicode: bool
) -> None:
    assert draws_unicode(_Stream(terminal=terminal, encoding=encoding), environment) is unicode


@pytest.mark.parametrize("rule", sorted(examples()))
def test_the_examples_fit_their_pages(rule: str) -> None:
    one = examples()[rule]
    if one.ladder is not None:
        assert len(one.ladder.rows) <= 24
        assert max(map(len, draw(one.ladder, width=76))) <= 76


# --------------------------------------------------------------------------- read again


def verdict_of(name: str) -> tuple[Path, Verdict]:
    path = CAPTURES / f"{name}.pcapng"
    return path, analyze(path, AnalyzeOptions(files=(path,)), lambda _: None).verdicts[0]


def test_a_capture_is_read_again_for_its_ladder(tmp_path: Path) -> None:
    path, verdict = verdict_of("reset_host")
    other, _ = verdict_of("drop_host")
    found = ladder_of([path])(verdict)
    assert found is not None
    assert ladder_of([other, path])(verdict) == found
    assert ladder_of([path], together=True)(verdict) == found
    # What is not there, is a pipe, or is another capture by now has none.
    assert ladder_of([other])(verdict) is None
    assert ladder_of([tmp_path / "gone.pcapng"])(verdict) is None
    assert ladder_of([Path("/dev/stdin")])(verdict) is None
    (tmp_path / "broken.pcapng").write_bytes(b"no capture")
    assert ladder_of([tmp_path / "broken.pcapng"])(verdict) is None
    assert ladder_of([path])(replace(verdict, evidence=())) is None
