"""One attempt of a stranger's capture: what is compared where no probe can be sent.

House rules of this file:
1. Only the attempt's own packets and `Host` are looked at, never other attempts: captures hold millions.
2. Times only as comparisons, and only these (constants in netprobe.tracker.sides): SYN repeated after the SYN-ACK;
   SYN to SYN-ACK against SYN-ACK to ACK; the last SYN 60 s ago, the last SYN-ACK 1 s, the server's last data 2.5 s.
3. What proves a forged reset is listed here and nowhere else.
"""

from __future__ import annotations

from netprobe.attempts import Attempt
from netprobe.evidence.answer import SILENCE_NS
from netprobe.evidence.record import SECOND, Evidence, said
from netprobe.evidence.reset import place_reset
from netprobe.evidence.vantage import vantage_of
from netprobe.tracker import columns as c
from netprobe.tracker.sides import QUIET_NS

# The client's SYNs as gaps: Linux doubles (tcp_syn_retries) or, since 6.5, sends four more a second apart
# (tcp_syn_linear_timeouts); Windows sends two more after 3 and 6 s, after a reset two more half a second apart.
RHYTHMS = {
    (c.W_ONE, c.W_TWO): "linux",
    (c.W_ONE, c.W_TWO, c.W_FOUR): "linux",
    (c.W_ONE, c.W_ONE): "linear",
    (c.W_ONE, c.W_ONE, c.W_ONE): "linear",
    (c.W_THREE, c.W_SIX): "windows",
    (c.W_HALF, c.W_HALF): "windows",
}
STUCK = {
    c.B_S_STUCK: "server",
    c.B_C_STUCK: "client",
    c.B_S_UNHEARD: "server-unheard",
    c.B_C_UNHEARD: "client-unheard",
}


def judge_vantage(e: Evidence) -> None:
    """From which side the capture was taken, and whether it has both directions."""
    assert e.host is not None
    for a in e.attempts[:1]:
        if e.vantage is None:
            e.features["vantage"], e.vantage_because = vantage_of(a, e.host)
        else:
            e.features["vantage"], e.vantage_because = e.vantage, "as told by --vantage"
        _whole(e, a)


def judge_passive(e: Evidence) -> None:
    """Everything that only a capture shows, or that takes the place of a scan's controls."""
    if not e.attempts:
        return
    a = e.attempts[0]
    _compare_with_host(e)
    if not a.midstream:
        _replied(e, a)
        _rhythm(e, a)
    _forged(e, a)
    _stuck(e, a)


def _whole(e: Evidence, a: Attempt) -> None:
    """Whether the capture has both directions, and the beginning."""
    client, server = a.looks >> c.B_C_STATE & 15, a.looks >> c.B_S_STATE & 15
    if a.looks >> c.B_ONWARD & 1:
        e.features["sides"] = "client-only"
        e.cite("sides", a.first.frame, a.first.time_ns, "the client goes on; nothing of the server was captured")
    elif client == c.Z_INACTIVE and server != c.Z_INACTIVE:
        e.features["sides"] = "server-only"
    if a.midstream:
        e.features["midstream"] = "yes"


def _compare_with_host(e: Evidence) -> None:
    """The host's other answers in the capture, in the place of a scan's control port and ping."""
    host = e.host
    assert host is not None
    if host.control is not None:
        e.features["control"] = host.control
    if host.reset_tos is not None:
        e.features["control_tos"] = host.reset_tos
    if host.ping:
        e.features["ping"] = "answered"
    if host.all_open and e.attempts[0].server_data is None:  # others' clients knew which ports to try, and it speaks
        e.features["all_open"] = "yes"
    if host.here:
        e.features["listener"] = "seen"
    if host.answers or (e.answer is not None and e.answer_from_target()):
        e.features["host"] = "answers"
    place_reset(e, list(host.ttls), host.ping)
    rst = e.answer.rst if e.answer is not None else None
    if rst is not None and rst.ttl > 0:
        e.features["rst_full"] = "yes" if rst.ttl in (64, 128, 255) else "no"


