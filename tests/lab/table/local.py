"""Name resolution and the client's own machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tests.lab.scenario import V4, Place, Route, Rule, Scenario, Serve, Wire
from tests.lab.table.words import ANY, LOCAL, OPEN, TARGET


def name() -> Iterator[Scenario]:
    """Name resolution."""
    for host, answer, cause in (
        ("missing", "NXDOMAIN", "name-not-found"),
        ("empty", "NODATA", "name-not-found"),
        ("servfail", "SERVFAIL", "resolver-failure"),
        ("refused", "REFUSED", "resolver-failure"),
        ("silent", "TIMEOUT", "resolver-failure"),
    ):
        yield Scenario(
            f"name_{host}", f"the name server answers {answer}", cause, "unknown", Wire(answer),
            host=f"{host}.lab.test", site="name", families=(V4,), origin=(Place("resolver"),), allowed=ANY,
        )  # fmt: skip
    yield Scenario(
        "name_two_addresses", "one name, two addresses: one is up, the other refuses", "up", "open", Wire("NOERROR"),
        host="two.lab.test", site="name", families=(V4,), verdicts=("up", "no_listener"),
    )  # fmt: skip


def local() -> Iterator[Scenario]:
    """The client's own machine."""
    for what, connect in (("unreachable", "EHOSTUNREACH"), ("prohibit", "EACCES"), ("blackhole", "EINVAL")):
        yield Scenario(
            f"local_route_{what}", f"the client has a route of type {what} to the address", "no-local-route", "unknown",
            Wire("nothing", connect=connect), site="none", origin=LOCAL,
            routes=(Route("client", f"{what} {{target}}/{{plen}}"),),
        )  # fmt: skip
    yield Scenario(
        "local_no_route", "the client has no default route", "no-local-route", "unknown",
        Wire("nothing", connect="ENETUNREACH"), client="c_noroute", origin=LOCAL,
    )  # fmt: skip
    for what, text, text6, connect, connect6 in (
        ("reset", "reject with tcp reset", None, "ECONNREFUSED", None),
        (
            "reject_port",
            "reject with icmp port-unreachable",
            "reject with icmpv6 port-unreachable",
            "ECONNREFUSED",
            None,
        ),
        (
            "reject_admin",
            "reject with icmp admin-prohibited",
            "reject with icmpv6 admin-prohibited",
            "EHOSTUNREACH",
            "EACCES",
        ),
        ("drop", "drop", None, "ETIMEDOUT", None),
    ):
        yield Scenario(
            f"local_output_{what}", f"a rule in the client's OUTPUT: {text}", "local-firewall", "filtered",
            Wire("nothing", connect=connect, connect6=connect6), origin=LOCAL, serves=(Serve("silent"),),
            rules=(Rule("client", "output", f"tcp dport 22 {text}", text6 and f"tcp dport 22 {text6}"),),
        )  # fmt: skip
    yield Scenario(
        "neighbor_dead", "an address in the client's own network that no machine has", "neighbor-unreachable",
        "filtered",
        Wire("nothing", connect="EHOSTUNREACH", after_s=2.5), site="none", address=("192.0.2.200", "2001:db8:1::200"),
        origin=(TARGET, Place("target"), Place("local"), Place("unknown")),
    )  # fmt: skip
    yield Scenario(
        "gateway_dead", "the client's default gateway does not exist", "neighbor-unreachable", "filtered",
        Wire("nothing", connect="EHOSTUNREACH", after_s=2.5), client="c_badgate", serves=(Serve("silent"),),
        origin=(Place("path"), Place("local"), Place("unknown")),
    )  # fmt: skip
    yield Scenario(
        "local_no_port", "every ephemeral port of the client is reserved", "local-limit", "unknown",
        Wire("SA", connect="EADDRNOTAVAIL"), client="c_noport", serves=(Serve("silent"),), origin=LOCAL,
    )  # fmt: skip
    for what, port, hears in (("close", 9998, "FIN"), ("silent", 9997, "SILENCE")):
        yield Scenario(
            f"proxy_{what}", f"a gateway takes every TCP connection for itself, then: {what}", "transparent-proxy",
            "open",
            replace(OPEN, sender="gw", hears=hears), client="c_proxied", origin=(Place("path", "gw"),),
            rules=(
                Rule("gw", "prenat", f"tcp dport 22 redirect to :{port}"),
                Rule("gw", "prenat_all", f'iifname "eth1" meta l4proto tcp redirect to :{port}', key=None),
            ),
            serves=(Serve(what, port, node="gw"),), allowed=("likely",),
        )  # fmt: skip
