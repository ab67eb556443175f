"""From evidence to a verdict: the table decides, this file fills the form."""

from __future__ import annotations

import re
from collections.abc import Iterator

from netprobe import greeting, origin, texts
from netprobe.addresses import remarks
from netprobe.attempts import Attempt
from netprobe.evidence import Evidence
from netprobe.model import Alternative, Citation, Credentials, Endpoint, Hop, Service, Verdict
from netprobe.rules import Rule, decide
from netprobe.ssh import telling
from netprobe.ssh.asked import answer
from netprobe.tracker import columns as c


def diagnose(e: Evidence) -> Verdict:
    """The verdict for one target. Pure: equal evidence gives an equal verdict, word for word."""
    rule = decide(e.features)
    found = origin.find(rule.place, e)
    values = texts.values(e, found)
    attempt = main_attempt(e)
    reason_address, reason_ttl = _responder(e, attempt)
    fill = texts.fill
    return Verdict(
        target=e.target.target,
        address=e.target.address,
        port=e.target.port,
        state=rule.state,
        reason=fill(rule.reason, values),
        cause=rule.cause,
        certainty=rule.certainty,
        rule=rule.id,
        origin=found,
        because=tuple(line for line in (fill(text, values) for text in rule.because) if line),
        alternatives=tuple(Alternative(r.cause, fill(r.because, values), fill(r.settle, values)) for r in rule.rivals),
        remedy=_elsewhere(e, rule)
        + tuple(line for line in (fill(text, values) for text in rule.remedy) if line),
        evidence=_citations(e, rule),
        client=attempt.client if attempt is not None else _client(e),
        reason_address=reason_address,
        reason_ttl=reason_ttl,
        notes=_notes(e),
        history=attempt.history if attempt is not None else "",
        conn_state=conn_state(attempt) if attempt is not None else "",
        rtt_ms=_rtt(attempt),
        attempts=sum(a.first.count for a in e.syns),
        service=_service(e),
        path=_path(e),
        vantage=_vantage(e),
        credentials=_credentials(e),
        basis=e.features.get("basis"),
    )


def main_attempt(e: Evidence) -> Attempt | None:
    """The attempt that the verdict is about: the one that talked, else the one that was answered, else the first."""
    if e.conversation is not None:
        return e.conversation.attempt
    return e.answer or (e.syns[0] if e.syns else None)


def _client(e: Evidence) -> Endpoint | None:
    for events in e.connections.values():
        if events[0].client is not None and events[0].server.port == e.target.port:
            return events[0].client
    return None


def _responder(e: Evidence, a: Attempt | None) -> tuple[str | None, int | None]:
    """Who answered the SYN, with what TTL on arrival."""
    if a is None or e.features.get("answer") in ("silent", "pending", None):
        return None, None
    packet = a.challenge or a.synack or a.rst
    if packet is not None:
        return a.server.address, packet.ttl if packet.ttl > 0 else None
    if a.icmp is not None:
        return a.icmp.sender, a.icmp.ttl
    return None, None


def _rtt(a: Attempt | None) -> float | None:
    """Milliseconds from the last SYN before the answer; none when the SYN was repeated, for then it is ambiguous (RFC
    6298 3)."""
    if a is None or a.answered_ns is None or a.answered_ns < a.first.time_ns or a.first.frame == 0:
        return None
    return (a.answered_ns - a.first.time_ns + 500) // 1000 / 1000  # whole microseconds


def _citations(e: Evidence, rule: Rule) -> tuple[Citation, ...]:
    """The records behind the features that the rule asked for, in order, each once."""
    asked = ["answer", *(feature for feature, _, _ in rule.conditions)]
    asked += [
        {"icmp": "answer", "rst_tos": "answer", "control_tos": "control", "rst_ttl": "control"}.get(f, "")
        for f in asked
    ]
    if rule.id in ("NP110", "NP112", "NP117", "NP122"):
        asked += ["ping"]
    found: dict[tuple[int, str], Citation] = {}
    for feature in asked:
        for frame, time_ns, what in e.cited.get(feature, ()):
            found.setdefault((frame, what), Citation(frame, time_ns, what))
    return tuple(found[key] for key in sorted(found))


def _elsewhere(e: Evidence, rule: Rule) -> tuple[str, ...]:
    """SSH on another port of the same address is the first thing to try."""
    if rule.cause == "up":
        return ()
    found = []
    for port, talk in sorted(e.elsewhere.items()):
        if talk.opening.identification is not None:
            host = e.target.target if ":" not in e.target.target else e.target.address
            found.append(f"SSH answers on port {port} ({talk.opening.identification}): `ssh -p {port} {host}`")
    return tuple(found)


