"""A ladder with two columns: one conversation as the client's capture and as the server's saw it.

0.000 > S [mss] | 0.020          a segment of the client, and when the server's capture saw it (by its own clock)
1.000 > S [mss] | -              it never came there; `- > R | 0.5` never left
0.041 < SA | 0.021               a segment of the server: 0.021 is when it left
0.000 > S | 0.02 tos 0 [sack]    what the server's column has otherwise: ttl, tos, win, id, and the options
clock 3600                       the server's clock is ahead by so many seconds
nat client 198.51.100.9 61000    as whom the server sees the client's port 40000; `nat server 192.0.2.77 2222`
numbers there 5000               a firewall adds this to the client's numbers; `numbers back` to the server's
server ..., client ..., link ... as in tests/ladder.py, for both
drops 5 | drops - 5              packets that the client's (the server's) capture itself dropped
expect NP701 certain path        words of the verdict of the attempt from port 40000; also the side
"""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from netprobe import analyze_pair
from netprobe.model import Endpoint, Frame, Verdict
from netprobe.options import AnalyzeOptions
from netprobe.report import Report
from tests.ladder import TOKEN, Ladder, at, fields_of, words_of
from tests.packets import Segment, framed


@dataclass(slots=True)
class PairScene:
    """Both captures as pcap files, and what is expected."""

    client: bytes
    server: bytes
    expected: tuple[str, ...]

    def report(self) -> Report:
        """Both compared."""
        return compare(self.client, self.server)

    def verdict(self) -> Verdict:
        """Of the attempt from port 40000, which lines mean that name no other."""
        return next(one for one in self.report().verdicts if one.client is not None and one.client.port == 40000)


class _Numbering(Ladder):
    """A ladder that remembers the segment it wrote last."""

    last: Segment | None = None

    def forget(self) -> None:
        """No segment was written yet."""
        self.last = None

    def _segment(
        self, out: bool, flags: str, f: dict[str, str], options: Sequence[str], data: bytes, ttl: int, tos: int
    ) -> Segment:
        self.last = super()._segment(out, flags, f, options, data, ttl, tos)
        return self.last


@dataclass(slots=True)
class PairLadder:
    """The reader of a ladder with two columns."""

    ladder: _Numbering = field(default_factory=_Numbering)
    client: list[Frame] = field(default_factory=list)
    server: list[Frame] = field(default_factory=list)
    clock: float = 0.0
    drops: tuple[int, int] = (0, 0)
    nat: dict[str, Endpoint] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=lambda: {"there": 0, "back": 0})
    expected: list[str] = field(default_factory=list)

    def read(self, text: str) -> PairScene:
        """The whole ladder."""
        for line in text.splitlines():
            tokens = TOKEN.findall(line.partition(" #")[0])
            if tokens:
                self._line(tokens)
        return PairScene(
            pcapng(self.client, self.drops[0]),
            pcapng(self.server, self.drops[1]),
            tuple(self.expected),
        )

    def _line(self, tokens: list[str]) -> None:
        match tokens:
            case ["clock", seconds]:
                self.clock = float(seconds)
            case ["drops", "-", count]:
                self.drops = (0, int(count))
            case ["drops", count]:
                self.drops = (int(count), 0)
            case ["nat", ("client" | "server") as who, address, port]:
                self.nat[who] = Endpoint(address, int(port))
            case ["numbers", ("there" | "back") as way, shift]:
                self.numbers[way] = int(shift)
            case ["expect", *words]:
                self.expected += words
            case [("server" | "client" | "link"), *_]:
                self.ladder._line(tokens)
            case [left, (">" | "<") as arrow, *rest]:
                bar = rest.index("|")
                self._packet(left, arrow, rest[:bar], rest[bar + 1], rest[bar + 2 :])
            case _:
                raise ValueError(f"not a line of a ladder with two columns: {' '.join(tokens)}")

    def _packet(self, left: str, arrow: str, what: list[str], right: str, changed: list[str]) -> None:
        out = arrow == ">"
        self.ladder.forget()
        words = what if "ttl" in what else [*what, "ttl", "64" if out else "62"]
        frame = self._frame(left, arrow, words)
        segment = self.ladder.last
        if left != "-":
            self.client.append(frame)
        if right == "-":
            return
        if segment is None:  # an ICMP message: only its TTL is another
            frame = self._frame(right, arrow, [*what, "ttl", "62" if out else "64"])
        else:
            packet = self._as_server(segment, out, changed).packet()
            whole = framed(self.ladder.link, packet)
            frame = replace(frame, data=whole, length=len(whole))
        moment = at(float(right) + self.clock)
        self.server.append(replace(frame, time_ns=moment, outgoing=not out))

    def _frame(self, when: str, arrow: str, words: list[str]) -> Frame:
        self.ladder._line(["0" if when == "-" else when, arrow, *words])
        frame = self.ladder.records.pop()
        assert isinstance(frame, Frame)
        return frame

    def _as_server(self, segment: Segment, out: bool, changed: list[str]) -> Segment:
        """The segment in the server's column: its addresses, numbers, and what the line says of it."""
        f, options, _ = fields_of(changed)
        seq, ack = ("there", "back") if out else ("back", "there")
        client, server = (segment.src, segment.dst) if out else (segment.dst, segment.src)
        if "client" in self.nat:
            client = Endpoint(self.nat["client"].address, self.nat["client"].port + client.port - 40000)
        if "server" in self.nat and server.port == self.ladder.port:
            server = self.nat["server"]
        fresh = segment.seq == 0 and "R" in segment.flags
        return replace(
            segment,
            src=client if out else server,
            dst=server if out else client,
            seq=segment.seq if fresh else (segment.seq + self.numbers[seq]) % (1 << 32),
            ack=(segment.ack + self.numbers[ack]) % (1 << 32) if "A" in segment.flags else segment.ack,
            ttl=int(f.get("ttl", 62 if out else 64)),
            tos=int(f.get("tos", str(segment.tos)), 0),
            window=int(f.get("win", segment.window)),
            ip_id=int(f.get("id", segment.ip_id)),
            options=tuple(options) if options else segment.options,
        )


