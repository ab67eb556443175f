"""Which connection attempts of a capture somebody wants to see: by server, client, port, cause and state.

House rules of this file:
1. Selecting never changes a verdict: everything is diagnosed as if all were shown.
2. What is said twice of one kind means "either"; different kinds must all hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from ipaddress import ip_network

from netprobe.addresses import Network, parse_address
from netprobe.errors import UsageError
from netprobe.model import State, Verdict
from netprobe.ports import parse_ports

_BRACKETED = re.compile(r"\[(?P<address>[^\]]*)\](?::(?P<port>.*))?")
_PLAIN = re.compile(r"(?P<address>[^:\[]*)(?::(?P<port>[^:]*))?")
_BARE = re.compile(r"(?P<address>[^\[]*)")


@dataclass(frozen=True, slots=True)
class Place:
    """An address or a block of addresses, with one port or with all. A block without a zone holds those with one,
    too."""

    network: Network
    zone: str = ""
    port: int | None = None

    def holds(self, address: str, port: int) -> bool:
        """Whether this address (canonical text) and port are meant."""
        bare, _, zone = address.partition("%")
        if (self.port is not None and port != self.port) or (self.zone and zone != self.zone):
            return False
        parsed = parse_address(bare)
        return parsed is not None and parsed in self.network


def parse_place(text: str, option: str) -> Place:
    """`192.0.2.1`, `192.0.2.1:22`, `192.0.2.0/24`, `2001:db8::1`, `[2001:db8::1]:22`, `fe80::1%eth0`. UsageError."""
    advice = f"write {option} 192.0.2.1, {option} 192.0.2.1:22 or {option} 192.0.2.0/24"
    match = _BRACKETED.fullmatch(text) or _PLAIN.fullmatch(text) or _BARE.fullmatch(text)
    address, port = (match["address"], match.groupdict().get("port")) if match else ("", None)
    bare, percent, zone = address.partition("%")
    try:
        network = ip_network(bare, strict=False)
    except ValueError:
        raise UsageError(f"{option} {text}: not an address", advice) from None
    if percent and (not zone or network.version == 4):
        raise UsageError(f"{option} {text}: not an address", f"write {option} fe80::1%eth0")
    if port is None:
        return Place(network, zone)
    if not re.fullmatch("[0-9]{1,5}", port) or not 1 <= int(port) <= 65535:
        raise UsageError(f"{option} {text}: {port!r} is no port", "ports go from 1 to 65535")
    return Place(network, zone, int(port))


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Empty means everything."""

    servers: tuple[Place, ...] = ()
    clients: tuple[Place, ...] = ()
    ports: frozenset[int] = frozenset()
    causes: frozenset[str] = frozenset()
    states: frozenset[State] = frozenset()
    _known: dict[tuple[bool, str, int], bool] = field(default_factory=dict, compare=False, repr=False)

    @property
    def everything(self) -> bool:
        """Whether nothing is left out."""
        return not (self.servers or self.clients or self.ports or self.causes or self.states)

    def server(self, address: str | None, port: int) -> bool:
        """Whether attempts to this server may be wanted: known before any diagnosis."""
        if self.ports and port not in self.ports:
            return False
        return not self.servers or (address is not None and self._in(self.servers, False, address, port))

    def client(self, address: str | None, port: int) -> bool:
        """Likewise for this client."""
        return not self.clients or (address is not None and self._in(self.clients, True, address, port))

    def also(self, servers: Iterable[str]) -> Selection:
        """This selection with more servers."""
        more = tuple(parse_place(text, "--server") for text in servers)
        return replace(self, servers=self.servers + more, _known={}) if more else self

    def kind(self, like: Verdict) -> bool:
        """Whether verdicts of this cause and state may be wanted."""
        return (not self.causes or like.cause in self.causes) and (not self.states or like.state in self.states)

    def verdict(self, verdict: Verdict) -> bool:
        """Whether this verdict is wanted."""
        if not self.kind(verdict):
            return False
        client = verdict.client
        return self.server(verdict.address, verdict.port) and (
            not self.clients or (client is not None and self.client(client.address, client.port))
        )

    def _in(self, places: tuple[Place, ...], client: bool, address: str, port: int) -> bool:
        # Most attempts are to or from the same few; what is remembered stays bounded.
        key = (client, address, port)
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= 4096:
                self._known.clear()
            found = self._known[key] = any(place.holds(address, port) for place in places)
        return found


def select(
    *,
    servers: Iterable[str] = (),
    clients: Iterable[str] = (),
    ports: Iterable[str] = (),
    causes: Iterable[str] = (),
    states: Iterable[str] = (),
    known_causes: Iterable[str] = (),
) -> Selection:
    """The selection that these options of a command line mean. UsageError says what would be right."""
    return Selection(
        servers=tuple(parse_place(text, "--server") for text in servers),
        clients=tuple(parse_place(text, "--client-address") for text in clients),
        ports=frozenset(port for text in ports for port in parse_ports(text)),
        causes=frozenset(_word(text, "--cause", known_causes) for text in _words(causes)),
        states=frozenset(State(_word(text, "--state", [state.value for state in State])) for text in _words(states)),
    )


def _words(texts: Iterable[str]) -> list[str]:
    return [word.strip().lower() for text in texts for word in text.split(",")]


def _word(word: str, option: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches

    words = sorted(set(known))
    if word in words:
        return word
    near = get_close_matches(word, words, 3, 0.5)
    advice = f"did you mean {' or '.join(near)}?" if near else f"one of {', '.join(words)}"
    raise UsageError(f"{option} {word}: not known" if word else f"{option}: an empty entry", advice)
