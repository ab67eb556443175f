"""Reads iptables-save and ip6tables-save, of nf_tables and legacy."""

from __future__ import annotations

import re

from netprobe.doctor.firewall.iptables_rule import IptablesRule
from netprobe.doctor.firewall.model import Chain, Ruleset, Table

HOOKS = {"PREROUTING": "prerouting", "INPUT": "input", "FORWARD": "forward"} | {
    "OUTPUT": "output",
    "POSTROUTING": "postrouting",
}
PRIORITY = {"raw": -300, "mangle": -150, "nat": -100, "filter": 0, "security": 50}
COUNTERS = re.compile(r"\[(\d+):(\d+)\] ")


def backend_of(text: str) -> str:
    """Which iptables wrote the text: its first line tells. Before 1.8 there was only one, and it had no other name."""
    first = text.lstrip().split("\n", 1)[0]
    if "nf_tables" in first or "nft-save" in first:
        return "iptables-nft"
    version = re.search(r" v(\d+)\.(\d+)", first)
    old = version is not None and (int(version[1]), int(version[2])) < (1, 8)
    return "iptables-old" if old else "iptables-legacy"


def read(text: str, family: str, into: Ruleset) -> list[Table]:
    """The tables of one output. `family` is ip or ip6. Lines that can't be read become a problem."""
    backend, tables = backend_of(text), list[Table]()
    for line in text.splitlines():
        if line.startswith("*"):
            tables.append(Table(family, line[1:].strip(), backend, (4,) if family == "ip" else (6,)))
        elif line.startswith("#") or line in {"COMMIT", ""} or not line.strip():
            continue
        elif not tables or not one(line, tables[-1], len(tables)):
            into.problems.append(f"a line of {family}tables-save can't be read: {line[:80]}")
    return tables


def one(line: str, table: Table, number: int) -> bool:
    """A chain or a rule; False for anything else."""
    counters = COUNTERS.match(line)
    if counters:
        line = line[counters.end() :]
    if line.startswith(":"):
        name, _, rest = line[1:].partition(" ")
        chain = Chain(table, name, order=len(table.chains))
        if name in HOOKS and rest.split(" ")[0] != "-":
            chain.hook, chain.policy = HOOKS[name], rest.split(" ")[0].lower()
            chain.priority, chain.type = PRIORITY.get(table.name, 0), "nat" if table.name == "nat" else "filter"
        table.chains[name] = chain
        return True
    if not line.startswith("-A "):
        return False
    name, _, rest = line[3:].partition(" ")
    if name.startswith('"'):
        name, _, rest = line[4:].partition('" ')
    if name not in table.chains:
        return False
    chain = table.chains[name]
    chain.rules.append(IptablesRule(chain, len(chain.rules) + 1, None, rest))
    return True


def add(texts: tuple[str, ...], family: str, into: Ruleset) -> None:
    """All outputs of one family. The same table of the same backend counts once; a table that nft lists, too, gets the
    iptables text of its rules, since nft can't show extensions."""
    seen: set[tuple[str, str]] = set()
    for text in texts:
        for table in read(text, family, into):
            backend = "iptables-legacy" if table.backend == "iptables-old" else table.backend
            if (backend, table.name) in seen:
                continue
            seen.add((backend, table.name))
            twin = next((one for one in into.tables if (one.family, one.name) == (family, table.name)), None)
            if backend != "iptables-nft" or twin is None or twin.backend != "nft":
                table.order = 1 + max((one.order for one in into.tables), default=0)
                into.tables.append(table)
            elif equal(table, twin):
                adopt(table, twin)


def equal(table: Table, twin: Table) -> bool:
    """Do both listings show the same chains with as many rules? If not, one is older than the other: nft's is whole."""
    return all(
        name in twin.chains and len(twin.chains[name].rules) == len(chain.rules)
        for name, chain in table.chains.items()
        if chain.rules or name not in HOOKS
    )


def adopt(table: Table, twin: Table) -> None:
    """nft's table with iptables' rules; the handles stay."""
    twin.backend = "iptables-nft"
    for name, chain in table.chains.items():
        mine = twin.chains.get(name)
        if mine is None:
            continue
        for old, new in zip(mine.rules, chain.rules, strict=True):
            new.chain, new.handle = mine, old.handle
        mine.rules = chain.rules
