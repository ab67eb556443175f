"""Nmap's XML checked against a grammar of our own, after nmap.dtd: children in their order, attributes, enumerations.

The DTD itself belongs to nmap and is asked, too, where nmap is installed (test_nmap_xml.py).
"""

from __future__ import annotations

import re
from collections import Counter
from typing import NamedTuple
from xml.etree import ElementTree as ET


class Element(NamedTuple):
    """What an element may hold: a pattern over the names of its children, each followed by a space; attributes, those
    that must be there with a !; whether it may hold text."""

    children: str = ""
    attributes: str = ""
    text: bool = False


GRAMMAR = {
    "nmaprun": Element(
        r"(scaninfo )*verbose debugging ((target|prescript|postscript|host) )*runstats ",
        "scanner! args start startstr version! xmloutputversion!",
    ),
    "scaninfo": Element("", "type! protocol! numservices! services!"),
    "verbose": Element("", "level"),
    "debugging": Element("", "level"),
    "target": Element("", "specification! status reason"),
    "host": Element(r"status address ((address|hostnames|ports|trace) )*(times )?", "starttime endtime"),
    "status": Element("", "state! reason! reason_ttl!"),
    "address": Element("", "addr! addrtype vendor"),
    "hostnames": Element(r"(hostname )*"),
    "hostname": Element("", "name type"),
    "ports": Element(r"(extraports )*(port )*"),
    "port": Element(r"state (owner )?(service )?(script )*", "protocol! portid!"),
    "state": Element("", "state! reason! reason_ttl! reason_ip"),
    "service": Element(r"(cpe )*", "name! conf! method! version product extrainfo tunnel"),
    "script": Element(r"((table|elem) )*", "id! output!", text=True),
    "table": Element(r"((table|elem) )*", "key"),
    "elem": Element("", "key", text=True),
    "trace": Element(r"(hop )*", "proto port"),
    "hop": Element("", "ttl! rtt ipaddr host"),
    "prescript": Element(r"(script )+"),
    "postscript": Element(r"(script )+"),
    "runstats": Element("finished hosts "),
    "finished": Element("", "time! timestr elapsed! summary exit errormsg"),
    "hosts": Element("", "up down total!"),
}
WORDS = {
    ("nmaprun", "scanner"): {"nmap"},
    ("scaninfo", "type"): {"syn", "connect"},
    ("scaninfo", "protocol"): {"tcp"},
    ("target", "status"): {"skipped"},
    ("target", "reason"): {"invalid"},
    ("status", "state"): {"up", "down", "unknown", "skipped"},
    ("address", "addrtype"): {"ipv4", "ipv6", "mac"},
    ("hostname", "type"): {"user", "PTR"},
    ("port", "protocol"): {"tcp"},
    ("service", "method"): {"table", "probed"},
    ("finished", "exit"): {"error", "success"},
}

Found = Counter[tuple[str, ...]]


def check(text: str) -> ET.Element:
    """The document; AssertionError, or ParseError, where it isn't one of nmap's."""
    assert all(c == "\n" or c.isprintable() for c in text), "a control character"
    assert "\n<!DOCTYPE nmaprun>\n" in text
    root = ET.fromstring(text)
    assert root.tag == "nmaprun"
    for element in root.iter():
        rule = GRAMMAR[element.tag]
        names = "".join(f"{child.tag} " for child in element)
        assert re.fullmatch(rule.children, names), f"{element.tag}: {names}"
        known = {name.rstrip("!") for name in rule.attributes.split()}
        needed = {name.rstrip("!") for name in rule.attributes.split() if name.endswith("!")}
        assert needed <= set(element.attrib) <= known, f"{element.tag}: {sorted(element.attrib)}"
        for name, value in element.attrib.items():
            assert value in WORDS.get((element.tag, name), {value}), f"{element.tag} {name}={value}"
        assert rule.text or not (element.text or "").strip(), f"{element.tag}: text"
        assert not (element.tail or "").strip(), f"after {element.tag}: text"
    return root


def verdicts(root: ET.Element) -> Found:
    """How many attempts came to each address, port, state, reason, cause, certainty and rule."""
    found: Found = Counter()
    for host in root.iter("host"):
        address = host.find("address")
        assert address is not None
        for port in host.iter("port"):
            _count(found, address.attrib["addr"], port.attrib["portid"], port)
    for script in root.iter("prescript"):
        _count(found, "", "", script)
    return found


def _count(found: Found, address: str, port: str, holder: ET.Element) -> None:
    for script in holder.iter("script"):
        for table in script.findall("table"):
            told = {one.get("key"): one.text or "" for one in table.findall("elem")}
            words = (told[name] for name in ("state", "reason", "cause", "certainty", "rule"))
            found[address, port, *words] += int(told["count"])
