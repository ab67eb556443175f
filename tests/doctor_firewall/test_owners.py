"""From the rule that decided to the program that wrote it, and that program's own command."""

from __future__ import annotations

import pytest

from netprobe.doctor.firewall import Kind, owner
from tests.doctor_firewall.rules import CLIENT, SADDR, ask, chain, ipt, match, rule, ruleset, table

UFW = "-A INPUT -j ufw-before-input\n-A ufw-before-input -i lo -j ACCEPT\n-A ufw-before-input -j ufw-user-input\n"
ZONES = (
    "-A INPUT -j INPUT_ZONES\n-A INPUT_ZONES -i eth0 -g IN_public\n-A IN_public -j IN_public_allow\n"
    "-A IN_public_allow -p tcp -m tcp --dport 80 -j ACCEPT\n"
)


@pytest.mark.parametrize(
    ("lines", "policy", "name", "undo"),
    [
        (f"-A INPUT -p tcp -m multiport --dports 22 -j f2b-sshd\n-A f2b-sshd -s {CLIENT}/32 -j REJECT\n-A f2b-sshd -j RETURN",
         "ACCEPT", "fail2ban", f"fail2ban-client set sshd unbanip {CLIENT}"),
        (UFW + "-A ufw-user-input -p tcp -m tcp --dport 80 -j ACCEPT", "DROP", "ufw", "sudo ufw allow 22/tcp"),
        (UFW + "-A ufw-user-input -p tcp -m tcp --dport 22 -j DROP", "DROP", "ufw", "sudo ufw delete deny 22/tcp && sudo ufw allow 22/tcp"),
        (UFW + f"-A ufw-user-input -s {CLIENT}/32 -p tcp -m tcp --dport 22 -j REJECT --reject-with tcp-reset", "DROP", "ufw",
         f"sudo ufw delete reject from {CLIENT} to any port 22 proto tcp"),
        (UFW + "-A ufw-user-input -p tcp -m tcp --dport 22 -j ufw-user-limit\n-A ufw-user-limit -j REJECT", "DROP", "ufw", "delete limit 22/tcp"),
        (ZONES + "-A INPUT -j REJECT --reject-with icmp-host-prohibited", "ACCEPT", "firewalld",
         "sudo firewall-cmd --permanent --zone=public --add-service=ssh && sudo firewall-cmd --reload"),
        ("-A INPUT -m comment --comment crowdsec -j DROP", "ACCEPT", "CrowdSec", f"cscli decisions delete --ip {CLIENT}"),
        ("-A INPUT -j LOCALINPUT\n-A LOCALINPUT -j DENYIN\n-A DENYIN -j DROP", "ACCEPT", "csf", f"csf -dr {CLIENT}"),
        ("-A INPUT -j KUBE-FIREWALL\n-A KUBE-FIREWALL -j DROP", "ACCEPT", "Kubernetes", "kubectl"),
    ],
)  # fmt: skip
def test_chains_lead_to_the_program(lines: str, policy: str, name: str, undo: str) -> None:
    found = ipt(lines, policy=policy)
    assert found.verdict in {Kind.DROP, Kind.REJECT}
    known = owner(found.decided, 22, CLIENT)
    assert known is not None
    assert known.name == name
    assert undo in known.undo[0] or undo in known.undo[1]


def test_a_rule_of_ones_own_is_nobodys_even_after_somebodys_chains() -> None:
    found = ipt(UFW + "-A ufw-user-input -p tcp -m tcp --dport 80 -j ACCEPT\n-A INPUT -p tcp -m tcp --dport 22 -j DROP")
    assert found.verdict is Kind.DROP
    assert owner(found.decided, 22) is None


def test_tables_and_sets_of_nftables_lead_to_the_program() -> None:
    bans = table(
        {"set": {"name": "addr-set-sshd", "type": "ipv4_addr", "elem": [CLIENT]}},
        chain("f2b-chain", "input", -1),
        rule("f2b-chain", match(SADDR, "@addr-set-sshd"), {"reject": {"type": "icmp", "expr": "port-unreachable"}}),
        name="f2b-table",
    )
    known = owner(ask(ruleset(bans)).decided, 22, CLIENT)
    assert known is not None
    assert known.undo[0] == f"sudo fail2ban-client set sshd unbanip {CLIENT}"
    zones = table(
        chain("filter_IN_home"),
        chain("filter_INPUT", "input", 10),
        rule("filter_INPUT", {"jump": {"target": "filter_IN_home"}}),
        rule("filter_IN_home", match({"ct": {"key": "state"}}, "established", "in"), {"accept": None}),
        rule("filter_IN_home", {"reject": {"type": "icmpx", "expr": "admin-prohibited"}}),
        name="firewalld",
    )
    known = owner(ask(ruleset(zones), port=2222).decided, 2222)
    assert known is not None
    assert known.undo[0].startswith("sudo firewall-cmd --permanent --zone=home --add-port=2222/tcp")


def test_docker_publishes_and_its_user_chain_is_the_administrators() -> None:
    found = ipt("-A INPUT -j DOCKER-USER\n-A DOCKER-USER -j DROP")
    known = owner(found.decided, 22)
    assert known is not None
    assert (known.name, "DOCKER-USER" in known.undo[0]) == ("Docker", True)
