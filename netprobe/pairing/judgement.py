"""The fates of an attempt's packets as words for the rules (features `pair_*` of netprobe.evidence.FEATURES)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from netprobe.pairing.coverage import Watcher
from netprobe.pairing.fates import Fate
from netprobe.pairing.match import SPACE, Way
from netprobe.pairing.packet import Packet
from netprobe.tracker import columns as c

ALWAYS_PASSES = 512  # bytes of payload that fit any link (RFC 9293 3.7.1: 536 where nothing is said)
ENOUGH = 3  # copies, all of them missing, in a capture that lacks a packet here and there
ANSWER_NS = 1_000_000_000  # a server answers a SYN faster, or not at all


@dataclass(slots=True)
class Judgement:
    """Words, what texts need to tell them, and lines that say what both captures show."""

    words: dict[str, str] = field(default_factory=dict)
    values: dict[str, object] = field(default_factory=dict)
    says: list[str] = field(default_factory=list)


def judge(fates: Sequence[Fate], ways: tuple[Way, Way] | None, server: Watcher, icmp_from: str | None) -> Judgement:
    """All words of one attempt. `icmp_from`: the sender of the ICMP error that the client's verdict rests on."""
    found = Judgement()
    there = [one for one in fates if one.there]
    back = [one for one in fates if not one.there]
    _syns(found, there, server)
    _answers(found, there, back, server)
    _resets(found, there, back)
    _errors(found, back, icmp_from)
    _handshake(found, there, back)
    if ways is not None:
        _stuck(found, fates, ways)
    _tell(found, there, back)
    return found


def _fate_of(fates: Iterable[Fate]) -> str:
    """One word for copies of one packet: it is enough that one arrived; lost only where every one is proven to be."""
    kinds = list(fates)
    if not kinds:
        return "none"
    if any(one.fate in ("arrived", "split", "copied") or one.because.startswith("it was ack") for one in kinds):
        return "arrived"
    if any(one.fate == "unseen" for one in kinds):
        # Copies that could not be seen say nothing; two others that were lost say enough.
        kinds = [one for one in kinds if one.fate == "lost"]
        if not kinds:
            return "unseen"
        if len(kinds) < 2:
            return "missing"
    if all(one.proven for one in kinds):
        return "lost"
    return "lost" if len(kinds) >= ENOUGH and all(one.proven or one.rare for one in kinds) else "missing"


def _tcp(fates: Iterable[Fate], wanted: int, unwanted: int = 0) -> list[Fate]:
    return [one for one in fates if one.flags & wanted == wanted and not one.flags & unwanted]


def _left(fates: Iterable[Fate]) -> list[Fate]:
    return [one for one in fates if one.sent is not None]


def _syns(found: Judgement, there: list[Fate], server: Watcher) -> None:
    syns = _left(_tcp(there, c.F_SYN, c.F_ACK))
    if not syns:
        return
    word = _fate_of(syns)
    if word == "unseen" and not server.side.sighted:
        word = "nowhere"
    found.words["pair_syn"] = word
    found.values["pair_syns"] = len(syns)
    found.values["pair_syns_lost"] = sum(one.fate == "lost" for one in syns)
    found.values["pair_because"] = next((one.because for one in syns if one.because), "")


def _answers(found: Judgement, there: list[Fate], back: list[Fate], server: Watcher) -> None:
    """What left the server in answer to the SYN, and whether it arrived."""
    left = _left(back)
    synacks = _tcp(left, c.F_SYN | c.F_ACK)
    resets = _tcp(left, c.F_RST)
    errors = [one for one in left if not isinstance(one.packet, Packet)]
    for word, fates in (("syn-ack", synacks), ("reset", resets), ("icmp", errors)):
        if fates:
            found.words["pair_answer"] = word
            found.words["pair_reply"] = _fate_of(fates)
            found.values["pair_answers"] = len(fates)
            if not found.values.get("pair_because"):
                found.values["pair_because"] = next((one.because for one in fates if one.because), "")
            break
    else:
        arrived = [one.received for one in _tcp(there, c.F_SYN, c.F_ACK) if one.received is not None]
        last = server.side.last_ns
        if arrived and last is not None:
            whole = not server.side.dropped and not server.side.missed
            waited = last - min(one.time_ns for one in arrived) >= ANSWER_NS
            found.words["pair_answer"] = "none" if whole and waited else "unseen"
    forged = [one for one in _tcp(back, c.F_SYN | c.F_ACK) if one.fate == "forged"]
    if forged and not synacks:
        found.words["pair_synack"] = "forged" if all(one.proven for one in forged) else "foreign"
        found.values["pair_because"] = forged[0].because


