"""Verdicts and reports for tests of what is made of them."""

from __future__ import annotations

from typing import Any

from netprobe.model import (
    Alternative,
    Certainty,
    Citation,
    Endpoint,
    Hop,
    Mode,
    Origin,
    OriginKind,
    Service,
    State,
    Verdict,
)
from netprobe.report import CaptureStatus, Report

STARTED_NS = 1_763_690_000_123_456_789

# Everything that moves a cursor, turns the direction of writing, or is markup to somebody.
HOSTILE = (
    "\x1b]0;owned\x07\x1b[31m\x9b31m\x08\r\n\x00\x7f\u202e\u2066\u200f\ufeff\ud800"
    " [/red] [bold] <script>alert(1)</script> =cmd|' %s {0}"
)


def a_verdict(**changes: Any) -> Verdict:
    """A refused connection, complete in every field, with some of them changed."""
    fields: dict[str, Any] = {
        "target": "203.0.113.5",
        "address": "203.0.113.5",
        "port": 22,
        "state": State.CLOSED,
        "reason": "reset",
        "cause": "reset-by-host-firewall",
        "certainty": Certainty.CERTAIN,
        "rule": "NP112",
        "origin": Origin(OriginKind.TARGET, "203.0.113.5", 3),
        "because": ("the reset carries DSCP 0 although the SYN had 18", "a SYN with a TCP-MD5 option was answered"),
        "alternatives": (Alternative("no-listener", "other stacks do so", "look at `ss -ltn` on the server"),),
        "remedy": ("on the server: `nft list ruleset`",),
        "evidence": (Citation(4, STARTED_NS, "RST,ACK ttl 62 tos 0x00 win 0"),),
        "client": Endpoint("192.0.2.2", 40112),
        "reason_address": "203.0.113.5",
        "reason_ttl": 62,
        "history": "Sr",
        "conn_state": "REJ",
        "rtt_ms": 0.41234,
        "attempts": 3,
        "path": (Hop(1, "192.0.2.1", 0.2, "time-exceeded"), Hop(2, None, None, "no-response")),
    }
    return Verdict(**(fields | changes))


def an_up_verdict(**changes: Any) -> Verdict:
    """An SSH server that says who it is."""
    fields: dict[str, Any] = {
        "state": State.OPEN,
        "reason": "syn-ack",
        "cause": "up",
        "rule": "NP300",
        "origin": Origin(OriginKind.TARGET),
        "because": ("it sent an SSH identification",),
        "alternatives": (),
        "remedy": (),
        "service": Service("ssh", "SSH-2.0-OpenSSH_9.2p1"),
    }
    return a_verdict(**(fields | changes))


def a_hostile_verdict() -> Verdict:
    """Everything in it that a stranger could have written is hostile."""
    return a_verdict(
        target=HOSTILE,
        because=(HOSTILE,),
        alternatives=(Alternative("other-service", HOSTILE, HOSTILE),),
        remedy=(HOSTILE,),
        notes=(HOSTILE,),
        evidence=(Citation(1, 7, HOSTILE),),
        service=Service("ssh", HOSTILE, (HOSTILE, "A" * 1_000_000, "\x1b" * 5000)),
    )


def a_report(*verdicts: Verdict, **changes: Any) -> Report:
    """A scan of a second and a bit that gave these verdicts."""
    fields: dict[str, Any] = {
        "command": "scan",
        "started_ns": STARTED_NS,
        "finished_ns": STARTED_NS + 1_500_000_000,
        "mode": Mode.RAW,
        "verdicts": verdicts,
        "capture": CaptureStatus(packets=42, unsolicited=1),
    }
    return Report(**(fields | changes))
