"""Sends crafted probes: paced, each to the one machine its route names, or not at all.

House rules of this file:
1. The kernel decides where a packet goes (its route, its neighbour table); only the bytes are ours.
2. Past the local firewall on purpose: its verdict comes from the connect() beside. Our own addresses go through raw
   IP sockets, as does a route that adds a tunnel header.
3. What can't be sent becomes a BlockedFact; nothing raises, nothing waits.
"""

from __future__ import annotations

import contextlib
import errno
import socket
from collections import deque
from collections.abc import Callable

from netprobe.model import BlockedFact, Probe
from netprobe.wire import solicit, templates
from netprobe.wire.connections import scope
from netprobe.wire.neighbors import Hop, Neighborhood
from netprobe.wire.netlink import ETHERNET, Kernel, Link, Route

_REFUSED = {
    "no-route": "ENETUNREACH",
    "unreachable": "EHOSTUNREACH",
    "prohibited": "EACCES",
    "blackhole": "EINVAL",
    "broadcast": "EACCES",
    "multicast": "EACCES",
}
_AGAIN_NS = 2_000_000
_IPV6_HDRINCL = 36


class Bucket:
    """A token bucket: `rate` packets a second, bursts of a tenth of a second's worth."""

    def __init__(self, rate: float, now_ns: int) -> None:
        self._gap_ns = int(1e9 / rate)
        self._burst_ns = max(self._gap_ns, 100_000_000)
        self._next_ns = now_ns - self._burst_ns

    def take(self, now_ns: int) -> bool:
        """Whether one packet may go now."""
        if self._next_ns > now_ns:
            return False
        self._next_ns = max(self._next_ns, now_ns - self._burst_ns) + self._gap_ns
        return True

    def due_ns(self) -> int:
        """When the next packet may go."""
        return self._next_ns


