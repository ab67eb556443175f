"""For which of a scan's targets a login is meant, and what of the user's own is looked at for it.

Nothing is loaded, and no ssh is asked, where no login is meant.
"""

from __future__ import annotations

from netprobe.model import CredentialsFact
from netprobe.options import ScanOptions
from netprobe.targets import Target

# Beside targets for which a login is meant, so many are looked up in ssh_config: it may know one.
FEW_TARGETS = 4
# For so many targets the user's own side is looked at: ssh is asked about each.
MOST_LOGINS = 64


class Logins:
    """Who would log in to each target, and with what (`mine`, by the target's text)."""

    def __init__(self, user: str | None = None, mine: dict[str, CredentialsFact] | None = None) -> None:
        self._user = user
        self._mine = mine or {}
        self._untold = set(self._mine)

    def user(self, target: Target) -> str:
        """Whom a login to this target would be for, as ssh would have it."""
        mine = self._mine.get(target.text)
        found = self._user or target.user or (mine.user if mine is not None else None)
        if found is None:
            from netprobe.wire.credentials import login_name

            return login_name()
        return found

    def untold(self, target: Target) -> CredentialsFact | None:
        """What the user has for this target, the first time that it is asked for."""
        if target.text not in self._untold:
            return None
        self._untold.discard(target.text)
        return self._mine[target.text]


def prepare(options: ScanOptions) -> Logins:
    """Look at the user's side before the scan begins and privileges go. Raises CannotMeasure where servers shall be
    asked and asyncssh is missing."""
    if options.auth_methods:
        from netprobe.wire.asking import check_installed

        check_installed()
    few = len(options.targets) <= FEW_TARGETS
    meant = [(target, _meant(options, target)) for target in options.targets[:MOST_LOGINS]]
    wanted = [(target, sure) for target, sure in meant if sure or (few and not target.is_address)]
    if not wanted:
        return Logins(options.user)
    from netprobe.wire.credentials import Wanted, collect

    return Logins(
        options.user,
        collect(Wanted(t.text, t.alias or t.host, options.user or t.user, only=not sure) for t, sure in wanted),
    )


def _meant(options: ScanOptions, target: Target) -> bool:
    """Whether a login is what this target was named for."""
    return bool(options.auth_methods or options.user or target.user or target.alias)


def warning(logins: Logins, targets: tuple[Target, ...]) -> str:
    """What the question for the methods leaves behind, said before it is asked."""
    users = list(dict.fromkeys(logins.user(target) for target in targets))
    told = ", ".join(users[:3]) + (f" and {len(users) - 3} more" if len(users) > 3 else "")
    return (
        f"--auth-methods asks each SSH server which methods it takes for {told}: no password, no key, on the one "
        "connection that a scan makes; the server's log will show a login that was closed before it authenticated"
    )
