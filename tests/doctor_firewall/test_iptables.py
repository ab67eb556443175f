"""iptables-save, line by line, and what the walk makes of it; ipset; both listings of one table."""

from __future__ import annotations

import time

import pytest

from netprobe.doctor.firewall import Kind, Ruleset, parse
from tests.doctor_firewall.rules import CLIENT, CLIENT6, HERE, ask, ipt, saved


@pytest.mark.parametrize(
    ("tests", "matches"),
    [
        ("-p tcp -m tcp --dport 22", True),
        ("-p tcp -m tcp --dport 20:30", True),
        ("-p tcp -m tcp ! --dport 22", False),
        ("-p tcp -m tcp --dport :21", False),
        ("-p udp -m udp --dport 22", False),
        ("! -p udp", True),
        ("-p all", True),
        ("-s 198.51.100.0/24", True),
        ("! -s 198.51.100.0/24", False),
        ("-s 198.51.100.0/255.255.255.0", True),
        ("-s 0.0.0.7/0.0.0.255", True),
        ("-d 192.0.2.2/32", True),
        ("-i eth+", True),
        ("! -i eth0", False),
        ("-i eth1", False),
        ("-f", False),
        ("! -f", True),
        ("-p tcp -m multiport --dports 22,80:90", True),
        ("-p tcp -m multiport ! --dports 22,80:90", False),
        ("-p tcp -m multiport --ports 22", True),
        ("-m conntrack --ctstate NEW", True),
        ("-m conntrack ! --ctstate NEW", False),
        ("-m state --state RELATED,ESTABLISHED", False),
        ("-m conntrack --ctorigdstport 22", True),
        ("-m mark --mark 0x1", False),
        ("-m mark ! --mark 0x1/0x1", True),
        ("-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN", True),
        ("-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN", False),
        ("-m iprange --src-range 198.51.100.1-198.51.100.9", True),
        ("-m addrtype --dst-type LOCAL", True),
        ("-m addrtype ! --dst-type LOCAL", False),
        ("-m pkttype --pkt-type broadcast", False),
        ('-m comment --comment "no \\"-j ACCEPT\\" here"', True),
        ("-m comment --comment plain", True),
        ("-m policy --dir in --pol none", True),
        ("-m policy --dir in --pol ipsec", False),
        ("-p icmp -m icmp --icmp-type 8", False),
        ("-m rpfilter --invert", False),
        ("-p tcp -m recent --set --name a --mask 255.255.255.255 --rsource", True),
    ],
)
def test_a_match_matches_or_not(tests: str, matches: bool) -> None:
    found = ipt(f"-A INPUT {tests} -j DROP")
    assert found.verdict is (Kind.DROP if matches else Kind.ACCEPT), found.reason
    assert not found.sometimes


@pytest.mark.parametrize(
    "tests",
    ["-m invented --thing 3", "-m set --match-set unlisted src", "-m ttl --ttl-eq 64", "-p tcp -m tcp --sport 40000"],
)
def test_what_is_not_known_is_unsure_and_only_where_it_matters(tests: str) -> None:
    assert ipt(f"-A INPUT {tests} -j DROP").verdict is Kind.UNSURE
    assert ipt(f"-A INPUT {tests} -j DROP", policy="DROP").verdict is Kind.DROP
    assert ipt(f"-A INPUT -i lo {tests} -j DROP").verdict is Kind.ACCEPT
    assert ipt(f"-A INPUT {tests} -j LOG").verdict is Kind.ACCEPT


