"""What iptables' targets do with a packet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from netprobe.doctor.firewall import words
from netprobe.doctor.firewall.iptables_matches import port
from netprobe.doctor.firewall.iptables_words import Option, Parsed
from netprobe.doctor.firewall.model import ACCEPT, DROP, RETURN, Chain, Env, Kind, Packet, Verdict
from netprobe.doctor.firewall.translation import destined, redirected, sourced
from netprobe.doctor.firewall.values import number_of

Given = Mapping[str, Option]
Result = tuple[Packet, Verdict | None]
# Targets without a say in what becomes of the packet: the next rule follows.
NEUTRAL = {
    *("LOG", "NFLOG", "ULOG", "TRACE", "AUDIT", "TCPMSS", "TCPOPTSTRIP", "CHECKSUM", "CLASSIFY", "TTL", "HL", "SET"),
    *("SECMARK", "CONNSECMARK", "TEE", "RATEEST", "IDLETIMER", "LED", "ECN", "HMARK", "DSCP", "TOS", "CONTINUE"),
}
UNCLEAR = Verdict(Kind.STOLEN, note="a translation to one of several destinations")
FULL = 0xFFFFFFFF


def target(parts: Parsed, chain: Chain, packet: Packet, env: Env) -> Result:
    """The packet after the target, and its verdict; None where the next rule follows."""
    name, given = parts.target, {one.name: one for one in parts.options}
    if name in chain.table.chains:
        return packet, Verdict(Kind.GOTO if parts.goto else Kind.JUMP, name)
    if name in NEUTRAL:
        return packet, None
    action = TARGETS.get(name)
    if action is None:
        return packet, Verdict(Kind.STOLEN, note=f"iptables' target {name} is not read here")
    return action(given, packet, env)


def reject(given: Given, packet: Packet, env: Env) -> Result:
    """REJECT: an ICMP error, or a reset for TCP."""
    kind = given["reject-with"].value if "reject-with" in given else "port-unreach"
    if kind in {"tcp-reset", "tcp-rst"}:
        return packet, Verdict(Kind.REJECT, reject="tcp reset")
    return packet, Verdict(Kind.REJECT, reject=words.IPTABLES_REJECT[packet.family][kind])


def pair(text: str) -> tuple[int, int]:
    """`value/mask`; without a mask all bits."""
    value, _, mask = text.partition("/")
    return int(value, 0), int(mask, 0) if mask else FULL


def changed(given: Given, value: int | None) -> int | None:
    """A mark after --set-xmark and its like (xt_mark.c)."""
    if value is None:
        return (
            pair(given["set-xmark"].value)[0]
            if "set-xmark" in given and pair(given["set-xmark"].value)[1] == FULL
            else None
        )
    for name, option in given.items():
        new, mask = pair(option.value) if option.value else (0, 0)
        if name == "set-xmark":
            return (value & ~mask) ^ new
        if name == "set-mark":
            return (value & ~mask) | new
        if name in {"and-mark", "or-mark", "xor-mark"}:
            return {"and": value & new, "or": value | new, "xor": value ^ new}[name.partition("-")[0]]
    return value


def mark(given: Given, packet: Packet, env: Env) -> Result:
    """MARK."""
    return replace(packet, mark=changed(given, packet.mark)), None


def connmark(given: Given, packet: Packet, env: Env) -> Result:
    """CONNMARK: sets the connection's mark, saves the packet's there, or restores it from there (xt_connmark.c)."""
    if packet.original is None:
        return packet, None
    if "save-mark" not in given and "restore-mark" not in given:
        return replace(packet, ctmark=changed(given, packet.ctmark)), None
    both = given["mask"].value if "mask" in given else "0xffffffff"
    nfmask = int(given["nfmask"].value if "nfmask" in given else both, 0)
    ctmask = int(given["ctmask"].value if "ctmask" in given else both, 0)
    if packet.mark is None or packet.ctmark is None:
        unknown = replace(packet, ctmark=None) if "save-mark" in given else replace(packet, mark=None)
        return unknown, None
    if "save-mark" in given:
        return replace(packet, ctmark=(packet.ctmark & ~ctmask) ^ (packet.mark & nfmask)), None
    return replace(packet, mark=(packet.mark & ~nfmask) ^ (packet.ctmark & ctmask)), None


def notrack(given: Given, packet: Packet, env: Env) -> Result:
    """NOTRACK, where conntrack hasn't seen the packet yet."""
    if packet.original is not None:
        return packet, None
    return replace(packet, tracked=False, state="untracked"), None


