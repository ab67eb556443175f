"""What a person types as target, port list or exclude list, understood or refused with what would be right.

House rules of this file:
1. Pure: text in, data out. No file, no resolver, no socket.
2. Nothing is guessed: what is ambiguous is refused, and the message shows what would be right.
3. Addresses come out in canonical text (RFC 5952 for IPv6, an optional %zone behind it).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_network
from itertools import product

from netprobe.addresses import Address, Network, parse_address, refusal
from netprobe.errors import UsageError
from netprobe.ports import SERVICES

DEFAULT_PORT = 22
PAIRS_WITHOUT_CONSENT = 1024
PAIRS_AT_MOST = 1_000_000

# What --expect takes: `any` service, or one that names itself.
EXPECTATIONS = ("ssh", "any", "http", "tls", "smtp", "ftp", "imap", "pop3", "telnet", "rfb", "mysql")


@dataclass(frozen=True, slots=True)
class Target:
    """One host to look at. `text` is what the person typed (for a block: the one address). `port`, `expect` and `user`
    are None where the text doesn't say; `alias` is the name that ssh_config knows a host by, where that is another."""

    text: str
    host: str
    port: int | None = None
    expect: str | None = None
    user: str | None = None
    alias: str | None = field(default=None, compare=False)

    @property
    def is_address(self) -> bool:
        """The host is an address already: nothing to resolve."""
        return parse_address(self.host) is not None


def expectation(port: int, target: Target, asked: str | None) -> str:
    """What should answer: what was asked for, else what the target says, else SSH on 22 and any service elsewhere."""
    return asked or target.expect or ("ssh" if port == DEFAULT_PORT else "any")


def ports_of(target: Target, ports: Sequence[int] | None) -> tuple[int, ...]:
    """The ports to look at: a port in the target itself wins over the list, and 22 is the last resort."""
    if target.port is not None:
        return (target.port,)
    return tuple(ports) if ports else (DEFAULT_PORT,)


# --------------------------------------------------------------------------- targets


def expand(
    texts: Iterable[str],
    *,
    ports: Sequence[int] | None = None,
    families: Sequence[int] = (4, 6),
    exclude: Sequence[Network] = (),
    consent: bool = False,
    zone: str | None = None,
) -> tuple[Target, ...]:
    """All targets of a command line, each once, without the excluded ones.

    `zone` completes link-local addresses that name no interface. Raises UsageError when a text can't be understood,
    when more than 1,024 pairs of address and port come together without `consent`, and when nothing is left.
    """
    found: dict[Target, None] = {}
    pairs = 0
    for text in texts:
        count, block = parse(text, zone=zone)
        _check_pairs(pairs + count, consent)  # before the block is walked: it may be most of the internet
        first = next(block, None)
        if first is None:
            raise UsageError(f"{text}: no address in it is ever probed", "name the addresses of hosts")
        _check_family(first, families)
        pairs += count * len(ports_of(first, ports))
        _check_pairs(pairs, consent)
        found[first] = None
        found.update(dict.fromkeys(block))
    if not found:
        raise UsageError("no target given", "name a host, as in: netprobe scan 192.0.2.1")
    kept = tuple(target for target in found if not is_excluded(target.host, exclude))
    if not kept:
        raise UsageError("every target is on the exclude list", "name another target, or take it off the list")
    return kept


def _check_family(target: Target, families: Sequence[int]) -> None:
    address = parse_address(target.host)
    if address is not None and address.version not in families:
        asked = families[0]
        raise UsageError(
            f"{target.text}: an IPv{address.version} address, but -{asked} asks for IPv{asked}", f"leave out -{asked}"
        )


def _check_pairs(pairs: int, consent: bool) -> None:
    if pairs > PAIRS_AT_MOST:
        raise UsageError(
            f"more than {PAIRS_AT_MOST:,} pairs of address and port",
            "split the scan into smaller blocks or fewer ports",
        )
    if pairs > PAIRS_WITHOUT_CONSENT and not consent:
        raise UsageError(
            f"more than {PAIRS_WITHOUT_CONSENT:,} pairs of address and port ({pairs:,} so far)",
            "narrow it down, or add --yes if you mean it",
        )


def parse(text: str, *, zone: str | None = None) -> tuple[int, Iterator[Target]]:
    """One TARGET: how many hosts it stands for, and these hosts (lazily: a block can be huge).

    Forms: name, IPv4, IPv6, v6%zone, [v6], CIDR, octet ranges, each with :port where no colon is in the way; user@host;
    ssh://user@host:port.
    """
    rest, user, expect = text.strip(), None, None
    if not rest:
        raise UsageError("an empty target", "name a host, as in: netprobe scan 192.0.2.1")
    if "://" in rest:
        rest, expect = _of_url(text), "ssh"
    if "@" in rest:
        user, _, rest = rest.rpartition("@")
        user, expect = user.partition(":")[0] or None, "ssh"
    host, port = _split_port(rest, text)
    count, hosts = _hosts(host, text, zone)
    if count == 1:
        return 1, (Target(text, one, port, expect, user) for one in hosts)
    tail = "" if port is None else f":{port}"
    return count, (Target(_join(one, tail), one, port, expect, user) for one in hosts)


