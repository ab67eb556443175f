"""The page of a server's diagnosis: the five reasons, the findings, the way through the firewall, all facts.

House rules of this file:
1. Nothing is decided here: results, rulings and walks are the doctor's own.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from netprobe.doctor.checks.filters import unseen, walks
from netprobe.doctor.facts import Facts, Saved
from netprobe.doctor.finding import Diagnosis, Result, Status
from netprobe.doctor.firewall import Kind, Walk
from netprobe.doctor.firewall.model import Outcome
from netprobe.doctor.saved import plain
from netprobe.report.doctor import BEYOND, COMMAND_WORDS, STATES, WATCHED, WORDS
from netprobe.report.html import world

_ANSWERS = {"syn-ack": "The SYN-ACK on its way back", "rst": "A reset on its way back", "reject": "The refusal itself"}
_GROUPS = (
    (Status.UNKNOWN, "Can't tell"),
    (Status.FINE, "Fine"),
    (Status.NOT_APPLICABLE, "Does not apply"),
)
# Fields of the facts that are told elsewhere on the page, or about themselves.
_TOLD = {"schema", "taken", "seconds", "asked", "system", "gaps"}


def render(found: Diagnosis, environment: Mapping[str, str], *, interrupted: bool = False) -> Iterator[str]:
    """The page in pieces. `environment`: what it was made with, name by name. Raises ImportError without jinja2."""
    facts = found.facts
    faults = [one for one in found.findings if one.status is Status.FAULT]
    values = {
        "command": "doctor",
        "interrupted": interrupted,
        "headline": _headline(found),
        "asked": _asked(facts),
        "reasons": [(WORDS[one.reason], one, STATES[one.state][0]) for one in found.reasons],
        "watched": [one for one in found.results if one.check == WATCHED] if facts.watch is not None else [],
        "seconds": facts.watch.seconds if facts.watch is not None else 0,
        "findings": [_finding(one) for one in found.findings],
        "nothing": None if found.findings else _nothing(found),
        "beyond": None if faults else BEYOND,
        "ways": list(_ways(facts)),
        "unseen": unseen(facts),
        "groups": [
            (title, [one for one in found.results if one.status is status and not _is_watched(one, facts)])
            for status, title in _GROUPS
        ],
        "facts": list(_facts(facts)),
        "environment": _environment(facts, environment),
    }
    yield from world.generate("doctor.html", values)


def _headline(found: Diagnosis) -> str:
    count = len(found.findings)
    if not count:
        return _nothing(found)
    more = f" ({count - 1} more finding{'s' if count > 2 else ''})" if count > 1 else ""
    return found.findings[0].says.rstrip(".") + more


def _nothing(found: Diagnosis) -> str:
    said = "Nothing was found that keeps clients out"
    return said if found.measured else f"{said}, as far as that can be told"


def _is_watched(one: Result, facts: Facts) -> bool:
    return one.check == WATCHED and facts.watch is not None


def _asked(facts: Facts) -> str:
    asked = [f"port {facts.asked.port}"]
    asked += [f"user {facts.asked.user}"] if facts.asked.user else []
    asked += [f"a client at {facts.asked.source}"] if facts.asked.source else []
    return ", ".join(asked)


def _finding(one: Result) -> dict[str, Any]:
    word = "keeps clients out" if one.status is Status.FAULT else "a risk"
    todo = [(text, text.startswith(COMMAND_WORDS)) for text in one.remedy]
    return {"one": one, "word": word, "fault": one.status is Status.FAULT, "todo": todo}


def _environment(facts: Facts, environment: Mapping[str, str]) -> list[tuple[str, str]]:
    system = facts.system
    taken = datetime.fromtimestamp(max(0, min(facts.taken, 253_402_300_799)), UTC)
    found = [
        ("server", system.name or system.distribution or "an unknown system"),
        ("its kernel", system.kernel or "not known"),
        ("its init", system.init),
        ("container", system.container or "no"),
        ("asked about", _asked(facts)),
        ("facts taken", f"{taken:%Y-%m-%d %H:%M:%S} UTC, in {facts.seconds:.1f} s"),
        ("taken", "as root" if system.root else "as an ordinary user, who doesn't see everything"),
    ]
    return [*found, *environment.items()]


# --------------------------------------------------------------------------- the way through the firewall


def _ways(facts: Facts) -> Iterator[dict[str, Any]]:
    """By IP version: the SYN's way, what only happens at times, and the way of what answers."""
    if unseen(facts):
        return
    for family, walk in walks(facts, facts.asked.port):
        whom = f"from {facts.asked.source}" if facts.asked.source else "from anywhere"
        yield {
            "family": family,
            "title": f"IPv{family}: a SYN {whom} to port {facts.asked.port}",
            "ends": [_end(walk, walk.decided, "")] if walk.verdict is not Kind.UNSURE else _unsure(walk),
            "sure": walk.verdict is not Kind.UNSURE,
            "reason": walk.reason,
            "sometimes": [_end(walk, one, "At times: ") for one in walk.sometimes],
            "back": [
                {"title": _ANSWERS.get(name, name), "end": _end(back, back.decided, ""), "reason": back.reason}
                for name, back in walk.back.items()
            ],
        }


