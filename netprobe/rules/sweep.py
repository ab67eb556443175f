"""Rules for the one SYN of a sweep: what it proves by itself, and what only a scan of the address could tell."""

from __future__ import annotations

from netprobe.model import Certainty, State
from netprobe.rules.rule import Place, Rival, Rule

SCAN = "`netprobe scan {address} -p {port}` tells the rivals apart"
PROXY = Rival(
    "syn-proxy",
    "a proxy or a shield against SYN floods may have answered for the host",
    "a connection that goes on to speak: `netprobe scan {address} -p {port}`",
)
NOT_LINUX = Rival(
    "no-listener",
    "the stack of another system may answer just so",
    "a closed port of the same address beside it: `netprobe scan {address} -p {port}`",
)
FILTER = Rival(
    "reset-by-host-firewall",
    "a filter on the host can write the same reset",
    "a closed port of the same address beside it: `netprobe scan {address} -p {port}`",
)
ON_PATH = Rival(
    "reset-on-path",
    "a box before the host can forge it",
    "an answer that only the host can give (ping, an open port) to compare TTLs with",
)
DOWN = Rival("host-unreachable", "the host may be down, or there may be none", "`netprobe scan {address} -p {port}`")
DROPPED = Rival(
    "dropped", "a filter may drop this port, or everything", "other ports and ping: `netprobe scan {address} -p {port}`"
)

RULES = (
    Rule(
        "NP801",
        "basis=sweep answer=syn-ack expect=ssh",
        State.OPEN,
        "syn-ack",
        "up",
        Certainty.POSSIBLE,
        Place.TARGET,
        ("the port answers the sweep's SYN with SYN-ACK; whether SSH speaks behind it was not asked",),
        (
            Rival(
                "other-service",
                "another service may listen there",
                "its first words: `netprobe scan {address} -p {port}`",
            ),
            Rival(
                "closed-before-banner",
                "a listener that takes connections may close them again",
                "its first words: `netprobe scan {address} -p {port}`",
            ),
            PROXY,
        ),
        reference="RFC 9293 3.5",
    ),
    Rule(
        "NP802",
        "basis=sweep answer=syn-ack",
        State.OPEN,
        "syn-ack",
        "up",
        Certainty.LIKELY,
        Place.TARGET,
        ("the port answers the sweep's SYN with SYN-ACK; nothing was said on a connection",),
        (PROXY,),
        reference="RFC 9293 3.5",
    ),
    Rule(
        "NP803",
        "basis=sweep answer=reset rst_tos=zero rst_traits=netfilter",
        State.CLOSED,
        "reset",
        "reset-by-host-firewall",
        Certainty.POSSIBLE,
        Place.UNKNOWN,
        (
            "the reset has DSCP 0 though the sweep's SYN had {syn_tos}, and no window: as netfilter writes it, and not as Linux's own stack does",
            "no closed port of the host was asked, so its own stack may answer so, or the path clear the DSCP",
        ),
        (ON_PATH, NOT_LINUX),
        ("on the server: `nft -a list ruleset`, `iptables-save`: find the rule that resets", SCAN),
        "T2, T4; nf_reject_ipv4.c",
    ),
    Rule(
        "NP804",
        "basis=sweep answer=reset rst_tos=zero",
        State.CLOSED,
        "reset",
        "no-listener",
        Certainty.POSSIBLE,
        Place.TARGET,
        ("the sweep's SYN is answered with a reset; its DSCP is 0, so it is not Linux's own stack, or the path clears it",),
        (FILTER, ON_PATH),
        ("on the server: is anything listening (`ss -ltn`, `netstat -an`)?", SCAN),
        "T1 to T6",
    ),
    Rule(
        "NP805",
        "basis=sweep answer=silent limit=shown",
        State.FILTERED,
        "no-response",
        "rejected-on-path",
        Certainty.POSSIBLE,
        Place.UNKNOWN,
        (
            "{tries} SYNs stay unanswered, but {limiter} rejects the neighbours of {address}, and not more than about {limit} of them a second",
            "so the error that {address} was owed may have fallen to that limit",
        ),
        (DROPPED, DOWN),
        (
            "sweep again with --patient, which asks as slowly as {limiter} answers",
            "who runs {limiter} can tell its rules and its limit (Linux: net.ipv4.icmp_ratelimit)",
        ),
        "RFC 1812 4.3.2.8, RFC 4443 2.4",
    ),
    Rule(
        "NP806",
        "basis=sweep answer=silent",
        State.FILTERED,
        "no-response",
        "host-silent",
        Certainty.POSSIBLE,
        Place.UNKNOWN,
        ("{tries} SYNs to port {port} stay unanswered for {waited} s; the sweep asked nothing else of {address}",),
        (DROPPED, DOWN, Rival("reply-filtered", "its replies may be lost on the way back", "capture on the server")),
        ("is the address right, the host up?", SCAN),
        "P6, P7",
    ),
)
