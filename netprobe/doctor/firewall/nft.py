"""Reads `nft -j list ruleset`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from netprobe.doctor.firewall.model import Chain, Ruleset, Table
from netprobe.doctor.firewall.nft_rule import NftRule

FAMILIES = {"ip": (4,), "ip6": (6,), "inet": (4, 6), "netdev": (4, 6), "bridge": (4, 6)}


def read(text: str | dict[str, Any] | list[Any], into: Ruleset) -> None:
    """Adds what the listing holds. What can't be read becomes a problem of the rule set, never an exception."""
    try:
        document = json.loads(text) if isinstance(text, str) else text
        items = document["nftables"] if isinstance(document, dict) else document
    except (ValueError, KeyError, TypeError) as error:
        into.problems.append(f"the output of `nft -j list ruleset` can't be read: {error}")
        return
    tables: dict[tuple[str, str], Table] = {}
    for name, body in entries(items):
        try:
            one(name, body, tables, into)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
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
        table = Table(body["family"], body["name"], "nft", FAMILIES.get(body["family"], ()))
        tables[table.family, table.name] = table
        table.dormant = "dormant" in ([flags] if isinstance(flags, str) else flags)
        table.order = len(into.tables)
        into.tables.append(table)
    elif name == "chain":
        table = tables[body["family"], body["table"]]
        chain = Chain(table, body["name"], handle=body.get("handle"), order=body.get("handle", len(table.chains)))
        if "hook" in body:
            chain.hook, chain.priority = body["hook"], int(body.get("prio", 0))
            chain.type, chain.policy = body.get("type", "filter"), body.get("policy", "accept")
            devices = body.get("dev", body.get("devs"))
            chain.devices = (devices,) if isinstance(devices, str) else tuple(devices) if devices is not None else None
        table.chains[chain.name] = chain
    elif name == "rule":
        chain = tables[body["family"], body["table"]].chains[body["chain"]]
        expr = body.get("expr", [])
        chain.rules.append(
            NftRule(
                chain,
                len(chain.rules) + 1,
                body.get("handle"),
                expr if isinstance(expr, list) else [expr],
                body.get("comment", ""),
            )
        )
    elif name in {"set", "map"}:
        into.sets[body["family"], body["table"], body["name"]] = body
    elif name == "element":
        known = into.sets.get((body["family"], body["table"], body["name"]))
        if isinstance(known, dict):
            known.setdefault("elem", []).extend(body.get("elem", []))
