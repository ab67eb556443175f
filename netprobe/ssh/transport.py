"""One direction of SSH before its keys are in use: bytes in, events out (RFC 4253 4.2, 6, 7, 11).

House rules of this file:
1. A stream fed whole, in pieces or byte by byte gives the same events.
2. A packet's length is believed up to PACKET_LIMIT, and no more than KEPT of a packet is kept, whatever it claims.
3. Missing bytes are read over only where a packet's length says where the next one begins.
"""

from __future__ import annotations

from dataclasses import dataclass

from netprobe.model import Offer
from netprobe.ssh import messages
from netprobe.ssh.opening import IDENTIFICATION_LIMIT, LINES_LIMIT, OWN

# What OpenSSH takes at most (PACKET_MAX_SIZE of packet.h); RFC 4253 6.1 demands 35,000.
PACKET_LIMIT = 256 * 1024
# RFC 4253 6.1: a payload of 32,768 bytes must be taken. Nothing that is read here comes near it.
KEPT = 32768
# OpenSSH takes lines of 8,192 bytes (SSH_MAX_BANNER_LEN), 1,024 of them.
LINE_LIMIT = 8192
TEXT_LIMIT = 256 * 1024
LINE_KEPT = 1024
# An exchange takes ten packets; IGNORE and DEBUG may come in between.
CLEAR_PACKETS_LIMIT = 1024


@dataclass(slots=True)  # not frozen: that costs at every start
class Line:
    """A line before the identification, without its end; cut after LINE_KEPT bytes."""

    text: str


@dataclass(slots=True)  # not frozen: that costs at every start
class Identification:
    """The identification string, without its end."""

    text: str


@dataclass(slots=True)  # not frozen: that costs at every start
class Kexinit:
    """The first KEXINIT. `offer` is None where it is not known whole; `trouble` says why, None for a gap."""

    offer: Offer | None
    trouble: str | None = None


@dataclass(slots=True)  # not frozen: that costs at every start
class HostKey:
    """A message of the server that carries its host key."""

    type: str
    fingerprint: str


@dataclass(slots=True)  # not frozen: that costs at every start
class Newkeys:
    """What follows is encrypted."""


@dataclass(slots=True)  # not frozen: that costs at every start
class Disconnected:
    """SSH_MSG_DISCONNECT."""

    code: int
    text: str


@dataclass(slots=True)  # not frozen: that costs at every start
class Debug:
    """SSH_MSG_DEBUG."""

    text: str


@dataclass(slots=True)  # not frozen: that costs at every start
class ExtInfo:
    """SSH_MSG_EXT_INFO (RFC 8308): names and values of extensions. In clear only by mistake."""

    extensions: tuple[tuple[str, str], ...]


@dataclass(slots=True)  # not frozen: that costs at every start
class Message:
    """Any other message, by its number."""

    number: int


@dataclass(slots=True)  # not frozen: that costs at every start
class Gap:
    """Bytes are missing and nothing behind them can be told apart."""


@dataclass(slots=True)  # not frozen: that costs at every start
class Trouble:
    """The stream is no SSH from here on."""

    what: str


Event = Line | Identification | Kexinit | HostKey | Newkeys | Disconnected | Debug | ExtInfo | Message | Gap | Trouble

_TEXT, _PACKETS, _ENCRYPTED, _OVER = range(4)


