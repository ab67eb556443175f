"""The walk: routers, the last one heard of, distances, loops."""

from __future__ import annotations

from netprobe.path import Survey, survey
from tests.ladder import ladder

ROUTERS = """
    0.0 > S port 61010 ttl 1 [mss]
    0.0 > S port 61011 ttl 2 [mss]
    0.0 > S port 61012 ttl 3 [mss]
    0.1 < icmp 11/0 port 61010 from 198.51.100.1
    0.2 < icmp 11/0 port 61011 from 198.51.100.2
"""


def of(text: str) -> Survey:
    scene = ladder(text)
    return survey(scene.attempts(), scene.target.port, scene.target.address or "")


def test_no_walk() -> None:
    found = of("0 > S [mss]")
    assert found.routers == {}
    assert found.hops == ()
    assert (found.port_last, found.other_last, found.port_reached, found.distance) == (0, 0, None, None)
    assert not found.loops


def test_routers_in_order_with_their_times() -> None:
    found = of(ROUTERS)
    assert found.routers == {1: "198.51.100.1", 2: "198.51.100.2"}
    assert [(hop.hop, hop.address, hop.rtt_ms, hop.reason) for hop in found.hops] == [
        (1, "198.51.100.1", 100.0, "time-exceeded"),
        (2, "198.51.100.2", 200.0, "time-exceeded"),
    ]
    assert found.port_last == 2
    assert found.port_steps[3].result == "silent"
    assert found.hop_of("198.51.100.2") == 2
    assert found.hop_of("192.0.2.9") is None


def test_silent_router_between_others_is_listed_without_address() -> None:
    found = of(
        "0 > S port 61010 ttl 1 [mss]\n0 > S port 61011 ttl 2 [mss]\n0.1 < icmp 11/0 port 61011 from 198.51.100.2"
    )
    assert [hop.address for hop in found.hops] == [None, "198.51.100.2"]
    assert found.hops[0].reason == "no-response"


def test_second_probe_of_a_hop_may_be_the_one_answered() -> None:
    found = of(
        "0 > S port 61010 ttl 1 [mss]\n1.2 > S port 61110 ttl 1 [mss]\n1.3 < icmp 11/0 port 61110 from 198.51.100.1"
    )
    assert found.port_steps[1].result == "expired"
    assert found.port_steps[1].tries == 2


def test_where_an_error_comes_back() -> None:
    found = of(ROUTERS + "0.3 < icmp 3/13 port 61012 from 198.51.100.2")
    assert found.port_reached == 3
    assert found.port_sender == "198.51.100.2"


def test_control_port_and_ping_tell_of_routers_too() -> None:
    found = of(
        """
        0.0 > S port 61010 to 35000 ttl 1 [mss]
        0.0 > echo id 5 seq 1 ttl 2
        0.1 < icmp 11/0 port 61010 to 35000 from 198.51.100.1
        """
    )
    assert found.routers == {1: "198.51.100.1"}
    assert found.port_last == 0
    assert found.other_last == 1


def test_distance_is_where_the_control_port_answers() -> None:
    found = of("0 > S port 61010 to 35000 ttl 3 [mss]\n0.1 < RA port 61010 to 35000")
    assert found.distance == 3


def test_time_exceeded_of_the_target_is_no_router() -> None:
    found = of("0 > S port 61010 ttl 3 [mss]\n0.1 < icmp 11/0 port 61010 from 203.0.113.5")
    assert found.routers == {}
    assert found.port_steps[3].sender == "203.0.113.5"
    assert found.port_last == 0


def test_loop_is_a_router_that_comes_back() -> None:
    loop = ROUTERS + "0.3 < icmp 11/0 port 61012 from 198.51.100.1"
    assert of(loop).loops
    same = ROUTERS + "0.3 < icmp 11/0 port 61012 from 198.51.100.2"
    assert not of(same).loops, "one router that answers twice in a row is no loop"
