"""hosts.allow and hosts.deny, read as hosts_access(5) says: allow first, then deny, the first line that matches
counts."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from enum import StrEnum

DAEMON = "sshd"


class Decision(StrEnum):
    """What the files say of a client."""

    ALLOWED = "allowed"
    DENIED = "denied"
    UNSURE = "unsure"  # it hangs on a name, or on a client that wasn't told


def decide(allow: Sequence[str], deny: Sequence[str], source: str | None) -> tuple[Decision, str, str]:
    """(decision, the line that decided, its file). Without a source: whether everybody is denied."""
    doubts: tuple[str, str] | None = None
    for lines, file, usual in (
        (allow, "/etc/hosts.allow", Decision.ALLOWED),
        (deny, "/etc/hosts.deny", Decision.DENIED),
    ):
        for line in lines:
            parts = [part.strip() for part in re.split(r":(?![^\[]*\])", line)]
            if len(parts) < 2 or matches(parts[0], None, daemon=True) is not True:
                continue
            said = parts[2].upper() if len(parts) > 2 else ""
            decision = {"ALLOW": Decision.ALLOWED, "DENY": Decision.DENIED}.get(said, usual)
            found = matches(parts[1], source, daemon=False)
            if found is None:
                doubts = doubts or (line, file)
            elif found:
                if doubts is None or (source is None and decision is Decision.ALLOWED):
                    return decision, line, file
                return Decision.UNSURE, doubts[0], doubts[1]
    if doubts is not None and source is not None:
        return Decision.UNSURE, doubts[0], doubts[1]
    return Decision.ALLOWED, "", ""


def matches(text: str, source: str | None, *, daemon: bool) -> bool | None:
    """Whether a list of daemons or clients matches; None where that can't be told."""
    words = re.split(r"[\s,]+", text.strip())
    if "EXCEPT" in words:
        at = words.index("EXCEPT")
        one = matches(" ".join(words[:at]), source, daemon=daemon)
        other = matches(" ".join(words[at + 1 :]), source, daemon=daemon)
        if one is False or other is True:
            return False
        return True if one and other is False else None
    answers = [_daemon(word) if daemon else _client(word, source) for word in words if word]
    return True if True in answers else None if None in answers else False


def _daemon(word: str) -> bool:
    return word.partition("@")[0] in {"ALL", DAEMON}


def _client(word: str, source: str | None) -> bool | None:
    word = word.rpartition("@")[2]
    if word == "ALL":
        return True
    if source is None:
        return None
    address = ipaddress.ip_address(source.partition("%")[0])
    if word in {"LOCAL", "KNOWN", "UNKNOWN", "PARANOID"} or word.startswith(("@", "/")):
        return None
    if word.endswith("."):
        return str(address).startswith(word)
    bare = re.sub(r"[\[\]]", "", word)
    try:
        return address in ipaddress.ip_network(bare, strict=False)
    except ValueError:
        pass
    return None if re.search(r"[a-zA-Z]", bare) and ":" not in bare else False
