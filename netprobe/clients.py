"""What clients print when a connection fails, and the causes that make them print it.

House rules of this file:
1. A client's text is no evidence: it only says which causes are worth looking at.
2. docs/index.md has the same table, for reading; a test holds the two together.
"""

from __future__ import annotations

import re

# text as the client prints it -> (a pattern that finds it, causes, the most frequent first)
TEXTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "Connection timed out during banner exchange": (
        r"timed out during banner exchange",
        ("no-banner", "tarpit", "other-service", "syn-proxy"),
    ),
    "kex_exchange_identification: Connection closed by remote host": (
        r"(kex_exchange|ssh_exchange)_identification.*closed|remote side unexpectedly closed",
        ("closed-before-banner", "refused-with-text", "other-service", "transparent-proxy"),
    ),
    "kex_exchange_identification: read: Connection reset by peer": (
        r"(kex_exchange|ssh_exchange)_identification.*reset",
        ("closed-before-banner", "refused-with-text", "reset-after-banner", "forward-without-backend"),
    ),
    "banner line contains invalid characters": (
        r"banner line contains invalid|banner exchange.*invalid format",
        ("other-service",),
    ),
    "Protocol major versions differ": (r"major versions differ|only provides .*ssh-1", ("ssh1-only",)),
    "expecting SSH2_MSG_KEX_ECDH_REPLY": (r"expecting ssh2_msg_kex", ("path-mtu-black-hole",)),
    "Could not resolve hostname": (
        r"could not resolve|name or service not known|failure in name resolution|unable to open connection to",
        ("name-not-found", "resolver-failure"),
    ),
    "Connection refused": (
        r"connection refused|econnrefused",
        (
            "no-listener",
            "reset-by-host-firewall",
            "rejected-by-host",
            "reset-on-path",
            "rejected-on-path",
            "forward-without-backend",
            "local-firewall",
        ),
    ),
    "Connection timed out": (
        r"connection timed out|operation timed out|etimedout",
        (
            "dropped",
            "host-silent",
            "backlog-full",
            "syn-filtered",
            "reply-filtered",
            "syn-shape-filtered",
            "rate-limited",
            "handshake-blocked",
            "local-firewall",
        ),
    ),
    "No route to host": (
        r"no route to host|ehostunreach",
        (
            "host-unreachable",
            "neighbor-unreachable",
            "rejected-by-host",
            "rejected-on-path",
            "no-local-route",
            "routing-loop",
            "forward-without-backend",
        ),
    ),
    "Network is unreachable": (
        r"network is unreachable|enetunreach",
        ("network-unreachable", "no-local-route", "rejected-on-path"),
    ),
    "Permission denied": (
        # with a list of methods behind it, it is the login that failed
        r"permission denied(?! ?[,(])|eacces",
        ("rejected-by-host", "rejected-on-path", "no-local-route"),
    ),
    "Invalid argument": (r"invalid argument|einval", ("no-local-route",)),
    "Cannot assign requested address": (
        r"cannot assign requested address|too many open files|eaddrnotavail|emfile",
        ("local-limit",),
    ),
    "Connection reset by peer": (r"connection reset by|econnreset", ("reset-after-handshake", "syn-proxy")),
}

ABOUT = {
    "name-not-found": "the name does not exist, or has no address",
    "resolver-failure": "the resolver fails or doesn't answer",
    "no-local-route": "this machine has no route there, or one that forbids it",
    "local-firewall": "a rule on this machine stops the connection; no packet leaves",
    "neighbor-unreachable": "the host or gateway on this link doesn't answer ARP or neighbour discovery",
    "local-limit": "this machine is out of ports or descriptors",
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
    "no-banner": "accepted, then silence: a daemon that hangs",
    "closed-before-banner": "accepted, then closed without a word",
    "refused-with-text": "accepted, then refused in words: MaxStartups, a penalty, TCP wrappers",
    "tarpit": "an endless trickle of lines, to waste your time",
    "other-service": "another service than SSH is on this port",
    "ssh1-only": "the server speaks SSH 1 only",
    "reset-after-banner": "cut off after the identification, mostly by a filter on the path",
}


def causes_of(text: str) -> tuple[str, tuple[str, ...]] | None:
    """The client's text that is found in `text`, and its causes; None where it isn't known."""
    for known, (pattern, causes) in TEXTS.items():
        if re.search(pattern, text, re.IGNORECASE):
            return known, causes
    return None


def page(text: str) -> str | None:
    """What can make a client print this text, for a terminal; None where the text isn't known."""
    found = causes_of(text)
    if found is None:
        return None
    known, causes = found
    width = max(map(len, causes))
    lines = [f"  {cause:{width}}  {ABOUT[cause]}" for cause in causes]
    many = f"{len(causes)} causes" if len(causes) > 1 else "one cause"
    return "\n".join(
        [
            f'"{known}" is printed for {many} that netprobe knows:',
            "",
            *lines,
            "",
            "Which one it is, the packets tell:  sudo netprobe scan HOST",
            "More about one of them:             netprobe explain CAUSE",
            "",
        ]
    )
