"""What the server answered to each request of a login, by its size, by the request before it and by the one after it.

The answer to `none`, which most clients send first, gives the size of a refusal; what is as large later is a refusal
too; a packet too small for anything else is the success. A key found acceptable is as long as the request less the
user's name, a question follows a request for one, and what answers a signed request without success is a partial one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from netprobe.ssh.login_methods import KBD, KEY, LONGEST, fitting
from netprobe.ssh.login_turns import SERVICE, Exchange, Profile, holds

# Payload bytes (RFC 4252 5, 5.1, 7, 8; RFC 4253 11.1; RFC 4256 3). Requests hold the user's name beside.
EMPTY_FAILURE = 6
KBD_MORE = 24  # keyboard-interactive, beyond `none`
KEY_MORE = 70  # the shortest key's request, beyond `none`
PK_OK_LESS = 5  # a key's request is longer than the PK_OK that answers it by the length of `none` and this
SIGNATURE = 60  # the shortest there is has 64, and its names
DISCONNECT = 45  # OpenSSH's "Too many authentication failures"
PROMPTS = (26, 36)  # of one that asks for a password in few words; PAM's `Password: ` has 32
SIGNED = 190  # the shortest request with a signature
QUESTION = 17  # INFO_REQUEST that asks nothing


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


@dataclass(frozen=True, slots=True)
class End:
    """How it ended: who closed first (None: nobody yet); `waited`: a while after the last word."""

    closed_by: str | None
    waited: bool


class Walk:
    """A login, exchange by exchange. `answers` stand beside `exchanges` as far as there are any; `finals` are those
    that ended a try; `blind`: the first try was with a key, and its answer may as well ask for another factor."""

    def __init__(self, profile: Profile, exchanges: list[Exchange], end: End) -> None:
        self.server, self.client = profile.server, profile.client
        self.profile, self.exchanges, self.end = profile, exchanges, end
        self.answers: list[Answer] = []
        self.finals: list[Answer] = []
        self.first: int | None = None  # the size of the first refusal, where it could be told
        self.refusal: int | None = None  # of refusals by now
        self.key_accepted = self.questions = self.blind = False
        self._none: tuple[int, int] | None = None  # payload of the request for `none`
        self._asks: tuple[int, int] | None = None  # sizes of a request that drew a question, and of the question
        self._refused: set[int] = set()  # sizes of requests that were refused
        self._walk()

    def _walk(self) -> None:
        none_first = self.profile.asking.none_first
        for i, exchange in enumerate(self.exchanges):
            if not exchange.said:
                break
            following = self.exchanges[i + 1] if i + 1 < len(self.exchanges) else None
            if self._succeeded(exchange, following):
                answer = Answer.SUCCESS
                if i or not none_first:
                    self.finals.append(answer)
            elif i == 0 and none_first:
                answer = Answer.REFUSED
                if self.client.single(exchange.request):
                    self._none = self.client.payload(exchange.request)
                if not exchange.merged:
                    self.first = self.refusal = exchange.reply
            else:
                answer = self._answer(exchange, following, self.answers[-1] if self.answers else None)
            self.answers.append(answer)
            if answer is Answer.SUCCESS:
                break

    def _succeeded(self, exchange: Exchange, following: Exchange | None) -> bool:
        """A packet that is too small for anything else; where a failure that lists nothing is as small, the client goes
        on."""
        if exchange.small is None:
            return False
        return following is not None or self.server.payload(exchange.said[exchange.small])[1] < EMPTY_FAILURE

    def _answer(self, exchange: Exchange, following: Exchange | None, previous: Answer | None) -> Answer:
        """By its size, by what was asked before it and by what came after it."""
        if self.profile.asking.services and previous is not Answer.QUESTION:
            if exchange.request == self.client.size(SERVICE):
                return Answer.SERVICE  # or a server that minds to be asked again
            if following is not None and self._is_question_without_none(exchange, following):
                return self._question(exchange)
        if previous is Answer.QUESTION:
            return self._after_question(exchange, following)
        if previous is Answer.KEY_OK:
            return self._after_signature(exchange, following)
        if self._is_key_ok(exchange, following):
            self.key_accepted = True
            return Answer.KEY_OK
        question = self._asks_question(exchange)
        if exchange.reply == self.refusal:
            self.blind &= self.client.payload(exchange.request)[1] < SIGNED  # a second key refused: so was the first
            if question and self._is_question_of_a_refusals_size(exchange, following):
                return self._question(exchange)
            return self._refuse(exchange)
        if self.refusal is None and following is not None and following.request == exchange.request:
            question = False  # a second try of the same kind
        limit = following is None and self._is_goodbye(exchange) and exchange.request in self._refused
        if question and not limit and (following is not None or self.end.closed_by != "server"):
            return self._question(exchange)
        return self._other(exchange, following)

    # ------------------------------------------------------------------ answers

    def _final(self, answer: Answer) -> Answer:
        self.finals.append(answer)
        return answer

    def _refuse(self, exchange: Exchange) -> Answer:
        self._refused.add(exchange.request)
        return self._final(Answer.REFUSED)

    def _question(self, exchange: Exchange) -> Answer:
        self.questions = True
        self._asks = exchange.request, exchange.reply
        return Answer.QUESTION

    def _other(self, exchange: Exchange, following: Exchange | None) -> Answer:
        """An answer unlike the refusals so far."""
        reply = exchange.reply
        if self.refusal is None:
            if self.first is None and not exchange.merged:
                self.first = reply
            self.refusal = reply
            signed = self.client.payload(exchange.request)[1] >= SIGNED
            self.blind = signed and not self.profile.asking.none_first and self._fits_without_key(reply)
            return self._refuse(exchange)
        if following is None:
            if self._is_goodbye(exchange) and self.end.closed_by:
                return self._final(Answer.LIMIT)
            if self.end.closed_by == "server" and not self.end.waited:
                return self._final(Answer.TEXT)
        if reply > self.server.size(LONGEST) or holds(self.server, reply, self.refusal):
            return self._refuse(exchange)  # with a banner before it
        if reply < self.refusal and not self.server.clear and holds(self.server, self.refusal, reply):
            self.first = self.refusal = reply  # the first had a banner before it
            return self._refuse(exchange)
        self.refusal = reply
        return self._final(Answer.PARTIAL)

    def _after_question(self, exchange: Exchange, following: Exchange | None) -> Answer:
        """What answers the user's answer: a refusal, or the next question, which is answered too."""
        asks = self._asks[0] if self._asks else None
        # OpenSSH asks PAM once more before it lets somebody in, and nothing of the user.
        empty = following is not None and exchange.reply == self.server.size(SERVICE)
        if exchange.reply == self.refusal:
            again = following is not None and following.request == exchange.request != asks
            return Answer.QUESTION if empty and again else self._refuse(exchange)
        if following is not None and self._is_service(following):
            return self._other(exchange, following)
        if following is not None and following.request != asks and self._could_be_question(exchange.reply):
            return Answer.QUESTION
        if empty and following is not None and following.small is not None:
            return Answer.QUESTION
        return self._other(exchange, following)

    def _after_signature(self, exchange: Exchange, following: Exchange | None) -> Answer:
        """Signed with a key that was found acceptable, and no success: another factor is wanted, unless the list stayed
        one that a server with two factors wouldn't begin with."""
        same = exchange.reply == self.refusal
        if following is None and self.end.closed_by == "server" and not self.end.waited and not same:
            return self._final(Answer.TEXT)
        if same and (KEY,) not in self._lists(exchange.reply):
            return self._refuse(exchange)
        self.refusal = exchange.reply
        return self._final(Answer.PARTIAL)

    # ------------------------------------------------------------------ what sizes say

    def _lists(self, reply: int) -> tuple[tuple[str, ...], ...]:
        return fitting(*self.server.payload(reply))

    def _fits_without_key(self, reply: int) -> bool:
        return any(KEY not in one for one in self._lists(reply))

    def _is_goodbye(self, exchange: Exchange) -> bool:
        return self.profile.serving.openssh and exchange.reply == self.server.size(DISCONNECT)

    def _could_be_question(self, reply: int) -> bool:
        return self.server.payload(reply)[1] >= QUESTION

    def _asks_question(self, exchange: Exchange) -> bool:
        """A request for keyboard-interactive, which is longer than `none` by KBD_MORE, and an answer long enough."""
        if self._none is None or not self.client.single(exchange.request):
            return False
        low, high = self._none
        wanted = low + KBD_MORE, high + KBD_MORE
        return overlap(self.client.payload(exchange.request), wanted) and self._could_be_question(exchange.reply)

    def _is_question_without_none(self, exchange: Exchange, following: Exchange) -> bool:
        """The client, which asks for the service before each try, goes on without: this was no end of a try."""
        if self._is_service(following) or exchange.reply == following.reply:
            return False
        return self._could_be_question(exchange.reply)

    def _is_service(self, exchange: Exchange) -> bool:
        """The client asks for the service again, as some do before each try."""
        if not self.profile.asking.services or exchange.request != self.client.size(SERVICE):
            return False
        return exchange.reply in {0, self.server.size(SERVICE)}

    def _is_question_of_a_refusals_size(self, exchange: Exchange, following: Exchange | None) -> bool:
        """Such a request drew a question of this size before; or what comes next is another kind of request, and a
        server whose refusals are so long most likely takes keyboard-interactive."""
        if (exchange.request, exchange.reply) == self._asks:
            return True
        passed = Answer.PARTIAL in self.finals
        lists = [one for one in self._lists(exchange.reply) if not (passed and KEY in one)]
        if following is None or following.request == exchange.request or not lists:
            return False
        return KBD in lists[0] and overlap(self.server.payload(exchange.reply), PROMPTS)

    def _is_key_ok(self, exchange: Exchange, following: Exchange | None) -> bool:
        """A key found acceptable: the answer repeats the key, and the same request comes again with a signature."""
        client, server = self.client, self.server
        if following is None or self._none is None:
            return False
        if not client.single(exchange.request) or not server.single(exchange.reply):
            return False
        low, high = self._none
        asked, said = client.payload(exchange.request), server.payload(exchange.reply)
        less = asked[0] - said[1], asked[1] - said[0]
        if asked[1] < low + KEY_MORE or not overlap(less, (low + PK_OK_LESS, high + PK_OK_LESS)):
            return False
        return client.payload(following.request)[1] - asked[0] >= SIGNATURE


def overlap(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two ranges have a number in common."""
    return one[0] <= other[1] and other[0] <= one[1]
