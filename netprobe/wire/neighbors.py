"""Next hops: what the kernel knows of their link addresses, and asking for ourselves where it doesn't ask.

House rules of this file:
1. The kernel resolves; its connect() beside every probe makes it. Only where a local filter stops that connect() do
   we ask.
2. A probe never goes to a broadcast or multicast link address; a request for a neighbour does, as ARP and NDP want it.
3. Every change of a next hop in use is told once, as a NeighborFact.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable

from netprobe.model import Frame, LinkFact, NeighborFact
from netprobe.wire import netlink
from netprobe.wire.netlink import Kernel, Link, Neighbor

_ASK_AFTER_NS = 200_000_000
_ASK_EVERY_NS = 1_000_000_000
_MOST_REQUESTS = 3
_LONGEST_NS = 4_500_000_000  # the kernel gives up after 3.1 s
_POLL_NS = 100_000_000
Hop = tuple[int, str]  # interface index, address
Ask = Callable[[Link, str], None]


class _Search:
    """A next hop whose link address is wanted."""

    __slots__ = ("ask_ns", "asked", "kernel_tries", "look_ns", "since_ns")

    def __init__(self, now_ns: int) -> None:
        self.since_ns = now_ns
        self.look_ns = now_ns
        self.kernel_tries = False
        self.asked = 0
        self.ask_ns = 0


class Neighborhood:
    """The next hops and interfaces of a scan. `ask` sends an ARP or neighbour request through an interface (None where
    the wire can't); `notice` is told of each next hop on its first use."""

    def __init__(self, kernel: Kernel, ask: Ask | None = None, notice: Callable[[str], None] | None = None) -> None:
        self._kernel = kernel
        self._ask = ask
        self._notice = notice
        self.links = kernel.links()
        self._used: set[int] = set()
        self._told: dict[Hop, str | None] = {}
        self._addresses: dict[Hop, bytes] = {}  # heard in answers to our own requests
        self._searches: dict[Hop, _Search] = {}
        self._doubts: dict[Hop, _Search] = {}
        self._facts: list[NeighborFact | LinkFact] = []

    def facts(self) -> list[NeighborFact | LinkFact]:
        """What changed since the last call."""
        found, self._facts = self._facts, []
        return found

    def use(self, index: int, hop: str, now_ns: int) -> None:
        """From now on tell of changes of this interface and this next hop. Where the kernel only remembers it, ask:
        it would take eight seconds to notice that a machine is gone."""
        self._used.add(index)
        if (index, hop) not in self._told:
            if self._notice is not None:
                self._notice(hop)
            entry = self._kernel.neighbor(index, hop)
            known = entry is not None and entry.state & netlink.VALID_STATES
            self._told[index, hop] = "reachable" if known else None
            if self._ask is not None and entry is not None and entry.state & netlink.DOUBTFUL_STATES:
                self._doubts[index, hop] = _Search(now_ns)

    def hear(self, news: Iterable[Link | Neighbor], now_ns: int) -> None:
        """Take in what the kernel announced."""
        for item in news:
            if isinstance(item, Link):
                self._hear_link(item, now_ns)
            elif (item.ifindex, item.address) in self._told and item.state != 0:  # a deleted entry says nothing
                self._hear_neighbor(item, now_ns)

    def hear_frame(self, frame: Frame, index: int) -> None:
        """Take in the answer to a request of our own: an ARP reply or a neighbour advertisement (SLL2 frame)."""
        if not (self._searches or self._doubts) or frame.outgoing:
            return
        found = _advertised(frame.data)
        if found is None:
            return
        hop = (index, found[0])
        self._doubts.pop(hop, None)
        if hop in self._searches:
            self._addresses[hop] = found[1]

    def link_address(self, index: int, hop: str, now_ns: int) -> bytes | None:
        """The link address of a next hop; None starts a search, whose end `settle` tells. Empty where links have
        none."""
        link = self.links.get(index)
        if link is not None and (link.flags & netlink.NO_ARP or not link.address):
            return bytes(len(link.address))
        entry = self._kernel.neighbor(index, hop)
        found = _usable(entry) or self._addresses.get((index, hop))
        if found is None and (index, hop) not in self._searches:
            self._searches[index, hop] = _Search(now_ns)
        return found

    def due_ns(self) -> int | None:
        """When `settle` has something to do."""
        searches = [s.look_ns for s in self._searches.values()]
        return min([*searches, *(s.ask_ns for s in self._doubts.values())], default=None)

    def settle(self, now_ns: int) -> tuple[dict[Hop, bytes], list[Hop]]:
        """The searches that ended: found link addresses, and next hops that don't answer."""
        self._settle_doubts(now_ns)
        found: dict[Hop, bytes] = {}
        failed: list[Hop] = []
        for hop, search in self._searches.items():
            address = self._addresses.get(hop)
            if address is None and now_ns >= search.look_ns:
                address = self._look(hop, search, now_ns)
            if address:
                found[hop] = address
                self._tell(hop, "reachable", address, now_ns)
            elif address is not None or now_ns - search.since_ns > _LONGEST_NS:
                failed.append(hop)
                self._tell(hop, "failed", None, now_ns)
        for hop in [*found, *failed]:
            del self._searches[hop]
        return found, failed

    def _settle_doubts(self, now_ns: int) -> None:
        """Ask those that the kernel only remembers; tell of those that don't answer."""
        for hop, search in list(self._doubts.items()):
            if now_ns < search.ask_ns:
                continue
            link = self.links.get(hop[0])
            entry = self._kernel.neighbor(*hop) if search.asked else None
            if link is None or self._ask is None or (entry is not None and entry.state & netlink.SURE_STATES):
                del self._doubts[hop]
            elif search.asked < _MOST_REQUESTS:
                self._ask(link, hop[1])
                search.asked += 1
                search.ask_ns = now_ns + _ASK_EVERY_NS
            else:
                del self._doubts[hop]
                self._tell(hop, "failed", None, now_ns)

    def _look(self, hop: Hop, search: _Search, now_ns: int) -> bytes | None:
        """The link address of a next hop, empty when it failed, None when it is too early to say."""
        search.look_ns = now_ns + _POLL_NS
        entry = self._kernel.neighbor(*hop)
        address = _usable(entry)
        if address is not None:
            return address
        word = entry.word if entry is not None else None
        if word == "incomplete":
            search.kernel_tries = True
            self._tell(hop, "incomplete", None, now_ns)
            return None
        if word == "failed" and search.kernel_tries:
            return b""
        return self._ask_ourselves(hop, search, now_ns)

    def _ask_ourselves(self, hop: Hop, search: _Search, now_ns: int) -> bytes | None:
        if now_ns - search.since_ns < _ASK_AFTER_NS or now_ns < search.ask_ns:
            return None
        link = self.links.get(hop[0])
        if search.asked >= _MOST_REQUESTS or self._ask is None or link is None:
            return b""
        if search.asked == 0:
            self._tell(hop, "incomplete", None, now_ns)
        self._ask(link, hop[1])
        search.asked += 1
        search.ask_ns = now_ns + _ASK_EVERY_NS
        return None

    def _hear_link(self, link: Link, now_ns: int) -> None:
        before = self.links.get(link.ifindex)
        self.links[link.ifindex] = link
        if link.ifindex in self._used and before is not None and before.up != link.up:
            state = "up" if link.up else "down"
            self._facts.append(LinkFact(time_ns=now_ns, interface=link.name or before.name, state=state))

    def _hear_neighbor(self, entry: Neighbor, now_ns: int) -> None:
        hop = (entry.ifindex, entry.address)
        if hop in self._searches:
            self._searches[hop].look_ns = now_ns
            self._searches[hop].kernel_tries |= entry.word == "failed"
        self._tell(hop, entry.word, entry.link_address, now_ns)

    def _tell(self, hop: Hop, state: str, link_address: bytes | None, now_ns: int) -> None:
        if self._told.get(hop) == state:
            return
        self._told[hop] = state
        text = link_address.hex(":") if link_address and state == "reachable" else None
        self._facts.append(NeighborFact(time_ns=now_ns, address=hop[1], state=state, link_address=text))


def _usable(entry: Neighbor | None) -> bytes | None:
    if entry is None or not entry.state & netlink.VALID_STATES or not entry.link_address:
        return None
    return None if entry.link_address[0] & 1 and len(entry.link_address) == 6 else entry.link_address


def _advertised(data: bytes) -> tuple[str, bytes] | None:
    """The address and link address that an ARP reply or a neighbour advertisement tells (data: SLL2 header, then the
    packet)."""
    protocol, packet = data[0:2], data[20:]
    if protocol == b"\x08\x06" and packet[6:8] == b"\x00\x02" and len(packet) >= 28:
        link_address, address = packet[8:14], socket.inet_ntop(socket.AF_INET, packet[14:18])
    elif (
        protocol == b"\x86\xdd" and packet[6:7] == b"\x3a" and packet[40:41] == b"\x88" and packet[64:66] == b"\x02\x01"
    ):
        if packet[7] != 255 or len(packet) < 72:
            return None
        link_address, address = packet[66:72], socket.inet_ntop(socket.AF_INET6, packet[48:64])
    else:
        return None
    return None if link_address[0] & 1 else (address, link_address)
