"""What was said on an open connection, and how it ended."""

from __future__ import annotations

from netprobe import greeting, ssh
from netprobe.attempts import UNSEEN, Attempt
from netprobe.evidence.kex import hear_exchange
from netprobe.evidence.login import hear_login
from netprobe.evidence.record import IMPOSSIBLE, SECOND, Conversation, Evidence, Payload, said
from netprobe.tracker.columns import B_LEFT_2, B_LEFT_12, B_SAID_MORE, B_TOLD_TWICE

# Servers that look a name up before they speak take 5 s a try (resolv.conf(5), timeout).
KEX_PATIENCE_NS = 2_500_000_000


# Lines that a server may send before its identification come in one go; a tarpit spreads them out.
TARPIT_SPAN_NS = 1_500_000_000


def hear_conversations(e: Evidence, payload: Payload) -> None:
    small = {
        events[0].client.port
        for events in e.connections.values()
        if events[0].mss is not None and events[0].client is not None
    }
    own = {
        events[0].client.port
        for events in e.connections.values()
        if events[0].mss is None and events[0].client is not None
    }
    talks = [
        a
        for a in e.attempts
        if a.server.address == e.target.address
        and a.synack is not None
        and a.client_ack is not None
        and not a.limited
        and (not own or a.client.port in own | small)
    ]
    for a in talks:
        said = _conversation(e, a, payload)
        if a.server.port != e.target.port:
            e.elsewhere[a.server.port] = said
        elif a.client.port in small:
            e.second = said
        elif e.conversation is None:
            e.conversation = said
    if e.conversation is not None:
        _service(e, e.conversation)
    if e.second is not None and e.features.get("kex") == "stalled":
        _second(e, e.second)
    impossible = [
        a for a in e.attempts if a.server.address in IMPOSSIBLE[a.version] and a.server.address != e.target.address
    ]
    if impossible:
        _impostor(e, impossible)


def _conversation(e: Evidence, a: Attempt, payload: Payload) -> Conversation:
    """The server's stream in order, as far as it arrived without a gap."""
    told = [f for events in e.connections.values() for f in events if f.event == "data" and f.client == a.client]
    if told:
        heard = b"".join(f.data for f in told)
        times = tuple(f.time_ns for f in told for _ in range(f.data.count(b"\n")))
        return Conversation(a, heard, ssh.read(heard), times, told[-1].time_ns)
    stream = b""
    line_times: list[int] = []
    for segment in sorted(a.server_segments, key=lambda s: s.offset):
        if segment.offset > len(stream):
            break
        fresh = payload(segment)[: segment.length][len(stream) - segment.offset :]
        stream += fresh
        line_times += [segment.time_ns] * fresh.count(b"\n")
    last = a.server_data.last_ns if a.server_data is not None else a.first.time_ns
    return Conversation(a, stream, ssh.read(stream), tuple(line_times), last)


def _service(e: Evidence, c: Conversation) -> None:
    a = c.attempt
    assert a.synack is not None
    assert a.client_ack is not None
    e.cite("spoke", a.synack.frame, a.synack.time_ns, said(a.synack, "SYN,ACK"))
    if a.server_data is not None:
        e.cite("spoke", a.server_data.frame, a.server_data.time_ns, "the server's first bytes")
    e.features["handshake"] = "complete"
    repeated = a.synack.count >= 2 if e.host is None else bool(a.looks >> B_TOLD_TWICE & 1)
    if (
        repeated
        and a.synack.last_ns > a.client_ack.time_ns
        and 0 <= a.client_acked <= 1
        and not a.server_bytes
    ):
        e.features["handshake"] = "blocked"
        e.cite("handshake", a.client_ack.frame, a.client_ack.time_ns, "our ACK")
    if a.synack2 is not None:
        e.features["two_boxes"] = "yes"
        e.cite("two_boxes", a.synack2.frame, a.synack2.time_ns, said(a.synack2, "another SYN,ACK"))
    if a.synack.window == 0:  # never so where it was not seen
        e.features["zero_window"] = "opened" if a.window_opened else "stays"
    _ending(e, a)
    _spoke(e, c)
    hear_exchange(e, c)
    hear_login(e, c)


def _ending(e: Evidence, a: Attempt) -> None:
    end = a.rst or a.server_fin
    if _left(e, a) or e.asked is not None:  # whom we asked, we left when it had answered
        e.features["closed_by"] = "client"
        e.features["ended"] = "open"  # what the server did afterwards is no decision of its own
        return
    assert a.client_ack is not None
    assert a.synack is not None
    if end is None:
        e.features["ended"] = "open"
        return
    e.features["ended"] = "reset" if a.rst is not None and a.server_fin is None else "fin"
    e.cite("ended", end.frame, end.time_ns, said(end, end.letters))
    rtt = max(a.synack.time_ns - a.first.time_ns, 0)
    at_once = end.time_ns - a.client_ack.time_ns <= 2 * rtt + 50_000_000 and a.client_data is None
    e.features["ended_early"] = "at-once" if at_once else "later"
    if a.rst is not None and a.rst.window != UNSEEN:
        e.features["reset_window"] = "open" if a.rst.window else "zero"
        e.features["reset_ttl"] = "same" if a.rst.ttl == a.synack.ttl else "different"


