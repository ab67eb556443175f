"""Whose rule it is: from names of chains, tables and sets back to the program that wrote them, and to its undo.

House rules of this file:
1. The rule that decided names its owner, or its chain does; for a policy, the chains that the chain calls. That a
   packet merely passed somebody's chains on its way says nothing.
2. The commands are the owner's: a rule that is deleted behind its back comes again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from netprobe.doctor.firewall.model import Outcome

ADDRESS = "ADDRESS"
ZONE = re.compile(r"(?:filter_)?IN_(?!ZONES|policy)([A-Za-z0-9-]+?)(?:_(?:allow|deny|log|pre|post))?$")


@dataclass(frozen=True, slots=True)
class Owner:
    """A program that writes rules. `name` is what people call it, `undo` are the commands that let the port or the
    address in."""

    name: str
    undo: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Clue:
    """What is known when an owner is looked for. `around` are the names near the rule; `path` those of every chain that
    the packet met."""

    around: str
    text: str
    chain: str
    path: tuple[str, ...]
    port: int
    source: str
    found: re.Match[str]


def owner(outcome: Outcome, port: int, source: str | None = None) -> Owner | None:
    """Who wrote the rule or policy that decided; None where nobody is known. `port` is the port that should be
    let in, `source` the client's address where one is known."""
    chain = outcome.chain
    if chain is None:
        return None
    if outcome.rule is not None:
        text = outcome.rule.text
    else:
        text = " ".join(rule.text for rule in chain.rules if " -j " in rule.text or "jump " in rule.text)
    around = f"{chain.table.name} {chain.name} {text}"
    path = tuple(dict.fromkeys(step.chain.name for step in outcome.path if step.chain is not None))
    for name, pattern, undo in OWNERS:
        found = re.search(pattern, around)
        if found:
            clue = Clue(around, text, chain.name, path, port, source or ADDRESS, found)
            return Owner(name, undo(clue))
    siblings = " ".join(rule.text for rule in chain.rules[-6:])
    found = re.search(r"INPUT_ZONES|IN_ZONES", siblings)
    if found:  # firewalld's last rule stands beside its zones, in INPUT itself
        return Owner("firewalld", firewalld(Clue(around, text, chain.name, path, port, source or ADDRESS, found)))
    return None


def fail2ban(clue: Clue) -> tuple[str, ...]:
    """The jail's name is in the chain's or the set's."""
    jail = clue.found["jail"] or clue.found["set"] or clue.found["ips"] or "sshd"
    return (f"sudo fail2ban-client set {jail} unbanip {clue.source}", f"sudo fail2ban-client status {jail}")


def ufw(clue: Clue) -> tuple[str, ...]:
    """A rule of the user's, a limit, or the default policy."""
    allow = f"sudo ufw allow {clue.port}/tcp"
    if "limit" in clue.chain or "ufw-user-limit" in clue.text or "ufw6-user-limit" in clue.text:
        return (
            "wait half a minute: more than five connections in thirty seconds are refused (ufw limit)",
            f"sudo ufw delete limit {clue.port}/tcp && {allow}",
        )
    if "user-input" in clue.chain:
        action = "reject" if "REJECT" in clue.text else "deny"
        whence = re.search(r"(?<!! )-s (\S+)", clue.text)
        if whence:
            address = whence[1].removesuffix("/32").removesuffix("/128")
            port = " to any port " + ports[1] if (ports := re.search(r"--dports? (\S+)", clue.text)) else ""
            protocol = " proto tcp" if port else ""
            return (f"sudo ufw delete {action} from {address}{port}{protocol}", "sudo ufw status numbered")
        return (f"sudo ufw delete {action} {clue.port}/tcp && {allow}", "sudo ufw status numbered")
    if "before" in clue.chain or "not-local" in clue.chain:
        return ("sudo ufw show before-rules", "edit /etc/ufw/before.rules (before6.rules), then: sudo ufw reload")
    return (allow, "sudo ufw status verbose")


def firewalld(clue: Clue) -> tuple[str, ...]:
    """By zone, where a zone's chain was passed."""
    names = [ZONE.match(one) for one in clue.path]
    zone = next((f"--zone={one[1]} " for one in reversed(names) if one), "")
    if clue.chain.endswith("_deny"):
        rules = f"sudo firewall-cmd {zone}--list-rich-rules"
        return (rules, f"sudo firewall-cmd --permanent {zone}--remove-rich-rule='RULE' && sudo firewall-cmd --reload")
    what = "--add-service=ssh" if clue.port == 22 else f"--add-port={clue.port}/tcp"
    return (
        f"sudo firewall-cmd --permanent {zone}{what} && sudo firewall-cmd --reload",
        f"sudo firewall-cmd {zone}--list-all",
    )


