"""From a deciding rule back to the command that undoes it, in the words of the program that wrote the rule."""

from __future__ import annotations

import re

from netprobe.doctor.facts import Facts
from netprobe.doctor.firewall import Outcome, Walk
from netprobe.doctor.firewall.model import Table

FAIL2BAN = re.compile(r"f2b-(?P<jail>[\w.-]+)|addr6?-set-(?P<set>[\w.-]+)")


def commands(facts: Facts, outcome: Outcome) -> tuple[str, ...]:
    """Exact commands against the rule or policy that decided. An empty tuple where nobody can tell whose it is."""
    chain, rule = outcome.chain, outcome.rule
    port = facts.asked.port
    source = facts.asked.source
    if chain is None:
        return ()
    table = chain.table
    text = f"{table.name} {chain.name} {rule.text if rule else ''}"
    names = [step.chain.name for step in outcome.path if step.chain is not None] + [table.name]
    if match := FAIL2BAN.search(text):
        jail = match["jail"] or match["set"]
        return (f"sudo fail2ban-client set {jail} unbanip {source or 'ADDRESS'}", f"sudo fail2ban-client status {jail}")
    if "crowdsec" in text:
        return (f"sudo cscli decisions delete --ip {source or 'ADDRESS'}",)
    if "sshguard" in text:
        return (
            f"sudo nft list table {table.family} {table.name}",
            "sudo systemctl restart sshguard   # forgets its blocks",
        )
    if any(name.startswith(("ufw", "ufw6")) for name in names):
        return _ufw(facts, text)
    if table.name == "firewalld" or any(name.startswith(("IN_public", "filter_IN")) for name in names):
        what = "--add-service=ssh" if port == 22 else f"--add-port={port}/tcp"
        return (f"sudo firewall-cmd {what}", f"sudo firewall-cmd --permanent {what}", "sudo firewall-cmd --list-all")
    if any(name.startswith("DOCKER") for name in names):
        return ("docker ps --format '{{.Names}} {{.Ports}}'", "sudo iptables -L DOCKER-USER -n --line-numbers")
    if table.backend == "nft":
        return _nft(facts, outcome)
    return _iptables(facts, outcome)


def _ufw(facts: Facts, text: str) -> tuple[str, ...]:
    port = facts.asked.port
    if "limit" in text:
        return ("wait half a minute: the client connected too often", f"sudo ufw allow {port}/tcp   # instead of limit")
    if "user-input" in text:
        return ("sudo ufw status numbered", f"sudo ufw delete deny {port}/tcp && sudo ufw allow {port}/tcp")
    return (f"sudo ufw allow {port}/tcp",)


def _nft(facts: Facts, outcome: Outcome) -> tuple[str, ...]:
    chain, rule = outcome.chain, outcome.rule
    assert chain is not None
    where = f"{chain.table.family} {chain.table.name} {chain.name}"
    saved = "make it last: /etc/nftables.conf, or the program that wrote the table"
    if rule is None:
        side = "dport" if chain.hook not in {"output", "postrouting"} else "sport"
        return (f"sudo nft insert rule {where} tcp {side} {facts.asked.port} accept", saved)
    if rule.handle is None:
        return (f"sudo nft -a list chain {where}",)
    return (f"sudo nft delete rule {where} handle {rule.handle}", saved)


def _iptables(facts: Facts, outcome: Outcome) -> tuple[str, ...]:
    chain, rule = outcome.chain, outcome.rule
    assert chain is not None
    command = _command(facts, chain.table)
    table = f" -t {chain.table.name}" if chain.table.name != "filter" else ""
    saved = "make it last: sudo netfilter-persistent save (Debian), sudo service iptables save (Red Hat)"
    if rule is None:
        side = "dport" if chain.hook not in {"output", "postrouting"} else "sport"
        return (f"sudo {command}{table} -I {chain.name} -p tcp --{side} {facts.asked.port} -j ACCEPT", saved)
    return (f"sudo {command}{table} -D {chain.name} {rule.number}", saved)


def _command(facts: Facts, table: Table) -> str:
    """The name by which this machine's iptables of that kind goes: the plain one, where that is its kind."""
    plain = "ip6tables" if table.family == "ip6" else "iptables"
    kind = "nf_tables" if table.backend == "iptables-nft" else "legacy"
    for one in (*(facts.iptables or ()), *(facts.ip6tables or ())):
        if one.by.startswith(f"{plain}-save") and ("nf_tables" in one.text[:200]) == (kind == "nf_tables"):
            return plain
    return table.command


def translation(found: Walk) -> tuple[str, ...]:
    """Where a translation can be looked at and taken back."""
    step = next(
        (one for one in reversed(found.path) if one.chain is not None and one.chain.type == "nat" and one.rule), None
    )
    if step is None or step.chain is None or step.rule is None:
        return ()
    if any(one.chain is not None and one.chain.name.startswith("DOCKER") for one in found.path):
        return ("docker ps --format '{{.Names}} {{.Ports}}'   # which container publishes the port",)
    table = step.chain.table
    if table.backend == "nft" and step.rule.handle is not None:
        return (f"sudo nft delete rule {table.family} {table.name} {step.chain.name} handle {step.rule.handle}",)
    return (f"sudo {table.command} -t nat -D {step.chain.name} {step.rule.number}",)
