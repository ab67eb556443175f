"""Every cause in a few words, and how far a client gets with each.

House rules of this file:
1. A cause's stage is the last at which a client can meet it: what has come further can't have that cause.
"""

from __future__ import annotations

from enum import IntEnum


class Stage(IntEnum):
    """How far a client came."""

    NAME = 0  # looking for an address
    CONNECT = 1  # connect() has not returned
    OPEN = 2  # connected; no identification of the server's yet
    KEX = 3  # identifications exchanged
    LOGIN = 4  # keys exchanged, the login is on
    SESSION = 5  # logged in


# What a stage rules out, in words: how far the client came.
REACHED = {
    Stage.NAME: "the name has no address yet",
    Stage.CONNECT: "the name was found, and the connection tried",
    Stage.OPEN: "the connection was accepted",
    Stage.KEX: "the server has sent its SSH identification",
    Stage.LOGIN: "keys were exchanged, a login was tried",
    Stage.SESSION: "the login succeeded",
}

ABOUT = {
    "name-not-found": "the name does not exist, or has no address",
    "resolver-failure": "the resolver fails or doesn't answer",
    "no-local-route": "this machine has no route there, or one that forbids it",
    "local-firewall": "a rule on this machine stops the connection; no packet leaves",
    "neighbor-unreachable": "the host or gateway on this link doesn't answer ARP or neighbour discovery",
    "local-limit": "this machine is out of ports or descriptors, or lacks the address to send from",
    "transparent-proxy": "something in between answers for every address",
    "network-unreachable": "a router has no route",
    "host-unreachable": "the last router can't find the host (switched off, wrong address)",
    "rejected-on-path": "a filter before the host rejects with ICMP",
    "routing-loop": "routers send the packets in a circle",
    "host-silent": "nothing at all comes from this address",
    "path-mtu-black-hole": "small packets pass, full-size ones vanish",
    "no-listener": "nothing listens on this port",
    "reset-by-host-firewall": "a firewall on the host answers with a reset",
    "reset-on-path": "a box before the host answers with a reset in its name",
    "forward-without-backend": "the port is forwarded to a machine that isn't there or doesn't listen",
    "rejected-by-host": "a filter on the host rejects with ICMP (REJECT, firewalld, a ban of fail2ban)",
    "dropped": "a filter swallows this port; the host is alive",
    "backlog-full": "a daemon is there but hangs: its queue of connections is full",
    "syn-filtered": "a filter swallows SYNs, and nothing listens behind it",
    "reply-filtered": "the SYN arrives, the answer is lost on its way back",
    "rate-limited": "a limit on connections: the answer changes with the n-th try",
    "syn-proxy": "a box shakes hands for a host that isn't behind it",
    "handshake-blocked": "the last packet of the handshake never arrives",
    "reset-after-handshake": "accepted, then reset at once: a balancer without a backend, mostly",
    "syn-shape-filtered": "a filter swallows some forms of SYN and passes others",
    "stale-four-tuple": "the server still holds an older connection from the same port",
    "malformed-answer": "the answers fit no rule of TCP: two boxes answer, or one that is broken",
    "no-banner": "accepted, then silence: a daemon that hangs",
    "closed-before-banner": "accepted, then closed without a word",
    "refused-with-text": "accepted, then refused in words: MaxStartups, a penalty, TCP wrappers",
    "tarpit": "an endless trickle of lines, to waste your time",
    "other-service": "another service than SSH is on this port",
    "ssh1-only": "the server speaks SSH 1 only",
    "reset-after-banner": "cut off after the identification, mostly by a filter on the path",
    "no-common-algorithm": "client and server have no algorithm in common",
    "kex-aborted": "the key exchange began and was broken off",
    "host-key-refused": "the client doesn't trust the server's host key",
    "auth-failed": "the server took none of the passwords or keys it was shown",
    "auth-no-method": "the server takes no method of login that the client has",
    "auth-too-many": "more keys or passwords were tried than the server allows",
    "auth-second-factor": "one factor passed, a second one is asked for",
}

# The last stage at which a client meets a cause.
LAST: dict[str, Stage] = {
    "name-not-found": Stage.NAME,
    "resolver-failure": Stage.NAME,
    **dict.fromkeys(
        (
            *("transparent-proxy", "forward-without-backend", "rate-limited", "syn-proxy", "handshake-blocked"),
            *("reset-after-handshake", "no-banner", "closed-before-banner", "refused-with-text", "tarpit"),
            *("other-service", "ssh1-only"),
        ),
        Stage.OPEN,
    ),
    **dict.fromkeys(
        ("path-mtu-black-hole", "reset-after-banner", "no-common-algorithm", "kex-aborted", "host-key-refused"),
        Stage.KEX,
    ),
    **dict.fromkeys(("auth-failed", "auth-no-method", "auth-too-many", "auth-second-factor"), Stage.LOGIN),
    "reset-on-path": Stage.SESSION,
}


def last(cause: str) -> Stage:
    """The last stage at which a client meets this cause."""
    return LAST.get(cause, Stage.CONNECT)
