"""A login in sentences: the values behind the placeholders of rules about it."""

from __future__ import annotations

from netprobe.model import Auth, Certainty


def values(auth: Auth) -> dict[str, object]:
    """What texts may say of a login."""
    tries = auth.attempts or 0
    return {
        "login_tries": "1 try was" if tries == 1 else f"{tries} tries were",
        "login_before": "" if tries < 2 else f", after {tries - 1} refused tr{'y' if tries == 2 else 'ies'}",
        "login_surely": "" if auth.certainty is Certainty.CERTAIN else "most likely ",
        "login_methods": _methods(auth),
        "login_permits": ",".join(auth.methods) or "...",
        "login_reason": auth.reason or "nothing",
        "login_closer": {"client": "the client", "server": "the server"}.get(auth.closed_by or "", "one side"),
    }


def _methods(auth: Auth) -> str:
    """What the server's first list says, as far as its size does."""
    if not auth.methods:
        return "the size of the server's list of methods isn't known"
    others = ["+".join(one) for one in auth.methods_or[:3]]
    said = f"the server's list of methods is as long as {','.join(auth.methods)}"
    return said + (f" (or {', '.join(others)})" if others else "")
