"""What clients print when a connection fails, and the causes that make them print it.

House rules of this file:
1. A client's text is no evidence: it only says which causes are worth looking at, the most frequent first.
2. docs/index.md has the same table, for reading; a test holds the two together.
3. The first pattern that is found decides: what says more stands before what says less.
"""

from __future__ import annotations

from typing import NamedTuple

from netprobe.clients.causes import Stage


class Text(NamedTuple):
    """One row. `text`: as the client prints it; `pattern`: finds it and what other clients print instead (case does
    not count); `means`: what the text itself proves; `stage`: how far the client had come."""

    text: str
    pattern: str
    stage: Stage
    causes: tuple[str, ...]
    means: str


_CLOSED = ("closed-before-banner", "refused-with-text", "other-service", "transparent-proxy")
_RESET = ("closed-before-banner", "refused-with-text", "reset-after-banner", "forward-without-backend")
_SILENT = (
    *("dropped", "host-silent", "backlog-full", "syn-filtered", "reply-filtered", "syn-shape-filtered"),
    *("rate-limited", "handshake-blocked", "local-firewall"),
)
_REFUSED = (
    *("no-listener", "reset-by-host-firewall", "rejected-by-host", "reset-on-path", "rejected-on-path"),
    *("forward-without-backend", "local-firewall"),
)
_NO_ROUTE = (
    *("host-unreachable", "neighbor-unreachable", "rejected-by-host", "rejected-on-path", "no-local-route"),
    *("routing-loop", "forward-without-backend"),
)

