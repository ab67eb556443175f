"""All that was collected of the firewalls, as one rule set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netprobe.doctor.firewall import hooks as kernel_hooks
from netprobe.doctor.firewall import ipset as sets_of_ip
from netprobe.doctor.firewall import iptables as iptables_save
from netprobe.doctor.firewall import nft as nftables
from netprobe.doctor.firewall.model import Ruleset


def parse(
    nft: str | dict[str, Any] | None = None,
    iptables: Sequence[str] = (),
    ip6tables: Sequence[str] = (),
    ipset: str | None = None,
    hooks: str | None = None,
) -> Ruleset:
    """`nft -j list ruleset`; iptables-save and ip6tables-save of every kind there is (nf_tables, legacy; the same one
    twice does no harm); `ipset save`; `nft list hooks`. None is: there is none. Never raises: what can't be read is
    listed in the rule set's `problems`."""
    made = Ruleset()
    if nft is not None:
        nftables.read(nft, made)
    iptables_save.add(tuple(iptables), "ip", made)
    iptables_save.add(tuple(ip6tables), "ip6", made)
    if ipset is not None:
        made.ipsets, problems = sets_of_ip.read(ipset)
        made.problems += problems
    if hooks:
        made.hooks = kernel_hooks.listed(hooks)
    return made
