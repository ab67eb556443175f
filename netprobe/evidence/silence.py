"""The probes that split silence: ACK, FIN, SYN-ACK, the half-open echo, the incomplete fragment."""

from __future__ import annotations

from netprobe.attempts import Form
from netprobe.evidence.record import SECOND, Evidence, hops_away, judge_probe, probes_of, said, said_icmp, tos_of
from netprobe.icmp import IcmpKind


def judge_silence(e: Evidence) -> None:
    """The probes that split silence (wire-evidence, Appendix B) and the two that no other tool has."""
    for feature, form, name in (
        ("ack", Form.ACK, "ACK"),
        ("fin", Form.FIN, "FIN"),
        ("syn_ack", Form.SYN_ACK, "SYN-ACK"),
    ):
        probes = probes_of(e, form)
        if probes:
            a = next((p for p in probes if p.rst is not None), probes[-1])
            judge_probe(e, feature, a, a.rst, name, "reset")
            if feature == "fin" and a.rst is not None:
                word = tos_of(a.first, a.rst)
                if word is not None:
                    e.features["fin_tos"] = word
    for a in e.syns:
        if a.syn2 is None:
            continue
        if a.echoed is not None:
            e.features["half_open"] = "acknowledged"
            e.cite("half_open", a.first.frame, a.first.time_ns, said(a.first, "SYN"))
            e.cite("half_open", a.syn2.frame, a.syn2.time_ns, "second SYN of the same four-tuple, 2^25 further on")
            e.cite("half_open", a.echoed.frame, a.echoed.time_ns, "ACK that acknowledges the first SYN")
        elif e.now_ns - a.syn2.last_ns >= e.patience_ns:
            e.features.setdefault("half_open", "silent")
            e.cite("half_open", a.syn2.frame, a.syn2.time_ns, "second SYN of the same four-tuple, unanswered")
        else:
            e.waits_until(a.syn2.last_ns + e.patience_ns)
    _fragments(e)


# RFC 1122 3.3.2: reassembly is given up after 60 to 120 s; Linux after 30 (net.ipv4.ipfrag_time), IPv6 60 (RFC 8200
# 4.5).
FRAGMENT_PATIENCE_NS = {4: 33 * SECOND, 6: 63 * SECOND}


def _fragments(e: Evidence) -> None:
    """Linux reassembles IPv4 before INPUT, so that a host answers even for a port that its own filter drops; IPv6
    after it,
    so that there an answer proves only that the host is alive."""
    for a in e.attempts:
        if a.form is not Form.FRAGMENT:
            continue
        feature = "fragment" if a.server.port == e.target.port else "fragment_control"
        patience = FRAGMENT_PATIENCE_NS[a.version]
        if a.icmp is not None and a.icmp.meaning.kind is IcmpKind.REASSEMBLY and a.icmp.sender == e.target.address:
            e.features["host"] = "answers"
            if e.distance is None and a.icmp.ttl is not None:
                e.distance = hops_away(a.icmp.ttl)
            if a.version == 4:
                e.features[feature] = "answered"
            e.cite(feature, a.icmp.frame, a.icmp.time_ns, said_icmp(a.icmp))
            e.reassembles = True
        elif e.now_ns - a.first.last_ns < patience:
            e.waits_until(a.first.last_ns + patience)
        elif a.version == 4:
            e.features.setdefault(feature, "silent")
            e.cite(feature, a.first.frame, a.first.time_ns, "incomplete fragment, unanswered")
