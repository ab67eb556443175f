"""What the reading of logins gives on the recorded matrix, counted; the tables of docs/ssh-login.md."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from netprobe.model import Auth, Certainty, Outcome
from tests.ssh_matrix.replay import Login, logins

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "ssh-login.md"
BEGIN, END = "<!-- measured: make ssh-score -->\n", "<!-- /measured -->\n"


@cache
def measured() -> tuple[Login, ...]:
    """Every recorded login, read."""
    return tuple(logins(ROOT / "captures" / "ssh"))


def marks(login: Login) -> Iterator[str]:
    """What is right and wrong about one reading."""
    auth, told = login.auth, login.entry
    if auth is None:
        yield "unknown"
        return
    right = str(auth.outcome) == told["outcome"]
    yield "unknown" if auth.outcome is Outcome.UNKNOWN else "right" if right else "wrong"
    if auth.certainty is Certainty.CERTAIN:
        yield "certain" if right else "wrong and certain"
    yield "attempts right" if auth.attempts == told["attempts"] else "attempts wrong"
    if auth.attempts != told["attempts"] and auth.attempts_certainty is Certainty.CERTAIN:
        yield "wrong and certain"
    for name, mine in (("key_accepted", auth.key_accepted), ("partial", auth.partial)):
        yield f"{name} {'unknown' if mine is None else 'right' if mine == told[name] else 'wrong'}"
    yield _methods(auth, set(told.get("methods", ())))


def _methods(auth: Auth, told: set[str]) -> str:
    if not told:
        return "no methods listed"
    if set(auth.methods) == told:
        return "methods right"
    if any(set(one) == told for one in auth.methods_or):
        return "methods among the possible"
    return "methods wrong" if auth.methods else "methods unknown"


def table(title: str, key: Callable[[Login], str]) -> Iterator[str]:
    """One row for each of what `key` gives."""
    counts: dict[str, Counter[str]] = {}
    for login in measured():
        one = counts.setdefault(key(login), Counter())
        one.update(["logins", *marks(login)])
    every = sum(counts.values(), Counter())
    yield f"| {title} | logins | outcome right | of them certain | unknown | wrong | attempts right |\n"
    yield "|---|---|---|---|---|---|---|\n"
    for name, one in [*sorted(counts.items()), ("all", every)]:
        numbers = (one[what] for what in ("logins", "right", "certain", "unknown", "wrong", "attempts right"))
        yield f"| {name} | {' | '.join(map(str, numbers))} |\n"


def document() -> str:
    """The measured part of docs/ssh-login.md."""
    every = Counter(mark for login in measured() for mark in marks(login))
    count = len(measured())
    said = (
        f"{count} logins: {every['right']} outcomes right ({every['certain']} of them certain), "
        f"{every['unknown']} said to be unknown, {every['wrong']} wrong, "
        f"{every['wrong and certain']} wrong and certain. "
        f"Attempts right: {every['attempts right']} ({100 * every['attempts right'] / count:.1f} %). "
        f"First list of methods: {every['methods right']} right, {every['methods among the possible']} among the lists "
        f"of the same size, {every['methods wrong']} wrong, {every['methods unknown']} not told. "
        f"Key accepted: {every['key_accepted wrong']} wrong. Partial success: {every['partial wrong']} wrong, "
        f"{every['partial unknown']} not told."
    )
    return "\n".join(
        [
            textwrap.fill(said, 140) + "\n",
            "".join(table("server, client", lambda one: f"{one.pair[0]}, {one.pair[1]}")),
            "".join(table("cipher and MAC", lambda one: one.entry["cipher"])),
            "".join(table("what happened", lambda one: one.entry["outcome"])),
            "".join(table("plan", lambda one: one.entry["plan"])),
            "Not right, with what was said:\n",
            "".join(_missed()) or "- none\n",
        ]
    )


def _missed() -> Iterator[str]:
    missed: dict[tuple[str, ...], set[str]] = {}
    counts: Counter[tuple[str, ...]] = Counter()
    for one in measured():
        if one.auth is None or str(one.auth.outcome) != one.entry["outcome"]:
            said = (str(one.auth.outcome), one.auth.reason) if one.auth else ("nothing", "")
            key = (*said, str(one.entry["outcome"]), one.pair[1])
            missed.setdefault(key, set()).add(one.entry["plan"])
            counts[key] += 1
    for found, plans in sorted(missed.items()):
        outcome, reason, truth, client = found
        yield f"- {counts[found]} of {client}, {truth}, said to be {outcome} ({reason}): {'; '.join(sorted(plans))}\n"


def write() -> int:
    """Put the measured part into the document. Exit code."""
    text = DOCUMENT.read_text()
    before, after = text[: text.index(BEGIN) + len(BEGIN)], text[text.index(END) :]
    DOCUMENT.write_text(f"{before}\n{document()}\n{after}", "utf-8")
    return 0