class Stream:
    """One direction. `feed` and `lose` take the bytes in order; events gather in `events` until taken."""

    __slots__ = (
        "_end", "_exchanged", "_have", "_held", "_lines", "_packets", "_state", "_taken", "_torn", "_whole", "events",
        "server",
    )  # fmt: skip

    def __init__(self, *, server: bool) -> None:
        self.server = server
        self.events: list[Event] = []
        self._state = _TEXT
        self._held = b""  # of an unfinished line or packet, KEPT at most
        self._have = 0  # how much of the packet has come, `_held` or not
        self._end = 0  # its whole length on the wire, 0 while unknown
        self._whole = True  # nothing of what is held is missing
        self._lines = self._taken = self._packets = 0
        self._torn = False  # in a line that is too long
        self._exchanged = False

    @property
    def encrypted(self) -> bool:
        """NEWKEYS has passed: bytes need not be fed any more."""
        return self._state == _ENCRYPTED

    @property
    def over(self) -> bool:
        """Nothing more can be read."""
        return self._state == _OVER

    @property
    def begun(self) -> bool:
        """The identification has passed."""
        return self._state != _TEXT

    def feed(self, data: bytes) -> int | None:
        """The next bytes. Returns how many of them are left over, behind NEWKEYS; None before it."""
        at = 0
        if self._state == _TEXT:
            at = self._lines_of(data)
        if self._state == _PACKETS:
            at = self._packets_of(data, at)
        return len(data) - at if self._state == _ENCRYPTED else None

    def lose(self, count: int) -> None:
        """The next `count` bytes are missing."""
        if not count:
            return
        if self._state == _PACKETS and self._end and self._have + count <= self._end:
            self._whole = self._whole and self._have >= self._end - self._held[4]  # padding is no loss
            self._have += count
            if self._have == self._end:
                self._finish(self._held)
        elif self._state in (_TEXT, _PACKETS):
            self._stop(Gap())

    # ------------------------------------------------------------------ text

    def _lines_of(self, data: bytes) -> int:
        """Lines up to the identification; where the packets begin in `data`."""
        at = 0
        while at < len(data):
            end = data.find(b"\n", at)
            until = min(end + 1 or len(data), at + TEXT_LIMIT - self._taken)
            piece = data[at:until]
            if b"\0" in piece:  # OpenSSH takes no such line either
                return self._stop(Trouble("binary data before any identification"))
            self._taken += len(piece)
            room = LINE_LIMIT - len(self._held)
            self._torn = self._torn or len(piece) > room
            self._held += piece[:room]
            at = until
            if until == end + 1 and self._identified(self._held[:-1].removesuffix(b"\r")):
                return at
            if self._taken >= TEXT_LIMIT:
                return self._stop(Trouble(f"{TEXT_LIMIT // 1024} KB and no identification"))
        return at

    def _identified(self, line: bytes) -> bool:
        """Take one line. Whether lines are over: this was the identification, or one too many."""
        self._held = b""
        torn, self._torn = self._torn, False
        echoed = self.server and line == OWN  # our own words come back from a server that echoes
        if not echoed and line.startswith(b"SSH-") and len(line) <= IDENTIFICATION_LIMIT and not torn:
            self.events.append(Identification(line.decode("latin-1")))
            version = line.split(b"-", 2)[1] if line.count(b"-") >= 2 else b""
            self._state = _PACKETS
            if version not in (b"2.0", b"1.99"):
                self._stop(Trouble(f"SSH protocol {version.decode('latin-1') or 'without a version'}"))
            return True
        self.events.append(Line(line[:LINE_KEPT].decode("latin-1")))
        self._lines += 1
        if not self.server:  # RFC 4253 4.2: only a server may send other lines first
            self._stop(Trouble("no identification first"))
        elif self._lines >= LINES_LIMIT:
            self._stop(Trouble(f"{LINES_LIMIT} lines and no identification"))
        return self._state != _TEXT

    # ------------------------------------------------------------------ packets

    def _packets_of(self, data: bytes, at: int) -> int:
        """Packets up to NEWKEYS; where in `data` reading ended."""
        size = len(data)
        while at < size and self._state == _PACKETS:
            if not self._end:
                # The length, the padding's length and the message number come first (RFC 4253 6).
                head = self._held + data[at : at + 6 - len(self._held)]
                if len(head) < 6:
                    self._held = head
                    return size
                length = int.from_bytes(head[:4])
                if not 2 <= length <= PACKET_LIMIT or head[4] > length - 2:
                    said = f"a packet of {length} bytes with {head[4]} of padding: no SSH packet"
                    return self._stop(Trouble(said))
                at += 6 - len(self._held)
                self._held, self._have, self._end, self._whole = head, 6, 4 + length, True
                if at + self._end - 6 <= size and self._end <= KEPT:  # whole and here: the usual case
                    at += self._end - 6
                    self._finish(head + data[at - self._end + 6 : at])
                    continue
            here = min(self._end - self._have, size - at)
            if self._whole and len(self._held) < KEPT:
                self._held += data[at : at + min(here, KEPT - len(self._held))]
            at += here
            self._have += here
            if self._have == self._end:
                self._finish(self._held)
        return at

    def _finish(self, packet: bytes) -> None:
        """A packet is complete: `packet` as far as it was kept."""
        payload = packet[5 : self._end - packet[4]]
        whole = self._whole and len(payload) == self._end - packet[4] - 5
        self._held, self._end = b"", 0
        self._packets += 1
        number = payload[0]
        if number == messages.NEWKEYS:
            self._state = _ENCRYPTED
            self.events.append(Newkeys())
            return
        self.events.append(self._event(number, payload, whole))
        if self._packets >= CLEAR_PACKETS_LIMIT:
            self._stop(Trouble(f"{CLEAR_PACKETS_LIMIT} packets and no end of the key exchange"))

    def _event(self, number: int, payload: bytes, whole: bool) -> Event:
        if number == messages.KEXINIT and not self._exchanged:
            self._exchanged = True
            if not whole:
                cut = f"a KEXINIT of more than {KEPT} bytes" if self._whole else None
                return Kexinit(None, cut)
            offer = messages.offer(payload)
            return Kexinit(offer, None if offer is not None else "a KEXINIT that can't be read")
        if messages.FIRST_OF_METHOD <= number <= messages.LAST_OF_METHOD and self.server:
            key = messages.host_key(payload)
            if key is not None:
                return HostKey(*key)
        elif number == messages.DISCONNECT:
            return Disconnected(*messages.disconnect(payload))
        elif number == messages.DEBUG:
            return Debug(messages.debug(payload))
        elif number == messages.EXT_INFO:
            return ExtInfo(messages.extensions(payload))
        return Message(number)

    def _stop(self, event: Gap | Trouble) -> int:
        """Read no more."""
        self._state = _OVER
        self._held = b""
        self.events.append(event)
        return 0