def _join(host: str, tail: str) -> str:
    return f"[{host}]{tail}" if tail and ":" in host else host + tail


def _of_url(text: str) -> str:
    scheme, _, rest = text.strip().partition("://")
    rest = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if scheme.lower() != "ssh":
        known = SERVICES.get(scheme.lower())
        host = rest.rpartition("@")[2] or "HOST"
        right = host if re.search(r":\d+$", host) or known is None else f"{host}:{known}"
        raise UsageError(f"{text}: only ssh:// addresses are understood", f"write {right}")
    return rest


def _split_port(rest: str, text: str) -> tuple[str, int | None]:
    """Host and port of `host`, `host:port`, `[v6]`, `[v6]:port` or a bare IPv6 address."""
    if rest.startswith("["):
        host, bracket, tail = rest[1:].partition("]")
        if not bracket or (tail and not tail.startswith(":")) or ":" not in host:
            raise UsageError(f"{text}: the brackets don't hold an IPv6 address", "write [2001:db8::1]:22")
        return host, _port(tail[1:], text) if tail else None
    if rest.count(":") != 1:
        return rest, None
    host, _, port = rest.partition(":")
    return host, _port(port, text)


def _port(digits: str, text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,6}", digits) or not 1 <= int(digits) <= 65535:
        wrong = f"{digits!r} is no port number" if digits else "no port after the colon"
        raise UsageError(f"{text}: {wrong}", "ports go from 1 to 65535, as in 192.0.2.1:2222")
    return int(digits)


_OCTETS = re.compile(r"[0-9,*-]+(\.[0-9,*-]+)+")
_NAME = re.compile(
    r"(?=.{1,253}\.?\Z)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*\.?",
    re.IGNORECASE,
)


def _hosts(host: str, text: str, zone: str | None) -> tuple[int, Iterator[str]]:
    if "/" in host:
        return _of_block(host, text)
    address = parse_address(host)
    if address is not None:
        return 1, iter((_checked(address, text, zone),))
    if ":" in host:
        raise UsageError(f"{text}: not an IPv6 address", "write it as 2001:db8::1, with a port as [2001:db8::1]:22")
    if _OCTETS.fullmatch(host):
        return _of_octets(host, text)
    return 1, iter((_name(host, text),))


def _checked(address: Address, text: str, zone: str | None) -> str:
    """Canonical text of one address that may be probed."""
    reason = refusal(address)
    if reason:
        raise UsageError(f"{text}: {reason}, it is never probed", "name the address of one host")
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            raise UsageError(f"{text}: an IPv4 address in IPv6 clothes", f"write {address.ipv4_mapped}")
        if address.is_link_local and not address.scope_id:
            if not zone:
                raise UsageError(
                    f"{text}: a link-local address needs its interface", f"write {address}%eth0, or add -i eth0"
                )
            return f"{address}%{zone}"
    return str(address)


def _of_block(host: str, text: str) -> tuple[int, Iterator[str]]:
    base, _, length = host.partition("/")
    if parse_address(base) is None:
        raise UsageError(f"{text}: a prefix length needs an address before it", "write 192.0.2.0/24 or 2001:db8::/120")
    try:
        block = ip_network(host, strict=False)
    except ValueError:
        longest = 128 if ":" in base else 32
        raise UsageError(
            f"{text}: {length!r} is no prefix length", f"it goes from 0 to {longest}, as in {base}/{longest - 8}"
        ) from None
    reason = refusal(block.network_address) if block.prefixlen else None
    if reason:
        raise UsageError(f"{text}: {reason}, it is never probed", "name the addresses of hosts")
    if isinstance(block, IPv4Network) and not block.prefixlen:
        # 16 million addresses at a time that are never probed take no step each.
        parts = (part for part in block.subnets(new_prefix=8) if refusal(part.network_address) is None)
        return block.num_addresses - 2, (str(address) for part in parts for address in part)
    if isinstance(block, IPv4Network) and block.prefixlen <= 30:
        # The first and the last address of a subnet are no hosts; who means them writes an octet range.
        return block.num_addresses - 2, _safe(map(str, block.hosts()))
    return block.num_addresses, (str(address) for address in block)


def _safe(hosts: Iterable[str]) -> Iterator[str]:
    return (host for host in hosts if refusal(IPv4Address(host)) is None)


def _of_octets(host: str, text: str) -> tuple[int, Iterator[str]]:
    parts = host.split(".")
    if len(parts) != 4:
        raise UsageError(f"{text}: an IPv4 address has four parts", "write 192.0.2.1, or a range such as 192.0.2.1-20")
    columns = [_octet(part, text) for part in parts]
    count = len(columns[0]) * len(columns[1]) * len(columns[2]) * len(columns[3])
    first = IPv4Address(".".join(str(column[0]) for column in columns))
    reason = refusal(first)
    if reason:
        raise UsageError(f"{text}: {reason}, it is never probed", "name the addresses of hosts")
    return count, _safe(".".join(map(str, octets)) for octets in product(*columns))


