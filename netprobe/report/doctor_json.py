"""The server's diagnosis as one JSON document (docs/doctor.md); doctor_schema.json beside this file is its JSON Schema.

House rules of this file:
1. Pure ASCII and valid JSON whatever the machine holds; half a surrogate pair becomes the six characters of its escape.
2. Every key is always there.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from netprobe.doctor.facts import Watch
from netprobe.doctor.finding import Diagnosis, Result, Ruling, Status
from netprobe.doctor.fingerprint import fate

SCHEMA = "netprobe-doctor/1"


def document(found: Diagnosis) -> str:
    """The whole diagnosis, indented, with a line end."""
    facts = found.facts
    whole = {
        "schema": SCHEMA,
        "taken": f"{datetime.fromtimestamp(max(0, min(facts.taken, 253_402_300_799)), UTC):%Y-%m-%dT%H:%M:%SZ}",
        "seconds": facts.seconds,
        "asked": {"port": facts.asked.port, "user": facts.asked.user, "source": facts.asked.source},
        "system": {
            "distribution": facts.system.distribution,
            "name": facts.system.name,
            "init": facts.system.init,
            "root": facts.system.root,
        },
        "reasons": [_ruling(one) for one in found.reasons],
        "results": [_result(one) for one in found.results],
        "watch": _watch(facts.watch),
        "summary": {status.value: sum(one.status is status for one in found.results) for status in Status},
    }
    return json.dumps(_whole(whole), indent=2, ensure_ascii=True).replace("\x7f", "\\u007f") + "\n"


def _watch(one: Watch | None) -> dict[str, Any] | None:
    """What --watch saw, and the word for it; numbers by signal, a list with one for each round."""
    if one is None:
        return None
    heard = [(rounds, fate.fate(rounds)) for rounds in one.heard]
    return {
        "seconds": one.seconds,
        "ended": one.ended,
        "heard": [
            {
                "family": rounds.family,
                "fate": what.word,
                "then": list(what.then) if what.then else None,
                "certain": what.certain,
                "by": rounds.by,
                "at_s": rounds.at_s,
                "chance": rounds.chance,
                "sizes": list(rounds.sizes),
                "excess": {name: list(row) for name, row in rounds.excess.items()},
                "noise": dict(rounds.noise),
                "tail": dict(rounds.tail),
            }
            for rounds, what in heard
        ],
    }


def _ruling(one: Ruling) -> dict[str, Any]:
    return {"reason": one.reason.value, "state": one.state, "because": one.because, "checks": list(one.checks)}


def _result(one: Result) -> dict[str, Any]:
    return {
        "check": one.check,
        "name": one.name,
        "status": one.status.value,
        "says": one.says,
        "because": list(one.because),
        "remedy": list(one.remedy),
        "source": one.source,
        "causes": list(one.causes),
        "reasons": [reason.value for reason in one.reasons],
    }


def _whole(value: Any) -> Any:
    """The same without lone surrogates, which most readers of JSON refuse."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, dict):
        return {_whole(key): _whole(one) for key, one in value.items()}
    return [_whole(one) for one in value] if isinstance(value, list) else value
