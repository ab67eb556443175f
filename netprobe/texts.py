"""The values behind the placeholders of the rules' texts. Everything is told from packets, nothing is decided here."""

from __future__ import annotations

from netprobe import greeting
from netprobe.evidence import IMPOSSIBLE, Evidence, hops_away
from netprobe.model import Origin
from netprobe.spoken import readable
from netprobe.ssh import login_telling, telling
from netprobe.tracker import columns as c

# What common clients print for an answer (wire-evidence, Appendix A): it misleads, so the verdict names it.
CLIENT_TEXT = {
    (4, "port-unreach"): 'ssh prints "Connection refused" for it',
    (4, "host-unreach"): 'ssh prints "No route to host" for it',
    (4, "host-prohibited"): 'ssh prints "No route to host" for it, though routing is fine',
    (4, "admin-prohibited"): 'ssh prints "No route to host" for it, though routing is fine',
    (4, "net-prohibited"): 'ssh prints "Network is unreachable" for it',
    (4, "proto-unreach"): 'ssh prints "Protocol not available" for it',
    (6, "port-unreach"): 'ssh prints "Connection refused" for it',
    (6, "admin-prohibited"): 'ssh prints "Permission denied" for it, though no login was tried',
    (6, "source-policy"): 'ssh prints "Permission denied" for it, though no login was tried',
    (6, "reject-route"): 'ssh prints "Permission denied" for it, though no login was tried',
}


# What rules for two captures tell, where there are two.
PAIRED: dict[str, object] = {
    "pair_syns": 0,
    "pair_answers": 0,
    "pair_because": "one capture lacks what it should have",
    "pair_forged_ttl": "unknown",
    "pair_syn_told": "",
    "pair_answer_told": "an answer",
    "pair_size": 0,
    "pair_copies": 0,
    "pair_passed": 0,
    "pair_way": "between the two captures",
    "pair_server": "another machine",
}


class _Values(dict[str, object]):
    """A value that is not known is said so instead of failing."""

    def __missing__(self, key: str) -> str:
        return "?"


def fill(text: str, values: dict[str, object]) -> str:
    """A rule's text with its placeholders filled."""
    return text.format_map(_Values(values))


def values(e: Evidence, origin: Origin) -> dict[str, object]:
    """All placeholders that this evidence has a value for."""
    found: dict[str, object] = {
        "target": e.target.target,
        "address": e.target.address or e.target.target,
        "port": e.target.port,
        "tries": sum(a.first.count for a in e.syns),
        "waited": _waited(e),
        "where": where(origin),
        "dropped": e.dropped,
        "unsettled": _unsettled(e),
        "client_text": "",
        "kernel_only": "without privilege only the kernel's word is known"
        if e.features["mode"] == "kernel"
        else "too little answers to compare it with",
        "wire_says": _wire_says(e),
        "alive": _alive(e),
        "answers": _answers(e),
        "our": "our" if e.host is None else "the client's",
        "we": "we" if e.host is None else "the client",
        "syn_tos": _syn_tos(e),
        "limiter": e.limiter.sender if e.limiter is not None else "a router",
        "limit": e.limiter.per_s if e.limiter is not None else 1,
    }
    found.update(PAIRED | e.paired)
    _sides(found, e)
    if e.features.get("stuck") is not None:
        found["stuck"] = e.features["stuck"].partition("-")[0]
        found["other_side"] = "client" if found["stuck"] == "server" else "server"
    if e.resolved is not None:
        found["detail"] = e.resolved.detail or e.resolved.outcome
    if e.syns:
        found["source"] = e.syns[0].client.address
        found["client_port"] = e.syns[0].client.port
        if e.syns[0].synack is not None:
            found["synack_copies"] = e.syns[0].synack.count
        odd = next((a.odd for a in e.syns if a.odd is not None), None)
        if odd is not None:
            found["odd"] = odd.letters
    _local(found, e)
    _reset(found, e)
    _icmp(found, e)
    _walk(found, e)
    _service(found, e)
    found.update({name: value for name, value in e.named.items() if name in found})
    return found


def where(origin: Origin) -> str:
    """`at 198.51.100.2 (hop 2)` or `between 198.51.100.2 and 203.0.113.5`."""
    if origin.between is not None:
        first, second = (one or "an unknown router" for one in origin.between)
        return f"between {first} and {second}"
    if origin.address is not None:
        return f"at {origin.address}" + (f" (hop {origin.hop})" if origin.hop is not None else "")
    return f"at hop {origin.hop}" if origin.hop is not None else "somewhere on the path"


def _syn_tos(e: Evidence) -> str:
    """The DSCP field of the SYN that tells who answers."""
    a = e.marked or (e.syns[0] if e.syns else None)
    return f"0x{a.first.tos & 0xFC:02x}" if a is not None and a.first.tos > 0 else "0x00"


