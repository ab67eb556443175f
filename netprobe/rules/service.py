"""Rules for connections that open: what the server says, or doesn't, before the SSH key exchange."""

from __future__ import annotations

from netprobe.model import Certainty, State
from netprobe.rules.rule import Place, Rival, Rule


def _open(
    rule_id: str,
    when: str,
    cause: str,
    certainty: Certainty,
    because: tuple[str, ...],
    remedy: tuple[str, ...] = (),
    reference: str = "",
    rivals: tuple[Rival, ...] = (),
    place: Place = Place.TARGET,
) -> Rule:
    """A row with what all open ports have in common."""
    return Rule(
        rule_id,
        f"answer=syn-ack {when}",
        State.OPEN,
        "syn-ack",
        cause,
        certainty,
        place,
        because,
        rivals,
        remedy,
        reference,
    )


HUNG = (
    "on the server: is the daemon hung, frozen or swapping (`systemctl status ssh`, `ss -ltnp`, load, memory)?",
    "a balancer or proxy in front: does it have a living backend?",
)

CLOSED = (
    "on the server: `journalctl -u ssh -n 50`; MaxStartups of OpenSSH up to 8.1 closes so; inetd limits, sslh",
    "a balancer, NAT or tunnel without a backend does it too",
)
CLAMP = (
    "clamp the MSS on the tunnel router: `nft add rule ... tcp flags syn tcp option maxseg size set rt mtu`",
    "or lower the MTU at one end (`ip link set dev ... mtu 1280`), or `sysctl net.ipv4.tcp_mtu_probing=1` on the server",
    "let ICMP 3/4 and ICMPv6 2/0 pass (RFC 4890)",
)
PROXY = Rival(
    "transparent-proxy",
    "a proxy on the way may have answered, not the host",
    "as root netprobe asks addresses that cannot exist",
)

