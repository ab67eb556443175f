"""The verdict of an attempt from both captures: the table decides, this file strikes out what the other end rules out.

House rules of this file:
1. A cause comes from the table alone. Where the refusal left the server itself, the server's capture is judged instead
   of the client's: it shows the answer as it was made.
2. A rival is struck out only for a reason that names what was seen; what is struck out is kept, with its reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from netprobe.evidence import Evidence
from netprobe.model import Alternative, Pair, Struck, Verdict
from netprobe.pairing.couples import Couple
from netprobe.pairing.fates import Fate, crossing
from netprobe.pairing.judgement import Judgement
from netprobe.verdict import diagnose

# Causes by who brings them about, as far as a second capture can clear somebody of it.
BY_PATH = {
    *("reset-on-path", "rejected-on-path", "network-unreachable", "host-unreachable", "routing-loop"),
    *("syn-proxy", "transparent-proxy", "host-silent"),
}
BY_SERVER = {
    *("no-listener", "reset-by-host-firewall", "rejected-by-host", "backlog-full", "forward-without-backend"),
    *("rate-limited", "stale-four-tuple"),
}
ANSWERS = {"syn-ack": "a SYN-ACK", "reset": "a reset", "icmp": "an ICMP error"}


def verdict(
    client: Evidence,
    server: Evidence | None,
    couple: Couple,
    judged: Judgement,
    fates: Sequence[Fate],
    changed: tuple[str, ...],
    omitted: int,
    began_ns: tuple[int, int],
) -> Verdict:
    """What the client's capture says alone, corrected by the server's."""
    alone = diagnose(client)
    words = judged.words
    words |= _nat(couple)
    client.features |= words
    client.features["alone"] = "up" if alone.cause == "up" else "failed"
    client.paired = judged.values | {
        "pair_answer_told": ANSWERS.get(words.get("pair_answer", ""), "an answer"),
        "pair_syn_told": _syn_told(words),
        "pair_server": couple.server.ends[1] if couple.server is not None else "another machine",
        "pair_way": "on the way there" if words.get("pair_stuck") == "there" else "on the way back",
    }
    if server is not None and server.features.get("listener") == "seen":
        client.features["listener"] = "seen"
    found, decided_by = diagnose(client), "client"
    if found.rule == alone.rule and server is not None and _made_by_server(client, server):
        theirs = diagnose(server)
        if theirs.cause != "inconclusive":
            found, decided_by = _with_names(theirs, alone), "server"
    found, struck = _strike(found, alone, words)
    pair = Pair(
        matched=couple.matched,
        seen_as=couple.server.ends if couple.server is not None else None,
        side=side_of(found, words),
        decided_by=decided_by,
        alone=(alone.cause, alone.certainty),
        says=tuple(judged.says),
        changed=changed,
        struck=struck,
        crossings=tuple(crossing(fate) for fate in fates),
        omitted=omitted,
        began_ns=began_ns,
    )
    # From which side each was captured needs no telling here.
    notes = tuple(note for note in found.notes if not note.startswith("captured on "))
    return replace(found, pair=pair, notes=notes)


def _nat(couple: Couple) -> dict[str, str]:
    """Whose address or port the server's capture has otherwise."""
    if couple.server is None:
        return {}
    client, server = (a != b for a, b in zip(couple.client.ends, couple.server.ends, strict=True))
    return {"pair_nat": "both" if client and server else "client" if client else "server" if server else "none"}


def _syn_told(words: dict[str, str]) -> str:
    return {
        "arrived": "the SYN itself came to the server, later or at the same time",
        "lost": "the SYN itself never came to the server",
    }.get(words.get("pair_syn", ""), "whether the SYN came to the server can't be told")


def _made_by_server(client: Evidence, server: Evidence) -> bool:
    """Whether the refusal that the client got is the server's own, and the server's capture has it as such."""
    answer = client.features.get("answer")
    if answer != server.features.get("answer"):
        return False
    return (answer == "reset" and client.features.get("pair_reset") == "left") or (
        answer == "icmp" and client.features.get("pair_icmp") == "left"
    )


def _with_names(theirs: Verdict, alone: Verdict) -> Verdict:
    """The server's verdict about the attempt as the client knows it."""
    return replace(
        theirs,
        target=alone.target,
        address=alone.address,
        port=alone.port,
        client=alone.client,
        rtt_ms=alone.rtt_ms,
        attempts=alone.attempts,
        reason_address=alone.reason_address,
        reason_ttl=alone.reason_ttl,
        notes=alone.notes,
        vantage=alone.vantage,
    )


