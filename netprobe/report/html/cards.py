"""One verdict as the page shows it whole: the answer, its reasons, its packets, its path, what else it could be.

House rules of this file:
1. Data in (the JSON of a verdict, times as text), data out for verdict.html; nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from netprobe.ladder import Ladder
from netprobe.model import Certainty, Citation, Endpoint, Hop, Origin, OriginKind, State, Verdict
from netprobe.report.details import where
from netprobe.report.html.attempts import NOBODY
from netprobe.report.html.drawing import NARROW, WIDE, drawing, pair_drawing
from netprobe.report.pair import SIDES
from netprobe.spoken import readable

# Lines of what a server said, of its banner, of an offer.
MOST_LINES = 20
_MATCHED = {"iss": "the sequence number of its SYN", "timestamp": "the timestamp of its SYN"}


def card(v: Mapping[str, Any], drawn: Ladder | None = None, *, count: int = 1, offset_ns: int = 0) -> dict[str, Any]:
    """What verdict.html wants of one verdict. `drawn`: its packets; `count`: how many attempts it stands for;
    `offset_ns`: of two captures, how far the server's clock is ahead."""
    verdict = verdict_of(v)
    service = v.get("service") or {}
    return {
        "v": v,
        "name": name(v),
        "answer": answer(v),
        "count": count,
        "origin": where(verdict.origin, verdict.address) if v["cause"] != "up" else "",
        "identification": readable(service.get("identification") or ""),
        "said": [readable(text) for text in service.get("text", [])[:MOST_LINES]],
        "more": [(label, texts) for label, texts in _more(v) if texts],
        "ladder": [drawing(drawn, refusers(verdict), frame) for frame in (WIDE, NARROW)] if drawn is not None else None,
        "pair": [pair_drawing(v, offset_ns)] if v.get("pair") and v["pair"]["packets"] else None,
        "hops": _hops(verdict),
        "notes": v.get("notes", []),
        "reason_address": v.get("reason_address"),
        "reason_ttl": v.get("reason_ttl"),
        "evidence": [
            {"frame": one["frame"], "time": clock(nanoseconds(one["time"])), "what": one["what"]}
            for one in v.get("evidence", ())
        ],
    }


def name(v: Mapping[str, Any]) -> str:
    """What a verdict is about, as people call it."""
    address = v["address"]
    place = (f"[{address}]" if ":" in address else address) if address else ""
    typed = v["target"] if v["target"] not in (address, place, f"{place}:{v['port']}") else ""
    return f"{typed} {place}".strip() + f" port {v['port']}"


def answer(v: Mapping[str, Any]) -> str:
    """What a verdict says, in few words."""
    if v["cause"] == "up":
        return "up"
    return f"{v['state']}, {v['cause']} ({v['certainty']})"


def refusers(verdict: Verdict) -> set[str]:
    """Who refused, or the two between whom it was."""
    if verdict.cause == "up":
        return set()
    return {one for one in verdict.origin.between or (verdict.origin.address,) if one is not None}


def _hops(verdict: Verdict) -> list[dict[str, Any]]:
    """The path, hop by hop; who refused is marked, or between whom it was."""
    origin, who = verdict.origin, refusers(verdict)
    word = "refuses" if origin.between is None else "next to the refusal"
    found: list[dict[str, Any]] = []
    for hop in verdict.path:
        time = "" if hop.rtt_ms is None else f"{hop.rtt_ms:.3g} ms"
        mark = word if hop.address in who or (origin.hop == hop.hop and who) else ""
        found.append({"hop": hop.hop, "address": hop.address, "time": time, "reason": hop.reason, "mark": mark})
    return found


# --------------------------------------------------------------------------- what only some verdicts have


def _more(v: Mapping[str, Any]) -> Iterator[tuple[str, Sequence[str]]]:
    """Labelled lists: of a session, a login, the user's own side, a second capture."""
    service = v.get("service") or {}
    kex, auth, mine, both = service.get("kex"), service.get("auth"), v.get("credentials"), v.get("pair")
    if both:
        yield "Both captures", list(_both(v, both))
    if kex:
        yield "Key exchange", list(_kex(kex))
    if auth:
        yield "Login", list(_auth(auth))
    if mine:
        advice = [text for one in mine["advice"] for text in (one["says"], *one["to_do"])]
        yield "Your side", [f"ssh would offer, as {mine['user']}: {one}" for one in mine["offers"]] + advice


