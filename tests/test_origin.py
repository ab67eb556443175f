"""Who made the refusal, and where: the place of each kind of rule."""

from __future__ import annotations

import pytest

from netprobe import origin
from netprobe.model import Origin, OriginKind
from netprobe.rules import Place
from tests.ladder import ladder

WALK = """
    0.8 > S port 61010 ttl 1 [mss]
    0.8 > S port 61011 ttl 2 [mss]
    0.8 > S port 61012 ttl 3 [mss]
    0.81 < icmp 11/0 port 61010 from 198.51.100.1 ttl 64
    0.82 < icmp 11/0 port 61011 from 198.51.100.2 ttl 63
"""
GATEWAY = "0 fact route ok via 192.0.2.254\n"


def found(place: Place, text: str) -> Origin:
    return origin.find(place, ladder(text).evidence())


def test_local_is_our_own_address() -> None:
    assert found(Place.LOCAL, GATEWAY) == Origin(OriginKind.LOCAL, "192.0.2.1")
    assert found(Place.LOCAL, "0 > S [mss]") == Origin(OriginKind.LOCAL, "192.0.2.1")


def test_resolver_and_unknown() -> None:
    assert found(Place.RESOLVER, "") == Origin(OriginKind.RESOLVER)
    assert found(Place.UNKNOWN, "0 > S [mss]") == Origin(OriginKind.UNKNOWN)


@pytest.mark.parametrize(("ttl", "hop"), [(64, 1), (62, 3), (128, 1), (255, 1), (250, 6), (30, 3)])
def test_target_by_the_ttl_of_its_answer(ttl: int, hop: int) -> None:
    expected = Origin(OriginKind.TARGET, "203.0.113.5", hop)
    assert found(Place.TARGET, f"0 > S [mss]\n0.1 < RA ttl {ttl}") == expected
    assert found(Place.TARGET, f"0 > S [mss]\n0.1 < icmp 3/3 from 203.0.113.5 ttl {ttl}") == expected


def test_target_of_ours_is_at_hop_0() -> None:
    assert found(Place.TARGET, "0 fact route local\n0 > S [mss]\n0.1 < RA") == Origin(
        OriginKind.TARGET, "203.0.113.5", 0
    )


def test_target_on_our_link_is_at_hop_1() -> None:
    assert found(Place.HOST, "0 fact route ok\n0 > S [mss]") == Origin(OriginKind.TARGET, "203.0.113.5", 1)


def test_sender_where_the_walk_met_it() -> None:
    text = f"0 > S [mss]\n0.1 < icmp 3/13 from 198.51.100.2 ttl 250\n{WALK}"
    assert found(Place.SENDER, text) == Origin(OriginKind.PATH, "198.51.100.2", 2)


def test_sender_under_another_address() -> None:
    text = (
        f"0 > S [mss]\n0.1 < icmp 3/13 from 198.51.100.77 ttl 63\n{WALK}\n0.9 < icmp 3/13 port 61012 from 198.51.100.77"
    )
    assert found(Place.SENDER, text) == Origin(OriginKind.PATH, "198.51.100.77", 2)


def test_sender_by_its_ttl_without_a_walk() -> None:
    text = "0 > S [mss]\n0.1 < icmp 3/13 from 198.51.100.2 ttl 61"
    assert found(Place.SENDER, text) == Origin(OriginKind.PATH, "198.51.100.2", 4)


def test_forged_reset_by_ttl_and_walk() -> None:
    text = f"{GATEWAY}0 > S [mss]\n0.1 < RA ttl 63\n{WALK}"
    assert found(Place.RESET, text) == Origin(OriginKind.PATH, "198.51.100.2", 2)


def test_forged_reset_with_another_initial_ttl_is_bounded_by_the_walk() -> None:
    text = f"{GATEWAY}0 > S [mss]\n0.1 < RA ttl 250\n{WALK}\n0.9 < RA port 61012 ttl 250"
    place = found(Place.RESET, text)
    assert place.kind is OriginKind.PATH
    assert place.between is not None
    assert place.between[0] == "198.51.100.2"


def test_silence_is_bounded_by_the_last_router_heard_of() -> None:
    assert found(Place.SILENCE, f"0 > S [mss]\n{WALK}").between == ("198.51.100.2", "203.0.113.5")


def test_silence_of_all_routers_is_bounded_by_the_ends() -> None:
    place = found(Place.SILENCE, f"{GATEWAY}0 > S [mss]\n0.8 > S port 61010 ttl 1 [mss]")
    assert place.kind is OriginKind.UNKNOWN
    assert place.between == ("192.0.2.1", "203.0.113.5")


def test_silence_on_our_link() -> None:
    assert found(Place.SILENCE, "0 fact route ok\n0 > S [mss]").between == ("192.0.2.1", "203.0.113.5")
    assert found(Place.SILENCE, "0 > S [mss]") == Origin(OriginKind.UNKNOWN)


def test_next_hop() -> None:
    assert found(Place.NEXT_HOP, GATEWAY) == Origin(OriginKind.PATH, "192.0.2.254", 1)
    assert found(Place.NEXT_HOP, "0 fact route ok") == Origin(OriginKind.TARGET, "203.0.113.5", 1)
    assert found(Place.NEXT_HOP, "") == Origin(OriginKind.UNKNOWN)


def test_proxy_by_the_ttl_of_its_syn_ack() -> None:
    assert found(Place.PROXY, f"{GATEWAY}0 > S [mss]\n0.1 < SA ttl 64\n0.2 > A") == Origin(
        OriginKind.PATH, "192.0.2.254", 1
    )
