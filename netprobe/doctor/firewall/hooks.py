"""The kernel's hooks: which base chains run there and in what order, with conntrack and translation at their places.

House rules of this file:
1. A drop or reject ends the way; an accept ends only the base chain.
2. Chains of type nat run at the fixed place of address translation, whatever their own priority, which orders them only
   among themselves (nf_nat_proto.c); only a new connection sees them, and the first that translates is the last.
3. Among equal priorities the newest registered runs first (nf_hook_entries_grow in net/netfilter/core.c), unless the
   kernel's own list says otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from netprobe.doctor.firewall.lanes import End, Lane, merged, run
from netprobe.doctor.firewall.model import Chain, Doubt, Env, Kind, Packet, Ruleset, Step, Tuple4, Verdict, Why

CONNTRACK = -200
NAT_AT = {"prerouting": -100, "output": -100, "input": 100, "postrouting": 100}
NAT_DONE = {"prerouting": 256, "output": 256, "input": 128, "postrouting": 128}
Stage = Callable[[list[Lane], Env], tuple[list[End], list[Lane]]]


@dataclass(slots=True)
class Hooks:
    """The base chains of a rule set. `oldest_first` turns the order among equals around, to see whether it matters."""

    ruleset: Ruleset
    family: int
    oldest_first: bool = False
    ties: bool = False  # set where the order among equals was met

    def chains(self, hook: str, kinds: Sequence[str]) -> list[Chain]:
        """Base chains of a hook in tables of these families, in their order."""
        found = [
            chain
            for table in self.ruleset.tables
            if table.family in kinds and self.family in table.families and not table.dormant
            for chain in table.chains.values()
            if chain.hook == hook
        ]
        known = self.known(hook)
        age = 1 if self.oldest_first else -1
        found.sort(key=lambda one: (one.priority, known.get(key_of(one), 0), age * one.table.order, -one.order))
        for one, other in pairwise(found):
            if (one.priority, one.type == "nat") == (
                other.priority,
                other.type == "nat",
            ) and one.table is not other.table:
                self.ties = self.ties or not (key_of(one) in known and key_of(other) in known)
        return found

    def known(self, hook: str) -> dict[str, int]:
        """Places of the chains in the kernel's own list, where that was read."""
        family = "ip" if self.family == 4 else "ip6"
        listed = (self.ruleset.hooks or {}).get((family, hook), ())
        return {name: at for at, name in enumerate(listed)}

    def through(self, hook: str, lanes: list[Lane], env: Env) -> tuple[list[End], list[Lane]]:
        """Lanes through a hook of IP."""
        chains = self.chains(hook, ("ip", "ip6", "inet"))
        stages: list[tuple[int, Stage]] = [(chain.priority, base(chain)) for chain in chains if chain.type != "nat"]
        if hook in {"prerouting", "output"}:
            stages.append((CONNTRACK, conntrack))
        if hook in NAT_AT:
            nat = [chain for chain in chains if chain.type == "nat"]
            stages.append((NAT_AT[hook], lambda there, here: translate(nat, hook, there, here)))
        stages.sort(key=lambda stage: stage[0])
        return self.staged([stage for _, stage in stages], lanes, env, hook)

    def below(self, hook: str, lanes: list[Lane], env: Env, device: str | None) -> tuple[list[End], list[Lane]]:
        """Lanes through ingress or egress of an interface, where neither conntrack nor routing has been."""
        chains = self.chains(hook, ("netdev", "inet"))
        mine = [chain for chain in chains if chain.devices is None or device is None or device in chain.devices]
        stages = [base(chain, sure=chain.devices is not None and device is not None) for chain in mine]
        return self.staged(stages, lanes, env, hook)

    def bridged(self, hook: str, lanes: list[Lane], env: Env) -> tuple[list[End], list[Lane]]:
        """Lanes through a hook of the bridge."""
        return self.staged([base(chain) for chain in self.chains(hook, ("bridge",))], lanes, env, hook)

    def staged(self, stages: Sequence[Stage], lanes: list[Lane], env: Env, hook: str) -> tuple[list[End], list[Lane]]:
        """One stage after the other."""
        env.hook = hook
        ended: list[End] = []
        for stage in stages:
            if not lanes:
                break
            ends, lanes = stage(lanes, env)
            ended += ends
        return ended, lanes


def key_of(chain: Chain) -> str:
    """A chain's name in the kernel's list of hooks."""
    table = chain.table
    if table.backend in {"iptables-legacy", "iptables-old"}:
        return f"{'ip6' if table.family == 'ip6' else 'ip'}table_{table.name}"
    return f"{table.family} {table.name} {chain.name}"


