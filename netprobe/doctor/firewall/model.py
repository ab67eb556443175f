"""The words of the walk: packets, rules, chains, tables; what is asked, and what comes of it.

House rules of this file:
1. Nothing here knows nft's or iptables' way of writing.
2. A Packet is a value: two lanes with equal packets are one.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from netprobe.doctor.firewall.values import Number, Span

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16


# What reading a damaged or invented expression can raise; it becomes a doubt.
UNREADABLE: tuple[type[Exception], ...] = (
    *(LookupError, TypeError, ValueError, AttributeError, AssertionError, ArithmeticError),
    *(RuntimeError, StopIteration),
)


class Tuple4(NamedTuple):
    """Addresses and ports of one direction."""

    src: Number
    sport: Number
    dst: Number
    dport: Number


@dataclass(frozen=True, slots=True)
class Packet:
    """What rules can see of a segment at one place. `iif` and `oif` are "" where there is none, None where unknown."""

    family: int
    src: Number
    dst: Number
    sport: Number
    dport: Number
    iif: str | None = ""
    oif: str | None = ""
    flags: int = SYN
    protocol: int = 6  # 1 or 58 for an ICMP error that answers
    icmp: tuple[int, int] | None = None
    state: str = "invalid"  # what rules see before conntrack
    state_then: str = "new"  # what conntrack finds
    status: int = 0
    mark: int | None = 0
    ctmark: int | None = 0
    tracked: bool = True
    noted: frozenset[str] = frozenset()  # sets that a rule on its way added it to
    original: Tuple4 | None = None  # the connection's first tuple, once conntrack saw the packet
    answers: Tuple4 | None = None  # of an answer before that: the first tuple of its connection
    reply: bool = False
    dscp: int | None = None
    changed: str = ""  # a field that a rule rewrote to something unknown


class Kind(StrEnum):
    """What a verdict says. The last two exist only as results."""

    ACCEPT = "accept"
    DROP = "drop"
    REJECT = "reject"
    JUMP = "jump"
    GOTO = "goto"
    RETURN = "return"
    QUEUE = "queue"
    STOLEN = "stolen"
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A verdict of a rule. `target` is the chain of a jump or goto; `reject` is what is sent: "tcp reset", or ICMP's
    (type, code). `note` is said of it in the path."""

    kind: Kind
    target: str = ""
    reject: str | tuple[int, int] = ""
    note: str = ""


ACCEPT, DROP, RETURN = Verdict(Kind.ACCEPT), Verdict(Kind.DROP), Verdict(Kind.RETURN)


class Why(StrEnum):
    """Why a test has two possible outcomes."""

    STATE = "state"  # depends on what came before, or on chance: a limit, a list of recent addresses, the hour
    QUERY = "query"  # depends on what wasn't said: the client's address, the interface
    UNKNOWN = "unknown"  # an expression that isn't read here, or a set that isn't known


@dataclass(frozen=True, slots=True)
class Doubt:
    """A test that can go both ways. `usual` is how it goes for the first SYN of a client from an
    address like most, where that is known."""

    why: Why
    about: str
    usual: bool | None = None


Test = bool | Doubt


def flipped(outcome: Test, *, negated: bool) -> Test:
    """The other way round where negated."""
    if isinstance(outcome, bool):
        return outcome != negated
    usual = None if outcome.usual is None else outcome.usual != negated
    return Doubt(outcome.why, outcome.about, usual)


@dataclass(frozen=True, slots=True)
class Turn:
    """One way that a rule can go: on with the packet (verdict None), or a verdict; and the doubts it rests on."""

    packet: Packet
    verdict: Verdict | None
    taken: tuple[tuple[Doubt, bool], ...] = ()
    note: str = ""


@dataclass(slots=True, eq=False)
class Chain:
    """A chain; a base chain where it has a hook."""

    table: Table
    name: str
    rules: list[Rule] = field(default_factory=list)
    hook: str = ""
    priority: int = 0
    type: str = "filter"
    policy: str = "accept"
    devices: tuple[str, ...] | None = None  # of netdev chains; None where the listing doesn't say
    order: int = 0  # in which the chains of the table were made
    handle: int | None = None


