"""Whatever stands in the listings: a walk ends with a verdict, and no damage makes it certain of something else."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from netprobe.doctor.firewall import Query, parse, walk
from tests.doctor_firewall.rules import DPORT, HERE, SADDR, chain, match, rule, saved, table

WHOLE: list[dict[str, Any]] = table(
    {"set": {"name": "s", "type": "ipv4_addr", "elem": ["198.51.100.7", {"prefix": {"addr": "203.0.113.0", "len": 24}}]}},
    chain("sub"),
    chain("in", "input"),
    rule("in", match(SADDR, "@s"), {"vmap": {"key": DPORT, "data": {"set": [[22, {"jump": {"target": "sub"}}], ["*", {"drop": None}]]}}}),
    rule("sub", {"limit": {"rate": 3, "per": "minute"}}, {"mangle": {"key": {"meta": {"key": "mark"}}, "value": 3}}),
    rule("sub", {"reject": {"type": "tcp reset"}}),
    chain("nat", "prerouting", -100, type="nat"),
    rule("nat", match(DPORT, {"range": [80, 90]}), {"dnat": {"family": "ip", "addr": "203.0.113.9", "port": 22}}),
)  # fmt: skip
LINES = saved(
    "-A INPUT -p tcp -m multiport ! --dports 22,80:90 -m conntrack --ctstate NEW -j sub\n"
    '-A sub -m comment --comment "a \\" b" -m recent --update --seconds 3 --name x -j REJECT --reject-with tcp-reset\n'
    "-A sub -j MARK --set-xmark 0x1/0xff"
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 70000) | st.sampled_from(["@s", "22", "192.0.2.1", "::", "eth*", "*", "", "sub", "in", "tcp", "drop"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["match", "left", "right", "op", "set", "range", "prefix", "addr", "len", "payload", "meta", "key", "ct", "concat", "vmap", "data",
         "jump", "goto", "target", "reject", "type", "expr", "dnat", "port", "map", "elem", "val", "limit", "mangle", "value", "&", "fib"]),
        inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


def paths(node: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document."""
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [here, *(one for key, value in inner for one in paths(value, (*here, key)))]


PLACES = [one for one in paths(WHOLE) if one]


def asked(**texts: Any) -> None:
    """A walk for each of some questions; each ends with a verdict that can be shown."""
    rules = parse(**texts)
    for query in (
        Query("192.0.2.2", 22, "198.51.100.7"),
        Query("192.0.2.2", 85),
        Query("2001:db8::2", 22, "2001:db8::9"),
    ):
        found = walk(rules, query, HERE)
        assert all(str(step) for step in found.path)
        assert found.decided.says


@settings(max_examples=400)
@given(st.sampled_from(PLACES), JSON)
def test_any_part_of_the_listing_may_be_anything(place: tuple[Any, ...], value: Any) -> None:
    document = copy.deepcopy(WHOLE)
    node: Any = document
    for key in place[:-1]:
        node = node[key]
    node[place[-1]] = value
    asked(nft=json.dumps({"nftables": document}))


@settings(max_examples=300)
@given(
    st.integers(0, len(LINES)),
    st.text(alphabet='-!:,./*"\\ \n0123456789abcdefAINPUTjmsdp[]', max_size=12),
    st.integers(0, 8),
)
def test_any_part_of_a_save_may_be_anything(at: int, text: str, gone: int) -> None:
    asked(iptables=[LINES[:at] + text + LINES[at + gone :]])


@settings(max_examples=200)
@given(st.text(max_size=200))
def test_any_text_may_stand_anywhere(text: str) -> None:
    asked(nft=text, iptables=[text], ip6tables=[text], ipset=text, hooks=text)
