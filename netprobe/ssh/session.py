"""Both directions of one SSH connection, fed segment by segment in capture order."""

from __future__ import annotations

from netprobe.model import Auth, Kex


class Session:
    """One connection. Nothing raises, whatever the bytes; memory is bounded."""

    @property
    def done(self) -> bool:
        """Nothing more can be learnt: whoever feeds the session may stop."""
        return False

    def segment(self, by_client: bool, offset: int, length: int, data: bytes, time_ns: int) -> None:
        """A segment with payload. `offset` counts bytes from the one after the SYN (modulo 2^32 is fine); segments may
        come out of order, twice, or not at all; `data` may be shorter than `length` where the capture cut it."""

    def closed(self, by_client: bool, reset: bool, time_ns: int) -> None:
        """A FIN or reset of one side."""

    def kex(self) -> Kex | None:
        """What the clear part showed; None while neither side identified itself."""
        return None

    def auth(self) -> Auth | None:
        """What became of the login; None where it did not begin."""
        return None