def _left(e: Evidence, a: Attempt) -> bool:
    """Whether the client of a captured connection closed first."""
    end, gone = a.rst or a.server_fin, a.client_fin or a.client_rst
    return e.host is not None and gone is not None and (end is None or gone.frame < end.frame)


def _waited(e: Evidence, a: Attempt, until_ns: int) -> bool:
    """Whether the server had its time to speak: a client that closes gives it no more."""
    if not _left(e, a):
        return e.now_ns >= until_ns
    return bool(a.looks >> (B_LEFT_2 if e.features["expect"] == "any" else B_LEFT_12) & 1)


def _spoke(e: Evidence, c: Conversation) -> None:
    """The first of what the server said, in the order of how much it proves."""
    opening = c.opening
    named = greeting.name(c.stream)
    if opening.identification is not None:
        e.features["spoke"] = "ssh2" if opening.speaks_2 else "ssh1"
        _kex(e, c)
        return
    if named is not None:
        e.features["spoke"] = "protocol"
        return
    word = "nothing"
    if c.stream:
        printable = sum(byte in b"\r\n\t" or 32 <= byte < 127 or byte >= 0xA0 for byte in c.stream[:256])
        word = "text" if printable >= 0.7 * len(c.stream[:256]) else "binary"
        first = c.stream.lstrip()
        for start, reason in ((b"Exceeded MaxStartups", "max-startups"), (b"Not allowed at this time", "not-allowed")):
            if first.startswith(start):
                e.features["text"] = reason
    if e.host is not None and c.attempt.client_data is not None and c.attempt.client_acked != UNSEEN:
        e.features["our_words"] = "acknowledged" if c.attempt.client_acked > 1 else "lost"
    if e.features["ended"] == "open":
        times = sorted(set(c.line_times))
        if len(times) >= 3 and times[-1] - times[0] >= TARPIT_SPAN_NS:
            e.features["lines"] = "endless"
        else:
            wait = e.target.banner_wait_ns
            if e.features["expect"] == "any":
                wait = min(wait, 2 * SECOND)
            until = (
                c.last_ns if c.stream else c.attempt.client_ack.time_ns if c.attempt.client_ack else c.last_ns
            ) + wait
            if not _waited(e, c.attempt, until) and not (e.features["expect"] == "any" and c.stream):
                word = "pending"
                e.waits_until(until)
    e.features["spoke"] = word


def _kex(e: Evidence, c: Conversation) -> None:
    a = c.attempt
    if c.opening.kexinit:
        e.features["kex"] = "began"
    elif e.host is not None and (c.opening.rest or a.looks >> B_SAID_MORE & 1):
        e.features["kex"] = "other"  # its beginning may not have been captured, or not whole
    elif e.host is not None and _left(e, a) and not a.looks >> B_LEFT_2 & 1:
        return  # the client had what it wanted
    elif a.client_data is None and e.features.get("ended") == "open" and e.features["expect"] == "ssh":
        e.waits_until(c.last_ns + KEX_PATIENCE_NS)
    elif a.client_data is not None and e.features.get("ended") == "open":
        both = max(a.client_data.time_ns, c.last_ns)
        if a.holes:
            e.features["gap"] = "yes"
        if e.now_ns - both >= KEX_PATIENCE_NS:
            e.features["kex"] = "stalled"
            if a.client_acked != UNSEEN:
                e.features["our_words"] = "acknowledged" if a.client_acked > 1 else "lost"
            e.cite("kex", a.client_data.frame, a.client_data.time_ns, "our identification; nothing followed")
        else:
            e.waits_until(both + KEX_PATIENCE_NS)


def _second(e: Evidence, c: Conversation) -> None:
    if c.opening.kexinit:
        e.features["small_mss"] = "began"
        e.cite(
            "small_mss",
            c.attempt.first.frame,
            c.attempt.first.time_ns,
            "SYN of the second connection, with a small MSS",
        )
    elif c.attempt.client_data is not None:
        both = max(c.attempt.client_data.time_ns, c.last_ns)
        if e.now_ns - both >= KEX_PATIENCE_NS:
            e.features["small_mss"] = "stalled"
        else:
            e.waits_until(both + KEX_PATIENCE_NS)


def _impostor(e: Evidence, impossible: list[Attempt]) -> None:
    answered = [a for a in impossible if a.synack is not None]
    for a in answered:
        assert a.synack is not None
        e.cite("impostor", a.synack.frame, a.synack.time_ns, f"SYN,ACK from {a.server.address}, where no host can be")
    if len({a.server.address for a in answered}) >= 2:
        e.features["impostor"] = "yes"
    elif all(e.now_ns - a.first.last_ns >= e.patience_ns for a in impossible):
        e.features["impostor"] = "no"
    else:
        e.waits_until(max(a.first.last_ns for a in impossible) + e.patience_ns)
