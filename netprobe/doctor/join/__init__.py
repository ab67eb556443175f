"""Both ends together: what a server knows of itself, joined to what the packets say.

House rules of this package:
1. Pure: a verdict and facts in, a verdict out. Facts never overrule packets: they choose among the causes that the
   packets leave open, and where they fit none of them, that is said and the verdict stands.
2. rows.py is the table: for a cause, what strikes it out, and what proves it. Each says by which check.
3. `certain` only where the address is the machine's own and the facts were taken within five minutes of the packets.
   A box that nobody has seen is never accused with certainty.
"""

from __future__ import annotations

from dataclasses import replace

from netprobe.doctor.facts import Facts
from netprobe.doctor.fingerprint.fate import NEVER_ARRIVED
from netprobe.doctor.join.rows import said, would_answer_something
from netprobe.doctor.join.view import View, behind_translation, look, owns
from netprobe.model import Alternative, Certainty, Origin, OriginKind, Verdict

# Findings that prove what a client sees of them, whoever the client is.
PROVING = frozenset({"ND104", "ND107", "ND108", "ND203", "ND208", "ND306", "ND410", "ND502"})
# Causes that a server can't see: made by the client's own machine, or by a box that may act before the server.
BEYOND = frozenset(
    {
        *("reset-on-path", "rejected-on-path", "forward-without-backend", "transparent-proxy", "syn-proxy"),
        *("reset-after-handshake", "local-firewall", "host-unreachable", "network-unreachable", "path-mtu-black-hole"),
    }
)
MOMENT = (
    "the daemon may have been down at the moment of these packets",
    "scan again, and take the server's facts in the same minute",
)
RISING = (Certainty.POSSIBLE, Certainty.LIKELY, Certainty.CERTAIN)


def join(verdict: Verdict, facts: Facts) -> Verdict:
    """The verdict with what the server's facts add. One that is about another machine only gets a note that says so."""
    if verdict.address is None or verdict.cause == "up":
        return verdict
    exact = owns(facts, verdict.address)
    if not exact and not behind_translation(facts, verdict.address):
        return _noted(verdict, f"the server's facts were not used: {verdict.address} is no address of that machine")
    view = look(verdict, facts, exact=exact)
    joined = _before_the_host(chosen(verdict, view), view)
    notes = []
    if joined == verdict:
        notes.append("the server's facts decide nothing more about this verdict")
    elif not exact:
        notes.append(f"{verdict.address} is no address of the server: an address translation before it is assumed")
    if not view.fresh:
        notes.append("the server's facts were not taken at the time of these packets: what they add is no proof")
    return _noted(joined, *notes)


def chosen(verdict: Verdict, view: View) -> Verdict:
    """The verdict among the causes that its packets leave open: the first that is proven, else the first that isn't
    struck out."""
    causes = [verdict.cause, *(one.cause for one in verdict.alternatives)]
    proofs = {cause: told for cause in causes if (told := _proof(view, cause))}
    proven = next(iter(proofs), None)
    struck = {one: told for one in causes if one != proven and (told := said(view, one, proves=False))}
    lines = tuple(f"not {one}: {_by(*told)}" for one, told in struck.items())
    cause = proven or next((one for one in causes if one not in struck), None)
    if cause is None:
        disagree = "packets and facts don't agree: they may be of different moments, or a box answers for the server"
        return _noted(verdict, *lines, disagree)
    if not (proven or struck):
        return verdict
    left = tuple(one for one in verdict.alternatives if one.cause not in struck and one.cause != cause)
    if proven:
        return _proven(verdict, view, proven, proofs[proven], lines, left)
    certainty = verdict.certainty
    if cause != verdict.cause:
        own = next(one.because for one in verdict.alternatives if one.cause == cause)
        lines = (*lines, f"what is left is {cause}: {own}")
        certainty = Certainty.POSSIBLE if left else Certainty.LIKELY
    elif not left:
        # Silence has causes that nobody listed: what is left of it is never proven by being left.
        proof = _sure(view) and verdict.reason != "no-response"
        certainty = _raised(certainty, Certainty.CERTAIN if proof else Certainty.LIKELY)
    return replace(verdict, cause=cause, certainty=certainty, alternatives=left, because=(*verdict.because, *lines))


def _proven(
    verdict: Verdict,
    view: View,
    cause: str,
    proof: tuple[str, str],
    lines: tuple[str, ...],
    left: tuple[Alternative, ...],
) -> Verdict:
    """The verdict with a cause that the facts prove, and what the server's own check says to do about it."""
    if cause == "reset-on-path":  # accused by what others didn't do
        left, limit = (Alternative("no-listener", *MOMENT),), Certainty.LIKELY
    elif _sure(view):
        left = tuple(one for one in left if one.cause in BEYOND)
        limit = Certainty.LIKELY if left else Certainty.CERTAIN
    else:
        limit = Certainty.LIKELY
        if cause != verdict.cause and not any(line.startswith(f"not {verdict.cause}:") for line in lines):
            left = (Alternative(verdict.cause, "the packets alone speak for it", MOMENT[1]), *left)
    same = cause == verdict.cause
    certainty = max(verdict.certainty, limit, key=RISING.index) if same else limit
    if certainty is Certainty.CERTAIN:
        left = ()
    found = next((one for one in view.findings if cause in one.causes), None)
    told = (f"on the server: {found.says} [{found.check}]",) if found else ()
    origin = verdict.origin
    if cause != "reset-on-path" and origin.kind is not OriginKind.TARGET and _sure(view):
        origin = Origin(OriginKind.TARGET, verdict.address)
    return replace(
        verdict,
        cause=cause,
        certainty=certainty,
        alternatives=left,
        because=(*verdict.because, _by(*proof), *lines, *told),
        remedy=(*(f"on the server: {text}" for text in (found.remedy if found else ())), *verdict.remedy),
        origin=origin,
    )


def _sure(view: View) -> bool:
    return view.exact and view.fresh


def _raised(certainty: Certainty, limit: Certainty) -> Certainty:
    """One step up, as far as the limit; never down."""
    step = RISING[min(RISING.index(certainty) + 1, RISING.index(limit))]
    return max(certainty, step, key=RISING.index)


def _before_the_host(verdict: Verdict, view: View) -> Verdict:
    """Silence, although the machine itself would surely answer: what drops stands before it."""
    lost = view.met == NEVER_ARRIVED
    if verdict.reason != "no-response" or not (lost or would_answer_something(view)):
        return verdict
    says = "the server's firewall lets the SYN in and the answer out: what drops stands before the server"
    if lost:
        says = "marked SYNs never arrived there, though pings did: what drops stands before the server"
    origin = verdict.origin
    if origin.kind is not OriginKind.PATH:
        origin = replace(origin, kind=OriginKind.PATH, address=None)
    remedy = "look before the server: a cloud's security groups and network ACLs, a provider's or a router's firewall"
    return replace(
        verdict,
        because=(*verdict.because, _by(says, "ND601" if lost else "ND301")),
        origin=origin,
        remedy=(remedy, *verdict.remedy),
    )


def _proof(view: View, cause: str) -> tuple[str, str] | None:
    if told := said(view, cause, proves=True):
        return told
    found = next((one for one in view.findings if one.check in PROVING and cause in one.causes), None)
    return (found.says, found.check) if found and cause != "no-listener" else None


def _by(says: str, check: str) -> str:
    return f"{says} (server's facts, {check})"


def _noted(verdict: Verdict, *notes: str) -> Verdict:
    return replace(verdict, notes=(*verdict.notes, *notes)) if notes else verdict
