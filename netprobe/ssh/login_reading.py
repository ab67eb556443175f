"""Turns of encrypted packets read as a login (RFC 4252): who asked, what was answered, how it ended.

A login is a strict alternation: each request of the client's draws one answer, before which banners and EXT_INFO may
stand. So what came in which segment doesn't matter, whole turns do. The answer to `none`, which most clients send
first, gives the size of a refusal; what is as large later is a refusal too; a packet too small for anything else is
the success. What is neither is told by the request before and the one after it: a key found acceptable is as long as
the request less the user's name, a question follows a request for one, and what answers a signed request without
success is a partial one.

House rules of this file:
1. Pure: a function of sizes. Equal sessions are read once.
2. `certain` is only a success that more was said after. Everything else has a rival of the same sizes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache

from netprobe.model import Auth, Certainty, Outcome
from netprobe.ssh.login_framing import Framing
from netprobe.ssh.login_methods import KBD, KEY, LONGEST, fitting

SIDES = ("server", "client")

# Payload bytes (RFC 4252 5, 5.1, 7, 8; RFC 4253 10, 11.1; RFC 4256 3). Requests hold the user's name beside.
SERVICE = 17  # SERVICE_REQUEST and SERVICE_ACCEPT of ssh-userauth
SMALL = 5  # SUCCESS has 1; nothing else in a login has less than 6
IGNORE = 5  # SSH_MSG_IGNORE with nothing in it
NONE = 31
KBD_MORE = 24  # keyboard-interactive, beyond `none`
PK_OK_LESS = 5  # a key's request is longer than the PK_OK that answers it by the length of `none` and this
SIGNATURE = 60  # the shortest there is has 64, and its names
DISCONNECT = 45  # OpenSSH's "Too many authentication failures"
OPENING = 3  # exchanges among which the service is accepted: EXT_INFO of both sides may cross
PROMPT = 32  # INFO_REQUEST of OpenSSH with PAM: `Password: `
KEY_MORE = 70  # the shortest key's request, beyond `none`
DEFAULT_TRIES = 6  # of OpenSSH's servers: MaxAuthTries

Turns = tuple[tuple[bool, tuple[int, ...]], ...]


@dataclass(frozen=True, slots=True)
class Habits:
    """What an implementation is known to do. `none_first`: its first request is `none`; `services`: it asks for the
    service again before each try; `ignores`: an empty IGNORE stands before each of its messages; `known`: by name."""

    none_first: bool = True
    services: bool = False
    ignores: bool = False
    known: bool = False
    openssh: bool = False
    asks_count: bool = True  # asking whether a key would do counts as a try


_HABITS = (
    ("SSH-2.0-OpenSSH_1", Habits(known=True, openssh=True, asks_count=False)),  # measured with 10.6
    ("SSH-2.0-OpenSSH", Habits(known=True, openssh=True)),
    ("SSH-2.0-AsyncSSH_", Habits(ignores=True, known=True)),
    ("SSH-2.0-paramiko", Habits(none_first=False, services=True, known=True)),
    ("SSH-2.0-PuTTY", Habits(known=True)),
    ("SSH-2.0-dropbear", Habits(known=True)),
    ("SSH-2.0-libssh", Habits(known=True)),
    ("SSH-2.0-Go", Habits(known=True)),
)


@lru_cache(512)
def habits(identification: str | None) -> Habits:
    """Of whoever identifies itself so."""
    for start, found in _HABITS:
        if (identification or "").startswith(start):
            return found
    return Habits()


@dataclass(frozen=True, slots=True)
class Profile:
    """What is agreed on and who talks, each by side."""

    server: Framing
    client: Framing
    serving: Habits
    asking: Habits


@dataclass(frozen=True, slots=True)
class End:
    """How it ended: who closed first (None: nobody yet); `waited`: a while after the last word; `cut`: more turns came
    than are kept."""

    closed_by: str | None
    waited: bool
    cut: bool = False


class Answer(Enum):
    """What the server answered."""

    REFUSED = "refused"
    SUCCESS = "success"
    PARTIAL = "partial"
    KEY_OK = "key ok"
    QUESTION = "question"
    LIMIT = "limit"  # the server's goodbye after too many tries
    TEXT = "text"  # words, then it closed
    SERVICE = "service"


FINAL = {Answer.REFUSED, Answer.PARTIAL, Answer.LIMIT, Answer.TEXT, Answer.SUCCESS}


@dataclass(slots=True)
class Exchange:
    """A request and its answer: `asked` and `said` are sizes; `reply` the one that answers, `merged` where it may be
    several packets. Filled while it is read: `answer`."""

    asked: tuple[int, ...]
    said: tuple[int, ...]
    reply: int = 0
    merged: bool = False
    success: bool = False  # one of `said` is too small for anything else
    answer: Answer | None = None

    @property
    def request(self) -> int:
        return sum(self.asked)


@dataclass(slots=True)
class Course:
    """What is known of a login while its exchanges are walked."""

    exchanges: list[Exchange]
    none: int | None = None  # the size of the request for `none`
    first: int | None = None  # the size of the first refusal, where it could be told
    refusal: int | None = None  # of refusals by now
    sure: bool = True  # each answer could be told by its size alone
    finals: list[Answer] = field(default_factory=list)
    key_accepted: bool = False
    questions: bool = False
    asks: int | None = None  # the size of a request that drew a question
    question: int | None = None  # and of the question
    refused: set[int] = field(default_factory=set)  # sizes of requests that were refused


@lru_cache(8192)
def read(profile: Profile, turns: Turns, end: End) -> Auth:
    """What became of the login."""
    exchanges, trouble = _exchanges(profile, turns)
    if trouble:
        return Auth(Outcome.UNKNOWN, reason=trouble, closed_by=end.closed_by)
    if not exchanges:
        return _nothing_asked(end)
    course = Course(exchanges)
    _walk(profile, course, end)
    return _told(profile, course, end)


# ---------------------------------------------------------------------- turns become exchanges


def _exchanges(profile: Profile, turns: Turns) -> tuple[list[Exchange], str]:
    """Requests for the login with their answers, once the service was accepted; or why there are none."""
    found: list[Exchange] = []
    for by_client, sizes in turns:
        told = _without_ignores(profile, by_client, sizes)
        if by_client:
            if found and not found[-1].said:
                found[-1].asked += told
            elif told:
                found.append(Exchange(told, ()))
        elif found and told:
            found[-1].said += told
    return _after_service(profile, found)


def _without_ignores(profile: Profile, by_client: bool, sizes: tuple[int, ...]) -> tuple[int, ...]:
    """Without the empty IGNOREs that some put before each message: every other packet, or as much of each segment."""
    who, framing = (profile.asking, profile.client) if by_client else (profile.serving, profile.server)
    if not who.ignores:
        return sizes
    small = framing.size(IGNORE)
    kept: list[int] = []
    due = True
    for size in sizes:
        if size == small and due:
            due = False
        elif not framing.clear and due and size > small and framing.single(size - small):
            kept.append(size - small)
        else:
            kept.append(size)
            due = True
    return tuple(kept)


def _after_service(profile: Profile, found: list[Exchange]) -> tuple[list[Exchange], str]:
    """What follows the acceptance of the service. A client may ask for both at once."""
    accept, ask = profile.server.size(SERVICE), profile.client.size(SERVICE)
    first = [i for i, one in enumerate(found[:OPENING]) if accept in one.said]
    clear = [i for i in first if ask in found[i].asked]
    if first:
        i = (clear or first)[0]
        at = found[i].said.index(accept)
        rest, after = found[i].said[at + 1 :], found[i + 1 :]
        if rest:
            after.insert(0, Exchange(_beyond(profile, found[i].asked), rest))
        return _prepared(profile, after)
    if found and found[0].said:
        if not profile.server.clear and _holds(profile.server, sum(found[0].said), accept):
            return _prepared(profile, found[1:])
        return [], "the sizes are not those of a login: padded by habit, or rekeyed"
    return [], ""


def _beyond(profile: Profile, asked: tuple[int, ...]) -> tuple[int, ...]:
    """What a client asked for in one go with the service."""
    ask = profile.client.size(SERVICE)
    if ask in asked:
        return asked[asked.index(ask) + 1 :] or (0,)
    more = sum(asked) - ask
    return (more,) if profile.client.single(more) else (0,)


def _holds(framing: Framing, total: int, last: int) -> bool:
    return total == last or bool(framing.counts(total - last))


def _prepared(profile: Profile, found: list[Exchange]) -> tuple[list[Exchange], str]:
    """Each with the packet that answers."""
    framing = profile.server
    smallest = framing.size(1)
    small = max(smallest, framing.size(11) if framing.block == 8 else smallest)  # dropbear sends 16 bytes at least
    for exchange in found:
        said = exchange.said if framing.clear else _joined(framing, exchange.said)
        if said is None:
            return [], "the sizes of the server's packets don't fit the cipher agreed on"
        exchange.said = said
        if not said:
            continue
        exchange.success = any(size in {smallest, small} for size in said)
        exchange.reply = said[-1]
        exchange.merged = not framing.clear and (
            not framing.single(said[-1]) or (said[-1] > framing.size(LONGEST) and len(framing.counts(said[-1])) > 1)
        )
    return found, ""


def _joined(framing: Framing, sizes: tuple[int, ...]) -> tuple[int, ...] | None:
    """Segments that hold whole packets. Pieces that can't be packets belong to what is before them."""
    found: list[int] = []
    for size in sizes:
        if (found and not framing.counts(found[-1])) or (found and not framing.counts(size)):
            found[-1] += size
        else:
            found.append(size)
    if len(found) > 1 and not framing.counts(found[-1]):
        found[-2:] = [found[-2] + found[-1]]
    return tuple(found) if all(framing.counts(one) for one in found) else None


