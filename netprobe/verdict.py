"""From evidence to a verdict: the table decides, this file fills the form."""

from __future__ import annotations

from netprobe import greeting, origin, texts
from netprobe.addresses import remarks
from netprobe.attempts import Attempt
from netprobe.evidence import Evidence
from netprobe.model import Alternative, Citation, Endpoint, Hop, Service, Verdict
from netprobe.rules import Rule, decide


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
        remedy=_elsewhere(e, rule) + tuple(fill(text, values) for text in rule.remedy),
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
    if a is None or a.answered_ns is None or a.answered_ns < a.first.time_ns:
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
    return tuple(notes)


def _service(e: Evidence) -> Service | None:
    c = e.conversation
    if c is None or not c.stream:
        return None
    named = greeting.name(c.stream)
    protocol = "ssh" if c.opening.identification is not None else named.name if named is not None else None
    lines = c.opening.lines
    if not lines and c.opening.identification is None:
        lines = (c.opening.unfinished[:1024].decode("latin-1"),)
    return Service(protocol, c.opening.identification, tuple(line[:1024] for line in lines[:16]))


def _path(e: Evidence) -> tuple[Hop, ...]:
    return e.survey.hops if e.survey is not None else ()


def conn_state(a: Attempt) -> str:
    """Zeek's conn_state (scripts/base/protocols/conn/main.zeek), as far as one attempt's packets tell it."""
    if a.first.flags < 0:
        return ""
    established = a.synack is not None and a.client_ack is not None
    if a.rst is not None:
        if a.synack is None:
            return "REJ"
        return "RSTR" if a.server_fin is None else "SF" if a.client_fin is not None else "RSTR"
    if a.client_rst is not None:
        return "RSTO" if a.synack is not None else "RSTOS0"
    if a.server_fin is not None and a.client_fin is not None:
        return "SF"
    if a.client_fin is not None:
        return "S2" if a.synack is not None else "SH"
    if a.server_fin is not None:
        return "S3" if not a.midstream else "SHR"
    if established:
        return "S1"
    if a.midstream:
        return "OTH"
    return "S0" if a.synack is None else "S1"
