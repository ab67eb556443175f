"""Rules for two captures of one conversation: what left one end and never came to the other, or came and never left.

They stand before all others, for nothing that one capture shows can be surer. `alone` is what the client's capture says
without the server's: a connection that works needs no cause, whatever was lost on its way.
"""

from __future__ import annotations

from netprobe.model import Certainty, State
from netprobe.rules.rule import Place, Rival, Rule

ELSEWHERE = Rival(
    "inconclusive",
    "it may have gone to another machine, or another interface than the one that was captured",
    "capture on all of the server's interfaces (`tcpdump -i any`), without a filter, and while the client tries",
)
UNRECORDED = Rival(
    "no-listener",
    "the server may have written it, and its capture not have it: {pair_because}",
    "capture both ends again, without a filter, from before the first packet until after the last",
)
FULL = Rival(
    "backlog-full",
    "a full accept queue drops SYNs too",
    "on the server: `ss -ltn` (Recv-Q above Send-Q), `nstat -az TcpExtListenOverflows`",
)
NO_WAY_OUT = Rival(
    "reply-filtered",
    "its answer may never leave: no route back to {source}, strict reverse path filtering, a rule in OUTPUT",
    "on the server: `ip route get {source}`, `nstat -az TcpExtIPReversePathFilter`, its OUTPUT rules",
)
STEALTH = Rival(
    "no-listener",
    "some systems hide closed ports (Windows Firewall's stealth mode, FreeBSD blackhole)",
    "on the server: is anything listening (`ss -ltn`, `netstat -an`)?",
)
PATH_FILTER = (
    "the cause lies between the two captures, on the way there: ask who runs the firewalls and routers there for port {port}",
    "capture nearer and nearer to the server: between two places the SYN vanishes",
)
BACK_FILTER = (
    "the cause lies between the two captures, on the way back: a firewall that never saw the SYN (asymmetric routing), a rule against SYN-ACKs",
    "on the server: `ip route get {source}`: does the answer leave on the way the SYN came?",
)
SERVER = (
    "on the server: `ss -ltn`: does anything listen, is its queue full?",
    "on the server: `nft -a list ruleset`, `iptables-save`, `ufw status`, `fail2ban-client status sshd`: is port {port} dropped for {source}?",
)
INJECTOR = (
    "neither end made this: a firewall, an intrusion prevention system or a censor between the two captures did; ask who runs what lies there",
)
CLAMP = (
    "clamp the MSS on the tunnel router: `nft add rule ... tcp flags syn tcp option maxseg size set rt mtu`",
    "or lower the MTU at one end (`ip link set dev ... mtu 1280`), or `sysctl net.ipv4.tcp_mtu_probing=1`",
    "let ICMP 3/4 and ICMPv6 2/0 pass (RFC 4890)",
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
    place: Place = Place.BETWEEN,
) -> Rule:
    """A row for an attempt that failed; its place mostly between the captures."""
    return Rule(
        rule_id, f"alone=failed {when}", state, reason, cause, certainty, place, because, rivals, remedy, reference
    )


