"""From which side an attempt was captured, and on what that rests."""

from __future__ import annotations

from netprobe.attempts import Attempt
from netprobe.evidence.host import Host
from netprobe.evidence.record import Evidence, hops_away
from netprobe.tracker import columns as c
from netprobe.tracker.hosts import full

SIDES = ("client", "server", "middle")


def vantage_of(a: Attempt, host: Host) -> tuple[str, str]:
    """From which side an attempt was captured (client, server, middle, unknown), and on what that rests.

    A packet with a TTL of 64, 128 or 255 was sent on this link: no router has touched it yet. Where both sides are on
    it, the link's own mark of the direction decides, else whose answers take longer to come.
    """
    sent = a.first.ttl if a.first.frame else 0
    got = _ttl_from_server(a)
    here = full(sent)
    there = full(got) or host.full or (not got and not here and host.full_reset)
    if sent and here and there:
        return _same_link(a)
    if sent and here:
        return _by_the_client(a, sent, got)
    if there:
        ttl = f"TTL {got}" if full(got) else "a full TTL"
        return "server", f"answers have {ttl} as they were sent" + (f", the SYN came with TTL {sent}" if sent else "")
    if sent and got:
        return "middle", f"neither the SYN (TTL {sent}) nor the answer (TTL {got}) was sent on this link"
    if not sent:
        return "unknown", ""
    if a.outgoing is False:
        return "server", f"the SYN came in here with TTL {sent}, and this machine answers for itself or not at all"
    return "middle", f"the SYN has TTL {sent}, so it has come past routers; nobody on this link answered it"


def _by_the_client(a: Attempt, sent: int, got: int) -> tuple[str, str]:
    if a.outgoing is False and not got:
        return "server", f"the SYN came in here, straight from its sender (TTL {sent})"
    return "client", f"the SYN has TTL {sent} as it was sent" + (f", the answers came with TTL {got}" if got else "")


def _same_link(a: Attempt) -> tuple[str, str]:
    link = "both sides are on this link (full TTLs)"
    if a.outgoing is not None:
        return ("client", f"{link}; the SYN went out") if a.outgoing else ("server", f"{link}; the SYN came in")
    if a.looks >> c.B_ANSWER_SLOW & 1:
        return "client", f"{link}; the SYN-ACK took longer to come than the ACK after it"
    if a.looks >> c.B_ACK_SLOW & 1:
        return "server", f"{link}; the ACK took longer to come than the SYN-ACK before it"
    return "unknown", f"{link}"


def _ttl_from_server(a: Attempt) -> int:
    """TTL of the server's own answer; a reset counts only where nothing else came, since others forge it."""
    packet = a.synack or a.server_data or a.server_fin or a.challenge or a.rst
    if packet is not None and packet.ttl > 0:
        return packet.ttl
    if a.icmp is not None and a.icmp.ttl is not None and a.icmp.sender == a.server.address:
        return a.icmp.ttl
    return 0


def way_to_here(e: Evidence) -> int:
    """Routers between the client and the place of the capture, by the SYN's TTL; 0 in a scan of our own."""
    if e.host is None or not e.syns or e.syns[0].first.ttl <= 0:
        return 0
    return hops_away(e.syns[0].first.ttl) - 1
