"""What a client printed, read for what it is worth: which causes can be behind it, which can't, what tells them apart.

causes.py   every cause in a few words, and how far a client gets with each
texts.py    the table: what is printed, what it proves, its causes
lines.py    what each client really prints, and which row of the table that is
reading.py  a pasted output: its texts, how far the client came, where it wanted to go
telling.py  the page of it
"""

from __future__ import annotations

from netprobe.clients.causes import ABOUT
from netprobe.clients.reading import read
from netprobe.clients.telling import near, page
from netprobe.clients.texts import ROWS, TEXTS

__all__ = ["ABOUT", "ROWS", "TEXTS", "causes_of", "near", "page", "printed_for", "read"]


def causes_of(text: str) -> tuple[str, tuple[str, ...]] | None:
    """The client's text that is found in `text`, and its causes; None where it isn't known."""
    found = read(text).texts
    return (found[0].text, found[0].causes) if found else None


def printed_for(cause: str) -> tuple[str, ...]:
    """What clients print for a cause, the most telling first."""
    return tuple(row.text for row in ROWS if cause in row.causes)
