"""Which authentication methods a failure of a known size can list (RFC 4252 5.1): a size is a class of lists."""

from __future__ import annotations

from functools import lru_cache

KEY, PASSWORD, KBD = "publickey", "password", "keyboard-interactive"
_GSS = ("gssapi-keyex", "gssapi-with-mic")
_MIC = ("gssapi-with-mic",)

FAILURE_HEAD = 6  # number, length of the list, partial success

# Lists that servers send, the commonest first. Their order within doesn't change the length.
LISTS: tuple[tuple[str, ...], ...] = (
    (KEY, PASSWORD),
    (KEY,),
    (KEY, PASSWORD, KBD),
    (PASSWORD,),
    (KBD,),
    (KEY, KBD),
    (PASSWORD, KBD),
    (KEY, *_GSS, PASSWORD),
    (KEY, *_MIC, PASSWORD),
    (KEY, *_GSS, PASSWORD, KBD),
    (KEY, *_MIC, PASSWORD, KBD),
    (KEY, *_GSS, KBD),
    (KEY, *_GSS),
    (KEY, *_MIC, KBD),
    (KEY, *_MIC),
    (KEY, PASSWORD, "hostbased"),
    (KEY, "hostbased"),
    (KEY, PASSWORD, KBD, "hostbased"),
    (KEY, *_GSS, PASSWORD, KBD, "hostbased"),
    ("hostbased",),
)
LONGEST = max(len(",".join(one)) for one in LISTS) + 8


@lru_cache(1024)
def fitting(least: int, most: int, needed: frozenset[str] = frozenset()) -> tuple[tuple[str, ...], ...]:
    """The lists whose failure has a payload of `least` to `most` bytes and that hold all `needed`, commonest first."""
    return tuple(
        one for one in LISTS if least <= FAILURE_HEAD + len(",".join(one)) <= most and needed.issubset(one)
    )  # fmt: skip