def pcapng(frames: list[Frame], drops: int = 0) -> bytes:
    """The frames as a pcapng file of one interface, its times in nanoseconds, with the count of dropped packets."""
    link = frames[0].link_type if frames else 276

    def block(kind: int, body: bytes) -> bytes:
        body += bytes(-len(body) % 4)
        size = struct.pack("<I", len(body) + 12)
        return struct.pack("<I", kind) + size + body + size

    out = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    out += block(1, struct.pack("<HHI", link, 0, 0) + struct.pack("<HHB3x", 9, 1, 9) + bytes(4))
    for one in sorted(frames, key=lambda frame: frame.time_ns):
        head = struct.pack("<IIIII", 0, one.time_ns >> 32, one.time_ns & 0xFFFFFFFF, len(one.data), one.length)
        flags = b"" if one.outgoing is None else struct.pack("<HHI", 2, 4, 2 if one.outgoing else 1) + bytes(4)
        out += block(6, head + one.data + bytes(-len(one.data) % 4) + flags)
    if drops:
        out += block(5, struct.pack("<III", 0, 0, 0) + struct.pack("<HHQ", 5, 8, drops) + bytes(4))
    return out


def compare(client: bytes, server: bytes) -> Report:
    """Two captures in memory, compared."""
    pair = (io.BytesIO(client), io.BytesIO(server))
    return analyze_pair.run(AnalyzeOptions(pair=pair), lambda verdict: None, lambda text: None)  # type: ignore[arg-type]


def shifted(data: list[Frame], seconds: float) -> list[Frame]:
    """The same frames, so much later."""
    return [replace(one, time_ns=one.time_ns + at(seconds) - at(0)) for one in data]


def pair(text: str) -> PairScene:
    """Read a ladder with two columns."""
    return PairLadder().read(text)


def check_pair(text: str) -> Verdict:
    """Read a ladder and hold its verdict against what it expects."""
    scene = pair(text)
    assert scene.expected, "a ladder that expects nothing"
    verdict = scene.verdict()
    assert verdict.pair is not None
    words = words_of(verdict) | {verdict.pair.side or "no-side"}
    missing = [word for word in scene.expected if word not in words]
    told = [f"{one.towards} {one.what} {one.fate} {one.because}" for one in verdict.pair.crossings]
    assert not missing, f"{missing} missing in {sorted(words)}; {told}"
    return verdict
