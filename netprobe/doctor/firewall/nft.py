"""Reads `nft -j list ruleset`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from netprobe.doctor.firewall.model import UNREADABLE, Chain, Ruleset, Table
from netprobe.doctor.firewall.nft_rule import NftRule

FAMILIES = {"ip": (4,), "ip6": (6,), "inet": (4, 6), "netdev": (4, 6), "bridge": (4, 6)}


def read(text: str | dict[str, Any] | list[Any], into: Ruleset) -> None:
    """Adds what the listing holds. What can't be read becomes a problem of the rule set, never an exception."""
    try:
        document = json.loads(text) if isinstance(text, str) else text
        items = document["nftables"] if isinstance(document, dict) else document
    except UNREADABLE as error:
        into.problems.append(f"the output of `nft -j list ruleset` can't be read: {error}")
        return
    tables: dict[tuple[str, str], Table] = {}
    for name, body in entries(items):
        try:
            one(name, body, tables, into)
        except UNREADABLE as error:
            into.problems.append(f"a {name} in the output of `nft -j list ruleset` can't be read: {error!r}")


def entries(items: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """(kind, body) of each object; also where it stands in an `add` command."""
    for item in items if isinstance(items, list) else []:
        if isinstance(item, dict) and len(item) == 1:
            name, body = next(iter(item.items()))
            if name == "add" and isinstance(body, dict) and len(body) == 1:
                name, body = next(iter(body.items()))
            if isinstance(body, dict):
                yield name, body


def one(name: str, body: dict[str, Any], tables: dict[tuple[str, str], Table], into: Ruleset) -> None:
    """One object of the listing."""
    if name == "table":
        flags = body.get("flags", [])
        table = Table(text(body["family"]), text(body["name"]), "nft", FAMILIES.get(body["family"], ()))
        tables[table.family, table.name] = table
        table.dormant = "dormant" in ([flags] if isinstance(flags, str) else flags)
        table.order = len(into.tables)
        into.tables.append(table)
    elif name == "chain":
        table = tables[body["family"], body["table"]]
        handle = body.get("handle")
        order = handle if isinstance(handle, int) else len(table.chains)
        table.chains[text(body["name"])] = chain = Chain(table, body["name"], handle=handle, order=order)
        if "hook" in body:
            hooked(chain, body)
    elif name == "rule":
        chain = tables[body["family"], body["table"]].chains[body["chain"]]
        expr, comment = body.get("expr", []), body.get("comment", "")
        expr = expr if isinstance(expr, list) else [expr]
        chain.rules.append(NftRule(chain, len(chain.rules) + 1, body.get("handle"), expr, comment))
    elif name in {"set", "map"}:
        into.sets[body["family"], body["table"], body["name"]] = body
    elif name == "element":
        known = into.sets.get((body["family"], body["table"], body["name"]))
        if isinstance(known, dict):
            known.setdefault("elem", []).extend(body.get("elem", []))


def hooked(chain: Chain, body: dict[str, Any]) -> None:
    """Makes it a base chain."""
    chain.hook, chain.priority = text(body["hook"]), int(body.get("prio", 0))
    chain.type, chain.policy = text(body.get("type", "filter")), text(body.get("policy", "accept"))
    devices = body.get("dev", body.get("devs"))
    if devices is not None:
        chain.devices = (devices,) if isinstance(devices, str) else tuple(text(one) for one in devices)


def text(value: Any) -> str:
    """A name. TypeError for anything else."""
    if not isinstance(value, str):
        raise TypeError(f"not a name: {value!r}")
    return value
