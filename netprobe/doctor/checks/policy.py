"""AllowUsers, DenyUsers, AllowGroups and DenyGroups, in the order of sshd_config(5)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence


def denied(
    config: Mapping[str, Sequence[str]], user: str, groups: Sequence[str], source: str | None
) -> tuple[str, bool]:
    """(what keeps the user out, whether that is sure); an empty text where nothing does.

    sshd asks DenyUsers, AllowUsers, DenyGroups, AllowGroups, in this order (allowed_user in auth.c)."""
    unsure = ""
    for keyword, name in (("denyusers", "DenyUsers"), ("allowusers", "AllowUsers")):
        patterns = [one for value in config.get(keyword, ()) for one in value.split()]
        if not patterns:
            continue
        answers = [matches(one, user, source) for one in patterns]
        deny = name == "DenyUsers"
        said = f"{name} {' '.join(patterns)}"
        if True in answers:
            if deny:
                return said, True
        elif None in answers:
            unsure = unsure or said
        elif not deny:
            return f"{said} does not name them", True
    for keyword, name in (("denygroups", "DenyGroups"), ("allowgroups", "AllowGroups")):
        patterns = [one for value in config.get(keyword, ()) for one in value.split()]
        hit = any(listed(group, patterns) for group in groups)
        if patterns and hit == (name == "DenyGroups"):
            said = f"{name} {' '.join(patterns)}"
            return (said if hit else f"{said} names none of their groups"), True
    return unsure, False


def matches(pattern: str, user: str, source: str | None) -> bool | None:
    """USER or USER@HOST, with * ? and networks; None where it hangs on an address that wasn't told, or on a name."""
    name, at, host = pattern.rpartition("@")
    if not at:
        return listed(user, [pattern])
    if not listed(user, [name]):
        return False
    if host == "*":
        return True
    if source is None:
        return None
    try:
        return ipaddress.ip_address(source.partition("%")[0]) in ipaddress.ip_network(host, strict=False)
    except ValueError:
        pass
    if listed(source, [host]):
        return True
    return None if re.search(r"[A-Za-z]", host) and ":" not in host else False


def listed(name: str, patterns: Sequence[str]) -> bool:
    """match_pattern_list of match.c for single patterns: * and ? only, and ! that takes away."""
    found = False
    for pattern in patterns:
        bare = pattern.removeprefix("!")
        form = "".join(".*" if one == "*" else "." if one == "?" else re.escape(one) for one in bare)
        if re.fullmatch(form, name):
            if pattern.startswith("!"):
                return False
            found = True
    return found