def ct(given: Given, packet: Packet, env: Env) -> Result:
    """CT --notrack; its helpers, zones and timeouts don't matter here."""
    return notrack(given, packet, env) if "notrack" in given else (packet, None)


def place(text: str, packet: Packet) -> tuple[int | None, int | None] | None:
    """(address, port) of `192.0.2.1:22`, `[2001:db8::1]:22`, `:2200-2300`; None where it is one of several."""
    if text.startswith("["):
        host, _, ports = text[1:].partition("]")
        ports = ports.lstrip(":")
    elif packet.family == 6 and text.count(":") > 1:
        host, ports = text, ""
    else:
        host, _, ports = text.partition(":")
    low, _, high = host.partition("-")
    if high and number_of(low) != number_of(high):
        return None
    first, last = [*ports.split("/")[0].split("-"), ""][:2] if ports else ("", "")
    number = port(first) if first else None
    if number is not None and last and int(last) != number:
        kept = isinstance(packet.dport, int) and number <= packet.dport <= int(last)
        if not kept:
            return None
        number = None
    return (number_of(low) if low else None), number


def dnat(given: Given, packet: Packet, env: Env) -> Result:
    """DNAT --to-destination."""
    to = place(given["to-destination"].value, packet) if "to-destination" in given else None
    return (packet, UNCLEAR) if to is None else (destined(packet, *to), ACCEPT)


def redirect(given: Given, packet: Packet, env: Env) -> Result:
    """REDIRECT --to-ports."""
    to = place(":" + given["to-ports"].value, packet) if "to-ports" in given else (None, None)
    return (packet, UNCLEAR) if to is None else (redirected(packet, to[1], env), ACCEPT)


def snat(given: Given, packet: Packet, env: Env) -> Result:
    """SNAT --to-source, MASQUERADE."""
    to = place(given["to-source"].value, packet) if "to-source" in given else (None, None)
    return sourced(packet, *(to or (None, None))), ACCEPT


def netmap(given: Given, packet: Packet, env: Env) -> Result:
    """NETMAP: another network, the same host in it."""
    if env.hook not in {"prerouting", "output"} or not isinstance(packet.dst, int):
        return sourced(packet, None, None), ACCEPT
    text, _, length = given["to"].value.partition("/")
    bits = 32 if packet.family == 4 else 128
    host = (1 << (bits - (int(length) if length.isdigit() else bits))) - 1
    return destined(packet, (number_of(text) & ~host) | (packet.dst & host), None), ACCEPT


def stolen(note: str, kind: Kind = Kind.STOLEN) -> Callable[[Given, Packet, Env], Result]:
    """A target after which something else decides."""
    return lambda given, packet, env: (packet, Verdict(kind, note=note))


TARGETS: dict[str, Callable[[Given, Packet, Env], Result]] = {
    "ACCEPT": lambda given, packet, env: (packet, ACCEPT),
    "DROP": lambda given, packet, env: (packet, DROP),
    "RETURN": lambda given, packet, env: (packet, RETURN),
    "REJECT": reject,
    "MARK": mark,
    "CONNMARK": connmark,
    "NOTRACK": notrack,
    "CT": ct,
    "DNAT": dnat,
    "REDIRECT": redirect,
    "SNAT": snat,
    "MASQUERADE": snat,
    "NETMAP": netmap,
    "QUEUE": stolen("a program in user space decides (QUEUE)", Kind.QUEUE),
    "NFQUEUE": stolen("a program in user space decides (NFQUEUE)", Kind.QUEUE),
    "TPROXY": stolen("given to a transparent proxy (TPROXY)"),
    "SYNPROXY": stolen("answered by a SYN proxy"),
    "TARPIT": stolen("held by a tarpit (TARPIT)"),
}
