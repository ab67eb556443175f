"""The encrypted part of one session: bytes of both sides become turns of packets, which login_reading reads.

House rules of this file:
1. Nothing is decrypted or guessed: sizes, order and times only.
2. Once it is certain that the login succeeded, nothing more is looked at: what follows may be terabytes.
3. At most TURNS_LIMIT turns are kept, whatever comes.
"""

from __future__ import annotations

from dataclasses import replace

from netprobe.model import Auth, Certainty, Kex, Outcome
from netprobe.ssh.login_answers import End
from netprobe.ssh.login_framing import Framing, framing
from netprobe.ssh.login_reading import read
from netprobe.ssh.login_turns import Profile, habits

LOOKS_LIMIT = 24  # readings on the way, of what is no success after all
SIZES_LIMIT = 16  # of one turn: an answer and what may stand before it
TURNS_LIMIT = 160  # OpenSSH takes 6 tries unless told otherwise, clients have some ten keys
AFTER_SUCCESS = 12  # turns that are looked at for what makes it certain
SIDES = ("server", "client")  # by `by_client`
WAITED_NS = 1_000_000_000  # a person hesitates, a program doesn't


class Login:
    """The encrypted part of one session. `kex` is what the clear part agreed on."""

    __slots__ = (
        "_closed",
        "_end_ns",
        "_full",
        "_kex",
        "_last_ns",
        "_looks",
        "_read",
        "_reason",
        "_small_at",
        "_streams",
        "_turns",
        "done",
    )

    def __init__(self, kex: Kex) -> None:
        self.done = False  # nothing more can be learnt
        self._kex = kex
        self._turns: list[tuple[bool, list[int]]] = []
        self._closed: str | None = None
        self._last_ns = self._end_ns = 0
        self._full = False  # more turns came than are kept
        self._read = 0  # turns that were looked at before
        self._looks = 0
        self._small_at: int | None = None  # how many there were when a success was first seen
        server, client, self._reason = _framings(kex)
        self._streams = (_Stream(server), _Stream(client)) if server and client else None
        self.done = self._streams is None

    def delivery(self, by_client: bool, data: bytes, length: int, time_ns: int, gap: bool) -> None:
        """Encrypted bytes in stream order, as one segment brought them: `length` on the wire, `data` as captured;
        `gap`: bytes before them are missing."""
        if self.done or self._streams is None:
            return
        if gap:
            self._give_up("bytes are missing in the capture")
            return
        if self._closed is None:
            self._last_ns = time_ns
        chunks = self._streams[by_client].take(data, length)
        if chunks is None:
            self._give_up(f"what the {SIDES[by_client]} sent doesn't fit the cipher agreed on")
            return
        if not chunks:
            return
        if self._turns and self._turns[-1][0] == by_client:
            self._keep(self._turns[-1][1], chunks, self._streams[by_client].framing.clear)
        elif len(self._turns) < TURNS_LIMIT:
            self._turns.append((by_client, []))
            self._keep(self._turns[-1][1], chunks, self._streams[by_client].framing.clear)
            if by_client:
                self._look()
        else:
            self.done = self._full = True

    def closed(self, by_client: bool, reset: bool, time_ns: int) -> None:  # noqa: ARG002 (who closed is what counts)
        """One side closed, after everything that was delivered before."""
        if self._closed is None:
            self._closed = SIDES[by_client]
            self._end_ns = time_ns

    def outcome(self) -> Auth:
        """What is known so far."""
        if self._streams is None or self._reason:
            return Auth(Outcome.UNKNOWN, reason=self._reason, closed_by=self._closed)
        found = self._reading(self._closed)
        if self._full and found.outcome is Outcome.UNFINISHED:
            return replace(found, reason=f"only its first {TURNS_LIMIT} turns were looked at")
        return found

    def _reading(self, closed_by: str | None) -> Auth:
        assert self._streams is not None
        server, client = (one.framing for one in self._streams)
        waited = closed_by is not None and self._end_ns - self._last_ns >= WAITED_NS
        return read(
            Profile(server, client, habits(self._kex.server), habits(self._kex.client)),
            tuple((by_client, tuple(sizes)) for by_client, sizes in self._turns),
            End(closed_by, waited),
        )

    @staticmethod
    def _keep(sizes: list[int], chunks: list[int], clear: bool) -> None:
        """The first sizes of a turn and, where there are more, the last packet's or the sum of the others."""
        room = SIZES_LIMIT - len(sizes)
        sizes.extend(chunks[:room])
        if len(chunks) > room:
            sizes[-1] = chunks[-1] if clear else sizes[-1] + sum(chunks[room:])

    def _look(self) -> None:
        """When the client speaks again: has the login succeeded, beyond doubt, or so long ago that doubt will stay?"""
        if len(self._turns) < self._read + 2:
            return
        assert self._streams is not None
        framing = self._streams[False].framing
        smallest = max(framing.size(1), framing.fixed + 16)
        if self._small_at is None:
            answers = self._turns[self._read : -1]
            if self._looks >= LOOKS_LIMIT or not any(
                min(sizes) <= smallest for by_client, sizes in answers if not by_client
            ):
                self._read = len(self._turns) - 1
                return
            self._small_at = len(self._turns)
        self._read = len(self._turns)
        self._looks += 1
        found = self._reading(None)
        if found.outcome is not Outcome.SUCCEEDED:
            self._small_at = None
        else:
            late = len(self._turns) - self._small_at >= AFTER_SUCCESS
            self.done = late or found.certainty is Certainty.CERTAIN

    def _give_up(self, reason: str) -> None:
        """From here on nothing is known. What was certain stays."""
        found = self._reading(None)
        if found.outcome is not Outcome.SUCCEEDED:
            self._reason = reason
        self.done = True


