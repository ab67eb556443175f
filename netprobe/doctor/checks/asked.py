"""The account that was asked for, and the configuration that holds for it."""

from __future__ import annotations

from collections.abc import Mapping

from netprobe.doctor.facts import Account, Facts
from netprobe.doctor.finding import Result, skipped, unknown

NOBODY_ASKED = "No user was asked for (--user NAME)."


def config_of(facts: Facts) -> Mapping[str, tuple[str, ...]]:
    """The configuration, for the asked user where one was asked for."""
    return facts.config_for_user or facts.config or {}


def setting(facts: Facts, keyword: str, usual: str) -> str:
    """The value of a keyword, or what it usually is."""
    return config_of(facts).get(keyword, (usual,))[0]


def account_of(facts: Facts) -> Account | None:
    """The asked account, where it exists."""
    return facts.account if facts.account is not None and facts.account.exists else None


def no_account(facts: Facts) -> Result:
    """What a check says that has no account to look at."""
    if facts.asked.user is None:
        return skipped(NOBODY_ASKED)
    if facts.account is None:
        return unknown(f"The account {facts.asked.user} can't be looked at.", facts.why("account"))
    return skipped("There is no such account.")
