"""What can stand before the daemon: nftables, both iptables, their front ends, bans, TCP wrappers."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any

from netprobe.doctor.collect.machine import Machine, Unavailable
from netprobe.doctor.facts import Asked, Ban, Firewalld, RecentList, Saved, Ufw, Zone

FAIL2BAN = "/var/lib/fail2ban/fail2ban.sqlite3"
GUARDS = {
    "crowdsec": ("/etc/crowdsec",),
    "sshguard": ("/etc/sshguard", "/etc/sshguard.conf"),
    "denyhosts": ("/etc/denyhosts.conf",),
    "csf": ("/etc/csf/csf.conf",),
    "docker": ("/run/docker.sock", "/var/run/docker.sock"),
}
MOST_BANS = 2000


def nft(machine: Machine) -> dict[str, Any]:
    """The whole rule set of nftables, and the order of the kernel's hooks where this nft can list it."""
    said = machine.run("nft", "-j", "list", "ruleset").good()
    found: dict[str, Any] = {"nft": Saved(by=said.command, text=said.out)}
    try:
        hooks = machine.run("nft", "list", "hooks").good()
        found["nft_hooks"] = Saved(by=hooks.command, text=hooks.out)
    except Unavailable as error:
        found["nft_hooks"] = error
    return found


def xtables(name: str) -> Callable[[Machine], dict[str, Any]]:
    """A part that runs iptables-save or ip6tables-save, of each kind that is installed."""

    def part(machine: Machine) -> dict[str, Any]:
        found: list[Saved] = []
        whys: list[str] = []
        for kind in (f"{name}-save", f"{name}-nft-save", f"{name}-legacy-save"):
            # The legacy kind would load its kernel modules; without them it has no rules.
            names = f"/proc/net/{name.replace('tables', '_tables')}_names"
            if kind.endswith("legacy-save") and machine.is_root and not machine.exists(names):
                continue
            if not machine.has(kind):
                continue
            try:
                said = machine.run(kind, "-c").good()
            except Unavailable as error:
                whys.append(str(error))
                continue
            rules = said.out.strip()
            if rules and all(_rules(rules) != _rules(one.text) for one in found):
                found.append(Saved(by=said.command, text=said.out))
        if whys and not found:
            raise Unavailable(whys[0])
        if not found and not machine.has(f"{name}-save"):
            raise Unavailable(f"there is no command {name}-save here")
        field = "iptables" if name == "iptables" else "ip6tables"
        return {field: tuple(found)}

    return part


def _rules(text: str) -> list[str]:
    return [re.sub(r"\[\d+:\d+\]\s*", "", line) for line in text.splitlines() if not line.startswith("#")]


def ipset(machine: Machine) -> dict[str, Any]:
    """All sets of ipset."""
    said = machine.run("ipset", "save").good()
    return {"ipset": Saved(by=said.command, text=said.out)}


def ufw(machine: Machine) -> dict[str, Any]:
    """Whether ufw is on, what it does with what no rule names, and its rules."""
    try:
        text = machine.read("/etc/ufw/ufw.conf")
    except Unavailable:
        raise Unavailable("ufw is not installed") from None
    enabled = re.search(r"^\s*ENABLED=[\"']?yes", text, re.MULTILINE | re.IGNORECASE) is not None
    incoming = ""
    with suppress(Unavailable):
        match = re.search(r"^\s*DEFAULT_INPUT_POLICY=[\"']?(\w+)", machine.read("/etc/default/ufw"), re.MULTILINE)
        incoming = match[1].lower() if match else ""
    rules: tuple[str, ...] | None = None
    with suppress(Unavailable):
        lines = [line for name in ("user", "user6") for line in machine.read(f"/etc/ufw/{name}.rules").splitlines()]
        rules = tuple(line.removeprefix("### tuple ###").strip() for line in lines if line.startswith("### tuple ###"))
    return {"ufw": Ufw(enabled=enabled, incoming=incoming, rules=rules)}


def firewalld(machine: Machine) -> dict[str, Any]:
    """Whether firewalld runs, and the zones that are in use."""
    if not machine.has("firewall-cmd"):
        raise Unavailable("firewalld is not installed")
    state = machine.run("firewall-cmd", "--state")
    if state.status:
        words = (state.err + state.out).strip()
        if "not running" in words:
            return {"firewalld": Firewalld(running=False)}
        raise Unavailable(f"`firewall-cmd --state`: {words[:200]}")
    default = machine.run("firewall-cmd", "--get-default-zone").out.strip()
    active = re.findall(r"^(\S+)", machine.run("firewall-cmd", "--get-active-zones").out, re.MULTILINE)
    names = [name for name in dict.fromkeys([*active, default]) if name]
    zones = tuple(_zone(machine.run("firewall-cmd", "--list-all", f"--zone={name}").out, name) for name in names)
    return {"firewalld": Firewalld(running=True, default_zone=default, zones=zones)}


