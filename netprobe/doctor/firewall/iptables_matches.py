"""What iptables' matches say of a packet: the core's options and the extensions.

House rules of this file:
1. An extension that isn't read here is a doubt with its name, never a guess.
2. Sources: iptables-extensions(8) for what options mean, net/netfilter/xt_*.c where that leaves a case open.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from netprobe.doctor.firewall import ipset, words
from netprobe.doctor.firewall.iptables_words import Option
from netprobe.doctor.firewall.model import Doubt, Env, Packet, Test, Why, flipped
from netprobe.doctor.firewall.values import Interval, Names, Number, Numbers, Span, every, network, number_of

CLIENT = Doubt(Why.QUERY, "depends on the client's address or port")
WAY_IN = Doubt(Why.QUERY, "depends on the interface that the SYN arrives on")


def known(found: bool | None, doubt: Doubt, *, negated: bool = False) -> Test:
    """True or False, turned where negated; a doubt where it isn't known."""
    return doubt if found is None else found != negated


# --------------------------------------------------------------------------- the core


def address(given: str, value: Number) -> bool | None:
    """Is an address in `192.0.2.0/24`, also in one whose mask has gaps?"""
    try:
        return Numbers.of([network(given)]).has(value)
    except ValueError:
        text, _, mask = given.partition("/")
        bits = number_of(mask)
        return None if isinstance(value, Span) else value & bits == number_of(text) & bits


def core(option: Option, packet: Packet) -> Test:
    """-p -s -d -i -o -f."""
    name, value, negated = option
    if name == "protocol":
        number = protocol(value[0])
        return (number == 0 or number == packet.protocol) != negated
    if name == "source":
        found = address(value[0], packet.src)
        if found is None and "/" in value[0] and value[0].rpartition("/")[2].isdigit():
            usual = Numbers.of([network(value[0])]).usual(packet.src)
            doubt = Doubt(
                Why.QUERY, f"depends on the client's address (`{'! ' if negated else ''}-s {value[0]}`)", usual
            )
            return flipped(doubt, negated=negated)
        return known(found, CLIENT, negated=negated)
    if name == "destination":
        return known(address(value[0], packet.dst), CLIENT, negated=negated)
    if name == "in":
        return known(Names.of([value[0]], "+").has(packet.iif), WAY_IN, negated=negated)
    if name == "out":
        way = Doubt(Why.QUERY, "depends on the interface that the packet leaves by")
        return known(Names.of([value[0]], "+").has(packet.oif), way, negated=negated)
    return negated  # -f: a SYN is no later fragment


def protocol(text: str) -> int:
    """A protocol by name or number; 0 is all."""
    return 0 if text == "all" else words.PROTOCOLS[text] if text in words.PROTOCOLS else int(text)


# --------------------------------------------------------------------------- extensions


def port(text: str) -> int:
    """A port by number or name."""
    return words.SERVICES[text] if text in words.SERVICES else int(text)


def ports(text: str) -> list[Interval]:
    """`22`, `80:90`, `1024:`, several with commas."""
    found = []
    for part in text.split(","):
        low, colon, high = part.partition(":")
        first = port(low) if low else 0
        found.append((first, (port(high) if high else 65535) if colon else first))
    return found


def tcp(option: Option, packet: Packet, env: Env) -> Test:
    """--sport --dport --tcp-flags --syn."""
    if packet.protocol != 6:
        return False
    if option.name in {"sport", "source-port", "dport", "destination-port"}:
        value = packet.sport if option.name.startswith("s") else packet.dport
        return known(Numbers.of(ports(option.value)).has(value), CLIENT, negated=option.negated)
    if option.name == "tcp-flags":
        mask, wanted = (flags(text) for text in option.values)
        return (packet.flags & mask == wanted) != option.negated
    if option.name == "syn":
        return (packet.flags & 0x17 == 2) != option.negated
    return Doubt(Why.QUERY, f"depends on the SYN's options (tcp --{option.name})")


def flags(text: str) -> int:
    """`FIN,SYN,RST,ACK` as bits."""
    if text in {"ALL", "NONE"}:
        return 0x3F if text == "ALL" else 0
    return sum(words.TCP_FLAGS[one.lower()] for one in text.split(","))


def multiport(option: Option, packet: Packet, env: Env) -> Test:
    """--dports --sports --ports."""
    if packet.protocol != 6:
        return False
    given = Numbers.of(ports(option.value))
    found = {"source-ports": "sports", "destination-ports": "dports"}.get(option.name, option.name)
    if found == "ports":
        either = [given.has(packet.sport), given.has(packet.dport)]
        return known(True if True in either else None if None in either else False, CLIENT, negated=option.negated)
    value = packet.sport if found == "sports" else packet.dport
    return known(given.has(value), CLIENT, negated=option.negated)


