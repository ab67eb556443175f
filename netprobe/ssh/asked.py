"""What a server said when a scan asked it for its methods, as the login of a service."""

from __future__ import annotations

from netprobe.model import Auth, AuthMethodsFact, Certainty, Outcome

# Why there is no list, by outcome of the question.
WHY = {
    "no-common-algorithm": "no algorithm in common with netprobe's own client",
    "closed": "the server closed before it answered",
    "time-out": "no answer in time",
    "failed": "the conversation failed",
}


def answer(asked: AuthMethodsFact) -> Auth:
    """The answer as a login that nobody tried: the server's own words, or why there are none."""
    if asked.outcome == "answered":
        return Auth(
            Outcome.LEFT,
            Certainty.CERTAIN,
            "asked for its methods, nothing was tried",
            attempts=0,
            attempts_certainty=Certainty.CERTAIN,
            methods=asked.methods,
            methods_certainty=Certainty.CERTAIN,
            closed_by="client",
            inferred=False,
            user=asked.user,
            banner=asked.banner,
        )
    if asked.outcome == "let-in":
        told = "the server asks for nothing: it accepts the method `none`"
        return Auth(
            Outcome.SUCCEEDED, Certainty.CERTAIN, told, 0, Certainty.CERTAIN, inferred=False,
            user=asked.user, banner=asked.banner,
        )  # fmt: skip
    why = WHY.get(asked.outcome, asked.outcome)
    detail = f" ({asked.detail})" if asked.detail and asked.outcome != "closed" else ""
    return Auth(Outcome.UNKNOWN, reason=f"{why}{detail}", inferred=False, user=asked.user, banner=asked.banner)
