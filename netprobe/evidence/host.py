"""What else a capture shows of an attempt's server address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netprobe.tracker import columns as c

TOS_WORDS = {c.T_ECHO: "echo", c.T_ZERO: "zero", c.T_OTHER: "other"}


@dataclass(frozen=True, slots=True)
class Host:
    """Answers of the same address in the same capture, beside the attempt at hand (netprobe.tracker.hosts).

    `ping`, `opened`, `reset`: TTLs of echo replies, SYN-ACKs, and resets of other ports that copy their SYN's DSCP; 0
    or empty where there were none. `control`: how another port answers. `here`: this very port answered with SYN-ACK,
    to this attempt or another.
    """

    ping: int = 0
    opened: tuple[int, ...] = ()
    reset: int = 0
    reset_tos: str | None = None
    control: str | None = None
    here: bool = False
    all_open: bool = False
    full: bool = False  # a SYN-ACK or echo reply had the TTL it started with
    full_reset: bool = False  # a reset had; a box on the path may have written that

    @property
    def answers(self) -> bool:
        """Whether anything came from this address."""
        return bool(self.ping or self.opened or self.reset or self.control)

    @property
    def ttls(self) -> tuple[int, ...]:
        """TTLs of answers that only the host itself can have made."""
        return tuple(ttl for ttl in (self.ping, *self.opened, self.reset) if ttl)


def host_of(row: Sequence[int]) -> Host:
    """The record that `recall_host` copied into an attempt's row."""
    h = row[c.HOST : c.HOST + c.HOST_WIDTH]
    return Host(
        ping=int(h[c.A_PING]),
        opened=tuple(int(h[i]) for i in (c.A_OPEN, c.A_OPEN2) if h[i]),
        reset=int(h[c.A_RESET]),
        reset_tos=TOS_WORDS.get(int(h[c.A_RESET_TOS])),
        control={1: "syn-ack", 2: "reset"}.get(int(h[c.A_CONTROL])),
        here=bool(h[c.A_HERE]),
        all_open=bool(h[c.A_ALL_OPEN]),
        full=bool(h[c.A_FULL] & 1),
        full_reset=bool(h[c.A_FULL] & 2),
    )
