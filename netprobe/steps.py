"""From records to the steps of a ladder: which packets a verdict is about, who sent them, which of them decide.

House rules of this file:
1. Pure, and the only reader: every ladder (a report's, a replay's, a page's) is made of what `Reader` gives.
2. Nothing is decided here: which packets are decisive is what the verdict cites, where they come from is its origin.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from netprobe import icmp
from netprobe.attempts import address, words
from netprobe.ladder import Box, Gap, Kind, Ladder, Row, Silence, Step
from netprobe.model import (
    ConnectionFact,
    Endpoint,
    Fact,
    Frame,
    Mode,
    NeighborFact,
    OriginKind,
    Record,
    SettledFact,
    TargetFact,
    Verdict,
)
from netprobe.rules import BY_ID, Place
from netprobe.tracker import columns as c
from netprobe.tracker.classes import LIMITED_TTL
from netprobe.tracker.decode import decode

# Rows of a ladder; those that decide are always among them.
MOST = 12
# So many packets are read; of a longer conversation only those that decide, and the others are counted as "at least".
READ = 2000
# A pause this long is shown as one.
PAUSE_NS = 1_500_000_000
# Boxes between client and server: more leave no room for what the packets say.
BOXES = 2
_FLAGS = ((c.F_SYN, "SYN"), (c.F_FIN, "FIN"), (c.F_RST, "RST"), (c.F_PSH, "PSH"), (c.F_ACK, "ACK"))
_EXPIRED = "time-exceeded"
# The first bytes of these messages are in clear (RFC 4253 12, RFC 5656 7.1, RFC 4419 5).
_SSH = {
    1: "DISCONNECT",
    20: "KEXINIT",
    21: "NEWKEYS",
    30: "KEX INIT",
    31: "KEX REPLY",
    32: "KEX GEX INIT",
    33: "KEX GEX REPLY",
}


class Reader:
    """Reads the records of one observation, as far as they are about one verdict.

    `target`: the records are those of a scan of this target, in which every connection to the port is the verdict's; of
    a stranger's capture only the client's own is. `depth` as for netprobe.tracker.decode; `by_time`: the verdict cites
    two captures, whose frame numbers are told apart by their times.
    """

    def __init__(
        self, verdict: Verdict, *, target: TargetFact | None = None, depth: int = 0, by_time: bool = False
    ) -> None:
        self._verdict = verdict
        self._depth = depth
        self._by_time = by_time
        self._server = Endpoint((verdict.address or verdict.target).partition("%")[0], verdict.port)
        self._client = None if target else verdict.client
        self._scan = target is not None
        self._told_only = target is not None and target.mode is Mode.CONNECT
        try:
            self._server_words = words(self._server.address)
            self._client_words = words(self._client.address) if self._client else None
        except ValueError:  # a name without an address: there are only facts
            self._server_words, self._client_words = (-1, -1, -1, -1), None
        self._cited = {one.frame: one.time_ns for one in verdict.evidence}
        self._what = {one.frame: one.what for one in verdict.evidence}
        self._limited: set[int] = set()  # ports of probes that were to run out on the way
        self._asked: set[str] = set()  # neighbours
        self._ports: dict[int, int] = {}  # of connections that the kernel tells of
        self._d = [0] * c.DECODED

    def cites(self, record: Record) -> bool:
        """Whether the verdict rests on this record."""
        return record.number in self._cited and (not self._by_time or self._cited[record.number] == record.time_ns)

    def step(self, record: Record) -> Step | None:
        """What a record says; None where it isn't of this attempt and decides nothing."""
        decisive = self.cites(record)
        if not isinstance(record, Frame):
            return self._told(record, decisive)
        d = self._d
        decode(record.data, 0, len(record.data), record.link_type, d, self._depth)
        protocol = d[c.D_PROTOCOL]
        if protocol == c.P_TCP:
            return self._segment(record, decisive)
        if protocol == c.P_ICMP_ERROR:
            return self._error(record, decisive)
        neighbor = protocol in (c.P_NEIGHBOR_ASK, c.P_NEIGHBOR_REPLY)
        if not decisive and not (neighbor and self._address(c.D_DST) in self._asked):
            return None
        kinds = {
            c.P_ECHO: Kind.ECHO,
            c.P_ECHO_REPLY: Kind.ECHO_REPLY,
            c.P_NEIGHBOR_ASK: Kind.NEIGHBOR_ASK,
            c.P_NEIGHBOR_REPLY: Kind.NEIGHBOR_REPLY,
        }
        kind = kinds.get(protocol, Kind.OTHER)
        inbound = kind in (Kind.ECHO_REPLY, Kind.NEIGHBOR_REPLY)
        if kind is Kind.OTHER:
            return Step(record.number, record.time_ns, kind, inbound, "a packet of another kind", False, decisive)
        other = self._address(c.D_SRC if inbound else c.D_DST)
        if kind is Kind.NEIGHBOR_ASK:
            self._asked.add(other)
        on_ip = kind in (Kind.ECHO, Kind.ECHO_REPLY)
        return Step(
            record.number, record.time_ns, kind, inbound, other, False, decisive,
            sender=self._address(c.D_SRC) if on_ip else "",
            ttl=d[c.D_TTL] if on_ip else None, tos=d[c.D_TOS] if on_ip else None,
            limited=on_ip and not inbound and d[c.D_TTL] <= LIMITED_TTL and record.outgoing is not False,
        )  # fmt: skip

    def _told(self, fact: Fact, decisive: bool) -> Step | None:
        own = isinstance(fact, ConnectionFact) and self._is_ours(fact)
        if not own and not decisive:
            return None
        step = Step(fact.number, fact.time_ns, Kind.TOLD, False, self._what.get(fact.number, ""), own, decisive)
        if not isinstance(fact, ConnectionFact):
            return replace(step, own=isinstance(fact, NeighborFact))
        if fact.client is not None:
            self._ports[fact.id] = fact.client.port
        port = self._ports.get(fact.id, 0)
        if fact.ttl is not None and fact.ttl <= LIMITED_TTL:
            self._limited.add(port)
        step = replace(step, client_port=port, server_port=fact.server.port, limited=port in self._limited)
        if fact.icmp is not None:
            one = fact.icmp
            reason = icmp.meaning(one.version, one.type, one.code).reason
            return replace(step, kind=Kind.ICMP, inbound=True, what=reason, sender=one.sender, ttl=one.ttl, tos=one.tos)
        because = f": {fact.error}" if fact.error else ""
        event = {"started": "connect()", "open": "connected", "given-up": "given up"}.get(fact.event, fact.event)
        if not step.what or self._told_only:
            step = replace(step, what=event + because)
        back = fact.event in ("open", "closed", "data") or fact.error in ("ECONNREFUSED", "ECONNRESET")
        return replace(step, ttl=fact.ttl, inbound=back,
                       crosses=self._told_only and (back or fact.event in ("started", "said")),
                       length=len(fact.data), message=_message(fact.data), says=_line(fact.data))  # fmt: skip

    def _is_ours(self, fact: ConnectionFact) -> bool:
        same = Endpoint(fact.server.address.partition("%")[0], fact.server.port) == self._server
        if self._scan:  # without privilege there is nothing else to show, with it the packets say it all
            return same and self._told_only
        return same and fact.event != "started" and (self._client is None or fact.client in (None, self._client))

    def _address(self, column: int) -> str:
        return address(self._d[column : column + 4], self._d[c.D_VERSION])

    def _segment(self, frame: Frame, decisive: bool) -> Step | None:
        d = self._d
        forward = self._is_forward(d[c.D_SRC : c.D_SRC + 4], d[c.D_SPORT], d[c.D_DST : c.D_DST + 4], d[c.D_DPORT])
        backward = self._is_forward(d[c.D_DST : c.D_DST + 4], d[c.D_DPORT], d[c.D_SRC : c.D_SRC + 4], d[c.D_SPORT])
        if not decisive and not forward and not backward:
            return None
        # A decisive packet of another conversation (a control port, a probe) has its direction by the server's address.
        inbound = backward or (not forward and self._is_inbound(frame))
        client, server = (d[c.D_DPORT], d[c.D_SPORT]) if inbound else (d[c.D_SPORT], d[c.D_DPORT])
        limited = not inbound and d[c.D_TTL] <= LIMITED_TTL and frame.outgoing is not False and self._scan
        if limited:
            self._limited.add(client)
        payload = frame.data[d[c.D_OFFSET] :][: d[c.D_PAYLOAD]] if d[c.D_PAYLOAD] else b""
        return Step(
            frame.number, frame.time_ns, Kind.SEGMENT, inbound,
            what=",".join(name for bit, name in _FLAGS if d[c.D_FLAGS] & bit) or "none",
            own=forward or backward, decisive=decisive, sender=self._address(c.D_SRC), client_port=client,
            server_port=server, ttl=d[c.D_TTL], tos=d[c.D_TOS], window=d[c.D_WINDOW], seq=d[c.D_SEQ], ack=d[c.D_ACK],
            length=d[c.D_PAYLOAD], md5=bool(d[c.D_OPTIONS] & c.O_MD5), options=d[c.D_OPTIONS] & c.USUAL_OPTIONS != 0,
            limited=limited or (inbound and client in self._limited), message=_message(payload), says=_line(payload),
        )  # fmt: skip

    def _error(self, frame: Frame, decisive: bool) -> Step | None:
        d = self._d
        quoted = (d[c.D_Q_SRC : c.D_Q_SRC + 4], d[c.D_Q_SPORT], d[c.D_Q_DST : c.D_Q_DST + 4], d[c.D_Q_DPORT])
        own = self._is_forward(*quoted)
        if not decisive and not own:
            return None
        of_tcp = d[c.D_Q_PROTOCOL] == 6
        return Step(
            frame.number, frame.time_ns, Kind.ICMP, inbound=True,
            what=icmp.meaning(d[c.D_VERSION], d[c.D_TYPE], d[c.D_CODE]).reason, own=own, decisive=decisive,
            sender=self._address(c.D_SRC), client_port=d[c.D_Q_SPORT] if of_tcp else 0,
            server_port=d[c.D_Q_DPORT] if of_tcp else 0, ttl=d[c.D_TTL], tos=d[c.D_TOS],
            limited=of_tcp and d[c.D_Q_SPORT] in self._limited,
        )  # fmt: skip

    def _is_inbound(self, frame: Frame) -> bool:
        """Whether a packet of another conversation comes from the server, or at least comes in. A machine that asks
        itself has one address for both: there only an answer acknowledges."""
        leaves, arrives = (tuple(self._d[at : at + 4]) == self._server_words for at in (c.D_SRC, c.D_DST))
        if leaves and arrives:
            return bool(self._d[c.D_FLAGS] & c.F_ACK)
        return leaves or (not arrives and frame.outgoing is False)

    def _is_forward(self, source: list[int], sport: int, target: list[int], dport: int) -> bool:
        """Whether these ends are the client's and the server's."""
        if tuple(target) != self._server_words or dport != self._server.port:
            return False
        return self._client is None or (tuple(source) == self._client_words and sport == self._client.port)


