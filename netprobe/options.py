"""What a person asked for, after the command line was understood and before anything is measured.

House rules of this file:
1. Frozen dataclasses only; defaults are those of the command line.
2. Times are seconds, rates are packets per second.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from netprobe.addresses import Network
from netprobe.targets import Target

DEFAULT_RATE = 500.0
DEFAULT_BANNER_WAIT_S = 12.0


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
    patient: bool = False
    elsewhere: bool = True
    write: Path | None = None
    source_port: int | None = None
    interface: str | None = None
    banner_wait_s: float = DEFAULT_BANNER_WAIT_S
    rate: float = DEFAULT_RATE
    force_connect: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyzeOptions:
    """One `netprobe analyze`. `servers` restricts the verdicts to these addresses (empty: all)."""

    files: tuple[Path, ...]
    servers: tuple[str, ...] = ()
