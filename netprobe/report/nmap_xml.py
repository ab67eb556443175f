"""Verdicts as nmap's XML (`-oX`), valid by nmap.dtd, for the many programs that read it; causes are script output.

House rules of this file:
1. What nmap has a place for stands there (state, reason, TTL, service, trace); all else is the script `netprobe`.
2. XML 1.0 has no control characters, not even as references: text goes through `escape` before it is quoted.
3. Attempts on one port that came to the same share a table with their number; memory follows the ports, not the
   attempts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape as xml_escape

from netprobe import __version__
from netprobe.report import Report
from netprobe.report.escape import escape, excerpt

_OUTPUT_VERSION = "1.05"  # of nmap 7: what its readers look for
_SCAN_TYPES = {"raw": "syn", "connect": "connect"}
_SSH = re.compile(r"SSH-([0-9.]+)-([A-Za-z]+)[_-]([0-9][^ ]*)(?: (.+))?")
_LONGEST = 2000  # characters of one text
_ANSWERS = {"open", "closed"}  # states that a host itself must have caused, where it is the one that answered

Json = Mapping[str, Any]
_Attributes = Mapping[str, object]


@dataclass(slots=True)
class Finding:
    """Attempts that came to the same: the first one's verdict stands for them."""

    first: Json
    count: int = 0


@dataclass(slots=True)
class _Host:
    """One address: what was found of each of its ports."""

    ports: dict[int, dict[tuple[object, ...], Finding]] = field(default_factory=dict)
    names: dict[str, None] = field(default_factory=dict)


def came_to(v: Json) -> tuple[object, ...]:
    """What attempts on one port must have in common to be counted together."""
    origin = v["origin"]
    told = (v[name] for name in ("target", "state", "reason", "cause", "certainty", "rule"))
    return (*told, origin["kind"], origin["address"], origin["hop"])


class Hosts:
    """Verdicts by address and port, as nmap's XML arranges them."""

    def __init__(self) -> None:
        self._hosts: dict[str | None, _Host] = {}

    def add(self, verdict: str) -> Finding:
        """Take in one verdict, which is a JSON line. What it is counted with."""
        v: dict[str, Any] = json.loads(verdict, parse_float=str)
        service = v["service"] or {}
        for part, name in ((v, "pair"), (service, "text"), (service, "kex"), (service, "auth")):
            part.pop(name, None)  # what no element says
        host = self._hosts.setdefault(v["address"], _Host())
        finding = host.ports.setdefault(v["port"], {}).setdefault(came_to(v), Finding(v))
        finding.count += 1
        if len(host.names) < 64 and v["target"] != v["address"]:
            host.names[v["target"]] = None
        return finding

    def document(self, report: Report, command_line: str) -> Iterator[str]:
        """The whole document, in pieces."""
        start, finish = report.started_ns // 1_000_000_000, report.finished_ns // 1_000_000_000
        yield '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE nmaprun>\n'
        yield "<!-- made by netprobe, in the format of nmap -->\n"
        yield _open(
            "nmaprun",
            {
                "scanner": "nmap", "args": command_line, "start": start, "startstr": _date(start),
                "version": f"netprobe {__version__}", "xmloutputversion": _OUTPUT_VERSION,
            },
        )  # fmt: skip
        yield from self._scaninfo(str(report.mode))
        yield _empty("verbose", {"level": 0}) + _empty("debugging", {"level": 0})
        up = 0
        for address, host in self._hosts.items():
            if address is None:
                yield from _unresolved(host)
                continue
            told = _Told(address, host)
            up += told.up
            yield from told.lines(start, finish)
        yield from _run(report)
        total = len(self._hosts) - (None in self._hosts)
        failed = report.interrupted or report.failure is not None
        yield "<runstats>"
        yield _empty(
            "finished",
            {
                "time": finish, "timestr": _date(finish), "elapsed": _elapsed(report),
                "summary": f"netprobe done at {_date(finish)}; {total} address{'es' if total != 1 else ''}"
                f"{', interrupted' if report.interrupted else ''}",
                "exit": "error" if failed else "success",
                "errormsg": "interrupted" if report.interrupted else report.failure,
            },
        )  # fmt: skip
        yield _empty("hosts", {"up": up, "down": total - up, "total": total})
        yield "</runstats>\n</nmaprun>\n"

    def _scaninfo(self, mode: str) -> Iterator[str]:
        kind = _SCAN_TYPES.get(mode)
        if kind is None:
            return
        ports = sorted({port for host in self._hosts.values() for port in host.ports})
        services = ",".join(_ranges(ports))
        yield _empty("scaninfo", {"type": kind, "protocol": "tcp", "numservices": len(ports), "services": services})


