"""What became of a login, in words: from the noun `Auth` alone, wherever it came from."""

from __future__ import annotations

from netprobe.evidence.record import Conversation, Evidence
from netprobe.model import Auth, Outcome

# The features made here, for the vocabulary.
LOGIN_FEATURES: dict[str, dict[str, str]] = {
    "login": {
        "succeeded": "the server's answer is as small as only a success is",
        "failed": "attempts were refused, then one side closed",
        "no-method": "the client closed right after it heard which methods the server takes, with nothing refused",
        "too-many": "the server's last word is as long as OpenSSH's goodbye after too many tries, or it closed then",
        "second-factor": "one factor passed, another was asked for and not given",
        "left": "the client closed while its user was asked, with nothing refused",
        "timed-out": "the server closed while it waited for the client",
        "unfinished": "still going on when it was last seen",
        "unknown": "sizes can't tell",
    },
    "login_sure": {
        "certain": "nothing else has these sizes",
        "likely": "the sizes favour it",
        "possible": "the sizes allow it",
    },
    "login_key": {"accepted": "a key was found acceptable, then signed with"},
    "login_closed": {"client": "the client closed first", "server": "the server closed first"},
}


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
