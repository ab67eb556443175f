"""What two captures of one conversation add to the JSON: the `pair` of a verdict, and of the report.

House rules of this file:
1. Additions to netprobe/1 only: a document of one capture has none of these keys.
2. Differences of clocks are whole nanoseconds; the moments themselves are decimal seconds, as everywhere.
"""

from __future__ import annotations

from typing import Any

from netprobe.model import Crossing, Endpoint, Pair, Sight
from netprobe.report import PairStatus


def status(found: PairStatus) -> dict[str, Any]:
    """How both captures fit together."""
    return {
        "client": found.client,
        "server": found.server,
        "conversations": {"both": found.both, "client_only": found.client_only, "server_only": found.server_only},
        "clocks": {
            "offset_ns": found.offset_ns,
            "uncertainty_ns": found.uncertainty_ns,
            "bound": found.bound,
            "drift_ppm": None if found.drift_ppm is None else round(found.drift_ppm, 3),
            "unsteady": found.unsteady,
        },
        "round_trip_ms": None if found.round_trip_ns is None else round(found.round_trip_ns / 1e6, 6),
        "matched": {"there": found.there, "back": found.back},
        "sides": dict(found.sides),
        "missed": {"client": found.missed[0], "server": found.missed[1]},
    }


def pair(found: Pair) -> dict[str, Any]:
    """What both captures show of one attempt."""
    return {
        "matched": found.matched,
        "seen_as": None
        if found.seen_as is None
        else {"client": _endpoint(found.seen_as[0]), "server": _endpoint(found.seen_as[1])},
        "side": found.side,
        "decided_by": found.decided_by,
        "alone": {"cause": found.alone[0], "certainty": found.alone[1]},
        "says": list(found.says),
        "changed": list(found.changed),
        "ruled_out": [{"cause": one.cause, "because": one.because} for one in found.struck],
        "packets": [_crossing(one) for one in found.crossings],
        "omitted": found.omitted,
    }


def _crossing(one: Crossing) -> dict[str, Any]:
    found: dict[str, Any] = {
        "towards": one.towards,
        "what": one.what,
        "fate": one.fate,
        "client": _sight(one.client),
        "server": _sight(one.server),
    }
    if one.changed:
        found["changed"] = list(one.changed)
    if one.because:
        found["because"] = one.because
    return found


def _sight(sight: Sight | None) -> dict[str, Any] | None:
    return None if sight is None else {"frame": sight.frame, "time": sight.time_ns, "ttl": sight.ttl}


def _endpoint(endpoint: Endpoint) -> dict[str, Any]:
    return {"address": endpoint.address, "port": endpoint.port}
