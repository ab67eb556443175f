"""What `--watch` saw of the SYNs of `netprobe scan --marked` (ND601)."""

from __future__ import annotations

from dataclasses import dataclass

from netprobe.doctor import reading
from netprobe.doctor.facts import Facts, Heard
from netprobe.doctor.finding import Reason, Result, Status, check, skipped, unknown
from netprobe.doctor.fingerprint import fate
from netprobe.doctor.fingerprint.fate import Fate

SOURCE = "/proc/net/snmp, netstat, snmp6"
RULES = "sudo nft -a list ruleset; sudo iptables-save -c; sudo ip6tables-save -c"
RULE = "which rule: sudo netprobe doctor"
CAPTURE = "sudo tcpdump -ni any tcp port {port}"


@dataclass(frozen=True, slots=True)
class Telling:
    """What a fate means: in words, for the five reasons, as causes of the wire, and what to do next."""

    says: str
    causes: tuple[str, ...]
    reasons: tuple[Reason, ...]
    remedy: tuple[str, ...]


TELLINGS: dict[str, Telling] = {
    fate.STACK_RESET: Telling(
        "The marked SYNs arrive, and this machine's own stack resets them: nothing listens on port {port} there.",
        ("no-listener",), (Reason.CLOSED,), ("ss -ltn", "sudo netprobe doctor"),
    ),
    fate.FILTER_RESET: Telling(
        "The marked SYNs arrive, and netfilter on this machine answers them with resets.",
        ("reset-by-host-firewall",), (Reason.FIREWALL,), (RULES, RULE),
    ),
    fate.REJECTED: Telling(
        "The marked SYNs arrive, and netfilter on this machine rejects them with ICMP errors.",
        ("rejected-by-host",), (Reason.FIREWALL,), (RULES, RULE),
    ),
    fate.DROPPED: Telling(
        "The marked SYNs arrive, and netfilter on this machine drops them.",
        ("dropped", "syn-filtered"), (Reason.FIREWALL,), (RULES, RULE),
    ),
    fate.REVERSE_PATH: Telling(
        "The marked SYNs arrive, and this machine's reverse path filter drops them: answers would leave by another interface.",
        ("dropped", "host-silent"), (Reason.FIREWALL,), ("ip route get CLIENT", "sudo sysctl -w net.ipv4.conf.all.rp_filter=2"),
    ),
    fate.QUEUE_FULL: Telling(
        "The marked SYNs arrive, and the accept queue of port {port} is full: the daemon accepts nobody.",
        ("backlog-full",), (Reason.DOWN,), ("ss -ltn", "{restart}"),
    ),
    fate.FORWARDED: Telling(
        "The marked SYNs arrive, and this machine forwards them to another one (DNAT).",
        ("forward-without-backend",), (Reason.FIREWALL,), ("sudo nft list ruleset | grep dnat; sudo iptables-save -t nat", "docker ps"),
    ),
    fate.REPLY_LOST: Telling(
        "The marked SYNs arrive, and the answers leave this machine, but none reaches the client.",
        ("reply-filtered",), (), ("ip route get CLIENT", "look between here and the client: routers, a firewall that saw only one direction", CAPTURE),
    ),
    fate.REPLY_HELD: Telling(
        "The marked SYNs arrive, and a filter on the way out (netfilter's output) holds this machine's answers back.",
        ("reply-filtered", "no-listener"), (Reason.FIREWALL,), (RULES, RULE),
    ),
    fate.NO_WAY_BACK: Telling(
        "The marked SYNs arrive, and there is no route back to the client.",
        ("reply-filtered", "host-silent", "dropped"), (), ("ip route get CLIENT", "ip route; ip -6 route"),
    ),
    fate.NEVER_ARRIVED: Telling(
        "The marked SYNs never arrive here, though the client's pings do: they are dropped on the way.",
        ("dropped", "rejected-on-path", "reset-on-path"), (Reason.FIREWALL,),
        ("look before the server: a cloud's security groups and network ACLs, a provider's or a router's firewall",
         "on this machine only XDP, tc and netdev rules come before the counters: ip -d link; sudo nft list hooks"),
    ),
}  # fmt: skip
MET = {
    fate.ACCEPTED: "accepted", fate.STACK_RESET: "reset by the stack", fate.QUEUE_FULL: "lost to a full queue",
    fate.FORWARDED: "forwarded", fate.REPLY_LOST: "answered in vain", fate.REPLY_HELD: "answered in vain",
    fate.NO_WAY_BACK: "left without an answer", fate.REVERSE_PATH: "dropped by the reverse path filter",
    fate.UNSURE: "let in", fate.DROPPED: "dropped", fate.REJECTED: "rejected", fate.FILTER_RESET: "reset by netfilter",
}  # fmt: skip


