"""Which frames of a large capture a few verdicts are about, found by arrays: a file of a gigabyte is read once more in
about a second.

House rules of this file:
1. What isn't plain (tunnels, labels, IP options, extension headers) is found only where a verdict cites it; so a ladder
   made of this tells what it leaves out as a lower bound.
2. Memory is bounded: MOST_FRAMES for each verdict, and no more of the file is read than the verdicts need.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

from netprobe.model import Endpoint, Frame, Verdict
from netprobe.tracker import link
from netprobe.wire.batches import Batch

MOST_FRAMES = 2000
# So long after the last packet that a verdict cites, packets are still its own: as long as a SYN is waited for.
AFTER_NS = 75_000_000_000
# Bytes of a link's header before IP's.
_HEADERS = {
    link.ETHERNET: 14, link.RAW: 0, link.RAW_IPV4: 0, link.RAW_IPV6: 0, link.RAW_BSD: 0, link.RAW_OPENBSD: 0,
    link.NULL: 4, link.LOOP: 4, link.SLL: 16, link.SLL2: 20,
}  # fmt: skip
_VLAN = (0x8100, 0x88A8)


@dataclass(slots=True)
class Wanted:
    """One verdict, and what was found for it. `last`: a later frame, whose time tells how long was watched."""

    verdict: Verdict
    server: bytes
    client: bytes
    ports: tuple[int, int]  # server's, client's; 0 where there is no client
    cited: dict[int, int]  # frame to time
    frames: list[Frame] = field(default_factory=list)
    last: Frame | None = None
    left_out: bool = False
    absent: bool = False

    @property
    def until_ns(self) -> int:
        """Later packets don't matter."""
        return max(self.cited.values()) + AFTER_NS

    @property
    def found(self) -> bool:
        """Whether the file has what the verdict cites."""
        return not self.absent and not self.cited.keys() - {frame.number for frame in self.frames}

    def take(self, frame: Frame) -> None:
        """A frame with the right ports, or a cited one."""
        cited = frame.number in self.cited
        if cited and frame.number == min(self.cited) and frame.time_ns != self.cited[frame.number]:
            self.absent = True
        elif cited or (self.server in frame.data and self.client in frame.data):
            if cited or len(self.frames) < MOST_FRAMES:
                self.frames.append(frame)
            else:
                self.left_out = True


def wanted(verdict: Verdict) -> Wanted | None:
    """What to look for; None where nothing is cited."""
    if not verdict.evidence:
        return None
    client = verdict.client or Endpoint("", 0)
    return Wanted(
        verdict, _packed(verdict.address or ""), _packed(client.address), (verdict.port, client.port),
        {one.frame: one.time_ns for one in verdict.evidence},
    )  # fmt: skip


def sift(batches: Iterable[Batch], verdicts: Sequence[Wanted], most: int) -> None:
    """Look for all of them at once, in at most `most` bytes of frames."""
    import numpy as np

    told = sorted({number for one in verdicts for number in one.cited})
    numbers = np.array(told, dtype=np.int64)
    both = [port for one in verdicts if one.ports[1] for port in (one.ports, one.ports[::-1])]
    pairs = np.array(sorted({(a << 16) | b for a, b in both}), dtype=np.int64)
    begun = min(min(one.cited.values()) for one in verdicts)
    until = max(one.until_ns for one in verdicts)
    read = 0
    for batch in batches:
        if not batch.count:
            continue
        columns = (batch.times, batch.numbers, batch.starts, batch.ends)
        times, frames, starts, ends = (np.asarray(one[: batch.count], dtype=np.int64) for one in columns)
        earliest = int(times.min())
        if earliest > until and int(frames[0]) > told[-1]:
            break
        read += int((ends - starts).sum())
        if read > most:
            break
        if int(times.max()) >= begun or int(frames[-1]) >= told[0]:
            for i in _chosen(batch, numbers, pairs, frames):
                _give(batch.frame(i), verdicts)
        _pass(batch, verdicts, earliest)


def _give(frame: Frame, verdicts: Iterable[Wanted]) -> None:
    for one in verdicts:
        if frame.number in one.cited or frame.time_ns <= one.until_ns:
            one.take(frame)


def _pass(batch: Batch, verdicts: Iterable[Wanted], earliest: int) -> None:
    last: Frame | None = None
    for one in verdicts:
        if earliest <= one.until_ns:
            last = last or batch.frame(batch.count - 1)
            one.last = last


def _chosen(batch: Batch, numbers: Any, pairs: Any, frames: Any) -> Iterator[int]:
    """The frames of a batch that are cited, or have one of these pairs of ports."""
    import numpy as np

    hit = np.isin(frames, numbers)
    if len(pairs):
        hit |= np.isin(_ports(batch), pairs)
    yield from np.flatnonzero(hit).tolist()


def _ports(batch: Batch) -> Any:
    """Source and destination port of each frame as one number, those of the quoted packet for an ICMP error; -1 where
    the frame isn't plain."""
    import numpy as np

    count = batch.count
    starts, ends, links = (np.asarray(one[:count], dtype=np.int64) for one in (batch.starts, batch.ends, batch.links))
    base = int(starts.min())  # of merged files they aren't in order
    whole = np.frombuffer(bytes(memoryview(batch.buffer)[base : int(ends.max())]), dtype=np.uint8)
    starts, ends = starts - base, ends - base
    most = len(whole) - 1

    def octet(at: Any) -> Any:
        return whole[np.minimum(at, most)].astype(np.int64)

    def word(at: Any) -> Any:
        return octet(at) << 8 | octet(at + 1)

    header = np.full(count, -1, dtype=np.int64)
    for kind, length in _HEADERS.items():
        header[links == kind] = length
    plain = header >= 0
    at = starts + np.maximum(header, 0)
    for _ in range(2):
        tagged = (links == link.ETHERNET) & np.isin(word(at - 2), _VLAN)
        at = np.where(tagged, at + 4, at)
    version = octet(at) >> 4
    four = version == 4
    protocol = np.where(four, octet(at + 9), octet(at + 6))
    above = at + np.where(four, (octet(at) & 15) << 2, 40)
    error = (protocol == 1) & four | (protocol == 58) & ~four
    above += np.where(error, np.where(four, 28, 48), 0)
    plain &= (four | (version == 6)) & ((protocol == 6) | error) & (above + 4 <= ends)
    return np.where(plain, word(above) << 16 | word(above + 2), -1)


def _packed(address: str) -> bytes:
    try:
        return ip_address(address.partition("%")[0]).packed
    except ValueError:
        return b""
