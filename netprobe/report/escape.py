"""Hostile text made harmless: the one place where text from the network becomes text for a screen.

House rules of this file:
1. What comes out has no C0 or C1 control, no DEL, no bidi or other format character, no lone surrogate, no line end.
2. The escapes are readable and of fixed form: \\xHH below U+0100, \\uHHHH and \\UHHHHHHHH above.
3. Printable text comes out unchanged, so escaping twice is escaping once.
"""

from __future__ import annotations


def escape(text: str) -> str:
    """`text` with every character that isn't plainly printable shown as an escape.

    str.isprintable() is False exactly for Unicode's categories Cc, Cf, Cs, Co, Cn, Zl, Zp and the spaces other than
    U+0020: the ones that move a cursor, turn the direction of writing, hide, or look like a plain space.
    """
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _form(ord(character)) for character in text)


def _form(code: int) -> str:
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def excerpt(text: str, limit: int = 200) -> str:
    """The escaped beginning of `text`; what was left out is said in characters."""
    if len(text) <= limit:
        return escape(text)
    return f"{escape(text[:limit])}... ({len(text):,} characters)"
