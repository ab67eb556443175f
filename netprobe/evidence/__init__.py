"""Everything known of one target, and its reduction to a few words that the rules are written in.

    vocabulary   every feature and its words
    record       Evidence: the features, what each rests on, what is pending
    local        resolver, route, neighbour, connect()
    answer       what came back to the SYNs
    reset        who wrote a reset
    walk         how far probes get, who sends errors
    silence      probes that split silence
    service      what an open connection said
    kex          how the clear part of an SSH session went
    host         what else a capture shows of the server's address
    vantage      from which side it was captured
    passive      one attempt of a capture: what is compared where no probe can be sent

House rules of this package:
1. Pure: `now_ns` is an argument; silence is a deadline that has passed, `pending` one that has not.
2. A feature is a word out of FEATURES or absent (not asked, or can't be told). Nothing else reaches the rules.
3. What a feature rests on is kept beside it (`cited`), so that every verdict can name its packets.
4. An attempt of a capture (`host` is given) is judged alone, by these numbers of its row and no others, so that
   attempts alike share one verdict: header fields and counts of the remembered packets; history; the words
   `sides.looks`, `hosts.host_word` and `sides.since`; and these comparisons of times: now - first SYN >= 4.2 s
   (SILENCE_NS), now - last SYN >= 1 s; SYN-ACK or reset within 0.5 s of the SYN; reset before SYN-ACK; ICMP 2 s or more
   after the SYN; last SYN-ACK after the ACK; end within 2 round trips + 50 ms of the ACK; now - (last data, or ACK) >=
   banner wait (12 s, or 2 s where any service will do); three moments of lines over 1.5 s; now - the later of both
   identifications >= 2.5 s; server's first data 2 s or more after the SYN-ACK, told in whole seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from netprobe.attempts import UNSEEN, Attempt, Form
from netprobe.evidence.answer import judge_answer
from netprobe.evidence.host import Host, host_of
from netprobe.evidence.local import judge_own_syn, take_facts
from netprobe.evidence.passive import judge_passive, judge_vantage
from netprobe.evidence.record import ELSEWHERE_PORTS, IMPOSSIBLE, SECOND, Conversation, Evidence, Payload, hops_away
from netprobe.evidence.reset import judge_controls, judge_reset
from netprobe.evidence.service import hear_conversations
from netprobe.evidence.silence import judge_silence
from netprobe.evidence.vantage import SIDES, way_to_here
from netprobe.evidence.vocabulary import FEATURES
from netprobe.evidence.walk import judge_icmp, judge_walk, reset_hop, take_survey
from netprobe.model import Fact, Mode, TargetFact

__all__ = [
    "ELSEWHERE_PORTS",
    "FEATURES",
    "IMPOSSIBLE",
    "SECOND",
    "SIDES",
    "Conversation",
    "Evidence",
    "Host",
    "Payload",
    "collect",
    "hops_away",
    "host_of",
    "reset_hop",
    "way_to_here",
]


def collect(
    target: TargetFact,
    attempts: Iterable[Attempt],
    facts: Sequence[Fact],
    payload: Payload,
    now_ns: int,
    host: Host | None = None,
    vantage: str | None = None,
) -> Evidence:
    """All evidence for one target from the attempts towards its address and the facts of the scan.

    With `host`, for one attempt of a capture: `attempts` is that one, `host` what else the capture shows of its address
    (`host_of` of its row), `vantage` the side of the capture where the user told it (client, server, middle).
    """
    e = Evidence(target, now_ns, attempts=sorted(attempts, key=lambda a: (a.first.time_ns, a.first.frame)))
    e.host, e.vantage = host, vantage
    e.features["expect"] = "ssh" if target.expect == "ssh" else "any"
    e.features["mode"] = "kernel" if target.mode is Mode.CONNECT else "packets"
    if target.sweep:
        e.features["basis"] = "sweep"
    take_facts(e, facts)
    if target.address is None:
        return e
    _sort(e)
    _round_trip(e)
    take_survey(e)
    if host is not None:
        judge_vantage(e)
    judge_answer(e)
    judge_own_syn(e)
    judge_reset(e)
    if host is not None:
        judge_passive(e)
        judge_icmp(e)
    else:
        judge_controls(e)
        judge_silence(e)
        judge_icmp(e)
        judge_walk(e)
    hear_conversations(e, payload)
    return e


def _sort(e: Evidence) -> None:
    """Which attempt played which part."""
    port = e.target.port
    for a in e.attempts:
        if a.server.address != e.target.address:
            continue
        if a.form is Form.ECHO:
            if not a.limited:
                e.pings.append(a)
        elif a.server.port == port and not a.limited:
            if _is_syn(e, a):
                e.syns.append(a)
        elif a.server.port != port and a.form is Form.SYN and not a.limited:
            e.controls.append(a)
    for a in e.syns:
        if a.first.tos != UNSEEN and a.first.tos & 0xFC and (e.marked is None or e.marked.rst is None):
            e.marked = a


def _is_syn(e: Evidence, a: Attempt) -> bool:
    """Whether an attempt began as a real client's does. In a capture that may be a bare SYN, or one that was not
    captured itself, but answered."""
    if e.host is None:
        return a.form is Form.SYN and not a.midstream
    return a.form in (Form.SYN, Form.BARE_SYN) and (not a.midstream or a.synack is not None)


def _round_trip(e: Evidence) -> None:
    times = [
        a.answered_ns - a.first.time_ns
        for a in e.attempts
        if a.answered_ns is not None
        and a.server.address == e.target.address
        and not a.limited
        and a.form is not Form.NEIGHBOR
        and a.form is not Form.FRAGMENT
        and (a.icmp is None or a.icmp.sender == e.target.address)
    ]
    if times and e.host is None:  # patience with probes that are still out; a capture has none
        e.rtt_ns = max(0, min(times))