def _zone(text: str, name: str) -> Zone:
    words: dict[str, str] = {}
    rich: list[str] = []
    for line in text.splitlines():
        if line.strip().startswith("rule "):
            rich.append(line.strip())
            continue
        key, _, value = line.strip().partition(":")
        words[key] = value.strip()

    def many(key: str) -> tuple[str, ...]:
        return tuple(words.get(key, "").split())

    return Zone(
        name=name, interfaces=many("interfaces"), sources=many("sources"), target=words.get("target", "default"),
        services=many("services"), ports=many("ports"), rich_rules=tuple(rich),
    )  # fmt: skip


# --------------------------------------------------------------------------- bans


def bans(machine: Machine) -> dict[str, Any]:
    """Who is kept out: the newest bans of fail2ban's database and crowdsec's decisions; and which guards are
    installed."""
    found: list[Ban] = []
    installed = [name for name, paths in GUARDS.items() if any(machine.exists(path) for path in paths)]
    fail2ban = machine.exists("/etc/fail2ban") or machine.exists(FAIL2BAN)
    why = ""
    if fail2ban:
        installed.insert(0, "fail2ban")
        try:
            found += _fail2ban(machine)
        except Unavailable as error:
            why = str(error)
    if "crowdsec" in installed:
        with suppress(Unavailable):
            found += [
                Ban(by="crowdsec", jail=words[1], address=words[0])
                for line in machine.run("cscli", "decisions", "list", "-o", "raw").lines[1:]
                if len(words := line.split(",")) > 3 and (words := [words[2].rpartition(":")[2], words[3]])
            ]
    return {"guards": tuple(installed), "bans": Unavailable(why) if why else tuple(found)}


def _fail2ban(machine: Machine) -> list[Ban]:
    """The bans that hold, of the table `bips` (fail2ban 0.11 and later)."""
    look = machine.look(FAIL2BAN)
    if not look.exists:
        if look.kind == "hidden":
            raise Unavailable(f"{FAIL2BAN}: Permission denied")
        return []
    now = machine.now()
    try:
        with closing(sqlite3.connect(f"file:{machine.at(FAIL2BAN)}?mode=ro", uri=True, timeout=0.5)) as database:
            rows = database.execute(
                "SELECT jail, ip, timeofban, bantime FROM bips ORDER BY timeofban DESC LIMIT ?", (MOST_BANS,)
            ).fetchall()
    except sqlite3.Error as error:
        raise Unavailable(f"{FAIL2BAN}: {error}") from None
    found = []
    for jail, address, since, seconds in rows:
        until = int(since) + int(seconds)
        if int(seconds) < 0 or until > now:
            found.append(
                Ban(by="fail2ban", jail=str(jail), address=str(address), until=None if int(seconds) < 0 else until)
            )
    return found


def wrappers(machine: Machine) -> dict[str, Any]:
    """The lines of hosts.allow and hosts.deny that can concern sshd, without the commands that they may run."""
    found: dict[str, Any] = {}
    for name in ("allow", "deny"):
        try:
            text = machine.read(f"/etc/hosts.{name}")
        except Unavailable as error:
            found[f"hosts_{name}"] = () if not machine.exists(f"/etc/hosts.{name}") else error
            continue
        lines = (line.split("#")[0].strip() for line in text.replace("\\\n", " ").splitlines())
        found[f"hosts_{name}"] = tuple(_without_command(line) for line in lines if line)
    return found


def _without_command(line: str) -> str:
    """`daemons : clients` and an `ALLOW` or `DENY`, as hosts_options(5) has it; brackets guard colons of IPv6."""
    parts = [part.strip() for part in re.split(r":(?![^\[]*\])", line)]
    kept = parts[:2] + [part for part in parts[2:] if part.upper() in {"ALLOW", "DENY"}]
    return " : ".join(kept)


def recent(machine: Machine, asked: Asked) -> dict[str, Any]:
    """The lists of netfilter's `recent` match."""
    try:
        names = machine.names("/proc/net/xt_recent")
    except Unavailable:
        return {"recent": ()}
    found = []
    for name in names:
        addresses = re.findall(r"^src=(\S+)", machine.read(f"/proc/net/xt_recent/{name}"), re.MULTILINE)
        found.append(RecentList(name=name, addresses=len(addresses), has_source=asked.source in addresses))
    return {"recent": tuple(found)}
