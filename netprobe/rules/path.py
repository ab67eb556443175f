"""Rules for what routers say: ICMP errors whose sender is not the target, and loops."""

from __future__ import annotations

from netprobe.model import Certainty, State
from netprobe.rules.rule import Place, Rival, Rule

FILTER_OR_ROUTE = Rival(
    "rejected-on-path",
    "a filter can be told to send this code (REJECT --reject-with)",
    "ask who runs {icmp_sender} for its rules and its route to {address}",
)

RULES = (
    Rule(
        "NP201",
        "answer=icmp icmp=expired loop=yes",
        State.FILTERED,
        "time-exceeded",
        "routing-loop",
        Certainty.CERTAIN,
        Place.SENDER,
        ("a SYN with full TTL died on the way ({icmp} from {icmp_sender}), and the routers repeat: {route_list}",),
        remedy=(
            "whoever runs {icmp_sender} must correct the route to {address}'s network (often a NAT pool without a discard route)",
        ),
        reference="P5; RFC 792",
    ),
    Rule(
        "NP202",
        "answer=icmp icmp=expired",
        State.FILTERED,
        "time-exceeded",
        "routing-loop",
        Certainty.LIKELY,
        Place.SENDER,
        ("a SYN with full TTL died on the way: {icmp} from {icmp_sender}",),
        (
            Rival(
                "rejected-on-path",
                "no repeated router was seen, and a filter can send this code",
                "`netprobe scan {address} -vv` again: a loop shows the same routers twice in the path",
            ),
        ),
        ("whoever runs {icmp_sender} must look at its route to {address}",),
        "P5; RFC 792",
    ),
    Rule(
        "NP210",
        "answer=icmp icmp=network icmp_from=path icmp_order=after-expiry",
        State.FILTERED,
        "{icmp_reason}",
        "rejected-on-path",
        Certainty.LIKELY,
        Place.SENDER,
        (
            "{icmp_sender} says {icmp_text} ({icmp}), but a SYN that expires at it draws time exceeded first: it had a route, and decided later",
        ),
        (
            Rival(
                "network-unreachable",
                "the order of route look-up and TTL check is measured for Linux routers only",
                "ask who runs {icmp_sender} for its route to {address}",
            ),
        ),
        ("who runs {icmp_sender} must allow {address} port {port}, or tell why not",),
        "P1, P4",
    ),
    Rule(
        "NP211",
        "answer=icmp icmp=network icmp_from=path icmp_elsewhere=different",
        State.FILTERED,
        "{icmp_reason}",
        "rejected-on-path",
        Certainty.CERTAIN,
        Place.SENDER,
        (
            "{icmp_sender} says {icmp_text} ({icmp}) for port {port} only; another port of {address} is answered otherwise, so a filter wrote it",
        ),
        remedy=("who runs {icmp_sender} must allow {address} port {port}",),
        reference="P4",
    ),
    Rule(
        "NP212",
        "answer=icmp icmp=network icmp_from=path icmp_order=at-once icmp_elsewhere=same",
        State.FILTERED,
        "{icmp_reason}",
        "network-unreachable",
        Certainty.LIKELY,
        Place.SENDER,
        (
            "{icmp_sender} has no route to {address}: {icmp} ({icmp_text}), for every port, and before it looks at the TTL",
        ),
        (
            Rival(
                "rejected-on-path",
                "a filter that looks before routing (prerouting, raw) can send this code for every port",
                "ask who runs {icmp_sender} for its rules and its route to {address}",
            ),
        ),
        ("who runs {icmp_sender} must add the route; is the address right, is the network or VPN up?",),
        "P1; RFC 792, RFC 4443 3.1",
    ),
    Rule(
        "NP213",
        "answer=icmp icmp=network icmp_from=path",
        State.FILTERED,
        "{icmp_reason}",
        "network-unreachable",
        Certainty.LIKELY,
        Place.SENDER,
        ("{icmp_sender} says that it has no route to {address}: {icmp} ({icmp_text})",),
        (FILTER_OR_ROUTE,),
        ("who runs {icmp_sender} must add the route; is the address right, is the network or VPN up?",),
        "P1; RFC 792, RFC 4443 3.1",
    ),
    Rule(
        "NP220",
        "answer=icmp icmp=host icmp_from=path icmp_elsewhere=different",
        State.FILTERED,
        "{icmp_reason}",
        "rejected-on-path",
        Certainty.CERTAIN,
        Place.SENDER,
        (
            "{icmp_sender} says {icmp_text} ({icmp}) for port {port} only; another port of {address} is answered otherwise, so a filter wrote it",
        ),
        remedy=("who runs {icmp_sender} must allow {address} port {port}",),
        reference="P3, P4",
    ),
    Rule(
        "NP221",
        "answer=icmp icmp=host icmp_from=path icmp_when=late",
        State.FILTERED,
        "{icmp_reason}",
        "host-unreachable",
        Certainty.CERTAIN,
        Place.SENDER,
        (
            "{icmp_sender}, the last router, looked for {address} on its link for {delay} s and gave up: {icmp}, {copies} at once",
            "a scanner that waits less than 3 s calls this host filtered",
        ),
        remedy=(
            "is the host switched on, on that network, with this address?",
            "on {icmp_sender}: `ip neigh show {address}` (FAILED), the switch port, the VLAN",
        ),
        reference="P2; RFC 4861 7.2.2, RFC 1122 2.3.2.1",
    ),
    Rule(
        "NP222",
        "answer=icmp icmp=host icmp_from=path icmp_order=after-expiry",
        State.FILTERED,
        "{icmp_reason}",
        "rejected-on-path",
        Certainty.LIKELY,
        Place.SENDER,
        ("{icmp_sender} says {icmp_text} ({icmp}) at once, after it had looked at the TTL: a filter, not a route",),
        (
            Rival(
                "host-unreachable",
                "a router that already knows the host to be dead answers as fast",
                "repeat after a minute: a neighbour look-up takes 3 s again",
            ),
        ),
        ("who runs {icmp_sender} must allow {address} port {port}",),
        "P3, P4",
    ),
    Rule(
        "NP223",
        "answer=icmp icmp=host icmp_from=path",
        State.FILTERED,
        "{icmp_reason}",
        "host-unreachable",
        Certainty.LIKELY,
        Place.SENDER,
        (
            "{icmp_sender} says at once that {address} is unreachable: {icmp} ({icmp_text}), most likely a route of type unreachable",
        ),
        (FILTER_OR_ROUTE,),
        ("who runs {icmp_sender} must look at its route to {address}: a null route, or a tunnel that is down",),
        "P3",
    ),
    Rule(
        "NP230",
        "answer=icmp icmp=prohibited|port|protocol|other|reassembly icmp_from=path",
        State.FILTERED,
        "{icmp_reason}",
        "rejected-on-path",
        Certainty.CERTAIN,
        Place.SENDER,
        ("{icmp_sender}, which is not {address}, rejects the SYN: {icmp} ({icmp_text})", "{client_text}"),
        remedy=("who runs {icmp_sender} must allow {address} port {port} from {source}",),
        reference="P4; RFC 1812 5.2.7.1, RFC 4443 3.1",
    ),
)