def icmp(option: Option, packet: Packet, env: Env) -> Test:
    """--icmp-type: only answers are ICMP here."""
    if packet.icmp is None:
        return False
    if option.value in {"any", "255"}:
        return not option.negated
    kind, slash, code = option.value.partition("/")
    if not kind.isdigit():
        return Doubt(Why.UNKNOWN, f"the ICMP type {option.value} is not read here")
    return (int(kind) == packet.icmp[0] and (not slash or int(code) == packet.icmp[1])) != option.negated


def conntrack(option: Option, packet: Packet, env: Env) -> Test:
    """--ctstate and the rest; without a tracked connection only the state can match (xt_conntrack.c)."""
    name = option.name
    if name in {"ctstate", "state"}:
        wanted = {one.lower() for one in option.value.split(",")}
        translated = packet.original is not None and (
            ("snat" in wanted and packet.status & 16) or ("dnat" in wanted and packet.status & 32)
        )
        return (packet.state in wanted or bool(translated)) != option.negated
    original = packet.original
    if original is None:
        return False
    if name == "ctproto":
        return (protocol(option.value) == packet.protocol) != option.negated
    if name == "ctdir":
        return ((option.value.upper() == "REPLY") == packet.reply) != option.negated
    if name in {"ctorigsrc", "ctorigdst"}:
        value = original.src if name == "ctorigsrc" else original.dst
        return known(address(option.value, value), CLIENT, negated=option.negated)
    if name in {"ctorigsrcport", "ctorigdstport"}:
        value = original.sport if name == "ctorigsrcport" else original.dport
        return known(Numbers.of(ports(option.value)).has(value), CLIENT, negated=option.negated)
    return Doubt(Why.UNKNOWN, f"conntrack --{name} is not read here")


def mark(option: Option, packet: Packet, env: Env) -> Test:
    """--mark value/mask of the packet."""
    return marked(option, packet.mark)


def connmark(option: Option, packet: Packet, env: Env) -> Test:
    """--mark value/mask of the connection."""
    return False if packet.original is None else marked(option, packet.ctmark)


def marked(option: Option, value: int | None) -> Test:
    """Is value & mask what is wanted?"""
    wanted, _, mask = option.value.partition("/")
    bits = int(mask, 0) if mask else 0xFFFFFFFF
    found = None if value is None else value & bits == int(wanted, 0)
    return known(found, Doubt(Why.UNKNOWN, "depends on a mark that isn't known"), negated=option.negated)


def iprange(option: Option, packet: Packet, env: Env) -> Test:
    """--src-range --dst-range."""
    low, _, high = option.value.partition("-")
    value = packet.src if option.name == "src-range" else packet.dst
    return known(Numbers.of([(number_of(low), number_of(high or low))]).has(value), CLIENT, negated=option.negated)


def addrtype(option: Option, packet: Packet, env: Env) -> Test:
    """--src-type --dst-type, as the routing table sees an address."""
    if option.name not in {"src-type", "dst-type"}:
        return Doubt(Why.UNKNOWN, f"addrtype --{option.name} is not read here")
    kind = env.host.kind(packet.family, packet.src if option.name == "src-type" else packet.dst)
    if kind is None or not env.host.interfaces:
        return Doubt(Why.QUERY, "depends on the type of an address (addrtype)")
    return (kind.upper() in option.value.upper().split(",")) != option.negated


def pkttype(option: Option, packet: Packet, env: Env) -> Test:
    """--pkt-type: a SYN for this machine is unicast."""
    return (option.value in {"unicast", "host"}) != option.negated


def match_set(option: Option, packet: Packet, env: Env) -> Test:
    """--match-set NAME src,dst."""
    if option.name != "match-set":
        return True  # what is counted or updated in passing
    outcome = ipset.has(option.values[0], option.values[1].split(","), packet, env)
    return flipped(outcome, negated=option.negated)


def policy(given: Sequence[Option], packet: Packet, env: Env) -> Test:
    """IPsec: the SYN is taken to come without."""
    pol = next((one for one in given if one.name == "pol"), None)
    return pol is None or (pol.value == "none") != pol.negated


def recent(given: Sequence[Option], packet: Packet, env: Env) -> Test:
    """--set always matches; a look into the list depends on who was there."""
    names = {one.name: one for one in given}
    negated = any(one.negated for one in given if one.name in {"set", "rcheck", "update", "remove"})
    if "set" in names:
        return not negated
    name = names["name"].value if "name" in names else "DEFAULT"
    terms = [f"{key} {names[key].value}" for key in ("seconds", "hitcount") if key in names]
    about = f"depends on the list of recent addresses {name}" + (f" ({', '.join(terms)})" if terms else "")
    return Doubt(Why.STATE, about, usual=negated)


