"""Forwards, proxies, handshakes that go wrong, answers that are wrong in themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tests.lab.scenario import Place, Rule, Scenario, Serve, Wire
from tests.lab.table.words import ANY, CLOSED, OPEN, R2, SILENT, SYN, TARGET, UNPROVEN, between


def odd() -> Iterator[Scenario]:
    """Forwards, proxies, handshakes that go wrong, answers that are wrong in themselves."""
    forward = Rule(
        "target", "prenat", "tcp dport 22 dnat ip to {backend}:22", "tcp dport 22 dnat ip6 to [{backend}]:22"
    )
    behind = (TARGET, Place("target", "backend"), Place("target", between=("target", None)), Place("target"))
    yield Scenario(
        "forward_closed", "the port is forwarded to a machine where nothing listens", "forward-without-backend",
        "closed",
        replace(CLOSED, hop=4), site="nat", rules=(forward,), origin=behind, allowed=("likely",),
    )  # fmt: skip
    yield Scenario(
        "forward_dead", "the port is forwarded to a machine that is off", "forward-without-backend", "filtered",
        Wire("icmp", codes=((3, 1), (1, 3)), after_s=2.5, connect="EHOSTUNREACH"), site="nat", origin=behind,
        allowed=("likely",),
        rules=(Rule("target", "prenat", "tcp dport 22 dnat ip to {nobody}:22",
                "tcp dport 22 dnat ip6 to [{nobody}]:22"),),
    )  # fmt: skip
    yield Scenario(
        "forward_silent", "the port is forwarded to a machine that drops", "dropped", "filtered", SILENT, site="nat",
        certainty="likely", allowed=UNPROVEN, also=("forward-without-backend",), rivals=("syn-filtered",),
        origin=(*between("r2", "target"), *behind),
        rules=(forward, Rule("backend", "input", "tcp dport 22 drop", key=None)),
    )  # fmt: skip
    yield Scenario(
        "forward_up", "the port is forwarded to a machine whose sshd is well", "up", "open",
        replace(OPEN, hop=4, hears="SSH-2.0-"),
        site="nat", rules=(forward,), serves=(Serve("sshd", node="backend"),),
    )  # fmt: skip
    # ip6tables, not nft: nft's synproxy drops an IPv6 SYN whose checksum no hardware has verified (seen on Linux 6.18).
    proxy = tuple(
        Rule("box", "iptables", f"-t {table} -A {chain} -d {{target}} -p tcp --dport 22 {more}")
        for table, chain, more in (
            ("raw", "PREROUTING", "--syn -j CT --notrack"),
            (
                "filter",
                "FORWARD",
                "-m conntrack --ctstate INVALID,UNTRACKED -j SYNPROXY --sack-perm --timestamp --wscale 7 --mss 1460",
            ),
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
        "synproxy_dead", "a SYN proxy before a host that drops", "syn-proxy", "open",
        replace(OPEN, sender="box", hears="SILENCE"),
        site="box", rules=(*proxy, Rule("target", "input", "tcp dport 22 drop", key=None)), sysctls=loose, origin=box,
        allowed=("likely",),
    )  # fmt: skip
    yield Scenario(
        "synproxy_up", "a SYN proxy before a host whose sshd is well", "up", "open",
        replace(OPEN, sender="box", hears="SSH-2.0-"),
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
        "reset_after_handshake_host", "the host's firewall lets the SYN through and resets what follows",
        "reset-after-handshake",
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
        "stale_four_tuple_stuck", "the same, and r1 drops the resets that would clear it", "stale-four-tuple",
        "unknown",
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
            kind, f"the host sends {about}", "malformed-answer", "unknown", Wire(answer), origin=(TARGET,),
            rules=(quiet,),
            serves=(Serve(kind),), real=False, unreal_because=hand, states=("filtered",), allowed=("likely",),
        )  # fmt: skip
    yield Scenario(
        "two_hosts", "two machines have the address and both answer", "malformed-answer", "unknown", Wire("SA", hop=0),
        site="twin",
        rules=(Rule("r2", "copy", "tcp dport 22 dup to {twin}"),),
        serves=(Serve("silent"), Serve("silent", node="twin")),
        states=("open",), also=("reset-after-handshake",), allowed=ANY,
    )  # fmt: skip
    yield Scenario(
        "syn_shape_timestamps", "r2 drops SYNs that carry a timestamp option", "syn-shape-filtered", "filtered", SILENT,
        rules=(Rule("r2", "forward", f"{SYN} tcp option timestamp exists drop"),), serves=(Serve("sshd"),),
        allowed=("likely",),
    )  # fmt: skip
    yield Scenario(
        "syn_shape_bare", "r2 drops SYNs without options; an ordinary client gets in", "up", "open",
        replace(OPEN, hears="SSH-2.0-"),
        rules=(Rule("r2", "forward", f"{SYN} tcp option maxseg missing drop"),), serves=(Serve("sshd"),),
    )  # fmt: skip
