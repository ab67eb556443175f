"""Both directions of one SSH connection, fed segment by segment in capture order."""

from __future__ import annotations

from netprobe.model import Agreed, Auth, Disconnect, Kex, Offer, Outcome, Reached
from netprobe.ssh import negotiation, transport
from netprobe.ssh.login import Login
from netprobe.ssh.reassembly import Direction

SIDES = ("server", "client")  # by `by_client`
_ORDER = tuple(Reached)


class Session:
    """One connection. Nothing raises, whatever the bytes; memory is bounded."""

    __slots__ = (
        "_closed", "_directions", "_disconnect", "_encrypted", "_ended", "_gap", "_host_key", "_idents", "_login",
        "_newkeys", "_offers", "_reached", "_streams", "_trouble", "done",
    )  # fmt: skip

    def __init__(self) -> None:
        # Nothing more can be learnt: whoever feeds the session may stop.
        self.done = False
        # By `by_client`: the server's comes first.
        self._directions = (Direction(), Direction())
        self._streams = (transport.Stream(server=True), transport.Stream(server=False))
        self._idents: list[str | None] = [None, None]
        self._offers: list[Offer | None] = [None, None]
        self._encrypted = [False, False]
        self._ended = [False, False]
        self._newkeys: tuple[str, ...] = ()
        self._login: Login | None = None
        self._reached = Reached.IDENTIFICATION
        self._host_key: tuple[str, str] | None = None
        self._disconnect: Disconnect | None = None
        self._closed: tuple[str, str] | None = None
        self._gap = False
        self._trouble: str | None = None

    # ------------------------------------------------------------------ what comes in

    def segment(self, by_client: bool, offset: int, length: int, data: bytes, time_ns: int) -> None:
        """A segment with payload. `offset` counts bytes from the one after the SYN (modulo 2^32 is fine); segments may
        come out of order, twice, or not at all; `data` may be shorter than `length` where the capture cut it."""
        if self.done:
            return
        for missing, size, piece, when in self._directions[by_client].segment(offset, length, data, time_ns):
            self._piece(by_client, missing, size, piece, when)

    def closed(self, by_client: bool, reset: bool, time_ns: int) -> None:
        """A FIN or reset of one side."""
        if self.done:  # whether it is heard of at all depends on who stops when
            return
        if self._closed is None:
            self._closed = (SIDES[by_client], "reset" if reset else "fin")
        self._ended[by_client] = True
        over = reset or all(self._ended)
        if over:
            self._flush()
        if self._login is not None and not self._login.done:
            self._login.closed(by_client, reset, time_ns)
        self.done = over

    def finish(self) -> None:
        """Nothing more comes: what waits behind a hole is read, the hole told as a gap."""
        if not self.done:
            self._flush()
        self.done = True

    def _flush(self) -> None:
        for by_client in (True, False):
            for missing, size, piece, when in self._directions[by_client].finish():
                self._piece(by_client, missing, size, piece, when)

    # ------------------------------------------------------------------ what is known

    def kex(self) -> Kex | None:
        """What the clear part showed so far; None while neither side identified itself."""
        if self._idents == [None, None]:
            return None
        agreed, missing = self._agreed()
        kind, fingerprint = self._host_key or (None, None)
        by, with_ = self._closed or (None, None)
        return Kex(
            reached=self._reached,
            client=self._idents[True],
            server=self._idents[False],
            client_offer=self._offers[True],
            server_offer=self._offers[False],
            agreed=agreed,
            missing=missing,
            host_key_type=kind,
            fingerprint=fingerprint,
            newkeys=self._newkeys,
            encrypted=tuple(side for side, so in zip(SIDES, self._encrypted, strict=True) if so),
            disconnect=self._disconnect,
            closed_by=by,
            closed_with=with_,
            gap=self._gap or any(d.holed for d in self._directions),
            trouble=self._trouble,
        )

    def auth(self) -> Auth | None:
        """What became of the login; None where it did not begin."""
        if self._login is not None:
            return self._login.outcome()
        if not any(self._encrypted):
            return None
        return Auth(Outcome.UNKNOWN, reason=self._unread(), closed_by=self._closed[0] if self._closed else None)

    def _unread(self) -> str:
        """Why the encrypted part can't be read: what was agreed isn't known."""
        if self._gap:
            return "bytes of the key exchange are missing in the capture"
        if self._trouble is not None:
            return self._trouble
        for by_client, side in enumerate(SIDES):
            if self._idents[by_client] is None:
                return f"the {side}'s side of the key exchange is not in the capture"
        return "the ciphers agreed on are not known"

    def _agreed(self) -> tuple[Agreed | None, tuple[str, ...]]:
        server, client = self._offers
        if server is None or client is None:
            return None, ()
        return negotiation.agree(client, server)

    # ------------------------------------------------------------------ the clear part

    def _piece(self, by_client: bool, missing: int, length: int, data: bytes, time_ns: int) -> None:
        """The next bytes of one side, `missing` others before them."""
        stream = self._streams[by_client]
        if stream.encrypted:
            self._delivery(by_client, data, length, time_ns, missing > 0)
            return
        if stream.over:
            return
        if missing:
            stream.lose(missing)
        left = stream.feed(data)
        cut = length - len(data)
        if left is None:
            stream.lose(cut)
        if stream.events:
            self._take(by_client, stream)
        if left is not None and left + cut:
            self._delivery(by_client, data[len(data) - left :], left + cut, time_ns, False)

    def _delivery(self, by_client: bool, data: bytes, length: int, time_ns: int, gap: bool) -> None:
        self._encrypted[by_client] = True
        if self._login is not None and not self._login.done:
            self._login.delivery(by_client, data, length, time_ns, gap)
        self._settle()

    def _take(self, by_client: bool, stream: transport.Stream) -> None:
        """What one side said in clear."""
        for event in stream.events:
            match event:
                case transport.Identification():
                    self._idents[by_client] = event.text
                case transport.Kexinit():
                    self._offers[by_client] = event.offer
                    self._reach(Reached.KEXINIT)
                    self._complain(by_client, event.trouble)
                    self._begin_login()
                case transport.HostKey():
                    self._host_key = (event.type, event.fingerprint)
                    self._reach(Reached.REPLY)
                case transport.Newkeys():
                    self._newkeys += (SIDES[by_client],)
                    self._reach(Reached.NEWKEYS)
                    self._begin_login()
                case transport.Disconnected():
                    self._disconnect = self._disconnect or Disconnect(SIDES[by_client], event.code, event.text)
                case transport.Gap():
                    self._gap = True
                case transport.Trouble():
                    self._complain(by_client, event.what)
        stream.events.clear()
        self._settle()

    def _reach(self, step: Reached) -> None:
        if _ORDER.index(step) > _ORDER.index(self._reached):
            self._reached = step

    def _complain(self, by_client: bool, what: str | None) -> None:
        if what is not None and self._trouble is None:
            self._trouble = f"the {SIDES[by_client]} sent {what}"

    def _begin_login(self) -> None:
        """The first NEWKEYS: from here on sizes tell. The ciphers must be known."""
        if self._login is not None or not self._newkeys or any(self._encrypted):
            return
        known = self.kex()
        if known is not None and known.agreed is not None and not known.missing:
            self._login = Login(known)

    def _settle(self) -> None:
        if self._trouble is not None and any(
            stream.over and ident is None for stream, ident in zip(self._streams, self._idents, strict=True)
        ):
            self.done = True  # no SSH
        elif all(stream.over or stream.encrypted for stream in self._streams):
            # Whether the client went on under its new keys says that it took the host key.
            went_on = self._encrypted[True] or self._streams[True].over
            self.done = went_on and (self._login is None or self._login.done)
