"""Text in columns of a terminal: wide characters, marks, writing from right to left, and words in UTF-8."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netprobe.model import Service
from netprobe.report.columns import Layout, columns, ljust, wrap
from netprobe.report.escape import escape
from netprobe.report.table import render
from netprobe.spoken import readable
from tests.samples import a_report, a_verdict, an_up_verdict

WIDE = "\u4e2d\u6587\u6b22\u8fce"  # eight columns
THAI = "\u0e01\u0e33\u0e25\u0e31\u0e07"  # five characters, of which one is a mark
HEBREW = "\u05e9\u05dc\u05d5\u05dd"
_SOME = [WIDE, THAI, "e\u0301", "\uff21", "ssh", "a.b:c", "\u3042" * 50, "x" * 50]
WORDS = st.lists(st.sampled_from(_SOME)).map(" ".join)


@pytest.mark.parametrize(
    ("text", "count"),
    [("", 0), ("ssh", 3), (WIDE, 8), (THAI, 4), ("e\u0301", 1), ("\u1112\u1161\u11ab", 2), ("\uff21", 2), ("é", 1)],
)
def test_columns(text: str, count: int) -> None:
    assert columns(text) == count
    assert columns(ljust(text, 12)) == 12


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (WIDE, WIDE),
        (THAI, THAI),
        (HEBREW, "\\u05e9\\u05dc\\u05d5\\u05dd"),
        ("22 \u0662\u0662", "22 \\u0662\\u0662"),  # Arabic digits: they turn what stands around them, too
        ("\u0301e", "\\u0301e"),  # it would be drawn onto our own text
        ("e" + "\u0301" * 5, "e\u0301\u0301\u0301\\u0301\\u0301"),
        ("\u2764\ufe0f", "\u2764\\ufe0f"),
    ],
)
def test_nothing_moves_what_stands_beside_it(text: str, shown: str) -> None:
    assert escape(text) == shown
    assert escape(shown) == shown


@given(WORDS, st.integers(8, 60))
def test_no_folded_line_is_too_wide_and_nothing_is_lost(text: str, width: int) -> None:
    lines = wrap(text, width, first="- ", rest="  ")
    assert all(columns(line) <= width for line in lines)
    assert "".join(line[2:] for line in lines).replace(" ", "") == text.replace(" ", "")


@given(st.text())
def test_a_layout_gives_the_text_back(text: str) -> None:
    text = escape(text)
    layout = Layout()
    hidden = layout.hide(text)
    assert len(hidden) >= columns(text)  # more only by a mark that nothing stands before
    assert layout.show(hidden) == text


def test_half_a_wide_character_leaves_a_blank() -> None:
    layout = Layout()
    assert layout.show(layout.hide(WIDE)[1:5]) == " \u6587 "


@pytest.mark.parametrize("width", [None, 40, 60, 80, 120])
def test_the_columns_of_a_table_stand_below_each_other(width: int | None) -> None:
    names = [WIDE * 3, THAI, "plain.example", HEBREW]
    report = a_report(*(a_verdict(target=name) for name in names), an_up_verdict())
    lines = render(report, width=width, verbosity=-1).splitlines()
    assert width == 40 or len({columns(line[: line.index("closed")]) for line in lines if "closed" in line}) == 1
    assert sum(line.count(WIDE[0]) for line in lines) == 3
    if width is not None and width >= 80:
        assert max(map(columns, lines)) <= width


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_diagnosis_with_wide_words_keeps_its_width(width: int) -> None:
    said = (WIDE * 20 + " " + THAI * 10).encode().decode("latin-1")
    verdict = a_verdict(service=Service(None, None, (said,)), because=(WIDE * 30,))
    text = render(a_report(verdict), width=width)
    assert max(map(columns, text.splitlines())) <= width
    assert WIDE in text


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (b"plain", "plain"),
        (WIDE.encode(), WIDE),
        (WIDE.encode()[:-1], WIDE[:-1] + "\xe8\xbf"),  # cut
        (b"caf\xe9", "caf\xe9"),
        (b"\xff\xfe\x00", "\xff\xfe\x00"),
    ],
)
def test_what_a_server_said_is_read_as_utf_8_where_it_is_that(octets: bytes, words: str) -> None:
    assert readable(octets.decode("latin-1")) == words