def _message(data: bytes) -> str:
    """The name of an SSH message that is in clear; "" where it is none."""
    whole = len(data) > 5 and data[0] == 0 and int.from_bytes(data[:4], "big") <= 35000 and 4 <= data[4] < 128
    return _SSH.get(data[5], "") if whole else ""


def _line(data: bytes) -> str:
    """The first line of a payload, where it is text."""
    line = data.partition(b"\n")[0].rstrip(b"\r")[:200].decode("latin-1")
    return line if line and sum(one.isprintable() for one in line) >= 0.9 * len(line) else ""


# --------------------------------------------------------------------------- the ladder of a verdict


def ladder(records: Iterable[Record], verdict: Verdict, *, depth: int = 0, most: int = MOST) -> Ladder | None:
    """The ladder of a verdict from the records of its scan or capture (from the first on). None: nothing to show."""
    target: TargetFact | None = None
    reader = Reader(verdict, depth=depth)
    own = (verdict.target, verdict.address, verdict.port)
    steps: list[Step] = []
    seen = 0
    now_ns = 0
    passed = False
    for record in records:
        now_ns = max(now_ns, record.time_ns)
        if isinstance(record, TargetFact) and target is None:
            if (record.target, record.address, record.port) == own:
                target = record
                reader = Reader(verdict, target=target, depth=depth)
                steps.clear()
                seen = 0
        elif isinstance(record, SettledFact):
            if target is not None and (record.target, record.address, record.port) == own:
                break
            continue
        seen += isinstance(record, Frame)
        if len(steps) >= READ and not reader.cites(record):
            passed = True
            continue
        step = reader.step(record)
        if step is not None:
            steps.append(step)
    found = _made(steps, verdict, now_ns, seen if target else 0, most) if steps else None
    return _at_least(found) if found is not None and passed else found


