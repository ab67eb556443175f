"""Verdicts by the hundred thousand: like ones share a template, and of each only its own values come.

A format that wants verdicts so is a `Sink`. Its template is made of a JSON line in which a marker stands in place of
each value: what the format writes of that line has the markers in the places where the values belong.

House rules of this file:
1. Whatever a format does to text leaves a marker as it is: markers are digits only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from netprobe.report.zeek import Tally

_FIRST = 731_000_000_000_000_000
_MARKER = re.compile(r"731(\d{15})")
_TIME = '"time": '


class Sink(Protocol):
    """Whoever takes attempts as templates and values.

    `columns`: what stands first among each row's values, in the words of netprobe.packing.
    """

    columns: Sequence[str]

    def template(self, pieces: Sequence[str], gaps: Sequence[int]) -> int:
        """A JSON line in pieces, and the number of the value that stands between each two. The template's number."""

    def add(self, rows: str) -> None:
        """Rows, one a line: a template's number, then the values, all divided by one space."""

    def row(self, line: str, tally: Tally | None) -> None:
        """A verdict that has no template, as its JSON line."""


def marked(pieces: Sequence[str], gaps: Sequence[int]) -> str:
    """The JSON line with a marker for each value; times, which have a decimal point, become texts."""
    told = [pieces[0]]
    for gap, piece in zip(gaps, pieces[1:], strict=True):
        marker = marker_of(gap)
        told += (f'"{marker}"' if told[-1].endswith(_TIME) else marker, piece)
    return "".join(told)


def filled(pieces: Sequence[str], gaps: Sequence[int], values: Sequence[str]) -> str:
    """The JSON line itself."""
    told = [pieces[0]]
    for gap, piece in zip(gaps, pieces[1:], strict=True):
        told += (values[gap], piece)
    return "".join(told)


def marker_of(value: int) -> str:
    """What stands for a value."""
    return str(_FIRST + value)


def value_of(marker: object) -> int:
    """The number of the value that a marker stands for."""
    return int(str(marker)) - _FIRST


def places(text: str) -> list[int]:
    """The numbers of the values in a text that has markers."""
    return [int(found[1]) for found in _MARKER.finditer(text)]


def formatted(text: str) -> str:
    """A text with markers as a format string: `formatted(text).format(*values)`."""
    plain = text.replace("{", "{{").replace("}", "}}")
    return _MARKER.sub(lambda found: f"{{{int(found[1])}}}", plain)
