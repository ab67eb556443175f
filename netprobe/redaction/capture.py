"""A whole capture redacted: read twice, written anew with the same numbers, times and interfaces.

House rules of this file:
1. Only records are written: comments, unknown blocks, secrets and all else that a file may hold stay behind.
2. Memory follows the number of connections, not the size of the file.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace

from netprobe.evidence.record import IMPOSSIBLE
from netprobe.model import ConnectionFact, Fact, Frame
from netprobe.redaction.facts import Facts
from netprobe.redaction.flows import Flows
from netprobe.redaction.names import Names
from netprobe.redaction.packets import Packets
from netprobe.redaction.prefixes import KEY_SIZE, Addresses
from netprobe.wire.capture import CaptureReader
from netprobe.wire.writer import CaptureWriter

Heard = Callable[[str, int, int], None]
_LOOK_EVERY = 2000  # records between two looks at `stop`, and between two writes


@dataclass(frozen=True, slots=True)
class Maps:
    """What one key maps: addresses and names."""

    addresses: Addresses
    names: Names

    def key_pseudonym(self, octets: bytes, size: int) -> bytes:
        """So many octets that stand for a public key."""
        return self.names.digest("host key", octets, size)


def maps(key: bytes | None = None) -> Maps:
    """The maps of a key (KEY_SIZE octets); without one, of a key that nobody knows and nobody keeps."""
    key = secrets.token_bytes(KEY_SIZE) if key is None else key
    addresses = Addresses(key, [one for version in IMPOSSIBLE.values() for one in version])
    return Maps(addresses, Names(key, addresses))


@dataclass(slots=True)
class Redacted:
    """How it went. `damage`: how many places of the source could not be read."""

    records: int = 0
    damage: int = 0
    stopped: bool = False


def redact(
    opened: Callable[[], CaptureReader], target: int, name: str, by: Maps, stop: Callable[[], bool] = lambda: False,
    heard: Heard | None = None,
) -> Redacted:  # fmt: skip
    """Write the capture that `opened` gives, redacted, to the descriptor `target`, which is then closed. `stop` says
    when to leave off; `heard` is told what is done, how many bytes are read and how many there are. Raises
    UnreadableCapture, and CaptureWriteError where the copy can't be written."""
    done = Redacted()
    flows, facts = Flows(by.key_pseudonym), Facts(by.names, by.key_pseudonym)
    first = Packets(by.addresses, flows.note)
    reader = opened()
    for count, record in enumerate(reader):
        if count % _LOOK_EVERY == 0:
            _tell(heard, "what is to be redacted", reader)
            if stop():
                done.stopped = True
                break
        if isinstance(record, Frame):
            first.frame(record)
        elif isinstance(record, ConnectionFact):
            facts.note(record)
    flows.finish()
    facts.finish()
    second = Packets(by.addresses, flows.stays)
    reader = opened()
    writer = CaptureWriter(target, name)
    number = 0
    try:
        for record in reader:
            if done.records % _LOOK_EVERY == 0:
                writer.flush()
                _tell(heard, "redacting", reader)
                done.stopped = done.stopped or stop()
            if done.stopped:
                break
            while number + 1 < record.number:  # what another program wrote, and Wireshark counts
                writer.blank()
                number += 1
            number = record.number
            writer.write(_rewritten(record, second, facts, by.names))
            done.records += 1
        writer.lost(reader.dropped)
        done.damage = len(reader.damage_lines)
    except BaseException:
        writer.abandon()
        raise
    writer.close()
    return done


def _tell(heard: Heard | None, what: str, reader: CaptureReader) -> None:
    if heard is not None:
        heard(what, *reader.progress)


def _rewritten(record: Frame | Fact, packets: Packets, facts: Facts, names: Names) -> Frame | Fact:
    if isinstance(record, Fact):
        return facts.fact(record)
    frame = packets.frame(record)
    return replace(frame, interface=names.interface(frame.interface)) if frame.interface else frame