def _resets(found: Judgement, there: list[Fate], back: list[Fate]) -> None:
    """Who wrote the resets that arrived."""
    for feature, fates in (("pair_reset", back), ("pair_reset_client", there)):
        came = [one for one in _tcp(fates, c.F_RST) if one.received is not None]
        forged = [one for one in came if one.fate == "forged"]
        if any(one.fate == "arrived" for one in came):
            # The first to come is the one that counts: the receiver's stack acts on it.
            first = min(came, key=lambda one: one.received.time_ns if one.received else 0)
            found.words[feature] = "left" if first.fate == "arrived" else "foreign"
            if first in forged and first.proven:
                found.words[feature] = "forged"
        elif forged:
            found.words[feature] = "forged" if any(one.proven for one in forged) else "foreign"
        else:
            continue
        if forged:
            found.values["pair_forged_ttl"] = forged[0].packet.ttl
            found.values["pair_because"] = forged[0].because


def _errors(found: Judgement, back: list[Fate], icmp_from: str | None) -> None:
    """Where the ICMP error came from that the client got."""
    errors = [one for one in back if not isinstance(one.packet, Packet) and one.received is not None]
    wanted = [one for one in errors if getattr(one.packet, "sender", None) == icmp_from]
    if not wanted:
        return
    if any(one.fate == "arrived" for one in wanted):
        found.words["pair_icmp"] = "left"
    elif any(one.fate == "forged" and one.proven for one in wanted):
        found.words["pair_icmp"] = "path"


def _handshake(found: Judgement, there: list[Fate], back: list[Fate]) -> None:
    """Whether anything of the client got there after its SYN, and anything of the server's words came back."""
    if not any(one.received is not None for one in _tcp(back, c.F_SYN | c.F_ACK)):
        return
    after = _left(_tcp(there, c.F_ACK, c.F_SYN | c.F_RST))
    if after:
        found.words["pair_ack"] = _fate_of(after)
    said = [one for one in _left(_tcp(back, c.F_ACK, c.F_SYN | c.F_RST)) if _payload(one)]
    if said:
        found.words["pair_words"] = _fate_of(said)
    asked = [one for one in _left(_tcp(there, c.F_ACK, c.F_SYN | c.F_RST)) if _payload(one)]
    if asked:
        found.words["pair_request"] = _fate_of(asked)


def _payload(fate: Fate) -> int:
    return fate.packet.payload if isinstance(fate.packet, Packet) else 0


def _stuck(found: Judgement, fates: Sequence[Fate], ways: tuple[Way, Way]) -> None:
    """A segment larger than any that arrived, lost every time it was sent, while others pass."""
    for way in ways:
        mine = [one for one in fates if one.there == way.there and isinstance(one.packet, Packet)]
        arrived = [p for one in mine if one.fate == "arrived" and isinstance(p := one.packet, Packet)]
        largest = max((p.payload for p in arrived), default=0)
        copies: dict[tuple[int, int], list[Fate]] = {}
        for one in mine:
            p = one.packet
            if one.sent is not None and isinstance(p, Packet) and p.payload > max(largest, ALWAYS_PASSES):
                copies.setdefault((p.seq, p.payload), []).append(one)  # none of them arrived: they are larger
        lost = [[one for one in same if one.fate == "lost"] for same in copies.values()]
        repeated = [same for same in lost if len(same) >= 2]
        if not repeated or not arrived:
            continue
        first = repeated[0][0].packet
        assert isinstance(first, Packet)
        after = [p for p in arrived if p.time_ns > first.time_ns]
        pieces = [p for p in after if p.payload and 0 <= (p.seq - first.seq) % SPACE < first.payload]
        proven = all(one.proven for one in repeated[0])
        found.words["pair_stuck"] = "there" if way.there else "back"
        found.words["pair_pieces"] = "pass" if pieces and proven else "none"
        found.values["pair_size"] = first.payload
        found.values["pair_copies"] = len(repeated[0])
        found.values["pair_passed"] = largest
        return


def _tell(found: Judgement, there: list[Fate], back: list[Fate]) -> None:
    """What left and what arrived, a line for each direction."""
    for fates, way in ((there, "there"), (back, "back")):
        counts = {
            name: sum(one.fate == name for one in fates)
            for name in ("arrived", "split", "lost", "forged", "copied", "unseen")
        }
        left = sum(one.sent is not None for one in fates)
        if not fates:
            found.says.append(f"on the way {way}: no packet")
            continue
        parts = [f"{left} left, {counts['arrived'] + counts['split']} arrived"]
        if counts["split"]:
            parts.append(f"{counts['split']} of them in other pieces")
        if counts["lost"]:
            sure = all(one.proven for one in fates if one.fate == "lost")
            parts.append(f"{counts['lost']} lost" + ("" if sure else " as it seems"))
        if counts["forged"]:
            parts.append(f"{counts['forged']} arrived that never left")
        if counts["copied"]:
            parts.append(f"{counts['copied']} copied on the way")
        if counts["unseen"]:
            parts.append(f"{counts['unseen']} can't be told")
        found.says.append(f"on the way {way}: {', '.join(parts)}")
    reasons = dict.fromkeys(one.because for one in (*there, *back) if one.because)
    found.says.extend(reasons)