class Sender:
    """Needs CAP_NET_RAW to open, and nothing afterwards. `device` holds all probes to one interface; `notice` is
    told of each next hop."""

    def __init__(
        self,
        kernel: Kernel,
        *,
        rate: float,
        now_ns: int,
        notice: Callable[[str], None],
        link: socket.socket,
        device: str | None = None,
    ) -> None:
        self._kernel = kernel
        self._device_index = socket.if_nametoindex(device) if device else 0
        self._bucket = Bucket(rate, now_ns)
        self._ready: deque[Probe] = deque()
        self._again_ns: int | None = None
        self._waiting: dict[Hop, list[Probe]] = {}
        self._blocked: list[BlockedFact] = []
        self._link = link
        with contextlib.ExitStack() as opened:
            self._raw4 = opened.enter_context(self._open(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW))
            self._raw6 = self._open_v6(opened)
            self.neighborhood = Neighborhood(kernel, self._ask, notice)
            opened.pop_all()

    @staticmethod
    def _open(family: int, kind: int, protocol: int) -> socket.socket:
        return socket.socket(family, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, protocol)

    def _open_v6(self, opened: contextlib.ExitStack) -> socket.socket | None:
        with contextlib.suppress(OSError):  # a kernel without IPv6
            raw = opened.enter_context(self._open(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW))
            raw.setsockopt(socket.IPPROTO_IPV6, _IPV6_HDRINCL, 1)
            return raw
        return None

    def close(self) -> None:
        """Close the raw sockets; what waits is forgotten. The link's socket is its owner's."""
        for opened in (self._raw4, self._raw6):
            if opened is not None:
                opened.close()

    def blocked(self) -> list[BlockedFact]:
        """The probes that could not leave since the last call."""
        found, self._blocked = self._blocked, []
        return found

    def submit(self, probe: Probe) -> None:
        """Queue a probe for the next `run`."""
        self._ready.append(probe)

    def due_ns(self) -> int | None:
        """When `run` has something to do."""
        search_ns = self.neighborhood.due_ns()
        times = [] if search_ns is None else [search_ns]
        if self._ready:
            times.append(max(self._bucket.due_ns(), self._again_ns or 0))
        return min(times, default=None)

    def run(self, now_ns: int) -> None:
        """Send what may go now."""
        self._settle(now_ns)
        if self._again_ns is not None and now_ns < self._again_ns:
            return
        self._again_ns = None
        while self._ready and not self._is_full() and self._bucket.take(now_ns):
            self._dispatch(self._ready.popleft(), now_ns)

    def _is_full(self) -> bool:
        """Whether the device's queue is full: then a moment's rest."""
        return self._again_ns is not None

    def _settle(self, now_ns: int) -> None:
        found, failed = self.neighborhood.settle(now_ns)
        for hop, link_address in found.items():
            for probe in self._waiting.pop(hop, ()):
                self._transmit(probe, hop[0], link_address, now_ns)
        for hop in failed:
            for probe in self._waiting.pop(hop, ()):
                self._block(probe, "EHOSTUNREACH", now_ns)

    def _dispatch(self, probe: Probe, now_ns: int) -> None:
        address, _, zone = probe.server.address.partition("%")
        try:
            index = scope(zone) or self._device_index
        except OSError:
            self._block(probe, "ENODEV", now_ns)
            return
        route = self._kernel.route(address, port=probe.server.port, oif=index)
        if route.outcome in _REFUSED:
            self._block(probe, _REFUSED[route.outcome], now_ns)
            return
        if route.outcome == "local" or route.encapsulated:
            self._transmit_raw(probe, route, now_ns)
            return
        self._dispatch_to_link(probe, route, route.gateway or address, now_ns)

    def _dispatch_to_link(self, probe: Probe, route: Route, hop: str, now_ns: int) -> None:
        self.neighborhood.use(route.ifindex, hop, now_ns)
        link_address = self.neighborhood.link_address(route.ifindex, hop, now_ns)
        if link_address is None:
            self._waiting.setdefault((route.ifindex, hop), []).append(probe)
        else:
            self._transmit(probe, route.ifindex, link_address, now_ns)

    def _transmit(self, probe: Probe, index: int, link_address: bytes, now_ns: int) -> None:
        link = self.neighborhood.links.get(index)
        if link is None:
            self._block(probe, "ENODEV", now_ns)
            return
        protocol = 0x86DD if ":" in probe.server.address else 0x0800
        try:
            self._link.sendto(templates.fill(probe, link.mtu), (link.name, protocol, 0, link.hardware, link_address))
        except OSError as error:
            self._refused(probe, error, now_ns)

    def _transmit_raw(self, probe: Probe, route: Route, now_ns: int) -> None:
        address, zone, _ = probe.server.address.partition("%")
        link = self.neighborhood.links.get(route.ifindex)
        packet = templates.fill(probe) if link is None else templates.fill(probe, link.mtu)
        try:
            if ":" not in address:
                self._raw4.sendto(packet, (address, 0))
            elif self._raw6 is not None:
                self._raw6.sendto(packet, (address, 0, 0, route.ifindex if zone else 0))
            else:
                self._block(probe, "EAFNOSUPPORT", now_ns)
        except OSError as error:
            self._refused(probe, error, now_ns)

    def _refused(self, probe: Probe, error: OSError, now_ns: int) -> None:
        if error.errno in (errno.EAGAIN, errno.ENOBUFS):  # the device's queue is full: a moment later
            self._ready.appendleft(probe)
            self._again_ns = now_ns + _AGAIN_NS
        else:
            self._block(probe, errno.errorcode.get(error.errno or 0, "EIO"), now_ns)

    def _block(self, probe: Probe, error: str, now_ns: int) -> None:
        self._blocked.append(
            BlockedFact(time_ns=now_ns, address=probe.server.address, port=probe.server.port, error=error)
        )

    def _ask(self, link: Link, hop: str) -> None:
        """Ask for a neighbour where the kernel doesn't: its own connect() was stopped by a filter on this machine."""
        if link.hardware != ETHERNET or len(link.address) != 6:
            return
        route = self._kernel.route(hop, oif=link.ifindex)
        if route.source is None or route.outcome != "ok":
            return
        with contextlib.suppress(OSError):  # then nobody answers, which is told
            if ":" in hop:
                source, wanted = (socket.inet_pton(socket.AF_INET6, a) for a in (route.source, hop))
                packet, group = solicit.neighbor_solicitation(link.address, source, wanted)
                self._link.sendto(packet, (link.name, 0x86DD, 0, ETHERNET, group))
            else:
                source, wanted = (socket.inet_aton(a) for a in (route.source, hop))
                request = solicit.arp_request(link.address, source, wanted)
                self._link.sendto(request, (link.name, 0x0806, 0, ETHERNET, b"\xff" * 6))