def base(chain: Chain, *, sure: bool = True) -> Stage:
    """A base chain as a stage. Where it isn't sure that it sees the packet (an unknown interface), passing it by is an
    end as good."""

    def stage(lanes: list[Lane], env: Env) -> tuple[list[End], list[Lane]]:
        aside: list[Lane] = []
        if not sure:
            doubt = Doubt(
                Why.QUERY, f"whether {chain.table.family} {chain.table.name} {chain.name} is bound to the interface"
            )
            aside = [lane.doubting(doubt, False) for lane in lanes]
            lanes = [lane.doubting(doubt, True) for lane in lanes]
        ended, on = enter(chain, lanes, env)
        final = [end for end in ended if end.verdict.kind is not Kind.ACCEPT]
        return final, merged([*aside, *on, *(end.lane for end in ended if end.verdict.kind is Kind.ACCEPT)])

    return stage


def enter(chain: Chain, lanes: list[Lane], env: Env) -> tuple[list[End], list[Lane]]:
    """A base chain with its policy: what ended (also by accept), and what its policy lets pass."""
    env.table = (chain.table.family, chain.table.name)
    ended, out = run(chain, lanes, env)
    policy = Step(env.hook, chain, None, f"policy {chain.policy}")
    if not chain.rules and chain.policy == "accept":
        return ended, out
    passed = [lane.noted(policy) for lane in out]
    if chain.policy == "accept":
        return ended, passed
    return [*ended, *(End(lane, Verdict(Kind.DROP), chain, None) for lane in passed)], []


# --------------------------------------------------------------------------- the kernel's own stages


def conntrack(lanes: list[Lane], _: Env) -> tuple[list[End], list[Lane]]:
    """Connection tracking: the packet gets its state and its connection's first tuple."""
    return [], merged(lane.with_packet(tracked(lane.packet)) for lane in lanes)


def tracked(packet: Packet) -> Packet:
    """A packet after conntrack. A packet that a rule kept from it stays untracked."""
    if not packet.tracked or packet.original is not None:
        return packet
    if packet.state_then in {"invalid", "untracked"}:
        return replace(packet, state=packet.state_then)
    first = packet.answers or Tuple4(packet.src, packet.sport, packet.dst, packet.dport)
    return replace(packet, state=packet.state_then, original=first)


def translate(chains: Sequence[Chain], hook: str, lanes: list[Lane], env: Env) -> tuple[list[End], list[Lane]]:
    """Address translation: a new connection asks the nat chains, an answer is turned back."""
    ended: list[End] = []
    done: list[Lane] = []
    asking: list[Lane] = []
    for lane in lanes:
        packet = lane.packet
        if packet.original is None:
            done.append(lane)
        elif packet.reply:
            done.append(lane.with_packet(turned_back(packet, hook)))
        elif packet.state != "new":
            done.append(lane)
        else:
            asking.append(lane)
    for chain in chains:
        if not asking:
            break
        ends, on = enter(chain, asking, env)
        ended += [end for end in ends if end.verdict.kind is not Kind.ACCEPT]
        passed = merged([*on, *(end.lane for end in ends if end.verdict.kind is Kind.ACCEPT)])
        asking = [lane for lane in passed if not lane.packet.status & NAT_DONE[hook]]
        done += [lane for lane in passed if lane.packet.status & NAT_DONE[hook]]
    return ended, merged([*done, *asking])


def turned_back(packet: Packet, hook: str) -> Packet:
    """An answer's addresses, as the client knows them: its destination early, its source late."""
    original = packet.original
    assert original is not None
    if hook in {"prerouting", "output"}:
        return replace(packet, dst=original.src, dport=original.sport)
    return replace(packet, src=original.dst, sport=original.dport)


# --------------------------------------------------------------------------- the kernel's list


def listed(text: str) -> Mapping[tuple[str, str], Sequence[str]]:
    """Reads `nft list hooks`: for each (family, hook) its chains in the order in which the kernel calls them."""
    found: dict[tuple[str, str], list[str]] = {}
    family = hook = ""
    for line in text.splitlines():
        if opened := re.match(r"\s*family (\S+)", line):
            family = opened[1]
        elif opened := re.match(r"\s*hook (\S+)", line):
            hook = opened[1]
        elif (entry := re.match(r"\s*[-+ ]?\d{6,}\s+chain (\S+ \S+ \S+)", line)) or (
            entry := re.match(r"\s*[-+ ]?\d{6,}\s+\S+ \[(ip6?table_\w+)\]", line)
        ):
            found.setdefault((family, hook), []).append(entry[1])
    return found