@pytest.mark.parametrize(
    ("tests", "first"),
    [
        ("-m limit --limit 3/min --limit-burst 5", Kind.DROP),
        ("-m hashlimit --hashlimit-above 3/sec --hashlimit-name h", Kind.ACCEPT),
        ("-m hashlimit --hashlimit-upto 3/sec --hashlimit-name h", Kind.DROP),
        ("-m connlimit --connlimit-above 3 --connlimit-mask 32 --connlimit-saddr", Kind.ACCEPT),
        ("-m recent --update --seconds 30 --hitcount 6 --name DEFAULT --rsource", Kind.ACCEPT),
        ("-m recent ! --rcheck --name DEFAULT --rsource", Kind.DROP),
    ],
)
def test_limits_say_what_the_first_syn_gets_and_what_else_may_come(tests: str, first: Kind) -> None:
    found = ipt(f"-A INPUT {tests} -j DROP")
    assert found.verdict is first
    assert [one.kind for one in found.sometimes] == [Kind.ACCEPT if first is Kind.DROP else Kind.DROP]


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("", "reject with icmp type 3 code 3"),
        ("--reject-with tcp-reset", "reject with tcp reset"),
        ("--reject-with icmp-host-prohibited", "reject with icmp type 3 code 10"),
        ("--reject-with icmp-admin-prohibited", "reject with icmp type 3 code 13"),
    ],
)
def test_a_reject_says_what_it_sends(kind: str, says: str) -> None:
    found = ipt(f"-A INPUT -p tcp -j REJECT {kind}")
    assert found.decided.says == says
    assert found.back["reject"].verdict is Kind.ACCEPT


def test_jumps_gotos_and_returns() -> None:
    lines = """
-A INPUT -j one
-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
-A one -p tcp -m tcp --dport 22 -j RETURN
-A one -g two
-A one -j ACCEPT
-A two -s 203.0.113.0/24 -j DROP
"""
    assert ipt(lines, policy="DROP").verdict is Kind.ACCEPT
    assert ipt(lines, policy="DROP", port=80).decided.rule is None  # back from `two` past `one`, to the policy
    assert ipt(lines, policy="ACCEPT", port=80, source="203.0.113.5").verdict is Kind.DROP


def test_tables_run_by_priority_and_translation_moves_the_port() -> None:
    nat = saved(
        "-A PREROUTING -p tcp -m tcp --dport 2222 -j DNAT --to-destination 203.0.113.9:22",
        "ACCEPT",
        "nat",
        "PREROUTING POSTROUTING",
    )
    forward = saved("-A FORWARD -d 203.0.113.9/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 22 -j ACCEPT\n"
                    "-A FORWARD -m conntrack --ctstate ESTABLISHED -j ACCEPT\n-A FORWARD -j DROP")  # fmt: skip
    found = ask(parse(iptables=[nat, forward]), port=2222)
    assert (found.verdict, found.destination, found.forwarded) == (Kind.ACCEPT, ("203.0.113.9", 22), True)
    assert found.back["syn-ack"].verdict is Kind.ACCEPT
    raw = saved("-A PREROUTING -p tcp -m tcp --dport 2222 -j DROP", name="raw", chains="PREROUTING OUTPUT")
    assert ask(parse(iptables=[forward, nat, raw]), port=2222).verdict is Kind.DROP


def test_marks_change_only_under_their_mask() -> None:
    marks = saved(
        "-A PREROUTING -j MARK --set-xmark 0x6/0xffffffff\n-A PREROUTING -j MARK --set-xmark 0x1/0x3\n-A PREROUTING -j CONNMARK --save-mark\n"
        "-A PREROUTING -j MARK --set-xmark 0x0/0xffffffff\n-A PREROUTING -j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff",
        name="mangle", chains="PREROUTING INPUT",
    )  # fmt: skip
    for mark, matches in (("0x5", True), ("0x7", False), ("0x4/0x6", True)):
        filtered = saved(f"-A INPUT -m mark --mark {mark} -j DROP")
        assert ask(parse(iptables=[marks, filtered])).verdict is (Kind.DROP if matches else Kind.ACCEPT), mark


def test_ip6tables_speaks_of_the_other_family() -> None:
    six = saved("-A INPUT -s 2001:db8:7::/48 -p tcp -j REJECT --reject-with icmp6-adm-prohibited")
    rules = parse(ip6tables=[six])
    assert ask(rules).verdict is Kind.ACCEPT
    assert ask(rules, source=CLIENT6, destination="2001:db8::2").decided.says == "reject with icmpv6 type 1 code 1"


def both(rule: str) -> Ruleset:
    """A table as nft lists it, and as iptables-nft-save does."""
    listing = {
        "nftables": [
            {"table": {"family": "ip", "name": "filter", "handle": 3}},
            {"chain": {"family": "ip", "table": "filter", "name": "INPUT", "handle": 1, "type": "filter", "hook": "input", "prio": 0, "policy": "accept"}},
            {"rule": {"family": "ip", "table": "filter", "chain": "INPUT", "handle": 7, "expr": [{"xt": {"type": "match", "name": "recent"}}, {"drop": None}]}},
        ]
    }  # fmt: skip
    return parse(nft=listing, iptables=[saved(rule, by=" (nf_tables)")])