RULES = (
    # ----------------------------------------------------------------- arrived, and never left
    _row(
        "NP701",
        "pair_reset=forged answer=reset",
        State.CLOSED,
        "reset",
        "reset-on-path",
        Certainty.CERTAIN,
        (
            "the client got a reset (TTL {pair_forged_ttl}) that never left the server: its capture shows packets of these two hosts at that time, and no such reset",
            "so a box between the two captures wrote it in the server's name",
        ),
        remedy=INJECTOR,
        reference="T4; RFC 3360",
    ),
    _row(
        "NP702",
        "pair_reset=forged",
        State.OPEN,
        "reset",
        "reset-on-path",
        Certainty.CERTAIN,
        (
            "the connection was ended by a reset (TTL {pair_forged_ttl}) that the client got and the server never sent: its capture has the other packets of the same connection",
            "so a box between the two captures wrote it in the server's name",
        ),
        remedy=INJECTOR,
        reference="T4; section 6.3; RFC 3360",
    ),
    _row(
        "NP703",
        "pair_reset_client=forged",
        State.OPEN,
        "reset",
        "reset-on-path",
        Certainty.CERTAIN,
        (
            "the server got a reset (TTL {pair_forged_ttl}) in the client's name that the client never sent: its capture has the other packets of the same connection",
            "so a box between the two captures wrote it",
        ),
        remedy=INJECTOR,
        reference="T4; section 6.3; RFC 3360",
    ),
    _row(
        "NP704",
        "pair_reset=foreign answer=reset",
        State.CLOSED,
        "reset",
        "reset-on-path",
        Certainty.LIKELY,
        (
            "the client got a reset (TTL {pair_forged_ttl}) that is not in the server's capture: a box between the two wrote it",
        ),
        (UNRECORDED,),
        INJECTOR,
        "T4; RFC 3360",
    ),
    _row(
        "NP705",
        "pair_synack=forged",
        State.OPEN,
        "syn-ack",
        "syn-proxy",
        Certainty.CERTAIN,
        (
            "the client got a SYN-ACK that never left the server: a box between the two captures answered in the server's name",
            "{pair_syn_told}",
        ),
        remedy=(
            "a SYN proxy, a load balancer or a transparent proxy answers before it has reached the server: look there why it can't",
        ),
        reference="T13, L5",
    ),
    _row(
        "NP706",
        "pair_icmp=path answer=icmp icmp_from=target",
        State.FILTERED,
        "{icmp_reason}",
        "rejected-on-path",
        Certainty.CERTAIN,
        (
            "{icmp} ({icmp_text}) bears the server's address {icmp_sender} and never left the server: a box between the two captures sent it",
            "{client_text}",
        ),
        remedy=INJECTOR,
        reference="P4; RFC 1812 4.3.2.4",
    ),
    _row(
        "NP707",
        "pair_reset=left pair_nat=server|both answer=reset",
        State.CLOSED,
        "reset",
        "forward-without-backend",
        Certainty.CERTAIN,
        (
            "{address} port {port} is forwarded to {pair_server}, whose own capture shows the SYN come in and the reset go out",
            "so the forward works, and behind it nothing takes the connection: nothing listens there, or its firewall resets",
        ),
        remedy=(
            "on {pair_server}: `ss -ltn`: does anything listen, on this port and address? `nft -a list ruleset`, `iptables-save`",
            "or the forward points to the wrong machine or port: look on {address} (`iptables-save -t nat`, `docker ps`)",
        ),
        reference="T5",
        place=Place.TARGET,
    ),
    # ----------------------------------------------------------------- left, and never arrived
    _row(
        "NP710",
        "answer=silent|pending pair_syn=lost",
        State.FILTERED,
        "no-response",
        "dropped",
        Certainty.CERTAIN,
        (
            "{pair_syns} SYNs left the client and none arrived at the server, whose capture shows other packets of this client, and of this port, at that time",
            "so they are dropped between the two captures, on the way there; the server and its own firewall have never seen them",
        ),
        remedy=PATH_FILTER,
        reference="T9, P6",
    ),
    _row(
        "NP711",
        "answer=silent pair_syn=missing",
        State.FILTERED,
        "no-response",
        "dropped",
        Certainty.LIKELY,
        (
            "{pair_syns} SYNs left the client and none is in the server's capture, though it was running: they are dropped on the way there, between the two captures",
            "what keeps this from being proven: {pair_because}",
        ),
        (ELSEWHERE,),
        PATH_FILTER,
        "T9, P6",
    ),
    _row(
        "NP712",
        "answer=silent pair_syn=nowhere",
        State.FILTERED,
        "no-response",
        "dropped",
        Certainty.POSSIBLE,
        (
            "{pair_syns} SYNs left the client, and the server's capture shows no TCP packet of anybody: they are dropped on the way there, or it could not see them",
        ),
        (
            ELSEWHERE,
            Rival("host-silent", "the server may have been off", "did it answer anybody at that time?"),
        ),
        (
            "capture again with something beside it that must arrive: `ping` the server, connect to another port",
            *PATH_FILTER,
        ),
        "P6",
    ),
    _row(
        "NP713",
        "answer=silent|pending pair_syn=arrived pair_reply=lost",
        State.FILTERED,
        "no-response",
        "reply-filtered",
        Certainty.CERTAIN,
        (
            "the SYN arrived at the server, which answered: {pair_answer_told} left it, {pair_answers} in all, and none arrived at the client, whose capture shows other packets of this server at that time",
            "so the answers are dropped between the two captures, on the way back",
        ),
        remedy=BACK_FILTER,
        reference="P7",
    ),
    _row(
        "NP714",
        "answer=silent pair_syn=arrived pair_reply=missing",
        State.FILTERED,
        "no-response",
        "reply-filtered",
        Certainty.LIKELY,
        (
            "the SYN arrived at the server, which answered: {pair_answer_told} left it, {pair_answers} in all, and none is in the client's capture",
            "what keeps this from being proven: {pair_because}",
        ),
        (
            Rival(
                "local-firewall",
                "it may have come in on another interface of the client than the captured one, and been dropped there",
                "capture on all of the client's interfaces (`tcpdump -i any`), without a filter",
            ),
        ),
        BACK_FILTER,
        "P7",
    ),
    _row(
        "NP715",
        "answer=silent pair_syn=arrived pair_answer=none listener=seen",
        State.FILTERED,
        "no-response",
        "dropped",
        Certainty.POSSIBLE,
        (
            "the SYN left the client and arrived at the server, and no answer left it: the path is not to blame, the server is",
            "this port answers others in its capture, so something listens: a rule for this client drops it, or no more are taken",
        ),
        (FULL, NO_WAY_OUT),
        SERVER,
        "T9, T10, T11",
        Place.HOST,
    ),
    _row(
        "NP716",
        "answer=silent pair_syn=arrived pair_answer=none",
        State.FILTERED,
        "no-response",
        "dropped",
        Certainty.POSSIBLE,
        (
            "the SYN left the client and arrived at the server, and no answer left it: the path is not to blame, the server is",
            "its own firewall drops the SYN, or nobody takes it, or the answer can't get out of it",
        ),
        (FULL, NO_WAY_OUT, STEALTH),
        SERVER,
        "T9, T10, T11",
        Place.HOST,
    ),
    _row(
        "NP717",
        "answer=silent pair_syn=arrived pair_answer=unseen",
        State.FILTERED,
        "no-response",
        "dropped",
        Certainty.POSSIBLE,
        (
            "the SYN left the client and arrived at the server; whether an answer left it can't be told, for its capture is not whole or ends too early",
        ),
        (
            FULL,
            Rival(
                "reply-filtered",
                "an answer may have left, without being captured, and been lost on its way back",
                "capture on the server again, until some seconds after the client's last try",
            ),
            STEALTH,
        ),
        SERVER,
        "T9, T10, T11",
        Place.UNKNOWN,
    ),
    _row(
        "NP720",
        "answer=syn-ack pair_ack=lost",
        State.OPEN,
        "syn-ack",
        "handshake-blocked",
        Certainty.CERTAIN,
        (
            "the SYN and its SYN-ACK arrived, and then nothing of the client's: its ACK left, and never came to the server",
            "something between the two captures lets SYNs pass and drops what follows",
        ),
        remedy=(
            "look for a stateful firewall or intrusion prevention system on the way there that sees one direction only, or inspects what follows the SYN",
        ),
        reference="RFC 9293 3.5",
    ),
    # ----------------------------------------------------------------- loss that depends on size, or on what is said
    _row(
        "NP730",
        "answer=syn-ack pair_stuck=there|back pair_pieces=pass",
        State.OPEN,
        "syn-ack",
        "path-mtu-black-hole",
        Certainty.CERTAIN,
        (
            "a segment of {pair_size} bytes left {pair_copies} times and never arrived; the same bytes in smaller segments (up to {pair_passed}) did: a path MTU black hole {pair_way}",
        ),
        remedy=CLAMP,
        reference="P9; RFC 2923 2.1",
    ),
    _row(
        "NP731",
        "answer=syn-ack pair_stuck=there|back too_big=-",
        State.OPEN,
        "syn-ack",
        "path-mtu-black-hole",
        Certainty.LIKELY,
        (
            "a segment of {pair_size} bytes left {pair_copies} times and never arrived, while smaller ones (up to {pair_passed} bytes) do: a path MTU black hole {pair_way}",
            'no ICMP "too big" came back to its sender',
        ),
        (
            Rival(
                "reset-after-banner",
                "a filter may swallow this one segment for what it says",
                "`ping -M do -s 1400 {address}`, then smaller: from which size on does it pass?",
            ),
        ),
        CLAMP,
        "P9; RFC 2923 2.1",
    ),
    _row(
        "NP732",
        "answer=syn-ack pair_words=lost",
        State.OPEN,
        "syn-ack",
        "reply-filtered",
        Certainty.CERTAIN,
        (
            "the handshake passed, the server spoke, and nothing that it said arrived at the client: its segments left and were dropped on the way back",
        ),
        remedy=BACK_FILTER,
        reference="P7, P9",
    ),
    _row(
        "NP733",
        "answer=syn-ack pair_request=lost",
        State.OPEN,
        "syn-ack",
        "handshake-blocked",
        Certainty.CERTAIN,
        (
            "the handshake passed, and nothing that the client said arrived at the server: its segments left and were dropped on the way there",
        ),
        remedy=(
            "a filter between the two captures drops what the client says: one that inspects contents, or a stateful one that lost the connection",
        ),
        reference="RFC 9293 3.5",
    ),
)
