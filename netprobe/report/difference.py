"""What two results differ in, as data, and told for people and for programs (docs/diff.md).

House rules of this file:
1. Values come from strangers' machines: they go through `escape` before they are shown; JSON gives them back as they
   were.
2. A change names its trait, what it was and what it is, each with how many attempts showed it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from netprobe.report.columns import wrap
from netprobe.report.escape import excerpt
from netprobe.report.json import SCHEMA
from netprobe.report.summary import endpoint

_MOST = 4  # values of one trait that are shown
_LABEL = 24
_LONGEST = 1000  # characters of one sentence


@dataclass(frozen=True, slots=True)
class Change:
    """One trait that differs. Values with how many attempts showed each, the most frequent first; of lists of names
    (`added`, `gone`) only what differs is told."""

    trait: str
    old: Mapping[str, int]
    new: Mapping[str, int]
    added: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Side:
    """What one result has of a place."""

    attempts: int
    causes: Mapping[str, int]
    because: tuple[str, ...] = ()
    remedy: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One target and port that differs. `status`: changed, new (only in the new result) or gone."""

    target: str
    address: str | None
    port: int
    status: str
    old: Side | None = None
    new: Side | None = None
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One of the two results. `kind`: json, jsonl, bundle or capture. `damage`: what was wrong with a capture."""

    name: str
    kind: str
    verdicts: int
    mode: str | None = None
    started: str | None = None
    dropped: int = 0
    damage: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The whole comparison. `same`: places that don't differ. `notes`: what keeps some things from being compared."""

    old: Source
    new: Source
    places: tuple[Place, ...]
    same: int
    notes: tuple[str, ...] = field(default=())

    @property
    def changed(self) -> bool:
        """Whether anything differs."""
        return bool(self.places)

    @property
    def empty(self) -> bool:
        """Whether there was nothing to compare."""
        return not self.places and not self.same


# --------------------------------------------------------------------------- for people


def render(found: Difference, *, width: int | None, verbosity: int) -> str:
    """The comparison as text. `width`: columns of the terminal, None without one; `verbosity` below 0: one line for
    each place."""
    lines: list[str] = []
    for place in found.places:
        lines.append(_headline(place))
        if verbosity >= 0:
            lines += _rows(place, width)
            lines.append("")
    if lines and lines[-1] != "":
        lines.append("")
    counts = [(status, sum(place.status == status for place in found.places)) for status in ("changed", "new", "gone")]
    told = [f"{count} {status}" for status, count in counts if count]
    told.append(f"{found.same} the same")
    total = found.same + len(found.places)
    lines.append(f"{total} target{'s' if total != 1 else ''}: {', '.join(told)}")
    if verbosity >= 0:
        for note in found.notes:
            lines += _folded(f"note: {excerpt(note)}", "", "      ", width)
    return "\n".join(lines) + "\n"


def _headline(place: Place) -> str:
    where = endpoint(place.address or place.target, place.port)
    name = f" ({excerpt(place.target)})" if place.address is not None and place.target != place.address else ""
    if place.status == "changed":
        causes = next((change for change in place.changes if change.trait == "cause"), None)
        what = _both(causes) if causes else ", ".join(change.trait for change in place.changes)
        return f"{where}{name}: {what}"
    side = place.new if place.status == "new" else place.old
    return f"{where}{name}: {place.status}, {_values(side.causes) if side else ''}"


def _rows(place: Place, width: int | None) -> Iterator[str]:
    for change in place.changes:
        yield from _row(change.trait, _both(change), width)
    side = place.new
    if side is not None and set(side.causes) != {"up"} and any(c.trait == "cause" for c in place.changes):
        for label, texts in (("because", side.because), ("to do", side.remedy)):
            for n, text in enumerate(texts):
                yield from _row("" if n else label, excerpt(text, _LONGEST), width)


def _row(label: str, text: str, width: int | None) -> list[str]:
    head = f"  {label:{_LABEL}}"
    return _folded(text, head, " " * len(head), width)


def _folded(text: str, first: str, rest: str, width: int | None) -> list[str]:
    return [first + text] if width is None else wrap(text, width, first=first, rest=rest) or [first]


def _both(change: Change) -> str:
    if change.added or change.gone:
        told = [*(f"-{name}" for name in change.gone), *(f"+{name}" for name in change.added)]
        return excerpt(" ".join(told) if told else "in another order")
    return f"{_values(change.old)} -> {_values(change.new)}"


def _values(values: Mapping[str, int]) -> str:
    if len(values) == 1:
        return excerpt(next(iter(values)))
    told = [f"{excerpt(value)} ({count})" for value, count in list(values.items())[:_MOST]]
    if len(values) > _MOST:
        told.append(f"{len(values) - _MOST} more")
    return ", ".join(told) or "-"


# --------------------------------------------------------------------------- for programs


def document(found: Difference) -> str:
    """The comparison as JSON (difference_schema.json)."""
    value = {
        "schema": SCHEMA,
        "command": "diff",
        "old": _source(found.old),
        "new": _source(found.new),
        "changed": found.changed,
        "places": [_place(place) for place in found.places],
        "same": found.same,
        "notes": list(found.notes),
    }
    return json.dumps(value, indent=2, ensure_ascii=True).replace("\x7f", "\\u007f") + "\n"


def _source(source: Source) -> dict[str, Any]:
    return {
        "file": source.name, "kind": source.kind, "verdicts": source.verdicts, "mode": source.mode,
        "started": source.started, "dropped": source.dropped, "damage": list(source.damage),
    }  # fmt: skip


def _place(place: Place) -> dict[str, Any]:
    return {
        "target": place.target, "address": place.address, "port": place.port, "status": place.status,
        "old": _side(place.old), "new": _side(place.new), "changes": [_change(change) for change in place.changes],
    }  # fmt: skip


def _side(side: Side | None) -> dict[str, Any] | None:
    if side is None:
        return None
    return {
        "attempts": side.attempts, "by_cause": dict(side.causes), "because": list(side.because),
        "remedy": list(side.remedy),
    }  # fmt: skip


def _change(change: Change) -> dict[str, Any]:
    found: dict[str, Any] = {"trait": change.trait}
    for name, values in (("old", change.old), ("new", change.new)):
        found[name] = [{"value": value, "attempts": count} for value, count in values.items()]
    if change.added or change.gone:
        found |= {"added": list(change.added), "gone": list(change.gone)}
    return found


def names(values: Sequence[str]) -> str:
    """A list of names as one value."""
    return ",".join(values)
