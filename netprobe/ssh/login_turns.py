"""Turns of encrypted packets become requests with their answers (RFC 4252): whoever asks waits for the answer.

So what came in which segment doesn't matter, whole turns do. Before the answer banners and EXT_INFO may stand, after a
success whatever the server says first; some implementations put an empty IGNORE before each message.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from netprobe.ssh.login_framing import Framing
from netprobe.ssh.login_methods import LONGEST

# Payload bytes (RFC 4253 10, 11.2).
SERVICE = 17  # SERVICE_REQUEST and SERVICE_ACCEPT of ssh-userauth
IGNORE = 5  # SSH_MSG_IGNORE with nothing in it
OPENING = 3  # exchanges among which the service is accepted: EXT_INFO of both sides may cross
FULL = 500  # bytes: a segment of so many may end in the middle of a packet
MANY = 64  # packets in one go

Turns = tuple[tuple[bool, tuple[int, ...]], ...]


@dataclass(frozen=True, slots=True)
class Habits:
    """What an implementation is known to do. `none_first`: its first request is `none`; `services`: it asks for the
    service again before each try; `ignores`: an empty IGNORE stands before each of its messages; `known`: by name."""

    none_first: bool = True
    services: bool = False
    ignores: bool = False
    known: bool = False
    openssh: bool = False
    asks_count: bool = True  # asking whether a key would do counts as a try


_HABITS = (
    ("SSH-2.0-OpenSSH_1", Habits(known=True, openssh=True, asks_count=False)),  # measured with 10.6
    ("SSH-2.0-OpenSSH", Habits(known=True, openssh=True)),
    ("SSH-2.0-AsyncSSH_", Habits(ignores=True, known=True)),
    ("SSH-2.0-paramiko", Habits(none_first=False, services=True, known=True)),
    ("SSH-2.0-PuTTY", Habits(known=True)),
    ("SSH-2.0-dropbear", Habits(known=True)),
    ("SSH-2.0-libssh", Habits(known=True)),
    ("SSH-2.0-Go", Habits(known=True)),
)


@lru_cache(512)
def habits(identification: str | None) -> Habits:
    """Of whoever identifies itself so."""
    for start, found in _HABITS:
        if (identification or "").startswith(start):
            return found
    return Habits()


@dataclass(frozen=True, slots=True)
class Profile:
    """What is agreed on and who talks, each by side."""

    server: Framing
    client: Framing
    serving: Habits
    asking: Habits


@dataclass(slots=True)
class Exchange:
    """A request and its answer. `asked` and `said` are sizes, of packets where lengths are in clear, else of what came
    at once. `reply` is the one that answers; `merged`: it may be several packets."""

    asked: tuple[int, ...]
    said: tuple[int, ...]
    reply: int = 0
    merged: bool = False
    pieces: bool = False  # it came in pieces that are no packets
    small: int | None = None  # where in `said` the first stands that is as small as a success

    @property
    def request(self) -> int:
        """Bytes of the whole request, whatever came with it."""
        return sum(self.asked)


def exchanges(profile: Profile, turns: Turns) -> tuple[list[Exchange], str]:
    """Requests for the login with their answers, once the service was accepted; or why there are none."""
    found: list[Exchange] = []
    for by_client, sizes in turns:
        told = _without_ignores(profile, by_client, sizes)
        if by_client:
            if found and not found[-1].said:
                found[-1].asked += told
            elif told:
                found.append(Exchange(told, ()))
        elif found and told:
            found[-1].said += told
    return _after_service(profile, found)


def _without_ignores(profile: Profile, by_client: bool, sizes: tuple[int, ...]) -> tuple[int, ...]:
    """Without the empty IGNOREs that some put before each message: every other packet, or as much of each segment."""
    who, framing = (profile.asking, profile.client) if by_client else (profile.serving, profile.server)
    if not who.ignores:
        return sizes
    small = framing.size(IGNORE)
    kept: list[int] = []
    due = True
    for size in sizes:
        if size == small and due:
            due = False
        elif not framing.clear and due and size > small and framing.single(size - small):
            kept.append(size - small)
        else:
            kept.append(size)
            due = True
    return tuple(kept)


def _after_service(profile: Profile, found: list[Exchange]) -> tuple[list[Exchange], str]:
    """What follows the acceptance of the service. A client may ask for both at once."""
    accept, ask = profile.server.size(SERVICE), profile.client.size(SERVICE)
    first = [i for i, one in enumerate(found[:OPENING]) if accept in one.said]
    clear = [i for i in first if ask in found[i].asked]
    if first:
        i = (clear or first)[0]
        at = found[i].said.index(accept)
        rest, after = found[i].said[at + 1 :], found[i + 1 :]
        if rest:
            after.insert(0, Exchange(_beyond(profile, found[i].asked), rest))
        return _prepared(profile, after)
    if found and found[0].said:
        if not profile.server.clear and holds(profile.server, sum(found[0].said), accept):
            return _prepared(profile, found[1:])
        return [], "the sizes are not those of a login: padded by habit, or rekeyed"
    return [], ""


def _beyond(profile: Profile, asked: tuple[int, ...]) -> tuple[int, ...]:
    """What a client asked for in one go with the service."""
    ask = profile.client.size(SERVICE)
    if ask in asked:
        return asked[asked.index(ask) + 1 :] or (0,)
    more = sum(asked) - ask
    return (more,) if profile.client.single(more) else (0,)


def holds(framing: Framing, total: int, last: int) -> bool:
    """Whether so many bytes can be packets whose last has the size `last`."""
    return total == last or bool(framing.counts(total - last))


def _prepared(profile: Profile, found: list[Exchange]) -> tuple[list[Exchange], str]:
    """Each with the packet that answers."""
    framing = profile.server
    small = {framing.size(1), max(framing.size(1), framing.fixed + 16)}  # dropbear's packets have 16 bytes at least
    for exchange in found:
        said = exchange.said if framing.clear else _joined(framing, exchange.said)
        if said is None:
            return [], "the sizes of the server's packets don't fit the cipher agreed on"
        exchange.pieces = said != exchange.said
        exchange.said = said
        if said:
            exchange.small = next((i for i, size in enumerate(said) if size in small), None)
            exchange.reply = said[-1]
            exchange.merged = not framing.clear and (
                not framing.single(said[-1]) or (said[-1] > framing.size(LONGEST) and len(framing.counts(said[-1])) > 1)
            )
    return found, ""


def _joined(framing: Framing, sizes: tuple[int, ...]) -> tuple[int, ...] | None:
    """What came at once and holds whole packets. A piece that can't be packets belongs to what is before it, and so
    does one after a full segment."""
    found: list[int] = []
    whole = True
    for size in sizes:
        if found and not (whole and framing.counts(size)):
            found[-1] += size
        else:
            found.append(size)
        whole = bool(framing.counts(found[-1])) and size < FULL
    if len(found) > 1 and not framing.counts(found[-1]):
        found[-2:] = [found[-2] + found[-1]]
    return tuple(found) if all(framing.counts(one, MANY) for one in found) else None
