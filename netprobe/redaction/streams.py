"""Which bytes of a TCP stream stay: what a service is recognised by, an SSH identification, and what two sides of SSH
negotiate in clear.

    before an identification   words become x, but for those that refusals and services are known by
    the identification         as it is
    KEXINIT                    its lists of algorithms; the cookie is dropped
    the host key               its type; the key becomes a pseudonym of the same length
    other messages in clear    their number and length; of a DISCONNECT its code, too
    encrypted packets          nothing but lengths that stand there in clear

House rules of this file:
1. What a stream becomes has its length, so that sequence numbers, sizes and times mean what they meant.
2. Any bytes will do. What is kept of one direction is bounded; all beyond becomes zeros.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable

from netprobe import greeting
from netprobe.model import Offer
from netprobe.ssh import messages, negotiation
from netprobe.ssh.login_framing import Framing, framing
from netprobe.ssh.opening import IDENTIFICATION_LIMIT, LINES_LIMIT, OWN
from netprobe.ssh.transport import CLEAR_PACKETS_LIMIT, KEPT, PACKET_LIMIT

HEAD = 512  # greetings are looked for in so much (netprobe.greeting)
TEXT_LIMIT = 64 * 1024
LENGTHS_LIMIT = 4096  # encrypted packets whose length is kept

_REFUSAL = re.compile(rb"\s*(?:Exceeded MaxStartups|Not allowed at this time)")
# Words by which a refusal or a service is understood, and that are nobody's name.
_WORDS = re.compile(
    rb"(?<![\w.@-])(?:E?SMTP|Postfix|Exim|FTP|vsFTPd|FileZilla|SSH|HTTP|OK|bad|request|access|algorithms?|allowed|"
    rb"attempts|authentication|banned|blocked|bye|cipher|client|closed|common|connections?|denied|disconnected|error|"
    rb"exchange|exceeded|failed|failures|forbidden|found|from|full|host|in|is|key|kex|limit|login|mac|matching|"
    rb"maximum|method|no|not|of|or|permission|protocol|reached|refused|requests?|server|service|sessions|supported|"
    rb"temporarily|the|time|timed|timeout|to|too|many|try|again|later|unavailable|unknown|user|users|verification|"
    rb"version|you|your|are|by|this|at)(?![\w@-]|\.\w)",
    re.IGNORECASE,
)
_REPLY = re.compile(rb"[1-5]\d\d[ -]|HTTP/\d(?:\.\d)? \d{3}|(?:GET|HEAD|POST|OPTIONS|EHLO|HELO|QUIT|USER|CONNECT) ")
_MASK = bytes(
    byte if byte in b"\r\n\t \0" else 0x78 if 32 <= byte < 127 else 0xBF if byte >= 0xA0 else 1 for byte in range(256)
)

_TEXT, _PACKETS, _ENCRYPTED, _OVER = range(4)
Pseudonym = Callable[[bytes, int], bytes]  # octets and how many shall stand for them


class Kept:
    """What stays of one direction: pieces by their place, put in that order; zeros are everywhere else."""

    __slots__ = ("_pieces", "_places")

    def __init__(self) -> None:
        self._pieces: dict[int, bytes] = {}
        self._places: list[int] = []

    def put(self, place: int, octets: bytes) -> None:
        """Keep these bytes, instead of those that were kept of the same place before."""
        if place not in self._pieces:
            self._places.append(place)
        self._pieces[place] = _shared(octets)

    def read(self, place: int, length: int) -> bytes:
        """The bytes of this place."""
        found = bytearray(length)
        for n in range(max(bisect_right(self._places, place) - 1, 0), len(self._places)):
            at = self._places[n]
            if at >= place + length:
                break
            octets = self._pieces[at]
            begin, end = max(at, place), min(at + len(octets), place + length)
            if begin < end:
                found[begin - place : end - place] = octets[begin - at : end - at]
        return bytes(found)


_SHARED: dict[bytes, bytes] = {}


def _shared(octets: bytes) -> bytes:
    """The same object for equal pieces: sessions of one make offer the same."""
    if len(_SHARED) > 4096:
        _SHARED.clear()
    return _SHARED.setdefault(octets, octets)


def masked(octets: bytes) -> bytes:
    """Text in which only words stay that are nobody's name."""
    found = bytearray(octets.translate(_MASK))
    for match in _WORDS.finditer(octets):
        found[match.start() : match.end()] = match[0]
    return bytes(found)


