"""Ordinary connect()s of the kernel: started, watched, listened to, closed; told as ConnectionFacts.

House rules of this file:
1. Nothing the network or the kernel does to a connection raises; it becomes a fact.
2. The error queue is read before SO_ERROR: reading the queue clears the error, and the queue says more (ip(7),
   IP_RECVERR).
3. What a stranger sends is drained up to a bound, so that our close is a FIN and not a RST.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from netprobe.model import Ask, AuthMethodsFact, Connect, ConnectionFact, Endpoint, IcmpError
from netprobe.wire import error_queue
from netprobe.wire.clock import Clock

if TYPE_CHECKING:  # loaded when the first server is asked
    from netprobe.wire.asking import Answer, Question

MOST_DATA = 65536  # bytes taken of one connection
SECOND_NS = 1_000_000_000

_IP_TTL, _IPV6_UNICAST_HOPS = 2, 16
_SYN_SENT, _CLOSE = 2, 7
_SMALLEST_MSS = 88  # TCP_MIN_MSS of net/tcp.h


class _Connection:
    """One connect() and what became of it. `quiet_ns`: when to stop the kernel from repeating its SYN."""

    __slots__ = (
        "client",
        "closed",
        "command",
        "give_up_ns",
        "heard",
        "last_error",
        "open",
        "question",
        "quiet_ns",
        "sock",
        "taken",
        "unsent",
    )

    def __init__(self, command: Connect, sock: socket.socket, now_ns: int, syn_window_s: float | None) -> None:
        self.command = command
        self.sock = sock
        self.client = _client(sock)
        self.give_up_ns = now_ns + int(command.patience_s * SECOND_NS)
        self.quiet_ns = None if syn_window_s is None else now_ns + int(syn_window_s * SECOND_NS)
        self.open = False
        self.closed = False
        self.taken = 0
        self.heard = bytearray()  # for a question that may come later
        self.question: Question | None = None
        self.unsent = bytearray()
        self.last_error = 0


class Connector:
    """All connections of a scan, on the epoll of its wire.

    `keep_data`: tell what was received in facts (where no frames are captured). `syn_window_s`: stop the kernel from
    repeating its SYN after that long, where `leaves(address)` says that SYNs do leave this machine; the connection
    is still only given up after its patience. TCP_SYNCNT can't do that: 1 sends three SYNs and gives up just before
    a dead neighbour is told (Linux 6.18).
    """

    def __init__(
        self,
        poll: select.epoll,
        clock: Clock,
        *,
        keep_data: bool,
        syn_window_s: float | None = None,
        device: str | None = None,
        leaves: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self._poll = poll
        self._clock = clock
        self._keep_data = keep_data
        self._syn_window_s = syn_window_s
        self._device = device
        self._leaves = leaves
        self._by_id: dict[int, _Connection] = {}
        self._by_fd: dict[int, _Connection] = {}
        self._silent: dict[int, _Connection] = {}  # their socket is closed, their patience not over
        self._asking: dict[int, _Connection] = {}  # by the descriptors of their questions
        self._facts: deque[ConnectionFact | AuthMethodsFact] = deque()

    def facts(self) -> list[ConnectionFact | AuthMethodsFact]:
        """What happened since the last call, in order."""
        found = list(self._facts)
        self._facts.clear()
        return found

    def owns(self, descriptor: int) -> bool:
        """Whether an event on this descriptor is for `handle`."""
        return descriptor in self._by_fd or descriptor in self._asking

    # ------------------------------------------------------------------ commands

    def connect(self, command: Connect) -> None:
        """Start a connection. Its first fact is `started`, then comes what became of it."""
        now_ns = self._clock.now_ns()
        family = socket.AF_INET6 if ":" in command.server.address else socket.AF_INET
        try:
            sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        except OSError as error:
            self._stillborn(command, None, now_ns, error)
            return
        try:
            self._set_options(sock, command)
            result = sock.connect_ex(_socket_address(command.server))
        except (OSError, OverflowError) as error:
            sock.close()
            self._stillborn(command, None, now_ns, error)
            return
        connection = _Connection(command, sock, now_ns, self._syn_window_s)
        if result not in (0, errno.EINPROGRESS):
            sock.close()
            self._stillborn(command, connection.client, now_ns, OSError(result, ""))
            return
        self._by_id[command.id] = self._by_fd[sock.fileno()] = connection
        self._tell(connection, "started", time_ns=now_ns)
        self._poll.register(sock.fileno(), select.EPOLLOUT)

    def say(self, identifier: int, data: bytes) -> None:
        """Send bytes on an open connection; on any other they are forgotten."""
        connection = self._by_id.get(identifier)
        if connection is not None and connection.open:
            connection.unsent += data
            self._send(connection)
            if self._keep_data:
                self._tell(connection, "said")

    def ask(self, command: Ask) -> None:
        """Ask the server which methods it takes. The answer is a fact; where nobody can be asked any more, at once."""
        from netprobe.wire.asking import Answer, Question

        connection = self._by_id.get(command.id)
        if connection is None or not connection.open or connection.closed or connection.question is not None:
            self._answered(command.id, command.server, command.user, Answer("closed"))
            return
        question = Question(self._poll, command.user, bytes(connection.heard), self._clock.now_ns())
        connection.question = question
        if connection.taken >= MOST_DATA:
            question.overrun()
        self._asking.update(dict.fromkeys(question.descriptors(), connection))

    def hang(self, identifier: int) -> None:
        """Close a connection or stop waiting for it. Nothing more will be told of it."""
        connection = self._by_id.get(identifier) or self._silent.get(identifier)
        if connection is not None:
            self._forget(connection)

    def close(self) -> None:
        """Close all connections."""
        for connection in [*self._by_id.values(), *self._silent.values()]:
            self._forget(connection)

    # ------------------------------------------------------------------ time

    def due_ns(self) -> int | None:
        """When `expire` has something to do."""
        times = [c.give_up_ns for c in self._silent.values()]
        pending = (c for c in self._by_id.values() if not c.open)
        times.extend(min(c.give_up_ns, c.quiet_ns or c.give_up_ns) for c in pending)
        times.extend(c.question.give_up_ns for c in self._asking.values() if c.question is not None)
        return min(times, default=None)

    def expire(self, now_ns: int) -> None:
        """Give up what was silent for too long."""
        for connection in [*self._by_id.values(), *self._silent.values()]:
            if connection.open:
                self._look_for_answer(connection, now_ns)
                continue
            if now_ns >= connection.give_up_ns:
                self._forget(connection)
                self._tell(connection, "given-up")
            elif connection.quiet_ns is not None and now_ns >= connection.quiet_ns and not connection.closed:
                connection.quiet_ns = None
                if self._leaves(connection.command.server.address):
                    self._forget(connection)
                    self._silent[connection.command.id] = connection

    # ------------------------------------------------------------------ events

    def handle(self, descriptor: int, events: int) -> None:
        """React to an epoll event of one of our connections."""
        if descriptor in self._asking:
            self._converse(self._asking[descriptor], descriptor, events)
            return
        connection = self._by_fd[descriptor]
        if events & select.EPOLLERR:
            self._read_error_queue(connection)
        if not connection.open:
            self._advance(connection)
        if connection.open and events & ~select.EPOLLOUT:
            self._receive(connection)
        if connection.open and connection.unsent and events & select.EPOLLOUT:
            self._send(connection)

    def _advance(self, connection: _Connection) -> None:
        """See what became of a connection in SYN-SENT."""
        error = connection.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        state = connection.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
        if error == 0 and state == _SYN_SENT:
            return  # an ICMP error that the kernel took as advice only
        if error == 0 and state == _CLOSE:
            error = connection.last_error or errno.ECONNABORTED
        if error:
            self._forget(connection)
            self._tell(connection, "failed", error=_name(error))
            return
        connection.open = True
        self._tell(connection, "open")
        self._listen(connection)
        self._receive(connection)

    def _listen(self, connection: _Connection) -> None:
        events = select.EPOLLIN | select.EPOLLRDHUP if connection.taken < MOST_DATA and not connection.closed else 0
        if connection.unsent and not connection.closed:
            events |= select.EPOLLOUT
        self._poll.modify(connection.sock.fileno(), events)

    def _receive(self, connection: _Connection) -> None:
        while connection.open and not connection.closed and connection.taken < MOST_DATA:
            try:
                data = connection.sock.recv(min(16384, MOST_DATA - connection.taken))
            except BlockingIOError:
                return
            except OSError as error:
                if connection.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _CLOSE:
                    self._end(connection, _name(error.errno or 0))
                return  # else an ICMP error that IP_RECVERR reports and the connection survives
            if not data:
                self._end(connection, None)
                return
            connection.taken += len(data)
            connection.heard += data
            if connection.question is not None:
                connection.question.hear(data)
            if self._keep_data:
                self._tell(connection, "data", data=data)
        if connection.taken >= MOST_DATA:
            self._listen(connection)
            if connection.question is not None:
                connection.question.overrun()

    def _end(self, connection: _Connection, error: str | None) -> None:
        connection.closed = True
        if connection.question is not None:
            connection.question.server_closed()
        self._tell(connection, "closed", error=error)
        with contextlib.suppress(OSError):
            self._poll.unregister(connection.sock.fileno())

    def _send(self, connection: _Connection) -> None:
        if connection.closed:
            return
        with contextlib.suppress(OSError):  # the reason comes with the next event
            sent = connection.sock.send(connection.unsent, socket.MSG_NOSIGNAL)
            del connection.unsent[:sent]
        self._listen(connection)

    def _read_error_queue(self, connection: _Connection) -> None:
        for number, icmp in error_queue.drain(connection.sock):
            if number:
                connection.last_error = number
            if icmp is not None:
                self._tell(connection, "icmp", error=_name(number), icmp=icmp)

    # ------------------------------------------------------------------ questions

    def _converse(self, connection: _Connection, descriptor: int, events: int) -> None:
        """What asyncssh says goes to the server."""
        assert connection.question is not None
        said = connection.question.handle(descriptor, events)
        if said:
            connection.unsent += said
            self._send(connection)
        self._look_for_answer(connection, self._clock.now_ns())

    def _look_for_answer(self, connection: _Connection, now_ns: int) -> None:
        question = connection.question
        answer = question.answer(now_ns) if question is not None else None
        if question is None or answer is None:
            return
        self._forget_question(connection)
        self._answered(connection.command.id, connection.command.server, question.user, answer)

    def _forget_question(self, connection: _Connection) -> None:
        question, connection.question = connection.question, None
        if question is not None:
            for descriptor in question.descriptors():
                self._asking.pop(descriptor, None)
            question.close()

    def _answered(self, identifier: int, server: Endpoint, user: str, answer: Answer) -> None:
        self._facts.append(
            AuthMethodsFact(
                time_ns=self._clock.now_ns(), id=identifier, address=server.address, port=server.port, user=user,
                outcome=answer.outcome, methods=answer.methods, banner=answer.banner, signatures=answer.signatures,
                detail=answer.detail,
            )
        )  # fmt: skip

    # ------------------------------------------------------------------ ends

    def _stillborn(
        self, command: Connect, client: Endpoint | None, now_ns: int, error: OSError | OverflowError
    ) -> None:
        number = getattr(error, "errno", None) or errno.EINVAL
        for event, name in (("started", None), ("failed", _name(number))):
            self._facts.append(
                ConnectionFact(
                    time_ns=now_ns, id=command.id, server=command.server, event=event, client=client, error=name,
                    ttl=command.ttl, mss=command.mss,
                )
            )  # fmt: skip

    def _forget(self, connection: _Connection) -> None:
        """Close the socket: a FIN where the connection is open, nothing where it is not."""
        self._forget_question(connection)
        self._by_id.pop(connection.command.id, None)
        self._silent.pop(connection.command.id, None)
        if self._by_fd.pop(connection.sock.fileno(), None) is not None:
            with contextlib.suppress(OSError):
                self._poll.unregister(connection.sock.fileno())
        connection.closed = True
        connection.sock.close()

    def _tell(
        self,
        connection: _Connection,
        event: str,
        *,
        error: str | None = None,
        icmp: IcmpError | None = None,
        data: bytes = b"",
        time_ns: int | None = None,
    ) -> None:
        self._facts.append(
            ConnectionFact(
                time_ns=self._clock.now_ns() if time_ns is None else time_ns,
                id=connection.command.id,
                server=connection.command.server,
                event=event,
                client=connection.client,
                error=error,
                icmp=icmp,
                data=data,
                ttl=connection.command.ttl,
                mss=connection.command.mss,
            )
        )

    def _set_options(self, sock: socket.socket, command: Connect) -> None:
        v6 = sock.family == socket.AF_INET6
        level = socket.IPPROTO_IPV6 if v6 else socket.IPPROTO_IP
        error_queue.ask_for(sock)
        if command.ttl is not None:
            sock.setsockopt(level, _IPV6_UNICAST_HOPS if v6 else _IP_TTL, command.ttl)
        if command.mss is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, max(command.mss, _SMALLEST_MSS))
        if self._device is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, self._device.encode() + b"\0")
        if command.source_port is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("", command.source_port))


def _socket_address(server: Endpoint) -> tuple[str, int] | tuple[str, int, int, int]:
    address, _, zone = server.address.partition("%")
    if ":" not in address:
        return address, server.port
    return address, server.port, 0, scope(zone)


def scope(zone: str) -> int:
    """The interface index of a zone (RFC 4007): its name or its number; 0 for none. OSError when there is no such
    interface."""
    if not zone:
        return 0
    try:
        return int(zone) if zone.isdecimal() else socket.if_nametoindex(zone)
    except OSError as error:  # it comes without an errno
        raise OSError(errno.ENODEV, os.strerror(errno.ENODEV)) from error


def _client(sock: socket.socket) -> Endpoint | None:
    with contextlib.suppress(OSError):
        name = sock.getsockname()
        if name[1]:
            return Endpoint(name[0].partition("%")[0], name[1])
    return None


def _name(number: int) -> str:
    return errno.errorcode.get(number, os.strerror(number))