def unfinished(command_line: str, started_ns: int) -> str:
    """A valid document that says that the run didn't come to its end: what stands in the file until it has."""
    started = started_ns // 1_000_000_000
    attributes = {"scanner": "nmap", "args": command_line, "start": started, "startstr": _date(started)}
    attributes |= {"version": f"netprobe {__version__}", "xmloutputversion": _OUTPUT_VERSION}
    finished = {"time": started, "elapsed": "0.00", "exit": "error", "errormsg": "the run did not come to its end"}
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE nmaprun>\n'
        + _open("nmaprun", attributes)
        + _empty("verbose", {"level": 0})
        + _empty("debugging", {"level": 0})
        + "<runstats>"
        + _empty("finished", finished)
        + _empty("hosts", {"up": 0, "down": 0, "total": 0})
        + "</runstats>\n</nmaprun>\n"
    )


class _Told:
    """One host in XML."""

    def __init__(self, address: str, host: _Host) -> None:
        self._address = address
        self._host = host
        found = [finding.first for port in host.ports.values() for finding in port.values()]
        answers = (v for v in found if v["state"] in _ANSWERS and v["reason_address"] in (None, address))
        self._answer: Json | None = next(answers, None)
        self.up = self._answer is not None

    def lines(self, start: int, finish: int) -> Iterator[str]:
        bare = self._address.partition("%")[0]
        answer = self._answer
        yield _open("host", {"starttime": start, "endtime": finish})
        yield _empty(
            "status",
            {
                "state": "up" if answer is not None else "unknown",
                "reason": answer["reason"] if answer is not None else "no-response",
                "reason_ttl": (answer["reason_ttl"] or 0) if answer is not None else 0,
            },
        )
        yield _empty("address", {"addr": bare, "addrtype": "ipv6" if ":" in bare else "ipv4"})
        names = "".join(_empty("hostname", {"name": excerpt(name), "type": "user"}) for name in self._host.names)
        yield f"<hostnames>{names}</hostnames>\n<ports>\n"
        for number, findings in self._host.ports.items():
            yield from _port(number, list(findings.values()), bare)
        yield "</ports>\n"
        traced = next((v for v in self._firsts() if v["path"]), None)
        if traced is not None:
            yield _trace(traced)
        yield "</host>\n"

    def _firsts(self) -> Iterator[Json]:
        for port in self._host.ports.values():
            for finding in port.values():
                yield finding.first


def _port(number: int, findings: Sequence[Finding], address: str) -> Iterator[str]:
    most = max(findings, key=lambda one: one.count).first  # the first of equals
    yield _open("port", {"protocol": "tcp", "portid": number}).rstrip("\n")
    other = most["reason_address"]
    yield _empty(
        "state",
        {
            "state": most["state"], "reason": most["reason"], "reason_ttl": most["reason_ttl"] or 0,
            "reason_ip": other if other not in (None, address) else None,
        },
    )  # fmt: skip
    service = next((one.first["service"] for one in findings if (one.first["service"] or {}).get("protocol")), None)
    if service is not None:
        yield _service(service)
    yield _script(findings)
    yield "</port>\n"


def _service(service: Json) -> str:
    attributes: dict[str, object] = {"name": excerpt(service["protocol"])}
    said = _SSH.fullmatch(service["identification"] or "")
    if said is not None:
        attributes |= {"product": excerpt(said[2]), "version": excerpt(said[3])}
        attributes["extrainfo"] = "; ".join([*([excerpt(said[4])] if said[4] else []), f"protocol {said[1]}"])
    return _empty("service", attributes | {"method": "probed", "conf": 10})


def _script(findings: Iterable[Finding]) -> str:
    """The verdicts of one port, for people and for programs."""
    said, tables = [], []
    for one in findings:
        v = one.first
        times = f"{one.count} attempts: " if one.count > 1 else ""
        because = f": {'; '.join(v['because'])}" if v["because"] else ""
        said.append(f"{times}{v['cause']} ({v['certainty']}, {v['rule']}){because}")
        tables.append(_table(v, one.count))
    output = "".join(f"\n  {_text(one)}" for one in said)
    return f'<script id="netprobe" output="{_quoted(output)}">\n{"".join(tables)}</script>'


