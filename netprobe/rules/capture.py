"""Rules for what only a capture shows: its halves, the side it was taken on, resets that are not their sender's."""

from __future__ import annotations

from netprobe.model import Certainty, State
from netprobe.rules.rule import Place, Rival, Rule

BOTH_WAYS = (
    "capture both directions: on an interface of the client or the server itself, or with both sides of a tap or mirror",
)
DAEMON = (
    "on the server: `systemctl status ssh sshd ssh.socket`, `ss -ltn`: is the daemon running, on this port and address?",
)
FILTER = ("on the server: `nft -a list ruleset`, `iptables-save`, `ufw status numbered`: find the rule that resets",)
INJECTOR = (
    "an intrusion prevention system, a filter or a censor on the path resets connections: its owner must let this one be",
    "captures on both ends show who sent the reset: `netprobe analyze --client A --server B`",
)
PROCESS = Rival(
    "closed-before-banner",
    "the server may have ended it after all, and its reset have come another way",
    "capture on the server: does the reset leave there?",
)
OWN_FILTER = Rival(
    "reset-by-host-firewall",
    "a filter of the host may write a reset just like its stack",
    "on the server: `ss -ltn` and its firewall's rules",
)
CONTENT = Rival(
    "reset-after-banner",
    "a filter may swallow this one segment for what it says",
    "`ping -M do -s 1400 {address}`, then smaller: from which size on does it pass?",
)
CLAMP = (
    "clamp the MSS on the tunnel router: `nft add rule ... tcp flags syn tcp option maxseg size set rt mtu`",
    "or lower the MTU at one end (`ip link set dev ... mtu 1280`), or `sysctl net.ipv4.tcp_mtu_probing=1` on the {stuck}",
    "let ICMP 3/4 and ICMPv6 2/0 pass (RFC 4890)",
)
ON_A_BOX = Rival(
    "reset-on-path",
    "the capture may come from a box that resets in the server's name",
    "is {address} an address of the machine that captured (`ip addr`)?",
)
NOBODY = Rival(
    "no-listener",
    "the stack of this system may answer just so",
    "on the server: `ss -ltn` and its firewall's rules",
)


def _row(
    rule_id: str,
    when: str,
    state: State,
    reason: str,
    cause: str,
    certainty: Certainty,
    because: tuple[str, ...],
    rivals: tuple[Rival, ...] = (),
    remedy: tuple[str, ...] = (),
    reference: str = "",
    place: Place = Place.UNKNOWN,
) -> Rule:
    """A row, its place mostly unknown."""
    return Rule(rule_id, when, state, reason, cause, certainty, place, because, rivals, remedy, reference)