ROWS: tuple[Text, ...] = (
    Text(
        "Connection timed out during banner exchange",
        r"timed out during banner exchange|^connection to \S+ port \d+ timed out",
        Stage.OPEN,
        ("no-banner", "tarpit", "other-service", "syn-proxy"),
        "somebody accepted the connection; no SSH identification came in time",
    ),
    Text(
        "kex_exchange_identification: read: Connection reset by peer",
        r"(kex_exchange|ssh_exchange)_identification.*reset|error reading ssh protocol banner.*reset",
        Stage.OPEN,
        _RESET,
        "the connection was accepted and reset before the server's identification",
    ),
    Text(
        "kex_exchange_identification: Connection closed by remote host",
        r"(kex_exchange|ssh_exchange)_identification.*closed",
        Stage.OPEN,
        _CLOSED,
        "the connection was accepted and closed before the server's identification",
    ),
    Text(
        "banner line contains invalid characters",
        r"banner line contains invalid|banner exchange.*invalid format|protocol error: no identification|bad remote "
        r"protocol version identification",
        Stage.OPEN,
        ("other-service",),
        "what answered speaks something else than SSH",
    ),
    Text(
        "Protocol major versions differ",
        r"major versions differ|only provides .*ssh-1|incompatible remote version|incompatible version \(1|"
        r"unsupported ssh version|could not read protocol version",
        Stage.OPEN,
        ("ssh1-only",),
        "the server said in its identification that it speaks SSH 1",
    ),
    Text(
        "Error reading SSH protocol banner",
        r"error reading ssh protocol banner",
        Stage.OPEN,
        (*_CLOSED, "no-banner", "tarpit"),
        "the connection was accepted; paramiko says the same for a server that closes and for one that is silent",
    ),
    Text(
        "Remote side unexpectedly closed network connection",
        r"remote side unexpectedly closed|remote closed the connection|asyncssh\S*connectionlost|\beoferror\b",
        Stage.OPEN,
        (*_CLOSED, "kex-aborted"),
        "the connection was accepted and closed; before or after the identification, this client doesn't say",
    ),
    Text(
        "Unable to negotiate",
        r"unable to negotiate|no matching (\w+ )*(method|algorithm|cipher|mac|host key type|exchange)|no matching algo|"
        r"incompatible ssh (peer|server)|couldn't agree a|weak crypto primitive|algorithm negotiation fail",
        Stage.KEX,
        ("no-common-algorithm",),
        "both sides sent their lists of algorithms, and one of the lists has nothing in common",
    ),
    Text(
        "Host key verification failed",
        r"host key verification failed|remote host identification has changed|host key for server .* does not match|"
        r"host key not in manually configured|not found in known_hosts|cannot confirm a host key|badhostkey|"
        r"host key is not (trusted|cached)|hostkeynotverifiable|knownhosts: key (mismatch|is unknown)",
        Stage.KEX,
        ("host-key-refused",),
        "the key exchange came as far as the server's host key, and the client itself turned away",
    ),
    Text(
        "Too many authentication failures",
        r"too many authentication failures",
        Stage.LOGIN,
        ("auth-too-many",),
        "the server closed after its limit of tries (MaxAuthTries): an agent with many keys is enough",
    ),
    Text(
        "Permission denied (publickey)",
        # a list of methods behind it: it is the login that failed
        r"permission denied( \(|, please try again)|no supported authentication methods|unable to authenticate|"
        r"authentication failed|auth fail\b|access denied|password was not accepted|no auth methods could be used|"
        r"bad authentication type|permission denied for user|all configured authentication methods failed",
        Stage.LOGIN,
        ("auth-failed", "auth-no-method", "auth-second-factor"),
        "network, port, daemon and key exchange are fine: the server turned the login down",
    ),
    Text(
        "expecting SSH2_MSG_KEX_ECDH_REPLY",
        r"expecting ssh2_msg_kex",
        Stage.KEX,
        ("path-mtu-black-hole",),
        "small packets passed both ways; the first large ones have no answer, if this is the last line",
    ),
    Text(
        "Could not resolve hostname",
        r"could not resolve|unable to resolve|name or service not known|nodename nor servname|no address associated|"
        r"failure in name resolution|unable to open connection to|no such host is known|unknown ?host|getaddrinfo|"
        r"server lookup failure|no such host|host does not exist|eai_again|enotfound|error resolving",
        Stage.NAME,
        ("name-not-found", "resolver-failure"),
        "no packet went to the server: its name has no address here",
    ),
    Text(
        "Connection refused",
        r"connection refused|econnrefused|actively refused|errno (111|61)\b|\b10061\b",
        Stage.CONNECT,
        _REFUSED,
        "an answer came, and it was no",
    ),
    Text(
        "Couldn't connect to server",
        r"couldn't connect to server|unable to connect to port|failed to connect to the host via ssh:? *$",
        Stage.CONNECT,
        (*_REFUSED, "host-unreachable", "network-unreachable", "neighbor-unreachable", "no-local-route"),
        "the client doesn't say which error it was: `curl -v`, or ssh to the same port, does",
    ),
    Text(
        "Connection timed out",
        r"connect\w* timed out|operation timed out|etimedout|timed out: operation now in progress|i/o timeout|"
        r"timeout was reached|ncat: timeout|timeouterror|did not properly respond|errno (110|60)\b|\b10060\b|"
        r"connection to \S+ timed out|tcptestsucceeded *: *false|context deadline exceeded",
        Stage.CONNECT,
        _SILENT,
        "nothing came back, neither yes nor no",
    ),
    Text(
        "No route to host",
        r"no route to host|ehostunreach|noroutetohost|host is unreachable|unreachable host|errno (113|65)\b|\b10065\b",
        Stage.CONNECT,
        _NO_ROUTE,
        "an ICMP error came back (or the neighbour did not answer); it is seldom about routes",
    ),
    Text(
        "Host is down",
        r"host is down|ehostdown|errno (112|64)\b|\b10064\b",
        Stage.CONNECT,
        ("neighbor-unreachable", "host-unreachable"),
        "BSD and macOS say so when a neighbour doesn't answer ARP",
    ),
    Text(
        "Network is unreachable",
        r"network is unreachable|enetunreach|network unreachable|unreachable network|errno (101|51)\b|\b10051\b",
        Stage.CONNECT,
        ("network-unreachable", "no-local-route", "rejected-on-path"),
        "this machine has no route, or a router told that it has none",
    ),
    Text(
        "Protocol not available",
        r"protocol not available|enoprotoopt|errno 92\b",
        Stage.CONNECT,
        ("rejected-by-host", "rejected-on-path"),
        "an ICMP error came back: protocol unreachable, which only a filter sends for TCP",
    ),
    Text(
        "Permission denied",
        r"permission denied|eacces|errno 13\b|\b10013\b",
        Stage.CONNECT,
        ("rejected-by-host", "rejected-on-path", "no-local-route"),
        "no login was tried: over IPv6 an ICMP error reads like this, and a prohibit route of this machine",
    ),
    Text(
        "Invalid argument",
        r"invalid argument|einval|errno 22\b",
        Stage.CONNECT,
        ("no-local-route",),
        "no packet left: this machine has a blackhole route there",
    ),
    Text(
        "Cannot assign requested address",
        r"(cannot|can't) assign requested address|too many open files|eaddrnotavail|emfile|errno (99|49)\b|\b10049\b",
        Stage.CONNECT,
        ("local-limit",),
        "no packet left: this machine has no port (or not the address) to send from, or no descriptor",
    ),
    Text(
        "Connection closed by HOST port PORT",
        r"^connection closed by (?!remote|foreign)(\S+ )*\S+ port (\d+|PORT)",
        Stage.KEX,
        ("kex-aborted", "reset-after-banner"),
        "alone, without a line about the identification: the server closed after it",
    ),
    Text(
        "Connection reset by HOST port PORT",
        r"^connection reset by (?!peer)(\S+ )*\S+ port (\d+|PORT)",
        Stage.KEX,
        ("reset-after-banner", "kex-aborted"),
        "alone, without a line about the identification: a reset came after it",
    ),
    Text(
        "client_loop: send disconnect: Broken pipe",
        r"client_loop: send disconnect|broken pipe|connection to \S+ closed by remote host|software caused connection "
        r"abort|network error: connection reset",
        Stage.SESSION,
        ("reset-on-path",),
        "a session that had been working was cut",
    ),
    Text(
        "Connection reset by peer",
        r"connection reset|econnreset|errno (104|54)\b|\b10054\b|forcibly closed",
        Stage.CONNECT,
        ("reset-after-handshake", "syn-proxy"),
        "a reset came after the connection was accepted",
    ),
    Text(
        "Empty reply from server",
        r"empty reply from server|no data received|connection closed by foreign host|server unexpectedly closed",
        Stage.OPEN,
        ("closed-before-banner", "other-service", "transparent-proxy"),
        "the connection was accepted and closed without an answer",
    ),
)

# text -> (pattern, causes): the form in which documents and tests look at the table
TEXTS = {row.text: (row.pattern, row.causes) for row in ROWS}

# These only say that the ssh below them has given up: its own line, above, says why.
FOLLOW_UPS = (
    r"^(scp|sftp)?:? ?connection closed\.? *$",
    r"could not read from remote repository",
    r"please make sure you have the correct access rights",
    r"^and the repository exists",
    r"^rsync: connection unexpectedly closed",
    r"^rsync error:",
    r"^lost connection",
)