def _replied(e: Evidence, a: Attempt) -> None:
    """A SYN-ACK that no ACK of the client followed: who didn't hear whom."""
    if a.synack is None or a.client_ack is not None or a.client_data is not None:
        return
    e.cite("replied", a.first.frame, a.first.time_ns, said(a.first, "SYN"))
    e.cite("replied", a.synack.frame, a.synack.time_ns, said(a.synack, "SYN,ACK"))
    if a.client_rst is not None:
        e.features["replied"] = "broken-off"
        e.cite("replied", a.client_rst.frame, a.client_rst.time_ns, "the client's reset")
    elif e.now_ns - a.first.time_ns < SILENCE_NS or e.now_ns - a.synack.last_ns < SECOND:
        e.waits_until(max(a.first.time_ns + SILENCE_NS, a.synack.last_ns + SECOND))
    elif a.looks >> c.B_ASKED_AGAIN & 1:
        e.features["replied"] = "unheard"
    elif a.looks >> c.B_TOLD_TWICE & 1:
        e.features["replied"] = "unacknowledged"


def _rhythm(e: Evidence, a: Attempt) -> None:
    packed = a.looks >> c.B_RHYTHM & 0xFFF
    gaps = tuple(gap for gap in (packed & 15, packed >> 4 & 15, packed >> 8) if gap)
    if gaps in RHYTHMS:
        e.features["rhythm"] = RHYTHMS[gaps]


def _signs(a: Attempt, at: int) -> str | None:
    """Whether a side's reset is forged: proven, likely, or nothing speaks for it.

    Proven: its TTL is none of that side's, and that side went on sending beyond it, with its own TTL. Likely: its TTL
    alone, resets that disagree with one another, or two of the weaker signs (wire format of the resets that middleboxes
    send: Weaver, Sommer, Paxson, NDSS 2009).
    """
    signs = a.looks >> at & ((1 << c.SIGNS_WIDTH) - 1)
    if signs & c.X_TTL and signs & c.X_WENT_ON:
        return "proven"
    weak = (c.X_ID, c.X_ID_OF_PEER, c.X_WINDOW_OF_PEER, c.X_BEYOND, c.X_FLOW, c.X_SEQS)
    if signs & (c.X_TTL | c.X_WENT_ON | c.X_TTLS) or sum(bool(signs & sign) for sign in weak) >= 2:
        return "likely"
    return None


def _forged(e: Evidence, a: Attempt) -> None:
    """Resets within a connection that are not their sender's."""
    if a.rst is not None and a.synack is not None and not e.features.get("contradicted"):
        word = _signs(a, c.B_S_SIGNS)
        if word is not None:
            e.features["forged"] = word
            e.features["reset_place"] = "early" if a.looks >> c.B_EARLY_RESET & 1 else "later"
            e.cite("forged", a.rst.frame, a.rst.time_ns, said(a.rst, a.rst.letters))
            last = a.server_data or a.synack
            e.cite("forged", last.frame, last.time_ns, f"a packet of the server itself: ttl {last.ttl}")
    elif a.rst is not None and a.looks >> c.B_S_SIGNS & c.X_TTLS:
        e.features["resets"] = "two-ttls"
    if a.client_rst is not None and (a.synack is not None or a.midstream):
        word = _signs(a, c.B_C_SIGNS)
        if word is not None:
            e.features["forged_client"] = word
            e.cite("forged_client", a.client_rst.frame, a.client_rst.time_ns, said(a.client_rst, a.client_rst.letters))


def _stuck(e: Evidence, a: Attempt) -> None:
    """Loss that depends on size."""
    if a.looks >> c.B_TOO_BIG & 1:
        e.features["too_big"] = "yes"
    word = next((word for bit, word in STUCK.items() if a.looks >> bit & 1), None)
    if word is None and a.looks >> c.B_S_MISSING & 1 and a.server_data is not None:
        if e.now_ns - a.server_data.last_ns >= QUIET_NS:
            word = "server"
        else:
            e.waits_until(a.server_data.last_ns + QUIET_NS)
    if word is not None:
        e.features["stuck"] = word
        side = word.partition("-")[0]
        packet = a.server_data if side == "server" else a.client_data
        if packet is not None:
            e.cite("stuck", packet.frame, packet.time_ns, f"the {side}'s first payload; its stream stalls later")