# ---------------------------------------------------------------------- exchanges become answers


def _walk(profile: Profile, course: Course, end: End) -> None:
    """Give each exchange its answer."""
    exchanges = course.exchanges
    if profile.asking.none_first and exchanges:
        course.none = exchanges[0].request or None
    previous: Answer | None = None
    for i, exchange in enumerate(exchanges):
        if not exchange.said:
            break
        following = exchanges[i + 1] if i + 1 < len(exchanges) else None
        if i == 0 and profile.asking.none_first:
            exchange.answer = Answer.SUCCESS if _succeeded(profile, exchange, following) else Answer.REFUSED
            if exchange.answer is Answer.REFUSED and not exchange.merged:
                course.first = course.refusal = exchange.reply
        else:
            exchange.answer = _answer(profile, course, exchange, following, previous, end)
        previous = exchange.answer
        if previous is Answer.SUCCESS:
            break


def _succeeded(profile: Profile, exchange: Exchange, following: Exchange | None) -> bool:
    """The packet that is too small for anything else. As large as a failure that lists nothing, it is one where the
    client goes on."""
    if not exchange.success:
        return False
    return following is not None or profile.server.payload(min(exchange.said))[1] < 6


def _answer(
    profile: Profile, course: Course, exchange: Exchange, following: Exchange | None, previous: Answer | None, end: End
) -> Answer:
    """What this answer is, by its size, by what was asked before it and by what came after it."""
    server = profile.server
    if profile.asking.services and _is_service(profile, exchange) and previous is not Answer.QUESTION:
        return Answer.SERVICE
    if _succeeded(profile, exchange, following):
        return _final(course, Answer.SUCCESS)
    reply, same = exchange.reply, exchange.reply == course.refusal
    if previous is Answer.QUESTION:
        return _after_question(profile, course, exchange, following, same, end)
    if previous is Answer.KEY_OK:
        return _after_signature(profile, course, exchange, same, following, end)
    if _is_key_ok(profile, course, exchange, following):
        course.key_accepted = True
        return Answer.KEY_OK
    question = _asks_question(profile, course, exchange) and _could_be_question(server, reply)
    if same:
        course.sure &= not question
        if question and _is_question_of_a_refusals_size(server, course, exchange, following):
            return _question(course, exchange)
        return _refused(course, exchange)
    limit = following is None and reply == server.size(DISCONNECT) and exchange.request in course.refused
    if question and not limit and (following is not None or end.closed_by != "server"):
        return _question(course, exchange)
    return _other(profile, course, exchange, following, end)


