"""One namespace to be: what is configured in it, as text for `ip -batch`, `nft -f` and iptables."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tests.lab.scenario import V4, V6, Rule

SWITCHES = ("lan1", "wire", "lan2")
HOOKS = {
    "raw": "type filter hook prerouting priority -300",
    "prenat": "type nat hook prerouting priority -100",
    "prenat_all": "type nat hook prerouting priority -99",
    "input": "type filter hook input priority 0",
    "forward": "type filter hook forward priority 0",
    "output": "type filter hook output priority 0",
    "copy": "type filter hook forward priority -10",
    "bridge": "type filter hook forward priority 0",
}


@dataclass(slots=True)
class Node:
    """One namespace to be."""

    name: str
    addresses: dict[int, str] = field(default_factory=dict)
    hop: int = 0  # counted from a client: its gateway is 1
    router: bool = False
    commands: list[str] = field(default_factory=list)  # of `ip -batch` inside
    sysctls: list[tuple[str, str]] = field(default_factory=list)
    rules: list[tuple[Rule, dict[int, dict[str, str]]]] = field(default_factory=list)

    def gateway(self, by4: str, by6: str, device: str = "eth0") -> None:
        """Default routes of both families."""
        self.commands += [
            f"route add default via {by4} dev {device} onlink",
            f"route add ::/0 via {by6} dev {device} onlink",
        ]


def ruleset(node: Node) -> str:
    """The nftables text of a node, only with chains that hold something. `dup` exists in ip and ip6 tables only
    (nft(8))."""
    chains: dict[tuple[str, str], list[str]] = {}
    for rule, words in node.rules:
        for family in (V4, V6):
            text = rule.text if family == V4 or rule.text6 is None else rule.text6
            if not text or family not in words or rule.hook == "iptables":
                continue
            ip = "ip" if family == V4 else "ip6"
            key = f"{ip} {rule.key} {words[family]['target']}" if rule.key else f"meta nfproto ipv{family}"
            table = {"copy": ip, "bridge": "bridge"}.get(rule.hook, "inet")
            filled = text.replace("{ip}", ip).format(**words[family])
            chains.setdefault((table, rule.hook), []).append(f"{key} {filled}")
    lines = []
    for table in sorted({table for table, _ in chains}):
        lines += [f"table {table} lab {{}}", f"delete table {table} lab", f"table {table} lab {{"]
        for hook in [hook for of, hook in chains if of == table]:
            lines += [f"chain at_{hook} {{", f"{HOOKS[hook]};", *chains[table, hook], "}"]
        lines.append("}")
    return "\n".join([*lines, ""]) if lines else ""


def iptables(node: Node) -> list[list[str]]:
    """The command lines of a node's iptables and ip6tables rules."""
    return [
        ["iptables" if family == V4 else "ip6tables", *rule.text.format(**words[family]).split()]
        for rule, words in node.rules
        if rule.hook == "iptables"
        for family in words
    ]


def settings(node: Node) -> list[tuple[str, str]]:
    """Settings before any interface exists; `default` is what interfaces made later begin with."""
    found = []
    for which in ("all", "default"):
        found += [(f"ipv4/conf/{which}/rp_filter", "0"), (f"ipv6/conf/{which}/accept_dad", "0")]
        found += [(f"ipv6/conf/{which}/disable_ipv6", "1" if node.name in SWITCHES else "0")]
        found += [(f"ipv6/conf/{which}/accept_ra", "0"), (f"ipv6/conf/{which}/router_solicitations", "0")]
        if node.router:
            found.append((f"ipv6/conf/{which}/forwarding", "1"))
    if node.router:
        found.append(("ipv4/ip_forward", "1"))
    if node.name in SWITCHES and Path("/proc/sys/net/bridge").is_dir():
        found += [(f"bridge/bridge-nf-call-{tables}", "0") for tables in ("iptables", "ip6tables", "arptables")]
    return [*found, *node.sysctls]