class _Stream:
    """One direction: bytes in, sizes out. Where lengths are in clear a size is a packet's, else a delivery's."""

    __slots__ = ("_begun", "_head", "_left", "framing")

    def __init__(self, framing: Framing) -> None:
        self.framing = framing
        self._head = b""  # of a length that came in pieces
        self._left = 0  # bytes of the packet that are still to come
        self._begun = 0  # bytes of that packet in all

    def take(self, data: bytes, length: int) -> list[int] | None:
        """The sizes that are complete now; None where the bytes are no packets."""
        if not self.framing.clear:
            return [length]
        found: list[int] = []
        at = 0
        while at < length:
            if self._left:
                step = min(self._left, length - at)
                self._left -= step
                at += step
            else:
                step = min(4 - len(self._head), length - at)
                self._head += data[at : at + step]
                at += step
                if at > len(data):
                    return None  # the capture cut it
                if len(self._head) < 4:
                    continue
                self._begun = self.framing.whole(int.from_bytes(self._head, "big"))
                self._head = b""
                if not self._begun:
                    return None
                self._left = self._begun - 4
            if not self._left and self._begun:
                found.append(self._begun)
                self._begun = 0
        return found


def _framings(kex: Kex) -> tuple[Framing | None, Framing | None, str]:
    """The server's, the client's; or why sizes tell nothing."""
    agreed = kex.agreed
    if agreed is None:
        return None, None, "the ciphers agreed on are not known"
    for used in (agreed.compression_to_client, agreed.compression_to_server):
        if used not in {"none", "zlib@openssh.com"}:  # the latter begins after the login
            return None, None, f"compression ({used}) hides the sizes"
    found: list[Framing] = []
    for cipher, mac in (
        (agreed.cipher_to_client, agreed.mac_to_client),
        (agreed.cipher_to_server, agreed.mac_to_server),
    ):
        one = framing(cipher or "", mac)
        if one is None:
            return None, None, f"the sizes of {cipher} with {mac} are not known"
        found.append(one)
    return found[0], found[1], ""
