"""Routes, dead hosts, silent hosts, small links."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tests.lab.scenario import V4, V6, Place, Route, Rule, Scenario, Serve, Wire
from tests.lab.table.words import ANY, ND, OPEN, R1, R2, SILENT, between


def path() -> Iterator[Scenario]:
    """Routes, dead hosts, silence."""
    yield Scenario(
        "host_off", "the address behind r2 has no machine: r2 gives up on the neighbour after 3 s", "host-unreachable",
        "filtered", Wire("icmp", sender="r2", codes=((3, 1), (1, 3)), after_s=2.5, connect="EHOSTUNREACH"),
        site="none", origin=(R2,),
        allowed=("likely",),
    )  # fmt: skip
    for router in ("r1", "r2"):
        here = Place("path", router)
        null = Route(router, "unreachable {target}/{plen}")
        yield Scenario(
            f"null_route_{router}", f"{router} has an unreachable route to the address (IPv4: 3/1 at once)",
            "host-unreachable",
            "filtered", Wire("icmp", sender=router, codes=((3, 1), None), connect="EHOSTUNREACH"), site="none",
            origin=(here,),
            certainty="likely", allowed=ANY, also=("rejected-on-path",), families=(V4,), routes=(null,),
        )  # fmt: skip
        yield Scenario(
            f"null_route6_{router}", f"{router} has an unreachable route to the address (IPv6: Linux says 1/0)",
            "network-unreachable", "filtered", Wire("icmp", sender=router, codes=(None, (1, 0)), connect="ENETUNREACH"),
            site="none", origin=(here,), allowed=("likely",), also=("rejected-on-path",), families=(V6,),
            routes=(null,),
        )  # fmt: skip
        yield Scenario(
            f"prohibit_route_{router}", f"{router} has a prohibit route to the address", "rejected-on-path", "filtered",
            Wire("icmp", sender=router, codes=((3, 13), (1, 1)), connect="EHOSTUNREACH", connect6="EACCES"),
            site="none",
            origin=(here,), allowed=("likely",), routes=(Route(router, "prohibit {target}/{plen}"),),
        )  # fmt: skip
        yield Scenario(
            f"blackhole_route_{router}", f"{router} has a blackhole route to the address", "host-silent", "filtered",
            SILENT,
            site="none", certainty="likely", allowed=ANY,
            origin=(*between("client", "r1"), *between(None, "r1"), *between("client", None))
            if router == "r1" else (*between("r1", None), *between("r1", "target")),
            routes=(Route(router, "blackhole {target}/{plen}"),),
        )  # fmt: skip
    for router, at, four, six in (
        ("r1", "the first", "198.51.100.200", "2001:db8:99::200"),
        ("r2", "the second", "198.51.100.210", "2001:db8:98::210"),
    ):
        to_r2 = Route("r1", "{target}/{plen} via 198.51.100.2", "{target}/{plen} via 2001:db8:12::2")
        yield Scenario(
            f"no_route_{router}", f"{at} router has no route to the address", "network-unreachable", "filtered",
            Wire("icmp", sender=router, codes=((3, 0), (1, 0)), connect="ENETUNREACH"), site="none",
            address=(four, six),
            origin=(Place("path", router),), allowed=("likely",), routes=() if router == "r1" else (to_r2,),
        )  # fmt: skip
    yield Scenario(
        "routing_loop", "r1 and r2 send the address's packets to each other", "routing-loop", "filtered",
        Wire("icmp", sender="r2", codes=((11, 0), (3, 0)), connect="EHOSTUNREACH"), site="none",
        address=("198.51.100.225", "2001:db8:97::225"), origin=(R1, R2, *between("r1", "r2"), *between("r2", "r1")),
        # Routers grant six errors, then one a second: a walk that meets an empty budget proves no loop.
        allowed=("likely",),
        routes=(
            Route("r1", "{target}/{plen} via 198.51.100.2", "{target}/{plen} via 2001:db8:12::2"),
            Route("r2", "{target}/{plen} via 198.51.100.1", "{target}/{plen} via 2001:db8:12::1"),
        ),
    )  # fmt: skip
    after_r2 = (*between("r2", None), *between("r2", "target"))
    yield Scenario(
        "host_silent", "the host's INPUT drops everything, ping too", "host-silent", "filtered", SILENT,
        certainty="likely",
        allowed=ANY, origin=after_r2, serves=(Serve("silent"),), server_side=True,
        rules=(Rule("target", "input", "drop", f"{ND}", key=None), Rule("target", "input", "", "drop", key=None)),
    )  # fmt: skip
    yield Scenario(
        "host_silent_r1", "r1's FORWARD drops everything to the host", "host-silent", "filtered", SILENT,
        certainty="likely",
        allowed=ANY, origin=(*between("r1", None), *between("r1", "target")), serves=(Serve("silent"),),
        rules=(Rule("r1", "forward", "drop"),),
    )  # fmt: skip
    yield Scenario(
        "host_silent_r2_raw", "r2 drops everything to the host before routing", "host-silent", "filtered", SILENT,
        certainty="likely", allowed=ANY, origin=(*between("r1", None), *between("r1", "target")),
        serves=(Serve("silent"),),
        rules=(Rule("r2", "raw", "drop"),),
    )  # fmt: skip
    yield Scenario(
        "no_return_route", "the host hears everything and has no route back", "host-silent", "filtered", SILENT,
        certainty="likely", allowed=ANY, also=("reply-filtered",), origin=after_r2, serves=(Serve("silent"),),
        server_side=True,
        routes=(Route("target", "blackhole 192.0.2.0/24", "blackhole 2001:db8:1::/64"),),
    )  # fmt: skip
    yield Scenario(
        "path_mtu_black_hole_800",
        "a link of MTU 800 (too small for IPv6) before a stock sshd, its 3/4 messages are filtered",
        "path-mtu-black-hole", "open", replace(OPEN, hears="SSH-2.0-"), site="box", box_mtu=800, allowed=("likely",),
        serves=(Serve("sshd"),), server_side=True, families=(V4,),
        rules=(Rule("box", "output", "icmp type destination-unreachable drop", key=None),),
    )  # fmt: skip
    yield Scenario(
        "path_mtu_800", "the same link, and its 3/4 messages arrive: path MTU discovery works", "up", "open",
        replace(OPEN, hears="SSH-2.0-"), site="box", box_mtu=800, serves=(Serve("sshd"),), families=(V4,),
        routes=(Route("r2", "{target}/{plen} via {box} dev eth1 onlink mtu lock 800", verb="replace"),),
    )  # fmt: skip
    yield Scenario(
        "path_mtu_black_hole", "a link of MTU 1280 before the server, and its packet-too-big messages are filtered",
        "path-mtu-black-hole", "open", replace(OPEN, hears="SSH-2.0-"), site="box", box_mtu=1280, allowed=("likely",),
        serves=(Serve("sshd", options=(("big_kexinit", True),)),), server_side=True,
        rules=(Rule("box", "output", "icmp type destination-unreachable drop", "icmpv6 type packet-too-big drop",
                key=None),),
    )  # fmt: skip
