"""The server's diagnosis for a person at a terminal: the five reasons, the findings, what could not be told.

House rules of this file:
1. Everything that came from the machine passes through `escape`: file names, rules, messages, accounts.
2. Commands are never folded: they are there to be copied.
3. Nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from netprobe.doctor.finding import Diagnosis, Reason, Result, Ruling, Status
from netprobe.report.columns import wrap
from netprobe.report.escape import escape

WORDS = {
    Reason.DOWN: "daemon down",
    Reason.NOT_INSTALLED: "not installed",
    Reason.WRONG: "wrong port or credentials",
    Reason.CLOSED: "port closed",
    Reason.FIREWALL: "firewall",
}
STATES = {
    "ruled-in": ("YES", "31"),
    "partly": ("partly", "33"),
    "ruled-out": ("no", "32"),
    "unknown": ("can't tell", "35"),
}
COMMAND_WORDS = ("sudo ", "ssh ", "systemctl ", "ip ", "docker ", "getent ", "ps ", "mount ", "echo ")
BEYOND = (
    "Not to be seen from here: a cloud's security groups, and firewalls on the way. `netprobe scan`, run on the "
    "client, sees those."
)
_LABEL = 7
WATCHED = "ND601"


def render(found: Diagnosis, *, width: int | None = None, verbosity: int = 0, colour: bool = False) -> str:
    """The whole report as text with a final line end. `verbosity`: -1 the five reasons only, 0 findings and what
    could not be told, 1 every check with its evidence, 2 also those that do not apply."""
    blocks = ["\n".join(_head(found, width)), "\n".join(_reasons(found, width, colour))]
    if watched := "\n".join(_watched(found, width, verbosity)):
        blocks.insert(1, watched)
    if verbosity >= 0:
        if not found.findings:
            blocks.append(
                "Nothing was found that keeps clients out"
                + ("." if found.measured else ", as far as that can be told.")
            )
        blocks += ["\n".join(_finding(at, one, width, colour)) for at, one in enumerate(found.findings, 1)]
        blocks += list(_others(found, width, verbosity))
        if not any(one.status is Status.FAULT for one in found.results):
            blocks.append("\n".join(_folded(BEYOND, width, "")))
    return "\n\n".join(blocks) + "\n"


def _head(found: Diagnosis, width: int | None) -> Iterator[str]:
    facts = found.facts
    system = facts.system
    when = datetime.fromtimestamp(max(0, min(facts.taken, 253_402_300_799)), UTC)
    who = "as root" if system.root else "as an ordinary user: run it with sudo to see more"
    name = escape(system.name or system.distribution or "an unknown system")
    yield from _folded(f"{name}, {when:%Y-%m-%d %H:%M:%S} UTC, {who}", width, "")
    asked = [f"port {facts.asked.port}"]
    asked += [f"user {escape(facts.asked.user)}"] if facts.asked.user else []
    asked += [f"a client at {escape(facts.asked.source)}"] if facts.asked.source else []
    yield from _folded(f"Asked about {', '.join(asked)}", width, "")


def _reasons(found: Diagnosis, width: int | None, colour: bool) -> Iterator[str]:
    yield "Is it one of the five usual reasons?"
    for one in found.reasons:
        word, paint = STATES[one.state]
        cell = f"{word:<12}"
        lines = _folded(f"{WORDS[one.reason]}: {_told(one)}", width, " " * len(cell), cell)
        if colour:
            lines[0] = f"\x1b[{paint}m{cell}\x1b[0m{lines[0][len(cell) :]}"
        yield from lines


def _watched(found: Diagnosis, width: int | None, verbosity: int) -> Iterator[str]:
    """What became of the client's marked SYNs, where somebody watched; what is to be done stands with the findings."""
    if found.facts.watch is None:
        return
    yield f"Watched for {found.facts.watch.seconds:.0f} s:"
    for one in found.results:
        if one.check == WATCHED:
            yield from _folded(f"{escape(one.says)} [{one.check}]", width, "    ", "  ")
            if not one.finding and verbosity >= 0:
                yield from _labelled("seen", one.because, width)
                yield from _labelled("do", one.remedy, width)


def _told(one: Ruling) -> str:
    checks = f" [{', '.join(one.checks)}]" if one.checks else ""
    return escape(one.because) + checks


def _finding(at: int, one: Result, width: int | None, colour: bool) -> Iterator[str]:
    start = f"{at}. " if one.status is Status.FAULT else f"{at}. (risk) "
    lines = list(_folded(f"{escape(one.says)} [{one.check}]", width, "   ", start))
    if colour:
        lines = [f"\x1b[1m{line}\x1b[0m" for line in lines]
    yield from lines
    yield from _labelled("seen", one.because, width)
    yield from _labelled("by", (one.source,) if one.source else (), width)
    yield from _labelled("do", one.remedy, width)


def _labelled(label: str, texts: tuple[str, ...], width: int | None) -> Iterator[str]:
    for at, text in enumerate(texts):
        start = f"   {label if at == 0 else '':<{_LABEL}}"
        shown = escape(text)
        if label == "do" and shown.startswith(COMMAND_WORDS):
            yield start + shown
        else:
            yield from _folded(shown, width, " " * len(start) + ("  " if label == "seen" else ""), start)


def _others(found: Diagnosis, width: int | None, verbosity: int) -> Iterator[str]:
    titles = [(Status.UNKNOWN, "Can't tell:")]
    titles += [(Status.FINE, "Fine:")] if verbosity > 0 else []
    titles += [(Status.NOT_APPLICABLE, "Does not apply:")] if verbosity > 1 else []
    for status, title in titles:
        lines: list[str] = []
        for one in found.results:
            if one.status is status and not (one.check == WATCHED and found.facts.watch is not None):
                why = f" {escape(one.because[0])}" if status is Status.UNKNOWN and one.because else ""
                lines += _folded(escape(one.says) + why, width, " " * 8, f"  {one.check} ")
                if verbosity > 0:
                    rest = one.because[1:] if status is Status.UNKNOWN else one.because
                    lines += [line for text in rest for line in _folded(escape(text), width, " " * 12, " " * 10)]
        if lines:
            yield "\n".join([title, *lines])


def _folded(text: str, width: int | None, indent: str, first: str = "") -> list[str]:
    if width is None:
        return [first + text]
    return wrap(text, max(width, len(indent) + 20), first=first, rest=indent) or [first.rstrip()]
