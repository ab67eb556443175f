"""What became of a login, in words: from the noun `Auth` alone, wherever it came from."""

from __future__ import annotations

from netprobe.evidence.record import Conversation, Evidence
from netprobe.model import Auth, Outcome


def hear_login(e: Evidence, c: Conversation) -> None:
    """Take what the session of a captured attempt showed of its login. A scan's own question to the server
    (`--auth-methods`) is no login."""
    service = c.attempt.service
    e.auth = service.auth if service is not None else None
    if e.auth is not None and e.auth.inferred:
        judge_login(e, e.auth)


def judge_login(e: Evidence, auth: Auth) -> None:
    """The words that rules are written in."""
    e.features["login"] = str(auth.outcome)
    if auth.certainty is not None:
        e.features["login_sure"] = str(auth.certainty)
    if auth.key_accepted:
        e.features["login_key"] = "accepted"
    if auth.closed_by is not None and auth.outcome is not Outcome.SUCCEEDED:
        e.features["login_closed"] = auth.closed_by