def _strike(found: Verdict, alone: Verdict, words: dict[str, str]) -> tuple[Verdict, tuple[Struck, ...]]:
    """Rivals that the other capture rules out, and causes that the client's capture alone would have named."""
    kept: list[Alternative] = []
    struck: dict[str, str] = {}
    for rival in found.alternatives:
        because = ruled_out(rival.cause, words)
        if because is None or found.rule.startswith("NP7"):
            kept.append(rival)
        else:
            struck[rival.cause] = because
    left = {found.cause, *(rival.cause for rival in kept)}
    for cause in (alone.cause, *(rival.cause for rival in alone.alternatives)):
        because = ruled_out(cause, words)
        if cause not in left and because is not None:
            struck.setdefault(cause, because)
    return replace(found, alternatives=tuple(kept)), tuple(Struck(*one) for one in struck.items())


# What clears a group of causes: a word of the judgement, and how it is told. The first that holds.
CLEARED: tuple[tuple[set[str], tuple[tuple[str, str, str], ...]], ...] = (
    ({"backlog-full"}, (("pair_reply", "lost", "the server did answer"),)),
    (
        BY_SERVER,
        (
            ("pair_syn", "lost", "no SYN came to the server"),
            ("pair_reset", "forged", "the reset never left the server"),
            ("pair_icmp", "path", "the ICMP error never left the server"),
        ),
    ),
    (
        {"host-silent", "host-unreachable", "network-unreachable"},
        (("pair_syn", "arrived", "the SYN arrived at the server"),),
    ),
    (
        BY_PATH,
        (
            ("pair_reset", "left", "the reset left the server itself"),
            ("pair_icmp", "left", "the ICMP error left the server itself"),
        ),
    ),
    (
        {"reply-filtered"},
        (
            ("pair_syn", "lost", "no SYN came to the server, so there was nothing to answer"),
            ("pair_reply", "arrived", "the server's answer arrived"),
        ),
    ),
    (
        {"dropped", "syn-filtered"},
        (("pair_reply", "lost|arrived", "the SYN arrived at the server, which answered"),),
    ),
    ({"local-firewall"}, (("pair_syn", "lost|arrived", "the SYN left the client"),)),
)


def ruled_out(cause: str, words: dict[str, str]) -> str | None:
    """Why a cause is out of the question, None where it isn't."""
    for causes, reasons in CLEARED:
        if cause in causes:
            for feature, wanted, because in reasons:
                if words.get(feature) in wanted.split("|"):
                    return because
    return None


SIDES = (
    ("pair_syn", "lost|missing|nowhere", "way-there"),
    ("pair_reset", "forged|foreign", "path"),
    ("pair_reset_client", "forged|foreign", "path"),
    ("pair_synack", "forged", "path"),
    ("pair_icmp", "path", "path"),
    ("pair_reply", "lost|missing", "way-back"),
    ("pair_ack", "lost|missing", "way-there"),
    ("pair_stuck", "there", "way-there"),
    ("pair_stuck", "back", "way-back"),
    ("pair_words", "lost|missing", "way-back"),
    ("pair_request", "lost|missing", "way-there"),
    ("pair_answer", "none", "server"),
    ("pair_reset", "left", "server"),
    ("pair_icmp", "left", "server"),
)
OWN = {"local-firewall", "local-limit", "no-local-route", "neighbor-unreachable"}
AT_SERVER = {
    *("no-banner", "closed-before-banner", "refused-with-text", "tarpit", "other-service", "ssh1-only"),
    "reset-after-handshake",
}


def side_of(found: Verdict, words: dict[str, str]) -> str | None:
    """On which side of the path the cause lies: the first that holds of SIDES; None where nothing tells."""
    if found.cause in ("up", "inconclusive"):
        return None
    if found.cause in OWN:
        return "client"
    # An answer that a box between wrote is the cause, though a SYN was lost as well.
    order = sorted(SIDES, key=lambda one: one[2] != "path")
    for feature, wanted, side in order:
        if words.get(feature) in wanted.split("|"):
            return side
    if found.cause in AT_SERVER and words.get("pair_ack") == "arrived":
        return "server"
    return None