def _final(course: Course, answer: Answer) -> Answer:
    course.finals.append(answer)
    return answer


def _refused(course: Course, exchange: Exchange) -> Answer:
    course.refused.add(exchange.request)
    return _final(course, Answer.REFUSED)


def _question(course: Course, exchange: Exchange) -> Answer:
    course.questions = True
    course.asks, course.question = exchange.request, exchange.reply
    return Answer.QUESTION


def _is_question_of_a_refusals_size(
    server: Framing, course: Course, exchange: Exchange, following: Exchange | None
) -> bool:
    """Such a request drew a question of this size before; or what comes next is another kind of request, and a server
    whose refusals are so long most likely takes keyboard-interactive."""
    if (exchange.request, exchange.reply) == (course.asks, course.question):
        return True
    lists = [one for one in _common(server, exchange.reply) if not (Answer.PARTIAL in course.finals and KEY in one)]
    return following is not None and following.request != exchange.request and bool(lists) and KBD in lists[0]


def _other(profile: Profile, course: Course, exchange: Exchange, following: Exchange | None, end: End) -> Answer:
    """An answer unlike the refusals so far."""
    reply = exchange.reply
    if following is None:
        if reply == profile.server.size(DISCONNECT) and course.refusal is not None and end.closed_by:
            return _final(course, Answer.LIMIT)
        if end.closed_by == "server" and not end.waited and course.refusal is not None:
            return _final(course, Answer.TEXT)
    if course.refusal is None:
        course.first = course.first if course.first is not None else reply
        course.refusal = reply
        return _refused(course, exchange)
    course.sure = False
    if reply > profile.server.size(LONGEST):
        return _final(course, Answer.TEXT if following is None else Answer.REFUSED)  # a banner before it
    course.refusal = reply
    return _final(course, Answer.PARTIAL)


