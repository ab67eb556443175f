"""Rule sets by chance: nftables, both iptables, several at once. The same seed gives the same rule sets."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from tests.doctor_firewall.iptables_by_chance import Iptables
from tests.doctor_firewall.nft_by_chance import Nft

PRIORITIES = {
    "prerouting": (-300, -150, -50, -250, -199),
    "input": (0, -10, 10, -150, 50),
    "forward": (0, -10, 10),
    "output": (0, -150, 10),
    "postrouting": (0, 150),
}
EMPTY = "".join(f"*{table}\nCOMMIT\n" for table in ("raw", "mangle", "nat", "filter"))
LEGACY_BASES = {
    "prerouting": (("raw", -300), ("mangle", -150), ("nat", -100)),
    "input": (("mangle", -150), ("filter", 0)),
    "forward": (("mangle", -150), ("filter", 0)),
    "output": (("raw", -300), ("mangle", -150), ("filter", 0)),
    "postrouting": (("mangle", -150),),
}


@dataclass
class Generated:
    """A rule set: what is loaded, and the order of its base chains as the kernel would list it."""

    commands: dict[tuple[str, ...], str] = field(default_factory=dict)
    hooks: str = ""
    kind: str = ""


def kernels_list(tables: list[Nft]) -> str:
    """What `nft list hooks` would print, from the order in which everything was registered: legacy tables long before,
    then each table's chains. Among equals the newest comes first."""
    lines = []
    for family, six in (("ip", False), ("ip6", True)):
        lines.append(f"family {family} {{")
        for hook, legacy in LEGACY_BASES.items():
            entries = [
                (priority, 0, f"{'ip6' if six else 'ip'}t_do_table [ip{'6' if six else ''}table_{name}]")
                for name, priority in legacy
            ]
            for age, table in enumerate(tables, 1):
                if table.six if six else table.four:
                    entries += [
                        (priority, 1000 * age + at, f"chain {table.family} {table.name} {name} [nf_tables]")
                        for at, (where, priority, name) in enumerate(table.bases)
                        if where == hook
                    ]
            entries.sort(key=lambda one: (one[0], -one[1]))
            lines.append(f"\thook {hook} {{")
            lines += [
                f"\t\t{'-' if priority < 0 else '+' if priority else ' '}{abs(priority):010d} {what}"
                for priority, _, what in entries
            ]
            lines.append("\t}")
        lines.append("}")
    return "\n".join(lines)


def generated(seed: int, *, legacy: bool = True, nf_tables: bool = True) -> Generated:
    """The rule set of a seed. Where one of the iptables doesn't run, nftables takes its turn."""
    rng = Random(seed)
    made = Generated(kind=rng.choices(("nft", "iptables-nft", "iptables-legacy", "mixed"), (55, 18, 15, 12))[0])
    nft, tables = "flush ruleset\n", list[Nft]()
    if (made.kind == "iptables-nft" and not nf_tables) or (made.kind in {"iptables-legacy", "mixed"} and not legacy):
        made.kind = "nft"
    restore = {("legacy", family): EMPTY for family in ("iptables", "ip6tables")} if legacy else {}
    if made.kind in {"nft", "mixed"}:
        for number in range(rng.choices((1, 2, 3), (6, 4, 2))[0]):
            family = rng.choices(("inet", "ip", "ip6"), (6, 3, 2))[0]
            tables.append(Nft(rng, family, f"t{number}"))
            nft += tables[-1].text(PRIORITIES) + "\n"
    made.commands["nft", "-f", "-"] = nft
    if made.kind != "nft":
        for six in (False, True):
            name = "ip6tables" if six else "iptables"
            which = "legacy" if made.kind != "iptables-nft" else "nft"
            restore[which, name] = (EMPTY if which == "legacy" else "") + Iptables(rng, six, which == "legacy").text()
    for (which, name), text in restore.items():
        made.commands[(f"{name}-{which}-restore",)] = text
    made.hooks = kernels_list(tables)
    return made
