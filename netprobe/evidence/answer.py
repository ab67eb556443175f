"""What came back to the SYNs that a real client would send too."""

from __future__ import annotations

from netprobe.attempts import UNSEEN, Attempt, Form
from netprobe.evidence.record import SECOND, SPACED_NS, Evidence, probes_of, said, said_icmp
from netprobe.icmp import IcmpKind
from netprobe.model import Endpoint
from netprobe.tracker.columns import B_ASKED_TWICE as ASKED_TWICE
from netprobe.tracker.columns import B_ONWARD as ONWARD
from netprobe.tracker.sides import LONG_NS

# A silent SYN: the last router's ICMP comes 3.1 s after the first packet it could not deliver (three neighbour
# solicitations one second apart, RFC 4861 10), so silence is called after four seconds.
SILENCE_NS = 4_200_000_000
# How late an answer may be beside one before it.
LATE_NS = 50_000_000


def result_of(e: Evidence, a: Attempt, patience_ns: int) -> str:
    """What came back to one SYN."""
    if a.challenge is not None and (challenged := _challenge(e, a)):
        return challenged
    if a.synack is not None and not _contradicted(a):
        return "syn-ack"
    if a.rst is not None:
        return "reset"
    if a.icmp is not None and a.icmp.meaning.kind is not IcmpKind.TOO_BIG:
        return "icmp"
    if a.odd is not None and a.first.count <= a.odd.count <= a.first.count + (a.syn2.count if a.syn2 else 0):
        return "odd"
    return _unanswered(e, a, patience_ns)


def _unanswered(e: Evidence, a: Attempt, patience_ns: int) -> str:
    if a.client == Endpoint(a.client.address, 0) or e.now_ns - a.first.last_ns >= patience_ns:
        return "silent"
    e.waits_until(a.first.last_ns + patience_ns)
    return "pending"


def _challenge(e: Evidence, a: Attempt) -> str | None:
    """`challenge` or `pending`; None where the SYN itself was answered beside the ACK: anybody can send one.

    Our kernel resets what the ACK speaks of and repeats its SYN, Linux after 8 ms instead of a second (RFC 5961 4;
    tcp_rcv_synsent_state_process, net/ipv4/tcp_input.c). With the old connection gone, that one is answered. Hence an
    ACK of the server is the answer to one of the SYNs, and a stranger's leaves an answer for each.
    """
    packet = a.synack or a.rst
    if packet is None or packet.time_ns - a.first.time_ns >= SPACED_NS // 2:
        return "challenge"
    if packet.count + (a.synack2.count if a.synack2 else 0) >= a.first.count:
        return None
    owed_ns = a.first.last_ns + 2 * (packet.time_ns - a.first.time_ns) + LATE_NS
    if e.now_ns >= owed_ns:
        return "challenge"
    e.waits_until(owed_ns)
    return "pending"


def _contradicted(a: Attempt) -> bool:
    """A reset of the SYN, then a SYN-ACK for the same SYN: one host does not say both."""
    return a.rst is not None and a.synack is not None and a.rst.time_ns < a.synack.time_ns


def _cite(e: Evidence, results: list[tuple[Attempt, str]]) -> None:
    for a, result in results:
        packet = a.challenge or (a.rst if _contradicted(a) else a.synack) or a.rst
        packet = packet or (a.odd if result == "odd" else None)
        e.cite("answer", a.first.frame, a.first.time_ns, said(a.first, "SYN"))
        if result == "icmp" and a.icmp is not None:
            e.cite("answer", a.icmp.frame, a.icmp.time_ns, said_icmp(a.icmp))
        elif packet is not None and result != "silent":
            e.cite("answer", packet.frame, packet.time_ns, said(packet, packet.letters))
        if _contradicted(a) and a.synack is not None:
            e.features["contradicted"] = "yes"
            e.cite("contradicted", a.synack.frame, a.synack.time_ns, said(a.synack, a.synack.letters))


def _challenged(e: Evidence, results: list[tuple[Attempt, str]]) -> None:
    """An old connection of the same ports: another source port is answered as it should, or this one in the end."""
    e.features["answer"] = "challenge"
    if any(result in ("syn-ack", "reset") for _, result in results):
        e.features["other_source"] = "answered"
    if any(a.challenge is not None and a.synack is not None and a.server_bytes for a, _ in results):
        e.features["answer"] = "syn-ack"