def test_nft_cannot_show_extensions_so_the_text_of_iptables_counts() -> None:
    found = ask(both("-A INPUT -m recent --rcheck --name ssh --rsource -j DROP"))
    assert (found.verdict, [one.kind for one in found.sometimes]) == (Kind.ACCEPT, [Kind.DROP])
    rule = found.sometimes[0].rule
    assert rule is not None
    assert (rule.handle, rule.text) == (7, "-A INPUT -m recent --rcheck --name ssh --rsource -j DROP")
    assert rule.chain.table.command == "iptables-nft"


def test_legacy_and_nf_tables_both_count() -> None:
    nf = saved("-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT", by=" (nf_tables)")
    legacy = saved("-A INPUT -p tcp -m tcp --dport 22 -j DROP")
    found = ask(parse(iptables=[nf, legacy, nf, legacy]))
    assert found.verdict is Kind.DROP
    assert found.decided.chain is not None
    assert found.decided.chain.table.command == "iptables-legacy"


def test_ipsets_of_many_kinds() -> None:
    text = """create f2b-sshd hash:ip family inet hashsize 1024 maxelem 65536 timeout 600
add f2b-sshd 198.51.100.7 timeout 555
create nets hash:net family inet
add nets 198.51.100.0/24
add nets 198.51.100.7 nomatch
create pairs hash:ip,port family inet
add pairs 198.51.100.7,tcp:22
create ports bitmap:port range 0-65535
add ports 20-30
create all list:set size 8
add all f2b-sshd
create six hash:net family inet6
add six 2001:db8::/32
"""
    for test, matches in (
        ("f2b-sshd src", 1),
        ("nets src", 0),
        ("pairs src,dst", 1),
        ("ports dst", 1),
        ("all src", 1),
        ("six src", 0),
    ):
        rules = parse(iptables=[saved(f"-A INPUT -m set --match-set {test} -j DROP")], ipset=text)
        assert ask(rules).verdict is (Kind.DROP if matches else Kind.ACCEPT), test
    rules = parse(iptables=[saved("-A INPUT -m set ! --match-set f2b-sshd src -j DROP")], ipset=text)
    assert ask(rules).verdict is Kind.ACCEPT


def test_a_line_that_cannot_be_read_is_a_problem() -> None:
    rules = parse(iptables=["*filter\n:INPUT ACCEPT [0:0]\n-A NOWHERE -j DROP\nwhat is this\nCOMMIT\n"])
    assert len(rules.problems) == 2
    assert ask(rules).verdict is Kind.UNSURE
    assert ipt("-A INPUT -s nonsense -j DROP").verdict is Kind.UNSURE


def test_an_interface_that_is_not_known_is_said() -> None:
    host = type(HERE)(interfaces={"eth0": ["192.0.2.2/24"], "eth1": ["203.0.113.2/24"]})
    found = ipt("-A INPUT -i eth1 -j DROP", host=host)
    assert found.verdict is Kind.UNSURE
    assert "interface" in found.reason
    assert ipt("-A INPUT -i eth1 -j DROP", host=host, interface="eth0").verdict is Kind.ACCEPT


def test_a_machine_described_wrongly_is_no_crash() -> None:
    host = type(HERE)(
        interfaces={"eth0": ["", "nonsense", "192.0.2.2/24"], "": ["1.2.3.4/99"]},
        routes=[("", "eth0"), ("default", "eth0")],
    )
    found = ipt("-A INPUT -m addrtype --dst-type LOCAL -i eth0 -j DROP", host=host)
    assert found.verdict is Kind.DROP


def test_ten_thousand_lines_in_a_second() -> None:
    lines = "\n".join(
        f'-A INPUT -s 203.0.{i // 250}.{i % 250}/32 -p tcp -m comment --comment "no {i}" -j DROP' for i in range(10_000)
    )
    text = saved(lines)
    before = time.process_time()
    assert ask(parse(iptables=[text]), source=CLIENT).verdict is Kind.ACCEPT
    assert time.process_time() - before < 1.0
