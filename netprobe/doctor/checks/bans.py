"""Lists of those who are kept out: bans, recent addresses, TCP wrappers (ND304 to ND306)."""

from __future__ import annotations

import ipaddress

from netprobe.doctor import reading
from netprobe.doctor.checks.wrappers import Decision, decide
from netprobe.doctor.facts import Facts
from netprobe.doctor.finding import Reason, Result, Status, check, fine, skipped, unknown


def same(address: str, source: str) -> bool:
    """Whether a ban's address or network holds the source."""
    try:
        return ipaddress.ip_address(source.partition("%")[0]) in ipaddress.ip_network(address, strict=False)
    except ValueError:
        return False


@check("ND304", Reason.FIREWALL)
def not_banned(facts: Facts) -> Result:
    """The client is not banned."""
    if facts.bans is None:
        return unknown("Who is banned can't be told.", facts.why("bans"))
    if not facts.bans:
        named = ", ".join(one for one in facts.guards or () if one != "docker")
        return fine(f"Nobody is banned ({named})." if named else "No program that bans addresses is installed.")
    source = facts.asked.source
    if source is None:
        programs = ", ".join(dict.fromkeys(one.by for one in facts.bans))
        return fine(
            f"{len(facts.bans)} addresses are banned by {programs}; --source ADDRESS says whether the client's is one."
        )
    hit = next((one for one in facts.bans if same(one.address, source)), None)
    if hit is None:
        return fine(f"{source} is not among the {len(facts.bans)} banned addresses.")
    lift = (
        f"sudo fail2ban-client set {hit.jail} unbanip {hit.address}"
        if hit.by == "fail2ban"
        else f"sudo cscli decisions delete --ip {hit.address}"
    )
    left = "for ever" if hit.until is None else f"for another {max(0, hit.until - facts.taken) // 60} minutes"
    return Result(
        status=Status.FAULT, first=17, says=f"{source} is banned by {hit.by}, {left}.", because=(f"jail {hit.jail}: {hit.address}",),
        remedy=(lift, "find out why first: sudo journalctl -t sshd -g " + source), source=f"{hit.by}'s database",
        causes=("rejected-by-host", "dropped", "rate-limited"),
    )  # fmt: skip


@check("ND305", Reason.FIREWALL)
def not_on_a_recent_list(facts: Facts) -> Result:
    """The client is on no list of netfilter's recent match."""
    if facts.recent is None:
        return unknown("The lists of recent addresses can't be read.", facts.why("recent"))
    if not facts.recent:
        return skipped("There are no lists of recent addresses.")
    hit = [one for one in facts.recent if one.has_source]
    if not hit:
        return fine(
            f"{len(facts.recent)} lists of recent addresses, without the client's.", source="/proc/net/xt_recent"
        )
    return Result(
        status=Status.RISK, first=42, says=f"{facts.asked.source} is on the list {hit[0].name}: rules may refuse it for a while.",
        because=(f"{hit[0].addresses} addresses are on it",), source=f"/proc/net/xt_recent/{hit[0].name}",
        remedy=(f"echo -{facts.asked.source} | sudo tee /proc/net/xt_recent/{hit[0].name}",), causes=("rate-limited", "dropped"),
    )  # fmt: skip


@check("ND306", Reason.FIREWALL)
def wrappers_let_in(facts: Facts) -> Result:
    """TCP wrappers (hosts.allow, hosts.deny) let the client in."""
    found = reading.implementation(facts)
    if found is None or not found.libwrap:
        return skipped("This SSH server does not look at hosts.allow and hosts.deny (it is not linked with libwrap).")
    if facts.hosts_allow is None or facts.hosts_deny is None:
        return unknown("hosts.allow and hosts.deny can't be read.", facts.why("hosts_deny"))
    decision, line, file = decide(facts.hosts_allow, facts.hosts_deny, facts.asked.source)
    if decision is Decision.ALLOWED:
        return fine(
            "TCP wrappers let the client in." if line else "hosts.deny names nobody.",
            *([f"{file}: {line}"] if line else []),
        )
    if decision is Decision.UNSURE:
        return unknown("Whether TCP wrappers let the client in can't be told.", f"{file}: {line}")
    whom = facts.asked.source or "every client"
    allow = f"sshd : {facts.asked.source or 'ALL'}"
    return Result(
        status=Status.FAULT, first=16, says=f"TCP wrappers turn {whom} away: the connection is closed before a word.",
        because=(f"{file}: {line}", f"{found.path} is linked with libwrap"), source=file, causes=("closed-before-banner",),
        remedy=(f"sudo sed -i '1i {allow}' /etc/hosts.allow   # or take the line out of {file}",),
    )  # fmt: skip


CHECKS = (not_banned, not_on_a_recent_list, wrappers_let_in)