def docker(clue: Clue) -> tuple[str, ...]:
    """Docker's own chains; DOCKER-USER is the administrator's."""
    if clue.chain == "DOCKER-USER":
        return ("sudo iptables -L DOCKER-USER -n --line-numbers", "sudo iptables -D DOCKER-USER NUMBER")
    return (f"docker ps --filter publish={clue.port}", "docker port CONTAINER")


def sshguard(clue: Clue) -> tuple[str, ...]:
    """By an address of a set; the daemon forgets all at a restart."""
    six = ":" in clue.source
    family = "ip6" if six else "ip"
    return (
        f"sudo nft delete element {family} sshguard attackers '{{ {clue.source} }}'",
        "sudo systemctl restart sshguard   # forgets all its blocks",
    )


def said(*commands: str) -> Callable[[Clue], tuple[str, ...]]:
    """Commands with {source} and {port}."""
    return lambda clue: tuple(one.format(source=clue.source, port=clue.port) for one in commands)


# (program, what its names look like, its commands); the first that fits
OWNERS: tuple[tuple[str, str, Callable[[Clue], tuple[str, ...]]], ...] = (
    (
        "fail2ban",
        r"\bf2b-(?P<jail>(?!table|chain)[\w.-]+)|@addr6?-set-(?P<set>[\w.-]+)|\bfail2ban-(?P<ips>[\w.-]+)",
        fail2ban,
    ),
    (
        "CrowdSec",
        r"\bcrowdsec",
        said("sudo cscli decisions delete --ip {source}", "sudo cscli decisions list --ip {source}"),
    ),
    ("sshguard", r"\bsshguard", sshguard),
    (
        "csf",
        r"\b(?:LOCALINPUT|DENYIN|DENYOUT|LOGDROPIN|INVDROP|SYNFLOOD|PORTFLOOD)\b|\bchain_DENY",
        said(
            "sudo csf -g {source}",
            "sudo csf -dr {source} ; sudo csf -tr {source}",
            "TCP_IN in /etc/csf/csf.conf, then: sudo csf -r",
        ),
    ),
    ("ufw", r"\bufw6?-", ufw),
    ("firewalld", r"^firewalld |\bIN_ZONES\b|\bINPUT_ZONES\b|\b(?:filter_)?IN_\w+|\bINPUT_direct\b", firewalld),
    ("Docker", r"\bDOCKER(?:-[A-Z0-9-]+)?\b", docker),
    (
        "Kubernetes",
        r"\bKUBE-|^kube-proxy ",
        said("kubectl get services,endpointslices -A", "kubectl get networkpolicies -A"),
    ),
    ("Calico", r"\bcali-", said("kubectl get networkpolicies -A", "calicoctl get globalnetworkpolicy")),
    ("Cilium", r"\bCILIUM_", said("kubectl get ciliumnetworkpolicies -A")),
    ("libvirt", r"\bLIBVIRT_|^libvirt_network ", said("sudo virsh net-list --all", "sudo virsh net-edit NETWORK")),
    ("Proxmox VE", r"\bPVEFW-|^proxmox-firewall", said("sudo pve-firewall status", "cat /etc/pve/firewall/cluster.fw")),
    (
        "Shorewall",
        r"\bshorewall|\b(?:net|loc|dmz)[-2]fw\b|\bShorewall:",
        said(
            "sudo shorewall allow {source}",
            "sudo shorewall show",
            "/etc/shorewall/rules, then: sudo shorewall reload",
        ),
    ),
    (
        "Tailscale",
        r"\bts-(?:input|forward)\b",
        said("sudo tailscale status", "sudo tailscale set --netfilter-mode=nodivert"),
    ),
    (
        "OpenWrt's firewall",
        r"^fw4 |\bzone_\w+_(?:input|forward)|\binput_wan\b",
        said("uci show firewall", "/etc/config/firewall, then: service firewall restart"),
    ),
    ("APF", r"\b(?:TALLOW|TDENY|TGALLOW|TGDENY|RAB_)\b", said("sudo apf -u {source}")),
)