@dataclass(slots=True, eq=False)
class Table:
    """A table. `families` are the IP versions whose packets it sees."""

    family: str  # as nft says it: ip ip6 inet netdev bridge
    name: str
    backend: str  # nft, iptables-nft, iptables-legacy
    families: tuple[int, ...] = (4, 6)
    chains: dict[str, Chain] = field(default_factory=dict)
    dormant: bool = False
    order: int = 0  # in which they were made; among equal priorities the kernel calls the newest first

    @property
    def command(self) -> str:
        """The iptables command that shows it."""
        old = {"iptables-old": "iptables"}.get(self.backend, self.backend)
        return old.replace("iptables", "ip6tables") if self.family == "ip6" else old


@dataclass(slots=True, eq=False)
class Rule:
    """A rule: what it was read from, and where it stands."""

    chain: Chain
    number: int  # in its chain, from 1
    handle: int | None = None

    @property
    def text(self) -> str:
        """The rule as its user would write it."""
        raise NotImplementedError

    def turns(self, packet: Packet, env: Env) -> Sequence[Turn] | None:
        """What it does with a packet; None where it doesn't match or changes nothing."""
        raise NotImplementedError


@dataclass(slots=True)
class Ruleset:
    """Everything that was read. `problems` are texts that couldn't be: with them no walk is sure."""

    tables: list[Table] = field(default_factory=list)
    sets: dict[tuple[str, str, str], object] = field(default_factory=dict)  # (family, table, name) of nft's
    ipsets: Mapping[str, object] | None = None
    hooks: Mapping[tuple[str, str], Sequence[str]] | None = None  # (family, hook): chains in the kernel's order
    problems: list[str] = field(default_factory=list)
    cache: dict[tuple[int, str], Any] = field(default_factory=dict)  # sets in the form in which they are looked up


@dataclass(frozen=True, slots=True)
class Host:
    """The machine: its interfaces with "address/length" each, whether it forwards, its routes as (prefix, interface),
    the ports of its bridges. None is: not known."""

    interfaces: Mapping[str, Sequence[str]] = field(default_factory=dict)
    forwarding: Mapping[int, bool] | None = None  # by IP version
    routes: Sequence[tuple[str, str]] = ()
    bridges: Mapping[str, str] = field(default_factory=dict)  # port: bridge
    # What was read of the above: networks by IP version, routes by its negative.
    read: dict[int, list[tuple[str, int, int, int]]] = field(default_factory=dict, compare=False, repr=False)

    def networks(self, family: int) -> list[tuple[str, int, int, int]]:
        """(interface, address, first, last) of its own networks. What is no address is passed over."""
        if family not in self.read:
            self.read[family] = list(self._networks(family))
        return self.read[family]

    def _networks(self, family: int) -> Iterator[tuple[str, int, int, int]]:
        for name, addresses in self.interfaces.items():
            for text in addresses:
                with suppress(ValueError):
                    one = ipaddress.ip_interface(text)
                    if one.version == family:
                        net = one.network
                        yield name, int(one.ip), int(net.network_address), int(net.broadcast_address)

    def _routed(self, family: int) -> list[tuple[str, int, int, int]]:
        if -family not in self.read:
            self.read[-family] = []
            for text, name in self.routes:
                with suppress(ValueError):
                    everything = "0.0.0.0/0" if family == 4 else "::/0"
                    net = ipaddress.ip_network(everything if text == "default" else text)
                    if net.version == family:
                        low = int(net.network_address)
                        self.read[-family].append((name, low, low, int(net.broadcast_address)))
        return self.read[-family]

    def kind(self, family: int, address: Number) -> str | None:
        """local, broadcast, multicast, unspec or unicast, as the kernel's fib says it; None where it isn't known."""
        if isinstance(address, Span):
            return None
        own = self.networks(family)
        if any(address == mine for _, mine, _, _ in own):
            return "local"
        if family == 4:
            if address >> 24 == 127:
                return "local"
            if address in {0xFFFFFFFF, 0} or any(address in {low, high} and high - low > 1 for _, _, low, high in own):
                return "broadcast" if address else "unspec"
            return "multicast" if 224 <= address >> 24 < 240 else "unicast"
        return "local" if address == 1 else "multicast" if address >> 120 == 0xFF else "unicast"

    def interface_for(self, family: int, address: Number) -> str | None:
        """The interface towards an address: its own network's, else the longest route's; None: not known."""
        if isinstance(address, Span):
            return None
        ways = [(high - low, name) for name, _, low, high in self.networks(family) if low <= address <= high]
        ways += [(high - low, name) for name, _, low, high in self._routed(family) if low <= address <= high]
        return min(ways)[1] if ways else None


