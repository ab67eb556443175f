"""Closed ports, and resets by filters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tests.lab.scenario import Place, Rule, Scenario, Serve, Wire
from tests.lab.table.words import ANY, CLOSED, NO_PING, R1, R2, SYN, TARGET, UNPROVEN


def refused() -> Iterator[Scenario]:
    """Closed ports and forged resets."""
    yield Scenario(
        "no_listener", "nothing listens on port 22", "no-listener", "closed", CLOSED, origin=(TARGET,), server_side=True
    )
    yield Scenario(
        "no_listener_ttl128", "nothing listens, the host's initial TTL is 128", "no-listener", "closed", CLOSED,
        origin=(TARGET,),
        initial_ttl=128,
    )  # fmt: skip
    yield Scenario(
        "no_listener_no_ping",
        "nothing listens, ping is blocked",
        "no-listener",
        "closed",
        CLOSED,
        origin=(TARGET,),
        rules=(NO_PING,),
    )
    bleach = Rule("r1", "forward", "ip dscp set cs0", "ip6 dscp set cs0")
    yield Scenario(
        "no_listener_bleached", "nothing listens, r1 sets every DSCP to 0", "no-listener", "closed",
        replace(CLOSED, tos=0),
        origin=(TARGET,), rules=(bleach,), allowed=("likely",), alternatives=("reset-by-host-firewall",),
    )  # fmt: skip
    yield Scenario(
        "sshd_moved", "port 22 is closed, sshd listens on 2222", "no-listener", "closed", CLOSED, origin=(TARGET,),
        serves=(Serve("sshd", 2222),),
    )  # fmt: skip
    reset = Rule("target", "input", "tcp dport 22 reject with tcp reset", key=None)
    by_host = Wire("RA", tos=0, connect="ECONNREFUSED")
    yield Scenario(
        "reset_host", "the host's firewall resets, a listener is behind it", "reset-by-host-firewall", "closed",
        by_host,
        origin=(TARGET,), serves=(Serve("silent"),), rules=(reset,), server_side=True,
    )  # fmt: skip
    yield Scenario(
        "reset_host_ttl128", "the same with an initial TTL of 128", "reset-by-host-firewall", "closed", by_host,
        origin=(TARGET,), rules=(reset,), initial_ttl=128,
    )  # fmt: skip
    yield Scenario(
        "reset_host_no_ping", "the same with ping blocked", "reset-by-host-firewall", "closed", by_host,
        origin=(TARGET,), rules=(reset, NO_PING),
    )  # fmt: skip
    yield Scenario(
        "reset_host_bleached", "the same, and r1 sets every DSCP to 0", "reset-by-host-firewall", "closed", by_host,
        origin=(TARGET,), rules=(reset, bleach), certainty="likely", allowed=ANY, alternatives=("no-listener",),
        rivals=("no-listener",),
    )  # fmt: skip
    yield Scenario(
        "reset_host_no_md5", "the same, and r1 drops SYNs with an MD5 option", "reset-by-host-firewall", "closed",
        by_host,
        origin=(TARGET,), rules=(reset, Rule("r1", "forward", "tcp option 19 exists drop")), certainty="likely",
        allowed=UNPROVEN, alternatives=("no-listener",), rivals=("no-listener",),
    )  # fmt: skip
    yield Scenario(
        "reset_host_every_port", "the host's firewall resets every port", "reset-by-host-firewall", "closed", by_host,
        origin=(TARGET,), rules=(Rule("target", "input", "meta l4proto tcp reject with tcp reset", key=None),),
        certainty="likely", allowed=UNPROVEN, alternatives=("no-listener",), rivals=("no-listener",),
    )  # fmt: skip
    for router, place in (("r1", R1), ("r2", R2)):
        here = replace(by_host, sender=router)
        yield Scenario(
            f"reset_{router}", f"{router} resets in the host's name, a listener is behind it", "reset-on-path",
            "closed", here,
            origin=(place,), serves=(Serve("silent"),),
            rules=(Rule(router, "forward", "tcp dport 22 reject with tcp reset"),),
        )  # fmt: skip
        yield Scenario(
            f"reset_{router}_no_ping", f"{router} resets, and the host answers no ping", "reset-on-path", "closed",
            here,
            origin=(place,), rules=(Rule(router, "forward", "tcp dport 22 reject with tcp reset"), NO_PING),
        )  # fmt: skip
        yield Scenario(
            f"reset_{router}_every_port", f"{router} resets every TCP port of the host", "reset-on-path", "closed",
            here,
            origin=(place,), rules=(Rule(router, "forward", "meta l4proto tcp reject with tcp reset"),),
            allowed=("likely",),
        )  # fmt: skip
    yield Scenario(
        "reset_r2_ttl128", "r2 resets, the host's initial TTL is 128", "reset-on-path", "closed",
        replace(by_host, sender="r2"),
        origin=(R2,), rules=(Rule("r2", "forward", "tcp dport 22 reject with tcp reset"),), initial_ttl=128,
        allowed=("likely",),
    )  # fmt: skip
    yield Scenario(
        "reset_by_ids", "r1 copies the SYN to a box that resets it; the host's own SYN-ACK comes a moment later",
        "reset-on-path", "closed", replace(by_host, hop=1), origin=(Place("path"),), serves=(Serve("silent"),),
        states=("open",),
        rules=(Rule("r1", "copy", f"{SYN} dup to {{ids}}"), Rule("ids", "raw", "tcp dport 22 reject with tcp reset")),
        allowed=("likely",),
    )  # fmt: skip
    yield Scenario(
        "reset_on_wire", "a box on the wire between r1 and r2 resets each SYN and lets it pass, its TTL 33",
        "reset-on-path",
        "closed", Wire("RA", hop=33, connect="ECONNREFUSED"), origin=(Place("path"),), states=("open",),
        allowed=("likely",),
        serves=(Serve("silent"), Serve("rst_of_box", node="wire", options=(("ttl", 33), ("onward", "port wire r2")))),
        rules=(Rule("wire", "bridge", f"{SYN} drop"),), real=False,
        unreal_because="written by hand: netfilter can't give a reset a TTL of the box's choice",
    )  # fmt: skip
