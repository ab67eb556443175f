"""Hostile text made harmless: the one place where text from the network becomes text for a screen.

House rules of this file:
1. What comes out has no C0 or C1 control, no DEL, no bidi or other format character, no lone surrogate, no line end.
2. Nothing in it moves what stands beside it: letters and digits that are written from right to left are spelt out
   (a terminal that knows them turns the numbers and columns around them, too), and so are marks without a letter.
3. The escapes are readable and of fixed form: \\xHH below U+0100, \\uHHHH and \\UHHHHHHHH above.
4. Printable text comes out unchanged, so escaping twice is escaping once.
"""

from __future__ import annotations

import unicodedata

from netprobe.report.columns import is_mark

_LEFTWARDS = frozenset({"R", "AL", "AN"})  # Hebrew, Arabic and their like, Arabic digits (UAX #9)
_MARKS = 3  # on one character; more are no writing


def escape(text: str) -> str:
    """`text` with every character that isn't plainly printable shown as an escape.

    str.isprintable() is False exactly for Unicode's categories Cc, Cf, Cs, Co, Cn, Zl, Zp and the spaces other than
    U+0020: the ones that move a cursor, turn the direction of writing, hide, or look like a plain space.
    """
    if text.isascii():
        return text if text.isprintable() else "".join(c if c.isprintable() else _form(ord(c)) for c in text)
    found: list[str] = []
    marks = _MARKS  # nothing that a mark could be drawn onto
    for character in text:
        marks = marks + 1 if is_mark(character) else 0
        plain = character.isprintable() and marks <= _MARKS and not _moves(character)
        found.append(character if plain else _form(ord(character)))
    return "".join(found)


def _moves(character: str) -> bool:
    """Whether it is written from right to left, or changes how wide the character before it is (a variation
    selector)."""
    code = ord(character)
    if code < 0x590:
        return False
    selects = 0xFE00 <= code <= 0xFE0F or 0xE0100 <= code <= 0xE01EF
    return selects or unicodedata.bidirectional(character) in _LEFTWARDS


def _form(code: int) -> str:
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def excerpt(text: str, limit: int = 200) -> str:
    """The escaped beginning of `text`; what was left out is said in characters."""
    if len(text) <= limit:
        return escape(text)
    return f"{escape(text[:limit])}... ({len(text):,} characters)"
