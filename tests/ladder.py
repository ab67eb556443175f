"""A plain text ladder of packets and facts, as tcpdump would show a conversation, played into the core.

client 192.0.2.1                 who asks (default), and `server 203.0.113.5 22` who is asked
link sll2                        one of packets.LINKS
direction unknown                a capture that doesn't say which way packets go; `direction server`: taken there
target any kernel patient        what the scan expected, and how it looked; `passive`: no scan, a stranger's capture;
                                 `sweep`: one SYN and no other probe
vantage server                   what --vantage tells of a stranger's capture
0.000 > S tos 0x48 [mss,sack]    a segment of the client: flags, fields, options
0.021 < RA ttl 62 win 0          a segment of the server; numbers fit unless said otherwise: `seq +1`, `ack 7`
0.3 > PA "SSH-2.0-x\\r\\n"         payload
1.00 > S ttl 2 port 40001 to 80  another flow: `port` is the client's, `to` the server's
1.01 < icmp 11/0 from 198.51.100.2 port 40001 to 80      quotes the last packet of that flow; `bytes 8` of it;
                                 `>` an error that goes to the server, and quotes its last packet
1.1 > echo id 7 seq 1 / 1.2 < reply id 7 seq 1 / 1.3 > who-has 192.0.2.5 / 1.4 < is-at 192.0.2.5
0.0 fact started id 1 port 40000 / 0.1 fact failed ECONNREFUSED / 0.0 fact route ok via 192.0.2.254
until 6                          when the verdict is given (default: at the last record)
expect NP112 certain             words that the verdict must have: rule, cause, certainty, state, reason
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from netprobe.attempts import Attempt, attempt, words
from netprobe.attempts import Segment as Piece
from netprobe.evidence import Evidence, collect, host_of
from netprobe.model import (
    BlockedFact,
    ClientOfferFact,
    ConnectionFact,
    DropFact,
    Endpoint,
    Fact,
    Frame,
    IcmpError,
    LimitFact,
    LinkFact,
    Mode,
    NeighborFact,
    Record,
    ResolvedFact,
    RouteFact,
    Service,
    TargetFact,
    Verdict,
)
from netprobe.tracker import Tracker, columns
from netprobe.tracker.decode import decode
from netprobe.tracker.hosts import recall_host
from netprobe.verdict import diagnose
from netprobe.watch import Watch
from tests.packets import LINKS, Segment, echo, framed, icmp_error, neighbor
from tests.ssh_matrix.replay import by_ports
from tests.ssh_packets import COMMON

START_NS = 1_700_000_000_000_000_000
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\[[^\]]*\]|\S+')
FLAGS = re.compile(r"-|[FSRPAUEC]+")
VALUED = {"tos", "ttl", "win", "port", "to", "seq", "ack", "id", "iss", "bytes", "snap", "from", "qttl", "via"}


def at(seconds: float) -> int:
    """A time of the ladder in nanoseconds since the epoch."""
    return START_NS + round(seconds * 1e9)


@dataclass(slots=True)
class Flow:
    """What both ends of a flow have said so far."""

    c_iss: int
    s_iss: int
    c_next: int
    s_next: int
    sent: Segment | None = None  # the client's last packet, and the server's
    said: Segment | None = None
    acknowledged: bool = False


@dataclass(slots=True)
class Scene:
    """A ladder that was read: its records, its target, what is expected."""

    records: list[Record]
    target: TargetFact
    until_ns: int
    expected: tuple[str, ...] = ()
    passive: bool = False
    vantage: str | None = None

    def watch(self) -> Watch:
        """The records, received one by one as a live scan does."""
        watch = Watch()
        for record in self.records:
            watch.receive([record])
        return watch

    def evidence(self) -> Evidence:
        """All that is known of the target in the end."""
        if self.passive:
            return self.one_attempt()
        return self.watch().evidence(self.target, self.until_ns)

    def one_attempt(self, pieces: Callable[[], int] = lambda: 1 << 30) -> Evidence:
        """What a capture shows of the first attempt to the target's port; `pieces`: so many frames at a time."""
        frames = {record.number: record for record in self.records if isinstance(record, Frame)}
        tracker = Tracker()
        left = list(frames.values())
        while left:
            size = pieces()
            tracker.receive(left[:size])
            left = left[size:]
        server = (*words(self.target.address or ""), self.target.port)
        row = next(
            r
            for r in tracker.rows
            if r[columns.KIND] == columns.K_TCP
            and (*r[columns.SERVER : columns.SERVER + 4], r[columns.SPORT]) == server
        )
        recall_host(row, tracker.hosts)  # type: ignore[arg-type]
        decoded = [0] * columns.DECODED

        def payload(segment: Piece) -> bytes:
            frame = frames[segment.frame]
            decode(frame.data, 0, len(frame.data), frame.link_type, decoded)
            return frame.data[decoded[columns.D_OFFSET] :]

        heard = by_ports(self.records).get((row[columns.CPORT], row[columns.SPORT]))
        found = attempt(row)
        if heard is not None:
            found = replace(found, service=Service("ssh", kex=heard.session.kex(), auth=heard.session.auth()))
        return collect(self.target, [found], (), payload, self.until_ns, host_of(row), self.vantage)

    def verdict(self) -> Verdict:
        """The verdict in the end."""
        return diagnose(self.evidence())

    def attempts(self) -> list[Attempt]:
        """Every attempt of the evidence."""
        return self.evidence().attempts

    def with_records(self, records: Iterable[Record], until_ns: int | None = None) -> Scene:
        """The same target with other records, numbered anew."""
        numbered: list[Record] = [replace(record, number=n) for n, record in enumerate(records, 1)]
        return replace(self, records=numbered, until_ns=self.until_ns if until_ns is None else until_ns)


