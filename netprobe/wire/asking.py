"""Asks an SSH server which methods of login it takes, on a connection that is open already.

asyncssh does the key exchange and the `none` request (RFC 4252 5.2). It gets one end of a socket pair; what it says
goes out on the wire's own connection, what the server said and says comes in. So the wire stays the only one that
holds the connection, and the question needs no second one.

House rules of this file:
1. Nothing of the user's is touched: no ssh_config, no known_hosts, no key, no agent, no password, no GSSAPI.
2. Bounded: by a time limit that a stuck thread can't hold up, by octets, and by key exchanges whose arithmetic
   the server can't choose (no group exchange).
3. asyncssh is imported when the first question is asked, in the thread that asks.
"""

from __future__ import annotations

import contextlib
import importlib.util
import inspect
import os
import select
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from netprobe.errors import CannotMeasure

if TYPE_CHECKING:
    import asyncio

TIME_LIMIT_S = 8.0
# What the waiting wire adds: a thread that doesn't come back is left alone.
_PATIENCE_S = 1.0
_SAID_OURSELVES = "netprobe"  # the identification that netprobe.prober has sent by then
_MOST_BANNER_LINES, _LONGEST_LINE = 20, 200
_LONGEST_DETAIL = 300
SECOND_NS = 1_000_000_000

# Any algorithm is good enough for a question without a secret, so that old servers answer, too.
_ALGORITHMS = {"encryption_algs": "+*", "mac_algs": "+*", "server_host_key_algs": "+*"}
# In these key exchanges the server chooses the numbers that are reckoned with, as long as it likes.
_CHOSEN_BY_THE_SERVER = (b"group-exchange", b"rsa", b"gss-")


