"""Reports: what a run found, as data; the renderers beside this file turn it into text.

House rules of this package:
1. Renderers are pure: a report in, text out. No printing, no clock, no terminal: width and colour are given.
2. Text that came from outside goes through `escape` before it is shown.
3. A renderer decides nothing: states, causes and certainties are the rules' own words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from netprobe.ladder import LadderOf, Log
from netprobe.model import Mode, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureStatus:
    """How well the packets were seen. `undecoded`: how many were only counted, by kind (netprobe.tracker.undecoded).
    `vantages`: how many attempts of a stranger's capture were seen from each side (client, server, middle, unknown).
    `damage`: one line for each fault of the input, with its file and byte offset."""

    packets: int = 0
    dropped: int = 0
    unsolicited: int = 0
    damage: tuple[str, ...] = ()
    undecoded: Mapping[str, int] = field(default_factory=dict)
    vantages: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Difference:
    """A field of a frame that netprobe and tshark decoded differently."""

    file: str
    frame: int
    field: str
    ours: str
    theirs: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossCheck:
    """How the decoding of decisive frames compares with tshark's. `left_out`: verdicts whose frames were not compared,
    since others by the same rule were."""

    frames: int
    left_out: int = 0
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PairStatus:
    """How two captures of the same conversations fit together.

    `both`, `client_only`, `server_only`: conversations in both, or in one alone. `offset_ns`: the server's clock minus
    the client's, plus or minus `uncertainty_ns`; where packets of one direction alone are in both, the offset is but a
    `bound` (at-most, at-least). `drift_ppm`: by how much the server's runs faster, None where that can't be seen.
    `round_trip_ns`: of the quickest packets, from one capture to the other and back. `there`, `back`: packets that both
    have. `missed`: packets that the client's (the server's) capture must have missed. `unsteady`: a clock was set.
    `sides`: how many attempts failed for a cause on each side (Pair.side; unknown where it can't be told).
    """

    client: str
    server: str
    both: int = 0
    client_only: int = 0
    server_only: int = 0
    offset_ns: int | None = None
    uncertainty_ns: int | None = None
    bound: str | None = None
    drift_ppm: float | None = None
    round_trip_ns: int | None = None
    there: int = 0
    back: int = 0
    missed: tuple[int, int] = (0, 0)
    unsteady: bool = False
    sides: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cell:
    """A run of addresses of a sweep: from where to where, how many pairs of each cause."""

    first: str
    last: str
    causes: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One run of scan or analyze. Times are nanoseconds since the epoch.

    `interrupted`: the user stopped it, the verdicts are what was known by then. `failure`: the verdicts stand, but
    something else that was asked for could not be done (the -w file on a full disk): what happened and what to do.
    `ladder_of`: gives a verdict's packets, for the few that are shown; None where nobody has them any more. `log`: all
    that a scan sent and heard; None of other captures.
    """

    command: str
    started_ns: int
    finished_ns: int
    mode: Mode
    verdicts: tuple[Verdict, ...]
    capture: CaptureStatus = CaptureStatus()
    interrupted: bool = False
    failure: str | None = None
    cross_check: CrossCheck | None = None
    causes: Mapping[str, int] | None = None  # where the verdicts themselves were handed out and not kept
    pair: PairStatus | None = None
    network: tuple[Cell, ...] = ()  # of a sweep: what was swept, in order of addresses, in parts of equal size
    ladder_of: LadderOf | None = field(default=None, compare=False, repr=False)
    log: Log | None = field(default=None, compare=False, repr=False)


def by_cause(report: Report) -> dict[str, int]:
    """How many verdicts each cause has, the most frequent first."""
    if report.causes is not None:
        return dict(report.causes)
    return dict(Counter(verdict.cause for verdict in report.verdicts).most_common())
