"""REJECT with every ICMP code, at the host and at each router."""

from __future__ import annotations

from collections.abc import Iterator

from tests.lab.scenario import V4, V6, Place, Rule, Scenario, Serve, Wire
from tests.lab.table.words import ANY, TARGET

# nft's words for ICMP and ICMPv6, the codes, and connect()'s errno for both (wire: icmp_err_convert,
# icmpv6_err_convert)
REJECTS = (
    ("net", "net-unreachable", "no-route", (3, 0), (1, 0), "ENETUNREACH", "ENETUNREACH"),
    ("host", "host-unreachable", "addr-unreachable", (3, 1), (1, 3), "EHOSTUNREACH", "EHOSTUNREACH"),
    ("proto", "prot-unreachable", None, (3, 2), None, "ENOPROTOOPT", None),
    ("port", "port-unreachable", "port-unreachable", (3, 3), (1, 4), "ECONNREFUSED", "ECONNREFUSED"),
    ("net_prohibited", "net-prohibited", "policy-fail", (3, 9), (1, 5), "ENETUNREACH", "EACCES"),
    ("host_prohibited", "host-prohibited", "reject-route", (3, 10), (1, 6), "EHOSTUNREACH", "EACCES"),
    ("admin", "admin-prohibited", "admin-prohibited", (3, 13), (1, 1), "EHOSTUNREACH", "EACCES"),
)
ON_PATH = {"net": "network-unreachable", "host": "host-unreachable"}


def rejects() -> Iterator[Scenario]:
    """REJECT with every code, at the host and at each router."""
    for node, hook in (("target", "input"), ("r1", "forward"), ("r2", "forward")):
        at_host = node == "target"
        where = "the host" if at_host else node
        for name, word4, word6, code4, code6, connect, connect6 in REJECTS:
            text6 = f"tcp dport 22 reject with icmpv6 {word6}" if word6 else ""
            unsure = name == "host"  # route or filter, dead backend or filter: the code alone can't tell
            yield Scenario(
                f"reject_{name}_{'host' if at_host else node}",
                f"{where} rejects with {word4} ({word6 or 'IPv4 only'})",
                "rejected-by-host" if at_host else ON_PATH.get(name, "rejected-on-path"), "filtered",
                Wire("icmp", sender=node, codes=(code4, code6), connect=connect, connect6=connect6),
                certainty="likely" if unsure else "certain", allowed=ANY if unsure or name == "net" else ("likely",),
                also=() if at_host or name not in ON_PATH else ("rejected-on-path",),
                families=(V4, V6) if word6 else (V4,), serves=(Serve("silent"),),
                origin=(TARGET if at_host else Place("path", node),),
                rules=(Rule(node, hook, f"tcp dport 22 reject with icmp {word4}", text6,
                        key=None if at_host else "daddr"),),
            )  # fmt: skip
