"""What the path walk and ICMP errors tell: how far probes get, who refuses, in what order."""

from __future__ import annotations

from netprobe.evidence.record import SECOND, Evidence, hops_away
from netprobe.icmp import IcmpKind
from netprobe.path import survey

WALK_PATIENCE_NS = 120_000_000


def take_survey(e: Evidence) -> None:
    assert e.target.address is not None
    e.survey = survey(e.attempts, e.target.port, e.target.address)
    e.distance = e.survey.distance
    for a in e.attempts:
        if a.limited and a.answered_ns is None and a.server.address == e.target.address:
            # A router may be farther away in time than the host's own answers suggest, but not by much.
            e.waits_until(a.first.last_ns + max(e.patience_ns, WALK_PATIENCE_NS))


def judge_icmp(e: Evidence) -> None:
    a = e.answer
    if a is None or a.icmp is None or e.features.get("answer") not in ("icmp", "changed", "shape"):
        return
    answer = a.icmp
    e.features["icmp"] = answer.meaning.kind.value
    local = answer.sender == a.client.address and answer.sender != e.target.address
    e.features["icmp_from"] = "local" if local else "target" if answer.sender == e.target.address else "path"
    e.features["icmp_when"] = "late" if answer.time_ns - a.first.time_ns >= 2 * SECOND else "prompt"
    elsewhere = [c for c in e.controls if c.answered_ns is not None]
    if elsewhere:
        like = any(
            c.icmp is not None and c.icmp.label == answer.label and c.icmp.sender == answer.sender for c in elsewhere
        )
        e.features["icmp_elsewhere"] = "same" if like else "different"
    s = e.survey
    if s is None or not s.port_steps or e.features["icmp_from"] != "path":
        return
    if s.port_reached is not None and s.port_sender == answer.sender:
        if s.hop_of(answer.sender) is not None and s.port_reached == (s.hop_of(answer.sender) or 0) + 1:
            e.features["icmp_order"] = "after-expiry"
        elif all(step.sender != answer.sender for step in s.port_steps.values() if step.result == "expired"):
            e.features["icmp_order"] = "at-once"


def _translated(e: Evidence) -> bool:
    """The whole address is translated: errors from behind carry it for every port, and say nothing about this one."""
    return any(
        a.limited
        and a.server.port != e.target.port
        and a.icmp is not None
        and a.icmp.meaning.kind is IcmpKind.EXPIRED
        and a.icmp.sender == a.server.address == e.target.address
        for a in e.attempts
    )


def reset_hop(e: Evidence) -> int:
    """Where its TTL places the reset's maker; 0 where it was not seen."""
    rst = e.answer.rst if e.answer is not None else None
    return hops_away(rst.ttl) if rst is not None and rst.ttl > 0 else 0


def judge_walk(e: Evidence) -> None:
    s = e.survey
    if s is None or not (s.port_steps or s.other_last):
        return
    for step in s.port_steps.values():
        if step.result == "silent":
            continue
        e.cite("dies", step.frame, e.now_ns, f"SYN with TTL {step.ttl}: {step.result} ({step.sender})")
    if s.loops:
        e.features["loop"] = "yes"
    for step in s.port_steps.values():
        if step.result == "expired" and step.sender == e.target.address and not _translated(e):
            e.features["forwards"] = "yes"
            e.cite("forwards", step.frame, e.now_ns, f"time exceeded from the target for a SYN with TTL {step.ttl}")
    answer = e.features.get("answer")
    if answer == "reset" and s.port_reached is not None and s.port_reached <= s.other_last:
        e.features["rst_walk"] = "before-target"
    elif answer == "reset" and 0 < reset_hop(e) < s.port_last:
        e.features["rst_walk"] = "beyond"
    elif answer == "reset" and s.port_reached is not None and 0 < reset_hop(e) == s.port_last == s.port_reached - 1:
        e.features["rst_walk"] = "last-router"
    if answer in ("silent", "pending"):
        if any(ttl > s.port_last for ttl in s.port_dead):
            e.features["dies"] = "before-last-router"
        elif s.port_last == 0 and s.other_last == 0:
            e.features["dies"] = "here"
        elif s.port_last >= max(s.other_last, 1) or s.port_last + 1 == e.distance:
            e.features["dies"] = "after-last-router"
        else:
            e.features["dies"] = "unclear"
