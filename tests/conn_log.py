"""A reader of Zeek's TSV logs, written from the description of the format: separators from the header, `-` unset,
`(empty)` empty, escapes as \\xHH."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

Cell = str | list[str] | None


@dataclass(slots=True)
class Log:
    """A log: its rows by column, and the cells as they stand there."""

    rows: list[dict[str, Cell]] = field(default_factory=list)
    cells: list[list[str]] = field(default_factory=list)


def read(text: str) -> Log:
    """Parse a whole log; AssertionError where it isn't one."""
    lines = text.split("\n")
    assert lines.pop() == "", "the last line has an end"
    head = {name: value for name, _, value in (line[1:].partition("\t") for line in lines if line.startswith("#"))}
    assert lines[0] == "#separator \\x09"
    assert lines[-1].startswith("#close\t"), "the log was closed"
    assert re.fullmatch(r"\d{4}(-\d\d){5}", head["open"])
    assert re.fullmatch(r"\d{4}(-\d\d){5}", head["close"])
    fields, types = head["fields"].split("\t"), head["types"].split("\t")
    log = Log()
    for line in lines:
        if line.startswith("#"):
            continue
        cells = line.split("\t")
        assert len(cells) == len(fields) == len(types), line
        log.cells.append(cells)
        log.rows.append({name: _value(cell, kind) for name, kind, cell in zip(fields, types, cells, strict=True)})
    return log


def unescaped(cell: str) -> bytes:
    """The octets of a cell."""
    return re.sub(rb"\\x([0-9a-f]{2})", lambda found: bytes([int(found[1], 16)]), cell.encode("ascii"))


def _value(cell: str, kind: str) -> Cell:
    if cell == "-":
        return None
    if kind.startswith(("set[", "vector[")):
        return [] if cell == "(empty)" else [_text(one) for one in cell.split(",")]
    if cell == "(empty)":
        return ""
    if kind == "count":
        assert cell.isdigit()
    elif kind in ("time", "interval"):
        assert re.fullmatch(r"\d+\.\d{6}", cell)
    elif kind == "port":
        assert 0 <= int(cell) < 1 << 16
    return _text(cell)


def _text(cell: str) -> str:
    octets = unescaped(cell)
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return octets.decode("latin-1")
