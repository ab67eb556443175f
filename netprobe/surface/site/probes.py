"""What is sent, or looked at, to learn what the rules ask for: the confirming probes on the pages of causes.

House rules of this file:
1. Every feature that a rule asks for is learnt by exactly one row; a test holds that.
2. `steps` are names of the prober's ladder (netprobe/prober.py); every step of it belongs to a row.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Probe(NamedTuple):
    """One kind of probe. `sends`: what leaves this machine, or is looked at; `shows`: what the answer tells; `learns`:
    features of the vocabulary; `command`: where it must be asked for."""

    name: str
    sends: str
    shows: str
    learns: tuple[str, ...]
    steps: tuple[str, ...] = ()
    command: str = ""


PROBES: tuple[Probe, ...] = (
    Probe(
        "the resolver",
        "the question that any client asks its resolver; no packet to the target",
        "whether the name has an address at all",
        ("name",),
    ),
    Probe(
        "the kernel's route",
        "nothing: the routing table is asked (rtnetlink)",
        "whether a packet to this address would leave, and by which way",
        ("route",),
    ),
    Probe(
        "the neighbour",
        "nothing of its own: ARP requests and neighbour solicitations of the kernel are watched",
        "whether the next hop is there",
        ("neighbor",),
    ),
    Probe(
        "an ordinary connection",
        "one `connect()`, as a client makes it, captured on its way out and back",
        "what a client meets: SYN-ACK, reset, ICMP error (from whom, how soon, of which kind) or silence",
        (
            *("connect", "own_syn", "answer", "first", "icmp", "icmp_from", "icmp_when", "icmp_ttl", "handshake"),
            *("rst_traits", "two_boxes", "mode", "link", "capture", "expect", "contradicted", "zero_window"),
        ),
        ("connect", "around"),
    ),
    Probe(
        "a marked SYN",
        "one SYN with DSCP 18 (TOS 0x48), from another source port",
        "a Linux stack copies the mark into its reset, a filter's reset has none; a second answer beside the first",
        ("rst_tos", "other_source"),
        ("repeat", "another-source", "compare"),
    ),
    Probe(
        "a SYN with an MD5 option",
        "one SYN with a TCP MD5 option (RFC 2385), which no socket asked for",
        "a Linux stack drops it without a word, a filter answers it like any other",
        ("md5",),
    ),
    Probe(
        "a closed port beside it",
        "one marked SYN, and one with an MD5 option, to another port of the same address",
        "what the host's own stack answers: the measure for the port in question",
        ("control", "control_tos", "control_md5", "icmp_elsewhere"),
        ("control", "alive", "control-again"),
    ),
    Probe(
        "a ping",
        "one echo request",
        "whether the host is there, and with which TTL its own packets arrive: a reset with another TTL isn't its own",
        ("ping", "host", "rst_ttl"),
    ),
    Probe(
        "the other usual ports",
        "one SYN each to other ports on which SSH is often found (`--no-elsewhere` turns that off)",
        "whether the host is alive, and where SSH listens instead",
        (),
        ("elsewhere", "more-ports", "elsewhere-talk"),
    ),
    Probe(
        "the walk along the path",
        "SYNs, to the port and to another, and pings, with TTLs that let them expire at each router",
        "where on the path probes to this port die, where a reset or an ICMP error is written, and how far the host is",
        ("dies", "rst_walk", "icmp_order", "ways", "loop", "forwards"),
        (
            *("walk", "walk-control", "walk-ping", "walk-on", "walk-pairs", "walk-pairs-again", "walk-on-port"),
            *("walk-on-again", "walk-again", "walk-sender", "walk-sender-again", "walk-sender-late", "walk-reset"),
            *("walk-reset-again", "walk-proxy", "forward", "forward-reset", "distance", "distance-again"),
        ),
    ),
    Probe(
        "ACK, FIN and SYN-ACK",
        "one each to the silent port, twice at most; none of them opens a connection",
        "a stack answers each in its own way: what is answered passed the filter",
        ("ack", "fin", "syn_ack", "fin_tos"),
        ("quad", "quad-again"),
    ),
    Probe(
        "the half-open echo",
        "a second SYN of the same four-tuple, far outside of the window",
        "a listener that holds the half-open connection acknowledges the first SYN: only its answer was lost",
        ("half_open",),
        ("half-open",),
    ),
    Probe(
        "a bare SYN, a twin",
        "a SYN without options; two that look just like the kernel's",
        "whether a filter goes by the form of the SYN, or by the number of tries",
        (),
        ("bare", "twin"),
    ),
    Probe(
        "an incomplete fragment",
        "the first fragment of a datagram, to the port and to another, and nothing more for half a minute",
        "a host that got it tells that the rest never came (ICMP 11/1): a filter on the host, not before it",
        ("fragment", "fragment_control"),
        ("fragments", "fragments-again"),
        "sudo netprobe scan --patient HOST",
    ),
    Probe(
        "addresses that can't exist",
        "a SYN each to two addresses of the documentation ranges",
        "what answers there answers for everybody: a proxy in between",
        ("impostor", "all_open"),
        ("impossible",),
    ),
    Probe(
        "waiting for the identification",
        "nothing but our own identification line, once the port is open",
        "who speaks: SSH, another protocol, a text, nothing; how it ends; what is offered in the key exchange",
        (
            *("spoke", "text", "lines", "ended", "ended_early", "reset_window", "reset_ttl", "kex", "offer"),
            *("algorithms", "offer_of", "broken", "gap", "our_words"),
        ),
    ),
    Probe(
        "a second connection with a small MSS",
        "one more connection that asks for small segments",
        "where the key exchange now begins, full-size packets are lost on the path",
        ("small_mss",),
        ("small-mss",),
    ),
    Probe(
        "a sweep",
        "one SYN, of no connection, repeated while nothing answers it; to each address and port of a network",
        "what one answer shows by itself; whether errors about the neighbours come no faster than a limit lets them",
        ("basis", "limit"),
        (),
        "sudo netprobe scan --sweep NETWORK",
    ),
    Probe(
        "a capture of a client",
        "nothing: what a client and a server said to each other is read",
        "from which side it was taken, what each side sent after a reset in its name, what is sent again and again, "
        "how far key exchange and login came",
        (
            *("vantage", "midstream", "sides", "listener", "rst_full", "resets", "replied", "forged", "reset_place"),
            *("forged_client", "stuck", "too_big", "closed_by", "rhythm", "exchange", "exchange_ended", "disconnect"),
            *("collector", "login", "login_sure", "login_key", "login_closed"),
        ),
        (),
        "netprobe analyze capture.pcap",
    ),
    Probe(
        "two captures, one at each end",
        "nothing: both are compared packet by packet",
        "what left and what arrived, and who wrote what arrived without having left",
        (
            *("alone", "pair_syn", "pair_nat", "pair_answer", "pair_reply", "pair_synack", "pair_reset"),
            *("pair_reset_client", "pair_icmp", "pair_ack", "pair_words", "pair_request", "pair_stuck", "pair_pieces"),
        ),
        (),
        "netprobe analyze --client on-the-client.pcap --server on-the-server.pcap",
    ),
)


def learning(features: Iterable[str]) -> list[Probe]:
    """The probes that these features are learnt by, in the order in which they are made."""
    wanted = set(features)
    return [probe for probe in PROBES if wanted & set(probe.learns)]


def table() -> str:
    """All of them, as Markdown."""
    lines = ["| | what is sent, or looked at | what it shows |", "|---|---|---|"]
    lines += [f"| **{probe.name}** | {probe.sends} | {probe.shows} |" for probe in PROBES]
    return "\n".join(lines) + "\n"