def _at_least(ladder: Ladder) -> Ladder:
    """Where not all packets were read: what was left out is told as a lower bound."""
    rows = tuple(replace(row, at_least=True) if isinstance(row, Gap) else row for row in ladder.rows)
    return replace(ladder, rows=rows)


def _made(steps: list[Step], verdict: Verdict, now_ns: int, seen: int, most: int) -> Ladder | None:
    if not any(step.kind is not Kind.TOLD or step.own for step in steps):
        return None  # what a resolver said has no way to be drawn
    kept = _of_the_walk(_answered(steps), verdict)
    boxes = _boxes(kept, verdict)
    forged = {step.ttl for step in kept if step.decisive and _is_forged(step, verdict, set())}
    merged = _merged([_placed(step, verdict, boxes, forged) for step in kept])
    shown = _few(list(_with_silence(merged, verdict, now_ns)), most)
    packets = sum(row.count for row in shown if isinstance(row, Step | Gap))
    return Ladder(
        client=verdict.client.address if verdict.client else None,
        server=verdict.address or verdict.target,
        port=verdict.port,
        boxes=boxes,
        rows=tuple(shown),
        began_ns=min(step.time_ns for step in kept),
        others=max(0, seen - packets),
    )


def _answered(steps: list[Step]) -> list[Step]:
    """Marks what nothing answered: its connection heard nothing at all, no ICMP error told of it."""
    heard = {(step.client_port, step.server_port) for step in steps if step.inbound}
    here = any(step.kind is Kind.NEIGHBOR_REPLY for step in steps)
    found = []
    for step in steps:
        unheard = (step.kind is Kind.SEGMENT or step.crosses) and (step.client_port, step.server_port) not in heard
        unheard = unheard or (step.kind is Kind.NEIGHBOR_ASK and not here)
        found.append(replace(step, lost=True) if unheard and not step.inbound else step)
    return found


