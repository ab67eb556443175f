"""What became of a login, from the sizes of encrypted packets."""

from __future__ import annotations

from netprobe.model import Auth, Kex, Outcome


class Login:
    """The encrypted part of one session. `kex` is what the clear part agreed on."""

    def __init__(self, kex: Kex) -> None:
        self._kex = kex

    @property
    def done(self) -> bool:
        """Nothing more can be learnt."""
        return True

    def delivery(self, by_client: bool, data: bytes, length: int, time_ns: int, gap: bool) -> None:
        """Encrypted bytes in stream order, as one segment brought them: `length` on the wire, `data` as captured;
        `gap`: bytes before them are missing."""

    def closed(self, by_client: bool, reset: bool, time_ns: int) -> None:
        """One side closed, after everything that was delivered before."""

    def outcome(self) -> Auth:
        """What is known so far."""
        return Auth(Outcome.UNKNOWN, reason="not read yet")
