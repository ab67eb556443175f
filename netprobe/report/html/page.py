"""The page: a report, its packed attempts and a few ladders, put into page.html."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import resources
from typing import Any

from netprobe.ladder import Ladder
from netprobe.model import Certainty, Citation, Endpoint, Hop, Origin, OriginKind, State, Verdict
from netprobe.report import Report, by_cause
from netprobe.report.details import where
from netprobe.report.escape import excerpt
from netprobe.report.html import charts
from netprobe.report.html.attempts import NOBODY, Attempts
from netprobe.report.html.drawing import drawing
from netprobe.report.json import timestamp

# Verdicts shown whole, with their packets; of many attempts one of each kind.
SHOWN = 12
# So many attempts and fewer have no list: all of them are shown whole.
FEW = 3
# Characters of one text.
LONGEST = 2000

Drawer = Callable[[Verdict], Ladder | None]


def render(
    report: Report, attempts: Attempts, environment: Mapping[str, str], *, ladders: int = SHOWN
) -> Iterator[str]:
    """The page in pieces. `environment`: what it was made with, name by name; `ladders`: how many may be drawn.
    Raises ImportError without jinja2."""
    import jinja2
    from markupsafe import Markup

    def harmless(value: Any) -> Any:
        return excerpt(value, LONGEST) if isinstance(value, str) and not isinstance(value, Markup) else value

    def ticked(text: str) -> Markup:
        parts = excerpt(text, LONGEST).split("`")
        code = Markup("<code>{}</code>")
        return Markup("").join(code.format(one) if n % 2 else one for n, one in enumerate(parts))

    style, script = _resource("page.css"), _resource("page.js")
    loader = jinja2.FunctionLoader(_resource)
    world = jinja2.Environment(
        autoescape=True, loader=loader, finalize=harmless, trim_blocks=True, lstrip_blocks=True, auto_reload=False,
    )  # fmt: skip
    causes = by_cause(report)
    colour = charts.colours([*causes, *(attempts.cause(kind) for kind in attempts.by_kind())])
    world.filters["ticked"] = ticked
    listed = len(attempts.rows) > FEW
    yield from world.get_template("page.html").generate(
        report=report,
        headline=_headline(attempts, causes),
        cards=list(_cards(report, attempts, ladders)),
        causes=causes,
        colour=colour,
        time_line=charts.time_line(attempts, colour) if listed else None,
        servers=charts.servers(attempts, colour) if listed else None,
        listed=listed,
        total=sum(causes.values()),
        count=len(attempts.rows),
        left_out=attempts.left_out,
        environment=_environment(report, environment),
        style=Markup(style),  # noqa: S704 - the package's own
        script=Markup(script),  # noqa: S704 - likewise
        policy="default-src 'none'; base-uri 'none'; form-action 'none'; "
        f"style-src 'sha256-{_sha(style)}'; script-src 'sha256-{_sha(script)}'",
        data=Markup(_data(attempts, colour)) if listed else None,  # noqa: S704 - see _data
    )


def _resource(name: str) -> str:
    return resources.files("netprobe.report.html").joinpath(name).read_text("utf-8")


def _sha(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def _data(attempts: Attempts, colour: Mapping[str, int]) -> str:
    """JSON that may stand in a script element: nothing in it can end that, or begin a comment."""
    text = json.dumps(attempts.data() | {"colours": dict(colour)}, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e").replace("\x7f", "\\u007f")


def _headline(attempts: Attempts, causes: Mapping[str, int]) -> str:
    total = sum(causes.values())
    if not total:
        return "No connection attempt was found"
    if total == 1 and attempts.rows:
        v = attempts.verdict(0)
        return f"{_name(v)}: {_answer(v)}"
    failed = total - causes.get("up", 0)
    if not failed:
        return f"All {total:,} attempts came up"
    told = [f"{count:,} {cause}" for cause, count in causes.items() if cause != "up"]
    rest = f" and {len(told) - 4} more causes" if len(told) > 4 else ""
    return f"{failed:,} of {total:,} attempts failed: {', '.join(told[:4])}{rest}"


def _name(v: Mapping[str, Any]) -> str:
    address = v["address"]
    place = (f"[{address}]" if ":" in address else address) if address else ""
    name = v["target"] if v["target"] not in (address, place, f"{place}:{v['port']}") else ""
    return f"{name} {place}".strip() + f" port {v['port']}"


def _answer(v: Mapping[str, Any]) -> str:
    if v["cause"] == "up":
        return "up"
    return f"{v['state']}, {v['cause']} ({v['certainty']})"


def _cards(report: Report, attempts: Attempts, ladders: int) -> Iterator[dict[str, Any]]:
    """The verdicts that are shown whole: all of a few, else one of each rule, the most frequent failures first."""
    rows: Sequence[tuple[int, int]]
    if len(attempts.rows) <= SHOWN and report.command != "analyze":
        rows = [(row, 1) for row in sorted(range(len(attempts.rows)), key=lambda n: _is_up(attempts, n))]
    elif len(attempts.rows) <= FEW:
        rows = [(row, 1) for row in range(len(attempts.rows))]
    else:
        found: dict[str, list[int]] = {}
        for kind, count in attempts.by_kind().items():
            if attempts.cause(kind) != "up":
                one = found.setdefault(attempts.templates[kind]["rule"], [attempts.first[kind], 0])
                one[0], one[1] = min(one[0], attempts.first[kind]), one[1] + count
        rows = [(row, count) for row, count in sorted(found.values(), key=lambda one: -one[1])][:SHOWN]
    for row, count in rows:
        v = attempts.verdict(row)
        card = {"v": v, "name": _name(v), "answer": _answer(v), "count": count, "origin": "", "row": row}
        verdict = verdict_of(v)
        if v["cause"] != "up":
            card["origin"] = where(verdict.origin, verdict.address)
        drawn = None
        if ladders > 0 and report.ladder_of is not None and not v.get("pair") and not v.get("thin"):
            ladders -= 1
            drawn = report.ladder_of(verdict)
        card["ladder"] = drawing(drawn, _refusers(verdict)) if drawn is not None else None
        card["hops"] = _hops(verdict) if verdict.path else []
        yield card


def _is_up(attempts: Attempts, row: int) -> bool:
    return attempts.cause(attempts.kind_of[row]) == "up"


def _refusers(verdict: Verdict) -> set[str]:
    """Who refused, or the two between whom it was."""
    if verdict.cause == "up":
        return set()
    return {one for one in verdict.origin.between or (verdict.origin.address,) if one is not None}


def _hops(verdict: Verdict) -> list[dict[str, Any]]:
    """The path, hop by hop; who refused is marked, or between whom it was."""
    origin, refuses = verdict.origin, _refusers(verdict)
    word = "refuses" if origin.between is None else "next to the refusal"
    found: list[dict[str, Any]] = []
    for hop in verdict.path:
        time = "" if hop.rtt_ms is None else f"{hop.rtt_ms:.3g} ms"
        mark = word if hop.address in refuses or (origin.hop == hop.hop and refuses) else ""
        found.append({"hop": hop.hop, "address": hop.address, "time": time, "reason": hop.reason, "mark": mark})
    return found


def _environment(report: Report, environment: Mapping[str, str]) -> list[tuple[str, str]]:
    capture = report.capture
    found = [
        *environment.items(),
        ("begun", timestamp(report.started_ns)),
        ("ended", timestamp(report.finished_ns)),
        ("mode", str(report.mode)),
        ("packets", f"{capture.packets:,} seen, {capture.dropped:,} dropped, {capture.unsolicited:,} unsolicited"),
    ]
    if capture.undecoded:
        found.append(("not decoded", ", ".join(f"{count:,} {kind}" for kind, count in capture.undecoded.items())))
    if capture.vantages:
        found.append(("taken at", ", ".join(f"{side} ({count:,})" for side, count in capture.vantages.items())))
    found += [("damaged", line) for line in capture.damage]
    found += [("failed", report.failure)] if report.failure else []
    return found


def verdict_of(v: Mapping[str, Any]) -> Verdict:
    """As much of a verdict as a ladder needs, from its JSON with times as text."""
    origin = v.get("origin") or {"kind": "unknown", "address": None, "hop": None, "between": None}
    between = origin["between"]
    client = v["client"]
    kind = OriginKind(origin["kind"])
    return Verdict(
        target=v["target"],
        address=v["address"],
        port=v["port"],
        state=State(v["state"]),
        reason=v["reason"],
        cause=v["cause"],
        certainty=Certainty(v["certainty"]),
        rule=v["rule"],
        origin=Origin(kind, origin["address"], origin["hop"], tuple(between) if between else None),
        because=(),
        alternatives=(),
        remedy=(),
        evidence=tuple(Citation(one["frame"], _ns(one["time"]), one["what"]) for one in v.get("evidence", ())),
        client=Endpoint(client["address"], client["port"]) if client and client["address"] != NOBODY else None,
        path=tuple(
            Hop(one["hop"], one["address"], float(one["rtt_ms"]) if one["rtt_ms"] is not None else None, one["reason"])
            for one in v.get("path", ())
        ),
    )


def _ns(time: str | int) -> int:
    """Nanoseconds of a decimal number of seconds."""
    seconds, _, rest = str(time).partition(".")
    return int(seconds) * 1_000_000_000 + int(rest.ljust(9, "0")[:9])
