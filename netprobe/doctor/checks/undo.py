"""From a deciding rule back to the command that undoes it, in the words of the program that wrote the rule."""

from __future__ import annotations

from netprobe.doctor.facts import Facts
from netprobe.doctor.firewall import Outcome, Walk, owner
from netprobe.doctor.firewall.model import Table


def commands(facts: Facts, outcome: Outcome) -> tuple[str, ...]:
    """Exact commands against the rule or policy that decided. An empty tuple where nobody can tell whose it is."""
    chain = outcome.chain
    if chain is None:
        return ()
    known = owner(outcome, facts.asked.port, facts.asked.source)
    if known is not None:
        return known.undo
    if chain.table.backend == "nft":
        return _nft(facts, outcome)
    return _iptables(facts, outcome)


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