def check_installed() -> None:
    """Raise CannotMeasure where asyncssh is not installed. Doesn't import it."""
    if importlib.util.find_spec("asyncssh") is None:
        raise CannotMeasure(
            "--auth-methods needs asyncssh, which is not installed here", "pip install 'netprobe-wire[ssh]'"
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a question; the fields of AuthMethodsFact."""

    outcome: str
    methods: tuple[str, ...] = ()
    banner: tuple[str, ...] = ()
    signatures: tuple[str, ...] = ()
    detail: str = ""


class Question:
    """One question, on the epoll of its wire. `heard`: what the server has said on the connection so far."""

    def __init__(self, poll: select.epoll, user: str, heard: bytes, now_ns: int) -> None:
        self.user = user
        self.give_up_ns = now_ns + int((TIME_LIMIT_S + _PATIENCE_S) * SECOND_NS)
        self._poll = poll
        self._ours, theirs = socket.socketpair()
        self._ours.setblocking(False)
        theirs.setblocking(False)
        self._finished = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._towards = bytearray(heard)  # for asyncssh, where the pair has no room
        self._ended = self._overrun = False
        self._introduced = False
        self._lead = bytearray()
        self._answer: Answer | None = None
        self._closed = False
        self._poll.register(self._ours.fileno(), select.EPOLLIN | select.EPOLLOUT)
        self._poll.register(self._finished, select.EPOLLIN)
        threading.Thread(target=self._run, args=(theirs, self._finished), daemon=True).start()

    def descriptors(self) -> tuple[int, int]:
        """Whose events are for `handle`."""
        return self._ours.fileno(), self._finished

    def hear(self, data: bytes) -> None:
        """The server said something more."""
        self._towards += data
        self._pass_on()

    def server_closed(self) -> None:
        """The server says no more."""
        self._ended = True
        self._pass_on()

    def overrun(self) -> None:
        """The server said more than anybody wants to hear."""
        self._overrun = True
        self.server_closed()

    def handle(self, descriptor: int, events: int) -> bytes:
        """React to an event; what shall be said to the server."""
        if descriptor != self._ours.fileno() or self._closed:
            return b""
        if events & select.EPOLLOUT:
            self._pass_on()
        try:
            said = self._ours.recv(65536)
        except BlockingIOError:
            return b""
        except OSError:
            said = b""
        if not said:  # asyncssh is done; the answer follows
            with contextlib.suppress(OSError):
                self._poll.unregister(self._ours.fileno())
            return b""
        return self._without_introduction(said)

    def answer(self, now_ns: int) -> Answer | None:
        """What came of it, once that is known; at the latest when the time is over."""
        found = Answer("time-out") if self._answer is None and now_ns >= self.give_up_ns else self._answer
        if found is not None and self._overrun and found.outcome in ("closed", "time-out"):
            return replace(found, outcome="failed", detail="the server talks without end and does not answer")
        return found

    def close(self) -> None:
        """Forget the question; the thread ends by itself, since its end of the pair is closed."""
        if self._closed:
            return
        self._closed = True
        for descriptor in self.descriptors():
            with contextlib.suppress(OSError):
                self._poll.unregister(descriptor)
        self._ours.close()
        # The eventfd belongs to the thread, too: who comes last closes it.
        with _LOCK:
            if self._answer is not None:
                os.close(self._finished)

    def _pass_on(self) -> None:
        if self._closed:
            return
        with contextlib.suppress(OSError):
            while self._towards:
                del self._towards[: self._ours.send(self._towards, socket.MSG_NOSIGNAL)]
            if self._ended:
                self._ours.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError):
            waiting = select.EPOLLOUT if self._towards else 0
            self._poll.modify(self._ours.fileno(), select.EPOLLIN | waiting)

    def _without_introduction(self, said: bytes) -> bytes:
        """Without asyncssh's identification: ours is the same and was sent before."""
        if self._introduced:
            return said
        self._lead += said
        _, end, rest = self._lead.partition(b"\n")
        self._introduced = bool(end)
        return bytes(rest) if end else b""

    def _run(self, theirs: socket.socket, finished: int) -> None:
        try:
            answer = _ask(theirs, self.user)
        except Exception as error:  # noqa: BLE001 - whatever a stranger's bytes did to asyncssh, the wire hears of it
            answer = Answer("failed", detail=_told(error))
        finally:
            theirs.close()
        with _LOCK:
            self._answer = answer
            if self._closed:
                os.close(finished)
            else:
                os.eventfd_write(finished, 1)


_LOCK = threading.Lock()


def _ask(theirs: socket.socket, user: str) -> Answer:
    """In the thread: the whole conversation, on an event loop of its own."""
    import asyncio
    import getpass
    import logging
    import warnings

    warnings.filterwarnings("ignore", module=r"(asyncssh|cryptography)(\.|$)")  # what is old is the server's business
    logging.getLogger("asyncssh").setLevel(logging.CRITICAL + 1)
    try:
        getpass.getuser()
    except (KeyError, OSError):  # asyncssh wants to know, and a user without an entry in passwd has no name
        os.environ.setdefault("LOGNAME", "nobody")

    async def within_time() -> Answer:
        asyncio.get_running_loop().set_exception_handler(_nobody_cares)
        listener = _Listener()
        try:
            return await asyncio.wait_for(_converse(theirs, user, listener), TIME_LIMIT_S)
        except TimeoutError:
            return Answer("time-out", banner=tuple(listener.banner))

    return asyncio.run(within_time())


def _nobody_cares(_loop: asyncio.AbstractEventLoop, _context: dict[str, object]) -> None:
    """What asyncssh leaves behind when it is cut short is nobody's news."""


class _Listener:
    """What the server shows before a login, and the connection that knows its extensions."""

    def __init__(self) -> None:
        self.banner: list[str] = []
        self.connection: object = None

    def __call__(self) -> object:
        """The client object that asyncssh asks for (asyncssh.SSHClient)."""
        import asyncssh

        listener = self

        class Client(asyncssh.SSHClient):  # type: ignore[misc,name-defined,unused-ignore]
            """Hears of the connection and of the banner."""

            def connection_made(self, conn: object) -> None:
                listener.connection = conn

            def auth_banner_received(self, msg: str, lang: str) -> None:  # noqa: ARG002 (asyncssh's signature)
                listener.hear(msg)

        return Client()

    def hear(self, text: str) -> None:
        """A line too many or too long is cut: the server may send as many as it likes."""
        for line in text[: _MOST_BANNER_LINES * _LONGEST_LINE].splitlines():
            if len(self.banner) < _MOST_BANNER_LINES:
                self.banner.append(line[:_LONGEST_LINE])

    @property
    def signatures(self) -> tuple[str, ...]:
        """server-sig-algs, which asyncssh keeps to itself."""
        found = getattr(self.connection, "_server_sig_algs", ())
        return tuple(sorted(one.decode("ascii", "replace") for one in found if one))[:64]


async def _converse(theirs: socket.socket, user: str, listener: _Listener) -> Answer:
    import asyncssh

    groups = [
        one.decode("ascii")
        for one in asyncssh.kex.get_kex_algs()
        if not any(part in one for part in _CHOSEN_BY_THE_SERVER)
    ]
    options = asyncssh.SSHClientConnectionOptions(
        config=None,
        client_factory=listener,
        client_keys=None,
        agent_path=None,
        password=None,
        gss_host=None,
        known_hosts=None,
        x509_trusted_certs=None,
        x509_trusted_cert_paths=None,
        client_host_keysign=False,
        pkcs11_provider=None,
        public_key_auth=False,
        password_auth=False,
        kbdint_auth=False,
        host_based_auth=False,
        gss_kex=False,
        gss_auth=False,
        compression_algs=None,
        keepalive_interval=0,
        login_timeout=TIME_LIMIT_S,
        kex_algs=groups,
        **_ALGORITHMS,
        **_lenient(asyncssh.SSHClientConnectionOptions.prepare),
    )
    try:
        methods = await asyncssh.get_server_auth_methods(
            "server", 22, user, sock=theirs, config=None, options=options, client_version=_SAID_OURSELVES,
            kex_algs=groups, server_host_key_algs=_ALGORITHMS["server_host_key_algs"],
        )  # fmt: skip
    except asyncssh.KeyExchangeFailed as error:
        nothing = str(error.reason).startswith("No matching")
        outcome = "no-common-algorithm" if nothing else "failed"
        return Answer(outcome, banner=tuple(listener.banner), detail=_told(error))
    except (asyncssh.ConnectionLost, ConnectionError) as error:
        return Answer("closed", banner=tuple(listener.banner), detail=_told(error))
    except asyncssh.Error as error:
        return Answer("failed", banner=tuple(listener.banner), detail=_told(error))
    outcome = "let-in" if tuple(methods) == ("none",) else "answered"
    told = tuple(str(one)[:_LONGEST_LINE] for one in methods[:_MOST_BANNER_LINES])
    return Answer(outcome, () if outcome == "let-in" else told, tuple(listener.banner), listener.signatures)


def _lenient(prepare: Callable[..., object]) -> dict[str, object]:
    """A banner that isn't UTF-8 is no reason to give up, where this asyncssh can be told so."""
    known = inspect.signature(prepare).parameters
    return {"utf8_decode_errors": "replace"} if "utf8_decode_errors" in known else {}


def _told(error: BaseException) -> str:
    """An exception in one line."""
    text = str(getattr(error, "reason", "") or error) or type(error).__name__
    return " ".join(text.split())[:_LONGEST_DETAIL]
