"""What a check's id means: a page for `netprobe explain ND301`, and the list of all."""

from __future__ import annotations

from netprobe.doctor.checks import BY_ID
from netprobe.doctor.finding import Check


def page(text: str) -> str | None:
    """The page of a check, by its id or its name; None where there is none."""
    word = text.strip()
    found = BY_ID.get(word.upper()) or next((one for one in BY_ID.values() if one.name == word), None)
    return _page(found) if found else None


def names() -> list[str]:
    """Every id and name that has a page."""
    return [word for one in BY_ID.values() for word in (one.id, one.name)]


def listing() -> str:
    """All checks, a line each."""
    width = max(len(one.name) for one in BY_ID.values())
    rows = (f"  {one.id}  {one.name:{width}}  {one.title}" for one in BY_ID.values())
    return "\n".join(["Checks of netprobe doctor: netprobe explain ND301", "", *rows]) + "\n"


def _page(one: Check) -> str:
    lines = [f"## {one.id}: {one.name}", "", "A check of `netprobe doctor`, on the server.", ""]
    lines += [f"It is fine when: {one.title[0].lower() + one.title[1:] if one.title[1].islower() else one.title}.", ""]
    if one.reasons:
        needs = "; while it can't tell, that can't be ruled out" if one.decisive else ""
        lines += [f"It bears on: {', '.join(reason.value for reason in one.reasons)}{needs}.", ""]
    lines += ["To see what it finds: sudo netprobe doctor -v", "What every check reads: docs/doctor.md"]
    return "\n".join(lines) + "\n"
