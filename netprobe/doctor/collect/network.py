"""The network of the machine: listening sockets and their owners, interfaces, routes, counters."""

from __future__ import annotations

import ipaddress
import json
import re
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from netprobe.doctor.collect.daemon import daemons
from netprobe.doctor.collect.machine import Machine, Unavailable
from netprobe.doctor.facts import Asked, Daemon, Interface, Listener, Route, WayBack

LISTEN = "0A"  # include/net/tcp_states.h
KINDS = {"blackhole", "unreachable", "prohibit", "throw"}
COUNTED = ("Ip", "Icmp", "Tcp")
# Of TcpExt, which has a hundred and more, those that tell why a SYN had no answer.
EXTENDED = {
    *(
        "ListenOverflows",
        "ListenDrops",
        "SyncookiesSent",
        "SyncookiesFailed",
        "TCPReqQFullDrop",
        "TCPReqQFullDoCookies",
    ),
    *("IPReversePathFilter", "EmbryonicRsts", "TCPChallengeACK", "TCPMD5Unexpected", "TCPBacklogDrop"),
}


def sockets(machine: Machine) -> dict[str, Any]:
    """Listening TCP sockets with their owners, and the SSH daemons of this network namespace."""
    found: dict[int, Listener] = {}
    for family, name in ((4, "tcp"), (6, "tcp6")):
        try:
            text = machine.read(f"/proc/net/{name}")
        except Unavailable:
            if family == 4:
                raise
            continue  # a kernel without IPv6
        found.update(listening(text, family))
    limits, only_v6 = _limits(machine)
    for inode, listener in found.items():
        dual = listener.family == 6 and listener.address == "::" and only_v6.get(inode, True) is False
        found[inode] = replace(listener, limit=limits.get(inode), any_family=dual)
    processes = daemons(machine)
    owners = _owners(machine, set(found), processes)
    named = [
        replace(one, pid=owners[inode][0], program=owners[inode][1]) if inode in owners else one
        for inode, one in found.items()
    ]
    return {
        "listeners": tuple(sorted(named, key=lambda one: (one.port, one.family, one.address))),
        "daemons": processes,
    }


def listening(text: str, family: int) -> dict[int, Listener]:
    """The listening sockets of a table of /proc/net, by inode. They stand before all others (tcp_get_idx in
    tcp_ipv4.c), so that the connections of a busy server are never read."""
    found: dict[int, Listener] = {}
    for line in text.splitlines()[1:]:
        words = line.split()
        if len(words) < 10 or words[3] != LISTEN:
            break
        address, _, port = words[1].partition(":")
        found[int(words[9])] = Listener(
            family=family,
            address=_address(address),
            port=int(port, 16),
            queue=int(words[4].partition(":")[2], 16),
            uid=int(words[7]),
        )
    return found


def _address(text: str) -> str:
    """Each group of four octets is a number in the machine's own order."""
    octets = b"".join(int(text[at : at + 8], 16).to_bytes(4, sys.byteorder) for at in range(0, len(text), 8))
    return str(ipaddress.ip_address(octets))


def _limits(machine: Machine) -> tuple[dict[int, int], dict[int, bool]]:
    """By inode: the accept queue's limit, and whether an IPv6 socket takes IPv6 only; as far as ss is there to say
    so."""
    limits: dict[int, int] = {}
    only: dict[int, bool] = {}
    with suppress(Unavailable):
        for line in machine.run("ss", "-Hltne").lines:
            if match := re.search(r"^LISTEN\s+\d+\s+(\d+)\s.*\bino:(\d+)", line):
                limits[int(match[2])] = int(match[1])
                if v6 := re.search(r"\bv6only:([01])", line):
                    only[int(match[2])] = v6[1] == "1"
    return limits, only


def _owners(machine: Machine, inodes: set[int], known: Iterable[Daemon]) -> dict[int, tuple[int, str]]:
    """(process, program) by inode. The daemons are looked at last, for a socket that systemd keeps belongs to both."""
    found: dict[int, tuple[int, str]] = {}
    daemon_pids = {one.pid for one in known}
    pids = [int(name) for name in machine.names("/proc") if name.isdecimal()]
    for pid in sorted(pids, key=lambda one: (one in daemon_pids, -one)):
        if machine.left() < 1:
            break
        with suppress(Unavailable):
            for name in machine.names(f"/proc/{pid}/fd"):
                with suppress(Unavailable):
                    match = re.fullmatch(r"socket:\[(\d+)\]", machine.link(f"/proc/{pid}/fd/{name}"))
                    if match and int(match[1]) in inodes:
                        found[int(match[1])] = (pid, machine.read(f"/proc/{pid}/comm").strip())
    return found


