"""What a scenario is made of: its place in the network, its rules, its servers, and what a perfect tool would say.

House rules of this file:
1. Frozen dataclasses only; how they are brought about is in topology.py, the scenarios themselves in scenarios.py.
2. Node names: `target` is the scenario's own server, `box` the router before it, `backend` what it forwards to,
   `twin` a
   second machine with its address, `client` whoever scans; any other name is a node of the lab (r1, r2 ...).
3. In texts, `{target}` `{backend}` `{box}` `{twin}` `{ids}` stand for addresses of the family at hand, `{nobody}` for
   one
   beside the backend that no machine has, `{plen}` for 32 or 128.
"""

from __future__ import annotations

from dataclasses import dataclass, field

V4, V6 = 4, 6


@dataclass(frozen=True, slots=True)
class Rule:
    """One nftables rule. `hook`: raw (prerouting before everything), prenat, prenat_all (after it), input, forward,
    output,
    copy (forward, where `dup` is allowed), bridge (forward of a switch), or iptables: then `text` is a command line for
    iptables and ip6tables alike, and `key` is not used.

    `key` says which address of the packet must be the target's (`daddr`, `saddr`, or None for all traffic of the node).
    `text6` is the rule for IPv6 where it differs, empty for none."""

    node: str
    hook: str
    text: str
    text6: str | None = None
    key: str | None = "daddr"


@dataclass(frozen=True, slots=True)
class Route:
    """One `ip route add` (or another verb) on a node, e.g. `unreachable {target}/{plen}`."""

    node: str
    text: str
    text6: str | None = None
    verb: str = "add"


@dataclass(frozen=True, slots=True)
class Serve:
    """One server of services.py (or responders.py), or `sshd`, the real one. `options` go to it as they are."""

    kind: str
    port: int = 22
    node: str = "target"
    options: tuple[tuple[str, object], ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """An origin as the verdict should have it: a node (address and hop follow from it), or a pair of nodes that bound
    it
    (None where nothing beyond can be known), or with neither only the kind."""

    kind: str
    node: str | None = None
    between: tuple[str | None, str | None] | None = None


@dataclass(frozen=True, slots=True)
class Wire:
    """What one kernel-shaped SYN with TOS 0x48 to the port draws, and what a connection then hears.

    `answer`: SA, RA, R, A, S, icmp, silent, nothing (no SYN leaves either), or a name-server's word (NXDOMAIN ...).
    `tos` is that of the RST or ICMP error (None: not looked at). `codes` are the ICMP (type, code) for each family.
    `after_s` is the least delay of the answer. `hop` is where an answer's TTL says it comes from, counted from the
    client,
    where that isn't the sender's place (0: not looked at). `connect` is the errno name of a plain connect() ("" for
    success, None: not tried).
    `hears` is a regular expression for what an open connection says to a client that sends its identification;
    FIN, RST and SILENCE stand for themselves."""

    answer: str
    sender: str = "target"
    codes: tuple[tuple[int, int] | None, tuple[int, int] | None] = (None, None)
    tos: int | None = None
    after_s: float = 0.0
    hop: int | None = None
    connect: str | None = None
    connect6: str | None = None
    hears: str | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """A cause, brought about; and the verdict that is right for it.

    cause       the right verdict; `also` are equally right names for the same finding
    rivals      causes that may be named instead, if not as certain and with a right cause among the alternatives
    certainty   the best honest one; `allowed` are all acceptable ones (the best is always among them)
    alternatives  causes that must be named where the verdict is less than certain
    origin      acceptable places (any of them); empty: not checked
    site        lan: a server behind r2 (hop 3); box: one hop further, behind a box of its own; nat: a host behind r2
    that
                forwards to a backend; twin: a server, and a second machine with the same address; none: an address
                without
                a machine; name: only a name to look up
    clients     which client nodes may scan it: any of the identical ones, or this one
    arm         what must be done anew before each scan (limit, four-tuple); Lab.prepare does it
    real        False where packets are written by a program because no stock kernel can be brought to send them
    """

    name: str
    about: str
    cause: str
    state: str
    wire: Wire
    states: tuple[str, ...] = ()  # other acceptable ones
    certainty: str = "certain"
    allowed: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    rivals: tuple[str, ...] = ()
    alternatives: tuple[str, ...] = ()
    origin: tuple[Place, ...] = ()
    families: tuple[int, ...] = (V4, V6)
    port: int = 22
    options: tuple[str, ...] = ()
    client: str | None = None
    site: str = "lan"
    address: tuple[str, str] | None = None
    host: str | None = None  # the name to look up instead of an address
    rules: tuple[Rule, ...] = ()
    routes: tuple[Route, ...] = ()
    serves: tuple[Serve, ...] = ()
    sysctls: tuple[tuple[str, str, str], ...] = ()  # node, path below /proc/sys/net, value
    initial_ttl: int = 64
    box_mtu: int | None = None
    arm: str | None = None
    real: bool = True
    unreal_because: str = ""
    server_side: bool = False
    verdicts: tuple[str, ...] = field(
        default=()
    )  # a name with several addresses: the scenarios whose verdicts it gives

    @property
    def causes(self) -> tuple[str, ...]:
        """Every right name of the cause."""
        return (self.cause, *self.also)

    @property
    def certainties(self) -> tuple[str, ...]:
        """Every acceptable certainty."""
        return (self.certainty, *self.allowed)
