"""The table of scenarios: every cause, by the real mechanism wherever a stock kernel has one.

House rules of this file:
1. A row says what is set up and what a perfect tool would conclude from the wire alone, never what netprobe happens to say.
2. Rows are only appended to a section: a scenario's address follows from its place in the table.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tests.lab.scenario import V4, V6, Place, Route, Rule, Scenario, Serve, Wire

TARGET = Place("target", "target")
R1, R2 = Place("path", "r1"), Place("path", "r2")
LOCAL = (Place("local"),)
ANY = ("certain", "likely", "possible")
UNPROVEN = ("likely", "possible")

SYN = "tcp dport 22 tcp flags & (fin|syn|rst|ack) == syn"
ND = "meta l4proto ipv6-icmp icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert }} accept"
NO_PING = Rule("target", "input", "icmp type echo-request drop", "icmpv6 type echo-request drop", key=None)

CLOSED = Wire("RA", tos=0x48, connect="ECONNREFUSED")
OPEN = Wire("SA", connect="")
SILENT = Wire("silent", connect="ETIMEDOUT")


def between(near: str | None, far: str | None) -> tuple[Place, ...]:
    """The origin lies between two nodes; which kind it is called is free, for nobody can know."""
    return tuple(Place(kind, between=(near, far)) for kind in ("path", "unknown"))


def _said(text: str, hears: str, **more: object) -> tuple[tuple[Serve, ...], Wire]:
    options: tuple[tuple[str, object], ...] = (("say", text), *more.items())
    return (Serve("text", options=options),), replace(OPEN, hears=hears)


def _name() -> Iterator[Scenario]:
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


def _local() -> Iterator[Scenario]:
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
        ("reject_port", "reject with icmp port-unreachable", "reject with icmpv6 port-unreachable", "ECONNREFUSED", None),
        ("reject_admin", "reject with icmp admin-prohibited", "reject with icmpv6 admin-prohibited", "EHOSTUNREACH", "EACCES"),
        ("drop", "drop", None, "ETIMEDOUT", None),
    ):
        yield Scenario(
            f"local_output_{what}", f"a rule in the client's OUTPUT: {text}", "local-firewall", "filtered",
            Wire("nothing", connect=connect, connect6=connect6), origin=LOCAL, serves=(Serve("silent"),),
            rules=(Rule("client", "output", f"tcp dport 22 {text}", text6 and f"tcp dport 22 {text6}"),),
        )  # fmt: skip
    yield Scenario(
        "neighbor_dead", "an address in the client's own network that no machine has", "neighbor-unreachable", "filtered",
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
            f"proxy_{what}", f"a gateway takes every TCP connection for itself, then: {what}", "transparent-proxy", "open",
            replace(OPEN, sender="gw", hears=hears), client="c_proxied", origin=(Place("path", "gw"),),
            rules=(
                Rule("gw", "prenat", f"tcp dport 22 redirect to :{port}"),
                Rule("gw", "prenat_all", f'iifname "eth1" meta l4proto tcp redirect to :{port}', key=None),
            ),
            serves=(Serve(what, port, node="gw"),), allowed=("likely",),
        )  # fmt: skip


# nft's words for ICMP and ICMPv6, the codes, and connect()'s errno for both (wire: icmp_err_convert, icmpv6_err_convert)
REJECTS = (
    ("net", "net-unreachable", "no-route", (3, 0), (1, 0), "ENETUNREACH", "ENETUNREACH"),
    ("host", "host-unreachable", "addr-unreachable", (3, 1), (1, 3), "EHOSTUNREACH", "EHOSTUNREACH"),
    ("proto", "prot-unreachable", None, (3, 2), None, "ENOPROTOOPT", None),
    ("port", "port-unreachable", "port-unreachable", (3, 3), (1, 4), "ECONNREFUSED", "ECONNREFUSED"),
    ("net_prohibited", "net-prohibited", "policy-fail", (3, 9), (1, 5), "ENETUNREACH", "EACCES"),
    ("host_prohibited", "host-prohibited", "reject-route", (3, 10), (1, 6), "EHOSTUNREACH", "EACCES"),
    ("admin", "admin-prohibited", "admin-prohibited", (3, 13), (1, 1), "EHOSTUNREACH", "EACCES"),
)
ON_PATH = {"net": "network-unreachable", "host": "host-unreachable"}


def _rejects() -> Iterator[Scenario]:
    """REJECT with every code, at the host and at each router."""
    for node, hook in (("target", "input"), ("r1", "forward"), ("r2", "forward")):
        at_host = node == "target"
        where = "the host" if at_host else node
        for name, word4, word6, code4, code6, connect, connect6 in REJECTS:
            text6 = f"tcp dport 22 reject with icmpv6 {word6}" if word6 else ""
            unsure = name == "host"  # route or filter, dead backend or filter: the code alone can't tell
            yield Scenario(
                f"reject_{name}_{'host' if at_host else node}", f"{where} rejects with {word4} ({word6 or 'IPv4 only'})",
                "rejected-by-host" if at_host else ON_PATH.get(name, "rejected-on-path"), "filtered",
                Wire("icmp", sender=node, codes=(code4, code6), connect=connect, connect6=connect6),
                certainty="likely" if unsure else "certain", allowed=ANY if unsure or name == "net" else ("likely",),
                also=() if at_host or name not in ON_PATH else ("rejected-on-path",),
                families=(V4, V6) if word6 else (V4,), serves=(Serve("silent"),),
                origin=(TARGET if at_host else Place("path", node),),
                rules=(Rule(node, hook, f"tcp dport 22 reject with icmp {word4}", text6, key=None if at_host else "daddr"),),
            )  # fmt: skip


def _path() -> Iterator[Scenario]:
    """Routes, dead hosts, silence."""
    yield Scenario(
        "host_off", "the address behind r2 has no machine: r2 gives up on the neighbour after 3 s", "host-unreachable",
        "filtered", Wire("icmp", sender="r2", codes=((3, 1), (1, 3)), after_s=2.5, connect="EHOSTUNREACH"), site="none", origin=(R2,),
        allowed=("likely",),
    )  # fmt: skip
    for router in ("r1", "r2"):
        here = Place("path", router)
        null = Route(router, "unreachable {target}/{plen}")
        yield Scenario(
            f"null_route_{router}", f"{router} has an unreachable route to the address (IPv4: 3/1 at once)", "host-unreachable",
            "filtered", Wire("icmp", sender=router, codes=((3, 1), None), connect="EHOSTUNREACH"), site="none", origin=(here,),
            certainty="likely", allowed=ANY, also=("rejected-on-path",), families=(V4,), routes=(null,),
        )  # fmt: skip
        yield Scenario(
            f"null_route6_{router}", f"{router} has an unreachable route to the address (IPv6: Linux says 1/0)",
            "network-unreachable", "filtered", Wire("icmp", sender=router, codes=(None, (1, 0)), connect="ENETUNREACH"),
            site="none", origin=(here,), allowed=("likely",), also=("rejected-on-path",), families=(V6,), routes=(null,),
        )  # fmt: skip
        yield Scenario(
            f"prohibit_route_{router}", f"{router} has a prohibit route to the address", "rejected-on-path", "filtered",
            Wire("icmp", sender=router, codes=((3, 13), (1, 1)), connect="EHOSTUNREACH", connect6="EACCES"), site="none",
            origin=(here,), allowed=("likely",), routes=(Route(router, "prohibit {target}/{plen}"),),
        )  # fmt: skip
        yield Scenario(
            f"blackhole_route_{router}", f"{router} has a blackhole route to the address", "host-silent", "filtered", SILENT,
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
            Wire("icmp", sender=router, codes=((3, 0), (1, 0)), connect="ENETUNREACH"), site="none", address=(four, six),
            origin=(Place("path", router),), allowed=("likely",), routes=() if router == "r1" else (to_r2,),
        )  # fmt: skip
    yield Scenario(
        "routing_loop", "r1 and r2 send the address's packets to each other", "routing-loop", "filtered",
        Wire("icmp", sender="r2", codes=((11, 0), (3, 0)), connect="EHOSTUNREACH"), site="none",
        address=("198.51.100.225", "2001:db8:97::225"), origin=(R1, R2, *between("r1", "r2"), *between("r2", "r1")),
        routes=(
            Route("r1", "{target}/{plen} via 198.51.100.2", "{target}/{plen} via 2001:db8:12::2"),
            Route("r2", "{target}/{plen} via 198.51.100.1", "{target}/{plen} via 2001:db8:12::1"),
        ),
    )  # fmt: skip
    after_r2 = (*between("r2", None), *between("r2", "target"))
    yield Scenario(
        "host_silent", "the host's INPUT drops everything, ping too", "host-silent", "filtered", SILENT, certainty="likely",
        allowed=ANY, origin=after_r2, serves=(Serve("silent"),), server_side=True,
        rules=(Rule("target", "input", "drop", f"{ND}", key=None), Rule("target", "input", "", "drop", key=None)),
    )  # fmt: skip
    yield Scenario(
        "host_silent_r1", "r1's FORWARD drops everything to the host", "host-silent", "filtered", SILENT, certainty="likely",
        allowed=ANY, origin=(*between("r1", None), *between("r1", "target")), serves=(Serve("silent"),),
        rules=(Rule("r1", "forward", "drop"),),
    )  # fmt: skip
    yield Scenario(
        "host_silent_r2_raw", "r2 drops everything to the host before routing", "host-silent", "filtered", SILENT,
        certainty="likely", allowed=ANY, origin=(*between("r1", None), *between("r1", "target")), serves=(Serve("silent"),),
        rules=(Rule("r2", "raw", "drop"),),
    )  # fmt: skip
    yield Scenario(
        "no_return_route", "the host hears everything and has no route back", "host-silent", "filtered", SILENT,
        certainty="likely", allowed=ANY, also=("reply-filtered",), origin=after_r2, serves=(Serve("silent"),), server_side=True,
        routes=(Route("target", "blackhole 192.0.2.0/24", "blackhole 2001:db8:1::/64"),),
    )  # fmt: skip
    yield Scenario(
        "path_mtu_black_hole", "a link of MTU 1280 before the server, and its packet-too-big messages are filtered",
        "path-mtu-black-hole", "open", replace(OPEN, hears="SSH-2.0-"), site="box", box_mtu=1280, allowed=("likely",),
        serves=(Serve("sshd", options=(("big_kexinit", True),)),), server_side=True,
        rules=(Rule("box", "output", "icmp type destination-unreachable drop", "icmpv6 type packet-too-big drop", key=None),),
    )  # fmt: skip


def _refused() -> Iterator[Scenario]:
    """Closed ports and forged resets."""
    yield Scenario("no_listener", "nothing listens on port 22", "no-listener", "closed", CLOSED, origin=(TARGET,), server_side=True)
    yield Scenario(
        "no_listener_ttl128", "nothing listens, the host's initial TTL is 128", "no-listener", "closed", CLOSED, origin=(TARGET,),
        initial_ttl=128,
    )  # fmt: skip
    yield Scenario(
        "no_listener_no_ping", "nothing listens, ping is blocked", "no-listener", "closed", CLOSED, origin=(TARGET,), rules=(NO_PING,)
    )
    bleach = Rule("r1", "forward", "ip dscp set cs0", "ip6 dscp set cs0")
    yield Scenario(
        "no_listener_bleached", "nothing listens, r1 sets every DSCP to 0", "no-listener", "closed", replace(CLOSED, tos=0),
        origin=(TARGET,), rules=(bleach,), allowed=("likely",), alternatives=("reset-by-host-firewall",),
    )  # fmt: skip
    yield Scenario(
        "sshd_moved", "port 22 is closed, sshd listens on 2222", "no-listener", "closed", CLOSED, origin=(TARGET,),
        serves=(Serve("sshd", 2222),),
    )  # fmt: skip
    reset = Rule("target", "input", "tcp dport 22 reject with tcp reset", key=None)
    by_host = Wire("RA", tos=0, connect="ECONNREFUSED")
    yield Scenario(
        "reset_host", "the host's firewall resets, a listener is behind it", "reset-by-host-firewall", "closed", by_host,
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
        "reset_host_no_md5", "the same, and r1 drops SYNs with an MD5 option", "reset-by-host-firewall", "closed", by_host,
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
            f"reset_{router}", f"{router} resets in the host's name, a listener is behind it", "reset-on-path", "closed", here,
            origin=(place,), serves=(Serve("silent"),), rules=(Rule(router, "forward", "tcp dport 22 reject with tcp reset"),),
        )  # fmt: skip
        yield Scenario(
            f"reset_{router}_no_ping", f"{router} resets, and the host answers no ping", "reset-on-path", "closed", here,
            origin=(place,), rules=(Rule(router, "forward", "tcp dport 22 reject with tcp reset"), NO_PING),
        )  # fmt: skip
        yield Scenario(
            f"reset_{router}_every_port", f"{router} resets every TCP port of the host", "reset-on-path", "closed", here,
            origin=(place,), rules=(Rule(router, "forward", "meta l4proto tcp reject with tcp reset"),), allowed=("likely",),
        )  # fmt: skip
    yield Scenario(
        "reset_r2_ttl128", "r2 resets, the host's initial TTL is 128", "reset-on-path", "closed", replace(by_host, sender="r2"),
        origin=(R2,), rules=(Rule("r2", "forward", "tcp dport 22 reject with tcp reset"),), initial_ttl=128, allowed=("likely",),
    )  # fmt: skip
    yield Scenario(
        "reset_by_ids", "r1 copies the SYN to a box that resets it; the host's own SYN-ACK comes a moment later",
        "reset-on-path", "closed", replace(by_host, hop=1), origin=(Place("path"),), serves=(Serve("silent"),), states=("open",),
        rules=(Rule("r1", "copy", f"{SYN} dup to {{ids}}"), Rule("ids", "raw", "tcp dport 22 reject with tcp reset")),
        allowed=("likely",),
    )  # fmt: skip
    yield Scenario(
        "reset_on_wire", "a box on the wire between r1 and r2 resets each SYN and lets it pass, its TTL 33", "reset-on-path",
        "closed", Wire("RA", hop=33, connect="ECONNREFUSED"), origin=(Place("path"),), states=("open",), allowed=("likely",),
        serves=(Serve("silent"), Serve("rst_of_box", node="wire", options=(("ttl", 33), ("onward", "port wire r2")))),
        rules=(Rule("wire", "bridge", f"{SYN} drop"),), real=False,
        unreal_because="a reset with a TTL of the box's choice is written by hand: netfilter always uses the box's own initial TTL",
    )  # fmt: skip


def _silent() -> Iterator[Scenario]:
    """Silence on the port while the host answers elsewhere."""
    drop = "tcp dport 22 drop"
    listener = (Serve("silent"),)
    host = (*between("r2", "target"),)

    def dropped(name: str, about: str, **more: object) -> Scenario:
        fields: dict[str, object] = {
            "certainty": "likely", "allowed": ANY, "serves": listener, "origin": host,
        }  # fmt: skip
        return Scenario(name, about, "dropped", "filtered", SILENT, **{**fields, **more})  # type: ignore[arg-type]

    on_host = Rule("target", "input", drop, key=None)
    yield dropped("drop_host", "the host's INPUT drops the port, a listener is behind it", rules=(on_host,), server_side=True)
    yield dropped("drop_host_no_ping", "the same with ping blocked", rules=(on_host, NO_PING))
    yield dropped("drop_host_ttl128", "the same with an initial TTL of 128", rules=(on_host,), initial_ttl=128)
    yield dropped("drop_r2", "r2's FORWARD drops the port", rules=(Rule("r2", "forward", drop),))
    yield dropped(
        "drop_r2_raw", "r2 drops the port before routing, so that it doesn't answer for its own hop",
        rules=(Rule("r2", "raw", drop),), origin=between("r1", "r2"),
    )  # fmt: skip
    yield dropped("drop_r1", "r1's FORWARD drops the port", rules=(Rule("r1", "forward", drop),), origin=between("r1", "r2"))
    yield dropped(
        "drop_r1_raw", "r1 drops the port before routing", rules=(Rule("r1", "raw", drop),),
        origin=(*between("client", "r1"), *between(None, "r1")),
    )  # fmt: skip
    yield dropped(
        "two_filters", "r1 drops the port, r2 would reset it", origin=between("r1", "r2"),
        rules=(Rule("r1", "forward", drop), Rule("r2", "forward", "tcp dport 22 reject with tcp reset")),
    )  # fmt: skip
    yield dropped(
        "sshd_moved_dropped", "port 22 is dropped by the host, sshd listens on 2222", rules=(on_host,),
        serves=(Serve("sshd", 2222),),
    )  # fmt: skip
    stateful = (
        Rule("target", "input", "", ND, key=None),
        Rule("target", "input", "ct state established,related accept", key=None),
    )
    ping = Rule("target", "input", "icmp type echo-request accept", "icmpv6 type echo-request accept", key=None)
    deny = Rule("target", "input", "drop", key=None)
    yield dropped("default_deny_ping", "a stateful firewall that lets ping in and nothing else", rules=(*stateful, ping, deny))
    yield dropped(
        "default_deny_443", "a stateful firewall that lets port 443 in and nothing else, no ping either",
        rules=(*stateful, Rule("target", "input", "tcp dport 443 accept", key=None), deny),
        serves=(Serve("silent"), Serve("tls", 443)),
    )  # fmt: skip
    yield Scenario(
        "default_deny", "a stateful firewall that lets nothing in", "host-silent", "filtered", SILENT, certainty="likely",
        allowed=ANY, origin=(*between("r2", None), *host), rules=(*stateful, deny), serves=listener,
    )  # fmt: skip
    for node, hook, place, key in (("target", "input", "host", None), ("r2", "forward", "r2", "daddr")):
        rule = (Rule(node, hook, f"{SYN} drop", key=key),)
        yield Scenario(
            f"syn_drop_{place}_closed", f"{place} drops SYNs to the port only, nothing listens behind", "syn-filtered", "filtered",
            SILENT, origin=host, rules=rule, allowed=ANY, also=("dropped",),
        )  # fmt: skip
        yield Scenario(
            f"syn_drop_{place}_open", f"{place} drops SYNs to the port only, a listener is behind", "syn-filtered", "filtered",
            SILENT, origin=host, rules=rule, serves=listener, certainty="likely", allowed=UNPROVEN, also=("dropped",),
            rivals=("backlog-full",), alternatives=("backlog-full",),
        )  # fmt: skip
    new = (Rule("target", "input", "tcp dport 22 ct state new drop", key=None),)
    yield dropped("new_drop_closed", "the host drops new connections (conntrack), nothing listens", rules=new, serves=(), also=("syn-filtered",))
    yield dropped("new_drop_open", "the host drops new connections (conntrack), a listener is behind", rules=new)
    yield Scenario(
        "backlog_full", "the listener never accepts and its queue is full", "backlog-full", "filtered", SILENT, server_side=True,
        serves=(Serve("full_queue"),), certainty="likely", allowed=UNPROVEN, origin=(TARGET, *host), rivals=("syn-filtered",),
        alternatives=("syn-filtered",),
    )  # fmt: skip
    synack = "tcp sport 22 tcp flags & (syn|ack) == (syn|ack) drop"
    for node, hook, place, key in (
        ("target", "output", "host", None), ("r2", "forward", "r2", "saddr"), ("r1", "forward", "r1", "saddr"),
    ):  # fmt: skip
        yield Scenario(
            f"synack_drop_{place}", f"{place} drops the SYN-ACK on its way back", "reply-filtered", "filtered", SILENT,
            rules=(Rule(node, hook, synack, key=key),), serves=listener, server_side=node == "r2", allowed=("likely",),
        )  # fmt: skip
    yield Scenario(
        "replies_drop_r2", "r2 drops whatever the port sends back", "reply-filtered", "filtered", SILENT, certainty="possible",
        allowed=ANY, also=("dropped",), rules=(Rule("r2", "forward", "tcp sport 22 drop", key="saddr"),), serves=listener,
        server_side=True,
    )  # fmt: skip
    for name, text, text6 in (
        ("reject", "reject with icmp port-unreachable", "reject with icmpv6 port-unreachable"), ("drop", "drop", "drop"),
    ):  # fmt: skip
        meter = "meter lab_{ip} {{ {ip} saddr limit rate 2/minute burst 1 packets }} accept"
        yield Scenario(
            f"limit_then_{name}", f"the first SYN is answered, the next ones meet: {name}", "rate-limited", "closed", CLOSED,
            states=("filtered", "open"), allowed=ANY, arm="limits", origin=(TARGET, *host),
            rules=(Rule("target", "input", f"{SYN} {meter}", key=None), Rule("target", "input", f"{SYN} {text}", f"{SYN} {text6}", key=None)),
        )  # fmt: skip
    forged = Serve("forgeries", node="wire", options=(("senders", "address r2"),))
    why = "forgeries are written by hand; what stands beside them is real"
    yield dropped("forged_beside_drop", "the host drops; a box on the wire forges answers", rules=(on_host,), serves=(forged,), real=False, unreal_because=why)
    yield Scenario(
        "forged_beside_closed", "the port is closed; a box on the wire forges answers", "no-listener", "closed", CLOSED,
        origin=(TARGET,), serves=(forged,), real=False, unreal_because=why,
    )  # fmt: skip


def _odd() -> Iterator[Scenario]:
    """Forwards, proxies, handshakes that go wrong, answers that are wrong in themselves."""
    forward = Rule("target", "prenat", "tcp dport 22 dnat ip to {backend}:22", "tcp dport 22 dnat ip6 to [{backend}]:22")
    behind = (TARGET, Place("target", "backend"), Place("target", between=("target", None)), Place("target"))
    yield Scenario(
        "forward_closed", "the port is forwarded to a machine where nothing listens", "forward-without-backend", "closed",
        replace(CLOSED, hop=4), site="nat", rules=(forward,), origin=behind, allowed=("likely",),
    )  # fmt: skip
    yield Scenario(
        "forward_dead", "the port is forwarded to a machine that is off", "forward-without-backend", "filtered",
        Wire("icmp", codes=((3, 1), (1, 3)), after_s=2.5, connect="EHOSTUNREACH"), site="nat", origin=behind, allowed=("likely",),
        rules=(Rule("target", "prenat", "tcp dport 22 dnat ip to {nobody}:22", "tcp dport 22 dnat ip6 to [{nobody}]:22"),),
    )  # fmt: skip
    yield Scenario(
        "forward_silent", "the port is forwarded to a machine that drops", "dropped", "filtered", SILENT, site="nat",
        certainty="likely", allowed=UNPROVEN, also=("forward-without-backend",), origin=(*between("r2", "target"), *behind),
        rules=(forward, Rule("backend", "input", "tcp dport 22 drop", key=None)),
    )  # fmt: skip
    yield Scenario(
        "forward_up", "the port is forwarded to a machine whose sshd is well", "up", "open", replace(OPEN, hop=4, hears="SSH-2.0-"),
        site="nat", rules=(forward,), serves=(Serve("sshd", node="backend"),),
    )  # fmt: skip
    # ip6tables, not nft: nft's synproxy drops an IPv6 SYN whose checksum no hardware has verified (seen on Linux 6.18).
    proxy = tuple(
        Rule("box", "iptables", f"-t {table} -A {chain} -d {{target}} -p tcp --dport 22 {more}")
        for table, chain, more in (
            ("raw", "PREROUTING", "--syn -j CT --notrack"),
            ("filter", "FORWARD", "-m conntrack --ctstate INVALID,UNTRACKED -j SYNPROXY --sack-perm --timestamp --wscale 7 --mss 1460"),
            ("filter", "FORWARD", "-m conntrack --ctstate INVALID -j DROP"),
        )
    )
    loose = (("box", "netfilter/nf_conntrack_tcp_loose", "0"), ("box", "ipv4/tcp_syncookies", "1"))
    box = (Place("path", "box"),)
    yield Scenario(
        "synproxy_closed", "a SYN proxy before a host where nothing listens", "syn-proxy", "open",
        replace(OPEN, sender="box", hears="RST"), site="box", rules=proxy, sysctls=loose, origin=box,
        also=("reset-after-handshake",), states=("closed",), allowed=("likely",),
    )  # fmt: skip
    yield Scenario(
        "synproxy_dead", "a SYN proxy before a host that drops", "syn-proxy", "open", replace(OPEN, sender="box", hears="SILENCE"),
        site="box", rules=(*proxy, Rule("target", "input", "tcp dport 22 drop", key=None)), sysctls=loose, origin=box,
        allowed=("likely",),
    )  # fmt: skip
    yield Scenario(
        "synproxy_up", "a SYN proxy before a host whose sshd is well", "up", "open", replace(OPEN, sender="box", hears="SSH-2.0-"),
        site="box", rules=proxy, sysctls=loose, serves=(Serve("sshd"),),
    )  # fmt: skip
    established = "tcp dport 22 tcp flags & (syn|rst|ack) == ack"
    yield Scenario(
        "ack_drop_r2", "r2 lets SYNs through and nothing that follows", "handshake-blocked", "filtered",
        replace(OPEN, hears="SILENCE"), rules=(Rule("r2", "forward", f"{established} drop"),), serves=(Serve("sshd"),),
        states=("open",), server_side=True, allowed=("likely",),
    )  # fmt: skip
    yield Scenario(
        "reset_after_handshake_r2", "r2 lets the SYN through and resets what follows", "reset-after-handshake", "open",
        replace(OPEN, hears="RST"), rules=(Rule("r2", "forward", f"{established} reject with tcp reset"),),
        serves=(Serve("sshd"),), origin=(R2, Place("path")), allowed=("likely",),
    )  # fmt: skip
    yield Scenario(
        "reset_after_handshake_host", "the host's firewall lets the SYN through and resets what follows", "reset-after-handshake",
        "open", replace(OPEN, hears="RST"), serves=(Serve("sshd"),), origin=(TARGET,), allowed=("likely",),
        rules=(Rule("target", "input", f"{established} reject with tcp reset", key=None),),
    )  # fmt: skip
    source = ("--source-port", "40000")
    yield Scenario(
        "stale_four_tuple", "the server still holds a connection from the client's port", "stale-four-tuple", "unknown",
        Wire("A"), serves=(Serve("silent"),), options=source, arm="stale", origin=(TARGET,), states=("open",),
        allowed=("likely",),
    )  # fmt: skip
    yield Scenario(
        "stale_four_tuple_stuck", "the same, and r1 drops the resets that would clear it", "stale-four-tuple", "unknown",
        Wire("A"), serves=(Serve("silent"),), options=source, arm="stale", origin=(TARGET,), states=("filtered",),
        rules=(Rule("r1", "forward", "tcp dport 22 tcp flags & rst == rst drop"),), allowed=("likely",),
    )  # fmt: skip
    hand = "no stock kernel sends this: written by hand on the server"
    quiet = Rule("target", "input", "tcp dport 22 drop", key=None)  # the kernel itself must not answer as well
    for kind, answer, about in (
        ("rst_wrong_ack", "RA", "resets that acknowledge something never sent"),
        ("synack_wrong_ack", "SA", "SYN-ACKs that acknowledge something never sent"),
        ("syn_for_syn", "S", "a SYN in answer to each SYN"),
    ):
        yield Scenario(
            kind, f"the host sends {about}", "malformed-answer", "unknown", Wire(answer), origin=(TARGET,), rules=(quiet,),
            serves=(Serve(kind),), real=False, unreal_because=hand, states=("filtered",), allowed=("likely",),
        )  # fmt: skip
    yield Scenario(
        "two_hosts", "two machines have the address and both answer", "malformed-answer", "unknown", Wire("SA", hop=0), site="twin",
        rules=(Rule("r2", "copy", "tcp dport 22 dup to {twin}"),), serves=(Serve("silent"), Serve("silent", node="twin")),
        states=("open",), also=("reset-after-handshake",), allowed=ANY,
    )  # fmt: skip
    yield Scenario(
        "syn_shape_timestamps", "r2 drops SYNs that carry a timestamp option", "syn-shape-filtered", "filtered", SILENT,
        rules=(Rule("r2", "forward", f"{SYN} tcp option timestamp exists drop"),), serves=(Serve("sshd"),), allowed=("likely",),
    )  # fmt: skip
    yield Scenario(
        "syn_shape_bare", "r2 drops SYNs without options; an ordinary client gets in", "up", "open", replace(OPEN, hears="SSH-2.0-"),
        rules=(Rule("r2", "forward", f"{SYN} tcp option maxseg missing drop"),), serves=(Serve("sshd"),),
    )  # fmt: skip


def _service() -> Iterator[Scenario]:
    """The handshake succeeds; what comes then?"""
    ssh = replace(OPEN, hears="SSH-2.0-")
    yield Scenario("up", "sshd as it should be", "up", "open", ssh, serves=(Serve("sshd"),), origin=(), server_side=True)
    yield Scenario("up_2222", "sshd on port 2222", "up", "open", ssh, serves=(Serve("sshd", 2222),), port=2222, options=("-p", "2222"))
    said: tuple[tuple[str, str, str, str, str, dict[str, object]], ...] = (
        ("up_slow", "the identification comes after 6 s", "up", "SSH-2.0-lab_1.0\r\n", "^SSH-2.0-", {"after_s": 6, "then": "stay"}),
        ("up_lines", "lines of text come before the identification", "up", "Welcome\r\nto the lab\r\nSSH-2.0-lab_1.0\r\n",
         "^Welcome", {"then": "stay"}),
        ("up_199", "an SSH-1.99 identification", "up", "SSH-1.99-lab_1.0\r\n", "^SSH-1.99-", {"then": "stay"}),
        ("ssh1_only", "an SSH-1.5 identification", "ssh1-only", "SSH-1.5-lab_1.0\n", "^SSH-1.5-", {"then": "stay"}),
        ("text_max_startups", "sshd's words when it has too many", "refused-with-text", "Exceeded MaxStartups\r\n", "^Exceeded", {}),
        ("text_not_allowed", "sshd's words for a penalty", "refused-with-text", "Not allowed at this time\r\n", "^Not allowed", {}),
        ("text_other", "some other words, then FIN", "refused-with-text", "Maintenance until 18:00, go away\r\n", "^Maint", {}),
        ("smtp", "a mail server", "other-service", "220 mail.lab.test ESMTP ready\r\n", "^220 ", {"then": "stay"}),
        ("rfb", "a VNC server", "other-service", "RFB 003.008\n", "^RFB ", {"then": "stay"}),
        ("ftp", "an FTP server", "other-service", "220 (vsFTPd 3.0.3)\r\n", "^220 ", {"then": "stay"}),
        ("mysql", "a MySQL server's greeting", "other-service", "J\x00\x00\x00\x0a8.0.36\x00" + "x" * 60, "8.0.36", {"then": "stay"}),
        ("reset_after_banner", "identification, then the process resets", "reset-after-banner", "SSH-2.0-lab_1.0\r\n", "^SSH-2.0-",
         {"then": "RST"}),
    )  # fmt: skip
    for name, about, cause, say, hears, more in said:
        serves, wire = _said(say, hears, **more)
        origin = () if cause == "up" else (TARGET,)
        yield Scenario(name, about, cause, "open", wire, serves=serves, origin=origin)
    for name, about, cause, kind, hears in (
        ("no_banner", "the server accepts and says nothing", "no-banner", "silent", "SILENCE"),
        ("close_at_once", "FIN at once", "closed-before-banner", "close", "FIN"),
        ("close_after_ident", "FIN when the client has spoken", "closed-before-banner", "close_after_ident", "FIN"),
        ("half_close", "FIN at once, but it goes on reading", "closed-before-banner", "half_close", "FIN"),
        ("close_unread", "closed while the client's words lie unread: RST", "closed-before-banner", "unread", "RST"),
        ("close_linger0", "RST at once by the process (linger 0)", "closed-before-banner", "reset", "RST"),
        ("http", "a web server", "other-service", "http", "^HTTP/1.1 400"),
        ("tls", "a TLS server", "other-service", "tls", "^\x15\x03"),
        ("telnet", "a telnet server", "other-service", "telnet", "^\xff\xfd"),
        ("hostile_text", "text made to harm terminals, web pages and spreadsheets", "refused-with-text", "hostile", "script"),
        ("hostile_flood", "a megabyte without a newline", "no-banner", "flood", "^AAAA"),
    ):
        more_names = {"close_linger0": ("reset-after-handshake",), "hostile_flood": ("other-service", "refused-with-text", "tarpit")}
        yield Scenario(
            name, about, cause, "open", replace(OPEN, hears=hears), serves=(Serve(kind),), origin=(TARGET,),
            also=more_names.get(name, ()), allowed=("likely",) if name in ("no_banner", "close_linger0") else ANY,
        )  # fmt: skip
    for beat in (1, 10):
        yield Scenario(
            f"tarpit_{beat}s", f"a meaningless line every {beat} s, for ever", "tarpit", "open", replace(OPEN, hears="^[0-9a-f]+\r\n"),
            serves=(Serve("tarpit", options=(("beat_s", beat),)),), origin=(TARGET,), allowed=("likely",),
        )  # fmt: skip
    yield Scenario(
        "sshd_stopped", "sshd is stopped (SIGSTOP): the kernel accepts for it", "no-banner", "open", replace(OPEN, hears="SILENCE"),
        serves=(Serve("sshd", options=(("stop", True),)),), origin=(TARGET,), allowed=("likely",), server_side=True,
    )  # fmt: skip
    yield Scenario(
        "sshd_max_startups", "sshd has as many unauthenticated connections as it allows", "refused-with-text", "open",
        replace(OPEN, hears="^(Exceeded MaxStartups|Not allowed at this time)\r\n"), origin=(TARGET,), arm="occupied",
        serves=(Serve("sshd", options=(("config", "MaxStartups 1\nLoginGraceTime 0"),)),),
    )  # fmt: skip
    yield Scenario(
        "ident_reset_r2", "r2 resets a connection when the client's identification passes", "reset-after-banner", "open",
        replace(OPEN, hears="SSH-2.0-"), serves=(Serve("sshd"),), origin=(R2, Place("path")), allowed=("likely",),
        rules=(Rule("r2", "forward", "tcp dport 22 @ih,0,32 0x5353482d reject with tcp reset"),),
    )  # fmt: skip


SCENARIOS: tuple[Scenario, ...] = (
    *_service(), *_refused(), *_rejects(), *_silent(), *_odd(), *_path(), *_local(), *_name(),
)  # fmt: skip