def _unsure(walk: Walk) -> list[dict[str, Any]]:
    return [_end(walk, one, "Perhaps: ") for one in walk.possible or (walk.decided,)]


def _end(walk: Walk, end: Outcome, when: str) -> dict[str, Any]:
    """One end that a packet can come to, with the rules on the way; the last one decides."""
    says = "unsure" if end.kind is Kind.UNSURE else end.says
    if walk.destination is not None and end is walk.decided:
        address, port = walk.destination
        says += f", {'forwarded' if walk.forwarded else 'redirected'} to {address} port {port}"
    steps = [
        {
            "hook": step.hook,
            "where": step.where if step.chain is not None else "the kernel",
            "rule": step.rule.text if step.rule is not None else "",
            "mark": _mark(step.rule.handle, step.rule.number) if step.rule is not None else "",
            "what": step.what,
            "decides": at == len(end.path) - 1 and end.kind in {Kind.DROP, Kind.REJECT},
        }
        for at, step in enumerate(end.path)
    ]
    return {"says": when + says, "stops": end.kind in {Kind.DROP, Kind.REJECT}, "steps": steps,
            "conditions": end.conditions}  # fmt: skip


def _mark(handle: int | None, number: int) -> str:
    return f"handle {handle}" if handle is not None else f"rule {number}"


# --------------------------------------------------------------------------- the facts


def _facts(facts: Facts) -> Iterator[dict[str, Any]]:
    """Every field as text with its own lines; what isn't known says why."""
    for field in dataclasses.fields(facts):
        if field.name in _TOLD:
            continue
        value = getattr(facts, field.name)
        title = field.name.replace("_", " ")
        if value is None:
            yield {"title": title, "count": None, "text": "", "why": facts.why(field.name)}
            continue
        count = len(value) if isinstance(value, tuple | Mapping) else None
        yield {"title": title, "count": count, "text": _text(value), "why": ""}


def _text(value: Any) -> str:
    if isinstance(value, Saved):
        return f"# {value.by}\n{_listing(value.text)}"
    if isinstance(value, tuple) and value and all(isinstance(one, Saved) for one in value):
        return "\n\n".join(_text(one) for one in value)
    return json.dumps(plain(value), indent=1, ensure_ascii=False) if value not in ((), {}) else "none"


def _listing(text: str) -> str:
    """What a firewall's command printed; nft's JSON, which is one line, with a line for each object."""
    if not text.startswith("{"):
        return text
    try:
        objects = json.loads(text)["nftables"]
        return "\n".join(json.dumps(one, ensure_ascii=False) for one in objects)
    except (ValueError, LookupError, TypeError, RecursionError):
        return text