def _notes(e: Evidence) -> tuple[str, ...]:
    """Signs that this may not be the machine meant, and what limits the verdict."""
    notes: list[str] = list(remarks(e.target.address)) if e.target.address is not None else []
    if e.features.get("route") == "local":
        notes.append("this address is this machine's own")
    if e.features.get("all_open") == "yes":
        notes.append(
            "every port tried answers with SYN-ACK: a proxy or a shield against SYN floods may answer for the host"
        )
    if e.features.get("control") == "icmp" and e.features.get("answer") == "icmp":
        notes.append("other ports of this address are rejected in the same way")
    notes += _seen_from(e)
    weakness = telling.weakness(e.kex) if e.kex is not None else None
    if weakness is not None:
        notes.append(weakness)
    return tuple(notes)


# The client's own rhythm tells its system, where it had to repeat its SYN.
RHYTHMS = {
    "linux": "the client repeated its SYN after 1, 3, 7 s, as Linux does",
    "linear": "the client repeated its SYN every second, as Linux since 6.5, macOS and BSD do",
    "windows": "the client repeated its SYN as Windows does",
}


def _seen_from(e: Evidence) -> Iterator[str]:
    """What is particular to a capture: from which side it was taken, what it lacks."""
    if e.host is None:
        return
    side = e.features.get("vantage", "unknown")
    if side != "unknown":
        place = {"client": "on the client's side", "server": "on the server's side", "middle": "on the way"}[side]
        yield f"captured {place}: {e.vantage_because}"
    elif e.vantage_because:
        yield f"captured on a side that can't be told: {e.vantage_because}"
    if e.features.get("midstream") == "yes":
        yield "the client's SYN is not in this capture"
    if e.features.get("sides") == "client-only":
        yield "only the client's packets are in this capture"
    elif e.features.get("sides") == "server-only":
        yield "only the server's packets are in this capture"
    if e.features.get("ended") == "reset" and e.features.get("kex") in ("began", "other"):
        yield "the server's side reset the connection later"
    if "rhythm" in e.features:
        yield RHYTHMS[e.features["rhythm"]]


def _vantage(e: Evidence) -> str | None:
    side = e.features.get("vantage")
    return side if side != "unknown" else None


def _service(e: Evidence) -> Service | None:
    c = e.conversation
    if c is None or not c.stream:
        return None
    heard = c.attempt.service
    named = greeting.name(c.stream)
    protocol = "ssh" if c.opening.identification is not None else named.name if named is not None else None
    lines = c.opening.lines
    if not lines and c.opening.identification is None:
        lines = (c.opening.unfinished[:1024].decode("latin-1"),)
    text = tuple(line[:1024] for line in lines[:16])
    auth = answer(e.asked) if e.asked is not None else heard.auth if heard is not None else None
    return Service(protocol, c.opening.identification, text, e.kex, auth)


def _credentials(e: Evidence) -> Credentials | None:
    """The user's side of a login, where there is a server to log in to."""
    if e.mine is None or e.features.get("spoke") != "ssh2":
        return None
    from netprobe.ssh.credentials import compare

    return compare(e.mine, e.asked, e.target.target, e.target.port)


def _path(e: Evidence) -> tuple[Hop, ...]:
    return e.survey.hops if e.survey is not None else ()


# A client that reset its own attempt without having acknowledged, closed or lost anything.
_ONLY_SYN = re.compile(r"\^?S[^HAFGIQ]*R")


def conn_state(a: Attempt) -> str:
    """Zeek's conn_state (scripts/base/protocols/conn/main.zeek): the first test that holds decides. Empty where no
    packets were captured."""
    if a.first.flags < 0:
        return ""
    client, server = a.looks >> c.B_C_STATE & 15, a.looks >> c.B_S_STATE & 15
    client_silent, server_silent = (state in (c.Z_INACTIVE, c.Z_PARTIAL) for state in (client, server))
    if server == c.Z_RESET:
        empty = client == c.Z_RESET and not a.client_bytes and not a.server_bytes
        if client in (c.Z_SYN_SENT, c.Z_SYN_ACK_SENT) or empty:
            return "REJ"
        return "RSTRH" if client_silent else "RSTR"
    if client == c.Z_RESET:
        if server_silent:
            return "RSTOS0" if _ONLY_SYN.match(a.history) else "OTH"
        return "RSTO"
    if client == c.Z_CLOSED:
        return "SF" if server == c.Z_CLOSED else "SH" if server_silent else "S2"
    if server == c.Z_CLOSED:
        return "SHR" if client_silent else "S3"
    if client == c.Z_SYN_SENT and server == c.Z_INACTIVE:
        return "S0"
    return "S1" if client == server == c.Z_ESTABLISHED else "OTH"
