"""The firewall before the daemon: what becomes of a SYN and of its answer, and translations (ND301 to ND303, ND307)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from netprobe.doctor import firewall, reading
from netprobe.doctor.checks import undo
from netprobe.doctor.facts import Facts
from netprobe.doctor.finding import Reason, Result, Status, check, fine, unknown
from netprobe.doctor.firewall import Host, Kind, Query, Ruleset, Walk

NFT = "nft -j list ruleset, iptables-save"
NOTHING_SEEN = "no firewall command could list its rules"


def ruleset(facts: Facts) -> Ruleset:
    """All rules that were collected."""
    return _parsed(
        facts.nft.text if facts.nft else None,
        tuple(one.text for one in facts.iptables or ()),
        tuple(one.text for one in facts.ip6tables or ()),
        facts.ipset.text if facts.ipset else None,
        facts.nft_hooks.text if facts.nft_hooks else None,
    )


# Several checks ask for the same walk, and rule sets can be of megabytes.
@lru_cache(maxsize=2)
def _parsed(
    nft: str | None, iptables: tuple[str, ...], ip6tables: tuple[str, ...], ipset: str | None, hooks: str | None
) -> Ruleset:
    return firewall.parse(nft=nft, iptables=iptables, ip6tables=ip6tables, ipset=ipset, hooks=hooks)


def machine(facts: Facts) -> Host:
    """The machine, as the walk wants it."""
    return Host(
        interfaces={one.name: one.addresses for one in facts.interfaces or () if one.up},
        forwarding={int(key): value for key, value in (facts.forwarding or {}).items() if key in {"4", "6"}} or None,
        routes=[
            (
                ("0.0.0.0/0" if one.family == 4 else "::/0") if one.destination == "default" else one.destination,
                one.interface,
            )
            for one in facts.routes or ()
            if one.kind == "unicast" and one.interface
        ],
        bridges={one.name: one.bridge for one in facts.interfaces or () if one.bridge},
    )


def walks(facts: Facts, port: int) -> Iterator[tuple[int, Walk]]:
    """The way of a client's SYN to the port, by IP version; the asked source's version only, where one was asked."""
    rules, host = ruleset(facts), machine(facts)
    source = facts.asked.source
    for family in (4, 6):
        addresses = reading.own_addresses(facts, family)
        if not addresses or (source is not None and (":" in source) != (family == 6)):
            continue
        yield family, firewall.walk(rules, Query(addresses[0], port, source=source), host)


def unseen(facts: Facts) -> str:
    """Why the rules can't be judged; "" where they can."""
    if facts.nft is None and not facts.iptables and not facts.ip6tables:
        hints = []
        if facts.ufw is not None and facts.ufw.enabled:
            hints.append(f"ufw is enabled (incoming: {facts.ufw.incoming or 'unknown'})")
        if facts.firewalld is not None and facts.firewalld.running:
            hints.append("firewalld runs")
        # Both commands are there and found nothing: then there is nothing.
        if (
            facts.iptables == ()
            and facts.ip6tables == ()
            and facts.system.root
            and "there is no command" in facts.why("nft")
        ):
            return ""
        return "; ".join([facts.why("nft"), *hints])
    if not facts.interfaces:
        return facts.why("interfaces")
    return ""


@check("ND301", Reason.FIREWALL, decisive=True)
def firewall_lets_in(facts: Facts) -> Result | tuple[Result, ...]:
    """The firewall lets a client's SYN reach the port."""
    why = unseen(facts)
    if why:
        return unknown("What the firewall does can't be told.", why)
    results = [_judged(facts, family, found) for family, found in walks(facts, facts.asked.port)]
    if not results:
        return unknown("What the firewall does can't be told.", "this machine has no address that a client could dial")
    if len(results) == 2 and all(one.status is Status.FINE for one in results):
        first, second = (one.says.partition(": ") for one in results)
        if first[2] == second[2]:
            says = f"{first[0]} and {second[0]}: {first[2]}"
            return fine(says, *dict.fromkeys((*results[0].because, *results[1].because)), source=NFT)
    return tuple(results)