# --------------------------------------------------------------------------- interfaces and routes


def interfaces(machine: Machine) -> dict[str, Any]:
    """Interfaces with their addresses, reverse path filters and programs."""
    said = json.loads(machine.run("ip", "-j", "-d", "addr").good().out or "[]")
    found = []
    every = _sysctl(machine, "net/ipv4/conf/all/rp_filter") or 0
    for one in said:
        name = str(one.get("ifname", ""))
        own = _sysctl(machine, f"net/ipv4/conf/{name.replace('.', '/')}/rp_filter") or 0
        addresses = tuple(f"{a['local']}/{a['prefixlen']}" for a in one.get("addr_info", ()) if "local" in a)
        xdp = bool(one.get("xdp", {}).get("mode")) if isinstance(one.get("xdp"), dict) else "xdp" in one
        port = one.get("linkinfo", {}).get("info_slave_kind") == "bridge"
        found.append(
            Interface(
                name=name, up="UP" in one.get("flags", ()), addresses=addresses, rp_filter=max(own, every), xdp=xdp,
                bridge=str(one.get("master", "")) if port else "",
            )
        )  # fmt: skip
    return {"interfaces": tuple(found)}


def _sysctl(machine: Machine, path: str) -> int | None:
    with suppress(Unavailable, ValueError):
        return int(machine.read(f"/proc/sys/{path}").split()[0])
    return None


def routes(machine: Machine) -> dict[str, Any]:
    """The main tables of both families, up to 2,000 routes, and whether the machine forwards."""
    found = []
    for family in (4, 6):
        for one in json.loads(machine.run("ip", "-j", f"-{family}", "route").good().out or "[]")[:2000]:
            kind = one.get("type", "unicast")
            found.append(
                Route(
                    family=family, destination=str(one.get("dst", "")), interface=str(one.get("dev", "")),
                    gateway=str(one.get("gateway", "")), kind=kind if kind in KINDS else "unicast",
                    metric=int(one.get("metric", 0)),
                )
            )  # fmt: skip
    switches = {"4": "net/ipv4/ip_forward", "6": "net/ipv6/conf/all/forwarding"}
    states = {family: _sysctl(machine, path) for family, path in switches.items()}
    forwarding = {family: state == 1 for family, state in states.items() if state is not None}
    return {"routes": tuple(found), "forwarding": forwarding}


def way_back(machine: Machine, asked: Asked) -> dict[str, Any]:
    """The kernel's route to the asked source."""
    if not asked.source:
        raise Unavailable("no client was asked for (--source ADDRESS)")
    said = machine.run("ip", "-j", "route", "get", asked.source)
    if said.status:
        words = (said.err.strip().splitlines() or ["refused"])[0]
        return {"way_back": WayBack(outcome=words.removeprefix("RTNETLINK answers: "))}
    one = (json.loads(said.out or "[]") or [{}])[0]
    return {"way_back": WayBack(outcome="ok", interface=str(one.get("dev", "")), gateway=str(one.get("gateway", "")))}


# --------------------------------------------------------------------------- counters


def counters(machine: Machine) -> dict[str, Any]:
    """The counters of /proc/net/snmp, netstat and snmp6 of this network namespace, by names like Tcp.OutRsts."""
    found: dict[str, int] = {}
    for name in ("snmp", "netstat"):
        with suppress(Unavailable):
            found.update(counted(machine.read(f"/proc/net/{name}")))
    with suppress(Unavailable):
        for line in machine.read("/proc/net/snmp6").splitlines():
            key, _, value = line.partition(" ")
            if value.strip().isdecimal():
                group, name = key.strip().split("6", 1)
                if "Type" not in name:
                    found[f"{group}6.{name}"] = int(value)
    if not found:
        raise Unavailable("/proc/net/snmp can't be read")
    return {"counters": found}


def counted(text: str) -> Mapping[str, int]:
    """The pairs of lines of /proc/net/snmp and netstat: names, then numbers."""
    found: dict[str, int] = {}
    lines = text.splitlines()
    for names, numbers in zip(lines[::2], lines[1::2], strict=False):
        group, _, keys = names.partition(":")
        for key, value in zip(keys.split(), numbers.partition(":")[2].split(), strict=False):
            if group in COUNTED or (group == "TcpExt" and key in EXTENDED):
                with suppress(ValueError):
                    found[f"{group}.{key}"] = int(value)
    return found
