"""Turns of encrypted packets read as a login: who asked, what was answered, how it ended.

House rules of this file:
1. Pure: a function of sizes. Equal sessions are read once.
2. `certain` is only a success that nothing of the same size could be. Everything else has a rival.
"""

from __future__ import annotations

from functools import lru_cache

from netprobe.model import Auth, Certainty, Outcome
from netprobe.ssh.login_answers import DISCONNECT, Answer, End, Walk
from netprobe.ssh.login_methods import KBD, KEY, fitting
from netprobe.ssh.login_turns import Profile, Turns, exchanges

OTHERS = 5  # payload bytes: of a message that is no success there are so many at least
REQUEST = 31  # of a login's shortest request, without the user's name
CHANNEL_OPEN = 24  # payload bytes of the request for a session (RFC 4254 6.1)
DEFAULT_TRIES = 6  # of OpenSSH's servers: MaxAuthTries


@lru_cache(1024)
def read(profile: Profile, turns: Turns, end: End) -> Auth:
    """What became of the login."""
    found, trouble = exchanges(profile, turns)
    if trouble:
        return Auth(Outcome.UNKNOWN, reason=trouble, closed_by=end.closed_by)
    if not found or not found[0].said:
        return _not_begun(end)
    walk = Walk(profile, found, end)
    outcome, certainty, reason = _outcome(walk)
    unanswered = not found[-1].said and end.closed_by == "server" and Answer.SUCCESS not in walk.answers
    methods = _methods(walk)
    likely = Certainty.LIKELY if profile.asking.known else Certainty.POSSIBLE
    return Auth(
        outcome,
        certainty,
        reason,
        attempts=len(walk.finals) + unanswered,  # to close is an answer too
        attempts_certainty=likely,
        methods=methods[0] if methods else (),
        methods_certainty=(Certainty.LIKELY if len(methods) == 1 else Certainty.POSSIBLE) if methods else None,
        methods_or=methods[1:5],
        key_accepted=walk.key_accepted,
        key_accepted_certainty=likely,
        partial=None if walk.blind else Answer.PARTIAL in walk.finals,
        partial_certainty=None if walk.blind else likely,
        closed_by=end.closed_by,
    )


def _not_begun(end: End) -> Auth:
    """Nothing was asked, or nothing answered."""
    if end.closed_by is None:
        return Auth(Outcome.UNFINISHED, Certainty.LIKELY, "the login has not begun")
    if end.closed_by == "client":
        return Auth(
            Outcome.LEFT,
            Certainty.LIKELY,
            "the client closed before its first request was answered",
            closed_by="client",
        )
    return Auth(Outcome.UNKNOWN, reason="the server closed before it answered a request", closed_by="server")


def _methods(walk: Walk) -> tuple[tuple[str, ...], ...]:
    """The lists that the first refusal can be, the commonest first."""
    if walk.first is None:
        return ()
    needed = {name for name, so in ((KEY, walk.key_accepted), (KBD, walk.questions)) if so}
    low, high = walk.server.payload(walk.first)
    return fitting(low, high, frozenset(needed)) or fitting(low, high)


def _outcome(walk: Walk) -> tuple[Outcome, Certainty | None, str]:
    end, likely = walk.end, Certainty.LIKELY
    if Answer.SUCCESS in walk.answers:
        return Outcome.SUCCEEDED, _of_success(walk), "the server's answer is as small as only a success is"
    if end.closed_by is None:
        return Outcome.UNFINISHED, likely, "the login was still going on"
    if Answer.PARTIAL in walk.finals:
        return Outcome.SECOND_FACTOR, likely, "one factor passed, the server then wanted another"
    last, tries = walk.exchanges[-1], len(walk.finals)
    as_goodbye = walk.profile.serving.openssh and last.reply == walk.server.size(DISCONNECT)
    if Answer.LIMIT in walk.finals:
        return Outcome.TOO_MANY, likely, f"the server's last word after {tries} tries is as long as OpenSSH's goodbye"
    if end.closed_by == "server":
        return _closed_by_server(walk, tries, answered=bool(last.said), as_goodbye=as_goodbye)
    all_count = walk.profile.serving.asks_count or not walk.profile.asking.none_first
    if tries >= DEFAULT_TRIES and as_goodbye and all_count:
        return (
            Outcome.TOO_MANY,
            Certainty.POSSIBLE,
            f"{tries} tries are OpenSSH's limit; its goodbye is as long as a refusal",
        )
    if walk.blind:
        return (
            Outcome.UNKNOWN,
            None,
            "a key that was refused and one that passed as the first factor are answered alike",
        )
    if tries:
        return Outcome.FAILED, likely, "every answer was a refusal"
    if end.waited or walk.questions:
        return Outcome.LEFT, likely, "the client closed while its user was asked"
    return Outcome.NO_METHOD, likely, "the client closed right after it heard which methods the server takes"


def _closed_by_server(walk: Walk, tries: int, *, answered: bool, as_goodbye: bool) -> tuple[Outcome, Certainty, str]:
    likely = Certainty.LIKELY
    if answered and walk.end.waited:
        return Outcome.TIMED_OUT, likely, "the server closed while it waited for the client"
    if answered and as_goodbye and tries:
        return Outcome.TOO_MANY, likely, f"the server closed after {tries} tries"
    if answered:
        return Outcome.FAILED, likely, "the server closed after its answer"
    if tries and not walk.end.waited and not walk.profile.serving.openssh:
        return Outcome.TOO_MANY, likely, f"the server closed instead of answering, after {tries} refusals"
    return Outcome.FAILED, likely, "the server closed instead of answering"


def _of_success(walk: Walk) -> Certainty:
    """Certain is one that stands first in its turn, after answers without any packet so small, if both sides went on
    and one of these holds: no other message is so small, and no refusal followed or the client then said less than any
    request of a login has; a server that is known went on without a refusal, which after a failure that lists nothing
    no client waits for; the client asked for a session, which is shorter than such requests."""
    at = walk.answers.index(Answer.SUCCESS)
    exchange, after = walk.exchanges[at], walk.exchanges[at + 1 :]
    if not at or not after or not after[0].said or exchange.small != 0:
        return Certainty.LIKELY
    if any(one.small is not None or one.pieces for one in walk.exchanges[:at]) or exchange.pieces:
        return Certainty.LIKELY
    answered = [one for one in after if one.said]
    unrefused = all(one.reply != walk.refusal for one in answered)
    short = any(walk.client.payload(size)[1] < REQUEST for one in after for size in one.asked)
    alone = walk.server.payload(exchange.said[0])[1] < OTHERS
    known = walk.profile.serving.known and len(answered) > 1 and unrefused
    session = walk.client.clear and short and walk.client.size(CHANNEL_OPEN) in after[0].asked
    return Certainty.CERTAIN if (alone and (unrefused or short)) or known or session else Certainty.LIKELY