def _of_the_walk(steps: list[Step], verdict: Verdict) -> list[Step]:
    """Without the probes that were to run out on the way, but for those that decide and the one that shows the place:
    the last of which a router told, or the first that was answered in the server's name."""
    probes = [step for step in steps if step.limited and not step.inbound and step.own]
    proof: Step | None = None
    if verdict.origin.kind is OriginKind.PATH and _place(verdict) is Place.RESET:
        ports = {step.client_port for step in steps if step.limited and step.inbound and "RST" in step.what}
        proof = min((one for one in probes if one.client_port in ports), key=_ttl, default=None)
    elif verdict.origin.kind is OriginKind.PATH and verdict.origin.between is not None:
        ports = {step.client_port for step in steps if step.limited and step.what.startswith(_EXPIRED)}
        proof = max((one for one in probes if one.client_port in ports), key=_ttl, default=None)
    port = None if proof is None else proof.client_port
    plain = proof is not None and _place(verdict) is Place.RESET
    return [
        step
        for step in steps
        if not step.limited
        or step.decisive
        or (step.client_port == port and step.own and not (plain and step.kind is Kind.ICMP))
    ]


def _ttl(step: Step) -> int:
    return step.ttl or 0


def _place(verdict: Verdict) -> Place | None:
    rule = BY_ID.get(verdict.rule)
    return rule.place if rule is not None else None


def _boxes(steps: list[Step], verdict: Verdict) -> tuple[Box, ...]:
    """Who stands between client and server, as far as this verdict is about them."""
    ends = {verdict.address, verdict.client.address if verdict.client else None}
    hops = {hop.address: hop.hop for hop in verdict.path if hop.address is not None}
    origin = verdict.origin
    found: dict[tuple[str | None, int | None], Box] = {}
    named: list[tuple[str | None, int | None]] = []
    if origin.kind is OriginKind.PATH:
        if origin.between is not None:
            named += [(one, hops.get(one)) for one in origin.between if one is not None]
        elif origin.address is not None or origin.hop is not None:
            named.append((origin.address, origin.hop if origin.hop is not None else hops.get(origin.address or "")))
    errors = sorted((step for step in steps if step.kind is Kind.ICMP), key=lambda step: not step.decisive)
    named += [(step.sender, hops.get(step.sender)) for step in errors]
    for one, hop in named:
        known = any(box.address == one for box in found.values())
        if one not in ends and not known and len(found) < BOXES:
            found[one, hop] = Box(one, hop)
    return tuple(sorted(found.values(), key=lambda box: box.hop if box.hop is not None else 1000))


def _placed(step: Step, verdict: Verdict, boxes: tuple[Box, ...], forged: set[int | None]) -> Step:
    """The step with the columns that it goes between. `forged`: the TTLs of resets in the server's name."""
    last = len(boxes) + 1
    if step.kind is Kind.TOLD and not step.crosses:
        return step
    at = next((n for n, box in enumerate(boxes, 1) if box.address == step.sender and step.inbound), None)
    if step.inbound:
        if verdict.client is not None and step.sender == verdict.client.address:
            return step  # this machine's own word
        if at is None and _is_forged(step, verdict, forged) and boxes:
            at = next((n for n, box in enumerate(boxes, 1) if box.address == verdict.origin.address), 1)
        return replace(step, start=last if at is None else at, end=0)
    if step.kind is Kind.NEIGHBOR_ASK and boxes:
        return replace(step, start=0, end=1)
    if step.limited:
        hop = next((n for n, box in enumerate(boxes, 1) if box.hop is not None and box.hop >= (step.ttl or 0)), last)
        return replace(step, start=0, end=hop)
    return replace(step, start=0, end=last)