RULES = (
    # ----------------------------------------------------------------- half of the packets
    _row(
        "NP191",
        "sides=client-only",
        State.UNKNOWN,
        "half-captured",
        "inconclusive",
        Certainty.POSSIBLE,
        (
            "only the client's packets are in this capture; they go on after the SYN, so it was answered: what the server said is not known",
        ),
        remedy=BOTH_WAYS,
        reference="RFC 9293 3.5",
    ),
    _row(
        "NP192",
        "sides=server-only",
        State.UNKNOWN,
        "half-captured",
        "inconclusive",
        Certainty.POSSIBLE,
        (
            "only the server's packets are in this capture: {address} answers with SYN-ACK, what the client did is not known",
        ),
        remedy=BOTH_WAYS,
        reference="RFC 9293 3.5",
    ),
    # ----------------------------------------------------------------- resets that are not their sender's
    _row(
        "NP326",
        "answer=syn-ack forged=proven spoke=ssh2 reset_place=early",
        State.OPEN,
        "syn-ack",
        "reset-after-banner",
        Certainty.CERTAIN,
        (
            "after the identification ({identification}) came a reset with TTL {rst_ttl}, the server's own packets have {server_ttl}; and the server went on after it",
            "a box on the path wrote it in the server's name",
        ),
        remedy=("a filter on this path knows SSH: ask its owner, or try over port 443",),
        reference="A10; section 6.3",
        place=Place.RESET,
    ),
    _row(
        "NP327",
        "answer=syn-ack forged=proven",
        State.OPEN,
        "syn-ack",
        "reset-on-path",
        Certainty.CERTAIN,
        (
            "a reset ended the connection with TTL {rst_ttl}, the server's own packets have {server_ttl}; and the server went on after it",
            "a box on the path wrote it in the server's name",
        ),
        remedy=INJECTOR,
        reference="T4; section 6.3; RFC 3360",
        place=Place.RESET,
    ),
    _row(
        "NP328",
        "answer=syn-ack forged_client=proven",
        State.OPEN,
        "syn-ack",
        "reset-on-path",
        Certainty.CERTAIN,
        (
            "a reset in the client's name has TTL {client_rst_ttl}, the client's own packets have {client_ttl}; and the client went on after it",
            "a box on the path wrote it",
        ),
        remedy=INJECTOR,
        reference="T4; section 6.3; RFC 3360",
    ),
    _row(
        "NP329",
        "answer=syn-ack forged=likely spoke=!ssh2 ended_early=later",
        State.OPEN,
        "syn-ack",
        "reset-on-path",
        Certainty.LIKELY,
        ("a reset that doesn't continue the server's packets ended the connection: {signs}",),
        (PROCESS,),
        INJECTOR,
        "T4; section 6.3",
        Place.RESET,
    ),
    _row(
        "NP338",
        "answer=syn-ack forged=likely kex=began|other",
        State.OPEN,
        "syn-ack",
        "reset-on-path",
        Certainty.LIKELY,
        (
            "the server identified itself ({identification}) and went on; then came a reset that doesn't continue its packets: {signs}",
        ),
        (PROCESS,),
        INJECTOR,
        "T4; section 6.3",
        Place.RESET,
    ),
    _row(
        "NP339",
        "answer=syn-ack forged_client=likely",
        State.OPEN,
        "syn-ack",
        "reset-on-path",
        Certainty.LIKELY,
        (
            "a reset in the client's name that doesn't continue the client's packets ended the connection: {client_signs}",
        ),
        (
            Rival(
                "inconclusive",
                "the client may have reset it after all, another part of its system with another TTL",
                "capture on the client: does the reset leave there?",
            ),
        ),
        INJECTOR,
        "T4; section 6.3",
    ),
    _row(
        "NP139",
        "answer=reset resets=two-ttls",
        State.CLOSED,
        "reset",
        "reset-on-path",
        Certainty.LIKELY,
        ("two resets with different TTLs answer the SYN: not both are the host's own",),
        (NOBODY,),
        INJECTOR,
        "T4; section 6.3",
    ),
    # ----------------------------------------------------------------- resets seen where they are made
    _row(
        "NP140",
        "answer=reset vantage=server rst_full=no",
        State.CLOSED,
        "reset",
        "forward-without-backend",
        Certainty.LIKELY,
        (
            "the capture is the server's own, and the reset leaves it with TTL {rst_ttl}: a machine behind it wrote it (a container, a virtual machine, a forward)",
        ),
        (OWN_FILTER,),
        (
            "on {address}: where does port {port} go? `docker ps`, `docker port`, `iptables-save -t nat`, `nft list ruleset`",
        ),
        "T5",
        Place.TARGET,
    ),
    _row(
        "NP141",
        "answer=reset vantage=server rst_tos=echo",
        State.CLOSED,
        "reset",
        "no-listener",
        Certainty.LIKELY,
        (
            "the SYN reached {address}, which reset it: nobody on the path did",
            "the reset copies the DSCP of the SYN ({syn_tos}), as a host's own stack does: nothing listens",
        ),
        (OWN_FILTER, ON_A_BOX),
        DAEMON,
        "T1; RFC 9293 3.10.7.1",
        Place.TARGET,
    ),
    _row(
        "NP142",
        "answer=reset vantage=server rst_tos=zero control_tos=echo",
        State.CLOSED,
        "reset",
        "reset-by-host-firewall",
        Certainty.LIKELY,
        (
            "the SYN reached {address}, which reset it: nobody on the path did",
            "the reset has DSCP 0 though the SYN had {syn_tos}; a closed port of the same host copies it: a filter of the host wrote it",
        ),
        (NOBODY, ON_A_BOX),
        FILTER,
        "T2; nf_reject_ipv4.c",
        Place.TARGET,
    ),
    _row(
        "NP143",
        "answer=reset vantage=server listener=seen",
        State.CLOSED,
        "reset",
        "reset-by-host-firewall",
        Certainty.LIKELY,
        (
            "the SYN reached {address}, which reset it, though this port answers others of this capture with SYN-ACK: a rule for this client, or a limit",
        ),
        (Rival("no-listener", "the daemon may have stopped, or started, in between", "on the server: its log"),),
        FILTER + ("on the server: `fail2ban-client status sshd`, limits in its rules (hashlimit, meter, connlimit)",),
        "T2, T14",
        Place.TARGET,
    ),
    _row(
        "NP144",
        "answer=reset vantage=server",
        State.CLOSED,
        "reset",
        "no-listener",
        Certainty.POSSIBLE,
        (
            "the SYN reached {address}, which reset it: nobody on the path did",
            "whether its stack or a filter of its own wrote the reset can't be told from this SYN",
        ),
        (OWN_FILTER, ON_A_BOX),
        DAEMON + FILTER,
        "T1, T2",
        Place.TARGET,
    ),
    # ----------------------------------------------------------------- the answer is not heard
    _row(
        "NP036",
        "answer=syn-ack vantage=client replied=unheard|unacknowledged",
        State.OPEN,
        "local-drop",
        "local-firewall",
        Certainty.LIKELY,
        (
            "the SYN-ACK arrives at the client, {synack_copies} times, and the client never acknowledges it: something on the client's machine drops it",
        ),
        (
            Rival(
                "malformed-answer",
                "a SYN-ACK with a wrong checksum is ignored too",
                "Wireshark with checksum validation on; `nstat -az TcpInCsumErrors`",
            ),
        ),
        (
            "on the client: `sudo nft list ruleset`, `sudo iptables-save`: look at INPUT and PREROUTING",
            "on the client: `sysctl -a | grep rp_filter`: strict reverse path filtering drops answers of another interface",
        ),
        "L3",
        Place.LOCAL,
    ),
    _row(
        "NP371",
        "replied=unheard vantage=server",
        State.FILTERED,
        "no-response",
        "reply-filtered",
        Certainty.LIKELY,
        (
            "the SYN arrives and {address} answers: its SYN-ACK left {synack_copies} times, and the client goes on repeating its SYN",
            "so the port is open, and its answers are lost on their way back",
        ),
        (
            Rival(
                "local-firewall",
                "they may arrive, and the client's own filter drop them",
                "capture on the client: does the SYN-ACK arrive?",
            ),
        ),
        (
            "something between {address} and {source} drops SYN-ACKs: a stateful firewall that never saw the SYN, asymmetric routing",
            "on the server: `ip route get {source}`: does the answer leave where the SYN came in?",
        ),
        "P7; RFC 9293 3.10.7.4",
    ),
    _row(
        "NP372",
        "replied=unheard",
        State.FILTERED,
        "no-response",
        "reply-filtered",
        Certainty.LIKELY,
        (
            "{address} answers: its SYN-ACK passes here {synack_copies} times, and the client goes on repeating its SYN",
            "so the port is open, and its answers are lost between here and the client",
        ),
        (
            Rival(
                "local-firewall",
                "they may arrive, and the client's own filter drop them",
                "capture on the client: does the SYN-ACK arrive?",
            ),
        ),
        ("something between here and {source} drops SYN-ACKs: a stateful firewall that never saw the SYN",),
        "P7; RFC 9293 3.10.7.4",
    ),
    _row(
        "NP373",
        "replied=unacknowledged",
        State.FILTERED,
        "no-response",
        "handshake-blocked",
        Certainty.LIKELY,
        (
            "{address} repeats its SYN-ACK, {synack_copies} times in all, and no ACK comes; the client doesn't repeat its SYN either, so it heard the SYN-ACK",
            "its ACK is lost on the way: something lets SYNs pass and drops what follows",
        ),
        (
            Rival(
                "reply-filtered",
                "a client that sends its SYN only once (a scanner, a forged source address) may never have heard it",
                "capture on the client: does the SYN-ACK arrive, does an ACK leave?",
            ),
        ),
        (
            "look for a stateful firewall or intrusion prevention system between {source} and {address} that sees one direction only",
        ),
        "RFC 9293 3.5",
    ),
    _row(
        "NP374",
        "answer=syn-ack replied=broken-off expect=any",
        State.OPEN,
        "syn-ack",
        "up",
        Certainty.LIKELY,
        ("the port answers with SYN-ACK; the client then reset the connection itself, as port scanners do",),
        (
            Rival(
                "syn-proxy",
                "a proxy or a shield against SYN floods may have answered for the host",
                "a client that goes on to speak",
            ),
        ),
        reference="RFC 9293 3.5",
        place=Place.TARGET,
    ),
    # ----------------------------------------------------------------- loss that depends on size
    _row(
        "NP318",
        "answer=syn-ack stuck=server|client too_big=-",
        State.OPEN,
        "syn-ack",
        "path-mtu-black-hole",
        Certainty.LIKELY,
        (
            "a segment of the {stuck}'s, larger than any before it, never arrives; a later, smaller one does (the {other_side} says so by SACK)",
            'no ICMP "too big" was captured: a path MTU black hole',
        ),
        (CONTENT,),
        CLAMP,
        "P9; RFC 2923 2.1, RFC 2018",
    ),
    _row(
        "NP317",
        "answer=syn-ack stuck=server-unheard|client-unheard too_big=-",
        State.OPEN,
        "syn-ack",
        "path-mtu-black-hole",
        Certainty.LIKELY,
        (
            "a segment of the {stuck}'s, larger than any before it, was sent again and again; the {other_side} was still there and never acknowledged it",
            'no ICMP "too big" was captured: most likely a path MTU black hole',
        ),
        (CONTENT,),
        CLAMP,
        "P9; RFC 2923 2.1",
    ),
    # ----------------------------------------------------------------- the client had its reasons
    _row(
        "NP375",
        "answer=syn-ack closed_by=client spoke=nothing|pending expect=any our_words=-",
        State.OPEN,
        "syn-ack",
        "up",
        Certainty.CERTAIN,
        ("the connection opened, and the client closed it itself before the server said a word",),
        reference="RFC 9293 3.5",
        place=Place.TARGET,
    ),
    _row(
        "NP376",
        "answer=syn-ack closed_by=client spoke=pending our_words=!lost",
        State.OPEN,
        "syn-ack",
        "inconclusive",
        Certainty.POSSIBLE,
        ("the connection opened, and the client closed it itself, before the server could be expected to say a word",),
        remedy=("a client that waits: `netprobe scan {address} -p {port}`",),
        place=Place.UNKNOWN,
    ),
    _row(
        "NP377",
        "answer=syn-ack spoke=nothing ended=open our_words=lost handshake=complete",
        State.OPEN,
        "syn-ack",
        "handshake-blocked",
        Certainty.LIKELY,
        ("the connection opened, and what the client then sent was never acknowledged: it doesn't arrive",),
        (
            Rival(
                "path-mtu-black-hole",
                "where the first thing it sends is large, only its size may be in the way",
                "`ping -M do -s 1400 {address}`",
            ),
            Rival("no-banner", "the host may have gone down just then", "capture on the server"),
        ),
        (
            "look for a stateful firewall or intrusion prevention system between {source} and {address} that drops what follows the handshake",
        ),
        "RFC 9293 3.5",
    ),
    _row(
        "NP378",
        "answer=syn-ack spoke=nothing ended=open our_words=acknowledged expect=any",
        State.OPEN,
        "syn-ack",
        "no-banner",
        Certainty.LIKELY,
        (
            "the connection opened, the client spoke, the server's stack acknowledged it, and the server said nothing in {waited} s",
        ),
        (
            Rival(
                "other-service",
                "a service that waits for other words, or for more of them",
                "what is this client, and what does the server offer?",
            ),
        ),
        (
            "on the server: is the daemon hung, frozen or swapping (`systemctl status`, `ss -ltnp`, load, memory)?",
            "a balancer or proxy in front: does it have a living backend?",
        ),
        "A1",
        Place.TARGET,
    ),
    _row(
        "NP379",
        "answer=syn-ack spoke=ssh2 kex=stalled small_mss=- vantage=client|server|middle|unknown our_words=lost",
        State.OPEN,
        "syn-ack",
        "reset-after-banner",
        Certainty.LIKELY,
        (
            "the server identified itself ({identification}); the client's identification is never acknowledged, and nothing follows",
        ),
        (Rival("no-banner", "the server's machine may have gone down just then", "on the server: its log and load"),),
        ("from another network does it work? then a filter on this path knows SSH; try it over port 443",),
        "A10",
    ),
    _row(
        "NP380",
        "answer=syn-ack spoke=ssh2 kex=stalled small_mss=- vantage=client|server|middle|unknown",
        State.OPEN,
        "syn-ack",
        "path-mtu-black-hole",
        Certainty.POSSIBLE,
        (
            "the server identified itself ({identification}) and the client too; then its key exchange, the first large segment, did not come",
        ),
        (
            Rival("no-banner", "the server may hang after its identification", "on the server: its log and load"),
            Rival(
                "reset-after-banner",
                "a filter that knows SSH may swallow what follows",
                "from another network: does it work?",
            ),
        ),
        (
            "`ping -M do -s 1400 {address}`, then smaller: from which size on does it pass?",
            "clamp the MSS, or lower the MTU at one end; on the server: is it hung?",
        ),
        "P9, A10",
    ),
)