def _waited(e: Evidence) -> str:
    start = e.syns[0].first.time_ns if e.syns else e.target.time_ns
    if e.conversation is not None:
        start = e.conversation.last_ns
        if e.conversation.attempt.client_ack is not None and not e.conversation.stream:
            start = e.conversation.attempt.client_ack.time_ns
    return str((e.now_ns - start + 500_000_000) // 1_000_000_000)


def _unsettled(e: Evidence) -> str:
    if e.features.get("sides") == "client-only":
        return "the way back was not captured"
    if e.features.get("sides") == "server-only":
        return "the way there was not captured"
    if e.features.get("replied") == "broken-off":
        return "the client answered the SYN-ACK with a reset, as port scanners do"
    if e.features.get("answer") == "pending":
        return "the SYN was not watched long enough for silence to mean anything"
    if e.features.get("spoke") == "pending":
        return "the server was not given long enough to speak"
    if not e.syns:
        return "no SYN of this client was seen"
    return "the observations fit no single cause"


def _wire_says(e: Evidence) -> str:
    """Beyond a local block: what a crafted SYN, which goes around local rules, found."""
    word = {"reset": "a reset", "syn-ack": "SYN-ACK", "icmp": "an ICMP error", "silent": "silence"}.get(
        e.features.get("answer", "")
    )
    if word is None:
        return ""
    return f"a crafted SYN that goes around this machine's rules draws {word} from the network"


def _alive(e: Evidence) -> str:
    parts = []
    if e.features.get("ping") == "answered":
        parts.append("it answers ping")
    if e.host is not None:
        if e.host.control is not None:
            parts.append("it answers on another port")
        if e.host.here:
            parts.append("this port answers another connection")
        return " and ".join(parts) or "it answers others"
    if e.features.get("control") in ("reset", "syn-ack", "icmp"):
        ports = sorted({a.server.port for a in e.controls if a.answered_ns is not None})
        parts.append("it answers on port " + ", ".join(map(str, ports[:3])))
    if e.reassembles:
        parts.append("it reports the reassembly time of fragments")
    return " and ".join(parts) or "it answers other probes"


def _answers(e: Evidence) -> str:
    """The changing answers in order: `RST, then ICMP 3/3`."""
    said = []
    for a in sorted(
        [*e.syns, *([e.answer] if e.answer and e.answer not in e.syns else [])], key=lambda a: a.first.time_ns
    ):
        shape = "SYN" if a.form == "syn" else "SYN without options"
        if a.first.tos > 0 and a.first.tos & 0xFC:
            shape += f" with DSCP 0x{a.first.tos:02x}"
        packet = a.synack or a.rst
        word = packet.letters if packet is not None else a.icmp.label if a.icmp is not None else "no answer"
        said.append(f"{shape}: {word}")
    return "; ".join(said)


def _local(found: dict[str, object], e: Evidence) -> None:
    for events in e.connections.values():
        for event in events:
            if event.event == "failed" and event.error:
                found["connect_error"] = event.error
    if e.route is not None:
        found["interface"] = e.route.interface
        found["next_hop"] = e.route.gateway or e.target.address
        if e.route.source is not None:
            found.setdefault("source", e.route.source)
    asked = [a for a in e.attempts if a.form == "neighbor" and a.reply is None]
    six = ":" in (e.target.address or "")
    found["neighbor_protocol"] = "neighbour solicitations" if six else "ARP"
    found["neighbor_asked"] = f"{sum(a.first.count for a in asked)} times" if asked else "by the kernel"


def _reset(found: dict[str, object], e: Evidence) -> None:
    rst = next((a.rst for a in e.syns if a.rst is not None and a.rst.ttl > 0), None)
    if rst is not None:
        found["rst_ttl"] = rst.ttl
        found["rst_hops"] = _hops(hops_away(rst.ttl))
        found["rst_seen"] = f"its TTL is {rst.ttl}, its DSCP field 0x{rst.tos:02x}"
        found["rst_tos"] = f"{rst.tos:02x}"
    control = next((a for a in e.controls if a.rst is not None), None) or next(
        (a for a in e.controls if a.synack), None
    )
    if control is not None:
        found["control_port"] = control.server.port
    ttls = {a.reply.ttl for a in e.pings if a.reply is not None}
    ttls |= {p.ttl for a in e.controls for p in (a.rst, a.synack) if p is not None}
    if e.host is not None:
        ttls = set(e.host.ttls)
        if e.host.control is not None:
            found["control_port"] = "another one of this capture"
    found["host_ttl"] = ", ".join(str(ttl) for ttl in sorted(ttls) if ttl > 0) or "none"
    if e.survey is not None:
        found["rst_walk_ttl"] = e.survey.port_reached


def _tenths(duration_ns: int, unit_ns: int) -> str:
    """A duration with one decimal. In integers: whoever fills in many of them must come to the same digits."""
    tenths = (duration_ns + unit_ns // 20) // (unit_ns // 10)
    return f"{tenths // 10}.{tenths % 10}"


# What speaks against a reset's sender, in the order of how much.
SIGNS = {
    c.X_TTL: "a TTL of its own",
    c.X_WENT_ON: "its sender went on after it",
    c.X_TTLS: "resets with two TTLs",
    c.X_SEQS: "resets with several sequence numbers",
    c.X_BEYOND: "a sequence number beyond the next one",
    c.X_ID_OF_PEER: "the IP ID of the packet it answers",
    c.X_ID: "an IP ID far from the others",
    c.X_WINDOW_OF_PEER: "the window of the packet it answers",
    c.X_FLOW: "another flow label",
}


def _sides(found: dict[str, object], e: Evidence) -> None:
    """How a capture's resets differ from their sender's other packets."""
    a = e.syns[0] if e.syns else None
    if a is None:
        return
    for name, at in (("signs", c.B_S_SIGNS), ("client_signs", c.B_C_SIGNS)):
        bits = a.looks >> at & ((1 << c.SIGNS_WIDTH) - 1)
        found[name] = ", ".join(text for bit, text in SIGNS.items() if bits & bit) or "none"
    server = a.synack or a.server_data
    found["server_ttl"] = server.ttl if server is not None else "none"
    found["client_ttl"] = a.first.ttl
    found["client_rst_ttl"] = a.client_rst.ttl if a.client_rst is not None else "none"


def _hops(count: int) -> str:
    return "1 hop" if count == 1 else f"{count} hops"


def _icmp(found: dict[str, object], e: Evidence) -> None:
    icmp = e.answer.icmp if e.answer is not None else None
    if icmp is None or e.answer is None:
        return
    found["icmp"] = icmp.label
    found["icmp_text"] = icmp.meaning.text
    found["icmp_reason"] = icmp.meaning.reason
    found["icmp_sender"] = icmp.sender
    found["delay"] = _tenths(icmp.time_ns - e.answer.first.time_ns, 1_000_000_000)
    copies = sum(
        a.icmp.count for a in e.attempts if a.icmp is not None and a.icmp.sender == icmp.sender and not a.limited
    )
    found["copies"] = "1 copy" if copies == 1 else f"{copies} copies"
    found["client_text"] = CLIENT_TEXT.get((icmp.version, icmp.meaning.reason), "")


def _walk(found: dict[str, object], e: Evidence) -> None:
    if e.survey is None:
        return
    s = e.survey
    found["route_list"] = " > ".join(s.routers[hop] for hop in sorted(s.routers))
    last = s.routers.get(s.port_last)
    found["last_heard"] = f"{last} (hop {s.port_last})" if last else "this machine, and not even the first router"


def _service(found: dict[str, object], e: Evidence) -> None:
    talk = e.conversation
    if talk is None:
        return
    a = talk.attempt
    named = greeting.name(talk.stream)
    said = talk.opening.identification
    found["service"] = named.what if named else "SSH" if said else "an unknown service"
    found["identification"] = said and readable(said)
    line = next((line for line in talk.opening.lines if line.strip()), talk.opening.unfinished.decode("latin-1"))
    found["line"] = readable(line)[:200]
    found["line_count"] = len(talk.opening.lines)
    times = sorted(set(talk.line_times))
    if len(times) >= 2:
        found["beat"] = f"{(times[-1] - times[0]) / (len(times) - 1) / 1e9:.1f}"
    late = 0
    if a.server_data is not None and a.synack is not None:
        late = (a.server_data.time_ns - a.synack.time_ns + 500_000_000) // 1_000_000_000
    found["late"] = f", after {late} s" if late >= 2 else ""
    found["preceded"] = (
        f", after {len(talk.opening.lines)} other line{'s' * (len(talk.opening.lines) > 1)}"
        if talk.opening.lines
        else ""
    )
    if a.synack is not None:
        found["synack_copies"] = a.synack.count
        found["synack_ttl"] = a.synack.ttl
        found["rtt"] = _tenths(a.synack.time_ns - a.first.time_ns, 1_000_000)
    found["acknowledged"] = (
        "acknowledged" if a.client_acked > 1 else "not acknowledged" if a.client_data else "not asked for"
    )
    if e.kex is not None:
        found.update(telling.values(e.kex, e.offered, e.target.target))
    if e.auth is not None:
        found.update(login_telling.values(e.auth))
    found["impossible"] = ", ".join(
        sorted({p.server.address for p in e.attempts if p.server.address in IMPOSSIBLE[p.version] and p.synack})
    )
