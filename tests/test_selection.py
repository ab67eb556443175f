"""Which attempts are wanted, as one types it."""

from __future__ import annotations

import pytest

from netprobe.errors import UsageError
from netprobe.model import Endpoint, State
from netprobe.selection import Selection, parse_place, select
from tests.samples import a_verdict, an_up_verdict


@pytest.mark.parametrize(
    ("text", "address", "port", "meant"),
    [
        ("192.0.2.1", "192.0.2.1", 22, True),
        ("192.0.2.1", "192.0.2.2", 22, False),
        ("192.0.2.1:22", "192.0.2.1", 22, True),
        ("192.0.2.1:22", "192.0.2.1", 23, False),
        ("192.0.2.0/24", "192.0.2.77", 9, True),
        ("192.0.2.9/24", "192.0.2.77", 9, True),
        ("192.0.2.0/24", "192.0.3.77", 9, False),
        ("192.0.2.0/24", "2001:db8::1", 9, False),
        ("2001:db8::1", "2001:db8::1", 22, True),
        ("2001:DB8:0::1", "2001:db8::1", 22, True),
        ("[2001:db8::1]", "2001:db8::1", 22, True),
        ("[2001:db8::1]:22", "2001:db8::1", 23, False),
        ("2001:db8::/32", "2001:db8:7::1", 23, True),
        ("fe80::1", "fe80::1%eth0", 22, True),
        ("fe80::1%eth0", "fe80::1%eth0", 22, True),
        ("fe80::1%eth1", "fe80::1%eth0", 22, False),
    ],
)
def test_places(text: str, address: str, port: int, meant: bool) -> None:
    assert parse_place(text, "--server").holds(address, port) is meant


@pytest.mark.parametrize(
    "text", ["", ":22", "web", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:70000", "192.0.2.1:ssh", "192.0.2.0/33",
             "[2001:db8::1", "[2001:db8::1]22", "[2001:db8::1]:", "192.0.2.1%eth0", "fe80::1%"]
)  # fmt: skip
def test_what_is_no_place_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match=r"--server .*(write --server|ports go from)"):
        parse_place(text, "--server")


def test_everything_is_wanted_by_default() -> None:
    assert Selection().everything
    assert Selection().verdict(a_verdict(address=None, client=None))


def test_either_of_a_kind_and_all_kinds() -> None:
    chosen = select(servers=["203.0.113.5", "203.0.113.6"], ports=["22,80"], states=["closed"])
    assert chosen.verdict(a_verdict())
    assert chosen.verdict(a_verdict(address="203.0.113.6", port=80))
    assert not chosen.verdict(a_verdict(address="203.0.113.7"))
    assert not chosen.verdict(a_verdict(port=81))
    assert not chosen.verdict(an_up_verdict())
    assert not chosen.verdict(a_verdict(address=None))


def test_clients_causes_and_states() -> None:
    assert select(clients=["192.0.2.0/24"]).verdict(a_verdict())
    assert not select(clients=["192.0.2.3"]).verdict(a_verdict())
    assert not select(clients=["192.0.2.2"]).verdict(a_verdict(client=None))
    assert select(clients=["192.0.2.2:40112"]).verdict(a_verdict(client=Endpoint("192.0.2.2", 40112)))
    causes = select(causes=["UP, dropped"], known_causes=["up", "dropped"])
    assert causes.causes == {"up", "dropped"}
    assert causes.kind(an_up_verdict())
    assert select(states=["open,unknown"]).states == {State.OPEN, State.UNKNOWN}


def test_a_word_that_is_not_known() -> None:
    with pytest.raises(UsageError, match="did you mean dropped"):
        select(causes=["droped"], known_causes=["dropped", "up"])
    with pytest.raises(UsageError, match="one of closed, filtered, open, unknown"):
        select(states=["xyzzy"])
    with pytest.raises(UsageError, match="empty entry"):
        select(states=["open,"])


def test_what_is_remembered_stays_bounded_and_right() -> None:
    chosen = select(servers=["203.0.113.0/24"])
    for n in range(20_000):
        assert chosen.server(f"203.0.{113 + n % 2}.{n % 250}", n % 65536) is (n % 2 == 0)
    assert len(chosen._known) <= 4096
