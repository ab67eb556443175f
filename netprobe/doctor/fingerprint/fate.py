"""What became of the marked SYNs: from how far each signal followed them to one word.

House rules of this file:
1. A signal follows, doesn't, or it is open: the amplitude with three standard deviations on either side decides, for
   one round alone also the furthest that the signal ever moved without one (several share an outlier, one doesn't).
2. A word needs the signals that prove it and the absence of those that would make it another; else it is `unsure`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from netprobe.doctor.facts import Heard

ACCEPTED, STACK_RESET, FILTER_RESET, REJECTED = "accepted", "reset-by-stack", "reset-by-netfilter", "rejected"
DROPPED, REVERSE_PATH, QUEUE_FULL, FORWARDED = "dropped", "reverse-path", "queue-full", "forwarded"
REPLY_LOST, REPLY_HELD, NO_WAY_BACK = "reply-lost", "reply-held-back", "no-way-back"
NEVER_ARRIVED, LIMITED, UNSURE = "never-arrived", "limited", "unsure"
FILTERED = frozenset({DROPPED, REJECTED, FILTER_RESET})
CERTAIN_BELOW = 1e-5
_SIGMAS = 3.0
_HALF = 0.5
# Of these just one moves for a SYN.
EXCLUSIVE = ("opened", "stack-reset", "overflow", "stopped", "no-route", "syn-ack-again")
_FAR = 3.0


@dataclass(frozen=True, slots=True)
class Fate:
    """One word for what became of the SYNs, whether that is certain, and why. `then`: with LIMITED, what the first
    round met and what the later ones did."""

    word: str
    certain: bool = False
    because: tuple[str, ...] = ()
    then: tuple[str, str] | None = None


def amplitude(excess: Sequence[float], sizes: Sequence[int], noise: float) -> tuple[float, float]:
    """By how much a signal moves for one SYN, and the standard error of that (least squares)."""
    pairs = list(zip(excess, sizes, strict=False))
    squares = sum(size * size for _, size in pairs)
    if not squares:
        return 0.0, math.inf
    return sum(one * size for one, size in pairs) / squares, noise / math.sqrt(squares)


def follows(excess: Sequence[float], sizes: Sequence[int], noise: float) -> bool | None:
    """Whether a signal moves with the rounds; None where its own noise hides that."""
    moved, error = amplitude(excess, sizes, noise)
    if moved - _SIGMAS * error > _HALF:
        return True
    return False if moved + _SIGMAS * error < _HALF else None


def fate(one: Heard) -> Fate:
    """What became of the SYNs of one IP version."""
    count = len(one.sizes)
    if one.by != "pings" and count > 1:
        first = _word(one, [0])
        later = _word(one, list(range(1, count)))
        if later.word in FILTERED and first.word == UNSURE and _Rounds(one, [0]).moves("stopped") is False:
            return Fate(LIMITED, _certain(one), later.because, (UNSURE, later.word))
        if UNSURE not in {first.word, later.word} and first.word != later.word:
            because = (*first.because, *later.because)
            if later.word in FILTERED:
                return Fate(LIMITED, _certain(one), because, (first.word, later.word))
            return Fate(later.word, False, ("the first round met another fate than the later ones", *because))
    whole = _word(one, list(range(count)))
    if one.by == "pings" and whole.word != NEVER_ARRIVED:
        # What truly follows the SYNs would have shown their rhythm by itself.
        why = "only the client's pings were recognised, and too much else went on to tell what becomes of the SYNs"
        return Fate(UNSURE, because=(why,))
    return Fate(whole.word, whole.word != UNSURE and _certain(one), whole.because, whole.then)


def _certain(one: Heard) -> bool:
    return one.chance < CERTAIN_BELOW and len(one.sizes) >= 3


class _Rounds:
    """The signals, at some of the rounds."""

    def __init__(self, one: Heard, which: Sequence[int]) -> None:
        self._one, self._which = one, which
        self._muted: set[str] = set()
        self.sizes = [one.sizes[at] for at in which]
        self.family = one.family
        self.by_pings = one.by == "pings"

    def moves(self, *names: str, sign: int = 1) -> bool | None:
        """Whether these together follow; None where that is open, False also where the kernel has none of them."""
        if self._muted.intersection(names):
            return False
        rows = [
            [sign * self._one.excess[name][at] for at in self._which if at < len(self._one.excess[name])]
            for name in names
            if name in self._one.excess
        ]
        if not rows:
            return False
        noise = _combined(self._one.noise, names)
        if len(self.sizes) == 1:
            noise = max(noise, _combined(self._one.tail, names) / _SIGMAS)
        together = [sum(column) for column in zip(*rows, strict=False)]
        return follows(together, self.sizes, noise)

    def single_out(self) -> bool:
        """A SYN has one fate. Where several signals seem to follow, one far quieter than the others is believed; False
        where there is none such."""
        moving = sorted((self._one.noise[name], name) for name in EXCLUSIVE if self.has(name) and self.moves(name))
        if len(moving) > 1:
            if moving[1][0] < _FAR * moving[0][0]:
                return False
            self._muted = {name for _, name in moving[1:]}
        return True

    def has(self, name: str) -> bool:
        """Whether this kernel has the signal."""
        return name in self._one.excess

    def told(self, name: str, words: str) -> str:
        """`stopped +5 +9 +7 +9: ...`."""
        gains = " ".join(f"{self._one.excess[name][at]:+.0f}" for at in self._which if at < len(self._one.excess[name]))
        return f"{words}: {gains} for {' '.join(map(str, self.sizes))} SYNs (usually ±{self._one.noise[name]:.1f})"


def _combined(known: Mapping[str, float], names: Sequence[str]) -> float:
    """The noise of several signals together, as if they were independent."""
    return math.hypot(*(known[name] for name in names if name in known))


def _word(one: Heard, which: Sequence[int]) -> Fate:
    at = _Rounds(one, which)
    if not at.single_out():
        return Fate(UNSURE, because=("more than one counter followed them, by chance: too much else went on",))
    for decide in (_opened, _reset, _queue, _stopped, _on_its_way, _reply):
        found = decide(at)
        if found is not None:
            return found
    return _nothing(at)


def _opened(at: _Rounds) -> Fate | None:
    if at.moves("taken-back"):
        return Fate(ACCEPTED, because=(at.told("taken-back", "handshakes that the client took back (EmbryonicRsts)"),))
    if at.moves("opened"):
        return Fate(ACCEPTED, because=(at.told("opened", "handshakes that the client completed or took back"),))
    return None


def _reset(at: _Rounds) -> Fate | None:
    if not at.moves("stack-reset"):
        return None
    seen = at.told("stack-reset", "resets that the stack wrote (Tcp.OutRsts)")
    if at.moves("uncounted", sign=-1):
        return Fate(NO_WAY_BACK, because=(seen, "IP sent none of them: there is no route to the client"))
    if at.moves("withheld"):
        return Fate(REPLY_HELD, because=(seen, at.told("withheld", "packets that a filter on the way out held back")))
    return Fate(STACK_RESET, because=(seen,))


def _queue(at: _Rounds) -> Fate | None:
    if at.moves("overflow"):
        return Fate(QUEUE_FULL, because=(at.told("overflow", "accept queue overflows (ListenOverflows)"),))
    return None


def _stopped(at: _Rounds) -> Fate | None:
    if not at.moves("stopped"):
        return None
    seen = at.told("stopped", "packets received and not delivered")
    if at.moves("reverse-path"):
        return Fate(REVERSE_PATH, because=(seen, at.told("reverse-path", "IPReversePathFilter")))
    if at.moves("icmp-error"):
        return Fate(REJECTED, because=(seen, at.told("icmp-error", "ICMP errors written")))
    reset = _filter_reset(at)
    if reset:
        name = "withheld" if at.family == 6 else "uncounted"
        return Fate(FILTER_RESET, because=(seen, at.told(name, "packets that left and no protocol counted")))
    if reset is None:
        why = "whether a reset by netfilter left for each can't be told"
        why += " among the other packets" if at.has("withheld") or at.family == 4 else " on this kernel"
        return Fate(UNSURE, because=(seen, f"{why}: dropped, or reset by netfilter"))
    if at.moves("icmp-error") is None:
        return Fate(UNSURE, because=(seen, "other ICMP errors hide whether one left for each: dropped, or rejected"))
    return Fate(DROPPED, because=(seen, "nothing left for them"))


def _filter_reset(at: _Rounds) -> bool | None:
    if at.family == 6:
        return at.moves("withheld", sign=-1) if at.has("withheld") else None
    exact = at.moves("uncounted")
    return at.moves("sent") if exact is None else exact


def _on_its_way(at: _Rounds) -> Fate | None:
    if at.moves("no-route"):
        return Fate(NO_WAY_BACK, because=(at.told("no-route", "answers without a route (OutNoRoutes)"),))
    if at.moves("forwarded"):
        return Fate(FORWARDED, because=(at.told("forwarded", "packets forwarded to another machine"),))
    return None


def _reply(at: _Rounds) -> Fate | None:
    if at.moves("withheld"):
        return Fate(REPLY_HELD, because=(at.told("withheld", "packets that a filter on the way out held back"),))
    for name, words in (("syn-ack-again", "SYN-ACKs repeated a second later"), ("cookie", "SYN cookies sent")):
        if at.moves(name):
            return Fate(REPLY_LOST, because=(at.told(name, words), "no client acknowledged or reset them"))
    return None


# What moves for a SYN that arrives, whatever comes of it.
_ANY = ("opened", "stack-reset", "overflow", "stopped", "forwarded", "no-route", "syn-ack-again", "cookie", "withheld")


def _nothing(at: _Rounds) -> Fate:
    hidden = [name for name in _ANY if at.has(name) and at.moves(name) is None]
    if at.by_pings and not hidden:
        return Fate(NEVER_ARRIVED, because=("the client's pings arrived in their rhythm, none of its SYNs did",))
    if hidden:
        return Fate(UNSURE, because=(f"too much else moved these counters at the same time: {', '.join(hidden)}",))
    if at.moves("taken"):
        return Fate(UNSURE, because=(at.told("taken", "segments that TCP took (InSegs)"), "and TCP answered none"))
    return Fate(UNSURE, because=("they arrived, and no counter tells what became of them",))
