"""What the report says of a login: which methods the server takes, and what the user's side has for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netprobe.model import Auth, Outcome, Verdict
from netprobe.report.escape import excerpt

_BANNER_LINES = 5


def lines(verdict: Verdict, verbosity: int) -> Iterator[tuple[str, Sequence[str]]]:
    """The labelled lines of one verdict."""
    auth = verdict.service.auth if verdict.service is not None else None
    if auth is not None and auth.user is not None:
        yield "login", [_asked(auth)]
        yield "banner", [excerpt(text) for text in auth.banner[: None if verbosity > 1 else _BANNER_LINES]]
    if verdict.credentials is not None:
        mine = verdict.credentials
        offers = [f"ssh would offer, as {mine.user}: {offer}" for offer in mine.offers[:1]]
        offers += [f"then: {offer}" for offer in mine.offers[1:]]
        advice = [text for one in mine.advice for text in (one.says, *(f"-> {step}" for step in one.to_do))]
        yield "your side", [*offers, *advice]


def _asked(auth: Auth) -> str:
    """The answer to the question for the methods."""
    if auth.outcome is Outcome.LEFT:
        return f"for {auth.user} the server takes: {', '.join(auth.methods) or 'no method at all'}"
    if auth.outcome is Outcome.SUCCEEDED:
        return f"{auth.user} is let in without a question: {auth.reason}"
    return f"which methods the server takes for {auth.user} is not known: {auth.reason}"
