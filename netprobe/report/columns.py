"""How many columns of a terminal a text takes, and layouts that count columns instead of characters.

House rules of this file:
1. Text was escaped before: it has no private characters, so that these can stand for others during a layout.
2. Two columns are Unicode's East Asian Wide and Fullwidth (UAX #11), none are marks that are drawn onto the character
   before them (categories Mn, Me, and the vowels and finals of conjoining Hangul); all else is one.
"""

from __future__ import annotations

import re
import textwrap
import unicodedata

SECOND = "\ue000"  # stands in the second column of a wide character while a layout lasts
_FIRST_STAND_IN = 0xF0000  # planes 15 and 16 are private: 131,072 different characters of one layout
_LAST_STAND_IN = 0x10FFFD


def columns(text: str) -> int:
    """How many columns `text` takes."""
    if text.isascii():
        return len(text)
    return sum(_columns_of(character) for character in text)


def is_mark(character: str) -> bool:
    """Whether it is drawn onto the character before it."""
    code = ord(character)
    if 0x1160 <= code <= 0x11FF or 0xD7B0 <= code <= 0xD7FF:
        return True
    return code >= 0x300 and unicodedata.category(character) in ("Mn", "Me")


def _columns_of(character: str) -> int:
    if character < "\u0300":
        return 1
    if is_mark(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


class Layout:
    """Text in which each character takes one column, for code that counts characters (textwrap, tabulate, slices), and
    the way back. `hide` before the layout, `show` after it."""

    def __init__(self) -> None:
        self._stand_ins: dict[str, str] = {}
        self._hidden: dict[str, str] = {}

    def hide(self, text: str) -> str:
        """`text` with a stand-in for each character that takes another number of columns than one."""
        if text.isascii():
            return text
        found: list[str] = []
        for cluster in _clusters(text):
            wide = _columns_of(cluster[0]) == 2
            found.append((self._stand_in(cluster) if wide or len(cluster) > 1 else cluster) + SECOND * wide)
        return "".join(found)

    def show(self, text: str) -> str:
        """`text` as it was; of a wide character that the layout cut in two, blanks are left."""
        return _PRIVATE.sub(self._shown, text) if self._hidden else text

    def _stand_in(self, cluster: str) -> str:
        found = self._stand_ins.get(cluster)
        if found is None:
            found = chr(min(_FIRST_STAND_IN + len(self._stand_ins), _LAST_STAND_IN))
            self._stand_ins[cluster] = found
            self._hidden[found] = cluster
        return found

    def _shown(self, match: re.Match[str]) -> str:
        first, second = match.groups()
        if first is None:
            return " "
        cluster = self._hidden[first]
        return cluster if second or _columns_of(cluster[0]) != 2 else " "


_PRIVATE = re.compile(f"([\U000f0000-\U0010fffd])({SECOND})?|{SECOND}")


def _clusters(text: str) -> list[str]:
    """Characters, each with the marks that are drawn onto it."""
    found: list[str] = []
    for character in text:
        if found and is_mark(character):
            found[-1] += character
        else:
            found.append(character)
    return found


def ljust(text: str, width: int) -> str:
    """`text` with blanks behind it, as wide as `width` columns at least."""
    return text + " " * (width - columns(text))


def wrap(text: str, width: int, *, first: str = "", rest: str = "", whole_words: bool = False) -> list[str]:
    """textwrap.wrap in columns: at blanks, longer words anywhere unless `whole_words`. `first`, `rest`: what the first
    line and the others begin with."""

    def wrapped(text: str, room: int, first: str, rest: str) -> list[str]:
        return textwrap.wrap(
            text, room, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False,
            break_long_words=not whole_words,
        )  # fmt: skip

    if text.isascii() and first.isascii() and rest.isascii():
        return wrapped(text, width, first, rest)
    layout = Layout()
    hidden = layout.hide(text)
    # One column less, so that the half of a wide character that a line's end has cut off has room on that line.
    lines = wrapped(hidden, max(width - (SECOND in hidden), 1), layout.hide(first), layout.hide(rest))
    start = layout.hide(rest)
    for at in range(1, len(lines)):
        if lines[at].startswith(start + SECOND):
            lines[at - 1] += SECOND
            lines[at] = start + lines[at][len(start) + 1 :]
    return [layout.show(line) for line in lines if line != start or line == lines[0]]
