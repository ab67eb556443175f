"""Attempts of any number as compact text for the page: what like ones share is written once, their own numbers a row.

House rules of this file:
1. Lossless: a row's numbers put into its template give the JSON line of the verdict, byte for byte.
2. Memory and the page are bounded: MOST_ROWS attempts, MOST_TEXT characters of templates; what is left out is counted.
"""

from __future__ import annotations

import json
import re
from array import array
from collections import Counter
from collections.abc import Sequence
from typing import Any

# So many attempts are listed; the causes of the others are still counted.
MOST_ROWS = 200_000
# Characters of templates; attempts with ever new texts beyond are listed without them.
MOST_TEXT = 4_000_000
# A row's values begin with these, in every template.
FIXED = 4  # server's address and port, client's address and port
NOBODY = "-"

# Numbers and addresses, but none within a word: a rule's id is part of the template.
_TOKEN = re.compile(r"(?<![A-Za-z\d-])(?:\d[\d.]*\d|\d)")
_TOKEN_V6 = re.compile(
    r"(?<![A-Za-z\d-])(?:(?:[0-9a-f]{1,4}:|:)[0-9a-f:]*:[0-9a-f]{0,4}(?:\.[\d.]+)?|\d[\d.]*\d|\d)"
)
_HEAD = re.compile(
    r'\{"target": (?P<target>"(?:[^"\\]|\\.)*"), "address": (?P<address>null|"[^"\\]*"), "port": (?P<port>\d+), '
    r'"protocol": "[a-z]+", "client": (?:null|\{"address": "(?P<client>[^"\\]*)", "port": (?P<cport>\d+)\})'
)
_TIME = '"time": '
_ESSENTIAL = ("target", "address", "port", "protocol", "client", "state", "reason", "cause", "certainty", "rule")


class Attempts:
    """The verdicts of one run, packed. A sink of netprobe.report.rows."""

    columns: Sequence[str] = ("server", "server_port", "client", "client_port")  # FIXED of them

    def __init__(self) -> None:
        self.templates: list[dict[str, Any]] = []
        self.servers: dict[str, int] = {}
        self.clients: dict[str, int] = {}
        self.rows: list[str] = []
        self.kind_of = array("l")
        self.server_of = array("l")
        self.begun = array("d")  # seconds since the epoch, 0 where no packet shows it
        self.first: list[int] = []  # the first row of each template
        self.left_out = 0
        self._known: dict[str, int] = {}
        self._text = 0

    def template(self, pieces: Sequence[str], gaps: Sequence[int]) -> int:
        """A JSON line in pieces, and the numbers of the values that stand between them. Its number."""
        begun = next((gap for piece, gap in zip(pieces, gaps, strict=False) if piece.endswith(_TIME)), -1)
        text = "".join(pieces)
        head = {name: _word(text, name) for name in ("state", "cause", "certainty", "rule")}
        self.templates.append({"p": list(pieces), "g": list(gaps), "t": begun, **head})
        self.first.append(-1)
        self._text += len(text)
        return len(self.templates) - 1

    def add(self, text: str) -> None:
        """Rows, one a line: a template's number, then the values, all divided by one space."""
        servers, clients, templates = self.servers, self.clients, self.templates
        for row in text.splitlines():
            if len(self.rows) >= MOST_ROWS:
                self.left_out += 1
                continue
            number, server, port, client, rest = row.split(" ", 4)
            kind = int(number)
            place = servers.setdefault(f"{server} {port}", len(servers))
            whose = clients.setdefault(client, len(clients))
            begun = templates[kind]["t"]
            when = 0.0
            if begun >= FIXED:
                when = float(rest.split(" ", begun - FIXED + 2)[begun - FIXED + 1])
            if self.first[kind] < 0:
                self.first[kind] = len(self.rows)
            self.kind_of.append(kind)
            self.server_of.append(place)
            self.begun.append(when)
            self.rows.append(f"{kind} {place} {whose} {rest}")

    def row(self, line: str, _: object) -> None:
        """As rows.Sink."""
        self.line(line)

    def line(self, line: str) -> None:
        """One verdict as its JSON line."""
        line = line.rstrip("\n")
        head = _HEAD.match(line)
        assert head is not None, "a JSON line of a verdict begins so"
        address = head["address"] if head["address"] != "null" else head["target"]
        address = address[1:-1].replace(" ", "\\u0020") or NOBODY
        token = _TOKEN_V6 if ":" in address or "::" in line else _TOKEN
        shape = token.sub("\0", line)
        kind = self._known.get(shape)
        if kind is None:
            if self._text > MOST_TEXT:
                line = _thin(line)
                shape = token.sub("\0", line)
                kind = self._known.get(shape)
            if kind is None:
                pieces = shape.split("\0")
                kind = self.template(pieces, range(FIXED, FIXED + len(pieces) - 1))
                self._known[shape] = kind
        whole = (str(kind), address, head["port"], head["client"] or NOBODY, head["cport"] or "0", *token.findall(line))
        self.add(" ".join(whole))

    def verdict(self, row: int) -> dict[str, Any]:
        """The JSON of one row's verdict, its times as text."""
        kind, place, whose, rest = self.rows[row].split(" ", 3)
        server = list(self.servers)[int(place)].split(" ")
        values = [*server, list(self.clients)[int(whose)], *rest.split(" ")]
        template = self.templates[int(kind)]
        parts = [template["p"][0]]
        for gap, piece in zip(template["g"], template["p"][1:], strict=True):
            parts += (values[gap], piece)
        found: dict[str, Any] = json.loads("".join(parts), parse_float=str)
        return found

    def by_kind(self) -> Counter[int]:
        """How many rows each template has."""
        return Counter(self.kind_of)

    def cause(self, kind: int) -> str:
        """The cause that a template's verdicts have."""
        return str(self.templates[kind]["cause"])

    def data(self) -> dict[str, Any]:
        """What the page's script reads."""
        return {
            "templates": self.templates,
            "servers": list(self.servers),
            "clients": list(self.clients),
            "rows": "\n".join(self.rows),
            "left_out": self.left_out,
        }


def _word(text: str, name: str) -> str:
    """The value of a key of a verdict whose value is a word; the target, which is foreign text, stands before all."""
    head = _HEAD_OF_TEXT.match(text)
    at = text.index(f'"{name}": "', head.end() if head is not None else 0) + len(name) + 5
    return text[at : text.index('"', at)]


_HEAD_OF_TEXT = re.compile(r'\{"target": "(?:[^"\\]|\\.)*"')


def _thin(line: str) -> str:
    v = json.loads(line)
    return json.dumps({name: v[name] for name in _ESSENTIAL} | {"thin": True})