def rate(given: Sequence[Option], packet: Packet, env: Env) -> Test:
    """limit, hashlimit, connlimit: below the limit for a first SYN."""
    names = {one.name: one for one in given}
    above = next((one for one in given if one.name.endswith("-above")), None)
    below = next((one for one in given if one.name.endswith(("-upto", "limit"))), None)
    shown = above or below
    about = f"depends on how many came before (--{shown.name} {shown.value})" if shown else "depends on a limit"
    usual = above.negated if above else not (below and below.negated)
    return Doubt(
        Why.STATE, about + (f" in {names['hashlimit-name'].value}" if "hashlimit-name" in names else ""), usual
    )


def statistic(given: Sequence[Option], packet: Packet, env: Env) -> Test:
    """By chance or by turns."""
    return Doubt(Why.STATE, "depends on chance (statistic)")


def clock(given: Sequence[Option], packet: Packet, env: Env) -> Test:
    """By the time of day."""
    return Doubt(Why.STATE, "depends on the time of day (time)")


def quota(given: Sequence[Option], packet: Packet, env: Env) -> Test:
    """Until so many bytes have passed."""
    negated = any(one.negated for one in given)
    return Doubt(Why.STATE, "depends on how much came before (quota)", usual=not negated)


def rpfilter(given: Sequence[Option], packet: Packet, env: Env) -> Test:
    """The route back to the source leads to where the packet came from."""
    way = env.host.interface_for(packet.family, packet.src)
    if way is None or packet.iif is None:
        return Doubt(Why.QUERY, "depends on the route back to the client (rpfilter)")
    names = {one.name for one in given}
    return ("loose" in names or way == packet.iif) != ("invert" in names)


def physdev(given: Sequence[Option], packet: Packet, env: Env) -> Test:
    """Ports of a bridge: nothing where the packet didn't come through one."""
    if packet.iif is None or packet.iif in env.host.bridges.values() or not env.host.interfaces:
        return Doubt(Why.UNKNOWN, "physdev: depends on the bridge's port")
    return all(one.negated for one in given)


def no_such_header(given: Sequence[Option], packet: Packet, env: Env) -> Test:
    """Another transport, or extension headers that a SYN hasn't got."""
    return False


def anything(given: Sequence[Option], packet: Packet, env: Env) -> Test:
    """A comment, a counter."""
    return True


def of_the_syn(name: str) -> Callable[[Sequence[Option], Packet, Env], Test]:
    """A property of the SYN that wasn't asked for."""
    return lambda given, packet, env: Doubt(Why.QUERY, f"depends on the SYN itself ({name})")


BY_OPTION: dict[str, Callable[[Option, Packet, Env], Test]] = {
    "tcp": tcp,
    "multiport": multiport,
    "conntrack": conntrack,
    "state": conntrack,
    "mark": mark,
    "connmark": connmark,
    "iprange": iprange,
    "addrtype": addrtype,
    "pkttype": pkttype,
    "set": match_set,
    "icmp": icmp,
    "icmp6": icmp,
}
WHOLE: dict[str, Callable[[Sequence[Option], Packet, Env], Test]] = {
    "recent": recent,
    "limit": rate,
    "hashlimit": rate,
    "connlimit": rate,
    "statistic": statistic,
    "time": clock,
    "quota": quota,
    "rpfilter": rpfilter,
    "physdev": physdev,
    "policy": policy,
    "comment": anything,
    "nfacct": anything,
    **dict.fromkeys(("udp", "sctp", "dccp", "udplite", "esp", "ah", "frag", "rt", "dst", "hbh", "mh"), no_such_header),
    **{
        one: of_the_syn(one)
        for one in ("mac", "ttl", "hl", "length", "dscp", "tos", "ecn", "tcpmss", "osf", "u32", "bpf")
    },
    **{one: of_the_syn(one) for one in ("string", "geoip")},
}


def module(name: str, given: Sequence[Option], packet: Packet, env: Env) -> Test:
    """What a `-m NAME` with its options says."""
    if name in WHOLE:
        return WHOLE[name](given, packet, env)
    reader = BY_OPTION.get(name)
    if reader is None:
        return Doubt(Why.UNKNOWN, f"iptables' match `{name}` is not read here")
    if name == "tcp" and not given:
        return packet.protocol == 6
    outcomes = [reader(option, packet, env) for option in given]
    doubts = [one for one in outcomes if isinstance(one, Doubt)]
    settled = every(None if isinstance(one, Doubt) else one for one in outcomes)
    return doubts[0] if settled is None else settled
