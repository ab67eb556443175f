"""Targets, port lists and exclude lists: what is understood, and what the refusal of the rest says."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netprobe.addresses import refusal, remarks
from netprobe.errors import UsageError
from netprobe.ports import parse_ports
from netprobe.targets import (
    PAIRS_AT_MOST,
    Target,
    exclusions,
    expand,
    expectation,
    is_excluded,
    lines,
    parse,
    ports_of,
    with_alias,
)


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("server.example.com", Target("server.example.com", "server.example.com")),
        ("server.example.com:2222", Target("server.example.com:2222", "server.example.com", 2222)),
        ("my_host", Target("my_host", "my_host")),
        ("server.example.com.", Target("server.example.com.", "server.example.com.")),
        ("bücher.example", Target("bücher.example", "xn--bcher-kva.example")),
        ("192.0.2.1", Target("192.0.2.1", "192.0.2.1")),
        ("192.0.2.1:2222", Target("192.0.2.1:2222", "192.0.2.1", 2222)),
        ("2001:DB8:0:0::1", Target("2001:DB8:0:0::1", "2001:db8::1")),
        ("[2001:db8::1]", Target("[2001:db8::1]", "2001:db8::1")),
        ("[2001:db8::1]:2222", Target("[2001:db8::1]:2222", "2001:db8::1", 2222)),
        ("fe80::1%eth0", Target("fe80::1%eth0", "fe80::1%eth0")),
        ("[fe80::1%eth0]:22", Target("[fe80::1%eth0]:22", "fe80::1%eth0", 22)),
        ("ssh://server", Target("ssh://server", "server", None, "ssh")),
        ("ssh://me@server:2222", Target("ssh://me@server:2222", "server", 2222, "ssh", "me")),
        ("ssh://me:secret@server/~/x", Target("ssh://me:secret@server/~/x", "server", None, "ssh", "me")),
        ("SSH://[2001:db8::1]:22", Target("SSH://[2001:db8::1]:22", "2001:db8::1", 22, "ssh")),
        ("root@server", Target("root@server", "server", None, "ssh", "root")),
        ("203.0.113.9/32", Target("203.0.113.9", "203.0.113.9")),
        (" 192.0.2.1 ", Target(" 192.0.2.1 ", "192.0.2.1")),
    ],
)
def test_one_target(text: str, target: Target) -> None:
    count, hosts = parse(text)
    found = list(hosts)
    if "/32" in text:
        found = [Target(found[0].host, found[0].host)]
    assert (count, found) == (1, [target])


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("192.0.2.0/30", ["192.0.2.1", "192.0.2.2"]),
        ("192.0.2.2/31", ["192.0.2.2", "192.0.2.3"]),
        ("192.0.2.77/30", ["192.0.2.77", "192.0.2.78"]),
        ("2001:db8::/126", ["2001:db8::", "2001:db8::1", "2001:db8::2", "2001:db8::3"]),
        ("10.0.0-1.1-2", ["10.0.0.1", "10.0.0.2", "10.0.1.1", "10.0.1.2"]),
        ("10.0.0.1,5,7-8", ["10.0.0.1", "10.0.0.5", "10.0.0.7", "10.0.0.8"]),
        ("10.0.0.254-", ["10.0.0.254", "10.0.0.255"]),
        ("10.0.0.-1", ["10.0.0.0", "10.0.0.1"]),
        ("10.0.0.3,3", ["10.0.0.3"]),
    ],
)
def test_blocks_of_addresses(text: str, hosts: list[str]) -> None:
    count, found = parse(text)
    assert [target.host for target in found] == hosts
    assert count == len(hosts)


def test_a_block_keeps_its_port_and_names_each_address() -> None:
    assert [target.text for target in parse("10.0.0.1-2:2222")[1]] == ["10.0.0.1:2222", "10.0.0.2:2222"]
    assert len(list(parse("10.0.0.*")[1])) == 256


@pytest.mark.parametrize(
    ("text", "wrong", "right"),
    [
        ("", "empty target", "netprobe scan 192.0.2.1"),
        ("22", "bare number", "-p 22"),
        ("300.1.1.1", "300 is more than 255", "0 to 255"),
        ("10.0.0", "four parts", "192.0.2.1-20"),
        ("010.0.0.1", "leading zero", "write 10"),
        ("10.0.0.9-1", "runs backwards", "write 1-9"),
        ("192.0.2.0/33", "'33' is no prefix length", "0 to 32"),
        ("2001:db8::/200", "'200' is no prefix length", "0 to 128"),
        ("server/24", "needs an address", "192.0.2.0/24"),
        ("255.255.255.255", "broadcast address", "one host"),
        ("224.0.0.1", "multicast", "one host"),
        ("ff02::1", "multicast", "one host"),
        ("240.0.0.1", "class E", "one host"),
        ("0.0.0.0", "not the address of a host", "one host"),
        ("::", "unspecified", "one host"),
        ("224.0.0.0/24", "multicast", "hosts"),
        ("240.0.0.1-5", "class E", "hosts"),
        ("::ffff:192.0.2.1", "IPv6 clothes", "write 192.0.2.1"),
        ("fe80::1", "needs its interface", "fe80::1%eth0"),
        ("http://server/x", "only ssh://", "write server:80"),
        ("https://me@server:8443/", "only ssh://", "write server:8443"),
        ("gopher://server", "only ssh://", "write server"),
        ("server:0", "'0' is no port", "1 to 65535"),
        ("server:ssh", "'ssh' is no port", "1 to 65535"),
        ("server:", "no port after the colon", "1 to 65535"),
        ("server:65536", "no port", "1 to 65535"),
        ("[2001:db8::1", "brackets", "[2001:db8::1]:22"),
        ("[server]:22", "brackets", "[2001:db8::1]:22"),
        ("1:2:3", "not an IPv6 address", "2001:db8::1"),
        ("a,b", "not a host name", "separate targets by blanks"),
        ("a..b", "not a host name", "server.example.com"),
        ("-x", "looks like an option", "--help"),
        ("bad host", "not a host name", "server.example.com"),
        ("x" * 64 + ".example", "not a host name", "server.example.com"),
        ("\x1b[31m", "not a host name", "server.example.com"),
        ("\udcff.example", "not a host name", "xn--"),
    ],
)
def test_what_is_refused_is_told_right(text: str, wrong: str, right: str) -> None:
    with pytest.raises(UsageError, match=wrong) as refused:
        list(parse(text)[1])
    assert right in str(refused.value)
    assert refused.value.exit_code == 2


@given(st.text(max_size=40))
def test_any_text_is_understood_or_refused(text: str) -> None:
    try:
        count, hosts = parse(text)
    except UsageError:
        return
    assert count >= 1
    assert next(hosts).host


@given(st.text(alphabet="0123456789,-.:/[]@%abcsh*", max_size=30))
def test_any_almost_target_is_understood_or_refused(text: str) -> None:
    try:
        count, hosts = parse(text)
        next(hosts)
        if count <= 65_536:  # a million targets, `-.-.1-16.1`, are understood too, and take a minute
            expand([text])
    except UsageError:
        pass


def test_expand_makes_each_target_once() -> None:
    assert [target.host for target in expand(["192.0.2.1", "192.0.2.1", "192.0.2.0/30"])] == ["192.0.2.1", "192.0.2.2"]


def test_more_than_1024_pairs_need_consent() -> None:
    with pytest.raises(UsageError, match="--yes"):
        expand(["10.0.0.0/21"])
    with pytest.raises(UsageError, match="--yes"):
        expand(["10.0.0.1"], ports=range(1, 1026))
    assert len(expand(["10.0.0.0/22"])) == 1022
    assert len(expand(["10.0.0.0/21"], consent=True)) == 2046


@pytest.mark.parametrize("text", ["10.0.0.0/8", "0.0.0.0/0", "2001:db8::/32", "1-200.*.*.*"])
def test_huge_blocks_are_refused_at_once(text: str) -> None:
    with pytest.raises(UsageError, match=f"{PAIRS_AT_MOST:,}"):
        expand([text], consent=True)


def test_a_link_local_address_takes_the_interface_asked_for() -> None:
    assert expand(["fe80::1"], zone="eth1")[0].host == "fe80::1%eth1"


def test_an_address_of_the_other_family_is_refused() -> None:
    with pytest.raises(UsageError, match="IPv6 address, but -4"):
        expand(["2001:db8::1"], families=(4,))
    assert expand(["server"], families=(4,))


def test_exclude_lists() -> None:
    exclude = exclusions(["192.0.2.1,2001:db8::/64", "10.0.0.1,3", "10.0.1.1-2"])
    assert [
        is_excluded(host, exclude) for host in ("192.0.2.1", "2001:db8::5", "10.0.0.3", "10.0.1.2", "fe80::1%eth0")
    ] == [
        True,
        True,
        True,
        True,
        False,
    ]
    assert not is_excluded("10.0.0.2", exclude)
    assert not is_excluded("server.example", exclude)
    assert [target.host for target in expand(["192.0.2.1", "192.0.2.2"], exclude=exclude)] == ["192.0.2.2"]


def test_an_exclude_list_with_a_name_protects_nobody_and_is_refused() -> None:
    with pytest.raises(UsageError, match="holds addresses"):
        exclusions(["server.example.com"])


def test_a_zone_does_not_hide_an_address_from_the_exclude_list() -> None:
    assert is_excluded("fe80::1%eth0", exclusions(["fe80::/10"]))


def test_nothing_left_is_said() -> None:
    with pytest.raises(UsageError, match="exclude list"):
        expand(["192.0.2.1"], exclude=exclusions(["192.0.2.0/24"]))
    with pytest.raises(UsageError, match="no target"):
        expand([])


def test_list_files_have_comments() -> None:
    assert lines("a b # c\n\n#d\n  e\n") == ("a", "b", "e")


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        ("22", (22,)),
        ("22,80-82,ssh", (22, 80, 81, 82)),
        ("ssh,HTTPS", (22, 443)),
        ("T:22", (22,)),
        ("-3", (1, 2, 3)),
        ("65534-", (65534, 65535)),
        ("90,22", (90, 22)),
        (" 22 , 80", (22, 80)),
    ],
)
def test_port_lists(text: str, ports: tuple[int, ...]) -> None:
    assert parse_ports(text) == ports


def test_a_lone_hyphen_is_every_port() -> None:
    assert parse_ports("-") == tuple(range(1, 65536))


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "empty entry"),
        ("22,", "empty entry"),
        ("0", "out of range"),
        ("65536", "out of range"),
        ("9-1", "write 1-9"),
        ("U:53", "another protocol"),
        ("foo", "'foo' is no port"),
        ("80:90", "write a range as 80-90"),
        ("80..90", "write a range as 80-90"),
        ("22;23", "is no port"),
        ("1-2-3", "is no port"),
    ],
)
def test_wrong_port_lists(text: str, wrong: str) -> None:
    with pytest.raises(UsageError, match=wrong):
        parse_ports(text)


@given(st.text(max_size=20))
def test_any_port_list_is_understood_or_refused(text: str) -> None:
    with suppress(UsageError):
        assert all(1 <= port <= 65535 for port in parse_ports(text))


def test_which_ports_and_what_to_expect_there() -> None:
    plain, own, ssh = Target("a", "a"), Target("a:80", "a", 80), Target("ssh://a:80", "a", 80, "ssh")
    assert ports_of(plain, None) == (22,)
    assert ports_of(plain, (1, 2)) == (1, 2)
    assert ports_of(own, (1, 2)) == (80,)
    assert expectation(22, plain, None) == "ssh"
    assert expectation(80, own, None) == "any"
    assert expectation(80, ssh, None) == "ssh"
    assert expectation(22, plain, "http") == "http"


def test_an_alias_fills_what_the_text_left_open() -> None:
    assert with_alias(Target("web", "web"), "web.example.com", 2222) == Target("web", "web.example.com", 2222, "ssh")
    assert with_alias(Target("web:23", "web", 23), "web.example.com", 2222).port == 23


@pytest.mark.parametrize(
    ("address", "word"),
    [
        ("198.18.7.9", "TUN proxy"),
        ("203.0.113.5", "documentation"),
        ("2001:db8::1", "documentation"),
        ("127.0.0.1", "loopback"),
        ("::1", "loopback"),
        ("fe80::1%eth0", "link-local"),
        ("169.254.1.1", "DHCP"),
        ("10.1.2.3", "RFC 1918"),
        ("100.64.0.1", "RFC 6598"),
        ("fd00::1", "unique local"),
        ("64:ff9b::1", "NAT64"),
    ],
)
def test_remarks(address: str, word: str) -> None:
    assert any(word in remark for remark in remarks(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "not an address"])
def test_no_remark(address: str) -> None:
    assert remarks(address) == ()


@given(st.ip_addresses())
def test_every_address_may_be_probed_or_not(address: object) -> None:
    assert refusal(address) is None or refusal(address)  # type: ignore[arg-type]
    remarks(str(address))
