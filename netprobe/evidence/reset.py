"""Who wrote a reset: the host's other answers beside it."""

from __future__ import annotations

from netprobe.attempts import UNSEEN, Attempt, Form
from netprobe.evidence.answer import result_of
from netprobe.evidence.record import Evidence, hops_away, judge_probe, probes_of, said, said_icmp, tos_of


def judge_reset(e: Evidence) -> None:
    resets = [a for a in e.syns if a.rst is not None]
    for a in resets:
        assert a.rst is not None
        word = tos_of(a.first, a.rst)
        if word is not None and (a is e.marked or "rst_tos" not in e.features):
            e.features["rst_tos"] = word
    if resets and resets[0].rst is not None and resets[0].rst.ttl != UNSEEN:
        rst = resets[0].rst
        df = bool(rst.options & 256)
        plain = rst.window == 0 and (resets[0].version == 6 or (rst.ip_id == 0 and df))
        e.features["rst_traits"] = "netfilter" if plain else "other"
    for a in probes_of(e, Form.MD5_SYN)[:1]:
        judge_probe(e, "md5", a, a.synack or a.rst, "SYN with MD5 option", "answered")


def judge_controls(e: Evidence) -> None:
    """The same address's other ports and its echo replies: what its own answers look like."""
    address = e.target.address
    results = [(a, result_of(e, a, e.patience_ns)) for a in e.controls]
    tried = [a for a, r in results if r != "pending"]
    resets = [a for a, r in results if r == "reset"]
    opened = sorted({a.server.port for a, r in results if r == "syn-ack"})
    from_target = [a for a, r in results if r == "icmp" and a.icmp is not None and a.icmp.sender == address]
    e.open_ports = tuple(opened)
    chosen = resets[:1] or [a for a, r in results if r == "syn-ack"][:1] or from_target[:1]
    if chosen:
        a = chosen[0]
        e.features["control"] = "reset" if resets else "syn-ack" if opened else "icmp"
        packet = a.rst or a.synack
        e.cite("control", a.first.frame, a.first.time_ns, said(a.first, f"SYN to port {a.server.port}"))
        if packet is not None:
            e.cite("control", packet.frame, packet.time_ns, said(packet, packet.letters))
        elif a.icmp is not None:
            e.cite("control", a.icmp.frame, a.icmp.time_ns, said_icmp(a.icmp))
    elif tried and len(tried) == len(results):
        e.features["control"] = "silent"
        for a in tried[:2]:
            e.cite("control", a.first.frame, a.first.time_ns, said(a.first, f"SYN to port {a.server.port}, unanswered"))
    for a in resets:
        assert a.rst is not None
        word = tos_of(a.first, a.rst)
        if word is not None:
            e.features.setdefault("control_tos", word)
    reset_ports = {a.server.port for a in resets}
    for a in e.attempts:
        if a.form is Form.MD5_SYN and a.server.port in reset_ports and not a.limited:
            judge_probe(
                e, "control_md5", a, a.synack or a.rst, f"SYN with MD5 option to port {a.server.port}", "answered"
            )
            break
    if len(opened) >= 4 and len(opened) == len({a.server.port for a in e.controls}):
        e.features["all_open"] = "yes"
    _ping(e)
    answers = bool(resets or opened or from_target or e.features.get("ping") == "answered" or e.answer_from_target())
    if answers:
        e.features["host"] = "answers"
    elif e.features.get("control") == "silent" and e.features.get("ping") in ("silent", "icmp", None):
        e.features["host"] = "silent"
    _reset_distance(e, resets)


def _ping(e: Evidence) -> None:
    for a in e.pings:
        if a.reply is not None:
            e.features["ping"] = "answered"
            e.cite("ping", a.reply.frame, a.reply.time_ns, f"echo reply ttl {a.reply.ttl} tos 0x{a.reply.tos:02x}")
            return
    for a in e.pings[:1]:
        if a.icmp is not None:
            e.features["ping"] = "icmp"
            e.cite("ping", a.icmp.frame, a.icmp.time_ns, said_icmp(a.icmp))
        elif e.now_ns - e.pings[-1].first.last_ns >= e.patience_ns:
            e.features["ping"] = "silent"
            e.cite("ping", a.first.frame, a.first.time_ns, "echo request, unanswered")
        else:
            e.waits_until(e.pings[-1].first.last_ns + e.patience_ns)


def _reset_distance(e: Evidence, control_resets: list[Attempt]) -> None:
    """The answers of the host that a scan asked for."""
    trusted = [a.reply.ttl for a in e.pings if a.reply is not None]
    trusted += [a.synack.ttl for a in e.controls if a.synack is not None]
    trusted += [a.rst.ttl for a in control_resets if a.rst is not None and tos_of(a.first, a.rst) == "echo"]
    pinged = [a.reply.ttl for a in e.pings if a.reply is not None and a.reply.ttl > 0]
    place_reset(e, [ttl for ttl in trusted if ttl > 0], max(pinged, key=hops_away, default=0))


def place_reset(e: Evidence, trusted: list[int], pinged: int) -> None:
    """The TTL of a RST or ICMP error against answers that only the host itself can have made; `pinged` is the TTL of
    its echo reply, 0 where there was none."""
    suggested = {hops_away(ttl) for ttl in trusted}
    if suggested and e.distance is None and max(suggested) > (e.survey.other_last if e.survey is not None else 0):
        e.distance = max(suggested)
    elif suggested and e.distance not in suggested:
        # The way back is longer or shorter than the way there: TTLs no longer tell who is closer.
        e.features["ways"] = "differ"
    icmp = e.answer.icmp if e.answer is not None else None
    if trusted and icmp is not None and icmp.sender == e.target.address and icmp.ttl is not None:
        gap = hops_away(icmp.ttl) - max(hops_away(ttl) for ttl in trusted)
        e.features["icmp_ttl"] = "same" if gap == 0 else "closer" if gap < 0 else "farther"
    resets = [a.rst for a in e.syns if a.rst is not None and a.rst.ttl > 0]
    if not resets or not trusted:
        return
    ttl = resets[0].ttl
    e.pinged = hops_away(pinged) if pinged else None
    if e.pinged is not None and hops_away(ttl) > e.pinged:
        # Whoever answers ping is closer than the stack that resets, on this port and perhaps on every other.
        e.features["rst_ttl"] = "farther"
        return
    if ttl in trusted:
        e.features["rst_ttl"] = "same"
        return
    farthest = max(suggested)
    if e.features.get("ways") == "differ" and e.distance is not None:
        farthest = e.distance
    away = hops_away(ttl)
    e.features["rst_ttl"] = "closer" if away < farthest else "farther" if away > farthest else "other"