def judge_answer(e: Evidence) -> None:
    """The answer to the SYNs that a real client would send too."""
    if not e.syns:
        return
    if e.host is not None and e.syns[0].looks >> ONWARD & 1:
        return  # only the client's packets were captured: what it heard is not known
    patience_ns = max(SPACED_NS, e.patience_ns)
    results = [(a, result_of(e, a, patience_ns)) for a in e.syns]
    if any(result not in ("odd", "pending") for _, result in results):
        # What fits nothing sent may be anybody's, so it is an answer only where every SYN draws one.
        results = [(a, _unanswered(e, a, patience_ns) if r == "odd" else r) for a, r in results]
    _cite(e, results)
    kinds = {result for _, result in results if result != "pending"}
    spoke = [(a, r) for a, r in results if r not in ("pending", "silent")]
    heard = [a for a, r in spoke if r != "odd"]
    e.answer = next((a for a, r in spoke if r == "challenge"), heard[0] if heard else None)
    if "challenge" in kinds:
        _challenged(e, results)
    elif kinds == {"silent"}:
        _silent_answer(e, results)
    elif kinds == {"silent", "icmp"} and len({_nature(a, r) for a, r in spoke}) == 1:
        # Who sends errors limits them to about one a second (RFC 1812 4.3.2.8): the other SYNs were owed the same.
        e.features["answer"] = "icmp"
    elif len(kinds) > 1 or len({_nature(a, r) for a, r in spoke}) > 1:
        _mixed_answer(e, results)
    elif len(kinds) == 1 and kinds == {"odd"}:
        e.features["answer"] = "odd" if sum(a.first.count for a in e.syns) >= 3 else "pending"
        e.waits_until(e.syns[0].first.time_ns + 2 * SECOND)
    elif kinds:
        e.features["answer"] = kinds.pop()
    else:
        e.features["answer"] = "pending"


def _nature(a: Attempt, result: str) -> str:
    """An ICMP answer of another kind is another answer."""
    return f"icmp {a.icmp.label}" if result == "icmp" and a.icmp is not None else result


def _silent_answer(e: Evidence, results: list[tuple[Attempt, str]]) -> None:
    """Silence needs three SYNs, and the time that the last router takes to give up on a dead host.

    Without packets the repetitions are not counted: in four seconds every kernel sends three SYNs.
    """
    until = e.syns[0].first.time_ns + SILENCE_NS
    tries = sum(a.first.count for a in e.syns)
    bare = next((a for a in probes_of(e, Form.BARE_SYN)), None)
    if bare is not None and result_of(e, bare, e.patience_ns) in ("syn-ack", "reset"):
        e.features["answer"] = "shape"
        e.answer = bare
        packet = bare.synack or bare.rst
        if packet is not None:
            e.cite("answer", bare.first.frame, bare.first.time_ns, said(bare.first, "SYN without options"))
            e.cite("answer", packet.frame, packet.time_ns, said(packet, packet.letters))
    elif (told := _told_another_probe(e)) is not None and e.now_ns >= until:
        # The sender limits its errors (RFC 1812 4.3.2.8): another probe got the one that the SYNs were owed.
        e.features["answer"] = "icmp"
        e.answer = told
        assert told.icmp is not None
        e.cite("answer", told.icmp.frame, told.icmp.time_ns, said_icmp(told.icmp))
    elif e.now_ns >= until and _enough(e, tries) and not any(r == "pending" for _, r in results):
        e.features["answer"] = "silent"
    else:
        e.features["answer"] = "pending"
        e.waits_until(until)


def _enough(e: Evidence, tries: int) -> bool:
    """Whether so many unanswered SYNs are silence. In a capture the client decided how often to try."""
    if e.host is not None:
        # What has reached the server's own link is lost no more.
        return (
            bool(e.syns[0].looks >> ASKED_TWICE & 1)
            or e.features.get("vantage") == "server"
            or e.now_ns - e.syns[0].first.last_ns >= LONG_NS
        )
    return tries >= 3 or e.features["mode"] == "kernel" or e.target.sweep


def _told_another_probe(e: Evidence) -> Attempt | None:
    """A probe of the walk to the port, or a bare SYN, that drew an error which is no time-exceeded."""
    for a in e.attempts:
        like = (a.limited and a.form is Form.SYN) or a.form is Form.BARE_SYN
        if like and a.server == Endpoint(e.target.address or "", e.target.port):
            answer = a.icmp
            if answer is not None and answer.meaning.kind not in (IcmpKind.EXPIRED, IcmpKind.TOO_BIG):
                return a
    return None


def _mixed_answer(e: Evidence, results: list[tuple[Attempt, str]]) -> None:
    """Different answers to like SYNs: by their shape, or by their order?"""
    settled = [(a, _nature(a, r)) for a, r in results if r != "pending"]
    e.features["first"] = next(r for _, r in results if r != "pending")
    by_shape: dict[int, set[str]] = {}
    for a, nature in settled:
        by_shape.setdefault(a.first.tos & 0xFC if a.first.tos != UNSEEN else 0, set()).add(nature)
    if any(len(natures) > 1 for natures in by_shape.values()):
        e.features["answer"] = "changed"
    elif len(settled) >= 3 and len(by_shape) > 1:
        e.features["answer"] = "shape"
    else:
        e.features["answer"] = "pending"
