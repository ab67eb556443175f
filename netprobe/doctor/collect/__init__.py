"""Collecting: from a machine to facts, in three rounds, since the later ones need what the earlier ones found.

House rules of this package:
1. The only part of doctor that runs commands, reads files or looks at the clock.
2. Every fact is there or has its reason in `gaps`; nothing is guessed.
3. What is secret is left behind where it is read, not later.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from netprobe.doctor.collect import access, configuration, daemon, filters, host, network
from netprobe.doctor.collect.machine import Machine, Part, together
from netprobe.doctor.facts import Asked, Facts, System

__all__ = ["Machine", "collect"]


def collect(asked: Asked, machine: Machine | None = None) -> Facts:
    """The facts of a machine, this one by default. Takes at most 4 s as root and 2.2 s as an ordinary user; never
    raises for what the machine holds."""
    of = machine or Machine()
    known: dict[str, Any] = {}
    gaps: dict[str, str] = {}
    try:
        for parts in (first(of, asked), second(of, asked, known), third(of, asked, known)):
            if of.stopped:  # nothing is begun any more
                gaps |= {name: "interrupted" for names in parts for name in names.split()}
                continue
            values, missing = together(of, parts)
            known |= values
            gaps |= missing
    finally:
        of.abandon()
    known.setdefault("system", System(root=of.is_root))
    return Facts(asked=asked, taken=of.now(), seconds=round(of.elapsed(), 3), gaps=gaps, **known)


def first(of: Machine, asked: Asked) -> dict[str, Part]:
    """What needs nothing else."""
    return {
        "system": partial(daemon.system, of),
        "packages": partial(daemon.packages, of),
        "binaries": partial(daemon.binaries, of),
        "units": partial(daemon.units, of),
        "listeners daemons": partial(network.sockets, of),
        "interfaces": partial(network.interfaces, of),
        "routes forwarding": partial(network.routes, of),
        "way_back": partial(network.way_back, of, asked),
        "counters": partial(network.counters, of),
        "nft nft_hooks": partial(filters.nft, of),
        "iptables": partial(filters.xtables("iptables"), of),
        "ip6tables": partial(filters.xtables("ip6tables"), of),
        "ipset": partial(filters.ipset, of),
        "ufw": partial(filters.ufw, of),
        "firewalld": partial(filters.firewalld, of),
        "bans guards": partial(filters.bans, of),
        "hosts_allow hosts_deny": partial(filters.wrappers, of),
        "recent": partial(filters.recent, of, asked),
        "account nologin": partial(access.account, of, asked),
        "selinux": partial(access.selinux, of),
        "log": partial(access.log, of, asked),
        "disks": partial(host.disks, of),
        "limits": partial(host.limits, of),
    }


def second(of: Machine, asked: Asked, known: dict[str, Any]) -> dict[str, Part]:
    """What needs the daemon."""
    return {"config_test config config_for_user": lambda: configuration.configuration(of, asked, known)}


def third(of: Machine, asked: Asked, known: dict[str, Any]) -> dict[str, Part]:  # noqa: ARG001 (one shape for all rounds)
    """What needs its configuration."""
    return {
        "host_keys run_dir": lambda: configuration.files(of, known),
        "authorized_keys path_to_keys": lambda: access.keys(of, known),
    }