def opened(octets: bytes) -> bytes:
    """The same of the first bytes of a stream: it is recognised as what it was."""
    found = bytearray(masked(octets))
    for pattern in (_REFUSAL, _REPLY):
        match = pattern.match(octets)
        if match is not None:
            found[: match.end()] = match[0]
    known = greeting.name(octets)
    if known is not None:
        for n in range(HEAD):
            if greeting.name(octets[:n] + bytes(found[n:])) is known:
                return octets[:n] + bytes(found[n:])
    return bytes(found)


class Direction:
    """One direction, fed in order. `server`: whether it is the server's."""

    def __init__(self, pseudonym: Pseudonym) -> None:
        self.server = True
        self.kept = Kept()
        self.offer: Offer | None = None
        self.peer: Direction | None = None
        self._pseudonym = pseudonym
        self._state = _TEXT
        self._place = 0  # of the next byte
        self._line = b""  # of text, not yet taken
        self._line_at = 0
        self._lines = 0
        self._head = b""  # of a packet that is not complete
        self._head_at = 0
        self._end = 0  # where it ends, 0 while unknown
        self._packets = 0
        self._framing: Framing | None = None

    def feed(self, missing: int, length: int, data: bytes) -> None:
        """The next bytes: `missing` that nobody saw, then `length`, of which `data` was captured."""
        if missing:
            self._lose(missing)
        data = data[:length]
        at = 0
        while at < len(data) and self._state != _OVER:
            step = (self._text_of, self._packets_of, self._lengths_of)[self._state]
            at += step(data[at:] if at else data)
        self._place += len(data) - at
        if length > len(data):
            self._lose(length - len(data))

    def finish(self) -> None:
        """Nothing more comes."""
        if self._state == _TEXT and self._line:
            self._take_line(self._line)
        self._line = self._head = b""
        self._state = _OVER

    def _lose(self, count: int) -> None:
        """So many bytes are not there. Within a packet whose end is known, reading goes on behind it."""
        self._place += count
        if self._state == _TEXT or not self._end or self._place > self._end:
            self.finish()
        elif self._place == self._end:
            self._complete()

    # ------------------------------------------------------------------ text

    def _text_of(self, data: bytes) -> int:
        end = data.find(b"\n")
        size = end + 1 if end >= 0 else len(data)
        if not self._line:
            self._line_at = self._place
        self._line += data[:size]
        self._place += size
        if end >= 0 or len(self._line) >= HEAD:
            self._take_line(self._line)
            self._line = b""
            self._lines += end >= 0
            if self._state == _TEXT and (self._place > TEXT_LIMIT or self._lines >= LINES_LIMIT):
                self._state = _OVER
        return size

    def _take_line(self, line: bytes) -> None:
        bare = line.rstrip(b"\r\n")
        if line.endswith(b"\n") and bare.startswith(b"SSH-") and len(bare) <= IDENTIFICATION_LIMIT:
            self.kept.put(self._line_at, line)
            if not (self.server and bare == OWN):  # which is only what was said to an echo server
                self._state = _PACKETS if bare.split(b"-", 2)[1] in (b"2.0", b"1.99") else _OVER
        elif self._line_at:
            self.kept.put(self._line_at, masked(line))
        else:
            self.kept.put(0, opened(line))

    # ------------------------------------------------------------------ packets

    def _packets_of(self, data: bytes) -> int:
        """RFC 4253 6: length, length of the padding, payload, padding."""
        if not self._head:
            self._head_at = self._place
        if not self._end:
            size = min(6 - len(self._head), len(data))
            self._head += data[:size]
            self._place += size
            if len(self._head) == 6:
                self.kept.put(self._head_at, self._head)
                length = int.from_bytes(self._head[:4])
                if not 2 <= length <= PACKET_LIMIT or self._head[4] > length - 2:
                    self._state = _OVER
                    return size
                self._end = self._head_at + 4 + length
                if self._place == self._end:
                    self._complete()
            return size
        size = min(self._end - self._place, len(data))
        if len(self._head) == self._place - self._head_at and len(self._head) < KEPT:
            self._head += data[: min(size, KEPT - len(self._head))]
        self._place += size
        if self._place == self._end:
            self._complete()
        return size

    def _complete(self) -> None:
        """A packet has come to its end, though not all of it may have been captured."""
        head, size = self._head, self._end - self._head_at
        self._head, self._end = b"", 0
        self._packets += 1
        if self._state == _ENCRYPTED:
            return
        payload = head[5 : size - head[4]]
        whole = len(payload) == size - head[4] - 5
        self.kept.put(self._head_at, head[:5] + self._cleared(payload, whole=whole))
        if payload[0] == messages.NEWKEYS:
            self._encrypt()
        elif self._packets >= CLEAR_PACKETS_LIMIT:
            self._state = _OVER

    def _cleared(self, payload: bytes, *, whole: bool) -> bytes:
        """What stays of a message."""
        number = payload[0]
        if number == messages.KEXINIT and whole:
            self.offer = self.offer or messages.offer(payload)
            return payload[:1] + bytes(16) + payload[17:]
        if messages.FIRST_OF_METHOD <= number <= messages.LAST_OF_METHOD and self.server:
            if messages.host_key(payload) is not None:
                end = 5 + int.from_bytes(payload[1:5])
                kind = 9 + int.from_bytes(payload[5:9])
                return payload[:kind] + self._pseudonym(payload[kind:end], end - kind)
        elif number == messages.DISCONNECT:
            return payload[:9] + masked(payload[9:])
        return payload[:1]

    # ------------------------------------------------------------------ encrypted

    def _encrypt(self) -> None:
        """From here on nothing can be read but, with some ciphers, how long each packet is."""
        self._state = _OVER
        self._packets = 0
        other = self.peer.offer if self.peer is not None else None
        if self.offer is None or other is None:
            return
        client, server = (other, self.offer) if self.server else (self.offer, other)
        agreed, missing = negotiation.agree(client, server)
        if missing:
            return
        cipher, mac = (
            (agreed.cipher_to_client, agreed.mac_to_client)
            if self.server
            else (agreed.cipher_to_server, agreed.mac_to_server)
        )
        found = framing(cipher or "", mac)
        if found is not None and found.clear:
            self._framing, self._state = found, _ENCRYPTED

    def _lengths_of(self, data: bytes) -> int:
        """Four octets of length, then the rest of the packet."""
        assert self._framing is not None
        if not self._end:
            if not self._head:
                self._head_at = self._place
            size = min(4 - len(self._head), len(data))
            self._head += data[:size]
            self._place += size
            if len(self._head) == 4:
                self.kept.put(self._head_at, self._head)
                whole = self._framing.whole(int.from_bytes(self._head))
                self._end = self._head_at + whole
                if not whole or self._packets > LENGTHS_LIMIT:
                    self._state = _OVER
            return size
        size = min(self._end - self._place, len(data))
        self._place += size
        if self._place == self._end:
            self._complete()
        return size


def joined(client: Direction, server: Direction) -> None:
    """The two directions of one connection."""
    client.server, server.server = False, True
    client.peer, server.peer = server, client
