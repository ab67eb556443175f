"""nmap's XML of attempts that come as templates and values (netprobe.report.rows): nearly all are only counted."""

from __future__ import annotations

import json
from collections.abc import Sequence

from netprobe.report import rows
from netprobe.report.nmap_xml import Finding, Hosts, came_to
from netprobe.report.zeek import Tally

# Combinations of template, port and answer that are remembered; more begin anew.
MOST = 100_000


class Rows:
    """A sink that gives `hosts` what is new, and counts the rest."""

    columns: Sequence[str] = ("server", "server_port")

    def __init__(self, hosts: Hosts) -> None:
        self._hosts = hosts
        self._templates: list[tuple[Sequence[str], Sequence[int]]] = []
        self._keys: list[tuple[int, ...]] = []  # of each template: the values that tell findings apart
        self._known: dict[tuple[str, ...], Finding] = {}

    def template(self, pieces: Sequence[str], gaps: Sequence[int]) -> int:
        """As rows.Sink."""
        v = json.loads(rows.marked(pieces, gaps), parse_float=str)
        apart = rows.places("\0".join(str(part) for part in (*came_to(v), v["address"], v["port"])))
        self._templates.append((tuple(pieces), tuple(gaps)))
        self._keys.append(tuple(dict.fromkeys(apart)))
        return len(self._templates) - 1

    def add(self, text: str) -> None:
        """As rows.Sink."""
        for row in text.splitlines():
            number, *values = row.split(" ")
            key = (number, *[values[n] for n in self._keys[int(number)]])
            finding = self._known.get(key)
            if finding is not None:
                finding.count += 1
                continue
            if len(self._known) >= MOST:
                self._known.clear()
            pieces, gaps = self._templates[int(number)]
            self._known[key] = self._hosts.add(rows.filled(pieces, gaps, values))

    def row(self, line: str, _: Tally | None) -> None:
        """As rows.Sink."""
        self._hosts.add(line)
