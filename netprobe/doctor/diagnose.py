"""From facts to a diagnosis: all checks, the most decisive finding first, and the five reasons ruled in or out.

House rules of this file:
1. Pure. The same facts give the same diagnosis, today and elsewhere.
2. A reason is ruled out only where every check that decides about it could tell.
"""

from __future__ import annotations

from netprobe.doctor.checks import CHECKS
from netprobe.doctor.facts import Facts
from netprobe.doctor.finding import Diagnosis, Reason, Result, Ruling, Status

ORDER = {Status.FAULT: 0, Status.RISK: 1, Status.UNKNOWN: 2, Status.FINE: 3, Status.NOT_APPLICABLE: 4}


def diagnose(facts: Facts) -> Diagnosis:
    """What the facts come to."""
    results = [result for check in CHECKS for result in check(facts)]
    results.sort(key=lambda one: (ORDER[one.status], one.first if one.finding else 0, one.check))
    return Diagnosis(
        facts=facts, results=tuple(results), reasons=tuple(_ruling(facts, reason, results) for reason in Reason)
    )


def _ruling(facts: Facts, reason: Reason, results: list[Result]) -> Ruling:
    mine = [one for one in results if reason in one.reasons]
    faults = [one for one in mine if one.status is Status.FAULT]
    risks = [one for one in mine if one.status is Status.RISK]
    blind = [one for one in mine if one.status is Status.UNKNOWN and one.decisive]
    decisive = [one for one in mine if one.decisive and one.status in {Status.FINE, Status.NOT_APPLICABLE}]
    if faults or (risks and not blind):
        told = faults or risks
        return Ruling(reason=reason, state="ruled-in" if faults else "partly", because=told[0].says, checks=_ids(told))
    if blind:
        why = f" ({blind[0].because[0]})" if blind[0].because else ""
        return Ruling(reason=reason, state="unknown", because=blind[0].says.rstrip(".") + why, checks=_ids(blind))
    if reason is Reason.WRONG and facts.asked.user is None and decisive and decisive[0].status is Status.FINE:
        says = f"{decisive[0].says} Credentials were not asked about (--user NAME)."
        return Ruling(reason=reason, state="unknown", because=says, checks=_ids(decisive))
    if reason is Reason.WRONG:  # the port, and then the credentials
        decisive += [one for one in mine if one.name == "some-way-in" and one.status is Status.FINE]
    says = " ".join(one.says for one in decisive) or "No check says so."
    return Ruling(reason=reason, state="ruled-out", because=says, checks=_ids(decisive))


def _ids(results: list[Result]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.check for one in results))