@check("ND601", decisive=True)
def marked_syns(facts: Facts) -> Result | tuple[Result, ...]:
    """The SYNs of `netprobe scan --marked` are accepted."""
    if facts.watch is None:
        if "watch" in facts.gaps:
            return unknown("The kernel's counters can't be watched.", facts.why("watch"))
        return skipped("Nobody watched for marked SYNs (--watch).")
    if not facts.watch.heard:
        return _nothing(facts)
    return tuple(_result(facts, one, fate.fate(one)) for one in facts.watch.heard)


def _nothing(facts: Facts) -> Result:
    assert facts.watch is not None
    early = "" if facts.watch.ended else ", and it was interrupted"
    return Result(
        status=Status.UNKNOWN,
        says=f"No marked SYNs were recognised within {facts.watch.seconds:.0f} s{early}.",
        because=(
            "if `netprobe scan --marked` ran on the client in that time, its SYNs never arrive at this machine",
            "then a cloud's security group, a provider's or a router's firewall drops them",
            "it takes about 25 s, and must begin after the watch",
        ),
        source=SOURCE,
    )


def _result(facts: Facts, one: Heard, what: Fate) -> Result:
    over = f"IPv{one.family}: "
    because = (*what.because, _found(one))
    if what.word == fate.ACCEPTED:
        sure = "" if what.certain else " (likely)"
        says = f"{over}the marked SYNs arrive and are accepted, and the client hears the answers{sure}."
        return Result(status=Status.FINE, says=says, because=because, source=SOURCE, causes=("up",))
    if what.word == fate.UNSURE:
        arrive = "arrive" if one.by != "pings" else "were sent (the client's pings arrive)"
        return Result(
            status=Status.UNKNOWN, says=f"{over}the marked SYNs {arrive}; what becomes of them can't be told.",
            because=because, source=SOURCE,
            remedy=("run both again when less is going on, the client's side as root", CAPTURE.format(port=facts.asked.port)),
        )  # fmt: skip
    if what.word == fate.LIMITED and what.then is not None:
        first, later = (MET[word] for word in what.then)
        return Result(
            status=Status.RISK, first=41, source=SOURCE, causes=("rate-limited",), reasons=(Reason.FIREWALL,),
            says=f"{over}a limit on this machine: the first marked SYNs were {first}, the later ones {later}.",
            because=because, remedy=("wait half a minute and connect once", "sudo ufw status; sudo nft list ruleset; sudo iptables-save -c"),
        )  # fmt: skip
    telling = TELLINGS[what.word]
    restart = reading.commands(facts).control("restart")
    fill = {"port": facts.asked.port, "restart": restart}
    sure = "" if what.certain else " (likely)"
    return Result(
        status=Status.FAULT, first=36, says=over + _lower(telling.says.format(**fill)).removesuffix(".") + sure + ".", because=because,
        remedy=tuple(text.format(**fill) for text in telling.remedy), source=SOURCE, causes=telling.causes,
        reasons=telling.reasons,
    )  # fmt: skip


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]


def _found(one: Heard) -> str:
    by = "the client's pings" if one.by == "pings" else f"{sum(one.sizes)} SYNs in {len(one.sizes)} rounds"
    odds = "less than one in a million" if one.chance < 1e-6 else f"about 1 in {1 / max(one.chance, 1e-9):,.0f}"
    return f"{by}, recognised by their rhythm; by chance: {odds}"


CHECKS = (marked_syns,)
