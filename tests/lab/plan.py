"""Where everything is: nodes, links, addresses, routes and rules of a lab, computed as text before anything is made.

    c0 c1 ..   dns ...                                        servers, boxes
        |  |    |                                              |   |   |
    ===[lan1]=============== r1 ====[wire]==== r2 ===========[lan2]=========   (in brackets: switches)
    192.0.2.0/24             |                 |             203.0.113.0/24
    2001:db8:1::/64         .1  198.51.100.0/30  .2          2001:db8:2::/64
                                2001:db8:12::/64

House rules of this file:
1. Nothing is done here; topology.py does it.
2. All addresses are documentation or benchmarking ranges (RFC 5737, 3849, 2544).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tests.lab.node import SWITCHES, Node
from tests.lab.scenario import V4, V6, Scenario
from tests.lab.scenarios import SCENARIOS

# Clients that differ from the others, and what stands beside them; made only where a scenario needs them.
EXTRA = {
    "c_noroute": 40,  # no default route
    "c_badgate": 41,  # a default gateway that does not exist
    "c_noport": 42,  # every ephemeral port is reserved
    "c_proxied": 0,  # behind gw, which answers for everybody
    "gw": 20,
    "ids": 30,  # r1 copies packets to it
}
ROLES = ("box", "backend", "twin")
GONE = 99  # the gateway of c_badgate, which does not exist


class Plan:
    """Nodes and links of a lab that holds `scenarios`."""

    def __init__(self, scenarios: Sequence[Scenario], clients: int = 4) -> None:
        self.scenarios = scenarios
        self.nodes: dict[str, Node] = {}
        self.links: list[tuple[str, str, str, str]] = []  # node, interface, node, interface
        self.clients = [f"c{index}" for index in range(clients)]
        self._ports = 0
        self._backbone()
        for index, name in enumerate(self.clients):
            self._client(name, 10 + index)
        for extra in self._extras():
            self._extra(extra)
        for scenario in scenarios:
            self._place(scenario)
        for scenario in scenarios:
            self._furnish(scenario)

    # ------------------------------------------------------------------ addresses

    def number(self, scenario: Scenario) -> int:
        """The last octet of a scenario's address: its place in the whole table, so that it doesn't depend on the
        choice; those that aren't in the table come after it."""
        if scenario in SCENARIOS:
            return 10 + SCENARIOS.index(scenario)
        others = [one for one in self.scenarios if one not in SCENARIOS]
        return 10 + len(SCENARIOS) + others.index(scenario)

    def address(self, scenario: Scenario, family: int) -> str:
        """The address that is dialled in a scenario."""
        if scenario.address:
            return scenario.address[0 if family == V4 else 1]
        number = self.number(scenario)
        return f"203.0.113.{number}" if family == V4 else f"2001:db8:2::{number}"

    def port_towards(self, switch: str, node: str) -> str:
        """The interface of a switch behind which a node is."""
        return next(port for one, _, other, port in self.links if (one, other) == (node, switch))

    def node_of(self, scenario: Scenario, role: str) -> str:
        """The node that `target`, `box` or `backend` means in a scenario; other names stand for themselves."""
        if role == "target":
            return scenario.name
        return f"{scenario.name}_{role}" if role in ROLES else role

    def words(self, scenario: Scenario) -> dict[int, dict[str, str]]:
        """What the placeholders of a scenario's texts stand for, by family."""
        found = {}
        for family in scenario.families:
            words = {"target": self.address(scenario, family), "plen": "32" if family == V4 else "128"}
            for role in ROLES:
                node = self.nodes.get(self.node_of(scenario, role))
                if node:
                    words[role] = node.addresses[family]
            number = self.number(scenario)
            words["nobody"] = f"198.18.{number}.3" if family == V4 else f"2001:db8:2:{number}::3"
            if "ids" in self.nodes:
                words["ids"] = self.nodes["ids"].addresses[family]
            found[family] = words
        return found

    # ------------------------------------------------------------------ the fixed part

    def _node(self, name: str, hop: int = 0, *, router: bool = False) -> Node:
        node = self.nodes[name] = Node(name, hop=hop, router=router)
        return node

    def _link(self, node: str, device: str, other: str) -> None:
        """A wire from a node's interface to a switch, or to `node:interface`."""
        self._ports += 1
        peer, _, port = other.partition(":")
        self.links.append((node, device, peer, port or f"p{self._ports}"))

    def _on_lan1(self, name: str, number: int, hop: int = 0) -> Node:
        node = self._node(name, hop)
        node.addresses = {V4: f"192.0.2.{number}", V6: f"2001:db8:1::{number}"}
        self._link(name, "eth0", "lan1")
        node.commands += [
            f"address add {node.addresses[V4]}/24 dev eth0",
            f"address add {node.addresses[V6]}/64 dev eth0",
        ]
        return node

    def _backbone(self) -> None:
        for name in SWITCHES:
            self._node(name)
        r1 = self._on_lan1("r1", 1, 1)
        r2 = self._node("r2", 2)
        r1.router = r2.router = True
        r2.addresses = {V4: "198.51.100.2", V6: "2001:db8:12::2"}
        self._link("r1", "eth1", "wire")
        self._link("r2", "eth0", "wire")
        self._link("r2", "eth1", "lan2")
        r1.commands += [
            "address add 198.51.100.1/30 dev eth1",
            "address add 2001:db8:12::1/64 dev eth1",
            "route add 203.0.113.0/24 via 198.51.100.2",
            "route add 198.18.0.0/16 via 198.51.100.2",
            "route add 2001:db8:2::/48 via 2001:db8:12::2",
        ]
        r2.commands += [
            "address add 198.51.100.2/30 dev eth0",
            "address add 2001:db8:12::2/64 dev eth0",
            "address add 203.0.113.1/24 dev eth1",
            "address add 2001:db8:2::1/64 dev eth1",
            "route add 192.0.2.0/24 via 198.51.100.1",
            "route add 2001:db8:1::/64 via 2001:db8:12::1",
        ]
        self._on_lan1("dns", 53).gateway("192.0.2.1", "2001:db8:1::1")

    def _client(self, name: str, number: int) -> None:
        self._on_lan1(name, number).gateway("192.0.2.1", "2001:db8:1::1")

    def _extras(self) -> list[str]:
        wanted = {scenario.client for scenario in self.scenarios if scenario.client in EXTRA}
        wanted |= {rule.node for scenario in self.scenarios for rule in scenario.rules if rule.node in EXTRA}
        if "c_proxied" in wanted:
            wanted.add("gw")
        return sorted(name for name in wanted if name)

    def _extra(self, name: str) -> None:
        if name == "c_proxied":
            node = self._node(name)
            node.addresses = {V4: "198.51.100.66", V6: "2001:db8:3::2"}
            self._link(name, "eth0", "gw:eth1")
            node.commands += ["address add 198.51.100.66/30 dev eth0", "address add 2001:db8:3::2/64 dev eth0"]
            node.gateway("198.51.100.65", "2001:db8:3::1")
            return
        node = self._on_lan1(name, EXTRA[name], 1 if name == "gw" else 0)
        if name == "c_badgate":
            node.gateway(f"192.0.2.{GONE}", f"2001:db8:1::{GONE}")
        elif name != "c_noroute":
            node.gateway("192.0.2.1", "2001:db8:1::1")
        if name == "c_noport":
            node.sysctls.append(("ipv4/ip_local_reserved_ports", "1-65535"))
        if name == "ids":
            node.router = True
        if name == "gw":
            node.router = True
            node.addresses = {V4: "198.51.100.65", V6: "2001:db8:3::1"}  # as the client behind it sees it
            node.commands += ["address add 198.51.100.65/30 dev eth1", "address add 2001:db8:3::1/64 dev eth1"]
            for router, by4, by6 in (("r1", "192.0.2.20", "2001:db8:1::20"), ("r2", "198.51.100.1", "2001:db8:12::1")):
                self.nodes[router].commands += [
                    f"route add 198.51.100.64/30 via {by4}",
                    f"route add 2001:db8:3::/64 via {by6}",
                ]

    # ------------------------------------------------------------------ the scenarios' own nodes

    def _place(self, scenario: Scenario) -> None:
        if scenario.site in ("none", "name"):
            return
        four, six = self.address(scenario, V4), self.address(scenario, V6)
        node = self._node(scenario.name, 4 if scenario.site == "box" else 3)
        node.addresses = {V4: four, V6: six}
        if scenario.initial_ttl != 64:
            node.sysctls.append(("ipv4/ip_default_ttl", str(scenario.initial_ttl)))
            node.sysctls += [
                (f"ipv6/conf/{which}/hop_limit", str(scenario.initial_ttl)) for which in ("all", "default")
            ]
        if scenario.site == "box":
            self._behind_box(scenario, node, four, six)
            return
        self._link(node.name, "eth0", "lan2")
        node.commands += [f"address add {four}/24 dev eth0", f"address add {six}/64 dev eth0"]
        node.gateway("203.0.113.1", "2001:db8:2::1")
        if scenario.site == "nat":
            self._backend(scenario, node)
        elif scenario.site == "twin":
            self._twin(scenario, four, six)

    def _behind_box(self, scenario: Scenario, node: Node, four: str, six: str) -> None:
        box = self._node(f"{scenario.name}_box", 3, router=True)
        number = self.number(scenario)
        box.addresses = {V4: f"198.18.{number}.1", V6: f"2001:db8:2:{number}::1"}
        self._link(box.name, "eth0", "lan2")
        self._link(node.name, "eth0", f"{box.name}:eth1")
        box.commands += [
            f"address add {box.addresses[V4]}/32 dev eth0",
            f"address add {box.addresses[V6]}/128 dev eth0",
            "address add fe80::1/64 dev eth1 nodad",
            f"route add {four}/32 dev eth1",
            f"route add {six}/128 dev eth1",
        ]
        box.gateway("203.0.113.1", "2001:db8:2::1")
        if scenario.box_mtu:  # last, for below 1280 it takes IPv6 away
            box.commands.append(f"link set eth0 mtu {scenario.box_mtu}")
        node.commands += [f"address add {four}/32 dev eth0", f"address add {six}/128 dev eth0"]
        node.gateway(box.addresses[V4], "fe80::1")
        self.nodes["r2"].commands += [
            f"route add {box.addresses[V4]}/32 dev eth1",
            f"route add {box.addresses[V6]}/128 dev eth1",
            f"route add {four}/32 via {box.addresses[V4]} dev eth1 onlink",
            f"route add {six}/128 via {box.addresses[V6]} dev eth1 onlink",
        ]

    def _backend(self, scenario: Scenario, node: Node) -> None:
        number = self.number(scenario)
        node.router = True
        backend = self._node(f"{scenario.name}_backend", 4)
        backend.addresses = {V4: f"198.18.{number}.2", V6: f"2001:db8:2:{number}::2"}
        self._link(backend.name, "eth0", f"{node.name}:eth1")
        node.commands += [
            f"address add 198.18.{number}.1/29 dev eth1",
            f"address add 2001:db8:2:{number}::1/64 dev eth1",
        ]
        backend.commands += [
            f"address add {backend.addresses[V4]}/29 dev eth0",
            f"address add {backend.addresses[V6]}/64 dev eth0",
        ]
        backend.gateway(f"198.18.{number}.1", f"2001:db8:2:{number}::1")

    def _twin(self, scenario: Scenario, four: str, six: str) -> None:
        """A second machine that believes to have the target's address; r2 must send it something for it to speak."""
        twin = self._node(f"{scenario.name}_twin", 3)
        twin.addresses = {V4: f"203.0.113.{254 - self._ports % 40}", V6: f"2001:db8:2::{self.number(scenario)}:2"}
        self._link(twin.name, "eth0", "lan2")
        twin.sysctls += [("ipv4/conf/all/arp_ignore", "1"), ("ipv4/ip_default_ttl", "128")]
        twin.sysctls += [(f"ipv6/conf/{which}/hop_limit", "128") for which in ("all", "default")]
        twin.commands += [
            f"address add {twin.addresses[V4]}/24 dev eth0",
            f"address add {twin.addresses[V6]}/64 dev eth0",
            f"address add {four}/32 dev lo",
            f"address add {six}/128 dev lo",
        ]
        twin.gateway("203.0.113.1", "2001:db8:2::1")

    def _furnish(self, scenario: Scenario) -> None:
        words = self.words(scenario)
        for role, path, value in scenario.sysctls:
            for name in self._meant(scenario, role):
                self.nodes[name].sysctls.append((path, value))
        for rule in scenario.rules:
            for name in self._meant(scenario, rule.node):
                self.nodes[name].rules.append((rule, words))
        for route in scenario.routes:
            for name in self._meant(scenario, route.node):
                for family in scenario.families:
                    text = route.text if family == V4 or route.text6 is None else route.text6
                    self.nodes[name].commands.append(f"route {route.verb} {text.format(**words[family])}")

    def _meant(self, scenario: Scenario, role: str) -> Iterable[str]:
        return self.clients if role == "client" else (self.node_of(scenario, role),)