def _table(v: Json, count: int) -> str:
    origin, service = v["origin"], v["service"] or {}
    first = v["evidence"][0] if v["evidence"] else {}
    elements = {
        "cause": v["cause"], "state": v["state"], "reason": v["reason"], "certainty": v["certainty"],
        "rule": v["rule"], "count": count, "target": v["target"], "origin": origin["kind"],
        "origin_address": origin["address"], "origin_hop": origin["hop"],
        "reason_address": v["reason_address"], "conn_state": v["conn_state"] or None, "history": v["history"] or None,
        "rtt_ms": v["rtt_ms"], "identification": service.get("identification"), "time": first.get("time"),
    }  # fmt: skip
    lists = {
        "because": v["because"],
        "or_it_is": [f"{rival['cause']}: {rival['because']}" for rival in v["alternatives"]],
        "to_do": v["remedy"],
        "evidence": [f"frame {cited['frame']}: {cited['what']}" for cited in v["evidence"]],
        "notes": v.get("notes", ()),
    }
    told = [_element(name, value) for name, value in elements.items() if value is not None]
    for name, items in lists.items():
        if items:
            told.append(f'<table key="{name}">' + "".join(_element(None, item) for item in items) + "</table>\n")
    return "<table>\n" + "".join(told) + "</table>\n"


def _element(key: str | None, value: object) -> str:
    named = f' key="{key}"' if key else ""
    return f"<elem{named}>{xml_escape(_text(str(value)))}</elem>\n"


def _trace(v: Json) -> str:
    hops = "".join(
        _empty("hop", {"ttl": hop["hop"], "ipaddr": hop["address"], "rtt": hop["rtt_ms"] or "--"})
        for hop in v["path"]
        if hop["address"] is not None
    )
    return _open("trace", {"port": v["port"], "proto": "tcp"}).rstrip("\n") + hops + "</trace>\n"


def _unresolved(host: _Host) -> Iterator[str]:
    """Names without an address: nmap's own element, and the verdict after it."""
    for findings in host.ports.values():
        for one in findings.values():
            specification = excerpt(one.first["target"])
            yield _empty("target", {"specification": specification, "status": "skipped", "reason": "invalid"}) + "\n"
    everything = [one for findings in host.ports.values() for one in findings.values()]
    yield f"<prescript>{_script(everything)}</prescript>\n"


def _run(report: Report) -> Iterator[str]:
    """What is to be known of the run as a whole."""
    capture = report.capture
    elements: dict[str, object] = {"command": report.command, "mode": report.mode, "packets": capture.packets}
    elements |= {"dropped": capture.dropped, "unsolicited": capture.unsolicited}
    told = [_element(name, value) for name, value in elements.items()]
    if capture.damage:
        told.append('<table key="damage">' + "".join(_element(None, each) for each in capture.damage) + "</table>\n")
    output = f"{capture.packets} packets, {capture.dropped} dropped, {capture.unsolicited} unsolicited"
    yield f'<postscript><script id="netprobe-run" output="{output}">{"".join(told)}</script></postscript>\n'


# --------------------------------------------------------------------------- text


def _text(text: str) -> str:
    return excerpt(text, _LONGEST)


def _quoted(text: str) -> str:
    """The value of an attribute; of control characters only the line ends that we put there ourselves."""
    lines = (xml_escape(escape(line), {'"': "&quot;"}) for line in text.split("\n"))
    return "&#xa;".join(lines)


def _attributes(attributes: _Attributes) -> str:
    return "".join(f' {name}="{_quoted(str(value))}"' for name, value in attributes.items() if value is not None)


def _empty(name: str, attributes: _Attributes) -> str:
    return f"<{name}{_attributes(attributes)}/>"


def _open(name: str, attributes: _Attributes) -> str:
    return f"<{name}{_attributes(attributes)}>\n"


def _date(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%a %b %d %H:%M:%S %Y}"


def _elapsed(report: Report) -> str:
    return f"{max(report.finished_ns - report.started_ns, 0) / 1e9:.2f}"


def _ranges(ports: Sequence[int]) -> Iterator[str]:
    """22,80-82 as nmap writes lists of ports."""
    begin = end = None
    for port in [*ports, None]:
        if end is not None and port == end + 1:
            end = port
            continue
        if begin is not None:
            yield str(begin) if begin == end else f"{begin}-{end}"
        begin = end = port