@dataclass(slots=True)
class Env:
    """Where a rule runs: the rules' sets, the machine, the hook."""

    ruleset: Ruleset
    host: Host
    hook: str = ""
    table: tuple[str, str] = ("", "")  # family and name of the table whose rule runs


@dataclass(frozen=True, slots=True)
class Query:
    """A SYN that arrives. Without a source the walk is for a client whose address no rule names; what the named ones
    get is `sometimes`. Without an interface it is guessed from the addresses, where that is safe."""

    destination: str
    port: int
    source: str | None = None
    interface: str | None = None
    source_port: int | None = None
    state: str = "new"


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the path: a base chain that is entered or ended, a rule that matched, a stage of the kernel's own."""

    hook: str
    chain: Chain | None
    rule: Rule | None
    what: str

    @property
    def where(self) -> str:
        """`inet filter input`, or the hook for a stage of the kernel's own."""
        chain = self.chain
        return f"{chain.table.family} {chain.table.name} {chain.name}" if chain else self.hook

    def __str__(self) -> str:
        if self.rule is None:
            return f"{self.hook}: {self.where}: {self.what}" if self.chain else f"{self.hook}: {self.what}"
        mark = f"handle {self.rule.handle}" if self.rule.handle is not None else f"rule {self.rule.number}"
        return f"{self.hook}: {self.where}: {self.rule.text}  ({mark}){': ' + self.what if self.what else ''}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One end that a packet can come to, and by which path. `rule` is None where a policy or the kernel decided."""

    kind: Kind
    reject: str | tuple[int, int]
    chain: Chain | None
    rule: Rule | None
    path: tuple[Step, ...]
    packet: Packet
    conditions: tuple[str, ...] = ()  # what it rests on that isn't certain

    @property
    def says(self) -> str:
        """`drop`, `reject with tcp reset`, `reject with icmp type 3 code 3`."""
        if self.kind is not Kind.REJECT:
            return str(self.kind)
        if isinstance(self.reject, str):
            return f"reject with {self.reject}"
        version = "icmp" if self.packet.family == 4 else "icmpv6"
        return f"reject with {version} type {self.reject[0]} code {self.reject[1]}"


@dataclass(frozen=True, slots=True)
class Walk:
    """What becomes of the SYN. `verdict` is accept, drop, reject or unsure. `sometimes` are the ends that only the
    state of limits, lists or the hour can bring; for unsure, `possible` are all ends and `reason` why none is certain.
    `destination` is (address, port) after DNAT; `forwarded` says that it isn't this machine's. `back` is the way of the
    answers: "syn-ack" and "rst" after accept, "reject" after reject."""

    verdict: Kind
    decided: Outcome
    reason: str = ""
    sometimes: tuple[Outcome, ...] = ()
    possible: tuple[Outcome, ...] = ()
    destination: tuple[str, int] | None = None
    forwarded: bool = False
    back: Mapping[str, Walk] = field(default_factory=dict)

    @property
    def reject(self) -> str | tuple[int, int]:
        """What a reject sends: "tcp reset", or ICMP's (type, code)."""
        return self.decided.reject

    @property
    def path(self) -> tuple[Step, ...]:
        """The way of the SYN."""
        return self.decided.path
