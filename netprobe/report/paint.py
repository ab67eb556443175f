"""Colour and width of text for a terminal.

House rules of this file:
1. Colour comes last: text is escaped, measured and folded before.
"""

from __future__ import annotations

from collections.abc import Callable

from netprobe.report.columns import columns, wrap

_SGR = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "magenta": "35"}

Paint = Callable[[str, str], str]


def painted(name: str, text: str) -> str:
    """`text` in one of the colours of _SGR; as it is where `name` is empty."""
    if not name:
        return text
    return f"\x1b[{_SGR[name]}m{text}\x1b[0m"


def plain(_name: str, text: str) -> str:
    """`text` without colour."""
    return text


def fold(text: str, width: int | None) -> str:
    """A line in lines of at most `width`."""
    if width is None or columns(text) <= width:
        return text
    return "\n".join(wrap(text, width, rest="  "))