@dataclass(slots=True)
class Ladder:
    """The reader of a ladder."""

    client: str = "192.0.2.1"
    server: str = "203.0.113.5"
    port: int = 22
    link: str = "sll2"
    outgoing: bool | None = True  # whether the client's packets go out
    expect: str = "ssh"
    mode: Mode = Mode.RAW
    patient: bool = False
    passive: bool = False
    sweep: bool = False
    vantage: str | None = None
    unresolved: bool = False
    until_ns: int | None = None
    expected: list[str] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    flows: dict[tuple[int, int], Flow] = field(default_factory=dict)
    connections: dict[int, Endpoint | None] = field(default_factory=dict)

    # ------------------------------------------------------------------ lines

    def read(self, text: str) -> Scene:
        """The whole ladder. A line that means nothing is an error."""
        for line in text.splitlines():
            tokens = TOKEN.findall(line.partition(" #")[0])
            if not tokens or tokens[0].startswith("#"):
                continue
            try:
                self._line(tokens)
            except (KeyError, ValueError, IndexError, AttributeError) as error:
                raise ValueError(f"ladder: {line.strip()!r}: {error!r}") from error
        last = max((r.time_ns for r in self.records), default=START_NS)
        target = TargetFact(
            time_ns=START_NS,
            target=self.server,
            address=None if self.unresolved else self.server,
            port=self.port,
            expect=self.expect,
            mode=self.mode,
            patient=self.patient,
            sweep=self.sweep,
        )
        until_ns = self.until_ns or last
        return Scene(self.records, target, until_ns, tuple(self.expected), self.passive, self.vantage)

    def _line(self, tokens: list[str]) -> None:
        match tokens:
            case ["client", address]:
                self.client = address
            case ["server", address]:
                self.server = address
            case ["server", address, port]:
                self.server, self.port = address, int(port)
            case ["link", link]:
                LINKS[link]
                self.link = link
            case ["direction", word]:
                self.outgoing = {"known": True, "unknown": None, "server": False}[word]
            case ["target", *words]:
                self.expect = "any" if "any" in words else "ssh"
                self.mode = Mode.CONNECT if "kernel" in words else Mode.RAW
                self.patient = "patient" in words
                self.passive = "passive" in words
                self.sweep = "sweep" in words
                self.unresolved = "unresolved" in words
            case ["vantage", side]:
                self.vantage = side
            case ["until", seconds]:
                self.until_ns = at(float(seconds))
            case ["expect", *words]:
                self.expected += words
            case [seconds, "fact", kind, *words]:
                self._add(self._fact(kind, words, at(float(seconds))))
            case [seconds, (">" | "<") as arrow, what, *words]:
                self._packet(at(float(seconds)), arrow == ">", what, *fields_of(words))
            case _:
                raise ValueError("not a line of a ladder")

    def _add(self, record: Record) -> None:
        self.records.append(replace(record, number=len(self.records) + 1))

    # ------------------------------------------------------------------ packets

    def _packet(
        self, time_ns: int, out: bool, what: str, f: dict[str, str], options: Sequence[str], data: bytes
    ) -> None:
        ether_type: int | None = None
        ends = (self.client, f.get("from", self.server)) if out else (f.get("from", self.server), self.client)
        ttl, tos = int(f.get("ttl", 64)), int(f.get("tos", "0"), 0)
        if what == "icmp":
            packet = self._icmp((f["from"], self.server) if out else ends, f, ttl, tos, out)
        elif what in ("echo", "reply"):
            packet = echo(*ends, int(f.get("id", 7)), int(f.get("seq", 1)), what == "reply", ttl, tos)
        elif what in ("who-has", "is-at"):
            ether_type, packet = neighbor(self.client, options[0], what == "is-at")
        elif FLAGS.fullmatch(what):
            packet = self._segment(out, what, f, options, data, ttl, tos).packet()
        else:
            raise ValueError(f"{what} is no packet")
        whole = framed(self.link, packet, ether_type)
        kept = whole[: int(f["snap"])] if "snap" in f else whole
        outgoing = None if self.outgoing is None else out is self.outgoing
        self._add(Frame(0, time_ns, LINKS[self.link], kept, len(whole), outgoing, "eth0"))

    def _flow(self, f: dict[str, str]) -> tuple[Flow, int, int]:
        cport, sport = int(f.get("port", 40000)), int(f.get("to", self.port))
        c_iss = 1_000_000 + 1000 * cport + sport
        s_iss = 3_000_000_000 + 1000 * sport + cport
        return self.flows.setdefault((cport, sport), Flow(c_iss, s_iss, c_iss, s_iss)), cport, sport

    def _segment(
        self, out: bool, flags: str, f: dict[str, str], options: Sequence[str], data: bytes, ttl: int, tos: int
    ) -> Segment:
        flow, cport, sport = self._flow(f)
        client, server = Endpoint(self.client, cport), Endpoint(f.get("from", self.server), sport)
        plain = not {"seq", "iss"} & f.keys()
        if out and "iss" in f:
            flow.c_iss = flow.c_next = int(f["iss"])
            flow.s_next = flow.s_iss
            plain = True
        own_iss = flow.c_iss if out else int(f.get("iss", flow.s_iss))
        own_next, other_next = (flow.c_next, flow.s_next) if out else (flow.s_next, flow.c_next)
        seq = own_iss if "S" in flags else own_next
        if not out and "R" in flags and "A" in flags and not flow.acknowledged:
            seq = 0  # RFC 9293 3.10.7.1: a reset for a SYN has the number 0
        seq = offset(f.get("seq"), seq)
        segment = Segment(
            src=client if out else server,
            dst=server if out else client,
            flags=flags,
            seq=seq,
            ack=offset(f.get("ack"), other_next) if "A" in flags or "ack" in f else 0,
            ttl=ttl,
            tos=tos,
            window=int(f.get("win", 64240)),
            options=tuple(o for o in options if o not in ("mf", "nodf")),
            data=data,
            ip_id=int(f.get("id", 0)),
            df="nodf" not in options,
            more="mf" in options,
        )
        after = (seq + len(data) + ("S" in flags) + ("F" in flags)) & 0xFFFFFFFF
        if not out:
            flow.said = segment
        if out:
            flow.sent = segment
            flow.c_next = max(flow.c_next, after) if plain else flow.c_next
        elif plain and "R" not in flags:
            flow.s_next = max(flow.s_next, after)
            flow.acknowledged = flow.acknowledged or "S" in flags
        return segment

    def _icmp(self, ends: tuple[str, str], f: dict[str, str], ttl: int, tos: int, out: bool) -> bytes:
        flow, cport, sport = self._flow(f)
        kind, code = (int(part) for part in f["code"].split("/"))
        sent = (flow.said if out else flow.sent) or Segment(
            src=Endpoint(self.client, cport), dst=Endpoint(self.server, sport), seq=flow.c_iss
        )
        quoted = replace(sent, seq=offset(f.get("seq"), sent.seq), ttl=int(f.get("qttl", 1)))
        keep = int(f["bytes"]) if "bytes" in f else None
        return icmp_error(*ends, kind, code, quoted.packet(), ttl, tos, keep)

    # ------------------------------------------------------------------ facts

    def _fact(self, kind: str, words: list[str], time_ns: int) -> Fact:
        f, rest, data = fields_of(words)
        first = rest[0] if rest else ""
        makers: dict[str, Callable[[], Fact]] = {
            "route": lambda: RouteFact(
                address=self.server, outcome=first, interface="eth0", source=self.client, gateway=f.get("via")
            ),
            "neighbour": lambda: NeighborFact(address=first, state=rest[1]),
            "link": lambda: LinkFact(interface=first, state=rest[1]),
            "limit": lambda: LimitFact(address=self.server, sender=first, per_s=1),
            "drops": lambda: DropFact(count=int(first)),
            "blocked": lambda: BlockedFact(address=self.server, port=self.port, error=first),
            "offer": lambda: ClientOfferFact(
                target=self.server, whose=f"a {first} client", local=first == "local", offer=COMMON
            ),
            "resolved": lambda: ResolvedFact(name=first, outcome=rest[1], detail=" ".join(rest[2:])),
        }
        fact = makers[kind]() if kind in makers else self._connection(kind, f, first, data)
        return replace(fact, time_ns=time_ns)

    def _connection(self, event: str, f: dict[str, str], first: str, data: bytes) -> ConnectionFact:
        if event not in ("started", "open", "failed", "icmp", "data", "closed", "given-up"):
            raise ValueError(f"{event} is no event of a connection")
        number = int(f.get("id", 1))
        if event == "started":
            self.connections[number] = Endpoint(self.client, int(f.get("port", 40000))) if first != "portless" else None
        told = None
        if event == "icmp":
            kind, code = (int(part) for part in f["code"].split("/"))
            version = 6 if ":" in self.server else 4
            told = IcmpError(version=version, type=kind, code=code, sender=f["from"], ttl=int(f.get("ttl", 64)), tos=0)
        return ConnectionFact(
            id=number,
            server=Endpoint(self.server, int(f.get("to", self.port))),
            event=event,
            client=self.connections[number],
            error=first if first.startswith("E") else None,
            icmp=told,
            data=data,
            ttl=int(f["ttl"]) if "ttl" in f and event != "icmp" else None,
            mss=int(f["win"]) if "win" in f else None,
        )


