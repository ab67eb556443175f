"""The nouns of a diagnosis: a check, what it says, and the five reasons that open the report.

House rules of this file:
1. A check is a pure function from facts to results; it never raises for what facts hold.
2. A finding is something that keeps a client out (FAULT) or will at some time (RISK); everything else is no finding.
3. "Can't tell" has its reason.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from netprobe.doctor.facts import Facts


class Reason(StrEnum):
    """The five reasons that people are told to look for when a connection is refused."""

    DOWN = "daemon-down"
    NOT_INSTALLED = "not-installed"
    WRONG = "wrong-port-or-credentials"
    CLOSED = "port-closed"
    FIREWALL = "firewall"


class Status(StrEnum):
    """How a check ended."""

    FAULT = "fault"  # this keeps clients out
    RISK = "risk"  # this does so at times, for some, or from the next restart on
    FINE = "fine"
    UNKNOWN = "unknown"  # can't tell, and why
    NOT_APPLICABLE = "not-applicable"


FINDINGS = (Status.FAULT, Status.RISK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a check says. `causes` are the wire's words for what a client sees of it (docs/causes.md); `source` is the
    command or file that was read; `first` orders findings of one kind, the smaller the more decisive."""

    status: Status
    says: str
    because: tuple[str, ...] = ()
    remedy: tuple[str, ...] = ()
    source: str = ""
    causes: tuple[str, ...] = ()
    reasons: tuple[Reason, ...] = ()
    first: int = 50
    check: str = ""
    name: str = ""
    decisive: bool = False

    @property
    def finding(self) -> bool:
        """Whether it counts as one."""
        return self.status in FINDINGS


@dataclass(frozen=True, slots=True)
class Check:
    """One check. `reasons` are those of the five that it bears on; `decisive` says that they can't be ruled out
    while it can't tell."""

    id: str
    name: str
    title: str
    reasons: tuple[Reason, ...]
    decisive: bool
    function: Callable[[Facts], Result | tuple[Result, ...]] = field(repr=False)

    def __call__(self, facts: Facts) -> tuple[Result, ...]:
        """Its results, signed."""
        found = self.function(facts)
        results = found if isinstance(found, tuple) else (found,)
        return tuple(
            replace(one, check=self.id, name=self.name, decisive=self.decisive, reasons=one.reasons or self.reasons)
            for one in results
        )


def check(
    id_: str, *reasons: Reason, decisive: bool = False
) -> Callable[[Callable[[Facts], Result | tuple[Result, ...]]], Check]:
    """Makes a check of a function; its name and the first line of its docstring are the check's."""

    def made(function: Callable[[Facts], Result | tuple[Result, ...]]) -> Check:
        title = (function.__doc__ or "").strip().splitlines()[0].rstrip(".")
        return Check(id_, function.__name__.replace("_", "-"), title, reasons, decisive, function)

    return made


def fine(says: str, *because: str, source: str = "") -> Result:
    """Nothing wrong here."""
    return Result(status=Status.FINE, says=says, because=because, source=source)


def unknown(says: str, why: str) -> Result:
    """Can't tell, and why."""
    return Result(status=Status.UNKNOWN, says=says, because=(why,) if why else ())


def skipped(says: str) -> Result:
    """There is nothing of the kind here."""
    return Result(status=Status.NOT_APPLICABLE, says=says)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """One of the five reasons: ruled-in, ruled-out or unknown, by which evidence."""

    reason: Reason
    state: str
    because: str
    checks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """All that was found, the most decisive first."""

    facts: Facts
    reasons: tuple[Ruling, ...]
    results: tuple[Result, ...]

    @property
    def findings(self) -> tuple[Result, ...]:
        """Faults and risks, in their order."""
        return tuple(one for one in self.results if one.finding)

    @property
    def measured(self) -> bool:
        """Whether every check that decides about one of the five reasons could tell."""
        return not any(one.decisive and one.status is Status.UNKNOWN for one in self.results)