RULES = (
    _open(
        "NP301",
        "impostor=yes spoke=nothing|text|binary|protocol",
        "transparent-proxy",
        Certainty.CERTAIN,
        (
            "addresses that no host has ({impossible}) answer with SYN-ACK too: something near answers for everybody",
            'the SYN-ACK came after {rtt} ms with TTL {synack_ttl}; "connected" says nothing about {address}',
        ),
        (
            "exclude port {port} from the proxy, VPN client or inspection that intercepts TCP (a bypass rule), or use a way it allows",
        ),
        "L5; RFC 5737",
        place=Place.PROXY,
    ),
    _open(
        "NP310",
        "zero_window=stays ended=reset spoke=nothing",
        "syn-proxy",
        Certainty.CERTAIN,
        (
            "the SYN-ACK had window 0, and right after {our} ACK came a reset: a SYN proxy answered, its backend refused",
        ),
        (
            "whoever runs the SYN proxy (`nft ... synproxy`, a DDoS shield) must look at the host behind it: nothing listens there",
        ),
        "T13",
        place=Place.PROXY,
    ),
    _open(
        "NP311",
        "zero_window=stays spoke=nothing",
        "syn-proxy",
        Certainty.CERTAIN,
        (
            "the SYN-ACK had window 0 and the window never opened: a SYN proxy answered, and gets no answer from the host behind it",
        ),
        ("whoever runs the SYN proxy (`nft ... synproxy`, a DDoS shield) must look at the way to the host behind it",),
        "T13",
        place=Place.PROXY,
    ),
    _open(
        "NP320",
        "spoke=ssh2 kex=stalled small_mss=began gap=yes",
        "path-mtu-black-hole",
        Certainty.CERTAIN,
        (
            "the server identified itself ({identification}), then its first large segment never came though a later, smaller one did; with a small MSS it comes",
            'full-size packets are lost on the path and no ICMP "too big" arrives: a path MTU black hole',
        ),
        CLAMP,
        "P9; RFC 2923 2.1",
        place=Place.UNKNOWN,
    ),
    _open(
        "NP319",
        "spoke=ssh2 kex=stalled small_mss=began",
        "path-mtu-black-hole",
        Certainty.LIKELY,
        (
            "the server identified itself ({identification}), then its first large segment never came; with a small MSS it does",
            'full-size packets are lost on the path and no ICMP "too big" arrives: a path MTU black hole',
        ),
        CLAMP,
        "P9; RFC 2923 2.1",
        (
            Rival(
                "no-banner",
                "the server may have been slow the first time",
                "a capture: do full-size segments repeat while smaller ones pass?",
            ),
        ),
        Place.UNKNOWN,
    ),
    _open(
        "NP321",
        "spoke=ssh2 kex=stalled small_mss=stalled our_words=lost",
        "reset-after-banner",
        Certainty.LIKELY,
        (
            "the server identified itself ({identification}), and nothing came after {our} identification, whatever the segment size",
        ),
        ("from another network does it work? then a filter on this path knows SSH; try it over port 443",),
        "A10",
        (Rival("no-banner", "the server itself may hang after its identification", "on the server: its log and load"),),
        Place.UNKNOWN,
    ),
    _open(
        "NP322",
        "spoke=ssh2 kex=- ended=reset reset_ttl=different",
        "reset-after-banner",
        Certainty.CERTAIN,
        (
            "after the identification ({identification}) came a reset whose TTL is not that of the server's other packets: a box on the path wrote it",
        ),
        ("a filter on this path knows SSH: ask its owner, or try over port 443",),
        "A10; section 6.3",
        place=Place.RESET,
    ),
    _open(
        "NP323",
        "spoke=ssh2 kex=- ended=reset",
        "reset-after-banner",
        Certainty.CERTAIN,
        ("the server identified itself ({identification}), then a reset came before any key exchange",),
        (
            "on the server: the log of sshd (a crashed child, a refused client version)",
            "from another network does it work?",
        ),
        "A10",
    ),
    _open(
        "NP324",
        "spoke=ssh2 kex=- ended=fin",
        "reset-after-banner",
        Certainty.CERTAIN,
        ("the server identified itself ({identification}), then closed before any key exchange",),
        ("on the server: the log of sshd",),
        "A10",
    ),
    _open(
        "NP325",
        "spoke=ssh2 kex=stalled",
        "up",
        Certainty.LIKELY,
        (
            "the server identifies itself as {identification}{late}{preceded}",
            "but its key exchange did not begin, whatever the segment size",
        ),
        ('try to log in: if ssh stops after "Local version string", the server hangs or its larger segments are lost',),
        "A10; RFC 4253 4.2",
        (
            Rival(
                "path-mtu-black-hole", "even small segments with data may be too long", "`ping -M do -s 1000 {address}`"
            ),
            Rival("no-banner", "the server may hang after its identification", "on the server: its log and load"),
            Rival(
                "reset-after-banner",
                "a filter that knows SSH may swallow what follows",
                "from another network: does it work?",
            ),
        ),
    ),
    _open(
        "NP330",
        "spoke=ssh2",
        "up",
        Certainty.CERTAIN,
        ("the server identifies itself as {identification}{late}{preceded}",),
        reference="RFC 4253 4.2",
    ),
    _open(
        "NP331",
        "expect=any spoke=ssh1|protocol|text|binary",
        "up",
        Certainty.CERTAIN,
        ("the connection opens and the server speaks: {service}",),
        reference="RFC 9293 3.5",
    ),
    _open(
        "NP332",
        "expect=any spoke=nothing ended=open handshake=complete",
        "up",
        Certainty.CERTAIN,
        ("the connection opens and stays open; the server waits for the client to speak",),
        reference="RFC 9293 3.5",
    ),
    _open(
        "NP340",
        "spoke=ssh1",
        "ssh1-only",
        Certainty.CERTAIN,
        ("the server speaks only SSH protocol 1 ({identification}); clients of today refuse it",),
        ("upgrade the server; for a device that can't, an old client in a container is the last resort",),
        "A9; RFC 4253 5.1",
    ),
    _open(
        "NP341",
        "lines=endless spoke=text",
        "tarpit",
        Certainty.CERTAIN,
        ("{line_count} lines and no identification, one every {beat} s: a tarpit that keeps clients waiting",),
        ("the real SSH server is on another port: ask its owner",),
        "A7",
    ),
    _open(
        "NP350",
        "text=max-startups",
        "refused-with-text",
        Certainty.CERTAIN,
        ('the server says "{line}" and closes: too many connections wait for their login (OpenSSH 8.2 to 9.7)',),
        ("on the server: raise MaxStartups (default 10:30:100), find who floods it: `ss -tn sport = :{port}`",),
        "A4; sshd_config(5)",
    ),
    _open(
        "NP351",
        "text=not-allowed",
        "refused-with-text",
        Certainty.CERTAIN,
        (
            'the server says "{line}" and closes: OpenSSH 9.8 and later say so for PerSourcePenalties, MaxStartups and PerSourceMaxStartups alike',
            "from another source address at the same time it works: a penalty of this address; it doesn't: MaxStartups",
        ),
        (
            "wait without any try (15 s at least, up to 10 min): penalties run out; stop what retries in a loop",
            "on the server: `journalctl -u ssh -g penalty`; PerSourcePenaltyExemptList, MaxStartups",
        ),
        "A5; sshd_config(5)",
    ),
    _open(
        "NP352",
        "spoke=text ended=fin|reset",
        "refused-with-text",
        Certainty.CERTAIN,
        ('the server says "{line}" and closes, without an identification',),
        (
            "the text is the server's own reason: TCP wrappers (`twist`), a bastion, xinetd or a network device wrote it",
        ),
        "A6; RFC 4253 4.2",
    ),
    _open(
        "NP353",
        "spoke=protocol",
        "other-service",
        Certainty.CERTAIN,
        ('{service} answers on this port, not an SSH server: it said "{line}"',),
        ("is the port right? the SSH server is on another one; look at Port and ListenAddress in sshd_config",),
        "A8",
    ),
    _open(
        "NP354",
        "spoke=text|binary ended=open",
        "other-service",
        Certainty.LIKELY,
        ('the server speaks, but sends no SSH identification: "{line}"',),
        ("is the port right? what listens there: `ss -ltnp` on the server",),
        "A8",
        (Rival("tarpit", "a slow stream of lines may follow", "wait longer: `--banner-wait 60`"),),
    ),
    _open(
        "NP355",
        "spoke=binary",
        "other-service",
        Certainty.LIKELY,
        ('the server sends bytes of no known protocol and closes: "{line}"',),
        ("is the port right? what listens there: `ss -ltnp` on the server",),
        "A8",
        (Rival("refused-with-text", "it may be a refusal in a form of its own", "the server's owner knows"),),
    ),
    _open(
        "NP360",
        "two_boxes=yes spoke=nothing",
        "malformed-answer",
        Certainty.LIKELY,
        ("two SYN-ACKs with different sequence numbers answer one SYN: two boxes claim {address}",),
        ("a duplicate address, or a box on the path that answers for the server: `arping`, capture on the server",),
        "T16",
        (Rival("syn-proxy", "a proxy and the host may both answer", "capture on the server"),),
        Place.UNKNOWN,
    ),
    _open(
        "NP361",
        "handshake=blocked",
        "handshake-blocked",
        Certainty.LIKELY,
        (
            "the SYN-ACK is repeated {synack_copies} times though {we} acknowledged it, and what {we} sent stays unacknowledged: {our} ACK never arrives",
        ),
        (
            "something between here and {address} lets SYNs pass and drops what follows: a stateful firewall that sees one direction only, an IPS",
        ),
        "RFC 9293 3.5",
        (
            Rival(
                "backlog-full",
                "an accept queue that filled between SYN and ACK looks the same",
                "on the server: `ss -ltn`",
            ),
        ),
        Place.UNKNOWN,
    ),
    _open(
        "NP367",
        "spoke=nothing ended=reset ended_early=at-once reset_ttl=different",
        "reset-after-handshake",
        Certainty.LIKELY,
        ("right after {our} ACK came a reset whose TTL is not that of the SYN-ACK: a box on the path wrote it",),
        ("ask who runs the firewall {where}: it lets SYNs pass and resets what follows",),
        "T13, section 6.3",
        (Rival("syn-proxy", "a SYN proxy's backend answers with another TTL", "its SYN-ACK usually has window 0"),),
        Place.RESET,
    ),
    _open(
        "NP362",
        "spoke=nothing ended=reset ended_early=at-once reset_window=zero",
        "reset-after-handshake",
        Certainty.LIKELY,
        (
            "right after {our} ACK came a reset (window 0), before a word was said: a balancer or proxy without a backend does that",
        ),
        ("look at the balancer's or proxy's backends: health checks, the daemon behind it",),
        "T6, T13",
        (
            Rival(
                "syn-proxy",
                "a SYN proxy whose backend refuses does the same",
                "its SYN-ACK usually has window 0 or another TTL",
            ),
            Rival(
                "closed-before-banner",
                "a process may have dropped the connection",
                "on the server: who listens (`ss -ltnp`), hosts.deny",
            ),
        ),
    ),
    _open(
        "NP363",
        "spoke=nothing ended=reset reset_window=open impostor=no",
        "closed-before-banner",
        Certainty.CERTAIN,
        (
            "a reset with an open window before the server said a word: a process accepted the connection and dropped it (not the kernel, not a filter)",
        ),
        (
            "on the server: `journalctl -u ssh -n 50`; /etc/hosts.deny (TCP wrappers), /run/sshd missing, sshd or its libraries replaced while it ran",
            "a forwarder without a backend (docker-proxy, VM NAT, a tunnel) does it too",
        ),
        "A3",
    ),
    _open(
        "NP364",
        "spoke=nothing ended=reset",
        "closed-before-banner",
        Certainty.LIKELY,
        ("a reset before the server said a word",),
        (
            "on the server: `journalctl -u ssh -n 50`; /etc/hosts.deny, /run/sshd",
            "a balancer or forwarder: its backends",
        ),
        "A3",
        (
            PROXY,
            Rival(
                "reset-after-handshake",
                "a box on the path may have reset it",
                "its TTL against the SYN-ACK's; capture on the server",
            ),
        ),
    ),
    _open(
        "NP365",
        "spoke=nothing ended=fin impostor=no",
        "closed-before-banner",
        Certainty.CERTAIN,
        ("the server closed (FIN) before it said a word; nothing on the way answers for everybody",),
        CLOSED,
        "A2",
    ),
    _open(
        "NP366",
        "spoke=nothing ended=fin",
        "closed-before-banner",
        Certainty.LIKELY,
        ("the server closed (FIN) before it said a word",),
        CLOSED,
        "A2",
        (PROXY,),
    ),
    _open(
        "NP370",
        "spoke=nothing ended=open expect=ssh",
        "no-banner",
        Certainty.LIKELY,
        ("the connection opens, {our} identification is {acknowledged}, and in {waited} s the server says nothing",),
        HUNG,
        "A1",
        (
            Rival(
                "other-service",
                "a service that waits for another client's first words",
                "`netprobe scan {address} -p {port} --expect any --identify`",
            ),
            Rival(
                "syn-proxy",
                "a proxy may have answered for a dead host",
                "on the server: does the connection arrive (`ss -tn`)?",
            ),
            Rival("handshake-blocked", "what {we} sent may be lost on its way", "a capture: is it acknowledged?"),
        ),
    ),
    _open(
        "NP399",
        "",
        "inconclusive",
        Certainty.POSSIBLE,
        ("the port answers with SYN-ACK, but what follows was not seen to its end: {unsettled}",),
        ("let the scan or the capture run longer",),
        "",
        place=Place.UNKNOWN,
    ),
)
