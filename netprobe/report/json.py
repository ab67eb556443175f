"""The report as JSON: one document, or one line for each verdict and a summary line (docs/interface.md).

House rules of this file:
1. The output is pure ASCII and valid JSON whatever the network sent; a reader of the JSON gets the text back as it was.
2. Times keep their nanoseconds: they are written as decimal numbers, never through a float.
3. Keys of the schema are always there, null where they don't apply; additions appear only where they say something.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from netprobe.model import Citation, Endpoint, Origin, Service, Verdict
from netprobe.report import Report, by_cause, pair_json, ssh_json

SCHEMA = "netprobe/1"


def document(report: Report, more: Mapping[str, Any] | None = None, each: Sequence[Mapping[str, Any]] = ()) -> str:
    """The whole report, indented, with a line end. `more`: keys besides; `each`: keys besides of each verdict."""
    besides = each or [{}] * len(report.verdicts)
    verdicts = {"verdicts": [_verdict(one) | dict(also) for one, also in zip(report.verdicts, besides, strict=True)]}
    return _dump(_head(report) | verdicts | _tail(report) | dict(more or {}), 2) + "\n"


def line(verdict: Verdict, more: Mapping[str, Any] | None = None) -> str:
    """One verdict as one line, for --jsonl. `more`: keys besides."""
    return _dump(_verdict(verdict) | dict(more or {}), None) + "\n"


def summary_line(report: Report, more: Mapping[str, Any] | None = None) -> str:
    """The last line of --jsonl: the document without its verdicts. `more`: keys besides."""
    return _dump(_head(report) | _tail(report) | dict(more or {}), None) + "\n"


def _head(report: Report) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "command": report.command,
        "started": timestamp(report.started_ns),
        "finished": timestamp(report.finished_ns),
        "mode": report.mode,
    }


def _tail(report: Report) -> dict[str, Any]:
    capture = report.capture
    tail: dict[str, Any] = {
        "summary": {"verdicts": sum(by_cause(report).values()), "by_cause": by_cause(report)},
        "capture": {
            "packets": capture.packets,
            "dropped": capture.dropped,
            "unsolicited": capture.unsolicited,
            "damage": list(capture.damage),
        },
    }
    if capture.vantages:
        tail["capture"]["vantage"] = dict(capture.vantages)
    if capture.undecoded:
        tail["capture"]["undecoded"] = dict(capture.undecoded)
    if report.cross_check is not None:
        check = report.cross_check
        tail["cross_check"] = {
            "frames": check.frames,
            "left_out": check.left_out,
            "differences": [
                {"file": one.file, "frame": one.frame, "field": one.field, "netprobe": one.ours, "tshark": one.theirs}
                for one in check.differences
            ],
        }
    if report.pair is not None:
        tail["pair"] = pair_json.status(report.pair)
    if report.interrupted:
        tail["interrupted"] = True
    if report.failure is not None:
        tail["failure"] = report.failure
    return tail


def _verdict(verdict: Verdict) -> dict[str, Any]:
    found: dict[str, Any] = {
        "target": verdict.target,
        "address": verdict.address,
        "port": verdict.port,
        "protocol": verdict.protocol,
        "client": _endpoint(verdict.client),
        "state": verdict.state,
        "reason": verdict.reason,
        "reason_address": verdict.reason_address,
        "reason_ttl": verdict.reason_ttl,
        "cause": verdict.cause,
        "certainty": verdict.certainty,
        "rule": verdict.rule,
        "origin": _origin(verdict.origin),
        "because": list(verdict.because),
        "alternatives": [
            {"cause": rival.cause, "because": rival.because, "settle": rival.settle} for rival in verdict.alternatives
        ],
        "remedy": list(verdict.remedy),
        "evidence": [_citation(citation) for citation in verdict.evidence],
        "history": verdict.history,
        "conn_state": verdict.conn_state,
        "rtt_ms": _rounded(verdict.rtt_ms),
        "attempts": verdict.attempts,
        "service": _service(verdict.service),
        "path": [
            {"hop": hop.hop, "address": hop.address, "rtt_ms": _rounded(hop.rtt_ms), "reason": hop.reason}
            for hop in verdict.path
        ],
    }
    if verdict.vantage is not None:
        found["vantage"] = verdict.vantage
    if verdict.basis is not None:
        found["basis"] = verdict.basis
    if verdict.credentials is not None:
        found["credentials"] = ssh_json.credentials(verdict.credentials)
    if verdict.pair is not None:
        found["pair"] = pair_json.pair(verdict.pair)
    if verdict.notes:
        found["notes"] = list(verdict.notes)
    return found


def _endpoint(endpoint: Endpoint | None) -> dict[str, Any] | None:
    return None if endpoint is None else {"address": endpoint.address, "port": endpoint.port}


def _origin(origin: Origin) -> dict[str, Any]:
    between = None if origin.between is None else list(origin.between)
    return {"kind": origin.kind, "address": origin.address, "hop": origin.hop, "between": between}


def _citation(citation: Citation) -> dict[str, Any]:
    # The time stays an integer of nanoseconds here; _dump sets the decimal point.
    return {"frame": citation.frame, "time": citation.time_ns, "what": citation.what}


def _service(service: Service | None) -> dict[str, Any] | None:
    if service is None:
        return None
    found: dict[str, Any] = {"protocol": service.protocol, "identification": service.identification}
    if service.text:
        found["text"] = list(service.text)
    if service.kex is not None:
        found["kex"] = ssh_json.kex(service.kex)
    if service.auth is not None:
        found["auth"] = ssh_json.auth(service.auth)
    return found


def _rounded(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else round(milliseconds, 3)


def timestamp(time_ns: int) -> str:
    """RFC 3339 in UTC with nanoseconds."""
    seconds, rest = divmod(time_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


# A quote inside a JSON string always has a backslash before it, so this can only match the key itself.
_TIME = re.compile(r'(?<!\\)"time": ([0-9]+)')
_LONE_SURROGATE = re.compile(r"(?<!\\)((?:\\\\)*)(\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}|\\u(d[89a-f][0-9a-f]{2}))")


def _seconds(time_ns: int) -> str:
    return f"{time_ns // 1_000_000_000}.{time_ns % 1_000_000_000:09d}"


def _dump(value: dict[str, Any], indent: int | None) -> str:
    text = json.dumps(value, indent=indent, ensure_ascii=True, allow_nan=False)
    text = _TIME.sub(lambda match: f'"time": {_seconds(int(match[1]))}', text)
    text = text.replace("\x7f", "\\u007f")  # the one control character that JSON lets through
    if "\\ud" in text:
        # Half a surrogate pair (a byte that wasn't UTF-8) is legal here, but most readers refuse it: shown as escape.
        text = _LONE_SURROGATE.sub(lambda match: match[0] if match[3] is None else f"{match[1]}\\\\u{match[3]}", text)
    return text
