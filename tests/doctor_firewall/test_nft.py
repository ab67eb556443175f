"""nftables' expressions and statements, one by one: what `nft -j` lists, and what the walk makes of it."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from netprobe.doctor.firewall import Kind, parse
from tests.doctor_firewall.rules import CLIENT, CLIENT6, DPORT, SADDR, ask, chain, match, nft, rule, ruleset, table

DROP: dict[str, Any] = {"drop": None}
FLAGS = {"payload": {"protocol": "tcp", "field": "flags"}}
SPORT = {"payload": {"protocol": "tcp", "field": "sport"}}


def meta(key: str) -> dict[str, Any]:
    """meta KEY."""
    return {"meta": {"key": key}}


def ct(key: str) -> dict[str, Any]:
    """ct KEY."""
    return {"ct": {"key": key}}


@pytest.mark.parametrize(
    ("test", "matches"),
    [
        (match(DPORT, 22), True),
        (match(DPORT, 23), False),
        (match(DPORT, "ssh"), True),
        (match(DPORT, 22, "!="), False),
        (match(DPORT, {"set": [80, {"range": [20, 30]}]}), True),
        (match(DPORT, {"set": [80, {"range": [20, 30]}]}, "!="), False),
        (match(DPORT, {"range": [23, 30]}, "!="), True),
        (match(DPORT, 22, ">"), False),
        (match(DPORT, 22, ">="), True),
        (match(DPORT, 1024, "<"), True),
        (match({"payload": {"protocol": "th", "field": "dport"}}, 22), True),
        (match({"payload": {"protocol": "udp", "field": "dport"}}, 22), False),
        (match({"payload": {"protocol": "udp", "field": "dport"}}, 22, "!="), False),
        (match({"payload": {"base": "th", "offset": 16, "len": 16}}, 22), True),
        (match(SADDR, CLIENT), True),
        (match(SADDR, {"prefix": {"addr": "198.51.100.0", "len": 24}}), True),
        (match(SADDR, {"prefix": {"addr": "198.51.100.0", "len": 24}}, "!="), False),
        (match(SADDR, {"range": ["198.51.100.8", "198.51.100.99"]}), False),
        (match({"&": [SADDR, "0.0.0.7"]}, "0.0.0.7"), True),
        (match({"payload": {"protocol": "ip6", "field": "saddr"}}, CLIENT6), False),
        (match({"payload": {"protocol": "ip6", "field": "saddr"}}, CLIENT6, "!="), False),
        (match({"concat": [SADDR, DPORT]}, {"set": [{"concat": [CLIENT, {"range": [20, 30]}]}]}), True),
        (match({"concat": [SADDR, DPORT]}, {"set": [{"concat": [{"prefix": {"addr": "198.51.0.0", "len": 16}}, 23]}]}), False),
        (match({"concat": [meta("iifname"), SADDR]}, {"set": [{"concat": ["eth0", CLIENT]}]}), True),
        (match(meta("iifname"), "eth*"), True),
        (match(meta("iifname"), {"set": ["lo", "eth1"]}, "!="), True),
        (match(meta("iif"), "lo"), False),
        (match(meta("oifname"), "eth0"), False),
        (match(meta("oifname"), "eth0", "!="), True),
        (match(meta("l4proto"), {"set": ["tcp", "udp"]}), True),
        (match(meta("nfproto"), "ipv6"), False),
        (match(meta("mark"), 0), True),
        (match(meta("pkttype"), "host"), True),
        (match(meta("skuid"), 0), False),
        (match(ct("state"), "new", "in"), True),
        (match(ct("state"), ["established", "related"], "in"), False),
        (match(ct("state"), {"set": ["invalid", "new"]}, "!="), False),
        (match(ct("status"), "dnat", "in"), False),
        (match(ct("direction"), "original"), True),
        (match({"ct": {"key": "ip daddr", "dir": "original"}}, "192.0.2.2"), True),
        (match(FLAGS, "syn"), True),
        (match(FLAGS, "syn", "!="), False),
        (match({"&": [FLAGS, ["fin", "syn", "rst", "ack"]]}, "syn"), True),
        (match({"&": [FLAGS, {"|": ["syn", "ack"]}]}, {"|": ["syn", "ack"]}), False),
        (match({"fib": {"result": "type", "flags": ["daddr"]}}, "local"), True),
        (match({"fib": {"result": "oif", "flags": ["saddr", "iif"]}}, False), False),
        (match(SPORT, {"range": [1024, 65535]}), True),
        (match(SPORT, {"range": [1, 1023]}), False),
        (match({"exthdr": {"name": "frag"}}, True), False),
    ],
    ids=lambda value: json.dumps(value)[:90],
)  # fmt: skip
def test_a_test_matches_or_not(test: dict[str, Any], matches: bool) -> None:
    found = nft([test, DROP])
    assert found.verdict is (Kind.DROP if matches else Kind.ACCEPT), found.reason
    assert not found.sometimes


@pytest.mark.parametrize(
    "test",
    [
        match({"osf": {"key": "name"}}, "Linux"),
        match({"rt": {"key": "classid"}}, 3),
        match(DPORT, "@nowhere"),
        match({"payload": {"protocol": "ip", "field": "ttl"}}, 64),
        match({"tcp option": {"name": "maxseg", "field": "size"}}, 1460),
        match({"payload": {"base": "ih", "offset": 0, "len": 8}}, 1),
        match(SPORT, 40000),
        {"invented": {"key": 1}},
        {"xt": {"type": "match", "name": "recent"}},
    ],
    ids=lambda value: json.dumps(value)[:70],
)
def test_what_is_not_known_is_unsure_and_only_where_it_matters(test: dict[str, Any]) -> None:
    found = nft([test, DROP])
    assert found.verdict is Kind.UNSURE
    assert found.reason
    assert {one.kind for one in found.possible} == {Kind.ACCEPT, Kind.DROP}
    assert nft([test, DROP], policy="drop").verdict is Kind.DROP
    assert nft([match(DPORT, 80), test, DROP]).verdict is Kind.ACCEPT
    assert nft([{"accept": None}], [test, DROP]).verdict is Kind.ACCEPT
    assert nft([test, {"counter": {"packets": 0, "bytes": 0}}]).verdict is Kind.ACCEPT


@pytest.mark.parametrize(
    ("statement", "first"),
    [
        ({"limit": {"rate": 3, "per": "minute", "burst": 5}}, Kind.DROP),
        ({"limit": {"rate": 3, "per": "minute", "burst": 5, "inv": True}}, Kind.ACCEPT),
        ({"ct count": {"val": 3, "inv": True}}, Kind.ACCEPT),
        ({"quota": {"val": 1, "val_unit": "mbytes", "inv": True}}, Kind.ACCEPT),
        ({"set": {"op": "add", "elem": SADDR, "set": "@seen", "stmt": [{"limit": {"rate": 3, "per": "minute", "inv": True}}]}}, Kind.ACCEPT),
    ],
    ids=lambda value: json.dumps(value)[:40],
)  # fmt: skip
def test_limits_say_what_the_first_syn_gets_and_what_else_may_come(statement: dict[str, Any], first: Kind) -> None:
    found = nft([match(DPORT, 22), statement, DROP])
    assert found.verdict is first
    assert [one.kind for one in found.sometimes] == [Kind.ACCEPT if first is Kind.DROP else Kind.DROP]
    assert found.sometimes[0].conditions


def test_named_sets_with_timeouts_prefixes_and_ranges() -> None:
    sets = (
        {"set": {"name": "bad", "type": "ipv4_addr", "flags": ["interval"], "elem": [{"prefix": {"addr": "198.51.100.0", "len": 29}}]}},
        {"set": {"name": "dyn", "type": "ipv4_addr", "elem": [{"elem": {"val": CLIENT, "timeout": 600, "expires": 5}}]}},
        {"set": {"name": "empty", "type": "ipv4_addr"}},
    )  # fmt: skip
    assert nft([match(SADDR, "@bad"), DROP], sets=sets).verdict is Kind.DROP
    assert nft([match(SADDR, "@bad"), DROP], sets=sets, source="198.51.100.8").verdict is Kind.ACCEPT
    assert nft([match(SADDR, "@dyn"), DROP], sets=sets).verdict is Kind.DROP
    assert nft([match(SADDR, "@dyn", "!="), DROP], sets=sets).verdict is Kind.ACCEPT
    assert nft([match(SADDR, "@empty"), DROP], sets=sets).verdict is Kind.ACCEPT
    assert nft([match(SADDR, "@empty", "!="), DROP], sets=sets).verdict is Kind.DROP


def test_without_a_source_the_verdict_is_what_most_get() -> None:
    sets = ({"set": {"name": "bad", "type": "ipv4_addr", "elem": ["198.51.100.9", "198.51.100.10"]}},)
    found = nft([match(SADDR, "@bad"), DROP], sets=sets, source=None)
    assert (found.verdict, [one.kind for one in found.sometimes]) == (Kind.ACCEPT, [Kind.DROP])
    assert "@bad" in found.sometimes[0].conditions[0]
    only = nft([match(SADDR, {"prefix": {"addr": "10.0.0.0", "len": 8}}, "!="), DROP], source=None)
    assert (only.verdict, [one.kind for one in only.sometimes]) == (Kind.DROP, [Kind.ACCEPT])
    half = nft([match(SADDR, {"prefix": {"addr": "0.0.0.0", "len": 1}}), DROP], source=None)
    assert half.verdict is Kind.UNSURE


def test_verdict_maps_jump_go_and_fall_through() -> None:
    data = {"set": [[22, {"jump": {"target": "sub"}}], [{"range": [80, 90]}, DROP], ["*", {"goto": {"target": "sub"}}]]}
    whole = ruleset(
        table(
            chain("sub"),
            chain("in", "input"),
            rule("sub", match(DPORT, 22), {"return": None}, handle=4),
            rule("sub", {"reject": {"type": "tcp reset"}}, handle=5),
            rule("in", {"vmap": {"key": DPORT, "data": data}}, handle=6),
            rule("in", {"reject": {"type": "icmpx", "expr": "admin-prohibited"}}, handle=7),
        )
    )
    assert [ask(whole, port=port).decided.says for port in (22, 85, 9)] == [
        "reject with icmp type 3 code 13",
        "drop",
        "reject with tcp reset",
    ]
    assert ask(whole, source=CLIENT6, destination="2001:db8::2").decided.says == "reject with icmpv6 type 1 code 1"
    decided = ask(whole, port=9).decided.rule
    assert decided is not None
    assert decided.handle == 5


def test_goto_comes_back_where_the_goers_caller_was() -> None:
    whole = ruleset(
        table(
            chain("a"),
            chain("b"),
            chain("in", "input", policy="drop"),
            rule("in", {"jump": {"target": "a"}}),
            rule("in", {"accept": None}),
            rule("a", {"goto": {"target": "b"}}),
            rule("a", DROP),
            rule("b", {"counter": None}),
        )
    )
    assert ask(whole).verdict is Kind.ACCEPT


def test_a_drop_anywhere_is_final_an_accept_is_not() -> None:
    first = table(chain("in", "input", -10), rule("in", {"accept": None}))
    second = table(chain("late", "input", 10), rule("late", DROP), name="u")
    assert ask(ruleset(first, second)).verdict is Kind.DROP
    assert ask(ruleset(second, first)).verdict is Kind.DROP


def test_equal_priorities_are_unsure_unless_the_kernels_order_is_known() -> None:
    first = table(chain("in", "input"), rule("in", DROP))
    second = table(chain("in", "input"), rule("in", {"reject": {"type": "tcp reset"}}), name="u")
    assert ask(ruleset(first, second)).verdict is Kind.UNSURE
    entry = "\t\t 0000000000 chain inet %s in [nf_tables]\n"
    order = "family ip {\n\thook input {\n" + entry + entry + "\t}\n}\n"
    assert ask(ruleset(first, second, hooks=order % ("t", "u"))).verdict is Kind.DROP
    assert ask(ruleset(first, second, hooks=order % ("u", "t"))).verdict is Kind.REJECT


def test_marks_are_carried_from_hook_to_hook() -> None:
    whole = ruleset(
        table(
            chain("pre", "prerouting", -150),
            chain("in", "input"),
            rule("pre", match(DPORT, 22), {"mangle": {"key": meta("mark"), "value": 5}}),
            rule("pre", {"mangle": {"key": meta("mark"), "value": {"|": [meta("mark"), 16]}}}),
            rule("in", match({"&": [meta("mark"), 4]}, 4), DROP),
        )
    )
    assert ask(whole).verdict is Kind.DROP
    assert ask(whole, port=80).verdict is Kind.ACCEPT


def test_translation_leads_to_another_port_or_machine_and_back() -> None:
    nat: dict[str, Any] = {"type": "nat"}
    whole = ruleset(
        table(
            chain("pre", "prerouting", -100, **nat),
            chain("in", "input", policy="drop"),
            chain("fwd", "forward", policy="drop"),
            rule("pre", match(DPORT, 2222), {"redirect": {"port": 22}}),
            rule("pre", match(DPORT, 8022), {"dnat": {"family": "ip", "addr": "203.0.113.9", "port": 22}}),
            rule("in", match(DPORT, 22), {"accept": None}),
            rule("fwd", match(meta("oifname"), "docker0"), match(ct("status"), "dnat", "in"), {"accept": None}),
        )
    )
    here = ask(whole, port=2222)
    assert (here.verdict, here.destination, here.forwarded) == (Kind.ACCEPT, ("192.0.2.2", 22), False)
    there = ask(whole, port=8022)
    assert (there.verdict, there.destination, there.forwarded) == (Kind.ACCEPT, ("203.0.113.9", 22), True)
    assert there.back["syn-ack"].verdict is Kind.DROP  # nothing lets the answers through `fwd`
    assert ask(whole, port=23).verdict is Kind.DROP


def test_an_untracked_syn_is_not_translated() -> None:
    whole = ruleset(
        table(
            chain("raw", "prerouting", -300),
            chain("pre", "prerouting", -100, type="nat"),
            chain("in", "input"),
            rule("raw", match(DPORT, 2222), {"notrack": None}),
            rule("pre", {"redirect": {"port": 22}}),
            rule("in", match(ct("state"), "untracked", "in"), DROP),
        )
    )
    assert ask(whole, port=2222).verdict is Kind.DROP
    assert ask(whole, port=80).destination == ("192.0.2.2", 22)


def test_answers_can_be_stopped_on_their_way_back() -> None:
    whole = ruleset(
        table(chain("out", "output"), rule("out", match(SPORT, 22), match(ct("state"), "established", "in"), DROP))
    )
    found = ask(whole)
    assert found.verdict is Kind.ACCEPT
    assert {name: one.verdict for name, one in found.back.items()} == {"syn-ack": Kind.DROP, "rst": Kind.DROP}
    assert ask(whole, port=80).back["syn-ack"].verdict is Kind.ACCEPT


def test_ingress_of_a_device_comes_first() -> None:
    def listing(**device: str) -> Any:
        return table(chain("i", "ingress", -500, **device), rule("i", match(DPORT, 22), DROP), family="netdev")

    assert ask(ruleset(listing(dev="eth0"))).verdict is Kind.DROP
    assert ask(ruleset(listing(dev="eth1"))).verdict is Kind.ACCEPT
    unbound = ask(ruleset(listing()))  # nft 1.0.6 doesn't list the device
    assert (unbound.verdict, "netdev t i" in unbound.reason) == (Kind.UNSURE, True)


def test_the_path_is_written_as_the_user_would() -> None:
    found = nft([match(DPORT, {"set": [22, {"range": [80, 90]}]}), match(meta("iifname"), "eth*"), match(ct("state"), "new", "in"),
                 {"reject": {"type": "icmp", "expr": "host-prohibited"}}])  # fmt: skip
    assert [str(step) for step in found.path] == [
        'input: inet t in: tcp dport { 22, 80-90 } iifname "eth*" ct state new reject with icmp type host-prohibited  (handle 9)'
    ]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"nftables": 3}', "Operation not permitted", '{"nftables": [{"rule": {"expr": 3}}]}']
)
def test_a_damaged_listing_is_a_problem_never_a_crash(text: str) -> None:
    found = parse(nft=text)
    walked = ask(found)
    assert walked.verdict is Kind.ACCEPT if not found.problems else walked.verdict is Kind.UNSURE


def test_chains_that_call_each_other_end() -> None:
    whole = ruleset(
        table(
            chain("a"),
            chain("in", "input"),
            rule("in", {"jump": {"target": "a"}}),
            rule("a", {"jump": {"target": "a"}}),
        )
    )
    assert ask(whole).verdict is Kind.UNSURE


def test_ten_thousand_rules_in_a_second() -> None:
    rules = [
        rule(
            "in",
            match(SADDR, f"203.{i // 65025}.{i // 255 % 255}.{i % 255}"),
            match(DPORT, 22),
            {"counter": None},
            DROP,
            handle=i,
        )
        for i in range(10_000)
    ]
    text = json.dumps({"nftables": table(chain("in", "input"), *rules)})
    before = time.process_time()
    assert ask(parse(nft=text)).verdict is Kind.ACCEPT
    assert time.process_time() - before < 1.0
