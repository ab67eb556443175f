"""Which rule of which firewall decides about a SYN: the rules of nftables and both iptables, walked as the kernel does.

    ruleset = parse(nft=..., iptables=[...], ip6tables=[...])      texts of `nft -j list ruleset` and iptables-save
    found = walk(ruleset, Query("192.0.2.2", 22, source="198.51.100.7"), Host(interfaces={"eth0": ["192.0.2.2/24"]}))
    found.verdict, found.decided.rule.text, [str(step) for step in found.path]

Words: a *base chain* hangs on a *hook* with a *priority*; a *lane* is one of the ways that a packet can go where a test
can't be decided; a *doubt* is such a test; an *outcome* is an end of a lane; *usual* is what happens to a
client's first SYN.
"""

from __future__ import annotations

from netprobe.doctor.firewall.model import Host, Kind, Outcome, Query, Ruleset, Step, Walk
from netprobe.doctor.firewall.owners import Owner, owner
from netprobe.doctor.firewall.read import parse
from netprobe.doctor.firewall.walk import walk

__all__ = ["Host", "Kind", "Outcome", "Owner", "Query", "Ruleset", "Step", "Walk", "owner", "parse", "walk"]