def _kex(kex: Mapping[str, Any]) -> Iterator[str]:
    yield f"it came to: {kex['reached']}"
    if kex.get("agreed") and not kex.get("missing"):
        told = dict.fromkeys(one for one in kex["agreed"].values() if one)
        whose = f"by {kex['compared_with']}: " if kex.get("compared_with") else ""
        yield f"agreed: {whose}{', '.join(told)}"
    if kex.get("missing"):
        yield f"nothing in common: {', '.join(kex['missing'])}"
    if kex.get("host_key"):
        yield f"host key: {kex['host_key']['type']} {kex['host_key']['fingerprint']}"
    for side, offer in (kex.get("offers") or {}).items():
        whose = kex.get("compared_with") or "the client" if side == "client" else "the server"
        for what in kex.get("missing") or ():
            yield f"{whose} offers, {what.replace('_', ' ')}: {', '.join(offer.get(what, ())) or 'nothing'}"
    if kex.get("disconnect"):
        said = kex["disconnect"]
        yield f"disconnected by the {said['by']}, code {said['code']}: {said['text']}"
    if kex.get("closed_by"):
        yield f"closed by the {kex['closed_by']} with {kex.get('closed_with')}"
    if kex.get("trouble"):
        yield str(kex["trouble"])


def _auth(auth: Mapping[str, Any]) -> Iterator[str]:
    sure = f" ({auth['certainty']})" if auth.get("certainty") else ""
    whom = f" of {auth['user']}" if auth.get("user") else ""
    yield f"the login{whom}: {auth['outcome']}{sure}"
    if auth.get("reason"):
        yield str(auth["reason"])
    if auth.get("attempts") is not None:
        yield f"attempts: {auth['attempts']}{_sure(auth, 'attempts')}"
    if auth.get("methods"):
        yield f"the server takes: {', '.join(auth['methods'])}{_sure(auth, 'methods')}"
    if auth.get("key_accepted") is not None:
        yield f"a key was found acceptable: {'yes' if auth['key_accepted'] else 'no'}{_sure(auth, 'key_accepted')}"
    for text in (auth.get("banner") or ())[:MOST_LINES]:
        yield f"banner: {readable(text)}"


def _sure(auth: Mapping[str, Any], what: str) -> str:
    return f" ({auth[f'{what}_certainty']})" if auth.get(f"{what}_certainty") else ""


def _both(v: Mapping[str, Any], pair: Mapping[str, Any]) -> Iterator[str]:
    """What a second capture adds, as the terminal tells it (netprobe.report.pair)."""
    if pair["side"] is not None:
        yield f"the cause is {SIDES[pair['side']]}"
    if pair["matched"] is None:
        yield "the server's capture has nothing of this attempt"
    elif pair["matched"] in _MATCHED:
        yield f"found to be the same conversation by {_MATCHED[pair['matched']]}"
    yield from pair["says"]
    yield from pair["changed"]
    if pair["alone"]["cause"] != v["cause"]:
        yield f"the client's capture alone says {pair['alone']['cause']} ({pair['alone']['certainty']})"
    for one in pair["ruled_out"]:
        yield f"ruled out: {one['cause']}: {one['because']}"


# --------------------------------------------------------------------------- as much of a verdict as drawing needs


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
        evidence=tuple(Citation(one["frame"], nanoseconds(one["time"]), one["what"]) for one in v.get("evidence", ())),
        client=Endpoint(client["address"], client["port"]) if client and client["address"] != NOBODY else None,
        path=tuple(
            Hop(one["hop"], one["address"], float(one["rtt_ms"]) if one["rtt_ms"] is not None else None, one["reason"])
            for one in v.get("path", ())
        ),
    )


def nanoseconds(time: str | float) -> int:
    """Nanoseconds of a decimal number of seconds."""
    text = str(time)
    seconds, _, rest = text.lstrip("-").partition(".")
    found = int(seconds) * 1_000_000_000 + int(rest.ljust(9, "0")[:9])
    return -found if text.startswith("-") else found


def clock(time_ns: int) -> str:
    """Date and time in UTC with microseconds; "-" where there is no time."""
    if time_ns <= 0:
        return "-"
    seconds, rest = divmod(time_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(min(seconds, 253_402_300_799), UTC):%Y-%m-%d %H:%M:%S}.{rest // 1000:06d}"
