"""A second opinion: what netprobe decoded of the packets that verdicts rest on, held against what tshark did.

House rules of this file:
1. A difference is told, never resolved: no verdict changes.
2. Bounded: the first of each rule, so many frames in all; what was left out is counted.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from netprobe.attempts import address
from netprobe.report import Difference
from netprobe.tracker import columns as c
from netprobe.tracker.decode import decode
from netprobe.wire import tshark
from netprobe.wire.capture import CaptureReader

VERDICTS_OF_A_RULE = 200
MOST_FRAMES = 5000

_BASICS = (("ttl", c.D_TTL), ("tos", c.D_TOS))
_TCP = (
    *(("source_port", c.D_SPORT), ("destination_port", c.D_DPORT), ("seq", c.D_SEQ), ("ack", c.D_ACK)),
    *(("flags", c.D_FLAGS), ("window", c.D_WINDOW)),
)
_ICMP = (("icmp_type", c.D_TYPE), ("icmp_code", c.D_CODE))
_QUOTED = (
    *(("quoted_ttl", c.D_Q_TTL), ("quoted_tos", c.D_Q_TOS), ("quoted_source_port", c.D_Q_SPORT)),
    *(("quoted_destination_port", c.D_Q_DPORT), ("quoted_seq", c.D_Q_SEQ)),
)
_IP_TCP = 6


class Decisive:
    """The numbers of the frames that verdicts cite."""

    def __init__(self) -> None:
        self.numbers: set[int] = set()
        self.left_out = 0
        self._of_rule: Counter[str] = Counter()

    def wants(self, rule: str) -> bool:
        """Whether the frames of one more verdict by this rule are to be looked at."""
        self._of_rule[rule] += 1
        if self._of_rule[rule] <= VERDICTS_OF_A_RULE and len(self.numbers) < MOST_FRAMES:
            return True
        self.left_out += 1
        return False

    def take(self, line: str) -> None:
        """A verdict, as its JSON line."""
        self.numbers.update(int(cited["frame"]) for cited in json.loads(line)["evidence"])


def compare(
    path: Path, numbers: Iterable[int], read: tshark.Read | None, notice: tshark.Told, depth: int = 0
) -> tuple[int, list[Difference]]:
    """How many of these frames of a file (frame numbers as Wireshark counts) both decoded, and where they differ.
    `depth`: through how many tunnels netprobe looked. Raises what netprobe.wire.tshark does."""
    wanted = sorted(set(numbers))
    theirs = tshark.headers(path, wanted, read, notice)
    found: list[Difference] = []
    count = 0
    for number, ours in _decoded(path, wanted, depth):
        count += 1
        seen = theirs.get(number)
        if seen is None:
            found.append(Difference(str(path), number, "frame", "TCP or ICMP", "nothing"))
        else:
            found += differences(str(path), number, ours, seen)
    return count, found


def differences(path: str, number: int, ours: dict[str, Any], theirs: dict[str, Any]) -> Iterator[Difference]:
    """Field by field. What a quote is too short to hold is compared only where both have it."""
    for field, own in ours.items():
        other = theirs.get(field)
        if other is None and field.startswith("quoted_"):
            continue
        alike = own == other
        if not alike and field.endswith(("source", "destination")) and other is not None:
            alike = _same_address(own, other)
        if not alike:
            yield Difference(path, number, field, str(own), "nothing" if other is None else str(other))


def _same_address(own: str, other: str) -> bool:
    try:
        return ip_address(own) == ip_address(other)
    except ValueError:
        return False


def _decoded(path: Path, wanted: Sequence[int], depth: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """Those of the wanted frames that are TCP or ICMP errors, decoded as the tracker does it."""
    if not wanted:
        return
    reader = CaptureReader(path)
    row = [0] * c.DECODED
    for batch in reader.batches():
        if not batch.count or batch.numbers[batch.count - 1] < wanted[0]:
            continue
        for number in wanted[bisect_left(wanted, batch.numbers[0]) :]:
            if number > batch.numbers[batch.count - 1]:
                break
            i = bisect_left(batch.numbers, number, 0, batch.count)
            if i == batch.count or batch.numbers[i] != number:
                continue  # a fact, which no packet is
            decode(batch.buffer, batch.starts[i], batch.ends[i], batch.links[i], row, depth)
            fields = _fields(row)
            if fields:
                yield number, fields
        if batch.numbers[batch.count - 1] >= wanted[-1]:
            reader.close()
            return


def _fields(d: Sequence[int]) -> dict[str, Any]:
    """What was decoded, by the names that netprobe.wire.dissection has."""
    if d[c.D_PROTOCOL] not in (c.P_TCP, c.P_ICMP_ERROR):
        return {}
    version = d[c.D_VERSION]
    fields: dict[str, Any] = {
        "source": address(d[c.D_SRC : c.D_SRC + 4], version),
        "destination": address(d[c.D_DST : c.D_DST + 4], version),
        **{name: d[column] for name, column in _BASICS},
    }
    if d[c.D_PROTOCOL] == c.P_TCP:
        fields |= {name: d[column] for name, column in _TCP}
        fields["flags"] &= 0xFF
        return fields
    fields |= {name: d[column] for name, column in _ICMP}
    if d[c.D_Q_PROTOCOL] == _IP_TCP:
        fields["quoted_source"] = address(d[c.D_Q_SRC : c.D_Q_SRC + 4], version)
        fields["quoted_destination"] = address(d[c.D_Q_DST : c.D_Q_DST + 4], version)
        fields |= {name: d[column] for name, column in _QUOTED}
    return fields