def _after_question(
    profile: Profile, course: Course, exchange: Exchange, following: Exchange | None, same: bool, end: End
) -> Answer:
    """An answer to the client's answer: refused, or the next question, which the client answers too."""
    last = exchange.reply == profile.server.size(SERVICE) and following is not None  # PAM's last one asks nothing
    if same and not (last and following is not None and following.request == exchange.request != course.asks):
        return _refused(course, exchange)
    if (
        following is not None
        and following.request != course.asks
        and _could_be_question(profile.server, exchange.reply)
    ):
        return Answer.QUESTION
    if last and following is not None and following.success:
        return Answer.QUESTION
    return _other(profile, course, exchange, following, end)


def _after_signature(
    profile: Profile, course: Course, exchange: Exchange, same: bool, following: Exchange | None, end: End
) -> Answer:
    """A request signed with a key that was found acceptable, and no success: another factor is wanted, unless the list
    stayed one that a server would not begin with."""
    course.sure = False
    if following is None and end.closed_by == "server" and not end.waited and not same:
        return _final(course, Answer.TEXT)
    if same and (KEY,) not in _common(profile.server, exchange.reply):
        return _final(course, Answer.REFUSED)
    course.refusal = exchange.reply
    return _final(course, Answer.PARTIAL)


def _common(server: Framing, reply: int) -> tuple[tuple[str, ...], ...]:
    return fitting(*server.payload(reply))


def _is_service(profile: Profile, exchange: Exchange) -> bool:
    return exchange.request == profile.client.size(SERVICE) and exchange.reply == profile.server.size(SERVICE)


def _could_be_question(server: Framing, reply: int) -> bool:
    return server.payload(reply)[1] >= 17


def _overlap(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]


def _asks_question(profile: Profile, course: Course, exchange: Exchange) -> bool:
    """A request for keyboard-interactive, which is longer than `none` by KBD_MORE."""
    if course.none is None:
        return False
    client = profile.client
    low, high = client.payload(course.none)
    return client.single(exchange.request) and _overlap(
        client.payload(exchange.request), (low + KBD_MORE, high + KBD_MORE)
    )


def _is_key_ok(profile: Profile, course: Course, exchange: Exchange, following: Exchange | None) -> bool:
    """A key found acceptable: the answer repeats the key, and the same request comes again with a signature."""
    client, server = profile.client, profile.server
    if (
        following is None
        or course.none is None
        or not client.single(exchange.request)
        or not server.single(exchange.reply)
    ):
        return False
    none, asked, said = client.payload(course.none), client.payload(exchange.request), server.payload(exchange.reply)
    if asked[1] < none[0] + KEY_MORE:
        return False
    less = (asked[0] - said[1], asked[1] - said[0])
    if not _overlap(less, (none[0] + PK_OK_LESS, none[1] + PK_OK_LESS)):
        return False
    return client.payload(following.request)[1] - asked[0] >= SIGNATURE


# ---------------------------------------------------------------------- answers become an outcome


