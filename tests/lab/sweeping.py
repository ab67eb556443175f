"""A network of thousands of addresses to sweep: parts that are open, closed, reset, rejected in three ways, and silent.

    c ---- r ---- t     t owns every address (AnyIP); r routes, and rejects two parts
    |      +----- s     s listens on the part that is open
    i                   i forges answers

House rules of this file:
1. Addresses of 198.18.0.0/15 and 2001:db8::/32 only; nothing of the machine's own namespace is touched.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple, Self

from tests.lab import netns
from tests.ssh_servers import kexinit, rude

CLIENT, CLIENT_6 = "192.0.2.1", "2001:db8:ff:1::1"
PORT = 22
PATIENCE_S = 30


class Part(NamedTuple):
    """A part of the network: what a sweep must say of each of its addresses, and what the full diagnosis finds out
    where that is more."""

    state: str
    cause: str
    diagnosed: str = ""

    def holds(self, line: dict[str, Any]) -> bool:
        """Whether a verdict (a JSON line) is true."""
        cause = self.diagnosed if self.diagnosed and line["basis"] == "scan" else self.cause
        return bool((line["state"], line["cause"]) == (self.state, cause))


PARTS = (
    Part("open", "up"),
    Part("closed", "no-listener"),
    Part("closed", "reset-by-host-firewall"),
    Part("filtered", "rejected-by-host"),
    Part("filtered", "rejected-on-path"),
    Part("filtered", "host-unreachable", "rejected-on-path"),  # a rule's word: it comes at once
    Part("filtered", "host-silent"),
)
OPEN, CLOSED, RESET, REJECTED, PROHIBITED, UNREACHABLE, SILENT = range(len(PARTS))


class Network:
    """Each part has `share` addresses (a power of two). `limited`: ICMP errors keep their usual limit."""

    def __init__(self, share: int, *, limited: bool = False) -> None:
        self.share = share
        self.limited = limited
        self.prefix = f"np{os.getpid():06x}y-"
        self._opened = ExitStack()

    # ------------------------------------------------------------------ addresses

    def block(self, part: int, version: int = 4) -> str:
        """A part as a CIDR block."""
        return str(self._network(part, version))

    def _network(self, part: int, version: int) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
        bits = self.share.bit_length() - 1
        if version == 4:
            return ipaddress.IPv4Network((int(ipaddress.IPv4Address("198.18.0.0")) + part * self.share, 32 - bits))
        return ipaddress.IPv6Network((int(ipaddress.IPv6Address("2001:db8:5::")) + (part << 64), 128 - bits))

    def truth(self, version: int = 4) -> dict[str, Part]:
        """What every address is."""
        parts = list(PARTS)
        if version == 6:  # for an address that is AnyIP's, Linux sends ICMPv6 errors from another one of its own
            parts[REJECTED] = PARTS[PROHIBITED]
        return {str(one): part for n, part in enumerate(parts) for one in self._network(n, version)}

    # ------------------------------------------------------------------ life

    def name(self, node: str) -> str:
        """The namespace of a node."""
        return self.prefix + node

    def __enter__(self) -> Self:
        try:
            self._build()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()
        netns.remove(self.prefix)

    def _build(self) -> None:
        nodes = ("c", "r", "t", "s", "i")
        netns.ip_batch([f"netns add {self.name(node)}" for node in nodes])
        for node in nodes:
            netns.ip_batch(["link set lo up"], self.name(node))
        for n, (a, b) in enumerate((("c", "r"), ("r", "t"), ("r", "s"), ("i", "c")), 1):
            self._link(n, a, b)
        for node in nodes:
            netns.sysctl(self.name(node), self._settings())
        netns.ip_batch(["route add default via 192.0.2.2", "route add default via 2001:db8:ff:1::2"], self.name("c"))
        netns.ip_batch(["route add default via 192.0.2.14", "route add default via 2001:db8:ff:4::2"], self.name("i"))
        routes = ["route add 198.18.0.0/15 via 192.0.2.6", "route add 2001:db8:5::/48 via 2001:db8:ff:2::2"]
        for version, gateway in ((4, "192.0.2.10"), (6, "2001:db8:ff:3::2")):
            routes.append(f"route add {self.block(OPEN, version)} via {gateway}")
        netns.ip_batch(routes, self.name("r"))
        for node, gateway, gateway6 in (("t", "192.0.2.5", "2001:db8:ff:2::1"), ("s", "192.0.2.9", "2001:db8:ff:3::1")):
            netns.ip_batch(
                [
                    f"route add default via {gateway}", f"route add default via {gateway6}",
                    "route add local 198.18.0.0/15 dev lo", "route add local 2001:db8:5::/48 dev lo",
                ],
                self.name(node),
            )  # fmt: skip
        self._filter()
        self._listen()
        self._await()

    def _await(self) -> None:
        """Until every machine has found its neighbours: IPv6 takes a second to trust a new link."""
        for address in ("192.0.2.6", "192.0.2.10", "2001:db8:ff:2::2", "2001:db8:ff:3::2"):
            for _ in range(PATIENCE_S):
                if not self.run("c", ["ping", "-c1", "-W1", "-q", address], stdout=subprocess.DEVNULL).returncode:
                    break
            else:
                raise netns.LabError(f"{address} can't be reached")

    def _link(self, n: int, a: str, b: str) -> None:
        first, names = 4 * (n - 1) + 1, (self.name(a), self.name(b))
        netns.ip_batch([f"link add l{n}a netns {names[0]} type veth peer name l{n}b netns {names[1]}"])
        for side, (name, end) in enumerate(zip(names, "ab", strict=True)):
            netns.ip_batch(
                [
                    f"addr add 192.0.2.{first + side}/30 dev l{n}{end}",
                    f"addr add 2001:db8:ff:{n}::{side + 1}/64 dev l{n}{end} nodad",
                    f"link set l{n}{end} up",
                ],
                name,
            )

    def _settings(self) -> Iterator[tuple[str, str]]:
        yield from (("ipv4/ip_forward", "1"), ("ipv6/conf/all/forwarding", "1"), ("ipv4/conf/all/rp_filter", "0"))
        yield from (("ipv4/conf/default/rp_filter", "0"), ("ipv4/tcp_max_syn_backlog", "65536"))
        if not self.limited:
            yield from (("ipv4/icmp_ratelimit", "0"), ("ipv4/icmp_ratemask", "0"))
            yield from (("ipv6/icmp/ratelimit", "0"), ("ipv6/icmp/ratemask", "\n"))

    def _filter(self) -> None:
        rules = {
            "t": (
                (RESET, "reject with tcp reset"),
                (REJECTED, "reject with icmpx port-unreachable"),
                (SILENT, "drop"),
            ),
            "r": (
                (PROHIBITED, "reject with icmpx admin-prohibited"),
                (UNREACHABLE, "reject with icmpx host-unreachable"),
            ),
        }
        for node, parts in rules.items():
            hook = "input" if node == "t" else "forward"
            lines = [
                f"{'ip' if version == 4 else 'ip6'} daddr {self.block(part, version)} {action}"
                for part, action in parts
                for version in (4, 6)
            ]
            body = "\n".join(lines)
            chain = f"chain c {{\ntype filter hook {hook} priority 0;\n{body}\n}}"
            netns.nft(self.name(node), f"table inet f {{\n{chain}\n}}\n")

    def _listen(self) -> None:
        with netns.entered(self.name("s")):
            listener = socket.socket(socket.AF_INET6)
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(("::", PORT))
        listener.listen(4096)
        self._opened.enter_context(rude(_greet, listener))

    # ------------------------------------------------------------------ use

    def argv(self, node: str, argv: Sequence[str]) -> list[str]:
        """A command as it runs in a node."""
        return ["ip", "netns", "exec", self.name(node), *argv]

    def run(self, node: str, argv: Sequence[str], **more: Any) -> subprocess.CompletedProcess[str]:
        """Run a command in a node."""
        return subprocess.run(self.argv(node, argv), text=True, check=False, **more)

    def forging(self, count: int, seconds: float) -> threading.Thread:
        """A thread, begun already, that sends so many forged answers to the client, spread over these seconds."""
        thread = threading.Thread(target=self._forge, args=(count, seconds))
        thread.start()
        return thread

    def _forge(self, count: int, seconds: float) -> None:
        """SYN-ACKs, resets and ICMP errors in the addresses' names, with every number but the secret ones right."""
        import numpy as np

        from netprobe.prober import FIRST_SOURCE_PORT, SOURCE_PORTS
        from netprobe.wire.bulk import Bulk
        from tests.packets import Segment, icmp_error

        with netns.entered(self.name("i")):
            bulk = Bulk(4)
        random = np.random.default_rng(1)
        from netprobe.model import Endpoint

        low = int(ipaddress.IPv4Address("198.18.0.0"))
        kinds: dict[int, list[bytes]] = {}
        for n in range(3000):
            address = str(ipaddress.IPv4Address(low + int(random.integers(len(PARTS) * self.share))))
            port = FIRST_SOURCE_PORT + int(random.integers(SOURCE_PORTS))
            server, client = Endpoint(address, PORT), Endpoint(CLIENT, port)
            number = int(random.integers(1 << 32))
            if n % 3 == 0:
                sent = Segment(src=client, dst=server, flags="S", seq=number)
                packet = icmp_error(address if n % 2 else "192.0.2.2", CLIENT, 3, 13, sent.packet(), 63, 0, None)
            else:
                flags = "SA" if n % 3 == 1 else "RA"
                packet = Segment(src=server, dst=client, flags=flags, seq=0, ack=number, ttl=63, ip_id=0).packet()
            kinds.setdefault(len(packet), []).append(packet)
        rows = [np.frombuffer(b"".join(one), dtype=np.uint8).reshape(len(one), -1) for one in kinds.values()]
        begun, done = time.monotonic(), 0
        while done < count:
            for packets in rows:
                time.sleep(max(0.0, begun + seconds * done / count - time.monotonic()))
                done += max(bulk.send(packets[: count - done])[0], 1)
        bulk.close()


def _greet(talk: socket.socket) -> None:
    """What `rude` says after its name: enough to pass for SSH, until the client leaves."""
    talk.sendall(kexinit())
    while talk.recv(4096):
        pass