def octet_intervals(text: str) -> list[tuple[int, int]] | None:
    """An octet range as first and last addresses, in order; None where the text has another form."""
    if not _OCTETS.fullmatch(text) or text.count(".") != 3:
        return None
    spans = [(0, 0)]
    for n, part in enumerate(reversed(text.split("."))):
        width = 256**n
        found: list[tuple[int, int]] = []
        for value in sorted(_octet(part, text)):
            for first, last in spans:
                if found and found[-1][1] + 1 == value * width + first:
                    found[-1] = found[-1][0], value * width + last
                else:
                    found.append((value * width + first, value * width + last))
        spans = found
    return spans


def _octet(part: str, text: str) -> tuple[int, ...]:
    """The values of one part: `7`, `1-254`, `-`, `*`, `1,3,5-7`."""
    values: dict[int, None] = {}
    for piece in part.split(","):
        if re.fullmatch(r"0[0-9]+", piece):
            right = str(int(piece))
            raise UsageError(
                f"{text}: {piece!r} has a leading zero, which some programs read as octal", f"write {right}"
            )
        match = re.fullmatch(r"([0-9]{0,3})(-?)([0-9]{0,3})", "-" if piece == "*" else piece)
        if not match or not piece:
            raise UsageError(
                f"{text}: {part!r} is no part of an IPv4 address", "write a number or a range, as in 192.0.2.1-20"
            )
        low = int(match[1] or 0)
        high = int(match[3] or 255) if match[2] else low
        if low > 255 or high > 255:
            raise UsageError(
                f"{text}: {max(low, high)} is more than 255", "each part of an IPv4 address goes from 0 to 255"
            )
        if low > high:
            raise UsageError(f"{text}: the range {piece} runs backwards", f"write {high}-{low}")
        values.update(dict.fromkeys(range(low, high + 1)))
    return tuple(values)


def _name(host: str, text: str) -> str:
    if host.isascii() and host.isdigit():
        raise UsageError(
            f"{text}: a bare number is no host", f"a port goes after -p, as in: netprobe scan HOST -p {host}"
        )
    if host.startswith("-"):
        raise UsageError(f"{text}: looks like an option", "see netprobe scan --help")
    plain = host
    if not host.isascii():
        try:
            plain = host.encode("idna").decode("ascii")
        except UnicodeError:
            raise UsageError(f"{text!a}: not a host name", "write it in its xn-- form") from None
    if "," in host:
        raise UsageError(f"{text}: not a host name", "separate targets by blanks")
    if not _NAME.fullmatch(plain):
        raise UsageError(f"{text!a}: not a host name", "letters, digits, hyphens and dots, as in server.example.com")
    return plain


# --------------------------------------------------------------------------- lists


def lines(text: str) -> tuple[str, ...]:
    """The entries of a list file: separated by blanks or line ends, `#` starts a comment."""
    return tuple(word for line in text.splitlines() for word in line.partition("#")[0].split())


def exclusions(texts: Iterable[str]) -> tuple[Network, ...]:
    """The networks of an exclude list: addresses, CIDR blocks and octet ranges.

    Names are refused: a name may have another address tomorrow, and then the list would silently protect nobody.
    """
    found: list[Network] = []
    for text in (piece for entry in texts for piece in _pieces(entry)):
        try:
            found.append(ip_network(text.strip("[]"), strict=False))
        except ValueError:
            if not _OCTETS.fullmatch(text):
                raise UsageError(
                    f"{text}: an exclude list holds addresses", "write 192.0.2.1, 192.0.2.0/24 or 192.0.2.1-20"
                ) from None
            columns = [_octet(part, text) for part in text.split(".")]
            if len(columns) != 4:
                raise UsageError(f"{text}: an IPv4 address has four parts", "write 192.0.2.1-20") from None
            found.extend(ip_network(".".join(map(str, octets))) for octets in product(*columns))
    return tuple(found)


def _pieces(entry: str) -> list[str]:
    """`a,b` is two entries, but a comma inside an octet range (`192.0.2.1,3`) belongs to it."""
    parts = entry.split(",")
    return (
        [entry]
        if any(part and "." not in part and ":" not in part for part in parts)
        else [part for part in parts if part]
    )


def is_excluded(host: str, exclude: Sequence[Network]) -> bool:
    """Whether this address (canonical text; a name never is) lies in one of the networks."""
    address = parse_address(host) if exclude else None
    if address is None:
        return False
    if isinstance(address, IPv6Address) and address.scope_id:
        address = IPv6Address(str(address).partition("%")[0])
    return any(address in network for network in exclude)


def with_alias(target: Target, host: str, port: int | None) -> Target:
    """The target after ssh_config had its say: the real host name, and the alias's port where the text has none."""
    return replace(target, host=host, port=target.port or port, expect=target.expect or "ssh", alias=target.host)
