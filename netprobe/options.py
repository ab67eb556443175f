"""What a person asked for, after the command line was understood and before anything is measured.

House rules of this file:
1. Frozen dataclasses only; defaults are those of the command line.
2. Times are seconds, rates are packets per second.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from netprobe.addresses import Network
from netprobe.selection import Selection
from netprobe.targets import Target

DEFAULT_RATE = 500.0
DEFAULT_SWEEP_RATE = 1000.0
DEFAULT_DIAGNOSED = 16  # answers of a sweep that get the full diagnosis, of each IP version
DEFAULT_BANNER_WAIT_S = 12.0
# Through how many tunnels, one in the other, `tunnels` looks.
TUNNELS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanOptions:
    """One `netprobe scan`. `targets` are unique and free of what the exclude lists name; `exclude` is kept for the
    addresses that names resolve to."""

    targets: tuple[Target, ...]
    ports: tuple[int, ...] | None = None  # None: each target's own port, else 22
    families: tuple[int, ...] = (4, 6)
    exclude: tuple[Network, ...] = ()
    expect: str | None = None  # None: by port and target, see netprobe.targets.expectation
    identify: bool = False
    auth_methods: bool = False  # ask SSH servers which methods of login they take
    user: str | None = None  # for whom; None: each target's own, see netprobe.wire.sshconfig
    patient: bool = False
    elsewhere: bool = True
    write: Path | None = None
    keep: int | None = None  # an open file that packets are saved to: that of `write`, or one without a name
    source_port: int | None = None
    interface: str | None = None
    banner_wait_s: float = DEFAULT_BANNER_WAIT_S
    rate: float = DEFAULT_RATE
    force_connect: bool = False

    @property
    def saves(self) -> bool:
        """Whether packets are saved."""
        return self.write is not None or self.keep is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepOptions:
    """One `netprobe scan --sweep`. `targets` are addresses, blocks and ranges as typed; `retries`: how often a silent
    pair is asked again; `shard`: this machine's part and how many there are, from (1, 1); `resume`: a file that holds
    how far it came; `silent`: tell of each silent pair; `budget`: how many pairs get a scan's full diagnosis besides;
    `patient`: ask again, slowly, where errors are limited."""

    targets: tuple[str, ...]
    ports: tuple[int, ...] = (22,)
    families: tuple[int, ...] = (4, 6)
    exclude: tuple[Network, ...] = ()
    expect: str | None = None
    rate: float = DEFAULT_SWEEP_RATE
    retries: int = 1
    shard: tuple[int, int] = (1, 1)
    resume: Path | None = None
    budget: int = DEFAULT_DIAGNOSED
    patient: bool = False
    silent: bool = False
    interface: str | None = None
    source_port: int | None = None
    consent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyzeOptions:
    """One `netprobe analyze`.

    `files`: each for itself, or, `together`, as one stream in time order; `-` is standard input. `pair`: two
    captures of the same conversations instead, the client's and the server's. `tunnels`: look inside tunnels.
    `vantage`: where the capture was taken (client, server, middle; None: found out). `display_filter`: only
    attempts of which a packet matches, in Wireshark's language. `cross_check`: compare the decoding of decisive
    packets with tshark's. `compiled`: the tracker's loop compiled (True), interpreted (False), or what pays (None).
    `threads`: read, track and diagnose at the same time, where it is compiled.
    """

    files: tuple[Path, ...] = ()
    servers: tuple[str, ...] = ()  # besides those of `selection`, for callers that have nothing but addresses
    selection: Selection = field(default_factory=Selection)
    together: bool = False
    pair: tuple[Path, Path] | None = None
    tunnels: bool = False
    vantage: str | None = None
    display_filter: str | None = None
    cross_check: bool = False
    compiled: bool | None = None
    threads: bool = True

    @property
    def depth(self) -> int:
        """Through how many tunnels, one in the other, to look."""
        return TUNNELS if self.tunnels else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitOptions:
    """One `netprobe wait`: look at `target` every `interval_s`, or as often as the budget of probing allows, until it
    is any of `until` (`up`, `down`, a state, a cause) or `timeout_s` have passed (None: for ever)."""

    target: Target
    port: int
    until: tuple[str, ...] = ("up",)
    timeout_s: float | None = None
    interval_s: float = 6.0
    families: tuple[int, ...] = (4, 6)
    expect: str | None = None
    source_port: int | None = None
    interface: str | None = None
    banner_wait_s: float = DEFAULT_BANNER_WAIT_S
    force_connect: bool = False
