"""Silence on the port while the host answers elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

from tests.lab.scenario import Rule, Scenario, Serve
from tests.lab.table.words import ANY, CLOSED, ND, NO_PING, SILENT, SYN, TARGET, UNPROVEN, between


def silent() -> Iterator[Scenario]:
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
    yield dropped(
        "drop_host", "the host's INPUT drops the port, a listener is behind it", rules=(on_host,), server_side=True
    )
    yield dropped("drop_host_no_ping", "the same with ping blocked", rules=(on_host, NO_PING))
    yield dropped("drop_host_ttl128", "the same with an initial TTL of 128", rules=(on_host,), initial_ttl=128)
    yield dropped("drop_r2", "r2's FORWARD drops the port", rules=(Rule("r2", "forward", drop),))
    yield dropped(
        "drop_r2_raw", "r2 drops the port before routing, so that it doesn't answer for its own hop",
        rules=(Rule("r2", "raw", drop),), origin=between("r1", "r2"),
    )  # fmt: skip
    yield dropped(
        "drop_r1", "r1's FORWARD drops the port", rules=(Rule("r1", "forward", drop),), origin=between("r1", "r2")
    )
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
    yield dropped(
        "default_deny_ping", "a stateful firewall that lets ping in and nothing else", rules=(*stateful, ping, deny)
    )
    yield dropped(
        "default_deny_443", "a stateful firewall that lets port 443 in and nothing else, no ping either",
        rules=(*stateful, Rule("target", "input", "tcp dport 443 accept", key=None), deny),
        serves=(Serve("silent"), Serve("tls", 443)),
    )  # fmt: skip
    yield Scenario(
        "default_deny", "a stateful firewall that lets nothing in", "host-silent", "filtered", SILENT,
        certainty="likely",
        allowed=ANY, origin=(*between("r2", None), *host), rules=(*stateful, deny), serves=listener,
    )  # fmt: skip
    for node, hook, place, key in (("target", "input", "host", None), ("r2", "forward", "r2", "daddr")):
        rule = (Rule(node, hook, f"{SYN} drop", key=key),)
        yield Scenario(
            f"syn_drop_{place}_closed", f"{place} drops SYNs to the port only, nothing listens behind", "syn-filtered",
            "filtered",
            SILENT, origin=host, rules=rule, allowed=ANY, also=("dropped",),
        )  # fmt: skip
        yield Scenario(
            f"syn_drop_{place}_open", f"{place} drops SYNs to the port only, a listener is behind", "syn-filtered",
            "filtered",
            SILENT, origin=host, rules=rule, serves=listener, certainty="likely", allowed=UNPROVEN, also=("dropped",),
            rivals=("backlog-full",), alternatives=("backlog-full",),
        )  # fmt: skip
    new = (Rule("target", "input", "tcp dport 22 ct state new drop", key=None),)
    yield dropped(
        "new_drop_closed",
        "the host drops new connections (conntrack), nothing listens",
        rules=new,
        serves=(),
        also=("syn-filtered",),
    )
    yield dropped("new_drop_open", "the host drops new connections (conntrack), a listener is behind", rules=new)
    yield Scenario(
        "backlog_full", "the listener never accepts and its queue is full", "backlog-full", "filtered", SILENT,
        server_side=True,
        serves=(Serve("full_queue"),), certainty="likely", allowed=UNPROVEN, origin=(TARGET, *host),
        rivals=("syn-filtered",),
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
        "replies_drop_r2", "r2 drops whatever the port sends back", "reply-filtered", "filtered", SILENT,
        certainty="possible",
        allowed=ANY, also=("dropped",), rules=(Rule("r2", "forward", "tcp sport 22 drop", key="saddr"),),
        serves=listener,
        server_side=True,
    )  # fmt: skip
    for name, text, text6 in (
        ("reject", "reject with icmp port-unreachable", "reject with icmpv6 port-unreachable"),
        ("drop", "drop", "drop"),
    ):  # fmt: skip
        meter = "meter lab_{ip} {{ {ip} saddr limit rate 2/minute burst 1 packets }} accept"
        yield Scenario(
            f"limit_then_{name}", f"the first SYN is answered, the next ones meet: {name}", "rate-limited", "closed",
            CLOSED,
            states=("filtered", "open"), allowed=ANY, arm="limits", origin=(TARGET, *host),
            rules=(Rule("target", "input", f"{SYN} {meter}", key=None),
                Rule("target", "input", f"{SYN} {text}", f"{SYN} {text6}", key=None)),
        )  # fmt: skip
    forged = Serve("forgeries", node="wire", options=(("senders", "address r2"),))
    why = "forgeries are written by hand; what stands beside them is real"
    yield dropped(
        "forged_beside_drop",
        "the host drops; a box on the wire forges answers",
        rules=(on_host,),
        serves=(forged,),
        real=False,
        unreal_because=why,
    )
    yield Scenario(
        "forged_beside_closed", "the port is closed; a box on the wire forges answers", "no-listener", "closed", CLOSED,
        origin=(TARGET,), serves=(forged,), real=False, unreal_because=why,
    )  # fmt: skip
