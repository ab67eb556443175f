"""What was rewritten on the way: a packet as it left, and as it arrived."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netprobe.model import Endpoint
from netprobe.pairing.match import SPACE, Way
from netprobe.pairing.packet import NO_CHECKSUM, Packet
from netprobe.tracker import columns as c

OPTION_NAMES = {
    2: "MSS",
    3: "window scale",
    4: "SACK permitted",
    5: "SACK",
    8: "timestamps",
    19: "MD5 signature",
    28: "user timeout",
    29: "TCP-AO",
    30: "Multipath TCP",
    34: "fast open",
}
ECN_NAMES = ("Not-ECT", "ECT(1)", "ECT(0)", "CE")


def changes(sent: Packet, received: Packet, numbers: tuple[int, int]) -> tuple[str, ...]:
    """Every difference but the TTL's, in words. `numbers`: where numbering begins for the sender's and the receiver's
    side (match.Way)."""
    return tuple(_changes(sent, received, numbers))


def _changes(a: Packet, b: Packet, numbers: tuple[int, int]) -> Iterator[str]:
    if a.tos >> 2 != b.tos >> 2:
        yield f"DSCP {a.tos >> 2} became {b.tos >> 2}"
    if a.tos & 3 != b.tos & 3:
        yield f"ECN {ECN_NAMES[a.tos & 3]} became {ECN_NAMES[b.tos & 3]}"
    if (b.seq - a.seq) % SPACE != (numbers[1] - numbers[0]) % SPACE:
        yield "another sequence number"
    elif a.seq != b.seq:
        yield f"sequence numbers shifted by {(b.seq - a.seq) % SPACE}"
    if a.window != b.window:
        yield f"window {a.window} became {b.window}"
    if a.flags != b.flags:
        yield f"flags {a.letters} became {b.letters}" if a.letters != b.letters else "ECN flags of TCP changed"
    if a.bits & c.O_DF and not b.bits & c.O_DF:
        yield "DF was cleared"
    if a.payload == b.payload and NO_CHECKSUM not in (a.checksum, b.checksum) and a.checksum != b.checksum:
        yield "the payload was changed"
    yield from _options(dict(a.options), dict(b.options))


def _options(a: dict[int, bytes], b: dict[int, bytes]) -> Iterator[str]:
    for kind in a.keys() - b.keys():
        yield f"option {_name(kind)} was removed"
    for kind in b.keys() - a.keys():
        yield f"option {_name(kind)} was added"
    for kind in sorted(a.keys() & b.keys()):
        if a[kind] == b[kind]:
            continue
        if kind in (2, 3):
            one, other = int.from_bytes(a[kind]), int.from_bytes(b[kind])
            yield f"{_name(kind)} {one} became {other}"
        elif kind == 5:
            yield "SACK blocks were rewritten"
        else:
            yield f"option {_name(kind)} was rewritten"


def _name(kind: int) -> str:
    return OPTION_NAMES.get(kind, f"{kind}")


def hops(sent: Packet, received: Packet) -> int | None:
    """Routers between both captures, by this packet's TTL; None where it grew, as behind a proxy."""
    difference = sent.ttl - received.ttl
    return difference if difference >= 0 else None


def summary(ways: Sequence[Way], ends: tuple[Endpoint, Endpoint], seen: tuple[Endpoint, Endpoint]) -> tuple[str, ...]:
    """What was rewritten in general: addresses, and what each change was, told once for each direction. `ends` are
    client and server in the client's capture, `seen` in the server's."""
    found: dict[str, None] = {}
    for name, here, there in zip(("client", "server"), ends, seen, strict=True):
        if here != there:
            found[f"{name} {here} is {there} at the server"] = None
    for way in ways:
        direction = "on the way there" if way.there else "on the way back"
        lengths = set()
        for i, j in way.pairs:
            if i is None or j is None:
                continue
            for change in changes(way.sent[i], way.received[j], way.numbers):
                found[f"{change} {direction}"] = None
            lengths.add(hops(way.sent[i], way.received[j]))
        if len(lengths) == 1 and None not in lengths:
            count = next(iter(lengths))
            found[f"{count} router{'' if count == 1 else 's'} {direction}, by the TTL"] = None
        elif lengths:
            told = ", ".join("a new TTL" if one is None else str(one) for one in sorted(lengths, key=_order))
            found[f"different numbers of routers {direction}, by the TTL: {told}"] = None
    return tuple(found)


def _order(length: int | None) -> int:
    return -1 if length is None else length
