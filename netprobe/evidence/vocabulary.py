"""The vocabulary of the rules: every feature, and what each of its words means."""

from __future__ import annotations

from netprobe.icmp import IcmpKind

# The vocabulary of the rules: feature -> what its words mean. docs/design.md is generated from nothing else.
FEATURES: dict[str, dict[str, str]] = {
    "expect": {"ssh": "an SSH server is expected", "any": "any service will do"},
    "mode": {"packets": "packets were captured", "kernel": "only the kernel's word is known (no privilege)"},
    "capture": {"whole": "the capture lost nothing", "lossy": "the kernel dropped packets of the capture"},
    "link": {"down": "the interface went down while the scan ran"},
    "name": {
        "not-found": "the resolver says that the name doesn't exist",
        "no-address": "the name exists, without an address",
        "server-failure": "the resolver answered with a failure",
        "time-out": "the resolver did not answer",
        "failed": "resolution failed otherwise",
    },
    "route": {
        "local": "the address is this machine's own",
        "no-route": "the kernel has no route",
        "unreachable": "a route of type unreachable",
        "prohibited": "a route of type prohibit",
        "blackhole": "a route of type blackhole",
    },
    "neighbor": {"silent": "ARP or neighbour solicitations for the next hop stay unanswered"},
    "own_syn": {
        "seen": "the kernel's SYN was captured on its way out",
        "absent": "connect() was called and no SYN left",
    },
    "connect": {
        "open": "connect() succeeded",
        "refused": "ECONNREFUSED",
        "reset": "ECONNRESET",
        "timed-out": "ETIMEDOUT",
        "waiting": "still waiting when given up",
        "host-unreachable": "EHOSTUNREACH",
        "network-unreachable": "ENETUNREACH",
        "denied": "EACCES or EPERM",
        "no-port": "EADDRNOTAVAIL or EADDRINUSE",
        "no-descriptor": "EMFILE or ENFILE",
        "invalid": "EINVAL",
        "other": "another error",
    },
    "contradicted": {"yes": "one SYN drew a reset, and then the host's SYN-ACK"},
    "answer": {
        "syn-ack": "SYN-ACK",
        "reset": "RST,ACK that acknowledges the SYN",
        "icmp": "an ICMP error quoting the SYN",
        "challenge": "a bare ACK with an unrelated number",
        "odd": "each SYN draws an answer that fits no SYN",
        "silent": "nothing, to at least three SYNs in four seconds or more",
        "changed": "the answer to the same SYN changed with time",
        "shape": "the answer depends on what the SYN looks like",
        "pending": "not waited long enough",
    },
    "first": {
        word: f"the first of the changing answers was {word}"
        for word in ("syn-ack", "reset", "icmp", "silent", "odd", "challenge")
    },
    "icmp_ttl": {
        "same": "the error's TTL fits the host's other answers",
        "closer": "it comes from fewer hops away than the host's other answers",
        "farther": "from more hops away",
    },
    "icmp": {kind.value: f"the error is of kind {kind.value}" for kind in IcmpKind},
    "icmp_from": {
        "target": "sent by the target itself",
        "path": "sent by another address",
        "local": "sent by this machine",
    },
    "icmp_when": {"late": "two seconds or more after the SYN", "prompt": "sooner"},
    "icmp_order": {
        "at-once": "the sender answers so even to a SYN that expires at it: before forwarding, so a route decided",
        "after-expiry": "the sender tells of expiry at its own hop first: a filter or neighbour look-up later",
    },
    "icmp_elsewhere": {"same": "another port draws the same error", "different": "another port doesn't"},
    "rst_tos": {
        "echo": "the RST carries the DSCP of the SYN",
        "zero": "the RST has DSCP 0 though the SYN had another",
        "other": "the RST has a DSCP of its own",
    },
    "rst_ttl": {
        "same": "TTL as in the host's other answers",
        "closer": "the RST comes from fewer hops away than the host's other answers",
        "farther": "from more hops away",
        "other": "another initial TTL, though the distance fits",
    },
    "rst_walk": {
        "before-target": "the RST comes back at a TTL at which a probe elsewhere is still on a router",
        "beyond": "a SYN to the port is still on its way where the RST's TTL places its maker",
    },
    "ways": {"differ": "the TTL of the host's answers suggests another distance than the walk proves"},
    "rst_traits": {"netfilter": "IP ID 0, DF, no window: as netfilter and Linux make it", "other": "otherwise"},
    "md5": {"answered": "a SYN with an MD5 option is answered", "silent": "it is not"},
    "control": {
        "reset": "another port of the address answers with RST",
        "syn-ack": "with SYN-ACK",
        "icmp": "with an ICMP error from the target",
        "silent": "nothing from any other port tried",
    },
    "control_tos": {
        "echo": "the control port's RST carries the SYN's DSCP",
        "zero": "it has DSCP 0",
        "other": "another",
    },
    "control_md5": {"answered": "the control port answers a SYN with an MD5 option", "silent": "it does not"},
    "ping": {"answered": "echo requests are answered", "silent": "they are not", "icmp": "they draw an ICMP error"},
    "host": {"answers": "the target's address answered something", "silent": "nothing came from the target's address"},
    "all_open": {"yes": "every port tried answers with SYN-ACK"},
    "ack": {"reset": "an ACK draws RST", "silent": "nothing"},
    "fin": {"reset": "a FIN draws RST,ACK", "silent": "nothing"},
    "syn_ack": {"reset": "a SYN-ACK draws RST", "silent": "nothing"},
    "fin_tos": {"echo": "that RST carries the FIN's DSCP", "zero": "DSCP 0", "other": "another"},
    "half_open": {"acknowledged": "a second SYN far outside the window draws an ACK of the first", "silent": "nothing"},
    "fragment": {"answered": "an incomplete fragment to the port draws ICMP 11/1 from the target", "silent": "nothing"},
    "fragment_control": {"answered": "the same to another port does", "silent": "nothing"},
    "dies": {
        "before-last-router": "probes to the port vanish where probes to elsewhere reach a further router",
        "after-last-router": "probes to the port get as far as any other, to the last router known",
        "here": "not even the first router tells of an expired probe",
    },
    "forwards": {
        "yes": "the target itself tells that a SYN to the port expired at it: it sends the port on to another machine"
    },
    "loop": {"yes": "router addresses repeat along the path"},
    "impostor": {"yes": "addresses that cannot exist answer with SYN-ACK", "no": "they don't"},
    "handshake": {
        "complete": "SYN-ACK and our ACK",
        "blocked": "the SYN-ACK is repeated though we acknowledged it, and data stays unacknowledged",
    },
    "zero_window": {"stays": "the SYN-ACK had window 0 and the window never opened", "opened": "it opened later"},
    "two_boxes": {"yes": "two SYN-ACKs with different sequence numbers"},
    "spoke": {
        "ssh2": "an SSH-2.0 or SSH-1.99 identification",
        "ssh1": "an older SSH identification",
        "protocol": "the greeting of another protocol",
        "text": "lines that are no identification",
        "binary": "bytes of no known protocol",
        "nothing": "nothing",
        "pending": "not waited long enough",
    },
    "text": {
        "max-startups": "the line `Exceeded MaxStartups`",
        "not-allowed": "the line `Not allowed at this time`",
    },
    "lines": {"endless": "three or more lines, and no end"},
    "ended": {"fin": "the server closed", "reset": "the server's side reset", "open": "still open"},
    "ended_early": {"at-once": "within a round trip of our ACK, before we said anything", "later": "afterwards"},
    "reset_window": {"zero": "the RST has window 0", "open": "the RST has a window: a process's socket made it"},
    "reset_ttl": {"same": "TTL as in the SYN-ACK", "different": "another TTL than the SYN-ACK"},
    "kex": {"began": "the server's KEXINIT arrived", "stalled": "identification exchanged, then nothing for 2.5 s"},
    "gap": {"yes": "a later, smaller segment arrived where the first one is missing"},
    "our_words": {"acknowledged": "the server's stack acknowledged what we said", "lost": "it did not"},
    "small_mss": {"began": "with a small MSS the KEXINIT arrives", "stalled": "neither"},
    "other_source": {"answered": "a SYN from another source port is answered normally"},
}