def offset(word: str | None, fitting: int) -> int:
    """A number as written: absolute, or `+1` from the one that fits."""
    if word is None:
        return fitting & 0xFFFFFFFF
    number = int(word, 0)
    return ((fitting + number) if word[0] in "+-" else number) & 0xFFFFFFFF


def fields_of(words: Sequence[str]) -> tuple[dict[str, str], list[str], bytes]:
    """Fields by name, bare words (and those in brackets), and the payload."""
    fields: dict[str, str] = {}
    rest: list[str] = []
    data = b""
    at_word = 0
    while at_word < len(words):
        word = words[at_word]
        if word in VALUED:
            fields[word] = words[at_word + 1]
            at_word += 1
        elif word.startswith('"'):
            data += word[1:-1].encode("latin-1").decode("unicode_escape").encode("latin-1")
        elif word.startswith("["):
            rest += [one.strip() for one in word[1:-1].split(",") if one.strip()]
        elif re.fullmatch(r"\d+/\d+", word):
            fields["code"] = word
        else:
            rest.append(word)
        at_word += 1
    return fields, rest, data


def ladder(text: str) -> Scene:
    """Read a ladder."""
    return Ladder().read(text)


def words_of(verdict: Verdict) -> set[str]:
    """What an `expect` line may name."""
    return {verdict.rule, verdict.cause, verdict.certainty, verdict.state, verdict.reason, verdict.origin.kind}


def check(text: str) -> Verdict:
    """Read a ladder and hold its verdict against what it expects."""
    scene = ladder(text)
    assert scene.expected, "a ladder that expects nothing"
    evidence = scene.evidence()
    verdict = diagnose(evidence)
    missing = [word for word in scene.expected if word not in words_of(verdict)]
    assert not missing, f"{missing} missing in {sorted(words_of(verdict))}; features {evidence.features}"
    frames = {record.number for record in scene.records}
    assert {citation.frame for citation in verdict.evidence} <= frames
    return verdict
