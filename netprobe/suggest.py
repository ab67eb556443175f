"""What somebody may have meant who wrote a word that nothing here knows."""

from __future__ import annotations

from collections.abc import Iterable

_LIKE = 0.6  # as difflib has it
_NEARLY = 0.05  # what comes this close to the best is told, too


def close(word: str, known: Iterable[str], *, like: float = _LIKE) -> list[str]:
    """The words that come close, at most three; empty where none does. `like`: as difflib has it, from 0 to 1."""
    from difflib import SequenceMatcher
    from itertools import takewhile

    words = list(dict.fromkeys(known))
    matcher = SequenceMatcher(b=word.lower())
    rated = []
    for one in words:
        matcher.set_seq1(one.lower())
        pairs = zip(one.lower(), word.lower(), strict=False)
        alike = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))  # what begins alike comes first
        rated.append((matcher.ratio(), alike, one))
    best = max((ratio for ratio, _, _ in rated), default=0.0)
    near = [(alike, one) for ratio, alike, one in rated if ratio >= max(like, best - _NEARLY)]
    found = [one for _, one in sorted(near, key=lambda pair: -pair[0])][:3]
    return found or [one for one in words if len(word) > 2 and one.lower().startswith(word.lower())][:3]


def meant(word: str, known: Iterable[str]) -> str:
    """"did you mean 'scan'?", or the two or three that come close; empty where nothing does."""
    found = [repr(one) for one in close(word, known)]
    if not found:
        return ""
    *first, last = found
    return f"did you mean {', '.join(first) + ' or ' if first else ''}{last}?"


def unknown(word: str, known: Iterable[str], *, most: int = 12) -> str:
    """The second sentence of an error about a value: what may have been meant, else what there is to choose from."""
    words = list(dict.fromkeys(known))
    guess = meant(word, words)
    if guess:
        return guess
    return f"one of {', '.join(words[:most])}{' ...' if len(words) > most else ''}"