def _nothing_asked(end: End) -> Auth:
    """The service was not asked for, or its answer is not there."""
    if end.closed_by is None:
        return Auth(Outcome.UNFINISHED, Certainty.CERTAIN, "the login has not begun")
    if end.closed_by == "client":
        return Auth(Outcome.LEFT, Certainty.LIKELY, "the client closed before it asked for a login", closed_by="client")
    return Auth(Outcome.UNKNOWN, reason="the server closed before the login began", closed_by="server")


def _told(profile: Profile, course: Course, end: End) -> Auth:
    """The outcome with what else is known."""
    outcome, certainty, reason = _outcome(profile, course, end)
    attempts = len(course.finals)
    last = course.exchanges[-1]
    if not last.said and end.closed_by == "server" and last.answer is None and len(course.exchanges) > 1:
        attempts += 1  # closing was the answer
    methods: tuple[tuple[str, ...], ...] = ()
    if course.first is not None:
        needed = frozenset([KEY] if course.key_accepted else []) | frozenset([KBD] if course.questions else [])
        low, high = profile.server.payload(course.first)
        methods = fitting(low, high, needed) or fitting(low, high)
    partial = Answer.PARTIAL in course.finals
    return Auth(
        outcome,
        certainty,
        reason,
        attempts=attempts,
        attempts_certainty=_attempts_certainty(profile, course, end),
        methods=methods[0] if methods else (),
        methods_certainty=(Certainty.LIKELY if len(methods) == 1 else Certainty.POSSIBLE) if methods else None,
        methods_or=methods[1:5],
        key_accepted=course.key_accepted,
        key_accepted_certainty=Certainty.LIKELY,
        partial=partial,
        partial_certainty=Certainty.LIKELY,
        closed_by=end.closed_by,
    )


def _attempts_certainty(profile: Profile, course: Course, end: End) -> Certainty:
    exact = profile.server.clear or all(not one.merged for one in course.exchanges[1:])
    if exact and course.sure and profile.asking.known and not course.key_accepted and not end.cut:
        return Certainty.LIKELY
    return Certainty.LIKELY if profile.asking.known else Certainty.POSSIBLE


def _outcome(profile: Profile, course: Course, end: End) -> tuple[Outcome, Certainty | None, str]:
    likely = Certainty.LIKELY
    for i, exchange in enumerate(course.exchanges):
        if exchange.answer is Answer.SUCCESS:
            after = course.exchanges[i + 1 :]
            certainty = Certainty.CERTAIN if after and after[0].said else likely
            return Outcome.SUCCEEDED, certainty, "the server's answer is as small as only a success is"
    last = course.exchanges[-1]
    tries = len(course.finals)
    if Answer.PARTIAL in course.finals:
        return Outcome.SECOND_FACTOR, likely, "one factor passed, the server then wanted another"
    if end.closed_by is None:
        return Outcome.UNFINISHED, likely, "the login was still going on"
    if Answer.LIMIT in course.finals:
        return (
            Outcome.TOO_MANY,
            likely,
            f"after {tries} tries came a message as long as OpenSSH's goodbye, not a refusal",
        )
    goodbye = profile.serving.openssh and last.reply == profile.server.size(DISCONNECT)
    if end.closed_by == "server":
        if end.waited and last.said:
            return Outcome.TIMED_OUT, likely, "the server closed while it waited for the client"
        if tries and goodbye and last.said:
            return Outcome.TOO_MANY, likely, f"the server closed after {tries} tries"
        if not last.said and tries and not end.waited and not profile.serving.openssh:
            return Outcome.TOO_MANY, likely, f"the server closed instead of answering, after {tries} refusals"
        if tries or not last.said:
            return (
                Outcome.FAILED,
                likely,
                "the server closed after its answer" if last.said else "the server closed instead of answering",
            )
    elif tries >= DEFAULT_TRIES and goodbye and profile.serving.asks_count:
        return (
            Outcome.TOO_MANY,
            Certainty.POSSIBLE,
            f"{tries} tries, as many as OpenSSH takes; its goodbye is as long as its refusals",
        )
    if tries:
        return Outcome.FAILED, likely, "every answer was a refusal"
    if end.waited or course.questions:
        return Outcome.LEFT, likely, "the client closed while its user was asked"
    return Outcome.NO_METHOD, likely, "the client closed right after it heard which methods the server takes"
