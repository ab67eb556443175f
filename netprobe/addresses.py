"""What an IP address tells by itself: whether it may be probed, whose it can be.

House rules of this file:
1. Pure, and about one address: no resolver, no route, no interface.
2. Every range has the RFC that reserved it.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def parse_address(text: str) -> Address | None:
    """The address that `text` is, or None."""
    try:
        return ip_address(text)
    except ValueError:
        return None


def refusal(address: Address) -> str | None:
    """Why nothing is ever sent to this address, or None."""
    if isinstance(address, IPv4Address):
        if address == IPv4Address("255.255.255.255"):
            return "the broadcast address"
        if address.is_multicast:
            return "a multicast address"
        if address in IPv4Network("240.0.0.0/4"):
            return "in the reserved class E"
        return "not the address of a host (this network)" if address in IPv4Network("0.0.0.0/8") else None
    if address.is_multicast:
        return "a multicast address"
    return "the unspecified address" if address.is_unspecified else None


_DOCUMENTATION = "is for documentation ({}): no machine on the internet has it"
_PRIVATE = "a private address (RFC 1918): another network, or a VPN that is down, has another machine there or none"
_LOOPBACK = "a loopback address: the machine that asks is the machine that answers"
_BENCHMARK = (
    "198.18.0.0/15 is for benchmarks (RFC 2544); in the wild it is mostly the made-up address that a local TUN proxy "
    "or VPN client hands out for a name, so an answer says nothing about the real machine"
)
_SHARED = (
    "a shared address behind the translation of a provider or an overlay network (RFC 6598): another network has other "
    "machines there"
)
_REMARKS: tuple[tuple[Network, str], ...] = tuple(
    (ip_network(block), remark)
    for block, remark in (
        ("198.18.0.0/15", _BENCHMARK),
        ("192.0.2.0/24", f"192.0.2.0/24 {_DOCUMENTATION.format('RFC 5737')}"),
        ("198.51.100.0/24", f"198.51.100.0/24 {_DOCUMENTATION.format('RFC 5737')}"),
        ("203.0.113.0/24", f"203.0.113.0/24 {_DOCUMENTATION.format('RFC 5737')}"),
        ("2001:db8::/32", f"2001:db8::/32 {_DOCUMENTATION.format('RFC 3849')}"),
        ("3fff::/20", f"3fff::/20 {_DOCUMENTATION.format('RFC 9637')}"),
        ("127.0.0.0/8", _LOOPBACK),
        ("::1/128", _LOOPBACK),
        (
            "169.254.0.0/16",
            "a link-local address (RFC 3927): reached only on its own link; often DHCP failed",
        ),
        ("fe80::/10", "a link-local address (RFC 4291): reached only on the link of the interface behind the %"),
        ("100.64.0.0/10", _SHARED),
        ("10.0.0.0/8", _PRIVATE),
        ("172.16.0.0/12", _PRIVATE),
        ("192.168.0.0/16", _PRIVATE),
        ("fc00::/7", "a unique local address (RFC 4193): reached only inside its own site or VPN"),
        ("64:ff9b::/96", "an IPv4 address behind a NAT64 translator (RFC 6052): errors may come from the translator"),
    )
)


# The ranges that there is something to say about; no address is in two of them.
SPECIAL = tuple(block for block, _ in _REMARKS)


def remarks(address: str) -> tuple[str, ...]:
    """What this address (canonical text) tells by itself: ranges in which the machine may not be the one meant."""
    parsed = parse_address(address.partition("%")[0])
    return tuple(remark for block, remark in _REMARKS if parsed is not None and parsed in block)