def _is_forged(step: Step, verdict: Verdict, like: set[int | None]) -> bool:
    """Written by a box on the path in the server's name, as the verdict says."""
    if verdict.origin.kind is not OriginKind.PATH or step.kind is not Kind.SEGMENT:
        return False
    place = _place(verdict)
    reset = step.own and step.inbound and "RST" in step.what and (step.decisive or step.limited or step.ttl in like)
    return place is Place.PROXY or (place is Place.RESET and reset)


def _looks(step: Step) -> tuple[object, ...]:
    """What two steps must have in common to be told as one."""
    return (
        step.kind, step.inbound, step.what, step.own, step.server_port, step.ttl,
        step.tos if step.kind is not Kind.ICMP else 0, step.md5, step.length,
        step.lost, step.start, step.end, step.says, step.options, step.window == 0, step.sender, step.message,
        step.limited,
    )  # fmt: skip


def _is_another(step: Step, before: Step) -> bool:
    """A SYN of the same four-tuple with another number, which was answered: no repetition."""
    return "SYN" in step.what and not step.lost and step.client_port == before.client_port and step.seq != before.seq


def _merged(steps: list[Step]) -> list[Step]:
    """Equal packets that follow each other as one; what a client repeats, also across other packets of its own."""
    found: list[Step] = []
    for step in steps:
        same = None
        for n in range(len(found) - 1, -1, -1):
            if _looks(found[n]) == _looks(step) and not _is_another(step, found[n]):
                same = n
                break
            if step.inbound or (found[n].inbound and not found[n].limited):  # an answer keeps its place
                break
        if same is None:
            found.append(replace(step, last_ns=step.time_ns))
        else:
            one = found[same]
            decisive = one.decisive or step.decisive
            found[same] = replace(one, count=one.count + 1, last_ns=step.time_ns, decisive=decisive)
    return found


def _with_silence(steps: list[Step], verdict: Verdict, now_ns: int) -> Iterator[Row]:
    """The steps, with a row where nothing came that was waited for."""
    rule = BY_ID.get(verdict.rule)
    decisive = rule is not None and any(wanted and "silent" in some for _, some, wanted in rule.conditions)
    own = [step for step in steps if step.own and not step.limited and (step.kind is not Kind.TOLD or step.crosses)]
    lost = [step for step in own if step.lost and step.kind is not Kind.NEIGHBOR_ASK]
    if lost and (verdict.reason == "no-response" or not any(step.inbound for step in own)):  # one row at the end
        yield from steps
        if now_ns - lost[0].time_ns >= PAUSE_NS // 2:
            yield Silence(lost[0].time_ns, now_ns, decisive)
        return
    since: int | None = None  # the last time that something was heard
    for step in steps:
        if step in own and not step.lost:
            if since is not None and not step.inbound and step.time_ns - since >= PAUSE_NS:
                yield Silence(since, step.time_ns, decisive)
                since = step.time_ns
            elif step.inbound and not _only_acknowledges(step):
                since = step.last_ns
        yield step
    if since is not None and now_ns - since >= PAUSE_NS and not {"RST", "FIN"} & _flags(own):
        yield Silence(since, now_ns, decisive)


def _only_acknowledges(step: Step) -> bool:
    return step.what == "ACK" and not step.length


def _flags(steps: list[Step]) -> set[str]:
    """All flags of these steps; an ICMP error ends an attempt as a reset does."""
    return {flag for step in steps for flag in (["RST"] if step.kind is Kind.ICMP else step.what.split(","))}


def _few(rows: list[Row], most: int) -> list[Row]:
    """At most `most` rows, or as many as decide; what is left out is counted in its place."""
    must = sum(isinstance(row, Silence) or (isinstance(row, Step) and row.decisive) for row in rows)
    room = max(most - must, 0)
    found: list[Row] = []
    for row in rows:
        if isinstance(row, Step) and not row.decisive:
            if room <= 0:
                left = found[-1].count if found and isinstance(found[-1], Gap) else 0
                if left:
                    found.pop()
                found.append(Gap(left + row.count))
                continue
            room -= 1
        found.append(row)
    return found