def _judged(facts: Facts, family: int, found: Walk) -> Result:
    port = facts.asked.port
    whom = f"from {facts.asked.source}" if facts.asked.source else "from anywhere"
    path = tuple(str(step) for step in found.path)
    if found.verdict is Kind.ACCEPT:
        by = f": {found.decided.rule.text}" if found.decided.rule else "; no rule and no policy stops it"
        ends = dict.fromkeys(one.says for one in found.sometimes)
        notes = tuple(f"at times: {says} ({'; '.join(_conditions(found, says))})" for says in ends if says != "accept")
        return fine(f"IPv{family}: the firewall lets a SYN {whom} to port {port} in{by}.", *path, *notes, source=NFT)
    if found.verdict is Kind.UNSURE:
        return Result(
            status=Status.UNKNOWN, says=f"IPv{family}: what the firewall does with a SYN {whom} to port {port} can't be told.",
            because=(found.reason, *path), source=NFT,
        )  # fmt: skip
    rule = found.decided.rule
    cause = "dropped"
    if found.verdict is Kind.REJECT:
        cause = "reset-by-host-firewall" if isinstance(found.reject, str) else "rejected-by-host"
    chain = found.decided.chain
    start = f"IPv{family}: a SYN {whom} to port {port} does not get in"
    if chain is None:  # the kernel itself, after a translation
        name = "net.ipv4.ip_forward" if family == 4 else "net.ipv6.conf.all.forwarding"
        return Result(
            status=Status.FAULT, first=25, source=NFT, causes=(cause,), because=path,
            says=f"{start}: it is translated to another machine, and this one does not forward.",
            remedy=(f"sudo sysctl -w {name}=1", *undo.translation(found)),
        )  # fmt: skip
    where = f"{chain.table.family} {chain.table.name} {chain.name}"
    decider = f"rule `{rule.text}` of {where}" if rule else f"the policy of {where}"
    known = firewall.owner(found.decided, port, facts.asked.source)
    by_whom = (f"this is {known.name}'s",) if known else ()
    return Result(
        status=Status.FAULT, first=25, source=NFT, causes=(cause,), because=(*path, *by_whom),
        says=f"{start}: {decider} {_does(found.decided.says)}.", remedy=undo.commands(facts, found.decided),
    )  # fmt: skip


def _does(says: str) -> str:
    """`drops it`, `rejects it with tcp reset`."""
    return says.replace("reject with", "rejects it with").replace("drop", "drops it")


def _conditions(found: Walk, says: str) -> list[str]:
    conditions = dict.fromkeys(text for one in found.sometimes if one.says == says for text in one.conditions)
    return list(conditions)[:3]


@check("ND302", Reason.FIREWALL)
def firewall_lets_answers_out(facts: Facts) -> Result | tuple[Result, ...]:
    """The firewall lets the answers leave."""
    why = unseen(facts)
    if why:
        return unknown("What the firewall does with answers can't be told.", why)
    results = []
    for family, found in walks(facts, facts.asked.port):
        answer = found.back.get("syn-ack")
        if answer is None or answer.verdict in {Kind.ACCEPT, Kind.UNSURE}:
            continue
        rule = answer.decided.rule
        results.append(
            Result(
                status=Status.FAULT,
                first=26,
                source=NFT,
                causes=("reply-filtered",),
                says=f"IPv{family}: the SYN gets in, the answer does not get out: "
                + (f"rule `{rule.text}` {_does(answer.decided.says)}." if rule else "a policy drops it."),
                because=tuple(str(step) for step in answer.path),
                remedy=undo.commands(facts, answer.decided),
            )
        )
    return tuple(results) or fine("Answers may leave.", source=NFT)


@check("ND303", Reason.FIREWALL, Reason.WRONG)
def not_translated(facts: Facts) -> Result | tuple[Result, ...]:
    """The port is not translated to another machine or port."""
    if unseen(facts):
        return unknown("Whether the port is translated can't be told.", unseen(facts))
    results = []
    for family, found in walks(facts, facts.asked.port):
        if found.verdict is not Kind.ACCEPT or found.destination is None:
            continue
        address, port = found.destination
        path = tuple(str(step) for step in found.path)
        if not found.forwarded:
            if any(one.port == port for one in reading.ssh_listeners(facts)):
                continue
            says = (
                f"IPv{family}: port {facts.asked.port} is redirected to {address}:{port}, where no SSH daemon listens."
            )
            status, cause = Status.FAULT, "no-listener"
        else:
            says = f"IPv{family}: port {facts.asked.port} is forwarded to {address} port {port}: this machine's sshd never sees it."
            status, cause = Status.RISK, "forward-without-backend"
        results.append(
            Result(
                status=status,
                first=24,
                says=says,
                because=path,
                source=NFT,
                causes=(cause,),
                remedy=(
                    f"ssh -p {port} USER@{address}   # from this machine: does it answer there?",
                    *undo.translation(found),
                ),
            )
        )
    return tuple(results) or fine("The port is this machine's own.", source=NFT)


@check("ND307", Reason.FIREWALL)
def no_program_before_the_firewall(facts: Facts) -> Result:
    """No XDP program sees packets before the firewall."""
    if facts.interfaces is None:
        return unknown("Whether an XDP program runs can't be told.", facts.why("interfaces"))
    names = [one.name for one in facts.interfaces if one.xdp]
    if not names:
        return fine("No XDP program is attached.", source="ip -d link")
    return unknown(
        f"An XDP program on {', '.join(names)} sees packets before any firewall.",
        "what it drops can't be read; sudo bpftool net, sudo ip link set dev NAME xdp off",
    )


CHECKS = (firewall_lets_in, firewall_lets_answers_out, not_translated, no_program_before_the_firewall)
